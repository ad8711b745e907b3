"""run_all.sh in a folder of its own, so that the real .venv is not touched."""

import os
import shutil
import subprocess
import sys

import pytest

from vae_core import runs


@pytest.fixture
def copy(tmp_path):
    shutil.copy(runs.PROJECT / "run_all.sh", tmp_path)
    shutil.copy(runs.PROJECT / "requirements.txt", tmp_path)
    return tmp_path


def run_all(folder, *arguments, **environment):
    command = ["bash", folder / "run_all.sh", *arguments]
    return subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=False)


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
    assert finished.stderr.startswith("run_all.sh: no command 'tset': there are test, lessons and publish")
    assert len(finished.stderr.splitlines()) == 1
    assert not (copy / ".venv").exists()


def test_an_old_python_is_told_which_one_is_needed(copy):
    finished = run_all(copy, PATH=tools_without_python(copy), PYTHON="")
    assert finished.returncode == 2
    assert finished.stderr.startswith("run_all.sh: needs Python 3.11, 3.12 or 3.13")
    assert len(finished.stderr.splitlines()) == 1
    assert not (copy / ".venv").exists()


def test_the_set_up_is_skipped_when_the_same_requirements_are_installed(copy):
    python = copy / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\necho "ran: $@"\nexec {sys.executable} -c ""\n')
    python.chmod(0o755)
    stamp = copy / ".venv" / "installed"
    stamp.write_text(f"{copy}\n" + (copy / "requirements.txt").read_text())
    finished = run_all(copy, "--dataset", "digits")
    assert finished.stdout == "ran: -m vae_core.sweep --dataset digits\n"
    assert finished.stderr == ""
    (copy / "requirements.txt").write_text("another==1.0\n")
    again = run_all(copy, "--dataset", "digits", PATH=tools_without_python(copy), PYTHON="")
    assert again.stderr.startswith("run_all.sh: needs Python")  # so it went on to set up anew


def test_a_python_that_was_named_is_used_or_refused(copy):
    finished = run_all(copy, PYTHON="/nowhere/python3")
    assert finished.returncode == 2
    assert "/nowhere/python3 is none" in finished.stderr


def test_an_option_that_lessons_does_not_take_is_refused_before_anything_runs(copy):
    finished = run_all(copy, "lessons", "--dataset", "digits")
    assert finished.returncode == 2
    assert finished.stderr.startswith("run_all.sh: lessons takes no options")
    assert len(finished.stderr.splitlines()) == 1
    assert not (copy / ".venv").exists()
