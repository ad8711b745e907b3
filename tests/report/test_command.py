"""python -m vae_core.report, on run folders that are made up; one real sweep is made anew."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from tests.run_folders import make_run, read_folder
from tests.test_notebooks import assert_publishable
from vae_core import runs
from vae_core.execution.lock import locked
from vae_core.report import collect
from vae_core.report.command import main

COLLECTED = ("summary.csv", "loss_table.csv", "loss_table.md", "report.ipynb", "explorer.html", "rate_distortion.png")


def sweep(place: Path, seeds=(0, 1), **settings) -> Path:
    """Three weights; -log p(x) gets better with latent_dim, by 1 and a bit more at each seed."""
    for seed in seeds:
        for kl_weight in (0.5, 1.0, 4.0):
            config = {"dataset": "digits", "kl_weight": kl_weight, "epochs": 2, "seed": seed, **settings}
            dimensions = settings.get("latent_dim", 2)
            measures = {"distortion": 100 + 3 * kl_weight - dimensions, "rate": 5 / kl_weight, "active_units": 2}
            measures |= {"nll": 110 + kl_weight - dimensions - 0.01 * seed * dimensions, "mutual_information": 1.0}
            make_run(place / runs.run_name(kl_weight, seed), config, **measures)
    return place


def outputs(notebook: Path) -> list:
    cells = json.loads(notebook.read_text())["cells"]
    return [cell["outputs"] for cell in cells if cell["cell_type"] == "code"]


@pytest.fixture
def two(tmp_path) -> list[str]:
    return [str(sweep(tmp_path / "digits")), str(sweep(tmp_path / "digits" / "latent_dim=10", latent_dim=10))]


def test_help_is_a_usage(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    assert "usage: python -m vae_core.report" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "the following arguments are required: FOLDER"),
        (["{}/digits", "--outptu", "x"], "unrecognized arguments: --outptu"),
        (["{}/digist"], "digist is not there: name the folder of a sweep"),
        (["{}"], "has no finished run: name the folder of a sweep"),
        (["{}/digits", "{}/digits/."], "are the same folder: name each once"),
        (["{}/digits", "--output", "{}/out"], "--output is for a comparison"),
        (["{}/digits", "{}/gaussian"], "-log p(x) is of a density in one, gaussian, and of a probability in the other"),
        (["{}/digits", "{}/others"], "cannot be compared: they are of different data"),
        (["{}/digits", "{}/digits/latent_dim=10", "--output", "{}/digits"], "is the folder of a sweep: choose another"),
        (["{}/digits", "{}/digits/latent_dim=10", "--output", "{}/file"], "cannot be written"),
    ],
)
def test_what_cannot_be_made_is_told_in_one_line_and_nothing_is_written(arguments, said, two, tmp_path, capsys):
    sweep(tmp_path / "gaussian", likelihood="gaussian")
    sweep(tmp_path / "others", data_checksum="of others")
    (tmp_path / "file").touch()
    before = read_folder(tmp_path)
    assert main([argument.format(tmp_path) for argument in arguments]) == 2
    errors = capsys.readouterr().err
    assert errors.startswith("report: ")
    assert errors.count("\n") == 1
    assert said in errors
    assert read_folder(tmp_path) == before


def test_a_sweep_that_is_at_work_is_not_disturbed(two, capsys):
    with locked(Path(two[0])):
        before = read_folder(Path(two[0]))
        assert main(two[:1]) == 75
        assert read_folder(Path(two[0])) == before
    assert "report: another sweep is at work in" in capsys.readouterr().err


def test_an_interruption_ends_in_one_line(two, capsys, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(collect, "collect", interrupted)
    assert main(two[:1]) == 130
    assert capsys.readouterr().err == "report: interrupted; what is made stays\n"


def test_what_failed_is_named_and_the_code_says_so(two, capsys, monkeypatch):
    monkeypatch.setattr(collect, "compare", lambda *_: {"comparison.ipynb": "no room"})
    assert main(two) == 1
    assert "report: comparison.ipynb failed: no room\n" in capsys.readouterr().err


@pytest.mark.slow
def test_the_comparison_of_two_sweeps_has_its_table_its_figures_and_what_differs(two, tmp_path, capsys):
    assert main(two) == 0
    output = tmp_path / "digits" / "comparison"
    assert {path.name for path in output.glob("[!.]*")} == {
        *("comparison.csv", "comparison.ipynb"),
        *("rate_distortion.png", "active_units.png", "curves.png"),
    }
    assert "comparison.ipynb, comparison.csv" in capsys.readouterr().out
    table = pd.read_csv(output / "comparison.csv")
    assert table.groupby("setting").size().to_dict() == {"latent_dim 10": 6, "latent_dim 2": 6}
    assert not table.isna().any(axis=None)
    assert_publishable(output / "comparison.ipynb")
    cells = json.loads((output / "comparison.ipynb").read_text())["cells"]
    shown = "".join(str(item["data"]) for cell in cells for item in cell.get("outputs", []) if "data" in item)
    assert "**-8.04 [-8.55, -7.53]**" in shown  # -8 and -8.08: 12.7 times their deviation, by the root of 2
    assert main([*two, "--output", str(tmp_path / "elsewhere")]) == 0
    again = (tmp_path / "elsewhere" / "comparison.csv").read_text()
    assert again == (output / "comparison.csv").read_text()


def test_a_sweep_is_made_anew_from_its_run_folders_alone(digits_sweep, tmp_path, capsys):
    sweep_dir = tmp_path / digits_sweep[0].name
    shutil.copytree(digits_sweep[0], sweep_dir, ignore=shutil.ignore_patterns("*.ipynb", "loss_table*", "explorer*"))
    for name in COLLECTED:
        (sweep_dir / name).unlink(missing_ok=True)
    runs_before = {folder.name: read_folder(folder) for folder in sweep_dir.glob("kl_*")}
    assert main([str(sweep_dir)]) == 0
    assert "report.ipynb, explorer.html, loss_table.md" in capsys.readouterr().out
    for name in ("summary.csv", "loss_table.csv", "loss_table.md", "rate_distortion.png"):
        assert (sweep_dir / name).read_bytes() == (digits_sweep[0] / name).read_bytes()
    assert_publishable(sweep_dir / "report.ipynb")
    report, before = (outputs(folder / "report.ipynb") for folder in (sweep_dir, digits_sweep[0]))
    assert report == before
    assert "largest weight that keeps all units active" in str(report[-1])
    assert {folder.name: read_folder(folder) for folder in sweep_dir.glob("kl_*")} == runs_before
