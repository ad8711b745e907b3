"""The losses of well-known code, as their authors write them, and where they are on the scale distortion + c * rate.

Each loss is a function of
    images: (batch, height, width, channels), pixels as the code scales them
    reconstruction: the decoder's pixels, in the same shape
    mean, log_var: of q(z|x), (batch, latent_dim)
and returns the one number that the code minimises. They follow the files named in `PUBLISHED`, with Keras' operations
in place of other libraries'. The proof that their weights are right is `measures.proof_table`.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import vae_core.backend  # noqa: F401

from keras import losses, ops

from vae_core.losses import Z_DEVIATIONS, kl_weight_of
from vae_core.tutorials import TUTORIALS

KERAS_GUIDE, PYTHAE_LATER = "Keras guide to subclassing", "pythae, later"  # rows that the lesson trains


def _tutorial_000(images, reconstruction, mean, log_var):
    latent = -0.5 * ops.sum(1 + log_var - ops.exp(log_var) - ops.square(mean), axis=-1)  # (batch,)
    return ops.mean(losses.binary_crossentropy(_flat(images), _flat(reconstruction))) + ops.mean(latent) / 784


def _tutorial_002(images, reconstruction, mean, log_var):
    cross_entropy = losses.binary_crossentropy(ops.ravel(images), ops.ravel(reconstruction))
    kl = -5e-4 * ops.mean(1 + log_var - ops.square(mean) - ops.exp(log_var), axis=-1)  # (batch,)
    return ops.mean(cross_entropy + kl)


def _tutorial_003(images, reconstruction, mean, log_var):
    squared_error = ops.sum(ops.square(images - reconstruction), axis=(1, 2, 3))  # (batch,)
    kl = -0.5 * ops.sum(1 + log_var - ops.square(mean) - ops.exp(log_var), axis=1)  # (batch,)
    return ops.mean(squared_error + kl)


def _tutorial_004(images, reconstruction, mean, log_var, coefficient):
    cross_entropy = losses.binary_crossentropy(_flat(images), _flat(reconstruction)) * 784  # (batch,)
    kl = -0.5 * ops.sum(1 + log_var - ops.square(mean) - ops.exp(log_var), axis=-1)  # (batch,)
    return ops.mean(cross_entropy) + coefficient * ops.mean(kl)


def _chollet_first_edition(images, reconstruction, mean, log_var):
    log_deviation = log_var / 2  # the notebook draws z = mean + exp(this) * noise, but calls it a log-variance
    return _tutorial_002(images, reconstruction, mean, log_deviation)


def _keras_deconvolutions(images, reconstruction, mean, log_var):
    log_deviation = log_var / 2  # as in Chollet's first edition
    cross_entropy = 28 * 28 * losses.binary_crossentropy(ops.ravel(images), ops.ravel(reconstruction))
    kl = -0.5 * ops.mean(1 + log_deviation - ops.square(mean) - ops.exp(log_deviation), axis=-1)  # (batch,)
    return ops.mean(cross_entropy + kl)


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
    """One row of the table: where a loss was read, how it is written, and the same as arguments of `kl_weight_of`.

    loss: charges for the code that z is really drawn from: its `log_var` is that code's log-variance
    z_deviation: of z, in terms of what the author takes for the log-variance
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
    arguments: Mapping[str, object]
    z_deviation: str = Z_DEVIATIONS[0]

    @property
    def kl_weight(self) -> float | None:
        """On the suite's scale; that of a Gaussian is at unit variance. None if the loss is not on it."""
        height, width, channels = self.image_shape
        shape = {"pixels": height * width, "channels": channels, "latent_dim": self.latent_dim}
        return kl_weight_of(likelihood=self.likelihood, z_deviation=self.z_deviation, **shape, **self.arguments)


SUMS: dict[str, object] = {}
MEAN_OVER_IMAGE = {"reconstruction_over_pixels": "mean", "reconstruction_over_channels": "mean"}
GREY, FOSTER = (28, 28, 1), "davidADSP/Generative_Deep_Learning_2nd_Edition, notebooks/03_vae/"
PUBLISHED = (
    PublishedLoss(
        name="tutorial 000",
        source=TUTORIALS["000"],
        reconstruction="mean BCE",
        kl="sum / 784",
        remark="the mean over pixels and the division by 784 cancel out",
        loss=_tutorial_000,
        image_shape=GREY,
        latent_dim=10,
        likelihood="bernoulli",
        arguments=MEAN_OVER_IMAGE | {"kl_factor": 1 / 784},
    ),
    PublishedLoss(
        name="tutorial 002",
        source=TUTORIALS["002"],
        reconstruction="mean BCE",
        kl="5e-4 * mean, without its 1/2",
        remark="5e-4 looks like next to nothing",
        loss=_tutorial_002,
        image_shape=GREY,
        latent_dim=2,
        likelihood="bernoulli",
        arguments=MEAN_OVER_IMAGE | {"kl_over_dimensions": "mean", "kl_factor": 2 * 5e-4},
    ),
    PublishedLoss(
        name="tutorial 003",
        source=TUTORIALS["003"],
        reconstruction="sum of squared errors",
        kl="sum",
        remark="the 1/2 of a unit-variance Gaussian is missing",
        loss=_tutorial_003,
        image_shape=GREY,
        latent_dim=30,
        likelihood="gaussian",
        arguments=SUMS,
    ),
    PublishedLoss(
        name="tutorial 004",
        source=TUTORIALS["004"] + "; its coefficient at 1",
        reconstruction="784 * mean BCE",
        kl="coefficient * sum",
        remark="the coefficient is the kl_weight",
        loss=partial(_tutorial_004, coefficient=1),
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
        remark="draws z with the deviation exp(z_log_var), but charges for a variance of exp(z_log_var): no weight "
        "undoes that",
        loss=_chollet_first_edition,
        image_shape=GREY,
        latent_dim=2,
        likelihood="bernoulli",
        arguments=MEAN_OVER_IMAGE | {"kl_over_dimensions": "mean", "kl_factor": 2 * 5e-4},
        z_deviation="exp(log_var)",
    ),
    PublishedLoss(
        name="Chollet, second and third edition",
        source="fchollet/deep-learning-with-python-notebooks, chapter12_part04_variational-autoencoders.ipynb and "
        "chapter17_image-generation.ipynb",
        reconstruction="sum of BCE",
        kl="mean",
        remark="the weight is 1 / latent_dim: more latent dimensions mean a smaller weight",
        loss=_chollet_book,
        image_shape=GREY,
        latent_dim=2,
        likelihood="bernoulli",
        arguments={"reconstruction_over_channels": "mean", "kl_over_dimensions": "mean"},
    ),
    PublishedLoss(
        name="Keras example with deconvolutions, old",
        source="keras-team/keras, examples/variational_autoencoder_deconv.py, commit 6df68b5",
        reconstruction="784 * mean BCE",
        kl="mean",
        remark="draws z as Chollet's first edition does (pull request 9972 asks why); with exp(z_log_var / 2) it would "
        "be 0.5",
        loss=_keras_deconvolutions,
        image_shape=GREY,
        latent_dim=2,
        likelihood="bernoulli",
        arguments=MEAN_OVER_IMAGE | {"reconstruction_factor": 784, "kl_over_dimensions": "mean"},
        z_deviation="exp(log_var)",
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
        remark="Keras' BCE is a mean over the channels: three times the weight, by the same code",
        loss=_keras_example,
        image_shape=(32, 32, 3),
        latent_dim=2,
        likelihood="bernoulli",
        arguments={"reconstruction_over_channels": "mean"},
    ),
    PublishedLoss(
        name=KERAS_GUIDE,
        source="keras-team/keras-io, guides/making_new_layers_and_models_via_subclassing.py",
        reconstruction="mean squared error",
        kl="mean",
        remark="the ELBO of pixels in [0, 1] with a noise of deviation 3.5; the result is shown below",
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
        remark="validation has a factor of 1, a weight of 6144, so it watches another objective than training does",
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
        remark="the option named VAE has beta 1; with the Bernoulli likelihood the same beta is a weight of 1",
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
        name=PYTHAE_LATER,
        source="clementchadebec/benchmark_VAE, src/pythae/models/vae/vae_model.py, commit 24939dc",
        reconstruction="1/2 sum of squared errors",
        kl="sum",
        remark="now with the 1/2: the ELBO at unit variance",
        loss=partial(_pythae, factor=0.5),
        image_shape=GREY,
        latent_dim=10,
        likelihood="gaussian",
        arguments={"reconstruction_factor": 0.5},
    ),
)
BY_NAME = {row.name: row for row in PUBLISHED}


def _flat(images):
    return ops.reshape(images, (-1, math.prod(images.shape[1:])))  # (batch, height * width * channels)
