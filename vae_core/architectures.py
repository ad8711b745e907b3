"""The encoders and decoders of the seed documents, each with its VAE, beside the reference one in `models`.

All decoders end in logits, where the seeds' end in probabilities. Whatever the architecture, an encoder maps images,
(batch, 28, 28, 1), to mean and log-variance of q(z|x), (batch, latent_dim) each, and a decoder maps latent points,
(batch, latent_dim), to logits, (batch, 28, 28, 1). The conditional ones take one-hot labels, (batch, classes), as well.
"""

import math
from collections.abc import Callable

import vae_core.backend  # noqa: F401

import keras
from keras import layers, ops

from vae_core.data import IMAGE_SHAPE
from vae_core.losses import squared_error
from vae_core.models import VAE, mlp_decoder, mlp_encoder


def gelu_encoder(latent_dim: int = 10) -> keras.Model:
    """Seed 000's: two Dense GELU layers of 150 and 100 units."""
    images = keras.Input(IMAGE_SHAPE, name="images")
    x = layers.Flatten()(images)  # (batch, 784)
    x = layers.Dense(150, activation="gelu")(x)
    x = layers.Dense(100, activation="gelu")(x)
    return _encoder(images, x, latent_dim)


def gelu_decoder(latent_dim: int = 10) -> keras.Model:
    """Seed 000's: two Dense GELU layers of 100 and 150 units."""
    z = keras.Input((latent_dim,), name="z")
    x = layers.Dense(100, activation="gelu")(z)
    x = layers.Dense(150, activation="gelu")(x)
    x = layers.Dense(28 * 28)(x)
    return keras.Model(z, layers.Reshape(IMAGE_SHAPE, name="logits")(x), name="decoder")  # (batch, 28, 28, 1)


def dense_encoder(latent_dim: int = 2) -> keras.Model:
    """Seed 001's dense model: two Dense relu layers of 500 and 200 units."""
    images = keras.Input(IMAGE_SHAPE, name="images")
    x = layers.Flatten()(images)  # (batch, 784)
    x = layers.Dense(500, activation="relu")(x)
    x = layers.Dense(200, activation="relu")(x)
    return _encoder(images, x, latent_dim)


def dense_decoder(latent_dim: int = 2) -> keras.Model:
    """Seed 001's dense model: two Dense relu layers of 200 and 500 units."""
    z = keras.Input((latent_dim,), name="z")
    x = layers.Dense(200, activation="relu")(z)
    x = layers.Dense(500, activation="relu")(x)
    x = layers.Dense(28 * 28)(x)
    return keras.Model(z, layers.Reshape(IMAGE_SHAPE, name="logits")(x), name="decoder")  # (batch, 28, 28, 1)


def conv_encoder(latent_dim: int = 2) -> keras.Model:
    """Seed 001's: two strided convolutions without padding."""
    images = keras.Input(IMAGE_SHAPE, name="images")
    x = layers.Conv2D(32, 3, strides=2, activation="relu")(images)  # (batch, 13, 13, 32)
    x = layers.Conv2D(64, 3, strides=2, activation="relu")(x)  # (batch, 6, 6, 64)
    x = layers.Flatten()(x)  # (batch, 2304)
    return _encoder(images, x, latent_dim)


def conv_decoder(latent_dim: int = 2) -> keras.Model:
    """Seed 001's: a Dense relu layer and three transposed convolutions."""
    z = keras.Input((latent_dim,), name="z")
    x = layers.Dense(7 * 7 * 32, activation="relu")(z)
    x = layers.Reshape((7, 7, 32))(x)  # (batch, 7, 7, 32)
    x = layers.Conv2DTranspose(64, 3, strides=2, padding="same", activation="relu")(x)  # (batch, 14, 14, 64)
    x = layers.Conv2DTranspose(32, 3, strides=2, padding="same", activation="relu")(x)  # (batch, 28, 28, 32)
    logits = layers.Conv2DTranspose(1, 3, padding="same", name="logits")(x)  # (batch, 28, 28, 1)
    return keras.Model(z, logits, name="decoder")


def four_conv_encoder(latent_dim: int = 2) -> keras.Model:
    """Seed 002's: four convolutions, of which one halves the image, and a Dense relu layer of 32 units."""
    images = keras.Input(IMAGE_SHAPE, name="images")
    x = layers.Conv2D(32, 3, padding="same", activation="relu")(images)  # (batch, 28, 28, 32)
    x = layers.Conv2D(64, 3, strides=2, padding="same", activation="relu")(x)  # (batch, 14, 14, 64)
    x = layers.Conv2D(64, 3, padding="same", activation="relu")(x)
    x = layers.Conv2D(64, 3, padding="same", activation="relu")(x)
    x = layers.Flatten()(x)  # (batch, 12544)
    x = layers.Dense(32, activation="relu")(x)
    return _encoder(images, x, latent_dim)


def four_conv_decoder(latent_dim: int = 2) -> keras.Model:
    """Seed 002's: a Dense relu layer and two transposed convolutions."""
    z = keras.Input((latent_dim,), name="z")
    x = layers.Dense(14 * 14 * 64, activation="relu")(z)
    x = layers.Reshape((14, 14, 64))(x)  # (batch, 14, 14, 64)
    x = layers.Conv2DTranspose(32, 3, strides=2, padding="same", activation="relu")(x)  # (batch, 28, 28, 32)
    logits = layers.Conv2DTranspose(1, 3, padding="same", name="logits")(x)  # (batch, 28, 28, 1)
    return keras.Model(z, logits, name="decoder")


def conditional_conv_decoder(latent_dim: int = 10, classes: int = 10) -> keras.Model:
    """`conv_decoder` with the label joined to the code: [z, label], latent_dim + classes numbers, to logits.

    As in seed 003, which prints no layers: the convolutions are seed 001's.
    """
    z = keras.Input((latent_dim,), name="z")
    label = keras.Input((classes,), name="label")
    x = layers.Concatenate()([z, label])  # (batch, latent_dim + classes)
    x = layers.Dense(7 * 7 * 32, activation="relu")(x)
    x = layers.Reshape((7, 7, 32))(x)  # (batch, 7, 7, 32)
    x = layers.Conv2DTranspose(64, 3, strides=2, padding="same", activation="relu")(x)  # (batch, 14, 14, 64)
    x = layers.Conv2DTranspose(32, 3, strides=2, padding="same", activation="relu")(x)  # (batch, 28, 28, 32)
    logits = layers.Conv2DTranspose(1, 3, padding="same", name="logits")(x)  # (batch, 28, 28, 1)
    return keras.Model([z, label], logits, name="decoder")


def labelled_conv_encoder(latent_dim: int = 10, classes: int = 10) -> keras.Model:
    """`conv_encoder` with the label as ten more channels, each one number all over: [images, label] to q(z|x, y)."""
    images = keras.Input(IMAGE_SHAPE, name="images")
    label = keras.Input((classes,), name="label")
    planes = layers.RepeatVector(28 * 28)(label)  # (batch, 784, classes)
    planes = layers.Reshape((28, 28, classes))(planes)  # (batch, 28, 28, classes)
    x = layers.Concatenate()([images, planes])  # (batch, 28, 28, 1 + classes)
    x = layers.Conv2D(32, 3, strides=2, activation="relu")(x)  # (batch, 13, 13, 32)
    x = layers.Conv2D(64, 3, strides=2, activation="relu")(x)  # (batch, 6, 6, 64)
    x = layers.Flatten()(x)  # (batch, 2304)
    return _encoder([images, label], x, latent_dim)


def sigma_encoder(hidden_units: int = 512, latent_dim: int = 30) -> keras.Model:
    """`models.mlp_encoder`, its second layer taken for sigma, as in seed 003: variance sigma^2 + 1e-7.

    The epsilon is ours, in the draw too: the seed has one of unknown size, in the KL term's logarithm alone. Nothing
    keeps sigma above 0: the sign is lost in the square (`mistakes.UnconstrainedSigma` shows what that costs).
    """
    return _sigma_encoder(hidden_units, latent_dim, activation=None)


def softplus_sigma_encoder(hidden_units: int = 512, latent_dim: int = 30) -> keras.Model:
    """`models.mlp_encoder`, its second layer followed by a softplus and taken for sigma: variance sigma^2 + 1e-7."""
    return _sigma_encoder(hidden_units, latent_dim, activation="softplus")


def noiseless_encoder(hidden_units: int = 512, latent_dim: int = 30) -> keras.Model:
    """The plain autoencoder's: the mean of `models.mlp_encoder`, at a log-variance of minus infinity: no noise."""
    encoder = mlp_encoder(hidden_units, latent_dim)  # with the log-variance's layer: it takes its share of the seed
    mean, _ = encoder.outputs
    return keras.Model(encoder.input, [mean, ops.full_like(mean, -math.inf)], name="encoder")


def gelu_vae(kl_weight: float, seed: int, learning_rate: float = 1e-3, latent_dim: int = 10) -> VAE:
    """Seed 000's model, compiled with RMSprop: 784 -> 150 -> 100 -> 10-D Gaussian -> 100 -> 150 -> 784 logits."""
    keras.utils.set_random_seed(seed)
    vae = VAE(gelu_encoder(latent_dim), gelu_decoder(latent_dim), kl_weight, seed)
    vae.compile(optimizer=keras.optimizers.RMSprop(learning_rate), jit_compile=True)
    return vae


def dense_vae(kl_weight: float, seed: int, learning_rate: float = 1e-4, latent_dim: int = 2) -> VAE:
    """Seed 001's dense model, compiled with Adam: 784 -> 500 -> 200 -> 2-D Gaussian -> 200 -> 500 -> 784 logits."""
    keras.utils.set_random_seed(seed)
    vae = VAE(dense_encoder(latent_dim), dense_decoder(latent_dim), kl_weight, seed)
    vae.compile(optimizer=keras.optimizers.Adam(learning_rate), jit_compile=True)
    return vae


def conv_vae(kl_weight: float, seed: int, learning_rate: float = 1e-4, latent_dim: int = 2) -> VAE:
    """Seed 001's convolutional model, compiled with Adam."""
    keras.utils.set_random_seed(seed)
    vae = VAE(conv_encoder(latent_dim), conv_decoder(latent_dim), kl_weight, seed)
    vae.compile(optimizer=keras.optimizers.Adam(learning_rate), jit_compile=False)
    return vae


def four_conv_vae(kl_weight: float, seed: int, learning_rate: float = 1e-3, latent_dim: int = 2) -> VAE:
    """Seed 002's model, compiled with Adam; 550,629 parameters at two latent dimensions."""
    keras.utils.set_random_seed(seed)
    vae = VAE(four_conv_encoder(latent_dim), four_conv_decoder(latent_dim), kl_weight, seed)
    vae.compile(optimizer=keras.optimizers.Adam(learning_rate), jit_compile=False)
    return vae


def squared_error_vae(
    kl_weight: float,
    seed: int,
    learning_rate: float = 1e-3,
    hidden_units: int = 512,
    latent_dim: int = 30,
    encoder: Callable = mlp_encoder,
) -> VAE:
    """Seed 003's dense model with summed squared errors, compiled with Adam: 784 -> 512 -> 30-D -> 512 -> 784.

    The seed document prints no layer sizes: the 512 are ours. The seed fixes the initial weights, whichever of
    `mlp_encoder`, `sigma_encoder` and `softplus_sigma_encoder` is the encoder.
    """
    keras.utils.set_random_seed(seed)
    vae = VAE(encoder(hidden_units, latent_dim), mlp_decoder(hidden_units, latent_dim), kl_weight, seed, squared_error)
    vae.compile(optimizer=keras.optimizers.Adam(learning_rate), jit_compile=True)
    return vae


def _encoder(images, x, latent_dim: int) -> keras.Model:
    mean = layers.Dense(latent_dim, name="mean")(x)
    log_var = layers.Dense(latent_dim, name="log_var")(x)
    return keras.Model(images, [mean, log_var], name="encoder")


def _sigma_encoder(hidden_units: int, latent_dim: int, activation: str | None) -> keras.Model:
    images = keras.Input(IMAGE_SHAPE, name="images")
    x = layers.Flatten()(images)  # (batch, 784)
    x = layers.Dense(hidden_units, activation="relu")(x)
    mean = layers.Dense(latent_dim, name="mean")(x)
    sigma = layers.Dense(latent_dim, activation=activation, name="sigma")(x)
    log_var = ops.log(ops.square(sigma) + keras.config.epsilon())
    return keras.Model(images, [mean, log_var], name="encoder")
