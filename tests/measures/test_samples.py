from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from vae_core.measures import samples
from vae_core.models import reference_vae


@pytest.fixture(scope="module")
def judge(digits):
    return samples.train_judge(digits)


def test_the_judge_knows_real_digits_it_never_saw_and_is_the_same_every_time(digits, judge):
    measured = samples.measure_samples(judge, {}, digits)
    assert measured["judge_accuracy"] > 0.85
    assert measured["test_classes"] == 10
    again = samples.train_judge(digits)
    np.testing.assert_array_equal(again.get_weights()[0], judge.get_weights()[0])


def test_opinions_are_the_judges_best_guess_and_its_probability(digits, judge):
    opinions = samples.opinions(judge, digits.test_images[:20], digits.class_names)
    logits = judge.predict(digits.test_images[:20], verbose=0).astype(float)
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    guesses = [opinion.split(", ") for opinion in opinions]
    assert [int(name) for name, _ in guesses] == probabilities.argmax(axis=1).tolist()
    assert [share for _, share in guesses] == [f"{p:.0%}" for p in probabilities.max(axis=1)]


def test_quality_by_hand():
    """Half of the images are surely of class 0, half barely of class 1, and one in two hundred is of class 2."""
    probabilities = np.repeat([[1, 0, 0], [0.3, 0.4, 0.3], [0.1, 0.1, 0.8]], [100, 99, 1], axis=0)
    measured = samples.quality("prior", probabilities, np.zeros((200, 28, 28, 1)))
    assert measured["prior_confidence"] == pytest.approx((100 + 99 * 0.4 + 0.8) / 200)
    shares = np.array([100, 99, 1]) / 200
    assert measured["prior_class_entropy"] == pytest.approx(-(shares * np.log(shares)).sum())
    assert measured["prior_classes"] == 2  # the third has less than 1 %
    assert measured["prior_sharpness"] == 0


def test_a_collapsed_decoder_draws_one_class_with_no_entropy(digits, judge):
    vae = reference_vae(1.0, seed=0, hidden_units=4)
    p = np.clip(digits.train_images[0], 0.01, 0.99).ravel()
    vae.decoder.set_weights([0 * w for w in vae.decoder.get_weights()[:-1]] + [np.log(p) - np.log1p(-p)])
    mean = np.random.default_rng(0).normal(size=(500, 2))
    drawn = samples.draw_images(vae, mean, np.zeros((500, 2)))
    assert drawn["prior"].shape == drawn["mixture"].shape == (10_000, 28, 28, 1)
    measured = samples.measure_samples(judge, drawn, digits)
    assert measured["prior_classes"] == measured["mixture_classes"] == 1
    assert measured["prior_class_entropy"] == 0
    assert measured["test_class_entropy"] == pytest.approx(np.log(10), abs=0.02)


def test_the_mixture_is_where_the_codes_are_and_the_prior_is_not(rng):
    centers = np.array([[20.0, 0.0], [0.0, 30.0]])
    mean = centers[rng.integers(2, size=2000)] + rng.normal(size=(2000, 2))
    codes = samples.draw_codes(mean, np.zeros((2000, 2)), samples=4000)
    assert np.abs(codes["prior"].mean(axis=0)).max() < 0.1
    nearest = np.linalg.norm(codes["mixture"][:, None] - centers, axis=2).min(axis=1)
    assert nearest.max() < 6
    deviation = np.std(codes["mixture"][codes["mixture"][:, 0] > 10, 0])
    assert deviation == pytest.approx(np.sqrt(1 + 1), rel=0.1)  # draws from q(z|x), not its means
    first = codes["mixture"][:1000]
    assert 0.3 < np.mean(first[:, 0] > 10) < 0.7  # not sorted by component


@pytest.mark.parametrize(("latent_dim", "scale"), [(32, 1.0), (128, 1.0), (3, 1e6), (4, 0.0)])
def test_a_mixture_fits_codes_of_many_dimensions_wide_ones_and_constant_ones(rng, latent_dim, scale):
    mean = scale * rng.normal(size=(1500, latent_dim))
    mean[:, 1] = 5 * scale
    codes = samples.draw_codes(mean, np.full_like(mean, -20), samples=500)["mixture"]
    assert codes.shape == (500, latent_dim)
    assert np.isfinite(codes).all()
    deviation = np.sqrt(scale**2 + np.exp(-20))
    np.testing.assert_allclose(codes.mean(axis=0), mean.mean(axis=0), atol=0.25 * deviation + 0.01)
    np.testing.assert_allclose(np.delete(codes, 1, axis=1).std(), scale, rtol=0.1, atol=0.01)


def test_without_labels_samples_are_set_beside_real_images(digits):
    unlabelled = replace(digits, class_names=(), test_labels=np.full_like(digits.test_labels, -1))
    assert samples.train_judge(unlabelled) is None
    assert samples.opinions(None, digits.test_images[:2], ()) == ["", ""]
    copies, grey = digits.train_images[:400], np.full((400, 28, 28, 1), 0.5, "float32")
    measured = samples.measure_samples(None, {"prior": grey, "mixture": copies}, unlabelled)
    assert measured["mixture_f_score"] == measured["train_f_score"] > 0.5
    assert measured["prior_recall"] == measured["prior_f_score"] == 0
    assert measured["test_sharpness"] > measured["prior_sharpness"] == 0
    assert not [name for name in measured if "class" in name or "confidence" in name or "judge" in name]
    assert np.isfinite(list(measured.values())).all()


def test_colour_images_are_as_sharp_as_their_channels_on_average(digits):
    images = digits.test_images[:20]
    colour = np.concatenate([images, images, np.zeros_like(images)], axis=-1)
    np.testing.assert_allclose(samples.sharpness(colour), 2 / 3 * samples.sharpness(images), rtol=1e-5)


def test_large_images_are_drawn_and_judged_in_smaller_numbers(digits, judge, monkeypatch):
    vae = reference_vae(1.0, seed=0, hidden_units=4)
    mean = np.random.default_rng(0).normal(size=(500, 2))
    whole = samples.judgement(judge, digits.test_images[:30])
    monkeypatch.setattr(samples, "DRAWN", 4 * 784 * 70)
    assert len(samples.draw_images(vae, mean, np.zeros((500, 2)))["prior"]) == 70
    monkeypatch.setattr("vae_core.measures.blocks.MEMORY", 4 * 784 * 7)
    np.testing.assert_allclose(samples.judgement(judge, digits.test_images[:30]), whole, atol=1e-5)


def test_sharpness_of_pictures_whose_laplacian_is_known():
    board = np.indices((28, 28)).sum(axis=0) % 2.0
    flat, ramp = np.full((28, 28), 0.7), np.tile(np.arange(28) / 28, (28, 1))
    sharp, none, almost_none = samples.sharpness(np.stack([board, flat, ramp])[..., None])
    inside = np.var(np.where(board == 0, 4, -4))
    assert sharp == pytest.approx(inside, rel=0.1)
    assert none == pytest.approx(0)
    assert almost_none < 1e-3


def test_blurring_a_digit_makes_it_less_sharp(digits):
    images = digits.test_images[:50]
    blurred = gaussian_filter(images, sigma=(0, 1, 1, 0))
    assert np.all(samples.sharpness(blurred) < samples.sharpness(images))
