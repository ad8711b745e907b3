"""Figures of any number of latent dimensions and classes, of grey and colour images of any shape."""

import hashlib
import re
import warnings

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from PIL import Image

from tests.figures.test_many_weights import faults
from tests.made_up import latent_of, sweep_of
from vae_core import figures
from vae_core.figures import classes, panels, style
from vae_core.latent import mean_rates
from vae_core.report.sheets import ANIMATIONS, SHEETS, TRAVERSALS, draw_sheets
from vae_core.runs import PROJECT, Runs, save_latent, write_json

DIGITS = tuple("0123456789")
LETTERS = tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
SHAPES = {  # latent dimensions, class names, shape of the images
    "strip": (1, DIGITS, (6, 9)),
    "strip in colour": (1, (), (6, 9, 3)),
    "plane without classes": (2, (), (8, 8, 3)),
    "three": (3, tuple(f"a folder of somebody, number {number}" for number in range(7)), (8, 8)),
    "letters": (32, LETTERS, (9, 6, 3)),
    "many": (128, tuple(map(str, range(100))), (8, 8)),
}


def names_of(rates):
    return {f"rate_z{dimension}": rate for dimension, rate in enumerate(rates)}


def in_folders(folder, runs, latent, class_names, image_shape):
    """The runs with folders that hold what sheets are drawn from."""
    folders = [folder / f"run{row}" for row in range(len(runs.folders))]
    for path in folders:
        path.mkdir()
        about = {"name": "mine", "description": "my pictures", "class_names": class_names, "path": "mine"}
        write_json(path / "dataset.json", about | {"image_shape": image_shape})
        losses = {"epoch": [1, 2], "val_distortion": [90.0, 80.0], "val_rate": [1.0, 2.0]}
        pd.DataFrame(losses).to_csv(path / "history.csv", index=False)
        save_latent(path, latent)
    return Runs(runs.settings, runs.measures, folders)


@pytest.mark.parametrize("name", ["strip in colour", "letters", "many"])
def test_every_sheet_is_drawn_for_every_latent_space_and_kind_of_image(tmp_path, name):
    latent_dim, class_names, image_shape = SHAPES[name]
    latent = latent_of(latent_dim, len(class_names), image_shape)
    rates = names_of(mean_rates(latent.mean, latent.log_var))
    runs = in_folders(tmp_path, sweep_of([0.0, 1.0], **rates), latent, class_names, image_shape)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        draw_sheets(tmp_path, runs)
    expected = {*SHEETS, *ANIMATIONS, *([TRAVERSALS] if latent_dim > 2 else [])}
    assert {path.stem for path in tmp_path.glob("*.*")} == expected


@pytest.mark.parametrize("name", SHAPES)
def test_words_never_overlap_and_no_panel_is_empty(name):
    latent_dim, class_names, image_shape = SHAPES[name]
    latent = latent_of(latent_dim, len(class_names), image_shape)
    dimensions, latents = panels.shown_dimensions(latent), dict.fromkeys([0.0, 1.0, 20.0], latent)
    rates = mean_rates(latent.mean, latent.log_var)
    rows = [f"z[{dimension}]  0.01" for dimension in latent.traversal_dimensions]
    grid, traversed = (latent.manifold, latent.axes, 0.5), (latent.traversals, rows, latent.traversal_positions)
    title = "mine: codes of 60 test images at kl_weight 1"
    drawn = {
        "scatter": figures.latent_scatter(latent.mean, latent.labels, class_names, title, dimensions),
        "manifold": figures.decoder_manifold(*grid[:2], title, 0.5, dimensions, latent_dim),
        "bars": figures.dimension_bars(rates, latent.mean.var(axis=0), 0.01, title),
        "traversal": figures.traversal_sheet(
            latent.traversals, latent.traversal_dimensions, latent.traversal_positions, rates, title
        )
        if latent_dim <= 16
        else None,
        "row": figures.image_row(latent.prior_samples, title, [*class_names[:5]] or None),
        "samples of a run": figures.sample_rows(latent.prior_samples, latent.mixture_samples),
        "scatters": panels.latent_scatters(latents, class_names, title),
        "ellipses": panels.posterior_ellipses(latents, class_names, title),
        "manifolds": panels.decoder_manifolds(dict.fromkeys(latents, grid), title, dict.fromkeys(latents, dimensions)),
        "traversals": panels.traversals(dict.fromkeys(latents, traversed), title),
        "samples": panels.samples(
            dict.fromkeys(latents, (latent.prior_samples, latent.mixture_samples)),
            dict.fromkeys(latents, ("precision 0.95, recall 0.09", "")),
            title,
        ),
        "weight": panels.weight_frame(
            "kl_weight 1", latent, style.covering_square([latent.mean[:, dimensions]]), class_names
        ),
        "epoch": next(panels.epoch_frames(latent, class_names, "mine, kl_weight 1")),
    }
    drawn = {name: figure for name, figure in drawn.items() if figure}
    assert {name: found for name, figure in drawn.items() if (found := faults(figure))} == {}
    for figure in drawn.values():
        assert all(axes.has_data() for axes in figure.axes if axes.axison)


def test_a_scatter_shows_the_dimensions_that_it_is_asked_for(rng):
    mean = rng.normal(size=(30, 10))
    axes = figures.latent_scatter(mean, np.arange(30) % 10, DIGITS, "", (7, 3)).axes[0]
    np.testing.assert_array_equal(axes.collections[0].get_offsets(), mean[:, [7, 3]])
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("z[7]", "z[3]")


def test_a_strip_has_each_code_at_its_coordinate_in_the_band_of_its_class(rng):
    mean, labels = rng.normal(size=(200, 1)), rng.integers(10, size=200)
    axes = figures.latent_scatter(mean, labels, DIGITS, "", (0,)).axes[0]
    density, points = sorted(axes.collections, key=lambda shape: len(shape.get_offsets()))
    places = points.get_offsets()
    np.testing.assert_array_equal(places[:, 0], mean[:, 0])
    np.testing.assert_array_equal(np.floor(places[:, 1]), labels)
    names = {text.get_text(): place for text, place in zip(axes.get_yticklabels(), axes.get_yticks(), strict=True)}
    assert names == {name: int(name) + 0.5 for name in DIGITS}
    outline = density.get_paths()[0].vertices  # of the prior: half as high where the density is
    assert outline[:, 1].max() == pytest.approx(0.95)
    half = outline[np.isclose(outline[:, 0], 1.2)][:, 1].max() / outline[:, 1].max()
    assert half == pytest.approx(np.exp(-(1.2**2) / 2))


def test_classes_beyond_ten_differ_in_colour_or_marker_and_the_legend_says_which(rng):
    labels = np.arange(260) % 26
    axes = figures.latent_scatter(rng.normal(size=(260, 2)), labels, LETTERS, "").axes[0]
    assert len(axes.collections) == 3
    looks = {}
    for group, points in enumerate(axes.collections):
        marker = points.get_paths()[0].vertices.tobytes()
        for label, color in zip(labels[labels // 10 == group], points.get_facecolors(), strict=True):
            looks.setdefault(int(label), set()).add((to_hex(color), marker))
    assert all(len(look) == 1 for look in looks.values())
    assert len({look for found in looks.values() for look in found}) == 26
    handles = classes.class_handles(LETTERS)
    assert [handle.get_label() for handle in handles] == list(LETTERS)
    assert [{to_hex(handle.get_color())} for handle in handles] == [{look[0] for look in looks[i]} for i in range(26)]


def test_without_classes_there_is_one_colour_and_no_legend_of_them_and_too_many_are_said_to_be(rng):
    mean, unknown = rng.normal(size=(50, 2)), np.full(50, -1)
    bare = figures.latent_scatter(mean, unknown, (), "").axes[0]
    assert [text.get_text() for text in bare.get_legend().get_texts()] == ["prior, 1 sigma", "prior, 2 sigma"]
    assert len(np.unique(bare.collections[0].get_facecolors(), axis=0)) == 1
    names = tuple(map(str, range(31)))
    many = figures.latent_scatter(mean, np.arange(50) % 31, names, "").axes[0]
    assert many.get_legend().get_texts()[0].get_text() == "31 classes, too many to colour"
    assert len(np.unique(many.collections[0].get_facecolors(), axis=0)) == 1


def test_bars_are_ranked_and_those_above_the_threshold_of_the_variance_are_active():
    rates, spreads = np.array([0.5, 3.0, 0.02, 1.0]), np.array([0.3, 0.9, 0.002, 0.01])
    above, below = figures.dimension_bars(rates, spreads, 0.01, "").axes
    assert [bar.get_height() for bar in above.patches] == [3, 1, 0.5, 0.02]
    assert [text.get_text() for text in below.get_xticklabels()] == ["z[1]", "z[3]", "z[0]", "z[2]"]
    active, dead = (points.get_offsets() for points in below.collections)
    np.testing.assert_allclose(active, [[1, 0.9], [3, 0.3]])
    np.testing.assert_allclose(dead, [[2, 0.01], [4, 0.002]])  # at the threshold is not above it
    colors = [bar.get_facecolor() for bar in above.patches]
    assert colors[0] == colors[2] != colors[1] == colors[3]
    assert below.lines[0].get_ydata()[0] == 0.01


def test_a_traversal_has_a_row_per_dimension_and_a_column_per_position(rng):
    images = rng.random((2, 3, 4, 5, 3))
    axes = figures.traversal_sheet(images, [7, 3], np.array([-3.0, 0.0, 3.0]), np.array([2.0, 0.5]), "").axes[0]
    shown = axes.images[0].get_array()
    np.testing.assert_allclose(shown[5:9, 12:17] / 255, images[1, 2], atol=0.5 / 255)
    assert [text.get_text() for text in axes.get_yticklabels()] == ["z[7]  2.00", "z[3]  0.50"]
    assert [text.get_text() for text in axes.get_xticklabels()] == ["-3", "0", "3"]
    assert axes.get_yticks()[1] == pytest.approx(6.5)  # the middle of pixels 5 to 8


def test_a_decoded_grid_in_colour_says_which_dimensions_it_has_and_that_the_others_are_at_0(rng):
    images, coordinates = rng.random((2, 2, 4, 5, 3)), np.array([[-1.0, 1.0], [-1.0, 1.0]])
    axes = figures.decoder_manifold(images, coordinates, "", 0.25, (7, 3), 10).axes[0]
    np.testing.assert_allclose(axes.images[0].get_array()[:4, 5:] / 255, images[0, 1], atol=0.5 / 255)
    assert axes.get_xlabel() == "z[7]\n25.0% of the test codes lie in this window; other dimensions (8) are at 0"
    assert axes.get_ylabel() == "z[3]"
    strip = figures.decoder_manifold(images[:1], coordinates[:1], "", 0.25, (0,), 1).axes[0]
    assert strip.get_xlabel() == "z[0]\n25.0% of the test codes lie in this window"
    assert len(strip.get_yticks()) == 0


@pytest.mark.parametrize(("pixels", "scale"), [(8, 4), (16, 2), (28, 1), (32, 1), (64, 0.5)])
def test_a_decoded_grid_is_neither_tiny_nor_huge(pixels, scale):
    figure = figures.decoder_manifold(
        np.zeros((30, 30, pixels, pixels)), np.tile(np.linspace(-3, 3, 30), (2, 1)), "", 0.5
    )
    box = figure.axes[0].get_window_extent()
    assert (box.width, box.height) == pytest.approx((30 * pixels * scale, 30 * pixels * scale))


def test_the_weight_per_epoch_has_a_panel_where_it_varies():
    columns = ("objective", "distortion", "rate", "val_objective", "val_distortion", "val_rate")
    history = pd.DataFrame({"epoch": [1, 2, 3]} | {name: [3.0, 2.0, 1.0] for name in columns})
    assert len(figures.training_curves(history, "").axes) == 3
    axes = figures.training_curves(history.assign(kl_weight=[0.1, 0.5, 1.0]), "").axes[3]
    np.testing.assert_allclose(axes.lines[0].get_ydata(), [0.1, 0.5, 1])
    assert "kl_weight" in axes.get_ylabel()


def test_colour_images_keep_their_colours_in_a_file_and_about_in_an_animation(tmp_path):
    x, y = np.meshgrid(np.linspace(0, 1, 200), np.linspace(0, 1, 200))
    sky = np.stack([x, y, 1 - x], axis=-1)
    figure = Figure(figsize=(4, 4))
    style.show_image(figure.add_axes((0.1, 0.1, 0.8, 0.8)), sky)
    figures.save_figure(tmp_path / "sky.png", figure, colors=24)
    figures.save_animation(tmp_path / "sky.gif", [figure, figure], milliseconds=10)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    drawn = np.asarray(canvas.buffer_rgba())[..., :3].astype(int)
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "sky.png").convert("RGB")), drawn)
    animated = np.asarray(Image.open(tmp_path / "sky.gif").convert("RGB")).astype(int)
    assert np.abs(animated - drawn).mean() < 8  # in greys: 60


PINNED = re.search(r"^matplotlib==(.*)$", (PROJECT / "requirements.txt").read_text(), re.M).group(1)


@pytest.mark.skipif(matplotlib.__version__ != PINNED, reason="another Matplotlib draws other pixels")
def test_the_pictures_of_a_plane_with_ten_classes_are_what_they_were():
    rng = np.random.default_rng(0)
    mean, labels, coordinates = rng.normal(size=(300, 2)), np.arange(300) % 10, np.tile(np.linspace(-3, 3, 30), (2, 1))
    scatter = figures.latent_scatter(mean, labels, DIGITS, "codes")
    manifold = figures.decoder_manifold(rng.random((30, 30, 28, 28)), coordinates, "grid", 0.5)
    found = []
    for figure in (scatter, manifold):
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        found.append(hashlib.sha256(np.asarray(canvas.buffer_rgba()).tobytes()).hexdigest()[:16])
    assert found == ["c081b1b8c8c1378e", "d2e4cd9f6ce6ab38"]
