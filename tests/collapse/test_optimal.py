"""Exact optima against the closed form of the linear VAE, a brute-force search, and the objective itself."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import norm

from tests.collapse.brute import binary_entropies, few_images, in_shape, objective
from vae_core.collapse.law import collapse_weights
from vae_core.collapse.moments import moments
from vae_core.collapse.near import near_threshold
from vae_core.collapse.optimal import (
    Codes,
    Grid,
    _Decoder,
    centred,
    collapsed,
    corrected_weights,
    first_codes,
    last_weight,
    next_unit,
    optima,
    optimum,
)
from vae_core.collapse.pixels import pixel_variance, pixels_of
from vae_core.runs import PROJECT

BERNOULLI, GAUSSIAN = pixels_of("bernoulli"), pixels_of("gaussian", 0.5)


@pytest.fixture(scope="module")
def gaussian():
    """Images of three pixels, Gaussian along two directions, with eigenvalues 8 and 4 at variance 0.5."""
    normal = norm.ppf((np.arange(60) + 0.5) / 60)
    normal /= normal.std()
    codes = np.stack([axis.ravel() for axis in np.meshgrid(2 * normal, np.sqrt(2) * normal)], axis=1)
    turn = np.linalg.qr(np.array([[1.0, 2, 3], [0, 1, 4], [5, 6, 0]]))[0][:2]
    return centred(in_shape(codes @ turn + 0.5), GAUSSIAN)


@pytest.fixture(scope="module")
def few():
    return centred(in_shape(few_images()), BERNOULLI)


@pytest.fixture(scope="module")
def living(few):
    """The first unit well below its weight, which is 1.357."""
    return optimum(few, 1.1, first_codes(few))


def test_gaussian_images_have_the_optimum_of_the_linear_vae(gaussian):
    codes = first_codes(gaussian)
    for found in optima(gaussian, [5.0, 6.0, 7.6], codes):
        assert found.rate == pytest.approx(0.5 * np.log(8 / found.kl_weight), rel=0.01)
        assert found.gain == pytest.approx((8 - found.kl_weight) / 2, rel=0.01)
        assert found.codes.means.var() == pytest.approx(1 - found.kl_weight / 8, rel=0.01)
    assert optimum(gaussian, 8.5, codes).rate == pytest.approx(0, abs=1e-4)


def test_the_grid_gets_as_fine_as_narrow_codes_need():
    normal = norm.ppf((np.arange(400) + 0.5) / 400)
    one = centred(in_shape(np.outer(normal / normal.std(), [1.2, 1.6])), GAUSSIAN)  # eigenvalue 8, and no other
    found = optimum(one, 0.4, first_codes(one))  # deviations of sqrt(1 / 20)
    assert found.grid.step < 0.35
    assert found.rate == pytest.approx(0.5 * np.log(20), rel=0.01)


def test_the_second_unit_of_gaussian_images_dies_at_the_second_eigenvalue(gaussian):
    assert next_unit(gaussian, collapsed(gaussian, 5.0))[0] == pytest.approx(8, rel=1e-3)
    assert corrected_weights(gaussian, [8.0, 3.7]) == pytest.approx([8, 4], rel=0.01)
    assert corrected_weights(gaussian, [8.0, 4.3]) == pytest.approx([8, 4], rel=0.01)


def test_the_second_weight_of_digits_is_that_of_an_independent_program_and_of_the_page(digits):
    images = centred(digits.train_images, BERNOULLI)
    assert corrected_weights(images, [31.583, 30.247])[1] == pytest.approx(29.968, abs=0.02)
    assert "dies at 29.97 beside the best first unit, and at 30.25" in (PROJECT / "docs" / "collapse.md").read_text()


def test_a_unit_that_no_weight_lets_live_has_none():
    """Numbers along one direction have no second eigenvalue, wherever one looks for it."""
    codes = first_codes(one := centred(in_shape(np.outer(norm.ppf((np.arange(40) + 0.5) / 40), [1.2, 1.6])), GAUSSIAN))
    assert next_unit(one, optimum(one, 4.0, codes))[0] < 4
    assert np.isnan(corrected_weights(one, [8.0, 4.0])[1])


def test_a_turn_of_the_unit_that_there_is_costs(gaussian):
    """Its eigenvalue in the linear Gaussian case is c^2 / L. At c = 6.4 that is more than the second eigenvalue."""
    found = optimum(gaussian, 6.4, first_codes(gaussian))
    weight, direction = next_unit(gaussian, found)
    assert weight == pytest.approx(6.4**2 / 8, rel=0.01)
    assert abs(np.corrcoef(direction, found.codes.means[:, 0])[0, 1]) == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("kl_weight", [1.1, 1.4])
def test_brute_force_finds_the_same_optimum(few, kl_weight):
    """Below the first eigenvalue, and above it, where the code of these images lives on."""
    images, number = few_images(), 14

    def value(free):
        return 100 * objective(images, kl_weight, free[:number], np.exp(2 * free[number:]))

    found = optimum(few, kl_weight, optimum(few, 1.1, first_codes(few)).codes)
    codes = np.concatenate([found.codes.means[:, 0], found.codes.log_deviations[:, 0]])
    best = min(
        minimize(value, start, method="BFGS", options={"gtol": 1e-4}).fun / 100
        for start in (0.5 * codes, codes + 0.3, np.random.default_rng(0).normal(size=2 * number) / 3)
    )
    assert best < -1e-3
    assert found.objective == pytest.approx(best, rel=1e-3)


def test_no_other_decoder_is_better(few, living, rng):
    """The gain is what the codes' log p(x|z) says, and any other decoder says less."""
    z, codes = living.grid.points[:, 0], living.codes
    q = norm.pdf(z, codes.means, np.exp(codes.log_deviations)) * living.grid.volume  # (N, points)
    drawn = few.mean + living.changes
    images = few.shown + few.mean

    def log_density(decoder):
        return np.sum(q * (images @ np.log(decoder).T + (1 - images) @ np.log(1 - decoder).T)) / len(images)

    assert log_density(drawn) == pytest.approx(living.gain - binary_entropies(few.mean), rel=1e-4)
    for _ in range(5):
        other = np.clip(drawn + 0.01 * rng.normal(size=drawn.shape), 1e-3, 1 - 1e-3)
        assert log_density(other) < log_density(drawn)


@pytest.mark.parametrize("units", [1, 2])
def test_the_gradient_is_that_of_the_gain(few, rng, units):
    codes = Codes(rng.normal(size=(14, units)), 0.2 * rng.normal(size=(14, units)) - 0.2)
    grid = Grid.of(codes)
    by_means, by_log_deviations = _Decoder(few, codes, grid).gradient()
    means, log_deviations = rng.normal(size=(2, 14, units))
    ends = [
        _Decoder(few, Codes(codes.means + step * means, codes.log_deviations + step * log_deviations), grid).gain
        for step in (0.005, -0.005)
    ]
    slope = (np.sum(by_means * means) + np.sum(by_log_deviations * log_deviations)) / 14
    assert (ends[0] - ends[1]) / 0.01 == pytest.approx(slope, rel=5e-3)


def test_the_next_unit_pays_below_its_weight_alone(few, living):
    """The second order is that of the objective with a second unit, along the eigenvector and along any direction."""
    weight, direction = next_unit(few, living)
    q = norm.pdf(living.grid.points[:, 0], living.codes.means, np.exp(living.codes.log_deviations))
    drawn = few.mean + living.changes
    beside = few.shown[:, None] - living.changes  # (N, points, pixels)
    products = np.einsum(
        "ip,jp,ipx,jpx,px->ij", q, q, beside, beside, 1 / (q.sum(axis=0)[:, None] * drawn * (1 - drawn))
    )
    products *= living.grid.volume
    assert weight == pytest.approx(np.linalg.eigvalsh(products)[-1], rel=1e-3)

    for n in (direction, np.random.default_rng(1).normal(size=14)):
        n = 0.15 * n / np.sqrt(np.mean(n**2))
        two = Codes(np.column_stack([living.codes.means, n]), np.column_stack([living.codes.log_deviations, 0 * n]))
        one = Codes(two.means * [1, 0], two.log_deviations)
        grid = Grid.of(two)
        gained = _Decoder(few, two, grid).gain - _Decoder(few, one, grid).gain
        assert gained == pytest.approx(n @ products @ n / 28, rel=0.05)


def test_the_last_weight_is_where_a_code_is_as_good_as_none(few, living):
    last = last_weight(few, living)
    first = collapse_weights(moments(in_shape(few_images())), pixel_variance("bernoulli"))[0]
    assert last > 1.01 * first
    below, above = optima(few, [0.995 * last, 1.005 * last], living.codes)
    assert below.objective < 0
    assert above.objective > below.objective / 2
    assert above.objective == pytest.approx(0, abs=1e-5) or above.objective > 0


def test_the_rate_is_the_slope_of_the_objective(few, living):
    """And near theory is where the optimum goes: without the cubic term, rate (L/c - 1) / (2 k)."""
    images = np.concatenate([few_images(), 1 - few_images()])  # as many of each colour: no cubic term
    found = near_threshold(in_shape(images), BERNOULLI)
    assert found.cubic == pytest.approx(0, abs=1e-6)
    symmetric = centred(in_shape(images), BERNOULLI)
    weights = found.weight * np.array([0.96, 0.97, 0.98])
    low, middle, high = optima(symmetric, weights, first_codes(symmetric))
    assert (high.objective - low.objective) / (weights[2] - weights[0]) == pytest.approx(middle.rate, rel=0.02)
    assert middle.rate == pytest.approx((1 / 0.97 - 1) / (2 * found.k), rel=0.1)
