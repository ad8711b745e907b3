# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # The sweep: what the weight on the KL term does
#
# The same model, and within a seed the same initial weights, the same batches and the same noise: only `kl_weight`,
# the factor on the KL term, differs. This report reads a sweep's results and trains nothing.

# %% tags=["parameters"]
sweep_dir: str = ""  # folder of a sweep, such as results/kl_sweep/mnist; empty: the published MNIST sweep

# %%
from IPython.display import Image, Markdown

from vae_core import collector, findings, tables

sweep = collector.sweep_folder(sweep_dir)
summary = collector.read_summary(sweep)
losses = tables.loss_table(summary)
Markdown(tables.caption(summary))

# %% [markdown]
# ## The loss table
#
# Distortion and rate on the test images. `objective` is what each model was trained for: distortion + kl_weight * rate.
# `negative_elbo` is distortion + rate for all of them, an upper bound on -log p(x), and so the one that can be
# compared. `active_units` are the latent dimensions that carry information.
#
# Follow one column downwards: which differences are larger than the spread between seeds, where several were run?

# %%
tables.readable_table(losses)

# %% [markdown]
# ## What the table says
#
# Each answer is computed from the numbers above.

# %%
Markdown(findings.findings(summary).to_markdown())

# %% [markdown]
# ## The exchange rate
#
# At a minimum of distortion + kl_weight * rate, one nat of rate more or less changes the distortion by kl_weight nats:
# the weight is a price. Does the price that the models really pay between two neighbouring weights lie between the two?
# (Where it does not: the models are not at the minimum of their objective, or they are for the training images but
# not for these test images, or the seeds differ by more than the weights do.)

# %%
Markdown(findings.exchange_rates(summary).to_markdown(disable_numparse=True))

# %% [markdown]
# ## Where the codes go
#
# One panel per weight; each point is a test image, each colour a class, the rings are the prior's. In the upper half
# all axes are the same and cover every code of every weight. In the lower half all axes fit the prior. Where do the
# codes spread to when nothing holds them, and what becomes of the classes when the prior holds them hard?

# %%
Image(sweep / "latent_scatters.png")

# %% [markdown]
# ## What the decoders draw
#
# The same window of the latent plane, three prior standard deviations each way, through each decoder. A caution from
# the scatters: where the codes spread further than this window, it shows only a part of what the decoder can draw.
# Which digits does each weight show, and how sharp are they?

# %%
Image(sweep / "decoder_manifolds.png")

# %% [markdown]
# ## How the losses got there
#
# On the validation images, per epoch. Which weights settle at once, and which are still falling at the end?

# %%
Image(sweep / "loss_curves.png")

# %% [markdown]
# ## Reproduction check
#
# This sweep beside the published one.

# %%
Markdown(collector.reproduction_check(sweep))
