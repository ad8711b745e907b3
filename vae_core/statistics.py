"""Numbers with their uncertainty, under the names and in the words that measures.json and the tables use."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import t as student

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Difference:
    """The mean of paired differences and its 95 % interval, from `low` to `high`: NaN where there are too few pairs."""

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


def paired_difference(a: pd.Series, b: pd.Series) -> Difference:
    """The mean of a - b over the seeds that both have, with its interval.

    A seed has the same initial weights and batches in all runs, so that its runs are compared with each other.

    a, b: a measure by seed; or (n,) arrays, paired by place. A pair with a NaN does not count.
    """
    return mean_difference(pd.Series(a) - pd.Series(b))


def mean_difference(differences: pd.Series) -> Difference:
    """The mean of differences, one per seed, with Student's 95 % interval.

    For n differences of mean m and standard deviation s it is m ± t s / sqrt(n), where t is the 97.5 % point of
    Student's distribution of n - 1 degrees of freedom: 12.7 for two seeds, 4.3 for three. It takes differences as
    normal and holds for one comparison: of twenty differences that are none, one is expected to lie outside its own.
    """
    differences = differences.dropna()
    pairs = len(differences)
    if pairs < 2:
        return Difference(float(differences.mean()), np.nan, np.nan, pairs)
    mean, error = float(differences.mean()), float(differences.std() / np.sqrt(pairs))
    half = float(student.ppf((1 + CONFIDENCE) / 2, pairs - 1)) * error
    return Difference(mean, mean - half, mean + half, pairs)


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
