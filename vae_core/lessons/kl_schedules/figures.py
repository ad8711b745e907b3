"""The methods side by side: their weights, what happens over the epochs, what differs in the end."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from vae_core.figures.style import epoch_axis, marker_of, new_figure
from vae_core.lessons.kl_schedules.measures import COMPARED, Differences
from vae_core.lessons.kl_schedules.model import CONSTANT, CYCLICAL, FREE_BITS, GECO, LINEAR, TARGET_RATE
from vae_core.statistics import Difference

STYLES = {
    CONSTANT: {"color": "black", "linestyle": "-", "linewidth": 3.5, "alpha": 0.45},  # wide: others may lie on it
    LINEAR: {"color": "#3f90da", "linestyle": "-", "linewidth": 2},
    CYCLICAL: {"color": "#832db6", "linestyle": "-", "linewidth": 1.5},
    FREE_BITS: {"color": "#e76300", "linestyle": "--", "linewidth": 2},
    TARGET_RATE: {"color": "#bd1f01", "linestyle": ":", "linewidth": 2.5},
    GECO: {"color": "#a96b59", "linestyle": "-.", "linewidth": 2},
}
WEIGHT_STYLES = (
    {"color": "#3f90da", "marker": "o", "markersize": 6},
    {"color": "#bd1f01", "marker": "D", "markersize": 6},
)
LABELS = {
    "nll": "-log p(x) [nats/image]",
    "distortion": "distortion [nats/image]",
    "rate": "rate [nats/image]",
    "active_units": "active units",
}
LOWEST_RATE = 1e-3  # nats of one dimension
OVER_EPOCHS = {
    "kl_weight": "kl_weight",
    "val_rate": LABELS["rate"],
    "val_distortion": LABELS["distortion"],
    "active_units": LABELS["active_units"],
}


def planned_weights(curves: Mapping[str, pd.DataFrame], title: str) -> Figure:
    """The weight over the epochs, as the schedules plan it; curves: from `model.planned_weights`."""
    figure, axes = new_figure(9, 3.6)
    for method, curve in curves.items():
        axes.plot(curve["epoch"], curve["kl_weight"], label=method, **STYLES[method])
    epoch_axis(axes, "kl_weight")
    axes.set_xlabel("epochs trained")
    figure.legend(loc="outside lower center", ncols=3, frameon=False)
    axes.set_title(title)
    return figure


def over_epochs(histories: Mapping[tuple[float, str], pd.DataFrame], title: str) -> Figure:
    """Weight, rate, distortion and active units after each epoch: a column of panels for each final weight.

    The weight has a scale of its own for each final weight; all else has the same axes in a row. The rate has a
    logarithmic one, since at a weight near 0 it is many times what it is in the end. histories: from
    `measures.mean_histories`
    """
    kl_weights = list(dict.fromkeys(kl_weight for kl_weight, _ in histories))
    figure, panels = new_figure(4.5 * len(kl_weights) + 0.5, 10.5, len(OVER_EPOCHS), len(kl_weights))
    panels = np.asarray(panels).reshape(len(OVER_EPOCHS), len(kl_weights))
    for (kl_weight, method), history in histories.items():
        for axes, column in zip(panels[:, kl_weights.index(kl_weight)], OVER_EPOCHS, strict=True):
            if column in history:
                style = {**STYLES[method], "marker": marker_of(history)}
                axes.plot(history["epoch"], history[column], label=method, **style)
    for row, label in zip(panels, OVER_EPOCHS.values(), strict=True):
        for axes in row:
            epoch_axis(axes, label)
    for row in panels[1:]:
        for axes in row[1:]:
            axes.sharey(row[0])
        row[0].autoscale()
    _logarithmic(panels[1, 0])
    for axes, kl_weight in zip(panels[0], kl_weights, strict=True):
        axes.set_ylim(bottom=0)
        axes.set_title(f"final kl_weight {kl_weight:g}")
    figure.legend(*panels[1, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
    figure.suptitle(title)
    return figure


def differences(found: Differences, title: str) -> Figure:
    """Each method minus the constant weight: a panel for each measure, the mean and its interval for each final weight.

    found: from `measures.differences`
    """
    kl_weights = list(dict.fromkeys(kl_weight for kl_weight, _ in found))
    methods = list(dict.fromkeys(method for _, method in found))
    figure, panels = new_figure(10, 6, 2, 2)
    for axes, measure in zip(panels.flat, COMPARED, strict=True):
        for (kl_weight, method), row in found.items():
            place = kl_weights.index(kl_weight)
            height = methods.index(method) + 0.3 * (place - (len(kl_weights) - 1) / 2)
            _interval(axes, height, row[measure], WEIGHT_STYLES[place])
        axes.axvline(0, color="black", linewidth=1)
        axes.set_xlabel(LABELS[measure])
        axes.set_yticks(range(len(methods)), methods)
        axes.set_ylim(len(methods) - 0.5, -0.5)  # the first above
        axes.grid(alpha=0.3, axis="x")
        if measure == "active_units":
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    for axes in panels[:, 1]:
        axes.tick_params(labelleft=False)
    handles = [
        Line2D([], [], **style, linewidth=1.5, label=f"final kl_weight {kl_weight:g}")
        for kl_weight, style in zip(kl_weights, WEIGHT_STYLES, strict=False)
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False)
    figure.suptitle(title)
    return figure


def _logarithmic(axes: Axes) -> None:
    """A logarithmic y axis with plain numbers on it, also where it is shorter than a decade."""
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter(NullFormatter())


def _interval(axes: Axes, height: float, difference: Difference, style: dict) -> None:
    axes.plot([difference.low, difference.high], [height, height], color=style["color"], linewidth=1.5)
    axes.plot(difference.mean, height, linestyle="", **style)


def ranked_rates(rates: Mapping[tuple[float, str], np.ndarray], free_bits: float, title: str) -> Figure:
    """The rate of each latent dimension by rank, a line for each method, a panel for each final weight.

    The scale is logarithmic and ends at LOWEST_RATE, where a dimension is dead by any measure.

    rates: (latent_dim,) each, the highest first, from `measures.ranked_rates`; free_bits: drawn as a line
    """
    kl_weights = list(dict.fromkeys(kl_weight for kl_weight, _ in rates))
    figure, panels = new_figure(4.5 * len(kl_weights) + 0.5, 4.4, columns=len(kl_weights), sharey=True)
    panels = np.atleast_1d(panels)
    for (kl_weight, method), ranked in rates.items():
        ranks = np.arange(1, len(ranked) + 1)
        marker = "o" if len(ranked) == 1 else ""
        panels[kl_weights.index(kl_weight)].plot(ranks, ranked, label=method, marker=marker, **STYLES[method])
    for axes, kl_weight in zip(panels, kl_weights, strict=True):
        axes.axhline(free_bits, color="#94a4a2", linewidth=1, label=f"free bits: {free_bits:g}")
        axes.set(xlabel="latent dimension, by rank", title=f"final kl_weight {kl_weight:g}")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.grid(alpha=0.3)
    panels[0].set_ylabel("rate of the dimension [nats/image]")
    _logarithmic(panels[0])
    panels[0].set_ylim(bottom=LOWEST_RATE)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False)
    figure.suptitle(title)
    return figure
