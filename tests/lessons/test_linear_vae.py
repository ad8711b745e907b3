"""The closed form of the linear VAE beside minimisers, densities and PCA that know nothing of it; its figures."""

import keras
import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize, minimize_scalar
from scipy.stats import multivariate_normal
from sklearn.decomposition import PCA

from vae_core import latent
from vae_core.collapse.law import predicted, units_alive
from vae_core.data import Dataset
from vae_core.lessons.where_codes_collapse import linear, linear_figures
from vae_core.lessons.where_codes_collapse.linear import LinearGaussian, LinearOptimum, TrainedLinear, linear_optimum
from vae_core.likelihoods import Gaussian
from vae_core.losses import kl_divergence
from vae_core.models import build_vae, dense_decoder, dense_encoder

PIXELS, UNITS = 6, 2
DEVIATIONS = np.sqrt([4.0, 1.5, 0.3, 0.2, 0.1, 0.0])  # along the eigenvectors; the last pixel never varies


@pytest.fixture(scope="module")
def tilted():
    """Gaussian images of 2 x 3 pixels, not centred, whose covariance has eigenvectors of its own."""
    rng = np.random.default_rng(1)
    turn = np.eye(PIXELS)
    turn[:5, :5] = np.linalg.qr(rng.normal(size=(5, 5)))[0]
    flat = rng.normal(size=(500, PIXELS)) * DEVIATIONS @ turn.T + np.arange(PIXELS) / 10
    images, labels = flat.reshape(-1, 2, 3, 1).astype(np.float32), np.full(500, -1)
    splits = (images, labels, images[:50], labels[:50], images[:50], labels[:50])
    return Dataset("tilted", "made up", (), "", *splits)


@pytest.fixture(scope="module")
def optimum(tilted):
    return linear_optimum(tilted, UNITS)


@pytest.fixture(scope="module")
def trained(tilted, optimum):
    """One model at each weight."""
    return linear.train_linear(tilted, optimum, seeds=1, steps=1500)


@pytest.fixture
def made_up(optimum):
    """Two seeds at each of `weights_to_train`, of which the second has a little more of everything."""
    looks = pd.DataFrame({"epoch": [0, 4, 5, 10], "excess": [9.0, 3.0, 2.0, 0.5]})
    return [
        TrainedLinear(
            *(kl_weight, seed, optimum.rates(kl_weight) + 0.1 * seed, optimum.distortion(kl_weight) + 0.2 * seed),
            nll=optimum.nll(kl_weight) - 0.3 * seed,
            excess=looks.assign(excess=looks["excess"] + seed + kl_weight),
        )
        for kl_weight in linear.weights_to_train(optimum)
        for seed in (0, 1)
    ]


def flat(dataset):
    return dataset.train_images.reshape(len(dataset.train_images), -1).astype(np.float64)


def weights_at(dataset, variance):
    """W of probabilistic PCA, (pixels, UNITS), from an eigendecomposition of its own."""
    values, vectors = np.linalg.eigh(np.cov(flat(dataset), rowvar=False, ddof=0))
    return vectors[:, ::-1][:, :UNITS] * np.sqrt(np.maximum(values[::-1][:UNITS] - variance, 0))


def minimised(eigenvalue, kl_weight, variance):
    """Rate and distortion of one unit along one eigenvector, by a minimiser: over w, a and ln s."""

    def parts(place):
        w, a, log_var = place
        distortion = ((1 - w * a) ** 2 * eigenvalue + w**2 * np.exp(log_var)) / (2 * variance)
        return 0.5 * (a**2 * eigenvalue + np.exp(log_var) - 1 - log_var), distortion

    found = minimize(lambda place: np.dot(parts(place), (kl_weight, 1)), (0.7, 0.4, -0.5), tol=1e-12)
    return parts(found.x)


@pytest.mark.parametrize(("kl_weight", "variance"), [(0.3, 1.0), (2.0, 1.0), (1.0, 0.5), (3.0, 0.4), (5.0, 2.0)])
@pytest.mark.parametrize("eigenvalue", [3.0, 0.8])
def test_rate_and_distortion_of_one_unit_are_those_of_a_minimiser(eigenvalue, kl_weight, variance):
    rate, distortion = minimised(eigenvalue, kl_weight, variance)
    one = LinearOptimum(np.array([eigenvalue]), total=eigenvalue, pixels=1)
    assert one.rates(kl_weight, variance) == pytest.approx([rate], abs=1e-5)
    assert one.distortion(kl_weight, variance) == pytest.approx(distortion, abs=1e-5)


def test_several_units_add_up_and_what_has_no_unit_is_distortion():
    both = LinearOptimum(np.array([3.0, 0.8]), total=3.0 + 0.8 + 0.5, pixels=4)
    singles = [minimised(eigenvalue, 0.6, 1.0) for eigenvalue in (3.0, 0.8)]
    assert both.rates(0.6) == pytest.approx([rate for rate, _ in singles], abs=1e-5)
    assert both.distortion(0.6) == pytest.approx(sum(distortion for _, distortion in singles) + 0.5 / 2, abs=1e-5)
    assert both.objective(0.6) == pytest.approx(both.distortion(0.6) + 0.6 * both.rates(0.6).sum())


def test_the_slope_of_the_curve_is_the_weight(optimum):
    for kl_weight in (0.05, 1.0, 2.5):
        (rate, distortion), (more, less) = (
            (optimum.rates(kl_weight * share).sum(), optimum.distortion(kl_weight * share)) for share in (1.001, 0.999)
        )
        assert (distortion - less) / (more - rate) == pytest.approx(kl_weight, rel=1e-5)


@pytest.mark.parametrize("variance", [0.05, 0.6, 2.5, 9.0])  # two units live, two, one and none
def test_nll_is_that_of_the_normal_density_and_no_other_weights_have_less(tilted, optimum, variance):
    x, weights = flat(tilted), weights_at(tilted, variance)

    def nll(weights):
        covariance = weights @ weights.T + variance * np.eye(PIXELS)
        return -multivariate_normal.logpdf(x, x.mean(axis=0), covariance).mean()

    assert optimum.nll(variance) == pytest.approx(nll(weights), rel=1e-6)
    noise = np.random.default_rng(0).normal(size=(20, *weights.shape))
    assert all(nll(weights + 0.1 * one) > optimum.nll(variance) for one in noise)


def test_the_best_variance_is_that_of_a_minimiser_and_of_scikit_learn(tilted, optimum):
    found = minimize_scalar(lambda log_variance: optimum.nll(np.exp(log_variance)), bracket=(-4, 0))
    assert optimum.best_variance == pytest.approx(np.exp(found.x), rel=1e-5)
    x = flat(tilted)
    pca = PCA(UNITS, svd_solver="full").fit(x)
    pca.explained_variance_ *= 1 - 1 / len(x)  # it divides by N - 1, the likelihood is highest with N
    pca.noise_variance_ *= 1 - 1 / len(x)
    assert optimum.best_variance == pytest.approx(pca.noise_variance_, rel=1e-5)
    assert -optimum.nll(optimum.best_variance) == pytest.approx(pca.score(x), rel=1e-5)


def test_elbo_and_log_likelihood_meet_at_every_variance(optimum):
    for variance in (0.01, optimum.best_variance, 0.6, 2.5, 9.0):
        assert optimum.negative_elbo(variance) == pytest.approx(optimum.nll(variance), rel=1e-12)


def test_weight_and_variance_are_one_knob(optimum):
    """Weight c at variance 1 has the optimum of the ELBO at variance c, and c times its value, but for constants."""
    for c in (0.05, 1.0, 2.5):
        assert optimum.rates(c) == pytest.approx(optimum.rates(1, c))
        assert optimum.objective(c) == pytest.approx(c * (optimum.negative_elbo(c) - optimum.constant(c)))


@pytest.mark.parametrize("variance", [1.0, 0.1])
def test_it_agrees_with_the_law(digits, variance):
    law = predicted(digits, {"likelihood": "gaussian", "pixel_variance": variance})
    optimum = linear_optimum(digits, latent_dim=10)
    assert law[:10] == pytest.approx(optimum.eigenvalues / variance)
    assert law.sum() == pytest.approx(optimum.total / variance)
    for kl_weight in np.geomspace(0.5, 100, 20):
        assert np.sum(optimum.rates(kl_weight, variance) > 0) == units_alive(kl_weight, law, 10)


def test_measures_of_a_linear_model_are_those_of_many_draws_and_of_the_normal_density(tilted, optimum):
    """Of one that is nowhere near an optimum, and whose log-variances differ between images."""
    variance = 0.7
    shape = {"latent_dim": UNITS, "image_shape": tilted.image_shape}
    vae = build_vae(
        lambda: dense_encoder((), **shape),
        lambda: dense_decoder((), **shape),
        *(variance, 3, keras.optimizers.Adam(), LinearGaussian()),
    )
    vae.decoder.set_weights([vae.decoder.get_weights()[0], np.linspace(-0.3, 0.5, PIXELS)])
    x = flat(tilted)
    rates, distortion, nll = linear._measured(vae, tilted, x.mean(axis=0), optimum, variance)

    mean, log_var = latent.encode(vae, tilted.train_images)
    assert rates.sum() == pytest.approx(np.mean(kl_divergence(mean, log_var)), rel=1e-5)
    assert rates[0] >= rates[1]
    draws = latent.draw(mean, log_var, np.random.default_rng(0), samples=50)
    constant = float(Gaussian(1.0).constant(PIXELS))
    sampled = [np.mean(vae.likelihood.nll(tilted.train_images, latent.outputs(vae, z))) - constant for z in draws]
    assert distortion == pytest.approx(np.mean(sampled), abs=4 * np.std(sampled) / np.sqrt(len(sampled)))
    weights, bias = vae.decoder.get_weights()
    density = multivariate_normal(bias, weights.T @ weights + variance * np.eye(PIXELS))
    assert nll == pytest.approx(-density.logpdf(x).mean(), rel=1e-5)


def test_weights_are_trained_on_both_sides_of_eigenvalues(optimum):
    weights = linear.weights_to_train(optimum)
    assert weights == sorted(weights)
    assert weights[0] == optimum.best_variance
    assert [int(np.sum(optimum.rates(weight) > 0)) for weight in weights] == [2, 2, 1, 0]


def test_means_are_linear_in_the_image_and_log_variances_shared(tilted):
    encoder = linear.linear_encoder(UNITS, tilted.image_shape)
    assert encoder.count_params() == UNITS * (PIXELS + 1) + UNITS
    encoder.layers[-1].set_weights([np.array([0.5, -2.0])])
    mean, log_var = (part.numpy() for part in encoder(tilted.train_images[:3]))
    assert log_var == pytest.approx(np.array([[0.5, -2.0]] * 3))
    middle = encoder(tilted.train_images[:3].mean(axis=0, keepdims=True))[0].numpy()
    assert middle[0] == pytest.approx(mean.mean(axis=0), abs=1e-5)


def test_the_weight_falls_from_above_all_eigenvalues_to_the_one_that_is_asked_for(tilted, optimum):
    vae = linear._linear_vae(tilted, optimum, kl_weight=0.3, seed=0, epochs=10)  # of ten steps each
    weights = []
    for step in (0, 20, 40, 100):
        vae.optimizer.iterations.assign(step)
        weights.append(float(vae.kl_weight))
    assert weights[0] > optimum.eigenvalues[0] > weights[1] > 0.3
    assert weights[2:] == pytest.approx([0.3, 0.3])


def test_trained_models_land_on_the_closed_form_and_never_below_it(trained, optimum):
    """In nats; they begin 1 to 29 above it."""
    assert [one.kl_weight for one in trained] == linear.weights_to_train(optimum)
    first, last = (np.array([one.excess["excess"].iloc[place] for one in trained]) for place in (0, -1))
    assert np.all((last > -1e-4) & (last < 0.05) & (last < first / 500))
    for one in trained:
        assert one.rates == pytest.approx(optimum.rates(one.kl_weight), abs=0.1)
        assert one.distortion == pytest.approx(optimum.distortion(one.kl_weight), abs=0.05)
        assert optimum.nll(one.kl_weight) - 1e-4 < one.nll < one.negative_elbo(optimum) + 1e-4
        assert one.negative_elbo(optimum) == pytest.approx(optimum.nll(one.kl_weight), abs=0.05)


def test_the_table_has_means_and_deviations_over_the_seeds(made_up, optimum):
    """The second seed's negative ELBO is higher by its two rates and by its distortion over the weight."""
    table, weight = linear.linear_table(made_up, optimum), optimum.best_variance
    first = table.loc[f"{weight:.4g}"]
    rate, distortion, gap = optimum.rates(weight).sum(), optimum.distortion(weight), 0.2 + 0.2 / weight + 0.3
    half = np.sqrt(0.5)  # the deviation of a and a + 1
    assert table["units alive"].tolist() == [2, 2, 1, 0]
    assert (first["rate"], first["distortion"]) == (f"{rate:.3f}", f"{distortion:.3f}")
    assert first["rate, trained"] == f"{rate + 0.1:.3f} ± {0.2 * half:.3f}"
    assert first["distortion, trained"] == f"{distortion + 0.1:.3f} ± {0.2 * half:.3f}"
    assert first["above"] == f"{1 + weight:.3f} ± {half:.3f}"
    assert first["above, halfway"] == f"{2.5 + weight:.3f} ± {half:.3f}"
    assert first["gap"] == f"{gap / 2:.3f} ± {gap * half:.3f}"


def test_sentences_tell_what_was_found(made_up, optimum):
    largest = made_up[-1].kl_weight
    assert linear.landed(made_up) == (
        f"After 10 epochs the farthest of the 8 trained models is **{1.5 + largest:.3f} nats** above the closed form, "
        f"at kl_weight {largest:.4g}. Halfway it was {3 + largest:.3f} nats above it."
    )
    best = optimum.best_variance
    told = linear.meeting(optimum)
    assert f"**{best:.4f}**. There -log p(x) is {optimum.nll(best):.3f} nats per image" in told
    assert f"the negative ELBO {optimum.nll(1.0):.3f}, and 2 of 2 units live." in told


def test_figures_have_the_closed_form_as_lines_and_trained_models_at_their_places(made_up, optimum):
    weights = linear.weights_to_train(optimum)
    left, _ = linear_figures.rate_distortion(optimum, made_up, "title").axes
    expected = [(optimum.rates(weight).sum() + 0.1, optimum.distortion(weight) + 0.1) for weight in weights]
    assert dots(left) == pytest.approx(np.array(expected))
    assert {text.get_text() for text in left.texts} == {f"{float(f'{weight:.3g}'):g}" for weight in weights}
    (axes,) = linear_figures.unit_rates(optimum, made_up, "title").axes
    expected = [(weight, optimum.rates(weight)[unit] + 0.05) for unit in range(UNITS) for weight in weights]
    assert dots(axes) == pytest.approx(np.array(expected))
    line = axes.lines[0]
    assert line.get_ydata() == pytest.approx([optimum.rates(weight)[0] for weight in line.get_xdata()])
    bounds, gaps = linear_figures.evidence(optimum, made_up, "title").axes
    assert bounds.lines[0].get_ydata() == pytest.approx([optimum.nll(one) for one in bounds.lines[0].get_xdata()])
    assert gaps.lines[0].get_ydata() == pytest.approx(0, abs=1e-9)
    expected = [(weight, (0.5 + 0.2 / weight) / 2) for weight in weights]
    assert dots(gaps) == pytest.approx(np.array(expected))


def dots(axes):
    """The middles of the error bars, (N, 2)."""
    lines = [line for line in axes.lines if line.get_marker() == "o" and len(line.get_xydata())]
    return np.concatenate([line.get_xydata() for line in lines])
