"""Parameters with several values: which sweeps they make, where these go, what they will cost, and how they run."""

import re
import shutil

import numpy as np
import pytest

from tests.run_folders import make_run, read_folder
from tests.sweep.test_folders import rewrite
from vae_core import runs
from vae_core.errors import InputError
from vae_core.execution.lock import locked
from vae_core.report import collect
from vae_core.sweep import command, cost
from vae_core.sweep.folders import LONGEST, comparison_name, sweep_name
from vae_core.sweep.found import find
from vae_core.sweep.plan import plan

DEFAULTS = {"latent_dim": 2, "kl_schedule": "constant", "target_rate": None, "learning_rate": 1e-3, "hidden_units": 512}


@pytest.fixture
def planned(stub_notebooks):
    """The plan of a command over the stub, for options that are typed."""

    def planned(*options):
        arguments = ["--notebook", "stub", "--kl-weights", "0", "1", *map(str, options)]
        return plan(command.parser().parse_args(arguments), stub_notebooks)

    return planned


@pytest.fixture
def main(stub_notebooks, tmp_path):
    """The command over the stub, in this process."""

    def main(*options):
        arguments = ["--notebook", "stub", "--kl-weights", 0, 1, "--results", tmp_path / "results", *options]
        return command.main([str(argument) for argument in arguments], stub_notebooks)

    return main


def made(sweep, sweep_dir):
    """All runs of a sweep, made up."""
    return [make_run(sweep_dir / run.name, run.config) for run in sweep.runs]


# ---- which sweeps


def test_several_values_of_several_parameters_make_every_combination_once(planned):
    several = planned("-p", "learning_rate", 0.01, 1e-2, 0.001, "-p", "latent_dim", 10, 2, "2.0", "10")
    assert [sweep.name for sweep in several.sweeps] == [
        "latent_dim=10,learning_rate=0.01",
        "latent_dim=10",
        "learning_rate=0.01",
        "",
    ]
    assert several.sweeps[0].label == "latent_dim 10, learning_rate 0.01"
    for sweep in several.sweeps:
        assert [run.name for run in sweep.runs] == ["kl_00.00_seed0", "kl_01.00_seed0"]
    values = [sweep.runs[0].parameters["latent_dim"] for sweep in several.sweeps]
    assert values == [10, 10, 2, 2]
    assert {type(value) for value in values} == {int}
    assert several.comparison == "comparison-latent_dim,learning_rate"


def test_epochs_can_have_several_values_and_what_differs_in_all_sweeps_is_in_all_names(planned):
    several = planned("--epochs", 3, 20, "-p", "kl_schedule", "linear")
    assert [sweep.name for sweep in several.sweeps] == ["kl_schedule=linear,epochs=3", "kl_schedule=linear"]
    assert [sweep.label for sweep in several.sweeps] == ["epochs 3", "epochs 20"]
    assert several.comparison == "comparison-epochs,kl_schedule=linear"


def test_one_value_of_each_parameter_is_one_sweep_without_a_comparison(planned):
    one = planned("-p", "latent_dim", 10, "--seeds", 0, 1, "-p", "threads", 1)
    assert [(sweep.name, sweep.label, len(sweep.runs)) for sweep in one.sweeps] == [("latent_dim=10", "", 4)]
    assert one.comparison == ""


def test_an_empty_text_is_none_where_the_notebook_has_none_and_else_no_number(planned):
    several = planned("--kl-weights", 1, "-p", "target_rate", "", 25)
    assert [sweep.runs[0].config["target_rate"] for sweep in several.sweeps] == [None, 25]
    assert [sweep.name for sweep in several.sweeps] == ["", "target_rate=25"]
    with pytest.raises(InputError, match=r"^-p learning_rate: '' is not of type float$"):
        planned("-p", "learning_rate", "")
    with pytest.raises(InputError, match=r"^-p target_rate: 'much' is not of type float or empty: ''$"):
        planned("-p", "target_rate", "much")


def test_settings_that_make_no_sense_together_are_refused_with_the_combination(planned):
    options = ("--kl-weights", 1, "-p", "target_rate", 3, "", "-p", "kl_schedule", "constant", "cyclical")
    with pytest.raises(InputError, match=r"^kl_schedule cyclical, target_rate 3: a target_rate is raised once: "):
        planned(*options)


def test_own_images_are_a_path_to_the_notebook_and_a_name_in_the_results(planned, tmp_path, monkeypatch, rng):
    np.savez(tmp_path / "stamps.npz", images=rng.integers(0, 256, (300, 8, 8), dtype=np.uint8))
    monkeypatch.chdir(tmp_path)
    own = planned("--dataset", "stamps.npz")
    (sweep,) = own.sweeps
    assert sweep.runs[0].parameters["dataset"] == str(tmp_path / "stamps.npz")
    assert sweep.runs[0].config["dataset"] == "stamps"
    assert str(own.place) == "lessons/stub/stamps"


# ---- where they go


def test_names_of_folders_are_safe_on_every_system_and_never_meet():
    values = ["a/b", "a:b", "a b", "a-b", "A-B", "", ".", "..", "x.", "con", "1,latent_dim=3", 20 * "long/", 40 * "y"]
    names = [sweep_name(DEFAULTS | {"kl_schedule": value}, DEFAULTS) for value in values]
    names += [sweep_name(DEFAULTS | {"learning_rate": value}, DEFAULTS) for value in (1e6, 1e-7, 0.1234567, 0.1234568)]
    names += [sweep_name(dict.fromkeys(DEFAULTS, 10.0**power), DEFAULTS) for power in range(-300, -290)]
    assert len({name.lower() for name in names}) == len(names)
    for name in names:
        assert re.fullmatch(r"[A-Za-z0-9_.,=~+-]+[A-Za-z0-9_=~+-]", name), name
        assert len(name) <= LONGEST
    assert "learning_rate=1e-07" in names
    assert "learning_rate=0.1234567" in names
    assert sweep_name(DEFAULTS, DEFAULTS) == ""
    assert (
        sweep_name(DEFAULTS | {"latent_dim": 10, "learning_rate": 0.5}, DEFAULTS) == "latent_dim=10,learning_rate=0.5"
    )
    assert sweep_name({"target_rate": None}, {"target_rate": 2.0}) == "target_rate=none"
    assert comparison_name(["latent_dim"], {"latent_dim": 2, "epochs": 3}, {"latent_dim": 2, "epochs": 40}) == (
        "comparison-latent_dim,epochs=3"
    )


def test_runs_of_exactly_these_settings_in_the_base_are_used_where_they_are(planned, tmp_path):
    """They were made when every sweep had a base of its own."""
    with_three = planned("--epochs", 3)
    made(with_three.sweeps[0], tmp_path)
    (found,) = find(with_three, tmp_path, rerun=False)
    assert (found.sweep_dir, found.missing) == (tmp_path, [])
    (more,) = find(planned("--epochs", 3, "--seeds", 1), tmp_path, rerun=False)
    assert (more.sweep_dir, len(more.missing)) == (tmp_path, 2)
    others = find(planned("--epochs", 3, 4), tmp_path, rerun=False)
    assert [found.sweep_dir for found in others] == [tmp_path, tmp_path / "epochs=4"]
    with pytest.raises(InputError, match=r"has runs with other settings: .* \(epochs 3, now 20\)"):
        find(planned(), tmp_path, rerun=False)
    made(with_three.sweeps[0], tmp_path / "epochs=3")  # somebody has moved them, or made them anew
    (found,) = find(with_three, tmp_path, rerun=False)
    assert found.sweep_dir == tmp_path / "epochs=3"


def test_runs_in_the_base_from_before_a_parameter_existed_are_used_where_they_are(planned, tmp_path):
    with_three = planned("--epochs", 3)
    for folder in made(with_three.sweeps[0], tmp_path):
        config = runs.read_json(folder / "config.json")
        del config["latent_dim"], config["target_rate"]
        runs.write_json(folder / "config.json", config)
        rewrite(folder, "config.json", (folder / "config.json").read_bytes())
    (found,) = find(with_three, tmp_path, rerun=False)
    assert (found.sweep_dir, found.missing) == (tmp_path, [])
    (other,) = find(planned("--epochs", 3, "-p", "latent_dim", 10), tmp_path, rerun=False)
    assert (other.sweep_dir, len(other.missing)) == (tmp_path / "latent_dim=10,epochs=3", 2)


def test_the_folders_of_other_sweeps_are_no_broken_runs(planned, tmp_path):
    for sweep in planned("-p", "kl_schedule", "constant", "linear").sweeps:
        made(sweep, tmp_path / sweep.name)
    (found,) = find(planned(), tmp_path, rerun=False)
    assert (found.missing, found.left_out) == ([], {})


def test_sweeps_that_cannot_be_compared_are_told_before_they_run(tmp_path, capsys):
    arguments = ["--dataset", "digits", "--results", str(tmp_path), "--dry-run", "-p"]
    assert command.main([*arguments, "latent_dim", "2", "10"]) == 0
    assert "comparison" not in capsys.readouterr().out
    assert command.main([*arguments, "likelihood", "bernoulli", "continuous_bernoulli"]) == 0
    reason = "-log p(x) is of a density in one, continuous_bernoulli, and of a probability in the other, bernoulli"
    assert f"  there will be no comparison: {reason}\n" in capsys.readouterr().out


# ---- what they will cost


def test_the_plan_is_shown_and_nothing_is_written_if_it_is_only_asked_for(main, planned, tmp_path, capsys):
    options = ("-p", "latent_dim", 2, 10, 32, "--workers", 2)
    assert main(*options, "--dry-run") == 0
    assert list(tmp_path.iterdir()) == []
    base = tmp_path / "results" / "lessons" / "stub" / "digits"
    two, ten, _ = planned(*options).sweeps
    done = [*made(two, base), *made(ten, base / "latent_dim=10")]
    shutil.rmtree(done.pop())
    before = read_folder(tmp_path)
    capsys.readouterr()
    assert main(*options, "--dry-run") == 0
    said, errors = capsys.readouterr()
    lines = said.splitlines()
    assert errors == ""
    assert re.fullmatch(r"6 runs in 3 folders of .*lessons/stub/digits/:", lines[0])
    assert [line for line in lines if "done already" in line] == [
        "  digits: 2 of 2 runs are done already",
        "  latent_dim=10: 1 of 2 runs are done already",
        "  latent_dim=32: 0 of 2 runs are done already",
    ]
    assert re.fullmatch(r"3 runs to do in .*lessons/stub/digits/, 2 at a time", lines[-2])
    assert re.fullmatch(r"about \d+ min \(judged by other runs: a rough estimate\), .* are free", lines[-1])
    assert read_folder(tmp_path) == before


def words_of(planned, tmp_path, workers=2) -> list[str]:
    found = find(planned, tmp_path / planned.place, rerun=False)
    return list(cost.cost_words(planned, found, tmp_path, workers))


def times(folder, notebook_seconds, training_seconds):
    """Make the run one that took so long."""
    record = runs.read_json(folder / runs.RECORD)
    runs.write_json(
        folder / runs.RECORD, record | {"notebook_seconds": notebook_seconds, "training_seconds": training_seconds}
    )


def test_what_is_left_is_judged_by_the_runs_that_are_done(planned, tmp_path, monkeypatch):
    monkeypatch.setattr(cost, "COLLECTED_SECONDS", 0)
    monkeypatch.setattr(cost, "COLLECTED_BYTES", 0)
    few, many = planned("--seeds", 0), planned("--seeds", 0, 1, 2)
    for seconds, folder in zip((500, 700), made(few.sweeps[0], tmp_path / few.place), strict=True):
        times(folder, seconds, 400)
        size = sum(path.stat().st_size for path in folder.iterdir())
        (folder / "model.weights.h5").write_bytes(bytes(2_000_000 - size))
        runs.update_record(folder, seconds)
    # four runs of 600 s on two workers, and of 2 MB
    assert words_of(many, tmp_path)[0].startswith("about 20 min (as long as those that are done), about 8 MB of disk; ")
    assert words_of(many, tmp_path, workers=8)[0].startswith("about 10 min (")
    assert words_of(many, tmp_path, workers=None)[0].startswith("about 40 min on one worker (")
    # at twice the epochs: 200 s beside the training, and twice 400 s
    (words,) = words_of(planned("--epochs", 40), tmp_path)
    assert words.startswith("about 17 min (judged by other runs: a rough estimate), about 4 MB of disk; ")


def test_what_is_left_is_judged_by_a_table_if_nothing_is_done(planned, tmp_path, monkeypatch):
    monkeypatch.setattr(cost, "COLLECTED_SECONDS", 0)
    monkeypatch.setitem(cost.MINUTES, runs.REFERENCE, 2)
    # On MNIST it would be 40 s, and 80 s for 20 epochs over 55,000 images; digits has 1,200 to train with.
    seconds = 40 + 80 * (200_000 / 20) * (1_200 / 55_000)
    (words,) = words_of(planned("--epochs", 200_000), tmp_path, workers=1)
    assert words.startswith(f"about {2 * seconds / 3600:.1f} hours (a rough estimate, as none is done yet), ")


def test_a_disk_without_room_is_a_warning(planned, tmp_path, monkeypatch):
    monkeypatch.setattr(cost, "RUN_BYTES", 1e18)
    assert words_of(planned(), tmp_path)[1] == f"warning: the disk of {tmp_path} has no room for all of them"


# ---- how they run


def test_several_sweeps_run_as_one_a_failure_stops_no_other_and_what_is_done_is_skipped(
    main, tmp_path, capsys, monkeypatch
):
    compared = []
    monkeypatch.setattr(
        collect, "compare", lambda folders, target, workspace: compared.append((folders, target)) or {}, raising=False
    )
    base = tmp_path / "results" / "lessons" / "stub" / "digits"
    options = ("-p", "latent_dim", 2, 10, "-p", "learning_rate", 0.001, 2, "--epochs", 2, "--workers", 2)
    assert main(*options) == 1
    said, errors = capsys.readouterr()
    assert "8 runs in 4 folders of " in errors
    assert "8 runs to do in " in errors
    assert "latent_dim=10,epochs=2/kl_01.00_seed0: done" in errors
    assert "4 of 8 runs are done, in 4 folders of " in said
    assert said.count("failed: InputError: the losses are not finite") == 4
    assert runs.is_done(base / "epochs=2" / "kl_01.00_seed0")
    assert runs.read_json(base / "latent_dim=10,epochs=2" / "kl_00.00_seed0" / "config.json")["latent_dim"] == 10
    assert not list(base.rglob(".running-*"))
    assert compared == [
        ([base / "epochs=2", base / "latent_dim=10,epochs=2"], base / "comparison-latent_dim,learning_rate,epochs=2")
    ]
    for folder in (base / "epochs=2", base / "latent_dim=10,epochs=2"):
        assert (folder / "loss_table.csv").exists()
    made = {path: path.stat().st_mtime_ns for path in base.rglob("kl_*/record.json")}
    assert len(made) == 4
    assert main("-p", "latent_dim", 10, 2, "--epochs", 2) == 0
    assert "2 of 2 runs are done already" in capsys.readouterr().err
    assert {path: path.stat().st_mtime_ns for path in base.rglob("kl_*/record.json")} == made


def test_if_one_of_the_folders_is_in_use_nothing_runs(main, tmp_path, capsys):
    base = tmp_path / "results" / "lessons" / "stub" / "digits"
    with locked(base / "latent_dim=10"):
        assert main("-p", "latent_dim", 2, 10) == 75
    assert f"sweep: another sweep is at work in {base / 'latent_dim=10'}" in capsys.readouterr().err
    assert not list(base.rglob("kl_*"))
