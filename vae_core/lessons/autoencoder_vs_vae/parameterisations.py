"""Three ways to say the variance of q(z|x), trained side by side: how fast does each converge?"""

from collections.abc import Mapping

import vae_core.backend  # noqa: F401

import keras
import numpy as np
import pandas as pd
from scipy.stats import t

from vae_core import latent, training
from vae_core.models import sigma_encoder, softplus_sigma_encoder, squared_error_vae
from vae_core.data import Dataset
from vae_core.losses import kl_divergence
from vae_core.models import VAE, mlp_encoder
from vae_core.report.tables import mean_and_spread

PARAMETERISATIONS = {
    "log-variance": mlp_encoder,
    "sigma": sigma_encoder,
    "softplus-sigma": softplus_sigma_encoder,
}
NEAR = 1.0  # nats: how near to the end a training has to be to count as converged


def train(
    dataset: Dataset,
    first: pd.DataFrame,
    kl_weight: float,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    hidden_units: int,
    latent_dim: int,
    seed: int,
    seeds: int,
) -> pd.DataFrame:
    """Train each of PARAMETERISATIONS with the seeds of `seeds_from`.

    A seed decides the initial weights, the batches and the noise of all three.

    first: the history of the log-variance with the first seed, which is the run and not trained again
    returns: the histories one below the other, with columns parameterisation, seed, initial_rate (of the validation
    images before training, nats per image) and negative_sigma (the share of sigmas below 0 afterwards, else NaN)
    """
    histories = []
    for name, encoder in PARAMETERISATIONS.items():
        for one_seed in seeds_from(seed, seeds):
            vae = squared_error_vae(kl_weight, one_seed, learning_rate, hidden_units, latent_dim, encoder)
            about = {"parameterisation": name, "seed": one_seed}
            about["initial_rate"] = float(np.mean(kl_divergence(*latent.encode(vae, dataset.validation_images))))
            if (name, one_seed) == ("log-variance", seed):
                history = first
            else:
                history, _ = training.train(vae, dataset, epochs, batch_size, one_seed)
            about["negative_sigma"] = negative_sigma(vae, dataset.validation_images) if name == "sigma" else np.nan
            histories.append(history.assign(**about))
    return pd.concat(histories, ignore_index=True)


def seeds_from(seed: int, seeds: int) -> list[int]:
    """Successive seeds; after the largest that NumPy and Keras take comes 0."""
    return [(seed + i) % 2**32 for i in range(seeds)]


def negative_sigma(vae: VAE, images: np.ndarray) -> float:
    """Share of the outputs of an unconstrained sigma layer that are below 0."""
    sigma = keras.Model(vae.encoder.input, vae.encoder.get_layer("sigma").output)(images)  # (N, latent_dim)
    return float(np.mean(np.asarray(sigma) < 0))


def objectives(histories: pd.DataFrame) -> pd.DataFrame:
    """The validation objective: one row per epoch and seed, one column per parameterisation, nats per image."""
    wide = histories.pivot(index=["epoch", "seed"], columns="parameterisation", values="val_objective")
    return wide[list(PARAMETERISATIONS)]


def behind(histories: pd.DataFrame) -> pd.DataFrame:
    """`objectives` above that of log-variance in the same epoch with the same seed: the same rows and columns."""
    wide = objectives(histories)
    return wide.sub(wide["log-variance"], axis=0)


def epochs_needed(histories: pd.DataFrame) -> pd.DataFrame:
    """Epochs until the validation objective is within NEAR of where the log-variance of the same seed ends.

    returns: one row per seed, one column per parameterisation; NaN where it never is
    """
    goal = histories[histories["parameterisation"] == "log-variance"].groupby("seed")["val_objective"].last() + NEAR
    there = histories[histories["val_objective"] <= histories["seed"].map(goal)]
    epochs = there.groupby(["seed", "parameterisation"])["epoch"].min().unstack()
    return epochs.reindex(index=goal.index, columns=list(PARAMETERISATIONS))


def convergence_table(histories: pd.DataFrame) -> pd.DataFrame:
    """One row per parameterisation, mean ± standard deviation over seeds, in nats per image but for the epochs."""
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


def curves(histories: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """What `lesson_figures.seed_bands` draws: the validation objectives, and how far they are from log-variance's."""
    return {
        "validation objective [nats/image]": objectives(histories),
        "above log-variance, same seed [nats/image]": behind(histories),
    }


def leads(histories: pd.DataFrame) -> dict[str, float]:
    """`behind` on average over the epochs, and in the last: mean over seeds, 95 % interval's half width, the seeds.

    The average mixes speed, the level at the end and the start, which is why the last epoch and `epochs_needed` (where
    all seeds get there) stand beside it. The interval is Student's over the seeds; with one seed there is none, and the
    half width is left out. Also the share of negative sigmas, mean over the seeds.
    """
    by_seed = behind(histories).groupby("seed")
    needed = epochs_needed(histories)  # (seeds, parameterisations)
    measured = {"seeds_compared": len(needed), "negative_sigma": float(histories["negative_sigma"].mean())}
    for suffix, per_seed in (("behind", by_seed.mean()), ("behind_last", by_seed.last())):
        for name, values in per_seed.drop(columns="log-variance").items():
            measured[f"{_key(name)}_{suffix}"] = float(values.mean())
            if len(values) > 1:
                half = t.ppf(0.975, len(values) - 1) * values.std() / np.sqrt(len(values))
                measured[f"{_key(name)}_{suffix}_interval"] = float(half)
    for name, epochs in needed.dropna(axis="columns").items():
        measured[f"{_key(name)}_epochs_needed"] = float(epochs.mean())
    return measured


def verdict(measured: Mapping[str, float], name: str) -> str:
    """How another parameterisation compares with log-variance, from `leads`: at the end, and on average."""
    key, seeds = _key(name), measured["seeds_compared"]
    needed = measured.get(f"{key}_epochs_needed")
    reached = "not with every seed" if needed is None else f"after {needed:.1f} epochs"
    last, half_last = measured[f"{key}_behind_last"], measured.get(f"{key}_behind_last_interval")
    said = (
        f"{name} comes within {NEAR:g} nat of log-variance's end {reached} "
        f"(log-variance after {measured['log_variance_epochs_needed']:.1f}), is in the last epoch {_apart(last)} "
        f"log-variance{'' if half_last is None else f' (± {half_last:.2f})'}"
    )
    lead, half = measured[f"{key}_behind"], measured.get(f"{key}_behind_interval")
    said += f", and {_apart(lead)} it over the epochs"
    if half is None:
        return f"{said}; with one seed nothing tells whether that is more than chance"
    said += f" (95 % interval over {seeds} seeds: {lead - half:z.2f} to {lead + half:z.2f})"
    if abs(lead) <= half:
        return f"{said}: no difference on average over the epochs that {seeds} seeds can show"
    direction = "higher" if lead > 0 else "lower"
    return f"{said}: its validation objective is {direction} on average over the epochs, the start included"


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
