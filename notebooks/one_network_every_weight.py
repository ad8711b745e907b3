# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Can one network know every weight?
#
# A sweep trains one VAE for each weight $\beta$ = `kl_weight`. [Bae et al. 2023] train one network for all of them, the
# multi-rate VAE: each training image is charged for its rate with a weight of its own, drawn anew in each step, and
# the network is told which. (To tell a network its loss is an idea of [Dosovitskiy and Djolonga 2020].) Afterwards the
# weight is a knob: turn it, and encoder and decoder are those of another VAE. Is each of them as good as one that was
# trained for its weight alone?
#
# Here the network is the sweep's model, with a *gate* behind each Dense layer. A gate multiplies each unit by a gain
# and adds a shift, and both depend on the weight:
#
# $$h = \mathrm{gain}(\beta) \odot (W x + b) + \mathrm{shift}(\beta)$$
#
# They are learned at some weights, the *knots*, and are linear in $\ln \beta$ between them. So at any one weight the
# network is an ordinary VAE of the sweep's architecture: the gain can be multiplied into $W$ and $b$.
#
# With $D$ the distortion and $R$ the rate of an image, both in nats, what is minimised is the mean over images and
# weights of
#
# $$\frac{D + \beta R}{\max(1, \beta)}$$
#
# Each weight has the same minimum as without the divisor. But without it, an image at weight 40 would push 40 times as
# hard as one at weight 1, and the layers that all weights share would belong to the largest ones.
#
# [Bae et al. 2023]: https://arxiv.org/abs/2212.03905
# [Dosovitskiy and Djolonga 2020]: https://openreview.net/forum?id=HyxY6JHKwr

# %% tags=["parameters"]
sweep_dir: str = ""  # a sweep of separate runs, such as results/kl_sweep/mnist; empty: the published MNIST sweep
least_kl_weight: float = 0.02  # the smallest weight that the network learns, above 0
variant_seeds: int = 3  # so many seeds of the sweep, for the network without one of its parts; 0 leaves that out
keep_in: str = ""  # a sweep whose report and explorer are to show the network; empty: it is not kept
threads: int = 2  # so many trainings run side by side, on one CPU thread each
data_dir: str = ""  # folder with mnist/ or fashion_mnist/ in it; empty: VAE_DATA_DIR, the cache, a download

# %%
# %matplotlib inline
import pandas as pd
from IPython.display import Markdown

from vae_core import multi_rate, parameters, training
from vae_core.collapse import law
from vae_core.lessons.one_network_every_weight import figures, measures, model, plan
from vae_core.report import published
from vae_core.side_by_side import train_all

numbers = {"least_kl_weight": least_kl_weight, "variant_seeds": variant_seeds, "threads": threads}
parameters.check_parameters(numbers)
training.use_threads(1)
pd.set_option("display.max_colwidth", None)
place = plan.place_for(keep_in)
runs = published.read_sweep(published.sweep_folder(sweep_dir))
settings = plan.shared_settings(runs)
epochs = settings["epochs"]
data = plan.dataset_of(runs, data_dir)
weights = law.predicted(data, settings, settings["latent_dim"])
knots = multi_rate.knots(least_kl_weight, weights[0])
names = f"{data.name}, latent_dim {settings['latent_dim']}"

# %% [markdown]
# ## What is trained
#
# The runs of the sweep are there already: the same architecture, the same images, the same batches. The network starts
# with the same seeds, and is trained once for as many epochs as *one* of the runs, and once for twice as many. Its
# knots end above the weight at which the law of collapse lets the last unit die. Training that was done before is kept,
# so that a notebook that was stopped goes on where it was.

# %%
Markdown(plan.described(runs, knots, weights))

# %%
one_network = plan.one_network(runs, knots)
Markdown(plan.amount(one_network, data))

# %%
networks = train_all(model.train_one, one_network, data, data_dir, settings, model.MODULES, threads)

# %% [markdown]
# ## One training, the whole curve
#
# Each circle is a run of the sweep, each line one network, from its largest weight at the upper left to its smallest at
# the lower right. Does the line pass through the circles, below them, or above?

# %%
figures.rate_distortion(networks, runs, epochs, f"{names}: one network and separate runs")

# %% [markdown]
# A line in the plane can hide a wrong speed: a network could be on the curve, but at another weight's place. So compare
# weight by weight, in the number that both were trained for, $D + \beta R$ on the test images. Runs and networks of one
# seed are compared with each other, with the same draws of $z$, and the bars are 95 % intervals over the seeds. Where
# is one network for every weight as good as a network of its own?

# %%
figures.differences(measures.differences(networks, runs, epochs), f"{names}: one network minus separate runs")

# %%
measures.difference_table(networks, runs, epochs)

# %%
Markdown(measures.verdict(networks, runs, epochs))

# %% [markdown]
# ## Where units die
#
# The law of collapse says from the images alone above which weight each latent unit is dead (`where_codes_collapse`).
# Separate runs can show it at their own weights only. The network can be asked anywhere. Do its units die where the law
# says? (Longer training, a line per seed and unit.)

# %%
figures.unit_rates(networks, runs, epochs, weights, f"{names}: rates of the latent units")

# %% [markdown]
# ## What the gates have learned
#
# Every row on the left is a hidden unit, every column a weight; bright is a large gain. On the right is the gain on the
# means of the latent units. Units for all weights, or units for some? And what do the gates do where a unit dies?

# %%
figures.gates(networks[measures.longest(networks)], knots, weights, f"{names}: gains, first seed, longer training")

# %% [markdown]
# ## What made the difference
#
# The network above differs from the paper's in several ways. The paper's gates are one sigmoid per hidden unit,
# $\mathrm{sigmoid}(a \ln \beta + b)$, with nothing on the code or on the pixels. Here weights are drawn as the larger
# of two that are even in their logarithm, so that large weights come more often. Adam has a higher learning rate than
# in the runs, and the network ends with a moving average of what it was in the last epochs.
#
# Now each part is taken away alone, with the epochs of one run. Above 0 the network is worse without it. Which parts
# matter, and at which weights?

# %%
without = plan.variants(runs, knots, variant_seeds)
Markdown(plan.amount(without, data))

# %%
variants = train_all(model.train_one, without, data, data_dir, settings, model.MODULES, threads)

# %%
effects = measures.variant_differences(variants, networks, epochs)
figures.variants(effects, f"{names}: the network without one of its parts")

# %%
measures.variant_table(effects)

# %% [markdown]
# A higher learning rate and an average are not for one network alone. To be fair: how good are *separate* runs that are
# trained in that way? These are new ones, at three of the weights.

# %%
fair = plan.separate(runs, knots, variant_seeds)
Markdown(plan.amount(fair, data))

# %%
separate = train_all(model.train_one, fair, data, data_dir, settings, model.MODULES, threads)
measures.separate_differences(separate, networks, epochs)

# %% [markdown]
# ## What it costs
#
# Training alone, for one seed, as each was recorded: the sweep's runs on the machine that made them, the networks on
# this one. An epoch of the network takes a little longer than one of a run. ([Bae et al. 2023] report 5,040 seconds in
# place of 38,492.)

# %%
measures.seconds_table(networks, runs, epochs)

# %% [markdown]
# The network of the first seed, longer training, can be kept beside the runs: then the sweep's report shows its curve,
# and its explorer has every weight on the slider. Make both anew with `python -m vae_core.sweep` and the same options.

# %%
Markdown(measures.keep(networks, place))
