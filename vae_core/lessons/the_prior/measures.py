"""The target of the KL term, and the term itself on hand-made posteriors."""

import vae_core.backend  # noqa: F401

import numpy as np
import pandas as pd
from scipy.stats import norm

from vae_core.losses import kl_divergence


def sample_prior(samples: int, seed: int, latent_dim: int = 2) -> np.ndarray:
    """Samples of the prior N(0, I): (samples, latent_dim)."""
    return np.random.default_rng(seed).standard_normal((samples, latent_dim))


def kl_of(mean: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    """KL of one-dimensional N(mean, deviation^2) from N(0, 1), elementwise: (N,), nats."""
    mean, deviation = np.broadcast_arrays(np.asarray(mean, float), np.asarray(deviation, float))
    return np.asarray(kl_divergence(mean[:, None], 2 * np.log(deviation)[:, None]))


def monte_carlo_kl(mean: float, deviation: float, z: np.ndarray) -> tuple[float, float]:
    """The same KL from its definition: E over q of log q(z) - log p(z), with the standard error of the estimate.

    z: (samples,) of N(0, 1), turned into samples of q = N(mean, deviation^2)
    """
    draws = mean + deviation * z
    log_ratio = norm.logpdf(draws, mean, deviation) - norm.logpdf(draws)
    return float(log_ratio.mean()), float(log_ratio.std(ddof=1) / np.sqrt(len(z)))


def kl_table(samples: int, seed: int) -> pd.DataFrame:
    """Hand-made posteriors with their KL by the formula and by sampling, in one and in two dimensions."""
    z = sample_prior(samples, seed, latent_dim=1)[:, 0]
    rows = []
    for mean, deviation in ((0, 1), (1, 1), (3, 1), (0, 0.5), (0, 0.05), (0, 2), (3, 0.05)):
        formula = float(kl_of([mean], deviation)[0])
        estimate, error = monte_carlo_kl(mean, deviation, z)
        rows.append((mean, deviation, formula, f"{estimate:.3f} ± {error:.3f}", 2 * formula))
    columns = ["mean", "standard deviation", "KL by the formula", "KL by sampling", "KL in two dimensions"]
    return pd.DataFrame(rows, columns=columns).set_index(["mean", "standard deviation"])


def aggregate_table(samples: int, seed: int) -> pd.DataFrame:
    """Sets of equal-width posteriors whose means are spread so that together they are exactly the prior, in 2-D.

    Means drawn from N(0, 1 - deviation^2) per dimension: the aggregate is N(0, I) whatever the deviation, while the
    mean KL of the single posteriors, which the rate is, falls to 0 only at deviation 1.
    """
    z, noise = sample_prior(samples, seed), sample_prior(samples, seed + 1)
    rows = []
    for deviation in (0.05, 0.2, 0.5, 1.0):
        mean = np.sqrt(1 - deviation**2) * z  # (samples, 2)
        codes = mean + deviation * noise  # (samples, 2)
        rate = np.mean(kl_divergence(mean, np.full_like(mean, 2 * np.log(deviation))))
        rows.append((deviation, codes.mean(), codes.std(), float(rate)))
    columns = ["standard deviation of each posterior", "mean of all codes", "deviation of all codes", "rate [nats]"]
    return pd.DataFrame(rows, columns=columns).set_index(columns[0])
