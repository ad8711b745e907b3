# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # A dense VAE for clothes: a forgotten mean, and a grid between codes
#
# Seed 000, one of the tutorials that this suite started from, trains a dense VAE on Fashion-MNIST, draws twelve samples
# and fills a grid between their codes. Its text explains the sampling step rightly, its code leaves half of it out, and
# its printed losses are those of the code. What did the missing half cost? And does the grid contain what the tutorial
# says it does?
#
# The model: 784 - 150 - 100 GELU units, a 10-dimensional Gaussian, 100 - 150 - 784; a Bernoulli likelihood; RMSprop. As
# everywhere in this suite the objective is distortion + kl_weight * rate, in nats per image; `train_vae` explains both.
# The seed's mean over pixels plus KL / 784 is the same at kl_weight 1, divided by 784.

# %% tags=["parameters"]
dataset: str = "fashion_mnist"  # mnist, fashion_mnist, digits, or auto: mnist if it can be had, else digits
kl_weight: float = 1.0  # factor on the KL term, 0 or more; 1 is the ELBO, and the seed's
epochs: int = 50  # passes through the training images for each of three models, 1 or more
batch_size: int = 32  # images per gradient step
learning_rate: float = 1e-3  # of RMSprop
latent_dim: int = 10  # dimensions of the code, 1 or more
seed: int = 0  # decides the initial weights, the batches and the noise; not affected by kl_weight
threads: int = 1  # CPU threads
data_dir: str = ""  # folder with mnist/ or fashion_mnist/ in it; empty: VAE_DATA_DIR, the cache, a download
run_dir: str = ""  # folder to write; empty: results/single_runs/dense_vae_fashion/<dataset>/...

# %%
import os

# %matplotlib inline
import pandas as pd

from vae_core import (
    aggregate,
    figures,
    generation,
    interpolation,
    latent,
    lesson_figures,
    measures,
    prior,
    runs,
    seed_000,
    seeds,
    training,
)
from vae_core.architectures import gelu_vae
from vae_core.data import load_dataset
from vae_core.estimates import with_error

settings = {"kl_weight": kl_weight, "epochs": epochs, "batch_size": batch_size, "learning_rate": learning_rate}
settings |= {"latent_dim": latent_dim, "seed": seed, "threads": threads}
runs.check_parameters(settings)
training.use_threads(threads)

# %% [markdown]
# ## The data
#
# What kind of images will the model see? Ten of them, from the validation set:

# %%
data = load_dataset(dataset, data_dir)
settings["dataset"] = data.name
run = runs.start_run(settings, data.checksum, run_dir, "dense_vae_fashion")
names = [data.class_names[label] for label in data.validation_labels[:10]]
figures.image_row(data.validation_images[:10], data.description, names)

# %% [markdown]
# ## Training, with the mean
#
# First the model as the tutorial's text describes it: $z = \mu + \sigma \epsilon$. Does the objective still fall when
# training ends? Do the validation images follow the training images, or do they part?

# %%
vae = gelu_vae(kl_weight, seed, learning_rate, latent_dim)
history, seconds = training.train(vae, data, epochs, batch_size, seed, run / "history.csv")
figures.training_curves(history, f"{data.name}, kl_weight {kl_weight:g}, seed {seed}")

# %% [markdown]
# ## In numbers, on the test images
#
# `nll` is -log p(x), importance-weighted with draws from the image's own q(z|x) and from the prior. No distortion can
# be below `entropy_floor`; a code that says nothing has at best `zero_information_distortion`. (The cross-entropy of
# grey pixels is not a normalised likelihood: these numbers compare models of the same images.) How much of the way
# between the two does the code buy, and for how many nats?

# %%
mean, log_var = latent.encode(vae, data.test_images)
elbo_draws, nll_draws = 8, 32  # per image; nll has as many from q(z|x) as from the prior
terms = measures.terms(vae, data.test_images, mean, log_var, elbo_draws)
nll = measures.nll_by_own_codes(vae, data.test_images, mean, log_var, nll_draws)
measured = with_error(**terms, nll=nll) | measures.anchors(data.train_images, data.test_images)
measured |= {"images": len(mean), "samples": elbo_draws, "proposals": 2 * nll_draws}
pd.Series(measured, name=f"kl_weight {kl_weight:g}").round(2).to_frame()

# %% [markdown]
# What is the rate spent on? `rate_z0`, `rate_z1`, ... are the shares of the latent dimensions: is any of them switched
# off? (`active_units` counts those whose mean varies from image to image by a variance above 0.01.)
# `mutual_information` cannot exceed the logarithm of the number of images; `marginal_kl` is the rest of the rate.
# (Covariances of the codes are in measures.json.)

# %%
train_mean, train_log_var = latent.encode(vae, data.train_images)
information = aggregate.evaluate(mean, log_var, data.test_labels, train_mean, data.train_labels)
pd.Series(information, name=f"kl_weight {kl_weight:g}").filter(regex="^(?!code_)").round(3).to_frame()

# %% [markdown]
# ## Images and what is left of them
#
# Each test image above, the image decoded from the mean of its code below. What got lost?

# %%
figures.image_pairs(data.test_images[:10], latent.decode(vae, mean[:10]), "Test images and their reconstructions")

# %% [markdown]
# ## Twelve samples
#
# Twelve codes from the prior, decoded. Do they look like the data? Which kinds are missing, and is there any that is
# nothing at all?

# %%
codes = prior.sample_prior(12, seed, latent_dim).reshape(3, 4, latent_dim)
samples = interpolation.decode_cells(vae, codes)
runs.save_figure(run / "prior_samples.png", lesson_figures.image_grid(samples, "12 samples of the prior, decoded"))

# %% [markdown]
# Twelve are few. A small classifier, trained on the real training images, judges 10,000: how sure it is, how many
# classes make up 1 % or more, how sharp the images are; for samples of the prior, for samples of a mixture of Gaussians
# fitted to the training codes, and for the real test images. Where the mixture's are much better than the prior's, the
# codes are not where the prior is.

# %%
judge = generation.train_judge(data)
judged = generation.evaluate(judge, generation.draw(vae, train_mean, train_log_var), data)
pd.Series(judged, name=f"kl_weight {kl_weight:g}").round(3).to_frame()

# %% [markdown]
# ## The same without the mean
#
# The tutorial's `Sampling` layer returns $\sigma \epsilon$ and forgets to add $\mu$. So every image's codes lie around
# the origin, and only their spread can say which image it was. The KL term still charges for $\mu$. What will the
# encoder do with it? The second model has this mistake alone, with the same initial weights, batches and noise.
#
# The third has both of the tutorial's choices: the mean forgotten and the loss divided by 784 (with logits, where the
# tutorial has probabilities). The division should change nothing, since RMSprop divides each step by the size of the
# gradients, all but for an epsilon of 1e-7 against division by zero.
# TensorFlow 2 of the tutorial's time added it to the root of the mean squared gradient. Keras 3 adds it under the root,
# as if it were the square of a gradient of 0.0003. Which of the two models follows the printed losses?

# %%
options = {"kl_weight": kl_weight, "seed": seed, "learning_rate": learning_rate, "latent_dim": latent_dim}
forgotten = seed_000.mistaken_vae(seed_000.FORGOTTEN, **options)
forgotten_history, _ = training.train(forgotten, data, epochs, batch_size, seed, run / "history_mean_forgotten.csv")
as_written = seed_000.mistaken_vae(seed_000.AS_WRITTEN, **options)
as_written_history, _ = training.train(as_written, data, epochs, batch_size, seed, run / "history_as_written.csv")

# %%
vaes = {seed_000.RIGHT: vae, seed_000.FORGOTTEN: forgotten, seed_000.AS_WRITTEN: as_written}
models = list(vaes)
histories = dict(zip(models, (history, forgotten_history, as_written_history), strict=True))
title = seed_000.figure_title(settings)
figure = lesson_figures.losses_beside_printed(seed_000.printed_history(), histories, title)
runs.save_figure(run / "losses_beside_printed.png", figure)

# %% [markdown]
# The second and the third loss charge for a mean that is never used. So here are the honest terms as well: those of the
# Gaussian that the codes are really drawn from, on the validation images, in nats per image. How large are the means
# that the decoder never sees (`size of the means`), and what carries the information instead?
#
# The tutorial says that the logarithm of the variance is "more stable in value". Where a mean is far above the median,
# a few images decide it: look at `largest log_var`, whose exponential is a variance that the KL term charges for.

# %%
seed_000.comparison(vaes, histories, data.validation_images).round(2)

# %% [markdown]
# What is left of an image? Test images, and what each model decodes from one draw of $q(z|x)$. Two draws of the
# same width may lie on opposite sides of the origin: what can a decoder learn that is told the width alone?

# %%
pictures = seed_000.decoded_draws(vaes, data.test_images[:10])
figure = lesson_figures.image_grid(pictures, "Test images, and one draw of each model", ["image", *models])
runs.save_figure(run / "reconstructions.png", figure)

# %% [markdown]
# And what do the three make of the same twelve codes from the prior? The tutorial showed samples of a decoder that was
# trained with the mistake.

# %%
beside = {name: interpolation.decode_cells(model, codes) for name, model in vaes.items()}
figure = lesson_figures.grids_beside(beside, "The same 12 codes from the prior")
runs.save_figure(run / "samples_with_and_without.png", figure)

# %% [markdown]
# ## A grid between the codes
#
# The twelve codes as a 3 x 4 grid, resized bilinearly to 5 x 7, and decoded: what is between a shirt and a shoe? The
# tutorial resizes with `tf.image.resize` and says that mixed codes then come in every other row and column, between the
# original ones. The frames mark the cells that *are* one of the twelve. How many do you count on the left?
#
# A picture's pixel is an area, so `tf.image.resize` makes the areas match: counted from 0, column 2 of seven lies at
# $(2 + 1/2) \cdot 4/7 - 1/2 = 0.93$ of the four, not at 1. A grid of codes is made of points. Where the corners match,
# every second row and column is an old one.

# %%
grids = {"tf.image.resize": interpolation.half_pixel_centres(codes)}
grids["corners aligned"] = interpolation.corners_aligned(codes)
originals = {name: interpolation.originals_in(codes, grid) for name, grid in grids.items()}
decoded = {f"{name}: {originals[name].sum()} of 12": interpolation.decode_cells(vae, grids[name]) for name in grids}
framed = dict(zip(decoded, originals.values(), strict=True))
figure = lesson_figures.grids_beside(decoded, "Codes between codes; framed: the original ones of the 12", framed)
runs.save_figure(run / "interpolation.png", figure)

# %% [markdown]
# Is a mix of two samples a sample? The more dimensions, the more of the prior's samples are about equally far from
# the origin: the square root of the number of dimensions. A mean of two or four of them lies nearer. `prior nearer` is
# the share of samples that lie as near as that. Does it show in the images? (Sharpness: variance of the Laplacian.)

# %%
interpolation.mix_table(vae, latent_dim, seed=seed).round(4)

# %% [markdown]
# ## Between two images: pixels or codes
#
# Two test images, and the way from one to the other: by blending their pixels; by blending the pixels of what they are
# decoded to; by blending their codes. At which step does each row show two things at once?

# %%
rows = interpolation.blends(vae, data.test_images[:2], mean[:2])
title = " to ".join(data.class_names[label] for label in data.test_labels[:2])
figure = lesson_figures.image_grid(rows, title, ["images", "decoded images", "codes"])
runs.save_figure(run / "blends.png", figure)

# %% [markdown]
# Is the image halfway between two codes more like a real one than the image halfway between two images, or between what
# they are decoded to? For pairs of test images of different classes: how sure the judge is, whether it sees one of the
# two classes, and how far the nearest training image is (squared distance, summed over pixels). The first two rows are
# what a test image reaches, and what it is decoded to. Blur can bring an image nearer too: is a decoded image nearer to
# the training images than a real one is?

# %%
midpoints = interpolation.midpoint_table(vae, judge, data, mean)
midpoints.round(2)

# %% [markdown]
# ## The seed's numbers beside ours
#
# Printed numbers, and statements that can be measured. Losses are per pixel, as the seed prints them, and in nats per
# image. The seed also says that an encoder which puts out the log-variance trains faster than one which puts out the
# deviation: the lesson `autoencoder_vs_vae` measures that.

# %%
pd.set_option("display.max_colwidth", None)
numbers = seed_000.loss_rows(histories, settings, len(data.train_images))
numbers += seed_000.said_rows(originals, judged, midpoints)
seeds.seed_table(numbers)

# %% [markdown]
# ## The run folder
#
# Parameters, losses, measures, figures, codes and weights are now in the run folder; `record.json`, written last, has
# their hashes. The measures are those of the model with the mean.

# %%
seeds.seed_table(numbers).to_csv(run / "seed_numbers.csv", index=False)
runs.write_json(run / "measures.json", {**measured, **information, **judged})
pictures = {"prior_samples": samples, "interpolation": decoded.popitem()[1], "blends": rows}
runs.save_latent(run, pictures, {"mean": mean, "log_var": log_var, "labels": data.test_labels, "codes": codes})
vae.save_weights(run / "model.weights.h5")
runs.finish_run(run, seconds)
print("written:", os.path.relpath(run))
