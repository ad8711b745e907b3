"""Tutorial 001's two models: a convolutional one, and a dense one with layers of 500 and 200 units."""

import vae_core.backend  # noqa: F401

import keras

from vae_core.models import VAE, build_vae, conv_decoder, conv_encoder, dense_decoder, dense_encoder


def conv_vae(kl_weight: float, seed: int, learning_rate: float = 1e-4) -> VAE:
    """The convolutional model with a latent plane, compiled with Adam."""
    adam = keras.optimizers.Adam(learning_rate)
    return build_vae(conv_encoder, conv_decoder, kl_weight, seed, adam, jit_compile=False)


def dense_vae(kl_weight: float, seed: int, learning_rate: float = 1e-4) -> VAE:
    """The dense model, compiled with Adam: 784 -> 500 -> 200 -> 2-D Gaussian -> 200 -> 500 -> 784."""
    adam = keras.optimizers.Adam(learning_rate)
    return build_vae(lambda: dense_encoder((500, 200)), lambda: dense_decoder((200, 500)), kl_weight, seed, adam)


ARCHITECTURES = {"conv": conv_vae, "dense": dense_vae}  # by the value of the notebook's parameter
