# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # The latent space, live
#
# The page below decodes any point of the latent plane, at any weight of a sweep, with the decoders that the sweep
# trained. It is the same page as `explorer.html` in the sweep's folder, and asks no server for anything.
#
# Before you move the slider: where will the codes go as the weight grows, and where will the decoder still draw
# something that looks like the data?

# %% tags=["parameters"]
sweep_dir: str = "results/kl_sweep/mnist"  # folder of a sweep or of one run, from the project's folder or absolute
height: int = 1200  # of the page in the notebook, in pixels

# %%
from vae_core import explorer, runs

explorer.embedded(runs.PROJECT / runs.user_folder(sweep_dir, "sweep_dir"), height)
