"""Pixels of a Gaussian likelihood: the formula in numbers, its variance fixed or learned, and what that does to the KL.

A loss of kl_weight c at variance 1 is c times the negative ELBO at variance c, but for a constant:

1/2 sum (x - mean)^2 + c KL = c (1/(2 c) sum (x - mean)^2 + KL)
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import vae_core.backend  # noqa: F401

import keras
import numpy as np
import pandas as pd
from keras import ops
from scipy.integrate import quad
from scipy.optimize import minimize_scalar
from scipy.special import expit
from scipy.stats import bernoulli, norm

from vae_core import latent, measures
from vae_core.data import IMAGE_SHAPE, Dataset
from vae_core.lessons.elbo_and_kl.measures import expectation, kl
from vae_core.statistics import with_error
from vae_core.losses import bernoulli_nll, gaussian_nll, gaussian_nll_pairs, kl_divergence, squared_error
from vae_core.models import VAE, Sampling, mlp_decoder, mlp_encoder
from vae_core.losses import kl_weight_of
from vae_core.training import train

PIXELS = int(np.prod(IMAGE_SHAPE))
SMALLEST_VARIANCE = (
    1e-6  # far below a step between grey values, 1/255 squared; Adam squares gradients over it in float32
)
CELLS = 256  # of a quadrature, in each dimension


# The likelihoods in numbers


def likelihood_table(images: np.ndarray, logits: np.ndarray) -> pd.DataFrame:
    """-log p(x|z) by `vae_core.losses` and by scipy.stats, mean over images; and the sum of squared errors as one.

    One row is for perfect copies instead of the logits.

    images, logits: (N, 28, 28, 1)
    """
    binary = (images > 0.5).astype(images.dtype)
    mean = expit(logits)
    rows = {"Bernoulli, images made black and white": (bernoulli_nll(binary, logits), bernoulli(mean).logpmf(binary))}
    for variance in (1, 0.5, 0.04):
        log_density = norm(mean, np.sqrt(variance)).logpdf(images)  # (N, 28, 28, 1)
        rows[f"Gaussian, variance {variance:g}"] = (gaussian_nll(images, mean, variance), log_density)
    of_copy = norm(images, np.sqrt(0.04)).logpdf(images)
    rows["Gaussian, variance 0.04, perfect copies"] = (gaussian_nll(images, images, 0.04), of_copy)
    half = norm(mean, np.sqrt(0.5)).logpdf(images)
    rows["sum of squared errors + pixels/2 log(pi)"] = (squared_error(images, logits) + constant(0.5), half)
    table = {
        name: {"vae_core.losses": np.mean(ours), "scipy.stats": -theirs.sum(axis=(1, 2, 3)).mean()}
        for name, (ours, theirs) in rows.items()
    }
    return pd.DataFrame(table).T.rename_axis("likelihood")


def mass_table(mean: float = 0.8) -> pd.DataFrame:
    """What the likelihood of one pixel with this mean adds up to: over 0 and 1, over all greys, over all numbers."""
    rows = {
        "Bernoulli": {
            "0 and 1, sum": sum(_bernoulli_formula(x, mean) for x in (0, 1)),
            "0 to 1, integral": quad(_bernoulli_formula, 0, 1, args=(mean,))[0],
        }
    }
    for variance in (1, 0.5, 0.04):
        density = norm(mean, np.sqrt(variance)).pdf
        rows[f"Gaussian, variance {variance:g}"] = {
            "0 to 1, integral": quad(density, 0, 1)[0],
            "all numbers, integral": quad(density, -np.inf, np.inf)[0],
        }
    return pd.DataFrame(rows).T.rename_axis("likelihood")


def _bernoulli_formula(x: float, mean: float) -> float:
    return mean**x * (1 - mean) ** (1 - x)


# Seed 001's Gaussian term: wrong on purpose, one correction at a time


def as_seed_001_writes_it(squared_error: float, deviation: float) -> float:
    """Squared errors, summed over everything, times 1/2 and once more over 2 sigma^2, plus one log sigma for all."""
    return 0.5 * squared_error / (2 * deviation**2) + np.log(deviation)


def with_one_half(squared_error: float, deviation: float) -> float:
    """The second 1/2 taken out."""
    return squared_error / (2 * deviation**2) + np.log(deviation)


def with_log_sigma_of_each_pixel(squared_error: float, deviation: float) -> float:
    """And one log sigma for each pixel: this is -log p(x|z) but for pixels/2 log(2 pi)."""
    return squared_error / (2 * deviation**2) + PIXELS * np.log(deviation)


def whole_nll(squared_error: float, deviation: float) -> float:
    """-log p(x|z) of an image with this sum of squared errors, the constant included."""
    return float(at_variance(squared_error, deviation**2))


FORMULAS: Mapping[str, Callable] = {
    "seed 001": as_seed_001_writes_it,
    "one 1/2 out": with_one_half,
    "log sigma of each pixel": with_log_sigma_of_each_pixel,
    "the constant: -log p(x|z)": whole_nll,
}


def seed_001_table(squared_error: float) -> pd.DataFrame:
    """An image's Gaussian term as seed 001 writes it, and corrected step by step; at the end the best sigma of each.

    squared_error: of the image, summed over pixels
    """
    cases = {f"sigma {deviation:g}": (squared_error, deviation) for deviation in (1, 0.5, 0.2)}
    cases["sigma 1, a perfect copy"] = (0.0, 1.0)
    rows = {case: {name: f(*numbers) for name, f in FORMULAS.items()} for case, numbers in cases.items()}
    rows["best sigma"] = {name: best_deviation(f, squared_error) for name, f in FORMULAS.items()}
    return pd.DataFrame(rows).T


def best_deviation(formula: Callable, squared_error: float) -> float:
    """The sigma at which a formula is least, by search."""
    found = minimize_scalar(lambda log: formula(squared_error, np.exp(log)), bounds=(-10, 10), method="bounded")
    return float(np.exp(found.x))


def batch_table(images: np.ndarray, decoded: np.ndarray, seed: int) -> pd.DataFrame:
    """Both terms of the same images with hand-made codes: summed over batches as in seed 001, and per image.

    images: (N, 28, 28, 1), decoded: one image, (28, 28, 1)
    """
    mean, log_var = np.random.default_rng(seed).normal(size=(2, len(images), 2)).astype("float32")
    squares = np.square(images - decoded).sum(axis=(1, 2, 3))  # (N,)
    rates = np.asarray(kl_divergence(mean, log_var))  # (N,)
    rows = {
        size: {
            "seed 001: Gaussian term": as_seed_001_writes_it(squares[:size].sum(), 0.5),
            "seed 001: KL": rates[:size].sum(),
            "distortion": at_variance(squares[:size], 0.25).mean(),
            "rate": rates[:size].mean(),
        }
        for size in (1, 10, 100)
    }
    return pd.DataFrame(rows).T.rename_axis("images in the batch")


# Models


class GaussianVAE(VAE):
    """A VAE whose pixels are Gaussian around sigmoid(logits), all with one variance; it is fixed.

    Reports also the mean squared error of a pixel and the variance.
    """

    def __init__(self, encoder: keras.Model, decoder: keras.Model, kl_weight: float, seed: int, variance: float):
        super().__init__(encoder, decoder, kl_weight, seed, pixel_nll=self.gaussian_pixel_nll)
        self.given_variance = variance
        self.squares_tracker = keras.metrics.Mean(name="mean_squared_error")
        self.variance_tracker = keras.metrics.Mean(name="variance")

    @property
    def metrics(self):
        """Those of the VAE, the mean squared error and the variance."""
        return [*super().metrics, self.squares_tracker, self.variance_tracker]

    def variance(self, mean_squared_error):
        """The variance of every pixel, from the mean squared error of a batch if that decides it."""
        return self.given_variance

    def gaussian_pixel_nll(self, images, logits):
        """-log p(x|z), (batch,)."""
        mean = ops.sigmoid(logits)
        return gaussian_nll(images, mean, self.variance(ops.mean(ops.square(images - mean))))

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """As in VAE."""
        mean_squared_errors = ops.mean(ops.square(x - ops.sigmoid(y_pred[2])), axis=(1, 2, 3))  # (batch,)
        self.squares_tracker.update_state(mean_squared_errors)
        self.variance_tracker.update_state(self.variance(ops.mean(mean_squared_errors)))
        return super().compute_loss(x, y, y_pred, sample_weight, training)


class LearnedVarianceVAE(GaussianVAE):
    """The logarithm of the variance is one more weight of the model; it starts at the given variance."""

    def __init__(self, encoder: keras.Model, decoder: keras.Model, kl_weight: float, seed: int, variance: float):
        super().__init__(encoder, decoder, kl_weight, seed, variance)
        start = keras.initializers.Constant(float(np.log(variance)))
        self.log_variance = self.add_weight(shape=(), initializer=start, name="log_variance")

    def variance(self, mean_squared_error):
        """As trained."""
        return ops.exp(self.log_variance)


class OptimalVarianceVAE(GaussianVAE):
    """The variance that makes the distortion of the batch least, which is its mean squared error.

    d/dv of pixels/2 log(2 pi v) + S/(2 v) is 0 at v = S/pixels. "Optimal sigma" in Rybkin, Daniilidis and Levine 2021,
    arXiv:2006.13202. The distortion of an image depends on its batch through the variance.
    """

    def variance(self, mean_squared_error):
        """The mean squared error of the batch."""
        return mean_squared_error


@dataclass(frozen=True)
class Trained:
    """A trained model, its history, and the variance that it has in the end."""

    vae: GaussianVAE
    history: pd.DataFrame
    variance: float

    @property
    def unit_weight(self) -> float:
        """Its kl_weight as seen at variance 1: kl_weight * variance."""
        return self.vae.kl_weight * self.variance


def gaussian_vae(
    kind: type[GaussianVAE], kl_weight: float, variance: float, seed: int, learning_rate: float, hidden_units: int
) -> GaussianVAE:
    """Reference encoder and decoder with Gaussian pixels, compiled with Adam; initial weights and noise of the seed."""
    keras.utils.set_random_seed(seed)
    vae = kind(mlp_encoder(hidden_units), mlp_decoder(hidden_units), kl_weight, seed, variance)
    vae.compile(optimizer=keras.optimizers.Adam(learning_rate), jit_compile=True)
    return vae


def trained(vae: GaussianVAE, history: pd.DataFrame) -> Trained:
    """The model with its history; its variance where the batch decides it is the last epoch's mean squared error."""
    return Trained(vae, history, float(vae.variance(history["mean_squared_error"].iloc[-1])))


def has_twin(kl_weight: float) -> bool:
    """Whether there is another model with the same gradients: variance kl_weight at weight 1."""
    return kl_weight != 1 and kl_weight >= SMALLEST_VARIANCE


def train_beside(
    dataset: Dataset, kl_weight: float, epochs: int, batch_size: int, learning_rate: float, hidden_units: int, seed: int
) -> dict[str, Trained]:
    """What the run is compared with, all at weight 1: variance kl_weight, if it can be, and two learned variances.

    Those start at the variance of the training images around their mean, which is what a collapsed model would learn.
    """
    start = float(np.mean(np.square(dataset.train_images - dataset.train_images.mean(axis=0))))
    kinds = {f"variance {kl_weight:g}, weight 1": (GaussianVAE, kl_weight)} if has_twin(kl_weight) else {}
    kinds |= {"variance learned, weight 1": (LearnedVarianceVAE, start)}
    kinds |= {"variance solved for, weight 1": (OptimalVarianceVAE, start)}
    models = {}
    for name, (kind, variance) in kinds.items():
        vae = gaussian_vae(kind, 1.0, variance, seed, learning_rate, hidden_units)
        models[name] = trained(vae, train(vae, dataset, epochs, batch_size, seed)[0])
    return models


def at_unit_variance(history: pd.DataFrame) -> pd.DataFrame:
    """A history with all distortions as those of variance 1, whatever the model's variance was."""
    unit = {f"{part}distortion": at_variance(PIXELS * history[f"{part}mean_squared_error"], 1) for part in ("", "val_")}
    return history.assign(**unit)


def twin_words(models: Mapping[str, Trained]) -> str:
    """How far the run's twin is from it, or why it has none, as a sentence."""
    run, second, *_ = models.values()
    kl_weight = run.vae.kl_weight
    if kl_weight == 1:
        return "At weight 1 the run is its own twin: variance 1 and weight 1. There is nothing to train beside it."
    if not has_twin(kl_weight):
        return (
            f"The run's weight is {kl_weight:g}, and a Gaussian of that variance is no density that could be trained "
            f"(least variance: {SMALLEST_VARIANCE:g}). So it has no twin at weight 1."
        )
    apart = {
        "squared error / 2": (run.history["val_mean_squared_error"] - second.history["val_mean_squared_error"])
        * PIXELS
        / 2,
        "rate": run.history["val_rate"] - second.history["val_rate"],
    }
    numbers = " and ".join(f"{series.abs().max():.3f} nats in the {name}" for name, series in apart.items())
    ratio = (run.history["val_objective"] - constant(1)) / (second.history["val_objective"] - constant(kl_weight))
    return (
        f"Variance 1 at weight {kl_weight:g} and variance {kl_weight:g} at weight 1: in no epoch are the two farther "
        f"apart on the validation images than {numbers}. The objectives, without their constants, have the ratio "
        f"{ratio.iloc[-1]:.4f}."
    )


def exchange_words(models: Mapping[str, Trained]) -> str:
    """The run's exchange rate beside those that the models with a learned variance chose, as a sentence."""
    run, *_, learned, solved = models.values()
    chosen = f"{learned.variance:.4f} by Adam and {solved.variance:.4f} where it is solved for"
    error = learned.history["mean_squared_error"].iloc[-1]
    reached = f"({error:.4f} is the mean squared error of the first one's last epoch, which its variance should reach)"
    if run.unit_weight == 0:
        return f"The learned variance is {chosen} {reached}. The run's exchange rate is 0: codes cost it nothing."
    times = run.unit_weight / solved.variance
    return (
        f"The learned variance is {chosen} {reached}. As a kl_weight at variance 1 that is the weight which the ELBO "
        f"itself asks for. The run's weight of {run.unit_weight:g} is {times:.3g} times the second: per squared error "
        f"it charges {times:.3g} times as much for a nat of code."
    )


# Measures


def at_variance(squared_error, variance: float):
    """-log p(x|z) from the sum of squared errors: pixels/2 log(2 pi variance) + squared_error / (2 variance)."""
    return constant(variance) + squared_error / (2 * variance)


def constant(variance: float) -> float:
    """What a Gaussian costs without any error: pixels/2 log(2 pi variance), below 0 for a variance below 1/(2 pi)."""
    return PIXELS / 2 * np.log(2 * np.pi * variance)


def pairwise_nll(variance: float) -> Callable:
    """Of images (N, 28, 28, 1) and logits (M, 28, 28, 1): -log p(x|z), (N, M), for `measures.nll`."""
    return lambda images, logits: gaussian_nll_pairs(images, ops.sigmoid(logits), variance)


def squared_errors(
    vae: VAE, images: np.ndarray, mean: np.ndarray, log_var: np.ndarray, samples: int = 8, seed: int = 0
) -> np.ndarray:
    """Sum over pixels of squared errors, averaged over draws from q(z|x), for each image: (N,)."""
    sampling = Sampling(seed)
    draws = [latent.decode(vae, np.asarray(sampling(mean, log_var))) for _ in range(samples)]
    return np.mean([np.square(images - decoded).sum(axis=(1, 2, 3)) for decoded in draws], axis=0)


def evaluate(run: Trained, dataset: Dataset, mean: np.ndarray, log_var: np.ndarray, samples: int = 8) -> dict:
    """`measures.evaluate` for Gaussian pixels, and the mean squared error of a pixel.

    mean, log_var: (N, latent_dim), of q(z|x) of the test images
    """
    images, pairs, checked = dataset.test_images, pairwise_nll(run.variance), measures.CHECKED
    nll = measures.nll(run.vae, images, mean, log_var, pairwise_nll=pairs)
    exact = measures.nll_by_quadrature(run.vae, images[:checked], mean, pairwise_nll=pairs)
    terms = measures.terms(run.vae, images, mean, log_var, samples)
    squares = (terms["distortion"] - constant(run.variance)) * 2 * run.variance  # (N,)
    of_mean_image = np.square(images - dataset.train_images.mean(axis=0)).sum(axis=(1, 2, 3))
    return {
        **with_error(**terms, nll=nll, nll_above_quadrature=nll[:checked] - exact),
        **with_error(mean_squared_error=squares / PIXELS),
        "zero_information_distortion": float(at_variance(of_mean_image, run.variance).mean()),
        "images": len(images),
        "samples": samples,
        "proposals": 2 * len(images) * measures.draws_per_image(measures.PROPOSALS, len(images)),
    }


def models_table(models: Mapping[str, Trained], images: np.ndarray) -> pd.DataFrame:
    """Each model on the test images: its variance, its exchange rate, and its negative ELBO at three variances."""
    rows = {}
    for name, model in models.items():
        mean, log_var = latent.encode(model.vae, images)
        squares = squared_errors(model.vae, images, mean, log_var).mean()
        rate = float(np.mean(kl_divergence(mean, log_var)))
        own, fitted = model.variance, model.history["mean_squared_error"].iloc[-1]
        rows[name] = {
            "variance": own,
            "kl_weight at variance 1": model.unit_weight,
            "mean squared error": squares / PIXELS,
            "rate": rate,
            "negative ELBO": at_variance(squares, own) + rate,
            "at variance 1": at_variance(squares, 1) + rate,
            "at its training error": at_variance(squares, fitted) + rate,
        }
    return pd.DataFrame(rows).T.rename_axis("trained with")


def variance_range(models: Mapping[str, Trained]) -> np.ndarray:
    """Variances for `variance_curves`: 0.01 to 2, and as far beyond as those of the models are."""
    own = [model.variance for model in models.values()]
    return np.geomspace(min(0.01, *own), max(2, *own), 121)


def variance_curves(models: Mapping[str, Trained], images: np.ndarray, variances: np.ndarray) -> pd.DataFrame:
    """The negative ELBO of each model, were its pixels' variance another: a column per model, a row per variance."""
    columns = {}
    for name, model in models.items():
        mean, log_var = latent.encode(model.vae, images)
        squares = squared_errors(model.vae, images, mean, log_var, samples=1).mean()
        columns[name] = at_variance(squares, variances) + float(np.mean(kl_divergence(mean, log_var)))
    return pd.DataFrame(columns, index=pd.Index(variances, name="variance"))


# The posterior of a trained model


def readings(run: Trained, learned: Trained) -> dict[str, tuple[VAE, float]]:
    """Models with the variances at which their posteriors are looked at: the run at two of them, and a learned one."""
    kl_weight = run.vae.kl_weight
    twin = {f"the run, at variance {kl_weight:g}": (run.vae, kl_weight)} if has_twin(kl_weight) else {}
    own = {f"the run, at variance {run.variance:g}": (run.vae, run.variance)}
    return own | twin | {f"learned, at variance {learned.variance:.3g}": (learned.vae, learned.variance)}


def gap_table(read: Mapping[str, tuple[VAE, float]], images: np.ndarray) -> pd.DataFrame:
    """log p(x) = ELBO + KL(q || p(z|x)), mean over images: log p(x) by quadrature, the KL as what the ELBO lacks.

    The last column is what a grid of half as many points in each dimension would add to -log p(x).
    """
    rows = {}
    for name, (vae, variance) in read.items():
        mean, log_var = latent.encode(vae, images)
        distortion = at_variance(squared_errors(vae, images, mean, log_var, samples=64), variance)  # (N,)
        negative_elbo = distortion + np.asarray(kl_divergence(mean, log_var))  # (N,)
        exact, coarse = (
            measures.nll_by_quadrature(vae, images, mean, cells, pairwise_nll(variance))
            for cells in (CELLS, CELLS // 2)
        )
        gap = with_error(gap=negative_elbo - exact)
        rows[name] = {
            "-ELBO": negative_elbo.mean(),
            "-log p(x)": exact.mean(),
            "KL(q || p(z|x))": gap["gap"],
            "standard error": gap["gap_se"],
            "coarser grid": (coarse - exact).mean(),
        }
    return pd.DataFrame(rows).T


def forms_table(read: Mapping[str, tuple[VAE, float]], images: np.ndarray, seed: int, draws: int = 32) -> pd.DataFrame:
    """Both forms of the ELBO from single draws of z: mean over images, and the mean deviation of the draws of an image.

    first form: log p(x|z) - KL(q || p(z)), second form: log p(x|z) + log p(z) - log q(z|x)
    """
    rows = {}
    for name, (vae, variance) in read.items():
        mean, log_var = latent.encode(vae, images)
        rate = np.asarray(kl_divergence(mean, log_var))  # (N,)
        noise = np.random.default_rng(seed).standard_normal((draws, *mean.shape))
        first, second = np.empty((2, draws, len(images)))
        for i, z in enumerate(mean + np.exp(log_var / 2) * noise):  # (N, 2)
            squares = np.square(images - latent.decode(vae, z.astype("float32"))).sum(axis=(1, 2, 3))
            log_ratio = norm.logpdf(z).sum(axis=1) - norm.logpdf(z, mean, np.exp(log_var / 2)).sum(axis=1)
            first[i] = -at_variance(squares, variance) - rate
            second[i] = -at_variance(squares, variance) + log_ratio
        for form, values in (("first form", first), ("second form", second)):
            row = {"mean": values.mean(), "deviation of a draw": values.std(axis=0, ddof=1).mean()}
            rows[name, form] = row
    return pd.DataFrame(rows).T.rename_axis(["", "form"])


def posterior_planes(vae: VAE, images: np.ndarray, variance: float, cells: int = 100) -> list[dict[str, np.ndarray]]:
    """p(z|x) of a few images on a window around it and q(z|x), which a coarse grid over the plane finds.

    images: (N, 28, 28, 1)
    returns: for each image x and y (cells,), density (cells, cells), greatest value 1, and q's mean and deviation (2,)
    """
    mean, log_var = latent.encode(vae, images)
    grid = grid_points(*np.tile(np.linspace(-1, 1, 161) * max(5, 1 + np.abs(mean).max()), (2, 1)))  # (161^2, 2)
    weights = posteriors_on(vae, images, grid, variance)  # (N, 161^2)
    weights /= weights.sum(axis=1, keepdims=True)
    planes = []
    for i, (m, deviation) in enumerate(zip(mean, np.exp(log_var / 2), strict=True)):
        centre = weights[i] @ grid  # (2,)
        spread = np.sqrt(weights[i] @ (grid - centre) ** 2)  # (2,)
        half = np.max(np.abs(centre - m) / 2 + 4 * np.maximum(spread, deviation))
        x, y = np.linspace((centre + m) / 2 - half, (centre + m) / 2 + half, cells).T
        density = posteriors_on(vae, images[i : i + 1], grid_points(x, y), variance).reshape(cells, cells)
        planes.append({"x": x, "y": y, "density": density, "mean": m, "deviation": deviation})
    return planes


def grid_points(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """All points of a grid, row by row: (len(y) * len(x), 2)."""
    return np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)


def posteriors_on(vae: VAE, images: np.ndarray, z: np.ndarray, variance: float) -> np.ndarray:
    """p(z|x) of each image over its greatest value among these points.

    images: (N, 28, 28, 1), z: (M, 2); returns (N, M)
    """
    negative = np.asarray(pairwise_nll(variance)(images, latent.logits(vae, z.astype("float32"))), np.float64)  # (N, M)
    log_joint = norm.logpdf(z).sum(axis=1) - negative
    return np.exp(log_joint - log_joint.max(axis=1, keepdims=True))


# The seeds' statements


def seed_rows(
    kl_weight: float,
    q,
    p,
    pairs: pd.DataFrame,
    linear: pd.DataFrame,
    written: pd.DataFrame,
    batches: pd.DataFrame,
    gaps: pd.DataFrame,
) -> list[tuple[str, str, str, str, str]]:
    """What seeds 001 and 003 say of this lesson's subjects, beside what came out: rows for `seeds.seed_table`.

    kl_weight: of the run; q, p: the two Gaussians
    the tables: those of kl_table, elbo_table, seed_001_table, batch_table and gap_table
    """
    apart = (pairs["KL(q || p)"].astype(float) - pairs["quadrature"].astype(float)).abs().max()
    same_entropy = pairs.loc["N(2, 1²)", "N(-1, 1²)"]
    sums = linear["ELBO + KL(q || p(z|x))"].astype(float)
    best = written.loc["best sigma"].astype(float)
    diagonal = linear.loc["the best diagonal q", "KL(q || p(z|x))"]
    last = batches.iloc[-1]
    gap = "; ".join(f"{name}: {number:.2f}" for name, number in gaps["KL(q || p(z|x))"].items())
    other_posterior = (
        f"; at kl_weight {kl_weight:g} the objective is not the ELBO of variance 1: in that reading q is made for "
        "another posterior"
    )
    area = expectation(q, lambda z: q.logpdf(z) - p.logpdf(z), seed=0)["quadrature"]
    suite = float(kl_divergence(np.ones((1, 1)), np.full((1, 1), 2 * np.log(0.5)))[0])
    weight = kl_weight_of(likelihood="gaussian", pixels=PIXELS, channels=1, latent_dim=2)
    return [
        ("001", "KL of two Gaussians, equation 10", "the formula", f"off by {apart:.1e} nats at most", "no difference"),
        (
            "003",
            "KL from N(0, 1), equation 5",
            "the formula",
            f"N(1, 0.5²): {suite:.4f} by the suite's function, {kl(norm(1, 0.5), norm()):.4f} by equation 10",
            "no difference",
        ),
        (
            "003",
            "entropies alone do not tell two densities apart",
            "said",
            f"H(p) - H(q) = {same_entropy['H(p) - H(q)']:.3f}, KL = {same_entropy['KL(q || p)']:.3f} nats",
            "no difference",
        ),
        (
            "003",
            "area to be integrated, figure 3",
            "a figure",
            f"area {area:.3f}, formula {kl(q, p):.3f} nats",
            "other Gaussians",
        ),
        (
            "001",
            "log p(x) does not depend on q",
            "said",
            f"ELBO + KL(q || p(z|x)) differs by {np.ptp(sums):.1e} nats between five q",
            "no difference",
        ),
        (
            "001",
            "KL(q || p(z|x)) in the end",
            "about 0; = 0",
            f"linear model, best diagonal q: {diagonal:.3f} nats; {gap} nats/image",
            "0 is reached only if the family of q holds the posterior and the encoder finds it"
            + (other_posterior if kl_weight != 1 else ""),
        ),
        (
            "001",
            "Gaussian likelihood: 1/2 and 1/(2 sigma²)",
            "both",
            f"at sigma 1 {written.loc['sigma 1', 'seed 001']:.2f} nats instead of "
            f"{written.loc['sigma 1', 'one 1/2 out']:.2f}",
            "one 1/2 too many: half of the squared error",
        ),
        (
            "001",
            "Gaussian likelihood: log sigma",
            "one for all pixels",
            f"best sigma {best['one 1/2 out']:.3f} instead of {best['log sigma of each pixel']:.3f}",
            f"each of {PIXELS} pixels has its own; then the best variance is the mean squared error",
        ),
        (
            "001",
            "Gaussian likelihood: the name says log-likelihood",
            "returns a loss",
            f"a perfect copy has {written.loc['sigma 1, a perfect copy', 'seed 001']:.2f}, the mean image "
            f"{written.loc['sigma 1', 'seed 001']:.2f}",
            "the sign: a log-likelihood would be the larger the better",
        ),
        (
            "001",
            "KL summed over the batch",
            "the code",
            f"{last['seed 001: KL']:.2f} for {batches.index[-1]} images whose mean is {last['rate']:.2f} nats",
            "a mean over the images does not depend on the batch size",
        ),
        (
            "003",
            "loss = sum of squared errors + KL",
            "no weight",
            f"kl_weight {weight:g} at variance 1",
            "the 1/2 of a Gaussian of variance 1 is not written: it is the ELBO at variance 1/2",
        ),
    ]
