"""The codes of all images taken together: what they tell about an image, and how far they are from the prior."""

import numpy as np
from sklearn.neighbors import KNeighborsClassifier

from vae_core.latent import draw, mean_rates
from vae_core.statistics import numbered, with_error

ACTIVE_VARIANCE = 0.01
BLOCK = 1 << 18  # pairs of a draw and a posterior at a time: what fits a processor's cache
EXPANDED = 1e5  # deviations: squares of larger distances lose what a matrix product cannot keep
CORRELATED = 10  # dimensions up to which every covariance is told: more than 55 columns help nobody


def measure_codes(
    mean: np.ndarray, log_var: np.ndarray, labels: np.ndarray, train_mean: np.ndarray, train_labels: np.ndarray
) -> dict[str, float]:
    """All measures of this module, of the test codes; the nearest neighbours are looked up among the training codes.

    mean, log_var: (N, latent_dim); train_mean: (M, latent_dim); labels: (N,) and (M,), all -1 where there are no
    classes, and then there is no `knn_accuracy`
    """
    neighbours = knn_accuracy(train_mean, train_labels, mean, labels) if labels[0] >= 0 else {}
    return {**rate_split(mean, log_var), **dimensions(mean, log_var), **moments(mean, log_var), **neighbours}


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
    expanded = _expandable(z, mean, precision)
    if len(expanded):
        inverse = precision[:, expanded] ** 2  # (N, expanded)
        shift = mean[:, expanded] * inverse
        constant -= 0.5 * (mean[:, expanded] * shift).sum(axis=1)
        of_codes = np.concatenate([-0.5 * inverse, shift], axis=1).T  # (2 * expanded, N)
        of_draws = np.concatenate([z[:, expanded] ** 2, z[:, expanded]], axis=1)  # (M, 2 * expanded)
    result = np.empty(len(z))
    rows = max(1, BLOCK // len(mean))
    for start in range(0, len(z), rows):
        block = z[start : start + rows]
        terms = np.broadcast_to(constant, (len(block), len(mean))).copy()  # (rows, N)
        if len(expanded):
            terms += of_draws[start : start + rows] @ of_codes
        for i in np.setdiff1d(np.arange(z.shape[1]), expanded):
            terms -= 0.5 * ((block[:, i, None] - mean[:, i]) * precision[:, i]) ** 2
        largest = terms.max(axis=1, keepdims=True)
        result[start : start + rows] = np.log(np.exp(terms - largest).sum(axis=1)) + largest[:, 0]
    return result


def _expandable(z: np.ndarray, mean: np.ndarray, precision: np.ndarray) -> np.ndarray:
    """The dimensions whose squared distances a matrix product gives, as z^2 - 2 z mean + mean^2, all in one.

    Only where rounding stays below about 1e-6 nats: no distance is above EXPANDED deviations. One or two dimensions are
    as fast one by one.

    z: (M, latent_dim), mean, precision: (N, latent_dim)
    """
    farthest = (np.abs(z).max(axis=0) + np.abs(mean).max(axis=0)) * precision.max(axis=0)  # (latent_dim,)
    return np.flatnonzero(farthest < EXPANDED) if z.shape[1] > 2 else np.array([], int)


def dimensions(mean: np.ndarray, log_var: np.ndarray) -> dict[str, float]:
    """The rate of each latent dimension, whose sum is the rate, and the numbers of active units and directions.

    rate_z<i> = 1/2 mean over images of exp(log_var) + mean^2 - 1 - log_var,  in nats

    mean, log_var: (N, latent_dim)
    """
    counted = {"active_units": active_units(mean), "active_directions": active_directions(mean)}
    return numbered("rate_z", mean_rates(mean, log_var)) | counted


def active_units(mean: np.ndarray) -> int:
    """Number of latent dimensions that carry information: Var over x of E[z|x] > 0.01.

    Burda, Grosse and Salakhutdinov 2016, arXiv:1509.00519, section 5.2.

    mean: (N, latent_dim), the means of q(z|x)
    """
    return int(np.sum(np.var(mean, axis=0, dtype=np.float64) > ACTIVE_VARIANCE))


def active_directions(mean: np.ndarray) -> int:
    """Number of orthogonal directions that carry information: eigenvalues of the covariance over x of E[z|x] > 0.01.

    Never more than there are images or dimensions. A rotation of the latent space leaves it the same, while one
    direction that lies across several dimensions makes each of them an active unit.

    mean: (N, latent_dim), the means of q(z|x)
    """
    covariance = np.atleast_2d(np.cov(mean.astype(np.float64), rowvar=False, bias=True))
    return int(np.sum(np.linalg.eigvalsh(covariance) > ACTIVE_VARIANCE))


def moments(mean: np.ndarray, log_var: np.ndarray) -> dict[str, float]:
    """Mean and covariance of the aggregate posterior, and how far the two alone take it from the prior.

    m = mean of the means,  C = covariance of the means + mean of diag(exp(log_var))
    moment_kl = KL(N(m, C) || N(0, I)) = 1/2 (tr C + m.m - latent_dim - log det C),  in nats

    moment_kl is at most marginal_kl. The rest comes from the shape of q(z), which is not Gaussian: the KL divergence of
    q(z) from N(0, I) is that from N(m, C) plus moment_kl. (The logarithm of the ratio of two Gaussians is quadratic.)

    mean, log_var: (N, latent_dim)
    returns: `code_mean_z<i>`, `code_cov_z<i>z<j>` for i <= j, in more than CORRELATED dimensions for i = j alone,
    `moment_kl`, and two distances from the origin, root mean square per dimension: `draw_spread` of draws from q(z|x),
    1 if they are spread like the prior, and `mean_spread` of its means, which is then at most 1
    """
    m = mean.mean(axis=0, dtype=np.float64)  # (latent_dim,)
    of_means = np.cov(mean, rowvar=False, ddof=0, dtype=np.float64).reshape(len(m), len(m))
    covariance = of_means + np.diag(np.exp(log_var.astype(np.float64)).mean(axis=0))  # (latent_dim, latent_dim)
    moment_kl = 0.5 * (np.trace(covariance) + m @ m - len(m) - log_determinant(covariance))
    told = [(i, j) for i in range(len(m)) for j in range(i, len(m)) if i == j or len(m) <= CORRELATED]
    upper = {f"code_cov_z{i}z{j}": covariance[i, j] for i, j in told}
    squares = {"draw_spread": np.trace(covariance) + m @ m, "mean_spread": np.trace(of_means) + m @ m}
    return {
        **numbered("code_mean_z", m),
        **{name: float(value) for name, value in upper.items()},
        **{name: float(np.sqrt(square / len(m))) for name, square in squares.items()},
        "moment_kl": float(moment_kl),
    }


def log_determinant(covariance: np.ndarray) -> float:
    """log det of a covariance, (latent_dim, latent_dim); where it is singular within rounding, an upper bound.

    Then the eigenvalues of the correlations are raised to what rounding leaves, and no variance is below the smallest
    normal number: -inf and the logarithm of a negative number would be no measures.
    """
    sign, log_det = np.linalg.slogdet(covariance)
    if sign > 0:
        return float(log_det)
    variances = np.maximum(np.diag(covariance), np.finfo(np.float64).tiny)
    deviations = np.sqrt(variances)
    eigenvalues = np.linalg.eigvalsh(covariance / np.outer(deviations, deviations))
    return float(np.log(variances).sum() + np.log(np.maximum(eigenvalues, np.finfo(np.float64).eps)).sum())


def knn_accuracy(
    train_mean: np.ndarray, train_labels: np.ndarray, mean: np.ndarray, labels: np.ndarray, neighbours: int = 10
) -> dict[str, float]:
    """Share of test codes with the class of most of their 10 nearest training codes, and its standard error.

    train_mean: (N, latent_dim), mean: (M, latent_dim); labels: (N,) and (M,)
    """
    classifier = KNeighborsClassifier(neighbours).fit(train_mean, train_labels)
    return with_error(knn_accuracy=classifier.predict(mean) == labels)
