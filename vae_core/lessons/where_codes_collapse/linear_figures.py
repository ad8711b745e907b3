"""The closed form of the linear VAE as lines, and trained linear models as dots."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from vae_core.figures.labels import ABOVE_RIGHT, BELOW, LEFT, RIGHT, taken_places, weight_names, write_where_free
from vae_core.figures.style import new_figure, weight_colors
from vae_core.lessons.where_codes_collapse.linear import LinearOptimum, TrainedLinear, by_weight

LINE, FOUND, SECOND = "#3f90da", "#bd1f01", "#e76300"
DOTS = {"color": FOUND, "linestyle": "", "marker": "o", "markersize": 5, "capsize": 3}
MARGIN = 1.4  # of the range of weights, on both sides
POINTS = 400
LINES_NAMED = 10  # units at most that the legend names
SEEDS = "mean and standard deviation over the seeds"
ABOVE_LEFT = {"xytext": (4, 8), "ha": "right", "va": "bottom"}  # where a curve that falls comes to its end
SIDES = (ABOVE_RIGHT, RIGHT, ABOVE_LEFT, BELOW, LEFT)


def rate_distortion(optimum: LinearOptimum, trained: Sequence[TrainedLinear], title: str) -> Figure:
    """All rates and distortions that are best at some kl_weight, the points where a unit joins, and trained models.

    Left: all of it; right: from where half of the units live, upwards. The distortion has no constant.
    """
    figure, panels = new_figure(10, 4.8, columns=2)
    weights = _weights(optimum, trained)
    curve = np.array([(optimum.rates(weight).sum(), optimum.distortion(weight)) for weight in weights])
    joins = np.array([(optimum.rates(value).sum(), optimum.distortion(value)) for value in optimum.eigenvalues])
    groups = by_weight(trained)
    dots = np.array([_mean_point(ones) for ones in groups.values()])
    lasts = (max(curve[:, 0].max(), dots[:, 0].max()), joins[len(joins) // 2][0])
    for axes, last in zip(panels, lasts, strict=True):
        axes.plot(*curve.T, color=LINE, linewidth=2, label="closed form")
        axes.plot(*joins.T, color="black", linestyle="", marker="|", markersize=11, label="kl_weight is an eigenvalue")
        for ones in groups.values():
            rates, distortions = [one.rates.sum() for one in ones], [one.distortion for one in ones]
            center = (np.mean(rates), np.mean(distortions))
            axes.errorbar(*center, yerr=_deviation(distortions), xerr=_deviation(rates), zorder=3, **DOTS)
        points = np.concatenate([curve, dots])
        inside = points[points[:, 0] <= 1.05 * last + 1e-9]
        margin = 0.06 * np.ptp(inside, axis=0) + 1e-3
        axes.set_xlim(-margin[0], inside[:, 0].max() + margin[0])
        axes.set_ylim(inside[:, 1].min() - margin[1], inside[:, 1].max() + 2 * margin[1])
        axes.set_xlabel("rate [nats/image]")
        axes.grid(alpha=0.3)
    panels[0].set_ylabel("distortion without its constant [nats/image]")
    for axes in panels:
        taken = taken_places(axes, np.concatenate([dots, curve]))
        for name, point in zip(weight_names(groups), dots, strict=True):
            if axes.viewLim.contains(*point):
                write_where_free(axes, taken, name, point, SIDES, fontsize=9, color=FOUND)
    panels[0].errorbar([], [], yerr=[], label=f"trained, with their kl_weight: {SEEDS}", **DOTS)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
    figure.suptitle(title)
    return figure


def unit_rates(optimum: LinearOptimum, trained: Sequence[TrainedLinear], title: str) -> Figure:
    """The rate of each unit against the kl_weight: lines of the closed form, and trained models by rank."""
    figure, axes = new_figure(9, 5)
    weights = np.sort(np.concatenate([_weights(optimum, trained), optimum.eigenvalues]))
    rates = np.array([optimum.rates(weight) for weight in weights])  # (weights, latent_dim)
    units = len(optimum.eigenvalues)
    for unit, color in enumerate(weight_colors(units)):
        label = f"unit {unit + 1}" if units <= LINES_NAMED else None
        axes.plot(weights, rates[:, unit], color=color, linewidth=1.5, label=label)
        for kl_weight, ones in by_weight(trained).items():
            found = [one.rates[unit] for one in ones]
            look = {**DOTS, "color": color, "markeredgecolor": "black", "markeredgewidth": 0.6, "ecolor": "black"}
            axes.errorbar(kl_weight, np.mean(found), yerr=_deviation(found), zorder=3, **look)
    axes.set(xscale="log", xlabel="kl_weight at variance 1", ylabel="rate of the unit [nats/image]", title=title)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.grid(alpha=0.3)
    if units <= LINES_NAMED:
        axes.legend(ncols=2, frameon=False, title=f"lines: closed form; dots: trained,\n{SEEDS}")
    return figure


def evidence(optimum: LinearOptimum, trained: Sequence[TrainedLinear], title: str) -> Figure:
    """-log p(x) of probabilistic PCA and the negative ELBO against the variance of a pixel, and the gap between them.

    The trained models are read at weight 1, with their kl_weight as the variance.
    """
    figure, (left, right) = new_figure(10, 4.8, columns=2, sharex=True)
    variances, best = _weights(optimum, trained), optimum.best_variance
    nll, bound = (np.array([of(variance) for variance in variances]) for of in (optimum.nll, optimum.negative_elbo))
    left.plot(variances, nll, color=LINE, linewidth=5, alpha=0.5, label="-log p(x) of probabilistic PCA")
    left.plot(
        variances, bound, color="black", linestyle="--", linewidth=1.2, label="negative ELBO of the best linear VAE"
    )
    right.plot(variances, bound - nll, color="black", linestyle="--", linewidth=1.2)
    for kl_weight, ones in by_weight(trained).items():
        bounds = [one.negative_elbo(optimum) for one in ones]
        gaps = [one.negative_elbo(optimum) - one.nll for one in ones]
        left.errorbar(kl_weight, np.mean(bounds), yerr=_deviation(bounds), zorder=3, **DOTS)
        right.errorbar(kl_weight, np.mean(gaps), yerr=_deviation(gaps), zorder=3, **DOTS)
    left.errorbar([], [], yerr=[], label=f"negative ELBO, trained: {SEEDS}", **DOTS)
    left.axvline(best, color=SECOND, linewidth=1.5, linestyle=":", label="best variance")
    right.axvline(best, color=SECOND, linewidth=1.5, linestyle=":")
    for axes, label in (
        (left, "-log p(x), negative ELBO [nats/image]"),
        (right, "negative ELBO minus -log p(x) [nats/image]"),
    ):
        axes.set(xscale="log", xlabel="variance of a pixel", ylabel=label)
        axes.xaxis.set_major_formatter("{x:g}")
        axes.grid(alpha=0.3)
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
    figure.suptitle(title)
    return figure


def _weights(optimum: LinearOptimum, trained: Sequence[TrainedLinear]) -> np.ndarray:
    """From below the least weight that was trained to above the largest."""
    kl_weights = [optimum.best_variance, *(one.kl_weight for one in trained)]
    return np.geomspace(min(kl_weights) / MARGIN, max(kl_weights) * MARGIN, POINTS)


def _mean_point(ones: Sequence[TrainedLinear]) -> tuple[float, float]:
    return float(np.mean([one.rates.sum() for one in ones])), float(np.mean([one.distortion for one in ones]))


def _deviation(values: Sequence[float]) -> float:
    """The standard deviation over the seeds; 0 of one."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
