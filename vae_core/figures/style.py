"""What all figures share: size, colours, images, the prior, axes of latent coordinates and of epochs."""

from collections.abc import Iterable, Sequence

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle, Patch
from matplotlib.ticker import MaxNLocator

matplotlib.rcdefaults()  # a matplotlibrc may ask for TeX, other fonts or other sizes

# The ten colours of Petroff 2021, arXiv:2107.02270, which stay apart under the common colour-vision deficiencies, in an
# order that gives the two greys to digits whose codes lie far apart (0 and 1).
CLASS_COLORS = (
    *("#94a4a2", "#717581", "#bd1f01", "#3f90da", "#a96b59"),
    *("#832db6", "#e76300", "#b9ac70", "#ffa90e", "#92dadd"),
)
ONE_COLOR = "#3f90da"  # of codes without classes
LINE_COLORS = ("#3f90da", "#bd1f01", "#ffa90e", "#832db6", "black")
LINE_STYLES = ("-", "--", ":", "-.", (0, (1, 3)))
PIXELS_PER_INCH = 100
PRIOR = "#e6e6e6"  # its density, behind codes
RING = {"fill": False, "edgecolor": "black", "linewidth": 1.2}


def tile(images: np.ndarray) -> np.ndarray:
    """(rows, columns, height, width) -> (rows * height, columns * width); colours, as a last axis, stay."""
    rows, columns, height, width, *colors = images.shape
    return images.swapaxes(1, 2).reshape(rows * height, columns * width, *colors)


def show_image(axes: Axes, image: np.ndarray, **look) -> None:
    """An image in [0, 1], (height, width), (height, width, 1) or (height, width, 3)."""
    if image.shape[2:] == (3,):
        in_bytes = (255 * image.clip(0, 1)).round().astype(np.uint8)  # a grid of large images has millions of pixels
        axes.imshow(in_bytes, **look)
    else:
        axes.imshow(image.reshape(image.shape[:2]), cmap="gray", vmin=0, vmax=1, **look)


def height_of(images: np.ndarray) -> float:
    """The height of images, (N, height, width, channels), for a width of 1."""
    return images.shape[1] / images.shape[2]


def new_figure(width: float, height: float, rows: int = 1, columns: int = 1, **shared):
    """A figure outside pyplot: it need not be closed, and a notebook shows it once."""
    figure = Figure(figsize=(width, height), dpi=PIXELS_PER_INCH, layout="constrained")
    return figure, figure.subplots(rows, columns, **shared)


def prior_rings(axes: Axes) -> None:
    """The circles of one and of two standard deviations of the prior."""
    axes.add_patch(Circle((0, 0), 1, linestyle="-", **RING))
    axes.add_patch(Circle((0, 0), 2, linestyle="--", **RING))


def ring_handles() -> list[Line2D]:
    """Legend entries for the circles."""
    styles = {"prior, 1 sigma": "-", "prior, 2 sigma": "--"}
    return [Line2D([], [], color="black", linestyle=style, label=name) for name, style in styles.items()]


def prior_density(axes: Axes) -> None:
    """The density of the prior of one dimension, from the bottom of the axes almost to their top."""
    z = np.linspace(-4, 4, 201)
    shape = {"color": PRIOR, "linewidth": 0, "zorder": 0}
    axes.fill_between(z, 0.95 * np.exp(-(z**2) / 2), transform=axes.get_xaxis_transform(), **shape)


def show_prior(axes: Axes, dimensions: int) -> None:
    """The prior behind or around codes, in a plane as rings, in a strip of one dimension as its density."""
    if dimensions == 2:
        prior_rings(axes)
    else:
        prior_density(axes)


def prior_handles(dimensions: int) -> list[Artist]:
    """Legend entries for the prior in a plane, or in a strip of one dimension."""
    return ring_handles() if dimensions == 2 else [Patch(color=PRIOR, label="density of the prior")]


def covering_square(clouds: Iterable[np.ndarray]) -> tuple[float, ...]:
    """The smallest square (x from, x to, y from, y to) around the prior's rings and finite points, with a margin.

    clouds: (N, 2) each; of (N, 1) each, the interval (x from, x to)
    """
    clouds = list(clouds)
    rings = np.repeat([[-2.2], [2.2]], clouds[0].shape[1], axis=1)
    points = np.concatenate([*clouds, rings])  # (N, 2)
    points = points[np.isfinite(points).all(axis=1)]
    middle, half = (points.min(axis=0) + points.max(axis=0)) / 2, 0.525 * np.ptp(points, axis=0).max()
    return tuple(np.stack([middle - half, middle + half], axis=1).ravel())


def latent_axes(axes: Axes, square: Sequence[float], dimensions: Sequence[int] = (0, 1)) -> None:
    """Give a latent plane its window (x from, x to, y from, y to) and its labels, a strip (x from, x to) and its label.

    dimensions: the latent dimensions that are shown
    """
    axes.set_xlabel(f"z[{dimensions[0]}]")
    if len(dimensions) == 1:
        axes.set(xlim=square[:2], yticks=[])
    else:
        axes.axis(square)
        axes.set(aspect="equal", ylabel=f"z[{dimensions[1]}]")
    axes.locator_params(axis="x" if len(dimensions) == 1 else "both", nbins=6)


def show_grid(
    axes: Axes,
    images: np.ndarray,
    latent_axes: np.ndarray,
    interpolation: str = "none",
    dimensions: Sequence[int] = (0, 1),
) -> None:
    """A decoded grid with latent coordinates on its axes; pixels count downwards while z[1] grows upwards.

    images: (rows, n, height, width) or (rows, n, height, width, 3), row 0 at the largest z[1]
    latent_axes: (2, n), the columns' z[0] and the rows' z[1] upwards; (1, n) of a strip, which is one row
    dimensions: the latent dimensions that the axes are, in place of 0 and 1
    """
    rows, columns, height, width = images.shape[:4]
    show_image(axes, tile(images), interpolation=interpolation)
    marks = _round_numbers(latent_axes[0])
    axes.set_xticks(np.interp(marks, latent_axes[0], _middles(columns, width)), [f"{mark:g}" for mark in marks])
    axes.set(xlabel=f"z[{dimensions[0]}]", yticks=[])
    if len(latent_axes) > 1:
        marks = _round_numbers(latent_axes[1])
        upwards = rows * height - 1 - np.interp(marks, latent_axes[1], _middles(rows, height))
        axes.set_yticks(upwards, [f"{mark:g}" for mark in marks])
        axes.set_ylabel(f"z[{dimensions[1]}]")


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


def _middles(cells: int, pixels: int) -> np.ndarray:
    return (np.arange(cells) + 0.5) * pixels - 0.5


def _round_numbers(axis: np.ndarray) -> np.ndarray:
    marks = MaxNLocator(nbins=7, steps=[1, 2, 5, 10]).tick_values(axis[0], axis[-1])
    return marks[(marks >= axis[0] - 1e-9) & (marks <= axis[-1] + 1e-9)]
