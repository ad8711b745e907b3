"""Likelihoods of the pixels: what a decoder's outputs say about an image, in nats per image.

A VAE holds one of them. Training, every measure and every decoded picture take it from the model.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, fields

import vae_core.backend  # noqa: F401

import keras
import numpy as np
from keras import ops
from scipy.special import entr, logit

SMALLEST_PROBABILITY = 1e-7  # what float32 still tells from 0


@dataclass(frozen=True)
class Likelihood(ABC):
    """p(x|z) as a function of an image and of the decoder's outputs at z.

    Images and outputs have equal shapes, (N, height, width, channels). An instance never changes, so that models can
    share it. Keras stores it with the model: every subclass is registered, and its fields are its config.
    """

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        keras.saving.register_keras_serializable(cls.__module__)(cls)

    def get_config(self) -> dict:
        """The fields, by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_config(cls, config: dict):
        """The likelihood with these fields."""
        return cls(**keras.saving.deserialize_keras_object(config))

    @abstractmethod
    def nll(self, images, outputs):
        """-log p(x|z) of each image under the outputs in its place: (N,), nats per image."""

    @abstractmethod
    def nll_pairs(self, images, outputs):
        """-log p(x|z) of every image under every output, by one matrix product.

        images: (N, height, width, channels), outputs: (M, height, width, channels)
        returns: (N, M), nats per image
        """

    def mean(self, outputs):
        """The expected image, sigmoid(outputs)."""
        return ops.sigmoid(outputs)

    def outputs(self, mean: np.ndarray) -> np.ndarray:
        """The decoder outputs whose `mean` is this image, as float32; probabilities of 0 and 1 are clipped."""
        clipped = np.clip(np.asarray(mean, np.float64), SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY)
        return logit(clipped).astype(np.float32)

    @abstractmethod
    def draw(self, outputs, seed):
        """One image from p(x|z) for each output, in the shape of the outputs.

        seed: an integer or a `keras.random.SeedGenerator`
        """

    @abstractmethod
    def floor(self, images: np.ndarray) -> float:
        """The least distortion that any decoder can reach on these images, mean over images, in nats per image."""


@dataclass(frozen=True)
class Bernoulli(Likelihood):
    """Independent Bernoulli pixels with p(pixel = 1) = sigmoid(output).

    -log p(x|z) = sum over pixels of softplus(l) - x l

    For grey-scale x in [0, 1] this is a cross-entropy, not a normalised likelihood: its floor is the sum of the pixels'
    own binary entropies (Loaiza-Ganem and Cunningham 2019, arXiv:1907.06845).
    """

    def nll(self, images, outputs):
        """See `Likelihood.nll`."""
        return ops.sum(ops.binary_crossentropy(images, outputs, from_logits=True), axis=_pixels(images))

    def nll_pairs(self, images, outputs):
        """See `Likelihood.nll_pairs`."""
        x, logits = _flat(images), _flat(outputs)  # (N, pixels), (M, pixels)
        return ops.sum(ops.softplus(logits), axis=1) - ops.matmul(x, ops.transpose(logits))

    def draw(self, outputs, seed):
        """Black or white pixels."""
        uniform = keras.random.uniform(ops.shape(outputs), seed=seed)
        return ops.cast(uniform < self.mean(outputs), outputs.dtype)

    def floor(self, images):
        """The sum over pixels of H(x) = -x log x - (1 - x) log(1 - x): every pixel decoded to its own value."""
        x = images.astype(np.float64)
        return float((entr(x) + entr(1 - x)).sum() / len(x))


@dataclass(frozen=True)
class Gaussian(Likelihood):
    """Independent Gaussian pixels around sigmoid(output), all with the same variance.

    -log p(x|z) = 1/2 sum over pixels of (x - mean)^2 / variance + log(2 pi variance)

    It is below 0 where the density is above 1.
    """

    variance: float = 1.0

    def nll(self, images, outputs):
        """See `Likelihood.nll`."""
        squares = ops.sum(ops.square(images - self.mean(outputs)), axis=_pixels(images))  # (N,)
        return 0.5 * squares / self.variance + self.constant(math.prod(images.shape[1:]))

    def nll_pairs(self, images, outputs):
        """See `Likelihood.nll_pairs`."""
        x, mean = _flat(images), _flat(self.mean(outputs))  # (N, pixels), (M, pixels)
        squares = ops.sum(ops.square(x), axis=1)[:, None] - 2 * ops.matmul(x, ops.transpose(mean))  # (N, M)
        squares += ops.sum(ops.square(mean), axis=1)
        return 0.5 * squares / self.variance + self.constant(x.shape[1])

    def draw(self, outputs, seed):
        """The mean with noise."""
        noise = keras.random.normal(ops.shape(outputs), seed=seed)
        return self.mean(outputs) + ops.sqrt(self.variance) * noise

    def floor(self, images):
        """The constant: every pixel decoded to its own value."""
        return float(self.constant(math.prod(images.shape[1:])))

    def constant(self, pixels: int):
        """What an image costs without any error: pixels/2 log(2 pi variance)."""
        return 0.5 * pixels * ops.log(2 * math.pi * self.variance)


@dataclass(frozen=True)
class SquaredError(Gaussian):
    """`Gaussian` of variance 1/2 without its constant: the sum over pixels of (x - sigmoid(output))^2."""

    variance: float = 0.5

    def constant(self, pixels: int):
        """Left out: 0 in place of pixels/2 log(pi)."""
        return 0.0


BERNOULLI = Bernoulli()
SQUARED_ERROR = SquaredError()


def _pixels(images) -> tuple[int, ...]:
    return tuple(range(1, len(images.shape)))


def _flat(images):
    return ops.reshape(images, (images.shape[0], -1))  # (N, pixels)
