"""What XLA does to convolutions that are trained inside a compiled loop: seconds per epoch without it and with it.

python -m tests.benchmarks.convolution                 one thread, passes over 512 images
python -m tests.benchmarks.convolution --images 4096 --threads 2

Each model is trained by `training.compiled_epoch` on the same images, at the batch size of its notebook, with
jit_compile False and True in turn; the reference model, which has dense layers only, stands beside them. The first pass
compiles and does not count. What a pass over some images takes is scaled to the 55,000 training images of MNIST.
"""

import argparse
import time

import vae_core.backend  # noqa: F401

import numpy as np
import pandas as pd
import tensorflow as tf

from vae_core import training
from vae_core.lessons.conv_vae_binarized_mnist.model import conv_vae
from vae_core.models import four_conv_vae, reference_vae

MODELS = {"reference_vae": (reference_vae, 128), "conv_vae": (conv_vae, 100), "four_conv_vae": (four_conv_vae, 32)}
EPOCH = 55_000  # images


def seconds_per_epoch(build, batch_size: int, images: np.ndarray, jit_compile: bool, passes: int) -> float:
    """Seconds for 55,000 images, by the fastest of some passes over fewer."""
    vae = build(1.0, seed=0)
    vae.optimizer.build(vae.trainable_variables)
    epoch = training.compiled_epoch(vae.train_step, images, batch_size, jit_compile)
    order = np.random.default_rng(0).permutation(len(images))
    epoch(order)
    vae.get_metrics_result()
    return min(timed(epoch, order, vae) for _ in range(passes)) * EPOCH / len(images)


def timed(epoch, order: np.ndarray, vae) -> float:
    """Seconds of one pass, until its losses are there."""
    start = time.perf_counter()
    epoch(order)
    vae.objective_tracker.result().numpy()
    return time.perf_counter() - start


def main() -> None:
    """Measure all models both ways and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=512, help="training images of one pass")
    parser.add_argument("--passes", type=int, default=3, help="passes, of which the fastest counts")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    training.use_threads(options.threads)
    tf.get_logger().setLevel("ERROR")  # many functions of few calls each, as a benchmark needs them, make it warn
    images = np.random.default_rng(0).random((options.images, 28, 28, 1), np.float32)
    rows = []
    for name, (build, batch_size) in MODELS.items():
        plain, xla = (seconds_per_epoch(build, batch_size, images, jit, options.passes) for jit in (False, True))
        rows.append((name, batch_size, plain, xla, xla / plain))
        print(f"{name} measured", flush=True)
    columns = ["model", "batch size", "jit_compile=False [s/epoch]", "jit_compile=True [s/epoch]", "True / False"]
    print(f"\n{options.threads} thread(s), {options.images:,} images, scaled to {EPOCH:,}\n")
    print(pd.DataFrame(rows, columns=columns).round(2).to_markdown(index=False))


if __name__ == "__main__":
    main()
