"""Sets of 16 images, side by side or one after the other."""

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


def mosaics(sets: Mapping[str, np.ndarray], title: str) -> Figure:
    """Sets of 16 images side by side, each 4 x 4 under its name; sets: (16, 28, 28, 1) in [0, 1] each."""
    figure, panels = new_figure(3.4 * len(sets) + 0.2, 4.1, columns=len(sets))
    for axes, (name, images) in zip(np.atleast_1d(panels), sets.items(), strict=True):
        framed = np.pad(images[..., 0], ((0, 0), (1, 1), (1, 1)), constant_values=1)  # (16, 30, 30)
        axes.imshow(tile(framed.reshape(4, 4, 30, 30)), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        axes.set(xticks=[], yticks=[], title=name)
    figure.suptitle(title)
    return figure


def mosaic_frames(epochs: Sequence[int], images: Sequence[np.ndarray], title: str) -> Iterator[Figure]:
    """An animation over the epochs, of 16 images at the same latent points; images: (16, 28, 28, 1) for each epoch."""
    for epoch, pictures in zip(epochs, images, strict=True):
        yield mosaics({f"after {epoch} epoch{'s' if epoch != 1 else ''}": pictures}, title)
