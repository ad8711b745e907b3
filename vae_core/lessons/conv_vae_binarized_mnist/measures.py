"""Black-and-white images, and the ELBO by two estimates: what they cost and how noisy they are, in nats per image."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import vae_core.backend  # noqa: F401

import numpy as np
import pandas as pd
import tensorflow as tf
from scipy.stats import norm

from vae_core import latent, measures
from vae_core.binarise import thresholded, tossed  # noqa: F401, the notebook calls both by this module
from vae_core.data import Dataset
from vae_core.likelihoods import BERNOULLI
from vae_core.losses import kl_divergence
from vae_core.measures.codes import log_normal
from vae_core.models import VAE
from vae_core.statistics import with_error

POSTERIOR_DRAWS, PRIOR_SAMPLES = "draws from q(z|x)", "samples of the prior"  # the two kinds of code that are decoded
FORMULA_LABELS = {  # of the columns of `formula_table`
    "kl_sum": "tutorial's KL [nats]",
    "rate": "rate [nats/image]",
    "cross_entropy_sum": "tutorial's cross-entropy [nats]",
    "cross_entropy": "cross-entropy [nats/image]",
    "tutorial_sigma": "best sigma, tutorial's Gaussian",
    "sigma": "best sigma, Gaussian",
}


@dataclass(frozen=True)
class Estimates:
    """One quantity by both estimates of the ELBO, from the same draws z ~ q(z|x): an array each.

    single_sample: log p(x|z) + log p(z) - log q(z|x)
    analytic_kl: log p(x|z) - KL(q(z|x) || p(z))
    """

    single_sample: np.ndarray
    analytic_kl: np.ndarray

    def by_name(self) -> dict[str, np.ndarray]:
        """Both and their difference, by the names that tables show."""
        difference = self.single_sample - self.analytic_kl
        return {"single sample": self.single_sample, "analytic KL": self.analytic_kl, "difference": difference}


def binarisation_table(grey: Dataset, binary: Dataset, seed: int) -> pd.DataFrame:
    """The `measures.anchors` of grey, tossed and thresholded test images, in nats per image.

    For tossed pixels `entropy_floor` is the entropy of the toss: averaged over the tosses of an image, -log p(x) of any
    model is at least the entropy of the image's grey values, since a cross-entropy is at least the entropy. Tossing
    does not change the expected mean training image, so that of the grey images is used.

    normalised: whether exp(-distortion) adds up to 1 over all images
    """
    of_grey, of_tossed, of_thresholded = (
        measures.anchors(BERNOULLI, train_images, test_images)
        for train_images, test_images in (
            (grey.train_images, grey.test_images),
            (grey.train_images, tossed(grey.test_images, seed)),
            (binary.train_images, binary.test_images),
        )
    )
    rows = {
        "grey": {"normalised": "no", **of_grey},
        "tossed": {"normalised": "yes", **of_tossed, "entropy_floor": of_grey["entropy_floor"]},
        "thresholded": {"normalised": "yes", **of_thresholded},
    }
    return pd.DataFrame(rows.values(), index=pd.Index(rows, name="test images"))


def elbo_estimates(
    vae: VAE, images: np.ndarray, mean: np.ndarray, log_var: np.ndarray, draws: int = 20, seed: int = 0
) -> Estimates:
    """The ELBO of each image from one draw z ~ q(z|x), many times over.

    images: (N, 28, 28, 1); mean, log_var: (N, latent_dim)
    returns: two arrays (draws, N), nats per image
    """
    rate = np.asarray(kl_divergence(mean, log_var))  # (N,)
    single_sample, analytic_kl = np.empty((2, draws, len(images)))
    for i, z in enumerate(latent.draw(mean, log_var, np.random.default_rng(seed), draws)):  # (N, latent_dim)
        log_likelihood = -np.asarray(vae.likelihood.nll(images, latent.outputs(vae, z)), np.float64)  # (N,)
        log_prior, log_own = norm.logpdf(z).sum(axis=1), log_normal(z, mean, log_var)  # (N,) each
        single_sample[i] = log_likelihood + log_prior - log_own
        analytic_kl[i] = log_likelihood - rate
    return Estimates(single_sample, analytic_kl)


def noise_of_one(estimates: np.ndarray) -> float:
    """Standard deviation over the draws, root mean square over the images, in nats; estimates: (draws, N)."""
    return float(np.sqrt(np.mean(np.var(estimates, axis=0, ddof=1))))


def noise_measures(estimates: Estimates) -> dict[str, float]:
    """`noise_of_one` of both estimates, under the names for measures.json."""
    return {
        "noise_single": noise_of_one(estimates.single_sample),
        "noise_analytic": noise_of_one(estimates.analytic_kl),
    }


def estimate_table(estimates: Estimates) -> pd.DataFrame:
    """Both estimates and their difference: mean, standard error over the images, noise over the draws; nats per image.

    estimates: (draws, N) each
    """
    rows = {
        name: {
            **dict(zip(("ELBO", "standard error"), with_error(elbo=per_draw.mean(axis=0)).values(), strict=True)),
            "noise of one image": noise_of_one(per_draw),
            "noise of the mean of all images": per_draw.mean(axis=1).std(ddof=1),
        }
        for name, per_draw in estimates.by_name().items()
    }
    return pd.DataFrame(rows).T


def gradient_table(vae: VAE, images: np.ndarray, draws: int = 20, seed: int = 0) -> pd.DataFrame:
    """Gradients of the objective of one batch with respect to all weights, for both estimates and the same draws.

    The noise is the root of the sum over weights of the variance over draws. Where the mean gradient is 0, noise alone
    gives the mean of the draws a length of noise / sqrt(draws), root mean square.

    images: (batch, 28, 28, 1)
    """
    rng = np.random.default_rng(seed)
    noises = rng.standard_normal((draws, len(images), *vae.decoder.input_shape[1:]), np.float32)
    pairs = [objective_gradients(vae, images, noise) for noise in noises]
    gradients = Estimates(
        np.array([pair.single_sample for pair in pairs], np.float64),
        np.array([pair.analytic_kl for pair in pairs], np.float64),
    )
    rows = {}
    for name, each in gradients.by_name().items():  # (draws, weights)
        noise = np.sqrt(np.var(each, axis=0, ddof=1).sum())
        rows[name] = {
            "length of the mean gradient": np.linalg.norm(each.mean(axis=0)),
            "noise of one gradient": noise,
            "length by noise alone": noise / np.sqrt(draws),
        }
    return pd.DataFrame(rows).T


def objective_gradients(vae: VAE, images: np.ndarray, noise: np.ndarray) -> Estimates:
    """The gradient of distortion + kl_weight * rate, the rate by either estimate, for z = mean + sigma * noise.

    images: (batch, 28, 28, 1); noise: (batch, latent_dim)
    returns: two arrays (weights,)
    """
    with tf.GradientTape(persistent=True) as tape:
        mean, log_var = vae.encoder(images)
        z = mean + tf.exp(log_var / 2) * noise  # (batch, latent_dim)
        distortion = vae.likelihood.nll(images, vae.decoder(z))  # (batch,)
        log_ratio = tf.reduce_sum(tf.square(z) - tf.square(noise) - log_var, axis=1) / 2  # log q(z|x) - log p(z)
        single_sample = tf.reduce_mean(distortion + vae.kl_weight * log_ratio)
        analytic_kl = tf.reduce_mean(distortion + vae.kl_weight * kl_divergence(mean, log_var))
    gradients = (tape.gradient(objective, vae.trainable_variables) for objective in (single_sample, analytic_kl))
    return Estimates(*(np.concatenate([np.ravel(part) for part in gradient]) for gradient in gradients))


def elbo_log(history: pd.DataFrame, seconds: Sequence[float], epochs: Sequence[int]) -> pd.DataFrame:
    """What tutorial 001 prints after an epoch, for some of the epochs, of the validation images.

    ELBO = -(distortion + rate), whatever the kl_weight
    """
    elbo = -(history["val_distortion"] + history["val_rate"])
    name = f"seconds on this machine (median {np.median(seconds):.2f})"
    table = pd.DataFrame({"epoch": history["epoch"], "validation ELBO [nats/image]": elbo, name: seconds})
    return table[table["epoch"].isin(epochs)].set_index("epoch")


def picture_distortions(vae: VAE, images: np.ndarray, codes: Mapping[str, np.ndarray]) -> dict[str, float]:
    """-log p(x|z) of each image given the code in its place, mean over the images, in nats, for each set of codes.

    images: (N, 28, 28, 1); codes: (N, latent_dim) each
    """
    return {name: float(np.mean(vae.likelihood.nll(images, latent.outputs(vae, z)))) for name, z in codes.items()}


def formula_table(
    vae: VAE, images: np.ndarray, mean: np.ndarray, log_var: np.ndarray, batches: Sequence[int] = (1, 10, 100)
) -> pd.DataFrame:
    """Three of tutorial 001's formulas beside the right ones, for batches of the first images, decoded at mean codes.

    Its KL and its cross-entropy are sums over the batch; the right ones are means. Its Gaussian term has one log sigma
    for all pixels and images,

        S / (4 sigma^2) + log sigma,  least at sigma = sqrt(S / 2),  S = sum of squared errors over pixels and images

    where -log of the density has one for each of the D pixels, S / (2 sigma^2) + D log sigma: sigma = sqrt(S / D).

    images: (N, 28, 28, 1); mean, log_var: (N, latent_dim)
    returns: one row per batch; FORMULA_LABELS says what the columns are
    """
    errors = np.square(images - latent.decode(vae, mean)).sum(axis=(1, 2, 3), dtype=np.float64)  # (N,)
    entropies = np.asarray(vae.likelihood.nll(images, latent.outputs(vae, mean)), np.float64)  # (N,)
    rates, pixels = np.asarray(kl_divergence(mean, log_var), np.float64), images[0].size
    rows = [
        {
            "kl_sum": rates[:size].sum(),
            "rate": rates[:size].mean(),
            "cross_entropy_sum": entropies[:size].sum(),
            "cross_entropy": entropies[:size].mean(),
            "tutorial_sigma": np.sqrt(errors[:size].sum() / 2),
            "sigma": np.sqrt(errors[:size].mean() / pixels),
        }
        for size in batches
    ]
    return pd.DataFrame(rows, index=pd.Index(batches, name="images in the batch"))
