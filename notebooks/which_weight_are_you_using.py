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
# One person says: "I use $\beta = 1$." Another says: "I use 0.00025." Which of the two gives the KL term more weight?
# The numbers alone cannot tell. What a factor on the KL term means depends on how both terms are written: as sums or as
# means, with or without a factor on the reconstruction, with cross-entropies or with squared errors.
#
# This suite has one scale for all of them:
#
# $$\text{objective} = \text{distortion} + \text{kl\_weight} \cdot \text{rate}$$
#
# with the distortion $-\log p(x|z)$ summed over pixels and channels, and the rate
# $\mathrm{KL}(q(z|x)\,\|\,p(z))$ summed over latent dimensions. Both are means over the images. On this scale 1 is the
# ELBO. Where on it is the code that you know?

# %% tags=["parameters"]
likelihood: str = "bernoulli"  # of your loss: bernoulli (cross-entropies) or gaussian (squared errors)
pixels: int = 784  # height * width of your images
channels: int = 1  # 1 for grey-scale, 3 for colour
latent_dim: int = 20  # dimensions of your code
z_deviation: str = "exp(log_var / 2)"  # what your z has before the noise; or exp(log_var): look it up in your code
reconstruction_over_pixels: str = "mean"  # sum or mean
reconstruction_over_channels: str = "mean"  # sum or mean; Keras' losses are means over the last axis, the channels
reconstruction_over_batch: str = "mean"  # sum or mean
reconstruction_factor: float = 1.0  # before your reconstruction term; 0.5 for 1/2 squared errors
variance: float = 1.0  # of the Gaussian that your squared error stands for; 1 for bernoulli
kl_over_dimensions: str = "sum"  # sum or mean
kl_over_batch: str = "mean"  # sum or mean
kl_factor: float = 0.00025  # before your KL term, which has a 1/2 of its own
dataset: str = "auto"  # for the runs: mnist, fashion_mnist, digits, or auto: mnist if it is available, else digits
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

from vae_core import figures, training
from vae_core.data import check_dataset, load_dataset
from vae_core.lessons.which_weight_are_you_using import measures, model
from vae_core.losses import kl_weight_of
from vae_core.parameters import check_parameters

settings = {"kl_weight": kl_weight, "epochs": epochs, "batch_size": batch_size, "learning_rate": learning_rate}
settings |= {"hidden_units": hidden_units, "seed": seed}
check_parameters({**settings, "threads": threads})
training.use_threads(threads)
data = load_dataset(dataset, data_dir).as_floats()
check_dataset(data)

# %% [markdown]
# ## Derivation
#
# Let a loss be written as
#
# $$L = f_R \cdot R + f_K \cdot K$$
#
# with factors $f_R, f_K$, a reconstruction term $R$ and a KL term $K$, each a sum or a mean over several axes. A mean
# is the sum divided by the number of its elements. Let $n_R$ be the number of pixel values that $R$ is a mean over (1
# if it is a sum), and $n_K$ the number of latent dimensions that $K$ is a mean over (1 if it is a sum). With both terms
# means over the batch,
#
# $$R = \frac{s}{n_R} \cdot \text{distortion} + \text{constant}, \qquad K = \frac{1}{n_K} \cdot \text{rate}.$$
#
# - **Bernoulli.** The cross-entropy *is* the distortion: $s = 1$.
# - **Gaussian.** Under pixels of a fixed variance $\sigma^2$,
#   $-\log p(x|z) = \frac{1}{2\sigma^2}\sum (x - \hat x)^2 + \text{constant}$. The squared error is $2\sigma^2$ times
#   the distortion: $s = 2\sigma^2$. A constant has no gradient and trains nothing.
#
# Together:
#
# $$L = \underbrace{\frac{f_R\, s}{n_R}}_{a} \cdot \text{distortion} +
#   \underbrace{\frac{f_K}{n_K}}_{b} \cdot \text{rate} + \text{constant}
#   = a \left(\text{distortion} + \frac{b}{a}\,\text{rate}\right) + \text{constant}, \qquad
#   \boxed{\text{kl\_weight} = \frac{b}{a} = \frac{f_K\, n_R}{f_R\, s\, n_K}}$$
#
# The factor $a$ on the whole loss changes the length of the gradients, not their direction. In gradient descent it acts
# like a learning rate. Adam divides it out again, nearly (see below). A sum over the batch multiplies $a$ or $b$ by the
# batch size; if both terms are sums, the batch size cancels out.
#
# Three consequences. First, with means over $D$ pixels and $d$ latent dimensions, the kl_weight is $D/d$ times the
# factor in the code: 392 times at 784 pixels and 2 dimensions. Second, a Gaussian's weight is the same knob as its
# variance: a loss of kl_weight $c$ at variance 1 is the ELBO, weight 1, at variance $c$. Third, Keras' losses are means
# over the last axis, whatever it is. Images of shape (28, 28, 1) end in one channel, so that nothing is averaged; those
# of shape (28, 28) end in their width, and a sum over what is left makes the weight 28 times as large. (For such images
# give the height as `pixels` below, and the width as `channels`.)
#
# One condition: $K$ must be the KL of the code that $z$ is drawn from. If $\ell$ is what $K$ has for the log-variance,
# $z$ is the mean plus $e^{\ell/2}$ times the noise. Some code has $e^{\ell}$ there, and draws from a code of deviation
# $\sigma = e^{\ell}$. Of that code, $K$ charges for the mean as at the weight $b/a$. For the spread it charges, by the
# gradient in $\sigma$, as at $\frac{b/a}{2(1 + \sigma)}$: half to a quarter of it, for $\sigma$ between 0 and 1. No
# kl_weight does both. How does your code draw $z$?

# %% [markdown]
# ## Convert your own
#
# The parameters in the first cell describe a loss. What is its kl_weight? Change them there, or pass them to papermill:
# `-p likelihood gaussian -p reconstruction_factor 0.5`.

# %%
yours = kl_weight_of(
    likelihood=likelihood,
    pixels=pixels,
    channels=channels,
    latent_dim=latent_dim,
    z_deviation=z_deviation,
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
Markdown(measures.answer(kl_factor, yours))

# %% [markdown]
# ## Well-known code, converted
#
# Each row was read at its source, which the second table names. Tutorials 000 to 004 are the documents that this suite
# grew out of. BCE is the binary cross-entropy. The kl_weight of a squared error is at unit variance, where 1/2 of the
# squared error is the distortion, in the code's own pixel units. The last column is the standard deviation of the pixel
# noise that makes the same loss the ELBO. Which rows are the ELBO that their readers take them for? Which noise is
# larger than the whole range of a pixel?

# %%
Markdown(measures.conversion_table().to_markdown(disable_numparse=True))

# %%
Markdown(measures.source_table().to_markdown())

# %% [markdown]
# Two losses are not in the table, since they are not on the scale:
#
# - The autoencoder of latent diffusion (CompVis/stable-diffusion, `ldm/modules/losses/contperceptual.py`) adds a
#   perceptual and an adversarial loss to absolute errors, so its reconstruction term is not a likelihood of pixels. Its
#   `kl_weight` of 1e-6 (`configs/autoencoder/autoencoder_kl_64x64x3.yaml`) is the factor on a sum over the latent
#   dimensions, beside a sum over pixels and channels. If you copy the number beside a mean over 256 * 256 * 3 values,
#   you give the KL term 196,608 times the weight. The scale of its absolute errors, `logvar`, is a parameter that is
#   not given to any optimiser (`ldm/models/autoencoder.py`, `configure_optimizers`): it stays 0.
# - TensorFlow's CVAE tutorial, like tutorial 001 ("Variational Auto-encoder, VAE" in Charmve's "Computer Vision in
#   Action"), has log q(z|x) - log p(z) at one sample in place of the KL. That is weight 1 on average over samples, but
#   not for each of them.

# %% [markdown]
# ## Proof
#
# This proof needs no algebra. Each loss is coded as its author writes it, and differentiated with respect to all
# weights of a small model, which has random weights and random images, in double precision. If the loss trains what the
# table says, then its gradient has the direction of the gradient of distortion + kl_weight * rate: the angle between
# the two is 0 up to rounding. Is it? And at a weight that is wrong by 10 %? The column `by its gradients` does not use
# the formula: it is the weight that fits the gradient best. The last column is $a$, the factor on the whole loss.
#
# Two rows have no weight. Their angles are those at the weight that fits best, and far above rounding error: these
# losses are not on the scale.

# %%
Markdown(measures.proof_table(seed).to_markdown(disable_numparse=True))

# %% [markdown]
# ## Sums or means, one training
#
# Does this hold for whole trainings? The sweep's model is trained five times:
#
# 1. with sums, as in this suite;
# 2. with sums again, but another random seed, which shows how far apart two runs of one loss are;
# 3. with means over pixels and over latent dimensions, and the factor on the KL that gives the same kl_weight;
# 4. as 3, with a smaller $\epsilon$ in Adam. Means over 784 pixels make all gradients 784 times smaller. Adam divides
#    by their size, but not exactly: its step is $m / (\sqrt{v} + \epsilon)$ with $\epsilon = 10^{-7}$. If $\epsilon$ is
#    784 times smaller too, only rounding is left;
# 5. with means, but the same *number* before the KL as with sums.
#
# Which curves lie on top of each other? In the right panel, do means instead of sums (3, 4) make less difference than
# another random seed (2)?

# %%
histories, shortened = model.train_with_sums_and_means(data, **settings)
figures.distance_curves(histories, f"{data.name}: losses of sums and of means")

# %% [markdown]
# Here are the numbers, on the validation images, in nats per image. The third column is the largest distance from the
# first run in distortion + rate, in any epoch. The last is a share of the model's weights: of those that ever had a
# gradient, it counts those whose steps $\epsilon$ shortens by a tenth or more. So is "the same loss, divided by 784"
# the same training?

# %%
measures.comparison_table(histories, shortened).round(3)

# %% [markdown]
# ## What a published weight does
#
# Keras' guide to subclassing ends with a VAE on MNIST: the mean squared error plus the mean of the KL over 32 latent
# dimensions, without any factor. Its kl_weight is 12.25. The guide prints a loss of 0.0677 after two epochs
# (`guides/md/making_new_layers_and_models_via_subclassing.md`). Is that a good reconstruction?
#
# Here is the guide's model, trained as in the guide, and once more with the ELBO at unit variance: half the sum of the
# squared errors plus the sum of the KL, as in pythae. Compare their errors with that of a decoder that draws the mean
# image for every code. A code of rate 0 (nats per image) says nothing.

# %%
guide = model.train_keras_guide(data, seed)
measures.keras_guide_table(guide, data).round(5)

# %% [markdown]
# What does theory predict? In a linear VAE, a latent dimension is worth its cost only if the variance of the images
# along some direction is above kl_weight * variance of the decoder ([Lucas et al.
# 2019](https://arxiv.org/abs/1911.02469)). For the guide that is 12.25. The number below is the variance of these
# images along their first principal component. Could a dimension be worth its cost? (Even then it may still be unused
# after two epochs.)

# %%
pd.Series({"largest variance": measures.largest_variance(data.train_images)}, name=data.name).round(2).to_frame()
