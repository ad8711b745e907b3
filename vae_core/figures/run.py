"""One run: its images, losses, codes and decoded grids. Nothing here trains, decodes or reads files."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from vae_core.figures.classes import class_handles, legend_width, told_apart
from vae_core.figures.codes import scatter_codes
from vae_core.figures.labels import shortened
from vae_core.figures.style import (
    PIXELS_PER_INCH,
    covering_square,
    epoch_axis,
    height_of,
    latent_axes,
    marker_of,
    new_figure,
    prior_handles,
    show_grid,
    show_image,
    show_prior,
)

EPOCH_CURVES = {
    "objective": "objective [nats/image]",
    "distortion": "distortion [nats/image]",
    "rate": "rate [nats/image]",
}
GRID = 960  # pixels: a decoded grid is made larger or smaller if it is far from that
LEGEND = 16  # entries in one column beside a scatter


def image_row(images: np.ndarray, title: str, subtitles: Sequence[str] | None = None) -> Figure:
    """Images side by side; images: (N, height, width, channels) in [0, 1], grey or colour."""
    figure, row = new_figure(9, 0.7 + 0.9 * height_of(images), columns=len(images))
    for axes, image, subtitle in zip(row, images, subtitles or [""] * len(images), strict=True):
        show_image(axes, image)
        axes.set_title(shortened(subtitle, 10), fontsize=10)
        axes.axis("off")
    figure.suptitle(title)
    return figure


def image_pairs(images: np.ndarray, reconstructions: np.ndarray, title: str) -> Figure:
    """Images above their reconstructions; both (N, height, width, channels) in [0, 1], grey or colour."""
    figure, grid = new_figure(9, 0.8 + 1.8 * height_of(images), rows=2, columns=len(images))
    for row, name, pictures in zip(grid, ("image", "decoded mean"), (images, reconstructions), strict=True):
        _name_row(row, name, pictures)
    figure.suptitle(title)
    return figure


def training_curves(history: pd.DataFrame, title: str) -> Figure:
    """Objective, distortion and rate per epoch, training and validation; and the KL weight where it varies."""
    varies = "kl_weight" in history
    figure, panels = new_figure(12, 3.8, columns=len(EPOCH_CURVES) + varies)
    for axes, (name, label) in zip(panels, EPOCH_CURVES.items(), strict=False):
        axes.plot(
            history["epoch"],
            history[name],
            color="#717581",
            linestyle="--",
            marker=marker_of(history),
            label="training",
        )
        axes.plot(
            history["epoch"], history[f"val_{name}"], color="#3f90da", marker=marker_of(history), label="validation"
        )
        epoch_axis(axes, label)
    if varies:
        panels[-1].plot(history["epoch"], history["kl_weight"], color="black", marker=marker_of(history))
        epoch_axis(panels[-1], "kl_weight at the end of the epoch")
    panels[0].legend()
    figure.suptitle(title)
    return figure


def latent_scatter(
    mean: np.ndarray,
    labels: np.ndarray,
    class_names: Sequence[str],
    title: str,
    dimensions: Sequence[int] = (0, 1),
) -> Figure:
    """Latent means coloured by class, in the plane of two dimensions with the prior's rings, or along one of them.

    Along one dimension each class has a band of its own, in which the codes are spread to be seen.

    mean: (N, latent_dim); labels: (N,); class_names: none for images without labels; dimensions: two, or one
    """
    codes = mean[:, list(dimensions)]
    axis_names = len(dimensions) == 1 and told_apart(class_names)
    handles = [] if axis_names else class_handles(class_names)
    handles += prior_handles(len(dimensions))
    columns = -(-len(handles) // LEGEND)
    beside = legend_width([handle.get_label() for handle in handles], columns)
    figure, axes = new_figure(max(9, 6.5 + 1.35 * beside), 7.4)
    scatter_codes(axes, codes, labels, class_names, size=np.clip(40_000 / len(mean), 4, 25))
    show_prior(axes, len(dimensions))
    latent_axes(axes, covering_square([codes]), dimensions)
    axes.set_title(title)
    if axis_names:
        axes.set_yticks(np.arange(len(class_names)) + 0.5, map(shortened, class_names))
    axes.legend(handles=handles, loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, ncols=columns)
    return figure


def decoder_manifold(
    images: np.ndarray,
    latent_axes: np.ndarray,
    title: str,
    share: float,
    dimensions: Sequence[int] = (0, 1),
    latent_dim: int = 2,
) -> Figure:
    """The decoded grid, and below it the share of test codes within its window.

    One image pixel is one screen pixel unless that makes the picture very small or very large.

    images: (rows, n, height, width) or (rows, n, height, width, 3), row 0 at the largest z[1]; one row is a strip
    latent_axes: (2, n), or (1, n) of a strip; share: 0..1; dimensions: those that the axes are, of latent_dim
    """
    rows, columns, height, width = images.shape[:4]
    longest = max(rows * height, columns * width)
    scale = GRID // longest or GRID / longest
    wide, high = (round(scale * pixels) for pixels in (columns * width, rows * height))
    figure = Figure(figsize=((wide + 110) / PIXELS_PER_INCH, (high + 130) / PIXELS_PER_INCH), dpi=PIXELS_PER_INCH)
    axes = figure.add_axes((85 / (wide + 110), 85 / (high + 130), wide / (wide + 110), high / (high + 130)))
    show_grid(axes, images, latent_axes, "none" if scale >= 1 else "antialiased", dimensions)
    others = latent_dim - len(dimensions)
    fixed = f"; other dimensions ({others}) are at 0" if others else ""
    axes.set_xlabel(f"z[{dimensions[0]}]\n{share:.1%} of the test codes lie in this window{fixed}")
    axes.set_title(title)
    return figure


def sample_rows(
    prior: np.ndarray,
    mixture: np.ndarray,
    prior_words: Sequence[str] | None = None,
    mixture_words: Sequence[str] | None = None,
) -> Figure:
    """Decoded samples of the prior above those of the mixture, each under the judge's opinion if there is one.

    prior, mixture: (N, height, width, channels) in [0, 1], grey or colour; words: N each
    """
    figure, rows = new_figure(12, 0.9 + 2 * height_of(prior), rows=2, columns=len(prior))
    for row, name, images in zip(rows, ("prior", "mixture"), (prior, mixture), strict=True):
        _name_row(row, name, images)
    for row, words in zip(rows, (prior_words, mixture_words), strict=True):
        for axes, opinion in zip(row, words or (), strict=False):
            axes.set_title(opinion, fontsize=9)
    return figure


def _name_row(row: np.ndarray, name: str, images: np.ndarray) -> None:
    for axes, image in zip(row, images, strict=True):
        show_image(axes, image)
        axes.set(xticks=[], yticks=[])
    row[0].set_ylabel(name)
