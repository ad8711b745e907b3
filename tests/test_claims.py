import re

import numpy as np
import pandas as pd
import pytest

from vae_core import claims

WEIGHTS = (0.0, 0.5, 1.0, 2.0, 20.0)
# What makes every claim true, and what makes every claim false; one value per weight.
AGREEING = {
    "images": (10_000, 10_000, 10_000, 10_000, 10_000),
    "entropy_floor": (45.0, 45.0, 45.0, 45.0, 45.0),
    "distortion": (140.0, 142.0, 145.0, 147.0, 190.0),
    "rate": (6.0, 6.0, 6.0, 5.0, 0.01),
    "mutual_information": (5.9, 4.0, 2.0, 2.0, 0.01),
    "mean_spread": (40.0, 2.0, 1.0, 0.9, 0.1),
    "draw_spread": (40.0, 2.0, 1.0, 0.9, 0.5),
    "prior_sharpness": (0.1, 0.1, 0.1, 0.1, 0.01),
    "prior_classes": (7, 10, 10, 10, 3),
    "mixture_classes": (9, 10, 10, 10, 3),
    "test_classes": (10, 10, 10, 10, 10),
    "share_in_window": (0.99, 1.0, 1.0, 1.0, 1.0),
    "negative_elbo": (300.0, 150.0, 150.0, 150.0, 190.0),
    "nll": (299.0, 149.98, 149.98, 149.98, 190.0),
    "prior_confidence": (0.3, 0.9, 0.9, 0.9, 0.5),
    "knn_accuracy": (0.5, 0.8, 0.8, 0.8, 0.3),
}
OPPOSING = {
    "images": (100, 100, 100, 100, 100),
    "entropy_floor": (45.0, 45.0, 45.0, 45.0, 45.0),
    "distortion": (140.0, 142.0, 40.0, 147.0, 190.0),
    "rate": (600.0, 6.0, 6.0, 5.0, 0.6),
    "mutual_information": (5.0, 5.5, 5.9, 5.0, 0.6),
    "mean_spread": (1.0, 1.0, 1.0, 1.1, 1.2),
    "draw_spread": (1.0, 1.0, 1.0, 1.0, 1.0),
    "prior_sharpness": (0.1, 0.1, 0.1, 0.1, 0.2),
    "prior_classes": (10, 10, 3, 10, 10),
    "mixture_classes": (10, 10, 10, 10, 10),
    "test_classes": (10, 10, 10, 10, 10),
    "share_in_window": (0.1, 1.0, 1.0, 1.0, 1.0),
    "negative_elbo": (140.0, 150.0, 150.0, 150.0, 190.0),
    "nll": (139.0, 148.0, 148.0, 148.0, 190.0),
    "prior_confidence": (0.99, 0.9, 0.9, 0.9, 0.5),
    "knn_accuracy": (0.9, 0.8, 0.8, 0.8, 0.3),
}


def sweep(measures, seeds=(0, 1, 2), noise=0.001):
    rows = []
    for seed in seeds:
        for i, kl_weight in enumerate(WEIGHTS):
            values = {name: column[i] * (1 + noise * seed) for name, column in measures.items()}
            rows.append({"kl_weight": kl_weight, "seed": seed, "dataset": "mnist", **values})
    return pd.DataFrame(rows)


def test_every_verdict_is_confirmed_by_results_that_agree_and_refuted_by_results_that_do_not():
    assert set(claims.claims(sweep(AGREEING))["verdict"]) == {"confirmed"}
    assert set(claims.claims(sweep(OPPOSING))["verdict"]) == {"refuted"}
    assert len(claims.claims(sweep(AGREEING))) == len(claims.CLAIMS) >= 16


def test_seeds_that_disagree_leave_a_claim_undecided():
    table = sweep(AGREEING)
    blurred = (table["kl_weight"] == 20) & (table["seed"] == 2)
    table.loc[blurred, "prior_sharpness"] = 0.5
    verdicts = claims.claims(table)["verdict"]
    assert verdicts["Large weights blur"] == "undecided"
    assert verdicts["Large weights lose digits"] == "confirmed"


def test_one_seed_is_decided_by_the_sign_and_says_so():
    assert set(claims.claims(sweep(AGREEING, seeds=(0,)))["verdict"]) == {"confirmed (one seed)"}
    assert "±" not in " ".join(claims.claims(sweep(AGREEING, seeds=(0,)))["number"])


def test_the_number_is_the_mean_over_seeds_with_its_deviation():
    table = sweep(AGREEING, noise=0.5)
    values = np.array([40.0, 60.0, 80.0])
    row = claims.claims(table).loc["Without the KL term the codes spread out"]
    assert row["number"] == f"{values.mean():.2f} ± {values.std(ddof=1):.2f}"


def test_claims_about_weights_that_were_not_run_are_left_open():
    table = claims.claims(sweep(AGREEING).query("kl_weight in (0.5, 2.0)"))
    assert table.loc["Without the KL term the codes spread out", "verdict"] == "-"
    assert table.loc["Without the KL term the codes spread out", "number"] == "the sweep has no such weights"
    assert table.loc["Large weights blur", "verdict"] == "-"
    assert table.loc["0.5, 1 and 2 are best: by nll", "verdict"] == "-"


def test_the_page_has_five_cells_in_every_row():
    rows = claims.claims_page(sweep(AGREEING)).splitlines()
    assert len(rows) == 2 + len(claims.CLAIMS)
    assert {len(re.split(r"(?<!\\)\|", row)) for row in rows} == {5 + 2}


@pytest.mark.parametrize("kl_weight", WEIGHTS)
def test_a_sweep_of_one_weight_has_a_table_too(kl_weight):
    table = claims.claims(sweep(AGREEING).query("kl_weight == @kl_weight"))
    assert len(table) == len(claims.CLAIMS)
