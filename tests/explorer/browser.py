"""A real browser, offline, for the explorer's tests and for its picture in the README.

cd results/published/kl_sweep/mnist && python -m tests.explorer.browser explorer.html explorer.png
"""

import base64
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--disable-quic"),
)
needs_browser = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="not tested: needs Debian's chromium and chromium-driver (.ci/run installs them)"
)


@contextmanager
def offline_browser() -> Iterator[webdriver.Chrome]:
    options = webdriver.ChromeOptions()
    for flag in FLAGS:
        options.add_argument(flag)
    options.binary_location = CHROMIUM
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    driver.execute_cdp_cmd("Network.enable", {})
    offline = {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
    driver.execute_cdp_cmd("Network.emulateNetworkConditions", offline)
    try:
        yield driver
    finally:
        driver.quit()


def resize(driver: webdriver.Chrome, width: int, height: int) -> None:
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def use_scheme(driver: webdriver.Chrome, scheme: str) -> None:
    media = [{"name": "prefers-color-scheme", "value": scheme}]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": media})


def open_page(
    driver: webdriver.Chrome,
    page: Path,
    width: int = 1300,
    height: int = 900,
    scheme: str = "light",
    fragment: str = "",
) -> None:
    """Open an explorer and wait until all of it is drawn; fragment: what stands behind the # of its address."""
    resize(driver, width, height)
    use_scheme(driver, scheme)
    driver.get("about:blank")  # else another fragment of the same page would not load it anew
    driver.get(page.resolve().as_uri() + (f"#{fragment}" if fragment else ""))
    wait(driver, "document.body.dataset.ready === 'yes'")
    wait(driver, "Number(manifold.dataset.cells) === COLUMNS * ROWS")


def wait(driver: webdriver.Chrome, condition: str) -> None:
    WebDriverWait(driver, 30).until(lambda driver: driver.execute_script(f"return {condition}"))


def screenshot(driver: webdriver.Chrome, path: Path) -> None:
    """The whole page, however long."""
    width, height = driver.execute_script("return [innerWidth, document.documentElement.scrollHeight]")
    resize(driver, width, height)
    path.parent.mkdir(exist_ok=True)
    driver.save_screenshot(str(path))


def script(browser, text: str, *arguments):
    return browser.execute_script(text, *arguments)


def find(browser, selector: str):
    return browser.find_element(By.CSS_SELECTOR, selector)


def pixels(browser, selector: str) -> np.ndarray:
    """Red, green, blue and opacity of a canvas; returns (height, width, 4) of int."""
    width, height, text = script(
        browser,
        "const c = document.querySelector(arguments[0]);"
        "const { data } = c.getContext('2d').getImageData(0, 0, c.width, c.height);"
        "let text = '';"
        "for (let i = 0; i < data.length; i += 32768) text += String.fromCharCode(...data.subarray(i, i + 32768));"
        "return [c.width, c.height, btoa(text)]",  # a list of numbers would take seconds
        selector,
    )
    return np.frombuffer(base64.b64decode(text), np.uint8).reshape(height, width, 4).astype(int)


def readout(browser) -> dict[str, str]:
    names, values = (browser.find_elements(By.CSS_SELECTOR, f"#readout {tag}") for tag in ("dt", "dd"))
    return {name.text: value.text for name, value in zip(names, values, strict=True)}


if __name__ == "__main__":
    with offline_browser() as chromium:
        open_page(chromium, Path(sys.argv[1]), width=1400)
        screenshot(chromium, Path(sys.argv[2]))
