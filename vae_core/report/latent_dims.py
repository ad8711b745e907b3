"""Whether more latent dimensions need another weight: a claim that takes two sweeps to decide."""

from collections.abc import Mapping
from functools import partial
from itertools import pairwise

import pandas as pd

from vae_core.report.captions import shared_settings
from vae_core.report.claims import Claim, Evidence, Lacking, in_markdown, some_above, table_of
from vae_core.report.diverged import sound
from vae_core.runs import Runs


def latent_dim_claims(sweeps: Mapping[str, Runs]) -> pd.DataFrame:
    """The claim for each two neighbouring latent_dim, of sweeps that differ in nothing else; as `claims.claims`.

    The law of collapse says at which weight the first, second, ... direction of a code dies, and does not ask how many
    units there are. So it refutes the claim: where the smaller model loses directions, the larger keeps as many.
    """
    groups: dict[str, dict[int, pd.DataFrame]] = {}
    for sweep in sweeps.values():
        settings = shared_settings(sweep)
        others = {name: value for name, value in settings.items() if name not in ("latent_dim", "threads")}
        groups.setdefault(str(sorted(others.items())), {})[settings["latent_dim"]] = sound(sweep).by_seed()
    tables = [
        table_of([_claim(small, large)], pd.concat({small: group[small], large: group[large]}, axis=1))
        for group in groups.values()
        for small, large in pairwise(sorted(group))
    ]
    return pd.concat(tables) if tables else pd.DataFrame()


def latent_dim_claims_page(sweeps: Mapping[str, Runs]) -> str:
    """`latent_dim_claims` as a Markdown table."""
    table = latent_dim_claims(sweeps)
    if table.empty:
        return "That takes two sweeps with another latent_dim and all else alike, whose runs have collapse_weight0."
    return in_markdown(table)


def _claim(small: int, large: int) -> Claim:
    return Claim(
        f"More latent dimensions need another weight: {large} beside {small}",
        "Higgins et al. 2017 scale the weight with latent_dim",
        f"where units of {small} are predicted dead, {large} have more or fewer active directions (number: how many)",
        partial(_differences, small, large),
    )


def _differences(small: int, large: int, by_seed: pd.DataFrame) -> Evidence:
    """How many directions more or fewer the larger model has, at each weight at which the smaller should lose some."""
    predicted, active = by_seed[small]["predicted_active_units"].max(), "active_directions"
    losing = predicted.index[predicted < small].intersection(by_seed[large][active].columns)
    if losing.empty:
        raise Lacking(f"the sweeps share no weight at which a unit of {small} is predicted dead")
    return some_above((by_seed[large][active][losing] - by_seed[small][active][losing]).abs(), 0.5, " directions")
