"""Figures of 1 to 200 weights, and of numbers that no one expects: readable, and drawn with bounded work."""

import functools
import itertools
from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from tests.made_up import runs_of, sweep_of, weights_like
from vae_core.figures import panels, plane
from vae_core.figures import sweep as sheets
from vae_core.figures.labels import evenly, weight_names
from vae_core.figures.style import covering_square
from vae_core.report.tables import loss_table
from vae_core.runs import Latent

NAMES = tuple("0123456789")


def words_of(figure: Figure) -> Iterator[Text]:
    """All words that are drawn; a tick outside its axis is not."""
    yield from figure.texts
    for legend in [*figure.legends, *(axes.get_legend() for axes in figure.axes)]:
        yield from [*legend.get_texts(), legend.get_title()] if legend else []
    for axes in figure.axes:
        yield from [*axes.texts, axes.title]
        for axis in (axes.xaxis, axes.yaxis) if axes.axison else ():
            low, high = sorted(axis.get_view_interval())
            ticks = [*axis.get_major_ticks(), *axis.get_minor_ticks()]
            yield from [axis.label, *(tick.label1 for tick in ticks if low <= tick.get_loc() <= high)]


def boxes_of(figure: Figure) -> dict[Text, Bbox]:
    figure.draw_without_rendering()
    shown = (text for text in words_of(figure) if text.get_visible() and text.get_text().strip())
    return {text: text.get_window_extent() for text in shown}


def faults(figure: Figure) -> list[str]:
    """Words that lie upon each other, and words that the edge cuts off."""
    boxes = boxes_of(figure)
    pairs = itertools.combinations(boxes, 2)
    over = [f"{one.get_text()} | {two.get_text()}" for one, two in pairs if boxes[one].overlaps(boxes[two].padded(-1))]
    edge = figure.bbox.padded(1)
    cut = [text.get_text() for text, box in boxes.items() if not (edge.x0 <= box.x0 <= box.x1 <= edge.x1)]
    cut += [text.get_text() for text, box in boxes.items() if not (edge.y0 <= box.y0 <= box.y1 <= edge.y1)]
    return over + cut


def history_of(rate: float, distortion: float) -> pd.DataFrame:
    rates, distortions = np.linspace(rate / 2, rate, 3), np.linspace(distortion + 40, distortion, 3)
    return pd.DataFrame({"epoch": [1, 2, 3], "val_rate": rates, "val_distortion": distortions})


@functools.cache
def plane_of(count: int) -> Figure:
    return plane.rate_distortion(sweep_of(weights_like(count), seeds=2))


def figures_of(count: int) -> dict[str, Figure]:
    weights = weights_like(count)
    runs = sweep_of(weights, seeds=2)
    losses = loss_table(runs)
    ends = zip(losses["rate_mean"], losses["distortion_mean"], strict=True)
    histories = dict(zip(weights, itertools.starmap(history_of, ends), strict=True))
    return {
        "rate_distortion": plane_of(count),
        "rate_split": sheets.rate_split(losses, np.log(10_000)),
        "loss_curves": sheets.loss_curves(histories, "Losses on the validation images: digits, seed 0"),
    }


@pytest.mark.parametrize("count", [1, 2, 8, 11, 40, 200])
def test_words_of_figures_of_a_sweep_never_overlap(count):
    assert {name: found for name, figure in figures_of(count).items() if (found := faults(figure))} == {}


@pytest.mark.parametrize("count", [1, 11])
def test_words_of_sheets_of_panels_never_overlap(rng, count):
    weights = weights_like(count)
    mean, labels, title = rng.normal(size=(20, 2)), rng.integers(10, size=20), "digits, seed 0, 12 of 200 weights"
    grid = (np.zeros((4, 4, 2, 2)), np.tile(np.linspace(-3, 3, 4), (2, 1)), 1.0)
    images = np.zeros((3, 2, 2, 1))
    words = ("10 classes, judge's confidence 0.99", "8.33 classes, judge's confidence 0.12")
    latents = dict.fromkeys(weights, Latent(mean, mean, labels))
    drawn = {
        "latent_scatters": panels.latent_scatters(latents, NAMES, title),
        "posterior_ellipses": panels.posterior_ellipses(latents, NAMES, title),
        "decoder_manifolds": panels.decoder_manifolds(dict.fromkeys(weights, grid), f"Decoded grids: {title}"),
        "samples": panels.samples(
            dict.fromkeys(weights, (images, images)), dict.fromkeys(weights, words), f"Samples: {title}"
        ),
    }
    assert {name: found for name, figure in drawn.items() if (found := faults(figure))} == {}
    for figure in drawn.values():
        unused = sum(not axes.axison for axes in figure.axes)
        assert unused * count <= len(figure.axes)  # at most one of a dozen


def test_every_run_of_many_is_drawn_and_those_at_both_ends_are_named():
    axes = plane_of(200).axes[0]
    assert sum(len(points.get_offsets()) for points in axes.collections) == 2 * 200 + 1
    named = [text.get_text() for text in axes.texts]
    assert {"0", "100"} <= set(named)
    assert 20 < len(named) < 100
    assert "some labelled" in axes.get_title()
    assert "labelled with its" in plane_of(8).axes[0].get_title()


def test_names_of_weights_hide_no_dot():
    figure = plane_of(40)
    axes, boxes = figure.axes[0], boxes_of(figure)
    dots = axes.transData.transform(np.concatenate([points.get_offsets() for points in axes.collections]))
    names = [text for text in axes.texts if text.get_text() in weight_names(weights_like(40))]
    assert len(names) > 10
    assert not any(boxes[name].contains(*dot) for name in names for dot in dots)


@pytest.mark.parametrize(
    ("distortion", "rate", "corner"),
    [
        (982_901.5, 144_699.5, 386.8),  # a run on digits at weight 0 and learning_rate 0.3
        (140.0, 1e300, 205.0),
        (1e12, 5.0, 1e12),
        (1e-9, 1e-9, 1e-9),
        (-1e6, 5.0, -1e3),
        (205.0, 0.0, 205.0),
    ],
)
def test_lines_in_the_plane_are_few_whatever_the_numbers(distortion, rate, corner):
    run = {"dataset": "digits", "kl_weight": [0, 1], "distortion": distortion, "rate": rate, "images": 297}
    figure = plane.rate_distortion(runs_of(pd.DataFrame(run | {"zero_information_distortion": corner})))
    assert 2 < len(figure.axes[0].lines) < 30


def test_a_square_covers_all_finite_points(rng):
    points = rng.normal(size=(50, 2))
    assert covering_square([points, [[np.nan, 0], [np.inf, 9]]]) == covering_square([points])


def test_weights_are_named_by_as_few_digits_as_tell_them_apart():
    assert weight_names([0, 0.02, 1.0, 1000, 12345.0]) == ["0", "0.02", "1", "1000", "12300"]
    assert weight_names([0.123456, 0.5]) == ["0.123", "0.5"]
    assert weight_names([0.123456, 0.123478]) == ["0.12346", "0.12348"]
    assert weight_names([]) == []


@pytest.mark.parametrize(("count", "most"), [(1, 12), (12, 12), (13, 12), (200, 12)])
def test_evenly_chosen_places_have_both_ends(count, most):
    places = evenly(count, most)
    assert len(places) == min(count, most)
    assert (places[0], places[-1]) == (0, count - 1)
    assert np.ptp(np.diff(places)) <= 1 if count > 1 else True
