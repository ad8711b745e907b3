import keras
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import log_expit
from scipy.stats import multivariate_normal, norm

from tests.measures.linear import gaussian_images, linear_vae
from vae_core.latent import encode
from vae_core.measures import evidence, measure_bound, nll, nll_by_own_proposals, nll_by_quadrature
from vae_core.models import VAE, dense_encoder, reference_vae
from vae_core.training import train


@pytest.fixture(scope="module")
def trained(digits):
    """Two models of the digits, without and with the KL term."""
    vaes = {kl_weight: reference_vae(kl_weight, seed=0, hidden_units=64) for kl_weight in (0.0, 1.0)}
    for vae in vaes.values():
        train(vae, digits, epochs=25, batch_size=50, seed=0)
    return vaes


@pytest.mark.parametrize("kl_weight", [0.0, 1.0])
def test_importance_weighting_falls_towards_the_quadrature_which_is_below_the_bound(digits, trained, kl_weight):
    vae, images = trained[kl_weight], digits.test_images
    mean, log_var = encode(vae, images)
    exact = nll_by_quadrature(vae, images)
    above = np.mean(nll(vae, images, mean, log_var) - exact)
    # Without the KL term posteriors lie between the prior and the codes, where few proposals are.
    assert -0.1 < above < (0.1 if kl_weight else 5)
    assert np.mean(nll(vae, images, mean, log_var, proposals=2) - exact) > above  # an upper bound that falls
    measured = measure_bound(vae, digits, mean, log_var)
    assert measured["nll"] == pytest.approx(exact.mean(), abs=1e-3)
    assert measured["negative_elbo"] + measured["negative_elbo_se"] > measured["nll"]
    assert measured["nll_above_quadrature"] == pytest.approx(above, abs=4 * measured["nll_above_quadrature_se"])
    assert (measured["proposals"], measured["quadrature_change"] < 0.1) == (20_000, True)


@pytest.mark.slow
@pytest.mark.parametrize(("kl_weight", "epochs"), [(4.0, 1), (10.0, 2)])
def test_quadrature_covers_posteriors_that_lie_far_from_all_codes(digits, kl_weight, epochs):
    """A code that has not yet spread: over a window around it the sum was 3.4 nats too high."""
    vae = reference_vae(kl_weight, seed=0)
    train(vae, digits, epochs, batch_size=128, seed=0)
    mean, log_var = encode(vae, digits.test_images)
    measured = measure_bound(vae, digits, mean, log_var)
    limit = evidence.latent_limit(vae, digits.test_images)
    doubled = nll_by_quadrature(vae, digits.test_images, cells=256, limit=2 * limit)
    assert measured["nll"] == pytest.approx(doubled.mean(), abs=1e-3)
    around_the_codes = nll_by_quadrature(vae, digits.test_images, limit=max(5, 1 + np.abs(mean).max()))
    assert around_the_codes.mean() > doubled.mean() + 0.1
    assert abs(measured["nll_above_quadrature"]) < 3 * measured["nll_above_quadrature_se"] + 0.1


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
    np.testing.assert_allclose(nll_by_quadrature(vae, images), expected, rtol=1e-6)
    none = np.zeros((2, 2), "float32")
    np.testing.assert_allclose(nll(vae, images, none, none), expected, atol=0.01)


def test_nll_of_a_linear_gaussian_model_is_that_of_its_gaussian(rng):
    """z and noise of N(0, I): p(x) = N(0, W W^T + I), and the posterior is known too."""
    w = rng.normal(size=(2, 6))
    vae, images = linear_vae(w, 2), gaussian_images(rng, w, 300)
    x = images.reshape(300, 6)
    expected = -multivariate_normal(np.zeros(6), w.T @ w + np.eye(6)).logpdf(x)
    exact = nll_by_quadrature(vae, images)
    np.testing.assert_allclose(exact, expected, rtol=1e-4)
    few = images[:20]
    assert evidence.measure_nll(vae, few, np.zeros((20, 2)), np.zeros((20, 2)))["nll"] == pytest.approx(
        exact[:20], abs=1e-3
    )
    posterior = np.linalg.inv(np.eye(2) + w @ w.T)
    log_var = np.broadcast_to(np.log(np.diag(posterior)), (300, 2))
    estimate = nll(vae, images, x @ w.T @ posterior, log_var)
    np.testing.assert_allclose(estimate, expected, atol=0.3)
    assert np.mean(estimate - expected) == pytest.approx(0, abs=0.02)


@pytest.mark.parametrize("misled", [False, True])
@pytest.mark.parametrize("latent_dim", [3, 10, 32])
def test_nll_by_own_proposals_is_the_exact_one_of_a_linear_gaussian_model(rng, latent_dim, misled):
    """A few draws are enough, and are known to be; of a q(z|x) that is elsewhere and too narrow a few more."""
    w = 0.4 * rng.normal(size=(latent_dim, 40))
    vae, images = linear_vae(w, latent_dim), gaussian_images(rng, w, 100)
    x = images.reshape(100, 40)
    expected = -multivariate_normal(np.zeros(40), w.T @ w + np.eye(40)).logpdf(x)
    posterior = np.linalg.inv(np.eye(latent_dim) + w @ w.T)
    mean = x @ w.T @ posterior + (2 if misled else 0)
    log_var = np.broadcast_to(np.log(np.diag(posterior)), mean.shape) - (1 if misled else 0)
    found = nll_by_own_proposals(vae, images, mean, log_var)
    assert found["proposals"].max() <= (evidence.MOST / 2 if misled else evidence.FEWEST)
    assert np.mean(found["nll"] - expected) == pytest.approx(0, abs=0.1)
    assert np.mean(np.abs(found["nll"] - expected) < 1) >= (0.95 if misled else 1)
    assert np.all(found["nll_change"] >= 0)
    assert found["nll_change"].mean() < evidence.SETTLED


def test_proposals_double_until_half_of_them_change_little_or_there_are_too_many(digits, monkeypatch, capsys):
    """Images of a model that was hardly trained, under a Gaussian that is far too narrow: draws are never enough."""
    vae, images = reference_vae(1.0, seed=0, hidden_units=8, latent_dim=3), digits.test_images[:30]
    mean, log_var = encode(vae, images)
    monkeypatch.setattr(evidence, "MOST", 128)
    settled = evidence.measure_nll(vae, images, mean, log_var)
    assert capsys.readouterr().out == ""
    assert settled["proposals"].max() < 128
    monkeypatch.setattr(evidence, "SETTLED", 1e-6)
    not_settled = evidence.measure_nll(vae, images, mean, log_var)
    assert "nll is an upper bound: half of the 128 draws" in capsys.readouterr().out
    assert not_settled["proposals"].tolist() == [128] * 30
    assert not_settled["nll_change"].mean() < settled["nll_change"].mean()


def test_own_proposals_in_three_dimensions_agree_with_shared_ones_in_any_blocks(digits, monkeypatch):
    vae, images = reference_vae(1.0, seed=0, hidden_units=32, latent_dim=3), digits.test_images[:50]
    train(vae, digits, epochs=10, batch_size=50, seed=0)
    mean, log_var = encode(vae, images)
    shared = nll(vae, images, mean, log_var, proposals=40_000)
    for memory in (evidence.MEMORY, 4 * 784 * evidence.FEWEST * 20):  # 50 images at a time; 20, so that 10 are left
        monkeypatch.setattr(evidence, "MEMORY", memory)
        found = nll_by_own_proposals(vae, images, mean, log_var)
        assert found["nll"].shape == (50,)
        assert np.mean(found["nll"] - shared) == pytest.approx(0, abs=0.1)


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
    monkeypatch.setattr(evidence, "BLOCK", 333)
    monkeypatch.setattr("vae_core.measures.blocks.MEMORY", 13 * 4 * 784)  # 13 images at a time
    np.testing.assert_allclose(nll(vae, images, mean, log_var, proposals=1024), whole, rtol=1e-6)


def line(scale: float, rng, place: float = 0.0):
    """A VAE with one latent dimension, 300 images of two pixels, whose codes lie around a place, and their -log p(x).

    The deviation of p(z|x) is 1 / sqrt(1 + scale^2).
    """
    w = np.array([[scale, 0.0]])
    vae, images = linear_vae(w, 1), gaussian_images(rng, w, 300)
    images[:, 0] += scale * place
    x = images.reshape(300, 2).astype(float)
    return vae, images, -multivariate_normal(np.zeros(2), w.T @ w + np.eye(2)).logpdf(x)


def measured_with_its_posterior(vae, images, scale: float) -> dict[str, np.ndarray]:
    mean = images.reshape(300, 2)[:, :1] * scale / (1 + scale**2)
    return evidence.measure_nll(vae, images, mean, np.full((300, 1), -np.log(1 + scale**2)))


def test_quadrature_finds_posteriors_where_the_prior_has_hardly_any_mass(rng):
    vae, images, expected = line(3.0, rng, place=14.0)
    np.testing.assert_allclose(measured_with_its_posterior(vae, images, 3.0)["nll"], expected, rtol=1e-4)
    assert nll_by_quadrature(vae, images, limit=8).mean() > expected.mean() + 10


@pytest.mark.parametrize(("scale", "enough"), [(10.0, 128), (30.0, 256), (1000.0, None)])
def test_too_coarse_a_grid_gives_way_to_a_finer_one_and_that_to_importance_weighting(rng, capsys, scale, enough):
    vae, images, expected = line(scale, rng)
    measured = measured_with_its_posterior(vae, images, scale)
    assert np.abs(measured["nll"] - expected).mean() < 0.1
    quadrature = None if enough is None else nll_by_quadrature(vae, images, enough)
    assert (quadrature is not None and measured["nll"] == pytest.approx(quadrature)) == (enough is not None)
    assert (measured["quadrature_change"].mean() < evidence.STANDSTILL) == (enough is not None)
    assert ("nll is importance-weighted" in capsys.readouterr().out) == (enough is None)


def test_a_measure_that_is_no_quadrature_is_not_compared_with_one(digits, monkeypatch, capsys):
    monkeypatch.setattr(evidence, "CELLS", (4, 8))
    vae = reference_vae(1.0, seed=0, hidden_units=16)
    mean, log_var = encode(vae, digits.test_images)
    monkeypatch.setattr(evidence, "STANDSTILL", 0.0)
    monkeypatch.setattr("vae_core.measures.bound.STANDSTILL", 0.0)
    measured = measure_bound(vae, digits, mean, log_var, proposals=2)
    assert "nll is importance-weighted" in capsys.readouterr().out
    assert measured["quadrature_change"] > 0
    assert "nll_above_quadrature" not in measured
    assert measured["nll"] == pytest.approx(nll(vae, digits.test_images, mean, log_var, proposals=2).mean())


def test_the_error_of_the_comparison_knows_that_images_share_their_proposals(rng):
    """Images that are almost the same err together; how they differ among themselves tells nothing of that."""
    w = np.array([[8.0, 0, 0, 0], [0, 8.0, 0, 0]])
    vae = linear_vae(w, 2)
    images = gaussian_images(rng, w, 1) + 0.01 * rng.normal(size=(200, 4, 1, 1)).astype("float32")
    expected = -multivariate_normal(np.zeros(4), w.T @ w + np.eye(4)).logpdf(images.reshape(200, 4))
    prior = np.zeros((200, 2)), np.zeros((200, 2))
    found = [evidence.nll_above_quadrature(vae, images, *prior, expected, 2000, seed) for seed in range(12)]
    values, errors = (np.array([one[f"nll_above_quadrature{end}"] for one in found]) for end in ("", "_se"))
    assert 0.4 < values.std(ddof=1) / errors.mean() < 1.6
    too_high = evidence.nll_above_quadrature(vae, images, *prior, expected + 1, 2000)  # the grid has missed some
    assert too_high["nll_above_quadrature"] == pytest.approx(values[0] - 1)
    assert too_high["nll_above_quadrature"] < -3 * too_high["nll_above_quadrature_se"]
