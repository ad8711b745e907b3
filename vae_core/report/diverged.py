"""Which runs have diverged. Tables name them; figures, findings and means leave them out. Reads no files."""

import numpy as np
import pandas as pd

from vae_core.runs import Runs

FAR = 10


def diverged(measures: pd.DataFrame) -> pd.Series:
    """Whether each run has diverged: (runs,), bool.

    Its rate is not finite, or its distortion D is not <= D0 + 10 max(|D0|, D0 - F). D0, `zero_information_distortion`,
    is reached by drawing the mean training image whatever the code says; F is `entropy_floor`, below 0 for densities,
    where D0 alone is no scale. An untrained model, which draws grey, is at 1.4 D0 on digits and at 2.6 D0 on MNIST;
    one that has yet to learn its variance may be 400 nats above a D0 of -34. The rate has no such limit: at weight 0
    nothing holds it.
    """
    corner = measures.get("zero_information_distortion", pd.Series(np.inf, measures.index))
    scale = np.maximum(abs(corner), corner - measures.get("entropy_floor", 0))
    return ~(np.isfinite(measures["rate"]) & (measures["distortion"] <= corner + FAR * scale))


def sound(runs: Runs) -> Runs:
    """The runs that have not diverged."""
    return runs.take(runs.measures.index[~diverged(runs.measures)])


def diverged_runs(runs: Runs) -> str:
    """The runs that have diverged: "kl_weight 0, seeds 0, 2; kl_weight 0.1, seed 1"; empty if there are none."""
    gone = runs.settings[diverged(runs.measures)]
    seeds = gone.groupby("kl_weight")["seed"].agg(list)
    return "; ".join(
        f"kl_weight {kl_weight:g}, seed{'s' if len(of_weight) > 1 else ''} {', '.join(map(str, of_weight))}"
        for kl_weight, of_weight in seeds.items()
    )
