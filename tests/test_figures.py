import itertools

import numpy as np
import pandas as pd
import pytest
from colorspacious import cspace_convert, deltaE
from matplotlib.colors import to_rgb
from matplotlib.patches import Circle

from vae_core import figures

NAMES = tuple("0123456789")


def history(epochs):
    columns = ["objective", "distortion", "rate", "val_objective", "val_distortion", "val_rate"]
    return pd.DataFrame({"epoch": range(1, epochs + 1)} | {name: np.linspace(200, 150, epochs) for name in columns})


@pytest.mark.parametrize("deficiency", [None, "deuteranomaly", "protanomaly", "tritanomaly"])
def test_ten_class_colors_stay_apart_also_for_colour_blind_readers(deficiency):
    colors = np.array([to_rgb(color) for color in figures.CLASS_COLORS])
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
    expected = [to_rgb(figures.CLASS_COLORS[label]) for label in labels]
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
    codes = {scale: (rng.normal(scale=scale, size=(50, 2)), rng.integers(10, size=50)) for scale in scales}
    figure = figures.latent_scatters(codes, NAMES, "")
    panels = [axes for axes in figure.axes if axes.axison]
    assert len(panels) == 2 * weights
    upper, lower = panels[:weights], panels[weights:]
    assert len({axes.get_xlim() + axes.get_ylim() for axes in upper}) == 1
    assert {axes.get_xlim() + axes.get_ylim() for axes in lower} == {(-4, 4, -4, 4)}
    means = np.concatenate([mean for mean, _ in codes.values()])
    assert upper[0].get_xlim()[0] < means[:, 0].min()
    assert upper[0].get_xlim()[1] > means[:, 0].max()
    assert upper[0].get_ylim()[0] < means[:, 1].min()
    assert upper[0].get_ylim()[1] > means[:, 1].max()
    outside = np.mean((np.abs(codes[10.0][0]) > 4).any(axis=1))
    assert f"{outside:.1%} of codes outside" in lower[0].get_title()


def test_sheet_of_manifolds_shows_every_second_cell_of_the_right_weight():
    axis = np.linspace(-3, 3, 6)
    z0, z1 = np.meshgrid(axis, axis[::-1])
    grids = {w: ((w + z0 + 10 * z1)[..., None, None] * np.ones((28, 28))) for w in (0.0, 1.0)}
    figure = figures.decoder_manifolds(grids, axis, "")
    for axes, (kl_weight, _) in zip(figure.axes, grids.items(), strict=False):
        cells = np.asarray(axes.images[0].get_array())[14::28, 14::28]
        expected = kl_weight + axis[::2][None, :] + 10 * axis[::2][::-1][:, None]
        np.testing.assert_allclose(cells, expected)


@pytest.mark.parametrize("epochs", [1, 3])
def test_curves_show_every_epoch_also_when_there_is_one(epochs):
    figure = figures.training_curves(history(epochs), "")
    assert [len(line.get_xdata()) for axes in figure.axes for line in axes.lines] == [epochs] * 6
    assert all(line.get_marker() == ("o" if epochs == 1 else "") for axes in figure.axes for line in axes.lines)
    sheet = figures.loss_curves({0.0: history(epochs), 2.0: history(epochs)}, "")
    assert [len(axes.lines) for axes in sheet.axes] == [2, 2, 2]
    assert [text.get_text() for text in sheet.legends[0].get_texts()] == ["0", "2"]
    bound = sheet.axes[2].lines[0].get_ydata()
    np.testing.assert_allclose(bound, 2 * np.linspace(200, 150, epochs))


def test_axes_of_every_figure_are_labelled(rng):
    z = rng.normal(size=(100, 2))
    labels = rng.integers(10, size=100)
    shown = [
        figures.prior_cloud(z),
        figures.kl_terms(z[:, 0], np.abs(z[:, 1]), z[:, 0] ** 2, z[:, 1] ** 2),
        figures.latent_scatter(z, labels, NAMES, ""),
        figures.latent_scatters({0.0: (z, labels)}, NAMES, ""),
        figures.decoder_manifold(np.zeros((4, 4, 28, 28)), np.linspace(-3, 3, 4), ""),
        figures.training_curves(history(2), ""),
    ]
    for figure in shown:
        for axes in figure.axes:
            assert not axes.axison or axes.get_xlabel()
            assert not axes.axison or axes.get_ylabel() or axes in axes.get_shared_y_axes().get_siblings(figure.axes[0])
