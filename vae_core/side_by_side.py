"""Many trainings side by side, each in a process of its own, and none of them twice. Imports no Keras."""

import os
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import joblib

from vae_core.data import cache_dir
from vae_core.dataset import Dataset
from vae_core.progress import progress_bar
from vae_core.provenance import PACKAGE, source_hash


class Job(Protocol):
    """What is to be trained: a frozen dataclass whose fields say all of it, and how many epochs it takes."""

    all_epochs: int


def train_all(
    train: Callable,
    plan: Sequence[Job],
    dataset: Dataset,
    data_dir: str,
    settings: Mapping[str, object],
    modules: Sequence[str],
    workers: int,
) -> dict[Job, object]:
    """What `train` returns for each job of the plan: by job, so many side by side.

    A job that this computer has done before, with the same settings, images and code, is not done again: so a notebook
    that was stopped goes on where it was. What was done is kept beside the data sets that have been downloaded.

    train: a function of a module, called as train(job, dataset, data_dir, settings, wanted_by); wanted_by is the number
        of the process that waits for it, and `stop_if_alone` ends it when that is gone
    settings: of `train_vae`, for all jobs
    modules: those of `vae_core` that decide the numbers, beside the one of `train`
    """
    code = source_hash([*(PACKAGE / f"{name}.py" for name in modules), Path(sys.modules[train.__module__].__file__)])
    once = joblib.Memory(_folder(), verbose=0).cache(_once, ignore=["data_dir", "wanted_by"])
    images = (dataset.path or dataset.name, data_dir, dataset.checksum)
    jobs = [
        joblib.delayed(_numbered)(number, once, train, job, *images, dict(settings), code, os.getpid())
        for number, job in enumerate(plan)
    ]
    done = {}
    with warnings.catch_warnings(), progress_bar(sum(job.all_epochs for job in plan), "all", unit="epoch") as bar:
        warnings.filterwarnings("ignore", message="A worker stopped")  # joblib starts another when it has grown
        for number, found in joblib.Parallel(workers, return_as="generator_unordered", batch_size=1)(jobs):
            done[number] = found
            bar.update(plan[number].all_epochs)
    return {job: done[number] for number, job in enumerate(plan)}


def stop_if_alone(wanted_by: int) -> None:
    """Raise SystemExit if the process that waits for this one is gone."""
    if wanted_by not in (os.getpid(), os.getppid()):
        raise SystemExit("the notebook is gone")


def _once(
    train: Callable,
    job: Job,
    dataset: str,
    data_dir: str,
    checksum: str,
    settings: dict[str, object],
    code: str,
    wanted_by: int,
) -> object:
    """What `train` returns, kept under the checksum of the images and that of the code too."""
    return train(job, dataset, data_dir, settings, wanted_by)


def _numbered(number: int, once: Callable, *arguments) -> tuple[int, object]:
    return number, once(*arguments)


def _folder() -> Path | None:
    """Where trainings are kept; None if nothing can be written there."""
    folder = cache_dir() / "trainings"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return folder if os.access(folder, os.W_OK) else None
