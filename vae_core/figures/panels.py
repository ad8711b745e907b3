"""Panels of codes, decoded grids and samples, one per weight, and frames of animations. Nothing here reads files."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse

from vae_core.figures.classes import class_handles, legend_below
from vae_core.figures.codes import scatter_codes
from vae_core.figures.dimensions import show_traversals
from vae_core.figures.labels import weight_names
from vae_core.figures.style import (
    covering_square,
    height_of,
    latent_axes,
    new_figure,
    prior_handles,
    show_grid,
    show_image,
    show_prior,
    tile,
)
from vae_core.runs import Latent

NEAR_PRIOR = (-4.0, 4.0, -4.0, 4.0)
COLUMNS = 4
LEAST_WIDTH = 9.0  # inches
STRIP_WIDTH = 13.0
TITLE_LINE = 0.35  # inches, for each line of a title beyond its first: panels keep their size
POSTERIORS = 25  # images with their q(z|x)
POSTERIOR = "#e4007c"  # neither a class nor the prior


def shown_dimensions(latent: Latent) -> tuple[int, ...]:
    """The latent dimensions that pictures of a run show: two, or one."""
    return (0, 1) if latent.dimensions is None else tuple(latent.dimensions.tolist())


def shown_codes(latent: Latent) -> np.ndarray:
    """The codes in these dimensions: (N, 2), or (N, 1)."""
    return latent.mean[:, list(shown_dimensions(latent))]


def latent_scatters(latents: Mapping[float, Latent], class_names: Sequence[str], title: str) -> Figure:
    """One scatter per kl_weight, twice: on axes that cover all codes, then on axes that fit the prior.

    Within each half all panels have the same axes. The lower half says which share of the codes lies outside it.
    """
    rows, columns, side = _shape(len(latents), 3.5)
    wide = covering_square(map(shown_codes, latents.values()))
    height = 2 * rows * (side + 0.1) + 1.4 + TITLE_LINE * title.count("\n")
    figure, panels = new_figure(columns * side, height, rows=2 * rows, columns=columns)
    for half, square in ((panels[:rows], wide), (panels[rows:], NEAR_PRIOR)):
        for axes, name, latent in _panels(half, latents):
            codes = shown_codes(latent)
            scatter_codes(axes, codes, latent.labels, class_names, size=2)
            show_prior(axes, codes.shape[1])
            latent_axes(axes, square, shown_dimensions(latent))
            outside = np.mean(np.abs(codes).max(axis=1) > NEAR_PRIOR[1])
            note = f"\n{outside:.1%} of codes outside" if square == NEAR_PRIOR else ""
            axes.set_title(f"kl_weight {name}{note}")
    _class_legend(figure, class_names, codes.shape[1])
    halves = "upper half: the same axes, covering every code; lower half: the same axes, fitting the prior"
    figure.suptitle(f"{title}\n{halves}")
    return figure


def posterior_ellipses(latents: Mapping[float, Latent], class_names: Sequence[str], title: str) -> Figure:
    """One scatter per kl_weight, each on axes of its own, with q(z|x) of some images as ellipses of two deviations.

    Along one dimension they are lines of two deviations each way.
    """
    rows, columns, side = _shape(len(latents), 3.5)
    height = rows * (side + 0.1) + 1.6 + TITLE_LINE * title.count("\n")
    figure, panels = new_figure(columns * side, height, rows=rows, columns=columns)
    for axes, name, latent in _panels(panels, latents):
        dimensions, codes = shown_dimensions(latent), shown_codes(latent)
        reach = 2 * np.exp(latent.log_var[:POSTERIORS, list(dimensions)] / 2)
        places = scatter_codes(axes, codes, latent.labels, class_names, size=2)
        for place, half in zip(places[:POSTERIORS], reach, strict=True):
            _draw_posterior(axes, place, half)
        show_prior(axes, codes.shape[1])
        latent_axes(axes, covering_square([codes, codes[:POSTERIORS] - reach, codes[:POSTERIORS] + reach]), dimensions)
        axes.set_title(f"kl_weight {name}")
    _class_legend(figure, class_names, codes.shape[1])
    pink = f"pink: q(z|x) of {POSTERIORS} images, two standard deviations (specks if narrow)"
    figure.suptitle(f"{title}\neach on its own axes; {pink}")
    return figure


def decoder_manifolds(
    manifolds: Mapping[float, tuple[np.ndarray, np.ndarray, float]],
    title: str,
    dimensions: Mapping[float, Sequence[int]] | None = None,
) -> Figure:
    """One decoded grid per kl_weight, every second cell of each, with the share of test codes in its window.

    Strips are whole, one below the other.

    manifolds: for each kl_weight the images, (rows, n, height, width) or (rows, n, height, width, 3), the coordinates,
        (2, n) or (1, n), and the share, 0..1
    dimensions: for each kl_weight the dimensions that the axes are, in place of 0 and 1
    """
    images = next(iter(manifolds.values()))[0]
    strips, height = len(images) == 1, height_of(images[0])
    if strips:
        rows, columns, width, high = len(manifolds), 1, STRIP_WIDTH, STRIP_WIDTH * height / images.shape[1] + 0.8
    else:
        rows, columns, width = _shape(len(manifolds), 4.4)
        high = width * height + 0.4
    figure, panels = new_figure(columns * width, rows * high + 0.9, rows=rows, columns=columns)
    figure.get_layout_engine().set(wspace=0.03)
    between = ": " if strips or max(map(len, weight_names(manifolds))) <= 4 else "\n"
    dimensions = dimensions or dict.fromkeys(manifolds, (0, 1))
    for (axes, name, (images, coordinates, share)), shown in zip(
        _panels(panels, manifolds), dimensions.values(), strict=True
    ):
        _show_every_second(axes, images, coordinates, shown)
        axes.set_title(f"kl_weight {name}{between}{share:.1%} of the test codes here", fontsize=12)
    figure.suptitle(title, fontsize=15)
    return figure


def traversals(sheets: Mapping[float, tuple[np.ndarray, Sequence[str], np.ndarray]], title: str) -> Figure:
    """What the dimensions of each kl_weight draw, a panel per weight, a row per dimension, all others at 0.

    sheets: for each kl_weight the images, (rows, steps, height, width) or (rows, steps, height, width, 3), the names of
        the rows, and the positions, (steps,)
    """
    images = next(iter(sheets.values()))[0]
    rows, columns = -(-len(sheets) // 2), min(2, len(sheets))
    high = 6 * len(images) / images.shape[1] * height_of(images[0]) + 0.7
    figure, panels = new_figure(7 * columns, rows * high + 0.8, rows=rows, columns=columns)
    for axes, name, (images, names, positions) in _panels(panels, sheets):
        show_traversals(axes, images, names, positions)
        axes.set_title(f"kl_weight {name}")
    figure.suptitle(title)
    return figure


def samples(
    drawn: Mapping[float, tuple[np.ndarray, np.ndarray]], scores: Mapping[float, tuple[str, str]], title: str
) -> Figure:
    """Decoded samples of the prior (left) and of the mixture (right), a row per kl_weight, with words about them.

    drawn: for each kl_weight two arrays of images, (N, height, width, channels) each
    scores: for each kl_weight the words above both
    """
    high = 0.33 + 0.55 * height_of(next(iter(drawn.values()))[0])
    figure, grid = new_figure(14, high * len(drawn) + 0.9, rows=len(drawn), columns=2)
    for row, weight, (kl_weight, pictures) in zip(np.atleast_2d(grid), weight_names(drawn), drawn.items(), strict=True):
        for axes, images, words in zip(row, pictures, scores[kl_weight], strict=True):
            show_image(axes, tile(images[None]))
            axes.set(xticks=[], yticks=[])
            axes.set_title(words, fontsize=11)
        row[0].set_ylabel(weight, fontsize=13, rotation=0, ha="right", va="center")
    figure.suptitle(f"{title}\nleft: codes drawn from the prior; right: from a mixture fitted to the training codes")
    return figure


def weight_frame(title: str, latent: Latent, wide: Sequence[float], class_names: Sequence[str]) -> Figure:
    """One picture of the animation over the weights: the codes in two fixed windows, and the decoded grid.

    wide: x from, x to, y from, y to
    """
    dimensions = shown_dimensions(latent)
    figure, (left, middle, right) = new_figure(12.6, 5.3 + _second_line(latent), columns=3)
    for axes, square, window in ((left, wide, "all codes"), (middle, NEAR_PRIOR, "codes near the prior")):
        scatter_codes(axes, shown_codes(latent), latent.labels, class_names, size=3)
        show_prior(axes, len(dimensions))
        latent_axes(axes, square, dimensions)
        axes.set_title(window)
    _show_every_second(right, latent.manifold, latent.axes, dimensions)
    right.set(title="decoded grid", xlabel=right.get_xlabel() + _others_at_0(latent))
    legend_below(figure, class_handles(class_names), columns=10, frameon=False)
    figure.suptitle(title, fontsize=18)
    return figure


def epoch_frames(latent: Latent, class_names: Sequence[str], title: str) -> Iterator[Figure]:
    """The animation over the epochs: codes of the same images, and images at the same latent points."""
    square, dimensions = covering_square(latent.epoch_codes), shown_dimensions(latent)
    moments = zip(latent.epochs, latent.epoch_codes, latent.epoch_manifolds, strict=True)
    for epoch, codes, images in moments:
        figure, (left, right) = new_figure(9.6, 5.7 + _second_line(latent), columns=2)
        scatter_codes(left, codes, latent.epoch_labels, class_names, size=5)
        show_prior(left, len(dimensions))
        latent_axes(left, square, dimensions)
        left.set_title("codes of the same validation images")
        show_grid(right, images, latent.epoch_axes, interpolation="antialiased", dimensions=dimensions)
        right.set(title="images at the same latent points", xlabel=right.get_xlabel() + _others_at_0(latent))
        legend_below(figure, class_handles(class_names), columns=10, frameon=False)
        figure.suptitle(f"{title}, after {epoch} epoch{'s' if epoch != 1 else ''}", fontsize=16)
        yield figure


def _shape(panels: int, side: float) -> tuple[int, int, float]:
    """Rows, columns and the panels' side in inches, which grows if the title would be wider than the sheet."""
    columns = min(panels, min((COLUMNS, COLUMNS - 1), key=lambda columns: -panels % columns))  # few unused places
    return -(-panels // columns), columns, max(side, LEAST_WIDTH / columns)


def _panels(grid: np.ndarray, content: Mapping[float, object]) -> Iterator[tuple[Axes, str, object]]:
    """The axes of a sheet, each with the name of its weight and its content; unused axes are switched off.

    content: for each kl_weight what its panel shows
    """
    grid = np.atleast_1d(grid)
    for axes in grid.flat[len(content) :]:
        axes.axis("off")
    return zip(grid.flat, weight_names(content), content.values(), strict=False)


def _class_legend(figure: Figure, class_names: Sequence[str], dimensions: int) -> None:
    size = 14 if figure.get_figwidth() > LEAST_WIDTH else 10
    legend_below(figure, class_handles(class_names) + prior_handles(dimensions), columns=6, size=size)


def _draw_posterior(axes: Axes, place: np.ndarray, half: np.ndarray) -> None:
    """place: (2,); half: two deviations of q(z|x) in each of two dimensions, or in the one of a strip."""
    if len(half) == 2:
        axes.add_patch(Ellipse(place, *(2 * half), fill=False, edgecolor=POSTERIOR, linewidth=1))
    else:
        axes.plot(place[0] + half * [-1, 1], place[[1, 1]], color=POSTERIOR, linewidth=1)


def _show_every_second(axes: Axes, images: np.ndarray, coordinates: np.ndarray, dimensions: Sequence[int]) -> None:
    """A decoded grid, every second cell of it; of a strip all."""
    if len(images) > 1:
        # rows run down from the last coordinate: [1::2] of an even number of them are the coordinates [::2]
        images, coordinates = images[1::2, ::2], coordinates[:, ::2]
    show_grid(axes, images, coordinates, interpolation="antialiased", dimensions=dimensions)


def _others_at_0(latent: Latent) -> str:
    return "\nother dimensions at 0" if latent.mean.shape[1] > len(shown_dimensions(latent)) else ""


def _second_line(latent: Latent) -> float:
    """The height of that line in inches."""
    return 0.3 if _others_at_0(latent) else 0
