"""run_all.sh in a folder of its own, so that the real .venv is not touched."""

import os
import re
import shutil
import subprocess

import pytest

from tests.sweep.test_faults import mounted
from vae_core import runs


@pytest.fixture
def copy(tmp_path):
    shutil.copy(runs.PROJECT / "run_all.sh", tmp_path)
    shutil.copy(runs.PROJECT / "requirements.txt", tmp_path)
    shutil.copytree(runs.NOTEBOOKS / ".jupyter", tmp_path / "notebooks" / ".jupyter")
    for command in ("sweep", "book"):
        (tmp_path / "vae_core" / command).mkdir(parents=True)
        shutil.copy(runs.PACKAGE / command / "command.py", tmp_path / "vae_core" / command)  # it names the options
    return tmp_path


def run_all(folder, *arguments, cwd=None, **environment):
    command = ["bash", folder / "run_all.sh", *arguments]
    return subprocess.run(command, cwd=cwd, env=os.environ | environment, capture_output=True, text=True, check=False)


def tools_without_python(folder, python="exit 1"):
    """A PATH with what the script needs, and Pythons that all say no, as one that is too old does."""
    tools = folder / "bin"
    tools.mkdir()
    for tool in ("bash", "dirname", "cmp", "cat", "cp", "grep", "tr"):
        (tools / tool).symlink_to(shutil.which(tool))
    for name in ("python", "python3"):
        write_program(tools / name, python)
    return str(tools)


def write_program(path, script):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_help_needs_no_set_up(copy):
    finished = run_all(copy, "--help")
    assert finished.returncode == 0
    assert "./run_all.sh --dataset digits" in finished.stdout
    assert not (copy / ".venv").exists()


def test_a_command_with_a_typo_is_told_before_anything_is_installed(copy):
    finished = run_all(copy, "tset")
    assert finished.returncode == 2
    assert finished.stderr.startswith("run_all.sh: no command 'tset': there are book, lab, lessons, publish and test")
    assert len(finished.stderr.splitlines()) == 1
    assert not (copy / ".venv").exists()


def test_an_option_with_a_typo_is_told_before_anything_is_installed(copy):
    finished = run_all(copy, "--dataset", "digits", "--epcohs=2", "-p", "learning_rate", "0.1")
    assert finished.returncode == 2
    assert finished.stderr == "run_all.sh: unknown option --epcohs=2 (--help lists the options)\n"
    assert not (copy / ".venv").exists()


def test_the_book_has_options_of_its_own_and_help_without_a_set_up(copy):
    finished = run_all(copy, "book", "--epochs", "2")
    assert finished.returncode == 2
    assert finished.stderr == "run_all.sh: unknown option --epochs (--help lists the options)\n"
    finished = run_all(copy, "book", "--help")
    assert (finished.returncode, "./run_all.sh book" in finished.stdout) == (0, True)
    assert not (copy / ".venv").exists()


def test_an_old_python_is_told_which_one_is_needed(copy):
    finished = run_all(copy, PATH=tools_without_python(copy), PYTHON="")
    assert finished.returncode == 2
    assert finished.stderr.startswith("run_all.sh: needs Python 3.11, 3.12 or 3.13")
    assert len(finished.stderr.splitlines()) == 1
    assert not (copy / ".venv").exists()


def with_set_up(folder):
    """Make the folder look set up, with a Python and a Jupyter that only say what they were asked to run."""
    for name in ("python", "jupyter"):
        write_program(folder / ".venv" / "bin" / name, 'echo "$(basename $0): $@; data in $VAE_DATA_DIR"')
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
        (["book", "a folder"], ["python: -m vae_core.book a folder"]),
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
    write_program(python, '[ "$1" = -c ] || [ "$1" = --version ] || { echo "asked: $@"; exit 3; }')
    finished = run_all(copy, PYTHON=str(python))
    asked, said = finished.stderr.splitlines()[-2:]
    assert asked == f"asked: -m venv --clear {copy}/.venv"
    assert said == f"run_all.sh: {python} could not make {copy}/.venv: the lines above say why"
    assert finished.returncode == 2


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


def test_an_exported_cdpath_leads_nowhere_else(copy, tmp_path_factory):
    with_set_up(copy)
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / copy.name).mkdir()
    command = ["bash", f"{copy.name}/run_all.sh", "lessons"]
    environment = os.environ | {"CDPATH": f"{elsewhere}:{copy.parent}"}
    finished = subprocess.run(command, cwd=copy.parent, env=environment, capture_output=True, text=True, check=False)
    assert finished.stdout.startswith("python: -m vae_core.sweep.lessons --results results;")
    assert (finished.returncode, finished.stderr) == (0, "")


def test_any_shell_may_be_asked_to_run_it(copy):
    with_set_up(copy)
    finished = subprocess.run(
        ["sh", "run_all.sh", "--epochs", "2"], cwd=copy, capture_output=True, text=True, check=False
    )
    assert finished.stdout.startswith("python: -m vae_core.sweep --epochs 2;")
    assert (finished.returncode, finished.stderr) == (0, "")


def test_a_closed_stderr_changes_no_exit_code(copy):
    finished = subprocess.run(["bash", "-c", 'exec bash "$0" tset 2>&-', copy / "run_all.sh"], check=False)
    assert finished.returncode == 2


def test_what_pyenv_explains_is_passed_on(copy):
    explains = """echo "pyenv: ${0##*/}: command not found" >&2; exit 127"""
    finished = run_all(copy, PATH=tools_without_python(copy, explains), PYTHON="")
    first, *_, last = finished.stderr.splitlines()
    assert first == "pyenv: python3: command not found"
    assert last.startswith("run_all.sh: needs Python 3.11, 3.12 or 3.13")
    assert finished.returncode == 2


PIP = """
case "$*" in
"-m pip "*) echo "PIP_USER is $PIP_USER"; {pip} ;;
"-m vae_core"*) echo "python: $*" ;;
esac
"""


def python_that_installs(copy, pip):
    """A Python whose venv has a Python whose pip runs the given script."""
    made = copy / "made"
    write_program(made, PIP.format(pip=pip))
    python = copy / "python3"
    write_program(python, f'if [ "$2" = venv ]; then mkdir -p "$4/bin" && cp {made} "$4/bin/python"; fi')
    return str(python)


def test_a_failed_installation_ends_in_one_sentence_and_is_tried_again(copy):
    error = "echo 'ERROR: No matching distribution found for keras==0'; echo 'a notice'; exit 1"
    finished = run_all(copy, PYTHON=python_that_installs(copy, error))
    log = copy / ".venv" / "installation.log"
    assert finished.returncode == 2
    assert finished.stderr.splitlines()[1:] == [
        "run_all.sh: the installation failed: ERROR: No matching distribution found for keras==0 "
        f"(all that pip said: {log}); mend that and start again"
    ]
    assert log.read_text() == "PIP_USER is 0\nERROR: No matching distribution found for keras==0\na notice\n"
    again = run_all(copy, PYTHON=python_that_installs(copy, "exit 0"))
    assert (again.returncode, again.stdout) == (0, "python: -m vae_core.sweep\n")


def test_on_a_terminal_the_set_up_shows_what_pip_does_and_how_much_there_is(copy):
    """The fake pip waits until the line is there, however long that takes."""
    shown = copy / "shown"
    wait = f"echo Collecting keras; until [ -e {shown} ]; do sleep 0.1; done"
    environment = os.environ | {"PYTHON": python_that_installs(copy, wait)}
    terminal, their_end = os.openpty()
    process = subprocess.Popen(["bash", copy / "run_all.sh"], env=environment, stdout=their_end, stderr=their_end)
    os.close(their_end)
    said = b""
    while b"Collecting keras" not in said:
        said += os.read(terminal, 1000)
    shown.touch()
    assert process.wait() == 0
    assert re.search(rb"0:\d\d, \d+ MB: Collecting keras", said)


def test_ctrl_c_during_the_set_up_is_one_line(copy):
    environment = os.environ | {"PYTHON": python_that_installs(copy, "echo Collecting keras; exec sleep 60")}
    terminal, their_end = os.openpty()
    command = ["setsid", "--ctty", "--wait", "bash", copy / "run_all.sh"]
    ends = {"stdin": their_end, "stdout": their_end, "stderr": their_end}
    process = subprocess.Popen(command, env=environment, **ends)
    said = b""
    while b"Collecting keras" not in said:
        said += os.read(terminal, 1000)
    os.write(terminal, b"\x03")
    assert process.wait() == 130
    os.close(their_end)
    while b"anew" not in said:
        said += os.read(terminal, 1000)
    assert said.splitlines()[-1] == b"run_all.sh: interrupted; started again, the set-up begins anew"
    assert not (copy / ".venv" / "installed").exists()


def test_a_place_that_cannot_be_written_is_one_line(copy):
    with mounted(copy / "fixed", "size=1m") as place:
        for name in ("run_all.sh", "requirements.txt"):
            shutil.copy(copy / name, place)
        shutil.copytree(copy / "notebooks", place / "notebooks")
        subprocess.run(["mount", "-o", "remount,ro", place], check=True)
        finished = run_all(place)
        assert finished.returncode == 2
        assert finished.stderr.splitlines() == [
            f"run_all.sh: {place} cannot be written, and .venv has to stand there: copy the folder to a place of yours"
        ]
