"""The law of collapse against closed forms, known numbers, and models that are trained on both sides of it."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import quad

from vae_core.collapse.law import collapse_weights, predicted, rare_pixels, units_alive
from vae_core.collapse.moments import LargeImages, Moments, moments, moments_of
from vae_core.collapse.pixels import continuous_bernoulli_variance, pixel_variance
from vae_core.data import DataNotAvailable, load_dataset
from vae_core.errors import InputError
from vae_core.likelihoods import likelihood_of
from vae_core.runs import PROJECT

BERNOULLI, GAUSSIAN = pixel_variance("bernoulli"), pixel_variance("gaussian")


@pytest.fixture
def fashion_mnist():
    try:
        return load_dataset("fashion_mnist")
    except DataNotAvailable as error:
        pytest.skip(f"real Fashion-MNIST was not tested: {error}")


@pytest.fixture
def grey(rng):
    """Images of 3 x 2 pixels that depend on two numbers of each image."""
    shown = rng.normal(size=(400, 2)) @ rng.normal(size=(2, 6))
    return (1 / (1 + np.exp(-shown - 1))).reshape(400, 3, 2, 1).astype("float32")


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


def test_pixels_that_never_vary_and_rare_ones_are_left_out():
    found = Moments(np.array([0.5, 0.0, 0.005, 0.995]), np.diag([0.2, 0.0, 0.002, 0.001]))
    assert collapse_weights(found, BERNOULLI) == pytest.approx([0.8, 0.002 / 0.004975, 0.001 / 0.004975, 0])
    assert collapse_weights(found, BERNOULLI, rarest=0.01) == pytest.approx([0.8, 0, 0, 0])
    assert rare_pixels(found, 0.01).tolist() == [False, False, True, True]
    assert not rare_pixels(found, 0).any()


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


def test_the_weights_of_digits_are_those_that_were_computed_independently(digits):
    expected = [31.58, 30.25, 27.11, 15.97, 12.10, 10.17, 9.04, 7.42, 6.88, 6.54, 5.80, 4.52]
    assert predicted(digits, {}, 12) == pytest.approx(expected, abs=0.006)


def test_the_weights_of_mnist_are_those_that_were_computed_independently(mnist):
    found = moments(mnist.train_images)
    expected = [32.25, 22.83, 20.99, 16.17, 14.11, 12.24, 10.61, 9.64]
    assert collapse_weights(found, BERNOULLI, count=8) == pytest.approx(expected, abs=0.006)
    rarest = (1 - np.sqrt(1 - 4 * 0.01)) / 2  # where p (1 - p) is 0.01
    assert collapse_weights(found, BERNOULLI, rarest, count=3) == pytest.approx([32.11, 22.07, 20.46], abs=0.006)
    assert rare_pixel_rows()["MNIST"] == rare_pixel_row(found)


@pytest.mark.slow
def test_the_weights_of_fashion_mnist_are_those_that_were_computed_independently(fashion_mnist):
    found = moments(fashion_mnist.train_images)
    expected = [90.68, 64.10, 23.49, 19.65, 18.09, 12.90]
    assert collapse_weights(found, BERNOULLI, count=6) == pytest.approx(expected, abs=0.006)
    assert rare_pixel_rows()["Fashion-MNIST"] == rare_pixel_row(found)


def rare_pixel_rows():
    """The table of docs/collapse.md: data set -> cells."""
    page = (PROJECT / "docs" / "collapse.md").read_text()
    rows = [line.strip("| ").split(" | ") for line in page.splitlines() if "MNIST |" in line]
    return {name: cells for name, *cells in rows}


def rare_pixel_row(found):
    """First two weights of Bernoulli pixels, then the first of continuous ones: of all, and without rare pixels."""
    rarest, continuous = (0.0, 1e-3, 1e-2), pixel_variance("continuous_bernoulli")
    grey = [", ".join(f"{weight:.2f}" for weight in collapse_weights(found, BERNOULLI, rare, 2)) for rare in rarest]
    return grey + [f"{collapse_weights(found, continuous, rare, 1)[0]:,.0f}" for rare in rarest]


@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian_learned_variance"])
def test_enlarged_images_have_weights_as_many_times_as_large_as_pixels_are_repeated(digits, likelihood):
    """Also where the images are so large that no covariance is kept. A variance that is learned stays what it was."""
    enlarged = replace(digits, train_images=digits.train_images.repeat(2, axis=1).repeat(2, axis=2))
    assert isinstance(moments_of(enlarged), LargeImages)
    settings = {"likelihood": likelihood, "pixel_variance": 1.0}
    assert predicted(enlarged, settings, 10) == pytest.approx(4 * predicted(digits, settings, 10), rel=1e-4)


def test_another_likelihood_is_refused():
    with pytest.raises(InputError, match=r"likelihood must be one of bernoulli, .*, not 'poisson'"):
        pixel_variance("poisson")


def test_it_loads_no_keras():
    code = "import sys; import vae_core.collapse.law; sys.exit('keras' in sys.modules or 'tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
