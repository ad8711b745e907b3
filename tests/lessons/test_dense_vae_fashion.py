"""Tutorial 000's lesson: the grid of codes by hand, the mistake, the table, and the notebook itself."""

from types import SimpleNamespace

import keras
import nbformat
import numpy as np
import pandas as pd
import pytest
from keras import layers, ops

from tests.first_cells import assert_refused
from tests.test_notebooks import assert_publishable
from vae_core import runs
from vae_core.execution.notebook import execute_notebook
from vae_core.latent import sample_prior
from vae_core.lessons.dense_vae_fashion import figures, measures, tutorial
from vae_core.lessons.dense_vae_fashion.model import (
    AS_WRITTEN,
    FORGOTTEN,
    RIGHT,
    AsWritten,
    MeanForgotten,
    gelu_vae,
)
from vae_core.likelihoods import BERNOULLI
from vae_core.losses import kl_divergence
from vae_core.tutorials import TUTORIAL_FILE, tutorial_table

NOTEBOOK = runs.PROJECT / "notebooks" / "dense_vae_fashion.ipynb"
SMALL = {"dataset": "digits", "epochs": 2, "batch_size": 100, "latent_dim": 3, "kl_weight": 0.5}


@pytest.fixture
def rows_and_columns():
    """A grid of 2-D codes that are the grid's own row and column numbers: (3, 4, 2)."""
    return np.stack(np.meshgrid(np.arange(3.0), np.arange(4.0), indexing="ij"), axis=-1)


@pytest.fixture
def painter():
    """A VAE whose decoder paints the images evenly with the logit z[0]."""
    z = keras.Input((2,))
    logits = layers.Lambda(lambda z: ops.tile(z[:, :1, None, None], (1, 28, 28, 1)), output_shape=(28, 28, 1))(z)
    return SimpleNamespace(decoder=keras.Model(z, logits), likelihood=BERNOULLI)


@pytest.mark.parametrize("latent_dim, parameters", [(10, (134_870, 134_634)), (1, (133_052, 133_734))])
def test_the_layers_have_the_parameters_counted_by_hand(latent_dim, parameters):
    vae = gelu_vae(1.0, seed=0, latent_dim=latent_dim)
    hidden = 784 * 150 + 150 + 150 * 100 + 100
    assert vae.encoder.count_params() == hidden + 2 * (100 * latent_dim + latent_dim) == parameters[0]
    assert vae.decoder.count_params() == 100 * latent_dim + 100 + 15_150 + 150 * 784 + 784 == parameters[1]
    dense = [layer for layer in vae.encoder.layers if isinstance(layer, layers.Dense)]
    assert [layer.activation.__name__ for layer in dense] == ["gelu", "gelu", "linear", "linear"]
    assert isinstance(vae.optimizer, keras.optimizers.RMSprop)


def test_with_aligned_corners_the_originals_are_every_second_row_and_column(rows_and_columns):
    grid = measures.corners_aligned(rows_and_columns)
    np.testing.assert_allclose(grid[:, 3, 0], [0, 0.5, 1, 1.5, 2])
    np.testing.assert_allclose(grid[1, :, 1], [0, 0.5, 1, 1.5, 2, 2.5, 3])
    np.testing.assert_allclose(grid[::2, ::2], rows_and_columns)
    expected = np.zeros((5, 7), bool)
    expected[::2, ::2] = True
    np.testing.assert_array_equal(measures.originals_in(rows_and_columns, grid), expected)


def test_aligned_areas_leave_six_of_the_twelve_originals(rows_and_columns):
    grid = measures.areas_aligned(rows_and_columns)
    for axis, old, new in ((0, 3, 5), (1, 4, 7)):
        places = np.clip((np.arange(new) + 0.5) * old / new - 0.5, 0, old - 1)
        np.testing.assert_allclose(np.moveaxis(grid, axis, 0)[:, 2, axis], places, atol=1e-6)
    found = measures.originals_in(rows_and_columns, grid)
    assert np.argwhere(found).tolist() == [[row, column] for row in (0, 2, 4) for column in (0, 6)]


@pytest.mark.parametrize("latent_dim", [1, 10])
def test_grids_of_any_latent_size(latent_dim):
    codes = sample_prior(12, 0, latent_dim).reshape(3, 4, latent_dim)
    for resize, originals in ((measures.corners_aligned, 12), (measures.areas_aligned, 6)):
        grid = resize(codes)
        assert grid.shape == (5, 7, latent_dim)
        assert measures.originals_in(codes, grid).sum() == originals


def test_mixes_of_codes_shrink_as_means_of_samples_do(painter):
    table = measures.mix_table(painter, latent_dim=2, grids=500)
    assert table["cells"].tolist() == [12, 17, 6]
    np.testing.assert_allclose(table["expected distance"], [np.sqrt(2), 1, np.sqrt(1 / 2)])
    np.testing.assert_allclose(table["measured"], table["expected distance"], rtol=0.03)
    # in two dimensions the share of samples within radius r is 1 - exp(-r^2 / 2)
    assert table["prior nearer"].tolist() == [f"{1 - np.exp(-(r**2) / 2):.1%}" for r in (np.sqrt(2), 1, np.sqrt(1 / 2))]
    np.testing.assert_allclose(table["sharpness"], 0, atol=1e-9)  # the painter knows no edges


def test_cells_are_decoded_where_their_codes_are(painter, rows_and_columns):
    images = measures.decode_cells(painter, rows_and_columns)
    assert images.shape == (3, 4, 28, 28)
    np.testing.assert_allclose(images[:, :, 5, 7], 1 / (1 + np.exp(-rows_and_columns[:, :, 0])), rtol=1e-5)


def test_blends_go_from_one_image_to_the_other_by_pixels_and_by_codes(painter, rng):
    images, mean = rng.random((2, 28, 28, 1)), np.array([[-4.0, 1.0], [2.0, 0.0]])
    blended, decoded, coded = measures.blends(painter, images, mean, steps=4)  # (4, 28, 28) each
    np.testing.assert_allclose(blended[[0, -1]], images[..., 0])
    np.testing.assert_allclose(blended[1], (2 * images[0] + images[1])[..., 0] / 3)
    np.testing.assert_allclose(coded[:, 0, 0], 1 / (1 + np.exp([4, 2, 0, -2])), rtol=1e-5)
    np.testing.assert_allclose(decoded[:, 0, 0], np.linspace(coded[0, 0, 0], coded[-1, 0, 0], 4), rtol=1e-5)


def test_midpoints_are_compared_over_pairs_of_different_classes(painter):
    """Evenly grey images: black is class 0, white is class 1, and a judge that sees it."""
    grey = np.array([0.0, 1.0, 0.0, 0.0, 0.0, 1.0])  # of the test images: pairs (0, 0), (1, 0) and (0, 1)
    picture = np.ones((1, 28, 28, 1), "float32")
    dataset = SimpleNamespace(
        train_images=np.concatenate([0 * picture, picture]),
        test_images=grey[:, None, None, None] * picture,
        test_labels=grey.astype(int),
    )
    mean = np.stack([10 * grey - 5, 0 * grey], axis=1)  # logits -5 and 5

    def judge(images):
        black = images.mean(axis=(1, 2, 3)) < 0.4
        return np.where(black[:, None], [9.0, 0.0, 0.0], [0.0, 0.0, 9.0])  # what is not black, it takes for class 2

    table = measures.midpoint_table(painter, judge, dataset, mean, pairs=500)
    end = 1 / (1 + np.exp(5))  # how far -5 is from black
    expected = [0, 784 * end**2, 784 / 4, 784 / 4, 784 / 4]
    np.testing.assert_allclose(table["nearest training image"], expected, rtol=1e-3)
    np.testing.assert_allclose(table["standard error"], 0, atol=1e-3)  # black and white are equally far from grey
    np.testing.assert_allclose(table["one of the two"], [0.5, 0.5, 0, 0, 0])
    np.testing.assert_allclose(table["confidence"], 1 / (1 + 2 * np.exp(-9)), rtol=1e-6)


@pytest.mark.parametrize("kind, pixels", [(MeanForgotten, 1), (AsWritten, 784)])
def test_the_mistakes_start_as_the_right_model_and_draw_without_the_mean(digits, kind, pixels):
    images = digits.test_images[:8]
    right = gelu_vae(2.0, 3, 1e-3, 4)
    vae = gelu_vae(kl_weight=2.0, seed=3, learning_rate=1e-3, latent_dim=4, kind=kind)
    assert isinstance(vae.optimizer, keras.optimizers.RMSprop)
    for weights, others in zip(vae.get_weights(), right.get_weights(), strict=True):
        np.testing.assert_array_equal(weights, others)
    mean, log_var = np.full((8, 4), 7.0, "float32"), np.full((8, 4), -60.0, "float32")
    np.testing.assert_allclose(vae.draw(mean, log_var), 0, atol=1e-9)
    np.testing.assert_allclose(right.draw(mean, log_var), 7)
    logits = np.zeros((8, 28, 28, 1), "float32")
    expected = np.mean(BERNOULLI.nll(images, logits) + 2 * kl_divergence(mean, log_var)) / pixels
    assert float(vae.compute_loss(x=images, y_pred=(mean, log_var, logits))) == pytest.approx(float(expected), rel=1e-5)


def test_honest_terms_are_those_of_what_is_really_drawn(digits):
    images = digits.validation_images[:20]
    vaes = {RIGHT: gelu_vae(1.0, 0), FORGOTTEN: gelu_vae(1.0, 0, kind=MeanForgotten)}
    for vae in vaes.values():
        mean, log_var = vae.encoder.get_layer("mean"), vae.encoder.get_layer("log_var")
        for layer, value in ((mean, 3.0), (log_var, -1.0)):
            layer.set_weights([np.zeros((100, 10)), np.full(10, value)])
    histories = {name: pd.DataFrame({"val_objective": [9.0, 5.0]}) for name in vaes}
    table = measures.comparison(vaes, histories, images)
    of_width = 10 * 0.5 * (np.exp(-1) - 1 + 1)
    assert table["rate"].tolist() == pytest.approx([of_width + 45, of_width], rel=1e-5)
    assert table["negative_elbo"].tolist() == pytest.approx((table["distortion"] + table["rate"]).tolist(), rel=1e-5)
    assert table["its own objective says"].tolist() == [5, 5]
    assert table["size of the means"].tolist() == pytest.approx([3, 3])
    assert table["spread of log_var"].tolist() == pytest.approx([0, 0], abs=1e-6)


def test_draws_of_each_model_stand_below_the_images(digits):
    images, vae = digits.test_images[:5], gelu_vae(1.0, 0)
    pictures = measures.decoded_draws({"one": vae, "other": vae}, images)
    assert pictures.shape == (3, 5, 28, 28)
    np.testing.assert_array_equal(pictures[0], images[..., 0])
    assert 0 < pictures[1:].min() < pictures[1:].max() < 1
    assert not np.array_equal(pictures[1], pictures[2])  # each a draw of its own


def test_the_printed_losses_are_the_tutorials():
    printed = tutorial.printed_history()
    assert printed["epoch"].tolist() == list(range(1, 51))
    assert printed["objective"].iloc[[0, 9, 49]].tolist() == pytest.approx([340.8832, 283.7296, 278.0848])
    assert printed["val_objective"].iloc[[0, 9, 49]].tolist() == pytest.approx([310.1504, 280.9856, 275.7328])


PRINTED = "said; no printed loss is above 1.2 times the least"


def test_rows_of_losses_compare_the_same_epoch_and_name_other_settings():
    printed = tutorial.printed_history()
    shifts = {RIGHT: -78.4, FORGOTTEN: 0.784, AS_WRITTEN: 7.84}
    histories = {name: printed.assign(val_objective=printed["val_objective"] + nats) for name, nats in shifts.items()}
    histories[RIGHT]["objective"] += 78.4
    rows = tutorial_table("000", tutorial.loss_rows(histories, tutorial.SETTINGS, 55_000))
    assert rows["ours"].tolist() == [
        "1719",
        "0.4547 (356.4) with the mean; 0.3547 (278.0) mean forgotten; 0.3547 (278.0) mean forgotten, loss / 784",
        "0.2510 (196.8) with the mean",
        "0.3520 (276.0) mean forgotten",
        "0.3610 (283.0) mean forgotten, loss / 784",
        "0 of 50 epochs above it with the mean; 0 of 50 epochs above it mean forgotten; "
        "0 of 50 epochs above it mean forgotten, loss / 784",
        "0.1000 with the mean; 0.0010 mean forgotten; 0.0100 mean forgotten, loss / 784",
        "+0.0090 per pixel (+7.1 nats/image) at the same rate",
    ]
    assert rows["printed"].tolist() == ["1719", "0.3547 (278.0)", *3 * ["0.3510 (275.2)"], PRINTED, "-", "said"]
    assert rows["why they differ"][2].endswith("changes the loss by +0.1010 per pixel (+79.2 nats/image).")
    assert rows["why they differ"][6] == "The nearest: mean forgotten."
    assert not rows["why they differ"].str.contains("Other settings").any()

    short = {name: history[:2] for name, history in histories.items()}
    settings = tutorial.SETTINGS | {"epochs": 2, "dataset": "mnist", "batch_size": 100}
    rows = tutorial_table("000", tutorial.loss_rows(short, settings, 55_000))
    assert rows["printed"].tolist() == ["1719", "0.4132 (323.9)", *3 * ["0.3833 (300.5)"], PRINTED, "-", "said"]
    assert rows["ours"][0] == "550"
    other = (
        "Other settings: dataset mnist instead of fashion_mnist, epochs 2 instead of 50, batch_size 100 instead of 32. "
    )
    assert rows["why they differ"].str.startswith(other.strip()).tolist() == [False, *4 * [True], False, True, False]
    assert not rows["why they differ"].str.contains("The nearest").any()
    rows = tutorial_table("000", tutorial.loss_rows(short, tutorial.SETTINGS | {"epochs": 2}, 55_000))
    assert rows["why they differ"][6] == "Other settings: epochs 2 instead of 50. The nearest: mean forgotten."


def test_epochs_in_which_single_images_explode_are_counted_and_do_not_move_the_row():
    printed = tutorial.printed_history()
    spiked = printed.assign(val_objective=printed["val_objective"].where(printed["epoch"] != 50, 1e6))
    assert tutorial.exploded_epochs(printed) == 0
    assert tutorial.exploded_epochs(spiked) == 1
    histories = dict.fromkeys((RIGHT, FORGOTTEN, AS_WRITTEN), spiked)
    row = tutorial_table("000", tutorial.loss_rows(histories, tutorial.SETTINGS, 55_000)).iloc[2]
    assert float(row["ours"].split()[0]) == pytest.approx(float(row["printed"].split()[0]), abs=0.001)


def test_the_figure_says_whether_the_printed_losses_are_of_the_same_settings():
    assert (
        tutorial.figure_title({**tutorial.SETTINGS, "seed": 5}) == "Tutorial 000's printed validation losses, and ours"
    )
    title = tutorial.figure_title(dict.fromkeys(tutorial.SETTINGS, 0))
    assert "come from other settings" in title
    assert all(name in title for name in tutorial.SETTINGS)
    assert max(map(len, title.splitlines())) < 100


def test_the_figure_of_losses_has_them_per_pixel_and_in_nats():
    printed = tutorial.printed_history()
    figure = figures.losses_beside_printed(printed, {"one": printed[:1]}, "title")
    (axes,) = figure.axes
    assert [line.get_label() for line in axes.lines] == ["printed by tutorial 000", "ours, one"]
    assert axes.lines[0].get_ydata()[[0, -1]] == pytest.approx([0.3956, 0.3517])
    assert axes.lines[1].get_marker() == "o"
    figure.draw_without_rendering()
    (nats,) = axes.child_axes
    assert nats.get_ylim() == pytest.approx([784 * limit for limit in axes.get_ylim()])


def test_originals_are_framed_and_counted(rng):
    originals = np.zeros((5, 7), bool)
    originals[2, 6] = True
    grids = {"one": rng.random((5, 7, 28, 28)), "other": rng.random((5, 7, 28, 28))}
    figure = figures.grids_beside(grids, "", {"one": originals, "other": ~originals})
    (frame,) = figure.axes[0].patches
    assert (frame.get_xy(), frame.get_width()) == ((6 * 28 - 0.5, 2 * 28 - 0.5), 28)
    assert len(figure.axes[1].patches) == 34
    assert figure.axes[1].get_title() == "other: 34 originals"
    np.testing.assert_array_equal(figure.axes[0].images[0].get_array()[56:84, 168:], grids["one"][2, 6])


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dense_vae_fashion")
    execute_notebook(NOTEBOOK, folder / "out.ipynb", SMALL | {"run_dir": "run"}, cwd=folder)
    return folder


def test_the_notebook_leaves_a_whole_run_folder(executed):
    run = executed / "run"
    assert_publishable(executed / "out.ipynb")
    assert runs.is_done(run)
    config = runs.read_json(run / "config.json")
    assert {name: config[name] for name in SMALL} == SMALL
    assert (config["learning_rate"], config["seed"], config["threads"]) == (1e-3, 0, 1)
    size = sum(path.stat().st_size for path in run.iterdir() if path.name not in runs.MODEL_FILES)
    assert size < 1.5e6
    kept = np.load(run / "latent.npz")
    assert kept["mean"].shape == kept["log_var"].shape == (297, 3)
    assert kept["interpolation"].shape == (5, 7, 28, 28)
    np.testing.assert_array_equal(kept["interpolation"][::2, ::2], kept["prior_samples"])


def test_the_notebooks_measures_belong_to_the_model_with_the_mean(executed, digits):
    run = executed / "run"
    measured = runs.read_json(run / "measures.json")
    vae = gelu_vae(0.5, seed=0, latent_dim=3)
    vae(digits.test_images[:1])  # builds it
    vae.optimizer.build(vae.trainable_variables)
    vae.load_weights(run / "model.weights.h5")
    mean, log_var = vae.encoder(digits.test_images)
    assert measured["rate"] == pytest.approx(float(np.mean(kl_divergence(mean, log_var))), rel=1e-4)
    assert measured["objective"] == pytest.approx(measured["distortion"] + 0.5 * measured["rate"], rel=1e-5)
    assert measured["entropy_floor"] < measured["distortion"] < measured["negative_elbo"]
    assert measured["nll"] < measured["negative_elbo"]
    assert sum(measured[f"rate_z{i}"] for i in range(3)) == pytest.approx(measured["rate"], rel=1e-4)
    wanted = {"marginal_kl", "mutual_information", "active_units", "knn_accuracy", "prior_confidence"}
    assert wanted | {"zero_information_distortion", "images", "samples", "nll_se"} <= set(measured)


def test_the_notebooks_three_models_start_alike_and_part(executed):
    names = ("history.csv", "history_mean_forgotten.csv", "history_as_written.csv")
    right, forgotten, as_written = (pd.read_csv(executed / "run" / name) for name in names)
    for history in (right, forgotten, as_written):
        assert history["epoch"].tolist() == [1, 2]
        objective = history["distortion"] + 0.5 * history["rate"]
        np.testing.assert_allclose(history["objective"], objective, rtol=1e-5)
    assert right["val_objective"].iloc[-1] < forgotten["val_objective"].iloc[-1] < as_written["val_objective"].iloc[-1]


def test_the_notebooks_table_says_what_was_measured(executed):
    table = pd.read_csv(executed / "run" / TUTORIAL_FILE, dtype=str)
    assert table.columns.tolist() == ["tutorial", "what", "printed", "ours", "why they differ"]
    assert set(table["tutorial"]) == {"000"}
    assert table["ours"].notna().all()
    right = pd.read_csv(executed / "run" / "history.csv")["val_objective"].min()
    assert table["ours"][2] == f"{right / 784:.4f} ({right:.1f}) with the mean"
    assert table["ours"][9] == "6 of 12 are in the tutorial's grid, 12 of 12 with corners aligned"
    assert "kl_weight 0.5 instead of 1.0" in table["why they differ"][2]
    assert table["ours"][10].startswith("from the nearest training image: image ")
    cells = nbformat.read(executed / "out.ipynb", nbformat.NO_CONVERT).cells
    outputs = [output.data for cell in cells for output in cell.get("outputs", []) if "data" in output]
    assert sum("image/png" in data for data in outputs) == 9
    assert "dataset digits instead of fashion_mnist" in outputs[-1]["text/markdown"]


def test_a_bad_latent_size_stops_the_notebook_with_one_line_before_anything_is_written(tmp_path):
    message = "latent_dim must be at least 1, not 0"
    assert_refused(NOTEBOOK, {"latent_dim": 0}, message, tmp_path)
