"""What the KL term charges for hand-made posteriors, one by one and taken together."""

import vae_core.backend  # noqa: F401

import numpy as np
import pandas as pd
from scipy.stats import norm

from vae_core import latent
from vae_core.losses import kl_divergence
from vae_core.statistics import mean_and_spread, with_error

POSTERIORS = ((0, 1), (1, 1), (3, 1), (0, 0.5), (0, 0.05), (0, 2), (3, 0.05))  # mean and deviation
DEVIATIONS = (0.05, 0.2, 0.5, 1.0)  # of posteriors that are the prior when taken together


def kl_of(mean: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    """KL of one-dimensional N(mean, deviation^2) from N(0, 1), elementwise: (N,), nats."""
    mean, deviation = np.broadcast_arrays(np.asarray(mean, float), np.asarray(deviation, float))
    return np.asarray(kl_divergence(mean[:, None], 2 * np.log(deviation)[:, None]))


def sampled_log_ratio(mean: float, deviation: float, samples: int, seed: int) -> np.ndarray:
    """log q(z) - log p(z) at samples of q = N(mean, deviation^2), with p = N(0, 1): (samples,), nats.

    Its mean is an estimate of the KL.
    """
    parameters = np.array([[mean]], float), np.array([[2 * np.log(deviation)]])  # (1, 1) each
    z = latent.draw(*parameters, np.random.default_rng(seed), samples)[:, 0, 0]  # (samples,)
    return norm.logpdf(z, mean, deviation) - norm.logpdf(z)


def kl_table(samples: int, seed: int) -> pd.DataFrame:
    """Hand-made posteriors with their KL by the formula and by sampling, in one and in two dimensions."""
    rows = []
    for mean, deviation in POSTERIORS:
        formula = float(kl_of([mean], deviation)[0])
        estimate = with_error(kl=sampled_log_ratio(mean, deviation, samples, seed))
        rows.append((mean, deviation, formula, mean_and_spread(*estimate.values(), decimals=3), 2 * formula))
    columns = ["mean", "standard deviation", "KL by the formula", "KL by sampling", "KL in two dimensions"]
    return pd.DataFrame(rows, columns=columns).set_index(["mean", "standard deviation"])


def aggregate_table(samples: int, seed: int) -> pd.DataFrame:
    """Sets of equally wide posteriors in two dimensions that are exactly the prior when taken together.

    Their means are drawn from N(0, 1 - deviation^2) in each dimension. So the aggregate is N(0, I) for every deviation,
    while the rate, the mean KL of the single posteriors, is 0 only at deviation 1.
    """
    z = latent.sample_prior(samples, seed)  # (samples, 2)
    rows = []
    for deviation in DEVIATIONS:
        mean, log_var = np.sqrt(1 - deviation**2) * z, np.full_like(z, 2 * np.log(deviation))  # (samples, 2) each
        codes = latent.draw(mean, log_var, np.random.default_rng(seed + 1))[0]  # (samples, 2)
        rows.append((deviation, codes.mean(), codes.std(), float(np.mean(kl_divergence(mean, log_var)))))
    columns = ["standard deviation of each posterior", "mean of all codes", "deviation of all codes", "rate [nats]"]
    return pd.DataFrame(rows, columns=columns).set_index(columns[0])
