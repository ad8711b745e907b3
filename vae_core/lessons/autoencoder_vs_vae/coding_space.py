"""What a coding space of many dimensions looks like: each coordinate, principal components, what lies between codes."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy.stats import norm, skew
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors

from vae_core.measures.codes import ACTIVE_VARIANCE

WITHIN_2 = float(norm.cdf(2) - norm.cdf(-2))  # 95.4 % of N(0, 1)
NO_STEP = 1e-5  # Euclidean distance of two images that differ by the rounding of 784 float32 pixels alone


def draw(mean: np.ndarray, log_var: np.ndarray, seed: int) -> np.ndarray:
    """One draw from each q(z|x): (N, latent_dim)."""
    noise = np.random.default_rng(seed).standard_normal(mean.shape, dtype=np.float32)
    return mean + np.exp(log_var / 2) * noise


def coordinates(mean: np.ndarray, log_var: np.ndarray, draws: np.ndarray) -> pd.DataFrame:
    """One row per latent coordinate, those with most rate first: how its draws compare with N(0, 1).

    N(0, 1) has mean 0, variance 1, skewness 0 and WITHIN_2 of its mass between -2 and 2. The variance of the draws is
    that of the means plus the mean of the variances; a coordinate whose means do not vary says nothing.

    mean, log_var, draws: (N, latent_dim)
    """
    variance = np.exp(log_var.astype(float))
    table = {
        "rate": 0.5 * np.mean(variance + mean.astype(float) ** 2 - 1 - log_var, axis=0),
        "variance of means": mean.var(axis=0, dtype=float),
        "mean variance": variance.mean(axis=0),
        "active": mean.var(axis=0, dtype=float) > ACTIVE_VARIANCE,
        "mean of draws": draws.mean(axis=0, dtype=float),
        "variance of draws": draws.var(axis=0, dtype=float),
        "skewness": skew(draws.astype(float), axis=0),
        "within ±2": np.mean(np.abs(draws) < 2, axis=0),
    }
    return pd.DataFrame(table).rename_axis("coordinate").sort_values("rate", ascending=False)


def ranked(table: pd.DataFrame, shown: int = 6) -> list[int]:
    """Some coordinates of a table of them, evenly from the first to the last row."""
    places = np.unique(np.linspace(0, len(table) - 1, shown).round().astype(int))
    return table.index[places].tolist()


def normality(table: pd.DataFrame, images: int) -> dict[str, float]:
    """How far the draws' coordinates are from N(0, 1): the worst of `coordinates`, and the mean share within ±2.

    draws_skewness_limit: with 95 % probability the largest skewness of as many coordinates of N(0, 1), each of as many
    images, is below it; the skewness of n samples of N(0, 1) has the standard error sqrt(6 / n)
    """
    skewness = table["skewness"]
    return {
        "draws_largest_mean": float(table["mean of draws"].abs().max()),
        "draws_least_variance": float(table["variance of draws"].min()),
        "draws_largest_variance": float(table["variance of draws"].max()),
        "draws_largest_skewness": float(skewness.abs().max()),
        "draws_skewness_limit": float(norm.ppf((1 + 0.95 ** (1 / len(table))) / 2) * np.sqrt(6 / images)),
        "draws_within_2": float(table["within ±2"].mean()),
    }


def principal_components(codes: np.ndarray, components: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Codes along their first principal components, (N, components), and the share of the variance in each.

    In units of the codes' own root mean square per dimension, so that those of different models can be compared. Codes
    that are all the same are at 0, with shares of 0.

    codes: (N, latent_dim)
    """
    codes = codes.astype(float)
    unit = max(np.sqrt(codes.var(axis=0).mean()), 1e-6)
    with np.errstate(invalid="ignore"):  # 0 / 0 where nothing varies
        pca = PCA(components, svd_solver="full").fit(codes)
    return pca.transform(codes) / unit, np.nan_to_num(pca.explained_variance_ratio_)


def explained_table(shares: Mapping[str, np.ndarray], latent_dim: int) -> pd.DataFrame:
    """Share of the variance in the first principal components, beside that of N(0, I), which prefers no direction."""
    rows = {name: share.cumsum() for name, share in shares.items()}
    rows["N(0, I)"] = np.arange(1, 4) / latent_dim
    return pd.DataFrame.from_dict(rows, orient="index", columns=["first", "first two", "first three"])


def midpoints_outside(known: np.ndarray, codes: np.ndarray, pairs: int = 2000, seed: int = 0) -> float:
    """Share of the middles between two random codes that are farther from all known codes than 95 % of the codes are.

    Clearly more than 0.05 shows holes between codes. Less does not show that there are none: in many dimensions middles
    are nearer to everything, also those of a hollow shell. With 2,000 pairs the standard error at 0.05 is 0.005. It
    asks about the shape of the cloud and not about its size.

    known: (M, latent_dim), codes of other images; codes: (N, latent_dim)
    """
    first, second = np.random.default_rng(seed).integers(len(codes), size=(2, pairs))
    neighbours = NearestNeighbors(n_neighbors=1, algorithm="brute").fit(known)
    limit = np.quantile(neighbours.kneighbors(codes)[0], 0.95)
    middles = (codes[first] + codes[second]) / 2  # (pairs, latent_dim)
    return float(np.mean(neighbours.kneighbors(middles)[0] > limit))


def one_of_each(labels: np.ndarray, classes: Sequence[int]) -> list[int]:
    """The place of the first image of each of these classes."""
    return [int(np.flatnonzero(labels == label)[0]) for label in classes]


def pairs_of_classes(labels: np.ndarray, pairs: int = 500, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Places of random pairs of images of different classes: two arrays, (pairs,)."""
    first, second = np.random.default_rng(seed).integers(len(labels), size=(2, 20 * pairs))
    apart = labels[first] != labels[second]
    return first[apart][:pairs], second[apart][:pairs]


def between(first: np.ndarray, second: np.ndarray, steps: int = 9) -> np.ndarray:
    """Points at equal distances on the straight lines from first to second, ends included.

    first, second: (pairs, ...), codes or images
    returns: (pairs, steps, ...)
    """
    share = np.linspace(0, 1, steps, dtype=np.float32).reshape(1, steps, *[1] * (first.ndim - 1))
    return (1 - share) * first[:, None] + share * second[:, None]


def largest_step(images: np.ndarray) -> np.ndarray:
    """The largest step of each sequence of images, in units of its mean step; 1 if all steps are equal or NO_STEP.

    images: (pairs, steps, 28, 28, 1); a step is the Euclidean distance of successive images
    returns: (pairs,)
    """
    steps = np.sqrt(np.sum(np.diff(images, axis=1) ** 2, axis=(2, 3, 4)))  # (pairs, steps - 1)
    mean = steps.mean(axis=1)
    return np.where(mean > NO_STEP, steps.max(axis=1) / np.maximum(mean, NO_STEP), 1.0)
