"""Between images and the latent space: codes, draws, latent windows, and images at latent points. Imports no Keras."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtri

if TYPE_CHECKING:
    from vae_core.models import VAE

BLOCK = 1000  # images or codes at a time: the layers of a convolutional model take 200 MB for so many
PIXELS = 1 << 21  # at a time, of larger images: 170 of 64 x 64 in colour


def sample_prior(samples: int, seed: int, latent_dim: int = 2) -> np.ndarray:
    """Samples of the prior N(0, I): (samples, latent_dim)."""
    return np.random.default_rng(seed).standard_normal((samples, latent_dim))


def draw(mean: np.ndarray, log_var: np.ndarray, rng: np.random.Generator, samples: int = 1) -> np.ndarray:
    """Draws from q(z|x) = N(mean, exp(log_var)) of each image.

    mean, log_var: (N, latent_dim)
    returns: (samples, N, latent_dim), as float64
    """
    return mean + np.exp(log_var / 2) * rng.standard_normal((samples, *mean.shape))


def encode(vae: VAE, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and log-variance of q(z|x) for each image: two arrays of shape (N, latent_dim)."""
    blocks = [vae.encoder(images[rows]) for rows in blocks_of(len(images), images.shape[1:])]
    mean, log_var = (np.concatenate(part) for part in zip(*blocks, strict=True))
    return mean, log_var


def encode_means(vae: VAE, images: np.ndarray) -> np.ndarray:
    """The mean of q(z|x) for each image: (N, latent_dim)."""
    return encode(vae, images)[0]


def outputs(vae: VAE, z: np.ndarray) -> np.ndarray:
    """The decoder's outputs at latent points; z: (N, latent_dim), returns (N, height, width, channels)."""
    return _decoded(vae, z, lambda found: found)


def decode(vae: VAE, z: np.ndarray) -> np.ndarray:
    """Expected images at latent points, E[x|z]; z: (N, latent_dim), returns (N, height, width, channels)."""
    return _decoded(vae, z, vae.likelihood.mean)


def _decoded(vae: VAE, z: np.ndarray, function: Callable) -> np.ndarray:
    z = np.asarray(z, np.float32)
    return np.concatenate([function(vae.decoder(z[rows])) for rows in blocks_of(len(z), vae.decoder.output_shape[1:])])


def blocks_of(number: int, image_shape: Sequence[int]) -> Iterator[slice]:
    """Slices that cover so many images, or their codes: BLOCK each, of larger images what has PIXELS."""
    size = max(1, min(BLOCK, PIXELS // math.prod(image_shape)))
    return (slice(start, start + size) for start in range(0, number, size))


def shown_dimensions(mean: np.ndarray, log_var: np.ndarray) -> tuple[int, ...]:
    """The dimensions that a picture of the latent space shows: all of one or two, else the two of the highest rate.

    mean, log_var: (N, latent_dim)
    returns: (0,), (0, 1), or two dimensions, the one of the highest rate first
    """
    latent_dim = mean.shape[1]
    return tuple(range(latent_dim)) if latent_dim <= 2 else by_rate(mean, log_var)[:2]


def by_rate(mean: np.ndarray, log_var: np.ndarray) -> tuple[int, ...]:
    """All latent dimensions, the one of the highest rate first; mean, log_var: (N, latent_dim)."""
    return tuple(np.argsort(-mean_rates(mean, log_var), kind="stable").tolist())


def mean_rates(mean: np.ndarray, log_var: np.ndarray) -> np.ndarray:
    """The rate of each latent dimension, 1/2 mean over images of exp(log_var) + mean^2 - 1 - log_var, in nats.

    mean, log_var: (N, latent_dim)
    returns: (latent_dim,), whose sum is the rate
    """
    return 0.5 * np.mean(np.exp(log_var) + mean**2 - 1 - log_var, axis=0, dtype=np.float64)


def decode_grid(vae: VAE, axes: np.ndarray, dimensions: Sequence[int] = (0, 1)) -> np.ndarray:
    """Decode the `grid_points` in one batch.

    returns: (rows, columns, height, width) of grey images, (rows, columns, height, width, 3) of colour ones
    """
    return decode_points(vae, grid_points(axes, vae.decoder.input_shape[-1], dimensions))


def grid_points(axes: np.ndarray, latent_dim: int, dimensions: Sequence[int] = (0, 1)) -> np.ndarray:
    """A grid over one or two dimensions of the latent space, the others at 0: (rows, columns, latent_dim).

    The first of `dimensions` grows with the column, the second upwards, so row 0 holds its largest coordinate.

    axes: (2, cells), the coordinates of both; or (1, cells), a strip of one row along the first
    """
    upwards = axes[1][::-1] if len(axes) > 1 else [0.0]
    coordinates = np.meshgrid(axes[0], upwards)  # (rows, columns) each
    z = np.zeros((*coordinates[0].shape, latent_dim))
    for dimension, coordinate in zip(dimensions[: len(axes)], coordinates, strict=False):
        z[..., dimension] = coordinate
    return z


def traversals(
    vae: VAE, mean: np.ndarray, log_var: np.ndarray, steps: int = 11, limit: float = 3.0, most: int = 16
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What each latent dimension draws: decoded from -limit to limit, all others at 0, the highest rate first.

    mean, log_var: (N, latent_dim); most: the number of dimensions, of those with the highest rates
    returns: the dimensions, (rows,); the positions, (steps,); and images, (rows, steps, height, width) of grey ones,
        (rows, steps, height, width, 3) of colour ones
    """
    dimensions, positions = np.array(by_rate(mean, log_var)[:most]), np.linspace(-limit, limit, steps)
    z = np.zeros((len(dimensions), steps, mean.shape[1]))
    z[np.arange(len(dimensions)), :, dimensions] = positions
    return dimensions, positions, decode_points(vae, z)


def fixed_points(latent_dim: int, cells: int) -> np.ndarray:
    """Latent points that stay the same while a model changes: (rows, columns, latent_dim).

    The prior's quantiles on a line (one row) or in a plane, where row 0 has the largest z[1]; else prior samples.
    """
    if latent_dim > 2:
        return sample_prior(cells * cells, seed=0, latent_dim=latent_dim).reshape(cells, cells, latent_dim)
    return grid_points(quantile_axes(cells, latent_dim), latent_dim)


def decode_points(vae: VAE, z: np.ndarray) -> np.ndarray:
    """Expected images at latent points, (rows, columns, latent_dim), in their places; grey ones have no last axis."""
    images = decode(vae, z.reshape(-1, z.shape[-1]))  # (rows * columns, height, width, channels)
    images = images[..., 0] if images.shape[-1] == 1 else images
    return images.reshape(*z.shape[:2], *images.shape[1:])


def grid_cells(image_shape: Sequence[int], most: int = 30) -> int:
    """How many cells of a grid each way: so many of 28 x 28 pixels, of larger images fewer, so that each is seen.

    image_shape: (height, width, ...)
    """
    return max(4, min(most, most * 28 // max(image_shape[:2])))


def uniform_axes(cells: int = 30, limit: float = 3.0, dimensions: int = 2) -> np.ndarray:
    """Latent coordinates at equal distances on [-limit, limit], like tutorial 004's manifold: (dimensions, cells)."""
    return np.tile(np.linspace(-limit, limit, cells), (dimensions, 1))


def quantile_axes(cells: int = 30, dimensions: int = 2) -> np.ndarray:
    """Latent coordinates at the middles of equally probable slices of the prior: (dimensions, cells).

    z_i = Phi^-1((i + 1/2) / cells), so that every cell of the grid stands for the same share of prior samples.
    """
    return np.tile(ndtri((np.arange(cells) + 0.5) / cells), (dimensions, 1))


def occupied_axes(mean: np.ndarray, cells: int = 30) -> np.ndarray:
    """Latent coordinates at equal distances over the region where the codes are: (dimensions, cells).

    From the 1 % to the 99 % quantile of the codes in each dimension, and never narrower than 0.02; mean: (N,
    dimensions), of the shown dimensions alone.
    """
    low, high = np.quantile(mean, (0.01, 0.99), axis=0)  # (dimensions,) each
    middle, half = (low + high) / 2, np.maximum((high - low) / 2, 0.01)
    return np.linspace(middle - half, middle + half, cells, axis=1)


def share_within(mean: np.ndarray, axes: np.ndarray) -> float:
    """Share of the codes, (N, dimensions), within the first and the last coordinates of a grid, (dimensions, cells)."""
    return float(np.mean(np.all((mean >= axes[:, 0]) & (mean <= axes[:, -1]), axis=1)))
