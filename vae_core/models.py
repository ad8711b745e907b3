"""The reference encoder and decoder, sampling, and the VAE with a weight on its KL term; for any Keras backend."""

from collections.abc import Callable

import vae_core.backend  # noqa: F401

import keras
from keras import layers, ops

from vae_core.data import IMAGE_SHAPE
from vae_core.losses import bernoulli_nll, kl_divergence


class Sampling(layers.Layer):
    """Reparameterised draw: z = mean + exp(log_var / 2) * noise, noise ~ N(0, I).

    mean, log_var: (batch, latent_dim)
    returns: (batch, latent_dim)
    """

    def __init__(self, seed: int, **kwargs):
        super().__init__(**kwargs)
        self.generator = keras.random.SeedGenerator(seed)

    def call(self, mean, log_var):
        """Draw one z for each row."""
        noise = keras.random.normal(ops.shape(mean), seed=self.generator)
        return mean + ops.exp(log_var / 2) * noise


def mlp_encoder(hidden_units: int = 512, latent_dim: int = 2) -> keras.Model:
    """Dense relu layer, then mean and log-variance of q(z|x): images -> two of (batch, latent_dim)."""
    images = keras.Input(IMAGE_SHAPE, name="images")
    x = layers.Flatten()(images)  # (batch, 784)
    x = layers.Dense(hidden_units, activation="relu")(x)
    mean = layers.Dense(latent_dim, name="mean")(x)
    log_var = layers.Dense(latent_dim, name="log_var")(x)
    return keras.Model(images, [mean, log_var], name="encoder")


def mlp_decoder(hidden_units: int = 512, latent_dim: int = 2) -> keras.Model:
    """Dense relu layer, then one Bernoulli logit per pixel: (batch, latent_dim) -> (batch, 28, 28, 1)."""
    z = keras.Input((latent_dim,), name="z")
    x = layers.Dense(hidden_units, activation="relu")(z)
    x = layers.Dense(28 * 28)(x)
    logits = layers.Reshape(IMAGE_SHAPE, name="logits")(x)  # (batch, 28, 28, 1)
    return keras.Model(z, logits, name="decoder")


class VAE(keras.Model):
    """Minimises distortion + kl_weight * rate; reports objective, distortion and rate, in nats per image.

    `fit`, validation and `evaluate` share `compute_loss`, the only place where the objective stands.
    kl_weight = 1 gives the negative ELBO (Kingma and Welling 2014), another value the beta-VAE (Higgins et al. 2017).

    pixel_nll: the likelihood, a function of images and the decoder's logits that returns -log p(x|z), (batch,)
    """

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        kl_weight: float,
        seed: int,
        pixel_nll: Callable = bernoulli_nll,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.encoder = encoder
        self.decoder = decoder
        self.kl_weight = kl_weight
        self.pixel_nll = pixel_nll
        self.sampling = Sampling(seed)
        self.objective_tracker = keras.metrics.Mean(name="objective")
        self.distortion_tracker = keras.metrics.Mean(name="distortion")
        self.rate_tracker = keras.metrics.Mean(name="rate")

    @property
    def metrics(self):
        """What `fit` and `evaluate` report and reset."""
        return [self.objective_tracker, self.distortion_tracker, self.rate_tracker]

    def inputs(self, images, labels):
        """What `call` takes, of a data set's images and labels: the images."""
        return images

    def call(self, images):
        """Mean and log-variance of q(z|x), each (batch, latent_dim), and the logits of one draw, (batch, 28, 28, 1)."""
        mean, log_var = self.encoder(images)
        return mean, log_var, self.decoder(self.sampling(mean, log_var))

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Mean over the batch of distortion + kl_weight * rate; x are the images, y_pred what `call` returned."""
        mean, log_var, logits = y_pred
        distortion = self.pixel_nll(x, logits)  # (batch,)
        rate = kl_divergence(mean, log_var)  # (batch,)
        objective = distortion + self.kl_weight * rate
        self.objective_tracker.update_state(objective)
        self.distortion_tracker.update_state(distortion)
        self.rate_tracker.update_state(rate)
        return ops.mean(objective)


def reference_vae(kl_weight: float, seed: int, learning_rate: float = 1e-3, hidden_units: int = 512) -> VAE:
    """The sweep's model, compiled with Adam: 784 -> 512 -> 2-D Gaussian -> 512 -> 784 logits.

    The seed fixes initial weights and sampling noise, whatever the kl_weight.
    """
    keras.utils.set_random_seed(seed)
    vae = VAE(mlp_encoder(hidden_units), mlp_decoder(hidden_units), kl_weight, seed)
    vae.compile(optimizer=keras.optimizers.Adam(learning_rate), jit_compile=True)
    return vae
