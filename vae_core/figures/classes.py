"""Classes of images as colours and markers, and their legends."""

from collections.abc import Iterator, Sequence

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from vae_core.figures.labels import shortened
from vae_core.figures.style import CLASS_COLORS, ONE_COLOR

MARKERS = ("o", "^", "s")  # of the first ten classes, the next ten, and so on
MOST_CLASSES = len(MARKERS) * len(CLASS_COLORS)  # that colours and markers tell apart
LEAST_MARKER = 9  # points squared: below it a triangle looks like a disc
GREY = "#717581"


def told_apart(class_names: Sequence[str]) -> bool:
    """Whether figures show the classes: there are some, and not too many."""
    return 0 < len(class_names) <= MOST_CLASSES


def class_groups(labels: np.ndarray, class_names: Sequence[str]) -> Iterator[tuple[np.ndarray, dict[str, object]]]:
    """The rows of codes that share a marker, (N,) of bool, and how a scatter shows them.

    Up to ten classes differ in their colours; more also in their markers. Without classes, or with too many of them,
    all codes look the same.
    """
    if not told_apart(class_names):
        yield np.ones(len(labels), bool), {"color": GREY if class_names else ONE_COLOR}
        return
    for group in range(-(-len(class_names) // len(CLASS_COLORS))):
        rows = labels // len(CLASS_COLORS) == group
        yield rows, {"c": np.array(CLASS_COLORS)[labels[rows] % len(CLASS_COLORS)], "marker": MARKERS[group]}


def scatter_classes(
    axes: Axes, points: np.ndarray, labels: np.ndarray, class_names: Sequence[str], size: float
) -> None:
    """Points in the colours and markers of their classes; points: (N, 2), labels: (N,)."""
    size = size if len(class_names) <= len(CLASS_COLORS) else max(size, LEAST_MARKER)
    for rows, look in class_groups(labels, class_names):
        axes.scatter(points[rows, 0], points[rows, 1], s=size, linewidths=0, rasterized=True, **look)


def class_handles(class_names: Sequence[str]) -> list[Line2D]:
    """Legend entries for the classes: none without classes, and a note where there are too many."""
    dot = {"markersize": 8, "linestyle": ""}
    if len(class_names) > MOST_CLASSES:
        return [Line2D([], [], color=GREY, marker="o", label=f"{len(class_names)} classes, too many to colour", **dot)]
    return [
        Line2D(
            *([], []),
            color=CLASS_COLORS[number % len(CLASS_COLORS)],
            marker=MARKERS[number // len(CLASS_COLORS)],
            label=shortened(name),
            **dot,
        )
        for number, name in enumerate(class_names)
    ]


def legend_below(figure: Figure, handles: list[Artist], columns: int, size: float = 10, **look) -> None:
    """A legend below a figure, in so many columns or as many as fit; the figure grows if it needs more than two rows.

    size: of the letters, in points
    """
    if not handles:
        return
    names = [handle.get_label() for handle in handles]
    fitting = (count for count in range(columns, 0, -1) if legend_width(names, count, size) <= figure.get_figwidth())
    columns = next(fitting, 1)
    rows = -(-len(names) // columns)
    figure.set_figheight(figure.get_figheight() + max(0, rows - 2) * 1.6 * size / 72)
    figure.legend(handles=handles, loc="outside lower center", ncols=columns, fontsize=size, **look)


def legend_width(names: Sequence[str], columns: int, size: float = 10) -> float:
    """About the width of a legend in inches: letters of 0.6 of their height, and 4.8 heights for each handle."""
    longest = [max(map(len, part)) for part in np.array_split(np.array(names), columns) if len(part)]
    return (0.6 * sum(longest) + 4.8 * len(longest)) * size / 72
