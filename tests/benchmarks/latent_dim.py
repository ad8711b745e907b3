"""How much longer a whole run of train_vae takes at one latent_dim than at another, both in one run, on real MNIST.

python -m tests.benchmarks.latent_dim                          32 beside 2, 40 epochs: under ten minutes
python -m tests.benchmarks.latent_dim --latent-dims 2 32 128 --epochs 10

Rounds alternate between the settings, so that a busy machine is busy for all of them. The aim is 1.15.
"""

import argparse
import tempfile
import time
from pathlib import Path

import pandas as pd
import papermill

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "train_vae.ipynb"


def seconds_of_run(latent_dim: int, epochs: int) -> float:
    """Wall time of the executed notebook."""
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        settings = {"dataset": "mnist", "latent_dim": latent_dim, "epochs": epochs, "run_dir": f"{folder}/run"}
        arguments = {"kernel_name": "python3", "progress_bar": False, "cwd": NOTEBOOK.parent}
        papermill.execute_notebook(NOTEBOOK, f"{folder}/out.ipynb", settings, **arguments)
    return time.perf_counter() - start


def main() -> None:
    """Measure and print one row per latent_dim."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--latent-dims", type=int, nargs="+", default=[2, 32])
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    rounds = [[seconds_of_run(dim, options.epochs) for dim in options.latent_dims] for _ in range(options.rounds)]
    table = pd.DataFrame({"latent_dim": options.latent_dims, "seconds of a run": pd.DataFrame(rounds).min()})
    table["times the first"] = table.iloc[:, 1] / table.iloc[0, 1]
    print(f"{options.epochs} epochs of MNIST, the faster of {options.rounds} rounds\n")
    print(table.round(2).to_markdown(index=False))


if __name__ == "__main__":
    main()
