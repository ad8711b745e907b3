"""What the law says of a data set, for the tables and walks of this lesson."""

import numpy as np
import pandas as pd

from vae_core.binarise import binarised
from vae_core.collapse.law import collapse_weights, predicted
from vae_core.collapse.moments import moments_of
from vae_core.collapse.near import near_threshold, rate_below
from vae_core.collapse.optimal import centred, corrected_weights, first_codes, last_weight, optima, optimum
from vae_core.collapse.pixels import pixel_variance, pixels_of
from vae_core.dataset import Dataset
from vae_core.lessons.where_codes_collapse.plan import LIKELIHOODS

RARE = (0.0, 1e-3, 1e-2)  # distances of a pixel's mean from black or white
SHOWN = 10  # units
WELL = 3  # times: what "well above" and "well below" mean for the window of the leading order
STARTED = 0.97  # share of the first predicted weight at which a code is certain to pay for itself
CURVE = (0.76, 0.82, 0.88, 0.92, 0.95, 0.97, 0.99, 1.01)  # shares of the first predicted weight


def of_bernoulli(dataset: Dataset) -> np.ndarray:
    """The predicted weights of grey pixels as probabilities, which is what the walks train: all of them, descending."""
    return predicted(dataset, {})


def rare_pixels(dataset: Dataset) -> pd.DataFrame:
    """The first predicted weights of Bernoulli pixels, with rare pixels and without: a row per unit."""
    found, variance = moments_of(dataset), pixel_variance("bernoulli")
    columns = {
        f"without means within {rarest:g} of 0 or 1" if rarest else "all pixels that vary": collapse_weights(
            found, variance, rarest
        )[:SHOWN]
        for rarest in RARE
    }
    table = pd.DataFrame(columns, index=pd.RangeIndex(1, SHOWN + 1, name="unit"))
    return table.map("{:.2f}".format)


def of_likelihoods(dataset: Dataset) -> dict[str, np.ndarray]:
    """The predicted weights under each of LIKELIHOODS."""
    return {
        name: predicted(binarised(dataset, dict(settings).get("binarise", "no")), dict(settings))
        for name, settings in LIKELIHOODS.items()
    }


def rate_curves(dataset: Dataset, weights: np.ndarray) -> dict[str, pd.DataFrame]:
    """What theory says of the rate of one unit: columns `kl_weight` and `rate` in nats per image, by the curve's name.

    The leading order is shown where L - kl_weight is WELL inside its window, and left out where that is nowhere.
    """
    pixels = pixels_of("bernoulli")
    near, images = near_threshold(dataset.train_images, pixels), centred(dataset.train_images, pixels)
    found = list(optima(images, weights[0] * np.array(CURVE), first_codes(images)))
    curves = {"best decoder, best codes": [(one.kl_weight, one.rate) for one in found]}
    smallest, largest = near.window
    first, last = weights[0] - WELL * smallest, weights[0] - largest / WELL
    if last < first:
        grid = np.linspace(last, first, 50)
        curves["leading order"] = [(kl_weight, rate_below(kl_weight, weights[0], near.k)) for kl_weight in grid]
    return {name: pd.DataFrame(points, columns=["kl_weight", "rate"]) for name, points in curves.items()}


def beyond(dataset: Dataset) -> str:
    """How the first unit dies, with the best decoder and the best codes, and to fourth order: sentences in Markdown."""
    pixels = pixels_of("bernoulli")
    near, images = near_threshold(dataset.train_images, pixels), centred(dataset.train_images, pixels)
    last = last_weight(images, optimum(images, STARTED * near.weight, first_codes(images)))
    smallest, largest = near.window
    return (
        f"With the best decoder and the best codes a code is as good as none at **{last:.2f}**, "
        f"{last / near.weight - 1:.2%} above the first weight; to fourth order it is at {near.last_weight:.2f}. A code "
        f"that dies above the eigenvalue dies with a jump. To leading order its rate is "
        f"$(L / \\beta - 1) / {2 * near.k:.2f}$ at best where $L - \\beta$ is well above {smallest:.2g} and well below "
        f"{largest:.2g}."
    )


def beside_living_units(dataset: Dataset, weights: np.ndarray) -> np.ndarray:
    """The weights of the first two units, the second's where the first is at its optimum, or nan: (2,)."""
    return corrected_weights(centred(dataset.train_images, pixels_of("bernoulli")), weights[:2])
