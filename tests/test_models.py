import numpy as np
import pytest
from keras import ops

from vae_core.losses import bernoulli_nll, kl_divergence
from vae_core.models import Sampling, mlp_decoder, mlp_encoder, reference_vae


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


def test_reference_model_has_the_parameters_of_seed_004():
    assert mlp_encoder().count_params() == 784 * 512 + 512 + 2 * (512 * 2 + 2)
    assert mlp_decoder().count_params() == 2 * 512 + 512 + 512 * 784 + 784


def test_builders_map_images_to_codes_and_codes_to_images():
    mean, log_var = mlp_encoder(16, latent_dim=3)(np.zeros((5, 28, 28, 1)))
    assert mean.shape == log_var.shape == (5, 3)
    assert mlp_decoder(16, latent_dim=3)(np.zeros((5, 3))).shape == (5, 28, 28, 1)


def test_initial_weights_depend_on_the_seed_and_not_on_the_kl_weight():
    weights = {
        (kl_weight, seed): np.concatenate(
            [w.ravel() for w in reference_vae(kl_weight, seed, hidden_units=8).get_weights()]
        )
        for kl_weight, seed in ((0, 0), (20, 0), (0, 1))
    }
    assert np.array_equal(weights[0, 0], weights[20, 0])
    assert not np.array_equal(weights[0, 0], weights[0, 1])


@pytest.mark.parametrize("kl_weight", [0.0, 0.5, 20.0])
def test_objective_is_distortion_plus_weighted_rate_in_training_and_validation(digits, kl_weight):
    vae = reference_vae(kl_weight, seed=0, hidden_units=8)
    images = digits.train_images[:64]
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
    expected = np.mean(np.asarray(bernoulli_nll(images, logits)) + 3.0 * np.asarray(kl_divergence(mean, log_var)))
    assert float(vae.compute_loss(x=images, y_pred=(mean, log_var, logits))) == pytest.approx(expected, rel=1e-6)


def test_decoder_sees_a_draw_and_not_the_mean(digits):
    vae = reference_vae(kl_weight=1.0, seed=0, hidden_units=8)
    mean, _, logits = vae(digits.train_images[:4])
    assert float(ops.max(ops.abs(logits - vae.decoder(mean)))) > 1e-3
