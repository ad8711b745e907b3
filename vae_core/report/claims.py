"""Common claims about the weight, decided by the numbers of a sweep: if the numbers change, so do the verdicts."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import pandas as pd

from vae_core.report.captions import shared_settings
from vae_core.report.diverged import sound
from vae_core.runs import Runs
from vae_core.statistics import Difference, largest_mean, least_mean

ROUNDING = 1e-6
DIGITS = ("mnist", "digits")  # the data sets whose classes are digits
USUAL = (0.5, 2.0)  # the weights from the one to the other are tutorial 004's "0.5, 1 and 2"
START = 4.0  # the beta of which the claims say that it is a good start
JUST_BELOW = 0.95  # of the first collapse weight; a rate that goes to 0 steadily is far below JUMP there
JUMP = 0.1  # nats


class Lacking(Exception):
    """What a sweep lacks, so that a claim cannot be decided."""


@dataclass(frozen=True)
class Evidence:
    """A number, its 95 % interval over seeds, and the limit: the claim holds above it, or for sign -1 below it."""

    number: Difference
    limit: float
    sign: int
    unit: str = ""


@dataclass(frozen=True)
class Claim:
    """A statement, its source, the criterion that decides it, and the function that finds the evidence in the measures.

    The function gets a frame with one column per measure and weight, one row per seed: `by_seed["rate"][1.0]`. It
    raises Lacking where the sweep has not what the claim is about.
    """

    statement: str
    source: str
    criterion: str
    evidence: Callable[[pd.DataFrame], Evidence]
    theorem: bool = False  # holds for every run, so that any exception refutes it
    plane: bool = False  # is about a latent space of two dimensions


def claims(runs: Runs) -> pd.DataFrame:
    """Each claim with the number that decides it, its 95 % interval over seeds, and the verdict.

    A claim is confirmed where the interval is on its side of the limit, refuted where it is on the other, else
    undecided. Each of the two verdicts is wrong in 2.5 % of cases at most, also where the number is an extreme, such as
    the largest rise: its interval is that of `least_mean` or `largest_mean`. It takes numbers as normal. Counts are
    not: where all seeds have the same, their interval has no width. With one seed there is no interval, so that the
    claim holds or fails in that seed. A theorem has the number of the run that is nearest to the limit.
    Runs that have diverged are left out, and so are claims about measures that no run has, such as those of a judge of
    classes where there are no labels, and about planes where the latent space is none.
    """
    by_seed = sound(runs).by_seed()
    return table_of(_claims_about(shared_settings(runs)), by_seed)


def table_of(asked: Iterable[Claim], by_seed: pd.DataFrame) -> pd.DataFrame:
    """A row for each claim that is about measures which runs have."""
    rows = []
    for claim in asked:
        try:
            number, word = _decided(claim, by_seed)
        except Lacking as lacking:
            number, word = str(lacking), "-"
        except KeyError as missing:
            if isinstance(missing.args[0], str):  # a measure, which no run has
                continue
            number, word = f"not known at weight {missing.args[0]:g}", "-"  # it was not finite there
        rows.append((claim.statement, claim.source, claim.criterion, number, word))
    columns = ["claim", "from", "holds if", "number [95 % interval]", "verdict"]
    return pd.DataFrame(rows, columns=columns).set_index("claim")


def in_markdown(table: pd.DataFrame) -> str:
    """A table of claims, in which a | of its own would end a cell."""
    return table.reset_index().map(lambda text: text.replace("|", r"\|")).to_markdown(index=False)


def claims_page(runs: Runs) -> str:
    """`claims` as a Markdown table; none where a target rules the rate."""
    settings = shared_settings(runs)
    if settings["target_distortion"] is not None or settings["target_rate"] is not None:
        return "The claims are about a weight on the rate. Here a target rules it, so that they cannot be decided."
    return in_markdown(claims(runs))


def verdict(evidence: Evidence, theorem: bool = False) -> str:
    """confirmed, refuted or undecided, by the interval; of one seed, which has none, whether the claim holds in it."""
    number, limit, sign = evidence.number, evidence.limit, evidence.sign
    holds = sign * (number.mean - limit) >= 0 if theorem else sign * (number.mean - limit) > 0
    if number.pairs < 2 and not theorem:
        return f"{'holds' if holds else 'fails'} (one seed)"
    if number.low <= limit <= number.high:
        return "undecided"
    return "confirmed" if holds else "refuted"


def _decided(claim: Claim, by_seed: pd.DataFrame) -> tuple[str, str]:
    if by_seed.empty:
        raise Lacking("every run has diverged")
    evidence = claim.evidence(by_seed)
    return _number(evidence), verdict(evidence, claim.theorem)


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
    """24.70 [14.39, 35.01]; small numbers with four decimals."""
    number = evidence.number
    largest = round(np.nanmax(np.abs([number.mean, number.low, number.high])), 4)
    return number.shown("z.4f" if 0 < largest < 0.1 else "z.2f") + evidence.unit


def _all_above(numbers: pd.Series | pd.DataFrame, limit: float, unit: str = "") -> Evidence:
    """That the least of the numbers, one column each, is above the limit."""
    return Evidence(least_mean(_known(numbers)), limit, 1, unit)


def _all_below(numbers: pd.Series | pd.DataFrame, limit: float, unit: str = "") -> Evidence:
    """That the largest of the numbers is below the limit."""
    return Evidence(largest_mean(_known(numbers)), limit, -1, unit)


def some_above(numbers: pd.DataFrame, limit: float, unit: str = "") -> Evidence:
    """That the largest of the numbers is above the limit."""
    return Evidence(largest_mean(_known(numbers)), limit, 1, unit)


def _some_below(numbers: pd.DataFrame, limit: float, unit: str = "") -> Evidence:
    """That the least of the numbers is below the limit."""
    return Evidence(least_mean(_known(numbers)), limit, -1, unit)


def _known(numbers: pd.Series | pd.DataFrame) -> pd.DataFrame:
    """The numbers as columns, without those of weights that share no seed."""
    known = pd.DataFrame(numbers).dropna(axis=1, how="all")
    if known.empty:
        raise Lacking("these weights have no seed in common")
    return known


def _no_run_below(numbers: pd.DataFrame, limit: float, unit: str) -> Evidence:
    """For theorems: that no run's number is below the limit."""
    return Evidence(Difference(float(numbers.min().min()), np.nan, np.nan, 1), limit, 1, unit)


def _weights(by_seed: pd.DataFrame) -> pd.Index:
    return by_seed["rate"].columns


def _least(by_seed: pd.DataFrame) -> float:
    return _weights(by_seed).min()


def _largest(by_seed: pd.DataFrame) -> float:
    return _weights(by_seed).max()


def _at(kl_weight: float, evidence: Callable[[pd.DataFrame], Evidence]) -> Callable[[pd.DataFrame], Evidence]:
    """For claims about one weight."""

    def where_run(by_seed: pd.DataFrame) -> Evidence:
        if kl_weight not in _weights(by_seed):
            raise Lacking(f"the sweep has no weight {kl_weight:g}")
        return evidence(by_seed)

    return where_run


def _small(evidence: Callable[[pd.DataFrame], Evidence]) -> Callable[[pd.DataFrame], Evidence]:
    """For claims about very small weights: smaller than the usual ones."""

    def where_run(by_seed: pd.DataFrame) -> Evidence:
        if _least(by_seed) >= USUAL[0]:
            raise Lacking(f"the sweep has no weight below {USUAL[0]:g}")
        return evidence(by_seed)

    return where_run


def _large(evidence: Callable[[pd.DataFrame], Evidence]) -> Callable[[pd.DataFrame], Evidence]:
    """For claims about large weights: larger than the usual ones."""

    def where_run(by_seed: pd.DataFrame) -> Evidence:
        if _largest(by_seed) <= USUAL[1]:
            raise Lacking(f"the sweep has no weight above {USUAL[1]:g}")
        return evidence(by_seed)

    return where_run


def _four_beside_one(evidence: Callable[[pd.DataFrame], Evidence]) -> Callable[[pd.DataFrame], Evidence]:
    return _at(1.0, _at(START, evidence))


def _rises(measure: pd.DataFrame) -> pd.DataFrame:
    """How much a measure rises from each weight to the next."""
    if measure.shape[1] < 2:
        raise Lacking("the sweep has one weight")
    return measure.diff(axis=1).iloc[:, 1:]


def _fall_from_one(measure: str, unit: str = "", limit: float = 0.0) -> Callable[[pd.DataFrame], Evidence]:
    """How much lower a measure is at the largest weight than at 1."""
    return _at(
        1.0,
        _large(lambda by_seed: _all_above(by_seed[measure][1.0] - by_seed[measure][_largest(by_seed)], limit, unit)),
    )


def _usual_are_best(measure: str, sign: int, unit: str = "") -> Callable[[pd.DataFrame], Evidence]:
    """How much better each usual weight is than each other one; sign 1: large is good."""

    def evidence(by_seed: pd.DataFrame) -> Evidence:
        good = sign * by_seed[measure]
        usual = good.columns[(good.columns >= USUAL[0]) & (good.columns <= USUAL[1])]
        others = good.columns.difference(usual)
        if usual.empty or others.empty:
            raise Lacking(f"the sweep has no weights both within and beyond {USUAL[0]:g} to {USUAL[1]:g}")
        return _all_above(
            pd.DataFrame({pair: good[pair[0]] - good[pair[1]] for pair in product(usual, others)}), 0, unit
        )

    return evidence


def _share_told(by_seed: pd.DataFrame) -> Evidence:
    """The share of mutual information in the rate at each weight that leaves every seed an active unit."""
    alive = by_seed["active_units"].min() > 0
    if not alive.any():
        raise Lacking("no weight leaves every seed an active unit")
    return _all_above((by_seed["mutual_information"] / by_seed["rate"]).loc[:, alive], 0.9)


def _least_weight_draws_all_classes(name: str) -> Callable[[pd.DataFrame], Evidence]:
    return lambda by_seed: _all_below(
        by_seed[f"{name}_classes"][_least(by_seed)], by_seed["test_classes"][_least(by_seed)].mean() - 0.5, " classes"
    )


def _collapse_weights(by_seed: pd.DataFrame) -> list[float]:
    """The weights above which the law of collapse predicts the first, second, ... unit dead: the same in all runs."""
    names = [name for name in by_seed.columns.unique(0) if name.startswith("collapse_weight")]
    if not names:
        raise KeyError("collapse_weight0")
    return sorted((by_seed[name].max().max() for name in names), reverse=True)


def _off_the_law_of_empty_codes(by_seed: pd.DataFrame) -> Evidence:
    """Active units at weights above the first collapse weight, and below it how many an empty code lacks of one."""
    first, active = _collapse_weights(by_seed)[0], by_seed["active_units"]
    above = active.columns >= first
    if not above.any():
        raise Lacking(f"the sweep has no weight above {first:.2f}")
    if above.all():
        raise Lacking(f"the sweep has no weight below {first:.2f}")
    missing = 1 - active.loc[:, ~above].clip(upper=1)
    return _all_below(active.loc[:, above].join(missing), 0.5, " units")


def _fewest_below_the_law(by_seed: pd.DataFrame) -> Evidence:
    first, active = _collapse_weights(by_seed)[0], by_seed["active_units"]
    below = active.loc[:, active.columns < first]
    if below.empty:
        raise Lacking(f"the sweep has no weight below {first:.2f}")
    return _some_below(below, 0.5, " units")


def _off_the_law(by_seed: pd.DataFrame) -> Evidence:
    """How far the number of active directions, which the law counts, is from the predicted one, at each weight."""
    weights, predicted = _collapse_weights(by_seed), by_seed["predicted_active_units"]
    found = by_seed["active_directions"]
    if found.min().min() == predicted.min().min() == len(weights):
        raise Lacking(f"no unit is dead: the sweep has no weight above {weights[-1]:.2f}")
    return _all_below((found - predicted).abs(), 0.5, " units")


def _rate_just_below(by_seed: pd.DataFrame) -> Evidence:
    """The rate at the largest weight below the first collapse weight."""
    first = _collapse_weights(by_seed)[0]
    near = [kl_weight for kl_weight in _weights(by_seed) if JUST_BELOW * first <= kl_weight < first]
    if not near:
        raise Lacking(f"the sweep has no weight from {JUST_BELOW * first:.2f} to {first:.2f}")
    return _all_above(by_seed["rate"][near[-1]], JUMP, " nats")


def _partly_dead(by_seed: pd.DataFrame) -> Evidence:
    """How many directions are active, or how many are dead if that is less, at each weight."""
    weights, active = _collapse_weights(by_seed), by_seed["active_directions"]
    if len(weights) < 2:
        raise Lacking("there is one latent unit")
    part, between = np.minimum(active, len(weights) - active), by_seed["predicted_active_units"].max()
    if part.max().max() == 0 and not between.between(1, len(weights) - 1).any():
        raise Lacking(f"the sweep has no weight from {weights[-1]:.2f} to {weights[0]:.2f}")
    return some_above(part, 0.5, " units")


CLAIMS = (
    Claim(
        "Without the KL term the codes spread out",
        "tutorial 004",
        "at 0 mean_spread, which is 1 for samples of the prior, is above 10 (number: mean_spread)",
        _at(0.0, lambda by_seed: _all_above(by_seed["mean_spread"][0.0], 10)),
    ),
    Claim(
        "As the weight grows the codes gather around the origin",
        "tutorial 004",
        "mean_spread falls at every step (number: its largest rise)",
        lambda by_seed: _all_below(_rises(by_seed["mean_spread"]), 0),
    ),
    Claim(
        "At a large weight draws from q(z|x), which the decoder gets, gather at the origin",
        "tutorial 004, one reading",
        "at the largest weight draw_spread, which is 1 for samples of the prior, is below 0.9 (number: draw_spread)",
        _large(lambda by_seed: _all_below(by_seed["draw_spread"][_largest(by_seed)], 0.9)),
    ),
    Claim(
        "A rightly chosen weight brings the codes near N(0, I)",
        "tutorial 004",
        "at 1 all codes together are less than 1 nat away from it (number: marginal_kl)",
        _at(1.0, lambda by_seed: _all_below(by_seed["marginal_kl"][1.0], 1, " nats")),
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
        lambda by_seed: _all_below(_rises(by_seed["prior_classes"]), 0.5, " classes"),
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
        _small(lambda by_seed: _all_above(by_seed["share_in_window"][_least(by_seed)], 0.95)),
        plane=True,
    ),
    *(
        Claim(
            f"0.5, 1 and 2 are best: by {measure}",
            "tutorial 004",
            f"each weight from 0.5 to 2 beats each other one (number: the least lead){remark}",
            _usual_are_best(measure, sign, unit),
        )
        for measure, sign, unit, remark in (
            ("negative_elbo", -1, " nats", "; weight 1 was trained for it"),
            ("nll", -1, " nats", ""),
            (
                "prior_class_entropy",
                1,
                " nats",
                "; not by prior_confidence: the judge is sure of grey smears",
            ),
            ("knn_accuracy", 1, "", ""),
        )
    ),
    Claim(
        "beta = 4 is a good start: by nll",
        "a common reading of Higgins et al. 2017",
        "nll is lower at 4 than at 1 (number: its fall)",
        _four_beside_one(lambda by_seed: _all_above(by_seed["nll"][1.0] - by_seed["nll"][START], 0, " nats")),
    ),
    Claim(
        "beta = 4 is a good start: by active_units",
        "a common reading of Higgins et al. 2017",
        "as many units are active at 4 as at 1 (number: units lost)",
        _four_beside_one(
            lambda by_seed: _all_below(by_seed["active_units"][1.0] - by_seed["active_units"][START], 0.5, " units")
        ),
    ),
    Claim(
        "The rate is what the code tells about the image",
        "a common reading",
        "at every weight with an active unit at least 90 % of it is mutual information (number: the least share)",
        _share_told,
    ),
    Claim(
        "A very small weight buys a code that tells more",
        "a common reading",
        "mutual information is higher at the least weight than at 1 (number: by how much)",
        _at(
            1.0,
            _small(
                lambda by_seed: _all_above(
                    by_seed["mutual_information"][_least(by_seed)] - by_seed["mutual_information"][1.0], 0, " nats"
                )
            ),
        ),
    ),
    Claim(
        "Training takes KL(q(z|x) || p(z|x)) to 0",
        "tutorial 001",
        "at 1 it is below 0.1 nats (number: negative_elbo - nll)",
        _at(1.0, lambda by_seed: _all_below(by_seed["negative_elbo"][1.0] - by_seed["nll"][1.0], 0.1, " nats")),
    ),
    Claim(
        "The codes together look like the prior because each q(z|x) is brought near it",
        "tutorial 003, one reading",
        "at 1 the mean distance of q(z|x) from the prior is below 0.1 nats (number: rate)",
        _at(1.0, lambda by_seed: _all_below(by_seed["rate"][1.0], 0.1, " nats")),
    ),
    Claim(
        "A large weight empties the code",
        "a common reading",
        "no unit is active above collapse_weight0, some unit is below it (number: units too many or too few)",
        _off_the_law_of_empty_codes,
    ),
    Claim(
        "Collapse comes from bad optimisation",
        "He et al. 2019; Dai et al. 2020",
        "at some weight below collapse_weight0 no unit is active (number: fewest active units)",
        _fewest_below_the_law,
    ),
    Claim(
        "Collapse comes from the ELBO: its law tells how many units live",
        "Lucas et al. 2019, of the linear VAE",
        "at every weight active_directions are predicted_active_units (number: largest difference)",
        _off_the_law,
    ),
    Claim(
        "The units die one after the other as the weight grows",
        "arXiv:2605.22691",
        "at some weight some directions are active, others dead (number: active or dead, whichever are fewer)",
        _partly_dead,
    ),
    Claim(
        "At collapse the rate jumps to 0, by more than 0.1 nats",
        "arXiv:2510.01621, of any size",
        "at most 5 % below collapse_weight0 the rate is above 0.1 nats (number: rate)",
        _rate_just_below,
    ),
    Claim(
        "No weight gets the distortion below the entropy of the grey values",
        "a theorem: this checks the code",
        "no run's distortion is below entropy_floor (number: how far above at least)",
        lambda by_seed: _no_run_below(by_seed["distortion"] - by_seed["entropy_floor"], 0, " nats"),
        theorem=True,
    ),
    Claim(
        "No code tells more than the logarithm of the number of images",
        "a theorem: this checks the code",
        "no run's mutual information is above ln N (number: how far below at least)",
        lambda by_seed: _no_run_below(np.log(by_seed["images"]) - by_seed["mutual_information"], -ROUNDING, " nats"),
        theorem=True,
    ),
)
