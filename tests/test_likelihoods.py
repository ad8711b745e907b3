import keras
import numpy as np
import pytest
from scipy.special import logit
from scipy.stats import norm

from vae_core.likelihoods import BERNOULLI, SQUARED_ERROR, Gaussian

LIKELIHOODS = [BERNOULLI, SQUARED_ERROR, Gaussian(), Gaussian(0.04)]


def test_bernoulli_nll_by_hand():
    images = np.array([1.0, 0.0, 0.5]).reshape(1, 3, 1, 1)
    logits = np.log([0.8, 0.1, 0.5]) - np.log1p([-0.8, -0.1, -0.5])
    expected = -np.log(0.8) - np.log(0.9) - np.log(0.5)
    assert np.asarray(BERNOULLI.nll(images, logits.reshape(1, 3, 1, 1))) == pytest.approx([expected], rel=1e-6)


def test_bernoulli_nll_against_probabilities_in_double_precision(rng):
    images, logits = rng.uniform(size=(5, 28, 28, 1)), rng.normal(scale=3, size=(5, 28, 28, 1))
    p = 1 / (1 + np.exp(-logits))
    expected = -(images * np.log(p) + (1 - images) * np.log(1 - p)).sum(axis=(1, 2, 3))
    assert np.asarray(BERNOULLI.nll(images.astype("float32"), logits.astype("float32"))) == pytest.approx(
        expected, rel=1e-5
    )


def test_bernoulli_nll_stays_exact_at_saturated_pixels():
    images = np.array([0.0, 1.0]).reshape(2, 1, 1, 1).astype("float32")
    logits = np.array([200.0, -200.0]).reshape(2, 1, 1, 1).astype("float32")
    assert np.asarray(BERNOULLI.nll(images, logits)) == pytest.approx([200.0, 200.0])


def test_losses_of_an_image_do_not_depend_on_the_batch(digits):
    images, logits = digits.test_images[:6], digits.test_images[1:7] - 0.5
    together = np.asarray(BERNOULLI.nll(images, logits))
    alone = [float(np.asarray(BERNOULLI.nll(images[i : i + 1], logits[i : i + 1]))[0]) for i in range(6)]
    assert together == pytest.approx(alone, rel=1e-6)


def test_bernoulli_nll_of_pairs_is_that_of_each_image_under_each_code(rng):
    images, logits = rng.uniform(size=(3, 28, 28, 1)), rng.normal(size=(5, 28, 28, 1))
    one_by_one = [[np.asarray(BERNOULLI.nll(x[None], decoded[None]))[0] for decoded in logits] for x in images]
    np.testing.assert_allclose(np.asarray(BERNOULLI.nll_pairs(images, logits)), one_by_one, rtol=1e-5)


@pytest.mark.parametrize("variance", [1.0, 0.5, 0.04])
def test_gaussian_nll_against_scipy(rng, variance):
    images = rng.uniform(size=(3, 28, 28, 1)).astype("float32")
    outputs = rng.normal(size=(3, 28, 28, 1)).astype("float32")
    expected = -norm(1 / (1 + np.exp(-outputs)), np.sqrt(variance)).logpdf(images).sum(axis=(1, 2, 3))
    assert np.asarray(Gaussian(variance).nll(images, outputs)) == pytest.approx(expected, rel=1e-4)
    assert Gaussian(variance).floor(images) == pytest.approx(392 * np.log(2 * np.pi * variance), rel=1e-5)


def test_squared_error_by_hand_and_as_a_gaussian_of_variance_a_half(rng):
    images, outputs = np.array([[1.0, 0.0, 0.5]], "float32"), logit([[0.8, 0.1, 0.5]]).astype("float32")
    assert np.asarray(SQUARED_ERROR.nll(images, outputs)) == pytest.approx([0.2**2 + 0.1**2], rel=1e-5)
    images = rng.uniform(size=(3, 28, 28, 1)).astype("float32")
    outputs = rng.normal(size=(3, 28, 28, 1)).astype("float32")
    gaussian = np.asarray(Gaussian(0.5).nll(images, outputs))
    assert np.asarray(SQUARED_ERROR.nll(images, outputs)) == pytest.approx(gaussian - 392 * np.log(np.pi), rel=1e-4)


@pytest.mark.parametrize("likelihood", LIKELIHOODS, ids=str)
def test_pairs_are_each_image_under_each_output(rng, likelihood):
    images = rng.uniform(size=(3, 5, 4, 2)).astype("float32")
    outputs = rng.normal(size=(6, 5, 4, 2)).astype("float32")
    one_by_one = [[np.asarray(likelihood.nll(x[None], decoded[None]))[0] for decoded in outputs] for x in images]
    np.testing.assert_allclose(np.asarray(likelihood.nll_pairs(images, outputs)), one_by_one, rtol=1e-4)


@pytest.mark.parametrize("likelihood", LIKELIHOODS, ids=str)
def test_no_output_is_better_than_the_floor_and_the_image_itself_reaches_it(rng, likelihood):
    images = rng.uniform(0.05, 0.95, size=(4, 6, 6, 1)).astype("float32")
    perfect = np.asarray(likelihood.nll(images, likelihood.outputs(images)))
    assert perfect.mean() == pytest.approx(likelihood.floor(images), rel=1e-4, abs=1e-3)
    other = np.asarray(likelihood.nll(images, rng.normal(size=images.shape).astype("float32")))
    assert other.mean() > likelihood.floor(images)


@pytest.mark.parametrize("likelihood", LIKELIHOODS, ids=str)
def test_draws_have_the_decoded_mean_and_cost_what_the_entropy_says(likelihood):
    """-log p of its own draws is, on average, the entropy of the distribution."""
    p = np.array([0.05, 0.3, 0.5, 0.9]).reshape(1, 4, 1, 1)
    outputs = np.repeat(likelihood.outputs(p), 40_000, axis=0)
    draws = np.asarray(likelihood.draw(outputs, seed=1))
    assert draws.mean(axis=0).ravel() == pytest.approx(p.ravel(), abs=0.02)
    cost = float(np.mean(np.asarray(likelihood.nll(draws, outputs))))
    if likelihood is BERNOULLI:
        assert set(np.unique(draws)) == {0, 1}
        assert cost == pytest.approx(-(p * np.log(p) + (1 - p) * np.log(1 - p)).sum(), rel=0.02)
    else:
        assert draws.std(axis=0).ravel() == pytest.approx([np.sqrt(likelihood.variance)] * 4, rel=0.02)
        assert cost == pytest.approx(4 / 2 + float(likelihood.constant(4)), rel=0.02)


def test_draws_repeat_with_an_integer_and_go_on_with_a_generator():
    outputs, generator = np.zeros((1, 4, 4, 1), "float32"), keras.random.SeedGenerator(0)
    one, other = (np.asarray(BERNOULLI.draw(outputs, 7)) for _ in range(2))
    assert np.array_equal(one, other)
    assert not np.array_equal(*(np.asarray(BERNOULLI.draw(outputs, generator)) for _ in range(2)))
