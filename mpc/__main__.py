# SPDX-License-Identifier: Apache-2.0
"""``python -m mpc`` is the ``mpc`` command."""

from mpc.cli import main

if __name__ == "__main__":
    main()
