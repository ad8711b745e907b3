"""What each mistake costs: tables of trained variants, and the terms of single codes and pixels."""

from collections.abc import Mapping

import vae_core.backend  # noqa: F401

import numpy as np
import pandas as pd
import tensorflow as tf

from vae_core import latent
from vae_core.data import Dataset
from vae_core.lessons.bug_gallery.figures import View
from vae_core.lessons.bug_gallery.model import (
    CLIPPED_PROBABILITIES,
    TrainedVariant,
    rate_of_sigma,
    sampled_gaussians,
)
from vae_core.likelihoods import BERNOULLI
from vae_core.losses import rate_per_dimension
from vae_core.statistics import mean_and_spread

SATURATED = 16  # beyond this logit, near -log(1e-7), Keras' clipped cross-entropy has gradient 0
COMPARED = {
    "own_objective": "its own objective says",
    "distortion": "distortion",
    "rate": "rate",
    "negative_elbo": "negative ELBO",
}


def comparison(trained: Mapping[str, TrainedVariant]) -> pd.DataFrame:
    """One row per variant: what its own loss says, and the honest measures; nats per image, mean ± deviation."""
    cells = {
        name: {label: _spread(one.measured[column]) for column, label in COMPARED.items()}
        for name, one in trained.items()
    }
    return pd.DataFrame.from_dict(cells, orient="index")


def cost_table(pairs: Mapping[str, tuple[TrainedVariant, TrainedVariant]]) -> pd.DataFrame:
    """All mistakes: the honest negative ELBO beside the fix's, the difference seed by seed, the source and a test.

    pairs: for each name the mistake, and the fix that it is compared with
    """
    rows = {
        name: {
            "comes from": mistake.variant.source,
            "mistake": _spread(mistake.measured["negative_elbo"]),
            "fix": _spread(fix.measured["negative_elbo"]),
            "cost": _spread(cost(mistake, fix), sign="+"),
            "a test that finds it": mistake.variant.test,
        }
        for name, (mistake, fix) in pairs.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index")


def cost(mistake: TrainedVariant, fix: TrainedVariant) -> pd.Series:
    """Negative ELBO of the mistake minus that of the fix, seed by seed: (seeds,), nats per image."""
    return mistake.measured["negative_elbo"] - fix.measured["negative_elbo"]


def view(trained: TrainedVariant, dataset: Dataset, cells: int = 8, seed: int = 0) -> View:
    """What `figures.mistake_and_fix` shows of a variant, for its first seed; cells: of each side of the sample grid."""
    vae = trained.vae
    mean, log_var = sampled_gaussians(vae, dataset.validation_images)
    samples = latent.decode(vae, latent.sample_prior(cells * cells, seed, mean.shape[1]))  # (cells^2, 28, 28, 1)
    return View(
        history=trained.histories[0],
        negative_elbo=trained.measured["negative_elbo"].iloc[0],
        codes=latent.draw(mean, log_var, np.random.default_rng(seed))[0],
        labels=dataset.validation_labels,
        samples=samples.reshape(cells, cells, *samples.shape[1:3]),
    )


def sigma_terms(outputs: np.ndarray) -> pd.DataFrame:
    """The rate of one dimension at mean 0, for a layer's output taken as sigma and as the log-variance.

    returns: output, sigma, log_var
    """
    column = outputs[:, None]
    terms = {"sigma": rate_of_sigma(0 * column, column), "log_var": rate_per_dimension(0 * column, column)}
    return pd.DataFrame({"output": outputs} | {name: np.asarray(term)[:, 0] for name, term in terms.items()})


def sigma_table(trained: TrainedVariant, dataset: Dataset) -> pd.DataFrame:
    """Where the sigmas of validation images lie relative to 0, per latent dimension of an UnconstrainedSigma."""
    _, sigma = latent.encode(trained.vae, dataset.validation_images)  # (N, latent_dim)
    shares = {"negative": sigma < 0, "closer to 0 than 0.01": np.abs(sigma) < 0.01}
    table = pd.DataFrame({name: share.mean(axis=0) for name, share in shares.items()})
    return table.assign(**{"smallest |sigma|": np.abs(sigma).min(axis=0)}).rename_axis("latent dimension")


def saturation(logits: np.ndarray) -> pd.DataFrame:
    """Cost of one pixel and its gradient in the logit, from logits and from clipped probabilities, in float32.

    returns: one row per logit and pixel value: logit, pixel, exact, clipped, error, exact_gradient, clipped_gradient
    """
    tables = []
    for pixel in (0.0, 1.0):
        column = tf.constant(logits[:, None], "float32")
        images = tf.fill(column.shape, pixel)
        table = {"logit": logits, "pixel": pixel}
        for name, likelihood in (("exact", BERNOULLI), ("clipped", CLIPPED_PROBABILITIES)):
            with tf.GradientTape() as tape:
                tape.watch(column)
                nats = likelihood.nll(images, column)  # (N,)
            table |= {name: nats.numpy(), f"{name}_gradient": tape.gradient(nats, column).numpy()[:, 0]}
        tables.append(pd.DataFrame(table))
    return pd.concat(tables, ignore_index=True).assign(error=lambda table: table["clipped"] - table["exact"])


def saturation_table(trained: Mapping[str, TrainedVariant], dataset: Dataset) -> pd.DataFrame:
    """The distortion of the same draws by both formulas, and the pixels whose gradient the clipped one has lost."""
    images = dataset.validation_images
    rows = {}
    for name, one in trained.items():
        z = latent.draw(*latent.encode(one.vae, images), np.random.default_rng(0))[0]  # (N, latent_dim)
        logits = latent.outputs(one.vae, z)  # (N, 28, 28, 1)
        saturated = np.abs(logits) > SATURATED
        wrong = saturated & (np.abs((logits > 0) - images) > 0.5)
        rows[name] = {
            "distortion from logits": float(np.mean(BERNOULLI.nll(images, logits))),
            "from clipped probabilities": float(np.mean(CLIPPED_PROBABILITIES.nll(images, logits))),
            f"pixels beyond logit ±{SATURATED}": f"{saturated.mean():.2%}",
            "of these wrong, per 1000 images": 1000 * wrong.sum() / len(images),
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def _spread(values: pd.Series, sign: str = "") -> str:
    prefix = "+" if sign and values.mean() >= 0 else ""
    return prefix + mean_and_spread(values.mean(), values.std())
