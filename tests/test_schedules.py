import keras
import numpy as np
import pytest

from vae_core.errors import InputError
from vae_core.schedules import CosineWarmUp, Cyclical, kl_schedule

TRAINING = {"steps_per_epoch": 3, "epochs": 8, "warmup_epochs": 4, "cycles": 3, "ramp": 0.5}


def values(schedule, steps):
    return np.asarray(schedule(np.arange(steps))).tolist()


def fu(step, steps, cycles, ramp):
    """Equation 6 of Fu et al. 2019 for the step that they call step + 1, where the cycles are whole steps.

    But where two cycles meet, their 0 is the end of the first one here.
    """
    tau = (step % (steps // cycles)) / (steps / cycles) or float(step > 0)
    return tau / ramp if tau <= ramp else 1.0


def test_a_constant_weight_stays_the_number_that_it_is():
    assert kl_schedule("constant", 0.7, **TRAINING) == 0.7


def test_a_linear_warm_up_rises_by_equal_steps_and_stays():
    expected = [*(2.0 * step / 12 for step in range(12)), *[2.0] * 13]
    assert values(kl_schedule("linear", 2.0, **TRAINING), 25) == pytest.approx(expected)


def test_a_cosine_warm_up_is_half_a_cosine_and_stays():
    schedule = kl_schedule("cosine", 2.0, **TRAINING)
    expected = 1 - np.cos(np.pi * np.arange(12) / 12)
    assert values(schedule, 12) == pytest.approx(expected, abs=1e-6)
    assert values(schedule, 25)[12:] == [2.0] * 13
    assert float(schedule(3)) == pytest.approx(2 * 0.14644661)  # a quarter of the way: (1 - 1 / sqrt 2) / 2


def test_cycles_are_those_of_fu_et_al():
    schedule = kl_schedule("cyclical", 2.0, **TRAINING)
    expected = [2.0 * fu(step, 24, 3, 0.5) for step in range(24)]
    assert expected[:11] == [0, 0.5, 1, 1.5, 2, 2, 2, 2, 2, 0.5, 1]
    assert values(schedule, 24) == pytest.approx(expected)
    assert values(schedule, 30)[24:] == [2.0] * 6  # the measures are charged with it


@pytest.mark.parametrize(("steps", "cycles"), [(10, 4), (103, 7), (17200, 4), (999, 10)])
def test_every_cycle_starts_near_0_and_is_complete_where_the_steps_cannot_be_divided(steps, cycles):
    curve = values(Cyclical(1.0, steps, cycles, ramp=0.5), steps)
    starts = [0, *(np.flatnonzero(np.diff(curve) < 0) + 1)]
    assert len(starts) == cycles
    assert starts[1:] == [int(cycle * steps / cycles) + 1 for cycle in range(1, cycles)]
    assert [curve[start] for start in starts] == pytest.approx([0] * cycles, abs=2.01 * cycles / steps)
    assert [curve[start - 1] for start in starts[1:]] + curve[-1:] == [1.0] * cycles
    assert np.mean(curve) == pytest.approx(0.75, abs=2 * cycles / steps)  # half a ramp of mean 1/2, half at 1


def test_a_ramp_over_the_whole_cycle_reaches_the_weight_at_the_end_of_training():
    schedule = Cyclical(3.0, steps=8, cycles=2, ramp=1.0)
    assert values(schedule, 9) == pytest.approx([0, 0.75, 1.5, 2.25, 3.0, 0.75, 1.5, 2.25, 3.0])


def test_cycles_of_less_than_two_steps_are_refused():
    with pytest.raises(InputError, match=r"^24 training steps cannot have 13 cycles: train more epochs, or lower kl_c"):
        kl_schedule("cyclical", 1.0, **TRAINING | {"cycles": 13})
    kl_schedule("cyclical", 1.0, **TRAINING | {"cycles": 12})


@pytest.mark.parametrize("schedule", [CosineWarmUp(2.0, 12), Cyclical(2.0, 24, 3, 0.25)])
def test_a_schedule_is_stored_with_its_numbers(schedule):
    stored = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(schedule))
    assert type(stored) is type(schedule)
    assert values(stored, 30) == values(schedule, 30)
