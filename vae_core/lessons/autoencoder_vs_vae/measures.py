"""The VAE and the plain autoencoder side by side: reconstructions, generated images, codes, and what lies between."""

from collections.abc import Mapping, Sequence

import vae_core.backend  # noqa: F401

import keras
import numpy as np
import pandas as pd
from scipy.stats import norm, skew
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors

from vae_core import latent
from vae_core.data import Dataset
from vae_core.lessons.autoencoder_vs_vae import tutorial
from vae_core.lessons.autoencoder_vs_vae.convergence import convergence_verdict
from vae_core.lessons.autoencoder_vs_vae.model import GENERATED, SIGMA, SOFTPLUS_SIGMA
from vae_core.losses import kl_weight_of, rate_per_dimension
from vae_core.measures import judgement, unevenness
from vae_core.measures.codes import ACTIVE_VARIANCE
from vae_core.measures.samples import quality
from vae_core.models import VAE
from vae_core.statistics import with_error
from vae_core.training import Recorder
from vae_core.tutorials import PIXELS

# What tables and figures call the two models, what is decoded, and the images laid over each other.
AUTOENCODER, VARIATIONAL = "autoencoder", "VAE"
FROM_MEANS, FROM_DRAWS = "VAE, mean", "VAE, draw"
FADE = "pixels"
# The sets of generated images: first as in measures.json, then as in tables and figures.
SETS = {
    "prior": "VAE, prior",
    "gaussian": "VAE, Gaussian",
    "autoencoder_prior": "autoencoder, prior",
    "autoencoder_gaussian": "autoencoder, Gaussian",
}
WITHIN_2 = float(norm.cdf(2) - norm.cdf(-2))  # 95.4 % of N(0, 1)
COMPARED_IMAGES = 1000  # of each set, since each is compared with all training images
STEPS = 9  # of an interpolation, both ends included


def reconstructions(
    plain: VAE, codes: np.ndarray, vae: VAE, mean: np.ndarray, draws: np.ndarray
) -> dict[str, np.ndarray]:
    """The images decoded from their own codes: AUTOENCODER, FROM_MEANS, FROM_DRAWS; (N, height, width, channels) each.

    codes, mean, draws: (N, latent_dim)
    """
    return {
        AUTOENCODER: latent.decode(plain, codes),
        FROM_MEANS: latent.decode(vae, mean),
        FROM_DRAWS: latent.decode(vae, draws),
    }


def reconstruction_errors(images: np.ndarray, decoded: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Squared error of each set of decoded images, summed over pixels, and how much larger it is than the first set's.

    images: (N, height, width, channels); decoded: for each name the same shape
    returns: one row per name: squared error and its standard error, error per pixel, difference and its standard error
    """
    errors = {name: np.sum((one - images) ** 2, axis=(1, 2, 3), dtype=float) for name, one in decoded.items()}  # (N,)
    first = next(iter(errors.values()))
    rows = {
        name: with_error(squared_error=error, more_than_first=error - first)
        | {"per_pixel": error.mean() / images[0].size}
        for name, error in errors.items()
    }
    columns = ["squared_error", "squared_error_se", "per_pixel", "more_than_first", "more_than_first_se"]
    return pd.DataFrame.from_dict(rows, orient="index")[columns]


def first_epochs_table(watched: Recorder, judge: keras.Model, history: pd.DataFrame) -> pd.DataFrame:
    """One row per epoch that was watched: the validation objective, and what the judge says of the generated images."""
    rows = []
    for epoch, images in zip(watched.epochs, watched.kept[GENERATED], strict=True):
        scores = quality("prior", judgement(judge, images), images)
        rows.append(
            {"epoch": epoch} | {name: scores[f"prior_{name}"] for name in ("confidence", "confidence_se", "classes")}
        )
    return pd.DataFrame(rows).merge(history[["epoch", "val_objective"]], how="left").set_index("epoch")


def generated(
    vae: VAE, train_draws: np.ndarray, plain: VAE, train_codes: np.ndarray, seed: int, samples: int = 10_000
) -> dict[str, np.ndarray]:
    """Images decoded by both models at the same samples of the prior, and at a Gaussian fitted to each one's codes.

    train_draws, train_codes: (N, latent_dim)
    returns: for each key of SETS (samples, height, width, channels)
    """
    prior = latent.sample_prior(samples, seed, train_codes.shape[1])
    fitted, fitted_plain = (gaussian_samples(codes, samples, seed) for codes in (train_draws, train_codes))
    return {
        "prior": latent.decode(vae, prior),
        "gaussian": latent.decode(vae, fitted),
        "autoencoder_prior": latent.decode(plain, prior),
        "autoencoder_gaussian": latent.decode(plain, fitted_plain),
    }


def gaussian_samples(codes: np.ndarray, samples: int, seed: int) -> np.ndarray:
    """Samples of the Gaussian with the mean and the covariance of the codes, (N, latent_dim): (samples, latent_dim)."""
    mean, covariance = codes.mean(axis=0, dtype=float), np.cov(codes, rowvar=False, dtype=float)
    return np.random.default_rng(seed).multivariate_normal(mean, covariance, samples, method="eigh").astype("float32")


def nearest_errors(images: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Squared error of each image against the nearest of the known ones, summed over pixels: (N,).

    It sees the stray pixels that a classifier overlooks. It also favours blur: on average a blurred image is nearer to
    the others than a sharp one.

    images: (N, height, width, channels), known: (M, height, width, channels)
    """
    neighbours = NearestNeighbors(n_neighbors=1, algorithm="brute", metric="sqeuclidean")
    return neighbours.fit(known.reshape(len(known), -1)).kneighbors(images.reshape(len(images), -1))[0][:, 0]


def measure_nearest(drawn: Mapping[str, np.ndarray], dataset: Dataset) -> dict[str, float]:
    """<name>_nearest: the mean of `nearest_errors` against the training images, also for the test images."""
    sets = {**drawn, "test": dataset.test_images}
    return with_error(
        **{
            f"{name}_nearest": nearest_errors(images[:COMPARED_IMAGES], dataset.train_images)
            for name, images in sets.items()
        }
    )


def quality_table(scores: Mapping[str, float]) -> pd.DataFrame:
    """One row per set of images: what `measures.measure_samples` and `measure_nearest` say of it."""
    columns = ["confidence", "confidence_se", "class_entropy", "classes", "nearest", "nearest_se", "sharpness"]
    names = {**SETS, "test": "real test images"}
    rows = {shown: [scores[f"{name}_{column}"] for column in columns] for name, shown in names.items()}
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)


def coordinates(mean: np.ndarray, log_var: np.ndarray, draws: np.ndarray) -> pd.DataFrame:
    """One row per latent coordinate, the largest rate first: how its draws compare with N(0, 1).

    N(0, 1) has mean 0, variance 1, skewness 0 and WITHIN_2 of its mass between -2 and 2. The variance of the draws is
    that of the means plus the mean of the variances. A coordinate whose means do not vary says nothing.

    mean, log_var, draws: (N, latent_dim)
    """
    of_means = mean.var(axis=0, dtype=float)
    table = {
        "rate": np.mean(rate_per_dimension(mean, log_var), axis=0, dtype=float),
        "variance of means": of_means,
        "mean variance": np.exp(log_var).mean(axis=0, dtype=float),
        "active": of_means > ACTIVE_VARIANCE,
        "mean of draws": draws.mean(axis=0, dtype=float),
        "variance of draws": draws.var(axis=0, dtype=float),
        "skewness": skew(draws.astype(float), axis=0),
        "within ±2": np.mean(np.abs(draws) < 2, axis=0),
    }
    return pd.DataFrame(table).rename_axis("coordinate").sort_values("rate", ascending=False)


def some_coordinates(table: pd.DataFrame, shown: int = 6) -> list[int]:
    """A few of the `coordinates`, evenly from the largest rate to the smallest."""
    places = np.unique(np.linspace(0, len(table) - 1, shown).round().astype(int))
    return table.index[places].tolist()


def normality(table: pd.DataFrame, images: int) -> dict[str, float]:
    """How far the draws are from N(0, 1): the worst of the `coordinates`, and the mean share within ±2.

    draws_skewness_limit: with 95 % probability, the largest skewness of as many coordinates of N(0, 1), each of as many
    images, is below it; the skewness of n samples of N(0, 1) has the standard error sqrt(6 / n)
    """
    skewness = table["skewness"]
    return {
        "draws_largest_mean": float(table["mean of draws"].abs().max()),
        "draws_least_variance": float(table["variance of draws"].min()),
        "draws_largest_variance": float(table["variance of draws"].max()),
        "draws_largest_skewness": float(skewness.abs().max()),
        "draws_skewness_limit": float(norm.ppf((1 + 0.95 ** (1 / len(table))) / 2) * np.sqrt(6 / images)),
        "draws_within_2": float(table["within ±2"].mean()),
    }


def components_of_both(draws: np.ndarray, codes: np.ndarray) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """`principal_components` of the VAE's draws and of the autoencoder's codes: (N, 3) each, and their shares, (3,)."""
    clouds, shares = {}, {}
    clouds[VARIATIONAL], shares[VARIATIONAL] = principal_components(draws)
    clouds[AUTOENCODER], shares[AUTOENCODER] = principal_components(codes)
    return clouds, shares


def principal_components(codes: np.ndarray, components: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Codes along their first principal components, (N, components), and the share of the variance in each.

    The unit is the codes' own root mean square per dimension, so that models can be compared. Codes that are all the
    same are at 0, with shares of 0.

    codes: (N, latent_dim)
    """
    codes = codes.astype(float)
    unit = max(np.sqrt(codes.var(axis=0).mean()), 1e-6)
    with np.errstate(invalid="ignore"):  # 0 / 0 where nothing varies
        pca = PCA(components, svd_solver="full").fit(codes)
    return pca.transform(codes) / unit, np.nan_to_num(pca.explained_variance_ratio_)


def explained_table(shares: Mapping[str, np.ndarray], latent_dim: int) -> pd.DataFrame:
    """Share of the variance in the first principal components, beside that of N(0, I), which prefers no direction."""
    rows = {name: share.cumsum() for name, share in shares.items()}
    rows["N(0, I)"] = np.arange(1, 4) / latent_dim
    return pd.DataFrame.from_dict(rows, orient="index", columns=["first", "first two", "first three"])


def midpoints_outside(known: np.ndarray, codes: np.ndarray, pairs: int = 2000, seed: int = 0) -> float:
    """Share of the middles between two random codes that are farther from all known codes than 95 % of the codes are.

    Clearly more than 0.05 shows holes between the codes. Less does not show that there are none: in many dimensions
    middles are nearer to everything, even those of a hollow shell. With 2,000 pairs the standard error at 0.05 is
    0.005. The measure depends on the shape of the cloud and not on its size.

    known: (M, latent_dim), codes of other images; codes: (N, latent_dim)
    """
    first, second = np.random.default_rng(seed).integers(len(codes), size=(2, pairs))
    neighbours = NearestNeighbors(n_neighbors=1, algorithm="brute").fit(known)
    limit = np.quantile(neighbours.kneighbors(codes)[0], 0.95)
    middles = (codes[first] + codes[second]) / 2  # (pairs, latent_dim)
    return float(np.mean(neighbours.kneighbors(middles)[0] > limit))


def one_of_each(labels: np.ndarray, classes: Sequence[int]) -> list[int]:
    """The index of the first image of each of these classes."""
    return [int(np.flatnonzero(labels == label)[0]) for label in classes]


def pairs_of_classes(labels: np.ndarray, pairs: int = 500, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Indices of random pairs of images of different classes: two arrays, (pairs,)."""
    first, second = np.random.default_rng(seed).integers(len(labels), size=(2, 20 * pairs))
    apart = labels[first] != labels[second]
    return first[apart][:pairs], second[apart][:pairs]


def interpolations(
    plain: VAE, codes: np.ndarray, vae: VAE, mean: np.ndarray, first: Sequence[int], second: Sequence[int]
) -> dict[str, np.ndarray]:
    """Images decoded on the straight lines between the codes of two images, for AUTOENCODER and VARIATIONAL.

    codes, mean: (N, latent_dim); first, second: the indices of the images of each pair
    returns: (pairs, STEPS, height, width, channels) each
    """
    models = {AUTOENCODER: (plain, codes), VARIATIONAL: (vae, mean)}
    return {name: _decode_lines(model, lines(z[first], z[second])) for name, (model, z) in models.items()}


def lines(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """STEPS points at equal distances from first to second, (pairs, ...) codes or images: (pairs, STEPS, ...)."""
    return np.linspace(first, second, STEPS, axis=1)


def confidences(judge: keras.Model, images: np.ndarray) -> np.ndarray:
    """How sure the judge is of each image of (pairs, steps, height, width, channels): (pairs, steps)."""
    probabilities = judgement(judge, images.reshape(-1, *images.shape[2:]))  # (pairs * steps, classes)
    return probabilities.max(axis=1).reshape(images.shape[:2])


def midway_table(judged: Mapping[str, np.ndarray], images: Mapping[str, np.ndarray], known: np.ndarray) -> pd.DataFrame:
    """Means over the pairs with standard errors, one row per kind of interpolation.

    confidence and nearest (`nearest_errors` against the known images) are half-way; largest_step is the `unevenness`.

    judged: (pairs, steps) for each name; images: (pairs, steps, height, width, channels) for each name
    """
    rows = {}
    for name, sure in judged.items():
        half = sure.shape[1] // 2
        distances = nearest_errors(images[name][:, half], known)
        rows[name] = with_error(confidence=sure[:, half], nearest=distances, largest_step=unevenness(images[name]))
    return pd.DataFrame.from_dict(rows, orient="index")


def table_measures(
    errors: pd.DataFrame, first_epochs: pd.DataFrame, shares: Mapping[str, np.ndarray], midway: pd.DataFrame
) -> dict[str, float]:
    """What the notebook's tables say, under the names of measures.json."""
    numbers = {}
    for prefix, name in (("vae", FROM_MEANS), ("autoencoder", AUTOENCODER)):
        numbers |= {f"{prefix}_{column}": errors.loc[name, column] for column in ("squared_error", "squared_error_se")}
    for score in ("confidence", "classes"):
        numbers[f"{score}_epoch_0"], numbers[f"{score}_first_epochs"] = first_epochs[score].iloc[[0, -1]]
    numbers["first_epochs"] = first_epochs.index[-1]
    for prefix, name in (("", VARIATIONAL), ("autoencoder_", AUTOENCODER), ("pixels_", FADE)):
        numbers[f"{prefix}midway_confidence"] = midway.loc[name, "confidence"]
        numbers[f"{prefix}midway_nearest"] = midway.loc[name, "nearest"]
        numbers[f"{prefix}largest_step"] = midway.loc[name, "largest_step"]
    for prefix, name in (("", VARIATIONAL), ("autoencoder_", AUTOENCODER)):
        numbers[f"{prefix}explained_3"] = shares[name].sum()
    return {name: number.item() if isinstance(number, np.generic) else number for name, number in numbers.items()}


def tutorial_rows(measured: Mapping[str, float], settings: Mapping[str, object]) -> list[tuple[str, ...]]:
    """`tutorial.ROWS` with the numbers of a run: rows for `tutorials.tutorial_table`.

    measured: what the notebook writes into measures.json; settings: the run's parameters
    """
    late = tutorial.LATE if measured["first_epochs"] < settings["epochs"] else ""
    values = {
        **measured,
        **settings,
        "late": late.format_map({**measured, **settings}),
        "mean_over_pixels": mean_over_pixels(),
        "within_2": WITHIN_2,
        "share_of_3": 3 / settings["latent_dim"],
        "active_variance": ACTIVE_VARIANCE,
        "sigma_verdict": convergence_verdict(measured, SIGMA),
        "softplus_verdict": convergence_verdict(measured, SOFTPLUS_SIGMA),
    }
    return [tuple(text.format_map(values) for text in row) for row in tutorial.ROWS]


def mean_over_pixels() -> float:
    """The kl_weight of a mean of squared errors over the pixels beside a sum of the KL, at a pixel variance of 1/2."""
    return kl_weight_of(
        likelihood="gaussian",
        pixels=PIXELS,
        channels=1,
        latent_dim=1,  # it does not matter while the KL is summed
        z_deviation="exp(log_var / 2)",
        reconstruction_over_pixels="mean",
        variance=0.5,
    )


def _decode_lines(vae: VAE, z: np.ndarray) -> np.ndarray:
    images = latent.decode(vae, z.reshape(-1, z.shape[-1]))  # (pairs * steps, height, width, channels)
    return images.reshape(*z.shape[:2], *images.shape[1:])
