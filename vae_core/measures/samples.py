"""What the decoder draws: images at random codes, judged by a classifier that learned from real images."""

from collections import ChainMap
from collections.abc import Mapping, Sequence

import vae_core.backend  # noqa: F401

import keras
import numpy as np
from keras import layers
from scipy.ndimage import laplace
from scipy.special import entr, softmax
from sklearn.mixture import GaussianMixture

from vae_core import latent
from vae_core.data import ByteImages, Dataset
from vae_core.measures.blocks import MEMORY, blocks, images_in
from vae_core.measures.neighbours import COMPARED, precision_and_recall
from vae_core.models import VAE
from vae_core.statistics import with_error

COMPONENTS = 20
FITTED_CODES = 10_000  # of the training images, so that the fit stays short
CODES_OF_COMPONENT = 10  # at least, for each dimension: fewer leave a covariance singular
DRAWN, SHOWN = 1 << 25, 176 << 20  # bytes of float32 images, of a set of samples and before the judge
APPEARS = 0.01  # the share of samples from which on a class counts as appearing


def draw_images(vae: VAE, mean: np.ndarray, log_var: np.ndarray) -> dict[str, np.ndarray]:
    """Expected images, E[x|z], at the codes of `draw_codes`: two arrays, (samples, height, width, channels).

    10,000 samples, or as many as DRAWN bytes hold: 682 of 64 x 64 in colour.
    """
    most = images_in(DRAWN, vae.encoder.input_shape[1:])
    return {name: latent.decode(vae, z[:most]) for name, z in draw_codes(mean, log_var).items()}


def draw_codes(mean: np.ndarray, log_var: np.ndarray, samples: int = 10_000, seed: int = 0) -> dict[str, np.ndarray]:
    """Codes to decode: from the prior, and from a Gaussian mixture fitted to the codes of training images.

    A decoder that draws well from the mixture but not from the prior is a good decoder whose codes are not where the
    prior is. Fitting a density to the codes afterwards: Ghosh et al. 2020, arXiv:1903.12436, section 4. It has 20
    components with full covariances; fewer where a component would have under ten codes for each dimension.

    mean, log_var: (N, latent_dim), of the training images; the mixture is fitted to one draw from q(z|x) of each
    returns: `prior` and `mixture`, (samples, latent_dim) each
    """
    rng = np.random.default_rng(seed)
    mean, log_var = mean[:FITTED_CODES], log_var[:FITTED_CODES]
    codes = latent.draw(mean, log_var, rng)[0]  # (FITTED_CODES, latent_dim)
    components = int(np.clip(len(codes) // (CODES_OF_COMPONENT * codes.shape[1]), 1, COMPONENTS))
    ridge = max(1e-6, 1e-12 * codes.var(axis=0).max())  # scikit-learn's own, or what rounding leaves of wide codes
    mixture = GaussianMixture(components, random_state=seed, reg_covar=ridge).fit(codes)
    return {
        "prior": rng.standard_normal((samples, mean.shape[1])),
        "mixture": rng.permutation(mixture.sample(samples)[0]),  # which come sorted by component
    }


def train_judge(dataset: Dataset, epochs: int = 5) -> keras.Model | None:
    """A small classifier of the real training images: Dense 256 relu, then one logit per class.

    Its seed is fixed: every run of a sweep has the same judge. `judgement` of the test images tells how good it is. Of
    large images it sees the first that SHOWN bytes hold: 3,754 of 64 x 64 in colour.

    returns: a model, images -> (batch, classes); None where images have no labels
    """
    if not dataset.labelled:
        return None
    keras.utils.set_random_seed(0)
    hidden, classes = layers.Dense(256, activation="relu"), layers.Dense(len(dataset.class_names))
    judge = keras.Sequential([keras.Input(dataset.image_shape), layers.Flatten(), hidden, classes])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    seen, images, student = slice(images_in(SHOWN, dataset.image_shape)), dataset.train_images, judge
    if isinstance(images, ByteImages):  # Keras copies what it fits: a quarter of the memory of floats
        images = images.bytes
        student = keras.Sequential([keras.Input(dataset.image_shape, dtype="uint8"), layers.Rescaling(1 / 255), judge])
    student.compile(optimizer="adam", loss=loss, jit_compile=True)
    student.fit(images[seen], dataset.train_labels[seen], batch_size=128, epochs=epochs, verbose=0)
    return judge


def judgement(judge: keras.Model, images: np.ndarray) -> np.ndarray:
    """The judge's probability of each class for each image: (N, classes)."""
    logits = np.concatenate([judge(images[block]) for block in blocks(images)])
    return softmax(logits.astype(np.float64), axis=1)


def measure_samples(judge: keras.Model | None, drawn: Mapping[str, np.ndarray], dataset: Dataset) -> dict[str, float]:
    """The `quality` of each set of drawn images and of the real test images, and the judge's accuracy on the latter.

    Without a judge, for images without labels: see `measure_without_labels`.
    """
    if judge is None:
        return measure_without_labels(drawn, dataset)
    real = judgement(judge, dataset.test_images)  # (N, classes)
    accuracy = with_error(judge_accuracy=real.argmax(axis=1) == dataset.test_labels)
    qualities = [quality(name, judgement(judge, images), images) for name, images in drawn.items()]
    return accuracy | quality("test", real, dataset.test_images) | dict(ChainMap(*reversed(qualities)))


def measure_without_labels(drawn: Mapping[str, np.ndarray], dataset: Dataset) -> dict[str, float]:
    """The mean `sharpness` of each set of drawn images and of the test images, and how they lie among the latter.

    `precision_and_recall` of the first COMPARED images of each set, or as many as all have, against the first test
    images; of the training images too, as `train_precision` ...: what samples as good as real images would have.
    """
    compared = slice(min(COMPARED, *map(len, (dataset.test_images, dataset.train_images, *drawn.values()))))
    real, near = dataset.test_images[compared], {**drawn, "train": dataset.train_images}
    found = [precision_and_recall(name, images[compared], real) for name, images in near.items()]
    return _sharpnesses({**drawn, "test": dataset.test_images}) | dict(ChainMap(*reversed(found)))


def _sharpnesses(sets: Mapping[str, np.ndarray]) -> dict[str, float]:
    return with_error(**{f"{name}_sharpness": sharpness(images) for name, images in sets.items()})


def opinions(judge: keras.Model | None, images: np.ndarray, class_names: Sequence[str]) -> list[str]:
    """What the judge takes each image for, and its probability: "7, 98 %"; without a judge nothing, ""."""
    if judge is None:
        return [""] * len(images)
    probabilities = judgement(judge, images)
    return [f"{class_names[row.argmax()]}, {row.max():.0%}" for row in probabilities]


def quality(name: str, probabilities: np.ndarray, images: np.ndarray) -> dict[str, float]:
    """How sure the judge is of a set of images, how evenly they spread over the classes, and how sharp they are.

    <name>_confidence = mean over images of the largest class probability
    <name>_class_entropy = -sum over classes of s log s, in nats, s being the share of images taken for the class
    <name>_classes = number of classes with s of 1 % or more
    <name>_sharpness: see `sharpness`

    A judge that knows digits only must say something of images that are none: confidence is no proof of a digit.

    probabilities: (N, classes); images: (N, height, width, channels) in [0, 1]
    """
    shares = np.bincount(probabilities.argmax(axis=1), minlength=probabilities.shape[1]) / len(images)  # (classes,)
    means = {f"{name}_confidence": probabilities.max(axis=1), f"{name}_sharpness": sharpness(images)}
    return with_error(**means) | {
        f"{name}_class_entropy": float(entr(shares).sum()),
        f"{name}_classes": int(np.sum(shares >= APPEARS)),
    }


def sharpness(images: np.ndarray) -> np.ndarray:
    """Variance of the Laplacian: what is left of an image by a filter that answers to edges.

    Var over pixels of (image * [[0, 1, 0], [1, -4, 1], [0, 1, 0]]), edge pixels repeated outside. A measure of focus
    (Pech-Pacheco et al. 2000), used for the samples of autoencoders by Tolstikhin et al. 2018, arXiv:1711.01558. Of
    colour images it is the mean over the channels.

    images: (N, height, width, channels) in [0, 1]
    returns: (N,)
    """
    size = images_in(MEMORY // 4, images.shape[1:])  # it takes three times what they do
    return np.concatenate([_sharpness(images[block]) for block in blocks(images, size)])


def _sharpness(images: np.ndarray) -> np.ndarray:
    """`sharpness` of one block."""
    channels = np.moveaxis(images, -1, 0)  # (channels, N, height, width)
    filtered = [[laplace(image, mode="nearest") for image in channel] for channel in channels]
    return np.var(filtered, axis=(2, 3)).mean(axis=0)
