"""Arrays to matplotlib figures. Nothing here trains, decodes or reads files."""

from collections.abc import Iterable, Mapping

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle
from matplotlib.ticker import MaxNLocator

# The ten colours of Petroff 2021, arXiv:2107.02270, which stay apart under the common colour-vision deficiencies, in an
# order that gives the two greys to digits whose codes lie far apart (0 and 1).
CLASS_COLORS = (
    *("#94a4a2", "#717581", "#bd1f01", "#3f90da", "#a96b59"),
    *("#832db6", "#e76300", "#b9ac70", "#ffa90e", "#92dadd"),
)
MISTAKE_COLOR, FIX_COLOR = "#bd1f01", "#3f90da"
PIXELS_PER_INCH = 100
RING = {"fill": False, "edgecolor": "black", "linewidth": 1.2}
EPOCH_CURVES = {
    "objective": "objective [nats/image]",
    "distortion": "distortion [nats/image]",
    "rate": "rate [nats/image]",
}
SWEEP_CURVES = {
    "val_distortion": "distortion [nats/image]",
    "val_rate": "rate [nats/image]",
    "val_negative_elbo": "negative ELBO [nats/image]",
}


def prior_cloud(z: np.ndarray) -> Figure:
    """Samples of the 2-D prior with its 1- and 2-sigma rings, and the shares within them; z: (N, 2)."""
    radius = np.linalg.norm(z, axis=1)  # (N,)
    shares = ", ".join(f"{np.mean(radius < sigma):.1%} within {sigma} sigma" for sigma in (1, 2))
    figure, axes = _figure(7.2, 7.2)
    axes.scatter(z[:, 0], z[:, 1], s=5, color=CLASS_COLORS[3], linewidths=0)
    _prior_rings(axes)
    _latent_axes(axes, (-4.5, 4.5, -4.5, 4.5))
    axes.set_title(f"{len(z):,} samples of the prior N(0, I): {shares}")
    axes.legend(handles=_ring_handles(), loc="upper right")
    return figure


def kl_terms(mean: np.ndarray, deviation: np.ndarray, kl_of_mean: np.ndarray, kl_of_deviation: np.ndarray) -> Figure:
    """The KL term of one latent dimension, against its mean (at deviation 1) and its deviation (at mean 0)."""
    figure, (left, right) = _figure(10, 4.2, columns=2, sharey=True)
    left.plot(mean, kl_of_mean, linewidth=2)
    left.set(xlabel="mean of q(z|x), at standard deviation 1", ylabel="KL(q(z|x) || p(z)) [nats]", ylim=(0, None))
    right.plot(deviation, kl_of_deviation, linewidth=2)
    right.set(xlabel="standard deviation of q(z|x), at mean 0", xscale="log")
    for axes in (left, right):
        axes.grid(alpha=0.3)
    return figure


def image_row(images: np.ndarray, title: str, subtitles: list[str] | None = None) -> Figure:
    """Images side by side; images: (N, 28, 28, 1) in [0, 1]."""
    figure, row = _figure(9, 1.6, columns=len(images))
    for axes, image, subtitle in zip(row, images, subtitles or [""] * len(images), strict=True):
        axes.imshow(image[..., 0], cmap="gray", vmin=0, vmax=1)
        axes.set_title(subtitle, fontsize=10)
        axes.axis("off")
    figure.suptitle(title)
    return figure


def image_pairs(images: np.ndarray, reconstructions: np.ndarray, title: str) -> Figure:
    """Images above their reconstructions; both (N, 28, 28, 1) in [0, 1]."""
    figure, grid = _figure(9, 2.6, rows=2, columns=len(images))
    for row, name, pictures in zip(grid, ("image", "decoded mean"), (images, reconstructions), strict=True):
        for axes, picture in zip(row, pictures, strict=True):
            axes.imshow(picture[..., 0], cmap="gray", vmin=0, vmax=1)
            axes.set(xticks=[], yticks=[])
        row[0].set_ylabel(name)
    figure.suptitle(title)
    return figure


def training_curves(history: pd.DataFrame, title: str) -> Figure:
    """Objective, distortion and rate per epoch, training and validation."""
    figure, panels = _figure(12, 3.8, columns=len(EPOCH_CURVES))
    for axes, (name, label) in zip(panels, EPOCH_CURVES.items(), strict=True):
        axes.plot(
            history["epoch"], history[name], color="#717581", linestyle="--", marker=_marker(history), label="training"
        )
        axes.plot(
            history["epoch"], history[f"val_{name}"], color="#3f90da", marker=_marker(history), label="validation"
        )
        _epoch_axis(axes, label)
    panels[0].legend()
    figure.suptitle(title)
    return figure


def latent_scatter(mean: np.ndarray, labels: np.ndarray, class_names: tuple[str, ...], title: str) -> Figure:
    """Latent means coloured by class, with the prior's rings; mean: (N, 2), labels: (N,)."""
    figure, axes = _figure(9, 7.4)
    _scatter_classes(axes, mean, labels, size=np.clip(40_000 / len(mean), 4, 25))
    _prior_rings(axes)
    _latent_axes(axes, _covering_square([mean]))
    axes.set_title(title)
    handles = _class_handles(class_names) + _ring_handles()
    axes.legend(handles=handles, loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
    return figure


def decoder_manifold(images: np.ndarray, axis: np.ndarray, title: str) -> Figure:
    """The decoded grid at one image pixel per screen pixel; images: (n, n, 28, 28), row 0 at the largest z[1]."""
    side = images.shape[1] * images.shape[3]
    width, height = side + 110, side + 110
    figure = Figure(figsize=(width / PIXELS_PER_INCH, height / PIXELS_PER_INCH), dpi=PIXELS_PER_INCH)
    axes = figure.add_axes((85 / width, 65 / height, side / width, side / height))
    axes.imshow(tile(images), cmap="gray", vmin=0, vmax=1, interpolation="none")
    _grid_ticks(axes, axis, images.shape[3])
    axes.set_title(title)
    return figure


def latent_scatters(
    codes: Mapping[float, tuple[np.ndarray, np.ndarray]], class_names: tuple[str, ...], title: str
) -> Figure:
    """One scatter per kl_weight, twice: on axes that cover all codes, then on axes that fit the prior.

    Within each half all panels have the same axes. The lower half says which share of the codes lies outside it.

    codes: for each kl_weight the latent means, (N, 2), and their labels, (N,)
    """
    columns = 4
    rows = -(-len(codes) // columns)
    wide, near = _covering_square(mean for mean, _ in codes.values()), (-4.0, 4.0, -4.0, 4.0)
    figure, panels = _figure(14, 7.2 * rows + 1.4, rows=2 * rows, columns=columns)
    for half, square in ((panels[:rows], wide), (panels[rows:], near)):
        for axes in half.flat[len(codes) :]:
            axes.axis("off")
        for axes, (kl_weight, (mean, labels)) in zip(half.flat, codes.items(), strict=False):
            _scatter_classes(axes, mean, labels, size=2)
            _prior_rings(axes)
            _latent_axes(axes, square)
            outside = np.mean(np.abs(mean).max(axis=1) > near[1])
            axes.set_title(f"kl_weight {kl_weight:g}" + (f"\n{outside:.1%} of codes outside" if square == near else ""))
    handles = _class_handles(class_names) + _ring_handles()
    figure.legend(handles=handles, loc="outside lower center", ncols=6, fontsize=14)
    halves = "upper half: the same axes, covering every code; lower half: the same axes, fitting the prior"
    figure.suptitle(f"{title}\n{halves}")
    return figure


def decoder_manifolds(manifolds: Mapping[float, np.ndarray], axis: np.ndarray, title: str) -> Figure:
    """One decoded grid per kl_weight, every second cell of each; each manifold: (n, n, 28, 28)."""
    columns = 4
    rows = -(-len(manifolds) // columns)
    figure, panels = _figure(17.6, 4.6 * rows + 0.6, rows=rows, columns=columns)
    figure.get_layout_engine().set(wspace=0.03)
    for axes in panels.flat[len(manifolds) :]:
        axes.axis("off")
    for axes, (kl_weight, images) in zip(panels.flat, manifolds.items(), strict=False):
        images = images[1::2, ::2]  # with z[1] = axis[::-1], so that both coordinates are axis[::2]
        axes.imshow(tile(images), cmap="gray", vmin=0, vmax=1)
        _grid_ticks(axes, axis[::2], images.shape[3])
        axes.set_title(f"kl_weight {kl_weight:g}")
    figure.suptitle(title)
    return figure


def loss_curves(histories: Mapping[float, pd.DataFrame], title: str) -> Figure:
    """Validation distortion, rate and negative ELBO per epoch, one line per kl_weight."""
    figure, panels = _figure(14, 4.8, columns=len(SWEEP_CURVES))
    colors = matplotlib.colormaps["viridis"](np.linspace(0, 0.92, len(histories)))
    for axes, (name, label) in zip(panels, SWEEP_CURVES.items(), strict=True):
        for color, (kl_weight, history) in zip(colors, histories.items(), strict=True):
            history = history.assign(val_negative_elbo=history["val_distortion"] + history["val_rate"])
            axes.plot(history["epoch"], history[name], color=color, marker=_marker(history), label=f"{kl_weight:g}")
        _epoch_axis(axes, label)
    panels[1].set_yscale("symlog", linthresh=0.1)  # a collapsed rate is 0, an unweighted one goes into the hundreds
    panels[2].set_yscale("log")
    for axes in panels[1:]:
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter("{x:g}" if axes is panels[2] else "")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside right center", title="kl_weight", frameon=False)
    figure.suptitle(title)
    return figure


def tile(images: np.ndarray) -> np.ndarray:
    """(rows, columns, height, width) -> (rows * height, columns * width)."""
    rows, columns, height, width = images.shape
    return images.swapaxes(1, 2).reshape(rows * height, columns * width)


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
    square = _covering_square([shown["codes"][:, :2] for shown in (mistake, fix)])
    for name, color, shown in (("mistake", MISTAKE_COLOR, mistake), ("fix", FIX_COLOR, fix)):
        history = shown["history"]
        epochs, reported = history["epoch"], history["val_objective"]
        panels["curves"].plot(epochs, reported, color=color, marker=_marker(history), label=f"{name}: its own loss")
        dot = {"color": color, "marker": "D" if name == "mistake" else "o", "markersize": 9, "linestyle": ""}
        panels["curves"].plot(epochs.iloc[-1], shown["negative_elbo"], **dot, label=f"{name}: negative ELBO")
        codes = panels[f"{name} codes"]
        _scatter_classes(codes, shown["codes"][:, :2], shown["labels"], size=4)
        _prior_rings(codes)
        _latent_axes(codes, square)
        codes.set_title(f"{name}: codes")
        samples = panels[f"{name} samples"]
        samples.imshow(tile(shown["samples"]), cmap="gray", vmin=0, vmax=1)
        samples.set(xticks=[], yticks=[], title=f"{name}: samples from the prior")
    _epoch_axis(panels["curves"], "validation images [nats/image]")
    bottom, top = panels["curves"].get_ylim()
    panels["curves"].set_ylim(bottom, top + 0.22 * (top - bottom))  # room for the legend, clear of all lines
    panels["curves"].legend(loc="upper right")
    handles = _class_handles(class_names) + _ring_handles()
    figure.legend(handles=handles, loc="outside lower right", ncols=6, frameon=False)
    figure.suptitle(title)
    return figure


def validation_curves(histories: Mapping[str, pd.DataFrame], title: str) -> Figure:
    """The validation objective per epoch, one line for each of four names, the fix first and thick."""
    figure, axes = _figure(9, 4.2)
    styles = zip((FIX_COLOR, MISTAKE_COLOR, "black", "#ffa90e"), (6, 2, 2, 2), strict=True)
    for (name, history), (color, width) in zip(histories.items(), styles, strict=True):
        line = {"color": color, "linewidth": width, "marker": _marker(history)}
        axes.plot(history["epoch"], history["val_objective"], label=name, **line)
    _epoch_axis(axes, "validation objective [nats/image]")
    axes.legend()
    axes.set_title(title)
    return figure


def sigma_outputs(terms: pd.DataFrame, title: str) -> Figure:
    """The KL of one dimension at mean 0 against the linear layer's output: taken for sigma | for log-variance.

    terms: output, sigma, log_var
    """
    figure, panels = _figure(10, 3.8, columns=2, sharey=True)
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
    figure, (cost, error, gradient) = _figure(11, 4.2, columns=3)
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


def _figure(width: float, height: float, rows: int = 1, columns: int = 1, sharey: bool = False):
    """A figure that pyplot does not hold: nothing to close, and a notebook shows it once."""
    figure = Figure(figsize=(width, height), dpi=PIXELS_PER_INCH, layout="constrained")
    return figure, figure.subplots(rows, columns, sharey=sharey)


def _scatter_classes(axes: Axes, mean: np.ndarray, labels: np.ndarray, size: float) -> None:
    axes.scatter(mean[:, 0], mean[:, 1], c=np.array(CLASS_COLORS)[labels], s=size, linewidths=0, rasterized=True)


def _prior_rings(axes: Axes) -> None:
    axes.add_patch(Circle((0, 0), 1, linestyle="-", **RING))
    axes.add_patch(Circle((0, 0), 2, linestyle="--", **RING))


def _ring_handles() -> list[Line2D]:
    styles = {"prior, 1 sigma": "-", "prior, 2 sigma": "--"}
    return [Line2D([], [], color="black", linestyle=style, label=name) for name, style in styles.items()]


def _class_handles(class_names: tuple[str, ...]) -> list[Line2D]:
    return [
        Line2D([], [], color=color, marker="o", markersize=8, linestyle="", label=name)
        for color, name in zip(CLASS_COLORS, class_names, strict=False)
    ]


def _covering_square(clouds: Iterable[np.ndarray]) -> tuple[float, float, float, float]:
    """The least square (x from, x to, y from, y to) around all points and the prior's rings, with a margin."""
    points = np.concatenate([*clouds, [[-2.2, -2.2], [2.2, 2.2]]])  # (N, 2)
    middle, half = (points.min(axis=0) + points.max(axis=0)) / 2, 0.525 * np.ptp(points, axis=0).max()
    return (middle[0] - half, middle[0] + half, middle[1] - half, middle[1] + half)


def _latent_axes(axes: Axes, square: tuple[float, float, float, float]) -> None:
    axes.axis(square)
    axes.set(aspect="equal", xlabel="z[0]", ylabel="z[1]")
    axes.locator_params(nbins=6)


def _grid_ticks(axes: Axes, axis: np.ndarray, pixels: int) -> None:
    """Mark whole latent coordinates on a tiled grid, whose pixels count downwards while z[1] grows upwards."""
    middles = (np.arange(len(axis)) + 0.5) * pixels - 0.5  # of the cells, in pixels
    marks = np.arange(np.ceil(axis[0]), np.floor(axis[-1]) + 1)
    places = np.interp(marks, axis, middles)
    axes.set_xticks(places, [f"{mark:.0f}" for mark in marks])
    axes.set_yticks(len(axis) * pixels - 1 - places, [f"{mark:.0f}" for mark in marks])
    axes.set(xlabel="z[0]", ylabel="z[1]")


def _epoch_axis(axes: Axes, label: str) -> None:
    axes.set(xlabel="epoch", ylabel=label)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3)


def _marker(history: pd.DataFrame) -> str:
    return "o" if len(history) == 1 else ""  # one epoch makes no line
