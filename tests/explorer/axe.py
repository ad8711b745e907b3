"""What axe-core, Deque's checker of accessibility, finds on a page. The package selenium-axe-python carries it."""

import hashlib
from importlib.resources import files

from selenium import webdriver

SHA256 = "182a40dc5d8207e626c09861ad65027d45e85e3a56d01045d068e2e88ee432ea"  # of axe-core 4.9.1
RUN = (
    "const done = arguments[0];"
    "axe.run().then(({ violations }) => done(violations.flatMap(({ id, impact, nodes }) =>"
    " nodes.map(({ html }) => `${impact} ${id}: ${html.slice(0, 120)}`))), (error) => done([String(error)]));"
)


def findings(browser: webdriver.Chrome) -> list[str]:
    """Every violation, from minor to critical: impact, rule, element."""
    source = (files("selenium_axe_python") / "axe-core" / "axe.min.js").read_bytes()
    assert hashlib.sha256(source).hexdigest() == SHA256
    browser.execute_script(source.decode())
    return browser.execute_async_script(RUN)
