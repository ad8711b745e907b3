"""Seed 000's training as it was printed: its settings, its mistake, and our runs beside it."""

import textwrap
from collections.abc import Mapping

import vae_core.backend  # noqa: F401

import keras
import numpy as np
import pandas as pd
from keras import ops

from vae_core import latent, measures
from vae_core.models import gelu_decoder, gelu_encoder
from vae_core.lessons.bug_gallery.model import Fixed, ForgottenMean, MeanOverPixels
from vae_core.models import VAE
from vae_core.tutorials import PIXELS, SEED_000_TRAINING, SEED_000_VALIDATION, per_pixel

SETTINGS = {
    "dataset": "fashion_mnist",
    "kl_weight": 1.0,
    "latent_dim": 10,
    "epochs": 50,
    "batch_size": 32,
    "learning_rate": 1e-3,
}
LAST = 10  # epochs whose median training loss is compared
EXPLODED = 1.2  # times the least validation loss; the printed ones stay below
STEPS = 1719  # gradient steps per epoch, as printed
RIGHT, FORGOTTEN, AS_WRITTEN = "with the mean", "mean forgotten", "mean forgotten, loss / 784"


class AsWritten(ForgottenMean, MeanOverPixels):
    """Both of seed 000's choices: the mean forgotten, and the mean over pixels minimised."""


MISTAKES = {FORGOTTEN: ForgottenMean, AS_WRITTEN: AsWritten}


def mistaken_vae(mistake: str, kl_weight: float, seed: int, learning_rate: float, latent_dim: int) -> Fixed:
    """One of MISTAKES in place of `architectures.gelu_vae`: same layers, initial weights, noise and optimizer."""
    keras.utils.set_random_seed(seed)
    vae = MISTAKES[mistake](gelu_encoder(latent_dim), gelu_decoder(latent_dim), kl_weight, seed)
    vae.compile(optimizer=keras.optimizers.RMSprop(learning_rate), jit_compile=True)
    return vae


def other_settings(settings: Mapping[str, object]) -> str:
    """What of a run is not as in the seed, in words; empty if nothing is."""
    return ", ".join(f"{name} {settings[name]} instead of {SETTINGS[name]}" for name in _differing(settings))


def figure_title(settings: Mapping[str, object]) -> str:
    """What the figure of the losses is called; that the printed ones are of other settings, if they are."""
    other = other_settings(settings)
    if other:
        return textwrap.fill(f"Seed 000's printed losses are of other settings. Ours: {other}", 95)
    return "Seed 000's printed validation losses, and ours"


def printed_history() -> pd.DataFrame:
    """The printed losses in nats per image, one row per epoch: epoch, objective, val_objective."""
    losses = {"objective": SEED_000_TRAINING, "val_objective": SEED_000_VALIDATION}
    return pd.DataFrame({"epoch": range(1, 51), **{name: PIXELS * np.array(loss) for name, loss in losses.items()}})


def comparison(vaes: Mapping[str, VAE], histories: Mapping[str, pd.DataFrame], images: np.ndarray) -> pd.DataFrame:
    """What each model's own loss says, and the honest terms, for the Gaussian that z is really drawn from.

    In nats per image. A few images with an exploding log-variance can decide a mean, so the median over the images
    stands beside it, and the largest log-variance. The last two columns tell what carries the information: the root
    mean square of the encoder's means over images and dimensions, and the deviation over images of its log-variances.
    """
    rows = {}
    for name, vae in vaes.items():
        mean, log_var = latent.encode(vae, images)  # (N, latent_dim) each
        terms = measures.terms(vae, images, *_really_sampled(vae, mean, log_var))
        rows[name] = {
            "its own objective says": histories[name]["val_objective"].iloc[-1],
            **{term: float(np.mean(terms[term])) for term in ("distortion", "rate", "negative_elbo")},
            "negative_elbo, median": float(np.median(terms["negative_elbo"])),
            "largest log_var": float(log_var.max()),
            "size of the means": float(np.sqrt(np.mean(mean**2))),
            "spread of log_var": float(np.sqrt(np.mean(np.var(log_var, axis=0)))),
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def decoded_draws(vaes: Mapping[str, VAE], images: np.ndarray) -> np.ndarray:
    """The images, and below them what each model makes of one draw from q(z|x): (1 + models, N, 28, 28) in [0, 1]."""
    draws = [np.asarray(ops.sigmoid(vae(images)[2])) for vae in vaes.values()]
    return np.stack([images, *draws])[..., 0]


def loss_rows(
    histories: Mapping[str, pd.DataFrame], settings: Mapping[str, object], train_images: int
) -> list[tuple[str, str, str, str, str]]:
    """Rows for `seeds.seed_table`: the printed losses and steps beside ours, over as many epochs as both have.

    Validation losses are the least of all epochs, training losses the median of the last ten: in some epochs single
    images with an exploding log-variance make the mean of an epoch meaningless.

    histories: of RIGHT, FORGOTTEN and AS_WRITTEN; settings: of the run, `dataset` too
    """
    epoch = min(len(histories[RIGHT]), len(SEED_000_VALIDATION))
    last = slice(max(0, epoch - LAST), epoch)
    ours = {name: history["val_objective"].iloc[:epoch].min() for name, history in histories.items()}
    forgetting, dividing = ours[FORGOTTEN] - ours[RIGHT], ours[AS_WRITTEN] - ours[FORGOTTEN]
    distances = {name: _distance(history, epoch) for name, history in histories.items()}
    other = other_settings(settings)
    other = f"Other settings: {other}. " if other else ""
    whys = {
        RIGHT: f"The seed forgets the mean. Here forgetting it changes the loss by {_change(forgetting)}.",
        FORGOTTEN: "The same mistake; other initial weights, batches and noise. RMSprop's epsilon hardly counts, here "
        "nor in the seed: TensorFlow 2 of that time added it to the root.",
        AS_WRITTEN: "Keras 3's RMSprop adds its epsilon of 1e-7 under the root, where it outweighs all gradients below "
        f"0.0003. Here dividing the loss changes it by {_change(dividing)}.",
    }
    trained = {name: _both(history["objective"].iloc[last].median()) for name, history in histories.items()}
    # runs of fewer or more epochs can be compared over those that both have; runs with other settings cannot
    nearest = f"The nearest: {min(distances, key=distances.get)}." if set(_differing(settings)) <= {"epochs"} else ""
    over = f"median of epochs {last.start + 1} to {epoch}, per pixel (nats/image)"
    least, printed = f"validation loss, least of epochs 1 to {epoch}", _both(PIXELS * min(SEED_000_VALIDATION[:epoch]))
    exploded = {name: exploded_epochs(history) for name, history in histories.items()}
    steps, batch_size = -(-train_images // settings["batch_size"]), settings["batch_size"]
    rows = [
        (
            "gradient steps per epoch",
            f"{STEPS}",
            f"{steps}",
            f"{train_images} training images, batches of {batch_size}.",
        ),
        (
            f"training loss, {over}",
            _both(PIXELS * float(np.median(SEED_000_TRAINING[last]))),
            "; ".join(f"{loss} {name}" for name, loss in trained.items()),
            f"{other}A mean over the steps of the epoch, while the weights change.",
        ),
        *(
            (f"{least}, per pixel (nats/image)", printed, f"{_both(ours[name])} {name}", other + why)
            for name, why in whys.items()
        ),
        (
            "the log-variance is more stable in value",
            "said; no printed loss is above 1.2 times the least",
            "; ".join(
                f"{number} of {len(histories[name])} epochs above it {name}" for name, number in exploded.items()
            ),
            "Validation losses. exp(log_var) has no bound: where the encoder goes astray for a single image, its rate "
            "grows without limit. Not tried here: a bound on the log-variance, or gradients clipped.",
        ),
        (
            f"median distance of ours from the printed validation losses, epochs 1 to {epoch}, per pixel",
            "-",
            "; ".join(f"{distance:.4f} {name}" for name, distance in distances.items()),
            (other + nearest).strip(),
        ),
        (
            "a loss divided by 784 needs a larger learning rate",
            "said",
            f"{_change(dividing)} at the same rate",
            "RMSprop divides a step by the size of the gradients: a factor falls out, but for the epsilon. bug_gallery "
            "tries a larger rate and a smaller epsilon.",
        ),
    ]
    return [("000", *row) for row in rows]


def exploded_epochs(history: pd.DataFrame) -> int:
    """The number of epochs with a validation loss above 1.2 times the least of all."""
    losses = history["val_objective"]
    return int(np.sum(losses > EXPLODED * losses.min()))


def said_rows(
    originals: Mapping[str, np.ndarray], judged: Mapping[str, float], midpoints: pd.DataFrame
) -> list[tuple[str, str, str, str, str]]:
    """Rows for `seeds.seed_table`: what the seed says of its pictures, and what was measured.

    originals: which cells are originals, (5, 7) of bool each, the seed's way to resize first, then the aligned one
    judged: from `generation.evaluate`; midpoints: from `interpolation.midpoint_table`
    """
    seed_way, aligned = (found.sum() for found in originals.values())
    columns = midpoints["nearest training image"], midpoints["standard error"]
    nearest = {
        name: f"{distance:.1f} ± {error:.1f}" for name, distance, error in zip(midpoints.index, *columns, strict=True)
    }
    rows = [
        (
            "decoded samples of the prior look like the training images",
            "said",
            f"a judge's confidence: {judged['prior_confidence']:.2f}, in test images: {judged['test_confidence']:.2f}",
            "Measured with the mean; the seed's samples are of a decoder that was trained without it. A judge that "
            "knows the classes only has to choose one.",
        ),
        (
            "mixed codes are in every other row and column, between the 12 original ones",
            "said",
            f"{seed_way} of 12 are in the seed's grid, {aligned} of 12 with corners aligned",
            "tf.image.resize aligns areas: of seven columns only the outer two fall on one of four.",
        ),
        (
            "halfway between two codes looks like the data, halfway between two images like both on top of each other",
            "said",
            f"from the nearest training image: {'; '.join(f'{name} {far}' for name, far in nearest.items())}",
            "Squared distance, summed over pixels, for pairs of different classes, ± standard error. Blur can bring "
            "an image nearer too.",
        ),
    ]
    return [("000", *row) for row in rows]


def _really_sampled(vae: VAE, mean: np.ndarray, log_var: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return tuple(map(np.asarray, vae.really_sampled(mean, log_var))) if isinstance(vae, Fixed) else (mean, log_var)


def _differing(settings: Mapping[str, object]) -> list[str]:
    return [name for name, value in SETTINGS.items() if settings[name] != value]


def _distance(history: pd.DataFrame, epochs: int) -> float:
    difference = per_pixel(history["val_objective"][:epochs]) - np.array(SEED_000_VALIDATION[:epochs])
    return float(np.median(np.abs(difference)))


def _both(nats: float) -> str:
    return f"{per_pixel(nats):.4f} ({nats:.1f})"


def _change(nats: float) -> str:
    return f"{per_pixel(nats):+.4f} per pixel ({nats:+.1f} nats/image)"
