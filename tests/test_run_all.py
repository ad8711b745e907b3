"""run_all.sh in a folder of its own, so that the real .venv is not touched."""

import os
import shutil
import subprocess

import pytest

from vae_core import runs


@pytest.fixture
def copy(tmp_path):
    shutil.copy(runs.PROJECT / "run_all.sh", tmp_path)
    shutil.copy(runs.PROJECT / "requirements.txt", tmp_path)
    shutil.copytree(runs.NOTEBOOKS / ".jupyter", tmp_path / "notebooks" / ".jupyter")
    return tmp_path


def run_all(folder, *arguments, cwd=None, **environment):
    command = ["bash", folder / "run_all.sh", *arguments]
    return subprocess.run(command, cwd=cwd, env=os.environ | environment, capture_output=True, text=True, check=False)


def tools_without_python(folder):
    """A PATH with what the script needs, and Pythons that all say no, as one that is too old does."""
    tools = folder / "bin"
    tools.mkdir()
    for tool in ("bash", "dirname", "cmp", "cat", "cp"):
        (tools / tool).symlink_to(shutil.which(tool))
    for name in ("python", "python3"):
        (tools / name).write_text("#!/bin/sh\nexit 1\n")
        (tools / name).chmod(0o755)
    return str(tools)


def test_help_needs_no_set_up(copy):
    finished = run_all(copy, "--help")
    assert finished.returncode == 0
    assert "./run_all.sh --dataset digits" in finished.stdout
    assert not (copy / ".venv").exists()


def test_a_command_with_a_typo_is_told_before_anything_is_installed(copy):
    finished = run_all(copy, "tset")
    assert finished.returncode == 2
    assert finished.stderr.startswith("run_all.sh: no command 'tset': there are lab, lessons, publish and test")
    assert len(finished.stderr.splitlines()) == 1
    assert not (copy / ".venv").exists()


def test_an_old_python_is_told_which_one_is_needed(copy):
    finished = run_all(copy, PATH=tools_without_python(copy), PYTHON="")
    assert finished.returncode == 2
    assert finished.stderr.startswith("run_all.sh: needs Python 3.11, 3.12 or 3.13")
    assert len(finished.stderr.splitlines()) == 1
    assert not (copy / ".venv").exists()


def with_set_up(folder):
    """Make the folder look set up, with a Python and a Jupyter that only say what they were asked to run."""
    tools = folder / ".venv" / "bin"
    tools.mkdir(parents=True)
    for name in ("python", "jupyter"):
        (tools / name).write_text('#!/bin/sh\necho "$(basename $0): $@; data in $VAE_DATA_DIR"\n')
        (tools / name).chmod(0o755)
    parts = ("requirements.txt", "notebooks/.jupyter/jupyter_server_config.py")
    (folder / ".venv" / "installed").write_text(f"{folder}\n" + "".join((folder / part).read_text() for part in parts))


def test_the_set_up_is_skipped_when_the_same_requirements_are_installed(copy):
    with_set_up(copy)
    finished = run_all(copy, "--dataset", "digits", VAE_DATA_DIR="")
    assert finished.stdout == "python: -m vae_core.sweep --dataset digits; data in \n"
    assert finished.stderr == ""
    (copy / "requirements.txt").write_text("another==1.0\n")
    again = run_all(copy, "--dataset", "digits", PATH=tools_without_python(copy), PYTHON="")
    assert again.stderr.startswith("run_all.sh: needs Python")  # so it went on to set up anew


@pytest.mark.parametrize(
    ("arguments", "runs_what"),
    [
        (["lab", "--no-browser"], ["jupyter: lab notebooks/ --no-browser"]),
        (["lessons"], ["python: -m vae_core.sweep.lessons --results results"]),
        (
            ["publish"],
            [
                "python: -m vae_core.sweep.lessons --results results/published",
                "python: -m vae_core.sweep --dataset mnist --seeds 0 1 2 --results results/published",
            ],
        ),
    ],
    ids=lambda value: value[0],
)
def test_a_command_runs_what_its_help_says_with_the_data_of_the_folder_where_it_was_typed(
    copy, tmp_path_factory, arguments, runs_what
):
    with_set_up(copy)
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    finished = run_all(copy, *arguments, cwd=elsewhere, VAE_DATA_DIR="my data")
    assert finished.stdout.splitlines() == [f"{command}; data in {elsewhere}/my data" for command in runs_what]
    assert finished.returncode == 0


def test_a_tilde_in_the_data_folders_name_is_left_to_python(copy):
    with_set_up(copy)
    finished = run_all(copy, "--dataset", "digits", VAE_DATA_DIR="~/data")
    assert finished.stdout == "python: -m vae_core.sweep --dataset digits; data in ~/data\n"


def test_a_python_that_was_named_is_used_or_refused(copy):
    finished = run_all(copy, PYTHON="/nowhere/python3")
    assert finished.returncode == 2
    assert "/nowhere/python3 is none" in finished.stderr


def test_a_python_with_a_space_in_its_path_is_one_python(copy):
    python = copy / "my tools" / "python"
    python.parent.mkdir()
    python.write_text('#!/bin/sh\n[ "$1" = -c ] || [ "$1" = --version ] || { echo "asked: $@"; exit 3; }\n')
    python.chmod(0o755)
    finished = run_all(copy, PYTHON=str(python))
    assert finished.stdout == f"asked: -m venv --clear {copy}/.venv\n"
    assert finished.returncode == 3


@pytest.mark.parametrize("command", ["lessons", "publish"])
def test_an_option_of_a_command_that_takes_hours_is_refused_before_anything_runs(copy, command):
    finished = run_all(copy, command, "--dataset", "digits")
    assert finished.returncode == 2
    assert finished.stderr.startswith(f"run_all.sh: {command} takes no options")
    assert len(finished.stderr.splitlines()) == 1
    assert not (copy / ".venv").exists()


@pytest.mark.parametrize("command", ["lessons", "publish"])
def test_a_command_that_takes_hours_says_so_when_it_is_asked_for_help(copy, command):
    finished = run_all(copy, command, "--help")
    assert finished.returncode == 0
    line = next(line for line in finished.stdout.splitlines() if line.startswith(f"./run_all.sh {command}"))
    after = finished.stdout[finished.stdout.index(line) :]
    assert "on two cores" in after.split("./run_all.sh")[1]
    assert not (copy / ".venv").exists()
