"""How far a pixel may be from its mean: the variance that a likelihood gives it. Imports no Keras."""

from collections.abc import Callable

import numpy as np

from vae_core.parameters import check_choice
from vae_core.settings import CHOICES

SMALLEST = 1e-7  # mean of a pixel; the likelihoods clip there too
NEAR = 1e-2  # parameters of a continuous Bernoulli up to this, where the formula loses its digits

PixelVariance = Callable[
    [np.ndarray, np.ndarray], np.ndarray
]  # of the pixels' means and of their variances over images


def pixel_variance(likelihood: str, variance: float = 1.0) -> PixelVariance:
    """The variance of each pixel in p(x|z), where a decoder draws the mean image whatever the code says.

    bernoulli: p (1 - p);  gaussian: `variance`;  gaussian_learned_variance: that of all pixels together, which is what
    it learns there;  continuous_bernoulli: that of the density with this mean

    Its inverse is the Fisher information of the pixel's mean. Raises InputError for another likelihood.
    """
    variances = {
        "bernoulli": lambda mean, found: mean * (1 - mean),
        "continuous_bernoulli": lambda mean, found: continuous_bernoulli_variance(mean),
        "gaussian": lambda mean, found: np.full_like(mean, variance),
        "gaussian_learned_variance": lambda mean, found: np.full_like(mean, found.mean()),
    }
    check_choice("likelihood", likelihood, CHOICES["likelihood"])
    return variances[likelihood]


def continuous_bernoulli_variance(mean: np.ndarray) -> np.ndarray:
    """The variance of the continuous Bernoulli density with this mean, in (0, 1).

    With the parameter l its mean is 1 / (1 - exp(-l)) - 1/l and its variance 1/l^2 - 1 / (4 sinh(l/2)^2), 1/12 at l = 0
    (Loaiza-Ganem and Cunningham 2019, arXiv:1907.06845).
    """
    nearest = np.minimum(mean, 1 - mean).clip(SMALLEST, 0.5)  # the variance is the same on both sides
    sizes = np.geomspace(NEAR, 2 / SMALLEST, 20_001)  # abs(l)
    means = 1 / sizes + np.exp(-sizes) / np.expm1(-sizes)
    size = np.interp(-np.log(nearest), -np.log(means), sizes, left=0)
    far = np.maximum(size, NEAR)
    with np.errstate(over="ignore"):
        exact = 1 / far**2 - 1 / (4 * np.sinh(far / 2) ** 2)
    return np.where(size < NEAR, 1 / 12 - size**2 / 240, exact)
