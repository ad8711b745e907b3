"""The closing words of a sweep, for a terminal of 80 columns: what is done, what failed and why, and what to open."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from vae_core.report.collect import TABLES
from vae_core.sweep.found import Found

COLUMNS = ("distortion", "rate", "negative_elbo", "nll")  # of the loss table; the file has them all
OPEN_FIRST = {
    "report.ipynb": "tables, figures, and common claims checked",
    "explorer.html": "the latent plane, live in a browser ({:.1f} MB)",
    "rate_distortion.png": "what each weight pays, and what it gets for it",
    "latent_scatters.png": "where the codes lie, weight by weight",
    "decoder_manifolds.png": "what the decoder draws there",
}
COMPARED = {
    "comparison.ipynb": "all settings side by side",
    "rate_distortion.png": "what each weight pays, a line per setting",
    "comparison.csv": "one row per run, with its setting",
}


def closing_words(
    found: Sequence[Found], base: Path, failures: Mapping[Path, Mapping[str, str]], comparison: str
) -> str:
    """How many runs are done, which failed and why; then what to open, and of one sweep a narrow loss table.

    failures: what went wrong in each folder, by the name of the run or of what was to be made
    comparison: the folder's name of the comparison in the base; empty if there is one sweep
    """
    planned = [(each.sweep_dir, run) for each in found for run in each.sweep.runs]
    done = sum(run.name not in failures.get(sweep_dir, ()) for sweep_dir, run in planned)
    where = f"{len(found)} folders of {shown(base)}" if comparison else shown(found[0].sweep_dir)
    lines = ["", f"{done} of {len(planned)} runs are done, in {where}"]
    for folder, problems in failures.items():
        before = f"{folder.name}/" if comparison else ""
        lines += [f"{before}{name} failed: {problem}{_kept(name, folder)}" for name, problem in problems.items()]
    if comparison:
        return "\n".join([*lines, *_open_first(base / comparison, COMPARED, shown(base / comparison))])
    ((sweep_dir, problems),) = ((each.sweep_dir, failures.get(each.sweep_dir, {})) for each in found)
    if TABLES not in problems and any(run.name not in problems for run in found[0].sweep.runs):
        lines += ["", *_table(sweep_dir), *_open_first(sweep_dir, OPEN_FIRST, "that folder")]
    return "\n".join(lines)


def shown(folder: Path) -> str:
    """A folder as a person who types commands here names it."""
    return f"{os.path.relpath(folder)}{os.sep}"


def _open_first(folder: Path, names: Mapping[str, str], where: str) -> list[str]:
    sizes = {name: (folder / name).stat().st_size / 1e6 for name in names if (folder / name).exists()}  # MB
    there = [f"  {name:<23}{names[name].format(size)}" for name, size in sizes.items()]
    return ["", f"Open first, in {where}:", *there] if there else []


def _kept(name: str, where: Path) -> str:
    """Where the notebook of what failed is, if it was kept."""
    failed = Path(os.path.relpath(where)) / "failed" / name
    notebook = failed if failed.suffix == ".ipynb" else failed / "run.ipynb"
    return f" -> {notebook}" if notebook.exists() else ""


def _table(sweep_dir: Path) -> list[str]:
    losses = pd.read_csv(sweep_dir / "loss_table.csv")
    names = [name for name in COLUMNS if f"{name}_mean" in losses]
    table = losses[[f"{name}_mean" for name in names]].set_axis(names, axis="columns")
    table.insert(0, "kl_weight", losses["kl_weight"].map("{:g}".format))
    over = f"means over {losses['seeds'].max()} seeds, " if losses["seeds"].max() > 1 else ""
    text = table.to_string(index=False, float_format="{:.2f}".format, na_rep="-")  # a measure was not finite
    return [*text.splitlines(), f"({over}nats per image; loss_table.md and .csv have more columns)"]
