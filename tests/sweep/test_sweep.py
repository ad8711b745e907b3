"""The sweep as it is typed: its command, its folders, its messages."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import nbformat
import numpy as np
import pandas as pd
import pytest

from tests.run_folders import make_run
from tests.sweep.running import run_stub_sweep, run_sweep
from tests.test_notebooks import RUN_FILES, assert_publishable
from vae_core import data, runs
from vae_core.errors import InputError
from vae_core.execution.notebook import execute_notebook
from vae_core.report.collect import collect
from vae_core.report.sheets import ANIMATIONS, SHEETS
from vae_core.sweep import command
from vae_core.sweep.closing import OPEN_FIRST
from vae_core.sweep.found import sort_out
from vae_core.sweep.plan import plan
from vae_core.sweep.remarks import remarks

SHEET_FILES = {f"{name}.png" for name in SHEETS} | {f"{name}.gif" for name in ANIMATIONS}


def replace_config(folder: Path, config: dict) -> None:
    """Make the folder one of a run with these settings."""
    runs.write_json(folder / "config.json", config)
    record = runs.read_json(folder / runs.RECORD)
    record["files"]["config.json"] = hashlib.sha256((folder / "config.json").read_bytes()).hexdigest()
    runs.write_json(folder / runs.RECORD, record)


def without_setting(folder: Path, name: str) -> None:
    """Make the folder one of a run from before there was such a parameter."""
    config = runs.read_json(folder / "config.json")
    del config[name]
    replace_config(folder, config)


def test_no_part_of_the_sweep_imports_keras():
    paths = (path.relative_to(runs.PACKAGE.parent) for path in (runs.PACKAGE / "sweep").rglob("*.py"))
    modules = [".".join(path.with_suffix("").parts) for path in paths]
    script = f"import importlib, sys; [importlib.import_module(name) for name in {modules}]; print(sorted(sys.modules))"
    finished = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "'vae_core.sweep.lessons.command'" in finished.stdout
    assert "'keras'" not in finished.stdout
    assert "'tensorflow'" not in finished.stdout


def test_a_sweep_leaves_the_files_of_the_contract_and_nothing_else(digits_sweep):
    folder, _, _ = digits_sweep
    names = [runs.run_name(kl_weight, seed) for kl_weight in (0, 1, 4) for seed in (0, 1)]
    tables = {"summary.csv", "loss_table.csv", "loss_table.md", "report.ipynb", "explorer.html"}
    assert {path.name for path in folder.iterdir()} == {*names, *tables, *SHEET_FILES, ".lock"}
    for name in names:
        assert {path.name for path in (folder / name).iterdir()} == RUN_FILES | {"run.ipynb"}
        assert runs.is_done(folder / name)
        assert_publishable(folder / name / "run.ipynb")
    assert_publishable(folder / "report.ipynb")


def test_the_tables_hold_what_the_runs_measured(digits_sweep):
    folder, _, _ = digits_sweep
    summary = pd.read_csv(folder / "summary.csv")
    assert summary[["kl_weight", "seed"]].values.tolist() == [[0, 0], [0, 1], [1, 0], [1, 1], [4, 0], [4, 1]]
    assert (summary["epochs"] == 20).all()
    for row in summary.itertuples():
        measured = json.loads((folder / runs.run_name(row.kl_weight, row.seed) / "measures.json").read_text())
        for name, value in measured.items():
            assert getattr(row, name) == pytest.approx(value)
    losses = pd.read_csv(folder / "loss_table.csv")
    rates = summary.groupby("kl_weight")["rate"]
    assert losses["rate_mean"].tolist() == pytest.approx(rates.mean().tolist())
    assert losses["rate_std"].tolist() == pytest.approx(rates.std().tolist())
    assert "not MNIST" in (folder / "loss_table.md").read_text()


def test_every_run_keeps_the_prediction_that_the_command_prints_for_its_images(digits_sweep):
    summary = pd.read_csv(digits_sweep[0] / "summary.csv")
    for name, weight in (("collapse_weight0", 31.58), ("collapse_weight1", 30.25)):  # see docs/collapse.md
        assert summary[name].tolist() == pytest.approx([weight] * 6, abs=0.005)
    assert "collapse_weight2" not in summary
    assert summary["predicted_active_units"].tolist() == [2] * 6


def test_only_the_weight_differs_between_runs_of_a_seed(digits_sweep):
    folder, _, _ = digits_sweep
    one, other = (runs.read_json(folder / f"kl_0{weight}.00_seed0" / "config.json") for weight in (0, 1))
    assert {name for name in one if one[name] != other[name]} == {"kl_weight"}
    assert one["hidden_units"] == 48
    first = [runs.read_history(folder / f"kl_0{weight}.00_seed0").iloc[0] for weight in (0, 1)]
    assert first[0]["rate"] > first[1]["rate"]


def test_the_closing_words_say_which_runs_are_done_and_what_to_open(digits_sweep):
    folder, _, said = digits_sweep
    first, *others = said["stdout"].strip().splitlines()
    assert first.startswith("6 of 6 runs are done, in ")
    assert (runs.PROJECT / first.rpartition(" in ")[2]).samefile(folder)
    assert max(map(len, others)) <= 80
    losses = pd.read_csv(folder / "loss_table.csv")
    head, *rows = others[1:5]
    assert head.split() == ["kl_weight", "distortion", "rate", "negative_elbo", "nll"]
    assert [float(row.split()[2]) for row in rows] == losses["rate_mean"].round(2).tolist()
    assert [line.split()[0] for line in others[-5:]] == list(OPEN_FIRST)
    assert all((folder / name).exists() for name in OPEN_FIRST)
    assert "Traceback" not in said["stderr"]
    assert "WARNING" not in said["stderr"]


def test_the_report_shows_the_sheets_and_the_computed_findings(digits_sweep):
    folder, _, _ = digits_sweep
    text = (folder / "report.ipynb").read_text()
    assert "Which weight gives the lowest negative ELBO?" in text
    assert "No sweep of the data set digits is published" in text
    cells = nbformat.reads(text, nbformat.NO_CONVERT).cells
    assert sum("image/png" in output.get("data", {}) for cell in cells for output in cell.get("outputs", [])) == 10
    assert "image/gif" not in text  # a page of images that move is large, and they get lost in HTML
    assert all(f"]({name}.gif)" in text for name in ANIMATIONS)
    assert "0.5, 1 and 2 are best: by nll" in text


@pytest.mark.slow
def test_a_sweep_over_another_notebook_goes_to_a_folder_of_its_own_with_tables_and_sheets(tmp_path):
    arguments = ("--notebook", "conv_vae_binarized_mnist", "--dataset", "digits", "--results", tmp_path)
    small = ("-p", "architecture", "dense", "-p", "batch_size", 100)
    finished = run_sweep(*arguments, "--kl-weights", 2, "--epochs", 1, *small)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    base = tmp_path / "lessons" / "conv_vae_binarized_mnist" / "digits"
    folder = base / "architecture=dense,epochs=1"
    run = folder / "kl_02.00_seed0"
    names = {run.name, "summary.csv", "loss_table.csv", "loss_table.md", ".lock"}
    assert {path.name for path in folder.iterdir()} == names
    assert runs.is_done(run)
    assert runs.read_json(run / runs.RECORD)["notebook_seconds"] > 0
    assert_publishable(run / "run.ipynb")
    summary = pd.read_csv(folder / "summary.csv")
    assert summary[["kl_weight", "architecture"]].values.tolist() == [[2, "dense"]]
    losses = pd.read_csv(folder / "loss_table.csv")
    assert losses["negative_elbo_mean"].tolist() == pytest.approx(summary["negative_elbo"].tolist())
    assert not [name for name in losses if name.startswith("architecture")]

    other = shutil.copytree(run, folder / "kl_00.50_seed0")  # a second weight, without a second training
    replace_config(other, runs.read_json(run / "config.json") | {"kl_weight": 0.5})
    assert collect("conv_vae_binarized_mnist", folder, tmp_path) == {}
    sheets = {"rate_distortion.png", "loss_curves.png", "latent_scatters.png", "decoder_manifolds.png"}
    assert {path.name for path in folder.iterdir()} == names | sheets | {other.name}
    assert pd.read_csv(folder / "loss_table.csv")["kl_weight"].tolist() == [0.5, 2]


def test_a_notebook_that_makes_no_run_or_is_misspelt_is_refused_with_the_names_of_those_that_do():
    for name in ("conv_vae_fashon", "bug_gallery"):
        refused = run_sweep("--notebook", name)
        assert refused.returncode == 2
        assert refused.stderr.startswith("sweep: --notebook must be one of autoencoder_vs_vae, conditional_vae, ")
        assert refused.stderr.endswith(f"not '{name}'\n")


def test_without_weights_another_notebook_is_run_at_its_own():
    options = command.parser().parse_args(["--notebook", "conv_vae_fashion", "--dataset", "digits"])
    (planned,) = plan(options).sweeps[0].runs
    assert planned.config["kl_weight"] == 0.392
    assert planned.config["epochs"] == 10


def test_a_failing_run_does_not_stop_the_others(stub_notebooks, tmp_path):
    finished = run_stub_sweep(stub_notebooks, "--kl-weights", 1e38, 1, "--results", tmp_path)
    folder = tmp_path / "lessons" / "stub" / "digits"
    name = runs.run_name(1e38, 0)
    assert finished.returncode == 1
    assert runs.is_done(folder / "kl_01.00_seed0")
    assert not (folder / name).exists()
    assert f"{name} failed: InputError: the losses are not finite in epoch 1" in " ".join(finished.stdout.split())
    assert "InputError" in (folder / "failed" / name / "run.ipynb").read_text()
    assert pd.read_csv(folder / "summary.csv")["kl_weight"].tolist() == [1]
    assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == [".lock"]


def test_rerun_replaces_runs_and_loses_none_when_their_successors_fail(stub_notebooks, tmp_path):
    """The runs in the way are made up, with a setting that a folder of its own has today."""
    weights = ("--kl-weights", "1", "1e38")
    options = command.parser().parse_args(["--notebook", "stub", *weights])
    replaced, lost = plan(options, stub_notebooks).sweeps[0].runs
    folder = tmp_path / "lessons" / "stub" / "digits"
    for run in (replaced, lost):
        make_run(folder / run.name, run.config | {"epochs": 3})
    refused = run_stub_sweep(stub_notebooks, *weights, "--results", tmp_path)
    assert refused.returncode == 2
    assert refused.stderr.count("\n") == 1
    assert "(epochs 3, now 20); to keep both, add --results" in refused.stderr
    finished = run_stub_sweep(stub_notebooks, *weights, "--results", tmp_path, "--rerun")
    assert finished.returncode == 1
    assert finished.stdout.count("failed: InputError: the losses are not finite") == 1
    assert runs.is_done(folder / "replaced" / lost.name)
    assert not (folder / lost.name).exists()
    assert not (folder / "replaced" / replaced.name).exists()
    assert pd.read_csv(folder / "summary.csv")[["kl_weight", "epochs"]].values.tolist() == [[1, 20]]


def test_runs_that_are_older_than_a_parameter_count_as_made_at_its_default(digits_sweep, tmp_path):
    shutil.copytree(digits_sweep[0], tmp_path / "kl_sweep" / "digits")
    folder = tmp_path / "kl_sweep" / "digits"
    for name in ("kl_00.00_seed0", "kl_01.00_seed0"):
        without_setting(folder / name, "threads")
        assert runs.is_done(folder / name)
    before = {path: path.read_bytes() for path in folder.rglob("record.json")}
    assert len(before) == 6
    again = run_sweep(*digits_sweep[1], "--seeds", 0, 1, "--results", tmp_path)
    assert again.returncode == 0, again.stdout + again.stderr
    done, older = again.stderr.splitlines()[:2]
    assert done.startswith("6 of 6 runs are done already")
    assert older == "2 runs were made before threads existed: they count as threads 1"
    assert {path: path.read_bytes() for path in folder.rglob("record.json")} == before  # nothing was run again
    assert not list(folder.glob("*=*"))  # where these settings would go today
    assert pd.read_csv(folder / "summary.csv")["threads"].tolist() == 6 * [1]
    assert_publishable(folder / "report.ipynb")


def test_runs_that_are_older_than_a_parameter_differ_from_a_sweep_at_another_value(digits_sweep, tmp_path):
    folder = tmp_path / "digits"
    shutil.copytree(digits_sweep[0], folder)
    without_setting(folder / "kl_01.00_seed1", "hidden_units")
    without_setting(folder / "kl_01.00_seed1", "threads")
    arguments = [*map(str, digits_sweep[1]), "--seeds", "0", "1"]
    with pytest.raises(
        InputError,
        match=r"other settings: kl_01.00_seed1 \(hidden_units 512, now 48\); .*; to replace them, add --rerun",
    ):
        sort_out(plan(command.parser().parse_args(arguments)).sweeps[0], folder, rerun=False)
    shutil.rmtree(folder)
    shutil.copytree(digits_sweep[0], folder)
    without_setting(folder / "kl_01.00_seed1", "threads")
    without_setting(folder / "kl_01.00_seed1", "learning_rate")
    (sweep,) = plan(command.parser().parse_args([*arguments, "--kl-weights", "2"])).sweeps
    found = sort_out(sweep, folder, rerun=False)
    assert [run.name for run in found.missing] == ["kl_02.00_seed0", "kl_02.00_seed1"]
    assert list(remarks([found])) == [
        "0 of 2 runs are done already",
        "1 run was made before learning_rate and threads existed: it counts as learning_rate 0.001, threads 1",
    ]


def test_auto_is_settled_before_the_runs_start(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("VAE_DATA_DIR", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setattr(data, "MIRRORS", {"mnist": ("http://127.0.0.1:9/",)})
    planned = plan(command.parser().parse_args(["--kl-weights", "1"]))
    assert [run.parameters["dataset"] for run in planned.sweeps[0].runs] == ["digits"]
    assert "not MNIST" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--kl-weights", "-1"], "kl_weight must be at least 0, not -1.0"),
        (["--kl-weights", "1", "nan"], "kl_weight must be a finite number, not nan"),
        (["--kl-weights", "half"], "argument --kl-weights: invalid float value: 'half' (--help lists the options)"),
        (
            ["--dataset", "minst"],
            f"unknown data set 'minst': choose one of {', '.join(data.SOURCES)}, auto, or a path such as ./minst",
        ),
        (["--epochs", "0"], "epochs must be at least 1, not 0"),
        (["--seeds", "-3"], "seed must be at least 0, not -3"),
        (["--workers", "0"], "--workers must be at least 1, not 0"),
        (["--sedes", "1"], "unrecognized arguments: --sedes 1 (--help lists the options)"),
        (["-p", "kl_weight", "3"], "-p kl_weight: use --kl-weights instead"),
        (["-p", "data_dir", "x"], "-p data_dir: use the environment variable VAE_DATA_DIR instead"),
        (["-p", "learning_rate", "fast"], "-p learning_rate: 'fast' is not of type float"),
        (["-p", "target_rate", "some"], "-p target_rate: 'some' is not of type float or empty: ''"),
        (["-p", "kl_schedule", "sine"], "kl_schedule must be one of constant, linear, cosine, cyclical, not 'sine'"),
        (["-p", "learning_rate", "0"], "learning_rate must be greater than 0, not 0.0"),
        (["-p", "batch_size", "1.5"], "-p batch_size: '1.5' is not of type int"),
        (["-p", "batch_size"], "-p batch_size: give one value or several"),
        (
            ["-p", "batch_size", "64", "-p", "batch_size", "128"],
            "-p batch_size is there twice: give all its values at once, -p batch_size A B",
        ),
        (["-p", "epochs", "3", "5"], "-p epochs: use --epochs instead"),
        (
            ["-p", "batch_size", "64", "128", "-p", "learning_rate", "0.1", "0"],
            "batch_size 64, learning_rate 0: learning_rate must be greater than 0, not 0.0",
        ),
        (["-p", "latent_dim=5"], "-p latent_dim=5: train_vae has no such parameter: write -p latent_dim 5"),
        (
            ["-p", "lerning_rate", "0.1"],
            "-p lerning_rate: train_vae has no such parameter; "
            "for -p it has batch_size, binarise, free_bits, hidden_units, kl_cycles, kl_ramp, kl_schedule, "
            "kl_warmup_epochs, latent_dim, learning_rate, likelihood, pixel_variance, target_distortion, target_rate, "
            "threads",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_usage_is_one_line_and_nothing_is_written(arguments, message, tmp_path, capsys):
    assert command.main(["--dataset", "digits", *arguments, "--results", str(tmp_path / "results")]) == 2
    assert capsys.readouterr().err == f"sweep: {message}\n"
    assert not (tmp_path / "results").exists()


def test_a_results_folder_that_cannot_be_written_is_named(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert command.main(["--dataset", "digits", "--results", str(tmp_path / "file")]) == 2
    assert f"{tmp_path}/file/kl_sweep/digits cannot be written" in capsys.readouterr().err


def test_mnist_without_data_and_network_stops_before_anything_is_written(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("VAE_DATA_DIR", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setattr(data, "MIRRORS", {"mnist": ("http://127.0.0.1:9/",)})
    assert command.main(["--dataset", "mnist", "--results", str(tmp_path / "results")]) == 2
    message = capsys.readouterr().err
    assert "could not be downloaded" in message
    assert "digits, which needs no network" in message
    assert not (tmp_path / "results").exists()


def test_relative_folders_of_data_are_those_of_the_caller_since_notebooks_run_elsewhere(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    for variable in ("VAE_DATA_DIR", "KERAS_HOME"):
        monkeypatch.setenv(variable, f"../{variable}")
    plan(command.parser().parse_args(["--dataset", "digits"]))
    for variable in ("VAE_DATA_DIR", "KERAS_HOME"):
        assert os.environ[variable] == str(tmp_path.resolve() / variable)


def test_real_mnist(mnist, tmp_path):
    parameters = {"dataset": "mnist", "kl_weight": 1.0, "epochs": 2, "hidden_units": 128, "run_dir": str(tmp_path)}
    here = Path.cwd()  # VAE_DATA_DIR may be relative to it
    execute_notebook(runs.NOTEBOOKS / "train_vae.ipynb", tmp_path / "run.ipynb", parameters, cwd=here)
    measured = SimpleNamespace(**runs.read_json(tmp_path / "measures.json"))
    assert measured.entropy_floor == pytest.approx(45.53, abs=0.01)
    assert 45.53 < measured.distortion < measured.negative_elbo < 175
    assert 1 < measured.mutual_information < measured.rate < 10
    assert measured.nll < measured.negative_elbo
    latent = np.load(tmp_path / "latent.npz")
    assert latent["mean"].shape == (10_000, 2)
    assert latent["manifold"].shape == (30, 30, 28, 28)
