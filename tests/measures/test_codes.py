import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from vae_core.latent import encode
from vae_core.measures import codes
from vae_core.models import reference_vae
from vae_core.training import train


@pytest.fixture
def posteriors(rng):
    """Means spread wider than the prior, deviations that differ from image to image and dimension to dimension."""
    return rng.normal(size=(400, 2)) * [2.0, 0.7] + [1.0, 0.0], rng.normal(size=(400, 2)) - 2


def rate_of(mean, log_var):
    return 0.5 * (np.exp(log_var) + mean**2 - 1 - log_var).sum(axis=1).mean()


def test_information_and_mismatch_add_up_to_the_rate(posteriors):
    split = codes.rate_split(*posteriors, samples=50)
    assert split["mutual_information"] + split["marginal_kl"] == pytest.approx(rate_of(*posteriors), rel=0.01)
    assert 0 < split["mutual_information"] < np.log(400)
    assert split["marginal_kl"] > 0


def test_linear_gaussian_codes_have_the_information_of_a_gaussian_channel(rng):
    """z = a x + s noise with x of N(0, I): I = 1/2 log(1 + a^2 / s^2) per dimension, and q(z) = N(0, a^2 + s^2)."""
    a, s = np.array([1.5, 0.4]), np.array([0.5, 0.8])
    mean = rng.normal(size=(4000, 2)) * a
    split = codes.rate_split(mean, np.broadcast_to(2 * np.log(s), mean.shape), samples=4, seed=1)
    variance = a**2 + s**2
    assert split["mutual_information"] == pytest.approx(0.5 * np.log(variance / s**2).sum(), abs=0.05)
    assert split["marginal_kl"] == pytest.approx(0.5 * (variance - 1 - np.log(variance)).sum(), abs=0.05)
    assert split["mutual_information_se"] < 0.05


@pytest.mark.parametrize("latent_dim", [10, 32])
def test_information_in_many_dimensions_is_that_of_a_gaussian_channel_where_it_is_well_below_log_n(rng, latent_dim):
    """The same in more dimensions: 2 nats in all of them together, and ln N = 8.3."""
    s2 = 1 / (np.exp(2 * 2 / latent_dim) - 1)  # I = latent_dim / 2 log(1 + 1 / s2) = 2
    mean = rng.normal(size=(4000, latent_dim))
    split = codes.rate_split(mean, np.full_like(mean, np.log(s2)), seed=1)
    assert split["mutual_information"] == pytest.approx(2, abs=0.1)
    expected = 0.5 * latent_dim * (s2 - np.log(1 + s2))  # q(z) = N(0, 1 + s2)
    assert split["marginal_kl"] == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize("latent_dim", [10, 32])
def test_no_more_information_than_log_n_is_seen(rng, latent_dim):
    mean = rng.normal(size=(1000, latent_dim))
    log_var = np.full_like(mean, -4.0)
    split = codes.rate_split(mean, log_var, seed=1)
    assert split["mutual_information"] == pytest.approx(np.log(1000), abs=0.01)  # of 20 and of 65 nats
    rate = 0.5 * (np.exp(log_var) + mean**2 - 1 - log_var).sum(axis=1).mean()
    assert split["mutual_information"] + split["marginal_kl"] == pytest.approx(rate, rel=0.01)


def test_images_that_never_overlap_are_told_apart_with_log_n_nats():
    mean = np.stack([np.arange(64) * 100.0, np.zeros(64)], axis=1)
    split = codes.rate_split(mean, np.zeros_like(mean))
    assert split["mutual_information"] == pytest.approx(np.log(64))
    assert split["mutual_information_se"] == pytest.approx(0, abs=1e-6)


def test_a_degenerate_encoder_tells_nothing_and_pays_for_its_place():
    mean, log_var = np.full((50, 2), 3.0), np.zeros((50, 2))
    split = codes.rate_split(mean, log_var, samples=400)
    assert split["mutual_information"] == pytest.approx(0, abs=1e-9)
    assert split["marginal_kl"] == pytest.approx(9, abs=5 * 3 * np.sqrt(2 / 20_000))
    counted = {"active_units": 0, "active_directions": 0}
    assert codes.dimensions(mean, log_var) == {"rate_z0": 4.5, "rate_z1": 4.5, **counted}


def test_aggregate_posterior_against_scipy_in_blocks_too(posteriors, rng, monkeypatch):
    mean, log_var = posteriors
    z = rng.normal(size=(30, 2)) * 3
    one_by_one = [
        multivariate_normal(m, np.diag(np.exp(v))).logpdf(z) for m, v in zip(mean, log_var, strict=True)
    ]  # 400 of (30,)
    expected = logsumexp(one_by_one, axis=0) - np.log(400)
    np.testing.assert_allclose(codes.log_aggregate_posterior(z, mean, log_var), expected)
    monkeypatch.setattr(codes, "BLOCK", 3000)
    np.testing.assert_allclose(codes.log_aggregate_posterior(z, mean, log_var), expected)


@pytest.mark.parametrize("narrow", [(), (1,), (0, 3, 4)])
def test_a_matrix_product_gives_the_same_density_and_leaves_out_what_it_would_round(rng, monkeypatch, narrow):
    mean, log_var = 5 + rng.normal(size=(200, 5)), rng.normal(size=(200, 5))
    log_var[:, narrow] = -60  # deviations of 1e-13
    z = mean[:60] + np.exp(log_var[:60] / 2) * rng.normal(size=(60, 5))
    product = codes.log_aggregate_posterior(z, mean, log_var)
    monkeypatch.setattr(codes, "EXPANDED", 0)  # every dimension by itself
    np.testing.assert_allclose(product, codes.log_aggregate_posterior(z, mean, log_var), atol=1e-9)
    one_by_one = [codes.log_normal(z, m, v) for m, v in zip(mean, log_var, strict=True)]
    np.testing.assert_allclose(product, logsumexp(one_by_one, axis=0) - np.log(200), atol=1e-9)


def test_codes_far_outside_the_prior_with_tiny_deviations_lose_no_precision():
    mean = np.array([[60.0, -40.0], [60.0, -40.001]], np.float32)
    log_var = np.full((2, 2), -20, np.float32)
    split = codes.rate_split(mean, log_var, samples=200)
    assert split["mutual_information"] == pytest.approx(np.log(2))
    assert split["mutual_information"] + split["marginal_kl"] == pytest.approx(rate_of(mean, log_var), rel=1e-3)


def test_a_direction_across_two_dimensions_makes_two_active_units_and_a_rotation_changes_no_direction(rng):
    mean = rng.normal(size=(10_000, 3)) * [0.3, 0.05, 0.05]
    quarter = np.array([[1, 1, 0], [-1, 1, 0], [0, 0, np.sqrt(2)]]) / np.sqrt(2)
    assert (codes.active_units(mean), codes.active_directions(mean)) == (1, 1)
    assert (codes.active_units(mean @ quarter), codes.active_directions(mean @ quarter)) == (2, 1)
    assert codes.active_directions(mean[:, :1]) == 1


def test_active_units_counts_dimensions_whose_means_vary(rng):
    spread = np.array([1.0, 0.2, 0.05, 0.0])  # variances 1, 0.04, 0.0025, 0
    assert codes.active_units(rng.normal(size=(10_000, 4)) * spread + 7) == 2


def test_rates_of_the_dimensions_add_up_to_the_rate(posteriors):
    measured = codes.dimensions(*posteriors)
    assert measured["rate_z0"] + measured["rate_z1"] == pytest.approx(rate_of(*posteriors))
    assert measured["rate_z0"] > measured["rate_z1"]


def test_moments_are_those_of_draws(posteriors, rng):
    mean, log_var = posteriors
    draws = (mean + np.exp(log_var / 2) * rng.normal(size=(2000, 400, 2))).reshape(-1, 2)
    measured = codes.moments(mean, log_var)
    covariance = np.cov(draws, rowvar=False)
    for name, expected in {
        "code_mean_z0": draws[:, 0].mean(),
        "code_cov_z0z0": covariance[0, 0],
        "code_cov_z0z1": covariance[0, 1],
        "code_cov_z1z1": covariance[1, 1],
        "draw_spread": np.sqrt(np.mean(draws**2)),
        "mean_spread": np.sqrt(np.mean(mean**2)),
    }.items():
        assert measured[name] == pytest.approx(expected, rel=0.02, abs=0.01), name


def test_moment_kl_is_the_kl_of_a_gaussian_and_no_more_than_the_marginal_kl(posteriors, rng):
    m = codes.moments(np.full((10, 2), [2.0, 0.0]), np.full((10, 2), [np.log(4.0), 0.0]))
    assert m["moment_kl"] == pytest.approx(0.5 * (4 + 4 - 1 - np.log(4)))
    split = codes.rate_split(*posteriors, samples=50)
    assert 0 < codes.moments(*posteriors)["moment_kl"] < split["marginal_kl"] + 3 * split["marginal_kl_se"]
    # A ring is spread like the prior in its moments, and far from it in shape.
    angle = rng.uniform(0, 2 * np.pi, 5000)
    ring = np.sqrt(2) * np.stack([np.cos(angle), np.sin(angle)], axis=1), np.full((5000, 2), -6.0)
    assert codes.moments(*ring)["moment_kl"] < 0.01
    assert codes.rate_split(*ring)["marginal_kl"] > 0.5


@pytest.mark.parametrize(("latent_dim", "columns"), [(10, 55), (11, 11), (128, 128)])
def test_covariances_of_many_dimensions_are_told_on_the_diagonal_alone(rng, latent_dim, columns):
    mean = rng.normal(size=(300, latent_dim))
    measured = codes.moments(mean, np.full_like(mean, -2))
    assert sum(name.startswith("code_cov_") for name in measured) == columns
    assert measured["code_cov_z3z3"] == pytest.approx(mean[:, 3].var() + np.exp(-2))
    covariance = np.cov(mean, rowvar=False, ddof=0) + np.exp(-2) * np.eye(latent_dim)
    m = mean.mean(axis=0)
    expected = 0.5 * (np.trace(covariance) + m @ m - latent_dim - np.log(np.linalg.eigvalsh(covariance)).sum())
    assert measured["moment_kl"] == pytest.approx(expected)


def test_constant_and_repeated_codes_without_noise_leave_all_measures_finite(rng):
    """Dead units, two units that are one, and deviations that underflow."""
    mean = rng.normal(size=(100, 6)).astype("float32")
    mean[:, 1], mean[:, 2], mean[:, 3] = 0, 4, mean[:, 0]
    log_var = np.zeros_like(mean)
    log_var[:, 2:4] = log_var[:, 0] = -1000
    with np.errstate(invalid="raise", divide="raise", over="ignore"):
        measured = codes.measure_codes(mean, log_var, np.full(100, -1), mean, np.full(100, -1))
    assert np.isfinite(list(measured.values())).all()
    assert measured["active_units"] == 4
    assert measured["moment_kl"] > 50
    assert "knn_accuracy" not in measured
    still = np.zeros((100, 3), "float32")
    nothing = codes.measure_codes(still, still, np.full(100, -1), still, np.full(100, -1))
    assert nothing["moment_kl"] == pytest.approx(0, abs=1e-9)
    assert nothing["mutual_information"] == pytest.approx(0, abs=1e-9)


def test_neighbours_tell_classes_that_lie_apart_and_guess_where_they_do_not(rng):
    labels = np.arange(1000) % 10
    apart = np.stack([labels * 10.0, np.zeros(1000)], axis=1) + rng.normal(size=(1000, 2))
    measured = codes.knn_accuracy(apart[:500], labels[:500], apart[500:], labels[500:])
    assert measured["knn_accuracy"] > 0.99
    mixed = rng.normal(size=(1000, 2))
    measured = codes.knn_accuracy(mixed[:500], labels[:500], mixed[500:], labels[500:])
    assert measured["knn_accuracy"] == pytest.approx(0.1, abs=0.06)
    p = measured["knn_accuracy"]
    assert measured["knn_accuracy_se"] == pytest.approx(np.sqrt(p * (1 - p) / 499))


@pytest.mark.slow
def test_log_variances_beyond_single_precision_leave_all_measures_finite(digits):
    """A run with these settings was lost, since its information was NaN."""
    vae = reference_vae(0.02, seed=0, learning_rate=0.03)
    train(vae, digits, epochs=10, batch_size=128, seed=0)
    mean, log_var = encode(vae, digits.test_images)
    assert log_var.min() < -88.7  # where exp(-log_var) overflows
    measured = codes.measure_codes(mean, log_var, digits.test_labels, mean, digits.test_labels)
    assert np.isfinite(list(measured.values())).all()
    assert measured["mutual_information"] == pytest.approx(np.log(len(mean)), abs=0.01)
    rate = measured["rate_z0"] + measured["rate_z1"]
    assert measured["mutual_information"] + measured["marginal_kl"] == pytest.approx(rate, abs=1)  # draws are rounded


def test_density_of_a_normal_far_narrower_than_single_precision_holds():
    log_var = np.array([[-300.0, -20.0]], np.float32)
    z = np.array([[np.exp(-150.0), 1.0]])
    expected = 0.5 * (320 - 1) - 0.5 * np.exp(20.0) - np.log(2 * np.pi)
    assert codes.log_normal(z, np.zeros((1, 2), np.float32), log_var) == pytest.approx(expected)


def test_a_unit_whose_means_are_far_from_the_origin_is_not_active_by_rounding(rng):
    mean = (20_000 + 0.01 * rng.normal(size=(50_000, 2))).astype(np.float32)
    assert codes.active_units(mean) == 0
