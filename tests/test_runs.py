import hashlib
import json

import numpy as np
import pytest

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


def test_config_does_not_depend_on_how_numbers_were_typed():
    for one, other in ((5, 5.0), (0.0, -0.0), (0, 0.0)):
        configs = [runs.run_config(PARAMETERS | {"kl_weight": kl_weight}, "abc") for kl_weight in (one, other)]
        assert json.dumps(configs[0]) == json.dumps(configs[1])
    numpy_numbers = {"kl_weight": np.float32(0.5), "epochs": np.int64(2), "seed": np.uint8(0)}
    assert json.dumps(runs.run_config(PARAMETERS | numpy_numbers, "")) == json.dumps(runs.run_config(PARAMETERS, ""))


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


def test_files_that_no_table_needs_may_be_left_out_but_not_altered(finished):
    (finished / "latent.npz").write_bytes(b"other codes")
    assert not runs.is_done(finished)
    (finished / "latent.npz").unlink()
    assert runs.is_done(finished)


@pytest.mark.parametrize("name", ["config.json", "history.csv", "measures.json"])
def test_files_that_tables_need_may_not_be_left_out(finished, name):
    (finished / name).unlink()
    assert not runs.is_done(finished)


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
        (folder / "history.csv").write_text("epoch\n1\n")
        runs.write_json(folder / "measures.json", {"rate": 1.0})
        runs.finish_run(folder, [1.0])
    (finished.parent / "kl_10.00_seed0" / "record.json").unlink()
    found = runs.read_runs(runs.finished_folders(finished.parent))
    assert found.table()[["kl_weight", "seed", "rate"]].values.tolist() == [[0.5, 0, 1.5], [2, 0, 1], [2, 1, 1]]
    assert [folder.name for folder in found.folders] == ["kl_00.50_seed0", "kl_02.00_seed0", "kl_02.00_seed1"]
    assert found.first_of_each_weight().folders == [found.folders[0], found.folders[1]]
    assert set(found.measures) == {"rate"}
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
