"""What is said of collapse, decided by the walks: other numbers, other verdicts."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from vae_core.lessons.where_codes_collapse import measures
from vae_core.lessons.where_codes_collapse.measures import Taken
from vae_core.lessons.where_codes_collapse.plan import BOTH_WAYS, CONVOLUTIONS, LONGER, REASONS, SMALL_STEPS, TEN
from vae_core.lessons.where_codes_collapse.walks import CONVOLUTIONAL, DENSE, TANH
from vae_core.statistics import Difference, mean_difference

NEAR = 5.0  # percent by which a weight may differ from the predicted one


@dataclass(frozen=True)
class Claim:
    """A statement, its source, what would confirm it, and the numbers of the seeds that decide it.

    margins: of each seed, above 0 where it supports the statement
    number: what is shown of each seed
    """

    statement: str
    source: str
    criterion: str
    unit: str
    margins: Callable[[Taken, np.ndarray], pd.Series]
    number: Callable[[Taken, np.ndarray], pd.Series]


def claims(taken: Taken, weights: np.ndarray) -> pd.DataFrame:
    """Each claim with its source and criterion, the number behind it with its 95 % interval, and the verdict.

    Confirmed where the interval of the margin is above 0, refuted where it is below, else undecided; with one seed the
    sign decides.

    weights: predicted, the highest first
    """
    rows = {}
    for claim in CLAIMS:
        number = mean_difference(claim.number(taken, weights))
        rows[claim.statement] = {
            "from": claim.source,
            "holds if": claim.criterion,
            "number": measures.with_interval(number, claim.unit, ".2f"),
            "verdict": verdict(mean_difference(claim.margins(taken, weights))),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("claim")


def verdict(margin: Difference) -> str:
    """confirmed, refuted or undecided."""
    if not margin.pairs:
        return "-"
    if margin.within_spread:
        return "undecided"
    word = "confirmed" if margin.mean > 0 else "refuted"
    return word if margin.pairs > 1 else f"{word} (one seed)"


def _of(taken: Taken, group: str, variant: str) -> Taken:
    return {walk: frame for walk, frame in taken.items() if (walk.group, walk.variant) == (group, variant)}


def _off(group: str, network: str) -> Callable[[Taken, np.ndarray], pd.Series]:
    """Percent by which the last unit's death is off the prediction, for each seed."""

    def percent(taken: Taken, weights: np.ndarray) -> pd.Series:
        found = [measures.death(frame, 1) for frame in _of(taken, group, network).values()]
        return 100 * (pd.Series(found, dtype=float) / weights[0] - 1).abs()

    return percent


def _woken(network: str) -> Callable[[Taken, np.ndarray], pd.Series]:
    """The weight at which the last unit wakes over that at which it died, for each seed; 0 if it does not wake."""

    def shares(taken: Taken, weights: np.ndarray) -> pd.Series:
        walks = _of(taken, BOTH_WAYS, network).values()
        return pd.Series([np.nan_to_num(measures.waking(frame, 1)) / measures.death(frame, 1) for frame in walks])

    return shares


def _last_rate(taken: Taken, weights: np.ndarray) -> pd.Series:
    """The rate at the last weight with a living unit over the largest rate on the way up, for each seed."""
    shares = []
    for frame in _of(taken, BOTH_WAYS, DENSE).values():
        rates = measures.ends(frame).groupby("step")["rate"].sum()
        living = measures.active(frame)["active_directions"]
        up = living.loc[: measures.turn(frame)]
        shares.append(rates[up.index[up > 0][-1]] / rates.max() if (up > 0).any() else np.nan)
    return pd.Series(shares, dtype=float)


def _miscounted(taken: Taken, weights: np.ndarray) -> pd.Series:
    """The largest difference of living directions from the predicted number, over all weights: for each seed."""
    worst = []
    for frame in _of(taken, TEN, "10").values():
        found = measures.active(frame)
        predicted = (weights[:, None] > found["kl_weight"].to_numpy()).sum(axis=0).clip(max=10)
        worst.append(np.abs(found["active_directions"].to_numpy() - predicted).max())
    return pd.Series(worst, dtype=float)


def _moved(taken: Taken, weights: np.ndarray) -> pd.Series:
    """Percent by which small steps move the last unit's death, beside the walk of as many epochs, seed by seed."""
    small, usual = (
        pd.Series({walk.seed: measures.death(frame, 1) for walk, frame in _of(taken, REASONS, name).items()})
        for name in (SMALL_STEPS, LONGER)
    )
    return 100 * (small / usual - 1)


CLAIMS = (
    Claim(
        "The objective itself empties the code, not bad training",
        "Lucas et al. 2019, of linear VAEs",
        f"the last unit dies within {NEAR:g} % of the weight that the objective alone predicts (number: how far off)",
        " %",
        lambda taken, weights: NEAR - _off(BOTH_WAYS, DENSE)(taken, weights),
        _off(BOTH_WAYS, DENSE),
    ),
    Claim(
        "Another architecture collapses at another weight",
        "a common belief",
        f"with convolutions the last unit dies more than {NEAR:g} % off that weight (number: how far off)",
        " %",
        lambda taken, weights: _off(CONVOLUTIONS, CONVOLUTIONAL)(taken, weights) - NEAR,
        _off(CONVOLUTIONS, CONVOLUTIONAL),
    ),
    Claim(
        "An empty code comes back when the weight is lowered again",
        "a common hope",
        "it wakes above half of the weight at which it died (number: share; 0 if it never wakes)",
        "",
        lambda taken, weights: _woken(DENSE)(taken, weights) - 0.5,
        _woken(DENSE),
    ),
    Claim(
        "It does if the hidden units cannot die",
        "this lesson: tanh in place of ReLU",
        "the same",
        "",
        lambda taken, weights: _woken(TANH)(taken, weights) - 0.5,
        _woken(TANH),
    ),
    Claim(
        "The code collapses at once, from a rate that is not small",
        "Li et al. 2025, arXiv:2510.01621: a discontinuity",
        "at the last weight at which it lives the rate is above a tenth of the walk's largest (number: share)",
        "",
        lambda taken, weights: _last_rate(taken, weights) - 0.1,
        _last_rate,
    ),
    Claim(
        "Units die one by one, as the spectrum says",
        "Hirn 2026, arXiv:2605.22691: exact for linear Gaussian models",
        "of ten units as many directions live as predicted, give or take one (number: the largest difference)",
        "",
        lambda taken, weights: 1.5 - _miscounted(taken, weights),
        _miscounted,
    ),
    Claim(
        "Noisy gradients kill the last unit early",
        "a common suspicion",
        "with a small learning rate it dies at a higher weight after as many epochs (number: how much higher)",
        " %",
        _moved,
        _moved,
    ),
)
