# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # A convolutional VAE on black-and-white images
#
# Seed 001 is a tutorial that turns MNIST into black and white, trains a convolutional VAE with a latent plane, and
# estimates its objective, the ELBO
#
# $$\mathbb{E}_{q(z|x)}\left[\log p(x|z)\right] - \mathrm{KL}(q(z|x)\,\|\,p(z)) \;\le\; \log p(x),$$
#
# from a single draw of $z$, the KL term included. This is its system, with its dense model as an option, put right
# where it is wrong, and with a weight on the KL term (`kl_weight` 1 is the ELBO). What does black and white change?
# What does the single draw cost? Which of the tutorial's pictures are generated? All losses are in nats per image.

# %% tags=["parameters"]
dataset: str = "auto"  # mnist, fashion_mnist, digits, or auto: mnist if it can be had, else digits
architecture: str = "conv"  # conv, or the seed's dense model of 500 and 200 units: dense
kl_weight: float = 1.0  # factor on the KL term, 0 or more; 1 is the ELBO
epochs: int = 100  # passes through the training images, 1 or more
batch_size: int = 100  # images per gradient step; the seed prints none
learning_rate: float = 1e-4  # of Adam
seed: int = 0  # decides the initial weights, the batches and the noise; not affected by kl_weight
threads: int = 1  # CPU threads; a sweep fills the cores with runs of one thread each
data_dir: str = ""  # folder with mnist/ or fashion_mnist/ in it; empty: VAE_DATA_DIR, the cache, a download
run_dir: str = ""  # folder to write; empty: results/single_runs/conv_vae_binarized_mnist/<dataset>/<run and settings>

# %%
import os

# %matplotlib inline
import numpy as np
import pandas as pd

from vae_core import aggregate, binarized, figures, latent, lesson_figures, measures, prior, runs, training, windows
from vae_core.data import load_dataset
from vae_core.seeds import seed_table

settings = {"architecture": architecture, "kl_weight": kl_weight, "epochs": epochs, "batch_size": batch_size}
settings |= {"learning_rate": learning_rate, "seed": seed, "threads": threads}
runs.check_choice("architecture", architecture, list(binarized.ARCHITECTURES))
runs.check_parameters({name: value for name, value in settings.items() if name != "architecture"})
training.use_threads(threads)

# %% [markdown]
# ## Black and white
#
# Validation images as they are; with every pixel tossed, white with the probability of its grey value, as *dynamic
# binarisation* does anew in every epoch; and thresholded at 0.5, as the seed does once and for all. In which row is
# something left to chance?

# %%
grey = load_dataset(dataset, data_dir)
data = binarized.thresholded(grey)
settings = {"dataset": data.name, **settings}
run = runs.start_run(settings, data.checksum, run_dir, "conv_vae_binarized_mnist")
pictures = [grey.validation_images, binarized.tossed(grey.validation_images[:10], seed), data.validation_images]
rows = np.stack([images[:10, ..., 0] for images in pictures])  # (3, 10, 28, 28)
lesson_figures.image_grid(rows, data.description, ("grey", "tossed", "thresholded"))

# %% [markdown]
# The cross-entropy of a grey pixel is no likelihood: over all values that a pixel can have it does not add up to 1, and
# it cannot fall below the pixel's own entropy. For a pixel that is black or white it is a likelihood, and its floor is
# 0. So here $-\log p(x)$ is what it says, in nats: what the image costs in a code made for the model.
#
# The seed compares its ELBO with results from literature on tossed pixels. But no model knows how a toss will end:
# averaged over the tosses, every $-\log p(x)$ contains their entropy, which is that of the grey values. How much of
# this is left after a threshold? And what do the images then cost a model that decodes every code to the mean training
# image?

# %%
limits = binarized.binarisation_table(grey, data, seed)
limits.round(2)

# %% [markdown]
# ## Training
#
# The objective is distortion + kl_weight * rate with the analytic KL. After some of the epochs, the same 16 samples of
# the prior are decoded. Does the objective still fall when training ends? Do the validation images, which are not
# trained on, follow the training images?

# %%
vae = binarized.ARCHITECTURES[architecture](kl_weight, seed, learning_rate)
fixed = binarized.FixedCodes(vae, prior.sample_prior(16, seed).astype("float32"), epochs)
history, seconds = training.train(vae, data, epochs, batch_size, seed, run / "history.csv", fixed.take)
figures.training_curves(history, f"{data.name}, {architecture}, kl_weight {kl_weight:g}, seed {seed}")

# %% [markdown]
# What the seed prints after every epoch: the ELBO and the time. It takes the test images for it, and draws one $z$ for
# each; here they are the validation images, so that the test images stay unseen until the end. The seconds are a
# property of the machine, and those of the first epoch include the compilation.

# %%
binarized.log_table(history, seconds, fixed.epochs).round(2)

# %% [markdown]
# ## A fixed sample of the prior, as training goes on
#
# Codes drawn from the prior once, before training, and decoded after the epochs on the left. When does a picture first
# show something of the data set? Which columns still change at the end? The animation of all 16 is `fixed_sample.gif`
# in the run folder.

# %%
title = f"{data.name}, {architecture}, kl_weight {kl_weight:g}"
frames = lesson_figures.mosaic_frames(fixed.epochs, fixed.images, title)
runs.save_animation(run / "fixed_sample.gif", frames, milliseconds=400)
strip, names = fixed.strip()
figure = lesson_figures.image_grid(strip, f"{title}: the same samples of the prior", names)
runs.save_figure(run / "fixed_sample.png", figure, colors=24)

# %% [markdown]
# ## In numbers, on the test images
#
# `negative_elbo` is distortion + rate, whatever the weight. `nll` is $-\log p(x)$, importance-weighted over `proposals`
# draws from all $q(z|x)$ and the prior, and `nll_above_quadrature` tells how far off that is. The difference
# negative_elbo - nll is the mean of $\mathrm{KL}(q(z|x)\,\|\,p(z|x))$. The seed says that this becomes 0. Does it?

# %%
mean, log_var = latent.encode(vae, data.test_images)
measured = measures.evaluate(vae, data, mean, log_var)
pd.Series(measured, name=f"kl_weight {kl_weight:g}").round(2).to_frame()

# %% [markdown]
# ## One draw, two estimates
#
# With one draw $z \sim q(z|x)$ for each image, the seed estimates the ELBO by $\log p(x|z) + \log p(z) - \log q(z|x)$.
# We know the KL of two Gaussians, and take $\log p(x|z) - \mathrm{KL}(q(z|x)\,\|\,p(z))$. Both are right on average: is
# their difference 0 within its standard error? And which has less noise, the standard deviation over draws for one and
# the same image?
#
# It need not be the second. The KL's own noise is gone, but it may have made up for some of the likelihood's: if
# $q(z|x)$ were the posterior $p(z|x)$, the first would be $\log p(x)$ at every draw, without any noise. The last column
# is the noise of what the seed prints, the mean of all test images. Does it matter beside the standard error, which
# comes from the choice of images?

# %%
estimates = binarized.elbo_estimates(vae, data.test_images, mean, log_var)
binarized.estimate_table(estimates).round(4)

# %% [markdown]
# Training follows gradients, not values. Here are those of this run's objective for one batch of training images, with
# either estimate of the rate, with respect to all weights. Does the one with less noise in its values have less noise
# here, too? And do the two have the same mean: is the mean of their difference, draw by draw, about as long as noise
# alone makes the mean of so many draws? (At kl_weight 0 they are the same.)

# %%
binarized.gradient_table(vae, data.train_images[:batch_size]).round(3)

# %% [markdown]
# ## Reconstructed or generated?
#
# The seed says that it decodes samples of the prior; its code decodes draws from $q(z|x)$ of 16 test images. Below:
# test images, what is decoded from such draws, and real samples of the prior, the fixed ones from above. Which of the
# two tell how good the model is at making up images?

# %%
codes = {"draws from q(z|x)": binarized.draws_of(mean[:16], log_var[:16], seed), "samples of the prior": fixed.z}
decoded = {f"decoded {name}": latent.decode(vae, z) for name, z in codes.items()}
figure = lesson_figures.mosaics({"test images": data.test_images[:16], **decoded}, title)
runs.save_figure(run / "samples.png", figure, colors=24)

# %% [markdown]
# The same as a number: what does each test image cost, in nats, if the code in its place is known?

# %%
distortions = binarized.picture_distortions(vae, data.test_images[:16], codes)
pd.Series(distortions, name="mean -log p(x|z) of the 16 test images [nats]").round(2).to_frame()

# %% [markdown]
# ## Where the codes are
#
# Each point is the mean of $q(z|x)$ of one test image. Do the codes fill the prior's rings? The model was never told of
# the classes: which lie apart, and which on top of each other?

# %%
scatter = figures.latent_scatter(mean, data.test_labels, data.class_names, f"{title}: {len(mean):,} test codes")
runs.save_figure(run / "latent_scatter.png", scatter)

# %% [markdown]
# ## From image to image
#
# The seed's last figure shows transitions, without code; here they are decoded on a grid at the prior's quantiles, so
# that every cell stands for the same share of samples. What lies between two classes: images of the one or the other,
# or pictures that are neither?

# %%
quantiles = windows.quantile_axes(cells=20)
at_quantiles, share = latent.decode_grid(vae, quantiles), windows.share_within(mean, quantiles)
figure = figures.decoder_manifold(at_quantiles, quantiles, f"{title}: at prior quantiles", share)
runs.save_figure(run / "decoder_manifold_quantiles.png", figure, colors=24)

# %% [markdown]
# ## What the codes tell, and what they only cost
#
# The rate is `mutual_information`, which tells images apart, plus `marginal_kl`, the distance of all codes together
# from the prior. `knn_accuracy` asks whether neighbours are of one class. How much of the rate is information?

# %%
train_mean, _ = latent.encode(vae, data.train_images)
information = aggregate.evaluate(mean, log_var, data.test_labels, train_mean, data.train_labels)
pd.Series(information, name=f"kl_weight {kl_weight:g}").round(3).to_frame()

# %% [markdown]
# ## Losses that the seed writes down
#
# For its dense model the seed writes formulas that its convolutional one does not use. The KL is summed over the batch,
# and so is the cross-entropy. The Gaussian log-likelihood has both a 1/2 and a $1/(2\sigma^2)$, and a single
# $\log\sigma$ for all pixels of all images. For our reconstructions (decoded means) of the first test images: what
# becomes of each as the batch grows, and which $\sigma$ does each Gaussian find best? White pixels are at 1, black ones
# at 0. What the sums do to a training is shown in `bug_gallery`.

# %%
written = binarized.written_table(vae, data.test_images, mean, log_var)
written.round(3)

# %% [markdown]
# ## The seed's statements and ours
#
# Seed 001 prints no results. The notebook that it names (`chapter14_GAN/CVAE.ipynb` in the repository
# Charmve/computer-vision-in-action) prints one, for 10 epochs in batches of 32; `-p epochs 10 -p batch_size 32` is that
# run. What the seed says in words is in the other rows.

# %%
pd.set_option("display.max_colwidth", None)
rows = binarized.seed_rows(settings, measured, limits, estimates, distortions, written, vae.count_params())
seed_table(rows).to_csv(run / "seed_numbers.csv", index=False)
seed_table(rows)

# %% [markdown]
# ## The run folder
#
# Parameters, losses, measures, figures, codes and weights are now in the run folder; `record.json`, written last, has
# their hashes, and the seconds.

# %%
axes = windows.uniform_axes()
noise = binarized.noise_measures(estimates)
in_window = {"share_in_window": windows.share_within(mean, axes)}
runs.write_json(run / "measures.json", {**measured, **information, **noise, **in_window})
images = {"manifold": latent.decode_grid(vae, axes), "manifold_quantiles": at_quantiles, "fixed_sample": fixed.images}
codes = {"mean": mean, "log_var": log_var, "labels": data.test_labels, "axes": axes, "quantiles": quantiles}
runs.save_latent(run, images, {**codes, "fixed_codes": fixed.z, "epochs": fixed.epochs})
vae.save_weights(run / "model.weights.h5")
runs.finish_run(run, seconds)
print("written:", os.path.relpath(run))
