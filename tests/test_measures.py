from dataclasses import replace

import numpy as np
import pytest

from vae_core.measures import active_units, entropy_floor, evaluate, zero_information_distortion
from vae_core.models import reference_vae


def relu(x):
    return np.maximum(x, 0)


def test_active_units_counts_dimensions_whose_means_vary(rng):
    spread = np.array([1.0, 0.2, 0.05, 0.0])  # variances 1, 0.04, 0.0025, 0
    assert active_units(rng.normal(size=(10_000, 4)) * spread + 7) == 2


def test_entropy_floor_of_grey_is_a_bit_per_pixel_and_of_black_and_white_nothing():
    assert entropy_floor(np.full((3, 28, 28, 1), 0.5)) == pytest.approx(784 * np.log(2))
    assert entropy_floor(np.array([0.0, 1.0]).repeat(784).reshape(2, 28, 28, 1)) == 0


def test_zero_information_distortion_by_hand():
    train = np.stack([np.full((28, 28, 1), 0.2), np.full((28, 28, 1), 0.4)]).astype("float32")
    test = np.full((5, 28, 28, 1), 0.1, "float32")
    expected = -784 * (0.1 * np.log(0.3) + 0.9 * np.log(0.7))
    assert zero_information_distortion(train, test) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("kl_weight", [0.0, 1.0, 4.0])
def test_evaluate_against_an_independent_numpy_model(digits, kl_weight):
    vae = reference_vae(kl_weight, seed=0, hidden_units=16)
    few = replace(digits, test_images=digits.test_images[:40])
    measured = evaluate(vae, few, samples=400)
    dense, mean_layer, log_var_layer = (layer.get_weights() for layer in vae.encoder.layers if layer.get_weights())
    hidden, logits_layer = (layer.get_weights() for layer in vae.decoder.layers if layer.get_weights())
    x = few.test_images.reshape(40, 784).astype(float)
    h = relu(x @ dense[0] + dense[1])
    mean, log_var = h @ mean_layer[0] + mean_layer[1], h @ log_var_layer[0] + log_var_layer[1]
    rate = 0.5 * (np.exp(log_var) + mean**2 - 1 - log_var).sum(axis=1).mean()
    z = mean + np.exp(log_var / 2) * np.random.default_rng(1).normal(size=(400, 40, 2))
    logits = relu(z @ hidden[0] + hidden[1]) @ logits_layer[0] + logits_layer[1]
    distortion = (np.logaddexp(0, logits) - x * logits).sum(axis=-1).mean()
    assert measured["rate"] == pytest.approx(rate, rel=1e-4)
    assert measured["distortion"] == pytest.approx(distortion, rel=1e-3)
    assert measured["objective"] == pytest.approx(measured["distortion"] + kl_weight * measured["rate"])
    assert measured["negative_elbo"] == pytest.approx(measured["distortion"] + measured["rate"])
    assert (measured["images"], measured["samples"]) == (40, 400)


def test_a_decoder_that_says_nothing_cannot_beat_the_mean_image(digits):
    """A collapsed model at its best: rate 0, and the logits of the mean training image whatever z is."""
    vae = reference_vae(20.0, seed=0, hidden_units=4)
    p = np.clip(digits.train_images.mean(axis=0), 1e-7, 1 - 1e-7).ravel()
    vae.decoder.set_weights([0 * w for w in vae.decoder.get_weights()[:-1]] + [np.log(p) - np.log1p(-p)])
    vae.encoder.set_weights([0 * w for w in vae.encoder.get_weights()])
    measured = evaluate(vae, digits, samples=2)
    assert measured["rate"] == 0
    assert measured["active_units"] == 0
    assert measured["distortion"] == pytest.approx(measured["zero_information_distortion"], rel=1e-5)
    assert measured["distortion"] > measured["entropy_floor"]
