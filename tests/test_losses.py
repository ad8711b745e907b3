import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from vae_core.losses import free_bits_rate, kl_divergence, rate_per_dimension, target_rate_term, weighted_rate


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


RATES = np.array([[0.2, 1.0, 0.0], [0.6, 3.0, 0.1]])  # means over the images: 0.4, 2, 0.05


def gradient(function, values):
    """Of the mean over the images with respect to each value, by differences; far from kinks it is exact."""
    slopes = np.zeros_like(values)
    for place in np.ndindex(values.shape):
        step = np.zeros_like(values)
        step[place] = 1e-3
        ends = [np.mean(np.asarray(function(values + sign * step), np.float64)) for sign in (1, -1)]
        slopes[place] = (ends[0] - ends[1]) / 2e-3
    return slopes


def test_free_bits_charge_the_mean_rate_of_a_dimension_only_where_it_is_above_them():
    charged = np.asarray(free_bits_rate(RATES, kl_weight=2.0, free_bits=0.5))
    assert charged == pytest.approx([2 * (0.5 + 1.0 + 0.5), 2 * (0.5 + 3.0 + 0.5)])
    assert charged.mean() == pytest.approx(2 * np.maximum(RATES.mean(axis=0), 0.5).sum())


def test_free_bits_push_down_only_dimensions_above_them():
    slopes = gradient(lambda rates: free_bits_rate(rates, 2.0, 0.5), RATES)
    assert slopes == pytest.approx(np.array([[0, 1, 0], [0, 1, 0]]), abs=1e-3)  # 2 / two images


def test_no_free_bits_are_the_weighted_rate():
    assert np.asarray(free_bits_rate(RATES, 2.0, 0.0)) == pytest.approx(np.asarray(weighted_rate(RATES, 2.0)))


@pytest.mark.parametrize(("target", "cost"), [(1.0, 3 * 1.45), (2.45, 0.0), (4.0, 3 * 1.55)])
def test_a_target_rate_costs_the_distance_of_the_mean_rate_from_it(target, cost):
    charged = np.asarray(target_rate_term(RATES, kl_weight=3.0, target=target))  # the rates of the images: 1.2 and 3.7
    assert charged.shape == (2,)
    assert charged.mean() == pytest.approx(cost, abs=1e-6)


@pytest.mark.parametrize(("target", "slope"), [(1.0, 1.5), (4.0, -1.5)])
def test_a_target_rate_pulls_every_image_the_same_way(target, slope):
    slopes = gradient(lambda rates: target_rate_term(rates, 3.0, target), RATES)
    assert slopes == pytest.approx(np.full((2, 3), slope), abs=1e-3)  # 3 / two images
