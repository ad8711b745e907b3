"""Walks beside the law: where units die and wake, how many live, and how fast a code grows."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from IPython.display import Markdown
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from vae_core.figures.style import LINE_STYLES, new_figure
from vae_core.lessons.where_codes_collapse.measures import (
    Taken,
    active,
    amplitude,
    by_variant,
    ends,
    growth,
    pace,
    turn,
)
from vae_core.lessons.where_codes_collapse.walks import DENSE, Walk
from vae_core.measures import ACTIVE_VARIANCE
from vae_core.statistics import mean_difference

UP, DOWN = "#3f90da", "#bd1f01"
UNIT_STYLES = ({"linestyle": "-", "marker": "o"}, {"linestyle": "--", "marker": "s"})
LAW = {"color": "black", "linewidth": 1.2, "linestyle": ":"}
COUNTED = {
    "active_units": {"marker": "s", "color": "#94a4a2", "markersize": 8, "markerfacecolor": "none"},
    "active_directions": {"marker": "o", "color": UP, "markersize": 4.5, "alpha": 0.7},
}
LEAST_VARIANCE = 1e-5  # on a logarithmic axis
VARIANCE = "variance of E[z|x] along a direction"
WEIGHT = "kl_weight"


def there_and_back(taken: Taken, weights: Sequence[float], title: str) -> Figure:
    """The variance along both directions of the code, on the way up and on the way down: a panel for each network.

    weights: predicted, of the two units
    """
    groups = by_variant(taken)
    figure, panels = new_figure(10, 4.8, columns=len(groups), sharex=True, sharey=True)
    for axes, (network, walks) in zip(np.atleast_1d(panels), groups.items(), strict=True):
        for frame in walks.values():
            found, top = ends(frame), turn(frame)
            for part, color in ((found[found["step"] <= top], UP), (found[found["step"] >= top], DOWN)):
                for rank, style in enumerate(UNIT_STYLES):
                    unit = part[part["unit"] == rank]
                    variance = unit["principal"].clip(lower=LEAST_VARIANCE)
                    axes.plot(unit["kl_weight"], variance, color=color, markersize=4, linewidth=1, alpha=0.7, **style)
        _law(axes, weights)
        axes.axhline(ACTIVE_VARIANCE, color="grey", linewidth=0.8)
        axes.set(yscale="log", xlabel=WEIGHT, title=network)
        axes.grid(alpha=0.3)
    np.atleast_1d(panels)[0].set_ylabel(VARIANCE)
    handles = [Line2D([], [], color=color, label=way) for way, color in (("upwards", UP), ("downwards", DOWN))]
    for name, style in zip(("larger direction", "smaller direction"), UNIT_STYLES, strict=True):
        handles.append(Line2D([], [], color="grey", markersize=4, label=name, **style))
    handles.append(Line2D([], [], **LAW, label="predicted"))
    handles.append(Line2D([], [], color="grey", linewidth=0.8, label="active above"))
    figure.legend(handles=handles, loc="outside lower center", ncols=6, frameon=False)
    figure.suptitle(title)
    return figure


def hidden_units(taken: Taken, weights: Sequence[float], title: str) -> Figure:
    """How many of the encoder's ReLU units are above 0 for any image, over the steps of the walk: a line per seed."""
    figure, axes = new_figure(8, 4.2)
    for walk, frame in taken.items():
        if walk.network == DENSE:
            found = ends(frame).groupby("step").first()
            axes.plot(
                found.index,
                found["hidden_on"],
                color=UP,
                linestyle=LINE_STYLES[walk.seed % len(LINE_STYLES)],
                label=f"seed {walk.seed}",
            )
    steps = found["kl_weight"]
    shown = steps.iloc[:: max(1, len(steps) // 8)]
    axes.set_xticks(shown.index, [f"{weight:.3g}" for weight in shown])
    axes.set(xlabel="kl_weight, in the order of the walk", ylabel="hidden units that are ever on", title=title)
    axes.set_ylim(bottom=0)
    axes.axvspan(
        *_collapsed_steps(steps, weights[0]), color="#e6e6e6", zorder=0, label="above the first predicted weight"
    )
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    return figure


def rates_near(taken: Taken, curves: Mapping[str, pd.DataFrame], weights: Sequence[float], title: str) -> Figure:
    """The rate on the way up beside what theory says of it; a dot per seed.

    curves: by name, with columns `kl_weight` and `rate`
    """
    figure, axes = new_figure(8, 4.6)
    for frame in taken.values():
        found = ends(frame)
        up = found[found["step"] <= turn(frame)].groupby("kl_weight")["rate"].sum()
        axes.plot(up.index, up, linestyle="", marker="o", color=UP, markersize=5, alpha=0.7)
    for (name, curve), style in zip(curves.items(), ("-", "--"), strict=False):
        axes.plot(curve["kl_weight"], curve["rate"], color="#e76300", linestyle=style, label=name)
    _law(axes, weights)
    axes.set(xlabel=WEIGHT, ylabel="rate [nats/image]", title=title, ylim=(0, None))
    axes.plot([], [], linestyle="", marker="o", color=UP, label="trained, upwards (one dot per seed)")
    axes.plot([], [], **LAW, label="predicted weights")
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    return figure


def convolutional(
    taken: Taken, curves: Mapping[str, pd.DataFrame], weights: Sequence[float], title: str
) -> Figure | Markdown:
    """`rates_near` of the convolutional network; a sentence where it was left out."""
    if not taken:
        return Markdown("The convolutional network was left out: conv_seeds is 0, or the images are not 28 x 28.")
    return rates_near(taken, curves, weights, title)


def living(taken: Taken, weights: np.ndarray, title: str) -> Figure:
    """How many units and directions live at each weight beside the law's steps: a panel for each number of units."""
    groups = by_variant(taken)
    figure, panels = new_figure(10, 4.4, columns=len(groups))
    for axes, (units, walks) in zip(np.atleast_1d(panels), groups.items(), strict=True):
        low, high = min(walk.kl_weights[0] for walk in walks), max(walk.kl_weights[-1] for walk in walks)
        grid = np.geomspace(low, high, 2000)
        steps = np.minimum((weights[:, None] > grid).sum(axis=0), int(units))
        axes.plot(grid, steps, color="black", linewidth=1.5, label="predicted")
        for number, frame in enumerate(walks.values()):
            found = active(frame)
            for name, style in COUNTED.items():
                label = None if number else f"{name.replace('_', ' ')}, a mark per seed"
                axes.plot(found["kl_weight"], found[name], linestyle="", label=label, **style)
        axes.set(xscale="log", xlabel=WEIGHT, title=f"latent_dim {units}", ylim=(-0.03 * int(units), None))
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 20 * low else (1,)))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
    np.atleast_1d(panels)[0].set_ylabel("living")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
    figure.suptitle(title)
    return figure


def waking_codes(taken: Taken, weight: float, title: str) -> Figure:
    """How a code wakes: its size after each look, for each share of the first predicted weight; and its growth rates.

    weight: the first predicted one, above which no code should grow
    """
    shares = sorted({walk.kl_weights[0] for walk in taken})
    colors = dict(zip(shares, ("#832db6", UP, "#e76300", DOWN), strict=False))
    networks = list(dict.fromkeys(walk.network for walk in taken))
    figure, panels = new_figure(10, 4.6, columns=len(networks) + 1, width_ratios=[1] * len(networks) + [1.1])
    for axes, network in zip(panels, networks, strict=False):
        for walk, frame in taken.items():
            if walk.network == network:
                found = amplitude(frame)
                style = "-" if walk.start_epochs == min(one.start_epochs for one in taken) else ":"
                axes.plot(found["epoch"], found["deviation"], style, color=colors[walk.kl_weights[0]], alpha=0.8)
        axes.set(yscale="log", xlabel="epochs since the weight was lowered", title=network, ylim=(1e-4, 2))
        axes.grid(alpha=0.3)
    panels[0].set_ylabel("deviation of E[z|x] over images")
    for axes in panels[1 : len(networks)]:
        axes.sharey(panels[0])
        axes.tick_params(labelleft=False)
    _growth(panels[-1], taken, networks, weight)
    handles = [Line2D([], [], color=color, label=f"kl_weight {share:.3g}") for share, color in colors.items()]
    for off, style in zip(sorted({walk.start_epochs for walk in taken}), ("-", ":"), strict=False):
        handles.append(Line2D([], [], color="grey", linestyle=style, label=f"collapsed for {off} epochs"))
    figure.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False)
    figure.suptitle(title)
    return figure


def off_by(groups: Mapping[str, pd.Series], title: str) -> Figure:
    """By how much the weights at which units die differ from the predicted ones, in percent, with the interval.

    groups: by name, one number per seed, found / predicted
    """
    figure, axes = new_figure(8, 0.9 + 0.45 * len(groups))
    for height, shares in enumerate(groups.values()):
        found = mean_difference(100 * (shares - 1))
        if not found.pairs:
            axes.text(0.5, height, "none died", transform=axes.get_yaxis_transform(), ha="center", va="center")
            continue
        axes.plot([found.low, found.high], [height, height], color=UP, linewidth=1.5)
        axes.plot(100 * (shares - 1), [height] * len(shares), "o", color=UP, markersize=4, alpha=0.5)
        axes.plot(found.mean, height, "D", color=DOWN, markersize=6)
    axes.axvline(0, color="black", linewidth=1)
    axes.set_yticks(range(len(groups)), list(groups))
    axes.set(ylim=(len(groups) - 0.5, -0.5), xlabel="dies above the predicted weight by [%]", title=title)
    axes.grid(alpha=0.3, axis="x")
    return figure


def _growth(axes: Axes, taken: Taken, networks: Sequence[str], weight: float) -> None:
    shortest = min(walk.start_epochs for walk in taken)
    styles = ({"marker": "o", "color": "black"}, {"marker": "s", "color": "grey"})
    for network, style in zip(networks, styles, strict=False):
        points = [(walk.kl_weights[0], growth(frame)) for walk, frame in taken.items() if _is(walk, network, shortest)]
        axes.plot(*np.transpose(points), linestyle="", label=network, markersize=5, **style)
        grid = np.linspace(0.98 * min(points)[0], weight, 100)
        axes.plot(grid, pace(points, weight) * np.log(weight / grid), color=style["color"], linewidth=1)
    axes.axhline(0, color="grey", linewidth=0.8)
    axes.axvline(weight, **LAW)
    axes.set(xlabel=WEIGHT, ylabel="growth per epoch of the logarithm", title="growth of small codes")
    axes.legend(frameon=False, fontsize="small", loc="upper right")
    axes.grid(alpha=0.3)


def _is(walk: Walk, network: str, start_epochs: int) -> bool:
    return walk.network == network and walk.start_epochs == start_epochs


def _collapsed_steps(kl_weights: pd.Series, weight: float) -> tuple[float, float]:
    above = kl_weights.index[kl_weights > weight]
    return above[0] - 0.5, above[-1] + 0.5


def _law(axes: Axes, weights: Sequence[float]) -> None:
    for weight in weights:
        axes.axvline(weight, **LAW)
