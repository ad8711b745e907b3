"""Run folders: their names, what is in them, and when a run counts as done.

run.ipynb              the executed notebook
config.json            every parameter and the data's checksum: what decides the numbers
history.csv            the losses per epoch
measures.json          the measures on the test images
latent_scatter.png, decoder_manifold.png, decoder_manifold_quantiles.png, decoder_manifold_occupied.png
latent.npz, model.weights.h5
record.json            written last, with the hashes of the others: the run is done if it is there and they hold
"""

import hashlib
import io
import json
import math
import platform
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
from IPython import display
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from PIL import Image

from vae_core.canvas import CLASS_COLORS
from vae_core.errors import InputError

PROJECT = Path(__file__).resolve().parent.parent
RESULTS = PROJECT / "results"
RECORD = "record.json"
NOT_COMMITTED = ("latent.npz", "model.weights.h5")
PACKAGES = ("tensorflow", "keras", "numpy", "scikit-learn", "pandas", "matplotlib", "papermill", "ipykernel")
SMALLEST = {
    "kl_weight": 0,
    "compared_kl_weight": 0,
    "point_z0": -100,
    "point_z1": -100,
    "epochs": 1,
    "batch_size": 1,
    "hidden_units": 1,
    "latent_dim": 1,
    "seed": 0,
    "seeds": 1,
    "threads": 1,
    "samples": 2,
    "height": 100,
}
LARGEST = {
    "seed": 2**32 - 1,  # what NumPy and Keras take
    "point_z0": 100,  # no prior sample is ever so far out
    "point_z1": 100,
}
WHOLE = ("epochs", "batch_size", "hidden_units", "latent_dim", "seed", "seeds", "threads", "samples", "height")


def check_parameters(numbers: Mapping[str, object]) -> None:
    """Raise InputError for the first number that no run can use: not finite, not whole, too small or too large."""
    for name, value in numbers.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise InputError(f"{name} must be a finite number, not {value!r}")
        if name in WHOLE and not isinstance(value, int):
            raise InputError(f"{name} must be a whole number, not {value!r}")
        if value < SMALLEST.get(name, -math.inf):
            raise InputError(f"{name} must be at least {SMALLEST[name]}, not {value!r}")
        if value > LARGEST.get(name, math.inf):
            raise InputError(f"{name} must be at most {LARGEST[name]}, not {value!r}")
        if name == "learning_rate" and value <= 0:
            raise InputError(f"{name} must be greater than 0, not {value!r}")


def check_choice(name: str, value: str, choices: Sequence[str]) -> None:
    """Raise InputError if the value is none of the choices."""
    if value not in choices:
        raise InputError(f"{name} must be one of {', '.join(choices)}, not {value!r}")


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
    """
    config = run_config(parameters, data_checksum)
    if not run_dir:
        settings = hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()[:8]
        name = f"{run_name(config['kl_weight'], config['seed'])}_{settings}"
        run_dir = RESULTS / "single_runs" / notebook / config["dataset"] / name
    folder = Path(run_dir)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / RECORD).unlink(missing_ok=True)
        write_json(folder / "config.json", config)
    except OSError as error:
        raise InputError(
            f"the run folder {folder} cannot be written ({error.strerror}): choose another run_dir"
        ) from error
    return folder


def run_config(parameters: Mapping[str, object], data_checksum: str) -> dict[str, object]:
    """What decides the numbers of a run; the weights 5 and 5.0, 0.0 and -0.0 are the same."""
    return {**parameters, "kl_weight": abs(float(parameters["kl_weight"])), "data_checksum": data_checksum}


def save_figure(path: Path, figure: Figure, colors: int = 220) -> display.Image:
    """Save a figure with a palette, for a third of the size or less, and return that very picture for the notebook."""
    picture = _picture(figure)
    # The figure's own colours are chosen by area: a few dots and a legend would lose theirs without the class colours.
    own = np.array(picture.quantize(colors).getpalette(), np.uint8).reshape(-1, 3)
    small = io.BytesIO()
    picture.quantize(palette=_palette(own), dither=Image.Dither.NONE).save(small, format="PNG", optimize=True)
    replace_file(path, small.getvalue())
    return display.Image(data=small.getvalue(), format="png")


def save_latent(folder: Path, images: Mapping[str, np.ndarray], arrays: Mapping[str, np.ndarray]) -> None:
    """Write latent.npz: images with 8 bits per pixel; codes, labels and coordinates as they are."""
    grey = {name: np.round(255 * np.asarray(image)).astype(np.uint8) for name, image in images.items()}
    np.savez_compressed(folder / "latent.npz", **grey, **arrays)


def save_animation(path: Path, frames: Iterable[Figure], milliseconds: int) -> None:
    """Write figures as an animated GIF without end; the last picture stays four times as long."""
    palette = _palette(np.linspace(0, 255, 32)[:, None].repeat(3, axis=1))  # greys
    pictures = [_picture(frame).quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    durations = [milliseconds] * (len(pictures) - 1) + [4 * milliseconds]
    buffer = io.BytesIO()
    pictures[0].save(buffer, "GIF", save_all=True, append_images=pictures[1:], duration=durations, loop=0)
    replace_file(path, buffer.getvalue())


def _palette(colors: np.ndarray) -> Image.Image:
    """These colours, (N, 3) in 0..255, with white, and the class colours, pure and half transparent on white."""
    classes = 255 * np.array([to_rgb(color) for color in CLASS_COLORS])  # (10, 3)
    palette = Image.new("P", (1, 1))
    colors = colors[colors.min(axis=1) < 247]  # Pillow compares the upper bits: a background would take any near-white
    mixed = np.concatenate([[[255, 255, 255]], colors, classes, (classes + 255) / 2])
    palette.putpalette(mixed.round().astype(np.uint8).tobytes())
    return palette


def _picture(figure: Figure) -> Image.Image:
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # savefig would lay out and draw twice, and pack and unpack a PNG
    return Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")


def write_json(path: Path, content: Mapping[str, object]) -> None:
    """Write valid JSON; NaN and infinity, which are not, raise ValueError."""
    replace_file(path, json.dumps(content, indent=2, allow_nan=False) + "\n")


def finish_run(folder: Path, seconds: list[float]) -> None:
    """Write record.json: the hashes of the other files, and what the numbers do not depend on.

    A notebook in the folder is the one that calls this, not yet whole: `update_record` adds it.

    seconds: what each epoch took; the first includes the compilation
    """
    record = {
        "files": {name: digest for name, digest in file_hashes(folder).items() if not name.endswith(".ipynb")},
        "seconds_per_epoch": round(float(np.median(seconds)), 3),
        "training_seconds": round(sum(seconds), 3),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "versions": {name: version(name) for name in PACKAGES},
        **git_state(),
    }
    write_json(folder / RECORD, record)


def update_record(folder: Path, notebook_seconds: float) -> None:
    """Add the executed notebook, which is whole now, to the record of a finished run, and how long it took."""
    added = {"files": file_hashes(folder), "notebook_seconds": round(notebook_seconds, 3)}
    write_json(folder / RECORD, read_json(folder / RECORD) | added)


def file_hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of every file in the folder but the record."""
    files = sorted(path for path in folder.iterdir() if path.is_file() and path.name != RECORD)
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def is_done(folder: Path) -> bool:
    """Whether record.json is there and the hashes in it hold; files that are never committed may be absent."""
    try:
        recorded, found = read_json(folder / RECORD)["files"], file_hashes(folder)
    except (OSError, ValueError, KeyError):  # no record, or not a whole one
        return False
    return all(
        found.get(name) == digest or (name in NOT_COMMITTED and name not in found) for name, digest in recorded.items()
    )


def read_json(path: Path) -> dict:
    """Read a JSON object."""
    return json.loads(path.read_text())


def read_runs(sweep_dir: Path) -> pd.DataFrame:
    """One row per finished run, sorted by weight and seed: its settings, its measures, and its folder."""
    rows = [
        {"folder": folder, **read_json(folder / "config.json"), **read_json(folder / "measures.json")}
        for folder in sorted(sweep_dir.glob("kl_*_seed*"))
        if is_done(folder)
    ]
    return pd.DataFrame(rows).sort_values(["kl_weight", "seed"], ignore_index=True) if rows else pd.DataFrame()


def read_history(folder: Path) -> pd.DataFrame:
    """The losses of a run, one row per epoch."""
    return pd.read_csv(folder / "history.csv")


def replace_file(path: Path, content: str | bytes) -> None:
    """Write beside and rename, so that a reader sees the old file or the new one, never half of one."""
    partial = path.with_name(f".{path.name}.partial")
    partial.write_bytes(content.encode() if isinstance(content, str) else content)
    partial.replace(path)


def git_state() -> dict[str, object]:
    """The commit of the code, and whether files other than results differ from it; None outside a checkout."""
    try:
        commit = _git("rev-parse", "HEAD").strip()
        return {"git_commit": commit, "git_dirty": bool(_git("status", "--porcelain", "--", ".", ":!results"))}
    except (OSError, subprocess.CalledProcessError):
        return {"git_commit": None, "git_dirty": None}


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=PROJECT, capture_output=True, text=True, check=True).stdout
