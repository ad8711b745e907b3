"""Conditional VAEs: labels reach every place that they should, known answers for what is measured, the notebook."""

import re

import keras
import nbformat
import numpy as np
import pandas as pd
import pytest
from keras import layers, ops
from scipy.optimize import minimize_scalar
from scipy.special import expit

from tests.first_cells import assert_refused
from tests.test_notebooks import assert_publishable, streams
from vae_core import latent, measures, runs, training, tutorials
from vae_core.errors import InputError
from vae_core.execution.notebook import execute_notebook
from vae_core.lessons.conditional_vae import measures as lesson
from vae_core.lessons.conditional_vae import model
from vae_core.lessons.conditional_vae.model import one_hot
from vae_core.likelihoods import SQUARED_ERROR
from vae_core.models import VAE, conv_decoder, conv_encoder
from vae_core.sweep import command
from vae_core.sweep.plan import plan

NOTEBOOK = runs.PROJECT / "notebooks" / "conditional_vae.ipynb"
RUN_FILES = {
    *("config.json", "dataset.json", "history.csv", "measures.json", "record.json", "latent.npz", "model.weights.h5"),
    *("loss_curves.png", "on_demand.png", "kernel_pca_2d.png", "kernel_pca_3d.png", "inpainting.png"),
    *("between_styles.png", "between_classes.png", "styles_and_classes.png", tutorials.TUTORIAL_FILE),
}


@pytest.fixture(params=["decoder", "both"])
def vae(request):
    """With weights that are not small, so that a label that is lost shows."""
    vae = model.conditional_vae(kl_weight=2.0, seed=0, latent_dim=4, labels_into=request.param)
    vae.encoder.set_weights([3 * weight for weight in vae.encoder.get_weights()])
    return vae


def direct_codes(vae, images, labels):
    told = [images, one_hot(labels)] if len(vae.encoder.inputs) == 2 else images
    return [np.asarray(part) for part in vae.encoder(told)]


def test_decoder_takes_ten_plus_ten_numbers():
    decoder = model.conditional_conv_decoder()
    assert [part.shape for part in decoder.inputs] == [(None, 10), (None, 10)]
    assert decoder.output.shape == (None, 28, 28, 1)
    assert decoder.count_params() == 21 * 1568 + (9 * 32 + 1) * 64 + (9 * 64 + 1) * 32 + 9 * 32 + 1
    assert decoder.count_params() == conv_decoder(10).count_params() + 10 * 1568


def test_encoder_with_labels_has_ten_more_channels_in_its_first_layer():
    encoder = model.labelled_conv_encoder()
    assert [part.shape for part in encoder.inputs] == [(None, 28, 28, 1), (None, 10)]
    assert [part.shape for part in encoder.outputs] == [(None, 10), (None, 10)]
    assert encoder.count_params() == conv_encoder(10).count_params() + 10 * 9 * 32


def test_a_label_is_the_same_number_on_the_whole_plane(digits):
    """Without padding, a constant plane adds the sum of its kernel to each filter: a bias for each class."""
    encoder = model.labelled_conv_encoder()
    first = next(layer for layer in encoder.layers if isinstance(layer, layers.Conv2D))
    kernel, bias = first.get_weights()  # (3, 3, 11, 32), (32,)
    told = keras.Model(encoder.inputs, first.output)([digits.test_images[:5], one_hot([3] * 5)])
    plain = layers.Conv2D(32, 3, strides=2, activation="relu")
    plain.build((None, 28, 28, 1))
    plain.set_weights([kernel[:, :, :1], bias + kernel[:, :, 4].sum(axis=(0, 1))])
    np.testing.assert_allclose(told, plain(digits.test_images[:5]), atol=1e-5)


def test_twins_start_from_the_same_weights_where_the_shapes_are_the_same():
    one, other = model.conditional_vae(1.0, seed=3), model.unconditional_vae(20.0, seed=3)
    weights = ([*vae.encoder.get_weights(), *vae.decoder.get_weights()] for vae in (one, other))
    pairs = list(zip(*weights, strict=True))
    same = [np.array_equal(a, b) for a, b in pairs if a.shape == b.shape]
    assert all(same)
    assert len(same) == len(pairs) - 1  # all but the decoder's first kernel


def test_objective_is_squared_errors_plus_weighted_rate_of_the_image_with_its_label(digits, vae):
    images, labels = vae.inputs(digits.train_images[:6], digits.train_labels[:6])
    np.testing.assert_array_equal(labels.argmax(axis=1), digits.train_labels[:6])
    mean, log_var, logits = (np.asarray(part) for part in vae((images, labels)))
    for part, expected in zip((mean, log_var), direct_codes(vae, images, digits.train_labels[:6]), strict=True):
        np.testing.assert_allclose(part, expected, rtol=1e-5)
    errors = np.square(images - expit(logits)).sum(axis=(1, 2, 3))
    rate = 0.5 * (np.exp(log_var) + mean**2 - 1 - log_var).sum(axis=1)
    loss = vae.compute_loss(x=(images, labels), y_pred=(mean, log_var, logits))
    assert float(loss) == pytest.approx(np.mean(errors + 2 * rate), rel=1e-5)


def test_training_learns_what_the_labels_say(digits):
    """The code is priced out of use, so that only the label can lower the distortion below that of one mean image."""
    vae = model.conditional_vae(kl_weight=100.0, seed=0, learning_rate=3e-3, latent_dim=3)
    history, _ = training.train(vae, digits, epochs=6, batch_size=50, seed=0)
    drawn = model.decode(vae, np.zeros((10, 3)), one_hot(np.arange(10)))
    nearest = np.square(drawn[:, None, ..., None] - model.class_means(digits)).sum(axis=(2, 3, 4)).argmin(axis=1)
    assert np.sum(nearest == np.arange(10)) >= 8
    assert history["rate"].iloc[-1] < 0.1
    np.testing.assert_allclose(history["objective"], history["distortion"] + 100 * history["rate"], rtol=1e-4)


def test_given_a_label_it_is_an_ordinary_vae_with_the_same_weights(digits, vae, rng):
    given, z = vae.given([7]), rng.normal(size=(5, 4))
    assert type(given) is VAE
    assert (float(given.kl_weight), given.likelihood) == (2.0, SQUARED_ERROR)
    sevens, threes = np.full(5, 7), np.full(5, 3)
    np.testing.assert_allclose(latent.outputs(given, z), vae.decoder([z, one_hot(sevens)]), atol=1e-6)
    assert np.abs(latent.outputs(given, z) - vae.decoder([z, one_hot(threes)])).max() > 1e-3
    codes = latent.encode(given, digits.test_images[:5])
    np.testing.assert_allclose(codes, direct_codes(vae, digits.test_images[:5], sevens), atol=1e-5)
    vae.decoder.set_weights([0 * weight for weight in vae.decoder.get_weights()])
    assert np.all(latent.outputs(given, z) == 0)


def test_class_by_class_gives_each_image_its_own_label_in_the_order_of_the_images(digits, vae):
    images, labels = digits.test_images[:40], digits.test_labels[:40]
    codes = model.class_by_class(vae, labels, latent.encode, images)
    np.testing.assert_allclose(codes, direct_codes(vae, images, labels), atol=1e-5)
    mean, log_var = codes[0], np.full_like(codes[1], -60)  # no noise
    terms = model.class_by_class(vae, labels, measures.terms, images, mean, log_var)
    decoded = expit(np.asarray(vae.decoder([mean, one_hot(labels)])))
    np.testing.assert_allclose(terms["distortion"], np.square(images - decoded).sum(axis=(1, 2, 3)), rtol=1e-4)
    np.testing.assert_allclose(terms["rate"], 0.5 * (mean**2 - 1 + 60).sum(axis=1), rtol=1e-4)
    each = vae.given(labels)
    np.testing.assert_allclose(latent.encode(each, images)[0], mean, atol=1e-5)
    np.testing.assert_allclose(latent.decode(each, mean), decoded, atol=1e-5)


def test_decode_combines_styles_and_labels(vae, rng):
    styles, labels = rng.normal(size=(3, 1, 4)), rng.dirichlet(np.ones(10), size=2)
    images = model.decode(vae, styles, labels)
    assert images.shape == (3, 2, 28, 28)
    for i in range(3):
        for j in range(2):
            expected = expit(np.asarray(vae.decoder([styles[i], labels[j][None]])))[0, ..., 0]
            np.testing.assert_allclose(images[i, j], expected, atol=1e-5)


def test_visible_pixels_leave_out_the_square():
    visible = model.visible_pixels(size=3, row=25, column=4)
    assert visible.shape == (28, 28, 1)
    rows, columns, _ = np.nonzero(~visible)
    assert set(rows) == {25, 26, 27}
    assert set(columns) == {4, 5, 6}


@pytest.mark.parametrize(("kl_weight", "scale"), [(0.0, 1.0), (1.0, 1.0), (50.0, 1.0), (0.0, 100.0)])
def test_best_guess_is_the_mode_given_the_visible_pixels(kl_weight, scale):
    """A decoder that draws every pixel with the logit z / scale: the mode minimises a function of one number."""
    images, z = keras.Input((28, 28, 1)), keras.Input((1,))
    mean = 0 * ops.mean(images, axis=(1, 2)) + scale
    logits = ops.reshape(z / scale, (-1, 1, 1, 1)) + ops.zeros((1, 28, 28, 1))
    vae = VAE(keras.Model(images, [mean, mean]), keras.Model(z, logits), kl_weight, seed=0, likelihood=SQUARED_ERROR)
    grey = np.full((2, 28, 28, 1), [[[[0.9]]], [[[0.3]]]], "float32")
    visible = model.visible_pixels(20, 0, 0)
    for image, guess in zip(grey, model.best_guess(vae, grey, visible), strict=True):

        def cost(z, pixel=image[0, 0, 0]):
            return visible.sum() * (pixel - expit(z / scale)) ** 2 + kl_weight * z**2 / 2

        best = minimize_scalar(cost, bracket=(-scale, scale)).x
        assert guess == pytest.approx(expit(best / scale), abs=0.02)


def test_best_guess_does_not_look_at_hidden_pixels_and_the_filling_leaves_the_others(digits):
    vae, twin = (make(1.0, seed=0, latent_dim=3) for make in (model.conditional_vae, model.unconditional_vae))
    visible, given = model.visible_pixels(10, 9, 9), vae.given([3])
    other = np.where(visible, digits.test_images[:4], 1).astype("float32")
    guess = model.best_guess(given, digits.test_images[:4], visible)
    np.testing.assert_array_equal(model.best_guess(given, other, visible), guess)
    filled = model.fill(vae, twin, digits, visible, number=20)
    images, labels = digits.test_images[:20], digits.test_labels[:20]
    assert list(filled) == list(model.FILLINGS)
    for guess in filled.values():
        np.testing.assert_array_equal(guess[:, visible], images[:, visible])
    assert filled["black"][:, ~visible].max() == 0
    means = np.stack([digits.train_images[digits.train_labels == label].mean(axis=0) for label in labels])
    np.testing.assert_allclose(filled["mean_of_the_class"][:, ~visible], means[:, ~visible], rtol=1e-5)
    errors = lesson.errors_inside(filled, digits, visible)
    assert errors["black"] == pytest.approx(np.square(images[:, 9:19, 9:19]).mean(axis=(1, 2, 3)), rel=1e-5)
    for name, told in (("label", labels), ("wrong_label", (labels + 1) % 10)):
        expected = model.best_guess(vae.given(told), images, visible)
        np.testing.assert_allclose(filled[f"{name}_best_guess"][:, ~visible], expected[:, ~visible], atol=1e-5)
    assert np.abs(filled["label_best_guess"] - filled["wrong_label_best_guess"]).max() > 1e-3
    cut = images[:1] * visible
    tutorials_way = vae.decoder([direct_codes(vae, cut, labels[:1])[0], one_hot(labels[:1])])
    np.testing.assert_allclose(filled["label_decoded_code"][0][~visible], expit(tutorials_way)[0][~visible], atol=1e-5)


def test_anchors_by_hand(digits):
    anchors = lesson.class_anchors(SQUARED_ERROR, digits)
    means = [digits.train_images[digits.train_labels == label].mean(axis=0) for label in range(10)]
    by_class = [
        np.sum((image - means[label]) ** 2) for image, label in zip(digits.test_images, digits.test_labels, strict=True)
    ]
    assert anchors["zero_information_distortion"] == pytest.approx(np.mean(by_class), rel=1e-5)
    of_all = [np.sum((image - digits.train_images.mean(axis=0)) ** 2) for image in digits.test_images]
    assert anchors["mean_image_distortion"] == pytest.approx(np.mean(of_all), rel=1e-5)


def test_codes_without_the_class_and_codes_that_are_the_class(rng):
    labels, train_labels = np.arange(3000) % 10, np.arange(6000) % 10
    none = lesson.measure_clusters(rng.normal(size=(3000, 4)), labels, rng.normal(size=(6000, 4)), train_labels)
    assert none["draws_knn_accuracy"] == pytest.approx(0.1, abs=0.03)
    assert none["chance_knn_accuracy"] == pytest.approx(0.1, abs=0.03)
    assert none["class_information"] == pytest.approx(0, abs=0.03)
    assert none["silhouette"] < 0.01  # a little below 0: of nine other classes, the nearest counts
    centers = 100 * np.eye(10)
    near, train_near = (centers[those] + rng.normal(size=(len(those), 10)) for those in (labels, train_labels))
    all_of_it = lesson.measure_clusters(near, labels, train_near, train_labels)
    assert all_of_it["draws_knn_accuracy"] == 1
    assert all_of_it["chance_knn_accuracy"] == pytest.approx(0.1, abs=0.03)
    all_of_it["chance_knn_accuracy"] = 0.1
    assert all_of_it["class_information"] == pytest.approx(np.log(10), abs=1e-3)
    assert all_of_it["silhouette"] > 0.9
    assert "tell no more of the class than chance" in lesson.clusters_verdict(none, all_of_it)
    verdict = lesson.clusters_verdict(all_of_it, all_of_it)
    assert "a lead of 90.0% over chance, 100% of the lead that codes without labels have" in verdict
    assert lesson.clusters_verdict(all_of_it, none | {"draws_knn_accuracy": 0.05}).endswith("over chance.")


def test_chance_is_what_the_vote_reaches_when_classes_are_not_equally_frequent(rng):
    """Less than the share of the most frequent class, which a vote of ten does not always name."""
    shares = np.array([0.2, *[0.8 / 9] * 9])
    labels, train_labels = rng.choice(10, size=3000, p=shares), rng.choice(10, size=6000, p=shares)
    none = lesson.measure_clusters(rng.normal(size=(3000, 4)), labels, rng.normal(size=(6000, 4)), train_labels)
    error = np.hypot(none["draws_knn_accuracy_se"], none["chance_knn_accuracy_se"])
    assert none["draws_knn_accuracy"] == pytest.approx(none["chance_knn_accuracy"], abs=3 * error)
    assert none["chance_knn_accuracy"] < 0.2 - 3 * error
    slightly = none | {"draws_knn_accuracy": none["chance_knn_accuracy"] + 4 * error}  # and yet below 20 %
    assert "still tell something" in lesson.clusters_verdict(slightly, none)


def test_class_information_of_two_gaussians_is_what_their_overlap_leaves(rng):
    """I(y; z) for two unit Gaussians at -1 and 1, by quadrature."""
    labels, train_labels = np.arange(20_000) % 2, np.arange(20_001) % 2
    codes, train_codes = (
        2.0 * those[:, None] - 1 + rng.normal(size=(len(those), 1)) for those in (labels, train_labels)
    )
    z = np.linspace(-8, 8, 4001)
    density = np.exp(-((z - 1) ** 2) / 2) / np.sqrt(2 * np.pi)
    exact = np.log(2) - np.sum(density * np.log1p(np.exp(-2 * z))) * (z[1] - z[0])
    measured = lesson.measure_clusters(codes, labels, train_codes, train_labels)
    assert measured["class_information"] == pytest.approx(exact, abs=4 * measured["class_information_se"] + 1e-3)


def brightest_of_ten() -> keras.Model:
    """A judge whose logits are the first ten pixels of the first row."""
    judge = keras.Sequential([keras.Input((28, 28, 1)), layers.Flatten(), layers.Dense(10)])
    judge.set_weights([np.eye(784, 10), np.zeros(10)])
    return judge


def test_images_asked_for_are_counted_by_column(digits):
    drawn = np.zeros((4, 10, 28, 28), "float32")
    drawn[:, np.arange(10), 0, np.arange(10)] = 1  # each column is what it was asked to be,
    drawn[3, 2, 0, 5] = 2  # but for one image that was to be a 2
    assert lesson.as_asked(brightest_of_ten(), drawn).sum() == 39
    measured = lesson.measure_images(brightest_of_ten(), drawn, {}, {})
    assert measured == pytest.approx({"asked_accuracy": 0.975, "asked_accuracy_se": 0.025})  # of rows 1, 1, 1, 0.9
    table = lesson.asked_table(brightest_of_ten(), drawn, digits)
    assert table.index.tolist() == [*digits.class_names, "all"]
    assert table["asked for, taken for it"].str.split(" ").str[0].tolist()[:4] == [
        "100.0%",
        "100.0%",
        "75.0%",
        "100.0%",
    ]
    assert table["else mostly for"].tolist() == ["-", "-", "5", *["-"] * 7, ""]
    assert table.loc["all", "asked for, taken for it"] == "97.5% ± 2.5%"


def test_paths_begin_and_end_at_styles_and_classes(vae):
    paths = model.decode_paths(vae, latent_dim=4, number=5, steps=7)
    assert list(paths) == list(model.PATHS)
    assert {images.shape for images in paths.values()} == {(5, 7, 28, 28)}
    np.testing.assert_allclose(paths["both"][:, 0], paths["between_styles"][:, 0], atol=1e-6)
    np.testing.assert_allclose(paths["both"][:, 0], paths["between_classes"][:, 0], atol=1e-6)
    assert np.abs(paths["both"][:, -1] - paths["between_styles"][:, -1]).max() > 1e-3
    assert np.abs(paths["both"][:, -1] - paths["between_classes"][:, -1]).max() > 1e-3


def test_kernel_pca_does_not_depend_on_the_scale_of_the_codes(rng):
    codes = rng.normal(size=(200, 5))
    assert lesson.kernel_width(7 * codes) == pytest.approx(7 * lesson.kernel_width(codes))
    one, other = (np.abs(lesson.kernel_pca(scale * codes)) for scale in (1, 7))
    assert one.shape == (200, 3)
    np.testing.assert_allclose(one, other, atol=1e-6)


def test_codes_that_are_all_the_same_have_a_kernel_pca():
    np.testing.assert_allclose(lesson.kernel_pca(np.full((300, 5), 0.7)), np.zeros((300, 3)), atol=1e-6)


GOOD = {"latent_dim": 10, "label": 7, "cutout_size": 10, "cutout_row": 9, "cutout_column": 9}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"latent_dim": 2}, "latent_dim must be at least 3 for the codes in three dimensions, not 2"),
        ({"label": 10}, "label must be one of 0 to 9, the numbers of the classes, not 10"),
        ({"label": -1}, "label must be one of 0 to 9"),
        ({"label": 3.0}, "label must be one of 0 to 9"),
        ({"cutout_size": 29}, "the cut-out is larger than the image: cutout_size must be at most 28, not 29"),
        ({"cutout_size": 0}, "cutout_size must be a whole number, 1 or more, not 0"),
        ({"cutout_size": 2.5}, "cutout_size must be a whole number"),
        ({"cutout_row": 19}, "the cut-out leaves the image: cutout_row must be at most 18, not 19"),
        ({"cutout_column": -1}, "cutout_column must be a whole number, 0 or more, not -1"),
        ({"cutout_column": 28}, "the cut-out leaves the image: cutout_column must be at most 18, not 28"),
    ],
)
def test_what_cannot_be_shown_is_refused(changed, message):
    model.check_what_is_shown(**GOOD)
    with pytest.raises(InputError, match=f"^{message}"):
        model.check_what_is_shown(**{**GOOD, **changed})


def test_a_bad_label_stops_the_notebook_with_one_line_before_anything_is_written(tmp_path):
    message = "label must be one of 0 to 9, the numbers of the classes, not 12"
    assert_refused(NOTEBOOK, {"label": 12}, message, tmp_path)


def test_a_sweep_takes_a_parameter_that_is_a_word():
    options = ["--notebook", "conditional_vae", "--dataset", "digits", "--kl-weights", "2", "-p", "labels_into", "both"]
    (planned,) = plan(command.parser().parse_args(options)).sweeps[0].runs
    assert (planned.config["labels_into"], planned.config["label"], planned.config["epochs"]) == ("both", 7, 20)


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("conditional_vae")
    parameters = {"dataset": "digits", "epochs": 1, "batch_size": 300, "latent_dim": 3, "kl_weight": 0.5}
    execute_notebook(NOTEBOOK, folder / "out.ipynb", {**parameters, "run_dir": "run"}, cwd=folder)
    return folder


def test_the_run_is_whole_and_its_numbers_agree(executed, digits):
    run = executed / "run"
    assert runs.is_done(run)
    assert {path.name for path in run.iterdir()} == RUN_FILES
    assert sum(path.stat().st_size for path in run.iterdir() if path.name not in runs.MODEL_FILES) < 1.5e6
    history, measured = pd.read_csv(run / "history.csv"), runs.read_json(run / "measures.json")
    np.testing.assert_allclose(history["objective"], history["distortion"] + 0.5 * history["rate"], rtol=1e-5)
    assert measured["objective"] == pytest.approx(measured["distortion"] + 0.5 * measured["rate"], rel=1e-6)
    assert measured["negative_elbo"] == pytest.approx(measured["distortion"] + measured["rate"], rel=1e-6)
    assert measured["nll"] < measured["negative_elbo"]
    assert sum(measured[f"rate_z{i}"] for i in range(3)) == pytest.approx(measured["rate"], rel=1e-4)
    assert measured["images"] == len(digits.test_images)
    assert {"mutual_information", "marginal_kl", "active_units", "knn_accuracy", "nll_se"} <= set(measured)
    assert {"unconditional_rate", "asked_accuracy", "inpainting_wrong_label_best_guess"} <= set(measured)
    assert measured["entropy_floor"] == 0  # of squared errors


def test_the_model_can_be_read_back(executed, digits):
    vae = model.conditional_vae(0.5, seed=0, latent_dim=3)
    vae(vae.inputs(digits.test_images[:1], digits.test_labels[:1]))  # builds it
    vae.optimizer.build(vae.trainable_variables)  # whose state is saved too
    vae.load_weights(executed / "run" / "model.weights.h5")
    kept = np.load(executed / "run" / "latent.npz")
    np.testing.assert_allclose(latent.encode(vae, digits.test_images)[0], kept["mean"], atol=1e-4)
    drawn = model.decode(vae, kept["styles"][:, None], one_hot(np.arange(10)))
    np.testing.assert_allclose(drawn, kept["on_demand"] / 255, atol=0.51 / 255)


def test_the_notebook_can_be_published_and_shows_what_it_says(executed):
    assert_publishable(executed / "out.ipynb")
    assert streams(executed / "out.ipynb") == ["written: run\n"]
    cells = nbformat.read(executed / "out.ipynb", nbformat.NO_CONVERT).cells
    outputs = [output.data for cell in cells for output in cell.get("outputs", []) if "data" in output]
    assert sum("image/png" in data for data in outputs) == 9
    markdown = [data["text/markdown"] for data in outputs if "text/markdown" in data]
    assert any("of the class" in text for text in markdown)
    unlike = "dataset digits instead of mnist, kl_weight 0.5 instead of 1, latent_dim 3 instead of 10. "
    assert any(unlike in text for text in markdown)
    compared = pd.read_csv(executed / "run" / tutorials.TUTORIAL_FILE, dtype=str)
    assert compared.columns.tolist() == list(tutorials.COLUMNS)
    assert compared["ours"][0] == "3 + 10 = 13"
    measured = runs.read_json(executed / "run" / "measures.json")
    saved = measured["unconditional_rate"] - measured["rate"]
    assert measured["rate_saved"] == pytest.approx(saved, abs=1e-4)
    assert f": {saved:.2f} ± {measured['rate_saved_se']:.2f} less" in compared["ours"][2]
    assert (measured["samples"], measured["proposals"]) == (8, 32)
    assert not re.search("nan|inf ", " ".join(compared["ours"]))
