"""What the sweep adds to a run, from 10 to 1,000 planned runs: a stub notebook on the embedded Dask cluster.

python -m tests.benchmarks.overhead --runs 10 100 1000
"""

import argparse
import tempfile
import time
from pathlib import Path

import nbformat
import pandas as pd

from vae_core.sweep.workers import connect, execute_all

STUB = """
import json
from pathlib import Path
Path(run_dir, 'record.json').write_text(json.dumps({'files': {}}))
"""


def stub_notebook() -> str:
    """A notebook that does nothing but say that it is done."""
    parameters, work = nbformat.v4.new_code_cell("run_dir = ''"), nbformat.v4.new_code_cell(STUB)
    parameters.metadata["tags"] = ["parameters"]
    kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return nbformat.writes(nbformat.v4.new_notebook(cells=[parameters, work], metadata={"kernelspec": kernelspec}))


def seconds_per_run(runs: int, workers: int) -> float:
    """Wall time of the sweep's engine for so many planned runs, times workers, per run."""
    parameters = {f"run{number:04}": {} for number in range(runs)}
    with tempfile.TemporaryDirectory() as scratch, connect(None, workers, Path(scratch)) as client:
        start = time.perf_counter()
        outcomes = dict(execute_all(client, stub_notebook(), parameters, lambda name, epochs: None))
        seconds = time.perf_counter() - start
    assert len(outcomes) == runs
    for name, outcome in outcomes.items():
        assert not outcome.problem, f"{name}: {outcome.problem}"
    return seconds * workers / runs


def main() -> None:
    """Measure and print one row per number of runs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, nargs="+", default=[10, 100, 1000])
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    table = pd.DataFrame({"planned runs": options.runs})
    table["seconds of a worker per run"] = [seconds_per_run(runs, options.workers) for runs in options.runs]
    table["times the first"] = table.iloc[:, 1] / table.iloc[0, 1]
    print(table.round(3).to_markdown(index=False))


if __name__ == "__main__":
    main()
