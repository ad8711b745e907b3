"""What the forgotten mean costs, and what lies between codes: resized grids, blends and midpoints."""

from collections.abc import Mapping

import vae_core.backend  # noqa: F401

import keras
import numpy as np
import pandas as pd
from keras import ops
from scipy.ndimage import zoom
from scipy.stats import chi2
from sklearn.neighbors import NearestNeighbors

from vae_core import latent, measures
from vae_core.data import Dataset
from vae_core.latent import decode
from vae_core.lessons.dense_vae_fashion.model import MeanForgotten
from vae_core.models import VAE
from vae_core.statistics import with_error

ROWS, COLUMNS = 3, 4  # of the codes
LARGER = (2 * ROWS - 1, 2 * COLUMNS - 1)  # with one mix between neighbours: 5 x 7
MIXED = {"original": 1, "between two": 2, "between four": 4}  # kinds of cells: how many codes each is the mean of


def comparison(vaes: Mapping[str, VAE], histories: Mapping[str, pd.DataFrame], images: np.ndarray) -> pd.DataFrame:
    """What each model's own loss says, and the honest terms, for the Gaussian that z is really drawn from.

    In nats per image. A few images with an exploding log-variance can dominate a mean, so the median over the images
    stands beside it, and the largest log-variance. The last two columns tell what carries the information: the root
    mean square of the encoder's means over images and dimensions, and the deviation of its log-variances over images.
    """
    rows = {}
    for name, vae in vaes.items():
        mean, log_var = latent.encode(vae, images)  # (N, latent_dim) each
        sampled_mean = np.zeros_like(mean) if isinstance(vae, MeanForgotten) else mean
        terms = measures.terms(vae, images, sampled_mean, log_var)
        rows[name] = {
            "its own objective says": histories[name]["val_objective"].iloc[-1],
            **{term: float(np.mean(terms[term])) for term in ("distortion", "rate", "negative_elbo")},
            "negative_elbo, median": float(np.median(terms["negative_elbo"])),
            "largest log_var": float(log_var.max()),
            "size of the means": float(np.sqrt(np.mean(mean**2))),
            "spread of log_var": float(np.sqrt(np.mean(np.var(log_var, axis=0)))),
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def decoded_draws(vaes: Mapping[str, VAE], images: np.ndarray) -> np.ndarray:
    """The images, and below them what each model makes of one draw of its own: (1 + models, N, 28, 28) in [0, 1]."""
    draws = [np.asarray(vae.likelihood.mean(vae(images)[2])) for vae in vaes.values()]
    return np.stack([images, *draws])[..., 0]


def corners_aligned(codes: np.ndarray) -> np.ndarray:
    """Bilinear resize that keeps the corners, and so every original: in every second row and column.

    codes: (3, 4, latent_dim)
    returns: (5, 7, latent_dim)
    """
    return zoom(codes, (LARGER[0] / ROWS, LARGER[1] / COLUMNS, 1), order=1)


def areas_aligned(codes: np.ndarray) -> np.ndarray:
    """Bilinear resize for images, as tf.image.resize does it: a cell stands for an area, and the areas are aligned.

    Cell i of n is taken at (i + 1/2) * old / n - 1/2 of the old cells, or at the edge if that is outside.

    codes: (3, 4, latent_dim)
    returns: (5, 7, latent_dim)
    """
    return np.asarray(ops.image.resize(codes, LARGER, interpolation="bilinear", data_format="channels_last"))


TUTORIAL_RESIZE, CORNERS_ALIGNED = "tf.image.resize", "corners aligned"
RESIZES = {TUTORIAL_RESIZE: areas_aligned, CORNERS_ALIGNED: corners_aligned}


def originals_in(codes: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """Which cells of the resized grid are one of the original codes: (rows, columns) of bool.

    codes: (3, 4, latent_dim); grid: (rows, columns, latent_dim)
    """
    originals = codes.reshape(-1, codes.shape[2])  # (12, latent_dim)
    return np.isclose(grid[:, :, None], originals, atol=1e-5).all(axis=-1).any(axis=-1)


def decode_cells(vae: VAE, codes: np.ndarray) -> np.ndarray:
    """Decode a grid of codes in one batch: (rows, columns, latent_dim) -> (rows, columns, height, width) in [0, 1]."""
    images = decode(vae, codes.reshape(-1, codes.shape[2]))  # (rows * columns, height, width, 1)
    return images.reshape(*codes.shape[:2], *images.shape[1:3])


def mix_table(vae: VAE, latent_dim: int, grids: int = 200, seed: int = 0) -> pd.DataFrame:
    """How far from the origin the cells of a resized grid lie, and how sharp the images decoded from them are.

    A mean of k samples of N(0, I) is a sample of N(0, I / k). `expected distance` is its root mean square,
    sqrt(latent_dim / k); `measured` is that of many grids. `prior nearer` is the share of the prior's own samples that
    lie nearer to the origin than the expected distance.
    """
    codes = latent.sample_prior(grids * ROWS * COLUMNS, seed, latent_dim).reshape(grids, ROWS, COLUMNS, latent_dim)
    larger = np.stack([corners_aligned(grid) for grid in codes])  # (grids, 5, 7, latent_dim)
    images = decode(vae, larger.reshape(-1, latent_dim))  # (grids * 35, height, width, 1)
    sharp = measures.sharpness(images).reshape(larger.shape[:3])  # (grids, 5, 7)
    kinds = 2 ** (np.arange(LARGER[0])[:, None] % 2 + np.arange(LARGER[1]) % 2)  # (5, 7): how many codes are mixed
    rows = {
        name: {
            "cells": int(np.sum(kinds == mixed)),
            "expected distance": np.sqrt(latent_dim / mixed),
            "measured": np.sqrt(np.mean(np.sum(larger[:, kinds == mixed] ** 2, axis=-1))),
            "prior nearer": f"{chi2.cdf(latent_dim / mixed, latent_dim):.1%}",
            "sharpness": sharp[:, kinds == mixed].mean(),
        }
        for name, mixed in MIXED.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index")


def blends(vae: VAE, images: np.ndarray, mean: np.ndarray, steps: int = 7) -> np.ndarray:
    """From one image to another in three ways: the images blended, the decoded images blended, the codes blended.

    images: (2, height, width, 1) in [0, 1]; mean: (2, latent_dim), their codes
    returns: (3, steps, height, width) in [0, 1]
    """
    of_codes = decode(vae, np.linspace(*mean, steps))  # (steps, height, width, 1)
    rows = np.linspace(*images, steps), np.linspace(*decode(vae, mean), steps), of_codes
    return np.stack(rows)[..., 0]


def midpoint_table(vae: VAE, judge: keras.Model, dataset: Dataset, mean: np.ndarray, pairs: int = 500) -> pd.DataFrame:
    """Halfway between test images of different classes: the mean image, the mean decoded image, the decoded mean code.

    `confidence` is the judge's mean largest probability; `one of the two` the share that it takes for one of the two
    classes of the pair; `nearest training image` the squared distance to it, summed over pixels, mean over pairs, and
    `standard error` is its. The first two rows are for reference: the first image of each pair, as it is and decoded.

    mean: (N, latent_dim), the codes of the test images; of the first 2 * pairs, one half is paired with the other
    """
    pairs = min(pairs, len(mean) // 2)
    first, second = np.arange(pairs), np.arange(pairs, 2 * pairs)
    different = dataset.test_labels[first] != dataset.test_labels[second]
    first, second = first[different], second[different]
    images = dataset.test_images[first], dataset.test_images[second]
    ends = decode(vae, mean[first]), decode(vae, mean[second])
    rows = {
        "image": images[0],
        "decoded image": ends[0],
        "mean of two images": (images[0] + images[1]) / 2,
        "mean of two decoded images": (ends[0] + ends[1]) / 2,
        "decoded mean of two codes": decode(vae, (mean[first] + mean[second]) / 2),
    }
    neighbours = NearestNeighbors(n_neighbors=1, algorithm="brute").fit(_flat(dataset.train_images))
    classes = np.stack([dataset.test_labels[first], dataset.test_labels[second]])  # (2, pairs)
    table = {}
    for name, pictures in rows.items():
        judged = measures.judgement(judge, pictures)  # (pairs, classes)
        nearest = with_error(nearest=neighbours.kneighbors(_flat(pictures))[0][:, 0] ** 2)
        table[name] = {
            "confidence": judged.max(axis=1).mean(),
            "one of the two": (judged.argmax(axis=1) == classes).any(axis=0).mean(),
            "nearest training image": nearest["nearest"],
            "standard error": nearest["nearest_se"],
        }
    return pd.DataFrame.from_dict(table, orient="index")


def _flat(images: np.ndarray) -> np.ndarray:
    return images.reshape(len(images), -1)  # (N, pixels)
