"""A notebook as a page of the book: its heading, its links, long code folded, and words for its pictures."""

import re
from pathlib import Path

import nbformat

from vae_core import runs
from vae_core.book.links import Links
from vae_core.errors import InputError

LONG = 6  # lines of code; a cell with more is folded


def page_of(file: Path, page: str, links: Links, origin: str, title: str = "") -> str:
    """The notebook with the links that it needs in `page`, as JSON.

    origin: the line below the heading; title: the heading, if it is not to be the notebook's own

    Raises InputError if the file is no notebook.
    """
    try:
        notebook = nbformat.read(file, nbformat.NO_CONVERT)
        first = next(cell for cell in notebook.cells if cell.cell_type == "markdown")
    except (ValueError, TypeError, AttributeError, KeyError, StopIteration):
        raise InputError(f"{file} is no notebook: execute it again, or move it away") from None
    heading, _, rest = first.source.partition("\n")
    section = title or heading.removeprefix("# ")
    first.source = "\n".join([f"# {section}", "", origin, rest])
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = links.rewritten(cell.source, page, [file.parent, runs.NOTEBOOKS])
            section = (re.findall(r"^##+ (.*)", cell.source, re.MULTILINE) or [section])[-1]
        elif cell.cell_type == "code":
            _prepare_code(cell, section)
    return nbformat.writes(notebook)


def _prepare_code(cell: nbformat.NotebookNode, section: str) -> None:
    """Fold long code; let a picture without words of its own have those of its section, for who cannot see it."""
    if len(cell.source.splitlines()) > LONG:
        cell.metadata["tags"] = [*cell.metadata.get("tags", []), "hide-input"]
    kinds = [kind for output in cell.outputs for kind in output.get("metadata", {}).values()]
    words = [kind["alt"] for kind in kinds if isinstance(kind, dict) and "alt" in kind]
    cell.metadata["mystnb"] = {"image": {"alt": " ".join(words) or f"Figure: {section}"}}
