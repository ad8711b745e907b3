"""From how a loss is written to its kl_weight: by hand, and for every way to reduce."""

import itertools
import math
import re

import numpy as np
import pytest

from vae_core.errors import InputError
from vae_core.losses import kl_weight_of, rate_per_dimension

DRAWN = {"z_deviation": "exp(log_var / 2)"}
MNIST = {"pixels": 28 * 28, "channels": 1, **DRAWN}
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
    keras |= DRAWN
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
    weight = kl_weight_of(likelihood=likelihood, pixels=12, channels=3, latent_dim=5, **DRAWN, **words, **factors)
    objective = distortion + weight * kl.sum(axis=1).mean()
    assert written == pytest.approx(reconstruction / distortion * objective, rel=1e-12)


def test_keras_averages_over_the_width_of_images_without_channels(rng):
    from keras import losses

    images, decoded = rng.uniform(0.01, 0.99, size=(2, 7, 14, 28))  # (batch, height, width)
    written = np.sum(losses.binary_crossentropy(images, decoded), axis=1).mean()
    distortion = -np.sum(images * np.log(decoded) + (1 - images) * np.log(1 - decoded), axis=(1, 2)).mean()
    assert written == pytest.approx(distortion / 28, rel=1e-5)
    loss = {"pixels": 14, "channels": 28, "latent_dim": 2, **DRAWN, "reconstruction_over_channels": "mean"}
    assert kl_weight_of(likelihood="bernoulli", **loss) == 28


def test_a_code_drawn_with_the_variance_for_a_deviation_has_no_weight():
    """Of a code of deviation s = exp(log_var), K charges for the mean as it should, but 1 / 2(1 + s) for the spread."""
    loss = {"likelihood": "bernoulli", "pixels": 784, "channels": 1, "latent_dim": 2, "kl_over_dimensions": "mean"}
    assert kl_weight_of(**loss, z_deviation="exp(log_var / 2)") == 0.5
    assert kl_weight_of(**loss, z_deviation="exp(log_var)") is None
    assert kl_weight_of(**loss, z_deviation="exp(log_var)", kl_factor=0) == 0  # of no K, z may be drawn in any way

    def slopes(function, mean, deviation, step=1e-3):
        up, down = (np.asarray(function(mean, deviation + shift), "float64") for shift in (step, -step))
        right, left = (np.asarray(function(mean + shift, deviation), "float64") for shift in (step, -step))
        return float(right - left), float(up - down)

    for deviation in (0.1, 0.5, 2.0):
        right = slopes(lambda mean, s: rate_per_dimension(np.float64(mean), 2 * np.log(s)), 0.7, deviation)
        written = slopes(lambda mean, s: rate_per_dimension(np.float64(mean), np.log(s)), 0.7, deviation)
        assert written[0] / right[0] == pytest.approx(1, rel=1e-4)
        assert written[1] / right[1] == pytest.approx(1 / (2 * (1 + deviation)), rel=1e-4)


def test_how_z_is_drawn_is_asked():
    with pytest.raises(TypeError, match="z_deviation"):
        kl_weight_of(likelihood="bernoulli", pixels=784, channels=1, latent_dim=2)


def test_numbers_of_numpy_are_numbers():
    loss = {
        "likelihood": "gaussian",
        "latent_dim": np.uint8(200),
        "channels": np.int64(1),
        "kl_over_dimensions": "mean",
    }
    loss |= {"kl_over_batch": "sum", "batch_size": np.int16(300), "pixels": np.prod((28, 28)), **MEANS, **DRAWN}
    factors = {"reconstruction_factor": np.float32(0.5), "variance": np.float64(0.25), "kl_factor": np.float32(0.125)}
    weight = kl_weight_of(**loss, **factors)
    assert type(weight) is float
    assert weight == pytest.approx(0.125 / 200 * 300 / (0.5 * 0.5 / 784), rel=1e-12)


def test_the_smallest_and_the_largest_factors_give_a_weight():
    """Factors that single precision holds; beyond it the loss itself could not be computed."""
    loss = {"likelihood": "gaussian", "latent_dim": 2**31 - 1, "kl_over_dimensions": "mean", **MNIST}
    smallest = kl_weight_of(**loss, reconstruction_factor=3e38, variance=3e38, kl_factor=1e-44)
    assert 0 < smallest < 1e-100
    loss = {"likelihood": "gaussian", "latent_dim": 2, "kl_over_batch": "sum", "batch_size": 2**31 - 1, **MEANS}
    largest = kl_weight_of(
        **loss, **MNIST | {"pixels": 2**31 - 1}, reconstruction_factor=1e-44, variance=1e-44, kl_factor=3e38
    )
    assert 1e100 < largest < math.inf


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"likelihood": "poisson"}, "likelihood must be one of bernoulli, gaussian, not 'poisson'"),
        ({"variance": 0.5}, "a Bernoulli likelihood has no variance"),
        ({"likelihood": "gaussian", "variance": 0.0}, "variance must be greater than 0, not 0.0"),
        ({"pixels": 0}, "pixels must be at least 1, not 0"),
        ({"channels": 1.5}, "channels must be a whole number, not 1.5"),
        ({"latent_dim": True}, "latent_dim must be a finite number, not True"),
        ({"reconstruction_factor": 0}, "reconstruction_factor must be greater than 0, not 0"),
        ({"kl_factor": -1}, "kl_factor must be at least 0, not -1"),
        ({"kl_factor": float("nan")}, "kl_factor must be a finite number, not nan"),
        ({"kl_over_dimensions": "avg"}, "kl_over_dimensions must be one of sum, mean, not 'avg'"),
        ({"reconstruction_over_pixels": "none"}, "reconstruction_over_pixels must be one of sum, mean"),
        ({"kl_over_batch": "avg", "batch_size": 8}, "kl_over_batch must be one of sum, mean"),
        ({"kl_over_batch": "sum"}, "so give batch_size"),
        ({"kl_over_batch": "sum", "batch_size": 0}, "batch_size must be at least 1, not 0"),
        ({"z_deviation": "softplus"}, "z_deviation must be one of exp(log_var / 2), exp(log_var), not 'softplus'"),
        ({"likelihood": np.zeros(3)}, "likelihood must be one of bernoulli, gaussian, not array([0., 0., 0.])"),
        ({"variance": np.ones((9, 9))}, "variance must be a finite number, not array("),
        ({"kl_factor": np.array([1.0, 2.0])}, "kl_factor must be a finite number, not array([1., 2.])"),
        ({"kl_factor": np.bool_(True)}, "kl_factor must be a finite number, not np.True_"),
        ({"kl_factor": 10**400}, "kl_factor must be at most 3.402823466e+38, not 1000"),
        ({"kl_factor": 1e308}, "kl_factor must be at most 3.402823466e+38, not 1e+308"),
        ({"kl_factor": 1e-320}, "kl_factor must not be 1e-320: in single precision, that is 0"),
        ({"reconstruction_factor": 5e-324}, "reconstruction_factor must not be 5e-324: in single precision, that is 0"),
        ({"pixels": 10**400}, "pixels must be at most 2147483647, not 1000"),
    ],
)
def test_what_no_loss_can_be_is_refused(wrong, message):
    with pytest.raises(InputError, match=re.escape(message)) as caught:
        kl_weight_of(**{"likelihood": "bernoulli", "latent_dim": 2, **MNIST, **wrong})
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 120


@pytest.mark.parametrize("kl_factor", [0, 0.0, -0.0])
def test_weight_zero_is_an_autoencoder(kl_factor):
    assert str(kl_weight_of(likelihood="bernoulli", latent_dim=2, **MNIST, kl_factor=kl_factor)) == "0.0"
