"""A conditional VAE's terms, codes, images and guesses, beside those of its twin without labels."""

from collections.abc import Mapping

import vae_core.backend  # noqa: F401

import keras
import numpy as np
import pandas as pd
from scipy.special import entr
from sklearn.decomposition import KernelPCA
from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis
from sklearn.metrics import silhouette_samples

from vae_core import measures
from vae_core.data import IMAGE_SHAPE, Dataset
from vae_core.lessons.conditional_vae import tutorial
from vae_core.lessons.conditional_vae.model import CLASSES, FILLINGS, PATHS, ConditionalVAE, class_means
from vae_core.likelihoods import Likelihood
from vae_core.measures import judgement, knn_accuracy, unevenness
from vae_core.statistics import with_error

SHOWN_CODES = 2_000  # in kernel PCA and silhouettes, which compare all pairs


def class_anchors(likelihood: Likelihood, dataset: Dataset) -> dict[str, float]:
    """Distortions of the test images for codes that say nothing, in nats per image.

    returns: `zero_information_distortion` with every image decoded to the mean training image of its class, which a
    decoder with labels can draw, and `mean_image_distortion` with every image decoded to the mean of all
    """
    outputs = likelihood.outputs(class_means(dataset))[dataset.test_labels]  # (N, height, width, channels)
    of_all = measures.anchors(likelihood, dataset.train_images, dataset.test_images)
    return {
        "zero_information_distortion": float(np.mean(likelihood.nll(dataset.test_images, outputs))),
        "mean_image_distortion": of_all["zero_information_distortion"],
    }


def prefixed(prefix: str, measured: Mapping[str, float]) -> dict[str, float]:
    """The same measures as <prefix>_<name>."""
    return {f"{prefix}_{name}": value for name, value in measured.items()}


def terms_table(conditional: Mapping[str, np.ndarray], unconditional: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """The terms of both models, mean ± standard error over the images, and what the label saves, image by image.

    unconditional: `measures.terms`, (N,) each; conditional: at least the same
    """
    conditional = {name: conditional[name] for name in unconditional}
    saved = {name: unconditional[name] - values for name, values in conditional.items()}
    rows = {"no label": unconditional, "label": conditional, "saved by the label": saved}
    return pd.DataFrame({name: {term: _cell(values) for term, values in row.items()} for name, row in rows.items()}).T


def kernel_pca(codes: np.ndarray) -> np.ndarray:
    """The first three kernel principal components of the first 2,000 codes.

    Gaussian kernel exp(-|a - b|^2 / (2 w^2)) of width w = `kernel_width`

    codes: (N, latent_dim)
    returns: (at most 2000, 3)
    """
    codes = codes[:SHOWN_CODES]
    gamma = 1 / max(2 * kernel_width(codes) ** 2, np.finfo(np.float64).tiny)  # codes may all be the same
    return KernelPCA(3, kernel="rbf", gamma=gamma, eigen_solver="dense").fit_transform(codes.astype(np.float64))


def kernel_width(codes: np.ndarray) -> float:
    """The root mean square distance of the first 2,000 codes from their mean."""
    return float(np.sqrt(codes[:SHOWN_CODES].var(axis=0, dtype=np.float64).sum()))


def measure_clusters(
    codes: np.ndarray, labels: np.ndarray, train_codes: np.ndarray, train_labels: np.ndarray
) -> dict[str, float]:
    """Whether codes tell the class, and whether classes are clusters; with standard errors over the test images.

    draws_knn_accuracy: `knn_accuracy` of these codes
    chance_knn_accuracy: the same with the training labels shuffled: what the vote reaches if codes tell nothing
    class_information = H(y) - mean over images of -log r(y|z) <= I(y; z), in nats, with r the posterior of a Gaussian
    for each class, fitted to the training codes (quadratic discriminant analysis; for small data sets the covariances
    are shrunk as by Ledoit and Wolf 2004); below 0 where r is too sure
    silhouette = mean over 2,000 images of (b - a) / max(a, b), with a a code's mean distance from those of its own
    class, and b from those of the nearest other class: 1 for clusters far apart, 0 or less for none (Rousseeuw 1987)

    codes: (N, latent_dim), train_codes: (M, latent_dim), drawn from q(z|x); labels: (N,) and (M,)
    """
    classifier = QuadraticDiscriminantAnalysis(solver="eigen", shrinkage="auto").fit(train_codes, train_labels)
    log_r = classifier.predict_log_proba(codes)  # (N, classes)
    shuffled = np.random.default_rng(0).permutation(train_labels)
    return {
        **prefixed("draws", knn_accuracy(train_codes, train_labels, codes, labels)),
        **prefixed("chance", knn_accuracy(train_codes, shuffled, codes, labels)),
        **with_error(
            class_information=class_entropy(labels) + log_r[np.arange(len(codes)), labels],
            silhouette=silhouette_samples(codes[:SHOWN_CODES], labels[:SHOWN_CODES]),
        ),
    }


def class_entropy(labels: np.ndarray) -> float:
    """What the label says, in nats: the logarithm of the number of classes if all are equally frequent."""
    return float(entr(np.bincount(labels) / len(labels)).sum())


def clusters_table(measured: Mapping[str, Mapping[str, float]]) -> pd.DataFrame:
    """One row per model: the `knn_accuracy` of its means, and `measure_clusters`."""
    names = ("knn_accuracy", "draws_knn_accuracy", "chance_knn_accuracy", "class_information", "silhouette")
    return pd.DataFrame({model: {name: _pair(values, name) for name in names} for model, values in measured.items()}).T


def clusters_verdict(conditional: Mapping[str, float], unconditional: Mapping[str, float]) -> str:
    """Whether the codes still tell the class, in words that follow the numbers of `measure_clusters`."""
    draws, chance = "draws_knn_accuracy", "chance_knn_accuracy"
    above, without = (measured[draws] - measured[chance] for measured in (conditional, unconditional))
    error = np.hypot(conditional[f"{draws}_se"], conditional[f"{chance}_se"])
    text = (
        f"Nearest neighbours name the class of {conditional[draws]:.1%} ± {conditional[f'{draws}_se']:.1%} of the test "
        f"images, against {unconditional[draws]:.1%} without labels, and {conditional[chance]:.1%} ± "
        f"{conditional[f'{chance}_se']:.1%} with shuffled training labels."
    )
    if above < 3 * error:
        return f"{text} **The codes tell no more of the class than chance, as far as this check can see.**"
    share = f", {above / without:.0%} of the lead that codes without labels have" if without > 0 else ""
    return f"{text} **The codes still tell something of the class**: a lead of {above:.1%} over chance{share}."


def as_asked(judge: keras.Model, images: np.ndarray) -> np.ndarray:
    """Whether the judge takes each image for the class that was asked for.

    images: (styles, classes, height, width)
    returns: (styles, classes)
    """
    return _taken_for(judge, images) == np.arange(CLASSES)


def asked_table(judge: keras.Model, images: np.ndarray, dataset: Dataset) -> pd.DataFrame:
    """One row per class: the share of images that the judge takes for it, the most frequent mistake, and real images.

    images: (styles, classes, height, width); column c was to be of class c. The images of a row share a code, so the
    standard error of "all" is over rows.
    """
    taken, real = _taken_for(judge, images), _taken_for(judge, dataset.test_images)  # (styles, classes), (N,)
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
    """Mean squared error of the pixels that were not visible, for each of FILLINGS: (images,) each."""
    return {
        key: np.square(guess - dataset.test_images[: len(guess)])[:, ~visible].mean(axis=1)
        for key, guess in filled.items()
    }


def filling_table(
    judge: keras.Model, filled: Mapping[str, np.ndarray], dataset: Dataset, visible: np.ndarray
) -> pd.DataFrame:
    """One row for each of FILLINGS: the error inside the square, and how often the judge sees the true class."""
    errors, rows = errors_inside(filled, dataset, visible), {}
    for key, images in filled.items():
        right = _share(_taken_for(judge, images) == dataset.test_labels[: len(images)])
        rows[FILLINGS[key]] = {"squared error per pixel cut out": _cell(errors[key], 4), "taken for its class": right}
    whole = len(filled["black"])
    right = _share(_taken_for(judge, dataset.test_images[:whole]) == dataset.test_labels[:whole])
    rows["nothing cut out"] = {"squared error per pixel cut out": "", "taken for its class": right}
    return pd.DataFrame.from_dict(rows, orient="index")


def paths_table(judge: keras.Model, paths: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """One row for each of PATHS: how even its steps are, and how sure the judge is of its ends and half-way.

    Half-way is compared with a fade of one end into the other, pixel by pixel, whose steps are even too.

    paths: (number, steps, height, width) each
    """
    rows = {}
    for key, images in paths.items():
        half_way = images.shape[1] // 2
        faded = (images[:, 0] + images[:, -1]) / 2
        rows[PATHS[key]] = {
            "largest step / mean step": _cell(unevenness(images)),
            "judge's confidence: ends": _cell(_confidence(judge, images[:, [0, -1]])),
            "half-way": _cell(_confidence(judge, images[:, half_way])),
            "half-way of a fade": _cell(_confidence(judge, faded)),
        }
    return pd.DataFrame(rows).T


def measure_images(
    judge: keras.Model,
    drawn: np.ndarray,
    errors: Mapping[str, np.ndarray],
    paths: Mapping[str, np.ndarray],
) -> dict[str, float]:
    """What measures.json says of the images: `asked_accuracy`, `inpainting_<filling>`, `largest_step_<path>`.

    The ten images of a style share a code, so the standard error of `asked_accuracy` is over styles.
    """
    return with_error(
        asked_accuracy=as_asked(judge, drawn).mean(axis=1),
        **{f"inpainting_{key}": error for key, error in errors.items()},
        **{f"largest_step_{key}": unevenness(images) for key, images in paths.items()},
    )


def tutorial_rows(vae: ConditionalVAE, measured: Mapping[str, float], labels: np.ndarray) -> list[tuple[str, ...]]:
    """`tutorial.ROWS` with the numbers of a run: rows for `tutorials.tutorial_table`.

    measured: what the notebook writes into measures.json; labels: (N,), of the test images
    """
    z, label = (part.shape[1] for part in vae.decoder.inputs)
    values = {
        **measured,
        "z": z,
        "label": label,
        "both": z + label,
        "encoder_inputs": " and ".join(part.name for part in vae.encoder.inputs),
        "class_entropy": class_entropy(labels),
    }
    return [tuple(text.format_map(values) for text in row) for row in tutorial.ROWS]


def _taken_for(judge: keras.Model, images: np.ndarray) -> np.ndarray:
    """The class that the judge sees in each image; (..., height, width) or (N, height, width, 1) to (...) or (N,)."""
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
