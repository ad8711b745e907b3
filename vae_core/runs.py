"""Run folders: their names, what is in them, when a run counts as done, and the table of many of them.

run.ipynb              the executed notebook
config.json            every parameter and the data's checksum: what decides the numbers
dataset.json           the data set's description, classes and shape: what figures and tables call things
history.csv            the losses per epoch
measures.json          the measures on the test images
latent_scatter.png, decoder_manifold.png, decoder_manifold_quantiles.png, decoder_manifold_occupied.png
latent.npz, model.weights.h5
record.json            written last, with the hashes of the others: the run is done if it is there and its numbers hold

In the folder of a sweep a run counts once, in the folder that has its name. Copies and broken folders are left alone.
"""

import hashlib
import json
import math
import os
from collections import ChainMap
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd

from vae_core import contents
from vae_core.data import IMAGE_SHAPE, SOURCES, Dataset
from vae_core.errors import InputError
from vae_core.progress import announce
from vae_core.provenance import provenance

PACKAGE = Path(__file__).resolve().parent
INSTALLED = not (PACKAGE.parent / "pyproject.toml").is_file()  # by `pip install .`, away from the repository
PROJECT = Path.cwd() if INSTALLED else PACKAGE.parent
NOTEBOOKS = PACKAGE / "notebooks" if INSTALLED else PROJECT / "notebooks"
RESULTS = PROJECT / "results"
REFERENCE = "train_vae"  # the notebook of the sweep that report, gallery and README are about
RECORD = "record.json"
NEEDED = ("config.json", "history.csv", "measures.json")  # by tables; all other files of a run may be left out
MODEL_FILES = ("latent.npz", "model.weights.h5")
NUMBERS = (".json", ".csv", ".npz", ".h5")  # a reader may write into all other files of a run and undoes nothing
NO_RUN = (".ipynb", ".log")  # what papermill writes into a run folder before there is a run
IMAGES = {"metadata": {"images": True}}  # in [0, 1], kept with 8 bits


@dataclass(frozen=True)
class Latent:
    """The arrays of latent.npz. N test images; grids have their largest z[1] in row 0.

    A notebook leaves out what it does not make. Images of grids are grey, (height, width), or have a last axis of 3.
    Grids and codes per epoch are those of the shown dimensions, k of them, two or one.
    """

    mean: np.ndarray  # (N, latent_dim), of q(z|x) of the test images
    log_var: np.ndarray  # (N, latent_dim)
    labels: np.ndarray  # (N,), -1 without labels
    dimensions: np.ndarray | None = None  # (k,), the shown ones; if absent, 0 and 1
    manifold: np.ndarray | None = field(default=None, **IMAGES)  # (n, n, height, width), decoded at axes
    axes: np.ndarray | None = None  # (2, n)
    manifold_quantiles: np.ndarray | None = field(default=None, **IMAGES)  # decoded at quantiles
    quantiles: np.ndarray | None = None
    manifold_occupied: np.ndarray | None = field(default=None, **IMAGES)  # decoded at occupied
    occupied: np.ndarray | None = None
    prior_samples: np.ndarray | None = field(default=None, **IMAGES)  # (samples, height, width, channels)
    mixture_samples: np.ndarray | None = field(default=None, **IMAGES)
    epochs: np.ndarray | None = None  # (T,), after which the next four were taken
    epoch_codes: np.ndarray | None = None  # (T, M, 2), of the same validation images
    epoch_labels: np.ndarray | None = None  # (M,)
    epoch_manifolds: np.ndarray | None = field(default=None, **IMAGES)  # (T, n, n, height, width)
    epoch_axes: np.ndarray | None = None  # (2, n)
    traversals: np.ndarray | None = field(default=None, **IMAGES)  # (rows, steps, height, width), one dimension a row
    traversal_dimensions: np.ndarray | None = None  # (rows,)
    traversal_positions: np.ndarray | None = None  # (steps,)


@dataclass(frozen=True)
class About:
    """What figures, tables and pages say of the data of a run: dataset.json.

    path: where the user's own images were; empty for a built-in data set
    """

    name: str
    description: str
    class_names: tuple[str, ...]  # empty without labels
    image_shape: tuple[int, int, int]
    path: str = ""


@dataclass(frozen=True)
class Runs:
    """Finished runs, one row each, sorted by weight and seed: what they were run with, and what came out."""

    settings: pd.DataFrame
    measures: pd.DataFrame
    folders: list[Path]

    def table(self) -> pd.DataFrame:
        """Settings and measures side by side, without the checksum of the data: what summary.csv holds."""
        return self.settings.drop(columns="data_checksum", errors="ignore").join(self.measures)

    def by_seed(self) -> pd.DataFrame:
        """The measures with one row per seed and one column per measure and weight: `by_seed()["rate"][1.0]`."""
        keyed = self.measures.join(self.settings[["kl_weight", "seed"]])
        return keyed.pivot(index="seed", columns="kl_weight").dropna(axis=1, how="all")

    def first_of_each_weight(self) -> "Runs":
        """The first seed's run of each weight."""
        kept = self.settings.drop_duplicates("kl_weight").index
        return self.take(kept)

    def take(self, rows: Iterable[int]) -> "Runs":
        """Some of the runs."""
        rows = list(rows)
        folders = [self.folders[row] for row in rows]
        parts = (part.loc[rows].reset_index(drop=True) for part in (self.settings, self.measures))
        return Runs(*parts, folders)


def run_name(kl_weight: float, seed: int) -> str:
    """The folder's name, two digits before the point and two or more behind it: kl_00.50_seed0."""
    whole, _, decimals = np.format_float_positional(kl_weight, trim="-").partition(".")
    return f"kl_{whole:0>2}.{decimals:0<2}_seed{seed}"


def start_run(
    parameters: Mapping[str, object], data_checksum: str, run_dir: str | Path = "", notebook: str = ""
) -> Path:
    """Make the run's folder and write its config.json; the folder counts as not done until `finish_run`.

    Without `run_dir` the folder is results/single_runs/<notebook>/<dataset>/<name>_<hash of the settings>, so that runs
    with different settings never meet; those of train_vae have no folder <notebook>.

    Raises InputError if the folder cannot be written, or if it holds something else than a run with these settings:
    two notebooks, or a run and somebody's own files, must not meet in one folder.
    """
    config = run_config(parameters, data_checksum)
    if not run_dir:
        settings = hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()[:8]
        name = f"{run_name(config['kl_weight'], config['seed'])}_{settings}"
        run_dir = RESULTS / "single_runs" / notebook / config["dataset"] / name
    folder = user_folder(run_dir, "run_dir")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _refuse_what_is_not_this_run(folder, config, notebook or REFERENCE)
        (folder / RECORD).unlink(missing_ok=True)
        write_json(folder / "config.json", config)
    except OSError as error:
        raise InputError(
            f"the run folder {folder} cannot be written ({error.strerror}): choose another run_dir"
        ) from error
    return folder


def user_folder(text: str | Path, name: str) -> Path:
    """The folder that a person names: ~ is a home folder. Raises InputError, about the option `name`, for none."""
    if not str(text).strip():
        raise InputError(f"{name} is empty: name a folder")
    try:
        return Path(text).expanduser()
    except RuntimeError as error:  # ~nobody
        raise InputError(f"{name} {text}: there is no such home folder") from error


def _refuse_what_is_not_this_run(folder: Path, config: Mapping[str, object], notebook: str) -> None:
    names = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    others = [name for name in names if Path(name).suffix not in NO_RUN]
    try:
        there = read_json(folder / "config.json") if others else config
    except (OSError, ValueError):
        there = None
    if there != config:
        held = "a run with other settings" if isinstance(there, dict) and "kl_weight" in there else ", ".join(others)
        raise InputError(f"the run folder {folder} holds {held}: choose another run_dir")
    # Two notebooks may have parameters of the same names. A record from before it named its notebook is taken for ours.
    if is_done(folder) and (other := read_json(folder / RECORD).get("notebook", notebook)) != notebook:
        raise InputError(f"the run folder {folder} holds a run of {other}: choose another run_dir")


def run_config(parameters: Mapping[str, object], data_checksum: str) -> dict[str, object]:
    """What decides the numbers of a run; the weights 5 and 5.0, 0.0 and -0.0 are the same, as are NumPy's numbers."""
    settings = {name: value.item() if isinstance(value, np.generic) else value for name, value in parameters.items()}
    return {**settings, "kl_weight": abs(float(settings["kl_weight"])), "data_checksum": data_checksum}


def write_dataset(folder: Path, dataset: Dataset) -> None:
    """Write dataset.json: all of `About`."""
    write_json(folder / "dataset.json", {part.name: getattr(dataset, part.name) for part in fields(About)})


def read_dataset(folder: Path) -> About:
    """What `write_dataset` wrote; of a run from before there was a dataset.json, what `SOURCES` says of its data set.

    Raises InputError if neither is there.
    """
    if (folder / "dataset.json").exists():
        about = read_json(folder / "dataset.json")
        return About(**about | {name: tuple(about[name]) for name in ("class_names", "image_shape")})
    name = read_json(folder / "config.json")["dataset"]
    if name not in SOURCES:
        raise InputError(f"{folder} has no dataset.json, which says what {name} is: run it again")
    return About(name, SOURCES[name].description, SOURCES[name].class_names, IMAGE_SHAPE)


def save_latent(folder: Path, latent: Latent, images: Mapping[str, np.ndarray] | None = None, **others) -> None:
    """Write latent.npz: images with 8 bits per pixel, all else as it is.

    images, others: arrays that a lesson keeps beside those of `Latent`
    """
    kept = {part.name: getattr(latent, part.name) for part in fields(Latent)}
    images = {name: kept.pop(name) for name in _image_names()} | dict(images or {})
    grey = {name: _eight_bits(image) for name, image in images.items() if image is not None}
    whole = {name: array for name, array in (kept | others).items() if array is not None}
    np.savez_compressed(folder / "latent.npz", **grey, **whole)


def read_latent(folder: Path) -> Latent:
    """What `save_latent` wrote, images in [0, 1] again."""
    arrays = np.load(folder / "latent.npz")
    found = {part.name: arrays[part.name] for part in fields(Latent) if part.name in arrays}
    return Latent(**found | {name: found[name] / np.float32(255) for name in _image_names() if name in found})


def _image_names() -> list[str]:
    return [part.name for part in fields(Latent) if part.metadata.get("images")]


def _eight_bits(images: np.ndarray) -> np.ndarray:
    return np.round(255 * np.asarray(images)).astype(np.uint8)


def write_json(path: Path, content: Mapping[str, object]) -> None:
    """Write valid JSON; NaN and infinity, which are not, raise ValueError."""
    replace_file(path, json.dumps(content, indent=2, allow_nan=False) + "\n")


def write_measures(folder: Path, measures: Mapping[str, object]) -> None:
    """Write measures.json. A number that is not finite is left out, and a printed line names it: the run stays."""
    missing = [name for name, value in measures.items() if isinstance(value, float) and not math.isfinite(value)]
    write_json(folder / "measures.json", {name: value for name, value in measures.items() if name not in missing})
    if missing:
        print(f"left out of measures.json, since not finite: {', '.join(missing)}")


def finish_run(folder: Path, seconds: list[float], notebook: str = "") -> None:
    """Write record.json: the hashes of the run's other files, and what the numbers do not depend on.

    Files that are older than the run's config.json are not its own. A notebook in the folder is the one that calls
    this, not yet whole: `update_record` adds it. The terminal, if there is one, is told where the folder is.

    seconds: what each epoch took; the first includes the compilation
    notebook: what `start_run` was given
    """
    started = (folder / "config.json").stat().st_mtime_ns
    own = {path.name for path in folder.iterdir() if path.stat().st_mtime_ns >= started and path.suffix != ".ipynb"}
    record = {
        "notebook": notebook or REFERENCE,
        "files": {name: digest for name, digest in file_hashes(folder).items() if name in own},
        "seconds_per_epoch": round(float(np.median(seconds)), 3),
        "training_seconds": round(sum(seconds), 3),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        **provenance(),
    }
    write_json(folder / RECORD, record)
    announce(f"run folder: {os.path.relpath(folder)}")


def update_record(folder: Path, notebook_seconds: float) -> None:
    """Add the executed notebook, which is whole now, to the record of a finished run, and how long it took."""
    added = {"files": file_hashes(folder), "notebook_seconds": round(notebook_seconds, 3)}
    write_json(folder / RECORD, read_json(folder / RECORD) | added)


def file_hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of every file in the folder but the record."""
    files = sorted(path for path in folder.iterdir() if path.is_file() and path.name != RECORD)
    return {path.name: _sha256(path) for path in files}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_done(folder: Path) -> bool:
    """Whether the folder is a finished run whose numbers are whole; only what tables need must be there."""
    return fault(folder) is None


def fault(folder: Path) -> str | None:
    """What keeps the folder from being a finished run whose numbers are whole; None if nothing does.

    The numbers are whole if record.json names them with the hashes that they have, and if they are what a run writes.
    Remarks in a notebook, marks in a picture and files beside them undo nothing.
    """
    try:
        _check_hashes(folder)
        _check_content(folder)
    except InputError as error:
        return str(error)
    except OSError as error:
        return f"it cannot be read ({error.strerror})"
    return None


def fault_in_sweep(folder: Path) -> str | None:
    """What keeps the folder from being counted in a sweep: a fault, or a name that is not the run's own."""
    if found := fault(folder):
        return found
    config = read_json(folder / "config.json")
    name = run_name(config["kl_weight"], config["seed"])
    return None if folder.name == name else f"its config.json says {name}"


def run_folders(sweep_dir: Path) -> dict[Path, str | None]:
    """Every folder of a sweep that is a run's or looks like one, and `fault_in_sweep` of each: None if it counts."""
    folders = (path for path in sorted(sweep_dir.glob("[!.]*")) if path.is_dir() and _looks_like_a_run(path))
    return {folder: fault_in_sweep(folder) for folder in folders}


def finished_folders(sweep_dir: Path) -> list[Path]:
    """The folders of the finished runs of a sweep."""
    return [folder for folder, found in run_folders(sweep_dir).items() if found is None]


def _looks_like_a_run(folder: Path) -> bool:
    # Another sweep's folder may be kl_schedule=linear. os.access: Path.exists raises an error where one may not read.
    is_named_so = folder.name.startswith("kl_") and "=" not in folder.name
    return is_named_so or any(os.access(folder / name, os.F_OK) for name in ("config.json", RECORD))


def _check_hashes(folder: Path) -> None:
    record = _read(read_json, folder / RECORD)
    recorded = record.get("files") if isinstance(record, dict) else None
    if not isinstance(recorded, dict):
        raise InputError(f"{RECORD} is not a run's")
    hashes = file_hashes(folder)
    for name in NEEDED:
        if name not in hashes:
            raise InputError(f"{name} is missing")
    for name in sorted({*recorded, *NEEDED, *MODEL_FILES}):
        if name in hashes and name.endswith(NUMBERS) and hashes[name] != recorded.get(name):
            raise InputError(f"{name} was altered")


def _check_content(folder: Path) -> None:
    checks = {
        "config.json": (read_json, contents.is_config),
        "dataset.json": (read_json, contents.is_about),
        "measures.json": (read_json, contents.is_measures),
        "history.csv": (pd.read_csv, contents.is_history),
        "latent.npz": (_read_codes, lambda codes: contents.are_codes(*codes)),
    }
    for name, (reader, is_right) in checks.items():
        path = folder / name
        if path.exists() and not is_right(_read(reader, path)):
            raise InputError(f"{name} is not a run's")


def _read_codes(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    with np.load(path) as arrays:  # the images in it, which are most of it, are not read
        return arrays["mean"], arrays["log_var"], arrays["labels"]


def _read(reader: Callable[[Path], object], path: Path) -> object:
    try:
        return reader(path)
    except FileNotFoundError:
        raise InputError(f"{path.name} is missing") from None
    except Exception as error:  # whatever the file holds, the other runs are read
        raise InputError(f"{path.name} cannot be read") from error


def read_json(path: Path) -> dict:
    """Read a JSON object."""
    return json.loads(path.read_text())


def read_runs(folders: Iterable[Path]) -> Runs:
    """Settings and measures of the finished runs of one sweep.

    A run that is older than a parameter has the value of the other runs, since a sweep mixes no settings.
    """
    folders = list(folders)
    configs = [read_json(folder / "config.json") for folder in folders]
    settings = [{**ChainMap(*configs), **config} for config in configs]
    measures = [read_json(folder / "measures.json") for folder in folders]
    order = sorted(range(len(folders)), key=lambda row: (settings[row]["kl_weight"], settings[row]["seed"]))
    return Runs(pd.DataFrame(settings), pd.DataFrame(measures), folders).take(order)


def read_history(folder: Path) -> pd.DataFrame:
    """The losses of a run, one row per epoch."""
    return pd.read_csv(folder / "history.csv")


def replace_file(path: Path, content: str | bytes) -> None:
    """Write beside and rename, so that a reader sees the old file or the new one, never half of one."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.write_bytes(content.encode() if isinstance(content, str) else content)
        partial.replace(path)
    except OSError:  # a full disk, or a folder of that name
        partial.unlink(missing_ok=True)
        raise
