"""-log p(x) itself, in nats per image: by quadrature on a line or a plane, by importance weighting anywhere."""

from collections.abc import Callable
from functools import lru_cache

import vae_core.backend  # noqa: F401

import numpy as np
import tensorflow as tf
from keras import ops
from scipy.special import logsumexp
from scipy.stats import norm

from vae_core.latent import draw
from vae_core.measures.blocks import MEMORY, blocks, images_in
from vae_core.measures.codes import log_aggregate_posterior
from vae_core.measures.posterior import Gaussians, near_posterior
from vae_core.models import VAE
from vae_core.statistics import with_error

PROPOSALS = 20_000
FEWEST, MOST = 32, 512  # proposals of each image, where images do not share them; multiples of 16
SETTLED = 0.1  # the `nll_change` at which they are enough, in nats per image
WIDER = 1.2  # times the variance: a proposal that is too narrow costs more draws than one that is too wide
CELLS = (128, 256)  # of the grid in each dimension, and of a second one where the first is too coarse
STANDSTILL = 0.2  # the `quadrature_change` up to which the quadrature is taken for -log p(x), in nats per image
LOST = 1e-6  # the share of p(x) that may lie outside the grid
CHECKED, SETS = 200, 10  # images, and independent sets of proposals, for the comparison with the quadrature
BLOCK = 500  # codes decoded at a time: 20 MB beside 10,000 images


def measure_nll(
    vae: VAE, images: np.ndarray, mean: np.ndarray, log_var: np.ndarray, proposals: int = PROPOSALS, seed: int = 0
) -> dict[str, np.ndarray]:
    """-log p(x) by the best means for the number of latent dimensions; (N,), nats per image.

    In more than two dimensions each image has its own proposals: see `nll_by_own_proposals` for what is returned. On a
    line or a plane it is the sum over a grid, and `quadrature_change`, (N,) too, says how much half of its points would
    change it. Where that is above STANDSTILL on average even on the finest grid, `nll` is importance-weighted, and a
    printed line says so. One also says where the draws are too few for own proposals.

    images: (N, height, width, channels); mean, log_var: (N, latent_dim), of q(z|x)
    """
    if mean.shape[1] > 2:
        found = nll_by_own_proposals(vae, images, mean, log_var, seed)
        if (change := found["nll_change"].mean()) > 2 * SETTLED:
            print(f"nll is an upper bound: half of the {MOST} draws of an image change it by {change:.2g} nats/image")
        return found
    limit = latent_limit(vae, images)
    for cells in CELLS:
        halves = quadrature_halves(vae, images, cells, limit)  # (2, N)
        change = np.abs(halves[0] - halves[1])
        if change.mean() <= STANDSTILL:
            return {"nll": _mean_density(halves), "quadrature_change": change}
    print(
        f"nll is importance-weighted: half the points of a grid with {cells} each way change the sum over it by "
        f"{change.mean():.2g} nats/image"
    )
    return {"nll": nll(vae, images, mean, log_var, proposals, seed), "quadrature_change": change}


def nll_by_quadrature(vae: VAE, images: np.ndarray, cells: int = CELLS[0], limit: float | None = None) -> np.ndarray:
    """-log p(x) for one or two latent dimensions, summed over a grid.

    p(x) ~ sum over the grid of p(x|z) p(z) dz,  each z_i = sinh(u_i) at equal distances in u_i

    The sinh sets the points densely where the prior is and widely farther out. The sum is exact to rounding once the
    points are no farther apart than the deviation of p(z|x): call it with more `cells`, or see `quadrature_halves`.
    A posterior much narrower than that may lie between the points of any check; then the importance-weighted estimate
    is lower than this.

    images: (N, height, width, channels); cells: points in each dimension; limit: the largest coordinate, that of
    `latent_limit` if not given
    returns: (N,), nats per image
    """
    return _mean_density(quadrature_halves(vae, images, cells, limit or latent_limit(vae, images)))


def quadrature_halves(vae: VAE, images: np.ndarray, cells: int, limit: float) -> np.ndarray:
    """`nll_by_quadrature` by each half of the points of its grid, which alternate: (2, N), nats per image.

    The mean of the two densities is the sum over all points. A sum over a grid converges fast: its error is about the
    square of the relative error of half the points, so where the halves agree to a tenth, all points do to a hundredth.
    """
    latent_dim = vae.decoder.input_shape[-1]
    u, step = np.linspace(-np.arcsinh(limit), np.arcsinh(limit), cells, retstep=True)
    axes = np.meshgrid(*[np.sinh(u)] * latent_dim)  # latent_dim arrays of (cells, ...)
    z = np.stack([axis.ravel() for axis in axes], axis=1)  # (cells^latent_dim, latent_dim)
    log_cell = np.log(np.sqrt(1 + z**2) * step).sum(axis=1)  # dz = cosh(u) du
    log_weights = norm.logpdf(z).sum(axis=1) + log_cell
    half = np.indices([cells] * latent_dim).sum(axis=0).ravel() % 2  # like the colours of a chess-board
    return np.stack([-_log_weighted_sum(vae, images, z[half == i], log_weights[half == i] + np.log(2)) for i in (0, 1)])


def latent_limit(vae: VAE, images: np.ndarray) -> float:
    """A distance from the origin beyond which less than LOST of any image's p(x) lies, whatever is decoded there.

    integral over |z| > r of p(x|z) p(z) <= exp(-floor(x)) P(|z| > r) <= exp(-floor(x) - r^2 / 2)

    The right side is LOST p(x) at r^2 / 2 = -log p(x) - floor(x) - log LOST, with `Likelihood.floor`, the least
    -log p(x|z). For this -log p(x) is found on a coarse grid, since a few nats too much do no harm.

    images: (N, height, width, channels)
    """
    coarse = _mean_density(quadrature_halves(vae, images, cells=32, limit=5))  # (N,)
    floor = np.array([vae.likelihood.floor(image[None]) for image in images])  # (N,)
    return float(np.sqrt(2 * (np.max(coarse - floor) - np.log(LOST))))


def nll_above_quadrature(
    vae: VAE,
    images: np.ndarray,
    mean: np.ndarray,
    log_var: np.ndarray,
    exact: np.ndarray,
    proposals: int = PROPOSALS,
    seed: int = 0,
) -> dict[str, float]:
    """How far the importance-weighted estimate is above the quadrature: mean over CHECKED random images, in nats.

    Clearly below 0, the grid has missed where p(x|z) p(z) is. Images share their proposals and err together, so the
    standard error has two parts: of the choice of images, and of the proposals, by leaving out each of SETS independent
    sets in turn (the jackknife).

    images: (N, height, width, channels); mean, log_var: (N, latent_dim); exact: (N,), `nll_by_quadrature`; proposals:
    of all sets together, rounded up
    returns: `nll_above_quadrature` and its standard error
    """
    chosen = np.random.default_rng(seed).permutation(len(images))[:CHECKED]
    codes = mean[chosen], log_var[chosen]
    estimates = np.array([nll(vae, images[chosen], *codes, proposals // SETS, seed + i) for i in range(SETS)])
    above = _mean_density(estimates) - exact[chosen]  # (CHECKED,)
    without = [_mean_density(np.delete(estimates, i, axis=0)).mean() for i in range(SETS)]
    of_proposals = np.sqrt((SETS - 1) * np.var(without))
    of_images = with_error(above=above)["above_se"]
    return {
        "nll_above_quadrature": float(above.mean()),
        "nll_above_quadrature_se": float(np.hypot(of_images, of_proposals)),
    }


def nll(
    vae: VAE,
    images: np.ndarray,
    mean: np.ndarray,
    log_var: np.ndarray,
    proposals: int = PROPOSALS,
    seed: int = 0,
) -> np.ndarray:
    """-log p(x), importance-weighted, for latent spaces of few dimensions: all images share their proposals.

    log p(x) ~ log 1/K sum over k of p(x|z_k) p(z_k) / r(z_k),  r(z) = 1/2 (mean over images of q(z|x)) + 1/2 p(z)

    Half of the proposals are draws from the q(z|x) of all images, half are from the prior. So the estimate works even
    where an image's own q(z|x) is a poor approximation of its posterior, as at weight 0, and one blocked matrix product
    serves all images. In expectation it is an upper bound, which falls to -log p(x) as K grows (Burda, Grosse and
    Salakhutdinov 2016, arXiv:1509.00519). The weights are those of Veach and Guibas 1995. In many dimensions the codes
    of other images do not help: see `nll_by_own_proposals`.

    The images share their proposals, so their errors go together: see `nll_above_quadrature`.

    The cross-entropy of grey pixels is not a normalised likelihood (see `Bernoulli`). The numbers compare models of the
    same images; they cannot be compared with likelihoods of black-and-white MNIST.

    images: (N, height, width, channels); mean, log_var: (N, latent_dim); proposals: K, rounded up to a multiple of 2 N
    returns: (N,), nats per image
    """
    rng, draws_per_image = np.random.default_rng(seed), max(1, -(-proposals // (2 * len(images))))
    coded = draw(mean, log_var, rng, draws_per_image)
    coded = coded.reshape(-1, mean.shape[1])  # (K / 2, latent_dim)
    z = np.concatenate([coded, rng.standard_normal(coded.shape)])  # (K, latent_dim)
    log_prior = norm.logpdf(z).sum(axis=1)  # (K,)
    log_mixture = np.logaddexp(log_aggregate_posterior(z, mean, log_var), log_prior) - np.log(2)
    return -_log_weighted_sum(vae, images, z, log_prior - log_mixture - np.log(len(z)))


def nll_by_own_proposals(
    vae: VAE, images: np.ndarray, mean: np.ndarray, log_var: np.ndarray, seed: int = 0
) -> dict[str, np.ndarray]:
    """-log p(x), importance-weighted, for latent spaces of many dimensions: each image has its own proposals.

    log p(x) ~ log 1/K sum over k of p(x|z_k) p(z_k) / r(z_k)
    r(z) = 14/16 g(z) + 1/16 q(z|x) + 1/16 p(z),  g of `near_posterior` with WIDER times the variance

    q(z|x) alone is a poor proposal: its dimensions are independent, and it is too narrow or too wide where kl_weight is
    not 1. With it -log p(x) of MNIST still falls by more than 0.1 nats with each doubling at 512 draws. The shares of
    q(z|x) and of the prior keep every weight below 16 p(x|z). In expectation it is an upper bound (Burda, Grosse and
    Salakhutdinov 2016, arXiv:1509.00519); the weights are those of Veach and Guibas 1995.

    K starts at FEWEST and doubles, for a block of images at a time, until half of the draws change the block's mean by
    no more than SETTLED, or at MOST.

    images: (N, height, width, channels); mean, log_var: (N, latent_dim)
    returns: (N,) each: `nll` and `nll_change`, how much higher it is on average by half of the draws alone, in nats per
        image; `proposals`, K
    """
    rng, latent_dim = np.random.default_rng(seed), mean.shape[1]
    size = min(images_in(MEMORY // 2, (max(latent_dim, FEWEST), *images.shape[1:])), len(images))
    found = []
    for block in blocks(images, size):
        rows = np.arange(block.start, block.start + size).clip(max=len(images) - 1)  # another shape compiles anew
        of_block = _by_own_proposals(vae, images[rows], mean[rows].astype(float), log_var[rows].astype(float), rng)
        found.append(of_block[:, : len(images) - block.start])
    return dict(zip(("nll", "nll_change", "proposals"), np.concatenate(found, axis=1), strict=True))


def _by_own_proposals(vae: VAE, images: np.ndarray, mean: np.ndarray, log_var: np.ndarray, rng) -> np.ndarray:
    """`nll_by_own_proposals` of a block of images: (3, n)."""
    images = tf.constant(images)
    near = near_posterior(vae, images, mean, rng).wider(WIDER)
    own = Gaussians(mean, np.exp(log_var / 2)[:, None] * np.eye(mean.shape[1]))
    halves, draws = np.full((2, len(mean)), -np.inf), 0  # log of the summed weights in each half of the draws
    while True:
        for _ in range(max(1, draws // FEWEST)):
            weights = _log_weights(vae, images, near, own, rng)  # (n, FEWEST)
            for half in (0, 1):
                halves[half] = np.logaddexp(halves[half], logsumexp(weights[:, half::2], axis=1))
            draws += FEWEST
        by_half = np.log(draws / 2) - halves  # (2, n), nats per image
        change = by_half.mean(axis=0) - _mean_density(by_half)  # (n,)
        if change.mean() <= SETTLED or draws >= MOST:
            return np.stack([_mean_density(by_half), change, np.full(len(mean), draws)])


def _log_weights(vae: VAE, images: tf.Tensor, near: Gaussians, own: Gaussians, rng) -> np.ndarray:
    """log p(x|z) p(z) / r(z) at FEWEST draws from r of each image: (n, FEWEST), as many of each part in both halves."""
    noise = rng.standard_normal((len(near.mean), FEWEST, near.mean.shape[1]))
    rare = FEWEST // 16
    z = np.concatenate([near.at(noise[:, 2 * rare :]), own.at(noise[:, :rare]), noise[:, rare : 2 * rare]], axis=1)
    log_prior = norm.logpdf(z).sum(axis=-1)  # (n, FEWEST)
    parts = [near.log_density(z) + np.log(14), own.log_density(z), log_prior]
    log_proposal = logsumexp(parts, axis=0) - np.log(16)
    return np.asarray(_log_likelihood(vae)(images, z.astype(np.float32))) + log_prior - log_proposal


@lru_cache(maxsize=1)
def _log_likelihood(vae: VAE) -> Callable:
    """log p(x|z) of each image at its own points, (n, draws, latent_dim) to (n, draws), compiled for each shape."""

    @tf.function(jit_compile=vae.jit_compile)
    def log_likelihood(images, z):
        outputs = vae.decoder(tf.reshape(z, (-1, z.shape[-1])))  # (n * draws, height, width, channels)
        return -tf.reshape(vae.likelihood.nll(tf.repeat(images, z.shape[1], axis=0), outputs), z.shape[:2])

    return log_likelihood


def _log_weighted_sum(vae: VAE, images: np.ndarray, z: np.ndarray, log_weights: np.ndarray) -> np.ndarray:
    """log sum over k of p(x|z_k) w_k for each image: (N,); in blocks, so that memory grows with neither N nor K."""
    rest = -len(z) % BLOCK  # filled up with weight 0, since another shape compiles anew
    z = np.pad(z, ((0, rest), (0, 0))).astype(np.float32).reshape(-1, BLOCK, z.shape[1])
    log_weights = np.pad(log_weights, (0, rest), constant_values=-np.inf).astype(np.float32).reshape(-1, BLOCK)
    found = []
    for block in blocks(images):
        some = tf.constant(images[block])
        parts = [_of_block(vae)(some, *codes) for codes in zip(z, log_weights, strict=True)]  # (n,) each
        found.append(logsumexp(np.array(parts, np.float64), axis=0))
    return np.concatenate(found)


@lru_cache(maxsize=1)
def _of_block(vae: VAE) -> Callable:
    """`_log_weighted_sum` of one block, compiled once for each number of images."""

    @tf.function(jit_compile=vae.jit_compile)
    def of_block(images, z, log_weights):
        return ops.logsumexp(log_weights - vae.likelihood.nll_pairs(images, vae.decoder(z)), axis=1)  # (N,)

    return of_block


def _mean_density(nlls: np.ndarray) -> np.ndarray:
    """-log of the mean of exp(-nlls) over several sums: (sums, N) to (N,)."""
    return np.log(len(nlls)) - logsumexp(-nlls, axis=0)
