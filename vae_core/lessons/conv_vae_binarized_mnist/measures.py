"""Seed 001's system: thresholded images, the ELBO by two estimates, images at fixed codes as training goes on."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import vae_core.backend  # noqa: F401

import numpy as np
import pandas as pd
import tensorflow as tf
from scipy.stats import norm

from vae_core import latent, measures
from vae_core.models import conv_vae, dense_vae
from vae_core.data import Dataset
from vae_core.statistics import with_error
from vae_core.losses import bernoulli_nll, kl_divergence
from vae_core.models import VAE

ARCHITECTURES = {"conv": conv_vae, "dense": dense_vae}
SEED_SETTINGS = {"dataset": "mnist", "kl_weight": 1.0, "epochs": 100, "learning_rate": 1e-4}
SINGLE, ANALYTIC = "single sample", "analytic KL"


def thresholded(dataset: Dataset) -> Dataset:
    """The data set in black and white: pixels of 0.5 or more become 1, all others 0."""
    parts = ("train_images", "validation_images", "test_images")
    images = {part: (getattr(dataset, part) >= 0.5).astype(np.float32) for part in parts}
    return replace(dataset, description=f"{dataset.description}; thresholded at 0.5", **images)


def tossed(images: np.ndarray, seed: int) -> np.ndarray:
    """Every pixel 1 with the probability of its grey value, as dynamic binarisation tosses it anew in every epoch."""
    return (np.random.default_rng(seed).random(images.shape, np.float32) < images).astype(np.float32)


def binarisation_table(grey: Dataset, binary: Dataset, seed: int) -> pd.DataFrame:
    """The limits of the Bernoulli distortion on grey, tossed and thresholded test images, in nats per image.

    For tossed pixels the entropy is that of the toss: averaged over the tosses of an image, -log p(x) of any model is
    at least the entropy of the image's grey values, since a cross-entropy is at least the entropy. Their mean training
    image is expected to be that of the grey ones.
    """
    floor = measures.entropy_floor(grey.test_images)
    rows = {
        "grey": ("no", floor, measures.zero_information_distortion(grey.train_images, grey.test_images)),
        "tossed (dynamic)": (
            *("yes", floor),
            measures.zero_information_distortion(grey.train_images, tossed(grey.test_images, seed)),
        ),
        "thresholded (here)": ("yes", *measures.anchors(binary.train_images, binary.test_images).values()),
    }
    columns = ["normalised likelihood", "entropy of the pixels [nats]", "mean image for every code [nats]"]
    return pd.DataFrame(rows.values(), index=pd.Index(rows, name="test images"), columns=columns)


def elbo_estimates(
    vae: VAE, images: np.ndarray, mean: np.ndarray, log_var: np.ndarray, draws: int = 20, seed: int = 0
) -> dict[str, np.ndarray]:
    """The ELBO of each image by one draw z ~ q(z|x), many times over, in both ways from the same draws.

    single sample: log p(x|z) + log p(z) - log q(z|x);  analytic KL: log p(x|z) - KL(q(z|x) || p(z))

    images: (N, 28, 28, 1); mean, log_var: (N, latent_dim)
    returns: two arrays (draws, N), nats per image
    """
    rng, deviation, rate = np.random.default_rng(seed), np.exp(log_var / 2), np.asarray(kl_divergence(mean, log_var))
    estimates = {SINGLE: np.empty((draws, len(images))), ANALYTIC: np.empty((draws, len(images)))}
    for i in range(draws):
        noise = rng.standard_normal(mean.shape, np.float32)
        z = mean + deviation * noise  # (N, latent_dim)
        log_likelihood = -np.asarray(vae.pixel_nll(images, latent.logits(vae, z)), np.float64)  # (N,)
        log_prior, log_own = norm.logpdf(z).sum(axis=1), (norm.logpdf(noise) - log_var / 2).sum(axis=1)  # (N,) each
        estimates[SINGLE][i] = log_likelihood + log_prior - log_own
        estimates[ANALYTIC][i] = log_likelihood - rate
    return estimates


def noise_of_one(estimates: np.ndarray) -> float:
    """Standard deviation over the draws, root mean square over the images, in nats; estimates: (draws, N)."""
    return float(np.sqrt(np.mean(np.var(estimates, axis=0, ddof=1))))


def noise_measures(estimates: Mapping[str, np.ndarray]) -> dict[str, float]:
    """`noise_of_one` of both estimates, under the names for measures.json."""
    return {"noise_single": noise_of_one(estimates[SINGLE]), "noise_analytic": noise_of_one(estimates[ANALYTIC])}


def estimate_table(estimates: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Both estimates and their difference: mean, error by the choice of images, noise by the draws; nats per image.

    estimates: (draws, N) each
    """
    shown = {**estimates, "difference": estimates[SINGLE] - estimates[ANALYTIC]}
    rows = [(*with_error(e=per_draw.mean(axis=0)).values(), noise_of_one(per_draw)) for per_draw in shown.values()]
    table = pd.DataFrame(rows, index=list(shown), columns=["ELBO", "standard error", "noise of one image"])
    table["noise of the mean of all images"] = [per_draw.mean(axis=1).std(ddof=1) for per_draw in shown.values()]
    return table


def gradient_table(vae: VAE, images: np.ndarray, draws: int = 20, seed: int = 0) -> pd.DataFrame:
    """Gradients of the objective of one batch with respect to all weights, for both estimates and the same draws.

    The noise is the root of the sum over weights of the variance over draws. A mean that is 0 but for noise has the
    length noise / sqrt(draws), root mean square.

    images: (batch, 28, 28, 1)
    """
    rng = np.random.default_rng(seed)
    gradients: dict[str, list[np.ndarray]] = {SINGLE: [], ANALYTIC: []}
    for _ in range(draws):
        noise = rng.standard_normal((len(images), *vae.decoder.input_shape[1:]), np.float32)
        for name, gradient in _gradients(vae, images, noise).items():
            gradients[name].append(gradient.astype(np.float64))
    gradients["difference"] = [one - other for one, other in zip(gradients[SINGLE], gradients[ANALYTIC], strict=True)]
    lengths = {name: np.linalg.norm(np.mean(each, axis=0)) for name, each in gradients.items()}
    noises = {name: np.sqrt(np.var(each, axis=0, ddof=1).sum()) for name, each in gradients.items()}
    table = pd.DataFrame({"length of the mean gradient": lengths, "noise of one gradient": noises})
    return table.assign(**{"length by noise alone": table["noise of one gradient"] / np.sqrt(draws)})


def _gradients(vae: VAE, images: np.ndarray, noise: np.ndarray) -> dict[str, np.ndarray]:
    with tf.GradientTape(persistent=True) as tape:
        mean, log_var = vae.encoder(images)
        z = mean + tf.exp(log_var / 2) * noise  # (batch, latent_dim)
        distortion = vae.pixel_nll(images, vae.decoder(z))  # (batch,)
        log_ratio = tf.reduce_sum(tf.square(z) - tf.square(noise) - log_var, axis=1) / 2  # log q(z|x) - log p(z)
        rates = {SINGLE: log_ratio, ANALYTIC: kl_divergence(mean, log_var)}
        objectives = {name: tf.reduce_mean(distortion + vae.kl_weight * rate) for name, rate in rates.items()}
    return {name: _flat(tape.gradient(value, vae.trainable_variables)) for name, value in objectives.items()}


def _flat(gradients: Sequence[tf.Tensor]) -> np.ndarray:
    return np.concatenate([np.ravel(gradient) for gradient in gradients])


class FixedCodes:
    """Images at the same latent points, before training and after some epochs, denser at the beginning."""

    def __init__(self, vae: VAE, z: np.ndarray, epochs: int, pictures: int = 16):
        self.vae, self.z = vae, z
        self.wanted = {0, *np.geomspace(1, epochs, pictures).round().astype(int).tolist()}
        self.epochs: list[int] = []
        self.images: list[np.ndarray] = []  # each (N, 28, 28, 1)

    def take(self, epoch: int) -> None:
        """Keep the decoded points, if this epoch is one of those wanted."""
        if epoch in self.wanted:
            self.epochs.append(epoch)
            self.images.append(latent.decode(self.vae, self.z))

    def strip(self, rows: int = 8, columns: int = 8) -> tuple[np.ndarray, list[str]]:
        """Some of the epochs with the first of the points, (rows, columns, 28, 28), and the epochs' names."""
        chosen = np.unique(np.linspace(0, len(self.epochs) - 1, rows).round().astype(int))
        return np.array(self.images)[chosen, :columns, ..., 0], [f"epoch {self.epochs[i]}" for i in chosen]


def log_table(history: pd.DataFrame, seconds: Sequence[float], epochs: Sequence[int]) -> pd.DataFrame:
    """What seed 001 prints after an epoch, for some of the epochs, with the validation images in place of the test's.

    ELBO = -(distortion + rate), whatever weight is trained with
    """
    elbo = -(history["val_distortion"] + history["val_rate"])
    name = f"seconds on this machine (median {np.median(seconds):.2f})"
    table = pd.DataFrame({"epoch": history["epoch"], "validation ELBO [nats/image]": elbo, name: seconds})
    return table[table["epoch"].isin(epochs)].set_index("epoch")


def draws_of(mean: np.ndarray, log_var: np.ndarray, seed: int) -> np.ndarray:
    """One draw from each q(z|x), (N, latent_dim), as seed 001 draws the codes of the images that it calls generated."""
    noise = np.random.default_rng(seed).standard_normal(mean.shape, np.float32)
    return mean + np.exp(log_var / 2) * noise


def picture_distortions(vae: VAE, images: np.ndarray, codes: Mapping[str, np.ndarray]) -> dict[str, float]:
    """-log p(x|z) of each image under the code in its place, mean over the images, in nats, for each set of codes.

    images: (N, 28, 28, 1); codes: (N, latent_dim) each
    """
    return {name: float(np.mean(bernoulli_nll(images, latent.logits(vae, z)))) for name, z in codes.items()}


def written_table(
    vae: VAE, images: np.ndarray, mean: np.ndarray, log_var: np.ndarray, batches: Sequence[int] = (1, 10, 100)
) -> pd.DataFrame:
    """Two formulas of seed 001 beside the right ones, on batches of the first images, decoded at their mean codes.

    Its KL and cross-entropy are summed over the batch; ours are means. Its Gaussian term has one log sigma for all
    pixels and images:

        S / (4 sigma^2) + log sigma,  least at sigma = sqrt(S / 2),  S = sum of squared errors over pixels and images

    where -log of the density has one for each of the D pixels, S / (2 sigma^2) + D log sigma: sigma = sqrt(S / D).

    images: (N, 28, 28, 1); mean, log_var: (N, latent_dim)
    """
    errors = np.square(images - latent.decode(vae, mean)).sum(axis=(1, 2, 3), dtype=np.float64)  # (N,)
    entropies = np.asarray(bernoulli_nll(images, latent.logits(vae, mean)), np.float64)  # (N,)
    rates, pixels = np.asarray(kl_divergence(mean, log_var), np.float64), images[0].size
    rows = [
        (
            *(rates[:size].sum(), rates[:size].mean()),
            *(entropies[:size].sum(), entropies[:size].mean()),
            *(np.sqrt(errors[:size].sum() / 2), np.sqrt(errors[:size].mean() / pixels)),
        )
        for size in batches
    ]
    columns = ["seed's KL [nats]", "rate [nats/image]", "seed's cross-entropy [nats]", "cross-entropy [nats/image]"]
    columns += ["best sigma, seed's Gaussian", "best sigma, Gaussian"]
    return pd.DataFrame(rows, index=pd.Index(batches, name="images in the batch"), columns=columns)


def differences(settings: Mapping[str, object], wanted: Mapping[str, object] = SEED_SETTINGS) -> str:
    """In which settings this run is not the seed's, in words."""
    other = [f"{name} {settings[name]} for {value}" for name, value in wanted.items() if settings[name] != value]
    return f"here {', '.join(other)}" if other else "settings as the seed's"


def seed_rows(
    settings: Mapping[str, object],
    measured: Mapping[str, float],
    limits: pd.DataFrame,
    estimates: Mapping[str, np.ndarray],
    distortions: Mapping[str, float],
    written: pd.DataFrame,
    parameters: int,
) -> list[tuple[str, str, str, str, str]]:
    """The rows of `seeds.seed_table`; seed 001 prints no results, so these are what it says.

    limits: of `binarisation_table`; estimates: of `elbo_estimates`; distortions: of `picture_distortions`, in the order
    of draws from q(z|x) and samples of the prior; written: of `written_table`
    """
    noise_single, noise_analytic = noise_measures(estimates).values()
    gap = measured["negative_elbo"] - measured["nll"]
    tossed_floor, tossed_mean = limits.iloc[1, 1:]
    floor, mean_image = limits.iloc[2, 1:]
    drawn, sampled = distortions.values()
    kls, entropies, sigmas = (written.iloc[:, i] for i in (0, 2, 4))
    elsewhere = "" if settings["dataset"] == "mnist" else " (45.53 on MNIST)"
    weight = settings["kl_weight"]
    beside = f"; at kl_weight {weight:g} the objective is not the ELBO, so q is made for another posterior"
    elbo = f"{-measured['negative_elbo']:.2f} nats/image"
    rows = [
        (
            "model and training",
            "conv, or dense (500-200); 2-D; Adam 1e-4, 100 epochs; batch size not printed",
            f"{settings['architecture']}, {parameters:,} parameters; Adam {settings['learning_rate']:g}, "
            f"{settings['epochs']} epochs, batches of {settings['batch_size']}",
            f"{differences(settings)}; copies of the TensorFlow tutorial that it translates have batches of 100",
        ),
        (
            "batch normalisation",
            "usually avoided in VAEs: its noise may add to the instability by sampling",
            "none is used, in either model",
            "not measured here",
        ),
        (
            "ELBO of the test images",
            "shown after every epoch, no number printed",
            elbo,
            "read once, at the end; the curve per epoch is of validation images, which are not trained on",
        ),
        (
            "the same, in the notebook that it names",
            "-156.74 (conv, 10 epochs, batches of 32)",
            elbo,
            differences(settings, SEED_SETTINGS | {"architecture": "conv", "epochs": 10, "batch_size": 32})
            + "; another random start, and the validation images are kept out of training",
        ),
        (
            "time per epoch",
            "shown after every epoch, no number printed",
            "seconds_per_epoch in record.json",
            "a property of the machine",
        ),
        (
            "ELBO against literature with dynamic binarisation",
            "slightly above",
            f"{elbo}; nll {measured['nll']:.2f}",
            "the only number, -156.74 in the notebook that it names (2-D), is about 70 nats below the -86.76 of Burda "
            f"et al. 2016 (50-D); not comparable: the mean image costs {tossed_mean:.2f} tossed, {mean_image:.2f} "
            f"thresholded, but of the tossed {tossed_floor:.2f} are the toss's own entropy{elsewhere}, of the "
            f"thresholded {floor:.2f}",
        ),
        (
            "single-sample estimate of the ELBO",
            "what is optimised",
            f"noise of one image {noise_single:.2f} nats; with the analytic KL {noise_analytic:.2f}",
            "both are right on average; trained with the analytic KL here",
        ),
        (
            "KL(q(z|x) || p(z|x))",
            "0 in the end",
            f"{gap:.2f} nats/image (negative_elbo - nll, which is {measured['nll_above_quadrature']:.2f} too high)",
            "q(z|x) is a Gaussian with independent dimensions, from one network for all images; p(z|x) need be neither"
            + ("" if weight == 1 else beside),
        ),
        (
            "images called generated",
            "from samples of the prior",
            f"a test image costs {drawn:.0f} nats from the code of such a picture, {sampled:.0f} from a sample of the "
            "prior",
            "its code decodes draws from q(z|x) of test images: they are reconstructions",
        ),
        (
            "KL and cross-entropy of the dense model",
            "summed over the batch",
            f"KL {kls.iloc[0]:.1f} and cross-entropy {entropies.iloc[0]:.0f} for {written.index[0]} image, "
            f"{kls.iloc[-1]:.1f} and {entropies.iloc[-1]:.0f} for {written.index[-1]}",
            "means over the batch here; what the sums do to a training: bug_gallery",
        ),
        (
            "Gaussian log-likelihood of the dense model",
            "1/2 and 1/(2 sigma^2), one log sigma",
            f"best sigma {sigmas.iloc[0]:.2f} for {written.index[0]} image, {sigmas.iloc[-1]:.2f} for "
            f"{written.index[-1]}; right: {written.iloc[-1, 5]:.2f}",
            "one log sigma for each pixel, and one factor 1/2; besides, it has the sign of a loss",
        ),
    ]
    return [("001", *row) for row in rows]
