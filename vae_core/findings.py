"""What a sweep shows, computed from its tables: statements that come out otherwise if the numbers do."""

from itertools import pairwise

import numpy as np
import pandas as pd

from vae_core.tables import mean_and_spread

COLLAPSED_RATE = 0.1  # nats per image; one bit is 0.69


def findings(summary: pd.DataFrame, losses: pd.DataFrame) -> pd.DataFrame:
    """Questions about the sweep with their answers and the numbers behind them.

    summary: one row per run, losses: one row per kl_weight, as the collector makes them
    """
    first = summary.iloc[0]
    rows = [
        _best_bound(losses),
        _monotone(losses, "rate", "fall", -1),
        _monotone(losses, "distortion", "rise", 1),
        _collapsed(losses, first["zero_information_distortion"]),
        _bought(losses, first["entropy_floor"], first["zero_information_distortion"]),
    ]
    return pd.DataFrame(rows, columns=["question", "answer", "numbers (nats/image)"]).set_index("question")


def exchange_rates(losses: pd.DataFrame) -> pd.DataFrame:
    """Nats of distortion paid for each nat of rate saved, between neighbouring weights.

    At a minimum of distortion + kl_weight * rate the price -d distortion / d rate equals kl_weight, so between two
    neighbours it should lie between their weights.
    """
    rows = []
    for (_, low), (_, high) in pairwise(losses.iterrows()):
        saved = low["rate_mean"] - high["rate_mean"]
        price = (high["distortion_mean"] - low["distortion_mean"]) / saved if saved else np.nan
        between = low["kl_weight"] <= price <= high["kl_weight"]
        rows.append((f"{low['kl_weight']:g} to {high['kl_weight']:g}", saved, price, "yes" if between else "no"))
    columns = ["kl_weight", "rate saved [nats]", "distortion paid per nat", "between the two weights?"]
    return pd.DataFrame(rows, columns=columns).set_index("kl_weight")


def _best_bound(losses: pd.DataFrame) -> tuple[str, str, str]:
    ranked = losses.sort_values("negative_elbo_mean").head(3)
    bounds = map(mean_and_spread, ranked["negative_elbo_mean"], ranked["negative_elbo_std"])
    numbers = [f"{kl_weight:g}: {bound}" for kl_weight, bound in zip(ranked["kl_weight"], bounds, strict=True)]
    return "Which weight gives the lowest negative ELBO?", f"{ranked['kl_weight'].iloc[0]:g}", "; ".join(numbers)


def _monotone(losses: pd.DataFrame, name: str, verb: str, sign: int) -> tuple[str, str, str]:
    values = losses[f"{name}_mean"].to_numpy()
    steps = zip(pairwise(losses["kl_weight"]), np.diff(values) * sign > 0, strict=True)
    broken = [f"{low:g} to {high:g}" for (low, high), as_expected in steps if not as_expected]
    answer = f"not from {', '.join(broken)}" if broken else "yes, at every step"
    return f"Does the {name} {verb} as the weight grows?", answer, f"{values[0]:.2f} to {values[-1]:.2f}"


def _collapsed(losses: pd.DataFrame, zero_information: float) -> tuple[str, str, str]:
    question = f"Which weights leave an empty code, with a rate below {COLLAPSED_RATE}?"
    collapsed = losses[losses["rate_mean"] < COLLAPSED_RATE]
    if collapsed.empty:
        return question, "none", f"least rate {losses['rate_mean'].min():.2f}"
    answer = ", ".join(f"{kl_weight:g}" for kl_weight in collapsed["kl_weight"])
    distortions = ", ".join(f"{distortion:.2f}" for distortion in collapsed["distortion_mean"])
    return question, answer, f"distortion {distortions}; without information {zero_information:.2f}"


def _bought(losses: pd.DataFrame, floor: float, zero_information: float) -> tuple[str, str, str]:
    question = "How far from no information to a perfect copy does the least distortion get?"
    best = losses.loc[losses["distortion_mean"].idxmin()]
    share = (zero_information - best["distortion_mean"]) / (zero_information - floor)
    numbers = f"{zero_information:.2f} to {best['distortion_mean']:.2f}; perfect {floor:.2f}"
    return question, f"{share:.0%}, at {best['kl_weight']:g}", numbers
