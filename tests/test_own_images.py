"""A user's own images: what is read and how it is split, and what is refused, in which words."""

import os
import pickle
import re
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.first_cells import assert_refused, run_first_cells
from vae_core import runs
from vae_core.data import SOURCES, ByteImages, load_dataset
from vae_core.errors import InputError
from vae_core.figures.classes import MOST_CLASSES
from vae_core.own_images import checks, is_path
from vae_core.own_images.files import ARRAYS

OF_ANY_CLASSES = ("bug_gallery", "conv_vae_binarized_mnist", "conv_vae_fashion", "dense_vae_fashion", "elbo_and_kl")
OF_TEN_CLASSES = ("autoencoder_vs_vae", "conditional_vae")
ALL_LESSONS = (*OF_ANY_CLASSES, *OF_TEN_CLASSES, "which_weight_are_you_using")
PAGE = runs.PROJECT / "docs" / "own_images.md"

SPLITS = ("train", "validation", "test")
NUMBERS = np.arange(240)


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def numbered(count: int = 240, *shape: int) -> np.ndarray:
    """Images of random bytes whose first two pixels are their number, so that each is known wherever it goes."""
    images = np.random.default_rng(1).integers(256, size=(count, *(shape or (8, 9))), dtype=np.uint8)
    images.reshape(count, -1)[:, 0], images.reshape(count, -1)[:, 1] = np.divmod(np.arange(count), 256)
    return images


def numbers_of(images: ByteImages) -> list[int]:
    first, second = images.bytes.reshape(len(images), -1)[:, :2].T.astype(int)
    return (256 * first + second).tolist()


def saved(name: str = "faces.npz", **arrays) -> str:
    np.savez(name, **{"images": numbered()} | arrays)
    return name


def refusal(path: str | Path) -> str:
    with pytest.raises(InputError) as caught:
        load_dataset(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# Arrays


def test_images_are_split_by_a_fixed_seed_and_each_keeps_its_label(capsys):
    labels = NUMBERS % 7 + 3
    dataset = load_dataset(saved(images=numbered(240, 24, 32), labels=labels))
    splits = {name: numbers_of(getattr(dataset, f"{name}_images")) for name in SPLITS}
    assert {name: len(numbers) for name, numbers in splits.items()} == {"train": 192, "validation": 24, "test": 24}
    assert sorted(number for numbers in splits.values() for number in numbers) == NUMBERS.tolist()
    for name, numbers in splits.items():
        kept = getattr(dataset, f"{name}_labels")
        assert [int(dataset.class_names[label]) for label in kept] == labels[numbers].tolist()
    order = NUMBERS.copy()[:, None]
    np.random.default_rng(0).shuffle(order)  # as the page says
    assert splits["test"] + splits["validation"] + splits["train"] == order[:, 0].tolist()
    assert (dataset.name, dataset.path, dataset.labelled) == ("faces", str(Path("faces.npz").absolute()), True)
    assert dataset.description == (
        "faces: 240 grey images of 24x32 in 7 classes from faces.npz, split 80/10/10 by a fixed seed"
    )
    assert capsys.readouterr().out.splitlines() == [
        "data set faces: no test images are given; of 240 images, 24 chosen by a fixed seed are the test set, 24 are "
        "for validation"
    ]


def test_given_test_images_stay_as_they_are(capsys):
    test = numbered(30, 8, 9)[::-1]
    dataset = load_dataset(saved(labels=NUMBERS % 3, test_images=test, test_labels=np.arange(30) % 2))
    assert numbers_of(dataset.test_images) == list(range(30))[::-1]
    assert dataset.test_labels.tolist() == [0, 1] * 15
    assert (len(dataset.train_images), len(dataset.validation_images)) == (216, 24)
    assert sorted(numbers_of(dataset.train_images) + numbers_of(dataset.validation_images)) == NUMBERS.tolist()
    assert dataset.description == (
        "faces: 240 grey images of 8x9 in 3 classes from faces.npz, 24 for validation by a fixed seed, and 30 test "
        "images"
    )
    assert capsys.readouterr().out == ""


def test_an_npy_file_has_images_without_labels():
    np.save("crops.npy", numbered(200, 16, 16, 3))
    dataset = load_dataset("crops.npy")
    assert dataset.description == "crops: 200 colour images of 16x16 from crops.npy, split 80/10/10 by a fixed seed"
    assert (dataset.image_shape, dataset.class_names, dataset.labelled) == ((16, 16, 3), (), False)
    assert {*dataset.train_labels, *dataset.validation_labels, *dataset.test_labels} == {-1}


def test_the_checksum_is_of_the_arrays_wherever_they_lie():
    checksum = load_dataset(saved(labels=NUMBERS % 3)).checksum
    Path("elsewhere").mkdir()
    assert load_dataset(saved("elsewhere/other.npz", labels=NUMBERS % 3, more=NUMBERS)).checksum == checksum
    assert load_dataset(saved(labels=(NUMBERS + (NUMBERS == 5)) % 3)).checksum != checksum
    assert load_dataset(saved()).checksum != checksum
    images = numbered()
    images[239, 7, 8] ^= 1
    assert load_dataset(saved(images=images, labels=NUMBERS % 3)).checksum != checksum
    split = {"images": numbered()[:216], "labels": NUMBERS[:216] % 3}
    split |= {"test_images": numbered()[216:], "test_labels": NUMBERS[216:] % 3}
    assert load_dataset(saved(**split)).checksum != checksum


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.uint16, ">i4"])
def test_whole_numbers_stay_bytes_and_read_as_floats(dtype):
    dataset = load_dataset(saved(images=numbered().astype(dtype)))
    images = dataset.train_images
    assert isinstance(images, ByteImages)
    assert (images.bytes.dtype, images.shape, images.ndim, len(images)) == (np.uint8, (192, 8, 9, 1), 4, 192)
    floats = images.bytes.astype(np.float32) / 255
    for index in (3, slice(2, 9), [5, 1, 5], np.arange(192) % 2 == 0, np.array([7, 0]), (slice(3), 0)):
        np.testing.assert_array_equal(images[index], floats[index])
        assert images[index].dtype == np.float32
    np.testing.assert_array_equal(np.asarray(images), floats)
    np.testing.assert_array_equal(np.concatenate([images[:2], images]), np.concatenate([floats[:2], floats]))
    assert (np.asarray(images).dtype, np.array(images, np.float64).dtype) == (images.dtype, np.float64)
    for name in SPLITS:
        whole, kept = (getattr(one, f"{name}_images") for one in (dataset.as_floats(), dataset))
        assert isinstance(whole, np.ndarray)
        np.testing.assert_array_equal(whole, kept[:])


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floats_stay_floats(dtype):
    floats = (numbered() / 255).astype(dtype)
    images = load_dataset(saved(images=floats)).train_images
    assert images.dtype == np.float32
    assert {image.tobytes() for image in images} <= {image.tobytes() for image in floats.astype(np.float32)}


def test_true_and_false_are_white_and_black():
    images = load_dataset(saved(images=numbered() > 127)).train_images
    assert set(np.unique(images)) == {0, 1}
    assert np.mean(images) == pytest.approx(np.mean(numbered() > 127), abs=0.02)


def test_columns_first_in_memory_are_the_same_images():
    checksum = load_dataset(saved(images=numbered(240, 8, 9, 3))).checksum
    assert load_dataset(saved(images=np.asfortranarray(numbered(240, 8, 9, 3)))).checksum == checksum


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_images_are_in_memory_once(suffix):
    images = numbered(5000, 32, 32, 3)  # 15 MB
    if suffix == ".npy":
        np.save("crops.npy", images)
    else:
        saved("crops.npz", images=images)
    tracemalloc.start()
    try:
        kept = load_dataset(f"crops{suffix}")
        assert tracemalloc.get_traced_memory()[1] < 1.1 * images.nbytes
    finally:
        tracemalloc.stop()
    assert len(kept.train_images) == 4000


# Labels


@pytest.mark.parametrize(
    ("labels", "class_names", "expected"),
    [
        (NUMBERS % 3 * 10 - 10, None, ("-10", "0", "10")),
        (NUMBERS % 3 + 9.0, None, ("9", "10", "11")),
        (NUMBERS % 3 == 0, None, ("False", "True")),
        (np.array(["cat", "ant", "bee"])[NUMBERS % 3], None, ("ant", "bee", "cat")),
        (np.array([b"cat", "für".encode()])[NUMBERS % 2], None, ("cat", "für")),
        ((NUMBERS % 3)[:, None], None, ("0", "1", "2")),
        (NUMBERS % 3, ["cat", "ant", "bee"], ("cat", "ant", "bee")),
        (NUMBERS % 3, ["cat", "ant", "bee", "dog"], ("cat", "ant", "bee", "dog")),
        (NUMBERS % 3, [7, 8, 9], ("7", "8", "9")),
        (np.array(["cat", "ant"])[NUMBERS % 2], ["cat", "ant"], ("cat", "ant")),
        (NUMBERS % 26, None, tuple(map(str, range(26)))),
    ],
)
def test_labels_are_numbers_or_words(labels, class_names, expected):
    names = {} if class_names is None else {"class_names": class_names}
    dataset = load_dataset(saved(labels=labels, **names))
    assert dataset.class_names == expected
    assert dataset.train_labels.dtype == np.int64
    words = [value.decode() if isinstance(value, bytes) else str(value) for value in labels.ravel().tolist()]
    words = [word.removesuffix(".0") for word in words]
    if class_names is not None and labels.dtype.kind == "i":
        words = [expected[label] for label in labels]
    for name in SPLITS:
        numbers = numbers_of(getattr(dataset, f"{name}_images"))
        kept = [dataset.class_names[label] for label in getattr(dataset, f"{name}_labels")]
        assert kept == [words[number] for number in numbers]


def test_a_class_of_the_test_images_alone_is_a_class():
    dataset = load_dataset(saved(labels=NUMBERS % 2, test_images=numbered(20), test_labels=np.full(20, 9)))
    assert dataset.class_names == ("0", "1", "9")
    assert set(dataset.test_labels) == {2}


def test_one_label_for_all_is_none(capsys):
    assert not load_dataset(saved(labels=np.full(240, 4))).labelled
    assert "all images have the label 4: they are taken as images without labels\n" in capsys.readouterr().out


# What is refused

FLOATS = numbered() / 255
WORDS = np.array(["cat", "ant"])


class Trap:
    """Leaves a file behind when it is unpickled."""

    def __reduce__(self):
        return Path.touch, (Path("sprung"),)


@pytest.mark.parametrize(
    ("arrays", "told"),
    [
        (
            {"images": 255 * FLOATS},
            "images are floats from 0 to 255, not 0 to 1: use images / 255, or save them as uint8",
        ),
        ({"images": 2 * FLOATS - 1}, "images are floats from -1 to 1, not 0 to 1: use (images + 1) / 2"),
        ({"images": 1.04 * FLOATS}, "images are floats from 0 to 1.04, not 0 to 1: use np.clip(images, 0, 1)"),
        ({"images": 9 * FLOATS - 4}, "images are floats from -4 to 5, not 0 to 1: scale them to floats from 0 to 1"),
        (
            {"images": numbered().astype(int) * 257},
            "images are whole numbers from 0 to 65535, not 0 to 255: scale them to floats from 0 to 1",
        ),
        (
            {"images": numbered().astype(np.int8)},
            "images are whole numbers from -128 to 127, not 0 to 255: scale them to floats from 0 to 1",
        ),
        *(
            (
                {"images": np.where(NUMBERS[:, None, None] == 100, bad, FLOATS)},
                "images have pixels that are NaN or infinite: replace them, or leave those images out",
            )
            for bad in (np.nan, np.inf, -np.inf)
        ),
        ({"images": 0 * numbered()}, "images have the value 0 in all pixels: there is nothing to learn"),
        (
            {"images": numbered() % 2},
            "images have values up to 1, and 255 is white, all are black: were they divided by 255 twice? If they are "
            "0 and 1, save them as bool",
        ),
        (
            {"images": FLOATS / 255},
            "images have values up to 0.00392157, and 1 is white, all are black: were they divided by 255 twice? If "
            "they are 0 and 1, save them as bool",
        ),
        ({"images": WORDS[numbered() % 2]}, "images are of type <U3, not numbers"),
        ({"images": FLOATS * 1j}, "images are of type complex128, not numbers"),
        (
            {"images": numbered().reshape(240, 72)},
            "images have the shape (240, 72), a row for each: reshape them to (N, height, width)",
        ),
        ({"images": 5}, "images have the shape (), not (N, height, width) or (N, height, width, channels)"),
        (
            {"images": numbered(240, 3, 16, 16)},
            "images have the shape (240, 3, 16, 16), channels first: use images.transpose(0, 2, 3, 1)",
        ),
        ({"images": numbered(240, 8, 8, 4)}, "images have 4 channels: leave transparency out with images[..., :3]"),
        (
            {"images": numbered(240, 8, 8, 2)},
            "images have 2 channels: 1 (grey) or 3 (red, green, blue) can be used",
        ),
        ({"images": numbered(240, 7, 8)}, "images are 7 x 8 pixels: from 8 x 8 to 64 x 64 can be used"),
        ({"images": numbered(240, 64, 65, 3)}, "images are 64 x 65 pixels: from 8 x 8 to 64 x 64 can be used"),
        ({"images": numbered(199)}, "images are 199: at least 200 are needed"),
        ({"images": numbered()[:0]}, "images are 0: at least 200 are needed"),
        ({"test_images": numbered(19)}, "test_images are 19: at least 20 are needed"),
        (
            {"test_images": numbered(20, 9, 8)},
            "images are 8 x 9 x 1, test_images 9 x 8 x 1: give them the same size and channels",
        ),
        (
            {"test_images": numbered(20).astype(float)},
            "test_images are floats from 0 to 255, not 0 to 1: use test_images / 255, or save them as uint8",
        ),
        (
            {"labels": NUMBERS[:230]},
            "labels have the shape (230,), not (240,): one label for each image is needed",
        ),
        (
            {"labels": np.eye(240)},
            "labels have the shape (240, 240): use labels.argmax(axis=1) if a 1 marks the class",
        ),
        ({"labels": NUMBERS / 2}, "labels has 0.5: a label is a whole number or a word"),
        ({"labels": np.where(NUMBERS == 9, np.nan, 1)}, "labels has nan: a label is a whole number or a word"),
        ({"labels": NUMBERS * 1j}, "labels are of type complex128: a label is a whole number or a word"),
        ({"labels": NUMBERS // 1.5}, "labels has 160 classes for 240 images, too many: leave labels out"),
        (
            {"labels": NUMBERS % 3, "class_names": ["ant", "bee"]},
            "labels are from 0 to 2, but class_names has 2 names, for 0 to 1: number the classes from 0",
        ),
        (
            {"labels": NUMBERS % 3 - 1, "class_names": ["ant", "bee", "cat"]},
            "labels are from -1 to 1, but class_names has 3 names, for 0 to 2: number the classes from 0",
        ),
        (
            {"labels": WORDS[NUMBERS % 2], "class_names": ["ant", "bee"]},
            "labels has cat, which is not in class_names: add it",
        ),
        (
            {"labels": NUMBERS % 2, "class_names": ["ant", "ant"]},
            "class_names has a name twice: rename one of the two classes",
        ),
        ({"class_names": ["ant", "bee"]}, "it has class_names but no labels: save both or neither"),
        (
            {"labels": NUMBERS % 2, "test_labels": NUMBERS},
            "it has test_labels but no test_images: save both or neither",
        ),
        (
            {"test_images": numbered(20), "test_labels": NUMBERS[:20]},
            "it has test_labels but no labels: save both or neither",
        ),
        (
            {"labels": NUMBERS % 2, "test_images": numbered(20)},
            "it has labels and test_images but no test_labels: save both labels or neither",
        ),
        (
            {"labels": NUMBERS % 2, "test_images": numbered(20), "test_labels": WORDS[NUMBERS[:20] % 2]},
            "labels and test_labels are numbers and words: save both as the same",
        ),
        *(
            (
                {name: np.array([Trap()] * 240, object)},
                "it holds pickled objects, which are never loaded: save numbers, or words as str",
            )
            for name in ("images", "labels", "class_names")
        ),
    ],
)
def test_arrays_that_cannot_be_used_are_told_in_one_line(arrays, told):
    assert refusal(saved(**arrays)) == f"faces.npz: {told}"
    assert not Path("sprung").exists()


def test_an_archive_without_images_says_what_it_has():
    np.savez("mine.npz", x_train=numbered(), y_train=NUMBERS)
    assert refusal("mine.npz") == (
        "mine.npz: it has no array named images, only x_train, y_train: save it again, np.savez(path, images=...)"
    )
    np.savez("mine.npz")
    assert "no array named images, only nothing: " in refusal("mine.npz")


def test_arrays_of_other_names_are_not_read(capsys):
    assert not load_dataset(saved(label=NUMBERS, files=np.array([Trap()], object))).labelled
    assert capsys.readouterr().out.splitlines()[0] == "faces.npz: not used: files, label"
    assert not Path("sprung").exists()


@pytest.mark.parametrize("suffix", ["npz", "npy"])
@pytest.mark.parametrize("content", ["empty", "text", "pickled", "cut off"])
def test_a_file_that_is_damaged_or_another_is_named(suffix, content):
    path = Path(f"faces.{suffix}")
    np.save(path, numbered()) if suffix == "npy" else saved()
    whole = path.read_bytes()
    path.write_bytes({"empty": b"", "text": b"a,b\n", "pickled": pickle.dumps(Trap())}.get(content, whole[:-5000]))
    assert refusal(path) == f"{path}: it is damaged, or no .{suffix} file: save it again"
    assert not Path("sprung").exists()


def test_an_object_array_of_its_own_is_never_loaded():
    np.save("faces.npy", np.array([Trap()] * 240, object))
    assert "faces.npy: it holds pickled objects, which are never loaded" in refusal("faces.npy")
    assert not Path("sprung").exists()


@pytest.mark.parametrize("name", ["faces.zip", "faces.csv", "faces.png", "./faces"])
def test_another_kind_of_file_is_refused(name):
    Path(name).write_bytes(b"1,2,3")
    told = "only an .npz file, an .npy file or a folder of PNG or JPEG pictures can be read"
    assert refusal(name) == f"{name}: {told}"


# Paths and names


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        *(("mnist", False), ("auto", False), ("faces", False), ("", False)),
        *(("faces.npz", True), ("./faces", True), ("my/faces", True), ("~/faces", True), ("..", True)),
        (Path("faces"), True),
    ],
)
def test_a_word_is_a_name_and_all_else_a_path(name, expected):
    Path("faces").mkdir()
    Path("mnist").mkdir()
    assert is_path(name) is expected


def test_a_word_that_is_no_data_set_is_told_what_a_path_looks_like():
    Path("faces").mkdir()
    known = ", ".join(SOURCES)
    assert refusal("faces") == f"unknown data set 'faces': choose one of {known}, auto, or a path such as ./faces"


def test_a_path_may_begin_at_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    Path("home").mkdir()
    saved("home/faces.npz")
    assert load_dataset("~/faces.npz").path == str(tmp_path / "home" / "faces.npz")


@pytest.mark.parametrize("path", ["nowhere.npz", "./nowhere", "no/where.npy", "./loop"])
def test_a_path_that_is_not_there_is_told(path):
    Path("loop").symlink_to("loop")
    assert refusal(path) == f"{path}: there is no such file or folder: correct the path"


def test_a_path_that_cannot_be_read_is_told():
    assert refusal("~nobody-of-that-name/x") == (
        "~nobody-of-that-name/x cannot be read (Could not determine home directory.)"
    )
    long = 300 * "x" + ".npz"
    assert refusal(long) == f"{long} cannot be read (File name too long)"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_told():
    Path(saved()).chmod(0)
    assert refusal("faces.npz") == "faces.npz cannot be read (Permission denied)"
    pictures("pictures").chmod(0)
    assert refusal("./pictures") == "./pictures cannot be read (Permission denied)"
    Path("pictures").chmod(0o700)
    pictures("pictures/a").chmod(0)
    assert refusal("./pictures") == "./pictures cannot be read (Permission denied)"


@pytest.mark.parametrize("name", ["mnist.npz", "MNIST.npz", "digits.npz", "auto.npz", "fashion_mnist.npz"])
def test_the_name_of_a_built_in_data_set_is_refused(name):
    stem = name.removesuffix(".npz")
    told = f"{stem} is the name of a built-in data set: rename it, so that the two are never mixed"
    assert refusal(saved(name)) == f"{name}: {told}"


@pytest.mark.parametrize("stem", ["a=b", "a,b", "-a", "_a", "ä?", "x" * 101])
def test_a_name_that_is_no_folders_is_refused(stem):
    told = "its name is a folder's, too: rename it, with letters, digits, - and _ alone"
    assert refusal(saved(f"./{stem}.npz")) == f"./{stem}.npz: {told}"


@pytest.mark.parametrize("stem", ["a", "A b", "x-2_y.v1+z", "gesichter_für_alle", "7", "x" * 100])
def test_other_names_are_kept(stem):
    assert load_dataset(saved(f"{stem}.npz")).name == stem


def test_a_link_has_its_own_name():
    saved("blob.npz")
    Path("faces.npz").symlink_to("blob.npz")
    assert load_dataset("faces.npz").name == "faces"


# Folders of pictures


def pictures(folder: str, images: np.ndarray | None = None, suffix: str = "png", **options) -> Path:
    """The images as files that are numbered in alphabetical order."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    for number, image in enumerate(numbered() if images is None else images):
        Image.fromarray(image, **options).save(f"{folder}/{number:03}.{suffix}")
    return Path(folder)


def assert_same_images(dataset, images: np.ndarray) -> None:
    """That images in one array, in the same order, are the same data set."""
    np.save("array.npy", images)
    assert dataset.checksum == load_dataset("array.npy").checksum


def test_pictures_in_a_folder_are_an_array_without_labels():
    dataset = load_dataset(pictures("scans"))
    assert_same_images(dataset, numbered())
    assert not dataset.labelled
    assert dataset.description == "scans: 240 grey images of 8x9 from scans, split 80/10/10 by a fixed seed"


def test_sub_folders_are_classes():
    images = numbered(240, 16, 12, 3)
    for name, part in (("b c", images[100:]), ("a", images[:100])):
        pictures(f"scans/{name}", part)
    Path("scans/.cache").mkdir()
    Path("scans/empty").mkdir()
    dataset = load_dataset("./scans")
    assert dataset.class_names == ("a", "b c")
    saved(images=images, labels=(NUMBERS >= 100).astype(int))
    assert dataset.checksum == load_dataset("faces.npz").checksum
    assert dataset.description == (
        "scans: 240 colour images of 16x12 in 2 classes from scans, split 80/10/10 by a fixed seed"
    )


def test_a_link_to_a_folder_is_a_class():
    pictures("elsewhere", numbered(120))
    pictures("scans/a", numbered(120))
    Path("scans/b").symlink_to("../elsewhere")
    assert load_dataset("./scans").class_names == ("a", "b")


def test_photographs_are_read_as_they_are_shown():
    images = np.random.default_rng(0).integers(256, size=(200, 2, 2, 3), dtype=np.uint8).repeat(8, 1).repeat(8, 2)
    pictures("photos", images, "jpg")
    shown = np.stack([np.asarray(Image.open(path)) for path in sorted(Path("photos").iterdir())])
    read = load_dataset("./photos")
    order = np.arange(200)[:, None]
    np.random.default_rng(0).shuffle(order)
    assert np.abs(read.test_images.bytes.astype(int) - shown[order[:20, 0]]).max() <= 3


@pytest.mark.parametrize("mode", ["1", "L", "LA"])
def test_grey_pictures_of_all_kinds_have_one_channel(mode):
    pictures("scans")
    with Image.open("scans/007.png") as picture:
        picture.convert(mode).save("scans/007.png")
    images = numbered()
    images[7] = images[7] if mode != "1" else np.asarray(Image.open("scans/007.png")) * np.uint8(255)
    assert_same_images(load_dataset("./scans"), images)


@pytest.mark.parametrize("mode", ["P", "RGB", "RGBA"])
def test_one_colour_picture_makes_all_of_them_colour(mode):
    images = numbered(240)[..., None].repeat(3, axis=3)
    images[7, :, :5] = (200, 30, 0)
    pictures("scans")
    Image.fromarray(images[7]).quantize(256).convert("RGB").save("scans/007.png")
    with Image.open("scans/007.png") as picture:
        images[7] = np.asarray(picture)
        picture.convert(mode, palette=Image.Palette.ADAPTIVE).save("scans/007.png")
    assert_same_images(load_dataset("./scans"), images)


def test_other_files_in_a_folder_are_told(capsys):
    pictures("scans/a", numbered(120))
    pictures("scans/b", numbered(120))
    for name in ("notes.txt", "a/x.webp", ".DS_Store", "b/.hidden.txt"):
        Path("scans", name).write_bytes(b"nothing")
    load_dataset("./scans")
    assert capsys.readouterr().out.splitlines()[0] == (
        "scans: files that are no PNG or JPEG pictures are left out: 2, such as a/x.webp"
    )


def test_reading_a_folder_leaves_numpys_random_state_alone():
    np.random.seed(0)  # noqa: NPY002, the state that others' code shares
    before = np.random.get_state()[2]  # noqa: NPY002
    load_dataset(pictures("scans"))
    assert np.random.get_state()[2] == before  # noqa: NPY002


def cut_off(folder: Path) -> None:
    (folder / "007.png").write_bytes((folder / "006.png").read_bytes()[:-30])


def without_its_end(folder: Path) -> None:
    (folder / "007.png").write_bytes((folder / "006.png").read_bytes().removesuffix(b"\0\0\0\0IEND\xaeB`\x82"))


def transparent(folder: Path) -> None:
    pixels = np.full((8, 9, 4), 255, np.uint8)
    pixels[3, 3, 3] = 254
    Image.fromarray(pixels).save(folder / "007.png")


def transparent_colour(folder: Path) -> None:
    Image.fromarray(numbered()[6]).convert("P").save(folder / "007.png", transparency=int(numbered()[6, 0, 0]))


def beside(folder: Path) -> None:
    pictures(f"{folder}/inside", numbered(3))


def hidden(folder: Path) -> None:
    pictures(f"{folder}/.thumbnails", numbered(3))


def large(folder: Path) -> None:
    for path in folder.iterdir():
        Image.new("L", (640, 480)).save(path)


def save_as(mode: str = "L", suffix: str = ".png", size: tuple[int, int] = (9, 8), kind: str | None = None):
    def change(folder: Path) -> None:
        (folder / "007.png").unlink()
        Image.new(mode, size).save(folder / f"007{suffix}", kind)

    return change


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (save_as(size=(8, 9)), "000.png is 8 x 9 pixels, 007.png 9 x 8: give all the same size"),
        (large, "pictures are 480 x 640 pixels: from 8 x 8 to 64 x 64 can be used"),
        (lambda folder: [path.unlink() for path in folder.glob("1*")], "pictures are 140: at least 200 are needed"),
        (lambda folder: [path.unlink() for path in folder.iterdir()], "it has no PNG or JPEG pictures"),
        (cut_off, "007.png cannot be read (damaged, or no picture): delete or replace it"),
        (without_its_end, "007.png cannot be read (damaged, or no picture): delete or replace it"),
        (
            lambda folder: (folder / "007.png").write_text("<html>"),
            "007.png cannot be read (damaged, or no picture): delete or replace it",
        ),
        (save_as("I;16"), "007.png has pixels of the type I;16: save it in grey or RGB with 8 bits"),
        (save_as("CMYK", ".jpg"), "007.jpg has pixels of the type CMYK: save it in grey or RGB with 8 bits"),
        (save_as(suffix=".gif"), "007.gif is a GIF picture: save all as PNG or JPEG"),
        (save_as(suffix=".bmp"), "007.bmp is a BMP picture: save all as PNG or JPEG"),
        (save_as("RGB", kind="WEBP"), "007.png is a WEBP picture: save all as PNG or JPEG"),
        (transparent, "007.png is transparent in places: put it on a background"),
        (transparent_colour, "007.png is transparent in places: put it on a background"),
        (beside, "000.png lies beside the folder inside: put all pictures into folders, or none"),
        (hidden, ".thumbnails/000.png lies in a hidden folder: delete or move that"),
    ],
)
def test_folders_that_cannot_be_used_are_told_in_one_line(change, told):
    change(pictures("scans"))
    assert refusal("./scans") == f"./scans: {told}"


def test_folders_of_training_and_test_images_are_no_classes():
    for name in ("train", "Test"):
        pictures(f"scans/{name}", numbered(120))
    told = "Test, train would be taken for classes: name one of the folders, Test"
    assert refusal("./scans") == f"./scans: {told}"


def test_pictures_that_differ_in_size_in_two_classes_are_told():
    pictures("scans/a", numbered(120, 16, 16))
    pictures("scans/b", numbered(120, 16, 12))
    assert refusal("./scans") == "./scans: a/000.png is 16 x 16 pixels, b/000.png 16 x 12: give all the same size"


# The page


def test_the_examples_of_the_page_make_a_data_set_and_name_its_test_images():
    photos = np.random.default_rng(0).integers(256, size=(200, 3, 4, 3), dtype=np.uint8).repeat(16, 1).repeat(16, 2)
    pictures("photos", photos, "jpg")
    variables: dict = {}
    for example in re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE):
        exec(example, variables)
    dataset = load_dataset("photos.npz")
    assert dataset.image_shape == (32, 32, 3)
    for images, rows in ((dataset.test_images, slice(20)), (dataset.validation_images, slice(20, 40))):
        np.testing.assert_array_equal(images.bytes, variables["images"][variables["order"][rows, 0]])


def test_the_numbers_of_the_page_are_those_that_hold():
    text = " ".join(PAGE.read_text().split())
    sides = f"{checks.SMALLEST} x {checks.SMALLEST} to {checks.LARGEST} x {checks.LARGEST} pixels"
    assert f"Any {checks.FEWEST} or more pictures of one size, from {sides}" in text
    assert all(f"`{name}`" in text for name in ARRAYS)
    assert f"Up to {MOST_CLASSES} classes are told apart by colours and, beyond ten, by markers." in text
    assert len(text.split()) <= 700


# Lessons


@pytest.mark.parametrize(
    ("shape", "classes", "lessons", "told"),
    [
        *(
            (shape, 10, ALL_LESSONS, f"the images of mine are {words}; this notebook needs 28 x 28 x 1")
            for shape, words in (((16, 16, 3), "16 x 16 x 3"), ((28, 28, 3), "28 x 28 x 3"))
        ),
        ((28, 28), 0, OF_ANY_CLASSES, "the images of mine have no labels; this notebook needs classes"),
        ((28, 28), 0, OF_TEN_CLASSES, "mine has 0 classes; this notebook needs 10"),
        ((28, 28), 3, OF_TEN_CLASSES, "mine has 3 classes; this notebook needs 10"),
    ],
)
def test_lessons_refuse_images_that_they_are_not_made_for(tmp_path, shape, classes, lessons, told):
    path = saved(
        tmp_path / "mine.npz", images=numbered(240, *shape), **({"labels": NUMBERS % classes} if classes else {})
    )
    for lesson in lessons:
        folder = tmp_path / lesson
        folder.mkdir()
        assert_refused(runs.NOTEBOOKS / f"{lesson}.ipynb", {"dataset": str(path), "threads": 1}, told, folder)


@pytest.mark.parametrize("lesson", OF_ANY_CLASSES[1:])  # the first writes no run
def test_lessons_take_images_of_their_size_with_other_classes(tmp_path, lesson):
    path = saved(tmp_path / "letters.npz", images=numbered(240, 28, 28), labels=NUMBERS % 26)
    run_first_cells(
        runs.NOTEBOOKS / f"{lesson}.ipynb", {"dataset": str(path), "threads": 1, "run_dir": str(tmp_path / "run")}
    )
    assert len(runs.read_dataset(tmp_path / "run").class_names) == 26
