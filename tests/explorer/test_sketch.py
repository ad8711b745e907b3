"""The widget in which a person draws, in a page of its own: sketch.js knows no network, so it needs no run."""

import numpy as np
import pytest
from PIL import Image
from selenium import webdriver
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select
from sklearn.neighbors import KNeighborsClassifier

from tests.browser import find, needs_browser, resize, screenshot, script, use_scheme, wait
from tests.explorer.browser import pixels
from tests.explorer.sketch_page import MNIST, sketch_page
from tests.explorer.strokes import WAYS, drawings
from vae_core.explorer.sketch import TEXTS, placing
from vae_core.runs import PROJECT

SCREENSHOTS = PROJECT / "test-output"  # to be looked at


def open_sketch(browser, folder, *options, width=700, scheme="light", **named):
    resize(browser, width, 900)
    use_scheme(browser, scheme)
    browser.get(sketch_page(folder, *options, **named).as_uri())
    wait(browser, "document.querySelector('canvas').width > 0")


@pytest.fixture
def sketch(browser, tmp_path):
    """The widget as for MNIST; afterwards it has logged no error and asked for nothing."""
    browser.get_log("browser")
    open_sketch(browser, tmp_path)
    yield browser
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []
    asked = script(browser, "return performance.getEntriesByType('resource').map((entry) => entry.name)")
    assert [name for name in asked if not name.startswith("data:")] == []


def settled(browser) -> list:
    """All that onImage was told, once the last frame is drawn: image, or None, and how."""
    browser.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")
    return [(None if image is None else np.array(image), how) for image, how in script(browser, "return got")]


def last(browser, shape=(28, 28)) -> np.ndarray:
    return settled(browser)[-1][0].reshape(shape)


def problem(browser) -> str:
    return find(browser, ".problem").text


def line(browser, *points) -> None:
    """Draw with the mouse from point to point, in shares of the square from its middle."""
    canvas = find(browser, "canvas")
    side = canvas.size["width"]
    actions = webdriver.ActionChains(browser, duration=20)
    places = [(int(side * x), int(side * y)) for x, y in points]
    actions.move_to_element_with_offset(canvas, *places[0]).click_and_hold()
    for x, y in places[1:]:
        actions.move_to_element_with_offset(canvas, x, y)
    actions.release().perform()


def choose(browser, path) -> None:
    find(browser, "input[type=file]").send_keys(str(path))


def drop(browser, *paths) -> None:
    """Drop files on the square, as from the desktop."""
    place = script(browser, "return document.querySelector('canvas').getBoundingClientRect().toJSON()")
    at = {"x": place["x"] + 20, "y": place["y"] + 20}
    data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        browser.execute_cdp_cmd("Input.dispatchDragEvent", {"type": kind, **at, "data": data})


# ---- what becomes of a drawing


@needs_browser
def test_ten_drawings_of_each_digit_are_read_by_neighbours_in_mnist(sketch, mnist):
    made = drawings()
    call = (
        "return arguments[0].map(([strokes, pen]) =>"
        " Array.from(sketching.imageOfStrokes(strokes, [28, 28, 1], { box: 20, pen: arguments[1] * pen })))"
    )
    images = np.array(script(sketch, call, [(strokes, pen) for _, strokes, pen in made], MNIST["pen"]))
    digits = np.array([digit for digit, _, _ in made])
    train = mnist.train_images[:10000].reshape(10000, -1), mnist.train_labels[:10000]
    read = KNeighborsClassifier(3, n_jobs=1).fit(*train).predict(images)
    right = {digit: int(np.sum(read[digits == digit] == digit)) for digit in WAYS}
    assert min(right.values()) >= 9, right
    assert images.mean() == pytest.approx(mnist.test_images.mean(), rel=0.1)
    real = mnist.test_images[..., 0]
    for digit in WAYS:
        assert images[digits == digit].mean() == pytest.approx(real[mnist.test_labels == digit].mean(), rel=0.2)
    rows = [
        np.hstack(
            [*images[digits == digit].reshape(-1, 28, 28), np.ones((28, 4)), *real[mnist.test_labels == digit][:10]]
        )
        for digit in WAYS
    ]
    SCREENSHOTS.mkdir(exist_ok=True)
    Image.fromarray((255 * np.vstack(rows)).astype("uint8")).save(SCREENSHOTS / "drawn_beside_mnist.png")


@needs_browser
def test_an_image_of_mnist_stays_as_it_is(sketch, mnist):
    images = np.round(255 * mnist.test_images[:300, ..., 0]).astype(int)
    call = (
        "return arguments[0].map((greys) => Array.from(sketching.centred("
        "Float32Array.from(greys, (grey) => grey / 255), 28, 28, [28, 28], 20), (ink) => Math.round(255 * ink)))"
    )
    ours = np.array(script(sketch, call, images.reshape(-1, 784).tolist())).reshape(images.shape)
    assert (ours == images).all()  # as are 9,997 of the 10,000 test images
    i = np.arange(28)
    centres = [(ours.sum(axis=other) * i).sum(axis=1) / ours.sum(axis=(1, 2)) for other in (2, 1)]
    assert np.abs(np.array(centres) - 14).max() <= 0.501


@needs_browser
def test_a_line_has_the_size_place_and_pen_that_it_should(sketch):
    line(sketch, (0.3, -0.4), (0.3, 0.1))
    image = last(sketch)
    assert np.flatnonzero(image.sum(axis=1)).tolist() == list(range(4, 24))
    middle = image[8:20]
    assert np.ptp(middle, axis=0).max() == 0
    assert middle[0].sum() == pytest.approx(MNIST["pen"], abs=0.3)
    assert (middle[0] * np.arange(28)).sum() / middle[0].sum() == pytest.approx(14, abs=0.51)
    line(sketch, (0.3, 0.1), (-0.2, 0.1))  # now an L turned around
    ell = last(sketch)
    assert ell.max() == 1
    assert np.flatnonzero(ell.sum(axis=0)).size == 20
    assert problem(sketch) == ""


@needs_browser
def test_the_pen_is_as_thick_at_any_size_and_place(sketch):
    call = "return Array.from(sketching.imageOfStrokes(arguments[0], [28, 28, 1], arguments[1]))"
    (_, strokes, _), *_ = drawings(1)
    large, small = (
        [[[at + scale * (v - 0.5) for v, at in zip(p, middle, strict=True)] for p in one] for one in strokes]
        for scale, middle in ((1, (0.5, 0.5)), (0.2, (0.8, 0.15)))
    )
    one, other = (np.array(script(sketch, call, strokes, MNIST)) for strokes in (large, small))
    np.testing.assert_allclose(one, other, atol=1e-5)


@needs_browser
def test_an_empty_and_a_full_drawing_say_so_and_the_page_goes_on(sketch):
    line(sketch, *[(x, (-0.45, 0.45)[i % 2]) for i, x in enumerate(np.linspace(-0.45, 0.45, 12))])
    image, how = settled(sketch)[-1]
    assert (image, how) == (None, {"by": "drawing"})
    assert problem(sketch) == TEXTS["sketch.full"]
    find(sketch, ".buttons button:nth-child(2)").click()
    assert settled(sketch)[-1][0] is None
    assert problem(sketch) == TEXTS["sketch.empty"]
    line(sketch, (0, -0.3), (0, 0.3))
    assert last(sketch).sum() > 20
    assert problem(sketch) == ""
    find(sketch, ".buttons button:nth-child(1)").click()  # undo
    assert settled(sketch)[-1][0] is None
    line(sketch, (0.1, 0.1), (0.1, 0.1))  # a dot
    dot = last(sketch)
    assert 4 < dot.sum() < 12
    assert dot[14, 14] == 1


# ---- hands


@needs_browser
def test_a_stroke_is_taken_back_and_the_first_stays(sketch):
    line(sketch, (-0.2, -0.3), (-0.2, 0.3))
    first = last(sketch)
    line(sketch, (0.2, -0.3), (0.2, 0.3))
    assert np.abs(last(sketch) - first).max() > 0.9
    find(sketch, ".buttons button:nth-child(1)").click()
    np.testing.assert_array_equal(last(sketch), first)
    shown = pixels(sketch, "canvas")[..., 0]
    side = len(shown)
    assert shown[side // 2, int(0.3 * side)] == 255
    assert shown[side // 2, int(0.7 * side)] == 0


@needs_browser
def test_a_finger_draws_a_second_does_not_and_the_page_stays(sketch):
    box = script(sketch, "return document.querySelector('canvas').getBoundingClientRect().toJSON()")

    def touch(kind, *shares):
        points = [
            {"x": box["x"] + box["width"] * x, "y": box["y"] + box["height"] * y, "id": i} for i, (x, y) in shares
        ]
        sketch.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    sketch.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": True, "maxTouchPoints": 2})
    touch("touchStart", (0, (0.3, 0.2)))
    touch("touchStart", (0, (0.3, 0.2)), (1, (0.8, 0.2)))
    for y in (0.4, 0.6, 0.8):
        touch("touchMove", (0, (0.3, y)), (1, (0.8, y)))
    touch("touchEnd")
    image = last(sketch)
    assert image[8:20].sum(axis=1) == pytest.approx(MNIST["pen"], abs=0.3)  # one line
    assert script(sketch, "return scrollY") == 0
    line(sketch, (0.3, -0.3), (0.3, 0.3))  # the mouse still draws
    assert last(sketch)[14].sum() == pytest.approx(2 * MNIST["pen"], abs=0.6)
    sketch.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": False})


@needs_browser
def test_it_is_used_by_keyboard_alone(sketch):
    keys = webdriver.ActionChains(sketch, duration=0)
    keys.send_keys(Keys.TAB).perform()
    assert script(sketch, "return document.activeElement.tagName") == "CANVAS"
    keys.send_keys(Keys.ARROW_UP * 10, " ", Keys.ARROW_DOWN * 20, " ").perform()
    image = last(sketch)
    assert image[8:20].sum(axis=1) == pytest.approx(MNIST["pen"], abs=0.3)
    assert np.flatnonzero(image.sum(axis=1)).size == 20
    wait(sketch, "document.querySelector('[role=status]').textContent === 'Pen up: 50, 70'")
    keys.send_keys(" ").key_down(Keys.ARROW_RIGHT).key_down(Keys.ARROW_UP).key_up(Keys.ARROW_UP)
    keys.key_up(Keys.ARROW_RIGHT).perform()
    wait(sketch, "document.querySelector('[role=status]').textContent === 'Pen down: 54, 68'")  # right, then both
    keys.send_keys(Keys.BACKSPACE).perform()
    np.testing.assert_array_equal(last(sketch), image)
    keys.send_keys(Keys.DELETE).perform()
    assert problem(sketch) == TEXTS["sketch.empty"] or settled(sketch)[-1][0] is None
    keys.send_keys(Keys.TAB * 4, "1").perform()
    assert settled(sketch)[-1][1] == {"by": "test image", "index": 2}
    keys.send_keys(Keys.TAB, Keys.ENTER).perform()
    assert settled(sketch)[-1][1] == {"by": "test image", "index": 4}


@needs_browser
def test_test_images_are_given_as_they_are_and_a_stroke_starts_anew(sketch):
    find(sketch, "select + button, label + button").click()
    assert settled(sketch)[-1][1] == {"by": "test image", "index": 0}
    Select(find(sketch, "select")).select_by_visible_text("1")
    another = find(sketch, "label + button")
    seen = [settled(sketch)[-1][1]["index"]]
    for _ in range(3):
        another.click()
        seen.append(settled(sketch)[-1][1]["index"])
    assert seen == [2, 4, 5, 2]
    assert settled(sketch)[-1][0] == pytest.approx(2 / 6)
    assert pixels(sketch, "canvas")[5, 5, 0] == round(255 * 2 / 6)
    line(sketch, (0, -0.3), (0, 0.3))
    assert last(sketch)[14].sum() == pytest.approx(MNIST["pen"], abs=0.3)
    assert pixels(sketch, "canvas")[5, 5, 0] == 0


# ---- files


def png(path, image: np.ndarray):
    Image.fromarray(image).save(path)
    return path


def drawn_by_hand(side: int, ink: int, paper: int) -> np.ndarray:
    """A cross of thick lines, off the middle, on paper."""
    image = np.full((side, side), paper, np.uint8)
    image[side // 8 : side // 2, side // 4 : side // 4 + side // 20] = ink
    image[side // 4 : side // 4 + side // 20, side // 8 : side // 2] = ink
    return image


@needs_browser
def test_a_picture_is_the_same_image_on_dark_and_on_light_ground(sketch, tmp_path):
    light, dark = (png(tmp_path / f"{ink}.png", drawn_by_hand(800, ink, 255 - ink)) for ink in (0, 255))
    choose(sketch, light)
    wait(sketch, "got.length === 1")
    image = last(sketch)
    assert settled(sketch)[-1][1] == {"by": "picture", "name": "0.png"}
    assert image[:3].max() == 0
    assert image.max() == pytest.approx(1)
    assert np.flatnonzero(image.sum(axis=1)).size == 20
    drop(sketch, dark)
    wait(sketch, "got.length === 2")
    np.testing.assert_allclose(last(sketch), image, atol=1e-3)
    grey, shadow = 190 + np.linspace(0, 30, 800, dtype=int), drawn_by_hand(800, 60, 0)
    drop(sketch, png(tmp_path / "photo.png", np.where(shadow, shadow, grey).astype("uint8")))  # in bad light
    wait(sketch, "got.length === 3")
    np.testing.assert_allclose(last(sketch), image, atol=0.25)


@needs_browser
def test_a_picture_of_a_digit_of_mnist_is_that_digit(sketch, mnist, tmp_path):
    image = mnist.test_images[3, ..., 0]
    choose(sketch, png(tmp_path / "mnist.png", np.round(255 * image).astype("uint8")))
    wait(sketch, "got.length === 1")
    np.testing.assert_allclose(last(sketch), image, atol=0.09)


def gif(path, frames: int):
    images = [Image.fromarray(np.roll(drawn_by_hand(40, 0, 255), 3 * i, axis=0)) for i in range(frames)]
    images[0].save(path, save_all=True, append_images=images[1:], duration=100)
    return path


def not_pictures(folder):
    """Files that must be refused, by the name of the sentence."""
    picture = drawn_by_hand(40, 0, 255)
    (folder / "text.png").write_text("no picture")
    (folder / "nothing.png").write_bytes(b"")
    vector = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9" height="9"/></svg>'
    for name in ("drawing.svg", "drawing.png"):
        (folder / name).write_text(vector)
    whole = png(folder / "whole.png", picture).read_bytes()
    (folder / "cut.png").write_bytes(whole[:30])
    frames = [Image.fromarray(np.roll(picture, 3 * i, axis=0)) for i in range(3)]
    for kind in ("png", "webp", "gif"):
        frames[0].save(folder / f"moving.{kind}", save_all=True, append_images=frames[1:], duration=100)
    Image.new("1", (8000, 6500)).save(folder / "large.png")  # 52 megapixels, few bytes
    with (folder / "heavy.png").open("wb") as file:
        file.truncate(21_000_000)
    png(folder / "blank.png", np.full((50, 50), 200, np.uint8))
    return {
        "noPicture": ("text.png", "nothing.png", "cut.png"),
        "vector": ("drawing.svg", "drawing.png"),
        "moving": ("moving.png", "moving.webp", "moving.gif"),
        "large": ("large.png", "heavy.png"),
        "blank": ("blank.png",),
    }


@needs_browser
def test_what_is_no_picture_is_refused_with_a_sentence_and_what_was_there_stays(sketch, tmp_path):
    line(sketch, (0, -0.3), (0, 0.3))
    before = len(settled(sketch))
    refused = not_pictures(tmp_path)
    for fault, name in [(fault, name) for fault, names in refused.items() for name in names]:
        script(sketch, "document.querySelector('.problem').textContent = ''")
        (drop if name.startswith("m") else choose)(sketch, tmp_path / name)
        wait(sketch, "document.querySelector('.problem').textContent !== ''")
        assert problem(sketch) == TEXTS[f"sketch.{fault}"], name
    assert len(settled(sketch)) == before
    gif(tmp_path / "still.gif", 1)
    drop(sketch, tmp_path / "still.gif", tmp_path / "text.png")  # the first of several
    wait(sketch, f"got.length === {before + 1}")
    assert last(sketch).sum() > 20
    assert problem(sketch) == ""
    drop(sketch)  # a link, or words
    wait(sketch, "document.querySelector('.problem').textContent !== ''")
    assert problem(sketch) == TEXTS["sketch.noPicture"]
    assert script(sketch, "return location.pathname").endswith("sketch.html")


@needs_browser
def test_a_picture_covers_images_of_another_kind(browser, tmp_path, rng):
    shape = (16, 12, 3)
    open_sketch(browser, tmp_path, shape, placing("faces"), class_names=())
    picture = rng.integers(0, 256, (32, 40, 3)).astype("uint8")  # 32 x 24 of it are used, two by two
    choose(browser, png(tmp_path / "colour.png", picture))
    wait(browser, "got.length === 1")
    expected = (picture[:, 8:32] / 255).reshape(16, 2, 12, 2, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(last(browser, shape), expected, atol=1e-5)
    white = np.full((32, 24, 3), 255, "uint8")
    for kind, grey in (("faces", 1), ("fashion_mnist", 0)):  # clothes are bright on black
        open_sketch(browser, tmp_path, shape, placing(kind), class_names=())
        choose(browser, png(tmp_path / "white.png", white))
        wait(browser, "got.length === 1")
        assert settled(browser)[-1][0] == pytest.approx(grey)
    line(browser, (-0.5, 0), (0.5, 0))
    assert last(browser, shape)[8].min() == 1
    assert last(browser, shape)[:5].max() == 0


# ---- looks


@needs_browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_narrow_phone_with_targets_for_a_finger(browser, tmp_path, scheme):
    browser.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": True})
    open_sketch(browser, tmp_path, width=320, scheme=scheme)
    assert script(browser, "return document.documentElement.scrollWidth <= innerWidth")
    boxes = script(
        browser,
        "return [...document.querySelectorAll('button, select, input')].map((e) => e.getBoundingClientRect().toJSON())",
    )
    assert len(boxes) == 5
    for box in boxes:
        assert min(box["width"], box["height"]) >= 44
        assert box["right"] <= 320
    screenshot(browser, SCREENSHOTS / f"sketch_320_{scheme}.png")
    browser.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": False})


@needs_browser
def test_in_forced_colours_the_square_has_an_edge(browser, tmp_path):
    open_sketch(browser, tmp_path)
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "forced-colors", "value": "active"}]})
    line(browser, (0, -0.3), (0.2, 0.3))
    edge, paper = script(
        browser,
        "return [getComputedStyle(document.querySelector('canvas')).borderTopColor,"
        " getComputedStyle(document.body).backgroundColor]",
    )
    assert edge != paper
    screenshot(browser, SCREENSHOTS / "sketch_forced_colours.png")
