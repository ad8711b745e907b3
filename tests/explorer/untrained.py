"""Sweeps of models that nobody has trained, on images of any kind: all that the explorer reads, in a second."""

from pathlib import Path

import numpy as np

from tests.run_folders import MEASURES
from vae_core import latent, runs
from vae_core.binarise import binarised
from vae_core.data import load_dataset
from vae_core.models import VAE, vae_of_settings
from vae_core.settings import DEFAULTS

SETTINGS = DEFAULTS | {"epochs": 1, "batch_size": 50, "learning_rate": 1e-3, "hidden_units": 24, "threads": 1}
PLANE = {"nll": 101.0, "mutual_information": 1.2, "mean_spread": 0.8, "draw_spread": 1.0, "share_in_window": 1.0}


def own_images(path: Path, shape: tuple[int, ...], classes: int = 0, count: int = 300) -> Path:
    """Write discs of any colour and place as an .npz, (count, *shape), with labels if there are classes."""
    rng = np.random.default_rng(0)
    height, width, channels = (*shape, 1)[:3]
    y, x = np.mgrid[:height, :width]
    middle = rng.uniform(0.2, 0.8, (count, 2, 1, 1)) * [[[height]], [[width]]]
    disc = np.hypot(y - middle[:, 0], x - middle[:, 1]) < 0.3 * min(height, width)
    paint, ground = rng.integers(0, 256, (2, count, 1, 1, channels), np.uint8)
    images = np.where(disc[..., None], paint, ground).reshape(count, *shape)
    names = np.array(
        [f"class {chr(65 + number % 26)}{number // 26 or ''}" for number in np.arange(count) % (classes or 1)]
    )
    np.savez(path, images=images, **({"labels": names} if classes else {}))
    return path


def untrained_run(sweep_dir: Path, kl_weight: float, dataset: str | Path, **settings) -> VAE:
    """Write a finished run, named as in a sweep, whose weights are those of the start, larger; returns its model."""
    settings = SETTINGS | {"kl_weight": kl_weight, "seed": 0} | settings
    data = binarised(load_dataset(dataset), settings["binarise"])
    vae = vae_of_settings(settings, 4, data.image_shape)
    for scale, part in ((3, vae.encoder), (4, vae.decoder)):
        part.set_weights([scale * weights for weights in part.get_weights()])
    bias = vae.decoder.weights[3]
    bias.assign(np.linspace(-3, 3, bias.shape[0]))  # else an untrained decoder draws grey
    mean, log_var = latent.encode(vae, data.test_images)
    folder = runs.start_run({"dataset": data.name, **settings}, data.checksum, sweep_dir / runs.run_name(kl_weight, 0))
    runs.write_dataset(folder, data)
    (folder / "history.csv").write_text("epoch,val_distortion,val_rate\n1,100,1.5\n")
    learned = vae.likelihood.learned(vae.decoder)
    runs.write_json(folder / "measures.json", MEASURES | PLANE | learned | {"images": len(mean)})
    runs.save_latent(folder, runs.Latent(mean, log_var, data.test_labels))
    vae.save_weights(folder / "model.weights.h5")
    runs.finish_run(folder, [1.0])
    return vae
