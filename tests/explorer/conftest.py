import pytest

from tests.explorer.browser import offline_browser


@pytest.fixture(scope="module")
def browser():
    with offline_browser() as driver:
        yield driver
