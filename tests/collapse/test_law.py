"""The law of collapse against closed forms, known numbers, and models that are trained on both sides of it."""

import subprocess
import sys

import numpy as np
import pytest
from scipy.integrate import quad

from vae_core.collapse.law import collapse_weights, units_alive
from vae_core.collapse.moments import Moments, moments
from vae_core.collapse.pixels import continuous_bernoulli_variance, pixel_variance
from vae_core.dataset import ByteImages
from vae_core.errors import InputError
from vae_core.likelihoods import likelihood_of

BERNOULLI, GAUSSIAN = pixel_variance("bernoulli"), pixel_variance("gaussian")


@pytest.fixture
def grey(rng):
    """Images of 3 x 2 pixels that depend on two numbers of each image."""
    shown = rng.normal(size=(400, 2)) @ rng.normal(size=(2, 6))
    return (1 / (1 + np.exp(-shown - 1))).reshape(400, 3, 2, 1).astype("float32")


def test_moments_are_those_of_numpy_in_any_blocks(grey, monkeypatch):
    flat = grey.reshape(400, 6).astype(float)
    for block in (6 * 400, 6 * 7):
        monkeypatch.setattr("vae_core.collapse.moments.BLOCK", block)
        found = moments(grey)
        assert found.mean == pytest.approx(flat.mean(axis=0))
        assert found.covariance == pytest.approx(np.cov(flat.T, bias=True))
    in_bytes = ByteImages(np.round(255 * grey).astype(np.uint8))
    assert moments(in_bytes).covariance == pytest.approx(np.cov(flat.T, bias=True), abs=1e-3)


def test_black_and_white_images_have_the_eigenvalues_of_the_pixels_correlations(grey, rng):
    binary = (rng.random(grey.shape) < grey).astype("float32")
    found = collapse_weights(moments(binary), BERNOULLI)
    correlations = np.corrcoef(binary.reshape(400, 6).T)
    assert found == pytest.approx(np.linalg.eigvalsh(correlations)[::-1])


def test_gaussian_pixels_have_the_eigenvalues_of_the_covariance_by_the_variance(grey):
    covariance = np.cov(grey.reshape(400, 6).T.astype(float), bias=True)
    expected = np.linalg.eigvalsh(covariance)[::-1]
    assert collapse_weights(moments(grey), pixel_variance("gaussian", 0.25)) == pytest.approx(4 * expected)
    learned = collapse_weights(moments(grey), pixel_variance("gaussian_learned_variance"))
    assert learned == pytest.approx(expected * 6 / np.trace(covariance))
    assert learned.sum() == pytest.approx(6)


def test_tossed_images_have_the_moments_of_many_tosses(grey, rng):
    tosses = np.concatenate([rng.random(grey.shape) < grey for _ in range(200)]).astype("float32")
    expected, found = moments(tosses), moments(grey).tossed()
    assert found.mean == pytest.approx(expected.mean, abs=0.01)
    assert found.covariance == pytest.approx(expected.covariance, abs=0.005)


def test_pixels_that_never_vary_and_rare_ones_are_left_out():
    found = Moments(np.array([0.5, 0.0, 0.005, 0.995]), np.diag([0.2, 0.0, 0.002, 0.001]))
    assert collapse_weights(found, BERNOULLI) == pytest.approx([0.8, 0.002 / 0.004975, 0.001 / 0.004975, 0])
    assert collapse_weights(found, BERNOULLI, rarest=0.01) == pytest.approx([0.8, 0, 0, 0])


def test_units_live_below_their_weights_alone():
    weights = np.array([32.0, 20.0, 20.0, 5.0])
    assert [units_alive(weight, weights) for weight in (0, 4.9, 5, 19.9, 20, 31, 32, 99)] == [4, 4, 3, 3, 1, 1, 0, 0]
    assert units_alive(1, weights, latent_dim=2) == 2


def objective(images, likelihood, kl_weight, amount):
    """Of a linear encoder and a linear decoder of one unit along the first eigenvector, `amount` away from collapse.

    The decoder is the best one to first order. Everything else is that of the collapsed model: the outputs of the mean
    image, variances of 1. The expectation over q(z|x) is by quadrature.
    """
    flat = images.reshape(len(images), -1).astype(float)
    mean, found = flat.mean(axis=0), moments(images)
    variance = pixel_variance(*likelihood)(mean, np.diagonal(found.covariance))
    scale = 1 / np.sqrt(variance)
    values, vectors = np.linalg.eigh(found.covariance * np.outer(scale, scale))
    codes = amount * ((flat - mean) * scale) @ vectors[:, -1]  # (N,)
    object_ = likelihood_of(*likelihood)
    dtype = "float32" if likelihood[0] == "gaussian" else "float64"  # its constant is single precision
    base = object_.outputs(mean.reshape(1, *images.shape[1:])).astype(float)
    slope = sensitivity(object_, base)  # of a pixel's mean by its output
    direction = (amount * values[-1] * vectors[:, -1] / scale / slope.ravel()).reshape(base.shape)
    points, weights = np.polynomial.hermite_e.hermegauss(9)
    total = 0.5 * kl_weight * np.mean(codes**2)
    for point, weight in zip(points, weights / weights.sum(), strict=True):
        outputs = base + (codes + point)[:, None, None, None] * direction
        total += weight * np.mean(np.asarray(object_.nll(images.astype(dtype), outputs.astype(dtype)), np.float64))
    return total


def sensitivity(likelihood, outputs, step=1e-4):
    above, below = (np.asarray(likelihood.mean(outputs + sign * step), np.float64) for sign in (1, -1))
    return (above - below) / (2 * step)


@pytest.mark.parametrize("likelihood", [("bernoulli",), ("continuous_bernoulli",), ("gaussian", 0.1)])
def test_the_collapsed_state_is_unstable_just_below_the_first_weight_alone(grey, likelihood):
    """With the likelihoods that models are trained with, which know nothing of the law."""
    first = collapse_weights(moments(grey), pixel_variance(*likelihood))[0]
    collapsed = objective(grey, likelihood, first, 0.0)
    for share, sign in ((0.8, -1), (1.2, 1)):
        change = objective(grey, likelihood, share * first, 0.05 / np.sqrt(first)) - collapsed
        assert np.sign(change) == sign
        assert change == pytest.approx(0.5 * (share - 1) * first * 0.05**2, rel=0.3)


@pytest.mark.parametrize("mean", [1e-6, 0.003, 0.2, 0.4999, 0.5, 0.77, 0.999])
def test_the_variance_of_a_continuous_bernoulli_is_the_integral_of_its_density(mean):
    def density(x, parameter):
        return np.exp(parameter * (x - (parameter > 0)))

    def of(parameter, power, centre=0.0):
        ends = (0, min(1, 40 / abs(parameter))) if parameter < 0 else (max(0, 1 - 40 / max(abs(parameter), 1e-9)), 1)
        return quad(lambda x: (x - centre) ** power * density(x, parameter), *ends, epsabs=0, epsrel=1e-10)[0]

    low, high = -2e6, 2e6
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if of(middle, 1) / of(middle, 0) < mean else (low, middle)
    expected = of(low, 2, mean) / of(low, 0)
    assert continuous_bernoulli_variance(np.array([mean]))[0] == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("digits", [31.58, 30.25, 27.11, 15.97, 12.10, 10.17, 9.04, 7.42, 6.88, 6.54, 5.80, 4.52]),
        ("mnist", [32.25, 22.83, 20.99, 16.17, 14.11, 12.24, 10.61, 9.64]),
    ],
)
def test_the_weights_of_real_images_are_those_that_were_computed_independently(name, expected, request):
    found = collapse_weights(moments(request.getfixturevalue(name).train_images), BERNOULLI)
    assert found[: len(expected)] == pytest.approx(expected, abs=0.006)


def test_another_likelihood_is_refused():
    with pytest.raises(InputError, match=r"likelihood must be one of bernoulli, .*, not 'poisson'"):
        pixel_variance("poisson")


def test_it_loads_no_keras():
    code = "import sys; import vae_core.collapse.law; sys.exit('keras' in sys.modules or 'tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
