"""Tutorial 002's model: four convolutions, two transposed convolutions, and a latent plane."""

import vae_core.backend  # noqa: F401

import keras
from keras import layers

from vae_core.data import IMAGE_SHAPE
from vae_core.models import VAE, build_vae, gaussian_encoder


def four_conv_encoder(latent_dim: int = 2) -> keras.Model:
    """Four convolutions, of which one halves the image, and a Dense relu layer of 32 units."""
    images = keras.Input(IMAGE_SHAPE, name="images")
    x = layers.Conv2D(32, 3, padding="same", activation="relu")(images)  # (batch, 28, 28, 32)
    x = layers.Conv2D(64, 3, strides=2, padding="same", activation="relu")(x)  # (batch, 14, 14, 64)
    x = layers.Conv2D(64, 3, padding="same", activation="relu")(x)
    x = layers.Conv2D(64, 3, padding="same", activation="relu")(x)
    x = layers.Flatten()(x)  # (batch, 12544)
    x = layers.Dense(32, activation="relu")(x)
    return gaussian_encoder(images, x, latent_dim)


def four_conv_decoder(latent_dim: int = 2) -> keras.Model:
    """A Dense relu layer and two transposed convolutions."""
    z = keras.Input((latent_dim,), name="z")
    x = layers.Dense(14 * 14 * 64, activation="relu")(z)
    x = layers.Reshape((14, 14, 64))(x)  # (batch, 14, 14, 64)
    x = layers.Conv2DTranspose(32, 3, strides=2, padding="same", activation="relu")(x)  # (batch, 28, 28, 32)
    outputs = layers.Conv2DTranspose(1, 3, padding="same", name="outputs")(x)  # (batch, 28, 28, 1)
    return keras.Model(z, outputs, name="decoder")


def four_conv_vae(kl_weight: float, seed: int, learning_rate: float = 1e-3) -> VAE:
    """The model with 550,629 parameters, compiled with Adam."""
    adam = keras.optimizers.Adam(learning_rate)
    return build_vae(four_conv_encoder, four_conv_decoder, kl_weight, seed, adam, jit_compile=False)
