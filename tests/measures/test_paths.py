"""How even the steps of a path are: by hand, and where nothing changes."""

import numpy as np
import pytest

from vae_core.measures import unevenness


def test_a_fade_has_even_steps_and_a_jump_has_one():
    start, end = np.zeros((28, 28)), np.full((28, 28), 0.8)
    fade, jump = np.linspace(start, end, 9), np.stack([start] * 4 + [end] * 5)
    np.testing.assert_allclose(unevenness(np.stack([fade, jump])), [1, 8])


def test_steps_are_compared_whatever_the_shape_of_an_image():
    images = np.zeros((2, 3, 28, 28, 1))
    images[0, :, 5, 5, 0] = [0, 0.5, 1]
    images[1, :, 5, 5, 0] = [0, 0, 1]
    assert unevenness(images) == pytest.approx([1, 2])
    assert unevenness(images.reshape(2, 3, -1)) == pytest.approx([1, 2])


def test_a_path_along_which_only_rounding_changes_is_even(rng):
    still = np.full((2, 9, 28, 28, 1), 0.3, np.float32)
    assert unevenness(still).tolist() == [1, 1]
    rounded = still + 3e-8 * rng.integers(2, size=still.shape)
    assert 0 < np.ptp(rounded) < 1e-7
    assert unevenness(rounded).tolist() == [1, 1]
    still[0, 4] += 1e-7
    assert unevenness(still).tolist() == [1, 1]
