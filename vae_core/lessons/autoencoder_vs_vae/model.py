"""The dense VAE of tutorial 003, a plain autoencoder of the same shape, and three parameterisations of the variance."""

import math

import vae_core.backend  # noqa: F401

import keras
import numpy as np
import pandas as pd
from keras import layers, ops

from vae_core import latent, training
from vae_core.data import IMAGE_SHAPE, Dataset
from vae_core.errors import InputError
from vae_core.likelihoods import SQUARED_ERROR
from vae_core.losses import kl_divergence
from vae_core.models import VAE, build_vae, dense_decoder, dense_encoder

LOG_VARIANCE, SIGMA, SOFTPLUS_SIGMA = "log-variance", "sigma", "softplus-sigma"
FIRST_EPOCHS = 6  # after each of which tutorial 003 shows generated images
GENERATED = "generated"  # what the recorder of `watch_first_epochs` keeps


class Autoencoder(VAE):
    """No noise and no rate: only the distortion of the decoded mean is minimised and reported.

    A code without noise has an infinite KL divergence from the prior. It is not charged here.
    """

    @property
    def metrics(self):
        """What `fit` and `evaluate` report and reset: no rate."""
        return [metric for metric in super().metrics if metric is not self.rate_tracker]

    def rates(self, mean, log_var):
        """Nothing is charged for the code: zeros, (batch, latent_dim)."""
        return ops.zeros_like(mean)


def noiseless_encoder(hidden_units: int, latent_dim: int) -> keras.Model:
    """The mean of `log_variance_encoder`, with a log-variance of minus infinity: a code without noise."""
    encoder = log_variance_encoder(hidden_units, latent_dim)  # both layers are built: each takes its initial weights
    mean, _ = encoder.outputs
    return keras.Model(encoder.input, [mean, ops.full_like(mean, -math.inf)], name="encoder")


def log_variance_encoder(hidden_units: int, latent_dim: int) -> keras.Model:
    """The reference encoder: the second Dense layer gives the log-variance."""
    return dense_encoder((hidden_units,), latent_dim)


def sigma_encoder(hidden_units: int, latent_dim: int) -> keras.Model:
    """Tutorial 003's first model: the second Dense layer gives sigma, and the variance is sigma^2 + 1e-7.

    Nothing keeps sigma above 0, but only its square counts. The tutorial adds an epsilon of unknown size, and only in
    the logarithm of the KL term; here it is in the draw too.
    """
    return _sigma_encoder(hidden_units, latent_dim, activation=None)


def softplus_sigma_encoder(hidden_units: int, latent_dim: int) -> keras.Model:
    """`sigma_encoder` with a softplus that keeps sigma above 0."""
    return _sigma_encoder(hidden_units, latent_dim, activation="softplus")


PARAMETERISATIONS = {
    LOG_VARIANCE: log_variance_encoder,
    SIGMA: sigma_encoder,
    SOFTPLUS_SIGMA: softplus_sigma_encoder,
}


def squared_error_vae(
    kl_weight: float,
    seed: int,
    learning_rate: float = 1e-3,
    hidden_units: int = 512,
    latent_dim: int = 30,
    parameterisation: str = LOG_VARIANCE,
) -> VAE:
    """Tutorial 003's dense model with summed squared errors, compiled with Adam: 784 -> 512 -> 30-D -> 512 -> 784.

    The tutorial prints no layer sizes: 512 is this suite's choice. A seed gives all PARAMETERISATIONS the same initial
    weights.
    """
    return build_vae(
        lambda: PARAMETERISATIONS[parameterisation](hidden_units, latent_dim),
        lambda: dense_decoder((hidden_units,), latent_dim),
        kl_weight,
        seed,
        keras.optimizers.Adam(learning_rate),
        SQUARED_ERROR,
    )


def plain_autoencoder(
    seed: int, learning_rate: float = 1e-3, hidden_units: int = 512, latent_dim: int = 30
) -> Autoencoder:
    """The autoencoder in the shape of `squared_error_vae`, with the same initial weights for the same seed."""
    return build_vae(
        lambda: noiseless_encoder(hidden_units, latent_dim),
        lambda: dense_decoder((hidden_units,), latent_dim),
        0.0,
        seed,
        keras.optimizers.Adam(learning_rate),
        SQUARED_ERROR,
        kind=Autoencoder,
    )


def check_latent_dim(latent_dim: int) -> None:
    """Raise InputError for a latent size that the figures cannot show."""
    if latent_dim < 3:
        raise InputError(
            f"latent_dim must be at least 3, for principal components in three dimensions, not {latent_dim}"
        )


def watch_first_epochs(vae: VAE, z: np.ndarray) -> training.Recorder:
    """Keeps the images decoded at z before training and after each of the first epochs, as GENERATED.

    z: (N, latent_dim)
    """
    return training.Recorder(range(FIRST_EPOCHS + 1), **{GENERATED: lambda: latent.decode(vae, z)})


def train_parameterisations(
    dataset: Dataset,
    first: pd.DataFrame,
    kl_weight: float,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    hidden_units: int,
    latent_dim: int,
    seed: int,
    seeds: int,
) -> pd.DataFrame:
    """Train each of PARAMETERISATIONS with each of `seeds_from`.

    A seed decides the initial weights, the batches and the noise of all three.

    first: the history of the log-variance with the first seed: the notebook's own VAE, which is not trained again
    returns: the histories one below the other, with the columns parameterisation, seed, initial_rate (of the validation
    images before training, nats/image) and negative_sigma (the share of sigmas below 0 after training; NaN where there
    is no such sigma)
    """
    histories = []
    for name in PARAMETERISATIONS:
        for one_seed in seeds_from(seed, seeds):
            vae = squared_error_vae(kl_weight, one_seed, learning_rate, hidden_units, latent_dim, name)
            about = {"parameterisation": name, "seed": one_seed}
            about["initial_rate"] = float(np.mean(kl_divergence(*latent.encode(vae, dataset.validation_images))))
            if (name, one_seed) == (LOG_VARIANCE, seed):
                history = first
            else:
                history, _ = training.train(vae, dataset, epochs, batch_size, one_seed)
            about["negative_sigma"] = negative_sigma(vae, dataset.validation_images) if name == SIGMA else np.nan
            histories.append(history.assign(**about))
    return pd.concat(histories, ignore_index=True)


def seeds_from(seed: int, seeds: int) -> list[int]:
    """Successive seeds; the largest that NumPy and Keras take is followed by 0."""
    return [(seed + i) % 2**32 for i in range(seeds)]


def negative_sigma(vae: VAE, images: np.ndarray) -> float:
    """Share of the outputs of a `sigma_encoder` that are below 0."""
    sigma = keras.Model(vae.encoder.input, vae.encoder.get_layer("sigma").output)(images)  # (N, latent_dim)
    return float(np.mean(np.asarray(sigma) < 0))


def _sigma_encoder(hidden_units: int, latent_dim: int, activation: str | None) -> keras.Model:
    images = keras.Input(IMAGE_SHAPE, name="images")
    x = layers.Flatten()(images)  # (batch, pixels)
    x = layers.Dense(hidden_units, activation="relu")(x)
    mean = layers.Dense(latent_dim, name="mean")(x)
    sigma = layers.Dense(latent_dim, activation=activation, name="sigma")(x)
    log_var = ops.log(ops.square(sigma) + keras.config.epsilon())
    return keras.Model(images, [mean, log_var], name="encoder")
