"""What a sweep shows while it works, on stderr: a bar on a terminal, a line per minute elsewhere."""

import math
import os
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from io import UnsupportedOperation
from typing import TextIO

from tqdm import tqdm

from vae_core.sweep.phases import Phase
from vae_core.sweep.plan import Run

SECOND, MINUTE = 1, 60  # seconds from one bar to the next, and from one line to the next


class Bar:
    """A bar that is drawn anew every second, so that it is seen to live while one step takes long.

    It is full when all is done, and not before. `with` starts and ends it.
    """

    total: int

    def __init__(self):
        self.started = time.monotonic()
        self.stream, self.finished, self.lock = _own_stderr(), threading.Event(), threading.Lock()
        self.thread = threading.Thread(target=self._keep_drawing, daemon=True)

    def state(self) -> tuple[str, float, str]:
        """What stands before the bar, how much of `total` is done, and what goes on."""
        raise NotImplementedError

    def say(self, line: str) -> None:
        """Write a line above the bar. A terminal that is gone stops no run."""
        with suppress(OSError):
            tqdm.write(line, file=self.stream)

    def __enter__(self):
        form = "{desc} |{bar:16}| {elapsed}{postfix}"  # a bar that grew shorter with more words would seem to go back
        self.tqdm = tqdm(total=self.total, bar_format=form, file=self.stream, dynamic_ncols=True, disable=None)
        self.draw()
        self.thread.start()
        return self

    def __exit__(self, kind, error, traceback):
        self.finished.set()
        self.thread.join()
        self.draw()
        self.tqdm.leave = error is None
        with suppress(OSError):
            self.tqdm.close()
            if self.stream is not sys.stderr:
                self.stream.close()

    def draw(self) -> None:
        """Draw the bar, if there is a terminal."""
        if not self.tqdm.disable:
            with self.lock, suppress(OSError):
                before, self.tqdm.n, words = self.state()
                self.tqdm.set_description_str(before, refresh=False)
                self.tqdm.set_postfix_str(words, refresh=False)
                self.tqdm.refresh()

    def _keep_drawing(self) -> None:
        while not self.finished.wait(MINUTE if self.tqdm.disable else SECOND):
            if self.tqdm.disable:
                with self.lock:
                    before, _, words = self.state()
                self.say(f"{before}, {tqdm.format_interval(time.monotonic() - self.started)}: {words}")
            else:
                self.draw()


class RunsBar(Bar):
    """A bar over runs, which says what those in flight are at and, once one has finished, how long the rest takes."""

    def __init__(self, missing: Sequence[Run]):
        super().__init__()
        self.total = len(missing)
        self.waiting = {run.name: label for run, label in zip(missing, _labels(missing), strict=True)}
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
        words = [f"{self.waiting[name]} {phase.words}" for name, phase in self.phases.items()]
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


class StepsBar(Bar):
    """A bar over the few steps by which results are collected."""

    def __init__(self, title: str, steps: Sequence[str]):
        super().__init__()
        self.title, self.steps, self.total, self.now = title, steps, len(steps), 0

    def step(self, name: str) -> None:
        """Say which step begins."""
        self.now = self.steps.index(name)
        self.draw()

    def state(self) -> tuple[str, float, str]:
        """The steps that lie behind, and the name of the present one."""
        return self.title, self.now, self.steps[self.now] if self.now < self.total else ""

    def __exit__(self, kind, error, traceback):
        self.now += error is None
        super().__exit__(kind, error, traceback)


def _labels(runs: Sequence[Run]) -> list[str]:
    """Short names of runs: the weight, and the seed where there are several."""
    several = len({run.config["seed"] for run in runs}) > 1
    seeds = [f" (seed {run.config['seed']})" if several else "" for run in runs]
    return [f"kl {run.config['kl_weight']:g}{seed}:" for run, seed in zip(runs, seeds, strict=True)]


def _own_stderr() -> TextIO:
    """A stream to where stderr leads now: while the report is executed, file descriptor 2 leads to its log."""
    try:
        return os.fdopen(os.dup(sys.stderr.fileno()), "w", errors="replace")
    except UnsupportedOperation:  # it is no file
        return sys.stderr
