"""The first cells of a notebook, run in this process: that they stop can be seen without a kernel of their own."""

import re
from collections.abc import Mapping
from contextlib import chdir
from pathlib import Path

import nbformat
import pytest

from vae_core.errors import InputError

STARTS_THE_RUN = "runs.start_run("  # writes the run folder; whatever is refused has to be refused before


def run_first_cells(notebook: Path, parameters: Mapping[str, object]) -> None:
    """Run the code cells up to the one that starts the run, with the parameters where papermill puts them."""
    names = {}
    for cell in (cell for cell in nbformat.read(notebook, nbformat.NO_CONVERT).cells if cell.cell_type == "code"):
        exec(re.sub(r"^%.*$", "", cell.source, flags=re.MULTILINE), names)  # magics need IPython
        if "parameters" in cell.metadata.get("tags", []):
            names.update(parameters)
        if STARTS_THE_RUN in cell.source:
            break


def assert_refused(notebook: Path, parameters: Mapping[str, object], message: str, folder: Path) -> None:
    """The notebook, run in an empty folder, stops with the message of an InputError before it writes anything there."""
    with chdir(folder), pytest.raises(InputError, match=rf"\A{re.escape(message)}\Z"):
        run_first_cells(notebook, {"dataset": "digits", "run_dir": "run", **parameters})
    written = [path.name for path in folder.iterdir()]
    assert not written, f"written: {written}"
