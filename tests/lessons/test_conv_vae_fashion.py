"""Tutorial 002's notebook, run as a reader runs it, and the functions behind it."""

import json
import re
from dataclasses import replace

import keras
import nbformat
import numpy as np
import pandas as pd
import papermill
import pytest

from tests.first_cells import assert_refused
from tests.test_notebooks import assert_publishable, streams
from vae_core import runs, tutorials
from vae_core.errors import InputError
from vae_core.execution.notebook import execute_notebook
from vae_core.lessons.conv_vae_fashion import measures as lesson
from vae_core.lessons.conv_vae_fashion import tutorial
from vae_core.likelihoods import BERNOULLI
from vae_core.losses import kl_divergence
from vae_core.models import four_conv_decoder, four_conv_encoder, four_conv_vae
from vae_core.parameters import check_parameters

NOTEBOOK = runs.PROJECT / "notebooks" / "conv_vae_fashion.ipynb"
FILES = {
    *("config.json", "dataset.json", "history.csv", "measures.json", "record.json", "latent.npz", "model.weights.h5"),
    *("latent_scatter.png", "latent_scatters.png", "decoder_manifold.png", "decoder_manifold_windows.png"),
    *("tutorial_losses.png", tutorials.TUTORIAL_FILE),
}
PARAMETERS = {"dataset": "digits", "epochs": 2, "batch_size": 100, "point_z0": -3.0, "threads": 1}


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("conv_vae_fashion")
    execute_notebook(NOTEBOOK, folder / "out.ipynb", {**PARAMETERS, "run_dir": "run"}, cwd=folder)
    return folder


def outputs_of(path, kind):
    cells = nbformat.read(path, nbformat.NO_CONVERT).cells
    data = [output.get("data", {}) for cell in cells for output in cell.get("outputs", [])]
    return [shown[kind] for shown in data if kind in shown]


def test_the_notebook_runs_and_writes_a_whole_run_folder(executed):
    run = executed / "run"
    assert_publishable(executed / "out.ipynb")
    assert {path.name for path in run.iterdir()} == FILES
    assert runs.is_done(run)
    assert sum(path.stat().st_size for path in run.iterdir() if path.name not in runs.MODEL_FILES) < 1.5e6
    config = json.loads((run / "config.json").read_text())
    asked = set(papermill.inspect_notebook(str(NOTEBOOK))) - {"data_dir", "run_dir"}
    assert set(config) == asked | {"data_checksum"}
    assert (config["kl_weight"], config["compared_kl_weight"], config["dataset"]) == (0.392, 1.0, "digits")
    assert streams(executed / "out.ipynb") == ["written: run\n"]


def test_the_run_is_the_model_with_the_run_s_weight(executed):
    history = pd.read_csv(executed / "run" / "history.csv")
    assert history["epoch"].tolist() == [1, 2]
    np.testing.assert_allclose(history["objective"], history["distortion"] + 0.392 * history["rate"], rtol=1e-5)
    measured = json.loads((executed / "run" / "measures.json").read_text())
    assert measured["objective"] == pytest.approx(measured["distortion"] + 0.392 * measured["rate"], rel=1e-5)
    assert measured["rate"] == pytest.approx(measured["rate_z0"] + measured["rate_z1"], rel=1e-4)
    assert abs(measured["nll_above_quadrature"]) < 0.5
    for name in ("nll", "mutual_information", "marginal_kl", "knn_accuracy"):
        assert measured[f"{name}_se"] > 0
    latent = np.load(executed / "run" / "latent.npz")
    assert latent["mean"].shape == (measured["images"], 2)
    assert latent["manifold"].shape == (30, 30, 28, 28)
    inside = (np.abs(latent["mean"]) <= 3).all(axis=1).mean()
    assert measured["share_in_window"] == pytest.approx(inside)


def test_figures_and_tables_of_both_weights_are_shown(executed):
    assert len(outputs_of(executed / "out.ipynb", "image/png")) == 9
    tables = outputs_of(executed / "out.ipynb", "text/html")
    comparison = next(table for table in tables if "difference" in table)
    assert "kl_weight 0.392" in comparison
    assert "kl_weight 1" in comparison
    errors = re.findall(r"<th>(\w+)</th>(?:\s*<td>[-\d.]+</td>){3}\s*<td>([\d.]+)</td>", comparison)
    assert [name for name, _ in errors] == ["distortion", "rate", "negative_elbo", "nll"]
    assert all(float(error) > 0 for _, error in errors)
    note = next(
        text for text in outputs_of(executed / "out.ipynb", "text/markdown") if "compared with the tutorial" in text
    )
    assert (
        "dataset digits instead of fashion_mnist, epochs 2 instead of 10, batch_size 100 instead of 32; trained on"
        in note
    )
    assert "trained on 1,200 images and validated on the first 300" in note


def test_the_tutorial_s_numbers_stand_beside_those_of_this_run(executed):
    table = pd.read_csv(executed / "run" / tutorials.TUTORIAL_FILE, dtype=str).set_index("what")
    history = pd.read_csv(executed / "run" / "history.csv")
    assert table.loc["parameters, encoder and decoder", ["printed", "ours"]].tolist() == ["550,629", "550,629"]
    assert table.loc["validation loss per pixel, epoch 2", "printed"] == "0.3400"
    assert table.loc["training loss per pixel, epoch 1", "printed"] == "0.3641"
    for epoch in (1, 2):
        ours = float(table.loc[f"validation loss per pixel, epoch {epoch}", "ours"])
        assert ours == pytest.approx(history["val_objective"][epoch - 1] / 784, abs=6e-5)
    why = table.loc["training loss per pixel, epoch 1", "why they differ"]
    assert why.startswith(
        "dataset digits instead of fashion_mnist, batch_size 100 instead of 32; trained on 1,200 images"
    )
    beyond = "samples do not come from this whole window: 76% of its cells lie beyond 3 sigma"
    assert table.loc["range of the latent space", "why they differ"].startswith(beyond)
    assert table.loc["the point to decode", "ours"] == "(-3, 4): 4e-06 of the prior is farther out"


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("compared_kl_weight", -0.5, "compared_kl_weight must be at least 0, not -0.5"),
        ("point_z0", float("inf"), "point_z0 must be a finite number, not inf"),
        ("point_z1", 1e9, "point_z1 must be at most 100, not 1000000000.0"),
        ("point_z1", -101.0, "point_z1 must be at least -100, not -101.0"),
    ],
)
def test_weights_and_points_that_cannot_be_shown_are_refused(name, value, message):
    with pytest.raises(InputError, match=f"^{message}$"):
        check_parameters({name: value})


def test_a_bad_parameter_stops_the_notebook_with_one_line_before_anything_is_written(tmp_path):
    message = "compared_kl_weight must be at least 0, not -1.0"
    assert_refused(NOTEBOOK, {**PARAMETERS, "compared_kl_weight": -1.0}, message, tmp_path)


def test_the_tutorial_s_loss_is_the_one_that_it_writes(rng):
    images, outputs = rng.random((5, 28, 28, 1), np.float32), rng.normal(size=(5, 28, 28, 1)).astype("float32")
    mean, log_var = rng.normal(size=(2, 5, 2)).astype("float32")
    decoded = 1 / (1 + np.exp(-outputs))
    entropies = keras.losses.binary_crossentropy(images.reshape(5, -1), decoded.reshape(5, -1))  # means over pixels
    penalty = -5e-4 * np.mean(1 + log_var - mean**2 - np.exp(log_var), axis=-1)
    as_written = np.mean(np.asarray(entropies) + penalty)
    distortion, rate = np.mean(BERNOULLI.nll(images, outputs)), np.mean(kl_divergence(mean, log_var))
    assert tutorial.tutorial_loss(distortion, rate) == pytest.approx(as_written, rel=1e-5)
    kl_weight = tutorial.KL_WEIGHT
    assert kl_weight == pytest.approx(0.392)


def test_models_differ_by_their_weight_alone_and_equal_weights_are_trained_once(digits, tmp_path):
    few = replace(digits, train_images=digits.train_images[:64], validation_images=digits.validation_images[:32])
    few = replace(few, train_labels=few.train_labels[:64], validation_labels=few.validation_labels[:32])
    settings = {"epochs": 1, "batch_size": 64, "learning_rate": 1e-3, "seed": 0, "history_file": tmp_path / "h.csv"}
    vaes, histories, _ = lesson.train_at_each_weight((0.5, 2, 0.5), few, **settings)
    assert list(vaes) == list(histories) == [0.5, 2]
    assert list(lesson.by_name(vaes)) == ["kl_weight 0.5", "kl_weight 2"]
    assert [float(vae.kl_weight) for vae in vaes.values()] == [0.5, 2]
    one, other = (history.iloc[0] for history in histories.values())
    assert one["distortion"] == pytest.approx(other["distortion"])  # of the only batch, before the first step
    assert one["rate"] == pytest.approx(other["rate"])
    assert one["val_rate"] != pytest.approx(other["val_rate"])
    np.testing.assert_allclose(pd.read_csv(tmp_path / "h.csv")["objective"], one["objective"], atol=1e-5)


def test_shown_images_are_counted_as_in_the_training_file(digits):
    images, titles = tutorial.shown_images(digits)
    assert titles[0] == f"42: {digits.validation_labels[42]}"
    assert np.array_equal(images[0], digits.validation_images[42])
    assert titles[1] == f"420: {digits.train_labels[120]}"
    assert np.array_equal(images[1], digits.train_images[120])
    assert titles[2:] == [f"1200: {digits.train_labels[900]}", f"0: {digits.validation_labels[0]}"]


def test_the_model_has_the_printed_layers_and_parameters():
    parts = ((four_conv_encoder(), tutorial.ENCODER_LAYERS), (four_conv_decoder(), tutorial.DECODER_LAYERS))
    for part, printed in parts:
        table = tutorial.layer_table(part, printed)
        assert (table["parameters"] == table["parameters, tutorial 002"]).all()
        assert (table["output shape"] == table["output shape, tutorial 002"]).all()
        assert table.loc["sum", "parameters"] == tutorial.PARAMETERS[part.name]
    assert tutorial.PARAMETERS == {"encoder": 494_244, "decoder": 56_385, "encoder and decoder": 550_629}


@pytest.mark.parametrize("latent_dim", [1, 2, 20])
def test_the_builders_map_images_to_codes_and_codes_to_images_at_any_latent_dim(latent_dim):
    mean, log_var = four_conv_encoder(latent_dim)(np.zeros((3, 28, 28, 1)))
    assert mean.shape == log_var.shape == (3, latent_dim)
    assert four_conv_decoder(latent_dim)(np.zeros((3, latent_dim))).shape == (3, 28, 28, 1)


def test_hidden_layers_are_relu_and_outputs_are_linear():
    for part in (four_conv_encoder(), four_conv_decoder()):
        for layer in part.layers:
            if hasattr(layer, "activation"):
                expected = "linear" if layer.name in ("mean", "log_var", "outputs") else "relu"
                assert layer.activation.__name__ == expected, (part.name, layer.name)


def test_the_model_is_compiled_with_adam_and_without_xla():
    vae = four_conv_vae(0.7, 0)
    assert type(vae.optimizer) is keras.optimizers.Adam
    assert float(vae.optimizer.learning_rate) == pytest.approx(1e-3)
    assert vae.jit_compile is False
    assert float(vae.kl_weight) == pytest.approx(0.7)


def test_the_seed_decides_the_initial_weights_and_the_kl_weight_does_not():
    def initial(kl_weight, seed):
        vae = four_conv_vae(kl_weight, seed)
        return np.concatenate([weight.numpy().ravel() for weight in vae.trainable_variables])

    assert np.array_equal(initial(0.0, 0), initial(20.0, 0))
    assert not np.array_equal(initial(0.0, 0), initial(0.0, 1))


def test_settings_that_are_not_the_tutorial_s_are_named(digits):
    assert tutorial.differences_in_words(tutorial.SETTINGS, digits).startswith("trained on 1,200 images")
    other = {**tutorial.SETTINGS, "kl_weight": 1.0}
    assert tutorial.differences_in_words(other, digits).startswith("kl_weight 1.0 instead of 0.392; trained on")


def test_the_comparison_ends_with_the_second_model_minus_the_first_and_the_error_over_the_same_images(rng):
    noise = 100 * rng.random(50)  # of the images: the same in both models
    shift = np.tile([1.0, 5.0], 25)
    terms = {0.5: {"nll": noise}, 2.0: {"nll": noise + shift}}
    measured = {kl_weight: {**dict.fromkeys(lesson.COMPARED, 2.0)} for kl_weight in terms}
    for kl_weight, values in terms.items():
        measured[kl_weight]["nll"] = values["nll"].mean()
    table = lesson.weight_table(measured, terms)
    assert table.columns.tolist() == ["kl_weight 0.5", "kl_weight 2", "difference", "standard error"]
    assert table.loc["nll", "difference"] == "3.000"
    assert float(table.loc["nll", "standard error"]) == pytest.approx(2 / np.sqrt(49), abs=1e-3)
    assert table.loc["knn_accuracy"].tolist() == ["2.000", "2.000", "0.000", "-"]
    alone = lesson.weight_table({0.5: measured[0.5]}, {0.5: terms[0.5]})
    assert alone.columns.tolist() == ["kl_weight 0.5"]


def test_a_point_is_measured_against_the_prior_and_the_codes():
    # to the next code: 3.04, 1, 1, 7, 3, 3
    mean = np.array([[3.0, 0.0], [0.0, 0.5], [0.0, -0.5], [10.0, 0.0], [0.0, -20.0], [0.0, -23.0]])
    column = lesson.point_table((3.0, 4.0), {1.0: mean})["kl_weight 1"]
    assert column["distance from the origin"] == "5"
    assert float(column["prior density"]) == pytest.approx(np.exp(-12.5) / (2 * np.pi), rel=1e-2)
    assert float(column["prior samples farther out"]) == pytest.approx(np.exp(-12.5), rel=1e-2)
    assert column["test codes farther out"] == "0.5"
    assert column["distance to the nearest test code"] == "4"
    assert column["from one test code to the next, median"] == "3"


def test_pictures_stand_beside_the_right_ones(digits, rng):
    vaes = {kl_weight: four_conv_vae(kl_weight, seed) for kl_weight, seed in ((0.5, 0), (2.0, 1))}
    means = {kl_weight: rng.standard_normal((20, 2)).astype("float32") for kl_weight in vaes}
    images, point = digits.test_images[:20], (0.5, -0.5)
    rows = lesson.point_beside_nearest(vaes, means, point, images)
    repeated = lesson.reconstructions(vaes, means, images)
    assert (rows.shape, repeated.shape) == ((2, 3, 28, 28), (3, 20, 28, 28))
    np.testing.assert_array_equal(repeated[0], images[..., 0])
    np.testing.assert_allclose(lesson.decode_with_each(vaes, np.array([point]))[:, 0], rows[:, 0], atol=1e-6)
    for row, pictures, mean in zip(rows, repeated[1:], means.values(), strict=True):
        nearest = min(range(20), key=lambda i: (mean[i][0] - 0.5) ** 2 + (mean[i][1] + 0.5) ** 2)
        np.testing.assert_allclose(row[1], pictures[nearest], atol=1e-6)
        np.testing.assert_array_equal(row[2], images[nearest, ..., 0])
    assert not np.allclose(rows[0, 0], rows[1, 0])


def test_the_path_goes_from_the_origin_through_the_tutorial_s_start_to_the_point():
    path = lesson.path_to((-4.0, 4.0))
    assert path.tolist() == [[-z, z] for z in (0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4)]
    assert lesson.path_to((5.0, 1.0))[[0, 2, 8]].tolist() == [[0, 0], [-1, 1], [5, 1]]


def test_windows_hold_the_shares_that_they_should(rng):
    table = lesson.window_table({1.0: rng.standard_normal((200_000, 2))})
    np.testing.assert_allclose(table["test codes at kl_weight 1"], table["prior samples"], atol=0.003)
    assert table["prior samples"].tolist() == pytest.approx([0.9999988, 0.95**2, 0.99461], abs=1e-5)
    assert table["cells farther out than 3 sigma"].tolist() == pytest.approx([0.72, 0, 0.22], abs=0.07)
