import hashlib
import json
import os
import shutil
from dataclasses import replace

import numpy as np
import pytest

from tests.run_folders import MEASURES, make_run, read_folder
from vae_core import runs
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
    return make_run(tmp_path / "kl_00.50_seed0", PARAMETERS, [3.0, 1.0, 1.0])


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


def test_config_does_not_depend_on_how_numbers_were_typed():
    for one, other in ((5, 5.0), (0.0, -0.0), (0, 0.0)):
        configs = [runs.run_config(PARAMETERS | {"kl_weight": kl_weight}, "abc") for kl_weight in (one, other)]
        assert json.dumps(configs[0]) == json.dumps(configs[1])
    numpy_numbers = {"kl_weight": np.float32(0.5), "epochs": np.int64(2), "seed": np.uint8(0)}
    assert json.dumps(runs.run_config(PARAMETERS | numpy_numbers, "")) == json.dumps(runs.run_config(PARAMETERS, ""))


def test_finished_run_is_done_and_its_record_has_the_hashes(finished):
    assert runs.is_done(finished)
    record = runs.read_json(finished / "record.json")
    assert record["files"]["scatter.png"] == hashlib.sha256(b"picture").hexdigest()
    assert (record["seconds_per_epoch"], record["training_seconds"]) == (1.0, 5.0)
    assert set(record["files"]) == {path.name for path in finished.iterdir()} - {"record.json"}
    assert record["versions"]["keras"].startswith("3.")


def test_a_run_without_record_or_with_an_altered_or_lost_file_is_not_done(finished):
    history = (finished / "history.csv").read_bytes()
    (finished / "history.csv").write_bytes(history.replace(b"100", b"99"))
    assert runs.fault(finished) == "history.csv was altered"
    (finished / "history.csv").write_bytes(history)
    assert runs.is_done(finished)
    (finished / "record.json").unlink()
    assert runs.fault(finished) == "record.json is missing"


def test_files_that_no_table_needs_may_be_left_out_but_not_altered(finished):
    (finished / "latent.npz").write_bytes(b"other codes")
    assert runs.fault(finished) == "latent.npz was altered"
    (finished / "latent.npz").unlink()
    assert runs.is_done(finished)


def test_weights_that_the_record_does_not_know_are_not_the_runs(finished):
    (finished / "model.weights.h5").write_bytes(b"of another run")
    assert runs.fault(finished) == "model.weights.h5 was altered"


@pytest.mark.parametrize("name", ["config.json", "history.csv", "measures.json"])
def test_files_that_tables_need_may_not_be_left_out(finished, name):
    (finished / name).unlink()
    assert runs.fault(finished) == f"{name} is missing"


@pytest.mark.parametrize("record", ["", "{", "null", "[]", "{}", '{"files": null}', '{"files": []}', "[" * 100_000])
def test_a_record_that_is_none_is_named(finished, record):
    (finished / "record.json").write_text(record)
    assert runs.fault(finished).startswith("record.json ")


def write_npz(**arrays):
    return lambda path: np.savez(path, **arrays)


def write_text(text):
    return lambda path: path.write_text(text)


ABOUT = {"name": "faces", "description": "some", "class_names": [], "image_shape": [16, 12, 3], "path": "/faces.npz"}
CODES = {"mean": np.zeros((5, 2)), "log_var": np.zeros((5, 2)), "labels": np.arange(5)}


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("config.json", write_text("[]")),
        ("config.json", write_text(json.dumps(PARAMETERS | {"kl_weight": "half"}))),
        ("config.json", write_text(json.dumps(PARAMETERS | {"seed": True}))),
        ("dataset.json", write_text("[]")),
        ("dataset.json", write_text(json.dumps(ABOUT | {"class_names": None}))),
        ("dataset.json", write_text(json.dumps(ABOUT | {"class_names": [1]}))),
        ("dataset.json", write_text(json.dumps(ABOUT | {"image_shape": [28, 28]}))),
        ("dataset.json", write_text(json.dumps(ABOUT | {"description": 5}))),
        ("measures.json", write_text("null")),
        ("measures.json", write_text(json.dumps(MEASURES | {"rate": "<b>1</b>"}))),
        ("measures.json", write_text(json.dumps(MEASURES | {"nll": float("nan")}))),
        ("measures.json", write_text(json.dumps(MEASURES | {"nll": 10**400}))),
        ("measures.json", write_text(json.dumps({"rate": 1.0}))),
        ("history.csv", write_text("")),
        ("history.csv", lambda path: path.write_bytes(bytes(range(256)))),
        ("history.csv", write_text("epoch,val_distortion,val_rate\n")),
        ("history.csv", write_text("epoch,val_distortion,val_rate\n1,2,much\n")),
        ("history.csv", write_text("epoch,rate\n1,2\n")),
        ("latent.npz", lambda path: path.write_bytes(b"no codes")),
        ("latent.npz", write_npz(mean=np.zeros((5, 2)))),
        ("latent.npz", write_npz(**CODES | {"labels": np.arange(4)})),
        ("latent.npz", write_npz(**CODES | {"mean": np.array([print], dtype=object)})),
    ],
)
def test_bad_content_is_named_though_its_hash_holds(finished, name, write):
    write(finished / name)
    runs.update_record(finished, 1.0)
    assert runs.fault(finished) in (f"{name} is not a run's", f"{name} cannot be read")
    assert runs.finished_folders(finished.parent) == []


def test_codes_and_images_are_read_as_they_were_kept_images_with_eight_bits(tmp_path, rng):
    mean, grid = rng.normal(size=(5, 2)), rng.uniform(size=(3, 3, 8, 8))
    kept = runs.Latent(mean=mean, log_var=-mean, labels=np.arange(5), manifold=grid, axes=np.zeros((2, 3)))
    runs.save_latent(tmp_path, kept, images={"blends": grid}, corners=mean)
    found = runs.read_latent(tmp_path)
    np.testing.assert_array_equal(found.mean, mean)
    np.testing.assert_array_equal(found.labels, np.arange(5))
    np.testing.assert_allclose(found.manifold, grid, atol=0.5 / 255 + 1e-6)
    assert found.occupied is None
    arrays = np.load(tmp_path / "latent.npz")
    assert arrays["blends"].dtype == arrays["manifold"].dtype == np.uint8
    np.testing.assert_array_equal(arrays["corners"], mean)


def test_colour_images_traversals_and_codes_of_one_dimension_are_kept(tmp_path, rng):
    codes, strip, rows = rng.normal(size=(5, 1)), rng.uniform(size=(1, 4, 8, 9, 3)), rng.uniform(size=(2, 7, 8, 9, 3))
    kept = runs.Latent(codes, -codes, np.full(5, -1), dimensions=np.array([0]), manifold=strip, axes=np.zeros((1, 4)))
    kept = replace(kept, traversals=rows, traversal_dimensions=np.array([7, 3]), traversal_positions=np.arange(7.0))
    runs.save_latent(tmp_path, kept)
    found = runs.read_latent(tmp_path)
    for name in ("manifold", "traversals"):
        np.testing.assert_allclose(getattr(found, name), getattr(kept, name), atol=0.5 / 255 + 1e-6)
        assert np.load(tmp_path / "latent.npz")[name].dtype == np.uint8
    for name in ("mean", "labels", "dimensions", "axes", "traversal_dimensions", "traversal_positions"):
        np.testing.assert_array_equal(getattr(found, name), getattr(kept, name))


def test_what_a_run_says_of_its_data_is_read_again(finished, digits):
    own = replace(digits, name="faces", class_names=(), path="/home/me/faces.npz")
    for dataset in (own, digits):
        runs.write_dataset(finished, dataset)
        runs.update_record(finished, 1.0)
        about = runs.read_dataset(finished)
        for name in ("name", "description", "class_names", "image_shape", "path"):
            assert getattr(about, name) == getattr(dataset, name)
        assert runs.is_done(finished)
    (finished / "dataset.json").write_text((finished / "dataset.json").read_text().replace("stand-in", "set"))
    assert runs.fault(finished) == "dataset.json was altered"


def test_a_run_from_before_it_said_so_has_one_of_the_data_sets_of_then(finished, digits):
    about = runs.read_dataset(finished)
    assert (about.name, about.description) == ("digits", digits.description)
    assert (about.class_names, about.image_shape, about.path) == (digits.class_names, (28, 28, 1), "")
    other = make_run(finished.parent / "other", PARAMETERS | {"dataset": "faces"})
    with pytest.raises(InputError, match=r"other has no dataset.json, which says what faces is: run it again"):
        runs.read_dataset(other)


@pytest.mark.parametrize("name", ["notes.txt", "my table.csv", "run.ipynb", "scatter.png"])
def test_a_readers_own_files_and_remarks_do_not_undo_a_run(finished, name):
    (finished / name).write_text("look at the sevens")
    (finished / "history (conflicted copy).csv").write_text("")
    assert runs.is_done(finished)


def test_a_run_whose_rate_was_not_finite_is_done(finished):
    runs.write_measures(finished, MEASURES | {"rate": float("inf")})
    runs.update_record(finished, 1.0)
    assert "rate" not in runs.read_json(finished / "measures.json")
    assert runs.is_done(finished)


def test_a_run_counts_once_in_the_folder_that_has_its_name(finished):
    for name in ("kl_00.50_seed0.bak", "kl_00.50_seed0 (1)", "kl_00.50_seed1", "the one at a half"):
        shutil.copytree(finished, finished.parent / name)
    (finished.parent / "kl_07.00_seed0").mkdir()
    (finished.parent / "my figures").mkdir()
    (finished.parent / "kl_weights.txt").write_text("")
    shutil.copytree(finished, finished.parent / "failed" / finished.name)
    misnamed = "its config.json says kl_00.50_seed0"
    assert {folder.name: fault for folder, fault in runs.run_folders(finished.parent).items()} == {
        "kl_00.50_seed0": None,
        "kl_00.50_seed0 (1)": misnamed,
        "kl_00.50_seed0.bak": misnamed,
        "kl_00.50_seed1": misnamed,
        "kl_07.00_seed0": "record.json is missing",
        "the one at a half": misnamed,
    }
    assert runs.finished_folders(finished.parent) == [finished]


def test_starting_a_run_again_makes_it_not_done(finished):
    runs.start_run(PARAMETERS, "abc", finished)
    assert not runs.is_done(finished)


def test_a_run_may_start_where_only_papermill_has_written(tmp_path):
    for name in ("run.ipynb", "stderr.log", ".DS_Store"):
        (tmp_path / name).write_text("")
    assert runs.start_run(PARAMETERS, "abc", tmp_path) == tmp_path


def test_another_run_in_the_same_folder_is_refused_and_nothing_is_touched(finished):
    before = read_folder(finished)
    for other in ({"epochs": 3}, {"architecture": "conv"}):
        with pytest.raises(InputError, match=r"kl_00.50_seed0 holds a run with other settings: choose another run_dir"):
            runs.start_run(PARAMETERS | other, "abc", finished)
    assert read_folder(finished) == before


def test_a_run_of_another_notebook_with_parameters_of_the_same_names_is_refused(finished):
    with pytest.raises(InputError, match=r"kl_00.50_seed0 holds a run of train_vae: choose another run_dir"):
        runs.start_run(PARAMETERS, "abc", finished, "elbo_and_kl")
    assert runs.is_done(finished)


@pytest.mark.parametrize("name", ["config.json", "history.csv", "record.json", "thesis.tex"])
def test_a_folder_with_files_of_ones_own_is_refused(tmp_path, name):
    (tmp_path / name).write_text("[]")
    with pytest.raises(InputError, match=f"holds {name}: choose another run_dir"):
        runs.start_run(PARAMETERS, "abc", tmp_path)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["[]"]


def test_the_record_does_not_vouch_for_files_that_were_there_before_the_run(finished):
    (finished / "figure of another notebook.png").write_bytes(b"old")
    for path in finished.iterdir():
        os.utime(path, (1, 1))
    make_run(finished, PARAMETERS)
    assert set(runs.read_json(finished / "record.json")["files"]) >= {"history.csv", "measures.json", "scatter.png"}
    runs.finish_run(finished, [1.0])
    assert "figure of another notebook.png" not in runs.read_json(finished / "record.json")["files"]
    assert runs.is_done(finished)


def test_a_home_folder_is_understood_and_no_folder_is_not_the_present_one(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert runs.start_run(PARAMETERS, "abc", "~/run") == tmp_path / "run"
    for wrong, why in ((" ", "run_dir is empty"), ("~nobody at all/run", "there is no such home folder")):
        with pytest.raises(InputError, match=why):
            runs.start_run(PARAMETERS, "abc", wrong)


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
        make_run(folder, PARAMETERS | {"kl_weight": kl_weight, "seed": seed}, rate=1.0)
    (finished.parent / "kl_10.00_seed0" / "record.json").unlink()
    found = runs.read_runs(runs.finished_folders(finished.parent))
    assert found.table()[["kl_weight", "seed", "rate"]].values.tolist() == [[0.5, 0, 1.5], [2, 0, 1], [2, 1, 1]]
    assert [folder.name for folder in found.folders] == ["kl_00.50_seed0", "kl_02.00_seed0", "kl_02.00_seed1"]
    assert found.first_of_each_weight().folders == [found.folders[0], found.folders[1]]
    assert set(found.measures) == set(MEASURES)
    assert found.by_seed()["rate"][2.0].tolist() == [1.0, 1.0]


def test_a_run_made_before_there_was_a_setting_has_that_of_the_others(finished):
    newer = runs.start_run(
        PARAMETERS | {"seed": 1, "kl_schedule": "constant"}, "abc", finished.parent / "kl_00.50_seed1"
    )
    runs.write_json(newer / "measures.json", {"rate": 1.0})
    found = runs.read_runs([finished, newer])
    assert found.settings["kl_schedule"].tolist() == ["constant", "constant"]
    assert found.settings["seed"].tolist() == [0, 1]


def test_json_refuses_what_is_not_json(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        runs.write_json(tmp_path / "measures.json", {"rate": float("nan")})


def test_measures_that_are_not_finite_are_left_out_by_name_and_the_rest_is_kept(tmp_path, capsys):
    runs.write_measures(tmp_path, {"rate": 1.5, "images": 297, "nll": np.float64("nan"), "distortion": float("inf")})
    assert runs.read_json(tmp_path / "measures.json") == {"rate": 1.5, "images": 297}
    assert capsys.readouterr().out == "left out of measures.json, since not finite: nll, distortion\n"
