# SPDX-License-Identifier: Apache-2.0
"""What runs the benchmarks and judges what they find: nothing here is a benchmark itself.

pyperf and pytest-benchmark would not carry their weight here. Both time one
callable at a time; here a figure counts only beside its floor and its peers, taken in turns in one
run, since a shared machine changes its speed from one second to the next by more than what is to
be found. Neither measures two processes that talk, with bytes and rounds. What they are good at is
here in a few lines: a process of its own for each benchmark (``isolated``), calibrated loops,
warm-up and repeats until the spread is small (``timing``), and JSON (``record``).
"""
