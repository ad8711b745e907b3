"""The law of collapse: above which weight on the rate each latent unit is dead, from the training images alone.

In a collapsed VAE q(z|x) is the prior, and the decoder draws the mean image whatever z is. Let s(x) be the derivative
of log p(x|z) by the decoder's outputs at the mean image, F its Fisher information, and y = F^(-1/2) s(x). Let the means
of q be A y, and the outputs those of the mean image plus F^(-1/2) W z. To second order in A and W the objective changes
by

-tr(A S W) + 1/2 tr(W' W) + kl_weight / 2 tr(A S A'),   S = mean over the training images of y y'

The best W is S A'. What is left, 1/2 tr(A (kl_weight S - S^2) A'), can be below 0 only where kl_weight is below an
eigenvalue of S: a code along the k-th eigenvector pays for itself only below the k-th eigenvalue. Pixels are
independent given z. So S is the covariance of the training images, divided by the standard deviations that p(x|z) gives
their pixels, whatever function turns an output into a mean. For black-and-white images it is their correlation matrix,
for Gaussian pixels of variance v their covariance / v.

The last is the threshold of the linear VAE (Lucas et al. 2019, arXiv:1911.02469) and of probabilistic PCA (Tipping and
Bishop 1999). The law is local: it says where the collapsed state loses its stability. It does not say whether another
code is better still, nor what strong units do to each other.
"""

from collections.abc import Mapping

import numpy as np

from vae_core.collapse.moments import LargeImages, Moments, moments_of
from vae_core.collapse.pixels import PixelVariance, pixel_variance
from vae_core.dataset import Dataset
from vae_core.settings import DEFAULTS

ROUNDING = 1e-9  # eigenvalues below this share of the largest are 0 but for rounding
NEVER = 1e-12  # variance of a pixel that never varies, but for rounding


def predicted(dataset: Dataset, settings: Mapping[str, object], count: int | None = None) -> np.ndarray:
    """The weights above which the first `count` latent units of a run of `train_vae` are predicted to die, descending.

    dataset: as the run has it, `binarised` where its settings say so
    settings: of the run; `likelihood` and `pixel_variance` count
    count: None for all, which are `LARGEST_LATENT_DIM` for images of more than `moments.MOST_PIXELS` numbers
    """
    given = DEFAULTS | dict(settings)
    variance = pixel_variance(given["likelihood"], given["pixel_variance"])
    return collapse_weights(moments_of(dataset), variance, count=count)


def collapse_weights(
    found: Moments | LargeImages, pixel_variance: PixelVariance, rarest: float = 0.0, count: int | None = None
) -> np.ndarray:
    """The weights above which the first, second, ... latent unit is predicted to die: eigenvalues, descending.

    found: of the training images; pixel_variance: from `pixels.pixel_variance`
    rarest: pixels whose mean is no more than that from 0 or from 1 are left out; those that never vary always are
    count: of weights; None for as many as `found` has
    returns: (count,) or (pixels,), with 0 for each pixel that is left out
    """
    kept = (found.variance > NEVER) & ~rare_pixels(found, rarest)
    scale = np.zeros(len(kept))
    scale[kept] = 1 / np.sqrt(pixel_variance(found.mean, found.variance)[kept])
    weights = found.eigenvalues(scale, count)
    weights[weights < ROUNDING * weights.max(initial=0)] = 0
    return weights


def rare_pixels(found: Moments | LargeImages, rarest: float) -> np.ndarray:
    """Which pixels vary, but with a mean of no more than `rarest` from 0 or from 1: true or false, (pixels,)."""
    nearest = np.minimum(found.mean, 1 - found.mean)
    return (found.variance > NEVER) & (nearest <= rarest) & (rarest > 0)


def units_alive(kl_weight: float, weights: np.ndarray, latent_dim: int | None = None) -> int:
    """How many units the law lets live at this weight. A unit at its own weight is dead.

    weights: from `collapse_weights`; latent_dim: the units that there are
    """
    return int(np.sum(weights[:latent_dim] > kl_weight))
