"""A Gaussian near the posterior p(z|x) of each image, with a full covariance: where to draw for -log p(x)."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import vae_core.backend  # noqa: F401

import numpy as np
import tensorflow as tf
from keras import ops

from vae_core.models import VAE

MOVES, STEP = 3, 0.6  # of the mean, and what share of a Newton step each is
PAIRS = 2  # of a draw and its mirror image, over which the gradient of a move is averaged
ROUNDING = 1e-6  # of single precision: what it may take from the smallest eigenvalue, as a share of their sum


@dataclass(frozen=True)
class Gaussians:
    """One Gaussian for each of n images: z = mean + root e with e of N(0, I).

    mean: (n, latent_dim); root: (n, latent_dim, latent_dim), upper triangular
    """

    mean: np.ndarray
    root: np.ndarray

    def at(self, noise: np.ndarray) -> np.ndarray:
        """The points that belong to noise of N(0, I): (n, draws, latent_dim) to the same shape."""
        return self.mean[:, None] + noise @ self.root.transpose(0, 2, 1)

    def log_density(self, z: np.ndarray) -> np.ndarray:
        """The logarithm of the density at points: (n, draws, latent_dim) to (n, draws), in nats."""
        noise = (z - self.mean[:, None]) @ np.linalg.inv(self.root).transpose(0, 2, 1)
        log_volume = np.log(np.diagonal(self.root, axis1=1, axis2=2)).sum(axis=1)  # (n,)
        constant = -0.5 * z.shape[-1] * np.log(2 * np.pi) - log_volume
        return constant[:, None] - 0.5 * (noise**2).sum(axis=-1)

    def wider(self, variance: float) -> "Gaussians":
        """The same with so many times the variance in every direction."""
        return Gaussians(self.mean, self.root * np.sqrt(variance))


def near_posterior(vae: VAE, images: np.ndarray, mean: np.ndarray, rng: np.random.Generator) -> Gaussians:
    """A Gaussian near p(z|x) of each image, from the mean of q(z|x), whatever the VAE was trained for.

    precision = I + J' F J at the mean of q(z|x), after Gauss and Newton; J is the derivative of the decoder's outputs
    by z, F the Fisher information of each output
    mean += STEP precision^-1 E over the Gaussian of the gradient of log p(x, z), MOVES times

    The moves end where the gradient is 0 on average, at the mean of the Gaussian with the least KL divergence from the
    posterior (Opper and Archambeau 2009, "The variational Gaussian approximation revisited"). In many dimensions that
    lies far from the mode, where a posterior of decoded images has hardly any mass.

    images: (n, height, width, channels); mean: (n, latent_dim)
    """
    curvature, gradient = _derivatives(vae)
    precision = np.asarray(curvature(mean.astype(np.float32)), np.float64)  # (n, latent_dim, latent_dim)
    spare = 1 + ROUNDING * np.trace(precision, axis1=1, axis2=2)  # (n,)
    precision += spare[:, None, None] * np.eye(mean.shape[1])
    lower = np.linalg.cholesky(precision)
    gaussians = Gaussians(mean.astype(np.float64), np.linalg.inv(lower).transpose(0, 2, 1))
    for _ in range(MOVES):
        noise = rng.standard_normal((len(mean), PAIRS, mean.shape[1]))
        z = gaussians.at(np.concatenate([noise, -noise], axis=1))  # (n, 2 * PAIRS, latent_dim)
        slope = np.asarray(gradient(images, z.astype(np.float32)), np.float64).mean(axis=1)  # (n, latent_dim)
        newton = gaussians.root @ (gaussians.root.transpose(0, 2, 1) @ slope[..., None])  # (n, latent_dim, 1)
        gaussians = Gaussians(gaussians.mean + STEP * newton[..., 0], gaussians.root)
    return gaussians


@lru_cache(maxsize=1)
def _derivatives(vae: VAE) -> tuple[Callable, Callable]:
    """Functions of latent points, compiled once for each number of them.

    z -> J' F J: (n, latent_dim) to (n, latent_dim, latent_dim)
    images, z -> the gradient of log p(x, z): (n, ...) and (n, draws, latent_dim) to (n, draws, latent_dim)
    """

    @tf.function(jit_compile=vae.jit_compile)
    def curvature(z):
        def along(direction):
            with tf.autodiff.ForwardAccumulator(z, tf.broadcast_to(direction, z.shape)) as forward:
                outputs = vae.decoder(z)
            return forward.jvp(outputs)

        rows, latent_dim = z.shape
        jacobian = tf.vectorized_map(along, tf.eye(latent_dim))  # (latent_dim, n, ...); it decodes z only once
        weighted = jacobian * tf.sqrt(_information(vae, vae.decoder(z)))
        weighted = tf.transpose(tf.reshape(weighted, (latent_dim, rows, -1)), (1, 0, 2))
        return tf.matmul(weighted, weighted, transpose_b=True)

    @tf.function(jit_compile=vae.jit_compile)
    def gradient(images, z):
        draws, latent_dim = z.shape[1:]
        flat = tf.reshape(z, (-1, latent_dim))
        with tf.GradientTape() as tape:
            tape.watch(flat)
            nll = vae.likelihood.nll(tf.repeat(images, draws, axis=0), vae.decoder(flat))  # (n * draws,)
        return -tf.reshape(tape.gradient(nll, flat), z.shape) - z

    return curvature, gradient


def _information(vae: VAE, outputs):
    """The Fisher information of each of the decoder's outputs, in the shape of the outputs.

    The second derivative of -log p(x|z) at the expected image: for the suite's likelihoods its expectation over x.
    Pixels are independent, so that the product of the Hessian with ones is its diagonal.
    """
    expected = tf.stop_gradient(vae.likelihood.mean(outputs))
    with tf.GradientTape() as second:
        second.watch(outputs)
        with tf.GradientTape() as first:
            first.watch(outputs)
            nll = vae.likelihood.nll(expected, outputs)
        slope = first.gradient(nll, outputs)
    information = second.gradient(slope, outputs)
    return tf.where(tf.math.is_finite(information), ops.relu(information), 0.0)
