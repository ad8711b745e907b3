"""The law of collapse: above which weight on the rate each latent unit is dead, from the training images alone.

In a collapsed VAE q(z|x) is the prior, and the decoder draws the mean image whatever z is. Let s(x) be the derivative
of log p(x|z) by the decoder's outputs at the mean image, F its Fisher information, and y = F^(-1/2) s(x). Let the means
of q be A y, and the outputs those of the mean image plus F^(-1/2) W z. To second order in A and W the objective changes
by

-tr(A S W) + 1/2 tr(W' W) + kl_weight / 2 tr(A S A'),   S = mean over the training images of y y'

The best W is S A'. What is left, 1/2 tr(A (kl_weight S - S^2) A'), can be below 0 only where kl_weight is below an
eigenvalue of S: a code along the k-th eigenvector pays for itself only below the k-th eigenvalue. Pixels are
independent given z, and how outputs are turned into a pixel's mean drops out: S is the covariance of the training
images, divided by the standard deviations that p(x|z) gives their pixels. For black-and-white images it is their
correlation matrix, for Gaussian pixels of variance v their covariance / v.

The last is the threshold of the linear VAE (Lucas et al. 2019, arXiv:1911.02469; Dai et al. 2020) and of probabilistic
PCA (Tipping and Bishop 1999). The law is local: it says where the collapsed state loses its stability, not what else
there is, and not what strong units do to each other.
"""

from dataclasses import dataclass

import numpy as np

from vae_core.collapse.pixels import PixelVariance
from vae_core.dataset import ByteImages

ROUNDING = 1e-9  # eigenvalues below this share of the largest are 0 but for rounding
BLOCK = 1 << 22  # pixels at a time, which are 32 MB in double precision


@dataclass(frozen=True)
class Moments:
    """Mean and covariance of images: (pixels,) and (pixels, pixels)."""

    mean: np.ndarray
    covariance: np.ndarray

    def tossed(self) -> "Moments":
        """Those of images whose pixels are made black and white anew, each with the probability of its grey value."""
        covariance = self.covariance.copy()
        np.fill_diagonal(covariance, self.mean * (1 - self.mean))
        return Moments(self.mean, covariance)


def moments(images: np.ndarray | ByteImages) -> Moments:
    """Mean and covariance of the training images, in blocks; images: (N, height, width, channels)."""
    number, pixels = len(images), int(np.prod(images.shape[1:]))
    total, products = np.zeros(pixels), np.zeros((pixels, pixels))
    for start in range(0, number, size := max(1, BLOCK // pixels)):
        rows = np.asarray(images[start : start + size], np.float64).reshape(-1, pixels)
        total += rows.sum(axis=0)
        products += rows.T @ rows
    mean = total / number
    return Moments(mean, products / number - np.outer(mean, mean))


def collapse_weights(found: Moments, pixel_variance: PixelVariance, rarest: float = 0.0) -> np.ndarray:
    """The weights above which the first, second, ... latent unit is predicted to die: all eigenvalues, descending.

    found: of the training images; pixel_variance: from `pixels.pixel_variance`
    rarest: pixels whose mean is no more than that from 0 or from 1 are left out; those that never vary always are
    returns: (pixels,), 0 for each pixel that is left out
    """
    own = np.diagonal(found.covariance)
    nearest = np.minimum(found.mean, 1 - found.mean)
    kept = (own > 0) & (nearest > rarest) if rarest else own > 0
    scale = 1 / np.sqrt(pixel_variance(found.mean, own)[kept])
    weights = np.linalg.eigvalsh(found.covariance[np.ix_(kept, kept)] * np.outer(scale, scale))[::-1].copy()
    weights[weights < ROUNDING * weights.max(initial=0)] = 0
    return np.concatenate([weights, np.zeros(len(own) - len(weights))])


def units_alive(kl_weight: float, weights: np.ndarray, latent_dim: int | None = None) -> int:
    """How many units the law lets live at this weight. A unit at its own weight is dead.

    weights: from `collapse_weights`; latent_dim: the units that there are
    """
    return int(np.sum(weights[:latent_dim] > kl_weight))
