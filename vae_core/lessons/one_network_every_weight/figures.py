"""One network beside the runs that it replaces: the plane, the differences, its units, and its gates."""

import textwrap
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from IPython.display import Markdown
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from vae_core.figures.style import LINE_COLORS, LINE_STYLES, new_figure
from vae_core.lessons.one_network_every_weight.measures import AIM, NETWORK, Networks
from vae_core.lessons.one_network_every_weight.model import Trained
from vae_core.lessons.one_network_every_weight.plan import TIMES
from vae_core.runs import Runs
from vae_core.statistics import Difference

COLORS = dict(zip(TIMES, LINE_COLORS, strict=False))
RUN = {"linestyle": "", "marker": "o", "markersize": 6, "markerfacecolor": "none", "color": "black"}
LAW = {"color": "black", "linewidth": 1, "linestyle": ":"}
OBJECTIVE = "network minus runs,\nobjective [nats/image]"


def rate_distortion(networks: Networks, runs: Runs, epochs: int, title: str) -> Figure:
    """The curve of each network, a line per seed, over the separate runs; to the right the smallest rates alone."""
    figure, (whole, near) = new_figure(10, 4.6, columns=2)
    runs = runs.take(runs.settings.index[runs.settings["kl_weight"] >= min(_curve_of(networks)["kl_weight"])])
    for axes in (whole, near):
        for training, found in networks.items():
            color = COLORS[training.epochs // epochs]
            axes.plot(found.curve["rate"], found.curve["distortion"], color=color, linewidth=1, alpha=0.8)
        axes.plot(runs.measures["rate"], runs.measures["distortion"], **RUN)
        axes.set(xlabel="rate [nats/image]")
        axes.grid(alpha=0.3)
    curve = _curve_of(networks)
    widest = max(curve["rate"].max(), runs.measures["rate"].max())
    whole.set(ylabel="distortion [nats/image]", xlim=(-0.03 * widest, 1.06 * widest), title="all weights")
    middle = curve[curve["kl_weight"] >= np.median(curve["kl_weight"])]
    near.set(xlim=(-0.02 * middle["rate"].max(), 1.1 * middle["rate"].max()), title="the larger half of the weights")
    low, high = middle["distortion"].min(), curve["distortion"].max()
    near.set_ylim(low - 0.1 * (high - low), high + 0.1 * (high - low))
    _mark_weights(near, runs)
    handles = [Line2D([], [], color=COLORS[times], label=f"one network, {name}") for times, name in NETWORK.items()]
    figure.legend(
        handles=[*handles, Line2D([], [], **RUN, label="separate runs")],
        loc="outside lower center",
        ncols=3,
        frameon=False,
    )
    figure.suptitle(title)
    return figure


def _curve_of(networks: Networks) -> pd.DataFrame:
    """The curve of the first network."""
    return next(iter(networks.values())).curve


def _mark_weights(axes, runs: Runs) -> None:
    """Write the weight beside the mean of its runs, where it is in sight."""
    means = runs.table().groupby("kl_weight")[["rate", "distortion"]].mean()
    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    for kl_weight, (rate, distortion) in zip(means.index, means.to_numpy(), strict=True):
        if left < rate < right and low < distortion < high:
            axes.annotate(f"{kl_weight:g}", (rate, distortion), xytext=(7, 5), textcoords="offset points")


def differences(found: Mapping[tuple[int, float], Difference], title: str) -> Figure:
    """The differences from the separate runs at each weight, with 95 % intervals; below 0 the network is better."""
    figure, axes = new_figure(8, 4.2)
    weights = sorted({weight for _, weight in found})
    axes.axhspan(-AIM, AIM, color="#e6e6e6", zorder=0, label=f"within {AIM} nats")
    axes.axhline(0, color="black", linewidth=0.8)
    for shift, (times, name) in zip((-0.1, 0.1), NETWORK.items(), strict=True):
        ones = [found[times, weight] for weight in weights]
        _intervals(axes, np.arange(len(weights)) + shift, ones, color=COLORS[times], label=f"one network, {name}")
    axes.set_xticks(range(len(weights)), [f"{weight:g}" for weight in weights])
    axes.set(xlabel="kl_weight", ylabel=OBJECTIVE, title=title)
    axes.grid(alpha=0.3, axis="y")
    axes.legend(frameon=False)
    return figure


def _intervals(axes, places: Sequence[float], ones: Sequence[Difference], **look) -> None:
    means = np.array([one.mean for one in ones])
    ends = np.nan_to_num(np.array([[one.mean - one.low, one.high - one.mean] for one in ones])).T
    axes.errorbar(places, means, ends, linestyle="", marker="o", capsize=3, markersize=5, **look)


def unit_rates(networks: Networks, runs: Runs, epochs: int, weights: Sequence[float], title: str) -> Figure:
    """The rate of each latent unit against the weight, where units die: the network's lines, the runs' dots, the law.

    weights: predicted, above which the first, second, ... unit is dead
    """
    chosen = [found for training, found in networks.items() if training.epochs == TIMES[-1] * epochs]
    units = [name for name in chosen[0].curve if name.startswith("rate") and name != "rate"]
    shown = weights[: len(units)]
    figure, axes = new_figure(8, 4.4)
    for number, unit in enumerate(units[:5]):
        for found in chosen:
            curve = found.curve[found.curve["kl_weight"] >= 0.5 * shown[-1]]
            axes.plot(
                curve["kl_weight"],
                curve[unit],
                color=LINE_COLORS[number],
                linestyle=LINE_STYLES[number],
                alpha=0.8,
                linewidth=1.2,
            )
        axes.plot([], [], color=LINE_COLORS[number], linestyle=LINE_STYLES[number], label=f"unit {number + 1}")
    theirs = runs.measures[[name for name in units if name in runs.measures]].to_numpy()
    for row, kl_weight in zip(np.sort(theirs, axis=1)[:, ::-1], runs.settings["kl_weight"], strict=True):
        if 0.5 * shown[-1] <= kl_weight <= 1.25 * shown[0]:
            axes.plot([kl_weight] * len(row), row, **RUN)
    for weight in shown:
        axes.axvline(weight, **LAW)
    axes.plot([], [], **RUN, label="separate runs")
    axes.plot([], [], **LAW, label="predicted deaths")
    axes.set(xlabel="kl_weight", ylabel="rate of a unit [nats/image]", title=title, ylim=(0, None))
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    return figure


def gates(trained: Trained, knots: Sequence[float], weights: Sequence[float], title: str) -> Figure:
    """What the gates have learned: the gain of every hidden unit as a row, and that of the means as lines.

    weights: predicted, above which the first, second, ... unit is dead
    """
    figure, panels = new_figure(10, 4.8, columns=3)
    top = np.quantile([trained.layers[f"{network}.hidden"]["gain"] for network in ("encoder", "decoder")], 0.99)
    for axes, network in zip(panels, ("encoder", "decoder"), strict=False):
        gain = trained.layers[f"{network}.hidden"]["gain"]  # (knots, units)
        order = np.argsort((gain * np.log(knots)[:, None]).sum(axis=0) / np.abs(gain).sum(axis=0))
        image = axes.pcolormesh(knots, np.arange(gain.shape[1]), gain.T[order], vmin=0, vmax=top, cmap="viridis")
        axes.set(xscale="log", xlabel="kl_weight", title=f"{network}: hidden units")
        axes.xaxis.set_major_formatter("{x:g}")
    panels[0].set_ylabel("unit, in order of its gate")
    figure.colorbar(image, ax=panels[:2], location="bottom", label="gain", shrink=0.6)
    for unit, gain in enumerate(trained.layers["encoder.mean"]["gain"].T):
        label = f"z[{unit}]" if len(weights) <= 5 else None
        panels[2].plot(knots, gain, color=LINE_COLORS[unit % 5], linestyle=LINE_STYLES[unit % 5], label=label)
    for weight in weights:
        panels[2].axvline(weight, **LAW)
    panels[2].set(xscale="log", xlabel="kl_weight", ylabel="gain", title="encoder: means of q(z|x)")
    panels[2].xaxis.set_major_formatter("{x:g}")
    panels[2].grid(alpha=0.3)
    panels[2].plot([], [], **LAW, label="predicted deaths")
    panels[2].legend(frameon=False)
    figure.suptitle(title)
    return figure


def variants(found: Mapping[str, Mapping[float, Difference]], title: str) -> Figure | Markdown:
    """What the network loses, or gains, without one of its parts, at each weight: a panel for each part.

    A sentence where that was left out.
    """
    if not found:
        return Markdown("This was left out: variant_seeds is 0.")
    columns = 4
    rows = -(-len(found) // columns)
    figure, panels = new_figure(10, 2.6 * rows + 0.6, rows=rows, columns=columns, sharex=True, sharey=True)
    for axes, (variant, ones) in zip(panels.flat, found.items(), strict=False):
        axes.axhline(0, color="black", linewidth=0.8)
        _intervals(axes, range(len(ones)), list(ones.values()), color=LINE_COLORS[0])
        axes.set_title(textwrap.fill(variant, 26), fontsize=9)
        axes.set_xticks(range(len(ones)), [f"{weight:g}" for weight in ones], rotation=60)
        axes.tick_params(labelbottom=True)
        axes.grid(alpha=0.3, axis="y")
    for axes in panels.flat[len(found) :]:
        axes.remove()
    figure.supxlabel("kl_weight")
    figure.supylabel("minus the network as it is,\nobjective [nats/image]", ha="center")
    figure.suptitle(title)
    return figure
