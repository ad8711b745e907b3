"""The decoder of a run in NumPy, and its pixels: the explorer imports no Keras."""

from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from scipy.special import expit

from vae_core.errors import InputError
from vae_core.runs import read_json
from vae_core.settings import DEFAULTS


@dataclass(frozen=True)
class Decoder:
    """Of the reference model: outputs = relu(z W + b) V + c; W: (2, units), V: (units, pixels).

    Here a colour image of height x width pixels has 3 x height x width.
    """

    first: np.ndarray
    first_bias: np.ndarray
    last: np.ndarray
    last_bias: np.ndarray

    def outputs(self, z: np.ndarray) -> np.ndarray:
        """Decode latent points; z: (N, 2), returns (N, pixels)."""
        return np.maximum(z @ self.first + self.first_bias, 0) @ self.last + self.last_bias


@dataclass(frozen=True)
class Pixels:
    """What the decoder's outputs say about an image: those of `vae_core.likelihoods` that `train_vae` knows.

    likelihood: its name; variance: that of a Gaussian pixel, given or learned
    """

    likelihood: str
    variance: float

    def mean(self, outputs: np.ndarray) -> np.ndarray:
        """The expected image: sigmoid(l), or 1 / (1 - exp(-l)) - 1/l for a continuous Bernoulli pixel."""
        return _continuous_mean(outputs) if self.likelihood == "continuous_bernoulli" else expit(outputs)

    def nll(self, images: np.ndarray, outputs: np.ndarray) -> np.ndarray:
        """-log p(x|z) of each image, (N, pixels), in nats: (N,)."""
        if self.likelihood == "bernoulli":
            return np.sum(np.logaddexp(0, outputs) - images * outputs, axis=1)
        if self.likelihood == "continuous_bernoulli":
            size = np.maximum(np.abs(outputs), 1e-12)  # not 0 / 0
            distance = np.where(outputs < 0, images, 1 - images)
            return np.sum(distance * size + np.log(-np.expm1(-size) / size), axis=1)
        errors = np.square(images - expit(outputs)) / self.variance
        return 0.5 * np.sum(errors + np.log(2 * np.pi * self.variance), axis=1)


def _continuous_mean(outputs: np.ndarray) -> np.ndarray:
    size = np.maximum(np.abs(outputs), 1e-5, dtype=np.float64)  # at 0 the formula has no digits left
    distance = 1 / size - 1 / np.expm1(np.minimum(size, 80))  # from the end where the density is highest
    return np.where(outputs < 0, distance, 1 - distance)


def read_pixels(folder: Path) -> Pixels:
    """What the pixels of a run are, from its settings; a variance that it has learned, from its measures."""
    settings = DEFAULTS | read_json(folder / "config.json")
    variance = read_json(folder / "measures.json").get("learned_variance", settings["pixel_variance"])
    return Pixels(settings["likelihood"], variance)


def read_decoder(folder: Path) -> Decoder:
    """The decoder's weights from a run folder. Raises InputError if it is not one of two dense layers over a plane."""
    try:
        return _decoder_in(folder)
    except (OSError, KeyError) as error:
        raise InputError("model.weights.h5 cannot be read") from error


def _decoder_in(folder: Path) -> Decoder:
    with h5py.File(folder / "model.weights.h5") as file:
        layers = file["decoder/layers"]
        found = [layers[name]["vars"]["0"] for name in layers if "vars" in layers[name] and "0" in layers[name]["vars"]]
        kernels = [kernel for kernel in found if kernel.ndim]  # the others are numbers: a learned variance
        if len(kernels) != 2 or any(kernel.ndim != 2 for kernel in kernels):
            raise InputError("the explorer decodes with two dense layers; this decoder has others")
        if kernels[0].shape[0] != 2:
            raise InputError(
                f"the explorer shows a latent plane; this model has {kernels[0].shape[0]} latent dimensions"
            )
        arrays = [layers[name]["vars"][number][...] for name in ("dense", "dense_1") for number in ("0", "1")]
    return Decoder(arrays[0], arrays[1][None], arrays[2], arrays[3][None])
