"""What the weight on the rate, or a target, is at each step of the training. Keras schedules, counting steps from 0."""

import math

import vae_core.backend  # noqa: F401

import keras
from keras import ops
from keras.optimizers.schedules import LearningRateSchedule, PolynomialDecay

from vae_core.errors import InputError


@keras.saving.register_keras_serializable("vae_core")
class CosineWarmUp(LearningRateSchedule):
    """Half a cosine from 0 to the end, and the end from then on.

    end * (1 - cos(pi * step / steps)) / 2,  step <= steps

    The warm-up of Bowman et al. 2016, arXiv:1511.06349, flat at both ends as the decay of Loshchilov and Hutter 2017,
    arXiv:1608.03983.
    """

    def __init__(self, end: float, steps: int):
        self.end, self.steps = float(end), int(steps)

    def __call__(self, step):
        """The value at a step: a scalar."""
        share = ops.minimum(ops.cast(step, "float32") / self.steps, 1.0)
        return self.end * 0.5 * (1 - ops.cos(math.pi * share))

    def get_config(self):
        """What `from_config` makes it of."""
        return {"end": self.end, "steps": self.steps}


@keras.saving.register_keras_serializable("vae_core")
class Cyclical(LearningRateSchedule):
    """As many equal cycles as asked for: in each a straight line from 0 to the end, and the end for what is left.

    end * min(1, tau / ramp),  tau = the share of the cycle that is over, in (0, 1], and 0 at the first step

    From step = steps on it is the end. Fu et al. 2019, arXiv:1903.10145, equation 6, with M = cycles, R = ramp and T =
    steps. They round the length of a cycle up to whole steps, which can leave a short last one; here all are equal, so
    that the last one is complete. Where two cycles meet, this is the end of the first, theirs the 0 of the second: so
    that what is validated and written at the end of an epoch belongs to the cycle that has ended.
    """

    def __init__(self, end: float, steps: int, cycles: int, ramp: float):
        self.end, self.steps, self.cycles, self.ramp = float(end), int(steps), int(cycles), float(ramp)

    def __call__(self, step):
        """The value at a step: a scalar."""
        step = ops.cast(step, "int32")
        over = ops.mod(step * self.cycles - 1, self.steps) + 1  # 1 to steps; whole numbers are exact
        value = self.end * ops.minimum(ops.cast(over, "float32") / self.steps / self.ramp, 1.0)
        return ops.where(step == 0, 0.0, ops.where(step < self.steps, value, self.end))

    def get_config(self):
        """What `from_config` makes it of."""
        return {"end": self.end, "steps": self.steps, "cycles": self.cycles, "ramp": self.ramp}


def kl_schedule(
    name: str,
    kl_weight: float,
    steps_per_epoch: int,
    epochs: int,
    warmup_epochs: int,
    cycles: int,
    ramp: float,
) -> float | LearningRateSchedule:
    """The weight on the rate while training, at the end `kl_weight`; for a target of the rate, the target.

    name: "constant"; "linear" or "cosine", from 0 at the first step over `warmup_epochs`; "cyclical", all `epochs` in
        so many `cycles`, each with a linear `ramp` from 0 for that share of it
    returns: the number itself if it is constant

    Raises InputError for cycles of less than two steps.
    """
    steps = steps_per_epoch * epochs
    match name:
        case "constant":
            return kl_weight
        case "linear":
            return PolynomialDecay(0.0, steps_per_epoch * warmup_epochs, float(kl_weight))
        case "cosine":
            return CosineWarmUp(kl_weight, steps_per_epoch * warmup_epochs)
    if steps < 2 * cycles:
        raise InputError(f"{steps} training steps cannot have {cycles} cycles: train more epochs, or lower kl_cycles")
    return Cyclical(kl_weight, steps, cycles, ramp)
