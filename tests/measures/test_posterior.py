import keras
import numpy as np
import pytest
from scipy.stats import multivariate_normal

from tests.measures.linear import gaussian_images, linear_vae
from vae_core.likelihoods import likelihood_of
from vae_core.measures.posterior import Gaussians, _information, near_posterior
from vae_core.models import VAE, conv_decoder, conv_encoder, reference_vae


def test_the_posterior_of_a_linear_gaussian_model_is_found_wherever_the_search_begins(rng):
    """p(z|x) = N(P W (x - b), P) with P = (I + W W')^-1."""
    w = rng.normal(size=(5, 12))
    vae, images = linear_vae(w, 5), gaussian_images(rng, w, 20)
    covariance = np.linalg.inv(np.eye(5) + w @ w.T)
    exact = images.reshape(20, 12) @ w.T @ covariance
    found = near_posterior(vae, images, exact + 3, rng)
    np.testing.assert_allclose(found.root @ found.root.transpose(0, 2, 1), [covariance] * 20, rtol=1e-3, atol=1e-5)
    moved = np.abs(found.mean - exact).max()
    assert moved < 3 * 0.5**3  # antithetic draws give a linear model's gradient exactly: each move goes 0.6 of the way


def test_density_and_draws_of_the_gaussians_are_those_of_scipy(rng):
    root = np.triu(rng.normal(size=(3, 4, 4))) + 3 * np.eye(4)
    gaussians = Gaussians(rng.normal(size=(3, 4)), root).wider(2)
    z = gaussians.at(rng.standard_normal((3, 7, 4)))
    for i in range(3):
        expected = multivariate_normal(gaussians.mean[i], 2 * root[i] @ root[i].T).logpdf(z[i])
        np.testing.assert_allclose(gaussians.log_density(z)[i], expected)
    many = gaussians.at(rng.standard_normal((3, 50_000, 4)))[1]
    np.testing.assert_allclose(np.cov(many.T), 2 * root[1] @ root[1].T, atol=1)


def test_information_of_each_likelihood_by_its_equation(rng):
    outputs = rng.normal(size=(2, 3, 3, 1)).astype("float32")
    vae = reference_vae(1.0, seed=0, hidden_units=4)
    p = 1 / (1 + np.exp(-outputs.astype(float)))
    vae.likelihood = likelihood_of("bernoulli", 1.0)
    np.testing.assert_allclose(_information(vae, keras.ops.convert_to_tensor(outputs)), p * (1 - p), rtol=1e-4)
    vae.likelihood = likelihood_of("gaussian", 0.2)
    of_gaussian = _information(vae, keras.ops.convert_to_tensor(outputs))
    np.testing.assert_allclose(of_gaussian, (p * (1 - p)) ** 2 / 0.2, rtol=1e-3)
    vae.likelihood = likelihood_of("continuous_bernoulli", 1.0)
    x = np.linspace(0.0005, 0.9995, 1000)  # its variance, by a sum over a grid
    density = np.exp(x * outputs.astype(float)[..., None])
    density /= density.sum(axis=-1, keepdims=True)
    variance = (density * x**2).sum(axis=-1) - (density * x).sum(axis=-1) ** 2
    of_continuous = _information(vae, keras.ops.convert_to_tensor(outputs))
    np.testing.assert_allclose(of_continuous, variance, rtol=1e-3)


def test_a_convolutional_decoder_without_xla_has_a_posterior_too(digits, rng):
    vae = VAE(conv_encoder(3), conv_decoder(3), 1.0, seed=0)
    vae.compile(jit_compile=False)
    found = near_posterior(vae, digits.test_images[:2], np.zeros((2, 3)), rng)
    assert np.isfinite(found.root).all()
    assert np.isfinite(found.mean).all()
    h = 0.01  # J' F J by finite differences of the outputs
    points = np.concatenate([h * np.eye(3), -h * np.eye(3), np.zeros((1, 3))]).astype("float32")
    outputs = np.asarray(vae.decoder(points), float).reshape(7, -1)
    jacobian, p = (outputs[:3] - outputs[3:6]) / (2 * h), 1 / (1 + np.exp(-outputs[6]))
    precision = np.eye(3) + (jacobian * p * (1 - p)) @ jacobian.T
    np.testing.assert_allclose(found.root[0] @ found.root[0].T, np.linalg.inv(precision), rtol=0.02, atol=1e-3)


@pytest.mark.parametrize("name", ["continuous_bernoulli", "gaussian_learned_variance"])
def test_every_likelihood_has_finite_posteriors_in_many_dimensions(digits, rng, name):
    vae = reference_vae(1.0, seed=0, hidden_units=8, likelihood=likelihood_of(name, 1.0), latent_dim=6)
    found = near_posterior(vae, digits.test_images[:4], rng.normal(size=(4, 6)), rng)
    assert np.isfinite(found.mean).all()
    assert np.isfinite(found.root).all()
