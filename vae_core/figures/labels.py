"""Words on a figure that keep clear of each other, and numbers of marks that do not grow with the data."""

from collections.abc import Iterable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.transforms import Bbox

DOT = 6  # pixels from the middle of a dot to its edge
BELOW = {"xytext": (0, -16), "ha": "center", "va": "top"}
ABOVE = {"xytext": (0, 9), "ha": "center", "va": "bottom"}
LEFT = {"xytext": (-9, 0), "ha": "right", "va": "center"}
RIGHT = {"xytext": (12, 0), "ha": "left", "va": "center"}
ABOVE_RIGHT = {"xytext": (-5, 8), "ha": "left", "va": "bottom"}


def weight_names(weights: Iterable[float]) -> list[str]:
    """KL weights in three significant digits, or in as many as tell them apart; never in more than the tables' six."""
    weights = list(weights)
    for digits in range(3, 7):
        names = [f"{float(f'{weight:.{digits}g}'):g}" for weight in weights]
        if len(set(names)) == len(set(weights)):
            break
    return names


def shortened(words: str, most: int = 20) -> str:
    """The words, or their beginning and their end: names of classes may be those of somebody's folders."""
    return words if len(words) <= most else f"{words[: most - most // 2 - 1]}…{words[-(most // 2) :]}"


def evenly(count: int, most: int) -> np.ndarray:
    """At most `most` of the places 0 to count - 1, evenly spread, with both ends."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(int))


def taken_places(axes: Axes, dots: np.ndarray) -> list[Bbox]:
    """The boxes, in pixels, of the words on the axes and of dots; dots: (N, 2), in data coordinates.

    The axes must have their limits. Lays out the figure.
    """
    axes.figure.draw_without_rendering()
    places = axes.transData.transform(dots)  # (N, 2)
    boxes = [Bbox([place - DOT, place + DOT]) for place in places]
    return boxes + [text.get_window_extent() for text in axes.texts]


def write_where_free(
    axes: Axes, taken: list[Bbox], words: str, point: tuple[float, float], sides: Iterable[dict], **look
) -> bool:
    """Write words on the first side of a point where they hide nothing, and add their box to those that are taken.

    Returns whether there was room: words that would hide others, or leave the axes, are not written.

    sides: offsets in points and alignments, such as BELOW; look: of the words
    """
    for side in sides:
        text = axes.annotate(words, point, textcoords="offset points", in_layout=False, **side, **look)
        box = text.get_window_extent()
        inside = axes.bbox.containsx(box.x0) and axes.bbox.containsx(box.x1)
        inside = inside and axes.bbox.containsy(box.y0) and axes.bbox.containsy(box.y1)
        if inside and not box.padded(2).count_overlaps(taken):
            taken.append(box)
            return True
        text.remove()
    return False
