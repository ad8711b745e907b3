"""From how a loss is written to its kl_weight: by hand, by other means, by gradients, and in whole trainings."""

import itertools
import re

import nbformat
import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from tests.test_notebooks import assert_publishable
from vae_core import figures, published_losses, runs, same_scale
from vae_core.errors import InputError
from vae_core.losses import gaussian_nll
from vae_core.models import reference_vae
from vae_core.notebooks import execute_notebook
from vae_core.published_losses import PUBLISHED
from vae_core.scale import kl_weight_of

MNIST = {"pixels": 28 * 28, "channels": 1}
MEANS = {"reconstruction_over_pixels": "mean", "reconstruction_over_channels": "mean"}
ON_SCALE = [row for row in PUBLISHED if row.arguments is not None]
BY_NAME = {row.name: row for row in PUBLISHED}


def test_gaussian_nll_is_that_of_scipy(rng):
    images, mean = rng.uniform(size=(3, 4, 5, 2)), rng.uniform(size=(3, 4, 5, 2))
    for variance in (0.5, rng.uniform(0.1, 2, size=(3, 4, 5, 2))):
        expected = -norm.logpdf(images, mean, np.sqrt(variance)).sum(axis=(1, 2, 3))
        assert np.asarray(gaussian_nll(images, mean, variance)) == pytest.approx(expected, rel=1e-12)
    single = np.asarray(gaussian_nll(images.astype("float32"), mean.astype("float32"), 0.5))
    assert single == pytest.approx(-norm.logpdf(images, mean, 0.5**0.5).sum(axis=(1, 2, 3)), rel=1e-5)


def test_weights_that_were_worked_out_by_hand():
    assert kl_weight_of(likelihood="bernoulli", latent_dim=10, **MNIST, **MEANS, kl_factor=1 / 784) == pytest.approx(1)
    seed_002 = {"kl_over_dimensions": "mean", "kl_factor": 2 * 5e-4}
    assert kl_weight_of(likelihood="bernoulli", latent_dim=2, **MNIST, **MEANS, **seed_002) == pytest.approx(0.392)
    assert kl_weight_of(likelihood="gaussian", latent_dim=30, **MNIST, variance=0.5) == pytest.approx(1)
    assert kl_weight_of(likelihood="gaussian", latent_dim=30, **MNIST) == pytest.approx(0.5)
    for latent_dim in (2, 10):
        weight = kl_weight_of(likelihood="bernoulli", latent_dim=latent_dim, **MNIST, kl_over_dimensions="mean")
        assert weight == pytest.approx(1 / latent_dim)


def test_a_mean_over_channels_matters_for_colour_images_only():
    keras = {"likelihood": "bernoulli", "pixels": 32 * 32, "latent_dim": 2, "reconstruction_over_channels": "mean"}
    assert kl_weight_of(channels=1, **keras) == 1
    assert kl_weight_of(channels=3, **keras) == 3
    assert kl_weight_of(channels=3, **keras, reconstruction_over_pixels="mean") == 3 * 32 * 32  # flattened


def test_a_sum_over_the_batch_matters_where_the_other_term_has_none():
    loss = {"likelihood": "bernoulli", "latent_dim": 2, **MNIST}
    assert kl_weight_of(**loss, reconstruction_over_batch="sum", kl_over_batch="sum") == 1
    assert kl_weight_of(**loss, reconstruction_over_batch="sum", batch_size=50) == pytest.approx(1 / 50)
    assert kl_weight_of(**loss, kl_over_batch="sum", batch_size=50) == pytest.approx(50)


@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
@pytest.mark.parametrize("reductions", [*itertools.product(["sum", "mean"], repeat=5)])
def test_every_way_to_reduce_against_numpy(rng, likelihood, reductions):
    """The loss computed as written is a * (distortion + c * rate), with the a that a KL of 0 shows."""
    names = ["reconstruction_over_pixels", "reconstruction_over_channels", "reconstruction_over_batch"]
    words = dict(zip([*names, "kl_over_dimensions", "kl_over_batch"], reductions, strict=True))
    terms, kl = rng.uniform(size=(7, 12, 3)), rng.uniform(size=(7, 5))  # (batch, pixels, channels), (batch, latent_dim)
    reduced = terms
    for axis, name in [(2, names[1]), (1, names[0]), (0, names[2])]:
        reduced = getattr(reduced, words[name])(axis=axis)
    reconstruction = 0.3 * reduced
    written = reconstruction + 0.7 * getattr(getattr(kl, words["kl_over_dimensions"])(axis=1), words["kl_over_batch"])()

    variance = 0.2 if likelihood == "gaussian" else 1
    distortion = terms.sum(axis=(1, 2)).mean() / (2 * variance if likelihood == "gaussian" else 1)
    factors = {"reconstruction_factor": 0.3, "kl_factor": 0.7, "variance": variance, "batch_size": 7}
    weight = kl_weight_of(likelihood=likelihood, pixels=12, channels=3, latent_dim=5, **words, **factors)
    objective = distortion + weight * kl.sum(axis=1).mean()
    assert written == pytest.approx(reconstruction / distortion * objective, rel=1e-12)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"likelihood": "poisson"}, "likelihood must be 'bernoulli' or 'gaussian', not 'poisson'"),
        ({"variance": 0.5}, "a Bernoulli likelihood has no variance"),
        ({"likelihood": "gaussian", "variance": 0.0}, "variance must be a finite number above 0, not 0.0"),
        ({"pixels": 0}, "pixels must be a whole number, at least 1, not 0"),
        ({"channels": 1.5}, "channels must be a whole number, at least 1, not 1.5"),
        ({"latent_dim": True}, "latent_dim must be a whole number, at least 1, not True"),
        ({"reconstruction_factor": 0}, "reconstruction_factor must be a finite number above 0, not 0"),
        ({"kl_factor": -1}, "kl_factor must be a finite number above 0, not -1"),
        ({"kl_factor": float("nan")}, "kl_factor must be a finite number above 0, not nan"),
        ({"kl_over_dimensions": "avg"}, "kl_over_dimensions must be 'sum' or 'mean', not 'avg'"),
        ({"reconstruction_over_pixels": "none"}, "reconstruction_over_pixels must be 'sum' or 'mean'"),
        ({"kl_over_batch": "avg", "batch_size": 8}, "kl_over_batch must be 'sum' or 'mean'"),
        ({"kl_over_batch": "sum"}, "so give batch_size"),
        ({"kl_over_batch": "sum", "batch_size": 0}, "batch_size must be a whole number"),
    ],
)
def test_what_no_loss_can_be_is_refused(wrong, message):
    with pytest.raises(InputError, match=re.escape(message)):
        kl_weight_of(**{"likelihood": "bernoulli", "latent_dim": 2, **MNIST, **wrong})


def test_weight_zero_is_an_autoencoder():
    assert kl_weight_of(likelihood="bernoulli", latent_dim=2, **MNIST, kl_factor=0) == 0


def test_the_table_has_the_known_weights():
    weights = {row.name: row.kl_weight for row in PUBLISHED}
    expected = {"seed 000": 1, "seed 002": 0.392, "seed 003": 0.5, "seed 004": 1, "PyTorch example": 1}
    expected |= {"Chollet, second and third edition": 0.5, "Keras example": 1, "Keras guide to subclassing": 12.25}
    expected |= {"Keras example, given colour images": 3, "Foster, second edition, Fashion-MNIST": 2.048}
    assert {name: weights[name] for name in expected} == pytest.approx(expected)
    table = published_losses.conversion_table()
    assert table.index.is_unique
    assert table.loc["seed 003", "ELBO if pixels deviate by"] == "0.71"  # a variance of 1/2
    assert (table["kl_weight"] == "none").sum() == 1
    assert list(published_losses.source_table().index) == list(table.index)


@pytest.mark.parametrize("row", ON_SCALE, ids=lambda row: row.name)
def test_the_gradient_of_the_published_loss_is_parallel_to_that_of_the_objective(row):
    found = published_losses.gradients(row)
    right = published_losses.compare_gradients(*found, row.kl_weight)
    assert right["cosine"] == pytest.approx(1, abs=1e-12)
    assert right["angle"] < 1e-9  # degrees
    for factor in (0.9, 1.1):
        assert published_losses.compare_gradients(*found, factor * row.kl_weight)["angle"] > 1e-4
    assert published_losses.nearest_kl_weight(*found) == pytest.approx(row.kl_weight, rel=1e-6)


def test_no_weight_makes_the_first_edition_parallel():
    found = published_losses.gradients(BY_NAME["Chollet, first edition"])
    grid = np.geomspace(0.01, 10, 500)
    angles = [published_losses.compare_gradients(*found, weight)["angle"] for weight in grid]
    assert min(angles) > 1e-2
    assert published_losses.nearest_kl_weight(*found) == pytest.approx(grid[np.argmin(angles)], rel=0.05)


def test_the_length_of_the_gradient_is_the_factor_on_the_whole_loss():
    expected = {"seed 000": 1 / 784, "Keras example": 1, "PyTorch example": published_losses.BATCH_SIZE, "seed 003": 2}
    for name, length in expected.items():
        row = BY_NAME[name]
        found = published_losses.compare_gradients(*published_losses.gradients(row), row.kl_weight)
        assert found["length_ratio"] == pytest.approx(length, rel=1e-6)


def test_angle_cosine_and_nearest_weight_by_hand():
    written, distortion, rate = np.array([1.0, 1.0]), np.array([1.0, 0.0]), np.array([0.0, 2.0])
    found = published_losses.compare_gradients(written, distortion, rate, 0)
    assert (found["angle"], found["cosine"]) == (pytest.approx(45), pytest.approx(0.5**0.5))
    assert found["length_ratio"] == pytest.approx(2**0.5)
    assert published_losses.nearest_kl_weight(written, distortion, rate) == pytest.approx(0.5)


def test_a_written_loss_trains_and_the_usual_losses_are_reported(digits):
    images = digits.train_images[:64]
    weight = 4 / same_scale.means_kl_weight(1)  # 4 on the scale, before means
    loss = same_scale.means_loss(weight)
    vae = same_scale.written_vae(loss, 4.0, seed=3, learning_rate=1e-3, hidden_units=16)
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
    assert same_scale.shortened_steps(vae) == pytest.approx(2 / 3)


def test_the_largest_variance_is_that_of_the_first_component(rng):
    images = rng.normal(size=(500, 28, 28, 1)) * np.linspace(0.1, 1, 28)[:, None, None]
    flat = images.reshape(500, -1)
    singular = np.linalg.svd(flat - flat.mean(axis=0), compute_uv=False)[0]
    assert same_scale.largest_variance(images) == pytest.approx(singular**2 / 499, rel=1e-6)


def history(shift):
    columns = ["val_distortion", "val_rate"]
    return pd.DataFrame({"epoch": [1, 2, 3]} | {name: np.array([200.0, 180.0, 150.0]) + shift for name in columns})


def test_the_figure_shows_every_run_and_its_distance_from_the_first():
    shifts = {"sums": 0, "another seed": 1, "means": 0.01, "means, epsilon": 1e-5, "other": -50}
    histories = {name: history(shift) for name, shift in shifts.items()}
    panels = figures.written_curves(histories, "title").axes
    assert [len(axes.lines) for axes in panels] == [5, 5, 4]
    assert all(axes.get_xlabel() == "epoch" and "nats/image" in axes.get_ylabel() for axes in panels)
    assert panels[2].lines[-1].get_ydata() == pytest.approx([100, 100, 100])
    table = same_scale.comparison_table(histories, dict.fromkeys(histories, 0.25))
    assert table["distortion"].tolist() == pytest.approx([150, 151, 150.01, 150.00001, 100])
    assert table["farthest from the first"].tolist() == pytest.approx([0, 2, 0.02, 2e-5, 100])


def test_the_notebook_converts_proves_and_shows(tmp_path):
    notebook = runs.PROJECT / "notebooks" / "which_weight_are_you_using.ipynb"
    own = {"likelihood": "gaussian", "pixels": 64, "latent_dim": 4, "reconstruction_factor": 0.5, "kl_factor": 2.0}
    small = {"dataset": "digits", "epochs": 2, "hidden_units": 32, "threads": 1}
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
    same, seed, means, same_epsilon, other = ((float(far), float(share)) for _, _, far, share in rows)
    assert same[0] == 0
    assert same_epsilon[0] < 0.05  # only rounding
    assert max(same_epsilon[0], means[0], seed[0]) < other[0]
    assert same_epsilon[1] == pytest.approx(same[1], abs=0.2)
    assert means[1] > same[1] + 1
