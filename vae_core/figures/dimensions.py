"""The latent dimensions of one run, by rank of their rate: what each costs, and what it draws."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from vae_core.figures.style import height_of, new_figure, show_image, tile

ACTIVE, DEAD = "#3f90da", "#94a4a2"
FEW = 6  # bars, below which there is room for more: one bar need not be a wall
NAMED = 40  # dimensions with a name each below a picture
TRAVERSED = 7.5  # inches, the width of a sheet of traversals without its words


def dimension_bars(rates: np.ndarray, spreads: np.ndarray, threshold: float, title: str) -> Figure:
    """The rate of each dimension as a bar, the largest first, and below it what decides whether the unit is active.

    A unit is active where the variance over the images of its posterior mean is above a threshold (Burda et al. 2016),
    which is a criterion of its own and no rate: it has its own panel, with the threshold as a line.

    rates: nats/image, (latent_dim,); spreads: Var over x of E[z|x], (latent_dim,)
    """
    order = np.argsort(-rates, kind="stable")
    rates, spreads, ranks = rates[order], spreads[order], np.arange(1, len(rates) + 1)
    active = spreads > threshold
    figure, (above, below) = new_figure(11, 5.6, rows=2, sharex=True, height_ratios=(3, 2))
    above.bar(ranks, rates, 0.8, color=np.where(active, ACTIVE, DEAD))
    above.set_ylabel("rate [nats/image]")
    for rows, color in ((active, ACTIVE), (~active, DEAD)):
        below.scatter(ranks[rows], spreads[rows], color=color, s=30)
    below.axhline(threshold, color="black", linestyle="--", linewidth=1)
    below.annotate(f"{threshold:g}", (1, threshold), xycoords=below.get_yaxis_transform(), ha="right", va="bottom")
    below.set(yscale="log", ylabel="variance of\nthe posterior mean", xlim=(0.3, max(len(rates), FEW) + 0.7))
    _rank_axis(below, order)
    for axes in (above, below):
        axes.grid(alpha=0.3, axis="y")
        axes.set_axisbelow(True)
    counts = (active.sum(), (~active).sum())
    names = (f"active: variance above {threshold:g}", "not active")
    handles = [
        Patch(color=color, label=f"{name} ({count})")
        for color, name, count in zip((ACTIVE, DEAD), names, counts, strict=True)
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False)
    figure.suptitle(title)
    return figure


def traversal_sheet(
    images: np.ndarray, dimensions: Sequence[int], positions: np.ndarray, rates: np.ndarray, title: str
) -> Figure:
    """What each dimension draws, a row each, from the lowest position to the highest, all others at 0.

    images: (rows, steps, height, width) or (rows, steps, height, width, 3) in [0, 1]
    dimensions: (rows,), by rank; positions: (steps,); rates: of these dimensions in nats/image, (rows,)
    """
    rows, steps = images.shape[:2]
    figure, axes = new_figure(TRAVERSED + 1.5, TRAVERSED * rows / steps * height_of(images[0]) + 1)
    show_traversals(
        axes,
        images,
        [f"z[{dimension}]  {rate:.2f}" for dimension, rate in zip(dimensions, rates, strict=True)],
        positions,
    )
    axes.set_title(f"{title}\nrows: dimensions by rank, with their rates [nats/image]", fontsize=12)
    return figure


def show_traversals(axes: Axes, images: np.ndarray, names: Sequence[str], positions: np.ndarray) -> None:
    """Rows of images with white lines between them, the names of the rows and the positions in the latent space."""
    height, width = images.shape[2] + 1, images.shape[3] + 1
    framed = np.pad(images, [(0, 0), (0, 0), (0, 1), (0, 1)] + [(0, 0)] * (images.ndim - 4), constant_values=1)
    show_image(axes, tile(framed)[:-1, :-1], interpolation="nearest")
    axes.set_yticks((np.arange(len(images)) + 0.5) * height - 1, names)
    axes.set_xticks((np.arange(len(positions)) + 0.5) * width - 1, [f"{position:g}" for position in positions.round(2)])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_xlabel("coordinate, all others at 0")


def _rank_axis(axes: Axes, order: np.ndarray) -> None:
    """The names of the dimensions below them; of many only ranks, since names would be too small to read."""
    if len(order) <= NAMED:
        names, upright = [f"z[{dimension}]" for dimension in order], len(order) > 16
        axes.set_xticks(range(1, len(order) + 1), names, rotation=90 if upright else 0)
        axes.set_xlabel("latent dimension, by rank of its rate")
    else:
        axes.set_xlabel("rank of the latent dimension by its rate")
