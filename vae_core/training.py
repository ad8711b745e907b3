"""Training at the speed of the matrix products: one call of one compiled TensorFlow function is one epoch.

`vae.fit(images)` trains the same way on any Keras backend, but slower: its input pipeline competes with the training.
Both go through the model's own `train_step`, so the objective is put together in `VAE.compute_loss` alone. With the
same batches both give the same history if XLA compiles both. (From the same seed, XLA draws other noise than
TensorFlow's own operations.)

A model compiled with jit_compile=False trains without XLA. Dense layers are then slower and convolutions much faster,
because XLA has no fast routines for convolutions in a loop (`python -m tests.benchmarks.convolution` measures it).
"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import vae_core.backend  # noqa: F401

import numpy as np
import pandas as pd
import tensorflow as tf
from threadpoolctl import threadpool_limits

from vae_core.data import ByteImages, Dataset
from vae_core.errors import InputError
from vae_core.models import VAE
from vae_core.progress import progress_bar

HELD = 1 << 26  # bytes of images that TensorFlow has a copy of; of more it has a quarter as many at a time


def use_threads(threads: int) -> None:
    """Give TensorFlow, NumPy and scikit-learn this many CPU threads. Call it before the first computation.

    Raises RuntimeError if TensorFlow already runs with another number.
    """
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    threadpool_limits(threads)


def train(
    vae: VAE,
    dataset: Dataset,
    epochs: int,
    batch_size: int,
    seed: int,
    history_file: str | Path | None = None,
    after_epoch: Callable[[int], None] | None = None,
) -> tuple[pd.DataFrame, list[float]]:
    """Train a compiled VAE; every epoch sees the training images once, in an order that only the seed decides.

    Where the data set is tossed (`vae_core.binarise`), every batch is, within the step, by random numbers that the seed
    alone decides too; the noise of z is the same with them and without.

    Returns the history, one row per epoch (epoch, objective, distortion, rate, and the same three with val_ for the
    validation images, in nats per image; and kl_weight at the end of the epoch if it varies), and the seconds that each
    epoch took. `history_file` is rewritten after every epoch, so that others can see the progress. `after_epoch` is
    called with the number of epochs trained, the first time with 0; its time is not counted.

    Raises InputError before the first epoch if the model cannot reach its target (`VAE.check`), and in the first one
    whose losses are not finite.
    """
    if not dataset.toss:  # what has been tossed can be told with certainty
        vae.check(dataset.train_images)
    tf.get_logger().addFilter(_not_about_retracing)
    vae.optimizer.build(vae.trainable_variables)
    train_inputs = vae.inputs(dataset.train_images, dataset.train_labels)
    validation_inputs = vae.inputs(dataset.validation_images, dataset.validation_labels)
    seen = _toss(seed, vae.jit_compile) if dataset.toss else tf.identity
    train_epoch = compiled_epoch(vae.train_step, train_inputs, batch_size, vae.jit_compile, seen)
    validation_epoch = compiled_epoch(vae.test_step, validation_inputs, batch_size, vae.jit_compile)
    in_order = np.arange(len(dataset.validation_images))
    shuffle = np.random.default_rng(seed).permutation
    after_epoch = after_epoch or (lambda epoch: None)
    history, seconds = [], []
    after_epoch(0)
    with progress_bar(epochs, "training", unit="epoch") as bar:
        for epoch in range(1, epochs + 1):
            start = time.perf_counter()
            row = _means(vae, train_epoch, shuffle(len(dataset.train_images)))
            row |= {f"val_{name}": value for name, value in _means(vae, validation_epoch, in_order).items()}
            row |= {"kl_weight": float(vae.kl_weight)} if vae.kl_weight_varies else {}
            seconds.append(time.perf_counter() - start)
            if not np.isfinite(list(row.values())).all():
                raise InputError(
                    f"the losses are not finite in epoch {epoch} ({_named(row)}): "
                    "use a smaller learning_rate or kl_weight"
                )
            history.append({"epoch": epoch, **row})
            if history_file:
                write_history(pd.DataFrame(history), history_file)
            bar.set_postfix_str(f"val_objective {row['val_objective']:.2f} nats/image", refresh=False)
            after_epoch(epoch)
            bar.update()
    vae.optimizer.finalize_variable_values(vae.trainable_variables)  # their moving average, if the optimizer keeps one
    return pd.DataFrame(history), seconds


def spread_epochs(epochs: int, pictures: int = 16) -> list[int]:
    """0 and some of the epochs up to the last, denser at the beginning, where most happens."""
    return [0, *np.unique(np.geomspace(1, epochs, pictures).round().astype(int)).tolist()]


class Recorder:
    """Keeps what some functions return before training and after some of the epochs: pass it as `after_epoch`.

    looks: functions without arguments, by the name of what they return
    """

    def __init__(self, wanted: Sequence[int], **looks: Callable[[], np.ndarray]):
        self.wanted, self.looks = set(wanted), looks
        self.epochs: list[int] = []
        self.kept: dict[str, list[np.ndarray]] = {name: [] for name in looks}

    def __call__(self, epoch: int) -> None:
        """Look, if this epoch is one of those wanted."""
        if epoch in self.wanted:
            self.epochs.append(epoch)
            for name, look in self.looks.items():
                self.kept[name].append(look())


def write_history(history: pd.DataFrame, path: str | Path) -> None:
    """Write one row per epoch; five decimals are what float32 holds of a loss of a few hundred nats."""
    history.to_csv(path, index=False, float_format="%.5f")


def compiled_epoch(step, inputs, batch_size: int, jit_compile: bool = True, seen: Callable = tf.identity):
    """Compile a pass over the data: `step` is called on each batch, gathered from memory inside the compiled code.

    inputs: what the model's `call` takes, for all images: an array, or a tuple of arrays, with N rows. `ByteImages`
        stay bytes in memory; a batch of them is floats. TensorFlow copies what it takes: more than HELD bytes in parts
    seen: what becomes of a batch of each array before the step
    Returns a function of the order of the images, shape (N,).
    """
    images = [rows for rows in tf.nest.flatten(inputs) if isinstance(rows, ByteImages)]
    parts = 1 if (size := sum(rows.bytes.nbytes for rows in images)) <= HELD else -(-4 * size // HELD)
    held = _held(inputs, slice(None)) if parts == 1 else None

    def gathered(inputs, batch):
        return tf.nest.map_structure(lambda rows: seen(_floats(tf.gather(rows, batch))), inputs)

    @tf.function(jit_compile=jit_compile)
    def steps(inputs, batches, rest):  # as an argument: captured, the images would outlive the function
        if len(batches):
            for batch in batches:
                step((gathered(inputs, batch),))
        if len(rest):
            step((gathered(inputs, rest),))

    def epoch(order: np.ndarray) -> None:
        share = len(order) if parts == 1 else max(1, len(order) // parts // batch_size) * batch_size
        for part in (order[start : start + share] for start in range(0, len(order), share)):
            rows, places = (held, part) if parts == 1 else (_held(inputs, part), np.arange(len(part)))
            whole = len(part) - len(part) % batch_size
            batches = places[:whole].reshape(-1, batch_size)  # (steps, batch)
            steps(rows, tf.constant(batches), tf.constant(places[whole:]))

    return epoch


def _held(inputs, rows):
    """These rows of each array as TensorFlow has them, which is always a copy; `ByteImages` as bytes."""
    arrays = tf.nest.map_structure(lambda part: part.bytes if isinstance(part, ByteImages) else part, inputs)
    return tf.nest.map_structure(lambda part: tf.constant(part[rows]), arrays)


def _floats(rows):
    """Bytes as the floats that ByteImages gives, others as they are.

    In double precision, because compilers multiply by 1/255 instead: in single precision other floats than NumPy's.
    """
    return tf.cast(tf.cast(rows, tf.float64) / 255, tf.float32) if rows.dtype == tf.uint8 else rows


def _toss(seed: int, jit_compile: bool = True) -> Callable:
    """A function that makes each number 1 with the probability of its value, else 0; classes as one-hot rows stay.

    XLA is 100 times as fast with Threefry as with the generator that it would choose; without XLA there is no Threefry.
    """
    own = np.random.SeedSequence([seed, 1]).generate_state(1)  # the seed itself is that of the noise
    state = tf.Variable([int(own[0]), 0], dtype=tf.int64)
    algorithm = "threefry" if jit_compile else "philox"

    def toss(rows):
        state.assign_add([0, 1])
        return tf.cast(tf.random.stateless_uniform(tf.shape(rows), state, alg=algorithm) < rows, rows.dtype)

    return toss


def _means(vae: VAE, epoch, order: np.ndarray) -> dict[str, float]:
    vae.reset_metrics()
    epoch(order)
    # The loss is what Keras' own callbacks look for; here it says nothing that the objective does not.
    return {name: float(value) for name, value in vae.get_metrics_result().items() if name != "loss"}


def _not_about_retracing(record) -> bool:
    # TensorFlow warns of functions that are compiled again and again; here every model needs one of its own.
    return "tf.function retracing" not in record.getMessage()


def _named(row: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:g}" for name, value in row.items() if not name.startswith("val_"))
