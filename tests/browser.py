"""A real browser, offline, for pages on the disk."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

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
def offline_browser(logs: Sequence[str] = ("browser",)) -> Iterator[webdriver.Chrome]:
    """logs: of what the browser says, "browser" for pages' messages, "performance" for every request."""
    options = webdriver.ChromeOptions()
    for flag in FLAGS:
        options.add_argument(flag)
    options.binary_location = CHROMIUM
    options.set_capability("goog:loggingPrefs", dict.fromkeys(logs, "ALL"))
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
