"""What a user's machine and settings may not do to a run: other clones, kernels, start-up files, odd or long paths."""

import ast
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from nbformat import NO_CONVERT, reads

from tests.sweep.stub import notebook_with
from vae_core import provenance, runs
from vae_core.errors import InputError
from vae_core.execution import scratch
from vae_core.execution.kernel import last_words
from vae_core.execution.notebook import KernelDiedError, execute_notebook
from vae_core.execution.scratch import SOCKET, SWEEP, short_folder

pytestmark = pytest.mark.slow

LONG = "x" * 90  # more than a socket's path has room for beside the rest


def execute(folder: Path, *cells: str) -> str:
    """What the cells print, executed as a run is, in this folder."""
    (folder / "source.ipynb").write_text(notebook_with("run_dir = ''", *cells))
    execute_notebook(folder / "source.ipynb", folder / "run.ipynb", {"run_dir": "."}, cwd=folder)
    executed = reads((folder / "run.ipynb").read_text(), NO_CONVERT)
    return "".join(output["text"] for cell in executed.cells for output in cell.get("outputs", ()) if "text" in output)


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.fixture
def hostile(tmp_path, monkeypatch) -> Path:
    """The folder of a run, on a machine where all is set that should not matter."""
    place = tmp_path / "a user's {place}"
    clone = write(place / "clone" / "vae_core" / "__init__.py", "raise SystemExit('the package of another clone')")
    broken = {"argv": ["/bin/false"], "display_name": "other", "language": "python"}
    write(place / "jupyter" / "kernels" / "python3" / "kernel.json", json.dumps(broken))
    startup = write(place / "ipython" / "profile_default" / "startup" / "00.py", "started = 'by IPython'")
    python_startup = write(place / "startup.py", "started = 'by Python'")
    write(place / LONG / "file", "")
    monkeypatch.setenv("PYTHONPATH", str(clone.parent.parent))
    monkeypatch.setenv("JUPYTER_PATH", str(place / "jupyter"))
    monkeypatch.setenv("IPYTHONDIR", str(startup.parent.parent.parent))
    monkeypatch.setenv("PYTHONSTARTUP", str(python_startup))
    monkeypatch.setenv("PYTHONOPTIMIZE", "2")
    monkeypatch.setenv("PYTHONWARNINGS", "error")
    monkeypatch.setenv("MPLBACKEND", "no backend")
    monkeypatch.setenv("TMPDIR", str(place / LONG))
    monkeypatch.setattr("tempfile.tempdir", None)
    (place / "run").mkdir()
    return place / "run"


def test_a_kernel_is_this_interpreter_with_this_package_whatever_the_user_has_set(hostile):
    before = dict(os.environ)
    shown = execute(
        hostile,
        "import os, sys, tempfile, vae_core\n"
        "print(sys.executable, vae_core.__file__, sys.flags.optimize, sys.warnoptions, 'started' in dir(), sep='\\n')\n"
        "print(os.environ['MPLBACKEND'], tempfile.mkdtemp(), sep='\\n')",
    )
    executable, package, *flags, backend, temporary = shown.splitlines()
    assert executable == sys.executable
    assert Path(package).parent == runs.PACKAGE
    assert flags == ["0", "[]", "False"]
    assert "inline" in backend
    assert not Path(temporary).parent.exists()  # what a kernel leaves is deleted with its folder
    assert dict(os.environ) == before
    assert [path.name for path in hostile.iterdir() if path.is_dir()] == []


def test_a_kernel_that_dies_is_known_by_its_last_words(tmp_path):
    with pytest.raises(KernelDiedError, match=r"^its kernel died; the last that it wrote: Unknown flag in XLA_FLAGS$"):
        execute(tmp_path, "import os; os.write(2, b'one\\nUnknown flag in XLA_FLAGS\\n\\n'); os.abort()")


@pytest.mark.parametrize(
    ("log", "words"),
    [
        ("", ""),
        ("Kernel died while waiting for execute reply.\n", ""),
        ("one\ntwo \n\nKernel died while waiting for execute reply.\n", "two"),
        ("Error occurred while starting new kernel client: Kernel died before replying to kernel_info\n", ""),
    ],
)
def test_what_the_client_says_of_a_dead_kernel_is_not_its_last_word(log, words, tmp_path):
    (tmp_path / "log").write_text(log)
    assert last_words(tmp_path / "log") == words


@pytest.mark.parametrize("length", [30, 59, 60, 74, 75, 120])
def test_sockets_have_room_however_long_the_name_of_the_folder_for_temporary_files_is(length, monkeypatch):
    with tempfile.TemporaryDirectory(dir="/tmp") as place:
        usual = Path(place, "x" * (length - len(place) - 1))
        usual.mkdir()
        monkeypatch.setattr("tempfile.tempdir", str(usual))
        with short_folder("sweep.", SWEEP + SOCKET) as sweep:
            assert (sweep.parent == usual) == (length < 60)
            monkeypatch.setattr("tempfile.tempdir", str(sweep))  # as in a worker
            with short_folder("kernel.", SOCKET) as kernel:
                assert kernel.parent == sweep
                assert len(f"{kernel}/kernel-ipc-5") <= 103
        assert not sweep.exists()


def test_a_machine_without_a_short_folder_is_told_what_to_set(monkeypatch):
    monkeypatch.setattr(scratch, "SOCKET_PATH", 20)
    with pytest.raises(InputError, match=r"has too long a name: set TMPDIR to a"), short_folder("x", SOCKET):
        pass


def git(folder: Path, *arguments: str) -> None:
    who = ("-c", "user.name=a", "-c", "user.email=a@b.c")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    subprocess.run(["git", *who, *arguments], cwd=folder, env=environment, check=True, capture_output=True)


@pytest.fixture
def suite(tmp_path, monkeypatch) -> Path:
    """The suite unpacked inside another repository; it has none of its own."""
    folder = tmp_path / "theirs" / "suite"
    write(folder / "vae_core" / "__init__.py", "")
    git(folder.parent, "init", "--quiet")
    git(folder.parent, "add", ".")
    git(folder.parent, "commit", "--quiet", "-m", "theirs")
    monkeypatch.setattr(provenance, "PACKAGE", folder / "vae_core")
    return folder


def test_the_commit_of_another_repository_is_not_recorded(suite, monkeypatch):
    assert provenance.git_state() == {"git_commit": None, "git_dirty": None}
    monkeypatch.setenv("GIT_DIR", str(suite.parent / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(suite))
    assert provenance.git_state() == {"git_commit": None, "git_dirty": None}


def test_the_suite_s_own_commit_is_recorded_wherever_git_s_variables_point(suite, monkeypatch):
    git(suite, "init", "--quiet")
    git(suite, "add", ".")
    git(suite, "commit", "--quiet", "-m", "ours")
    own = provenance.git_state()
    monkeypatch.setenv("GIT_DIR", str(suite.parent / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(suite.parent))
    monkeypatch.setenv("GIT_INDEX_FILE", str(suite.parent / "nowhere"))
    assert provenance.git_state() == own
    assert own["git_commit"] == (suite / ".git" / (suite / ".git/HEAD").read_text().split()[1]).read_text().strip()
    assert own["git_dirty"] is False
    write(suite / "out.ipynb", "{}")  # a page or a result is no code
    assert provenance.git_state() == own
    git(suite, "config", "status.showUntrackedFiles", "no")
    write(suite / "vae_core" / "new.py", "")
    assert provenance.git_state()["git_dirty"] is True


def test_the_source_is_told_from_another_and_the_same_with_other_line_ends(suite):
    module = suite / "vae_core" / "module.py"
    hashes = []
    for text in (b"a = 1\n", b"a = 1\r\n", b"a = 2\n"):
        module.write_bytes(text)
        hashes.append(provenance.source_hash())
    assert hashes[0] == hashes[1] != hashes[2]
    module.rename(module.with_name("renamed.py"))
    assert provenance.source_hash() != hashes[2]


def test_no_module_reads_docstrings_which_python_may_have_taken_out():
    """PYTHONOPTIMIZE=2 does."""
    read = {
        path.name
        for path in runs.PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if "__doc__" in (getattr(node, "id", None), getattr(node, "attr", None))
    }
    assert read == set()
