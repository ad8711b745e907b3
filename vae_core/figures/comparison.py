"""Sweeps with different settings in the same axes, from their loss tables. Nothing here trains or reads files."""

import textwrap
from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vae_core.figures.labels import ABOVE, BELOW, LEFT, RIGHT, taken_places, weight_names, write_where_free
from vae_core.figures.plane import lines_of_equal_bound
from vae_core.figures.style import LINE_COLORS, LINE_STYLES, new_figure, weight_colors

MARKERS = "osD^vP*X<>"
CURVES = {"nll": "-log p(x) [nats/image]", "mutual_information": "mutual information [nats/image]"}
UPRIGHT = 9  # weights on an axis of half a figure, from which on their names stand upright
CELL, LINE = 0.5, 0.17  # inches, of a row with one line of words, and of each further line
ROW_WORDS = 32  # characters in a line
NUMBERED = 24  # weights up to which a cell of the heat map has room for its number


def rate_distortion(losses: Mapping[str, pd.DataFrame], title: str) -> Figure:
    """All settings in the plane of rate and distortion: a line each, from the smallest weight to the largest.

    Points are means over seeds, bars standard deviations. Weights are written beside them where there is room, of many
    settings only those at both ends. Crosses are the codes that say nothing, of each likelihood. Lines of equal
    negative ELBO are grey.

    losses: for each setting its `tables.loss_table`
    """
    tables = [table.sort_values("kl_weight") for table in losses.values()]
    everything = pd.concat(tables)
    corners = everything["zero_information_distortion_mean"].round(2).unique()
    distortions = np.concatenate([corners, everything["distortion_mean"]])
    low, high = distortions.min(), distortions.max()
    margin = 0.06 * (high - low)
    figure, axes = new_figure(11, 7)
    axes.set_xscale("symlog", linthresh=1, linscale=0.6)
    axes.set(xlim=(-0.1, 2 * max(1, everything["rate_mean"].max())), ylim=(low - margin, high + margin))
    axes.set(xlabel="rate [nats/image]", ylabel="distortion [nats/image]", title=title)
    axes.xaxis.set_major_formatter("{x:g}")
    bounds = lines_of_equal_bound(axes, low - margin)
    crosses = np.column_stack([np.zeros(len(corners)), corners])
    axes.scatter(*crosses.T, marker="X", s=110, color="black", zorder=3, label="no information")
    for table, look in zip(tables, _looks(len(tables)), strict=True):
        errors = {"xerr": table["rate_std"].fillna(0), "yerr": table["distortion_std"].fillna(0)}
        axes.errorbar(table["rate_mean"], table["distortion_mean"], **errors, elinewidth=0.8, **look)
    for container, label in zip(axes.containers, losses, strict=True):
        container.set_label(label)
    _legend(figure, axes)
    taken = taken_places(axes, np.concatenate([everything[["rate_mean", "distortion_mean"]], crosses]))
    for table in tables:
        places = list(zip(weight_names(table["kl_weight"]), table["rate_mean"], table["distortion_mean"], strict=True))
        for name, *place in places if len(tables) <= len(LINE_COLORS) else {places[0], places[-1]}:
            write_where_free(axes, taken, name, place, (BELOW, ABOVE, LEFT, RIGHT), fontsize=9)
    for bound, place in bounds.items():
        side = {"xytext": (0, 0), "ha": "left", "va": "bottom"}
        write_where_free(axes, taken, f"{bound:g}", place, [side], color="#888888", fontsize=9)
    return figure


def curves(losses: Mapping[str, pd.DataFrame], title: str) -> Figure:
    """-log p(x) and mutual information against the weight, a line for each setting that has them.

    Points are means over seeds, bars standard deviations. Weights stand at equal distances, since 0 has no place on a
    logarithmic axis.
    """
    shown = [name for name in CURVES if any(f"{name}_mean" in table for table in losses.values())]
    weights = _weights(losses)
    figure, panels = new_figure(6.5 * len(shown), 5.4, columns=len(shown))
    for axes, name in zip(np.atleast_1d(panels), shown, strict=True):
        for (label, table), look in zip(losses.items(), _looks(len(losses)), strict=True):
            if f"{name}_mean" in table:
                places, errors = np.searchsorted(weights, table["kl_weight"]), table[f"{name}_std"].fillna(0)
                axes.errorbar(places, table[f"{name}_mean"], errors, capsize=3, label=label, **look)
        _weight_axis(axes, weights)
        axes.set_ylabel(CURVES[name])
        low, high = axes.dataLim.intervaly
        if name == "nll" and high > 2 * low > 0:  # at weight 0 it may be many times that at 1
            axes.set_yscale("log")
            axes.yaxis.set_major_formatter("{x:g}")
            axes.yaxis.set_minor_formatter("{x:g}" if high < 10 * low else "")
        axes.grid(alpha=0.3, axis="y")
    _legend(figure, figure.axes[0])
    figure.suptitle(title)
    return figure


def active_units(losses: Mapping[str, pd.DataFrame], title: str) -> Figure:
    """How many units are active at each weight (columns) in each setting (rows): means over seeds.

    A cell without a number, where few weights leave room for numbers, was not run.
    """
    weights, labels = _weights(losses), [textwrap.fill(label, ROW_WORDS) for label in losses]
    units = pd.DataFrame({label: table.set_index("kl_weight")["active_units_mean"] for label, table in losses.items()})
    units = units.reindex(weights).T  # (settings, weights)
    height = 2.2 + sum(CELL + LINE * label.count("\n") for label in labels)
    figure, axes = new_figure(9 if len(weights) <= UPRIGHT else 12, height)
    colors = colormaps["viridis"].with_extremes(bad="#e6e6e6")
    image = axes.imshow(np.ma.masked_invalid(units), cmap=colors, vmin=0, aspect="auto", interpolation="none")
    if len(weights) <= NUMBERED:
        for (row, column), number in np.ndenumerate(units.to_numpy()):
            if np.isfinite(number):
                color = "white" if number < 0.6 * np.nanmax(units) else "black"
                axes.text(column, row, f"{number:.3g}", color=color, ha="center", va="center", fontsize=9)
    axes.set_yticks(range(len(labels)), labels)
    _weight_axis(axes, weights)
    figure.colorbar(image, ax=axes, label="active units")
    axes.set_title(f"{title}; grey: not run" if units.isna().any(axis=None) else title)
    return figure


def _looks(settings: int) -> list[dict[str, object]]:
    """Colour, line and marker of each setting: colours that stay apart, or shades where there are more of them."""
    colors = LINE_COLORS if settings <= len(LINE_COLORS) else weight_colors(settings)
    return [
        {"color": colors[place], "linestyle": LINE_STYLES[place % len(LINE_STYLES)], "marker": MARKERS[place % 10]}
        for place in range(settings)
    ]


def _weights(losses: Mapping[str, pd.DataFrame]) -> np.ndarray:
    """All weights of all settings, ascending."""
    return np.unique(np.concatenate([table["kl_weight"] for table in losses.values()]))


def _weight_axis(axes: Axes, weights: np.ndarray) -> None:
    places = range(0, len(weights), -(-len(weights) // NUMBERED))
    names = np.array(weight_names(weights))[places]
    axes.set_xticks(places, names, rotation=90 if len(names) > UPRIGHT else 0)
    axes.set(xlabel="kl_weight", xlim=(-0.5, len(weights) - 0.5))


def _legend(figure: Figure, axes: Axes) -> None:
    """Below the axes: in columns, as many as the longest label allows."""
    handles, labels = axes.get_legend_handles_labels()
    columns = max(1, int(10 * figure.get_figwidth()) // (max(map(len, labels)) + 8))
    figure.legend(handles, labels, loc="outside lower center", ncols=min(columns, len(labels)), frameon=False)
