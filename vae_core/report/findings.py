"""What a sweep shows, computed from its tables: if the numbers change, so do the statements."""

from functools import partial
from itertools import pairwise

import numpy as np
import pandas as pd

from vae_core.report.diverged import sound
from vae_core.report.tables import loss_table
from vae_core.runs import Runs
from vae_core.statistics import Difference, may_be_best, mean_and_spread, mean_difference, paired_difference


def findings(runs: Runs) -> pd.DataFrame:
    """Questions about the runs that have not diverged, with their answers and the numbers behind them."""
    columns, runs = ["question", "answer", "numbers (nats/image)"], sound(runs)
    if not runs.folders:
        return pd.DataFrame(columns=columns).set_index("question")
    losses, anchors = loss_table(runs), runs.measures.iloc[0]
    rows = [
        _best_bound(runs, losses),
        _monotone(runs, losses, "rate", "fall", -1),
        _monotone(runs, losses, "distortion", "rise", 1),
        _collapsed(losses, anchors["zero_information_distortion"]),
    ]
    if "predicted_active_units" in runs.measures:
        rows.append(_predicted(runs))
    if "entropy_floor" in anchors:
        rows.append(_bought(losses, anchors["entropy_floor"], anchors["zero_information_distortion"]))
    return pd.DataFrame(rows, columns=columns).set_index("question")


def best_weight(good: pd.DataFrame) -> tuple[float, list[float]]:
    """Of the weights that may be the best, the one with the largest mean over seeds, and the others; of one seed, none.

    good: what is good if it is large, (seeds, weights)
    """
    candidates = may_be_best(good)
    best = good[candidates].mean().idxmax()
    return best, [other for other in candidates if other != best] if len(good) > 1 else []


def exchange_rates(runs: Runs) -> pd.DataFrame:
    """Nats of distortion paid for each nat of rate saved, between neighbouring weights.

    At a minimum of distortion + kl_weight * rate the price -d distortion / d rate equals kl_weight, so between two
    neighbours it should lie between their weights. The price is the ratio of the mean differences over the seeds that
    both weights have. Its spread is the standard deviation of (difference of distortion - price * rate saved) over
    these seeds, per nat saved. A price whose interval reaches the two weights is within the spread. The intervals of
    all pairs hold together in 95 % of cases.
    """
    runs = sound(runs)
    if not runs.folders:
        return pd.DataFrame()
    by_seed = runs.by_seed()
    distortion, rate = by_seed["distortion"].T, by_seed["rate"].T  # (weights, seeds) each
    paid, saved = distortion.diff().iloc[1:], -rate.diff().iloc[1:]  # (pairs of weights, seeds)
    price = paid.mean(axis=1) / saved.mean(axis=1)
    errors = paid.sub(saved.mul(price, axis=0)).div(saved.mean(axis=1).abs(), axis=0)  # of mean 0
    pairs = list(pairwise(distortion.index))
    reach = [mean_difference(of_pair, comparisons=len(pairs)).high for _, of_pair in errors.iterrows()]
    table = {
        "rate saved [nats]": [f"{nats:.2f}" for nats in saved.mean(axis=1)],
        "distortion paid per nat": map(partial(mean_and_spread, decimals=3), price, errors.std(axis=1)),
        "between the two weights?": map(_verdict, pairs, price, reach),
    }
    index = pd.Index([f"{low:g} to {high:g}" for low, high in pairs], name="kl_weight")
    return pd.DataFrame(table, index=index)


def _verdict(weights: tuple[float, float], price: float, reach: float) -> str:
    low, high = weights
    if not np.isfinite(price):
        return "unknown"
    if low <= price <= high:
        return "yes"
    return "within the spread" if low - reach <= price <= high + reach else "no"


def _best_bound(runs: Runs, losses: pd.DataFrame) -> tuple[str, str, str]:
    best, equals = best_weight(-runs.by_seed()["negative_elbo"])
    answer = f"{best:g}" + (f"; within the spread also {_named(equals)}" if equals else "")
    ranked = losses.sort_values("negative_elbo_mean").head(3)
    return "Which weight gives the lowest negative ELBO?", answer, "; ".join(_per_weight(ranked, "negative_elbo"))


def _monotone(runs: Runs, losses: pd.DataFrame, name: str, verb: str, sign: int) -> tuple[str, str, str]:
    by_seed, means = runs.by_seed()[name], losses.set_index("kl_weight")[f"{name}_mean"]
    steps = list(pairwise(means.index))
    against = [
        f"{low:g} to {high:g}{_remark(paired_difference(by_seed[low], by_seed[high], comparisons=len(steps)))}"
        for low, high in steps
        if sign * (means[high] - means[low]) <= 0
    ]
    answer = f"not from {', '.join(against)}" if against else "yes, at every step"
    answer = answer if len(losses) > 1 else "there is only one weight"
    return f"Does the {name} {verb} as the weight grows?", answer, "; ".join(_per_weight(losses, name))


def _remark(difference: Difference) -> str:
    return " (within the spread)" if difference.within_spread else ""


def _collapsed(losses: pd.DataFrame, zero_information: float) -> tuple[str, str, str]:
    question = "Which weights leave an empty code, without an active unit at any seed?"
    collapsed = losses[losses["active_units_mean"] == 0]
    if collapsed.empty:
        return question, "none", f"at least {losses['active_units_mean'].min():.2f} active units"
    answer = _named(list(collapsed["kl_weight"]))
    distortions = ", ".join(f"{distortion:.2f}" for distortion in collapsed["distortion_mean"])
    return question, answer, f"distortion {distortions}; without information {zero_information:.2f}"


def _predicted(runs: Runs) -> tuple[str, str, str]:
    question = "Where are more or fewer units active than the law of collapse predicts?"
    by_seed = runs.by_seed()
    predicted = by_seed["predicted_active_units"].max()
    beyond = by_seed["active_units"][predicted.index] - predicted  # (seeds, weights)
    differing = [kl_weight for kl_weight in beyond if beyond[kl_weight].any()]
    if not differing:
        return (
            question,
            "nowhere",
            f"{predicted.iloc[0]:g} units at the least weight, {predicted.iloc[-1]:g} at the last",
        )
    weights = beyond.shape[1]
    answer = ", ".join(f"{each:g}{_remark(mean_difference(beyond[each], comparisons=weights))}" for each in differing)
    found = by_seed["active_units"].agg(["mean", "std"])  # (2, weights)
    numbers = [f"{each:g}: {predicted[each]:g} predicted, {mean_and_spread(*found[each])} found" for each in differing]
    return question, f"at {answer}", "; ".join(numbers)


def _bought(losses: pd.DataFrame, floor: float, zero_information: float) -> tuple[str, str, str]:
    question = "How far from no information to a perfect copy does the least distortion get?"
    best = losses.loc[losses["distortion_mean"].idxmin()]
    share = (zero_information - best["distortion_mean"]) / (zero_information - floor)
    numbers = f"{zero_information:.2f} to {best['distortion_mean']:.2f}; perfect {floor:.2f}"
    return question, f"{share:.0%}, at {best['kl_weight']:g}", numbers


def _named(weights: list[float]) -> str:
    return ", ".join(f"{kl_weight:g}" for kl_weight in weights)


def _per_weight(losses: pd.DataFrame, name: str) -> list[str]:
    values = map(mean_and_spread, losses[f"{name}_mean"], losses[f"{name}_std"])
    return [f"{kl_weight:g}: {value}" for kl_weight, value in zip(losses["kl_weight"], values, strict=True)]


def surprises(runs: Runs) -> dict[str, str]:
    """Questions with answers that a reader may not expect; none if the sweep lacks the weight 0 or 1.

    The numbers are means ± standard deviations over seeds; runs that have diverged are left out.
    """
    runs = sound(runs)
    table = loss_table(runs).set_index("kl_weight")
    if not {0.0, 1.0} <= set(table.index):
        return {}
    top, images = table.index.max(), int(runs.measures["images"].iloc[0])

    def at(kl_weight: float, name: str, decimals: int = 2) -> str:
        return mean_and_spread(table.loc[kl_weight, f"{name}_mean"], table.loc[kl_weight, f"{name}_std"], decimals)

    def best(name: str, sign: int, decimals: int) -> str:
        kl_weight, equals = best_weight(sign * runs.by_seed()[name])
        also = f", within the spread also {_named(equals)}" if equals else ""
        return f"{kl_weight:g} ({at(kl_weight, name, decimals)}{also}; {at(1, name, decimals)} at 1)"

    unweighted = runs.measures[runs.settings["kl_weight"] == 0]
    told = (unweighted["mutual_information"] / unweighted["rate"]).mean()
    most = table.loc[0, "rate_mean"] - table.loc[0, "moment_kl_mean"]
    return {
        "Is the rate information?": f"Without the KL term the rate is {at(0, 'rate')} nats, and {told:.1%} of it tells "
        f"the test images apart: {at(0, 'mutual_information')} nats, of ln {images:,} = {np.log(images):.2f} that are "
        f"possible. (However many images there were, it could not be more than {most:.0f} nats: the rest of the rate "
        f"is due to mean and covariance of all codes together, `moment_kl`.) At weight 1 it is "
        f"{at(1, 'mutual_information')} of {at(1, 'rate')}.",
        "How close is the bound to what it bounds?": f"Negative ELBO and -log p(x) (`nll`): {at(0, 'negative_elbo')} "
        f"and {at(0, 'nll')} at weight 0, {at(1, 'negative_elbo')} and {at(1, 'nll')} at 1, "
        f"{at(top, 'negative_elbo')} and {at(top, 'nll')} at {top:g}. The difference is KL(q(z|x) || p(z|x)). (An "
        f"importance-weighted estimate of -log p(x) is above the exact value: by {at(0, 'nll_above_quadrature')} nats "
        f"at weight 0, by {at(1, 'nll_above_quadrature')} at 1.)",
        "Has the decoder learned all digits without the KL term?": "At codes like those of the training images a judge "
        f"sees {at(0, 'mixture_classes', 1)} classes in its pictures, at codes drawn from the prior "
        f"{at(0, 'prior_classes', 1)}. At weight {top:g} it is {at(top, 'mixture_classes', 1)} and "
        f"{at(top, 'prior_classes', 1)}.",
        "Do the codes gather at the origin as the weight grows?": f"At {top:g} the root mean square of the means of "
        f"q(z|x) is {at(top, 'mean_spread')} per dimension, that of draws from it, which is what the decoder gets, "
        f"{at(top, 'draw_spread')} (the prior: 1); {at(top, 'active_units', 1)} units are active, at a rate of "
        f"{at(top, 'rate')} nats.",
        "Which weight is best?": f"Lowest -log p(x): {best('nll', -1, 2)}. Neighbours most often of one class: "
        f"{best('knn_accuracy', 1, 3)}. Samples that spread most evenly over the classes: "
        f"{best('prior_class_entropy', 1, 2)}.",
    }


def surprises_page(runs: Runs) -> str:
    """`surprises` as a Markdown list."""
    return "".join(f"- **{question}** {answer}\n" for question, answer in surprises(runs).items())
