"""The objective near collapse, against the closed form and against the objective itself by quadrature."""

import numpy as np
import pytest
from scipy.optimize import minimize

from tests.collapse.brute import few_images, in_shape, objective
from vae_core.collapse.moments import MOST_PIXELS
from vae_core.collapse.near import NearThreshold, near_threshold, rate_below
from vae_core.collapse.pixels import pixels_of
from vae_core.dataset import ByteImages
from vae_core.errors import InputError

BERNOULLI = pixels_of("bernoulli")


def test_gaussian_images_have_the_rate_of_the_linear_vae():
    """Numbers with the moments of a Gaussian up to the fifth; along the eigenvalue 3 / v, k is 1 whatever the rest."""
    one = np.sqrt(3) * np.array([-1, 0, 0, 0, 0, 1])
    turn = np.linalg.qr(np.array([[1.0, 2, 3], [0, 1, 4], [5, 6, 0]]))[0]
    codes = np.stack([axis.ravel() for axis in np.meshgrid(one, one, one)], axis=1)
    found = near_threshold(in_shape((codes * np.sqrt([3, 2, 1])) @ turn + 0.5), pixels_of("gaussian", 0.5))
    assert (found.weight, found.second) == pytest.approx((6, 4))
    assert found.cubic == pytest.approx(0, abs=1e-9)
    assert (found.quartic_mean / 6, found.quartic_mixed / 6, found.quartic_variance / 6) == pytest.approx(
        (1 / 4, 1, 1 / 4)
    )
    assert found.k == pytest.approx(1)
    assert found.last_weight == pytest.approx(6)
    assert found.window == pytest.approx((0, 2))
    for share in (0.99, 0.999):
        exact = 0.5 * np.log(1 / share)
        assert rate_below(share * 6, 6, found.k) == pytest.approx(exact, rel=1 - share)
    assert rate_below(6.1, 6, 1) == 0


@pytest.fixture
def few():
    return few_images()


def least(images, kl_weight, eps, eta):
    """The least objective of codes whose means and variances go along t by eps and eta, and as they like beside it."""
    number = len(images)
    mean = images.mean(axis=0)
    y = (images - mean) / np.sqrt(mean * (1 - mean))
    t = y @ np.linalg.eigh(y.T @ y)[1][:, -1]
    t *= np.sign(np.sum(t**3)) / np.sqrt(np.mean(t**2))
    beside = np.linalg.qr(np.column_stack([t, np.eye(number)[:, 1:]]))[0][:, 1:]

    def value(free):
        means, variances = eps * t + beside @ free[: number - 1], 1 + eta * t + beside @ free[number - 1 :]
        return 1e3 * objective(images, kl_weight, means, variances)

    return minimize(value, np.zeros(2 * number - 2), method="BFGS", options={"gtol": 1e-7}).fun / 1e3


def test_all_coefficients_are_those_of_the_objective_itself(few):
    found = near_threshold(in_shape(few), BERNOULLI)
    assert found.cubic > 0.2 and found.second < 0.5 * found.weight
    for eps, eta in ((0.03, 0.0), (0.0, 0.03), (0.02, 0.02)):
        there, back = (least(few, found.weight, eps, sign * eta) for sign in (1, -1))
        predicted = [found.objective(found.weight, eps, sign * eta) for sign in (1, -1)]
        assert there + back == pytest.approx(sum(predicted), rel=0.01)  # of fourth order
        assert there - back == pytest.approx(predicted[0] - predicted[1], rel=0.01, abs=1e-10)  # of third
    away = least(few, 1.1 * found.weight, 0.02, 0.01)
    assert away == pytest.approx(found.objective(1.1 * found.weight, 0.02, 0.01), rel=0.02)


def test_the_best_code_and_the_last_weight_are_those_of_the_objective():
    found = NearThreshold(
        weight=32.0, second=20.0, cubic=3.0, quartic_mean=5.0, quartic_mixed=20.0, quartic_variance=8.0
    )
    assert found.window == pytest.approx((3**2 / (20 - 5), 32 - 20))
    last = found.last_weight
    assert last > 32.05
    assert found.best(1.2 * last) == (0, 0)
    eps, eta = found.best(last * (1 + 1e-6))
    assert found.objective(last * (1 + 1e-6), eps, eta) >= 0
    for kl_weight in (31, 32, last * (1 - 1e-5)):
        eps, eta = found.best(kl_weight)
        there = found.objective(kl_weight, eps, eta)
        assert there < 0 and there <= found.objective(kl_weight, *np.mgrid[0:1:0.01, -1:1:0.01]).min()
        near = minimize(lambda at, c=kl_weight: 1e4 * found.objective(c, *at), (1.02 * eps, 0.98 * eta), tol=1e-12)
        assert near.fun / 1e4 == pytest.approx(there, rel=1e-2)


def test_a_fourth_order_without_an_end_says_so(few):
    found = near_threshold(in_shape(few), BERNOULLI)
    assert found.k < 0 and found.window[0] == np.inf
    assert found.last_weight == np.inf and found.best(found.weight) == (np.inf, np.inf)


def test_images_are_read_in_blocks_and_as_bytes(few, monkeypatch):
    images = ByteImages(np.round(255 * in_shape(few)).astype(np.uint8))
    whole = near_threshold(images, BERNOULLI)
    monkeypatch.setattr("vae_core.collapse.moments.BLOCK", 15)
    assert vars(near_threshold(images, BERNOULLI)) == pytest.approx(vars(whole))
    with_black = np.concatenate([in_shape(few), np.zeros((14, 2, 1, 1))], axis=1)
    assert vars(near_threshold(with_black, BERNOULLI)) == pytest.approx(vars(near_threshold(in_shape(few), BERNOULLI)))


def test_what_the_theory_is_not_for_is_said():
    with pytest.raises(InputError, match="bernoulli and gaussian, not for continuous_bernoulli"):
        pixels_of("continuous_bernoulli")
    with pytest.raises(InputError, match=f"{MOST_PIXELS:,} numbers at most"):
        near_threshold(np.zeros((3, 1, MOST_PIXELS + 1, 1)), BERNOULLI)
