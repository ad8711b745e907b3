"""The builders of encoders and decoders in `models`: shapes, and parameters counted by hand."""

import numpy as np
import pytest

from vae_core.models import conv_decoder, conv_encoder, dense_decoder, dense_encoder

BUILDERS = {
    "dense": (
        lambda latent_dim: dense_encoder((6, 5), latent_dim),
        lambda latent_dim: dense_decoder((5, 6), latent_dim),
    ),
    "conv": (conv_encoder, conv_decoder),
}


def dense(inputs, units):
    return inputs * units + units


def conv(inputs, filters):
    return 3 * 3 * inputs * filters + filters


def layers_of(model):
    return [(layer.output.shape[1:], layer.count_params()) for layer in model.layers]


def test_dense_models_have_the_layers_that_they_are_asked_for():
    encoder, decoder = dense_encoder((150, 100), latent_dim=10), dense_decoder((100, 150), latent_dim=10)
    assert layers_of(encoder) == [
        ((28, 28, 1), 0),
        ((784,), 0),
        ((150,), dense(784, 150)),
        ((100,), dense(150, 100)),
        ((10,), dense(100, 10)),
        ((10,), dense(100, 10)),
    ]
    assert layers_of(decoder) == [
        ((10,), 0),
        ((100,), dense(10, 100)),
        ((150,), dense(100, 150)),
        ((784,), dense(150, 784)),
        ((28, 28, 1), 0),
    ]
    assert (encoder.count_params(), decoder.count_params()) == (134_870, 134_634)


def test_tutorial_001_s_dense_model_has_its_parameters():
    encoder, decoder = dense_encoder((500, 200)), dense_decoder((200, 500))
    assert encoder.count_params() == dense(784, 500) + dense(500, 200) + dense(200, 2 * 2) == 493_504
    assert decoder.count_params() == dense(2, 200) + dense(200, 500) + dense(500, 784) == 493_884


def test_a_dense_model_takes_images_of_any_shape():
    encoder, decoder = dense_encoder((7,), image_shape=(5, 4, 3)), dense_decoder((7,), image_shape=(5, 4, 3))
    mean, log_var = encoder(np.zeros((2, 5, 4, 3)))
    assert mean.shape == log_var.shape == (2, 2)
    assert decoder(mean).shape == (2, 5, 4, 3)
    assert encoder.count_params() + decoder.count_params() == dense(60, 7) + dense(7, 4) + dense(2, 7) + dense(7, 60)


def test_tutorial_001_s_convolutions_have_the_layers_of_tensorflow_s_tutorial():
    encoder, decoder = conv_encoder(), conv_decoder()
    assert layers_of(encoder) == [
        ((28, 28, 1), 0),
        ((13, 13, 32), conv(1, 32)),
        ((6, 6, 64), conv(32, 64)),
        ((2304,), 0),
        ((2,), dense(2304, 2)),
        ((2,), dense(2304, 2)),
    ]
    assert layers_of(decoder) == [
        ((2,), 0),
        ((1568,), dense(2, 7 * 7 * 32)),
        ((7, 7, 32), 0),
        ((14, 14, 64), conv(32, 64)),
        ((28, 28, 32), conv(64, 32)),
        ((28, 28, 1), conv(32, 1)),
    ]
    assert (encoder.count_params(), decoder.count_params()) == (28_036, 41_953)


@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_hidden_dense_layers_have_the_activation_that_is_asked_for_and_outputs_have_none(activation):
    encoder, decoder = dense_encoder((6, 5), activation=activation), dense_decoder((5, 6), activation=activation)
    assert activations(encoder) == [activation, activation, "linear", "linear"]
    assert activations(decoder) == [activation, activation, "linear"]


def test_hidden_convolutions_are_relu_and_outputs_are_linear():
    assert activations(conv_encoder()) == ["relu", "relu", "linear", "linear"]
    assert activations(conv_decoder()) == ["relu", "relu", "relu", "linear"]


def activations(model):
    return [layer.activation.__name__ for layer in model.layers if hasattr(layer, "activation")]


@pytest.mark.parametrize("name", BUILDERS)
@pytest.mark.parametrize("latent_dim", [1, 2, 20])
def test_builders_map_images_to_codes_and_codes_to_images_at_any_latent_dim(name, latent_dim):
    encoder, decoder = BUILDERS[name]
    mean, log_var = encoder(latent_dim)(np.zeros((3, 28, 28, 1)))
    assert mean.shape == log_var.shape == (3, latent_dim)
    assert decoder(latent_dim)(np.zeros((3, latent_dim))).shape == (3, 28, 28, 1)
