"""Figures of a whole sweep from its tables: a point, a column or a line per weight. Nothing here reads files."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vae_core.figures.labels import evenly, weight_names
from vae_core.figures.style import epoch_axis, marker_of, new_figure, weight_colors

NAMED = 12  # weights in a legend
TICKS = 26  # weights on an axis
ROOM = 50  # characters beside each other, with a gap between words, below half of a figure
LEAST_RATE = 0.01  # below it the parts of a rate are the noise of their estimates
SWEEP_CURVES = {
    "val_distortion": "distortion [nats/image]",
    "val_rate": "rate [nats/image]",
    "val_negative_elbo": "negative ELBO [nats/image]",
}
SPLIT = {"rate": "#717581", "mutual_information": "#3f90da", "marginal_kl": "#e76300"}


def rate_split(losses: pd.DataFrame, information_limit: float) -> Figure:
    """What the rate is spent on, per weight: in nats on the left, as shares on the right.

    losses: one row per weight, with mean and standard deviation; information_limit: ln N
    """
    figure, (left, right) = new_figure(12, 4.8, columns=2)
    places = np.arange(len(losses))
    for (name, color), shift in zip(SPLIT.items(), (-0.08, 0, 0.08), strict=True):
        values, errors = losses[f"{name}_mean"], losses[f"{name}_std"].fillna(0)
        left.errorbar(places + shift, values, errors, color=color, label=name, **_points(losses))
    left.axhline(information_limit, color=SPLIT["mutual_information"], linestyle="--", linewidth=1)
    beside = {"xytext": (0, 4), "textcoords": "offset points", "ha": "right", "va": "bottom"}  # the last point
    left.annotate(f"ln N = {information_limit:.2f}", (places[-1], information_limit), **beside)
    left.set_yscale("symlog", linthresh=0.01)  # estimates of nothing may be below 0
    lowest = losses[[f"{name}_mean" for name in SPLIT]].min().min()
    left.set_ylim(bottom=min(0, 2 * lowest), top=3 * losses["rate_mean"].max() + information_limit)
    left.yaxis.set_major_formatter("{x:g}")
    left.set_ylabel("nats/image")
    both = losses["mutual_information_mean"] + losses["marginal_kl_mean"]
    shares = (losses["mutual_information_mean"] / both).where(losses["rate_mean"] > LEAST_RATE)
    width = 0.8 if _few(losses) else 1
    right.bar(places, shares, width, color=SPLIT["mutual_information"])
    right.bar(places, 1 - shares, width, bottom=shares, color=SPLIT["marginal_kl"])
    right.set(ylabel="share of the rate", ylim=(0, 1))
    for axes in (left, right):
        _weight_axis(axes, losses)
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=len(SPLIT))
    return figure


def loss_curves(histories: Mapping[float, pd.DataFrame], title: str) -> Figure:
    """Validation distortion, rate and negative ELBO per epoch, one line per kl_weight; the legend names some."""
    figure, panels = new_figure(14, 4.8, columns=len(SWEEP_CURVES))
    names = weight_names(histories)
    for axes, (column, label) in zip(panels, SWEEP_CURVES.items(), strict=True):
        for color, weight, history in zip(weight_colors(len(names)), names, histories.values(), strict=True):
            history = history.assign(val_negative_elbo=history["val_distortion"] + history["val_rate"])
            axes.plot(history["epoch"], history[column], color=color, marker=marker_of(history), label=weight)
        epoch_axis(axes, label)
    if not _within_a_decade(panels[1]):  # a collapsed rate is 0, an unweighted one goes into the hundreds
        panels[1].set_yscale("symlog", linthresh=0.1)
        panels[1].yaxis.set_major_formatter("{x:g}")
    if panels[2].dataLim.y0 > 0:  # that of a density may be below
        panels[2].set_yscale("log")
        _plain_numbers(panels[2])
    handles = np.array(panels[0].lines)[evenly(len(histories), NAMED)]
    heading = "kl_weight" + (f"\n({len(handles)} of {len(histories)})" if len(handles) < len(histories) else "")
    figure.legend(handles=list(handles), loc="outside right center", title=heading, frameon=False)
    figure.suptitle(title)
    return figure


def _few(losses: pd.DataFrame) -> bool:
    return len(losses) <= 2 * TICKS


def _points(losses: pd.DataFrame) -> dict[str, object]:
    """How points of an error bar look: without marks where these would make a band."""
    return {"marker": "o", "capsize": 3} if _few(losses) else {"linewidth": 1}


def _weight_axis(axes: Axes, losses: pd.DataFrame) -> None:
    """The weights at equal distances, since 0 has no place on a logarithmic axis; upright where they need the room."""
    places = range(0, len(losses), -(-len(losses) // TICKS))
    names = np.array(weight_names(losses["kl_weight"]))[places]
    room = len(names) * max(map(len, names)) < ROOM
    axes.set_xticks(places, names, rotation=0 if room else 90)
    axes.set(xlabel="kl_weight", xlim=(-0.5, len(losses) - 0.5))
    axes.grid(alpha=0.3, axis="y")


def _within_a_decade(axes: Axes) -> bool:
    lowest, highest = axes.dataLim.intervaly
    return 0 < lowest <= highest < 10 * lowest


def _plain_numbers(axes: Axes) -> None:
    """Numbers without powers on a logarithmic axis, also between powers of ten where there are few of those."""
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter("{x:g}" if _within_a_decade(axes) else "")
