# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # A gallery of mistakes, and what each costs
#
# Every mistake below comes from a tutorial, a book or public code that people learn from. All of them run, and none
# stops the training. So how bad are they, and how would you notice?
#
# Each is trained beside its fix, with the same initial weights, the same batches in the same order, the same noise, and
# one change. Then both are measured in the same, honest way on the validation images: the distortion of the model's own
# decoder plus the KL of the distribution that its codes are *really* drawn from, at weight 1, in nats per image. This
# is the negative ELBO. Beside it stands what the author's own loss says about the same images. The cost of a mistake is
# the difference between the two honest numbers, mistake minus fix, seed by seed.
#
# Four of the sources are tutorials that this suite grew out of:
#
# - tutorial 000: "Variational automatic encoder", a web page
# - tutorial 001: "Variational Auto-encoder, VAE" (in Chinese), section 12.4 of Charmve's "Computer Vision in Action",
#   github.com/Charmve/computer-vision-in-action
# - tutorial 002: "Variational Autoencoder" by Antonio Lorenzo, a web page
# - tutorial 003: the variational part of a series that begins with "Intro to Autoencoders"
#
# The lines of code shown are ours. They do what the tutorial does, in as few words as possible.

# %% tags=["parameters"]
dataset: str = "auto"  # a data set (mnist, fashion_mnist, digits), or auto: mnist if it is available, else digits
epochs: int = 5  # passes through the training images for each model, 1 or more
seeds: int = 2  # each model is trained with the seeds 0 to seeds - 1
batch_size: int = 100  # images per gradient step; 100 divides the sets evenly, which halves the compilation
learning_rate: float = 1e-3  # of Adam, and of RMSprop in the last exhibit
hidden_units: int = 512  # width of the one hidden layer of the encoder, and of the decoder
threads: int = 2  # CPU threads
data_dir: str = ""  # folder with mnist/ or fashion_mnist/ in it; empty: VAE_DATA_DIR, the cache, a download

# %%
# %matplotlib inline
import numpy as np
import pandas as pd

from vae_core import parameters, training
from vae_core.data import check_dataset, check_labelled, load_dataset
from vae_core.lessons.bug_gallery import figures, measures
from vae_core.lessons.bug_gallery import model as gallery

settings = {"epochs": epochs, "seeds": seeds, "batch_size": batch_size, "learning_rate": learning_rate}
settings |= {"hidden_units": hidden_units}
parameters.check_parameters({**settings, "threads": threads})
training.use_threads(threads)
pd.set_option("display.max_colwidth", None)

# %% [markdown]
# ## The fix
#
# Most exhibits share one fix: the suite's reference model at weight 1. Its own objective and its negative ELBO differ
# only by the noise of the draws.

# %%
data = load_dataset(dataset, data_dir).as_floats()
check_dataset(data)
check_labelled(data)
settings["dataset"] = data
fixed = gallery.train_variant(gallery.REFERENCE, **settings)
measures.comparison({"reference model": fixed})

# %% [markdown]
# ## 1. The forgotten mean
#
# Tutorial 000 describes the draw correctly in words and forgets half of it in the code:
#
# ```python
# z = exp(log_var / 2) * noise          # mistake
# z = mean + exp(log_var / 2) * noise   # fix
# ```
#
# All clouds now lie around the same point, so that the encoder has only the width of the cloud to say which image it
# saw. The mean never reaches the decoder, but the KL still charges for it. What will the encoder do with a mean that
# only costs? And is such a code useless, or does the loss fall all the same?

# %%
forgotten_mean = gallery.train_variant(gallery.FORGOTTEN_MEAN, **settings)
measures.comparison({"mean forgotten": forgotten_mean, "fix": fixed})

# %%
fix_view = measures.view(fixed, data)
title = "The forgotten mean: only the width of the cloud tells the images apart"
figures.mistake_and_fix(measures.view(forgotten_mean, data), fix_view, data.class_names, title)

# %% [markdown]
# ## 2. Log-variance used as sigma
#
# Tutorial 002 calls its log-variance `z_sigma`. It treats it as a log-variance, but anyone who takes the name literally
# writes
#
# ```python
# z = mean + log_var * noise                              # mistake
# kl = 0.5 * sum(exp(log_var) + mean**2 - 1 - log_var)    # right for a log-variance
# ```
#
# For the KL an output of 0 means a deviation of 1, and that is where it is cheapest. For the draw it means no noise at
# all. What does the loss report, and what is the KL of the clouds that are really drawn?

# %%
log_var_as_sigma = gallery.train_variant(gallery.LOG_VAR_AS_SIGMA, **settings)
measures.comparison({"log-variance as sigma": log_var_as_sigma, "fix": fixed})

# %%
title = "Log-variance used as sigma: the KL asks for deviation 1, which the draw takes for 0"
figures.mistake_and_fix(measures.view(log_var_as_sigma, data), fix_view, data.class_names, title)

# %% [markdown]
# In a milder form, from the first VAE of the Keras blog, the same output is log sigma in the draw and the log-variance
# in the KL:
#
# ```python
# z = mean + exp(log_sigma) * noise                           # log sigma
# kl = 0.5 * sum(exp(log_sigma) + mean**2 - 1 - log_sigma)    # log-variance
# ```
#
# The two agree at deviation 1. For a narrower cloud the KL charges only half of the logarithm. Can training make up for
# it?

# %%
forgotten_half = gallery.train_variant(gallery.FORGOTTEN_HALF, **settings)
measures.comparison({"log sigma and log-variance mixed": forgotten_half, "fix": fixed})

# %% [markdown]
# ## 3. The mean over latent dimensions
#
# The distortion is often a mean over pixels, so why should the KL not be a mean over dimensions?
#
# ```python
# kl = 0.5 * mean(exp(log_var) + mean**2 - 1 - log_var, axis=-1)   # mistake
# kl = 0.5 * sum(exp(log_var) + mean**2 - 1 - log_var, axis=-1)    # fix
# ```
#
# This is a VAE with another weight on its KL, 1 / `latent_dim`. With two dimensions the weight is 0.5, with ten it is
# 0.1, while the code says 1. (Tutorial 002 multiplies by 0.0005 and averages the distortion over 784 pixels: 0.392 in
# all.) So it shows not as an error but as a preference, one that changes with `latent_dim`. What does it do at two
# dimensions, and at ten?

# %%
mean_of_2 = gallery.train_variant(gallery.MEAN_OVER_DIMENSIONS, **settings)
mean_of_10 = gallery.train_variant(gallery.MEAN_OVER_DIMENSIONS, latent_dim=10, **settings)
fixed_10 = gallery.train_variant(gallery.REFERENCE, latent_dim=10, **settings)
of_2_dimensions = {"mean over 2": mean_of_2, "sum over 2": fixed}
measures.comparison({**of_2_dimensions, "mean over 10": mean_of_10, "sum over 10": fixed_10})

# %%
title = "Mean over 10 latent dimensions: weight 0.1 on the KL. Do prior samples still look like data?"
figures.mistake_and_fix(measures.view(mean_of_10, data), measures.view(fixed_10, data), data.class_names, title)

# %% [markdown]
# ## 4. Sums that depend on the batch size
#
# A `sum` without an axis sums over the batch too. Tutorial 001 writes its losses like this. If both terms are summed,
# the right objective is multiplied by the batch size. Adam hardly notices, since it divides by the size of the
# gradient. If only the KL is summed, its weight is the batch size:
#
# ```python
# kl = 0.5 * sum(exp(log_var) + mean**2 - 1 - log_var)             # over dimensions and images
# loss = mean(distortion) + kl                                     # kl_weight = batch size
# ```
#
# Codes collapse at such a weight. Somebody soon notices and tunes it away: a factor of 1 / 100 makes the weight right,
# at a batch size of 100. What happens when the next user takes batches ten times as large?

# %%
both_summed = gallery.train_variant(gallery.BOTH_SUMMED_OVER_BATCH, **settings)
kl_summed = gallery.train_variant(gallery.KL_SUMMED_OVER_BATCH, **settings)
measures.comparison({"both terms summed": both_summed, "KL summed": kl_summed, "fix": fixed})

# %%
larger = settings | {"batch_size": 10 * batch_size}
kl_tuned = gallery.train_variant(gallery.KL_SUMMED_OVER_BATCH, kl_weight=1 / batch_size, **larger)
fixed_larger = gallery.train_variant(gallery.REFERENCE, **larger)
tuned = f"KL summed, weight 1/{batch_size}, batch x 10"
measures.comparison({tuned: kl_tuned, "fix, batch x 10": fixed_larger})

# %%
title = f"The KL summed over the batch: its weight is {batch_size}"
figures.mistake_and_fix(measures.view(kl_summed, data), fix_view, data.class_names, title)

# %% [markdown]
# ## 5. Sigma straight from a linear layer
#
# In tutorial 003 a linear layer gives the standard deviation itself:
#
# ```python
# sigma = Dense(latent_dim)(x)                                        # mistake: any real number
# kl = 0.5 * sum(sigma**2 + mean**2 - 1 - log(sigma**2 + epsilon))
# ```
#
# Nothing keeps it positive. In the draw a negative sigma does no harm, since the noise is symmetric, and the KL squares
# it. But the KL now has a wall at 0, and the layer starts with outputs on both sides of it: an image whose sigma is to
# change sign has to cross the wall. With the log-variance there is no wall and nothing to cross.

# %%
terms = measures.sigma_terms(np.linspace(-3, 3, 601))
figures.sigma_outputs(terms, "What the KL makes of the layer's output, at mean 0")

# %% [markdown]
# Do all sigmas end on one side, or on both? How close to 0 is the closest? And what does it cost?

# %%
unconstrained = gallery.train_variant(gallery.UNCONSTRAINED_SIGMA, **settings)
measures.sigma_table(unconstrained, data).round(4)

# %%
measures.comparison({"sigma from a linear layer": unconstrained, "fix": fixed})

# %%
title = "Sigma from a linear layer: anything to see?"
figures.mistake_and_fix(measures.view(unconstrained, data), fix_view, data.class_names, title)

# %% [markdown]
# ## 6. Sigmoid, then log
#
# A decoder that ends in a sigmoid, and a cross-entropy of probabilities:
#
# ```python
# p = clip(sigmoid(logits), 1e-7, 1 - 1e-7)
# distortion = -sum(x * log(p) + (1 - x) * log(1 - p))     # mistake
# distortion = sum(softplus(logits) - x * logits)          # fix
# ```
#
# In exact arithmetic the two are equal, except for the clip. In float32 there are few numbers just below 1, and beyond
# a logit of about 16 everything is clipped: a wrong pixel costs 15.9 or 16.1 nats, however wrong it is, and its
# gradient is 0.
#
# (Keras knows this. Where a sigmoid directly precedes its cross-entropy, it silently goes back to the logits. A reshape
# in between, as in tutorial 000, is enough to lose them.)

# %%
title = "One pixel: its cost from logits (dashed) and from clipped probabilities"
figures.saturated_pixels(measures.saturation(np.linspace(-25, 25, 2001)), title)

# %% [markdown]
# How many pixels of real images get there, and how many of those are on the wrong side? First the same draws measured
# by both formulas, then the two models side by side:

# %%
clipped = gallery.train_variant(gallery.SIGMOID_THEN_LOG, **settings)
both = {"trained on clipped probabilities": clipped, "trained on logits": fixed}
measures.saturation_table(both, data).round(4)

# %%
measures.comparison(both)

# %% [markdown]
# ## 7. "The loss is smaller, so it needs a larger learning rate"
#
# Tutorial 000 takes the mean over pixels of its distortion and divides its KL by 784, which is right: the two terms
# stay in proportion. It adds that the smaller loss needs a larger learning rate:
#
# ```python
# loss = mean(distortion + kl) / 784                        # right objective, smaller number
# optimizer = RMSprop(learning_rate=10 * learning_rate)     # needed?
# ```
#
# For plain gradient descent it does. Adam and RMSprop divide each step by the root of the mean squared gradient, so
# that a factor on the loss cancels, except for their epsilon of 1e-7. Adam adds it to the root. Keras 3's RMSprop adds
# it under the root, where it outweighs every gradient smaller than 0.0003.
#
# Does Adam notice the division?

# %%
adam_divided = gallery.train_variant(gallery.MEAN_OVER_PIXELS, **settings)
measures.comparison({"Adam, loss": fixed, "Adam, loss / 784": adam_divided})

# %% [markdown]
# Does RMSprop? Compare the first two rows. The last two try two remedies: an epsilon divided along with the loss (by
# 784 squared, since it stands under the root), and the larger rate that tutorial 000 asks for. Which of them brings
# back the undivided loss?

# %%
rmsprop = gallery.train_variant(gallery.REFERENCE, optimizer="rmsprop", **settings)
rmsprop_divided = gallery.train_variant(gallery.MEAN_OVER_PIXELS, optimizer="rmsprop", **settings)
small_epsilon = {"class_name": "RMSprop", "config": {"epsilon": 1e-7 / 784**2}}
rmsprop_epsilon = gallery.train_variant(gallery.MEAN_OVER_PIXELS, optimizer=small_epsilon, **settings)
faster = settings | {"learning_rate": 10 * learning_rate}
rmsprop_faster = gallery.train_variant(gallery.MEAN_OVER_PIXELS, optimizer="rmsprop", **faster)

# %%
with_rmsprop = {"RMSprop, loss": rmsprop, "RMSprop, loss / 784": rmsprop_divided}
with_rmsprop["RMSprop, loss / 784, epsilon / 784²"] = rmsprop_epsilon
with_rmsprop["RMSprop, loss / 784, learning rate x 10"] = rmsprop_faster
measures.comparison(with_rmsprop)

# %%
histories = {name: one.histories[0] for name, one in with_rmsprop.items()}
figures.validation_curves(histories, "Seed 0; the objective is shown before it is divided")

# %% [markdown]
# ## All together
#
# The honest negative ELBO on the validation images in nats per image, mean ± standard deviation over seeds; the
# deviation of the cost is that of the differences seed by seed. The last column is a check that takes a few lines; most
# of them need no training.
#
# Which mistakes would you have seen in the loss curve? A cost near 0, or below it, is a finding too: such a mistake
# lives on until somebody changes what hid it.

# %%
everything = {
    "mean forgotten": (forgotten_mean, fixed),
    "log-variance as sigma": (log_var_as_sigma, fixed),
    "log sigma and log-variance mixed": (forgotten_half, fixed),
    "KL averaged over 2 dimensions": (mean_of_2, fixed),
    "KL averaged over 10 dimensions": (mean_of_10, fixed_10),
    "both terms summed over the batch": (both_summed, fixed),
    "KL summed over the batch": (kl_summed, fixed),
    tuned: (kl_tuned, fixed_larger),
    "sigma from a linear layer": (unconstrained, fixed),
    "sigmoid, then log": (clipped, fixed),
    "loss / 784, Adam": (adam_divided, fixed),
    "loss / 784, RMSprop": (rmsprop_divided, rmsprop),
    "loss / 784, RMSprop, learning rate x 10": (rmsprop_faster, rmsprop),
}
measures.cost_table(everything)
