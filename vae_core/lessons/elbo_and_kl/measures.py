"""The numbers of the lesson: formulas beside quadrature and sampling, and what the variance of the pixels changes.

Everything is in nats. A Gaussian of one dimension is a frozen `scipy.stats.norm`.
"""

import math
from collections.abc import Callable, Mapping

import vae_core.backend  # noqa: F401

import numpy as np
import pandas as pd
from scipy.integrate import quad
from scipy.special import expit
from scipy.stats import bernoulli, multivariate_normal, norm

from vae_core import latent, measures
from vae_core.data import Dataset
from vae_core.lessons.elbo_and_kl.model import (
    LinearGaussian,
    TrainedGaussian,
    cross_entropy,
    entropy,
    kl,
    multivariate_kl,
    with_likelihood,
)
from vae_core.likelihoods import BERNOULLI, SQUARED_ERROR, Gaussian
from vae_core.losses import kl_divergence
from vae_core.measures.codes import log_normal
from vae_core.measures.evidence import latent_limit
from vae_core.models import VAE
from vae_core.statistics import mean_and_spread, with_error

DRAWS = 100_000  # of every estimate by sampling
CELLS = 256  # of a quadrature, in each dimension
VARIANCES = (1, 0.5, 0.04)  # of the examples
DECODED_PIXEL = 0.8  # of the example

# Columns and rows that other files read, too
KL_FORWARD, KL_BACKWARD = "KL(q || p)", "KL(p || q)"
QUADRATURE = "quadrature"
ENTROPY_DIFFERENCE = "H(p) - H(q)"
SAME_ENTROPY = ("N(2, 1²)", "N(-1, 1²)")
GAP = "KL(q || p(z|x))"
ELBO_AND_GAP = f"ELBO + {GAP}"
BEST_DIAGONAL = "the best diagonal q"


# Sections 1 to 3: surprise, entropy, KL


def expectation(q, of: Callable, seed: int) -> dict[str, float | str]:
    """E over q of a function, by quadrature over 12 standard deviations each way and by sampling."""
    low, high = q.mean() - 12 * q.std(), q.mean() + 12 * q.std()
    integral, _ = quad(lambda z: q.pdf(z) * of(z), low, high)
    return {QUADRATURE: integral, "sampling": estimate(of(q.rvs(DRAWS, random_state=seed)))}


def estimate(values: np.ndarray) -> str:
    """Mean ± standard error; values: (N,)."""
    return mean_and_spread(*with_error(mean=values).values(), decimals=3)


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
    """Both densities and the integrand of the KL in each direction, at z: (N,) each."""
    ratio = _log_ratio(q, p)(z)
    return {"q": q.pdf(z), "p": p.pdf(z), KL_FORWARD: q.pdf(z) * ratio, KL_BACKWARD: -p.pdf(z) * ratio}


def units_table(q, p) -> pd.DataFrame:
    """Entropies and KL of the same two Gaussians when z is measured in smaller and in larger units."""
    scaled = {scale: [norm(d.mean() * scale, d.std() * scale) for d in (q, p)] for scale in (0.1, 1, 10)}
    rows = {scale: (entropy(a), cross_entropy(a, b), kl(a, b)) for scale, (a, b) in scaled.items()}
    table = pd.DataFrame(rows, ["H(q)", "H(q, p)", KL_FORWARD]).T
    return table.rename_axis("z times")


def areas(q, p) -> dict[str, float]:
    """The KL in each direction: the areas under two of the `integrands`."""
    return {KL_FORWARD: kl(q, p), KL_BACKWARD: kl(p, q)}


def kl_table(seed: int) -> pd.DataFrame:
    """Pairs of Gaussians: entropies, and the KL by its formula, by quadrature, by sampling and by the suite's function.

    The suite's `kl_divergence` is the case p = N(0, 1).
    """
    pairs = (((0, 1), (0, 1)), ((2, 1), (-1, 1)), ((-1, 1), (2, 1)), ((0, 2), (0, 1)), ((0, 1), (0, 2)))
    pairs += (((1, 0.5), (0, 1)), ((1, 0.5), (-1, 3)))
    rows = {}
    for (mean_q, deviation_q), (mean_p, deviation_p) in pairs:
        q, p = norm(mean_q, deviation_q), norm(mean_p, deviation_p)
        numbers = {ENTROPY_DIFFERENCE: entropy(p) - entropy(q), KL_FORWARD: kl(q, p)}
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
                KL_FORWARD: multivariate_kl(*case),
                "sampling": sampled,
                "kl_divergence of the suite": suite,
            }
    return pd.DataFrame(rows).T.infer_objects().rename_axis(["dimensions", "covariances of q, p"])


# Section 4: the ELBO of the linear model


def posteriors_of(model: LinearGaussian, x: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Five choices of q(z|x), by name: mean and covariance each."""
    mean, covariance = model.posterior(x)
    return {
        "the posterior p(z|x)": (mean, covariance),
        BEST_DIAGONAL: model.best_diagonal(x),
        "the posterior, correlation left out": (mean, np.diag(np.diag(covariance))),
        "the posterior, moved by 1": (mean + np.eye(2)[0], covariance),
        "the prior p(z)": (np.zeros(2), np.eye(2)),
    }


def elbo_table(model: LinearGaussian, x: np.ndarray, seed: int) -> pd.DataFrame:
    """For each q: both forms of the ELBO, the second by sampling, the gap to log p(x), and the sum of ELBO and gap."""
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
            GAP: gap,
            ELBO_AND_GAP: model.elbo(x, mean, covariance) + gap,
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


# Section 5: likelihoods


def likelihood_table(images: np.ndarray, outputs: np.ndarray) -> pd.DataFrame:
    """-log p(x|z) by `vae_core.likelihoods` and by scipy.stats, mean over the images.

    One row is for perfect copies of the images in place of the outputs; in the last, the sum of squared errors is
    completed to a likelihood.

    images, outputs: (N, height, width, channels)
    """
    binary, mean = (images > 0.5).astype(images.dtype), expit(outputs)
    pixels, narrowest, half = math.prod(images.shape[1:]), Gaussian(VARIANCES[-1]), Gaussian(0.5)
    rows = {"Bernoulli, images made black and white": (BERNOULLI.nll(binary, outputs), bernoulli(mean).logpmf(binary))}
    for variance in VARIANCES:
        log_density = norm(mean, np.sqrt(variance)).logpdf(images)  # (N, height, width, channels)
        rows[f"Gaussian, variance {variance:g}"] = (Gaussian(variance).nll(images, outputs), log_density)
    rows[f"Gaussian, variance {narrowest.variance:g}, perfect copies"] = (
        narrowest.nll(images, narrowest.outputs(images)),
        norm(images, np.sqrt(narrowest.variance)).logpdf(images),
    )
    rows["sum of squared errors + pixels/2 log(pi)"] = (
        SQUARED_ERROR.nll(images, outputs) + half.constant(pixels),
        norm(mean, np.sqrt(half.variance)).logpdf(images),
    )
    table = {
        name: {"vae_core.likelihoods": np.mean(ours), "scipy.stats": -theirs.sum(axis=(1, 2, 3)).mean()}
        for name, (ours, theirs) in rows.items()
    }
    return pd.DataFrame(table).T.rename_axis("likelihood")


def mass_table(mean: float = DECODED_PIXEL) -> pd.DataFrame:
    """What the likelihood of one pixel with this mean adds up to: over 0 and 1, over all greys, over all numbers."""
    rows = {
        "Bernoulli": {
            "0 and 1, sum": sum(_bernoulli_formula(x, mean) for x in (0, 1)),
            "0 to 1, integral": quad(_bernoulli_formula, 0, 1, args=(mean,))[0],
        }
    }
    for variance in VARIANCES:
        density = norm(mean, np.sqrt(variance)).pdf
        rows[f"Gaussian, variance {variance:g}"] = {
            "0 to 1, integral": quad(density, 0, 1)[0],
            "all numbers, integral": quad(density, -np.inf, np.inf)[0],
        }
    return pd.DataFrame(rows).T.rename_axis("likelihood")


# Sections 6 and 7: the variance of the pixels


def at_variance(squared_error, variance, pixels: int):
    """-log p(x|z) from an image's sum of squared errors: pixels/2 log(2 pi variance) + squared_error / (2 variance).

    variance: a number, or as many as there are squared errors
    """
    return np.asarray(Gaussian(np.asarray(variance, float)).constant(pixels)) + squared_error / (2 * variance)


def at_unit_variance(model: TrainedGaussian) -> pd.DataFrame:
    """A model's history with all distortions as those of variance 1, whatever its variance was."""
    history, pixels = model.history, model.pixels
    squares = {part: pixels * history[f"{part}mean_squared_error"] for part in ("", "val_")}
    return history.assign(**{f"{part}distortion": at_variance(sums, 1, pixels) for part, sums in squares.items()})


def models_table(models: Mapping[str, TrainedGaussian], images: np.ndarray) -> pd.DataFrame:
    """Each model on the test images: its variance, its exchange rate, and its negative ELBO at three variances."""
    rows = {}
    for name, model in models.items():
        squares, rate = _squares_and_rate(model.vae, images, samples=8)
        own, fitted = model.variance, model.history["mean_squared_error"].iloc[-1]
        rows[name] = {
            "variance": own,
            "kl_weight at variance 1": model.unit_weight,
            "mean squared error": squares / model.pixels,
            "rate": rate,
            "negative ELBO": at_variance(squares, own, model.pixels) + rate,
            "at variance 1": at_variance(squares, 1, model.pixels) + rate,
            "at its training error": at_variance(squares, fitted, model.pixels) + rate,
        }
    return pd.DataFrame(rows).T.rename_axis("model")


def variance_range(models: Mapping[str, TrainedGaussian]) -> np.ndarray:
    """Variances for `variance_curves`: 0.01 to 2, and farther if a model's own variance lies beyond."""
    own = [model.variance for model in models.values()]
    return np.geomspace(min(0.01, *own), max(2, *own), 121)


def variance_curves(models: Mapping[str, TrainedGaussian], images: np.ndarray, variances: np.ndarray) -> pd.DataFrame:
    """The negative ELBO that each model would have at other variances: a column per model, a row per variance."""
    columns = {}
    for name, model in models.items():
        squares, rate = _squares_and_rate(model.vae, images, samples=1)
        columns[name] = at_variance(squares, variances, model.pixels) + rate
    return pd.DataFrame(columns, index=pd.Index(variances, name="variance"))


def _squares_and_rate(vae: VAE, images: np.ndarray, samples: int) -> tuple[float, float]:
    """Sum of squared errors, averaged over draws from q(z|x), and rate, means over the images."""
    terms = measures.terms(with_likelihood(vae, SQUARED_ERROR), images, *latent.encode(vae, images), samples)
    return float(terms["distortion"].mean()), float(terms["rate"].mean())


# Sections 8 and 9: the posterior of a trained model, and the measures of the run


def gap_table(read: Mapping[str, VAE], images: np.ndarray) -> pd.DataFrame:
    """log p(x) = ELBO + KL(q || p(z|x)), mean over images: log p(x) by quadrature, the KL as what the ELBO lacks.

    The last column is what a grid of half as many points in each dimension would add to -log p(x).
    """
    rows = {}
    for name, vae in read.items():
        mean, log_var = latent.encode(vae, images)
        negative_elbo = measures.terms(vae, images, mean, log_var, samples=64)["negative_elbo"]  # (N,)
        exact, coarse = (measures.nll_by_quadrature(vae, images, cells) for cells in (CELLS, CELLS // 2))
        gap = with_error(gap=negative_elbo - exact)
        rows[name] = {
            "-ELBO": negative_elbo.mean(),
            "-log p(x)": exact.mean(),
            GAP: gap["gap"],
            "standard error": gap["gap_se"],
            "coarser grid": (coarse - exact).mean(),
        }
    return pd.DataFrame(rows).T


def forms_table(read: Mapping[str, VAE], images: np.ndarray, seed: int, draws: int = 32) -> pd.DataFrame:
    """Both forms of the ELBO from single draws of z: mean over images, and the mean deviation of the draws of an image.

    first form: log p(x|z) - KL(q || p(z)), second form: log p(x|z) + log p(z) - log q(z|x)
    """
    rows = {}
    for name, vae in read.items():
        mean, log_var = latent.encode(vae, images)
        rate = np.asarray(kl_divergence(mean, log_var))  # (N,)
        first, second = np.empty((2, draws, len(images)))
        for i, z in enumerate(latent.draw(mean, log_var, np.random.default_rng(seed), draws)):  # (N, 2)
            log_likelihood = -np.asarray(vae.likelihood.nll(images, latent.outputs(vae, z)))  # (N,)
            first[i] = log_likelihood - rate
            log_ratio = norm.logpdf(z).sum(axis=1) - log_normal(z, mean, log_var)
            second[i] = log_likelihood + log_ratio
        for form, values in (("first form", first), ("second form", second)):
            row = {"mean": values.mean(), "deviation of a draw": values.std(axis=0, ddof=1).mean()}
            rows[name, form] = row
    return pd.DataFrame(rows).T.rename_axis(["", "form"])


def posterior_planes(vae: VAE, images: np.ndarray, cells: int = 100) -> list[dict[str, np.ndarray]]:
    """p(z|x) of a few images, each on a window around it and q(z|x), which a coarse grid over the plane finds.

    images: (N, height, width, channels)
    returns: for each image x and y (cells,), density (cells, cells), greatest value 1, and q's mean and deviation (2,)
    """
    mean, log_var = latent.encode(vae, images)
    limit = np.arcsinh(latent_limit(vae, images))
    grid = grid_points(*np.tile(np.sinh(np.linspace(-limit, limit, 161)), (2, 1)))  # (161^2, 2)
    areas = np.sqrt(1 + grid**2).prod(axis=1)  # of the grid's cells, up to a factor
    weights = posteriors_on(vae, images, grid) * areas  # (N, 161^2)
    weights /= weights.sum(axis=1, keepdims=True)
    planes = []
    for i, (m, deviation) in enumerate(zip(mean, np.exp(log_var / 2), strict=True)):
        centre = weights[i] @ grid  # (2,)
        spread = np.sqrt(weights[i] @ (grid - centre) ** 2)  # (2,)
        half = np.max(np.abs(centre - m) / 2 + 4 * np.maximum(spread, deviation))
        x, y = np.linspace((centre + m) / 2 - half, (centre + m) / 2 + half, cells).T
        density = posteriors_on(vae, images[i : i + 1], grid_points(x, y)).reshape(cells, cells)
        planes.append({"x": x, "y": y, "density": density, "mean": m, "deviation": deviation})
    return planes


def grid_points(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """All points of a grid, row by row: (len(y) * len(x), 2)."""
    return np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)


def posteriors_on(vae: VAE, images: np.ndarray, z: np.ndarray) -> np.ndarray:
    """p(z|x) of each image over its greatest value among these points.

    images: (N, height, width, channels), z: (M, 2); returns (N, M)
    """
    negative = np.asarray(vae.likelihood.nll_pairs(images, latent.outputs(vae, z)), np.float64)  # (N, M)
    log_joint = norm.logpdf(z).sum(axis=1) - negative
    return np.exp(log_joint - log_joint.max(axis=1, keepdims=True))


def measure_run(vae: VAE, dataset: Dataset, mean: np.ndarray, log_var: np.ndarray) -> dict[str, float]:
    """`measures.measure_bound`, and the mean squared error of a pixel.

    vae: with a `Gaussian` likelihood; mean, log_var: (N, latent_dim), of q(z|x) of the test images
    """
    pixels, variance = math.prod(dataset.image_shape), vae.likelihood.variance
    values = measures.bound_terms(vae, dataset.test_images, mean, log_var)  # (N,) each
    squares = 2 * variance * (values["distortion"] - at_variance(0, variance, pixels))  # (N,)
    return measures.bound_summary(vae, dataset, mean, log_var, values | {"mean_squared_error": squares / pixels})


def _bernoulli_formula(x: float, mean: float) -> float:
    return mean**x * (1 - mean) ** (1 - x)


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
