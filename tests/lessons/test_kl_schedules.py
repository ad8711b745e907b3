"""The notebook on schedules and targets, run as a reader runs it, and the tables and verdicts behind it."""

import re
from dataclasses import replace

import nbformat
import numpy as np
import pandas as pd
import pytest
from scipy.stats import ttest_rel

from tests.first_cells import assert_refused
from tests.test_notebooks import assert_publishable
from vae_core import runs
from vae_core.execution.notebook import execute_notebook
from vae_core.lessons.kl_schedules import figures, measures, model
from vae_core.lessons.kl_schedules.claims import claims
from vae_core.lessons.kl_schedules.model import (
    CONSTANT,
    CYCLICAL,
    FREE_BITS,
    GECO,
    LINEAR,
    METHODS,
    TARGET_RATE,
    Trained,
)
from vae_core.models import vae_of_settings

NOTEBOOK = runs.PROJECT / "notebooks" / "kl_schedules.ipynb"
SHARED = {"latent_dim": 3, "kl_warmup_epochs": 2, "kl_cycles": 2, "kl_ramp": 0.5, "epochs": 4, "batch_size": 100}
SHARED |= {"learning_rate": 1e-3, "hidden_units": 4}
SEEDS = (0, 1, 2)


def training(method: str, kl_weight: float, seed: int) -> Trained:
    """Rate 20 and distortion 90 in the end, of whatever method; both targets are met exactly."""
    epochs = np.arange(1, 5)
    columns = {"epoch": epochs, "rate": 16.0 + epochs, "distortion": 94.0 - epochs, "active_units": epochs}
    columns |= {"val_rate": 17.0 + epochs + seed, "val_distortion": 95.0 - epochs}
    history = pd.DataFrame(columns if method == TARGET_RATE else columns | {"kl_weight": kl_weight * epochs / 4})
    measured = {"nll": 100.0, "distortion": 91.0, "rate": 19.0, "active_units": 2}
    target = {TARGET_RATE: 20.0, GECO: 90.0}.get(method)
    return Trained(method, kl_weight, seed, history, np.array([0.25, 12.0, 7.0]), measured, target)


def trainings(seeds: tuple[int, ...] = SEEDS, kl_weights: tuple[float, ...] = (1.0, 4.0)) -> list[Trained]:
    """Of all methods, none of which differs from another."""
    return [training(method, weight, seed) for weight in kl_weights for seed in seeds for method in METHODS]


def with_measure(trained: list[Trained], method: str, name: str, values: dict[int, float]) -> list[Trained]:
    """The same trainings, with another measure of one method, by seed."""
    return [
        replace(one, measured={**one.measured, name: values[one.seed]}) if one.method == method else one
        for one in trained
    ]


def verdicts(trained: list[Trained], kl_weight: float = 1.0) -> list[str]:
    return claims(trained)[f"at kl_weight {kl_weight:g}"].tolist()


# Trainings


def test_all_methods_start_from_the_same_weights_and_only_the_price_differs():
    own = model.method_settings(2.0, free_bits=0.1, rate=5.0, distortion=90.0)
    assert tuple(own) == METHODS
    vaes = {method: vae_of_settings({**SHARED, "seed": 3, **changed}, 12) for method, changed in own.items()}
    for vae in vaes.values():
        for mine, first in zip(vae.trainable_variables, vaes[CONSTANT].trainable_variables, strict=True):
            np.testing.assert_array_equal(mine, first)
    rates = np.array([[3.0, 0.0, 0.5], [5.0, 0.0, 0.5]], "float32")  # 4, 0 and 0.5 on average
    charged = {method: float(np.mean(vae.charge(rates))) for method, vae in vaes.items()}
    expected = {CONSTANT: 2 * 4.5, LINEAR: 0, CYCLICAL: 0, FREE_BITS: 2 * 4.6, TARGET_RATE: 20 * 0.5, GECO: 4.5}
    assert charged == pytest.approx(expected, rel=1e-6)  # at the first step


def test_the_targets_are_what_the_constant_weight_of_the_same_seed_reached(digits, monkeypatch):
    asked = []

    def train_one(dataset, kl_weight, shared, bar, method, own):
        asked.append((kl_weight, shared["seed"], method, own))
        one = training(method, kl_weight, shared["seed"])
        last = one.history["epoch"] == 4
        return replace(one, history=one.history.assign(rate=last * (10 * kl_weight + shared["seed"]), distortion=50.0))

    monkeypatch.setattr(model, "_train_one", train_one)
    trained = model.train_all(digits, (1.0, 4.0, 1.0), SHARED, 0.25, seeds=2)
    assert [(one.kl_weight, one.seed, one.method) for one in trained] == [
        (weight, seed, method) for weight in (1.0, 4.0) for seed in (0, 1) for method in METHODS
    ]
    targets = {(weight, seed): own["target_rate"] for weight, seed, method, own in asked if method == TARGET_RATE}
    assert targets == {(1, 0): 10, (1, 1): 11, (4, 0): 40, (4, 1): 41}
    assert {own["target_distortion"] for _, _, method, own in asked if method == GECO} == {50}


def test_the_planned_weights_end_at_the_final_one():
    curves = model.planned_weights(4.0, SHARED)
    assert tuple(curves) == (CONSTANT, LINEAR, CYCLICAL)
    at = {
        method: np.interp([0, 0.5, 1.5, 2.5, 3.9], curve["epoch"], curve["kl_weight"])
        for method, curve in curves.items()
    }
    np.testing.assert_allclose(at[CONSTANT], 4)
    np.testing.assert_allclose(at[LINEAR], [0, 1, 3, 4, 4], atol=1e-5)
    np.testing.assert_allclose(at[CYCLICAL], [0, 2, 4, 2, 4], atol=1e-5)  # two epochs each, the first one a ramp


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"kl_weight": 0.0}, "kl_weight must be greater than 0: there is nothing to warm up to"),
        ({"compared_kl_weight": 0.0}, "compared_kl_weight must be greater than 0: there is nothing to warm up to"),
        ({"compared_kl_weight": -1.0}, "compared_kl_weight must be at least 0, not -1.0"),
        ({"free_bits": -0.5}, "free_bits must be at least 0, not -0.5"),
        ({"seeds": 0}, "seeds must be at least 1, not 0"),
    ],
)
def test_what_cannot_be_compared_is_refused_before_anything_is_trained(changed, message, tmp_path):
    assert_refused(NOTEBOOK, changed, message, tmp_path)


def test_a_warm_up_longer_than_the_training_is_refused(tmp_path):
    message = "a warm-up of 10 epochs never ends in a training of 4: "
    message += "lower kl_warmup_epochs to 4 at most, or train longer"
    assert_refused(NOTEBOOK, {"epochs": 4}, message, tmp_path)


# Tables


def test_differences_are_paired_by_seed_and_have_the_interval_of_a_t_test():
    trained = with_measure(trainings(), CONSTANT, "nll", {0: 100.0, 1: 120.0, 2: 90.0})
    trained = with_measure(trained, LINEAR, "nll", {2: 89.4, 0: 99.0, 1: 119.5})
    backwards = sorted(trained, key=lambda one: -one.seed if one.method == LINEAR else one.seed)
    found = measures.differences(backwards)[4.0, LINEAR]["nll"]
    expected = ttest_rel([99.0, 119.5, 89.4], [100.0, 120.0, 90.0]).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx(tuple(expected))
    table = measures.difference_table(measures.differences(trained))
    assert table.loc[(4.0, LINEAR), "nll"] == f"-0.70 ({expected.low:.2f} to {expected.high:.2f})"
    assert table.index.tolist() == [(weight, method) for weight in (1.0, 4.0) for method in METHODS[1:]]


def test_a_difference_within_its_interval_is_called_none():
    trained = with_measure(trainings(), LINEAR, "nll", {0: 101.0, 1: 99.0, 2: 100.5})
    differences = measures.differences(trained)
    assert re.fullmatch(r"none found \(-\d\.\d\d to \d\.\d\d\)", measures.in_words(differences[1.0, LINEAR]["nll"]))
    assert measures.in_words(differences[1.0, LINEAR]["rate"]) == "none found (0.00 to 0.00)"
    assert measures.found(differences).startswith(
        "Of 40 differences from the constant weight, the intervals of **0** leave out 0. For the other **40** no "
    )
    trained = with_measure(trained, GECO, "rate", {0: 21.0, 1: 21.1, 2: 21.0})
    assert "the intervals of **2** leave out 0. For the other **38** no" in measures.found(
        measures.differences(trained)
    )


def test_of_one_seed_no_difference_is_told_from_chance():
    differences = measures.differences(trainings(seeds=(0,)))
    assert measures.in_words(differences[1.0, GECO]["nll"]) == "+0.00 (one seed)"
    assert measures.found(differences) == "One seed gives no interval: what is more than chance cannot be told."


def test_measures_are_means_and_deviations_over_the_seeds():
    trained = with_measure(trainings(), FREE_BITS, "active_units", {0: 1, 1: 2, 2: 3})
    table = measures.measured_table(trained)
    assert table.loc[(1.0, FREE_BITS), "active_units"] == "2.00 ± 1.00"
    assert table.loc[(1.0, CONSTANT), "nll"] == "100.00 ± 0.00"
    histories = measures.mean_histories(trained)
    assert histories[4.0, LINEAR]["val_rate"].tolist() == [19, 20, 21, 22]  # of 18, 19 and 20, and so on
    assert histories[4.0, LINEAR]["epoch"].tolist() == [1, 2, 3, 4]


def test_targets_stand_beside_what_was_reached():
    table = measures.target_table(trainings())
    row = table.loc[(TARGET_RATE, "4")]
    assert row.tolist() == ["rate 20.00 ± 0.00", "20.00 ± 0.00", "19.00 ± 0.00", ""]
    row = table.loc[(GECO, "4")]
    assert row.tolist() == ["distortion 90.00 ± 0.00", "90.00 ± 0.00", "91.00 ± 0.00", "4.00 ± 0.00"]


# Claims


def test_where_nothing_differs_no_claim_on_a_difference_is_decided():
    decided = verdicts(trainings())
    assert decided[:3] == [f"undecided: none found (0.00 to 0.00 {unit})" for unit in ("nats", "units", "units")]
    assert decided[4] == "undecided: none found (0.00 to 0.00 nats)"
    assert decided[3] == "refuted: 2.00 ± 0.00"  # of three dimensions
    assert decided[5:] == ["confirmed: 0.00 ± 0.00 nats", "confirmed: 0.00 ± 0.00 nats", "confirmed: 1.00 ± 0.00"]
    assert all(claims(trainings())["from"])


@pytest.mark.parametrize(
    ("place", "method", "name", "good", "bad"),
    [
        (0, LINEAR, "nll", {0: 99.0, 1: 98.9, 2: 99.1}, {0: 101.0, 1: 100.9, 2: 101.1}),
        (1, LINEAR, "active_units", {0: 3, 1: 3, 2: 3}, {0: 1, 1: 1, 2: 1}),
        (2, CYCLICAL, "active_units", {0: 3, 1: 3, 2: 3}, {0: 1, 1: 1, 2: 1}),
        (3, FREE_BITS, "active_units", {0: 3, 1: 3, 2: 3}, {0: 1, 1: 2, 2: 1}),
        (4, FREE_BITS, "nll", {0: 99.0, 1: 98.9, 2: 99.1}, {0: 101.0, 1: 100.9, 2: 101.1}),
    ],
)
def test_a_claim_is_decided_by_the_measures(place, method, name, good, bad):
    assert verdicts(with_measure(trainings(), method, name, good))[place].startswith("confirmed: ")
    assert verdicts(with_measure(trainings(), method, name, bad))[place].startswith("refuted: ")


def test_a_difference_that_varies_over_the_seeds_decides_nothing():
    trained = with_measure(trainings(), LINEAR, "active_units", {0: 3, 1: 2, 2: 2})
    assert verdicts(trained)[1] == "undecided: none found (-1.10 to 1.77 units)"


def test_a_target_that_is_missed_with_one_seed_is_not_met():
    def missed(one: Trained) -> Trained:
        history = one.history.assign(rate=one.history["rate"] + 1.5, distortion=one.history["distortion"] - 1.5)
        return replace(one, history=history.assign(kl_weight=2.0))

    trained = trainings()
    once = [missed(one) if one.seed == 1 else one for one in trained]
    assert [verdict.split(":")[0] for verdict in verdicts(once)[5:]] == 3 * ["true of 2 in 3 seeds"]
    always = [missed(one) for one in trained]
    assert verdicts(always)[5:] == ["refuted: 1.50 ± 0.00 nats", "refuted: -1.50 ± 0.00 nats", "refuted: 2.00 ± 0.00"]


def test_one_seed_is_said_to_be_one():
    trained = with_measure(trainings(seeds=(0,)), LINEAR, "nll", {0: 99.0})
    assert verdicts(trained)[0] == "confirmed: -1.00 nats (one seed)"
    assert verdicts(trained)[3] == "refuted: 2.00 (one seed)"
    assert verdicts(trained)[5] == "confirmed: 0.00 nats (one seed)"


# Figures


def test_every_method_is_drawn_over_the_epochs_on_the_same_axes():
    figure = figures.over_epochs(measures.mean_histories(trainings()), "title")
    panels = np.array(figure.axes).reshape(4, 2)
    assert [[len(axes.lines) for axes in row] for row in panels] == [[5, 5], [6, 6], [6, 6], [6, 6]]
    for row in panels[1:]:
        assert row[0].get_ylim() == row[1].get_ylim()
    assert all(axes.get_ylabel() and axes.get_xlabel() == "epoch" for axes in panels.flat)
    assert [axes.get_title() for axes in panels[0]] == ["final kl_weight 1", "final kl_weight 4"]
    line = next(line for line in panels[0, 1].lines if line.get_label() == GECO)
    assert line.get_ydata().tolist() == [1, 2, 3, 4]


def test_differences_are_drawn_with_their_intervals():
    trained = with_measure(trainings(), LINEAR, "nll", {0: 101.0, 1: 99.0, 2: 100.5})
    found = measures.differences(trained)
    panel = figures.differences(found, "title").axes[0]
    assert panel.get_xlabel() == "-log p(x) [nats/image]"
    assert [label.get_text() for label in panel.get_yticklabels()] == list(METHODS[1:])
    first = found[1.0, LINEAR]["nll"]
    interval, mean = panel.lines[:2]
    assert interval.get_xdata() == pytest.approx([first.low, first.high])
    assert mean.get_xdata() == pytest.approx([first.mean])


def test_dimensions_are_drawn_by_their_rank():
    ranked = measures.ranked_rates(trainings())
    assert ranked[4.0, GECO].tolist() == [12, 7, 0.25]
    panels = figures.ranked_rates(ranked, 0.5, "title").axes
    assert len(panels) == 2
    assert panels[1].lines[0].get_ydata().tolist() == [12, 7, 0.25]
    assert panels[0].lines[-1].get_ydata() == [0.5, 0.5]


def test_one_final_weight_makes_one_column_and_one_dimension_a_point():
    trained = [replace(one, rates=one.rates[:1]) for one in trainings(kl_weights=(2.0,))]
    assert len(figures.over_epochs(measures.mean_histories(trained), "title").axes) == 4
    (panel,) = figures.ranked_rates(measures.ranked_rates(trained), 0.5, "title").axes
    assert panel.lines[0].get_marker() == "o"


# The notebook


@pytest.mark.slow
def test_the_notebook_compares_all_methods_and_decides(tmp_path):
    small = {"dataset": "digits", "epochs": 2, "kl_warmup_epochs": 1, "kl_cycles": 2, "seeds": 1, "hidden_units": 8}
    small |= {"latent_dim": 3, "kl_weight": 2.0, "compared_kl_weight": 2.0, "threads": 1}
    execute_notebook(NOTEBOOK, tmp_path / "out.ipynb", small, cwd=tmp_path)
    assert_publishable(tmp_path / "out.ipynb")
    assert [path.name for path in tmp_path.iterdir()] == ["out.ipynb"]
    cells = nbformat.read(tmp_path / "out.ipynb", nbformat.NO_CONVERT).cells
    outputs = [output.data for cell in cells for output in cell.get("outputs", []) if "data" in output]
    assert sum("image/png" in data for data in outputs) == 4
    said = [data["text/markdown"] for data in outputs if "text/markdown" in data]
    assert said[0] == "6 methods x 1 final weight x 1 seed: 6 trainings of 2 epochs, each of 1,200 images."
    tables = [data["text/html"] for data in outputs if "text/html" in data]
    measured, difference, targets, decided = ([cells_of(row) for row in rows_of(table)] for table in tables)
    numbers = {row[0]: np.array(row[1:], float) for row in measured}
    assert tuple(numbers) == METHODS
    for method, *shown in difference:
        differences = [float(cell.removesuffix(" (one seed)")) for cell in shown]
        assert differences == pytest.approx(numbers[method] - numbers[CONSTANT], abs=0.011)
    assert len(targets) == 2
    assert len(decided) == 8
    assert all(re.match("confirmed|refuted", row[-1]) for row in decided)


def rows_of(table: str) -> list[str]:
    """The rows of a table's body."""
    return re.findall(r"<tr>(.+?)</tr>", table.split("<tbody>")[1], re.DOTALL)


def cells_of(row: str) -> list[str]:
    """The texts of a row, without those that stand for several rows."""
    return re.findall(r"<t[hd](?! rowspan)[^>]*>(.*?)</t[hd]>", row)
