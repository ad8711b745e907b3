"""The one network in the page: it computes what Keras does, and the slider has every weight."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.browser import find, needs_browser, script, wait
from tests.explorer.axe import findings
from tests.explorer.browser import open_page, readout
from tests.explorer.made_network import CURVE, KNOTS, WEIGHTS, made_sweep
from tests.explorer.pages import content_of, greys, start_again
from vae_core.explorer import page as explorer
from vae_core.explorer.network import BITS, encoded, network_of, rounding
from vae_core.network_file import ARRAYS, read_network

CHECKED = 200


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The folder of a sweep with a network and its explorer, and the network."""
    sweep_dir = tmp_path_factory.mktemp("sweep")
    vae = made_sweep(sweep_dir)
    explorer.write_explorer(sweep_dir)
    return sweep_dir, vae


@pytest.fixture
def page(browser, made):
    browser.get_log("browser")
    page = made[0] / "explorer.html"
    if browser.current_url.partition("#")[0] != page.as_uri():
        open_page(browser, page)
    else:
        start_again(browser)
    yield browser
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []


def go(browser, **patch) -> bool:
    return browser.execute_async_script("const [patch, done] = arguments; go(patch).then(done)", patch)


def as_stored(images: np.ndarray) -> np.ndarray:
    return np.round(explorer.EXACT * images) / explorer.EXACT


# ---- without a browser


def test_numpy_computes_what_keras_does(made, digits):
    sweep_dir, vae = made
    images = digits.test_images[:20]
    for kl_weight in (0.1, 0.33, 3, 20):
        known = vae.encoder([images, np.full(20, kl_weight)])
        found = encoded(read_network(sweep_dir), images.reshape(20, -1), kl_weight)
        for ours, keras in zip(found, known, strict=True):
            np.testing.assert_allclose(ours, keras, atol=1e-5)


def test_the_page_holds_the_network_and_says_how_exactly(made, digits):
    sweep_dir, _ = made
    page = (sweep_dir / "explorer.html").read_text()
    data, arrays = content_of(page), content_of(page, "network")
    assert (data["network"]["least"], data["network"]["most"]) == (KNOTS[0], KNOTS[-1])
    assert [row["kl_weight"] for row in data["network"]["curve"]] == list(CURVE["kl_weight"])
    assert arrays["knots"] == list(KNOTS)
    codes, pixels = rounding(read_network(sweep_dir), digits.test_images.reshape(len(digits.test_images), -1), [0.3, 3])
    assert 0 < codes < 1e-3
    assert 0 < pixels < 1 / 255
    assert f"The one network has {BITS['encoder']} bits in its encoder" in page


def test_a_network_that_cannot_be_shown_is_named(made, digits, tmp_path):
    sweep_dir, _ = made
    assert network_of(tmp_path, "bernoulli", digits) == (None, [])
    for likelihood, test in (("gaussian", digits), ("bernoulli", tiny(digits))):
        network, (why,) = network_of(sweep_dir, likelihood, test)
        assert network is None
        assert why.startswith("the one network, which has other images")
    whole = (sweep_dir / ARRAYS).read_bytes()
    try:
        (sweep_dir / ARRAYS).write_bytes(whole[:1000])
        content = explorer.explorer_page(sweep_dir)
    finally:
        (sweep_dir / ARRAYS).write_bytes(whole)
    assert "is damaged: make the network again" in content
    assert content_of(content)["network"] is None
    assert 'id="network"' not in content


def tiny(dataset):
    return replace(dataset, test_images=dataset.test_images[:, :9])


# ---- in the browser


@needs_browser
def test_the_page_computes_what_keras_does(page, made, digits):
    _, vae = made
    images = as_stored(digits.test_images[:CHECKED])
    z = np.random.default_rng(0).normal(0, 1.5, (CHECKED, 2)).astype(np.float32)
    for kl_weight in (0.1, 0.24, 1, 2.5, 17.3, 20):  # 1 is that of a run; the ends
        *codes, pixels = page.execute_async_script(
            "const [weight, points, done] = arguments; networkModelAt(weight).then((model) => done("
            "[...[model.mean, model.log_var].map((all) => Array.from(all)),"
            " points.map((z) => Array.from(decode(model, ...z)))]))",
            *(kl_weight, z.tolist()),
        )
        weights = np.full(CHECKED, kl_weight, np.float32)
        for ours, keras in zip(codes, vae.encoder([images, weights]), strict=True):
            np.testing.assert_allclose(np.reshape(ours, (-1, 2))[:CHECKED], keras, atol=1e-3)
        known = expit(np.reshape(vae.decoder([z, weights]), (CHECKED, -1)))
        assert np.std(known) > 0.2
        np.testing.assert_allclose(pixels, known, atol=1 / 255)


@needs_browser
def test_the_slider_goes_between_the_runs_and_says_who_decodes(page):
    slider, said = find(page, "#weight"), []
    for key, weight in ((Keys.ARROW_RIGHT, 1.07), (Keys.PAGE_UP, 4), (Keys.ARROW_LEFT, 3.73), (Keys.PAGE_DOWN, 1)):
        slider.send_keys(key)
        wait(page, f"document.body.dataset.weight === '{weight}'")
        said.append(find(page, "#collapse").text.split(". ")[0])
        assert slider.get_attribute("aria-valuetext").startswith(said[-1])
        assert find(page, "#weight-value").text == str(weight)
    assert said == ["The one network at 1.07", "A run trained at 4", "The one network at 3.73", "A run trained at 1"]
    slider.send_keys(Keys.END)
    wait(page, "now.kl_weight === 20 && Boolean(now.encode)")  # the end of the network, beyond the runs
    slider.send_keys(Keys.ARROW_RIGHT)
    slider.send_keys(Keys.HOME)
    wait(page, "now.kl_weight === 0")
    slider.send_keys(Keys.ARROW_RIGHT)  # over the weights that the network was not trained for
    wait(page, "now.kl_weight === 0.1")
    assert len(page.find_elements(By.CSS_SELECTOR, "#marks i")) == len(WEIGHTS)


@needs_browser
def test_where_the_network_does_not_reach_the_slider_takes_the_nearest_stop(page):
    move = "slider.value = arguments[0]; slider.dispatchEvent(new Event('input'))"
    for position, weight in ((0.45, 0), (0.55, 0.1), (2, 0.5)):
        script(page, move, position)
        wait(page, f"now.kl_weight === {weight}")


@needs_browser
def test_a_link_may_have_any_weight_of_the_network(browser, made):
    open_page(browser, made[0] / "explorer.html", fragment="weight=7.3&beside=2.2")
    assert script(browser, "return [state.weight, now.kl_weight]") == [7.3, 7.3]
    assert script(browser, "return [state.beside, other.kl_weight]") == [2.2, 2.2]
    assert find(browser, "#failure").text == ""
    assert find(browser, "#beside option:checked").text == "kl_weight 2.2"
    assert script(browser, "return address()") == "#weight=7.3&beside=2.2"
    for beyond in ("0.05", "21"):
        script(browser, "fail(''); location.hash = arguments[0]", f"weight={beyond}")
        wait(browser, "element('failure').textContent !== ''")
        assert f"weight={beyond}" in find(browser, "#failure").text


@needs_browser
def test_the_measures_of_an_image_and_of_the_weight_are_those_of_the_network(page, made, digits):
    sweep_dir, _ = made
    assert go(page, weight=2.5, image=11)
    network, image = read_network(sweep_dir), as_stored(digits.test_images[11].reshape(1, -1))
    mean, log_var = encoded(network, image, 2.5)
    noise = np.reshape(script(page, "return Array.from(drawNoise)"), (-1, 2))
    z = mean + np.exp(log_var / 2) * noise
    layers = network.at(2.5)
    h = np.maximum(z @ layers["decoder.hidden"][0] + layers["decoder.hidden"][1], 0)
    outputs = h @ layers["decoder.pixels"][0] + layers["decoder.pixels"][1]
    distortion = np.mean(np.sum(np.logaddexp(0, outputs) - image * outputs, axis=1))
    rate = 0.5 * np.sum(np.exp(log_var) + mean**2 - 1 - log_var)
    shown = script(page, "return [distortionOf(now, 11), rateOf(now, 11)]")
    np.testing.assert_allclose(shown, [distortion, rate], rtol=2e-3)
    assert float(readout(page)["its distortion"].split()[0]) == pytest.approx(distortion, rel=2e-3)
    share = np.log(2.5) / np.log(20)
    row = dict(line.text.rsplit(" ", 1) for line in page.find_elements(By.CSS_SELECTOR, "#row tr"))
    assert float(row["distortion"]) == pytest.approx(120 + 40 * share, abs=0.01)
    assert float(row["rate"]) == pytest.approx(5 - 4.5 * share, abs=0.01)
    assert "interpolated" in find(page, "#losses-help").text


@needs_browser
def test_playing_goes_through_the_network_from_run_to_run(page):
    find(page, "#play").click()
    wait(page, "now.kl_weight > 1.2 && Boolean(now.encode)")
    find(page, "#play").click()
    assert find(page, "#play").text == "Play"


@needs_browser
def test_a_damaged_network_is_told_and_the_runs_work(browser, made, tmp_path):
    whole = (made[0] / "explorer.html").read_text()
    start = whole.index('"packed": "', whole.index('id="network"')) + 20
    damaged = tmp_path / "damaged.html"
    damaged.write_text(whole[:start] + ("A" if whole[start] != "A" else "B") + whole[start + 1 :])
    open_page(browser, damaged)
    find(browser, "#draw").click()
    wait(browser, "element('failure').textContent.startsWith('The data of the one network are damaged')")
    assert find(browser, "#readout").is_displayed()
    assert not go(browser, weight=2.5)
    assert find(browser, "#failure").text.startswith("The data of kl_weight 2.5 are damaged")
    assert go(browser, weight=4)
    assert find(browser, "#weight-value").text == "4"


# ---- an image of one's own


def draw_line(browser) -> None:
    canvas = find(browser, "#sketch canvas")
    hand = webdriver.ActionChains(browser, duration=20)
    hand.move_to_element_with_offset(canvas, -40, -50).click_and_hold()
    hand.move_to_element_with_offset(canvas, 30, -20).move_to_element_with_offset(canvas, -20, 60).release().perform()
    wait(browser, "state.own !== null && curve.length === PATH")


@pytest.fixture
def drawing(page):
    """The page with the panel open and a line drawn, at the weight 1, which a run has."""
    find(page, "#draw").click()
    wait(page, "stations.length === PATH")
    draw_line(page)
    yield page
    script(page, "element('sketch').querySelector('button:nth-child(2)').click(); takeOwn(null); leaveDrawing()")
    wait(page, "state.own === null && drawn === null")
    script(page, "curve = []")


def own_code(browser, vae, kl_weight: float) -> tuple[np.ndarray, np.ndarray]:
    """Mean and log-variance of what was drawn, by Keras."""
    image = np.reshape(script(browser, "return Array.from(state.own)"), (1, 28, 28, 1))
    return tuple(np.asarray(part)[0] for part in vae.encoder([image, np.full(1, kl_weight)]))


@needs_browser
def test_a_drawing_is_encoded_as_keras_does_and_the_network_decodes(drawing, made):
    _, vae = made
    for kl_weight in (1, 2.5):
        assert go(drawing, weight=kl_weight)
        mean, log_var = own_code(drawing, vae, kl_weight)
        found = script(drawing, "return codeIn(now.encode(state.own))")
        np.testing.assert_allclose(found, [mean, np.exp(log_var / 2)], atol=1e-3)
        said = dict(zip(*(texts_of(drawing, f"#own-readout {tag}") for tag in ("dt", "dd")), strict=True))
        rate = 0.5 * np.sum(np.exp(log_var) + mean**2 - 1 - log_var)
        assert float(said["rate"].split()[0]) == pytest.approx(rate, rel=0.01)
        elbo = sum(float(said[name].split()[0]) for name in ("distortion", "rate"))
        assert float(said["negative ELBO"].split()[0]) == pytest.approx(elbo, rel=1e-3)
        pixels = expit(np.reshape(vae.decoder([mean[None], np.full(1, kl_weight)]), -1))
        np.testing.assert_allclose(greys(drawing, "#own-reconstruction"), pixels, atol=1.01 / 255)
        assert find(drawing, "#collapse").text.startswith(f"The one network at {kl_weight}.")


@needs_browser
def test_the_path_and_the_curve_go_over_all_weights(drawing, made):
    _, vae = made
    weights, path, curve = script(drawing, "return [stations.map(({ weight }) => weight), pathOf(state.own), curve]")
    np.testing.assert_allclose(weights, np.geomspace(KNOTS[0], KNOTS[-1], len(weights)))
    turn = np.array(script(drawing, "return NETWORK.turn"))
    for i in (0, 17, len(weights) - 1):
        mean, log_var = own_code(drawing, vae, weights[i])
        np.testing.assert_allclose(path[i], turn @ mean, atol=1e-3)
        rate = 0.5 * np.sum(np.exp(log_var) + mean**2 - 1 - log_var)
        assert curve[i]["rate"] == pytest.approx(rate, abs=0.01)
        assert curve[i]["elbo"] == pytest.approx(curve[i]["distortion"] + curve[i]["rate"])
    assert len(drawing.find_elements(By.CSS_SELECTOR, "#own-curve polyline")) == 3


@needs_browser
def test_beyond_the_network_and_with_nothing_drawn_the_page_says_so_and_goes_on(drawing):
    assert go(drawing, weight=0)
    assert find(drawing, "#own-problem").text.startswith("The one network encodes your image at weights from 0.1 to 20")
    assert script(drawing, "return [now.kl_weight, Boolean(now.encode)]") == [0, False]
    assert go(drawing, weight=2)
    assert find(drawing, "#own-problem").text == ""
    find(drawing, "#sketch .buttons button:nth-child(2)").click()
    wait(drawing, "state.own === null")
    assert find(drawing, "#sketch .problem").text.startswith("Nothing is drawn")
    assert script(drawing, "return Array.from(document.querySelectorAll('.own-found'), (part) => part.hidden)") == [
        True,
        True,
    ]
    draw_line(drawing)
    assert find(drawing, "#own-readout").text != ""


@needs_browser
def test_without_the_panel_the_run_decodes_again_and_the_drawing_is_kept(drawing):
    assert script(drawing, "return Boolean(now.encode)")
    find(drawing, "#draw").click()
    wait(drawing, "state.own === null && !now.encode")
    assert find(drawing, "#collapse").text.startswith("A run trained at 1.")
    assert find(drawing, "#readout").is_displayed()
    find(drawing, "#draw").click()
    wait(drawing, "state.own !== null && Boolean(now.encode)")


@needs_browser
def test_a_test_image_lands_on_its_code(drawing):
    find(drawing, "#sketch label + button, #sketch .buttons:last-of-type button").click()
    wait(drawing, "state.own.every((value, i) => value === originalOf(0)[i])")
    code, known = script(drawing, "return [codeIn(now.encode(state.own))[0], codeOf(now, 0)]")
    np.testing.assert_allclose(code, known, atol=1e-5)


@needs_browser
def test_axe_finds_nothing_where_an_image_is_drawn(drawing):
    assert findings(drawing) == []


def texts_of(browser, selector: str) -> list[str]:
    return [found.text for found in browser.find_elements(By.CSS_SELECTOR, selector)]
