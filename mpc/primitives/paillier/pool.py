# SPDX-License-Identifier: Apache-2.0
"""A pool of ready masks, made by a background thread. Each mask is handed out once."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable
from functools import cache
from weakref import WeakSet

import numpy as np

from mpc.errors import ConfigError
from mpc.kernels.bigint import Residues, concatenate

MAX_MASKS = 1 << 16
"""The most masks a pool holds: 40 MiB at 2048 bits, 60 MiB at 3072."""

_BLOCK = 64


class MaskPool:
    """Up to ``MAX_MASKS`` results of ``make(count)``, safe to use from any thread.

    What is taken leaves the pool before it is returned, so no two callers get the same mask. A
    child process starts with an empty pool: what the parent made stays the parent's alone.
    """

    __slots__ = ("__weakref__", "_blocks", "_lock", "_make", "_ready", "_wanted", "_worker")

    def __init__(self, make: Callable[[int], Residues]) -> None:
        self._make = make
        self._start_empty()
        _pools().add(self)

    def _start_empty(self) -> None:
        self._lock = threading.Lock()
        self._blocks: deque[Residues] = deque()
        self._ready = 0
        self._wanted = 0
        self._worker: threading.Thread | None = None

    def __len__(self) -> int:
        return self._ready

    def fill(self, count: int) -> None:
        """Have a background thread make masks until ``count`` are ready; returns at once."""
        if not 0 <= count <= MAX_MASKS:
            raise ConfigError(f"a pool holds up to {MAX_MASKS} masks, not {count}")
        with self._lock:
            self._wanted = count
            running = self._worker is not None and self._worker.is_alive()
            if self._ready < count and not running:
                self._worker = threading.Thread(target=self._work, name="mpc-paillier-masks")
                self._worker.start()

    def wait(self) -> None:
        """Return when the masks asked for are ready."""
        worker = self._worker
        if worker is not None:
            worker.join()

    def take(self, count: int) -> Residues | None:
        """Up to ``count`` masks, which are the caller's alone; None when there are none ready."""
        taken: list[Residues] = []
        with self._lock:
            while count and self._blocks:
                block = self._blocks.popleft()
                if len(block) > count:
                    # Positions copy, where a slice may share the memory that is wiped here.
                    positions = np.arange(len(block))
                    self._blocks.appendleft(block[positions[count:]])
                    whole, block = block, block[positions[:count]]
                    wipe(whole)
                taken.append(block)
                count -= len(block)
                self._ready -= len(block)
        return joined(taken) if taken else None

    def _work(self) -> None:
        while True:
            with self._lock:
                missing = self._wanted - self._ready
                # The interpreter joins this thread before it exits, so it must not go on then.
                if missing <= 0 or not threading.main_thread().is_alive():
                    self._worker = None
                    return
            block = self._make(min(missing, _BLOCK))
            with self._lock:
                self._blocks.append(block)
                self._ready += len(block)


def joined(masks: list[Residues]) -> Residues:
    """One vector of all; the parts are wiped where that made a copy of them."""
    if len(masks) == 1:
        return masks[0]
    whole = concatenate(masks)
    for part in masks:
        wipe(part)
    return whole


def wipe(masks: Residues) -> None:
    """Overwrite masks that were used. (gmpy2's integers, of the portable backend, are let go.)"""
    masks.data.fill(0)


@cache
def _pools() -> WeakSet[MaskPool]:
    pools: WeakSet[MaskPool] = WeakSet()

    def empty_all() -> None:
        for pool in list(pools):
            # The child's copies: memory of the parent stays as it is.
            for block in pool._blocks:
                wipe(block)
            pool._start_empty()

    os.register_at_fork(after_in_child=empty_all)
    return pools
