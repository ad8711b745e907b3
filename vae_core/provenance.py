"""What made a run's numbers beside its settings: the code, the packages, the machine."""

import hashlib
import os
import platform
import subprocess
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

from vae_core.environment import numeric_settings

PACKAGE = Path(__file__).resolve().parent
CODE = ("vae_core", "notebooks", "requirements.txt")  # what can reach a number; pages, tests and results cannot
PACKAGES = ("tensorflow", "keras", "numpy", "scikit-learn", "pandas", "matplotlib", "papermill", "ipykernel")


def provenance() -> dict[str, object]:
    """What record.json says of the code, the packages and the machine."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": processor(),
        "versions": {name: version(name) for name in PACKAGES},
        "environment": numeric_settings(),
        "source_sha256": source_hash(),
        **git_state(),
    }


def processor() -> str:
    """The name of the processor's model, or of its kind where the system does not tell the model."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.processor() or platform.machine())


def source_hash(paths: Iterable[Path] | None = None) -> str:
    """SHA-256 of the names and texts of modules: the same for a clone and for what it installs.

    paths: of modules of this package; without them, all of it
    """
    digest = hashlib.sha256()
    for path in sorted(PACKAGE.rglob("*.py") if paths is None else paths):
        digest.update(f"{path.relative_to(PACKAGE).as_posix()}\n{path.read_text(encoding='utf-8')}".encode())
    return digest.hexdigest()


def git_state() -> dict[str, object]:
    """The commit of this package's own repository, and whether its code differs from it.

    Both are None for a package without one: installed, or unpacked in a folder that belongs to another repository.
    """
    try:
        if Path(_git("rev-parse", "--show-toplevel").rstrip("\n")) != PACKAGE.parent:
            return {"git_commit": None, "git_dirty": None}
        commit = _git("rev-parse", "HEAD").strip()
        changes = _git("status", "--porcelain", "--untracked-files=normal", "--", *CODE)
        return {"git_commit": commit, "git_dirty": bool(changes)}
    except (OSError, subprocess.CalledProcessError):
        return {"git_commit": None, "git_dirty": None}


def _git(*arguments: str) -> str:
    """What git says in the folder of the package, wherever GIT_DIR and its like point."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    command = ["git", "--no-optional-locks", *arguments]  # of runs that start together, none needs the index's lock
    return subprocess.run(
        command, cwd=PACKAGE.parent, env=environment, capture_output=True, text=True, check=True
    ).stdout
