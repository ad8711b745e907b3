"""Which executed notebooks there are, in one or several results folders: of the same one the first folder's counts."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vae_core import runs
from vae_core.report.collect import COMPARISON, COMPARISON_FILE, REPORT, REPORT_FILE
from vae_core.report.reading_order import READING_ORDER, Entry

EXPLORER, EXPLORER_FILE = "explore", "explorer.html"
RUN_FILE = "run.ipynb"
SWEEPS, LESSONS = "kl_sweep", "lessons"
SET_ASIDE = {"failed", "kept", "replaced"}  # folders of a sweep


@dataclass(frozen=True)
class Sweep:
    """A folder with finished runs. name: from its results folder on, such as kl_sweep/mnist."""

    name: str
    folder: Path
    runs: runs.Runs

    def executed(self) -> list[Path]:
        """The folders of the runs whose notebooks are there, by weight and seed."""
        return [folder for folder in self.runs.folders if (folder / RUN_FILE).is_file()]

    def nearest_to_one(self) -> list[Path]:
        """The same, the run whose weight is nearest to 1 first."""
        distance = dict(zip(self.runs.folders, (self.runs.settings["kl_weight"] - 1).abs(), strict=True))
        return sorted(self.executed(), key=distance.get)


@dataclass(frozen=True)
class Chapter:
    """A notebook of the reading order, and where it was executed; None if it was not."""

    entry: Entry
    executed: Path | None


def find_sweeps(results: Sequence[Path]) -> list[Sweep]:
    """All sweeps in which a notebook of a run, a report or an explorer is left; first those in kl_sweep/."""
    found: dict[str, Sweep] = {}
    for kind in (SWEEPS, LESSONS):
        for folder in results:
            for sweep_dir in _sweep_folders(folder / kind):
                name = sweep_dir.relative_to(folder).as_posix()
                finished = runs.finished_folders(sweep_dir)
                if name not in found and finished:
                    found[name] = Sweep(name, sweep_dir, runs.read_runs(finished))
    return list(found.values())


def _sweep_folders(place: Path) -> list[Path]:
    left = [path.parent for name in (REPORT_FILE, EXPLORER_FILE) for path in place.rglob(name)]
    left += [path.parent.parent for path in place.rglob(RUN_FILE)]
    return [folder for folder in sorted(set(left)) if not SET_ASIDE & set(folder.relative_to(place).parts)]


def find_chapters(results: Sequence[Path], sweeps: Sequence[Sweep]) -> list[Chapter]:
    """The reading order, each notebook with the place where it was executed."""
    return [Chapter(entry, _executed(entry.name, results, sweeps)) for entry in READING_ORDER]


def _executed(name: str, results: Sequence[Path], sweeps: Sequence[Sweep]) -> Path | None:
    in_sweep = {runs.REFERENCE: RUN_FILE, REPORT: REPORT_FILE, EXPLORER: EXPLORER_FILE}
    if name in in_sweep:
        return _of_reference(in_sweep[name], sweeps)
    alone = [folder / LESSONS / f"{name}.ipynb" for folder in results]
    if name == COMPARISON:
        alone = [path for folder in results for path in sorted((folder / SWEEPS).rglob(COMPARISON_FILE))]
    own = [sweep for sweep in sweeps if sweep.name.startswith(f"{LESSONS}/{name}/")]
    with_runs = [folder / RUN_FILE for sweep in own for folder in sweep.nearest_to_one()]
    return next((path for path in [*alone, *with_runs] if path.is_file()), None)


def _of_reference(file_name: str, sweeps: Sequence[Sweep]) -> Path | None:
    """A file of the sweep that the chapters are about: that of MNIST, or else the first that has the file."""
    own = [sweep for sweep in sweeps if sweep.name.startswith(f"{SWEEPS}/")]
    for sweep in sorted(own, key=lambda sweep: sweep.name != f"{SWEEPS}/mnist"):
        folders = sweep.nearest_to_one() if file_name == RUN_FILE else [sweep.folder]
        for folder in folders:
            if (folder / file_name).is_file():
                return folder / file_name
    return None
