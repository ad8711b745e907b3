"""The tables of a sweep: one row per weight, and the comparison of two sweeps."""

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

from vae_core.report.captions import caption, shared_settings
from vae_core.report.diverged import diverged
from vae_core.runs import Runs
from vae_core.statistics import mean_and_spread

PREDICTED = "predicted_active_units"
COMPARED = [
    *("distortion", "rate", "objective", "negative_elbo", "nll", "mutual_information", "active_units", PREDICTED),
]
EXACTNESS = ["nll_above_quadrature", "quadrature_change", "nll_change"]  # how exact nll is
PREDICTED_WEIGHT = re.compile(r"collapse_weight\d+")  # one per latent dimension
DRAWN = ["confidence", "class_entropy", "classes", "sharpness"]
DRAWN_WITHOUT_LABELS = ["sharpness", "precision", "recall"]


def loss_table(runs: Runs) -> pd.DataFrame:
    """One row per kl_weight: mean and standard deviation over seeds; with one seed the deviation is NaN.

    What the law of collapse predicts is the same for every seed, and has a mean alone. Of the `seeds` of a weight,
    `diverged` have diverged. They are not in its means, unless all have.
    """
    kl_weight, gone = runs.settings["kl_weight"], diverged(runs.measures)
    counted = ~gone | gone.groupby(kl_weight).transform("all")
    settings, measures = runs.settings.groupby(kl_weight), runs.measures[counted].groupby(kl_weight)
    columns = {"dataset": settings["dataset"].first(), "epochs": settings["epochs"].first(), "seeds": settings.size()}
    columns["diverged"] = gone.groupby(kl_weight).sum()
    for name in runs.measures:
        if not name.endswith("_se"):
            columns[f"{name}_mean"] = measures[name].mean()
            if name != PREDICTED and not PREDICTED_WEIGHT.fullmatch(name):
                columns[f"{name}_std"] = measures[name].std()
    return pd.DataFrame(columns).reset_index()


def ranked_rates(runs: Runs) -> pd.DataFrame:
    """One row per kl_weight: the rates of the latent dimensions, the largest first, mean and deviation over seeds.

    Ranked within each run, since which dimension is which differs from seed to seed.
    """
    names = [name for name in runs.measures if name.startswith("rate_z") and not name.endswith("_se")]
    ranked = pd.DataFrame(-np.sort(-runs.measures[names], axis=1))  # (runs, latent_dim)
    groups = ranked.groupby(runs.settings["kl_weight"])
    return pd.concat({"mean": groups.mean(), "std": groups.std()}, axis=1)


def collapse_weights(runs: Runs) -> np.ndarray:
    """The weights above which the latent units are predicted to die, (latent_dim,), descending; else (0,).

    All runs of a sweep have the same, but for those from before there was a prediction, which have none.
    """
    names = [name for name in runs.measures if PREDICTED_WEIGHT.fullmatch(name)]
    return runs.measures[names].dropna().head(1).to_numpy().ravel()


def readable_table(losses: pd.DataFrame, names: Sequence[str] = COMPARED) -> pd.DataFrame:
    """Measures of the loss table with mean ± standard deviation in one cell, indexed by kl_weight.

    Measures that these runs do not have are left out. A column counts the runs that have diverged, if any have.
    """
    names = [name for name in names if f"{name}_mean" in losses]
    stds = losses.reindex(columns=[f"{name}_std" for name in names])  # a prediction has none
    cells = {name: _cells(losses[f"{name}_mean"], stds[f"{name}_std"], decimals(name)) for name in names}
    index = pd.Index([f"{kl_weight:g}" for kl_weight in losses["kl_weight"]], name="kl_weight")
    counted = ["seeds", "diverged"] if losses["diverged"].any() else ["seeds"]
    return pd.DataFrame(cells | {name: losses[name].to_numpy() for name in counted}, index=index)


def drawn_table(runs: Runs) -> pd.DataFrame:
    """The scores of samples from the prior and from the mixture, per weight, and of real images.

    With labels they are the judge's, and the real images the test images. Without labels they are how the samples lie
    among the test images, and the real images are the training images, with the sharpness of the test images.
    """
    labelled = "prior_precision" not in runs.measures
    scores, real_name = (DRAWN, "real test images") if labelled else (DRAWN_WITHOUT_LABELS, "real images")
    real = [f"{'train' if score in ('precision', 'recall') else 'test'}_{score}" for score in scores]
    wanted = [*(f"{source}_{score}" for source in ("prior", "mixture") for score in scores), *real]
    measures = runs.measures.reindex(columns=runs.measures.columns.union(wanted, sort=False))  # one may be missing
    losses = loss_table(Runs(runs.settings, measures, runs.folders))
    sources = {name: readable_table(losses, [f"{name}_{score}" for score in scores]) for name in ("prior", "mixture")}
    rows = {
        (kl_weight, name): table.loc[kl_weight, [f"{name}_{score}" for score in scores]].tolist()
        for kl_weight in sources["prior"].index
        for name, table in sources.items()
    }
    first = measures.iloc[0]  # the same for every run
    rows["-", real_name] = [mean_and_spread(first[name], np.nan, decimals(name)) for name in real]
    index = pd.MultiIndex.from_tuples(rows, names=["kl_weight", "codes from"])
    return pd.DataFrame(list(rows.values()), index=index, columns=scores)


def loss_table_page(runs: Runs) -> str:
    """The loss table as Markdown, with its caption."""
    table = readable_table(loss_table(runs)).to_markdown(disable_numparse=True, stralign="right")
    return f"{caption(runs)}\n\n{table}\n"


def reproduction_page(runs: Runs, published: Runs) -> str:
    """The sweep beside the published one, weight by weight, as Markdown.

    Differences are also given in units of the published standard deviation over seeds.
    """
    ours, theirs = loss_table(runs), loss_table(published)
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
    notes = [_settings_note(runs, published)]
    notes += [f"Weights that only one of the two has: {', '.join(map('{:g}'.format, left_out))}."] if left_out else []
    notes += ["A spread is the published standard deviation over seeds; with few seeds it is itself uncertain."]
    return f"{' '.join(notes)}\n\n{shown}"


def _settings_note(runs: Runs, published: Runs) -> str:
    here, there = shared_settings(runs), shared_settings(published)
    names = [name for name in here if name in there and name not in ("data_checksum", "threads")]
    differing = [f"{name} {here[name]} (published: {there[name]})" for name in names if here[name] != there[name]]
    if differing:
        return f"**Made with other settings, so the numbers need not agree: {'; '.join(differing)}.**"
    return "Made with the settings of the published sweep."


def _cells(means: pd.Series, stds: pd.Series, decimals: int = 2) -> list[str]:
    return [mean_and_spread(*numbers, decimals) for numbers in zip(means, stds, strict=True)]


def decimals(name: str) -> int:
    """How many decimals of a measure tables show."""
    if name == PREDICTED:
        return 0
    return 4 if name.endswith("sharpness") else 2


def _apart(difference: float, spread: float) -> str:
    if np.isnan(difference):
        return "-"
    return f"{difference:+.2f} ({difference / spread:+.1f} spreads)" if spread > 0 else f"{difference:+.2f}"
