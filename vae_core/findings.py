"""What a sweep shows, computed from its tables: statements that come out otherwise if the numbers do."""

from itertools import pairwise

import numpy as np
import pandas as pd

COLLAPSED_RATE = 0.1  # nats per image: less than this cannot even tell two equally likely images apart well


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


def reproduction(losses: pd.DataFrame, published: pd.DataFrame) -> pd.DataFrame:
    """The sweep beside the published one at the weights that both have; differences also in published spreads.

    A difference of up to about two spreads is what another seed makes.
    """
    both = losses.merge(published, on="kl_weight", suffixes=("", "_published"))
    columns = {"kl_weight": [f"{kl_weight:g}" for kl_weight in both["kl_weight"]]}
    for name in ("distortion", "rate", "negative_elbo"):
        difference = both[f"{name}_mean"] - both[f"{name}_mean_published"]
        columns[name] = both[f"{name}_mean"]
        columns[f"{name}, published"] = both[f"{name}_mean_published"]
        columns[f"{name}, spreads apart"] = difference / both[f"{name}_std_published"]
    return pd.DataFrame(columns).set_index("kl_weight")


def _best_bound(losses: pd.DataFrame) -> tuple[str, str, str]:
    ranked = losses.sort_values("negative_elbo_mean")
    best = ranked.iloc[0]
    numbers = "; ".join(
        f"{row.kl_weight:g}: {_spread(row.negative_elbo_mean, row.negative_elbo_std)}"
        for row in ranked.head(3).itertuples()
    )
    return "Which weight gives the lowest negative ELBO?", f"kl_weight {best['kl_weight']:g}", numbers


def _monotone(losses: pd.DataFrame, name: str, verb: str, sign: int) -> tuple[str, str, str]:
    values = losses[f"{name}_mean"].to_numpy()
    steps = np.diff(values) * sign > 0
    broken = [
        f"{low:g} to {high:g}"
        for (low, high), step in zip(pairwise(losses["kl_weight"]), steps, strict=True)
        if not step
    ]
    answer = f"not from {', '.join(broken)}" if broken else "yes, at every step"
    return f"Does the {name} {verb} as the weight grows?", answer, f"{values[0]:.2f} to {values[-1]:.2f}"


def _collapsed(losses: pd.DataFrame, zero_information: float) -> tuple[str, str, str]:
    collapsed = losses[losses["rate_mean"] < COLLAPSED_RATE]
    answer = ", ".join(f"{kl_weight:g}" for kl_weight in collapsed["kl_weight"]) or "none"
    numbers = "; ".join(
        f"{row.kl_weight:g}: rate {row.rate_mean:.3f}, distortion {row.distortion_mean:.2f}"
        for row in collapsed.itertuples()
    )
    question = (
        f"At which weights is the code empty (rate below {COLLAPSED_RATE}, distortion near {zero_information:.2f})?"
    )
    return question, answer, numbers or f"least rate {losses['rate_mean'].min():.2f}"


def _bought(losses: pd.DataFrame, floor: float, zero_information: float) -> tuple[str, str, str]:
    best = losses.loc[losses["distortion_mean"].idxmin()]
    share = (zero_information - best["distortion_mean"]) / (zero_information - floor)
    question = "How much of the way from no information to a perfect copy does the best code go?"
    return (
        question,
        f"{share:.0%}, at kl_weight {best['kl_weight']:g}",
        f"{zero_information:.2f} to {best['distortion_mean']:.2f}, floor {floor:.2f}",
    )


def _spread(mean: float, std: float) -> str:
    return f"{mean:.2f}" if np.isnan(std) else f"{mean:.2f} ± {std:.2f}"
