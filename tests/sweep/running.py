"""A sweep as it is typed, over a notebook of the suite or over a stub."""

import os
import subprocess
import sys
from pathlib import Path

from vae_core import runs


def run_sweep(*arguments, cwd: Path = runs.PROJECT, **environment) -> subprocess.CompletedProcess:
    """Run the command to its end."""
    command = [sys.executable, "-m", "vae_core.sweep", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, env=os.environ | environment, capture_output=True, text=True, check=False)


def stub_command(notebooks: Path, *arguments) -> list[str]:
    """The same command, with the notebooks of another folder."""
    return [sys.executable, "-m", "tests.sweep.stub", str(notebooks), *map(str, arguments)]


def run_stub_sweep(notebooks: Path, *arguments) -> subprocess.CompletedProcess:
    """Run a sweep over the stub to its end."""
    command = stub_command(notebooks, "--notebook", "stub", *arguments)
    return subprocess.run(command, cwd=runs.PROJECT, capture_output=True, text=True, check=False)
