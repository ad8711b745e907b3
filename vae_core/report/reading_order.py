"""The notebooks in reading order. Commands and pages take them from this list."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """A notebook: what it shows, how many minutes it takes, and what an execution leaves.

    leaves: "notebook" for the executed notebook alone, "run" for a run folder, "" if it is not run as a lesson
    """

    name: str
    shows: str
    minutes: float
    leaves: str = ""


READING_ORDER = (
    Entry("the_prior", "the target of the KL term, and what the term charges, before any model", 0.1, "notebook"),
    Entry(
        "vae_from_scratch",
        "the whole model in 80 lines of Keras, why the noise comes from outside, and a copy with blanks to fill",
        3,
        "notebook",
    ),
    Entry(
        "elbo_and_kl",
        "surprise, KL and the ELBO, each formula beside a number; the variance of the pixels is a weight on the KL",
        1.3,
        "run",
    ),
    Entry(
        "which_weight_are_you_using",
        "from the loss in your code to its kl_weight; well-known code converted, with proof",
        2,
        "notebook",
    ),
    Entry("train_vae", "one model at one weight, seen from all sides", 2),
    Entry("kl_sweep_report", "eight weights side by side: the answer to the suite's question", 0.2),
    Entry("compare_sweeps", "sweeps with other settings side by side: which differences are larger than chance", 0.2),
    Entry("bug_gallery", "famous mistakes beside their fixes, and what each costs", 6, "notebook"),
    Entry("explore", "the latent space in a live page, at every weight of a sweep", 0.2),
    Entry(
        "kl_schedules",
        "warm-up, cycles, free bits and targets beside a constant weight: which differences are found",
        40,
        "notebook",
    ),
    Entry(
        "where_codes_collapse",
        "the weights at which units die, told from the images before training, beside networks that die and wake",
        150,
        "notebook",
    ),
    Entry(
        "one_network_every_weight",
        "one network trained for all weights at once, beside a run for each: as good, where not, and what makes it so",
        60,
        "notebook",
    ),
    Entry("dense_vae_fashion", "tutorial 000: a forgotten mean, and a grid between codes", 6, "run"),
    Entry(
        "conv_vae_binarized_mnist",
        "tutorial 001: convolutions, black-and-white digits, one draw for the ELBO",
        25,
        "run",
    ),
    Entry("conv_vae_fashion", 'tutorial 002: four convolutions, and a weight of "5e-4"', 23, "run"),
    Entry(
        "autoencoder_vs_vae",
        "tutorial 003: the plain autoencoder beside the VAE; three ways to parameterise the variance",
        21,
        "run",
    ),
    Entry("conditional_vae", "tutorial 003: digits on demand, and whether classes still form clusters", 15, "run"),
)
