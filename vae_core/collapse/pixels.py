"""How far a pixel may be from its mean: the variance that a likelihood gives it. Imports no Keras."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from vae_core.errors import InputError
from vae_core.parameters import check_choice
from vae_core.settings import CHOICES

SMALLEST = 1e-7  # mean of a pixel; the likelihoods clip there too
MARGIN = 1e-6  # share of the way to 0 or 1 that is left
NEAR = 1e-2  # parameters of a continuous Bernoulli up to this, where the formula loses its digits

PixelVariance = Callable[[np.ndarray, np.ndarray], np.ndarray]  # of the pixels' means and variances over the images


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


@dataclass(frozen=True)
class BernoulliPixels:
    """Pixels whose mean is a probability; the natural parameter is its logit."""

    def variance(self, mean: np.ndarray) -> np.ndarray:
        """Of a pixel with this mean: the inverse of the Fisher information of the mean."""
        return mean * (1 - mean)

    def slope(self, mean: np.ndarray) -> np.ndarray:
        """First derivative of the variance by the mean."""
        return 1 - 2 * mean

    def curvature(self, mean: np.ndarray) -> np.ndarray:
        """Second derivative of the variance by the mean."""
        return np.full_like(mean, -2.0)

    def natural_change(self, mean: np.ndarray, change: np.ndarray) -> np.ndarray:
        """How far the natural parameter goes when the mean goes to mean + change."""
        return np.log1p(change / mean) - np.log1p(-change / (1 - mean))

    def divergence(self, mean: np.ndarray, change: np.ndarray) -> np.ndarray:
        """KL from the pixel with this mean to the one with mean + change, in nats."""
        return -mean * np.log1p(change / mean) - (1 - mean) * np.log1p(-change / (1 - mean))

    def inside(self, mean: np.ndarray, change: np.ndarray) -> np.ndarray:
        """The change, cut where rounding would take mean + change to 0 or 1 or beyond."""
        return np.clip(change, -(1 - MARGIN) * mean, (1 - MARGIN) * (1 - mean))


@dataclass(frozen=True)
class GaussianPixels:
    """Pixels of one known variance. Methods as of `BernoulliPixels`."""

    known: float = 1.0

    def variance(self, mean: np.ndarray) -> np.ndarray:
        """See `BernoulliPixels`."""
        return np.full_like(mean, self.known)

    def slope(self, mean: np.ndarray) -> np.ndarray:
        """See `BernoulliPixels`."""
        return np.zeros_like(mean)

    def curvature(self, mean: np.ndarray) -> np.ndarray:
        """See `BernoulliPixels`."""
        return np.zeros_like(mean)

    def natural_change(self, mean: np.ndarray, change: np.ndarray) -> np.ndarray:
        """See `BernoulliPixels`."""
        return change / self.known

    def divergence(self, mean: np.ndarray, change: np.ndarray) -> np.ndarray:
        """See `BernoulliPixels`."""
        return change**2 / (2 * self.known)

    def inside(self, mean: np.ndarray, change: np.ndarray) -> np.ndarray:
        """The change: a mean may be any number."""
        return change


Pixels = BernoulliPixels | GaussianPixels


def pixels_of(likelihood: str, variance: float = 1.0) -> Pixels:
    """The pixels of a likelihood whose mean is all there is to choose.

    Raises InputError for a likelihood that learns its variance, and for one whose theory is not worked out here.
    """
    known = {"bernoulli": BernoulliPixels(), "gaussian": GaussianPixels(variance)}
    if likelihood not in known:
        raise InputError(f"theory beyond the law of collapse is for {' and '.join(known)}, not for {likelihood}")
    return known[likelihood]
