"""What a sweep is about, in words: data, settings, what was minimised, and what its numbers can be set beside."""

from collections.abc import Mapping

import pandas as pd

from vae_core.report.diverged import diverged_runs
from vae_core.runs import Runs, read_dataset
from vae_core.settings import DEFAULTS, DENSITIES

DENSITY = {
    "continuous_bernoulli": "a continuous Bernoulli distribution in each pixel",
    "gaussian": "a Gaussian of variance {pixel_variance:g} in each pixel",
    "gaussian_learned_variance": "a Gaussian in each pixel, of a variance that is learned,",
}


def shared_settings(runs: Runs) -> dict[str, object]:
    """What all runs of a sweep were run with, in common; a setting that is younger than the runs has its default."""
    table = runs.settings.drop(columns=["kl_weight", "seed"])
    return DEFAULTS | {name: table[name].iloc[0] for name in table}


def caption(runs: Runs) -> str:
    """What the tables are about, in one paragraph: data, settings, anchors, and which runs have diverged."""
    return f"{images(runs)}, nats per image; {conditions(runs)}"


def images(runs: Runs) -> str:
    """Which images the measures are of, and how many."""
    return f"{read_dataset(runs.folders[0]).description}; {int(runs.measures['images'].iloc[0]):,} test images"


def conditions(runs: Runs) -> str:
    """What the runs were run with, how low the distortion can be, what was minimised, and which runs have diverged."""
    settings = shared_settings(runs)
    epochs = " or ".join(str(number) for number in sorted(runs.settings["epochs"].unique()))
    seeds = [str(seed) for seed in sorted(runs.settings["seed"].unique())]
    over = f"mean ± standard deviation over the seeds {', '.join(seeds)}" if len(seeds) > 1 else f"seed {seeds[0]}"
    latent = f"latent_dim {settings['latent_dim']}; " if settings["latent_dim"] != DEFAULTS["latent_dim"] else ""
    return (
        f"{latent}{epochs} epochs; {over}."
        f"{_anchors(runs.measures.iloc[0])}{minimised(settings)}{density(settings)}{_left_out(runs)}"
    )


def minimised(settings: Mapping[str, object]) -> str:
    """What training minimised, where it was not distortion + kl_weight * rate all the time; else nothing."""
    if (distortion := settings["target_distortion"]) is not None and not pd.isna(distortion):
        return (
            f" Minimised: the rate, at a distortion of {distortion:g} at most if training reaches it. The weight is "
            "found while training (history.csv has it for each epoch), and kl_weight is where it starts."
        )
    warmup, epochs = settings["kl_schedule"], settings["kl_warmup_epochs"]
    rising = {
        "linear": f"rises on a straight line from 0 over the first {epochs} epochs",
        "cosine": f"rises on half a cosine from 0 over the first {epochs} epochs",
        "cyclical": f"goes through {settings['kl_cycles']} cycles, in each from 0 on a straight line over "
        f"{settings['kl_ramp']:.0%} of it",
    }.get(warmup, "")
    if (rate := settings["target_rate"]) is not None and not pd.isna(rate):
        raised = f" The target {rising}." if rising else ""
        return f" Minimised: distortion + kl_weight * (distance of the rate from a target of {rate:g}).{raised}"
    if free := settings["free_bits"]:
        charged = f"rates of the latent dimensions, mean over the batch, each of them counted as {free:g} at least"
        weight = f" The weight {rising}." if rising else ""
        return f" Minimised: distortion + kl_weight * (sum of the {charged}).{weight}"
    return f" Minimised: distortion + kl_weight * rate; the weight {rising}." if rising else ""


def density(settings: Mapping[str, object]) -> str:
    """That -log p(x) is of a density, if it is."""
    if settings["likelihood"] not in DENSITIES:
        return ""
    kind = DENSITY[settings["likelihood"]].format(**settings)
    return (
        f" -log p(x), its bound and the distortion are of a density ({kind.rstrip(',')}): they can be below 0, and "
        "cannot be compared with those of probabilities, as of black-and-white pixels."
    )


def incomparable(here: Mapping[str, object], there: Mapping[str, object]) -> str:
    """Why -log p(x) under the one settings cannot be set beside that under the others; empty if it can.

    It must be of the same images, and of densities or of probabilities in both.
    """
    if here.get("data_checksum") != there.get("data_checksum"):
        return f"they are of different data, {here['dataset']} and {there['dataset']}"
    if here["binarise"] != there["binarise"]:
        return f"they are of different images, binarise {here['binarise']} and {there['binarise']}"
    if (here["likelihood"] in DENSITIES) != (there["likelihood"] in DENSITIES):
        density, probability = sorted((here["likelihood"], there["likelihood"]), key=lambda name: name not in DENSITIES)
        return f"-log p(x) is of a density in one, {density}, and of a probability in the other, {probability}"
    return ""


def _anchors(measures: Mapping[str, float]) -> str:
    floor = f" No distortion can be below {measures['entropy_floor']:.2f}." if "entropy_floor" in measures else ""
    return (
        f"{floor} A collapsed code, which is the prior for every image, has rate 0 and, at the mean training image, "
        f"distortion {measures['zero_information_distortion']:.2f}."
    )


def _left_out(runs: Runs) -> str:
    if not (names := diverged_runs(runs)):
        return ""
    return (
        f" **Diverged: {names}** (distortion far above that of a code that says nothing). These runs are in no figure "
        "and in no mean with others."
    )
