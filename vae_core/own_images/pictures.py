"""Pictures in a folder, read as Keras reads them; sub-folders are classes."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from vae_core.errors import InputError
from vae_core.own_images.checks import FEWEST, check_shape

SUFFIXES, FORMATS = (".png", ".jpg", ".jpeg"), ("PNG", "JPEG")
GREY, COLOUR = ("1", "L", "LA"), ("P", "PA", "RGB", "RGBA")  # Pillow's modes with 8 bits or fewer
SPLITS = {"train", "training", "test", "testing", "val", "valid", "validation"}


def read_pictures(folder: Path) -> dict[str, np.ndarray]:
    """The PNG and JPEG pictures of a folder as `images`, its sub-folders as `labels`.

    `keras.utils.image_dataset_from_directory` reads them, in its order. Grey pictures have one channel if all are grey;
    otherwise all have three. Pictures that lie in the folder itself have no labels.

    returns: images, (N, height, width, channels), uint8, and labels, (N,), words

    Raises InputError for pictures that Keras would resize, change or leave out without a word, and for damaged ones.
    """
    import vae_core.backend  # noqa: F401, I001
    from keras.utils import image_dataset_from_directory  # imports of seconds, which arrays do not need
    from tensorflow.errors import InvalidArgumentError

    classes = _classes(folder)
    reading = {"labels": "inferred" if classes else None, "batch_size": None}
    reading |= {"shuffle": False, "seed": 0, "verbose": False}  # without a seed it draws one from NumPy's global state
    try:
        listed = image_dataset_from_directory(folder, **reading).file_paths
    except ValueError as error:
        raise InputError("it has no PNG or JPEG pictures") from error
    paths = [Path(path).relative_to(folder) for path in listed]
    shape = _shape(folder, paths)
    _tell_what_is_left_out(folder)
    reading |= {"image_size": shape[1:3], "color_mode": "rgb" if shape[3] == 3 else "grayscale"}
    images = np.empty(shape, np.uint8)
    pictures = iter(image_dataset_from_directory(folder, **reading))
    for path, image in zip(paths, images, strict=True):
        try:
            picture = next(pictures)
        except InvalidArgumentError as error:  # TensorFlow decodes less than Pillow does
            raise _damaged(path) from error
        image[...] = np.rint(picture[0] if classes else picture)
    labels = {"labels": np.array([path.parts[0] for path in paths])} if classes else {}
    return {"images": images} | labels


def _classes(folder: Path) -> list[str]:
    """The names of the sub-folders that are not empty; none if the pictures lie in the folder itself."""
    inside = [path for path in sorted(folder.iterdir()) if not path.name.startswith(".")]
    classes = [path.name for path in inside if path.is_dir() and any(path.iterdir())]
    if classes and (beside := [path.name for path in inside if path.suffix.lower() in SUFFIXES]):
        raise InputError(f"{beside[0]} lies beside the folder {classes[0]}: put all pictures into folders, or none")
    if classes and SPLITS.issuperset(name.lower() for name in classes):
        raise InputError(f"{', '.join(classes)} would be taken for classes: name one of the folders, {classes[0]}")
    return classes


def _shape(folder: Path, paths: Sequence[Path]) -> tuple[int, int, int, int]:
    """(N, height, width, channels) of all pictures together, each of which is looked at."""
    width, height = first = _loaded(folder, paths[0]).size
    check_shape((len(paths), height, width), "pictures", FEWEST)
    modes = set()
    for path in paths:
        picture = _loaded(folder, path)
        if picture.size != first:
            other = f"{path} {picture.size[1]} x {picture.size[0]}"
            raise InputError(f"{paths[0]} is {height} x {width} pixels, {other}: give all the same size")
        modes.add(picture.mode)
    return len(paths), height, width, 3 if modes & {*COLOUR} else 1


def _loaded(folder: Path, path: Path) -> Image.Image:
    if any(part.startswith(".") for part in path.parent.parts):
        raise InputError(f"{path} lies in a hidden folder: delete or move that")
    try:
        with Image.open(folder / path) as picture:
            picture.load()
    except Exception as error:  # of the file system, or whatever Pillow meets in the file
        raise _damaged(path, getattr(error, "strerror", None)) from error
    if picture.format not in FORMATS:
        raise InputError(f"{path} is a {picture.format} picture: save all as PNG or JPEG")
    if picture.mode not in GREY + COLOUR:
        raise InputError(f"{path} has pixels of the type {picture.mode}: save it in grey or RGB with 8 bits")
    if picture.has_transparency_data and picture.convert("RGBA").getextrema()[3][0] < 255:
        raise InputError(f"{path} is transparent in places: put it on a background")
    return picture


def _damaged(path: Path, reason: str | None = None) -> InputError:
    return InputError(f"{path} cannot be read ({reason or 'damaged, or no picture'}): delete or replace it")


def _tell_what_is_left_out(folder: Path) -> None:
    inside = [path.relative_to(folder) for path in sorted(folder.rglob("*")) if path.is_file()]
    others = [
        path
        for path in inside
        if path.suffix.lower() not in SUFFIXES and not any(part.startswith(".") for part in path.parts)
    ]
    if others:
        print(f"{folder.name}: files that are no PNG or JPEG pictures are left out: {len(others)}, such as {others[0]}")
