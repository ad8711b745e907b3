"""An explorer in the offline browser, for its tests and for its picture in the README.

cd results/published/kl_sweep/mnist && python -m tests.explorer.browser explorer.html explorer.png
"""

import base64
import sys
from pathlib import Path

import numpy as np
from selenium import webdriver
from selenium.webdriver.common.by import By

from tests.browser import offline_browser, resize, screenshot, script, use_scheme, wait


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
