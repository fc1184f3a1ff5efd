# SPDX-License-Identifier: Apache-2.0
"""The ``mpc`` command. Exit codes, the same for every subcommand:

0    done
1    a check failed (``selftest``, ``demo``), or a fault of this program
2    wrong arguments, configuration or data of ours; nothing was sent
3    a peer is not reachable, not trusted, silent, gone, or aborted the job
4    a peer sent something wrong, or holds another job file or version
5    a key, ciphertext or encoding cannot be used
6    our own policy does not allow the job
130  interrupted (Ctrl-C); the peers were told
"""

from __future__ import annotations

import signal
from typing import NoReturn


def main() -> None:
    """Run the command line."""
    from mpc.cli.app import app

    # A party that is terminated tells its peers, so it ends the way Ctrl-C ends it.
    signal.signal(signal.SIGTERM, _interrupt)
    app()


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt
