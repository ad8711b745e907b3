"""The command that runs all lessons: what it costs, its order, and what is left when one fails or all are stopped."""

import signal
import subprocess
import sys

import nbformat
import papermill
import pytest

from tests.sweep.stub import notebook_with, write_stub
from tests.sweep.test_faults import assert_gone, kernels_below, wait_for
from vae_core import runs
from vae_core.report import published
from vae_core.report.reading_order import READING_ORDER, Entry
from vae_core.sweep.lessons.command import cost, main

pytestmark = pytest.mark.slow

ORDER = (
    Entry("raises", "an error", 0.5, "notebook"),
    Entry("alone", "a number", 1, "notebook"),
    Entry("page", "nothing by itself", 7),
    Entry("stub", "a run", 2.5, "run"),
)


@pytest.fixture
def notebooks(tmp_path):
    folder = tmp_path / "notebooks"
    folder.mkdir()
    (folder / "alone.ipynb").write_text(notebook_with("seed: int = 0", "6 * 7"))
    (folder / "raises.ipynb").write_text(notebook_with("seed: int = 0", "raise ValueError('no such number')"))
    return write_stub(folder)


def test_what_the_lessons_will_cost_is_said_before_they_start(tmp_path):
    lines = cost(ORDER[1:2] + ORDER[3:], tmp_path).splitlines()
    assert lines[0] == f"2 lessons, about 4 minutes on two cores, into {tmp_path / 'lessons'}:"
    assert [line.split()[:3] for line in lines[1:]] == [["alone", "1", "min"], ["stub", "2.5", "min"]]


def test_lessons_run_in_order_one_that_fails_stops_no_other_and_what_is_done_is_skipped(notebooks, tmp_path, capsys):
    results = tmp_path / "results"
    assert main(["--results", str(results)], notebooks, ORDER) == 1
    said = capsys.readouterr().err.splitlines()
    assert [line for line in said if line.endswith(" ...")] == ["raises ...", "alone ...", "stub ..."]
    assert f"lessons: ValueError: no such number -> {results / 'lessons' / 'failed' / 'raises.ipynb'}" in said
    assert said[-1] == "lessons: raises failed: the lines above say why"
    lessons = results / "lessons"
    assert {path.name for path in lessons.iterdir()} == {"alone.ipynb", "failed", "stub", ".lock"}
    assert nbformat.read(lessons / "alone.ipynb", nbformat.NO_CONVERT).cells[1].outputs[0].data["text/plain"] == "42"
    run = lessons / "stub" / "digits" / "kl_01.00_seed0"
    assert runs.read_json(run / "config.json")["threads"] == 2
    (notebooks / "raises.ipynb").write_text(notebook_with("seed: int = 0", "1"))
    made = (run / runs.RECORD).stat().st_mtime_ns
    assert main(["--results", str(results)], notebooks, ORDER) == 0
    assert "1 of 1 runs are done already" in capsys.readouterr().err
    assert (run / runs.RECORD).stat().st_mtime_ns == made
    assert (lessons / "raises.ipynb").exists()
    assert list((lessons / "failed").iterdir()) == []


def test_the_first_lesson_is_published_where_nothing_was_published_before(notebooks, tmp_path, monkeypatch):
    monkeypatch.setattr(published, "RESULTS", tmp_path)
    monkeypatch.setattr(published, "PUBLISHED", tmp_path / "published")
    monkeypatch.setattr(published, "SWEEPS", tmp_path / "published" / "kl_sweep")
    monkeypatch.setattr(published, "LESSONS", tmp_path / "published" / "lessons")
    assert main(["--results", str(tmp_path / "published")], notebooks, ORDER[1:2]) == 0
    assert (tmp_path / "published" / "lessons" / "alone.ipynb").exists()


def test_lessons_that_are_stopped_leave_no_half_notebook_and_no_process(notebooks, tmp_path):
    (notebooks / "alone.ipynb").write_text(notebook_with("seed: int = 0", "import time; time.sleep(60)"))
    script = "import sys; from pathlib import Path; from tests.sweep.test_lessons import ORDER, main; "
    script += "sys.exit(main(['--results', sys.argv[1]], Path(sys.argv[2]), ORDER[1:]))"
    command = [sys.executable, "-c", script, str(tmp_path / "results"), str(notebooks)]
    process = subprocess.Popen(command, cwd=runs.PROJECT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    kernels = wait_for(lambda: kernels_below(process), process)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert said.splitlines()[-1] == "lessons: interrupted; finished lessons are kept"
    assert "stub ..." not in said
    assert_gone(kernels)
    assert [path.name for path in (tmp_path / "results" / "lessons").iterdir()] == [".lock"]


def test_an_option_that_there_is_not_starts_nothing(tmp_path):
    with pytest.raises(SystemExit) as refused:
        main(["--results", str(tmp_path / "results"), "--dataset", "digits"], reading_order=ORDER)
    assert refused.value.code == 2
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("lesson", [entry for entry in READING_ORDER if entry.leaves], ids=lambda entry: entry.name)
def test_what_a_lesson_leaves_is_what_the_registry_says(lesson):
    parameters = papermill.inspect_notebook(str(runs.NOTEBOOKS / f"{lesson.name}.ipynb"))
    assert ({"kl_weight", "run_dir", "threads"} <= set(parameters)) == (lesson.leaves == "run")
