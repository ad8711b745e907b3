"""Tutorial 000's model, as its text describes it and as its code trains it."""

import vae_core.backend  # noqa: F401

import keras
from keras import ops

from vae_core.models import VAE, build_vae, dense_decoder, dense_encoder
from vae_core.tutorials import PIXELS

RIGHT, FORGOTTEN, AS_WRITTEN = "with the mean", "mean forgotten", "mean forgotten, loss / 784"


class MeanForgotten(VAE):
    """Draws from N(0, exp(log_var)), as the tutorial's `Sampling` does, and charges for N(mean, exp(log_var))."""

    def draw(self, mean, log_var):
        """See `VAE.draw`; the mean never reaches z."""
        return self.sampling(ops.zeros_like(mean), log_var)


class AsWritten(MeanForgotten):
    """Both of the tutorial's choices: the mean forgotten, and the mean over pixels minimised."""

    def reduce(self, objective):
        """The mean over batch and pixels."""
        return super().reduce(objective) / PIXELS


def gelu_vae(
    kl_weight: float, seed: int, learning_rate: float = 1e-3, latent_dim: int = 10, kind: type[VAE] = VAE
) -> VAE:
    """784 -> 150 -> 100 -> 10-D Gaussian -> 100 -> 150 -> 784 logits with GELU units, compiled with RMSprop.

    kind: `VAE`, `MeanForgotten` or `AsWritten`; all start from the same weights and draw the same noise
    """
    return build_vae(
        lambda: dense_encoder((150, 100), latent_dim, "gelu"),
        lambda: dense_decoder((100, 150), latent_dim, "gelu"),
        kl_weight,
        seed,
        keras.optimizers.RMSprop(learning_rate),
        kind=kind,
    )
