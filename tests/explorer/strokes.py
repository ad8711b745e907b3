"""Drawings of digits as strokes, made by a script: each has its own slant, size, proportions, place, wobble and pen."""

import numpy as np

TURN = 2 * np.pi


def arc(x: float, y: float, across: float, down: float, start: float, end: float) -> np.ndarray:
    """Of an ellipse around (x, y) with these radii, from one angle to another, in turns clockwise from 3 o'clock."""
    angles = TURN * np.linspace(start, end, 24)
    return np.stack([x + across * np.cos(angles), y + down * np.sin(angles)], axis=1)


def curve(*points: tuple[float, float]) -> np.ndarray:
    """A smooth line through the points: Catmull and Rom's spline."""
    p = np.array([points[0], *points, points[-1]])
    t = np.linspace(0, 1, 8, endpoint=False)[:, None]
    parts = [
        0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
        for a, b, c, d in zip(p, p[1:], p[2:], p[3:], strict=False)
    ]
    return np.concatenate([*parts, p[-1:]])


def line(*points: tuple[float, float]) -> np.ndarray:
    """Straight from point to point."""
    return np.array(points, float)


# How each digit may be written: its strokes, x to the right and y down, in a square from 0 to 1.
WAYS = {
    0: [[arc(0.5, 0.5, 0.36, 0.5, -0.2, 0.82)], [arc(0.5, 0.5, 0.4, 0.5, 0.7, -0.32)]],
    1: [[line((0.5, 0), (0.5, 1))], [line((0.52, 0), (0.48, 1))]],
    2: [
        [np.concatenate([curve((0.1, 0.25), (0.4, 0), (0.75, 0.22), (0.55, 0.6), (0.1, 0.95)), line((0.9, 0.93))])],
        [curve((0.12, 0.2), (0.45, 0), (0.75, 0.25), (0.5, 0.65), (0.15, 0.98), (0.2, 0.8), (0.5, 0.85), (0.95, 0.95))],
    ],
    3: [
        [curve((0.15, 0.1), (0.5, 0), (0.75, 0.2), (0.4, 0.46), (0.8, 0.7), (0.55, 0.98), (0.1, 0.92))],
        [np.concatenate([arc(0.42, 0.25, 0.32, 0.25, 0.6, 1.2), arc(0.42, 0.74, 0.36, 0.26, 0.77, 1.4)])],
    ],
    4: [
        [curve((0.2, 0.05), (0.12, 0.52), (0.5, 0.55), (0.82, 0.48)), line((0.75, 0.05), (0.68, 1))],
        [line((0.2, 0.1), (0.14, 0.5), (0.82, 0.46)), line((0.72, 0), (0.7, 1))],
    ],
    5: [
        [
            curve((0.3, 0.05), (0.22, 0.42), (0.62, 0.45), (0.72, 0.75), (0.4, 1), (0.05, 0.9)),
            line((0.3, 0.05), (0.85, 0)),
        ],
        [
            np.concatenate(
                [line((0.85, 0.02), (0.3, 0.05)), curve((0.25, 0.45), (0.6, 0.45), (0.7, 0.75), (0.35, 1), (0, 0.9))]
            )
        ],
    ],
    6: [
        [curve((0.6, 0), (0.25, 0.4), (0.2, 0.8), (0.5, 1), (0.75, 0.75), (0.5, 0.55), (0.22, 0.75))],
        [curve((0.5, 0), (0.2, 0.45), (0.25, 0.9), (0.6, 0.97), (0.75, 0.7), (0.45, 0.6), (0.25, 0.85))],
    ],
    7: [
        [line((0.1, 0.1), (0.8, 0.05), (0.45, 1))],
        [curve((0.1, 0.12), (0.5, 0.1), (0.82, 0.08), (0.6, 0.5), (0.45, 1))],
    ],
    8: [
        [
            curve(
                (0.75, 0.15),
                (0.45, 0),
                (0.25, 0.22),
                (0.5, 0.47),
                (0.75, 0.75),
                (0.5, 1),
                (0.25, 0.78),
                (0.5, 0.47),
                (0.78, 0.15),
            )
        ],
        [arc(0.5, 0.25, 0.25, 0.25, 0.25, 1.25), arc(0.5, 0.76, 0.3, 0.26, -0.25, 0.75)],
    ],
    9: [
        [curve((0.72, 0.2), (0.45, 0.02), (0.2, 0.25), (0.45, 0.46), (0.72, 0.2), (0.68, 0.6), (0.58, 1))],
        [arc(0.45, 0.25, 0.27, 0.24, 0, 1), line((0.72, 0.25), (0.66, 1))],
    ],
}


def drawing(digit: int, rng: np.random.Generator) -> tuple[list[list[list[float]]], float]:
    """Strokes of a digit, points (x, y) from 0 to 1, and how thick its pen is beside the usual one."""
    ways = WAYS[digit]
    strokes = ways[rng.integers(len(ways))]
    wobble, slant, turn = rng.normal(0, 0.02), rng.normal(0.2, 0.15), rng.normal(0, 0.07)
    shape = np.array([[np.cos(turn), -slant], [np.sin(turn), 1]]) * rng.uniform(0.8, 1.25, 2)  # of x and of y
    size, frequency, phase = rng.uniform(0.35, 0.75), rng.uniform(1, 2), rng.uniform(0, TURN, 2)
    placed = []
    for points in strokes:
        waves = wobble * np.sin(TURN * frequency * points[:, ::-1] + phase)
        placed.append((points + waves - 0.5) @ shape.T)
    corner = np.concatenate(placed)
    low, high = corner.min(axis=0), corner.max(axis=0)
    scale = size / (high - low).max()
    start = rng.uniform(0.05, 0.95 - scale * (high - low))
    return [(start + scale * (points - low)).tolist() for points in placed], rng.uniform(0.8, 1.25)


def drawings(count: int = 10, seed: int = 0) -> list[tuple[int, list[list[list[float]]], float]]:
    """So many of each digit: digit, strokes and pen."""
    rng = np.random.default_rng(seed)
    return [(digit, *drawing(digit, rng)) for digit in WAYS for _ in range(count)]
