from dataclasses import replace

import numpy as np
import pytest

from vae_core.binarise import binarised, thresholded, tossed, tossed_once
from vae_core.data import ByteImages
from vae_core.errors import InputError

PARTS = ("train_images", "validation_images", "test_images")


@pytest.fixture(scope="module")
def kept_as_bytes(digits):
    parts = {part: ByteImages(np.round(getattr(digits, part) * 255).astype(np.uint8)) for part in PARTS}
    return replace(digits, **parts)


def test_no_is_the_data_set_itself_and_other_words_are_refused(digits):
    assert binarised(digits, "no") is digits
    assert tossed_once(digits) is digits
    with pytest.raises(InputError, match="binarise must be one of no, threshold, each_epoch, not 'yes'"):
        binarised(digits, "yes")


def test_a_threshold_keeps_half_and_more_in_all_images(digits):
    binary = binarised(digits, "threshold")
    for part in PARTS:
        images, grey = getattr(binary, part), getattr(digits, part)
        assert images.dtype == np.float32
        assert np.array_equal(images, np.where(grey >= 0.5, 1, 0))
    assert (binary.name, binary.checksum, binary.toss) == (digits.name, digits.checksum, False)
    assert binary.description == digits.description + "; thresholded at 0.5"
    assert tossed_once(binary) is binary


def test_tossed_pixels_are_white_with_the_probability_of_their_grey():
    grey = np.broadcast_to(np.array([0, 0.2, 0.9, 1], "float32")[:, None, None], (2500, 4, 8, 1))
    tosses = tossed(grey, seed=3)
    assert set(np.unique(tosses)) == {0, 1}
    assert tosses.mean(axis=(0, 2, 3))[1:3] == pytest.approx([0.2, 0.9], abs=0.01)
    assert not tosses[:, 0].any()
    assert tosses[:, 3].all()
    assert not np.array_equal(tosses[:1000], tosses[1000:2000])  # blocks do not repeat the numbers


def test_each_epoch_tosses_validation_and_test_images_once_and_leaves_the_training_images_to_the_training(digits):
    binary, again = binarised(digits, "each_epoch"), binarised(digits, "each_epoch")
    assert binary.toss
    assert binary.train_images is digits.train_images
    assert (binary.name, binary.checksum) == (digits.name, digits.checksum)
    assert binary.description == digits.description + "; tossed anew in each epoch"
    for part in PARTS[1:]:
        images, grey = getattr(binary, part), getattr(digits, part)
        assert images.dtype == np.float32
        assert set(np.unique(images)) == {0, 1}
        assert np.array_equal(images, getattr(again, part))
        assert images.mean() == pytest.approx(grey.mean(), abs=0.005)
        assert not np.array_equal(images, grey >= 0.5)
    once = tossed_once(binary)
    assert not once.toss
    assert np.array_equal(once.train_images, tossed_once(again).train_images)
    assert set(np.unique(once.train_images)) == {0, 1}
    assert once.test_images is binary.test_images


def test_images_kept_as_bytes_stay_so_and_become_the_same(digits, kept_as_bytes):
    floats = replace(digits, **{part: np.asarray(getattr(kept_as_bytes, part)) for part in PARTS})
    for make in (thresholded, lambda dataset: tossed_once(binarised(dataset, "each_epoch"))):
        of_bytes, of_floats = make(kept_as_bytes), make(floats)
        for part in PARTS:
            assert isinstance(getattr(of_bytes, part), ByteImages)
            assert np.array_equal(getattr(of_bytes, part), getattr(of_floats, part))
