# SPDX-License-Identifier: Apache-2.0
"""The hot loops, in two backends that give the same results.

``simd``      loops that numba compiles for eight 64-bit lanes: one register of AVX-512 with IFMA,
              or two of AVX2, where FMA on doubles stands in for the products of IFMA
``portable``  the readable reference on gmpy2, numpy and ``cryptography``; runs anywhere

The choice is made at first use: what :func:`use` asks for, else the environment variable
``MPC_KERNELS`` (``auto``, ``simd`` or ``portable``), else ``simd`` where the CPU and numba allow
it. An object made by a kernel module keeps the backend it was made under.

Batches of more than some hundredths of a millisecond are cut over threads, which look for more to
do for a millisecond and sleep for half a second before they end. They are as many as
:func:`threads` says: what :func:`use` asks for, else ``MPC_THREADS``, else one per CPU that this
process may run on.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache

from mpc.errors import ConfigError

BACKENDS = ("simd", "portable")


@dataclass(frozen=True, slots=True)
class _Asked:
    backend: str | None = None
    threads: int | None = None


# What ``use`` asks for, innermost last. Of the whole process rather than a context variable: tests
# run several parties as threads, and a context variable does not reach threads started in ``use``.
_asked = [_Asked()]


@contextmanager
def use(backend: str | None = None, *, threads: int | None = None) -> Iterator[None]:
    """Run the block under ``backend`` and with ``threads`` threads; None leaves a choice as it is.

    Holds for the whole process, so it is for tests, benchmarks and start-up code.
    """
    if backend is not None:
        _check(backend, "mpc.kernels.use")
    if threads is not None and threads < 1:
        raise ConfigError(f"mpc.kernels.use: threads is at least 1, not {threads}")
    _asked.append(_Asked(backend or _asked[-1].backend, threads or _asked[-1].threads))
    try:
        yield
    finally:
        _asked.pop()


def backend() -> str:
    """``"simd"`` or ``"portable"``: what objects made now will run on."""
    return _asked[-1].backend or _default()


@cache
def _default() -> str:
    """What the environment asks for, which is looked at once."""
    wanted = os.environ.get("MPC_KERNELS", "auto")
    if wanted == "auto":
        return "simd" if _simd_fault() is None else "portable"
    _check(wanted, "MPC_KERNELS")
    return wanted


def threads() -> int:
    """How many threads one batch may be cut over."""
    return _asked[-1].threads or _default_threads() or len(os.sched_getaffinity(0))


@cache
def _default_threads() -> int | None:
    """What the environment asks for, which is looked at once."""
    wanted = os.environ.get("MPC_THREADS")
    if wanted is None:
        return None
    if not wanted.isdecimal() or int(wanted) < 1:
        raise ConfigError(f"MPC_THREADS is a whole number of at least 1, not {wanted!r}")
    return int(wanted)


def _check(wanted: str, source: str) -> None:
    if wanted not in BACKENDS:
        raise ConfigError(f"{source} is auto, simd or portable, not {wanted!r}")
    if wanted == "simd" and (fault := _simd_fault()) is not None:
        raise ConfigError(f"{source} asks for simd kernels, but {fault}")


@cache
def _simd_fault() -> str | None:
    """Why the simd backend cannot run here, or None. Asks LLVM, which is what will compile it."""
    if os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0"):
        return "NUMBA_DISABLE_JIT is set"
    try:
        missing = sorted({"avx2", "fma"} - features())
    except (ImportError, OSError) as error:
        return f"llvmlite does not load ({error})"
    return f"the CPU lacks {', '.join(missing)}" if missing else None


@cache
def features() -> frozenset[str]:
    """What the CPU can do, in LLVM's words; or what ``NUMBA_CPU_FEATURES`` says numba may use."""
    told = os.environ.get("NUMBA_CPU_FEATURES")
    if told is not None:
        return frozenset(name[1:] for name in told.split(",") if name.startswith("+"))
    from llvmlite import binding

    return frozenset(name for name, has in binding.get_host_cpu_features().items() if has)


@cache
def wide() -> bool:
    """Whether the lanes are registers of AVX-512 with IFMA, rather than pairs of AVX2's."""
    return {"avx512f", "avx512dq", "avx512ifma"} <= features()
