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
    ],
)
def test_numbers_that_no_run_can_use_are_named(name, value, message):
    with pytest.raises(InputError, match=f"{name} must be .*{message}"):
        check_parameters({name: value})


def test_numbers_that_a_run_can_use_pass():
    numbers = {"kl_weight": 0.5, "epochs": 2, "batch_size": 128, "learning_rate": 1e-3, "hidden_units": 8, "threads": 1}
    check_parameters(numbers | {"kl_weight": 0, "seed": 2**32 - 1})


def test_a_word_that_is_no_choice_is_named_with_the_choices():
    check_choice("architecture", "conv", ["conv", "dense"])
    with pytest.raises(InputError, match="architecture must be one of conv, dense, not 'cnn'"):
        check_choice("architecture", "cnn", ["conv", "dense"])
