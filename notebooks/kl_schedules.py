# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Does warming up the weight help, and with what?
#
# With many latent dimensions a VAE uses some and leaves the others at the prior. Those are called dead, and there are
# two opinions about them. One is that they died too early: in the first epochs a code is of little use to the decoder,
# so that the KL term wins, and what is dead never comes back. Then the weight should start low and rise. The other is
# that a dimension dies because it is not worth its price, and that it would die after any warm-up.
#
# Six ways to set the price of a nat of rate are compared here. Each is trained with the same initial weights, the same
# batches in the same order and the same noise, at two final weights and with several seeds. So every difference can be
# taken seed by seed, and gets an interval. If a difference is not found, that is said.
#
# $D$ is the distortion, $R$ the rate and $R_i$ that of latent dimension $i$, all in nats per image and as means over a
# batch; $c$ is the final weight and $t$ the number of epochs trained.
#
# | method | what is minimised | source |
# |---|---|---|
# | constant weight | $D + c\,R$ | [Higgins et al. 2017] |
# | linear warm-up over $T$ epochs | $D + c\,\min(1, t/T)\,R$ | [Bowman et al. 2016], [Sønderby et al. 2016] |
# | cyclical | the same, begun anew in each of several cycles | [Fu et al. 2019] |
# | free bits $\lambda$ | $D + c\,\sum_i \max(\lambda, R_i)$ | [Kingma et al. 2016] |
# | target rate $C$ | $D + 10\,c\,\lvert R - C\rvert$ | [Burgess et al. 2018] |
# | GECO, a target distortion $\kappa$ | $D + w\,R$, with $w$ found so that $D = \kappa$ | [Rezende and Viola 2018] |
#
# [Higgins et al. 2017]: https://openreview.net/forum?id=Sy2fzU9gl
# [Bowman et al. 2016]: https://arxiv.org/abs/1511.06349
# [Sønderby et al. 2016]: https://arxiv.org/abs/1602.02282
# [Fu et al. 2019]: https://arxiv.org/abs/1903.10145
# [Kingma et al. 2016]: https://arxiv.org/abs/1606.04934
# [Burgess et al. 2018]: https://arxiv.org/abs/1804.03599
# [Rezende and Viola 2018]: https://arxiv.org/abs/1810.00597
#
# The two targets are what the constant weight reaches, with the same seed, on the training images in its last epoch.
# So all six could end at the same place. Which of them do?

# %% tags=["parameters"]
dataset: str = "auto"  # a data set (mnist, fashion_mnist, digits), or auto: mnist if it is available, else digits
kl_weight: float = 1.0  # where the schedules end, above 0; 1 is the ELBO
compared_kl_weight: float = 4.0  # a second final weight, above 0; there is none if it equals kl_weight
latent_dim: int = 32  # dimensions of the code, 1 to 128
kl_warmup_epochs: int = 10  # length of the linear warm-up
kl_cycles: int = 4  # of the cyclical schedule, over all epochs
kl_ramp: float = 0.5  # share of a cycle in which the weight rises, above 0 and at most 1
free_bits: float = 0.25  # nats that each latent dimension may use without being charged for them
epochs: int = 24  # passes through the training images for each model, 1 or more
batch_size: int = 100  # images per gradient step; 100 divides the sets evenly, which halves the compilation
learning_rate: float = 1e-3  # of Adam
hidden_units: int = 512  # width of the one hidden layer of the encoder, and of the decoder
seeds: int = 3  # everything is trained with the seeds 0 to seeds - 1
threads: int = 2  # CPU threads
data_dir: str = ""  # folder with mnist/ or fashion_mnist/ in it; empty: VAE_DATA_DIR, the cache, a download

# %%
# %matplotlib inline
import pandas as pd
from IPython.display import Markdown

from vae_core import parameters, training
from vae_core.data import load_dataset
from vae_core.lessons.kl_schedules import claims, figures, measures, model

kl_weights = (kl_weight, compared_kl_weight)
shared = {"latent_dim": latent_dim, "kl_warmup_epochs": kl_warmup_epochs, "kl_cycles": kl_cycles, "kl_ramp": kl_ramp}
shared |= {"epochs": epochs, "batch_size": batch_size, "learning_rate": learning_rate, "hidden_units": hidden_units}
parameters.check_parameters({"seeds": seeds, "threads": threads})
model.check_plan(kl_weights, shared, free_bits)
training.use_threads(threads)
data = load_dataset(dataset, data_dir)
pd.set_option("display.max_colwidth", None)

# %% [markdown]
# ## The weights
#
# Three of the six plan their weight. In the cycles it starts at 0 again and again. What will the rate do each time?

# %%
figures.planned_weights(model.planned_weights(kl_weight, shared), f"Planned weights, ending at {kl_weight:g}")

# %% [markdown]
# ## Training
#
# This is the long part of the notebook. The first line says how much there is to do, and the bar how long it will take.

# %%
Markdown(model.amount(data, kl_weights, epochs, seeds))

# %%
trained = model.train_all(data, kl_weights, shared, free_bits, seeds)

# %% [markdown]
# ## Over the epochs
#
# Means over the seeds, on validation images. The target rate has no line among the weights: it pulls in either
# direction. GECO starts at 1, and its weight falls as long as the distortion is above the target: a warm-up that nobody
# planned. Look at the active units while a weight is low, and then at what is left of them in the end. Was it the early
# phase that decided about them?

# %%
figures.over_epochs(measures.mean_histories(trained), f"{data.name}, latent_dim {latent_dim}: means over the seeds")

# %% [markdown]
# ## In numbers
#
# On test images, the same ones for all models. `nll` is -log p(x). Like `distortion` and `rate` it is in nats per image
# and does not depend on what was minimised. A unit is active if the variance over the images of its mean is above 0.01.
# Mean ± standard deviation over the seeds:

# %%
measures.measured_table(trained)

# %% [markdown]
# The standard deviations above include what a seed does to all methods alike. Its differences do not: here is each
# method minus the constant weight, seed by seed, with Student's 95 % interval of the mean. Which intervals leave out 0?
# (Where a target is met, its rate or distortion is that of the constant weight by design.)

# %%
differences = measures.differences(trained)
title = f"{data.name}: minus the constant weight, means and 95 % intervals (seeds: {seeds})"
figures.differences(differences, title)

# %% [markdown]
# The same in numbers. "none found" says that the interval holds 0: the difference may as well be none.

# %%
measures.difference_table(differences)

# %%
Markdown(measures.found(differences))

# %% [markdown]
# ## Which dimensions live
#
# The latent dimensions of the first seed, by their rate. Where a line drops off, the dimensions are dead. Free bits
# charge nothing extra below the grey line. Do the dimensions that they keep rise above it, or do they just sit there?

# %%
figures.ranked_rates(measures.ranked_rates(trained), free_bits, f"{data.name}: rates of the latent dimensions")

# %% [markdown]
# ## Targets
#
# A target is met or missed on the training images, which is where it was set. Test images need not follow.
#
# At a minimum of $D + c\,R$ the last nat of rate saves $c$ nats of distortion. If GECO comes to rest at the distortion
# that the weight $c$ leads to, it should have found $c$ itself, without having been told. It starts at 1 every time.
# Where does it end?

# %%
measures.target_table(trained)

# %% [markdown]
# ## Claims
#
# What is said of these methods, decided by the trainings above. That one method is above another is confirmed or
# refuted if the interval of their difference leaves out 0. Otherwise no difference was found. The sources trained other
# models, some of them on text, with decoders that get far without a code: what fails here may hold there.

# %%
claims.claims(trained)
