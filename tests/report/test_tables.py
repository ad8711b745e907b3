import shutil

import numpy as np
import pandas as pd
import pytest

from tests.made_up import runs_of
from tests.run_folders import make_run
from vae_core.report import captions, findings, published, tables
from vae_core.runs import Runs
from vae_core.tutorials import TUTORIAL_FILE, tutorial_table


def summary(rates, distortions, seeds=(0, 1), spread=1.0, **settings):
    """Runs whose distortions differ by `spread` from seed to seed; objective and bound follow from the two terms."""
    rows = []
    for kl_weight, (rate, distortion) in zip((0.0, 1.0, 10.0), zip(rates, distortions, strict=True), strict=False):
        for seed in seeds:
            row = {"dataset": "mnist", "kl_weight": kl_weight, "seed": seed, "epochs": 40, "batch_size": 128}
            row |= {"learning_rate": 1e-3, "hidden_units": 512, "threads": 1} | settings
            row |= {
                "distortion": distortion + spread * seed,
                "rate": rate,
                "active_units": int(rate > 0.05) + int(rate > 2),
            }
            row |= {"objective": row["distortion"] + kl_weight * rate, "negative_elbo": row["distortion"] + rate}
            row |= {"nll": row["negative_elbo"] - 1, "mutual_information": min(rate, 5), "distortion_se": 0.1}
            rows.append(row | {"entropy_floor": 45.0, "zero_information_distortion": 205.0, "images": 10_000})
    return pd.DataFrame(rows)


def answers(table):
    return findings.findings(runs_of(table))["answer"].tolist()


USUAL = summary(rates=(100.0, 6.0, 0.01), distortions=(140.0, 150.0, 205.0))


def test_loss_table_has_mean_and_sample_deviation_over_seeds():
    losses = tables.loss_table(runs_of(summary((1, 2, 3), (10, 20, 30), seeds=(0, 1, 2), spread=3.0)))
    assert losses["kl_weight"].tolist() == [0, 1, 10]
    assert losses["seeds"].tolist() == [3, 3, 3]
    assert losses["distortion_mean"].tolist() == pytest.approx([13, 23, 33])
    assert losses["distortion_std"].tolist() == pytest.approx([3, 3, 3])
    assert losses["rate_std"].tolist() == pytest.approx([0, 0, 0])


def test_loss_table_has_every_measure_and_neither_settings_nor_standard_errors():
    losses = tables.loss_table(runs_of(USUAL))
    assert {"nll_mean", "nll_std", "mutual_information_mean", "entropy_floor_mean"} <= set(losses)
    assert not {"distortion_se_mean", "threads_mean", "batch_size_mean"} & set(losses)


def test_a_new_setting_of_words_and_a_new_measure_are_told_apart_without_any_list():
    runs = runs_of(USUAL)
    more = Runs(
        runs.settings.assign(kl_schedule="cyclical", free_bits=0.5), runs.measures.assign(new=1.0), runs.folders
    )
    losses = tables.loss_table(more)
    assert set(losses) - set(tables.loss_table(runs)) == {"new_mean", "new_std"}
    assert {"kl_schedule", "free_bits", "new"} <= set(more.table())
    page = tables.reproduction_page(more, runs)  # the published one is older than the setting
    assert "kl_schedule cyclical (published: constant)" in page
    other = Runs(more.settings.assign(kl_schedule="linear"), more.measures, more.folders)
    assert "kl_schedule linear (published: cyclical)" in tables.reproduction_page(other, more)


def test_dimensions_are_ranked_within_each_run():
    swapped = pd.DataFrame({"kl_weight": [1.0, 1.0, 2.0], "rate_z0": [3.0, 1.0, 0.5], "rate_z1": [0.0, 5.0, 0.4]})
    ranked = tables.ranked_rates(runs_of(swapped.assign(rate_z0_se=9.0)))
    assert ranked.loc[1.0, "mean"].tolist() == [4.0, 0.5]
    assert ranked.loc[1.0, "std"].tolist() == pytest.approx([np.sqrt(2), np.sqrt(0.5)])
    assert ranked.loc[2.0, "mean"].tolist() == [0.5, 0.4]


def test_drawn_table_has_prior_and_mixture_of_each_weight_and_the_real_images_once():
    scores = {
        f"{name}_{score}": place for place, name in enumerate(("prior", "mixture", "test")) for score in tables.DRAWN
    }
    table = tables.drawn_table(runs_of(USUAL.assign(**scores)))
    assert len(table) == 2 * 3 + 1
    assert table.loc[("10", "prior"), "sharpness"] == "0.0000 ± 0.0000"
    assert table.loc[("10", "mixture"), "confidence"] == "1.00 ± 0.00"
    assert table.loc[("-", "real test images")].tolist() == ["2.00", "2.00", "2.00", "2.0000"]


def test_without_labels_the_drawn_table_has_precision_and_recall_and_those_of_training_images():
    scores = {f"{name}_{score}": 0.25 for name in ("prior", "mixture") for score in tables.DRAWN_WITHOUT_LABELS}
    scores |= {"train_precision": 0.75, "train_recall": 0.5, "test_sharpness": 0.125}
    table = tables.drawn_table(runs_of(USUAL.assign(**scores)))
    assert list(table) == ["sharpness", "precision", "recall"]
    assert table.loc[("10", "prior")].tolist() == ["0.2500 ± 0.0000", "0.25 ± 0.00", "0.25 ± 0.00"]
    assert table.loc[("-", "real images")].tolist() == ["0.1250", "0.75", "0.50"]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"latent_dim": 10}, "latent_dim 10; 40 epochs"),
        ({"free_bits": 0.5}, "each of them counted as 0.5 at least)."),
        ({"kl_schedule": "linear"}, "the weight rises on a straight line from 0 over the first 10 epochs."),
        ({"kl_schedule": "cyclical", "kl_cycles": 4, "kl_ramp": 0.5}, "goes through 4 cycles, in each from 0 on a"),
        ({"target_rate": 25.0, "kl_schedule": "cosine"}, "a target of 25). The target rises on half a cosine"),
        ({"target_distortion": 100.0}, "Minimised: the rate, at a distortion of 100 at most if training reaches it."),
        ({"likelihood": "gaussian", "pixel_variance": 0.5}, "of a density (a Gaussian of variance 0.5 in each pixel)"),
    ],
)
def test_a_caption_says_what_was_minimised_and_what_cannot_be_compared(settings, said):
    usual = captions.caption(runs_of(USUAL))
    assert "Minimised" not in usual
    assert "density" not in usual
    assert said in captions.caption(runs_of(USUAL.assign(**settings)))


def test_a_sweep_of_another_kind_is_not_set_beside_the_published_one(monkeypatch, tmp_path):
    theirs = make_run(
        tmp_path / "mnist" / "kl_01.00_seed0", {"dataset": "mnist", "kl_weight": 1.0, "seed": 0, "epochs": 1}
    )
    config = {"dataset": "mnist", "kl_weight": 1.0, "seed": 0, "epochs": 1, "likelihood": "gaussian"}
    make_run(tmp_path / "ours" / "kl_01.00_seed0", config)
    monkeypatch.setattr(published, "SWEEPS", tmp_path)
    assert "cannot be compared: -log p(x) is of a density" in published.reproduction_check(tmp_path / "ours")
    assert "nothing to compare it with" in published.reproduction_check(theirs.parent)


def test_predicted_weights_have_no_deviation():
    losses = tables.loss_table(runs_of(USUAL.assign(collapse_weight0=31.58, collapse_weight1=30.25)))
    assert losses["collapse_weight1_mean"].tolist() == [30.25] * 3
    assert not [name for name in losses if name.startswith("collapse_weight") and name.endswith("_std")]


def test_one_seed_has_no_deviation():
    one = summary((1, 2, 3), (10, 20, 30), seeds=(0,))
    assert np.isnan(tables.loss_table(runs_of(one))["rate_std"]).all()
    assert tables.readable_table(tables.loss_table(runs_of(one)))["rate"].tolist() == ["1.00", "2.00", "3.00"]
    assert "±" not in captions.caption(runs_of(one))


def test_loss_table_page_names_data_and_anchors():
    page = tables.loss_table_page(runs_of(USUAL))
    for part in ("MNIST, 28x28", "10,000 test images", "40 epochs", "seeds 0, 1", "45.00", "205.00", "140.50 ± 0.71"):
        assert part in page
    assert "not MNIST" in captions.caption(runs_of(USUAL.assign(dataset="digits")))


def test_findings_of_a_usual_sweep():
    assert answers(USUAL) == ["1", "yes, at every step", "yes, at every step", "10", "40%, at 0"]


def predicted_to(table, units):
    """The table with so many predicted units at each weight."""
    return table.assign(predicted_active_units=table["kl_weight"].map(units))


def predicted_finding(table):
    (row,) = (row for row in findings.findings(runs_of(table)).itertuples() if "predicts" in row.Index)
    return tuple(row)[1:]


def test_a_finding_names_the_weights_at_which_found_and_predicted_units_differ():
    assert USUAL.groupby("kl_weight")["active_units"].mean().tolist() == [2, 2, 0]
    agreeing = predicted_to(USUAL, {0.0: 2, 1.0: 2, 10.0: 0})
    assert predicted_finding(agreeing) == ("nowhere", "2 units at the least weight, 0 at the last")
    apart = predicted_to(USUAL, {0.0: 3, 1.0: 2, 10.0: 1})
    numbers = "0: 3 predicted, 2.00 ± 0.00 found; 10: 1 predicted, 0.00 ± 0.00 found"
    assert predicted_finding(apart) == ("at 0, 10", numbers)
    one = (apart["kl_weight"] == 10) & (apart["seed"] == 1)
    at_one_seed = apart.assign(active_units=apart["active_units"] + one)
    assert predicted_finding(at_one_seed)[0] == "at 0, 10 (within the spread)"
    assert predicted_finding(apart[apart["seed"] == 0])[0] == "at 0, 10"
    old = apart.assign(predicted_active_units=apart["predicted_active_units"].where(apart["kl_weight"] != 10))
    assert predicted_finding(old)[0] == "at 0"


def test_a_question_asked_at_every_weight_gets_intervals_that_hold_at_all_of_them():
    """2, 3 and 4 too many: t is 5.2. The limit is 4.3 for one comparison, 6.2 for two steps, 7.6 for three weights."""
    table = predicted_to(summary((100, 6, 6), (140, 150, 205), seeds=(0, 1, 2)), {0.0: 2, 1.0: 2, 10.0: 2})
    too_many = (table["seed"] + 2) * (table["kl_weight"] == 10)
    more = table.assign(rate=table["rate"] + too_many, active_units=table["active_units"] + too_many)
    assert answers(more)[1] == "not from 1 to 10 (within the spread)"
    assert predicted_finding(more)[0] == "at 10 (within the spread)"
    assert predicted_finding(more[more["kl_weight"] == 10])[0] == "at 10"
    two_weights = more[more["kl_weight"] > 0]
    assert answers(two_weights)[1] == "not from 1 to 10"


def test_a_code_is_empty_where_no_seed_has_an_active_unit_whatever_its_rate():
    alive = USUAL.assign(active_units=USUAL["active_units"] + ((USUAL["kl_weight"] == 10) & (USUAL["seed"] == 1)))
    assert answers(alive)[3] == "none"
    assert findings.findings(runs_of(alive)).iloc[3, 1] == "at least 0.50 active units"
    assert answers(USUAL.assign(active_units=0))[3] == "0, 1, 10"


def test_the_loss_table_has_predicted_beside_found_units_without_a_deviation():
    losses = tables.loss_table(runs_of(predicted_to(USUAL, {0.0: 2, 1.0: 1, 10.0: 0})))
    table = tables.readable_table(losses)
    assert list(table)[-3:] == ["active_units", "predicted_active_units", "seeds"]
    assert "predicted_active_units_std" not in losses
    assert table["predicted_active_units"].tolist() == ["2", "1", "0"]
    assert "predicted_active_units" not in tables.readable_table(tables.loss_table(runs_of(USUAL)))


def test_findings_come_out_the_other_way_when_the_numbers_do():
    reversed_sweep = summary(rates=(0.01, 6.0, 5.0), distortions=(205.0, 150.0, 60.0))
    assert answers(reversed_sweep) == ["10", "not from 0 to 1", "not from 0 to 1, 1 to 10", "0", "90%, at 10"]


def test_findings_tell_what_the_spread_of_the_differences_allows():
    close = summary(rates=(90.0, 6.0, 5.0), distortions=(140.0, 150.0, 149.5))  # the same difference at both seeds
    assert answers(close)[0] == "10"
    assert answers(close)[2] == "not from 1 to 10"
    one_run = (close["kl_weight"] == 10) & (close["seed"] == 1)
    noisy = close.assign(
        distortion=close["distortion"] + 2.0 * one_run, negative_elbo=close["negative_elbo"] + 2.0 * one_run
    )
    assert answers(noisy)[0] == "10; within the spread also 1"
    closer = close.assign(distortion=close["distortion"] + 0.9 * one_run)
    assert answers(closer)[2] == "not from 1 to 10 (within the spread)"
    assert answers(noisy[noisy["seed"] == 0])[0] == "10"  # one seed has no spread


def test_findings_of_one_weight_claim_no_trend():
    only = USUAL[USUAL["kl_weight"] == 1]
    assert answers(only) == ["1", "there is only one weight", "there is only one weight", "none", "34%, at 1"]
    assert findings.exchange_rates(runs_of(only)).empty


def test_exchange_rate_of_weights_without_a_common_seed_is_unknown():
    uneven = USUAL[(USUAL["kl_weight"] == 0) ^ (USUAL["seed"] == 0)]
    assert findings.exchange_rates(runs_of(uneven))["between the two weights?"].tolist()[0] == "unknown"


def test_exchange_rate_is_the_distortion_paid_per_nat_and_is_judged_by_the_weights():
    sweep = summary(rates=(30.0, 20.0, 19.0), distortions=(100.0, 105.0, 90.0), seeds=(0,))
    table = findings.exchange_rates(runs_of(sweep))
    assert table["rate saved [nats]"].tolist() == ["10.00", "1.00"]
    assert table["distortion paid per nat"].tolist() == ["0.500", "-15.000"]
    assert table["between the two weights?"].tolist() == ["yes", "no"]


def test_exchange_rate_outside_the_weights_by_less_than_the_seeds_differ_is_no_refutation():
    sweep = summary(rates=(30.0, 20.0), distortions=(100.0, 112.0), seeds=(0, 1))
    sweep.loc[(sweep["kl_weight"] == 1) & (sweep["seed"] == 1), "distortion"] += 8  # prices 1.2 and 2
    table = findings.exchange_rates(runs_of(sweep))
    assert table["distortion paid per nat"].tolist() == ["1.600 ± 0.566"]
    assert table["between the two weights?"].tolist() == ["within the spread"]  # of two seeds, ± 9 deviations
    sweep.loc[(sweep["kl_weight"] == 1) & (sweep["seed"] == 1), "distortion"] -= 7.5  # prices 1.2 and 1.25
    assert findings.exchange_rates(runs_of(sweep))["between the two weights?"].tolist() == ["within the spread"]
    sweep.loc[(sweep["kl_weight"] == 1) & (sweep["seed"] == 1), "distortion"] -= 0.4  # prices 1.2 and 1.21
    assert findings.exchange_rates(runs_of(sweep))["between the two weights?"].tolist() == ["no"]
    more = summary(rates=(30.0, 20.0, 10.0), distortions=(100.0, 112.0, 142.0), seeds=(0, 1))
    more.loc[(more["kl_weight"] > 0) & (more["seed"] == 1), "distortion"] += 0.25  # prices 1.2 and 1.225, then 3
    assert findings.exchange_rates(runs_of(more))["between the two weights?"].tolist() == ["within the spread", "yes"]
    first = more[more["kl_weight"] < 10]  # with one pair alone the interval is half as wide
    assert findings.exchange_rates(runs_of(first))["between the two weights?"].tolist() == ["no"]


def test_reproduction_gives_differences_in_published_spreads():
    page = tables.reproduction_page(runs_of(summary((100.0, 6.0), (142.0, 150.0), seeds=(0,))), runs_of(USUAL))
    assert "settings of the published sweep" in page
    row = next(line for line in page.splitlines() if line.startswith("|") and line.split("|")[1].strip() == "0")
    assert "142.00" in row
    assert "140.50 ± 0.71" in row
    assert "+1.50 (+2.1 spreads)" in row


def test_reproduction_names_settings_that_differ_and_survives_nothing_in_common():
    page = tables.reproduction_page(runs_of(USUAL[USUAL["kl_weight"] < 10].assign(epochs=5)), runs_of(USUAL))
    assert "epochs 5 (published: 40)" in page
    assert "only one of the two has: 10." in page
    assert "no weight in common" in tables.reproduction_page(runs_of(USUAL.assign(kl_weight=7.0)), runs_of(USUAL))


def surprising(**measures):
    usual = {"draw_spread": 1.0, "mean_spread": 0.25, "mixture_classes": 9, "prior_classes": 4, "moment_kl": 60.0}
    usual |= {"nll_above_quadrature": 0.1, "prior_class_entropy": 2.0}
    weight = USUAL["kl_weight"]
    return USUAL.assign(**usual, knn_accuracy=weight / 20, prior_confidence=0.9 - weight / 20).assign(**measures)


def test_the_best_weight_is_not_one_that_another_beats_at_the_seeds_of_both():
    """2 has the largest mean, but only since it lacks the third seed."""
    good = pd.DataFrame({1.0: [11.0, 11.1, 2.0], 2.0: [10.0, 10.0, np.nan], 3.0: [11.2, 8.0, 3.0]})
    assert good.mean().idxmax() == 2.0
    assert findings.best_weight(good) == (1.0, [3.0])


def test_surprises_carry_the_numbers_of_the_sweep_and_the_best_weight_is_looked_up():
    answers = findings.surprises(runs_of(surprising()))
    assert "100.00 ± 0.00 nats, and 5.0% of it" in answers["Is the rate information?"]
    assert "ln 10,000 = 9.21" in answers["Is the rate information?"]
    assert "more than 40 nats" in answers["Is the rate information?"]
    assert "156.50 ± 0.71 and 155.50 ± 0.71 at 1" in answers["How close is the bound to what it bounds?"]
    best = answers["Which weight is best?"]
    assert "-log p(x): 1 (155.50 ± 0.71; " in best
    assert "one class: 10 (0.500 ± 0.000; 0.050 ± 0.000 at 1)" in best
    assert "sure" not in best  # a judge is sure of grey smears too
    assert "classes: 0 (2.00 ± 0.00, within the spread also 1, 10; " in best
    page = findings.surprises_page(runs_of(surprising()))
    assert page.count("\n- **") == len(answers) - 1 == 4


def test_a_weight_that_is_not_ahead_at_every_seed_alike_is_not_the_only_best():
    noise = {(0, 0): 0.5, (0, 1): 0.7, (1, 0): 0.49, (1, 1): 0.75}  # 1 is ahead of 0 by -0.01 and by 0.05
    noise |= {(10, 0): 0.09, (10, 1): 0.34}  # and of 10 by 0.4 and by 0.41
    pairs = zip(USUAL["kl_weight"], USUAL["seed"], strict=True)
    table = surprising(knn_accuracy=[noise.get(pair, 0.0) for pair in pairs])
    assert (
        "one class: 1 (0.620 ± 0.184, within the spread also 0; "
        in findings.surprises(runs_of(table))["Which weight is best?"]
    )


def test_a_sweep_without_the_weights_0_or_1_has_no_surprises():
    assert findings.surprises_page(runs_of(surprising().query("kl_weight > 0"))) == ""


def test_the_page_of_the_tutorials_keeps_a_pipe_within_its_cell(tmp_path, monkeypatch):
    for notebook, number in (("one", "003"), ("two", "001")):
        folder = make_run(tmp_path / notebook / "mnist" / "kl_01.00_seed0", {"kl_weight": 1.0, "seed": 0, "epochs": 1})
        rows = tutorial_table(number, [("KL(q || p(z|x))", "0", "-", "it is no | of Markdown")])
        rows.to_csv(folder / TUTORIAL_FILE, index=False)
        shutil.copytree(folder, folder.with_suffix(".bak"))
    monkeypatch.setattr(published, "LESSONS", tmp_path)
    page = published.tutorials_page(published.tutorial_tables())
    first, second = [line for line in page.splitlines() if line.startswith("| 0")]  # none from the copies
    cells = [cell.strip() for cell in first.replace(r"\|", "PIPE").strip("|").split("|")]
    assert cells == ["001", "KL(q PIPEPIPE p(zPIPEx))", "0", "-", "it is no PIPE of Markdown"]
    assert second.startswith("| 003")
    assert "Charmve" in page
