"""What the page is made of, without a browser: turned planes, readable colours, texts, packed numbers."""

import re
import string
import zlib

import numpy as np
import pytest
from scipy.linalg import orthogonal_procrustes

from tests.explorer.pages import content_of
from tests.explorer.untrained import SETTINGS, own_images, untrained_run
from vae_core import runs
from vae_core.collapse import law
from vae_core.data import load_dataset
from vae_core.explorer import page as explorer
from vae_core.explorer.alignment import likeness, turns, turns_with_network
from vae_core.explorer.colors import PAPERS, contrast, readable
from vae_core.explorer.packing import as_text, element, packed, unpacked
from vae_core.explorer.texts import ENGLISH
from vae_core.figures.style import CLASS_COLORS, ONE_COLOR

FOLDER = runs.PACKAGE / "explorer"


# ---- turned planes


def rotation(angle: float, mirrored: bool) -> np.ndarray:
    flip = np.diag([1, -1 if mirrored else 1])
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) @ flip


def test_planes_that_differ_by_a_turn_are_drawn_alike(rng):
    codes = rng.normal(size=(200, 2)) * (3, 1)
    hidden = [rotation(2.1, True), np.eye(2), rotation(0.4, False), rotation(-1, True)]
    found = turns([codes @ turn for turn in hidden], still=1)
    np.testing.assert_array_equal(found[1], np.eye(2))
    for turn, one in zip(hidden, found, strict=True):
        np.testing.assert_allclose(codes @ turn @ one.T, codes, atol=1e-9)
        np.testing.assert_allclose(one @ one.T, np.eye(2), atol=1e-12)


def test_each_plane_is_turned_to_its_neighbour_as_scipy_does_it(rng):
    codes = [rng.normal(size=(50, 2)).astype("float32") for _ in range(4)]
    found = turns(codes, still=2)
    for index, neighbour in ((3, 2), (1, 2), (0, 1)):
        known, _ = orthogonal_procrustes(codes[index], codes[neighbour] @ found[neighbour].T)
        np.testing.assert_allclose(found[index].T, known, atol=1e-6)


def test_with_a_network_each_run_is_turned_to_it_and_it_to_the_first_shown_run(rng):
    codes = rng.normal(size=(200, 2)) * (3, 1)
    of_network, hidden = rotation(0.7, True), [rotation(2.1, True), rotation(0.5, False), rotation(-1, True)]
    scales = (1, 0.7, 0.2)
    found, turn = turns_with_network(
        [codes @ one for one in hidden], [scale * codes @ of_network for scale in scales], still=1
    )
    np.testing.assert_array_equal(found[1], np.eye(2))
    for one, scale, back in zip(hidden, scales, found, strict=True):
        theirs = scale * codes @ of_network @ turn.T
        np.testing.assert_allclose(scale * codes @ one @ back.T, theirs, atol=1e-9)
        assert likeness(codes @ one, theirs, back) == pytest.approx(1)
    assert likeness(codes, rng.normal(size=(200, 2)), np.eye(2)) < 0.1  # laid out otherwise


# ---- colours


@pytest.mark.parametrize("paper", PAPERS.values())
def test_every_colour_of_a_class_can_be_told_from_the_page(paper):
    for color in (*CLASS_COLORS, ONE_COLOR, explorer.GREY):
        assert contrast(readable(color, paper), paper) >= 3
    assert len({readable(color, paper) for color in CLASS_COLORS}) == len(CLASS_COLORS)
    assert readable("#e76300", paper) == "#e76300"  # what is readable already stays as in the figures


def test_contrast_is_that_of_the_guidelines():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#ffffff", "#767676") == pytest.approx(4.54, abs=0.01)  # the well-known darkest grey that fails AAA


def test_the_papers_are_those_of_the_style():
    style = (FOLDER / "explorer.css").read_text()
    assert re.findall(r"--paper: (#\w{6})", style) == list(PAPERS.values())


# ---- texts


def test_every_text_of_the_table_is_used_and_every_text_that_is_used_is_there():
    scripts = set(explorer.SCRIPTS) - {"sketch.js"}  # which has a table of its own
    names = (*scripts, "explorer.html", "page.py", "questions.py", "tour.py")
    source = "\n".join((FOLDER / name).read_text() for name in names)
    words = set(re.findall(r"""["'`]([a-z_.]+)["'`]""", source))  # names, and what names are put together of
    asked = set(re.findall(r"""(?:\bt\[|\btext\(|ENGLISH\[)["']([^"']+)["']""", source))
    assert len(asked) > 40
    assert asked - set(ENGLISH) == set()
    # as text(`point.${name}`) and ENGLISH[f"tour.{name}"]
    templates = re.findall(r"\btext\(`([^`]+)`", source) + re.findall(r"""ENGLISH\[f"([^"]+)"\]""", source)
    patterns = [re.sub(r"\$?\{.*?\}", "([a-z_]+)", template).replace(".", r"\.") for template in templates]
    for name in set(ENGLISH) - words:
        found = [match for pattern in patterns if (match := re.fullmatch(pattern, name))]
        assert any(words.issuperset(match.groups()) for match in found), name


def test_what_is_filled_into_a_text_has_a_name():
    for name, said in ENGLISH.items():
        assert all(field is None or field.isidentifier() for _, field, _, _ in string.Formatter().parse(said)), name


# ---- packed numbers


def test_numbers_survive_packing(rng):
    values = rng.normal(size=(300, 7)) * np.geomspace(0.01, 100, 7)
    array = packed(values, 14)
    step = np.ptp(values, axis=0) / (2**14 - 1)
    assert (np.abs(unpacked(array) - values) <= 0.5001 * step).all()
    assert as_text(array)["rows"] == 300


def test_an_element_ends_where_it_should_and_has_the_checksum_of_its_text():
    made = str(element("one", {"name": "</script><b>"}))
    content = re.fullmatch(r'<script type="application/json" data-checksum="(\d+)" id="one">(.*)</script>', made)
    assert "<" not in content[2]
    assert int(content[1]) == zlib.crc32(content[2].encode())


# ---- weights of collapse


def test_weights_of_collapse_come_from_the_measures_and_for_older_runs_from_the_images(tmp_path):
    images = own_images(tmp_path / "discs.npz", (8, 8))
    untrained_run(tmp_path / "sweep", 1, images)
    known = law.predicted(load_dataset(images), SETTINGS, 2)
    found = explorer_data(tmp_path / "sweep")["collapse"]
    assert found == pytest.approx(known)
    assert known[0] > known[1] > 0
    folder = tmp_path / "sweep" / "kl_01.00_seed0"
    measures = runs.read_json(folder / "measures.json")
    runs.write_json(folder / "measures.json", measures | {"collapse_weight0": 12.5, "collapse_weight1": 3.25})
    runs.update_record(folder, 1.0)
    assert explorer_data(tmp_path / "sweep")["collapse"] == [12.5, 3.25]


def test_without_the_law_there_are_no_weights_of_collapse(tmp_path):
    untrained_run(tmp_path / "sweep", 1, own_images(tmp_path / "discs.npz", (8, 8)), free_bits=0.5)
    assert explorer_data(tmp_path / "sweep")["collapse"] == []


def explorer_data(sweep_dir) -> dict:
    return content_of(explorer.explorer_page(sweep_dir))
