"""A VAE is an ordinary Keras model: saved, loaded, copied, watched by callbacks, all without a warning."""

import copy
import pickle
import subprocess
import sys
import warnings
from functools import partial

import h5py
import keras
import numpy as np
import pytest
from keras import layers, ops
from keras.optimizers.schedules import PolynomialDecay

from vae_core import latent
from vae_core.data import IMAGE_SHAPE
from vae_core.errors import InputError
from vae_core.likelihoods import BERNOULLI, SQUARED_ERROR, Gaussian
from vae_core.losses import free_bits_rate, target_rate_term, weighted_rate
from vae_core.models import VAE, Sampling, dense_decoder, gaussian_encoder, reference_vae
from vae_core.schedules import CosineWarmUp, Cyclical
from vae_core.training import train

POINT = [[0.5, -1.0]]


@keras.saving.register_keras_serializable("tests")
def near_target(rates, kl_weight, target=0.0):
    return kl_weight * ops.abs(ops.sum(rates, axis=-1) - target)


def not_registered(rates, kl_weight):
    return 2 * weighted_rate(rates, kl_weight)


@pytest.fixture(autouse=True)
def no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "__array__ implementation doesn't accept")  # Keras' own, about NumPy 2
        warnings.filterwarnings("ignore", "unclosed file")  # Keras' own
        yield


@pytest.fixture(scope="module")
def images(digits):
    return digits.train_images[:64]


def small(kl_weight=2.0, **options):
    """A narrow reference model that is not compiled, which would take most of the time here."""
    vae = reference_vae(kl_weight, seed=3, hidden_units=4, **options)
    vae.compile(keras.optimizers.Adam(0.01), run_eagerly=True, jit_compile=False)
    vae.optimizer.build(vae.trainable_variables)
    return vae


def trained(images, *arguments, **options):
    vae = small(*arguments, **options)
    for _ in range(3):
        vae.train_on_batch(images)
    return vae


def assert_same(one: VAE, other: VAE, images):
    """The same weights, optimizer's variables, objective for the same codes, and decoded point."""
    for a, b in zip(one.weights + one.optimizer.variables, other.weights + other.optimizer.variables, strict=True):
        np.testing.assert_array_equal(a, b)
    y_pred = one(images)
    losses = [float(vae.compute_loss(images, y_pred=y_pred, training=False)) for vae in (one, other)]
    assert losses[0] == losses[1]
    np.testing.assert_array_equal(latent.decode(one, POINT), latent.decode(other, POINT))


# ---- saved and loaded


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"kl_weight": PolynomialDecay(0.0, 6, 1.0)},
        {"likelihood": Gaussian(0.3)},
        {"rate_term": near_target},
        {"rate_term": partial(near_target, target=5.0)},
        {"image_shape": (8, 7, 1), "likelihood": SQUARED_ERROR},
        {"kl_weight": Cyclical(2.0, 6, 1, 1.0)},
        {"kl_weight": CosineWarmUp(2.0, 6), "rate_term": partial(free_bits_rate, free_bits=0.3)},
        {"rate_term": partial(target_rate_term, target=PolynomialDecay(0.0, 6, 1.0))},
        {"target_distortion": 400.0},
    ],
    ids=lambda options: "-".join(options) or "default",
)
def test_a_saved_model_is_loaded_whole_without_its_arguments(images, options, tmp_path):
    height, width, _ = options.get("image_shape", IMAGE_SHAPE)
    images = images[:, :height, :width]
    vae = trained(images, **options)
    vae.save(tmp_path / "vae.keras")
    loaded = keras.models.load_model(tmp_path / "vae.keras")
    assert float(loaded.kl_weight) == float(vae.kl_weight)
    assert (loaded.likelihood, loaded.jit_compile) == (vae.likelihood, False)
    assert_same(vae, loaded, images)
    loaded.train_on_batch(images)


def test_a_rate_term_that_is_not_registered_is_given_when_the_model_is_loaded(images, tmp_path):
    vae = trained(images, rate_term=not_registered)
    vae.save(tmp_path / "vae.keras")
    with pytest.raises(TypeError, match="Could not locate function 'not_registered'"):
        keras.models.load_model(tmp_path / "vae.keras")
    loaded = keras.models.load_model(tmp_path / "vae.keras", custom_objects={"not_registered": not_registered})
    assert_same(vae, loaded, images)


def test_a_subclass_needs_no_registration_of_its_own(images, tmp_path):
    class Doubled(VAE):
        def reduce(self, objective):
            return 2 * super().reduce(objective)

    plain = small()
    vae = Doubled(plain.encoder, plain.decoder, 1.0, seed=0)
    vae.compile("adam", run_eagerly=True)
    vae.train_on_batch(images)
    vae.save(tmp_path / "vae.keras")
    loaded = keras.models.load_model(tmp_path / "vae.keras")
    assert type(loaded) is Doubled
    assert_same(vae, loaded, images)


@pytest.mark.parametrize("options", [{}, {"target_distortion": 400.0}], ids=["VAE", "GECO"])
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda vae: pickle.loads(pickle.dumps(vae))])
def test_copies_are_whole(images, copied, options):
    vae = trained(images, **options)
    weight = float(vae.kl_weight)
    other = copied(vae)
    assert_same(vae, other, images)
    other.kl_weight = 7.0
    assert float(vae.kl_weight) == weight


def test_a_clone_has_the_same_parts_and_weights_of_its_own(images):
    vae = trained(images, likelihood=SQUARED_ERROR)
    clone = keras.models.clone_model(vae)
    assert clone.get_config()["encoder"]["config"]["layers"] == vae.get_config()["encoder"]["config"]["layers"]
    assert (float(clone.kl_weight), clone.likelihood) == (2.0, SQUARED_ERROR)
    assert not np.array_equal(clone.get_weights()[1], vae.get_weights()[1])


def test_a_copy_goes_on_from_the_step_and_the_weight_where_the_model_is(images):
    """Of a target that rises and of a weight that is found: from equal draws both go the same way."""
    for options in (
        {"rate_term": partial(target_rate_term, target=CosineWarmUp(9.0, 8))},
        {"target_distortion": 400.0},
    ):
        vae = trained(images, **options)
        other = copy.deepcopy(vae)
        for model in (vae, other):
            model.sampling.generator.state.assign([5, 0])
            model.reset_metrics()
        losses, expected = (model.train_on_batch(images, return_dict=True) for model in (vae, other))
        assert losses == expected
        assert float(vae.kl_weight) == float(other.kl_weight)


def test_the_draw_is_a_layer_that_can_be_stored():
    zeros = np.zeros((3, 2), "float32")
    stored = Sampling.from_config(Sampling(seed=4).get_config())
    np.testing.assert_array_equal(stored(zeros, zeros), Sampling(seed=4)(zeros, zeros))


# ---- weights of a run


@pytest.fixture(scope="module")
def run(digits, tmp_path_factory):
    """A model trained as a run is, its weights and the whole of it, in files."""
    folder, vae = tmp_path_factory.mktemp("run"), small(4.0)
    train(vae, digits, epochs=1, batch_size=500, seed=0)
    vae.save_weights(folder / "model.weights.h5")
    vae.save(folder / "vae.keras")
    return folder, vae


def test_weights_of_a_run_are_loaded_into_a_new_model(run, images):
    folder, vae = run
    fresh = small(1.0)
    fresh.load_weights(folder / "model.weights.h5")
    assert float(fresh.kl_weight) == 4.0
    assert_same(vae, fresh, images)


@pytest.mark.slow
def test_another_process_loads_the_model_and_its_weights(run):
    folder, vae = run
    code = f"""
from vae_core import latent, models
import keras
whole = keras.models.load_model({str(folder / "vae.keras")!r})
fresh = models.reference_vae(kl_weight=1.0, seed=0, hidden_units=4)
fresh.load_weights({str(folder / "model.weights.h5")!r})
for vae in (whole, fresh):
    print(latent.decode(vae, {POINT}).tobytes().hex())
"""
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert finished.stderr == ""
    assert finished.stdout.split() == [latent.decode(vae, POINT).tobytes().hex()] * 2


def test_a_model_that_is_made_by_hand_takes_weights_at_once(run, images):
    folder, vae = run
    plain = small()
    by_hand = VAE(plain.encoder, plain.decoder, 1.0, seed=3)
    by_hand.load_weights(folder / "model.weights.h5")
    np.testing.assert_array_equal(latent.decode(by_hand, POINT), latent.decode(vae, POINT))


def test_a_file_from_before_the_weight_was_a_variable_leaves_the_weight_as_it_is(run, tmp_path):
    folder, vae = run
    old = tmp_path / "model.weights.h5"
    old.write_bytes((folder / "model.weights.h5").read_bytes())
    with h5py.File(old, "a") as file:
        del file["vars/0"]
    fresh = small(1.5)
    fresh.load_weights(old)
    assert float(fresh.kl_weight) == 1.5
    np.testing.assert_array_equal(latent.decode(fresh, POINT), latent.decode(vae, POINT))


def test_weights_go_from_a_number_to_a_schedule_and_back(images, tmp_path):
    schedule = PolynomialDecay(0.0, 6, 1.0)
    number, scheduled = trained(images, 4.0), trained(images, schedule)
    number.save_weights(tmp_path / "number.weights.h5")
    scheduled.save_weights(tmp_path / "schedule.weights.h5")
    to_number, to_schedule = small(1.5), small(schedule)
    to_number.load_weights(tmp_path / "schedule.weights.h5")
    to_schedule.load_weights(tmp_path / "number.weights.h5")
    assert float(to_number.kl_weight) == 1.5
    assert float(to_schedule.kl_weight) == pytest.approx(0.5)  # three of six steps
    np.testing.assert_array_equal(latent.decode(to_number, POINT), latent.decode(scheduled, POINT))
    np.testing.assert_array_equal(latent.decode(to_schedule, POINT), latent.decode(number, POINT))


@pytest.mark.filterwarnings("ignore:Skipping nested container")
def test_weights_of_other_layers_are_refused_in_one_line(run):
    warnings.filterwarnings("ignore", "Skipping nested container")
    folder, _ = run
    with pytest.raises(InputError, match=r"^\S+model.weights.h5 does not fit this model: .*config.json$"):
        reference_vae(1.0, seed=0, hidden_units=5).load_weights(folder / "model.weights.h5")


# ---- training with Keras' own tools


@pytest.mark.parametrize("monitor", ["val_loss", "val_objective"])
def test_early_stopping_keeps_the_lowest_and_stops_where_nothing_falls(images, monitor):
    vae = small()
    options = {"validation_data": (images,), "batch_size": len(images), "epochs": 4, "verbose": 0}
    watching = keras.callbacks.EarlyStopping(monitor, patience=1)
    values = vae.fit(images, callbacks=watching, **options).history[monitor]
    assert len(values) == 4
    assert watching.best == values[-1] == min(values)
    stopping = keras.callbacks.EarlyStopping(monitor, min_delta=1e6)
    assert len(vae.fit(images, callbacks=[stopping], **options).history[monitor]) == 2


def test_a_callback_that_says_what_is_best_is_believed(images):
    watching = keras.callbacks.EarlyStopping("val_distortion", mode="max", patience=5)
    vae = small()
    history = vae.fit(images, validation_data=(images,), epochs=2, verbose=0, callbacks=[watching]).history
    assert watching.best == max(history["val_distortion"])


def test_keras_callbacks_write_logs_and_models_that_load(images, tmp_path):
    vae, callbacks = small(), keras.callbacks
    watching = [
        callbacks.ModelCheckpoint(tmp_path / "last.keras"),
        callbacks.ModelCheckpoint(tmp_path / "best.keras", save_best_only=True),
        callbacks.ModelCheckpoint(tmp_path / "best.weights.h5", "val_objective", 0, True, save_weights_only=True),
        callbacks.BackupAndRestore(tmp_path / "backup"),
        callbacks.CSVLogger(tmp_path / "log.csv"),
        callbacks.ReduceLROnPlateau(),
        callbacks.TerminateOnNaN(),
    ]
    vae.fit(images, validation_data=(images,), epochs=2, verbose=0, callbacks=watching)
    names = ["distortion", "loss", "objective", "rate"]
    names += [f"val_{name}" for name in names]
    assert (tmp_path / "log.csv").read_text().split()[0].split(",") == ["epoch", *names]
    fresh = small(1.0)
    fresh.load_weights(tmp_path / "best.weights.h5")
    for other in (keras.models.load_model(tmp_path / "last.keras"), keras.models.load_model(tmp_path / "best.keras")):
        assert_same(vae, other, images)
    assert_same(vae, fresh, images)


def test_the_loss_that_is_reported_is_the_objective(images):
    reported = trained(images).evaluate(images, verbose=0, return_dict=True)
    assert set(reported) == {"loss", "objective", "distortion", "rate"}
    assert reported["loss"] == pytest.approx(reported["objective"], rel=1e-6)


def test_penalties_of_layers_are_minimised_too_and_are_not_in_the_objective(images):
    x = keras.Input((28, 28, 1))
    hidden = layers.Dense(4, kernel_regularizer=keras.regularizers.L2(10.0))(layers.Flatten()(x))
    vae = VAE(gaussian_encoder(x, hidden, 2), dense_decoder((4,)), 1.0, seed=0)
    vae.compile("adam", run_eagerly=True)
    penalty = 10 * float(ops.sum(ops.square(vae.encoder.trainable_variables[0])))
    assert penalty > 10
    reported = vae.evaluate(images, verbose=0, return_dict=True)
    assert reported["loss"] - reported["objective"] == pytest.approx(penalty, rel=1e-4)
    assert reported["objective"] == pytest.approx(reported["distortion"] + reported["rate"], rel=1e-6)


def test_images_cannot_be_weighted(images):
    with pytest.raises(InputError, match="leave out sample_weight"):
        small().train_on_batch(images, images, sample_weight=np.zeros(len(images)))


def test_mixed_precision_trains_and_its_losses_are_those_of_float32(images):
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        mixed = small()
    finally:
        keras.mixed_precision.set_global_policy("float32")
    assert mixed.encoder(images)[0].dtype == "bfloat16"
    before, reported = np.array(mixed.encoder.weights[0]), mixed.train_on_batch(images, return_dict=True)
    assert reported == pytest.approx(small().train_on_batch(images, return_dict=True), rel=0.01)
    assert not np.array_equal(before, mixed.encoder.weights[0])


# ---- likelihoods


@pytest.mark.parametrize("likelihood", [BERNOULLI, SQUARED_ERROR, Gaussian(0.25)])
def test_a_likelihood_is_stored_with_its_numbers(likelihood):
    stored = keras.saving.serialize_keras_object(likelihood)
    assert keras.saving.deserialize_keras_object(stored) == likelihood
