"""What tests of the explorer share: a sweep whose page they open, its models, and what a person does on the page."""

import json
import re
from pathlib import Path

import numpy as np
from selenium.webdriver.common.keys import Keys

from tests.browser import find, resize, script, use_scheme, wait
from tests.explorer.browser import pixels
from vae_core import data, runs
from vae_core.models import VAE, reference_vae

WEIGHTS = (0.0, 1.0, 4.0)
SHOWN = 200  # of the 297 test images of digits
SCREENSHOTS = runs.PROJECT / "test-output"  # to be looked at


# A test that changes anything else sets window.spoiled.
START_AGAIN = """
const done = arguments[0];
stop();
showStep(-1);
document.querySelectorAll("#questions button[aria-expanded=true]").forEach((button) => button.click());
element("told").textContent = "";
go({ ...START, pins: [], samples: null, visible: data.class_markers.map(() => true) }).then(() => {
  remember();
  fail("");
  document.activeElement.blur();
  scrollTo(0, 0);
  done();
});
"""


def start_again(browser) -> None:
    """Bring an open page to where it opens, which takes less time than to open it."""
    resize(browser, 1300, 900)
    use_scheme(browser, "light")
    browser.execute_async_script(START_AGAIN)
    wait(browser, "manifold.dataset.cells === '400' && frame === 0")


def set_weight(browser, index: int):
    slider = find(browser, "#weight")
    present = int(slider.get_property("value"))
    slider.send_keys((Keys.ARROW_RIGHT if index > present else Keys.ARROW_LEFT) * abs(index - present))
    wait(browser, f"document.body.dataset.weight === String(data.weights[{index}].kl_weight)")
    wait(browser, "manifold.dataset.cells === '400'")


def show_point(browser, z):
    script(browser, "movePoint(arguments[0])", list(map(float, z)))
    wait(browser, "frame === 0")


def box(browser, selector: str) -> dict[str, float]:
    return script(browser, "return document.querySelector(arguments[0]).getBoundingClientRect().toJSON()", selector)


def greys(browser, selector: str, row: int = 0, column: int = 0) -> np.ndarray:
    """One image of a canvas, 0 to 1; returns (784,)."""
    image = pixels(browser, selector)[28 * row : 28 * (row + 1), 28 * column : 28 * (column + 1), 0] / 255
    return image.ravel()


def decoded(browser, z) -> np.ndarray:
    """The page's own image at a latent point: it is compared with Keras in one test."""
    return np.array(script(browser, "return Array.from(decodeAt(now, arguments[0]))", list(map(float, z))))


def trained(swept: Path, kl_weight: float) -> tuple[VAE, np.ndarray, np.ndarray]:
    """The model of a run, and mean and log-variance of its test codes, (N, 2) each."""
    folder = swept / runs.run_name(kl_weight, 0)
    vae = reference_vae(kl_weight, 0, hidden_units=48)
    vae(np.zeros((1, 28, 28, 1)))  # builds it
    vae.optimizer.build(vae.trainable_variables)
    vae.load_weights(folder / "model.weights.h5")
    latent = np.load(folder / "latent.npz")
    return vae, latent["mean"], latent["log_var"]


def chosen_images() -> np.ndarray:
    return np.linspace(0, len(data.load_dataset("digits").test_images) - 1, SHOWN).astype(int)


def touch(browser, kind: str, *points: tuple[float, float]):
    fingers = [{"x": x, "y": y, "id": i} for i, (x, y) in enumerate(points)]
    browser.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": kind, "touchPoints": fingers})


def content_of(page: str, name: str = "data") -> dict:
    """What an element of the page's source holds."""
    return json.loads(re.search(rf'id="{name}">(.*?)</script>', page, re.DOTALL)[1])
