"""What tutorial 003 says of its conditional VAE, beside what a run measured.

`measures.tutorial_rows` fills in the numbers.
"""

NUMBER = "003"
SETTINGS = {"dataset": "mnist", "kl_weight": 1, "latent_dim": 10, "labels_into": "decoder"}  # all that it states
UNSTATED = (
    "The tutorial does not say how many epochs it trains, nor what its batch size is, nor what its layers are: the "
    "convolutions here are tutorial 001's."
)
ROWS = (  # what, printed, ours, why they differ
    ("codes of the decoder", "20-dimensional", "{z} + {label} = {both}", "the code and the one-hot label"),
    (
        "labels into a convolutional encoder",
        "can't be concatenated directly; could be incorporated",
        "the encoder takes {encoder_inputs}",
        "labels_into both adds the label as ten more channels, each constant over the image",
    ),
    (
        "the encoder doesn't have to learn what digit it is",
        "only the writing style",
        "rate {rate:.2f} ± {rate_se:.2f}, without labels {unconditional_rate:.2f} ± {unconditional_rate_se:.2f} "
        "nats/image: {rate_saved:.2f} ± {rate_saved_se:.2f} less, where the label says {class_entropy:.2f}",
        "the tutorial trains no model without labels beside it; here there is one pair of trainings, and ± is over "
        "test images only",
    ),
    (
        "kernel PCA of the codes",
        "no clustering, homogenous",
        "nearest neighbours name the class of {draws_knn_accuracy:.1%} ± {draws_knn_accuracy_se:.1%}, without labels "
        "{unconditional_draws_knn_accuracy:.1%}, by chance {chance_knn_accuracy:.1%}; class information "
        "{class_information:.2f} ± {class_information_se:.2f} nats",
        "the tutorial looks at two or three components; the others can still tell the class",
    ),
    (
        "images of the class that is asked for",
        "the label controls the digit",
        "the judge sees that class in {asked_accuracy:.1%} ± {asked_accuracy_se:.1%}",
        "the tutorial shows a picture; this is a count",
    ),
    (
        "a square cut out of images",
        "a corrective role, the best guess",
        "squared error per pixel: the tutorial's way {inpainting_label_decoded_code:.4f} ± "
        "{inpainting_label_decoded_code_se:.4f}, the best guess from visible pixels (a local optimum) "
        "{inpainting_label_best_guess:.4f} ± {inpainting_label_best_guess_se:.4f}, with a wrong label "
        "{inpainting_wrong_label_best_guess:.4f} ± {inpainting_wrong_label_best_guess_se:.4f}",
        "the tutorial encodes the hole as if the image were black there",
    ),
    (
        "interpolations between styles, digits, both",
        "smooth",
        "largest step / mean step: {largest_step_between_styles:.2f} ± {largest_step_between_styles_se:.2f}, "
        "{largest_step_between_classes:.2f} ± {largest_step_between_classes_se:.2f}, "
        "{largest_step_both:.2f} ± {largest_step_both_se:.2f}",
        "1 would be perfectly even; a fade of pixels is, and shows two images at once",
    ),
)
