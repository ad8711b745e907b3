"""The explorer and its drawing in Firefox, where that is installed."""

import numpy as np
import pytest
from PIL import Image

from tests.explorer.firefox import firefox, needs_firefox
from tests.explorer.sketch_page import MNIST, sketch_page
from tests.explorer.untrained import untrained_run
from vae_core.explorer import write_explorer
from vae_core.explorer.decoder import read_decoder
from vae_core.explorer.sketch import TEXTS
from vae_core.runs import PROJECT, run_name

pytestmark = [needs_firefox, pytest.mark.slow]
SCREENSHOTS = PROJECT / "test-output"  # to be looked at
TAB, RIGHT, UP, DOWN = "\ue004", "\ue014", "\ue013", "\ue015"


@pytest.fixture(scope="module")
def fox():
    with firefox() as browser:
        yield browser


def test_the_explorer_decodes_at_every_weight(fox, tmp_path, rng):
    for kl_weight in (0.5, 1):
        untrained_run(tmp_path, kl_weight, "digits")
    fox.open(write_explorer(tmp_path))
    fox.wait("document.body.dataset.ready === 'yes'")
    assert fox.value("document.getElementById('failure').textContent") == ""
    assert fox.value("performance.getEntriesByType('resource').length") == 0
    assert fox.value("document.body.dataset.weight") == "1"
    fox.value("document.getElementById('weight').focus()")
    fox.keys("\ue012")  # left
    fox.wait("document.body.dataset.weight === '0.5'")
    z = rng.standard_normal((50, 2)).astype("float32")
    ours = fox.value(f"{z.tolist()}.map((z) => Array.from(decode(now, ...z)))")
    expected = 1 / (1 + np.exp(-read_decoder(tmp_path / run_name(0.5, 0)).outputs(z)))
    np.testing.assert_allclose(ours, expected, atol=1 / 255)
    fox.wait("Number(document.getElementById('manifold').dataset.cells) === COLUMNS * ROWS")
    fox.screenshot(SCREENSHOTS / "explorer_firefox.png")


def test_a_digit_is_drawn_by_mouse_finger_and_keys_and_taken_from_a_file(fox, tmp_path):
    fox.open(sketch_page(tmp_path), width=400)
    fox.wait("document.querySelector('canvas').width > 0")
    images = "got.map(([image, how]) => image)"
    box = fox.value("document.querySelector('canvas').getBoundingClientRect().toJSON()")
    x, y, side = box["x"], box["y"], box["width"]

    def newest() -> np.ndarray:
        fox.value("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done())))")
        return np.reshape(fox.value(images)[-1], (28, 28))

    for by in ("mouse", "touch"):
        fox.drag((x + 0.3 * side, y + 0.2 * side), (x + 0.3 * side, y + 0.8 * side), by=by)
        image = newest()
        assert image[8:20].sum(axis=1) == pytest.approx(MNIST["pen"], abs=0.3)
        assert np.flatnonzero(image.sum(axis=1)).tolist() == list(range(4, 24))
        fox.value("made.clear()")
    fox.wait("got.at(-1)[0] === null")  # told with the next frame
    fox.value("document.querySelector('canvas').focus()")
    fox.keys(*(UP,) * 5, " ", *(DOWN,) * 15, " ")
    np.testing.assert_allclose(newest()[8:20], image[8:20], atol=1e-5)
    picture = np.full((300, 300), 240, np.uint8)
    picture[60:240, 100:130] = 20
    Image.fromarray(picture).save(tmp_path / "one.png")
    told = fox.value("got.length")
    fox.choose("input[type=file]", tmp_path / "one.png")
    fox.wait(f"got.length === {told + 1}")
    assert newest()[5:23].sum(axis=1) == pytest.approx(30 * 20 / 180, abs=0.1)
    (tmp_path / "text.png").write_text("no picture")
    fox.choose("input[type=file]", tmp_path / "text.png")
    fox.wait("document.querySelector('.problem').textContent !== ''")
    assert fox.value("document.querySelector('.problem').textContent") == TEXTS["sketch.noPicture"]
    fox.screenshot(SCREENSHOTS / "sketch_firefox.png")
