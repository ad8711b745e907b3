import os
import shutil
import tempfile

import numpy as np
import pytest

XLA_CACHE = "--tf_xla_persistent_cache_directory="


def pytest_configure(config):
    """Let all processes of a test session share what XLA has compiled: the same programs, compiled once."""
    if not hasattr(config, "workerinput"):  # the process that starts the others
        config.xla_cache = tempfile.mkdtemp(prefix="xla-")
        os.environ["TF_XLA_FLAGS"] = f"{XLA_CACHE}{config.xla_cache}"


def pytest_unconfigure(config):
    """Delete it."""
    if hasattr(config, "xla_cache"):
        shutil.rmtree(config.xla_cache, ignore_errors=True)


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
