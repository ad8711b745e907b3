"""Predicted and found units of a sweep: 1 to 128 dimensions, 1 to 200 weights, with and without a prediction."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import StepPatch

from tests.figures.test_many_weights import faults
from tests.made_up import runs_of, weights_like
from vae_core.figures.collapse import FEW, LINED, collapse
from vae_core.report.tables import collapse_weights, ranked_rates
from vae_core.runs import Runs

FIRST = 32.0


def deaths_of(latent_dim: int) -> np.ndarray:
    return FIRST * np.arange(1, latent_dim + 1) ** -0.8


def sweep(weights, latent_dim: int, seeds: int = 2, predicted: bool = True) -> Runs:
    """Units that die where they should, but for those of every second seed, of which one fewer is active."""
    deaths, rows = deaths_of(latent_dim), []
    for kl_weight in weights:
        for seed in range(seeds):
            rates = np.log(np.maximum(deaths / max(kl_weight, 0.01), 1)) / 2  # 0 for the dead
            row = {"kl_weight": kl_weight, "seed": seed, "active_units": max(0, np.sum(rates > 0) - seed % 2)}
            row |= {f"rate_z{place}": rate for place, rate in enumerate(rates[::-1])}
            told = {f"collapse_weight{place}": death for place, death in enumerate(deaths)}
            rows.append(row | (told if predicted else {}))
    return runs_of(pd.DataFrame(rows))


def drawn(runs: Runs) -> Figure:
    return collapse(runs.by_seed()["active_units"], ranked_rates(runs), collapse_weights(runs))


@pytest.mark.parametrize(
    ("latent_dim", "count", "predicted"),
    [(1, 1, True), (2, 8, False), (2, 200, True), (FEW, 11, True), (10, 8, True), (32, 40, True), (128, 8, False)],
)
def test_words_never_overlap_and_no_panel_is_empty(latent_dim, count, predicted):
    figure = drawn(sweep(weights_like(count), latent_dim, predicted=predicted))
    assert faults(figure) == []
    assert all(axes.has_data() for axes in figure.axes)


@pytest.mark.parametrize("weights", [[0.0, 1.0, 40.0], [10.0, 12.0, 40.0], [1.0], [0.0]])
@pytest.mark.parametrize("latent_dim", [1, 2, 32])
def test_the_predicted_step_is_at_each_weight_what_the_law_lets_live(latent_dim, weights):
    left, _ = drawn(sweep(weights, latent_dim)).axes[:2]
    (step,) = (patch for patch in left.patches if isinstance(patch, StepPatch))
    values, edges, _ = step.get_data()
    assert edges[0] == max(0, left.get_xlim()[0])
    assert edges[-1] == left.get_xlim()[1] > FIRST  # the death of the last unit is in the picture
    for kl_weight in [*weights, 0.5 * FIRST, 0.999 * FIRST, 1.001 * FIRST]:
        if edges[0] <= kl_weight < edges[-1]:
            place = np.searchsorted(edges, kl_weight, side="right") - 1
            assert values[place] == np.sum(deaths_of(latent_dim) > kl_weight)


def test_found_units_are_a_dot_for_each_seed_and_one_for_their_mean():
    left, _ = drawn(sweep([0.0, 10.0, 40.0], 2)).axes
    seeds, means = (points.get_offsets().tolist() for points in left.collections)
    assert sorted(seeds) == [[0, 1], [0, 2], [10, 1], [10, 2], [40, 0], [40, 0]]
    assert means == [[0, 1.5], [10, 1.5], [40, 0]]
    assert left.get_ylabel() == "active units, of 2"
    alone, _ = drawn(sweep([0.0, 10.0, 40.0], 2, seeds=1)).axes
    assert [points.get_offsets().tolist() for points in alone.collections] == [[[0, 2], [10, 2], [40, 0]]]
    assert [text.get_text() for text in alone.get_legend().get_texts()] == ["predicted", "found"]


def test_few_dimensions_have_a_line_by_rank_with_the_spread_over_seeds():
    runs = pd.DataFrame(
        {"kl_weight": [0.0, 0.0, 1.0, 1.0], "rate_z0": [9.0, 1.0, 0.5, 0.5], "rate_z1": [2, 7, 0.1, 0.1]}
    )
    runs = runs_of(runs.assign(seed=[0, 1, 0, 1], active_units=2))
    _, right = drawn(runs).axes
    lines = [bars.lines[0].get_ydata(orig=False) for bars in right.containers]
    np.testing.assert_allclose(lines, [[8, 0.5], [1.5, 0.1]])
    ends = right.containers[0].lines[2][0].get_segments()[0][:, 1]
    np.testing.assert_allclose(ends, [8 - np.sqrt(2), 8 + np.sqrt(2)])
    words = [text.get_text() for text in right.get_legend().get_texts()]
    assert words == ["dimension of rank 1", "dimension of rank 2"]


@pytest.mark.parametrize("latent_dim", [2, LINED, 32])
def test_each_rank_has_a_vertical_line_of_its_colour_where_it_should_die(latent_dim):
    right = drawn(sweep(weights_like(8), latent_dim)).axes[1]
    rates = [bars.lines[0] for bars in right.containers]
    upright = [line for line in right.lines if line not in rates and len(set(line.get_xdata())) == 1]
    upright = [line for line in upright if len(line.get_xdata()) == 2]
    assert [line.get_xdata()[0] for line in upright] == deaths_of(latent_dim).tolist()
    colors = [to_hex(line.get_color()) for line in rates]
    assert [to_hex(line.get_color()) for line in upright] == colors
    assert len(set(colors)) == latent_dim
    assert {line.get_ydata()[1] for line in upright} == {1 if latent_dim <= LINED else 0.1}


def test_a_rate_of_0_and_a_weight_of_0_are_in_the_picture():
    _, right = drawn(sweep([0.0, 40.0], 2)).axes
    assert right.get_ylim()[0] < 0
    assert right.get_xlim()[0] < 0


def test_runs_from_before_there_was_a_prediction_have_none_drawn():
    runs = sweep(weights_like(8), 2, predicted=False)
    assert collapse_weights(runs).shape == (0,)
    left, right = drawn(runs).axes
    assert not left.patches
    assert right.get_title() == ""
    assert left.get_xlim()[1] < FIRST


def test_in_a_sweep_of_old_and_new_runs_the_new_ones_tell_the_prediction():
    runs = sweep([0.0, 1.0], 3)
    runs.measures.loc[:1, [f"collapse_weight{place}" for place in range(3)]] = np.nan
    np.testing.assert_array_equal(collapse_weights(runs), deaths_of(3))


def test_weights_are_named_where_there_is_room_and_so_is_the_last_death():
    few, many = (drawn(sweep(weights, 2)).axes[0] for weights in ([0.0, 1.0, 4.0], np.arange(18.0, 118.0)))
    assert [text.get_text() for text in few.get_xticklabels()] == ["0", "1", "4", f"{FIRST:g}"]
    assert 5 < len(many.get_xticklabels()) < 40
