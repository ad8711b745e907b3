"""A data set in memory: images in [0, 1], split into training, validation and test images, with or without labels."""

from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True, eq=False)
class ByteImages:
    """Images kept as bytes, a quarter of the memory, that read as an array of float32 in [0, 1].

    Any index gives floats, but of what it takes alone, so take blocks of a large set. `np.asarray` gives all.
    """

    bytes: np.ndarray  # (N, height, width, channels), uint8
    dtype = np.dtype(np.float32)

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, height, width, channels)."""
        return self.bytes.shape

    @property
    def ndim(self) -> int:
        """4, the number of axes."""
        return self.bytes.ndim

    def __len__(self) -> int:
        return len(self.bytes)

    def __getitem__(self, index) -> np.ndarray:
        return np.divide(self.bytes[index], np.float32(255))

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        return self[...].astype(dtype or self.dtype, copy=False)


@dataclass(frozen=True)
class Dataset:
    """Images in [0, 1] as float32 of shape (N, height, width, channels), labels as integers of shape (N,).

    Curves per epoch use the validation images; only the final measures use the test images. Without labels
    `class_names` is empty and each label is -1.

    name: what folders and tables call it
    path: where the user's own images are, absolute; empty for a built-in data set
    toss: whether each training image is made black and white anew in each epoch, its pixels being the probabilities
    """

    name: str
    description: str
    class_names: tuple[str, ...]
    checksum: str
    train_images: np.ndarray | ByteImages
    train_labels: np.ndarray
    validation_images: np.ndarray | ByteImages
    validation_labels: np.ndarray
    test_images: np.ndarray | ByteImages
    test_labels: np.ndarray
    path: str = ""
    toss: bool = False

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of an image."""
        return self.train_images.shape[1:]

    @property
    def labelled(self) -> bool:
        """Whether the images have classes."""
        return bool(self.class_names)

    def as_floats(self) -> "Dataset":
        """The same data set with all images as arrays of float32, for code that computes with whole arrays."""
        names = ("train_images", "validation_images", "test_images")
        return replace(self, **{name: np.asarray(getattr(self, name)) for name in names})
