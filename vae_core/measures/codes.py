"""The codes of all images taken together: what they tell about an image, and how far they are from the prior."""

import numpy as np
from sklearn.neighbors import KNeighborsClassifier

from vae_core.latent import draw
from vae_core.statistics import numbered, with_error

ACTIVE_VARIANCE = 0.01
BLOCK = 1 << 18  # pairs of a draw and a posterior at a time: what fits a processor's cache


def measure_codes(
    mean: np.ndarray, log_var: np.ndarray, labels: np.ndarray, train_mean: np.ndarray, train_labels: np.ndarray
) -> dict[str, float]:
    """All measures of this module, of the test codes; the nearest neighbours are looked up among the training codes.

    mean, log_var: (N, latent_dim); train_mean: (M, latent_dim); labels: (N,) and (M,)
    """
    return {
        **rate_split(mean, log_var),
        **dimensions(mean, log_var),
        **moments(mean, log_var),
        **knn_accuracy(train_mean, train_labels, mean, labels),
    }


def rate_split(mean: np.ndarray, log_var: np.ndarray, samples: int = 2, seed: int = 0) -> dict[str, float]:
    """The two parts of the rate: what tells images apart, and what is spent on codes that lie where the prior does not.

    rate = mutual_information + marginal_kl,  with the aggregate posterior q(z) = 1/N sum over images of q(z|x)
    mutual_information = E over images and q(z|x) of log q(z|x) - log q(z), never above log N
    marginal_kl = KL(q(z) || p(z)) = E over q(z) of log q(z) - log p(z), which costs rate and tells nothing

    Both by Monte Carlo, on the same draws, so their sum is the rate within its error. Hoffman and Johnson 2016, "ELBO
    surgery". Where a deviation is below the rounding of its mean, about 1e-16 |mean|, each draw is the mean, and
    marginal_kl is up to half a nat too large per dimension.

    mean, log_var: (N, latent_dim)
    returns: both in nats, each with its standard error over the images
    """
    own, together, prior = (np.empty((samples, len(mean))) for _ in range(3))
    for i, z in enumerate(draw(mean, log_var, np.random.default_rng(seed), samples)):  # (N, latent_dim)
        own[i] = log_normal(z, mean, log_var)
        together[i] = log_aggregate_posterior(z, mean, log_var)
        prior[i] = log_normal(z, np.zeros_like(z), np.zeros_like(z))
    return with_error(
        mutual_information=(own - together).mean(axis=0), marginal_kl=(together - prior).mean(axis=0)
    )  # each (N,)


def log_normal(z: np.ndarray, mean: np.ndarray, log_var: np.ndarray) -> np.ndarray:
    """log N(z; mean, exp(log_var)) with independent dimensions, row by row: (N, latent_dim) each to (N,), in nats.

    In double precision: a code trained without much KL has log-variances below -88, whose exp(-log_var) is infinite in
    single precision.
    """
    log_var = log_var.astype(np.float64)
    return -0.5 * (log_var + np.log(2 * np.pi) + ((z - mean) * np.exp(-log_var / 2)) ** 2).sum(axis=1)


def log_aggregate_posterior(z: np.ndarray, mean: np.ndarray, log_var: np.ndarray) -> np.ndarray:
    """log q(z), with q(z) = 1/N sum over n of N(z; mean_n, exp(log_var_n)).

    z: (M, latent_dim); mean, log_var: (N, latent_dim)
    returns: (M,), in nats; memory does not grow with M * N
    """
    mean, log_var = mean.astype(np.float64), log_var.astype(np.float64)
    precision = np.exp(-log_var / 2)  # (N, latent_dim)
    constant = -0.5 * (log_var + np.log(2 * np.pi)).sum(axis=1) - np.log(len(mean))  # (N,)
    result = np.empty(len(z))
    rows = max(1, BLOCK // len(mean))
    for start in range(0, len(z), rows):
        block = z[start : start + rows]
        terms = np.broadcast_to(constant, (len(block), len(mean))).copy()  # (rows, N)
        for i in range(z.shape[1]):
            terms -= 0.5 * ((block[:, i, None] - mean[:, i]) * precision[:, i]) ** 2
        largest = terms.max(axis=1, keepdims=True)
        result[start : start + rows] = np.log(np.exp(terms - largest).sum(axis=1)) + largest[:, 0]
    return result


def dimensions(mean: np.ndarray, log_var: np.ndarray) -> dict[str, float]:
    """The rate of each latent dimension, whose sum is the rate, and the number of active units.

    rate_z<i> = 1/2 mean over images of exp(log_var) + mean^2 - 1 - log_var,  in nats

    mean, log_var: (N, latent_dim)
    """
    rates = 0.5 * np.mean(np.exp(log_var) + mean**2 - 1 - log_var, axis=0, dtype=np.float64)  # (latent_dim,)
    return numbered("rate_z", rates) | {"active_units": active_units(mean)}


def active_units(mean: np.ndarray) -> int:
    """Number of latent dimensions that carry information: Var over x of E[z|x] > 0.01.

    Burda, Grosse and Salakhutdinov 2016, arXiv:1509.00519, section 5.2.

    mean: (N, latent_dim), the means of q(z|x)
    """
    return int(np.sum(np.var(mean, axis=0, dtype=np.float64) > ACTIVE_VARIANCE))


def moments(mean: np.ndarray, log_var: np.ndarray) -> dict[str, float]:
    """Mean and covariance of the aggregate posterior, and how far the two alone take it from the prior.

    m = mean of the means,  C = covariance of the means + mean of diag(exp(log_var))
    moment_kl = KL(N(m, C) || N(0, I)) = 1/2 (tr C + m.m - latent_dim - log det C),  in nats

    moment_kl is at most marginal_kl. The rest comes from the shape of q(z), which is not Gaussian: the KL divergence of
    q(z) from N(0, I) is that from N(m, C) plus moment_kl. (The logarithm of the ratio of two Gaussians is quadratic.)

    mean, log_var: (N, latent_dim)
    returns: `code_mean_z<i>`, `code_cov_z<i>z<j>` for i <= j, `moment_kl`, and two distances from the origin, root mean
    square per dimension: `draw_spread` of draws from q(z|x), 1 if they are spread like the prior, and `mean_spread` of
    its means, which is then at most 1
    """
    m = mean.mean(axis=0, dtype=np.float64)  # (latent_dim,)
    of_means = np.cov(mean, rowvar=False, ddof=0, dtype=np.float64).reshape(len(m), len(m))
    covariance = of_means + np.diag(np.exp(log_var.astype(np.float64)).mean(axis=0))  # (latent_dim, latent_dim)
    moment_kl = 0.5 * (np.trace(covariance) + m @ m - len(m) - np.linalg.slogdet(covariance)[1])
    upper = {f"code_cov_z{i}z{j}": covariance[i, j] for i in range(len(m)) for j in range(i, len(m))}
    squares = {"draw_spread": np.trace(covariance) + m @ m, "mean_spread": np.trace(of_means) + m @ m}
    return {
        **numbered("code_mean_z", m),
        **{name: float(value) for name, value in upper.items()},
        **{name: float(np.sqrt(square / len(m))) for name, square in squares.items()},
        "moment_kl": float(moment_kl),
    }


def knn_accuracy(
    train_mean: np.ndarray, train_labels: np.ndarray, mean: np.ndarray, labels: np.ndarray, neighbours: int = 10
) -> dict[str, float]:
    """Share of test codes with the class of most of their 10 nearest training codes, and its standard error.

    train_mean: (N, latent_dim), mean: (M, latent_dim); labels: (N,) and (M,)
    """
    classifier = KNeighborsClassifier(neighbours).fit(train_mean, train_labels)
    return with_error(knn_accuracy=classifier.predict(mean) == labels)
