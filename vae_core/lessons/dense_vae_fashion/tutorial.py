"""What tutorial 000 prints and says, and the table that sets it beside what came out here."""

import textwrap
from collections.abc import Mapping

import numpy as np
import pandas as pd

from vae_core.lessons.dense_vae_fashion.measures import CORNERS_ALIGNED, TUTORIAL_RESIZE
from vae_core.lessons.dense_vae_fashion.model import AS_WRITTEN, FORGOTTEN, RIGHT
from vae_core.tutorials import PIXELS, differences, differing, per_pixel, tutorial_table

SETTINGS = {
    "dataset": "fashion_mnist",
    "kl_weight": 1.0,
    "latent_dim": 10,
    "epochs": 50,
    "batch_size": 32,
    "learning_rate": 1e-3,
}
# The losses that it prints, per pixel, one for each epoch.
TRAINING_LOSSES = (
    *(0.4348, 0.3915, 0.3822, 0.3746, 0.3699, 0.3672, 0.3652, 0.3638, 0.3627, 0.3619),
    *(0.3610, 0.3603, 0.3597, 0.3592, 0.3587, 0.3584, 0.3581, 0.3581, 0.3578, 0.3576),
    *(0.3574, 0.3571, 0.3569, 0.3567, 0.3566, 0.3562, 0.3561, 0.3561, 0.3560, 0.3562),
    *(0.3559, 0.3555, 0.3555, 0.3552, 0.3552, 0.3552, 0.3550, 0.3550, 0.3550, 0.3550),
    *(0.3546, 0.3546, 0.3547, 0.3545, 0.3546, 0.3547, 0.3549, 0.3546, 0.3549, 0.3547),
)
VALIDATION_LOSSES = (
    *(0.3956, 0.3833, 0.3752, 0.3687, 0.3657, 0.3646, 0.3626, 0.3607, 0.3598, 0.3584),
    *(0.3578, 0.3577, 0.3578, 0.3555, 0.3564, 0.3558, 0.3564, 0.3561, 0.3560, 0.3542),
    *(0.3548, 0.3552, 0.3545, 0.3555, 0.3543, 0.3536, 0.3563, 0.3550, 0.3539, 0.3539),
    *(0.3537, 0.3533, 0.3524, 0.3541, 0.3524, 0.3531, 0.3525, 0.3531, 0.3532, 0.3517),
    *(0.3525, 0.3523, 0.3510, 0.3543, 0.3532, 0.3513, 0.3523, 0.3519, 0.3510, 0.3517),
)
LAST = 10  # epochs whose median training loss is compared
EXPLODED = 1.2  # times the least validation loss; the printed ones stay below

# Rows of the table with places for the numbers of `loss_values`: what, printed, ours, why they differ.
LOSS_ROWS = (
    ("gradient steps per epoch", "1719", "{steps}", "{train_images} training images in batches of {batch_size}."),
    (
        "training loss, median of epochs {first} to {last}, per pixel (nats/image)",
        "{printed_training}",
        "{training}",
        "{other}The loss of an epoch is a mean over its steps, during which the weights change.",
    ),
    (
        "validation loss, least of epochs 1 to {last}, per pixel (nats/image)",
        "{printed_validation}",
        "{right}",
        "{other}The tutorial forgets the mean. Forgetting it here changes the loss by {forgetting}.",
    ),
    (
        "validation loss, least of epochs 1 to {last}, per pixel (nats/image)",
        "{printed_validation}",
        "{forgotten}",
        "{other}The same mistake; other initial weights, batches and noise. RMSprop's epsilon hardly matters, here or "
        "in the tutorial: TensorFlow 2 of that time added it to the root.",
    ),
    (
        "validation loss, least of epochs 1 to {last}, per pixel (nats/image)",
        "{printed_validation}",
        "{as_written}",
        "{other}Keras 3's RMSprop adds its epsilon of 1e-7 under the root, where it outweighs all gradients below "
        "0.0003. Dividing the loss here changes it by {dividing}.",
    ),
    (
        "the log-variance is more stable in value",
        "said; no printed loss is above 1.2 times the least",
        "{exploded}",
        "Validation losses. exp(log_var) has no bound: where the encoder goes astray for a single image, its rate "
        "grows without limit. Not tried here: bounding the log-variance, or clipping the gradients.",
    ),
    (
        "median distance of ours from the printed validation losses, epochs 1 to {last}, per pixel",
        "-",
        "{distances}",
        "{other}{nearest}",
    ),
    (
        "a loss divided by 784 needs a larger learning rate",
        "said",
        "{dividing} at the same rate",
        "RMSprop divides a step by the size of the gradients, so a constant factor cancels, except for the epsilon. "
        "bug_gallery tries a larger rate and a smaller epsilon.",
    ),
)
# The same for `picture_rows`.
PICTURE_ROWS = (
    (
        "decoded samples of the prior look like the training images",
        "said",
        "a judge's confidence: {prior_confidence:.2f}; in test images: {test_confidence:.2f}",
        "Measured with the mean; the tutorial's samples come from a decoder that was trained without it. A judge that "
        "knows only the classes has to choose one.",
    ),
    (
        "mixed codes are in every other row and column, between the 12 original ones",
        "said",
        "{resized} of 12 are in the tutorial's grid, {aligned} of 12 with corners aligned",
        "tf.image.resize aligns areas: of seven columns only the outer two fall on one of four.",
    ),
    (
        "halfway between two codes looks like the data, halfway between two images like both on top of each other",
        "said",
        "from the nearest training image: {nearest}",
        "Squared distance, summed over pixels, for pairs of different classes, ± standard error. Blur can bring an "
        "image nearer too.",
    ),
)


def printed_history() -> pd.DataFrame:
    """The printed losses in nats per image, one row per epoch: epoch, objective, val_objective."""
    losses = {"objective": TRAINING_LOSSES, "val_objective": VALIDATION_LOSSES}
    epochs = range(1, len(TRAINING_LOSSES) + 1)
    return pd.DataFrame({"epoch": epochs, **{name: PIXELS * np.array(loss) for name, loss in losses.items()}})


def figure_title(settings: Mapping[str, object]) -> str:
    """The title of the figure of losses, which says in what the run differs from the tutorial, if it does."""
    other = differences(settings, SETTINGS)
    if other:
        return textwrap.fill(f"Tutorial 000's printed losses come from other settings. Ours: {other}", 95)
    return "Tutorial 000's printed validation losses, and ours"


def comparison_table(
    histories: Mapping[str, pd.DataFrame],
    settings: Mapping[str, object],
    train_images: int,
    originals: Mapping[str, np.ndarray],
    judged: Mapping[str, float],
    midpoints: pd.DataFrame,
) -> pd.DataFrame:
    """What the tutorial prints and says beside what was found here: `loss_rows`, then `picture_rows`."""
    rows = loss_rows(histories, settings, train_images) + picture_rows(originals, judged, midpoints)
    return tutorial_table("000", rows)


def loss_rows(
    histories: Mapping[str, pd.DataFrame], settings: Mapping[str, object], train_images: int
) -> list[tuple[str, ...]]:
    """LOSS_ROWS with their numbers: what, printed, ours, why they differ.

    histories: of RIGHT, FORGOTTEN and AS_WRITTEN; settings: of the run, `dataset` included
    """
    return _filled(LOSS_ROWS, loss_values(histories, settings, train_images))


def loss_values(
    histories: Mapping[str, pd.DataFrame], settings: Mapping[str, object], train_images: int
) -> dict[str, object]:
    """The printed losses and steps, and ours, over as many epochs as both have, in words for LOSS_ROWS.

    Validation losses are the least of all epochs, training losses the median of the last ten: in some epochs a few
    images with an exploding log-variance make the mean of the epoch meaningless.
    """
    epoch = min(len(histories[RIGHT]), len(VALIDATION_LOSSES))
    last = slice(max(0, epoch - LAST), epoch)
    least = {name: history["val_objective"].iloc[:epoch].min() for name, history in histories.items()}
    training = {name: _both(history["objective"].iloc[last].median()) for name, history in histories.items()}
    distances = {name: _distance(history, epoch) for name, history in histories.items()}
    exploded = {name: exploded_epochs(history) for name, history in histories.items()}
    other = differences(settings, SETTINGS)
    # runs of fewer or more epochs can be compared over those that both have; runs with other settings cannot
    comparable = set(differing(settings, SETTINGS)) <= {"epochs"}
    return {
        "steps": -(-train_images // settings["batch_size"]),
        "train_images": train_images,
        "batch_size": settings["batch_size"],
        "first": last.start + 1,
        "last": epoch,
        "other": f"Other settings: {other}. " if other else "",
        "printed_training": _both(PIXELS * float(np.median(TRAINING_LOSSES[last]))),
        "printed_validation": _both(PIXELS * min(VALIDATION_LOSSES[:epoch])),
        "training": "; ".join(f"{loss} {name}" for name, loss in training.items()),
        "right": f"{_both(least[RIGHT])} {RIGHT}",
        "forgotten": f"{_both(least[FORGOTTEN])} {FORGOTTEN}",
        "as_written": f"{_both(least[AS_WRITTEN])} {AS_WRITTEN}",
        "forgetting": _change(least[FORGOTTEN] - least[RIGHT]),
        "dividing": _change(least[AS_WRITTEN] - least[FORGOTTEN]),
        "exploded": "; ".join(
            f"{number} of {len(histories[name])} epochs above it {name}" for name, number in exploded.items()
        ),
        "distances": "; ".join(f"{distance:.4f} {name}" for name, distance in distances.items()),
        "nearest": f"The nearest: {min(distances, key=distances.get)}." if comparable else "",
    }


def exploded_epochs(history: pd.DataFrame) -> int:
    """The number of epochs with a validation loss above 1.2 times the least of all."""
    losses = history["val_objective"]
    return int(np.sum(losses > EXPLODED * losses.min()))


def picture_rows(
    originals: Mapping[str, np.ndarray], judged: Mapping[str, float], midpoints: pd.DataFrame
) -> list[tuple[str, ...]]:
    """PICTURE_ROWS with their numbers: what, printed, ours, why they differ.

    originals: which cells of each of RESIZES are originals, (5, 7) of bool; judged: from `measure_samples`
    midpoints: from `midpoint_table`
    """
    columns = midpoints["nearest training image"], midpoints["standard error"]
    nearest = [
        f"{name} {distance:.1f} ± {error:.1f}" for name, distance, error in zip(midpoints.index, *columns, strict=True)
    ]
    found = {"resized": originals[TUTORIAL_RESIZE].sum(), "aligned": originals[CORNERS_ALIGNED].sum()}
    return _filled(PICTURE_ROWS, {**judged, **found, "nearest": "; ".join(nearest)})


def _filled(rows: tuple[tuple[str, ...], ...], values: Mapping[str, object]) -> list[tuple[str, ...]]:
    return [tuple(cell.format(**values).strip() for cell in row) for row in rows]


def _distance(history: pd.DataFrame, epochs: int) -> float:
    difference = per_pixel(history["val_objective"][:epochs]) - np.array(VALIDATION_LOSSES[:epochs])
    return float(np.median(np.abs(difference)))


def _both(nats: float) -> str:
    return f"{per_pixel(nats):.4f} ({nats:.1f})"


def _change(nats: float) -> str:
    return f"{per_pixel(nats):+.4f} per pixel ({nats:+.1f} nats/image)"
