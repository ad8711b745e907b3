"""Black-and-white images from grey ones: by a threshold, or by a toss of every pixel. Imports no Keras."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from vae_core.data import ByteImages, Dataset
from vae_core.parameters import check_choice
from vae_core.settings import CHOICES

TOSS_SEEDS = {"train_images": 0, "validation_images": 1, "test_images": 2}  # whatever the seed of a run
BLOCK = 1000  # images at a time


def binarised(dataset: Dataset, how: str) -> Dataset:
    """The data set as `train_vae` has it at this value of `binarise`.

    no: as it is
    threshold: see `thresholded`
    each_epoch: `tossed`, the grey values being probabilities (Salakhutdinov and Murray 2008; Burda, Grosse and
        Salakhutdinov 2016, arXiv:1509.00519, toss anew in each epoch). Validation and test images are tossed once, with
        the same seeds for all runs. The training images stay grey and `toss` is true: `vae_core.training.train` tosses
        each batch. `vae.fit` does not: give it `tossed` images, one epoch at a time

    Raises InputError for another value.
    """
    check_choice("binarise", how, CHOICES["binarise"])
    return {"no": lambda data: data, "threshold": thresholded, "each_epoch": _tossed_in_training}[how](dataset)


def thresholded(dataset: Dataset) -> Dataset:
    """The data set in black and white: pixels of 0.5 or more become 1, all others 0."""
    images = {part: _black_and_white(getattr(dataset, part), lambda grey: grey >= 0.5) for part in TOSS_SEEDS}
    return replace(dataset, description=f"{dataset.description}; thresholded at 0.5", **images)


def tossed(images: np.ndarray | ByteImages, seed: int) -> np.ndarray | ByteImages:
    """Every pixel is 1 with the probability of its grey value, else 0; images: (N, height, width, channels)."""
    uniform = np.random.default_rng(seed).random
    return _black_and_white(images, lambda grey: uniform(grey.shape, np.float32) < grey)


def tossed_once(dataset: Dataset) -> Dataset:
    """The data set with training images such as the encoder has seen: where training tosses them, tossed once."""
    return replace(dataset, train_images=_tossed_part(dataset, "train_images"), toss=False) if dataset.toss else dataset


def _tossed_in_training(dataset: Dataset) -> Dataset:
    images = {part: _tossed_part(dataset, part) for part in ("validation_images", "test_images")}
    return replace(dataset, description=f"{dataset.description}; tossed anew in each epoch", toss=True, **images)


def _tossed_part(dataset: Dataset, part: str) -> np.ndarray | ByteImages:
    return tossed(getattr(dataset, part), TOSS_SEEDS[part])


def _black_and_white(
    images: np.ndarray | ByteImages, white: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray | ByteImages:
    """Images of 1 where `white` of the grey ones is true, else 0, kept as bytes if they were."""
    blocks = [white(images[start : start + BLOCK]) for start in range(0, len(images), BLOCK)]
    kept = np.concatenate(blocks)
    return ByteImages(kept * np.uint8(255)) if isinstance(images, ByteImages) else kept.astype(np.float32)
