"""Surprise, entropy, KL and the ELBO where all of them are known: formulas, and the numbers that check them.

Everything is in nats. A Gaussian is a frozen `scipy.stats.norm`; a Gaussian of several dimensions is its mean and
covariance.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import vae_core.backend  # noqa: F401

import numpy as np
import pandas as pd
from scipy.integrate import quad
from scipy.stats import multivariate_normal, norm

from vae_core.losses import kl_divergence

DRAWS = 100_000  # of every estimate by sampling


def entropy(q) -> float:
    """H(q) = 1/2 log(2 pi e sigma_q^2), the mean surprise -log q of draws from q."""
    return 0.5 * np.log(2 * np.pi * np.e * q.var())


def cross_entropy(q, p) -> float:
    """H(q, p) = 1/2 log(2 pi sigma_p^2) + (sigma_q^2 + (mu_q - mu_p)^2) / (2 sigma_p^2).

    The mean surprise -log p of draws from q.
    """
    return 0.5 * np.log(2 * np.pi * p.var()) + (q.var() + (q.mean() - p.mean()) ** 2) / (2 * p.var())


def kl(q, p) -> float:
    """KL(q || p) = log(sigma_p / sigma_q) + (sigma_q^2 + (mu_q - mu_p)^2) / (2 sigma_p^2) - 1/2."""
    return np.log(p.std() / q.std()) + (q.var() + (q.mean() - p.mean()) ** 2) / (2 * p.var()) - 0.5


def multivariate_kl(mean_q: np.ndarray, cov_q: np.ndarray, mean_p: np.ndarray, cov_p: np.ndarray) -> float:
    """KL(q || p) of two Gaussians with any covariances.

    1/2 (tr(P^-1 Q) + (mu_p - mu_q)^T P^-1 (mu_p - mu_q) - d + log det P - log det Q)

    means: (d,), covariances: (d, d)
    """
    shift = np.subtract(mean_p, mean_q)  # (d,)
    log_det_ratio = np.linalg.slogdet(cov_p)[1] - np.linalg.slogdet(cov_q)[1]
    trace = np.trace(np.linalg.solve(cov_p, cov_q))
    divergence = 0.5 * (trace + shift @ np.linalg.solve(cov_p, shift) - len(shift) + log_det_ratio)
    return float(max(divergence, 0))  # rounding may leave -1e-16


def expectation(q, of: Callable, seed: int) -> dict[str, float | str]:
    """E over q of a function, by quadrature over 12 standard deviations each way and by sampling."""
    low, high = q.mean() - 12 * q.std(), q.mean() + 12 * q.std()
    integral, _ = quad(lambda z: q.pdf(z) * of(z), low, high)
    return {"quadrature": integral, "sampling": estimate(of(q.rvs(DRAWS, random_state=seed)))}


def estimate(values: np.ndarray) -> str:
    """Mean ± standard error."""
    return f"{values.mean():z.3f} ± {values.std(ddof=1) / np.sqrt(len(values)):.3f}"


def class_surprises(labels: np.ndarray, class_names: tuple[str, ...]) -> pd.DataFrame:
    """The surprise of each class of a data set, and in the last row its mean, the entropy."""
    share = np.bincount(labels, minlength=len(class_names)) / len(labels)
    surprise = -np.log(share)
    table = pd.DataFrame(
        {"share": share, "surprise": surprise, "share x surprise": share * surprise}, list(class_names)
    )
    table.loc["all"] = [share.sum(), np.nan, (share * surprise).sum()]
    return table.rename_axis("class")


def information_table(q, p, seed: int) -> pd.DataFrame:
    """Entropies, cross-entropies and KL divergences of two Gaussians in both directions, three ways each."""
    rows = {}
    for q_name, p_name, q_, p_ in (("q", "p", q, p), ("p", "q", p, q)):
        rows[f"H({q_name})"] = {"formula": entropy(q_), **expectation(q_, _surprise(q_), seed)}
        rows[f"H({q_name}, {p_name})"] = {"formula": cross_entropy(q_, p_), **expectation(q_, _surprise(p_), seed)}
        rows[f"KL({q_name} || {p_name})"] = {"formula": kl(q_, p_), **expectation(q_, _log_ratio(q_, p_), seed)}
    return pd.DataFrame(rows).T.infer_objects()


def integrands(q, p, z: np.ndarray) -> dict[str, np.ndarray]:
    """Both densities, and what is integrated for the KL in both directions, at z: (N,) each."""
    ratio = _log_ratio(q, p)(z)
    return {"q": q.pdf(z), "p": p.pdf(z), "KL(q || p)": q.pdf(z) * ratio, "KL(p || q)": -p.pdf(z) * ratio}


def units_table(q, p) -> pd.DataFrame:
    """The same two Gaussians, measured in units of another size."""
    scaled = {scale: [norm(d.mean() * scale, d.std() * scale) for d in (q, p)] for scale in (0.1, 1, 10)}
    rows = {scale: (entropy(a), cross_entropy(a, b), kl(a, b)) for scale, (a, b) in scaled.items()}
    table = pd.DataFrame(rows, ["H(q)", "H(q, p)", "KL(q || p)"]).T
    return table.rename_axis("z times")


def kl_table(seed: int) -> pd.DataFrame:
    """Pairs of Gaussians: entropies, and the KL by its formula, by quadrature, by sampling and by the suite's function.

    The suite's `kl_divergence` is the case p = N(0, 1).
    """
    pairs = (((0, 1), (0, 1)), ((2, 1), (-1, 1)), ((-1, 1), (2, 1)), ((0, 2), (0, 1)), ((0, 1), (0, 2)))
    pairs += (((1, 0.5), (0, 1)), ((1, 0.5), (-1, 3)))
    rows = {}
    for (mean_q, deviation_q), (mean_p, deviation_p) in pairs:
        q, p = norm(mean_q, deviation_q), norm(mean_p, deviation_p)
        numbers = {"H(p) - H(q)": entropy(p) - entropy(q), "KL(q || p)": kl(q, p)}
        numbers |= expectation(q, _log_ratio(q, p), seed)
        standard = (mean_p, deviation_p) == (0, 1)
        numbers["kl_divergence of the suite"] = f"{_suite_kl([mean_q], [deviation_q]):.3f}" if standard else ""
        rows[f"N({mean_q}, {deviation_q}²)", f"N({mean_p}, {deviation_p}²)"] = numbers
    return pd.DataFrame(rows).T.infer_objects().rename_axis(["q", "p"])


def multivariate_kl_table(seed: int) -> pd.DataFrame:
    """Gaussians with full covariances in two and in five dimensions: formula, sampling, the suite's special case."""
    rng = np.random.default_rng(seed)
    rows = {}
    for d in (2, 5):
        mean_q, mean_p = rng.normal(size=(2, d))
        cov_q, cov_p = (_random_covariance(rng, d) for _ in range(2))
        variances = np.diag(np.diag(cov_q))
        origin, identity = np.zeros(d), np.eye(d)
        cases = {
            "full, full": (mean_q, cov_q, mean_p, cov_p),
            "full, N(0, I)": (mean_q, cov_q, origin, identity),
            "diagonal, N(0, I)": (mean_q, variances, origin, identity),
        }
        for name, case in cases.items():
            q, p = multivariate_normal(*case[:2]), multivariate_normal(*case[2:])
            draws = q.rvs(DRAWS, random_state=seed)  # (DRAWS, d)
            suite = f"{_suite_kl(mean_q, np.sqrt(np.diag(cov_q))):.3f}" if name.startswith("diagonal") else ""
            sampled = estimate(q.logpdf(draws) - p.logpdf(draws))
            rows[d, name] = {
                "KL(q || p)": multivariate_kl(*case),
                "sampling": sampled,
                "kl_divergence of the suite": suite,
            }
    return pd.DataFrame(rows).T.infer_objects().rename_axis(["dimensions", "covariances of q, p"])


@dataclass(frozen=True)
class LinearGaussian:
    """p(z) = N(0, I), p(x|z) = N(W z, variance I): a VAE's model whose log p(x) and posterior are known.

    weights: W, (pixels, latent_dim)
    """

    weights: np.ndarray
    variance: float

    def log_evidence(self, x: np.ndarray) -> float:
        """log p(x) = log N(x; 0, W W^T + variance I); x: (pixels,)."""
        pixels = len(self.weights)
        return float(multivariate_normal.logpdf(x, cov=self.weights @ self.weights.T + self.variance * np.eye(pixels)))

    def posterior(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean (latent_dim,) and covariance of p(z|x): S = (I + W^T W / variance)^-1, mean S W^T x / variance."""
        precision = np.eye(self.weights.shape[1]) + self.weights.T @ self.weights / self.variance
        covariance = np.linalg.inv(precision)
        return covariance @ self.weights.T @ x / self.variance, covariance

    def best_diagonal(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The Gaussian with diagonal covariance nearest to the posterior in KL(q || p(z|x)).

        Its mean is the posterior's; its variances are 1 / diag(S^-1), smaller than the posterior's own diag(S).
        """
        mean, covariance = self.posterior(x)
        return mean, np.diag(1 / np.diag(np.linalg.inv(covariance)))

    def log_likelihood(self, x: np.ndarray, z: np.ndarray) -> np.ndarray:
        """log p(x|z); x: (pixels,), z: (N, latent_dim), returns (N,)."""
        return norm.logpdf(x, z @ self.weights.T, np.sqrt(self.variance)).sum(axis=1)

    def mean_log_likelihood(self, x: np.ndarray, mean: np.ndarray, covariance: np.ndarray) -> float:
        """E over q = N(mean, covariance) of log p(x|z).

        -pixels/2 log(2 pi variance) - (|x - W mean|^2 + tr(W covariance W^T)) / (2 variance)
        """
        squares = np.sum((x - self.weights @ mean) ** 2) + np.trace(self.weights @ covariance @ self.weights.T)
        return float(-0.5 * len(x) * np.log(2 * np.pi * self.variance) - squares / (2 * self.variance))

    def elbo(self, x: np.ndarray, mean: np.ndarray, covariance: np.ndarray) -> float:
        """E over q of log p(x|z), minus KL(q || p(z))."""
        rate = multivariate_kl(mean, covariance, np.zeros(len(mean)), np.eye(len(mean)))
        return self.mean_log_likelihood(x, mean, covariance) - rate


def example_model() -> tuple[LinearGaussian, np.ndarray]:
    """A model of three pixels and two latent dimensions, whose posterior is strongly correlated, and an image."""
    return LinearGaussian(np.array([[1.0, 0.8], [0.9, 1.1], [0.2, 0.1]]), variance=0.25), np.array([1.2, 0.7, -0.4])


def posteriors_of(model: LinearGaussian, x: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Five choices of q(z|x), by name: mean and covariance each."""
    mean, covariance = model.posterior(x)
    return {
        "the posterior p(z|x)": (mean, covariance),
        "the best diagonal q": model.best_diagonal(x),
        "the posterior, correlation left out": (mean, np.diag(np.diag(covariance))),
        "the posterior, moved by 1": (mean + np.eye(2)[0], covariance),
        "the prior p(z)": (np.zeros(2), np.eye(2)),
    }


def elbo_table(model: LinearGaussian, x: np.ndarray, seed: int) -> pd.DataFrame:
    """For each q: both forms of the ELBO, the second by sampling, what is missing, and their sum, which is log p(x)."""
    rows = {}
    for name, (mean, covariance) in posteriors_of(model, x).items():
        q = multivariate_normal(mean, covariance)
        z = q.rvs(DRAWS, random_state=seed)  # (DRAWS, 2)
        log_joint = model.log_likelihood(x, z) + norm.logpdf(z).sum(axis=1)  # (DRAWS,)
        gap = multivariate_kl(mean, covariance, *model.posterior(x))
        rows[name] = {
            "E log p(x|z)": model.mean_log_likelihood(x, mean, covariance),
            "KL(q || p(z))": multivariate_kl(mean, covariance, np.zeros(2), np.eye(2)),
            "ELBO, first form": model.elbo(x, mean, covariance),
            "ELBO, second form": estimate(log_joint - q.logpdf(z)),
            "KL(q || p(z|x))": gap,
            "ELBO + KL(q || p(z|x))": model.elbo(x, mean, covariance) + gap,
            "log p(x)": model.log_evidence(x),
        }
    return pd.DataFrame(rows).T.infer_objects().rename_axis("q(z|x)")


def bound_curves(model: LinearGaussian, x: np.ndarray, scale: np.ndarray) -> dict[str, np.ndarray]:
    """The ELBO of q around the posterior's mean, at multiples of the best widths; with and without correlation.

    scale: (N,), factors on the standard deviations; returns (N,) for each family
    """
    mean, covariance = model.posterior(x)
    families = {"any covariance": covariance, "diagonal covariance": model.best_diagonal(x)[1]}
    return {name: np.array([model.elbo(x, mean, s**2 * cov) for s in scale]) for name, cov in families.items()}


def noise_table(model: LinearGaussian, x: np.ndarray, seed: int) -> pd.DataFrame:
    """Mean and standard deviation of single draws of both forms of the ELBO, for each q.

    first form: log p(x|z) - KL(q || p(z)), second form: log p(x|z) + log p(z) - log q(z|x), z one draw from q
    """
    rows = {}
    for name, (mean, covariance) in posteriors_of(model, x).items():
        q = multivariate_normal(mean, covariance)
        z = q.rvs(DRAWS, random_state=seed)
        log_likelihood = model.log_likelihood(x, z)
        forms = {
            "first form": log_likelihood - multivariate_kl(mean, covariance, np.zeros(2), np.eye(2)),
            "second form": log_likelihood + norm.logpdf(z).sum(axis=1) - q.logpdf(z),
        }
        rows[name] = _noise(forms)
    return pd.DataFrame(rows).T.rename_axis("q(z|x)")


def _noise(forms: Mapping[str, np.ndarray]) -> dict[tuple[str, str], float]:
    return {
        (name, word): float(number)
        for name, draws in forms.items()
        for word, number in (("mean", draws.mean()), ("deviation", draws.std(ddof=1)))
    }


def _surprise(p) -> Callable:
    return lambda z: -p.logpdf(z)


def _log_ratio(q, p) -> Callable:
    return lambda z: q.logpdf(z) - p.logpdf(z)


def _suite_kl(mean, deviation) -> float:
    """`vae_core.losses.kl_divergence` of one Gaussian with independent dimensions."""
    return float(kl_divergence(np.array([mean], float), 2 * np.log(np.array([deviation], float)))[0])


def _random_covariance(rng: np.random.Generator, d: int) -> np.ndarray:
    root = rng.normal(size=(d, d))
    return root @ root.T / d + 0.2 * np.eye(d)
