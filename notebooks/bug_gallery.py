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
# Each is trained beside its fix: the same initial weights, the same batches in the same order, the same noise, and one
# change. Then both are measured in the same, honest way on the validation images: the distortion of the model's own
# decoder plus the KL of the distribution that its codes are *really* drawn from, at weight 1, in nats per image. This
# is the negative ELBO. What the author's own loss says about the same images stands beside it. The cost of a mistake is
# the difference of the two honest numbers, mistake minus fix, seed by seed.
#
# "Seed 000" to "seed 003" are the four tutorials that this suite started from. The lines of code shown are ours; they
# say what the tutorial does, in as few words as possible.

# %% tags=["parameters"]
dataset: str = "auto"  # mnist, fashion_mnist, digits, or auto: mnist if it can be had, else digits
epochs: int = 5  # passes through the training images for each model, 1 or more
seeds: int = 2  # each model is trained with the seeds 0 to seeds - 1
batch_size: int = 100  # images per gradient step; 100 divides the sets evenly, and so halves the compilation
learning_rate: float = 1e-3  # of Adam, and of RMSprop in the last exhibit
hidden_units: int = 512  # width of the one hidden layer of the encoder, and of the decoder
threads: int = 2  # CPU threads
data_dir: str = ""  # folder with mnist/ or fashion_mnist/ in it; empty: VAE_DATA_DIR, the cache, a download

# %%
# %matplotlib inline
import numpy as np

from vae_core import figures, mistakes, runs, training
from vae_core.data import load_dataset

settings = {"epochs": epochs, "seeds": seeds, "batch_size": batch_size, "learning_rate": learning_rate}
settings |= {"hidden_units": hidden_units}
runs.check_parameters({**settings, "threads": threads})
training.use_threads(threads)

# %% [markdown]
# ## The fix
#
# Most exhibits share one fix: the suite's reference model at weight 1. Its own objective and its negative ELBO differ
# only by the noise of the draws.

# %%
settings["dataset"] = load_dataset(dataset, data_dir)
fixed = mistakes.train(mistakes.Fixed, **settings)
mistakes.comparison({"reference model": fixed})

# %% [markdown]
# ## 1. The forgotten mean
#
# Seed 000 describes the draw rightly in words and forgets half of it in the code:
#
# ```python
# z = exp(log_var / 2) * noise          # mistake
# z = mean + exp(log_var / 2) * noise   # fix
# ```
#
# The encoder has only the width of its cloud left to say which image it saw: all clouds lie around the same point. The
# mean never reaches the decoder, but the KL still charges for it. What will the encoder do with a mean that only costs?
# And is such a code good for nothing, or does the loss fall all the same?

# %%
forgotten_mean = mistakes.train(mistakes.ForgottenMean, **settings)
mistakes.comparison({"mean forgotten": forgotten_mean, "fix": fixed})

# %%
fix_view = mistakes.view(fixed, settings["dataset"])
names = settings["dataset"].class_names
title = "The forgotten mean: only the width of the cloud tells the images apart"
figures.mistake_and_fix(mistakes.view(forgotten_mean, settings["dataset"]), fix_view, names, title)

# %% [markdown]
# ## 2. Log-variance used as sigma
#
# Seed 002 calls its log-variance `z_sigma`. It treats it as a log-variance, but who takes the name at its word writes
#
# ```python
# z = mean + log_var * noise                              # mistake
# kl = 0.5 * sum(exp(log_var) + mean**2 - 1 - log_var)    # right for a log-variance
# ```
#
# For the KL an output of 0 means a deviation of 1, and that is where it is cheapest. For the draw it means no noise at
# all. What does the loss report, and what is the KL of the clouds that are really drawn?

# %%
log_var_as_sigma = mistakes.train(mistakes.LogVarAsSigma, **settings)
mistakes.comparison({"log-variance as sigma": log_var_as_sigma, "fix": fixed})

# %%
title = "Log-variance used as sigma: the KL asks for deviation 1, and the draw takes that for 0"
figures.mistake_and_fix(mistakes.view(log_var_as_sigma, settings["dataset"]), fix_view, names, title)

# %% [markdown]
# A milder form read the same output as log sigma when drawing and as log-variance in the KL:
#
# ```python
# z = mean + exp(log_sigma) * noise                           # log sigma
# kl = 0.5 * sum(exp(log_sigma) + mean**2 - 1 - log_sigma)    # log-variance
# ```
#
# Both agree at deviation 1. For a narrower cloud the KL charges only half of the logarithm. Can training make up for
# it?

# %%
forgotten_half = mistakes.train(mistakes.ForgottenHalf, **settings)
mistakes.comparison({"log sigma and log-variance mixed": forgotten_half, "fix": fixed})

# %% [markdown]
# ## 3. The mean over latent dimensions
#
# The mean over pixels is taken for the distortion, so why not the mean over dimensions for the KL?
#
# ```python
# kl = 0.5 * mean(exp(log_var) + mean**2 - 1 - log_var, axis=-1)   # mistake
# kl = 0.5 * sum(exp(log_var) + mean**2 - 1 - log_var, axis=-1)    # fix
# ```
#
# This is a VAE with another weight on its KL: 1 / `latent_dim`. With two dimensions the weight is 0.5, with ten it is
# 0.1, while the code says 1. (Seed 002 multiplies by 0.0005 and averages the distortion over 784 pixels: 0.392 in all.)
# So it does not show as an error but as a preference, and one that moves with `latent_dim`. What does it do at two
# dimensions, and at ten?

# %%
mean_of_2 = mistakes.train(mistakes.MeanOverDimensions, **settings)
mean_of_10 = mistakes.train(mistakes.MeanOverDimensions, latent_dim=10, **settings)
fixed_10 = mistakes.train(mistakes.Fixed, latent_dim=10, **settings)
pairs_of_dimensions = {"mean over 2": mean_of_2, "sum over 2": fixed, "mean over 10": mean_of_10}
mistakes.comparison({**pairs_of_dimensions, "sum over 10": fixed_10})

# %%
title = "Mean over 10 latent dimensions: weight 0.1 on the KL. Do prior samples still look like data?"
views = [mistakes.view(one, settings["dataset"]) for one in (mean_of_10, fixed_10)]
figures.mistake_and_fix(*views, names, title)

# %% [markdown]
# ## 4. Sums that depend on the batch size
#
# A `sum` without an axis sums over the batch too. Seed 001 writes its losses so. If both terms are summed, the right
# objective is multiplied by the batch size, which Adam hardly sees: it divides by the size of the gradient. If only the
# KL is summed, its weight is the batch size:
#
# ```python
# kl = 0.5 * sum(exp(log_var) + mean**2 - 1 - log_var)             # over dimensions and images
# loss = mean(distortion) + kl                                     # kl_weight = batch size
# ```
#
# Codes collapse at such a weight, so that is noticed soon, and then somebody tunes it away: a factor 1 / 100 makes the
# weight right, at a batch size of 100. What happens when the next user takes batches ten times as large?

# %%
both_summed = mistakes.train(mistakes.BothSummedOverBatch, **settings)
kl_summed = mistakes.train(mistakes.KLSummedOverBatch, **settings)
larger = settings | {"batch_size": 10 * batch_size}
kl_tuned = mistakes.train(mistakes.KLSummedOverBatch, kl_weight=1 / batch_size, **larger)
fixed_larger = mistakes.train(mistakes.Fixed, **larger)
summed = {"both terms summed": both_summed, "KL summed": kl_summed, "fix": fixed}
larger_batches = {f"KL summed, weight 1/{batch_size}, batch x 10": kl_tuned, "fix, batch x 10": fixed_larger}
mistakes.comparison({**summed, **larger_batches})

# %%
title = f"The KL summed over the batch: its weight is {batch_size}"
figures.mistake_and_fix(mistakes.view(kl_summed, settings["dataset"]), fix_view, names, title)

# %% [markdown]
# ## 5. Sigma straight from a linear layer
#
# Seed 003 lets a linear layer give the standard deviation itself:
#
# ```python
# sigma = Dense(latent_dim)(x)                                        # mistake: any real number
# kl = 0.5 * sum(sigma**2 + mean**2 - 1 - log(sigma**2 + epsilon))
# ```
#
# Nothing keeps it positive. In the draw a negative sigma does no harm, since the noise is symmetric, and the KL squares
# it. But the KL now has a wall at 0, and the layer starts with outputs on both sides of it: an image whose sigma is on
# its way to the other sign has to cross the wall. With the log-variance there is no wall and nothing to cross.

# %%
figures.sigma_outputs(
    mistakes.sigma_terms(np.linspace(-3, 3, 601)), "What the KL makes of the layer's output, at mean 0"
)

# %% [markdown]
# Does it end on one side, or on both? How near to 0 are the nearest? And what does it cost?

# %%
unconstrained = mistakes.train(mistakes.UnconstrainedSigma, **settings)
mistakes.sigma_table(unconstrained, settings["dataset"]).round(4)

# %%
mistakes.comparison({"sigma from a linear layer": unconstrained, "fix": fixed})

# %%
title = "Sigma from a linear layer: anything to see?"
figures.mistake_and_fix(mistakes.view(unconstrained, settings["dataset"]), fix_view, names, title)

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
# In exact numbers the two are equal, but for the clip. In float32 there are few numbers just below 1, and beyond a
# logit of about 16 the clip holds everything: a wrong pixel costs 15.9 or 16.1 nats, however wrong it is, and its
# gradient is 0.
#
# (Keras knows this. Where a sigmoid is the very last thing before its cross-entropy, it goes back to the logits without
# saying so. A reshape in between, as in seed 000, is enough to lose them.)

# %%
title = "One pixel: its cost from logits (dashed) and from clipped probabilities"
figures.saturated_pixels(mistakes.saturation(np.linspace(-25, 25, 2001)), title)

# %% [markdown]
# How many pixels of real images get there, and how many of them on the wrong side? The same draws, measured by both
# formulas, and then the two models side by side:

# %%
clipped = mistakes.train(mistakes.ClippedProbabilities, **settings)
both = {"trained on clipped probabilities": clipped, "trained on logits": fixed}
mistakes.saturation_table(both, settings["dataset"]).round(4)

# %%
mistakes.comparison(both)

# %% [markdown]
# ## 7. "The loss is smaller, so it needs a larger learning rate"
#
# Seed 000 takes the mean over pixels of its distortion and divides its KL by 784, which is right: both terms stay in
# proportion. It adds that the smaller loss needs a larger learning rate:
#
# ```python
# loss = mean(distortion + kl) / 784                        # right objective, smaller number
# optimizer = RMSprop(learning_rate=10 * learning_rate)     # needed?
# ```
#
# For plain gradient descent it is. Adam and RMSprop divide each step by the root of the mean squared gradient, and a
# factor on the loss falls out again, all but for their epsilon of 1e-7. Adam adds it to the root. Keras 3's RMSprop
# adds it under the root, where it outweighs every gradient smaller than 0.0003.
#
# So compare the first two rows (Adam), then the next two (RMSprop). Did the division cost anything that had to be made
# good? The last two rows try two remedies: an epsilon that is divided along, under the root by 784 squared, and seed
# 000's larger rate. Which of them gives back the undivided loss?

# %%
adam_divided = mistakes.train(mistakes.MeanOverPixels, **settings)
rmsprop = mistakes.train(mistakes.Fixed, optimizer="rmsprop", **settings)
rmsprop_divided = mistakes.train(mistakes.MeanOverPixels, optimizer="rmsprop", **settings)
small_epsilon = {"class_name": "RMSprop", "config": {"epsilon": 1e-7 / 784**2}}
rmsprop_epsilon = mistakes.train(mistakes.MeanOverPixels, optimizer=small_epsilon, **settings)
faster = settings | {"learning_rate": 10 * learning_rate}
rmsprop_faster = mistakes.train(mistakes.MeanOverPixels, optimizer="rmsprop", **faster)
with_rmsprop = {"RMSprop, loss": rmsprop, "RMSprop, loss / 784": rmsprop_divided}
with_rmsprop["RMSprop, loss / 784, epsilon / 784²"] = rmsprop_epsilon
with_rmsprop["RMSprop, loss / 784, learning rate x 10"] = rmsprop_faster
mistakes.comparison({"Adam, loss": fixed, "Adam, loss / 784": adam_divided, **with_rmsprop})

# %%
histories = {name: one.histories[0] for name, one in with_rmsprop.items()}
figures.validation_curves(histories, "Seed 0; the objective is shown before it is divided")

# %% [markdown]
# ## All together
#
# Negative ELBO on the validation images in nats per image, the honest one, mean ± standard deviation over seeds; the
# deviation of the cost is that of the differences seed by seed. The last column is a check that takes a few lines; most
# need no training.
#
# Which of them would you have seen in the loss curve? A cost near 0, or below it, is a finding too: such a mistake
# lives on, until somebody changes what hid it.

# %%
import pandas as pd

pd.set_option("display.max_colwidth", None)
everything = {
    "mean forgotten": (forgotten_mean, fixed),
    "log-variance as sigma": (log_var_as_sigma, fixed),
    "log sigma and log-variance mixed": (forgotten_half, fixed),
    "KL averaged over 2 dimensions": (mean_of_2, fixed),
    "KL averaged over 10 dimensions": (mean_of_10, fixed_10),
    "both terms summed over the batch": (both_summed, fixed),
    "KL summed over the batch": (kl_summed, fixed),
    f"KL summed, weight 1/{batch_size}, batch x 10": (kl_tuned, fixed_larger),
    "sigma from a linear layer": (unconstrained, fixed),
    "sigmoid, then log": (clipped, fixed),
    "loss / 784, Adam": (adam_divided, fixed),
    "loss / 784, RMSprop": (rmsprop_divided, rmsprop),
    "loss / 784, RMSprop, learning rate x 10": (rmsprop_faster, rmsprop),
}
mistakes.cost_table(everything)
