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
# The distortion asks for codes from which the image can be drawn again. The rate asks for codes that say little, and
# lie where the prior $p(z) = \mathcal{N}(0, I)$ is. The weight decides between them: 1 is the ELBO, the bound on
# $\log p(x)$; 0 is an autoencoder with noise of its own choice.
#
# This notebook trains one model at one weight and looks at it. A sweep is this notebook at many weights. All losses
# are in nats per image.

# %% tags=["parameters"]
dataset: str = "auto"  # mnist, fashion_mnist, digits, or auto: mnist if it can be had, else digits
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

# %matplotlib inline
import pandas as pd

from vae_core import figures, latent, measures, models, runs, training
from vae_core.data import load_dataset

settings = {"kl_weight": kl_weight, "epochs": epochs, "batch_size": batch_size, "learning_rate": learning_rate}
settings |= {"hidden_units": hidden_units, "seed": seed, "threads": threads}
runs.check_parameters(settings)
training.use_threads(threads)

# %%
data = load_dataset(dataset, data_dir)
run = runs.start_run({"dataset": data.name, **settings}, data.checksum, run_dir)
names = [data.class_names[label] for label in data.validation_labels[:10]]
figures.image_row(data.validation_images[:10], data.description, names)

# %% [markdown]
# ## Training
#
# Does the objective still fall when training ends, and do the validation images (not trained on) follow the training
# images? Which of the two terms pays for the other?

# %%
vae = models.reference_vae(kl_weight, seed, learning_rate, hidden_units)
history, seconds = training.train(vae, data, epochs, batch_size, seed, run / "history.csv")
figures.training_curves(history, f"{data.name}, kl_weight {kl_weight:g}, seed {seed}")

# %% [markdown]
# ## In numbers, on the test images
#
# `negative_elbo` is distortion + rate at weight 1, whatever weight was trained with: it can be compared across a sweep,
# `objective` cannot. No distortion can be below `entropy_floor`. A collapsed code, which is the prior whatever the
# image, has rate 0 and at best a distortion of `zero_information_distortion`. How much of the way between the two does
# this code buy, and for how many nats? Is every latent dimension used?

# %%
measured = measures.evaluate(vae, data)
runs.write_json(run / "measures.json", measured)
pd.Series(measured, name=f"kl_weight {kl_weight:g}").round(2).to_frame()

# %% [markdown]
# ## Images and what is left of them
#
# Each test image above, the image decoded from the mean of its code below. What got lost?

# %%
mean, log_var = latent.encode(vae, data.test_images)
figures.image_pairs(data.test_images[:10], latent.decode(vae, mean[:10]), "Test images and their reconstructions")

# %% [markdown]
# ## Where the codes are
#
# Each point is the mean of q(z|x) for one test image. Do the codes lie where the prior's rings are? Are the classes,
# which the model was never told, apart?

# %%
title = f"{data.name}: codes of {len(mean):,} test images at kl_weight {kl_weight:g}"
scatter = figures.latent_scatter(mean, data.test_labels, data.class_names, title)
runs.save_figure(run / "latent_scatter.png", scatter)

# %% [markdown]
# ## What the decoder draws
#
# First on an even grid over three prior standard deviations each way. Which share of it looks like real images? (Codes
# that lie outside this window do not show in it.)

# %%
axis = latent.uniform_axis()
manifold = latent.decode_grid(vae, axis)
title = f"{data.name}: decoded grid on [-3, 3] at kl_weight {kl_weight:g}"
runs.save_figure(run / "decoder_manifold.png", figures.decoder_manifold(manifold, axis, title), colors=24)

# %% [markdown]
# Then at the prior's quantiles: every cell stands for the same share of samples from the prior, so this is what a
# sample will look like, sorted by place.

# %%
quantiles = latent.quantile_axis()
manifold_quantiles = latent.decode_grid(vae, quantiles)
title = f"{data.name}: decoded grid at prior quantiles, kl_weight {kl_weight:g}"
manifold_figure = figures.decoder_manifold(manifold_quantiles, quantiles, title)
runs.save_figure(run / "decoder_manifold_quantiles.png", manifold_figure, colors=24)

# %% [markdown]
# ## The run folder
#
# Parameters, losses, measures, figures, codes and weights are now in the run folder; `record.json`, written last, has
# their hashes.

# %%
codes = {"mean": mean, "log_var": log_var, "labels": data.test_labels}
runs.save_latent(run, manifold, manifold_quantiles, axis=axis, quantiles=quantiles, **codes)
vae.save_weights(run / "model.weights.h5")
runs.finish_run(run, seconds)
print("written:", os.path.relpath(run))
