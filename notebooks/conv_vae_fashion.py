# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Four convolutions, Fashion-MNIST, and a weight of "5e-4"
#
# Seed document 002 trains a convolutional VAE with two latent dimensions. Its loss is
#
# $$L = \underbrace{\tfrac{1}{784}\,\text{distortion}}_{\text{mean cross-entropy}}
#   - 5\cdot10^{-4} \cdot \tfrac12 \sum_{i=1}^{2} \left(1 + \log\sigma_i^2 - \mu_i^2 - \sigma_i^2\right)
#   = \tfrac{1}{784}\left(\text{distortion} + 0.392 \cdot \text{rate}\right)$$
#
# since the sum is $-2 \cdot$ rate, and $784 \cdot 5\cdot10^{-4} = 0.392$. The number before the KL term looks like next
# to nothing; on the scale distortion + kl_weight * rate it is 0.392, less than half of the ELBO's 1.
#
# This notebook builds the seed's model, trains it at one weight and, if `compared_kl_weight` is another, at that one
# too, and repeats every figure of the seed for each. What does the other weight do to codes and images? And is the
# region that the seed decodes the one that samples come from? Losses are in nats per image, or per pixel where they are
# the seed's.

# %% tags=["parameters"]
dataset: str = "fashion_mnist"  # fashion_mnist, mnist, digits, or auto: mnist if it can be had, else digits
kl_weight: float = 0.392  # factor on the KL term, 0 or more; 0.392 is the seed's, 1 is the ELBO
compared_kl_weight: float = 1.0  # of a second model, 0 or more; none is trained if it equals kl_weight
epochs: int = 10  # passes through the training images, 1 or more
batch_size: int = 32  # images per gradient step
learning_rate: float = 1e-3  # of Adam
point_z0: float = -4.0  # first coordinate of the latent point to decode, -100 to 100
point_z1: float = 4.0  # second coordinate of the latent point to decode, -100 to 100
seed: int = 0  # decides the initial weights, the batches and the noise; not affected by the weights on the KL term
threads: int = 1  # CPU threads; a sweep fills the cores with runs of one thread each
data_dir: str = ""  # folder with mnist/ or fashion_mnist/ in it; empty: VAE_DATA_DIR, the cache, a download
run_dir: str = ""  # folder to write; empty: a new one in results/single_runs/conv_vae_fashion/<dataset>/

# %% [markdown]
# ## The data
#
# The seed looks at four of its training images, numbers 42, 420, 4200 and 42000 of the file. (Where a file has fewer,
# counting starts again at its beginning.) It shows them in false colours; grey is what the pixels are. What of an image
# could a code of two numbers keep?

# %%
import os

# %matplotlib inline
import pandas as pd
from IPython.display import Markdown

from vae_core import (
    architectures,
    canvas,
    conv_fashion,
    figures,
    latent,
    lesson_figures,
    runs,
    seeds,
    training,
    windows,
)
from vae_core.data import load_dataset

settings = {"kl_weight": kl_weight, "compared_kl_weight": compared_kl_weight, "epochs": epochs}
settings |= {"batch_size": batch_size, "learning_rate": learning_rate, "point_z0": point_z0, "point_z1": point_z1}
settings |= {"seed": seed, "threads": threads}
runs.check_parameters(settings)
training.use_threads(threads)

# %%
data = load_dataset(dataset, data_dir)
settings = {"dataset": data.name, **settings}
run = runs.start_run(settings, data.checksum, run_dir, "conv_vae_fashion")
images, names = conv_fashion.shown_images(data)
figures.image_row(images, data.description, names)

# %% [markdown]
# ## The layers
#
# Output shapes and parameters of the encoder, beside what the seed prints. Which layer has four fifths of them? The
# seed's last two layers are called `latent_mu` and `latent_sigma`, and the latter is said to be a log variance, a
# standard deviation and a variance, by turns; its code takes it for a log-variance, and so does ours. The seed counts
# the draw of z as one more layer, without parameters.

# %%
conv_fashion.layer_table(architectures.four_conv_encoder(), seeds.SEED_002_LAYERS["encoder"])

# %% [markdown]
# The decoder. Its last layer gives logits here and probabilities in the seed; that changes no parameter.

# %%
conv_fashion.layer_table(architectures.four_conv_decoder(), seeds.SEED_002_LAYERS["decoder"])

# %% [markdown]
# ## Training
#
# One model per weight, from the same initial weights, with the same batches and the same noise. First the run's own:
# does the objective still fall when training ends, and do the validation images follow the training images?

# %%
vaes, histories, seconds = conv_fashion.train_each(
    (kl_weight, compared_kl_weight), data, epochs, batch_size, learning_rate, seed, run / "history.csv"
)
first, *_ = vaes
vae, history = vaes[first], histories[first]
figures.training_curves(history, f"{data.name}, {first}, seed {seed}")

# %% [markdown]
# Then every weight, on the validation images. Which term pays for a larger weight, which one gains? The sum of the two,
# the negative ELBO, is what the ELBO's weight 1 minimises: how much does another weight lose by it?

# %%
terms = {"val_distortion": "distortion [nats/image]", "val_rate": "rate [nats/image]"}
terms |= {"val_negative_elbo": "negative ELBO [nats/image]"}
with_bound = conv_fashion.with_negative_elbo(histories)
lesson_figures.curves(with_bound, terms, f"{data.name}, validation images, seed {seed}")

# %% [markdown]
# ## The printed losses, and ours
#
# All on the seed's scale, (distortion + 0.392 rate) / 784, also where another weight was trained. A training loss is
# the mean over an epoch in which the model gets better, so it can be above the validation loss, which is taken after
# it. The first line says what differs: the split of the images and all random numbers in every run.

# %%
losses = conv_fashion.seed_losses(histories)
Markdown(f"{first}, beside the seed: {conv_fashion.what_differs(settings, data)}.")

# %%
conv_fashion.loss_table(losses)

# %% [markdown]
# The same drawn. Does our line run below the printed one from the first epoch on, or get there?

# %%
axes_names = {"loss": "training loss [nats/pixel]", "val_loss": "validation loss [nats/pixel]"}
figure = lesson_figures.curves(losses, axes_names, f"Loss as seed 002 writes it: {data.name}, seed {seed}")
runs.save_figure(run / "seed_losses.png", figure)

# %% [markdown]
# ## In numbers, on the test images
#
# What does the other weight change in rate, and what in distortion? `negative_elbo` and `nll` (-log p(x),
# importance-weighted) can be compared between weights. The rate is `mutual_information`, which tells images apart, plus
# `marginal_kl`, the distance of all codes together from the prior. `share_in_window` is that of the codes on [-3, 3].
#
# With two models, the difference is the other one's number minus that of the run's own. Both code the same images, so
# its standard error is that of the mean of the differences image by image. It knows of no other training: each weight
# was trained once, and another seed moves these numbers too. By how much, a sweep with `--seeds` tells.

# %%
codes = conv_fashion.encode_each(vaes, data.test_images)
measured, per_image = conv_fashion.evaluate_each(vaes, data, codes)
conv_fashion.comparison(measured, per_image)

# %% [markdown]
# All measures of the run's own model. Those that end in _se are standard errors over the images;
# `nll_above_quadrature` is the check of `nll`. Between `entropy_floor` and `zero_information_distortion` a distortion
# makes sense: how much of the way down from the latter does this code go?

# %%
pd.Series(measured[first], name=first).round(3).to_frame()

# %% [markdown]
# ## What is left of an image
#
# Test images, and below each what the models decode from the mean of its code. Which details are gone at every weight?

# %%
means = {name: mean for name, (mean, _) in codes.items()}
rows = conv_fashion.reconstructed(vaes, means, data.test_images[:10])
lesson_figures.image_grid(rows, "Test images and their reconstructions", ["image", *vaes])

# %% [markdown]
# ## Where the codes are
#
# Each point is the mean of q(z|x) for one test image, on the same axes for every weight. The seed draws its codes
# without the prior, in colours that run from one class to the next, and says that the latent space ranges from about -5
# to 5. How much of that square do the codes fill? At which weight are they nearer to the prior's rings, and are the
# classes still apart there?

# %%
square = canvas.covering_square(means.values())
title = f"{data.name}: codes of {len(data.test_images):,} test images"
figure = lesson_figures.panels_of_codes(means, data.test_labels, data.class_names, square, title)
runs.save_figure(run / "latent_scatters.png", figure)

# %% [markdown]
# ## One decoded point
#
# The seed picks the point (-4, 4) from its range and decodes it. Is it a point that a sample could be? In two
# dimensions a share of $e^{-r^2/2}$ of the prior's samples is farther from the origin than $r$.

# %%
point = (point_z0, point_z1)
conv_fashion.point_table(point, means)

# %% [markdown]
# What the decoders draw there; what they draw at the nearest code of a test image; and that image. Does the decoder
# draw something of its own so far out, or what the next code stands for?

# %%
columns = ("at the point", "at nearest code", "its image")
rows = conv_fashion.beside_nearest(vaes, means, point, data.test_images)
lesson_figures.image_grid(rows, f"Decoded at ({point_z0:g}, {point_z1:g})", list(vaes), columns, inches=1.3)

# %% [markdown]
# The seed invites to start at (-1, 1) and to watch the picture morph. Here from the origin through (-1, 1) to the
# point, in even steps each way. Where does it change, and from where on does it hardly?

# %%
path = conv_fashion.path_to(point)
columns = [f"{z0:.3g}\n{z1:.3g}" for z0, z1 in path]
lesson_figures.image_grid(conv_fashion.decoded(vaes, path), "z[0] above z[1]", list(vaes), columns)

# %% [markdown]
# ## What the decoder draws
#
# The seed's figure of 20 x 20 points on [-5, 5], and the same number at the prior's quantiles, where every cell stands
# for the same share of samples. How much of the seed's picture is far from anything that was encoded? Which of the two
# shows what the model generates? (The seed calls `predict` 400 times, where one batch does, and shows false colours:
# steps in brightness that the pictures do not have.)

# %%
grids = conv_fashion.window_grids(vaes, means)
figure = lesson_figures.manifold_windows(grids, len(conv_fashion.WINDOWS), f"{data.name}: decoded grids")
runs.save_figure(run / "decoder_manifold_windows.png", figure, colors=24)

# %% [markdown]
# The shares of codes and of prior samples in these windows and in [-3, 3], and of the grid's cells beyond three
# standard deviations, where $e^{-9/2} = 1.1\,\%$ of the prior is. Which window holds nearly all of the prior *and*
# little else?

# %%
conv_fashion.window_table(means).round(4)

# %% [markdown]
# ## What the seed prints and says, and what came out here

# %%
table = seeds.seed_table(conv_fashion.seed_rows(vae, history, *codes[first], point, settings, data))
table.to_csv(run / "seed_numbers.csv", index=False)
Markdown(seeds.seed_markdown(table))

# %% [markdown]
# ## The run folder
#
# Parameters, losses, measures, figures, codes and weights of the run's own model go into the run folder, with them its
# scatter plot and its decoded grid on [-3, 3], the window of this suite's sweeps. `record.json`, written last, has the
# hashes.

# %%
mean, log_var = codes[first]
scatter = figures.latent_scatter(mean, data.test_labels, data.class_names, f"{data.name}: test codes at {first}")
runs.save_figure(run / "latent_scatter.png", scatter)
axes, share = windows.uniform_axes(), measured[first]["share_in_window"]
manifold = latent.decode_grid(vae, axes)

# %%
title = f"{data.name}: decoded grid on [-3, 3] at {first}"
runs.save_figure(run / "decoder_manifold.png", figures.decoder_manifold(manifold, axes, title, share), colors=24)
kept = {"mean": mean, "log_var": log_var, "labels": data.test_labels, "axes": axes}
runs.save_latent(run, {"manifold": manifold}, kept)
runs.write_json(run / "measures.json", measured[first])
vae.save_weights(run / "model.weights.h5")
runs.finish_run(run, seconds)
print("written:", os.path.relpath(run))
