"""Which runs a sweep has: those that its options ask for, and which of them a results folder holds already."""

import argparse
import os
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import papermill

from vae_core import runs
from vae_core.data import load_dataset
from vae_core.environment import check_backend
from vae_core.errors import InputError
from vae_core.parameters import check_parameters

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
DIGITS = 12  # of a weight: np.arange(0, 1, 0.1) has 0.30000000000000004, which is meant as 0.3
NAMED = 3  # of many folders in a message
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
    left_out: folders that look like runs and are none, and why
    """

    missing: Sequence[Run]
    finished: Sequence[Path]
    lacking: Mapping[Path, tuple[str, ...]]
    left_out: Mapping[Path, str]


def plan(options: argparse.Namespace, notebooks: Path = runs.NOTEBOOKS) -> Plan:
    """The runs that the options ask for. Raises InputError for options, types and numbers that cannot be.

    The notebook itself checks the words among its parameters, before it trains.
    """
    if options.workers < 1:
        raise InputError(f"--workers must be at least 1, not {options.workers}")
    check_backend()
    declared = _declared_parameters(notebooks, options.notebook)
    defaults = {name: _typed(declared[name]["default"], name, declared) for name in declared}
    chosen = {name: _typed(text, name, declared) for name, text in _extra_parameters(options, declared).items()}
    chosen |= {"epochs": options.epochs} if options.epochs is not None else {}
    settings = _without_places(defaults | chosen)
    default_weights = KL_WEIGHTS if options.notebook == runs.REFERENCE else (settings["kl_weight"],)
    combinations = [
        {"kl_weight": kl_weight, "seed": seed}
        for seed in dict.fromkeys(options.seeds)
        for kl_weight in dict.fromkeys(map(_without_noise, options.kl_weights or default_weights))
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
            os.environ[variable] = str(runs.user_folder(folder, variable).resolve())


def sort_out(planned: Plan, sweep_dir: Path, rerun: bool) -> Found:
    """What is done and what is missing. Raises InputError if runs with other settings would be mixed in.

    A setting that a config.json lacks counts as the default of today: the run was made before there was such a
    parameter.
    """
    by_name = {run.name: run for run in planned.runs}
    folders = runs.run_folders(sweep_dir)
    finished, lacking, other = [], {}, {}
    for folder in (folder for folder, fault in folders.items() if fault is None):
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
        raise InputError(f"{sweep_dir} has runs with other settings: {_way_out(other, replaceable=set(by_name))}")
    weights = {runs.read_json(folder / "config.json")["kl_weight"] for folder in finished}
    _check_labels(weights | {run.config["kl_weight"] for run in planned.runs})
    done = {folder.name for folder in finished}
    missing = [run for name, run in by_name.items() if name not in done]
    return Found(missing, finished, lacking, {folder: fault for folder, fault in folders.items() if fault})


def _way_out(other: Mapping[str, str], replaceable: Collection[str]) -> str:
    """The runs that are in the way, grouped by what differs, and how to keep or to replace them."""
    groups: dict[str, list[str]] = {}
    for name, differences in other.items():
        groups.setdefault(differences, []).append(name)
    named = "; ".join(f"{_some(names)} ({differences})" for differences, names in groups.items())
    replace = "to replace them, add --rerun" if set(other) <= set(replaceable) else "or move them away"
    return f"{named}; to keep both, add --results and another folder, such as results/second; {replace}"


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:NAMED])
    return f"{shown} and {len(names) - NAMED} more" if len(names) > NAMED else shown


def _differences(there: Mapping[str, object], planned: Mapping[str, object]) -> str:
    def said(config: Mapping[str, object], name: str) -> object:
        return config.get(name, "no setting")

    names = [name for name in planned | there if said(there, name) != said(planned, name)]
    return ", ".join(f"{name} {said(there, name)}, now {said(planned, name)}" for name in names)


def _without_noise(kl_weight: float) -> float:
    """The weight that was meant; 0.0 for -0.0."""
    return float(f"{kl_weight:.{DIGITS}g}") + 0.0


def _check_labels(kl_weights: Collection[float]) -> None:
    """Raise InputError for two weights that tables, figures and the explorer would show as the same."""
    for label, number in Counter(f"{kl_weight:g}" for kl_weight in kl_weights).items():
        if number > 1:
            alike = ", ".join(repr(weight) for weight in sorted(kl_weights) if f"{weight:g}" == label)
            raise InputError(
                f"kl_weight {alike} are all {label} in tables: choose one, or move the runs of others away"
            )


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
