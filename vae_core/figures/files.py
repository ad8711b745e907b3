"""Figures as small PNG and GIF files."""

import io
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from IPython import display
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from PIL import Image

from vae_core.figures.labels import evenly
from vae_core.figures.style import CLASS_COLORS
from vae_core.runs import replace_file


def save_figure(path: Path, figure: Figure, colors: int = 220) -> display.Image:
    """Save a figure with a palette, at a third of the size or less, and return the same picture for the notebook.

    One with colour images keeps all its colours: a palette shows steps where a decoded sky is smooth.
    """
    picture, small = _picture(figure), io.BytesIO()
    if not _has_colour_images(figure):
        # The figure's own colours are chosen by area: a few dots and a legend would lose theirs without the classes'.
        picture = picture.quantize(palette=_palette(_own_colors(picture, colors)), dither=Image.Dither.NONE)
    picture.save(small, format="PNG", optimize=True)
    replace_file(path, small.getvalue())
    return display.Image(data=small.getvalue(), format="png")


def save_animation(path: Path, frames: Iterable[Figure], milliseconds: int) -> None:
    """Write figures as an animated GIF that repeats forever; the last picture stays four times as long.

    One palette for all pictures: greys, or of colour images what the first, middle and last picture have.
    """
    frames = list(frames)
    pictures = [_picture(frame) for frame in frames]
    if _has_colour_images(frames[-1]):
        some = np.concatenate([np.asarray(pictures[place]) for place in evenly(len(pictures), 3)])
        colors = _own_colors(Image.fromarray(some), 220)
    else:
        colors = np.linspace(0, 255, 32)[:, None].repeat(3, axis=1)
    palette = _palette(colors)
    pictures = [picture.quantize(palette=palette, dither=Image.Dither.NONE) for picture in pictures]
    durations = [milliseconds] * (len(pictures) - 1) + [4 * milliseconds]
    buffer = io.BytesIO()
    pictures[0].save(buffer, "GIF", save_all=True, append_images=pictures[1:], duration=durations, loop=0)
    replace_file(path, buffer.getvalue())


def _has_colour_images(figure: Figure) -> bool:
    return any(image.get_array().ndim == 3 for axes in figure.axes for image in axes.images)


def _own_colors(picture: Image.Image, colors: int) -> np.ndarray:
    """The colours that take up most of a picture: (colors, 3) in 0..255."""
    return np.array(picture.quantize(colors).getpalette(), np.uint8).reshape(-1, 3)


def _palette(colors: np.ndarray) -> Image.Image:
    """These colours, (N, 3) in 0..255, white, and the class colours, pure and half transparent on white."""
    classes = 255 * np.array([to_rgb(color) for color in CLASS_COLORS])  # (10, 3)
    palette = Image.new("P", (1, 1))
    colors = colors[colors.min(axis=1) < 247]  # Pillow compares the upper bits: a background would take any near-white
    mixed = np.concatenate([[[255, 255, 255]], colors, classes, (classes + 255) / 2])
    palette.putpalette(mixed.round().astype(np.uint8).tobytes())
    return palette


def _picture(figure: Figure) -> Image.Image:
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # savefig would lay out and draw twice, and pack and unpack a PNG
    return Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
