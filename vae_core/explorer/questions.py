"""Questions for a class, to be guessed before they are answered: the answers are numbers of the results."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from vae_core.explorer.decoder import read_decoder, read_pixels
from vae_core.latent import BLOCK
from vae_core.runs import read_latent
from vae_core.statistics import mean_and_spread


@dataclass(frozen=True)
class Question:
    """A question of the page, and what it shows with the answer."""

    question: str
    answer: str
    kl_weight: float  # to be shown with the answer
    picture: str  # "codes" or "images"
    window: str  # "codes", "prior" or "points": what the plane is fitted to
    points: Sequence[Sequence[tuple[float, float]]] = ()  # columns of latent points, for the images
    compares: bool = False  # weights with each other


def questions(table: pd.DataFrame, shown: Mapping[float, Path], images: int, channels: int) -> list[Question]:
    """Questions for a class, with the answers from the results; with one weight, no question compares weights.

    table: the loss table of the weights that are shown; images: the number of test images
    """
    least, most, best = table.index[0], table.index[-1], table["negative_elbo_mean"].idxmin()

    def said(name: str, kl_weight: float, decimals: int = 2) -> str:
        return mean_and_spread(table.loc[kl_weight, f"{name}_mean"], table.loc[kl_weight, f"{name}_std"], decimals)

    def at_weights(name: str, *kl_weights: float, decimals: int = 2) -> str:
        different = dict.fromkeys(kl_weights)
        return ", ".join(f"{said(name, kl_weight, decimals)} at kl_weight {kl_weight:g}" for kl_weight in different)

    far, saturated, near = _far_outside(shown[least])
    pixels = "Pixels that are all but black or all but white" if channels == 1 else "Values of red, green and blue"
    plane = [[(x, y) for y in np.linspace(2, -2, 5)] for x in np.linspace(-2, 2, 5)]
    asked = [
        Question(
            f"Where will the codes be at kl_weight {most:g}?",
            f"The means of q(z|x) lie {said('mean_spread', most)} from the origin (root mean square, per dimension); "
            f"draws from q(z|x), which the decoder gets, {said('draw_spread', most)}. The prior's samples: 1.",
            *(most, "codes", "prior"),
        ),
        Question(
            f"Where will the codes be at kl_weight {least:g}?",
            f"{said('mean_spread', least)} from the origin; {table.loc[least, 'share_in_window_mean']:.0%} of the "
            "codes are within three deviations of the prior each way. Mind the numbers at the axes.",
            *(least, "codes", "codes"),
            compares=True,
        ),
        Question(
            f"What will the decoder of kl_weight {least:g} draw far outside the codes?",
            f"{pixels}: {saturated:.0%} are within 1% of 0 or 1, "
            f"{near:.0%} at the codes. (Three times as far out as the codes' 99% quantile, in five directions.)",
            *(least, "images", "points", [[tuple(map(float, z))] for z in far]),
        ),
        Question(
            "Which weight has the lowest negative ELBO on the test images?",
            f"kl_weight {best:g}. Nats per image: {at_weights('negative_elbo', best, least, most)}.",
            *(best, "images", "prior", plane),
            compares=True,
        ),
        Question(
            f"At kl_weight {least:g}, how many nats of the rate tell one image from another?",
            f"{said('mutual_information', least)} of {said('rate', least)}; {np.log(images):.2f} would tell all test "
            "images apart. The rest is the distance of all codes together from the prior.",
            *(least, "codes", "codes"),
        ),
    ]
    if "prior_classes_mean" in table:  # of images with labels
        asked.append(
            Question(
                f"How many classes will be among the images of the prior's samples at kl_weight {most:g}?",
                f"A judge, which is a classifier trained on the real images, sees "
                f"{at_weights('prior_classes', most, best, decimals=1)}.",
                *(most, "images", "prior", plane),
            )
        )
    return [question for question in asked if len(table) > 1 or not question.compares]


def _far_outside(folder: Path) -> tuple[np.ndarray, float, float]:
    """Five points far outside the codes, and the share of saturated pixels there and at the codes."""
    mean = read_latent(folder).mean  # (N, 2)
    middle = mean.mean(axis=0)
    radius = 3 * np.quantile(np.linalg.norm(mean - middle, axis=1), 0.99)
    angles = 2 * np.pi * np.arange(5) / 5
    far = middle + radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)  # (5, 2)
    decoder, pixels = read_decoder(folder), read_pixels(folder)

    def saturated(z: np.ndarray) -> float:
        blocks = np.array_split(z, -(-len(z) // BLOCK))
        extreme = (np.abs(pixels.mean(decoder.outputs(block)) - 0.5) > 0.49 for block in blocks)
        return sum(map(np.sum, extreme)) / (len(z) * decoder.last_bias.size)

    return far, saturated(far), saturated(mean)
