import shutil
from pathlib import Path

import pytest

from tests.browser import offline_browser
from tests.explorer.browser import open_page
from tests.explorer.pages import SHOWN, start_again
from vae_core import runs
from vae_core.explorer import page as explorer
from vae_core.report.sheets import write_tables


@pytest.fixture(scope="module")
def browser():
    with offline_browser() as driver:
        yield driver


@pytest.fixture(scope="session")
def swept(digits_sweep, tmp_path_factory) -> Path:
    """A sweep with a second seed at weight 1 alone, whose page shows some of the test images."""
    folder, _, _ = digits_sweep
    sweep_dir = tmp_path_factory.mktemp("results") / "kl_sweep" / "digits"
    shutil.copytree(folder, sweep_dir, ignore=shutil.ignore_patterns("kl_00.00_seed1", "kl_04.00_seed1"))
    write_tables(sweep_dir, runs.read_runs(runs.finished_folders(sweep_dir)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(explorer, "SHOWN", SHOWN)
        explorer.write_explorer(sweep_dir)
    return sweep_dir


@pytest.fixture
def page(browser, swept):
    """The explorer as it opens; afterwards it has logged no error. It is opened anew only where it must be."""
    browser.get_log("browser")
    address = (swept / "explorer.html").resolve().as_uri()
    if browser.current_url.partition("#")[0] != address or browser.execute_script("return window.spoiled ?? false"):
        open_page(browser, swept / "explorer.html")
    else:
        start_again(browser)
    yield browser
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []
