"""The lessons' own kinds of models are saved and loaded by Keras, too."""

import importlib

import keras
import numpy as np
import pytest

from vae_core import latent
from vae_core.likelihoods import Gaussian
from vae_core.models import build_vae, dense_decoder, dense_encoder

MODELS = [
    ("autoencoder_vs_vae", lambda lesson: lesson.plain_autoencoder(seed=0, hidden_units=4, latent_dim=3)),
    ("autoencoder_vs_vae", lambda lesson: lesson.squared_error_vae(2.0, 0, 1e-3, 4, 3, lesson.SIGMA)),
    ("bug_gallery", lambda lesson: variant(lesson.UNCONSTRAINED_SIGMA)),
    ("bug_gallery", lambda lesson: variant(lesson.SIGMOID_THEN_LOG)),
    ("conditional_vae", lambda lesson: lesson.conditional_vae(2.0, seed=0, latent_dim=3, labels_into="both")),
    ("dense_vae_fashion", lambda lesson: lesson.gelu_vae(2.0, seed=0, kind=lesson.AsWritten)),
    ("elbo_and_kl", lambda lesson: gaussian(lesson, lesson.LearnedVarianceVAE, Gaussian(0.3))),
    ("elbo_and_kl", lambda lesson: gaussian(lesson, lesson.SolvedVarianceVAE, lesson.SolvedGaussian())),
]


def variant(exhibit):
    optimizer = keras.optimizers.Adam(1e-3)
    return build_vae(
        lambda: dense_encoder((4,)),
        lambda: dense_decoder((4,)),
        2.0,
        0,
        optimizer,
        exhibit.likelihood,
        kind=exhibit.kind,
    )


def gaussian(lesson, kind, likelihood):
    return lesson.gaussian_vae(kind, likelihood, 2.0, seed=0, learning_rate=1e-3, hidden_units=4)


@pytest.mark.parametrize(("name", "build"), MODELS)
def test_a_lesson_s_model_is_loaded_whole(digits, name, build, tmp_path):
    vae = build(importlib.import_module(f"vae_core.lessons.{name}.model"))
    vae.compile(vae.optimizer, run_eagerly=True)
    inputs = vae.inputs(digits.train_images[:16], digits.train_labels[:16])
    vae.train_on_batch(inputs)
    vae.save(tmp_path / "vae.keras")
    loaded = keras.models.load_model(tmp_path / "vae.keras")
    assert type(loaded) is type(vae)
    for ours, theirs in zip(vae.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    y_pred = vae(inputs)
    assert float(loaded.compute_loss(inputs, y_pred=y_pred)) == float(vae.compute_loss(inputs, y_pred=y_pred))
    loss_and_others = {*(metric.name for metric in vae.metrics)}
    assert set(loaded.evaluate(inputs, verbose=0, return_dict=True)) == loss_and_others >= {"loss", "objective"}


def test_a_model_with_a_loss_made_on_the_spot_is_refused_when_it_is_saved(tmp_path):
    model = importlib.import_module("vae_core.lessons.which_weight_are_you_using.model")
    vae, fresh = (model.means_vae(kl_factor, 0, 1e-3, hidden_units=4) for kl_factor in (1.0, 0.5))
    with pytest.raises(NotImplementedError, match="use save_weights"):
        vae.save(tmp_path / "vae.keras")
    vae.save_weights(tmp_path / "vae.weights.h5")
    fresh.load_weights(tmp_path / "vae.weights.h5")
    np.testing.assert_array_equal(latent.decode(fresh, [[1, 2]]), latent.decode(vae, [[1, 2]]))
    assert float(fresh.kl_weight) == float(vae.kl_weight)
