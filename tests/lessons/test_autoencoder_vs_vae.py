"""The autoencoder beside the VAE: same weights and batches, known answers for what is measured, the notebook."""

from dataclasses import replace

import keras
import nbformat
import numpy as np
import pandas as pd
import papermill
import pytest
from scipy.special import expit
from scipy.stats import norm, skew

from tests.first_cells import assert_refused
from tests.test_notebooks import assert_publishable, streams
from vae_core import figures, latent, measures, runs, training, tutorials
from vae_core.errors import InputError
from vae_core.execution.notebook import execute_notebook
from vae_core.lessons.autoencoder_vs_vae import convergence, model, tutorial
from vae_core.lessons.autoencoder_vs_vae import figures as lesson_figures
from vae_core.lessons.autoencoder_vs_vae import measures as lesson
from vae_core.losses import kl_divergence

NOTEBOOK = runs.PROJECT / "notebooks" / "autoencoder_vs_vae.ipynb"
SMALL = {"dataset": "digits", "epochs": 1, "batch_size": 100, "hidden_units": 16, "latent_dim": 4, "seeds": 1}
FILES = {
    *("config.json", "dataset.json", "history.csv", "measures.json", "record.json", "latent.npz", "model.weights.h5"),
    *("autoencoder_history.csv", "parameterisations.csv", tutorials.TUTORIAL_FILE),
    *("curves.png", "reconstructions.png", "progress.png", "generated.png", "coordinates.png", "pca_2d.png"),
    *("pca_3d.png", "interpolations.png", "on_the_way.png", "parameterisations.png"),
}


@pytest.fixture(scope="module")
def few(digits):
    return replace(digits, train_images=digits.train_images[:160], validation_images=digits.validation_images[:64])


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("autoencoder")
    execute_notebook(NOTEBOOK, folder / "out.ipynb", {**SMALL, "run_dir": "run"}, cwd=folder)
    return folder


def one_vae(**sizes):
    return model.squared_error_vae(1.0, **sizes)


def histories(objectives, **columns):
    """What `train_parameterisations` returns; objectives: for each (name, seed) the val_objective per epoch."""
    tables = [
        pd.DataFrame(
            {"epoch": range(1, len(values) + 1), "val_objective": values, "parameterisation": name, "seed": seed}
        )
        for (name, seed), values in objectives.items()
    ]
    return pd.concat(tables, ignore_index=True).assign(initial_rate=1.0, negative_sigma=0.25, **columns)


def test_layers_have_the_shapes_that_the_docstrings_say():
    vae, plain = model.squared_error_vae(1.0, seed=0), model.plain_autoencoder(seed=0)
    hidden, head, decoder = 784 * 512 + 512, 512 * 30 + 30, 30 * 512 + 512 + 512 * 784 + 784
    assert vae.decoder.count_params() == plain.decoder.count_params() == decoder
    assert plain.encoder.count_params() == hidden + head
    for builder in model.PARAMETERISATIONS.values():
        assert builder(512, 30).count_params() == hidden + 2 * head
        assert [output.shape for output in builder(512, 30).outputs] == [(None, 30), (None, 30)]


def test_a_seed_gives_all_models_the_same_initial_weights():
    def weights(vae, second):
        hidden, mean = vae.encoder.layers[2], vae.encoder.get_layer("mean")
        return [
            part.get_weights()
            for part in (hidden, mean, *([vae.encoder.get_layer(second)] if second else []), vae.decoder)
        ]

    def equal(one, other):
        return all(np.array_equal(*pair) for parts in zip(one, other, strict=True) for pair in zip(*parts, strict=True))

    sizes = {"hidden_units": 8, "latent_dim": 4}
    first = weights(model.squared_error_vae(1.0, 3, **sizes), "log_var")
    for name in (model.SIGMA, model.SOFTPLUS_SIGMA):
        assert equal(first, weights(model.squared_error_vae(20.0, 3, **sizes, parameterisation=name), "sigma")), name
    del first[2]
    assert equal(first, weights(model.plain_autoencoder(3, **sizes), None))
    assert not equal(first, weights(model.plain_autoencoder(4, **sizes), None))


@pytest.mark.parametrize("builder", [model.sigma_encoder, model.softplus_sigma_encoder])
def test_sigma_encoders_give_the_log_variance_of_their_second_layer(digits, builder):
    encoder = builder(8, 4)
    hidden = keras.Model(encoder.input, encoder.layers[2].output)(digits.test_images[:50])
    kernel, bias = encoder.get_layer("sigma").get_weights()
    sigma = np.asarray(hidden) @ kernel + bias
    assert (sigma < 0).any()
    sigma = sigma if builder is model.sigma_encoder else np.log1p(np.exp(sigma))
    _, log_var = encoder(digits.test_images[:50])
    np.testing.assert_allclose(np.exp(log_var), sigma**2 + 1e-7, rtol=1e-3)


def test_the_autoencoder_decodes_the_mean_and_reports_the_squared_error_alone(few):
    plain = model.plain_autoencoder(seed=0, hidden_units=8, latent_dim=4)
    images = few.validation_images
    mean, log_var, logits = plain(images)
    np.testing.assert_array_equal(np.asarray(plain.decoder(mean)), np.asarray(logits))
    assert np.isneginf(np.asarray(log_var)).all()
    expected = np.sum((images - expit(np.asarray(logits))) ** 2) / len(images)
    assert float(plain.compute_loss(x=images, y_pred=(mean, log_var, logits))) == pytest.approx(expected, rel=1e-5)
    history, _ = training.train(plain, few, epochs=3, batch_size=32, seed=0)
    assert history.columns.tolist() == ["epoch", "objective", "distortion", "val_objective", "val_distortion"]
    np.testing.assert_array_equal(history["objective"], history["distortion"])
    assert history["val_objective"].iloc[-1] < expected - 1


def test_a_latent_size_without_three_principal_components_is_refused():
    model.check_latent_dim(3)
    with pytest.raises(InputError, match="latent_dim must be at least 3"):
        model.check_latent_dim(2)


def test_the_same_points_are_kept_before_training_and_after_six_epochs(rng):
    vae = model.squared_error_vae(1.0, seed=0, hidden_units=8, latent_dim=4)
    z = rng.standard_normal((5, 4))
    watched = model.watch_first_epochs(vae, z)
    for epoch in range(9):
        watched(epoch)
    assert watched.epochs == list(range(7))
    np.testing.assert_array_equal(watched.kept[model.GENERATED][6], latent.decode(vae, z))


def test_measures_are_sums_over_pixels_and_the_marginal_likelihood_is_right_where_it_is_known(digits):
    """A decoder that draws one image whatever the code is: -log p(x) is its squared error."""
    vae = model.squared_error_vae(0.5, seed=0, hidden_units=8, latent_dim=4)
    p = np.clip(digits.train_images.mean(axis=0), 0.001, 0.999).ravel()
    vae.decoder.set_weights([0 * w for w in vae.decoder.get_weights()[:-1]] + [np.log(p) - np.log1p(-p)])
    mean, log_var = latent.encode(vae, digits.test_images)
    measured = measures.measure_bound(vae, digits, mean, log_var, samples=2)
    error = np.mean(np.sum((digits.test_images - p.reshape(28, 28, 1)) ** 2, axis=(1, 2, 3)))
    rate = float(np.mean(kl_divergence(mean, log_var)))
    assert measured["distortion"] == pytest.approx(error, rel=1e-4)
    assert measured["zero_information_distortion"] == pytest.approx(error, rel=1e-2)
    assert measured["objective"] == pytest.approx(error + 0.5 * rate, rel=1e-4)
    assert measured["nll"] == pytest.approx(error, abs=0.1)
    assert (measured["images"], measured["samples"], measured["proposals"]) == (297, 2, 32)
    assert measured["entropy_floor"] == 0


def test_reconstruction_errors_by_hand():
    images, worse = np.zeros((2, 28, 28, 1)), np.reshape([0.2, 0.4], (2, 1, 1, 1))
    table = lesson.reconstruction_errors(images, {"good": images + 0.1, "bad": images + worse})
    assert table.loc["good", "squared_error"] == pytest.approx(7.84)
    assert table.loc["bad", "squared_error"] == pytest.approx(784 * (0.04 + 0.16) / 2)
    assert table.loc["bad", "per_pixel"] == pytest.approx(0.1)
    assert table.loc["bad", "more_than_first"] == pytest.approx(784 * 0.1 - 7.84)
    assert table.loc["bad", "more_than_first_se"] == pytest.approx(784 * 0.12 / 2)
    assert table.loc["good", "more_than_first_se"] == 0


def test_the_fitted_gaussian_has_the_codes_moments_also_where_they_lie_in_a_plane(rng):
    codes = rng.normal(size=(5000, 2)) @ [[2.0, 1.0, 0.0], [0.0, 1.0, 3.0]] + [5, 0, -5]
    samples = lesson.gaussian_samples(codes, 20_000, seed=0)
    np.testing.assert_allclose(samples.mean(axis=0), codes.mean(axis=0), atol=0.1)
    np.testing.assert_allclose(np.cov(samples.T), np.cov(codes.T), atol=0.4)


def test_coordinates_of_codes_that_are_known(rng):
    """One coordinate that is the prior, one that is shifted, narrow and informative, one that is skewed."""
    n = 100_000
    mean = np.stack([np.zeros(n), 3 + 0.5 * rng.standard_normal(n), rng.exponential(size=n) - 1], axis=1)
    log_var = np.log(np.broadcast_to([1, 0.04, 1e-6], (n, 3)))
    draws = latent.draw(mean, log_var, rng)[0]
    table = lesson.coordinates(mean, log_var, draws)
    assert table.index.tolist() == [2, 1, 0]
    assert table["rate"].tolist() == pytest.approx(
        [0.5 * (1e-6 + 1 - 1 - np.log(1e-6)), 0.5 * (0.04 + 9.25 - 1 - np.log(0.04)), 0], abs=0.05
    )
    assert table["variance of draws"].tolist() == pytest.approx([1, 0.29, 1], rel=0.03)
    assert table["skewness"].tolist() == pytest.approx([2, 0, 0], abs=0.15)
    within = norm.cdf((2 - 3) / 0.29**0.5)
    assert table["within ±2"].tolist() == pytest.approx([1 - np.exp(-3), within, 0.9545], abs=0.005)
    assert table["active"].tolist() == [True, True, False]
    worst = lesson.normality(table, n)
    assert worst["draws_largest_mean"] == pytest.approx(3, abs=0.02)
    assert worst["draws_least_variance"] == pytest.approx(0.29, rel=0.03)
    assert worst["draws_skewness_limit"] == pytest.approx(2.388 * np.sqrt(6 / n), rel=1e-3)


def test_the_largest_skewness_of_normal_coordinates_is_below_its_limit_in_95_of_100_cases(rng):
    largest = np.abs(skew(rng.standard_normal((400, 1000, 5)), axis=1)).max(axis=1)  # (400,)
    table = pd.DataFrame(0.0, index=range(5), columns=["mean of draws", "variance of draws", "skewness", "within ±2"])
    limit = lesson.normality(table, 1000)["draws_skewness_limit"]
    assert np.mean(largest < limit) == pytest.approx(0.95, abs=0.03)


def test_ranked_coordinates_go_from_the_first_to_the_last():
    table = pd.DataFrame(index=[7, 3, 9, 1, 0, 2, 8])
    assert lesson.some_coordinates(table, shown=3) == [7, 1, 8]
    assert lesson.some_coordinates(table.iloc[:3]) == [7, 3, 9]


def test_principal_components_are_in_units_of_the_codes_own_size(rng):
    codes = rng.normal(size=(20_000, 5)) * [30, 10, 5, 1, 1] + 100
    for scale in (1, 50):
        cloud, shares = lesson.principal_components(scale * codes)
        unit = np.sqrt((900 + 100 + 25 + 2) / 5)
        assert cloud.std(axis=0) == pytest.approx([30 / unit, 10 / unit, 5 / unit], rel=0.03)
        assert shares == pytest.approx([900 / 1027, 100 / 1027, 25 / 1027], rel=0.03)
    table = lesson.explained_table({"codes": shares}, 5)
    assert table.loc["N(0, I)"].tolist() == pytest.approx([0.2, 0.4, 0.6])
    assert table.loc["codes", "first two"] == pytest.approx(1000 / 1027, rel=0.01)


def test_codes_that_are_all_the_same_have_no_components():
    cloud, shares = lesson.principal_components(np.full((3000, 4), 5.3, np.float32))
    assert np.abs(cloud).max() < 1e-3
    assert shares.tolist() == [0, 0, 0]


def test_midpoints_are_outside_of_a_ring_and_not_of_a_disc(rng):
    angle = rng.uniform(0, 2 * np.pi, size=6000)
    ring = np.stack([np.cos(angle), np.sin(angle)], axis=1) + 0.01 * rng.standard_normal((6000, 2))
    disc = ring * np.sqrt(rng.uniform(size=(6000, 1)))
    assert lesson.midpoints_outside(ring[1000:], ring[:1000]) > 0.8
    assert lesson.midpoints_outside(disc[1000:], disc[:1000]) < 0.06
    assert lesson.midpoints_outside(50 * disc[1000:], 50 * disc[:1000]) < 0.06


def test_lines_between_codes():
    line = lesson.lines(np.zeros((2, 3)), np.array([[8.0, 0, 16], [1, 1, 1]]))
    assert line.shape == (2, 9, 3)
    np.testing.assert_allclose(line[0, :3], [[0, 0, 0], [1, 0, 2], [2, 0, 4]])
    np.testing.assert_allclose(line[:, -1], [[8, 0, 16], [1, 1, 1]])


def test_interpolations_begin_and_end_at_the_images_own_codes(digits):
    vae, plain = (make(seed=0, hidden_units=8, latent_dim=4) for make in (one_vae, model.plain_autoencoder))
    codes, mean = (latent.encode(one, digits.test_images[:20])[0] for one in (plain, vae))
    found = lesson.interpolations(plain, codes, vae, mean, [0, 5], [1, 6])
    assert {images.shape for images in found.values()} == {(2, 9, 28, 28, 1)}
    for name, one, where in ((lesson.AUTOENCODER, plain, codes), (lesson.VARIATIONAL, vae, mean)):
        np.testing.assert_allclose(found[name][:, 0], latent.decode(one, where[[0, 5]]), atol=1e-5)
        np.testing.assert_allclose(found[name][:, -1], latent.decode(one, where[[1, 6]]), atol=1e-5)


def test_generated_images_come_from_the_prior_and_from_each_models_own_codes(digits):
    vae, plain = (make(seed=0, hidden_units=8, latent_dim=4) for make in (one_vae, model.plain_autoencoder))
    far = np.random.default_rng(1).normal(size=(50, 4)) + 20
    drawn = lesson.generated(vae, far, plain, -far, seed=3, samples=6)
    assert list(drawn) == list(lesson.SETS)
    z = latent.sample_prior(6, 3, 4)
    np.testing.assert_array_equal(drawn["prior"], latent.decode(vae, z))
    np.testing.assert_array_equal(drawn["autoencoder_prior"], latent.decode(plain, z))
    np.testing.assert_array_equal(drawn["gaussian"], latent.decode(vae, lesson.gaussian_samples(far, 6, 3)))
    fitted = lesson.gaussian_samples(-far, 6, 3)
    np.testing.assert_array_equal(drawn["autoencoder_gaussian"], latent.decode(plain, fitted))


def test_pairs_are_of_different_classes(rng):
    labels = rng.integers(10, size=300)
    first, second = lesson.pairs_of_classes(labels, pairs=200)
    assert len(first) == len(second) == 200
    assert (labels[first] != labels[second]).all()
    places = lesson.one_of_each(labels, (3, 0))
    assert labels[places].tolist() == [3, 0]
    assert 3 not in labels[: places[0]]


def test_sequences_are_judged_image_by_image(rng):
    """A judge that looks at one pixel: the logit of class 1."""
    judge = keras.Sequential([keras.Input((28, 28, 1)), keras.layers.Flatten(), keras.layers.Dense(2)])
    kernel = np.zeros((784, 2))
    kernel[0, 1] = 1
    judge.set_weights([kernel, np.zeros(2)])
    images = rng.uniform(size=(4, 3, 28, 28, 1)).astype("float32")
    sure = lesson.confidences(judge, images)
    np.testing.assert_allclose(sure, expit(images[:, :, 0, 0, 0]), rtol=1e-5)
    table = lesson.midway_table({"x": sure}, {"x": images}, images[0])
    assert table.loc["x", "confidence"] == pytest.approx(sure[:, 1].mean())
    assert table.loc["x", "nearest"] == pytest.approx(lesson.nearest_errors(images[:, 1], images[0]).mean())


def test_the_nearest_image_is_found_and_its_squared_error(digits, rng):
    far = digits.train_images[[5, 70]] + [[[[0.01]]], [[[-0.02]]]]
    np.testing.assert_allclose(lesson.nearest_errors(far, digits.train_images), [0.0784, 0.3136], rtol=1e-2)
    measured = lesson.measure_nearest({"copies": digits.train_images[:9]}, digits)
    assert measured["copies_nearest"] == pytest.approx(0, abs=1e-3)
    assert measured["test_nearest"] > 1


def test_parameterisations_are_trained_and_the_run_is_not_trained_again(few):
    marked, seed = pd.DataFrame({"epoch": [1], "val_objective": [-1.0]}), 2**32 - 1
    settings = {"kl_weight": 1.0, "epochs": 1, "batch_size": 32, "learning_rate": 1e-3, "hidden_units": 4}
    table = model.train_parameterisations(few, marked, **settings, latent_dim=3, seed=seed, seeds=1)
    assert table["parameterisation"].tolist() == list(model.PARAMETERISATIONS)
    assert (table["seed"] == seed).all()
    assert table["val_objective"].iloc[0] == -1
    assert (table["val_objective"].iloc[1:] > 0).all()
    assert table["negative_sigma"].notna().tolist() == [False, True, False]
    assert 0.05 < table["negative_sigma"].iloc[1] < 0.95
    vae = model.squared_error_vae(1.0, seed, hidden_units=4, latent_dim=3, parameterisation=model.SIGMA)
    rate = np.mean(kl_divergence(*latent.encode(vae, few.validation_images)))
    assert table["initial_rate"].iloc[1] == pytest.approx(float(rate), rel=1e-5)


def test_seeds_begin_again_after_the_largest():
    assert model.seeds_from(5, 3) == [5, 6, 7]
    assert model.seeds_from(2**32 - 1, 3) == [2**32 - 1, 0, 1]


def test_convergence_by_hand():
    table = histories(
        {
            ("log-variance", 0): [50, 31.0, 30.5],
            ("log-variance", 1): [52, 40.0, 31.0],
            ("sigma", 0): [60, 35.0, 31.4],
            ("sigma", 1): [62, 44.0, 33.0],
            ("softplus-sigma", 0): [50, 31.2, 30.3],
            ("softplus-sigma", 1): [51, 39.0, 32.0],
        }
    )
    needed = convergence.epochs_needed(table)
    assert needed["log-variance"].tolist() == [2, 3]
    assert needed["sigma"].tolist() == pytest.approx([3, np.nan], nan_ok=True)
    assert needed["softplus-sigma"].tolist() == [2, 3]
    shown = convergence.convergence_table(table)
    column = shown["epochs to within 1 nat of log-variance's end"]
    assert column.tolist() == ["2.5 ± 0.7", "never with 1 of 2 seeds", "2.5 ± 0.7"]
    assert shown.loc["sigma", "val_objective, epoch 1"] == "61.00 ± 1.41"
    leads = convergence.measure_convergence(table)
    assert leads["seeds_compared"] == 2
    assert leads["negative_sigma"] == 0.25
    per_seed = np.array([(10 + 4 + 0.9) / 3, (10 + 4 + 2) / 3])
    assert leads["sigma_behind"] == pytest.approx(per_seed.mean())
    half = 12.706 * per_seed.std(ddof=1) / np.sqrt(2)  # Student's t with one degree of freedom
    assert leads["sigma_behind_interval"] == pytest.approx(half, rel=1e-4)
    assert leads["sigma_behind_last"] == pytest.approx((0.9 + 2) / 2)
    assert leads["sigma_behind_last_interval"] == pytest.approx(12.706 * 0.55, rel=1e-4)
    assert leads["log_variance_epochs_needed"] == leads["softplus_sigma_epochs_needed"] == 2.5
    assert "sigma_epochs_needed" not in leads
    assert "within 1 nat of log-variance's end not with every seed" in convergence.convergence_verdict(leads, "sigma")


@pytest.mark.parametrize(
    ("behind", "interval", "words"),
    [
        (2.0, 0.5, "its validation objective is higher on average over the epochs, the start included"),
        (-2.0, 0.5, "its validation objective is lower on average over the epochs, the start included"),
        (0.4, 0.5, "3 seeds show no difference on average over the epochs"),
        (2.0, None, "one seed cannot tell"),
    ],
)
def test_the_verdict_follows_the_numbers(behind, interval, words):
    measured = {"seeds_compared": 3, "softplus_sigma_behind": behind}
    measured |= {"softplus_sigma_behind_last": -0.3, "softplus_sigma_epochs_needed": 3.5}
    measured["log_variance_epochs_needed"] = 4
    measured |= {} if interval is None else {"softplus_sigma_behind_interval": interval}
    said = convergence.convergence_verdict(measured, "softplus-sigma")
    assert words in said
    assert f"on average over the epochs {abs(behind):.2f} nats {'above' if behind > 0 else 'below'} it" in said
    assert "after 3.5 epochs (log-variance after 4.0). In the last epoch it is 0.30 nats below log-variance" in said


def test_bands_go_from_the_least_to_the_greatest_seed_and_log_variance_is_the_zero_line():
    table = histories({(name, seed): [30 + seed, 20 - seed] for name in model.PARAMETERISATIONS for seed in (0, 2)})
    figure = lesson_figures.seed_bands(convergence.convergence_panels(table), "")
    left, right = figure.axes
    assert left.lines[0].get_ydata().tolist() == [31, 19]
    band = left.collections[0].get_paths()[0].vertices[:, 1]
    assert (band.min(), band.max()) == (18, 32)
    assert [line.get_label() for line in left.lines] == list(model.PARAMETERISATIONS)
    assert right.lines[0].get_ydata().tolist() == [0, 0]


def test_histograms_have_the_same_axes_and_name_the_peaks_that_are_cut(rng):
    codes = {"draws": rng.normal(size=(2000, 3)), "means": rng.normal(size=(2000, 3)) * [1, 0.01, 1]}
    figure = lesson_figures.coordinate_histograms(codes, [0, 1], "")
    assert len({axes.get_xlim() + axes.get_ylim() for axes in figure.axes}) == 1
    assert figure.axes[0].get_ylim()[1] == pytest.approx(3 * norm.pdf(0))
    assert [len(axes.texts) for axes in figure.axes] == [0, 0, 0, 1]


def test_planes_and_spaces_can_share_their_axes(rng):
    clouds = {"one": rng.normal(size=(50, 3)), "other": 3 * rng.normal(size=(50, 3))}
    labels, names = rng.integers(10, size=50), tuple("0123456789")
    flat = {name: cloud[:, :2] for name, cloud in clouds.items()}
    for axes in figures.planes(flat, labels, names, "", ("x", "y"), limit=9).axes:
        assert axes.get_xlim() == axes.get_ylim() == (-9, 9)
    for axes in figures.spaces(clouds, labels, names, "", ("x", "y", "z"), limit=9).axes:
        assert axes.get_xlim() == axes.get_ylim() == axes.get_zlim() == (-9, 9)


def test_mean_over_pixels_is_another_weight():
    assert lesson.mean_over_pixels() == pytest.approx(784)


def test_settings_that_are_not_the_tutorials_are_named():
    settings = {"dataset": "mnist", "kl_weight": 1.0, "latent_dim": 30, "epochs": 20}
    assert tutorials.differences(settings, tutorial.SETTINGS) == ""
    different = tutorials.differences(settings | {"dataset": "digits", "latent_dim": 4}, tutorial.SETTINGS)
    assert different == "dataset digits instead of mnist, latent_dim 4 instead of 30"


def test_the_notebook_leaves_a_whole_run(executed):
    assert_publishable(executed / "out.ipynb")
    assert [line.split(":")[0] for line in streams(executed / "out.ipynb")] == ["written"]
    run = executed / "run"
    assert {path.name for path in run.iterdir()} == FILES
    assert runs.is_done(run)
    config = runs.read_json(run / "config.json")
    assert {name: config[name] for name in SMALL} == SMALL
    assert set(papermill.inspect_notebook(str(NOTEBOOK))) == {*config, "data_dir", "run_dir"} - {"data_checksum"}
    assert sum(path.stat().st_size for path in run.iterdir() if path.name not in runs.MODEL_FILES) < 1_500_000


def test_the_notebooks_numbers_are_those_of_its_models(executed, digits):
    run, measured = executed / "run", runs.read_json(executed / "run" / "measures.json")
    arrays = np.load(run / "latent.npz")
    vae = model.squared_error_vae(1.0, 0, hidden_units=16, latent_dim=4)
    vae(digits.test_images[:1])
    vae.optimizer.build(vae.trainable_variables)
    vae.load_weights(run / "model.weights.h5")
    mean, log_var = latent.encode(vae, digits.test_images)
    np.testing.assert_allclose(arrays["mean"], mean, atol=1e-5)
    assert measured["rate"] == pytest.approx(float(np.mean(kl_divergence(mean, log_var))), rel=1e-4)
    error = np.sum((latent.decode(vae, mean) - digits.test_images) ** 2) / len(mean)
    assert measured["vae_squared_error"] == pytest.approx(error, rel=1e-4)
    assert measured["distortion"] == pytest.approx(error, rel=0.05)
    assert measured["negative_elbo"] == pytest.approx(measured["distortion"] + measured["rate"])
    assert measured["objective"] == pytest.approx(measured["negative_elbo"])
    assert measured["mutual_information"] + measured["marginal_kl"] == pytest.approx(measured["rate"], abs=0.5)
    wanted = {"nll_se", "active_units", "rate_z3", "knn_accuracy", "images", "samples", "zero_information_distortion"}
    assert wanted <= set(measured)
    assert "rate_z4" not in measured


def test_the_histories_of_both_models_and_of_the_parameterisations_are_kept(executed):
    history = pd.read_csv(executed / "run" / "history.csv")
    plain = pd.read_csv(executed / "run" / "autoencoder_history.csv")
    assert history["epoch"].tolist() == plain["epoch"].tolist() == [1]
    assert history["objective"].iloc[0] == pytest.approx((history["distortion"] + history["rate"]).iloc[0], rel=1e-5)
    assert "rate" not in plain
    trained = pd.read_csv(executed / "run" / "parameterisations.csv").set_index("parameterisation")
    assert trained.loc["log-variance", "val_objective"] == pytest.approx(history["val_objective"].iloc[0])
    assert trained["seed"].tolist() == [0, 0, 0]
    assert trained.loc["sigma", "initial_rate"] > trained.loc["log-variance", "initial_rate"]


def test_the_table_of_the_tutorial_has_the_runs_numbers(executed):
    document = pd.read_csv(executed / "run" / tutorials.TUTORIAL_FILE, dtype=str)
    measured = runs.read_json(executed / "run" / "measures.json")
    assert document.columns.tolist() == list(tutorials.COLUMNS)
    assert set(document["tutorial"]) == {"003"}
    assert document.notna().all(axis=None)
    assert not document.apply(lambda column: column.str.contains("|", regex=False)).any(axis=None)  # it is Markdown too
    ours = document.drop_duplicates("what").set_index("what")["ours"]
    assert f"{measured['autoencoder_squared_error']:.2f}" in ours["reconstructions (figure 5)"]
    assert f"{measured['autoencoder_midpoints_outside']:.1%}" in ours["convexity"]
    assert ours["loss, squared errors"] == "kl_weight 784 instead of 1"
    assert ours["progress (figure 4)"].count("after") == 1  # the last of the first epochs is the last of all
    assert "one seed cannot tell" in ours["log-variance"]
    cells = nbformat.read(executed / "out.ipynb", nbformat.NO_CONVERT).cells
    shown = [
        output.data.get("text/markdown", "") for cell in cells for output in cell.get("outputs", []) if "data" in output
    ]
    assert any(ours["convexity"] in text for text in shown)
    assert any(
        "not the tutorial's: dataset digits instead of mnist, latent_dim 4 instead of 30. " in text for text in shown
    )


def test_a_bad_parameter_stops_the_notebook_with_one_line_before_anything_is_written(tmp_path):
    message = "latent_dim must be at least 3, for principal components in three dimensions, not 2"
    assert_refused(NOTEBOOK, {**SMALL, "latent_dim": 2}, message, tmp_path)
