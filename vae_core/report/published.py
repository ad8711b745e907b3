"""What is published: where it is, and the pages that GitHub shows of it."""

import re
from pathlib import Path

import pandas as pd

from vae_core.errors import InputError
from vae_core.report.captions import incomparable, shared_settings
from vae_core.report.findings import surprises_page
from vae_core.report.reading_order import READING_ORDER
from vae_core.report.sheets import ANIMATIONS, SHEETS
from vae_core.report.tables import loss_table_page, reproduction_page
from vae_core.runs import (
    RECORD,
    REFERENCE,
    RESULTS,
    Runs,
    finished_folders,
    read_json,
    read_runs,
    replace_file,
    user_folder,
)
from vae_core.tutorials import TUTORIAL_FILE, TUTORIALS, tutorial_markdown

PUBLISHED = RESULTS / "published"
SWEEPS = PUBLISHED / "kl_sweep"
LESSONS = PUBLISHED / "lessons"


def sweep_folder(sweep_dir: str | Path = "") -> Path:
    """The folder of a sweep, by default of the published MNIST one."""
    return user_folder(sweep_dir, "sweep_dir") if sweep_dir else SWEEPS / "mnist"


def read_sweep(sweep_dir: Path) -> Runs:
    """The finished runs of a sweep. Raises InputError if there are none."""
    if not (folders := finished_folders(sweep_dir)):
        raise InputError(f"{sweep_dir} has no finished run: name the folder of a sweep, such as results/kl_sweep/mnist")
    return read_runs(folders)


def notebook_of(run: Path) -> str:
    """The notebook that made a run. Of an older record its folder says so: lessons/<notebook>."""
    parts = run.resolve().parts
    lesson = parts[parts.index("lessons") + 1] if "lessons" in parts else REFERENCE
    return read_json(run / RECORD).get("notebook", lesson)


def reproduction_check(sweep_dir: Path) -> str:
    """How far the sweep is from the published one of its data set, as Markdown."""
    runs = read_sweep(sweep_dir)
    published = SWEEPS / runs.settings["dataset"].iloc[0]
    if sweep_dir.resolve() == published.resolve():
        return "This is the published sweep: there is nothing to compare it with."
    if not (folders := finished_folders(published)):
        return f"No sweep of the data set {published.name} is published: there is nothing to compare with."
    theirs = read_runs(folders)
    if reason := incomparable(shared_settings(runs), shared_settings(theirs)):
        return f"The published sweep and this one cannot be compared: {reason}."
    return reproduction_page(runs, theirs)


def renew_pages(sweep_dir: Path) -> None:
    """Write the gallery and the tutorials' page anew if a published sweep or lesson has changed."""
    if PUBLISHED not in sweep_dir.resolve().parents:
        return
    if folders := finished_folders(SWEEPS / "mnist"):
        replace_file(RESULTS / "README.md", gallery_page(read_runs(folders)))
    if tables := tutorial_tables():
        replace_file(PUBLISHED / "tutorials.md", tutorials_page(tables))


def gallery_page(runs: Runs) -> str:
    """The page that GitHub shows for results/: the published MNIST table, its sheets, and every executed notebook."""
    here = "published/kl_sweep/mnist"
    return "\n".join(
        [
            "# What the weight on the KL term does",
            "",
            f"The authors' sweep, run by the code of this repository. Start with the [report]({here}/report.ipynb), or "
            f"play with the [explorer]({here}/explorer.html) (download it and open it: GitHub shows its source).",
            "",
            loss_table_page(runs),
            "## What you might not expect",
            "",
            surprises_page(runs),
            *(f"![{name}]({here}/{name}.png)\n" for name in SHEETS),
            *(f"![animation over the {name}]({here}/{name}.gif)\n" for name in ANIMATIONS),
            f"Common claims about the weight, checked one by one: [report]({here}/report.ipynb), section 8.",
            "",
            "## Lessons",
            "",
            *_lesson_lines(),
            "",
            "What the tutorials print and say, beside what the lessons found: [tutorials](published/tutorials.md).",
            "",
            "## Every run",
            "",
            f"<details><summary>{len(runs.folders)} runs, with the notebooks of the first seed</summary>",
            "",
            "| kl_weight | seed | negative_elbo | executed notebook |",
            "|---:|---:|---:|---|",
            *_run_lines(runs, here),
            "",
            "</details>",
            "",
            f"Tables for programs: [summary.csv]({here}/summary.csv) (one row per run), "
            f"[loss_table.csv]({here}/loss_table.csv) (one row per weight). Your own sweeps go to `kl_sweep/`, which "
            "git ignores.",
            "",
        ]
    )


def _lesson_lines() -> list[str]:
    """A line for each published lesson, in reading order."""
    lines = []
    for entry in READING_ORDER:
        alone, with_runs = LESSONS / f"{entry.name}.ipynb", _in_lesson_runs("run.ipynb", entry.name)
        for notebook in [alone] if alone.exists() else with_runs:
            lines.append(f"- [{entry.name}]({notebook.relative_to(RESULTS)}): {entry.shows}")
    return lines


def _run_lines(runs: Runs, here: str) -> list[str]:
    lines = []
    for row, folder in enumerate(runs.folders):
        kl_weight, seed = runs.settings["kl_weight"][row], runs.settings["seed"][row]
        link = f"[notebook]({here}/{folder.name}/run.ipynb)" if (folder / "run.ipynb").exists() else ""
        lines.append(f"| {kl_weight:g} | {seed} | {runs.measures['negative_elbo'][row]:.2f} | {link} |")
    return lines


def tutorial_tables() -> list[pd.DataFrame]:
    """The tables of tutorials that the published lessons have written beside their runs."""
    return [pd.read_csv(path, dtype=str, keep_default_na=False) for path in _in_lesson_runs(TUTORIAL_FILE)]


def _in_lesson_runs(file_name: str, lesson: str = "*") -> list[Path]:
    """The files of that name in the finished runs of the published lessons; a copy of a run folder is no run."""
    folders = (folder for sweep_dir in sorted(LESSONS.glob(f"{lesson}/*")) for folder in finished_folders(sweep_dir))
    return [folder / file_name for folder in folders if (folder / file_name).exists()]


def tutorials_page(tables: list[pd.DataFrame]) -> str:
    """What the tutorials print and say beside what the lessons found, as Markdown."""
    table = tutorial_markdown(pd.concat(tables).sort_values("tutorial", kind="stable"))
    table = re.sub(r"-{4,}", "---", re.sub(r" {2,}", " ", table))  # padded cells would make lines of 1,000 characters
    named = "".join(f"- **{number}**: {title}.\n" for number, title in TUTORIALS.items())
    return (
        "# The tutorials' numbers beside ours\n\n"
        "The suite grew out of five tutorials, 000 to 004. The sweep follows 004; each other one is a lesson, at the "
        "tutorial's full settings. Printed numbers and measurable statements, and what came out here:\n\n"
        f"{named}\n{table}\n"
    )
