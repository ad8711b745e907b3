"""Arrays to matplotlib figures: what the lessons from the seed documents share. Nothing here trains or reads files."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy.stats import norm

from vae_core.canvas import (
    CLASS_COLORS,
    PIXELS_PER_INCH,
    class_handles,
    epoch_axis,
    latent_axes,
    marker_of,
    new_figure,
    prior_rings,
    ring_handles,
    scatter_classes,
)

LINE_COLORS = ("#3f90da", "#bd1f01", "#ffa90e", "#832db6", "black")
LINE_STYLES = ("-", "--", ":", "-.", (0, (1, 3)))


def image_grid(
    images: np.ndarray,
    title: str,
    row_names: Sequence[str] = (),
    column_names: Sequence[str] = (),
    inches: float = 0.85,
) -> Figure:
    """Rows and columns of images, named where names are given; images: (rows, columns, 28, 28) in [0, 1]."""
    rows, columns = images.shape[:2]
    figure, panels = new_figure(inches * columns + 0.9 * bool(row_names), inches * rows + 0.8, rows, columns)
    panels = np.asarray(panels).reshape(rows, columns)
    for axes, image in zip(panels.flat, images.reshape(-1, *images.shape[2:]), strict=True):
        axes.imshow(image, cmap="gray", vmin=0, vmax=1)
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
    figure, panels = new_figure(5.2 * len(columns) + 1, 4.4, columns=len(columns))
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
        scatter_classes(axes, cloud, labels, size=np.clip(20_000 / len(cloud), 3, 25))
        axes.set(xlabel=names[0], ylabel=names[1], title=name)
        axes.set_aspect("equal", adjustable="box" if limit else "datalim")
        if limit:
            axes.set(xlim=(-limit, limit), ylim=(-limit, limit))
    figure.legend(handles=class_handles(class_names), loc="outside lower center", ncols=5, frameon=False)
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
        axes.scatter(*cloud.T, c=np.array(CLASS_COLORS)[labels], s=size, linewidths=0, depthshade=False)
        axes.set(xlabel=names[0], ylabel=names[1], zlabel=names[2], title=name)
        axes.locator_params(nbins=4)
        if limit:
            axes.set(xlim=(-limit, limit), ylim=(-limit, limit), zlim=(-limit, limit))
        axes.set_box_aspect((1, 1, 1) if limit else np.ptp(cloud, axis=0), zoom=0.85)
    figure.legend(handles=class_handles(class_names), loc="outside lower center", ncols=5, frameon=False)
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
    figure, panels = new_figure(5.4 * len(clouds), 6, columns=len(clouds))
    for axes, (name, mean) in zip(np.atleast_1d(panels), clouds.items(), strict=True):
        scatter_classes(axes, mean, labels, size=np.clip(20_000 / len(mean), 3, 25))
        prior_rings(axes)
        latent_axes(axes, square)
        axes.set_title(name)
    handles = class_handles(class_names) + ring_handles()
    figure.legend(handles=handles, loc="outside lower center", ncols=6, frameon=False)
    figure.suptitle(title)
    return figure


def coordinate_histograms(codes: Mapping[str, np.ndarray], coordinates: Sequence[int], title: str) -> Figure:
    """A histogram for each of some latent coordinates, with the density of N(0, 1).

    codes: for each name (N, latent_dim). One row per name; all panels have the same axes, and peaks that are higher
    than three times the normal density's are cut, with their height beside them.
    """
    rows, columns = len(codes), len(coordinates)
    figure = Figure(figsize=(2.1 * columns + 0.6, 2.2 * rows + 0.8), dpi=PIXELS_PER_INCH, layout="constrained")
    panels = np.asarray(figure.subplots(rows, columns, sharex=True, sharey=True)).reshape(rows, columns)
    shown = np.concatenate([cloud[:, coordinates].ravel() for cloud in codes.values()])
    limit = max(3.5, np.quantile(np.abs(shown), 0.995))
    edges, x, highest = np.linspace(-limit, limit, 61), np.linspace(-limit, limit, 301), 3 * norm.pdf(0)
    for row, (name, cloud) in zip(panels, codes.items(), strict=True):
        for axes, coordinate in zip(row, coordinates, strict=True):
            weights = np.full(len(cloud), 1 / (len(cloud) * (edges[1] - edges[0])))  # a density, of all codes
            density, _, _ = axes.hist(cloud[:, coordinate], edges, weights=weights, color="#3f90da")
            if density.max() > highest:
                box = {"facecolor": "white", "edgecolor": "none", "pad": 1}
                place = {"xy": (0.97, 0.9), "xycoords": "axes fraction", "ha": "right"}
                axes.annotate(f"peak: {density.max():.1f}", **place, bbox=box)
            axes.plot(x, norm.pdf(x), color="black", linewidth=1.5)
            axes.set_title(f"z[{coordinate}]", fontsize=10)
        row[0].set_ylabel(f"{name}\ndensity")
    panels[0, 0].set_ylim(0, min(highest, panels[0, 0].get_ylim()[1]))
    figure.supxlabel("code")
    figure.suptitle(title)
    return figure


def along_the_way(shares: np.ndarray, lines: Mapping[str, np.ndarray], label: str, title: str) -> Figure:
    """What happens on the way from one end of an interpolation to the other: means over pairs with standard errors.

    shares: (steps,), 0 to 1; lines: for each name (pairs, steps); label: of the vertical axis
    """
    figure, axes = new_figure(9, 4.2)
    for color, style, (name, values) in zip(LINE_COLORS, LINE_STYLES, lines.items(), strict=False):
        error = values.std(axis=0, ddof=1) / np.sqrt(len(values))
        line = {"color": color, "linestyle": style, "linewidth": 2, "capsize": 3}
        axes.errorbar(shares, values.mean(axis=0), error, label=name, **line)
    axes.set(xlabel="share of the way from the one code to the other", ylabel=label)
    axes.grid(alpha=0.3)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False)
    axes.set_title(title)
    return figure


def seed_bands(tables: Mapping[str, pd.DataFrame], title: str) -> Figure:
    """A panel for each table, a line for each of its columns: mean over seeds, and from the least to the greatest seed.

    tables: for each label of a vertical axis one row per (epoch, seed), one column per line
    """
    figure, panels = new_figure(5.2 * len(tables) + 1, 4.4, columns=len(tables))
    styles = {}  # by the name of the line, so that it looks alike in all panels
    for axes, (label, table) in zip(np.atleast_1d(panels), tables.items(), strict=True):
        for name in table:
            color, style = styles.setdefault(name, (LINE_COLORS[len(styles)], LINE_STYLES[len(styles)]))
            seeds = table[name].groupby("epoch").agg(["mean", "min", "max"])
            marker = "o" if len(seeds) == 1 else ""
            axes.plot(seeds.index, seeds["mean"], color=color, linestyle=style, linewidth=2, marker=marker, label=name)
            axes.fill_between(seeds.index, seeds["min"], seeds["max"], color=color, alpha=0.2, linewidth=0)
        epoch_axis(axes, label)
    handles, names = np.atleast_1d(panels)[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=3, frameon=False)
    figure.suptitle(title)
    return figure
