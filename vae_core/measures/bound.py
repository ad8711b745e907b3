"""How well a trained VAE codes images: the two terms, the bound, and -log p(x) itself, in nats per image.

All of it under the likelihood that the VAE was trained with.
"""

from collections.abc import Mapping

import vae_core.backend  # noqa: F401

import numpy as np

from vae_core.data import Dataset
from vae_core.latent import blocks_of
from vae_core.likelihoods import Likelihood
from vae_core.losses import kl_divergence, rate_per_dimension
from vae_core.measures.blocks import blocks
from vae_core.measures.evidence import PROPOSALS, STANDSTILL, measure_nll, nll_above_quadrature
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
    returns: nats per image; also the `anchors`, what the likelihood has learned (a variance), and the numbers of
    images, of draws per image, and of proposals: per image on average in more than two dimensions, else all
    """
    images, above = dataset.test_images, {}  # (N, height, width, channels)
    per_image = {name: numbers for name, numbers in values.items() if name != "proposals"}
    if "quadrature_change" in values and values["quadrature_change"].mean() <= STANDSTILL:
        above = nll_above_quadrature(vae, images, mean, log_var, values["nll"], proposals)
    return {
        **with_error(**per_image),
        **above,
        **anchors(vae.likelihood, dataset.train_images, images),
        **vae.likelihood.learned(vae.decoder),
        "images": len(images),
        "samples": samples,
        "proposals": float(values["proposals"].mean()) if "proposals" in values else proposals,
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
    draws = [_distortion(vae, images, np.asarray(sampling(mean, log_var))) for _ in range(samples)]
    distortion, rate = np.mean(draws, axis=0), np.asarray(kl_divergence(mean, log_var))  # (N,) each
    charged = np.asarray(vae.charge(rate_per_dimension(mean, log_var)))  # (N,)
    return {
        "distortion": distortion,
        "rate": rate,
        "objective": distortion + charged,
        "negative_elbo": distortion + rate,
    }


def _distortion(vae: VAE, images: np.ndarray, z: np.ndarray) -> np.ndarray:
    """-log p(x|z) of each image at one code: (N, ...), (N, latent_dim) to (N,), nats per image."""
    rows = blocks_of(len(z), images.shape[1:])
    return np.concatenate([vae.likelihood.nll(images[block], vae.decoder(z[block])) for block in rows])


def anchors(likelihood: Likelihood, train_images: np.ndarray, images: np.ndarray) -> dict[str, float]:
    """The two numbers between which a distortion makes sense, in nats per image.

    entropy_floor: the least distortion of any decoder, `Likelihood.floor`
    zero_information_distortion: that of a code that says nothing, where every image is decoded to the mean training
        image. A collapsed model ends here, with rate 0.

    train_images: (N, height, width, channels), images: (M, height, width, channels)
    """
    shared = likelihood.shared_outputs(train_images)  # (height, width, channels)
    floor = sum(likelihood.floor(images[block]) * (len(images[block]) / len(images)) for block in blocks(images))
    collapsed = []
    for block in blocks_of(len(images), images.shape[1:]):
        some = images[block]  # (m, height, width, channels)
        collapsed.append(likelihood.nll(some, np.broadcast_to(shared, (len(some), *shared.shape))))
    return {"entropy_floor": floor, "zero_information_distortion": float(np.mean(np.concatenate(collapsed)))}
