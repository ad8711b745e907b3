"""A user's own images as a data set: an .npz or .npy file of arrays, or a folder of pictures.

Whatever cannot be used is told in one line, before anything is trained or written.
"""

import hashlib
import re
from collections.abc import Collection
from pathlib import Path

import numpy as np

from vae_core.dataset import ByteImages, Dataset
from vae_core.errors import InputError
from vae_core.own_images.checks import FEWEST, FEWEST_TEST, as_pixels
from vae_core.own_images.classes import classes_of
from vae_core.own_images.files import read_arrays
from vae_core.own_images.pictures import read_pictures

SEED = 0  # of the split, the same in all runs


def is_path(name: str | Path) -> bool:
    """Whether a data set is named by a path: a slash or a suffix is in it, or it begins with ~ or a dot.

    A single word never is a path, whatever folders there are: the same command means the same everywhere.
    """
    text = str(name)
    return isinstance(name, Path) or "/" in text or text.startswith(("~", ".")) or bool(Path(text).suffix)


def load_own_images(path: str | Path, taken: Collection[str] = ()) -> Dataset:
    """Read, check and split the images in an .npz or .npy file or in a folder of pictures.

    The data set is named after the file or folder. Images that are not floats stay bytes in memory. They are shuffled
    with a fixed seed. Without test images the first tenth is the test set; the next tenth is the validation set, the
    others are trained on. Test images that are given stay in their order. The checksum is the SHA-256 of images and
    labels as they are split.

    taken: names that the data set must not have

    Raises InputError if the path is not there, or has what cannot be used.
    """
    try:
        return _load(Path(path).expanduser().absolute(), taken)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except (OSError, RuntimeError) as error:  # of the file system; of a home folder that nobody has
        raise InputError(f"{path} cannot be read ({getattr(error, 'strerror', error)})") from error


def _load(path: Path, taken: Collection[str]) -> Dataset:
    name = _name(path, taken)
    given = read_pictures(path) if path.is_dir() else read_arrays(path)
    images = as_pixels(given.pop("images"), "images", FEWEST)
    test = as_pixels(given["test_images"], "test_images", FEWEST_TEST) if "test_images" in given else images[:0]
    if test.shape[1:] != images.shape[1:]:
        shapes = (" x ".join(map(str, array.shape[1:])) for array in (images, test))
        raise InputError("images are {}, test_images {}: give them the same size and channels".format(*shapes))
    labels, test_labels, class_names = classes_of(given, len(images), len(test))
    _shuffle(images)
    _shuffle(labels[:, None])
    count, tenth = len(images), len(images) // 10
    split = f"{tenth:,} for validation by a fixed seed, and {len(test):,} test images"
    if not len(test):
        (test, images), (test_labels, labels) = np.split(images, [tenth]), np.split(labels, [tenth])
        split = "split 80/10/10 by a fixed seed"
        print(
            f"data set {name}: no test images are given; of {count:,} images, {tenth:,} chosen by a fixed seed are the "
            f"test set, {tenth:,} are for validation"
        )
    (validation, train), (validation_labels, train_labels) = np.split(images, [tenth]), np.split(labels, [tenth])
    height, width, channels = images.shape[1:]
    classes = f" in {len(class_names)} classes" if class_names else ""
    kind = "grey" if channels == 1 else "colour"
    return Dataset(
        name=name,
        description=f"{name}: {count:,} {kind} images of {height}x{width}{classes} from {path.name}, {split}",
        class_names=class_names,
        checksum=_checksum(train, train_labels, validation, validation_labels, test, test_labels),
        train_images=_kept(train),
        train_labels=train_labels,
        validation_images=_kept(validation),
        validation_labels=validation_labels,
        test_images=_kept(test),
        test_labels=test_labels,
        path=str(path),
    )


def _name(path: Path, taken: Collection[str]) -> str:
    if not path.exists():
        raise InputError("there is no such file or folder: correct the path")
    name = path.name if path.is_dir() else path.stem
    if name.lower() in taken:
        raise InputError(f"{name} is the name of a built-in data set: rename it, so that the two are never mixed")
    if not re.fullmatch(r"[^\W_][\w .+-]{,99}", name):
        raise InputError("its name is a folder's, too: rename it, with letters, digits, - and _ alone")
    return name


def _shuffle(rows: np.ndarray) -> None:
    """Put rows, (N, ...), into an order that N alone decides, in place: a second copy may not fit into memory."""
    np.random.default_rng(SEED).shuffle(rows)


def _checksum(*parts: np.ndarray) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(f"{part.dtype} {part.shape}".encode())
        digest.update(part.data)
    return digest.hexdigest()


def _kept(images: np.ndarray) -> np.ndarray | ByteImages:
    return ByteImages(images) if images.dtype == np.uint8 else images
