"""Which walks answer which question: weights around those that the law predicts."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, product

import numpy as np

from vae_core.data import IMAGE_SHAPE
from vae_core.dataset import Dataset
from vae_core.lessons.where_codes_collapse.walks import CONVOLUTIONAL, DENSE, TANH, Walk

BOTH_WAYS, TEN, MANY, WAKING, REASONS, OTHERS, CONVOLUTIONS = (
    *("both ways", "ten units", "many units", "waking", "reasons", "other likelihoods", "convolutions"),
)
BELOW, ABOVE = 0.8, 1.12  # where a walk begins and ends, as shares of the lowest and the highest predicted weight
CONV_FROM = 0.9  # the same as BELOW, for the convolutional network,
CONV_START = 0.25  # which is first trained at a lower weight: at CONV_FROM it may never come to life
NEAR = (0.85, 1.15)  # the same, around one predicted weight
LEAST = 0.1  # weight of the walks with many units
UNITS = (32, 64)  # of them
OFF = 1.25  # shares of the first predicted weight: here codes are made to collapse,
WAKING_AT = (0.95, 0.9, 0.8, 0.7)  # and here they may wake
COLLAPSED = (1.5, 15)  # after so many times the epochs that a walk stays at a weight,
WAKING_LENGTH, WAKING_LOOKS = 3, 4  # within so many times these epochs
LONGER, SMALL_STEPS = "3 times the epochs", "learning rate 3e-4, 3 times the epochs"
REASONS_TRIED = {  # settings, and how many times the epochs: small steps need more of them
    "as it is": ((), 1),
    LONGER: ((), 3),
    SMALL_STEPS: ((("learning_rate", 3e-4),), 3),
    "batches of 1,000": ((("batch_size", 1000),), 1),
}
LIKELIHOODS = {  # beside grey pixels as probabilities
    "black and white": (("binarise", "threshold"),),
    "Gaussian of variance 1": (("likelihood", "gaussian"),),
    "Gaussian, learned variance": (("likelihood", "gaussian_learned_variance"),),
}


@dataclass(frozen=True)
class Effort:
    """How long all walks train.

    seeds: 0 to seeds - 1; start_epochs: at the first weight of a walk; epochs: at each of the others
    """

    seeds: int
    start_epochs: int
    epochs: int


def both_ways(weights: np.ndarray, effort: Effort) -> list[Walk]:
    """Two units, through both of their weights and back, with ReLU and with tanh."""
    up = _grid(BELOW * weights[1], ABOVE * weights[0], 17)
    there_and_back = (*up, *reversed(up[:-1]))
    return [
        walk
        for network in (DENSE, TANH)
        for walk in _of_all_seeds(effort, BOTH_WAYS, network, there_and_back, network=network)
    ]


def ten_units(weights: np.ndarray, effort: Effort) -> list[Walk]:
    """Ten units, through the weights of all."""
    up = _grid(BELOW * weights[9], ABOVE * weights[0], 24)
    return _of_all_seeds(effort, TEN, "10", up, settings=(("latent_dim", 10),))


def many_units(weights: np.ndarray, effort: Effort) -> list[Walk]:
    """As many units as few models have, from a weight at which all of them should live."""
    up = _grid(LEAST, ABOVE * weights[0], 24)
    return [
        walk
        for units in UNITS
        for walk in _of_all_seeds(effort, MANY, str(units), up, settings=(("latent_dim", units),))
    ]


def waking(weights: np.ndarray, effort: Effort) -> list[Walk]:
    """Two units that have been made to collapse, at weights at which the first should live."""
    short, long = (round(times * effort.epochs) for times in COLLAPSED)
    first, length = float(weights[0]), WAKING_LENGTH * effort.epochs
    return [
        Walk(
            WAKING,
            f"off for {off} epochs",
            _short(OFF * first),
            off,
            (_short(share * first),),
            length,
            seed,
            WAKING_LOOKS,
            network,
        )
        for network, off, share, seed in product((DENSE, TANH), (short, long), WAKING_AT, range(effort.seeds))
        if off == short or share == WAKING_AT[2]
    ]


def reasons(weights: np.ndarray, effort: Effort) -> list[Walk]:
    """Two units up through the first weight, trained in other ways."""
    up = _around(weights[0])
    tried = [
        _of_all_seeds(replace(effort, epochs=times * effort.epochs), REASONS, name, up, settings=settings)
        for name, (settings, times) in REASONS_TRIED.items()
    ]
    return list(chain(*tried))


def other_likelihoods(laws: Mapping[str, np.ndarray], effort: Effort) -> list[Walk]:
    """Two units up through the first weight under each of LIKELIHOODS; laws: the predicted weights of each."""
    return [
        walk
        for name, weights in laws.items()
        for walk in _of_all_seeds(effort, OTHERS, name, _around(weights[0]), settings=LIKELIHOODS[name])
    ]


def convolutions(weights: np.ndarray, effort: Effort, seeds: int, image_shape: tuple[int, int, int]) -> list[Walk]:
    """The convolutional network up through the weights of its two units; nothing for images that it cannot draw.

    An epoch takes it much longer than the reference model, so it gets fewer. Before the walk it is trained at a weight
    at which a code comes to life.
    """
    if image_shape != IMAGE_SHAPE:
        return []
    up = _grid(CONV_FROM * weights[1], ABOVE * weights[0], 8)
    shorter = Effort(seeds, math.ceil(effort.start_epochs / 5), math.ceil(effort.epochs / 2))
    walks = _of_all_seeds(shorter, CONVOLUTIONS, CONVOLUTIONAL, up, network=CONVOLUTIONAL)
    return [replace(walk, start=_short(CONV_START * weights[1])) for walk in walks]


def amount(plan: Sequence[Walk], dataset: Dataset) -> str:
    """How much there is to do, as a sentence."""
    epochs = sum(walk.all_epochs for walk in plan)
    return f"{len(plan)} walks, {epochs:,} epochs of {len(dataset.train_images):,} images altogether."


def _of_all_seeds(effort: Effort, group: str, variant: str, kl_weights: Sequence[float], **options) -> list[Walk]:
    start = (kl_weights[0], effort.start_epochs)
    return [
        Walk(group, variant, *start, tuple(kl_weights), effort.epochs, seed, **options) for seed in range(effort.seeds)
    ]


def _grid(low: float, high: float, number: int) -> tuple[float, ...]:
    """So many weights with equal ratios."""
    return tuple(_short(weight) for weight in np.geomspace(low, high, number))


def _short(weight: float) -> float:
    """With four digits: an eigenvalue's last ones may differ from run to run, and a walk is known by its weights."""
    return float(f"{weight:.4g}")


def _around(weight: float) -> tuple[float, ...]:
    return _grid(NEAR[0] * weight, NEAR[1] * weight, 9)
