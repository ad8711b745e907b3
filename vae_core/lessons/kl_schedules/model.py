"""Six ways to set what the rate costs while training, and the trainings that compare them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import vae_core.backend  # noqa: F401

import numpy as np
import pandas as pd

from vae_core import latent, measures
from vae_core.data import Dataset
from vae_core.errors import InputError
from vae_core.models import VAE, vae_of_settings
from vae_core.parameters import check_parameters
from vae_core.progress import progress_bar
from vae_core.schedules import kl_schedule
from vae_core.settings import check_settings
from vae_core.training import Recorder, train

CONSTANT, LINEAR, CYCLICAL = "constant weight", "linear warm-up", "cyclical"
FREE_BITS, TARGET_RATE, GECO = "free bits", "target rate", "GECO"
METHODS = (CONSTANT, LINEAR, CYCLICAL, FREE_BITS, TARGET_RATE, GECO)
SCHEDULES = {CONSTANT: "constant", LINEAR: "linear", CYCLICAL: "cyclical"}
PULL = 10  # the weight on the distance from the target rate, in final weights
GECO_START = 1.0  # its weight before the first step, whatever the final weight: it has to find that
MEASURED = 1000  # test images at most, for the measures
WATCHED = 1000  # validation images at most, for the active units after each epoch


@dataclass(frozen=True)
class Trained:
    """One training: its method, final weight and seed, and what was seen of it.

    history: one row per epoch, with `active_units`, and `kl_weight` for methods that have a weight
    rates: (latent_dim,), nats per image; measured: nll, distortion, rate and active_units of test images
    target: the rate or the distortion that was asked for, None where none was
    """

    method: str
    kl_weight: float
    seed: int
    history: pd.DataFrame
    rates: np.ndarray
    measured: Mapping[str, float]
    target: float | None


def method_settings(kl_weight: float, free_bits: float, rate: float, distortion: float) -> dict[str, dict]:
    """What each method sets of a run's settings, by the name of the method.

    kl_weight: where the schedules end; free_bits: nats per latent dimension; rate, distortion: targets, nats per image
    """
    return {
        **{method: {"kl_weight": kl_weight, "kl_schedule": name} for method, name in SCHEDULES.items()},
        FREE_BITS: {"kl_weight": kl_weight, "free_bits": free_bits},
        TARGET_RATE: {"kl_weight": PULL * kl_weight, "target_rate": rate},
        GECO: {"kl_weight": GECO_START, "target_distortion": distortion},
    }


def check_plan(kl_weights: Sequence[float], shared: Mapping[str, object], free_bits: float) -> None:
    """Raise InputError for what no training can use, before the first one starts.

    shared: the settings that all trainings share
    """
    for name, kl_weight in zip(("kl_weight", "compared_kl_weight"), kl_weights, strict=False):
        check_parameters({name: kl_weight})
        if kl_weight == 0:
            raise InputError(f"{name} must be greater than 0: there is nothing to warm up to")
        for own in method_settings(kl_weight, free_bits, rate=1.0, distortion=1.0).values():
            check_settings({**shared, **own})


def planned_weights(kl_weight: float, shared: Mapping[str, object], points: int = 400) -> dict[str, pd.DataFrame]:
    """The weight that each schedule plans, by method: columns `epoch`, from 0 to the last, and `kl_weight`."""
    epochs, steps = shared["epochs"], 100  # steps per epoch: enough for a picture
    at = np.linspace(0, epochs * steps, points, endpoint=False).astype(int)
    curves = {}
    for method, name in SCHEDULES.items():
        weight = _schedule(name, kl_weight, steps, shared)
        values = [float(weight(step)) if callable(weight) else weight for step in at]
        curves[method] = pd.DataFrame({"epoch": at / steps, "kl_weight": values})
    return curves


def amount(dataset: Dataset, kl_weights: Sequence[float], epochs: int, seeds: int) -> str:
    """How much `train_all` has to do, as a sentence."""
    weights = len(set(kl_weights))
    trainings = len(METHODS) * weights * seeds
    return (
        f"{len(METHODS)} methods x {weights} final weight{'s' * (weights > 1)} x {seeds} seed{'s' * (seeds > 1)}: "
        f"{trainings} trainings of {epochs} epoch{'s' * (epochs > 1)}, each of {len(dataset.train_images):,} images."
    )


def train_all(
    dataset: Dataset, kl_weights: Sequence[float], shared: Mapping[str, object], free_bits: float, seeds: int
) -> list[Trained]:
    """Train every method at every final weight with the seeds 0 to seeds - 1.

    A seed fixes the initial weights, the batches and the noise of all of them alike. The two targets are what the
    constant weight of the same seed reaches on the training images in its last epoch.
    """
    trained = []
    total = len(METHODS) * len(set(kl_weights)) * seeds * shared["epochs"]
    with progress_bar(total, "all trainings", unit="epoch") as bar:
        for kl_weight in dict.fromkeys(kl_weights):
            for seed in range(seeds):
                one = partial(_train_one, dataset, kl_weight, {**shared, "seed": seed}, bar)
                constant = one(CONSTANT, {"kl_weight": kl_weight})
                last = constant.history.iloc[-1]
                others = method_settings(kl_weight, free_bits, float(last["rate"]), float(last["distortion"]))
                trained += [constant, *(one(method, own) for method, own in others.items() if method != CONSTANT)]
    return trained


def _train_one(dataset: Dataset, kl_weight: float, shared: dict, bar, method: str, own: dict) -> Trained:
    settings = {**shared, **own}
    steps_per_epoch = -(-len(dataset.train_images) // settings["batch_size"])
    vae = vae_of_settings(settings, steps_per_epoch, dataset.image_shape)
    watched = dataset.validation_images[:WATCHED]
    recorder = Recorder(
        range(1, settings["epochs"] + 1),
        active_units=lambda: measures.active_units(latent.encode_means(vae, watched)),
    )

    def after_epoch(epoch: int) -> None:
        recorder(epoch)
        bar.update(bool(epoch))  # the first call is before training

    history, _ = train(vae, dataset, settings["epochs"], settings["batch_size"], settings["seed"], None, after_epoch)
    history = history.assign(active_units=recorder.kept["active_units"])
    if method in (CONSTANT, FREE_BITS):
        history = history.assign(kl_weight=kl_weight)
    target = own.get("target_rate", own.get("target_distortion"))
    return Trained(method, kl_weight, settings["seed"], history, *_measure(vae, dataset), target)


def _measure(vae: VAE, dataset: Dataset) -> tuple[np.ndarray, dict[str, float]]:
    """The rate of each latent dimension, and the measures, of random test images, the same ones for all models."""
    chosen = np.random.default_rng(0).permutation(len(dataset.test_images))[:MEASURED]
    images = dataset.test_images[chosen]
    mean, log_var = latent.encode(vae, images)
    values = measures.bound_terms(vae, images, mean, log_var)  # (N,) each
    measured = {name: float(np.mean(values[name])) for name in ("nll", "distortion", "rate")}
    rates = np.asarray(vae.rates(mean, log_var)).mean(axis=0)
    return rates, measured | {"active_units": measures.active_units(mean)}


def _schedule(name: str, kl_weight: float, steps_per_epoch: int, shared: Mapping[str, object]):
    return kl_schedule(
        name,
        kl_weight,
        steps_per_epoch,
        shared["epochs"],
        shared["kl_warmup_epochs"],
        shared["kl_cycles"],
        shared["kl_ramp"],
    )
