"""All walks of a plan, several side by side, and none of them twice."""

import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import joblib
import pandas as pd

from vae_core.data import cache_dir
from vae_core.dataset import Dataset
from vae_core.lessons.where_codes_collapse import walks
from vae_core.lessons.where_codes_collapse.walks import Walk
from vae_core.progress import progress_bar
from vae_core.provenance import PACKAGE, source_hash

TRAINS = ("models", "losses", "likelihoods", "training", "noise", "binarise")  # modules that decide a walk's numbers


def take_all(
    plan: Sequence[Walk], dataset: Dataset, data_dir: str, settings: Mapping[str, object], workers: int
) -> dict[Walk, pd.DataFrame]:
    """Take all walks, so many side by side, each in a process of its own: what `walks.take` returns, by walk.

    A walk that this computer has taken before, with the same settings, images and code, is not taken again: so a
    notebook that was stopped goes on where it was. Walks are kept beside the data sets that have been downloaded.

    settings: of `train_vae`, for all walks
    """
    code = source_hash([*(PACKAGE / f"{name}.py" for name in TRAINS), Path(walks.__file__)])
    take = joblib.Memory(_folder(), verbose=0).cache(_take, ignore=["data_dir", "wanted_by"])
    images = (dataset.path or dataset.name, data_dir, dataset.checksum)
    jobs = [
        joblib.delayed(_numbered)(number, take, walk, *images, dict(settings), code, os.getpid())
        for number, walk in enumerate(plan)
    ]
    taken = {}
    with warnings.catch_warnings(), progress_bar(sum(walk.all_epochs for walk in plan), "walks", unit="epoch") as bar:
        warnings.filterwarnings("ignore", message="A worker stopped")  # joblib starts another when it has grown
        for number, frame in joblib.Parallel(workers, return_as="generator_unordered", batch_size=1)(jobs):
            taken[number] = frame
            bar.update(plan[number].all_epochs)
    return {walk: taken[number] for number, walk in enumerate(plan)}


def _take(
    walk: Walk, dataset: str, data_dir: str, checksum: str, settings: dict[str, object], code: str, wanted_by: int
) -> pd.DataFrame:
    """`walks.take`, kept under the checksum of the images and that of the code too."""
    return walks.take(walk, dataset, data_dir, settings, wanted_by)


def _numbered(number: int, take, *arguments) -> tuple[int, pd.DataFrame]:
    return number, take(*arguments)


def _folder() -> Path | None:
    """Where walks are kept; None if nothing can be written there."""
    folder = cache_dir() / "walks"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return folder if os.access(folder, os.W_OK) else None
