"""The tables of a sweep: one row per run, one row per weight, and the comparison of two sweeps. Reads no files."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from vae_core.data import DESCRIPTIONS

SETTINGS = ["dataset", "kl_weight", "seed", "epochs", "batch_size", "learning_rate", "hidden_units", "threads"]
LESSON_SETTINGS = ["latent_dim", "architecture", "seeds"]  # of the notebooks beside train_vae, where they have them
LESSON_SETTINGS += ["compared_kl_weight", "point_z0", "point_z1"]
LESSON_SETTINGS += ["labels_into", "label", "cutout_size", "cutout_row", "cutout_column"]
COMPARED = ["distortion", "rate", "objective", "negative_elbo", "nll", "mutual_information", "active_units"]
DRAWN = ["confidence", "class_entropy", "classes", "sharpness"]
ANCHORS = ["entropy_floor", "zero_information_distortion", "images", "samples", "proposals"]


def summary_table(finished: pd.DataFrame) -> pd.DataFrame:
    """One row per run: what it was run with and every measure."""
    settings = [name for name in (*SETTINGS, *LESSON_SETTINGS) if name in finished]
    return finished[settings].join(finished.drop(columns=[*settings, "data_checksum", "folder"]))


def loss_table(summary: pd.DataFrame) -> pd.DataFrame:
    """One row per kl_weight: mean and standard deviation over seeds; with one seed the deviation is not known (NaN)."""
    groups = summary.groupby("kl_weight")
    columns = {"dataset": groups["dataset"].first(), "epochs": groups["epochs"].first(), "seeds": groups.size()}
    for name in _measured(summary):
        columns |= {f"{name}_mean": groups[name].mean(), f"{name}_std": groups[name].std()}
    return pd.DataFrame(columns).reset_index()


def ranked_rates(summary: pd.DataFrame) -> pd.DataFrame:
    """One row per kl_weight: the rates of the latent dimensions, the largest first, mean and deviation over seeds.

    Ranked within each run, since which dimension is which differs from seed to seed.
    """
    names = [name for name in summary if name.startswith("rate_z") and not name.endswith("_se")]
    ranked = pd.DataFrame(-np.sort(-summary[names], axis=1)).groupby(summary["kl_weight"])  # (runs, latent_dim)
    return pd.concat({"mean": ranked.mean(), "std": ranked.std()}, axis=1)


def readable_table(losses: pd.DataFrame, names: Sequence[str] = COMPARED) -> pd.DataFrame:
    """Measures of the loss table with mean ± standard deviation in one cell, indexed by kl_weight.

    Measures that these runs do not have are left out.
    """
    names = [name for name in names if f"{name}_mean" in losses]
    decimals = {name: 4 if name.endswith("sharpness") else 2 for name in names}
    cells = {name: _cells(losses[f"{name}_mean"], losses[f"{name}_std"], decimals[name]) for name in names}
    index = pd.Index([f"{kl_weight:g}" for kl_weight in losses["kl_weight"]], name="kl_weight")
    return pd.DataFrame(cells | {"seeds": losses["seeds"].to_numpy()}, index=index)


def drawn_table(summary: pd.DataFrame) -> pd.DataFrame:
    """What the judge says of samples of the prior and of the mixture, per weight, and of the real test images."""
    losses = loss_table(summary)
    sources = {name: readable_table(losses, [f"{name}_{score}" for score in DRAWN]) for name in ("prior", "mixture")}
    rows = {
        (kl_weight, name): table.loc[kl_weight, [f"{name}_{score}" for score in DRAWN]].tolist()
        for kl_weight in sources["prior"].index
        for name, table in sources.items()
    }
    real = readable_table(losses, [f"test_{score}" for score in DRAWN]).iloc[0]  # the same for every weight
    rows["-", "real test images"] = [real[f"test_{score}"].split(" ")[0] for score in DRAWN]
    index = pd.MultiIndex.from_tuples(rows, names=["kl_weight", "codes from"])
    return pd.DataFrame(list(rows.values()), index=index, columns=DRAWN)


def caption(summary: pd.DataFrame) -> str:
    """What the table is about, in one paragraph: data, settings, anchors."""
    first = summary.iloc[0]
    epochs = " or ".join(str(number) for number in sorted(summary["epochs"].unique()))
    seeds = [str(seed) for seed in sorted(summary["seed"].unique())]
    over = f"mean ± standard deviation over the seeds {', '.join(seeds)}" if len(seeds) > 1 else f"seed {seeds[0]}"
    about = (
        f"{DESCRIPTIONS[first['dataset']]}; {first['images']:,} test images, nats per image; {epochs} epochs; {over}."
    )
    if "entropy_floor" not in first:  # the likelihood is no Bernoulli
        return about
    entropy = "the entropy of the grey values" if first["entropy_floor"] else "the pixels are black or white"
    return (
        f"{about} "
        f"No distortion can be below {first['entropy_floor']:.2f} ({entropy}); a collapsed code, "
        f"which is the prior for every image, has rate 0 and, at the mean training image, "
        f"distortion {first['zero_information_distortion']:.2f}."
    )


def loss_table_page(summary: pd.DataFrame) -> str:
    """The loss table as Markdown, with its caption."""
    table = readable_table(loss_table(summary)).to_markdown(disable_numparse=True, stralign="right")
    return f"{caption(summary)}\n\n{table}\n"


def reproduction_page(summary: pd.DataFrame, published: pd.DataFrame) -> str:
    """The sweep beside the published one, weight by weight, as Markdown; both with one row per run.

    Differences are also given in units of the published standard deviation over seeds.
    """
    ours, theirs = loss_table(summary), loss_table(published)
    both = ours.merge(theirs, on="kl_weight", suffixes=("", "_published"))
    if both.empty:
        return "The two sweeps have no weight in common."
    table = {"kl_weight": [f"{kl_weight:g}" for kl_weight in both["kl_weight"]]}
    for name in ("distortion", "rate", "negative_elbo"):
        here, there, spread = both[f"{name}_mean"], both[f"{name}_mean_published"], both[f"{name}_std_published"]
        table[name] = _cells(here, both[f"{name}_std"])
        table[f"{name}, published"] = _cells(there, spread)
        table[f"{name}, difference"] = [_apart(*numbers) for numbers in zip(here - there, spread, strict=True)]
    shown = pd.DataFrame(table).to_markdown(index=False, disable_numparse=True, stralign="right")
    left_out = sorted(set(ours["kl_weight"]) ^ set(theirs["kl_weight"]))
    notes = [_settings_note(summary, published)]
    notes += [f"Weights that only one of the two has: {', '.join(map('{:g}'.format, left_out))}."] if left_out else []
    notes += ["A spread is the published standard deviation over seeds; with few seeds it is itself uncertain."]
    return f"{' '.join(notes)}\n\n{shown}"


def _settings_note(summary: pd.DataFrame, published: pd.DataFrame) -> str:
    names = ["epochs", "batch_size", "learning_rate", "hidden_units"]
    values = {name: (_values(summary[name]), _values(published[name])) for name in names}
    differing = [f"{name} {here} (published: {there})" for name, (here, there) in values.items() if here != there]
    if differing:
        return f"**Made with other settings, so the numbers need not agree: {'; '.join(differing)}.**"
    return "Made with the settings of the published sweep."


def _measured(summary: pd.DataFrame) -> list[str]:
    left_out = {*SETTINGS, *LESSON_SETTINGS, *ANCHORS}
    return [name for name in summary if name not in left_out and not name.endswith("_se")]


def _values(column: pd.Series) -> str:
    return ", ".join(f"{value:g}" for value in sorted(column.unique()))


def _cells(means: pd.Series, stds: pd.Series, decimals: int = 2) -> list[str]:
    return [mean_and_spread(*numbers, decimals) for numbers in zip(means, stds, strict=True)]


def _apart(difference: float, spread: float) -> str:
    return f"{difference:+.2f} ({difference / spread:+.1f} spreads)" if spread > 0 else f"{difference:+.2f}"


def mean_and_spread(mean: float, std: float, decimals: int = 2) -> str:
    """mean ± standard deviation; the mean alone where there is no deviation."""
    return f"{mean:z.{decimals}f}" if np.isnan(std) else f"{mean:z.{decimals}f} ± {std:.{decimals}f}"
