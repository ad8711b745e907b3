"""Build the book from executed notebooks that are there; nothing is executed.

python -m vae_core.book
python -m vae_core.book results/published --output published_book
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from vae_core import runs
from vae_core.book.found import Chapter, Sweep, find_chapters, find_sweeps
from vae_core.book.layout import README, lay_out
from vae_core.book.links import Links
from vae_core.errors import InputError
from vae_core.execution.command import OneLineParser, exit_code
from vae_core.execution.lock import locked
from vae_core.execution.places import private_folder
from vae_core.report.published import PUBLISHED

BOOK = runs.RESULTS / "book"
MARK = ".buildinfo"  # a file that Sphinx leaves in what it has built


def main(arguments: Sequence[str] | None = None) -> int:
    """Build what the command line asks for.

    Returns 0 if the book is there, 1 if it cannot be written, 2 if there is nothing to build, 75 if another one is
    being built in the same place, 130 if it was interrupted.
    """
    return exit_code("book", lambda: build(_parser().parse_args(arguments)), "", "the book that was there stays")


def build(options: argparse.Namespace) -> int:
    """Build the book in a private folder, and put it in its place by one rename."""
    results, target = _checked(options)
    places = " and ".join(map(os.path.relpath, results))
    sweeps = find_sweeps(results)
    chapters = find_chapters(results, sweeps)
    if not any(chapter.executed for chapter in chapters):
        raise InputError(f"no notebook is executed yet in {places}: start ./run_all.sh or ./run_all.sh lessons first")
    with locked(target.parent, "--output"), private_folder(target.parent) as workspace:
        print(f"building {os.path.relpath(target)} from what is executed in {places}: up to a minute", flush=True)
        _build(workspace, chapters, sweeps, results)
        if target.exists():
            target.rename(workspace / "before")
        (workspace / "book").rename(target)
    print(closing(target, chapters))
    return 0


def _checked(options: argparse.Namespace) -> tuple[list[Path], Path]:
    """The results folders and where the book will be. Raises InputError if no book can be built of them or there."""
    if not README.is_file():
        raise InputError("there is no README.md, which the book begins with: build it in a clone of the repository")
    if not find_spec("sphinx_book_theme"):
        raise InputError("Sphinx is not installed: start ./run_all.sh book, which installs it")
    results = [runs.user_folder(folder, "a folder").resolve() for folder in options.folders]
    if absent := [folder for folder in results if not folder.is_dir()]:
        raise InputError(f"{absent[0]} is not there: name a results folder, such as results/published")
    target = runs.user_folder(options.output, "--output").resolve()
    if target.exists() and not (target / MARK).is_file():
        raise InputError(f"{target} is there and is no book: choose another --output")
    return results or [runs.RESULTS, PUBLISHED], target


def _build(workspace: Path, chapters: Sequence[Chapter], sweeps: Sequence[Sweep], results: Sequence[Path]) -> None:
    """Build workspace/book. What Sphinx remarks goes to stderr. Raises InputError if it gives up."""
    source, built = workspace / "source", workspace / "book"
    source.mkdir()
    lay_out(Links(source, [*results, PUBLISHED]), built, chapters, sweeps)
    command = [sys.executable, "-m", "sphinx", "--quiet", "--conf-dir", Path(__file__).parent]
    finished = subprocess.run([*command, "--doctree-dir", workspace / "doctrees", source, built], check=False)
    if finished.returncode:
        raise InputError("Sphinx could not build the book: the lines above say why")


def closing(target: Path, chapters: Sequence[Chapter]) -> str:
    """Where the book is, whose lessons are in it, and which are missing."""
    own = [chapter for chapter in chapters if chapter.executed and not chapter.executed.is_relative_to(PUBLISHED)]
    published = [chapter for chapter in chapters if chapter.executed and chapter not in own]
    parts = {"your own": own, "published": published}
    parts["not executed yet"] = [chapter for chapter in chapters if not chapter.executed]
    size = sum(path.stat().st_size for path in target.rglob("*") if path.is_file())
    lines = [f"{name}: {', '.join(chapter.entry.name for chapter in part)}" for name, part in parts.items() if part]
    return "\n".join([*lines, f"open {os.path.relpath(target / 'index.html')} ({size / 1e6:.0f} MB)"])


def _parser() -> argparse.ArgumentParser:
    parser = OneLineParser(
        prog="./run_all.sh book",
        description="Build a book of web pages from executed notebooks that are there. Nothing is executed.",
    )
    parser.add_argument(
        "folders",
        metavar="FOLDER",
        nargs="*",
        help="results folders; of a notebook that is in several, the first folder's is taken; default: your own, "
        "results, then the authors', results/published",
    )
    parser.add_argument("--output", metavar="DIR", default=str(BOOK), help="where to write it; default: results/book")
    return parser
