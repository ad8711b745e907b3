import subprocess
import sys

import pytest

from tests.book.made_up import write_results
from tests.browser import offline_browser


@pytest.fixture(scope="session")
def results(tmp_path_factory):
    return write_results(tmp_path_factory.mktemp("made_up") / "results")


@pytest.fixture(scope="session")
def built(results, tmp_path_factory):
    """A small book, and what the command said."""
    target = tmp_path_factory.mktemp("built") / "book"
    command = [sys.executable, "-m", "vae_core.book", results, "--output", target]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    return target, finished


@pytest.fixture(scope="session")
def book(built):
    return built[0]


@pytest.fixture(scope="module")
def browser():
    with offline_browser(("browser", "performance")) as driver:
        yield driver
