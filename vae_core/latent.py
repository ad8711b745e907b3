"""Between images and the latent plane: codes of images, and images on a grid of latent points."""

import vae_core.backend  # noqa: F401

import numpy as np
from scipy.special import expit

from vae_core.models import VAE
from vae_core.windows import quantile_axes

BLOCK = 1000  # images or codes at a time: the layers of a convolutional model take 200 MB for so many


def encode(vae: VAE, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and log-variance of q(z|x) for each image: two arrays of shape (N, latent_dim)."""
    blocks = [vae.encoder(images[start : start + BLOCK]) for start in range(0, len(images), BLOCK)]
    mean, log_var = (np.concatenate(part) for part in zip(*blocks, strict=True))
    return mean, log_var


def logits(vae: VAE, z: np.ndarray) -> np.ndarray:
    """What the decoder makes of latent points; z: (N, latent_dim), returns (N, 28, 28, 1)."""
    return np.concatenate([vae.decoder(z[start : start + BLOCK]) for start in range(0, len(z), BLOCK)])


def decode(vae: VAE, z: np.ndarray) -> np.ndarray:
    """Expected images at latent points, p(pixel = 1 | z); z: (N, latent_dim), returns (N, 28, 28, 1) in [0, 1]."""
    return expit(logits(vae, z))


def decode_grid(vae: VAE, axes: np.ndarray) -> np.ndarray:
    """Decode the grid axes[0] x axes[1] of a 2-D latent space in one batch: (rows, columns, 28, 28), values in [0, 1].

    axes: (2, cells). z[0] grows with the column; z[1] grows upwards, so row 0 holds the largest.
    """
    z0, z1 = np.meshgrid(axes[0], axes[1][::-1])  # (rows, columns) each
    z = np.stack([z0.ravel(), z1.ravel()], axis=-1)  # (rows * columns, 2)
    images = decode(vae, z)  # (rows * columns, 28, 28, 1)
    return images.reshape(*z0.shape, *images.shape[1:3])  # (rows, columns, 28, 28)


class Snapshots:
    """Codes of the same images and images at the same latent points, as training goes on.

    Taken before training and after some of the epochs, denser at the beginning, where most happens.
    """

    def __init__(self, vae: VAE, images: np.ndarray, epochs: int, pictures: int = 16):
        self.vae, self.images, self.axes = vae, images, quantile_axes(cells=12)
        self.wanted = {0, *np.geomspace(1, epochs, pictures).round().astype(int).tolist()}
        self.epochs: list[int] = []
        self.codes: list[np.ndarray] = []  # each (N, 2)
        self.manifolds: list[np.ndarray] = []  # each (12, 12, 28, 28)

    def take(self, epoch: int) -> None:
        """Keep codes and decoded grid, if this epoch is one of those wanted."""
        if epoch in self.wanted:
            self.epochs.append(epoch)
            self.codes.append(encode(self.vae, self.images)[0])
            self.manifolds.append(decode_grid(self.vae, self.axes))
