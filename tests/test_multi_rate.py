"""One network for every weight: its gates, its weights, its objective, and the ordinary model at a weight."""

import keras
import numpy as np
import pytest

from vae_core import latent, multi_rate, training
from vae_core.data import load_dataset
from vae_core.losses import kl_divergence
from vae_core.multi_rate import Gate, at_weight, multi_rate_vae

KNOTS = (0.1, 1.0, 4.0, 10.0)
SHAPE = (6, 5, 1)


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(0).random((40, *SHAPE), np.float32)


@pytest.fixture(scope="module")
def vae(images) -> multi_rate.MultiRateVAE:
    """A small network whose gates are all different, as after training."""
    model = multi_rate_vae(KNOTS, seed=0, steps_per_epoch=4, hidden_units=7, image_shape=SHAPE, latent_dim=3)
    rng = np.random.default_rng(1)
    for layer in (*model.encoder.layers, *model.decoder.layers):
        layer.set_weights([rng.normal(0.5, 0.4, part.shape) for part in layer.get_weights()])
    return model


def of_kind(vae, kind):
    return [layer for network in (vae.encoder, vae.decoder) for layer in network.layers if isinstance(layer, kind)]


def at(gate, kl_weight):
    """Gain and shift, by NumPy's interpolation; held at the ends."""
    tables = (np.asarray(gate.gain), np.asarray(gate.shift))
    return [
        np.array([np.interp(np.log(kl_weight), np.log(KNOTS), column) for column in table.T], np.float32)
        for table in tables
    ]


# ---- gates


def test_knots_are_even_in_the_logarithm_below_and_even_above_where_units_die():
    knots = multi_rate.knots(0.02, collapse_weight=32.25)
    low, high = knots[: multi_rate.LOW_KNOTS], knots[multi_rate.LOW_KNOTS :]
    assert (low[0], high[0], high[-1]) == pytest.approx((0.02, 0.3 * 32.25, 1.25 * 32.25), rel=5e-4)
    assert np.diff(np.log(np.append(low, high[0]))) == pytest.approx(np.log(0.3 * 32.25 / 0.02) / 9, abs=2e-3)
    assert np.diff(high) == pytest.approx(0.95 * 32.25 / 13, abs=0.02)
    np.testing.assert_array_equal(knots, multi_rate.knots(0.02, 32.25 * (1 + 1e-9)))


@pytest.mark.parametrize("kl_weight", [0.1, 0.3, 1, 3.9, 4, 9, 10])
def test_gain_and_shift_are_linear_in_the_logarithm_of_the_weight(vae, kl_weight):
    for gate in of_kind(vae, Gate):
        found = gate.at(keras.ops.convert_to_tensor([kl_weight], "float32"))
        np.testing.assert_allclose([part[0] for part in found], at(gate, kl_weight), atol=1e-5)


def test_a_new_gate_changes_nothing():
    x = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    np.testing.assert_allclose(Gate(KNOTS)(x, np.float32([0.1, 0.5, 2, 7, 10])), x, rtol=1e-6)


# ---- the network


def by_hand(vae, image, kl_weight):
    """Mean, log-variance, and the outputs at the mean, of one image at one weight."""
    parts = (of_kind(vae, keras.layers.Dense), of_kind(vae, Gate))
    hidden, mean, log_var, decoded, pixels = zip(*parts, strict=True)

    def layer(x, dense, gate):
        (kernel, bias), (gain, shift) = dense.get_weights(), at(gate, kl_weight)
        return gain * (x @ kernel + bias) + shift

    h = np.maximum(0, layer(image.ravel(), *hidden))
    code = layer(h, *mean)
    return code, layer(h, *log_var), layer(np.maximum(0, layer(code, *decoded)), *pixels).reshape(SHAPE)


def test_each_image_is_coded_and_decoded_at_its_own_weight(vae, images):
    weights = np.geomspace(0.1, 10, len(images)).astype(np.float32)
    mean, log_var = vae.encoder([images, weights])
    outputs = vae.decoder([np.asarray(mean), weights])
    found = zip(mean, log_var, outputs, strict=True)
    for image, kl_weight, parts in zip(images, weights, found, strict=True):
        for part, expected in zip(parts, by_hand(vae, image, kl_weight), strict=True):
            np.testing.assert_allclose(part, expected, atol=2e-4)


@pytest.mark.parametrize("kl_weight", [0.1, 2.5, 10])
def test_at_a_weight_it_is_an_ordinary_reference_model(vae, images, kl_weight):
    plain = at_weight(vae, kl_weight)
    assert type(plain) is multi_rate.VAE
    assert float(plain.kl_weight) == pytest.approx(kl_weight)
    mean, log_var = latent.encode(plain, images)
    outputs = latent.outputs(plain, mean)
    for image, *parts in zip(images, mean, log_var, outputs, strict=True):
        for part, expected in zip(parts, by_hand(vae, image, kl_weight), strict=True):
            np.testing.assert_allclose(part, expected, atol=2e-4)


def test_a_saved_network_is_loaded_with_its_gates(vae, images, tmp_path):
    vae.save(tmp_path / "network.keras")
    loaded = keras.models.load_model(tmp_path / "network.keras")
    weights = np.full(len(images), 3, np.float32)
    np.testing.assert_array_equal(loaded.encoder([images, weights])[1], vae.encoder([images, weights])[1])
    assert loaded.kl_weights == [0.1, 10.0]


# ---- training


def test_weights_are_the_larger_of_two_that_are_uniform_in_their_logarithm(vae):
    weights = np.asarray(vae.draw_weights(20_000))
    share = np.log(weights / 0.1) / np.log(10 / 0.1)
    assert 0 <= share.min() <= share.max() <= 1
    # P(the larger of two <= s) = s^2; 0.0136 is passed by chance once in a thousand
    assert np.abs(np.sort(share) ** 2 - np.linspace(0, 1, len(share))).max() < 0.0136


def test_in_training_every_image_has_a_weight_of_its_own_and_otherwise_kl_weight(vae, images):
    *_, drawn = vae(images, training=True)
    assert len(np.unique(drawn)) == len(images)
    vae.kl_weight = 4
    np.testing.assert_array_equal(vae(images)[3], np.full(len(images), 4))


def test_the_objective_is_charged_at_each_weight_and_divided_where_the_weight_is_above_1(vae, images):
    weights = np.geomspace(0.1, 10, len(images)).astype(np.float32)
    mean, log_var = vae.encoder([images, weights])
    outputs = np.asarray(vae.decoder([np.asarray(mean), weights]), np.float64)
    x = images.astype(np.float64)
    distortion = (np.logaddexp(0, outputs) - x * outputs).sum(axis=(1, 2, 3))
    mean, log_var = (np.asarray(part, np.float64) for part in (mean, log_var))
    rate = 0.5 * (np.exp(log_var) + mean**2 - 1 - log_var).sum(axis=1)
    objective = distortion + weights * rate
    vae.reset_metrics()
    loss = vae.compute_loss(images, y_pred=(mean, log_var, outputs, weights))
    assert float(loss) == pytest.approx(np.mean(objective / np.where(weights > 1, weights, 1)), rel=1e-5)
    assert float(vae.objective_tracker.result()) == pytest.approx(objective.mean(), rel=1e-5)


def test_it_learns_every_weight_and_ends_with_the_average_of_its_last_epochs():
    digits = load_dataset("digits")
    steps = 15  # of 100 images
    vae = multi_rate_vae(multi_rate.knots(0.1, 31.6), 0, steps, hidden_units=32, image_shape=digits.image_shape)
    kernels = []
    history, _ = training.train(
        vae, digits, 20, 100, 0, after_epoch=lambda epoch: kernels.append(vae.trainable_variables[0].numpy())
    )
    assert history["objective"].iloc[-1] < history["objective"].iloc[0]
    averaged = vae.trainable_variables[0].numpy()
    assert 0 < np.abs(averaged - kernels[-1]).max() < np.abs(averaged - kernels[0]).max()
    codes = [latent.encode(at_weight(vae, weight), digits.test_images) for weight in (0.2, 20)]
    rates = [float(np.mean(kl_divergence(*code))) for code in codes]
    assert rates[0] > 2 * rates[1]
