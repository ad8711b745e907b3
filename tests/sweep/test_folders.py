"""Whose folders these are: what people do to results, and what a sweep counts, names, keeps and deletes."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

from tests.run_folders import make_run, read_folder
from tests.sweep.stub import notebook_with
from tests.sweep.test_faults import mounted
from vae_core import runs
from vae_core.errors import InputError
from vae_core.execution.places import private_folder, replace_notebook
from vae_core.explorer.__main__ import main as explore
from vae_core.provenance import provenance
from vae_core.report import collect
from vae_core.sweep import command, publish
from vae_core.sweep.execute import Outcome
from vae_core.sweep.found import sort_out
from vae_core.sweep.lessons.command import main as run_lessons
from vae_core.sweep.plan import plan
from vae_core.sweep.remarks import remarks

NAMES = ("kl_00.00_seed0", "kl_01.00_seed0")


@pytest.fixture
def planned(stub_notebooks):
    """A sweep over the stub as it is planned, for options that are typed."""

    def planned(*options):
        arguments = ["--notebook", "stub", *map(str, options)]
        (sweep,) = plan(command.parser().parse_args(arguments), stub_notebooks).sweeps
        return sweep

    return planned


@pytest.fixture
def at_two_weights(planned):
    return planned("--kl-weights", 0, 1)


@pytest.fixture
def sweep_dir(at_two_weights, tmp_path):
    """A finished sweep at two weights."""
    for run in at_two_weights.runs:
        make_run(tmp_path / "sweep" / run.name, run.config)
    return tmp_path / "sweep"


def outcome_of(run, folder, problem=None):
    """What a worker sends back."""
    make_run(folder, run.config)
    return Outcome(read_folder(folder) | {"stderr.log": b"a warning"}, problem)


def publish_anew(run, sweep_dir, problem=None):
    """Put a new run in the place of what is there, as a sweep does."""
    publish.move_aside([run], sweep_dir)
    with private_folder(sweep_dir) as workspace:
        outcome = outcome_of(run, workspace / "of a worker", problem)
        return publish.publish(run.name, outcome, sweep_dir, workspace)


def rewrite(folder, name, content):
    """Another content, which the record vouches for."""
    (folder / name).write_bytes(content)
    runs.update_record(folder, 1.0)


# ---- what counts


def test_copies_and_broken_folders_are_named_and_left_alone_and_all_else_is_collected(
    at_two_weights, planned, sweep_dir, tmp_path
):
    shutil.copytree(sweep_dir / NAMES[1], sweep_dir / f"{NAMES[1]}.bak")
    for weight, name, content in ((3, "measures.json", b"[]"), (4, "history.csv", b"epoch\n"), (5, "latent.npz", b"")):
        (run,) = planned("--kl-weights", weight).runs
        rewrite(make_run(sweep_dir / run.name, run.config), name, content)
    (run,) = planned("--kl-weights", 6).runs
    (make_run(sweep_dir / run.name, run.config) / "record.json").write_text('{"files": null}')
    before = read_folder(sweep_dir)
    found = sort_out(at_two_weights, sweep_dir, rerun=False)
    assert found.missing == []
    assert list(remarks([found]))[1:] == [
        "not counted, and left alone: kl_01.00_seed0.bak (its config.json says kl_01.00_seed0), "
        "kl_03.00_seed0 (measures.json is not a run's), kl_04.00_seed0 (history.csv is not a run's), "
        "kl_05.00_seed0 (latent.npz cannot be read), kl_06.00_seed0 (record.json is not a run's)"
    ]
    assert collect.collect("stub", sweep_dir, tmp_path) == {}
    assert pd.read_csv(sweep_dir / "loss_table.csv")[["kl_weight", "seeds"]].values.tolist() == [[0, 1], [1, 1]]
    assert read_folder(sweep_dir).items() >= before.items()


def test_an_extra_key_in_config_json_is_an_alteration_or_another_setting(at_two_weights, sweep_dir):
    folder = sweep_dir / NAMES[1]
    config = json.dumps(runs.read_json(folder / "config.json") | {"comment": None}).encode()
    (folder / "config.json").write_bytes(config)
    found = sort_out(at_two_weights, sweep_dir, rerun=False)
    assert found.left_out == {folder: "config.json was altered"}
    rewrite(folder, "config.json", config)
    with pytest.raises(InputError, match=r"other settings: kl_01.00_seed0 \(comment None, now no setting\)"):
        sort_out(at_two_weights, sweep_dir, rerun=False)


def test_remarks_in_a_notebook_and_files_beside_it_undo_nothing(at_two_weights, sweep_dir):
    (sweep_dir / NAMES[1] / "run.ipynb").write_text('{"remark": "why?"}')
    (sweep_dir / NAMES[1] / "notes.txt").write_text("look at the sevens")
    found = sort_out(at_two_weights, sweep_dir, rerun=False)
    assert (found.missing, found.left_out) == ([], {})


@pytest.mark.parametrize("weights", [(0.3, 0.30000000000000004), tuple(np.arange(0, 0.5, 0.1))])
def test_weights_that_differ_by_noise_are_one_weight_with_the_name_that_was_meant(planned, weights):
    runs_of_it = planned("--kl-weights", *weights).runs
    assert [run.parameters["kl_weight"] for run in runs_of_it] == list(dict.fromkeys(round(w, 1) for w in weights))
    assert "kl_00.30_seed0" in [run.name for run in runs_of_it]


def test_weights_that_tables_would_show_as_the_same_are_refused(planned, sweep_dir):
    with pytest.raises(InputError, match=r"kl_weight 0.1234567, 0.1234568 are all 0.123457 in tables: choose one"):
        sort_out(planned("--kl-weights", 0.1234567, 0.1234568), sweep_dir, rerun=False)
    with pytest.raises(InputError, match=r"kl_weight 1.0, 1.0000001 are all 1 in tables: .* move the runs"):
        sort_out(planned("--kl-weights", 1.0000001), sweep_dir, rerun=False)


def test_runs_with_other_settings_are_named_and_never_mixed_in(planned, sweep_dir):
    with pytest.raises(InputError) as refused:
        sort_out(planned("--kl-weights", 0, 1, "--epochs", 40), sweep_dir, rerun=False)
    assert str(refused.value) == (
        f"{sweep_dir} has runs with other settings: kl_00.00_seed0, kl_01.00_seed0 (epochs 20, now 40); "
        "to keep both, add --results and another folder, such as results/second; to replace them, add --rerun"
    )
    assert len(sort_out(planned("--kl-weights", 0, 1, "--epochs", 40), sweep_dir, rerun=True).missing) == 2


# ---- what is kept


def test_what_was_altered_is_named_done_again_and_never_deleted(at_two_weights, sweep_dir):
    run = at_two_weights.runs[1]
    for number in ("", ".2"):
        history = sweep_dir / run.name / "history.csv"
        history.write_bytes(history.read_bytes().replace(b"100", b"99"))
        (sweep_dir / run.name / "notes.txt").write_text(f"look {number}")
        found = sort_out(at_two_weights, sweep_dir, rerun=False)
        assert list(remarks([found]))[1:] == [
            "done again, while the folder of before goes to kept/: kl_01.00_seed0 (history.csv was altered)"
        ]
        assert publish_anew(*found.missing, sweep_dir) is None
        assert runs.finished_folders(sweep_dir) == [sweep_dir / name for name in NAMES]
        kept = sweep_dir / "kept" / f"{run.name}{number}"
        assert (kept / "notes.txt").read_text() == f"look {number}"
        assert b"99" in (kept / "history.csv").read_bytes()


@pytest.mark.parametrize(
    ("edit", "place"),
    [
        (None, None),
        ("notes.txt", "kept"),
        ("run.ipynb", "kept"),
        ("scatter.png", "kept"),
        ("my figures/one.png", "kept"),
    ],
)
def test_a_replaced_run_is_deleted_when_its_successor_is_whole_unless_somebody_has_edited_it(
    planned, sweep_dir, edit, place
):
    if edit:
        (sweep_dir / NAMES[1] / edit).parent.mkdir(exist_ok=True)
        (sweep_dir / NAMES[1] / edit).write_text("mine")
    (run,) = planned("--kl-weights", 1, "--epochs", 40).runs
    assert publish_anew(run, sweep_dir, "it failed") == "it failed"
    assert runs.is_done(sweep_dir / "replaced" / run.name)
    assert publish_anew(run, sweep_dir) is None
    assert runs.read_json(sweep_dir / run.name / "config.json")["epochs"] == 40
    assert not (sweep_dir / "replaced" / run.name).exists()
    kept = read_folder(sweep_dir / "kept")
    assert [name for name, content in kept.items() if content == b"mine"] == ([f"{run.name}/{edit}"] if edit else [])
    assert bool(kept) == bool(place)


def test_a_run_under_the_name_of_another_is_kept_and_not_replaced(at_two_weights, planned, sweep_dir):
    (run,) = planned("--kl-weights", 7).runs
    shutil.move(sweep_dir / NAMES[1], sweep_dir / run.name)
    assert publish_anew(run, sweep_dir) is None
    assert runs.is_done(sweep_dir / "kept" / run.name)
    assert runs.read_json(sweep_dir / "kept" / run.name / "config.json")["kl_weight"] == 1


def test_a_failed_run_leaves_notebook_log_and_reason_until_it_is_done(at_two_weights, sweep_dir):
    run = at_two_weights.runs[1]
    shutil.rmtree(sweep_dir / run.name)
    failed = sweep_dir / "failed" / run.name
    for problem in ("the losses are not finite", "its kernel died"):
        assert publish_anew(run, sweep_dir, problem) == problem
        assert set(read_folder(failed)) == {"run.ipynb", "stderr.log", "failure.json"}
        assert runs.read_json(failed / "failure.json")["problem"] == problem
    (failed / "notes.txt").write_text("tried a smaller step")
    assert publish_anew(run, sweep_dir) is None
    assert not failed.exists()
    assert "notes.txt" in read_folder(sweep_dir / "kept" / run.name)


def test_what_somebody_put_in_the_runs_place_meanwhile_is_kept(at_two_weights, sweep_dir, tmp_path):
    run = at_two_weights.runs[1]
    (sweep_dir / run.name / "notes.txt").write_text("restored from a backup")
    outcome = outcome_of(run, tmp_path / "of a worker")
    with private_folder(sweep_dir) as workspace:
        assert publish.publish(run.name, outcome, sweep_dir, workspace) is None
    assert "notes.txt" in read_folder(sweep_dir / "kept" / run.name)


def test_on_a_full_disk_a_run_leaves_its_notebook_and_no_weights(at_two_weights, tmp_path):
    run = at_two_weights.runs[1]
    outcome = outcome_of(run, tmp_path / "of a worker")
    with mounted(tmp_path / "small", "size=1m") as sweep_dir, private_folder(sweep_dir) as workspace:
        too_large = Outcome(outcome.files | {"model.weights.h5": bytes(2**21)}, None)
        problem = publish.publish(run.name, too_large, sweep_dir, workspace)
        assert problem == "its results cannot be written (No space left on device)"
        assert set(read_folder(sweep_dir)) == {
            f"failed/{run.name}/{name}" for name in ("run.ipynb", "failure.json", "stderr.log")
        }
        assert publish.publish(run.name, outcome, sweep_dir, workspace) is None
        assert runs.finished_folders(sweep_dir) == [sweep_dir / run.name]


# ---- results from elsewhere


def test_results_from_another_machine_are_named_with_what_differs(at_two_weights, sweep_dir):
    found = sort_out(at_two_weights, sweep_dir, rerun=False)
    assert list(remarks([found])) == ["2 of 2 runs are done already"]
    here = provenance()
    other = {"python": "3.12.1", "processor": "Another One", "git_commit": None, "source_sha256": "another"}
    record = runs.read_json(sweep_dir / NAMES[1] / "record.json") | other
    record["versions"]["keras"] = "3.4.1"
    runs.write_json(sweep_dir / NAMES[1] / "record.json", record)
    assert list(remarks([found])) == [
        "2 of 2 runs are done already",
        "finished runs are kept, though the code has changed since (an unknown commit then)",
        f"made with other versions, and kept: Python 3.12.1 (here {here['python']}), "
        f"processor Another One (here {here['processor']}), keras 3.4.1 (here {here['versions']['keras']})",
    ]


@pytest.mark.parametrize("left", [{}, {"versions": None, "python": [3]}])
def test_a_record_that_says_little_of_its_machine_stops_nothing(at_two_weights, sweep_dir, left):
    files = runs.read_json(sweep_dir / NAMES[1] / "record.json")["files"]
    runs.write_json(sweep_dir / NAMES[1] / "record.json", {"files": files} | left)
    _, second, *_ = remarks([sort_out(at_two_weights, sweep_dir, rerun=False)])
    assert second == "finished runs are kept, though the code has changed since (an unknown commit then)"


def test_what_is_true_of_several_folders_is_said_once(at_two_weights, sweep_dir, tmp_path):
    record = sweep_dir / NAMES[1] / "record.json"
    runs.write_json(record, runs.read_json(record) | {"git_commit": None, "source_sha256": "another"})
    again, empty = shutil.copytree(sweep_dir, tmp_path / "again"), tmp_path / "empty"
    found = [sort_out(at_two_weights, folder, rerun=False) for folder in (sweep_dir, again, empty)]
    changed = "finished runs are kept, though the code has changed since (an unknown commit then)"
    counts = [f"  {sweep_dir.name}: 2 of 2", "  again: 2 of 2", "  empty: 0 of 2"]
    lines = [f"{count} runs are done already" for count in counts]
    assert list(remarks(found)) == [*lines, f"  {sweep_dir.name}; again: {changed}"]
    assert list(remarks(found[:2])) == [*lines[:2], f"  all: {changed}"]


# ---- where things are written


def test_no_folder_is_not_the_present_one_and_a_tilde_is_the_home_folder(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").write_text("no folder, so that nothing is run")
    for main in (
        lambda *results: command.main(["--dataset", "digits", *results]),
        lambda *results: run_lessons(results),
    ):
        assert main("--results", "") == 2
        assert "--results is empty: name a folder" in capsys.readouterr().err
    assert command.main(["--dataset", "digits", "--results", "~/x"]) == 2
    assert f"sweep: {tmp_path}/home/x/kl_sweep/digits cannot be written" in capsys.readouterr().err
    assert explore(["~/x"]) == 2
    assert f"{tmp_path}/home/x is not there" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["home"]


def test_a_table_that_cannot_be_written_is_named_and_the_figures_are_drawn(sweep_dir, tmp_path):
    (sweep_dir / "summary.csv").mkdir()
    assert collect.collect("stub", sweep_dir, tmp_path) == {"tables": "Is a directory: summary.csv"}
    assert (sweep_dir / "rate_distortion.png").is_file()
    assert not list(sweep_dir.glob(".*partial"))


def test_a_report_that_cannot_be_put_in_its_place_is_kept(tmp_path, monkeypatch):
    """The report's notebook is a stub here: what it says is tested elsewhere."""
    text = notebook_with("sweep_dir: str = ''", "print('whole')")
    (tmp_path / "kl_sweep_report.ipynb").write_text(text)
    monkeypatch.setattr(runs, "NOTEBOOKS", tmp_path)
    sweep_dir = tmp_path / "sweep"
    (sweep_dir / "report.ipynb").mkdir(parents=True)
    with pytest.raises(IsADirectoryError):
        collect._write_report(sweep_dir, tmp_path)
    assert "whole" in (sweep_dir / "failed" / "report.ipynb").read_text()
    (sweep_dir / "report.ipynb").rmdir()
    collect._write_report(sweep_dir, tmp_path)
    assert set(read_folder(sweep_dir)) == {"report.ipynb"}
    collect._write_report(sweep_dir, tmp_path)
    assert set(read_folder(sweep_dir)) == {"report.ipynb"}


@pytest.mark.parametrize("edited", [notebook_with("a = 1", "# why?").encode(), b"", b"[]", b"\xff"])
def test_a_report_that_somebody_has_written_into_is_kept(tmp_path, edited):
    whole = notebook_with("a = 1").encode()
    for before in (edited, whole):
        (tmp_path / "report.ipynb").write_bytes(before)
        (tmp_path / "new.ipynb").write_bytes(whole)
        replace_notebook(tmp_path / "new.ipynb", tmp_path / "report.ipynb")
        assert (tmp_path / "report.ipynb").read_bytes() == whole
        assert read_folder(tmp_path / "kept") == {"report.ipynb": edited}


# ---- the explorer


def test_the_explorer_names_runs_that_it_cannot_read_and_shows_the_others(digits_sweep, tmp_path, capsys):
    folder = tmp_path / "digits"
    shutil.copytree(digits_sweep[0], folder)
    rewrite(folder / "kl_00.00_seed0", "model.weights.h5", b"no weights")
    rewrite(folder / "kl_00.00_seed1", "latent.npz", b"no codes")
    (folder / "kl_04.00_seed0" / "record.json").write_text("[]")
    shutil.copytree(folder / "kl_01.00_seed0", folder / "kl_01.00_seed0 (1)")
    assert explore([str(folder / "kl_04.00_seed0")]) == 2
    assert "has no finished run; kl_04.00_seed0: record.json is not a run's: give" in capsys.readouterr().err
    assert explore([str(folder)]) == 0
    page = (folder / "explorer.html").read_text()
    (missing,) = [line for line in page.splitlines() if 'role="note">Not in this page' in line]
    for said in (
        "kl_00.00_seed0: model.weights.h5 cannot be read",
        "kl_00.00_seed1: latent.npz cannot be read",
        "kl_01.00_seed0 (1): its config.json says kl_01.00_seed0",
        "kl_04.00_seed0: record.json is not a run&#39;s",
    ):
        assert said in missing
    assert '"kl_weight": 1.0, "seed": 0, "measured"' in page
    assert '"kl_weight": 4.0, "seed": 1, "measured"' in page
