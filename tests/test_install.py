"""The package without its repository: what a wheel holds, and that the commands work from it in another folder."""

import ast
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from pathlib import Path

import pytest

from vae_core import runs

DISTRIBUTIONS = {"sklearn": "scikit-learn", "PIL": "pillow", "IPython": "ipython"}  # by what is imported
PROJECT = tomllib.loads((runs.PROJECT / "pyproject.toml").read_text())["project"]


def names_in(requirements) -> set[str]:
    return {re.split(r"[<>=]", line)[0] for line in requirements if re.match(r"\w", line)}


def test_every_package_that_vae_core_imports_is_declared_and_no_other():
    trees = [ast.parse(path.read_text()) for path in runs.PACKAGE.rglob("*.py")]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    imported = {name.name for node in nodes if isinstance(node, ast.Import) for name in node.names}
    imported |= {node.module for node in nodes if isinstance(node, ast.ImportFrom)}
    packages = {name.partition(".")[0] for name in imported} - set(sys.stdlib_module_names) - {"vae_core"}
    never_imported = {"tabulate", "ipykernel"}  # pandas needs the one for Markdown, notebooks the other
    declared = names_in(PROJECT["dependencies"])
    assert {DISTRIBUTIONS.get(name, name) for name in packages} == declared - never_imported
    assert never_imported < declared


def test_what_is_declared_is_pinned_to_what_was_tested():
    pinned = names_in((runs.PROJECT / "requirements.txt").read_text().splitlines())
    optional = PROJECT["optional-dependencies"]
    assert names_in([*PROJECT["dependencies"], *optional["test"], *optional["lab"], *optional["book"]]) == pinned


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in ("vae_core", "notebooks"):
        shutil.copytree(runs.PROJECT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "setup.py", "README.md"):
        shutil.copy(runs.PROJECT / name, source)
    options = ("--quiet", "--no-deps", "--no-build-isolation")  # with this environment's setuptools: no download
    command = [sys.executable, "-m", "pip", "wheel", *options, "--wheel-dir", folder, source]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel) -> Path:
    """The Python of a fresh environment with the wheel; it shares the dependencies of this one, not its vae_core."""
    folder = wheel.parent / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    python = folder / "bin" / "python"
    ours = sysconfig.get_path("purelib")
    theirs = Path(sysconfig.get_path("purelib", vars={"base": str(folder)}))
    (theirs / "dependencies.pth").write_text(f"{ours}\n")
    command = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", wheel]
    subprocess.run(command, check=True, capture_output=True)
    return python


def run(*command, cwd: Path) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    finished = subprocess.run(
        [*map(str, command)], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout


def test_the_wheel_has_every_module_every_notebook_and_the_page_of_the_explorer(wheel):
    held = set(zipfile.ZipFile(wheel).namelist())
    modules = {path.relative_to(runs.PROJECT).as_posix() for path in runs.PACKAGE.rglob("*.py")}
    page = {f"vae_core/explorer/{path.name}" for path in (runs.PACKAGE / "explorer").iterdir() if path.is_file()}
    notebooks = {f"vae_core/notebooks/{path.name}" for path in runs.NOTEBOOKS.glob("*.ipynb")}
    assert modules | page | notebooks <= held
    assert all(name.startswith(("vae_core/", "vae_core-")) for name in held)  # nothing of tests or results


def test_sweep_and_explorer_work_from_an_install_in_any_folder(installed, tmp_path):
    where = run(installed, "-c", "import vae_core; print(vae_core.__file__)", cwd=tmp_path).strip()
    assert Path(where).is_relative_to(installed.parent.parent)
    options = ("--dataset", "digits", "--kl-weights", 1, "--epochs", 1, "--results", "mine", "-p", "batch_size", 100)
    closing = run(installed, "-m", "vae_core.sweep", *options, cwd=tmp_path)
    folder = "mine/kl_sweep/digits/epochs=1,batch_size=100/"
    sweep_dir = tmp_path / folder
    assert runs.is_done(sweep_dir / "kl_01.00_seed0")
    assert f"1 of 1 runs are done, in {folder}" in closing
    assert "report.ipynb" in closing
    (sweep_dir / "explorer.html").unlink()
    run(installed, "-m", "vae_core.explorer", folder, cwd=tmp_path)
    assert (sweep_dir / "explorer.html").stat().st_size > 100_000


def test_papermill_runs_a_copied_notebook_from_an_install(installed, tmp_path):
    shutil.copy(runs.NOTEBOOKS / "train_vae.ipynb", tmp_path / "mine.ipynb")
    parameters = ("-p", "dataset", "digits", "-p", "epochs", 1, "-p", "batch_size", 100)
    run(installed, "-m", "papermill", "mine.ipynb", "out.ipynb", *parameters, cwd=tmp_path)
    (record,) = (tmp_path / "results" / "single_runs" / "digits").glob("*/record.json")
    assert runs.is_done(record.parent)
    assert runs.read_json(record)["git_commit"] is None  # of whatever repository the folder may be in
