"""The objective of free codes with the best decoder, by its definition: an independent implementation for the tests."""

import numpy as np
from scipy.special import entr

STEP = 0.4
AXIS = np.arange(-8, 8.1, STEP)


def few_images(number=14):
    """Grey images of five pixels that share a cause, which is not symmetric: (number, 5)."""
    rng = np.random.default_rng(3)
    cause = rng.exponential(size=(number, 1)) - 1
    return 1 / (1 + np.exp(-cause * [1.8, 1.5, -1.2, 1.0, 1.4] - 0.3 * rng.normal(size=(number, 5)) + 1))


def in_shape(rows):
    """(N, pixels) as images: (N, pixels, 1, 1)."""
    return rows.reshape(len(rows), -1, 1, 1)


def binary_entropies(means):
    """Summed over the pixels, in nats."""
    return (entr(means) + entr(1 - means)).sum(axis=-1)


def objective(images, kl_weight, means, variances):
    """Of Bernoulli images, (N, pixels), and codes of one unit, (N,), less that of the collapsed state."""
    q = np.exp(-((AXIS - means[:, None]) ** 2) / (2 * variances[:, None])) / np.sqrt(2 * np.pi * variances[:, None])
    drawn = (q.T @ images) / q.sum(axis=0)[:, None]
    distortion = np.sum(q.mean(axis=0) * binary_entropies(drawn)) * STEP
    rate = np.mean(means**2 + variances - 1 - np.log(variances)) / 2
    return distortion - binary_entropies(images.mean(axis=0)) + kl_weight * rate
