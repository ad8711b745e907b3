"""Mean, variance and covariance of the training images' pixels, and the covariance's eigenvalues at any scale.

The covariance of small images is kept. That of large ones, which for 64 x 64 pixels in colour would take 1.2 GB, is
never formed: each use of it is a pass through the images.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from vae_core.dataset import ByteImages, Dataset
from vae_core.settings import LARGEST_LATENT_DIM

MOST_PIXELS = 1024  # of small images: all eigenvalues take 0.1 s, of 4,096 they would take 8 s
BLOCK = 1 << 22  # pixels at a time, which are 32 MB in double precision
MORE = 16  # vectors beyond those that are asked for, so that the last of these are right too
PASSES = 7  # at most: all vectors together stay fewer than the pixels
ACCURACY = 1e-3  # of an eigenvalue: the residual at which the passes end
ROUNDING = 1e-5  # of the largest eigenvalue: what single precision leaves of a residual, and of an eigenvalue of 0


@dataclass(frozen=True)
class Moments:
    """Mean and covariance of images: (pixels,) and (pixels, pixels)."""

    mean: np.ndarray
    covariance: np.ndarray

    @property
    def variance(self) -> np.ndarray:
        """Of each pixel: (pixels,)."""
        return np.diagonal(self.covariance)

    def tossed(self) -> "Moments":
        """Those of images whose pixels are made black and white anew, each with the probability of its grey value."""
        covariance = self.covariance.copy()
        np.fill_diagonal(covariance, self.mean * (1 - self.mean))
        return Moments(self.mean, covariance)

    def eigenvalues(self, scale: np.ndarray, count: int | None = None) -> np.ndarray:
        """The largest `count` eigenvalues, or all, of the covariance of the pixels times `scale`, descending.

        scale: (pixels,)
        """
        return np.linalg.eigvalsh(self.covariance * np.outer(scale, scale))[::-1][:count].copy()


@dataclass(frozen=True)
class LargeImages:
    """Images, (N, height, width, channels), and mean and variance of their pixels, (pixels,).

    grey: the variance of the pixels as they are
    variance: the variance of the pixels as a model meets them, which differs where they are tossed
    """

    images: np.ndarray | ByteImages
    mean: np.ndarray
    grey: np.ndarray
    variance: np.ndarray

    def tossed(self) -> "LargeImages":
        """Those whose pixels are made black and white anew, each with the probability of its grey value."""
        return replace(self, variance=self.mean * (1 - self.mean))

    def eigenvalues(self, scale: np.ndarray, count: int | None = None) -> np.ndarray:
        """The largest `count` eigenvalues, or `LARGEST_LATENT_DIM`, of the covariance of the pixels times `scale`.

        The way is a block Krylov method with a random start (Musco and Musco 2015, arXiv:1504.05477). Each pass through
        the images adds a block of vectors, until the residual of each eigenvalue is below `ACCURACY` of it. The error
        is far smaller where eigenvalues lie apart. After `PASSES` it ends: in images of pure noise, whose eigenvalues
        lie close together, they are then one or two percent too small.

        For 20,000 images of 64 x 64 pixels in colour it takes 14 s of one core for 128 eigenvalues and 3 s for 2, and
        150 MB.

        scale: (pixels,)
        returns: (count,), descending
        """
        count = LARGEST_LATENT_DIM if count is None else count
        block = np.random.default_rng(0).standard_normal((len(scale), count + MORE), np.float32)
        basis = products = np.zeros((len(scale), 0), np.float32)
        for _ in range(PASSES):
            for _ in range(2):  # once leaves rounding errors, which are not orthogonal to the basis
                block = np.linalg.qr(block - basis @ (basis.T @ block))[0]
            basis = np.hstack([basis, block])
            block = self._scaled_covariance_times(block, scale)
            products = np.hstack([products, block])
            values, vectors = np.linalg.eigh(basis.T @ products)
            values, vectors = values[: -count - 1 : -1], vectors[:, : -count - 1 : -1]
            residuals = np.linalg.norm(products @ vectors - basis @ (vectors * values), axis=0)
            if np.all(residuals < ACCURACY * values + ROUNDING * values[0]):
                break
        return np.where(values < ROUNDING * values[0], 0, values).astype(np.float64)

    def _scaled_covariance_times(self, block: np.ndarray, scale: np.ndarray) -> np.ndarray:
        """The product with vectors, (pixels, k), in single precision."""
        mean, factor = self.mean.astype(np.float32), scale.astype(np.float32)
        product = np.zeros_like(block)
        for rows in blocks(self.images, np.float32):
            scaled = (rows - mean) * factor
            product += scaled.T @ (scaled @ block)
        tossing = scale**2 * (self.variance - self.grey)
        return product / np.float32(len(self.images)) + tossing.astype(np.float32)[:, None] * block


def moments_of(dataset: Dataset) -> Moments | LargeImages:
    """Those of the training images as a model meets them: tossed where training tosses them."""
    small = np.prod(dataset.image_shape) <= MOST_PIXELS
    found = (moments if small else large_images)(dataset.train_images)
    return found.tossed() if dataset.toss else found


def moments(images: np.ndarray | ByteImages) -> Moments:
    """Mean and covariance of images, in blocks; images: (N, height, width, channels)."""
    pixels = int(np.prod(images.shape[1:]))
    total, products = np.zeros(pixels), np.zeros((pixels, pixels))
    for rows in blocks(images, np.float64):
        total += rows.sum(axis=0)
        products += rows.T @ rows
    mean = total / len(images)
    return Moments(mean, products / len(images) - np.outer(mean, mean))


def large_images(images: np.ndarray | ByteImages) -> LargeImages:
    """Images with mean and variance of their pixels, in blocks; images: (N, height, width, channels)."""
    total = squares = np.zeros(int(np.prod(images.shape[1:])))
    for rows in blocks(images, np.float64):
        total = total + rows.sum(axis=0)
        squares = squares + np.einsum("ij,ij->j", rows, rows)
    mean = total / len(images)
    variance = squares / len(images) - mean**2
    return LargeImages(images, mean, variance, variance)


def blocks(images: np.ndarray | ByteImages, dtype: type) -> Iterator[np.ndarray]:
    """The images, (N, height, width, channels), some at a time and flat: (n, pixels)."""
    pixels = int(np.prod(images.shape[1:]))
    for start in range(0, len(images), size := max(1, BLOCK // pixels)):
        yield np.asarray(images[start : start + size], dtype).reshape(-1, pixels)
