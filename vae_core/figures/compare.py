"""Several models, or several sets of images or codes, side by side. Nothing here trains or reads files."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from vae_core.figures.classes import class_groups, class_handles, legend_below, scatter_classes
from vae_core.figures.style import (
    LINE_COLORS,
    LINE_STYLES,
    PIXELS_PER_INCH,
    epoch_axis,
    latent_axes,
    marker_of,
    new_figure,
    prior_rings,
    ring_handles,
    show_image,
)

DISTANCE_STYLES = (
    {"color": "#94a4a2", "linewidth": 7},  # wide, so that a curve on top of it leaves it to be seen
    {"color": "#3f90da", "linewidth": 1.5},
    {"color": "#bd1f01", "linewidth": 2, "linestyle": "--"},
    {"color": "black", "linewidth": 2, "linestyle": ":"},
    {"color": "#832db6", "linewidth": 2},
)


def image_grid(
    images: np.ndarray,
    title: str,
    row_names: Sequence[str] = (),
    column_names: Sequence[str] = (),
    inches: float = 0.85,
) -> Figure:
    """Rows and columns of images, named where names are given.

    images: (rows, columns, height, width) or (rows, columns, height, width, 3), in [0, 1]
    """
    rows, columns = images.shape[:2]
    figure, panels = new_figure(inches * columns + 0.9 * bool(row_names), inches * rows + 0.8, rows, columns)
    panels = np.asarray(panels).reshape(rows, columns)
    for axes, image in zip(panels.flat, images.reshape(-1, *images.shape[2:]), strict=True):
        show_image(axes, image)
        axes.set(xticks=[], yticks=[])
    for axes, name in zip(panels[:, 0], row_names, strict=False):
        axes.set_ylabel(name, rotation=0, ha="right", va="center")
    for axes, name in zip(panels[0], column_names, strict=False):
        axes.set_title(name, fontsize=10)
    figure.suptitle(title)
    return figure


def curves(histories: Mapping[str, pd.DataFrame], columns: Mapping[str, str], title: str) -> Figure:
    """A panel for each column of the histories, a line for each history that has it.

    histories: by the name in the legend; columns: the label of the axis, with its unit, for each column
    """
    figure, panels = new_figure(4 * len(columns) + 1, 4.2, columns=len(columns))
    for axes, (column, label) in zip(np.atleast_1d(panels), columns.items(), strict=True):
        for color, style, (name, history) in zip(LINE_COLORS, LINE_STYLES, histories.items(), strict=False):
            line = {"color": color, "linestyle": style, "linewidth": 2, "marker": marker_of(history)}
            if column in history:
                axes.plot(history["epoch"], history[column], label=name, **line)
        epoch_axis(axes, label)
    handles, names = np.atleast_1d(panels)[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=3, frameon=False)
    figure.suptitle(title)
    return figure


def planes(
    clouds: Mapping[str, np.ndarray],
    labels: np.ndarray,
    class_names: tuple[str, ...],
    title: str,
    names: tuple[str, str],
    limit: float | None = None,
) -> Figure:
    """Clouds of codes side by side, coloured by class.

    clouds: for each title (N, 2); labels: (N,); names: of the two axes
    limit: all panels show [-limit, limit] each way; without it each cloud has axes of its own scale
    """
    figure, panels = new_figure(5.4 * len(clouds), 5.8, columns=len(clouds))
    for axes, (name, cloud) in zip(np.atleast_1d(panels), clouds.items(), strict=True):
        scatter_classes(axes, cloud, labels, class_names, size=np.clip(20_000 / len(cloud), 3, 25))
        axes.set(xlabel=names[0], ylabel=names[1], title=name)
        axes.set_aspect("equal", adjustable="box" if limit else "datalim")
        if limit:
            axes.set(xlim=(-limit, limit), ylim=(-limit, limit))
    legend_below(figure, class_handles(class_names), columns=5, frameon=False)
    figure.suptitle(title)
    return figure


def spaces(
    clouds: Mapping[str, np.ndarray],
    labels: np.ndarray,
    class_names: tuple[str, ...],
    title: str,
    names: tuple[str, str, str],
    limit: float | None = None,
) -> Figure:
    """Clouds of codes side by side in three dimensions, coloured by class.

    clouds: for each title (N, 3); labels: (N,); names: of the three axes
    limit: all panels show [-limit, limit] each way; without it each cloud has axes of its own scale
    """
    figure = Figure(figsize=(5.6 * len(clouds), 6), dpi=PIXELS_PER_INCH, layout="constrained")
    for place, (name, cloud) in enumerate(clouds.items(), start=1):
        axes = figure.add_subplot(1, len(clouds), place, projection="3d")
        size = np.clip(20_000 / len(cloud), 4, 20)
        for rows, look in class_groups(labels, class_names):
            axes.scatter(*cloud[rows].T, s=size, linewidths=0, depthshade=False, **look)
        axes.set(xlabel=names[0], ylabel=names[1], zlabel=names[2], title=name)
        axes.locator_params(nbins=4)
        if limit:
            axes.set(xlim=(-limit, limit), ylim=(-limit, limit), zlim=(-limit, limit))
        axes.set_box_aspect((1, 1, 1) if limit else np.ptp(cloud, axis=0), zoom=0.85)
    legend_below(figure, class_handles(class_names), columns=5, frameon=False)
    figure.suptitle(title)
    return figure


def panels_of_codes(
    clouds: Mapping[str, np.ndarray],
    labels: np.ndarray,
    class_names: tuple[str, ...],
    square: tuple[float, float, float, float],
    title: str,
) -> Figure:
    """Codes of 2-D latent spaces side by side on the same axes, with the prior's rings.

    clouds: for each title the latent means, (N, 2); square: the common window (`canvas.covering_square`)
    """
    legend_columns = min(6, 3 * len(clouds))
    figure, panels = new_figure(5.4 * len(clouds), 7.4 - 0.15 * legend_columns, columns=len(clouds))
    for axes, (name, mean) in zip(np.atleast_1d(panels), clouds.items(), strict=True):
        scatter_classes(axes, mean, labels, class_names, size=np.clip(20_000 / len(mean), 3, 25))
        prior_rings(axes)
        latent_axes(axes, square)
        axes.set_title(name)
    handles = class_handles(class_names) + ring_handles()
    legend_below(figure, handles, legend_columns, frameon=False)
    figure.suptitle(title)
    return figure


def distance_curves(histories: Mapping[str, pd.DataFrame], title: str) -> Figure:
    """Runs of one loss written in different ways: distortion and rate per epoch, and the distance from the first run.

    histories: for each of at most five ways of writing its history, the first the one to compare with
    """
    figure, panels = new_figure(12, 5, columns=3)
    first = next(iter(histories.values()))
    for (name, history), style in zip(histories.items(), DISTANCE_STYLES, strict=False):
        style = {"marker": marker_of(history), "label": name, **style}
        panels[0].plot(history["epoch"], history["val_distortion"], **style)
        panels[1].plot(history["epoch"], history["val_rate"], **style)
        if history is not first:
            difference = history["val_distortion"] + history["val_rate"] - first["val_distortion"] - first["val_rate"]
            panels[2].plot(history["epoch"], difference.abs(), **style)
    labels = ("distortion [nats/image]", "rate [nats/image]", "distance in negative ELBO [nats/image]")
    for axes, label in zip(panels, labels, strict=True):
        epoch_axis(axes, label)
    panels[2].set_yscale("log")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
    figure.suptitle(title)
    return figure
