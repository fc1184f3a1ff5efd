# SPDX-License-Identifier: Apache-2.0
"""``python -m benchmarks``: see ``harness.command``."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from mpc.cli import run


def main(arguments: Sequence[str]) -> int:
    """Run what the command line asks for; the exit code."""
    from .harness import command

    return command.main(arguments)


if __name__ == "__main__":
    run(lambda: sys.exit(main(sys.argv[1:])))
