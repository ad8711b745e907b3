"""Images in blocks, so that no measure's memory grows with their number."""

import math
from collections.abc import Iterator, Sequence

MEMORY = 1 << 25  # bytes of float32 images at a time: 10,699 of 28 x 28, 682 of 64 x 64 in colour


def images_in(memory: int, image_shape: Sequence[int]) -> int:
    """How many float32 images so many bytes hold, one at least."""
    return max(1, memory // (4 * math.prod(image_shape)))


def blocks(images, size: int | None = None) -> Iterator[slice]:
    """Slices of images, (N, height, width, channels), that cover them; each of `size`, or what MEMORY holds."""
    size = size or images_in(MEMORY, images.shape[1:])
    return (slice(start, start + size) for start in range(0, len(images), size))
