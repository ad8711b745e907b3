"""One model trained at one weight after another, from a living code up to a dead one, and down again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import vae_core.backend  # noqa: F401

import keras
import numpy as np
import pandas as pd

from vae_core import latent
from vae_core.binarise import binarised
from vae_core.data import load_dataset
from vae_core.dataset import Dataset
from vae_core.models import VAE, build_vae, dense_decoder, dense_encoder, four_conv_vae, vae_of_settings
from vae_core.settings import DEFAULTS
from vae_core.side_by_side import stop_if_alone, train_all
from vae_core.training import compiled_epoch, use_threads

MODULES = ("models", "losses", "likelihoods", "training", "noise", "binarise")  # of vae_core, that decide the numbers
LOOKED_AT = 5000  # validation images at most
DENSE, TANH, CONVOLUTIONAL = "dense", "dense, tanh in place of ReLU", "convolutional, of tutorial 002"


@dataclass(frozen=True)
class Walk:
    """Epochs at a first weight, then some at each of several weights, the optimizer's state reset before each of them.

    group: the question that it belongs to; variant: what it tries there
    start, start_epochs: the first weight, and how long it is trained there
    kl_weights, epochs: the weights in this order, and how long it is trained at each
    looks: how often in an epoch the code is measured
    network: one of NETWORKS
    settings: of `train_vae`, where they are not its own
    """

    group: str
    variant: str
    start: float
    start_epochs: int
    kl_weights: tuple[float, ...]
    epochs: int
    seed: int
    looks: int = 1
    network: str = DENSE
    settings: tuple[tuple[str, object], ...] = ()

    @property
    def all_epochs(self) -> int:
        """How many epochs it takes altogether."""
        return self.start_epochs + self.epochs * len(self.kl_weights)


def take_all(
    plan: Sequence[Walk], dataset: Dataset, data_dir: str, settings: Mapping[str, object], workers: int
) -> dict[Walk, pd.DataFrame]:
    """Take all walks, so many side by side: what `take` returns, by walk. None is taken twice: see `train_all`."""
    return train_all(take, plan, dataset, data_dir, settings, MODULES, workers)


def take(walk: Walk, dataset: str, data_dir: str, settings: Mapping[str, object], wanted_by: int) -> pd.DataFrame:
    """Take one walk, on one thread.

    settings: of `train_vae`, for all walks; this one's own come first
    wanted_by: the number of the process that waits for it; if that is gone, this one ends

    returns: one row per look and unit: `step` (0 at the first weight, then 1, 2, ... for each weight), `kl_weight`,
        `epoch` (since the step began), `unit`, `rate` (nats per image, mean over validation images), `variance` (over
        them, of E[z|x]), `principal` (the eigenvalues of their covariance in its place, the largest first), `hidden_on`
        (numbers that the encoder's last hidden layer has above 0 for any of them)
    """
    use_threads(1)
    settings = {**DEFAULTS, **settings, **dict(walk.settings), "seed": walk.seed, "epochs": walk.epochs}
    data = binarised(load_dataset(dataset, data_dir), settings["binarise"])
    vae = NETWORKS[walk.network](walk.start, settings, data.image_shape)
    encoder = keras.Model(vae.encoder.input, [*vae.encoder.outputs, vae.encoder.get_layer("mean").input])
    images = data.validation_images[:LOOKED_AT]
    epoch = compiled_epoch(vae.train_step, data.train_images, settings["batch_size"], vae.jit_compile)
    shuffle = np.random.default_rng(walk.seed).permutation
    steps = [(walk.start, walk.start_epochs), *((kl_weight, walk.epochs) for kl_weight in walk.kl_weights)]
    rows = []
    for step, (kl_weight, epochs) in enumerate(steps):
        vae.kl_weight = kl_weight
        _reset(vae.optimizer)
        rows.append(_look(encoder, images).assign(step=step, kl_weight=kl_weight, epoch=0.0))
        for number in range(epochs):
            for part, order in enumerate(_parts(shuffle(len(data.train_images)), walk.looks), start=1):
                stop_if_alone(wanted_by)
                epoch(order)
                look = _look(encoder, images)
                rows.append(look.assign(step=step, kl_weight=kl_weight, epoch=number + part / walk.looks))
    return pd.concat(rows, ignore_index=True)


def _dense_vae(kl_weight: float, settings: Mapping[str, object], image_shape: tuple[int, int, int]) -> VAE:
    return vae_of_settings({**settings, "kl_weight": kl_weight}, 1, image_shape)


def _tanh_vae(kl_weight: float, settings: Mapping[str, object], image_shape: tuple[int, int, int]) -> VAE:
    shape = ((settings["hidden_units"],), settings["latent_dim"], "tanh", image_shape)
    adam = keras.optimizers.Adam(settings["learning_rate"])
    return build_vae(lambda: dense_encoder(*shape), lambda: dense_decoder(*shape), kl_weight, settings["seed"], adam)


def _conv_vae(kl_weight: float, settings: Mapping[str, object], image_shape: tuple[int, int, int]) -> VAE:
    return four_conv_vae(kl_weight, settings["seed"], settings["learning_rate"])


NETWORKS = {DENSE: _dense_vae, TANH: _tanh_vae, CONVOLUTIONAL: _conv_vae}


def _reset(optimizer) -> None:
    """Forget the moments of the gradients and the number of steps."""
    for variable in optimizer.variables:
        if variable is not optimizer.learning_rate:
            variable.assign(np.zeros(variable.shape, variable.dtype))


def _parts(order: np.ndarray, number: int) -> list[np.ndarray]:
    """The order in equal parts; what is left over is left out."""
    return np.split(order[: len(order) // number * number], number)


def _look(encoder: keras.Model, images: np.ndarray) -> pd.DataFrame:
    blocks = [encoder(images[rows]) for rows in latent.blocks_of(len(images), images.shape[1:])]
    mean, log_var, hidden = (np.concatenate(part) for part in zip(*blocks, strict=True))
    covariance = np.cov(mean.astype(np.float64), rowvar=False, bias=True)
    return pd.DataFrame(
        {
            "unit": range(mean.shape[1]),
            "rate": latent.mean_rates(mean, log_var),
            "variance": np.diagonal(covariance),
            "principal": np.linalg.eigvalsh(covariance)[::-1],
            "hidden_on": np.sum(hidden.max(axis=0) > 0),
        }
    )
