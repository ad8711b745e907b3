"""From how a loss is written to its kl_weight: by hand, and for every way to reduce."""

import itertools
import re

import pytest

from vae_core.errors import InputError
from vae_core.losses import kl_weight_of

MNIST = {"pixels": 28 * 28, "channels": 1}
MEANS = {"reconstruction_over_pixels": "mean", "reconstruction_over_channels": "mean"}


def test_weights_that_were_worked_out_by_hand():
    assert kl_weight_of(likelihood="bernoulli", latent_dim=10, **MNIST, **MEANS, kl_factor=1 / 784) == pytest.approx(1)
    tutorial_002 = {"kl_over_dimensions": "mean", "kl_factor": 2 * 5e-4}
    assert kl_weight_of(likelihood="bernoulli", latent_dim=2, **MNIST, **MEANS, **tutorial_002) == pytest.approx(0.392)
    assert kl_weight_of(likelihood="gaussian", latent_dim=30, **MNIST, variance=0.5) == pytest.approx(1)
    assert kl_weight_of(likelihood="gaussian", latent_dim=30, **MNIST) == pytest.approx(0.5)
    for latent_dim in (2, 10):
        weight = kl_weight_of(likelihood="bernoulli", latent_dim=latent_dim, **MNIST, kl_over_dimensions="mean")
        assert weight == pytest.approx(1 / latent_dim)


def test_a_mean_over_channels_matters_for_colour_images_only():
    keras = {"likelihood": "bernoulli", "pixels": 32 * 32, "latent_dim": 2, "reconstruction_over_channels": "mean"}
    assert kl_weight_of(channels=1, **keras) == 1
    assert kl_weight_of(channels=3, **keras) == 3
    assert kl_weight_of(channels=3, **keras, reconstruction_over_pixels="mean") == 3 * 32 * 32  # flattened


def test_a_sum_over_the_batch_matters_where_the_other_term_has_none():
    loss = {"likelihood": "bernoulli", "latent_dim": 2, **MNIST}
    assert kl_weight_of(**loss, reconstruction_over_batch="sum", kl_over_batch="sum") == 1
    assert kl_weight_of(**loss, reconstruction_over_batch="sum", batch_size=50) == pytest.approx(1 / 50)
    assert kl_weight_of(**loss, kl_over_batch="sum", batch_size=50) == pytest.approx(50)


@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
@pytest.mark.parametrize("reductions", [*itertools.product(["sum", "mean"], repeat=5)])
def test_every_way_to_reduce_against_numpy(rng, likelihood, reductions):
    """The loss computed as written is a * (distortion + c * rate), with the a that a KL of 0 shows."""
    names = ["reconstruction_over_pixels", "reconstruction_over_channels", "reconstruction_over_batch"]
    words = dict(zip([*names, "kl_over_dimensions", "kl_over_batch"], reductions, strict=True))
    terms, kl = rng.uniform(size=(7, 12, 3)), rng.uniform(size=(7, 5))  # (batch, pixels, channels), (batch, latent_dim)
    reduced = terms
    for axis, name in [(2, names[1]), (1, names[0]), (0, names[2])]:
        reduced = getattr(reduced, words[name])(axis=axis)
    reconstruction = 0.3 * reduced
    written = reconstruction + 0.7 * getattr(getattr(kl, words["kl_over_dimensions"])(axis=1), words["kl_over_batch"])()

    variance = 0.2 if likelihood == "gaussian" else 1
    distortion = terms.sum(axis=(1, 2)).mean() / (2 * variance if likelihood == "gaussian" else 1)
    factors = {"reconstruction_factor": 0.3, "kl_factor": 0.7, "variance": variance, "batch_size": 7}
    weight = kl_weight_of(likelihood=likelihood, pixels=12, channels=3, latent_dim=5, **words, **factors)
    objective = distortion + weight * kl.sum(axis=1).mean()
    assert written == pytest.approx(reconstruction / distortion * objective, rel=1e-12)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"likelihood": "poisson"}, "likelihood must be 'bernoulli' or 'gaussian', not 'poisson'"),
        ({"variance": 0.5}, "a Bernoulli likelihood has no variance"),
        ({"likelihood": "gaussian", "variance": 0.0}, "variance must be a finite number above 0, not 0.0"),
        ({"pixels": 0}, "pixels must be a whole number, at least 1, not 0"),
        ({"channels": 1.5}, "channels must be a whole number, at least 1, not 1.5"),
        ({"latent_dim": True}, "latent_dim must be a whole number, at least 1, not True"),
        ({"reconstruction_factor": 0}, "reconstruction_factor must be a finite number above 0, not 0"),
        ({"kl_factor": -1}, "kl_factor must be a finite number above 0, not -1"),
        ({"kl_factor": float("nan")}, "kl_factor must be a finite number above 0, not nan"),
        ({"kl_over_dimensions": "avg"}, "kl_over_dimensions must be 'sum' or 'mean', not 'avg'"),
        ({"reconstruction_over_pixels": "none"}, "reconstruction_over_pixels must be 'sum' or 'mean'"),
        ({"kl_over_batch": "avg", "batch_size": 8}, "kl_over_batch must be 'sum' or 'mean'"),
        ({"kl_over_batch": "sum"}, "so give batch_size"),
        ({"kl_over_batch": "sum", "batch_size": 0}, "batch_size must be a whole number"),
    ],
)
def test_what_no_loss_can_be_is_refused(wrong, message):
    with pytest.raises(InputError, match=re.escape(message)):
        kl_weight_of(**{"likelihood": "bernoulli", "latent_dim": 2, **MNIST, **wrong})


def test_weight_zero_is_an_autoencoder():
    assert kl_weight_of(likelihood="bernoulli", latent_dim=2, **MNIST, kl_factor=0) == 0
