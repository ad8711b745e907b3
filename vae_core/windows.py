"""Windows of a latent plane: where the points of a decoded grid are, and how many codes lie there."""

import numpy as np
from scipy.stats import norm


def uniform_axes(cells: int = 30, limit: float = 3.0) -> np.ndarray:
    """Latent coordinates at equal distances on [-limit, limit], like seed 004's manifold: (2, cells)."""
    return np.tile(np.linspace(-limit, limit, cells), (2, 1))


def quantile_axes(cells: int = 30) -> np.ndarray:
    """Latent coordinates at the middles of equally probable slices of the prior: (2, cells).

    z_i = Phi^-1((i + 1/2) / cells), so that every cell of the grid stands for the same share of prior samples.
    """
    return np.tile(norm.ppf((np.arange(cells) + 0.5) / cells), (2, 1))


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
