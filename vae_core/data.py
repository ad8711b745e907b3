"""Data sets by name: from the folder that the user names, or else from the cache, or else downloaded once.

MNIST and Fashion-MNIST are read from the official IDX files. A file is official if the SHA-256 of its decompressed
bytes is right: mirrors compress the files differently. Keras' mnist.npz is official if its arrays, written as IDX
files, are.
"""

import gzip
import hashlib
import io
import os
import socket
import tempfile
import zipfile
from collections.abc import Callable, Iterable
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np

from vae_core.dataset import ByteImages, Dataset  # noqa: F401, one import for those who load data
from vae_core.errors import InputError
from vae_core.own_images import is_path, load_own_images
from vae_core.progress import terminal

IMAGE_SHAPE = (28, 28, 1)  # of the built-in data sets
DIGITS = tuple("0123456789")
CLOTHES = (
    *("T-shirt", "Trouser", "Pullover", "Dress", "Coat"),
    *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
)
SHA256 = {
    "mnist": {
        "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    },
    "fashion_mnist": {
        "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    },
}
FOLDERS = {  # in a data folder, as this suite, torchvision, Keras and the data's own repository name them
    "mnist": ("mnist", "MNIST", "MNIST/raw"),
    "fashion_mnist": ("fashion_mnist", "fashion-mnist", "FashionMNIST", "FashionMNIST/raw", "fashion"),
}
ITSELF = ("raw", ".")  # the folder that a user names may be the data set's own
ARCHIVES = {"mnist": ("mnist.npz", "mnist/mnist.npz"), "fashion_mnist": ()}  # Keras' file of all four arrays
ARCHIVED = {
    "train-images-idx3-ubyte": "x_train",
    "train-labels-idx1-ubyte": "y_train",
    "t10k-images-idx3-ubyte": "x_test",
    "t10k-labels-idx1-ubyte": "y_test",
}
MIRRORS = {
    "mnist": (
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
    ),
    "fashion_mnist": (
        "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    ),
}
DOWNLOAD_TIMEOUT = 20  # seconds of silence, after which the next mirror is tried


class DataNotAvailable(InputError):
    """No folder was named, the data set is not in the cache, and it cannot be downloaded."""


@dataclass(frozen=True)
class Arrays:
    """What a reader returns: float32 images in [0, 1], (N, height, width, channels), labels, (N,), and a SHA-256."""

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    checksum: str


@dataclass(frozen=True)
class Source:
    """A data set that `load_dataset` knows: how it is described, split and read.

    validation_size: the number of training images set aside for validation, from the beginning
    read: a function of the name and the user's folder that returns the arrays
    """

    description: str
    class_names: tuple[str, ...]
    validation_size: int
    read: Callable[[str, str | Path | None], Arrays]


def load_dataset(name: str | Path = "auto", data_dir: str | Path | None = None) -> Dataset:
    """Load one of `SOURCES` by name, or the user's own images by their path.

    name: `auto` is `mnist` if available, else `digits`, and prints which and why. For paths see `load_own_images`
    data_dir: the folder that has the data (default: the environment variable VAE_DATA_DIR), one of `FOLDERS` with the
        four IDX files in it, gzip-compressed or raw, or that folder itself, or the folder of Keras' mnist.npz. If it is
        empty, the data comes from the cache or the official mirrors

    Raises InputError for an unknown name, own images that cannot be used, a `data_dir` that does not have the data, or
    a file that is not the official one, and DataNotAvailable if no `data_dir` is given, and the data is not in the
    cache and cannot be downloaded.
    """
    if name == "auto":
        try:
            dataset = load_dataset("mnist", data_dir)
        except DataNotAvailable as error:
            dataset = load_dataset("digits")
            print(f"data set auto: {error}")
        print(f"data set auto: this is {dataset.name}: {dataset.description}")
        return dataset
    if is_path(name):
        return load_own_images(name, taken=("auto", *SOURCES))
    if name not in SOURCES:
        known = ", ".join(SOURCES)
        raise InputError(f"unknown data set {name!r}: choose one of {known}, auto, or a path such as ./{name}")
    source = SOURCES[name]
    arrays, size = source.read(name, data_dir), source.validation_size
    return Dataset(
        name=name,
        description=source.description,
        class_names=source.class_names,
        checksum=arrays.checksum,
        train_images=arrays.train_images[size:],
        train_labels=arrays.train_labels[size:],
        validation_images=arrays.train_images[:size],
        validation_labels=arrays.train_labels[:size],
        test_images=arrays.test_images,
        test_labels=arrays.test_labels,
    )


def check_dataset(dataset: Dataset, classes: int | None = None) -> None:
    """Raise InputError unless the images are of `IMAGE_SHAPE`, for notebooks with layers made for it.

    classes: so many classes there must be too
    """
    if dataset.image_shape != IMAGE_SHAPE:
        shapes = (" x ".join(map(str, shape)) for shape in (dataset.image_shape, IMAGE_SHAPE))
        raise InputError("the images of {} are {}; this notebook needs {}".format(dataset.name, *shapes))
    if classes and len(dataset.class_names) != classes:
        raise InputError(f"{dataset.name} has {len(dataset.class_names)} classes; this notebook needs {classes}")


def check_labelled(dataset: Dataset) -> None:
    """Raise InputError if the images have no labels, for notebooks that show classes."""
    if not dataset.labelled:
        raise InputError(f"the images of {dataset.name} have no labels; this notebook needs classes")


def cache_dir() -> Path:
    """The folder for downloads: `datasets` in Keras' folder (KERAS_HOME, or .keras in the home folder)."""
    return Path(os.environ.get("KERAS_HOME") or "~/.keras").expanduser() / "datasets"


def _read_digits(name: str, data_dir: str | Path | None) -> Arrays:
    from scipy.ndimage import zoom  # with scikit-learn, an import of over a second that MNIST's users don't need
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    checksum = _checksum([images.astype(np.uint8).tobytes(), labels.astype(np.uint8).tobytes()])
    images = zoom(images.reshape(-1, 8, 8) / 16, (1, 3.5, 3.5), order=1)[..., None]  # (1797, 28, 28, 1)
    images = images.astype(np.float32)
    return Arrays(images[:1500], labels[:1500], images[1500:], labels[1500:], checksum)


def _read_idx(name: str, data_dir: str | Path | None) -> Arrays:
    contents = {file_name: _read(name, file_name, data_dir) for file_name in SHA256[name]}
    arrays = [
        read(contents[f"{split}-{kind}-idx{dimensions}-ubyte"])
        for split in ("train", "t10k")
        for kind, dimensions, read in (("images", 3, _images), ("labels", 1, _labels))
    ]
    return Arrays(*arrays, _checksum(contents.values()))


def _checksum(contents: Iterable[bytes]) -> str:
    return hashlib.sha256(b"".join(contents)).hexdigest()


def _images(content: bytes) -> np.ndarray:
    pixels = np.frombuffer(content, np.uint8, offset=16).reshape(-1, *IMAGE_SHAPE)  # (N, 28, 28, 1)
    return pixels.astype(np.float32) / 255


def _labels(content: bytes) -> np.ndarray:
    return np.frombuffer(content, np.uint8, offset=8).astype(np.int64)  # (N,)


def _read(name: str, file_name: str, data_dir: str | Path | None) -> bytes:
    """The checked, decompressed bytes of one file: of the user's folder alone, if there is one."""
    folder = _user_folder(data_dir)
    candidates = _candidates(name, file_name, folder or cache_dir(), ITSELF if folder else ())
    for path in filter(os.path.isfile, candidates):
        return _checked(name, file_name, path)
    if folder is None:
        return _download(name, file_name)
    places = ", ".join(f"{place}/" for place in FOLDERS[name])
    archives = "".join(f", and no {archive}" for archive in ARCHIVES[name])
    raise InputError(
        f"the data folder {folder} has no {file_name} or {_dotted(file_name)} of {name}, with or without .gz, in "
        f"{places}, raw/ or itself{archives}: correct VAE_DATA_DIR (or data_dir), or leave it empty, so that the data "
        "comes from the cache or is downloaded"
    )


def _user_folder(data_dir: str | Path | None) -> Path | None:
    named = data_dir or os.environ.get("VAE_DATA_DIR")
    if not named:
        return None
    try:
        folder = Path(named).expanduser()
        any(folder.iterdir())
    except (OSError, RuntimeError) as error:  # of a home folder that nobody has
        reason = getattr(error, "strerror", error)
        raise InputError(
            f"the data folder {named} cannot be read ({reason}): correct VAE_DATA_DIR (or data_dir), or leave it empty"
        ) from error
    return folder


def _candidates(name: str, file_name: str, folder: Path, more_places: Iterable[str]) -> list[Path]:
    """The paths below a folder at which people have one file of a data set, or an archive with it."""
    spellings = [f"{file_name}.gz", file_name, f"{_dotted(file_name)}.gz", _dotted(file_name)]
    files = [f"{place}/{spelling}" for place, spelling in product((*FOLDERS[name], *more_places), spellings)]
    return [folder / path for path in (*files, *ARCHIVES[name])]


def _dotted(file_name: str) -> str:
    return file_name.replace("-idx", ".idx")  # as some programs unpack it, and some pages offer it


def _checked(name: str, file_name: str, path: Path) -> bytes:
    try:
        content = _decompressed(path, file_name)
    except Exception as error:  # of the file system, gzip, zipfile or NumPy
        raise InputError(f"{path} cannot be read ({error}): delete it or replace it with the official file") from error
    found = hashlib.sha256(content).hexdigest()
    for other, sums in SHA256.items():
        if other != name and found == sums[file_name]:
            raise InputError(f"{path} is the {other} file, not the {name} one: correct VAE_DATA_DIR (or data_dir)")
    if found != SHA256[name][file_name]:
        raise InputError(f"{path} is not the official {name} file (SHA-256 differs): delete it or replace it")
    return content


def _decompressed(path: Path, file_name: str) -> bytes:
    """The bytes of an IDX file, which `path` is, or is compressed from, or has as an array."""
    if path.suffix == ".gz":
        return gzip.decompress(path.read_bytes())
    if path.suffix == ".npz":
        with zipfile.ZipFile(path) as archive:
            return _as_idx(np.load(io.BytesIO(archive.read(f"{ARCHIVED[file_name]}.npy"))))
    return path.read_bytes()


def _as_idx(array: np.ndarray) -> bytes:
    """The bytes of the IDX file that an array of unsigned bytes was read from: type, sizes, values."""
    return bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">i4").tobytes() + array.tobytes()


def _download(name: str, file_name: str) -> bytes:
    """Fetch one file into the cache; it appears there by a rename, whole and checked, or not at all."""
    import vae_core.backend  # noqa: F401, I001
    from keras.utils import get_file  # only a download needs Keras, whose import takes seconds

    cached = cache_dir() / name / f"{file_name}.gz"
    try:
        cached.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache_dir(), prefix=".download-") as folder:
            for mirror in MIRRORS[name]:
                try:
                    with _patience(DOWNLOAD_TIMEOUT), redirect_stdout(terminal()):
                        path = get_file(cached.name, mirror + cached.name, cache_dir=folder, force_download=True)
                    content = _checked(name, file_name, Path(path))
                except Exception:  # get_file raises bare ones; whatever is wrong with one mirror, the next may serve
                    continue
                Path(path).replace(cached)
                return content
    except OSError as error:
        reason = f"the cache {cache_dir()} cannot be written ({error.strerror})"
        raise DataNotAvailable(f"{name} is not on this machine and {reason}: set KERAS_HOME") from error
    raise DataNotAvailable(
        f"{name} is not in the cache (datasets/ in KERAS_HOME or ~/.keras) and could not be downloaded: connect to a "
        f"network, or put its four official IDX files into a folder and set VAE_DATA_DIR to it, or use the data set "
        "digits, which needs no network"
    )


@contextmanager
def _patience(seconds: float):
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


SOURCES = {
    "mnist": Source("MNIST, 28x28 handwritten digits", DIGITS, 5000, _read_idx),
    "fashion_mnist": Source("Fashion-MNIST, 28x28 pictures of clothes", CLOTHES, 5000, _read_idx),
    "digits": Source(
        "scikit-learn's 8x8 handwritten digits enlarged to 28x28: a small stand-in, not MNIST",
        DIGITS,
        300,
        _read_digits,
    ),
}
