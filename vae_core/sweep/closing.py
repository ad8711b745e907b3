"""The closing words of a sweep: which runs are done, which failed and why, and what to open."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from vae_core.sweep.plan import Run


def closing_words(planned: Sequence[Run], sweep_dir: Path, failures: Mapping[str, str], collected: bool) -> str:
    """Which runs are done and which failed and why; then the loss table and what to open, if it was collected."""
    where = Path(os.path.relpath(sweep_dir))
    lines = [f"{run.name:<20} {_state(run.name, where, failures)}" for run in planned]
    if "report.ipynb" in failures:
        lines.append(f"{'report.ipynb':<20} failed: {failures['report.ipynb']} -> {where / 'report.ipynb'}")
    if collected:
        lines += ["", (sweep_dir / "loss_table.md").read_text()]
        names = ("report.ipynb", "explorer.html", "rate_distortion.png", "latent_scatters.png", "decoder_manifolds.png")
        shown = [f"  {where / name}" for name in names if (sweep_dir / name).exists()]
        lines += ["Open:", *shown] if shown else []
    return "\n".join(lines)


def _state(name: str, where: Path, failures: Mapping[str, str]) -> str:
    if name not in failures:
        return f"done -> {where / name / 'run.ipynb'}"
    notebook = where / "failed" / name / "run.ipynb"
    return f"failed: {failures[name]}" + (f" -> {notebook}" if notebook.exists() else "")
