"""The numbers and words that a run can be given: checked before anything is trained or written."""

import math
import reprlib
from collections.abc import Mapping, Sequence
from numbers import Integral, Real

import numpy as np

from vae_core.errors import InputError

SMALLEST = {
    "kl_weight": 0,
    "compared_kl_weight": 0,
    "point_z0": -100,
    "point_z1": -100,
    "epochs": 1,
    "start_epochs": 1,
    "linear_steps": 1,
    "batch_size": 1,
    "hidden_units": 1,
    "latent_dim": 1,
    "kl_warmup_epochs": 1,
    "kl_cycles": 1,
    "free_bits": 0,
    "target_rate": 0,
    "seed": 0,
    "seeds": 1,
    "conv_seeds": 0,
    "variant_seeds": 0,
    "threads": 1,
    "samples": 2,
    "height": 100,
    "pixels": 1,
    "channels": 1,
    "kl_factor": 0,
}
LARGEST = {
    "seed": 2**32 - 1,  # what NumPy and Keras take
    "point_z0": 100,  # no prior sample is ever so far out
    "point_z1": 100,
    "kl_ramp": 1,
}
LARGEST_WHOLE = 2**31 - 1  # TensorFlow counts in 32 bits
LARGEST_REAL = float(np.finfo(np.float32).max)  # what a model's arithmetic holds
WHOLE = (
    *("epochs", "start_epochs", "linear_steps", "batch_size", "hidden_units", "latent_dim", "seed", "seeds"),
    *("conv_seeds", "variant_seeds", "threads", "samples", "height", "pixels", "channels"),
    *("kl_warmup_epochs", "kl_cycles"),
)
POSITIVE = ("least_kl_weight", "learning_rate", "variance", "reconstruction_factor", "pixel_variance", "kl_ramp")


def check_parameters(numbers: Mapping[str, object]) -> None:
    """Raise InputError for the first number that no run can use: not finite, not whole, too small or too large."""
    for name, value in numbers.items():
        if not is_finite_number(value):
            raise InputError(f"{name} must be a finite number, not {shown(value)}")
        if name in WHOLE and not isinstance(value, Integral):
            raise InputError(f"{name} must be a whole number, not {shown(value)}")
        smallest = SMALLEST.get(name, -LARGEST_REAL)
        largest = LARGEST.get(name, LARGEST_WHOLE if name in WHOLE else LARGEST_REAL)
        if value < smallest:
            raise InputError(f"{name} must be at least {smallest:.10g}, not {shown(value)}")
        if value > largest:
            raise InputError(f"{name} must be at most {largest:.10g}, not {shown(value)}")
        if name in POSITIVE and value <= 0:
            raise InputError(f"{name} must be greater than 0, not {shown(value)}")
        if value != 0 and np.float32(value) == 0:
            raise InputError(f"{name} must not be {shown(value)}: in single precision, that is 0")


def check_choice(name: str, value: str, choices: Sequence[str]) -> None:
    """Raise InputError if the value is none of the choices."""
    if not isinstance(value, str) or value not in choices:
        raise InputError(f"{name} must be one of {', '.join(choices)}, not {shown(value)}")


def is_finite_number(value: object) -> bool:
    """Whether the value is one finite number, of Python's or NumPy's; a boolean is none, an array neither."""
    if isinstance(value, Integral):  # of any size: math.isfinite fails beyond the range of floats
        return not isinstance(value, bool)
    return isinstance(value, Real) and math.isfinite(value)


def shown(value: object) -> str:
    """A value as a message of one line shows it: shortened if it is an array or has hundreds of digits."""
    try:
        return " ".join(reprlib.repr(value).split())
    except ValueError:  # Python writes no whole number of more than 4300 digits
        return "a number of thousands of digits"
