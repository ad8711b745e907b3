"""The first unit just below its weight: the objective near collapse, to fourth order.

`law` is the second order. Here one unit has no networks: q(z|x) = N(m, 1 + b) with any mean m and variance 1 + b for
each image, and the decoder draws the best image for every z. Let y be the images minus their mean, divided by their
pixels' standard deviations V^(1/2); S = mean of y y'; u its first eigenvector, L the eigenvalue; t = u'y / L^(1/2),
which has variance 1. Two kinds of code lose their stability at L together: in the means, m = eps t, and in the
variances, b = eta t, which change the decoder by z^2 - 1. At the best of all else the objective at kl_weight c, minus
that of the collapsed state, is in nats per image

J = (c - L) (eps^2 / 2 + eta^2 / 4) - K (eps^2 eta + eta^3 / 3) + Q eps^4 + R eps^2 eta^2 + P eta^4

With s = E t^3, r = E t^4, g = V' / V^(1/2) (V': derivative of a pixel's variance by its mean), w = g u^2, T = E t^2 y,
h = t^2 - 1 - w'y, h' the part of h that does not correlate with t, and (I - S/L)^+ the inverse beside u:

K   = L/2 (s - L^(1/2) sum of g u^3)
H   = E h'^2 + E[h y]' (I - S/L)^+ E[h y] / L
f   = L sum of (2 V'^2 - V V'') u^4 / (24 V)
Q/L = r/4 - H/4 - K s/L - 3 f
R/L = r/2 - H - K s/L - 3/4 T'T/L + 3/2 (1 + w'T) - 15 f
P/L = r/8 - H/4 - 3/16 T'T/L + 3/8 (1 + w'T) - 15/4 f

Without K the code dies continuously, and just below L its rate is (L/c - 1) / (2 k), k = 4 Q/L. In the linear Gaussian
case K = 0 and k = 1. With K the death is of first order: a code with eps or eta not 0 is still better than none up to
`last_weight`, above L. That rate then holds only at some distance from L, if at all: see `window`. What eps and eta are
of a larger code is a choice, here eps = E m t and eta = E b t, and another choice changes Q by multiples of K.
"""

from dataclasses import dataclass

import numpy as np

from vae_core.collapse.law import NEVER
from vae_core.collapse.moments import MOST_PIXELS, blocks, moments
from vae_core.collapse.pixels import Pixels
from vae_core.dataset import ByteImages
from vae_core.errors import InputError

ANGLES = np.linspace(-np.pi / 2, np.pi / 2, 4001)  # of (eps, eta); the sign of eps does not matter


@dataclass(frozen=True)
class NearThreshold:
    """The coefficients of J, by the names of the module; `second`: the second eigenvalue, 0 if there is none."""

    weight: float  # L
    second: float
    cubic: float  # K
    quartic_mean: float  # Q
    quartic_mixed: float  # R
    quartic_variance: float  # P

    @property
    def k(self) -> float:
        """4 Q/L, of the rate (L/c - 1) / (2 k); 1 for linear Gaussian images."""
        return 4 * self.quartic_mean / self.weight

    @property
    def window(self) -> tuple[float, float]:
        """Distances L - c between which that rate can hold: well above the first, where eta has little to say, and
        well below the second, where the next eigenvector has.

        Along eps^2 = (L - c) / (4 Q) the best eta lowers J by K^2 / ((R - Q) (L - c)) of what eps does: the first is
        K^2 / (R - Q). It is inf where Q or R - Q is not above 0: then eps does not stop there.
        """
        beyond = self.quartic_mixed - self.quartic_mean
        smallest = self.cubic**2 / beyond if self.quartic_mean > 0 and beyond > 0 else np.inf
        return smallest, self.weight - self.second

    @property
    def last_weight(self) -> float:
        """The largest weight at which a code is as good as none: L without K, inf where the fourth order has no end."""
        quadratic, cubic, quartic = self._terms(np.cos(ANGLES), np.sin(ANGLES))
        if quartic.min() <= 0:
            return np.inf
        return self.weight + float(np.max(cubic**2 / (4 * quartic * quadratic)))

    def objective(self, kl_weight: float, eps: float, eta: float) -> float:
        """J, in nats per image."""
        quadratic, cubic, quartic = self._terms(eps, eta)
        return (kl_weight - self.weight) * quadratic - cubic + quartic

    def best(self, kl_weight: float) -> tuple[float, float]:
        """The eps, at least 0, and the eta that make J least; 0, 0 where the collapsed state is best.

        inf, inf where the fourth order has no end.
        """
        quadratic, cubic, quartic = self._terms(np.cos(ANGLES), np.sin(ANGLES))
        if quartic.min() <= 0:
            return np.inf, np.inf
        quadratic = quadratic * (kl_weight - self.weight)
        root = 9 * cubic**2 - 32 * quadratic * quartic  # of the derivative by the distance
        distance = np.where(root > 0, (3 * cubic + np.sqrt(root.clip(0))) / (8 * quartic), 0).clip(0)
        lowest = np.argmin((quadratic - cubic * distance + quartic * distance**2) * distance**2)
        return float(distance[lowest] * np.cos(ANGLES[lowest])), float(distance[lowest] * np.sin(ANGLES[lowest]))

    def _terms(self, eps: float | np.ndarray, eta: float | np.ndarray) -> tuple:
        """Of J: what stands with c - L, what is subtracted in third order, and the fourth order.

        At eps = cos a, eta = sin a they are the coefficients of the powers of the distance from 0 along the angle a.
        """
        quartic = self.quartic_mean * eps**4 + self.quartic_mixed * eps**2 * eta**2 + self.quartic_variance * eta**4
        return eps**2 / 2 + eta**2 / 4, self.cubic * (eps**2 * eta + eta**3 / 3), quartic


def rate_below(kl_weight: float, weight: float, k: float) -> float:
    """The rate of a unit just below its weight, in leading order: (weight / kl_weight - 1) / (2 k), 0 above.

    In nats per image. For which weights it holds is for `NearThreshold.window` to say.
    """
    return max(0.0, weight / kl_weight - 1) / (2 * k)


def near_threshold(images: np.ndarray | ByteImages, pixels: Pixels) -> NearThreshold:
    """The coefficients for these training images, (N, height, width, channels); pixels: from `pixels.pixels_of`.

    Pixels that never vary are left out. Takes two passes over the images, in blocks. Raises InputError for images of
    more than `moments.MOST_PIXELS` numbers, whose covariance is not kept.
    """
    if (numbers := int(np.prod(images.shape[1:]))) > MOST_PIXELS:
        raise InputError(
            f"images may have {MOST_PIXELS:,} numbers at most here, these have {numbers:,}: make them smaller"
        )
    found = moments(images)
    kept = found.variance > NEVER
    mean = found.mean[kept]
    variance, slope, curvature = pixels.variance(mean), pixels.slope(mean), pixels.curvature(mean)
    scale = 1 / np.sqrt(variance)
    scatter = found.covariance[np.ix_(kept, kept)] * np.outer(scale, scale)  # S
    eigenvalues, vectors = np.linalg.eigh(scatter)
    weight, first = eigenvalues[-1], vectors[:, -1]
    square, third, fourth = _moments_along(images, kept, mean, scale, first / np.sqrt(weight))

    bend = slope * scale * first**2  # w
    cubic = weight / 2 * (third - np.sqrt(weight) * bend @ first)
    along = (vectors[:, :-1].T @ (square - scatter @ bend)) ** 2  # E[h y], beside u, squared
    spread = fourth - 1 - 2 * bend @ square + bend @ scatter @ bend  # E h^2
    slaved = spread - (2 * cubic / weight) ** 2 + np.sum(along / (1 - eigenvalues[:-1] / weight)) / weight  # H
    pixelwise = weight * np.sum((2 * slope**2 - variance * curvature) / (24 * variance) * first**4)  # f
    shift, images_share, pixels_share = cubic * third / weight, square @ square / weight, 1 + bend @ square
    return NearThreshold(
        weight=float(weight),
        second=float(eigenvalues[-2]) if len(eigenvalues) > 1 else 0.0,
        cubic=float(cubic),
        quartic_mean=float(weight * (fourth / 4 - slaved / 4 - shift - 3 * pixelwise)),
        quartic_mixed=float(
            weight * (fourth / 2 - slaved - shift - 0.75 * images_share + 1.5 * pixels_share - 15 * pixelwise)
        ),
        quartic_variance=float(
            weight * (fourth / 8 - slaved / 4 - 0.1875 * images_share + 0.375 * pixels_share - 3.75 * pixelwise)
        ),
    )


def _moments_along(images, kept, mean, scale, direction) -> tuple[np.ndarray, float, float]:
    """T = E t^2 y (pixels,), E t^3 and E t^4, with t = direction'y."""
    square, third, fourth = np.zeros(len(mean)), 0.0, 0.0
    for rows in blocks(images, np.float64):
        y = (rows[:, kept] - mean) * scale
        t = y @ direction
        square += t**2 @ y
        third += np.sum(t**3)
        fourth += np.sum(t**4)
    return square / len(images), third / len(images), fourth / len(images)
