"""A VAE with summed squared errors beside the plain autoencoder of the same shape."""

from collections.abc import Mapping

import vae_core.backend  # noqa: F401

import keras
import numpy as np
import pandas as pd
from keras import ops
from sklearn.neighbors import NearestNeighbors

from vae_core import generation, latent, measures
from vae_core.measures.codes import ACTIVE_VARIANCE
from vae_core.models import noiseless_encoder
from vae_core.lessons.autoencoder_vs_vae.coding_space import WITHIN_2, between, largest_step
from vae_core.data import Dataset
from vae_core.errors import InputError
from vae_core.statistics import with_error
from vae_core.losses import squared_error
from vae_core.models import VAE, mlp_decoder
from vae_core.lessons.autoencoder_vs_vae.parameterisations import verdict
from vae_core.losses import kl_weight_of
from vae_core.tutorials import PIXELS, seed_table

FIRST_EPOCHS = 6  # of which seed 003 shows what is generated
JUDGED_BY_DISTANCE = 1000  # images, since each is compared with all training images


class Autoencoder(VAE):
    """No noise and no KL term: the distortion of the decoded mean is all that is minimised and reported.

    There is no rate to report. A code without noise has an infinite KL divergence from the prior, and none enters here.
    """

    @property
    def metrics(self):
        """What `fit` and `evaluate` report and reset: no rate."""
        return [self.objective_tracker, self.distortion_tracker]

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Mean over the batch of the distortion; x are the images, y_pred what `call` returned."""
        _, _, logits = y_pred
        distortion = self.pixel_nll(x, logits)  # (batch,)
        self.objective_tracker.update_state(distortion)
        self.distortion_tracker.update_state(distortion)
        return ops.mean(distortion)


def plain_autoencoder(
    seed: int, learning_rate: float = 1e-3, hidden_units: int = 512, latent_dim: int = 30
) -> Autoencoder:
    """The autoencoder of the shape of `architectures.squared_error_vae`, with the same initial weights for a seed."""
    keras.utils.set_random_seed(seed)
    encoder, decoder = noiseless_encoder(hidden_units, latent_dim), mlp_decoder(hidden_units, latent_dim)
    autoencoder = Autoencoder(encoder, decoder, kl_weight=0.0, seed=seed, pixel_nll=squared_error)
    autoencoder.compile(optimizer=keras.optimizers.Adam(learning_rate), jit_compile=True)
    return autoencoder


def check_latent_dim(latent_dim: int) -> None:
    """Raise InputError for a latent size that the figures cannot show."""
    if latent_dim < 3:
        raise InputError(
            f"latent_dim must be at least 3, for principal components in three dimensions, not {latent_dim}"
        )


class Progress:
    """Images at the same latent points before training and after each of its first epochs."""

    def __init__(self, vae: VAE, z: np.ndarray):
        self.vae, self.z = vae, z
        self.names: list[str] = []
        self.images: list[np.ndarray] = []  # each (N, 28, 28, 1)

    def take(self, epoch: int) -> None:
        """Decode the points, if this epoch is one of the first."""
        if epoch <= FIRST_EPOCHS:
            self.names.append(f"epoch {epoch}")
            self.images.append(latent.decode(self.vae, self.z))


def evaluate(
    vae: VAE, dataset: Dataset, mean: np.ndarray, log_var: np.ndarray, samples: int = 8, draws: int = 32
) -> dict[str, float]:
    """What the VAE is measured by, on the test images, in nats per image, but for the constant of `squared_error`.

    mean, log_var: (N, latent_dim), of q(z|x) of the test images
    returns: means over the images with their standard errors, the distortion of a code that says nothing, and the
    numbers of images, of draws and of proposals per image
    """
    images = dataset.test_images
    nll = measures.nll_by_own_codes(vae, images, mean, log_var, draws)
    nothing = np.sum((images - dataset.train_images.mean(axis=0)) ** 2, axis=(1, 2, 3))  # (N,): all the mean image
    return {
        **with_error(**measures.terms(vae, images, mean, log_var, samples), nll=nll),
        "zero_information_distortion": float(nothing.mean()),
        "images": len(images),
        "samples": samples,
        "proposals": 2 * draws,
    }


def reconstruction_errors(images: np.ndarray, decoded: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Squared error of each set of decoded images, summed over pixels, and how much larger it is than the first set's.

    images: (N, 28, 28, 1); decoded: for each name the same shape
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


def gaussian_samples(codes: np.ndarray, samples: int, seed: int) -> np.ndarray:
    """Samples of the Gaussian with the mean and the covariance of the codes, (N, latent_dim): (samples, latent_dim)."""
    mean, covariance = codes.mean(axis=0, dtype=float), np.cov(codes, rowvar=False, dtype=float)
    return np.random.default_rng(seed).multivariate_normal(mean, covariance, samples, method="eigh").astype("float32")


def on_the_way(vae: VAE, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Images decoded on the straight lines between codes, (pairs, latent_dim) each: (pairs, steps, 28, 28, 1)."""
    z = between(first, second)  # (pairs, steps, latent_dim)
    images = latent.decode(vae, z.reshape(-1, z.shape[-1]))  # (pairs * steps, 28, 28, 1)
    return images.reshape(*z.shape[:2], *images.shape[1:])


def confidences(judge: keras.Model, images: np.ndarray) -> np.ndarray:
    """How sure the judge is of each image of sequences, (pairs, steps, 28, 28, 1): (pairs, steps)."""
    probabilities = generation.judgement(judge, images.reshape(-1, *images.shape[2:]))  # (pairs * steps, classes)
    return probabilities.max(axis=1).reshape(images.shape[:2])


def to_nearest(images: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Squared error of each image against the nearest of the known ones, summed over pixels: (N,).

    It sees what a classifier does not: stray pixels. It forgives what a classifier does not: a blurred image is on
    average nearer to the others than a sharp one.

    images: (N, 28, 28, 1), known: (M, 28, 28, 1)
    """
    neighbours = NearestNeighbors(n_neighbors=1, algorithm="brute", metric="sqeuclidean")
    return neighbours.fit(known.reshape(len(known), -1)).kneighbors(images.reshape(len(images), -1))[0][:, 0]


def nearest(drawn: Mapping[str, np.ndarray], dataset: Dataset) -> dict[str, float]:
    """<name>_nearest: `to_nearest` training image, mean over the first JUDGED_BY_DISTANCE, also for the test images."""
    sets = {**drawn, "test": dataset.test_images}
    return with_error(
        **{
            f"{name}_nearest": to_nearest(images[:JUDGED_BY_DISTANCE], dataset.train_images)
            for name, images in sets.items()
        }
    )


def midway(judged: Mapping[str, np.ndarray], images: Mapping[str, np.ndarray], known: np.ndarray) -> pd.DataFrame:
    """Per kind of interpolation, means over the pairs with standard errors.

    confidence and nearest (`to_nearest` of the known images) half-way, and `coding_space.largest_step`

    judged: (pairs, steps) for each name; images: (pairs, steps, 28, 28, 1) for each name
    """
    rows = {}
    for name, sure in judged.items():
        half = sure.shape[1] // 2
        distances = to_nearest(images[name][:, half], known)
        rows[name] = with_error(confidence=sure[:, half], nearest=distances, largest_step=largest_step(images[name]))
    return pd.DataFrame.from_dict(rows, orient="index")


def quality_table(quality: Mapping[str, float], names: Mapping[str, str]) -> pd.DataFrame:
    """Scores of `generation.quality` and `nearest`, one row per set of images; names: what the table calls each."""
    scores = ["confidence", "confidence_se", "class_entropy", "classes", "nearest", "nearest_se", "sharpness"]
    rows = {shown: [quality[f"{name}_{score}"] for score in scores] for name, shown in names.items()}
    return pd.DataFrame.from_dict(rows, orient="index", columns=scores)


def progress_table(progress: Progress, judge: keras.Model, history: pd.DataFrame) -> pd.DataFrame:
    """One row per epoch shown: the validation objective, and what the judge says of the images generated."""
    rows = []
    for epoch, images in enumerate(progress.images):
        scores = generation.quality("prior", generation.judgement(judge, images), images)
        rows.append(
            {"epoch": epoch} | {name: scores[f"prior_{name}"] for name in ("confidence", "confidence_se", "classes")}
        )
    return pd.DataFrame(rows).merge(history[["epoch", "val_objective"]], how="left").set_index("epoch")


def collected(
    errors: pd.DataFrame, progress: pd.DataFrame, shares: Mapping[str, np.ndarray], midway: pd.DataFrame
) -> dict[str, float]:
    """Numbers of the notebook's tables under the names of measures.json; those of the autoencoder say so."""
    numbers = {}
    for prefix, name in (("vae", "VAE, mean"), ("autoencoder", "autoencoder")):
        numbers |= {f"{prefix}_{column}": errors.loc[name, column] for column in ("squared_error", "squared_error_se")}
    for score in ("confidence", "classes"):
        numbers[f"{score}_epoch_0"], numbers[f"{score}_first_epochs"] = progress[score].iloc[[0, -1]]
    numbers["first_epochs"] = progress.index[-1]
    for prefix, name in (("", "VAE"), ("autoencoder_", "autoencoder"), ("pixels_", "pixels")):
        numbers[f"{prefix}midway_confidence"] = midway.loc[name, "confidence"]
        numbers[f"{prefix}midway_nearest"] = midway.loc[name, "nearest"]
        numbers[f"{prefix}largest_step"] = midway.loc[name, "largest_step"]
    for prefix, name in (("", "VAE"), ("autoencoder_", "autoencoder")):
        numbers[f"{prefix}explained_3"] = shares[name].sum()
    return {name: number.item() if isinstance(number, np.generic) else number for name, number in numbers.items()}


def seed_document(measured: Mapping[str, float], settings: Mapping[str, object]) -> pd.DataFrame:
    """`seeds.seed_table`: what seed 003 says, and what a run measured; it prints no losses.

    measured: what the notebook writes into measures.json; settings: the run's parameters
    """
    m = measured
    progress = [
        f"{m['confidence_epoch_0']:.3f} ({m['classes_epoch_0']}) untrained",
        f"{m['confidence_first_epochs']:.3f} ({m['classes_first_epochs']}) after epoch {m['first_epochs']}",
    ]
    if m["first_epochs"] < settings["epochs"]:
        progress.append(f"{m['prior_confidence']:.3f} ({m['prior_classes']}) after epoch {settings['epochs']}")
    said = [
        (
            "loss",
            "the total is the mean over the batch of reconstruction and KL loss",
            f"kl_weight {settings['kl_weight']:g}",
            "squared errors and KL, both summed, are weight 1 at a pixel variance of 1/2 (0.5 seen as variance 1)",
        ),
        (
            "loss, squared errors",
            "a mean over pixels is certainly okay, but results in smaller gradients",
            f"kl_weight {mean_over_pixels():g} in place of 1",
            "wrong: beside a KL that stays a sum, the mean multiplies the weight by the number of pixels",
        ),
        (
            "sigma",
            "a Dense layer's output is the standard deviation",
            f"{m['negative_sigma']:.1%} of the outputs are below 0",
            "nothing keeps it positive; only its square counts, and an epsilon hides the zeros. The run: log-variance",
        ),
        (
            "reconstructions (figure 5)",
            "lost some of its reconstructive ability over a regular autoencoder",
            f"squared error {m['vae_squared_error']:.2f} (decoded mean); "
            f"autoencoder {m['autoencoder_squared_error']:.2f}",
            "no number in the seed; its layer sizes and epochs are not printed either, so they are this run's own",
        ),
        (
            "progress (figure 4)",
            "converges rapidly, within a few epochs we can generate",
            f"confidence (classes): {', '.join(progress)}; "
            f"real images {m['test_confidence']:.3f} ({m['test_classes']})",
            "no number in the seed; a classifier has to name a class and may be sure of grey noise: see the classes",
        ),
        (
            "generated (figure 7)",
            "much better over a standard autoencoder",
            f"confidence {m['prior_confidence']:.3f}, nearest training image {m['prior_nearest']:.1f}; autoencoder at "
            f"the same samples {m['autoencoder_prior_confidence']:.3f}, {m['autoencoder_prior_nearest']:.1f}, at a "
            f"Gaussian fitted to its codes {m['autoencoder_gaussian_confidence']:.3f}, "
            f"{m['autoencoder_gaussian_nearest']:.1f}; real images {m['test_confidence']:.3f}, {m['test_nearest']:.1f}",
            "no number in the seed; the autoencoder's codes are not where the prior is, so that samples of a Gaussian "
            "fitted to them are fairer to its decoder. The classifier overlooks stray pixels, the distance blur",
        ),
        (
            "coordinates (figure 6)",
            "normally distributed with mean 0 and variance 1",
            f"means of draws up to {m['draws_largest_mean']:.2f} from 0, variances {m['draws_least_variance']:.2f} to "
            f"{m['draws_largest_variance']:.2f}; moment_kl {m['moment_kl']:.2f} nats",
            "true of all codes together, as far as it is; of each single image's posterior it would be collapse: "
            f"the rate is {m['rate']:.2f} nats, {m['active_units']} of {settings['latent_dim']} coordinates are active "
            f"(variance of the means above {ACTIVE_VARIANCE:g})",
        ),
        (
            "coordinates, spread",
            "most of the values lie between -2 and 2",
            f"{m['draws_within_2']:.1%}, mean over coordinates",
            f"N(0, 1) has {WITHIN_2:.1%}",
        ),
        (
            "coordinates, symmetry",
            "coordinate 7 is a bit skewed",
            f"largest skewness {m['draws_largest_skewness']:.2f}; the largest of as many coordinates of N(0, 1) is "
            f"below {m['draws_skewness_limit']:.2f} in 95 % of cases",
            "which coordinate it is depends on the seed",
        ),
        (
            "PCA (figures 8, 9)",
            "an elliptical Gaussian cloud, convex also in three dimensions",
            f"three components show {m['explained_3']:.1%} of the variance; "
            f"autoencoder {m['autoencoder_explained_3']:.1%}",
            f"N(0, I) would show {3 / settings['latent_dim']:.1%}, whichever three directions are shown",
        ),
        (
            "convexity",
            "the variational model gives a convex coding space",
            f"middles outside: {m['midpoints_outside']:.1%} of draws, {m['means_midpoints_outside']:.1%} of means, "
            f"autoencoder {m['autoencoder_midpoints_outside']:.1%}, "
            f"samples of the prior {m['prior_midpoints_outside']:.1%}",
            "clearly more than 5 % shows holes; less does not show that there are none, since in many dimensions "
            "middles are nearer to everything. Draws are means with noise, which can fill holes between the means",
        ),
        (
            "interpolations (figure 10)",
            "smooth interpolations",
            f"half-way confidence {m['midway_confidence']:.3f}, autoencoder {m['autoencoder_midway_confidence']:.3f}, "
            f"pixels {m['pixels_midway_confidence']:.3f}; nearest training image {m['midway_nearest']:.1f}, "
            f"{m['autoencoder_midway_nearest']:.1f}, {m['pixels_midway_nearest']:.1f}; largest step "
            f"{m['largest_step']:.2f}, {m['autoencoder_largest_step']:.2f}, {m['pixels_largest_step']:.2f} mean steps",
            "no number in the seed; pixels are the two images laid over each other, without a model",
        ),
        ("log-variance", "faster convergence", verdict(m, "sigma"), "the seed compares with sigma from a Dense layer"),
        ("log-variance", "(not in the seed)", verdict(m, "softplus-sigma"), "sigma kept positive by a softplus"),
    ]
    return seed_table(("003", *row) for row in said)


def unlike_the_seed(dataset: str, kl_weight: float, latent_dim: int) -> str:
    """In which settings a run is not seed 003's, as sentences."""
    seed = {"dataset": "mnist", "kl_weight": 1, "latent_dim": 30}
    ours = {"dataset": dataset, "kl_weight": kl_weight, "latent_dim": latent_dim}
    different = [f"{name} {ours[name]} instead of {value}" for name, value in seed.items() if ours[name] != value]
    return (
        f"This run differs from the seed: {', '.join(different) or 'in no setting that the seed names'}. "
        "The seed says neither how many epochs it trains, nor its batch size, nor the width of its layers."
    )


def mean_over_pixels() -> float:
    """The kl_weight of a mean of squared errors over the pixels beside a sum of the KL, at a pixel variance of 1/2."""
    return kl_weight_of(
        likelihood="gaussian",
        pixels=PIXELS,
        channels=1,
        latent_dim=1,  # of no account while the KL is summed
        reconstruction_over_pixels="mean",
        variance=0.5,
    )
