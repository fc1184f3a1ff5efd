# SPDX-License-Identifier: Apache-2.0
"""The benchmark suite: ``python -m benchmarks list`` names what there is; or ``mpc bench list``.

A benchmark is a module here with a docstring whose first line says what it measures, and

* ``add_arguments(parser)``: its options, with defaults that take a minute at most;
* ``run(options) -> list[Record]``: measure, compare with the right answer, return the records.

What it may have beside these:

* ``QUICK``, a string of options: small sizes, for ``run --quick`` and the tests;
* ``SWEEP``, a string of options: the sizes over which ``run --sweep`` looks at how the cost grows;
* ``GROWS_WITH``, tuples of names of parameters: a slope is fitted in the first of each, when it
  varies; the others go along with it.

Measurements are taken in turns with what stands beside them (``harness.timing``), a floor of each
is measured in the same run (``harness.floors``), and stages are ``mpc.tracing`` spans, returned as
records named ``NAME.stage`` with a parameter ``stage``. Names that begin with an underscore,
``record`` and ``harness`` are not benchmarks. Imports within the suite are relative, since it is
``benchmarks`` in the source and ``mpc.benchmarks`` where the wheel is installed.
"""
