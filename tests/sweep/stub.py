"""A notebook that leaves the files of a run in two seconds and trains nothing.

It runs in a real kernel, through the real command: for tests of what happens around a run, whatever it trains.
"""

import sys
from pathlib import Path

import nbformat

from vae_core.startup import prepare

PARAMETERS = """
dataset: str = "digits"
kl_weight: float = 1.0
latent_dim: int = 2
kl_schedule: str = "constant"
target_rate: float = None
epochs: int = 20
learning_rate: float = 1e-3  # above 1 the run fails, as it does at a weight above 1e30
kilobytes: int = 0  # of weights
seed: int = 0
threads: int = 1
data_dir: str = ""
run_dir: str = ""
"""
START = """
import time

import numpy as np
import pandas as pd

from vae_core import runs
from vae_core.data import load_dataset
from vae_core.errors import InputError

settings = {"kl_weight": kl_weight, "latent_dim": latent_dim, "kl_schedule": kl_schedule, "target_rate": target_rate}
settings |= {"epochs": epochs, "learning_rate": learning_rate}
settings |= {"kilobytes": kilobytes, "seed": seed, "threads": threads}
data = load_dataset(dataset, data_dir)
run = runs.start_run({"dataset": data.name, **settings}, data.checksum, run_dir)
"""
TRAIN = """
rng = np.random.default_rng(seed)
history = []
for epoch in range(1, epochs + 1):
    time.sleep(0.05)
    distortion, rate = 100 + rng.random(), rng.random() / (1 + kl_weight)
    losses = {"val_distortion": distortion, "val_rate": rate, "val_negative_elbo": distortion + rate}
    history.append({"epoch": epoch, **losses})
    runs.replace_file(run / "history.csv", pd.DataFrame(history).to_csv(index=False))
    if learning_rate > 1 or kl_weight > 1e30:
        raise InputError("the losses are not finite in epoch 1")
"""
FINISH = """
measures = {"distortion": distortion, "rate": rate, "negative_elbo": distortion + rate}
measures |= {"zero_information_distortion": 200.0, "images": len(data.test_images)}
runs.write_json(run / "measures.json", measures)
(run / "model.weights.h5").write_bytes(rng.bytes(1024 * kilobytes))
runs.finish_run(run, epochs * [0.05])
"""


def notebook_with(*cells: str) -> str:
    """A notebook's text; its first cell has the parameters."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell.strip()) for cell in cells])
    notebook.cells[0].metadata["tags"] = ["parameters"]
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return nbformat.writes(notebook)


def write_stub(folder: Path) -> Path:
    """Write the stub into a folder for notebooks, and return the folder."""
    (folder / "stub.ipynb").write_text(notebook_with(PARAMETERS, START, TRAIN, FINISH))
    return folder


if __name__ == "__main__":  # as in vae_core/sweep/__main__.py
    prepare("sweep")
    from vae_core.sweep.command import main

    sys.exit(main(sys.argv[2:], Path(sys.argv[1])))
