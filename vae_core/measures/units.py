"""Latent units, predicted and found: which of them the law of collapse lets live at a weight, and which do."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from vae_core.collapse import law
from vae_core.dataset import Dataset
from vae_core.latent import mean_rates
from vae_core.measures.codes import ACTIVE_VARIANCE
from vae_core.statistics import numbered

SHOWN = 10  # units with a row of their own


def predict_collapse(dataset: Dataset, settings: Mapping[str, object]) -> np.ndarray:
    """The weights above which the units of a run of `train_vae` are predicted to die, from its training images.

    dataset: `binarised`, where the settings say so, and not yet `tossed_once`; settings: of the run
    returns: (latent_dim,), descending; (0,) where the rate is not what is charged, so that the law does not speak: with
    free bits or a target
    """
    if settings["free_bits"] or settings["target_rate"] is not None or settings["target_distortion"] is not None:
        return np.array([])
    weights = law.predicted(dataset, settings, settings["latent_dim"])
    return np.pad(weights, (0, settings["latent_dim"] - len(weights)))  # more units than pixels never live


def measure_collapse(predicted: np.ndarray, kl_weight: float) -> dict[str, float]:
    """What measures.json keeps of the prediction: `collapse_weight0`, ..., and the units that should live.

    predicted: from `predict_collapse`; where it is empty, nothing is kept
    """
    if not len(predicted):
        return {}
    return numbered("collapse_weight", predicted) | {"predicted_active_units": law.units_alive(kl_weight, predicted)}


def unit_table(predicted: np.ndarray, kl_weight: float, mean: np.ndarray, log_var: np.ndarray) -> pd.DataFrame:
    """Predicted and found side by side: a row for each unit, the one with the highest rate first, and one for all.

    The k-th predicted weight stands beside the unit of the k-th rate. Of many units all beyond the tenth share a row.
    A row of several units has their range, of rates [nats/image] the sum, and of "yes" the number.

    predicted: from `predict_collapse`; where it is empty, there are no predicted columns
    mean, log_var: of q(z|x), (N, latent_dim)
    """
    rates, spreads = mean_rates(mean, log_var), np.var(mean, axis=0, dtype=np.float64)
    order = np.argsort(-rates, kind="stable")
    units = pd.DataFrame({"rate": rates[order], "variance of the mean": spreads[order]})
    units["active"] = units["variance of the mean"] > ACTIVE_VARIANCE
    if len(predicted):
        units.insert(0, "dies at kl_weight", predicted)
        units.insert(1, "should live", predicted > kl_weight)
    alone = SHOWN if len(units) > SHOWN + 1 else len(units)
    groups = {f"{rank + 1}: z[{order[rank]}]": units[rank : rank + 1] for rank in range(alone)}
    groups |= {f"{alone + 1} to {len(units)}": units[alone:]} if alone < len(units) else {}
    groups |= {"all": units} if len(units) > 1 else {}
    rows = {name: {column: _cell(group[column]) for column in group} for name, group in groups.items()}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("unit")


def _cell(values: pd.Series) -> str:
    if values.dtype == bool:
        return str(values.sum()) if len(values) > 1 else ("yes" if values.all() else "no")
    if values.name == "rate":
        return f"{values.sum():.3f}"
    return " to ".join(dict.fromkeys(f"{end:.3f}" for end in (values.max(), values.min())))
