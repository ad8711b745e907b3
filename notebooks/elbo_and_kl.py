# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # The ELBO and its KL terms: every formula beside a number
#
# A VAE is trained on a bound, the ELBO, with a KL term in it. Two tutorials derive both: tutorial 001, "Variational
# Auto-encoder, VAE" (in Chinese, section 12.4 of Charmve's "Computer Vision in Action",
# [github.com/Charmve/computer-vision-in-action](https://github.com/Charmve/computer-vision-in-action)), and tutorial
# 003, the variational part of a series that begins with "Intro to Autoencoders" (its address is not known).
#
# Here each step of the derivation becomes a number, found in two or three ways: by its formula, by quadrature (adding
# up a fine grid) and by sampling. Where a tutorial is wrong, the numbers differ. The last sections ask the question of
# the suite: what does the variance of the pixels have to do with the weight on the KL term?
#
# All numbers are in nats: logarithms are natural.

# %% tags=["parameters"]
dataset: str = "auto"  # a data set (mnist, fashion_mnist, digits), or auto: mnist if it is available, else digits
kl_weight: float = 0.5  # factor on the KL term, at Gaussian pixels of variance 1; 0 or more
epochs: int = 10  # passes through the training images, 1 or more
batch_size: int = 128  # images per gradient step
learning_rate: float = 1e-3  # of Adam
hidden_units: int = 512  # width of the one hidden layer of the encoder, and of the decoder
seed: int = 0  # decides the initial weights, the batches and the noise, and all estimates by sampling
threads: int = 1  # CPU threads
data_dir: str = ""  # folder with mnist/ or fashion_mnist/ in it; empty: VAE_DATA_DIR, the cache, a download
run_dir: str = ""  # folder to write; empty: a folder in results/single_runs/elbo_and_kl, named after the settings

# %%
import os

# %matplotlib inline
import numpy as np
import pandas as pd
from IPython.display import Markdown
from scipy.stats import norm

from vae_core import figures, latent, measures, parameters, runs, training, tutorials
from vae_core.data import check_dataset, check_labelled, load_dataset
from vae_core.lessons.elbo_and_kl import figures as drawings
from vae_core.lessons.elbo_and_kl import measures as numbers
from vae_core.lessons.elbo_and_kl import model as models
from vae_core.lessons.elbo_and_kl import tutorial
from vae_core.likelihoods import BERNOULLI, Gaussian

architecture = {"learning_rate": learning_rate, "hidden_units": hidden_units}
settings = {"epochs": epochs, "batch_size": batch_size, "seed": seed, **architecture}
parameters.check_parameters({"kl_weight": kl_weight, "threads": threads, **settings})
training.use_threads(threads)

# %%
data = load_dataset(dataset, data_dir).as_floats()
check_dataset(data)
check_labelled(data)
config = {"dataset": data.name, "kl_weight": kl_weight, **settings, "threads": threads}
folder = runs.start_run(config, data.checksum, run_dir, "elbo_and_kl")
runs.write_dataset(folder, data)
names = [data.class_names[label] for label in data.validation_labels[:10]]
figures.image_row(data.validation_images[:10], data.description, names)

# %% [markdown]
# ## 1. Surprise and entropy
#
# The surprise of an event of probability $p$ is
#
# $$I(p) = -\log p.$$
#
# A certain event has a surprise of 0. The surprises of independent events add up. The entropy is the mean surprise,
#
# $$H(q) = \mathbb{E}_q[-\log q].$$
#
# How surprising is each class of this data set, and which class is the most surprising? Ten equally frequent classes
# would have an entropy of $\log 10 = 2.303$. How much less is it here?

# %%
numbers.class_surprises(data.train_labels, data.class_names).round(4)

# %% [markdown]
# ## 2. Cross-entropy and KL
#
# Suppose that events come from $q$, and you believe that they come from $p$. Your mean surprise is then the
# cross-entropy. The part of it that your error has added is the KL divergence:
#
# $$H(q, p) = \mathbb{E}_q[-\log p], \qquad
#   \mathrm{KL}(q\,\|\,p) = H(q, p) - H(q) = \mathbb{E}_q\left[\log\frac{q}{p}\right] \ge 0.$$
#
# For continuous variables the means are integrals over densities. For two Gaussians they all have formulas:
#
# $$H(q) = \tfrac12\log(2\pi e\,\sigma_q^2), \qquad
#   H(q, p) = \tfrac12\log(2\pi\sigma_p^2) + \frac{\sigma_q^2 + (\mu_q - \mu_p)^2}{2\sigma_p^2}.$$
#
# Take $q = \mathcal{N}(0.8, 0.5^2)$ and $p = \mathcal{N}(-0.4, 1.2^2)$. Does each formula agree with the quadrature,
# and with the sampling within a few standard errors? Is the KL the same in both directions?

# %%
q, p = norm(0.8, 0.5), norm(-0.4, 1.2)
numbers.information_table(q, p, seed).round(3)

# %% [markdown]
# The KL is the area under $q \log(q/p)$. Where $q < p$ the integrand is negative. Why can the whole area never be
# negative? And why is $\mathrm{KL}(p\,\|\,q)$ so much larger: where does its area lie, and how large is $q$ there?

# %%
z = np.linspace(-5.5, 4, 801)
title = "q = N(0.8, 0.5²), p = N(-0.4, 1.2²): what the KL integrates"
figure = drawings.kl_areas(z, numbers.integrands(q, p, z), numbers.areas(q, p), title)
figures.save_figure(folder / "kl_areas.png", figure)

# %% [markdown]
# A density is not a probability: it has a unit, and it may be above 1. So the entropy of a continuous variable can be
# negative, and it changes when $z$ is measured in millimetres instead of centimetres. The KL compares two densities in
# the same unit. Which columns depend on the unit?

# %%
numbers.units_table(q, p).round(3)

# %% [markdown]
# ## 3. The KL of two Gaussians
#
# Cross-entropy minus entropy is tutorial 001's equation 10:
#
# $$\mathrm{KL}(q\,\|\,p) = \log\frac{\sigma_p}{\sigma_q} + \frac{\sigma_q^2 + (\mu_q - \mu_p)^2}{2\sigma_p^2}
#   - \tfrac12.$$
#
# With $p = \mathcal{N}(0, 1)$ it is tutorial 003's equation 5, and the rate of this suite. (`the_prior` shows what that
# charges.) In the second and third rows both densities have the same entropy: does the difference of entropies tell
# them apart? Rows 4 and 5: which costs more, a $q$ that is twice as wide as $p$, or one that is half as wide?

# %%
pairs = numbers.kl_table(seed)
pairs.round(3)

# %% [markdown]
# In $d$ dimensions, with any covariances $Q$ of $q$ and $P$ of $p$:
#
# $$\mathrm{KL}(q\,\|\,p) = \tfrac12\left(\mathrm{tr}(P^{-1}Q) + (\mu_p - \mu_q)^\top P^{-1}(\mu_p - \mu_q) - d
#   + \log\frac{\det P}{\det Q}\right).$$
#
# A VAE's $q(z|x)$ has a diagonal covariance, and its prior is $\mathcal{N}(0, I)$. Then there are no matrices left, and
# the dimensions add up. Below are random Gaussians, and the same ones without the correlations of $q$. Are correlations
# free?

# %%
numbers.multivariate_kl_table(seed).round(3)

# %% [markdown]
# ## 4. From log p(x) to the ELBO
#
# A latent variable model says $p(x) = \int p(x|z)\,p(z)\,dz$. For any density $q(z|x)$ of $z$,
#
# $$\begin{aligned}
# \log p(x) &= \mathbb{E}_{q}[\log p(x)] = \mathbb{E}_{q}\left[\log\frac{p(x, z)}{p(z|x)}\right]
#   = \mathbb{E}_{q}\left[\log\left(\frac{p(x, z)}{q(z|x)} \cdot \frac{q(z|x)}{p(z|x)}\right)\right] \\
#   &= \underbrace{\mathbb{E}_{q}[\log p(x, z) - \log q(z|x)]}_{\text{ELBO}}
#   + \underbrace{\mathrm{KL}(q(z|x)\,\|\,p(z|x))}_{\ge 0}.
# \end{aligned}$$
#
# The left side does not depend on $q$. So the ELBO is a lower bound on it, and the gap between them is the KL from the
# posterior $p(z|x)$. Since $p(x, z) = p(x|z)\,p(z)$, the ELBO has two forms:
#
# $$\text{ELBO} = \underbrace{\mathbb{E}_{q}[\log p(x|z)] - \mathrm{KL}(q(z|x)\,\|\,p(z))}_{\text{first form}}
#   = \underbrace{\mathbb{E}_{q}[\log p(x|z) + \log p(z) - \log q(z|x)]}_{\text{second form}}.$$
#
# There are two KL terms here, and they are not the same. The one in the ELBO is measured from the *prior*, the gap from
# the *posterior*.
#
# Now each term as a number, in a model where everything is known: $p(z) = \mathcal{N}(0, I)$,
# $p(x|z) = \mathcal{N}(Wz, \sigma^2 I)$. There $p(x) = \mathcal{N}(0, WW^\top + \sigma^2 I)$, and the posterior is
# $\mathcal{N}(S W^\top x / \sigma^2, S)$ with $S = (I + W^\top W / \sigma^2)^{-1}$. Take one image
# $x$ of three pixels and five choices of $q$. Which of them has the largest ELBO? Is the sum in every row the
# $\log p(x)$ of the formula, which does not depend on $q$?

# %%
linear_model, x = models.example_model()
linear = numbers.elbo_table(linear_model, x, seed)
linear.round(3)

# %% [markdown]
# Tutorial 001 concludes that training takes $\mathrm{KL}(q(z|x)\,\|\,p(z|x))$ to 0. It can, if the posterior is among
# the $q$ to choose from. In this model the posterior is a Gaussian with correlated dimensions. A $q$ with any
# covariance reaches it. A VAE's encoder gives no correlations: even its best $q$ leaves a gap, and that $q$ is narrower
# than the posterior. How large is the gap, and does any width close it?

# %%
scale = np.geomspace(0.3, 3, 121)
title = "One image of the linear model: the ELBO of Gaussians around the posterior's mean"
elbos = numbers.bound_curves(linear_model, x, scale)
figures.save_figure(folder / "bound.png", drawings.bound(scale, elbos, linear_model.log_evidence(x), title))

# %% [markdown]
# The two forms are equal on average. But a training step has only one draw of $z$. How far do single draws of each form
# scatter? (This suite and all tutorials but 001 train on the first form, tutorial 001's code on the second.) Why does
# the second form not scatter at all when $q$ is the posterior?

# %%
numbers.noise_table(linear_model, x, seed).round(3)

# %% [markdown]
# ## 5. Likelihoods
#
# What is $p(x|z)$? The decoder gives one number per pixel, and the likelihood says what it means. With
# $\hat x = \mathrm{sigmoid}(\text{output})$:
#
# $$\begin{aligned}
# \text{Bernoulli:} \quad -\log p(x|z) &= -\sum_{\text{pixels}}
#   \left[x \log \hat x + (1 - x) \log(1 - \hat x)\right], \\
# \text{Gaussian:} \quad -\log p(x|z) &= \sum_{\text{pixels}}
#   \left[\frac{(x - \hat x)^2}{2\sigma^2} + \tfrac12\log(2\pi\sigma^2)\right].
# \end{aligned}$$
#
# The table has ten images, with the mean training image as $\hat x$ and once with perfect copies, $\hat x = x$. Do the
# suite's likelihoods agree with those of scipy.stats? How can a negative log-likelihood be negative?

# %%
images, mean_image = data.validation_images[:10], data.train_images.mean(axis=0)
outputs = np.broadcast_to(BERNOULLI.outputs(mean_image), images.shape)
numbers.likelihood_table(images, outputs).round(2)

# %% [markdown]
# Is each of them a likelihood, that is, does it add up to 1 over all values that a pixel can have? Take one pixel with
# $\hat x = 0.8$. The Bernoulli formula adds up to 1 over black and white, but not over the greys. The Gaussian adds up
# to 1 over all numbers, but a pixel lies between 0 and 1. How much of the Gaussian lies there?

# %%
numbers.mass_table().round(3)

# %% [markdown]
# ### Tutorial 001's Gaussian term
#
# Tutorial 001 has the first of these lines, and calls it a log-likelihood:
#
# ```python
# 0.5 * sum((x - mean)**2) / (2 * std**2) + log(std)          # tutorial 001: sums over pixels and batch
# sum((x - mean)**2 / (2 * std**2) + log(std) + log(2 * pi) / 2, pixels)      # -log p(x|z) of each image
# ```
#
# Three things are wrong. The 1/2 is there twice. $\log\sigma$ is there once instead of once per pixel. And the sign is
# that of a loss: a perfect copy gets the smaller number. The columns correct the first two one by one, for one image
# with the mean training image as $\hat x$. The last row is the $\sigma$ at which each formula is least, found by
# search: a model that learns $\sigma$ would end there. The right $\sigma$ is the root of the mean squared error. How
# much too large is the first one?

# %%
squared_error = float(np.square(images[0] - mean_image).sum())
corrected = tutorial.tutorial_001_table(squared_error, mean_image.size)
corrected.round(3)

# %% [markdown]
# Tutorial 001 also sums both terms over the batch. How does each number change as the batch grows? (`bug_gallery` shows
# what that does to training.)

# %%
batches = tutorial.batch_table(data.validation_images[:100], mean_image, seed)
batches.round(2)

# %% [markdown]
# ## 6. The variance is a weight on the KL term
#
# With pixels of variance $\sigma^2$, the negative ELBO is
#
# $$\frac{1}{2\sigma^2}\sum (x - \hat x)^2 + \mathrm{KL} + \text{constant}
#   = \frac{1}{\sigma^2}\left(\tfrac12\sum (x - \hat x)^2 + \sigma^2\,\mathrm{KL}\right) + \text{constant}.$$
#
# So the ELBO at variance $c$ is the objective at variance 1 with kl_weight $c$, up to a factor on the whole loss and a
# constant. The factor changes the length of the gradients, not their direction, and Adam divides the length out again,
# up to its epsilon.
#
# This notebook's run has variance 1 and the kl_weight of the parameters. Which weight is sensible there? Weight 1 says
# that the noise of a pixel has a standard deviation of 1, the whole range from black to white. Tutorial 003 takes the
# sum of squared errors plus the KL, without the 1/2: that is weight 0.5, the default here, and still a noise of 0.71.
#
# All models start from the same initial weights, and see the same batches and the same noise:
#
# 1. **The run**: variance 1 at the run's kl_weight.
# 2. **Its twin**: the run's kl_weight as the variance, at weight 1. Weight 0 has no twin, and weight 1 is its own.
# 3. **Variance learned**: $\log\sigma^2$ is one more weight for Adam, at weight 1. It starts at the variance of the
#    training images around their mean, which is the best one for a code that says nothing.
# 4. **Variance solved for**: each batch has the $\sigma^2$ that is best for it, again at weight 1. There the derivative
#    of $\frac{D}{2}\log(2\pi\sigma^2) + \frac{1}{2\sigma^2}\sum(x - \hat x)^2$ is 0, with $D$ pixels: it is the mean
#    squared error of a pixel ([Rybkin, Daniilidis and Levine 2021](https://arxiv.org/abs/2006.13202), "optimal sigma").
#
# Do the curves of the first two lie on top of each other? The left panel shows all distortions at variance 1, so that
# they are on one scale.

# %%
vae = models.gaussian_vae(
    models.GaussianVAE, Gaussian(1.0), kl_weight, seed, **architecture, image_shape=data.image_shape
)
history, seconds = training.train(vae, data, epochs, batch_size, seed, folder / "history.csv")
run = models.trained(vae, history)
trained = {models.RUN: run} | models.train_others(data, kl_weight, **settings)
histories = {name: numbers.at_unit_variance(model) for name, model in trained.items()}
title = f"{data.name}: validation images, all distortions at variance 1; the run's kl_weight is {kl_weight:g}"
figures.save_figure(folder / "twins.png", figures.distance_curves(histories, title))

# %%
Markdown(tutorial.twin_sentence(trained))

# %% [markdown]
# ## 7. Which variance do the images ask for?
#
# A fixed variance is a choice, and so is a fixed kl_weight: it says what an error costs in nats. A learned variance
# takes that choice away, and lets the exchange rate follow from how well the model does. Left: where does the variance
# go as the model learns, and how far does it end from the run's? Right: the negative ELBO that each trained model would
# have at another variance; the dots are at the variances that the models have. Is each dot at the bottom of its curve?

# %%
lines = {
    "variance around the mean training image": data.train_images.var(axis=0).mean(),
    "the run's kl_weight": kl_weight,
}
figure = drawings.variances(
    {name: trained[name].history for name in (models.LEARNED, models.SOLVED)},
    lines,
    numbers.variance_curves(trained, data.validation_images, numbers.variance_range(trained)),
    {name: model.variance for name, model in trained.items()},
    f"{data.name}: validation images",
)
figures.save_figure(folder / "variances.png", figure)

# %% [markdown]
# The same on the test images. `kl_weight at variance 1` is the exchange rate, kl_weight times variance. Up to factors
# and constants, it is all that the objectives differ in. The negative ELBO is given at the model's own variance, at 1,
# and at the model's mean squared error on the training images. Which of these columns compares the models? Where the
# variances differ, so does $\frac{D}{2}\log\sigma^2$, which does not depend on the images.

# %%
numbers.models_table(trained, data.test_images).round(4)

# %%
Markdown(tutorial.exchange_sentence(trained))

# %% [markdown]
# What does the exchange rate do to the codes? The figure shows the codes of the same test images in the run and in the
# model that solves for its variance, on the same axes. Which of the two pays less for a nat of code, and where do its
# codes lie?

# %%
encoded = {name: latent.encode(model.vae, data.test_images)[0] for name, model in trained.items()}
shown = {name: encoded[name] for name in (models.RUN, models.SOLVED)}
title = f"{data.name}: codes of {len(data.test_images):,} test images; the run's kl_weight is {kl_weight:g}"
square = figures.covering_square(shown.values())
figure = figures.panels_of_codes(shown, data.test_labels, data.class_names, square, title)
figures.save_figure(folder / "codes.png", figure)

# %% [markdown]
# And to the images? Below are test images and the decoded means of their codes in each model. A Gaussian's sample would
# have noise on top, with the variance of the pixels. Nobody shows that.

# %%
decoded = [latent.decode(model.vae, encoded[name][:10])[..., 0] for name, model in trained.items()]
rows = np.stack([data.test_images[:10, ..., 0], *decoded])
title = f"{data.name}: test images and their decoded means"
figure = figures.image_grid(rows, title, ["image", *trained])
figures.save_figure(folder / "reconstructions.png", figure, colors=24)

# %% [markdown]
# ## 8. The gap of a trained model
#
# The latent space is a plane, so $\log p(x) = \log\int p(x|z)\,p(z)\,dz$ can be added up on a grid. The gap between it
# and the ELBO is $\mathrm{KL}(q(z|x)\,\|\,p(z|x))$. Is it 0 after training, as tutorial 001 says?
#
# The run is read at its own variance of 1. If it has a twin, it is also read at the twin's variance, where its
# objective is the ELBO. A weight below 1 asks for a $q(z|x)$ narrower than the posterior of variance 1, a weight above
# 1 for a wider one: that $q$ is trained for the twin's posterior. The column `coarser grid` is what half as many points
# each way would add to $-\log p(x)$.

# %%
read = models.readings(trained)
gaps = numbers.gap_table(read, data.test_images[:200])
gaps.round(3)

# %% [markdown]
# The figure shows the posteriors of four test images as grey clouds, and the encoder's $q(z|x)$ as ellipses of one and
# two standard deviations. Each panel has its own window. Two things can keep the gap open. One is the family: if a
# cloud is slanted, or not Gaussian at all, no ellipse with axes parallel to the plane's can fit it. The other is the
# encoder: an ellipse of the right shape may lie beside the cloud, since one network serves all images ([Cremer, Li and
# Duvenaud 2018](https://arxiv.org/abs/1801.03558)). Which do you see?

# %%
planes = {name: numbers.posterior_planes(reading, data.test_images[:4]) for name, reading in read.items()}
titles = [data.class_names[label] for label in data.test_labels[:4]]
title = f"{data.name}: posteriors p(z|x) (grey) and q(z|x) (ellipses) of four test images"
figures.save_figure(folder / "posteriors.png", drawings.posteriors(planes, titles, title), colors=64)

# %% [markdown]
# And the two forms of the ELBO, from single draws? They should be equal on average, within the error of the sampling.
# Which one scatters less?

# %%
numbers.forms_table(read, data.test_images[:200], seed).round(3)

# %% [markdown]
# ## 9. The run in numbers
#
# These are the measures of the sweep, for Gaussian pixels of variance 1. The `entropy_floor` is the distortion of a
# perfect copy, $\frac{D}{2}\log 2\pi$ for any image: 720.45 at 784 pixels. The `zero_information_distortion` is that of
# the mean training image, the best that a code which says nothing can do.

# %%
mean, log_var = latent.encode(vae, data.test_images)
train_mean, _ = latent.encode(vae, data.train_images)
measured = numbers.measure_run(vae, data, mean, log_var)
measured["learned_variance"] = trained[models.LEARNED].variance
measured["solved_variance"] = trained[models.SOLVED].variance
measured |= measures.measure_codes(mean, log_var, data.test_labels, train_mean, data.train_labels)
pd.Series(measured, name=f"kl_weight {kl_weight:g}").round(3).to_frame()

# %%
axes = latent.uniform_axes()
manifold, share = latent.decode_grid(vae, axes), latent.share_within(mean, axes)
title = f"{data.name}: decoded grid on [-3, 3] at kl_weight {kl_weight:g}, variance 1"
figures.save_figure(folder / "decoder_manifold.png", figures.decoder_manifold(manifold, axes, title, share), colors=24)

# %% [markdown]
# ## 10. What the tutorials say, and what came out
#
# Neither tutorial prints numbers on these subjects. The table has their formulas and statements, each beside the number
# that was found here.

# %%
pd.set_option("display.max_colwidth", None)
tables = (pairs, linear, corrected, batches, gaps)
beside = tutorial.tutorials_beside(tutorial.tutorial_numbers(kl_weight, q, p, *tables, mean_image.size))
beside.to_csv(folder / tutorials.TUTORIAL_FILE, index=False)
beside.set_index(["tutorial", "what"])

# %% [markdown]
# ## The run folder

# %%
codes = runs.Latent(mean=mean, log_var=log_var, labels=data.test_labels, manifold=manifold, axes=axes)
runs.save_latent(folder, codes)
vae.save_weights(folder / "model.weights.h5")
runs.write_measures(folder, measured)
runs.finish_run(folder, seconds, "elbo_and_kl")
print("written:", os.path.relpath(folder))
