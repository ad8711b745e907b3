"""What the methods differ in: tables, and paired differences with their intervals."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from vae_core.lessons.kl_schedules.model import CONSTANT, GECO, TARGET_RATE, Trained
from vae_core.statistics import CONFIDENCE, Difference, mean_and_spread, paired_difference

INDEX = ("kl_weight", "method", "seed")
COMPARED = ("nll", "distortion", "rate", "active_units")

Differences = Mapping[tuple[float, str], Mapping[str, Difference]]


def measured_table(trained: Sequence[Trained]) -> pd.DataFrame:
    """The measures of each method at each final weight, mean ± standard deviation over the seeds."""
    groups = _measured(trained).groupby(level=["kl_weight", "method"], sort=False)
    return groups.agg(_spread)


def difference(trained: Sequence[Trained], measure: str, method: str, other: str) -> Difference:
    """A measure of one method minus that of another, seed by seed; of trainings with one final weight."""
    by_method = {
        name: pd.Series({one.seed: one.measured[measure] for one in trained if one.method == name})
        for name in (method, other)
    }
    return paired_difference(by_method[method], by_method[other])


def differences(trained: Sequence[Trained]) -> Differences:
    """Each method minus the constant weight for each measure, by final weight and method."""
    return {
        (kl_weight, method): {name: difference(group, name, method, CONSTANT) for name in COMPARED}
        for kl_weight, group in by_weight(trained).items()
        for method in dict.fromkeys(one.method for one in group)
        if method != CONSTANT
    }


def difference_table(differences: Differences) -> pd.DataFrame:
    """`differences` in words."""
    cells = {key: {name: in_words(one) for name, one in row.items()} for key, row in differences.items()}
    return pd.DataFrame.from_dict(cells, orient="index").rename_axis(INDEX[:2])


def in_words(difference: Difference, unit: str = "") -> str:
    """The mean difference and its interval; "none found" where the interval holds 0."""
    unit = f" {unit}" if unit else ""
    if difference.pairs < 2:
        return f"{difference.mean:+z.2f}{unit} (one seed)"
    interval = f"{difference.low:z.2f} to {difference.high:z.2f}"
    if difference.within_spread:
        return f"none found ({interval}{unit})"
    return f"{difference.mean:+.2f}{unit} ({interval})"


def found(differences: Differences) -> str:
    """How many of the differences were found, and how many would be by chance alone, as a sentence in Markdown."""
    ones = [one for row in differences.values() for one in row.values()]
    if max(one.pairs for one in ones) < 2:
        return "One seed gives no interval: what is more than chance cannot be told."
    beyond = sum(one.beyond_spread for one in ones)
    return (
        f"Of {len(ones)} differences from the constant weight, the intervals of **{beyond}** leave out 0. For the "
        f"other **{len(ones) - beyond}** no difference was found. Were there none at all, "
        f"{(1 - CONFIDENCE) * len(ones):.0f} would be expected to leave it out."
    )


def mean_histories(trained: Sequence[Trained]) -> dict[tuple[float, str], pd.DataFrame]:
    """The mean over the seeds of each column of the histories, by final weight and method."""
    groups: dict[tuple[float, str], list[pd.DataFrame]] = {}
    for one in trained:
        groups.setdefault((one.kl_weight, one.method), []).append(one.history)
    return {key: pd.concat(group).groupby("epoch", as_index=False).mean() for key, group in groups.items()}


def ranked_rates(trained: Sequence[Trained]) -> dict[tuple[float, str], np.ndarray]:
    """The rates of the latent dimensions of the first seed, the highest first, by final weight and method."""
    return {(one.kl_weight, one.method): np.sort(one.rates)[::-1] for one in trained if one.seed == trained[0].seed}


def target_table(trained: Sequence[Trained]) -> pd.DataFrame:
    """What was asked for and what came of it, in nats per image, and the weight that GECO ends at.

    Mean ± standard deviation over the seeds. The constant weight of a row has the target by itself.
    """
    rows = {}
    for method, name in ((TARGET_RATE, "rate"), (GECO, "distortion")):
        for kl_weight, group in by_weight(trained).items():
            ones = [one for one in group if one.method == method]
            rows[method, f"{kl_weight:g}"] = {
                "target": f"{name} {_spread(one.target for one in ones)}",
                "training images": _spread(one.history[name].iloc[-1] for one in ones),
                "test images": _spread(one.measured[name] for one in ones),
                "weight found": _spread(map(weight_found, ones)) if method == GECO else "",
            }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis(["method", "constant weight there"])


def weight_found(geco: Trained) -> float:
    """The weight that GECO ends at."""
    return float(geco.history["kl_weight"].iloc[-1])


def by_weight(trained: Sequence[Trained]) -> dict[float, list[Trained]]:
    """The trainings of each final weight."""
    groups: dict[float, list[Trained]] = {}
    for one in trained:
        groups.setdefault(one.kl_weight, []).append(one)
    return groups


def _measured(trained: Sequence[Trained]) -> pd.DataFrame:
    index = pd.MultiIndex.from_tuples([(one.kl_weight, one.method, one.seed) for one in trained], names=INDEX)
    return pd.DataFrame([one.measured for one in trained], index=index)[list(COMPARED)]


def _spread(values: Iterable[float]) -> str:
    values = pd.Series(list(values))
    return mean_and_spread(values.mean(), values.std())
