"""What tutorial 003 says of its dense models, beside what a run measured: `measures.tutorial_rows` fills in numbers."""

NUMBER = "003"
SETTINGS = {"dataset": "mnist", "kl_weight": 1, "latent_dim": 30}  # all that the tutorial states
UNSTATED = (
    "The tutorial does not say how many epochs it trains, nor what its batch size is, nor how wide its layers are."
)
LATE = ", {prior_confidence:.3f} ({prior_classes}) after epoch {epochs}"
ROWS = (  # what, printed, ours, why they differ
    (
        "loss",
        "the total is the mean over the batch of reconstruction and KL loss",
        "kl_weight {kl_weight:g}",
        "squared errors and KL, both summed, are weight 1 at a pixel variance of 1/2, and weight 0.5 at variance 1",
    ),
    (
        "loss, squared errors",
        "a mean over pixels is certainly okay, but results in smaller gradients",
        "kl_weight {mean_over_pixels:g} instead of 1",
        "not okay: beside a KL that is still a sum, the mean multiplies the weight by the number of pixels",
    ),
    (
        "sigma",
        "a Dense layer's output is the standard deviation",
        "{negative_sigma:.1%} of the outputs are below 0",
        "nothing keeps it positive; only its square counts, and an epsilon hides the zeros. This run uses log-variance",
    ),
    (
        "reconstructions (figure 5)",
        "lost some of its reconstructive ability over a regular autoencoder",
        "squared error {vae_squared_error:.2f} (decoded mean); autoencoder {autoencoder_squared_error:.2f}",
        "the tutorial gives no number, nor its layer sizes and epochs: those here are this run's own",
    ),
    (
        "progress (figure 4)",
        "converges rapidly, within a few epochs we can generate",
        "confidence (classes): {confidence_epoch_0:.3f} ({classes_epoch_0}) untrained, "
        "{confidence_first_epochs:.3f} ({classes_first_epochs}) after epoch {first_epochs}{late}; "
        "real images {test_confidence:.3f} ({test_classes})",
        "the tutorial gives no number; a classifier must name a class and can be sure of grey noise: compare the "
        "numbers of classes",
    ),
    (
        "generated (figure 7)",
        "much better over a standard autoencoder",
        "confidence {prior_confidence:.3f}, nearest training image {prior_nearest:.1f}; autoencoder at the same "
        "samples {autoencoder_prior_confidence:.3f}, {autoencoder_prior_nearest:.1f}, at a Gaussian fitted to its "
        "codes {autoencoder_gaussian_confidence:.3f}, {autoencoder_gaussian_nearest:.1f}; real images "
        "{test_confidence:.3f}, {test_nearest:.1f}",
        "the tutorial gives no number; the autoencoder's codes are not where the prior is, so a Gaussian fitted to "
        "them is the fairer test of its decoder. The classifier overlooks stray pixels, the distance overlooks blur",
    ),
    (
        "coordinates (figure 6)",
        "normally distributed with mean 0 and variance 1",
        "means of draws up to {draws_largest_mean:.2f} from 0, variances {draws_least_variance:.2f} to "
        "{draws_largest_variance:.2f}; moment_kl {moment_kl:.2f} nats",
        "true at most of all codes together; if each image's own posterior were like that, the code would say "
        "nothing (collapse). Here the rate is {rate:.2f} nats, and {active_units} of {latent_dim} coordinates are "
        "active (variance of the means above {active_variance:g})",
    ),
    (
        "coordinates, spread",
        "most of the values lie between -2 and 2",
        "{draws_within_2:.1%}, mean over coordinates",
        "N(0, 1) has {within_2:.1%}",
    ),
    (
        "coordinates, symmetry",
        "coordinate 7 is a bit skewed",
        "largest skewness {draws_largest_skewness:.2f}; the largest of as many coordinates of N(0, 1) is below "
        "{draws_skewness_limit:.2f} in 95 % of cases",
        "the numbering is arbitrary: which coordinate it is depends on the initial weights",
    ),
    (
        "PCA (figures 8, 9)",
        "an elliptical Gaussian cloud, convex also in three dimensions",
        "three components show {explained_3:.1%} of the variance; autoencoder {autoencoder_explained_3:.1%}",
        "N(0, I) would show {share_of_3:.1%}, whichever three directions are shown",
    ),
    (
        "convexity",
        "the variational model gives a convex coding space",
        "middles outside: {midpoints_outside:.1%} of draws, {means_midpoints_outside:.1%} of means, autoencoder "
        "{autoencoder_midpoints_outside:.1%}, samples of the prior {prior_midpoints_outside:.1%}",
        "clearly more than 5 % shows holes; less does not show that there are none, since in many dimensions middles "
        "are nearer to everything. Draws are means with noise, and noise can fill holes between the means",
    ),
    (
        "interpolations (figure 10)",
        "smooth interpolations",
        "half-way confidence {midway_confidence:.3f}, autoencoder {autoencoder_midway_confidence:.3f}, pixels "
        "{pixels_midway_confidence:.3f}; nearest training image {midway_nearest:.1f}, "
        "{autoencoder_midway_nearest:.1f}, {pixels_midway_nearest:.1f}; largest step {largest_step:.2f}, "
        "{autoencoder_largest_step:.2f}, {pixels_largest_step:.2f} mean steps",
        'the tutorial gives no number; "pixels" fades one image into the other, without a model',
    ),
    ("log-variance", "faster convergence", "{sigma_verdict}", "the tutorial compares with sigma from a Dense layer"),
    ("log-variance", "(not in the tutorial)", "{softplus_verdict}", "sigma kept positive by a softplus"),
)
