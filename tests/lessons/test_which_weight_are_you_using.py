"""The notebook on the kl_weight of a loss, run as a reader runs it, and the proof and the trainings behind it."""

import re

import nbformat
import numpy as np
import pandas as pd
import pytest

from tests.test_notebooks import assert_publishable
from vae_core import figures, runs
from vae_core.execution.notebook import execute_notebook
from vae_core.lessons.which_weight_are_you_using import measures, model
from vae_core.lessons.which_weight_are_you_using.published import BY_NAME, PUBLISHED
from vae_core.models import reference_vae

OFF_SCALE = ("Chollet, first edition", "Keras example with deconvolutions, old")
ON_SCALE = [row for row in PUBLISHED if row.kl_weight is not None]


def test_the_table_has_the_known_weights():
    weights = {row.name: row.kl_weight for row in PUBLISHED}
    expected = {"tutorial 000": 1, "tutorial 002": 0.392, "tutorial 003": 0.5, "tutorial 004": 1, "PyTorch example": 1}
    expected |= {"Chollet, second and third edition": 0.5, "Keras example": 1, "Keras guide to subclassing": 12.25}
    expected |= {"Keras example, given colour images": 3, "Foster, second edition, Fashion-MNIST": 2.048}
    assert {name: weights[name] for name in expected} == pytest.approx(expected)
    table = measures.conversion_table()
    assert table.index.is_unique
    assert table.loc["tutorial 003", "ELBO if pixels deviate by"] == "0.71"  # a variance of 1/2
    assert list(table.index[table["kl_weight"] == "none"]) == list(OFF_SCALE)
    assert list(measures.source_table().index) == list(table.index)


@pytest.mark.parametrize("row", ON_SCALE, ids=lambda row: row.name)
def test_the_gradient_of_the_published_loss_is_parallel_to_that_of_the_objective(row):
    found = measures.gradients(row)
    right = measures.compare_gradients(*found, row.kl_weight)
    assert right["cosine"] == pytest.approx(1, abs=1e-12)
    assert right["angle"] < 1e-9  # degrees
    for factor in (0.9, 1.1):
        assert measures.compare_gradients(*found, factor * row.kl_weight)["angle"] > 1e-4
    assert measures.nearest_kl_weight(*found) == pytest.approx(row.kl_weight, rel=1e-6)


@pytest.mark.parametrize("name", OFF_SCALE)
def test_no_weight_makes_a_code_drawn_with_the_variance_parallel(name):
    found = measures.gradients(BY_NAME[name])
    grid = np.geomspace(0.01, 10, 500)
    angles = [measures.compare_gradients(*found, weight)["angle"] for weight in grid]
    assert min(angles) > 1e-2
    assert measures.nearest_kl_weight(*found) == pytest.approx(grid[np.argmin(angles)], rel=0.05)


def test_the_answer_to_a_loss_off_the_scale_says_what_to_do():
    assert measures.answer(0.001, 0.392) == "The factor before the KL term is 0.001; the kl_weight is **0.392**."
    answer = measures.answer(0.001, None)
    assert "there is **no kl_weight**" in answer
    assert "Draw z with exp(log_var / 2)" in answer


def test_the_length_of_the_gradient_is_the_factor_on_the_whole_loss():
    expected = {"tutorial 000": 1 / 784, "Keras example": 1, "PyTorch example": measures.BATCH_SIZE, "tutorial 003": 2}
    for name, length in expected.items():
        row = BY_NAME[name]
        found = measures.compare_gradients(*measures.gradients(row), row.kl_weight)
        assert found["length_ratio"] == pytest.approx(length, rel=1e-6)


def test_angle_cosine_and_nearest_weight_by_hand():
    loss, distortion, rate = np.array([1.0, 1.0]), np.array([1.0, 0.0]), np.array([0.0, 2.0])
    found = measures.compare_gradients(loss, distortion, rate, 0)
    assert (found["angle"], found["cosine"]) == (pytest.approx(45), pytest.approx(0.5**0.5))
    assert found["length_ratio"] == pytest.approx(2**0.5)
    assert measures.nearest_kl_weight(loss, distortion, rate) == pytest.approx(0.5)


def test_a_custom_loss_trains_and_the_usual_losses_are_reported(digits):
    images = digits.train_images[:64]
    factor = 4 / model.means_kl_weight(1)  # 4 on the scale
    vae = model.means_vae(factor, seed=3, learning_rate=1e-3, hidden_units=16)
    reference = reference_vae(4.0, seed=3, learning_rate=1e-3, hidden_units=16)
    for mine, theirs in zip(vae.trainable_variables, reference.trainable_variables, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    means = float(vae.compute_loss(x=images, y_pred=vae(images)))
    sums = float(reference.compute_loss(x=images, y_pred=reference(images)))
    assert means == pytest.approx(sums / 784, rel=1e-5)
    reported, expected = vae.get_metrics_result(), reference.get_metrics_result()
    assert float(reported["objective"]) == pytest.approx(sums, rel=1e-6)
    assert {name: float(value) for name, value in reported.items()} == pytest.approx(
        {name: float(value) for name, value in expected.items()}
    )


def test_shortened_steps_are_counted_among_weights_that_move():
    vae = reference_vae(1.0, seed=0, hidden_units=4)
    vae.optimizer.build(vae.trainable_variables)
    velocities = [variable for variable in vae.optimizer.variables if "velocity" in variable.path]
    assert len(velocities) == len(vae.trainable_variables)
    epsilon = vae.optimizer.epsilon
    velocities[1].assign([0, epsilon**2, (8.9 * epsilon) ** 2, (9.1 * epsilon) ** 2])  # a bias; all others are 0
    assert measures.shortened_steps(vae) == pytest.approx(2 / 3)


def test_the_largest_variance_is_that_of_the_first_component(rng):
    images = rng.normal(size=(500, 28, 28, 1)) * np.linspace(0.1, 1, 28)[:, None, None]
    flat = images.reshape(500, -1)
    singular = np.linalg.svd(flat - flat.mean(axis=0), compute_uv=False)[0]
    assert measures.largest_variance(images) == pytest.approx(singular**2 / 499, rel=1e-6)


def history(shift):
    columns = ["val_distortion", "val_rate"]
    return pd.DataFrame({"epoch": [1, 2, 3]} | {name: np.array([200.0, 180.0, 150.0]) + shift for name in columns})


def test_the_figure_shows_every_run_and_its_distance_from_the_first():
    shifts = {"sums": 0, "another seed": 1, "means": 0.01, "means, epsilon": 1e-5, "other": -50}
    histories = {name: history(shift) for name, shift in shifts.items()}
    panels = figures.distance_curves(histories, "title").axes
    assert [len(axes.lines) for axes in panels] == [5, 5, 4]
    assert all(axes.get_xlabel() == "epoch" and "nats/image" in axes.get_ylabel() for axes in panels)
    assert panels[2].lines[-1].get_ydata() == pytest.approx([100, 100, 100])
    table = measures.comparison_table(histories, dict.fromkeys(histories, 0.25))
    assert table["distortion"].tolist() == pytest.approx([150, 151, 150.01, 150.00001, 100])
    assert table["farthest from the first"].tolist() == pytest.approx([0, 2, 0.02, 2e-5, 100])


@pytest.mark.slow
def test_the_notebook_converts_proves_and_shows(tmp_path):
    notebook = runs.PROJECT / "notebooks" / "which_weight_are_you_using.ipynb"
    own = {"likelihood": "gaussian", "pixels": 64, "latent_dim": 4, "reconstruction_factor": 0.5, "kl_factor": 2.0}
    small = {"dataset": "digits", "epochs": 2, "batch_size": 100, "hidden_units": 32, "threads": 1}
    execute_notebook(notebook, tmp_path / "out.ipynb", {**own, **small}, cwd=tmp_path)
    assert_publishable(tmp_path / "out.ipynb")
    assert [path.name for path in tmp_path.iterdir()] == ["out.ipynb"]
    cells = nbformat.read(tmp_path / "out.ipynb", nbformat.NO_CONVERT).cells
    outputs = [output.data for cell in cells for output in cell.get("outputs", []) if "data" in output]
    assert sum("image/png" in data for data in outputs) == 1
    texts = [data.get("text/markdown", data.get("text/html", "")) for data in outputs]
    assert any("The factor before the KL term is 2; the kl_weight is **128**." in text for text in texts)
    assert sum("Chollet, first edition" in text for text in texts) == 3  # table, sources, proof

    compared = next(text for text in texts if "farthest from the first" in text)
    rows = re.findall(r"<th>(?:sums|means)[^<]*</th>\s*" + 4 * r"<td>([-\d.]+)%?</td>\s*", compared)
    same, other_seed, means, same_epsilon, other = ((float(far), float(share)) for _, _, far, share in rows)
    assert same[0] == 0
    assert same_epsilon[0] < 0.05  # only rounding
    assert max(same_epsilon[0], means[0], other_seed[0]) < other[0]
    assert same_epsilon[1] == pytest.approx(same[1], abs=0.2)
    assert means[1] > same[1] + 1
