"""Labels, which may be numbers or words, as the numbers 0, 1, ... and the names of the classes."""

from collections.abc import Mapping

import numpy as np

from vae_core.errors import InputError

MOST_CLASSES = 1000
TOGETHER = (("class_names", "labels"), ("test_labels", "labels"), ("test_labels", "test_images"))


def classes_of(
    given: Mapping[str, np.ndarray], images: int, test_images: int
) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Labels of the images and of the test images, from 0 on, and the names of the classes; all -1 if there are none.

    given: `labels`, and `test_labels` where there are test images, are numbers or words, one per image. `class_names`
        are the names of 0, 1, ... or contain the words; without them the labels themselves are the names, sorted
    images, test_images: how many there are

    Raises InputError for labels that do not fit, or that are too many for classes.
    """
    for one, other in TOGETHER:
        if one in given and other not in given:
            raise InputError(f"it has {one} but no {other}: save both or neither")
    if "labels" in given and "test_images" in given and "test_labels" not in given:
        raise InputError("it has labels and test_images but no test_labels: save both labels or neither")
    sizes = {"labels": images, "test_labels": test_images}
    parts = [_flat(given[name], name, size) for name, size in sizes.items() if name in given]
    if len({part.dtype.kind == "U" for part in parts}) == 2:
        raise InputError("labels and test_labels are numbers and words: save both as the same")
    values = np.concatenate(parts) if parts else np.full(images + test_images, -1)
    if len(np.unique(values)) == 1:
        if parts:
            print(f"all images have the label {values[0]}: they are taken as images without labels")
        return np.full(images, -1), np.full(test_images, -1), ()
    numbers, names = _numbered(values, given.get("class_names"))
    if len(names) > min(MOST_CLASSES, len(values) // 2):
        raise InputError(f"labels has {len(names):,} classes for {len(values):,} images, too many: leave labels out")
    return numbers[:images], numbers[images:], names


def _flat(labels: np.ndarray, name: str, size: int) -> np.ndarray:
    """Labels as whole numbers or words, (N,)."""
    if labels.shape[1:] == (1,):
        labels = labels[:, 0]
    if labels.ndim == 2:
        raise InputError(f"{name} have the shape {labels.shape}: use {name}.argmax(axis=1) if a 1 marks the class")
    if labels.shape != (size,):
        raise InputError(f"{name} have the shape {labels.shape}, not ({size},): one label for each image is needed")
    if labels.dtype.kind == "S":
        return np.char.decode(labels, "utf-8", "replace")
    if labels.dtype.kind == "f":
        if np.any(odd := ~np.isfinite(labels) | (labels % 1 != 0)):
            raise InputError(f"{name} has {labels[odd][0]:g}: a label is a whole number or a word")
        return labels.astype(np.int64)
    if labels.dtype.kind not in "biuU":
        raise InputError(f"{name} are of type {labels.dtype}: a label is a whole number or a word")
    return labels


def _numbered(values: np.ndarray, class_names: np.ndarray | None) -> tuple[np.ndarray, tuple[str, ...]]:
    if class_names is None:
        names, numbers = np.unique(values, return_inverse=True)
        return numbers, tuple(map(str, names))
    names = tuple(map(str, _flat(class_names, "class_names", class_names.size)))
    if len(set(names)) < len(names):
        raise InputError("class_names has a name twice: rename one of the two classes")
    if values.dtype.kind == "U":
        if unknown := sorted({*values.tolist()} - {*names}):
            raise InputError(f"labels has {unknown[0]}, which is not in class_names: add it")
        return np.array([names.index(word) for word in values]), names
    if values.min() < 0 or values.max() >= len(names):
        raise InputError(
            f"labels are from {values.min()} to {values.max()}, but class_names has {len(names)} names, for "
            f"0 to {len(names) - 1}: number the classes from 0"
        )
    return values.astype(np.int64), names
