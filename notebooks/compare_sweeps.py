# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Sweeps compared: does another setting change what the weight does?
#
# A sweep trains the same model at several weights on the KL term. Another sweep does so with other settings: more
# latent dimensions, another schedule of the weight, another likelihood. This notebook puts such sweeps side by side and
# trains nothing.

# %% tags=["parameters"]
folders: list = []  # folders of sweeps, such as results/kl_sweep/mnist; none: the published ones of MNIST
output: str = ""  # folder for comparison.csv and the figures; empty: comparison/ in the folder that all others are in

# %%
from IPython.display import Markdown

from vae_core.report import comparison, latent_dims

chosen = comparison.sweep_folders(folders)
sweeps = comparison.read_sweeps(chosen)
target = comparison.output_folder(output, chosen)
comparison.write_table(target, sweeps)
Markdown(comparison.captions(sweeps))

# %% [markdown]
# ## 1. Rate and distortion
#
# Each setting is a line from weight to weight. To the right: codes that cost more. Downwards: images that are drawn
# better. On a grey line the negative ELBO is the same. Where one line runs below another, the same rate buys a better
# image. Does it, and at which rates?

# %%
comparison.draw(target, "rate_distortion", sweeps)

# %% [markdown]
# ## 2. How many units are active?
#
# A unit is active if the mean of its code differs from image to image. From which weight on does a setting lose units?
# Does a model that has more of them use more?

# %%
comparison.draw(target, "active_units", sweeps)

# %% [markdown]
# Do more latent dimensions need another weight? By the law of collapse they do not: the images and the likelihood
# decide at which weight the first, second, ... unit dies. At weights at which the smaller model should lose units, do
# both keep as many?

# %%
Markdown(latent_dims.latent_dim_claims_page(sweeps))

# %% [markdown]
# ## 3. What a setting is worth
#
# -log p(x), lower is better, says how well the model knows the images. The mutual information says how much its codes
# tell about them. Is the best weight of one setting the best of another?

# %%
comparison.draw(target, "curves", sweeps)

# %% [markdown]
# The numbers: mean ± standard deviation over seeds.

# %%
Markdown(comparison.side_by_side(sweeps).reset_index().to_markdown(index=False, disable_numparse=True))

# %% [markdown]
# ## 4. Which differences are larger than the spread?
#
# Runs of one seed see the same batches in the same order in every sweep. So they are compared seed by seed: the first
# setting is subtracted from each other one. How often does that leave a difference that chance does not explain?

# %%
Markdown(comparison.differences_page(sweeps))

# %% [markdown]
# ## 5. Which weight should I use?
#
# For each purpose, the weight that is best in each setting, and those that the spread over seeds allows beside it. (The
# report of each sweep has the numbers behind them.)

# %%
Markdown(comparison.advice_of_each(sweeps).to_markdown(disable_numparse=True))
