"""What all figures share: size, colours, the prior's rings, axes of latent coordinates and of epochs."""

from collections.abc import Iterable

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle
from matplotlib.ticker import MaxNLocator

matplotlib.rcdefaults()  # a matplotlibrc may ask for TeX, other fonts or other sizes

# The ten colours of Petroff 2021, arXiv:2107.02270, which stay apart under the common colour-vision deficiencies, in an
# order that gives the two greys to digits whose codes lie far apart (0 and 1).
CLASS_COLORS = (
    *("#94a4a2", "#717581", "#bd1f01", "#3f90da", "#a96b59"),
    *("#832db6", "#e76300", "#b9ac70", "#ffa90e", "#92dadd"),
)
LINE_COLORS = ("#3f90da", "#bd1f01", "#ffa90e", "#832db6", "black")
LINE_STYLES = ("-", "--", ":", "-.", (0, (1, 3)))
PIXELS_PER_INCH = 100
RING = {"fill": False, "edgecolor": "black", "linewidth": 1.2}


def tile(images: np.ndarray) -> np.ndarray:
    """(rows, columns, height, width) -> (rows * height, columns * width)."""
    rows, columns, height, width = images.shape
    return images.swapaxes(1, 2).reshape(rows * height, columns * width)


def new_figure(width: float, height: float, rows: int = 1, columns: int = 1, sharey: bool = False):
    """A figure outside pyplot: it need not be closed, and a notebook shows it once."""
    figure = Figure(figsize=(width, height), dpi=PIXELS_PER_INCH, layout="constrained")
    return figure, figure.subplots(rows, columns, sharey=sharey)


def scatter_classes(axes: Axes, mean: np.ndarray, labels: np.ndarray, size: float) -> None:
    """Latent means in the colours of their classes; mean: (N, 2), labels: (N,)."""
    axes.scatter(mean[:, 0], mean[:, 1], c=np.array(CLASS_COLORS)[labels], s=size, linewidths=0, rasterized=True)


def prior_rings(axes: Axes) -> None:
    """The circles of one and of two standard deviations of the prior."""
    axes.add_patch(Circle((0, 0), 1, linestyle="-", **RING))
    axes.add_patch(Circle((0, 0), 2, linestyle="--", **RING))


def ring_handles() -> list[Line2D]:
    """Legend entries for the circles."""
    styles = {"prior, 1 sigma": "-", "prior, 2 sigma": "--"}
    return [Line2D([], [], color="black", linestyle=style, label=name) for name, style in styles.items()]


def class_handles(class_names: tuple[str, ...]) -> list[Line2D]:
    """Legend entries for the class colours."""
    return [
        Line2D([], [], color=color, marker="o", markersize=8, linestyle="", label=name)
        for color, name in zip(CLASS_COLORS, class_names, strict=False)
    ]


def covering_square(clouds: Iterable[np.ndarray]) -> tuple[float, float, float, float]:
    """The smallest square (x from, x to, y from, y to) around the prior's rings and finite points, with a margin."""
    points = np.concatenate([*clouds, [[-2.2, -2.2], [2.2, 2.2]]])  # (N, 2)
    points = points[np.isfinite(points).all(axis=1)]
    middle, half = (points.min(axis=0) + points.max(axis=0)) / 2, 0.525 * np.ptp(points, axis=0).max()
    return (middle[0] - half, middle[0] + half, middle[1] - half, middle[1] + half)


def latent_axes(axes: Axes, square: tuple[float, float, float, float]) -> None:
    """Give a latent plane its window (x from, x to, y from, y to) and its labels."""
    axes.axis(square)
    axes.set(aspect="equal", xlabel="z[0]", ylabel="z[1]")
    axes.locator_params(nbins=6)


def show_grid(axes: Axes, images: np.ndarray, latent_axes: np.ndarray, interpolation: str = "none") -> None:
    """A decoded grid with latent coordinates on its axes; pixels count downwards while z[1] grows upwards.

    images: (n, n, height, width), row 0 at the largest z[1]
    latent_axes: (2, n), the columns' z[0] and the rows' z[1] upwards
    """
    pixels, middles = images.shape[3], (np.arange(images.shape[0]) + 0.5) * images.shape[3] - 0.5  # of the cells
    axes.imshow(tile(images), cmap="gray", vmin=0, vmax=1, interpolation=interpolation)
    x_marks, y_marks = (_round_numbers(axis) for axis in latent_axes)
    axes.set_xticks(np.interp(x_marks, latent_axes[0], middles), [f"{mark:g}" for mark in x_marks])
    upwards = len(images) * pixels - 1 - np.interp(y_marks, latent_axes[1], middles)
    axes.set_yticks(upwards, [f"{mark:g}" for mark in y_marks])
    axes.set(xlabel="z[0]", ylabel="z[1]")


def epoch_axis(axes: Axes, label: str) -> None:
    """Whole epochs below, the loss with its unit on the left."""
    axes.set(xlabel="epoch", ylabel=label)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))  # of one epoch there is one
    axes.grid(alpha=0.3)


def marker_of(history: pd.DataFrame) -> str:
    """A marker if there is only one epoch, which makes no line."""
    return "o" if len(history) == 1 else ""


def weight_colors(weights: int) -> np.ndarray:
    """One colour per weight, from dark to light as the weight grows: (weights, 4)."""
    return matplotlib.colormaps["viridis"](np.linspace(0, 0.92, weights))


def _round_numbers(axis: np.ndarray) -> np.ndarray:
    marks = MaxNLocator(nbins=7, steps=[1, 2, 5, 10]).tick_values(axis[0], axis[-1])
    return marks[(marks >= axis[0] - 1e-9) & (marks <= axis[-1] + 1e-9)]
