"""The networks of this lesson: that of the core, the same without one of its parts, and two kinds to compare with."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import vae_core.backend  # noqa: F401

import keras
import numpy as np
import pandas as pd
from keras import layers, ops

from vae_core import latent, measures
from vae_core.data import load_dataset
from vae_core.dataset import Dataset
from vae_core.models import VAE, build_vae, dense_decoder, dense_encoder
from vae_core.multi_rate import (
    GATE,
    LEARNING_RATE,
    Gate,
    MultiRateVAE,
    at_weight,
    averaging_adam,
    gated_decoder,
    gated_encoder,
    layers_of,
    multi_rate_vae,
    turn,
)
from vae_core.network_file import OneNetwork
from vae_core.side_by_side import stop_if_alone
from vae_core.statistics import numbered
from vae_core.training import train, use_threads

AS_IT_IS = "as it is"
PAPER_GATES, EVEN_DRAWS = "the paper's gates", "weights even in their logarithm"
ONE_PER_BATCH, NO_DIVISOR = "one weight for a whole batch", "without the divisor"
NO_AVERAGE, LOW_RATE = "no average of the network's weights", "the learning rate of the runs"
ALL_OF_THE_PAPER = "the paper's gates, even weights, no average, that learning rate"
SEPARATE = "a separate run, trained in the same way"
MODULES = ("models", "multi_rate", "losses", "likelihoods", "training", "noise")  # of vae_core, that decide the numbers


@dataclass(frozen=True)
class Training:
    """One training.

    variant: one of VARIANTS, or SEPARATE, which trains an ordinary VAE at the only one of the kl_weights
    knots: of the gates; kl_weights: at which the network is measured
    """

    variant: str
    seed: int
    epochs: int
    knots: tuple[float, ...]
    kl_weights: tuple[float, ...]

    @property
    def all_epochs(self) -> int:
        """How many epochs it takes."""
        return self.epochs


@dataclass(frozen=True)
class Trained:
    """What a training has led to.

    curve: a row for each weight, with what `measure` returns
    layers: of the network as it is, kernel, bias, gain and shift of each Dense layer, as `OneNetwork` has them
    seconds: that the training took
    """

    curve: pd.DataFrame
    layers: dict[str, dict[str, np.ndarray]]
    seconds: float


@keras.saving.register_keras_serializable("vae_core")
class SigmoidGate(Gate):
    """The paper's: sigmoid(slope * ln c + offset) * x, with slope and offset learned for each unit."""

    def build(self, x_shape, kl_weights_shape):
        """Make slope and offset: (units,) each. Before training the gates are a little open and differ."""
        spread = keras.initializers.RandomNormal(stddev=0.3, seed=keras.random.SeedGenerator(0))
        self.slope = self.add_weight(shape=x_shape[-1:], initializer=spread, name="slope")
        self.offset = self.add_weight(shape=x_shape[-1:], initializer="ones", name="offset")

    def at(self, kl_weights):
        """Gain and shift at these weights: (batch, units) each; the shift is 0."""
        gain = ops.sigmoid(ops.log(kl_weights)[:, None] * self.slope + self.offset)
        return gain, ops.zeros_like(gain)


class EvenDraws(MultiRateVAE):
    """Weights are drawn evenly in their logarithm."""

    def draw_weights(self, rows):
        """A weight for each image, (rows,)."""
        least, largest = np.log(self.kl_weights)
        return ops.exp(keras.random.uniform((rows,), least, largest, seed=self.weight_generator))


class OnePerBatch(MultiRateVAE):
    """All images of a batch have the same weight."""

    def draw_weights(self, rows):
        """One weight, (rows,) times."""
        return ops.ones(rows) * super().draw_weights(1)


class Undivided(MultiRateVAE):
    """The mean of distortion + c * rate is minimised."""

    def reduce(self, objective, kl_weights):
        """The one number that is minimised."""
        return ops.mean(objective)


def variant_vae(
    training: Training,
    settings: Mapping[str, object],
    steps_per_epoch: int,
    image_shape: tuple[int, int, int],
    kind: type[MultiRateVAE] = MultiRateVAE,
    encoder: Callable = gated_encoder,
    decoder: Callable = gated_decoder,
    averages: bool = True,
    runs_learning_rate: bool = False,
) -> MultiRateVAE:
    """`multi_rate_vae` with another part in place of one of its own."""
    learning_rate = settings["learning_rate"] if runs_learning_rate else LEARNING_RATE
    shape = (training.knots, settings["hidden_units"], settings["latent_dim"], image_shape)
    adam = averaging_adam(learning_rate, steps_per_epoch) if averages else keras.optimizers.Adam(learning_rate)
    limits = (training.knots[0], training.knots[-1])
    return build_vae(
        lambda: encoder(*shape),
        lambda: decoder(*shape),
        1.0,
        training.seed,
        adam,
        kind=partial(kind, kl_weights=limits),
    )


def paper_encoder(knots, hidden_units: int, latent_dim: int, image_shape: tuple[int, int, int]) -> keras.Model:
    """`gated_encoder` with the paper's gates, and only on the hidden layer."""
    images, kl_weights = keras.Input(image_shape, name="images"), keras.Input((), name="kl_weights")
    x = layers.Dense(hidden_units, name="hidden")(layers.Flatten()(images))
    x = layers.ReLU()(SigmoidGate(knots, name=f"hidden{GATE}")(x, kl_weights))
    code = [layers.Dense(latent_dim, name=name)(x) for name in ("mean", "log_var")]
    return keras.Model([images, kl_weights], code, name="encoder")


def paper_decoder(knots, hidden_units: int, latent_dim: int, image_shape: tuple[int, int, int]) -> keras.Model:
    """`gated_decoder` with the paper's gates, and only on the hidden layer."""
    z, kl_weights = keras.Input((latent_dim,), name="z"), keras.Input((), name="kl_weights")
    x = layers.Dense(hidden_units, name="hidden")(z)
    x = layers.ReLU()(SigmoidGate(knots, name=f"hidden{GATE}")(x, kl_weights))
    x = layers.Dense(int(np.prod(image_shape)), name="pixels")(x)
    return keras.Model([z, kl_weights], layers.Reshape(image_shape, name="outputs")(x), name="decoder")


def as_it_is(training: Training, settings: Mapping[str, object], steps_per_epoch: int, image_shape) -> MultiRateVAE:
    """The network of the core."""
    width = {name: settings[name] for name in ("hidden_units", "latent_dim")}
    return multi_rate_vae(training.knots, training.seed, steps_per_epoch, image_shape=image_shape, **width)


def separate_vae(training: Training, settings: Mapping[str, object], steps_per_epoch: int, image_shape) -> VAE:
    """The reference model at one weight, with the learning rate and the average of the one network."""
    (kl_weight,) = training.kl_weights
    shape = {
        "hidden_units": (settings["hidden_units"],),
        "latent_dim": settings["latent_dim"],
        "image_shape": image_shape,
    }
    return build_vae(
        lambda: dense_encoder(**shape),
        lambda: dense_decoder(**shape),
        kl_weight,
        training.seed,
        averaging_adam(LEARNING_RATE, steps_per_epoch),
    )


PAPER = {"encoder": paper_encoder, "decoder": paper_decoder}
VARIANTS = {
    AS_IT_IS: as_it_is,
    PAPER_GATES: partial(variant_vae, **PAPER),
    EVEN_DRAWS: partial(variant_vae, kind=EvenDraws),
    ONE_PER_BATCH: partial(variant_vae, kind=OnePerBatch),
    NO_DIVISOR: partial(variant_vae, kind=Undivided),
    NO_AVERAGE: partial(variant_vae, averages=False),
    LOW_RATE: partial(variant_vae, runs_learning_rate=True),
    ALL_OF_THE_PAPER: partial(variant_vae, kind=EvenDraws, averages=False, runs_learning_rate=True, **PAPER),
    SEPARATE: separate_vae,
}


def train_one(
    training: Training, dataset: str, data_dir: str, settings: Mapping[str, object], wanted_by: int
) -> Trained:
    """Train one network on one thread, and measure it on the test images at each of its weights.

    settings: `batch_size`, `hidden_units`, `latent_dim` and `learning_rate`, of the separate runs
    """
    use_threads(1)
    data = load_dataset(dataset, data_dir)
    steps_per_epoch = -(-len(data.train_images) // settings["batch_size"])
    vae = VARIANTS[training.variant](training, settings, steps_per_epoch, data.image_shape)
    start = time.perf_counter()
    train(
        vae,
        data,
        training.epochs,
        settings["batch_size"],
        training.seed,
        after_epoch=lambda epoch: stop_if_alone(wanted_by),
    )
    seconds = time.perf_counter() - start
    curve = pd.DataFrame(measure(plain, data) for plain in at_each(vae, training.kl_weights))
    curve.insert(0, "kl_weight", training.kl_weights)  # Keras would round them
    return Trained(curve, layers_of(vae) if training.variant == AS_IT_IS else {}, seconds)


def kept(training: Training, trained: Trained) -> OneNetwork:
    """The network as the files of a sweep have it; a network as it is."""
    about = {"seed": training.seed, "epochs": training.epochs, "training_seconds": round(trained.seconds, 3)}
    return OneNetwork(np.array(training.knots), trained.layers, trained.curve, about)


def at_each(vae: VAE, kl_weights: Sequence[float]) -> Iterator[VAE]:
    """The ordinary model at one weight after the other; a separate run has one weight, and is that model itself."""
    if not isinstance(vae, MultiRateVAE):
        yield vae
        return
    plain = at_weight(vae, kl_weights[0])
    for kl_weight in kl_weights:
        turn(plain, vae, kl_weight)
        yield plain


def measure(vae: VAE, dataset: Dataset) -> dict[str, float]:
    """Distortion, rate, objective and active units of the test images; and rate0, rate1, ..., the largest first.

    The draws are those of the runs' own measures.
    """
    images = dataset.test_images
    mean, log_var = latent.encode(vae, images)
    found = measures.terms(vae, images, mean, log_var)
    return {
        **{name: float(np.mean(found[name])) for name in ("distortion", "rate", "objective")},
        "active_units": measures.active_units(mean),
        **numbered("rate", np.sort(latent.mean_rates(mean, log_var))[::-1]),
    }
