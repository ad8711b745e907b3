"""What tutorials 001 and 003 say about the ELBO and its KL terms, beside what came out; and the notebook's sentences.

Tutorial 001's Gaussian term is wrong. It is coded as printed, and then corrected one step at a time.
"""

from collections.abc import Callable, Mapping

import vae_core.backend  # noqa: F401

import numpy as np
import pandas as pd
from scipy.optimize import minimize_scalar
from scipy.stats import norm

from vae_core.lessons.elbo_and_kl.measures import (
    BEST_DIAGONAL,
    ELBO_AND_GAP,
    ENTROPY_DIFFERENCE,
    GAP,
    KL_FORWARD,
    QUADRATURE,
    SAME_ENTROPY,
    at_variance,
    expectation,
)
from vae_core.lessons.elbo_and_kl.model import (
    LEARNED,
    RUN,
    SMALLEST_VARIANCE,
    SOLVED,
    TWIN,
    TrainedGaussian,
    has_twin,
    kl,
)
from vae_core.losses import kl_divergence, kl_weight_of
from vae_core.tutorials import tutorial_table

# Rows of the table, by tutorial: what, printed, ours, why they differ. The numbers are those of `tutorial_numbers`.
ROWS = {
    "001": (
        (
            "KL of two Gaussians, equation 10",
            "the formula",
            "at most {formula_error:.1e} nats from the quadrature",
            "no difference",
        ),
        (
            "log p(x) does not depend on q",
            "said",
            "ELBO + KL(q || p(z|x)) differs by {sum_range:.1e} nats between five choices of q",
            "no difference",
        ),
        (
            "KL(q || p(z|x)) in the end",
            "about 0; = 0",
            "linear model, best diagonal q: {diagonal_gap:.3f} nats; {trained_gaps} nats/image",
            "0 is reached only if the family of q holds the posterior and the encoder finds it{weight_note}",
        ),
        (
            "Gaussian likelihood: 1/2 and 1/(2 sigma²)",
            "both",
            "at sigma 1 {as_printed:.2f} nats instead of {one_half:.2f}",
            "one 1/2 too many: half of the squared error",
        ),
        (
            "Gaussian likelihood: log sigma",
            "one for all pixels",
            "best sigma {sigma_of_one_log:.3f} instead of {sigma_of_all_logs:.3f}",
            "each of the {pixels} pixels has its own; then the best variance is the mean squared error",
        ),
        (
            "Gaussian likelihood: the name says log-likelihood",
            "returns a loss",
            "a perfect copy has {perfect_copy:.2f}, the mean image {as_printed:.2f}",
            "the sign: a better copy has a larger log-likelihood, not a smaller one",
        ),
        (
            "KL summed over the batch",
            "the code",
            "{batch_kl:.2f} for {batch_size} images whose mean is {batch_rate:.2f} nats",
            "a mean over the images does not depend on the batch size",
        ),
    ),
    "003": (
        (
            "KL from N(0, 1), equation 5",
            "the formula",
            "N(1, 0.5²): {suite_kl:.4f} by the suite's function, {equation_10:.4f} by equation 10",
            "no difference",
        ),
        (
            "entropies alone do not tell two densities apart",
            "said",
            "H(p) - H(q) = {entropy_difference:.3f}, KL = {kl_at_same_entropy:.3f} nats",
            "no difference",
        ),
        (
            "area to be integrated, figure 3",
            "a figure",
            "area {area:.3f}, formula {area_formula:.3f} nats",
            "other Gaussians",
        ),
        (
            "loss = sum of squared errors + KL",
            "no weight",
            "kl_weight {squares_weight:g} at variance 1",
            "the 1/2 of a Gaussian of variance 1 is left out, so the loss is the ELBO at variance 1/2",
        ),
    ),
}
WEIGHT_NOTE = "; at kl_weight {:g} the objective is not the ELBO of variance 1, so q is trained for another posterior"


def tutorial_numbers(
    kl_weight: float,
    q,
    p,
    pairs: pd.DataFrame,
    linear: pd.DataFrame,
    corrected: pd.DataFrame,
    batches: pd.DataFrame,
    gaps: pd.DataFrame,
    pixels: int,
) -> dict[str, object]:
    """The numbers in `ROWS`.

    kl_weight: of the run; q, p: the two Gaussians; pixels: of an image
    the tables: those of kl_table, elbo_table, tutorial_001_table, batch_table and gap_table
    """
    same_entropy, best, last = pairs.loc[SAME_ENTROPY], corrected.loc[BEST_SIGMA], batches.iloc[-1]
    return {
        "formula_error": (pairs[KL_FORWARD].astype(float) - pairs[QUADRATURE].astype(float)).abs().max(),
        "sum_range": np.ptp(linear[ELBO_AND_GAP].astype(float)),
        "diagonal_gap": linear.loc[BEST_DIAGONAL, GAP],
        "trained_gaps": "; ".join(f"{name}: {gap:.2f}" for name, gap in gaps[GAP].items()),
        "weight_note": WEIGHT_NOTE.format(kl_weight) if kl_weight != 1 else "",
        "as_printed": corrected.loc[SIGMA_1, AS_PRINTED],
        "one_half": corrected.loc[SIGMA_1, ONE_HALF],
        "sigma_of_one_log": best[ONE_HALF],
        "sigma_of_all_logs": best[ALL_LOGS],
        "pixels": pixels,
        "perfect_copy": corrected.loc[PERFECT_COPY, AS_PRINTED],
        "batch_kl": last[BATCH_KL],
        "batch_size": batches.index[-1],
        "batch_rate": last["rate"],
        "suite_kl": float(kl_divergence(np.ones((1, 1)), np.full((1, 1), 2 * np.log(0.5)))[0]),
        "equation_10": kl(norm(1, 0.5), norm()),
        "entropy_difference": same_entropy[ENTROPY_DIFFERENCE],
        "kl_at_same_entropy": same_entropy[KL_FORWARD],
        "area": expectation(q, lambda z: q.logpdf(z) - p.logpdf(z), seed=0)[QUADRATURE],
        "area_formula": kl(q, p),
        "squares_weight": kl_weight_of(
            likelihood="gaussian", pixels=pixels, channels=1, latent_dim=2, z_deviation="exp(log_var / 2)"
        ),
    }


def tutorials_beside(numbers: Mapping[str, object]) -> pd.DataFrame:
    """`ROWS` with the numbers in them, as a table."""
    tables = [
        tutorial_table(tutorial, [tuple(cell.format(**numbers) for cell in row) for row in rows])
        for tutorial, rows in ROWS.items()
    ]
    return pd.concat(tables, ignore_index=True)


# Tutorial 001's Gaussian term, corrected one step at a time: functions of the squared error of an image, summed over
# its pixels, of sigma and of the number of pixels


def as_printed(squared_error: float, deviation: float, pixels: int) -> float:
    """1/2 of the squared errors, once more divided by 2 sigma^2, plus one log sigma for all pixels."""
    return 0.5 * squared_error / (2 * deviation**2) + np.log(deviation)


def with_one_half(squared_error: float, deviation: float, pixels: int) -> float:
    """The second 1/2 taken out."""
    return squared_error / (2 * deviation**2) + np.log(deviation)


def with_all_logs(squared_error: float, deviation: float, pixels: int) -> float:
    """And one log sigma for each pixel: this is -log p(x|z) but for pixels/2 log(2 pi)."""
    return squared_error / (2 * deviation**2) + pixels * np.log(deviation)


def whole_nll(squared_error: float, deviation: float, pixels: int) -> float:
    """And the constant: this is -log p(x|z)."""
    return float(at_variance(squared_error, deviation**2, pixels))


AS_PRINTED, ONE_HALF, ALL_LOGS, WHOLE = (
    *("tutorial 001", "one 1/2 out", "log sigma of each pixel", "the constant: -log p(x|z)"),
)
FORMULAS: Mapping[str, Callable] = {
    AS_PRINTED: as_printed,
    ONE_HALF: with_one_half,
    ALL_LOGS: with_all_logs,
    WHOLE: whole_nll,
}
SIGMA_1, PERFECT_COPY, BEST_SIGMA = "sigma 1", "sigma 1, a perfect copy", "best sigma"
BATCH_KL = "tutorial 001: KL"


def tutorial_001_table(squared_error: float, pixels: int) -> pd.DataFrame:
    """An image's Gaussian term by each of `FORMULAS`; in the last row the sigma at which each is least.

    squared_error: of the image, summed over its pixels
    """
    cases = {f"sigma {deviation:g}": (squared_error, deviation) for deviation in (1, 0.5, 0.2)}
    cases[PERFECT_COPY] = (0.0, 1.0)
    rows = {case: {name: f(*numbers, pixels) for name, f in FORMULAS.items()} for case, numbers in cases.items()}
    rows[BEST_SIGMA] = {name: best_deviation(f, squared_error, pixels) for name, f in FORMULAS.items()}
    return pd.DataFrame(rows).T


def best_deviation(formula: Callable, squared_error: float, pixels: int) -> float:
    """The sigma at which a formula is least, by search."""
    found = minimize_scalar(lambda log: formula(squared_error, np.exp(log), pixels), bounds=(-10, 10), method="bounded")
    return float(np.exp(found.x))


def batch_table(images: np.ndarray, decoded: np.ndarray, seed: int) -> pd.DataFrame:
    """Both terms of the same images with hand-made codes: summed over batches as in tutorial 001, and per image.

    images: (N, height, width, channels), decoded: one image, (height, width, channels)
    """
    mean, log_var = np.random.default_rng(seed).normal(size=(2, len(images), 2)).astype("float32")
    squares = np.square(images - decoded).sum(axis=(1, 2, 3))  # (N,)
    rates = np.asarray(kl_divergence(mean, log_var))  # (N,)
    rows = {
        size: {
            "tutorial 001: Gaussian term": as_printed(squares[:size].sum(), 0.5, decoded.size),
            BATCH_KL: rates[:size].sum(),
            "distortion": at_variance(squares[:size], 0.25, decoded.size).mean(),
            "rate": rates[:size].mean(),
        }
        for size in (1, 10, 100)
    }
    return pd.DataFrame(rows).T.rename_axis("images in the batch")


# Sentences about the trained models


def twin_sentence(models: Mapping[str, TrainedGaussian]) -> str:
    """How far the run and its twin are apart, or why the run has none."""
    run = models[RUN]
    kl_weight, pixels = run.unit_weight, run.pixels
    if kl_weight == 1:
        return "At weight 1 the run is its own twin: variance 1 and weight 1. There is nothing to train beside it."
    if not has_twin(kl_weight):
        return (
            f"The run's weight is {kl_weight:g}. No model can be trained with so small a variance (the least is "
            f"{SMALLEST_VARIANCE:g}), so the run has no twin at weight 1."
        )
    run, twin = run.history, models[TWIN].history
    squares = pixels / 2 * (run["val_mean_squared_error"] - twin["val_mean_squared_error"]).abs().max()
    rates = (run["val_rate"] - twin["val_rate"]).abs().max()
    without_constants = [
        history["val_objective"].iloc[-1] - at_variance(0, variance, pixels)
        for history, variance in ((run, 1), (twin, kl_weight))
    ]
    return (
        f"The run has variance 1 and weight {kl_weight:g}, its twin variance {kl_weight:g} and weight 1. On the "
        f"validation images they are never farther apart than {squares:.3f} nats in half the squared error and "
        f"{rates:.3f} nats in the rate. The ratio of their objectives, without the constants, is "
        f"{without_constants[0] / without_constants[1]:.4f} in the end."
    )


def exchange_sentence(models: Mapping[str, TrainedGaussian]) -> str:
    """The run's exchange rate beside those of the models with a learned variance."""
    run, learned, solved = models[RUN], models[LEARNED], models[SOLVED]
    error = learned.history["mean_squared_error"].iloc[-1]
    chosen = (
        f"The learned variance is {learned.variance:.4f}. It should reach the model's mean squared error, which was "
        f"{error:.4f} in the last epoch. Solved for, the variance is {solved.variance:.4f}."
    )
    if run.unit_weight == 0:
        return f"{chosen} The run's exchange rate is 0: codes cost it nothing."
    times = run.unit_weight / solved.variance
    return (
        f"{chosen} Taken as a kl_weight at variance 1, that is the weight which the ELBO itself asks for. The run's "
        f"weight of {run.unit_weight:g} is {times:.3g} times as large: for the same squared error it charges "
        f"{times:.3g} times as much for a nat of code."
    )
