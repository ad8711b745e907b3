"""What a sweep's options say of the notebook's parameters: each combination of their values is a sweep of its own."""

import argparse
from collections.abc import Callable, Iterable, Mapping
from itertools import product
from pathlib import Path

import papermill

from vae_core.errors import InputError

INSTEAD = {
    "dataset": "--dataset",
    "kl_weight": "--kl-weights",
    "seed": "--seeds",
    "epochs": "--epochs",
    "data_dir": "the environment variable VAE_DATA_DIR",
    "run_dir": "--results",
}
NONE = "None"  # the default of a number that need not be given


def declared_parameters(notebooks: Path, notebook: str) -> dict[str, dict]:
    """The parameters of a notebook that makes a run, with their defaults. Raises InputError for another notebook."""
    known = {path.stem: papermill.inspect_notebook(str(path)) for path in sorted(notebooks.glob("*.ipynb"))}
    runnable = {name: parameters for name, parameters in known.items() if {"kl_weight", "run_dir"} <= set(parameters)}
    if notebook not in runnable:
        raise InputError(f"--notebook must be one of {', '.join(runnable)}, not {notebook!r}")
    return runnable[notebook]


def default_values(declared: Mapping[str, dict]) -> dict[str, object]:
    """The default of every parameter, in its own type."""
    return {name: _typed(parameter["default"], name, declared) for name, parameter in declared.items()}


def combinations(options: argparse.Namespace, declared: Mapping[str, dict]) -> list[dict[str, object]]:
    """Every combination of the values that the options give to parameters, names in the notebook's order.

    A value that is given twice counts once. Raises InputError for a name that is not there or is there twice, and for a
    value of another type.
    """
    given = dict(_given(options, declared))
    values = {
        name: list(dict.fromkeys(_typed(text, name, declared) for text in given[name]))
        for name in declared
        if name in given
    }
    return [dict(zip(values, combination, strict=True)) for combination in product(*values.values())]


def axes(combinations: Iterable[Mapping[str, object]]) -> list[str]:
    """The names of the parameters that have several values."""
    combinations = list(combinations)
    return [name for name in combinations[0] if len({each[name] for each in combinations}) > 1]


def said(value: object) -> str:
    """A value as labels and folders name it: a number short, but never so short that it is another."""
    if isinstance(value, float):
        return f"{value:g}" if float(f"{value:g}") == value else repr(value)
    return "none" if value is None else str(value)


def label(names: Iterable[str], settings: Mapping[str, object]) -> str:
    """Some of the settings in words: latent_dim 10, kl_schedule linear."""
    return ", ".join(f"{name} {said(settings[name])}" for name in names)


def _given(options: argparse.Namespace, declared: Mapping[str, dict]) -> Iterable[tuple[str, list[str]]]:
    named = set()
    for name, *values in options.parameter:
        if name in INSTEAD:
            raise InputError(f"-p {name}: use {INSTEAD[name]} instead")
        if name not in declared:
            known = ", ".join(sorted(set(declared) - set(INSTEAD)))
            hint = f": write -p {name.replace('=', ' ', 1)}" if name.partition("=")[0] in declared else ""
            raise InputError(f"-p {name}: {options.notebook} has no such parameter{hint or f'; for -p it has {known}'}")
        if not values:
            raise InputError(f"-p {name}: give one value or several")
        if name in named:
            raise InputError(f"-p {name} is there twice: give all its values at once, -p {name} A B")
        named.add(name)
        yield name, values
    if options.epochs:
        yield "epochs", [str(epochs) for epochs in options.epochs]


def _typed(text: str, name: str, declared: Mapping[str, dict]) -> object:
    """A value as the type that the notebook's parameters cell gives it; papermill itself would pass a string."""
    type_name, bare = declared[name]["inferred_type_name"], text.strip("\"'")
    if declared[name]["default"] == NONE and bare in ("", NONE):
        return None
    try:
        return TYPES[type_name](bare)
    except ValueError:
        empty = " or empty: ''" if declared[name]["default"] == NONE else ""
        raise InputError(f"-p {name}: {text!r} is not of type {type_name}{empty}") from None


def _whole(text: str) -> int:
    """The number 2 for 2.0, too. Raises ValueError if it is not whole."""
    try:
        return int(text)
    except ValueError:
        if not float(text).is_integer():
            raise
        return int(float(text))


def _real(text: str) -> float:
    return float(text) + 0.0  # 0.0 for -0.0


TYPES: Mapping[str, Callable[[str], object]] = {"float": _real, "int": _whole, "str": str}
