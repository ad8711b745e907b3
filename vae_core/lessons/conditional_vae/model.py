"""Conditional VAEs: the decoder is told the class of the image, so the code need not say it (seed 003's last part).

Styles and classes are chosen apart then: images on demand, best guesses of what is missing, paths along either.
"""

from collections.abc import Callable
from functools import partial

import vae_core.backend  # noqa: F401

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops
from scipy.special import expit
from sklearn.decomposition import KernelPCA

from vae_core import architectures, latent
from vae_core.data import IMAGE_SHAPE, Dataset
from vae_core.errors import InputError
from vae_core.losses import squared_error
from vae_core.models import VAE

CLASSES = 10  # of every data set here
SIDE = IMAGE_SHAPE[0]
SHOWN_CODES = 2_000  # codes in kernel PCA and silhouettes, which compare all pairs
GUESS_STEPS = 60


class ConditionalVAE(VAE):
    """A VAE of the images of a given class: -log p(x|y) is bounded by distortion + rate.

    objective = E over q(z|x, y) of -log p(x|z, y) + kl_weight * KL(q(z|x, y) || p(z))

    The decoder takes [z, label], the encoder images or [images, label]; labels are one-hot, (batch, classes). Sohn, Lee
    and Yan 2015, "Learning structured output representation using deep conditional generative models"; with labels
    into the decoder alone q(z|x, y) = q(z|x).
    """

    def inputs(self, images, labels):
        """What `call` takes, of a data set's images and labels: images and one-hot labels."""
        return images, one_hot(labels)

    def posterior(self, images, label):
        """Mean and log-variance of q(z|x, y), (batch, latent_dim) each."""
        return self.encoder([images, label] if len(self.encoder.inputs) == 2 else images)

    def call(self, inputs):
        """Mean and log-variance of q(z|x, y), each (batch, latent_dim), and the logits of one draw."""
        images, label = inputs
        mean, log_var = self.posterior(images, label)
        return mean, log_var, self.decoder([self.sampling(mean, log_var), label])

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """The VAE's objective; x are images and labels, y_pred what `call` returned."""
        images, _ = x
        return super().compute_loss(images, y, y_pred, sample_weight, training)

    def given(self, labels: np.ndarray) -> VAE:
        """The VAE of one class: this one with the label filled in, sharing its weights.

        labels: (1,), or (N,) for a VAE of N images at a time, each of a class of its own
        """

        def filled_in(x):
            return ops.zeros_like(layers.Flatten()(x)[:, :1]) + one_hot(labels)  # (batch, classes)

        images, z = keras.Input(IMAGE_SHAPE), keras.Input(self.decoder.inputs[0].shape[1:])
        encoder = keras.Model(images, self.posterior(images, filled_in(images)))
        decoder = keras.Model(z, self.decoder([z, filled_in(z)]))
        return VAE(encoder, decoder, self.kl_weight, seed=0, pixel_nll=self.pixel_nll)


def one_hot(labels) -> np.ndarray:
    """1 in the column of each label, else 0; labels: (N,), returns (N, classes)."""
    return np.eye(CLASSES, dtype=np.float32)[labels]


def conditional_vae(
    kl_weight: float, seed: int, learning_rate: float = 1e-3, latent_dim: int = 10, labels_into: str = "decoder"
) -> ConditionalVAE:
    """Seed 003's conditional VAE, with seed 001's convolutions since it prints no layers, compiled with Adam.

    Squared errors; labels into the `decoder` or into `both`.
    """
    keras.utils.set_random_seed(seed)
    build = {"decoder": architectures.conv_encoder, "both": architectures.labelled_conv_encoder}[labels_into]
    encoder, decoder = build(latent_dim), architectures.conditional_conv_decoder(latent_dim)
    vae = ConditionalVAE(encoder, decoder, kl_weight, seed, squared_error)
    vae.compile(optimizer=keras.optimizers.Adam(learning_rate), jit_compile=False)
    return vae


def unconditional_vae(kl_weight: float, seed: int, learning_rate: float = 1e-3, latent_dim: int = 10) -> VAE:
    """The same without labels, and with the same initial weights wherever the shapes are the same."""
    keras.utils.set_random_seed(seed)
    encoder, decoder = architectures.conv_encoder(latent_dim), architectures.conv_decoder(latent_dim)
    vae = VAE(encoder, decoder, kl_weight, seed, squared_error)
    vae.compile(optimizer=keras.optimizers.Adam(learning_rate), jit_compile=False)
    return vae


def check(latent_dim: int, label: int, cutout_size: int, cutout_row: int, cutout_column: int) -> None:
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
        raise InputError(f"a cut-out larger than the image: cutout_size must be at most {SIDE}, not {cutout_size}")
    for name in ("cutout_row", "cutout_column"):
        if square[name] + cutout_size > SIDE:
            largest = SIDE - cutout_size
            raise InputError(f"the cut-out leaves the image: {name} must be at most {largest}, not {square[name]}")


def class_by_class(vae: ConditionalVAE, labels: np.ndarray, measure: Callable, *arrays: np.ndarray, **options):
    """What `measure(VAE, *arrays, **options)` gives for each image, asked of the VAE of the image's class.

    For a given label a conditional VAE is an ordinary one: `measure` is `latent.encode`, `measures.terms`, ...

    labels: (N,); arrays: (N, ...) each
    returns: what `measure` returns, an array or several, (N, ...) in the order of the images
    """
    present = np.unique(labels)
    parts = [measure(vae.given([label]), *(array[labels == label] for array in arrays), **options) for label in present]
    sorted_to_images = np.argsort(np.argsort(labels, kind="stable"))
    return keras.tree.map_structure(lambda *rows: np.concatenate(rows)[sorted_to_images], *parts)


def decode(vae: ConditionalVAE, z: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Expected images of codes and labels.

    z: (..., latent_dim), label: (..., classes), one-hot or a blend of such; whose leading axes broadcast
    returns: (..., 28, 28) in [0, 1]
    """
    shape = np.broadcast_shapes(z.shape[:-1], label.shape[:-1])
    z, label = (np.broadcast_to(x, (*shape, x.shape[-1])).reshape(-1, x.shape[-1]) for x in (z, label))  # (N, ...)
    starts = range(0, len(z), latent.BLOCK)
    logits = [vae.decoder([x[start : start + latent.BLOCK] for x in (z, label)]) for start in starts]
    return expit(np.concatenate(logits)).reshape(*shape, SIDE, SIDE)


def decoded_means(vae: VAE, images: np.ndarray) -> np.ndarray:
    """Encode and decode again, by the means of q(z|x): (N, 28, 28, 1) to the same."""
    return latent.decode(vae, latent.encode(vae, images)[0])


def visible_pixels(size: int, row: int, column: int) -> np.ndarray:
    """False in a square with its upper left corner at (row, column), else True: (28, 28, 1)."""
    visible = np.ones(IMAGE_SHAPE, bool)
    visible[row : row + size, column : column + size] = False
    return visible


def best_guess(vae: VAE, images: np.ndarray, visible: np.ndarray) -> np.ndarray:
    """The image of the code that explains the visible pixels best; what the others hold is not looked at.

    argmin over z of -log p(visible pixels|z) - kl_weight log p(z)

    A local optimum, by 60 steps of Adam from the mean of q(z|x) of the image with the other pixels black; a step is 0.1
    of the codes' root mean square, or of the prior's 1 if that is more. For squared errors and a kl_weight above 0 it
    is a mode of p(z|visible pixels) at a pixel variance of kl_weight / 2, as far as so many steps take it there.

    images: (N, 28, 28, 1); visible: (28, 28, 1)
    returns: expected images, (N, 28, 28, 1) in [0, 1]
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
            logits = tf.gather(tf.reshape(vae.decoder(z), (len(images), -1)), seen, axis=1)  # (N, visible pixels)
            prior = 0.5 * ops.sum(ops.square(z), axis=1)  # (N,), but for a constant
            loss = ops.sum(vae.pixel_nll(pixels, logits) + vae.kl_weight * prior)
        optimizer.apply([tape.gradient(loss, z)], [z])

    for _ in range(GUESS_STEPS):
        step()
    return latent.decode(vae, z.numpy())


def inpaint(
    vae: ConditionalVAE, twin: VAE, dataset: Dataset, visible: np.ndarray, number: int = 200
) -> dict[str, np.ndarray]:
    """Ways to fill what is not visible of the first test images: each (number, 28, 28, 1), with the rest untouched.

    twin: the model without labels. The wrong label is the class after the true one.
    """
    images, labels = dataset.test_images[:number], dataset.test_labels[:number]
    cut, guess = images * visible, partial(best_guess, visible=visible)
    guesses = {
        "black": np.zeros_like(images),
        "mean image": np.broadcast_to(dataset.train_images.mean(axis=0), images.shape),
        "mean of the class": class_means(dataset)[labels],
        "no label, decoded code": decoded_means(twin, cut),
        "no label, best guess": guess(twin, images),
        "label, decoded code": decoded_means(vae.given(labels), cut),
        "label, best guess": guess(vae.given(labels), images),
        "wrong label, best guess": guess(vae.given((labels + 1) % CLASSES), images),
    }
    return {name: np.where(visible, images, filled) for name, filled in guesses.items()}


def class_means(dataset: Dataset) -> np.ndarray:
    """The mean training image of each class: (classes, 28, 28, 1)."""
    return np.stack([dataset.train_images[dataset.train_labels == label].mean(axis=0) for label in range(CLASSES)])


def paths(
    vae: ConditionalVAE, latent_dim: int, number: int = 100, steps: int = 9, seed: int = 0
) -> dict[str, np.ndarray]:
    """Images on straight lines between random styles, random classes, and both: each (number, steps, 28, 28).

    Between two classes the label is a blend of two one-hot labels, which training never showed.
    """
    rng = np.random.default_rng(seed)
    start, end = rng.standard_normal((2, number, latent_dim))
    first = rng.integers(CLASSES, size=number)
    second = (first + rng.integers(1, CLASSES, size=number)) % CLASSES
    styles = np.linspace(start, end, steps, axis=1)  # (number, steps, latent_dim)
    labels = np.linspace(one_hot(first), one_hot(second), steps, axis=1)  # (number, steps, classes)
    return {
        "between styles": decode(vae, styles, labels[:, :1]),
        "between classes": decode(vae, styles[:, :1], labels),
        "both": decode(vae, styles, labels),
    }


def draw_codes(mean: np.ndarray, log_var: np.ndarray, seed: int = 0) -> np.ndarray:
    """One draw from each q(z|x), what the decoder gets: (N, latent_dim)."""
    return mean + np.exp(log_var / 2) * np.random.default_rng(seed).standard_normal(mean.shape)


def kernel_pca(codes: np.ndarray) -> np.ndarray:
    """The first three kernel principal components of the first 2,000 codes.

    Gaussian kernel exp(-|a - b|^2 / (2 w^2)) of width w = `kernel_width`

    codes: (N, latent_dim)
    returns: (at most 2000, 3)
    """
    codes = codes[:SHOWN_CODES]
    gamma = 1 / max(2 * kernel_width(codes) ** 2, np.finfo(np.float64).tiny)  # codes may all be the same
    return KernelPCA(3, kernel="rbf", gamma=gamma, eigen_solver="dense").fit_transform(codes.astype(np.float64))


def kernel_width(codes: np.ndarray) -> float:
    """The root mean square distance of the first 2,000 codes from their mean."""
    return float(np.sqrt(codes[:SHOWN_CODES].var(axis=0, dtype=np.float64).sum()))
