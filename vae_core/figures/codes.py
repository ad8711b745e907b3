"""Codes in a plane, or along one dimension."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from vae_core.figures.classes import scatter_classes, told_apart

LARGEST = 25  # area of a dot, in square points
GOLDEN = (5**0.5 - 1) / 2  # multiples of it, less their whole part, never come close to each other


def scatter_codes(
    axes: Axes, codes: np.ndarray, labels: np.ndarray, class_names: Sequence[str], size: float
) -> np.ndarray:
    """Codes in the colours of their classes, in a plane or in a strip.

    codes: (N, 2), or (N, 1) of a strip, in which each class has a band, the first at the top; labels: (N,)
    size: of the dots at least, in square points; few codes have larger ones
    returns: where each code is, (N, 2)
    """
    size = max(size, min(LARGEST, 10_000 / len(codes)))
    if codes.shape[1] == 2:
        scatter_classes(axes, codes, labels, class_names, size)
        return codes
    bands = len(class_names) if told_apart(class_names) else 1
    heights = 0.1 + 0.8 * (np.arange(len(codes)) * GOLDEN % 1) + (labels if bands > 1 else 0)  # (N,)
    places = np.column_stack([codes[:, 0], heights])
    scatter_classes(axes, places, labels, class_names, size)
    axes.set(ylim=(bands, 0), ylabel="one band per class" if bands > 1 else "spread to be seen")
    return places
