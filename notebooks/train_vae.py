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
#   + \beta \cdot \underbrace{\mathrm{KL}(q(z|x)\,\|\,p(z))}_{\text{rate}},
#   \qquad \beta = \texttt{kl\_weight}$$
#
# The distortion asks for codes from which the image can be drawn again. The rate asks for codes that say little and
# lie where the prior $p(z) = \mathcal{N}(0, I)$ is. The weight sets the balance. At 1 the objective is the negative
# ELBO, a bound on $-\log p(x)$. At 0 the model is an autoencoder that chooses its own noise.
#
# This notebook trains one model at one weight and looks at it. A sweep runs this notebook at many weights. All losses
# are in nats per image.

# %% tags=["parameters"]
dataset: str = "auto"  # mnist, fashion_mnist, digits; auto: mnist if it is available, else digits; or a path to images
kl_weight: float = 1.0  # factor on the KL term, 0 or more; 1 is the ELBO
latent_dim: int = 2  # dimensions of the code, 1 to 128
kl_schedule: str = "constant"  # the weight while training: constant, or rising to kl_weight: linear, cosine, cyclical
kl_warmup_epochs: int = 10  # in which linear and cosine rise
kl_cycles: int = 4  # rises of cyclical, evenly spread over the training
kl_ramp: float = 0.5  # share of each cycle in which cyclical rises, above 0 and at most 1
free_bits: float = 0.0  # nats per latent dimension that are not charged
target_rate: float = None  # nats; kl_weight is charged on the distance of the rate from it; none: on the rate
target_distortion: float = None  # nats; the weight that reaches it is found while training (GECO); none: it is given
likelihood: str = "bernoulli"  # of the pixels: bernoulli, continuous_bernoulli, gaussian, gaussian_learned_variance
pixel_variance: float = 1.0  # of gaussian
binarise: str = "no"  # black-and-white images: threshold (at 0.5), each_epoch (tossed anew); no: as they are
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
import numpy as np
import pandas as pd

from vae_core import figures, latent, measures, models, runs, training
from vae_core.binarise import binarised, tossed_once
from vae_core.data import load_dataset
from vae_core.settings import check_settings

settings = {"kl_weight": kl_weight, "latent_dim": latent_dim, "kl_schedule": kl_schedule}
settings |= {"kl_warmup_epochs": kl_warmup_epochs, "kl_cycles": kl_cycles, "kl_ramp": kl_ramp, "free_bits": free_bits}
settings |= {"target_rate": target_rate, "target_distortion": target_distortion}
settings |= {"likelihood": likelihood, "pixel_variance": pixel_variance, "binarise": binarise}
settings |= {"epochs": epochs, "batch_size": batch_size, "learning_rate": learning_rate}
settings |= {"hidden_units": hidden_units, "seed": seed, "threads": threads}
check_settings(settings)
training.use_threads(threads)

# %%
data = binarised(load_dataset(dataset, data_dir), binarise)
predicted = measures.predict_collapse(data, settings)
run = runs.start_run({"dataset": data.name, **settings}, data.checksum, run_dir)
runs.write_dataset(run, data)
names = [data.class_names[label] for label in data.validation_labels[:10] if data.labelled]
figures.image_row(data.validation_images[:10], data.description, names)

# %% [markdown]
# ## Training
#
# Is the objective still falling when training ends? Do the validation images, which are not trained on, follow the
# training images? Which of the two terms falls, and which one rises?

# %%
vae = models.vae_of_settings(settings, -(-len(data.train_images) // batch_size), data.image_shape)
some, few = slice(2000), latent.grid_cells(data.image_shape, most=12)
points = latent.fixed_points(latent_dim, few)
recorder = training.Recorder(
    training.spread_epochs(epochs),
    codes=partial(latent.encode_means, vae, data.validation_images[some]),
    manifolds=partial(latent.decode_points, vae, points),
)
history, seconds = training.train(vae, data, epochs, batch_size, seed, run / "history.csv", recorder)
figures.training_curves(history, f"{data.name}, kl_weight {kl_weight:g}, seed {seed}")

# %% [markdown]
# ## In numbers, on the test images
#
# `negative_elbo` is distortion + rate, whatever was minimised. It can be compared across a sweep; `objective`, which is
# what was minimised, cannot. `nll` is -log p(x) itself. In a plane it is added up on a grid, and `quadrature_change` is
# how much half of the grid's points would change it. In more dimensions it is importance-weighted, and `nll_change` is
# how much half of the draws would change it. The bound lies above it by KL(q(z|x) || p(z|x)). (The cross-entropy of
# grey pixels is not a normalised likelihood, so these numbers cannot be compared with those for black-and-white
# images. Gaussian and continuous Bernoulli pixels have densities, which may exceed 1: then -log p(x) is below 0.) Names
# that end in _se are standard errors over the images.
#
# No distortion can be below `entropy_floor`. A collapsed code is the prior whatever the image: it has rate 0 and at
# best a distortion of `zero_information_distortion`. How far from the second number towards the first does this code
# get, and for how many nats?

# %%
data = tossed_once(data)
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
# ## Which dimensions are used
#
# Each dimension of the code has a rate of its own. Which of them carry the code, and which one is the prior whatever
# the image?

# %%
spreads = np.var(mean, axis=0, dtype=np.float64)
title = f"{data.name}: latent dimensions at kl_weight {kl_weight:g}"
bars = figures.dimension_bars(latent.mean_rates(mean, log_var), spreads, measures.ACTIVE_VARIANCE, title)
figures.save_figure(run / "dimensions.png", bars)

# %% [markdown]
# ## Where the codes are
#
# Each point is the mean of q(z|x) for one test image, in the two dimensions of the highest rate. Do the codes lie where
# the prior is? The model was never told any classes: if there are some, are they apart all the same?

# %%
shown = latent.shown_dimensions(mean, log_var)
codes = mean[:, shown]
title = f"{data.name}: codes of {len(mean):,} test images at kl_weight {kl_weight:g}"
scatter = figures.latent_scatter(mean, data.test_labels, data.class_names, title, shown)
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
# ## Which units live, predicted and found
#
# The training images tell, before anything is trained, above which weight each unit should die: there its rate costs
# more than it can save. (`vae_core/collapse/law.py` has the derivation. The law speaks of a charge on the whole rate.
# With free bits or a target it does not hold, and nothing is predicted.) The highest predicted weight stands beside the
# unit with the highest rate, in nats/image. A row of several units has their range, of rates the sum, and of "yes" the
# number. Do as many units live as should?

# %%
measures.unit_table(predicted, kl_weight, mean, log_var)

# %% [markdown]
# ## What the decoder draws
#
# One dimension at a time: from -3 to 3, all others at 0. What does each of them change?

# %%
dimensions, positions, traversals = latent.traversals(vae, mean, log_var)
title = f"{data.name}: one dimension at a time at kl_weight {kl_weight:g}"
rates = latent.mean_rates(mean, log_var)[dimensions]
sheet = figures.traversal_sheet(traversals, dimensions, positions, rates, title)
figures.save_figure(run / "traversals.png", sheet)

# %% [markdown]
# Now both dimensions of the scatter, on an even grid over three prior standard deviations each way. How much of it
# looks like real images? Codes outside this window do not show in it: the line below says how many lie inside.

# %%
cells = latent.grid_cells(data.image_shape)
axes = latent.uniform_axes(cells, dimensions=len(shown))
manifold, share = latent.decode_grid(vae, axes, shown), latent.share_within(codes, axes)
title = f"{data.name}: decoded grid on [-3, 3] at kl_weight {kl_weight:g}"
figure = figures.decoder_manifold(manifold, axes, title, share, shown, latent_dim)
figures.save_figure(run / "decoder_manifold.png", figure, colors=24)

# %% [markdown]
# Then at the prior's quantiles. Every cell stands for the same share of samples from the prior, so where there are no
# other dimensions, this is what samples look like, sorted by place.

# %%
quantiles = latent.quantile_axes(cells, len(shown))
at_quantiles, share = latent.decode_grid(vae, quantiles, shown), latent.share_within(codes, quantiles)
title = f"{data.name}: decoded grid at prior quantiles, kl_weight {kl_weight:g}"
figure = figures.decoder_manifold(at_quantiles, quantiles, title, share, shown, latent_dim)
figures.save_figure(run / "decoder_manifold_quantiles.png", figure, colors=24)

# %% [markdown]
# Last over the region that the codes occupy, from their 1 % to their 99 % quantile in each dimension. Does it show more
# kinds of images than the other two?

# %%
occupied = latent.occupied_axes(codes, cells)
where_codes_are, share = latent.decode_grid(vae, occupied, shown), latent.share_within(codes, occupied)
title = f"{data.name}: decoded grid over the occupied region, kl_weight {kl_weight:g}"
figure = figures.decoder_manifold(where_codes_are, occupied, title, share, shown, latent_dim)
figures.save_figure(run / "decoder_manifold_occupied.png", figure, colors=24)

# %% [markdown]
# ## Samples, judged
#
# Codes drawn from the prior, decoded; and codes drawn from a Gaussian mixture that was fitted to the training codes,
# decoded. If the images have labels, a small classifier, trained on the real training images, says what it sees in each
# and how sure it is. Where the lower row is much better than the upper, the decoder is good and the codes are not where
# the prior is.

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
# is none of them. Without labels there is no judge, and the samples are measured by their distances to real images.

# %%
judged = measures.measure_samples(judge, drawn, data)
pd.Series(judged, name=f"kl_weight {kl_weight:g}").round(3).to_frame()

# %% [markdown]
# ## The run folder
#
# Parameters, losses, measures, figures, codes and weights are now in the run folder. `record.json`, written last, has
# their hashes.

# %%
in_window = {"share_in_window": latent.share_within(codes, axes)}
collapse = measures.measure_collapse(predicted, kl_weight)
runs.write_measures(run, {**measured, **information, **in_window, **judged, **collapse})
kept = runs.Latent(
    mean=mean,
    log_var=log_var,
    labels=data.test_labels,
    dimensions=shown,
    manifold=manifold,
    axes=axes,
    manifold_quantiles=at_quantiles,
    quantiles=quantiles,
    manifold_occupied=where_codes_are,
    occupied=occupied,
    prior_samples=prior_samples,
    mixture_samples=mixture_samples,
    epochs=recorder.epochs,
    epoch_codes=np.array(recorder.kept["codes"])[..., shown],
    epoch_labels=data.validation_labels[some],
    epoch_manifolds=recorder.kept["manifolds"],
    epoch_axes=latent.quantile_axes(few, len(shown)),
    traversals=traversals,
    traversal_dimensions=dimensions,
    traversal_positions=positions,
)
runs.save_latent(run, kept)
vae.save_weights(run / "model.weights.h5")
runs.finish_run(run, seconds)
print("written:", os.path.relpath(run))
