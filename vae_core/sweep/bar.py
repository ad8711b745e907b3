"""The progress bar of a sweep."""

import sys
from collections.abc import Sequence

from tqdm import tqdm

from vae_core.sweep.plan import Run


class Bar(tqdm):
    """One bar over the epochs of all runs, which names those in flight."""

    def __init__(self, missing: Sequence[Run]):
        self.epochs = {run.name: run.config["epochs"] for run in missing}
        self.trained: dict[str, int] = {}
        super().__init__(total=sum(self.epochs.values()), unit="epoch", dynamic_ncols=True, disable=None)

    def show(self, name: str, epochs: int) -> None:
        """Set how many epochs of a run are trained. A run that is done again starts anew."""
        if name in self.epochs:
            change = epochs - self.trained.get(name, 0)
            self.trained[name] = epochs
            in_flight = (f"{name} {trained}/{self.epochs[name]}" for name, trained in self.trained.items())
            self.set_postfix_str(", ".join(in_flight), refresh=False)
            self.update(change)
            self.refresh()

    def finish(self, name: str, word: str) -> None:
        """Count a run as finished, and say how it went."""
        self.show(name, self.epochs[name])
        del self.epochs[name], self.trained[name]
        self.write(f"{name}: {word}", file=sys.stderr)
