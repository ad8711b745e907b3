"""What the page does beside the plane: play, two weights, draws, the tour, what leaves the page."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

from tests.browser import find, needs_browser, script, wait
from tests.explorer.browser import open_page, pixels
from tests.explorer.pages import SCREENSHOTS, box, content_of, decoded, greys, set_weight
from vae_core.explorer.texts import ENGLISH

pytestmark = needs_browser


# ---- play


def test_play_goes_through_the_weights_and_stops_at_the_last(page):
    set_weight(page, 0)
    seen = "window.spoiled = true; window.seen = []; draws(['weight'], () => seen.push(state.weight));"
    script(page, seen)
    play = find(page, "#play")
    play.click()
    assert play.text == "Stop"
    wait(page, "playing === 0")
    assert script(page, "return [seen, state.weight]") == [[1, 4], 4]
    assert play.text == "Play"
    play.click()  # from the beginning
    wait(page, "state.weight === 0")
    play.click()
    assert script(page, "return playing") == 0


def test_play_stops_where_a_unit_dies_and_the_page_says_what(page):
    set_weight(page, 0)
    script(
        page,
        "window.spoiled = true; data.collapse = [30, 0.5]; COLLAPSE.length = 0; COLLAPSE.push("
        "...data.collapse.map((weight, k) => ({ weight, what: whatDies(k), position: positionOf(weight) })))",
    )
    find(page, "#play").click()
    wait(page, "playing === 0")
    assert script(page, "return state.weight") == 1
    assert find(page, "#collapse").text == (
        "Above kl_weight 0.5, so the law of collapse: latent unit 2 dies, and 1 is left."
    )


def test_with_reduced_motion_play_is_a_step(page):
    script(page, "window.spoiled = true")
    media = [{"name": "prefers-reduced-motion", "value": "reduce"}]
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": media})
    play = find(page, "#play")
    # only the text: Chromium sends no event of the change where a script has read `matches` between change and event
    wait(page, "element('play').textContent === 'Next weight'")
    set_weight(page, 0)
    play.click()
    wait(page, "state.weight === 1")
    assert script(page, "return playing") == 0


def test_weights_of_collapse_are_marked_on_the_slider(page, swept):
    found = content_of((swept / "explorer.html").read_text())["collapse"]
    assert found == pytest.approx([31.583, 30.247], abs=0.01)  # of digits: beyond the slider's end
    assert find(page, "#marks").text == ""
    assert find(page, "#collapse").text == (
        "Above kl_weight 30.2 latent unit 2 dies, and 1 is left, says the law of collapse."
    )
    script(page, "window.spoiled = true; COLLAPSE.forEach((one) => { one.position = positionOf(2); }); makeTicks()")
    assert script(page, "return positionOf(2)") == pytest.approx(1.5)  # between 1 and 4
    mark, track = box(page, "#marks b"), box(page, "#weight")
    half_thumb = 8
    expected = track["left"] + half_thumb + 0.75 * (track["width"] - 2 * half_thumb)
    assert mark["left"] + mark["width"] / 2 == pytest.approx(expected, abs=1)
    assert "dies" in find(page, "#marks b").get_attribute("title")


# ---- two weights


def test_two_weights_show_the_same_point_and_the_same_image(page, swept):
    script(page, "change({image: 5}); hold([1, -1])")
    Select(find(page, "#beside")).select_by_visible_text("kl_weight 4")
    wait(page, "other?.kl_weight === 4")
    assert find(page, "#other-plane").is_displayed()
    assert not find(page, "#manifold").is_displayed()
    at_other = np.array(script(page, "return Array.from(decodeAt(other, [1, -1]))"))
    np.testing.assert_allclose(greys(page, "#other-decoded"), at_other, atol=0.51 / 255)
    code = np.array(script(page, "return Array.from(decode(other, ...codeOf(other, 5)))"))
    np.testing.assert_allclose(greys(page, "#other-reconstruction"), code, atol=0.51 / 255)
    assert np.abs(at_other - decoded(page, (1, -1))).max() > 0.02
    before = pixels(page, "#other-plane")
    script(page, "hold([-2, 2])")
    assert (pixels(page, "#other-plane") != before).any()
    set_weight(page, 0)
    assert script(page, "return [now.kl_weight, other.kl_weight]") == [0, 4]
    Select(find(page, "#beside")).select_by_index(0)
    wait(page, "other === null")
    assert find(page, "#manifold").is_displayed()
    assert not find(page, "#other-decoded").is_displayed()


# ---- draws


def samples(browser) -> np.ndarray:
    shown = pixels(browser, "#samples")[..., 0] / 255
    return shown.reshape(3, 28, 8, 28).swapaxes(1, 2).reshape(24, 28 * 28)


def test_24_draws_from_the_prior_are_decoded(page):
    find(page, "#sample-prior").click()
    z = np.array(script(page, "return samplesOf(now)"))
    assert z.shape == (24, 2)
    assert 0.7 < z.std() < 1.3
    known = np.array(script(page, "return samplesOf(now).map((z) => Array.from(decode(now, ...z)))"))
    np.testing.assert_allclose(samples(page), known, atol=0.51 / 255)
    first = samples(page)
    set_weight(page, 2)
    places = script(page, "return samplesOf(now).map((z) => toPlane(now, z))")
    np.testing.assert_allclose(places, z, atol=1e-5)  # the same places of the plane at every weight
    find(page, "#sample-prior").click()
    assert (samples(page) != first).any()
    find(page, "#no-samples").click()
    assert not find(page, "#samples").is_displayed()


def test_24_draws_from_the_code_of_an_image_have_its_spread(page, swept):
    set_weight(page, 2)
    find(page, "#sample-posterior").click()
    image = script(page, "return state.image")  # the one that was shown
    assert image is not None
    mean, spread = script(page, "return [codeOf(now, state.image), deviationsOf(now, state.image)]")
    noise = (np.array(script(page, "return samplesOf(now)")) - mean) / spread
    assert abs(noise.mean()) < 0.6
    assert 0.7 < noise.std() < 1.3
    assert "draws from q(z|x) of test image" in find(page, "#samples-caption").text
    find(page, "#follow").click()  # no image, no draws of its code
    assert not find(page, "#samples").is_displayed()


def test_normal_numbers_are_normal(page):
    numbers = np.array(script(page, "return Array.from(normals(20000, 5))"))
    assert abs(numbers.mean()) < 0.03
    assert numbers.std() == pytest.approx(1, abs=0.02)
    assert np.mean(np.abs(numbers) < 1) == pytest.approx(0.6827, abs=0.015)
    assert abs(np.corrcoef(numbers[::2], numbers[1::2])[0, 1]) < 0.04
    assert script(page, "return normals(3, 5)[0] === normals(9, 5)[0] && normals(1, 5)[0] !== normals(1, 6)[0]")


# ---- the tour


def test_the_tour_has_six_steps_that_show_what_they_say(page, swept):
    steps = content_of((swept / "explorer.html").read_text())["tour"]
    assert len(steps) == 6
    find(page, "#start-tour").click()
    for number, step in enumerate(steps, 1):
        wait(page, f"element('tour-title').textContent === 'Step {number} of 6'")
        assert find(page, "#tour-text").text == step["text"]
        parts = dict(part.split("=") for part in step["address"].split("&"))
        wait(page, f"now.kl_weight === {parts['weight']}")
        assert script(page, "return state.view.fit") == parts["window"]
        assert script(page, "return state.dots") == parts.get("dots", "means")
        image = script(page, "return state.image === null ? null : testNumbers[state.image]")
        assert image == (int(parts["image"]) if "image" in parts else None)
        if number == 4:
            find(page, "#tour-back").click()
            wait(page, "element('tour-title').textContent === 'Step 3 of 6'")
            find(page, "#tour-next").click()
            wait(page, "state.image !== null")
            find(page, "#tour-next").send_keys("")  # focuses it
        assert script(page, "return document.activeElement === element('tour-next')")  # by keyboard alone
        page.switch_to.active_element.send_keys(Keys.ENTER)
    wait(page, "element('tour').hidden")


def test_the_numbers_of_the_tour_are_those_of_the_results(swept):
    page = content_of((swept / "explorer.html").read_text())
    measured = {weight["kl_weight"]: weight["measured"] for weight in page["weights"]}
    least, start, most = 0, 1, 4
    texts = [step["text"] for step in page["tour"]]
    assert measured[least]["rate"] in texts[1]
    for weight, names in ((least, ("rate", "distortion")), (start, ("rate", "distortion", "mutual_information"))):
        assert all(measured[weight][name] in texts[2] for name in names)
    assert measured[most]["mutual_information"] in texts[4]
    best = min(measured, key=lambda weight: float(measured[weight]["negative_elbo"].split()[0]))
    assert f"it is kl_weight {best:g}, with {measured[best]['negative_elbo']} nats" in texts[5]


# ---- what leaves the page


def test_the_picture_is_the_plane_the_window_and_the_image(page):
    script(page, "window.spoiled = true")
    script(page, "HTMLAnchorElement.prototype.click = function () { window.saved = [this.download, this.href]; }")
    find(page, "#save").click()
    name, address = script(page, "return window.saved")
    assert name == "explorer digits kl_weight 1.png"
    picture = np.asarray(Image.open(io.BytesIO(base64.b64decode(address.split(",")[1]))).convert("RGB")).astype(int)
    side = script(page, "return plane.width")
    assert picture.shape[:2] == (side + 72, 3 * side + 64)
    middle = picture[16 : 16 + side, 16 : 16 + side]
    plane = pixels(page, "#plane")
    opaque = plane[..., 3] == 255
    np.testing.assert_array_equal(middle[opaque], plane[opaque][:, :3])
    image = picture[16 : 16 + side, 48 + 2 * side : 48 + 3 * side, 0]
    cell = (np.arange(28) + 0.5) * side / 28
    np.testing.assert_allclose(
        image[np.ix_(cell.astype(int), cell.astype(int))], 255 * greys(page, "#decoded").reshape(28, 28), atol=1
    )
    assert (picture[-45:] < 128).any()  # the line below
    SCREENSHOTS.mkdir(exist_ok=True)
    (SCREENSHOTS / "explorer_picture.png").write_bytes(base64.b64decode(address.split(",")[1]))


def test_the_link_is_copied_or_shown(page, swept):
    set_weight(page, 2)
    script(page, "window.spoiled = true")
    script(page, "navigator.clipboard.writeText = (text) => { window.copied = text; return Promise.resolve(); }")
    find(page, "#link").click()
    wait(page, "element('told').textContent !== ''")
    link = (swept / "explorer.html").resolve().as_uri() + "#weight=4"
    assert script(page, "return window.copied") == link
    assert find(page, "#told").text == ENGLISH["link.copied"]
    script(page, "navigator.clipboard.writeText = () => Promise.reject(new Error('no'))")
    find(page, "#link").click()
    wait(page, f"element('told').textContent.endsWith({link!r})")


def test_on_paper_it_is_light_and_short(browser, swept):
    open_page(browser, swept / "explorer.html", scheme="dark")
    dark = script(browser, "return classColors()[2]")
    script(browser, "window.papers = []; addEventListener('beforeprint', () => papers.push(classColors()[2]))")
    made = browser.execute_cdp_cmd(
        "Page.printToPDF", {"paperWidth": 8.27, "paperHeight": 11.7, "printBackground": True}
    )
    pages = re.findall(rb"/Type\s*/Page\b", base64.b64decode(made["data"]))
    assert 1 <= len(pages) <= 2
    (paper,) = script(browser, "return window.papers")
    assert paper != dark == script(browser, "return classColors()[2]")  # and dark again afterwards
    (SCREENSHOTS / "explorer.pdf").write_bytes(base64.b64decode(made["data"]))


def test_keys_on_the_losses_go_from_weight_to_weight(page):
    losses = find(page, "#losses")
    losses.send_keys(Keys.ARROW_RIGHT)
    wait(page, "now.kl_weight === 4")
    assert losses.get_attribute("aria-valuetext").startswith("kl_weight 4: rate ")
    losses.send_keys(Keys.HOME)
    wait(page, "now.kl_weight === 0")
    losses.send_keys(Keys.ARROW_LEFT)
    assert script(page, "return now.kl_weight") == 0


def test_a_click_between_dots_goes_to_the_nearest(page):
    script(page, "losses.scrollIntoView({block: 'center'})")
    click = (
        "const box = losses.getBoundingClientRect(), scale = box.width / losses.viewBox.baseVal.width;"
        "const {x, y} = dots.find(({run}) => run.kl_weight === arguments[0]);"
        "const place = {clientX: box.left + x * scale + 15, clientY: box.top + y * scale - 9};"
        "losses.dispatchEvent(new MouseEvent('click', place))"
    )
    script(page, click, 4)
    wait(page, "now.kl_weight === 4")
    script(page, click, 0)
    wait(page, "now.kl_weight === 0")


def test_every_weight_has_its_name_and_no_name_covers_another(page):
    runs = [
        {"kl_weight": weight, "seed": 0, "rate": rate, "distortion": distortion}
        for weight, rate, distortion in (
            *((0, 640, 140.8), (0.02, 28.2, 142), (0.1, 13, 143.2), (0.5, 7.2, 145.3)),
            *((1, 6.1, 144.8), (2, 4.9, 146.8), (10, 2.4, 162.5), (20, 0.65, 190)),
        )
    ]
    for width in (300, 500, 900):  # the published sweep, on a phone and on a projector
        script(page, "window.spoiled = true")
        script(page, "data.runs = arguments[0]; losses.style.width = `${arguments[1]}px`; drawLosses()", runs, width)
        names = page.find_elements(By.CSS_SELECTOR, "#losses .name")
        assert sorted(name.text.removeprefix("kl_weight ") for name in names) == sorted(
            f"{run['kl_weight']:g}" for run in runs
        )
        boxes = script(
            page,
            "return [...document.querySelectorAll('#losses .name')].map((n) => {"
            "const b = n.getBBox(); return [b.x, b.x + b.width, b.y, b.y + b.height]; })",
        )
        for i, (left, right, top, bottom) in enumerate(boxes):
            for other in boxes[:i]:
                apart = left >= other[1] - 1 or other[0] >= right - 1
                assert apart or top >= other[3] - 4 or other[2] >= bottom - 4
