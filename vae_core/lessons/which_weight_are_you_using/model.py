"""Runs whose losses are written otherwise: do they train what `kl_weight_of` says?"""

from collections.abc import Callable, Mapping
from functools import partial

import vae_core.backend  # noqa: F401

import keras
import numpy as np
import pandas as pd
from keras import ops

from vae_core.measures.codes import active_units
from vae_core.data import IMAGE_SHAPE, Dataset
from vae_core.losses import kl_divergence
from vae_core.models import VAE, mlp_decoder, mlp_encoder, reference_vae
from vae_core.lessons.which_weight_are_you_using.published import PUBLISHED
from vae_core.losses import kl_weight_of
from vae_core.training import train

PIXELS = int(np.prod(IMAGE_SHAPE))
EPSILON = 1e-7  # of Keras' Adam: step = learning_rate * m / (sqrt(v) + epsilon)


class WrittenVAE(VAE):
    """A VAE that is trained on a loss as somebody writes it, and reports what every VAE here reports.

    written_loss: of images, logits, mean and log_var, returns the number that is minimised
    kl_weight: of that loss on the suite's scale; for the report alone
    """

    def __init__(self, encoder, decoder, written_loss: Callable, kl_weight: float, seed: int, **kwargs):
        super().__init__(encoder, decoder, kl_weight, seed, **kwargs)
        self.written_loss = written_loss

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """The written loss; objective, distortion and rate are only reported."""
        super().compute_loss(x, y, y_pred, sample_weight, training)
        mean, log_var, logits = y_pred
        return self.written_loss(x, logits, mean, log_var)


def means_loss(written_weight: float) -> Callable:
    """Mean over pixels and batch of the cross-entropy, plus a factor times the mean over dimensions of the KL."""

    def loss(images, logits, mean, log_var):
        cross_entropy = ops.binary_crossentropy(images, logits, from_logits=True)  # (batch, 28, 28, 1)
        kl = 0.5 * (ops.exp(log_var) + ops.square(mean) - 1 - log_var)  # (batch, latent_dim)
        return ops.mean(cross_entropy) + written_weight * ops.mean(kl)

    return loss


def means_kl_weight(written_weight: float, latent_dim: int = 2) -> float:
    """The kl_weight of `means_loss`."""
    return kl_weight_of(
        likelihood="bernoulli",
        pixels=PIXELS,
        channels=1,
        latent_dim=latent_dim,
        reconstruction_over_pixels="mean",
        kl_over_dimensions="mean",
        kl_factor=written_weight,
    )


def written_vae(
    written_loss: Callable,
    kl_weight: float,
    seed: int,
    learning_rate: float,
    hidden_units: int,
    epsilon: float = EPSILON,
) -> WrittenVAE:
    """`reference_vae`, the same initial weights and noise for a seed, but trained on another loss."""
    keras.utils.set_random_seed(seed)
    vae = WrittenVAE(mlp_encoder(hidden_units), mlp_decoder(hidden_units), written_loss, kl_weight, seed)
    vae.compile(optimizer=keras.optimizers.Adam(learning_rate, epsilon=epsilon), jit_compile=True)
    return vae


def train_ways_of_writing(
    dataset: Dataset, kl_weight: float, epochs: int, batch_size: int, learning_rate: float, hidden_units: int, seed: int
) -> tuple[dict[str, pd.DataFrame], dict[str, float]]:
    """One kl_weight written with sums and with means, and the same number before other reductions.

    The second seed shows how far apart two runs of one loss are. Means make all gradients 784 times smaller, down to
    Adam's epsilon; with an epsilon that is 784 times smaller as well, only rounding is left.

    returns: for each way of writing the history, and the share of weights with steps that epsilon shortens
    """
    factor = kl_weight / means_kl_weight(1)  # before means, for the same kl_weight
    other_seed = seed ^ 1  # seed + 1 or seed - 1, so never above the largest
    common = {"learning_rate": learning_rate, "hidden_units": hidden_units}
    small = EPSILON / PIXELS
    ways = {
        f"sums, {kl_weight:g} * KL": (seed, reference_vae(kl_weight, seed, **common)),
        f"sums, {kl_weight:g} * KL, seed {other_seed}": (other_seed, reference_vae(kl_weight, other_seed, **common)),
        f"means, {factor:.3g} * KL": (seed, written_vae(means_loss(factor), kl_weight, seed, **common)),
        f"means, {factor:.3g} * KL, epsilon / {PIXELS}": (
            seed,
            written_vae(means_loss(factor), kl_weight, seed, **common, epsilon=small),
        ),
        f"means, {kl_weight:g} * KL, the number unchanged": (
            seed,
            written_vae(means_loss(kl_weight), means_kl_weight(kl_weight), seed, **common),
        ),
    }
    histories = {name: train(vae, dataset, epochs, batch_size, order)[0] for name, (order, vae) in ways.items()}
    return histories, {name: shortened_steps(vae) for name, (_, vae) in ways.items()}


def shortened_steps(vae: VAE, by: float = 0.1) -> float:
    """The share of weights whose steps Adam's epsilon shortens by a tenth or more, of all that ever had a gradient.

    step = learning_rate * m / (sqrt(v) + epsilon) is a tenth shorter than without epsilon at sqrt(v) = 9 epsilon
    """
    velocities = [np.ravel(variable) for variable in vae.optimizer.variables if "velocity" in variable.path]
    root = np.sqrt(np.concatenate(velocities))  # (weights,)
    return float(np.mean(root[root > 0] <= (1 / by - 1) * vae.optimizer.epsilon))


def comparison_table(histories: Mapping[str, pd.DataFrame], shortened: Mapping[str, float]) -> pd.DataFrame:
    """Where each run ends on the validation images, and how far it ever was from the first in distortion + rate."""
    first = _negative_elbo(next(iter(histories.values())))
    rows = [
        {
            "written with": name,
            "distortion": history["val_distortion"].iloc[-1],
            "rate": history["val_rate"].iloc[-1],
            "farthest from the first": (_negative_elbo(history) - first).abs().max(),
            "weights with shortened steps": f"{shortened[name]:.1%}",
        }
        for name, history in histories.items()
    ]
    return pd.DataFrame(rows).set_index("written with")


def train_keras_guide(dataset: Dataset, seed: int) -> dict[str, WrittenVAE]:
    """The VAE of Keras' guide to subclassing, trained as the guide does it; and with the loss of pythae, later."""
    vaes = {}
    for row in PUBLISHED:
        if row.name in ("Keras guide to subclassing", "pythae, later"):
            keras.utils.set_random_seed(seed)
            loss = partial(_from_logits, row.loss)
            vae = WrittenVAE(mlp_encoder(64, latent_dim=32), mlp_decoder(64, latent_dim=32), loss, row.kl_weight, seed)
            vae.compile(optimizer=keras.optimizers.Adam(1e-3))
            vae.fit(dataset.train_images, epochs=2, batch_size=64, verbose=0)
            vaes[row.name] = vae
    return vaes


def keras_guide_table(vaes: Mapping[str, WrittenVAE], dataset: Dataset) -> pd.DataFrame:
    """Squared errors, losses and codes on the validation images; first, a decoder that always draws the mean image."""
    images = dataset.validation_images
    mean_image = dataset.train_images.mean(axis=0)
    rows = [{"loss of": "none: the mean image for all", "mean squared error": np.mean(np.square(images - mean_image))}]
    for name, vae in vaes.items():
        mean, log_var, logits = vae(images)
        rows.append(
            {
                "loss of": name,
                "mean squared error": np.mean(np.square(images - ops.sigmoid(logits))),
                "kl_weight": vae.kl_weight,
                "loss as written": float(vae.written_loss(images, logits, mean, log_var)),
                "rate": np.mean(kl_divergence(mean, log_var)),
                "active_units": active_units(np.asarray(mean)),
            }
        )
    return pd.DataFrame(rows).set_index("loss of")


def largest_variance(images: np.ndarray) -> float:
    """The variance of the images along their first principal component, pixels in [0, 1]; images: (N, 28, 28, 1)."""
    return float(np.linalg.eigvalsh(np.cov(images.reshape(len(images), -1), rowvar=False))[-1])


def _from_logits(loss: Callable, images, logits, mean, log_var):
    return loss(images, ops.sigmoid(logits), mean, log_var)


def _negative_elbo(history: pd.DataFrame) -> pd.Series:
    return history["val_distortion"] + history["val_rate"]
