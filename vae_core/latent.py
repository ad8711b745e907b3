"""Between images and the latent plane: codes of images, and images on a grid of latent points."""

import vae_core.backend  # noqa: F401

import numpy as np
from keras import ops
from scipy.stats import norm

from vae_core.models import VAE


def encode(vae: VAE, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and log-variance of q(z|x) for each image: two arrays of shape (N, latent_dim)."""
    mean, log_var = vae.encoder(images)
    return np.asarray(mean), np.asarray(log_var)


def uniform_axis(cells: int = 30, limit: float = 3.0) -> np.ndarray:
    """Latent coordinates at equal distances on [-limit, limit], like seed 004's manifold: (cells,)."""
    return np.linspace(-limit, limit, cells)


def quantile_axis(cells: int = 30) -> np.ndarray:
    """Latent coordinates at the middles of equally probable slices of the prior: (cells,).

    z_i = Phi^-1((i + 1/2) / cells), so that every cell of the grid stands for the same share of prior samples.
    """
    return norm.ppf((np.arange(cells) + 0.5) / cells)


def decode(vae: VAE, z: np.ndarray) -> np.ndarray:
    """Expected images at latent points, p(pixel = 1 | z); z: (N, latent_dim), returns (N, 28, 28, 1) in [0, 1]."""
    return np.asarray(ops.sigmoid(vae.decoder(z)))


def decode_grid(vae: VAE, axis: np.ndarray) -> np.ndarray:
    """Decode the grid axis x axis of a 2-D latent space in one batch: (rows, columns, 28, 28), values in [0, 1].

    z[0] grows with the column; z[1] grows upwards, so row 0 holds the largest.
    """
    z0, z1 = np.meshgrid(axis, axis[::-1])  # (rows, columns) each
    z = np.stack([z0.ravel(), z1.ravel()], axis=-1)  # (rows * columns, 2)
    images = decode(vae, z)  # (rows * columns, 28, 28, 1)
    return images.reshape(len(axis), len(axis), *images.shape[1:3])  # (rows, columns, 28, 28)
