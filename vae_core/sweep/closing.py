"""The closing words of a sweep, for a terminal of 80 columns: what is done, what failed and why, and what to open."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from vae_core.sweep.plan import Run

COLUMNS = ("distortion", "rate", "negative_elbo", "nll")  # of the loss table; the file has them all
OPEN_FIRST = {
    "report.ipynb": "tables, figures, and common claims checked",
    "explorer.html": "the latent plane, live at every weight: for a browser",
    "rate_distortion.png": "what each weight pays, and what it gets for it",
    "latent_scatters.png": "where the codes lie, weight by weight",
    "decoder_manifolds.png": "what the decoder draws there",
}


def closing_words(planned: Sequence[Run], sweep_dir: Path, failures: Mapping[str, str], collected: bool) -> str:
    """How many runs are done, which failed and why; then a narrow loss table and what to open, if it was collected."""
    where = Path(os.path.relpath(sweep_dir))
    done = sum(run.name not in failures for run in planned)
    lines = ["", f"{done} of {len(planned)} runs are done, in {where}{os.sep}"]
    lines += [f"{name} failed: {problem}{_kept(name, where)}" for name, problem in failures.items()]
    if collected:
        shown = [f"  {name:<23}{words}" for name, words in OPEN_FIRST.items() if (sweep_dir / name).exists()]
        lines += ["", *_table(sweep_dir), *(["", "Open first, in that folder:", *shown] if shown else [])]
    return "\n".join(lines)


def _kept(name: str, where: Path) -> str:
    """Where the notebook of what failed is, if it was kept."""
    failed = where / "failed" / name
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
