import json

import pytest
from filelock import FileLock

from tests.sweep.running import run_sweep
from tests.sweep.stub import write_stub


@pytest.fixture(scope="session")
def digits_sweep(tmp_path_factory, worker_id):
    """Two weights and two seeds on digits, what was asked for, and what the command said; one for all test processes.

    Tests only read it; one that changes something works on a copy.
    """
    place = tmp_path_factory.getbasetemp()
    place = place if worker_id == "master" else place.parent
    results, said = place / "digits_sweep", place / "digits_sweep.json"
    arguments = ("--dataset", "digits", "--kl-weights", 0, 1, "--epochs", 3, "-p", "hidden_units", 64)
    with FileLock(place / "digits_sweep.lock"):
        if not said.exists():
            finished = run_sweep(*arguments, "--seeds", 0, 1, "--workers", 2, "--results", results)
            assert finished.returncode == 0, finished.stdout + finished.stderr
            said.write_text(json.dumps({"stdout": finished.stdout, "stderr": finished.stderr}))
    return results / "kl_sweep" / "digits", arguments, json.loads(said.read_text())


@pytest.fixture(scope="session")
def stub_notebooks(tmp_path_factory):
    """A folder with the one notebook stub.ipynb."""
    return write_stub(tmp_path_factory.mktemp("notebooks"))
