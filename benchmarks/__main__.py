# SPDX-License-Identifier: Apache-2.0
"""``python -m benchmarks``: see ``harness.command``."""

from __future__ import annotations

import sys

from .harness.command import main

__all__ = ["main"]

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
