import pytest

from tests.sweep.running import run_sweep
from tests.sweep.stub import write_stub


@pytest.fixture(scope="session")
def digits_sweep(tmp_path_factory):
    """Two weights and two seeds on digits, and what the command said."""
    results = tmp_path_factory.mktemp("results")
    arguments = ("--dataset", "digits", "--kl-weights", 0, 1, "--epochs", 3, "-p", "hidden_units", 64)
    finished = run_sweep(*arguments, "--seeds", 0, 1, "--workers", 2, "--results", results)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return results / "kl_sweep" / "digits", arguments, finished


@pytest.fixture(scope="session")
def stub_notebooks(tmp_path_factory):
    """A folder with the one notebook stub.ipynb."""
    return write_stub(tmp_path_factory.mktemp("notebooks"))
