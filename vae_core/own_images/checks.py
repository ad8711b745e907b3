"""Whether arrays are images that a model can be trained on, and what to do if they are not."""

import numpy as np

from vae_core.errors import InputError

FEWEST = 200  # images that are split, or trained on
FEWEST_TEST = 20
SMALLEST, LARGEST = 8, 64  # pixels of a side


def as_pixels(images: np.ndarray, name: str, fewest: int) -> np.ndarray:
    """Images as (N, height, width, channels): whole numbers 0..255 and true or false as uint8, floats as float32.

    images: (N, height, width) or (N, height, width, channels); returned as they are if they can be

    Raises InputError, which calls the array `name`.
    """
    if images.dtype.kind not in "buif":
        raise InputError(f"{name} are of type {images.dtype}, not numbers")
    check_shape(images.shape, name, fewest)
    images = np.ascontiguousarray(images[..., None] if images.ndim == 3 else images)
    if images.dtype.kind == "b":
        images = np.multiply(images, 255, dtype=np.uint8)
    whole = images.dtype.kind != "f"
    _check_range(images.min().item(), images.max().item(), name, whole)
    return images.astype(np.uint8 if whole else np.float32, copy=False)


def check_shape(shape: tuple[int, ...], name: str, fewest: int) -> None:
    """Raise InputError unless the shape, (N, height, width) or (N, height, width, channels), is one of images."""
    if len(shape) == 2:
        raise InputError(f"{name} have the shape {shape}, a row for each: reshape them to (N, height, width)")
    if len(shape) not in (3, 4):
        raise InputError(f"{name} have the shape {shape}, not (N, height, width) or (N, height, width, channels)")
    if len(shape) == 4 and shape[1] in (1, 3):
        raise InputError(f"{name} have the shape {shape}, channels first: use {name}.transpose(0, 2, 3, 1)")
    if len(shape) == 4 and shape[3] == 4:
        raise InputError(f"{name} have 4 channels: leave transparency out with {name}[..., :3]")
    if len(shape) == 4 and shape[3] not in (1, 3):
        raise InputError(f"{name} have {shape[3]} channels: 1 (grey) or 3 (red, green, blue) can be used")
    if min(shape[1:3]) < SMALLEST or max(shape[1:3]) > LARGEST:
        sides = " x ".join(map(str, shape[1:3]))
        raise InputError(
            f"{name} are {sides} pixels: from {SMALLEST} x {SMALLEST} to {LARGEST} x {LARGEST} can be used"
        )
    if shape[0] < fewest:
        raise InputError(f"{name} are {shape[0]}: at least {fewest} are needed")


def _check_range(low: float, high: float, name: str, whole: bool) -> None:
    if not (np.isfinite(low) and np.isfinite(high)):
        raise InputError(f"{name} have pixels that are NaN or infinite: replace them, or leave those images out")
    white, kind = (255, "whole numbers") if whole else (1, "floats")
    if low < 0 or high > white:
        raise InputError(
            f"{name} are {kind} from {low:g} to {high:g}, not 0 to {white}: {_remedy(low, high, name, whole)}"
        )
    if low == high:
        raise InputError(f"{name} have the value {low:g} in all pixels: there is nothing to learn")
    if high <= white / 255:
        raise InputError(
            f"{name} have values up to {high:g}, and {white} is white, all are black: were they divided by 255 twice? "
            "If they are 0 and 1, save them as bool"
        )


def _remedy(low: float, high: float, name: str, whole: bool) -> str:
    if not whole and low >= -0.1 and high <= 1.1:
        return f"use np.clip({name}, 0, 1)"
    if not whole and low >= -1.1 and high <= 1.1:
        return f"use ({name} + 1) / 2"
    if not whole and low >= 0 and high <= 256:
        return f"use {name} / 255, or save them as uint8"
    return "scale them to floats from 0 to 1"
