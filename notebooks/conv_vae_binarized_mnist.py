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
# Tutorial 001 is "Variational Auto-encoder, VAE" (in Chinese), section 12.4 of Charmve's *Computer Vision in Action*
# ([github.com/Charmve/computer-vision-in-action](https://github.com/Charmve/computer-vision-in-action)). It turns MNIST
# into black and white, trains a convolutional VAE with two latent dimensions, and estimates its objective, the ELBO
#
# $$\mathbb{E}_{q(z|x)}\left[\log p(x|z)\right] - \mathrm{KL}(q(z|x)\,\|\,p(z)) \;\le\; \log p(x),$$
#
# from a single draw of $z$, the KL term included. This notebook rebuilds its convolutional model, with its dense model
# as an option, corrects its mistakes, and puts a weight on the KL term (`kl_weight`; 1 is the ELBO). What do black and
# white change? What does the single draw cost? Which of the tutorial's pictures are generated? All losses are in nats
# per image.

# %% tags=["parameters"]
dataset: str = "auto"  # a data set (mnist, fashion_mnist, digits), or auto: mnist if it is available, else digits
architecture: str = "conv"  # conv, or dense: the tutorial's dense model of 500 and 200 units
kl_weight: float = 1.0  # factor on the KL term, 0 or more; 1 is the ELBO
epochs: int = 100  # passes through the training images, 1 or more
batch_size: int = 100  # images per gradient step; the tutorial prints none
learning_rate: float = 1e-4  # of Adam
seed: int = 0  # decides the initial weights, the batches and the noise; not affected by kl_weight
threads: int = 1  # CPU threads; a sweep fills the cores with runs of one thread each
data_dir: str = ""  # folder with mnist/ or fashion_mnist/ in it; empty: VAE_DATA_DIR, the cache, a download
run_dir: str = ""  # folder to write; empty: results/single_runs/conv_vae_binarized_mnist/<dataset>/<run and settings>

# %%
import os
from functools import partial

# %matplotlib inline
import numpy as np
import pandas as pd
from IPython.display import Markdown

from vae_core import figures, latent, measures, parameters, runs, training, tutorials
from vae_core.data import check_dataset, check_labelled, load_dataset
from vae_core.lessons.conv_vae_binarized_mnist import figures as lesson_figures
from vae_core.lessons.conv_vae_binarized_mnist import measures as lesson
from vae_core.lessons.conv_vae_binarized_mnist import model, tutorial

numbers = {"kl_weight": kl_weight, "epochs": epochs, "batch_size": batch_size}
numbers |= {"learning_rate": learning_rate, "seed": seed, "threads": threads}
parameters.check_choice("architecture", architecture, list(model.ARCHITECTURES))
parameters.check_parameters(numbers)
training.use_threads(threads)

# %% [markdown]
# ## Black and white
#
# The first row below shows validation images as they are. In the second, every pixel is tossed: it is white with the
# probability of its grey value. *Dynamic binarisation* does this anew in every epoch. In the third, the images are
# thresholded at 0.5, once and for all, as in the tutorial. Which row depends on chance?

# %%
grey = load_dataset(dataset, data_dir).as_floats()
check_dataset(grey)
check_labelled(grey)
data = lesson.thresholded(grey)
settings = {"dataset": data.name, "architecture": architecture, **numbers}
run = runs.start_run(settings, data.checksum, run_dir, "conv_vae_binarized_mnist")
runs.write_dataset(run, data)
pictures = [grey.validation_images, lesson.tossed(grey.validation_images[:10], seed), data.validation_images]
rows = np.stack([images[:10, ..., 0] for images in pictures])  # (3, 10, 28, 28)
figures.image_grid(rows, data.description, ("grey", "tossed", "thresholded"))

# %% [markdown]
# The cross-entropy of a grey pixel is not a likelihood: over all values that a pixel can take, its probabilities do not
# add up to 1, and it cannot fall below the pixel's own entropy. For a pixel that is black or white it is a likelihood,
# and its floor is 0. So here $-\log p(x)$ is exactly that, in nats: what the image costs in a code made for the model.
#
# The tutorial compares its ELBO with published results on tossed pixels. But no model knows how a toss will end:
# averaged over the tosses, every $-\log p(x)$ contains their entropy, which is that of the grey values. How much of it
# is left after thresholding (`entropy_floor`)? And what do the images cost a model that decodes every code to the mean
# training image (`zero_information_distortion`)? Both are in nats per image.

# %%
limits = lesson.binarisation_table(grey, data, seed)
limits.round(2)

# %% [markdown]
# ## Training
#
# The objective is distortion + kl_weight * rate, with the analytic KL. After some of the epochs, the same 16 samples of
# the prior are decoded. Is the objective still falling when training ends? Do the validation images, which are not
# trained on, follow the training images?

# %%
vae = model.ARCHITECTURES[architecture](kl_weight, seed, learning_rate)
fixed_codes = latent.sample_prior(16, seed).astype("float32")
recorder = training.Recorder(training.spread_epochs(epochs), fixed_sample=partial(latent.decode, vae, fixed_codes))
history, seconds = training.train(vae, data, epochs, batch_size, seed, run / "history.csv", recorder)
figures.training_curves(history, f"{data.name}, {architecture}, kl_weight {kl_weight:g}, seed {seed}")

# %% [markdown]
# After every epoch the tutorial prints the ELBO and the time. It evaluates the test images, with one draw of $z$ for
# each. Here the validation images take their place, so that the test images stay unseen until the end. The seconds
# depend on the machine; those of the first epoch include compilation.

# %%
lesson.elbo_log(history, seconds, recorder.epochs).round(2)

# %% [markdown]
# ## A fixed sample of the prior during training
#
# These codes were drawn from the prior once, before training, and decoded after the epochs named on the left. When does
# a picture first resemble the data set? Which columns still change at the end? The animation of all 16 is
# `fixed_sample.gif` in the run folder.

# %%
title = f"{data.name}, {architecture}, kl_weight {kl_weight:g}"
fixed_sample = recorder.kept["fixed_sample"]
frames = lesson_figures.mosaic_frames(recorder.epochs, fixed_sample, title)
figures.save_animation(run / "fixed_sample.gif", frames, milliseconds=400)
strip = lesson_figures.epoch_strip(recorder.epochs, fixed_sample, f"{title}: the same samples of the prior")
figures.save_figure(run / "fixed_sample.png", strip, colors=24)

# %% [markdown]
# ## In numbers, on the test images
#
# `negative_elbo` is distortion + rate, whatever the weight. `nll` is $-\log p(x)$, added up on a grid over the latent
# plane; an importance-weighted estimate is `nll_above_quadrature` higher. The difference negative_elbo - nll is the
# mean of $\mathrm{KL}(q(z|x)\,\|\,p(z|x))$. The tutorial says that this becomes 0. Does it?

# %%
mean, log_var = latent.encode(vae, data.test_images)
measured = measures.measure_bound(vae, data, mean, log_var)
pd.Series(measured, name=f"kl_weight {kl_weight:g}").round(2).to_frame()

# %% [markdown]
# ## One draw, two estimates
#
# With one draw $z \sim q(z|x)$ for each image, the tutorial estimates the ELBO by
# $\log p(x|z) + \log p(z) - \log q(z|x)$. The KL of two Gaussians is known, so we can take
# $\log p(x|z) - \mathrm{KL}(q(z|x)\,\|\,p(z))$ instead. Both are right on average: is their difference 0 within its
# standard error? And which has less noise, that is, a smaller standard deviation over draws for the same image?
#
# It need not be the second. It drops the noise of the KL term, but that noise may have cancelled some of the
# likelihood's: if $q(z|x)$ were the posterior $p(z|x)$, the first estimate would be $\log p(x)$ at every draw, without
# any noise. The last column is the noise of what the tutorial prints, the mean of all test images. Does it matter
# beside the standard error, which comes from the choice of images?

# %%
estimates = lesson.elbo_estimates(vae, data.test_images, mean, log_var)
lesson.estimate_table(estimates).round(4)

# %% [markdown]
# Training follows gradients, not values. These are the gradients of this run's objective with respect to all weights,
# for one batch of training images and with either estimate of the rate. Does the estimate with less noise in its values
# have less noise here, too? And do the two have the same mean: is the mean of their difference, draw by draw, about as
# long as noise alone would make it? (At kl_weight 0 they are the same.)

# %%
lesson.gradient_table(vae, data.train_images[:batch_size]).round(3)

# %% [markdown]
# ## Reconstructed or generated?
#
# The tutorial says that it decodes samples of the prior, but its code decodes draws from $q(z|x)$ of 16 test images.
# Below are test images, images decoded from such draws, and images decoded from real samples of the prior, the fixed
# ones above. Which of the two show how well the model makes up images?

# %%
drawn = latent.draw(mean[:16], log_var[:16], np.random.default_rng(seed))[0]  # (16, 2)
codes = {lesson.POSTERIOR_DRAWS: drawn, lesson.PRIOR_SAMPLES: fixed_codes}
decoded = {f"decoded {name}": latent.decode(vae, z) for name, z in codes.items()}
figure = lesson_figures.mosaics({"test images": data.test_images[:16], **decoded}, title)
figures.save_figure(run / "samples.png", figure, colors=24)

# %% [markdown]
# The same as a number: how many nats does each test image cost, given the code in its place?

# %%
distortions = lesson.picture_distortions(vae, data.test_images[:16], codes)
pd.Series(distortions, name="mean -log p(x|z) of the 16 test images [nats]").round(2).to_frame()

# %% [markdown]
# ## Where the codes are
#
# Each point is the mean of $q(z|x)$ of one test image. Do the codes fill the prior's rings? The model never saw the
# classes: which lie apart, and which overlap?

# %%
scatter = figures.latent_scatter(mean, data.test_labels, data.class_names, f"{title}: {len(mean):,} test codes")
figures.save_figure(run / "latent_scatter.png", scatter)

# %% [markdown]
# ## From image to image
#
# The tutorial's last figure shows transitions, without code. Here they are decoded on a grid at the prior's quantiles,
# so that every cell stands for the same share of samples. What lies between two classes: images of one or the other, or
# pictures that are neither?

# %%
quantiles = latent.quantile_axes(cells=20)
at_quantiles, share = latent.decode_grid(vae, quantiles), latent.share_within(mean, quantiles)
figure = figures.decoder_manifold(at_quantiles, quantiles, f"{title}: at prior quantiles", share)
figures.save_figure(run / "decoder_manifold_quantiles.png", figure, colors=24)

# %% [markdown]
# ## What the rate pays for
#
# The rate is `mutual_information`, which tells images apart, plus `marginal_kl`, the distance of all codes together
# from the prior. `knn_accuracy` asks whether neighbours belong to one class. How much of the rate is information?

# %%
train_mean, _ = latent.encode(vae, data.train_images)
information = measures.measure_codes(mean, log_var, data.test_labels, train_mean, data.train_labels)
pd.Series(information, name=f"kl_weight {kl_weight:g}").round(3).to_frame()

# %% [markdown]
# ## Formulas for the dense model
#
# For its dense model the tutorial gives formulas that its convolutional one does not use. The KL is summed over the
# batch, and so is the cross-entropy. The Gaussian log-likelihood has both a 1/2 and a $1/(2\sigma^2)$, and a single
# $\log\sigma$ for all pixels of all images. Below, each formula is applied to our reconstructions (decoded means) of
# the first test images; white pixels are 1, black ones 0. What happens to each as the batch grows, and which $\sigma$
# is best for each Gaussian? What the sums do to training is shown in `bug_gallery`.

# %%
formulas = lesson.formula_table(vae, data.test_images, mean, log_var)
formulas.rename(columns=lesson.FORMULA_LABELS).round(3)

# %% [markdown]
# ## What the tutorial says, and what came out here
#
# Tutorial 001 prints no results. The notebook that it names (`chapter14_GAN/CVAE.ipynb` in the same repository) prints
# one, for 10 epochs in batches of 32; run this notebook with `-p epochs 10 -p batch_size 32` to repeat it. The other
# rows are about what the tutorial says in words.

# %%
weights = vae.encoder.count_params() + vae.decoder.count_params()
table = tutorial.comparison_table(settings, measured, limits, estimates, distortions, formulas, weights)
table.to_csv(run / tutorials.TUTORIAL_FILE, index=False)
Markdown(tutorials.tutorial_markdown(table))

# %% [markdown]
# ## The run folder
#
# The run folder now holds the parameters, losses, measures, figures, codes and weights. `record.json`, written last,
# has their hashes and the seconds.

# %%
axes = latent.uniform_axes()
in_window = {"share_in_window": latent.share_within(mean, axes)}
noise = lesson.noise_measures(estimates)
runs.write_measures(run, {**measured, **information, **noise, **in_window})
grids = {"manifold": latent.decode_grid(vae, axes), "axes": axes}
grids |= {"manifold_quantiles": at_quantiles, "quantiles": quantiles}
arrays = runs.Latent(mean, log_var, data.test_labels, epochs=np.array(recorder.epochs), **grids)
runs.save_latent(run, arrays, images={"fixed_sample": fixed_sample}, fixed_codes=fixed_codes)
vae.save_weights(run / "model.weights.h5")
runs.finish_run(run, seconds, "conv_vae_binarized_mnist")
print("written:", os.path.relpath(run))
