"""What a command shows while it works, on stderr: a bar on a terminal, a line per minute elsewhere."""

import os
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from io import UnsupportedOperation
from typing import TextIO

from tqdm import tqdm

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


def _own_stderr() -> TextIO:
    """A stream to where stderr leads now: while the report is executed, file descriptor 2 leads to its log."""
    try:
        return os.fdopen(os.dup(sys.stderr.fileno()), "w", errors="replace")
    except UnsupportedOperation:  # it is no file
        return sys.stderr
