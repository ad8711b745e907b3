"""The plane of rate and distortion, with every run of a sweep. Nothing here trains or reads files."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import Bbox

from vae_core.figures.labels import (
    ABOVE,
    ABOVE_RIGHT,
    BELOW,
    LEFT,
    RIGHT,
    evenly,
    taken_places,
    weight_names,
    write_where_free,
)
from vae_core.figures.style import new_figure, weight_colors
from vae_core.runs import Runs

LINES = 12  # of equal negative ELBO, at most, on the left and again at the top
FLOOR, LIMIT, GREY, CURVE = "#bd1f01", "#832db6", "#888888", "#e76300"


def rate_distortion(runs: Runs, curve: pd.DataFrame | None = None) -> Figure:
    """Every run in the plane of rate and distortion, with lines of equal negative ELBO and the limits of the plane.

    The floor is the least distortion of any decoder; that of a density is far below all runs and not shown. The corner
    is the code that says nothing, at rate 0. Beyond ln N nats, N being the number of test images, a rate cannot be
    information about which image it was. Weights are written beside their runs where there is room, those at both ends
    first.

    curve: `rate` and `distortion` of the one network for every weight, drawn as a line
    """
    measures, kl_weight = runs.measures, runs.settings["kl_weight"]
    first = measures.iloc[0]
    corner, limit = first["zero_information_distortion"], np.log(first["images"])
    has_floor = first.get("entropy_floor", -1) >= 0
    floor = first["entropy_floor"] if has_floor else min(corner, measures["distortion"].min())
    highest = max(corner, measures["distortion"].max())
    right = 2 * max(measures["rate"].max(), limit)
    top = highest + max(12, 0.06 * (highest - floor))
    figure, axes = new_figure(11, 6.6)
    axes.set_xscale("symlog", linthresh=1, linscale=0.6)
    axes.set(xlim=(-0.1, right), ylim=(floor - 8, top))
    axes.set(xlabel="rate [nats/image]", ylabel="distortion [nats/image]")
    axes.xaxis.set_major_formatter("{x:g}")
    bounds = lines_of_equal_bound(axes, floor)
    if has_floor:
        axes.axhline(floor, color=FLOOR, linewidth=1.5)
        words = {"xytext": (-6, 3), "textcoords": "offset points", "color": FLOOR, "ha": "right", "va": "bottom"}
        axes.annotate(f"no decoder is below {floor:.1f}", (right, floor), **words)
    limit_line = axes.axvline(limit, color=LIMIT, linestyle="--", linewidth=1.5)
    axes.annotate(f"  ln N = {limit:.2f}", (limit, floor + 0.12 * (corner - floor)), color=LIMIT)
    axes.scatter([0], [corner], marker="X", s=110, color="black", zorder=3)
    if curve is not None:
        axes.plot(curve["rate"], curve["distortion"], color=CURVE, label="one network for every weight")
        axes.legend(loc=(0.72, 0.28), framealpha=1, edgecolor="none")  # below all runs
    groups = measures.groupby(kl_weight)
    for color, (_, points) in zip(weight_colors(len(groups)), groups, strict=True):
        dots = {"s": 60, "color": color, "edgecolors": "black", "linewidths": 0.5, "zorder": 2}
        axes.scatter(points["rate"], points["distortion"], **dots)
    title = f"{runs.settings['dataset'].iloc[0]}, test images: every run, {{}} kl_weight; grey: equal negative ELBO"
    axes.set_title(title.format("labelled with its"))
    taken = taken_places(axes, np.concatenate([[[0, corner]], measures[["rate", "distortion"]]]))
    taken.append(limit_line.get_window_extent())
    write_where_free(axes, taken, f"no information: {corner:.1f}", (0, corner), (RIGHT, ABOVE_RIGHT))
    places = groups.agg({"rate": "mean", "distortion": "min"})
    if not _name_weights(axes, taken, places):
        axes.set_title(title.format("some labelled with their"))
    for bound, place in bounds.items():
        side = {"xytext": (0, 0), "ha": "left", "va": "bottom" if bound < top else "top"}
        write_where_free(axes, taken, f"{bound:g}", place, [side], color=GREY, fontsize=9)
    return figure


def lines_of_equal_bound(axes: Axes, floor: float) -> dict[float, tuple[float, float]]:
    """Draw lines of equal negative ELBO at round numbers; returns where each of them enters the picture."""
    right, top = axes.get_xlim()[1], axes.get_ylim()[1]
    rates = np.concatenate([np.linspace(0, 1, 50), np.geomspace(1, right, 400)])
    bounds = MaxNLocator(LINES, steps=[1, 2, 5, 10]).tick_values(floor, top)
    round_numbers = np.outer(10.0 ** np.arange(2, 300), [1, 1.5, 2, 3, 5, 7]).ravel()
    beyond = round_numbers[(round_numbers > top) & (round_numbers < 0.8 * right)]
    beyond = beyond[evenly(len(beyond), LINES)] if len(beyond) else beyond
    places = {bound: (0.02, bound) for bound in bounds if floor <= bound < top}
    places |= {bound: (bound - top, top - 1) for bound in beyond}
    for bound in places:
        axes.plot(rates, bound - rates, color="#cccccc", linewidth=0.8, zorder=0)
    return places


def _name_weights(axes: Axes, taken: list[Bbox], places: pd.DataFrame) -> bool:
    """Write the weights, the index of `places`, beside rate and distortion; returns whether all had room."""
    points = list(zip(weight_names(places.index), places.to_numpy(), strict=True))
    ends_first = [*points[::-1][:1], *points[:-1]]
    written = [write_where_free(axes, taken, *point, (BELOW, ABOVE, LEFT, RIGHT)) for point in ends_first]
    return all(written)
