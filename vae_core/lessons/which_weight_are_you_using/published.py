"""The losses of well-known code, as their authors write them, and what they are on the scale distortion + c * rate.

Each loss is a function of
    images: (batch, height, width, channels), a pixel as the code scales it
    reconstruction: the decoder's pixels, the same shape
    mean, log_var: of q(z|x), (batch, latent_dim)
and returns the one number that the code minimises. They are written after the files named in `PUBLISHED`, with Keras'
operations in place of other libraries'.

Proof that the weights in the table are right: the gradient of each loss, with respect to all weights of a small model,
has the direction of the gradient of distortion + c * rate.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import vae_core.backend  # noqa: F401

import numpy as np
import pandas as pd
import tensorflow as tf
from keras import losses, ops

from vae_core.losses import bernoulli_nll, gaussian_nll, kl_divergence
from vae_core.losses import kl_weight_of

HIDDEN_UNITS, BATCH_SIZE = 8, 4  # of the small model


def _seed_000(images, reconstruction, mean, log_var):
    latent = -0.5 * ops.sum(1 + log_var - ops.exp(log_var) - ops.square(mean), axis=-1)  # (batch,)
    return ops.mean(losses.binary_crossentropy(_flat(images), _flat(reconstruction))) + ops.mean(latent) / 784


def _seed_002(images, reconstruction, mean, log_var):
    cross_entropy = losses.binary_crossentropy(ops.ravel(images), ops.ravel(reconstruction))
    kl = -5e-4 * ops.mean(1 + log_var - ops.square(mean) - ops.exp(log_var), axis=-1)  # (batch,)
    return ops.mean(cross_entropy + kl)


def _seed_003(images, reconstruction, mean, log_var):
    squared_error = ops.sum(ops.square(images - reconstruction), axis=(1, 2, 3))  # (batch,)
    kl = -0.5 * ops.sum(1 + log_var - ops.square(mean) - ops.exp(log_var), axis=1)  # (batch,)
    return ops.mean(squared_error + kl)


def _seed_004(images, reconstruction, mean, log_var, coefficient):
    cross_entropy = losses.binary_crossentropy(_flat(images), _flat(reconstruction)) * 784  # (batch,)
    kl = -0.5 * ops.sum(1 + log_var - ops.square(mean) - ops.exp(log_var), axis=-1)  # (batch,)
    return ops.mean(cross_entropy) + coefficient * ops.mean(kl)


def _chollet_first_edition(images, reconstruction, mean, log_var):
    log_deviation = log_var / 2  # the notebook draws z = mean + exp(this) * noise, but calls it a log-variance
    return _seed_002(images, reconstruction, mean, log_deviation)


def _chollet_book(images, reconstruction, mean, log_var):
    cross_entropy = ops.sum(losses.binary_crossentropy(images, reconstruction), axis=(1, 2))  # (batch,)
    kl = -0.5 * (1 + log_var - ops.square(mean) - ops.exp(log_var))  # (batch, latent_dim)
    return ops.mean(cross_entropy) + ops.mean(kl)


def _keras_example(images, reconstruction, mean, log_var):
    cross_entropy = ops.sum(losses.binary_crossentropy(images, reconstruction), axis=(1, 2))  # (batch,)
    kl = -0.5 * (1 + log_var - ops.square(mean) - ops.exp(log_var))  # (batch, latent_dim)
    return ops.mean(cross_entropy) + ops.mean(ops.sum(kl, axis=1))


def _keras_guide(images, reconstruction, mean, log_var):
    kl = -0.5 * ops.mean(log_var - ops.square(mean) - ops.exp(log_var) + 1)
    return ops.mean(losses.mean_squared_error(_flat(images), _flat(reconstruction))) + kl


def _pytorch_example(images, reconstruction, mean, log_var):
    cross_entropy = ops.sum(images * -ops.log(reconstruction) + (1 - images) * -ops.log(1 - reconstruction))
    return cross_entropy - 0.5 * ops.sum(1 + log_var - ops.square(mean) - ops.exp(log_var))


def _foster_fashion(images, reconstruction, mean, log_var):
    cross_entropy = 500 * losses.binary_crossentropy(images, reconstruction, axis=(1, 2, 3))  # (batch,)
    kl = ops.sum(-0.5 * (1 + log_var - ops.square(mean) - ops.exp(log_var)), axis=1)  # (batch,)
    return ops.mean(cross_entropy) + ops.mean(kl)


def _foster_faces(images, reconstruction, mean, log_var):
    squared_error = 2000 * losses.mean_squared_error(images, reconstruction)  # (batch, height, width)
    kl = ops.sum(-0.5 * (1 + log_var - ops.square(mean) - ops.exp(log_var)), axis=1)  # (batch,)
    return ops.mean(squared_error) + ops.mean(kl)


def _pytorch_vae(images, reconstruction, mean, log_var, m_n):
    kl = ops.mean(-0.5 * ops.sum(1 + log_var - mean**2 - ops.exp(log_var), axis=1), axis=0)
    return ops.mean(ops.square(reconstruction - images)) + m_n * kl


def _disentanglement_lib(images, reconstruction, mean, log_var, beta):
    x, p = _flat(images), _flat(reconstruction)
    cross_entropy = -ops.sum(x * ops.log(p) + (1 - x) * ops.log(1 - p), axis=1)  # (batch,)
    kl = 0.5 * ops.sum(ops.square(mean) + ops.exp(log_var) - log_var - 1, axis=1)  # (batch,)
    return ops.mean(cross_entropy) + beta * ops.mean(kl)


def _disentangling_vae(images, reconstruction, mean, log_var, beta):
    squared_error = ops.sum(ops.square(reconstruction * 255 - images * 255)) / 255
    kl = ops.mean(0.5 * (-1 - log_var + ops.square(mean) + ops.exp(log_var)), axis=0)  # (latent_dim,)
    return squared_error / images.shape[0] + beta * ops.sum(kl)


def _pythae(images, reconstruction, mean, log_var, factor):
    squared_error = factor * ops.sum(ops.square(_flat(reconstruction) - _flat(images)), axis=-1)  # (batch,)
    kl = -0.5 * ops.sum(1 + log_var - ops.square(mean) - ops.exp(log_var), axis=-1)  # (batch,)
    return ops.mean(squared_error + kl, axis=0)


@dataclass(frozen=True)
class PublishedLoss:
    """One row of the table: where a loss stands, how it is written, and the same as arguments of `kl_weight_of`.

    `arguments` is None if no weight makes the loss a multiple of distortion + c * rate.
    """

    name: str
    source: str
    reconstruction: str
    kl: str
    remark: str
    loss: Callable
    image_shape: tuple[int, int, int]
    latent_dim: int
    likelihood: str
    arguments: Mapping[str, object] | None

    @property
    def kl_weight(self) -> float | None:
        """On the suite's scale; for a Gaussian seen as unit variance."""
        if self.arguments is None:
            return None
        height, width, channels = self.image_shape
        shape = {"pixels": height * width, "channels": channels, "latent_dim": self.latent_dim}
        return kl_weight_of(likelihood=self.likelihood, **shape, **self.arguments)


SUMS: dict[str, object] = {}
MEAN_OVER_IMAGE = {"reconstruction_over_pixels": "mean", "reconstruction_over_channels": "mean"}
GREY, FOSTER = (28, 28, 1), "davidADSP/Generative_Deep_Learning_2nd_Edition, notebooks/03_vae/"
PUBLISHED = (
    PublishedLoss(
        name="seed 000",
        source="seed document 000",
        reconstruction="mean BCE",
        kl="sum / 784",
        remark="what the mean over pixels takes away, the division gives back",
        loss=_seed_000,
        image_shape=GREY,
        latent_dim=10,
        likelihood="bernoulli",
        arguments=MEAN_OVER_IMAGE | {"kl_factor": 1 / 784},
    ),
    PublishedLoss(
        name="seed 002",
        source="seed document 002",
        reconstruction="mean BCE",
        kl="5e-4 * mean, without its 1/2",
        remark="5e-4 looks like next to nothing",
        loss=_seed_002,
        image_shape=GREY,
        latent_dim=2,
        likelihood="bernoulli",
        arguments=MEAN_OVER_IMAGE | {"kl_over_dimensions": "mean", "kl_factor": 2 * 5e-4},
    ),
    PublishedLoss(
        name="seed 003",
        source="seed document 003",
        reconstruction="sum of squared errors",
        kl="sum",
        remark="the 1/2 of a unit-variance Gaussian is missing",
        loss=_seed_003,
        image_shape=GREY,
        latent_dim=30,
        likelihood="gaussian",
        arguments=SUMS,
    ),
    PublishedLoss(
        name="seed 004",
        source="seed document 004; its coefficient at 1",
        reconstruction="784 * mean BCE",
        kl="coefficient * sum",
        remark="the coefficient is the kl_weight",
        loss=partial(_seed_004, coefficient=1),
        image_shape=GREY,
        latent_dim=2,
        likelihood="bernoulli",
        arguments=MEAN_OVER_IMAGE | {"reconstruction_factor": 784},
    ),
    PublishedLoss(
        name="Chollet, first edition",
        source="fchollet/deep-learning-with-python-notebooks, 8.4-generating-images-with-vaes.ipynb",
        reconstruction="mean BCE",
        kl="5e-4 * mean, without its 1/2",
        remark="draws z with the deviation exp(z_log_var), and charges for it as a variance: no weight undoes that",
        loss=_chollet_first_edition,
        image_shape=GREY,
        latent_dim=2,
        likelihood="bernoulli",
        arguments=None,
    ),
    PublishedLoss(
        name="Chollet, second and third edition",
        source="fchollet/deep-learning-with-python-notebooks, chapter12_part04_variational-autoencoders.ipynb and "
        "chapter17_image-generation.ipynb",
        reconstruction="sum of BCE",
        kl="mean",
        remark="the weight is 1 / latent_dim: who adds latent dimensions also turns it down",
        loss=_chollet_book,
        image_shape=GREY,
        latent_dim=2,
        likelihood="bernoulli",
        arguments={"reconstruction_over_channels": "mean", "kl_over_dimensions": "mean"},
    ),
    PublishedLoss(
        name="Keras example",
        source="keras-team/keras-io, examples/generative/vae.py",
        reconstruction="sum over (1, 2) of BCE",
        kl="sum",
        remark="the ELBO, as long as there is one channel",
        loss=_keras_example,
        image_shape=GREY,
        latent_dim=2,
        likelihood="bernoulli",
        arguments={"reconstruction_over_channels": "mean"},
    ),
    PublishedLoss(
        name="Keras example, given colour images",
        source="the same lines with three channels",
        reconstruction="sum over (1, 2) of BCE",
        kl="sum",
        remark="Keras' BCE is a mean over the channels: three times the weight, and nothing in the code has changed",
        loss=_keras_example,
        image_shape=(32, 32, 3),
        latent_dim=2,
        likelihood="bernoulli",
        arguments={"reconstruction_over_channels": "mean"},
    ),
    PublishedLoss(
        name="Keras guide to subclassing",
        source="keras-team/keras-io, guides/making_new_layers_and_models_via_subclassing.py",
        reconstruction="mean squared error",
        kl="mean",
        remark="the ELBO of pixels in [0, 1] with a noise of deviation 3.5; what comes of it is shown below",
        loss=_keras_guide,
        image_shape=GREY,
        latent_dim=32,
        likelihood="gaussian",
        arguments=MEAN_OVER_IMAGE | {"kl_over_dimensions": "mean"},
    ),
    PublishedLoss(
        name="PyTorch example",
        source="pytorch/examples, vae/main.py",
        reconstruction="sum of BCE, over the batch too",
        kl="sum, over the batch too",
        remark="the ELBO, times the batch size",
        loss=_pytorch_example,
        image_shape=GREY,
        latent_dim=20,
        likelihood="bernoulli",
        arguments={"reconstruction_over_batch": "sum", "kl_over_batch": "sum"},
    ),
    PublishedLoss(
        name="Foster, second edition, Fashion-MNIST",
        source=FOSTER + "02_vae_fashion/vae_fashion.ipynb",
        reconstruction="500 * mean BCE",
        kl="sum",
        remark="BETA = 500 stands before the reconstruction: a larger BETA is a smaller weight",
        loss=_foster_fashion,
        image_shape=(32, 32, 1),
        latent_dim=2,
        likelihood="bernoulli",
        arguments=MEAN_OVER_IMAGE | {"reconstruction_factor": 500},
    ),
    PublishedLoss(
        name="Foster, second edition, faces of 32x32",
        source=FOSTER + "03_vae_faces/vae_faces.ipynb, commit 5951133",
        reconstruction="2000 * mean squared error",
        kl="sum",
        remark="BETA = 2000, before the reconstruction",
        loss=_foster_faces,
        image_shape=(32, 32, 3),
        latent_dim=200,
        likelihood="gaussian",
        arguments=MEAN_OVER_IMAGE | {"reconstruction_factor": 2000},
    ),
    PublishedLoss(
        name="Foster, second edition, faces of 64x64",
        source=FOSTER + "03_vae_faces/vae_faces.ipynb, commit 3d28172",
        reconstruction="2000 * mean squared error",
        kl="sum",
        remark="the same BETA on larger images: four times the weight",
        loss=_foster_faces,
        image_shape=(64, 64, 3),
        latent_dim=200,
        likelihood="gaussian",
        arguments=MEAN_OVER_IMAGE | {"reconstruction_factor": 2000},
    ),
    PublishedLoss(
        name="PyTorch-VAE, first version",
        source="AntixK/PyTorch-VAE, models/vanilla_vae.py and experiment.py, commit 09c4451; CelebA, batches of 144",
        reconstruction="mean squared error",
        kl="batch size / training images * sum",
        remark="the weight grows with the batch size and falls with the size of the data set; pixels in [-1, 1]",
        loss=partial(_pytorch_vae, m_n=144 / 162770),
        image_shape=(64, 64, 3),
        latent_dim=128,
        likelihood="gaussian",
        arguments=MEAN_OVER_IMAGE | {"kl_factor": 144 / 162770},
    ),
    PublishedLoss(
        name="PyTorch-VAE, later",
        source="AntixK/PyTorch-VAE, models/vanilla_vae.py and experiment.py, commit 8bf7be5, with configs/vae.yaml",
        reconstruction="mean squared error",
        kl="0.00025 * sum",
        remark="validation has a factor of 1, which is a weight of 6144: it watches another objective than training",
        loss=partial(_pytorch_vae, m_n=0.00025),
        image_shape=(64, 64, 3),
        latent_dim=128,
        likelihood="gaussian",
        arguments=MEAN_OVER_IMAGE | {"kl_factor": 0.00025},
    ),
    PublishedLoss(
        name="disentanglement_lib, beta = 4",
        source="google-research/disentanglement_lib, disentanglement_lib/methods/unsupervised/vae.py and "
        "methods/shared/losses.py",
        reconstruction="sum of BCE",
        kl="beta * sum",
        remark="beta is the kl_weight",
        loss=partial(_disentanglement_lib, beta=4),
        image_shape=(64, 64, 1),
        latent_dim=10,
        likelihood="bernoulli",
        arguments={"kl_factor": 4},
    ),
    PublishedLoss(
        name="disentangling-vae, Gaussian, beta = 1",
        source="YannDubs/disentangling-vae, disvae/models/losses.py",
        reconstruction="sum of (255 * error)^2 / 255",
        kl="beta * sum",
        remark="the option named VAE, beta 1; with its Bernoulli likelihood the same beta is a weight of 1",
        loss=partial(_disentangling_vae, beta=1),
        image_shape=(64, 64, 3),
        latent_dim=10,
        likelihood="gaussian",
        arguments={"reconstruction_factor": 255},
    ),
    PublishedLoss(
        name="pythae, early version",
        source="clementchadebec/benchmark_VAE, src/pythae/models/vae/vae_model.py, commit 06d582a",
        reconstruction="sum of squared errors",
        kl="sum",
        remark="its get_nll says that the variance is 1",
        loss=partial(_pythae, factor=1),
        image_shape=GREY,
        latent_dim=10,
        likelihood="gaussian",
        arguments=SUMS,
    ),
    PublishedLoss(
        name="pythae, later",
        source="clementchadebec/benchmark_VAE, src/pythae/models/vae/vae_model.py, commit 24939dc",
        reconstruction="1/2 sum of squared errors",
        kl="sum",
        remark="the 1/2 has come in: the ELBO at unit variance",
        loss=partial(_pythae, factor=0.5),
        image_shape=GREY,
        latent_dim=10,
        likelihood="gaussian",
        arguments={"reconstruction_factor": 0.5},
    ),
)


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
    """Where each loss was read, and what its readers may not expect."""
    rows = [{"code": row.name, "read in": row.source, "note": row.remark} for row in PUBLISHED]
    return pd.DataFrame(rows).set_index("code")


def gradients(row: PublishedLoss, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gradients of the loss as written, of the distortion and of the rate with respect to all weights of one model.

    The model is a small VAE with random weights, random images and one draw of noise, in double precision; all three
    gradients go through the same graph.

    returns: three arrays of shape (number of weights,)
    """
    rng = np.random.default_rng(seed)
    inputs = int(np.prod(row.image_shape))
    sizes = [(inputs, HIDDEN_UNITS), *2 * [(HIDDEN_UNITS, row.latent_dim)], (row.latent_dim, HIDDEN_UNITS)]
    sizes.append((HIDDEN_UNITS, inputs))
    weights = [tf.Variable(rng.normal(scale=rows**-0.5, size=(rows, columns))) for rows, columns in sizes]
    to_hidden, to_mean, to_log_var, from_z, to_logits = weights
    images = tf.constant(rng.uniform(size=(BATCH_SIZE, *row.image_shape)))
    noise = tf.constant(rng.normal(size=(BATCH_SIZE, row.latent_dim)))
    with tf.GradientTape(persistent=True) as tape:
        hidden = tf.tanh(_flat(images) @ to_hidden)
        mean, log_var = hidden @ to_mean, hidden @ to_log_var  # (batch, latent_dim) each
        z = mean + tf.exp(log_var / 2) * noise
        logits = tf.reshape(tf.tanh(z @ from_z) @ to_logits, images.shape)
        reconstruction = tf.sigmoid(logits)
        if row.likelihood == "gaussian":
            distortion = gaussian_nll(images, reconstruction, variance=1)  # (batch,)
        else:
            distortion = bernoulli_nll(images, logits)  # (batch,)
        targets = (
            row.loss(images, reconstruction, mean, log_var),
            ops.mean(distortion),
            ops.mean(kl_divergence(mean, log_var)),
        )
    return tuple(_gradient(tape, target, weights) for target in targets)


def compare_gradients(
    written: np.ndarray, distortion: np.ndarray, rate: np.ndarray, kl_weight: float
) -> dict[str, float]:
    """The gradient of a loss as written beside that of distortion + kl_weight * rate; arrays as from `gradients`.

    returns: their `cosine`, the `angle` between them in degrees, exact also where the cosine is 1 to all digits, and
    `length_ratio`, how many times as long the first is: what the loss was multiplied by on top of its weight
    """
    objective = distortion + kl_weight * rate
    lengths = np.linalg.norm(written), np.linalg.norm(objective)
    one, other = written / lengths[0], objective / lengths[1]
    angle = 2 * np.arctan2(np.linalg.norm(one - other), np.linalg.norm(one + other))
    return {
        "cosine": float(one @ other),
        "angle": float(np.degrees(angle)),
        "length_ratio": float(lengths[0] / lengths[1]),
    }


def nearest_kl_weight(written: np.ndarray, distortion: np.ndarray, rate: np.ndarray) -> float:
    """The weight found from gradients alone: b / a at the least |written - a * distortion - b * rate|^2."""
    (a, b), *_ = np.linalg.lstsq(np.stack([distortion, rate], axis=1), written)
    return float(b / a)


def proof_table(seed: int = 0) -> pd.DataFrame:
    """For each published loss: the weight by the formula and by its gradients, and the angles between gradients.

    Where there is no weight, the angle is that at the nearest one.
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


def _flat(images):
    return ops.reshape(images, (-1, math.prod(images.shape[1:])))  # (batch, height * width * channels)


def _gradient(tape: tf.GradientTape, target, weights: list) -> np.ndarray:
    parts = tape.gradient(target, weights, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    return np.concatenate([part.numpy().ravel() for part in parts])
