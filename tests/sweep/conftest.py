import pytest

from tests.sweep.stub import write_stub


@pytest.fixture(scope="session")
def stub_notebooks(tmp_path_factory):
    """A folder with the one notebook stub.ipynb."""
    return write_stub(tmp_path_factory.mktemp("notebooks"))
