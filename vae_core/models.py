"""Encoders and decoders, the draw between them, and the VAE with a weight on its rate. For any Keras backend.

An encoder maps images, (batch, height, width, channels), to the mean and the log-variance of q(z|x), (batch,
latent_dim) each. A decoder maps latent points, (batch, latent_dim), to what the likelihood takes, in the shape of the
images.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import vae_core.backend  # noqa: F401

import keras
import numpy as np
from keras import layers, ops
from keras.optimizers.schedules import LearningRateSchedule

from vae_core.data import IMAGE_SHAPE
from vae_core.errors import InputError
from vae_core.likelihoods import BERNOULLI, Likelihood, likelihood_of
from vae_core.losses import free_bits_rate, rate_per_dimension, target_rate_term, weighted_rate
from vae_core.noise import normal
from vae_core.schedules import kl_schedule
from vae_core.settings import DEFAULTS

LOWEST_IS_BEST = {"objective", "distortion", "val_objective", "val_distortion"}
CONSTRAINT_MEMORY = 0.9  # of GECO, below: share of the moving average that stays in each step; alpha in the paper
CONSTRAINT_STEP = 1e-2  # of the logarithm of the weight, per step and nat; chosen on digits
CONSTRAINT_LIMIT = 5.0  # nats: no more of the constraint counts, so that a step changes the weight by 5 % at most
WEIGHT_LIMITS = (1e-2, 1e4)  # a weight stays here if no weight satisfies the constraint


@keras.saving.register_keras_serializable("vae_core")
class Sampling(layers.Layer):
    """Reparameterised draw: z = mean + exp(log_var / 2) * noise, noise ~ N(0, I).

    mean, log_var: (batch, latent_dim)
    returns: (batch, latent_dim)
    """

    def __init__(self, seed: int, **kwargs):
        super().__init__(**kwargs)
        self.seed = seed
        self.generator = keras.random.SeedGenerator(seed)
        self.built = True  # it has no weights

    def call(self, mean, log_var):
        """Draw one z for each row."""
        return mean + ops.exp(log_var / 2) * self._noise(ops.shape(mean)[0], mean.shape[-1])

    def _noise(self, rows, latent_dim: int):
        if latent_dim <= 2:  # Keras' own generator is fast enough there, and every published run has its numbers
            return keras.random.normal((rows, latent_dim), dtype=self.compute_dtype, seed=self.generator)
        return ops.cast(normal(self.generator.next(), rows, latent_dim), self.compute_dtype)

    def get_config(self):
        """The seed, beside what every layer stores."""
        return super().get_config() | {"seed": self.seed}


@keras.saving.register_keras_serializable("vae_core")
class VAE(keras.Model):
    """Minimises distortion + kl_weight * rate; reports objective, distortion and rate, in nats per image.

    `fit`, validation and `evaluate` share `compute_loss`, the only place where the objective is put together. They also
    report `loss`, the number that is minimised: the objective, and penalties of the layers if they have any. They take
    images alone: targets are ignored, `sample_weight` raises InputError, and `compile` takes an optimizer and no loss.

    It is saved, loaded, cloned and pickled as any Keras model. A subclass whose `__init__` takes more adds that to
    `get_config`. Draws are not continued: a loaded model draws from its seed anew. A `rate_term` of your own is loaded
    if it is registered with Keras or given in `custom_objects`. With mixed precision losses are float32.

    kl_weight: a number, or a Keras schedule of the optimizer's step, as `learning_rate` is; a schedule needs a compiled
        model, and validation after an epoch is charged the weight of the next step
    seed: of the draws of z
    likelihood: p(x|z) for the decoder's outputs
    rate_term: what is charged for the code, (batch,) or one number for all, as a function of the rate per dimension,
        (batch, latent_dim), and kl_weight; a schedule among the keywords of a `functools.partial` is taken at the
        optimizer's step
    """

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        kl_weight: float | LearningRateSchedule,
        seed: int,
        likelihood: Likelihood = BERNOULLI,
        rate_term: Callable = weighted_rate,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.encoder = encoder
        self.decoder = decoder
        self.likelihood = likelihood
        self.rate_term = rate_term
        self.sampling = Sampling(seed)
        if isinstance(kl_weight, LearningRateSchedule):
            self._kl_weight = kl_weight
        else:
            start = keras.initializers.Constant(kl_weight)
            self._kl_weight = self.add_weight(shape=(), initializer=start, trainable=False, name="kl_weight")
        self.objective_tracker = keras.metrics.Mean(name="objective")
        self.distortion_tracker = keras.metrics.Mean(name="distortion")
        self.rate_tracker = keras.metrics.Mean(name="rate")

    def __init_subclass__(cls, **kwargs):
        """Register every subclass with Keras, so that its models can be loaded."""
        super().__init_subclass__(**kwargs)
        keras.saving.register_keras_serializable(cls.__module__)(cls)

    @property
    def kl_weight(self):
        """The weight on the rate at this moment: a variable, or the schedule at the optimizer's step."""
        if isinstance(self._kl_weight, LearningRateSchedule):
            return self._kl_weight(self.optimizer.iterations)
        return self._kl_weight

    @kl_weight.setter
    def kl_weight(self, value: float):
        """Set the number that the next step uses. Raises TypeError if a schedule sets it."""
        if isinstance(self._kl_weight, LearningRateSchedule):
            raise TypeError("kl_weight follows a schedule here, so it cannot be set")
        self._kl_weight.assign(value)

    @property
    def kl_weight_varies(self) -> bool:
        """Whether training changes kl_weight: the history then has it at the end of every epoch."""
        return isinstance(self._kl_weight, LearningRateSchedule)

    def inputs(self, images, labels):
        """What `call` takes of a data set's images and labels: the images."""
        return images

    def check(self, images):
        """Raise InputError if training on these images cannot reach what the model is for; here it always can."""

    def call(self, images):
        """Mean and log-variance of q(z|x), each (batch, latent_dim), and the decoder's outputs for one draw."""
        mean, log_var = self.encoder(images)
        return mean, log_var, self.decoder(self.draw(mean, log_var))

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Mean over the batch of distortion + kl_weight * rate; x are the images, y_pred what `call` returned.

        What the `call` of a subclass returns beyond the three goes to its `charge` and its `reduce`.

        Raises InputError for a sample_weight.
        """
        if sample_weight is not None:
            raise InputError("every image counts once here: leave out sample_weight and class_weight")
        mean, log_var, outputs, *others = (ops.cast(part, self.variable_dtype) for part in y_pred)
        distortion = self.likelihood.nll(x, outputs)  # (batch,)
        rates = self.rates(mean, log_var)  # (batch, latent_dim)
        objective = distortion + self.charge(rates, *others)  # (batch,)
        self.objective_tracker.update_state(objective)
        self.distortion_tracker.update_state(distortion)
        self.rate_tracker.update_state(ops.sum(rates, axis=-1))
        return sum(self.losses, start=self.reduce(objective, *others))

    def fit(self, x=None, y=None, batch_size=None, epochs=1, verbose="auto", callbacks=None, *others, **kwargs):
        """That of Keras, which cannot tell callbacks that the lowest objective is the best one; a `mode` still can."""
        for callback in keras.tree.flatten(callbacks):
            if getattr(callback, "monitor", None) in LOWEST_IS_BEST and callback.mode == "auto":
                callback.mode = "min"
        if self.kl_weight_varies:
            callbacks = [_WeightLog(), *keras.tree.flatten(callbacks or [])]
        return super().fit(x, y, batch_size, epochs, verbose, callbacks, *others, **kwargs)

    def build(self, input_shape=None):
        """Nothing is left to build: encoder and decoder come with their weights."""

    def get_config(self):
        """What `from_config` makes this model of, its kl_weight as it is now."""
        scheduled = isinstance(self._kl_weight, LearningRateSchedule)
        parts = {
            "encoder": self.encoder,
            "decoder": self.decoder,
            "kl_weight": self._kl_weight if scheduled else float(self._kl_weight),
            "likelihood": self.likelihood,
            "rate_term": _without_partial(self.rate_term),
        }
        return super().get_config() | {"seed": self.sampling.seed} | keras.saving.serialize_keras_object(parts)

    @classmethod
    def from_config(cls, config):
        """The model of a `get_config`, with weights of its own."""
        names = ("encoder", "decoder", "kl_weight", "likelihood", "rate_term")
        parts = {name: keras.saving.deserialize_keras_object(config[name]) for name in names}
        parts["rate_term"] = _with_partial(parts["rate_term"])
        return cls(**config | parts)

    def load_weights(self, filepath, **kwargs):
        """That of Keras. Raises InputError for the weights of a model with other layers."""
        if not self.built:
            self.build(self.encoder.input_shape)
        try:
            super().load_weights(filepath, **kwargs)
        except ValueError as error:
            raise InputError(
                f"{filepath} does not fit this model: make the model with the settings in the run's config.json"
            ) from error

    def load_own_variables(self, store):
        """Its kl_weight, which stays as it is if the file has none, as files of a schedule and the oldest ones.

        A schedule stays too, whatever weight the file has.
        """
        variables = len(self._trainable_variables) + len(self._non_trainable_variables)
        if {variables, len(store.keys())} != {0, 1}:
            super().load_own_variables(store)

    def charge(self, rates):
        """What the objective has for the rate per dimension at this moment: the `rate_term` of it and kl_weight.

        rates: (batch, latent_dim), nats
        returns: (batch,), or one number for all, nats per image
        """
        return self._at_this_step(self.rate_term)(rates, self.kl_weight)

    def _at_this_step(self, function):
        """A function, with numbers in place of the schedules among the keywords of a partial one."""
        if not isinstance(function, partial):
            return function
        scheduled = {
            name: value for name, value in function.keywords.items() if isinstance(value, LearningRateSchedule)
        }
        return partial(function, **{name: value(self.optimizer.iterations) for name, value in scheduled.items()})

    def draw(self, mean, log_var):
        """One z for each row: (batch, latent_dim)."""
        return self.sampling(mean, log_var)

    def rates(self, mean, log_var):
        """The rate of each latent dimension: (batch, latent_dim), in nats."""
        return rate_per_dimension(mean, log_var)

    def reduce(self, objective):
        """The one number that is minimised, from the objective of each image, (batch,)."""
        return ops.mean(objective)


class GECO(VAE):
    """A VAE whose training finds the kl_weight at which the distortion is the target. Rezende and Viola 2018.

    They minimise rate + lambda * (distortion - target) and multiply lambda in each step by exp(step * C), where C is a
    moving average of the constraint distortion - target (arXiv:1810.00597, algorithm 1). With kl_weight = 1 / lambda
    this is, divided by lambda, the objective of a VAE whose weight changes:

    C = memory * C + (1 - memory) * (distortion - target)
    kl_weight = kl_weight * exp(-step * C),  where C counts as CONSTRAINT_LIMIT at most, and as minus that at least

    in nats per image, the distortion being that of the batch; C starts with the first one. The numbers are
    CONSTRAINT_MEMORY and CONSTRAINT_STEP. Validation changes nothing.

    While the distortion is still above the target the weight falls to the first of WEIGHT_LIMITS, and it comes back
    when the target is met. A target below what the model reaches leaves it there, one above the distortion of a code
    that says nothing drives it towards the second: the training stays finite, and the target is not met.

    kl_weight: the first one, above 0
    target_distortion: nats per image
    """

    def __init__(self, *arguments, target_distortion: float, **kwargs):
        super().__init__(*arguments, **kwargs)
        self.target_distortion = target_distortion
        self.constraint = self.add_weight(shape=(), initializer="zeros", trainable=False, name="constraint")

    @property
    def kl_weight_varies(self) -> bool:
        """It does."""
        return True

    def check(self, images):
        """Raise InputError for a target below the distortion of every decoder."""
        if self.target_distortion < (floor := self.likelihood.floor(images)):
            raise InputError(
                f"no model has a target_distortion of {self.target_distortion:g}: "
                f"that of the training images cannot be below {floor:.2f}"
            )

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """That of the VAE; in training the weight changes for the next step."""
        loss = super().compute_loss(x, y, y_pred, sample_weight, training)
        if training:
            self._weigh(x, y_pred[2])
        return loss

    def _weigh(self, images, outputs):
        outputs = ops.cast(outputs, self.variable_dtype)
        constraint = ops.stop_gradient(ops.mean(self.likelihood.nll(images, outputs))) - self.target_distortion
        memory = ops.where(self.optimizer.iterations == 0, 0.0, CONSTRAINT_MEMORY)
        self.constraint.assign(memory * self.constraint + (1 - memory) * constraint)
        counted = ops.clip(self.constraint, -CONSTRAINT_LIMIT, CONSTRAINT_LIMIT)
        weight = self._kl_weight * ops.exp(-CONSTRAINT_STEP * counted)
        self._kl_weight.assign(ops.clip(weight, *WEIGHT_LIMITS))

    def get_config(self):
        """The target too."""
        return super().get_config() | {"target_distortion": self.target_distortion}


class _WeightLog(keras.callbacks.Callback):
    """Adds kl_weight at the end of an epoch to what Keras logs of it."""

    def on_epoch_end(self, epoch, logs):
        logs["kl_weight"] = float(self.model.kl_weight)


def _without_partial(function):
    """A function, or a `functools.partial` as a dictionary of what Keras can store."""
    if not isinstance(function, partial):
        return function
    return {"function": function.func, "arguments": list(function.args), "keywords": function.keywords}


def _with_partial(stored):
    """What `_without_partial` was given."""
    if not isinstance(stored, dict):
        return stored
    return partial(stored["function"], *stored["arguments"], **stored["keywords"])


def dense_encoder(
    hidden_units: Sequence[int],
    latent_dim: int = 2,
    activation: str = "relu",
    image_shape: tuple[int, int, int] = IMAGE_SHAPE,
) -> keras.Model:
    """Dense layers of so many units, then mean and log-variance of q(z|x)."""
    images = keras.Input(image_shape, name="images")
    x = layers.Flatten()(images)  # (batch, pixels)
    for units in hidden_units:
        x = layers.Dense(units, activation=activation)(x)
    return gaussian_encoder(images, x, latent_dim)


def dense_decoder(
    hidden_units: Sequence[int],
    latent_dim: int = 2,
    activation: str = "relu",
    image_shape: tuple[int, int, int] = IMAGE_SHAPE,
) -> keras.Model:
    """Dense layers of so many units, then one output per pixel."""
    z = keras.Input((latent_dim,), name="z")
    x = z
    for units in hidden_units:
        x = layers.Dense(units, activation=activation)(x)
    x = layers.Dense(math.prod(image_shape))(x)  # (batch, pixels)
    return keras.Model(z, layers.Reshape(image_shape, name="outputs")(x), name="decoder")


def conv_encoder(latent_dim: int = 2) -> keras.Model:
    """Tutorial 001's: two strided convolutions without padding, for images of 28 x 28."""
    images = keras.Input(IMAGE_SHAPE, name="images")
    x = layers.Conv2D(32, 3, strides=2, activation="relu")(images)  # (batch, 13, 13, 32)
    x = layers.Conv2D(64, 3, strides=2, activation="relu")(x)  # (batch, 6, 6, 64)
    x = layers.Flatten()(x)  # (batch, 2304)
    return gaussian_encoder(images, x, latent_dim)


def conv_decoder(latent_dim: int = 2) -> keras.Model:
    """Tutorial 001's: a Dense relu layer and three transposed convolutions, for images of 28 x 28."""
    z = keras.Input((latent_dim,), name="z")
    return keras.Model(z, transposed_convolutions(z), name="decoder")


def transposed_convolutions(z):
    """The layers of `conv_decoder`: (batch, numbers) to (batch, 28, 28, 1)."""
    x = layers.Dense(7 * 7 * 32, activation="relu")(z)
    x = layers.Reshape((7, 7, 32))(x)  # (batch, 7, 7, 32)
    x = layers.Conv2DTranspose(64, 3, strides=2, padding="same", activation="relu")(x)  # (batch, 14, 14, 64)
    x = layers.Conv2DTranspose(32, 3, strides=2, padding="same", activation="relu")(x)  # (batch, 28, 28, 32)
    return layers.Conv2DTranspose(1, 3, padding="same", name="outputs")(x)  # (batch, 28, 28, 1)


def four_conv_encoder(latent_dim: int = 2) -> keras.Model:
    """Tutorial 002's: four convolutions, of which one halves the image, and a Dense relu layer of 32 units."""
    images = keras.Input(IMAGE_SHAPE, name="images")
    x = layers.Conv2D(32, 3, padding="same", activation="relu")(images)  # (batch, 28, 28, 32)
    x = layers.Conv2D(64, 3, strides=2, padding="same", activation="relu")(x)  # (batch, 14, 14, 64)
    x = layers.Conv2D(64, 3, padding="same", activation="relu")(x)
    x = layers.Conv2D(64, 3, padding="same", activation="relu")(x)
    x = layers.Flatten()(x)  # (batch, 12544)
    x = layers.Dense(32, activation="relu")(x)
    return gaussian_encoder(images, x, latent_dim)


def four_conv_decoder(latent_dim: int = 2) -> keras.Model:
    """Tutorial 002's: a Dense relu layer and two transposed convolutions, for images of 28 x 28."""
    z = keras.Input((latent_dim,), name="z")
    x = layers.Dense(14 * 14 * 64, activation="relu")(z)
    x = layers.Reshape((14, 14, 64))(x)  # (batch, 14, 14, 64)
    x = layers.Conv2DTranspose(32, 3, strides=2, padding="same", activation="relu")(x)  # (batch, 28, 28, 32)
    outputs = layers.Conv2DTranspose(1, 3, padding="same", name="outputs")(x)  # (batch, 28, 28, 1)
    return keras.Model(z, outputs, name="decoder")


def gaussian_encoder(images, x, latent_dim: int) -> keras.Model:
    """An encoder from its inputs and its last hidden layer: mean and log-variance by one Dense layer each."""
    mean = layers.Dense(latent_dim, name="mean")(x)
    log_var = layers.Dense(latent_dim, name="log_var")(x)
    return keras.Model(images, [mean, log_var], name="encoder")


def build_vae(
    encoder: Callable[[], keras.Model],
    decoder: Callable[[], keras.Model],
    kl_weight: float | LearningRateSchedule,
    seed: int,
    optimizer: keras.optimizers.Optimizer,
    likelihood: Likelihood = BERNOULLI,
    rate_term: Callable = weighted_rate,
    kind: Callable[..., VAE] = VAE,
    jit_compile: bool = True,
) -> VAE:
    """Build and compile a VAE whose initial weights and draws of z the seed decides, whatever the kl_weight.

    It is ready for `fit`, `vae_core.training.train` and `load_weights`.

    encoder, decoder: called without arguments, in this order
    jit_compile: False for convolutions, which XLA makes slow on a CPU
    """
    keras.utils.set_random_seed(seed)
    vae = kind(encoder(), likelihood.complete(decoder()), kl_weight, seed, likelihood, rate_term)
    one_image = vae.inputs(np.zeros((1, *vae.encoder.inputs[0].shape[1:])), np.zeros(1, int))
    vae.build(keras.tree.map_structure(lambda part: (None, *part.shape[1:]), one_image))
    vae.compile(optimizer=optimizer, jit_compile=jit_compile)
    optimizer.build(vae.trainable_variables)
    return vae


def reference_vae(
    kl_weight: float | LearningRateSchedule,
    seed: int,
    learning_rate: float = 1e-3,
    hidden_units: int = 512,
    image_shape: tuple[int, int, int] = IMAGE_SHAPE,
    likelihood: Likelihood = BERNOULLI,
    rate_term: Callable = weighted_rate,
    latent_dim: int = 2,
    target_distortion: float | None = None,
) -> VAE:
    """The sweep's model, compiled with Adam: pixels -> 512 -> 2-D Gaussian -> 512 -> pixels.

    target_distortion: nats per image, for a `GECO` that starts at kl_weight
    """
    return build_vae(
        lambda: dense_encoder((hidden_units,), latent_dim, image_shape=image_shape),
        lambda: dense_decoder((hidden_units,), latent_dim, image_shape=image_shape),
        kl_weight,
        seed,
        keras.optimizers.Adam(learning_rate),
        likelihood,
        rate_term,
        VAE if target_distortion is None else partial(GECO, target_distortion=target_distortion),
    )


def four_conv_vae(kl_weight: float, seed: int, learning_rate: float = 1e-3) -> VAE:
    """Tutorial 002's model, 550,629 parameters, compiled with Adam."""
    adam = keras.optimizers.Adam(learning_rate)
    return build_vae(four_conv_encoder, four_conv_decoder, kl_weight, seed, adam, jit_compile=False)


def vae_of_settings(
    settings: Mapping[str, object], steps_per_epoch: int, image_shape: tuple[int, int, int] = IMAGE_SHAPE
) -> VAE:
    """The model of a run of `train_vae`, from what its config.json has; compiled, with the weights it starts with.

    steps_per_epoch: batches, the last and smaller one included
    """
    settings = DEFAULTS | dict(settings)
    names = {"warmup_epochs": "kl_warmup_epochs", "cycles": "kl_cycles", "ramp": "kl_ramp", "epochs": "epochs"}
    options = {name: settings[setting] for name, setting in names.items()}
    scheduled = partial(kl_schedule, settings["kl_schedule"], steps_per_epoch=steps_per_epoch, **options)
    kl_weight, rate_term = settings["kl_weight"], weighted_rate
    if settings["target_rate"] is not None:
        rate_term = partial(target_rate_term, target=scheduled(settings["target_rate"]))
    else:
        kl_weight = scheduled(kl_weight)
    if settings["free_bits"]:
        rate_term = partial(free_bits_rate, free_bits=settings["free_bits"])
    return reference_vae(
        kl_weight,
        settings["seed"],
        settings["learning_rate"],
        settings["hidden_units"],
        image_shape,
        likelihood_of(settings["likelihood"], settings["pixel_variance"]),
        rate_term,
        settings["latent_dim"],
        settings["target_distortion"],
    )
