# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # One VAE, one weight on its KL term
#
# A variational autoencoder minimises two terms:
#
# $$\text{objective} = \underbrace{\mathbb{E}_{q(z|x)}[-\log p(x|z)]}_{\text{distortion}}
#   + \text{kl\_weight} \cdot \underbrace{\mathrm{KL}(q(z|x)\,\|\,p(z))}_{\text{rate}}$$
#
# The distortion asks for codes from which the image can be drawn again. The rate asks for codes that say little and
# lie where the prior $p(z) = \mathcal{N}(0, I)$ is. The weight sets the balance. At 1 the objective is the negative
# ELBO, a bound on $-\log p(x)$. At 0 the model is an autoencoder that chooses its own noise.
#
# This notebook trains one model at one weight and looks at it. A sweep runs this notebook at many weights. All losses
# are in nats per image.

# %% tags=["parameters"]
dataset: str = "auto"  # a data set (mnist, fashion_mnist, digits), or auto: mnist if it is available, else digits
kl_weight: float = 1.0  # factor on the KL term, 0 or more; 1 is the ELBO
epochs: int = 40  # passes through the training images, 1 or more
batch_size: int = 128  # images per gradient step
learning_rate: float = 1e-3  # of Adam
hidden_units: int = 512  # width of the one hidden layer of the encoder, and of the decoder
seed: int = 0  # decides the initial weights, the batches and the noise; not affected by kl_weight
threads: int = 1  # CPU threads; a sweep fills the cores with runs of one thread each
data_dir: str = ""  # folder with mnist/ or fashion_mnist/ in it; empty: VAE_DATA_DIR, the cache, a download
run_dir: str = ""  # folder to write; empty: results/single_runs/<dataset>/kl_<kl_weight>_seed<seed>_<settings>

# %% [markdown]
# ## The data
#
# What kind of images will the model see? Ten of them, from the validation set:

# %%
import os
from functools import partial

# %matplotlib inline
import pandas as pd

from vae_core import figures, latent, measures, models, parameters, runs, training
from vae_core.data import load_dataset

settings = {"kl_weight": kl_weight, "epochs": epochs, "batch_size": batch_size, "learning_rate": learning_rate}
settings |= {"hidden_units": hidden_units, "seed": seed, "threads": threads}
parameters.check_parameters(settings)
training.use_threads(threads)

# %%
data = load_dataset(dataset, data_dir)
run = runs.start_run({"dataset": data.name, **settings}, data.checksum, run_dir)
names = [data.class_names[label] for label in data.validation_labels[:10]]
figures.image_row(data.validation_images[:10], data.description, names)

# %% [markdown]
# ## Training
#
# Is the objective still falling when training ends? Do the validation images, which are not trained on, follow the
# training images? Which of the two terms falls, and which one rises?

# %%
vae = models.reference_vae(kl_weight, seed, learning_rate, hidden_units, data.image_shape)
shown, epoch_axes = slice(2000), latent.quantile_axes(cells=12)
recorder = training.Recorder(
    training.spread_epochs(epochs),
    codes=partial(latent.encode_means, vae, data.validation_images[shown]),
    manifolds=partial(latent.decode_grid, vae, epoch_axes),
)
history, seconds = training.train(vae, data, epochs, batch_size, seed, run / "history.csv", recorder)
figures.training_curves(history, f"{data.name}, kl_weight {kl_weight:g}, seed {seed}")

# %% [markdown]
# ## In numbers, on the test images
#
# `negative_elbo` is distortion + rate, whatever weight was trained with. It can be compared across a sweep; `objective`
# cannot. `nll` is -log p(x) itself, added up on a grid over the latent plane; with half of the grid's points it would
# change by `quadrature_change`. The bound lies above it by KL(q(z|x) || p(z|x)). (The cross-entropy of grey pixels is
# not a normalised likelihood, so these numbers cannot be compared with those for black-and-white images.) Names that
# end in _se are standard errors over the images.
#
# No distortion can be below `entropy_floor`. A collapsed code is the prior whatever the image: it has rate 0 and at
# best a distortion of `zero_information_distortion`. How far from the second number towards the first does this code
# get, and for how many nats?

# %%
mean, log_var = latent.encode(vae, data.test_images)
measured = measures.measure_bound(vae, data, mean, log_var)
pd.Series(measured, name=f"kl_weight {kl_weight:g}").round(2).to_frame()

# %% [markdown]
# ## Reconstructions
#
# Each test image, and below it the image decoded from the mean of its code. What is lost?

# %%
figures.image_pairs(data.test_images[:10], latent.decode(vae, mean[:10]), "Test images and their reconstructions")

# %% [markdown]
# ## Where the codes are
#
# Each point is the mean of q(z|x) for one test image. Do the codes lie where the prior's rings are? The model was never
# told the classes: are they apart all the same?

# %%
title = f"{data.name}: codes of {len(mean):,} test images at kl_weight {kl_weight:g}"
scatter = figures.latent_scatter(mean, data.test_labels, data.class_names, title)
figures.save_figure(run / "latent_scatter.png", scatter)

# %% [markdown]
# ## What the codes tell, and what they only cost
#
# The rate has two parts. `mutual_information` tells images apart and cannot exceed the logarithm of their number.
# `marginal_kl` is the distance of all codes together from the prior and tells nothing; its part `moment_kl` is due to
# mean and covariance alone. `mean_spread` and `draw_spread` are distances from the origin, of the means of q(z|x) and
# of draws from it; the prior's samples have 1. `knn_accuracy` asks whether neighbours belong to one class. How much of
# the rate is information? Is every latent dimension used?

# %%
train_mean, train_log_var = latent.encode(vae, data.train_images)
information = measures.measure_codes(mean, log_var, data.test_labels, train_mean, data.train_labels)
pd.Series(information, name=f"kl_weight {kl_weight:g}").round(3).to_frame()

# %% [markdown]
# ## What the decoder draws
#
# First on an even grid over three prior standard deviations each way. How much of it looks like real images? Codes
# outside this window do not show in it: the line below says how many lie inside.

# %%
axes = latent.uniform_axes()
manifold, share = latent.decode_grid(vae, axes), latent.share_within(mean, axes)
title = f"{data.name}: decoded grid on [-3, 3] at kl_weight {kl_weight:g}"
figures.save_figure(run / "decoder_manifold.png", figures.decoder_manifold(manifold, axes, title, share), colors=24)

# %% [markdown]
# Then at the prior's quantiles. Every cell stands for the same share of samples from the prior, so this is what samples
# look like, sorted by place.

# %%
quantiles = latent.quantile_axes()
at_quantiles = latent.decode_grid(vae, quantiles)
title = f"{data.name}: decoded grid at prior quantiles, kl_weight {kl_weight:g}"
figure = figures.decoder_manifold(at_quantiles, quantiles, title, latent.share_within(mean, quantiles))
figures.save_figure(run / "decoder_manifold_quantiles.png", figure, colors=24)

# %% [markdown]
# Last over the region that the codes occupy, from their 1 % to their 99 % quantile in each dimension. Does it show more
# classes than the other two?

# %%
occupied = latent.occupied_axes(mean)
where_codes_are = latent.decode_grid(vae, occupied)
title = f"{data.name}: decoded grid over the occupied region, kl_weight {kl_weight:g}"
figure = figures.decoder_manifold(where_codes_are, occupied, title, latent.share_within(mean, occupied))
figures.save_figure(run / "decoder_manifold_occupied.png", figure, colors=24)

# %% [markdown]
# ## Samples, judged
#
# Codes drawn from the prior, decoded; and codes drawn from a Gaussian mixture that was fitted to the training codes,
# decoded. A small classifier, trained on the real training images, says what it sees in each and how sure it is. Where
# the lower row is much better than the upper, the decoder is good and the codes are not where the prior is.

# %%
judge = measures.train_judge(data)
drawn = measures.draw_images(vae, train_mean, train_log_var)
prior_samples, mixture_samples = drawn["prior"][:12], drawn["mixture"][:12]
words = [measures.opinions(judge, images, data.class_names) for images in (prior_samples, mixture_samples)]
figures.sample_rows(prior_samples, mixture_samples, *words)

# %% [markdown]
# The same for 10,000 of each, and for the real test images: the judge's mean confidence, the entropy of the classes it
# sees (log of their number if all are equally frequent), how many of them make up 1 % or more, and the sharpness
# (variance of the Laplacian). The judge knows nothing but the classes, so it must choose one even for a picture that
# is none of them.

# %%
judged = measures.measure_samples(judge, drawn, data)
pd.Series(judged, name=f"kl_weight {kl_weight:g}").round(3).to_frame()

# %% [markdown]
# ## The run folder
#
# Parameters, losses, measures, figures, codes and weights are now in the run folder. `record.json`, written last, has
# their hashes.

# %%
in_window = {"share_in_window": latent.share_within(mean, axes)}
runs.write_measures(run, {**measured, **information, **in_window, **judged})
kept = runs.Latent(
    mean=mean,
    log_var=log_var,
    labels=data.test_labels,
    manifold=manifold,
    axes=axes,
    manifold_quantiles=at_quantiles,
    quantiles=quantiles,
    manifold_occupied=where_codes_are,
    occupied=occupied,
    prior_samples=prior_samples,
    mixture_samples=mixture_samples,
    epochs=recorder.epochs,
    epoch_codes=recorder.kept["codes"],
    epoch_labels=data.validation_labels[shown],
    epoch_manifolds=recorder.kept["manifolds"],
    epoch_axes=epoch_axes,
)
runs.save_latent(run, kept)
vae.save_weights(run / "model.weights.h5")
runs.finish_run(run, seconds)
print("written:", os.path.relpath(run))
