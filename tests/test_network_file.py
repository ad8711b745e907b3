"""The one network of a sweep as files: what is read is what Keras computes, at any weight."""

import numpy as np
import pandas as pd
import pytest

from vae_core.errors import InputError
from vae_core.multi_rate import layers_of, multi_rate_vae
from vae_core.network_file import ABOUT, ARRAYS, OneNetwork, read_network, write_network

KNOTS = (0.1, 1.0, 4.0, 10.0)
SHAPE = (6, 5, 1)


@pytest.fixture(scope="module")
def vae():
    model = multi_rate_vae(KNOTS, seed=0, steps_per_epoch=4, hidden_units=7, image_shape=SHAPE)
    rng = np.random.default_rng(1)
    for layer in (*model.encoder.layers, *model.decoder.layers):
        layer.set_weights([rng.normal(0.5, 0.4, part.shape) for part in layer.get_weights()])
    return model


@pytest.fixture
def folder(vae, tmp_path):
    curve = pd.DataFrame({"kl_weight": [0.1, 10.0], "distortion": [100.5, 200.0], "rate": [9.0, 0.5]})
    about = {"seed": 3, "epochs": 5, "training_seconds": 7.0}
    write_network(tmp_path, OneNetwork(np.array(KNOTS), layers_of(vae), curve, about))
    return tmp_path


@pytest.mark.parametrize("kl_weight", [0.1, 0.7, 4, 10])
def test_what_is_read_computes_what_keras_does(vae, folder, kl_weight):
    layers = read_network(folder).at(kl_weight)
    images = np.random.default_rng(0).random((3, *SHAPE), np.float32)
    weights = np.full(3, kl_weight, np.float32)

    def dense(name, x):
        kernel, bias = layers[name]
        return x @ kernel + bias

    h = np.maximum(0, dense("encoder.hidden", images.reshape(3, -1)))
    mean, log_var = vae.encoder([images, weights])
    np.testing.assert_allclose(dense("encoder.mean", h), mean, atol=1e-4)
    np.testing.assert_allclose(dense("encoder.log_var", h), log_var, atol=1e-4)
    outputs = dense("decoder.pixels", np.maximum(0, dense("decoder.hidden", np.asarray(mean))))
    np.testing.assert_allclose(outputs, np.reshape(vae.decoder([np.asarray(mean), weights]), (3, -1)), atol=1e-3)


def test_the_curve_and_the_training_are_kept(folder):
    network = read_network(folder)
    assert isinstance(network, OneNetwork)
    assert network.curve.to_dict("list") == {"kl_weight": [0.1, 10.0], "distortion": [100.5, 200.0], "rate": [9.0, 0.5]}
    assert (network.about["seed"], network.about["epochs"], network.about["training_seconds"]) == (3, 5, 7.0)
    assert "source_sha256" in network.about
    np.testing.assert_allclose(network.knots, KNOTS)


def test_a_sweep_without_a_network_has_none_and_a_damaged_one_is_named(folder, tmp_path_factory):
    assert read_network(tmp_path_factory.mktemp("empty")) is None
    whole = (folder / ARRAYS).read_bytes()
    for broken in (whole[: len(whole) // 2], b""):
        (folder / ARRAYS).write_bytes(broken)
        with pytest.raises(InputError, match=r"one_network\.npz beside it, is damaged"):
            read_network(folder)
    (folder / ABOUT).write_text("[]")
    with pytest.raises(InputError, match="is damaged"):
        read_network(folder)
