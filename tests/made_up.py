"""Runs made up from a flat table, and arrays of runs, for the tests of tables and figures."""

import atexit
import itertools
import json
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from vae_core.runs import Latent, Runs
from vae_core.settings import DEFAULTS

SETTINGS = ["dataset", "kl_weight", "seed", "epochs", "batch_size", "learning_rate", "hidden_units", "threads"]
SETTINGS += [*DEFAULTS, "data_checksum"]
PLACE = Path(tempfile.mkdtemp())
atexit.register(shutil.rmtree, PLACE)


def runs_of(table: pd.DataFrame) -> Runs:
    """The columns that are settings of train_vae, and all others as measures. The folders say which data set it is."""
    table = table.reset_index(drop=True)
    settings = [name for name in SETTINGS if name in table]
    folders = [PLACE / f"{name}{row}" for row, name in enumerate(table.get("dataset", [""] * len(table)))]
    for folder in folders:
        folder.mkdir(exist_ok=True)
        (folder / "record.json").write_text("{}")
        (folder / "config.json").write_text(json.dumps({"dataset": folder.name.rstrip("0123456789")}))
    return Runs(table[settings], table.drop(columns=settings), folders)


def weights_like(count: int) -> np.ndarray:
    """So many KL weights: the default ones if eight, else 0 and a geometric series; 1 alone if one."""
    if count == 8:
        return np.array([0, 0.02, 0.1, 0.5, 1, 2, 10, 20])
    return np.array([1.0]) if count == 1 else np.array([0, *np.geomspace(0.01, 100, count - 1)])


def sweep_of(weights: Sequence[float], seeds: int = 1, **measures) -> Runs:
    """Runs of train_vae with the measures that figures and tables need, roughly as they come out on MNIST."""
    rows = []
    for kl_weight, seed in itertools.product(weights, range(seeds)):
        rate = 25 / (kl_weight + 0.05) ** 0.8 / (1 + kl_weight / 10) * (1 + 0.1 * seed)
        row = {"dataset": "digits", "kl_weight": kl_weight, "seed": seed, "epochs": 40}
        distortion = 205 - 65 * rate / (rate + 3)
        row |= {"distortion": distortion, "rate": rate, "negative_elbo": distortion + rate, "nll": distortion + rate}
        row |= {"objective": distortion + kl_weight * rate, "mutual_information": min(0.9 * rate, 9.2)}
        row |= {"marginal_kl": rate - min(0.9 * rate, 9.2), "rate_z0": 0.7 * rate, "rate_z1": 0.3 * rate}
        row |= {"active_units": (rate > 1) + (rate > 2), "entropy_floor": 45.5}
        rows.append(row | {"zero_information_distortion": 205.8, "images": 10_000} | measures)
    return runs_of(pd.DataFrame(rows))


def latent_of(latent_dim: int, classes: int, image_shape: tuple[int, ...], images: int = 60) -> Latent:
    """The arrays of a run of train_vae with random codes and images; image_shape: (height, width) or with 3 colours."""
    rng = np.random.default_rng(latent_dim)
    scales = rng.permutation(np.geomspace(1, 1e-3, latent_dim))
    mean, log_var = scales * rng.normal(size=(images, latent_dim)), np.log1p(-0.99 * scales) * np.ones((images, 1))
    ranked = np.argsort(-scales)
    dimensions = np.arange(latent_dim) if latent_dim <= 2 else ranked[:2]
    labels = np.arange(images) % classes if classes else np.full(images, -1)
    axes, rows = np.tile(np.linspace(-3, 3, 4), (len(dimensions), 1)), 4 if len(dimensions) == 2 else 1
    with_channels = image_shape if len(image_shape) == 3 else (*image_shape, 1)
    return Latent(
        mean=mean,
        log_var=log_var,
        labels=labels,
        dimensions=dimensions,
        **{
            name: rng.random((rows, 4, *image_shape))
            for name in ("manifold", "manifold_quantiles", "manifold_occupied")
        },
        **dict.fromkeys(("axes", "quantiles", "occupied", "epoch_axes"), axes),
        **{name: rng.random((5, *with_channels)) for name in ("prior_samples", "mixture_samples")},
        epochs=np.array([0, 1]),
        epoch_codes=np.stack([mean[:, dimensions] / 2, mean[:, dimensions]]),
        epoch_labels=labels,
        epoch_manifolds=rng.random((2, rows, 4, *image_shape)),
        traversals=rng.random((min(latent_dim, 16), 11, *image_shape)),
        traversal_dimensions=ranked[:16],
        traversal_positions=np.linspace(-3, 3, 11),
    )
