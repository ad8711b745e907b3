"""Seed 002's system: its models at several weights, its loss, its chosen point, its window."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import vae_core.backend  # noqa: F401

import keras
import numpy as np
import pandas as pd
from scipy.stats import norm
from sklearn.neighbors import NearestNeighbors

from vae_core import aggregate, latent, measures, seeds, training, windows
from vae_core.models import four_conv_vae
from vae_core.data import Dataset
from vae_core.statistics import with_error
from vae_core.models import VAE
from vae_core.losses import kl_weight_of

SETTINGS = {"dataset": "fashion_mnist", "kl_weight": 0.392, "epochs": 10, "batch_size": 32, "learning_rate": 1e-3}
TRAINED_ON, VALIDATED_ON = 48_000, 12_000  # the seed's images
# "-5e-4 * K.mean(1 + z_sigma - ...)" beside the mean cross-entropy: without the 1/2 of the KL, a mean over dimensions.
KL_WEIGHT = kl_weight_of(
    likelihood="bernoulli",
    pixels=seeds.PIXELS,
    channels=1,
    latent_dim=2,
    reconstruction_over_pixels="mean",
    kl_over_dimensions="mean",
    kl_factor=2 * 5e-4,
)
SHOWN = (42, 420, 4200, 42000)  # training images, counted from 0
MORPH = (-1.0, 1.0)  # where the seed invites to begin
CELLS = 20
SEED_WINDOW = "seed 002's [-5, 5]"
WINDOWS = {
    SEED_WINDOW: windows.uniform_axes(CELLS, limit=5),
    "the prior's quantiles": windows.quantile_axes(CELLS),
}
FAR = 3  # prior standard deviations
COMPARED = (
    *("distortion", "rate", "negative_elbo", "nll", "mutual_information", "marginal_kl"),
    *("active_units", "mean_spread", "share_in_window", "knn_accuracy"),
)


def shown_images(dataset: Dataset) -> tuple[np.ndarray, list[str]]:
    """The seed's four training images with number and class, (4, 28, 28, 1); past the end, counting starts again.

    Numbers are those of the whole training file, which begins with this suite's validation images.
    """
    images = np.concatenate([dataset.validation_images, dataset.train_images])  # (N, 28, 28, 1)
    labels = np.concatenate([dataset.validation_labels, dataset.train_labels])  # (N,)
    numbers = np.array(SHOWN) % len(images)
    return images[numbers], [f"{number}: {dataset.class_names[labels[number]]}" for number in numbers]


def layer_table(model: keras.Model, printed: Sequence[tuple[tuple[int, ...], int]]) -> pd.DataFrame:
    """Each layer's output shape and number of parameters, and what the seed prints of it; the sums last."""
    rows = [
        (layer.name, layer.output.shape[1:], layer.count_params(), *theirs)
        for layer, theirs in zip(model.layers, printed, strict=True)
    ]
    rows.append(("sum", "", model.count_params(), "", sum(parameters for _, parameters in printed)))
    columns = ["layer", "output shape", "parameters", "output shape, seed 002", "parameters, seed 002"]
    return pd.DataFrame(rows, columns=columns).set_index("layer")


def train_each(
    kl_weights: Sequence[float],
    dataset: Dataset,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    seed: int,
    history_file: Path,
) -> tuple[dict[str, VAE], dict[str, pd.DataFrame], list[float]]:
    """Train a model at each weight, equal ones once, from the same initial weights with the same batches and noise.

    Returns models and histories by name, "kl_weight 0.392", and the seconds of the first one's epochs, whose history
    goes to the file.
    """
    vaes, histories, seconds = {}, {}, []
    for kl_weight in dict.fromkeys(map(float, kl_weights)):
        name = f"kl_weight {np.format_float_positional(kl_weight, trim='-')}"
        vaes[name] = four_conv_vae(kl_weight, seed, learning_rate)
        file = None if histories else history_file
        histories[name], took = training.train(vaes[name], dataset, epochs, batch_size, seed, file)
        seconds = seconds or took
    return vaes, histories, seconds


def seed_loss(distortion, rate):
    """The seed's loss, whatever weight was trained with: (distortion + 0.392 * rate) / 784, per pixel."""
    return seeds.per_pixel(distortion + KL_WEIGHT * rate)


def seed_losses(histories: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """The seed's printed losses, then the same of our histories: epoch, loss, val_loss, per pixel."""
    printed = {"loss": seeds.SEED_002_TRAINING, "val_loss": seeds.SEED_002_VALIDATION}
    result = {"seed 002, printed": pd.DataFrame({"epoch": range(1, 11), **printed})}
    for name, history in histories.items():
        losses = {
            "loss": seed_loss(history["distortion"], history["rate"]),
            "val_loss": seed_loss(history["val_distortion"], history["val_rate"]),
        }
        result[name] = pd.DataFrame({"epoch": history["epoch"], **losses})
    return result


def loss_table(losses: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Training and validation loss per epoch side by side, four decimals as printed, for `seed_losses`."""
    tables = {name: table.set_index("epoch") for name, table in losses.items()}
    named = {"loss": "training", "val_loss": "validation"}
    cells = pd.concat(tables, axis=1).rename(columns=named, level=1)
    return cells.map(lambda loss: "-" if np.isnan(loss) else f"{loss:.4f}")


def what_differs(settings: Mapping[str, object], dataset: Dataset) -> str:
    """In which settings a run is not the seed's; that it is split otherwise is so in every run."""
    other = [f"{name} {settings[name]}, not {theirs}" for name, theirs in SETTINGS.items() if settings[name] != theirs]
    split = (
        f"trained on {len(dataset.train_images):,} images and validated on the first "
        f"{len(dataset.validation_images):,} of the file, the seed on {TRAINED_ON:,} and the last {VALIDATED_ON:,}; "
        "other initial weights, batches and noise"
    )
    return "; ".join([*other, split])


def with_negative_elbo(histories: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """The histories with one more column, val_negative_elbo = val_distortion + val_rate."""
    return {
        name: history.assign(val_negative_elbo=history["val_distortion"] + history["val_rate"])
        for name, history in histories.items()
    }


def encode_each(vaes: Mapping[str, VAE], images: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Mean and log-variance of q(z|x) of the images by each model, (N, 2) each."""
    return {name: latent.encode(vae, images) for name, vae in vaes.items()}


def evaluate_each(
    vaes: Mapping[str, VAE], dataset: Dataset, codes: Mapping[str, tuple[np.ndarray, np.ndarray]]
) -> tuple[dict[str, dict[str, float]], dict[str, dict[str, np.ndarray]]]:
    """The measures of `measures` and `aggregate` for each model, and the share of its codes on [-3, 3].

    Only the first model's `nll` is checked by quadrature, which takes as long as all the rest.

    codes: mean and log-variance for the test images, (N, 2) each
    returns: the measures, and `measures.per_image`, both by the models' names
    """
    measured, per_image, labels = {}, {}, dataset.test_labels
    for name, vae in vaes.items():
        mean, log_var = codes[name]
        per_image[name] = measures.per_image(vae, dataset.test_images, mean, log_var)
        by_images = with_error(**per_image[name]) if measured else measures.summary(vae, dataset, mean, per_image[name])
        train_mean, _ = latent.encode(vae, dataset.train_images)
        by_codes = aggregate.evaluate(mean, log_var, labels, train_mean, dataset.train_labels)
        share = windows.share_within(mean, windows.uniform_axes())
        measured[name] = {**by_images, **by_codes, "share_in_window": share}
    return measured, per_image


def comparison(
    measured: Mapping[str, Mapping[str, float]], per_image: Mapping[str, Mapping[str, np.ndarray]]
) -> pd.DataFrame:
    """The measures that the weight decides, a column for each model; of two, the second minus the first.

    The standard error of a difference is that of the mean of the differences between the same images, (N,).
    """
    table = pd.DataFrame(measured).loc[list(COMPARED)]
    if len(measured) == 2:
        one, other = per_image.values()
        paired = with_error(**{name: other[name] - one[name] for name in one})
        errors = pd.Series({name: paired[f"{name}_se"] for name in one})
        table = table.assign(difference=table.iloc[:, 1] - table.iloc[:, 0], **{"standard error": errors})
    return table.map(lambda value: "-" if np.isnan(value) else f"{value:.3f}")


def path_to(point: Sequence[float]) -> np.ndarray:
    """From the origin to (-1, 1) in two steps, from there to the point in six: (9, 2)."""
    return np.concatenate([np.linspace((0.0, 0.0), MORPH, 3), np.linspace(MORPH, point, 7)[1:]])


def point_table(point: Sequence[float], codes: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """How far out a latent point is, for the prior and for the test codes of each model, (N, 2).

    Of the prior, the share of exp(-r^2 / 2) is farther from the origin than r, in two dimensions.
    """
    radius = np.linalg.norm(point)
    rows = {}
    for name, mean in codes.items():
        nearest = NearestNeighbors().fit(mean)
        rows[name] = {
            "distance from the origin": radius,
            "prior density": norm.pdf(point).prod(),
            "prior samples farther out": np.exp(-(radius**2) / 2),
            "test codes farther out": np.mean(np.linalg.norm(mean, axis=1) > radius),
            "distance to the nearest test code": nearest.kneighbors([point], 1)[0].item(),
            "from one test code to the next, median": np.median(nearest.kneighbors(n_neighbors=1)[0]),
        }
    return pd.DataFrame(rows).map("{:.3g}".format)


def decoded(vaes: Mapping[str, VAE], z: np.ndarray) -> np.ndarray:
    """What each model's decoder draws at the same latent points, (N, 2): (models, N, 28, 28)."""
    return np.stack([latent.decode(vae, z.astype(np.float32))[..., 0] for vae in vaes.values()])


def reconstructed(vaes: Mapping[str, VAE], codes: Mapping[str, np.ndarray], images: np.ndarray) -> np.ndarray:
    """The images, (N, 28, 28, 1), and below what each model decodes their codes to: (1 + models, N, 28, 28)."""
    rows = [latent.decode(vae, codes[name][: len(images)]) for name, vae in vaes.items()]
    return np.stack([images, *rows])[..., 0]


def beside_nearest(
    vaes: Mapping[str, VAE], codes: Mapping[str, np.ndarray], point: Sequence[float], images: np.ndarray
) -> np.ndarray:
    """For each model: decoded at the point, decoded at the nearest code, and that code's image: (models, 3, 28, 28)."""
    rows = []
    for name, vae in vaes.items():
        nearest = np.linalg.norm(codes[name] - np.asarray(point), axis=1).argmin()
        z = np.array([point, codes[name][nearest]], np.float32)
        rows.append(np.concatenate([latent.decode(vae, z), images[[nearest]]]))
    return np.stack(rows)[..., 0]


def window_grids(vaes: Mapping[str, VAE], codes: Mapping[str, np.ndarray]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """For each model its decoded grid in each window, (20, 20, 28, 28), and the coordinates, (2, 20), by title."""
    return {
        f"{name}, {window}\n{windows.share_within(codes[name], axes):.1%} of the test codes": (
            latent.decode_grid(vae, axes),
            axes,
        )
        for name, vae in vaes.items()
        for window, axes in WINDOWS.items()
    }


def window_table(codes: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """What share of the test codes and of the prior lies in each window, and how much of the window is far out.

    codes: for each model the latent means, (N, 2)
    """
    rows = {}
    for window, axes in {**WINDOWS, "[-3, 3]": windows.uniform_axes()}.items():
        z0, z1 = np.meshgrid(*axes)  # (cells, cells) each
        rows[window] = {
            **{f"test codes at {name}": windows.share_within(mean, axes) for name, mean in codes.items()},
            "prior samples": np.diff(norm.cdf(axes[:, [0, -1]]), axis=1).prod(),
            f"cells farther out than {FAR} sigma": np.mean(np.hypot(z0, z1) > FAR),
        }
    return pd.DataFrame(rows).T


def seed_rows(
    vae: VAE,
    history: pd.DataFrame,
    mean: np.ndarray,
    log_var: np.ndarray,
    point: Sequence[float],
    settings: Mapping[str, object],
    dataset: Dataset,
) -> list[tuple[str, str, str, str, str]]:
    """What seed 002 prints and says beside what this run gives, for `seeds.seed_table`."""
    encoder, decoder = vae.encoder.count_params(), vae.decoder.count_params()
    counts = {"encoder": encoder, "decoder": decoder, "encoder and decoder": encoder + decoder}
    rows = [
        ("002", f"parameters, {name}", f"{printed:,}", f"{counts[name]:,}", "they do not: the same layers")
        for name, printed in seeds.SEED_002_PARAMETERS.items()
    ]
    printed, ours = (table.set_index("epoch") for table in seed_losses({"ours": history}).values())
    why = what_differs({**settings, "epochs": SETTINGS["epochs"]}, dataset)  # the losses are of the same epochs
    for epoch in dict.fromkeys((1, min(len(printed), len(ours)))):
        for column, name in (("loss", "training"), ("val_loss", "validation")):
            numbers = (f"{table.loc[epoch, column]:.4f}" for table in (printed, ours))
            rows.append(("002", f"{name} loss per pixel, epoch {epoch}", *numbers, why))
    radius, inside = np.linalg.norm(point), windows.share_within(mean, WINDOWS[SEED_WINDOW])
    far_cells = np.mean(np.hypot(*np.meshgrid(*WINDOWS[SEED_WINDOW])) > FAR)
    return [
        *rows,
        (
            *("002", "factor on the KL term", "5e-4", f"kl_weight {KL_WEIGHT:g}"),
            "784 * 5e-4: beside a mean over 784 pixels; the 1/2 of the KL makes up for the mean over 2 dimensions",
        ),
        (
            *("002", "what the output z_sigma is", "log variance, standard deviation and variance, by turns"),
            f"log-variance; {np.mean(log_var < 0):.1%} below 0",
            "it is used as a log-variance; neither of the other two can be below 0",
        ),
        (
            *("002", "range of the latent space", "about -5 to 5"),
            f"codes from {mean.min():.1f} to {mean.max():.1f}, {inside:.1%} within [-5, 5]",
            f"the window is not where samples come from: {far_cells:.0%} of its cells lie beyond "
            f"{FAR} sigma, where {np.exp(-(FAR**2) / 2):.1%} of the prior is",
        ),
        (
            *("002", "the point to decode", "(-4, 4), a random value within the range"),
            f"({point[0]:g}, {point[1]:g}): {np.exp(-(radius**2) / 2):.1g} of the prior is farther out",
            "chosen in the window, not drawn from the prior",
        ),
    ]
