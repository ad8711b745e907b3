import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from vae_core.losses import bernoulli_nll, bernoulli_nll_pairs, gaussian_nll, kl_divergence, squared_error
from vae_core.measures import entropy_floor, zero_information_distortion


def test_kl_of_two_shifted_unit_gaussians_is_one():
    assert np.asarray(kl_divergence(np.ones((1, 2)), np.zeros((1, 2)))) == pytest.approx([1.0])


def test_kl_of_the_prior_is_zero():
    assert np.asarray(kl_divergence(np.zeros((3, 5)), np.zeros((3, 5)))) == pytest.approx([0, 0, 0])


@pytest.mark.parametrize(("mean", "deviation"), [(0.0, 0.3), (1.7, 1.0), (-2.0, 2.5)])
def test_kl_equals_its_integral(mean, deviation):
    def integrand(z):
        return norm.pdf(z, mean, deviation) * (norm.logpdf(z, mean, deviation) - norm.logpdf(z))

    integral, _ = quad(integrand, mean - 12 * deviation, mean + 12 * deviation)
    formula = np.asarray(kl_divergence(np.array([[mean]]), np.array([[2 * np.log(deviation)]])))
    assert formula == pytest.approx([integral], rel=1e-5)


def test_kl_sums_over_dimensions_and_not_over_the_batch(rng):
    mean, log_var = rng.normal(size=(4, 3)), rng.normal(size=(4, 3))
    by_hand = [
        sum(0.5 * (np.exp(v) + m * m - 1 - v) for m, v in zip(*row, strict=True))
        for row in zip(mean, log_var, strict=True)
    ]
    assert np.asarray(kl_divergence(mean, log_var)) == pytest.approx(by_hand, rel=1e-5)


def test_bernoulli_nll_by_hand():
    images = np.array([1.0, 0.0, 0.5]).reshape(1, 3, 1, 1)
    logits = np.log([0.8, 0.1, 0.5]) - np.log1p([-0.8, -0.1, -0.5])
    expected = -np.log(0.8) - np.log(0.9) - np.log(0.5)
    assert np.asarray(bernoulli_nll(images, logits.reshape(1, 3, 1, 1))) == pytest.approx([expected], rel=1e-6)


def test_bernoulli_nll_against_probabilities_in_double_precision(rng):
    images, logits = rng.uniform(size=(5, 28, 28, 1)), rng.normal(scale=3, size=(5, 28, 28, 1))
    p = 1 / (1 + np.exp(-logits))
    expected = -(images * np.log(p) + (1 - images) * np.log(1 - p)).sum(axis=(1, 2, 3))
    assert np.asarray(bernoulli_nll(images.astype("float32"), logits.astype("float32"))) == pytest.approx(
        expected, rel=1e-5
    )


def test_bernoulli_nll_stays_exact_at_saturated_pixels():
    images = np.array([0.0, 1.0]).reshape(2, 1, 1, 1).astype("float32")
    logits = np.array([200.0, -200.0]).reshape(2, 1, 1, 1).astype("float32")
    assert np.asarray(bernoulli_nll(images, logits)) == pytest.approx([200.0, 200.0])


def test_losses_of_an_image_do_not_depend_on_the_batch(digits):
    images, logits = digits.test_images[:6], digits.test_images[1:7] - 0.5
    together = np.asarray(bernoulli_nll(images, logits))
    alone = [float(np.asarray(bernoulli_nll(images[i : i + 1], logits[i : i + 1]))[0]) for i in range(6)]
    assert together == pytest.approx(alone, rel=1e-6)


def test_mnist_entropy_floor_is_the_loss_of_a_perfect_copy(mnist):
    x = np.clip(mnist.test_images.astype("float64"), 1e-12, 1 - 1e-12)
    logits = np.log(x) - np.log1p(-x)
    perfect = np.mean(np.asarray(bernoulli_nll(mnist.test_images, logits.astype("float32"))))
    assert perfect == pytest.approx(45.53, abs=0.01)
    assert entropy_floor(mnist.test_images) == pytest.approx(45.53, abs=0.005)


def test_mnist_collapse_ends_at_the_loss_of_the_mean_image(mnist):
    train_images = np.concatenate([mnist.validation_images, mnist.train_images])
    assert zero_information_distortion(train_images, mnist.test_images) == pytest.approx(205.80, abs=0.005)


def test_bernoulli_nll_of_pairs_is_that_of_each_image_under_each_code(rng):
    images, logits = rng.uniform(size=(3, 28, 28, 1)), rng.normal(size=(5, 28, 28, 1))
    one_by_one = [[np.asarray(bernoulli_nll(x[None], decoded[None]))[0] for decoded in logits] for x in images]
    np.testing.assert_allclose(np.asarray(bernoulli_nll_pairs(images, logits)), one_by_one, rtol=1e-5)


def test_squared_error_by_hand_and_as_a_gaussian_of_variance_a_half(rng):
    images, logits = np.array([[1.0, 0.0, 0.5]]), np.log([[0.8, 0.1, 0.5]]) - np.log1p([[-0.8, -0.1, -0.5]])
    assert np.asarray(squared_error(images, logits)) == pytest.approx([0.2**2 + 0.1**2], rel=1e-5)
    images = rng.uniform(size=(3, 28, 28, 1)).astype("float32")
    logits = rng.normal(size=(3, 28, 28, 1)).astype("float32")
    gaussian = np.asarray(gaussian_nll(images, 1 / (1 + np.exp(-logits)), 0.5))
    assert np.asarray(squared_error(images, logits)) == pytest.approx(gaussian - 392 * np.log(np.pi), rel=1e-4)
