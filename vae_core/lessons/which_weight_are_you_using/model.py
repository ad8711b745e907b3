"""VAEs that are trained on a loss as somebody writes it: do they train what `kl_weight_of` says?"""

from collections.abc import Callable
from functools import partial

import vae_core.backend  # noqa: F401

import keras
import pandas as pd
from keras import ops

from vae_core.data import IMAGE_SHAPE, Dataset
from vae_core.lessons.which_weight_are_you_using.measures import shortened_steps
from vae_core.lessons.which_weight_are_you_using.published import BY_NAME, KERAS_GUIDE, PYTHAE_LATER
from vae_core.losses import kl_weight_of, rate_per_dimension
from vae_core.models import VAE, build_vae, dense_decoder, dense_encoder, reference_vae
from vae_core.training import train

EPSILON = 1e-7  # of Keras' Adam: step = learning_rate * m / (sqrt(v) + epsilon)


class CustomLossVAE(VAE):
    """A VAE that is trained on another loss, and reports what every VAE here reports.

    custom_loss: of images, decoder outputs, mean and log_var, returns the number that is minimised
    kl_weight: of that loss on the suite's scale; for the report alone
    """

    def __init__(self, *arguments, custom_loss: Callable, **kwargs):
        super().__init__(*arguments, **kwargs)
        self.custom_loss = custom_loss

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """The custom loss; objective, distortion and rate are only reported."""
        super().compute_loss(x, y, y_pred, sample_weight, training)
        mean, log_var, outputs = y_pred
        return self.custom_loss(x, outputs, mean, log_var)

    def get_config(self):
        """Refused: Keras cannot store any function as a loss. Save its weights."""
        raise NotImplementedError("a model with a custom loss cannot be saved as a whole: use save_weights")


def means_loss(kl_factor: float) -> Callable:
    """The mean of the cross-entropies over pixels and batch, plus a factor times the mean of the KL over dimensions."""

    def loss(images, outputs, mean, log_var):
        cross_entropy = ops.binary_crossentropy(images, outputs, from_logits=True)  # (batch, height, width, channels)
        return ops.mean(cross_entropy) + kl_factor * ops.mean(rate_per_dimension(mean, log_var))

    return loss


def means_kl_weight(kl_factor: float, image_shape: tuple[int, int, int] = IMAGE_SHAPE, latent_dim: int = 2) -> float:
    """The kl_weight of `means_loss`."""
    height, width, channels = image_shape
    return kl_weight_of(
        likelihood="bernoulli",
        pixels=height * width,
        channels=channels,
        latent_dim=latent_dim,
        z_deviation="exp(log_var / 2)",
        reconstruction_over_pixels="mean",
        reconstruction_over_channels="mean",
        kl_over_dimensions="mean",
        kl_factor=kl_factor,
    )


def means_vae(
    kl_factor: float,
    seed: int,
    learning_rate: float,
    hidden_units: int,
    image_shape: tuple[int, int, int] = IMAGE_SHAPE,
    epsilon: float = EPSILON,
) -> CustomLossVAE:
    """`reference_vae`, with the same initial weights and noise for a seed, but trained on `means_loss`."""
    return build_vae(
        lambda: dense_encoder((hidden_units,), image_shape=image_shape),
        lambda: dense_decoder((hidden_units,), image_shape=image_shape),
        means_kl_weight(kl_factor, image_shape),
        seed,
        keras.optimizers.Adam(learning_rate, epsilon=epsilon),
        kind=partial(CustomLossVAE, custom_loss=means_loss(kl_factor)),
    )


def train_with_sums_and_means(
    dataset: Dataset, kl_weight: float, epochs: int, batch_size: int, learning_rate: float, hidden_units: int, seed: int
) -> tuple[dict[str, pd.DataFrame], dict[str, float]]:
    """One kl_weight in a loss of sums and in a loss of means, and the same number before the KL in both.

    A second random seed shows how far apart two runs of one loss are. Means make all gradients 784 times smaller (for
    784 pixels), so that Adam's epsilon matters. Where epsilon is smaller by the same factor, only rounding is left.

    returns: for each run its history, and the share of weights whose steps epsilon shortens
    """
    pixels = dataset.train_images[0].size
    factor = kl_weight / means_kl_weight(1, dataset.image_shape)  # gives means the same kl_weight
    other_seed = seed ^ 1  # seed + 1 or seed - 1, so never above the largest
    shape = {"hidden_units": hidden_units, "image_shape": dataset.image_shape}
    sums = partial(reference_vae, kl_weight, learning_rate=learning_rate, **shape)
    means = partial(means_vae, seed=seed, learning_rate=learning_rate, **shape)
    runs = {
        f"sums, {kl_weight:g} * KL": (seed, sums(seed)),
        f"sums, {kl_weight:g} * KL, seed {other_seed}": (other_seed, sums(other_seed)),
        f"means, {factor:.3g} * KL": (seed, means(factor)),
        f"means, {factor:.3g} * KL, epsilon / {pixels}": (seed, means(factor, epsilon=EPSILON / pixels)),
        f"means, {kl_weight:g} * KL, the number unchanged": (seed, means(kl_weight)),
    }
    histories = {name: train(vae, dataset, epochs, batch_size, order)[0] for name, (order, vae) in runs.items()}
    return histories, {name: shortened_steps(vae) for name, (_, vae) in runs.items()}


def train_keras_guide(dataset: Dataset, seed: int) -> dict[str, CustomLossVAE]:
    """The VAE of Keras' guide to subclassing, trained as in the guide; and once more with pythae's later loss."""
    vaes = {}
    for name in (KERAS_GUIDE, PYTHAE_LATER):
        row = BY_NAME[name]
        vaes[name] = build_vae(
            lambda: dense_encoder((64,), latent_dim=32, image_shape=dataset.image_shape),
            lambda: dense_decoder((64,), latent_dim=32, image_shape=dataset.image_shape),
            row.kl_weight,
            seed,
            keras.optimizers.Adam(1e-3),
            kind=partial(CustomLossVAE, custom_loss=partial(_of_outputs, row.loss)),
            jit_compile=False,  # as Keras chooses by itself on a CPU
        )
        vaes[name].fit(dataset.train_images, epochs=2, batch_size=64, verbose=0)
    return vaes


def _of_outputs(loss: Callable, images, outputs, mean, log_var):
    return loss(images, ops.sigmoid(outputs), mean, log_var)
