"""From finished run folders to what people read: tables, sheets of figures, the gallery page. Trains nothing."""

import re
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from vae_core import explorer, runs, sheets
from vae_core.canvas import covering_square
from vae_core.data import CLASS_NAMES
from vae_core.errors import InputError
from vae_core.findings import surprises_page
from vae_core.seeds import seed_markdown
from vae_core.tables import loss_table, loss_table_page, ranked_rates, reproduction_page, summary_table
from vae_core.windows import share_within

PUBLISHED = runs.RESULTS / "published" / "kl_sweep"
LESSONS = runs.RESULTS / "published" / "lessons"
SHEETS = (
    *("rate_distortion", "latent_scatters", "posterior_ellipses", "decoder_manifolds", "decoder_manifolds_quantiles"),
    *("decoder_manifolds_occupied", "samples", "rate_split", "dimensions", "loss_curves"),
)
ANIMATIONS = ("weights", "epochs")
WINDOWS = {  # the name of the grid in latent.npz: of its axes there, and what the sheet says of it
    "manifold": ("axes", "on [-3, 3]"),
    "manifold_quantiles": ("quantiles", "at the prior's quantiles"),
    "manifold_occupied": ("occupied", "over the region that the codes occupy, each on its own axes"),
}


def collect(sweep_dir: Path) -> None:
    """Write the sweep's tables, sheets and gallery from its finished runs, each file whole or not at all."""
    finished = runs.read_runs(sweep_dir)
    summary = summary_table(finished)
    _write_tables(sweep_dir, summary)
    _draw_sheets(sweep_dir, finished, summary)
    _write_explorer(sweep_dir)
    _renew_gallery(sweep_dir)


def collect_lesson(sweep_dir: Path) -> None:
    """Tables and sheets for a sweep over another notebook than train_vae: what the runs of all of them have.

    The sheets compare weights, so one weight has none: its run folder shows it. The codes' and the decoder's planes are
    drawn where the latent space is one.
    """
    finished = runs.read_runs(sweep_dir)
    summary = summary_table(finished)
    _write_tables(sweep_dir, summary)
    _renew_gallery(sweep_dir)
    shown, title = _first_of_each_weight(finished)
    if len(shown) == 1:
        return
    _save_sheet(sweep_dir, "rate_distortion", sheets.rate_distortion(summary))
    _save_sheet(sweep_dir, "loss_curves", _loss_curves(shown, title))
    if not all((folder / "latent.npz").exists() for folder in shown["folder"]):
        print("sheets of codes and images are not redrawn: not every run has its latent.npz", file=sys.stderr)
        return
    latents = {kl_weight: _read_latent(folder) for kl_weight, folder in shown["folder"].items()}
    if all({"mean", "labels", "manifold", "axes"} <= set(latent) for latent in latents.values()):
        _save_sheet(sweep_dir, "latent_scatters", _latent_scatters(latents, shown["dataset"].iloc[0], title))
        _save_sheet(sweep_dir, "decoder_manifolds", _decoder_manifolds(latents, "manifold", title))


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
    return "\n".join(
        [
            "# What the weight on the KL term does",
            "",
            f"The authors' sweep, run by the code of this repository. Start with the [report]({here}/report.ipynb), or "
            f"play with the [explorer]({here}/explorer.html) (download it and open it: GitHub shows its source).",
            "",
            loss_table_page(summary_table(finished)),
            "## What one may not expect",
            "",
            surprises_page(summary_table(finished)),
            *(f"![{name}]({here}/{name}.png)\n" for name in SHEETS),
            *(f"![animation over the {name}]({here}/{name}.gif)\n" for name in ANIMATIONS),
            f"What is said about the weight, checked claim by claim: [report]({here}/report.ipynb), section 8.",
            "",
            "## Every run",
            "",
            "| kl_weight | seed | negative_elbo | executed notebook | codes | decoded grid |",
            "|---:|---:|---:|---|---|---|",
            *(_gallery_row(run, here) for run in finished.itertuples()),
            "",
            "## Lessons",
            "",
            *_lesson_lines(),
            "",
            f"Tables for programs: [summary.csv]({here}/summary.csv) (one row per run), "
            f"[loss_table.csv]({here}/loss_table.csv) (one row per weight). A sweep of your own goes to `kl_sweep/`, "
            "which git ignores.",
            "",
        ]
    )


def _lesson_lines() -> list[str]:
    """A line for each published lesson: those without a run folder, then those with one, with its figures."""
    without = sorted(LESSONS.glob("*.ipynb"))
    lines = [f"- [{path.stem}](published/lessons/{path.name})" for path in without]
    for notebook in sorted(LESSONS.glob("*/*/*/run.ipynb")):
        folder = notebook.parent.relative_to(runs.RESULTS)
        figures = sorted(path for path in notebook.parent.iterdir() if path.suffix in (".png", ".gif"))
        links = ", ".join(f"[{path.stem}]({folder}/{path.name})" for path in figures)
        name, dataset = folder.parts[2:4]
        kl_weight = runs.read_json(notebook.parent / "config.json")["kl_weight"]
        lines.append(f"- [{name}]({folder}/run.ipynb) ({dataset}, kl_weight {kl_weight:g}): {links}")
    return lines


def seed_page() -> str:
    """What the seed documents printed or say beside what the published lessons found, as Markdown."""
    tables = [
        pd.read_csv(path, dtype=str, keep_default_na=False) for path in sorted(LESSONS.glob("*/*/*/seed_numbers.csv"))
    ]
    page = seed_markdown(pd.concat(tables).sort_values("seed", kind="stable"))
    return re.sub(r"-{4,}", "---", re.sub(r" {2,}", " ", page))  # padded cells would make lines of 1,000 characters


def _gallery_row(run, here: str) -> str:
    folder = f"{here}/{run.folder.name}"
    return (
        f"| {run.kl_weight:g} | {run.seed} | {run.negative_elbo:.2f} | [notebook]({folder}/run.ipynb) "
        f"| [scatter]({folder}/latent_scatter.png) | [grid]({folder}/decoder_manifold.png), "
        f"[at quantiles]({folder}/decoder_manifold_quantiles.png), "
        f"[over the codes]({folder}/decoder_manifold_occupied.png) |"
    )


def _write_explorer(sweep_dir: Path) -> None:
    try:
        explorer.write_explorer(sweep_dir)
    except InputError as error:  # the tables and sheets are there all the same
        print(f"explorer.html is not written anew: {error}", file=sys.stderr)


def _renew_gallery(sweep_dir: Path) -> None:
    """Write the gallery if what it shows has changed."""
    published = PUBLISHED / "mnist"
    if sweep_dir.resolve() == published or LESSONS in sweep_dir.resolve().parents:
        runs.replace_file(runs.RESULTS / "README.md", gallery_page(runs.read_runs(published)))


def _write_tables(sweep_dir: Path, summary: pd.DataFrame) -> None:
    runs.replace_file(sweep_dir / "summary.csv", summary.to_csv(index=False))
    runs.replace_file(sweep_dir / "loss_table.csv", loss_table(summary).to_csv(index=False))
    runs.replace_file(sweep_dir / "loss_table.md", loss_table_page(summary))


def _save_sheet(sweep_dir: Path, name: str, figure: Figure) -> None:
    runs.save_figure(sweep_dir / f"{name}.png", figure)


def _first_of_each_weight(finished: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """The first seed's run of each weight, which the sheets show, and how their titles call them."""
    shown = finished.groupby("kl_weight").first()
    seeds = ", ".join(map(str, sorted(shown["seed"].unique())))
    return shown, f"{shown['dataset'].iloc[0]}, seed {seeds}"


def _draw_sheets(sweep_dir: Path, finished: pd.DataFrame, summary: pd.DataFrame) -> None:
    """What the tables show for all seeds; then one panel, line or frame per weight, from its first seed."""
    losses = loss_table(summary)
    _save_sheet(sweep_dir, "rate_distortion", sheets.rate_distortion(summary))
    _save_sheet(sweep_dir, "rate_split", sheets.rate_split(losses, np.log(summary["images"].iloc[0])))
    _save_sheet(sweep_dir, "dimensions", sheets.dimensions(ranked_rates(summary), losses))
    shown, title = _first_of_each_weight(finished)
    dataset = shown["dataset"].iloc[0]
    _save_sheet(sweep_dir, "loss_curves", _loss_curves(shown, title))
    if not all((folder / "latent.npz").exists() for folder in shown["folder"]):
        print("sheets of codes and images are not redrawn: not every run has its latent.npz", file=sys.stderr)
        return
    latents = {kl_weight: _read_latent(folder) for kl_weight, folder in shown["folder"].items()}
    _save_sheet(sweep_dir, "latent_scatters", _latent_scatters(latents, dataset, title))
    posteriors = {
        kl_weight: (latent["mean"], latent["log_var"], latent["labels"]) for kl_weight, latent in latents.items()
    }
    ellipses = sheets.posterior_ellipses(posteriors, CLASS_NAMES[dataset], f"Codes of the test images: {title}")
    _save_sheet(sweep_dir, "posterior_ellipses", ellipses)
    for grid in WINDOWS:
        name = grid.replace("manifold", "decoder_manifolds")
        _save_sheet(sweep_dir, name, _decoder_manifolds(latents, grid, title))
    drawn = {kl_weight: (latent["prior_samples"], latent["mixture_samples"]) for kl_weight, latent in latents.items()}
    scores = losses.set_index("kl_weight")
    samples = sheets.samples(drawn, scores, f"Samples, by kl_weight; images: {title}; scores: all seeds")
    _save_sheet(sweep_dir, "samples", samples)
    _animate(sweep_dir, latents, dataset)


def _loss_curves(shown: pd.DataFrame, title: str) -> Figure:
    histories = {kl_weight: runs.read_history(folder) for kl_weight, folder in shown["folder"].items()}
    return sheets.loss_curves(histories, f"Losses on the validation images: {title}")


def _latent_scatters(latents: Mapping[float, Mapping[str, np.ndarray]], dataset: str, title: str) -> Figure:
    codes = {kl_weight: (latent["mean"], latent["labels"]) for kl_weight, latent in latents.items()}
    return sheets.latent_scatters(codes, CLASS_NAMES[dataset], f"Codes of the test images: {title}")


def _decoder_manifolds(latents: Mapping[float, Mapping[str, np.ndarray]], grid: str, title: str) -> Figure:
    axes, where = WINDOWS[grid]
    manifolds = {
        kl_weight: (latent[grid], latent[axes], share_within(latent["mean"], latent[axes]))
        for kl_weight, latent in latents.items()
    }
    return sheets.decoder_manifolds(manifolds, f"Decoded grids {where}, every second cell: {title}")


def _animate(sweep_dir: Path, latents: Mapping[float, Mapping[str, np.ndarray]], dataset: str) -> None:
    """weights.gif goes through the weights; epochs.gif through the training at the weight nearest to 1."""
    names, wide = CLASS_NAMES[dataset], covering_square(latent["mean"] for latent in latents.values())
    frames = [sheets.weight_frame(kl_weight, latent, wide, names) for kl_weight, latent in latents.items()]
    runs.save_animation(sweep_dir / "weights.gif", frames, milliseconds=1000)
    kl_weight = min(latents, key=lambda weight: abs(weight - 1))
    frames = sheets.epoch_frames(latents[kl_weight], names, f"{dataset}, kl_weight {kl_weight:g}")
    runs.save_animation(sweep_dir / "epochs.gif", frames, milliseconds=700)


def _read_latent(folder: Path) -> dict[str, np.ndarray]:
    """What `runs.save_latent` wrote, images in [0, 1] again."""
    arrays = np.load(folder / "latent.npz")
    return {name: arrays[name] / np.float32(255) if arrays[name].dtype == np.uint8 else arrays[name] for name in arrays}
