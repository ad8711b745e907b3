"""Between images and the latent space: codes, draws, latent windows, and images at latent points. Imports no Keras."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtri

if TYPE_CHECKING:
    from vae_core.models import VAE

BLOCK = 1000  # images or codes at a time: the layers of a convolutional model take 200 MB for so many


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
    blocks = [vae.encoder(images[start : start + BLOCK]) for start in range(0, len(images), BLOCK)]
    mean, log_var = (np.concatenate(part) for part in zip(*blocks, strict=True))
    return mean, log_var


def encode_means(vae: VAE, images: np.ndarray) -> np.ndarray:
    """The mean of q(z|x) for each image: (N, latent_dim)."""
    return encode(vae, images)[0]


def outputs(vae: VAE, z: np.ndarray) -> np.ndarray:
    """The decoder's outputs at latent points; z: (N, latent_dim), returns (N, height, width, channels)."""
    z = np.asarray(z, np.float32)
    return np.concatenate([vae.decoder(z[start : start + BLOCK]) for start in range(0, len(z), BLOCK)])


def decode(vae: VAE, z: np.ndarray) -> np.ndarray:
    """Expected images at latent points, E[x|z]; z: (N, latent_dim), returns (N, height, width, channels)."""
    return np.asarray(vae.likelihood.mean(outputs(vae, z)))


def decode_grid(vae: VAE, axes: np.ndarray) -> np.ndarray:
    """Decode the grid axes[0] x axes[1] of a 2-D latent space in one batch: (rows, columns, height, width).

    axes: (2, cells). z[0] grows with the column; z[1] grows upwards, so row 0 holds the largest.
    """
    z0, z1 = np.meshgrid(axes[0], axes[1][::-1])  # (rows, columns) each
    z = np.stack([z0.ravel(), z1.ravel()], axis=-1)  # (rows * columns, 2)
    images = decode(vae, z)  # (rows * columns, height, width, 1)
    return images.reshape(*z0.shape, *images.shape[1:3])  # (rows, columns, height, width)


def uniform_axes(cells: int = 30, limit: float = 3.0) -> np.ndarray:
    """Latent coordinates at equal distances on [-limit, limit], like tutorial 004's manifold: (2, cells)."""
    return np.tile(np.linspace(-limit, limit, cells), (2, 1))


def quantile_axes(cells: int = 30) -> np.ndarray:
    """Latent coordinates at the middles of equally probable slices of the prior: (2, cells).

    z_i = Phi^-1((i + 1/2) / cells), so that every cell of the grid stands for the same share of prior samples.
    """
    return np.tile(ndtri((np.arange(cells) + 0.5) / cells), (2, 1))


def occupied_axes(mean: np.ndarray, cells: int = 30) -> np.ndarray:
    """Latent coordinates at equal distances over the region where the codes are: (2, cells).

    From the 1 % to the 99 % quantile of the codes in each dimension, and never narrower than 0.02; mean: (N, 2).
    """
    low, high = np.quantile(mean, (0.01, 0.99), axis=0)  # (2,) each
    middle, half = (low + high) / 2, np.maximum((high - low) / 2, 0.01)
    return np.linspace(middle - half, middle + half, cells, axis=1)


def share_within(mean: np.ndarray, axes: np.ndarray) -> float:
    """Share of the codes, (N, 2), within the first and the last coordinates of a grid, (2, cells)."""
    return float(np.mean(np.all((mean >= axes[:, 0]) & (mean <= axes[:, -1]), axis=1)))
