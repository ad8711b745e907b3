"""Models whose numbers are known: two Gaussians, a linear Gaussian model, and VAEs with Gaussian pixels.

A Gaussian of one dimension is a frozen `scipy.stats.norm`; one of several dimensions is its mean and covariance.

With Gaussian pixels, a loss of kl_weight c at variance 1 is c times the negative ELBO at variance c, up to a constant:

1/2 sum (x - mean)^2 + c KL = c (1/(2 c) sum (x - mean)^2 + KL)
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import vae_core.backend  # noqa: F401

import keras
import numpy as np
import pandas as pd
from keras import ops
from scipy.stats import multivariate_normal, norm

from vae_core.data import IMAGE_SHAPE, Dataset
from vae_core.likelihoods import Gaussian, Likelihood
from vae_core.models import VAE, build_vae, dense_decoder, dense_encoder
from vae_core.training import train

RUN = "the run: variance 1"  # the names of the trained models, in every table and figure
TWIN = "its twin: weight 1"
LEARNED = "variance learned, weight 1"
SOLVED = "variance solved for, weight 1"
# Far below the square of a step between grey values, 1/255; Adam squares gradients divided by it, in float32.
SMALLEST_VARIANCE = 1e-6


# Gaussians


def entropy(q) -> float:
    """H(q) = 1/2 log(2 pi e sigma_q^2), the mean surprise -log q of draws from q; in nats."""
    return 0.5 * np.log(2 * np.pi * np.e * q.var())


def cross_entropy(q, p) -> float:
    """H(q, p) = 1/2 log(2 pi sigma_p^2) + (sigma_q^2 + (mu_q - mu_p)^2) / (2 sigma_p^2), in nats.

    The mean surprise -log p of draws from q.
    """
    return 0.5 * np.log(2 * np.pi * p.var()) + (q.var() + (q.mean() - p.mean()) ** 2) / (2 * p.var())


def kl(q, p) -> float:
    """KL(q || p) = log(sigma_p / sigma_q) + (sigma_q^2 + (mu_q - mu_p)^2) / (2 sigma_p^2) - 1/2, in nats."""
    return np.log(p.std() / q.std()) + (q.var() + (q.mean() - p.mean()) ** 2) / (2 * p.var()) - 0.5


def multivariate_kl(mean_q: np.ndarray, cov_q: np.ndarray, mean_p: np.ndarray, cov_p: np.ndarray) -> float:
    """KL(q || p) of two Gaussians with any covariances, in nats.

    1/2 (tr(P^-1 Q) + (mu_p - mu_q)^T P^-1 (mu_p - mu_q) - d + log det P - log det Q)

    means: (d,), covariances: (d, d)
    """
    shift = np.subtract(mean_p, mean_q)  # (d,)
    log_det_ratio = np.linalg.slogdet(cov_p)[1] - np.linalg.slogdet(cov_q)[1]
    trace = np.trace(np.linalg.solve(cov_p, cov_q))
    divergence = 0.5 * (trace + shift @ np.linalg.solve(cov_p, shift) - len(shift) + log_det_ratio)
    return float(max(divergence, 0))  # rounding may leave -1e-16


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


# VAEs with Gaussian pixels


class LearnedGaussian(Gaussian):
    """`Gaussian` with variance exp(log_variance), a weight that training changes."""

    def __init__(self, log_variance: keras.Variable):
        object.__setattr__(self, "log_variance", log_variance)  # as a frozen dataclass sets its fields

    @property
    def variance(self):
        """As trained so far."""
        return ops.exp(self.log_variance)


@dataclass(frozen=True)
class SolvedGaussian(Gaussian):
    """`Gaussian` with the variance at which the distortion of the batch is least: its mean squared error.

    d/dv of pixels/2 log(2 pi v) + S/(2 v) is 0 at v = S/pixels. "Optimal sigma" in Rybkin, Daniilidis and Levine 2021,
    arXiv:2006.13202. The distortion of an image depends on the other images of its batch. Whatever is not about a
    batch is NaN: to measure a trained model, read it `with_likelihood`.
    """

    variance: float = math.nan

    def nll(self, images, outputs):
        """See `Likelihood.nll`."""
        return Gaussian(ops.mean(squared_errors(images, self.mean(outputs)))).nll(images, outputs)


class GaussianVAE(VAE):
    """A VAE with Gaussian pixels that reports also the mean squared error of a pixel, and the variance."""

    def __init__(self, *arguments, **kwargs):
        super().__init__(*arguments, **kwargs)
        self.squares_tracker = keras.metrics.Mean(name="mean_squared_error")
        self.variance_tracker = keras.metrics.Mean(name="variance")

    def variance(self, mean_squared_error):
        """The variance of every pixel, for a batch with this mean squared error."""
        return self.likelihood.variance

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """That of the VAE; the two other numbers are only reported."""
        errors = squared_errors(x, self.likelihood.mean(y_pred[2]))  # (batch,)
        self.squares_tracker.update_state(errors)
        self.variance_tracker.update_state(self.variance(ops.mean(errors)))
        return super().compute_loss(x, y, y_pred, sample_weight, training)


class LearnedVarianceVAE(GaussianVAE):
    """The logarithm of the variance is one more weight of the model; it starts at the given likelihood's variance."""

    def __init__(self, encoder, decoder, kl_weight: float, seed: int, likelihood: Gaussian, *others, **kwargs):
        super().__init__(encoder, decoder, kl_weight, seed, likelihood, *others, **kwargs)
        start = keras.initializers.Constant(float(np.log(likelihood.variance)))
        self.log_variance = self.add_weight(shape=(), initializer=start, name="log_variance")
        self.likelihood = LearnedGaussian(self.log_variance)

    def get_config(self):
        """That of the VAE; the likelihood is the one to start from."""
        start = Gaussian(float(self.likelihood.variance))
        return super().get_config() | keras.saving.serialize_keras_object({"likelihood": start})


class SolvedVarianceVAE(GaussianVAE):
    """Every batch has the variance that is best for it; see `SolvedGaussian`."""

    def variance(self, mean_squared_error):
        """The mean squared error of the batch."""
        return mean_squared_error


def squared_errors(images, decoded):
    """Squared error of a pixel, mean over the pixels of each image: (N,)."""
    return ops.mean(ops.square(images - decoded), axis=(1, 2, 3))


@dataclass(frozen=True)
class TrainedGaussian:
    """A VAE with Gaussian pixels after training, its history, and the variance that it has in the end."""

    vae: GaussianVAE
    history: pd.DataFrame
    variance: float

    @property
    def unit_weight(self) -> float:
        """Its kl_weight as seen at variance 1: kl_weight * variance."""
        return float(self.vae.kl_weight) * self.variance

    @property
    def pixels(self) -> int:
        """The values of an image: height * width * channels."""
        return math.prod(self.vae.decoder.output_shape[1:])


def gaussian_vae(
    kind: type[GaussianVAE],
    likelihood: Gaussian,
    kl_weight: float,
    seed: int,
    learning_rate: float,
    hidden_units: int,
    image_shape: tuple[int, int, int] = IMAGE_SHAPE,
) -> GaussianVAE:
    """Encoder and decoder of `reference_vae` with Gaussian pixels, compiled with Adam."""
    return build_vae(
        lambda: dense_encoder((hidden_units,), image_shape=image_shape),
        lambda: dense_decoder((hidden_units,), image_shape=image_shape),
        kl_weight,
        seed,
        keras.optimizers.Adam(learning_rate),
        likelihood=likelihood,
        kind=kind,
    )


def trained(vae: GaussianVAE, history: pd.DataFrame) -> TrainedGaussian:
    """The model with its history; where the batch decides the variance, that of the last epoch is kept."""
    return TrainedGaussian(vae, history, float(vae.variance(history["mean_squared_error"].iloc[-1])))


def has_twin(kl_weight: float) -> bool:
    """Whether there is another model with the same gradients: variance kl_weight at weight 1."""
    return kl_weight != 1 and kl_weight >= SMALLEST_VARIANCE


def train_others(
    dataset: Dataset, kl_weight: float, epochs: int, batch_size: int, learning_rate: float, hidden_units: int, seed: int
) -> dict[str, TrainedGaussian]:
    """The models that the run is compared with, all at weight 1: its `TWIN`, if it has one, `LEARNED` and `SOLVED`.

    The learned variance starts at that of the training images around their mean, which a collapsed model would learn.
    """
    start = float(np.mean(np.square(dataset.train_images - dataset.train_images.mean(axis=0))))
    kinds = {
        **({TWIN: (GaussianVAE, Gaussian(kl_weight))} if has_twin(kl_weight) else {}),
        LEARNED: (LearnedVarianceVAE, Gaussian(start)),
        SOLVED: (SolvedVarianceVAE, SolvedGaussian()),
    }
    models = {}
    for name, (kind, likelihood) in kinds.items():
        vae = gaussian_vae(kind, likelihood, 1.0, seed, learning_rate, hidden_units, dataset.image_shape)
        models[name] = trained(vae, train(vae, dataset, epochs, batch_size, seed)[0])
    return models


def with_likelihood(vae: VAE, likelihood: Likelihood) -> VAE:
    """The same encoder and decoder, read with another likelihood."""
    return VAE(vae.encoder, vae.decoder, float(vae.kl_weight), seed=0, likelihood=likelihood)


def readings(models: Mapping[str, TrainedGaussian]) -> dict[str, VAE]:
    """The models whose posteriors are shown: the run, at 1 and at its twin's variance, and `LEARNED` at its own."""
    run, learned = models[RUN], models[LEARNED]
    variances = [run.variance] + ([models[TWIN].variance] if TWIN in models else [])
    read = {f"the run, at variance {v:g}": with_likelihood(run.vae, Gaussian(v)) for v in variances}
    own = with_likelihood(learned.vae, Gaussian(learned.variance))
    return read | {f"learned, at variance {learned.variance:.3g}": own}
