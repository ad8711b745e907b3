import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from vae_core.losses import kl_divergence, rate_per_dimension, weighted_rate


def test_kl_of_two_shifted_unit_gaussians_is_one():
    assert np.asarray(kl_divergence(np.ones((1, 2)), np.zeros((1, 2)))) == pytest.approx([1.0])


def test_kl_of_the_prior_is_zero():
    assert np.asarray(kl_divergence(np.zeros((3, 5)), np.zeros((3, 5)))) == pytest.approx([0, 0, 0])


@pytest.mark.parametrize(("mean", "deviation"), [(0.0, 0.3), (1.7, 1.0), (-2.0, 2.5)])
def test_kl_equals_its_integral(mean, deviation):
    def integrand(z):
        return norm.pdf(z, mean, deviation) * (norm.logpdf(z, mean, deviation) - norm.logpdf(z))

    integral, _ = quad(integrand, mean - 12 * deviation, mean + 12 * deviation)
    formula = np.asarray(kl_divergence(np.array([[mean]]), np.array([[2 * np.log(deviation)]])))
    assert formula == pytest.approx([integral], rel=1e-5)


def test_kl_sums_over_dimensions_and_not_over_the_batch(rng):
    mean, log_var = rng.normal(size=(4, 3)), rng.normal(size=(4, 3))
    by_hand = [
        sum(0.5 * (np.exp(v) + m * m - 1 - v) for m, v in zip(*row, strict=True))
        for row in zip(mean, log_var, strict=True)
    ]
    assert np.asarray(kl_divergence(mean, log_var)) == pytest.approx(by_hand, rel=1e-5)


def test_what_is_charged_is_the_weighted_sum_of_the_rates_of_the_dimensions(rng):
    mean, log_var = rng.normal(size=(4, 3)), rng.normal(size=(4, 3))
    rates = rate_per_dimension(mean, log_var)
    assert rates.shape == (4, 3)
    charged = np.asarray(weighted_rate(rates, 2.5))
    assert charged == pytest.approx(2.5 * np.asarray(kl_divergence(mean, log_var)), rel=1e-5)
