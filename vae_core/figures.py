"""Arrays to matplotlib figures: the prior, one run, and the lessons. Nothing here trains, decodes or reads files."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from vae_core.canvas import (
    CLASS_COLORS,
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
    tile,
)

EPOCH_CURVES = {
    "objective": "objective [nats/image]",
    "distortion": "distortion [nats/image]",
    "rate": "rate [nats/image]",
}
MISTAKE_COLOR, FIX_COLOR = "#bd1f01", "#3f90da"
WRITTEN_STYLES = (
    {"color": "#94a4a2", "linewidth": 7},  # wide, so that a curve on top of it leaves it to be seen
    {"color": "#3f90da", "linewidth": 1.5},
    {"color": "#bd1f01", "linewidth": 2, "linestyle": "--"},
    {"color": "black", "linewidth": 2, "linestyle": ":"},
    {"color": "#832db6", "linewidth": 2},
)


def prior_cloud(z: np.ndarray) -> Figure:
    """Samples of the 2-D prior with its 1- and 2-sigma rings, and the shares within them; z: (N, 2)."""
    radius = np.linalg.norm(z, axis=1)  # (N,)
    shares = ", ".join(f"{np.mean(radius < sigma):.1%} within {sigma} sigma" for sigma in (1, 2))
    figure, axes = new_figure(7.2, 7.2)
    axes.scatter(z[:, 0], z[:, 1], s=5, color=CLASS_COLORS[3], linewidths=0)
    prior_rings(axes)
    latent_axes(axes, (-4.5, 4.5, -4.5, 4.5))
    axes.set_title(f"{len(z):,} samples of the prior N(0, I): {shares}")
    axes.legend(handles=ring_handles(), loc="upper right")
    return figure


def kl_terms(mean: np.ndarray, deviation: np.ndarray, kl_of_mean: np.ndarray, kl_of_deviation: np.ndarray) -> Figure:
    """The KL term of one latent dimension, against its mean (at deviation 1) and its deviation (at mean 0)."""
    figure, (left, right) = new_figure(10, 4.2, columns=2, sharey=True)
    left.plot(mean, kl_of_mean, linewidth=2)
    left.set(xlabel="mean of q(z|x), at standard deviation 1", ylabel="KL(q(z|x) || p(z)) [nats]", ylim=(0, None))
    right.plot(deviation, kl_of_deviation, linewidth=2)
    right.set(xlabel="standard deviation of q(z|x), at mean 0", xscale="log")
    for axes in (left, right):
        axes.grid(alpha=0.3)
    return figure


def image_row(images: np.ndarray, title: str, subtitles: list[str] | None = None) -> Figure:
    """Images side by side; images: (N, 28, 28, 1) in [0, 1]."""
    figure, row = new_figure(9, 1.6, columns=len(images))
    for axes, image, subtitle in zip(row, images, subtitles or [""] * len(images), strict=True):
        axes.imshow(image[..., 0], cmap="gray", vmin=0, vmax=1)
        axes.set_title(subtitle, fontsize=10)
        axes.axis("off")
    figure.suptitle(title)
    return figure


def image_pairs(images: np.ndarray, reconstructions: np.ndarray, title: str) -> Figure:
    """Images above their reconstructions; both (N, 28, 28, 1) in [0, 1]."""
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

    images: (n, n, 28, 28), row 0 at the largest z[1]; latent_axes: (2, n); share: 0..1
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
    """Decoded samples of the prior above decoded samples of the mixture, each under what the judge takes it for.

    prior, mixture: (N, 28, 28, 1) in [0, 1]; words: N each
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


def written_curves(histories: Mapping[str, pd.DataFrame], title: str) -> Figure:
    """Runs whose losses are written otherwise: distortion and rate per epoch, and how far each is from the first.

    histories: for each of at most five ways of writing its history, the first the one to compare with
    """
    figure, panels = new_figure(12, 5, columns=3)
    first = next(iter(histories.values()))
    for (name, history), style in zip(histories.items(), WRITTEN_STYLES, strict=False):
        style = {"marker": marker_of(history), "label": name, **style}
        panels[0].plot(history["epoch"], history["val_distortion"], **style)
        panels[1].plot(history["epoch"], history["val_rate"], **style)
        if history is not first:
            difference = history["val_distortion"] + history["val_rate"] - first["val_distortion"] - first["val_rate"]
            panels[2].plot(history["epoch"], difference.abs(), **style)
    labels = ("distortion [nats/image]", "rate [nats/image]", "negative ELBO: distance from the first [nats/image]")
    for axes, label in zip(panels, labels, strict=True):
        epoch_axis(axes, label)
    panels[2].set_yscale("log")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
    figure.suptitle(title)
    return figure


def mistake_and_fix(
    mistake: Mapping[str, object], fix: Mapping[str, object], class_names: tuple[str, ...], title: str
) -> Figure:
    """Curves of both, then mistake | fix: codes as the decoder gets them, and decoded samples of the same prior draws.

    Lines are what each loss reports on the validation images; the dots at the end are the honest negative ELBO. Of more
    than two latent dimensions the first two are shown. The scatter plots have the same axes.

    mistake, fix: history, negative_elbo, codes (N, latent_dim), labels (N,), samples (n, n, 28, 28) in [0, 1]
    """
    figure = Figure(figsize=(11, 7.2), dpi=PIXELS_PER_INCH, layout="constrained")
    panels = figure.subplot_mosaic(
        [["curves", "mistake codes", "fix codes"], ["curves", "mistake samples", "fix samples"]],
        width_ratios=(1.15, 1, 1),
    )
    square = covering_square([shown["codes"][:, :2] for shown in (mistake, fix)])
    for name, color, shown in (("mistake", MISTAKE_COLOR, mistake), ("fix", FIX_COLOR, fix)):
        history = shown["history"]
        epochs, reported = history["epoch"], history["val_objective"]
        panels["curves"].plot(epochs, reported, color=color, marker=marker_of(history), label=f"{name}: its own loss")
        dot = {"color": color, "marker": "D" if name == "mistake" else "o", "markersize": 9, "linestyle": ""}
        panels["curves"].plot(epochs.iloc[-1], shown["negative_elbo"], **dot, label=f"{name}: negative ELBO")
        codes = panels[f"{name} codes"]
        scatter_classes(codes, shown["codes"][:, :2], shown["labels"], size=4)
        prior_rings(codes)
        latent_axes(codes, square)
        codes.set_title(f"{name}: codes")
        samples = panels[f"{name} samples"]
        samples.imshow(tile(shown["samples"]), cmap="gray", vmin=0, vmax=1)
        samples.set(xticks=[], yticks=[], title=f"{name}: samples from the prior")
    epoch_axis(panels["curves"], "validation images [nats/image]")
    bottom, top = panels["curves"].get_ylim()
    panels["curves"].set_ylim(bottom, top + 0.22 * (top - bottom))  # room for the legend, clear of all lines
    panels["curves"].legend(loc="upper right")
    handles = class_handles(class_names) + ring_handles()
    figure.legend(handles=handles, loc="outside lower right", ncols=6, frameon=False)
    figure.suptitle(title)
    return figure


def validation_curves(histories: Mapping[str, pd.DataFrame], title: str) -> Figure:
    """The validation objective per epoch, one line for each of four names, the fix first and thick."""
    figure, axes = new_figure(9, 4.2)
    styles = zip((FIX_COLOR, MISTAKE_COLOR, "black", "#ffa90e"), (6, 2, 2, 2), strict=True)
    for (name, history), (color, width) in zip(histories.items(), styles, strict=True):
        line = {"color": color, "linewidth": width, "marker": marker_of(history)}
        axes.plot(history["epoch"], history["val_objective"], label=name, **line)
    epoch_axis(axes, "validation objective [nats/image]")
    axes.legend()
    axes.set_title(title)
    return figure


def sigma_outputs(terms: pd.DataFrame, title: str) -> Figure:
    """The KL of one dimension at mean 0 against the linear layer's output: taken for sigma | for log-variance.

    terms: output, sigma, log_var
    """
    figure, panels = new_figure(10, 3.8, columns=2, sharey=True)
    labels = {"sigma": "mistake: output is sigma", "log_var": "fix: output is the log-variance"}
    for axes, (name, label), color in zip(panels, labels.items(), (MISTAKE_COLOR, FIX_COLOR), strict=True):
        axes.plot(terms["output"], terms[name], color=color, linewidth=2)
        axes.set(xlabel="output of the linear layer", title=label)
        axes.grid(alpha=0.3)
    panels[0].set_ylabel("KL(q(z|x) || p(z)) [nats]")
    figure.suptitle(title)
    return figure


def saturated_pixels(saturation: pd.DataFrame, title: str) -> Figure:
    """Cost of one pixel against its logit, from logits and from clipped probabilities, the error, and the gradient.

    saturation: logit, pixel (0 or 1), exact, clipped, error, exact_gradient, clipped_gradient
    """
    figure, (cost, error, gradient) = new_figure(11, 4.2, columns=3)
    for (pixel, table), color in zip(saturation.groupby("pixel"), ("#3f90da", "#e76300"), strict=True):
        name = f"{'white' if pixel else 'black'} pixel"
        for axes, suffix in ((cost, ""), (gradient, "_gradient")):
            axes.plot(table["logit"], table[f"exact{suffix}"], color=color, linestyle="--", label=f"{name}, logits")
            axes.plot(table["logit"], table[f"clipped{suffix}"], color=color, label=f"{name}, clipped")
        error.plot(table["logit"], table["error"], color=color, label=name)
    cost.set(ylabel="cost of the pixel [nats]", title="cost")
    error.set(ylabel="clipped - exact [nats]", title="error")
    gradient.set(ylabel="d cost / d logit", title="gradient")
    for axes in (cost, error, gradient):
        axes.set_xlabel("logit")
        axes.grid(alpha=0.3)
    figure.legend(*cost.get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False)
    figure.suptitle(title)
    return figure
