"""Runs made up from a flat table, for the tests of tables and figures."""

from pathlib import Path

import pandas as pd

from vae_core.runs import Runs

SETTINGS = ["dataset", "kl_weight", "seed", "epochs", "batch_size", "learning_rate", "hidden_units", "threads"]


def runs_of(table: pd.DataFrame) -> Runs:
    """The columns that are settings of train_vae, and all others as measures."""
    table = table.reset_index(drop=True)
    settings = [name for name in SETTINGS if name in table]
    return Runs(table[settings], table.drop(columns=settings), [Path(f"run{row}") for row in table.index])
