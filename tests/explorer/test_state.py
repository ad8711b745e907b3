"""What the page shows and keeps: a followed image and its q(z|x), the window, turned planes, the address."""

import numpy as np
import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.browser import find, needs_browser, script, wait
from tests.explorer.browser import open_page, pixels, readout
from tests.explorer.pages import box, chosen_images, content_of, greys, set_weight, trained
from vae_core.explorer import page as explorer
from vae_core.latent import decode

pytestmark = needs_browser


def marked(browser, selector: str = "#plane") -> np.ndarray:
    """Where a canvas has the colour of marks, in latent coordinates of its window: (N, 2)."""
    shown = pixels(browser, selector)
    there = np.all(np.abs(shown[..., :3] - (0xB3, 0x26, 0x1E)) < 6, axis=-1) & (shown[..., 3] > 250)
    rows, columns = np.nonzero(there)
    middle, half = script(browser, "return [state.view.middle, state.view.half]")
    side = len(shown)
    return np.stack([(columns + 0.5) / side * 2 - 1, 1 - (rows + 0.5) / side * 2], axis=1) * half + middle


# ---- a followed image


def test_an_image_is_followed_through_all_weights(page, swept):
    chosen = chosen_images()
    script(page, "hold(toPlane(now, codeOf(now, 7)))")
    find(page, "#follow").click()
    image = script(page, "return state.image")
    number = chosen[image]
    assert find(page, "#original-caption").text == f"followed: test image {number}"
    original = pixels(page, "#original")
    script(page, "hold([3, 3])")  # another image is nearer now
    for index, kl_weight in enumerate((0.0, 1.0, 4.0)):
        set_weight(page, index)
        vae, mean, log_var = trained(swept, kl_weight)
        np.testing.assert_array_equal(pixels(page, "#original"), original)
        known = decode(vae, mean[number : number + 1]).ravel()
        np.testing.assert_allclose(greys(page, "#reconstruction"), known, atol=1.01 / 255)
        spreads = [float(value) for value in readout(page)["its q(z|x), deviations"].split(", ")]
        np.testing.assert_allclose(spreads, np.exp(log_var[number] / 2), rtol=6e-3)
    assert find(page, "#follow").text == "Follow no image"
    find(page, "#follow").click()
    assert find(page, "#original-caption").text == "nearest test image"


@pytest.mark.parametrize("index", [1, 2])  # 1: not turned
def test_the_ellipses_are_one_and_two_deviations_to_scale(page, swept, index):
    set_weight(page, index)
    _, mean, log_var = trained(swept, (0.0, 1.0, 4.0)[index])
    image = int(np.argmax(log_var[chosen_images()].max(axis=1)))
    number = chosen_images()[image]
    script(page, "change({image: arguments[0], point: [1e3, 1e3], visible: state.visible.map(() => false)})", image)
    half = 3 * float(np.exp(log_var[number] / 2).max())
    center = script(page, "return toPlane(now, codeOf(now, state.image))")
    script(page, "setView({fit: 'own', middle: arguments[0], half: arguments[1]})", center, half)
    turn = np.array(script(page, "return now.turn"))
    assert np.allclose(turn, np.eye(2)) == (index == 1)
    z = marked(page) @ turn  # back to the run's coordinates
    radius = np.linalg.norm((z - mean[number]) / np.exp(log_var[number] / 2), axis=1)
    away = radius[radius > 0.5]  # not the dot in the middle
    assert len(away) > 300
    near_one, near_two = np.abs(away - 1) < 0.1, np.abs(away - 2) < 0.1
    assert (near_one | near_two).all()
    assert near_one.sum() > 100
    assert near_two.sum() > 100


def test_draws_stand_for_means(page, swept):
    set_weight(page, 2)
    _, mean, log_var = trained(swept, 4.0)
    mean, log_var = mean[chosen_images()], log_var[chosen_images()]
    find(page, "#draws").click()
    assert find(page, "#draws").get_attribute("aria-pressed") == "true"
    drawn = np.array(script(page, "return codesOn(now, state.dots).map((u) => toModel(now, u))"))
    noise = (drawn - mean) / np.exp(log_var / 2)
    assert abs(noise.mean()) < 4 / np.sqrt(noise.size)
    assert noise.std() == pytest.approx(1, abs=0.15)
    assert abs(np.corrcoef(noise.T)[0, 1]) < 0.3
    before = pixels(page, "#plane")
    find(page, "#draws").click()
    assert (pixels(page, "#plane") != before).any()


# ---- the window and the planes


def test_the_window_follows_the_codes_once_it_is_fitted_to_them(page):
    find(page, "#fit-codes").click()
    for index in (0, 2):
        set_weight(page, index)
        view, codes = script(page, "return [state.view, fitCodes(now)]")
        assert view == codes
    find(page, "#zoom-out").click()
    own = script(page, "return state.view")
    set_weight(page, 1)
    assert script(page, "return state.view") == own
    pressed = [find(page, f"#fit-{name}").get_attribute("aria-pressed") for name in ("codes", "prior")]
    assert pressed == ["false", "false"]


def test_a_window_in_which_the_codes_are_a_smudge_says_so(page):
    script(page, "setView({fit: 'own', middle: [0, 0], half: 20 * fitCodes(now).half})")
    said = find(page, "#outside").text
    assert said == "the codes fill 5% of this window's width: see Fit to codes"


def test_neighbouring_planes_are_turned_alike_and_the_page_says_so(page, swept):
    chosen = chosen_images()
    means = [trained(swept, kl_weight)[1][chosen] for kl_weight in (0.0, 1.0, 4.0)]
    turns = [np.array(weight["turn"]) for weight in content_of((swept / "explorer.html").read_text())["weights"]]
    shown = [mean @ turn.T for mean, turn in zip(means, turns, strict=True)]
    for one, other in ((0, 1), (2, 1)):
        least = min(
            np.sum((means[one] @ rotation - shown[other]) ** 2)
            for angle in np.linspace(0, 2 * np.pi, 721)
            for flip in (1, -1)
            for rotation in [np.array([[np.cos(angle), np.sin(angle)], [-flip * np.sin(angle), flip * np.cos(angle)]])]
        )
        assert np.sum((shown[one] - shown[other]) ** 2) <= least * (1 + 1e-9)
    assert find(page, "#turned").text == ""
    set_weight(page, 0)
    there = np.array(script(page, "return codesOn(now, 'means')"))
    np.testing.assert_allclose(there, shown[0], atol=1e-3 * np.ptp(shown[0]))
    mirrored = np.linalg.det(turns[0]) < 0
    assert find(page, "#turned").text == f"{'mirrored' if mirrored else 'turned'} to match its neighbour"
    u = [float(value.replace("\u2212", "-")) for value in readout(page)["u"].split(", ")]
    z = [float(value.replace("\u2212", "-")) for value in readout(page)["z"].split(", ")]
    np.testing.assert_allclose(z, np.array(u) @ turns[0], atol=0.01)


def test_one_class_alone_takes_two_clicks(page):
    none = find(page, "#legend").find_elements(By.CSS_SELECTOR, ".every")[1]
    none.click()
    find(page, "#legend button:nth-child(3)").click()
    assert script(page, "return state.visible.indexOf(true) === 2 && state.visible.lastIndexOf(true) === 2")
    find(page, "#legend .every").click()
    assert script(page, "return state.visible.every(Boolean)")


def test_the_wheel_with_ctrl_zooms_without_a_click(page):
    place = box(page, "#plane")
    where = {"clientX": int(place["x"]) + 30, "clientY": int(place["y"]) + 40, "ctrlKey": True}
    turn = "plane.dispatchEvent(new WheelEvent('wheel', {...arguments[0], deltaY: -200, cancelable: true}));"
    script(page, turn, where)
    assert script(page, "return [state.view.half, state.pins.length, state.held]") == [
        pytest.approx(4 / 1.0015**200),
        0,
        False,
    ]


def test_letters_of_pins_stand_inside_the_plane(page):
    script(page, "setView({fit: 'own', middle: [0, 0], half: 4}); change({visible: state.visible.map(() => false)})")
    for corner in ([3.95, 3.95], [-3.95, 3.95], [3.95, -3.95]):
        counts = []
        for pins in ([corner], [[0.5, 0.5]]):
            script(page, "change({pins: arguments[0], point: [1e3, 1e3]})", pins)
            counts.append(len(marked(page)))
        cross = 2 * 16 * 2  # pixels of the arms, of which the corner may hide three quarters
        assert counts[0] > counts[1] - cross


# ---- the address


def address(browser) -> str:
    script(browser, "remember()")
    return script(browser, "return location.hash")


def test_an_address_opens_the_page_as_it_was(page, swept):
    set_weight(page, 2)
    number = int(chosen_images()[9])
    script(page, "change({image: 9, dots: 'draws'}); hold([1.2, -0.4])")
    find(page, "#fit-codes").click()
    script(page, "return go({beside: 0}).then(() => null)")
    link = address(page)
    assert link == f"#weight=4&beside=0&z=1.2,-0.4&image={number}&window=codes&dots=draws"
    open_page(page, swept / "explorer.html", fragment=link[1:])
    state = script(page, "return state")
    kept = {"weight": 4, "beside": 0, "point": [1.2, -0.4], "held": True, "image": 9, "dots": "draws"}
    assert {name: state[name] for name in kept} == kept
    assert state["view"] == script(page, "return fitCodes(now)")
    assert address(page) == link
    script(page, "setView({fit: 'own', middle: [1, -2], half: 3.5})")
    assert "&window=1,-2,3.5" in address(page)


def test_the_address_of_the_issue_is_understood(browser, swept):
    open_page(browser, swept / "explorer.html", fragment="weight=4&z=1.2,-0.4")
    assert script(browser, "return [state.weight, state.point, state.held]") == [4, [1.2, -0.4], True]
    assert find(browser, "#failure").text == ""


def test_back_and_forward_go_through_what_was_shown(page):
    set_weight(page, 2)
    address(page)
    script(page, "hold([1, 1])")
    address(page)
    page.back()
    wait(page, "!state.held")
    assert script(page, "return state.weight") == 4
    page.back()
    wait(page, "now.kl_weight === 1")
    page.forward()
    wait(page, "now.kl_weight === 4")
    page.forward()
    wait(page, "state.held && state.point[0] === 1")


def test_a_broken_address_is_left_out_with_a_sentence(page):
    for broken in ("weight=3", "z=1,x", "z=1,1e9", "image=-1", "window=0,0,0", "toString=1", "dots=<b>"):
        script(page, "fail(''); location.hash = arguments[0]", f"{broken}&beside=4")
        wait(page, "element('failure').textContent !== ''")
        said = find(page, "#failure").text
        assert said.startswith("Not understood in the address, and left out: ")
        assert broken.partition("=")[0] in said
        assert script(page, "return [state.weight, state.held, state.image, state.view.half]") == [1, False, None, 4]
        assert script(page, "return state.beside") == 4  # what is understood is done
        assert find(page, "#failure").find_elements(By.CSS_SELECTOR, "*") == []


def test_moving_the_mouse_does_not_fill_the_history(page):
    before = script(page, "return history.length")
    for x in range(0, 60, 20):
        webdriver.ActionChains(page).move_to_element_with_offset(find(page, "#plane"), x, 10).perform()
    script(page, "remember()")
    assert script(page, "return [address(), history.length]") == ["#weight=1", before]


def test_neighbouring_weights_are_loaded_while_nothing_else_is_done(page):
    wait(page, "loaded.size === 3")
    assert script(page, "return [...loaded.keys()].sort((a, b) => a - b)") == [0, 1, 4]


def test_shift_and_arrows_keep_the_point_for_the_mouse(page):
    plane = find(page, "#plane")
    plane.send_keys(Keys.ARROW_RIGHT)
    point = script(page, "return state.point")
    webdriver.ActionChains(page).move_to_element_with_offset(plane, 50, 50).perform()
    assert script(page, "return state.point") == point


def test_the_log_variances_in_the_page_are_those_of_the_run(page, swept):
    for index, kl_weight in enumerate((0.0, 1.0, 4.0)):
        set_weight(page, index)
        known = trained(swept, kl_weight)[2][chosen_images()]
        ours = np.array(script(page, "return Array.from(now.log_var)")).reshape(-1, 2)
        assert np.abs(ours - known).max() <= 0.51 * np.ptp(known, axis=0).max() / (2**explorer.SPREAD_BITS - 1)
