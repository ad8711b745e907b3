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
# one target, the prior $p(z) = \mathcal{N}(0, I)$. No model is trained here yet. What does the target look like, and
# what does the term charge for missing it?

# %% tags=["parameters"]
samples: int = 5000  # points drawn from the prior, and for each estimate by sampling
seed: int = 0  # random seed of the samples

# %%
# %matplotlib inline
import numpy as np

from vae_core import latent
from vae_core.lessons.the_prior import figures, measures
from vae_core.parameters import check_parameters

check_parameters({"samples": samples, "seed": seed})

# %% [markdown]
# ## The target cloud
#
# These are samples of the prior in two dimensions. What share lies within the rings? For a 2-D normal, theory says
# $1 - e^{-1/2} = 39.3\,\%$ within one sigma and $1 - e^{-2} = 86.5\,\%$ within two. In one dimension it is more: 68.3 %
# and 95.4 %.

# %%
figures.prior_cloud(latent.sample_prior(samples, seed))

# %% [markdown]
# ## What the term charges
#
# For one latent dimension with mean $\mu$ and standard deviation $\sigma$,
#
# $$\mathrm{KL} = \tfrac12\left(\sigma^2 + \mu^2 - 1 - \log\sigma^2\right).$$
#
# Which costs more: to be in the wrong place, or to be too sure? The cost of the mean is a parabola. A narrow cloud
# costs only the logarithm of its width, a wide one the square.

# %%
mean, deviation = np.linspace(-4, 4, 161), np.geomspace(0.02, 4, 161)
figures.kl_terms(mean, deviation, measures.kl_of(mean, 1), measures.kl_of(0, deviation))

# %% [markdown]
# ## The same in numbers
#
# The table has the formula beside the definition, $\mathbb{E}_q[\log q(z) - \log p(z)]$, estimated by sampling. Do the
# two agree within a few standard errors? Dimensions add up: a code of two such dimensions costs twice as much.

# %%
measures.kl_table(samples, seed).round(3)

# %% [markdown]
# ## One cloud per image, or all of them together?
#
# The term charges for each image's cloud, not for all codes taken together. Below, the clouds of many images are spread
# so that together they are exactly the prior, as the moments show. If only the codes *as a whole* had to look like the
# target, all rows would be equally good. Why do they not cost the same? What does the code still tell about the image
# in the last row, where every single cloud is the prior?
#
# The rate in the upper rows is information: the code tells which image was encoded. In the last row the rate is 0, and
# so is the information. This is called collapse, and a large weight on the term leads to it.

# %%
measures.aggregate_table(samples, seed).round(3)
