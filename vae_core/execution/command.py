"""What the commands have in common: errors of one line, and the same exit codes."""

import argparse
import sys
from collections.abc import Callable

from vae_core.errors import InputError
from vae_core.execution.lock import InUseError
from vae_core.execution.stopping import termination_as_interrupt
from vae_core.startup import INTERRUPTED

IN_USE = 75  # EX_TEMPFAIL of sysexits.h: try again later


class OneLineParser(argparse.ArgumentParser):
    """Raises InputError for a command line that it does not understand."""

    def error(self, message: str):
        """Say what is wrong in one line."""
        raise InputError(f"{message} (--help lists the options)")


def exit_code(name: str, work: Callable[[], int], kept: str, interrupted: str) -> int:
    """What `work` returns, or, after one line on stderr: 2 for wrong usage, 75 if a sweep is at work in the folder, 1
    if the results cannot be written, 130 if it was interrupted.

    name: of the command, before the line; kept, interrupted: what is said after the last two
    """
    try:
        with termination_as_interrupt():
            return work()
    except InputError as error:
        print(f"{name}: {error}", file=sys.stderr)
        return IN_USE if isinstance(error, InUseError) else 2
    except OSError as error:
        print(f"{name}: the results cannot be written ({error.strerror}){kept}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{name}: interrupted; {interrupted}", file=sys.stderr)
        return INTERRUPTED
