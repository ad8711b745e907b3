"""Whether what the files of a run hold is what a run writes, so that tables and sheets can be made of it.

Each function takes what was read, whoever has written it, and looks at nothing that a notebook may leave out.
"""

import sys

import numpy as np
import pandas as pd

PLANNED = ("kl_weight", "seed", "epochs")  # in every config.json
MEASURED = ("zero_information_distortion", "images")  # in every measures.json; what was not finite is left out
CURVES = ["epoch", "val_distortion", "val_rate"]  # in every history.csv


def is_config(content: object) -> bool:
    """The settings that name and order runs are there, and are numbers."""
    return _has_numbers(content, PLANNED) and isinstance(content["seed"], int)


def is_about(content: object) -> bool:
    """What figures and tables call the data is there; there may be no classes."""
    if not isinstance(content, dict):
        return False
    words, shape = [content.get("name"), content.get("description")], content.get("image_shape")
    names = content.get("class_names")
    return (
        isinstance(names, list)
        and all(isinstance(word, str) for word in words + names)
        and isinstance(shape, list)
        and len(shape) == 3
        and all(isinstance(size, int) for size in shape)
    )


def is_measures(content: object) -> bool:
    """All values are finite numbers, and those that no training can spoil are there."""
    return _has_numbers(content, MEASURED) and _has_numbers(content, content)


def is_history(table: pd.DataFrame) -> bool:
    """There is an epoch, and the curves that every notebook leaves are numbers."""
    numbers = table.reindex(columns=CURVES).select_dtypes("number")
    return len(table) > 0 and list(numbers) == CURVES and not numbers.isna().any(axis=None)


def are_codes(mean: np.ndarray, log_var: np.ndarray, labels: np.ndarray) -> bool:
    """One row per image; mean, log_var: (N, latent_dim), labels: (N,), -1 without classes."""
    return mean.ndim == 2 and mean.shape == log_var.shape and labels.shape == mean.shape[:1]


def _has_numbers(content: object, names) -> bool:
    return isinstance(content, dict) and all(_is_number(content.get(name)) for name in names)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max
