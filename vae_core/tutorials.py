"""The five tutorials that the suite grew out of: what they are, what they print, and how a run is set beside them.

Their losses are per pixel: mean binary cross-entropy plus the KL term in the weighting of the tutorial. Times 784 they
are in nats per image, at the kl_weight that `which_weight_are_you_using` derives.
"""

from collections.abc import Iterable, Mapping

import pandas as pd

TUTORIALS = {
    "000": '"Variational automatic encoder", a web page; its address is not known',
    "001": '"Variational Auto-encoder, VAE" (in Chinese), section 12.4 of Charmve\'s "Computer Vision in Action", '
    "github.com/Charmve/computer-vision-in-action",
    "002": '"Variational Autoencoder" by Antonio Lorenzo, a web page; its address is not known',
    "003": 'the variational part of a series that begins with "Intro to Autoencoders"; its address is not known',
    "004": "a Chinese version of Vincent Lunot's \"On the use of the Kullback-Leibler divergence in Variational "
    'Autoencoders", www.vincent-lunot.com/post/on-the-use-of-the-kullback-leibler-divergence-in-variational-'
    "autoencoders",
}
TUTORIAL_FILE = "tutorial_numbers.csv"  # in the run folder of a lesson
PIXELS = 28 * 28
COLUMNS = ("tutorial", "what", "printed", "ours", "why they differ")


def tutorial_table(number: str, rows: Iterable[tuple[str, str, str, str]]) -> pd.DataFrame:
    """What a tutorial prints or says beside what came out here; rows: what, printed, ours, why they differ."""
    return pd.DataFrame([(number, *row) for row in rows], columns=list(COLUMNS))


def tutorial_markdown(table: pd.DataFrame) -> str:
    """A `tutorial_table` as Markdown, in which a | of its own would end a cell."""
    return table.map(lambda text: text.replace("|", r"\|")).to_markdown(index=False, disable_numparse=True)


def differing(settings: Mapping[str, object], wanted: Mapping[str, object]) -> list[str]:
    """The names of the settings of a run that are not the tutorial's; wanted: those that the tutorial states."""
    return [name for name, value in wanted.items() if settings[name] != value]


def differences(settings: Mapping[str, object], wanted: Mapping[str, object]) -> str:
    """How a run differs from a tutorial: "epochs 10 instead of 100"; empty if it does not."""
    return ", ".join(f"{name} {settings[name]} instead of {wanted[name]}" for name in differing(settings, wanted))


def per_pixel(nats: float) -> float:
    """Nats per image as a loss that averages over the pixels has it."""
    return nats / PIXELS
