"""A sweep that nobody has trained with a network for every weight: all that the explorer reads, in a second."""

from pathlib import Path

import numpy as np
import pandas as pd

from tests.explorer.untrained import untrained_run
from vae_core.multi_rate import MultiRateVAE, layers_of, multi_rate_vae
from vae_core.network_file import OneNetwork, write_network

KNOTS = (0.1, 0.6, 3.0, 20.0)
WEIGHTS = (0.0, 0.5, 1.0, 4.0)  # of the runs
CURVE = pd.DataFrame({"kl_weight": [0.1, 1.0, 20.0], "distortion": [100.0, 120.0, 160.0], "rate": [9.0, 5.0, 0.5]})


def made_network() -> MultiRateVAE:
    """With weights from a generator, whose codes are about as large as the prior's samples."""
    vae = multi_rate_vae(KNOTS, seed=0, steps_per_epoch=4, hidden_units=16)
    rng = np.random.default_rng(1)
    for part, size in ((vae.encoder, 0.2), (vae.decoder, 0.7)):
        for layer in part.layers:
            arrays = layer.get_weights()
            if layer.name.endswith("_gate"):
                both = zip((1, 0), arrays, strict=True)
                layer.set_weights([rng.normal(middle, 0.3, array.shape) for middle, array in both])
            elif arrays:
                layer.set_weights([rng.normal(0, size, array.shape) for array in arrays])
    return vae


def made_sweep(sweep_dir: Path) -> MultiRateVAE:
    """Write runs on digits and the network into a folder; returns the network."""
    for kl_weight in WEIGHTS:
        untrained_run(sweep_dir, kl_weight, "digits")
    vae = made_network()
    write_network(sweep_dir, OneNetwork(np.array(KNOTS), layers_of(vae), CURVE, {"seed": 0, "epochs": 1}))
    return vae
