"""What the results hold already of a planned sweep: in which folder, which of its runs are done and which are not."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vae_core import runs
from vae_core.errors import InputError
from vae_core.sweep.plan import Plan, Run, Sweep

NAMED = 3  # of many folders in a message
CHECKSUM = 8  # characters of one in a message


@dataclass(frozen=True, eq=False)
class Found:
    """What the folder of a sweep holds of it.

    finished: the folders of all finished runs with the sweep's settings, at whatever weight and seed
    lacking: for each of them that is older than a setting, the names of the settings that its config.json lacks
    left_out: folders that look like runs and are none, and why
    """

    sweep: Sweep
    sweep_dir: Path
    missing: Sequence[Run]
    finished: Sequence[Path]
    lacking: Mapping[Path, tuple[str, ...]]
    left_out: Mapping[Path, str]

    @property
    def done(self) -> list[Path]:
        """The folders of the planned runs that are done."""
        names = {run.name for run in self.sweep.runs}
        return [folder for folder in self.finished if folder.name in names]


@dataclass(frozen=True, eq=False)
class Task:
    """One missing run.

    name: what it is called among the runs of all sweeps
    label: what it is called while it runs
    sweep_dir: where its folder will be
    """

    name: str
    label: str
    run: Run
    sweep_dir: Path


def find(planned: Plan, base: Path, rerun: bool) -> list[Found]:
    """What there is of each sweep. Raises InputError if runs with other settings would be mixed in."""
    folders = [sweep_folder(sweep, base) for sweep in planned.sweeps]
    if len(set(folders)) < len(folders):
        raise InputError(f"{base} has runs with several settings: move them away, or add --results and another folder")
    return [sort_out(sweep, folder, rerun) for sweep, folder in zip(planned.sweeps, folders, strict=True)]


def tasks(found: Sequence[Found]) -> list[Task]:
    """The missing runs of all sweeps. Their names and labels say no more than is needed to tell them apart."""
    several_sweeps = len(found) > 1
    several_seeds = len({run.config["seed"] for each in found for run in each.sweep.runs}) > 1
    listed = []
    for each in found:
        for run in each.missing:
            label = f"{each.sweep.label}, " if several_sweeps else ""
            label += f"kl {run.config['kl_weight']:g}"
            label += f" (seed {run.config['seed']})" if several_seeds else ""
            name = f"{each.sweep_dir.name}/{run.name}" if several_sweeps else run.name
            listed.append(Task(name, label, run, each.sweep_dir))
    return listed


def sweep_folder(sweep: Sweep, base: Path) -> Path:
    """Where the sweep's runs are: in the folder that is named after its settings.

    If there is none yet and the base itself has runs with exactly these settings, made when every sweep had a base of
    its own, it is that one: nothing finished is lost.
    """
    own = base / sweep.name
    is_in_base = any(_has_settings(folder, sweep) for folder in base.glob("kl_*"))
    return base if is_in_base and not runs.finished_folders(own) else own


def sort_out(sweep: Sweep, sweep_dir: Path, rerun: bool) -> Found:
    """What is done and what is missing. Raises InputError if runs with other settings would be mixed in.

    A setting that a config.json lacks counts as the default of today: the run was made before there was such a
    parameter.
    """
    by_name = {run.name: run for run in sweep.runs}
    folders = runs.run_folders(sweep_dir)
    finished, lacking, other = [], {}, {}
    for folder in (folder for folder, fault in folders.items() if fault is None):
        there, expected, absent = _compared(folder, sweep)
        if there == expected:
            finished.append(folder)
            lacking |= {folder: absent} if absent else {}
        elif not (rerun and folder.name in by_name):
            other[folder.name] = _differences(there, expected)
    if other:
        raise InputError(f"{sweep_dir} has runs with other settings: {_way_out(other, replaceable=set(by_name))}")
    weights = {runs.read_json(folder / "config.json")["kl_weight"] for folder in finished}
    _check_labels(weights | {run.config["kl_weight"] for run in sweep.runs})
    done = {folder.name for folder in finished}
    missing = [run for name, run in by_name.items() if name not in done]
    return Found(
        sweep, sweep_dir, missing, finished, lacking, {folder: fault for folder, fault in folders.items() if fault}
    )


def _has_settings(folder: Path, sweep: Sweep) -> bool:
    """Whether the folder is a finished run of this sweep, at whatever weight and seed."""
    try:
        there, expected, _ = _compared(folder, sweep)
    except (OSError, ValueError, KeyError, TypeError):  # it is no run
        return False
    return there == expected and runs.fault_in_sweep(folder) is None


def _compared(folder: Path, sweep: Sweep) -> tuple[dict[str, object], dict[str, object], tuple[str, ...]]:
    """The run's settings, those that it has if it is of the sweep, and the names of settings that it is older than."""
    config = runs.read_json(folder / "config.json")
    absent = tuple(name for name in sweep.defaults if name not in config)
    there = config | {name: sweep.defaults[name] for name in absent}
    expected = {**sweep.runs[0].config, "kl_weight": there["kl_weight"], "seed": there["seed"]}
    return there, expected, absent


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
        value = config.get(name, "no setting")
        return value[:CHECKSUM] if name == "data_checksum" else value

    names = [name for name in planned | there if said(there, name) != said(planned, name)]
    return ", ".join(f"{name} {said(there, name)}, now {said(planned, name)}" for name in names)


def _check_labels(kl_weights: Collection[float]) -> None:
    """Raise InputError for two weights that tables, figures and the explorer would show as the same."""
    for label, number in Counter(f"{kl_weight:g}" for kl_weight in kl_weights).items():
        if number > 1:
            alike = ", ".join(repr(weight) for weight in sorted(kl_weights) if f"{weight:g}" == label)
            raise InputError(
                f"kl_weight {alike} are all {label} in tables: choose one, or move the runs of others away"
            )
