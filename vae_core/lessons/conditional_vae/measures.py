"""What a conditional VAE's codes, images and guesses are measured by, beside those of its twin without labels."""

from collections.abc import Mapping

import vae_core.backend  # noqa: F401

import keras
import numpy as np
import pandas as pd
from scipy.special import entr
from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis
from sklearn.metrics import silhouette_samples

from vae_core.measures.codes import knn_accuracy
from vae_core.lessons.conditional_vae.model import CLASSES, SHOWN_CODES, ConditionalVAE, class_means
from vae_core.data import IMAGE_SHAPE, Dataset
from vae_core.statistics import with_error
from vae_core.measures.samples import judgement


def anchors(dataset: Dataset) -> dict[str, float]:
    """Squared errors of the test images, summed over pixels, for codes that say nothing.

    returns: `zero_information_distortion` with every image decoded to the mean training image of its class, which a
    decoder with labels can draw, and `mean_image_distortion` with all decoded to the mean of all
    """
    means = {
        "zero_information_distortion": class_means(dataset)[dataset.test_labels],
        "mean_image_distortion": dataset.train_images.mean(axis=0),
    }
    return {
        name: float(np.square(dataset.test_images - mean).sum(axis=(1, 2, 3), dtype=np.float64).mean())
        for name, mean in means.items()
    }


def named(prefix: str, measured: Mapping[str, float]) -> dict[str, float]:
    """The same measures as <prefix>_<name>."""
    return {f"{prefix}_{name}": value for name, value in measured.items()}


def terms_table(conditional: Mapping[str, np.ndarray], unconditional: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Both models' terms, mean ± standard error over the images, and what the label saves, image by image."""
    saved = {name: unconditional[name] - conditional[name] for name in conditional}
    rows = {"no label": unconditional, "label": conditional, "saved by the label": saved}
    return pd.DataFrame({name: {term: _cell(values) for term, values in row.items()} for name, row in rows.items()}).T


def clusters(
    codes: np.ndarray, labels: np.ndarray, train_codes: np.ndarray, train_labels: np.ndarray
) -> dict[str, float]:
    """Whether codes tell the class, and whether classes are clusters; with standard errors over the test images.

    draws_knn_accuracy: `knn_accuracy` of these codes
    chance_knn_accuracy: the same with the training labels shuffled, what the vote reaches if codes tell nothing
    class_information = H(y) - mean over images of -log r(y|z) <= I(y; z), in nats, r being the posterior of a Gaussian
    for each class, fitted to the training codes (quadratic discriminant analysis, covariances shrunken as by Ledoit and
    Wolf 2004, for small data sets); below 0 where r is too sure
    silhouette = mean over 2,000 images of (b - a) / max(a, b), a being a code's mean distance from those of its own
    class, b from those of the nearest other class: 1 for clusters far apart, 0 or less for none (Rousseeuw 1987)

    codes: (N, latent_dim), train_codes: (M, latent_dim), drawn from q(z|x); labels: (N,) and (M,)
    """
    classifier = QuadraticDiscriminantAnalysis(solver="eigen", shrinkage="auto").fit(train_codes, train_labels)
    log_r = classifier.predict_log_proba(codes)  # (N, classes)
    shuffled = np.random.default_rng(0).permutation(train_labels)
    return {
        **named("draws", knn_accuracy(train_codes, train_labels, codes, labels)),
        **named("chance", knn_accuracy(train_codes, shuffled, codes, labels)),
        **with_error(
            class_information=class_entropy(labels) + log_r[np.arange(len(codes)), labels],
            silhouette=silhouette_samples(codes[:SHOWN_CODES], labels[:SHOWN_CODES]),
        ),
    }


def class_entropy(labels: np.ndarray) -> float:
    """What the label says, in nats: log of the number of classes if all are equally frequent."""
    return float(entr(np.bincount(labels) / len(labels)).sum())


def clusters_table(measured: Mapping[str, Mapping[str, float]]) -> pd.DataFrame:
    """`knn_accuracy`, of means, and `clusters` for each model."""
    names = ("knn_accuracy", "draws_knn_accuracy", "chance_knn_accuracy", "class_information", "silhouette")
    return pd.DataFrame({model: {name: _pair(values, name) for name in names} for model, values in measured.items()}).T


def clusters_verdict(conditional: Mapping[str, float], unconditional: Mapping[str, float]) -> str:
    """Whether the codes still tell the class, in a sentence that is computed."""
    draws, chance = "draws_knn_accuracy", "chance_knn_accuracy"
    above, without = (measured[draws] - measured[chance] for measured in (conditional, unconditional))
    error = np.hypot(conditional[f"{draws}_se"], conditional[f"{chance}_se"])
    told = (
        f"Nearest neighbours name the class of {conditional[draws]:.1%} ± {conditional[f'{draws}_se']:.1%} of the test "
        f"images, of {unconditional[draws]:.1%} without labels; with shuffled training labels, "
        f"{conditional[chance]:.1%} ± {conditional[f'{chance}_se']:.1%}."
    )
    if above < 3 * error:
        return f"{told} **This check shows no more of the class in the codes than chance shows here.**"
    share = f", {above / without:.0%} of the lead that codes without labels have" if without > 0 else ""
    return f"{told} **The codes still tell something of the class**: a lead of {above:.1%} over chance{share}."


def asked(judge: keras.Model, images: np.ndarray) -> np.ndarray:
    """Whether the judge takes each image for the class that was asked for; images: (styles, classes, 28, 28)."""
    return _taken(judge, images) == np.arange(CLASSES)  # (styles, classes)


def asked_table(judge: keras.Model, images: np.ndarray, dataset: Dataset) -> pd.DataFrame:
    """For each class the share of images that the judge takes for it, what else it takes them for, and of real ones.

    images: (styles, classes, 28, 28), column c asked to be of class c; a row's images share a code, so that the error
    of "all" is that over rows
    """
    taken, real = _taken(judge, images), _taken(judge, dataset.test_images)  # (styles, classes), (N,)
    rows = {}
    for label, name in enumerate(dataset.class_names):
        others = np.bincount(taken[:, label], minlength=CLASSES) * (np.arange(CLASSES) != label)
        rows[name] = {
            "asked for, taken for it": _share(taken[:, label] == label),
            "else mostly for": dataset.class_names[others.argmax()] if others.any() else "-",
            "real, taken for it": _share(real[dataset.test_labels == label] == label),
        }
    rows["all"] = {
        "asked for, taken for it": _share((taken == np.arange(CLASSES)).mean(axis=1)),
        "else mostly for": "",
        "real, taken for it": _share(real == dataset.test_labels),
    }
    return pd.DataFrame(rows).T.rename_axis("class")


def errors_inside(filled: Mapping[str, np.ndarray], dataset: Dataset, visible: np.ndarray) -> dict[str, np.ndarray]:
    """Mean squared error of the pixels that were not visible, for each way to fill them: (images,) each."""
    return {
        name: np.square(guess - dataset.test_images[: len(guess)])[:, ~visible].mean(axis=1)
        for name, guess in filled.items()
    }


def inpainting_table(
    judge: keras.Model, filled: Mapping[str, np.ndarray], dataset: Dataset, visible: np.ndarray
) -> pd.DataFrame:
    """The error inside the square and the share of filled images that the judge takes for their class."""
    errors = {name: _cell(error, 4) for name, error in errors_inside(filled, dataset, visible).items()}
    shown = {**filled, "nothing cut out": dataset.test_images[: len(filled["black"])]}
    classes = {
        name: _share(_taken(judge, images) == dataset.test_labels[: len(images)]) for name, images in shown.items()
    }
    columns = {"squared error per pixel cut out": errors, "taken for its class": classes}
    return pd.DataFrame(columns, index=list(shown)).fillna("")


def paths_table(judge: keras.Model, paths: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """How even the steps of each kind of path are, and how sure the judge is of the images at its ends and half-way.

    A step is the root mean square change of the pixels; 1 is perfectly even. Half-way is compared with fading one end
    into the other, pixel by pixel, whose steps are even too.
    """
    rows = {}
    for name, images in paths.items():  # (number, steps, 28, 28)
        half_way = images.shape[1] // 2
        faded = (images[:, 0] + images[:, -1]) / 2
        rows[name] = {
            "largest step / mean step": _cell(unevenness(images)),
            "judge's confidence: ends": _cell(_confidence(judge, images[:, [0, -1]])),
            "half-way": _cell(_confidence(judge, images[:, half_way])),
            "half-way of a fade": _cell(_confidence(judge, faded)),
        }
    return pd.DataFrame(rows).T


def unevenness(paths: np.ndarray) -> np.ndarray:
    """Largest step / mean step of each path, a step being the root mean square change from image to image.

    paths: (number, steps, 28, 28)
    returns: (number,), 1 or more; 1 for steps below 1e-6, the rounding noise of a decoder that does not listen
    """
    steps = np.sqrt(np.square(np.diff(paths, axis=1)).mean(axis=(2, 3)))  # (number, steps - 1)
    mean = steps.mean(axis=1)
    return np.where(mean < 1e-6, 1, steps.max(axis=1) / np.maximum(mean, 1e-6))


def measured_images(
    judge: keras.Model,
    drawn: np.ndarray,
    errors: Mapping[str, np.ndarray],
    paths: Mapping[str, np.ndarray],
) -> dict[str, float]:
    """What measures.json says of the images: `asked_accuracy`, `inpainting_<way>`, `largest_step_<path>`.

    The ten images of a style share a code, so the error of `asked_accuracy` is that over styles.
    """
    return with_error(
        asked_accuracy=asked(judge, drawn).mean(axis=1),
        **{f"inpainting_{_identifier(name)}": error for name, error in errors.items()},
        **{f"largest_step_{_identifier(name)}": unevenness(images) for name, images in paths.items()},
    )


def seed_rows(
    vae: ConditionalVAE, measured: Mapping[str, float], labels: np.ndarray
) -> list[tuple[str, str, str, str, str]]:
    """What seed 003 says of its conditional VAE, without numbers, and what was measured of this one."""

    def pair(name, form=".2f"):
        return f"{measured[name]:{form}} ± {measured[f'{name}_se']:{form}}"

    z, label = (part.shape[1] for part in vae.decoder.inputs)
    rows = [
        ("codes of the decoder", "20-dimensional", f"{z} + {label} = {z + label}", "the code and the one-hot label"),
        (
            "labels into a convolutional encoder",
            "can't be concatenated directly; could be incorporated",
            f"the encoder takes {' and '.join(part.name for part in vae.encoder.inputs)}",
            "as ten more channels, each one number all over: labels_into both",
        ),
        (
            "the encoder doesn't have to learn what digit it is",
            "only the writing style",
            f"rate {pair('rate')}, without labels {pair('unconditional_rate')} nats/image: {pair('rate_saved')} less, "
            f"where the label says {class_entropy(labels):.2f}",
            "the seed trains no model without labels beside it; one training seed here, ± is over test images only",
        ),
        (
            "kernel PCA of the codes",
            "no clustering, homogenous",
            f"nearest neighbours name the class of {pair('draws_knn_accuracy', '.1%')}, without labels "
            f"{measured['unconditional_draws_knn_accuracy']:.1%}, by chance {measured['chance_knn_accuracy']:.1%}; "
            f"class information {pair('class_information')} nats",
            "the seed looks at two or three components; a class can be told by the others",
        ),
        (
            "images of the class that is asked for",
            "the label controls the digit",
            f"{pair('asked_accuracy', '.1%')} are taken for it by the judge",
            "the seed shows a picture; this is a count",
        ),
        (
            "a square cut out of images",
            "a corrective role, the best guess",
            f"squared error per pixel: the seed's way {pair('inpainting_label_decoded_code', '.4f')}, the best guess "
            f"from visible pixels (a local optimum) {pair('inpainting_label_best_guess', '.4f')}, with a wrong label "
            f"{pair('inpainting_wrong_label_best_guess', '.4f')}",
            "the seed encodes the hole as if the image were black there",
        ),
        (
            "interpolations between styles, digits, both",
            "smooth",
            "largest step / mean step: "
            + ", ".join(pair(f"largest_step_{name}") for name in ("between_styles", "between_classes", "both")),
            "1 would be perfectly even; a fade of pixels is, and shows two images at once",
        ),
    ]
    return [("003", *row) for row in rows]


def unlike_the_seed(dataset: str, kl_weight: float, latent_dim: int, labels_into: str) -> str:
    """In which settings the run is not the seed's, as a sentence."""
    seed = {"dataset": "mnist", "kl_weight": 1, "latent_dim": 10, "labels_into": "decoder"}
    ours = {"dataset": dataset, "kl_weight": kl_weight, "latent_dim": latent_dim, "labels_into": labels_into}
    different = [f"{name} {ours[name]} instead of {value}" for name, value in seed.items() if ours[name] != value]
    return (
        f"This run differs from the seed: {', '.join(different) or 'in no setting that the seed names'}. "
        "The seed says neither how many epochs it trains, nor its batch size, nor its layers: "
        "the convolutions here are seed 001's."
    )


def _identifier(name: str) -> str:
    return name.replace(",", "").replace(" ", "_")


def _taken(judge: keras.Model, images: np.ndarray) -> np.ndarray:
    """The class that the judge takes each image for; (..., 28, 28) or (N, 28, 28, 1) to (...) or (N,)."""
    shape = images.shape[:-3] if images.shape[-3:] == IMAGE_SHAPE else images.shape[:-2]
    return judgement(judge, images.reshape(-1, *IMAGE_SHAPE)).argmax(axis=1).reshape(shape)


def _confidence(judge: keras.Model, images: np.ndarray) -> np.ndarray:
    return judgement(judge, images.reshape(-1, *IMAGE_SHAPE)).max(axis=1)  # (images,)


def _cell(values: np.ndarray, decimals: int = 2) -> str:
    return _pair(with_error(values=np.ravel(values)), "values", decimals)


def _pair(measured: Mapping[str, float], name: str, decimals: int = 3) -> str:
    return f"{measured[name]:.{decimals}f} ± {measured[f'{name}_se']:.{decimals}f}"


def _share(right: np.ndarray) -> str:
    measured = with_error(share=np.ravel(right))
    return f"{measured['share']:.1%} ± {measured['share_se']:.1%}"
