"""The bar of a sweep: which runs are in flight, what each is at, and how long the rest takes."""

import math
import time
from collections.abc import Mapping

from vae_core.execution.bar import Bar
from vae_core.sweep.phases import Phase


class RunsBar(Bar):
    """A bar over runs, which says what those in flight are at and, once one has finished, how long the rest takes."""

    def __init__(self, missing: Mapping[str, str]):
        """missing: what each run is called in the bar, by its name."""
        super().__init__()
        self.total = len(missing)
        self.waiting = dict(missing)
        self.begun: dict[str, float] = {}  # when
        self.phases: dict[str, Phase] = {}  # of the runs in flight
        self.took: list[float] = []  # seconds of each finished run

    def show(self, name: str, phase: Phase) -> None:
        """Take note of what a run is at. A run that is done again starts anew."""
        with self.lock:  # the workers' messages come in a thread of their own
            if name in self.waiting:
                self.begun.setdefault(name, time.monotonic())
                self.phases[name] = phase
        self.draw()

    def finish(self, name: str, word: str) -> None:
        """Count a run as finished, and say how it went."""
        with self.lock:
            del self.waiting[name]
            self.phases.pop(name, None)
            self.took.append(time.monotonic() - self.begun.pop(name, self.started))
        self.say(f"{name}: {word}")
        self.draw()

    def state(self) -> tuple[str, float, str]:
        """Whole runs before the bar; in the bar also the shares of those in flight."""
        words = [f"{self.waiting[name]}: {phase.words}" for name, phase in self.phases.items()]
        done = self.total - len(self.waiting)
        remaining = [f"about {minutes} min left"] if (minutes := self._minutes_left(len(self.phases))) else []
        now = remaining + (words or ["starting"]) if self.waiting else []
        return f"{done}/{self.total} runs", done + sum(phase.share for phase in self.phases.values()), ", ".join(now)

    def _minutes_left(self, workers: int) -> int | None:
        """What is left if each run takes as long as those that have finished; None as long as none has."""
        if not (self.took and self.waiting and workers):
            return None
        usual, now = sum(self.took) / len(self.took), time.monotonic()
        left = sum(max(0.0, usual - (now - self.begun.get(name, now))) for name in self.waiting)
        return max(1, math.ceil(left / workers / 60))
