# SPDX-License-Identifier: Apache-2.0
"""The ``mpc`` command. Exit codes, the same for every subcommand:

0    done
1    a check failed (``selftest``, ``demo``), or a fault of this program
2    wrong arguments, configuration or data of ours, found before anything was sent as far as it can
     be; or a result or report that cannot be written, when all has been done
3    a peer is not reachable, not trusted, silent, gone, or aborted the job
4    a peer sent something wrong, or holds another job file or version
5    a key, ciphertext or encoding cannot be used
6    our own policy does not allow the job
130  interrupted (Ctrl-C); the peers were told
"""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Callable

TYPE_CHECKING = False  # see ``mpc``
if TYPE_CHECKING:
    from typing import NoReturn

INTERRUPTED = 130
_AGAIN_SECONDS = 0.05
_interrupts: list[int] = []


def main() -> None:
    """Run the command line."""
    run(_command)


def run(command: Callable[[], object]) -> None:
    """Run ``command``, which loads what it needs, so that Ctrl-C at any time is a word and a code.

    A library that is interrupted may raise something else for it, as DuckDB does, and an import may
    fail of it: whatever ends the command after an interrupt is one. Nor is it a traceback that
    standard output takes no more, as on a full disk, or that its reader has had enough.
    """
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:  # which a shell sets for a job in &
        signal.signal(signal.SIGINT, _interrupt)
    # A party that is terminated tells its peers, so it ends the way Ctrl-C ends it.
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGALRM, _interrupt)
    sys.unraisablehook = _unraisable
    _open_streams()
    try:
        try:
            command()
        finally:
            sys.stdout.flush()
    except BaseException as error:
        done = isinstance(error, SystemExit) and not error.code
        if interrupted() and not done:
            print("interrupted", file=sys.stderr, flush=True)
            sys.exit(INTERRUPTED)
        if isinstance(error, OSError) and error.errno in {errno.EPIPE, errno.ENOSPC}:
            _drop_output()
            if error.errno == errno.EPIPE:
                sys.exit(1)
            print(f"cannot write the output: {error.strerror}", file=sys.stderr, flush=True)
            sys.exit(2)
        raise


def interrupted() -> bool:
    """Whether this process was asked to end."""
    return bool(_interrupts)


def _open_streams() -> None:
    """Put nothing in the place of standard streams that were closed by whoever started us.

    Else the first files and links that are opened would take their numbers, and be printed into.
    """
    opened = os.open(os.devnull, os.O_RDWR)
    while opened <= 2:
        opened = os.open(os.devnull, os.O_RDWR)
    os.close(opened)
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)


def _drop_output() -> None:
    """What is still buffered must not fail once more when the process ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _command() -> None:
    from mpc.cli.app import app

    app()


def _unraisable(lost: sys.UnraisableHookArgs) -> None:
    """What was raised where it cannot be: in a destructor, or in what a C library calls back.

    An interrupt that is lost so, as in LLVM's calls while kernels are compiled, comes again soon,
    when that call may be over; anything else is reported as ever.
    """
    if interrupted() and issubclass(lost.exc_type, KeyboardInterrupt):
        signal.setitimer(signal.ITIMER_REAL, _AGAIN_SECONDS)
    else:
        sys.__unraisablehook__(lost)


def _interrupt(number: int, _: object) -> NoReturn:
    _interrupts.append(number)
    raise KeyboardInterrupt
