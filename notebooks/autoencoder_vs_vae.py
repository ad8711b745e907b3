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
# An autoencoder squeezes an image through a few numbers and draws it again. A VAE does the same, but it adds noise to
# the numbers and charges for what they say. What does the noise cost when an image is drawn again? What does it buy
# when an image is drawn from a random code?
#
# Both models have the same initial weights and the same batches. Their layers are dense: 784 pixels, `hidden_units`
# with relu, then side by side one layer of `latent_dim` units for the mean and one for the log-variance (the
# autoencoder has only the mean). The decoder has `hidden_units` with relu, then 784 outputs with a sigmoid. The VAE
# minimises
#
# $$\text{objective} = \underbrace{\sum_{\text{pixels}} (x - \hat x)^2}_{\text{distortion}}
#   + \text{kl\_weight} \cdot \underbrace{\mathrm{KL}(q(z|x)\,\|\,p(z))}_{\text{rate}}$$
#
# averaged over the images of a batch; the autoencoder minimises the distortion alone. Up to a constant, a sum of
# squared errors is the negative log-likelihood of Gaussian pixels of variance 1/2, so at weight 1 the objective is the
# negative ELBO of that model. All losses are in nats per image.
#
# The experiment is that of tutorial 003, the variational part of a series that begins with "Intro to Autoencoders" (its
# address is not known); the layers are those of its figure 1. The tutorial says that one may as well take the *mean*
# over the pixels, which only makes the gradients smaller. Beside a KL that is still a sum it does more: see the table
# at the end.

# %% tags=["parameters"]
dataset: str = "auto"  # a data set (mnist, fashion_mnist, digits), or auto: mnist if it is available, else digits
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

from vae_core import figures, latent, measures, runs, training, tutorials
from vae_core.data import check_dataset, load_dataset
from vae_core.lessons.autoencoder_vs_vae import convergence, model, tutorial
from vae_core.lessons.autoencoder_vs_vae import figures as lesson_figures
from vae_core.lessons.autoencoder_vs_vae import measures as lesson
from vae_core.parameters import check_parameters

sizes = {"learning_rate": learning_rate, "hidden_units": hidden_units, "latent_dim": latent_dim}
settings = {"kl_weight": kl_weight, "epochs": epochs, "batch_size": batch_size, **sizes, "seed": seed, "seeds": seeds}
check_parameters({**settings, "threads": threads})
model.check_latent_dim(latent_dim)
training.use_threads(threads)

# %% [markdown]
# ## The data
#
# What kind of images will the models see? Ten of them, from the validation set:

# %%
data = load_dataset(dataset, data_dir).as_floats()
check_dataset(data, classes=10)
parameters = {"dataset": data.name, **settings, "threads": threads}
run = runs.start_run(parameters, data.checksum, run_dir, "autoencoder_vs_vae")
runs.write_dataset(run, data)
names = [data.class_names[label] for label in data.validation_labels[:10]]
figures.image_row(data.validation_images[:10], data.description, names)

# %% [markdown]
# ## Training both
#
# Which of the two draws the images better again? By how much, and does the gap close as training goes on? The
# autoencoder has no rate: a code without noise would have an infinite one.

# %%
title = f"{data.name}, kl_weight {kl_weight:g}, {latent_dim} latent dimensions, seed {seed}"
plain = model.plain_autoencoder(seed, **sizes)
vae = model.squared_error_vae(kl_weight, seed, **sizes)
watched = model.watch_first_epochs(vae, latent.sample_prior(1000, seed, latent_dim))
plain_history, _ = training.train(plain, data, epochs, batch_size, seed, run / "autoencoder_history.csv")
history, seconds = training.train(vae, data, epochs, batch_size, seed, run / "history.csv", watched)
columns = {"val_distortion": "distortion, validation [nats/image]", "val_rate": "rate, validation [nats/image]"}
figure = figures.curves({lesson.AUTOENCODER: plain_history, lesson.VARIATIONAL: history}, columns, title)
figures.save_figure(run / "curves.png", figure)

# %% [markdown]
# ## The VAE in numbers, on the test images
#
# The distortion is that of draws from q(z|x), as in training. `nll` is an importance-weighted estimate of -log p(x),
# with proposals of its own for each image. Like the distortion it leaves out the constant $\frac{784}{2}\log\pi$ of the
# Gaussian, so a perfect copy costs 0: the `entropy_floor`. A code that says nothing costs
# `zero_information_distortion`: every image is drawn as the mean training image.

# %%
mean, log_var = latent.encode(vae, data.test_images)
train_mean, train_log_var = latent.encode(vae, data.train_images)
codes, train_codes = latent.encode(plain, data.test_images)[0], latent.encode(plain, data.train_images)[0]
train_draws = latent.draw(train_mean, train_log_var, np.random.default_rng(seed))[0]
draws = latent.draw(mean, log_var, np.random.default_rng(seed + 1))[0]  # other noise than above
measured = measures.measure_bound(vae, data, mean, log_var)
pd.Series(measured, name=f"kl_weight {kl_weight:g}").round(2).to_frame()

# %% [markdown]
# ## Drawing the same image again
#
# "The model lost some of its reconstructive ability", says the tutorial. Can you see it?

# %%
decoded = lesson.reconstructions(plain, codes, vae, mean, draws)
rows = np.stack([data.test_images[:10], *(images[:10] for images in decoded.values())])[..., 0]
figure = figures.image_grid(rows, "Test images, drawn again", ["image", *decoded])
figures.save_figure(run / "reconstructions.png", figure, colors=24)

# %% [markdown]
# And in numbers? The squared error is summed over the pixels and averaged over all test images. The last columns are
# the differences from the autoencoder, image by image.

# %%
errors = lesson.reconstruction_errors(data.test_images, decoded)
errors.round(4)

# %% [markdown]
# ## Drawing new images: the first epochs
#
# How soon does the VAE draw something? Each column is one sample of the prior, decoded before training (row 0) and
# after each of the first epochs.

# %%
rows = np.stack(watched.kept[model.GENERATED])[:, :10, ..., 0]
figure = figures.image_grid(rows, "The same ten samples of the prior", [f"epoch {one}" for one in watched.epochs])
figures.save_figure(run / "progress.png", figure, colors=24)

# %% [markdown]
# The same for 1,000 samples: how sure is a small classifier, trained on the real training images, of what it sees? And
# how many classes does it see in 1 % of the images or more? This classifier is the judge from here on. It knows only
# the classes, so it must name one even for a picture of nothing. Its confidence in the real test images is in the next
# section's table.

# %%
judge = measures.train_judge(data)
first_epochs = lesson.first_epochs_table(watched, judge, history)
first_epochs.round(3)

# %% [markdown]
# ## Drawing new images: both decoders
#
# Nothing told the autoencoder where to put its codes, so samples of the prior are not where its decoder was trained.
# Does the decoder fail, or is it the wrong place? Both decoders get the same samples of the prior. Then each gets
# samples of the Gaussian that has the mean and the covariance of its own training codes.

# %%
drawn = lesson.generated(vae, train_draws, plain, train_codes, seed)
rows = np.stack([images[:10, ..., 0] for images in drawn.values()])
figure = figures.image_grid(rows, f"Generated: {title}", [lesson.SETS[key] for key in drawn])
figures.save_figure(run / "generated.png", figure, colors=24)

# %% [markdown]
# The same in numbers. `confidence` is the judge's; `nearest` is the squared error against the nearest training image.
# The two err in opposite ways: the judge finds a class in any picture and overlooks stray pixels, while a blurred
# picture is on average nearer to all others than a sharp one. (`sharpness` is the variance of the Laplacian.)

# %%
scores = measures.measure_samples(judge, drawn, data) | lesson.measure_nearest(drawn, data)
lesson.quality_table(scores).round(3)

# %% [markdown]
# ## One coordinate at a time
#
# Are the codes normally distributed? Below are histograms of some coordinates of the training set's codes, from the
# coordinate with the largest rate to the one with the smallest, with the density of N(0, 1). The upper row has draws
# from q(z|x), which the decoder gets. The lower has the means: the part of a coordinate that comes from the image.
# Where the means are a narrow spike below broad draws, the coordinate says next to nothing, and its draws are noise.

# %%
coordinates = lesson.coordinates(train_mean, train_log_var, train_draws)
histograms = {"draws": train_draws, "means": train_mean}
shown = lesson.some_coordinates(coordinates)
figure = lesson_figures.coordinate_histograms(histograms, shown, f"Codes of the VAE: {title}")
figures.save_figure(run / "coordinates.png", figure)

# %% [markdown]
# All coordinates in numbers. N(0, 1) has mean 0, variance 1, skewness 0, and 95.4 % between -2 and 2. Which of the
# columns is furthest from that? (The numbering of the coordinates has no meaning: another seed gives another order.)

# %%
coordinates.round(3)

# %% [markdown]
# The KL term does not ask that the codes *together* look normal. It is charged for each image's q(z|x). If every one of
# these is the prior, the code says nothing at all: collapse. The rate is mutual information plus the distance of all
# codes together from the prior, `marginal_kl`. Mutual information cannot exceed the logarithm of the number of encoded
# images, `ln N` below. If the rate is larger, the rest of it is `marginal_kl`, even if no histogram shows anything.
# `moment_kl` is the part of it that comes from the mean and the covariance of all codes.

# %%
every = measures.measure_codes(mean, log_var, data.test_labels, train_mean, data.train_labels)
information = {name: value for name, value in every.items() if not name.startswith(("code_mean", "code_cov"))}
shown = ["mutual_information", "marginal_kl", "moment_kl", "active_units", "draw_spread", "mean_spread", "knn_accuracy"]
numbers = {"rate": measured["rate"], "ln N": np.log(len(mean))} | {name: information[name] for name in shown}
pd.Series(numbers, name=f"kl_weight {kl_weight:g}").round(3).to_frame()

# %% [markdown]
# ## Principal components
#
# Which of the two clouds has holes, which is round? Below are the codes of the test images (for the VAE, draws from
# q(z|x)) along their first two principal components, then along three. The unit of each cloud is its own root mean
# square per dimension, so that both fit the same axes.

# %%
clouds, shares = lesson.components_of_both(draws, codes)
limit = float(np.ceil(max(np.abs(cloud).max() for cloud in clouds.values())))
planes = {name: cloud[:, :2] for name, cloud in clouds.items()}
axes = ["PC 1 [rms]", "PC 2 [rms]", "PC 3 [rms]"]
figure = figures.planes(planes, data.test_labels, data.class_names, title, axes[:2], limit)
figures.save_figure(run / "pca_2d.png", figure)

# %%
figure = figures.spaces(clouds, data.test_labels, data.class_names, title, axes, limit)
figures.save_figure(run / "pca_3d.png", figure)

# %% [markdown]
# How much of the cloud do these pictures show? Below is the share of the variance in the first components. N(0, I)
# prefers no direction: any one, two or three directions have the share in its row.

# %%
lesson.explained_table(shares, latent_dim).round(3)

# %% [markdown]
# A picture of three components cannot show holes in more dimensions. So take the middle between two random test codes:
# is there a training code near it? "Near" is within the distance at which 95 % of the test codes find their nearest
# training code. Clearly more than 5 % of middles farther away than that show holes between the codes (with 2,000 pairs
# the standard error is about half a point). Less does not show that there are none: in many dimensions middles are
# nearer to everything, even in a hollow shell. For comparison there are as many samples of the prior, which has no
# holes. The VAE appears twice, with its draws and with its means: if the two differ, is that what the encoder learned,
# or the noise?

# %%
prior_codes = np.split(latent.sample_prior(len(train_mean) + len(mean), seed, latent_dim), [len(train_mean)])
outside = {
    "midpoints_outside": lesson.midpoints_outside(train_draws, draws, seed=seed),
    "means_midpoints_outside": lesson.midpoints_outside(train_mean, mean, seed=seed),
    "autoencoder_midpoints_outside": lesson.midpoints_outside(train_codes, codes, seed=seed),
    "prior_midpoints_outside": lesson.midpoints_outside(*prior_codes, seed=seed),
}
pd.Series(outside, name="share of middles").round(4).to_frame()

# %% [markdown]
# ## From one image to another
#
# On the straight line between two codes, does one image turn into the other through images that could be in the data?
# Four pairs of test images, from mean to mean, each with both models:

# %%
first, second = (lesson.one_of_each(data.test_labels, classes) for classes in ((0, 2, 4, 6), (1, 3, 5, 7)))
few = lesson.interpolations(plain, codes, vae, mean, first, second)
rows = np.stack(list(few.values()), axis=1).reshape(-1, lesson.STEPS, *data.image_shape[:2])
share_of_way = np.linspace(0, 1, lesson.STEPS)
steps = [f"{share:g}" for share in share_of_way]
figure = figures.image_grid(rows, "From one test image to another", [*few] * len(first), steps)
figures.save_figure(run / "interpolations.png", figure, colors=24)

# %% [markdown]
# Over 500 random pairs of different classes: how sure is the judge of what it sees on the way? "pixels" is one image
# fading into the other, pixel by pixel, with no model at all. In the table, `confidence` and `nearest`, the squared
# error against the nearest training image, are those half-way. `largest_step` asks for jumps: it is the largest
# difference between neighbouring images, in units of the mean difference; 1 if all are equal or nothing changes.

# %%
first, second = lesson.pairs_of_classes(data.test_labels, seed=seed)
many = lesson.interpolations(plain, codes, vae, mean, first, second)
many[lesson.FADE] = lesson.lines(data.test_images[first], data.test_images[second])
judged = {name: lesson.confidences(judge, images) for name, images in many.items()}
figure = lesson_figures.along_the_way(share_of_way, judged, "judge's confidence", title)
figures.save_figure(run / "on_the_way.png", figure)

# %%
midway = lesson.midway_table(judged, many, data.train_images)
midway.round(3)

# %% [markdown]
# ## Three ways to say the variance
#
# The encoder's second layer can give the logarithm of the variance, as in the run above. It can give sigma itself,
# straight from a Dense layer, as in the tutorial's first model. Or it can give sigma through a softplus, which keeps it
# positive. The tutorial says that log-variance converges faster. Does it?
#
# All three start from the same weights but not from the same posteriors. A Dense layer's outputs begin near 0: that is
# sigma 1 as a log-variance, 0.7 through the softplus, and 0 as sigma itself, where the rate is large. Lines are means
# over the seeds; bands go from the lowest to the highest. The right panel is the difference from log-variance, seed by
# seed.

# %%
histories = model.train_parameterisations(data, history, **settings)
runs.replace_file(run / "parameterisations.csv", histories.to_csv(index=False, float_format="%.5f"))
title = f"{data.name}, kl_weight {kl_weight:g}, {latent_dim} latent dimensions, number of seeds: {seeds}"
figure = lesson_figures.seed_bands(convergence.convergence_panels(histories), title)
figures.save_figure(run / "parameterisations.png", figure)

# %% [markdown]
# In numbers, on the validation images: mean ± standard deviation over the seeds. "Faster" can mean the epochs needed:
# they are counted until the objective is within a nat of where log-variance ends. The sentences below the table add the
# average difference over the epochs. It mixes speed, the level at the end and the start of training, so it does not say
# by itself which converges faster.

# %%
convergence.convergence_table(histories)

# %%
lead = convergence.measure_convergence(histories)
others = (model.SIGMA, model.SOFTPLUS_SIGMA)
Markdown("".join(f"- {convergence.convergence_verdict(lead, name)}.\n" for name in others))

# %% [markdown]
# ## What the tutorial says, and what came out
#
# Tutorial 003 prints no losses, so the rows are its statements. The figure numbers are its own.

# %%
different = tutorials.differences(parameters, tutorial.SETTINGS)
Markdown(f"Settings that are not the tutorial's: {different or 'none that it states'}. {tutorial.UNSTATED}")

# %%
tables = lesson.table_measures(errors, first_epochs, shares, midway)
measured |= {**information, **tables, **scores, **lesson.normality(coordinates, len(train_mean)), **outside, **lead}
compared = tutorials.tutorial_table(tutorial.NUMBER, lesson.tutorial_rows(measured, settings))
runs.replace_file(run / tutorials.TUTORIAL_FILE, compared.to_csv(index=False))
Markdown(tutorials.tutorial_markdown(compared))

# %% [markdown]
# ## The run folder
#
# Parameters, losses, measures, figures, codes and weights are now in the run folder. `record.json`, written last, has
# their hashes.

# %%
runs.write_measures(run, measured)
runs.save_latent(run, runs.Latent(mean, log_var, data.test_labels), autoencoder_codes=codes)
vae.save_weights(run / "model.weights.h5")
runs.finish_run(run, seconds, "autoencoder_vs_vae")
print("written:", os.path.relpath(run))
