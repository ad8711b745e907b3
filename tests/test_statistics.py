import numpy as np
import pandas as pd
import pytest
from scipy import stats

from vae_core.statistics import mean_and_spread, paired_difference, with_error


def test_with_error_by_hand():
    assert with_error(a=[1.0, 2.0, 3.0]) == {"a": 2.0, "a_se": pytest.approx(1 / np.sqrt(3))}


def test_one_run_has_no_spread_and_no_minus_zero():
    assert mean_and_spread(-0.001, float("nan")) == "0.00"
    assert mean_and_spread(1.5, 0.25, decimals=1) == "1.5 ± 0.2"


def test_the_paired_interval_by_hand_and_as_scipy_has_it(rng):
    found = paired_difference([3.0, 5.0, 7.0], [2.0, 3.0, 4.0])  # 1, 2, 3: deviation 1, and t of two degrees is 4.3027
    assert (found.mean, found.pairs) == (2.0, 3)
    assert [found.low, found.high] == pytest.approx([2 - 4.3027 / np.sqrt(3), 2 + 4.3027 / np.sqrt(3)], abs=1e-4)
    a, b = rng.normal(size=(2, 9))
    theirs = stats.ttest_rel(a, b).confidence_interval(0.95)
    found = paired_difference(a, b)
    assert [found.low, found.high] == pytest.approx(list(theirs))


def test_runs_of_a_seed_are_paired_and_a_seed_that_one_lacks_does_not_count():
    a, b = pd.Series([1.0, 5.0, 9.0], index=[2, 0, 1]), pd.Series([9.5, 1.5, 5.4, 7.0], index=[1, 2, 0, 3])
    found = paired_difference(a, b)
    assert (found.mean, found.pairs) == (pytest.approx(-1.4 / 3), 3)
    assert found.beyond_spread and not found.within_spread
    assert paired_difference(a, b.where(b.index != 2)).pairs == 2


def test_one_pair_says_nothing_and_differences_without_a_spread_are_what_they_are():
    one = paired_difference([1.0], [3.0])
    assert (one.mean, one.pairs, one.within_spread, one.beyond_spread) == (-2.0, 1, False, False)
    assert np.isnan(paired_difference([], []).mean)
    assert paired_difference([2.0, 3.0], [1.0, 2.0]).beyond_spread
    assert paired_difference([2.0, 3.0], [2.0, 3.0]).within_spread
