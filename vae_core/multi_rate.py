"""One network for every weight: a VAE whose layers are gated by the KL weight. For any Keras backend.

Bae et al. 2023, "Multi-Rate VAE: train once, get the full rate-distortion curve", arXiv:2212.03905. Each training image
is charged for its rate with a weight of its own, drawn anew in each step, and the network is told which.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial

import vae_core.backend  # noqa: F401

import keras
import numpy as np
from keras import layers, ops

from vae_core.data import IMAGE_SHAPE
from vae_core.errors import InputError
from vae_core.likelihoods import BERNOULLI, Likelihood
from vae_core.models import VAE, build_vae, reference_vae

LEARNING_RATE = 4e-3  # of Adam; four times that of the sweep's runs, chosen on MNIST
AVERAGED_EPOCHS = 4  # after so many the moving average of the network's weights has forgotten all but 1/e
GATE = "_gate"  # behind the name of the Dense layer that a gate belongs to
LOW_KNOTS, HIGH_KNOTS = 9, 14  # between the weights of `knots`


def knots(least: float, collapse_weight: float) -> np.ndarray:
    """Weights between which gates are interpolated: (LOW_KNOTS + HIGH_KNOTS,), from `least` to 1.25 collapse weights.

    They are evenly spaced from 0.3 collapse weights on, where units die one by one, and in their logarithm below. They
    have four digits: the last ones of an eigenvalue may differ from one computation to the next.

    least: the smallest weight, above 0; collapse_weight: above which no unit lives (`vae_core.collapse`)

    Raises InputError for a least weight that is not in the lower part.
    """
    if not 0 < least < 0.3 * collapse_weight:
        raise InputError(f"the smallest weight must be above 0 and below {0.3 * collapse_weight:.3g}, not {least:g}")
    low = np.geomspace(least, 0.3 * collapse_weight, LOW_KNOTS, endpoint=False)
    high = np.linspace(0.3, 1.25, HIGH_KNOTS) * collapse_weight
    return np.array([float(f"{knot:.4g}") for knot in (*low, *high)])


@keras.saving.register_keras_serializable("vae_core")
class Gate(layers.Layer):
    """gain(c) * x + shift(c) for the KL weight c of each image; one gain and one shift per unit.

    Both are learned at the knots, and linear in ln c between them. Before training the gain is 1 and the shift 0.

    x: (batch, units); kl_weights: (batch,)
    returns: (batch, units)
    """

    def __init__(self, knots: Sequence[float], **kwargs):
        super().__init__(**kwargs)
        self.knots = [float(knot) for knot in knots]

    def build(self, x_shape, kl_weights_shape):
        """Make gain and shift: (knots, units) each."""
        shape = (len(self.knots), x_shape[-1])
        self.gain = self.add_weight(shape=shape, initializer="ones", name="gain")
        self.shift = self.add_weight(shape=shape, initializer="zeros", name="shift")

    def call(self, x, kl_weights):
        """The gated x."""
        gain, shift = self.at(kl_weights)
        return gain * x + shift

    def at(self, kl_weights):
        """Gain and shift at these weights: (batch, units) each."""
        share = self.shares(kl_weights)
        return share @ self.gain, share @ self.shift

    def shares(self, kl_weights):
        """How much each knot counts at these weights: (batch, knots); two neighbours count, and sum to 1."""
        position = np.log(self.knots).astype("float32")
        gaps = np.diff(position)
        distance = ops.log(kl_weights)[:, None] - position
        below, above = np.append(gaps[:1], gaps), np.append(gaps, gaps[-1:])  # the gap on either side of each knot
        return ops.relu(1 - ops.where(distance < 0, -distance / below, distance / above))

    def compute_output_shape(self, x_shape, kl_weights_shape):
        """That of x."""
        return x_shape

    def get_config(self):
        """The knots, beside what every layer stores."""
        return super().get_config() | {"knots": self.knots}


class MultiRateVAE(VAE):
    """A VAE for every weight between two. Encoder and decoder take the weight of each image as a second input.

    In training each image has a weight of its own, and what is minimised is the mean over the batch of

    (distortion + c * rate) / max(1, c)

    Without the divisor an image at weight 40 would push 40 times as hard as one at weight 1, and the layers that all
    weights share would belong to the largest weights. With it neither term counts more than once. The minimum at each
    weight is that of a VAE with this weight.

    Outside training every image has `kl_weight`: `vae.kl_weight = 4`, then `vae.evaluate(images)`. The objective that
    training reports is a mean over all weights, without the divisor.

    kl_weights: the least and the largest weight, above 0
    """

    def __init__(self, *arguments, kl_weights: Sequence[float], **kwargs):
        super().__init__(*arguments, **kwargs)
        self.kl_weights = [float(limit) for limit in kl_weights]
        self.weight_generator = keras.random.SeedGenerator(self.sampling.seed + 1)  # not the noise of z once more

    def call(self, images, training=None):
        """Mean and log-variance of q(z|x), the decoder's outputs for one draw, and the weight of each image."""
        rows = ops.shape(images)[0]
        kl_weights = self.draw_weights(rows) if training else ops.ones(rows) * self.kl_weight  # (batch,)
        mean, log_var = self.encoder([images, kl_weights])
        return mean, log_var, self.decoder([self.draw(mean, log_var), kl_weights]), kl_weights

    def draw_weights(self, rows: int):
        """A weight for each image: the larger one of two that are uniform in their logarithm, (rows,).

        Large weights need more of the training: there units die one by one, and each death is a step for the gates.
        """
        least, largest = np.log(self.kl_weights)
        share = ops.max(keras.random.uniform((2, rows), seed=self.weight_generator), axis=0)
        return ops.exp(least + (largest - least) * share)

    def charge(self, rates, kl_weights):
        """What the objective has for the rate per dimension, each image at its own weight: (batch,)."""
        return self._at_this_step(self.rate_term)(rates, kl_weights)

    def reduce(self, objective, kl_weights):
        """The one number that is minimised: see above."""
        return ops.mean(objective / ops.maximum(1.0, kl_weights))

    def get_config(self):
        """The two weights too."""
        return super().get_config() | {"kl_weights": self.kl_weights}


def multi_rate_vae(
    knots: Sequence[float],
    seed: int,
    steps_per_epoch: int,
    learning_rate: float = LEARNING_RATE,
    hidden_units: int = 512,
    image_shape: tuple[int, int, int] = IMAGE_SHAPE,
    likelihood: Likelihood = BERNOULLI,
    latent_dim: int = 2,
) -> MultiRateVAE:
    """The sweep's model with a gate behind each of its Dense layers, compiled with `averaging_adam`.

    knots: weights, rising; between the first and the last of them the network is trained
    steps_per_epoch: batches, the last and smaller one included
    """
    return build_vae(
        lambda: gated_encoder(knots, hidden_units, latent_dim, image_shape),
        lambda: gated_decoder(knots, hidden_units, latent_dim, image_shape),
        1.0,
        seed,
        averaging_adam(learning_rate, steps_per_epoch),
        likelihood,
        kind=partial(MultiRateVAE, kl_weights=(knots[0], knots[-1])),
    )


def averaging_adam(learning_rate: float, steps_per_epoch: int) -> keras.optimizers.Adam:
    """Adam, and a moving average of the network's weights, which take its place when training ends.

    Some steps favour some KL weights, others others: the average favours none, and allows a higher learning rate.
    """
    momentum = 1 - 1 / (AVERAGED_EPOCHS * steps_per_epoch)
    return keras.optimizers.Adam(learning_rate, use_ema=True, ema_momentum=momentum, ema_overwrite_frequency=None)


def gated_encoder(
    knots: Sequence[float], hidden_units: int, latent_dim: int, image_shape: tuple[int, int, int]
) -> keras.Model:
    """`dense_encoder` of one hidden layer, with gates."""
    images, kl_weights = keras.Input(image_shape, name="images"), keras.Input((), name="kl_weights")
    x = layers.Flatten()(images)  # (batch, pixels)
    x = layers.ReLU()(_gated("hidden", hidden_units, knots)(x, kl_weights))
    code = [_gated(name, latent_dim, knots)(x, kl_weights) for name in ("mean", "log_var")]
    return keras.Model([images, kl_weights], code, name="encoder")


def gated_decoder(
    knots: Sequence[float], hidden_units: int, latent_dim: int, image_shape: tuple[int, int, int]
) -> keras.Model:
    """`dense_decoder` of one hidden layer, with gates."""
    z, kl_weights = keras.Input((latent_dim,), name="z"), keras.Input((), name="kl_weights")
    x = layers.ReLU()(_gated("hidden", hidden_units, knots)(z, kl_weights))
    x = _gated("pixels", math.prod(image_shape), knots)(x, kl_weights)  # (batch, pixels)
    return keras.Model([z, kl_weights], layers.Reshape(image_shape, name="outputs")(x), name="decoder")


def _gated(name: str, units: int, knots: Sequence[float]) -> Callable:
    """A Dense layer and the gate behind it, which is named after it."""
    dense, gate = layers.Dense(units, name=name), Gate(knots, name=f"{name}{GATE}")
    return lambda x, kl_weights: gate(dense(x), kl_weights)


def at_weight(multi_rate: MultiRateVAE, kl_weight: float) -> VAE:
    """The reference model that the network is at one weight: an ordinary VAE, for every measure and figure.

    A Dense layer with a gate is a Dense layer again: gain * (x @ kernel + bias) + shift.
    """
    encoder, decoder = multi_rate.encoder, multi_rate.decoder
    vae = reference_vae(
        kl_weight,
        multi_rate.sampling.seed,
        hidden_units=encoder.get_layer("hidden").units,
        image_shape=encoder.input_shape[0][1:],
        likelihood=multi_rate.likelihood,
        latent_dim=decoder.input_shape[0][1],
    )
    turn(vae, multi_rate, kl_weight)
    return vae


def turn(vae: VAE, multi_rate: MultiRateVAE, kl_weight: float) -> None:
    """Make an `at_weight` of the network that of another weight."""
    vae.kl_weight = kl_weight
    for gated, plain in ((multi_rate.encoder, vae.encoder), (multi_rate.decoder, vae.decoder)):
        for dense, target in zip(_dense_layers(gated), _dense_layers(plain), strict=True):
            kernel, bias = dense.get_weights()
            gain, shift = gate_at(gated, dense.name, kl_weight)
            target.set_weights([gain * kernel, gain * bias + shift])


def gate_at(network: keras.Model, dense: str, kl_weight: float) -> tuple[np.ndarray, np.ndarray]:
    """Gain and shift of each unit of a Dense layer at one weight, (units,) each; 1 and 0 of a layer without a gate."""
    names = [layer.name for layer in network.layers]
    if (name := f"{dense}{GATE}") not in names:
        units = network.get_layer(dense).units
        return np.ones(units, np.float32), np.zeros(units, np.float32)
    gain, shift = network.get_layer(name).at(ops.convert_to_tensor([kl_weight], "float32"))
    return np.asarray(gain)[0], np.asarray(shift)[0]


def layers_of(multi_rate: MultiRateVAE) -> dict[str, dict[str, np.ndarray]]:
    """Each Dense layer and its gate: kernel (inputs, units), bias (units,), gain and shift (knots, units), by name."""
    found = {}
    for network in (multi_rate.encoder, multi_rate.decoder):
        for dense in _dense_layers(network):
            arrays = [*dense.get_weights(), *network.get_layer(f"{dense.name}{GATE}").get_weights()]
            found[f"{network.name}.{dense.name}"] = dict(zip(("kernel", "bias", "gain", "shift"), arrays, strict=True))
    return found


def _dense_layers(network: keras.Model) -> list[layers.Dense]:
    return [layer for layer in network.layers if isinstance(layer, layers.Dense)]
