"""Sets of 16 images side by side, and images of the same codes as training goes on."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from vae_core.figures.compare import image_grid
from vae_core.figures.style import new_figure, tile


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
    """One frame per recorded epoch, of 16 images decoded from the same codes; images: (16, 28, 28, 1) each."""
    for epoch, pictures in zip(epochs, images, strict=True):
        yield mosaics({f"after {epoch} epoch{'s' if epoch != 1 else ''}": pictures}, title)


def epoch_strip(
    epochs: Sequence[int], images: Sequence[np.ndarray], title: str, rows: int = 8, columns: int = 8
) -> Figure:
    """Some of the recorded epochs below each other, the first images in each row; images: (N, 28, 28, 1) each."""
    chosen = np.unique(np.linspace(0, len(epochs) - 1, rows).round().astype(int))
    shown = np.array(images)[chosen, :columns, ..., 0]  # (rows, columns, 28, 28)
    return image_grid(shown, title, [f"epoch {epochs[i]}" for i in chosen])
