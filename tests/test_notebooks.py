"""The notebooks as a reader runs them: real kernels, real papermill."""

import json
import os
import re
from pathlib import Path

import jupytext
import nbformat
import pandas as pd
import papermill
import pytest
from jupytext.compare import compare_notebooks

from vae_core import runs
from vae_core.execution.notebook import execute_notebook
from vae_core.report.published import LESSONS, PUBLISHED, SWEEPS, gallery_page, read_sweep
from vae_core.report.reading_order import READING_ORDER
from vae_core.report.tables import loss_table_page

NOTEBOOKS = sorted((runs.PROJECT / "notebooks").glob("*.py"))
RUN_FILES = {
    *("config.json", "dataset.json", "history.csv", "measures.json", "record.json", "latent.npz", "model.weights.h5"),
    *("dimensions.png", "traversals.png"),
    *("latent_scatter.png", "decoder_manifold.png", "decoder_manifold_quantiles.png", "decoder_manifold_occupied.png"),
}


MACHINE_PATH = r"(?<![\w.])/(home|root|tmp|Users|work|var|private)/"


def streams(path: Path) -> list[str]:
    cells = nbformat.read(path, nbformat.NO_CONVERT).cells
    return [output.text for cell in cells for output in cell.get("outputs", []) if output.output_type == "stream"]


def assert_publishable(path: Path) -> None:
    """No path of this machine, no papermill metadata, no warning, no error; every code cell ran."""
    notebook = nbformat.read(path, nbformat.NO_CONVERT)
    assert "papermill" not in notebook.metadata
    assert "formats" not in notebook.metadata.get("jupytext", {})
    for cell in notebook.cells:
        assert not re.search(MACHINE_PATH, cell.source)
        assert "papermill" not in cell.metadata
        if cell.cell_type == "code":
            assert cell.execution_count
            shown = [{"text/stream": output.get("text", ""), **output.get("data", {})} for output in cell.outputs]
            texts = [text for data in shown for kind, text in data.items() if kind.startswith("text/")]
            assert not re.search(MACHINE_PATH, " ".join(texts))
            assert "" not in [output.data["text/plain"] for output in cell.outputs if "data" in output]
            kinds = [(output.output_type, output.get("name")) for output in cell.outputs]
            assert ("stream", "stderr") not in kinds
            assert ("error", None) not in kinds


@pytest.mark.parametrize("source", NOTEBOOKS, ids=lambda path: path.stem)
def test_pair_is_in_sync_and_bare(source):
    paired = nbformat.read(source.with_suffix(".ipynb"), nbformat.NO_CONVERT)
    written = jupytext.read(source, config=jupytext.config.load_jupytext_config(str(source)))
    compare_notebooks(paired, written, fmt="py:percent")
    assert all(cell.execution_count is None and not cell.outputs for cell in paired.cells if cell.cell_type == "code")
    assert "formats" not in paired.metadata.get("jupytext", {})  # executed copies must not be paired


@pytest.mark.parametrize("source", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_parameter_has_a_type_and_a_help_text(source):
    parameters = papermill.inspect_notebook(str(source.with_suffix(".ipynb")))
    assert parameters
    for name, parameter in parameters.items():
        assert parameter["inferred_type_name"] in ("str", "int", "float", "list"), name
        assert parameter["help"], name
    (cell,) = (cell for cell in jupytext.read(source).cells if "parameters" in cell.metadata.get("tags", []))
    assert len(parameters) == len(cell.source.splitlines())  # papermill passes over lines that it cannot parse


@pytest.mark.slow
def test_dataset_auto_says_in_the_notebook_what_it_is_and_why(tmp_path, monkeypatch):
    (tmp_path / "no_folder").touch()  # so that there is no cache, and nothing can be downloaded into one
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "no_folder"))
    monkeypatch.delenv("VAE_DATA_DIR", raising=False)
    notebook = runs.PROJECT / "notebooks" / "train_vae.ipynb"
    parameters = {"dataset": "auto", "run_dir": str(tmp_path / "no_folder" / "run")}
    with pytest.raises(papermill.PapermillExecutionError, match="cannot be written"):  # nothing is to be trained
        execute_notebook(notebook, tmp_path / "out.ipynb", parameters, cwd=tmp_path)
    why, what = streams(tmp_path / "out.ipynb")[0].splitlines()
    assert "mnist is not on this machine and the cache" in why
    assert what.startswith("data set auto: this is digits: scikit-learn's 8x8")


@pytest.mark.slow
def test_a_bad_parameter_stops_train_vae_with_one_line_before_anything_is_written(tmp_path):
    notebook = runs.PROJECT / "notebooks" / "train_vae.ipynb"
    parameters = {"kl_weight": -1.0, "dataset": "digits", "run_dir": str(tmp_path / "run")}
    with pytest.raises(papermill.PapermillExecutionError) as caught:
        execute_notebook(notebook, tmp_path / "out.ipynb", parameters, cwd=tmp_path)
    assert caught.value.traceback == ["InputError: kl_weight must be at least 0, not -1.0"]
    assert not (tmp_path / "run").exists()


@pytest.mark.skipif(os.name != "posix", reason="sockets with names are for Linux and macOS")
def test_kernels_talk_through_files_since_two_that_start_together_may_choose_one_port(tmp_path):
    cell = nbformat.v4.new_code_cell("import ipykernel; print(ipykernel.get_connection_info(unpack=True)['transport'])")
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "in.ipynb")
    execute_notebook(tmp_path / "in.ipynb", tmp_path / "out.ipynb", {}, cwd=tmp_path)
    assert streams(tmp_path / "out.ipynb") == ["ipc\n"]


def test_committed_notebooks_are_publishable():
    published = sorted((runs.RESULTS / "published").rglob("*.ipynb"))
    assert published
    for path in published:
        assert_publishable(path)


def test_published_runs_are_whole_and_made_by_committed_code():
    folders = sorted((runs.RESULTS / "published" / "kl_sweep" / "mnist").glob("kl_*"))
    assert len(folders) == 24
    lessons = sorted(path.parent for path in LESSONS.glob("*/*/*/record.json"))
    assert len(lessons) >= 6
    for folder in folders + lessons:
        assert runs.is_done(folder)
        first_seed = folder.name.endswith("_seed0")
        assert (folder / "run.ipynb").exists() == first_seed  # one seed of notebooks and pictures is enough to read
        assert bool(list(folder.glob("*.png"))) == first_seed
        record = json.loads((folder / "record.json").read_text())
        assert record["git_commit"]
        assert record["git_dirty"] is False


def test_what_is_published_is_small_enough_to_clone():
    committed = [path for path in PUBLISHED.rglob("*") if path.is_file() and path.name not in runs.MODEL_FILES]
    sizes = {path: path.stat().st_size for path in committed}
    assert sum(sizes.values()) <= 45e6
    assert max(sizes.values()) <= 12e6


def test_the_committed_gallery_is_what_the_code_writes_and_its_links_lead_somewhere():
    page = (runs.RESULTS / "README.md").read_text()
    assert page == gallery_page(read_sweep(SWEEPS / "mnist"))
    links = re.findall(r"\]\(([^)]+)\)", page)
    assert len(links) > 30
    assert all((runs.RESULTS / link).is_file() for link in links)
    named = re.findall(r"^- \[(\w+)\]", page, re.MULTILINE)
    published = {path.parents[2].name for path in LESSONS.glob("*/*/*/run.ipynb")}
    published |= {path.stem for path in LESSONS.glob("*.ipynb")}
    assert named == [entry.name for entry in READING_ORDER if entry.name in published]
    assert len(named) == len(published) >= 9


def test_the_committed_tables_are_those_of_the_committed_runs():
    finished = read_sweep(SWEEPS / "mnist")
    assert (SWEEPS / "mnist" / "loss_table.md").read_text() == loss_table_page(finished)
    summary = pd.read_csv(SWEEPS / "mnist" / "summary.csv")
    summary = summary.drop(columns="diverged", errors="ignore")  # of the authors' runs, none has
    pd.testing.assert_frame_equal(summary, finished.table(), check_dtype=False)
