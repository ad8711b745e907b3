from dataclasses import replace

import keras
import numpy as np
import pytest
from scipy.stats import multivariate_normal

from tests.measures.linear import gaussian_images, linear_vae
from vae_core.data import Dataset
from vae_core.latent import encode
from vae_core.likelihoods import BERNOULLI, Gaussian
from vae_core.measures import anchors, measure_bound
from vae_core.models import reference_vae
from vae_core.training import train


def relu(x):
    return np.maximum(x, 0)


def test_entropy_floor_of_grey_is_a_bit_per_pixel_and_of_black_and_white_nothing():
    assert BERNOULLI.floor(np.full((3, 28, 28, 1), 0.5)) == pytest.approx(784 * np.log(2))
    assert BERNOULLI.floor(np.array([0.0, 1.0]).repeat(784).reshape(2, 28, 28, 1)) == 0


def test_zero_information_distortion_by_hand():
    train = np.stack([np.full((28, 28, 1), 0.2), np.full((28, 28, 1), 0.4)]).astype("float32")
    test = np.full((5, 28, 28, 1), 0.1, "float32")
    expected = -784 * (0.1 * np.log(0.3) + 0.9 * np.log(0.7))
    assert anchors(BERNOULLI, train, test)["zero_information_distortion"] == pytest.approx(expected, rel=1e-5)
    gaussian = anchors(Gaussian(0.25), train, test)["zero_information_distortion"]
    assert gaussian == pytest.approx(784 * (0.2**2 / 0.5 + 0.5 * np.log(2 * np.pi * 0.25)), rel=1e-5)


def test_mnist_entropy_floor_is_the_loss_of_a_perfect_copy(mnist):
    x = np.clip(mnist.test_images.astype("float64"), 1e-12, 1 - 1e-12)
    logits = np.log(x) - np.log1p(-x)
    perfect = np.mean(np.asarray(BERNOULLI.nll(mnist.test_images, logits.astype("float32"))))
    assert perfect == pytest.approx(45.53, abs=0.01)
    assert BERNOULLI.floor(mnist.test_images) == pytest.approx(45.53, abs=0.005)


def test_mnist_collapse_ends_at_the_loss_of_the_mean_image(mnist):
    train_images = np.concatenate([mnist.validation_images, mnist.train_images])
    assert anchors(BERNOULLI, train_images, mnist.test_images)["zero_information_distortion"] == pytest.approx(
        205.80, abs=0.005
    )


@pytest.mark.parametrize("kl_weight", [0.0, 1.0, 4.0])
def test_measure_bound_against_an_independent_numpy_model(digits, kl_weight):
    vae = reference_vae(kl_weight, seed=0, hidden_units=16)
    few = replace(digits, test_images=digits.test_images[:40])
    measured = measure_bound(vae, few, *encode(vae, few.test_images), samples=400, proposals=2)
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
    errors = (np.logaddexp(0, logits) - x * logits).sum(axis=-1).mean(axis=0).std(ddof=1) / np.sqrt(40)
    assert measured["distortion_se"] == pytest.approx(errors, rel=0.05)


def test_a_decoder_that_says_nothing_ends_at_the_mean_image_and_any_other_picture_is_worse(digits):
    """A collapsed model at its best: rate 0, and the logits of the mean training image whatever z is."""
    vae = reference_vae(20.0, seed=0, hidden_units=4)
    p = np.clip(digits.train_images.mean(axis=0), 1e-7, 1 - 1e-7).ravel()
    vae.decoder.set_weights([0 * w for w in vae.decoder.get_weights()[:-1]] + [np.log(p) - np.log1p(-p)])
    vae.encoder.set_weights([0 * w for w in vae.encoder.get_weights()])
    measured = measure_bound(vae, digits, *encode(vae, digits.test_images), samples=2)
    assert measured["rate"] == 0
    assert measured["distortion"] == pytest.approx(measured["zero_information_distortion"], rel=1e-5)
    brighter = [*vae.decoder.get_weights()[:-1], vae.decoder.get_weights()[-1] + 1]
    vae.decoder.set_weights(brighter)
    worse = measure_bound(vae, digits, *encode(vae, digits.test_images), samples=2, proposals=2)
    assert worse["distortion"] > measured["distortion"] + 1
    assert measured["nll"] == pytest.approx(measured["distortion"], rel=1e-5)  # p(x|z) is the same for all z


@pytest.mark.parametrize("latent_dim", [2, 4])
def test_a_trained_gaussian_model_has_the_measures_that_its_weights_give_in_closed_form(rng, latent_dim):
    """Trained by `train` and measured by the same call as any model; the formulas are those of linear Gaussians."""
    truth = 2 * rng.normal(size=(latent_dim, 8))
    images, labels = gaussian_images(rng, truth, 1400), np.zeros(1400, int)
    parts = {"train": slice(1000), "validation": slice(1000, 1100), "test": slice(1100, 1400)}
    arrays = {f"{name}_images": images[part] for name, part in parts.items()}
    arrays |= {f"{name}_labels": labels[part] for name, part in parts.items()}
    dataset = Dataset("linear", "made up", ("one",), "", **arrays)
    vae = linear_vae(rng.normal(size=truth.shape), latent_dim, kl_weight=0.7)
    vae.compile(optimizer=keras.optimizers.Adam(0.01), jit_compile=True)
    history, _ = train(vae, dataset, epochs=20, batch_size=50, seed=0)
    assert history["val_objective"].iloc[-1] < history["val_objective"].iloc[0] - 1
    mean, log_var = encode(vae, dataset.test_images)
    measured = measure_bound(vae, dataset, mean, log_var, samples=400)
    w, b = (array.astype(float) for array in vae.decoder.get_weights())
    x, variance = dataset.test_images.reshape(300, 8), np.exp(log_var.astype(float))
    squares = ((x - mean @ w - b) ** 2).sum(axis=1) + (variance * (w**2).sum(axis=1)).sum(axis=1)
    distortion = (0.5 * squares + 4 * np.log(2 * np.pi)).mean()
    rate = 0.5 * (variance + mean.astype(float) ** 2 - 1 - log_var).sum(axis=1).mean()
    assert measured["distortion"] == pytest.approx(distortion, abs=0.02)
    assert measured["rate"] == pytest.approx(rate, rel=1e-5)
    assert measured["objective"] == pytest.approx(measured["distortion"] + 0.7 * measured["rate"])
    exact = -multivariate_normal(b, w.T @ w + np.eye(8)).logpdf(x).mean()
    assert measured["nll"] == pytest.approx(exact, abs=0.05)
    assert measured["entropy_floor"] == pytest.approx(4 * np.log(2 * np.pi))
    nothing = 0.5 * ((x - dataset.train_images.reshape(1000, 8).mean(axis=0)) ** 2).sum(axis=1).mean()
    assert measured["zero_information_distortion"] == pytest.approx(nothing + 4 * np.log(2 * np.pi), rel=1e-5)
    assert ("nll_above_quadrature" in measured) == (latent_dim == 2)
