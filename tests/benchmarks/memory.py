"""Peak resident memory of encoding and of all measures, on made-up colour images of 64 x 64 kept as bytes.

python -m tests.benchmarks.memory                                     55,000 training and 10,000 test images
python -m tests.benchmarks.memory --train-images 55000 --test-images 500 --latent-dim 2

The model is not trained, which changes no array's size. The images' own bytes are part of the memory: 12 KB each.
"""

import argparse
import resource

import vae_core.backend  # noqa: F401

import numpy as np
import pandas as pd

from vae_core import latent, measures, training
from vae_core.data import ByteImages, Dataset
from vae_core.models import reference_vae

SHAPE = (64, 64, 3)
CLASSES = ("bright", "dark")


def peak() -> float:
    """The largest resident memory of this process so far, in GB (Linux counts in KB)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def made_up(images: int, rng: np.random.Generator) -> ByteImages:
    """Noise around a grey level of each image's own."""
    levels = rng.integers(64, 192, (images, 1, 1, 1), dtype=np.uint8)
    pixels = np.empty((images, *SHAPE), np.uint8)
    for start in range(0, images, 1000):
        noise = rng.integers(0, 64, pixels[start : start + 1000].shape, dtype=np.uint8)
        pixels[start : start + 1000] = levels[start : start + 1000] + noise
    return ByteImages(pixels)


def made_up_dataset(train: int, test: int, labelled: bool) -> Dataset:
    """Images of two classes, or of none."""
    rng = np.random.default_rng(0)
    parts = {"train": train, "validation": 10, "test": test}
    images = {f"{name}_images": made_up(number, rng) for name, number in parts.items()}
    labels = {
        f"{name}_labels": np.arange(number) % 2 if labelled else -np.ones(number, int) for name, number in parts.items()
    }
    return Dataset("made_up", "made up", CLASSES if labelled else (), "", **images, **labels)


def main() -> None:
    """Measure and print the peak after each step."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train-images", type=int, default=55_000)
    parser.add_argument("--test-images", type=int, default=10_000)
    parser.add_argument("--latent-dim", type=int, default=32)
    parser.add_argument("--labelled", action="store_true", help="with the judge and the nearest neighbours of codes")
    options = parser.parse_args()
    training.use_threads(1)
    peaks = {"TensorFlow": peak()}
    dataset = made_up_dataset(options.train_images, options.test_images, options.labelled)
    peaks["the images as bytes"] = peak()
    vae = reference_vae(1.0, seed=0, image_shape=SHAPE, latent_dim=options.latent_dim)
    train, test = (latent.encode(vae, images) for images in (dataset.train_images, dataset.test_images))
    peaks["encode"] = peak()
    measures.measure_bound(vae, dataset, *test)
    peaks["measure_bound"] = peak()
    measures.measure_codes(*test, dataset.test_labels, train[0], dataset.train_labels)
    peaks["measure_codes"] = peak()
    judge, drawn = measures.train_judge(dataset), measures.draw_images(vae, *train)
    peaks["draw_images"] = peak()
    measures.measure_samples(judge, drawn, dataset)
    peaks["measure_samples"] = peak()
    print(pd.Series(peaks, name="peak GB so far").round(2).to_frame().to_markdown())


if __name__ == "__main__":
    main()
