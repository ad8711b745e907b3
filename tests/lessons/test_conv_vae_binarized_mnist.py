"""Tutorial 001's lesson: the notebook on digits, and what its modules compute against known answers."""

from types import SimpleNamespace

import keras
import nbformat
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from PIL import Image
from scipy.optimize import minimize_scalar
from scipy.stats import norm

from tests.first_cells import assert_refused
from tests.test_notebooks import assert_publishable, streams
from vae_core import latent, measures, runs, training
from vae_core.execution.notebook import execute_notebook
from vae_core.lessons.conv_vae_binarized_mnist import figures as lesson_figures
from vae_core.lessons.conv_vae_binarized_mnist import measures as lesson
from vae_core.lessons.conv_vae_binarized_mnist import tutorial
from vae_core.lessons.conv_vae_binarized_mnist.model import ARCHITECTURES
from vae_core.likelihoods import BERNOULLI
from vae_core.losses import kl_divergence
from vae_core.report import tables
from vae_core.tutorials import TUTORIAL_FILE

NOTEBOOK = runs.PROJECT / "notebooks" / "conv_vae_binarized_mnist.ipynb"
FILES = {
    *("config.json", "dataset.json", "history.csv", "measures.json", TUTORIAL_FILE, "record.json", "latent.npz"),
    *("model.weights.h5", "latent_scatter.png", "decoder_manifold_quantiles.png", "samples.png"),
    *("fixed_sample.png", "fixed_sample.gif"),
}


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """The notebook with the dense model, whose quadrature is quick; at a weight other than 1."""
    folder = tmp_path_factory.mktemp("binarized")
    parameters = {"dataset": "digits", "architecture": "dense", "kl_weight": 0.5, "epochs": 2}
    parameters |= {"batch_size": 100, "learning_rate": 1e-3}
    execute_notebook(NOTEBOOK, folder / "out.ipynb", {**parameters, "run_dir": "run"}, cwd=folder)
    return folder


@pytest.fixture(scope="module")
def trained(digits):
    """The convolutional model after one epoch, on black-and-white digits."""
    binary = lesson.thresholded(digits)
    vae = ARCHITECTURES["conv"](2.0, 0, 1e-3)
    history, _ = training.train(vae, binary, 1, 100, 0)
    return vae, binary, history


def test_the_notebook_leaves_a_whole_run_folder(executed):
    run = executed / "run"
    assert_publishable(executed / "out.ipynb")
    assert [line.split(":")[0] for line in streams(executed / "out.ipynb")] == ["written"]
    assert runs.is_done(run)
    assert {path.name for path in run.iterdir()} == FILES
    assert sum(path.stat().st_size for path in run.iterdir() if path.name not in runs.MODEL_FILES) < 1_000_000
    config = runs.read_json(run / "config.json")
    assert (config["dataset"], config["architecture"], config["kl_weight"]) == ("digits", "dense", 0.5)
    assert {"epochs", "batch_size", "learning_rate", "seed", "threads"} <= set(config)
    with Image.open(run / "fixed_sample.gif") as animation:
        assert animation.n_frames == 3  # before training and after each epoch


def test_the_measures_are_those_of_binary_images(executed, digits):
    measured = runs.read_json(executed / "run" / "measures.json")
    for name in ("distortion", "rate", "objective", "negative_elbo", "nll", "mutual_information", "marginal_kl"):
        assert {name, f"{name}_se"} <= set(measured)
    assert {"active_units", "rate_z0", "rate_z1", "knn_accuracy", "samples", "share_in_window"} <= set(measured)
    assert measured["objective"] == pytest.approx(measured["distortion"] + 0.5 * measured["rate"])
    assert measured["entropy_floor"] == 0
    assert measured["images"] == len(digits.test_images)
    binary = [(images >= 0.5).astype("float32") for images in (digits.train_images, digits.test_images)]
    assert measured["zero_information_distortion"] == pytest.approx(
        measures.anchors(BERNOULLI, *binary)["zero_information_distortion"]
    )
    assert measured["nll"] < measured["negative_elbo"] < measured["zero_information_distortion"] + 30
    assert not [name for name in measured if "second" in name]


def test_the_table_of_the_tutorial_says_what_this_run_measured(executed):
    measured = runs.read_json(executed / "run" / "measures.json")
    table = pd.read_csv(executed / "run" / TUTORIAL_FILE, dtype=str).set_index("what")
    assert (table["tutorial"] == "001").all()
    assert table.notna().all(axis=None)
    ours, why = table["ours"], table["why they differ"]
    assert ours["ELBO of the test images"] == f"{-measured['negative_elbo']:.2f} nats/image"
    assert ours["KL(q(z|x) || p(z|x))"].startswith(f"{measured['negative_elbo'] - measured['nll']:.2f} nats/image")
    noises = measured["noise_single"], measured["noise_analytic"]
    assert ours[
        "single-sample estimate of the ELBO"
    ] == "noise of one image {:.2f} nats; with the analytic KL {:.2f}".format(*noises)
    assert "987,388 parameters" in ours["model and training"]
    assert (
        "kl_weight 0.5 instead of 1.0, epochs 2 instead of 100, learning_rate 0.001 instead of 0.0001"
        in why["model and training"]
    )
    literature = why.filter(like="literature").iloc[0]
    assert f"{measured['zero_information_distortion']:.2f} thresholded" in literature
    assert literature.endswith(" (45.53 on MNIST) and 0.00")
    assert why["KL(q(z|x) || p(z|x))"].endswith(
        "; at kl_weight 0.5 the objective is not the ELBO, so q(z|x) is fitted to another posterior"
    )
    assert ours["batch normalisation"] == "neither model uses it"


def test_latent_npz_is_what_a_sweep_draws_from(executed, digits):
    with np.load(executed / "run" / "latent.npz") as saved:
        assert saved["manifold"].shape == (30, 30, 28, 28)
        assert saved["axes"].shape == (2, 30)
        assert saved["manifold_quantiles"].shape == (20, 20, 28, 28)
        assert saved["mean"].shape == (len(digits.test_images), 2)
        assert saved["labels"].tolist() == digits.test_labels.tolist()
        assert saved["epochs"].tolist() == [0, 1, 2]
        assert saved["fixed_sample"].shape == (3, 16, 28, 28, 1)
        first, _, last = saved["fixed_sample"].astype(int)
        assert abs(last - first).max() > 50  # the same codes, another decoder


def test_a_bad_architecture_stops_the_notebook_with_one_line_before_anything_is_written(tmp_path):
    message = "architecture must be one of conv, dense, not 'resnet'"
    assert_refused(NOTEBOOK, {"architecture": "resnet"}, message, tmp_path)


def test_the_caption_of_a_sweep_has_the_floor_of_black_and_white_pixels(executed):
    assert "No distortion can be below 0.00." in tables.caption(runs.read_runs([executed / "run"]))


def test_the_executed_notebook_shows_each_figure_and_table_once(executed):
    cells = nbformat.read(executed / "out.ipynb", nbformat.NO_CONVERT).cells
    outputs = [output.data for cell in cells for output in cell.get("outputs", []) if "data" in output]
    assert sum("image/png" in data for data in outputs) == 6
    assert sum("text/html" in data for data in outputs) == 8
    assert sum("text/markdown" in data for data in outputs) == 1


def test_the_models_are_those_of_the_tutorial():
    conv, dense = (build(1.0, 0) for build in ARCHITECTURES.values())
    assert shapes(conv.encoder) == [(13, 13, 32), (6, 6, 64), (2,), (2,)]
    assert shapes(conv.decoder) == [(7 * 7 * 32,), (14, 14, 64), (28, 28, 32), (28, 28, 1)]
    assert shapes(dense.encoder) == [(500,), (200,), (2,), (2,)]
    assert shapes(dense.decoder) == [(200,), (500,), (784,)]


def shapes(part):
    return [layer.output.shape[1:] for layer in part.layers if layer.count_params()]


@pytest.mark.parametrize(("architecture", "jit_compile"), [("conv", False), ("dense", True)])
def test_the_models_are_compiled_with_adam_and_without_xla_where_there_are_convolutions(architecture, jit_compile):
    vae = ARCHITECTURES[architecture](0.7, 0)
    assert type(vae.optimizer) is keras.optimizers.Adam
    assert float(vae.optimizer.learning_rate) == pytest.approx(1e-4)
    assert vae.jit_compile is jit_compile
    assert float(vae.kl_weight) == pytest.approx(0.7)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_seed_decides_the_initial_weights_and_the_kl_weight_does_not(architecture):
    def initial(kl_weight, seed):
        vae = ARCHITECTURES[architecture](kl_weight, seed)
        return np.concatenate([weight.numpy().ravel() for weight in vae.trainable_variables])

    assert np.array_equal(initial(0.0, 0), initial(20.0, 0))
    assert not np.array_equal(initial(0.0, 0), initial(0.0, 1))


def test_thresholded_keeps_half_and_more(digits):
    binary = lesson.thresholded(digits)
    for part in ("train_images", "validation_images", "test_images"):
        images, grey = getattr(binary, part), getattr(digits, part)
        assert images.dtype == np.float32
        assert (images[grey >= 0.5] == 1).all()
        assert (images[grey < 0.5] == 0).all()
        assert (grey[images == 1] == 0.5).any()  # the tutorial's rule for 0.5 itself
    assert np.mean((digits.train_images > 0) & (digits.train_images < 1)) > 0  # what was given stays grey
    assert binary.description == digits.description + "; thresholded at 0.5"
    assert (binary.name, binary.checksum) == (digits.name, digits.checksum)


def test_tossed_pixels_are_white_with_the_probability_of_their_grey():
    grey = np.repeat(np.array([0, 0.2, 0.9, 1], "float32"), 20_000)
    tosses = lesson.tossed(grey, seed=3)
    assert set(np.unique(tosses)) == {0, 1}
    assert tosses.reshape(4, -1).mean(axis=1) == pytest.approx([0, 0.2, 0.9, 1], abs=0.012)
    assert tosses[:20_000].sum() == 0
    assert tosses[60_000:].all()


def test_the_limits_of_grey_tossed_and_thresholded_images(digits):
    binary = lesson.thresholded(digits)
    table = lesson.binarisation_table(digits, binary, seed=0)
    assert table.index.tolist() == ["grey", "tossed", "thresholded"]
    assert table["normalised"].tolist() == ["no", "yes", "yes"]
    entropies, costs = table["entropy_floor"], table["zero_information_distortion"]
    assert entropies.tolist() == [BERNOULLI.floor(digits.test_images)] * 2 + [0]
    assert entropies["grey"] > 100
    assert costs["tossed"] == pytest.approx(costs["grey"], rel=0.01)  # tossing changes nothing on average
    p = np.clip(binary.train_images.mean(axis=0, dtype=float), 1e-7, 1 - 1e-7)
    by_hand = -np.log(np.where(binary.test_images == 1, p, 1 - p)).sum() / len(binary.test_images)
    assert costs["thresholded"] == pytest.approx(by_hand, rel=1e-5)
    assert costs["thresholded"] != pytest.approx(costs["grey"], rel=0.05)


def test_the_two_estimates_differ_by_the_noise_of_the_log_ratio(rng):
    """The decoder ignores z, so that the only noise is that of log p(z) - log q(z|x)."""
    blind = keras.Sequential(
        [keras.Input((2,)), keras.layers.Dense(784, kernel_initializer="zeros"), keras.layers.Reshape((28, 28, 1))]
    )
    blank = SimpleNamespace(decoder=blind, likelihood=BERNOULLI)
    mean = np.tile(np.array([[0.8, -1.5]], "float32"), (400, 1))
    deviation = np.array([0.5, 1.2], "float32")
    log_var = np.tile(2 * np.log(deviation), (400, 1))
    images = np.ones((400, 28, 28, 1), "float32")
    estimates = lesson.elbo_estimates(blank, images, mean, log_var, draws=50)
    rate = float(kl_divergence(mean[:1], log_var[:1])[0])
    assert estimates.analytic_kl == pytest.approx(-784 * np.log(2) - rate, rel=1e-6)
    assert estimates.single_sample.mean() == pytest.approx(-784 * np.log(2) - rate, abs=0.06)
    variance = np.sum(
        mean[0] ** 2 * deviation**2 + (1 - deviation**2) ** 2 / 2
    )  # of -z^2/2 + noise^2/2, z = m + s noise
    assert lesson.noise_of_one(estimates.single_sample) == pytest.approx(np.sqrt(variance), rel=0.03)
    assert lesson.noise_of_one(estimates.analytic_kl) == pytest.approx(0, abs=1e-3)


def test_at_the_true_posterior_a_single_sample_has_no_noise(rng):
    """p(x|z) = N(z, 1), so p(z|x) = N(x / 2, 1/2) and p(x) = N(0, 2), in two dimensions."""
    unit_normal = SimpleNamespace(nll=lambda x, mean: -norm.logpdf(x, mean).sum(axis=1))
    identity = keras.Sequential([keras.Input((2,)), keras.layers.Identity()])
    linear = SimpleNamespace(decoder=identity, likelihood=unit_normal)
    x = (np.sqrt(2) * rng.standard_normal((30, 2))).astype("float32")
    estimates = lesson.elbo_estimates(linear, x, x / 2, np.full_like(x, np.log(0.5)), draws=200)
    evidence = norm.logpdf(x, scale=np.sqrt(2)).sum(axis=1)  # (30,)
    assert estimates.single_sample == pytest.approx(np.tile(evidence, (200, 1)), abs=1e-4)
    assert lesson.noise_of_one(estimates.analytic_kl) > 0.5
    assert estimates.analytic_kl.mean(axis=0) == pytest.approx(evidence, abs=0.35)


def test_the_estimate_table_has_means_errors_and_both_noises():
    single, analytic = np.array([[1.0, 5.0], [3.0, 9.0]]), np.array([[2.0, 6.0], [2.0, 6.0]])  # (draws, images)
    table = lesson.estimate_table(lesson.Estimates(single, analytic))
    assert table["ELBO"].tolist() == [4.5, 4, 0.5]
    assert table["standard error"].tolist() == pytest.approx([2.5, 2, 0.5])  # of the image means 2, 7; 2, 6; 0, 1
    assert table["noise of one image"].tolist() == pytest.approx([np.sqrt(5), 0, np.sqrt(5)])  # variances 2 and 8
    assert table["noise of the mean of all images"].tolist() == pytest.approx([np.sqrt(4.5), 0, np.sqrt(4.5)])


def test_gradients_are_those_of_the_tutorial_s_formula_and_of_the_analytic_one(trained, rng):
    vae, binary, _ = trained
    images, noise = binary.train_images[:8], rng.standard_normal((8, 2)).astype("float32")
    with tf.GradientTape(persistent=True) as tape:
        mean, log_var = vae.encoder(images)
        z = mean + tf.exp(0.5 * log_var) * noise
        distortion = tf.reduce_sum(tf.nn.sigmoid_cross_entropy_with_logits(images, vae.decoder(z)), axis=(1, 2, 3))
        log_own = -0.5 * tf.reduce_sum((z - mean) ** 2 / tf.exp(log_var) + log_var, axis=1)
        log_prior = -0.5 * tf.reduce_sum(z**2, axis=1)
        single = tf.reduce_mean(distortion + 2 * (log_own - log_prior))
        analytic = tf.reduce_mean(distortion + tf.reduce_sum(mean**2 + tf.exp(log_var) - log_var - 1, axis=1))
    found = lesson.objective_gradients(vae, images, noise)
    for gradient, value in ((found.single_sample, single), (found.analytic_kl, analytic)):
        expected = np.concatenate([np.ravel(each) for each in tape.gradient(value, vae.trainable_variables)])
        assert np.abs(gradient - expected).max() < 1e-4 * np.abs(expected).max()
    assert np.abs(found.single_sample - found.analytic_kl).max() > 1e-3 * np.abs(found.analytic_kl).max()


def test_the_gradient_table_is_over_draws(trained):
    vae, binary, _ = trained
    images, rng = binary.train_images[:4], np.random.default_rng(7)
    pairs = [lesson.objective_gradients(vae, images, rng.standard_normal((4, 2), np.float32)) for _ in range(3)]
    table = lesson.gradient_table(vae, images, draws=3, seed=7)
    assert table.index.tolist() == ["single sample", "analytic KL", "difference"]
    each = [lesson.Estimates(one.single_sample.astype(float), one.analytic_kl.astype(float)).by_name() for one in pairs]
    for name in table.index:
        gradients = np.array([one[name] for one in each], float)  # (draws, weights)
        apart = [np.sum((gradients[i] - gradients[j]) ** 2) for i in range(3) for j in range(i)]
        expected = [np.sqrt(np.sum(gradients.mean(axis=0) ** 2)), np.sqrt(np.mean(apart) / 2)]
        expected.append(expected[1] / np.sqrt(3))
        assert table.loc[name].tolist() == pytest.approx(expected, rel=1e-5)


def test_without_weight_on_the_kl_the_gradients_are_the_same(digits):
    vae = ARCHITECTURES["dense"](0.0, 0, 1e-3)
    table = lesson.gradient_table(vae, digits.train_images[:4], draws=3)
    assert table.loc["single sample"].tolist() == table.loc["analytic KL"].tolist()
    assert (table.iloc[:2] > 0).all(axis=None)
    assert (table.loc["difference"] == 0).all()


def test_the_log_has_the_elbo_at_weight_1_whatever_was_trained(trained):
    _, _, history = trained
    history = pd.concat([history, history.assign(epoch=2)])
    table = lesson.elbo_log(history, [3.0, 1.0], [0, 2])
    assert table.index.tolist() == [2]
    expected = -(history["val_objective"] - history["val_rate"]).iloc[1]  # trained at weight 2
    assert table.iloc[0, 0] == pytest.approx(expected, rel=1e-5)
    assert table.columns[1] == "seconds on this machine (median 2.00)"
    assert table.iloc[0, 1] == 1


def test_a_strip_has_some_of_the_epochs_from_the_first_to_the_last(rng):
    images = rng.random((20, 16, 28, 28, 1))
    figure = lesson_figures.epoch_strip(range(20), images, "strip", rows=3, columns=2)
    panels = np.reshape(figure.axes, (3, 2))
    assert [axes.get_ylabel() for axes in panels[:, 0]] == ["epoch 0", "epoch 10", "epoch 19"]
    assert np.array_equal(np.asarray(panels[1, 1].images[0].get_array()), images[10, 1, ..., 0])
    few = lesson_figures.epoch_strip([0, 1], images[:2], "strip")
    assert len(few.axes) == 2 * 8


def test_a_picture_costs_its_image_what_the_likelihood_says(trained):
    vae, binary, _ = trained
    codes = {"one": np.zeros((5, 2), "float32"), "other": np.ones((5, 2), "float32")}
    costs = lesson.picture_distortions(vae, binary.test_images[:5], codes)
    for name, z in codes.items():
        p = latent.decode(vae, z).astype(float)
        by_hand = -np.log(np.where(binary.test_images[:5] == 1, p, 1 - p)).sum() / 5
        assert costs[name] == pytest.approx(by_hand, rel=1e-4)
    assert costs["one"] != pytest.approx(costs["other"], rel=1e-6)


def test_the_tutorial_s_gaussian_is_least_where_the_table_says(trained):
    vae, binary, _ = trained
    mean, log_var = latent.encode(vae, binary.test_images[:10])
    table = lesson.formula_table(vae, binary.test_images[:10], mean, log_var, batches=(1, 10))
    means = latent.decode(vae, mean)
    for size in (1, 10):
        images, decoded = binary.test_images[:size], means[:size]
        rates = np.asarray(kl_divergence(mean[:size], log_var[:size]))
        costs = -np.log(np.where(images == 1, decoded, 1 - decoded).astype(float)).sum(axis=(1, 2, 3))  # (size,)
        squares = np.sum((images - decoded) ** 2)
        as_written = minimize_scalar(lambda s, e=squares: 0.5 * e / (2 * s**2) + np.log(s), (0.1, 5))
        density = minimize_scalar(lambda s, x=images, m=decoded: -norm.logpdf(x, m, s).sum(), bounds=(0.01, 3))
        expected = [rates.sum(), rates.mean(), costs.sum(), costs.mean(), as_written.x, density.x]
        assert table.loc[size, list(lesson.FORMULA_LABELS)].tolist() == pytest.approx(expected, rel=1e-3)


def test_a_run_with_the_tutorial_s_settings_is_said_to_be_one():
    settings = {**tutorial.SETTINGS, "architecture": "dense", "batch_size": 100}
    measured = {"negative_elbo": 150.0, "nll": 149.0, "nll_above_quadrature": 0.1}
    anchors = {"entropy_floor": [45.53, 45.53, 0.0], "zero_information_distortion": [206.0, 206.1, 176.2]}
    limits = pd.DataFrame(anchors, index=["grey", "tossed", "thresholded"])
    estimates = lesson.Estimates(np.array([[1.0], [3.0]]), np.array([[2.0], [2.0]]))
    distortions = {lesson.POSTERIOR_DRAWS: 120.0, lesson.PRIOR_SAMPLES: 400.0}
    formulas = pd.DataFrame({column: [1.0, 2.0] for column in lesson.FORMULA_LABELS}, index=[1, 100])
    table = tutorial.comparison_table(settings, measured, limits, estimates, distortions, formulas, 7)
    rows = table.set_index("what")
    assert rows.loc["model and training", "why they differ"].startswith("same settings; ")
    in_notebook = rows.loc["ELBO of the test images, in the notebook that it names", "why they differ"]
    assert in_notebook.startswith(
        "epochs 100 instead of 10, architecture dense instead of conv, batch_size 100 instead"
    )
    assert rows.loc["ELBO against literature with dynamic binarisation", "why they differ"].endswith("45.53 and 0.00")
    assert rows.loc["KL(q(z|x) || p(z|x))", "ours"].startswith("1.00 nats/image")
    assert rows.loc["KL(q(z|x) || p(z|x))", "why they differ"].endswith("such a Gaussian")
    expected = "KL 1.0 and cross-entropy 1 for a batch of 1, 2.0 and 2 for a batch of 100"
    assert rows.loc["KL and cross-entropy of the dense model", "ours"] == expected


def test_mosaics_show_all_images_in_order_and_frames_name_their_epoch(rng):
    images = rng.random((16, 28, 28, 1))
    figure = lesson_figures.mosaics({"one": images, "other": 1 - images}, "two")
    panels = figure.axes
    assert [axes.get_title() for axes in panels] == ["one", "other"]
    shown = np.asarray(panels[0].images[0].get_array())
    assert np.array_equal(shown[1:29, 31:59], images[1, ..., 0])  # second in the first row
    assert np.array_equal(shown[31:59, 1:29], images[4, ..., 0])  # first in the second row
    assert {axes.images[0].get_clim() for axes in panels} == {(0, 1)}
    frames = list(lesson_figures.mosaic_frames([1, 5], [images, images], "title"))
    assert [frame.axes[0].get_title() for frame in frames] == ["after 1 epoch", "after 5 epochs"]
