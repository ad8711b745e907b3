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
# Tutorial 002, "Variational Autoencoder" by Antonio Lorenzo (a web page; its address is not known), trains a
# convolutional VAE with two latent dimensions. Its loss is
#
# $$L = \underbrace{\tfrac{1}{784}\,\text{distortion}}_{\text{mean cross-entropy}}
#   - 5\cdot10^{-4} \cdot \tfrac12 \sum_{i=1}^{2} \left(1 + \log\sigma_i^2 - \mu_i^2 - \sigma_i^2\right)
#   = \tfrac{1}{784}\left(\text{distortion} + 0.392 \cdot \text{rate}\right)$$
#
# since the sum is $-2 \cdot$ rate, and $784 \cdot 5\cdot10^{-4} = 0.392$. The factor on the KL term looks negligible.
# On the scale distortion + kl_weight * rate it is 0.392, less than half of the ELBO's 1.
#
# This notebook builds the tutorial's model and trains it at `kl_weight` and, if it differs, at `compared_kl_weight`. It
# repeats every figure of the tutorial for each weight. What does the other weight do to codes and images? And do
# samples come from the region that the tutorial decodes? Losses are in nats per image; the tutorial's are per pixel.

# %% tags=["parameters"]
dataset: str = "fashion_mnist"  # a data set (mnist, fashion_mnist, digits), or auto: mnist if available, else digits
kl_weight: float = 0.392  # factor on the KL term, 0 or more; 0.392 is the tutorial's, 1 is the ELBO
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
# The tutorial shows four of its training images, numbers 42, 420, 4200 and 42000 of the file. (In a shorter file,
# counting starts again at the beginning.) It shows them in false colours; here they are grey, as the pixels are. What
# could a code of two numbers keep of an image?

# %%
import os

# %matplotlib inline
import pandas as pd
from IPython.display import Markdown

from vae_core import figures, latent, models, parameters, runs, training, tutorials
from vae_core.data import check_dataset, check_labelled, load_dataset
from vae_core.lessons.conv_vae_fashion import figures as lesson_figures
from vae_core.lessons.conv_vae_fashion import measures as lesson
from vae_core.lessons.conv_vae_fashion import tutorial

settings = {"kl_weight": kl_weight, "compared_kl_weight": compared_kl_weight, "epochs": epochs}
settings |= {"batch_size": batch_size, "learning_rate": learning_rate, "point_z0": point_z0, "point_z1": point_z1}
settings |= {"seed": seed, "threads": threads}
parameters.check_parameters(settings)
training.use_threads(threads)

# %%
data = load_dataset(dataset, data_dir).as_floats()
check_dataset(data)
check_labelled(data)
settings = {"dataset": data.name, **settings}
run = runs.start_run(settings, data.checksum, run_dir, "conv_vae_fashion")
runs.write_dataset(run, data)
images, names = tutorial.shown_images(data)
figures.image_row(images, data.description, names)

# %% [markdown]
# ## The layers
#
# These are the output shapes and parameters of the encoder, beside those that the tutorial prints. Which layer has four
# fifths of the parameters? The tutorial names its last two layers `latent_mu` and `latent_sigma`, and calls the latter
# a log variance, a standard deviation and a variance, by turns. Its code uses it as a log-variance, and so does ours.
# The tutorial counts the draw of z as one more layer, without parameters.

# %%
tutorial.layer_table(models.four_conv_encoder(), tutorial.ENCODER_LAYERS)

# %% [markdown]
# And of the decoder. Its last layer gives logits here and probabilities in the tutorial, which changes no parameter.

# %%
tutorial.layer_table(models.four_conv_decoder(), tutorial.DECODER_LAYERS)

# %% [markdown]
# ## Training
#
# One model is trained per weight, from the same initial weights, with the same batches and the same noise. First, the
# run's own: is the objective still falling when training ends, and do the validation images follow the training images?

# %%
vaes, histories, seconds = lesson.train_at_each_weight(
    (kl_weight, compared_kl_weight), data, epochs, batch_size, learning_rate, seed, run / "history.csv"
)
vae, history, name = vaes[kl_weight], histories[kl_weight], lesson.weight_name(kl_weight)
figures.training_curves(history, f"{data.name}, {name}, seed {seed}")

# %% [markdown]
# Then every weight, on the validation images. Which term gets worse with a larger weight, and which gets better? Their
# sum, the negative ELBO, is what weight 1 minimises: how much worse is it at another weight?

# %%
labels = {"val_distortion": "distortion [nats/image]", "val_rate": "rate [nats/image]"}
labels |= {"val_negative_elbo": "negative ELBO [nats/image]"}
with_bound = lesson.by_name(lesson.with_negative_elbo(histories))
figures.curves(with_bound, labels, f"{data.name}, validation images, seed {seed}")

# %% [markdown]
# ## The printed losses, and ours
#
# All of them are on the tutorial's scale, (distortion + 0.392 rate) / 784, also where another weight was trained. A
# training loss is the mean over an epoch in which the model improves, so it can be above the validation loss, which is
# taken after the epoch. The first line says what differs; the split of the images and all random numbers always do.

# %%
losses = tutorial.losses_beside(lesson.by_name(histories))
Markdown(f"{name}, compared with the tutorial: {tutorial.differences_in_words(settings, data)}.")

# %%
tutorial.loss_table(losses)

# %% [markdown]
# The same as curves. Is our line below the printed one from the first epoch on, or does it get there later?

# %%
labels = {"loss": "training loss [nats/pixel]", "val_loss": "validation loss [nats/pixel]"}
figure = figures.curves(losses, labels, f"Loss as in tutorial 002: {data.name}, seed {seed}")
figures.save_figure(run / "tutorial_losses.png", figure)

# %% [markdown]
# ## In numbers, on the test images
#
# What does the other weight change in rate, and what in distortion? `negative_elbo` and `nll` (-log p(x), added up on a
# grid over the latent plane) can be compared between weights. The rate is `mutual_information`, which tells images
# apart, plus `marginal_kl`, the distance of all codes together from the prior. `share_in_window` is the share of codes
# on [-3, 3].
#
# With two models, the difference is the second one's number minus that of the run's own model. Both code the same
# images, so its standard error is that of the mean of the differences image by image. It does not include the variation
# between trainings: each weight was trained once, and another seed changes these numbers, too. A sweep with `--seeds`
# shows by how much.

# %%
codes = lesson.encode_with_each(vaes, data.test_images)
measured, terms = lesson.measure_each(vaes, data, codes)
lesson.weight_table(measured, terms)

# %% [markdown]
# These are all the measures of the run's own model. Those that end in _se are standard errors over the images;
# `nll_above_quadrature` is how much higher an importance-weighted estimate of `nll` is. A useful distortion lies
# between `entropy_floor` and `zero_information_distortion`: how far down from the latter does this code get?

# %%
pd.Series(measured[kl_weight], name=name).round(3).to_frame()

# %% [markdown]
# ## What a code keeps of an image
#
# Test images, and below each what the models decode from the mean of its code. Which details are lost at every weight?

# %%
means = {weight: mean for weight, (mean, _) in codes.items()}
rows = lesson.reconstructions(vaes, means, data.test_images[:10])
model_names = list(lesson.by_name(vaes))
figures.image_grid(rows, "Test images and their reconstructions", ["image", *model_names])

# %% [markdown]
# ## Where the codes are
#
# Each point is the mean of q(z|x) for one test image, on the same axes for every weight. The tutorial plots its codes
# without the prior, in a continuous colour scale, and says that the latent space ranges from about -5 to 5. How much of
# that square do the codes fill? At which weight are they closer to the prior's rings, and are the classes still apart
# there?

# %%
square = figures.covering_square(means.values())
title = f"{data.name}: codes of {len(data.test_images):,} test images"
figure = figures.panels_of_codes(lesson.by_name(means), data.test_labels, data.class_names, square, title)
figures.save_figure(run / "latent_scatters.png", figure)

# %% [markdown]
# ## One decoded point
#
# The tutorial picks the point (-4, 4) from its range and decodes it. Could such a point be a sample of the prior? In
# two dimensions a share of $e^{-r^2/2}$ of the prior's samples is farther from the origin than $r$.

# %%
point = (point_z0, point_z1)
lesson.point_table(point, means)

# %% [markdown]
# Each row shows what a decoder makes of the point, what it makes of the nearest code of a test image, and that image.
# Does the decoder make something new so far out, or what the nearest code stands for?

# %%
columns = ("at the point", "at nearest code", "its image")
rows = lesson.point_beside_nearest(vaes, means, point, data.test_images)
figures.image_grid(rows, f"Decoded at ({point_z0:g}, {point_z1:g})", model_names, columns, inches=1.3)

# %% [markdown]
# The tutorial invites the reader to start at (-1, 1) and watch the picture morph. Here the path goes from the origin
# through (-1, 1) to the point, each part in even steps. Where does the picture change, and from where on hardly at all?

# %%
path = lesson.path_to(point)
columns = [f"{z0:.3g}\n{z1:.3g}" for z0, z1 in path]
figures.image_grid(lesson.decode_with_each(vaes, path), "z[0] above z[1]", model_names, columns)

# %% [markdown]
# ## Decoded grids
#
# The tutorial's figure has 20 x 20 points on [-5, 5]. Beside it is a grid of as many points at the prior's quantiles,
# where every cell stands for the same share of samples. How much of the tutorial's picture is far from anything that
# was encoded? Which of the two shows what the model generates? (The tutorial calls `predict` 400 times, where one batch
# is enough. Its false colours show steps in brightness that the images do not have.)

# %%
grids = lesson.window_grids(vaes, means)
figure = lesson_figures.manifold_windows(grids, len(lesson.GRID_WINDOWS), f"{data.name}: decoded grids")
figures.save_figure(run / "decoder_manifold_windows.png", figure, colors=24)

# %% [markdown]
# Here are the shares of codes and of prior samples in these windows and in [-3, 3], and the share of the grid's cells
# beyond three standard deviations, where $e^{-9/2} = 1.1\,\%$ of the prior is. Which window holds nearly all of the
# prior *and* little else?

# %%
lesson.window_table(means).round(4)

# %% [markdown]
# ## What the tutorial prints and says, and what came out here

# %%
table = tutorial.comparison_table(vae, history, *codes[kl_weight], point, settings, data)
table.to_csv(run / tutorials.TUTORIAL_FILE, index=False)
Markdown(tutorials.tutorial_markdown(table))

# %% [markdown]
# ## The run folder
#
# The run folder holds the parameters, losses, measures, figures, codes and weights of the run's own model, and with
# them its scatter plot and its decoded grid on [-3, 3], the window of this suite's sweeps. `record.json`, written last,
# has the hashes.

# %%
mean, log_var = codes[kl_weight]
scatter = figures.latent_scatter(mean, data.test_labels, data.class_names, f"{data.name}: test codes at {name}")
figures.save_figure(run / "latent_scatter.png", scatter)
axes, share = latent.uniform_axes(), measured[kl_weight]["share_in_window"]
manifold = latent.decode_grid(vae, axes)

# %%
title = f"{data.name}: decoded grid on [-3, 3] at {name}"
figures.save_figure(run / "decoder_manifold.png", figures.decoder_manifold(manifold, axes, title, share), colors=24)
runs.save_latent(run, runs.Latent(mean, log_var, data.test_labels, manifold=manifold, axes=axes))
runs.write_measures(run, measured[kl_weight])
vae.save_weights(run / "model.weights.h5")
runs.finish_run(run, seconds, "conv_vae_fashion")
print("written:", os.path.relpath(run))
