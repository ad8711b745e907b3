"""How well a trained VAE codes images: the two terms, the bound, and -log p(x) itself, in nats per image.

All of it under the likelihood that the VAE was trained with.
"""

from collections.abc import Mapping

import vae_core.backend  # noqa: F401

import numpy as np

from vae_core.data import Dataset
from vae_core.latent import outputs
from vae_core.likelihoods import Likelihood
from vae_core.losses import kl_divergence, rate_per_dimension
from vae_core.measures.evidence import OWN_DRAWS, PROPOSALS, STANDSTILL, measure_nll, nll_above_quadrature
from vae_core.models import VAE, Sampling
from vae_core.statistics import with_error

SAMPLES = 8  # draws from q(z|x) of each image for the distortion


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
    return bound_summary(vae, dataset, mean, log_var, values, samples, proposals)


def bound_terms(
    vae: VAE,
    images: np.ndarray,
    mean: np.ndarray,
    log_var: np.ndarray,
    samples: int = SAMPLES,
    proposals: int = PROPOSALS,
    seed: int = 0,
) -> dict[str, np.ndarray]:
    """`terms` and `measure_nll` of each image: arrays (N,), nats per image."""
    evidence = measure_nll(vae, images, mean, log_var, proposals, seed)
    return {**terms(vae, images, mean, log_var, samples, seed), **evidence}


def bound_summary(
    vae: VAE,
    dataset: Dataset,
    mean: np.ndarray,
    log_var: np.ndarray,
    values: Mapping[str, np.ndarray],
    samples: int = SAMPLES,
    proposals: int = PROPOSALS,
) -> dict[str, float]:
    """The means of `bound_terms` over the test images with their standard errors, and `nll_above_quadrature`.

    mean, log_var: (N, latent_dim), of q(z|x) of the test images; values: (N,) each, found with these samples and
    proposals
    returns: nats per image; also the `anchors`, and the numbers of images, of draws per image, and of proposals: per
    image in more than two dimensions, else all
    """
    images, above = dataset.test_images, {}  # (N, height, width, channels)
    if "quadrature_change" in values and values["quadrature_change"].mean() <= STANDSTILL:
        above = nll_above_quadrature(vae, images, mean, log_var, values["nll"], proposals)
    return {
        **with_error(**values),
        **above,
        **anchors(vae.likelihood, dataset.train_images, images),
        "images": len(images),
        "samples": samples,
        "proposals": 2 * OWN_DRAWS if mean.shape[1] > 2 else proposals,
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
    charged = np.asarray(vae.charge(rate_per_dimension(mean, log_var)))  # (N,)
    return {
        "distortion": distortion,
        "rate": rate,
        "objective": distortion + charged,
        "negative_elbo": distortion + rate,
    }


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
