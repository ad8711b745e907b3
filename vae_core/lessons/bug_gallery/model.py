"""Famous mistakes in VAEs, each as the smallest change to the VAE that it spoils, and what it costs.

Wrong on purpose: only lessons that show a mistake import from here. "Seed 000" to "seed 003" are the tutorials that
this suite started from.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import vae_core.backend  # noqa: F401

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from keras import ops

from vae_core import training
from vae_core.data import Dataset
from vae_core.latent import decode
from vae_core.losses import bernoulli_nll, kl_divergence
from vae_core.models import VAE, Sampling, mlp_decoder, mlp_encoder
from vae_core.latent import sample_prior
from vae_core.report.tables import mean_and_spread

SATURATED = 16  # beyond this logit, near -log(1e-7), Keras' clipped cross-entropy has gradient 0


class Fixed(VAE):
    """The VAE of vae_core.models, with a method for each part that a mistake below gets wrong."""

    source = ""  # where the mistake comes from
    test = ""  # what would have found it

    def draw(self, mean, log_var):
        """One z for each row, from the encoder's two outputs: (batch, latent_dim)."""
        return self.sampling(mean, log_var)

    def really_sampled(self, mean, log_var):
        """Mean and log-variance of the Gaussian that `draw` really draws from."""
        return mean, log_var

    def distortion(self, images, logits):
        """The distortion that is minimised: (batch,)."""
        return bernoulli_nll(images, logits)

    def rate(self, mean, log_var):
        """The rate that is minimised, from the encoder's two outputs: (batch,)."""
        return kl_divergence(mean, log_var)

    def reduce(self, objective):
        """The one number that is minimised, from those of the images; what is reported stays per image."""
        return ops.mean(objective)

    def noise(self, mean):
        """Samples of N(0, I) in the shape of the means."""
        return self.sampling(ops.zeros_like(mean), ops.zeros_like(mean))

    def call(self, images):
        """As in VAE, from the methods above."""
        mean, log_var = self.encoder(images)
        return mean, log_var, self.decoder(self.draw(mean, log_var))

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """As in VAE, from the methods above."""
        mean, log_var, logits = y_pred
        distortion = self.distortion(x, logits)
        rate = self.rate(mean, log_var)
        objective = distortion + self.kl_weight * rate
        self.objective_tracker.update_state(objective)
        self.distortion_tracker.update_state(distortion)
        self.rate_tracker.update_state(rate)
        return self.reduce(objective)


class ForgottenMean(Fixed):
    """Draws from N(0, exp(log_var)) and pays for N(mean, exp(log_var))."""

    source = "seed 000"
    test = "at a log-variance of -60 a draw must be the mean; it is 0"

    def draw(self, mean, log_var):
        """Deviation and noise, and no mean."""
        return ops.exp(log_var / 2) * self.noise(mean)

    def really_sampled(self, mean, log_var):
        """The mean never reaches z."""
        return ops.zeros_like(mean), log_var


class LogVarAsSigma(Fixed):
    """Draws with standard deviation |log_var| and pays for variance exp(log_var)."""

    source = "the name z_sigma of a log-variance in seed 002, taken at its word"
    test = "at log-variance 0 draws must have deviation 1; they have 0"

    def draw(self, mean, log_var):
        """The log-variance in the place of the deviation."""
        return mean + log_var * self.noise(mean)

    def really_sampled(self, mean, log_var):
        """The sign of log_var does not matter, its size is the deviation."""
        return mean, ops.log(ops.square(log_var))


class ForgottenHalf(Fixed):
    """Draws with standard deviation exp(log_var) and pays for variance exp(log_var)."""

    source = "the first VAE of the Keras blog (2016): one output, z_log_sigma, read in two ways"
    test = "at log-variance log 9 draws must have deviation 3; they have 9"

    def draw(self, mean, log_var):
        """The variance in the place of the deviation."""
        return mean + ops.exp(log_var) * self.noise(mean)

    def really_sampled(self, mean, log_var):
        """exp(log_var) as a standard deviation is exp(2 log_var) as a variance."""
        return mean, 2 * log_var


class MeanOverDimensions(Fixed):
    """Weighs the KL by kl_weight / latent_dim."""

    source = "seed 002; F. Chollet's book, 2nd and 3rd edition"
    test = "a code of d equal dimensions must cost d times what one costs; it costs the same"

    def rate(self, mean, log_var):
        """The KL averaged over latent dimensions: (batch,)."""
        return 0.5 * ops.mean(ops.exp(log_var) + ops.square(mean) - 1 - log_var, axis=-1)


class KLSummedOverBatch(Fixed):
    """Weighs the KL by kl_weight * batch size, the distortion being averaged over the batch."""

    source = "the KL of seed 001, which sums over the batch too, beside a mean of the rest"
    test = "the same images twice in a batch must not change the loss; the KL doubles"

    def rate(self, mean, log_var):
        """The KL summed over latent dimensions and batch: a scalar."""
        return ops.sum(kl_divergence(mean, log_var))


class BothSummedOverBatch(Fixed):
    """Minimises batch size times the right objective."""

    source = "seed 001"
    test = "the same images twice in a batch must not change the loss; it doubles"

    def reduce(self, objective):
        """The sum over the batch: a scalar."""
        return ops.sum(objective)


class UnconstrainedSigma(Fixed):
    """Takes sigma straight from a linear layer; Keras' epsilon keeps the KL's logarithm finite."""

    source = "seed 003"
    test = "a standard deviation must be positive; count the images for which it is not"

    def draw(self, mean, sigma):
        """The encoder's second output is the deviation."""
        return mean + sigma * self.noise(mean)

    def rate(self, mean, sigma):
        """The KL of seed 003."""
        return kl_of_sigma(mean, sigma)

    def really_sampled(self, mean, sigma):
        """The noise is symmetric: sigma and -sigma draw from the same Gaussian."""
        return mean, ops.log(ops.square(sigma))


class ClippedProbabilities(Fixed):
    """Trains on the cross-entropy of probabilities in place of logits."""

    source = "seeds 000 and 002; 001 with an epsilon of its own"
    test = "at logit 20 a black pixel must cost 20 nats; it costs 15.9"

    def distortion(self, images, logits):
        """What Keras makes of probabilities: (batch,)."""
        return clipped_bernoulli_nll(images, logits)


class MeanOverPixels(Fixed):
    """Minimises the right objective divided by 784, the number of pixels."""

    source = "seed 000, which says that it needs a larger learning rate"
    test = "train with and without the factor, at the same learning rate, and compare the curves"

    def reduce(self, objective):
        """The mean over batch and pixels: a scalar."""
        return ops.mean(objective) / (28 * 28)


def kl_of_sigma(mean, sigma):
    """KL from the standard deviation of a linear layer, with epsilon in the logarithm as in seed 003.

    1/2 sum over dimensions of sigma^2 + mean^2 - 1 - log(sigma^2 + 1e-7), so that sigma = 0 costs 7.56 nats where the
    true KL is infinite.

    mean, sigma: (batch, latent_dim)
    returns: (batch,), nats per image
    """
    variance = ops.square(sigma)
    return 0.5 * ops.sum(variance + ops.square(mean) - 1 - ops.log(variance + keras.config.epsilon()), axis=-1)


def clipped_bernoulli_nll(images, logits):
    """The Bernoulli distortion that Keras computes from probabilities, which it clips to [1e-7, 1 - 1e-7].

    The reshape stands for the one in seed 000's decoder. Without it Keras sees that the probabilities come from a
    sigmoid and goes back to the logits behind our back, so that nothing is lost.

    images, logits: equal shapes with the batch first
    returns: (batch,), nats per image
    """
    probabilities = ops.reshape(ops.sigmoid(logits), ops.shape(logits))
    pixels = tuple(range(1, len(images.shape)))
    return ops.sum(ops.binary_crossentropy(images, probabilities), axis=pixels)


@dataclass(frozen=True)
class Trained:
    """One variant, trained with several seeds: the first model, each seed's history and measures."""

    vae: Fixed
    histories: list[pd.DataFrame]
    measured: pd.DataFrame  # one row per seed: own_objective, distortion, rate, negative_elbo


def train(
    variant: type[Fixed],
    dataset: Dataset,
    epochs: int,
    seeds: int,
    batch_size: int = 128,
    learning_rate: float = 1e-3,
    hidden_units: int = 512,
    latent_dim: int = 2,
    kl_weight: float = 1.0,
    optimizer: str | dict = "adam",
) -> Trained:
    """Train a variant with the seeds 0 .. seeds - 1; a seed fixes initial weights, batches and noise of every variant.

    `own_objective` is the last val_objective, what the author of the variant would have seen; the other measures are
    the honest ones on the same images.

    optimizer: a name, or a configuration, as keras.optimizers.get takes it
    """
    vaes, histories, rows = [], [], []
    for seed in range(seeds):
        keras.utils.set_random_seed(seed)
        vae = variant(mlp_encoder(hidden_units, latent_dim), mlp_decoder(hidden_units, latent_dim), kl_weight, seed)
        vae.compile(optimizer=keras.optimizers.get(optimizer), jit_compile=True)
        vae.optimizer.learning_rate = learning_rate
        history, _ = training.train(vae, dataset, epochs, batch_size, seed)
        vaes.append(vae)
        histories.append(history)
        own = {"own_objective": history["val_objective"].iloc[-1]}
        rows.append(own | honest_measures(vae, dataset.validation_images))
    return Trained(vaes[0], histories, pd.DataFrame(rows))


def honest_measures(vae: Fixed, images: np.ndarray, samples: int = 8, seed: int = 0) -> dict[str, float]:
    """Distortion, rate and their sum at weight 1, for the Gaussian that z is really drawn from.

    Right formulas whatever the variant was trained with; the distortion is that of the variant's own decoder.
    """
    mean, log_var = vae.really_sampled(*vae.encoder(images))  # (N, latent_dim) each
    sampling = Sampling(seed)
    draws = [bernoulli_nll(images, vae.decoder(sampling(mean, log_var))) for _ in range(samples)]  # each (N,)
    distortion, rate = float(np.mean(draws)), float(np.mean(kl_divergence(mean, log_var)))
    return {"distortion": distortion, "rate": rate, "negative_elbo": distortion + rate}


def view(trained: Trained, dataset: Dataset, cells: int = 8, seed: int = 0) -> dict[str, object]:
    """What a figure of the first seed needs: history, honest negative ELBO, codes, and cells x cells prior samples.

    The codes are one draw for each validation image, as the decoder gets them: (N, latent_dim).
    """
    vae = trained.vae
    mean, log_var = vae.really_sampled(*vae.encoder(dataset.validation_images))
    z = sample_prior(cells * cells, seed, mean.shape[-1])  # (cells * cells, latent_dim)
    return {
        "history": trained.histories[0],
        "negative_elbo": trained.measured["negative_elbo"].iloc[0],
        "codes": np.asarray(Sampling(seed)(mean, log_var)),
        "labels": dataset.validation_labels,
        "samples": decode(vae, z).reshape(cells, cells, 28, 28),
    }


def comparison(trained: Mapping[str, Trained]) -> pd.DataFrame:
    """One row per variant: what its own loss says, and the honest measures; nats per image, mean ± deviation."""
    names = {
        "own_objective": "its own objective says",
        "distortion": "distortion",
        "rate": "rate",
        "negative_elbo": "negative ELBO",
    }
    cells = {name: {names[column]: _spread(one.measured[column]) for column in names} for name, one in trained.items()}
    return pd.DataFrame.from_dict(cells, orient="index")


def cost_table(pairs: Mapping[str, tuple[Trained, Trained]]) -> pd.DataFrame:
    """All mistakes: the honest negative ELBO beside the fix's, their difference seed by seed, source and test.

    pairs: for each name the mistake and the fix that it is compared with
    """
    rows = {
        name: {
            "comes from": mistake.vae.source,
            "mistake": _spread(mistake.measured["negative_elbo"]),
            "fix": _spread(fix.measured["negative_elbo"]),
            "cost": _spread(cost(mistake, fix), sign="+"),
            "a test that finds it": mistake.vae.test,
        }
        for name, (mistake, fix) in pairs.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index")


def cost(mistake: Trained, fix: Trained) -> pd.Series:
    """Negative ELBO of the mistake less that of the fix, seed by seed: (seeds,), nats per image."""
    return mistake.measured["negative_elbo"] - fix.measured["negative_elbo"]


def sigma_terms(outputs: np.ndarray) -> pd.DataFrame:
    """KL of one dimension at mean 0 when the layer's output is sigma, and when it is the log-variance."""
    column = outputs[:, None]
    terms = {"sigma": kl_of_sigma(0 * column, column), "log_var": kl_divergence(0 * column, column)}
    return pd.DataFrame({"output": outputs} | {name: np.asarray(term) for name, term in terms.items()})


def sigma_table(trained: Trained, dataset: Dataset) -> pd.DataFrame:
    """How the sigmas of validation images lie about 0, per latent dimension of an UnconstrainedSigma."""
    sigma = np.asarray(trained.vae.encoder(dataset.validation_images)[1])  # (N, latent_dim)
    shares = {"negative": sigma < 0, "nearer to 0 than 0.01": np.abs(sigma) < 0.01}
    table = pd.DataFrame({name: share.mean(axis=0) for name, share in shares.items()})
    return table.assign(**{"least |sigma|": np.abs(sigma).min(axis=0)}).rename_axis("latent dimension")


def saturation(logits: np.ndarray) -> pd.DataFrame:
    """Cost of one pixel and its gradient in the logit, from logits and from clipped probabilities, in float32.

    returns: one row per logit and pixel value: logit, pixel, exact, clipped, error, exact_gradient, clipped_gradient
    """
    tables = []
    for pixel in (0.0, 1.0):
        column = tf.constant(logits[:, None], "float32")
        images = tf.fill(column.shape, pixel)
        table = {"logit": logits, "pixel": pixel}
        for name, loss in (("exact", bernoulli_nll), ("clipped", clipped_bernoulli_nll)):
            with tf.GradientTape() as tape:
                tape.watch(column)
                nats = loss(images, column)  # (N,)
            table |= {name: nats.numpy(), f"{name}_gradient": tape.gradient(nats, column).numpy()[:, 0]}
        tables.append(pd.DataFrame(table))
    return pd.concat(tables, ignore_index=True).assign(error=lambda table: table["clipped"] - table["exact"])


def saturation_table(trained: Mapping[str, Trained], dataset: Dataset) -> pd.DataFrame:
    """The distortion of the same draws by both formulas, and the pixels whose gradient the clipped one has lost."""
    images = dataset.validation_images
    rows = {}
    for name, one in trained.items():
        mean, log_var = one.vae.encoder(images)
        logits = one.vae.decoder(Sampling(0)(mean, log_var))
        saturated = np.abs(np.asarray(logits)) > SATURATED
        wrong = saturated & (np.abs(np.asarray(ops.sigmoid(logits)) - images) > 0.5)
        rows[name] = {
            "distortion from logits": float(np.mean(bernoulli_nll(images, logits))),
            "from clipped probabilities": float(np.mean(clipped_bernoulli_nll(images, logits))),
            f"pixels beyond logit ±{SATURATED}": f"{saturated.mean():.2%}",
            "of these wrong, per 1000 images": 1000 * wrong.sum() / len(images),
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def _spread(values: pd.Series, sign: str = "") -> str:
    prefix = "+" if sign and values.mean() >= 0 else ""
    return prefix + mean_and_spread(values.mean(), values.std())
