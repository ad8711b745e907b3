"""Conditional VAEs (the last part of tutorial 003): the decoder is told the class, so the code need not say it.

Style and class can then be chosen apart: images on demand, best guesses of missing pixels, paths along either.
"""

from collections.abc import Callable
from functools import partial

import vae_core.backend  # noqa: F401

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from vae_core import latent
from vae_core.data import DIGITS, IMAGE_SHAPE, Dataset
from vae_core.errors import InputError
from vae_core.likelihoods import SQUARED_ERROR
from vae_core.models import VAE, build_vae, conv_decoder, conv_encoder, gaussian_encoder, transposed_convolutions

CLASSES = len(DIGITS)  # ten, of every built-in data set
SIDE = IMAGE_SHAPE[0]
GUESS_STEPS = 60
# What the square can be filled with: first as in measures.json, then as in tables and figures.
FILLINGS = {
    "black": "black",
    "mean_image": "mean image",
    "mean_of_the_class": "mean of the class",
    "no_label_decoded_code": "no label, decoded code",
    "no_label_best_guess": "no label, best guess",
    "label_decoded_code": "label, decoded code",
    "label_best_guess": "label, best guess",
    "wrong_label_best_guess": "wrong label, best guess",
}
# The kinds of paths, likewise.
PATHS = {"between_styles": "between styles", "between_classes": "between classes", "both": "both"}


class ConditionalVAE(VAE):
    """A VAE of the images of a given class: distortion + rate is an upper bound on -log p(x|y).

    objective = E over q(z|x, y) of -log p(x|z, y) + kl_weight * KL(q(z|x, y) || p(z))

    The decoder takes [z, label], the encoder images or [images, label]; labels are one-hot, (batch, classes). With
    labels into the decoder alone, q(z|x, y) = q(z|x). Sohn, Lee and Yan 2015, "Learning structured output
    representation using deep conditional generative models".
    """

    def inputs(self, images, labels):
        """What `call` takes of a data set's images and labels: images and one-hot labels."""
        return images, one_hot(labels)

    def posterior(self, images, label):
        """Mean and log-variance of q(z|x, y), (batch, latent_dim) each."""
        return self.encoder([images, label] if len(self.encoder.inputs) == 2 else images)

    def call(self, inputs):
        """Mean and log-variance of q(z|x, y), each (batch, latent_dim), and the decoder's outputs for one draw."""
        images, label = inputs
        mean, log_var = self.posterior(images, label)
        return mean, log_var, self.decoder([self.draw(mean, log_var), label])

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """The VAE's objective; x are images and labels, y_pred what `call` returned."""
        images, _ = x
        return super().compute_loss(images, y, y_pred, sample_weight, training)

    def given(self, labels: np.ndarray) -> VAE:
        """The VAE of one class: this one with the label filled in, sharing its weights.

        labels: (1,), or (N,) for a VAE of N images at a time, each with a label of its own
        """

        def filled_in(x):
            return ops.zeros_like(layers.Flatten()(x)[:, :1]) + one_hot(labels)  # (batch, classes)

        images, z = keras.Input(IMAGE_SHAPE), keras.Input(self.decoder.inputs[0].shape[1:])
        encoder = keras.Model(images, self.posterior(images, filled_in(images)))
        decoder = keras.Model(z, self.decoder([z, filled_in(z)]))
        return VAE(encoder, decoder, float(self.kl_weight), seed=0, likelihood=self.likelihood)


def one_hot(labels) -> np.ndarray:
    """1 in the column of each label, else 0; labels: (N,), returns (N, classes)."""
    return np.eye(CLASSES, dtype=np.float32)[labels]


def labelled_conv_encoder(latent_dim: int = 10) -> keras.Model:
    """`conv_encoder` with the label as ten more channels, constant over the image: [images, label] to q(z|x, y)."""
    images = keras.Input(IMAGE_SHAPE, name="images")
    label = keras.Input((CLASSES,), name="label")
    planes = layers.RepeatVector(SIDE * SIDE)(label)  # (batch, 784, classes)
    planes = layers.Reshape((SIDE, SIDE, CLASSES))(planes)  # (batch, 28, 28, classes)
    x = layers.Concatenate()([images, planes])  # (batch, 28, 28, 1 + classes)
    x = layers.Conv2D(32, 3, strides=2, activation="relu")(x)  # (batch, 13, 13, 32)
    x = layers.Conv2D(64, 3, strides=2, activation="relu")(x)  # (batch, 6, 6, 64)
    x = layers.Flatten()(x)  # (batch, 2304)
    return gaussian_encoder([images, label], x, latent_dim)


def conditional_conv_decoder(latent_dim: int = 10) -> keras.Model:
    """`conv_decoder` with the label joined to the code: [z, label], latent_dim + classes numbers, to the outputs.

    Tutorial 003 prints no layers: the convolutions are tutorial 001's.
    """
    z = keras.Input((latent_dim,), name="z")
    label = keras.Input((CLASSES,), name="label")
    x = layers.Concatenate()([z, label])  # (batch, latent_dim + classes)
    return keras.Model([z, label], transposed_convolutions(x), name="decoder")


LABELS_INTO = {"decoder": conv_encoder, "both": labelled_conv_encoder}  # the encoder for each choice


def conditional_vae(
    kl_weight: float, seed: int, learning_rate: float = 1e-3, latent_dim: int = 10, labels_into: str = "decoder"
) -> ConditionalVAE:
    """Tutorial 003's conditional VAE with squared errors, compiled with Adam; labels_into: one of LABELS_INTO."""
    return build_vae(
        lambda: LABELS_INTO[labels_into](latent_dim),
        lambda: conditional_conv_decoder(latent_dim),
        kl_weight,
        seed,
        keras.optimizers.Adam(learning_rate),
        SQUARED_ERROR,
        kind=ConditionalVAE,
        jit_compile=False,
    )


def unconditional_vae(kl_weight: float, seed: int, learning_rate: float = 1e-3, latent_dim: int = 10) -> VAE:
    """The same without labels, and with the same initial weights wherever the shapes are the same."""
    return build_vae(
        lambda: conv_encoder(latent_dim),
        lambda: conv_decoder(latent_dim),
        kl_weight,
        seed,
        keras.optimizers.Adam(learning_rate),
        SQUARED_ERROR,
        jit_compile=False,
    )


def check_what_is_shown(latent_dim: int, label: int, cutout_size: int, cutout_row: int, cutout_column: int) -> None:
    """Raise InputError for a label, a cut-out or a latent size that the notebook cannot show."""
    if latent_dim < 3:
        raise InputError(f"latent_dim must be at least 3 for the codes in three dimensions, not {latent_dim}")
    if not isinstance(label, int) or label not in range(CLASSES):
        raise InputError(f"label must be one of 0 to {CLASSES - 1}, the numbers of the classes, not {label!r}")
    square = {"cutout_size": cutout_size, "cutout_row": cutout_row, "cutout_column": cutout_column}
    for name, value in square.items():
        least = int(name == "cutout_size")
        if not isinstance(value, int) or value < least:
            raise InputError(f"{name} must be a whole number, {least} or more, not {value!r}")
    if cutout_size > SIDE:
        raise InputError(f"the cut-out is larger than the image: cutout_size must be at most {SIDE}, not {cutout_size}")
    for name in ("cutout_row", "cutout_column"):
        if square[name] + cutout_size > SIDE:
            largest = SIDE - cutout_size
            raise InputError(f"the cut-out leaves the image: {name} must be at most {largest}, not {square[name]}")


def class_by_class(vae: ConditionalVAE, labels: np.ndarray, measure: Callable, *arrays: np.ndarray, **options):
    """For each image what `measure(VAE, *arrays, **options)` gives with the VAE of the image's class.

    For a given label a conditional VAE is an ordinary one: `measure` is `latent.encode`, `measures.bound_terms`, ...

    labels: (N,); arrays: (N, ...) each
    returns: what `measure` returns, one array or several, (N, ...) in the order of the images
    """
    present = np.unique(labels)
    parts = [measure(vae.given([label]), *(array[labels == label] for array in arrays), **options) for label in present]
    sorted_to_images = np.argsort(np.argsort(labels, kind="stable"))
    return keras.tree.map_structure(lambda *rows: np.concatenate(rows)[sorted_to_images], *parts)


def decode(vae: ConditionalVAE, z: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Expected images for codes and labels, whose leading axes broadcast.

    z: (..., latent_dim); label: (..., classes), one-hot or a blend
    returns: (..., height, width) in [0, 1]
    """
    shape = np.broadcast_shapes(z.shape[:-1], label.shape[:-1])
    z, label = (np.broadcast_to(x, (*shape, x.shape[-1])).reshape(-1, x.shape[-1]) for x in (z, label))  # (N, ...)
    starts = range(0, len(z), latent.BLOCK)
    outputs = [vae.decoder([x[start : start + latent.BLOCK] for x in (z, label)]) for start in starts]
    return np.asarray(vae.likelihood.mean(np.concatenate(outputs))).reshape(*shape, SIDE, SIDE)


def decoded_means(vae: VAE, images: np.ndarray) -> np.ndarray:
    """Encode images and decode the means of q(z|x): (N, height, width, channels) to the same."""
    return latent.decode(vae, latent.encode(vae, images)[0])


def visible_pixels(size: int, row: int, column: int) -> np.ndarray:
    """False in a square with its upper left corner at (row, column), else True: (height, width, channels)."""
    visible = np.ones(IMAGE_SHAPE, bool)
    visible[row : row + size, column : column + size] = False
    return visible


def best_guess(vae: VAE, images: np.ndarray, visible: np.ndarray) -> np.ndarray:
    """The image of the code that explains the visible pixels best. The values of the others are not used.

    argmin over z of -log p(visible pixels|z) - kl_weight log p(z)

    A local optimum, by 60 steps of Adam from the mean of q(z|x) of the image with the other pixels black. A step is 0.1
    of the codes' root mean square, or of the prior's, 1, if that is more. For squared errors and a kl_weight above 0
    the optimum is a mode of p(z|visible pixels) at a pixel variance of kl_weight / 2.

    images: (N, height, width, channels); visible: (height, width, channels)
    returns: expected images, (N, height, width, channels) in [0, 1]
    """
    start = latent.encode(vae, images * visible)[0]  # (N, latent_dim)
    z = tf.Variable(start)
    seen = np.flatnonzero(visible)
    pixels = tf.constant(images.reshape(len(images), -1)[:, seen])  # (N, visible pixels)
    optimizer = keras.optimizers.Adam(0.1 * max(1.0, float(np.sqrt(np.square(start).mean()))))
    optimizer.build([z])

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            outputs = tf.gather(tf.reshape(vae.decoder(z), (len(images), -1)), seen, axis=1)  # (N, visible pixels)
            prior = 0.5 * ops.sum(ops.square(z), axis=1)  # (N,), up to a constant
            loss = ops.sum(vae.likelihood.nll(pixels, outputs) + vae.kl_weight * prior)
        optimizer.apply([tape.gradient(loss, z)], [z])

    for _ in range(GUESS_STEPS):
        step()
    return latent.decode(vae, z.numpy())


def fill(
    vae: ConditionalVAE, twin: VAE, dataset: Dataset, visible: np.ndarray, number: int = 200
) -> dict[str, np.ndarray]:
    """The first test images with the pixels that are not visible filled in each of the FILLINGS.

    twin: the model without labels. The wrong label is the class after the true one.

    returns: (number, height, width, channels) each
    """
    images, labels = dataset.test_images[:number], dataset.test_labels[:number]
    cut, guess = images * visible, partial(best_guess, visible=visible)
    filled = {
        "black": np.zeros_like(images),
        "mean_image": np.broadcast_to(dataset.train_images.mean(axis=0), images.shape),
        "mean_of_the_class": class_means(dataset)[labels],
        "no_label_decoded_code": decoded_means(twin, cut),
        "no_label_best_guess": guess(twin, images),
        "label_decoded_code": decoded_means(vae.given(labels), cut),
        "label_best_guess": guess(vae.given(labels), images),
        "wrong_label_best_guess": guess(vae.given((labels + 1) % CLASSES), images),
    }
    return {key: np.where(visible, images, pixels) for key, pixels in filled.items()}


def class_means(dataset: Dataset) -> np.ndarray:
    """The mean training image of each class: (classes, height, width, channels)."""
    return np.stack([dataset.train_images[dataset.train_labels == label].mean(axis=0) for label in range(CLASSES)])


def decode_paths(
    vae: ConditionalVAE, latent_dim: int, number: int = 100, steps: int = 9, seed: int = 0
) -> dict[str, np.ndarray]:
    """Images on straight lines between random styles, random classes, and both: each of PATHS.

    Between two classes the label is a blend of two one-hot labels, which training never showed.

    returns: (number, steps, height, width) each
    """
    rng = np.random.default_rng(seed)
    start, end = rng.standard_normal((2, number, latent_dim))
    first = rng.integers(CLASSES, size=number)
    second = (first + rng.integers(1, CLASSES, size=number)) % CLASSES
    styles = np.linspace(start, end, steps, axis=1)  # (number, steps, latent_dim)
    labels = np.linspace(one_hot(first), one_hot(second), steps, axis=1)  # (number, steps, classes)
    return {
        "between_styles": decode(vae, styles, labels[:, :1]),
        "between_classes": decode(vae, styles[:, :1], labels),
        "both": decode(vae, styles, labels),
    }
