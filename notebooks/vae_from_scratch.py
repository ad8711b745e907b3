# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # A VAE from scratch
#
# The lesson before this one, `the_prior`, showed what the KL term charges for a code. Here is the whole model: encoder,
# draw, decoder, both terms of the loss, and the training. It takes at most 80 lines of code, and nothing of the model
# is hidden. All other lessons take the same model from `vae_core`. Do the two give the same numbers? The last section
# compares them.
#
# You need to have trained a network with Keras. The notebook runs for about 3 minutes on two cores. Afterwards, write
# the model yourself: `notebooks/exercises/vae_from_scratch.ipynb` has the same cells with blanks, and checks that say
# what is wrong.

# %% tags=["parameters"]
dataset: str = "auto"  # a data set (mnist, fashion_mnist, digits), or auto: mnist if it is available, else digits
epochs: int = 8  # passes through the training images, 1 or more
batch_size: int = 100  # images per gradient step, 1 or more
learning_rate: float = 1e-3  # of Adam
hidden_units: int = 512  # width of the one hidden layer of the encoder, and of the decoder
samples: int = 2000  # draws of the noise, for estimates of a gradient, 2 or more
seed: int = 0  # decides the initial weights, the batches and the noise
threads: int = 2  # CPU threads
data_dir: str = ""  # folder with mnist/ or fashion_mnist/ in it; empty: VAE_DATA_DIR, the cache, a download

# %%
# %matplotlib inline
import vae_core.backend  # noqa: F401

import keras
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import tensorflow as tf
from keras import layers, ops

from vae_core import training
from vae_core.data import load_dataset
from vae_core.lessons.vae_from_scratch import figures, measures
from vae_core.parameters import check_parameters

settings = {"batch_size": batch_size, "learning_rate": learning_rate, "hidden_units": hidden_units, "seed": seed}
check_parameters({**settings, "epochs": epochs, "samples": samples, "threads": threads})
training.use_threads(threads)
data = load_dataset(dataset, data_dir).as_floats()

# %% [markdown]
# ## 1. Encoder and decoder
#
# The encoder turns an image into a Gaussian cloud in the latent plane: a mean and a log-variance for each of two
# dimensions. A log-variance may be any number, so a layer without activation can give it. The decoder turns a point of
# the plane into one number per pixel, the logit: sigmoid(logit) is the grey value.


# %%
def build():
    """Encoder and decoder with new weights, which the seed decides."""
    keras.utils.set_random_seed(seed)
    image = keras.Input(data.image_shape)
    x = layers.Dense(hidden_units, activation="relu")(layers.Flatten()(image))
    encoder = keras.Model(image, [layers.Dense(2)(x), layers.Dense(2)(x)])  # mean, log-variance
    z = keras.Input((2,))
    x = layers.Dense(hidden_units, activation="relu")(z)
    logits = layers.Reshape(data.image_shape)(layers.Dense(data.train_images[0].size)(x))
    return encoder, keras.Model(z, logits)


# %% [markdown]
# ## 2. The draw
#
# Between the two stands a draw: $z$ comes from the cloud $\mathcal{N}(\mu, \sigma^2)$. There are two ways to write it.
# One asks a random number generator for a number with mean $\mu$ and deviation $\sigma$. The other takes noise
# $\epsilon \sim \mathcal{N}(0, 1)$ from outside and computes
#
# $$z = \mu + \sigma\,\epsilon, \qquad \sigma = e^{\ell/2} \text{ with the log-variance } \ell.$$
#
# Both give $z$ the same distribution. But the second is a formula, and a formula can be differentiated:
# $\partial z/\partial\mu = 1$ and $\partial z/\partial\ell = \frac12\sigma\epsilon$. This is the reparameterisation
# trick.


# %%
def draw(mean, log_var, noise):
    """One z for each image, from noise that does not depend on the encoder: (batch, 2)."""
    return mean + ops.exp(log_var / 2) * noise


# %% [markdown]
# Why must the noise come from outside? Below, an encoder and a decoder with new weights see the same images three
# times, with three kinds of draw. The table shows how large a gradient of each term reaches the encoder's two outputs
# (the root mean square over images and dimensions, in nats). "None" means that no path leads there. Look at the second
# row. Which term still tells the encoder what to do, and what kind of code would training end with? And what happens to
# the log-variance in the third row?

# %%
draws = {
    "noise from outside": draw,
    "noise from inside": lambda mean, log_var, noise: np.random.default_rng(seed).normal(mean, np.exp(log_var / 2)),
    "no noise: z is the mean": lambda mean, log_var, noise: mean,
}
measures.gradients_that_arrive(*build(), draws, data.validation_images[:100], seed)

# %% [markdown]
# <details><summary>Answer</summary>
#
# In the second row only the KL term reaches the encoder. The KL term does not know the images: its gradient leads every
# cloud to the prior, mean 0 and log-variance 0. Then all images have the same code. In the third row the mean learns as
# it should. But the distortion says nothing about the log-variance, so the KL term alone decides it and takes it to 0.
# The encoder reports clouds of deviation 1, and no decoder has ever seen one.
#
# The noise in the second row is NumPy's, and the tape does not see into NumPy. `keras.random.normal(shape, mean,
# deviation)` looks the same, but does let the gradient through: inside, it is written as the formula above.
# </details>
#
# ### Is it the right gradient?
#
# What training needs is the gradient of an average over all draws, $\mathbb{E}_z[f(z)]$, where $f$ is the distortion.
# There are two ways to estimate it from one draw:
#
# $$\text{pathwise: } \frac{\partial f}{\partial z}\frac{\partial z}{\partial\theta}, \qquad
#   \text{score function: } f(z)\,\frac{\partial\log q(z)}{\partial\theta},$$
#
# where $\theta$ is $\mu$ or $\ell$. The first is what the draw above gives. The second needs no formula for $z$, so it
# works with noise from inside. The table has both for two functions $f$. One is simple enough to check by hand:
# $f(z) = (z - 3)^2$ at $\mu = 0, \sigma = 1$, where $\mathbb{E}[f] = (\mu - 3)^2 + \sigma^2$. The other is the
# distortion of a validation image, in the first latent dimension, with the new decoder. The exact values are integrals
# on a grid. Numbers after ± are standard errors. The third estimate gives the score function its best chance: it takes
# $f - \mathbb{E}[f]$ in place of $f$, which changes no average. Which estimates are right? How many of their draws are
# worth one pathwise draw?

# %%
measures.gradient_table(*build(), data.validation_images[:1], samples, seed)

# %% [markdown]
# <details><summary>Answer</summary>
#
# All are right: each mean lies within a few standard errors of the exact value. By hand, the gradients of
# $(\mu - 3)^2 + \sigma^2$ at $\mu = 0$ and $\sigma = 1$ are $-6$ in $\mu$ and $\sigma^2 = 1$ in $\ell$. But the score
# function multiplies noise with the *value* of $f$, for an image hundreds of nats. The pathwise estimate takes the
# *slope* of $f$, so it knows which way is down, and one draw per image is enough for a training step. Without its mean,
# $f$ is small, and the score function comes closer. In training nobody knows that mean: every image has another one,
# and it changes with every step.
# </details>
#
# ## 3. The loss
#
# Two terms, in nats per image. The **distortion** $-\log p(x|z)$ is the cross-entropy between the image and the
# decoder's grey values, *summed* over all pixels. The **rate** is the KL term of `the_prior`, summed over the two
# dimensions. The objective weighs the rate, and is the mean over the images of a batch. With a weight of 1 it is the
# negative ELBO.


# %%
def distortion_of(images, logits):
    """-log p(x|z) of each image: (batch,), nats."""
    return ops.sum(ops.binary_crossentropy(images, logits, from_logits=True), axis=(1, 2, 3))


def rate_of(mean, log_var):
    """KL(q(z|x) || p(z)) of each image: (batch,), nats."""
    return ops.sum((ops.exp(log_var) + mean**2 - 1 - log_var) / 2, axis=1)


def objective_of(distortion, rate, kl_weight):
    """The one number that training minimises."""
    return ops.mean(distortion + kl_weight * rate)


# %% [markdown]
# ## 4. The training loop
#
# `look` sends a batch through the model and returns its objective. `learn` does the same under a `GradientTape` and
# then takes one step down. After each epoch the model looks at the validation images. The seed gives every weight of
# the sweep the same initial weights, the same batches and the same noise, so that kl_weight is all that differs.


# %%
def train(kl_weight):
    """A trained encoder and decoder, and a table with distortion and rate after each epoch, in nats per image."""
    encoder, decoder = build()
    weights = encoder.trainable_weights + decoder.trainable_weights
    optimizer = keras.optimizers.Adam(learning_rate)
    optimizer.build(weights)
    order, noises = np.random.default_rng(seed), keras.random.SeedGenerator(seed)
    means = {"distortion": keras.metrics.Mean(), "rate": keras.metrics.Mean()}

    @tf.function(jit_compile=True)  # compiled as vae_core is: else Keras' generator gives other noise
    def look(images):
        mean, log_var = encoder(images)
        z = draw(mean, log_var, keras.random.normal(ops.shape(mean), seed=noises))
        distortion, rate = distortion_of(images, decoder(z)), rate_of(mean, log_var)
        means["distortion"].update_state(distortion)
        means["rate"].update_state(rate)
        return objective_of(distortion, rate, kl_weight)

    @tf.function(jit_compile=True)
    def learn(images):
        with tf.GradientTape() as tape:
            objective = look(images)
        optimizer.apply(tape.gradient(objective, weights), weights)

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


# %% [markdown]
# ## 5. A sweep over three weights
#
# The weight 1 is the ELBO's, and the others are ten times less and ten times more. Which copies the images best, and
# what does it pay?

# %%
trained = {kl_weight: train(kl_weight) for kl_weight in (0.1, 1.0, 10.0)}

figure, panels = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
figure.suptitle(f"{data.name}: validation images")
for axes, term in zip(panels, ("distortion", "rate"), strict=True):
    for style, (kl_weight, (*_, history)) in zip(("C0.--", "k.-", "C1.:"), trained.items(), strict=True):
        history.plot("epoch", f"val_{term}", ax=axes, style=style, linewidth=2, label=f"kl_weight {kl_weight:g}")
    axes.set(ylabel=f"{term} [nats/image]", xticks=range(0, epochs + 1, max(1, epochs // 5)))

# %% [markdown]
# <details><summary>Answer</summary>
#
# A nat of rate costs kl_weight nats, so it is bought only where it saves that much distortion. At the minimum of the
# objective, on the training images, a larger weight therefore never has the higher rate, nor the lower distortion.
# Before the minimum is reached, and on validation images, two distortions may be equal or cross.
# </details>
#
# Where do the codes lie? The rings are those of the prior, at one and two standard deviations. At which weight do the
# codes spread farthest beyond them?

# %%
codes = {weight: np.asarray(encoder(data.validation_images)[0]) for weight, (encoder, *_) in trained.items()}
figures.codes(codes, data.validation_labels, data.class_names, f"{data.name}: codes of validation images")

# %% [markdown]
# <details><summary>Answer</summary>
#
# Where a nat is cheap. There the encoder can afford narrow clouds far apart, which the decoder tells from each other.
# The dearer a nat, the closer each cloud comes to the target of `the_prior`: mean 0, deviation 1.
# </details>
#
# ## 6. The same numbers as vae_core
#
# Now the model that all other lessons use, `reference_vae` of `vae_core/models.py`, at the largest weight. It has the
# same initial weights, the same batches and the same noise. The table has both after each of the first epochs, on the
# validation images. The last column is the largest difference in either term, on training or validation images. Is it
# below 0.0001?

# %%
measures.beside_vae_core(trained[10.0][2], 10.0, data, **settings).round(5)
