"""explorer.html in a real browser, opened from disk with the network off."""

import html
import re
import shutil
from dataclasses import replace
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import papermill
import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.browser import find, needs_browser, screenshot, script, use_scheme, wait
from tests.explorer.browser import open_page, pixels, readout
from tests.explorer.pages import (
    SCREENSHOTS,
    SHOWN,
    WEIGHTS,
    box,
    chosen_images,
    content_of,
    decoded,
    greys,
    set_weight,
    show_point,
    touch,
    trained,
)
from vae_core import data, runs
from vae_core.errors import InputError
from vae_core.execution.notebook import execute_notebook
from vae_core.explorer import __main__ as command
from vae_core.explorer import page as explorer
from vae_core.explorer.decoder import read_decoder
from vae_core.latent import decode
from vae_core.models import VAE, conv_decoder, conv_encoder, dense_decoder, dense_encoder
from vae_core.report.published import SWEEPS

# ---- opening


@needs_browser
def test_it_opens_without_an_error_or_a_request(browser, swept):
    browser.get_log("browser")
    open_page(browser, swept / "explorer.html")
    assert browser.get_log("browser") == []
    assert script(browser, "return performance.getEntriesByType('resource').length") == 0
    assert find(browser, "#failure").text == ""
    forbidden = browser.execute_async_script(
        "const done = arguments[0];"
        "addEventListener('securitypolicyviolation', (event) => done(event.effectiveDirective));"
        "fetch('https://example.org').then(() => done('sent'), () => setTimeout(() => done('only offline'), 1000));"
    )
    assert forbidden == "connect-src"
    browser.get_log("browser")  # where the browser told of it


@needs_browser
@pytest.mark.parametrize(("place", "more"), [('id="data"', 1000), ("<style>", 300)])
def test_a_file_that_was_cut_says_so(browser, swept, tmp_path, place, more):
    whole = (swept / "explorer.html").read_text()
    cut = tmp_path / "cut.html"
    cut.write_text(whole[: whole.index(place) + more])
    browser.get(cut.as_uri())
    assert "the whole file" in find(browser, "#failure").text
    browser.get_log("browser")


@needs_browser
def test_a_file_with_a_damaged_array_says_so(browser, swept, tmp_path):
    whole = (swept / "explorer.html").read_text()
    damaged, start = tmp_path / "damaged.html", whole.index('"labels": "') + 12
    damaged.write_text(whole[: start + 40] + whole[start + 60 :])
    browser.get(damaged.as_uri())
    wait(browser, "document.getElementById('failure').textContent.startsWith('The page has stopped')")
    browser.get_log("browser")


@needs_browser
def test_a_weight_whose_data_are_damaged_is_named_and_the_others_work(browser, swept, tmp_path):
    whole = (swept / "explorer.html").read_text()
    start = whole.index('"mean"', whole.index('id="weight-2"'))
    digit = re.search(r'"step": \[\d', whole[start:]).end() + start - 1
    damaged = tmp_path / "damaged.html"
    damaged.write_text(
        whole[:digit] + str((int(whole[digit]) + 1) % 10) + whole[digit + 1 :]
    )  # one figure of one number
    open_page(browser, damaged)
    find(browser, "#weight").send_keys(Keys.ARROW_RIGHT)
    wait(browser, "document.getElementById('failure').textContent !== ''")
    assert find(browser, "#failure").text.startswith("The data of kl_weight 4 are damaged in this file.")
    assert script(browser, "return [now.kl_weight, slider.value]") == [1, "1"]
    assert find(browser, "#weight-value").text == "1"
    set_weight(browser, 0)
    open_page(browser, damaged, fragment="weight=4")  # opens where it can
    assert find(browser, "#failure").text.startswith("The data of kl_weight 4 are damaged")
    assert find(browser, "#weight-value").text == "1"


@needs_browser
def test_the_policy_allows_nothing_else(page):
    policy = script(page, "return document.querySelector('meta[http-equiv]').content").split("; ")
    rules = {rule.split()[0]: rule.split()[1:] for rule in policy}
    assert {name: len(values) for name, values in rules.items()} == dict.fromkeys(rules, 1)
    own = ("script-src", "style-src")
    assert all(rules.pop(name)[0].startswith("'sha256-") for name in own)
    assert rules.pop("img-src") == ["data:"]
    assert rules == {name: ["'none'"] for name in ("default-src", "base-uri", "form-action")}


# ---- weights and decoding


@needs_browser
def test_the_slider_says_its_weight_and_changes_the_decoded_image(page):
    images = []
    for index, kl_weight in enumerate(WEIGHTS):
        set_weight(page, index)
        assert find(page, "#weight-value").text == f"{kl_weight:g}"
        assert find(page, "#weight").get_attribute("aria-valuetext") == f"kl_weight {kl_weight:g}"
        images.append(greys(page, "#decoded"))
        np.testing.assert_allclose(images[-1], decoded(page, [0, 0]), atol=0.51 / 255)
    assert np.abs(images[0] - images[1]).max() > 0.05
    assert np.abs(images[1] - images[2]).max() > 0.05
    assert [tick.text for tick in page.find_elements(By.CSS_SELECTOR, "#ticks span")] == ["0", "1", "4"]


@needs_browser
def test_it_opens_at_the_weight_nearest_to_1(page):
    assert find(page, "#weight-value").text == "1"


@needs_browser
def test_a_fast_hand_at_the_slider_ends_at_the_last_weight(page):
    move = "for (const i of [0, 1]) { slider.value = i; slider.dispatchEvent(new Event('input')); }"
    script(page, move)  # 1 is there since the page was opened, 0 comes later
    script(page, "return loaded.get(0).then(() => new Promise(requestAnimationFrame)).then(() => null)")
    assert script(page, "return [now.kl_weight, Number(slider.value)]") == [1, 1]
    assert find(page, "#weight-value").text == "1"
    set_weight(page, 2)
    assert script(page, "return now.kl_weight") == 4


@needs_browser
def test_images_decoded_in_the_page_are_those_of_keras(page, swept, rng):
    said = float(re.search(r"than ([\d.]+) of 255", find(page, "footer").text)[1])
    differences = []
    for index, kl_weight in enumerate(WEIGHTS):
        set_weight(page, index)
        vae, mean, _ = trained(swept, kl_weight)
        z = np.concatenate([rng.standard_normal((100, 2)), mean[rng.integers(len(mean), size=100)]]).astype("float32")
        ours = np.array(script(page, "return arguments[0].map((z) => Array.from(decode(now, ...z)))", z.tolist()))
        differences.append(255 * np.abs(ours - decode(vae, z).reshape(200, -1)).max())
        for name in ("first", "last"):
            whole = script(
                page,
                "return unpacked(payload(`weight-${arguments[0]}`)[arguments[1]].packed).then((planes) =>"
                " Math.max(...Array.from({ length: planes.length / 2 }, (_, i) => planes[planes.length / 2 + i])))",
                *(index, name),
            )
            assert whole == 2**6 - 1  # the high byte of 14 bits
    assert max(differences) <= 1
    assert 0 < said <= 1
    assert said == pytest.approx(max(differences), rel=0.5)  # on other points
    assert "14 bits" in find(page, "footer").text


@needs_browser
def test_a_decode_takes_less_than_a_frame(page):
    loop = "const t = performance.now(); for (let i = 0; i < 100; i++) decode(now, i / 50 - 1, 0.3);"
    assert script(page, f"{loop} return (performance.now() - t) / 100") < 16


@needs_browser
def test_the_manifold_is_the_window_seen_through_the_decoder(page):
    for index in (0, 2):
        set_weight(page, index)
        for (row, column), z in {(0, 19): (3.8, 3.8), (0, 0): (-3.8, 3.8), (19, 5): (-1.8, -3.8)}.items():
            np.testing.assert_allclose(greys(page, "#manifold", row, column), decoded(page, z), atol=0.51 / 255)


# ---- the plane


@needs_browser
def test_codes_and_labels_are_those_of_the_first_seed(page, swept):
    chosen = chosen_images()
    for index, kl_weight in enumerate(WEIGHTS):
        set_weight(page, index)
        mean = trained(swept, kl_weight)[1][chosen]
        ours = np.array(script(page, "return Array.from(now.mean)")).reshape(-1, 2)
        np.testing.assert_allclose(ours, mean, atol=1e-4 * np.ptp(mean))
        assert "seed 0, the ringed dot" in find(page, "#losses-help").text
    labels = data.load_dataset("digits").test_labels[chosen]
    assert script(page, "return Array.from(labels)") == labels.tolist()


@needs_browser
def test_the_plane_shows_codes_rings_and_axes_where_they_are(browser, swept):
    spy = (
        "window.written = []; const write = CanvasRenderingContext2D.prototype.fillText;"
        "CanvasRenderingContext2D.prototype.fillText = function (text, x, y) {"
        " window.written.push([text, x, y]); return write.call(this, text, x, y); };"
    )
    spying = browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": spy})
    open_page(browser, swept / "explorer.html")
    browser.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", spying)
    script(browser, "window.spoiled = true; window.written = []; change({pins: [[-1, 1], [2, -1]], view: fitPrior()})")
    written = {text: (x, y) for text, x, y in script(browser, "return window.written")}
    side = script(browser, "return plane.width")
    assert {"\u22122", "0", "2", "z[0]", "z[1]", "A", "B"} <= set(written)
    horizontal = [(text, x, y) for text, x, y in script(browser, "return window.written") if y > 0.9 * side]
    numbers = {text: round(8 * x / side - 4, 2) for text, x, y in horizontal if "z" not in text}
    assert numbers == {"\u22122": -2, "0": 0, "2": 2}
    assert written["z[0]"][0] > 0.9 * side
    assert written["z[1]"][1] < 0.1 * side
    assert written["2"][1] == pytest.approx(side / 4, abs=1)  # the vertical axis, which is drawn last, points up
    for name, z in {"A": (-1, 1), "B": (2, -1)}.items():
        assert written[name] == pytest.approx(((z[0] + 4) * side / 8 + 5, (4 - z[1]) * side / 8 - 4), abs=1)
    script(browser, "change({pins: [], visible: state.visible.map(() => false), point: [3.9, 3.9]})")
    shown = pixels(browser, "#plane")
    for sigma, dashed in ((1, False), (2, True)):
        angles = 2 * np.pi * np.arange(720) / 720
        x, y = side / 2 + sigma * side / 8 * np.cos(angles), side / 2 - sigma * side / 8 * np.sin(angles)
        dark = shown[y.astype(int), x.astype(int), 3] > 100
        assert (0.4 < dark.mean() < 0.8) if dashed else dark.mean() > 0.95
    between = shown[int(side / 2 - 1.5 * side / 8), int(side / 2)]
    assert between[3] == 0


@needs_browser
def test_the_legend_hides_a_class(page):
    button = find(page, "#legend button:nth-child(3)")
    color = script(page, "return classColors()[2]")
    rgb = [int(color[i : i + 2], 16) for i in (1, 3, 5)]

    def dots() -> int:
        return int(np.all(pixels(page, "#plane")[..., :3] == rgb, axis=-1).sum())

    before = dots()
    button.click()
    assert button.get_attribute("aria-pressed") == "false"
    assert dots() == 0 < before
    button.click()
    assert dots() == before


@needs_browser
def test_no_test_image_is_shown_when_every_class_is_hidden(page):
    original, legend = find(page, "#original"), page.find_elements(By.CSS_SELECTOR, "#legend [data-marker]")
    assert original.is_displayed()
    for button in legend:
        button.click()
    assert not original.is_displayed()
    assert readout(page)["nearest code"] == "no class is shown"
    legend[3].click()
    assert original.is_displayed()
    assert readout(page)["its class"] == "3"


@needs_browser
def test_the_window_fits_what_it_says(page, swept):
    set_weight(page, 0)
    mean = trained(swept, 0.0)[1][chosen_images()]
    mean = mean @ np.transpose(script(page, "return now.turn"))
    outside = np.mean(np.abs(mean).max(axis=1) > 4)
    assert outside > 0.1
    assert find(page, "#outside").text == f"{100 * outside:.0f}% of the codes are outside this window"
    find(page, "#fit-codes").click()
    assert find(page, "#outside").text == ""
    half, middle = script(page, "return [state.view.half, state.view.middle]")
    low, high = mean.min(axis=0), mean.max(axis=0)
    np.testing.assert_allclose(middle, (low + high) / 2, atol=1e-3 * half)
    assert half == pytest.approx(0.55 * (high - low).max(), rel=1e-3)
    find(page, "#zoom-in").click()
    assert script(page, "return state.view.half") == pytest.approx(0.7 * half)
    find(page, "#zoom-out").click()
    assert script(page, "return state.view.half") == pytest.approx(half)
    find(page, "#fit-prior").click()
    assert script(page, "return state.view") == {"fit": "prior", "middle": [0, 0], "half": 4}
    script(page, "zoom(1e-9)")
    assert script(page, "return state.view.half") == 0.02
    script(page, "zoom(1e9)")
    assert script(page, "return state.view.half") == 1e4


@needs_browser
def test_the_wheel_zooms_around_the_pointer_once_the_plane_has_the_focus(page):
    place = box(page, "#plane")
    corner = {"clientX": int(place["x"]) + 20, "clientY": int(place["y"]) + 30}  # events have whole pixels
    turn = (
        "const event = new WheelEvent('wheel', {...arguments[0], deltaY: 200, cancelable: true});"
        "plane.dispatchEvent(event); return [event.defaultPrevented, state.view.half, latentOf(arguments[0], plane)]"
    )
    before = script(page, "return latentOf(arguments[0], plane)", corner)
    assert script(page, turn, corner)[:2] == [False, 4]  # the page scrolls
    script(page, "plane.focus()")
    prevented, half, after = script(page, turn, corner)
    assert prevented
    assert half == pytest.approx(4 * 1.0015**200)
    assert after == pytest.approx(before)


@needs_browser
def test_a_drag_pans_and_does_not_pin(page):
    plane = find(page, "#plane")
    actions = webdriver.ActionChains(page).move_to_element_with_offset(plane, 10, 20).click_and_hold()
    actions.move_by_offset(50, 0).move_by_offset(0, -30).release().perform()
    per_pixel = 8 / box(page, "#plane")["width"]
    middle, pins, held = script(page, "return [state.view.middle, state.pins.length, state.held]")
    assert middle == pytest.approx([-50 * per_pixel, -30 * per_pixel], abs=2 * per_pixel)
    assert pins == 0
    assert not held


@needs_browser
def test_the_other_mouse_buttons_are_the_browsers(page):
    webdriver.ActionChains(page).context_click(find(page, "#plane")).perform()
    assert script(page, "return [state.pins.length, touching.size]") == [0, 0]


# ---- the point


@needs_browser
def test_a_click_holds_the_point_and_a_second_there_frees_it(page):
    plane = find(page, "#plane")

    def move(x: int, y: int) -> webdriver.ActionChains:
        return webdriver.ActionChains(page).move_to_element_with_offset(plane, x, y)

    move(-60, 30).click().perform()
    point = script(page, "return state.point")
    move(70, -20).perform()
    find(page, "#weight").click()
    wait(page, "frame === 0")
    assert script(page, "return [state.point, state.held]") == [point, True]
    assert find(page, "#hold").get_attribute("aria-pressed") == "true"
    for index in (0, 2):  # one point, every weight
        set_weight(page, index)
        np.testing.assert_allclose(greys(page, "#decoded"), decoded(page, point), atol=0.51 / 255)
    move(40, 40).click().perform()  # elsewhere
    assert script(page, "return state.held && state.point[0] > 0 && state.point[1] < 0")
    move(42, 41).click().perform()
    assert not script(page, "return state.held")
    move(-20, 10).perform()
    wait(page, "frame === 0 && state.point[0] < 0")
    plane.click()
    plane.send_keys(Keys.ESCAPE)
    assert not script(page, "return state.held")
    find(page, "#hold").click()
    assert script(page, "return state.held")


@needs_browser
def test_two_pins_show_the_images_between(page):
    plane, strip = find(page, "#plane"), find(page, "#strip")
    assert not strip.is_displayed()
    for x in (-60, 70):
        actions = webdriver.ActionChains(page).key_down(Keys.SHIFT).move_to_element_with_offset(plane, x, 30)
        actions.click().key_up(Keys.SHIFT).perform()
    pins = script(page, "return state.pins")
    side, half = plane.size["width"], 4
    expected = [[2 * half * x / side, -2 * half * 30 / side] for x in (-60, 70)]
    np.testing.assert_allclose(pins, expected, atol=2 * half * 2 / side)
    assert strip.is_displayed()
    for index in (1, 2):  # at another weight too
        set_weight(page, index)
        for column, share in ((0, 0), (2, 0.25), (4, 0.5), (8, 1)):
            z = (1 - share) * np.array(pins[0]) + share * np.array(pins[1])
            np.testing.assert_allclose(greys(page, "#strip", 0, column), decoded(page, z), atol=0.51 / 255)
    find(page, "#unpin").click()
    assert script(page, "return state.pins.length") == 0
    assert not strip.is_displayed()
    show_point(page, (1.5, 0.5))
    find(page, "#pin").click()
    assert script(page, "return state.pins") == [[1.5, 0.5]]


@needs_browser
def test_the_readout_is_that_of_the_point_and_of_the_nearest_code(page, swept):
    assert readout(page)["prior density"] == "0.1592"
    show_point(page, (300, -400))
    assert readout(page)["prior density"] == f"10^\u2212{(500**2 / 2 + np.log(2 * np.pi)) / np.log(10):.1f}"
    chosen, test = chosen_images(), data.load_dataset("digits")
    for index, kl_weight in enumerate(WEIGHTS):
        set_weight(page, index)
        vae, mean, log_var = (
            part[chosen] if isinstance(part, np.ndarray) else part for part in trained(swept, kl_weight)
        )
        z = mean.max(axis=0) + 0.3 * np.ptp(mean, axis=0)
        show_point(page, script(page, "return toPlane(now, arguments[0])", list(map(float, z))))
        nearest = int(np.argmin(np.linalg.norm(mean - z, axis=1)))
        said = readout(page)
        assert float(said["nearest code"].split()[0]) == pytest.approx(np.linalg.norm(mean[nearest] - z), rel=0.02)
        assert said["its class"] == str(test.test_labels[chosen[nearest]])
        rate = 0.5 * np.sum(np.exp(log_var[nearest]) + mean[nearest] ** 2 - 1 - log_var[nearest])
        power = 10.0 ** (2 - np.floor(np.log10(rate)))  # of three digits
        assert float(said["its rate"].split()[0]) == pytest.approx(rate, abs=float(0.8 / power))
        elbo = float(said["its distortion"].split()[0]) + rate
        assert float(said["its negative ELBO"].split()[0]) == pytest.approx(elbo, rel=2e-3)
        spreads = [float(number) for number in said["its q(z|x), deviations"].split(", ")]
        np.testing.assert_allclose(spreads, np.exp(log_var[nearest] / 2), rtol=6e-3)
        image = test.test_images[chosen[nearest], ..., 0]
        assert np.abs(greys(page, "#original") - image.ravel()).max() <= 0.5 / 15 + 1 / 255
        reconstruction = decode(vae, mean[nearest : nearest + 1]).ravel()
        np.testing.assert_allclose(greys(page, "#reconstruction"), reconstruction, atol=1.01 / 255)
        assert np.abs(greys(page, "#decoded") - reconstruction).max() > 3 / 255  # not the image at the point


@needs_browser
def test_its_distortion_is_the_mean_over_draws(page, swept):
    test, chosen = data.load_dataset("digits"), chosen_images()
    images = test.test_images[chosen].reshape(SHOWN, -1)
    for index, kl_weight in enumerate(WEIGHTS):
        set_weight(page, index)
        ours = np.array(script(page, "return Array.from(now.distortion)"))
        vae, mean, log_var = trained(swept, kl_weight)
        rng = np.random.default_rng(1)
        draws = mean[chosen] + np.exp(log_var[chosen] / 2) * rng.standard_normal((64, SHOWN, 2))
        p = decode(vae, draws.reshape(-1, 2).astype("float32")).reshape(64, SHOWN, -1).clip(1e-7, 1 - 1e-7)
        known = -(images * np.log(p) + (1 - images) * np.log1p(-p)).sum(axis=-1)  # (64, N)
        variance = known.var(axis=0) * (1 / explorer.SAMPLES + 1 / 64)
        assert ours.mean() == pytest.approx(known.mean(), abs=float(4 * np.sqrt(variance.sum()) / SHOWN + 0.01))
        assert (np.abs(ours - known.mean(axis=0)) < 6 * np.sqrt(variance) + 0.02 * np.ptp(known)).all()


@needs_browser
def test_it_says_whether_a_code_is_at_the_point(page, swept):
    mean = trained(swept, 1.0)[1][chosen_images()]
    show_point(page, mean[3])
    assert find(page, "#original-caption").text == "test image at the point"
    far = next(z for z in ([3.9, -3.9], [-3.9, 3.9]) if np.linalg.norm(mean - z, axis=1).min() > 1)
    show_point(page, far)
    assert find(page, "#original-caption").text == "nearest test image"


@needs_browser
def test_a_click_in_the_manifold_goes_to_that_point(page):
    script(page, "manifold.scrollIntoView({block: 'center'})")
    webdriver.ActionChains(page).move_to_element_with_offset(find(page, "#manifold"), 80, -50).click().perform()
    place = box(page, "#manifold")
    per_pixel = 8 / place["width"]
    point = script(page, "return state.point")
    assert point == pytest.approx([80 * per_pixel, 50 * per_pixel], abs=2 * per_pixel)
    wait(page, "frame === 0")
    np.testing.assert_allclose(greys(page, "#decoded"), decoded(page, point), atol=0.51 / 255)
    mark = box(page, "#here")
    assert mark["x"] + mark["width"] / 2 == pytest.approx(place["x"] + place["width"] / 2 + 80, abs=3)
    assert mark["y"] + mark["height"] / 2 == pytest.approx(place["y"] + place["height"] / 2 - 50, abs=3)


# ---- without a mouse


@needs_browser
def test_it_works_with_the_keyboard_alone(page):
    body = find(page, "body")
    for _ in range(9):
        if page.switch_to.active_element.get_attribute("id") == "plane":
            break
        (page.switch_to.active_element or body).send_keys(Keys.TAB)
    plane = page.switch_to.active_element
    assert plane.get_attribute("id") == "plane"
    style, width = script(
        page, "const s = getComputedStyle(plane); return [s.outlineStyle, parseFloat(s.outlineWidth)]"
    )
    assert style == "solid"
    assert width >= 2
    assert box(page, "#plane")["top"] >= box(page, ".weight")["bottom"] - 1
    plane.send_keys(Keys.ENTER, Keys.SHIFT, Keys.ARROW_RIGHT, Keys.ARROW_UP, Keys.NULL, Keys.ENTER)
    (a, b), half = script(page, "return [state.pins, state.view.half]")
    assert a == [0, 0]
    assert b == pytest.approx([0.2 * half, 0.2 * half])
    wait(page, "element('spoken').textContent.startsWith('Pin B at 0.8')")
    plane.send_keys("+")
    assert script(page, "return state.view.half") == pytest.approx(0.8 * half)
    plane.send_keys("-")
    assert script(page, "return state.view.half") == pytest.approx(half)
    plane.send_keys(Keys.ESCAPE)
    assert script(page, "return [state.held, state.pins.length]") == [False, 2]
    plane.send_keys(Keys.ESCAPE)
    assert script(page, "return state.pins.length") == 0
    wait(page, "element('spoken').textContent === 'Pins removed'")


@needs_browser
def test_the_browser_keeps_its_own_keys(page):
    press = (
        "const event = new KeyboardEvent('keydown', {key: arguments[0], [arguments[1]]: true, cancelable: true});"
        "plane.dispatchEvent(event); return [event.defaultPrevented, state.view.half, state.point]"
    )
    for key, modifier in (("+", "ctrlKey"), ("ArrowLeft", "altKey"), (" ", "metaKey")):
        assert script(page, press, key, modifier) == [False, 4, [0, 0]]
    assert script(page, press, "ArrowLeft", "shiftKey")[0]


@needs_browser
def test_the_window_follows_a_point_that_leaves_it(page):
    plane = find(page, "#plane")
    plane.send_keys(Keys.SHIFT, *12 * [Keys.ARROW_DOWN], Keys.NULL)
    (x, y), middle, half = script(page, "return [state.point, state.view.middle, state.view.half]")
    assert abs(x - middle[0]) <= half
    assert y < -half
    assert abs(y - middle[1]) <= half
    nearest = script(page, "return data.class_names[labels[nearestCode(now, labels, state.visible, state.point)[0]]]")
    wait(page, f"element('spoken').textContent.endsWith('near {nearest}')")


@needs_browser
def test_it_works_with_fingers(page, swept):
    open_page(page, swept / "explorer.html", 360, 740)
    script(page, "plane.scrollIntoView({block: 'center'})")
    place = box(page, "#plane")
    x, y = place["x"] + place["width"] / 2, place["y"] + place["height"] / 2
    per_pixel = 8 / place["width"]
    touch(page, "touchStart", (x + 40, y))
    touch(page, "touchMove", (x + 60, y))
    wait(page, "state.point[0] > 0")
    touch(page, "touchEnd")
    assert script(page, "return state.point") == pytest.approx([60 * per_pixel, 0], abs=2 * per_pixel)
    assert script(page, "return [state.pins.length, state.view.half]") == [0, 4]  # only the point has moved
    touch(page, "touchStart", (x - 30, y))
    touch(page, "touchMove", (x - 35, y))  # a finger rolls
    touch(page, "touchEnd")
    wait(page, "state.point[0] < 0")
    assert script(page, "return state.held")
    assert script(page, "return state.point") == pytest.approx([-35 * per_pixel, 0], abs=2 * per_pixel)
    script(page, "fixed = latentOf({clientX: arguments[0], clientY: arguments[1]}, plane)", x + 50, y + 40)
    touch(page, "touchStart", (x + 20, y + 40), (x + 80, y + 40))
    touch(page, "touchMove", (x - 10, y + 40), (x + 110, y + 40))
    wait(page, "state.view.half < 3.2")
    touch(page, "touchEnd")
    assert script(page, "return state.view.half") == pytest.approx(2, rel=0.1)
    again = script(
        page, "return [fixed, latentOf({clientX: arguments[0], clientY: arguments[1]}, plane)]", x + 50, y + 40
    )
    assert again[1] == pytest.approx(again[0], abs=4 * per_pixel)  # what is between the fingers stays there
    assert script(page, "return state.pins.length") == 0
    touch(page, "touchStart", (x, y))
    assert script(page, "return touching.size") == 1
    touch(page, "touchCancel")
    wait(page, "touching.size === 0")
    assert box(page, "#small")["top"] >= 0  # in sight all the time
    assert find(page, "#small").is_displayed()
    np.testing.assert_array_equal(pixels(page, "#small"), pixels(page, "#decoded"))
    assert script(page, "return getComputedStyle(manifold).touchAction") == "auto"  # the page can be scrolled there


# ---- losses and questions


@needs_browser
def test_the_losses_are_those_of_all_runs(page, swept):
    summary = pd.read_csv(swept / "summary.csv")
    dots = script(
        page,
        "return [...document.querySelectorAll('#losses circle')].map((dot) => [dot.textContent,"
        " dot.getAttribute('class'), Number(dot.getAttribute('cx')), Number(dot.getAttribute('cy'))])",
    )
    places = {title: (x, y) for title, _, x, y in dots}
    kinds = {title: kind for title, kind, _, _ in dots}
    titles = [f"kl_weight {run.kl_weight:g}, seed {run.seed}" for run in summary.itertuples()]
    assert sorted(places) == sorted(titles)
    assert kinds == {
        title: "now" if title == "kl_weight 1, seed 0" else "same" if title == "kl_weight 1, seed 1" else "run"
        for title in titles
    }
    x, y = np.array([places[title] for title in titles]).T
    assert np.corrcoef(np.arcsinh(summary["rate"]), x)[0, 1] > 0.9999
    assert np.corrcoef(summary["distortion"], y)[0, 1] < -0.9999
    ticks = script(
        page,
        "return [...document.querySelectorAll('#losses text:not(.name)')].map((t) => [t.textContent,"
        " Number(t.getAttribute('x')), Number(t.getAttribute('y')), t.getAttribute('text-anchor')])",
    )
    slope, start = np.polyfit(np.arcsinh(summary["rate"]), x, 1)
    (one,) = (tick for tick in ticks if tick[0] == "1" and tick[3] == "middle")
    assert one[1] == pytest.approx(start + slope * np.arcsinh(1), abs=1)
    slope, start = np.polyfit(summary["distortion"], y, 1)
    heights = [tick for tick in ticks if tick[3] == "end"]
    assert len(heights) >= 3
    for text, _, at, _ in heights:
        assert at == pytest.approx(start + slope * float(text) + 4, abs=1)
    names = [name.text for name in page.find_elements(By.CSS_SELECTOR, "#losses .name")]
    assert {"kl_weight 1", "0", "4"} == set(names)


@needs_browser
def test_a_click_on_a_run_goes_to_its_weight_and_its_row(page, swept):
    summary = pd.read_csv(swept / "summary.csv")
    script(page, "document.querySelector('#losses').scrollIntoView({block: 'center'})")
    for kl_weight in (4, 1):
        (dot,) = (
            dot
            for dot in page.find_elements(By.CSS_SELECTOR, "#losses circle")
            if dot.get_attribute("textContent") == f"kl_weight {kl_weight}, seed 0"
        )
        webdriver.ActionChains(page).move_to_element(dot).click().perform()
        wait(page, f"document.body.dataset.weight === '{kl_weight}'")
        rows = dict(line.split(" ", 1) for line in find(page, "#row").text.splitlines())
        runs_there = summary[summary["kl_weight"] == kl_weight]
        assert list(rows) == list(explorer.MEASURES)
        for name, said in rows.items():
            mean, *spread = map(float, said.split(" ± "))
            assert mean == pytest.approx(runs_there[name].mean(), abs=0.00501)
            assert spread == ([] if kl_weight == 4 else [pytest.approx(runs_there[name].std(), abs=0.00501)])
    assert "Mean ± standard deviation over the seeds 0, 1." in find(page, ".losses").text


@needs_browser
def test_the_answers_are_the_numbers_of_the_results(page, swept):
    items = page.find_elements(By.CSS_SELECTOR, "#questions li")
    script(page, "document.querySelectorAll('#questions li > button').forEach((button) => button.click())")  # at once
    wait(page, "document.querySelectorAll('#questions .answer p').length === 6")
    answers = [item.find_element(By.CSS_SELECTOR, ".answer p").text for item in items]
    summary = pd.read_csv(swept / "summary.csv").groupby("kl_weight")
    table, spread = summary.mean(numeric_only=True), summary.std(numeric_only=True)
    best = table["negative_elbo"].idxmin()
    test_images = len(data.load_dataset("digits").test_images)
    vae, mean, _ = trained(swept, 0.0)
    middle = mean.mean(axis=0)
    radius = 3 * np.quantile(np.linalg.norm(mean - middle, axis=1), 0.99)
    far = middle + radius * np.exp(2j * np.pi * np.arange(5) / 5).view(float).reshape(5, 2)
    saturated = [100 * np.mean(np.abs(decode(vae, z.astype("float32")) - 0.5) > 0.49) for z in (far, mean)]

    def measured(name: str, *kl_weights: float) -> list[float]:
        pairs = [(table.loc[one, name], spread.loc[one, name]) for one in dict.fromkeys(kl_weights)]
        return [number for pair in pairs for number in pair if not np.isnan(number)]

    expected = [
        [*measured("mean_spread", 4), *measured("draw_spread", 4), 1],
        [*measured("mean_spread", 0), 100 * table.loc[0, "share_in_window"]],
        [saturated[0], 1, 0, 1, saturated[1], 99],
        measured("negative_elbo", best, 0, 4),
        [*measured("mutual_information", 0), *measured("rate", 0), np.log(test_images)],
        measured("prior_classes", 4, best),
    ]
    for answer, known in zip(answers, expected, strict=True):
        said = [float(number) for number in re.findall(r"\d+\.?\d*", re.sub(r"kl_weight [\d.]+(?<!\.)", "", answer))]
        tolerance = 0.51 if "%" in answer else 0.0501 if "judge" in answer else 0.00501
        np.testing.assert_allclose(said, known, atol=tolerance, err_msg=answer)
    assert answers[3].startswith(f"kl_weight {best:g}.")


@needs_browser
def test_an_answer_is_a_picture_of_its_weight_and_can_be_shown_in_the_plane(page, swept):
    find(page, "#legend button:nth-child(1)").click()
    table = pd.read_csv(swept / "summary.csv").groupby("kl_weight").mean(numeric_only=True)
    best = table["negative_elbo"].idxmin()
    shown_at = [4, 0, 0, best, 0, 4]
    fits = ["prior", "codes", "own", "prior", "codes", "prior"]
    for i, item in enumerate(page.find_elements(By.CSS_SELECTOR, "#questions li")):
        reveal = item.find_element(By.CSS_SELECTOR, "button")
        assert reveal.accessible_name == f"Reveal the answer: {item.find_element(By.TAG_NAME, 'p').text}"
        reveal.click()
        wait(page, f"document.querySelector('#answer-{i} p') !== null")
        present = shown_at[i - 1] if i else 1
        assert script(page, "return document.body.dataset.weight") == f"{present:g}"  # the plane stays
        canvases = item.find_elements(By.CSS_SELECTOR, ".answer canvas")
        assert len(canvases) == [2, 1, 1, 0, 0, 1][i]
        assert all(f"at kl_weight {shown_at[i]:g}" in canvas.accessible_name for canvas in canvases)
        item.find_element(By.CSS_SELECTOR, ".answer div button").click()
        wait(page, f"document.body.dataset.weight === '{shown_at[i]:g}'")
        wait(page, "document.activeElement === plane")
        view, codes_fit, dots = script(page, "return [state.view, fitCodes(now), state.dots]")
        assert view["fit"] == fits[i]
        assert dots == ("draws" if i == 0 else "means")
        canvas = f"#answer-{i} canvas"
        if fits[i] == "own":  # far outside the codes
            far = np.array(script(page, "return data.questions[2].points.flat().map((z) => toPlane(now, z))"))
            assert (np.abs(far - view["middle"]) < view["half"]).all()
            assert (np.abs(far - view["middle"]) > 0.9 * view["half"]).any()
            assert script(page, "return state.point") == pytest.approx(far[0])
            assert pixels(page, canvas).shape[:2] == (28, 5 * 28)
        else:
            assert view == (codes_fit if fits[i] == "codes" else {"fit": "prior", "middle": [0, 0], "half": 4})
        assert box(page, "#plane")["top"] >= 0
        if i < 2:
            color = script(page, "return classColors()[0]")  # hidden in the plane, not in the answer
            rgb = [int(color[j : j + 2], 16) for j in (1, 3, 5)]
            assert np.all(pixels(page, canvas)[..., :3] == rgb, axis=-1).any()
        elif i == 5:
            z = script(page, "return [[2, 2], [-1, -2]].map((z) => toPlane(now, z))")
            np.testing.assert_allclose(greys(page, canvas, 0, 4), decoded(page, z[0]), atol=0.51 / 255)
            np.testing.assert_allclose(greys(page, canvas, 4, 1), decoded(page, z[1]), atol=0.51 / 255)
        reveal.click()
        assert item.find_element(By.CSS_SELECTOR, ".answer").text == ""
        assert reveal.text == "Reveal"


@needs_browser
def test_the_bars_of_an_answer_show_it(page, swept):
    table = pd.read_csv(swept / "summary.csv").groupby("kl_weight").mean(numeric_only=True)
    script(page, "document.querySelectorAll('#questions li > button').forEach((button) => button.click())")
    wait(page, "document.querySelectorAll('.bars').length === 2")
    shown = script(
        page,
        "return [...document.querySelectorAll('.bars')].map((bars) => [...bars.querySelectorAll('dd')].map((bar) =>"
        " [bar.previousSibling.textContent, Number(bar.textContent), bar.className, bar.firstChild.offsetWidth]))",
    )
    elbos, rates = shown
    assert [float(name) for name, *_ in elbos] == list(table.index)
    rest = table.loc[0, "rate"] - table.loc[0, "mutual_information"]
    for bars, known in ((elbos, table["negative_elbo"]), (rates, [table.loc[0, "mutual_information"], rest])):
        np.testing.assert_allclose([value for _, value, *_ in bars], known, atol=0.00501)
        widths = np.array([width for *_, width in bars])
        np.testing.assert_allclose(widths / widths.max(), known / np.max(known), atol=0.02)
    marked = [float(name) for name, _, kind, _ in elbos if kind == "marked"]
    assert marked == [table["negative_elbo"].idxmin()]


# ---- layout


SIZES = [
    (320, 640),
    (360, 740),
    (740, 360),
    (900, 700),
    (1100, 800),
    (1280, 600),
    (1366, 650),
    (1400, 900),
    (1920, 950),
]


@needs_browser
@pytest.mark.parametrize(("width", "height"), SIZES)
def test_the_layout_holds(browser, swept, width, height):
    for scheme in ("light", "dark"):
        open_page(browser, swept / "explorer.html", width, height, scheme)
        height = script(browser, "return innerHeight")  # no window is as low as the lowest
        script(browser, "document.querySelectorAll('#questions li > button').forEach((button) => button.click())")
        wait(browser, "document.querySelectorAll('#questions .answer p').length === 6")
        script(browser, "change({pins: [[-1, 1], [1, -1]]})")
        assert script(browser, "return document.documentElement.scrollWidth <= innerWidth")
        boxes = script(
            browser,
            "return [...document.querySelectorAll('main > section')].map((s) => s.getBoundingClientRect().toJSON())",
        )
        assert len(boxes) == 6
        for i, one in enumerate(boxes):
            assert one["left"] >= 0
            assert one["right"] <= width
            for other in boxes[:i]:
                apart = one["left"] >= other["right"] - 1 or other["left"] >= one["right"] - 1
                assert apart or one["top"] >= other["bottom"] - 1 or other["top"] >= one["bottom"] - 1
        overflowing = script(
            browser,
            "return [...document.querySelectorAll('main section *')].filter((e) => e.scrollWidth > e.clientWidth + 1"
            " && getComputedStyle(e).display !== 'inline' && !e.closest('svg, .spoken')).map((e) => e.outerHTML)",
        )
        assert overflowing == []
        script(browser, "plane.focus({preventScroll: true}); plane.scrollIntoView({block: 'nearest'})")
        plane, bar = box(browser, "#plane"), box(browser, ".weight")
        if height > 400:  # on a phone on its side there is no room for both
            assert plane["bottom"] <= height
            assert plane["top"] >= bar["bottom"] - 1
        if width >= 1100:  # all three are in sight without scrolling
            script(browser, "scrollTo(0, 0)")
            for part in ("#plane", "#decoded", ".frame", *(["#strip", "#fit-codes"] if height >= 950 else [])):
                assert box(browser, part)["bottom"] <= height, part
        screenshot(browser, SCREENSHOTS / f"explorer_{width}_{scheme}.png")


@needs_browser
def test_another_colour_scheme_is_drawn_at_once(browser, swept):
    open_page(browser, swept / "explorer.html")
    find(browser, "#questions li > button").click()
    wait(browser, "document.querySelector('.answer canvas') !== null")
    bright = (
        "((c) => c.getContext('2d').getImageData(0, 0, c.width, c.height).data"
        ".filter((value, i) => i % 4 === 0 && value > 200).length)(document.querySelector('{}'))"
    )
    names = ("#plane", ".answer canvas")
    light = [pixels(browser, name) for name in names]
    count = bright.replace("{}", "#plane")
    before = script(browser, f"return {count}")
    use_scheme(browser, "dark")
    wait(browser, f"{count} > {before} + 100")  # rings and numbers are white now
    for name, old in zip(names, light, strict=True):
        assert np.any(pixels(browser, name) != old, axis=-1).sum() > 100


@needs_browser
def test_markup_in_names_is_text(browser, swept, tmp_path, monkeypatch):
    names = ("<b>0</b>", "</script><script>document.title='broken'</script>", *"23456789")
    named = replace(data.SOURCES["digits"], class_names=names, description="<i>digits</i>")
    monkeypatch.setitem(data.SOURCES, "digits", named)
    shutil.copytree(swept / "kl_01.00_seed0", tmp_path / "run")
    runs.write_dataset(tmp_path / "run", data.load_dataset("digits"))
    runs.update_record(tmp_path / "run", 1.0)
    explorer.write_explorer(tmp_path / "run")
    open_page(browser, tmp_path / "run" / "explorer.html")
    legend = [button.text for button in browser.find_elements(By.CSS_SELECTOR, "#legend button")]
    assert legend[:2] == list(names[:2])
    assert browser.title == "Latent space explorer: digits"
    assert "<i>digits</i>" in find(browser, "header p:not(.missing)").text


# ---- what it is made from


def test_a_sweep_with_runs_missing_shows_the_others_and_says_which(swept, tmp_path):
    folder = tmp_path / "sweep"
    shutil.copytree(swept, folder)
    (folder / "kl_00.00_seed0" / "record.json").unlink()
    shutil.move(folder / "kl_04.00_seed0", folder / "failed" / "kl_04.00_seed0")
    (folder / "kl_01.00_seed0" / "model.weights.h5").unlink()
    page = explorer.explorer_page(folder)
    assert "Not in this page: kl_04.00_seed0 failed; kl_00.00_seed0: record.json is missing." in page
    content = content_of(page)
    assert [(panel["kl_weight"], panel["seed"]) for panel in content["weights"]] == [(1, 1)]  # the seed that is whole
    (folder / "kl_01.00_seed1" / "latent.npz").unlink()
    with pytest.raises(InputError, match=r"kl_weight 1 without latent.npz and .*: run the sweep on this machine first"):
        explorer.explorer_page(folder)


def test_one_run_makes_a_page_of_one_weight(swept, monkeypatch):
    monkeypatch.chdir(swept / "kl_01.00_seed1")
    page = explorer.explorer_page(Path())
    content = content_of(page)
    assert [(panel["kl_weight"], panel["seed"]) for panel in content["weights"]] == [(1, 1)]
    assert [run["seed"] for run in content["runs"]] == [1]
    assert {asked["kl_weight"] for asked in content["questions"]} == {1}
    assert not any("Which weight" in asked["question"] for asked in content["questions"])


def test_a_run_in_a_folder_of_any_name_is_shown_and_its_neighbours_are_not_looked_at(swept, tmp_path):
    shutil.copytree(swept / "kl_04.00_seed0", tmp_path / "out")
    shutil.copytree(swept / "kl_01.00_seed0", tmp_path / "kl_01.00_seed0")
    content = content_of(explorer.explorer_page(tmp_path / "out"))
    assert [run["kl_weight"] for run in content["runs"]] == [4]
    assert command.main([str(tmp_path / "out")]) == 0
    assert (tmp_path / "out" / "explorer.html").exists()


def test_runs_of_another_notebook_are_refused_with_a_reason(swept, tmp_path):
    folder = tmp_path / "kl_01.00_seed0"
    shutil.copytree(swept / "kl_01.00_seed0", folder)
    runs.write_json(folder / "record.json", runs.read_json(folder / "record.json") | {"notebook": "dense_vae_fashion"})
    with pytest.raises(InputError, match="the explorer shows runs of train_vae"):
        explorer.explorer_page(tmp_path)


def test_other_decoders_are_refused_with_a_reason(tmp_path):
    models = {
        "this model has 3 latent dimensions": (dense_encoder((8,), 3), dense_decoder((8,), 3)),
        "decodes with two dense layers; this decoder has others": (conv_encoder(), conv_decoder()),
    }
    for reason, (encoder, decoder) in models.items():
        vae = VAE(encoder, decoder, 1.0, 0)
        vae(np.zeros((1, 28, 28, 1)))  # builds it
        vae.save_weights(tmp_path / "model.weights.h5")
        with pytest.raises(InputError, match=reason):
            read_decoder(tmp_path)


def test_the_notebook_shows_the_same_page(swept, tmp_path):
    notebook = runs.PROJECT / "notebooks" / "explore.ipynb"
    execute_notebook(notebook, tmp_path / "out.ipynb", {"sweep_dir": str(swept)}, cwd=tmp_path)
    cells = nbformat.read(tmp_path / "out.ipynb", nbformat.NO_CONVERT).cells
    (shown,) = [output.data["text/html"] for cell in cells for output in cell.get("outputs", [])]
    page = html.unescape(re.search(r'srcdoc="(.*?)"', shown, re.DOTALL)[1])
    assert page == explorer.explorer_page(swept)
    with pytest.raises(papermill.PapermillExecutionError) as caught:
        execute_notebook(notebook, tmp_path / "bad.ipynb", {"sweep_dir": str(tmp_path)}, cwd=tmp_path)
    assert len(caught.value.traceback) == 1
    assert "has no finished run" in caught.value.traceback[0]


@pytest.mark.parametrize(
    ("name", "reason"), [(".", "has no finished run"), ("none", "is not there"), ("file", "is a file")]
)
def test_a_wrong_folder_is_one_line(tmp_path, capsys, name, reason):
    (tmp_path / "file").write_text("")
    assert command.main([str(tmp_path / name)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"explorer: {tmp_path / name} {reason}: give the folder of a sweep")


def test_a_page_that_cannot_be_written_is_one_line(swept, tmp_path, capsys):
    folder = tmp_path / "sweep"
    shutil.copytree(swept, folder)
    (folder / "explorer.html").unlink()
    (folder / "explorer.html").mkdir()
    assert command.main([str(folder)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "Is a directory" in line


def test_the_published_explorer_is_of_the_published_runs():
    page = (SWEEPS / "mnist" / "explorer.html").read_text()
    assert len(page) < 10e6
    for row in pd.read_csv(SWEEPS / "mnist" / "summary.csv").itertuples():
        assert f'"kl_weight": {row.kl_weight}, "seed": {row.seed}, "rate": {row.rate}' in page
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    assert [explorer._digest(script) in page for script in scripts] == [True]  # the policy lets it run
