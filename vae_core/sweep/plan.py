"""Which runs a command has: one sweep for each combination of settings, each with all weights and seeds."""

import argparse
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vae_core import runs
from vae_core.data import load_dataset
from vae_core.dataset import Dataset
from vae_core.environment import check_backend
from vae_core.errors import InputError
from vae_core.parameters import check_parameters
from vae_core.report.captions import incomparable
from vae_core.settings import DEFAULTS, KL_WEIGHTS, check_settings
from vae_core.sweep.axes import axes, combinations, declared_parameters, default_values, label
from vae_core.sweep.folders import comparison_name, sweep_name

DIGITS = 12  # of a weight: np.arange(0, 1, 0.1) has 0.30000000000000004, which is meant as 0.3
PLACES = ("dataset", "data_dir", "run_dir")  # parameters of a notebook that are no settings of the model
INSIDE = ("kl_weight", "seed")  # what differs between the runs of one sweep


@dataclass(frozen=True, eq=False)
class Run:
    """One planned run: the notebook's parameters, and the config.json that its folder will have."""

    parameters: Mapping[str, object]
    config: Mapping[str, object]

    @property
    def name(self) -> str:
        """The name of its folder."""
        return runs.run_name(self.config["kl_weight"], self.config["seed"])


@dataclass(frozen=True, eq=False)
class Sweep:
    """The runs with the same settings.

    name: of its folder; empty if all settings are the defaults
    label: in words, what tells it from the other sweeps of the plan; empty if there are none
    defaults: the settings that older runs get where their config.json lacks one
    """

    name: str
    label: str
    runs: Sequence[Run]
    defaults: Mapping[str, object]


@dataclass(frozen=True, eq=False)
class Plan:
    """All sweeps of a command.

    notebook, dataset: their names; that of the data set is never auto
    train_shape: of the training images, (N, height, width, channels)
    comparison: the name of the folder that puts the sweeps side by side; empty if there is one sweep
    """

    sweeps: Sequence[Sweep]
    notebook: str
    dataset: str
    train_shape: tuple[int, int, int, int]
    comparison: str

    @property
    def place(self) -> Path:
        """The folder in the results for the sweeps of this notebook and data set."""
        return Path("kl_sweep" if self.notebook == runs.REFERENCE else f"lessons/{self.notebook}", self.dataset)

    @property
    def no_comparison(self) -> str:
        """Why the sweeps cannot stand side by side; empty if they can."""
        first, *others = (DEFAULTS | sweep.runs[0].config for sweep in self.sweeps)
        return next(filter(None, (incomparable(first, other) for other in others)), "")


def plan(
    options: argparse.Namespace, notebooks: Path = runs.NOTEBOOKS, usual: Mapping[str, object] | None = None
) -> Plan:
    """The runs that the options ask for. Raises InputError for options and settings that cannot be.

    usual: values that count as the defaults of this command, in place of the notebook's own
    """
    if options.workers < 1:
        raise InputError(f"--workers must be at least 1, not {options.workers}")
    check_backend()
    declared = declared_parameters(notebooks, options.notebook)
    own = default_values(declared)
    defaults = own | (usual or {})
    chosen = combinations(options, declared)
    several = axes(chosen)
    settings = {
        label(several, combination): _without((*PLACES, *INSIDE), defaults | combination) for combination in chosen
    }
    inside = _inside(options, defaults["kl_weight"])
    for words, setting in settings.items():
        _check(words, [setting | each for each in inside])
    make_folders_absolute()
    dataset = load_dataset(options.dataset or defaults["dataset"])
    sweeps = [
        Sweep(
            name=sweep_name(setting, defaults),
            label=words,
            runs=[_run(dataset, setting | each) for each in inside],
            defaults=_without(PLACES, own),
        )
        for words, setting in settings.items()
    ]
    comparison = comparison_name(several, next(iter(settings.values())), defaults) if several else ""
    return Plan(sweeps, options.notebook, dataset.name, dataset.train_images.shape, comparison)


def _inside(options: argparse.Namespace, default_weight: float) -> list[dict[str, object]]:
    """The weights and seeds of each sweep."""
    default_weights = KL_WEIGHTS if options.notebook == runs.REFERENCE else (default_weight,)
    return [
        {"kl_weight": kl_weight, "seed": seed}
        for seed in dict.fromkeys(options.seeds)
        for kl_weight in dict.fromkeys(map(_without_noise, options.kl_weights or default_weights))
    ]


def _check(words: str, all_settings: Sequence[Mapping[str, object]]) -> None:
    """Refuse what no run can be made with, and name the combination if there are several."""
    try:
        for settings in all_settings:
            check_parameters({name: value for name, value in settings.items() if not isinstance(value, str | None)})
            check_settings(settings)
    except InputError as error:
        raise InputError(f"{words}: {error}" if words else str(error)) from None


def _run(dataset: Dataset, settings: Mapping[str, object]) -> Run:
    """The user's own images are a path to the notebook, and a name in the results."""
    parameters = {"dataset": dataset.path or dataset.name, **settings}
    return Run(parameters, runs.run_config(parameters | {"dataset": dataset.name}, dataset.checksum))


def make_folders_absolute() -> None:
    """Rewrite the folders in the environment that a notebook reads, since notebooks run in folders of their own."""
    for variable in ("VAE_DATA_DIR", "KERAS_HOME"):
        if folder := os.environ.get(variable):
            os.environ[variable] = str(runs.user_folder(folder, variable).resolve())


def _without_noise(kl_weight: float) -> float:
    """The weight that was meant; 0.0 for -0.0."""
    return float(f"{kl_weight:.{DIGITS}g}") + 0.0


def _without(names: Sequence[str], parameters: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in parameters.items() if name not in names}
