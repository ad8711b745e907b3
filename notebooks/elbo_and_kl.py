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
# A VAE is trained on a bound, the ELBO, with a KL term in it. Seeds 001 and 003 derive both. Here each step of the
# derivation is a number that was found in two or three ways: by its formula, by quadrature (adding up a fine grid) and
# by sampling. Where the seeds are wrong, the numbers differ. At the end stands the question of the suite: what has the
# variance of the pixels to do with the weight on the KL term?
#
# All numbers are in nats: logarithms are natural.

# %% tags=["parameters"]
dataset: str = "auto"  # mnist, fashion_mnist, digits, or auto: mnist if it can be had, else digits
kl_weight: float = 0.5  # factor on the KL term beside Gaussian pixels of variance 1; 0 or more
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
from scipy.special import logit
from scipy.stats import norm

from vae_core import aggregate, elbo, figures, gaussian_pixels, latent, lesson_figures, runs, seeds, training, windows
from vae_core.canvas import covering_square
from vae_core.data import load_dataset

settings = {"kl_weight": kl_weight, "epochs": epochs, "batch_size": batch_size, "learning_rate": learning_rate}
settings |= {"hidden_units": hidden_units, "seed": seed, "threads": threads}
runs.check_parameters(settings)
training.use_threads(threads)

# %%
data = load_dataset(dataset, data_dir)
run = runs.start_run({"dataset": data.name, **settings}, data.checksum, run_dir, "elbo_and_kl")
names = [data.class_names[label] for label in data.validation_labels[:10]]
figures.image_row(data.validation_images[:10], data.description, names)

# %% [markdown]
# ## 1. Surprise and entropy
#
# An event of probability $p$ surprises by
#
# $$I(p) = -\log p.$$
#
# What is certain surprises by 0; two independent events surprise by the sum. The entropy is the mean surprise,
#
# $$H(q) = \mathbb{E}_q[-\log q].$$
#
# How surprising is each class of this data set, and which one most? Ten equally frequent classes would have an entropy
# of $\log 10 = 2.303$. How much less is it here?

# %%
elbo.class_surprises(data.train_labels, data.class_names).round(4)

# %% [markdown]
# ## 2. Cross-entropy and KL
#
# Who takes $p$ for the truth while the events come from $q$ is surprised by the cross-entropy, on average. The KL
# divergence is what the error adds:
#
# $$H(q, p) = \mathbb{E}_q[-\log p], \qquad
#   \mathrm{KL}(q\,\|\,p) = H(q, p) - H(q) = \mathbb{E}_q\left[\log\frac{q}{p}\right] \ge 0.$$
#
# For continuous variables the sums are integrals over densities. For two Gaussians all of them can be solved:
#
# $$H(q) = \tfrac12\log(2\pi e\,\sigma_q^2), \qquad
#   H(q, p) = \tfrac12\log(2\pi\sigma_p^2) + \frac{\sigma_q^2 + (\mu_q - \mu_p)^2}{2\sigma_p^2}.$$
#
# Take $q = \mathcal{N}(0.8, 0.5^2)$ and $p = \mathcal{N}(-0.4, 1.2^2)$. Does each formula agree with the quadrature,
# and with the sampling within a few standard errors? Is the KL the same in both directions?

# %%
q, p = norm(0.8, 0.5), norm(-0.4, 1.2)
elbo.information_table(q, p, seed).round(3)

# %% [markdown]
# The KL is the area below $q \log(q/p)$. Where $q < p$ the integrand is negative: how can the sum never be? And why is
# $\mathrm{KL}(p\,\|\,q)$ so much larger: where does its area lie, and what has $q$ to offer there?

# %%
z = np.linspace(-5.5, 4, 801)
areas = {"KL(q || p)": elbo.kl(q, p), "KL(p || q)": elbo.kl(p, q)}
title = "q = N(0.8, 0.5²), p = N(-0.4, 1.2²): what the KL integrates"
runs.save_figure(run / "kl_areas.png", lesson_figures.kl_areas(z, elbo.integrands(q, p, z), areas, title))

# %% [markdown]
# A density is no probability: it has a unit, and may be above 1. So the entropy of a continuous variable can be
# negative, and changes when $z$ is measured in millimetres instead of centimetres. The KL compares two densities in the
# same unit. Which columns depend on the unit?

# %%
elbo.units_table(q, p).round(3)

# %% [markdown]
# ## 3. The KL of two Gaussians
#
# Cross-entropy minus entropy is seed 001's equation 10:
#
# $$\mathrm{KL}(q\,\|\,p) = \log\frac{\sigma_p}{\sigma_q} + \frac{\sigma_q^2 + (\mu_q - \mu_p)^2}{2\sigma_p^2}
#   - \tfrac12.$$
#
# With $p = \mathcal{N}(0, 1)$ it is seed 003's equation 5, and the rate of this suite. (`00_the_prior` shows what that
# charges.) In the second and third rows both densities have the same entropy: does the difference of entropies tell
# them apart? Rows 4 and 5: which is dearer, a $q$ that is twice as wide as $p$, or half as wide?

# %%
pairs = elbo.kl_table(seed)
pairs.round(3)

# %% [markdown]
# In $d$ dimensions, with any covariances $Q$ of $q$ and $P$ of $p$:
#
# $$\mathrm{KL}(q\,\|\,p) = \tfrac12\left(\mathrm{tr}(P^{-1}Q) + (\mu_p - \mu_q)^\top P^{-1}(\mu_p - \mu_q) - d
#   + \log\frac{\det P}{\det Q}\right).$$
#
# A VAE's $q(z|x)$ has a diagonal covariance, and its prior is $\mathcal{N}(0, I)$. Then the matrices fall away and the
# dimensions add up. Below: random Gaussians, and the same with the correlations of $q$ left out. Are correlations free?

# %%
elbo.multivariate_kl_table(seed).round(3)

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
# The left side does not know $q$. So the ELBO is a lower bound of it, and lacks just the KL from the posterior
# $p(z|x)$. Since $p(x, z) = p(x|z)\,p(z)$, it can be written in two forms:
#
# $$\text{ELBO} = \underbrace{\mathbb{E}_{q}[\log p(x|z)] - \mathrm{KL}(q(z|x)\,\|\,p(z))}_{\text{first form}}
#   = \underbrace{\mathbb{E}_{q}[\log p(x|z) + \log p(z) - \log q(z|x)]}_{\text{second form}}.$$
#
# There are two KL terms here, and they are not the same: the one in the ELBO is measured from the *prior*, the one that
# is missing from the *posterior*.
#
# Now each term as a number, in a model where everything is known: $p(z) = \mathcal{N}(0, I)$,
# $p(x|z) = \mathcal{N}(Wz, \sigma^2 I)$. There $p(x) = \mathcal{N}(0, WW^\top + \sigma^2 I)$, and the posterior is
# $\mathcal{N}(S W^\top x / \sigma^2, S)$ with $S = (I + W^\top W / \sigma^2)^{-1}$. One image $x$ of three pixels, five
# choices of $q$. Which of them has the largest ELBO? Is the sum in every row the $\log p(x)$ of the formula, which
# knows no $q$?

# %%
model, x = elbo.example_model()
linear = elbo.elbo_table(model, x, seed)
linear.round(3)

# %% [markdown]
# Seed 001 concludes that training takes $\mathrm{KL}(q(z|x)\,\|\,p(z|x))$ to 0. It can, if the posterior is among the
# $q$ to choose from. In this model it is a Gaussian with correlated dimensions. A $q$ with any covariance reaches it. A
# VAE's encoder gives no correlations: even its best $q$ keeps a gap, and that $q$ is narrower than the posterior. How
# large is the gap, and does any width close it?

# %%
scale = np.geomspace(0.3, 3, 121)
title = "One image of the linear model: the ELBO of Gaussians around the posterior's mean"
figure = lesson_figures.bound(scale, elbo.bound_curves(model, x, scale), model.log_evidence(x), title)
runs.save_figure(run / "bound.png", figure)

# %% [markdown]
# The two forms are equal on average. A training step has one draw of $z$ only: how far do single draws of each form
# scatter? (Seeds 000, 002, 003 and this suite train on the first form, seed 001's notebook on the second.) Why does the
# second form not scatter at all when $q$ is the posterior?

# %%
elbo.noise_table(model, x, seed).round(3)

# %% [markdown]
# ## 5. Likelihoods
#
# What is $p(x|z)$? The decoder gives one number per pixel, and the likelihood says what it means. With
# $\hat x = \mathrm{sigmoid}(\text{logits})$:
#
# $$\begin{aligned}
# \text{Bernoulli:} \quad -\log p(x|z) &= -\sum_{\text{pixels}}
#   \left[x \log \hat x + (1 - x) \log(1 - \hat x)\right], \\
# \text{Gaussian:} \quad -\log p(x|z) &= \sum_{\text{pixels}}
#   \left[\frac{(x - \hat x)^2}{2\sigma^2} + \tfrac12\log(2\pi\sigma^2)\right].
# \end{aligned}$$
#
# Ten images under the mean training image as $\hat x$, by the suite's losses and by scipy.stats, and once under perfect
# copies, $\hat x = x$. Do they agree? How can a negative log-likelihood be negative?

# %%
images, mean_image = data.validation_images[:10], data.train_images.mean(axis=0)
mean_logits = np.broadcast_to(logit(mean_image.clip(1e-6, 1 - 1e-6)), images.shape)
gaussian_pixels.likelihood_table(images, mean_logits).round(2)

# %% [markdown]
# Is each of them a likelihood, that is, does it add up to 1 over what a pixel can be? One pixel with $\hat x = 0.8$.
# The Bernoulli formula does so over black and white, not over grey. The Gaussian does so over all numbers, most of
# which no pixel can have if the variance is 1: how much of it is between 0 and 1?

# %%
gaussian_pixels.mass_table().round(3)

# %% [markdown]
# ### Seed 001's Gaussian term
#
# Seed 001 writes, and calls it a log-likelihood:
#
# ```python
# 0.5 * sum((x - mean)**2) / (2 * std**2) + log(std)          # seed 001: sums over pixels and batch
# sum((x - mean)**2 / (2 * std**2) + log(std) + log(2 * pi) / 2, pixels)      # -log p(x|z) of each image
# ```
#
# Three things are wrong: 1/2 stands there twice, $\log\sigma$ once instead of once per pixel, and the sign is that of a
# loss: a perfect copy gets the smaller number. The columns mend the first two one by one, for one image under the mean
# training image. The last row is the $\sigma$ at which each formula is least, found by search: a model that learns
# $\sigma$ would go there. The right one is the root of the mean squared error; by how much is the first one too large?

# %%
squared_error = float(np.square(images[0] - mean_image).sum())
written = gaussian_pixels.seed_001_table(squared_error)
written.round(3)

# %% [markdown]
# Seed 001 also sums both terms over the batch. What does each number become when there are more images in it? (What it
# does to training: `bug_gallery`.)

# %%
batches = gaussian_pixels.batch_table(data.validation_images[:100], mean_image, seed)
batches.round(2)

# %% [markdown]
# ## 6. The variance is a weight on the KL term
#
# With pixels of variance $\sigma^2$, the negative ELBO is
#
# $$\frac{1}{2\sigma^2}\sum (x - \hat x)^2 + \mathrm{KL} + \text{constant}
#   = \frac{1}{\sigma^2}\left(\tfrac12\sum (x - \hat x)^2 + \sigma^2\,\mathrm{KL}\right) + \text{constant}.$$
#
# So the ELBO at variance $c$ is the objective at variance 1 with kl_weight $c$, but for a factor on the whole loss. A
# factor changes the length of all gradients and the direction of none, and Adam divides the length out again, all but
# for its epsilon.
#
# This notebook's run has variance 1 and the kl_weight of the parameters. Which weight is sensible there? 1 says that a
# pixel's noise has a standard deviation of 1, as wide as from black to white. Seed 003 takes the sum of squared errors
# plus the KL, without the 1/2: that is weight 0.5, the default here, and still a noise of 0.71.
#
# The models, all from the same initial weights, with the same batches and the same noise:
#
# 1. the run: variance 1 at the run's kl_weight;
# 2. its twin: that kl_weight as the variance, at weight 1. Weight 0 has none, weight 1 is its own;
# 3. the variance learned: $\log\sigma^2$ is one more weight for Adam, at weight 1. It starts at the variance of the
#    training images around their mean, which is the best for a code that says nothing;
# 4. the variance solved for: in each batch the $\sigma^2$ that is best for it, again at weight 1. That is where the
#    derivative of $\frac{D}{2}\log(2\pi\sigma^2) + \frac{1}{2\sigma^2}\sum(x - \hat x)^2$ is 0: the mean squared error
#    of a pixel ([Rybkin, Daniilidis and Levine 2021](https://arxiv.org/abs/2006.13202), "optimal sigma").
#
# Do the first two lie on each other? The left panel shows all distortions as of variance 1, so that they are on one
# scale.

# %%
vae = gaussian_pixels.gaussian_vae(gaussian_pixels.GaussianVAE, kl_weight, 1.0, seed, learning_rate, hidden_units)
history, seconds = training.train(vae, data, epochs, batch_size, seed, run / "history.csv")
own = {"epochs": epochs, "batch_size": batch_size, "learning_rate": learning_rate, "hidden_units": hidden_units}
this = {f"variance 1, weight {kl_weight:g} (the run)": gaussian_pixels.trained(vae, history)}
models = this | gaussian_pixels.train_beside(data, kl_weight, **own, seed=seed)
histories = {name: gaussian_pixels.at_unit_variance(model.history) for name, model in models.items()}
title = f"{data.name}: validation images, all distortions as of variance 1"
runs.save_figure(run / "twins.png", figures.written_curves(histories, title))

# %%
Markdown(gaussian_pixels.twin_words(models))

# %% [markdown]
# ## 7. Which variance do the images ask for?
#
# A fixed variance is a choice, and so is a fixed kl_weight: it says what an error costs in nats. A learned variance
# takes the choice away, and sets the exchange rate by how well the model can do. Left: where does it go while the model
# learns, and how far is it from the run's? Right: each trained model, were its pixels' variance another one; the dots
# are the variances that the models have. Is a dot at the bottom of its curve?

# %%
learned, solved = "variance learned, weight 1", "variance solved for, weight 1"
lines = {
    "variance around the mean training image": data.train_images.var(axis=0).mean(),
    "the run's kl_weight": kl_weight,
}
curves = gaussian_pixels.variance_curves(models, data.validation_images, gaussian_pixels.variance_range(models))
figure = lesson_figures.variances(
    {name: models[name].history for name in (learned, solved)},
    lines,
    curves,
    {name: model.variance for name, model in models.items()},
    f"{data.name}: validation images",
)
runs.save_figure(run / "variances.png", figure)

# %% [markdown]
# The same on the test images. `kl_weight at variance 1` is the exchange rate, kl_weight times variance: all in which
# the objectives differ, but for factors and constants. The negative ELBO is given at the model's own variance, at
# 1, and at the model's mean squared error on the training images. Which of these columns compares the models? Where the
# variances differ, so does $\frac{D}{2}\log\sigma^2$, in which no image has a part.

# %%
table = gaussian_pixels.models_table(models, data.test_images)
table.round(4)

# %%
Markdown(gaussian_pixels.exchange_words(models))

# %% [markdown]
# What does the exchange rate do to the codes? The same test images in the run and in the model that solves for its
# variance, on the same axes. Which of them pays less for a nat of code, and where do its codes lie?

# %%
encoded = {name: latent.encode(model.vae, data.test_images)[0] for name, model in models.items()}
shown = {name: encoded[name] for name in (*this, solved)}
title = f"{data.name}: codes of {len(data.test_images):,} test images"
square = covering_square(shown.values())
figure = lesson_figures.panels_of_codes(shown, data.test_labels, data.class_names, square, title)
runs.save_figure(run / "codes.png", figure)

# %% [markdown]
# And to the images? Test images, and the decoded means of their codes in each model. A Gaussian's sample would have
# noise of the variance on top; nobody shows it.

# %%
decoded = [latent.decode(model.vae, encoded[name][:10])[..., 0] for name, model in models.items()]
rows = np.stack([data.test_images[:10, ..., 0], *decoded])
title = f"{data.name}: test images and their decoded means"
runs.save_figure(run / "reconstructions.png", lesson_figures.image_grid(rows, title, ["image", *models]), colors=24)

# %% [markdown]
# ## 8. The gap of a trained model
#
# The latent space is a plane, so $\log p(x) = \log\int p(x|z)\,p(z)\,dz$ can be added up on a grid. What the ELBO lacks
# is $\mathrm{KL}(q(z|x)\,\|\,p(z|x))$: is it 0 after training, as seed 001 says?
#
# The run is read at its own variance of 1 and, if it has a twin, at the twin's, for which its objective is the ELBO.
# A weight below 1 asks for a $q(z|x)$ narrower than the posterior of variance 1, a weight above 1 for a wider one; it
# is made for the twin's posterior. The column `coarser grid` is what half as many points each way would add to
# $-\log p(x)$.

# %%
first_learned = models[learned]
read = gaussian_pixels.readings(*this.values(), first_learned)
gaps = gaussian_pixels.gap_table(read, data.test_images[:200])
gaps.round(3)

# %% [markdown]
# The posteriors of four test images as grey clouds, and the encoder's $q(z|x)$ as ellipses of one and two standard
# deviations. Each panel has its own window. Two things can keep the gap open. The family: a cloud that is slanted, or
# no Gaussian at all, fits no ellipse with axes parallel to the plane's. The encoder: an ellipse that fits may lie
# beside the cloud, since one network serves all images
# ([Cremer, Li and Duvenaud 2018](https://arxiv.org/abs/1801.03558)). Which do you see?

# %%
planes = {name: gaussian_pixels.posterior_planes(vae, data.test_images[:4], v) for name, (vae, v) in read.items()}
titles = [data.class_names[label] for label in data.test_labels[:4]]
title = f"{data.name}: posteriors p(z|x) (grey) and q(z|x) (ellipses) of four test images"
runs.save_figure(run / "posteriors.png", lesson_figures.posteriors(planes, titles, title), colors=64)

# %% [markdown]
# And the two forms of the ELBO, from single draws: equal on average within the sampling, but which one scatters less?

# %%
gaussian_pixels.forms_table(read, data.test_images[:200], seed).round(3)

# %% [markdown]
# ## 9. The run in numbers
#
# The measures of the sweep, for Gaussian pixels of variance 1. There is no entropy floor here: a perfect copy has the
# distortion $\frac{D}{2}\log 2\pi = 720.45$ at 784 pixels, for whatever image. A code that says nothing has at best the
# `zero_information_distortion`, of the mean training image.

# %%
mean, log_var = latent.encode(vae, data.test_images)
train_mean, _ = latent.encode(vae, data.train_images)
measured = gaussian_pixels.evaluate(*this.values(), data, mean, log_var)
measured |= {"learned_variance": first_learned.variance, "solved_variance": models[solved].variance}
measured |= aggregate.evaluate(mean, log_var, data.test_labels, train_mean, data.train_labels)
pd.Series(measured, name=f"kl_weight {kl_weight:g}").round(3).to_frame()

# %%
axes = windows.uniform_axes()
manifold, share = latent.decode_grid(vae, axes), windows.share_within(mean, axes)
title = f"{data.name}: decoded grid on [-3, 3] at kl_weight {kl_weight:g}, variance 1"
runs.save_figure(run / "decoder_manifold.png", figures.decoder_manifold(manifold, axes, title, share), colors=24)

# %% [markdown]
# ## 10. What the seeds say, and what came out
#
# Neither seed prints numbers on these subjects; these are their formulas and statements.

# %%
pd.set_option("display.max_colwidth", None)
statements = seeds.seed_table(gaussian_pixels.seed_rows(kl_weight, q, p, pairs, linear, written, batches, gaps))
statements.to_csv(run / "seed_numbers.csv", index=False)
statements.set_index(["seed", "what"])

# %% [markdown]
# ## The run folder

# %%
codes = {"mean": mean, "log_var": log_var, "labels": data.test_labels, "axes": axes}
runs.save_latent(run, {"manifold": manifold}, codes)
vae.save_weights(run / "model.weights.h5")
runs.write_json(run / "measures.json", measured)
runs.finish_run(run, seconds)
print("written:", os.path.relpath(run))
