"""Claims about warming up and its relatives, decided by the trainings: other numbers, other verdicts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from vae_core.lessons.kl_schedules.measures import by_weight, difference, in_words, weight_found
from vae_core.lessons.kl_schedules.model import CONSTANT, CYCLICAL, FREE_BITS, GECO, LINEAR, TARGET_RATE, Trained
from vae_core.statistics import Difference, mean_and_spread

NEAR = 1.0  # nats within which a target is met
SAME_WEIGHT = 0.1  # the share by which two weights may differ


@dataclass(frozen=True)
class Claim:
    """A statement, its source, the criterion, and what says the verdict of trainings with one final weight."""

    statement: str
    source: str
    criterion: str
    decide: Callable[[Sequence[Trained]], str]


def claims(trained: Sequence[Trained]) -> pd.DataFrame:
    """Each claim with its source and criterion, and for each final weight the verdict with the number behind it.

    That one method is above another is confirmed, or refuted, where the interval of the paired difference leaves out
    0; else no difference was found. What each training has to fulfil is confirmed if all seeds do, refuted if none.
    """
    rows = {
        claim.statement: {
            "from": claim.source,
            "holds if": claim.criterion,
            **{f"at kl_weight {weight:g}": claim.decide(group) for weight, group in by_weight(trained).items()},
        }
        for claim in CLAIMS
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("claim")


def compared(difference: Difference, unit: str, sign: int) -> str:
    """The verdict on "the difference is above 0", or below it for sign -1, and the difference."""
    decided = "confirmed" if sign * difference.mean > 0 else "refuted"
    return f"{'undecided' if difference.within_spread else decided}: {in_words(difference, unit)}"


def kept(numbers: Sequence[float], holds: Sequence[bool], unit: str = "") -> str:
    """The verdict on what all seeds have to fulfil, and their numbers, mean ± standard deviation."""
    verdict = {len(holds): "confirmed", 0: "refuted"}.get(sum(holds), f"true of {sum(holds)} in {len(holds)} seeds")
    deviation = np.std(numbers, ddof=1) if len(numbers) > 1 else np.nan
    shown = f"{mean_and_spread(np.mean(numbers), deviation)} {unit}".rstrip()
    return f"{verdict}: {shown}" + ("" if len(numbers) > 1 else " (one seed)")


def _above(measure: str, method: str, other: str, unit: str, sign: int = 1) -> Callable[[Sequence[Trained]], str]:
    return lambda trained: compared(difference(trained, measure, method, other), unit, sign)


def _each(
    method: str, number: Callable[[Trained], float], holds: Callable[[Trained], bool], unit: str = ""
) -> Callable[[Sequence[Trained]], str]:
    def decide(trained: Sequence[Trained]) -> str:
        ones = [one for one in trained if one.method == method]
        return kept([number(one) for one in ones], [bool(holds(one)) for one in ones], unit)

    return decide


def _off_target(name: str) -> Callable[[Trained], float]:
    """How far the last epoch is from the target, in nats per image."""
    return lambda one: one.history[name].iloc[-1] - one.target


CLAIMS = (
    Claim(
        "Warming up gives a better model",
        "a common reading",
        "-log p(x) is lower after the linear warm-up than with the constant weight",
        _above("nll", LINEAR, CONSTANT, "nats", sign=-1),
    ),
    Claim(
        "Annealing prevents dead units",
        "Bowman et al. 2016; Sønderby et al. 2016",
        "more units are active after the linear warm-up than with the constant weight",
        _above("active_units", LINEAR, CONSTANT, "units"),
    ),
    Claim(
        "Cycles give more active units than one warm-up",
        "Fu et al. 2019, of text",
        "more units are active after the cycles than after the linear warm-up",
        _above("active_units", CYCLICAL, LINEAR, "units"),
    ),
    Claim(
        "Free bits keep every unit alive",
        "Kingma et al. 2016",
        "all latent dimensions are active (number: active units)",
        _each(
            FREE_BITS,
            lambda one: one.measured["active_units"],
            lambda one: one.measured["active_units"] == len(one.rates),
        ),
    ),
    Claim(
        "Units that are kept alive make a better model",
        "a common reading",
        "-log p(x) is lower with free bits than with the constant weight",
        _above("nll", FREE_BITS, CONSTANT, "nats", sign=-1),
    ),
    Claim(
        "A target rate is met",
        "Burgess et al. 2018",
        f"the rate of the training images in the last epoch is within {NEAR:g} nat of it (number: how far above)",
        _each(TARGET_RATE, _off_target("rate"), lambda one: abs(_off_target("rate")(one)) <= NEAR, "nats"),
    ),
    Claim(
        "GECO meets its distortion",
        "Rezende and Viola 2018",
        f"that of the training images in the last epoch is within {NEAR:g} nat of it (number: how far above)",
        _each(GECO, _off_target("distortion"), lambda one: abs(_off_target("distortion")(one)) <= NEAR, "nats"),
    ),
    Claim(
        "GECO ends at the weight that has this distortion",
        "theory: at the end of both, a nat of rate saves as much distortion",
        f"it ends within {SAME_WEIGHT:.0%} of the constant weight (number: where it ends)",
        _each(GECO, weight_found, lambda one: abs(weight_found(one) / one.kl_weight - 1) <= SAME_WEIGHT),
    ),
)
