"""The numbers and words that a run can be given: checked before anything is trained or written."""

import math
from collections.abc import Mapping, Sequence

from vae_core.errors import InputError

SMALLEST = {
    "kl_weight": 0,
    "compared_kl_weight": 0,
    "point_z0": -100,
    "point_z1": -100,
    "epochs": 1,
    "batch_size": 1,
    "hidden_units": 1,
    "latent_dim": 1,
    "seed": 0,
    "seeds": 1,
    "threads": 1,
    "samples": 2,
    "height": 100,
}
LARGEST = {
    "seed": 2**32 - 1,  # what NumPy and Keras take
    "point_z0": 100,  # no prior sample is ever so far out
    "point_z1": 100,
}
WHOLE = ("epochs", "batch_size", "hidden_units", "latent_dim", "seed", "seeds", "threads", "samples", "height")


def check_parameters(numbers: Mapping[str, object]) -> None:
    """Raise InputError for the first number that no run can use: not finite, not whole, too small or too large."""
    for name, value in numbers.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise InputError(f"{name} must be a finite number, not {value!r}")
        if name in WHOLE and not isinstance(value, int):
            raise InputError(f"{name} must be a whole number, not {value!r}")
        if value < SMALLEST.get(name, -math.inf):
            raise InputError(f"{name} must be at least {SMALLEST[name]}, not {value!r}")
        if value > LARGEST.get(name, math.inf):
            raise InputError(f"{name} must be at most {LARGEST[name]}, not {value!r}")
        if name == "learning_rate" and value <= 0:
            raise InputError(f"{name} must be greater than 0, not {value!r}")


def check_choice(name: str, value: str, choices: Sequence[str]) -> None:
    """Raise InputError if the value is none of the choices."""
    if value not in choices:
        raise InputError(f"{name} must be one of {', '.join(choices)}, not {value!r}")
