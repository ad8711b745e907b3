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
    "003": "the variational part of a series that begins with \"Intro to Autoencoders\"; its address is not known",
    "004": 'a Chinese version of Vincent Lunot\'s "On the use of the Kullback-Leibler divergence in Variational '
    'Autoencoders", www.vincent-lunot.com/post',
}
TUTORIAL_FILE = "tutorial_numbers.csv"  # in the run folder of a lesson
PIXELS = 28 * 28
# Printed losses per epoch, with Fashion-MNIST: tutorial 000's 50 epochs, 002's 10.
TUTORIAL_000_TRAINING = (
    *(0.4348, 0.3915, 0.3822, 0.3746, 0.3699, 0.3672, 0.3652, 0.3638, 0.3627, 0.3619),
    *(0.3610, 0.3603, 0.3597, 0.3592, 0.3587, 0.3584, 0.3581, 0.3581, 0.3578, 0.3576),
    *(0.3574, 0.3571, 0.3569, 0.3567, 0.3566, 0.3562, 0.3561, 0.3561, 0.3560, 0.3562),
    *(0.3559, 0.3555, 0.3555, 0.3552, 0.3552, 0.3552, 0.3550, 0.3550, 0.3550, 0.3550),
    *(0.3546, 0.3546, 0.3547, 0.3545, 0.3546, 0.3547, 0.3549, 0.3546, 0.3549, 0.3547),
)
TUTORIAL_000_VALIDATION = (
    *(0.3956, 0.3833, 0.3752, 0.3687, 0.3657, 0.3646, 0.3626, 0.3607, 0.3598, 0.3584),
    *(0.3578, 0.3577, 0.3578, 0.3555, 0.3564, 0.3558, 0.3564, 0.3561, 0.3560, 0.3542),
    *(0.3548, 0.3552, 0.3545, 0.3555, 0.3543, 0.3536, 0.3563, 0.3550, 0.3539, 0.3539),
    *(0.3537, 0.3533, 0.3524, 0.3541, 0.3524, 0.3531, 0.3525, 0.3531, 0.3532, 0.3517),
    *(0.3525, 0.3523, 0.3510, 0.3543, 0.3532, 0.3513, 0.3523, 0.3519, 0.3510, 0.3517),
)
TUTORIAL_002_TRAINING = (
    0.3641,
    0.3400,
    0.3364,
    0.3346,
    0.3331,
    0.3320,
    0.3310,
    0.3302,
    0.3293,
    0.3292,
)
TUTORIAL_002_VALIDATION = (
    0.3439,
    0.3400,
    0.3386,
    0.3351,
    0.3339,
    0.3350,
    0.3328,
    0.3328,
    0.3312,
    0.3314,
)
# Tutorial 002's printed summaries: output shape and parameters of each layer, and their totals.
TUTORIAL_002_LAYERS = {
    "encoder": (
        ((28, 28, 1), 0),
        ((28, 28, 32), 320),
        ((14, 14, 64), 18_496),
        ((14, 14, 64), 36_928),
        ((14, 14, 64), 36_928),
        ((12_544,), 0),
        ((32,), 401_440),
        ((2,), 66),
        ((2,), 66),
    ),
    "decoder": (
        ((2,), 0),
        ((12_544,), 37_632),
        ((14, 14, 64), 0),
        ((28, 28, 32), 18_464),
        ((28, 28, 1), 289),
    ),
}
TUTORIAL_002_PARAMETERS = {"encoder": 494_244, "decoder": 56_385, "encoder and decoder": 550_629}
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
