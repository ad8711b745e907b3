"""The notebook on the ELBO, run as a reader runs it, and the formulas and models behind it."""

from dataclasses import replace

import nbformat
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from keras import ops
from scipy.integrate import dblquad, quad
from scipy.optimize import minimize
from scipy.stats import multivariate_normal, norm

from tests.first_cells import assert_refused
from tests.test_notebooks import assert_publishable
from vae_core import measures, runs, tutorials
from vae_core.data import Dataset
from vae_core.execution.notebook import execute_notebook
from vae_core.latent import encode, outputs
from vae_core.lessons.elbo_and_kl import measures as numbers
from vae_core.lessons.elbo_and_kl import model as models
from vae_core.lessons.elbo_and_kl import tutorial
from vae_core.lessons.elbo_and_kl.measures import at_variance
from vae_core.lessons.elbo_and_kl.model import (
    LEARNED,
    RUN,
    SOLVED,
    TWIN,
    GaussianVAE,
    LearnedVarianceVAE,
    SolvedGaussian,
    TrainedGaussian,
    gaussian_vae,
    with_likelihood,
)
from vae_core.likelihoods import SQUARED_ERROR, Gaussian
from vae_core.training import train

NOTEBOOK = runs.PROJECT / "notebooks" / "elbo_and_kl.ipynb"
PICTURES = ("kl_areas", "bound", "twins", "variances", "codes", "reconstructions", "posteriors", "decoder_manifold")
PIXELS = 28 * 28


# Sections 1 to 4: formulas


@pytest.mark.parametrize(("q", "p"), [(norm(0, 1), norm(0, 2)), (norm(0.8, 0.5), norm(-0.4, 1.2)), (norm(3), norm())])
def test_entropies_and_kl_are_their_integrals(q, p):
    def integral(of):
        return quad(lambda z: q.pdf(z) * of(z), q.mean() - 12 * q.std(), q.mean() + 12 * q.std())[0]

    assert models.entropy(q) == pytest.approx(integral(lambda z: -q.logpdf(z))) == pytest.approx(float(q.entropy()))
    assert models.cross_entropy(q, p) == pytest.approx(integral(lambda z: -p.logpdf(z)))
    assert models.kl(q, p) == pytest.approx(integral(lambda z: q.logpdf(z) - p.logpdf(z)))
    assert models.kl(q, p) == pytest.approx(models.cross_entropy(q, p) - models.entropy(q))


def test_kl_by_hand_and_in_the_right_direction():
    assert models.kl(norm(0, 1), norm(0, 2)) == pytest.approx(np.log(2) + 1 / 8 - 1 / 2)
    assert models.kl(norm(0, 2), norm(0, 1)) == pytest.approx(-np.log(2) + 2 - 1 / 2)


def test_multivariate_kl_is_its_integral():
    mean_q, cov_q = np.array([0.5, -0.3]), np.array([[0.6, 0.3], [0.3, 0.5]])
    mean_p, cov_p = np.array([0.0, 0.4]), np.array([[1.5, -0.4], [-0.4, 0.8]])
    q, p = multivariate_normal(mean_q, cov_q), multivariate_normal(mean_p, cov_p)
    grid = np.stack(np.meshgrid(*[np.linspace(-6, 6, 601)] * 2), axis=-1)
    integral = np.sum(q.pdf(grid) * (q.logpdf(grid) - p.logpdf(grid))) * 0.02**2
    assert models.multivariate_kl(mean_q, cov_q, mean_p, cov_p) == pytest.approx(integral, rel=1e-6)
    turn = np.array([[1.0, 2.0], [-0.5, 0.3]])  # no change of coordinates changes a KL
    turned = (turn @ mean_q, turn @ cov_q @ turn.T, turn @ mean_p, turn @ cov_p @ turn.T)
    assert models.multivariate_kl(*turned) == pytest.approx(integral, rel=1e-6)


def test_tables_of_formula_quadrature_and_sampling_agree():
    tables = [numbers.information_table(norm(0.8, 0.5), norm(-0.4, 1.2), seed=1), numbers.kl_table(1)]
    for table in tables:
        formula = table.filter(regex=r"^formula$|^KL").iloc[:, 0].astype(float)
        assert table["quadrature"].astype(float).to_numpy() == pytest.approx(formula.to_numpy(), abs=1e-9)
        assert_sampled(formula, table["sampling"])
    several = numbers.multivariate_kl_table(1)
    assert_sampled(several["KL(q || p)"].astype(float), several["sampling"])
    suite = several[several["kl_divergence of the suite"] != ""]
    assert len(suite) == 2
    assert suite["kl_divergence of the suite"].astype(float).to_numpy() == pytest.approx(
        suite["KL(q || p)"].astype(float).to_numpy(), abs=6e-4
    )


def assert_sampled(expected: pd.Series, sampled: pd.Series) -> None:
    parts = sampled.str.split(" ± ", expand=True).astype(float)
    assert ((parts[0] - expected).abs() <= 5 * parts[1] + 1e-3).all()


def test_areas_of_the_figure_are_the_kl():
    q, p, z = norm(0.8, 0.5), norm(-0.4, 1.2), np.linspace(-12, 12, 4001)
    curves = numbers.integrands(q, p, z)
    assert np.trapezoid(curves["KL(q || p)"], z) == pytest.approx(models.kl(q, p))
    assert np.trapezoid(curves["KL(p || q)"], z) == pytest.approx(models.kl(p, q))
    assert curves["KL(q || p)"].min() < 0


def test_units_move_the_entropy_and_not_the_kl():
    table = numbers.units_table(norm(0.8, 0.5), norm(-0.4, 1.2))
    assert np.diff(table["H(q)"]) == pytest.approx(np.log([10, 10]))
    assert np.ptp(table["KL(q || p)"]) == pytest.approx(0, abs=1e-12)


def test_surprises_of_classes_by_hand():
    table = numbers.class_surprises(np.array([0, 0, 0, 1]), ("a", "b"))
    assert table["surprise"].iloc[:2].tolist() == pytest.approx([np.log(4 / 3), np.log(4)])
    assert table.loc["all", "share x surprise"] == pytest.approx(0.75 * np.log(4 / 3) + 0.25 * np.log(4))


def test_evidence_and_posterior_of_the_linear_model():
    model, x = models.example_model()
    joint = lambda z0, z1: np.exp(model.log_likelihood(x, np.array([[z0, z1]]))[0] + norm.logpdf([z0, z1]).sum())  # noqa: E731
    evidence = dblquad(joint, -5, 5, -5, 5, epsabs=1e-7)[0]
    assert model.log_evidence(x) == pytest.approx(np.log(evidence), abs=1e-5)
    z = np.random.default_rng(0).normal(size=(20, 2))
    log_joint = model.log_likelihood(x, z) + norm.logpdf(z).sum(axis=1)
    bayes = multivariate_normal(*model.posterior(x)).logpdf(z)
    assert bayes == pytest.approx(log_joint - model.log_evidence(x))


def test_elbo_and_missing_kl_add_up_and_both_forms_agree():
    model, x = models.example_model()
    table = numbers.elbo_table(model, x, seed=1)
    assert table["ELBO + KL(q || p(z|x))"].astype(float).to_numpy() == pytest.approx(model.log_evidence(x))
    assert_sampled(table["ELBO, first form"].astype(float), table["ELBO, second form"])
    assert table["ELBO, second form"].iloc[0].endswith("± 0.000")  # of the posterior, every draw gives log p(x)
    assert table["KL(q || p(z|x))"].iloc[0] == pytest.approx(0, abs=1e-9)
    noise = numbers.noise_table(model, x, seed=1)
    assert noise["second form", "deviation"].iloc[0] == pytest.approx(0, abs=1e-9)
    assert noise["first form", "deviation"].iloc[0] > 0.1


def test_the_best_diagonal_q_is_what_a_search_finds_and_keeps_a_gap():
    model, x = models.example_model()
    posterior = model.posterior(x)

    def gap(parameters):
        return models.multivariate_kl(parameters[:2], np.diag(np.exp(parameters[2:])), *posterior)

    found = minimize(gap, np.zeros(4), method="Nelder-Mead", options={"maxiter": 4000, "xatol": 1e-8, "fatol": 1e-12})
    mean, covariance = model.best_diagonal(x)
    assert np.concatenate([mean, np.log(np.diag(covariance))]) == pytest.approx(found.x, abs=1e-4)
    curves = numbers.bound_curves(model, x, np.array([0.7, 1, 1.4]))
    assert curves["any covariance"][1] == pytest.approx(model.log_evidence(x))
    assert curves["diagonal covariance"].argmax() == 1
    assert curves["diagonal covariance"][1] == pytest.approx(model.log_evidence(x) - found.fun, abs=1e-6)
    assert found.fun > 0.1


# Section 5: likelihoods


def test_likelihoods_agree_with_scipy_and_masses_are_known(digits, rng):
    table = numbers.likelihood_table(digits.test_images[:4], rng.normal(size=(4, 28, 28, 1)).astype("float32"))
    assert table["vae_core.likelihoods"].to_numpy() == pytest.approx(table["scipy.stats"].to_numpy(), rel=1e-5)
    assert table.loc["Gaussian, variance 0.5", "scipy.stats"] == table.iloc[-1]["scipy.stats"]
    copies = table.loc["Gaussian, variance 0.04, perfect copies"]
    assert copies.to_numpy() == pytest.approx(PIXELS * np.log(0.2 * np.sqrt(2 * np.pi)), rel=1e-5)
    masses = numbers.mass_table(0.8)
    assert masses["all numbers, integral"].iloc[1:].to_numpy() == pytest.approx(1)
    assert masses.loc["Bernoulli", "0 and 1, sum"] == pytest.approx(1)
    assert masses.loc["Bernoulli", "0 to 1, integral"] == pytest.approx(0.6 / np.log(4))  # (2p - 1) / logit(p)
    assert masses.loc["Gaussian, variance 1", "0 to 1, integral"] == pytest.approx(norm.cdf(0.2) - norm.cdf(-0.8))


def test_tutorial_001_by_hand_and_the_variances_that_it_would_learn():
    table = tutorial.tutorial_001_table(32.0, PIXELS).astype(float)
    assert table.loc["sigma 0.5", "tutorial 001"] == pytest.approx(32 + np.log(0.5))  # 1/2 * 32 / (2 / 4)
    assert table.loc["sigma 0.5", "one 1/2 out"] == pytest.approx(64 + np.log(0.5))
    log_density = norm(0, 0.5).logpdf([np.sqrt(32), *[0] * (PIXELS - 1)]).sum()
    assert table.loc["sigma 0.5", "the constant: -log p(x|z)"] == pytest.approx(-log_density)
    best = table.loc["best sigma"]
    assert best["tutorial 001"] == pytest.approx(np.sqrt(32 / 2), rel=1e-3)
    assert best["the constant: -log p(x|z)"] == pytest.approx(np.sqrt(32 / PIXELS), rel=1e-3)


def test_sums_over_the_batch_grow_and_means_do_not(digits):
    images = np.repeat(digits.test_images[:1], 100, axis=0)
    table = tutorial.batch_table(images, np.full((28, 28, 1), 0.3), seed=0)
    squares = np.square(images[0] - 0.3).sum()
    summed = table["tutorial 001: Gaussian term"].to_numpy()
    assert summed == pytest.approx(np.array([1, 10, 100]) * squares + np.log(0.5))
    assert table["distortion"].to_numpy() == pytest.approx(at_variance(squares, 0.25, PIXELS))
    assert table["tutorial 001: KL"].to_numpy() == pytest.approx(table["rate"].to_numpy() * [1, 10, 100], rel=1e-5)


def test_at_variance_is_the_likelihood_of_the_squared_error(digits, rng):
    images, decoded = digits.test_images[:3], rng.normal(size=(3, 28, 28, 1)).astype("float32")
    squares = np.asarray(SQUARED_ERROR.nll(images, decoded))
    assert at_variance(squares, 0.3, PIXELS) == pytest.approx(np.asarray(Gaussian(0.3).nll(images, decoded)), rel=1e-5)


# Sections 6 and 7: models


@pytest.fixture(scope="module")
def few(digits) -> Dataset:
    """A hundred training images, so that an epoch is two steps."""
    sizes = {"train": 100, "validation": 50, "test": 40}
    names = [(f"{part}_{kind}", size) for part, size in sizes.items() for kind in ("images", "labels")]
    return replace(digits, **{name: getattr(digits, name)[:size] for name, size in names})


def small_vae(kind=GaussianVAE, variance=1.0, kl_weight=1.0, hidden_units=16) -> GaussianVAE:
    return gaussian_vae(kind, Gaussian(variance), kl_weight, 0, 1e-3, hidden_units)


def gradient(vae, images):
    with tf.GradientTape() as tape:
        loss = vae.compute_loss(images, y_pred=vae(images))
    return np.concatenate([np.ravel(g) for g in tape.gradient(loss, vae.trainable_variables)])


def test_variance_c_at_weight_1_has_the_gradients_of_weight_c_divided_by_c(digits):
    unit, twin = small_vae(kl_weight=0.2), small_vae(variance=0.2)
    expected = gradient(unit, digits.test_images[:20]) / 0.2
    np.testing.assert_allclose(gradient(twin, digits.test_images[:20]), expected, rtol=1e-3, atol=1e-3)


def test_the_learned_variance_stands_still_at_the_mean_squared_error(digits):
    images = digits.test_images[:20]
    decoder_outputs = small_vae().decoder(np.zeros((20, 2), "float32"))
    error = float(np.mean(np.square(images - ops.sigmoid(decoder_outputs))))
    for variance, sign in ((error / 2, -1), (error, 0), (2 * error, 1)):
        learned = small_vae(LearnedVarianceVAE, variance)
        assert float(learned.likelihood.variance) == pytest.approx(variance, rel=1e-5)
        with tf.GradientTape() as tape:
            loss = ops.mean(learned.likelihood.nll(images, decoder_outputs))
        slope = float(tape.gradient(loss, learned.log_variance.value))
        assert slope == pytest.approx(PIXELS / 2 * (1 - error / variance), abs=0.05)
        assert sign == 0 or np.sign(slope) == sign


def test_the_variance_solved_for_is_that_of_the_batch_and_of_nothing_else(digits):
    images, likelihood = digits.test_images[:20], SolvedGaussian()
    decoder_outputs = small_vae().decoder(np.zeros((20, 2), "float32"))
    error = float(np.mean(np.square(images - ops.sigmoid(decoder_outputs))))
    fitted = float(np.mean(likelihood.nll(images, decoder_outputs)))
    assert fitted == pytest.approx(PIXELS / 2 * (np.log(2 * np.pi * error) + 1), rel=1e-5)
    assert np.isnan(likelihood.floor(images))
    assert np.isnan(likelihood.nll_pairs(images[:2], decoder_outputs[:2])).all()


@pytest.fixture(scope="module")
def trained(few) -> dict[str, TrainedGaussian]:
    vae = small_vae(kl_weight=0.5)
    run = models.trained(vae, train(vae, few, 3, 50, 0)[0])
    settings = {"epochs": 3, "batch_size": 50, "learning_rate": 1e-3, "seed": 0}
    return {RUN: run} | models.train_others(few, 0.5, **settings, hidden_units=16)


def mean_distance(one: TrainedGaussian, other: TrainedGaussian) -> float:
    pairs = zip(one.vae.encoder.get_weights(), other.vae.encoder.get_weights(), strict=True)
    return np.mean(np.concatenate([np.ravel(np.abs(a - b)) for a, b in pairs]))


def test_the_twin_is_trained_to_the_same_model_and_the_others_are_not(trained):
    run, twin, learned, solved = (trained[name] for name in (RUN, TWIN, LEARNED, SOLVED))
    assert mean_distance(run, twin) < 1e-5  # all but the epsilon of Adam, for weights with hardly any gradient
    assert mean_distance(run, solved) > 1e-4
    at_unit = numbers.at_unit_variance(twin)
    np.testing.assert_allclose(at_unit["val_distortion"], run.history["val_distortion"], rtol=1e-4)
    assert (run.unit_weight, twin.unit_weight) == (0.5, 0.5)
    assert solved.unit_weight == pytest.approx(solved.history["mean_squared_error"].iloc[-1])
    assert float(learned.vae.log_variance) == pytest.approx(np.log(learned.variance), abs=1e-5)
    assert learned.history["variance"].nunique() > 1
    assert "without the constants, is 0.5" in tutorial.twin_sentence(trained)
    factor = 0.5 / solved.variance
    assert f"is {factor:.3g} times as large" in tutorial.exchange_sentence(trained)


def test_curves_over_the_variance_reach_that_of_every_model(trained):
    run, solved = trained[RUN], trained[SOLVED]
    assert numbers.variance_range(trained)[[0, -1]].tolist() == [0.01, 2]
    wide = {"one": replace(run, variance=5.0), "other": replace(solved, variance=1e-4)}
    assert numbers.variance_range(wide)[[0, -1]].tolist() == [1e-4, 5]


def test_a_smaller_last_batch_does_not_count_for_more(few):
    history, _ = train(small_vae(variance=0.3), few, 1, 80, 0)  # 100 images: batches of 80 and 20
    expected = at_variance(PIXELS * history["mean_squared_error"], 0.3, PIXELS)
    np.testing.assert_allclose(history["distortion"], expected, rtol=1e-6)


def test_history_has_the_mean_squared_error_and_the_distortion_at_it(trained):
    for model in (trained[RUN], trained[TWIN]):
        expected = at_variance(PIXELS * model.history["val_mean_squared_error"], model.variance, PIXELS)
        np.testing.assert_allclose(model.history["val_distortion"], expected, rtol=1e-5)


def test_models_table_has_the_elbo_at_each_variance(trained, few):
    table = numbers.models_table(trained, few.test_images)
    run = trained[RUN]
    terms = measures.terms(run.vae, few.test_images, *encode(run.vae, few.test_images))
    assert table.loc[RUN, "negative ELBO"] == pytest.approx(terms["negative_elbo"].mean(), rel=1e-5)
    assert table.loc[RUN, "at variance 1"] == table.loc[RUN, "negative ELBO"]
    assert (table["at its training error"] <= table["at variance 1"]).all()
    curves = numbers.variance_curves(trained, few.test_images, np.array([0.05, 1.0]))
    assert curves.loc[1.0, RUN] == pytest.approx(terms["negative_elbo"].mean(), abs=0.5)


@pytest.mark.parametrize(("kl_weight", "word"), [(0.0, "weight is 0"), (1e-9, "weight is 1e-09"), (1.0, "own twin")])
def test_a_weight_without_twin_says_why(trained, kl_weight, word):
    run = TrainedGaussian(small_vae(kl_weight=kl_weight, hidden_units=4), trained[RUN].history, 1.0)
    without = {RUN: run, LEARNED: trained[LEARNED], SOLVED: trained[SOLVED]}
    assert not models.has_twin(kl_weight)
    assert word in tutorial.twin_sentence(without)
    assert len(models.readings(without)) == 2
    assert "times" in tutorial.exchange_sentence(without) or kl_weight == 0


# Sections 8 and 9: posteriors and measures


@pytest.fixture(scope="module")
def collapsed(few) -> GaussianVAE:
    """q(z|x) is the prior, and every code is decoded to the mean training image: the posterior is the prior too."""
    vae = small_vae(kl_weight=0.5, hidden_units=4)
    mean = few.train_images.mean(axis=0).clip(1e-6, 1 - 1e-6)
    vae.encoder.set_weights([np.zeros_like(weights) for weights in vae.encoder.get_weights()])
    vae.decoder.set_weights([np.zeros_like(weights) for weights in vae.decoder.get_weights()])
    vae.decoder.layers[-2].bias.assign(np.log(mean / (1 - mean)).ravel())
    return vae


def test_measures_of_a_collapsed_model_are_known(collapsed, few):
    measured = numbers.measure_run(collapsed, few, *encode(collapsed, few.test_images))
    expected = measured["zero_information_distortion"]
    squares = np.square(few.test_images - few.train_images.mean(axis=0)).sum(axis=(1, 2, 3))
    assert expected == pytest.approx(np.mean(squares) / 2 + PIXELS / 2 * np.log(2 * np.pi))
    for name in ("distortion", "objective", "negative_elbo", "nll"):
        assert measured[name] == pytest.approx(expected, rel=1e-5)
    assert measured["rate"] == 0
    assert measured["mean_squared_error"] == pytest.approx(np.mean(squares) / PIXELS, rel=1e-3)
    assert measured["nll_above_quadrature"] == pytest.approx(0, abs=1e-3)
    assert measured["entropy_floor"] == pytest.approx(PIXELS / 2 * np.log(2 * np.pi), rel=1e-6)


def test_a_posterior_that_is_the_prior_has_no_gap(collapsed, few, monkeypatch):
    monkeypatch.setattr(numbers, "CELLS", 80)
    moved = small_vae(kl_weight=0.5, hidden_units=4)
    moved.set_weights(collapsed.get_weights())
    moved.encoder.get_layer("mean").bias.assign([2.0, 0.0])  # KL(N((2, 0), I) || N(0, I)) = 2
    read = {name: with_likelihood(vae, Gaussian(0.5)) for name, vae in (("prior", collapsed), ("moved", moved))}
    gaps = numbers.gap_table(read, few.test_images[:5])
    assert gaps["KL(q || p(z|x))"].tolist() == pytest.approx([0, 2], abs=0.01)
    assert gaps["coarser grid"].tolist() == pytest.approx([0, 0], abs=0.01)
    forms = numbers.forms_table({"it": read["moved"]}, few.test_images[:5], seed=0, draws=400)
    assert forms.loc[("it", "second form"), "mean"] == pytest.approx(forms.loc[("it", "first form"), "mean"], abs=0.3)
    assert forms.loc[("it", "second form"), "deviation of a draw"] == pytest.approx(2, abs=0.2)
    assert forms.loc[("it", "first form"), "deviation of a draw"] == pytest.approx(0, abs=1e-3)


def test_posterior_planes_show_the_prior_where_the_decoder_ignores_the_code(collapsed, few):
    (plane,) = numbers.posterior_planes(collapsed, few.test_images[:1], cells=50)
    z = numbers.grid_points(plane["x"], plane["y"])
    expected = np.exp(-0.5 * (z**2).sum(axis=1)).reshape(50, 50)
    np.testing.assert_allclose(plane["density"], expected / expected.max(), atol=1e-3)
    assert plane["x"][0] == pytest.approx(-4, abs=0.05)
    assert plane["deviation"].tolist() == [1, 1]


def test_a_reading_has_the_models_networks_and_weight_and_another_likelihood(collapsed, few):
    reading = with_likelihood(collapsed, Gaussian(0.3))
    exact = measures.nll_by_quadrature(reading, few.test_images[:3], 64)
    squares = np.square(few.test_images[:3] - few.train_images.mean(axis=0)).sum(axis=(1, 2, 3))
    np.testing.assert_allclose(exact, at_variance(squares, 0.3, PIXELS), rtol=1e-4)
    np.testing.assert_array_equal(outputs(reading, np.ones((2, 2))), outputs(collapsed, np.ones((2, 2))))
    assert float(reading.kl_weight) == 0.5


# The notebook


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("elbo_and_kl")
    parameters = {"dataset": "digits", "epochs": 1, "batch_size": 100, "hidden_units": 16, "run_dir": "run"}
    execute_notebook(NOTEBOOK, folder / "out.ipynb", parameters, cwd=folder)
    return folder


def test_the_notebook_writes_a_whole_run(executed):
    assert_publishable(executed / "out.ipynb")
    run = executed / "run"
    assert runs.is_done(run)
    written = {path.name for path in run.iterdir()}
    assert written == {
        *("config.json", "dataset.json", "history.csv", "measures.json", "record.json", tutorials.TUTORIAL_FILE),
        *runs.MODEL_FILES,
        *(f"{name}.png" for name in PICTURES),
    }
    kept = sum((run / name).stat().st_size for name in written - set(runs.MODEL_FILES))
    assert kept < 1_500_000
    config = runs.read_json(run / "config.json")
    assert (config["dataset"], config["kl_weight"], config["epochs"], config["hidden_units"]) == ("digits", 0.5, 1, 16)


def test_the_notebooks_measures_are_consistent(executed):
    measured = runs.read_json(executed / "run" / "measures.json")
    assert measured["objective"] == pytest.approx(measured["distortion"] + 0.5 * measured["rate"])
    assert measured["negative_elbo"] == pytest.approx(measured["distortion"] + measured["rate"])
    assert measured["nll"] < measured["negative_elbo"] + measured["negative_elbo_se"]
    assert measured["nll_above_quadrature"] == pytest.approx(0, abs=0.05)
    assert {"mutual_information", "marginal_kl", "active_units", "rate_z0", "knn_accuracy"} <= set(measured)
    assert {"mean_squared_error", "learned_variance", "solved_variance"} <= set(measured)
    latents = np.load(executed / "run" / "latent.npz")
    assert {"mean", "log_var", "labels", "manifold", "axes"} == set(latents)
    assert latents["mean"].shape == (297, 2)


def test_the_notebook_shows_its_figures_and_the_tutorials_statements(executed):
    cells = nbformat.read(executed / "out.ipynb", nbformat.NO_CONVERT).cells
    shown = [output for cell in cells for output in cell.get("outputs", [])]
    assert sum("image/png" in output.get("data", {}) for output in shown) == len(PICTURES) + 1
    assert [output.text.split(":")[0] for output in shown if output.output_type == "stream"] == ["written"]
    beside = pd.read_csv(executed / "run" / tutorials.TUTORIAL_FILE, dtype=str)
    assert beside.columns.tolist() == list(tutorials.COLUMNS)
    assert set(beside["tutorial"]) == {"001", "003"}
    assert beside.notna().all(axis=None)
    assert not beside.map(lambda text: "{" in text).any(axis=None)
    gap = beside.set_index("what").loc["KL(q || p(z|x)) in the end", "why they differ"]
    assert "at kl_weight 0.5 the objective is not the ELBO of variance 1" in gap


def test_a_bad_parameter_stops_the_notebook_with_one_line(tmp_path):
    message = "learning_rate must be greater than 0, not 0.0"
    assert_refused(NOTEBOOK, {"learning_rate": 0.0}, message, tmp_path)


def test_the_models_are_the_reference_model_with_one_more_weight():
    vae = small_vae(LearnedVarianceVAE, 0.05, hidden_units=512)
    reference = (784 + 1) * 512 + 2 * (512 + 1) * 2 + (2 + 1) * 512 + (512 + 1) * 784
    assert sum(int(np.prod(weights.shape)) for weights in vae.trainable_variables) == reference + 1
