"""Which weight to use: an answer for each purpose that the measures of a sweep allow, with its uncertainty."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import entr

from vae_core.report.captions import shared_settings
from vae_core.report.diverged import sound
from vae_core.report.findings import best_weight
from vae_core.runs import Runs, read_dataset
from vae_core.statistics import mean_and_spread

EVERY_UNIT = 4  # latent dimensions up to which each number of active units has an answer


@dataclass(frozen=True)
class Purpose:
    """What a weight may be wanted for: the measure that decides, whether large is good, and what a table says of it."""

    words: str
    measure: str
    sign: int
    criterion: str
    decimals: int = 2


BEST = (  # not by prior_confidence: the judge is sure of grey smears
    Purpose("best -log p(x)", "nll", -1, "lowest nll"),
    Purpose("samples of all classes alike", "prior_class_entropy", 1, "prior_class_entropy, of the judge's classes"),
    Purpose("best samples", "prior_f_score", 1, "prior_f_score, of precision and recall by nearest neighbours", 3),
    Purpose("most class information for the rate", "class_information", 1, "see below", 3),
)


def advice(runs: Runs) -> pd.DataFrame:
    """For each purpose the weight, or those that the spread over seeds allows, and the numbers behind it.

    Weights tie with the best if they may be the best themselves: see `may_be_best`. Purposes whose measure no run
    has are left out, and so are runs that have diverged.
    """
    by_seed = with_class_information(sound(runs)).by_seed()
    rows = [_best(purpose, by_seed) for purpose in BEST if purpose.measure in by_seed]
    if "active_units" in by_seed:
        rows += [_keeps(number, words, by_seed["active_units"]) for number, words in _numbers_of_units(runs).items()]
        rows += [_nothing_left(by_seed["active_units"])]
    return pd.DataFrame(rows, columns=["for", "kl_weight", "numbers", "by"]).set_index("for")


def advice_page(runs: Runs) -> str:
    """`advice` as Markdown, with what can be said of its uncertainty."""
    if not sound(runs).folders:
        return "Every run has diverged: there is nothing to choose from."
    if sound(runs).settings["kl_weight"].nunique() == 1:
        return "There is one weight: nothing to choose from."
    notes = [_certainty(runs.settings["seed"].nunique()), *_notes(runs)]
    return f"{advice(runs).to_markdown(disable_numparse=True)}\n\n{' '.join(notes)}"


def with_class_information(runs: Runs) -> Runs:
    """The runs with `class_information`: nats that mean codes tell about the class at least, per nat of rate.

    By Fano's inequality I(class; mean code) >= H(class) - H(e) - e ln(K - 1), where e = 1 - knn_accuracy, H(e) is the
    entropy of one error in nats, and K is the number of classes (Cover and Thomas, Elements of Information Theory,
    section 2.10). H(class) is `test_class_entropy`. A collapsed code, without an active unit, has none.
    Neither has one whose means tell more than its rate: a draw, which the decoder gets, cannot tell so much.
    """
    measures = runs.measures
    if not {"knn_accuracy", "test_class_entropy", "active_units"} <= set(measures):
        return runs
    classes, error = len(read_dataset(runs.folders[0]).class_names), 1 - measures["knn_accuracy"]
    unknown = entr(error) + entr(1 - error) + error * np.log(max(classes - 1, 1))
    told = (measures["test_class_entropy"] - unknown).clip(lower=0) / measures["rate"]
    told = told.where((measures["active_units"] > 0) & (told <= 1))
    return Runs(runs.settings, measures.assign(class_information=told), runs.folders)


def ranges(some: Iterable[float], weights: Sequence[float]) -> str:
    """Some of the weights, neighbours as a range: "0.02, 0.5 to 2"."""
    places = sorted(weights.index(kl_weight) for kl_weight in some)
    groups: list[list[int]] = []
    for place in places:
        if groups and place == groups[-1][-1] + 1:
            groups[-1].append(place)
        else:
            groups.append([place])
    ends = [(weights[group[0]], weights[group[-1]]) for group in groups]
    return ", ".join(f"{low:g} to {high:g}" if low < high else f"{low:g}" for low, high in ends)


def _best(purpose: Purpose, by_seed: pd.DataFrame) -> tuple[str, str, str, str]:
    values = by_seed[purpose.measure].dropna(axis=1, how="all")
    best, equals = best_weight(purpose.sign * values)
    answer = f"{best:g}" + (", the largest there is" if best == values.columns[-1] else "")
    if equals:
        answer += f"; the spread allows {ranges([best, *equals], list(values))}"
    return purpose.words, answer, f"{_at(values, best, purpose.decimals)} at {best:g}", purpose.criterion


def _keeps(number: int, words: str, active: pd.DataFrame) -> tuple[str, str, str, str]:
    """The largest weight at which every seed has so many active units."""
    words = f"largest weight that keeps {words} active"
    kept = [kl_weight for kl_weight in active if (active[kl_weight].dropna() >= number).all()]
    if not kept:
        return words, "none", f"at most {active.max().max():g} active", "active_units, at every seed"
    largest, above = kept[-1], [kl_weight for kl_weight in active if kl_weight > kept[-1]]
    answer = f"{largest:g}" + (f", below {above[0]:g}" if above else ", the largest there is")
    numbers = "; ".join(f"{_at(active, kl_weight)} at {kl_weight:g}" for kl_weight in [largest, *above[:1]])
    return words, answer, numbers, "active_units, at every seed"


def _nothing_left(active: pd.DataFrame) -> tuple[str, str, str, str]:
    """From which weight on no seed has an active unit, which makes a collapsed code."""
    left = [kl_weight for kl_weight in active if active[kl_weight].max() > 0]
    empty = [kl_weight for kl_weight in active if not left or kl_weight > left[-1]]
    answer = f"from {empty[0]:g} on" if empty else "at none of these weights"
    numbers = "; ".join(f"{_at(active, kl_weight)} at {kl_weight:g}" for kl_weight in [*left[-1:], *empty[:1]])
    return "nothing is left of the code", answer, numbers, "no active unit, at every seed"


def _at(values: pd.DataFrame, kl_weight: float, decimals: int = 2) -> str:
    return mean_and_spread(values[kl_weight].mean(), values[kl_weight].std(), decimals)


def _numbers_of_units(runs: Runs) -> dict[int, str]:
    """How many active units are asked about, and in words: each number in few dimensions, else all, half and one."""
    latent_dim = shared_settings(runs)["latent_dim"]
    few = {number: f"{number} units" for number in range(latent_dim - 1, 1, -1)}
    between = few if latent_dim <= EVERY_UNIT else {latent_dim // 2: "half of the units"}
    return {latent_dim: "all units"} | between | {1: "one unit"}


def _certainty(seeds: int) -> str:
    if seeds == 1:
        return "There is one seed, so no spread is known: a weight may be ahead by chance."
    return (
        "Numbers are means ± standard deviations over seeds. The spread allows each weight that may be the best: no "
        "other beats it beyond a 95 % interval, which allows for the number of weights."
    )


def _notes(runs: Runs) -> list[str]:
    """What a reader must know of the criteria that this sweep has."""
    settings, notes = shared_settings(runs), []
    if "class_information" in with_class_information(runs).measures:
        notes.append(
            "Class information is what the mean codes tell about the class, in nats for each nat of rate: by Fano's "
            "inequality they tell at least H(class) - H(e) - e ln(K - 1), where e = 1 - knn_accuracy and K is the "
            "number of classes. H(class) is test_class_entropy."
        )
    if settings["target_distortion"] is not None:
        notes.append("The weight is found while training: kl_weight is only where it starts.")
    if settings["target_rate"] is not None:
        notes.append("The weight is on the distance of the rate from its target, not on the rate.")
    return notes
