# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Which weight are you using?
#
# "I use $\beta = 1$", says the one; "I use 0.00025", says the other. Which of the two weighs the KL term more? The
# numbers do not say. What a factor on the KL term means depends on how the two terms are written: as sums or as means,
# with or without a factor on the reconstruction, from cross-entropies or from squared errors.
#
# This suite has one scale for all of them:
#
# $$\text{objective} = \text{distortion} + \text{kl\_weight} \cdot \text{rate}$$
#
# with the distortion $-\log p(x|z)$ summed over pixels and channels, the rate
# $\mathrm{KL}(q(z|x)\,\|\,p(z))$ summed over latent dimensions, both averaged over the images. On this scale 1 is the
# ELBO. Where on it is the code that you know?

# %% tags=["parameters"]
likelihood: str = "bernoulli"  # of your loss: bernoulli (cross-entropies) or gaussian (squared errors)
pixels: int = 784  # height * width of your images
channels: int = 1  # 1 for grey-scale, 3 for colour
latent_dim: int = 20  # dimensions of your code
reconstruction_over_pixels: str = "mean"  # sum or mean
reconstruction_over_channels: str = "mean"  # sum or mean; mean in Keras' losses, whose last axis the channels are
reconstruction_over_batch: str = "mean"  # sum or mean
reconstruction_factor: float = 1.0  # before your reconstruction term; 0.5 for 1/2 squared errors
variance: float = 1.0  # of the Gaussian under which you read the squared error; 1 for bernoulli
kl_over_dimensions: str = "sum"  # sum or mean
kl_over_batch: str = "mean"  # sum or mean
kl_factor: float = 0.00025  # before your KL term; the term has a 1/2 of its own
dataset: str = "auto"  # for the runs: mnist, fashion_mnist, digits, or auto: mnist if it can be had, else digits
kl_weight: float = 1.0  # of the runs that are compared, 0 or more
epochs: int = 8  # passes through the training images, 1 or more
batch_size: int = 100  # images per gradient step, in the runs and in your loss; 100 leaves no smaller last batch
learning_rate: float = 1e-3  # of Adam
hidden_units: int = 512  # width of the one hidden layer of the encoder, and of the decoder
seed: int = 0  # decides the initial weights, the batches and the noise, in the runs and in the proof
threads: int = 1  # CPU threads
data_dir: str = ""  # folder with mnist/ or fashion_mnist/ in it; empty: VAE_DATA_DIR, the cache, a download

# %%
# %matplotlib inline
import pandas as pd
from IPython.display import Markdown

from vae_core import figures, published_losses, runs, same_scale, training
from vae_core.data import load_dataset
from vae_core.scale import kl_weight_of

settings = {"kl_weight": kl_weight, "epochs": epochs, "batch_size": batch_size, "learning_rate": learning_rate}
settings |= {"hidden_units": hidden_units, "seed": seed}
runs.check_parameters({**settings, "threads": threads})
training.use_threads(threads)
data = load_dataset(dataset, data_dir)

# %% [markdown]
# ## Derivation
#
# Let a loss be written as
#
# $$L = f_R \cdot R + f_K \cdot K$$
#
# with factors $f_R, f_K$, a reconstruction term $R$ and a KL term $K$, each a sum or a mean over several axes. A mean
# is the sum divided by the number of its elements. So with $n_R$ = the number of pixels and channels that $R$ is a mean
# over (1 if it is a sum), $n_K$ = the number of latent dimensions that $K$ is a mean over (1 if it is a sum), and both
# means over the batch:
#
# $$R = \frac{s}{n_R} \cdot \text{distortion} + \text{constant}, \qquad K = \frac{1}{n_K} \cdot \text{rate}.$$
#
# - **Bernoulli.** The cross-entropy *is* the distortion: $s = 1$.
# - **Gaussian.** Under pixels of a fixed variance $\sigma^2$,
#   $-\log p(x|z) = \frac{1}{2\sigma^2}\sum (x - \hat x)^2 + \text{constant}$. The squared error is $2\sigma^2$ times
#   the distortion: $s = 2\sigma^2$. A constant has no gradient and trains nothing.
#
# Put in:
#
# $$L = \underbrace{\frac{f_R\, s}{n_R}}_{a} \cdot \text{distortion} +
#   \underbrace{\frac{f_K}{n_K}}_{b} \cdot \text{rate} + \text{constant}
#   = a \left(\text{distortion} + \frac{b}{a}\,\text{rate}\right) + \text{constant}, \qquad
#   \boxed{\text{kl\_weight} = \frac{b}{a} = \frac{f_K\, n_R}{f_R\, s\, n_K}}$$
#
# The factor $a$ on the whole loss decides how long the gradients are, not where they point. Gradient descent takes it
# for a learning rate; Adam divides it out again, nearly (see below). A sum over the batch multiplies $a$ or $b$ by the
# batch size, and cancels if both terms have it.
#
# Two consequences. Means over $D$ pixels and $d$ latent dimensions multiply the written factor by $D/d$: at 784 pixels
# and 2 dimensions, by 392. And a Gaussian's weight is the same knob as its variance: a loss of kl_weight $c$ at
# variance 1 is the ELBO, weight 1, at variance $c$.

# %% [markdown]
# ## Convert your own
#
# The parameters in the first cell describe a loss. What is its kl_weight? Change them there, or give them to papermill:
# `-p likelihood gaussian -p reconstruction_factor 0.5`.

# %%
yours = kl_weight_of(
    likelihood=likelihood,
    pixels=pixels,
    channels=channels,
    latent_dim=latent_dim,
    reconstruction_over_pixels=reconstruction_over_pixels,
    reconstruction_over_channels=reconstruction_over_channels,
    reconstruction_over_batch=reconstruction_over_batch,
    reconstruction_factor=reconstruction_factor,
    variance=variance,
    kl_over_dimensions=kl_over_dimensions,
    kl_over_batch=kl_over_batch,
    kl_factor=kl_factor,
    batch_size=batch_size,
)
Markdown(f"The factor before the KL term is {kl_factor:g}; the kl_weight is **{yours:.6g}**.")

# %% [markdown]
# ## Well-known code, converted
#
# Each row was read at its source (below). Gaussian rows are seen as unit variance, as 1/2 squared error would be, in
# the code's own pixel units; the last column is the standard deviation of the pixel noise that makes the same loss the
# ELBO. BCE is the binary cross-entropy. Which rows are the ELBO that their readers take them for? Which noise is larger
# than the whole range of a pixel?

# %%
Markdown(published_losses.conversion_table().to_markdown(disable_numparse=True))

# %%
Markdown(published_losses.source_table().to_markdown())

# %% [markdown]
# Not in the table, since the scale does not fit:
#
# - The autoencoder of latent diffusion (CompVis/stable-diffusion, `ldm/modules/losses/contperceptual.py`) adds a
#   perceptual and an adversarial loss to absolute errors, so its reconstruction term is no likelihood of pixels. Its
#   `kl_weight` of 1e-6 (`configs/autoencoder/autoencoder_kl_64x64x3.yaml`) stands before a sum over the latent
#   dimensions, beside a sum over pixels and channels: who copies the number beside a mean over 256 * 256 * 3 values
#   gives the KL term 196,608 times the weight. The scale of its absolute errors, `logvar`, is a parameter that no
#   optimiser is given (`ldm/models/autoencoder.py`, `configure_optimizers`): it stays 0.
# - TensorFlow's CVAE tutorial (as in seed document 001) has log q(z|x) - log p(z) at one sample in place of the KL:
#   weight 1 on average over samples, but not for each of them.

# %% [markdown]
# ## Proof
#
# Not by algebra this time: each loss was written down as its author writes it, and differentiated. If it trains what
# the table says, then its gradient with respect to all weights of a model (here a small one with random weights, on
# random images, in double precision) points where the gradient of distortion + kl_weight * rate points: the angle
# between them is 0 up to rounding. Is it? And at a weight that is wrong by 10 %? The column before does without the
# formula: it is the weight that fits the gradient best. The last column is $a$, the factor that is left.
#
# In the row without a weight the angle is that at the best-fitting one, and no rounding error: that loss is not on the
# scale.

# %%
Markdown(published_losses.proof_table(seed).to_markdown(disable_numparse=True))

# %% [markdown]
# ## Two ways of writing, one training
#
# Does it hold for whole trainings? The sweep's model is trained five times:
#
# 1. with sums, as this suite writes the loss;
# 2. the same from another seed, to show how far apart two runs of one loss are;
# 3. with means over pixels and over latent dimensions, and the factor on the KL that gives the same kl_weight;
# 4. as 3, with a smaller $\epsilon$ in Adam. Means make all gradients 784 times smaller. Adam divides by their size,
#    but not quite: its step is $m / (\sqrt{v} + \epsilon)$ with $\epsilon = 10^{-7}$. With an $\epsilon$ that is 784
#    times smaller too, only rounding is left;
# 5. with means, and the *number* before the KL left as it was before the sums.
#
# Which curves lie on top of each other? In the right panel: is the difference that the way of writing makes (3, 4)
# smaller than the one that the seed makes (2)?

# %%
histories, shortened = same_scale.train_ways_of_writing(data, **settings)
figures.written_curves(histories, f"{data.name}: one kl_weight, written in several ways")

# %% [markdown]
# The same in numbers, on the validation images, in nats per image. The third column is the largest distance from the
# first run in distortion + rate, in any epoch. The last is the share of the weights (of those that have gradients at
# all) whose steps $\epsilon$ makes shorter by a tenth or more. So is "the same loss, divided by 784" the same training?

# %%
same_scale.comparison_table(histories, shortened).round(3)

# %% [markdown]
# ## What a published weight does
#
# Keras' guide to subclassing ends with a VAE on MNIST: the mean squared error plus the mean of the KL over 32 latent
# dimensions, without any factor. Its kl_weight is 12.25. The guide prints a loss of 0.0677 after two epochs
# (`guides/md/making_new_layers_and_models_via_subclassing.md`). Is that a good reconstruction?
#
# Here is the guide's model, trained as in the guide, and once more with the ELBO at unit variance: the sum of the KL
# and half the sum of the squared errors, as pythae writes it. Compare their errors with that of a decoder that draws
# the mean image whatever the code is. A code of rate 0 (nats per image) says nothing.

# %%
guide = same_scale.train_keras_guide(data, seed)
same_scale.keras_guide_table(guide, data).round(5)

# %% [markdown]
# What would theory expect? In a linear VAE a latent dimension pays for itself only if along some direction the images
# vary by more than kl_weight * variance of the decoder ([Lucas et al. 2019](https://arxiv.org/abs/1911.02469)), which
# is 12.25 for the guide. Along their first principal component these images have the variance below: could a dimension
# pay? (One that could may still be unused after two epochs.)

# %%
pd.Series({"largest variance": same_scale.largest_variance(data.train_images)}, name=data.name).round(2).to_frame()
