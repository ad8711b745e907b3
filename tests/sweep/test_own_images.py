"""Sweeps over a user's own images, from the file to the report: colour without labels, and 26 classes."""

from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest

from tests.sweep.running import run_sweep
from vae_core import runs
from vae_core.data import load_dataset
from vae_core.sweep import command

JUDGED = ("knn_accuracy", "judge_accuracy", "prior_confidence", "prior_classes", "test_class_entropy")


def discs(count: int, channels: int) -> np.ndarray:
    """Discs of random places, sizes and colours on black, 16 x 16 pixels."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:16, :16] + 0.5
    centres, radii = rng.uniform(4, 12, size=(2, count, 1, 1)), rng.uniform(2, 5, size=(count, 1, 1))
    inside = np.hypot(rows - centres[0], columns - centres[1]) < radii  # (count, 16, 16)
    return (inside[..., None] * rng.integers(50, 256, size=(count, 1, 1, channels))).astype(np.uint8)


def swept(folder: Path, **arrays) -> Path:
    """The folder of a sweep of one run, typed where the file lies."""
    np.savez(folder / "mine.npz", **arrays)
    arguments = ("--dataset", "mine.npz", "--kl-weights", 1, "--epochs", 1, "-p", "hidden_units", 16)
    finished = run_sweep(*arguments, "--workers", 1, "--results", "results", cwd=folder)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert "Traceback" not in finished.stderr
    assert finished.stdout.startswith("data set mine: no test images are given; of 240 images, 24 chosen by a fixed")
    (sweep,) = (folder / "results" / "kl_sweep" / "mine").iterdir()
    return sweep


@pytest.fixture(scope="module")
def colour(tmp_path_factory):
    return swept(tmp_path_factory.mktemp("colour"), images=discs(240, 3))


@pytest.fixture(scope="module")
def letters(tmp_path_factory):
    names = np.array([f"letter {letter}" for letter in "abcdefghijklmnopqrstuvwxyz"])
    labels = names[np.arange(240) % 26]
    return swept(tmp_path_factory.mktemp("letters"), images=discs(240, 1) > 0, labels=labels)


def whole_run(sweep: Path) -> Path:
    """The run of a sweep; all its files and the report are there and no cell has failed."""
    (run,) = runs.finished_folders(sweep)
    for notebook in (run / "run.ipynb", sweep / "report.ipynb"):
        outputs = [output for cell in nbformat.read(notebook, 4).cells for output in cell.get("outputs", [])]
        assert outputs
        assert not [output for output in outputs if output.output_type == "error" or output.get("name") == "stderr"]
    for folder in (run, sweep):
        assert all(path.stat().st_size > 0 for path in folder.iterdir() if path.suffix in (".png", ".gif", ".csv"))
    means = pd.read_csv(sweep / "loss_table.csv").filter(regex="_mean$")
    assert not means.empty
    assert not means.isna().any(axis=None)
    return run


@pytest.mark.slow
def test_colour_images_without_labels_are_swept(colour):
    run = whole_run(colour)
    dataset = load_dataset(colour.parents[3] / "mine.npz")
    config = runs.read_json(run / "config.json")
    assert (config["dataset"], config["data_checksum"]) == ("mine", dataset.checksum)
    measured = runs.read_json(run / "measures.json")
    assert measured["images"] == 24
    assert not {*JUDGED} & {*measured}
    assert {"nll", "mutual_information", "prior_sharpness"} <= {*measured}
    kept = runs.read_latent(run)
    assert set(kept.labels) == {-1}
    assert kept.manifold.shape == (30, 30, 16, 16, 3)
    assert runs.read_dataset(run).description in (colour / "loss_table.md").read_text()


@pytest.mark.slow
def test_images_of_26_classes_are_swept(letters):
    run = whole_run(letters)
    about = runs.read_dataset(run)
    assert (len(about.class_names), about.class_names[25], about.image_shape) == (26, "letter z", (16, 16, 1))
    assert {*JUDGED} <= {*runs.read_json(run / "measures.json")}
    assert set(runs.read_latent(run).labels) <= set(range(26))
    assert "in 26 classes" in (letters / "loss_table.md").read_text()


@pytest.mark.slow
def test_other_images_under_the_same_name_are_not_mixed_in(colour, tmp_path, capsys):
    images = discs(240, 3)
    images[0, 0, 0] = 9
    np.savez(tmp_path / "mine.npz", images=images)
    arguments = ["--dataset", str(tmp_path / "mine.npz"), "--kl-weights", "1", "--epochs", "1"]
    arguments += ["-p", "hidden_units", "16", "--results", str(colour.parents[2])]
    assert command.main(arguments) == 2
    assert "has runs with other settings" in capsys.readouterr().err


def test_what_cannot_be_swept_is_told_before_anything_is_written(tmp_path, capsys):
    np.savez(tmp_path / "mine.npz", images=discs(199, 1))
    assert command.main(["--dataset", str(tmp_path / "mine.npz"), "--results", str(tmp_path / "results")]) == 2
    assert capsys.readouterr().err == (f"sweep: {tmp_path / 'mine.npz'}: images are 199: at least 200 are needed\n")
    assert not (tmp_path / "results").exists()
