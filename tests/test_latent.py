import keras
import numpy as np
import pytest
from scipy.stats import norm

from vae_core import figures
from vae_core.latent import decode, decode_grid, encode, quantile_axis, uniform_axis
from vae_core.models import VAE, mlp_encoder, reference_vae


@pytest.fixture(scope="module")
def coordinates_vae():
    """A decoder whose upper left pixels say where it was asked: logits z[0], z[1], and 0 elsewhere."""
    kernel = np.zeros((2, 784), "float32")
    kernel[0, 0] = kernel[1, 1] = 1
    decoder = keras.Sequential([keras.Input((2,)), keras.layers.Dense(784), keras.layers.Reshape((28, 28, 1))])
    decoder.set_weights([kernel, np.zeros(784, "float32")])
    return VAE(mlp_encoder(4), decoder, kl_weight=1.0, seed=0)


def logit(p):
    return np.log(p) - np.log1p(-p)


def test_grid_columns_follow_z0_and_rows_run_down_z1(coordinates_vae):
    axis = np.array([-2.0, -0.5, 1.0, 3.0])
    grid = logit(decode_grid(coordinates_vae, axis).astype(float))
    assert grid.shape == (4, 4, 28, 28)
    np.testing.assert_allclose(grid[:, :, 0, 0], np.tile(axis, (4, 1)), atol=1e-4)
    np.testing.assert_allclose(grid[:, :, 0, 1], np.tile(axis[::-1, None], (1, 4)), atol=1e-4)


def test_tiles_stand_where_the_grid_has_them():
    images = np.arange(3 * 4).reshape(3, 4, 1, 1) * np.ones((1, 1, 28, 28)) + np.linspace(0, 0.5, 28)[:, None]
    tiled = figures.tile(images)
    assert tiled.shape == (3 * 28, 4 * 28)
    for row in range(3):
        for column in range(4):
            cell = tiled[28 * row : 28 * (row + 1), 28 * column : 28 * (column + 1)]
            assert np.array_equal(cell, images[row, column])


@pytest.mark.parametrize(
    "axis", [uniform_axis(), quantile_axis(), uniform_axis(8, limit=5)], ids=["3", "quantile", "5"]
)
def test_the_manifold_shows_each_cell_at_the_coordinates_on_its_axes(coordinates_vae, axis):
    figure = figures.decoder_manifold(decode_grid(coordinates_vae, axis), axis, "")
    axes = figure.axes[0]
    picture = np.asarray(axes.images[0].get_array(), float)
    spacing = np.diff(axis).max()
    for x, x_label in zip(axes.get_xticks(), axes.get_xticklabels(), strict=True):
        for y, y_label in zip(axes.get_yticks(), axes.get_yticklabels(), strict=True):
            row, column = 28 * (round(y) // 28), 28 * (round(x) // 28)
            assert logit(picture[row, column]) == pytest.approx(float(x_label.get_text()), abs=spacing)
            assert logit(picture[row, column + 1]) == pytest.approx(float(y_label.get_text()), abs=spacing)
    assert len(axes.get_xticks()) >= 3


def test_quantile_axis_cuts_the_prior_into_equal_shares():
    assert norm.cdf(quantile_axis(30)) == pytest.approx((np.arange(30) + 0.5) / 30)


def test_uniform_axis_spans_the_window_of_seed_004():
    assert uniform_axis() == pytest.approx(np.linspace(-3, 3, 30))


def test_encode_and_decode_are_the_models_own_passes_on_all_images(digits):
    vae = reference_vae(1.0, seed=0, hidden_units=16)
    mean, log_var = encode(vae, digits.test_images)
    expected_mean, expected_log_var = vae.encoder.predict(digits.test_images, batch_size=50, verbose=0)
    np.testing.assert_allclose(mean, expected_mean, atol=1e-5)
    np.testing.assert_allclose(log_var, expected_log_var, atol=1e-5)
    images = decode(vae, mean)
    assert images.shape == digits.test_images.shape
    np.testing.assert_allclose(logit(images), vae.decoder.predict(mean, verbose=0), atol=1e-4)
