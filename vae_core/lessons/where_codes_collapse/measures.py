"""From walks to the weights at which units die and wake, and how fast a code grows."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from vae_core.collapse.law import units_alive
from vae_core.lessons.where_codes_collapse.walks import DENSE, Walk
from vae_core.measures import ACTIVE_VARIANCE
from vae_core.statistics import Difference, mean_difference

Taken = Mapping[Walk, pd.DataFrame]
DEAD = 1e-12  # variance below which a code is not small but gone, and its logarithm says nothing
SMALL = 0.05  # variance of a code up to which it grows as the linear theory has it


def by_variant(taken: Taken) -> dict[str, dict[Walk, pd.DataFrame]]:
    """The walks of each variant, in the order in which they were planned."""
    groups: dict[str, dict[Walk, pd.DataFrame]] = {}
    for walk, frame in taken.items():
        groups.setdefault(walk.variant, {})[walk] = frame
    return groups


def ends(frame: pd.DataFrame) -> pd.DataFrame:
    """What a walk came to at each weight: its last look at each step and unit, but at the first weight of the walk."""
    return frame[frame["step"] > 0].groupby(["step", "unit"], as_index=False).last()


def active(frame: pd.DataFrame) -> pd.DataFrame:
    """How much of the code is active after each step: `kl_weight`, `active_units` and `active_directions`, by step.

    Units are counted as `vae_core.measures.active_units` has it. Directions are what the law counts: to second order a
    rotation of the latent space changes nothing, so that one direction may be spread over several units.
    """
    found = ends(frame)
    counted = {"active_units": found["variance"], "active_directions": found["principal"]}
    found = found.assign(**{name: values > ACTIVE_VARIANCE for name, values in counted.items()})
    return found.groupby("step").agg({"kl_weight": "first", **dict.fromkeys(counted, "sum")})


def death(frame: pd.DataFrame, unit: int) -> float:
    """The weight at which a unit dies on the way up: where the variance along its direction of the code passes 0.01.

    Between the last step at which it lives and the next, the variance is taken as linear in the weight.

    unit: 1 for the direction of the largest variance, which lives longest
    returns: NaN if so many units never lived, or still live at the highest weight
    """
    up = _variances(frame, unit).loc[: turn(frame)]
    living = up.index[up["principal"] > ACTIVE_VARIANCE]
    if living.empty or living[-1] == up.index[-1]:
        return np.nan
    return _crossing(up.loc[living[-1]], up.loc[living[-1] + 1])


def waking(frame: pd.DataFrame, unit: int) -> float:
    """The weight at which a unit wakes on the way down, as `death` has it; NaN if it never does."""
    down = _variances(frame, unit).loc[turn(frame) :]
    living = down.index[down["principal"] > ACTIVE_VARIANCE]
    if living.empty or living[0] == down.index[0]:
        return np.nan
    return _crossing(down.loc[living[0] - 1], down.loc[living[0]])


def deaths(taken: Taken, weights: np.ndarray, units: int) -> pd.DataFrame:
    """Where the first units die, beside the law: a row per unit, with the mean over the seeds and its 95 % interval.

    weights: predicted, the highest first
    """
    rows = {}
    for unit in range(1, units + 1):
        found = pd.Series([death(frame, unit) for frame in taken.values()])
        rows[unit] = {"predicted": f"{weights[unit - 1]:.2f}", **against(found, float(weights[unit - 1]))}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("unit")


def against(found: pd.Series, predicted: float) -> dict[str, str]:
    """Weights that were found, one per seed, beside the predicted one: their mean, and by what percentage it is off.

    A dash where no unit died, or nothing is predicted; how many died where some did not.
    """
    shares = mean_difference(100 * (found / predicted - 1))
    died = found.notna()
    some = "" if died.all() else f" ({died.sum()} of {len(found)} seeds)"
    return {
        "dies": f"{found.mean():.2f}{some}" if died.any() else "-",
        "off by": with_interval(shares, " %", "+.1f"),
    }


def with_interval(found: Difference, unit: str = "", form: str = "+.2f") -> str:
    """A mean over seeds with its 95 % interval, where there is one; a dash where there is no number."""
    if not found.pairs:
        return "-"
    return found.shown(form) + unit + (" (one seed)" if found.pairs < 2 else "")


def both_ways_table(taken: Taken, weights: np.ndarray, beside: np.ndarray) -> pd.DataFrame:
    """Where each of two units dies on the way up and wakes on the way down, by network: means over the seeds.

    weights: predicted; beside: predicted beside the units that live then, (2,), nan where there is none. Of each unit
    the death is compared with the latter, or with the former where there is none.
    """
    rows = {}
    for network, walks in by_variant(taken).items():
        for unit, (weight, corrected) in enumerate(zip(weights[:2], beside, strict=True), start=1):
            up, down = (pd.Series([way(frame, unit) for frame in walks.values()]) for way in (death, waking))
            woken = down.notna().sum()
            rows[network, unit] = {
                "eigenvalue": f"{weight:.2f}",
                "beside living units": "none" if np.isnan(corrected) else f"{corrected:.2f}",
                **against(up, float(weight if np.isnan(corrected) else corrected)),
                "wakes": f"{down.mean():.2f}" if woken else "-",
                "seeds that wake": f"{woken} of {len(down)}",
            }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis(["network", "unit"])


def shares(taken: Taken, weights: Mapping[str, float]) -> dict[str, pd.Series]:
    """Where the last unit dies as a share of the predicted weight, one number per seed, by variant.

    weights: predicted, by variant
    """
    return {
        variant: pd.Series([death(frame, 1) for frame in walks.values()]) / weights[variant]
        for variant, walks in by_variant(taken).items()
    }


def first_deaths(taken: Taken, laws: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Where the last unit dies, beside the law, by variant; laws: the predicted weights of each."""
    rows = {}
    for variant, found in shares(taken, {name: weights[0] for name, weights in laws.items()}).items():
        weight = laws[variant][0]
        rows[variant] = {"predicted": f"{weight:.2f}", **against(found * weight, weight)}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("pixels")


def counts(taken: Taken, weights: np.ndarray, every: int = 3) -> pd.DataFrame:
    """Directions and units that live beside the law's number, at every third weight: means over the seeds."""
    columns = {}
    for units, walks in by_variant(taken).items():
        found = _mean_active(walks)
        columns[f"{units} units: predicted"] = _living(found.index, weights, int(units))
        columns["directions " + units] = found["active_directions"].map("{:.1f}".format)
        columns["units " + units] = found["active_units"].map("{:.1f}".format)
    table = pd.DataFrame(columns).iloc[::every]
    return table.set_axis([f"{kl_weight:.3g}" for kl_weight in table.index]).rename_axis("kl_weight")


def right_from(taken: Taken, weights: np.ndarray) -> str:
    """From which weight on as many directions live as the law says, within one: sentences in Markdown."""
    parts = []
    for units, walks in by_variant(taken).items():
        found = _mean_active(walks)["active_directions"]
        off = found - _living(found.index, weights, int(units))
        wrong = off.index[off.abs() > 1]
        at = off.abs().idxmax()
        parts.append(
            f"With {units} units the law is within one of the mean over seeds at every weight"
            + (f" above **{wrong[-1]:.3g}**." if len(wrong) else ".")
            + f" It is off most at {at:.3g}, where {found[at] - off[at]:.0f} are predicted and {found[at]:.1f} live."
        )
    return " ".join(parts)


def practice(taken: Mapping[int, Taken], weights: np.ndarray) -> pd.DataFrame:
    """Between which weights the number of living units is decided: a row per latent_dim, the law beside the walks.

    taken: walks by latent_dim; those of other networks or other numbers of units among them do not count
    """
    rows = {}
    for units, walks in taken.items():
        frames = [frame for walk, frame in walks.items() if _has(walk, units)]
        rows[units] = {
            "all units live below": f"{weights[units - 1]:.2f}",
            "all units live below, found": _mean_weight(death(frame, units) for frame in frames),
            "the code is empty above": f"{weights[0]:.2f}",
            "the code is empty above, found": _mean_weight(death(frame, 1) for frame in frames),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("latent_dim")


def standstill(taken: Taken) -> pd.DataFrame:
    """Whether the rates stood still when a weight was left: their change from half of its epochs to the last, in nats.

    A row per variant: the mean over weights and seeds, which is a drift, the standard deviation, which is noise too,
    and at which weight the mean over seeds is farthest from 0.
    """
    rows = {}
    for variant, walks in by_variant(taken).items():
        changes = pd.DataFrame([_changes(frame) for frame in walks.values()])  # a row per seed, a column per step
        mean = changes.mean()
        kl_weight = next(iter(walks)).kl_weights[mean.abs().argmax()]
        rows[variant] = {
            "mean change": f"{changes.stack().mean():+.4f}",
            "standard deviation": f"{changes.stack().std(ddof=0):.4f}",
            "most, mean over seeds": f"{mean[mean.abs().idxmax()]:+.4f} at {kl_weight:.3g}",
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("walk")


def amplitude(frame: pd.DataFrame) -> pd.DataFrame:
    """How large the code is after each look of the last step: `epoch`, and `deviation` along its largest direction."""
    last = frame[frame["step"] == frame["step"].max()]
    found = last.groupby("epoch", as_index=False)["principal"].max()
    return pd.DataFrame({"epoch": found["epoch"], "deviation": np.sqrt(found["principal"].clip(lower=DEAD))})


def growth(frame: pd.DataFrame) -> float:
    """The rate per epoch at which a small code grows: the slope of the logarithm of its deviation over the epochs.

    Looks from the first on, as long as the variance is below SMALL; NaN for fewer than three of them.
    """
    found = amplitude(frame)
    small = found["deviation"] ** 2 < SMALL
    found = found[small.cumprod().astype(bool)]
    if len(found) < 3:
        return np.nan
    return float(np.polyfit(found["epoch"], np.log(found["deviation"]), 1)[0])


def waking_table(taken: Taken, weight: float) -> pd.DataFrame:
    """How fast small codes grow, and how many are awake in the end: a row per network, time off and kl_weight.

    The pace is found from the codes that were collapsed for the shorter time.

    weight: the first predicted one
    """
    groups: dict[tuple, list[pd.DataFrame]] = {}
    for walk, frame in taken.items():
        groups.setdefault((walk.network, walk.start_epochs, walk.kl_weights[0]), []).append(frame)
    shortest = min(walk.start_epochs for walk in taken)
    rows = {}
    for (network, off, kl_weight), frames in groups.items():
        grown = mean_difference(pd.Series([growth(frame) for frame in frames]))
        points = [
            (key[2], growth(one)) for key, ones in groups.items() if key[:2] == (network, shortest) for one in ones
        ]
        rows[network, f"{off} epochs", f"{kl_weight:.3g}"] = {
            "growth per epoch": with_interval(grown),
            "pace x ln(L / kl_weight)": f"{pace(points, weight) * np.log(weight / kl_weight):+.2f}",
            "awake in the end": f"{sum(_awake(frame) for frame in frames)} of {len(frames)}",
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis(["network", "collapsed for", "kl_weight"])


def pace(points: Sequence[tuple[float, float]], weight: float) -> float:
    """How many rounds of "best decoder for this code, best code for this decoder" an epoch is worth.

    One round multiplies a small code by weight / kl_weight, so that growth = pace * ln(weight / kl_weight).

    points: kl_weight and growth of each; weight: the first predicted one
    returns: the pace by least squares; NaN where no growth is known
    """
    known = [point for point in points if np.isfinite(point[1])]
    if not known:
        return np.nan
    kl_weights, growths = np.transpose(known)
    logarithms = np.log(weight / kl_weights)
    return float(logarithms @ growths / (logarithms @ logarithms))


def _mean_active(walks: Taken) -> pd.DataFrame:
    """`active` on the way up, by kl_weight, mean over the seeds."""
    return pd.concat([active(frame) for frame in walks.values()]).groupby("kl_weight").mean()


def _living(kl_weights: pd.Index, weights: np.ndarray, latent_dim: int) -> pd.Series:
    return pd.Series([units_alive(kl_weight, weights, latent_dim) for kl_weight in kl_weights], index=kl_weights)


def _variances(frame: pd.DataFrame, unit: int) -> pd.DataFrame:
    """`kl_weight` and `principal` of the direction of a rank, from 1, by step."""
    found = ends(frame)
    return found[found["unit"] == unit - 1].set_index("step")[["kl_weight", "principal"]]


def _crossing(one: pd.Series, other: pd.Series) -> float:
    """The weight between two steps at which the variance is that of an active unit."""
    share = (ACTIVE_VARIANCE - one["principal"]) / (other["principal"] - one["principal"])
    return float(one["kl_weight"] + share * (other["kl_weight"] - one["kl_weight"]))


def _has(walk: Walk, units: int) -> bool:
    return walk.network == DENSE and dict(walk.settings).get("latent_dim", 2) == units


def _mean_weight(found: Iterable[float]) -> str:
    mean = pd.Series(list(found), dtype=float).mean()
    return "-" if np.isnan(mean) else f"{mean:.2f}"


def _awake(frame: pd.DataFrame) -> bool:
    return amplitude(frame)["deviation"].iloc[-1] ** 2 > ACTIVE_VARIANCE


def turn(frame: pd.DataFrame) -> int:
    """The step of the highest weight, at which a walk turns round."""
    return int(frame["step"][frame["kl_weight"].where(frame["step"] > 0).idxmax()])


def _changes(frame: pd.DataFrame) -> pd.Series:
    """For each step but the first weight's, how much the total rate changed from half of its epochs to the last."""
    rates = frame[frame["step"] > 0].groupby(["step", "epoch"])["rate"].sum().unstack()
    half = rates.columns[rates.columns >= rates.columns.max() / 2][0]
    return rates.iloc[:, -1] - rates[half]
