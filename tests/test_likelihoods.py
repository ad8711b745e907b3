import keras
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import expit, logit
from scipy.stats import norm

from vae_core.errors import InputError
from vae_core.likelihoods import (
    BERNOULLI,
    SQUARED_ERROR,
    ContinuousBernoulli,
    Gaussian,
    GaussianLearnedVariance,
    likelihood_of,
)
from vae_core.models import build_vae, dense_decoder, dense_encoder

CONTINUOUS, LEARNED = ContinuousBernoulli(), GaussianLearnedVariance()
LIKELIHOODS = [BERNOULLI, CONTINUOUS, SQUARED_ERROR, Gaussian(), Gaussian(0.04), LEARNED]
PARAMETERS = [0.0, 1e-6, -1e-3, 0.3, 0.999, -1.001, 3.0, -20.0, 300.0]  # of a continuous Bernoulli pixel


def outputs_like(likelihood, outputs):
    """These numbers as a decoder's outputs; for a learned variance with a channel that is one number per image."""
    if likelihood is not LEARNED:
        return outputs
    channel = np.linspace(-3, 1, len(outputs), dtype="float32")[:, None, None, None]
    return np.concatenate([outputs, np.broadcast_to(channel, (*outputs.shape[:3], 1))], axis=-1)


def pixel(number):
    """An image of one pixel, in double precision."""
    return np.full((1, 1, 1, 1), number, np.float64)


def density(likelihood, x, outputs):
    return float(np.exp(-np.asarray(likelihood.nll(pixel(x), outputs))[0]))


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
    outputs = outputs_like(likelihood, rng.normal(size=(6, 5, 4, 2)).astype("float32"))
    one_by_one = [[np.asarray(likelihood.nll(x[None], decoded[None]))[0] for decoded in outputs] for x in images]
    np.testing.assert_allclose(np.asarray(likelihood.nll_pairs(images, outputs)), one_by_one, rtol=1e-4)


@pytest.mark.parametrize("likelihood", LIKELIHOODS, ids=str)
def test_no_output_is_better_than_the_floor_and_the_image_itself_reaches_it(rng, likelihood):
    images = rng.uniform(0.05, 0.95, size=(4, 6, 6, 1)).astype("float32")
    perfect = np.asarray(likelihood.nll(images, likelihood.outputs(images)))
    assert perfect.mean() == pytest.approx(likelihood.floor(images), rel=1e-4, abs=1e-3)
    other = outputs_like(likelihood, rng.normal(size=images.shape).astype("float32"))
    assert np.mean(likelihood.nll(images, other)) > likelihood.floor(images)


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
    elif likelihood is CONTINUOUS:
        assert (draws.min(), draws.max()) == pytest.approx((0, 1), abs=1e-3)
        assert cost == pytest.approx(likelihood.floor(p.reshape(1, 4, 1, 1)), abs=0.02)
    elif likelihood is LEARNED:
        assert np.std(draws - p) == pytest.approx(np.exp(-6), rel=0.01)
        assert cost == pytest.approx(4 / 2 + likelihood.floor(p), rel=0.02)
    else:
        assert draws.std(axis=0).ravel() == pytest.approx([np.sqrt(likelihood.variance)] * 4, rel=0.02)
        assert cost == pytest.approx(4 / 2 + float(likelihood.constant(4)), rel=0.02)


def test_draws_repeat_with_an_integer_and_go_on_with_a_generator():
    outputs, generator = np.zeros((1, 4, 4, 1), "float32"), keras.random.SeedGenerator(0)
    one, other = (np.asarray(BERNOULLI.draw(outputs, 7)) for _ in range(2))
    assert np.array_equal(one, other)
    assert not np.array_equal(*(np.asarray(BERNOULLI.draw(outputs, generator)) for _ in range(2)))


@pytest.mark.parametrize("parameter", PARAMETERS)
def test_continuous_bernoulli_adds_up_to_1_around_its_mean(parameter):
    outputs, cuts = pixel(parameter), [0.001, 0.02, 0.98, 0.999]
    assert quad(lambda x: density(CONTINUOUS, x, outputs), 0, 1, points=cuts)[0] == pytest.approx(1, abs=1e-7)
    mean = quad(lambda x: x * density(CONTINUOUS, x, outputs), 0, 1, points=cuts)[0]
    assert float(np.asarray(CONTINUOUS.mean(outputs)).item()) == pytest.approx(mean, abs=1e-7)


def test_continuous_bernoulli_as_in_the_paper(rng):
    """C(lambda) lambda^x (1 - lambda)^(1 - x) with C = 2 artanh(1 - 2 lambda) / (1 - 2 lambda), equation 7."""
    shares, images = np.array([0.02, 0.3, 0.6, 0.97]), rng.uniform(size=(5, 4, 1, 1))
    constant = 2 * np.arctanh(1 - 2 * shares) / (1 - 2 * shares)
    x = images[:, :, 0, 0]
    expected = -(np.log(constant) + x * np.log(shares) + (1 - x) * np.log(1 - shares)).sum(axis=1)
    outputs = np.broadcast_to(logit(shares).reshape(1, 4, 1, 1), images.shape)
    assert np.asarray(CONTINUOUS.nll(images, outputs)) == pytest.approx(expected, rel=1e-9)
    means = shares / (2 * shares - 1) + 1 / (2 * np.arctanh(1 - 2 * shares))  # equation 8
    assert np.asarray(CONTINUOUS.mean(outputs))[0].ravel() == pytest.approx(means, rel=1e-7)


def test_continuous_bernoulli_in_single_precision_and_its_gradient_are_those_in_double_everywhere():
    """The gradient is mean - x; nothing is lost where two formulas meet, at 0, or where exp would overflow."""
    import tensorflow as tf

    parameters = np.array([0, 1e-30, 1e-4, 0.5, 0.9999, 1, 1.0001, 30, 100, 5e3, 1e6, 1e20, 3e38])
    parameters = np.concatenate([-parameters, parameters]).reshape(-1, 1, 1, 1)
    within = np.clip(parameters, -1e7, 1e7)
    size = np.maximum(np.abs(within), 1e-9)
    for x in np.float32([0, 0.2, 1]):
        single = tf.Variable(parameters.astype("float32"))
        with tf.GradientTape() as tape:
            nll = CONTINUOUS.nll(tf.fill(single.shape, x), single)
        gradient = tape.gradient(nll, single).numpy()
        exact = np.log(-np.expm1(-size) / size) + np.where(within < 0, x, 1 - x) * size
        np.testing.assert_allclose(nll, exact.ravel(), rtol=1e-6, atol=1e-8)
        slope, inside = (CONTINUOUS.mean(within) - x).numpy(), np.abs(parameters) < 1e7
        np.testing.assert_allclose(gradient[inside], slope[inside], rtol=1e-6, atol=1e-7)
        assert np.isfinite(gradient).all()


def test_continuous_bernoulli_draws_follow_the_distribution_function():
    parameters, quantiles = np.array([0.0, 1e-7, -0.5, 4.0, -60.0]), np.array([0.1, 0.5, 0.9])
    outputs = np.tile(parameters.reshape(1, 5, 1, 1), (40_000, 1, 1, 1)).astype("float32")
    draws = np.asarray(CONTINUOUS.draw(outputs, seed=3))[:, :, 0, 0]
    at = np.quantile(draws, quantiles, axis=0)  # (3, 5)
    for column, parameter in enumerate(parameters):
        for x, share in zip(at[:, column], quantiles, strict=True):
            below = quad(lambda x: density(CONTINUOUS, x, pixel(parameter)), 0, x)[0]  # noqa: B023
            assert below == pytest.approx(share, abs=0.01)


def test_continuous_bernoulli_outputs_have_the_mean_and_no_parameter_is_better_than_the_floor():
    means = np.linspace(0.002, 0.998, 500).reshape(500, 1, 1, 1)
    np.testing.assert_allclose(CONTINUOUS.mean(CONTINUOUS.outputs(means)), means, rtol=2e-6)
    assert np.asarray(CONTINUOUS.mean(CONTINUOUS.outputs(pixel(0)))).item() == pytest.approx(0.5 / 255, rel=1e-5)
    parameters = np.concatenate([np.linspace(-50, 50, 2001), [-1e3, 1e3, -1e7, 1e7, -1e30, 1e30]]).reshape(-1, 1, 1, 1)
    for x in (0, 1e-9, 0.003, 0.25, 0.5, 0.9, 1):
        costs = np.asarray(CONTINUOUS.nll(np.full_like(parameters, x), parameters))
        assert costs.min() >= CONTINUOUS.floor(pixel(x)) - 1e-9
        if 0.02 < x < 0.98:
            assert costs.min() == pytest.approx(CONTINUOUS.floor(pixel(x)), abs=1e-3)
    assert CONTINUOUS.floor(pixel(0)) == CONTINUOUS.floor(pixel(1)) == pytest.approx(-7 * np.log(10))
    assert CONTINUOUS.floor(pixel(0.5)) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("log_variance", [0.0, -3.0])
def test_a_learned_variance_is_that_of_a_gaussian(rng, log_variance):
    images, decoded = (rng.uniform(size=(3, 5, 4, 2)).astype("float32") for _ in range(2))
    outputs = np.concatenate([decoded, np.full((3, 5, 4, 1), log_variance, "float32")], axis=-1)
    expected = -norm(expit(decoded), np.exp(log_variance / 2)).logpdf(images).sum(axis=(1, 2, 3))
    assert np.asarray(LEARNED.nll(images, outputs)) == pytest.approx(expected, rel=1e-3)
    assert np.asarray(LEARNED.variance(outputs)) == pytest.approx(np.exp(log_variance), rel=1e-3)


def test_a_learned_variance_has_a_least_one(rng):
    images = rng.uniform(size=(2, 5, 4, 1)).astype("float32")
    outputs = np.concatenate([BERNOULLI.outputs(images), np.full((2, 5, 4, 1), -1e6, "float32")], axis=-1)
    assert np.mean(LEARNED.nll(images, outputs)) == pytest.approx(LEARNED.floor(images), rel=1e-5)
    assert LEARNED.floor(images) == pytest.approx(20 / 2 * (np.log(2 * np.pi) - 12), rel=1e-6)


@pytest.mark.parametrize("likelihood", LIKELIHOODS, ids=str)
def test_no_outputs_for_all_images_are_better_than_the_shared_ones(rng, likelihood):
    images = rng.beta(1, 2, size=(200, 3, 3, 1)).astype("float32")
    shared = likelihood.shared_outputs(images)

    def cost(outputs):
        return float(np.mean(likelihood.nll(images, np.broadcast_to(outputs, (len(images), *outputs.shape)))))

    for place in range(shared.shape[-1]):
        for change in (-0.05, 0.05):
            other = shared.copy()
            other[..., place] += change
            assert cost(other) > cost(shared)


@pytest.mark.parametrize("likelihood", [CONTINUOUS, LEARNED, Gaussian(0.04)], ids=str)
def test_a_model_is_built_trained_saved_and_loaded_with_each_likelihood(rng, likelihood, tmp_path):
    images = rng.uniform(size=(40, 4, 6, 3)).astype("float32")
    vae = build_vae(
        lambda: dense_encoder((8,), image_shape=(4, 6, 3)),
        lambda: dense_decoder((8,), image_shape=(4, 6, 3)),
        *(1.0, 0, keras.optimizers.Adam(1e-2), likelihood),
        jit_compile=False,
    )
    before = vae.likelihood.learned(vae.decoder)
    losses = vae.fit(images, epochs=3, verbose=0).history["objective"]
    assert losses[-1] < losses[0]
    outputs = np.asarray(vae.decoder(np.zeros((1, 2))))
    assert np.asarray(likelihood.mean(outputs)).shape == (1, 4, 6, 3)
    assert before == ({"learned_variance": pytest.approx(1, rel=1e-4)} if likelihood is LEARNED else {})
    assert likelihood is not LEARNED or likelihood.learned(vae.decoder)["learned_variance"] < 0.9
    vae.save(tmp_path / "vae.keras")
    loaded = keras.saving.load_model(tmp_path / "vae.keras")
    assert loaded.likelihood == likelihood
    np.testing.assert_array_equal(loaded.decoder(np.zeros((1, 2))), outputs)


def test_likelihoods_by_the_names_of_a_run():
    assert likelihood_of("bernoulli") is BERNOULLI
    assert likelihood_of("continuous_bernoulli") == CONTINUOUS
    assert likelihood_of("gaussian", 0.04) == Gaussian(0.04)
    assert likelihood_of("gaussian_learned_variance") == LEARNED
    assert [likelihood.density for likelihood in (BERNOULLI, CONTINUOUS, Gaussian(), LEARNED)] == [False, *[True] * 3]
    with pytest.raises(InputError, match=r"likelihood must be one of bernoulli, .* not 'poisson'"):
        likelihood_of("poisson")
