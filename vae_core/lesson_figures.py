"""Arrays to matplotlib figures: what the lessons from the seed documents share. Nothing here trains or reads files."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse, Rectangle
from matplotlib.ticker import NullFormatter
from scipy.stats import norm

from vae_core.canvas import (
    CLASS_COLORS,
    PIXELS_PER_INCH,
    class_handles,
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
from vae_core.seeds import PIXELS, per_pixel

LINE_COLORS = ("#3f90da", "#bd1f01", "#ffa90e", "#832db6", "black")
LINE_STYLES = ("-", "--", ":", "-.", (0, (1, 3)))


def image_grid(
    images: np.ndarray,
    title: str,
    row_names: Sequence[str] = (),
    column_names: Sequence[str] = (),
    inches: float = 0.85,
) -> Figure:
    """Rows and columns of images, named where names are given; images: (rows, columns, 28, 28) in [0, 1]."""
    rows, columns = images.shape[:2]
    figure, panels = new_figure(inches * columns + 0.9 * bool(row_names), inches * rows + 0.8, rows, columns)
    panels = np.asarray(panels).reshape(rows, columns)
    for axes, image in zip(panels.flat, images.reshape(-1, *images.shape[2:]), strict=True):
        axes.imshow(image, cmap="gray", vmin=0, vmax=1)
        axes.set(xticks=[], yticks=[])
    for axes, name in zip(panels[:, 0], row_names, strict=False):
        axes.set_ylabel(name, rotation=0, ha="right", va="center")
    for axes, name in zip(panels[0], column_names, strict=False):
        axes.set_title(name, fontsize=10)
    figure.suptitle(title)
    return figure


def curves(histories: Mapping[str, pd.DataFrame], columns: Mapping[str, str], title: str) -> Figure:
    """A panel for each column of the histories, a line for each history that has it.

    histories: by the name in the legend; columns: the label of the axis, with its unit, for each column
    """
    figure, panels = new_figure(4 * len(columns) + 1, 4.2, columns=len(columns))
    for axes, (column, label) in zip(np.atleast_1d(panels), columns.items(), strict=True):
        for color, style, (name, history) in zip(LINE_COLORS, LINE_STYLES, histories.items(), strict=False):
            line = {"color": color, "linestyle": style, "linewidth": 2, "marker": marker_of(history)}
            if column in history:
                axes.plot(history["epoch"], history[column], label=name, **line)
        epoch_axis(axes, label)
    handles, names = np.atleast_1d(panels)[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=3, frameon=False)
    figure.suptitle(title)
    return figure


def planes(
    clouds: Mapping[str, np.ndarray],
    labels: np.ndarray,
    class_names: tuple[str, ...],
    title: str,
    names: tuple[str, str],
    limit: float | None = None,
) -> Figure:
    """Clouds of codes side by side, coloured by class.

    clouds: for each title (N, 2); labels: (N,); names: of the two axes
    limit: all panels show [-limit, limit] each way; without it each cloud has axes of its own scale
    """
    figure, panels = new_figure(5.4 * len(clouds), 5.8, columns=len(clouds))
    for axes, (name, cloud) in zip(np.atleast_1d(panels), clouds.items(), strict=True):
        scatter_classes(axes, cloud, labels, size=np.clip(20_000 / len(cloud), 3, 25))
        axes.set(xlabel=names[0], ylabel=names[1], title=name)
        axes.set_aspect("equal", adjustable="box" if limit else "datalim")
        if limit:
            axes.set(xlim=(-limit, limit), ylim=(-limit, limit))
    figure.legend(handles=class_handles(class_names), loc="outside lower center", ncols=5, frameon=False)
    figure.suptitle(title)
    return figure


def spaces(
    clouds: Mapping[str, np.ndarray],
    labels: np.ndarray,
    class_names: tuple[str, ...],
    title: str,
    names: tuple[str, str, str],
    limit: float | None = None,
) -> Figure:
    """Clouds of codes side by side in three dimensions, coloured by class.

    clouds: for each title (N, 3); labels: (N,); names: of the three axes
    limit: all panels show [-limit, limit] each way; without it each cloud has axes of its own scale
    """
    figure = Figure(figsize=(5.6 * len(clouds), 6), dpi=PIXELS_PER_INCH, layout="constrained")
    for place, (name, cloud) in enumerate(clouds.items(), start=1):
        axes = figure.add_subplot(1, len(clouds), place, projection="3d")
        size = np.clip(20_000 / len(cloud), 4, 20)
        axes.scatter(*cloud.T, c=np.array(CLASS_COLORS)[labels], s=size, linewidths=0, depthshade=False)
        axes.set(xlabel=names[0], ylabel=names[1], zlabel=names[2], title=name)
        axes.locator_params(nbins=4)
        if limit:
            axes.set(xlim=(-limit, limit), ylim=(-limit, limit), zlim=(-limit, limit))
        axes.set_box_aspect((1, 1, 1) if limit else np.ptp(cloud, axis=0), zoom=0.85)
    figure.legend(handles=class_handles(class_names), loc="outside lower center", ncols=5, frameon=False)
    figure.suptitle(title)
    return figure


def panels_of_codes(
    clouds: Mapping[str, np.ndarray],
    labels: np.ndarray,
    class_names: tuple[str, ...],
    square: tuple[float, float, float, float],
    title: str,
) -> Figure:
    """Codes of 2-D latent spaces side by side on the same axes, with the prior's rings.

    clouds: for each title the latent means, (N, 2); square: the common window (`canvas.covering_square`)
    """
    legend_columns = min(6, 3 * len(clouds))
    figure, panels = new_figure(5.4 * len(clouds), 7.4 - 0.15 * legend_columns, columns=len(clouds))
    for axes, (name, mean) in zip(np.atleast_1d(panels), clouds.items(), strict=True):
        scatter_classes(axes, mean, labels, size=np.clip(20_000 / len(mean), 3, 25))
        prior_rings(axes)
        latent_axes(axes, square)
        axes.set_title(name)
    handles = class_handles(class_names) + ring_handles()
    figure.legend(handles=handles, loc="outside lower center", ncols=legend_columns, frameon=False)
    figure.suptitle(title)
    return figure


def coordinate_histograms(codes: Mapping[str, np.ndarray], coordinates: Sequence[int], title: str) -> Figure:
    """A histogram for each of some latent coordinates, with the density of N(0, 1).

    codes: for each name (N, latent_dim). One row per name; all panels have the same axes, and peaks that are higher
    than three times the normal density's are cut, with their height beside them.
    """
    rows, columns = len(codes), len(coordinates)
    figure = Figure(figsize=(2.1 * columns + 0.6, 2.2 * rows + 0.8), dpi=PIXELS_PER_INCH, layout="constrained")
    panels = np.asarray(figure.subplots(rows, columns, sharex=True, sharey=True)).reshape(rows, columns)
    shown = np.concatenate([cloud[:, coordinates].ravel() for cloud in codes.values()])
    limit = max(3.5, np.quantile(np.abs(shown), 0.995))
    edges, x, highest = np.linspace(-limit, limit, 61), np.linspace(-limit, limit, 301), 3 * norm.pdf(0)
    for row, (name, cloud) in zip(panels, codes.items(), strict=True):
        for axes, coordinate in zip(row, coordinates, strict=True):
            weights = np.full(len(cloud), 1 / (len(cloud) * (edges[1] - edges[0])))  # a density, of all codes
            density, _, _ = axes.hist(cloud[:, coordinate], edges, weights=weights, color="#3f90da")
            if density.max() > highest:
                box = {"facecolor": "white", "edgecolor": "none", "pad": 1}
                place = {"xy": (0.97, 0.9), "xycoords": "axes fraction", "ha": "right"}
                axes.annotate(f"peak: {density.max():.1f}", **place, bbox=box)
            axes.plot(x, norm.pdf(x), color="black", linewidth=1.5)
            axes.set_title(f"z[{coordinate}]", fontsize=10)
        row[0].set_ylabel(f"{name}\ndensity")
    panels[0, 0].set_ylim(0, min(highest, panels[0, 0].get_ylim()[1]))
    figure.supxlabel("code")
    figure.suptitle(title)
    return figure


def grids_beside(grids: Mapping[str, np.ndarray], title: str, framed: Mapping[str, np.ndarray] | None = None) -> Figure:
    """Grids of images side by side, some cells of them in a frame.

    grids: for each title (rows, columns, 28, 28) in [0, 1]; framed: for each title (rows, columns) of bool
    """
    rows, columns, side, _ = next(iter(grids.values())).shape
    figure, panels = new_figure(0.62 * columns * len(grids) + 0.4, 0.62 * rows + 0.9, columns=len(grids))
    for axes, (name, images) in zip(np.atleast_1d(panels), grids.items(), strict=True):
        axes.imshow(tile(images), cmap="gray", vmin=0, vmax=1)
        for row, column in np.argwhere(framed[name]) if framed else ():
            corner = side * column - 0.5, side * row - 0.5
            frame = Rectangle(corner, side, side, fill=False, edgecolor="#ffa90e", linewidth=2, clip_on=False)
            axes.add_patch(frame)
        axes.set(xticks=[], yticks=[], title=name)
    figure.suptitle(title)
    return figure


def losses_beside_printed(printed: pd.DataFrame, histories: Mapping[str, pd.DataFrame], title: str) -> Figure:
    """Validation losses per epoch beside printed ones, per pixel on the left, in nats per image on the right.

    The picture ends a little above what is printed, and says how many epochs are above it.

    printed, histories: epoch and val_objective, in nats per image
    """
    figure, axes = new_figure(9, 4.8)
    top = 1.2 * max(printed["val_objective"].max(), *(history["val_objective"].min() for history in histories.values()))
    lowest = min(table["val_objective"].min() for table in (printed, *histories.values()))
    axes.plot(
        printed["epoch"], per_pixel(printed["val_objective"]), color="#94a4a2", linewidth=7, label="printed by the seed"
    )
    for color, style, (name, history) in zip(LINE_COLORS, LINE_STYLES, histories.items(), strict=False):
        line = {"color": color, "linestyle": style, "linewidth": 2, "marker": marker_of(history)}
        outside = int(np.sum(history["val_objective"] > top))
        beyond = f" ({outside} of {len(history)} epochs above the picture)" if outside else ""
        axes.plot(history["epoch"], per_pixel(history["val_objective"]), label=f"ours, {name}{beyond}", **line)
    axes.set_ylim(bottom=per_pixel(0.97 * lowest), top=per_pixel(top))
    epoch_axis(axes, "validation loss per pixel [nats]")
    axes.secondary_yaxis("right", functions=(lambda loss: PIXELS * loss, per_pixel)).set_ylabel("[nats/image]")
    axes.legend(framealpha=1)
    axes.set_title(title)
    return figure


def manifold_windows(grids: Mapping[str, tuple[np.ndarray, np.ndarray]], columns: int, title: str) -> Figure:
    """Decoded grids in rows of some columns, each with the latent coordinates of its own window.

    grids: for each title the images, (n, n, 28, 28), row 0 at the largest z[1], and the coordinates, (2, n)
    """
    rows = -(-len(grids) // columns)
    figure, panels = new_figure(4.6 * columns, 5 * rows + 0.4, rows, columns)
    for axes, (name, (images, coordinates)) in zip(np.asarray(panels).flat, grids.items(), strict=True):
        show_grid(axes, images, coordinates, interpolation="antialiased")
        axes.set_title(name)
    figure.suptitle(title)
    return figure


def kl_areas(z: np.ndarray, curves: Mapping[str, np.ndarray], areas: Mapping[str, float], title: str) -> Figure:
    """Two densities, and the integrand of the KL in each direction, with its area shaded by sign.

    z: (N,); curves: q, p and an integrand for each name of areas, (N,) each
    """
    figure, panels = new_figure(10, 4.2, columns=len(areas), sharey=True)
    for axes, (name, area) in zip(panels, areas.items(), strict=True):
        axes.plot(z, curves["q"], color="#3f90da", linewidth=2, label="q")
        axes.plot(z, curves["p"], color="#e76300", linewidth=2, linestyle="--", label="p")
        axes.plot(z, curves[name], color="black", linewidth=1, label="integrand")
        above, below = (curves[name] >= 0), (curves[name] <= 0)
        axes.fill_between(z, curves[name], where=above, color="#832db6", alpha=0.35, linewidth=0, label="counts as +")
        axes.fill_between(z, curves[name], where=below, color="#94a4a2", alpha=0.6, linewidth=0, label="counts as -")
        axes.set(xlabel="z", title=f"{name}: the area is {area:.3f} nats")
        axes.grid(alpha=0.3)
    panels[0].set_ylabel("density; integrand [nats per unit of z]")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=5, frameon=False)
    figure.suptitle(title)
    return figure


def bound(scale: np.ndarray, elbos: Mapping[str, np.ndarray], log_evidence: float, title: str) -> Figure:
    """The ELBO of families of q, against their width, below log p(x); scale: (N,), elbos: (N,) each."""
    figure, axes = new_figure(9, 4.4)
    axes.axhline(log_evidence, color="black", linewidth=1.5, label="log p(x)")
    for (name, elbo), color, style in zip(elbos.items(), LINE_COLORS, LINE_STYLES, strict=False):
        axes.plot(scale, elbo, color=color, linestyle=style, linewidth=2, label=f"ELBO, {name}")
        axes.plot(scale[elbo.argmax()], elbo.max(), color=color, marker="o", markersize=8)
        gap = max(log_evidence - elbo.max(), 0)
        axes.annotate(f"gap {gap:.3f}", (scale[elbo.argmax()], elbo.max()), (0, -18), textcoords="offset points")
    axes.set(xscale="log", xlabel="standard deviations of q, as multiples of the best ones", ylabel="nats")
    axes.set_xticks([0.3, 0.5, 1, 2, 3], ["0.3", "0.5", "1", "2", "3"])
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_ylim(log_evidence - 4, log_evidence + 0.4)
    axes.grid(alpha=0.3)
    axes.legend(loc="lower center")
    axes.set_title(title)
    return figure


def variances(
    histories: Mapping[str, pd.DataFrame],
    lines: Mapping[str, float],
    elbos: pd.DataFrame,
    dots: Mapping[str, float],
    title: str,
) -> Figure:
    """The variance of the pixels per epoch; and the negative ELBO of trained models against the variance they get.

    histories: of those models of elbos that learn it; lines: other variances to compare with
    elbos: a column per model, the variance as index; dots: the variance that each model has
    """
    figure, (left, right) = new_figure(11, 4.8, columns=2)
    look = {
        name: {"color": color, "linestyle": style, "linewidth": 2}
        for name, color, style in zip(elbos, LINE_COLORS, LINE_STYLES, strict=False)
    }
    for name, history in histories.items():
        left.plot(history["epoch"], history["variance"], label=name, marker=marker_of(history), **look[name])
    for (name, variance), style in zip(lines.items(), (":", "-."), strict=False):
        if variance > 0:  # a logarithmic axis has no 0
            left.axhline(variance, color="#717581", linestyle=style, linewidth=1.5, label=name)
    epoch_axis(left, "variance of a pixel")
    left.set_yscale("log")
    left.yaxis.set_major_formatter("{x:g}")
    left.yaxis.set_minor_formatter("{x:g}")
    left.legend()
    for name in elbos:
        right.plot(elbos.index, elbos[name], label=name, **look[name])
        own = np.interp(np.log(dots[name]), np.log(elbos.index), elbos[name])
        right.plot(dots[name], own, color=look[name]["color"], marker="o", markersize=8)
    right.set(xscale="log", xlabel="variance of a pixel", ylabel="negative ELBO [nats/image]")
    right.grid(alpha=0.3)
    right.legend()
    figure.suptitle(title)
    return figure


def posteriors(rows: Mapping[str, Sequence[Mapping[str, np.ndarray]]], names: Sequence[str], title: str) -> Figure:
    """The posteriors of some images as grey densities, with q(z|x) as ellipses of 1 and 2 standard deviations.

    rows: for each name x, y, density (y, x), mean (2,) and deviation (2,) of each image; names: of the images
    """
    columns = len(names)
    figure = Figure(figsize=(2.7 * columns + 0.6, 2.8 * len(rows) + 0.9), dpi=PIXELS_PER_INCH, layout="constrained")
    panels = np.asarray(figure.subplots(len(rows), columns)).reshape(len(rows), columns)
    for row, (row_name, planes) in zip(panels, rows.items(), strict=True):
        for axes, plane in zip(row, planes, strict=True):
            axes.pcolormesh(plane["x"], plane["y"], plane["density"], cmap="Greys", rasterized=True)
            for deviations, style in ((1, "-"), (2, "--")):
                size = 2 * deviations * plane["deviation"]
                ring = {"fill": False, "edgecolor": "#e76300", "linewidth": 1.8, "linestyle": style}
                axes.add_patch(Ellipse(plane["mean"], *size, **ring))
            axes.set(aspect="equal")
            axes.locator_params(nbins=4)
            axes.tick_params(labelsize=8)
        row[0].set_ylabel(f"{row_name}\nz[1]")
    for axes, name in zip(panels[0], names, strict=True):
        axes.set_title(name, fontsize=10)
    for axes in panels[-1]:
        axes.set_xlabel("z[0]")
    figure.suptitle(title)
    return figure


def mosaics(sets: Mapping[str, np.ndarray], title: str) -> Figure:
    """Sets of 16 images side by side, each 4 x 4 under its name; sets: (16, 28, 28, 1) in [0, 1] each."""
    figure, panels = new_figure(3.4 * len(sets) + 0.2, 4.1, columns=len(sets))
    for axes, (name, images) in zip(np.atleast_1d(panels), sets.items(), strict=True):
        framed = np.pad(images[..., 0], ((0, 0), (1, 1), (1, 1)), constant_values=1)  # (16, 30, 30)
        axes.imshow(tile(framed.reshape(4, 4, 30, 30)), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        axes.set(xticks=[], yticks=[], title=name)
    figure.suptitle(title)
    return figure


def mosaic_frames(epochs: Sequence[int], images: Sequence[np.ndarray], title: str) -> Iterator[Figure]:
    """An animation over the epochs, of 16 images at the same latent points; images: (16, 28, 28, 1) for each epoch."""
    for epoch, pictures in zip(epochs, images, strict=True):
        yield mosaics({f"after {epoch} epoch{'s' if epoch != 1 else ''}": pictures}, title)


def along_the_way(shares: np.ndarray, lines: Mapping[str, np.ndarray], label: str, title: str) -> Figure:
    """What happens on the way from one end of an interpolation to the other: means over pairs with standard errors.

    shares: (steps,), 0 to 1; lines: for each name (pairs, steps); label: of the vertical axis
    """
    figure, axes = new_figure(9, 4.2)
    for color, style, (name, values) in zip(LINE_COLORS, LINE_STYLES, lines.items(), strict=False):
        error = values.std(axis=0, ddof=1) / np.sqrt(len(values))
        line = {"color": color, "linestyle": style, "linewidth": 2, "capsize": 3}
        axes.errorbar(shares, values.mean(axis=0), error, label=name, **line)
    axes.set(xlabel="share of the way from the one code to the other", ylabel=label)
    axes.grid(alpha=0.3)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False)
    axes.set_title(title)
    return figure


def seed_bands(tables: Mapping[str, pd.DataFrame], title: str) -> Figure:
    """A panel for each table, a line for each of its columns: mean over seeds, and from the least to the greatest seed.

    tables: for each label of a vertical axis one row per (epoch, seed), one column per line
    """
    figure, panels = new_figure(5.2 * len(tables) + 1, 4.4, columns=len(tables))
    styles = {}  # by the name of the line, so that it looks alike in all panels
    for axes, (label, table) in zip(np.atleast_1d(panels), tables.items(), strict=True):
        for name in table:
            color, style = styles.setdefault(name, (LINE_COLORS[len(styles)], LINE_STYLES[len(styles)]))
            seeds = table[name].groupby("epoch").agg(["mean", "min", "max"])
            marker = "o" if len(seeds) == 1 else ""
            axes.plot(seeds.index, seeds["mean"], color=color, linestyle=style, linewidth=2, marker=marker, label=name)
            axes.fill_between(seeds.index, seeds["min"], seeds["max"], color=color, alpha=0.2, linewidth=0)
        epoch_axis(axes, label)
    handles, names = np.atleast_1d(panels)[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=3, frameon=False)
    figure.suptitle(title)
    return figure
