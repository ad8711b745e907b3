"""The lesson `one_network_every_weight`: its networks, what is compared, and the notebook on made-up runs."""

from functools import partial

import nbformat
import numpy as np
import pandas as pd
import pytest

from tests.run_folders import make_run
from tests.test_notebooks import assert_publishable
from vae_core import latent, measures, runs
from vae_core.data import load_dataset
from vae_core.errors import InputError
from vae_core.execution.notebook import execute_notebook
from vae_core.lessons.one_network_every_weight import figures, model, plan
from vae_core.lessons.one_network_every_weight import measures as lesson
from vae_core.lessons.one_network_every_weight.model import AS_IT_IS, SEPARATE, VARIANTS, Trained, Training
from vae_core.models import VAE
from vae_core.multi_rate import LEARNING_RATE, Gate
from vae_core.network_file import read_network
from vae_core.report.published import read_sweep, sweep_folder

NOTEBOOK = runs.PROJECT / "notebooks" / "one_network_every_weight.ipynb"
SETTINGS = {"epochs": 1, "batch_size": 100, "hidden_units": 4, "latent_dim": 2, "learning_rate": 1e-3}
KNOTS = (0.1, 1.0, 10.0)
WEIGHTS = (1.0, 4.0)


def network(variant, kl_weights=WEIGHTS) -> VAE:
    training = Training(variant, seed=3, epochs=1, knots=KNOTS, kl_weights=kl_weights)
    return VARIANTS[variant](training, SETTINGS, steps_per_epoch=5, image_shape=(6, 5, 1))


def made_up_runs(folder, seeds=(0, 1, 2), weights=WEIGHTS, **settings) -> runs.Runs:
    """Runs of objective 100 + seed + weight."""
    digits = load_dataset("digits")
    for seed in seeds:
        for weight in weights:
            config = {"dataset": "digits", "kl_weight": weight, "seed": seed, "data_checksum": digits.checksum}
            measured = {"objective": 100.0 + seed + weight, "rate0": 1.0, "rate1": 0.5}
            config |= SETTINGS | settings
            make_run(folder / runs.run_name(weight, seed), config, seconds=[10.0], **measured)
    return runs.read_runs(runs.finished_folders(folder))


def networks(excess: dict[int, float], variant=AS_IT_IS, epochs=1, weights=WEIGHTS) -> dict[Training, Trained]:
    """Trainings whose objective is above that of `made_up_runs` by so much at weight 4, by seed; equal elsewhere."""
    found = {}
    for seed, more in excess.items():
        rows = [
            {
                "kl_weight": w,
                "rate": 2.0,
                "distortion": 99.0,
                "objective": 100 + seed + w + more * (w == 4),
                "rate0": 1.5,
            }
            for w in weights
        ]
        found[Training(variant, seed, epochs, KNOTS, tuple(weights))] = Trained(pd.DataFrame(rows), {}, 5.0)
    return found


# ---- the networks


def test_as_it_is_is_what_the_variants_leave_out_one_part_of():
    ours, plain = network(AS_IT_IS), model.variant_vae(*_arguments())
    assert ours.get_config()["kl_weights"] == plain.get_config()["kl_weights"]
    for a, b in zip(ours.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    ours, plain = (vae.optimizer.get_config() | {"name": ""} for vae in (ours, plain))
    assert ours == plain


def _arguments():
    return Training(AS_IT_IS, 3, 1, KNOTS, WEIGHTS), SETTINGS, 5, (6, 5, 1)


def test_even_weights_are_even_and_those_of_a_batch_may_be_one():
    share = np.log(np.asarray(network(model.EVEN_DRAWS).draw_weights(20_000)) / 0.1) / np.log(100)
    assert np.abs(np.sort(share) - np.linspace(0, 1, len(share))).max() < 0.0136  # by chance once in a thousand
    assert len(np.unique(network(model.ONE_PER_BATCH).draw_weights(50))) == 1


def test_without_the_divisor_the_mean_is_minimised():
    objective, weights = np.float32([10, 20, 60]), np.float32([0.5, 2, 4])
    assert float(network(model.NO_DIVISOR).reduce(objective, weights)) == 30
    assert float(network(AS_IT_IS).reduce(objective, weights)) == pytest.approx((10 + 10 + 15) / 3)


def test_the_papers_gates_are_sigmoids_on_hidden_units_alone():
    vae = network(model.PAPER_GATES)
    gates = [layer for part in (vae.encoder, vae.decoder) for layer in part.layers if isinstance(layer, Gate)]
    assert [gate.name for gate in gates] == ["hidden_gate", "hidden_gate"]
    gate = gates[0]
    slope, offset = np.asarray(gate.slope), np.asarray(gate.offset)
    assert len(np.unique(slope)) == 4
    x = np.ones((2, 4), np.float32)
    expected = [1 / (1 + np.exp(-(slope * np.log(weight) + offset))) for weight in (0.5, 8)]
    np.testing.assert_allclose(gate(x, np.float32([0.5, 8])), expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("variant", "learning_rate", "averages"),
    [
        (AS_IT_IS, LEARNING_RATE, True),
        (model.NO_AVERAGE, LEARNING_RATE, False),
        (model.LOW_RATE, 1e-3, True),
        (model.ALL_OF_THE_PAPER, 1e-3, False),
    ],
)
def test_variants_have_the_optimizer_that_they_are_named_after(variant, learning_rate, averages):
    optimizer = network(variant).optimizer
    assert float(optimizer.learning_rate) == pytest.approx(learning_rate)
    assert optimizer.use_ema == averages


def test_a_separate_run_is_an_ordinary_vae_trained_as_the_network_is():
    vae = network(SEPARATE, kl_weights=(4.0,))
    assert type(vae) is VAE
    assert float(vae.kl_weight) == 4
    assert float(vae.optimizer.learning_rate) == pytest.approx(LEARNING_RATE)
    assert vae.optimizer.use_ema


def test_a_network_is_measured_as_the_runs_are(digits):
    training = Training(AS_IT_IS, 0, 1, KNOTS, WEIGHTS)
    vae = VARIANTS[AS_IT_IS](training, SETTINGS, 12, digits.image_shape)
    _, plain = model.at_each(vae, (1.0, 4.0))
    mean, log_var = latent.encode(plain, digits.test_images)
    terms = measures.terms(plain, digits.test_images, mean, log_var)
    found = model.measure(plain, digits)
    assert found["distortion"] == pytest.approx(terms["distortion"].mean())
    assert found["objective"] == pytest.approx(found["distortion"] + 4 * found["rate"], rel=1e-6)
    assert found["rate0"] >= found["rate1"]
    assert found["rate0"] + found["rate1"] == pytest.approx(found["rate"], rel=1e-5)


# ---- what is compared


def test_differences_are_taken_seed_by_seed_at_the_same_weight(tmp_path):
    found = networks({0: 0.5, 1: 1.0, 2: 1.5}) | networks({0: -2, 1: -2, 2: -2}, epochs=2)
    shown = lesson.differences(found, made_up_runs(tmp_path), epochs=1)
    assert shown[1, 1.0].mean == 0
    assert (shown[1, 4.0].mean, shown[1, 4.0].high) == pytest.approx((1.0, 1 + 4.3027 * 0.5 / 3**0.5), abs=1e-3)
    assert shown[2, 4.0].mean == -2
    verdict = lesson.verdict(found, made_up_runs(tmp_path), epochs=1)
    assert verdict == (
        "- With the epochs of a run, of 2 weights: better beyond the spread at none; worse at none; "
        "on average worse by more than 0.5 nats at 4.\n"
        "- With 2 x the epochs of a run, of 2 weights: better beyond the spread at 4; worse at none; "
        "on average worse by more than 0.5 nats at none."
    )


def test_a_variant_is_compared_with_the_network_as_it_is(tmp_path):
    effects = lesson.variant_differences(networks({0: 3.0, 1: 3.5}, model.NO_DIVISOR), networks({0: 1.0, 1: 1.0}), 1)
    assert effects[model.NO_DIVISOR][1.0].mean == 0
    assert effects[model.NO_DIVISOR][4.0].mean == pytest.approx(2.25)
    assert lesson.variant_table(effects).loc[model.NO_DIVISOR, "4"].startswith("+2.25 [")
    separate = networks({0: 0.5, 1: 0.5}, SEPARATE, weights=(4.0,))
    table = lesson.separate_differences(separate, networks({0: 1.0, 1: 1.0}), 1)
    assert table.loc["4", "network minus runs"].startswith("+0.50")


def test_seconds_are_those_of_one_seed(tmp_path):
    table = lesson.seconds_table(networks({0: 0, 1: 0}) | networks({0: 0}, epochs=2), made_up_runs(tmp_path), 1)
    assert list(table["seconds of training"]) == ["20.0", "5.0", "5.0"]
    assert list(table["times as fast"]) == ["1.0", "4.0", "4.0"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"likelihood": "gaussian"}, "made for runs with likelihood=bernoulli, not gaussian"),
        ({"free_bits": 0.5}, "made for runs with free_bits=0.0, not 0.5"),
    ],
)
def test_runs_of_another_kind_are_refused(tmp_path, settings, message):
    with pytest.raises(InputError, match=message):
        plan.shared_settings(made_up_runs(tmp_path, **settings))


def test_the_published_runs_which_are_older_than_some_settings_can_be_compared_with():
    runs_of_mnist = read_sweep(sweep_folder())
    assert plan.shared_settings(runs_of_mnist)["latent_dim"] == 2
    assert plan.compared_weights(runs_of_mnist, (0.02, 40.0)) == [0.02, 0.1, 0.5, 1.0, 2.0, 10.0, 20.0]


def test_runs_of_several_lengths_or_of_one_weight_are_refused(tmp_path):
    found = made_up_runs(tmp_path / "a")
    with pytest.raises(InputError, match="several values of epochs"):
        plan.shared_settings(runs.Runs(found.settings.assign(epochs=range(6)), found.measures, found.folders))
    with pytest.raises(InputError, match="the sweep has 1 weights from 2 to 10"):
        plan.compared_weights(found, (2.0, 10.0))
    with pytest.raises(InputError, match="not those that the sweep was trained on"):
        changed = found.settings.assign(data_checksum="other")
        plan.dataset_of(runs.Runs(changed, found.measures, found.folders), "")


def test_a_network_is_kept_only_in_a_folder_that_is_there(tmp_path):
    assert plan.place_for("") is None
    assert plan.place_for(str(tmp_path)) == tmp_path
    with pytest.raises(InputError, match="keep_in nowhere is not there"):
        plan.place_for("nowhere")


def test_left_out_variants_leave_a_sentence():
    assert "left out" in figures.variants({}, "title").data
    assert lesson.variant_table({}).empty


def test_figures_show_a_dot_and_its_interval_for_each_weight(tmp_path):
    found = networks({0: 0.5, 1: 1.0}) | networks({0: -2, 1: -2.5}, epochs=2)
    figure = figures.differences(lesson.differences(found, made_up_runs(tmp_path, seeds=(0, 1)), epochs=1), "title")
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.get_xticklabels()] == ["1", "4"]
    dots = [container[0].get_ydata() for container in axes.containers]
    np.testing.assert_allclose(dots, [[0, 0.75], [0, -2.25]])
    effects = lesson.variant_differences(networks({0: 3.0, 1: 3.5}, model.NO_DIVISOR), found, 1)
    assert [axes.get_title() for axes in figures.variants(effects, "title").axes] == [model.NO_DIVISOR]


# ---- the notebook


@pytest.mark.slow
def test_the_notebook_compares_real_networks_with_runs(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "cache"))
    found = made_up_runs(tmp_path / "sweep", seeds=(0,))
    options = {"sweep_dir": "sweep", "variant_seeds": 0, "threads": 1, "keep_in": "sweep"}
    run = partial(execute_notebook, NOTEBOOK, tmp_path / "out.ipynb", options, cwd=tmp_path)
    run()
    assert_publishable(tmp_path / "out.ipynb")
    cells = nbformat.read(tmp_path / "out.ipynb", nbformat.NO_CONVERT).cells
    outputs = [output.data for cell in cells for output in cell.get("outputs", []) if "data" in output]
    assert sum("image/png" in data for data in outputs) == 4
    assert len(list(tmp_path.rglob("output.pkl"))) == len(plan.one_network(found, KNOTS)) == 2
    network = read_network(tmp_path / "sweep")
    assert (network.about["seed"], network.about["epochs"]) == (0, 2)
    assert list(network.curve["kl_weight"]) == sorted({*network.knots, *WEIGHTS})
