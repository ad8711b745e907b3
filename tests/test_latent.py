import keras
import numpy as np
import pytest
from scipy.stats import norm

from vae_core import figures, latent
from vae_core.figures import style
from vae_core.latent import decode, decode_grid, encode, occupied_axes, quantile_axes, share_within, uniform_axes
from vae_core.models import VAE, dense_encoder, reference_vae


@pytest.fixture(scope="module")
def coordinates_vae():
    """A decoder whose upper left pixels say where it was asked: logits z[0], z[1], and 0 elsewhere."""
    kernel = np.zeros((2, 784), "float32")
    kernel[0, 0] = kernel[1, 1] = 1
    decoder = keras.Sequential([keras.Input((2,)), keras.layers.Dense(784), keras.layers.Reshape((28, 28, 1))])
    decoder.set_weights([kernel, np.zeros(784, "float32")])
    return VAE(dense_encoder((4,)), decoder, kl_weight=1.0, seed=0)


@pytest.fixture(scope="module")
def many_dimensions_vae():
    """Colour images of 8 x 8 whose first five pixels in red have the logits z[0] to z[4]; the rest have 0."""
    kernel = np.zeros((5, 8, 8, 3), "float32")
    kernel[np.arange(5), 0, np.arange(5), 0] = 1
    decoder = keras.Sequential([keras.Input((5,)), keras.layers.Dense(192), keras.layers.Reshape((8, 8, 3))])
    decoder.set_weights([kernel.reshape(5, 192), np.zeros(192, "float32")])
    return VAE(dense_encoder((4,), 5, image_shape=(8, 8, 3)), decoder, kl_weight=1.0, seed=0)


def where_asked(colour_images):
    """The latent point that each of `many_dimensions_vae`'s images shows: (..., 5)."""
    assert colour_images.shape[-3:] == (8, 8, 3)
    np.testing.assert_array_equal(colour_images[..., 1:], 0.5)
    return logit(colour_images[..., 0, :5, 0].astype(float))


def logit(p):
    return np.log(p) - np.log1p(-p)


def test_grid_columns_follow_z0_and_rows_run_down_z1(coordinates_vae):
    axes = np.array([[-2.0, -0.5, 1.0, 3.0], [0.5, 0.75, 1.0, 4.0]])
    grid = logit(decode_grid(coordinates_vae, axes).astype(float))
    assert grid.shape == (4, 4, 28, 28)
    np.testing.assert_allclose(grid[:, :, 0, 0], np.tile(axes[0], (4, 1)), atol=1e-4)
    np.testing.assert_allclose(grid[:, :, 0, 1], np.tile(axes[1, ::-1, None], (1, 4)), atol=1e-4)


def test_grid_over_two_of_five_dimensions_leaves_the_others_at_0(many_dimensions_vae):
    axes = np.array([[-2.0, 1.0, 3.0], [0.5, 0.75, 4.0]])
    asked = where_asked(decode_grid(many_dimensions_vae, axes, dimensions=(3, 1)))
    expected = np.zeros((3, 3, 5))
    expected[..., 3], expected[..., 1] = axes[0], axes[1, ::-1, None]
    np.testing.assert_allclose(asked, expected, atol=1e-4)


def test_a_strip_is_one_row_along_one_dimension(many_dimensions_vae):
    axes = uniform_axes(7, dimensions=1)
    asked = where_asked(decode_grid(many_dimensions_vae, axes, dimensions=(4,)))
    assert asked.shape == (1, 7, 5)
    np.testing.assert_allclose(asked[0], np.linspace(-3, 3, 7)[:, None] * np.eye(5)[4], atol=1e-4)


def test_traversals_move_one_dimension_a_row_the_highest_rate_first(many_dimensions_vae, rng):
    mean, log_var = rng.normal(size=(500, 5)) * [0.1, 2, 0, 1, 0.5], np.zeros((500, 5))
    dimensions, positions, images = latent.traversals(many_dimensions_vae, mean, log_var, steps=5, limit=2, most=4)
    assert dimensions.tolist() == [1, 3, 4, 0]
    np.testing.assert_array_equal(positions, [-2, -1, 0, 1, 2])
    expected = positions[:, None] * np.eye(5)[dimensions][:, None]  # (4, 5, 5)
    np.testing.assert_allclose(where_asked(images), expected, atol=1e-4)


def test_traversals_of_grey_images_have_no_last_axis(coordinates_vae):
    mean, log_var = np.array([[1.0, 2.0]]), np.zeros((1, 2))
    dimensions, positions, images = latent.traversals(coordinates_vae, mean, log_var)
    assert (dimensions.tolist(), images.shape) == ([1, 0], (2, 11, 28, 28))
    np.testing.assert_allclose(logit(images[0, :, 0, 1].astype(float)), positions, atol=1e-4)


def test_pictures_show_all_of_one_or_two_dimensions_and_of_more_the_two_of_the_highest_rate(rng):
    """The rate has its share from the deviations: the dimension 2 says nothing with its means."""
    mean, log_var = rng.normal(size=(400, 4)) * [1, 3, 0, 2], np.zeros((400, 4)) - [0, 0, 30, 0]
    assert latent.shown_dimensions(mean, log_var) == (2, 1)
    assert latent.shown_dimensions(mean[:, :2], log_var[:, :2]) == (0, 1)
    assert latent.shown_dimensions(mean[:, 1:3], log_var[:, 1:3]) == (0, 1)
    assert latent.shown_dimensions(mean[:, :1], log_var[:, :1]) == (0,)
    assert latent.by_rate(mean, log_var) == (2, 1, 3, 0)
    np.testing.assert_allclose(latent.mean_rates(np.ones((9, 2)), np.full((9, 2), np.log(2))), 1 - np.log(2) / 2)


def test_tiles_stand_where_the_grid_has_them():
    images = np.arange(3 * 4).reshape(3, 4, 1, 1) * np.ones((1, 1, 28, 28)) + np.linspace(0, 0.5, 28)[:, None]
    tiled = style.tile(images)
    assert tiled.shape == (3 * 28, 4 * 28)
    for row in range(3):
        for column in range(4):
            cell = tiled[28 * row : 28 * (row + 1), 28 * column : 28 * (column + 1)]
            assert np.array_equal(cell, images[row, column])


@pytest.mark.parametrize(
    "window",
    [
        uniform_axes(),
        quantile_axes(),
        uniform_axes(8, limit=5),
        np.stack([np.linspace(-6, -1, 9), np.linspace(0, 4, 9)]),
    ],
    ids=["3", "quantiles", "5", "occupied"],
)
def test_the_manifold_shows_each_cell_at_the_coordinates_on_its_axes(coordinates_vae, window):
    axes = figures.decoder_manifold(decode_grid(coordinates_vae, window), window, "", 0.123).axes[0]
    assert "12.3% of the test codes" in axes.get_xlabel()
    picture = np.asarray(axes.images[0].get_array(), float)
    spacing = np.diff(window).max()
    for x, x_label in zip(axes.get_xticks(), axes.get_xticklabels(), strict=True):
        for y, y_label in zip(axes.get_yticks(), axes.get_yticklabels(), strict=True):
            row, column = 28 * (round(y) // 28), 28 * (round(x) // 28)
            assert logit(picture[row, column]) == pytest.approx(float(x_label.get_text()), abs=spacing)
            assert logit(picture[row, column + 1]) == pytest.approx(float(y_label.get_text()), abs=spacing)
    assert len(axes.get_xticks()) >= 3


def test_quantile_axes_cut_the_prior_into_equal_shares():
    for axis in quantile_axes(30):
        assert norm.cdf(axis) == pytest.approx((np.arange(30) + 0.5) / 30)


def test_uniform_axes_span_the_window_of_tutorial_004():
    assert uniform_axes() == pytest.approx(np.stack([np.linspace(-3, 3, 30)] * 2))


@pytest.mark.parametrize(("shape", "cells"), [((8, 8, 1), 30), ((28, 28, 1), 30), ((20, 32, 3), 26), ((64, 64, 3), 13)])
def test_a_grid_has_no_more_pixels_than_one_of_mnist(shape, cells):
    assert latent.grid_cells(shape) == cells
    assert latent.grid_cells((64, 64), most=12) == 5


def test_occupied_axes_cover_98_percent_of_each_dimension(rng):
    mean = rng.normal(size=(5000, 2)) * [30, 0.1] + [7, -2]
    axes = occupied_axes(mean, cells=5)
    for i in range(2):
        inside = (mean[:, i] >= axes[i, 0]) & (mean[:, i] <= axes[i, -1])
        assert inside.mean() == pytest.approx(0.98, abs=0.001)
        assert np.ptp(np.diff(axes[i])) == pytest.approx(0, abs=1e-9)
    assert share_within(mean, axes) == pytest.approx(0.98**2, abs=0.003)
    collapsed = occupied_axes(np.full((9, 2), 0.5), cells=3)
    np.testing.assert_allclose(collapsed, [[0.49, 0.5, 0.51]] * 2)


def test_axes_and_the_share_within_them_of_one_dimension(rng):
    mean = rng.normal(size=(5000, 1))
    for axes in (uniform_axes(5, dimensions=1), quantile_axes(5, dimensions=1), occupied_axes(mean, 5)):
        assert axes.shape == (1, 5)
        expected = norm.cdf(axes[0, -1]) - norm.cdf(axes[0, 0])
        assert share_within(mean, axes) == pytest.approx(expected, abs=0.02)


def test_share_within_needs_both_coordinates_inside():
    mean = np.array([[0.0, 0.0], [2.9, -2.9], [0.0, 3.1], [-3.1, 0.0], [9.0, 9.0]])
    assert share_within(mean, uniform_axes()) == pytest.approx(0.4)


def test_encode_and_decode_are_the_models_own_passes_on_all_images(digits):
    vae = reference_vae(1.0, seed=0, hidden_units=16)
    mean, log_var = encode(vae, digits.test_images)
    expected_mean, expected_log_var = vae.encoder.predict(digits.test_images, batch_size=50, verbose=0)
    np.testing.assert_allclose(mean, expected_mean, atol=1e-5)
    np.testing.assert_allclose(log_var, expected_log_var, atol=1e-5)
    images = decode(vae, mean)
    assert images.shape == digits.test_images.shape
    np.testing.assert_allclose(logit(images), vae.decoder.predict(mean, verbose=0), atol=1e-4)


@pytest.mark.parametrize("block", [1, 7, 20, 50])
def test_codes_and_images_do_not_depend_on_how_many_are_made_at_a_time(digits, monkeypatch, block):
    vae, images = reference_vae(1.0, seed=0, hidden_units=8), digits.test_images[:20]
    mean, log_var = (np.asarray(part) for part in vae.encoder(images))
    monkeypatch.setattr(latent, "BLOCK", block)
    in_blocks = (*encode(vae, images), latent.outputs(vae, mean))
    for ours, whole in zip(in_blocks, (mean, log_var, vae.decoder(mean)), strict=True):
        np.testing.assert_allclose(ours, whole, atol=1e-5)


def test_draws_have_the_mean_and_the_deviation_of_each_image_and_repeat_with_the_generator():
    mean, log_var = np.array([[1.0, -2.0], [5.0, 0.0]]), np.log(np.array([[0.25, 9.0], [1.0, 1e-6]]))
    draws = latent.draw(mean, log_var, np.random.default_rng(0), samples=20_000)
    assert draws.shape == (20_000, 2, 2)
    np.testing.assert_allclose(draws.mean(axis=0), mean, atol=0.06)
    np.testing.assert_allclose(draws.std(axis=0), np.exp(log_var / 2), rtol=0.03)
    again = latent.draw(mean, log_var, np.random.default_rng(0))
    np.testing.assert_array_equal(again[0], draws[0])


def test_samples_of_the_prior_are_standard_normal():
    z = latent.sample_prior(20_000, seed=3, latent_dim=4)
    assert z.shape == (20_000, 4)
    np.testing.assert_allclose(z.mean(axis=0), np.zeros(4), atol=0.03)
    np.testing.assert_allclose(np.cov(z.T), np.eye(4), atol=0.05)


def test_fixed_points_are_the_quantile_grid_on_a_line_and_in_a_plane_and_prior_samples_beyond():
    line, plane, space = (latent.fixed_points(latent_dim, cells=4) for latent_dim in (1, 2, 5))
    quantiles = latent.quantile_axes(cells=4)[0]
    assert np.array_equal(line, quantiles[None, :, None])
    assert np.array_equal(plane[0, :, 0], quantiles) and np.array_equal(plane[:, 0, 1], quantiles[::-1])
    assert space.shape == (4, 4, 5)
    assert np.array_equal(space.reshape(16, 5), latent.sample_prior(16, seed=0, latent_dim=5))
