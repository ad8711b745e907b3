"""Each mistake against a known answer: what is really drawn, what it is weighted by, what it costs."""

import re
from dataclasses import replace

import nbformat
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from keras import ops

from tests.test_notebooks import assert_publishable
from vae_core import runs, training
from vae_core.execution.notebook import execute_notebook
from vae_core.lessons.bug_gallery import figures, measures
from vae_core.lessons.bug_gallery import model as gallery
from vae_core.likelihoods import BERNOULLI
from vae_core.losses import kl_divergence
from vae_core.models import dense_decoder, dense_encoder, reference_vae

MEAN, OUTPUT = np.array([1.0, -2.0], "float32"), np.array([0.5, -2.2], "float32")  # what the encoder puts out
SAMPLED_FROM = {  # for each variant, mean and standard deviation of its draws
    gallery.REFERENCE: (MEAN, np.exp(OUTPUT / 2)),
    gallery.FORGOTTEN_MEAN: ([0, 0], np.exp(OUTPUT / 2)),
    gallery.LOG_VAR_AS_SIGMA: (MEAN, np.abs(OUTPUT)),
    gallery.FORGOTTEN_HALF: (MEAN, np.exp(OUTPUT)),
    gallery.UNCONSTRAINED_SIGMA: (MEAN, np.abs(OUTPUT)),
}
ITSELF = {"ids": lambda variant: variant.kind.__name__}


@pytest.fixture(scope="module")
def few(digits):
    return replace(digits, train_images=digits.train_images[:160], validation_images=digits.validation_images[:64])


def built(variant, kl_weight=1.0, latent_dim=2):
    """A variant with biases alone: MEAN and OUTPUT for every image, and logits of 0."""
    vae = variant.kind(
        dense_encoder((8,), latent_dim), dense_decoder((8,), latent_dim), kl_weight, 0, variant.likelihood
    )
    for layer, bias in (("mean", MEAN), ("log_var", OUTPUT)):
        vae.encoder.get_layer(layer).set_weights([np.zeros((8, 2)), bias])
    vae.decoder.layers[-2].set_weights([np.zeros((8, 784)), np.zeros(784)])
    return vae


def trained(variant, dataset, **options):
    return gallery.train_variant(variant, dataset, epochs=2, seeds=1, hidden_units=8, **{"batch_size": 32, **options})


def loss_of(variant, images, outputs, **options):
    vae = built(variant, **options)
    logits = np.zeros(images.shape, "float32")
    return float(vae.compute_loss(x=images, y_pred=(*outputs, logits)))


@pytest.fixture(scope="module")
def fix(few):
    return trained(gallery.REFERENCE, few)


@pytest.fixture
def outputs(rng):
    """What an encoder might say of 32 images: (32, 2) each."""
    return rng.normal(size=(2, 32, 2)).astype("float32")


def test_the_fix_trains_as_the_reference_model_does(few, fix):
    reference, _ = training.train(reference_vae(1.0, seed=0, hidden_units=8), few, epochs=2, batch_size=32, seed=0)
    pd.testing.assert_frame_equal(fix.histories[0], reference, check_exact=True)


@pytest.mark.parametrize("variant", SAMPLED_FROM, **ITSELF)
def test_draws_have_the_moments_that_the_variant_states(variant, few):
    vae = built(variant)
    mean, output = np.tile(MEAN, (40_000, 1)), np.tile(OUTPUT, (40_000, 1))
    z = np.asarray(vae.draw(mean, output))
    expected_mean, expected_deviation = SAMPLED_FROM[variant]
    assert z.mean(axis=0) == pytest.approx(expected_mean, abs=0.06)
    assert z.std(axis=0) == pytest.approx(expected_deviation, rel=0.02)
    sampled_mean, sampled_log_var = gallery.sampled_gaussians(vae, few.validation_images)
    assert sampled_mean[0] == pytest.approx(expected_mean)
    assert np.exp(sampled_log_var[0] / 2) == pytest.approx(expected_deviation)


@pytest.mark.parametrize("variant", [*SAMPLED_FROM, gallery.SIGMOID_THEN_LOG], **ITSELF)
def test_honest_measures_charge_for_what_is_drawn(variant, few):
    measured = gallery.honest_measures(built(variant), few.validation_images)
    mean, deviation = map(np.asarray, SAMPLED_FROM.get(variant, SAMPLED_FROM[gallery.REFERENCE]))
    rate = np.sum(deviation**2 + mean**2 - 1 - 2 * np.log(deviation)) / 2
    assert measured["rate"] == pytest.approx(rate, rel=1e-4)
    assert measured["distortion"] == pytest.approx(784 * np.log(2), rel=1e-4)
    assert measured["negative_elbo"] == pytest.approx(784 * np.log(2) + rate, rel=1e-4)


def test_honest_measures_do_not_clip(few):
    vae = built(gallery.SIGMOID_THEN_LOG)
    vae.decoder.layers[-2].set_weights([np.zeros((8, 784)), np.full(784, 20.0)])
    black = np.zeros_like(few.validation_images)
    assert gallery.honest_measures(vae, black)["distortion"] == pytest.approx(20 * 784, rel=1e-5)
    assert float(vae.likelihood.nll(black, np.full_like(black, 20))[0]) == pytest.approx(15.94 * 784, rel=1e-3)


def test_the_mean_over_dimensions_trains_as_a_kl_weight_of_one_over_their_number(few):
    options = {"latent_dim": 10, "learning_rate": 0.01}
    mistake = trained(gallery.MEAN_OVER_DIMENSIONS, few, **options).histories[0]
    weighted = trained(gallery.REFERENCE, few, kl_weight=0.1, **options).histories[0]
    for name in ("objective", "val_distortion"):
        np.testing.assert_allclose(mistake[name], weighted[name], rtol=1e-4)
    np.testing.assert_allclose(mistake["val_rate"], weighted["val_rate"] / 10, rtol=1e-3)


def test_the_kl_summed_over_the_batch_is_weighted_by_the_batch_size(few, outputs):
    images = few.train_images[:32]
    for size in (1, 8, 32):
        first, some = images[:size], outputs[:, :size]
        summed = loss_of(gallery.KL_SUMMED_OVER_BATCH, first, some, kl_weight=0.3)
        assert summed == pytest.approx(loss_of(gallery.REFERENCE, first, some, kl_weight=0.3 * size), rel=1e-5)


def test_the_kl_summed_over_the_batch_and_divided_by_its_size_trains_as_the_fix(few, fix):
    mistake = trained(gallery.KL_SUMMED_OVER_BATCH, few, kl_weight=1 / 32).histories[0]
    np.testing.assert_allclose(mistake["val_objective"], fix.histories[0]["val_objective"], rtol=1e-4)


def test_scaled_losses_are_the_right_one_times_the_batch_size_or_over_784(few, outputs):
    images = few.train_images[:32]
    right = loss_of(gallery.REFERENCE, images, outputs)
    assert right == pytest.approx(784 * np.log(2) + np.mean(kl_divergence(*outputs)), rel=1e-5)
    assert loss_of(gallery.BOTH_SUMMED_OVER_BATCH, images, outputs) == pytest.approx(32 * right, rel=1e-5)
    assert loss_of(gallery.MEAN_OVER_PIXELS, images, outputs) == pytest.approx(right / 784, rel=1e-5)


def test_adam_and_rmsprop_cancel_a_factor_on_the_loss_except_for_their_epsilon(few, fix):
    summed = trained(gallery.BOTH_SUMMED_OVER_BATCH, few)
    assert abs(measures.cost(summed, fix)[0]) < 0.1
    right = trained(gallery.REFERENCE, few, optimizer="rmsprop")
    smaller_epsilon = {"class_name": "RMSprop", "config": {"epsilon": 1e-7 / 784**2}}  # Keras 3 has it under the root
    divided = trained(gallery.MEAN_OVER_PIXELS, few, optimizer=smaller_epsilon)
    assert abs(measures.cost(divided, right)[0]) < 0.1
    faster = trained(gallery.MEAN_OVER_PIXELS, few, optimizer="rmsprop", learning_rate=1e-2)
    assert abs(measures.cost(faster, right)[0]) > 10


def test_the_kl_of_an_unconstrained_sigma_is_right_away_from_zero_and_capped_there():
    mean, sigma = np.array([[0.3, -1.0]], "float32"), np.array([[-0.5, 2.0]], "float32")
    right = float(kl_divergence(mean, np.log(sigma**2))[0])
    assert float(np.sum(gallery.rate_of_sigma(mean, sigma))) == pytest.approx(right, rel=1e-5)
    zero = np.zeros((1, 1), "float32")
    assert float(gallery.rate_of_sigma(zero, zero)[0, 0]) == pytest.approx((-1 - np.log(1e-7)) / 2, rel=1e-5)


def test_clipped_cross_entropy_against_exact_arithmetic():
    logits = np.array([-20.0, -3.0, 0.0, 3.0, 20.0])
    table = measures.saturation(logits).set_index(["pixel", "logit"])
    for pixel in (0, 1):
        exact = np.logaddexp(0, logits) - pixel * logits
        np.testing.assert_allclose(table.loc[pixel, "exact"], exact, rtol=1e-6)
        gradient = 1 / (1 + np.exp(-logits)) - pixel
        np.testing.assert_allclose(table.loc[pixel, "exact_gradient"], gradient, atol=1e-6)
        np.testing.assert_allclose(table.loc[pixel, "clipped"].iloc[1:4], exact[1:4], rtol=1e-5)
        np.testing.assert_allclose(table.loc[pixel, "clipped_gradient"].iloc[1:4], gradient[1:4], rtol=1e-5)
    least, most = np.float32(1e-7), np.float32(1) - np.float32(1e-7)  # 1 - 1e-7 has no float32: it is 1 - 2^-23
    assert most == 1 - 2.0**-23
    clipped = {(0, 20): -np.log(1 - most), (1, -20): -np.log(least), (0, -20): -np.log(most), (1, 20): -np.log(most)}
    for place, cost in clipped.items():
        assert table.loc[place, "clipped"] == pytest.approx(cost, rel=1e-4, abs=1e-8)
        assert table.loc[place, "clipped_gradient"] == 0
    assert table.loc[(0, 20), "clipped"] == pytest.approx(15.94, abs=0.01)
    assert table.loc[(0, 20), "error"] == pytest.approx(15.94 - 20, abs=0.01)
    assert table.loc[(1, -20), "error"] == pytest.approx(16.12 - 20, abs=0.01)


def test_clipped_costs_of_all_pairs_are_those_of_each_pair(rng):
    images = rng.random((3, 2, 2, 1)).astype("float32")
    outputs = rng.normal(scale=9, size=(4, 2, 2, 1)).astype("float32")
    pairs = np.asarray(gallery.CLIPPED_PROBABILITIES.nll_pairs(images, outputs))
    for m in range(4):
        one_by_one = gallery.CLIPPED_PROBABILITIES.nll(images, np.broadcast_to(outputs[m], images.shape))
        np.testing.assert_allclose(pairs[:, m], one_by_one, rtol=1e-4)


def test_keras_goes_back_to_the_logits_unless_something_stands_between():
    logits = ops.convert_to_tensor(np.full((1, 1), 20.0, "float32"))
    images = np.zeros((1, 1), "float32")
    straight = tf.function(lambda logits: ops.binary_crossentropy(images, ops.sigmoid(logits)))
    between = tf.function(lambda logits: gallery.CLIPPED_PROBABILITIES.nll(images, logits))
    assert float(straight(logits)[0, 0]) == pytest.approx(float(BERNOULLI.nll(images, logits)[0])) == pytest.approx(20)
    assert float(between(logits)[0]) == pytest.approx(15.94, abs=0.01)


def test_costs_are_differences_seed_by_seed(fix):
    mistake = replace(fix, measured=pd.DataFrame({"negative_elbo": [153.0, 161.0]}))
    fix = replace(fix, measured=pd.DataFrame({"negative_elbo": [150.0, 160.0]}))
    assert measures.cost(mistake, fix).tolist() == [3, 1]
    row = measures.cost_table({"name": (mistake, fix)}).loc["name"]
    assert (row["mistake"], row["fix"]) == ("157.00 ± 5.66", "155.00 ± 7.07")
    assert row["cost"] == "+2.00 ± 1.41"
    assert measures.cost_table({"name": (fix, mistake)}).loc["name", "cost"] == "-2.00 ± 1.41"


def test_mistake_and_fix_are_shown_on_the_same_axes(few, fix):
    dataset = replace(few, validation_labels=few.validation_labels[:64])
    history, fix = fix.histories[0], measures.view(fix, dataset)
    mistake = replace(fix, codes=9 * fix.codes, negative_elbo=200.0)
    figure = figures.mistake_and_fix(mistake, fix, dataset.class_names, "title")
    panels = {axes.get_title(): axes for axes in figure.axes}
    left, right = panels["mistake: codes"], panels["fix: codes"]
    assert (left.get_xlim(), left.get_ylim()) == (right.get_xlim(), right.get_ylim())
    np.testing.assert_array_equal(left.collections[0].get_offsets(), mistake.codes)
    assert left.get_xlim()[1] > np.abs(mistake.codes[:, 0]).max() or left.get_xlim()[0] < mistake.codes.min()
    labels = {line.get_label(): line.get_ydata() for line in panels[""].lines}
    assert labels["mistake: negative ELBO"] == 200
    np.testing.assert_array_equal(labels["fix: its own loss"], history["val_objective"])
    np.testing.assert_array_equal(panels["fix: samples from the prior"].images[0].get_array().shape, (8 * 28, 8 * 28))


@pytest.mark.slow
def test_the_notebook_runs_and_has_a_row_for_every_mistake(tmp_path):
    notebook = runs.PROJECT / "notebooks" / "bug_gallery.ipynb"
    parameters = {"dataset": "digits", "epochs": 1, "seeds": 1, "hidden_units": 8, "threads": 1}
    execute_notebook(notebook, tmp_path / "out.ipynb", parameters, cwd=tmp_path)
    assert_publishable(tmp_path / "out.ipynb")
    assert [path.name for path in tmp_path.iterdir()] == ["out.ipynb"]
    cells = nbformat.read(tmp_path / "out.ipynb", nbformat.NO_CONVERT).cells
    outputs = [output.data for cell in cells for output in cell.get("outputs", [])]
    assert sum("image/png" in data for data in outputs) == 8
    rows = re.findall(r"<tr>\s*<th>(.+?)</th>(.+?)</tr>", outputs[-1]["text/html"], re.DOTALL)
    assert len(rows) == 13
    for _, row in rows:
        source, *numbers, test = re.findall(r"<td>(.+?)</td>", row)
        mistake, fix, cost = map(float, numbers)
        assert mistake - fix == pytest.approx(cost, abs=0.011)
        assert source
        assert test
