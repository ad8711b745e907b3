"""From finished run folders to what people read: tables, sheets of figures, the gallery page. Trains nothing."""

import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from vae_core import figures, runs
from vae_core.data import CLASS_NAMES, DESCRIPTIONS

SETTINGS = ["dataset", "kl_weight", "seed", "epochs"]
COMPARED = ["distortion", "rate", "objective", "negative_elbo", "active_units"]
GALLERY_FILES = ("latent_scatter.png", "decoder_manifold.png", "decoder_manifold_quantiles.png", "history.csv")


def collect(sweep_dir: Path) -> None:
    """Write the sweep's tables, sheets and gallery from its finished runs, each file whole or not at all."""
    finished = runs.read_runs(sweep_dir)
    summary = summary_table(finished)
    losses = loss_table(summary)
    runs.replace_file(sweep_dir / "summary.csv", summary.to_csv(index=False))
    runs.replace_file(sweep_dir / "loss_table.csv", losses.to_csv(index=False))
    runs.replace_file(sweep_dir / "loss_table.md", loss_table_page(summary))
    _draw_sheets(sweep_dir, finished)
    if sweep_dir.parent.parent.name == "published":
        results = sweep_dir.parent.parent.parent
        runs.replace_file(results / "README.md", gallery_page(sweep_dir, results))


def summary_table(finished: pd.DataFrame) -> pd.DataFrame:
    """One row per run: what it was run with and every measure."""
    parameters = ["batch_size", "learning_rate", "hidden_units", "threads", "data_checksum", "folder"]
    measures = [name for name in finished.columns if name not in SETTINGS + parameters]
    return finished[SETTINGS + measures]


def loss_table(summary: pd.DataFrame) -> pd.DataFrame:
    """One row per kl_weight: mean and standard deviation over seeds; with one seed the deviation is not known (NaN)."""
    groups = summary.groupby("kl_weight")
    columns = {"dataset": groups["dataset"].first(), "epochs": groups["epochs"].first(), "seeds": groups.size()}
    for name in COMPARED:
        columns |= {f"{name}_mean": groups[name].mean(), f"{name}_std": groups[name].std()}
    return pd.DataFrame(columns).reset_index()


def readable_table(losses: pd.DataFrame) -> pd.DataFrame:
    """The loss table with mean ± standard deviation in one cell, indexed by kl_weight."""
    cells = {name: _with_spread(losses[f"{name}_mean"], losses[f"{name}_std"]) for name in COMPARED}
    index = pd.Index([f"{kl_weight:g}" for kl_weight in losses["kl_weight"]], name="kl_weight")
    return pd.DataFrame(cells | {"seeds": losses["seeds"].to_numpy()}, index=index)


def caption(summary: pd.DataFrame) -> str:
    """What the table is about, in one paragraph: data, settings, anchors."""
    first = summary.iloc[0]
    epochs = " or ".join(str(number) for number in sorted(summary["epochs"].unique()))
    seeds = ", ".join(str(seed) for seed in sorted(summary["seed"].unique()))
    return (
        f"{DESCRIPTIONS[first['dataset']]}; {first['images']:,} test images, nats per image; {epochs} epochs; mean ± "
        f"standard deviation over the seeds {seeds}. No distortion can be below {first['entropy_floor']:.2f} (the "
        f"entropy of the grey values); a code without information has rate 0 and distortion "
        f"{first['zero_information_distortion']:.2f}."
    )


def loss_table_page(summary: pd.DataFrame) -> str:
    """The loss table as Markdown, with its caption."""
    table = readable_table(loss_table(summary)).to_markdown(disable_numparse=True, stralign="right")
    return f"{caption(summary)}\n\n{table}\n"


def gallery_page(sweep_dir: Path, results: Path) -> str:
    """The page that GitHub shows for results/: the table, the sheets, and every executed notebook."""
    finished = runs.read_runs(sweep_dir)
    summary = summary_table(finished)
    here = Path(os.path.relpath(sweep_dir, results)).as_posix()
    lessons = sorted((results / "published" / "lessons").glob("*.ipynb"))
    return "\n".join(
        [
            "# What the weight on the KL term does",
            "",
            f"The authors' sweep, run by the code of this repository. Start with the [report]({here}/report.ipynb).",
            "",
            loss_table_page(summary),
            *(f"![{name}]({here}/{name}.png)\n" for name in ("latent_scatters", "decoder_manifolds", "loss_curves")),
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
    _save_sheet(sweep_dir / "loss_curves.png", curves)
    if not all((folder / "latent.npz").exists() for folder in shown["folder"]):
        print("the sheets of scatters and manifolds are not redrawn: not every run has its latent.npz", file=sys.stderr)
        return
    latents = {kl_weight: np.load(folder / "latent.npz") for kl_weight, folder in shown["folder"].items()}
    codes = {kl_weight: (latent["mean"], latent["labels"]) for kl_weight, latent in latents.items()}
    scatters = figures.latent_scatters(codes, CLASS_NAMES[dataset], f"Codes of the test images: {title}")
    _save_sheet(sweep_dir / "latent_scatters.png", scatters)
    grids = {kl_weight: latent["manifold"] / np.float32(255) for kl_weight, latent in latents.items()}
    axis = next(iter(latents.values()))["axis"]
    manifolds = figures.decoder_manifolds(grids, axis, f"Decoded grids on [-3, 3], every second cell: {title}")
    _save_sheet(sweep_dir / "decoder_manifolds.png", manifolds)


def _save_sheet(path: Path, figure) -> None:
    partial = path.with_name(f".{path.name}.partial")
    runs.save_figure(partial, figure)
    partial.replace(path)


def _with_spread(mean: pd.Series, std: pd.Series) -> list[str]:
    return [f"{m:.2f}" if np.isnan(s) else f"{m:.2f} ± {s:.2f}" for m, s in zip(mean, std, strict=True)]
