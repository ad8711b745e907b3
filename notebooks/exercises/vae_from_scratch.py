# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Write a VAE: the exercise
#
# These are the cells of `vae_from_scratch`, with eight blanks. Put code in place of each `BLANK`, in order. The cell
# after each function checks it: it says that the function is right, or in one line what is wrong. The last check trains
# your model and the model of `vae_core`, which must give the same numbers.
#
# `ops` is `keras.ops`, which has `exp`, `sum`, `mean` and more. If you are stuck, look at the lesson.

# %% tags=["parameters"]
dataset: str = "auto"  # a data set (mnist, fashion_mnist, digits), or auto: mnist if it is available, else digits
epochs: int = 2  # passes through the training images, 1 or more
batch_size: int = 100  # images per gradient step, 1 or more
learning_rate: float = 1e-3  # of Adam
hidden_units: int = 512  # width of the one hidden layer of the encoder, and of the decoder
seed: int = 0  # decides the initial weights, the batches and the noise
threads: int = 2  # CPU threads
data_dir: str = ""  # folder with mnist/ or fashion_mnist/ in it; empty: VAE_DATA_DIR, the cache, a download

# %%
import vae_core.backend

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from keras import layers, ops

from vae_core import training
from vae_core.data import load_dataset
from vae_core.lessons.vae_from_scratch import checks
from vae_core.lessons.vae_from_scratch.checks import BLANK
from vae_core.parameters import check_parameters

settings = {"batch_size": batch_size, "learning_rate": learning_rate, "hidden_units": hidden_units, "seed": seed}
check_parameters({**settings, "epochs": epochs, "threads": threads})
training.use_threads(threads)
data = load_dataset(dataset, data_dir).as_floats()

# %% [markdown]
# ## 1. Encoder and decoder
#
# What does the encoder give for an image? Two outputs, of two numbers each.


# %%
def build():
    """Encoder and decoder with new weights, which the seed decides."""
    keras.utils.set_random_seed(seed)
    image = keras.Input(data.image_shape)
    x = layers.Dense(hidden_units, activation="relu")(layers.Flatten()(image))
    encoder = keras.Model(image, BLANK)  # mean, log-variance
    z = keras.Input((2,))
    x = layers.Dense(hidden_units, activation="relu")(z)
    logits = layers.Reshape(data.image_shape)(layers.Dense(data.train_images[0].size)(x))
    return encoder, keras.Model(z, logits)


# %%
checks.encoder_and_decoder(build, data.image_shape)

# %% [markdown]
# ## 2. The draw
#
# $z = \mu + \sigma\,\epsilon$. You have the *log-variance*, not $\sigma$.


# %%
def draw(mean, log_var, noise):
    """One z for each image, from noise that does not depend on the encoder: (batch, 2)."""
    return BLANK


# %%
checks.draw(draw)

# %% [markdown]
# ## 3. The loss
#
# The distortion: a cross-entropy, one number for each image, in nats. What is summed, and what is not? The logits are
# the decoder's outputs, before the sigmoid.


# %%
def distortion_of(images, logits):
    """-log p(x|z) of each image: (batch,), nats."""
    return BLANK


# %%
checks.distortion(distortion_of)

# %% [markdown]
# The rate: $\frac12\sum\left(\sigma^2 + \mu^2 - 1 - \log\sigma^2\right)$ for each image, summed over latent dimensions.


# %%
def rate_of(mean, log_var):
    """KL(q(z|x) || p(z)) of each image: (batch,), nats."""
    return BLANK


# %%
checks.rate(rate_of)

# %% [markdown]
# The objective: one number for the batch. Which term does kl_weight belong to?


# %%
def objective_of(distortion, rate, kl_weight):
    """The one number that training minimises."""
    return BLANK


# %%
checks.objective(objective_of)

# %% [markdown]
# ## 4. The training loop
#
# Three blanks: which weights are trained, where the noise comes from, and along which gradient a step goes. Keras draws
# standard normal noise by `keras.random.normal(shape, seed=...)`.


# %%
def train(kl_weight):
    """A trained encoder and decoder, and a table with distortion and rate after each epoch, in nats per image."""
    encoder, decoder = build()
    weights = BLANK
    optimizer = keras.optimizers.Adam(learning_rate)
    optimizer.build(weights)
    order, noises = np.random.default_rng(seed), keras.random.SeedGenerator(seed)
    means = {"distortion": keras.metrics.Mean(), "rate": keras.metrics.Mean()}

    @tf.function(jit_compile=True)  # compiled as vae_core is: else Keras' generator gives other noise
    def look(images):
        mean, log_var = encoder(images)
        z = draw(mean, log_var, BLANK)
        distortion, rate = distortion_of(images, decoder(z)), rate_of(mean, log_var)
        means["distortion"].update_state(distortion)
        means["rate"].update_state(rate)
        return objective_of(distortion, rate, kl_weight)

    @tf.function(jit_compile=True)
    def learn(images):
        with tf.GradientTape() as tape:
            objective = look(images)
        optimizer.apply(BLANK, weights)

    def epoch(step, images, prefix):
        for mean in means.values():
            mean.reset_state()
        for start in range(0, len(images), batch_size):
            step(images[start : start + batch_size])
        return {prefix + name: float(mean.result()) for name, mean in means.items()}

    history = []
    for number in range(1, epochs + 1):
        shuffled = data.train_images[order.permutation(len(data.train_images))]
        history.append({"epoch": number} | epoch(learn, shuffled, "") | epoch(look, data.validation_images, "val_"))
    return encoder, decoder, pd.DataFrame(history)


# %%
checks.training(train, data, **settings).round(5)
