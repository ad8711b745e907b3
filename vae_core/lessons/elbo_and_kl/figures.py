"""Integrands, bounds, variances and posteriors as figures. Nothing here computes or reads files."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse
from matplotlib.ticker import NullFormatter

from vae_core.figures.style import LINE_COLORS, LINE_STYLES, PIXELS_PER_INCH, epoch_axis, marker_of, new_figure


def kl_areas(z: np.ndarray, curves: Mapping[str, np.ndarray], areas: Mapping[str, float], title: str) -> Figure:
    """Two densities, and the integrand of the KL in each direction, its area shaded by sign.

    z: (N,); curves: q, p and an integrand for each name in areas, (N,) each
    """
    figure, panels = new_figure(10, 4.2, columns=len(areas), sharey=True)
    for axes, (name, area) in zip(panels, areas.items(), strict=True):
        axes.plot(z, curves["q"], color="#3f90da", linewidth=2, label="q")
        axes.plot(z, curves["p"], color="#e76300", linewidth=2, linestyle="--", label="p")
        axes.plot(z, curves[name], color="black", linewidth=1, label="integrand")
        above, below = (curves[name] >= 0), (curves[name] <= 0)
        axes.fill_between(z, curves[name], where=above, color="#832db6", alpha=0.35, linewidth=0, label="counts as +")
        axes.fill_between(z, curves[name], where=below, color="#94a4a2", alpha=0.6, linewidth=0, label="counts as -")
        axes.set(xlabel="z", title=f"{name}: the area is {area:.3f} nats")
        axes.grid(alpha=0.3)
    panels[0].set_ylabel("density; integrand [nats per unit of z]")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=5, frameon=False)
    figure.suptitle(title)
    return figure


def bound(scale: np.ndarray, elbos: Mapping[str, np.ndarray], log_evidence: float, title: str) -> Figure:
    """The ELBO of families of q against their width, below log p(x); scale: (N,), elbos: (N,) each."""
    figure, axes = new_figure(9, 4.4)
    axes.axhline(log_evidence, color="black", linewidth=1.5, label="log p(x)")
    for (name, elbo), color, style in zip(elbos.items(), LINE_COLORS, LINE_STYLES, strict=False):
        axes.plot(scale, elbo, color=color, linestyle=style, linewidth=2, label=f"ELBO, {name}")
        axes.plot(scale[elbo.argmax()], elbo.max(), color=color, marker="o", markersize=8)
        gap = max(log_evidence - elbo.max(), 0)
        axes.annotate(f"gap {gap:.3f}", (scale[elbo.argmax()], elbo.max()), (0, -18), textcoords="offset points")
    axes.set(xscale="log", xlabel="standard deviations of q, as multiples of the best ones", ylabel="nats")
    axes.set_xticks([0.3, 0.5, 1, 2, 3], ["0.3", "0.5", "1", "2", "3"])
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_ylim(log_evidence - 4, log_evidence + 0.4)
    axes.grid(alpha=0.3)
    axes.legend(loc="lower center")
    axes.set_title(title)
    return figure


def variances(
    histories: Mapping[str, pd.DataFrame],
    lines: Mapping[str, float],
    elbos: pd.DataFrame,
    dots: Mapping[str, float],
    title: str,
) -> Figure:
    """The variance of the pixels per epoch, and the negative ELBO of trained models against the variance.

    histories: of the models that learn their variance; lines: other variances to compare with
    elbos: a column per model, a row per variance; dots: the variance that each model has
    """
    figure, (left, right) = new_figure(11, 4.8, columns=2)
    look = {
        name: {"color": color, "linestyle": style, "linewidth": 2}
        for name, color, style in zip(elbos, LINE_COLORS, LINE_STYLES, strict=False)
    }
    for name, history in histories.items():
        left.plot(history["epoch"], history["variance"], label=name, marker=marker_of(history), **look[name])
    for (name, variance), style in zip(lines.items(), (":", "-."), strict=False):
        if variance > 0:  # a logarithmic axis has no 0
            left.axhline(variance, color="#717581", linestyle=style, linewidth=1.5, label=name)
    epoch_axis(left, "variance of a pixel")
    left.set_yscale("log")
    left.yaxis.set_major_formatter("{x:g}")
    left.yaxis.set_minor_formatter("{x:g}")
    left.legend()
    for name in elbos:
        right.plot(elbos.index, elbos[name], label=name, **look[name])
        own = np.interp(np.log(dots[name]), np.log(elbos.index), elbos[name])
        right.plot(dots[name], own, color=look[name]["color"], marker="o", markersize=8)
    right.set(xscale="log", xlabel="variance of a pixel", ylabel="negative ELBO [nats/image]")
    right.grid(alpha=0.3)
    right.legend()
    figure.suptitle(title)
    return figure


def posteriors(rows: Mapping[str, Sequence[Mapping[str, np.ndarray]]], names: Sequence[str], title: str) -> Figure:
    """The posteriors of some images as grey densities, with q(z|x) as ellipses of 1 and 2 standard deviations.

    rows: a list for each model: x, y, density (y, x), mean (2,) and deviation (2,) of each image
    names: of the images
    """
    columns = len(names)
    figure = Figure(figsize=(2.7 * columns + 0.6, 2.8 * len(rows) + 0.9), dpi=PIXELS_PER_INCH, layout="constrained")
    panels = np.asarray(figure.subplots(len(rows), columns)).reshape(len(rows), columns)
    for row, (row_name, planes) in zip(panels, rows.items(), strict=True):
        for axes, plane in zip(row, planes, strict=True):
            axes.pcolormesh(plane["x"], plane["y"], plane["density"], cmap="Greys", rasterized=True)
            for deviations, style in ((1, "-"), (2, "--")):
                size = 2 * deviations * plane["deviation"]
                ring = {"fill": False, "edgecolor": "#e76300", "linewidth": 1.8, "linestyle": style}
                axes.add_patch(Ellipse(plane["mean"], *size, **ring))
            axes.set(aspect="equal")
            axes.locator_params(nbins=4)
            axes.tick_params(labelsize=8)
        row[0].set_ylabel(f"{row_name}\nz[1]")
    for axes, name in zip(panels[0], names, strict=True):
        axes.set_title(name, fontsize=10)
    for axes in panels[-1]:
        axes.set_xlabel("z[0]")
    figure.suptitle(title)
    return figure
