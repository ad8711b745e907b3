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
# Tutorial 000 is one of the documents that this suite grew out of: "Variational automatic encoder", a web page. It
# trains a dense VAE on Fashion-MNIST, draws twelve samples and fills a grid between their codes. Its text explains the
# sampling step correctly, its code leaves half of it out, and its printed losses are those of the code. What did the
# missing half cost? And does the grid contain what the tutorial says it does?
#
# The model: 784 - 150 - 100 GELU units, a 10-dimensional Gaussian, 100 - 150 - 784; a Bernoulli likelihood; RMSprop. As
# everywhere in this suite the objective is distortion + kl_weight * rate, in nats per image; `train_vae` explains both
# terms. The tutorial's loss, a mean over pixels plus KL / 784, is the same objective at kl_weight 1, divided by 784.

# %% tags=["parameters"]
dataset: str = "fashion_mnist"  # a data set (mnist, fashion_mnist, digits), or auto: mnist if available, else digits
kl_weight: float = 1.0  # factor on the KL term, 0 or more; 1 is the ELBO, and the tutorial's
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
from IPython.display import Markdown

from vae_core import figures, latent, measures, parameters, runs, training, tutorials
from vae_core.data import check_dataset, check_labelled, load_dataset
from vae_core.lessons.dense_vae_fashion import figures as lesson_figures
from vae_core.lessons.dense_vae_fashion import measures as lesson
from vae_core.lessons.dense_vae_fashion import model, tutorial

architecture = {"kl_weight": kl_weight, "seed": seed, "learning_rate": learning_rate, "latent_dim": latent_dim}
settings = {**architecture, "epochs": epochs, "batch_size": batch_size, "threads": threads}
parameters.check_parameters(settings)
training.use_threads(threads)

# %% [markdown]
# ## The data
#
# What kind of images will the model see? Ten of them, from the validation set:

# %%
data = load_dataset(dataset, data_dir).as_floats()
check_dataset(data)
check_labelled(data)
settings["dataset"] = data.name
run = runs.start_run(settings, data.checksum, run_dir, "dense_vae_fashion")
runs.write_dataset(run, data)
names = [data.class_names[label] for label in data.validation_labels[:10]]
figures.image_row(data.validation_images[:10], data.description, names)

# %% [markdown]
# ## Training, with the mean
#
# First the model as the tutorial's text describes it: $z = \mu + \sigma \epsilon$. Is the objective still falling when
# training ends? Do the validation losses follow the training losses, or do they part?

# %%
vae = model.gelu_vae(**architecture)
history, seconds = training.train(vae, data, epochs, batch_size, seed, run / "history.csv")
figures.training_curves(history, f"{data.name}, kl_weight {kl_weight:g}, seed {seed}")

# %% [markdown]
# ## In numbers, on the test images
#
# `nll` is -log p(x), importance-weighted with draws from the image's own q(z|x) and from the prior. No distortion can
# be below `entropy_floor`; a code that says nothing has at best `zero_information_distortion`. (The cross-entropy of
# grey pixels is not a normalised likelihood: these numbers compare models of the same images.) How much of the way
# between the two does the code gain, and for how many nats?

# %%
mean, log_var = latent.encode(vae, data.test_images)
measured = measures.measure_bound(vae, data, mean, log_var)
pd.Series(measured, name=f"kl_weight {kl_weight:g}").round(2).to_frame()

# %% [markdown]
# What is the rate spent on? `rate_z0`, `rate_z1`, ... are the shares of the latent dimensions: is any of them switched
# off? (`active_units` counts those whose mean varies from image to image with a variance above 0.01.)
# `mutual_information` cannot exceed the logarithm of the number of images; `marginal_kl` is the rest of the rate.
# (Covariances of the codes are in measures.json.)

# %%
train_mean, train_log_var = latent.encode(vae, data.train_images)
information = measures.measure_codes(mean, log_var, data.test_labels, train_mean, data.train_labels)
pd.Series(information, name=f"kl_weight {kl_weight:g}").filter(regex="^(?!code_)").round(3).to_frame()

# %% [markdown]
# ## Reconstructions
#
# The top row shows test images, the bottom row what the decoder makes of the means of their codes. What got lost?

# %%
figures.image_pairs(data.test_images[:10], latent.decode(vae, mean[:10]), "Test images and their reconstructions")

# %% [markdown]
# ## Twelve samples
#
# Twelve codes from the prior, decoded. Do they look like the data? Which kinds are missing? Do some look like nothing
# at all?

# %%
codes = latent.sample_prior(12, seed, latent_dim).reshape(3, 4, latent_dim)
samples = lesson.decode_cells(vae, codes)
figures.save_figure(run / "prior_samples.png", figures.image_grid(samples, "12 samples of the prior, decoded"))

# %% [markdown]
# Twelve are few. A small classifier, trained on the real training images, judges 10,000: how sure it is, how many
# classes make up 1 % or more, how sharp the images are. It judges samples of the prior, samples of a mixture of
# Gaussians fitted to the training codes, and the real test images. Where the mixture's are much better than the
# prior's, the codes are not where the prior is.

# %%
judge = measures.train_judge(data)
judged = measures.measure_samples(judge, measures.draw_images(vae, train_mean, train_log_var), data)
pd.Series(judged, name=f"kl_weight {kl_weight:g}").round(3).to_frame()

# %% [markdown]
# ## The same without the mean
#
# The tutorial's `Sampling` layer returns $\sigma \epsilon$ and forgets to add $\mu$. So every image's codes lie around
# the origin, and only their spread can say which image it was. The KL term still charges for $\mu$. What will the
# encoder do with it? The second model has this mistake alone, with the same initial weights, batches and noise.
#
# The third has both of the tutorial's choices: the mean forgotten and the loss divided by 784 (from logits, where the
# tutorial has probabilities). The division should change nothing, since RMSprop divides each step by the size of the
# gradients, except for an epsilon of 1e-7 that prevents a division by zero. TensorFlow 2 of the tutorial's time added
# it to the root of the mean squared gradient. Keras 3 adds it under the root, where it counts as the square of a
# gradient of 0.0003. Which of the two models follows the printed losses?

# %%
forgotten = model.gelu_vae(**architecture, kind=model.MeanForgotten)
forgotten_history, _ = training.train(forgotten, data, epochs, batch_size, seed, run / "history_mean_forgotten.csv")
as_written = model.gelu_vae(**architecture, kind=model.AsWritten)
as_written_history, _ = training.train(as_written, data, epochs, batch_size, seed, run / "history_as_written.csv")

# %%
vaes = {model.RIGHT: vae, model.FORGOTTEN: forgotten, model.AS_WRITTEN: as_written}
histories = dict(zip(vaes, (history, forgotten_history, as_written_history), strict=True))
printed = tutorial.printed_history()
figure = lesson_figures.losses_beside_printed(printed, histories, tutorial.figure_title(settings))
figures.save_figure(run / "losses_beside_printed.png", figure)

# %% [markdown]
# The second and the third loss charge for a mean that is never used. So here are the honest terms as well: those of the
# Gaussian that the codes are really drawn from, on the validation images, in nats per image. How large are the means
# that the decoder never sees (`size of the means`), and what carries the information instead?
#
# The tutorial says that the logarithm of the variance is "more stable in value". Where a mean is far above the median,
# a few images decide it: look at `largest log_var`, whose exponential is a variance that the KL term charges for.

# %%
lesson.comparison(vaes, histories, data.validation_images).round(2)

# %% [markdown]
# How well is an image drawn again? Test images, and what each model decodes from one draw of $q(z|x)$. Two draws of the
# same width may lie on opposite sides of the origin: what can a decoder learn that is told only the width?

# %%
pictures = lesson.decoded_draws(vaes, data.test_images[:10])
figure = figures.image_grid(pictures, "Test images, and one draw of each model", ["image", *vaes])
figures.save_figure(run / "reconstructions.png", figure)

# %% [markdown]
# And what do the three make of the same twelve codes from the prior? The samples shown in the tutorial come from a
# decoder that was trained with the mistake.

# %%
beside = {name: lesson.decode_cells(one, codes) for name, one in vaes.items()}
figure = lesson_figures.grids_beside(beside, "The same 12 codes from the prior")
figures.save_figure(run / "samples_with_and_without.png", figure)

# %% [markdown]
# ## A grid between the codes
#
# The twelve codes form a 3 x 4 grid, which is resized bilinearly to 5 x 7 and decoded: what lies between a shirt and a
# shoe? The tutorial resizes with `tf.image.resize` and says that mixed codes then come in every other row and column,
# between the original ones. The frames mark the cells that *are* one of the twelve. How many do you count on the left?
#
# A picture's pixel is an area, so `tf.image.resize` makes the areas match: counted from 0, column 2 of seven lies at
# $(2 + 1/2) \cdot 4/7 - 1/2 = 0.93$ of the four, not at 1. A grid of codes is made of points. Where the corners match,
# every second row and column is an original one.

# %%
grids = {name: resize(codes) for name, resize in lesson.RESIZES.items()}
originals = {name: lesson.originals_in(codes, grid) for name, grid in grids.items()}
decoded = {name: lesson.decode_cells(vae, grid) for name, grid in grids.items()}
figure = lesson_figures.grids_beside(decoded, "Codes between codes; framed: the original ones", originals)
figures.save_figure(run / "interpolation.png", figure)

# %% [markdown]
# Is a mix of two samples a sample? The more dimensions, the more nearly all samples of the prior lie at the same
# distance from the origin: the square root of the number of dimensions. A mean of two or four of them lies nearer.
# `prior nearer` is the share of samples that lie as near as that. Does it show in the images? (Sharpness: variance of
# the Laplacian.)

# %%
lesson.mix_table(vae, latent_dim, seed=seed).round(4)

# %% [markdown]
# ## Between two images: pixels or codes
#
# Two test images, and three ways from one to the other: blending their pixels, blending the pixels of their decoded
# images, blending their codes. At which step does each row show two things at once?

# %%
rows = lesson.blends(vae, data.test_images[:2], mean[:2])
title = " to ".join(data.class_names[label] for label in data.test_labels[:2])
figure = figures.image_grid(rows, title, ["images", "decoded images", "codes"])
figures.save_figure(run / "blends.png", figure)

# %% [markdown]
# Is the image halfway between two codes more like a real one than the image halfway between two images, or between two
# decoded images? For pairs of test images of different classes the table tells how sure the judge is, whether it sees
# one of the two classes, and how far the nearest training image is (squared distance, summed over pixels). The first
# two rows are for reference: a test image itself, and its decoded image. Blur can bring an image nearer too: is a
# decoded image nearer to the training images than a real one is?

# %%
midpoints = lesson.midpoint_table(vae, judge, data, mean)
midpoints.round(2)

# %% [markdown]
# ## What the tutorial prints and says, and what came out here
#
# Losses are per pixel, as the tutorial prints them, and in nats
# per image. The tutorial also says that an encoder that gives the log-variance trains faster than one that gives the
# deviation: the notebook `autoencoder_vs_vae` measures that.

# %%
table = tutorial.comparison_table(histories, settings, len(data.train_images), originals, judged, midpoints)
table.to_csv(run / tutorials.TUTORIAL_FILE, index=False)
Markdown(tutorials.tutorial_markdown(table))

# %% [markdown]
# ## The run folder
#
# The run folder now holds parameters, losses, measures, figures, codes and weights; `record.json`, written last, has
# their hashes. The measures are those of the model with the mean.

# %%
runs.write_measures(run, {**measured, **information, **judged})
images = {"prior_samples": samples, "interpolation": decoded[lesson.CORNERS_ALIGNED], "blends": rows}
runs.save_latent(run, runs.Latent(mean, log_var, data.test_labels), images, codes=codes)
vae.save_weights(run / "model.weights.h5")
runs.finish_run(run, seconds, "dense_vae_fashion")
print("written:", os.path.relpath(run))
