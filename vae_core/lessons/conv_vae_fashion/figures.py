"""Decoded grids on several windows."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse, Rectangle
from matplotlib.ticker import NullFormatter
from scipy.stats import norm

from vae_core.figures.style import (
    CLASS_COLORS,
    LINE_COLORS,
    LINE_STYLES,
    PIXELS_PER_INCH,
    class_handles,
    covering_square,
    epoch_axis,
    latent_axes,
    marker_of,
    new_figure,
    prior_rings,
    ring_handles,
    scatter_classes,
    show_grid,
    tile,
)
from vae_core.tutorials import PIXELS, per_pixel


def manifold_windows(grids: Mapping[str, tuple[np.ndarray, np.ndarray]], columns: int, title: str) -> Figure:
    """Decoded grids in rows of some columns, each with the latent coordinates of its own window.

    grids: for each title the images, (n, n, 28, 28), row 0 at the largest z[1], and the coordinates, (2, n)
    """
    rows = -(-len(grids) // columns)
    figure, panels = new_figure(4.6 * columns, 5 * rows + 0.4, rows, columns)
    for axes, (name, (images, coordinates)) in zip(np.asarray(panels).flat, grids.items(), strict=True):
        show_grid(axes, images, coordinates, interpolation="antialiased")
        axes.set_title(name)
    figure.suptitle(title)
    return figure
