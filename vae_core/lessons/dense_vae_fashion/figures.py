"""Grids of decoded codes with frames, and losses beside printed ones."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from vae_core.figures.style import LINE_COLORS, LINE_STYLES, epoch_axis, marker_of, new_figure, tile
from vae_core.tutorials import PIXELS, per_pixel

FRAME = {"fill": False, "edgecolor": "#ffa90e", "linewidth": 2, "clip_on": False}


def grids_beside(
    grids: Mapping[str, np.ndarray], title: str, originals: Mapping[str, np.ndarray] | None = None
) -> Figure:
    """Grids of images side by side; cells that are originals are framed and counted.

    grids: for each title (rows, columns, height, width) in [0, 1]; originals: for each title (rows, columns) of bool
    """
    rows, columns, side, _ = next(iter(grids.values())).shape
    figure, panels = new_figure(0.62 * columns * len(grids) + 0.4, 0.62 * rows + 0.9, columns=len(grids))
    for axes, (name, images) in zip(np.atleast_1d(panels), grids.items(), strict=True):
        axes.imshow(tile(images), cmap="gray", vmin=0, vmax=1)
        axes.set(xticks=[], yticks=[], title=name)
        if originals:
            axes.set_title(f"{name}: {originals[name].sum()} originals")
            for row, column in np.argwhere(originals[name]):
                axes.add_patch(Rectangle((side * column - 0.5, side * row - 0.5), side, side, **FRAME))
    figure.suptitle(title)
    return figure


def losses_beside_printed(printed: pd.DataFrame, histories: Mapping[str, pd.DataFrame], title: str) -> Figure:
    """Validation losses per epoch beside printed ones, per pixel on the left, in nats per image on the right.

    The axis ends a little above the printed losses; the legend says how many epochs lie above it.

    printed, histories: epoch and val_objective, in nats per image; histories by the name in the legend
    """
    figure, axes = new_figure(9, 4.8)
    top = 1.2 * max(printed["val_objective"].max(), *(history["val_objective"].min() for history in histories.values()))
    lowest = min(table["val_objective"].min() for table in (printed, *histories.values()))
    wide = {"color": "#94a4a2", "linewidth": 7, "label": "printed by tutorial 000"}
    axes.plot(printed["epoch"], per_pixel(printed["val_objective"]), **wide)
    for color, style, (name, history) in zip(LINE_COLORS, LINE_STYLES, histories.items(), strict=False):
        line = {"color": color, "linestyle": style, "linewidth": 2, "marker": marker_of(history)}
        outside = int(np.sum(history["val_objective"] > top))
        beyond = f" ({outside} of {len(history)} epochs above the axis)" if outside else ""
        axes.plot(history["epoch"], per_pixel(history["val_objective"]), label=f"ours, {name}{beyond}", **line)
    axes.set_ylim(bottom=per_pixel(0.97 * lowest), top=per_pixel(top))
    epoch_axis(axes, "validation loss per pixel [nats]")
    axes.secondary_yaxis("right", functions=(lambda loss: PIXELS * loss, per_pixel)).set_ylabel("[nats/image]")
    axes.legend(framealpha=1)
    axes.set_title(title)
    return figure
