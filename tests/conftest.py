import json
import os

import numpy as np
import pytest
from filelock import FileLock

from tests.sweep.running import run_sweep

XLA_CACHE = "--tf_xla_persistent_cache_directory="


def pytest_configure(config):
    """Let all processes, of this test session and the next, share what XLA has compiled."""
    os.environ["TF_XLA_FLAGS"] = f"{XLA_CACHE}{config.cache.mkdir('xla')}"


SLOW = {  # fixtures
    *("built", "digits_sweep", "executed", "fix", "installed", "mnist", "server", "stub_notebooks", "trained"),
}


def pytest_collection_modifyitems(items):
    """Mark what starts kernels, sweeps or browsers, or trains for seconds: -m "not slow" leaves it out."""
    for item in items:
        if SLOW & set(item.fixturenames):
            item.add_marker("slow")


def pytest_xdist_auto_num_workers(config):
    """One process more than there are cores, since some tests wait for a browser or for a worker that died."""
    return (os.cpu_count() or 1) + 1


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """What notebooks and sweeps use; TensorFlow takes it before the first computation only."""
    from vae_core import training

    training.use_threads(1)


@pytest.fixture(scope="session")
def digits():
    from vae_core.data import load_dataset

    return load_dataset("digits")


@pytest.fixture(scope="session")
def mnist():
    from vae_core.data import DataNotAvailable, load_dataset

    try:
        return load_dataset("mnist")
    except DataNotAvailable as error:
        pytest.skip(f"real MNIST was not tested: {error}")


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def digits_sweep(tmp_path_factory, worker_id):
    """Three weights and two seeds on digits, what was asked for, and what the command said; one for all test processes.

    Tests only read it; one that changes something works on a copy.
    """
    place = tmp_path_factory.getbasetemp()
    place = place if worker_id == "master" else place.parent
    results, said = place / "digits_sweep", place / "digits_sweep.json"
    arguments = ("--dataset", "digits", "--kl-weights", 0, 1, 4, "--epochs", 20)
    arguments += ("-p", "hidden_units", 48, "-p", "batch_size", 100)
    with FileLock(place / "digits_sweep.lock"):
        if not said.exists():
            finished = run_sweep(*arguments, "--seeds", 0, 1, "--workers", 2, "--results", results)
            assert finished.returncode == 0, finished.stdout + finished.stderr
            said.write_text(json.dumps({"stdout": finished.stdout, "stderr": finished.stderr}))
    (folder,) = (results / "kl_sweep" / "digits").glob("*=*")  # named after what differs from the defaults
    return folder, arguments, json.loads(said.read_text())
