import numpy as np
import pandas as pd
import pytest

from tests.made_up import runs_of, sweep_of
from vae_core.report import advice
from vae_core.runs import Runs

WEIGHTS = (0.5, 1.0, 2.0, 10.0, 40.0)


def sweep(seeds=3, **measures):
    """The seeds' measures, each a list over the weights and a step from seed to seed; those of 2 units by default."""
    usual = {"nll": ([150, 140, 145, 160, 180], 1.0), "rate": ([9, 8, 6, 3, 0.01], 0.0)}
    usual |= {"active_units": ([2, 2, 2, 1, 0], 0.0), "latent_dim": ([2] * 5, 0)}
    rows = [
        {"dataset": "digits", "kl_weight": kl_weight, "seed": seed, "epochs": 5}
        | {name: values[place] + step * seed for name, (values, step) in (usual | measures).items()}
        for seed in range(seeds)
        for place, kl_weight in enumerate(WEIGHTS)
    ]
    limits = {"zero_information_distortion": 205.0, "distortion": 150.0, "images": 10_000}
    return runs_of(pd.DataFrame(rows).assign(**limits).sort_values(["kl_weight", "seed"]))


def answer(runs, purpose, column="kl_weight"):
    return advice.advice(runs).loc[purpose, column]


def with_noise(runs, name, noise):
    """A measure with other values at single runs, by (kl_weight, seed)."""
    pairs = zip(runs.settings["kl_weight"], runs.settings["seed"], strict=True)
    added = [noise.get(pair, 0.0) for pair in pairs]
    return Runs(runs.settings, runs.measures.assign(**{name: runs.measures[name] + added}), runs.folders)


def test_the_best_weight_is_named_with_its_number():
    assert answer(sweep(), "best -log p(x)") == "1"
    assert answer(sweep(), "best -log p(x)", "numbers") == "141.00 ± 1.00 at 1"


def test_weights_that_tie_within_the_paired_spread_are_named_as_a_range():
    runs = with_noise(sweep(), "nll", {(2.0, 0): -9.0, (2.0, 1): 3.0})  # 1 is ahead by -4, 8 and 5
    assert answer(runs, "best -log p(x)") == "1; the spread allows 1 to 2"
    apart = with_noise(runs, "nll", {(40.0, 0): -39, (40.0, 1): -36, (40.0, 2): -44})  # by 1, 4 and -4
    assert answer(apart, "best -log p(x)") == "1; the spread allows 1 to 2, 40"


def test_one_seed_has_no_tie_and_says_so():
    page = advice.advice_page(sweep(seeds=1))
    assert "There is one seed, so no spread is known" in page
    assert "the spread allows" not in page
    assert "±" not in page
    assert "95 % interval" in advice.advice_page(sweep(seeds=2))


def test_a_best_weight_at_the_end_of_the_sweep_is_called_so():
    assert answer(sweep(nll=([150, 140, 130, 120, 110], 1.0)), "best -log p(x)") == "40, the largest there is"


def test_units_are_kept_where_every_seed_keeps_them():
    assert answer(sweep(), "largest weight that keeps all units active") == "2, below 10"
    assert answer(sweep(), "largest weight that keeps one unit active") == "10, below 40"
    numbers = answer(sweep(), "largest weight that keeps one unit active", "numbers")
    assert numbers == "1.00 ± 0.00 at 10; 0.00 ± 0.00 at 40"
    one_lost = with_noise(sweep(), "active_units", {(2.0, 1): -1})
    assert answer(one_lost, "largest weight that keeps all units active") == "1, below 2"
    full = sweep(active_units=([2] * 5, 0))
    assert answer(full, "largest weight that keeps all units active") == "40, the largest there is"
    assert answer(sweep(latent_dim=([4] * 5, 0)), "largest weight that keeps 3 units active") == "none"


@pytest.mark.parametrize(
    ("latent_dim", "asked"),
    [
        (1, ["one unit"]),
        (2, ["all units", "one unit"]),
        (4, ["all units", "3 units", "2 units", "one unit"]),
        (32, ["all units", "half of the units", "one unit"]),
    ],
)
def test_of_many_units_all_half_and_one_are_asked_about(latent_dim, asked):
    table = advice.advice(sweep(latent_dim=([latent_dim] * 5, 0)))
    found = [purpose for purpose in table.index if purpose.startswith("largest")]
    assert found == [f"largest weight that keeps {words} active" for words in asked]


def test_half_of_the_units_of_thirty_two_are_sixteen():
    runs = sweep(latent_dim=([32] * 5, 0), active_units=([30, 16, 15, 3, 0], 0))
    assert answer(runs, "largest weight that keeps half of the units active") == "1, below 2"


def test_nothing_is_left_from_the_weight_on_at_which_no_seed_of_any_larger_one_has_an_active_unit():
    assert answer(sweep(), "nothing is left of the code") == "from 40 on"
    assert answer(sweep(), "nothing is left of the code", "numbers") == "1.00 ± 0.00 at 10; 0.00 ± 0.00 at 40"
    revived = with_noise(sweep(), "active_units", {(40.0, 2): 1})
    assert answer(revived, "nothing is left of the code") == "at none of these weights"
    assert (
        answer(sweep(rate=([0.01] * 5, 0)), "nothing is left of the code") == "from 40 on"
    )  # the rate decides nothing
    empty = sweep(active_units=([0] * 5, 0))
    assert answer(empty, "nothing is left of the code") == "from 0.5 on"


def test_class_information_is_fano_s_bound_for_each_nat_of_rate():
    """At 10 classes guessed at random it is 0; known without error it is ln 10; at a collapsed code there is none."""
    known = {"test_class_entropy": ([np.log(10)] * 5, 0), "knn_accuracy": ([1.0, 0.1, 0.5, 0.5, 0.5], 0)}
    by_seed = advice.with_class_information(sweep(**known)).by_seed()["class_information"]
    assert by_seed.loc[0, 0.5] == pytest.approx(np.log(10) / 9)
    assert by_seed.loc[0, 1.0] == pytest.approx(0)
    half = np.log(10) - np.log(2) - 0.5 * np.log(9)
    assert by_seed.loc[0, [2.0, 10.0]].tolist() == pytest.approx([half / 6, half / 3])
    assert 40.0 not in by_seed or by_seed[40.0].isna().all()
    assert answer(sweep(**known), "most class information for the rate") == "0.5"


def test_means_that_tell_more_than_the_rate_have_no_class_information():
    known = {"test_class_entropy": ([np.log(10)] * 5, 0), "knn_accuracy": ([1.0] * 5, 0)}
    rates = {"rate": ([9, 8, 2.31, 2.29, 0.04], 0.0), "active_units": ([2, 2, 2, 2, 1], 0)}
    by_seed = advice.with_class_information(sweep(**known, **rates)).by_seed()["class_information"]
    assert by_seed.loc[0, [0.5, 1.0, 2.0]].tolist() == pytest.approx([np.log(10) / rate for rate in (9, 8, 2.31)])
    assert list(by_seed.dropna(axis=1)) == [0.5, 1.0, 2.0]


def test_what_was_not_measured_is_not_asked():
    purposes = list(advice.advice(sweep()).index)
    assert [purpose for purpose in purposes if not purpose.startswith("largest")] == [
        "best -log p(x)",
        "nothing is left of the code",
    ]
    without = sweep()
    table = advice.advice(Runs(without.settings, without.measures.drop(columns="active_units"), without.folders))
    assert list(table.index) == ["best -log p(x)"]
    assert "nan" not in advice.advice_page(without)


def test_without_labels_samples_are_judged_by_their_neighbours():
    runs = sweep(prior_f_score=([0.1, 0.2, 0.6, 0.4, 0.0], 0.01))
    assert answer(runs, "best samples") == "2"
    assert "nearest neighbours" in answer(runs, "best samples", "by")


def test_a_sweep_of_which_every_run_has_diverged_has_no_advice():
    gone = sweep_of([1.0], distortion=1e9)
    assert advice.advice_page(gone) == "Every run has diverged: there is nothing to choose from."


def test_of_one_weight_there_is_nothing_to_choose():
    assert advice.advice_page(sweep_of([1.0], seeds=2)) == "There is one weight: nothing to choose from."


def test_the_page_says_what_a_weight_is_where_it_is_found_or_on_a_distance():
    runs = sweep()
    found = Runs(runs.settings.assign(target_distortion=100.0), runs.measures, runs.folders)
    assert "kl_weight is only where it starts" in advice.advice_page(found)
    distance = Runs(runs.settings.assign(target_rate=5.0), runs.measures, runs.folders)
    assert "on the distance of the rate from its target" in advice.advice_page(distance)


def test_neighbours_are_a_range():
    weights = [0.0, 0.5, 1.0, 2.0, 4.0]
    assert advice.ranges([4.0, 0.5, 0.0, 1.0], weights) == "0 to 1, 4"
    assert advice.ranges([2.0], weights) == "2"
