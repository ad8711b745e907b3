"""Which latent units live at which weight, and the weights at which the law of collapse says that they die."""

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from vae_core.figures.labels import weight_names
from vae_core.figures.style import new_figure

FEW = 6  # ranks with a name, marks and bars each
LINED = 12  # ranks with a line from the bottom to the top where they should die
SHORT = 0.1  # of the height: the lines of more ranks
LEAST_RATE = 1e-3  # nats: below it the axis is linear, so that 0 has a place
CHARACTER = 0.017  # width of one in the name of a weight, as a share of a panel
WHOLE = MaxNLocator(integer=True, steps=[1, 2, 5, 10])


def collapse(active: pd.DataFrame, ranked: pd.DataFrame, deaths: np.ndarray) -> Figure:
    """The number of active units, and the rate of each latent dimension, the largest first, against the weight.

    Dashed on the left is how many units should live by the law. On the right a vertical line in the colour of each rank
    is where its dimension should die; of many ranks the lines are short.

    active: active units, (seeds, weights); ranked: `tables.ranked_rates`
    deaths: predicted weights, (latent_dim,), descending; (0,) of runs without a prediction
    """
    weights, latent_dim = ranked.index.to_numpy(), ranked["mean"].shape[1]
    figure, (left, right) = new_figure(12, 4.8, columns=2)
    named = np.append(weights, deaths[:1][deaths[:1] > weights.max()])
    for axes in (left, right):
        _weight_axis(axes, named)
    _active_units(left, active, latent_dim, deaths)
    _rates_by_rank(right, ranked, deaths)
    return figure


def _active_units(axes: Axes, active: pd.DataFrame, latent_dim: int, deaths: np.ndarray) -> None:
    if len(deaths):
        low, high = np.maximum(axes.get_xlim(), 0)
        steps = np.sort(deaths[deaths > low])
        look = {"color": "#bd1f01", "linestyle": "--", "linewidth": 1.6, "baseline": None}
        axes.stairs(np.arange(len(steps), -1, -1), [low, *steps, high], label="predicted", **look)
    if len(active) > 1:
        runs = active.melt(value_name="units").dropna()
        axes.scatter(runs["kl_weight"], runs["units"], s=50, color="#92dadd", label="found, each seed")
    label = "found, mean over seeds" if len(active) > 1 else "found"
    axes.scatter(active.columns, active.mean(), s=14, color="black", label=label)
    margin = 0.05 * latent_dim
    axes.set(ylabel=f"active units, of {latent_dim}", ylim=(-margin, latent_dim + margin))
    axes.yaxis.set_major_locator(WHOLE)
    axes.legend()


def _rates_by_rank(axes: Axes, ranked: pd.DataFrame, deaths: np.ndarray) -> None:
    means, spreads = ranked["mean"], ranked["std"].fillna(0)
    latent_dim = means.shape[1]
    colors = colormaps["cividis"](np.linspace(0, 0.8, latent_dim))  # beyond it colours are pale
    for rank, color in enumerate(colors):
        look = {"marker": "o", "capsize": 3, "yerr": spreads[rank]} if latent_dim <= FEW else {}
        axes.errorbar(means.index, means[rank], color=color, label=f"dimension of rank {rank + 1}", **look)
    for death, color in zip(deaths[deaths > 0], colors, strict=False):
        look = {"linestyle": "--"} if latent_dim <= LINED else {"ymax": SHORT}
        axes.axvline(death, color=color, linewidth=1.2, zorder=0, **look)
    if len(deaths):
        axes.set_title("vertical lines: where the dimension of this rank should die", fontsize=11)
    axes.set_yscale("symlog", linthresh=LEAST_RATE, linscale=0.5)
    axes.yaxis.set_major_formatter("{x:g}")
    axes.set_ylim(-LEAST_RATE / 4, 2 * max(means.to_numpy().max(), LEAST_RATE))
    axes.set_ylabel("rate of one dimension [nats/image]")
    if latent_dim <= FEW:
        axes.legend()
    else:
        ranks = ScalarMappable(Normalize(0.5, latent_dim + 0.5), ListedColormap(colors))
        axes.figure.colorbar(ranks, ax=axes, ticks=WHOLE, label="rank of the dimension by its rate")


def _weight_axis(axes: Axes, weights: np.ndarray) -> None:
    """A logarithmic axis, with 0, if that is among the weights, on a linear piece; a name for each weight with room."""
    positive = [weight for weight in weights if weight > 0] or [1.0]
    low, high = min(positive), max(positive)
    pad = (high / low) ** 0.04 if high > low else 1.3
    if 0 in weights:
        axes.set_xscale("symlog", linthresh=low, linscale=0.5)
        axes.set_xlim(-0.2 * low, high * pad)
    else:
        axes.set_xscale("log")
        axes.set_xlim(low / pad, high * pad)
    axes.set_xlabel("kl_weight")
    axes.grid(alpha=0.3, axis="y")
    names = weight_names(weights)
    places = axes.transLimits.transform(axes.transScale.transform([(weight, 0) for weight in weights]))[:, 0]
    shown, end = [], -np.inf
    for number, (place, name) in enumerate(zip(places, names, strict=True)):
        if place - CHARACTER * (len(name) + 1) / 2 > end:
            shown.append(number)
            end = place + CHARACTER * (len(name) + 1) / 2
    axes.set_xticks(weights[shown], [names[number] for number in shown])
    axes.set_xticks([], minor=True)
