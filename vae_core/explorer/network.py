"""The one network of a sweep, for the page: what it computes, and its numbers as text."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.special import expit

from vae_core.dataset import Dataset
from vae_core.errors import InputError
from vae_core.explorer.packing import as_text, packed, unpacked
from vae_core.network_file import OneNetwork, read_network

BITS = {"encoder": 16, "decoder": 14}  # per number: in the code an error of 1e-3 shows, in a pixel one of 1/255
CHECKED = 200  # test images on which the network of the page is compared, at each weight


def network_of(sweep_dir: Path, likelihood: str, test: Dataset) -> tuple[OneNetwork | None, list[str]]:
    """The one network of a sweep, None if it has none that the page can show, and then why."""
    try:
        network = read_network(sweep_dir)
    except InputError as error:
        return None, [str(error)]
    if network is None:
        return None, []
    pixels, dimensions = len(network.layers["encoder.hidden"]["kernel"]), network.layers["encoder.mean"]["bias"].size
    if (pixels, dimensions, likelihood) != (test.test_images[0].size, 2, "bernoulli"):
        return None, ["the one network, which has other images, latent dimensions or pixels than the runs"]
    return network, []


def encoded(network: OneNetwork, images: np.ndarray, kl_weight: float) -> tuple[np.ndarray, np.ndarray]:
    """Mean and log-variance of q(z|x), (N, 2) each; images: (N, pixels). See `reached` for the weight."""
    layers = network.at(reached(network, kl_weight))
    h = np.maximum(_dense(layers["encoder.hidden"], images), 0)
    return _dense(layers["encoder.mean"], h), _dense(layers["encoder.log_var"], h)


def decoded(network: OneNetwork, z: np.ndarray, kl_weight: float) -> np.ndarray:
    """The expected images of latent points, (N, 2): (N, pixels)."""
    layers = network.at(reached(network, kl_weight))
    return expit(_dense(layers["decoder.pixels"], np.maximum(_dense(layers["decoder.hidden"], z), 0)))


def reached(network: OneNetwork, kl_weight: float) -> float:
    """The nearest weight that the network was trained for."""
    return float(np.clip(kl_weight, network.knots[0], network.knots[-1]))


def _dense(layer: tuple[np.ndarray, np.ndarray], x: np.ndarray) -> np.ndarray:
    return x @ layer[0] + layer[1]


def content(network: OneNetwork) -> dict[str, object]:
    """For an element of the page: the knots, and each array of each layer; a list is an array of one row."""
    arrays = {name: as_text(array) for name, array in _packed(network).items()}
    return {"knots": network.knots.tolist(), **arrays}


def about(network: OneNetwork) -> dict[str, object]:
    """What the page says of the network: the least and the largest weight, and its measures, by rising weight."""
    curve = network.curve.sort_values("kl_weight")[["kl_weight", "distortion", "rate"]]
    least, most = (float(f"{weight:.3g}") for weight in (network.knots[0], network.knots[-1]))
    return {"least": least, "most": most, "curve": curve.to_dict("records")}


def rounding(network: OneNetwork, images: np.ndarray, kl_weights: Sequence[float]) -> tuple[float, float]:
    """What the rounding of `content` makes to a code and to a pixel at most, at these weights; images: (N, pixels)."""
    read = _read(network)
    images = images[np.linspace(0, len(images) - 1, min(CHECKED, len(images))).astype(int)]
    codes = pixels = 0.0
    for kl_weight in kl_weights:
        known, ours = (encoded(one, images, kl_weight) for one in (network, read))
        codes = max(codes, *(np.abs(a - b).max() for a, b in zip(known, ours, strict=True)))
        known_pixels, our_pixels = (decoded(one, known[0], kl_weight) for one in (network, read))
        pixels = max(pixels, np.abs(known_pixels - our_pixels).max())
    return float(codes), float(pixels)


def _packed(network: OneNetwork) -> dict[str, Mapping[str, np.ndarray]]:
    return {
        f"{name}.{part}": packed(np.atleast_2d(array), BITS[name.partition(".")[0]])
        for name, layer in network.layers.items()
        for part, array in layer.items()
    }


def _read(network: OneNetwork) -> OneNetwork:
    """The network as the page reads it."""
    arrays = {name: unpacked(array) for name, array in _packed(network).items()}
    layers = {
        name: {part: arrays[f"{name}.{part}"].reshape(array.shape) for part, array in layer.items()}
        for name, layer in network.layers.items()
    }
    return replace(network, layers=layers)
