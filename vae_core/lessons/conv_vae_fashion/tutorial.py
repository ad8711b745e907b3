"""What tutorial 002 prints and says, and how a run is set beside it."""

from collections.abc import Mapping, Sequence

import vae_core.backend  # noqa: F401

import keras
import numpy as np
import pandas as pd

from vae_core import latent
from vae_core.data import Dataset
from vae_core.losses import kl_weight_of
from vae_core.models import VAE
from vae_core.tutorials import PIXELS, differences, per_pixel, tutorial_table

SETTINGS = {"dataset": "fashion_mnist", "kl_weight": 0.392, "epochs": 10, "batch_size": 32, "learning_rate": 1e-3}
TRAINED_ON, VALIDATED_ON = 48_000, 12_000  # images
# "-5e-4 * K.mean(1 + z_sigma - ...)" beside the mean cross-entropy: without the 1/2 of the KL, a mean over dimensions.
KL_WEIGHT = kl_weight_of(
    likelihood="bernoulli",
    pixels=PIXELS,
    channels=1,
    latent_dim=2,
    z_deviation="exp(log_var / 2)",
    reconstruction_over_pixels="mean",
    kl_over_dimensions="mean",
    kl_factor=2 * 5e-4,
)
SHOWN = (42, 420, 4200, 42000)  # training images, counted from 0
START = (-1.0, 1.0)  # the latent point at which the tutorial invites the reader to begin
WINDOW = latent.uniform_axes(cells=20, limit=5)  # of its decoded grid
FAR = 3  # prior standard deviations
# The printed losses of the 10 epochs, per pixel.
TRAINING_LOSSES = (0.3641, 0.3400, 0.3364, 0.3346, 0.3331, 0.3320, 0.3310, 0.3302, 0.3293, 0.3292)
VALIDATION_LOSSES = (0.3439, 0.3400, 0.3386, 0.3351, 0.3339, 0.3350, 0.3328, 0.3328, 0.3312, 0.3314)
# The printed summaries: output shape and parameters of each layer, and their totals.
ENCODER_LAYERS = (
    ((28, 28, 1), 0),
    ((28, 28, 32), 320),
    ((14, 14, 64), 18_496),
    ((14, 14, 64), 36_928),
    ((14, 14, 64), 36_928),
    ((12_544,), 0),
    ((32,), 401_440),
    ((2,), 66),
    ((2,), 66),
)
DECODER_LAYERS = (
    ((2,), 0),
    ((12_544,), 37_632),
    ((14, 14, 64), 0),
    ((28, 28, 32), 18_464),
    ((28, 28, 1), 289),
)
PARAMETERS = {"encoder": 494_244, "decoder": 56_385, "encoder and decoder": 550_629}
SPLIT = (
    "trained on {train:,} images and validated on the first {validation:,} of the training file, the tutorial on "
    f"{TRAINED_ON:,} and the last {VALIDATED_ON:,}; other initial weights, batches and noise"
)
# What, printed, ours, why they differ.
PARAMETER_ROW = ("parameters, {part}", "{printed:,}", "{ours:,}", "no difference: the layers are the same")
LOSS_ROW = ("{kind} loss per pixel, epoch {epoch}", "{printed:.4f}", "{ours:.4f}", "{why}")
STATEMENT_ROWS = (
    (
        "factor on the KL term",
        "5e-4",
        "kl_weight {kl_weight:g}",
        "784 * 5e-4, since the other term is a mean over 784 pixels; the missing 1/2 of the KL cancels against the "
        "mean over 2 dimensions",
    ),
    (
        "what the output z_sigma is",
        "log variance, standard deviation and variance, by turns",
        "log-variance; {negative:.1%} below 0",
        "the code uses it as a log-variance; neither of the other two can be below 0",
    ),
    (
        "range of the latent space",
        "about -5 to 5",
        "codes from {lowest:.1f} to {highest:.1f}, {inside:.1%} within [-5, 5]",
        "samples do not come from this whole window: {far_cells:.0%} of its cells lie beyond {far} sigma, where "
        "{far_samples:.1%} of the prior is",
    ),
    (
        "the point to decode",
        "(-4, 4), a random value within the range",
        "({point[0]:g}, {point[1]:g}): {farther:.1g} of the prior is farther out",
        "chosen in the window, not drawn from the prior",
    ),
)


def shown_images(dataset: Dataset) -> tuple[np.ndarray, list[str]]:
    """The four training images that the tutorial shows, (4, 28, 28, 1), and for each its number and class.

    Numbers are those of the whole training file, which begins with this suite's validation images. In a shorter file
    counting starts again at the beginning.
    """
    images = np.concatenate([dataset.validation_images, dataset.train_images])  # (N, 28, 28, 1)
    labels = np.concatenate([dataset.validation_labels, dataset.train_labels])  # (N,)
    numbers = np.array(SHOWN) % len(images)
    return images[numbers], [f"{number}: {dataset.class_names[labels[number]]}" for number in numbers]


def layer_table(model: keras.Model, printed: Sequence[tuple[tuple[int, ...], int]]) -> pd.DataFrame:
    """Each layer's output shape and number of parameters beside the printed ones; the sums last."""
    rows = [
        (layer.name, layer.output.shape[1:], layer.count_params(), *of_tutorial)
        for layer, of_tutorial in zip(model.layers, printed, strict=True)
    ]
    rows.append(("sum", "", model.count_params(), "", sum(parameters for _, parameters in printed)))
    columns = ["layer", "output shape", "parameters", "output shape, tutorial 002", "parameters, tutorial 002"]
    return pd.DataFrame(rows, columns=columns).set_index("layer")


def tutorial_loss(distortion, rate):
    """The tutorial's loss, whatever the kl_weight of the run: (distortion + 0.392 * rate) / 784, per pixel."""
    return per_pixel(distortion + KL_WEIGHT * rate)


def printed_losses() -> pd.DataFrame:
    """The printed losses per pixel: epoch, loss, val_loss."""
    epochs = range(1, len(TRAINING_LOSSES) + 1)
    return pd.DataFrame({"epoch": epochs, "loss": TRAINING_LOSSES, "val_loss": VALIDATION_LOSSES})


def losses_of(history: pd.DataFrame) -> pd.DataFrame:
    """The `tutorial_loss` of a history: epoch, loss, val_loss."""
    losses = {
        "loss": tutorial_loss(history["distortion"], history["rate"]),
        "val_loss": tutorial_loss(history["val_distortion"], history["val_rate"]),
    }
    return pd.DataFrame({"epoch": history["epoch"], **losses})


def losses_beside(histories: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """The `printed_losses` first, then the losses of our histories, each under the name to show."""
    return {"tutorial 002, printed": printed_losses()} | {
        name: losses_of(history) for name, history in histories.items()
    }


def loss_table(losses: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Training and validation loss per epoch side by side, with four decimals as printed; for `losses_beside`."""
    tables = {name: table.set_index("epoch") for name, table in losses.items()}
    labels = {"loss": "training", "val_loss": "validation"}
    cells = pd.concat(tables, axis=1).rename(columns=labels, level=1)
    return cells.map(lambda loss: "-" if np.isnan(loss) else f"{loss:.4f}")


def differences_in_words(settings: Mapping[str, object], dataset: Dataset) -> str:
    """How a run differs from the tutorial: its settings, if they do, and the split of the images, which always does."""
    split = SPLIT.format(train=len(dataset.train_images), validation=len(dataset.validation_images))
    return "; ".join(filter(None, (differences(settings, SETTINGS), split)))


def comparison_table(
    vae: VAE,
    history: pd.DataFrame,
    mean: np.ndarray,
    log_var: np.ndarray,
    point: Sequence[float],
    settings: Mapping[str, object],
    dataset: Dataset,
) -> pd.DataFrame:
    """The `tutorials.tutorial_table` of this lesson: parameters, losses and statements beside those of a run.

    mean, log_var: (N, 2), of the test images; point: (2,)
    """
    why = differences_in_words({**settings, "epochs": SETTINGS["epochs"]}, dataset)  # losses are of the same epochs
    statements = [_filled(row, **statement_values(mean, log_var, point)) for row in STATEMENT_ROWS]
    return tutorial_table("002", [*_parameter_rows(vae), *_loss_rows(history, why), *statements])


def statement_values(mean: np.ndarray, log_var: np.ndarray, point: Sequence[float]) -> dict[str, object]:
    """The numbers in STATEMENT_ROWS.

    Of the prior, the share of exp(-r^2 / 2) is farther from the origin than r, in two dimensions.
    """
    return {
        "kl_weight": KL_WEIGHT,
        "negative": np.mean(log_var < 0),
        "lowest": mean.min(),
        "highest": mean.max(),
        "inside": latent.share_within(mean, WINDOW),
        "far": FAR,
        "far_cells": np.mean(np.hypot(*np.meshgrid(*WINDOW)) > FAR),
        "far_samples": np.exp(-(FAR**2) / 2),
        "point": point,
        "farther": np.exp(-np.dot(point, point) / 2),
    }


def _parameter_rows(vae: VAE) -> list[tuple[str, ...]]:
    encoder, decoder = vae.encoder.count_params(), vae.decoder.count_params()
    counted = {"encoder": encoder, "decoder": decoder, "encoder and decoder": encoder + decoder}
    return [_filled(PARAMETER_ROW, part=part, printed=PARAMETERS[part], ours=counted[part]) for part in PARAMETERS]


def _loss_rows(history: pd.DataFrame, why: str) -> list[tuple[str, ...]]:
    """The first epoch and the last that both have."""
    printed, ours = printed_losses().set_index("epoch"), losses_of(history).set_index("epoch")
    return [
        _filled(
            LOSS_ROW, kind=kind, epoch=epoch, printed=printed.loc[epoch, column], ours=ours.loc[epoch, column], why=why
        )
        for epoch in dict.fromkeys((1, min(len(printed), len(ours))))
        for column, kind in (("loss", "training"), ("val_loss", "validation"))
    ]


def _filled(row: Sequence[str], **values) -> tuple[str, ...]:
    return tuple(text.format(**values) for text in row)
