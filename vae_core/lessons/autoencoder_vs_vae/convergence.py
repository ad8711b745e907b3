"""How fast each parameterisation of the variance converges, compared seed by seed."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.stats import t

from vae_core.lessons.autoencoder_vs_vae.model import LOG_VARIANCE, PARAMETERISATIONS
from vae_core.statistics import mean_and_spread

NEAR = 1.0  # nats: within this distance of the end, a training counts as converged


def objectives(histories: pd.DataFrame) -> pd.DataFrame:
    """The validation objective: one row per epoch and seed, one column per parameterisation, nats/image.

    histories: as `train_parameterisations` returns them, here and below
    """
    wide = histories.pivot(index=["epoch", "seed"], columns="parameterisation", values="val_objective")
    return wide[list(PARAMETERISATIONS)]


def lags(histories: pd.DataFrame) -> pd.DataFrame:
    """`objectives` minus that of the log-variance in the same epoch with the same seed: the same rows and columns."""
    wide = objectives(histories)
    return wide.sub(wide[LOG_VARIANCE], axis=0)


def epochs_needed(histories: pd.DataFrame) -> pd.DataFrame:
    """Epochs until the validation objective is within NEAR of where the log-variance of the same seed ends.

    returns: one row per seed, one column per parameterisation; NaN where it never is
    """
    goal = histories[histories["parameterisation"] == LOG_VARIANCE].groupby("seed")["val_objective"].last() + NEAR
    there = histories[histories["val_objective"] <= histories["seed"].map(goal)]
    epochs = there.groupby(["seed", "parameterisation"])["epoch"].min().unstack()
    return epochs.reindex(index=goal.index, columns=list(PARAMETERISATIONS))


def convergence_panels(histories: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """What `figures.seed_bands` draws: the validation objectives, and how far they are from the log-variance's."""
    return {
        "validation objective [nats/image]": objectives(histories),
        "above log-variance, same seed [nats/image]": lags(histories),
    }


def convergence_table(histories: pd.DataFrame) -> pd.DataFrame:
    """One row per parameterisation, mean ± standard deviation over the seeds, in nats/image except for the epochs."""
    last, needed = histories["epoch"].max(), epochs_needed(histories)
    rows = {}
    for name in PARAMETERISATIONS:
        own = histories[histories["parameterisation"] == name]
        rows[name] = {
            "rate before training": _spread(own.loc[own["epoch"] == 1, "initial_rate"]),
            "val_objective, epoch 1": _spread(own.loc[own["epoch"] == 1, "val_objective"]),
            f"val_objective, epoch {last}": _spread(own.loc[own["epoch"] == last, "val_objective"]),
            f"epochs to within {NEAR:g} nat of log-variance's end": _reached(needed[name]),
            "sigma below 0": _spread(100 * own.loc[own["epoch"] == 1, "negative_sigma"], 1, " %"),
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def measure_convergence(histories: pd.DataFrame) -> dict[str, float]:
    """`lags` averaged over the epochs and in the last epoch, the mean `epochs_needed`, and the share of sigmas below 0.

    Each is a mean over the seeds. With more than one seed, half the width of Student's 95 % interval stands beside the
    `lags`. The average over the epochs mixes speed, the level at the end and the start; the last epoch and the epochs
    needed (left out unless every seed gets there) tell these apart.
    """
    by_seed = lags(histories).groupby("seed")
    needed = epochs_needed(histories)  # (seeds, parameterisations)
    measured = {"seeds_compared": len(needed), "negative_sigma": float(histories["negative_sigma"].mean())}
    for suffix, per_seed in (("behind", by_seed.mean()), ("behind_last", by_seed.last())):
        for name, values in per_seed.drop(columns=LOG_VARIANCE).items():
            measured[f"{_key(name)}_{suffix}"] = float(values.mean())
            if len(values) > 1:
                half = t.ppf(0.975, len(values) - 1) * values.std() / np.sqrt(len(values))
                measured[f"{_key(name)}_{suffix}_interval"] = float(half)
    for name, epochs in needed.dropna(axis="columns").items():
        measured[f"{_key(name)}_epochs_needed"] = float(epochs.mean())
    return measured


def convergence_verdict(measured: Mapping[str, float], name: str) -> str:
    """How another parameterisation compares with log-variance, from `measure_convergence`, in words."""
    key, seeds = _key(name), measured["seeds_compared"]
    needed = measured.get(f"{key}_epochs_needed")
    reached = "not with every seed" if needed is None else f"after {needed:.1f} epochs"
    last, half_last = measured[f"{key}_behind_last"], measured.get(f"{key}_behind_last_interval")
    text = (
        f"{name} comes within {NEAR:g} nat of log-variance's end {reached} "
        f"(log-variance after {measured[f'{_key(LOG_VARIANCE)}_epochs_needed']:.1f}). In the last epoch it is "
        f"{_apart(last)} log-variance{'' if half_last is None else f' (± {half_last:.2f})'}"
    )
    lag, half = measured[f"{key}_behind"], measured.get(f"{key}_behind_interval")
    text += f", on average over the epochs {_apart(lag)} it"
    if half is None:
        return f"{text}; one seed cannot tell whether that is more than chance"
    text += f" (95 % interval over {seeds} seeds: {lag - half:z.2f} to {lag + half:z.2f})"
    if abs(lag) <= half:
        return f"{text}: {seeds} seeds show no difference on average over the epochs"
    direction = "higher" if lag > 0 else "lower"
    return f"{text}: its validation objective is {direction} on average over the epochs, the start included"


def _apart(nats: float) -> str:
    return f"{abs(nats):.2f} nats {'above' if nats >= 0 else 'below'}"


def _key(name: str) -> str:
    return name.replace("-", "_")


def _spread(values: pd.Series, decimals: int = 2, unit: str = "") -> str:
    return "-" if values.isna().any() else mean_and_spread(values.mean(), values.std(), decimals) + unit


def _reached(epochs: pd.Series) -> str:
    """mean ± deviation, or with how many seeds it was never reached."""
    if missed := int(epochs.isna().sum()):
        return f"never with {missed} of {len(epochs)} seeds"
    return _spread(epochs, 1)
