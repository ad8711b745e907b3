"""How samples lie among real images, by nearest neighbours in pixel space: it needs neither labels nor a classifier."""

import numpy as np

from vae_core.statistics import with_error

NEIGHBOURS = 3  # Kynkäänniemi et al.'s
COMPARED = 2000  # images of each set: the numbers depend on it, so all sets have as many
BLOCK = 500  # images at a time


def precision_and_recall(name: str, images: np.ndarray, real: np.ndarray) -> dict[str, float]:
    """How many samples lie where real images are, and how many real images lie where samples are.

    <name>_precision = share of the samples within the distance of any real image to its third nearest real image
    <name>_recall = share of the real images within the distance of any sample to its third nearest sample
    <name>_f_score = 2 precision recall / (precision + recall), 0 if both are

    Kynkäänniemi et al. 2019, arXiv:1904.06991, with Euclidean distances of pixels in place of a network's features.
    Each is 1 at best, but two sets of real images reach less: compare with theirs. A blurred sample is near many real
    images and raises the precision, but samples that are near each other cover few real images: the recall tells.

    images, real: (N, height, width, channels) of float32, as many of both and more than NEIGHBOURS
    """
    x, y = (np.reshape(part, (len(part), -1)) for part in (images, real))
    inside = {
        f"{name}_precision": _within(x, y, _radii(y)),
        f"{name}_recall": _within(y, x, _radii(x)),
    }
    precision, recall = (float(hits.mean()) for hits in inside.values())
    return with_error(**inside) | {f"{name}_f_score": 2 * precision * recall / max(precision + recall, 1e-12)}


def _radii(x: np.ndarray) -> np.ndarray:
    """The squared distance of each row to its NEIGHBOURS-th nearest other one: (N, numbers) to (N,)."""
    found = [
        np.partition(_squared_distances(x[start : start + BLOCK], x), NEIGHBOURS, axis=1)[:, NEIGHBOURS]
        for start in range(0, len(x), BLOCK)
    ]  # the nearest of all is the row itself
    return np.concatenate(found)


def _within(x: np.ndarray, centres: np.ndarray, radii: np.ndarray) -> np.ndarray:
    """Whether each row lies within the squared radius of any centre: (N, numbers), (M, numbers), (M,) to (N,)."""
    found = [
        np.any(_squared_distances(x[start : start + BLOCK], centres) <= radii, axis=1)
        for start in range(0, len(x), BLOCK)
    ]
    return np.concatenate(found)


def _squared_distances(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Of each row of x to each of y, by one matrix product: (N, numbers), (M, numbers) to (N, M)."""
    of_x, of_y = (np.einsum("ij,ij->i", rows, rows) for rows in (x, y))  # without an array of all squares
    return np.maximum(of_x[:, None] - 2 * (x @ y.T) + of_y, 0)
