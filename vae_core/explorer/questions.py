"""Questions for a class, to be guessed before they are answered: the answers are numbers of the results."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from vae_core.explorer.decoder import read_decoder, read_pixels
from vae_core.explorer.texts import ENGLISH
from vae_core.latent import BLOCK
from vae_core.runs import read_latent
from vae_core.statistics import mean_and_spread


@dataclass(frozen=True)
class Question:
    """A question of the page, and what it shows with the answer."""

    question: str
    answer: str
    kl_weight: float  # to be shown with the answer
    picture: str  # "codes", "draws", beside the means, "images" or "bars"
    window: str  # "codes", "prior" or "points": what the plane is fitted to
    points: Sequence[Sequence[tuple[float, float]]] = ()  # columns of latent points, for the images
    bars: Sequence[tuple[str, float, bool]] = ()  # their names, their lengths, and which is the answer
    compares: bool = False  # weights with each other


class Told:
    """Numbers of a loss table, as the page says them."""

    def __init__(self, table: pd.DataFrame) -> None:
        """table: the loss table of the weights that are shown, indexed by kl_weight."""
        self.table = table
        self.least, self.most, self.best = table.index[0], table.index[-1], table["negative_elbo_mean"].idxmin()

    def value(self, name: str, kl_weight: float, decimals: int = 2) -> str:
        """Mean and standard deviation over the seeds."""
        return mean_and_spread(*(self.table.loc[kl_weight, f"{name}_{what}"] for what in ("mean", "std")), decimals)

    def at_weights(self, name: str, *kl_weights: float, decimals: int = 2) -> str:
        """The values at these weights, each weight once."""
        values = ((self.value(name, kl_weight, decimals), kl_weight) for kl_weight in dict.fromkeys(kl_weights))
        return ", ".join(ENGLISH["at_weight"].format(value=value, weight=f"{weight:g}") for value, weight in values)

    def share(self, name: str, kl_weight: float) -> str:
        """A mean as percent."""
        return f"{self.table.loc[kl_weight, f'{name}_mean']:.0%}"


def questions(table: pd.DataFrame, shown: Mapping[float, Path], images: int, channels: int) -> list[Question]:
    """Questions for a class, with the answers from the results; with one weight, no question compares weights.

    table: the loss table of the weights that are shown; images: the number of test images
    """
    told = Told(table)
    least, most, best = told.least, told.most, told.best
    weights = {name: f"{value:g}" for name, value in (("least", least), ("most", most), ("best", best))}

    def ask(name: str, *shows: object, compares: bool = False, bars: Sequence = (), **values: str) -> Question:
        texts = (ENGLISH[f"{kind}.{name}"].format(**weights, **values) for kind in ("question", "answer"))
        return Question(*texts, *shows, compares=compares, bars=bars)

    far, saturated, near = _far_outside(shown[least])
    elbos = table["negative_elbo_mean"]
    information, rate = (table.loc[least, f"{name}_mean"] for name in ("mutual_information", "rate"))
    plane = [[(x, y) for y in np.linspace(2, -2, 5)] for x in np.linspace(-2, 2, 5)]
    asked = [
        ask(
            *("most", most, "draws", "prior"),
            means=told.value("mean_spread", most),
            draws=told.value("draw_spread", most),
        ),
        ask(
            *("least", least, "codes", "codes"),
            means=told.value("mean_spread", least),
            inside=told.share("share_in_window", least),
            compares=True,
        ),
        ask(
            *("far", least, "images", "points", [[tuple(map(float, z))] for z in far]),
            pixels=ENGLISH[f"answer.far.{'grey' if channels == 1 else 'colour'}"],
            far=f"{saturated:.0%}",
            near=f"{near:.0%}",
        ),
        ask(
            *("best", best, "bars", "prior"),
            values=told.at_weights("negative_elbo", best, least, most),
            bars=[(f"{weight:g}", value, bool(weight == best)) for weight, value in elbos.items()],
            compares=True,
        ),
        ask(
            *("information", least, "bars", "codes"),
            information=told.value("mutual_information", least),
            rate=told.value("rate", least),
            all=f"{np.log(images):.2f}",
            bars=[
                (ENGLISH["bar.information"], information, True),
                (ENGLISH["bar.rest"], max(rate - information, 0), False),
            ],
        ),
    ]
    if "prior_classes_mean" in table:  # of images with labels
        asked.append(
            ask(
                *("classes", most, "images", "prior", plane),
                values=told.at_weights("prior_classes", most, best, decimals=1),
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
