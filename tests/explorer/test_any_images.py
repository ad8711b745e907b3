"""The explorer of any images and likelihoods: colour, not square, without labels, of many classes; what it refuses."""

import base64
import json
import re
import zlib
from pathlib import Path

import numpy as np
import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.browser import find, needs_browser, script, wait
from tests.explorer.browser import open_page, pixels, readout
from tests.explorer.pages import content_of
from tests.explorer.untrained import own_images, untrained_run
from vae_core import runs
from vae_core.data import load_dataset
from vae_core.errors import InputError
from vae_core.explorer import __main__ as command
from vae_core.explorer import page as explorer
from vae_core.explorer.colors import PAPERS, readable
from vae_core.explorer.decoder import Pixels, read_pixels
from vae_core.figures.classes import class_groups
from vae_core.latent import decode, draw, outputs
from vae_core.likelihoods import likelihood_of
from vae_core.report import collect
from vae_core.settings import CHOICES

SHAPE = (16, 12, 3)


def severe(browser) -> list[dict]:
    return [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]


@pytest.fixture(scope="module")
def colour(tmp_path_factory):
    """A sweep of two weights on colour images without labels, and the model at weight 1."""
    place = tmp_path_factory.mktemp("colour")
    images = own_images(place / "discs.npz", SHAPE)
    untrained_run(place / "sweep", 0.5, images)
    vae = untrained_run(place / "sweep", 1, images)
    explorer.write_explorer(place / "sweep")
    return place / "sweep", load_dataset(images), vae


@pytest.mark.parametrize("likelihood", CHOICES["likelihood"])
def test_pixels_are_those_of_the_likelihood(likelihood, rng):
    variance = 0.3 if "gaussian" in likelihood else 1.0
    known = likelihood_of(likelihood, variance)
    images = rng.uniform(size=(7, 4, 5, 1)).astype("float32")
    logits = (rng.normal(size=images.shape) * np.geomspace(1e-7, 200, 7)[:, None, None, None]).astype("float32")
    logits[:, 0, 0] = 0
    decoded = logits
    if likelihood == "gaussian_learned_variance":
        variance, decoded = 0.25, np.concatenate([logits, np.full_like(logits, np.log(0.25))], axis=-1)
    ours = Pixels(likelihood, variance)
    flat = images.reshape(7, -1), logits.reshape(7, -1)
    np.testing.assert_allclose(ours.mean(flat[1]), np.reshape(known.mean(decoded), (7, -1)), atol=2e-6)
    np.testing.assert_allclose(ours.nll(*flat), known.nll(images, decoded), rtol=1e-4, atol=1e-4)


@needs_browser
@pytest.mark.parametrize("likelihood", CHOICES["likelihood"])
def test_the_page_decodes_and_charges_as_the_model_does(browser, tmp_path, likelihood, rng):
    images = own_images(tmp_path / "discs.npz", SHAPE)
    variance = {"pixel_variance": 0.3} if likelihood == "gaussian" else {}
    vae = untrained_run(tmp_path / "sweep", 1, images, likelihood=likelihood, **variance)
    if likelihood == "gaussian_learned_variance":  # not where it starts
        vae.decoder.weights[-1].assign(-0.12)
        folder = tmp_path / "sweep" / "kl_01.00_seed0"
        vae.save_weights(folder / "model.weights.h5")
        learned = vae.likelihood.learned(vae.decoder)
        runs.write_json(folder / "measures.json", runs.read_json(folder / "measures.json") | learned)
        runs.update_record(folder, 1.0)
        assert read_pixels(folder).variance == pytest.approx(np.exp(-1.2), rel=1e-3)
    open_page(browser, explorer.write_explorer(tmp_path / "sweep"))
    z = rng.standard_normal((100, 2)).astype("float32")
    ours = np.array(script(browser, "return arguments[0].map((z) => Array.from(decode(now, ...z)))", z.tolist()))
    assert np.ptp(ours) > 0.8
    np.testing.assert_allclose(ours, decode(vae, z).reshape(100, -1), atol=1 / 255)
    test = load_dataset(images).test_images[...]
    latent = runs.read_latent(tmp_path / "sweep" / "kl_01.00_seed0")
    draws = draw(latent.mean, latent.log_var, rng, 20).astype("float32")
    known = np.array([vae.likelihood.nll(test, outputs(vae, one)) for one in draws], float)  # (20, N)
    charged = np.array(script(browser, "return Array.from(now.distortion)"))
    error = np.sqrt(known.var(axis=0).sum() * (1 / explorer.SAMPLES + 1 / 20)) / len(test)
    assert charged.mean() == pytest.approx(known.mean(), abs=4 * error)
    says_density = "of a density" in find(browser, "header p:not(.missing)").text
    assert says_density == (likelihood != "bernoulli")
    assert severe(browser) == []


@needs_browser
def test_colour_images_without_labels(browser, colour):
    sweep_dir, dataset, vae = colour
    browser.get_log("browser")
    open_page(browser, sweep_dir / "explorer.html")
    script(browser, "movePoint([0.7, -0.4])")
    wait(browser, "frame === 0")
    height, width, _ = SHAPE
    shown = pixels(browser, "#decoded")
    assert shown.shape == (height, width, 4)
    np.testing.assert_allclose(shown[..., :3] / 255, decode(vae, np.array([[0.7, -0.4]]))[0], atol=1.6 / 255)
    nearest = script(browser, "return nearestCode(now, labels, state.visible, state.point)[0]")
    original = pixels(browser, "#original")[..., :3] / 255
    assert np.abs(original - dataset.test_images[nearest]).max() <= 0.5 / explorer.GREYS + 1 / 255
    assert np.ptp(original, axis=-1).max() > 0.1
    assert "its class" not in readout(browser)
    assert browser.find_elements(By.ID, "legend") == []
    assert [
        question["question"] for question in script(browser, "return data.questions") if "classes" in str(question)
    ] == []
    dots = pixels(browser, "#plane")
    assert np.all(dots[..., :3] == (0x3F, 0x90, 0xDA), axis=-1).sum() > 100
    find(browser, "#plane").send_keys(Keys.ARROW_LEFT)
    wait(browser, "element('spoken').textContent.startsWith('0.')")
    assert "near" not in find(browser, "#spoken").text
    assert severe(browser) == []


@needs_browser
def test_the_manifold_of_images_that_are_not_square_covers_the_same_window(browser, colour):
    sweep_dir, _, vae = colour
    open_page(browser, sweep_dir / "explorer.html")
    script(browser, "setView(fitPrior()); drawManifold()")
    rows, columns = script(browser, "return [ROWS, COLUMNS]")
    wait(browser, f"Number(manifold.dataset.cells) === {rows * columns}")
    height, width, _ = SHAPE
    shown = pixels(browser, "#manifold")
    assert shown.shape[:2] == (rows * height, columns * width)
    assert rows * height == pytest.approx(columns * width, rel=0.05)  # no image is stretched in the square
    for row, column in ((0, 0), (rows - 1, 2), (5, columns - 1)):
        z = np.array([[8 * (column + 0.5) / columns - 4, 4 - 8 * (row + 0.5) / rows]])
        cell = shown[height * row : height * (row + 1), width * column : width * (column + 1), :3]
        np.testing.assert_allclose(cell / 255, decode(vae, z)[0], atol=1.6 / 255)


@needs_browser
def test_a_run_whose_codes_lie_far_from_the_prior_opens_at_its_codes(browser, colour):
    sweep_dir, _, _ = colour
    open_page(browser, sweep_dir / "explorer.html")
    mean = runs.read_latent(sweep_dir / "kl_01.00_seed0").mean
    assert np.mean(np.abs(mean).max(axis=1) > 4) > 0.5
    assert find(browser, "#outside").text == ""
    middle, half, point = script(browser, "return [state.view.middle, state.view.half, state.point]")
    np.testing.assert_allclose(middle, (mean.min(axis=0) + mean.max(axis=0)) / 2, atol=0.01 * half)
    assert point == pytest.approx(middle, abs=1e-5)


@needs_browser
def test_twenty_six_classes_look_as_in_the_figures_and_can_be_hidden(browser, tmp_path):
    images = own_images(tmp_path / "letters.npz", (16, 16), classes=26, count=2000)
    untrained_run(tmp_path / "sweep", 1, images)
    names = load_dataset(images).class_names
    page = explorer.write_explorer(tmp_path / "sweep")
    for width, height in ((1400, 900), (360, 740)):
        open_page(browser, page, width, height)
        assert script(browser, "return document.documentElement.scrollWidth <= innerWidth")
    legend = browser.find_elements(By.CSS_SELECTOR, "#legend [data-marker]")
    assert [button.text for button in legend] == list(names)
    colors, markers = script(browser, "return [classColors(), data.class_markers]")
    for rows, look in class_groups(np.arange(26), names):
        assert {markers[number] for number in np.flatnonzero(rows)} == {look["marker"]}
        expected = [readable(color, PAPERS["light"]) for color in look["c"]]
        assert [colors[number] for number in np.flatnonzero(rows)] == expected
    before = pixels(browser, "#plane")
    legend[12].click()
    changed = (pixels(browser, "#plane") != before).any(axis=-1)
    assert changed.any()
    labels, mean = script(browser, "return [Array.from(labels), Array.from(now.mean)]")
    middle, half, side = script(browser, "return [state.view.middle, state.view.half, plane.width]")
    codes = np.reshape(mean, (-1, 2))[np.array(labels) == 12]
    places = side / 2 * (1 + (codes - middle) / half * (1, -1))  # (n, 2), in pixels
    far = np.min(np.linalg.norm(np.argwhere(changed)[:, None, ::-1] - places, axis=-1), axis=1)
    assert far.max() < 7  # nothing but the markers of that class is gone
    assert load_dataset(images).test_labels.tolist() == labels


@needs_browser
def test_too_many_classes_to_colour_are_grey_with_a_note_and_keep_their_names(browser, tmp_path):
    images = own_images(tmp_path / "words.npz", (8, 8), classes=300, count=3200)
    untrained_run(tmp_path / "sweep", 1, images)
    open_page(browser, explorer.write_explorer(tmp_path / "sweep"))
    assert browser.find_elements(By.ID, "legend") == []
    assert "300 classes, too many to colour." in find(browser, ".plane").text
    assert set(script(browser, "return classColors()")) == {"#717581"}
    dataset = load_dataset(images)
    assert script(browser, "return Array.from(labels)") == dataset.test_labels.tolist()
    nearest = script(browser, "return nearestCode(now, labels, state.visible, state.point)[0]")
    assert readout(browser)["its class"] == dataset.class_names[dataset.test_labels[nearest]]


def test_black_and_white_images_are_those_that_the_run_was_tested_on(tmp_path):
    images = own_images(tmp_path / "discs.npz", (8, 8))
    for binarise in ("no", "threshold", "each_epoch"):
        untrained_run(tmp_path / binarise, 1, images, binarise=binarise)
        shown = explorer.explorer_page(tmp_path / binarise)
        levels = set(np.frombuffer(zlib.decompress(base64.b64decode(content_of(shown, "images")["images"])), "u1"))
        assert (levels == {0, explorer.GREYS}) == (binarise != "no")


def test_of_large_images_fewer_are_shown(tmp_path, monkeypatch):
    monkeypatch.setattr(explorer, "SHOWN", 100)
    untrained_run(tmp_path / "sweep", 1, own_images(tmp_path / "discs.npz", (32, 32, 3)))
    page = explorer.explorer_page(tmp_path / "sweep")
    room = 100 * 28 * 28 // (32 * 32 * 3)
    assert f": {room} of 30 test images;" in page
    assert content_of(page, "weight-0")["mean"]["rows"] == room == 25


# ---- what is refused


def test_a_page_that_is_too_large_is_refused_with_a_command_that_works(colour, monkeypatch, capsys, tmp_path):
    sweep_dir, _, _ = colour
    monkeypatch.chdir(tmp_path)
    page = explorer.explorer_page(sweep_dir)
    size = len(page)
    weights = sum(len(json.dumps(content_of(page, f"weight-{index}"))) for index in (0, 1))
    monkeypatch.setattr(explorer, "LARGEST", size - 0.7 * weights / 2)
    assert command.main([str(sweep_dir)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    asked = re.search(r"show 1 of its 2 weights, as with python -m vae_core.explorer (\S+) --kl-weights 0.5$", line)
    assert command.main([asked[1], "--kl-weights", "0.5"]) == 0
    said = capsys.readouterr().out
    assert said == f"{asked[1]}/explorer.html ({(sweep_dir / 'explorer.html').stat().st_size / 1e6:.1f} MB)\n"
    assert [panel["kl_weight"] for panel in content_of((sweep_dir / "explorer.html").read_text())["weights"]] == [0.5]
    monkeypatch.setattr(explorer, "LARGEST", 10_000)
    with pytest.raises(InputError, match=r"the page would have about 0 MB, .*: train with fewer hidden_units$"):
        explorer.explorer_page(sweep_dir)


def test_a_weight_that_no_run_has_is_refused(colour, capsys):
    assert command.main([str(colour[0]), "--kl-weights", "1", "3"]) == 2
    assert capsys.readouterr().err == "explorer: there is no finished run of kl_weight 3: choose from 0.5, 1\n"


@pytest.mark.parametrize("latent_dim", [1, 10])
def test_latent_spaces_that_are_no_plane_are_refused_in_one_line(tmp_path, capsys, latent_dim):
    untrained_run(tmp_path / "sweep", 1, own_images(tmp_path / "discs.npz", (8, 8)), latent_dim=latent_dim)
    capsys.readouterr()
    assert command.main([str(tmp_path / "sweep")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert (
        f"sweep: the explorer is a page for latent planes, and latent_dim is {latent_dim} here: traversals.png" in line
    )
    collect._write_explorer(tmp_path / "sweep")
    assert capsys.readouterr().err == line.replace("explorer:", "no new explorer.html:", 1) + "\n"
    assert not (tmp_path / "sweep" / "explorer.html").exists()


def test_images_that_have_changed_or_gone_are_told_in_one_line(tmp_path):
    images: Path = own_images(tmp_path / "discs.npz", (8, 8))
    untrained_run(tmp_path / "sweep", 1, images)
    own_images(images, (8, 8), count=301)
    with pytest.raises(InputError, match=r"discs.npz has other images now than the runs: bring the old ones back"):
        explorer.explorer_page(tmp_path / "sweep")
    images.unlink()
    with pytest.raises(InputError, match=r"discs.npz: there is no such file or folder"):
        explorer.explorer_page(tmp_path / "sweep")
