from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.made_up import sweep_of
from tests.run_folders import make_run
from vae_core import runs
from vae_core.errors import InputError
from vae_core.report import captions, comparison
from vae_core.runs import Runs


def with_settings(sweep: Runs, **settings) -> Runs:
    return Runs(sweep.settings.assign(**settings), sweep.measures, sweep.folders)


def settings_beside(sweep: Runs, name: str, by: dict[int, float]) -> Runs:
    """The sweep with a measure that is larger by some number at each seed."""
    values = sweep.measures[name] + sweep.settings["seed"].map(by)
    return Runs(sweep.settings, sweep.measures.assign(**{name: values}), sweep.folders)


TWO = with_settings(sweep_of([0.5, 1.0], seeds=3), latent_dim=2)
TEN = with_settings(settings_beside(TWO, "nll", {0: -1.0, 1: -2.0, 2: -3.0}), latent_dim=10)
SWEEPS = {"latent_dim 2": TWO, "latent_dim 10": TEN}


def test_differences_are_paired_by_seed_and_bold_where_they_are_larger_than_the_spread():
    table = comparison.differences(SWEEPS)
    assert table.index.tolist() == [("latent_dim 10", "0.5"), ("latent_dim 10", "1")]
    half = 4.3027 / np.sqrt(3)  # of differences with deviation 1
    assert table.iloc[0]["nll"] == f"-2.00 [{-2 - half:.2f}, +{half - 2:.2f}]"
    assert table.iloc[0]["rate"] == "+0.00 [+0.00, +0.00]"
    assert table["common seeds"].tolist() == ["3", "3"]
    clear = settings_beside(TWO, "nll", {0: -1.9, 1: -2.0, 2: -2.1})
    assert comparison.differences({"a": TWO, "b": clear}).iloc[0]["nll"] == "**-2.00 [-2.25, -1.75]**"


def test_with_one_seed_nothing_can_be_said_of_the_spread():
    one = {label: sweep.take(sweep.settings.index[sweep.settings["seed"] == 0]) for label, sweep in SWEEPS.items()}
    page = comparison.differences_page(one)
    assert "cannot be said" in page
    assert "-1.00" in page
    assert "[" not in page
    assert "**" not in page


def test_without_a_common_seed_or_weight_there_is_no_difference():
    apart = with_settings(TEN, seed=TEN.settings["seed"] + 7)
    assert "No two settings have a weight and a seed in common" in comparison.differences_page({"a": TWO, "b": apart})
    others = with_settings(TEN, kl_weight=TEN.settings["kl_weight"] + 7)
    assert "No two settings" in comparison.differences_page({"a": TWO, "b": others})
    assert "nothing to compare it with" in comparison.differences_page({"a": TWO})


def test_the_table_has_a_row_per_run_and_no_empty_column_and_none_of_a_single_dimension():
    more = {"rate_z9": 0.1, "code_cov_z0z9": 1.0, "collapse_weight9": 2.0, "predicted_active_units": 8, "odd": np.nan}
    wider = Runs(TEN.settings, TEN.measures.assign(**more), TEN.folders)
    table = comparison.comparison_table({"latent_dim 2": TWO, "latent_dim 10": wider})
    assert list(table)[:6] == ["setting", "latent_dim", "kl_weight", "seed", "nll", "negative_elbo"]
    assert len(table) == 12
    assert table["latent_dim"].tolist() == [2] * 6 + [10] * 6
    assert not any("_z" in name or "collapse_weight" in name for name in table)
    assert "predicted_active_units" in table
    assert "odd" not in table
    assert not table.isna().all().any()
    assert table["nll"].tolist() == pytest.approx([*TWO.measures["nll"], *TEN.measures["nll"]])


def test_side_by_side_has_mean_and_spread_of_each_weight_and_setting():
    table = comparison.side_by_side(SWEEPS)
    assert table.index.tolist()[:2] == [("0.5", "latent_dim 2"), ("0.5", "latent_dim 10")]
    nll = TEN.measures["nll"][TEN.settings["kl_weight"] == 1.0]
    assert table.loc[("1", "latent_dim 10"), "nll"] == f"{nll.mean():.2f} ± {nll.std():.2f}"


def test_each_setting_has_its_own_advice():
    table = comparison.advice_of_each(SWEEPS)
    assert list(table) == list(SWEEPS)
    assert table.loc["largest weight that keeps half of the units active", "latent_dim 2"] == "-"
    assert "nan" not in table.to_markdown()


@pytest.mark.parametrize(
    ("here", "there", "reason"),
    [
        (
            {"likelihood": "bernoulli"},
            {"likelihood": "gaussian"},
            "of a density in one, gaussian, and",
        ),
        ({"likelihood": "gaussian"}, {"likelihood": "continuous_bernoulli"}, ""),
        ({"binarise": "threshold"}, {"binarise": "no"}, "binarise threshold and no"),
        ({"data_checksum": "1"}, {"data_checksum": "2", "dataset": "mnist"}, "of different data, digits and mnist"),
        ({"latent_dim": 2}, {"latent_dim": 10}, ""),
    ],
)
def test_only_what_is_of_one_kind_stands_side_by_side(here, there, reason):
    usual = {"dataset": "digits", "data_checksum": "1", "binarise": "no", "likelihood": "bernoulli"}
    assert reason in (found := captions.incomparable(usual | here, usual | there))
    assert bool(found) == bool(reason)


def made_folder(place: Path, checksum="abc", dataset="digits", **settings) -> Path:
    for kl_weight, seed in ((1.0, 0), (2.0, 0)):
        config = {"dataset": dataset, "kl_weight": kl_weight, "epochs": 5, "seed": seed, **settings}
        make_run(place / runs.run_name(kl_weight, seed), config | {"data_checksum": checksum})
    return place


def test_settings_are_labelled_by_what_differs_and_younger_settings_count_as_their_defaults(tmp_path):
    folders = [made_folder(tmp_path), made_folder(tmp_path / "latent_dim=10", latent_dim=10, target_rate=None)]
    assert list(comparison.read_sweeps(folders)) == ["latent_dim 2", "latent_dim 10"]
    third = made_folder(tmp_path / "both", latent_dim=10, free_bits=0.5, target_rate=3.0)
    assert list(comparison.read_sweeps([*folders, third])) == [
        "latent_dim 2, free_bits 0, target_rate none",
        "latent_dim 10, free_bits 0, target_rate none",
        "latent_dim 10, free_bits 0.5, target_rate 3",
    ]


def test_two_sweeps_with_the_same_settings_are_labelled_by_their_folders(tmp_path):
    folders = [made_folder(tmp_path / "a" / "digits"), made_folder(tmp_path / "b" / "digits")]
    assert list(comparison.read_sweeps(folders)) == [str(Path("a", "digits")), str(Path("b", "digits"))]


def test_sweeps_of_other_data_are_refused(tmp_path):
    folders = [made_folder(tmp_path / "a"), made_folder(tmp_path / "b", checksum="other")]
    with pytest.raises(InputError, match="cannot be compared: they are of different data"):
        comparison.read_sweeps(folders)


def test_folders_that_are_not_there_or_twice_are_told(tmp_path):
    with pytest.raises(InputError, match="is not there"):
        comparison.sweep_folders([tmp_path / "none"])
    (tmp_path / "x").mkdir()
    with pytest.raises(InputError, match="are the same folder"):
        comparison.sweep_folders([tmp_path, tmp_path / "x" / ".."])
    with pytest.raises(InputError, match="has no finished run"):
        comparison.read_sweeps([tmp_path])


def test_without_folders_it_is_the_published_ones_and_nothing_is_written_there():
    folders = comparison.sweep_folders([])
    assert folders[0] == runs.RESULTS / "published" / "kl_sweep" / "mnist"
    assert not any(runs.is_done(folder) for folder in folders)
    assert comparison._usual_output(comparison.common_parent(folders)) == runs.RESULTS / "comparison"


@pytest.mark.parametrize(("settings", "weights"), [(1, [1.0]), (2, [0.0, 1.0]), (12, np.geomspace(0.01, 90, 30))])
def test_figures_of_few_and_many_settings_hold_all_that_there_is(settings, weights, tmp_path):
    sweeps = {f"latent_dim {place}": with_settings(sweep_of(weights), latent_dim=place) for place in range(settings)}
    for name in comparison.FIGURES:
        assert comparison.draw(tmp_path, name, sweeps).data
        assert Image.open(tmp_path / f"{name}.png").width <= 1400


def test_a_weight_that_one_setting_lacks_is_an_empty_cell_of_the_heat_map():
    losses = {"a": comparison.loss_table(sweep_of([1.0, 2.0])), "b": comparison.loss_table(sweep_of([1.0]))}
    figure = comparison.figures.active_units(losses, "units")
    drawn = figure.axes[0].images[0].get_array()
    assert drawn.mask.tolist() == [[False, False], [False, True]]
    assert len(figure.axes[0].texts) == 3
    assert figure.axes[0].get_title() == "units; grey: not run"


def test_each_line_of_the_plane_goes_through_the_means_of_its_weights():
    losses = {label: comparison.loss_table(sweep) for label, sweep in SWEEPS.items()}
    figure = comparison.figures.rate_distortion(losses, "plane")
    lines = [container.lines[0] for container in figure.axes[0].containers]
    for line, table in zip(lines, losses.values(), strict=True):
        np.testing.assert_allclose(line.get_xydata(), table[["rate_mean", "distortion_mean"]])


def test_diverged_runs_are_in_no_figure_and_what_was_not_measured_has_a_sentence(tmp_path):
    gone = with_settings(sweep_of([1.0], distortion=1e9), latent_dim=10)
    assert "There is no figure" in comparison.draw(tmp_path, "curves", {"a": gone}).data
    without = {"a": Runs(TWO.settings, TWO.measures.drop(columns="active_units"), TWO.folders)}
    assert "has active_units" in comparison.draw(tmp_path, "active_units", without).data
    assert "No two settings" in comparison.differences_page({"a": gone, "b": TWO})
