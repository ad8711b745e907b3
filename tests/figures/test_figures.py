import itertools

import numpy as np
import pandas as pd
import pytest
from colorspacious import cspace_convert, deltaE
from matplotlib.colors import to_rgb
from matplotlib.patches import Circle, Ellipse, Rectangle
from PIL import Image

from tests.made_up import runs_of
from vae_core import figures
from vae_core.figures import panels, plane, style
from vae_core.figures import sweep as sheets
from vae_core.runs import Latent

NAMES = tuple("0123456789")


def codes_of(mean):
    return Latent(mean, np.zeros_like(mean), np.arange(len(mean)) % 10)


def history(epochs):
    columns = ["objective", "distortion", "rate", "val_objective", "val_distortion", "val_rate"]
    return pd.DataFrame({"epoch": range(1, epochs + 1)} | {name: np.linspace(200, 150, epochs) for name in columns})


@pytest.mark.parametrize("deficiency", [None, "deuteranomaly", "protanomaly", "tritanomaly"])
def test_ten_class_colors_stay_apart_also_for_colour_blind_readers(deficiency):
    colors = np.array([to_rgb(color) for color in style.CLASS_COLORS])
    if deficiency:
        space = {"name": "sRGB1+CVD", "cvd_type": deficiency, "severity": 100}
        colors = np.clip(cspace_convert(colors, space, "sRGB1"), 0, 1)
    pairs = itertools.combinations(colors, 2)
    assert len(colors) == 10
    assert min(deltaE(one, other, input_space="sRGB1") for one, other in pairs) > 14  # tab10: 1.6


def test_scatter_has_each_code_in_the_colour_of_its_class_and_equal_axes(rng):
    mean, labels = rng.normal(scale=9, size=(500, 2)), rng.integers(10, size=500)
    axes = figures.latent_scatter(mean, labels, NAMES, "").axes[0]
    points = axes.collections[0]
    np.testing.assert_array_equal(points.get_offsets(), mean)
    expected = [to_rgb(style.CLASS_COLORS[label]) for label in labels]
    np.testing.assert_allclose(points.get_facecolors()[:, :3], expected)
    assert np.diff(axes.get_xlim()) == pytest.approx(np.diff(axes.get_ylim()))
    assert axes.get_aspect() == 1
    assert np.all((mean > [axes.get_xlim()[0], axes.get_ylim()[0]]) & (mean < [axes.get_xlim()[1], axes.get_ylim()[1]]))
    assert sorted(patch.get_radius() for patch in axes.patches if isinstance(patch, Circle)) == [1, 2]
    legend = [text.get_text() for text in axes.get_legend().get_texts()]
    assert legend == [*NAMES, "prior, 1 sigma", "prior, 2 sigma"]


@pytest.mark.parametrize("weights", [1, 4, 8, 9])
def test_sheet_of_scatters_has_the_same_axes_in_all_panels_of_a_half(rng, weights):
    scales = 10 / np.arange(1, weights + 1)
    codes = {scale: codes_of(rng.normal(scale=scale, size=(50, 2))) for scale in scales}
    figure = panels.latent_scatters(codes, NAMES, "")
    shown = [axes for axes in figure.axes if axes.axison]
    assert len(shown) == 2 * weights
    upper, lower = shown[:weights], shown[weights:]
    assert len({axes.get_xlim() + axes.get_ylim() for axes in upper}) == 1
    assert {axes.get_xlim() + axes.get_ylim() for axes in lower} == {(-4, 4, -4, 4)}
    means = np.concatenate([latent.mean for latent in codes.values()])
    assert upper[0].get_xlim()[0] < means[:, 0].min()
    assert upper[0].get_xlim()[1] > means[:, 0].max()
    assert upper[0].get_ylim()[0] < means[:, 1].min()
    assert upper[0].get_ylim()[1] > means[:, 1].max()
    outside = np.mean((np.abs(codes[10.0].mean) > 4).any(axis=1))
    assert f"{outside:.1%} of codes outside" in lower[0].get_title()


def test_sheet_of_manifolds_shows_every_second_cell_of_the_right_weight():
    coordinates = np.stack([np.linspace(-3, 3, 6), np.linspace(10, 20, 6)])
    z0, z1 = np.meshgrid(coordinates[0], coordinates[1][::-1])
    grids = {w: ((w + z0 + 10 * z1)[..., None, None] * np.ones((28, 28)), coordinates, w / 2) for w in (0.0, 1.0)}
    figure = panels.decoder_manifolds(grids, "")
    for axes, kl_weight in zip(figure.axes, grids, strict=False):
        cells = np.asarray(axes.images[0].get_array())[14::28, 14::28]
        expected = kl_weight + coordinates[0, ::2][None, :] + 10 * coordinates[1, ::2][::-1][:, None]
        np.testing.assert_allclose(cells, expected)
        assert f"{kl_weight / 2:.1%} of the test codes" in axes.get_title()


def test_ellipses_are_two_deviations_each_way_around_the_first_means(rng):
    mean, log_var = rng.normal(size=(40, 2)), rng.normal(size=(40, 2))
    figure = panels.posterior_ellipses({1.0: Latent(mean, log_var, np.zeros(40, int))}, NAMES, "")
    ellipses = [
        patch for patch in figure.axes[0].patches if isinstance(patch, Ellipse) and not isinstance(patch, Circle)
    ]
    assert len(ellipses) == 25
    np.testing.assert_allclose([patch.get_center() for patch in ellipses], mean[:25])
    sizes = [(patch.get_width(), patch.get_height()) for patch in ellipses]
    np.testing.assert_allclose(sizes, 4 * np.exp(log_var[:25] / 2))


def test_plane_has_every_run_the_limits_and_lines_on_which_the_bound_is_the_same():
    runs = pd.DataFrame({"dataset": "mnist", "kl_weight": [0, 0, 1, 1], "rate": [90, 80, 6, 7], "images": 1000})
    runs = runs.assign(distortion=[100, 101, 120, 121], entropy_floor=45.0, zero_information_distortion=205.0)
    axes = plane.rate_distortion(runs_of(runs)).axes[0]
    places = np.concatenate([points.get_offsets() for points in axes.collections])
    np.testing.assert_allclose(places, [[0, 205], *runs[["rate", "distortion"]].to_numpy()])
    *bounds, floor, limit = (line.get_xydata() for line in axes.lines)
    for line in bounds:
        assert np.ptp(line.sum(axis=1)) < 1e-9
    assert floor[0, 1] == 45
    assert limit[0, 0] == pytest.approx(np.log(1000))
    assert {"0", "1"} <= {text.get_text() for text in axes.texts}


def test_rate_split_stacks_shares_of_information_and_mismatch():
    means = {"kl_weight": [0.0, 1.0], "rate_mean": [40.0, 5.0], "mutual_information_mean": [8.0, 4.0]}
    losses = pd.DataFrame(means | {"marginal_kl_mean": [32.0, 1.0]})
    losses = losses.assign(rate_std=1.0, mutual_information_std=np.nan, marginal_kl_std=1.0)
    left, right = sheets.rate_split(losses, np.log(10_000)).axes
    np.testing.assert_allclose([bar.get_height() for bar in right.patches], [0.2, 0.8, 0.8, 0.2])
    assert [text.get_text() for text in left.get_xticklabels()] == ["0", "1"]


def test_a_grid_over_a_wide_region_is_marked_with_round_numbers_where_they_are():
    coordinates = np.stack([np.linspace(-47, 33, 5), np.linspace(0.1, 0.9, 5)])
    axes = figures.decoder_manifold(np.zeros((5, 5, 28, 28)), coordinates, "", 0.5).axes[0]
    labels = [float(text.get_text()) for text in axes.get_xticklabels()]
    assert labels == [-40, -20, 0, 20]
    places = np.interp(labels, coordinates[0], np.arange(5) * 28 + 13.5)
    np.testing.assert_allclose(axes.get_xticks(), places)
    assert axes.get_yticks()[0] > axes.get_yticks()[-1]  # z[1] grows upwards


@pytest.mark.parametrize("epochs", [1, 3])
def test_curves_show_every_epoch_also_when_there_is_one(epochs):
    figure = figures.training_curves(history(epochs), "")
    assert [len(line.get_xdata()) for axes in figure.axes for line in axes.lines] == [epochs] * 6
    assert all(line.get_marker() == ("o" if epochs == 1 else "") for axes in figure.axes for line in axes.lines)
    sheet = sheets.loss_curves({0.0: history(epochs), 2.0: history(epochs)}, "")
    assert [len(axes.lines) for axes in sheet.axes] == [2, 2, 2]
    assert [text.get_text() for text in sheet.legends[0].get_texts()] == ["0", "2"]
    bound = sheet.axes[2].lines[0].get_ydata()
    np.testing.assert_allclose(bound, 2 * np.linspace(200, 150, epochs))


def test_axes_of_every_figure_are_labelled(rng):
    z = rng.normal(size=(100, 2))
    labels = rng.integers(10, size=100)
    shown = [
        figures.latent_scatter(z, labels, NAMES, ""),
        panels.latent_scatters({0.0: Latent(z, z, labels)}, NAMES, ""),
        figures.decoder_manifold(np.zeros((4, 4, 28, 28)), np.tile(np.linspace(-3, 3, 4), (2, 1)), "", 0.5),
        figures.training_curves(history(2), ""),
    ]
    for figure in shown:
        for axes in figure.axes:
            assert not axes.axison or axes.get_xlabel()
            assert not axes.axison or axes.get_ylabel() or axes in axes.get_shared_y_axes().get_siblings(figure.axes[0])


def test_samples_stand_beside_the_words_of_their_weight_and_source(rng):
    drawn = {w: (np.full((3, 28, 28, 1), w / 10), np.full((3, 28, 28, 1), w / 5)) for w in (0.0, 1.0)}
    figure = panels.samples(drawn, {0.0: ("one", "two"), 1.0: ("three", "four")}, "")
    assert [axes.get_title() for axes in figure.axes] == ["one", "two", "three", "four"]
    shown = [np.asarray(axes.images[0].get_array()) for axes in figure.axes]
    assert [picture.shape for picture in shown] == [(28, 3 * 28)] * 4
    assert [picture.mean() for picture in shown] == pytest.approx([0, 0, 0.1, 0.2])


def test_frames_of_an_animation_keep_their_windows_while_the_codes_move(rng):
    codes = rng.normal(size=(3, 20, 2)) * np.array([1, 5, 25])[:, None, None]
    latent = Latent(
        mean=codes[1],
        log_var=codes[1],
        labels=rng.integers(10, size=20),
        manifold=np.zeros((4, 4, 28, 28)),
        axes=np.zeros((2, 4)),
        epochs=[0, 1, 7],
        epoch_codes=codes,
        epoch_labels=rng.integers(10, size=20),
        epoch_manifolds=np.zeros((3, 4, 4, 28, 28)),
        epoch_axes=np.tile(np.linspace(-2, 2, 4), (2, 1)),
    )
    frames = list(panels.epoch_frames(latent, NAMES, "digits"))
    assert [frame.get_suptitle() for frame in frames] == [
        "digits, after 0 epochs",
        "digits, after 1 epoch",
        "digits, after 7 epochs",
    ]
    assert len({frame.axes[0].get_xlim() + frame.axes[0].get_ylim() for frame in frames}) == 1
    for frame, place in zip(frames, codes, strict=True):
        np.testing.assert_array_equal(frame.axes[0].collections[0].get_offsets(), place)
    frame = panels.weight_frame("kl_weight 2", latent, (-9, 9, -9, 9), NAMES)
    assert frame.axes[0].get_xlim() == (-9, 9)
    assert frame.axes[1].get_xlim() == (-4, 4)
    assert frame.get_suptitle() == "kl_weight 2"


def test_saved_figures_keep_white_and_the_class_colours_however_little_there_is_of_them(tmp_path):
    figure, axes = style.new_figure(6, 4)
    axes.imshow(np.random.default_rng(0).uniform(size=(300, 300)), cmap="viridis")
    for place, color in enumerate(style.CLASS_COLORS):
        figure.patches.append(Rectangle((place / 20, 0.01), 0.01, 0.015, color=color, transform=figure.transFigure))
    figures.save_figure(tmp_path / "figure.png", figure)
    figures.save_animation(tmp_path / "figure.gif", [figure, figure], milliseconds=10)
    expected = {tuple(round(255 * channel) for channel in to_rgb(color)) for color in style.CLASS_COLORS}
    for name in ("figure.png", "figure.gif"):
        colors = {color: count for count, color in Image.open(tmp_path / name).convert("RGB").getcolors(1 << 24)}
        assert expected <= set(colors)
        assert max(colors, key=colors.get) == (255, 255, 255)


def test_animation_shows_every_figure_and_the_last_one_longest(tmp_path):
    frames = [style.new_figure(2, 2)[0] for _ in range(3)]
    for number, figure in enumerate(frames):
        figure.text(0.5, 0.5, str(number))
    figures.save_animation(tmp_path / "a.gif", frames, milliseconds=50)
    animation = Image.open(tmp_path / "a.gif")
    durations = []
    for frame in range(animation.n_frames):
        animation.seek(frame)
        durations.append(animation.info["duration"])
    assert durations == [50, 50, 200]
    assert animation.info["loop"] == 0
