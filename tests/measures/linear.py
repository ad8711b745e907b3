"""A linear VAE with Gaussian pixels: its -log p(x) and its posteriors are known."""

from dataclasses import dataclass

import keras
import numpy as np

from vae_core.likelihoods import Gaussian
from vae_core.models import VAE


@dataclass(frozen=True)
class LinearGaussian(Gaussian):
    """Pixels of variance 1 around the decoder's outputs themselves."""

    def mean(self, outputs):
        return outputs

    def outputs(self, mean):
        return np.asarray(mean, "float32")


def linear_vae(weights: np.ndarray, latent_dim: int, kl_weight: float = 1.0) -> VAE:
    """x = z W + b + noise of N(0, I); a linear encoder, whose log-variances do not depend on the image."""
    pixels = weights.shape[1]
    images = keras.Input((pixels, 1, 1))
    flat = keras.layers.Flatten()(images)
    log_var = keras.layers.Dense(latent_dim, kernel_initializer="zeros", name="log_var")(flat)
    encoder = keras.Model(images, [keras.layers.Dense(latent_dim, name="mean")(flat), log_var])
    decoder = keras.Sequential(
        [keras.Input((latent_dim,)), keras.layers.Dense(pixels), keras.layers.Reshape((pixels, 1, 1))]
    )
    decoder.set_weights([weights.astype("float32"), np.zeros(pixels, "float32")])
    return VAE(encoder, decoder, kl_weight, seed=0, likelihood=LinearGaussian())


def gaussian_images(rng, weights: np.ndarray, number: int) -> np.ndarray:
    latent_dim, pixels = weights.shape
    x = rng.normal(size=(number, latent_dim)) @ weights + rng.normal(size=(number, pixels))
    return x.reshape(number, pixels, 1, 1).astype("float32")
