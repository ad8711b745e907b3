"""A mistake beside its fix, and what single codes and pixels cost."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from vae_core.figures.classes import class_handles, scatter_classes
from vae_core.figures.style import (
    PIXELS_PER_INCH,
    covering_square,
    epoch_axis,
    latent_axes,
    marker_of,
    new_figure,
    prior_rings,
    ring_handles,
    tile,
)

MISTAKE_COLOR, FIX_COLOR = "#bd1f01", "#3f90da"


@dataclass(frozen=True)
class View:
    """What `mistake_and_fix` shows of a model."""

    history: pd.DataFrame  # with val_objective, the model's own loss
    negative_elbo: float  # the honest one, nats per image
    codes: np.ndarray  # (N, latent_dim), one draw for each validation image, as the decoder gets it
    labels: np.ndarray  # (N,)
    samples: np.ndarray  # (n, n, height, width) in [0, 1], decoded from the prior


def mistake_and_fix(mistake: View, fix: View, class_names: tuple[str, ...], title: str) -> Figure:
    """Curves of both, then mistake | fix: codes as the decoder gets them, and decoded samples of the same prior draws.

    Lines are what each loss reports on the validation images; the markers at the end are the honest negative ELBO. Of
    more than two latent dimensions the first two are shown. The scatter plots have the same axes.
    """
    figure = Figure(figsize=(11, 7.2), dpi=PIXELS_PER_INCH, layout="constrained")
    panels = figure.subplot_mosaic(
        [["curves", "mistake codes", "fix codes"], ["curves", "mistake samples", "fix samples"]],
        width_ratios=(1.15, 1, 1),
    )
    square = covering_square([shown.codes[:, :2] for shown in (mistake, fix)])
    for name, color, shown in (("mistake", MISTAKE_COLOR, mistake), ("fix", FIX_COLOR, fix)):
        history = shown.history
        epochs, reported = history["epoch"], history["val_objective"]
        panels["curves"].plot(epochs, reported, color=color, marker=marker_of(history), label=f"{name}: its own loss")
        dot = {"color": color, "marker": "D" if name == "mistake" else "o", "markersize": 9, "linestyle": ""}
        panels["curves"].plot(epochs.iloc[-1], shown.negative_elbo, **dot, label=f"{name}: negative ELBO")
        codes = panels[f"{name} codes"]
        scatter_classes(codes, shown.codes[:, :2], shown.labels, class_names, size=4)
        prior_rings(codes)
        latent_axes(codes, square)
        codes.set_title(f"{name}: codes")
        samples = panels[f"{name} samples"]
        samples.imshow(tile(shown.samples), cmap="gray", vmin=0, vmax=1)
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
    """The validation objective per epoch: one line for each of four histories, the fix first and thick."""
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
    """The KL of one dimension at mean 0 against the linear layer's output, taken as sigma | as the log-variance.

    terms: from `measures.sigma_terms`
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
    """Against a pixel's logit: its cost from logits and from clipped probabilities, the error, and the gradient.

    saturation: from `measures.saturation`
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
