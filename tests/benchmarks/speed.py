"""How fast the suite is beside the plainest port of tutorial 004 to Keras 3, on real MNIST, both in one run.

python -m tests.benchmarks.speed                       the full comparison: 8 weights, 40 epochs, under half an hour
python -m tests.benchmarks.speed --kl-weights 0 1 --epochs 4

The baseline trains the same model with Keras' defaults (fit, no compilation flags), draws the same two figures, decodes
the manifold with 900 calls of predict, and runs one weight after the other. Every part is a process of its own.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import vae_core.backend  # noqa: F401

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from vae_core import figures, latent, training
from vae_core.data import load_dataset
from vae_core.models import VAE, dense_decoder, dense_encoder, reference_vae

WORKERS = 2
# Multiplications and additions of the matrix products per image: the first layer has no gradient towards its input.
LARGE, SMALL = 784 * 512, 512 * (2 + 2) + 2 * 512
FLOP_PER_IMAGE = 2 * (2 * LARGE + 3 * LARGE + 3 * SMALL)


class EpochClock(keras.callbacks.Callback):
    """Keeps the seconds of every epoch, validation included."""

    def on_train_begin(self, logs=None):
        self.seconds = []

    def on_epoch_begin(self, epoch, logs=None):
        self.start = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        self.seconds.append(time.perf_counter() - self.start)


def baseline(kl_weights: list[float], epochs: int) -> dict[str, float]:
    """Tutorial 004 in Keras 3, plainly."""
    data = load_dataset("mnist")
    epoch_seconds, manifold_seconds = [], []
    axis = np.linspace(-3, 3, 30)
    with tempfile.TemporaryDirectory() as folder:
        for kl_weight in kl_weights:
            keras.utils.set_random_seed(0)
            vae = VAE(dense_encoder((512,)), dense_decoder((512,)), kl_weight, seed=0)
            vae.compile(optimizer=keras.optimizers.Adam(1e-3))
            clock = EpochClock()
            validation = (data.validation_images,)
            vae.fit(
                data.train_images,
                batch_size=128,
                epochs=epochs,
                validation_data=validation,
                verbose=0,
                callbacks=[clock],
            )
            epoch_seconds += clock.seconds[1:]
            mean, _ = vae.encoder.predict(data.test_images, verbose=0)
            figures.latent_scatter(mean, data.test_labels, data.class_names, "").savefig(f"{folder}/scatter.png")
            start = time.perf_counter()
            cells = [vae.decoder.predict(np.array([[z0, z1]]), verbose=0)[0] for z1 in axis[::-1] for z0 in axis]
            manifold_seconds.append(time.perf_counter() - start)
            images = 1 / (1 + np.exp(-np.reshape(cells, (30, 30, 28, 28))))
            figures.decoder_manifold(images, np.stack([axis, axis]), "", 1.0).savefig(f"{folder}/manifold.png")
    return {"epoch": float(np.median(epoch_seconds)), "manifold": float(np.median(manifold_seconds))}


def suite(threads: int, epochs: int) -> dict[str, float]:
    """The suite's training and its manifold, with the machine's own rate of matrix products beside them."""
    training.use_threads(threads)
    data = load_dataset("mnist")
    vae = reference_vae(1.0, seed=0)
    _, seconds = training.train(vae, data, epochs, batch_size=128, seed=0)
    start = time.perf_counter()
    latent.decode_grid(vae, latent.uniform_axes())
    manifold = time.perf_counter() - start
    square = tf.random.normal((2048, 2048))
    best = min(timed(lambda: (square @ square).numpy()) for _ in range(10))
    return {
        "epoch": float(np.median(seconds[1:])),
        "manifold": manifold,
        "epoch_gflops": FLOP_PER_IMAGE * len(data.train_images) / np.median(seconds[1:]) / 1e9,
        "machine_gflops": 2 * 2048**3 / best / 1e9,
    }


def timed(function) -> float:
    """Seconds that one call takes."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def part(*arguments: object) -> tuple[dict[str, float], float]:
    """Run a part of this file in a process of its own. Returns what it measured, and its wall time."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "tests.benchmarks.speed", "--part", *map(str, arguments)]
    finished = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(finished.stdout), time.perf_counter() - start


def whole_sweep(kl_weights: list[float], epochs: int) -> tuple[float, float]:
    """Wall time of the real sweep command, and the pure training time of its runs, both in seconds."""
    with tempfile.TemporaryDirectory() as results:
        weights = map(str, kl_weights)
        command = [sys.executable, "-m", "vae_core.sweep", "--dataset", "mnist", "--results", results]
        command += ["--kl-weights", *weights, "--epochs", str(epochs), "--workers", str(WORKERS)]
        wall = timed(lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL))
        records = [json.loads(path.read_text()) for path in Path(results).rglob("record.json")]
    return wall, sum(record["training_seconds"] for record in records)


def main() -> None:
    """Measure all parts and print them as ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kl-weights", type=float, nargs="+", default=[0, 0.02, 0.1, 0.5, 1, 2, 10, 20])
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--part", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part:
        name, epochs, *rest = options.part
        measured = (
            baseline([float(c) for c in rest], int(epochs)) if name == "baseline" else suite(int(rest[0]), int(epochs))
        )
        print(json.dumps(measured))
        return
    few = min(options.epochs, 6)
    one, _ = part("suite", few, 1)
    two, _ = part("suite", few, WORKERS)
    sweep_wall, training_seconds = whole_sweep(options.kl_weights, options.epochs)
    plain, plain_wall = part("baseline", options.epochs, *options.kl_weights)
    rows = [
        ("seconds per epoch, 2 threads", plain["epoch"], two["epoch"]),
        ("seconds per epoch, 1 thread (two such runs at once in a sweep)", plain["epoch"], one["epoch"]),
        ("seconds per manifold of 900 images", plain["manifold"], one["manifold"]),
        ("seconds for the whole sweep", plain_wall, sweep_wall),
    ]
    table = pd.DataFrame(rows, columns=["", "plain port", "this suite"])
    table["times as fast"] = table["plain port"] / table["this suite"]
    print(f"{len(options.kl_weights)} weights, {options.epochs} epochs, {WORKERS} workers, real MNIST\n")
    print(table.round(2).to_markdown(index=False))
    ratio = sweep_wall / (training_seconds / WORKERS)
    print(f"\nsweep wall time / (pure training time / workers): {ratio:.2f}")
    for threads, measured in ((1, one), (WORKERS, two)):
        share = measured["epoch_gflops"] / measured["machine_gflops"]
        print(
            f"matrix products with {threads} thread(s): {measured['epoch_gflops']:.0f} GFLOP/s in training, "
            f"{measured['machine_gflops']:.0f} GFLOP/s in a bare product of 2048 x 2048: {share:.0%}"
        )


if __name__ == "__main__":
    main()
