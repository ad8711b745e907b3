"""One run: its images, losses, codes and decoded grids. Nothing here trains, decodes or reads files."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from vae_core.figures.style import (
    PIXELS_PER_INCH,
    class_handles,
    covering_square,
    epoch_axis,
    latent_axes,
    marker_of,
    new_figure,
    prior_rings,
    ring_handles,
    scatter_classes,
    show_grid,
)

EPOCH_CURVES = {
    "objective": "objective [nats/image]",
    "distortion": "distortion [nats/image]",
    "rate": "rate [nats/image]",
}


def image_row(images: np.ndarray, title: str, subtitles: list[str] | None = None) -> Figure:
    """Images side by side; images: (N, height, width, 1) in [0, 1]."""
    figure, row = new_figure(9, 1.6, columns=len(images))
    for axes, image, subtitle in zip(row, images, subtitles or [""] * len(images), strict=True):
        axes.imshow(image[..., 0], cmap="gray", vmin=0, vmax=1)
        axes.set_title(subtitle, fontsize=10)
        axes.axis("off")
    figure.suptitle(title)
    return figure


def image_pairs(images: np.ndarray, reconstructions: np.ndarray, title: str) -> Figure:
    """Images above their reconstructions; both (N, height, width, 1) in [0, 1]."""
    figure, grid = new_figure(9, 2.6, rows=2, columns=len(images))
    for row, name, pictures in zip(grid, ("image", "decoded mean"), (images, reconstructions), strict=True):
        for axes, picture in zip(row, pictures, strict=True):
            axes.imshow(picture[..., 0], cmap="gray", vmin=0, vmax=1)
            axes.set(xticks=[], yticks=[])
        row[0].set_ylabel(name)
    figure.suptitle(title)
    return figure


def training_curves(history: pd.DataFrame, title: str) -> Figure:
    """Objective, distortion and rate per epoch, training and validation."""
    figure, panels = new_figure(12, 3.8, columns=len(EPOCH_CURVES))
    for axes, (name, label) in zip(panels, EPOCH_CURVES.items(), strict=True):
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
    panels[0].legend()
    figure.suptitle(title)
    return figure


def latent_scatter(mean: np.ndarray, labels: np.ndarray, class_names: tuple[str, ...], title: str) -> Figure:
    """Latent means coloured by class, with the prior's rings; mean: (N, 2), labels: (N,)."""
    figure, axes = new_figure(9, 7.4)
    scatter_classes(axes, mean, labels, size=np.clip(40_000 / len(mean), 4, 25))
    prior_rings(axes)
    latent_axes(axes, covering_square([mean]))
    axes.set_title(title)
    handles = class_handles(class_names) + ring_handles()
    axes.legend(handles=handles, loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
    return figure


def decoder_manifold(images: np.ndarray, latent_axes: np.ndarray, title: str, share: float) -> Figure:
    """The decoded grid at one image pixel per screen pixel, and below it the share of test codes within its window.

    images: (n, n, height, width), row 0 at the largest z[1]; latent_axes: (2, n); share: 0..1
    """
    side = images.shape[1] * images.shape[3]
    width, height = side + 110, side + 130
    figure = Figure(figsize=(width / PIXELS_PER_INCH, height / PIXELS_PER_INCH), dpi=PIXELS_PER_INCH)
    axes = figure.add_axes((85 / width, 85 / height, side / width, side / height))
    show_grid(axes, images, latent_axes)
    axes.set_xlabel(f"z[0]\n{share:.1%} of the test codes lie in this window")
    axes.set_title(title)
    return figure


def sample_rows(prior: np.ndarray, mixture: np.ndarray, prior_words: list[str], mixture_words: list[str]) -> Figure:
    """Decoded samples of the prior above decoded samples of the mixture, each under the judge's opinion.

    prior, mixture: (N, height, width, 1) in [0, 1]; words: N each
    """
    figure, rows = new_figure(12, 2.9, rows=2, columns=len(prior))
    names, pictures, words = ("prior", "mixture"), (prior, mixture), (prior_words, mixture_words)
    for row, name, images, titles in zip(rows, names, pictures, words, strict=True):
        for axes, image, title in zip(row, images, titles, strict=True):
            axes.imshow(image[..., 0], cmap="gray", vmin=0, vmax=1)
            axes.set(xticks=[], yticks=[])
            axes.set_title(title, fontsize=9)
        row[0].set_ylabel(name)
    return figure
