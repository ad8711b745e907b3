"""The rate, what is charged for it, and the kl_weight of a loss that is written in another way."""

import vae_core.backend  # noqa: F401

import keras
from keras import ops

from vae_core.errors import InputError
from vae_core.parameters import check_choice, check_parameters

Z_DEVIATIONS = ("exp(log_var / 2)", "exp(log_var)")  # with which z is drawn: the right one, and a common error


def rate_per_dimension(mean, log_var):
    """KL divergence of each dimension of a diagonal Gaussian from N(0, 1).

    1/2 (exp(log_var) + mean^2 - 1 - log_var), Kingma and Welling 2014, arXiv:1312.6114, appendix B.

    mean, log_var: (batch, latent_dim)
    returns: (batch, latent_dim), in nats
    """
    return 0.5 * (ops.exp(log_var) + ops.square(mean) - 1 - log_var)


def kl_divergence(mean, log_var):
    """KL divergence of a diagonal Gaussian from the standard normal, KL(N(mean, exp(log_var)) || N(0, I)).

    The sum of `rate_per_dimension`.

    mean, log_var: (batch, latent_dim)
    returns: (batch,), nats per image
    """
    return ops.sum(rate_per_dimension(mean, log_var), axis=-1)


@keras.saving.register_keras_serializable("vae_core")
def weighted_rate(rates, kl_weight):
    """What the objective charges for the code: kl_weight * rate.

    kl_weight = 1 gives the negative ELBO (Kingma and Welling 2014), another value the beta-VAE (Higgins et al. 2017).

    rates: (batch, latent_dim), nats per dimension; kl_weight: a number
    returns: (batch,), nats per image
    """
    return kl_weight * ops.sum(rates, axis=-1)


@keras.saving.register_keras_serializable("vae_core")
def free_bits_rate(rates, kl_weight, free_bits):
    """The rate is charged only where a dimension has more of it than its free bits, on average over the images.

    Its mean over the batch is kl_weight * sum over dimensions j of max(free_bits, mean over the batch of rate_j),
    Kingma et al. 2016, arXiv:1606.04934, equation 15, with groups of one dimension.

    A dimension at or below its free bits costs each image kl_weight * free_bits, a constant, so that nothing pushes its
    rate down.

    rates: (batch, latent_dim), nats per dimension; kl_weight: a number; free_bits: nats per dimension
    returns: (batch,), nats per image
    """
    above = ops.mean(rates, axis=0, keepdims=True) > free_bits  # (1, latent_dim)
    return kl_weight * ops.sum(ops.where(above, rates, free_bits), axis=-1)


@keras.saving.register_keras_serializable("vae_core")
def target_rate_term(rates, kl_weight, target):
    """What it costs that the rate, the mean over the images, is not the target.

    Its mean over the batch is kl_weight * abs(rate - target), Burgess et al. 2018, arXiv:1804.03599, equation 8, where
    kl_weight is gamma and target is C. One image may have a higher rate than another.

    The target is met only if kl_weight is above what one more nat of rate saves in distortion there: 1 is enough only
    for targets that are not below the rate of a VAE at weight 1. Burgess et al. take 1000.

    rates: (batch, latent_dim), nats per dimension; kl_weight: a number; target: nats per image
    returns: (batch,), nats per image; below 0 for an image on the other side of the target than the mean
    """
    rate = ops.sum(rates, axis=-1)  # (batch,)
    return kl_weight * ops.sign(ops.mean(rate) - target) * (rate - target)


def kl_weight_of(
    *,
    likelihood: str,
    pixels: int,
    channels: int,
    latent_dim: int,
    z_deviation: str,
    reconstruction_over_pixels: str = "sum",
    reconstruction_over_channels: str = "sum",
    reconstruction_over_batch: str = "mean",
    reconstruction_factor: float = 1.0,
    variance: float = 1.0,
    kl_over_dimensions: str = "sum",
    kl_over_batch: str = "mean",
    kl_factor: float = 1.0,
    batch_size: int | None = None,
) -> float | None:
    """The kl_weight c at which a loss, as written, is a multiple of distortion + c * rate; None if there is no such c.

    loss = reconstruction_factor * R + kl_factor * K = a * (distortion + c * rate) + constant,  c = b / a

    a = reconstruction_factor, divided by what R is a mean over, times 2 * variance for a Gaussian
    b = kl_factor, divided by what K is a mean over

    likelihood: "bernoulli", R from binary cross-entropies; "gaussian", R from squared errors (x - mean)^2, which are
        2 * variance times a negative log-likelihood (and a constant) under pixels of that variance
    pixels, channels: height * width of an image, and 1 for grey-scale or 3 for colour
    z_deviation: what stands before the noise in z = mean + ... * noise, if log_var is what K has as a log-variance:
        "exp(log_var / 2)"; or "exp(log_var)", in which case K is not the KL of the code that z is drawn from, whose
        log-variance is 2 * log_var, and no c makes it so
    reconstruction_over_pixels, _over_channels, _over_batch: "sum" or "mean". Keras' losses are means over the last
        axis: the channels of (28, 28, 3), but pixels and channels of flattened images, and the width of images (28, 28)
        without channels. Of those give the height as `pixels`, the width as `channels`
    reconstruction_factor: everything before R, above 0: 0.5 for 1/2 squared errors
    variance: of the Gaussian that the distortion is measured with; c is proportional to 1 / variance
    kl_over_dimensions, kl_over_batch: "sum" or "mean"
    kl_factor: everything before K, which is complete with its 1/2: 1e-3 for 5e-4 * (mean^2 + ...)
    batch_size: needed if one term is a sum over the batch and the other a mean

    Raises InputError for what no loss can be.
    """
    check_choice("likelihood", likelihood, ("bernoulli", "gaussian"))
    check_choice("z_deviation", z_deviation, Z_DEVIATIONS)
    check_parameters({"pixels": pixels, "channels": channels, "latent_dim": latent_dim})
    check_parameters({"reconstruction_factor": reconstruction_factor, "variance": variance, "kl_factor": kl_factor})
    if likelihood == "bernoulli" and variance != 1:
        raise InputError(f"a Bernoulli likelihood has no variance to choose: leave out variance={variance!r}")

    a = float(reconstruction_factor)
    a /= _mean_over(pixels, reconstruction_over_pixels=reconstruction_over_pixels)
    a /= _mean_over(channels, reconstruction_over_channels=reconstruction_over_channels)
    a *= 2 * float(variance) if likelihood == "gaussian" else 1
    b = abs(float(kl_factor))  # -0.0 is 0
    b /= _mean_over(latent_dim, kl_over_dimensions=kl_over_dimensions)
    images = 1 if reconstruction_over_batch == kl_over_batch else batch_size  # a common factor is in a and b alike
    if images is None:
        raise InputError(
            "one term is a sum over the batch, the other a mean: the weight depends on it, so give batch_size"
        )
    check_parameters({"batch_size": images})
    a /= _mean_over(images, reconstruction_over_batch=reconstruction_over_batch)
    b /= _mean_over(images, kl_over_batch=kl_over_batch)
    if b and z_deviation != Z_DEVIATIONS[0]:
        return None
    return b / a


def _mean_over(size: int, **reduction: str) -> int:
    """What a sum is divided by: its size for a mean, 1 for a sum."""
    ((name, word),) = reduction.items()
    check_choice(name, word, ("sum", "mean"))
    return int(size) if word == "mean" else 1
