import numpy as np
import pytest

from vae_core import training
from vae_core.data import DataNotAvailable, Dataset, load_dataset

training.use_threads(1)  # what notebooks and sweeps use; TensorFlow takes it before the first computation only


@pytest.fixture(scope="session")
def digits() -> Dataset:
    return load_dataset("digits")


@pytest.fixture(scope="session")
def mnist() -> Dataset:
    try:
        return load_dataset("mnist")
    except DataNotAvailable as error:
        pytest.skip(f"real MNIST was not tested: {error}")


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)
