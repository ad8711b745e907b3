"""Models that differ in their kl_weight alone: training, measures and pictures of each, and their difference.

Models and all that is found of them are kept in dictionaries by kl_weight; `by_name` turns the weights into the names
that figures and tables show.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import vae_core.backend  # noqa: F401

import numpy as np
import pandas as pd
from scipy.stats import norm
from sklearn.neighbors import NearestNeighbors

from vae_core import latent, measures, training
from vae_core.data import Dataset
from vae_core.lessons.conv_vae_fashion import tutorial
from vae_core.models import VAE, four_conv_vae
from vae_core.statistics import with_error

Found = TypeVar("Found")
GRID_WINDOWS = {  # of the decoded grids, by the name to show
    "tutorial 002's [-5, 5]": tutorial.WINDOW,
    "the prior's quantiles": latent.quantile_axes(cells=20),
}
COMPARED = (
    *("distortion", "rate", "negative_elbo", "nll", "mutual_information", "marginal_kl"),
    *("active_units", "mean_spread", "share_in_window", "knn_accuracy"),
)


def weight_name(kl_weight: float) -> str:
    """The name of a model in figures and tables: "kl_weight 0.392"."""
    return f"kl_weight {np.format_float_positional(kl_weight, trim='-')}"


def by_name(found: Mapping[float, Found]) -> dict[str, Found]:
    """What was found at each kl_weight, by `weight_name`."""
    return {weight_name(kl_weight): value for kl_weight, value in found.items()}


def train_at_each_weight(
    kl_weights: Sequence[float],
    dataset: Dataset,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    seed: int,
    history_file: Path,
) -> tuple[dict[float, VAE], dict[float, pd.DataFrame], list[float]]:
    """Train a model at each weight, equal ones once, from the same initial weights with the same batches and noise.

    returns: models and histories by kl_weight, and the seconds of the first model's epochs, whose history goes to the
    file
    """
    vaes, histories, seconds = {}, {}, []
    for kl_weight in dict.fromkeys(map(float, kl_weights)):
        vaes[kl_weight] = four_conv_vae(kl_weight, seed, learning_rate)
        file = None if histories else history_file
        histories[kl_weight], took = training.train(vaes[kl_weight], dataset, epochs, batch_size, seed, file)
        seconds = seconds or took
    return vaes, histories, seconds


def with_negative_elbo(histories: Mapping[float, pd.DataFrame]) -> dict[float, pd.DataFrame]:
    """The histories with one more column, val_negative_elbo = val_distortion + val_rate."""
    return {
        kl_weight: history.assign(val_negative_elbo=history["val_distortion"] + history["val_rate"])
        for kl_weight, history in histories.items()
    }


def encode_with_each(vaes: Mapping[float, VAE], images: np.ndarray) -> dict[float, tuple[np.ndarray, np.ndarray]]:
    """Mean and log-variance of q(z|x) of the images by each model, (N, 2) each."""
    return {kl_weight: latent.encode(vae, images) for kl_weight, vae in vaes.items()}


def measure_each(
    vaes: Mapping[float, VAE], dataset: Dataset, codes: Mapping[float, tuple[np.ndarray, np.ndarray]]
) -> tuple[dict[float, dict[str, float]], dict[float, dict[str, np.ndarray]]]:
    """The measures of each model: of the bound, of its codes, and the share of the codes on [-3, 3].

    Only the first model's `nll` is compared with an importance-weighted estimate.

    codes: mean and log-variance for the test images, (N, 2) each
    returns: the measures, and `measures.bound_terms`
    """
    measured, terms, labels = {}, {}, dataset.test_labels
    for kl_weight, vae in vaes.items():
        mean, log_var = codes[kl_weight]
        values = measures.bound_terms(vae, dataset.test_images, mean, log_var)
        of_bound = with_error(**values) if measured else measures.bound_summary(vae, dataset, mean, log_var, values)
        train_mean, _ = latent.encode(vae, dataset.train_images)
        of_codes = measures.measure_codes(mean, log_var, labels, train_mean, dataset.train_labels)
        share = latent.share_within(mean, latent.uniform_axes())
        measured[kl_weight], terms[kl_weight] = {**of_bound, **of_codes, "share_in_window": share}, values
    return measured, terms


def weight_table(
    measured: Mapping[float, Mapping[str, float]], terms: Mapping[float, Mapping[str, np.ndarray]]
) -> pd.DataFrame:
    """The measures that the kl_weight decides, a column for each model; for two models, the second minus the first.

    The standard error of a difference is that of the mean of the differences between the same images, (N,).
    """
    table = pd.DataFrame(by_name(measured)).loc[list(COMPARED)]
    if len(measured) == 2:
        first, second = measured
        paired = with_error(**{name: terms[second][name] - terms[first][name] for name in terms[first]})
        errors = pd.Series({name: paired[f"{name}_se"] for name in terms[first]})
        difference = table[weight_name(second)] - table[weight_name(first)]
        table = table.assign(**{"difference": difference, "standard error": errors})
    return table.map(lambda value: "-" if np.isnan(value) else f"{value:.3f}")


def path_to(point: Sequence[float]) -> np.ndarray:
    """From the origin to the tutorial's start, (-1, 1), in two steps, and from there to the point in six: (9, 2)."""
    return np.concatenate([np.linspace((0.0, 0.0), tutorial.START, 3), np.linspace(tutorial.START, point, 7)[1:]])


def point_table(point: Sequence[float], means: Mapping[float, np.ndarray]) -> pd.DataFrame:
    """How far out a latent point is, for the prior and for the test codes of each model, (N, 2).

    Of the prior, the share of exp(-r^2 / 2) is farther from the origin than r, in two dimensions.
    """
    radius = np.linalg.norm(point)
    columns = {}
    for kl_weight, mean in means.items():
        nearest = NearestNeighbors().fit(mean)
        columns[kl_weight] = {
            "distance from the origin": radius,
            "prior density": norm.pdf(point).prod(),
            "prior samples farther out": np.exp(-(radius**2) / 2),
            "test codes farther out": np.mean(np.linalg.norm(mean, axis=1) > radius),
            "distance to the nearest test code": nearest.kneighbors([point], 1)[0].item(),
            "from one test code to the next, median": np.median(nearest.kneighbors(n_neighbors=1)[0]),
        }
    return pd.DataFrame(by_name(columns)).map("{:.3g}".format)


def decode_with_each(vaes: Mapping[float, VAE], z: np.ndarray) -> np.ndarray:
    """What each model decodes the same latent points to; z: (N, 2), returns (models, N, 28, 28)."""
    return np.stack([latent.decode(vae, z)[..., 0] for vae in vaes.values()])


def reconstructions(vaes: Mapping[float, VAE], means: Mapping[float, np.ndarray], images: np.ndarray) -> np.ndarray:
    """The images, (N, 28, 28, 1), and below what each model decodes their codes to: (1 + models, N, 28, 28)."""
    rows = [latent.decode(vae, means[kl_weight][: len(images)]) for kl_weight, vae in vaes.items()]
    return np.stack([images, *rows])[..., 0]


def point_beside_nearest(
    vaes: Mapping[float, VAE], means: Mapping[float, np.ndarray], point: Sequence[float], images: np.ndarray
) -> np.ndarray:
    """For each model: decoded at the point, decoded at the nearest code, and that code's image: (models, 3, 28, 28)."""
    rows = []
    for kl_weight, vae in vaes.items():
        nearest = np.linalg.norm(means[kl_weight] - np.asarray(point), axis=1).argmin()
        z = np.array([point, means[kl_weight][nearest]])
        rows.append(np.concatenate([latent.decode(vae, z), images[[nearest]]]))
    return np.stack(rows)[..., 0]


def window_grids(
    vaes: Mapping[float, VAE], means: Mapping[float, np.ndarray]
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """For each model its decoded grid in each window, (20, 20, 28, 28), and the coordinates, (2, 20), by title."""
    return {
        f"{weight_name(kl_weight)}, {window}\n{latent.share_within(means[kl_weight], axes):.1%} of the test codes": (
            latent.decode_grid(vae, axes),
            axes,
        )
        for kl_weight, vae in vaes.items()
        for window, axes in GRID_WINDOWS.items()
    }


def window_table(means: Mapping[float, np.ndarray]) -> pd.DataFrame:
    """The shares of test codes and of the prior in each window, and how much of the window is far out.

    means: (N, 2) each
    """
    rows = {}
    for window, axes in {**GRID_WINDOWS, "[-3, 3]": latent.uniform_axes()}.items():
        z0, z1 = np.meshgrid(*axes)  # (cells, cells) each
        rows[window] = {
            **{f"test codes at {name}": latent.share_within(mean, axes) for name, mean in by_name(means).items()},
            "prior samples": np.diff(norm.cdf(axes[:, [0, -1]]), axis=1).prod(),
            f"cells farther out than {tutorial.FAR} sigma": np.mean(np.hypot(z0, z1) > tutorial.FAR),
        }
    return pd.DataFrame(rows).T
