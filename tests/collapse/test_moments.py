"""Mean, variance, covariance and eigenvalues of images against NumPy's, with and without the covariance."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from vae_core.collapse.moments import LargeImages, large_images, moments, moments_of
from vae_core.dataset import ByteImages


@pytest.fixture
def images(rng):
    """300 images of 20 x 15 pixels and 3 channels: a few strong patterns, many weak ones, and a little noise."""
    shown = rng.normal(size=(300, 60)) * 3 / np.arange(1, 61) @ rng.normal(size=(60, 900))
    return (1 / (1 + np.exp(-shown - rng.normal(size=(300, 900)) / 10))).reshape(300, 20, 15, 3).astype("float32")


def test_moments_are_those_of_numpy_in_any_blocks(images, monkeypatch):
    flat = images.reshape(300, 900).astype(float)
    expected = np.cov(flat.T, bias=True)
    for block in (900 * 300, 900 * 7):
        monkeypatch.setattr("vae_core.collapse.moments.BLOCK", block)
        small, large = moments(images), large_images(images)
        np.testing.assert_allclose(small.covariance, expected, atol=1e-12)
        for found in (small, large):
            assert found.mean == pytest.approx(flat.mean(axis=0))
            assert found.variance == pytest.approx(np.diagonal(expected))
    in_bytes = ByteImages(np.round(255 * images).astype(np.uint8))
    np.testing.assert_allclose(moments(in_bytes).covariance, expected, atol=1e-3)


def test_tossed_images_have_the_moments_of_many_tosses(rng):
    grey = rng.random((400, 3, 2, 1), np.float32) ** 2
    tosses = np.concatenate([rng.random(grey.shape) < grey for _ in range(200)]).astype("float32")
    expected = moments(tosses)
    for found in (moments(grey).tossed(), large_images(grey).tossed()):
        assert found.mean == pytest.approx(expected.mean, abs=0.01)
        assert found.variance == pytest.approx(expected.variance, abs=0.005)
    assert moments(grey).tossed().covariance == pytest.approx(expected.covariance, abs=0.005)


@pytest.mark.parametrize("tossed", [False, True])
def test_eigenvalues_without_the_covariance_are_those_of_the_covariance(images, rng, tossed, monkeypatch):
    monkeypatch.setattr("vae_core.collapse.moments.BLOCK", 900 * 70)
    small, large = moments(images), large_images(ByteImages(np.round(255 * images).astype(np.uint8)))
    if tossed:
        small, large = small.tossed(), large.tossed()
    scale = rng.uniform(1, 3, 900)
    scale[:40] = 0
    expected = np.linalg.eigvalsh(scale[:, None] * small.covariance * scale)[::-1]
    assert small.eigenvalues(scale) == pytest.approx(expected)
    for count in (2, 40):
        assert large.eigenvalues(scale, count) == pytest.approx(expected[:count], rel=2e-3)  # of the bytes' rounding


def test_eigenvalues_beyond_the_number_of_images_are_0(images):
    few = large_images(np.tile(images[:20], (3, 1, 1, 1))).eigenvalues(np.ones(900), 40)
    assert few[:19] == pytest.approx(moments(images[:20]).eigenvalues(np.ones(900), 19), rel=1e-4)
    assert not few[19:].any()


def test_large_images_take_little_memory(digits, rng):
    """The covariance of 64 x 64 pixels in colour would take 1.2 GB."""
    images = ByteImages(rng.integers(256, size=(200, 64, 64, 3), dtype=np.uint8))
    found = moments_of(replace(digits, train_images=images, toss=True))
    assert isinstance(found, LargeImages)
    assert found.variance == pytest.approx(found.mean * (1 - found.mean))
    tracemalloc.start()
    assert len(found.eigenvalues(np.ones(12_288), 2)) == 2
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100e6
