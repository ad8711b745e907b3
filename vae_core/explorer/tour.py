"""A tour for somebody alone: what the page says at each step, and the address of what it then shows."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from vae_core.explorer.questions import Told
from vae_core.explorer.texts import ENGLISH


@dataclass(frozen=True)
class Step:
    """A step of the tour; address: as behind the # of a link to the page."""

    text: str
    address: str


def tour(table: pd.DataFrame, start: float, rates: np.ndarray, numbers: np.ndarray) -> list[Step]:
    """Six steps, with numbers from the results; with one weight those that do not compare weights.

    table: the loss table of the weights that are shown; start: the weight at which the page opens
    rates, numbers: of each image in the page its rate at `start` and its number among the test images, (N,)
    """
    told = Told(table)
    least, most, best = told.least, told.most, told.best
    image = f"image={numbers[np.argsort(rates)[len(rates) // 2]]}"  # of middling rate

    def step(name: str, address: str, **values: str) -> Step:
        weights = {"start": f"{start:g}", "least": f"{least:g}", "most": f"{most:g}", "best": f"{best:g}"}
        return Step(ENGLISH[f"tour.{name}"].format(**weights, **values), address)

    alone = [
        step("plane", f"weight={start:g}&window=prior"),
        step("image", f"weight={start:g}&window=prior&{image}"),
    ]
    if len(table) == 1:
        return alone
    compared = [
        step(
            *("least", f"weight={least:g}&window=codes"),
            means=told.value("mean_spread", least),
            inside=told.share("share_in_window", least),
            rate=told.value("rate", least),
        ),
        step(
            *("price", f"weight={start:g}&window=prior"),
            high=told.value("rate", least),
            low=told.value("rate", start),
            few=told.value("distortion", least),
            many=told.value("distortion", start),
            all=told.value("mutual_information", least),
            information=told.value("mutual_information", start),
        ),
    ]
    last = [
        step(
            *("most", f"weight={most:g}&window=prior&dots=draws&{image}"),
            draws=told.value("draw_spread", most),
            means=told.value("mean_spread", most),
            information=told.value("mutual_information", most),
        ),
        step("best", f"weight={best:g}&window=prior", value=told.value("negative_elbo", best)),
    ]
    return [alone[0], *compared, alone[1], *last]
