"""Checks of the exercise: each says in one line that a function is right, or which mistake it has.

A function is called on fixed numbers, and what it returns is compared with the right values, and then with those of
common mistakes. All of these are NumPy's, written apart from the lesson.
"""

from collections.abc import Callable, Mapping
from types import CodeType

import vae_core.backend  # noqa: F401

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from scipy.special import expit

from vae_core.data import Dataset
from vae_core.errors import InputError
from vae_core.lessons.vae_from_scratch.measures import beside_vae_core
from vae_core.likelihoods import BERNOULLI
from vae_core.losses import kl_divergence
from vae_core.models import reference_vae

BLANK = None  # what the exercise has where something is to be filled in
CLOSE = 1e-4  # nats: what two trainings of the same model may differ by
MESSAGE = 200  # letters of an error that a function raises
ROWS, LATENT_DIM = 5, 2

_random = np.random.default_rng(0)
MEAN, LOG_VAR, NOISE = _random.normal(size=(3, ROWS, LATENT_DIM)).astype(np.float32)
IMAGES = _random.uniform(0.1, 0.9, (ROWS, 4, 3, 1)).astype(np.float32)
LOGITS = _random.normal(size=IMAGES.shape).astype(np.float32)
DISTORTION, RATE = _random.uniform(1, 9, (2, ROWS)).astype(np.float32)
KL_WEIGHT = 0.5


def encoder_and_decoder(build: Callable, image_shape: tuple[int, int, int]) -> str:
    """Check the function that makes an encoder and a decoder. Raises InputError with the mistake."""
    encoder, decoder = _called(build)
    many = 1000 * np.random.default_rng(0).standard_normal((200, *image_shape), np.float32)
    outputs = encoder(many)
    if not isinstance(outputs, list | tuple) or [tuple(part.shape) for part in outputs] != 2 * [(200, LATENT_DIM)]:
        raise InputError(
            f"build: the encoder has to have two outputs of {LATENT_DIM} numbers for each image, mean and log-variance"
        )
    for name, part in zip(("mean", "log-variance"), outputs, strict=True):
        if np.min(part) >= 0 or np.max(np.abs(part)) <= 1:
            raise InputError(f"build: the {name} may be any number, so its layer must have no activation")
    if np.allclose(*outputs):
        raise InputError("build: mean and log-variance are one and the same layer, and each needs its own")
    logits = decoder(1000 * np.random.default_rng(1).standard_normal((200, LATENT_DIM), np.float32))
    if tuple(logits.shape) != (200, *image_shape):
        raise InputError(f"build: the decoder gives {tuple(logits.shape[1:])} for one z, and an image is {image_shape}")
    if np.min(logits) >= 0:
        raise InputError("build: the decoder's logits may be any number, so its last layer must have no activation")
    return "build is right"


def draw(function: Callable) -> str:
    """Check the reparameterised draw. Raises InputError with the mistake."""
    code = [tf.constant(part) for part in (MEAN, LOG_VAR)]
    with tf.GradientTape() as tape:
        tape.watch(code)
        z = _called(function, *code, NOISE)
    if not np.array_equal(z, _called(function, *code, NOISE)):
        raise InputError("draw: it makes noise of its own, so that no two calls agree: use the noise that it is given")
    variance, deviation = np.exp(LOG_VAR), np.exp(LOG_VAR / 2)
    mistakes = {
        "the noise is missing, so that z is the mean": MEAN,
        "the mean is missing": deviation * NOISE,
        "exp(log_var) is the variance, and the noise takes the deviation: exp(log_var / 2)": MEAN + variance * NOISE,
        "log_var is not yet a deviation: that is exp(log_var / 2)": MEAN + LOG_VAR * NOISE,
        "log_var / 2 is the logarithm of the deviation: the exp is missing": MEAN + LOG_VAR / 2 * NOISE,
        "the deviation is missing: the noise is to be multiplied by exp(log_var / 2)": MEAN + NOISE,
        "the noise is subtracted: that is the same cloud, but other numbers than vae_core's": MEAN - deviation * NOISE,
    }
    _compare("draw", z, MEAN + deviation * NOISE, mistakes)
    gradients = tape.gradient(z, code) if tf.is_tensor(z) else [None]
    if any(gradient is None for gradient in gradients):
        raise InputError("draw: the numbers are right, but no gradient reaches mean and log_var: use ops, not NumPy")
    return "draw is right"


def distortion(function: Callable) -> str:
    """Check -log p(x|z) of Bernoulli pixels. Raises InputError with the mistake."""
    pixels = _cross_entropy(IMAGES, LOGITS)
    clipped = np.clip(LOGITS, 1e-7, 1 - 1e-7)  # by Keras, which takes them for probabilities
    mistakes = {
        "the sign is wrong: it has to be -log p(x|z), which is positive": -_sums(pixels),
        "it is the mean over the pixels, and has to be their sum": pixels.mean(axis=(1, 2, 3)),
        "it is one number for the whole batch: sum over the pixels of each image alone": pixels.sum(),
        "it is the mean over batch and pixels: sum over the pixels of each image": pixels.mean(),
        "the logits are taken for probabilities: from_logits=True is missing": _sums(
            -IMAGES * np.log(clipped) - (1 - IMAGES) * np.log(1 - clipped)
        ),
        "the sigmoid is taken twice: leave it out, or from_logits=True": _sums(_cross_entropy(IMAGES, expit(LOGITS))),
        "images and logits are swapped": _sums(_cross_entropy(LOGITS, IMAGES)),
        "these are squared errors: take the cross-entropy": _sums(np.square(IMAGES - expit(LOGITS))),
    }
    _compare("distortion_of", _called(function, IMAGES, LOGITS), _sums(pixels), mistakes)
    return "distortion_of is right"


def rate(function: Callable) -> str:
    """Check the KL of a diagonal Gaussian from the prior. Raises InputError with the mistake."""
    variance = np.exp(LOG_VAR)
    rates = (variance + MEAN**2 - 1 - LOG_VAR) / 2  # (ROWS, LATENT_DIM)
    right = rates.sum(axis=1)
    mistakes = {
        "the sign is wrong: a KL is never negative": -right,
        "the 1/2 is missing": 2 * right,
        "the sign is wrong, and the 1/2 is missing": -2 * right,
        "it is the mean over the latent dimensions, and has to be their sum": rates.mean(axis=1),
        "it is one number for the whole batch: sum over the dimensions of each image alone": rates.sum(),
        "it is the mean over batch and dimensions: sum over the dimensions of each image": rates.mean(),
        "it is not yet summed over the latent dimensions": rates,
        "exp(log_var / 2) is the deviation, and the first term is the variance: exp(log_var)": (
            right + (np.sqrt(variance) - variance).sum(axis=1) / 2
        ),
        "the exp is missing: the first term is the variance, exp(log_var)": (
            right + (LOG_VAR - variance).sum(axis=1) / 2
        ),
        "the mean is not squared": right + (MEAN - MEAN**2).sum(axis=1) / 2,
        "the - 1 is missing: at mean 0 and log_var 0 it has to be 0": right + LATENT_DIM / 2,
        "log_var has the wrong sign": right + LOG_VAR.sum(axis=1),
    }
    _compare("rate_of", _called(function, MEAN, LOG_VAR), right, mistakes)
    return "rate_of is right"


def objective(function: Callable) -> str:
    """Check the mean over the batch of distortion + kl_weight * rate. Raises InputError with the mistake."""
    each = DISTORTION + KL_WEIGHT * RATE  # (ROWS,)
    mistakes = {
        "it is one number for each image, and has to be their mean": each,
        "it is the sum over the batch, and has to be the mean": each.sum(),
        "the kl_weight is missing": np.mean(DISTORTION + RATE),
        "the kl_weight is on the distortion, and belongs on the rate": np.mean(KL_WEIGHT * DISTORTION + RATE),
        "the kl_weight is on both terms, and belongs on the rate alone": np.mean(KL_WEIGHT * (DISTORTION + RATE)),
        "the rate is subtracted, and has to be added: it is a cost": np.mean(DISTORTION - KL_WEIGHT * RATE),
        "the sign is wrong: both terms are costs": -each.mean(),
    }
    _compare("objective_of", _called(function, DISTORTION, RATE, KL_WEIGHT), each.mean(), mistakes)
    return "objective_of is right"


def training(train: Callable, data: Dataset, kl_weight: float = 1.0, **settings) -> pd.DataFrame:
    """Train, and compare with `vae_core`: see `beside_vae_core`. Raises InputError with the mistake."""
    encoder, decoder, history = _called(train, kl_weight)
    start = reference_vae(
        kl_weight, settings["seed"], settings["learning_rate"], settings["hidden_units"], data.image_shape
    )
    for name, model, new in (("encoder", encoder, start.encoder), ("decoder", decoder, start.decoder)):
        if all(np.array_equal(*pair) for pair in zip(model.get_weights(), new.get_weights(), strict=True)):
            raise InputError(f"train: the {name} has learned nothing: its weights belong to those that are trained")
    images = data.validation_images
    if not _objective(encoder, decoder, images, kl_weight) < _objective(
        start.encoder, start.decoder, images, kl_weight
    ):
        raise InputError("train: the objective has not fallen: a step goes along the gradient of the objective")
    table = beside_vae_core(history, kl_weight, data, **settings)
    worst = table["largest difference"].max(skipna=False)
    if not worst < CLOSE:
        raise InputError(
            f"train: it differs from vae_core by {worst:.2g} nats: the noise is standard normal, one number for each "
            "image and dimension, and comes from `noises`"
        )
    return table


def _objective(encoder: keras.Model, decoder: keras.Model, images: np.ndarray, kl_weight: float) -> float:
    """At the means of the codes, so that noise decides nothing."""
    mean, log_var = encoder(images)
    return float(np.mean(BERNOULLI.nll(images, decoder(mean)) + kl_weight * kl_divergence(mean, log_var)))


def _called(function: Callable, *arguments):
    """What a function returns. Raises InputError in one line if it has a blank left, or fails."""
    name = function.__name__
    if _has_blank(function.__code__):
        raise InputError(f"{name}: there is a BLANK left to fill in")
    try:
        found = function(*arguments)
    except Exception as error:  # whatever a beginner may have written
        why = " ".join(str(error).split())[:MESSAGE]
        raise InputError(f"{name}: it fails with {type(error).__name__}: {why}") from error
    if found is None:
        raise InputError(f"{name}: it returns nothing")
    return found


def _has_blank(code: CodeType) -> bool:
    """Whether the code, or that of a function within it, names BLANK."""
    return "BLANK" in code.co_names or any(_has_blank(part) for part in code.co_consts if isinstance(part, CodeType))


def _compare(name: str, found, right: np.ndarray, mistakes: Mapping[str, np.ndarray]) -> None:
    """Raise InputError unless the values are right, with the mistake that gives the same values if there is one."""
    found = np.asarray(found)
    if _same(found, right):
        return
    for mistake, values in mistakes.items():
        if _same(found, values):
            raise InputError(f"{name}: {mistake}")
    if found.shape != right.shape:
        raise InputError(f"{name}: its shape is {found.shape}, and has to be {right.shape} for a batch of {ROWS}")
    raise InputError(
        f"{name}: its first number is {found.flat[0]:.4f}, and has to be {right.flat[0]:.4f}: look at the formula again"
    )


def _same(found: np.ndarray, values: np.ndarray) -> bool:
    return found.shape == np.shape(values) and np.allclose(found, values, rtol=1e-4, atol=1e-5)


def _cross_entropy(images: np.ndarray, logits: np.ndarray) -> np.ndarray:
    return np.logaddexp(0, logits) - images * logits


def _sums(pixels: np.ndarray) -> np.ndarray:
    return pixels.sum(axis=(1, 2, 3))
