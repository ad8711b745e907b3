import hashlib
import json

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.patches import Rectangle
from PIL import Image

from vae_core import runs
from vae_core.canvas import CLASS_COLORS, new_figure
from vae_core.errors import InputError

PARAMETERS = {
    "dataset": "digits",
    "kl_weight": 0.5,
    "epochs": 2,
    "batch_size": 128,
    "learning_rate": 1e-3,
    "hidden_units": 8,
    "seed": 0,
    "threads": 1,
}


@pytest.fixture
def finished(tmp_path):
    folder = runs.start_run(PARAMETERS, "abc", tmp_path / "kl_00.50_seed0")
    (folder / "history.csv").write_text("epoch\n1\n")
    (folder / "latent.npz").write_bytes(b"codes")
    runs.write_json(folder / "measures.json", {"rate": 1.5})
    runs.finish_run(folder, [3.0, 1.0, 1.0])
    return folder


@pytest.mark.parametrize(
    ("kl_weight", "seed", "name"),
    [
        (0, 0, "kl_00.00_seed0"),
        (0.5, 0, "kl_00.50_seed0"),
        (0.02, 3, "kl_00.02_seed3"),
        (20.0, 12, "kl_20.00_seed12"),
        (0.392, 0, "kl_00.392_seed0"),
        (1e-7, 0, "kl_00.0000001_seed0"),
        (1e20, 0, "kl_100000000000000000000.00_seed0"),
    ],
)
def test_run_names_lose_no_digit(kl_weight, seed, name):
    assert runs.run_name(kl_weight, seed) == name


def test_run_names_sort_by_weight():
    names = [runs.run_name(kl_weight, 0) for kl_weight in (0, 0.02, 0.1, 0.392, 0.5, 1, 2, 9.5, 10, 20, 99)]
    assert names == sorted(names)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("kl_weight", -0.1, "at least 0"),
        ("kl_weight", float("nan"), "finite number"),
        ("kl_weight", float("inf"), "finite number"),
        ("kl_weight", None, "finite number"),
        ("kl_weight", True, "finite number"),
        ("kl_weight", "half", "finite number"),
        ("learning_rate", "1e-3", "finite number"),
        ("epochs", 2.0, "whole number"),
        ("epochs", 0, "at least 1"),
        ("epochs", 2.5, "whole number"),
        ("batch_size", 0, "at least 1"),
        ("learning_rate", 0, "greater than 0"),
        ("hidden_units", 0, "at least 1"),
        ("seed", -1, "at least 0"),
        ("seed", 2**32, "at most 4294967295"),
        ("threads", 0, "at least 1"),
    ],
)
def test_numbers_that_no_run_can_use_are_named(name, value, message):
    with pytest.raises(InputError, match=f"{name} must be .*{message}"):
        runs.check_parameters({name: value})


def test_numbers_that_a_run_can_use_pass():
    numbers = {name: value for name, value in PARAMETERS.items() if name != "dataset"}
    runs.check_parameters(numbers | {"kl_weight": 0, "seed": 2**32 - 1})


def test_config_does_not_depend_on_how_numbers_were_typed():
    for one, other in ((5, 5.0), (0.0, -0.0), (0, 0.0)):
        configs = [runs.run_config(PARAMETERS | {"kl_weight": kl_weight}, "abc") for kl_weight in (one, other)]
        assert json.dumps(configs[0]) == json.dumps(configs[1])


def test_finished_run_is_done_and_its_record_has_the_hashes(finished):
    assert runs.is_done(finished)
    record = runs.read_json(finished / "record.json")
    assert record["files"]["latent.npz"] == hashlib.sha256(b"codes").hexdigest()
    assert (record["seconds_per_epoch"], record["training_seconds"]) == (1.0, 5.0)
    assert set(record["files"]) == {"config.json", "history.csv", "latent.npz", "measures.json"}
    assert record["versions"]["keras"].startswith("3.")


def test_a_run_without_record_or_with_an_altered_or_lost_file_is_not_done(finished):
    (finished / "history.csv").write_text("epoch\n2\n")
    assert not runs.is_done(finished)
    (finished / "history.csv").unlink()
    assert not runs.is_done(finished)
    (finished / "history.csv").write_text("epoch\n1\n")
    assert runs.is_done(finished)
    for half in ("", "{", "{}"):
        (finished / "record.json").write_text(half)
        assert not runs.is_done(finished)
    (finished / "record.json").unlink()
    assert not runs.is_done(finished)


def test_files_that_are_not_committed_may_be_absent_but_not_altered(finished):
    (finished / "latent.npz").write_bytes(b"other codes")
    assert not runs.is_done(finished)
    (finished / "latent.npz").unlink()
    assert runs.is_done(finished)


def test_a_readers_own_file_does_not_undo_a_run(finished):
    (finished / "notes.txt").write_text("look at the sevens")
    assert runs.is_done(finished)


def test_starting_a_run_again_makes_it_not_done(finished):
    runs.start_run(PARAMETERS, "abc", finished)
    assert not runs.is_done(finished)


def test_single_runs_with_different_settings_never_meet(tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "RESULTS", tmp_path)
    folders = {runs.start_run(PARAMETERS | {"epochs": epochs}, "abc") for epochs in (1, 2, 2, 3)}
    assert len(folders) == 3
    assert all(folder.parent == tmp_path / "single_runs" / "digits" for folder in folders)


def test_a_run_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"file/run cannot be written .*run_dir"):
        runs.start_run(PARAMETERS, "abc", tmp_path / "file" / "run")


def test_read_runs_takes_only_what_is_done_in_the_order_of_the_weights(finished):
    for kl_weight, seed in ((10.0, 0), (2.0, 1), (2.0, 0)):
        folder = finished.parent / runs.run_name(kl_weight, seed)
        runs.start_run(PARAMETERS | {"kl_weight": kl_weight, "seed": seed}, "abc", folder)
        runs.write_json(folder / "measures.json", {"rate": 1.0})
        runs.finish_run(folder, [1.0])
    (finished.parent / "kl_10.00_seed0" / "record.json").unlink()
    found = runs.read_runs(finished.parent)
    assert found[["kl_weight", "seed", "rate"]].values.tolist() == [[0.5, 0, 1.5], [2, 0, 1], [2, 1, 1]]


def test_json_refuses_what_is_not_json(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        runs.write_json(tmp_path / "measures.json", {"rate": float("nan")})


def test_saved_figures_keep_white_and_the_class_colours_however_little_there_is_of_them(tmp_path):
    figure, axes = new_figure(6, 4)
    axes.imshow(np.random.default_rng(0).uniform(size=(300, 300)), cmap="viridis")
    for place, color in enumerate(CLASS_COLORS):
        figure.patches.append(Rectangle((place / 20, 0.01), 0.01, 0.015, color=color, transform=figure.transFigure))
    runs.save_figure(tmp_path / "figure.png", figure)
    runs.save_animation(tmp_path / "figure.gif", [figure, figure], milliseconds=10)
    expected = {tuple(round(255 * channel) for channel in to_rgb(color)) for color in CLASS_COLORS}
    for name in ("figure.png", "figure.gif"):
        colors = {color: count for count, color in Image.open(tmp_path / name).convert("RGB").getcolors(1 << 24)}
        assert expected <= set(colors)
        assert max(colors, key=colors.get) == (255, 255, 255)


def test_animation_shows_every_figure_and_the_last_one_longest(tmp_path):
    figures = [new_figure(2, 2)[0] for _ in range(3)]
    for number, figure in enumerate(figures):
        figure.text(0.5, 0.5, str(number))
    runs.save_animation(tmp_path / "a.gif", figures, milliseconds=50)
    animation = Image.open(tmp_path / "a.gif")
    durations = []
    for frame in range(animation.n_frames):
        animation.seek(frame)
        durations.append(animation.info["duration"])
    assert durations == [50, 50, 200]
    assert animation.info["loop"] == 0
