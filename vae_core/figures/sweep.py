"""Figures of a whole sweep, from its tables and the arrays of its runs. Nothing here trains or reads files."""

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse

from vae_core.figures.labels import evenly, weight_names
from vae_core.figures.style import (
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
    weight_colors,
)
from vae_core.runs import Latent

NEAR_PRIOR = (-4.0, 4.0, -4.0, 4.0)
COLUMNS = 4
NAMED = 12  # weights in a legend
TICKS = 26  # weights on an axis
ROOM = 50  # characters beside each other, with a gap between words, below half of a figure
LEAST_WIDTH = 9.0  # inches
POSTERIOR = "#e4007c"  # neither a class nor the prior
LEAST_RATE = 0.01  # below it the parts of a rate are the noise of their estimates
SWEEP_CURVES = {
    "val_distortion": "distortion [nats/image]",
    "val_rate": "rate [nats/image]",
    "val_negative_elbo": "negative ELBO [nats/image]",
}
SPLIT = {"rate": "#717581", "mutual_information": "#3f90da", "marginal_kl": "#e76300"}


def rate_split(losses: pd.DataFrame, information_limit: float) -> Figure:
    """What the rate is spent on, per weight: in nats on the left, as shares on the right.

    losses: one row per weight, with mean and standard deviation; information_limit: ln N
    """
    figure, (left, right) = new_figure(12, 4.8, columns=2)
    places = np.arange(len(losses))
    for (name, color), shift in zip(SPLIT.items(), (-0.08, 0, 0.08), strict=True):
        values, errors = losses[f"{name}_mean"], losses[f"{name}_std"].fillna(0)
        left.errorbar(places + shift, values, errors, color=color, label=name, **_points(losses))
    left.axhline(information_limit, color=SPLIT["mutual_information"], linestyle="--", linewidth=1)
    beside = {"xytext": (0, 4), "textcoords": "offset points", "ha": "right", "va": "bottom"}  # the last point
    left.annotate(f"ln N = {information_limit:.2f}", (places[-1], information_limit), **beside)
    left.set_yscale("symlog", linthresh=0.01)  # estimates of nothing may be below 0
    lowest = losses[[f"{name}_mean" for name in SPLIT]].min().min()
    left.set_ylim(bottom=min(0, 2 * lowest), top=3 * losses["rate_mean"].max() + information_limit)
    left.yaxis.set_major_formatter("{x:g}")
    left.set_ylabel("nats/image")
    both = losses["mutual_information_mean"] + losses["marginal_kl_mean"]
    shares = (losses["mutual_information_mean"] / both).where(losses["rate_mean"] > LEAST_RATE)
    width = 0.8 if _few(losses) else 1
    right.bar(places, shares, width, color=SPLIT["mutual_information"])
    right.bar(places, 1 - shares, width, bottom=shares, color=SPLIT["marginal_kl"])
    right.set(ylabel="share of the rate", ylim=(0, 1))
    for axes in (left, right):
        _weight_axis(axes, losses)
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=len(SPLIT))
    return figure


def dimensions(ranked: pd.DataFrame, losses: pd.DataFrame) -> Figure:
    """The rate of each latent dimension, the larger first, and the number of active units, against the weight.

    ranked: `tables.ranked_rates`; losses: `tables.loss_table`
    """
    figure, (left, right) = new_figure(12, 4.4, columns=2)
    places, latent_dim = np.arange(len(losses)), ranked["mean"].shape[1]
    for rank in range(latent_dim):
        values, errors = ranked["mean", rank], ranked["std", rank].fillna(0)
        left.errorbar(places, values, errors, label=f"dimension of rank {rank + 1}", **_points(losses))
    left.set_yscale("log")
    _plain_numbers(left)
    left.set_ylabel("rate of one dimension [nats/image]")
    left.legend()
    active, spread = losses["active_units_mean"], losses["active_units_std"].fillna(0)
    right.errorbar(places, active, spread, color="black", **_points(losses))
    right.set(ylabel=f"active units, of {latent_dim}", ylim=(-0.1, latent_dim + 0.2), yticks=range(latent_dim + 1))
    for axes in (left, right):
        _weight_axis(axes, losses)
    return figure


def latent_scatters(
    codes: Mapping[float, tuple[np.ndarray, np.ndarray]], class_names: tuple[str, ...], title: str
) -> Figure:
    """One scatter per kl_weight, twice: on axes that cover all codes, then on axes that fit the prior.

    Within each half all panels have the same axes. The lower half says which share of the codes lies outside it.

    codes: for each kl_weight the latent means, (N, 2), and their labels, (N,)
    """
    rows, columns, side = _shape(len(codes), 3.5)
    wide = covering_square(mean for mean, _ in codes.values())
    figure, panels = new_figure(columns * side, 2 * rows * (side + 0.1) + 1.4, rows=2 * rows, columns=columns)
    for half, square in ((panels[:rows], wide), (panels[rows:], NEAR_PRIOR)):
        for axes, name, (mean, labels) in _panels(half, codes):
            scatter_classes(axes, mean, labels, size=2)
            prior_rings(axes)
            latent_axes(axes, square)
            outside = np.mean(np.abs(mean).max(axis=1) > NEAR_PRIOR[1])
            note = f"\n{outside:.1%} of codes outside" if square == NEAR_PRIOR else ""
            axes.set_title(f"kl_weight {name}{note}")
    _class_legend(figure, class_names)
    halves = "upper half: the same axes, covering every code; lower half: the same axes, fitting the prior"
    figure.suptitle(f"{title}\n{halves}")
    return figure


def posterior_ellipses(
    codes: Mapping[float, tuple[np.ndarray, np.ndarray, np.ndarray]], class_names: tuple[str, ...], title: str
) -> Figure:
    """One scatter per kl_weight, each on axes of its own, with q(z|x) of some images as ellipses of two deviations.

    codes: for each kl_weight mean and log-variance of q(z|x), (N, 2) each, and the labels, (N,)
    """
    rows, columns, side = _shape(len(codes), 3.5)
    figure, panels = new_figure(columns * side, rows * (side + 0.1) + 1.6, rows=rows, columns=columns)
    for axes, name, (mean, log_var, labels) in _panels(panels, codes):
        scatter_classes(axes, mean, labels, size=2)
        for center, size in zip(mean[:25], 4 * np.exp(log_var[:25] / 2), strict=True):  # width and height
            axes.add_patch(Ellipse(center, *size, fill=False, edgecolor=POSTERIOR, linewidth=1))
        prior_rings(axes)
        reach = 2 * np.exp(log_var[:25] / 2)
        latent_axes(axes, covering_square([mean, mean[:25] - reach, mean[:25] + reach]))
        axes.set_title(f"kl_weight {name}")
    _class_legend(figure, class_names)
    figure.suptitle(
        f"{title}\neach on its own axes; pink: q(z|x) of 25 images, two standard deviations (specks if narrow)"
    )
    return figure


def decoder_manifolds(manifolds: Mapping[float, tuple[np.ndarray, np.ndarray, float]], title: str) -> Figure:
    """One decoded grid per kl_weight, every second cell of each, with the share of test codes in its window.

    manifolds: for each kl_weight the images, (n, n, height, width), the coordinates, (2, n), and the share, 0..1
    """
    rows, columns, side = _shape(len(manifolds), 4.4)
    figure, panels = new_figure(columns * side, rows * (side + 0.4) + 0.9, rows=rows, columns=columns)
    figure.get_layout_engine().set(wspace=0.03)
    longest = max(map(len, weight_names(manifolds)))
    for axes, name, (images, coordinates, share) in _panels(panels, manifolds):
        # rows run down from the last coordinate: [1::2] of an even number of them are the coordinates [::2]
        show_grid(axes, images[1::2, ::2], coordinates[:, ::2], interpolation="antialiased")
        between = ": " if longest <= 4 else "\n"
        axes.set_title(f"kl_weight {name}{between}{share:.1%} of the test codes here", fontsize=12)
    figure.suptitle(title, fontsize=15)
    return figure


def samples(drawn: Mapping[float, tuple[np.ndarray, np.ndarray]], scores: pd.DataFrame, title: str) -> Figure:
    """Decoded samples of the prior (left) and of the mixture (right), a row per kl_weight, with the judge's scores.

    drawn: for each kl_weight two arrays of images, (N, height, width, 1) each
    scores: one row per weight, means over seeds
    """
    figure, grid = new_figure(14, 0.88 * len(drawn) + 0.9, rows=len(drawn), columns=2)
    for row, weight, (kl_weight, pictures) in zip(np.atleast_2d(grid), weight_names(drawn), drawn.items(), strict=True):
        for axes, name, images in zip(row, ("prior", "mixture"), pictures, strict=True):
            axes.imshow(tile(images[None, ..., 0]), cmap="gray", vmin=0, vmax=1)
            axes.set(xticks=[], yticks=[])
            score = scores.loc[kl_weight]
            classes, confidence = score[f"{name}_classes_mean"], score[f"{name}_confidence_mean"]
            axes.set_title(f"{classes:.3g} classes, judge's confidence {confidence:.2f}", fontsize=11)
        row[0].set_ylabel(weight, fontsize=13, rotation=0, ha="right", va="center")
    figure.suptitle(f"{title}\nleft: codes drawn from the prior; right: from a mixture fitted to the training codes")
    return figure


def loss_curves(histories: Mapping[float, pd.DataFrame], title: str) -> Figure:
    """Validation distortion, rate and negative ELBO per epoch, one line per kl_weight; the legend names some."""
    figure, panels = new_figure(14, 4.8, columns=len(SWEEP_CURVES))
    names = weight_names(histories)
    for axes, (column, label) in zip(panels, SWEEP_CURVES.items(), strict=True):
        for color, weight, history in zip(weight_colors(len(names)), names, histories.values(), strict=True):
            history = history.assign(val_negative_elbo=history["val_distortion"] + history["val_rate"])
            axes.plot(history["epoch"], history[column], color=color, marker=marker_of(history), label=weight)
        epoch_axis(axes, label)
    if not _within_a_decade(panels[1]):  # a collapsed rate is 0, an unweighted one goes into the hundreds
        panels[1].set_yscale("symlog", linthresh=0.1)
        panels[1].yaxis.set_major_formatter("{x:g}")
    panels[2].set_yscale("log")
    _plain_numbers(panels[2])
    handles = np.array(panels[0].lines)[evenly(len(histories), NAMED)]
    heading = "kl_weight" + (f"\n({len(handles)} of {len(histories)})" if len(handles) < len(histories) else "")
    figure.legend(handles=list(handles), loc="outside right center", title=heading, frameon=False)
    figure.suptitle(title)
    return figure


def weight_frame(
    title: str,
    latent: Latent,
    wide: tuple[float, float, float, float],
    class_names: tuple[str, ...],
) -> Figure:
    """One picture of the animation over the weights: the codes in two fixed windows, and the decoded grid.

    wide: x from, x to, y from, y to
    """
    figure, (left, middle, right) = new_figure(12.6, 5.3, columns=3)
    for axes, square, window in ((left, wide, "all codes"), (middle, NEAR_PRIOR, "codes near the prior")):
        scatter_classes(axes, latent.mean, latent.labels, size=3)
        prior_rings(axes)
        latent_axes(axes, square)
        axes.set_title(window)
    show_grid(right, latent.manifold[1::2, ::2], latent.axes[:, ::2], interpolation="antialiased")
    right.set_title("decoded grid")
    figure.legend(handles=class_handles(class_names), loc="outside lower center", ncols=10, frameon=False)
    figure.suptitle(title, fontsize=18)
    return figure


def epoch_frames(latent: Latent, class_names: tuple[str, ...], title: str) -> Iterator[Figure]:
    """The animation over the epochs: codes of the same images, and images at the same latent points."""
    square = covering_square(latent.epoch_codes)
    moments = zip(latent.epochs, latent.epoch_codes, latent.epoch_manifolds, strict=True)
    for epoch, codes, images in moments:
        figure, (left, right) = new_figure(9.6, 5.7, columns=2)
        scatter_classes(left, codes, latent.epoch_labels, size=5)
        prior_rings(left)
        latent_axes(left, square)
        left.set_title("codes of the same validation images")
        show_grid(right, images, latent.epoch_axes, interpolation="antialiased")
        right.set_title("images at the same latent points")
        figure.legend(handles=class_handles(class_names), loc="outside lower center", ncols=10, frameon=False)
        figure.suptitle(f"{title}, after {epoch} epoch{'s' if epoch != 1 else ''}", fontsize=16)
        yield figure


def _shape(panels: int, side: float) -> tuple[int, int, float]:
    """Rows, columns and the panels' side in inches, which grows if the title would be wider than the sheet."""
    columns = min(panels, min((COLUMNS, COLUMNS - 1), key=lambda columns: -panels % columns))  # few unused places
    return -(-panels // columns), columns, max(side, LEAST_WIDTH / columns)


def _class_legend(figure: Figure, class_names: tuple[str, ...]) -> None:
    size = 14 if figure.get_figwidth() > LEAST_WIDTH else 10
    handles = class_handles(class_names) + ring_handles()
    figure.legend(handles=handles, loc="outside lower center", ncols=6, fontsize=size)


def _panels(grid: np.ndarray, content: Mapping[float, object]) -> Iterator[tuple[Axes, str, object]]:
    """The axes of a sheet, each with the name of its weight and its content; unused axes are switched off.

    content: for each kl_weight what its panel shows
    """
    grid = np.atleast_1d(grid)
    for axes in grid.flat[len(content) :]:
        axes.axis("off")
    return zip(grid.flat, weight_names(content), content.values(), strict=False)


def _few(losses: pd.DataFrame) -> bool:
    return len(losses) <= 2 * TICKS


def _points(losses: pd.DataFrame) -> dict[str, object]:
    """How points of an error bar look: without marks where these would make a band."""
    return {"marker": "o", "capsize": 3} if _few(losses) else {"linewidth": 1}


def _weight_axis(axes: Axes, losses: pd.DataFrame) -> None:
    """The weights at equal distances, since 0 has no place on a logarithmic axis; upright where they need the room."""
    places = range(0, len(losses), -(-len(losses) // TICKS))
    names = np.array(weight_names(losses["kl_weight"]))[places]
    room = len(names) * max(map(len, names)) < ROOM
    axes.set_xticks(places, names, rotation=0 if room else 90)
    axes.set(xlabel="kl_weight", xlim=(-0.5, len(losses) - 0.5))
    axes.grid(alpha=0.3, axis="y")


def _within_a_decade(axes: Axes) -> bool:
    lowest, highest = axes.dataLim.intervaly
    return 0 < lowest <= highest < 10 * lowest


def _plain_numbers(axes: Axes) -> None:
    """Numbers without powers on a logarithmic axis, also between powers of ten where there are few of those."""
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter("{x:g}" if _within_a_decade(axes) else "")
