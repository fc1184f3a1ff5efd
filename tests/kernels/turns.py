# SPDX-License-Identifier: Apache-2.0
"""Kernels that show how threads go through a loop."""

from __future__ import annotations

from numba import njit

from mpc.kernels import team
from mpc.kernels.compiled import inner, kernel
from mpc.kernels.lanes import address
from mpc.kernels.team import look, take


@kernel
def meet(start, stop, met, all_of_them, _scratch):
    """Nobody leaves before so many have come."""
    for _ in range(start, stop):
        take(address(met), 1)
        while look(address(met)) < all_of_them:
            pass


@kernel
def parts(start, stop, sizes, _scratch):
    """Where each part begins, how large it is."""
    sizes[start] += stop - start


@kernel
def slow(start, stop, out, steps, _scratch):
    """Count each up to ``steps``, of which a core does some hundred millions a second."""
    for i in range(start, stop):
        for _ in range(steps):
            take(address(out) + 8 * i, 1)


@kernel
def fail(start, stop, failing, scratch):
    """Raise an error in one turn."""
    for i in range(start, stop):
        scratch[0] = i
        if i == failing:
            raise ValueError("in compiled code")


_share = inner(team.share)


@njit(nogil=True)
def share_until(shared, flag):
    """Share work that lasts until somebody says."""
    if take(address(shared) + 8, 1) == 0:
        flag[1] = _share(shared, team.record((shared, flag)))
        return
    while look(address(flag)) == 0:
        pass
