"""The linear VAE: what its best weights come to, in closed form, and trained ones to compare with it.

Encoder and decoder are one layer each: z ~ N(A (x - b), diag(s)) and x ~ N(b + W z, v I). Let L be the eigenvalues of
the covariance of the training images. Along one eigenvector, with weight w of the decoder and a of the encoder, the
distortion is ((1 - w a)^2 L + w^2 s) / (2 v), and the rate is (a^2 L + s - 1 - ln s) / 2. With u = kl_weight v,

s = u / (w^2 + u),  a = w / (w^2 + u)

are best for any w, and leave (u L / (w^2 + u) + u ln((w^2 + u) / u)) / (2 v). The best w is then

w^2 = L - u where L > u:  rate 1/2 ln(L / u), distortion kl_weight / 2
w = 0 elsewhere:          rate 0, distortion L / (2 v)

Units lie along different eigenvectors, those of the largest eigenvalues. At weight 1 the sum is the -log p(x) of
probabilistic PCA (Tipping and Bishop 1999), which no negative ELBO is below. Another weight is another variance, since
only u counts. Lucas et al. 2019, arXiv:1911.02469, show this at weight 1; Dai et al. 2018, arXiv:1706.05148, that the
other units are pruned. With a unit for every eigenvalue above u, rate and squared error are the rate-distortion
function of Gaussian images of this covariance (reverse water-filling: Cover and Thomas, Elements of Information Theory,
section 10.3.3).

Far below the eigenvalues only kl_weight times the rate tells which basis and which scale the units should have, and
training is slow to find both (on the basis: Bao et al. 2020, arXiv:2007.06731). Therefore it begins with a weight above
all eigenvalues, which falls to its value.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import vae_core.backend  # noqa: F401

import keras
import numpy as np
import pandas as pd
from keras import layers, ops
from keras.optimizers.schedules import CosineDecay, PolynomialDecay

from vae_core import latent
from vae_core.collapse.moments import moments_of
from vae_core.data import Dataset
from vae_core.likelihoods import Gaussian
from vae_core.models import VAE, build_vae, dense_decoder
from vae_core.progress import progress_bar
from vae_core.statistics import mean_and_spread
from vae_core.training import Recorder, spread_epochs, train

BATCH_SIZE = 50
FALL = 0.4  # share of the steps after which the kl_weight is the one that is asked for
POWER = 3  # of the fall: the higher, the slower is its last part
LEARNING_RATE = 1e-2  # of Adam, at the first step; it falls to 0 along half a cosine
EVERY = 3  # of the eigenvalues, one with the next encloses a weight to train at
ABOVE = 1.2  # times the largest eigenvalue: no unit lives there


@dataclass(frozen=True)
class LinearGaussian(Gaussian):
    """Gaussian pixels around the decoder's outputs themselves."""

    def mean(self, outputs):
        """The outputs."""
        return outputs

    def outputs(self, mean):
        """The mean, as float32."""
        return np.asarray(mean, np.float32)


class SharedLogVariances(layers.Layer):
    """Log-variances that are learned, the same for all images.

    mean: (batch, latent_dim)
    returns: (batch, latent_dim)
    """

    def build(self, shape):
        """One number for each latent dimension, which starts at 0."""
        self.values = self.add_weight(shape=shape[-1:], initializer="zeros", name="values")

    def call(self, mean):
        """The log-variances, once for each image."""
        return ops.zeros_like(mean) + self.values


@dataclass(frozen=True)
class LinearOptimum:
    """The best linear VAE on some images, at any kl_weight and any variance of a pixel.

    eigenvalues: (latent_dim,), the largest of the covariance of the training images, descending
    total: the sum of all eigenvalues
    pixels: values of an image; those that never vary count too
    """

    eigenvalues: np.ndarray
    total: float
    pixels: int

    def rates(self, kl_weight: float, pixel_variance: float = 1.0) -> np.ndarray:
        """1/2 ln(L / (kl_weight pixel_variance)), or 0 where that is negative: (latent_dim,), nats per image."""
        return 0.5 * np.log(np.maximum(self.eigenvalues / (kl_weight * pixel_variance), 1))

    def distortion(self, kl_weight: float, pixel_variance: float = 1.0) -> float:
        """Half the squared error over the variance, without `constant`, in nats per image.

        kl_weight / 2 for each unit that lives, L / (2 pixel_variance) for every other eigenvalue.
        """
        living = self._living(kl_weight * pixel_variance)
        return 0.5 * (kl_weight * len(living) + (self.total - living.sum()) / pixel_variance)

    def objective(self, kl_weight: float) -> float:
        """The least distortion + kl_weight * rate at variance 1, without `constant`, in nats per image."""
        return self.distortion(kl_weight) + kl_weight * self.rates(kl_weight).sum()

    def negative_elbo(self, pixel_variance: float) -> float:
        """distortion + rate of the VAE that is best at weight 1, in nats per image."""
        rate = self.rates(1, pixel_variance).sum()
        return self.constant(pixel_variance) + self.distortion(1, pixel_variance) + rate

    def nll(self, pixel_variance: float) -> float:
        """-log p(x) of probabilistic PCA, mean over the training images, in nats per image.

        1/2 (pixels ln(2 pi) + ln det M + tr(M^-1 C)), where C is the covariance of the images, and M that of the model:
        it has the eigenvalues L of C that are above the variance, the latent_dim largest ones at most, and the variance
        in all other directions.
        """
        living = self._living(pixel_variance)
        others = self.pixels - len(living)
        log_determinant = np.log(living).sum() + others * math.log(pixel_variance)
        trace = len(living) + (self.total - living.sum()) / pixel_variance
        return float(0.5 * (self.pixels * math.log(2 * math.pi) + log_determinant + trace))

    @property
    def best_variance(self) -> float:
        """The variance of a pixel with the highest likelihood: the mean of the eigenvalues without a unit.

        Tipping and Bishop 1999, equation 8. No eigenvalue with a unit is below it, so none of the units is dead there.
        """
        return float((self.total - self.eigenvalues.sum()) / (self.pixels - len(self.eigenvalues)))

    def constant(self, pixel_variance: float) -> float:
        """What an image costs without any error: pixels/2 ln(2 pi variance), in nats."""
        return 0.5 * self.pixels * math.log(2 * math.pi * pixel_variance)

    def _living(self, threshold: float) -> np.ndarray:
        return self.eigenvalues[self.eigenvalues > threshold]


@dataclass(frozen=True)
class TrainedLinear:
    """A trained linear VAE of variance 1, measured on the training images, without sampling.

    rates: (latent_dim,), descending; distortion: without `LinearOptimum.constant`; both in nats per image
    nll: -log p(x) of its decoder where the variance is its kl_weight, in nats per image
    excess: by how much its objective is above the least, divided by kl_weight: nats of the ELBO at that variance. One
        row for some epochs: `epoch`, `excess`
    """

    kl_weight: float
    seed: int
    rates: np.ndarray
    distortion: float
    nll: float
    excess: pd.DataFrame

    def negative_elbo(self, optimum: LinearOptimum) -> float:
        """The same encoder and decoder at weight 1, with kl_weight as the variance; in nats per image."""
        return optimum.constant(self.kl_weight) + self.distortion / self.kl_weight + float(self.rates.sum())


def linear_optimum(dataset: Dataset, latent_dim: int) -> LinearOptimum:
    """The best linear VAE on the training images."""
    found = moments_of(dataset)
    pixels = len(found.mean)
    return LinearOptimum(found.eigenvalues(np.ones(pixels), latent_dim), float(found.variance.sum()), pixels)


def linear_encoder(latent_dim: int, image_shape: tuple[int, int, int]) -> keras.Model:
    """Means that are linear in the image, and `SharedLogVariances`: the posterior of a linear decoder has no others."""
    images = keras.Input(image_shape, name="images")
    mean = layers.Dense(latent_dim, name="mean")(layers.Flatten()(images))
    return keras.Model(images, [mean, SharedLogVariances(name="log_var")(mean)], name="encoder")


def weights_to_train(optimum: LinearOptimum) -> list[float]:
    """KL weights on both sides of several eigenvalues, ascending.

    The best variance, and one between it and the last eigenvalue: there every unit lives; some weights between two
    eigenvalues; and one above all.
    """
    values, best = optimum.eigenvalues, optimum.best_variance
    between = np.sqrt(values[:-1] * values[1:])[::EVERY]
    return [best, math.sqrt(best * values[-1]), *between[::-1].tolist(), ABOVE * float(values[0])]


def train_linear(dataset: Dataset, optimum: LinearOptimum, seeds: int, steps: int) -> list[TrainedLinear]:
    """Train a linear VAE at each of `weights_to_train` with the seeds 0 to seeds - 1, about so many steps each."""
    kl_weights = weights_to_train(optimum)
    epochs = max(1, round(steps * BATCH_SIZE / len(dataset.train_images)))
    trained = []
    with progress_bar(len(kl_weights) * seeds, "linear models", unit="model") as bar:
        for kl_weight in kl_weights:
            for seed in range(seeds):
                trained.append(_train_one(dataset, optimum, kl_weight, seed, epochs))
                bar.update()
    return trained


def linear_table(trained: Sequence[TrainedLinear], optimum: LinearOptimum) -> pd.DataFrame:
    """Closed form and trained models side by side: one row per kl_weight, mean ± standard deviation over the seeds.

    distortion: at variance 1, without the constant; above: see `TrainedLinear.excess`, at the end of the training and
    after about half of it; gap: negative ELBO minus -log p(x) where the variance is the kl_weight. In nats per image
    """
    rows = {}
    for kl_weight, ones in by_weight(trained).items():
        rates = optimum.rates(kl_weight)
        rows[f"{kl_weight:.4g}"] = {
            "units alive": int(np.sum(rates > 0)),
            "rate": f"{rates.sum():.3f}",
            "rate, trained": spread([one.rates.sum() for one in ones]),
            "distortion": f"{optimum.distortion(kl_weight):.3f}",
            "distortion, trained": spread([one.distortion for one in ones]),
            "above, halfway": spread([halfway(one.excess) for one in ones]),
            "above": spread([one.excess["excess"].iloc[-1] for one in ones]),
            "gap": spread([one.negative_elbo(optimum) - one.nll for one in ones]),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("kl_weight")


def landed(trained: Sequence[TrainedLinear]) -> str:
    """How far the trained models are from the closed form, as a sentence in Markdown."""
    largest = max(trained, key=lambda one: one.excess["excess"].iloc[-1])
    epochs = int(largest.excess["epoch"].iloc[-1])
    end, before = largest.excess["excess"].iloc[-1], halfway(largest.excess)
    return (
        f"After {epochs:,} epochs the farthest of the {len(trained)} trained models is **{end:.3f} nats** above the "
        f"closed form, at kl_weight {largest.kl_weight:.4g}. Halfway it was {before:.3f} nats above it."
    )


def meeting(optimum: LinearOptimum) -> str:
    """What the best variance is, and what -log p(x) and the negative ELBO are there, as sentences in Markdown."""
    best = optimum.best_variance
    return (
        f"The best variance of a pixel is **{best:.4f}**. There {_at(optimum, best)}. At variance 1 {_at(optimum, 1)}."
    )


def by_weight(trained: Sequence[TrainedLinear]) -> dict[float, list[TrainedLinear]]:
    """The models of each kl_weight."""
    groups: dict[float, list[TrainedLinear]] = {}
    for one in trained:
        groups.setdefault(one.kl_weight, []).append(one)
    return groups


def halfway(excess: pd.DataFrame) -> float:
    """The excess at the last look in the first half of the training."""
    return float(excess["excess"][excess["epoch"] <= excess["epoch"].max() / 2].iloc[-1])


def spread(values: Sequence[float]) -> str:
    """Mean ± standard deviation over the seeds."""
    values = pd.Series(values)
    return mean_and_spread(values.mean(), values.std(), decimals=3)


def _at(optimum: LinearOptimum, variance: float) -> str:
    alive = int(np.sum(optimum.rates(1, variance) > 0))
    nll, bound = optimum.nll(variance), optimum.negative_elbo(variance)
    return (
        f"-log p(x) is {nll:.3f} nats per image, the negative ELBO {bound:.3f}, "
        f"and {alive} of {len(optimum.eigenvalues)} units live"
    )


def _train_one(dataset: Dataset, optimum: LinearOptimum, kl_weight: float, seed: int, epochs: int) -> TrainedLinear:
    vae = _linear_vae(dataset, optimum, kl_weight, seed, epochs)
    mean_image = np.asarray(dataset.train_images[...].mean(axis=0, dtype=np.float64)).ravel()

    def measured() -> tuple[np.ndarray, float, float]:
        return _measured(vae, dataset, mean_image, optimum, kl_weight)

    def excess() -> float:
        rates, distortion, _ = measured()
        return (distortion + kl_weight * rates.sum() - optimum.objective(kl_weight)) / kl_weight

    recorder = Recorder(spread_epochs(epochs), excess=excess)
    train(vae, dataset, epochs, BATCH_SIZE, seed, after_epoch=recorder)
    found = pd.DataFrame({"epoch": recorder.epochs, **recorder.kept})
    return TrainedLinear(kl_weight, seed, *measured(), found)


def _linear_vae(dataset: Dataset, optimum: LinearOptimum, kl_weight: float, seed: int, epochs: int) -> VAE:
    steps = epochs * -(-len(dataset.train_images) // BATCH_SIZE)
    latent_dim = len(optimum.eigenvalues)
    start = ABOVE * float(optimum.eigenvalues[0])
    return build_vae(
        lambda: linear_encoder(latent_dim, dataset.image_shape),
        lambda: dense_decoder((), latent_dim, image_shape=dataset.image_shape),
        PolynomialDecay(start, max(1, round(FALL * steps)), kl_weight, POWER),
        seed,
        keras.optimizers.Adam(CosineDecay(LEARNING_RATE, steps)),
        LinearGaussian(),
    )


def _measured(
    vae: VAE, dataset: Dataset, mean_image: np.ndarray, optimum: LinearOptimum, variance: float
) -> tuple[np.ndarray, float, float]:
    """Rates, distortion and nll of a `TrainedLinear`.

    mean_image: (pixels,), of the training images; variance: of a pixel, for the nll

    All are exact, since the decoder is linear: z has mean m(x) and variances s(x), so that
    E |x - b - W z|^2 = |x - b|^2 - 2 m . W'(x - b) + m . W'W m + s . diag(W'W)
    """
    pixels, latent_dim = len(mean_image), len(optimum.eigenvalues)
    bias = latent.outputs(vae, np.zeros((1, latent_dim))).reshape(pixels).astype(np.float64)
    weights = latent.outputs(vae, np.eye(latent_dim)).reshape(latent_dim, pixels) - bias  # W', (latent_dim, pixels)
    mean, log_var = (part.astype(np.float64) for part in latent.encode(vae, dataset.train_images))  # (N, latent_dim)
    projected = np.concatenate([block @ weights.T for block in _flat(dataset.train_images)]) - weights @ bias
    squares = optimum.total + np.sum((mean_image - bias) ** 2)  # mean of |x - b|^2
    product = weights @ weights.T  # W'W
    errors = np.sum(mean * (mean @ product - 2 * projected), axis=1) + np.exp(log_var) @ np.diag(product)
    inner = product + variance * np.eye(latent_dim)  # W W' + variance I has its determinant, but for other directions
    log_determinant = np.linalg.slogdet(inner)[1] + (pixels - latent_dim) * math.log(variance)
    explained = np.mean(np.sum(projected * np.linalg.solve(inner, projected.T).T, axis=1))
    nll = 0.5 * (pixels * math.log(2 * math.pi) + log_determinant + (squares - explained) / variance)
    return np.sort(latent.mean_rates(mean, log_var))[::-1], 0.5 * float(squares + errors.mean()), float(nll)


def _flat(images: np.ndarray):
    """The images in blocks: (n, pixels) each, in double precision."""
    for rows in latent.blocks_of(len(images), images.shape[1:]):
        yield images[rows].reshape(-1, math.prod(images.shape[1:])).astype(np.float64)
