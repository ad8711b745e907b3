"""How far a running notebook is, told from the files of its run folder and sent to the sweep."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from distributed import get_worker

LOOK_EVERY = 0.5  # seconds between two looks at the folder
OTHERS = 3  # phases beside the epochs: preparing, measuring, writing


class Phase(NamedTuple):
    """What a run is at, such as "epoch 12/40", and the share of its phases that lies behind it, 0 to 1."""

    words: str
    share: float


def phase(folder: Path) -> Phase:
    """The phase of the run that writes this folder.

    A run writes config.json when it has its data, a row of history.csv after every epoch, measures.json when all is
    measured, and record.json last. Before config.json the kernel starts and packages are imported.
    """
    try:
        epochs = json.loads((folder / "config.json").read_bytes())["epochs"]
    except OSError:
        return Phase("starting", 0.0)
    trained = _epochs_in(folder / "history.csv")
    if (folder / "measures.json").exists():
        words, behind = "writing", 2 + epochs
    elif trained >= epochs:
        words, behind = "measuring", 1 + epochs
    elif trained:
        words, behind = f"epoch {trained}/{epochs}", 1 + trained
    else:
        words, behind = "preparing", 1
    return Phase(words, behind / (epochs + OTHERS))


@contextmanager
def reporting(topic: str, name: str, folder: Path) -> Iterator[None]:
    """Meanwhile send (name, phase) to the sweep, whenever the phase has changed."""
    worker, finished = get_worker(), threading.Event()

    def report() -> None:
        sent = None
        while not finished.is_set():
            if (now := phase(folder)) != sent:
                worker.log_event(topic, (name, now))
                sent = now
            finished.wait(LOOK_EVERY)

    thread = threading.Thread(target=report, daemon=True)
    thread.start()
    try:
        yield
    finally:
        finished.set()
        thread.join()


def _epochs_in(history: Path) -> int:
    """Its rows below the header."""
    return max(0, history.read_bytes().count(b"\n") - 1) if history.exists() else 0
