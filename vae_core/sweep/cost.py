"""What the missing runs will cost, in time and disk: judged by runs that are done, or else by a table."""

import math
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vae_core import runs
from vae_core.report.published import PUBLISHED
from vae_core.report.reading_order import READING_ORDER
from vae_core.sweep.found import Found
from vae_core.sweep.plan import Plan

MINUTES = {entry.name: entry.minutes for entry in READING_ORDER}  # of a run with its notebook's settings, on MNIST
START, IMAGES, PIXELS = 40.0, 55_000, 784  # seconds beside the training; MNIST's training images, and each one's pixels
COLLECTED_SECONDS = 40.0  # tables, figures, explorer and report of a sweep
RUN_BYTES, COLLECTED_BYTES = 4e6, 18e6  # of a run beside its weights; of what a sweep makes of its runs
BYTES_PER_WEIGHT = 12  # with the two moments that Adam keeps of each
SAME, OTHERS, TABLE = range(3)  # what a run's cost is judged by, from good to rough
JUDGED_BY = (
    "as long as those that are done",
    "judged by other runs: a rough estimate",
    "a rough estimate, as none is done yet",
)


@dataclass(frozen=True)
class Cost:
    """Of one run. judged_by: `SAME`, `OTHERS` or `TABLE`."""

    seconds: float
    size: float  # bytes
    judged_by: int


def cost_words(planned: Plan, found: Sequence[Found], results: Path, workers: int | None) -> Iterator[str]:
    """How long the missing runs take, what room they need, and a warning if it is not there.

    workers: that run at the same time; None on a cluster, which may have any number
    """
    missing = [each for each in found if each.missing]
    costs = {each: _cost(each, planned, results) for each in missing}
    seconds = [costs[each].seconds for each in missing for _ in each.missing]
    work = max(sum(seconds) / (workers or 1), max(seconds)) + COLLECTED_SECONDS * len(found)
    size = sum(costs[each].size * len(each.missing) + COLLECTED_BYTES for each in missing)
    free = shutil.disk_usage(_present(results)).free
    judged_by = JUDGED_BY[max(cost.judged_by for cost in costs.values())]
    time = _time(work) + ("" if workers else " on one worker")
    yield f"about {time} ({judged_by}), about {_size(size)} of disk; {_size(free)} are free"
    if size > free:
        yield f"warning: the disk of {results} has no room for all of them"


def _cost(found: Found, planned: Plan, results: Path) -> Cost:
    """What one of the sweep's missing runs costs."""
    config, defaults = found.missing[0].config, found.sweep.defaults
    if same := list(_measured(found.finished, config["epochs"])):
        return Cost(*np.mean(same, axis=0), SAME)
    bases = [results / planned.place, PUBLISHED / planned.place]
    places = [place for base in bases for place in (base, *base.glob("*=*"))]
    if others := list(_measured((run for place in places for run in place.glob("kl_*")), config["epochs"])):
        return Cost(*np.mean(others, axis=0), OTHERS)
    images, *shape = planned.train_shape
    hidden = config.get("hidden_units", 512)
    share = config["epochs"] / defaults["epochs"] * hidden / defaults.get("hidden_units", hidden)
    share *= images * math.prod(shape) / (IMAGES * PIXELS)
    training = (60 * MINUTES.get(planned.notebook, MINUTES[runs.REFERENCE]) - START) * share
    weights = 2 * math.prod(shape) * hidden  # of the encoder's first layer and the decoder's last
    return Cost(START + training, RUN_BYTES + BYTES_PER_WEIGHT * weights, TABLE)


def _measured(folders: Iterable[Path], epochs: int) -> Iterator[tuple[float, float]]:
    """Seconds and bytes of each run that says how long it took, as if it had had so many epochs."""
    for folder in folders:
        try:
            record, had = runs.read_json(folder / runs.RECORD), runs.read_json(folder / "config.json")["epochs"]
            beside = record["notebook_seconds"] - record["training_seconds"]
            seconds = beside + record["training_seconds"] / had * epochs
        except (OSError, ValueError, KeyError, TypeError):  # it is no run, or an old one, or somebody has edited it
            continue
        yield seconds, sum(path.stat().st_size for path in folder.iterdir() if path.is_file())


def _present(folder: Path) -> Path:
    """The folder, or the one above that there is already."""
    return next(place for place in (folder, *folder.parents) if place.exists())


def _time(seconds: float) -> str:
    minutes = max(1, math.ceil(seconds / 60))
    if minutes < 100:
        return f"{minutes} min"
    return f"{minutes / 60:.1f} hours" if minutes < 48 * 60 else f"{minutes / 60 / 24:.1f} days"


def _size(size: float) -> str:
    return f"{size / 1e6:.0f} MB" if size < 1e9 else f"{size / 1e9:.1f} GB"
