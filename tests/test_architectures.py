"""The seeds' encoders and decoders: shapes as the seeds print them, parameters counted by hand."""

import keras
import numpy as np
import pytest

from vae_core import architectures, seeds

BUILDERS = {
    "gelu": (architectures.gelu_encoder, architectures.gelu_decoder, architectures.gelu_vae),
    "dense": (architectures.dense_encoder, architectures.dense_decoder, architectures.dense_vae),
    "conv": (architectures.conv_encoder, architectures.conv_decoder, architectures.conv_vae),
    "four_conv": (architectures.four_conv_encoder, architectures.four_conv_decoder, architectures.four_conv_vae),
}


def dense(inputs, units):
    return inputs * units + units


def conv(inputs, filters):
    return 3 * 3 * inputs * filters + filters


def layers_of(model):
    return [(layer.output.shape[1:], layer.count_params()) for layer in model.layers]


def test_seed_000_has_its_layers_and_parameters():
    encoder, decoder = architectures.gelu_encoder(), architectures.gelu_decoder()
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


def test_seed_001_s_dense_model_has_its_layers_and_parameters():
    encoder, decoder = architectures.dense_encoder(), architectures.dense_decoder()
    assert [shape for shape, _ in layers_of(encoder)] == [(28, 28, 1), (784,), (500,), (200,), (2,), (2,)]
    assert [shape for shape, _ in layers_of(decoder)] == [(2,), (200,), (500,), (784,), (28, 28, 1)]
    assert encoder.count_params() == dense(784, 500) + dense(500, 200) + dense(200, 2 * 2) == 493_504
    assert decoder.count_params() == dense(2, 200) + dense(200, 500) + dense(500, 784) == 493_884


def test_seed_001_s_convolutions_have_the_layers_of_tensorflow_s_tutorial():
    encoder, decoder = architectures.conv_encoder(), architectures.conv_decoder()
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


def test_seed_002_has_the_layers_and_parameters_that_it_prints():
    encoder, decoder = architectures.four_conv_encoder(), architectures.four_conv_decoder()
    assert tuple(layers_of(encoder)) == seeds.SEED_002_LAYERS["encoder"]
    assert tuple(layers_of(decoder)) == seeds.SEED_002_LAYERS["decoder"]
    counted = (
        conv(1, 32) + conv(32, 64) + 2 * conv(64, 64) + dense(14 * 14 * 64, 32) + 2 * dense(32, 2),
        dense(2, 14 * 14 * 64) + conv(64, 32) + conv(32, 1),
    )
    assert counted == (encoder.count_params(), decoder.count_params()) == (494_244, 56_385)
    assert sum(counted) == 550_629
    assert list(seeds.SEED_002_PARAMETERS.values()) == [*counted, sum(counted)]


@pytest.mark.parametrize(
    ("name", "activation"), [("gelu", "gelu"), ("dense", "relu"), ("conv", "relu"), ("four_conv", "relu")]
)
def test_hidden_layers_have_the_seed_s_activation_and_outputs_have_none(name, activation):
    for build in BUILDERS[name][:2]:
        model = build()
        outputs = {"mean", "log_var", "logits"} | ({model.layers[-2].name} if name in ("gelu", "dense") else set())
        for layer in model.layers:
            if hasattr(layer, "activation"):
                expected = "linear" if layer.name in outputs else activation
                assert layer.activation.__name__ == expected, (model.name, layer.name)


@pytest.mark.parametrize("name", BUILDERS)
@pytest.mark.parametrize("latent_dim", [1, 2, 20])
def test_builders_map_images_to_codes_and_codes_to_images_at_any_latent_dim(name, latent_dim):
    encoder, decoder, _ = BUILDERS[name]
    mean, log_var = encoder(latent_dim)(np.zeros((3, 28, 28, 1)))
    assert mean.shape == log_var.shape == (3, latent_dim)
    assert decoder(latent_dim)(np.zeros((3, latent_dim))).shape == (3, 28, 28, 1)


@pytest.mark.parametrize("name", BUILDERS)
def test_models_start_from_weights_that_the_seed_decides_and_the_kl_weight_does_not(name):
    build = BUILDERS[name][2]
    weights = {
        (kl_weight, seed): np.concatenate([w.ravel() for w in build(kl_weight, seed).get_weights()])
        for kl_weight, seed in ((0.0, 0), (20.0, 0), (0.0, 1))
    }
    assert np.array_equal(weights[0.0, 0], weights[20.0, 0])
    assert not np.array_equal(weights[0.0, 0], weights[0.0, 1])


@pytest.mark.parametrize(
    ("name", "optimizer", "learning_rate", "jit_compile"),
    [
        ("gelu", keras.optimizers.RMSprop, 1e-3, True),
        ("dense", keras.optimizers.Adam, 1e-4, True),
        ("conv", keras.optimizers.Adam, 1e-4, False),
        ("four_conv", keras.optimizers.Adam, 1e-3, False),
    ],
)
def test_models_are_compiled_as_in_their_seed_and_without_xla_where_there_are_convolutions(
    name, optimizer, learning_rate, jit_compile
):
    vae = BUILDERS[name][2](0.7, 0)
    assert type(vae.optimizer) is optimizer
    assert float(vae.optimizer.learning_rate) == pytest.approx(learning_rate)
    assert vae.jit_compile is jit_compile
    assert vae.kl_weight == 0.7
