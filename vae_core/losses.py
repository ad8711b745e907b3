"""The two terms of the objective: one number per image, in nats."""

import math

import vae_core.backend  # noqa: F401

from keras import ops


def bernoulli_nll(images, logits):
    """Negative log-likelihood of the images under independent Bernoulli pixels.

    -log p(x|z) = sum over pixels of softplus(l) - x l,  where p(pixel = 1) = sigmoid(l)

    For grey-scale x in [0, 1] this is a cross-entropy, not a normalised likelihood: its floor is the sum of the
    pixels' own binary entropies (Loaiza-Ganem and Cunningham 2019, arXiv:1907.06845).

    images, logits: (batch, 28, 28, 1), or any equal shapes with the batch first
    returns: (batch,), nats per image
    """
    pixels = tuple(range(1, len(images.shape)))
    return ops.sum(ops.binary_crossentropy(images, logits, from_logits=True), axis=pixels)


def bernoulli_nll_pairs(images, logits):
    """`bernoulli_nll` of every image under every decoded code, by one matrix product.

    images: (N, 28, 28, 1), logits: (M, 28, 28, 1), or any shapes that agree but for the first axis
    returns: (N, M), nats per image
    """
    x, logits = ops.reshape(images, (len(images), -1)), ops.reshape(logits, (len(logits), -1))  # (N, 784), (M, 784)
    return ops.sum(ops.softplus(logits), axis=1) - ops.matmul(x, ops.transpose(logits))


def squared_error(images, logits):
    """Squared errors of the expected image, summed over pixels: a Gaussian likelihood of variance 1/2.

    sum over pixels of (x - sigmoid(l))^2 = gaussian_nll(x, sigmoid(l), 1/2) - pixels / 2 * log(pi)

    images, logits: (batch, 28, 28, 1), or any equal shapes with the batch first
    returns: (batch,), nats per image, but for the constant
    """
    pixels = tuple(range(1, len(images.shape)))
    return ops.sum(ops.square(images - ops.sigmoid(logits)), axis=pixels)


def gaussian_nll(images, mean, variance):
    """Negative log-likelihood of the images under independent Gaussian pixels.

    -log p(x|z) = 1/2 sum over pixels of (x - mean)^2 / variance + log(2 pi variance)

    images, mean: (batch, 28, 28, 1), or any equal shapes with the batch first
    variance: one number for all pixels, or an array that broadcasts against the images
    returns: (batch,), nats per image; below 0 where the density is above 1
    """
    pixels = tuple(range(1, len(images.shape)))
    variance = ops.cast(variance, images.dtype)
    return 0.5 * ops.sum(ops.square(images - mean) / variance + ops.log(2 * math.pi * variance), axis=pixels)


def gaussian_nll_pairs(images, mean, variance):
    """`gaussian_nll` of every image around every mean, with one variance for all, by one matrix product.

    images: (N, 28, 28, 1), mean: (M, 28, 28, 1), or any shapes that agree but for the first axis
    returns: (N, M), nats per image
    """
    x, mean = ops.reshape(images, (len(images), -1)), ops.reshape(mean, (len(mean), -1))  # (N, 784), (M, 784)
    variance = ops.cast(variance, x.dtype)
    squares = ops.sum(ops.square(x), axis=1)[:, None] - 2 * ops.matmul(x, ops.transpose(mean))  # (N, M)
    squares += ops.sum(ops.square(mean), axis=1)
    return 0.5 * (squares / variance + x.shape[1] * ops.log(2 * math.pi * variance))


def kl_divergence(mean, log_var):
    """KL divergence of a diagonal Gaussian from the standard normal.

    KL(N(mean, exp(log_var)) || N(0, I)) = 1/2 sum over dimensions of exp(log_var) + mean^2 - 1 - log_var

    Kingma and Welling 2014, arXiv:1312.6114, appendix B.

    mean, log_var: (batch, latent_dim)
    returns: (batch,), nats per image
    """
    return 0.5 * ops.sum(ops.exp(log_var) + ops.square(mean) - 1 - log_var, axis=-1)
