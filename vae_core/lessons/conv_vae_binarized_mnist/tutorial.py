"""What tutorial 001 says, and the words in which a run is set beside it."""

from collections.abc import Mapping

import pandas as pd

from vae_core.lessons.conv_vae_binarized_mnist.measures import POSTERIOR_DRAWS, PRIOR_SAMPLES, Estimates, noise_measures
from vae_core.tutorials import differences, tutorial_table

SETTINGS = {"dataset": "mnist", "kl_weight": 1.0, "epochs": 100, "learning_rate": 1e-4}
NOTEBOOK_SETTINGS = SETTINGS | {"architecture": "conv", "epochs": 10, "batch_size": 32}  # of the notebook that it names
# Words that only some runs need.
SAME_SETTINGS = "same settings"
ENTROPY_ON_MNIST = " (45.53 on MNIST)"
OTHER_POSTERIOR = "; at kl_weight {kl_weight:g} the objective is not the ELBO, so q(z|x) is fitted to another posterior"
# What, printed, ours, why they differ. Tutorial 001 prints no results, so most rows are about what it says.
ROWS = (
    (
        "model and training",
        "conv, or dense (500-200); 2-D; Adam 1e-4, 100 epochs; batch size not printed",
        "{settings[architecture]}, {parameters:,} parameters; Adam {settings[learning_rate]:g}, {settings[epochs]} "
        "epochs, batches of {settings[batch_size]}",
        "{differences}; copies of the TensorFlow tutorial that it translates use batches of 100",
    ),
    (
        "batch normalisation",
        "usually avoided in VAEs: its noise may add to the instability of sampling",
        "neither model uses it",
        "not measured here",
    ),
    (
        "ELBO of the test images",
        "shown after every epoch, no number printed",
        "{elbo:.2f} nats/image",
        "here the test images are read once, at the end; the curve per epoch is of validation images",
    ),
    (
        "ELBO of the test images, in the notebook that it names",
        "-156.74 (conv, 10 epochs, batches of 32)",
        "{elbo:.2f} nats/image",
        "{notebook_differences}; other initial weights and noise; the validation images are kept out of training",
    ),
    (
        "time per epoch",
        "shown after every epoch, no number printed",
        "seconds_per_epoch in record.json",
        "it depends on the machine",
    ),
    (
        "ELBO against literature with dynamic binarisation",
        "slightly above",
        "{elbo:.2f} nats/image; nll {measured[nll]:.2f}",
        "the only number, -156.74 in the notebook that it names (2-D), is about 70 nats below the -86.76 of Burda et "
        "al. 2016 (50-D). The two cannot be compared: decoding every image to the mean training image costs "
        "{tossed[zero_information_distortion]:.2f} nats tossed and {thresholded[zero_information_distortion]:.2f} "
        "thresholded, of which the entropy of the pixels is {tossed[entropy_floor]:.2f}{entropy_on_mnist} and "
        "{thresholded[entropy_floor]:.2f}",
    ),
    (
        "single-sample estimate of the ELBO",
        "what is optimised",
        "noise of one image {noise[noise_single]:.2f} nats; with the analytic KL {noise[noise_analytic]:.2f}",
        "both are right on average; this run is trained with the analytic KL",
    ),
    (
        "KL(q(z|x) || p(z|x))",
        "0 in the end",
        "{gap:.2f} nats/image (negative_elbo - nll)",
        "q(z|x) is a Gaussian with independent dimensions, and one network gives it for all images; p(z|x) need not be "
        "such a Gaussian{other_posterior}",
    ),
    (
        "images called generated",
        "from samples of the prior",
        "a test image costs {drawn:.0f} nats given the code of such a picture, {sampled:.0f} given a sample of "
        "the prior",
        "its code decodes draws from q(z|x) of test images: these are reconstructions",
    ),
    (
        "KL and cross-entropy of the dense model",
        "summed over the batch",
        "KL {smallest[kl_sum]:.1f} and cross-entropy {smallest[cross_entropy_sum]:.0f} for a batch of {smallest.name}, "
        "{largest[kl_sum]:.1f} and {largest[cross_entropy_sum]:.0f} for a batch of {largest.name}",
        "here both are means over the batch; bug_gallery shows what the sums do to training",
    ),
    (
        "Gaussian log-likelihood of the dense model",
        "1/2 and 1/(2 sigma^2), one log sigma",
        "best sigma {smallest[tutorial_sigma]:.2f} for a batch of {smallest.name}, {largest[tutorial_sigma]:.2f} for a "
        "batch of {largest.name}; right: {largest[sigma]:.2f}",
        "the density has one log sigma for each pixel and one factor 1/2; besides, the formula has the sign of a loss",
    ),
)


def comparison_table(
    settings: Mapping[str, object],
    measured: Mapping[str, float],
    limits: pd.DataFrame,
    estimates: Estimates,
    distortions: Mapping[str, float],
    formulas: pd.DataFrame,
    parameters: int,
) -> pd.DataFrame:
    """The `tutorials.tutorial_table` of this lesson: ROWS with the numbers of a run.

    measured: of `measures.measure_bound`; limits: of `binarisation_table`; estimates: of `elbo_estimates`
    distortions: of `picture_distortions`; formulas: of `formula_table`; parameters: of encoder and decoder
    """
    values = {
        "settings": settings,
        "measured": measured,
        "parameters": parameters,
        "differences": differences(settings, SETTINGS) or SAME_SETTINGS,
        "notebook_differences": differences(settings, NOTEBOOK_SETTINGS) or SAME_SETTINGS,
        "elbo": -measured["negative_elbo"],
        "gap": measured["negative_elbo"] - measured["nll"],
        "tossed": limits.loc["tossed"],
        "thresholded": limits.loc["thresholded"],
        "entropy_on_mnist": "" if settings["dataset"] == "mnist" else ENTROPY_ON_MNIST,
        "noise": noise_measures(estimates),
        "other_posterior": "" if settings["kl_weight"] == 1 else OTHER_POSTERIOR.format(**settings),
        "drawn": distortions[POSTERIOR_DRAWS],
        "sampled": distortions[PRIOR_SAMPLES],
        "smallest": formulas.iloc[0],
        "largest": formulas.iloc[-1],
    }
    return tutorial_table("001", [tuple(text.format(**values) for text in row) for row in ROWS])
