import shutil

import numpy as np
import pandas as pd
import pytest

from tests.made_up import runs_of, sweep_of
from vae_core.errors import InputError
from vae_core.explorer.page import explorer_page
from vae_core.network_file import ARRAYS, LAYERS, PARTS, OneNetwork, write_network
from vae_core.report import claims, findings, sheets, tables
from vae_core.report.diverged import diverged, diverged_runs, sound
from vae_core.runs import Runs, file_hashes, read_json, write_json

# On digits at weight 0, learning_rate 0.3, after one epoch.
DIVERGED = {"distortion": 982_901.5, "rate": 144_699.5, "negative_elbo": 1_127_601.0}


def sweep_with(*gone: tuple[float, int]) -> Runs:
    """Weights 0, 1 and 4, two seeds, of which some (kl_weight, seed) have diverged."""
    runs = sweep_of([0.0, 1.0, 4.0], seeds=2, **dict.fromkeys(("mean_spread", "draw_spread"), 1.0))
    measures = runs.measures.copy()
    for row, run in enumerate(zip(runs.settings["kl_weight"], runs.settings["seed"], strict=True)):
        if run in gone:
            measures.loc[row, list(DIVERGED)] = list(DIVERGED.values())
    return Runs(runs.settings, measures, runs.folders)


@pytest.mark.parametrize(
    ("distortion", "rate", "corner", "gone"),
    [
        (DIVERGED["distortion"], DIVERGED["rate"], 386.8, True),
        (140.8, 1e6, 205.8, False),  # at weight 0 nothing holds the rate
        (543.4, 0.0, 205.8, False),  # grey images of MNIST: an untrained model
        (np.nan, 5.0, 205.8, True),
        (140.8, np.inf, 205.8, True),
        (-900.0, 5.0, -300.0, False),  # densities may be above 1
        (2_699.0, 5.0, -300.0, False),
        (2_701.0, 5.0, -300.0, True),
    ],
)
def test_a_run_has_diverged_if_it_is_far_above_a_code_that_says_nothing(distortion, rate, corner, gone):
    measures = pd.DataFrame({"distortion": [distortion], "rate": rate, "zero_information_distortion": corner})
    assert diverged(measures).tolist() == [gone]


def test_a_density_is_measured_against_its_own_range():
    """On digits after ten epochs with a learned variance, which was 0.37 on its way down: healthy."""
    young = pd.DataFrame({"distortion": [367.2], "rate": 3.6, "zero_information_distortion": -34.0})
    assert diverged(young).tolist() == [True]
    assert diverged(young.assign(entropy_floor=-3983.6)).tolist() == [False]


def test_the_table_names_diverged_runs_and_its_means_are_those_of_the_others(tmp_path):
    runs = sweep_with((0.0, 0), (4.0, 0), (4.0, 1))
    losses = tables.loss_table(runs).set_index("kl_weight")
    assert losses["seeds"].tolist() == [2, 2, 2]
    assert losses["diverged"].tolist() == [1, 0, 2]
    usual = tables.loss_table(sweep_with()).set_index("kl_weight")
    assert losses.loc[0.0, "distortion_mean"] == runs.measures["distortion"][1]
    assert losses.loc[1.0, "distortion_mean"] == usual.loc[1.0, "distortion_mean"]
    assert losses.loc[4.0, "distortion_mean"] == DIVERGED["distortion"]  # there is no other run
    page = tables.loss_table_page(runs)
    assert "**Diverged: kl_weight 0, seed 0; kl_weight 4, seeds 0, 1**" in page
    row = next(line for line in page.splitlines() if line.startswith("|") and line.split("|")[1].strip() == "4")
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert (cells[0], cells[1], *cells[-2:]) == ("4", "982901.50 ± 0.00", "2", "2")
    assert "iverged" not in tables.loss_table_page(sweep_with())
    sheets.write_tables(tmp_path, runs)
    summary = pd.read_csv(tmp_path / "summary.csv")
    assert summary["diverged"].tolist() == [True, False, False, False, True, True]
    assert summary["distortion"].tolist() == pytest.approx(runs.measures["distortion"].tolist())


def test_findings_and_claims_are_those_of_the_sound_runs():
    gone, without = sweep_with((4.0, 0), (4.0, 1)), sound(sweep_with((4.0, 0), (4.0, 1)))
    assert without.settings["kl_weight"].tolist() == [0, 0, 1, 1]
    for made in (findings.findings, findings.exchange_rates):
        pd.testing.assert_frame_equal(made(gone), made(without))
    assert "983" not in findings.findings(gone).to_markdown()


def test_a_sweep_of_which_every_run_has_diverged_has_tables_and_no_sheet(tmp_path, capsys):
    every = sweep_with(*((kl_weight, seed) for kl_weight in (0.0, 1.0, 4.0) for seed in (0, 1)))
    sheets.write_tables(tmp_path, every)
    sheets.draw_sheets(tmp_path, every)
    sheets.draw_lesson_sheets(tmp_path, every)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["loss_table.csv", "loss_table.md", "summary.csv"]
    assert diverged_runs(every) in capsys.readouterr().err
    assert "its runs have diverged" in sheets.sheet(tmp_path, "rate_distortion").data
    assert findings.findings(every).empty
    assert findings.exchange_rates(every).empty
    assert set(claims.claims(every)["verdict"]) == {"-"}
    assert "982901.50" in tables.reproduction_page(every, sweep_with())


def test_a_diverged_run_is_in_no_sheet(tmp_path, monkeypatch, capsys):
    drawn = {}
    monkeypatch.setattr(sheets, "save_figure", lambda path, figure: drawn.update({path.stem: figure}))
    runs = sweep_with((0.0, 0))
    histories = pd.DataFrame({"epoch": [1, 2], "val_distortion": 150.0, "val_rate": 5.0})
    folders = [tmp_path / str(row) for row in range(6)]
    for folder in folders[1:]:  # none is asked of the run that has diverged
        folder.mkdir()
        histories.to_csv(folder / "history.csv", index=False)
    sheets.draw_sheets(tmp_path, Runs(runs.settings, runs.measures, folders))
    assert set(drawn) == {"rate_distortion", "rate_split", "dimensions", "loss_curves"}
    axes = drawn["rate_distortion"].axes[0]
    places = np.concatenate([points.get_offsets() for points in axes.collections])
    assert len(places) == 5 + 1
    assert max(*places[:, 1], axes.get_ylim()[1]) < 300
    said = capsys.readouterr().err
    assert "diverged, and so in no figure: kl_weight 0, seed 0\n" in said


def test_the_plane_has_the_curve_of_the_one_network_where_there_is_one(tmp_path, monkeypatch, capsys):
    drawn = []
    monkeypatch.setattr(sheets, "_save_sheet", lambda sweep_dir, name, figure: drawn.append((name, figure)))
    monkeypatch.setattr(sheets, "_loss_curves", lambda shown: None)
    curve = pd.DataFrame({"kl_weight": [1.0, 4.0], "rate": [6.0, 4.0], "distortion": [150.0, 160.0]})
    layers = {name: dict.fromkeys(PARTS, np.zeros((2, 2))) for name in LAYERS}
    write_network(tmp_path, OneNetwork(np.array([0.1, 4.0]), layers, curve, {"seed": 0}))
    sheets.draw_sheets(tmp_path, sweep_with())
    axes = dict(drawn)["rate_distortion"].axes[0]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["one network for every weight"]
    assert any(np.array_equal(line.get_xydata(), [[6, 150], [4, 160]]) for line in axes.lines)
    (tmp_path / ARRAYS).write_bytes(b"")
    sheets.draw_sheets(tmp_path, sweep_with())
    assert dict(drawn)["rate_distortion"].axes[0].get_legend() is None
    assert "is damaged: make the network again" in capsys.readouterr().err


def test_of_many_weights_twelve_have_a_panel():
    for count, expected in ((12, 12), (13, 12), (200, 12), (1, 1)):
        weights = np.array([0.0, *np.geomspace(0.001, 90, count - 1)]) if count > 1 else np.array([3.0])
        shown = sheets.with_panels(runs_of(pd.DataFrame({"kl_weight": weights, "seed": 0}))).settings["kl_weight"]
        assert len(shown) == expected
        assert {weights[0], weights[-1], weights[np.abs(weights - 1).argmin()]} <= set(shown)
        assert shown.is_monotonic_increasing


@pytest.mark.parametrize("everywhere", [False, True])
@pytest.mark.parametrize("measure", ["mutual_information", "mean_spread", "prior_confidence", "test_sharpness", "nll"])
def test_a_measure_that_was_not_finite_is_a_dash_and_all_else_is_there(measure, everywhere, tmp_path, monkeypatch):
    drawn = {}
    monkeypatch.setattr(sheets, "save_figure", lambda path, figure: drawn.update({path.stem: figure}))
    monkeypatch.setattr(sheets, "_loss_curves", lambda shown: None)
    judged = {f"{name}_{score}": 1.0 for name in ("prior", "mixture", "test") for score in tables.DRAWN}
    runs = sweep_of([0.0, 1.0], mean_spread=1.0, knn_accuracy=1.0, **judged)
    lacking = runs.measures.drop(columns=measure) if everywhere else runs.measures.copy()
    if not everywhere:
        lacking.loc[0, measure] = np.nan
    runs = Runs(runs.settings, lacking, runs.folders)
    sheets.write_tables(tmp_path, runs)
    sheets.draw_sheets(tmp_path, runs)
    assert ("rate_split" in drawn) == (measure != "mutual_information" or not everywhere)
    pages = [tables.loss_table_page(runs), tables.drawn_table(runs).to_markdown(), claims.claims_page(runs)]
    assert not any("nan" in page for page in pages)
    assert "confirmed" in pages[2]
    assert len(findings.findings(runs)) == 5


def test_the_explorer_shows_the_sound_runs_and_names_the_others(digits_sweep, tmp_path):
    sweep_dir = shutil.copytree(digits_sweep[0], tmp_path / "digits")
    for folder in sweep_dir.glob("kl_00.00_seed*"):
        write_json(folder / "measures.json", read_json(folder / "measures.json") | DIVERGED)
        record = read_json(folder / "record.json")
        write_json(folder / "record.json", record | {"files": record["files"] | file_hashes(folder)})
    page = explorer_page(sweep_dir)
    assert "Not in this page: diverged: kl_weight 0, seeds 0, 1." in page
    assert "982901" not in page
    for folder in sweep_dir.glob("kl_0[14]*"):
        shutil.rmtree(folder)
    with pytest.raises(InputError, match=r"every run has diverged \(kl_weight 0, seeds 0, 1\): use a smaller learning"):
        explorer_page(sweep_dir)
