import numpy as np
import pytest

from vae_core.statistics import mean_and_spread, with_error


def test_with_error_by_hand():
    assert with_error(a=[1.0, 2.0, 3.0]) == {"a": 2.0, "a_se": pytest.approx(1 / np.sqrt(3))}


def test_one_run_has_no_spread_and_no_minus_zero():
    assert mean_and_spread(-0.001, float("nan")) == "0.00"
    assert mean_and_spread(1.5, 0.25, decimals=1) == "1.5 ± 0.2"
