"""Colours that can be told from the page behind them."""

from collections.abc import Sequence

LEAST_CONTRAST = 3.0  # of graphics (WCAG 2.2, 1.4.11)
PAPERS = {"light": "#ffffff", "dark": "#16181a"}  # as --paper in explorer.css


def contrast(one: str, other: str) -> float:
    """The ratio of the two luminances, 1 to 21, as WCAG defines it."""
    low, high = sorted((_luminance(_linear(one)), _luminance(_linear(other))))
    return (high + 0.05) / (low + 0.05)


def readable(color: str, paper: str) -> str:
    """The colour, mixed with as little black or white as gives it `LEAST_CONTRAST` on the paper."""
    end = 0.0 if _luminance(_linear(paper)) > 0.18 else 1.0  # black on light paper
    mixed = (_hex([(1 - share / 100) * value + share / 100 * end for value in _linear(color)]) for share in range(101))
    return next(one for one in mixed if contrast(one, paper) >= LEAST_CONTRAST)


def _linear(color: str) -> list[float]:
    values = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    return [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in values]


def _luminance(linear: Sequence[float]) -> float:
    return sum(weight * value for weight, value in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def _hex(linear: Sequence[float]) -> str:
    values = [12.92 * value if value <= 0.0031308 else 1.055 * value ** (1 / 2.4) - 0.055 for value in linear]
    return "#" + "".join(f"{round(255 * value):02x}" for value in values)
