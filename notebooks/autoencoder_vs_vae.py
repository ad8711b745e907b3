# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # A plain autoencoder and a VAE of the same shape
#
# An autoencoder squeezes an image through a few numbers and draws it again. A VAE does the same, with noise on the
# numbers and a price on what they say. What does the noise cost in the pictures that are drawn again, and what does it
# buy when codes are drawn at random?
#
# Both models have the same initial weights and the same batches. Their layers are dense, as in the tutorial's figure 1:
# 784 pixels, `hidden_units` with relu, then side by side one layer of `latent_dim` units for the mean and one for the
# log-variance (the autoencoder has the mean alone); back by `hidden_units` with relu to 784 logits and a sigmoid. The
# VAE minimises
#
# $$\text{objective} = \underbrace{\sum_{\text{pixels}} (x - \hat x)^2}_{\text{distortion}}
#   + \text{kl\_weight} \cdot \underbrace{\mathrm{KL}(q(z|x)\,\|\,p(z))}_{\text{rate}}$$
#
# averaged over the images of a batch; the autoencoder minimises the distortion alone. A sum of squared errors is the
# negative log-likelihood of Gaussian pixels of variance 1/2, but for a constant: at weight 1 this is the ELBO of that
# model. All losses are in nats per image.
#
# The experiment is that of the tutorial that this suite calls seed 003. It says that one may as well take the *mean*
# over the pixels, and that this only makes the gradients smaller. Beside a KL that stays a sum it does more: see the
# table at the end.

# %% tags=["parameters"]
dataset: str = "auto"  # mnist, fashion_mnist, digits, or auto: mnist if it can be had, else digits
kl_weight: float = 1.0  # factor on the KL term of the VAE, 0 or more; 1 is the ELBO at a pixel variance of 1/2
epochs: int = 20  # passes through the training images for each model, 1 or more
batch_size: int = 128  # images per gradient step
learning_rate: float = 1e-3  # of Adam
hidden_units: int = 512  # width of the one hidden layer of the encoder, and of the decoder
latent_dim: int = 30  # numbers in a code, 3 or more
seed: int = 0  # decides the initial weights, the batches and the noise; not affected by kl_weight
seeds: int = 3  # the three parameterisations of the variance are trained with the seeds seed, seed + 1, ...
threads: int = 1  # CPU threads
data_dir: str = ""  # folder with mnist/ or fashion_mnist/ in it; empty: VAE_DATA_DIR, the cache, a download
run_dir: str = ""  # folder to write; empty: results/single_runs/autoencoder_vs_vae/<dataset>/...

# %%
import os

# %matplotlib inline
import numpy as np
import pandas as pd
from IPython.display import Markdown

from vae_core import (
    aggregate,
    architectures,
    autoencoder,
    coding_space,
    figures,
    generation,
    latent,
    lesson_figures,
    parameterisations,
    prior,
    runs,
    training,
)
from vae_core.data import load_dataset
from vae_core.seeds import seed_markdown

model = {"learning_rate": learning_rate, "hidden_units": hidden_units, "latent_dim": latent_dim}
settings = {"kl_weight": kl_weight, "epochs": epochs, "batch_size": batch_size, **model, "seed": seed, "seeds": seeds}
runs.check_parameters({**settings, "threads": threads})
autoencoder.check_latent_dim(latent_dim)
training.use_threads(threads)

# %% [markdown]
# ## The data
#
# What kind of images will the models see? Ten of them, from the validation set:

# %%
data = load_dataset(dataset, data_dir)
parameters = {"dataset": data.name, **settings, "threads": threads}
run = runs.start_run(parameters, data.checksum, run_dir, "autoencoder_vs_vae")
names = [data.class_names[label] for label in data.validation_labels[:10]]
figures.image_row(data.validation_images[:10], data.description, names)

# %% [markdown]
# ## Training both
#
# Which of the two draws the images better again? By how much, and does the gap close as training goes on? The
# autoencoder has no rate: a code without noise would have an infinite one.

# %%
title = f"{data.name}, kl_weight {kl_weight:g}, {latent_dim} latent dimensions, seed {seed}"
plain = autoencoder.plain_autoencoder(seed, **model)
vae = architectures.squared_error_vae(kl_weight, seed, **model)
progress = autoencoder.Progress(vae, prior.sample_prior(1000, seed, latent_dim))
plain_history, _ = training.train(plain, data, epochs, batch_size, seed, run / "autoencoder_history.csv")
history, seconds = training.train(vae, data, epochs, batch_size, seed, run / "history.csv", progress.take)
columns = {"val_distortion": "distortion, validation [nats/image]", "val_rate": "rate, validation [nats/image]"}
figure = lesson_figures.curves({"autoencoder": plain_history, "VAE": history}, columns, title)
runs.save_figure(run / "curves.png", figure)

# %% [markdown]
# ## The VAE in numbers, on the test images
#
# The distortion is that of draws from q(z|x), as in training. `nll` is -log p(x) as far as importance sampling can
# tell, with proposals of its own for each image; like the distortion it is without the constant
# $\frac{784}{2}\log\pi$ of the Gaussian. A code that says nothing has `zero_information_distortion`: all images are
# drawn as the mean training image.

# %%
mean, log_var = latent.encode(vae, data.test_images)
train_mean, train_log_var = latent.encode(vae, data.train_images)
codes, train_codes = latent.encode(plain, data.test_images)[0], latent.encode(plain, data.train_images)[0]
train_draws = coding_space.draw(train_mean, train_log_var, seed)
draws = coding_space.draw(mean, log_var, seed + 1)  # with other noise than the training images have
measured = autoencoder.evaluate(vae, data, mean, log_var)
pd.Series(measured, name=f"kl_weight {kl_weight:g}").round(2).to_frame()

# %% [markdown]
# ## Drawing the same image again
#
# "The model lost some of its reconstructive ability", says the tutorial. Can you see it?

# %%
decoded = {"autoencoder": latent.decode(plain, codes), "VAE, mean": latent.decode(vae, mean)}
decoded["VAE, draw"] = latent.decode(vae, draws)
rows = np.stack([data.test_images[:10], *(images[:10] for images in decoded.values())])[..., 0]
figure = lesson_figures.image_grid(rows, "Test images, drawn again", ["image", *decoded])
runs.save_figure(run / "reconstructions.png", figure, colors=24)

# %% [markdown]
# And measured? The squared error is summed over the pixels and averaged over all test images. The last columns are the
# differences from the autoencoder, image by image.

# %%
errors = autoencoder.reconstruction_errors(data.test_images, decoded)
errors.round(4)

# %% [markdown]
# ## Drawing new images: the first epochs
#
# How soon does the VAE draw something? Each column is one sample of the prior, decoded before training (row 0) and
# after each of the first epochs.

# %%
rows = np.stack(progress.images)[:, :10, ..., 0]
figure = lesson_figures.image_grid(rows, "The same ten samples of the prior", progress.names)
runs.save_figure(run / "progress.png", figure, colors=24)

# %% [markdown]
# The same for 1,000 samples: how sure is a small classifier, trained on the real training images, of what it sees, and
# how many classes make up 1 % or more? It knows nothing but the classes, so it must say something of a picture that is
# none; its confidence in the real test images is in the next table.

# %%
judge = generation.train_judge(data)
progress_table = autoencoder.progress_table(progress, judge, history)
progress_table.round(3)

# %% [markdown]
# ## Drawing new images: both decoders
#
# Nothing told the autoencoder where to put its codes, so samples of the prior are not where its decoder was trained.
# Is it the decoder that fails, or the place? Both get the same samples of the prior, and then both get samples of the
# Gaussian that has the mean and the covariance of their own training codes.

# %%
z = prior.sample_prior(10_000, seed, latent_dim)
fitted, fitted_plain = (autoencoder.gaussian_samples(one, 10_000, seed) for one in (train_draws, train_codes))
drawn = {"prior": latent.decode(vae, z), "gaussian": latent.decode(vae, fitted)}
drawn |= {"autoencoder_prior": latent.decode(plain, z), "autoencoder_gaussian": latent.decode(plain, fitted_plain)}
called = dict(zip(drawn, ("VAE, prior", "VAE, Gaussian", "autoencoder, prior", "autoencoder, Gaussian"), strict=True))
rows = np.stack([images[:10, ..., 0] for images in drawn.values()])
figure = lesson_figures.image_grid(rows, f"Generated: {title}", list(called.values()))
runs.save_figure(run / "generated.png", figure, colors=24)

# %% [markdown]
# The same in numbers. `confidence` is the judge's; `nearest` is the squared error against the nearest training image.
# The two err in opposite ways: the judge finds a class in any picture and overlooks stray pixels, while a blurred
# picture is on average nearer to all others than a sharp one. (`sharpness` is the variance of the Laplacian.)

# %%
judged = generation.evaluate(judge, drawn, data) | autoencoder.nearest(drawn, data)
autoencoder.quality_table(judged, called | {"test": "real test images"}).round(3)

# %% [markdown]
# ## One coordinate at a time
#
# Are the codes normally distributed? Below are histograms of some coordinates of the training set's codes, from the
# coordinate that costs most rate to the one that costs least, with the density of N(0, 1). The upper row has draws from
# q(z|x), which the decoder gets. The lower has the means: what of a coordinate comes from the image. Where that is a
# narrow spike below broad draws, the coordinate says next to nothing, and its draws are noise.

# %%
table = coding_space.coordinates(train_mean, train_log_var, train_draws)
histograms = {"draws": train_draws, "means": train_mean}
figure = lesson_figures.coordinate_histograms(histograms, coding_space.ranked(table), f"Codes of the VAE: {title}")
runs.save_figure(run / "coordinates.png", figure)

# %% [markdown]
# All coordinates in numbers. N(0, 1) has mean 0, variance 1, skewness 0, and 95.4 % between -2 and 2. Which of the
# columns is furthest from that? (The numbering of coordinates has no meaning: another seed, another order.)

# %%
table.round(3)

# %% [markdown]
# That the codes *together* look normal is not what the KL term asks for. It is charged for each image's q(z|x), and
# where all of these are the prior the code says nothing at all: collapse. The rate is mutual information plus the
# distance of all codes together from the prior, `marginal_kl`. Information cannot exceed the logarithm of the number of
# images that are encoded, here `ln N`, so that of a larger rate `marginal_kl` is at least the rest, also where no
# histogram shows anything. `moment_kl` is its part that is due to the mean and the covariance of all codes.

# %%
every = aggregate.evaluate(mean, log_var, data.test_labels, train_mean, data.train_labels)
information = {name: value for name, value in every.items() if not name.startswith(("code_mean", "code_cov"))}
shown = ["mutual_information", "marginal_kl", "moment_kl", "active_units", "draw_spread", "mean_spread", "knn_accuracy"]
numbers = {"rate": measured["rate"], "ln N": np.log(len(mean))} | {name: information[name] for name in shown}
pd.Series(numbers, name=f"kl_weight {kl_weight:g}").round(3).to_frame()

# %% [markdown]
# ## Principal components
#
# Which of the two clouds has holes, which is round? Codes of the test images (the VAE's are draws from q(z|x)) along
# their first two principal components, then their first three. Each cloud is in units of its own root mean square per
# dimension, so that the axes are the same.

# %%
clouds, shares = {}, {}
clouds["VAE"], shares["VAE"] = coding_space.principal_components(draws)
clouds["autoencoder"], shares["autoencoder"] = coding_space.principal_components(codes)
limit = float(np.ceil(max(np.abs(cloud).max() for cloud in clouds.values())))
planes = {name: cloud[:, :2] for name, cloud in clouds.items()}
axes = ["PC 1 [rms]", "PC 2 [rms]", "PC 3 [rms]"]
figure = lesson_figures.planes(planes, data.test_labels, data.class_names, title, axes[:2], limit)
runs.save_figure(run / "pca_2d.png", figure)

# %%
figure = lesson_figures.spaces(clouds, data.test_labels, data.class_names, title, axes, limit)
runs.save_figure(run / "pca_3d.png", figure)

# %% [markdown]
# How much of the cloud do these pictures show? The share of the variance in the first components is below. N(0, I)
# prefers no direction: whichever three are shown, they have the share in its row.

# %%
coding_space.explained_table(shares, latent_dim).round(3)

# %% [markdown]
# A picture of three components cannot show holes in more dimensions. So take the middle between two random test codes.
# Is there any training code near it? "Near" is what 95 % of the test codes are to their nearest training code. Clearly
# more than 5 % of middles that are farther than that show holes between the codes (with 2,000 pairs the standard error
# is about half a point). Less does not show that there are none: in many dimensions middles are nearer to everything,
# also in a hollow shell. As many samples of the prior, which has no holes, stand beside the codes. The VAE's draws and
# its means are two clouds: is the difference, if any, due to what the encoder learned, or to the noise?

# %%
prior_codes = np.split(prior.sample_prior(len(train_mean) + len(mean), seed, latent_dim), [len(train_mean)])
outside = {
    "midpoints_outside": coding_space.midpoints_outside(train_draws, draws, seed=seed),
    "means_midpoints_outside": coding_space.midpoints_outside(train_mean, mean, seed=seed),
    "autoencoder_midpoints_outside": coding_space.midpoints_outside(train_codes, codes, seed=seed),
    "prior_midpoints_outside": coding_space.midpoints_outside(*prior_codes, seed=seed),
}
pd.Series(outside, name="share of middles").round(4).to_frame()

# %% [markdown]
# ## From one image to another
#
# On the straight line between two codes: does the one image turn into the other by way of images that could be in the
# data? Four pairs of test images, from mean to mean, each pair with both models.

# %%
first, second = (coding_space.one_of_each(data.test_labels, classes) for classes in ((0, 2, 4, 6), (1, 3, 5, 7)))
ways = {"autoencoder": (plain, codes), "VAE": (vae, mean)}
lines = [autoencoder.on_the_way(one, where[first], where[second]) for one, where in ways.values()]
rows = np.stack(lines, axis=1).reshape(-1, lines[0].shape[1], 28, 28)
shares_of_way = np.linspace(0, 1, rows.shape[1])
figure = lesson_figures.image_grid(
    rows, "From one test image to another", [*ways] * 4, [f"{s:g}" for s in shares_of_way]
)
runs.save_figure(run / "interpolations.png", figure, colors=24)

# %% [markdown]
# Over 500 random pairs of different classes: how sure is the judge of what it sees on the way? The same for the two
# images laid over each other, pixel by pixel, with no model at all. `largest_step` asks for jumps: the largest
# difference of neighbouring images in units of the mean one, 1 if all are equal or none can be seen. `nearest` is again
# the squared error against the nearest training image, half-way.

# %%
first, second = coding_space.pairs_of_classes(data.test_labels, seed=seed)
lines = {name: autoencoder.on_the_way(one, where[first], where[second]) for name, (one, where) in ways.items()}
lines["pixels"] = coding_space.between(data.test_images[first], data.test_images[second])
judged_lines = {name: autoencoder.confidences(judge, images) for name, images in lines.items()}
figure = lesson_figures.along_the_way(shares_of_way, judged_lines, "judge's confidence", title)
runs.save_figure(run / "on_the_way.png", figure)

# %%
midway = autoencoder.midway(judged_lines, lines, data.train_images)
midway.round(3)

# %% [markdown]
# ## Three ways to say the variance
#
# The encoder's second output can be the logarithm of the variance (the run above), or sigma itself, straight from a
# Dense layer as in the tutorial's first model, or sigma behind a softplus, which keeps it positive. The tutorial says
# that log-variance converges faster. Does it?
#
# All three start from the same weights, with other posteriors: a Dense layer's outputs begin near 0, which is sigma 1
# as a log-variance, 0.7 behind the softplus, and 0 as sigma itself, where the rate is large. Bands go from the
# least to the greatest of the seeds; the right panel is the difference from log-variance, seed by seed.

# %%
histories = parameterisations.train(data, history, **settings)
runs.replace_file(run / "parameterisations.csv", histories.to_csv(index=False, float_format="%.5f"))
title = f"{data.name}, kl_weight {kl_weight:g}, {latent_dim} latent dimensions, number of seeds: {seeds}"
figure = lesson_figures.seed_bands(parameterisations.curves(histories), title)
runs.save_figure(run / "parameterisations.png", figure)

# %% [markdown]
# In numbers, on the validation images: mean ± standard deviation over the seeds. "Faster" can be the epochs needed, and
# here they are counted until the objective is where log-variance's ends, within a nat. The sentences below the table
# add the difference on average over the epochs: it mixes speed, the level at the end and the start of training, and
# alone it says nothing of which converges faster.

# %%
parameterisations.convergence_table(histories)

# %%
leads = parameterisations.leads(histories)
Markdown("".join(f"- {parameterisations.verdict(leads, name)}.\n" for name in ("sigma", "softplus-sigma")))

# %% [markdown]
# ## What the tutorial says, and what came out
#
# It prints no losses, so its statements are the rows; the figure numbers are its own.

# %%
Markdown(autoencoder.unlike_the_seed(data.name, kl_weight, latent_dim))

# %%
tables = autoencoder.collected(errors, progress_table, shares, midway)
normality = coding_space.normality(table, len(train_mean))
measured |= {**information, **tables, **judged, **normality, **outside, **leads}
document = autoencoder.seed_document(measured, settings)
runs.replace_file(run / "seed_numbers.csv", document.to_csv(index=False))
Markdown(seed_markdown(document))

# %% [markdown]
# ## The run folder
#
# Parameters, losses, measures, figures, codes and weights are now in the run folder; `record.json`, written last, has
# their hashes.

# %%
runs.write_json(run / "measures.json", measured)
kept = {"mean": mean, "log_var": log_var, "labels": data.test_labels, "autoencoder_codes": codes}
runs.save_latent(run, {}, kept)
vae.save_weights(run / "model.weights.h5")
runs.finish_run(run, seconds)
print("written:", os.path.relpath(run))
