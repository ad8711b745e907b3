"""The one network beside the separate runs: differences in the objective, with their intervals over seeds."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from vae_core.lessons.one_network_every_weight.model import AS_IT_IS, SEPARATE, Trained, Training, kept
from vae_core.lessons.one_network_every_weight.plan import TIMES
from vae_core.network_file import ABOUT, ARRAYS, write_network
from vae_core.runs import RECORD, Runs, read_json
from vae_core.statistics import Difference, paired_difference

Networks = Mapping[Training, Trained]
AIM = 0.5  # nats per image that the one network may be worse
NETWORK = {times: f"{times} x the epochs of a run" if times > 1 else "the epochs of a run" for times in TIMES}


def of_runs(runs: Runs, measure: str = "objective") -> pd.DataFrame:
    """A measure of the separate runs: one row per seed, one column per weight."""
    return runs.by_seed()[measure]


def of_networks(networks: Networks, measure: str = "objective", **chosen) -> pd.DataFrame:
    """A measure of trainings: one row per seed, one column per weight; chosen: fields of `Training`."""
    rows = {
        training.seed: found.curve.set_index("kl_weight")[measure]
        for training, found in networks.items()
        if all(getattr(training, name) == value for name, value in chosen.items())
    }
    return pd.DataFrame(rows).T.sort_index()


def differences(networks: Networks, runs: Runs, epochs: int) -> dict[tuple[int, float], Difference]:
    """The objective of the one network minus that of the separate run, seed by seed, by times the epochs and weight."""
    theirs = of_runs(runs)
    found = {}
    for times in TIMES:
        ours = of_networks(networks, variant=AS_IT_IS, epochs=times * epochs)
        found |= {(times, weight): paired_difference(ours[weight], theirs[weight]) for weight in shared(ours, theirs)}
    return found


def shared(ours: pd.DataFrame, theirs: pd.DataFrame) -> list[float]:
    """The weights of both tables."""
    return [weight for weight in ours.columns if weight in theirs.columns]


def difference_table(networks: Networks, runs: Runs, epochs: int) -> pd.DataFrame:
    """Rate and objective of the separate runs, and the differences from them, with 95 % intervals; nats per image."""
    rates, objectives = of_runs(runs, "rate").mean(), of_runs(runs).mean()
    found = differences(networks, runs, epochs)
    ours = of_networks(networks, "rate", variant=AS_IT_IS, epochs=TIMES[-1] * epochs).mean()
    weights = [weight for times, weight in found if times == 1]
    return pd.DataFrame(
        {
            "rate of the runs": [f"{rates[weight]:.2f}" for weight in weights],
            f"rate of the network, {NETWORK[TIMES[-1]]}": [f"{ours[weight]:.2f}" for weight in weights],
            "objective of the runs": [f"{objectives[weight]:.2f}" for weight in weights],
            **{
                f"network minus runs, {name}": [found[times, weight].shown("+.2f") for weight in weights]
                for times, name in NETWORK.items()
            },
        },
        index=pd.Index([f"{weight:g}" for weight in weights], name="kl_weight"),
    )


def verdict(networks: Networks, runs: Runs, epochs: int) -> str:
    """At how many weights the network is better, worse, and worse by more than AIM, as Markdown."""
    found, lines = differences(networks, runs, epochs), []
    for times, name in NETWORK.items():
        ones = {weight: one for (of, weight), one in found.items() if of == times}
        if max(one.pairs for one in ones.values()) < 2:
            return "With one seed there is no interval: what is more than chance cannot be told."
        better = _named(weight for weight, one in ones.items() if one.high < 0)
        worse = _named(weight for weight, one in ones.items() if one.low > 0)
        beyond = _named(weight for weight, one in ones.items() if one.mean > AIM)
        lines.append(
            f"- With {name}, of {len(ones)} weights: better beyond the spread at {better}; worse at {worse}; "
            f"on average worse by more than {AIM} nats at {beyond}."
        )
    return "\n".join(lines)


def _named(weights) -> str:
    return ", ".join(f"{weight:g}" for weight in weights) or "none"


def variant_differences(variants: Networks, networks: Networks, epochs: int) -> dict[str, dict[float, Difference]]:
    """The objective of each variant minus that of the network as it is, seed by seed, by variant and weight."""
    ours = of_networks(networks, variant=AS_IT_IS, epochs=epochs)
    found = {}
    for variant in dict.fromkeys(training.variant for training in variants):
        theirs = of_networks(variants, variant=variant)
        found[variant] = {weight: paired_difference(theirs[weight], ours[weight]) for weight in theirs.columns}
    return found


def variant_table(effects: Mapping[str, Mapping[float, Difference]]) -> pd.DataFrame:
    """`variant_differences` in numbers, with 95 % intervals, nats per image."""
    rows = {
        variant: {f"{weight:g}": one.shown("+.2f") for weight, one in ones.items()} for variant, ones in effects.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("without, or with").rename_axis(columns="kl_weight")


def longest(networks: Networks) -> Training:
    """The network of the first seed that was trained longest."""
    return max(networks, key=lambda training: (training.epochs, -training.seed))


def keep(networks: Networks, folder: Path | None) -> str:
    """Write the `longest` network into the folder of a sweep, and say so; without a folder nothing."""
    if not folder:
        return "It was not kept: `keep_in` is empty."
    training = longest(networks)
    write_network(folder, kept(training, networks[training]))
    return f"Kept as `{ABOUT}` and `{ARRAYS}`."


def separate_differences(separate: Networks, networks: Networks, epochs: int) -> pd.DataFrame:
    """The objective of the network minus that of separate runs that were trained as it was, nats per image."""
    ours = of_networks(networks, variant=AS_IT_IS, epochs=epochs)
    rows = {}
    for (weight,) in dict.fromkeys(training.kl_weights for training in separate):
        theirs = of_networks(separate, variant=SEPARATE, kl_weights=(weight,))[weight]
        rows[f"{weight:g}"] = {
            "objective of the separate runs": f"{theirs.mean():.2f}",
            "network minus runs": paired_difference(ours[weight], theirs).shown("+.2f"),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("kl_weight")


def seconds_table(networks: Networks, runs: Runs, epochs: int) -> pd.DataFrame:
    """Seconds of training for one seed: all separate runs, and the one network in place of them."""
    first = min(runs.settings["seed"])
    folders = [folder for folder, seed in zip(runs.folders, runs.settings["seed"], strict=True) if seed == first]
    of_all = sum(read_json(folder / RECORD)["training_seconds"] for folder in folders)
    rows = {f"{len(folders)} separate runs": of_all}
    for times, name in NETWORK.items():
        ones = [found.seconds for training, found in networks.items() if training.epochs == times * epochs]
        rows[f"one network, {name}"] = float(np.mean(ones))
    table = pd.DataFrame({"seconds of training": rows})
    table["times as fast"] = of_all / table["seconds of training"]
    return table.map("{:.1f}".format)
