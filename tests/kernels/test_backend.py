# SPDX-License-Identifier: Apache-2.0
"""Which backend runs, how that is asked for, and what its start costs."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import numpy as np
import pytest

from mpc import kernels
from mpc.errors import ConfigError
from mpc.kernels import bigint

N = (1 << 512) - 569  # The largest 512-bit prime.


@pytest.fixture
def environment(monkeypatch):
    monkeypatch.delenv("MPC_KERNELS", raising=False)
    monkeypatch.delenv("MPC_THREADS", raising=False)
    forget()
    yield monkeypatch
    monkeypatch.undo()
    forget()


def forget():
    for known in (kernels._default, kernels._default_threads, kernels._simd_fault, kernels.wide):
        known.cache_clear()
    kernels.features.cache_clear()


def of(ring):
    return type(ring.arithmetic).__module__.rsplit(".", 1)[-1]


def without(*features):
    from llvmlite import binding

    found = dict(binding.get_host_cpu_features())
    return lambda: {**found, **dict.fromkeys(features, False)}


def test_environment_chooses(environment):
    environment.setenv("MPC_KERNELS", "portable")
    assert kernels.backend() == "portable"
    assert of(bigint.modulo(N)) == "portable"


def test_unknown_backend_is_an_error(environment):
    environment.setenv("MPC_KERNELS", "gpu")
    with pytest.raises(ConfigError, match=r"MPC_KERNELS .* not 'gpu'"):
        kernels.backend()
    with pytest.raises(ConfigError, match="use"), kernels.use("fast"):
        pass


def test_auto_falls_back_without_the_instructions(environment):
    environment.setattr("llvmlite.binding.get_host_cpu_features", without("avx2"))
    assert kernels.backend() == "portable"
    environment.setenv("MPC_KERNELS", "simd")
    forget()
    with pytest.raises(ConfigError, match="avx2"):
        kernels.backend()


def test_lanes_are_pairs_of_registers_without_ifma(environment):
    environment.setattr("llvmlite.binding.get_host_cpu_features", without("avx512ifma"))
    assert not kernels.wide()


def test_numba_may_be_held_to_fewer_instructions(environment):
    environment.setenv("NUMBA_CPU_FEATURES", "+avx2,+fma,-avx512f")
    assert kernels.features() == {"avx2", "fma"}
    assert kernels.backend() == "simd"
    assert not kernels.wide()


def test_auto_falls_back_without_a_compiler(environment):
    environment.setenv("NUMBA_DISABLE_JIT", "1")
    assert kernels.backend() == "portable"
    forget()
    environment.delenv("NUMBA_DISABLE_JIT")
    environment.setitem(sys.modules, "llvmlite", None)
    assert kernels.backend() == "portable"


def test_use_nests_and_reaches_threads(environment):
    environment.setenv("MPC_KERNELS", "portable")
    seen = []
    with kernels.use("portable", threads=3):
        with kernels.use(threads=2):
            thread = threading.Thread(target=lambda: seen.append(kernels.threads()))
            thread.start()
            thread.join()
        seen.append(kernels.threads())
        assert kernels.backend() == "portable"
    assert seen == [2, 3]


def test_use_ends_with_its_block(environment):
    before = kernels.backend()
    with pytest.raises(ZeroDivisionError), kernels.use("portable"):
        raise ZeroDivisionError
    assert kernels.backend() == before


def test_threads(environment):
    assert kernels.threads() == len(os.sched_getaffinity(0))
    environment.setenv("MPC_THREADS", "5")
    forget()
    assert kernels.threads() == 5
    for wrong in ("0", "-1", "many", ""):
        environment.setenv("MPC_THREADS", wrong)
        forget()
        with pytest.raises(ConfigError, match="MPC_THREADS"):
            kernels.threads()
    with pytest.raises(ConfigError, match="at least 1"), kernels.use(threads=0):
        pass


def test_a_ring_keeps_its_backend(environment):
    with kernels.use("portable"):
        ring = bigint.modulo(N)
    assert ring.decode(ring.mul(ring.encode([2, 3]), ring.encode([5, 7]))) == [10, 21]
    assert of(ring) == "portable"


def run(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_importing_loads_no_compiler():
    code = (
        "import sys, mpc, mpc.kernels, mpc.kernels.bigint;"
        "sys.exit('numba' in sys.modules or 'llvmlite' in sys.modules)"
    )
    assert run(code).returncode == 0


def test_portable_loads_no_compiler():
    code = (
        "import sys; from mpc.kernels import bigint;"
        f"r = bigint.modulo({N}); r.power(r.encode([3]), 5);"
        "sys.exit('numba' in sys.modules)"
    )
    assert run(code, MPC_KERNELS="portable").returncode == 0


@pytest.mark.skipif(kernels.backend() != "simd", reason="no simd kernels here")
def test_compiling_is_said_once_and_kept_on_disk(tmp_path):
    code = (
        "from mpc.kernels import bigint;"
        f"r = bigint.modulo({N}); print(r.decode(r.square(r.encode([3]))))"
    )
    first = run(code, NUMBA_CACHE_DIR=str(tmp_path), MPC_KERNELS="simd")
    second = run(code, NUMBA_CACHE_DIR=str(tmp_path), MPC_KERNELS="simd")
    assert first.stdout == second.stdout == "[9]\n"
    assert first.stderr.count("compiling kernels for this CPU") == 1
    assert "a minute for all" in first.stderr
    assert "compiling" not in second.stderr


@pytest.mark.skipif(kernels.backend() != "simd", reason="no simd kernels here")
def test_threads_give_what_one_gives(monkeypatch):
    from mpc.kernels import helpers

    monkeypatch.setattr(helpers, "LEAST_SECONDS", 1e-12)
    values = [(i * N // 97 + i) % N for i in range(67)]
    exponents = np.arange(67 * 4, dtype=np.uint8).reshape(67, 4)
    for threads in (1, 2, 3, 8, 50):
        with kernels.use("simd", threads=threads):
            ring = bigint.modulo(N)
            powers = ring.power(ring.encode(values), exponents)
            assert ring.decode(powers) == [
                pow(value, int.from_bytes(exponent, "little"), N)
                for value, exponent in zip(values, exponents, strict=True)
            ]


@pytest.mark.skipif(kernels.backend() != "simd", reason="no simd kernels here")
def test_works_on_both_sides_of_a_fork():
    code = f"""
import os
from mpc import kernels
from mpc.kernels import bigint, helpers
helpers.LEAST_SECONDS = 1e-12
with kernels.use("simd", threads=2):
    ring = bigint.modulo({N})
    x = ring.encode(range(64))
    ring.square(x)
    child = os.fork()
    good = ring.decode(ring.square(x)) == [v * v for v in range(64)]
    if child == 0:
        os._exit(0 if good else 1)
    assert good and os.waitpid(child, 0)[1] == 0
"""
    done = run(code)
    assert done.returncode == 0, done.stderr
