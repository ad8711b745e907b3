"""What a command does before it imports what takes seconds: it takes the process as the shell has left it."""

import os
import signal
import sys
from contextlib import suppress

INTERRUPTED = 130  # 128 + SIGINT, as shells have it


def prepare(command: str) -> None:
    """Make standard streams that can be written, whatever the shell gave, and let Ctrl-C end an import in one line.

    A stream that was closed goes nowhere: else the next file that is opened would get its number, and the messages. A
    character that the terminal does not know is shown as `?`, and Python processes below this one read UTF-8. SIGINT
    stays ignored where it was, as in a script's background job.
    """
    for name, number in {"stdout": 1, "stderr": 2}.items():
        if not _is_writable(number):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, number)  # which is what processes below this one inherit
            setattr(sys, name, os.fdopen(number, "w", closefd=False))
        getattr(sys, name).reconfigure(errors="replace")
    os.environ["PYTHONUTF8"] = "1"
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, lambda *_: _leave(command))


def _is_writable(number: int) -> bool:
    """Whether the descriptor is open for writing: a shell may have given the number to its script."""
    try:
        os.write(number, b"")
    except OSError:
        return False
    return True


def _leave(command: str) -> None:
    """End at once. An exception would not do: some of what is imported catches every exception and goes on."""
    with suppress(OSError):
        os.write(2, f"{command}: interrupted\n".encode())
    os._exit(INTERRUPTED)
