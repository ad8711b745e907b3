from dataclasses import dataclass, replace

import keras
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import log_expit
from scipy.stats import multivariate_normal, norm

from vae_core.data import Dataset
from vae_core.latent import encode
from vae_core.likelihoods import BERNOULLI, Gaussian
from vae_core.measures import anchors, bound, measure_bound, nll, nll_by_own_codes, nll_by_quadrature
from vae_core.models import VAE, dense_encoder, reference_vae
from vae_core.training import train


def relu(x):
    return np.maximum(x, 0)


@dataclass(frozen=True)
class LinearGaussian(Gaussian):
    """Pixels of variance 1 around the decoder's outputs themselves."""

    def mean(self, outputs):
        return outputs

    def outputs(self, mean):
        return np.asarray(mean, "float32")


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


@pytest.fixture(scope="module")
def trained(digits):
    """Two models of the digits, without and with the KL term."""
    vaes = {kl_weight: reference_vae(kl_weight, seed=0, hidden_units=64) for kl_weight in (0.0, 1.0)}
    for vae in vaes.values():
        train(vae, digits, epochs=25, batch_size=50, seed=0)
    return vaes


@pytest.mark.parametrize("kl_weight", [0.0, 1.0])
def test_nll_agrees_with_quadrature_and_is_below_the_bound(digits, trained, kl_weight):
    vae, images = trained[kl_weight], digits.test_images
    mean, log_var = encode(vae, images)
    exact = nll_by_quadrature(vae, images[:50], mean, cells=200)
    finer = nll_by_quadrature(vae, images[:50], mean, cells=300)
    assert np.abs(exact - finer).max() < 0.02  # the grid is fine enough
    estimate = nll(vae, images, mean, log_var)
    above = np.mean(estimate[:50] - exact)
    # Without the KL term posteriors lie between the prior and the codes, where few proposals are.
    assert -0.1 < above < (0.1 if kl_weight else 5)
    assert np.mean(nll(vae, images, mean, log_var, proposals=2)[:50] - exact) > above  # an upper bound that falls
    measured = measure_bound(vae, digits, mean, log_var)
    assert measured["negative_elbo"] + measured["negative_elbo_se"] > measured["nll"] == pytest.approx(estimate.mean())
    again = estimate[:200] - nll_by_quadrature(vae, images[:200], mean)
    assert measured["nll_above_quadrature"] == pytest.approx(again.mean(), abs=0.01)
    assert measured["nll_above_quadrature"] < 0.1 or kl_weight == 0
    assert measured["proposals"] == 2 * 297 * 34  # 20,000 rounded up


def test_quadrature_of_a_decoder_whose_integral_is_known():
    """Two pixels have the logits z[0] and z[1]; by symmetry a black or white pixel has probability 1/2."""
    kernel = np.zeros((2, 784), "float32")
    kernel[0, 0] = kernel[1, 1] = 1
    decoder = keras.Sequential([keras.Input((2,)), keras.layers.Dense(784), keras.layers.Reshape((28, 28, 1))])
    decoder.set_weights([kernel, np.zeros(784, "float32")])
    vae = VAE(dense_encoder((4,)), decoder, kl_weight=1.0, seed=0)
    images = np.zeros((2, 28, 28, 1), "float32")
    images[1, 0, 1] = 0.5
    grey = quad(lambda z: np.exp(0.5 * log_expit(z) + 0.5 * log_expit(-z)) * norm.pdf(z), -10, 10)[0]
    expected = [784 * np.log(2), 783 * np.log(2) - np.log(grey)]
    far = np.array([[120.0, 0.0]], "float32")
    np.testing.assert_allclose(nll_by_quadrature(vae, images, far, cells=200), expected, rtol=1e-6)
    none = np.zeros((2, 2), "float32")
    np.testing.assert_allclose(nll(vae, images, none, none), expected, atol=0.01)


def linear_vae(weights: np.ndarray, latent_dim: int, kl_weight: float = 1.0) -> VAE:
    """x = z W + b + noise of N(0, I); a linear encoder, whose log-variances do not depend on the image."""
    pixels = weights.shape[1]
    images = keras.Input((pixels, 1, 1))
    flat = keras.layers.Flatten()(images)
    log_var = keras.layers.Dense(latent_dim, kernel_initializer="zeros", name="log_var")(flat)
    encoder = keras.Model(images, [keras.layers.Dense(latent_dim, name="mean")(flat), log_var])
    decoder = keras.Sequential(
        [keras.Input((latent_dim,)), keras.layers.Dense(pixels), keras.layers.Reshape((pixels, 1, 1))]
    )
    decoder.set_weights([weights.astype("float32"), np.zeros(pixels, "float32")])
    return VAE(encoder, decoder, kl_weight, seed=0, likelihood=LinearGaussian())


def gaussian_images(rng, weights: np.ndarray, number: int) -> np.ndarray:
    latent_dim, pixels = weights.shape
    x = rng.normal(size=(number, latent_dim)) @ weights + rng.normal(size=(number, pixels))
    return x.reshape(number, pixels, 1, 1).astype("float32")


def test_nll_of_a_linear_gaussian_model_is_that_of_its_gaussian(rng):
    """z and noise of N(0, I): p(x) = N(0, W W^T + I), and the posterior is known too."""
    w = rng.normal(size=(2, 6))
    vae, images = linear_vae(w, 2), gaussian_images(rng, w, 300)
    x = images.reshape(300, 6)
    expected = -multivariate_normal(np.zeros(6), w.T @ w + np.eye(6)).logpdf(x)
    exact = nll_by_quadrature(vae, images, np.zeros((1, 2)))
    np.testing.assert_allclose(exact, expected, rtol=1e-4)
    posterior = np.linalg.inv(np.eye(2) + w @ w.T)
    log_var = np.broadcast_to(np.log(np.diag(posterior)), (300, 2))
    estimate = nll(vae, images, x @ w.T @ posterior, log_var)
    np.testing.assert_allclose(estimate, expected, atol=0.3)
    assert np.mean(estimate - expected) == pytest.approx(0, abs=0.02)


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


@pytest.mark.parametrize("misled", [False, True])
def test_nll_by_own_codes_in_eight_dimensions_against_the_exact_one_of_a_linear_gaussian_model(rng, misled):
    """A posterior that is elsewhere and too narrow costs draws; the estimate is right all the same."""
    w = 0.4 * rng.normal(size=(8, 6))
    vae, images = linear_vae(w, 8), gaussian_images(rng, w, 100)
    x = images.reshape(100, 6)
    expected = -multivariate_normal(np.zeros(6), w.T @ w + np.eye(6)).logpdf(x)
    posterior = np.linalg.inv(np.eye(8) + w @ w.T)
    mean = x @ w.T @ posterior + (2 if misled else 0)
    log_var = np.broadcast_to(np.log(np.diag(posterior)), (100, 8)) - (1 if misled else 0)
    estimate = nll_by_own_codes(vae, images, mean, log_var, draws=400)
    assert np.mean(estimate - expected) == pytest.approx(0, abs=0.05 if misled else 0.02)
    np.testing.assert_allclose(estimate, expected, atol=1.5 if misled else 0.2)


def test_nll_is_fair_to_posteriors_that_are_nowhere_near_the_true_one(digits, trained):
    """Codes moved far away are useless as proposals; those from the prior still find -log p(x)."""
    vae, images = trained[1.0], digits.test_images
    mean, log_var = encode(vae, images)
    misled = nll(vae, images, mean + 30, log_var - 10)
    assert np.mean(misled - nll(vae, images, mean, log_var)) == pytest.approx(0, abs=0.4)


def test_blocks_of_proposals_do_not_change_the_estimate(digits, trained, monkeypatch):
    vae, images = trained[1.0], digits.test_images[:30]
    mean, log_var = encode(vae, images)
    whole = nll(vae, images, mean, log_var, proposals=1024)
    monkeypatch.setattr(bound, "BLOCK", 333)
    np.testing.assert_allclose(nll(vae, images, mean, log_var, proposals=1024), whole, rtol=1e-6)
