"""axe-core finds nothing on the explorer, from minor to critical."""

import pytest

from tests.browser import find, needs_browser, script, wait
from tests.explorer.axe import findings
from tests.explorer.browser import open_page
from tests.explorer.sketch_page import sketch_page
from tests.explorer.untrained import untrained_run
from vae_core.explorer import write_explorer

pytestmark = needs_browser


@pytest.fixture(scope="module")
def explorer(tmp_path_factory):
    """Of two weights on digits."""
    sweep_dir = tmp_path_factory.mktemp("sweep")
    for kl_weight in (0.5, 1):
        untrained_run(sweep_dir, kl_weight, "digits")
    return write_explorer(sweep_dir)


@pytest.mark.parametrize(("width", "scheme"), [(1300, "light"), (1300, "dark"), (360, "light"), (360, "dark")], ids=str)
def test_axe_finds_nothing(browser, explorer, width, scheme):
    open_page(browser, explorer, width=width, scheme=scheme)
    script(browser, "document.querySelectorAll('#questions li > button').forEach((button) => button.click())")
    wait(browser, "document.querySelectorAll('#questions .answer canvas').length > 0")
    assert findings(browser) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_where_a_person_draws(browser, tmp_path, scheme):
    open_sketch = sketch_page(tmp_path)
    browser.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    )
    browser.get(open_sketch.as_uri())
    find(browser, ".buttons button:nth-child(2)").click()
    wait(browser, "document.querySelector('.problem').textContent !== ''")
    assert findings(browser) == []
    script(browser, "document.querySelector('select').parentElement.replaceWith(document.querySelector('select'))")
    assert [found.split(":")[0] for found in findings(browser)] == ["critical select-name"]  # it does look
