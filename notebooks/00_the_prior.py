# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # The prior: where the KL term wants the codes
#
# A VAE encodes every image as a small Gaussian cloud $q(z|x)$ in its latent space. The KL term compares each cloud with
# one target, the prior $p(z) = \mathcal{N}(0, I)$. Before any model is trained: what does the target look like, and
# what does the term charge for missing it?

# %% tags=["parameters"]
samples: int = 5000  # points drawn from the prior, and for every estimate by sampling
seed: int = 0  # of the samples

# %%
# %matplotlib inline
import numpy as np

from vae_core import figures, prior, runs

runs.check_parameters({"samples": samples, "seed": seed})

# %% [markdown]
# ## The target cloud
#
# Samples of the prior in two dimensions. Which share lies within the rings? In theory, for a 2-D normal,
# $1 - e^{-1/2} = 39.3\,\%$ within one sigma and $1 - e^{-2} = 86.5\,\%$ within two: fewer than in one dimension, where
# it is 68.3 % and 95.4 %.

# %%
figures.prior_cloud(prior.sample_prior(samples, seed))

# %% [markdown]
# ## What the term charges
#
# For one latent dimension with mean $\mu$ and standard deviation $\sigma$,
#
# $$\mathrm{KL} = \tfrac12\left(\sigma^2 + \mu^2 - 1 - \log\sigma^2\right).$$
#
# Which is dearer: to be in the wrong place, or to be too sure? The mean costs a parabola. A narrow cloud costs only
# the logarithm of its width, a wide one its square.

# %%
mean, deviation = np.linspace(-4, 4, 161), np.geomspace(0.02, 4, 161)
figures.kl_terms(mean, deviation, prior.kl_of(mean, 1), prior.kl_of(0, deviation))

# %% [markdown]
# ## The same in numbers
#
# The formula beside the definition, $\mathbb{E}_q[\log q(z) - \log p(z)]$, estimated by sampling. Do the two agree
# within a few standard errors? Dimensions add up: a code of two such dimensions costs twice as much.

# %%
prior.kl_table(samples, seed).round(3)

# %% [markdown]
# ## One cloud per image, or all of them together?
#
# The term is charged for each image's cloud, not for all codes taken together. Below, the clouds of many images are
# spread so that together they are the prior exactly, as the moments show. If the aim were only that the codes *as a
# whole* look like the target, all rows would be equally good. Why are they not equally dear? What is left of an image
# in the last row, where every single cloud is the prior?
#
# The rate in the upper rows is information: which image was encoded can be read from the code. In the last row the rate
# is 0 and so is the information. That end is called collapse, and a large weight on the term leads there.

# %%
prior.aggregate_table(samples, seed).round(3)
