"""Published losses on the scale distortion + c * rate, with the proof; and runs of one loss, written in several ways.

The proof: the gradient of each loss, with respect to all weights of a small model, has the direction of the gradient of
distortion + c * rate.
"""

import math
from collections.abc import Mapping

import vae_core.backend  # noqa: F401

import numpy as np
import pandas as pd
import tensorflow as tf
from keras import ops

from vae_core import measures
from vae_core.data import Dataset
from vae_core.lessons.which_weight_are_you_using.published import PUBLISHED, PublishedLoss
from vae_core.likelihoods import BERNOULLI, Gaussian
from vae_core.losses import kl_divergence
from vae_core.models import VAE

HIDDEN_UNITS, BATCH_SIZE = 8, 4  # of the small model
LIKELIHOODS = {"bernoulli": BERNOULLI, "gaussian": Gaussian(np.float64(1))}  # in double precision, like that model


def answer(kl_factor: float, kl_weight: float | None) -> str:
    """What `kl_weight_of` says of a loss with that factor, as a sentence in Markdown."""
    if kl_weight is None:
        return (
            f"The factor before the KL term is {kl_factor:g}; there is **no kl_weight**. z is drawn with the deviation "
            "exp(log_var), but the KL term charges for a variance of exp(log_var). Draw z with exp(log_var / 2), and "
            "ask again."
        )
    return f"The factor before the KL term is {kl_factor:g}; the kl_weight is **{kl_weight:.6g}**."


def conversion_table() -> pd.DataFrame:
    """Each published loss with its kl_weight; Gaussian ones also with the pixel deviation that makes them the ELBO.

    A Gaussian of variance v turns a kl_weight c into c / v: the loss is the ELBO, weight 1, at v = c.
    """
    rows = [
        {
            "code": row.name,
            "images": "x".join(map(str, row.image_shape)),
            "latent_dim": row.latent_dim,
            "reconstruction": row.reconstruction,
            "KL": row.kl,
            "kl_weight": "none" if row.kl_weight is None else f"{row.kl_weight:.3g}",
            "ELBO if pixels deviate by": f"{row.kl_weight**0.5:.2g}" if row.likelihood == "gaussian" else "",
        }
        for row in PUBLISHED
    ]
    return pd.DataFrame(rows).set_index("code")


def source_table() -> pd.DataFrame:
    """Where each loss was read, and what is surprising about it."""
    rows = [{"code": row.name, "read in": row.source, "note": row.remark} for row in PUBLISHED]
    return pd.DataFrame(rows).set_index("code")


def gradients(row: PublishedLoss, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gradients of the loss as written, of the distortion and of the rate with respect to all weights of one model.

    The model is a small VAE with random weights, random images and one draw of noise, in double precision; all three
    gradients go through the same graph.

    returns: three arrays of shape (number of weights,)
    """
    rng = np.random.default_rng(seed)
    inputs = math.prod(row.image_shape)
    sizes = [(inputs, HIDDEN_UNITS), *2 * [(HIDDEN_UNITS, row.latent_dim)], (row.latent_dim, HIDDEN_UNITS)]
    sizes.append((HIDDEN_UNITS, inputs))
    weights = [tf.Variable(rng.normal(scale=rows**-0.5, size=(rows, columns))) for rows, columns in sizes]
    to_hidden, to_mean, to_log_var, from_z, to_outputs = weights
    images = tf.constant(rng.uniform(size=(BATCH_SIZE, *row.image_shape)))
    noise = tf.constant(rng.normal(size=(BATCH_SIZE, row.latent_dim)))
    likelihood = LIKELIHOODS[row.likelihood]
    with tf.GradientTape(persistent=True) as tape:
        hidden = tf.tanh(tf.reshape(images, (BATCH_SIZE, inputs)) @ to_hidden)
        mean, log_var = hidden @ to_mean, hidden @ to_log_var  # (batch, latent_dim) each
        z = mean + tf.exp(log_var / 2) * noise
        outputs = tf.reshape(tf.tanh(z @ from_z) @ to_outputs, images.shape)
        targets = (
            row.loss(images, likelihood.mean(outputs), mean, log_var),
            ops.mean(likelihood.nll(images, outputs)),
            ops.mean(kl_divergence(mean, log_var)),
        )
    return tuple(_gradient(tape, target, weights) for target in targets)


def compare_gradients(loss: np.ndarray, distortion: np.ndarray, rate: np.ndarray, kl_weight: float) -> dict[str, float]:
    """The gradient of a loss beside that of distortion + kl_weight * rate; arrays as `gradients` returns them.

    returns: their `cosine`; the `angle` between them in degrees, exact also where the cosine is 1 to all digits; and
    `length_ratio`, how many times as long the first is: the factor on the whole loss
    """
    objective = distortion + kl_weight * rate
    lengths = np.linalg.norm(loss), np.linalg.norm(objective)
    one, other = loss / lengths[0], objective / lengths[1]
    angle = 2 * np.arctan2(np.linalg.norm(one - other), np.linalg.norm(one + other))
    return {
        "cosine": float(one @ other),
        "angle": float(np.degrees(angle)),
        "length_ratio": float(lengths[0] / lengths[1]),
    }


def nearest_kl_weight(loss: np.ndarray, distortion: np.ndarray, rate: np.ndarray) -> float:
    """The weight found from gradients alone: b / a at the least |loss - a * distortion - b * rate|^2."""
    (a, b), *_ = np.linalg.lstsq(np.stack([distortion, rate], axis=1), loss)
    return float(b / a)


def proof_table(seed: int = 0) -> pd.DataFrame:
    """For each published loss: the weight by the formula and by its gradients, and the angles between gradients.

    For a loss without a weight, the angle is that at the nearest one.
    """
    rows = []
    for row in PUBLISHED:
        found = gradients(row, seed)
        nearest = nearest_kl_weight(*found)
        kl_weight = nearest if row.kl_weight is None else row.kl_weight
        right, wrong = (compare_gradients(*found, factor * kl_weight) for factor in (1, 1.1))
        rows.append(
            {
                "code": row.name,
                "kl_weight by the formula": "none" if row.kl_weight is None else f"{row.kl_weight:.6g}",
                "by its gradients": f"{nearest:.6g}",
                "angle [degrees]": f"{right['angle']:.1e}",
                "angle at 1.1 times the weight": f"{wrong['angle']:.1e}",
                "times as long": f"{right['length_ratio']:.3g}",
            }
        )
    return pd.DataFrame(rows).set_index("code")


def shortened_steps(vae: VAE, by: float = 0.1) -> float:
    """The share of weights whose steps Adam's epsilon shortens by a tenth or more, of all that ever had a gradient.

    step = learning_rate * m / (sqrt(v) + epsilon) is a tenth shorter than without epsilon at sqrt(v) = 9 epsilon
    """
    velocities = [np.ravel(variable) for variable in vae.optimizer.variables if "velocity" in variable.path]
    root = np.sqrt(np.concatenate(velocities))  # (weights,)
    return float(np.mean(root[root > 0] <= (1 / by - 1) * vae.optimizer.epsilon))


def comparison_table(histories: Mapping[str, pd.DataFrame], shortened: Mapping[str, float]) -> pd.DataFrame:
    """Where each run ends on the validation images, and how far it ever was from the first in distortion + rate.

    shortened: the share of weights with shortened steps, of each run
    """
    first = _negative_elbo(next(iter(histories.values())))
    rows = [
        {
            "loss": name,
            "distortion": history["val_distortion"].iloc[-1],
            "rate": history["val_rate"].iloc[-1],
            "farthest from the first": (_negative_elbo(history) - first).abs().max(),
            "weights with shortened steps": f"{shortened[name]:.1%}",
        }
        for name, history in histories.items()
    ]
    return pd.DataFrame(rows).set_index("loss")


def keras_guide_table(vaes: Mapping[str, VAE], dataset: Dataset) -> pd.DataFrame:
    """Squared errors, losses and codes on the validation images.

    The first row is a decoder that draws the mean training image for every code. vaes: each with a `custom_loss`
    """
    images = dataset.validation_images
    mean_image = dataset.train_images.mean(axis=0)
    rows = [{"loss of": "none: the mean image for all", "mean squared error": np.mean(np.square(images - mean_image))}]
    for name, vae in vaes.items():
        mean, log_var, outputs = vae(images)
        rows.append(
            {
                "loss of": name,
                "mean squared error": np.mean(np.square(images - vae.likelihood.mean(outputs))),
                "kl_weight": float(vae.kl_weight),
                "loss as its authors write it": float(vae.custom_loss(images, outputs, mean, log_var)),
                "rate": np.mean(kl_divergence(mean, log_var)),
                "active_units": measures.active_units(np.asarray(mean)),
            }
        )
    return pd.DataFrame(rows).set_index("loss of")


def largest_variance(images: np.ndarray) -> float:
    """The variance of the images along their first principal component.

    images: (N, height, width, channels), pixels in [0, 1]
    """
    return float(np.linalg.eigvalsh(np.cov(images.reshape(len(images), -1), rowvar=False))[-1])


def _negative_elbo(history: pd.DataFrame) -> pd.Series:
    return history["val_distortion"] + history["val_rate"]


def _gradient(tape: tf.GradientTape, target, weights: list) -> np.ndarray:
    parts = tape.gradient(target, weights, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    return np.concatenate([part.numpy().ravel() for part in parts])
