"""The best objective that any VAE with few latent units can reach on the training images, and its codes.

Networks are left out. The decoder may draw any image for each z, and q(z|x) is any Gaussian with a diagonal covariance,
one for each training image. The best decoder follows from the codes: at z it draws the mean of the images under them,

p(z) = sum of q_i(z) x_i / sum of q_i(z)

With it the distortion is below that of the collapsed state by the mean of KL(p(z) || p) over the aggregate posterior,
where p is the mean image. L-BFGS finds means and deviations by the exact gradient, with z on a grid. Its optimum is
local: far below the first weight it depends on the codes that it begins with. If it is the least objective of all, it
is a bound for trained models, since networks and stochastic gradients can only do worse.

How the next unit begins: let the images have small means n in one more unit, (N,). With the best decoder for them the
objective changes, to second order, by (c n'n - n'K n) / 2N at kl_weight c, with

K_ij = integral over z of q_i(z) q_j(z) / (sum over k of q_k(z)) (x_i - p(z))' F(z)^(-1) (x_j - p(z))

F(z): diagonal, the variance of the pixels with mean p(z). To this order the other units add nothing: they are at their
optimum, and a product of their change with n has no place, since z -> -z in the new unit changes its sign. So the next
unit begins where the largest eigenvalue of K is above c. Without any unit that is the first eigenvalue of the law of
collapse. A turn of the latent space is one of the directions: n = m, the means of a unit that lives. It is not free,
since q of a turned code would need a covariance that is not diagonal. In the linear Gaussian case its eigenvalue is
c^2 / L, below c.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
from scipy.optimize import minimize
from scipy.sparse.linalg import LinearOperator, eigsh

from vae_core.collapse.law import NEVER
from vae_core.collapse.pixels import Pixels
from vae_core.dataset import ByteImages

BLOCK = 4096  # images at a time
LARGEST_STEP = 0.7  # of the grid
STEP, REACH = 1.25, 5.5  # of the grid, in the smallest deviation: a Gaussian density then sums to 1 within 1e-5
NARROWEST, WIDEST = 0.5, 2.0  # deviations that are tried: in steps of the grid, and in those of the prior
DENSITY = 1e-30  # below which q(z|x) counts as 0, so that single precision holds it
MASS = 1e-20  # sum over the images of q(z|x), below which a point of the grid counts for nothing
TOLERANCE = 1e-9  # of the objective, relative
GRIDS = 5  # at most, each made for the codes found on the last
START = 0.5  # size of a new unit's means
CLOSE = 1e-3  # of a corrected weight, relative
LAST = 1e-4  # of the last weight, relative
PACE = 1.08  # from one weight to the next in the search for a corrected weight
FAR = 1.25  # times its eigenvalue, or a part of it, beyond which no corrected weight is searched for
SEARCHES = 12  # at most


@dataclass(frozen=True, eq=False)
class Centred:
    """Training images minus their mean image, in the pixels that vary.

    shown: (N, pixels), float32;  mean: (pixels,);  pixels: from `pixels.pixels_of`
    """

    shown: np.ndarray
    mean: np.ndarray
    pixels: Pixels


def centred(images: np.ndarray | ByteImages, pixels: Pixels) -> Centred:
    """From images (N, height, width, channels), which take 4 bytes for each number."""
    rows = np.asarray(images, np.float32).reshape(len(images), -1)
    mean = rows.mean(axis=0, dtype=np.float64)
    varying = rows.var(axis=0, dtype=np.float64) > NEVER
    return Centred(rows[:, varying] - mean[varying].astype(np.float32), mean[varying], pixels)


@dataclass(frozen=True, eq=False)
class Codes:
    """q(z|x) of each image: means and logarithms of the deviations, both (N, units)."""

    means: np.ndarray
    log_deviations: np.ndarray

    @property
    def rates(self) -> np.ndarray:
        """KL to the standard normal prior of each unit, mean over the images: (units,), in nats per image."""
        return _divergences(self.means, self.log_deviations).mean(axis=0)

    def with_unit(self, direction: np.ndarray) -> "Codes":
        """One more unit, whose means go along `direction`, (N,)."""
        means = START * direction / np.sqrt(np.mean(direction**2))
        return Codes(
            np.column_stack([self.means, means]), np.column_stack([self.log_deviations, np.full(len(means), -0.1)])
        )


def no_codes(images: Centred) -> Codes:
    """Of no unit at all, which is the collapsed state."""
    return Codes(np.zeros((len(images.shown), 0)), np.zeros((len(images.shown), 0)))


@dataclass(frozen=True, eq=False)
class Grid:
    """Points z, (points, units), each with the same volume, on which integrals are sums."""

    points: np.ndarray
    volume: float
    step: float
    reach: float

    @classmethod
    def of(cls, codes: Codes) -> "Grid":
        """Fine and wide enough for all these codes."""
        deviations = np.exp(codes.log_deviations)
        step = min(LARGEST_STEP, STEP * np.min(deviations, initial=1))
        farthest = np.linalg.norm(codes.means, axis=1) + REACH * np.max(deviations, axis=1, initial=0)
        reach = np.ceil(np.max(farthest, initial=REACH) / step) * step
        axis = np.arange(-reach, reach + step / 2, step)
        units = codes.means.shape[1]
        points = np.array(list(product(axis, repeat=units))).reshape(len(axis) ** units, units)
        return cls(points[np.linalg.norm(points, axis=1) < reach + step / 2], step**units, step, reach)

    def holds(self, codes: Codes) -> bool:
        """Whether it is, nearly, fine and wide enough for these codes too."""
        needed = Grid.of(codes)
        return needed.step > 0.9 * self.step and needed.reach < self.reach + 1.5 * self.step

    @cached_property
    def powers(self) -> np.ndarray:
        """1, z and z^2: (points, 1 + 2 units)."""
        return np.column_stack([np.ones(len(self.points)), self.points, self.points**2])


@dataclass(frozen=True, eq=False)
class Optimum:
    """The best codes at a weight, and the decoder on the grid.

    gain: by how much the distortion is below the collapsed state's, in nats per image
    changes: the decoder's images minus the mean image, (points, pixels that vary)
    masses: the aggregate posterior's density at the points, times N: (points,)
    """

    kl_weight: float
    codes: Codes
    gain: float
    grid: Grid
    changes: np.ndarray
    masses: np.ndarray

    @property
    def rate(self) -> float:
        """Of all units together, in nats per image."""
        return float(self.codes.rates.sum())

    @property
    def objective(self) -> float:
        """That of the collapsed state is 0; in nats per image."""
        return self.kl_weight * self.rate - self.gain


def optimum(images: Centred, kl_weight: float, codes: Codes) -> Optimum:
    """The local optimum that L-BFGS finds from these codes, on the grid that it needs."""
    shape, number = codes.means.shape, len(codes.means)
    for _ in range(GRIDS):
        grid = Grid.of(codes)

        def objective(free, grid=grid):  # in units of the weight and summed over images: its curvature is about 1
            means, log_deviations = free.reshape(2, *shape)
            decoder = _Decoder(images, Codes(means, log_deviations), grid)
            gain_by_means, gain_by_log_deviations = decoder.gradient()
            value = _divergences(means, log_deviations).sum() - number * decoder.gain / kl_weight
            by_means = means - gain_by_means / kl_weight
            by_log_deviations = np.expm1(2 * log_deviations) - gain_by_log_deviations / kl_weight
            return value, np.concatenate([by_means.ravel(), by_log_deviations.ravel()])

        narrow = np.log(NARROWEST * grid.step)  # what falls between the points would gain for nothing
        bounds = [(-grid.reach, grid.reach)] * codes.means.size + [(narrow, np.log(WIDEST))] * codes.means.size
        start = np.concatenate([codes.means.ravel(), codes.log_deviations.ravel()])
        options = {"ftol": TOLERANCE, "gtol": 1e-5, "maxcor": 20, "maxiter": 1000, "maxfun": 2000}
        found = minimize(objective, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
        codes = Codes(*found.x.reshape(2, *shape))
        if grid.holds(codes):
            break
    return _at(images, kl_weight, codes, grid)


def collapsed(images: Centred, kl_weight: float) -> Optimum:
    """The state without any unit."""
    codes = no_codes(images)
    return _at(images, kl_weight, codes, Grid.of(codes))


def optima(images: Centred, kl_weights: Sequence[float], codes: Codes) -> Iterator[Optimum]:
    """The optimum at each weight, each begun at the codes of the last.

    Give the weights from the smallest up. Strong codes then stay as long as they are an optimum.
    """
    for kl_weight in kl_weights:
        found = optimum(images, kl_weight, codes)
        codes = found.codes
        yield found


def first_codes(images: Centred) -> Codes:
    """Codes of one unit along the first eigenvector, to begin with."""
    return no_codes(images).with_unit(next_unit(images, collapsed(images, 1.0))[1])


def next_unit(images: Centred, found: Optimum) -> tuple[float, np.ndarray]:
    """The largest eigenvalue of K, and its vector, (N,): where it is above the weight, one more unit begins to live."""
    number = len(images.shown)
    q = np.vstack([_densities(found.codes, rows, found.grid) for rows in _blocks(number)])  # (N, points)
    live = found.masses > MASS
    q, masses, changes = q[:, live], found.masses[live], found.changes[live]
    information = 1 / images.pixels.variance(images.mean + changes)

    def product_with(n):
        n = n.ravel().astype(np.float32)
        along = ((q * n[:, None]).T @ images.shown - (n @ q)[:, None] * changes) / masses[:, None]
        outputs = (along * information).astype(np.float32)  # change of the natural parameters
        return found.grid.volume * (
            np.sum(q * (images.shown @ outputs.T), axis=1) - q @ np.sum(outputs * changes, axis=1)
        )

    operator = LinearOperator((number, number), matvec=product_with, dtype=np.float64)
    start = np.random.default_rng(0).standard_normal(number)
    value, vector = eigsh(operator, k=1, which="LA", tol=1e-4, v0=start)
    return float(value[0]), vector[:, 0]


def corrected_weights(images: Centred, eigenvalues: Sequence[float]) -> np.ndarray:
    """The weights above which the first, second, ... unit dies where the units before it are at their optimum.

    The first is its eigenvalue. Each other is the weight c at which the largest eigenvalue of K, around the optimum of
    the units before it, is c. It is nan where there is none within a factor of `FAR` of its own eigenvalue: then the
    unit does not begin with small codes there, whatever the weight.

    eigenvalues: the first of `law.collapse_weights`, as many as units are asked for
    """
    weights, codes = [eigenvalues[0]], first_codes(images)
    for eigenvalue in eigenvalues[1:]:
        weight, found, direction = _balance(images, eigenvalue, codes)
        weights.append(weight)
        codes = found.codes.with_unit(direction)
    return np.array(weights)


def _balance(images: Centred, kl_weight: float, codes: Codes) -> tuple[float, Optimum, np.ndarray]:
    """The weight at which the next unit's is the same, or nan; the optimum there; the next unit's direction.

    Steps of `PACE`, up where the next unit lives and down where it is dead, until the weight lies between two; then
    secants.
    """
    begin, lives, dead = kl_weight, None, None  # the nearest weight and gap on either side
    for _ in range(SEARCHES):
        found = optimum(images, kl_weight, codes)
        weight, direction = next_unit(images, found)
        gap, codes = weight - kl_weight, found.codes
        if abs(gap) < CLOSE * kl_weight:
            return weight, found, direction
        if gap > 0:
            lives = kl_weight, gap
        else:
            dead = kl_weight, gap
        if lives and dead:
            kl_weight = lives[0] + lives[1] * (dead[0] - lives[0]) / (lives[1] - dead[1])
        else:
            kl_weight *= PACE if lives else 1 / PACE
        if not begin / FAR < kl_weight < begin * FAR:
            break
    return np.nan, found, direction


def last_weight(images: Centred, found: Optimum) -> float:
    """The largest weight at which a code is as good as none, from an optimum with a negative objective.

    The objective of the optimum rises with the weight, with the code's rate as its slope. The slope falls, so that
    Newton's steps stay below.
    """
    for _ in range(SEARCHES):
        step = -found.objective / found.rate
        if step < LAST * found.kl_weight:
            break
        found = optimum(images, found.kl_weight + step, found.codes)
    return found.kl_weight


class _Decoder:
    """The best decoder of codes, on a grid."""

    def __init__(self, images: Centred, codes: Codes, grid: Grid):
        self.images, self.codes, self.grid = images, codes, grid
        number, pixels = len(images.shown), images.pixels
        self.masses, sums = np.zeros(len(grid.points)), np.zeros((len(grid.points), len(images.mean)))
        for rows in _blocks(number):
            q = _densities(codes, rows, grid)
            self.masses += q.sum(axis=0, dtype=np.float64)
            sums += q.T @ images.shown[rows]
        live = self.masses > MASS
        sums[live] /= self.masses[live, None]
        self.changes = pixels.inside(images.mean, np.where(live[:, None], sums, 0))
        self.outputs = pixels.natural_change(images.mean, self.changes)
        self.divergences = pixels.divergence(images.mean, self.changes).sum(axis=1)  # of the mean image from p(z)
        self.gains = np.sum(self.outputs * self.changes, axis=1) - self.divergences  # of p(z) from the mean image
        self.gain = float(grid.volume * (self.masses @ self.gains) / number)

    def gradient(self) -> tuple[np.ndarray, np.ndarray]:
        """N times the gradient of the gain by means and by logarithms of deviations, both (N, units)."""
        images, codes, grid = self.images, self.codes, self.grid
        outputs, divergences = self.outputs.T.astype(np.float32), self.divergences.astype(np.float32)
        moments = np.empty((len(images.shown), grid.powers.shape[1]))  # E of log p(x|z) - log p(x), times powers of z
        for rows in _blocks(len(images.shown)):
            gains = images.shown[rows] @ outputs - divergences
            moments[rows] = (_densities(codes, rows, grid) * gains) @ grid.powers * grid.volume
        zeroth, (first, second) = moments[:, :1], np.split(moments[:, 1:], 2, axis=1)
        means, precisions = codes.means, np.exp(-2 * codes.log_deviations)
        return (first - means * zeroth) * precisions, (
            (second - 2 * means * first + means**2 * zeroth) * precisions - zeroth
        )


def _at(images: Centred, kl_weight: float, codes: Codes, grid: Grid) -> Optimum:
    decoder = _Decoder(images, codes, grid)
    return Optimum(kl_weight, codes, decoder.gain, grid, decoder.changes, decoder.masses)


def _divergences(means: np.ndarray, log_deviations: np.ndarray) -> np.ndarray:
    return 0.5 * (means**2 + np.expm1(2 * log_deviations)) - log_deviations


def _densities(codes: Codes, rows: slice, grid: Grid) -> np.ndarray:
    """q_i(z) of these images at the points: (n, points), float32."""
    means, log_deviations = codes.means[rows], codes.log_deviations[rows]
    precisions = np.exp(-2 * log_deviations)
    factors = np.column_stack(
        [
            -0.5 * np.sum(means**2 * precisions + 2 * log_deviations + np.log(2 * np.pi), axis=1),
            means * precisions,
            -0.5 * precisions,
        ]
    )
    densities = np.exp(factors @ grid.powers.T).astype(np.float32)
    densities[densities < DENSITY] = 0
    return densities


def _blocks(number: int) -> list[slice]:
    return [slice(start, start + BLOCK) for start in range(0, number, BLOCK)]
