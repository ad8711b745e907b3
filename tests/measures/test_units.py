from dataclasses import replace

import numpy as np
import pytest

from vae_core.binarise import binarised, tossed_once
from vae_core.measures.units import measure_collapse, predict_collapse, unit_table
from vae_core.settings import DEFAULTS


@pytest.fixture(scope="module")
def stripes():
    """300 images of 8 pixels, the last of them black, and each pixel but the first three a noise of its own."""
    from vae_core.data import load_dataset

    rng = np.random.default_rng(0)
    shared = rng.normal(size=(300, 1)) * [3, 1.5, 0.5, 0, 0, 0, 0, 0]
    images = 1 / (1 + np.exp(-shared - 0.1 * rng.normal(size=(300, 8))))
    images[:, -1] = 0
    return replace(load_dataset("digits"), train_images=images.reshape(300, 2, 4, 1).astype(np.float32))


def independent(images: np.ndarray, variance: np.ndarray | None = None, tossed: bool = False) -> np.ndarray:
    """The law once more: eigenvalues of the covariance, each pixel divided by the deviation that it has given z."""
    pixels = images.reshape(len(images), -1).astype(float)
    pixels = pixels[:, pixels.var(axis=0) > 0]
    mean, covariance = pixels.mean(axis=0), np.cov(pixels.T, ddof=0)
    if tossed:
        covariance[np.diag_indices_from(covariance)] = mean * (1 - mean)
    deviation = np.sqrt(mean * (1 - mean) if variance is None else variance)
    return np.linalg.eigvalsh(covariance / np.outer(deviation, deviation))[::-1]


def settings_with(**changed):
    return DEFAULTS | {"latent_dim": 3} | changed


def test_the_prediction_is_the_law_of_the_training_images_under_the_run_s_likelihood(stripes):
    found = predict_collapse(stripes, settings_with())
    np.testing.assert_allclose(found, independent(stripes.train_images)[:3], rtol=1e-4)
    gaussian = predict_collapse(stripes, settings_with(likelihood="gaussian", pixel_variance=0.01))
    np.testing.assert_allclose(gaussian, independent(stripes.train_images, 0.01)[:3], rtol=1e-4)


def test_pixels_that_training_tosses_have_the_variance_of_a_toss(stripes):
    data = binarised(stripes, "each_epoch")
    found = predict_collapse(data, settings_with(binarise="each_epoch"))
    np.testing.assert_allclose(found, independent(stripes.train_images, tossed=True)[:3], rtol=1e-4)
    one_toss = predict_collapse(tossed_once(data), settings_with(binarise="each_epoch"))
    assert np.abs(one_toss / found - 1).max() > 0.01  # of one toss the pixels correlate by chance


def test_there_are_as_many_predictions_as_units_also_if_there_are_fewer_pixels(stripes):
    found = predict_collapse(stripes, settings_with(latent_dim=12))
    assert found.shape == (12,)
    assert np.all(np.diff(found) <= 0)
    assert np.all(found[7:] == 0)  # the eighth pixel is always black
    assert measure_collapse(found, 0.0)["predicted_active_units"] == 7


@pytest.mark.parametrize("changed", [{"free_bits": 0.1}, {"target_rate": 5.0}, {"target_distortion": 90.0}])
def test_nothing_is_predicted_where_the_rate_is_not_what_is_charged(stripes, changed):
    found = predict_collapse(stripes, settings_with(**changed))
    assert found.shape == (0,)
    assert measure_collapse(found, 1.0) == {}


def test_measures_have_one_weight_per_unit_and_count_those_above_the_run_s():
    predicted = np.array([30.0, 20.0, 1.0])
    expected = {"collapse_weight0": 30.0, "collapse_weight1": 20.0, "collapse_weight2": 1.0}
    assert measure_collapse(predicted, 20.0) == expected | {"predicted_active_units": 1}
    assert measure_collapse(predicted, 0.0)["predicted_active_units"] == 3


def codes(scales):
    """Means whose variances over the images are the squares of the scales, and a log-variance of 0."""
    mean = np.tile([[-1.0], [1.0]], (5, len(scales))) * scales
    return mean, np.zeros_like(mean)


def test_the_table_has_the_predicted_weights_beside_the_units_by_rank():
    table = unit_table(np.array([30.0, 8.0, 2.0]), 5.0, *codes([0.05, 2.0, 0.2]))
    assert table.index.tolist() == ["1: z[1]", "2: z[2]", "3: z[0]", "all"]
    assert table["dies at kl_weight"].tolist() == ["30.000", "8.000", "2.000", "30.000 to 2.000"]
    assert table["should live"].tolist() == ["yes", "yes", "no", "2"]
    assert table["rate"].tolist() == ["2.000", "0.020", "0.001", "2.021"]  # half of the square
    assert table["variance of the mean"].tolist() == ["4.000", "0.040", "0.003", "4.000 to 0.003"]
    assert table["active"].tolist() == ["yes", "yes", "no", "2"]


@pytest.mark.parametrize(("latent_dim", "rows"), [(1, 1), (2, 3), (11, 12), (12, 12), (32, 12), (128, 12)])
def test_units_beyond_the_tenth_share_a_row(latent_dim, rows):
    scales, predicted = np.geomspace(1, 0.01, latent_dim), np.geomspace(50, 0.5, latent_dim)
    table = unit_table(predicted, 1.0, *codes(scales))
    assert len(table) == rows
    if latent_dim > 11:
        rest, whole = table.loc[f"11 to {latent_dim}"], table.loc["all"]
        assert int(rest["active"]) == np.sum(scales[10:] ** 2 > 0.01)
        assert int(whole["active"]) == np.sum(scales**2 > 0.01)
        assert int(whole["should live"]) == np.sum(predicted > 1)
        assert rest["dies at kl_weight"] == f"{predicted[10]:.3f} to 0.500"
        assert float(rest["rate"]) == pytest.approx((scales[10:] ** 2).sum() / 2, abs=6e-4)


def test_without_a_prediction_the_table_has_what_was_found():
    table = unit_table(np.array([]), 1.0, *codes([1.0, 0.01]))
    assert list(table) == ["rate", "variance of the mean", "active"]
    assert table["active"].tolist() == ["yes", "no", "1"]
