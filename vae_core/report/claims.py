"""Common claims about the weight, decided by the numbers of a sweep: if the numbers change, so do the verdicts."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from vae_core.report.captions import shared_settings
from vae_core.report.diverged import sound
from vae_core.report.findings import COLLAPSED_RATE
from vae_core.runs import Runs
from vae_core.statistics import mean_and_spread, mean_difference

ROUNDING = 1e-6
DIGITS = ("mnist", "digits")  # the data sets whose classes are digits
USUAL = (0.5, 2.0)  # the weights from the one to the other are tutorial 004's "0.5, 1 and 2"


@dataclass(frozen=True)
class Evidence:
    """For each seed, a number to show and a margin, which is above 0 if the number supports the claim."""

    number: pd.Series
    margin: pd.Series
    unit: str


@dataclass(frozen=True)
class Claim:
    """A statement, its source, the criterion that decides it, and the function that finds the evidence in the measures.

    The function gets a frame with one column per measure and weight, one row per seed: `by_seed["rate"][1.0]`. It may
    return None where the sweep lacks the weights that the claim is about.
    """

    statement: str
    source: str
    criterion: str
    evidence: Callable[[pd.DataFrame], Evidence | None]
    theorem: bool = False  # holds for every run, so that any exception refutes it
    plane: bool = False  # is about a latent space of two dimensions


def claims(runs: Runs) -> pd.DataFrame:
    """Each claim with the number that decides it, mean ± standard deviation over seeds, and the verdict.

    A claim is confirmed where the 95 % interval of the margin's mean over seeds is above 0, refuted where it is below
    0, else undecided. With one seed there is no interval: the sign alone decides.
    Runs that have diverged are left out, and so are claims about measures that no run has, such as those of a judge of
    classes where there are no labels, and about planes where the latent space is none.
    """
    by_seed, settings = sound(runs).by_seed(), shared_settings(runs)
    rows = []
    for claim in _claims_about(settings):
        try:
            evidence = claim.evidence(by_seed) if len(by_seed) else None
        except KeyError as missing:
            if isinstance(missing.args[0], str):  # a measure, which no run has
                continue
            evidence = None  # it was not finite at a weight
        known = evidence is not None and evidence.margin.notna().any()
        number = _number(evidence) if known else "the sweep has no such weights or measures"
        word = verdict(evidence, claim.theorem) if known else "-"
        rows.append((claim.statement, claim.source, claim.criterion, number, word))
    columns = ["claim", "from", "holds if", "number", "verdict"]
    return pd.DataFrame(rows, columns=columns).set_index("claim")


def claims_page(runs: Runs) -> str:
    """`claims` as a Markdown table, in which a | of its own would end a cell; none where a target rules the rate."""
    settings = shared_settings(runs)
    if settings["target_distortion"] is not None or settings["target_rate"] is not None:
        return "The claims are about a weight on the rate. Here a target rules it, so that they cannot be decided."
    table = claims(runs).reset_index()
    return table.map(lambda text: text.replace("|", r"\|")).to_markdown(index=False)


def verdict(evidence: Evidence, theorem: bool = False) -> str:
    """confirmed, refuted or undecided, from the margins of the seeds; a theorem is refuted by one of them."""
    margins = evidence.margin.dropna()
    if theorem:
        return "confirmed" if margins.min() >= 0 else "refuted"
    if mean_difference(margins).within_spread:
        return "undecided"
    word = "confirmed" if margins.mean() > 0 else "refuted"
    return word if len(margins) > 1 else f"{word} (one seed)"


def _claims_about(settings: Mapping[str, object]) -> Iterator[Claim]:
    """The claims that can be asked of runs with these settings, in words that fit their images and likelihood."""
    for claim in CLAIMS:
        if claim.plane and settings["latent_dim"] != 2:
            continue
        statement = claim.statement
        if settings.get("dataset") not in DIGITS:
            statement = statement.replace("digits", "classes")
        if settings["likelihood"] != "bernoulli":
            statement = statement.replace("the entropy of the grey values", "the least that its likelihood allows")
        yield replace(claim, statement=statement)


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


def _fall_from_one(measure: str, unit: str = "", limit: float = 0.0) -> Callable[[pd.DataFrame], Evidence | None]:
    """How much lower a measure is at the largest weight than at 1."""

    def evidence(by_seed: pd.DataFrame) -> Evidence | None:
        if _largest(by_seed) <= USUAL[1]:
            return None
        return _above(by_seed[measure][1.0] - by_seed[measure][_largest(by_seed)], limit, unit)

    return _at(1.0, evidence)


def _usual_are_best(measure: str, sign: int, unit: str = "") -> Callable[[pd.DataFrame], Evidence | None]:
    """How much better the worst of the usual weights is than the best of the others; sign 1: large is good.

    The two are chosen by their means over seeds. If they were chosen for each seed, noise alone would refute the claim.
    """

    def evidence(by_seed: pd.DataFrame) -> Evidence | None:
        good = sign * by_seed[measure]
        usual = good.columns[(good.columns >= USUAL[0]) & (good.columns <= USUAL[1])]
        others = good.columns.difference(usual)
        if usual.empty or others.empty:
            return None
        return _above(good[good[usual].mean().idxmin()] - good[good[others].mean().idxmax()], 0, unit)

    return evidence


def _small(evidence: Callable[[pd.DataFrame], Evidence]) -> Callable[[pd.DataFrame], Evidence | None]:
    """For claims about very small weights: no evidence if the smallest weight is a usual one or larger."""
    return lambda by_seed: evidence(by_seed) if _least(by_seed) < USUAL[0] else None


def _large(evidence: Callable[[pd.DataFrame], Evidence]) -> Callable[[pd.DataFrame], Evidence | None]:
    """For claims about large weights: no evidence if the largest weight is a usual one or smaller."""
    return lambda by_seed: evidence(by_seed) if _largest(by_seed) > USUAL[1] else None


def _share_told(by_seed: pd.DataFrame) -> Evidence:
    """The smallest share of mutual information in the rate, over the weights whose rate is more than noise."""
    shares = (by_seed["mutual_information"] / by_seed["rate"]).where(by_seed["rate"] > COLLAPSED_RATE)
    return _above(shares.min(axis=1), 0.9)


def _least_weight_draws_all_classes(name: str) -> Callable[[pd.DataFrame], Evidence]:
    return lambda by_seed: _below(
        by_seed[f"{name}_classes"][_least(by_seed)], by_seed["test_classes"][_least(by_seed)].mean() - 0.5, " classes"
    )


CLAIMS = (
    Claim(
        "Without the KL term the codes spread out",
        "tutorial 004",
        "at 0 the means are more than ten times as far from the origin as samples of the prior (number: mean_spread)",
        _at(0.0, lambda by_seed: _above(by_seed["mean_spread"][0.0], 10)),
    ),
    Claim(
        "As the weight grows the codes gather around the origin",
        "tutorial 004",
        "mean_spread falls at every step (number: its largest rise)",
        lambda by_seed: _below(_largest_rise(by_seed["mean_spread"]), 0) if len(by_seed["rate"].columns) > 1 else None,
    ),
    Claim(
        "At a large weight draws from q(z|x), which the decoder gets, gather at the origin",
        "tutorial 004, one reading",
        "at the largest weight they are nearer to it than samples of the prior (number: draw_spread, below 0.9)",
        _large(lambda by_seed: _below(by_seed["draw_spread"][_largest(by_seed)], 0.9)),
    ),
    Claim(
        "A rightly chosen weight brings the codes near N(0, I)",
        "tutorial 004",
        "at 1 all codes together are less than 1 nat away from it (number: marginal_kl)",
        _at(1.0, lambda by_seed: _below(by_seed["marginal_kl"][1.0], 1, " nats")),
    ),
    Claim(
        "Large weights blur",
        "tutorial 004",
        "samples of the prior are less sharp at the largest weight than at 1 (number: fall of prior_sharpness)",
        _fall_from_one("prior_sharpness"),
    ),
    Claim(
        "Large weights lose digits",
        "tutorial 004",
        "samples of the prior show fewer classes at the largest weight than at 1 (number: classes lost)",
        _fall_from_one("prior_classes", " classes", limit=0.5),
    ),
    Claim(
        "The larger the weight, the fewer digits",
        "tutorial 004",
        "prior_classes rises at no step (number: its largest rise)",
        lambda by_seed: (
            _below(_largest_rise(by_seed["prior_classes"]), 0.5, " classes")
            if len(by_seed["rate"].columns) > 1
            else None
        ),
    ),
    Claim(
        "Very small weights cannot generate all digits",
        "tutorial 004",
        "at the least weight samples of the prior lack a class (number: classes seen)",
        _small(_least_weight_draws_all_classes("prior")),
    ),
    Claim(
        "Very small weights lack digits because their decoder has not learned them",
        "tutorial 004, one reading",
        "at the least weight samples at codes like those of training images lack a class too (number: classes seen)",
        _small(_least_weight_draws_all_classes("mixture")),
    ),
    Claim(
        "The window of three deviations shows what the decoder of a very small weight can draw",
        "tutorial 004, by its figures",
        "at the least weight 95 % of the test codes lie in it (number: share_in_window)",
        _small(lambda by_seed: _above(by_seed["share_in_window"][_least(by_seed)], 0.95)),
        plane=True,
    ),
    *(
        Claim(
            f"0.5, 1 and 2 are best: by {measure}",
            "tutorial 004",
            f"the worst of the weights from 0.5 to 2 beats the best of the others, {better} being better "
            f"(number: by how much){remark}",
            _usual_are_best(measure, sign, unit),
        )
        for measure, sign, better, unit, remark in (
            ("negative_elbo", -1, "lower", " nats", "; weight 1 was trained for it"),
            ("nll", -1, "lower", " nats", ""),
            ("prior_confidence", 1, "higher", "", ""),
            ("prior_class_entropy", 1, "higher", " nats", ""),
            ("knn_accuracy", 1, "higher", "", ""),
        )
    ),
    Claim(
        "The rate is what the code tells about the image",
        "a common reading",
        "at every weight at least 90 % of it is mutual information (number: the least share)",
        _share_told,
    ),
    Claim(
        "A very small weight buys a code that tells more",
        "a common reading",
        "mutual information is higher at the least weight than at 1 (number: by how much)",
        _at(
            1.0,
            _small(
                lambda by_seed: _above(
                    by_seed["mutual_information"][_least(by_seed)] - by_seed["mutual_information"][1.0], 0, " nats"
                )
            ),
        ),
    ),
    Claim(
        "Training takes KL(q(z|x) || p(z|x)) to 0",
        "tutorial 001",
        "at 1 it is below 0.1 nats (number: negative_elbo - nll)",
        _at(1.0, lambda by_seed: _below(by_seed["negative_elbo"][1.0] - by_seed["nll"][1.0], 0.1, " nats")),
    ),
    Claim(
        "The codes together look like the prior because each q(z|x) is brought near it",
        "tutorial 003, one reading",
        "at 1 the mean distance of q(z|x) from the prior is below 0.1 nats (number: rate)",
        _at(1.0, lambda by_seed: _below(by_seed["rate"][1.0], 0.1, " nats")),
    ),
    Claim(
        "A large weight empties the code",
        "a common reading",
        "at the largest weight the rate is below 0.1 nats (number: rate)",
        _large(lambda by_seed: _below(by_seed["rate"][_largest(by_seed)], COLLAPSED_RATE, " nats")),
    ),
    Claim(
        "No weight gets the distortion below the entropy of the grey values",
        "a theorem: this checks the code",
        "the least distortion of all weights is above entropy_floor (number: by how much)",
        lambda by_seed: _above(by_seed["distortion"].min(axis=1) - by_seed["entropy_floor"].min(axis=1), 0, " nats"),
        theorem=True,
    ),
    Claim(
        "No code tells more than the logarithm of the number of images",
        "a theorem: this checks the code",
        "the largest mutual information of all weights is at most ln N (number: by how much it is below)",
        lambda by_seed: _above(
            np.log(by_seed["images"].min(axis=1)) - by_seed["mutual_information"].max(axis=1), -ROUNDING, " nats"
        ),
        theorem=True,
    ),
)
