"""Noise against published answers, and against the normal distribution."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.stats import kstest

from vae_core.models import Sampling
from vae_core.noise import normal, threefry


@pytest.mark.parametrize(
    ("key", "counters", "answer"),
    [
        ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
        ((0xFFFFFFFF, 0xFFFFFFFF), (0xFFFFFFFF, 0xFFFFFFFF), (0x1CB996FC, 0xBB002BE7)),
        ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0)),
    ],
)
def test_threefry_gives_the_known_answers_of_its_authors(key, counters, answer):
    words = threefry(tf.constant(key, tf.uint32), [tf.constant(word, tf.uint32) for word in counters])
    assert tuple(int(word) for word in words) == answer


def test_noise_is_standard_normal_and_its_columns_and_keys_are_independent():
    noise, other = (np.asarray(normal(key, 20_000, 10), np.float64) for key in ((1, 2), (1, 3)))
    assert kstest(noise.ravel(), "norm").pvalue > 0.001
    assert np.abs(np.corrcoef(noise.T) - np.eye(10)).max() < 0.03
    assert np.abs(np.corrcoef(noise.ravel(), other.ravel())[0, 1]) < 0.01
    assert np.isfinite(noise).all()


def test_noise_is_the_same_eagerly_in_a_graph_and_compiled():
    draws = [lambda: normal((7, 8), 5, 4)]
    draws += [tf.function(draws[0], jit_compile=jit_compile) for jit_compile in (False, True)]
    eager, graph, compiled = (np.asarray(draw()) for draw in draws)
    np.testing.assert_allclose(graph, eager, rtol=1e-5)
    np.testing.assert_allclose(compiled, eager, rtol=1e-5)


def test_draws_in_many_dimensions_are_new_each_time_and_repeat_from_the_seed():
    zeros = np.zeros((50, 8), np.float32)
    one, again = Sampling(seed=3), Sampling(seed=3)
    first, second = np.asarray(one(zeros, zeros)), np.asarray(one(zeros, zeros))
    assert np.abs(first - second).min() > 0
    np.testing.assert_array_equal(again(zeros, zeros), first)
    np.testing.assert_array_equal(again(zeros, zeros), second)
    assert keras.backend.is_float_dtype(str(first.dtype))
