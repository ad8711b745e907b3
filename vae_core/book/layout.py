"""From what was found to the folder that Sphinx reads: notebooks and pages under their own names, with their links."""

import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from vae_core import runs
from vae_core.book import pages
from vae_core.book.found import EXPLORER, EXPLORER_FILE, RUN_FILE, SWEEPS, Chapter, Sweep
from vae_core.book.links import Links, address_in
from vae_core.book.notebook import page_of
from vae_core.report.collect import REPORT_FILE
from vae_core.report.published import LESSONS, PUBLISHED

README = runs.PROJECT / "README.md"
DOCS = runs.PROJECT / "docs"
TEACH = {  # for those who teach; all other pages of docs/ are for those who run
    runs.NOTEBOOKS / "README.md": "teach.md",
    DOCS / "teaching.md": "docs/teaching.md",
    DOCS / "exercises.md": "docs/exercises.md",
    DOCS / "faq.md": "docs/faq.md",
    PUBLISHED / "tutorials.md": "docs/tutorials.md",
}
EXPLORER_PICTURES = ("explorer.png", "decoder_manifolds.png")  # beside an explorer; the first that is there is shown


def lay_out(links: Links, built: Path, chapters: Sequence[Chapter], sweeps: Sequence[Sweep]) -> None:
    """Write what Sphinx reads into `links.source`, and explorers, which are pages already, into `built`."""
    teach, rerun = _docs()
    executed = [chapter for chapter in chapters if chapter.executed]
    lessons = {chapter.entry.name: _place_chapter(chapter, links) for chapter in executed}
    placed = {sweep.name: _place_sweep(sweep, links) for sweep in sweeps}
    shown = [sweep for sweep in sweeps if sweep.name.startswith(SWEEPS) or placed[sweep.name]]
    for sweep in sweeps:
        _copy_explorer(sweep, built, links)
    for file, page in (teach | rerun).items():
        links.add(file, page)
    for name, page in lessons.items():
        _lead_other_copies(name, page, links)

    for chapter in executed:
        _write_chapter(chapter, lessons[chapter.entry.name], links)
    for sweep in shown:
        _write_sweep(sweep, placed[sweep.name], links)
    for file, page in (teach | rerun).items():
        _write(links.source / page, links.rewritten(file.read_text(), page, [file.parent]))
    parts = {"Lessons": lessons.values(), "Runs": [_index_of(sweep) for sweep in shown]}
    parts |= {"Teach": teach.values(), "Rerun": rerun.values()}
    _write_index(chapters, lessons, parts, links)


def _docs() -> tuple[dict[Path, str], dict[Path, str]]:
    """The pages of docs/ for those who teach, and, in the order in which README.md names them, for those who run."""
    readme = README.read_text()
    named = sorted(DOCS.glob("*.md"), key=lambda file: (f"docs/{file.name}" not in readme, readme.find(file.name)))
    teach = {file: page for file, page in TEACH.items() if file.is_file()}
    return teach, {file: f"docs/{file.name}" for file in named if file not in teach}


def _place_chapter(chapter: Chapter, links: Links) -> str:
    """Give an executed chapter its page. The explorer has one that leads to it; links to it need no detour."""
    if chapter.entry.name == EXPLORER:
        return f"lessons/{EXPLORER}.md"
    page = f"lessons/{chapter.entry.name}.ipynb"
    links.add(chapter.executed, page)
    return page


def _lead_other_copies(name: str, page: str, links: Links) -> None:
    """Lead links to the notebook itself, and to an execution that is not the one in the book, to its page."""
    for file in (runs.NOTEBOOKS / f"{name}.ipynb", LESSONS / f"{name}.ipynb", *LESSONS.glob(f"{name}/*/*/{RUN_FILE}")):
        links.pages.setdefault(file.resolve(), page)


def _place_sweep(sweep: Sweep, links: Links) -> dict[Path, str]:
    """Give the notebooks of a sweep that are no chapters their pages."""
    files = [folder / RUN_FILE for folder in sweep.executed()] + [sweep.folder / REPORT_FILE]
    own = [file for file in files if file.is_file() and file.resolve() not in links.pages]
    placed = {file: f"runs/{sweep.name}/{_name(file)}.ipynb" for file in own}
    for file, page in placed.items():
        links.add(file, page)
    return placed


def _name(file: Path) -> str:
    """A run's notebook is named after its folder."""
    return file.parent.name if file.name == RUN_FILE else file.stem


def _index_of(sweep: Sweep) -> str:
    return f"runs/{sweep.name}/index.md"


def _copy_explorer(sweep: Sweep, built: Path, links: Links) -> None:
    file = sweep.folder / EXPLORER_FILE
    if file.is_file():
        page = f"explorer/{sweep.name.removeprefix(f'{SWEEPS}/')}/{EXPLORER_FILE}"
        (built / page).parent.mkdir(parents=True)
        shutil.copy(file, built / page)
        links.add(file, page)


def _write_chapter(chapter: Chapter, page: str, links: Links) -> None:
    file = chapter.executed
    if chapter.entry.name != EXPLORER:
        _write_notebook(file, page, links)
        return
    there = [picture for name in EXPLORER_PICTURES if (picture := file.with_name(name)).is_file()]
    picture = links.picture(there[0], page) if there else ""
    address = address_in(page, links.pages[file.resolve()])
    _write(links.source / page, pages.explorer_page(_origin(file), address, picture))


def _write_sweep(sweep: Sweep, notebooks: Mapping[Path, str], links: Links) -> None:
    page = _index_of(sweep)
    for file, own in notebooks.items():
        _write_notebook(file, own, links, pages.run_title(sweep, file.parent) if file.name == RUN_FILE else "")

    def address(file: Path) -> str:
        return address_in(page, links.pages[file.resolve()])

    there = {folder: address(folder / RUN_FILE) for folder in sweep.executed()}
    beside = {"report": sweep.folder / REPORT_FILE, "explorer": sweep.folder / EXPLORER_FILE}
    addresses = {name: address(file) for name, file in beside.items() if file.is_file()}
    text = pages.sweep_page(sweep, _origin(sweep.folder), addresses, there)
    tree = pages.toctree([address_in(page, own) for own in notebooks.values()])
    _write(links.source / page, text + tree)


def _write_index(
    chapters: Sequence[Chapter], lessons: Mapping[str, str], parts: Mapping[str, Iterable[str]], links: Links
) -> None:
    beginning, findings = (
        links.rewritten(part, "index.md", [runs.PROJECT]) for part in pages.readme_parts(README.read_text())
    )
    text = [beginning, pages.doors(lessons), findings, pages.chapter_list(chapters, lessons)]
    trees = [pages.toctree(own, caption) for caption, own in parts.items()]
    _write(links.source / "index.md", "\n".join([*text, *trees]))


def _write_notebook(file: Path, page: str, links: Links, title: str = "") -> None:
    _write(links.source / page, page_of(file, page, links, _origin(file), title))


def _origin(file: Path) -> str:
    """Whose results these are, and where they are."""
    whose = "The authors' results" if file.is_relative_to(PUBLISHED) else "Your own results"
    return f"*{whose}: {os.path.relpath(file, runs.PROJECT)}*"


def _write(target: Path, text: str) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text)
