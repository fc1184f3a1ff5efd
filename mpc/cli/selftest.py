# SPDX-License-Identifier: Apache-2.0
"""``mpc selftest``: what this machine offers, and whether the library computes rightly on it."""

from __future__ import annotations

import platform
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from mpc import kernels
from mpc.cli import processes, show

# RFC 9496, appendix A.1: 3 times the generator.
THREE_TIMES_BASE = "94741f5d5d52755ece4f23f044ee27d5d1ea1e2bd196b462166b16152a9d0259"
# NIST AESAVS (GFSbox/VarTxt family), AES-256 of the zero block under the zero key.
AES_ZERO = "dc95c078a2408989ad48a21492842087"


@dataclass(frozen=True, slots=True)
class Result:
    """The outcome of one check; ``detail`` is what was found, or what went wrong."""

    name: str
    passed: bool
    detail: str
    seconds: float


class WrongAnswer(Exception):
    """A check computed something other than it should."""


def run(*, json_lines: bool) -> bool:
    """Run every check, print them, and say whether all passed."""
    results = []
    with show.stages("selftest") as notify:
        for name, check in CHECKS.items():
            notify(name)
            results.append(_outcome(name, check))
    if json_lines:
        show.as_json([asdict(result) for result in results])
    else:
        table = show.table("check", "", "found", "time>")
        for result in results:
            mark = "[green]ok[/]" if result.passed else "[bold red]FAILED[/]"
            table.add_row(result.name, mark, result.detail, f"{result.seconds:.2f} s")
        show.out.print(table)
    return all(result.passed for result in results)


def _outcome(name: str, check: Callable[[], str]) -> Result:
    begun = time.monotonic()
    try:
        passed, detail = True, check()
    except Exception as error:  # whatever it is, the other checks are still to run
        passed, detail = False, f"{type(error).__name__}: {error}"
    return Result(name, passed, detail, time.monotonic() - begun)


def _expect(found: object, expected: object) -> None:
    if found != expected:
        raise WrongAnswer(f"got {found}, expected {expected}")


def _machine() -> str:
    return f"{platform.machine()}, Python {platform.python_version()}, {kernels.threads()} threads"


def _backend() -> str:
    chosen = kernels.backend()
    if chosen == "simd":
        lanes = "AVX-512" if kernels.wide() else "AVX2; a CPU with AVX-512 IFMA is faster"
        return f"simd kernels on {lanes}; compiled for this CPU and kept on disk"
    return "portable kernels: right, and slower than on a CPU with AVX2 or AVX-512 IFMA"


def _randomness() -> str:
    from mpc.primitives.rng import SYSTEM, Prg

    _expect(Prg(bytes(32)).bytes(16).hex(), AES_ZERO)
    _expect(len({SYSTEM.bytes(32) for _ in range(64)}), 64)
    return "AES-256-CTR gives NIST's answer; the system's generator does not repeat"


def _ristretto() -> str:
    from mpc.primitives import ristretto

    encoded = ristretto.encode(ristretto.base(ristretto.scalars_of([3])))
    _expect(bytes(encoded[0]).hex(), THREE_TIMES_BASE)
    return "ristretto255 gives the answer of RFC 9496"


def _paillier() -> str:
    from mpc.primitives import paillier

    secret, public = paillier.keygen(2048)
    x = public.encrypt([3, -5, 7])
    _expect(secret.decrypt(x.dot([2, 4, -6])).tolist(), -56)
    _expect(paillier.PublicKey.from_bytes(public.to_bytes()).n, public.n)
    return "key made and proven, an encrypted dot product right (2048 bits)"


def _bigint() -> str:
    from mpc.kernels import bigint

    n = (1 << 2048) - 1942289
    numbers = [pow(3, 1000 + i, n) for i in range(9)]
    ring = bigint.modulo(n)
    found = ring.decode(ring.power(ring.encode(numbers), (1 << 256) + 12345))
    _expect(found, [pow(number, (1 << 256) + 12345, n) for number in numbers])
    return f"{len(numbers)} powers modulo 2048 bits equal Python's"


def _session() -> str:
    """Two parties of this process over loopback gRPC with mutual TLS, and an intersection."""
    from mpc.net import tls
    from mpc.net.session import Session
    from mpc.protocols import psi_dh

    with tempfile.TemporaryDirectory(prefix="mpc-selftest-") as name:
        folder = Path(name)
        made = {party: tls.make_identity(party, folder) for party in ("left", "right")}
        port = processes.free_ports(1)[0]

        def open_session(me: str, peer: str, **address: str) -> Session:
            return Session.open(
                {
                    "name": me,
                    "key": str(made[me].key_path),
                    "certificate": str(made[me].certificate_path),
                    "peers": {peer: {"certificate": str(made[peer].certificate_path), **address}},
                    **({} if address else {"listen": f"127.0.0.1:{port}"}),
                },
                session_id="selftest",
                wait=10,
            )

        def left() -> list[int]:
            with open_session("left", "right") as session:
                hits: list[int] = psi_dh.receiver(session.peer("right"), ["a", "b", "c"]).tolist()
                return hits

        def right() -> int:
            with open_session("right", "left", address=f"127.0.0.1:{port}") as session:
                return psi_dh.sender(session.peer("left"), ["c", "d", "a"])

        with ThreadPoolExecutor(2) as pool:
            hits, asked = pool.submit(left), pool.submit(right)
            _expect((hits.result(), asked.result()), ([0, 2], 3))
    return "two parties met over TLS 1.3 on loopback and intersected their sets"


CHECKS: dict[str, Callable[[], str]] = {
    "machine": _machine,
    "kernels": _backend,
    "randomness": _randomness,
    "big integers": _bigint,
    "ristretto255": _ristretto,
    "Paillier": _paillier,
    "loopback session": _session,
}
