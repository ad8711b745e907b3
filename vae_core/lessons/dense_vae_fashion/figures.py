"""Grids of codes with frames, and losses beside printed ones."""

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


def grids_beside(grids: Mapping[str, np.ndarray], title: str, framed: Mapping[str, np.ndarray] | None = None) -> Figure:
    """Grids of images side by side, some cells of them in a frame.

    grids: for each title (rows, columns, 28, 28) in [0, 1]; framed: for each title (rows, columns) of bool
    """
    rows, columns, side, _ = next(iter(grids.values())).shape
    figure, panels = new_figure(0.62 * columns * len(grids) + 0.4, 0.62 * rows + 0.9, columns=len(grids))
    for axes, (name, images) in zip(np.atleast_1d(panels), grids.items(), strict=True):
        axes.imshow(tile(images), cmap="gray", vmin=0, vmax=1)
        for row, column in np.argwhere(framed[name]) if framed else ():
            corner = side * column - 0.5, side * row - 0.5
            frame = Rectangle(corner, side, side, fill=False, edgecolor="#ffa90e", linewidth=2, clip_on=False)
            axes.add_patch(frame)
        axes.set(xticks=[], yticks=[], title=name)
    figure.suptitle(title)
    return figure


def losses_beside_printed(printed: pd.DataFrame, histories: Mapping[str, pd.DataFrame], title: str) -> Figure:
    """Validation losses per epoch beside printed ones, per pixel on the left, in nats per image on the right.

    The picture ends a little above what is printed, and says how many epochs are above it.

    printed, histories: epoch and val_objective, in nats per image
    """
    figure, axes = new_figure(9, 4.8)
    top = 1.2 * max(printed["val_objective"].max(), *(history["val_objective"].min() for history in histories.values()))
    lowest = min(table["val_objective"].min() for table in (printed, *histories.values()))
    axes.plot(
        printed["epoch"], per_pixel(printed["val_objective"]), color="#94a4a2", linewidth=7, label="printed by the seed"
    )
    for color, style, (name, history) in zip(LINE_COLORS, LINE_STYLES, histories.items(), strict=False):
        line = {"color": color, "linestyle": style, "linewidth": 2, "marker": marker_of(history)}
        outside = int(np.sum(history["val_objective"] > top))
        beyond = f" ({outside} of {len(history)} epochs above the picture)" if outside else ""
        axes.plot(history["epoch"], per_pixel(history["val_objective"]), label=f"ours, {name}{beyond}", **line)
    axes.set_ylim(bottom=per_pixel(0.97 * lowest), top=per_pixel(top))
    epoch_axis(axes, "validation loss per pixel [nats]")
    axes.secondary_yaxis("right", functions=(lambda loss: PIXELS * loss, per_pixel)).set_ylabel("[nats/image]")
    axes.legend(framealpha=1)
    axes.set_title(title)
    return figure
