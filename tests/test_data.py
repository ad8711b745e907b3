import contextlib
import functools
import gzip
import http.server
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from vae_core import data
from vae_core.data import DataNotAvailable, load_dataset
from vae_core.errors import InputError

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
    with pytest.raises(InputError, match="/nowhere does not exist"):
        load_dataset("mnist", "/nowhere")


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
