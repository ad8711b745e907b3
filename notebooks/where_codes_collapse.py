# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # At which weight does a code collapse?
#
# Raise the weight $\beta$ = `kl_weight` on the KL term, and one latent unit after the other goes dead: its $q(z|x)$
# becomes the prior, and the decoder no longer looks at it. Above some weight the whole code is empty. Which weights
# are these?
#
# They can be told from the training images alone, before anything is trained. In a collapsed VAE the decoder draws the
# mean image $p$ whatever $z$ is. Let the code say a little: its means are $A (x - p)$, and the decoder's outputs change
# by $W z$. To second order the objective, distortion plus $\beta$ times rate, then changes by
#
# $$-\mathrm{tr}(A C W) + \tfrac12 \mathrm{tr}(W^\top F W) + \tfrac{\beta}{2} \mathrm{tr}(A C A^\top)$$
#
# where $C$ is the covariance of the training images and $F$ the Fisher information of the decoder's outputs at the mean
# image: for Bernoulli pixels $p (1 - p)$, for Gaussian pixels of variance $v$ it is $1 / v$. The best encoder is
# $A = W^\top / \beta$. What is left,
#
# $$\tfrac12 \mathrm{tr}\left(W^\top (F - C / \beta)\, W\right),$$
#
# can only be below 0 if $\beta$ is below an eigenvalue of $F^{-1/2} C F^{-1/2}$. So the first unit pays for itself
# only below the first eigenvalue, the second only below the second. For black-and-white pixels this matrix is their
# correlation matrix.
#
# For Gaussian pixels this is the known threshold of the linear VAE ([Lucas et al. 2019]) and of probabilistic PCA
# ([Tipping and Bishop 1999]). [Ichikawa and Hukushima 2024] find a threshold on the weight for a minimal linear VAE,
# [Li et al. 2025] the collapsed state stable where the decoder's variance is above the largest eigenvalue, with a jump
# of the rate, and [Hirn 2026] a cascade of collapses as the weight grows. [Dai et al. 2020] blame bad local minima, in
# part. We have read their abstracts. New here are the numbers for Bernoulli images and any other likelihood, and
# trained networks of several kinds beside them. What does this law get right, and where does it end?
#
# [Lucas et al. 2019]: https://arxiv.org/abs/1911.02469
# [Dai et al. 2020]: https://arxiv.org/abs/1912.10702
# [Tipping and Bishop 1999]: https://doi.org/10.1111/1467-9868.00196
# [Ichikawa and Hukushima 2024]: https://proceedings.mlr.press/v238/ichikawa24a.html
# [Li et al. 2025]: https://arxiv.org/abs/2510.01621
# [Hirn 2026]: https://arxiv.org/abs/2605.22691

# %% tags=["parameters"]
dataset: str = "auto"  # mnist, fashion_mnist, digits; auto: mnist if it is available, else digits; or a path to images
epochs: int = 4  # at each weight of a walk
start_epochs: int = 15  # at the first weight of a walk
batch_size: int = 128  # images per gradient step
learning_rate: float = 1e-3  # of Adam
hidden_units: int = 512  # width of the one hidden layer of the encoder, and of the decoder
linear_steps: int = 12000  # gradient steps of each linear model
seeds: int = 3  # everything is trained with the seeds 0 to seeds - 1
conv_seeds: int = 3  # the same for the convolutional network, which takes much longer; 0 leaves it out
threads: int = 2  # so many trainings run side by side, on one CPU thread each
data_dir: str = ""  # folder with mnist/ or fashion_mnist/ in it; empty: VAE_DATA_DIR, the cache, a download

# %%
# %matplotlib inline
import pandas as pd
from IPython.display import Markdown

from vae_core import parameters, training
from vae_core.data import load_dataset
from vae_core.lessons.where_codes_collapse import claims, figures, linear, linear_figures, measures, plan, predictions
from vae_core.lessons.where_codes_collapse.walks import take_all

settings = {"batch_size": batch_size, "learning_rate": learning_rate, "hidden_units": hidden_units}
lengths = {"epochs": epochs, "start_epochs": start_epochs, "linear_steps": linear_steps}
lengths |= {"seeds": seeds, "conv_seeds": conv_seeds, "threads": threads}
parameters.check_parameters({**settings, **lengths})
training.use_threads(1)
data = load_dataset(dataset, data_dir)
effort = plan.Effort(seeds, start_epochs, epochs)
pd.set_option("display.max_colwidth", None)

# %% [markdown]
# ## The prediction
#
# The first ten eigenvalues: above each of these weights, one more unit should be dead. Pixels that are almost always
# black or white weigh in, because each pixel is divided by its own deviation. How much do they matter?

# %%
predictions.rare_pixels(data)

# %% [markdown]
# ## Closed form first
#
# Where encoder and decoder are one layer each and the pixels Gaussian, nothing has to be trained. Let $L$ be the
# eigenvalues of the covariance of the training images, and 1 the variance of a pixel. A unit with $L > \beta$ has the
# rate $\frac12 \ln(L / \beta)$ and leaves $\beta / 2$ of the distortion. Any other has rate 0 and leaves $L / 2$.
# Together these are the whole rate-distortion curve. The dots are trained linear models. Are they on it?

# %%
optimum = linear.linear_optimum(data, 10)
fitted = linear.train_linear(data, optimum, seeds, linear_steps)
title = f"{data.name}: linear VAE, latent_dim 10, pixels of variance 1"
linear_figures.rate_distortion(optimum, fitted, title)

# %%
linear_figures.unit_rates(optimum, fitted, title)

# %% [markdown]
# Every model is on the curve or above it. The distortion is half the squared error, without its constant. "above" says
# by how much the objective exceeds the least one, in nats of the ELBO at that variance. While a model is trained, its
# weight first falls from above all eigenvalues, and well before halfway it has its value. Did the model come to rest?

# %%
linear.linear_table(fitted, optimum)

# %%
Markdown(linear.landed(fitted))

# %% [markdown]
# Is the ELBO to blame when a unit dies? At variance 1 and weight $\beta$, the best encoder and decoder are those that
# the ELBO has at variance $\beta$. So the same models can be read as models of the ELBO, at another variance of a
# pixel. For them $-\log p(x)$ is known too: that of the best one is that of probabilistic PCA. How far above it is the
# negative ELBO?

# %%
linear_figures.evidence(optimum, fitted, f"{data.name}: linear VAE, latent_dim 10, at weight 1")

# %%
Markdown(linear.meeting(optimum))

# %% [markdown]
# The best linear VAE has no gap, whatever the variance: its $q(z|x)$ is the exact posterior. So the ELBO asks for as
# many units as the likelihood does. A unit dies where the variance, or the weight, is too large for what it says.
#
# ## Two units, both ways
#
# Now the suite's reference model, with two units. A *walk* trains one model at one weight after another. It starts
# with a living code, goes up through both predicted weights until the code is empty, and comes down again. At each
# weight the optimizer forgets its moments. A unit is active if the variance over the images of its mean is above 0.01.
#
# If the weight alone decided, up and down would be the same. The law says nothing else: above the first eigenvalue the
# collapsed state is stable, below it is not. The second network has tanh in place of ReLU. Where do the units die, and
# do they come back?
#
# The walks of the whole notebook are the long part of it. Those that are done are kept, so that a notebook that was
# stopped goes on where it was.

# %%
weights = predictions.of_bernoulli(data)
both_ways = plan.both_ways(weights, effort)
Markdown(plan.amount(both_ways, data))

# %%
there_and_back = take_all(both_ways, data, data_dir, settings, threads)
figures.there_and_back(there_and_back, weights[:2], f"{data.name}: two units, up and down (seeds: {seeds})")

# %% [markdown]
# In numbers. When the second unit dies, the first one is alive, and the decoder no longer draws the mean image. The
# same expansion around this state, with the first unit at its optimum, gives the second unit's weight anew: "beside
# living units". Where there is none, no weight lets a second unit begin small: it can only come and go with a jump. By
# how much is the death off that weight, or else off the eigenvalue? Means over the seeds, with Student's 95 % interval:

# %%
beside = predictions.beside_living_units(data, weights)
measures.both_ways_table(there_and_back, weights, beside)

# %% [markdown]
# Were the codes at rest when a weight was left? Here is how much the total rate changed from half of the epochs at a
# weight to the last one. A drift shows in the mean, noise in the deviation.

# %%
measures.standstill(there_and_back)

# %% [markdown]
# And how many of the encoder's hidden units are above 0 for any image at all? A ReLU unit that is below 0 for every
# image gets no gradient. Nothing brings it back, whatever the weight.

# %%
figures.hidden_units(there_and_back, weights[:2], f"{data.name}: hidden units of the encoder that are ever on")

# %% [markdown]
# ## How much the code says before it dies
#
# A little below the first weight the law's next orders say how much a code is worth. In a linear Gaussian model the
# rate is half of $L / \beta - 1$ there, where $L$ is the predicted weight. For images it is another multiple, which
# follows from the third and fourth moments of the images along the first eigenvector. If the third moment is not 0, the
# code and its variances help each other, and the code lasts a little longer than the eigenvalue says. How much longer
# can also be found without any expansion, with any decoder and any Gaussian for each image:

# %%
Markdown(predictions.beyond(data))

# %% [markdown]
# The rate of this best code, with its best decoder, is the curve. No network has any part in it. Do trained networks
# get there?

# %%
curves = predictions.rate_curves(data, weights)
figures.rates_near(there_and_back, curves, weights[:2], f"{data.name}: the rate, upwards")

# %% [markdown]
# ## Another architecture
#
# The law was told from the images. It does not know the network. Does the network know the law? Here is that of
# tutorial 002 ("Variational Autoencoder" by Antonio Lorenzo, a web page): four convolutions in the encoder, two
# transposed ones in the decoder. It is first trained at a lower weight, at which a code comes to life. An epoch takes
# it much longer. So it visits fewer weights, with half of the epochs at each.

# %%
shape = data.image_shape
convolutional = take_all(plan.convolutions(weights, effort, conv_seeds, shape), data, data_dir, settings, threads)
figures.convolutional(convolutional, curves, weights[:2], f"{data.name}: convolutions, upwards (seeds: {conv_seeds})")

# %%
measures.deaths(convolutional, weights, units=2)

# %% [markdown]
# ## Waking
#
# Codes are made to collapse at a weight far above the first eigenvalue. Then the weight is lowered below it, and the
# code is measured four times in an epoch. The law says that a small code grows if the weight is below the eigenvalue
# $L$. With the best decoder for the code, and then the best code for that decoder, it grows by the factor $L / \beta$.
# An epoch of a network is worth some number of such rounds, which the law does not know. So the growth should be this
# number times $\ln(L / \beta)$: the curves on the right. The dotted codes had been collapsed for longer. Do they wake?

# %%
waking = take_all(plan.waking(weights, effort), data, data_dir, settings, threads)
figures.waking_codes(waking, weights[0], f"{data.name}: codes that wake (seeds: {seeds})")

# %%
measures.waking_table(waking, weights[0])

# %% [markdown]
# ## Ten units
#
# The law looks at one unit at a time, beside a collapsed state. When the third unit dies, two others are alive, and
# have changed what the decoder draws. Does the law still count right?
#
# What it counts are directions of the code. To second order the objective stays the same if the latent space is
# rotated, so that one direction may be spread over several units, and each of these counts as active. Directions are
# counted by the eigenvalues of the covariance of $\mathbb{E}[z|x]$ over images: those above 0.01 are active.

# %%
ten = take_all(plan.ten_units(weights, effort), data, data_dir, settings, threads)
figures.living(ten, weights, f"{data.name}: ten units, upwards (seeds: {seeds})")

# %%
measures.deaths(ten, weights, units=10)

# %% [markdown]
# ## Where the law ends
#
# At small weights the law counts every direction in which images differ. A network that uses its units well needs
# fewer: what one strong unit draws with a curved decoder would take a linear one many directions. Here is the whole
# range, with more units than most models have. From which weight on is the prediction right?

# %%
many = take_all(plan.many_units(weights, effort), data, data_dir, settings, threads)
figures.living(many, weights, f"{data.name}: many units, upwards (seeds: {seeds})")

# %%
measures.counts(many, weights)

# %%
Markdown(measures.right_from(many, weights))

# %% [markdown]
# Did these codes stand still at each weight? The change of the total rate once more, from half of the epochs to the
# last one:

# %%
measures.standstill({**ten, **many, **convolutional})

# %% [markdown]
# ## What could move the first death
#
# Gradients are noisy, and training is finite. If one of these decided at which weight the last unit dies, the death
# would move with it. The same walk through the first predicted weight, trained in other ways:

# %%
reasons = take_all(plan.reasons(weights, effort), data, data_dir, settings, threads)
title = f"{data.name}: the death of the last unit (seeds: {seeds})"
figures.off_by(measures.shares(reasons, dict.fromkeys(measures.by_variant(reasons), weights[0])), title)

# %% [markdown]
# Small steps take longer to kill a unit as well. So did the rates stand still here?

# %%
measures.standstill(reasons)

# %% [markdown]
# ## Other likelihoods
#
# The law takes the likelihood at its word. A Gaussian of variance 1 leaves far less to gain than Bernoulli pixels, so
# its codes die much earlier. A learned variance is small, so they die later. The law takes the variance that is learned
# without a code, the mean variance of the pixels. While a code lives the variance is smaller than that. Is the law
# right there too?

# %%
laws = predictions.of_likelihoods(data)
others = take_all(plan.other_likelihoods(laws, effort), data, data_dir, settings, threads)
title = f"{data.name}: the death of the last unit (seeds: {seeds})"
figures.off_by(measures.shares(others, {name: found[0] for name, found in laws.items()}), title)

# %%
measures.first_deaths(others, laws)

# %% [markdown]
# ## What practice learns
#
# Nothing is left to learn above the first weight: there an empty code is stable. Where the last of the units dies
# first, a model starts to use fewer units than it has. Below that weight a smaller one makes the codes more exact, and
# changes nothing else that the law could tell. "found" is where the walks of this notebook put these two.

# %%
measures.practice({2: there_and_back, 10: ten, 32: many}, weights)

# %% [markdown]
# ## Claims
#
# What is said of collapse, decided by the walks. A claim is confirmed or refuted where the 95 % interval over the seeds
# is on one side, else it is undecided. The sources looked at other models: what fails here may hold there.

# %%
claims.claims({**there_and_back, **convolutional, **ten, **reasons}, weights)
