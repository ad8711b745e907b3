import numpy as np
import pytest

from vae_core.errors import InputError
from vae_core.parameters import check_choice, check_parameters


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("kl_weight", -0.1, "at least 0"),
        ("kl_weight", float("nan"), "finite number"),
        ("kl_weight", float("inf"), "finite number"),
        ("kl_weight", None, "finite number"),
        ("kl_weight", True, "finite number"),
        ("kl_weight", "half", "finite number"),
        ("learning_rate", "1e-3", "finite number"),
        ("epochs", 2.0, "whole number"),
        ("epochs", 0, "at least 1"),
        ("epochs", 2.5, "whole number"),
        ("batch_size", 0, "at least 1"),
        ("learning_rate", 0, "greater than 0"),
        ("hidden_units", 0, "at least 1"),
        ("seed", -1, "at least 0"),
        ("seed", 2**32, "at most 4294967295"),
        ("threads", 0, "at least 1"),
        ("kl_weight", 1e-50, "not be 1e-50: in single precision, that is 0"),
        ("epochs", 10**400, r"at most 2147483647, not 10+\.\.\.0+$"),
        pytest.param("epochs", 10**5000, "at most 2147483647, not a number of thousands of digits", id="no repr"),
        ("kl_weight", 10**400, r"at most 3\.402823466e\+38"),
        ("kl_weight", 1e39, r"at most 3\.402823466e\+38, not 1e\+39"),
        ("learning_rate", -(10**400), r"at least -3\.40"),
        ("learning_rate", -0.0, "greater than 0"),
        ("learning_rate", 1e-50, "not be 1e-50: in single precision, that is 0"),
        ("epochs", np.float32(2), "whole number"),
        ("epochs", np.bool_(True), "finite number"),
        ("kl_weight", np.float32("nan"), "finite number"),
        ("kl_weight", np.array(1.0), "finite number"),
        ("kl_weight", np.zeros((30, 30)), "finite number"),
        ("kl_weight", 1 + 0j, "finite number"),
    ],
)
def test_numbers_that_no_run_can_use_are_named_in_one_short_line(name, value, message):
    with pytest.raises(InputError, match=f"^{name} must .*{message}") as caught:
        check_parameters({name: value})
    assert len(str(caught.value)) < 120


def test_numbers_that_a_run_can_use_pass():
    numbers = {"kl_weight": 0.5, "epochs": 2, "batch_size": 128, "learning_rate": 1e-3, "hidden_units": 8, "threads": 1}
    check_parameters(numbers | {"kl_weight": 0, "seed": 2**32 - 1})
    check_parameters({"kl_weight": -0.0, "epochs": 2**31 - 1})
    check_parameters({"kl_weight": np.float32(0.5), "learning_rate": np.float64(1e-3), "epochs": np.int64(2)})


def test_a_word_that_is_no_choice_is_named_with_the_choices():
    check_choice("architecture", "conv", ["conv", "dense"])
    with pytest.raises(InputError, match="architecture must be one of conv, dense, not 'cnn'"):
        check_choice("architecture", "cnn", ["conv", "dense"])
    with pytest.raises(InputError, match=r"dense, not array\(\['conv'"):
        check_choice("architecture", np.array(["conv", "dense"]), ["conv", "dense"])
