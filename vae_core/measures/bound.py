"""How well a trained VAE codes images: the two terms, the bound, and -log p(x) itself, in nats per image.

All of it under the likelihood that the VAE was trained with.
"""

from collections.abc import Mapping

import vae_core.backend  # noqa: F401

import numpy as np
import tensorflow as tf
from keras import ops
from scipy.special import logsumexp
from scipy.stats import norm

from vae_core.data import Dataset
from vae_core.latent import draw, outputs
from vae_core.likelihoods import Likelihood
from vae_core.losses import kl_divergence, rate_per_dimension
from vae_core.measures.codes import log_aggregate_posterior
from vae_core.models import VAE, Sampling
from vae_core.statistics import with_error

SAMPLES = 8  # draws from q(z|x) of each image for the distortion
PROPOSALS = 20_000
OWN_DRAWS = 32  # of each image, where images do not share their proposals
CHECKED = 200  # images for which the quadrature is done too
BLOCK = 500  # codes decoded at a time: 20 MB beside 10,000 images


def measure_bound(
    vae: VAE,
    dataset: Dataset,
    mean: np.ndarray,
    log_var: np.ndarray,
    samples: int = SAMPLES,
    proposals: int = PROPOSALS,
    seed: int = 0,
) -> dict[str, float]:
    """Distortion, rate, objective, negative ELBO and -log p(x) of the test images, in nats per image.

    mean, log_var: (N, latent_dim), of q(z|x) of the test images
    """
    values = bound_terms(vae, dataset.test_images, mean, log_var, samples, proposals, seed)
    return bound_summary(vae, dataset, mean, values, samples, proposals)


def bound_terms(
    vae: VAE,
    images: np.ndarray,
    mean: np.ndarray,
    log_var: np.ndarray,
    samples: int = SAMPLES,
    proposals: int = PROPOSALS,
    seed: int = 0,
) -> dict[str, np.ndarray]:
    """`terms` and -log p(x) of each image: five arrays (N,), nats per image.

    In a plane images share their proposals (`nll`), in more dimensions each has its own (`nll_by_own_codes`).
    """
    if mean.shape[1] > 2:
        estimate = nll_by_own_codes(vae, images, mean, log_var, OWN_DRAWS, seed)
    else:
        estimate = nll(vae, images, mean, log_var, proposals, seed)
    return {**terms(vae, images, mean, log_var, samples, seed), "nll": estimate}


def bound_summary(
    vae: VAE,
    dataset: Dataset,
    mean: np.ndarray,
    values: Mapping[str, np.ndarray],
    samples: int = SAMPLES,
    proposals: int = PROPOSALS,
) -> dict[str, float]:
    """The means of `bound_terms` over the test images with their standard errors, and the check of `nll` in a plane.

    mean: (N, latent_dim), of q(z|x) of the test images; values: (N,) each, found with these samples and proposals
    returns: nats per image; also the `anchors`, and the numbers of images, of draws and of proposals per image
    """
    images = dataset.test_images  # (N, height, width, channels)
    shared = 2 * len(images) * draws_per_image(proposals, len(images))
    return {
        **with_error(**values),
        **(quadrature_check(vae, images[:CHECKED], mean, values["nll"]) if mean.shape[1] == 2 else {}),
        **anchors(vae.likelihood, dataset.train_images, images),
        "images": len(images),
        "samples": samples,
        "proposals": 2 * OWN_DRAWS if mean.shape[1] > 2 else shared,
    }


def terms(
    vae: VAE, images: np.ndarray, mean: np.ndarray, log_var: np.ndarray, samples: int = SAMPLES, seed: int = 0
) -> dict[str, np.ndarray]:
    """Both terms, the distortion averaged over draws from q(z|x), and their sums.

    objective = distortion + kl_weight * rate, or what the VAE charges for the rate in its place
    negative_elbo = distortion + rate >= -log p(x)

    images: (N, height, width, channels); mean, log_var: (N, latent_dim)
    returns: four arrays (N,), nats per image
    """
    sampling = Sampling(seed)
    draws = [vae.likelihood.nll(images, outputs(vae, np.asarray(sampling(mean, log_var)))) for _ in range(samples)]
    distortion, rate = np.mean(draws, axis=0), np.asarray(kl_divergence(mean, log_var))  # (N,) each
    charged = np.asarray(vae.rate_term(rate_per_dimension(mean, log_var), vae.kl_weight))  # (N,)
    return {
        "distortion": distortion,
        "rate": rate,
        "objective": distortion + charged,
        "negative_elbo": distortion + rate,
    }


def nll(
    vae: VAE,
    images: np.ndarray,
    mean: np.ndarray,
    log_var: np.ndarray,
    proposals: int = PROPOSALS,
    seed: int = 0,
) -> np.ndarray:
    """-log p(x), importance-weighted, for latent spaces of few dimensions: all images share their proposals.

    log p(x) ~ log 1/K sum over k of p(x|z_k) p(z_k) / r(z_k),  r(z) = 1/2 (mean over images of q(z|x)) + 1/2 p(z)

    Half of the proposals are draws from the q(z|x) of all images, half are from the prior. So the estimate works even
    where an image's own q(z|x) is a poor approximation of its posterior, as at weight 0, and one blocked matrix product
    serves all images. In expectation it is an upper bound, which falls to -log p(x) as K grows (Burda, Grosse and
    Salakhutdinov 2016, arXiv:1509.00519). The weights are those of Veach and Guibas 1995. In many dimensions the codes
    of other images do not help: see `nll_by_own_codes`.

    The images share their proposals, so their errors go together. The standard error over images tells how much the
    choice of images matters, not the sampling; `quadrature_check` tells how far off the estimate is.

    The cross-entropy of grey pixels is not a normalised likelihood (see `Bernoulli`). The numbers compare models of the
    same images; they cannot be compared with likelihoods of black-and-white MNIST.

    images: (N, height, width, channels); mean, log_var: (N, latent_dim); proposals: K, rounded up to a multiple of 2 N
    returns: (N,), nats per image
    """
    rng = np.random.default_rng(seed)
    coded = draw(mean, log_var, rng, draws_per_image(proposals, len(images)))
    coded = coded.reshape(-1, mean.shape[1])  # (K / 2, latent_dim)
    z = np.concatenate([coded, rng.standard_normal(coded.shape)])  # (K, latent_dim)
    log_prior = norm.logpdf(z).sum(axis=1)  # (K,)
    log_mixture = np.logaddexp(log_aggregate_posterior(z, mean, log_var), log_prior) - np.log(2)
    return -_log_weighted_sum(vae, images, z, log_prior - log_mixture - np.log(len(z)))


def nll_by_own_codes(
    vae: VAE, images: np.ndarray, mean: np.ndarray, log_var: np.ndarray, draws: int = 32, seed: int = 0
) -> np.ndarray:
    """-log p(x), importance-weighted, for latent spaces of many dimensions: each image has its own proposals.

    log p(x) ~ log 1/K sum over k of p(x|z_k) p(z_k) / r(z_k),  r(z) = 1/2 q(z|x) + 1/2 p(z),  K = 2 draws

    Half of the proposals are drawn from q(z|x), half from the prior, so that no weight exceeds 2 p(x|z). In
    expectation it is an upper bound (Burda, Grosse and Salakhutdinov 2016, arXiv:1509.00519).

    images: (N, height, width, channels); mean, log_var: (N, latent_dim)
    returns: (N,), nats per image
    """
    rng, deviation = np.random.default_rng(seed), np.exp(log_var / 2)
    weighted = np.empty((2 * draws, len(images)))
    for i in range(2 * draws):
        z = draw(mean, log_var, rng)[0] if i < draws else rng.standard_normal(mean.shape)  # (N, latent_dim)
        log_prior, log_own = norm.logpdf(z).sum(axis=1), norm.logpdf(z, mean, deviation).sum(axis=1)  # (N,) each
        log_mixture = np.logaddexp(log_own, log_prior) - np.log(2)
        decoded = outputs(vae, z)  # (N, height, width, channels)
        weighted[i] = log_prior - log_mixture - np.asarray(vae.likelihood.nll(images, decoded))
    return np.log(2 * draws) - logsumexp(weighted, axis=0)


def draws_per_image(proposals: int, images: int) -> int:
    """Draws from each q(z|x), so that all images together give at least half of the proposals."""
    return -(-proposals // (2 * images))


def nll_by_quadrature(vae: VAE, images: np.ndarray, mean: np.ndarray, cells: int = 256) -> np.ndarray:
    """-log p(x) of a 2-D latent space, summed over a grid that covers the prior and all codes: the check of `nll`.

    p(x) ~ sum over the grid of p(x|z) p(z) dz0 dz1,  z0 and z1 = sinh(u) at equal distances in u

    The sinh sets the points densely where the prior is and widely where codes stray. Whether there are enough of them,
    a call with more `cells` shows.

    images: (N, height, width, channels); mean: (M, 2), the codes to cover; cells: points in each dimension
    returns: (N,), nats per image
    """
    limit = np.arcsinh(max(5, 1 + np.abs(mean).max()))
    u, step = np.linspace(-limit, limit, cells, retstep=True)
    z0, z1 = np.meshgrid(np.sinh(u), np.sinh(u))  # (cells, cells) each
    z = np.stack([z0.ravel(), z1.ravel()], axis=1)  # (cells^2, 2)
    log_cell = np.log(np.sqrt(1 + z**2) * step).sum(axis=1)  # dz = cosh(u) du
    return -_log_weighted_sum(vae, images, z, norm.logpdf(z).sum(axis=1) + log_cell)


def quadrature_check(vae: VAE, images: np.ndarray, mean: np.ndarray, estimate: np.ndarray) -> dict[str, float]:
    """How far `nll` is above the quadrature on its first images, in nats per image, with the standard error.

    images: (N, height, width, channels), the first of those that were encoded and estimated
    mean: (M, 2), estimate: (M,)
    """
    exact = nll_by_quadrature(vae, images, mean)
    return with_error(nll_above_quadrature=estimate[: len(images)] - exact)


def anchors(likelihood: Likelihood, train_images: np.ndarray, images: np.ndarray) -> dict[str, float]:
    """The two numbers between which a distortion makes sense, in nats per image.

    entropy_floor: the least distortion of any decoder, `Likelihood.floor`
    zero_information_distortion: that of a code that says nothing, where every image is decoded to the mean training
        image. A collapsed model ends here, with rate 0.

    train_images: (N, height, width, channels), images: (M, height, width, channels)
    """
    mean_image = likelihood.outputs(train_images.mean(axis=0, dtype=np.float64))  # (height, width, channels)
    collapsed = likelihood.nll(images, np.broadcast_to(mean_image, images.shape))  # (M,)
    return {"entropy_floor": likelihood.floor(images), "zero_information_distortion": float(np.mean(collapsed))}


def _log_weighted_sum(vae: VAE, images: np.ndarray, z: np.ndarray, log_weights: np.ndarray) -> np.ndarray:
    """log sum over k of p(x|z_k) w_k for each image: (N,); in blocks, so that memory does not grow with K."""

    @tf.function(jit_compile=vae.jit_compile)
    def of_block(z, log_weights):
        return ops.logsumexp(log_weights - vae.likelihood.nll_pairs(images, vae.decoder(z)), axis=1)  # (N,)

    images, rest = tf.constant(images), -len(z) % BLOCK  # filled up with weight 0, since another shape compiles anew
    z = np.pad(z, ((0, rest), (0, 0))).astype(np.float32).reshape(-1, BLOCK, z.shape[1])
    log_weights = np.pad(log_weights, (0, rest), constant_values=-np.inf).astype(np.float32).reshape(-1, BLOCK)
    parts = [of_block(*block) for block in zip(z, log_weights, strict=True)]  # (N,) each
    return logsumexp(np.array(parts, np.float64), axis=0)
