from dataclasses import replace

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from vae_core import training
from vae_core.binarise import binarised, thresholded
from vae_core.data import ByteImages
from vae_core.errors import InputError
from vae_core.models import build_vae, conv_decoder, conv_encoder, reference_vae
from vae_core.training import Recorder, _toss, compiled_epoch, spread_epochs, train

COLUMNS = ["epoch", "objective", "distortion", "rate", "val_objective", "val_distortion", "val_rate"]


@pytest.fixture(scope="module")
def few(digits):
    """Some batches of 32 and a smaller last one, for training and for validation."""
    return replace(digits, train_images=digits.train_images[:170], validation_images=digits.validation_images[:70])


@pytest.fixture(scope="module")
def even(few):
    """Whole batches only, which compile in half the time."""
    return replace(few, train_images=few.train_images[:160], validation_images=few.validation_images[:64])


def convolutional(kl_weight, seed):
    """Without XLA."""
    return build_vae(conv_encoder, conv_decoder, kl_weight, seed, keras.optimizers.Adam(1e-3), jit_compile=False)


def dense(kl_weight, seed):
    """With XLA."""
    return reference_vae(kl_weight, seed, hidden_units=32)


def trained(dataset, kl_weight=1.0, seed=0, epochs=2, build=dense, **options):
    vae = build(kl_weight, seed)
    history, _ = train(vae, dataset, epochs, batch_size=32, seed=seed, **options)
    return vae, history


@pytest.mark.slow
@pytest.mark.parametrize("build", [dense, convolutional])
def test_same_history_and_weights_as_plain_fit_with_the_same_batches_and_noise(few, build):
    vae, history = trained(few, kl_weight=0.7, build=build)
    plain = build(0.7, seed=0)
    shuffle = np.random.default_rng(0).permutation
    rows = []
    for _ in range(2):
        images = few.train_images[shuffle(len(few.train_images))]
        fitted = plain.fit(
            images,
            validation_data=(few.validation_images,),
            batch_size=32,
            validation_batch_size=32,
            shuffle=False,
            verbose=0,
        )
        rows.append({name: values[0] for name, values in fitted.history.items()})
    np.testing.assert_allclose(history[COLUMNS[1:]], pd.DataFrame(rows)[COLUMNS[1:]], rtol=1e-5)
    for ours, theirs in zip(vae.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("build", [dense, convolutional])
def test_same_seed_gives_identical_history_and_weights_and_another_seed_others(even, build):
    (vae, history), (again, history_again) = trained(even, build=build), trained(even, build=build)
    _, other = trained(even, seed=1, build=build)
    pd.testing.assert_frame_equal(history, history_again, check_exact=True)
    for ours, theirs in zip(vae.get_weights(), again.get_weights(), strict=True):
        assert np.array_equal(ours, theirs)
    assert not np.array_equal(history["objective"], other["objective"])


def test_training_lowers_the_objective_and_tells_after_every_epoch_what_it_wrote(digits, tmp_path):
    file, told = tmp_path / "history.csv", []
    _, history = trained(
        digits,
        epochs=5,
        history_file=file,
        after_epoch=lambda epoch: told.append((epoch, len(pd.read_csv(file)) if epoch else 0)),
    )
    assert history["val_objective"].iloc[-1] < history["val_objective"].iloc[0] - 10
    written = pd.read_csv(file)
    assert list(written.columns) == COLUMNS
    np.testing.assert_allclose(written, history, atol=5e-6)
    assert told == [(epoch, epoch) for epoch in range(6)]


def test_models_of_several_inputs_get_the_rows_that_belong_together():
    inputs, seen = (np.arange(50.0), np.arange(50) ** 2), tf.Variable(0)

    def step(data):
        ((numbers, squares),) = data
        tf.debugging.assert_equal(tf.cast(numbers, tf.int64) ** 2, squares)
        seen.assign_add(tf.size(numbers))

    compiled_epoch(step, inputs, 8, jit_compile=False)(np.random.default_rng(0).permutation(50))
    assert seen.numpy() == 50


@pytest.mark.parametrize("batch_size", [1, 32, 41, 170, 500])
def test_an_epoch_visits_every_image_once_whatever_the_batch_size(batch_size):
    images = np.arange(170, dtype=np.int32)
    visits = tf.Variable(tf.zeros(170, tf.int32))
    largest = tf.Variable(0)

    def step(data):
        (batch,) = data
        visits.assign_add(tf.reduce_sum(tf.one_hot(batch, 170, dtype=tf.int32), axis=0))
        largest.assign(tf.maximum(largest, tf.size(batch)))

    compiled_epoch(step, images, batch_size)(np.random.default_rng(0).permutation(170))
    assert visits.numpy().tolist() == [1] * 170
    assert largest.numpy() == min(batch_size, 170)


def batches_of(inputs, seen=tf.identity, jit_compile=True):
    """Two epochs of the images in order, five at a time, as the step sees them: (2, N, ...)."""
    collected = tf.Variable(tf.zeros(inputs.shape))
    start = tf.Variable(0)

    def step(data):
        (batch,) = data
        rows = (start + tf.range(len(batch)))[:, None]
        collected.assign(tf.tensor_scatter_nd_update(collected, rows, batch))
        start.assign((start + len(batch)) % inputs.shape[0])

    epoch = compiled_epoch(step, inputs, 5, jit_compile, seen)
    return np.array([epoch(np.arange(len(inputs))) or collected.numpy() for _ in range(2)])


@pytest.mark.parametrize("jit_compile", [True, False])
def test_images_kept_as_bytes_become_the_same_floats_in_the_step(jit_compile):
    images = ByteImages(np.arange(256, dtype=np.uint8).reshape(32, 4, 2, 1))
    for epoch in batches_of(images, jit_compile=jit_compile):
        np.testing.assert_array_equal(epoch, images)


def test_a_large_set_of_bytes_is_seen_in_the_same_batches_though_it_is_copied_in_parts(monkeypatch):
    images = ByteImages(np.arange(33 * 8, dtype=np.uint16).astype(np.uint8).reshape(33, 4, 2, 1))
    copied, held = [], training._held
    monkeypatch.setattr(training, "_held", lambda inputs, rows: copied.append(len(inputs[rows])) or held(inputs, rows))
    monkeypatch.setattr(training, "HELD", 200)
    for epoch in batches_of(images):
        np.testing.assert_array_equal(epoch, images)
    assert copied == [5, 5, 5, 5, 5, 5, 3] * 2


@pytest.mark.parametrize("jit_compile", [True, False])
def test_a_toss_is_another_in_each_batch_and_epoch_and_the_seed_decides_it(jit_compile):
    grey = np.broadcast_to(np.array([0, 0.25, 0.8, 1], "float32")[:, None, None], (10, 4, 400, 1))
    epochs = batches_of(grey, _toss(7, jit_compile), jit_compile)
    assert set(np.unique(epochs)) == {0, 1}
    assert epochs.mean(axis=(0, 1, 3, 4)) == pytest.approx([0, 0.25, 0.8, 1], abs=0.02)
    tosses = epochs.reshape(4, -1)  # two batches in each of two epochs
    assert len(np.unique(tosses, axis=0)) == 4
    assert np.array_equal(epochs, batches_of(grey, _toss(7, jit_compile), jit_compile))
    assert not np.array_equal(epochs, batches_of(grey, _toss(8, jit_compile), jit_compile))


@pytest.mark.slow
def test_a_toss_leaves_the_noise_of_z_alone_and_validation_images_as_they_are(even):
    """Black and white pixels are certain, so that their toss shows whether anything else changes."""
    binary = thresholded(even)
    (plain, history), (tossing, same) = trained(binary), trained(replace(binary, toss=True))
    pd.testing.assert_frame_equal(history, same, check_exact=True)
    for ours, theirs in zip(plain.get_weights(), tossing.get_weights(), strict=True):
        assert np.array_equal(ours, theirs)
    _, other = trained(binarised(even, "each_epoch"))
    assert not np.array_equal(other["objective"], history["objective"])


@pytest.mark.parametrize("kl_weight", [1e38, 3e38])
def test_losses_that_are_not_finite_stop_the_training_with_the_epoch_and_advice(even, kl_weight, tmp_path):
    with pytest.raises(InputError, match=r"not finite in epoch \d .*smaller learning_rate or kl_weight"):
        trained(even, kl_weight=kl_weight, epochs=3, history_file=tmp_path / "history.csv")


@pytest.mark.parametrize(("epochs", "wanted"), [(1, [0, 1]), (3, [0, 1, 2, 3]), (400, None)])
def test_pictures_are_taken_at_the_beginning_the_end_and_denser_where_most_happens(epochs, wanted):
    chosen = spread_epochs(epochs)
    assert (chosen[0], chosen[-1]) == (0, epochs)
    assert len(chosen) <= 17
    assert wanted is None or chosen == wanted
    assert np.all(np.diff(chosen) > 0)


def test_a_recorder_keeps_what_its_looks_return_at_the_wanted_epochs(even):
    weights = []
    vae = dense(1.0, seed=0)
    recorder = Recorder([0, 2], kernel=lambda: np.array(vae.encoder.get_weights()[0]), seen=lambda: len(weights))

    def after_epoch(epoch):
        weights.append(np.array(vae.encoder.get_weights()[0]))
        recorder(epoch)

    train(vae, even, epochs=3, batch_size=32, seed=0, after_epoch=after_epoch)
    assert recorder.epochs == [0, 2]
    assert recorder.kept["seen"] == [1, 3]
    np.testing.assert_array_equal(recorder.kept["kernel"], [weights[0], weights[2]])
    assert not np.array_equal(weights[0], weights[2])
