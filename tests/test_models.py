from dataclasses import replace

import keras
import numpy as np
import pandas as pd
import pytest
from keras import ops

from vae_core.errors import InputError
from vae_core.likelihoods import BERNOULLI
from vae_core.losses import kl_divergence
from vae_core.models import (
    CONSTRAINT_LIMIT,
    CONSTRAINT_MEMORY,
    CONSTRAINT_STEP,
    VAE,
    WEIGHT_LIMITS,
    Sampling,
    dense_decoder,
    dense_encoder,
    reference_vae,
    vae_of_settings,
)
from vae_core.training import train


def test_sampling_adds_the_mean():
    mean = np.array([[3.0, -5.0]], "float32")
    z = np.asarray(Sampling(seed=0)(mean, np.full_like(mean, -60.0)))
    assert z == pytest.approx(mean, abs=1e-6)


def test_sampling_has_the_standard_deviation_of_the_log_variance():
    mean = np.full((20_000, 2), [1.0, -2.0], "float32")
    log_var = np.broadcast_to(np.log(np.array([0.25, 9.0], "float32")), mean.shape)
    z = np.asarray(Sampling(seed=1)(mean, log_var))
    assert z.mean(axis=0) == pytest.approx([1, -2], abs=0.1)
    assert z.std(axis=0) == pytest.approx([0.5, 3.0], rel=0.03)


def test_sampling_repeats_with_the_seed_and_goes_on_within_it():
    zeros = np.zeros((4, 2), "float32")
    one, other = Sampling(seed=7), Sampling(seed=7)
    first = np.asarray(one(zeros, zeros))
    assert np.array_equal(first, np.asarray(other(zeros, zeros)))
    assert not np.array_equal(first, np.asarray(one(zeros, zeros)))


def test_the_reference_model_has_the_parameters_of_tutorial_004():
    assert dense_encoder((512,)).count_params() == 784 * 512 + 512 + 2 * (512 * 2 + 2)
    assert dense_decoder((512,)).count_params() == 2 * 512 + 512 + 512 * 784 + 784


def test_builders_map_images_to_codes_and_codes_to_images():
    mean, log_var = dense_encoder((16,), latent_dim=3)(np.zeros((5, 28, 28, 1)))
    assert mean.shape == log_var.shape == (5, 3)
    assert dense_decoder((16,), latent_dim=3)(np.zeros((5, 3))).shape == (5, 28, 28, 1)


def test_initial_weights_depend_on_the_seed_and_not_on_the_kl_weight():
    weights = {
        (kl_weight, seed): np.concatenate(
            [np.ravel(w) for w in reference_vae(kl_weight, seed, hidden_units=8).trainable_variables]
        )
        for kl_weight, seed in ((0, 0), (20, 0), (0, 1))
    }
    assert np.array_equal(weights[0, 0], weights[20, 0])
    assert not np.array_equal(weights[0, 0], weights[0, 1])


def test_objective_is_distortion_plus_weighted_rate_in_training_and_validation(digits):
    vae, images = reference_vae(0.0, seed=0, hidden_units=8), digits.train_images[:64]
    for kl_weight in (0.0, 0.5, 20.0):
        vae.kl_weight = kl_weight
        history = vae.fit(images, validation_data=(images,), batch_size=32, epochs=2, verbose=0).history
        evaluated = {name: [value] for name, value in vae.evaluate(images, verbose=0, return_dict=True).items()}
        for losses, prefix in ((history, ""), (history, "val_"), (evaluated, "")):
            distortion, rate = np.array(losses[f"{prefix}distortion"]), np.array(losses[f"{prefix}rate"])
            assert losses[f"{prefix}objective"] == pytest.approx(distortion + kl_weight * rate, rel=1e-5)
            assert (distortion > 100).all()
            assert (rate > 0).all()


def test_compute_loss_is_the_mean_over_images_of_the_two_losses(digits):
    vae = reference_vae(kl_weight=3.0, seed=0, hidden_units=8)
    images = digits.train_images[:7]
    mean, log_var, logits = vae(images)
    expected = np.mean(np.asarray(BERNOULLI.nll(images, logits)) + 3.0 * np.asarray(kl_divergence(mean, log_var)))
    assert float(vae.compute_loss(x=images, y_pred=(mean, log_var, logits))) == pytest.approx(expected, rel=1e-6)


def test_decoder_sees_a_draw_and_not_the_mean(digits):
    vae = reference_vae(kl_weight=1.0, seed=0, hidden_units=8)
    mean, _, logits = vae(digits.train_images[:4])
    assert float(ops.max(ops.abs(logits - vae.decoder(mean)))) > 1e-3


def test_images_of_any_shape_have_a_model():
    vae = reference_vae(1.0, seed=0, hidden_units=4, image_shape=(6, 5, 3))
    images = np.random.default_rng(0).uniform(size=(20, 6, 5, 3)).astype("float32")
    history = vae.fit(images, batch_size=10, epochs=1, verbose=0).history
    assert history["distortion"][0] == pytest.approx(90 * np.log(2), rel=0.2)
    assert vae(images)[2].shape == images.shape


# ---- the weight while training


@pytest.fixture(scope="module")
def few(digits):
    return replace(digits, train_images=digits.train_images[:96], validation_images=digits.validation_images[:32])


@pytest.mark.parametrize("way", ["train", "fit"])
def test_a_weight_assigned_between_two_epochs_changes_the_objective_of_the_next(few, way):
    vae = reference_vae(0.5, seed=0, hidden_units=8)

    def after_epoch(epoch):
        if epoch == 1:
            vae.kl_weight = 7.0

    if way == "train":
        history, _ = train(vae, few, epochs=2, batch_size=32, seed=0, after_epoch=after_epoch)
    else:
        callback = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: after_epoch(epoch + 1))
        options = {"batch_size": 32, "epochs": 2, "verbose": 0, "callbacks": [callback]}
        history = pd.DataFrame(vae.fit(few.train_images, **options).history)
    charged = history["distortion"] + np.array([0.5, 7.0]) * history["rate"]
    assert history["objective"].tolist() == pytest.approx(charged.tolist(), rel=1e-6)
    assert (history["rate"] > 0.01).all()
    assert float(vae.kl_weight) == 7.0


def test_a_schedule_gives_each_step_the_weight_that_a_loop_by_hand_sets(few):
    """PolynomialDecay from 0 to 1 over the steps of three epochs, beside a model whose weight is set at every step."""
    steps, seen = 9, []
    schedule = keras.optimizers.schedules.PolynomialDecay(0.0, steps, end_learning_rate=1.0)
    scheduled, by_hand = reference_vae(schedule, seed=0, hidden_units=8), reference_vae(0.0, seed=0, hidden_units=8)

    def set_weight(batch, logs):
        by_hand.kl_weight = len(seen) / steps
        seen.append(float(by_hand.kl_weight))

    options = {"batch_size": 32, "epochs": 3, "shuffle": False, "verbose": 0}
    history = scheduled.fit(few.train_images, **options).history
    callback = keras.callbacks.LambdaCallback(on_train_batch_begin=set_weight)
    expected = by_hand.fit(few.train_images, **options, callbacks=[callback]).history
    assert seen == pytest.approx(np.arange(9) / 9)
    for name in ("objective", "distortion", "rate"):
        assert history[name] == pytest.approx(expected[name], rel=1e-5)
    for ours, theirs in zip(scheduled.trainable_variables, by_hand.trainable_variables, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)
    assert float(scheduled.kl_weight) == pytest.approx(1.0)


def test_a_schedule_works_in_the_compiled_epoch_too(few):
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([2], [0.0, 4.0])  # steps 0 to 2, then the rest
    history, _ = train(reference_vae(schedule, seed=0, hidden_units=8), few, epochs=2, batch_size=32, seed=0)
    charged = history["distortion"] + np.array([0.0, 4.0]) * history["rate"]
    assert history["objective"].tolist() == pytest.approx(charged.tolist(), rel=1e-6)


def test_a_weight_that_follows_a_schedule_cannot_be_set():
    vae = reference_vae(keras.optimizers.schedules.CosineDecay(1.0, 10), seed=0, hidden_units=4)
    with pytest.raises(TypeError, match="follows a schedule"):
        vae.kl_weight = 2.0


# ---- the hooks


def test_another_rate_term_is_what_is_charged_and_the_rate_reported_stays_the_rate(few):
    def above_one_nat(rates, kl_weight):
        return kl_weight * ops.abs(ops.sum(rates, axis=-1) - 1.0)

    plain = reference_vae(3.0, seed=0, hidden_units=8)
    vae = VAE(plain.encoder, plain.decoder, 3.0, seed=0, rate_term=above_one_nat)
    mean, log_var, outputs = plain(few.train_images)
    loss = float(vae.compute_loss(x=few.train_images, y_pred=(mean, log_var, outputs)))
    rate = np.asarray(kl_divergence(mean, log_var))
    distortion = np.asarray(BERNOULLI.nll(few.train_images, outputs))
    assert loss == pytest.approx(np.mean(distortion + 3.0 * np.abs(rate - 1)), rel=1e-5)
    assert float(vae.get_metrics_result()["rate"]) == pytest.approx(rate.mean(), rel=1e-5)


def test_the_hooks_are_all_that_a_variant_overrides(few):
    class Variant(VAE):
        def draw(self, mean, log_var):
            return mean

        def rates(self, mean, log_var):
            return ops.square(mean)

        def reduce(self, objective):
            return ops.sum(objective)

    plain = reference_vae(2.0, seed=0, hidden_units=8)
    vae, images = Variant(plain.encoder, plain.decoder, 2.0, seed=0), few.train_images
    mean, log_var, outputs = vae(images)
    np.testing.assert_allclose(outputs, plain.decoder(mean), atol=1e-5)
    expected = np.asarray(BERNOULLI.nll(images, outputs)) + 2.0 * np.square(mean).sum(axis=1)
    assert float(vae.compute_loss(x=images, y_pred=(mean, log_var, outputs))) == pytest.approx(expected.sum(), rel=1e-5)


# ---- what a run's settings make of the model


def test_the_latent_space_has_the_dimensions_asked_for():
    vae = reference_vae(1.0, seed=0, hidden_units=8, latent_dim=5)
    mean, log_var, outputs = vae(np.zeros((2, 28, 28, 1), "float32"))
    assert (mean.shape, log_var.shape, outputs.shape) == ((2, 5), (2, 5), (2, 28, 28, 1))


SETTINGS = {"kl_weight": 2.0, "seed": 0, "learning_rate": 1e-3, "hidden_units": 8, "epochs": 3, "kl_warmup_epochs": 2}
EXTENSIONS = {
    "cyclical weight and free bits": {"kl_schedule": "cyclical", "kl_cycles": 2, "kl_ramp": 1.0, "free_bits": 0.2},
    "rising target": {"kl_schedule": "cosine", "target_rate": 4.0},
    "target distortion": {"target_distortion": 500.0},
}


@pytest.mark.slow
@pytest.mark.parametrize("changed", EXTENSIONS.values(), ids=EXTENSIONS)
def test_every_extension_trains_the_same_through_fit_and_train(few, changed):
    vae, plain = (vae_of_settings(SETTINGS | changed, steps_per_epoch=3) for _ in range(2))
    history, _ = train(vae, few, epochs=3, batch_size=32, seed=0)
    shuffle = np.random.default_rng(0).permutation
    options = {"validation_data": (few.validation_images,), "batch_size": 32, "shuffle": False, "verbose": 0}
    fitted = [plain.fit(few.train_images[shuffle(96)], **options).history for _ in range(3)]
    names = [name for name in history if name != "epoch"]
    assert {"loss", "val_loss", *names} == set(fitted[0])
    assert ("kl_weight" in names) == vae.kl_weight_varies == ("target_rate" not in changed)
    for name in names:
        assert history[name].tolist() == pytest.approx([row[name][0] for row in fitted], rel=1e-5)
    for ours, theirs in zip(vae.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_the_history_has_the_weight_at_the_end_of_every_epoch(few):
    vae = eager(vae_of_settings(SETTINGS | {"kl_schedule": "linear"}, steps_per_epoch=3))
    history = vae.fit(
        few.train_images, batch_size=32, epochs=3, verbose=0, callbacks=[keras.callbacks.History()]
    ).history
    assert history["kl_weight"] == [1.0, 2.0, 2.0]
    assert "kl_weight" not in eager(vae_of_settings(SETTINGS, 3)).fit(few.train_images, verbose=0).history


def test_a_rising_target_is_that_of_the_step(few):
    vae = eager(vae_of_settings(SETTINGS | {"kl_schedule": "linear", "target_rate": 6.0}, steps_per_epoch=3))
    rates, charged = np.full((2, 2), 4.0, "float32"), []
    for _ in range(8):
        charged.append(float(np.mean(vae.charge(rates))))
        vae.train_on_batch(few.train_images[:4])
    assert charged == pytest.approx([2 * abs(8 - target) for target in (0, 1, 2, 3, 4, 5, 6, 6)])
    assert not vae.kl_weight_varies


def eager(vae):
    """Compiled for a few steps only, without XLA."""
    vae.compile(keras.optimizers.Adam(1e-3), run_eagerly=True, jit_compile=False)
    return vae


def test_settings_of_runs_from_before_give_the_model_of_before():
    old = {"kl_weight": 2.0, "epochs": 3, "batch_size": 32, "learning_rate": 1e-3, "hidden_units": 8, "seed": 4}
    vae, expected = vae_of_settings(old, steps_per_epoch=3), reference_vae(2.0, seed=4, hidden_units=8)
    assert not vae.kl_weight_varies
    assert (vae.get_config()["rate_term"], vae.likelihood) == (expected.get_config()["rate_term"], BERNOULLI)
    for ours, theirs in zip(vae.variables, expected.variables, strict=True):
        np.testing.assert_array_equal(ours, theirs)


# ---- a target for the distortion


def test_the_weight_is_multiplied_in_each_step_by_the_exponential_of_the_mean_constraint(few):
    """Beside a model of the same draws whose weight is set by hand, from the distortion of each batch."""
    vae = eager(reference_vae(2.0, seed=0, hidden_units=8, target_distortion=500.0))
    by_hand, average, weight = eager(reference_vae(2.0, seed=0, hidden_units=8)), None, 2.0
    for step in range(4):
        images = few.train_images[4 * step : 4 * step + 4]
        for model in (vae, by_hand):
            model.reset_metrics()
        losses, expected = (model.train_on_batch(images, return_dict=True) for model in (vae, by_hand))
        assert losses == pytest.approx(expected, rel=1e-5)
        assert losses["objective"] == pytest.approx(losses["distortion"] + weight * losses["rate"], rel=1e-6)
        constraint = expected["distortion"] - 500
        average = constraint if step == 0 else CONSTRAINT_MEMORY * average + (1 - CONSTRAINT_MEMORY) * constraint
        weight *= np.exp(-CONSTRAINT_STEP * np.clip(average, -CONSTRAINT_LIMIT, CONSTRAINT_LIMIT))
        assert float(vae.kl_weight) == pytest.approx(weight, rel=1e-5)
        by_hand.kl_weight = weight
    assert weight < 1.9


def test_only_training_moves_the_weight_and_what_it_remembers(few):
    vae = eager(reference_vae(2.0, seed=0, hidden_units=8, target_distortion=500.0))
    vae.train_on_batch(few.train_images)
    before = [np.array(variable) for variable in vae.variables]
    vae.evaluate(few.train_images, verbose=0)
    vae.charge(np.ones((3, 2), "float32"))
    moved = [not np.array_equal(a, b) for a, b in zip(before, vae.variables, strict=True)]
    names = {variable.path.split("/")[-1] for variable, other in zip(vae.variables, moved, strict=True) if other}
    assert names <= {"total", "count", "seed_generator_state"}


@pytest.mark.parametrize(("target", "limit", "start"), [(-1e6, WEIGHT_LIMITS[0], 0.011), (1e6, WEIGHT_LIMITS[1], 9900)])
def test_a_target_that_cannot_be_met_leaves_the_weight_at_its_limit(few, target, limit, start):
    vae = eager(reference_vae(start, seed=0, hidden_units=8, target_distortion=target))
    for _ in range(4):
        losses = vae.train_on_batch(few.train_images[:4], return_dict=True)
    assert float(vae.kl_weight) == pytest.approx(limit)
    assert np.isfinite(losses["objective"])


@pytest.mark.slow
def test_a_target_below_what_any_decoder_reaches_is_refused_before_the_first_epoch(digits):
    floor = BERNOULLI.floor(digits.train_images)
    vae = reference_vae(1.0, seed=0, hidden_units=8, target_distortion=floor - 1)
    with pytest.raises(InputError, match=rf"^no model has a target_distortion of .*cannot be below {floor:.2f}$"):
        train(vae, digits, epochs=1, batch_size=128, seed=0)
    reference_vae(1.0, seed=0, hidden_units=8, target_distortion=floor + 1).check(digits.train_images)


def test_a_target_distortion_is_met_by_a_weight_between_the_limits(digits):
    vae = reference_vae(1.0, seed=0, hidden_units=128, target_distortion=353.0)
    history, _ = train(vae, digits, epochs=40, batch_size=32, seed=0)
    assert history["distortion"].tail(3).mean() == pytest.approx(353, abs=1.5)
    assert 1 < float(vae.kl_weight) < 10
