"""Numbers with their uncertainty, under the names and in the words that measures.json and the tables use."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import t as student

CONFIDENCE = 0.95
TAIL = (1 - CONFIDENCE) / 2  # the share of cases on either side of an interval


@dataclass(frozen=True)
class Difference:
    """A mean over seeds and its 95 % interval, `low` to `high`: NaN for one seed. As a rule of paired differences."""

    mean: float
    low: float
    high: float
    pairs: int

    @property
    def within_spread(self) -> bool:
        """Whether the difference may as well be none: 0 is in the interval. Never so with one pair, which has none."""
        return self.low <= 0 <= self.high

    @property
    def beyond_spread(self) -> bool:
        """Whether the difference is larger than the spread: 0 is outside the interval. Never so with one pair."""
        return self.low > 0 or self.high < 0

    def shown(self, form: str) -> str:
        """The mean and its interval, if there is one, each in this format: 24.70 [14.39, 35.01]."""
        interval = "" if self.pairs < 2 else f" [{self.low:{form}}, {self.high:{form}}]"
        return f"{self.mean:{form}}{interval}"


def paired_difference(a: pd.Series, b: pd.Series, comparisons: int = 1) -> Difference:
    """The mean of a - b over the seeds that both have, with its interval: see `mean_difference`.

    A seed has the same initial weights and batches in all runs, so that its runs are compared with each other.

    a, b: a measure by seed; or (n,) arrays, paired by place. A pair with a NaN does not count.
    """
    return mean_difference(pd.Series(a) - pd.Series(b), comparisons)


def mean_difference(differences: pd.Series, comparisons: int = 1) -> Difference:
    """The mean of differences, one per seed, with Student's 95 % interval.

    For n differences of mean m and standard deviation s it is m ± t s / sqrt(n), where t is the 97.5 % point of
    Student's distribution of n - 1 degrees of freedom: 12.7 for two seeds, 4.3 for three. It takes differences as
    normal.

    comparisons: how many differences are asked about. Of twenty that are none, one is expected to lie outside its own
        95 % interval. With `comparisons` = 20 all twenty intervals hold together in 95 % of cases (Bonferroni).
    """
    values = np.asarray(differences, float)
    low, high = _ends(values, TAIL / comparisons)
    return Difference(float(pd.Series(values).mean()), float(low), float(high), int(np.isfinite(values).sum()))


def least_mean(columns: pd.DataFrame) -> Difference:
    """The least of the columns' means, with a 95 % interval for the least of their true means; one row per seed.

    The lower end is the least of the lower ends of Student's intervals: the least true mean is above that of its own
    column in 97.5 % of cases. The upper end is the least of k upper ends, of k columns, each passed in 2.5 % / k of
    cases (Bonferroni): without this correction some end is too low more often, the more columns there are. Both hold
    for normal columns, whatever their true means, deviations and correlations.

    "All are above 0" is confirmed where the interval is above 0 (an intersection-union test: Berger 1982), and refuted
    where it is below 0. Each of the two is wrong in 2.5 % of cases at most.
    """
    values = columns.to_numpy(float)
    pairs, least = int(np.isfinite(values).sum(axis=0).min()), float(columns.mean().min())
    if pairs < 2:
        return Difference(least, np.nan, np.nan, pairs)
    lower, _ = _ends(values, TAIL)
    _, upper = _ends(values, TAIL / values.shape[1])
    return Difference(least, float(lower.min()), float(upper.min()), pairs)


def largest_mean(columns: pd.DataFrame) -> Difference:
    """The largest of the columns' means, with a 95 % interval for the largest of their true means: see `least_mean`."""
    least = least_mean(-columns)
    return Difference(-least.mean, -least.high, -least.low, least.pairs)


def may_be_best(good: pd.DataFrame) -> list:
    """The columns of which no other is larger beyond the spread; one row per seed.

    Multiple comparisons with the best (Hsu 1984), for seeds that are paired: a column is left out if another one is
    larger by Student's one-sided test at 5 % / (k - 1), of k columns. So a column of the largest true mean is left
    out in 5 % of cases at most, also where several share it. Two columns are compared by the seeds that both have. If
    there is only one, neither leaves the other out. If each column is beaten by another, which takes seeds that differ
    from pair to pair, none is left out.
    """
    values = good.to_numpy(float)
    leads = values[:, :, np.newaxis] - values[:, np.newaxis, :]  # (seeds, k, k), of the first column over the second
    lower, _ = _ends(leads, (1 - CONFIDENCE) / max(len(good.columns) - 1, 1))
    return list(good.columns[~(lower > 0).any(axis=0)]) or list(good.columns)


def _ends(values: np.ndarray, tail: float) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper end of Student's interval of each mean over the first axis.

    The true mean is below the lower end in a share `tail` of cases, and above the upper end in as many. A NaN is a seed
    that is not there. Of fewer than two seeds there are no ends: NaN.
    """
    there = np.isfinite(values)
    seeds = np.where(there.sum(axis=0) > 1, there.sum(axis=0), np.nan)
    mean = np.where(there, values, 0).sum(axis=0) / seeds
    variance = (np.where(there, values - mean, 0) ** 2).sum(axis=0) / (seeds - 1)
    half = student.ppf(1 - tail, seeds - 1) * np.sqrt(variance / seeds)
    return mean - half, mean + half


def with_error(**per_image: np.ndarray) -> dict[str, float]:
    """The mean of each measure over the images, and as <name>_se its standard error; each (N,)."""
    result = {}
    for name, values in per_image.items():
        values = np.asarray(values, np.float64)
        result |= {name: float(values.mean()), f"{name}_se": float(values.std(ddof=1) / np.sqrt(len(values)))}
    return result


def numbered(prefix: str, values: np.ndarray) -> dict[str, float]:
    """One measure per latent dimension: <prefix>0, <prefix>1, ..."""
    return {f"{prefix}{i}": float(value) for i, value in enumerate(values)}


def mean_and_spread(mean: float, std: float, decimals: int = 2) -> str:
    """mean ± standard deviation; the mean alone where there is no deviation, a dash where there is no mean."""
    if np.isnan(mean):
        return "-"
    return f"{mean:z.{decimals}f}" if np.isnan(std) else f"{mean:z.{decimals}f} ± {std:.{decimals}f}"
