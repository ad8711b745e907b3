"""What is said about the weight, decided by the numbers of a sweep: every verdict can come out the other way."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from vae_core.tables import mean_and_spread

ROUNDING = 1e-6
USUAL = (0.5, 2.0)  # the weights from the one to the other are seed 004's "0.5, 1 and 2"


@dataclass(frozen=True)
class Evidence:
    """For each seed, a number to show and a margin: how far the number lies on the side that the claim needs."""

    number: pd.Series
    margin: pd.Series
    unit: str


@dataclass(frozen=True)
class Claim:
    """A statement, who makes it, what would decide it, and the function from measures to the evidence.

    The function gets a frame with one column per measure and weight, one row per seed: `by_seed["rate"][1.0]`. It may
    return None where the sweep lacks the weights that the claim is about.
    """

    statement: str
    source: str
    criterion: str
    evidence: Callable[[pd.DataFrame], Evidence | None]


def claims(summary: pd.DataFrame) -> pd.DataFrame:
    """Each claim with the number that decides it, mean ± standard deviation over seeds, and the verdict.

    A claim is confirmed where the margin's mean over seeds is above 0 by more than its standard deviation, refuted
    where it is below 0 by more than that, else undecided. With one seed there is no deviation: the sign alone decides.

    summary: one row per run
    """
    by_seed = summary.pivot(index="seed", columns="kl_weight").dropna(axis=1, how="all")
    rows = []
    for claim in CLAIMS:
        evidence = claim.evidence(by_seed)
        number = _number(evidence) if evidence else "the sweep has no such weights"
        rows.append((claim.statement, claim.source, claim.criterion, number, verdict(evidence) if evidence else "-"))
    columns = ["claim", "from", "holds if", "number", "verdict"]
    return pd.DataFrame(rows, columns=columns).set_index("claim")


def claims_page(summary: pd.DataFrame) -> str:
    """`claims` as a Markdown table, in which a | of its own would end a cell."""
    table = claims(summary).reset_index()
    return table.map(lambda text: text.replace("|", r"\|")).to_markdown(index=False)


def verdict(evidence: Evidence) -> str:
    """confirmed, refuted or undecided, from the margins of the seeds."""
    margins = evidence.margin.dropna()
    spread = margins.std() if len(margins) > 1 else 0.0
    if abs(margins.mean()) <= spread or not len(margins):
        return "undecided"
    word = "confirmed" if margins.mean() > 0 else "refuted"
    return word if len(margins) > 1 else f"{word} (one seed)"


def _number(evidence: Evidence) -> str:
    mean, spread = evidence.number.mean(), evidence.number.std()
    return f"{mean_and_spread(mean, spread, decimals=2 if abs(mean) >= 0.1 else 4)}{evidence.unit}"


def _above(number: pd.Series, limit: float, unit: str = "") -> Evidence:
    return Evidence(number, number - limit, unit)


def _below(number: pd.Series, limit: float, unit: str = "") -> Evidence:
    return Evidence(number, limit - number, unit)


def _least(by_seed: pd.DataFrame) -> float:
    return by_seed["rate"].columns.min()


def _largest(by_seed: pd.DataFrame) -> float:
    return by_seed["rate"].columns.max()


def _at(kl_weight: float, evidence: Callable[[pd.DataFrame], Evidence]) -> Callable[[pd.DataFrame], Evidence | None]:
    return lambda by_seed: evidence(by_seed) if kl_weight in by_seed["rate"] else None


def _largest_rise(measure: pd.DataFrame) -> pd.Series:
    """For each seed, the largest rise of a measure from a weight to the next; negative if it falls at every step."""
    return measure.diff(axis=1).iloc[:, 1:].max(axis=1)


def _fall_from_one(measure: str, unit: str = "") -> Callable[[pd.DataFrame], Evidence | None]:
    """By how much a measure is lower at the largest weight than at 1."""

    def evidence(by_seed: pd.DataFrame) -> Evidence | None:
        if _largest(by_seed) <= 1:
            return None
        return _above(by_seed[measure][1.0] - by_seed[measure][_largest(by_seed)], 0, unit)

    return _at(1.0, evidence)


def _usual_are_best(measure: str, sign: int, unit: str = "") -> Callable[[pd.DataFrame], Evidence | None]:
    """By how much the worst of the usual weights is better than the best of the others; sign 1: large is good."""

    def evidence(by_seed: pd.DataFrame) -> Evidence | None:
        good = sign * by_seed[measure]
        usual = good.columns[(good.columns >= USUAL[0]) & (good.columns <= USUAL[1])]
        if usual.empty or len(usual) == len(good.columns):
            return None
        return _above(good[usual].min(axis=1) - good.drop(columns=usual).max(axis=1), 0, unit)

    return evidence


def _least_weight_draws_all_classes(name: str) -> Callable[[pd.DataFrame], Evidence]:
    return lambda by_seed: _below(
        by_seed[f"{name}_classes"][_least(by_seed)], by_seed["test_classes"][_least(by_seed)].mean() - 0.5, " classes"
    )


CLAIMS = (
    Claim(
        "Without the KL term the codes spread out",
        "seed 004",
        "at 0 the means are more than ten times as far from the origin as the prior's samples (mean_spread above 10)",
        _at(0.0, lambda by_seed: _above(by_seed["mean_spread"][0.0], 10)),
    ),
    Claim(
        "As the weight grows the codes gather around the origin",
        "seed 004",
        "mean_spread falls at every step (largest change upwards below 0)",
        lambda by_seed: _below(_largest_rise(by_seed["mean_spread"]), 0) if len(by_seed["rate"].columns) > 1 else None,
    ),
    Claim(
        "At the largest weight what the decoder gets is gathered there too",
        "seed 004, as one may read it",
        "draws from q(z|x) are nearer to the origin than the prior's (draw_spread below 0.9)",
        lambda by_seed: _below(by_seed["draw_spread"][_largest(by_seed)], 0.9),
    ),
    Claim(
        "Large weights blur",
        "seed 004",
        "prior samples are less sharp at the largest weight than at 1 (prior_sharpness falls)",
        _fall_from_one("prior_sharpness"),
    ),
    Claim(
        "Large weights lose digits",
        "seed 004",
        "prior samples show fewer classes at the largest weight than at 1 (prior_classes falls)",
        _fall_from_one("prior_classes", " classes"),
    ),
    Claim(
        "Very small weights cannot generate all digits",
        "seed 004",
        "at the least weight prior samples lack a class",
        _least_weight_draws_all_classes("prior"),
    ),
    Claim(
        "... because their decoder has not learned them",
        "seed 004, as one may read it",
        "samples at codes like those of the training images lack a class too",
        _least_weight_draws_all_classes("mixture"),
    ),
    Claim(
        "The window of three deviations shows what such a decoder can draw",
        "seed 004, by its figures",
        "at the least weight 95 % of the test codes lie in the window (share_in_window)",
        lambda by_seed: _above(by_seed["share_in_window"][_least(by_seed)], 0.95),
    ),
    *(
        Claim(
            f"0.5, 1 and 2 are best: by {measure}",
            "seed 004",
            f"the worst of the weights from 0.5 to 2 beats the best of the others ({better} is better)",
            _usual_are_best(measure, sign, unit),
        )
        for measure, sign, better, unit in (
            ("negative_elbo", -1, "lower", " nats"),
            ("nll", -1, "lower", " nats"),
            ("prior_confidence", 1, "higher", ""),
            ("knn_accuracy", 1, "higher", ""),
        )
    ),
    Claim(
        "The rate is what the code tells about the image",
        "a common reading",
        "at the least weight 90 % of the rate are mutual information",
        lambda by_seed: _above(by_seed["mutual_information"][_least(by_seed)] / by_seed["rate"][_least(by_seed)], 0.9),
    ),
    Claim(
        "A weight below 1 buys a code that tells more",
        "a common reading",
        "mutual_information is higher at the least weight than at 1",
        _at(
            1.0,
            lambda by_seed: (
                _above(by_seed["mutual_information"][_least(by_seed)] - by_seed["mutual_information"][1.0], 0, " nats")
                if _least(by_seed) < 1
                else None
            ),
        ),
    ),
    Claim(
        "Training takes KL(q(z|x) || p(z|x)) to 0",
        "seed 001",
        "at 1 the gap between negative_elbo and nll is below 0.1 nats",
        _at(1.0, lambda by_seed: _below(by_seed["negative_elbo"][1.0] - by_seed["nll"][1.0], 0.1, " nats")),
    ),
    Claim(
        "The codes together look like the prior because each q(z|x) is made to",
        "seed 003",
        "at 1 less than half of the rate is mutual information",
        _at(1.0, lambda by_seed: _below(by_seed["mutual_information"][1.0] / by_seed["rate"][1.0], 0.5)),
    ),
    Claim(
        "No weight gets the distortion below the entropy of the grey values",
        "theory",
        "the least distortion of all weights is above entropy_floor",
        lambda by_seed: _above(by_seed["distortion"].min(axis=1) - by_seed["entropy_floor"].min(axis=1), 0, " nats"),
    ),
    Claim(
        "No code tells more than the logarithm of the number of images",
        "theory",
        "the largest mutual information of all weights is at most ln N",
        lambda by_seed: _below(
            by_seed["mutual_information"].max(axis=1) - np.log(by_seed["images"].min(axis=1)), ROUNDING, " nats"
        ),
    ),
    Claim(
        "A large weight empties the code",
        "a common reading",
        "at the largest weight the rate is below 0.1 nats",
        lambda by_seed: _below(by_seed["rate"][_largest(by_seed)], 0.1, " nats"),
    ),
)
