"""Famous mistakes in VAEs, each the smallest change to `vae_core.models.VAE` that makes it, and their training.

Wrong on purpose: nothing outside this lesson uses these models.
"""

from dataclasses import dataclass

import vae_core.backend  # noqa: F401

import keras
import numpy as np
import pandas as pd
from keras import ops

from vae_core import latent, measures, training
from vae_core.data import Dataset
from vae_core.likelihoods import BERNOULLI, Bernoulli, Likelihood
from vae_core.models import VAE, build_vae, dense_decoder, dense_encoder
from vae_core.tutorials import PIXELS


class CustomDraw(VAE):
    """A VAE that makes its own draw from what the encoder puts out."""

    def sampled_from(self, mean, output):
        """Mean and deviation of the Gaussian that z is drawn from, (batch, latent_dim) each.

        A negative deviation draws from the same Gaussian as its absolute value.

        mean, output: what the encoder puts out, (batch, latent_dim) each; the second is a log-variance in the fix
        """
        raise NotImplementedError

    def draw(self, mean, output):
        """mean + deviation * noise, with both of `sampled_from`."""
        mean, deviation = self.sampled_from(mean, output)
        noise = self.sampling(ops.zeros_like(mean), ops.zeros_like(mean))  # N(0, I)
        return mean + deviation * noise


class ForgottenMean(CustomDraw):
    """Draws from N(0, exp(log_var)) and charges for N(mean, exp(log_var))."""

    def sampled_from(self, mean, log_var):
        """The mean never reaches z."""
        return ops.zeros_like(mean), ops.exp(log_var / 2)


class LogVarAsSigma(CustomDraw):
    """Draws with standard deviation |log_var| and charges for variance exp(log_var)."""

    def sampled_from(self, mean, log_var):
        """The log-variance in place of the deviation."""
        return mean, log_var


class ForgottenHalf(CustomDraw):
    """Draws with standard deviation exp(log_var) and charges for variance exp(log_var)."""

    def sampled_from(self, mean, log_var):
        """The variance in place of the deviation."""
        return mean, ops.exp(log_var)


class UnconstrainedSigma(CustomDraw):
    """Takes sigma straight from a linear layer; Keras' epsilon keeps the logarithm of the rate finite."""

    def sampled_from(self, mean, sigma):
        """The encoder's second output is the deviation."""
        return mean, sigma

    def rates(self, mean, sigma):
        """See `rate_of_sigma`."""
        return rate_of_sigma(mean, sigma)


class MeanOverDimensions(VAE):
    """Weights the KL by kl_weight / latent_dim."""

    def rates(self, mean, log_var):
        """Their sum is the mean over latent dimensions: (batch, latent_dim)."""
        return super().rates(mean, log_var) / mean.shape[-1]


class KLSummedOverBatch(VAE):
    """Weights the KL by kl_weight * batch size, since the distortion is averaged over the batch."""

    def rates(self, mean, log_var):
        """Summed over the batch: (1, latent_dim)."""
        return ops.sum(super().rates(mean, log_var), axis=0, keepdims=True)


class BothSummedOverBatch(VAE):
    """Minimises batch size times the right objective."""

    def reduce(self, objective):
        """The sum over the batch."""
        return ops.sum(objective)


class MeanOverPixels(VAE):
    """Minimises the right objective divided by 784, the number of pixels."""

    def reduce(self, objective):
        """The mean over batch and pixels."""
        return super().reduce(objective) / PIXELS


@dataclass(frozen=True)
class ClippedProbabilities(Bernoulli):
    """The cross-entropy that Keras computes from probabilities, which it clips to [1e-7, 1 - 1e-7]."""

    def nll(self, images, outputs):
        """See `Likelihood.nll`.

        The reshape stands for the one in tutorial 000's decoder. Without it Keras finds the sigmoid that the
        probabilities come from and silently goes back to the logits, so that nothing is lost.
        """
        probabilities = ops.reshape(self.mean(outputs), ops.shape(outputs))
        return ops.sum(ops.binary_crossentropy(images, probabilities), axis=tuple(range(1, len(images.shape))))

    def nll_pairs(self, images, outputs):
        """See `Likelihood.nll_pairs`."""
        x = ops.reshape(images, (images.shape[0], -1))  # (N, pixels)
        probabilities = ops.reshape(self.mean(outputs), (outputs.shape[0], -1))  # (M, pixels)
        p = ops.clip(probabilities, keras.config.epsilon(), 1 - keras.config.epsilon())
        return -ops.matmul(x, ops.transpose(ops.log(p))) - ops.matmul(1 - x, ops.transpose(ops.log(1 - p)))


CLIPPED_PROBABILITIES = ClippedProbabilities()


def rate_of_sigma(mean, sigma):
    """The rate of a standard deviation from a linear layer, with epsilon in the logarithm as in tutorial 003.

    1/2 (sigma^2 + mean^2 - 1 - log(sigma^2 + 1e-7)), so that sigma = 0 costs 7.56 nats where the true KL is infinite.

    mean, sigma: (batch, latent_dim)
    returns: (batch, latent_dim), in nats
    """
    variance = ops.square(sigma)
    return 0.5 * (variance + ops.square(mean) - 1 - ops.log(variance + keras.config.epsilon()))


@dataclass(frozen=True)
class Variant:
    """An exhibit: what differs from the reference model, where the mistake comes from, and a test that finds it."""

    kind: type[VAE] = VAE
    likelihood: Likelihood = BERNOULLI
    source: str = ""
    test: str = ""


REFERENCE = Variant()
FORGOTTEN_MEAN = Variant(
    ForgottenMean,
    source="tutorial 000",
    test="at a log-variance of -60 a draw must be the mean; it is 0",
)
LOG_VAR_AS_SIGMA = Variant(
    LogVarAsSigma,
    source="tutorial 002's name z_sigma for a log-variance, taken literally",
    test="at log-variance 0 draws must have deviation 1; they have 0",
)
FORGOTTEN_HALF = Variant(
    ForgottenHalf,
    source="the first VAE of the Keras blog (2016): one output, z_log_sigma, read in two ways",
    test="at log-variance log 9 draws must have deviation 3; they have 9",
)
MEAN_OVER_DIMENSIONS = Variant(
    MeanOverDimensions,
    source="tutorial 002; F. Chollet's book, 2nd and 3rd edition",
    test="a code of d equal dimensions must cost d times as much as one; it costs the same",
)
KL_SUMMED_OVER_BATCH = Variant(
    KLSummedOverBatch,
    source="the KL of tutorial 001, which is summed over the batch too, beside a mean of the distortion",
    test="repeating the images of a batch must not change the loss; the KL doubles",
)
BOTH_SUMMED_OVER_BATCH = Variant(
    BothSummedOverBatch,
    source="tutorial 001",
    test="repeating the images of a batch must not change the loss; it doubles",
)
UNCONSTRAINED_SIGMA = Variant(
    UnconstrainedSigma,
    source="tutorial 003",
    test="a standard deviation must be positive; count the images for which it is not",
)
SIGMOID_THEN_LOG = Variant(
    likelihood=CLIPPED_PROBABILITIES,
    source="tutorials 000 and 002; 001 with its own epsilon",
    test="at logit 20 a black pixel must cost 20 nats; it costs 15.9",
)
MEAN_OVER_PIXELS = Variant(
    MeanOverPixels,
    source="tutorial 000, which says that it needs a larger learning rate",
    test="train with and without the factor, at the same learning rate, and compare the curves",
)


@dataclass(frozen=True)
class TrainedVariant:
    """A variant trained with several seeds: the model of the first seed, and the history and measures of each."""

    variant: Variant
    vae: VAE
    histories: list[pd.DataFrame]
    measured: pd.DataFrame  # one row per seed: own_objective, distortion, rate, negative_elbo


def train_variant(
    variant: Variant,
    dataset: Dataset,
    epochs: int,
    seeds: int,
    batch_size: int = 128,
    learning_rate: float = 1e-3,
    hidden_units: int = 512,
    latent_dim: int = 2,
    kl_weight: float = 1.0,
    optimizer: str | dict = "adam",
) -> TrainedVariant:
    """Train a variant with the seeds 0 to seeds - 1; a seed fixes the weights, batches and noise of all variants alike.

    `own_objective` is the last val_objective, which is what the author of the variant would have seen; the other
    measures are the `honest_measures` of the same images.

    optimizer: a name or a configuration, as keras.optimizers.get takes it
    """
    vaes, histories, rows = [], [], []
    for seed in range(seeds):
        vae = build_vae(
            lambda: dense_encoder((hidden_units,), latent_dim),
            lambda: dense_decoder((hidden_units,), latent_dim),
            kl_weight,
            seed,
            keras.optimizers.get(optimizer),
            likelihood=variant.likelihood,
            kind=variant.kind,
        )
        vae.optimizer.learning_rate = learning_rate
        history, _ = training.train(vae, dataset, epochs, batch_size, seed)
        vaes.append(vae)
        histories.append(history)
        own = {"own_objective": history["val_objective"].iloc[-1]}
        rows.append(own | honest_measures(vae, dataset.validation_images))
    return TrainedVariant(variant, vaes[0], histories, pd.DataFrame(rows))


def honest_measures(vae: VAE, images: np.ndarray) -> dict[str, float]:
    """Distortion, rate and negative ELBO by the right formulas, whatever the variant was trained with; nats per image.

    Those of a plain VAE with the variant's encoder and decoder, for the Gaussians that z is really drawn from.
    """
    plain = VAE(vae.encoder, vae.decoder, kl_weight=1.0, seed=0)
    terms = measures.terms(plain, images, *sampled_gaussians(vae, images))  # (N,) each
    return {name: float(np.mean(terms[name])) for name in ("distortion", "rate", "negative_elbo")}


def sampled_gaussians(vae: VAE, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and log-variance of the Gaussian that the z of each image is really drawn from: (N, latent_dim) each."""
    mean, output = latent.encode(vae, images)
    if not isinstance(vae, CustomDraw):
        return mean, output
    mean, deviation = map(np.asarray, vae.sampled_from(mean, output))
    return mean, 2 * np.log(np.abs(deviation))
