import contextlib
import functools
import gzip
import hashlib
import http.server
import io
import os
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from vae_core import data
from vae_core.data import DataNotAvailable, load_dataset
from vae_core.errors import InputError
from vae_core.sweep import command
from vae_core.sweep.plan import make_folders_absolute

TRAIN_IMAGES = "train-images-idx3-ubyte"


@pytest.fixture
def nothing_at_hand(monkeypatch, tmp_path):
    """No user's folder, an empty cache, and mirrors that refuse the connection."""
    monkeypatch.delenv("VAE_DATA_DIR", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setattr(data, "MIRRORS", dict.fromkeys(data.MIRRORS, ("http://127.0.0.1:9/",)))
    return tmp_path


@pytest.fixture
def mnist_files(mnist) -> dict[str, bytes]:
    """The decompressed official files, from wherever `mnist` was found."""
    return {name: data._read("mnist", name, None) for name in data.SHA256["mnist"]}


@pytest.fixture
def made_up(nothing_at_hand, monkeypatch) -> dict[str, dict[str, np.ndarray]]:
    """Ten images and labels for each of the four files of both data sets, which now count as the official ones."""
    arrays = {}
    for name in data.SHA256:
        rng = np.random.default_rng(len(name))
        images, labels = rng.integers(256, size=(2, 10, 28, 28)), rng.integers(10, size=(2, 10))
        files = zip(data.SHA256[name], (images[0], labels[0], images[1], labels[1]), strict=True)
        arrays[name] = {file: array.astype(np.uint8) for file, array in files}
    sums = {
        name: {file: hashlib.sha256(idx(array)).hexdigest() for file, array in files.items()}
        for name, files in arrays.items()
    }
    monkeypatch.setattr(data, "SHA256", sums)
    return arrays


def idx(array: np.ndarray) -> bytes:
    """An IDX file: two zeros, 8 for unsigned bytes, the number of sizes, each size in four bytes, the values."""
    return bytes([0, 0, 8, array.ndim]) + b"".join(size.to_bytes(4, "big") for size in array.shape) + array.tobytes()


def write(folder: Path, place: str, files: dict[str, np.ndarray]) -> Path:
    """The files where `place` says, {} being the name of a file with a dash and {dotted} with a dot; or mnist.npz."""
    for name, array in files.items():
        path = folder / place.format(name, dotted=name.replace("-idx", ".idx"))
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix != ".npz":
            path.write_bytes(gzip.compress(idx(array)) if path.suffix == ".gz" else idx(array))
    if place.endswith(".npz"):
        np.savez(path, **dict(zip(("x_train", "y_train", "x_test", "y_test"), files.values(), strict=True)))
    return folder


def assert_loaded(dataset: data.Dataset, files: dict[str, np.ndarray]) -> None:
    train_images, train_labels, test_images, test_labels = files.values()
    np.testing.assert_array_equal(dataset.validation_images[..., 0], train_images.astype("float32") / 255)
    np.testing.assert_array_equal(dataset.validation_labels, train_labels)
    np.testing.assert_array_equal(dataset.test_images[..., 0], test_images.astype("float32") / 255)
    np.testing.assert_array_equal(dataset.test_labels, test_labels)


@contextlib.contextmanager
def mirror(folder: Path):
    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()


def write_gzip(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / f"{name}.gz").write_bytes(gzip.compress(content, compresslevel=1))
    return folder


def test_digits_need_no_network_and_have_the_common_shape(nothing_at_hand):
    dataset = load_dataset("digits")
    sizes = {split: len(getattr(dataset, f"{split}_images")) for split in ("train", "validation", "test")}
    assert sizes == {"train": 1200, "validation": 300, "test": 297}
    for split, size in sizes.items():
        images, labels = getattr(dataset, f"{split}_images"), getattr(dataset, f"{split}_labels")
        assert images.shape == (size, 28, 28, 1)
        assert images.dtype == np.float32
        assert (images.min(), images.max()) == (0, 1)
        assert set(labels) == set(range(10))
    assert "not MNIST" in dataset.description


def test_enlarged_digits_are_the_small_ones(digits):
    from sklearn.datasets import load_digits

    small = load_digits().images[300] / 16  # the first of the training images
    corners = digits.train_images[0, [0, 0, -1, -1], [0, -1, 0, -1], 0]
    assert corners == pytest.approx(small[[0, 0, -1, -1], [0, -1, 0, -1]], abs=1e-6)
    assert digits.train_images[0].mean() == pytest.approx(small.mean(), abs=0.06)


def test_mnist_is_whole_and_split_as_designed(mnist):
    assert (len(mnist.train_images), len(mnist.validation_images), len(mnist.test_images)) == (55_000, 5_000, 10_000)
    assert mnist.validation_labels[:5].tolist() == [5, 0, 4, 1, 9]  # the training file begins so
    assert mnist.test_labels[:5].tolist() == [7, 2, 1, 0, 4]
    assert np.bincount(np.concatenate([mnist.validation_labels, mnist.train_labels])).tolist() == [
        *(5923, 6742, 5958, 6131, 5842),
        *(5421, 5918, 6265, 5851, 5949),
    ]
    assert mnist.train_images.max() == 1


PLACES = [
    ("mnist", "mnist/{}.gz"),
    ("mnist", "mnist/{}"),
    ("mnist", "mnist/{dotted}"),
    ("mnist", "mnist/{dotted}.gz"),
    ("mnist", "MNIST/raw/{}"),
    ("mnist", "mnist.npz"),
    ("fashion_mnist", "fashion_mnist/{dotted}"),
    ("fashion_mnist", "FashionMNIST/raw/{}"),
    ("fashion_mnist", "fashion-mnist/{}.gz"),
    ("fashion_mnist", "fashion/{}.gz"),
]


@pytest.mark.parametrize(
    ("name", "place"),
    [
        *PLACES,
        ("mnist", "{}.gz"),
        ("mnist", "{dotted}"),
        ("mnist", "raw/{}"),
        ("mnist", "MNIST/{}"),
        ("mnist", "mnist/mnist.npz"),
        ("fashion_mnist", "{}"),
    ],
)
def test_data_is_found_where_people_and_other_programs_put_it(made_up, tmp_path, monkeypatch, name, place):
    folder = write(tmp_path / "data", place, made_up[name])
    assert_loaded(load_dataset(name, folder), made_up[name])
    monkeypatch.setenv("VAE_DATA_DIR", str(folder))
    assert_loaded(load_dataset(name), made_up[name])


@pytest.mark.parametrize(("name", "place"), PLACES)
def test_the_cache_is_shared_with_other_programs(made_up, tmp_path, name, place):
    write(tmp_path / "keras" / "datasets", place, made_up[name])
    assert_loaded(load_dataset(name), made_up[name])


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "auto"])
@pytest.mark.parametrize("content", ["nothing", "three files", "the other data set", "a folder of that name"])
def test_a_data_folder_without_the_data_is_never_passed_over(made_up, tmp_path, name, content):
    of = "mnist" if name == "auto" else name
    (other,) = made_up.keys() - {of}
    folder = tmp_path / "data"
    (folder / of / TRAIN_IMAGES).mkdir(parents=True)
    if content == "three files":
        write(folder, of + "/{}.gz", {file: array for file, array in made_up[of].items() if file != TRAIN_IMAGES})
    elif content == "the other data set":
        write(folder, other + "/{}.gz", made_up[other])
    write(tmp_path / "keras" / "datasets", of + "/{}.gz", made_up[of])  # though it is here
    with pytest.raises(
        InputError, match=rf"no {TRAIN_IMAGES} or train-images\.idx3-ubyte of {of}, .*\.gz, in {of}/, "
    ) as caught:
        load_dataset(name, folder)
    assert not isinstance(caught.value, DataNotAvailable)
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert ("mnist.npz" in str(caught.value)) == (of == "mnist")


def test_a_sweep_over_auto_stops_at_a_data_folder_without_mnist(nothing_at_hand, monkeypatch, capsys):
    (nothing_at_hand / "empty").mkdir()
    monkeypatch.setenv("VAE_DATA_DIR", str(nothing_at_hand / "empty"))
    assert command.main(["--dataset", "auto", "--results", str(nothing_at_hand / "results")]) == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith(f"sweep: the data folder {nothing_at_hand / 'empty'} has no {TRAIN_IMAGES}")
    assert not (nothing_at_hand / "results").exists()


def test_files_of_another_data_set_are_called_so(made_up, tmp_path):
    folder = write(tmp_path / "data", "{}.gz", made_up["fashion_mnist"])
    with pytest.raises(InputError, match=rf"{TRAIN_IMAGES}.gz is the fashion_mnist file, not the mnist one: correct"):
        load_dataset("mnist", folder)


def test_a_tilde_is_the_home_folder_wherever_a_folder_is_named(made_up, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    write(tmp_path / "mine", "mnist/{}.gz", made_up["mnist"])
    write(tmp_path / "k" / "datasets", "fashion-mnist/{}.gz", made_up["fashion_mnist"])
    monkeypatch.setenv("KERAS_HOME", "~/k")
    assert_loaded(load_dataset("mnist", "~/mine"), made_up["mnist"])
    assert_loaded(load_dataset("fashion_mnist"), made_up["fashion_mnist"])
    monkeypatch.setenv("VAE_DATA_DIR", "~/mine")
    assert_loaded(load_dataset("mnist"), made_up["mnist"])
    make_folders_absolute()
    assert os.environ["VAE_DATA_DIR"] == str(tmp_path / "mine")
    assert os.environ["KERAS_HOME"] == str(tmp_path / "k")
    monkeypatch.setenv("KERAS_HOME", "")
    assert data.cache_dir() == tmp_path / ".keras" / "datasets"


def pickled() -> bytes:
    file = io.BytesIO()
    np.savez(file, x_train=np.array([{}], object))
    return file.getvalue()


@pytest.mark.parametrize("content", [b"", b"no archive", pickled()], ids=["empty", "no archive", "pickled"])
def test_an_archive_that_cannot_be_read_is_named(made_up, tmp_path, content):
    (tmp_path / "mnist.npz").write_bytes(content)
    with pytest.raises(InputError, match=r"mnist\.npz cannot be read .*: delete it or replace it"):
        load_dataset("mnist", tmp_path)


def test_an_archive_with_other_arrays_is_named(made_up, tmp_path):
    images = made_up["mnist"][TRAIN_IMAGES]
    for other in (images[:-1], images.astype(np.int64), images.reshape(10, 784), images ^ 1):
        write(tmp_path, "mnist.npz", made_up["mnist"] | {TRAIN_IMAGES: other})
        with pytest.raises(InputError, match=r"mnist\.npz is not the official mnist file \(SHA-256 differs\)"):
            load_dataset("mnist", tmp_path)


def test_the_arrays_of_keras_are_the_official_files(mnist, mnist_files, nothing_at_hand):
    arrays = {
        data.ARCHIVED[name]: np.frombuffer(content, np.uint8, offset=4 + 4 * content[3])
        for name, content in mnist_files.items()
    }
    images = {name: array.reshape(-1, 28, 28) for name, array in arrays.items() if name.startswith("x")}
    np.savez(nothing_at_hand / "mnist.npz", **arrays | images)
    assert load_dataset("mnist", nothing_at_hand).checksum == mnist.checksum


def test_raw_and_gzip_files_give_the_same_data(mnist, mnist_files, nothing_at_hand):
    raw = nothing_at_hand / "raw" / "mnist"
    raw.mkdir(parents=True)
    for name, content in mnist_files.items():
        (raw / name).write_bytes(content)
    dataset = load_dataset("mnist", raw.parent)
    assert dataset.checksum == mnist.checksum
    assert np.array_equal(dataset.train_images, mnist.train_images)


def test_download_skips_a_broken_mirror_and_fills_the_cache(mnist, mnist_files, nothing_at_hand, monkeypatch):
    good = write_gzip(nothing_at_hand / "good", mnist_files)
    broken = write_gzip(
        nothing_at_hand / "broken", {name: content[:-1] + b"\xff" for name, content in mnist_files.items()}
    )
    with mirror(broken) as broken_url, mirror(good) as good_url:
        monkeypatch.setattr(data, "MIRRORS", {"mnist": (broken_url, good_url)})
        assert load_dataset("mnist").checksum == mnist.checksum
    cached = nothing_at_hand / "keras" / "datasets"
    assert sorted(path.name for path in cached.iterdir()) == ["mnist"]
    assert sorted(path.name for path in (cached / "mnist").iterdir()) == sorted(f"{name}.gz" for name in mnist_files)
    assert load_dataset("mnist").checksum == mnist.checksum  # the mirrors are gone


def test_without_data_and_network_mnist_says_what_to_do_and_auto_falls_back(nothing_at_hand, capsys):
    with pytest.raises(DataNotAvailable, match=r"could not be downloaded.*VAE_DATA_DIR.*digits") as caught:
        load_dataset("mnist")
    assert "\n" not in str(caught.value)
    assert load_dataset("auto").name == "digits"
    told = capsys.readouterr().out
    assert "could not be downloaded" in told
    assert (
        "this is digits: scikit-learn's 8x8 handwritten digits enlarged to 28x28: a small stand-in, not MNIST" in told
    )


def test_auto_is_mnist_where_it_is_at_hand(mnist, capsys):
    assert load_dataset("auto").name == "mnist"
    assert "this is mnist" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (gzip.compress(b"some bytes" * 1000)[:-20], "cannot be read"),
        (b"no gzip at all", "cannot be read"),
        (gzip.compress(b"other images"), "is not the official mnist file"),
        (gzip.compress(bytes([0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 27, 0, 0, 0, 27, *[9] * 729])), "is not the official"),
    ],
    ids=["truncated", "not gzip", "altered", "wrong shape"],
)
@pytest.mark.parametrize("name", ["mnist", "auto"])
def test_a_damaged_file_is_named_and_never_passed_over(nothing_at_hand, content, problem, name):
    path = nothing_at_hand / "mnist" / f"{TRAIN_IMAGES}.gz"
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(InputError, match=rf"{TRAIN_IMAGES}\.gz {problem}.*delete it or replace it"):
        load_dataset(name, nothing_at_hand)


def test_one_altered_byte_is_found(mnist_files, nothing_at_hand):
    altered = bytearray(mnist_files[TRAIN_IMAGES])
    altered[1234] ^= 1
    folder = write_gzip(nothing_at_hand / "mnist", mnist_files | {TRAIN_IMAGES: bytes(altered)})
    with pytest.raises(InputError, match=rf"{TRAIN_IMAGES}.gz is not the official mnist file"):
        load_dataset("mnist", folder.parent)


def test_unknown_names_and_folders_are_named(nothing_at_hand):
    with pytest.raises(InputError, match=rf"'minst'.*: choose one of {', '.join(data.SOURCES)}, auto"):
        load_dataset("minst")
    (nothing_at_hand / "file").touch()
    for folder in ("/nowhere", "~/nowhere", "~nobody-of-that-name", nothing_at_hand / "file", 300 * "x"):
        with pytest.raises(InputError, match=rf"the data folder {folder} cannot be read \(.*\): correct VAE_DATA_DIR"):
            load_dataset("auto", folder)


def test_the_cache_that_cannot_be_written_is_named(nothing_at_hand, monkeypatch):
    (nothing_at_hand / "file").write_text("")
    monkeypatch.setenv("KERAS_HOME", str(nothing_at_hand / "file"))
    with pytest.raises(DataNotAvailable, match=r"cannot be written.*KERAS_HOME"):
        load_dataset("mnist")
    assert load_dataset("auto").name == "digits"


def test_a_data_set_that_a_notebook_has_no_layers_for_is_refused(digits):
    data.check_dataset(digits, classes=10)
    with pytest.raises(InputError, match="the images of digits are 12 x 28 x 1; this notebook needs 28 x 28 x 1"):
        data.check_dataset(replace(digits, train_images=digits.train_images[:, :12]))
    with pytest.raises(InputError, match="digits has 10 classes; this notebook needs 4"):
        data.check_dataset(digits, classes=4)


def test_images_without_labels_are_refused_where_classes_are_shown(digits):
    data.check_labelled(digits)
    with pytest.raises(InputError, match="the images of digits have no labels; this notebook needs classes"):
        data.check_labelled(replace(digits, class_names=()))
