"""Likelihoods of the pixels: what a decoder's outputs say about an image, in nats per image.

A VAE holds one of them. Training, every measure and every decoded picture take it from the model.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from functools import lru_cache

import vae_core.backend  # noqa: F401

import keras
import numpy as np
from keras import layers, ops
from scipy.special import entr, logit

from vae_core.parameters import check_choice

SMALLEST_PROBABILITY = 1e-7  # what float32 still tells from 0
LARGEST_PARAMETER = 1 / SMALLEST_PROBABILITY  # of a continuous Bernoulli pixel, whose mean is then so near to 0 or 1
HALF_A_GREY = 0.5 / 255  # how exactly a picture of 8 bits tells a mean
LEAST_LOG_VARIANCE = -12.0  # of a learned variance: a deviation of 0.6 grey levels of 255
VARIANCE_PACE = 10  # times the learning rate, by which Adam changes the logarithm of a learned variance in a step
BLOCK = 8_000_000  # pixels at a time, which are 64 MB in double precision; MNIST's test images are one block
LARGE = 28 * 28  # pixels of an image, above which a block has an eighth of that


@dataclass(frozen=True)
class Likelihood(ABC):
    """p(x|z) as a function of an image and of the decoder's outputs at z.

    Images and outputs have equal shapes, (N, height, width, channels), unless `complete` says otherwise. An instance
    never changes, so that models can share it. Keras stores it with the model: every subclass is registered, and its
    fields are its config.

    density: whether p(x|z) is a density over grey values, whose -log may be below 0; else pixels are black or white
    """

    density = True

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

    def complete(self, decoder: keras.Model) -> keras.Model:
        """The decoder of the mean image with all that the likelihood takes in its outputs; most need no more."""
        return decoder

    def mean(self, outputs):
        """The expected image, sigmoid(outputs)."""
        return ops.sigmoid(outputs)

    def outputs(self, mean: np.ndarray) -> np.ndarray:
        """The decoder outputs whose `mean` is this image, as float32; probabilities of 0 and 1 are clipped."""
        return logit(_clipped(mean, SMALLEST_PROBABILITY)).astype(np.float32)

    def shared_outputs(self, images: np.ndarray) -> np.ndarray:
        """The outputs that a decoder without information gives all these images: (height, width, channels)."""
        return self.outputs(sum(block.sum(axis=0) for block in _blocks(images)) / len(images))

    def learned(self, decoder: keras.Model) -> dict[str, float]:
        """What training has found out beside the images, by name, from the decoder that `complete` returned."""
        return {}

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

    density = False

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
        return _mean_of_sums(lambda x: entr(x) + entr(1 - x), images)


@dataclass(frozen=True)
class ContinuousBernoulli(Likelihood):
    """Independent pixels in [0, 1]: the Bernoulli's cross-entropy with the constant that makes it a density.

    -log p(x|z) = sum over pixels of log((exp(l) - 1) / l) - x l
                = sum over pixels of log((1 - exp(-a)) / a) + a d,  a = abs(l)

    d is the distance of x from the end where the density is highest: 0 if l < 0, else 1. The output l is the logit of
    lambda in Loaiza-Ganem and Cunningham 2019, arXiv:1907.06845; the mean is not lambda. At l = 0 the density is 1
    everywhere. At x = 0 and x = 1 it has no upper bound: there -log p(x|z) falls like -log a for ever, while the mean
    comes near x like 1 / a. Outputs beyond LARGEST_PARAMETER count as that.
    """

    def nll(self, images, outputs):
        """See `Likelihood.nll`."""
        dark, size = outputs < 0, _size(outputs)
        return ops.sum(ops.where(dark, images, 1 - images) * size + _log_norm(size), axis=_pixels(images))

    def nll_pairs(self, images, outputs):
        """See `Likelihood.nll_pairs`."""
        x, parameters = _flat(images), _flat(_within(outputs))  # (N, pixels), (M, pixels)
        alone = ops.sum(ops.relu(parameters) + _log_norm(_size(parameters)), axis=1)  # (M,)
        return alone - ops.matmul(x, ops.transpose(parameters))

    def mean(self, outputs):
        """The expected image, 1 / (1 - exp(-l)) - 1/l, which is 1/2 at l = 0."""
        near, far = _near_and_far(size := _size(outputs))
        square = ops.square(near)
        series = 0.5 - near * (1 / 12 - square * (1 / 720 - square * (1 / 30240 - square / 1209600)))
        distance = ops.where(size < 1, series, 1 / far + ops.exp(-far) / ops.expm1(-far))
        return ops.where(outputs < 0, distance, 1 - distance)

    def outputs(self, mean):
        """See `Likelihood.outputs`; means are clipped half a grey level of 255 from 0 and 1."""
        return self.parameters(_clipped(mean, HALF_A_GREY)).astype(np.float32)

    def parameters(self, mean: np.ndarray) -> np.ndarray:
        """The outputs with these means, as float64: interpolated, with a relative error of 1e-6 at most."""
        return np.interp(mean, *_means_and_parameters())

    def draw(self, outputs, seed):
        """Grey pixels: d = -log(1 - u (1 - exp(-a))) / a, the inverse distribution function, of a uniform u."""
        size = ops.maximum(_size(outputs), 1e-6)  # at 0 the limit is u itself
        uniform = keras.random.uniform(ops.shape(outputs), seed=seed)
        distance = -ops.log1p(uniform * ops.expm1(-size)) / size
        return ops.where(outputs < 0, distance, 1 - distance)

    def floor(self, images):
        """The sum over pixels of -log p(x) where the mean is x, or comes nearest: -16.1 each where x is 0 or 1."""

        def least(x):
            size = np.maximum(np.abs(self.parameters(x)), 1e-12)  # not 0 / 0
            return np.minimum(x, 1 - x) * size + np.log(-np.expm1(-size) / size)

        return _mean_of_sums(least, images)


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
class GaussianLearnedVariance(Likelihood):
    """`Gaussian` with one variance for all pixels, trained with the weights.

    Rybkin, Daniilidis and Levine 2021, arXiv:2006.13202 ("shared sigma"). The last channel of the outputs, equal in all
    pixels, holds its logarithm s, softly limited as in their code: log variance = -12 + softplus(s + 12).
    """

    def complete(self, decoder):
        """With a layer that adds the channel. It starts at variance 1."""
        return keras.Model(decoder.input, SharedLogVariance()(decoder.output), name=decoder.name)

    def variance(self, outputs):
        """The variance that the outputs hold: (N,)."""
        return ops.exp(LEAST_LOG_VARIANCE + ops.softplus(outputs[:, 0, 0, -1] - LEAST_LOG_VARIANCE))

    def nll(self, images, outputs):
        """See `Likelihood.nll`."""
        return Gaussian(self.variance(outputs)).nll(images, outputs[..., :-1])

    def nll_pairs(self, images, outputs):
        """See `Likelihood.nll_pairs`."""
        return Gaussian(self.variance(outputs)).nll_pairs(images, outputs[..., :-1])

    def mean(self, outputs):
        """The expected image, sigmoid(outputs) without the last channel."""
        return super().mean(outputs[..., :-1])

    def outputs(self, mean):
        """See `Likelihood.outputs`; the variance is the least."""
        return _with_channel(super().outputs(mean), 2 * LEAST_LOG_VARIANCE)

    def shared_outputs(self, images):
        """See `Likelihood.shared_outputs`; the variance is that of the images around their mean."""
        outputs = super().shared_outputs(images)
        mean = np.asarray(self.mean(outputs))  # (height, width, channels)
        excess = max(math.log(_mean_of_sums(lambda x: np.square(x - mean), images) / mean.size), -11) + 12
        return _with_channel(outputs[..., :-1], math.log(math.expm1(excess)) + LEAST_LOG_VARIANCE)

    def learned(self, decoder):
        """The variance, which the last layer holds whatever the images are."""
        return {"learned_variance": float(self.variance(decoder.layers[-1](np.zeros((1, 1, 1, 1))))[0])}

    def draw(self, outputs, seed):
        """The mean with noise."""
        return Gaussian(self.variance(outputs)[:, None, None, None]).draw(outputs[..., :-1], seed)

    def floor(self, images):
        """Every pixel decoded to its own value, at the least variance."""
        return Gaussian(math.exp(LEAST_LOG_VARIANCE)).floor(images)


@keras.saving.register_keras_serializable("vae_core")
class SharedLogVariance(layers.Layer):
    """Adds a channel that holds one trained number: (N, height, width, channels) to (N, height, width, channels + 1).

    The number is VARIANCE_PACE times the weight. Adam changes a weight by about the learning rate in a step, whatever
    the gradient, and the variance has farther to go than other weights: from 1 to 0.03 on MNIST, 3.5 in its logarithm.
    """

    def build(self, input_shape):
        """One weight, which starts at 0."""
        self.weight = self.add_weight(shape=(), initializer="zeros", name="log_variance")

    def call(self, images):
        """Append the channel."""
        channel = ops.zeros_like(images[..., :1]) + VARIANCE_PACE * self.weight
        return ops.concatenate([images, channel], axis=-1)


@dataclass(frozen=True)
class SquaredError(Gaussian):
    """`Gaussian` of variance 1/2 without its constant: the sum over pixels of (x - sigmoid(output))^2."""

    variance: float = 0.5

    def constant(self, pixels: int):
        """Left out: 0 in place of pixels/2 log(pi)."""
        return 0.0


BERNOULLI = Bernoulli()
SQUARED_ERROR = SquaredError()


def likelihood_of(name: str, pixel_variance: float = 1.0) -> Likelihood:
    """The likelihood that `train_vae` calls by this name; pixel_variance: that of `gaussian`, the others take none.

    Raises InputError for another name.
    """
    likelihoods = {
        "bernoulli": BERNOULLI,
        "continuous_bernoulli": ContinuousBernoulli(),
        "gaussian": Gaussian(pixel_variance),
        "gaussian_learned_variance": GaussianLearnedVariance(),
    }
    check_choice("likelihood", name, tuple(likelihoods))
    return likelihoods[name]


def _pixels(images) -> tuple[int, ...]:
    return tuple(range(1, len(images.shape)))


def _flat(images):
    return ops.reshape(images, (images.shape[0], -1))  # (N, pixels)


def _clipped(mean: np.ndarray, margin: float) -> np.ndarray:
    return np.clip(np.asarray(mean, np.float64), margin, 1 - margin)


def _with_channel(outputs: np.ndarray, number: float) -> np.ndarray:
    return np.concatenate([outputs, np.full_like(outputs[..., :1], number)], axis=-1)


def _mean_of_sums(function: Callable[[np.ndarray], np.ndarray], images: np.ndarray) -> float:
    """The sum over pixels of a function of each image, mean over the images."""
    return float(sum(function(block).sum() for block in _blocks(images)) / len(images))


def _blocks(images: np.ndarray) -> Iterator[np.ndarray]:
    """The images in blocks of about BLOCK pixels, or an eighth of that, in double precision."""
    pixels = math.prod(images.shape[1:])
    size = max(1, (BLOCK if pixels <= LARGE else BLOCK // 8) // pixels)
    for start in range(0, len(images), size):
        yield np.asarray(images[start : start + size], np.float64)


def _within(outputs):
    return ops.clip(outputs, -LARGEST_PARAMETER, LARGEST_PARAMETER)


def _size(outputs):
    """The absolute value a of l; its derivative at 0 is 1, as the two cases of d have it, where that of abs is 0."""
    parameters = _within(outputs)
    return ops.where(parameters < 0, -parameters, parameters)


def _near_and_far(size):
    """The argument of the series near 0, and of the formula elsewhere: each is 1 where the other is taken.

    So no gradient is 0 times infinity.
    """
    return ops.minimum(size, 1.0), ops.maximum(size, 1.0)


def _log_norm(size):
    """log((1 - exp(-a)) / a); below 1 its series, since the derivative of the formula loses all digits at 0."""
    near, far = _near_and_far(size)
    square = ops.square(near)
    series = square * (1 / 24 - square * (1 / 2880 - square * (1 / 181440 - square / 9676800))) - near / 2
    return ops.where(size < 1, series, ops.log(-ops.expm1(-far) / far))


@lru_cache
def _means_and_parameters() -> tuple[np.ndarray, np.ndarray]:
    """A table: means of a continuous Bernoulli pixel, ascending, and the outputs that have them."""
    limit = np.arcsinh(LARGEST_PARAMETER)
    parameters = np.clip(np.sinh(np.linspace(-limit, limit, 40_001)), -LARGEST_PARAMETER, LARGEST_PARAMETER)
    return np.asarray(ContinuousBernoulli().mean(parameters)), parameters
