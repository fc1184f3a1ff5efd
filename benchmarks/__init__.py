# SPDX-License-Identifier: Apache-2.0
"""The benchmark suite: ``python -m benchmarks list`` names them.

A benchmark is a module here with a docstring whose first line says what it measures, and

* ``add_arguments(parser)``: its options, with defaults that take a minute at most;
* ``run(options) -> list[Record]``: measure, compare with the right answer, return the records.

``record.py`` and names that begin with an underscore are not benchmarks.
"""
