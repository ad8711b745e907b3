"""The one network of a sweep as files beside its runs: for the report and the explorer. Imports no Keras.

one_network.npz    knots, and kernel, bias, gain and shift of each Dense layer: encoder.hidden.kernel, ...
one_network.json   seed, epochs and seconds of its training, what made it, and `curve`: its measures at some weights
"""

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from vae_core.errors import InputError
from vae_core.provenance import provenance
from vae_core.runs import read_json, write_json

ARRAYS, ABOUT = "one_network.npz", "one_network.json"
LAYERS = ("encoder.hidden", "encoder.mean", "encoder.log_var", "decoder.hidden", "decoder.pixels")
PARTS = ("kernel", "bias", "gain", "shift")


@dataclass(frozen=True)
class OneNetwork:
    """A network for every weight between its first and its last knot: see `vae_core.multi_rate`.

    knots: weights, rising, (K,)
    layers: by name, one of LAYERS; of each the PARTS: kernel (inputs, units), bias (units,), gain and shift (K, units)
    curve: a row for each of some weights: `kl_weight`, `distortion`, `rate`, `objective`, ...; nats per image
    about: seed, epochs, seconds of training, and what made it
    """

    knots: np.ndarray
    layers: Mapping[str, Mapping[str, np.ndarray]]
    curve: pd.DataFrame
    about: Mapping[str, object]

    def at(self, kl_weight: float) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Kernel and bias of each Dense layer at one weight, with its gate multiplied in.

        gain * (x @ kernel + bias) + shift; gain and shift are linear in the logarithm of the weight between the knots.
        """
        place = np.interp(np.log(kl_weight), np.log(self.knots), np.arange(len(self.knots)))
        low = min(int(place), len(self.knots) - 2)
        share = place - low
        found = {}
        for name, layer in self.layers.items():
            gain, shift = ((1 - share) * layer[part][low] + share * layer[part][low + 1] for part in ("gain", "shift"))
            found[name] = (gain * layer["kernel"], gain * layer["bias"] + shift)
        return found


def write_network(sweep_dir: Path, network: OneNetwork) -> None:
    """Write both files into the folder of a sweep; the first time or in place of those that are there."""
    arrays = {f"{name}.{part}": array for name, layer in network.layers.items() for part, array in layer.items()}
    np.savez_compressed(sweep_dir / ARRAYS, knots=network.knots, **arrays)
    curve = network.curve.to_dict("records")
    write_json(sweep_dir / ABOUT, {**network.about, **provenance(), "curve": curve})


def read_network(sweep_dir: Path) -> OneNetwork | None:
    """The network of a sweep, or None if it has none. Raises InputError if its files are damaged."""
    if not (sweep_dir / ABOUT).exists():
        return None
    try:
        about = read_json(sweep_dir / ABOUT)
        curve = pd.DataFrame(about.pop("curve"))
        with np.load(sweep_dir / ARRAYS) as arrays:
            layers = {name: {part: arrays[f"{name}.{part}"] for part in PARTS} for name in LAYERS}
            return OneNetwork(arrays["knots"], layers, curve, about)
    except (OSError, EOFError, KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
        raise InputError(f"{sweep_dir / ABOUT}, or {ARRAYS} beside it, is damaged: make the network again") from error
