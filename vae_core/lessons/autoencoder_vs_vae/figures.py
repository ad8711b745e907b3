"""Histograms of coordinates, what happens along an interpolation, and curves of several seeds."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy.stats import norm

from vae_core.figures.style import LINE_COLORS, LINE_STYLES, PIXELS_PER_INCH, epoch_axis, new_figure


def coordinate_histograms(codes: Mapping[str, np.ndarray], coordinates: Sequence[int], title: str) -> Figure:
    """A histogram for each of some latent coordinates, with the density of N(0, 1).

    One row per name. All panels have the same axes. Peaks above three times the normal density's are cut off, with
    their height written beside them.

    codes: for each name (N, latent_dim)
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
    """A measure along interpolations, from one end to the other: means over the pairs with standard errors.

    shares: (steps,), 0 to 1; lines: for each name (pairs, steps); label: of the vertical axis
    """
    figure, axes = new_figure(9, 4.2)
    for color, style, (name, values) in zip(LINE_COLORS, LINE_STYLES, lines.items(), strict=False):
        error = values.std(axis=0, ddof=1) / np.sqrt(len(values))
        line = {"color": color, "linestyle": style, "linewidth": 2, "capsize": 3}
        axes.errorbar(shares, values.mean(axis=0), error, label=name, **line)
    axes.set(xlabel="share of the way from one code to the other", ylabel=label)
    axes.grid(alpha=0.3)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False)
    axes.set_title(title)
    return figure


def seed_bands(tables: Mapping[str, pd.DataFrame], title: str) -> Figure:
    """A panel for each table, a line for each of its columns: the mean over seeds, with a band from least to greatest.

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
