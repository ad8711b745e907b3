"""Which networks are trained, at which weights they are measured, and with which runs they are compared."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from vae_core.data import load_dataset
from vae_core.dataset import Dataset
from vae_core.errors import InputError
from vae_core.lessons.one_network_every_weight.model import AS_IT_IS, SEPARATE, VARIANTS, Training
from vae_core.runs import Runs, user_folder
from vae_core.settings import DEFAULTS

SHARED = ("epochs", "batch_size", "hidden_units", "latent_dim", "learning_rate")  # settings of the network and the runs
TIMES = (1, 2)  # how many times the epochs of one run
PLAIN = {name: value for name, value in DEFAULTS.items() if name not in ("latent_dim", "pixel_variance")}


def shared_settings(runs: Runs) -> dict[str, object]:
    """What the network takes from the runs.

    Raises InputError if they were trained in more than one way, or in another than the constant weight on grey pixels.
    """
    settings = runs.settings.assign(**{name: DEFAULTS[name] for name in SHARED if name not in runs.settings})
    for name in ("dataset", *SHARED):
        if len(found := settings[name].unique()) > 1:
            raise InputError(
                f"the runs have several values of {name} ({', '.join(map(str, found))}): take another sweep"
            )
    for name, value in PLAIN.items():
        found = runs.settings[name].iloc[0] if name in runs.settings else value
        if found != value and not (value is None and found != found):  # NaN: none
            raise InputError(f"the one network is made for runs with {name}={value}, not {found}: take another sweep")
    return {name: settings[name].iloc[0].item() for name in SHARED}


def dataset_of(runs: Runs, data_dir: str) -> Dataset:
    """The images of the runs. Raises InputError if they have changed since."""
    first = runs.settings.iloc[0]
    dataset = load_dataset(first["dataset"], data_dir)
    if dataset.checksum != first["data_checksum"]:
        raise InputError(f"the images of {dataset.name} are not those that the sweep was trained on: sweep again")
    return dataset


def described(runs: Runs, knots: Sequence[float], weights: np.ndarray) -> str:
    """The runs, the range of the network, and the law's weights, as Markdown."""
    own = ", ".join(f"{weight:g}" for weight in compared_weights(runs, knots))
    predicted = ", ".join(f"{weight:.2f}" for weight in weights)
    return (
        f"Separate runs at the weights {own}, seeds {', '.join(map(str, seeds(runs)))}, {epochs(runs)} epochs each. "
        f"The network learns every weight from {knots[0]:g} to {knots[-1]:.1f}, with {len(knots)} knots. "
        f"Its {len(weights)} latent units should die at {predicted}."
    )


def compared_weights(runs: Runs, knots: Sequence[float]) -> list[float]:
    """The weights of the runs that the network has learned. Raises InputError for fewer than two."""
    weights = sorted(weight for weight in runs.settings["kl_weight"].unique() if knots[0] <= weight <= knots[-1])
    if len(weights) < 2:
        raise InputError(
            f"the sweep has {len(weights)} weights from {knots[0]:g} to {knots[-1]:.3g}: take one with two or more"
        )
    return [float(weight) for weight in weights]


def one_network(runs: Runs, knots: Sequence[float]) -> list[Training]:
    """The network with each seed of the runs, with as many epochs as one run and with twice as many."""
    weights = tuple(float(weight) for weight in np.union1d(compared_weights(runs, knots), knots))
    lengths = [times * epochs(runs) for times in TIMES]
    return [
        Training(AS_IT_IS, seed, length, tuple(map(float, knots)), weights)
        for seed in seeds(runs)
        for length in lengths
    ]


def variants(runs: Runs, knots: Sequence[float], number: int) -> list[Training]:
    """The network without one of its parts, with the first so many seeds of the runs."""
    weights = tuple(compared_weights(runs, knots))
    return [
        Training(variant, seed, epochs(runs), tuple(map(float, knots)), weights)
        for variant in VARIANTS
        if variant not in (AS_IT_IS, SEPARATE)
        for seed in seeds(runs)[:number]
    ]


def separate(runs: Runs, knots: Sequence[float], number: int) -> list[Training]:
    """Separate runs, trained as the network is: at the least, the middle and the largest of the compared weights."""
    weights = compared_weights(runs, knots)
    chosen = dict.fromkeys((weights[0], weights[len(weights) // 2], weights[-1]))
    return [
        Training(SEPARATE, seed, epochs(runs), tuple(map(float, knots)), (weight,))
        for weight in chosen
        for seed in seeds(runs)[:number]
    ]


def place_for(keep_in: str) -> Path | None:
    """The folder of a sweep in which the network is to be kept; None for none. Raises InputError if it is no folder."""
    if not keep_in:
        return None
    if not (folder := user_folder(keep_in, "keep_in")).is_dir():
        raise InputError(f"keep_in {keep_in} is not there: name the folder of a sweep, such as results/kl_sweep/mnist")
    return folder


def epochs(runs: Runs) -> int:
    """How long each run was trained."""
    return int(runs.settings["epochs"].iloc[0])


def seeds(runs: Runs) -> list[int]:
    """The seeds of the runs."""
    return sorted(int(seed) for seed in runs.settings["seed"].unique())


def amount(plan: Sequence[Training], dataset: Dataset) -> str:
    """How much there is to do, as a sentence."""
    epochs = sum(training.all_epochs for training in plan)
    return f"{len(plan)} trainings, {epochs:,} epochs of {len(dataset.train_images):,} images altogether."
