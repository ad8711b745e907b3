"""Gradients through a draw and past it, and the numbers of a VAE from scratch beside those of `vae_core`."""

from collections.abc import Callable, Mapping

import vae_core.backend  # noqa: F401

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from keras import ops

from vae_core import training
from vae_core.data import Dataset
from vae_core.likelihoods import BERNOULLI
from vae_core.losses import kl_divergence
from vae_core.models import reference_vae
from vae_core.statistics import mean_and_spread

COMPARED_EPOCHS = 2  # enough to see a difference, and a few seconds on MNIST
GRID = np.linspace(-6, 6, 121)  # of the noise, for integrals; the normal density is 1e-8 at its ends
TARGET = 3.0  # of the f that can be differentiated by hand, (z - TARGET)^2
TERMS = ("distortion", "rate")

# Each training in the notebook makes compiled functions of its own. TensorFlow warns of that if they are called seldom.
tf.get_logger().addFilter(lambda record: "tf.function retracing" not in record.getMessage())


def gradients_that_arrive(
    encoder: keras.Model, decoder: keras.Model, draws: Mapping[str, Callable], images: np.ndarray, seed: int
) -> pd.DataFrame:
    """The gradient of each term of the loss in the encoder's two outputs, by the draw that stands between.

    Root mean square over images and dimensions, in nats per image and unit of the output; "none" where the tape finds
    no path.

    draws: by their names functions of mean, log_var and noise, (N, 2) each, that return z, (N, 2)
    """
    mean, log_var = encoder(images)
    noise = np.random.default_rng(seed).standard_normal(mean.shape, np.float32)
    rows = {}
    for name, draw in draws.items():
        with tf.GradientTape(persistent=True) as tape:
            tape.watch([mean, log_var])
            distortion = BERNOULLI.nll(images, decoder(draw(mean, log_var, noise)))  # (N,)
            rate = kl_divergence(mean, log_var)  # (N,)
        rows[name] = {
            (f"gradient of the {term}", f"in the {output}"): _size(tape.gradient(values, code))
            for term, values in (("distortion", distortion), ("rate", rate))
            for output, code in (("mean", mean), ("log-variance", log_var))
        }
    return pd.DataFrame(rows).T


def gradient_table(
    encoder: keras.Model, decoder: keras.Model, image: np.ndarray, samples: int, seed: int
) -> pd.DataFrame:
    """The gradient of E[f(z)] in mean and log-variance: exact, and by two estimates from the same draws.

    For f = (z - 3)^2 at the standard normal, and for the distortion of one image at its code, in the first dimension.

    image: (1, height, width, channels)
    """
    mean, log_var = (np.asarray(part, float)[0] for part in encoder(image))  # (2,) each

    def distortion(z):
        return BERNOULLI.nll(np.repeat(image, len(z), axis=0), decoder(z))

    functions = {
        "(z - 3)^2": (lambda z: ops.square(z[:, 0] - TARGET), np.zeros(1), np.zeros(1)),
        "distortion of an image": (distortion, mean, log_var),
    }
    rows = {}
    for name, (function, *code) in functions.items():
        average, exact = exact_gradient(function, *code)
        drawn = estimates(function, *code, average, samples, seed)
        for place, parameter in enumerate(("mean", "log-variance")):
            reference = drawn["pathwise"][:, place].std(ddof=1)
            for estimate, values in drawn.items():
                average_draw, spread = values[:, place].mean(), values[:, place].std(ddof=1)
                shown = mean_and_spread(average_draw, spread / np.sqrt(samples), decimals=3)
                equal = f"{(spread / reference) ** 2:,.0f}"
                rows[name, parameter, estimate] = [f"{exact[place]:.3f}", shown, f"{spread:,.2f}", equal]
    columns = ["exact", "mean of the draws", "spread of one draw", "draws worth one pathwise draw"]
    index = pd.MultiIndex.from_tuples(rows, names=["f", "gradient in", "estimate"])
    return pd.DataFrame(list(rows.values()), index, columns)


def exact_gradient(function: Callable, mean: np.ndarray, log_var: np.ndarray) -> tuple[float, np.ndarray]:
    """E[f(z)] under N(mean, exp(log_var)), and its gradient in the first mean and in the first log-variance.

    Both are integrals over the noise e, added up on a grid: with the density n(e), deviation s and z = mean + s e,
    dE/dmean = sum of f(z) n(e) e / s, and dE/dlog_var = sum of f(z) n(e) (e^2 - 1) / 2.

    function: of points, (N, d), to (N,); mean, log_var: (d,)
    returns: a number, and (2,)
    """
    noise = np.stack(np.meshgrid(*[GRID] * len(mean)), axis=-1).reshape(-1, len(mean))  # (N, d)
    density = np.exp(-0.5 * np.square(noise).sum(axis=1))
    values = np.asarray(function(_points(mean, log_var, noise)), float) * density / density.sum()  # (N,)
    return float(values.sum()), values @ _score(log_var, noise)


def estimates(
    function: Callable, mean: np.ndarray, log_var: np.ndarray, average: float, samples: int, seed: int
) -> dict[str, np.ndarray]:
    """Estimates of `exact_gradient` by their names, one per draw: (samples, 2) each.

    With z = mean + s e, s = exp(log_var / 2), noise e and q the density of z:
    pathwise: df/dz times dz/dmean = 1, and times dz/dlog_var = s e / 2; Kingma and Welling 2014, arXiv:1312.6114
    score function: f(z) times the gradient of log q(z); Williams 1992 (REINFORCE); also for f less `average` in place
    of f, which has the same mean since that of the gradient of log q(z) is 0
    """
    noise = np.random.default_rng(seed).standard_normal((samples, len(mean)))
    z = _points(mean, log_var, noise)
    with tf.GradientTape() as tape:
        tape.watch(z)
        values = function(z)
    slope = np.asarray(tape.gradient(values, z), float)[:, :1]  # (samples, 1)
    values, score = np.asarray(values, float)[:, None], _score(log_var, noise)  # (samples, 1), (samples, 2)
    return {
        "pathwise": slope * np.column_stack([np.ones(samples), np.exp(log_var[0] / 2) * noise[:, 0] / 2]),
        "score function": values * score,
        "score function, f less E[f]": (values - average) * score,
    }


def beside_vae_core(
    history: pd.DataFrame,
    kl_weight: float,
    data: Dataset,
    batch_size: int,
    learning_rate: float,
    hidden_units: int,
    seed: int,
) -> pd.DataFrame:
    """The first epochs of a history from scratch beside those of `vae_core`'s model, trained here, in nats per image.

    The terms are those of the validation images; the largest difference is that on training and validation images.

    history: with the columns epoch, distortion, rate, val_distortion and val_rate
    """
    vae = reference_vae(kl_weight, seed, learning_rate, hidden_units, data.image_shape)
    theirs, _ = training.train(vae, data, min(COMPARED_EPOCHS, len(history)), batch_size, seed)
    theirs, ours = theirs.set_index("epoch"), history.set_index("epoch").loc[: len(theirs)]
    table = {
        f"{term}, {whose}": part[f"val_{term}"]
        for term in TERMS
        for whose, part in (("from scratch", ours), ("vae_core", theirs))
    }
    names = [prefix + term for prefix in ("", "val_") for term in TERMS]
    difference = (ours[names] - theirs[names]).abs().max(axis=1, skipna=False)
    return pd.DataFrame({**table, "largest difference": difference})


def _size(gradient) -> str:
    return "none" if gradient is None else f"{np.sqrt(np.mean(np.square(gradient))):.3f}"


def _points(mean: np.ndarray, log_var: np.ndarray, noise: np.ndarray):
    return ops.convert_to_tensor(mean + np.exp(log_var / 2) * noise, "float32")


def _score(log_var: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """The gradient of log q(z) in the first mean and the first log-variance: (N, 2)."""
    first = noise[:, 0]
    return np.column_stack([first / np.exp(log_var[0] / 2), (np.square(first) - 1) / 2])
