"""The notebooks as a reader runs them: real kernels, real papermill."""

import json
import os
import re
import shlex
import subprocess
import sys
import textwrap
from pathlib import Path

import jupytext
import nbformat
import pandas as pd
import papermill
import pytest
from jupytext.compare import compare_notebooks

from vae_core import collector, findings, runs
from vae_core.notebooks import execute_notebook

NOTEBOOKS = sorted((runs.PROJECT / "notebooks").glob("*.py"))
RUN_FILES = {
    *("config.json", "history.csv", "measures.json", "record.json", "latent.npz", "model.weights.h5"),
    *("latent_scatter.png", "decoder_manifold.png", "decoder_manifold_quantiles.png", "decoder_manifold_occupied.png"),
}


MACHINE_PATH = r"(?<![\w.])/(home|root|tmp|Users|work|var|private)/"


def readme_command(start: str) -> list[str]:
    """The command in the README that begins so, as it would be typed."""
    lines = map(str.strip, (runs.PROJECT / "README.md").read_text().splitlines())
    return shlex.split(next(line for line in lines if line.startswith(start)))


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
        assert parameter["inferred_type_name"] in ("str", "int", "float"), name
        assert parameter["help"], name


def test_the_papermill_command_of_the_readme_trains_one_model(tmp_path):
    program, *arguments = readme_command("papermill notebooks/train_vae.ipynb")
    arguments[1] = str(tmp_path / "out.ipynb")
    arguments += ["-p", "run_dir", str(tmp_path / "run"), "-p", "epochs", "3"]
    command = [str(Path(sys.executable).with_name(program)), *arguments]
    environment = {name: value for name, value in os.environ.items() if name != "VAE_DATA_DIR"}
    subprocess.run(command, cwd=runs.PROJECT, env=environment, check=True, capture_output=True)
    assert runs.is_done(tmp_path / "run")
    assert {path.name for path in (tmp_path / "run").iterdir()} == RUN_FILES
    config = runs.read_json(tmp_path / "run" / "config.json")
    assert (config["kl_weight"], config["dataset"], config["epochs"]) == (0.5, "digits", 3)
    history = pd.read_csv(tmp_path / "run" / "history.csv")
    assert history["epoch"].tolist() == [1, 2, 3]
    pd.testing.assert_series_equal(
        history["objective"], history["distortion"] + 0.5 * history["rate"], check_names=False, rtol=1e-5
    )
    assert [line.split(":")[0] for line in streams(tmp_path / "out.ipynb")] == ["written"]


def test_the_python_example_of_the_readme_runs():
    paragraphs = (runs.PROJECT / "README.md").read_text().split("\n\n")
    begin = next(i for i, text in enumerate(paragraphs) if text.startswith("    from vae_core.data import"))
    example = textwrap.dedent("\n\n".join(paragraphs[begin : begin + 2]))
    variables: dict = {}
    exec(example, variables)
    history = variables["vae"].history.history
    assert len(history["val_objective"]) == 10
    assert history["val_objective"][-1] < history["val_objective"][0]


def test_dataset_auto_says_in_the_notebook_what_it_is_and_why(tmp_path, monkeypatch):
    (tmp_path / "no_folder").touch()  # so that there is no cache, and nothing can be downloaded into one
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "no_folder"))
    monkeypatch.delenv("VAE_DATA_DIR", raising=False)
    notebook = runs.PROJECT / "notebooks" / "train_vae.ipynb"
    parameters = {"dataset": "auto", "epochs": 1, "hidden_units": 8, "batch_size": 100, "run_dir": "run"}
    execute_notebook(notebook, tmp_path / "out.ipynb", parameters, cwd=tmp_path)
    assert runs.read_json(tmp_path / "run" / "config.json")["dataset"] == "digits"
    why, what = streams(tmp_path / "out.ipynb")[0].splitlines()
    assert "mnist is not on this machine and the cache" in why
    assert what.startswith("data set auto: this is digits: scikit-learn's 8x8")


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


def test_the_prior_confirms_the_kl_by_sampling(tmp_path):
    notebook = runs.PROJECT / "notebooks" / "00_the_prior.ipynb"
    execute_notebook(notebook, tmp_path / "out.ipynb", {"samples": 2000}, cwd=tmp_path)
    assert_publishable(tmp_path / "out.ipynb")
    assert [path.name for path in tmp_path.iterdir()] == ["out.ipynb"]
    cells = nbformat.read(tmp_path / "out.ipynb", nbformat.NO_CONVERT).cells
    outputs = [output.data for cell in cells for output in cell.get("outputs", [])]
    assert sum("image/png" in data for data in outputs) == 2
    table = next(data["text/html"] for data in outputs if "KL by sampling" in data.get("text/html", ""))
    rows = re.findall(r"<td>(-?[\d.]+)</td>\s*<td>(-?[\d.]+) ± ([\d.]+)</td>", table)
    assert len(rows) == 7
    for formula, estimate, error in rows:
        assert float(estimate) == pytest.approx(float(formula), abs=5 * float(error) + 1e-3)


def test_the_committed_gallery_is_what_the_collector_writes():
    finished = runs.read_runs(collector.PUBLISHED / "mnist")
    page = (runs.RESULTS / "README.md").read_text()
    assert page == collector.gallery_page(finished)
    links = re.findall(r"\]\(([^)]+)\)", page)
    assert len(links) > 4 * 24
    assert all((runs.RESULTS / link).is_file() for link in links)


def test_the_table_of_the_readme_is_the_published_one():
    table = (collector.PUBLISHED / "mnist" / "loss_table.md").read_text().split("\n\n")[1]
    assert table.count("|\n") > 8
    assert table in (runs.PROJECT / "README.md").read_text()


def test_the_answers_in_the_readme_are_those_of_the_published_sweep():
    summary, readme = collector.read_summary(collector.PUBLISHED / "mnist"), (runs.PROJECT / "README.md").read_text()
    assert findings.surprises_page(summary) in readme
    assert "@@" not in readme  # a place that was to be filled in


def test_the_table_of_the_seeds_in_the_readme_is_that_of_the_published_lessons():
    table = collector.seed_page()
    assert {line.split("|")[1].strip() for line in table.splitlines()[2:]} == {"000", "001", "002", "003"}
    assert table in (runs.PROJECT / "README.md").read_text()


def numbers_in(text: str) -> set[str]:
    return set(re.findall(r"(?<![\w.])\d[\d,]*(?:\.\d+)?(?![\w])", text))


def shown_numbers(notebook: Path) -> list[float]:
    """All numbers in the outputs and the prose of an executed notebook, and in the measures of its run.

    Of an explorer page: those of its answers and tables.
    """
    if notebook.suffix == ".html":
        page = json.loads(re.search(r'id="data">(.*?)</script>', notebook.read_text(), re.DOTALL)[1])
        texts = [question["answer"] for question in page["questions"]]
        texts += [text for weight in page["weights"] for text in weight["measured"].values()]
        return [float(number.replace(",", "")) for text in texts for number in numbers_in(text.replace("%", " "))]
    cells = nbformat.read(notebook, nbformat.NO_CONVERT).cells
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    texts = [cell.source for cell in cells if cell.cell_type == "markdown"]
    texts += [output.get("text", "") + str(output.get("data", {}).get("text/plain", "")) for output in outputs]
    texts += [output.get("data", {}).get(kind, "") for output in outputs for kind in ("text/html", "text/markdown")]
    measures = notebook.with_name("measures.json")
    texts += [json.dumps(runs.read_json(measures))] if measures.exists() else []
    return [float(number.replace(",", "")) for text in texts for number in numbers_in(text.replace("%", " "))]


TEACHING = (runs.PROJECT / "notebooks" / "README.md").read_text().split("\n## ")[2:]


@pytest.mark.parametrize("section", TEACHING, ids=lambda section: section[1 : section.index("]")])
def test_the_numbers_of_the_answers_for_teaching_are_in_the_executed_notebook(section):
    notebook = (runs.PROJECT / "notebooks" / re.search(r"\]\(([^)]+)\)", section)[1]).resolve()
    answers = " ".join(re.findall(r"(?<!\*)\*([^*]+)\*(?!\*)", section))
    shown = shown_numbers(notebook)
    assert numbers_in(answers) or "claims" in section.lower()
    for number in numbers_in(answers):
        decimals = len(number.partition(".")[2])
        assert any(f"{value:.{decimals}f}" == number.replace(",", "") for value in shown), f"{number} is not there"


def test_every_notebook_has_its_place_in_the_reading_order_and_its_questions():
    page = (runs.PROJECT / "notebooks" / "README.md").read_text()
    sections = [section[1 : section.index("]")] for section in TEACHING]
    assert sorted(sections) == sorted(path.stem for path in NOTEBOOKS)
    order = re.findall(r"^\| \d+ \| \[(\w+)\]\(\1\.py\)", page, re.MULTILINE)
    assert order == sections


def test_committed_notebooks_are_publishable():
    published = sorted((runs.RESULTS / "published").rglob("*.ipynb"))
    assert published
    for path in published:
        assert_publishable(path)


def test_published_runs_are_whole_and_made_by_committed_code():
    folders = sorted((runs.RESULTS / "published" / "kl_sweep" / "mnist").glob("kl_*"))
    assert len(folders) == 24
    lessons = sorted(path.parent for path in collector.LESSONS.glob("*/*/*/record.json"))
    assert len(lessons) == 6
    for folder in folders + lessons:
        assert runs.is_done(folder)
        record = json.loads((folder / "record.json").read_text())
        assert record["git_commit"]
        assert record["git_dirty"] is False
