import itertools

import pandas as pd
import pytest

from tests.made_up import runs_of
from vae_core.report.latent_dims import latent_dim_claims, latent_dim_claims_page

WEIGHTS = (1.0, 12.0, 30.0)
LAW = (20.0, 10.0, 0.5, 0.4)  # the weights above which units die: two live at 1, one at 12, none at 30
NAME = "More latent dimensions need another weight: 4 beside 2"


def sweep(latent_dim, active, seeds=(0, 1, 2), **settings):
    rows = []
    for seed, (kl_weight, units) in itertools.product(seeds, zip(WEIGHTS, active, strict=True)):
        own = {"kl_weight": kl_weight, "seed": seed, "dataset": "digits", "latent_dim": latent_dim, "rate": 1.0}
        predicted = sum(weight > kl_weight for weight in LAW[:latent_dim])
        measures = {"distortion": 100.0, "active_directions": units, "predicted_active_units": predicted}
        rows.append(own | settings | measures)
    return runs_of(pd.DataFrame(rows))


@pytest.mark.parametrize(
    ("active", "expected"),
    [((4, 1, 0), "refuted"), ((4, 2, 0), "confirmed"), ((4, 1, 1), "confirmed"), ((2, 1, 0), "refuted")],
)
def test_the_claim_is_decided_at_the_weights_at_which_the_smaller_model_should_lose_units(active, expected):
    sweeps = {"small": sweep(2, (2, 1, 0)), "large": sweep(4, active)}
    assert latent_dim_claims(sweeps).loc[NAME, "verdict"] == expected
    assert latent_dim_claims(dict(reversed(sweeps.items()))).loc[NAME, "verdict"] == expected


def test_seeds_that_disagree_leave_it_undecided_and_one_seed_decides_nothing():
    one_more = pd.concat([sweep(4, (4, 1 + (seed == 1), 0), seeds=(seed,)).table() for seed in range(3)])
    assert latent_dim_claims({"small": sweep(2, (2, 1, 0)), "large": runs_of(one_more)})["verdict"][NAME] == "undecided"
    one_seed = {"small": sweep(2, (2, 1, 0), seeds=(0,)), "large": sweep(4, (4, 1, 0), seeds=(0,))}
    assert latent_dim_claims(one_seed)["verdict"][NAME] == "fails (one seed)"


def test_it_takes_two_sweeps_that_differ_in_latent_dim_alone():
    small, large = sweep(2, (2, 1, 0)), sweep(4, (4, 1, 0))
    for sweeps in ({"a": small}, {"a": small, "b": sweep(4, (4, 1, 0), kl_schedule="linear")}):
        assert latent_dim_claims_page(sweeps).startswith("That takes two sweeps")
    three = latent_dim_claims({"a": large, "b": small, "c": sweep(3, (3, 1, 0))})
    assert list(three.index) == [NAME.replace("4 beside 2", pair) for pair in ("3 beside 2", "4 beside 3")]
    assert latent_dim_claims_page({"a": small, "b": large}).count("\n") == 2


def test_weights_at_which_no_unit_should_die_say_nothing():
    sweeps = {"a": sweep(2, (2, 1, 0)), "b": sweep(4, (4, 1, 0), threads=1)}
    at_1 = {label: one.take(one.settings.index[one.settings["kl_weight"] == 1]) for label, one in sweeps.items()}
    row = latent_dim_claims(at_1).loc[NAME]
    assert (row["verdict"], row.iloc[2]) == ("-", "the sweeps share no weight at which a unit of 2 is predicted dead")
