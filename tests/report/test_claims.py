import itertools
import re

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from tests.made_up import runs_of
from vae_core.report import claims

WEIGHTS = (0.0, 0.5, 1.0, 2.0, 4.0, 20.0, 40.0)
FEWER, FOUR = "The larger the weight, the fewer digits", "beta = 4 is a good start: by nll"
OPTIMISATION = "Collapse comes from bad optimisation"
CONTRADICTIONS = [FEWER, FOUR, OPTIMISATION]  # of other claims: not all can be confirmed
EMPTY, JUMPS = "A large weight empties the code", "At collapse the rate jumps to 0, by more than 0.1 nats"
LAW = "Collapse comes from the ELBO: its law tells how many units live"
CASCADE = "The units die one after the other as the weight grows"
# What makes every other claim true, and what makes every other claim false; one value per weight, or one for all.
SAME = {"images": 10_000, "entropy_floor": 45.0, "test_classes": 10, "collapse_weight0": 20.8, "collapse_weight1": 10.0}
SAME |= {"predicted_active_units": (2, 2, 2, 2, 2, 1, 0)}
AGREEING = SAME | {
    "distortion": (140.0, 142.0, 145.0, 147.0, 150.0, 190.0, 200.0),
    "rate": (6.0, 4.0, 0.05, 0.05, 0.3, 0.3, 0.01),
    "mutual_information": (5.9, 3.9, 0.047, 0.047, 0.29, 0.29, 0.0),
    "active_units": (2, 2, 2, 2, 2, 1, 0),
    "marginal_kl": (0.1, 0.1, 0.005, 0.01, 0.01, 0.01, 0.01),
    "mean_spread": (40.0, 2.0, 1.0, 0.9, 0.8, 0.5, 0.1),
    "draw_spread": (40.0, 2.0, 1.0, 0.9, 0.9, 0.9, 0.5),
    "prior_sharpness": (0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.01),
    "prior_classes": (7, 10, 10, 10, 9, 5, 3),
    "mixture_classes": (9, 10, 10, 10, 9, 5, 3),
    "share_in_window": (0.99, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0),
    "negative_elbo": (300.0, 150.0, 150.0, 150.0, 160.0, 190.0, 200.0),
    "nll": (299.0, 149.98, 149.98, 149.98, 160.0, 190.0, 200.0),
    "prior_class_entropy": (1.0, 2.2, 2.2, 2.2, 2.0, 0.7, 0.5),
    "knn_accuracy": (0.5, 0.8, 0.8, 0.8, 0.7, 0.3, 0.1),
}
OPPOSING = SAME | {
    "images": 100,
    "distortion": (140.0, 142.0, 40.0, 147.0, 150.0, 190.0, 200.0),
    "rate": (600.0, 6.0, 6.0, 5.0, 0.01, 0.05, 0.6),
    "mutual_information": (5.0, 5.5, 5.9, 5.0, 0.0, 0.05, 0.6),
    "active_units": (2, 2, 2, 2, 0, 2, 2),
    "marginal_kl": (595.0, 0.5, 5.0, 0.1, 0.1, 0.1, 0.1),
    "mean_spread": (1.0, 1.0, 1.0, 1.1, 1.1, 1.2, 1.2),
    "draw_spread": (1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0),
    "prior_sharpness": (0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.2),
    "prior_classes": (10, 10, 3, 10, 10, 10, 10),
    "mixture_classes": (10, 10, 10, 10, 10, 10, 10),
    "share_in_window": (0.1, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0),
    "negative_elbo": (140.0, 150.0, 150.0, 150.0, 160.0, 190.0, 200.0),
    "nll": (139.0, 148.0, 148.0, 148.0, 160.0, 190.0, 200.0),
    "prior_class_entropy": (2.3, 2.2, 2.2, 2.2, 2.0, 0.7, 0.5),
    "knn_accuracy": (0.9, 0.8, 0.8, 0.8, 0.7, 0.3, 0.1),
}


def sweep(measures, seeds=(0, 1, 2), noise=0.0001):
    """Made-up runs: each measure grows by the share `noise` from seed to seed, but for counts and predictions.

    As many directions are active as units, unless they are given.
    """
    rows, measures = [], {"active_directions": measures["active_units"], **measures}
    for seed, (place, kl_weight) in itertools.product(seeds, enumerate(WEIGHTS)):
        values = {name: column if np.isscalar(column) else column[place] for name, column in measures.items()}
        grown = {name: value if name in SAME else value * (1 + noise * seed) for name, value in values.items()}
        rows.append({"kl_weight": kl_weight, "seed": seed, "dataset": "mnist", **grown})
    return pd.DataFrame(rows)


def verdicts(table, number=False):
    return claims.claims(runs_of(table)).iloc[:, 2 if number else 3]


def changed(measures, **values):
    """With other values at single weights: changed(AGREEING, nll={4.0: 149.0})."""
    new = {name: dict(zip(WEIGHTS, measures[name], strict=True)) | own for name, own in values.items()}
    return measures | {name: list(column.values()) for name, column in new.items()}


def test_every_verdict_is_confirmed_by_results_that_agree_and_refuted_by_results_that_do_not():
    agreeing = verdicts(sweep(AGREEING))
    assert set(agreeing.drop(CONTRADICTIONS)) == {"confirmed"}
    assert set(agreeing[CONTRADICTIONS]) == {"refuted"}
    opposing = verdicts(sweep(OPPOSING))
    assert set(opposing.drop(OPTIMISATION)) == {"refuted"}
    assert opposing[OPTIMISATION] == "confirmed"
    other = verdicts(sweep(changed(AGREEING, prior_classes={0.0: 10}, nll={4.0: 149.0})))
    assert set(other[[FEWER, FOUR]]) == {"confirmed"}
    assert other["Very small weights cannot generate all digits"] == "refuted"
    assert other["0.5, 1 and 2 are best: by nll"] == "refuted"


@pytest.mark.parametrize(
    ("statement", "measure"),
    [
        ("0.5, 1 and 2 are best: by nll", "nll"),
        ("As the weight grows the codes gather around the origin", "mean_spread"),
    ],
)
def test_weights_that_differ_by_noise_alone_decide_nothing_in_95_percent_of_sweeps(statement, measure, rng):
    """Taking the worst and the best as if they had not been chosen refutes the first in 48 % of sweeps."""
    (claim,) = (claim for claim in claims.CLAIMS if claim.statement == statement)
    noise = rng.normal(150, 1, (100, 3, len(WEIGHTS)))
    sweeps = (pd.concat(dict.fromkeys((measure, "rate"), pd.DataFrame(one, columns=WEIGHTS)), axis=1) for one in noise)
    found = [claims.verdict(claim.evidence(by_seed)) for by_seed in sweeps]
    assert found.count("undecided") >= 95 - 2 * np.sqrt(95 * 0.05)  # of 100 sweeps


def test_a_theorem_holds_though_its_margin_is_within_the_spread_and_falls_with_one_exception():
    theorem = "No code tells more than the logarithm of the number of images"
    table = sweep(AGREEING, noise=0)
    at_0 = table["kl_weight"] == 0
    table.loc[at_0, "mutual_information"] = np.log(10_000) - np.array([0, 0, 1e-4])
    assert claims.claims(runs_of(table)).loc[theorem, "verdict"] == "confirmed"
    table.loc[at_0, "mutual_information"] = np.log(10_000) + np.array([0, 0, 1e-4])
    assert claims.claims(runs_of(table)).loc[theorem, "verdict"] == "refuted"


def test_seeds_that_disagree_leave_a_claim_undecided():
    table = sweep(AGREEING)
    blurred = (table["kl_weight"] == 40) & (table["seed"] == 2)
    table.loc[blurred, "prior_sharpness"] = 0.5
    found = verdicts(table)
    assert found["Large weights blur"] == "undecided"
    assert found["Large weights lose digits"] == "confirmed"


def test_one_seed_confirms_nothing_but_theorems_and_has_no_interval():
    found, numbers = verdicts(sweep(AGREEING, seeds=(0,))), verdicts(sweep(AGREEING, seeds=(0,)), number=True)
    assert set(found.drop(CONTRADICTIONS)) == {"holds (one seed)", "confirmed"}
    assert set(found[CONTRADICTIONS]) == {"fails (one seed)"}
    assert (found == "confirmed").sum() == 2
    assert "[" not in " ".join(numbers)


def test_the_number_is_the_mean_over_seeds_with_its_interval():
    values = np.array([40.0, 60.0, 80.0])
    found = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    number = verdicts(sweep(AGREEING, noise=0.5), number=True)["Without the KL term the codes spread out"]
    assert number == f"60.00 [{found.low:.2f}, {found.high:.2f}]"


def test_of_an_extreme_the_interval_reaches_as_far_as_any_of_the_numbers_may():
    """The largest rise of prior_classes is at the first step; at the third the seeds disagree more."""
    table, steps = sweep(AGREEING), (0.0, 0.5, 1.0, 2.0)
    classes = dict(zip(steps, ([7, 7, 8], [9] * 3, [8] * 3, [6, 8, 10]), strict=True))
    for kl_weight, by_seed in classes.items():
        table.loc[table["kl_weight"] == kl_weight, "prior_classes"] = by_seed
    falling = table[table["kl_weight"].isin(steps)]
    high = stats.ttest_1samp([-2, 0, 2], 0).confidence_interval(0.95).high
    low = stats.ttest_1samp([2, 2, 1], 0).confidence_interval(1 - 0.05 / 3).low
    assert verdicts(falling, number=True)[FEWER] == f"1.67 [{low:z.2f}, {high:.2f}] classes"
    assert verdicts(falling)[FEWER] == "undecided"


def test_claims_about_weights_that_were_not_run_say_which():
    table = sweep(AGREEING).query("kl_weight in (0.5, 2.0)")
    found, numbers = verdicts(table), verdicts(table, number=True)
    lacking = {
        "Without the KL term the codes spread out": "the sweep has no weight 0",
        "Large weights blur": "the sweep has no weight 1",
        "0.5, 1 and 2 are best: by nll": "the sweep has no weights both within and beyond 0.5 to 2",
        "Very small weights cannot generate all digits": "the sweep has no weight below 0.5",
        FOUR: "the sweep has no weight 1",
        EMPTY: "the sweep has no weight above 20.80",
        LAW: "no unit is dead: the sweep has no weight above 10.00",
        CASCADE: "the sweep has no weight from 10.00 to 20.80",
        JUMPS: "the sweep has no weight from 19.76 to 20.80",
    }
    assert numbers[list(lacking)].to_dict() == lacking
    assert set(found[list(lacking)]) == {"-"}
    assert (
        verdicts(sweep(AGREEING).query("kl_weight > 20"), number=True)[EMPTY] == "the sweep has no weight below 20.80"
    )


def test_weights_without_a_common_seed_are_not_compared():
    table = sweep(AGREEING)
    apart = table[(table["kl_weight"] == 1) ^ (table["seed"] == 0)]
    assert verdicts(apart)["Large weights blur"] == "-"
    assert verdicts(apart, number=True)["Large weights blur"] == "these weights have no seed in common"


@pytest.mark.parametrize(
    ("active", "expected"),  # where not as the law, which is: 2 units up to 4, one at 20, none at 40
    [
        ({40.0: 1}, {EMPTY: "refuted", OPTIMISATION: "refuted", LAW: "refuted", CASCADE: "confirmed"}),
        ({20.0: 2}, {EMPTY: "confirmed", OPTIMISATION: "refuted", LAW: "refuted", CASCADE: "refuted"}),
        ({20.0: 0}, {EMPTY: "refuted", OPTIMISATION: "confirmed", LAW: "refuted", CASCADE: "refuted"}),
        ({1.0: 1}, {EMPTY: "confirmed", OPTIMISATION: "refuted", LAW: "refuted", CASCADE: "confirmed"}),
    ],
)
def test_claims_about_collapse_are_decided_on_both_sides_of_the_law(active, expected):
    found = verdicts(sweep(changed(AGREEING, active_units=active)))
    assert {claim: found[claim] for claim in expected} == expected


def test_one_seed_that_is_off_the_law_leaves_its_claims_undecided():
    table = sweep(AGREEING)
    one = (table["kl_weight"] == 40) & (table["seed"] == 1)
    table.loc[one, ["active_units", "active_directions"]] = 1
    assert set(verdicts(table)[[EMPTY, LAW]]) == {"undecided"}


def test_a_unit_that_died_before_the_law_lets_it_is_no_reason_to_say_that_none_is_dead():
    found = verdicts(sweep(changed(AGREEING, active_units={4.0: 1})).query("kl_weight <= 4"))
    assert (found[LAW], found[CASCADE]) == ("refuted", "confirmed")


def test_the_law_counts_directions_of_the_code_and_not_the_units_over_which_they_are_spread():
    spread = changed(AGREEING, active_units={20.0: 2})
    assert verdicts(sweep({**spread, "active_directions": AGREEING["active_units"]}))[LAW] == "confirmed"
    assert verdicts(sweep({**AGREEING, "active_directions": spread["active_units"]}))[LAW] == "refuted"


def test_a_rate_that_goes_to_0_steadily_is_no_jump():
    assert verdicts(sweep(changed(AGREEING, rate={20.0: 0.04})))[JUMPS] == "refuted"


def test_runs_without_the_law_have_no_claims_about_collapse():
    older = sweep(AGREEING).drop(columns=["collapse_weight0", "collapse_weight1", "predicted_active_units"])
    found = verdicts(older)
    assert not {EMPTY, OPTIMISATION, LAW, CASCADE, JUMPS} & set(found.index)
    assert len(found) == len(claims.CLAIMS) - 5


def test_an_empty_code_does_not_count_for_the_share_that_tells():
    told = changed(AGREEING, mutual_information={40.0: 0.005}, rate={40.0: 0.5})
    share = "The rate is what the code tells about the image"
    assert verdicts(sweep(told))[share] == "confirmed"
    assert verdicts(sweep(changed(told, active_units={40.0: 1})))[share] == "refuted"
    none = sweep({**AGREEING, "active_units": (0,) * len(WEIGHTS)})
    assert verdicts(none, number=True)[share] == "no weight leaves every seed an active unit"


def test_the_page_has_five_cells_in_every_row():
    rows = claims.claims_page(runs_of(sweep(AGREEING))).splitlines()
    assert len(rows) == 2 + len(claims.CLAIMS)
    assert {len(re.split(r"(?<!\\)\|", row)) for row in rows} == {5 + 2}


@pytest.mark.parametrize("kl_weight", WEIGHTS)
def test_a_sweep_of_one_weight_has_a_table_too(kl_weight):
    table = claims.claims(runs_of(sweep(AGREEING).query("kl_weight == @kl_weight")))
    assert len(table) == len(claims.CLAIMS)
    assert (table.loc["Very small weights cannot generate all digits", "verdict"] == "-") == (kl_weight >= 0.5)
    assert table.loc["A large weight empties the code", "verdict"] == "-"


def asked(table, **settings):
    return set(claims.claims(runs_of(table.assign(**settings))).index)


def test_claims_about_a_judge_and_about_planes_are_made_only_where_there_are_any():
    every = asked(sweep(AGREEING))
    judged = [name for name in AGREEING if name.startswith(("prior_", "mixture_", "test_"))]
    without_labels = asked(sweep(AGREEING).drop(columns=[*judged, "knn_accuracy"]))
    assert {"Large weights lose digits", "0.5, 1 and 2 are best: by knn_accuracy"} <= every - without_labels
    assert "0.5, 1 and 2 are best: by nll" in without_labels
    gone = every - asked(sweep(AGREEING), latent_dim=10)
    assert gone == {"The window of three deviations shows what the decoder of a very small weight can draw"}


def test_claims_use_the_words_of_the_images_and_of_the_likelihood():
    assert "Large weights lose classes" in asked(sweep(AGREEING), dataset="fashion_mnist")
    assert "Large weights lose digits" in asked(sweep(AGREEING), dataset="digits")
    gaussian = asked(sweep(AGREEING), likelihood="gaussian")
    assert "No weight gets the distortion below the least that its likelihood allows" in gaussian


@pytest.mark.parametrize("target", ["target_rate", "target_distortion"])
def test_where_a_target_rules_the_rate_no_claim_about_weights_is_decided(target):
    assert "cannot be decided" in claims.claims_page(runs_of(sweep(AGREEING).assign(**{target: 5.0})))
