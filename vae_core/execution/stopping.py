"""How a sweep is told to stop."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress

SIGNALS = ("SIGTERM", "SIGHUP", "SIGINT")


@contextmanager
def termination_as_interrupt() -> Iterator[None]:
    """SIGTERM, and SIGHUP of a terminal that is closed, end the sweep like Ctrl-C: kernels stopped, results kept.

    A signal that was ignored before, as `nohup` has it with SIGHUP and a script's background job with SIGINT, stays so.
    """
    stderr = os.dup(2)  # while the report is executed, 2 is its log

    def interrupt(number, frame):
        for each in handled:
            signal.signal(each, signal.SIG_IGN)  # a second one must not break the tidying up
        with suppress(OSError):
            os.write(stderr, b"\nstopping ...\n" if os.isatty(stderr) else b"stopping ...\n")
        raise KeyboardInterrupt

    present = [getattr(signal, name) for name in SIGNALS if hasattr(signal, name)]
    handled = [each for each in present if signal.getsignal(each) != signal.SIG_IGN]
    before = {each: signal.signal(each, interrupt) for each in handled}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
        os.close(stderr)
