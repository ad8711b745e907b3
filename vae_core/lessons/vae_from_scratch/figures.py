"""The codes of the models from scratch. Nothing here trains or reads files."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from vae_core.figures import covering_square, panels_of_codes

PAGE = (10, 4.6)  # inches: the letters of three panels stay large enough on a page


def codes(means: Mapping[float, np.ndarray], labels: np.ndarray, class_names: tuple[str, ...], title: str) -> Figure:
    """A panel with the codes of each kl_weight, all on the same axes; means: for each weight (N, 2)."""
    clouds = {f"kl_weight {kl_weight:g}": mean for kl_weight, mean in means.items()}
    figure = panels_of_codes(clouds, labels, class_names, covering_square(means.values()), title)
    figure.set_size_inches(*PAGE)
    return figure
