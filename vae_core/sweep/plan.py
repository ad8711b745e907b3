"""Which runs a sweep has: those that its options ask for, and which of them a results folder holds already."""

import argparse
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import papermill

from vae_core import runs
from vae_core.data import load_dataset
from vae_core.errors import InputError
from vae_core.parameters import check_parameters
from vae_core.provenance import git_state

REFERENCE = "train_vae"  # the notebook of the sweep that report, gallery and README are about
KL_WEIGHTS = (0.0, 0.02, 0.1, 0.5, 1.0, 2.0, 10.0, 20.0)
TYPES = {"float": float, "int": int, "str": str}
INSTEAD = {
    "dataset": "--dataset",
    "kl_weight": "--kl-weights",
    "seed": "--seeds",
    "epochs": "--epochs",
    "data_dir": "the environment variable VAE_DATA_DIR",
    "run_dir": "--results",
}
PLACES = ("dataset", "data_dir", "run_dir")  # parameters of a notebook that are no settings of the model


@dataclass(frozen=True, eq=False)
class Run:
    """One planned run: the notebook's parameters, and the config.json that its folder will have."""

    parameters: Mapping[str, object]
    config: Mapping[str, object]

    @property
    def name(self) -> str:
        """The name of its folder."""
        return runs.run_name(self.config["kl_weight"], self.config["seed"])


@dataclass(frozen=True)
class Plan:
    """The runs of a sweep, and the settings that older runs get where their config.json lacks one."""

    runs: Sequence[Run]
    defaults: Mapping[str, object]

    @property
    def dataset(self) -> str:
        """The name of the data set, which is never auto."""
        return self.runs[0].config["dataset"]


@dataclass(frozen=True)
class Found:
    """What a results folder holds of a plan.

    finished: the folders of all finished runs with the plan's settings, at whatever weight and seed
    lacking: for each of them that is older than a setting, the names of the settings that its config.json lacks
    """

    missing: Sequence[Run]
    finished: Sequence[Path]
    lacking: Mapping[Path, tuple[str, ...]]


def plan(options: argparse.Namespace, notebooks: Path = runs.NOTEBOOKS) -> Plan:
    """The runs that the options ask for. Raises InputError for options, types and numbers that cannot be.

    The notebook itself checks the words among its parameters, before it trains.
    """
    if options.workers < 1:
        raise InputError(f"--workers must be at least 1, not {options.workers}")
    declared = _declared_parameters(notebooks, options.notebook)
    defaults = {name: _typed(declared[name]["default"], name, declared) for name in declared}
    chosen = {name: _typed(text, name, declared) for name, text in _extra_parameters(options, declared).items()}
    chosen |= {"epochs": options.epochs} if options.epochs is not None else {}
    settings = _without_places(defaults | chosen)
    default_weights = KL_WEIGHTS if options.notebook == REFERENCE else (settings["kl_weight"],)
    combinations = [
        {"kl_weight": kl_weight, "seed": seed}
        for seed in dict.fromkeys(options.seeds)
        for kl_weight in dict.fromkeys(options.kl_weights or default_weights)
    ]
    numbers = {name: value for name, value in settings.items() if not isinstance(value, str)}
    for combination in combinations:
        check_parameters(numbers | combination)
    make_folders_absolute()
    dataset = load_dataset(options.dataset or defaults["dataset"])
    settings = {"dataset": dataset.name, **settings}
    planned = [
        Run(settings | combination, runs.run_config(settings | combination, dataset.checksum))
        for combination in combinations
    ]
    return Plan(planned, _without_places(defaults))


def make_folders_absolute() -> None:
    """Rewrite the folders in the environment that a notebook reads, since notebooks run in folders of their own."""
    for variable in ("VAE_DATA_DIR", "KERAS_HOME"):
        if folder := os.environ.get(variable):
            os.environ[variable] = str(Path(folder).resolve())


def sort_out(planned: Plan, sweep_dir: Path, rerun: bool) -> Found:
    """What is done and what is missing. Raises InputError if runs with other settings would be mixed in.

    A setting that a config.json lacks counts as the default of today: the run was made before there was such a
    parameter.
    """
    by_name = {run.name: run for run in planned.runs}
    finished, lacking, other = [], {}, {}
    for folder in runs.finished_folders(sweep_dir):
        config = runs.read_json(folder / "config.json")
        absent = tuple(name for name in planned.defaults if name not in config)
        there = config | {name: planned.defaults[name] for name in absent}
        expected = {**planned.runs[0].config, "kl_weight": there["kl_weight"], "seed": there["seed"]}
        if there == expected:
            finished.append(folder)
            lacking |= {folder: absent} if absent else {}
        elif not (rerun and folder.name in by_name):
            other[folder.name] = _differences(there, expected)
    if other:
        named = "; ".join(f"{name} ({differences})" for name, differences in other.items())
        advice = "replace them with --rerun" if set(other) <= set(by_name) else "move them away"
        raise InputError(f"{sweep_dir} has runs with other settings: {named}; {advice}, or choose another --results")
    done = {folder.name for folder in finished}
    return Found([run for name, run in by_name.items() if name not in done], finished, lacking)


def remarks(planned: Plan, found: Found) -> Iterator[str]:
    """What to say before the missing runs start: how many are done, by which code, and which lack a setting."""
    missing = {run.name for run in found.missing}
    names = {run.name for run in planned.runs} - missing
    done = [folder for folder in found.finished if folder.name in names]
    yield f"{len(done)} of {len(planned.runs)} runs are done already{_other_code(done)}"
    for absent, number in Counter(found.lacking.values()).items():
        made, counts = ("run was", "it counts") if number == 1 else ("runs were", "they count")
        values = ", ".join(f"{name} {planned.defaults[name]!r}" for name in absent)
        yield f"{number} {made} made before {' and '.join(absent)} existed: {counts} as {values}"


def _other_code(done: Sequence[Path]) -> str:
    """A remark if the code is not that of all finished runs."""
    commit = git_state()["git_commit"]
    before = {runs.read_json(folder / runs.RECORD)["git_commit"] for folder in done} - {commit}
    return (
        f"; the code has changed since ({', '.join(str(c)[:7] for c in before)} then), they are kept" if before else ""
    )


def _differences(there: Mapping[str, object], planned: Mapping[str, object]) -> str:
    names = [name for name in planned | there if there.get(name) != planned.get(name)]
    return ", ".join(f"{name} {there.get(name)}, now {planned.get(name)}" for name in names)


def _declared_parameters(notebooks: Path, notebook: str) -> dict[str, dict]:
    """The parameters of a notebook that makes a run, with their defaults. Raises InputError for another notebook."""
    known = {path.stem: papermill.inspect_notebook(str(path)) for path in sorted(notebooks.glob("*.ipynb"))}
    runnable = {name: parameters for name, parameters in known.items() if {"kl_weight", "run_dir"} <= set(parameters)}
    if notebook not in runnable:
        raise InputError(f"--notebook must be one of {', '.join(runnable)}, not {notebook!r}")
    return runnable[notebook]


def _extra_parameters(options: argparse.Namespace, declared: Mapping[str, dict]) -> dict[str, str]:
    for name, _ in options.parameter:
        if name in INSTEAD:
            raise InputError(f"-p {name}: use {INSTEAD[name]} instead")
        if name not in declared:
            known = ", ".join(sorted(set(declared) - set(INSTEAD)))
            raise InputError(f"-p {name}: {options.notebook} has no such parameter; for -p it has {known}")
    return dict(options.parameter)


def _typed(text: str, name: str, declared: Mapping[str, dict]) -> object:
    """A value as the type that the notebook's parameters cell gives it; papermill itself would pass a string."""
    type_name = declared[name]["inferred_type_name"]
    try:
        return TYPES[type_name](text.strip("\"'"))
    except ValueError:
        raise InputError(f"-p {name}: {text!r} is not of type {type_name}") from None


def _without_places(parameters: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in parameters.items() if name not in PLACES}
