"""From finished run folders to what people read: tables, sheets of figures, the gallery page. Trains nothing."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd

from vae_core import figures, runs
from vae_core.data import CLASS_NAMES
from vae_core.errors import InputError
from vae_core.tables import loss_table, loss_table_page, reproduction_page, summary_table

PUBLISHED = runs.RESULTS / "published" / "kl_sweep"
SHEETS = ("latent_scatters", "decoder_manifolds", "loss_curves")


def collect(sweep_dir: Path) -> None:
    """Write the sweep's tables, sheets and gallery from its finished runs, each file whole or not at all."""
    finished = runs.read_runs(sweep_dir)
    summary = summary_table(finished)
    runs.replace_file(sweep_dir / "summary.csv", summary.to_csv(index=False))
    runs.replace_file(sweep_dir / "loss_table.csv", loss_table(summary).to_csv(index=False))
    runs.replace_file(sweep_dir / "loss_table.md", loss_table_page(summary))
    _draw_sheets(sweep_dir, finished)
    if sweep_dir.resolve() == PUBLISHED / "mnist":
        runs.replace_file(runs.RESULTS / "README.md", gallery_page(finished))


def sweep_folder(sweep_dir: str | Path = "") -> Path:
    """The folder of a collected sweep, by default the published MNIST one. Raises InputError if it has no tables."""
    folder = Path(sweep_dir) if sweep_dir else PUBLISHED / "mnist"
    if not (folder / "summary.csv").is_file():
        raise InputError(f"{folder} has no summary.csv: sweep_dir must be a folder that a sweep has written")
    return folder


def read_summary(sweep_dir: Path) -> pd.DataFrame:
    """The sweep's summary.csv: one row per run."""
    return pd.read_csv(sweep_dir / "summary.csv")


def reproduction_check(sweep_dir: Path) -> str:
    """How far the sweep is from the published one of its data set, as Markdown."""
    summary = read_summary(sweep_dir)
    published = PUBLISHED / summary["dataset"].iloc[0]
    if sweep_dir.resolve() == published.resolve():
        return "This is the published sweep: there is nothing to compare it with."
    if not (published / "summary.csv").exists():
        return f"No sweep of the data set {published.name} is published: there is nothing to compare with."
    return reproduction_page(summary, read_summary(published))


def gallery_page(finished: pd.DataFrame) -> str:
    """The page that GitHub shows for results/: the published MNIST table, its sheets, and every executed notebook."""
    here = "published/kl_sweep/mnist"
    lessons = sorted((runs.RESULTS / "published" / "lessons").glob("*.ipynb"))
    return "\n".join(
        [
            "# What the weight on the KL term does",
            "",
            f"The authors' sweep, run by the code of this repository. Start with the [report]({here}/report.ipynb).",
            "",
            loss_table_page(summary_table(finished)),
            *(f"![{name}]({here}/{name}.png)\n" for name in SHEETS),
            "## Every run",
            "",
            "| kl_weight | seed | negative_elbo | executed notebook | codes | decoded grid |",
            "|---:|---:|---:|---|---|---|",
            *(_gallery_row(run, here) for run in finished.itertuples()),
            "",
            "## Lessons",
            "",
            *(f"- [{path.stem}](published/lessons/{path.name})" for path in lessons),
            "",
            f"Tables for programs: [summary.csv]({here}/summary.csv) (one row per run), "
            f"[loss_table.csv]({here}/loss_table.csv) (one row per weight). A sweep of your own goes to `kl_sweep/`, "
            "which git ignores.",
            "",
        ]
    )


def _gallery_row(run, here: str) -> str:
    folder = f"{here}/{run.folder.name}"
    return (
        f"| {run.kl_weight:g} | {run.seed} | {run.negative_elbo:.2f} | [notebook]({folder}/run.ipynb) "
        f"| [scatter]({folder}/latent_scatter.png) | [grid]({folder}/decoder_manifold.png), "
        f"[at quantiles]({folder}/decoder_manifold_quantiles.png) |"
    )


def _draw_sheets(sweep_dir: Path, finished: pd.DataFrame) -> None:
    """One panel or line per weight, from the first seed that it was run with; codes and grids come from latent.npz."""
    shown = finished.groupby("kl_weight").first()
    dataset, seeds = shown["dataset"].iloc[0], sorted(shown["seed"].unique())
    title = f"{dataset}, seed {', '.join(map(str, seeds))}"
    histories = {kl_weight: runs.read_history(folder) for kl_weight, folder in shown["folder"].items()}
    curves = figures.loss_curves(histories, f"Losses on the validation images: {title}")
    runs.save_figure(sweep_dir / "loss_curves.png", curves)
    if not all((folder / "latent.npz").exists() for folder in shown["folder"]):
        print("the sheets of scatters and manifolds are not redrawn: not every run has its latent.npz", file=sys.stderr)
        return
    latents = {kl_weight: np.load(folder / "latent.npz") for kl_weight, folder in shown["folder"].items()}
    codes = {kl_weight: (latent["mean"], latent["labels"]) for kl_weight, latent in latents.items()}
    scatters = figures.latent_scatters(codes, CLASS_NAMES[dataset], f"Codes of the test images: {title}")
    runs.save_figure(sweep_dir / "latent_scatters.png", scatters)
    grids = {kl_weight: latent["manifold"] / np.float32(255) for kl_weight, latent in latents.items()}
    axis = next(iter(latents.values()))["axis"]
    manifolds = figures.decoder_manifolds(grids, axis, f"Decoded grids on [-3, 3], every second cell: {title}")
    runs.save_figure(sweep_dir / "decoder_manifolds.png", manifolds)
