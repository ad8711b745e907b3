"""What a trained VAE achieves on the test images, in numbers that can be compared across weights."""

import numpy as np

from vae_core.data import Dataset
from vae_core.latent import encode
from vae_core.losses import bernoulli_nll, kl_divergence
from vae_core.models import VAE, Sampling

ACTIVE_VARIANCE = 0.01


def evaluate(vae: VAE, dataset: Dataset, samples: int = 8, seed: int = 0) -> dict[str, float]:
    """All measures on the test images, the distortion averaged over draws from q(z|x).

    objective = distortion + kl_weight * rate,  negative_elbo = distortion + rate

    returns: means over the images in nats per image, `active_units`, the two anchors between which a Bernoulli
    distortion makes sense, and the numbers of images and of draws per image
    """
    images = dataset.test_images  # (N, 28, 28, 1)
    mean, log_var = encode(vae, images)  # (N, latent_dim) each
    sampling = Sampling(seed)
    draws = [bernoulli_nll(images, vae.decoder(sampling(mean, log_var))) for _ in range(samples)]  # each (N,)
    distortion = float(np.mean(draws))
    rate = float(np.mean(kl_divergence(mean, log_var)))
    return {
        "distortion": distortion,
        "rate": rate,
        "objective": distortion + vae.kl_weight * rate,
        "negative_elbo": distortion + rate,
        "active_units": active_units(mean),
        "entropy_floor": entropy_floor(images),
        "zero_information_distortion": zero_information_distortion(dataset.train_images, images),
        "images": len(images),
        "samples": samples,
    }


def active_units(mean: np.ndarray) -> int:
    """Number of latent dimensions that carry information: Var over x of E[z|x] > 0.01.

    Burda, Grosse and Salakhutdinov 2016, arXiv:1509.00519, section 5.2.

    mean: (N, latent_dim), the means of q(z|x)
    """
    return int(np.sum(np.var(mean, axis=0) > ACTIVE_VARIANCE))


def entropy_floor(images: np.ndarray) -> float:
    """The least possible Bernoulli distortion: sum over pixels of the binary entropy H(x), mean over images.

    H(x) = -x log x - (1 - x) log(1 - x), reached only by decoding every pixel to its own value.

    images: (N, 28, 28, 1) in [0, 1]
    returns: nats per image
    """
    x = images.astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):  # 0 log 0 is 0
        entropy = -np.nan_to_num(x * np.log(x)) - np.nan_to_num((1 - x) * np.log(1 - x))
    return float(entropy.sum() / len(x))


def zero_information_distortion(train_images: np.ndarray, images: np.ndarray) -> float:
    """The distortion of a code that says nothing: every image decoded to the mean training image.

    A fully collapsed model ends here, with rate 0.

    train_images: (N, 28, 28, 1), images: (M, 28, 28, 1)
    returns: nats per image
    """
    p = np.clip(train_images.mean(axis=0, dtype=np.float64), 1e-7, 1 - 1e-7)  # (28, 28, 1)
    logits = np.broadcast_to(np.log(p) - np.log1p(-p), images.shape)
    return float(np.mean(bernoulli_nll(images, logits.astype(np.float32))))
