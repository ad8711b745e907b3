"""What the law says of a data set, for the tables and walks of this lesson."""

import numpy as np
import pandas as pd

from vae_core.binarise import binarised
from vae_core.collapse.law import collapse_weights, predicted
from vae_core.collapse.moments import moments_of
from vae_core.collapse.pixels import pixel_variance
from vae_core.dataset import Dataset
from vae_core.lessons.where_codes_collapse.plan import LIKELIHOODS

RARE = (0.0, 1e-3, 1e-2)  # distances of a pixel's mean from black or white
SHOWN = 10  # units


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
    """What theory says of the rate: columns `kl_weight` and `rate`, by the name of the curve."""
    return {}
