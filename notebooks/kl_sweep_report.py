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
from IPython.display import Markdown

from vae_core.report import advice, captions, claims, findings, published, sheets, tables

sweep = published.sweep_folder(sweep_dir)
runs = published.read_sweep(sweep)
losses = tables.loss_table(runs)
Markdown(captions.caption(runs))

# %% [markdown]
# ## 1. The loss table
#
# Everything is measured on the test images. `objective` is what each model was trained for: distortion + kl_weight *
# rate, unless the lines above say otherwise. `negative_elbo` is distortion + rate for all of them, and so the one of
# the two that can be compared. It is an upper bound on `nll`, which is -log p(x) itself. `mutual_information` is how
# much of the rate tells images apart; `active_units` are the latent dimensions that do so. `predicted_active_units`, if
# the runs have it, is how many of them the training images let live.
#
# Follow one column downwards: which differences are larger than the spread between seeds, where several were run?

# %%
tables.readable_table(losses)

# %% [markdown]
# How far is the bound above -log p(x)? By KL(q(z|x) || p(z|x)). In a latent plane `nll` is a sum over a grid: with half
# of its points it would change by `quadrature_change`, and an importance-weighted estimate of 200 random images is
# `nll_above_quadrature` higher. In more dimensions `nll` is importance-weighted, and with half of the draws it would
# change by `nll_change`. How exact is it?

# %%
tables.readable_table(losses, ["negative_elbo", "nll", *tables.EXACTNESS])

# %% [markdown]
# What the tables say, computed from them:

# %%
Markdown(findings.findings(runs).to_markdown())

# %% [markdown]
# ## 2. The plane of rate and distortion
#
# Every run is a point. To the right: codes that cost more. Downwards: images that are drawn better. On a grey line the
# negative ELBO is the same. The cross is a code that says nothing, a red line what no decoder can go below, the dashed
# line the most that a rate can tell about which test image it was. Along which part of the curve does a nat of rate buy
# much, and where does it buy nothing?

# %%
sheets.sheet(sweep, "rate_distortion")

# %% [markdown]
# At a minimum of distortion + kl_weight * rate, one nat of rate more or less changes the distortion by kl_weight nats:
# the weight is a price, and minus the slope of the curve. Does the price that the models really pay between two
# neighbouring weights lie between the two? (Where it does not: the models are not at the minimum of their objective, or
# they are for the training images but not for these test images, or the seeds differ by more than the weights do. Where
# something else than distortion + kl_weight * rate was minimised, the price need not be the weight.)

# %%
Markdown(findings.exchange_rates(runs).to_markdown(disable_numparse=True))

# %% [markdown]
# ## 3. What the rate is spent on
#
# rate = mutual_information + marginal_kl: what the code tells about the image, and what it costs that all codes
# together are not spread like the prior. Only the first can be of use to the decoder. From which weight on does a
# smaller weight buy little information for the rate that it costs? (Near ln N, the logarithm of the number of test
# images, the measure is full: it cannot show whether the code could tell more images apart.)

# %%
sheets.sheet(sweep, "rate_split")

# %% [markdown]
# Of the marginal KL, `moment_kl` is due to mean and covariance of the codes; the rest is shape. The spreads are root
# mean square distances from the origin per dimension, where the prior's samples have 1: of the means of q(z|x), which
# the scatters show, and of draws from it, which the decoder gets. When the means shrink towards the origin, do the
# draws?

# %%
tables.readable_table(losses, ["mean_spread", "draw_spread", "moment_kl", "marginal_kl", "knn_accuracy"])

# %% [markdown]
# ## 4. Does the code collapse?
#
# A collapsed dimension has rate 0: its q(z|x) is the prior whatever the image. A code is collapsed if no dimension is
# active. The training images alone tell at which weight the first, second, ... dimension should die. In runs that have
# this prediction it is the dashed line on the left, and the vertical lines on the right. Does each dimension die where
# it should? Where more are active than predicted, was the training long enough?

# %%
sheets.sheet(sweep, "dimensions")

# %% [markdown]
# ## 5. Where the codes go
#
# One panel per weight (of many weights, twelve). Each point is a test image, each colour, if there are labels, a class.
# The rings, or of one dimension the grey hill, are the prior's. Of more than two latent dimensions each panel shows the
# two with the highest rates. In the upper half all axes are the same and cover every code of every weight. In the lower
# half all axes fit the prior. Where do the codes spread to when little holds them, and what becomes of the classes when
# the prior holds them hard?

# %%
sheets.sheet(sweep, "latent_scatters")

# %% [markdown]
# Each weight on axes of its own, and for some images the extent of q(z|x). How large is that of one image beside the
# cloud of all codes? The logarithm of how many of them cover the cloud is, roughly, the information that it holds.

# %%
sheets.sheet(sweep, "posterior_ellipses")

# %% [markdown]
# ## 6. What the decoders draw
#
# The same window of the latent space, three prior standard deviations each way, through each decoder; of more than two
# dimensions the two with the highest rates, all others at 0. The percentage says how many of the test codes lie in it:
# where it is low, most of what the decoder has learned lies outside the picture. (A high one does not mean that codes
# lie everywhere in it.)

# %%
sheets.sheet(sweep, "decoder_manifolds")

# %% [markdown]
# At the prior's quantiles, so that each cell stands for equally many samples of the prior:

# %%
sheets.sheet(sweep, "decoder_manifolds_quantiles")

# %% [markdown]
# And over the region where the codes of each model are, 98 % of them in each dimension. Which images that seemed lost
# are here?

# %%
sheets.sheet(sweep, "decoder_manifolds_occupied")

# %% [markdown]
# Of more than two dimensions, one at a time: from -3 to 3, all others at 0, the one with the highest rate first. Which
# of them change the image, and at which weights does one do nothing?

# %%
sheets.sheet(sweep, "traversals")

# %% [markdown]
# ## 7. Samples, judged
#
# A sample of a VAE is a code from the prior, decoded. Beside them codes from a Gaussian mixture that was fitted to the
# codes of training images: if these are good and those are not, the decoder is good and the codes are not where the
# prior is. Where images have labels, a classifier trained on real ones says what it takes each sample for.

# %%
sheets.sheet(sweep, "samples")

# %% [markdown]
# Over 10,000 of each: the judge's mean confidence, the entropy of the classes that it sees in nats, the number of
# classes with at least 1 % of the samples, and the sharpness (variance of the Laplacian). The last row is what the same
# judge says of real images. It can only choose among the classes, also for a picture that is none: confidence is
# necessary for a good sample, not sufficient. Without labels there is no judge: `precision` is then the share of
# samples that lie as near to a real image as its neighbours do, `recall` the share of real images that lie so near to a
# sample.

# %%
tables.drawn_table(runs)

# %% [markdown]
# ## 8. Claims checked
#
# This suite grew out of five tutorials, numbered 000 to 004. Tutorial 004, a Chinese version of Vincent Lunot's "On the
# use of the Kullback-Leibler divergence in Variational Autoencoders", trained at eight weights from 0 to 20 and drew
# conclusions from its pictures. Here are these, some from the other tutorials and from papers, and some that are often
# heard. The code computes each verdict from the runs. In brackets is the 95 % interval of the number over the seeds. A
# claim is confirmed where the whole interval is on its side of the limit, refuted where the whole interval is on the
# other side, and undecided otherwise. A largest or least number is chosen among many, and its interval allows for that.
# So a verdict is wrong in 2.5 % of cases at most, if numbers vary from seed to seed as normal ones do. With one seed
# there is no interval: the claim holds or fails in that seed.
#
# Claims about collapse are decided by the law of collapse, where runs have its prediction. Above `collapse_weight0` it
# lets no unit live. Below this weight an empty code can gain, and training that leaves the code empty has failed. The
# law is about codes that are nearly empty. Far below the weights at which units die, it need not tell how many live.
#
# (Claims about losses rather than weights, such as that a smaller loss needs a larger learning rate, are tested in
# `bug_gallery`. Which weight each tutorial really uses is derived in `which_weight_are_you_using`.)

# %%
Markdown(claims.claims_page(runs))

# %% [markdown]
# ## 9. Motion
#
# From weight to weight, with the same test images and the same latent points:

# %%
Markdown("[Animation over the weights](weights.gif)")

# %% [markdown]
# From epoch to epoch at one weight, with the same validation images and the same latent points:

# %%
Markdown("[Animation over the epochs](epochs.gif)")

# %% [markdown]
# ## 10. How the losses got there
#
# On the validation images, per epoch. Which weights settle at once, and which are still falling at the end?

# %%
sheets.sheet(sweep, "loss_curves")

# %% [markdown]
# ## Reproduction check
#
# This sweep beside the published one.

# %%
Markdown(published.reproduction_check(sweep))

# %% [markdown]
# ## Which weight should I use?
#
# That depends on what for. For each purpose that these runs can speak to: the weight that is best, and those that are
# as good as far as the seeds can tell.

# %%
Markdown(advice.advice_page(runs))
