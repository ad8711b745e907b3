"""Decoded grids on several windows."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from vae_core.figures.style import new_figure, show_grid


def manifold_windows(grids: Mapping[str, tuple[np.ndarray, np.ndarray]], columns: int, title: str) -> Figure:
    """Decoded grids in rows of `columns`, each with the latent coordinates of its own window.

    grids: for each title the images, (n, n, 28, 28), row 0 at the largest z[1], and the coordinates, (2, n)
    """
    rows = -(-len(grids) // columns)
    figure, panels = new_figure(4.6 * columns, 5 * rows + 0.4, rows, columns)
    for axes, (name, (images, coordinates)) in zip(np.asarray(panels).flat, grids.items(), strict=True):
        show_grid(axes, images, coordinates, interpolation="antialiased")
        axes.set_title(name)
    figure.suptitle(title)
    return figure
