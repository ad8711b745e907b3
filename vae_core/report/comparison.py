"""Sweeps with different settings, side by side: what may stand beside each other, its tables, and what differs."""

import os
import re
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path

import pandas as pd
from IPython.display import Image, Markdown

from vae_core import runs as run_folders
from vae_core.errors import InputError
from vae_core.figures import comparison as figures
from vae_core.figures.files import save_figure
from vae_core.report.advice import advice
from vae_core.report.captions import conditions, images, incomparable, shared_settings
from vae_core.report.diverged import diverged, sound
from vae_core.report.published import PUBLISHED, SWEEPS, notebook_of, read_sweep
from vae_core.report.tables import decimals, loss_table
from vae_core.runs import RESULTS, Runs
from vae_core.statistics import Difference, mean_and_spread, paired_difference

NOT_COMPARED = ("kl_weight", "seed", "threads", "dataset", "data_checksum")  # settings that are not what a label says
COMPARED = ("nll", "negative_elbo", "distortion", "rate", "mutual_information", "active_units")
FIGURES = {  # each with the measures of which one must be there, and its title
    "rate_distortion": (figures.rate_distortion, ("rate",), "{}; numbers: kl_weight"),
    "active_units": (figures.active_units, ("active_units",), "Active units: {}"),
    "curves": (figures.curves, tuple(figures.CURVES), "{}"),
}
# Measures of single dimensions, which another latent_dim does not have; summary.csv has them.
PER_DIMENSION = re.compile(r"_z\d+|collapse_weight\d+")


def sweep_folders(folders: Sequence[str | Path]) -> list[Path]:
    """The folders of sweeps that a person names; of none, those that are published for MNIST.

    Raises InputError for a folder that is not there or is there twice.
    """
    if not folders:
        published = SWEEPS / "mnist"
        inside = (path for path in sorted(published.iterdir()) if run_folders.finished_folders(path))
        return [published, *(path for path in inside if not run_folders.is_done(path))]
    found = [run_folders.user_folder(folder, "a folder") for folder in folders]
    for folder in found:
        if not folder.is_dir():
            raise InputError(f"{folder} is not there: name the folder of a sweep, such as results/kl_sweep/mnist")
    for one, other in combinations(found, 2):
        if one.resolve() == other.resolve():
            raise InputError(f"{one} and {other} are the same folder: name each once")
    return found


def read_sweeps(folders: Sequence[Path]) -> dict[str, Runs]:
    """The finished runs of each folder, under a label that says in what it differs from the others.

    Raises InputError if a folder has no finished run, or if -log p(x) is not of the same kind everywhere: of the same
    images, and everywhere a density or everywhere a probability.
    """
    sweeps = {folder: read_sweep(folder) for folder in folders}
    settings = {folder: _settings(sweep) for folder, sweep in sweeps.items()}
    first, *others = folders
    for other in others:
        if reason := incomparable(settings[first], settings[other]):
            raise InputError(f"{first} and {other} cannot be compared: {reason}")
    return dict(zip(_labels(settings), sweeps.values(), strict=True))


def draw(output: Path, name: str, sweeps: Mapping[str, Runs]) -> Image | Markdown:
    """Draw one of FIGURES into the output folder, for a notebook; where no run has its measures, a sentence says so.

    Runs that have diverged are in none of them.
    """
    function, measures, words = FIGURES[name]
    losses = {label: loss_table(sound(sweep)) for label, sweep in sweeps.items() if sound(sweep).folders}
    wanted = {f"{measure}_mean" for measure in measures}
    losses = {label: table for label, table in losses.items() if wanted & set(table)}
    if not losses:
        return Markdown(f"*There is no figure: no run that has not diverged has {' or '.join(measures)}.*")
    return save_figure(output / f"{name}.png", function(losses, words.format(_title(sweeps))))


def _title(sweeps: Mapping[str, Runs]) -> str:
    """What figures say of the data and the seeds."""
    settings = pd.concat([sweep.settings for sweep in sweeps.values()])
    seeds = ", ".join(map(str, sorted(settings["seed"].unique())))
    return f"{settings['dataset'].iloc[0]}, test images, seed{'s' if ',' in seeds else ''} {seeds}"


def comparison_table(sweeps: Mapping[str, Runs]) -> pd.DataFrame:
    """One row per run: its sweep, the settings that differ, weight and seed, then the measures that are no dimension's.

    A column that no run has a value for is left out.
    """
    tables = []
    for label, sweep in sweeps.items():
        names = dict.fromkeys([name for name in COMPARED if name in sweep.measures] + list(sweep.measures))
        measures = sweep.measures[[name for name in names if not PER_DIMENSION.search(name)]]
        own = _settings(sweep)
        named = {name: own.get(name) for name in differing([_settings(other) for other in sweeps.values()])}
        weights = sweep.settings[["kl_weight", "seed"]]
        tables.append(measures.assign(diverged=diverged(sweep.measures)).pipe(weights.join))
        for place, (name, value) in enumerate(named.items()):
            tables[-1].insert(place, name, [value] * len(sweep.folders))
        tables[-1].insert(0, "setting", label)
    return pd.concat(tables, ignore_index=True).dropna(axis=1, how="all")


def differing(settings: Sequence[Mapping[str, object]]) -> list[str]:
    """The names of the settings that are not the same in all sweeps, in the order in which runs have them."""
    names = dict.fromkeys(name for own in settings for name in own if name not in NOT_COMPARED)
    return [name for name in names if len({str(own.get(name)) for own in settings}) > 1]


def side_by_side(sweeps: Mapping[str, Runs], names: Sequence[str] = COMPARED) -> pd.DataFrame:
    """One row per weight and setting: the measures that all have, mean ± standard deviation over seeds."""
    losses = {label: loss_table(sweep).set_index("kl_weight") for label, sweep in sweeps.items()}
    names = [name for name in names if all(f"{name}_mean" in table for table in losses.values())]
    rows = {}
    for kl_weight in sorted({weight for table in losses.values() for weight in table.index}):
        for label, table in losses.items():
            if kl_weight in table.index:
                row = table.loc[kl_weight]
                cells = [mean_and_spread(row[f"{name}_mean"], row[f"{name}_std"], decimals(name)) for name in names]
                rows[f"{kl_weight:g}", label] = [*cells, f"{int(row['seeds'])}"]
    index = pd.MultiIndex.from_tuples(rows, names=["kl_weight", "setting"])
    return pd.DataFrame(list(rows.values()), index=index, columns=[*names, "seeds"])


def differences(sweeps: Mapping[str, Runs], names: Sequence[str] = COMPARED) -> pd.DataFrame:
    """How much each setting differs from the first, weight by weight: the mean over seeds that both have.

    In brackets is its 95 % interval, seed by seed, where there are two seeds or more. A difference that is larger than
    the spread, so that 0 is not in its interval, is in bold.
    """
    by_seed = [(label, sound(sweep).by_seed()) for label, sweep in sweeps.items() if sound(sweep).folders]
    if len(by_seed) < 2:
        return pd.DataFrame()
    (first, reference), *others = by_seed
    names = [name for name in names if all(name in own for _, own in by_seed)]
    rows = {}
    for label, own in others:
        for kl_weight in reference["rate"].columns.intersection(own["rate"].columns):
            found = [_difference(own, reference, name, kl_weight) for name in names]
            if any(difference.pairs for difference in found):
                cells = [_cell(difference, decimals(name)) for name, difference in zip(names, found, strict=True)]
                rows[label, f"{kl_weight:g}"] = [*cells, f"{max(difference.pairs for difference in found)}"]
    index = pd.MultiIndex.from_tuples(rows, names=[f"beside {first}", "kl_weight"]) if rows else None
    return pd.DataFrame(list(rows.values()), index=index, columns=[*names, "common seeds"])


def differences_page(sweeps: Mapping[str, Runs]) -> str:
    """`differences` as Markdown, and what can be said of their uncertainty."""
    if len(sweeps) == 1:
        return "There is one setting, and so nothing to compare it with."
    table = differences(sweeps)
    if table.empty:
        return "No two settings have a weight and a seed in common: there is nothing to compare seed by seed."
    seeds = table["common seeds"].astype(int)
    words = (
        "Bold: larger than the spread over seeds, so that 0 is not in the 95 % interval of the mean difference, seed "
        "by seed. Of twenty differences that are none, one is expected in bold."
        if seeds.max() > 1
        else "Each difference is that of one seed: whether it is larger than the spread over seeds cannot be said."
    )
    return f"{table.reset_index().to_markdown(index=False, disable_numparse=True)}\n\n{words}"


def advice_of_each(sweeps: Mapping[str, Runs]) -> pd.DataFrame:
    """Which weight is for what, in each setting: a row for each purpose, a column for each setting."""
    answers = {label: advice(sweep)["kl_weight"] for label, sweep in sweeps.items() if sound(sweep).folders}
    purposes = dict.fromkeys(purpose for own in answers.values() for purpose in own.index)
    return pd.DataFrame(answers).reindex(list(purposes)).fillna("-").rename_axis("for")


def captions(sweeps: Mapping[str, Runs]) -> str:
    """What the sweeps are about: their images, and a Markdown list of what each was run with."""
    (first, *_) = sweeps.values()
    listed = "\n".join(f"- **{label}**: {conditions(sweep)}" for label, sweep in sweeps.items())
    return f"{images(first)}, nats per image.\n\n{listed}"


def write_table(output: Path, sweeps: Mapping[str, Runs]) -> None:
    """Write comparison.csv: `comparison_table`."""
    run_folders.replace_file(output / "comparison.csv", comparison_table(sweeps).to_csv(index=False))


def output_folder(output: str, folders: Sequence[Path]) -> Path:
    """The folder that a person names for the comparison, made if it is not there.

    Without a name it is comparison/ in the folder that all the others are in, or are; of published sweeps, which only
    their authors write, in results/. Raises InputError if it cannot be made.
    """
    folder = run_folders.user_folder(output, "output") if output else _usual_output(common_parent(folders))
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder} cannot be written ({error.strerror}): choose another output") from error
    return folder


def _usual_output(parent: Path) -> Path:
    return (RESULTS if parent.is_relative_to(PUBLISHED) else parent) / "comparison"


def _settings(sweep: Runs) -> dict[str, object]:
    return {"notebook": notebook_of(sweep.folders[0]), **shared_settings(sweep)}


def _labels(settings: Mapping[Path, Mapping[str, object]]) -> list[str]:
    """What differs, in words; the folders where that does not tell them apart."""
    names = differing(list(settings.values()))
    labels = [", ".join(f"{name} {_word(own.get(name))}" for name in names) for own in settings.values()]
    if len(set(labels)) == len(labels) and all(labels):
        return labels
    return [os.path.relpath(folder, common_parent(settings)) for folder in settings]


def common_parent(folders: Sequence[Path]) -> Path:
    """The folder that all folders are in, or are."""
    return Path(os.path.commonpath([folder.resolve() for folder in folders]))


def _word(value: object) -> str:
    if value is None or (isinstance(value, float) and pd.isna(value)):
        return "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _difference(own: pd.DataFrame, reference: pd.DataFrame, name: str, kl_weight: float) -> Difference:
    if kl_weight not in own[name] or kl_weight not in reference[name]:  # no run there has the measure
        return paired_difference([], [])
    return paired_difference(own[name][kl_weight], reference[name][kl_weight])


def _cell(difference: Difference, decimals: int) -> str:
    if not difference.pairs:
        return "-"
    words = difference.shown(f"+z.{decimals}f")
    return f"**{words}**" if difference.beyond_spread else words
