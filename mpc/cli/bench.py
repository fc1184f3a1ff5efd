# SPDX-License-Identifier: Apache-2.0
"""``mpc bench``: hand the process over to the benchmark suite.

The suite stands above this command, not below it, so it is started and not imported. In a wheel it
is ``mpc.benchmarks``; in a checkout it is ``benchmarks``, beside this package.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import mpc
from mpc.errors import ConfigError


def module() -> str:
    """The name under which the suite can be run here."""
    package = Path(mpc.__file__).parent
    for folder, name in ((package, "mpc.benchmarks"), (package.parent, "benchmarks")):
        if (folder / "benchmarks" / "__main__.py").is_file():
            return name
    raise ConfigError(f"the benchmark suite is not installed beside {package}")


def run(arguments: Sequence[str]) -> NoReturn:
    """Become the suite. ``-P`` keeps the working directory, which may be anyone's, off its path."""
    command = [sys.executable, "-P", "-m", module(), *arguments]
    # Argument by argument, and no shell.
    os.execv(sys.executable, command)  # noqa: S606
