# SPDX-License-Identifier: Apache-2.0
"""What ``check`` holds: small pieces of the hot paths, each beside a floor.

Each runs on one thread, and what counts is this thread's CPU time, in turns with the floor's: other
load on the machine costs both alike, or neither. On two cores with a load of eleven, ratios of
several runs were within 2 to 10 % of each other; whole protocols, whose parts wait for each other,
are not steady enough for a check. A floor computes rather than copies wherever it can, since the
memory is shared with all that runs. And all gates are measured in turns: while another machine
works on the other half of the same core, Python and NumPy take up to twice as long where AES takes
a tenth more, for some seconds, and then a few turns of each gate are slow and its median is not.

A gate is added to ``GATES``, and then ``python -m benchmarks baseline`` writes what it is held to.
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import gmpy2
import numpy as np

from mpc import kernels
from mpc.kernels import aes, bigint, bits, gf128, hashing, ring, ristretto
from mpc.net import columns
from mpc.net.channel import Channel
from mpc.net.memory import pair
from mpc.pb.v1.columns_pb2 import Column
from mpc.primitives import cuckoo, lpn, paillier, puncturable
from mpc.primitives.items import Items
from mpc.primitives.okvs import Parameters, Rows
from mpc.primitives.switches import Network
from mpc.testing import seeded

from ..record import middle
from . import floors
from .timing import Work, error, rounds, seconds_each, spending

TURNS = 9
SECONDS = 1.5  # on a gate, when its spread is wide
_BITS = 1024
_KEY_BITS = 2048


@dataclass(frozen=True, slots=True)
class Gate:
    """Ours and the floor: both do something of which the time may be compared."""

    floor_name: str
    ours: Work
    floor: Work


@dataclass(frozen=True, slots=True)
class Measured:
    """Ours over the floor, a time over a time; and the relative error of that, as measured."""

    floor: str
    ratio: float
    noise: float


def measure(names: Sequence[str]) -> dict[str, Measured]:
    """Measure these gates, in this process and on one thread."""
    with kernels.use(threads=1), spending(SECONDS):
        gates = {name: {**GATES, **MACHINE}[name]() for name in names}
        ratios: dict[str, list[float]] = {name: [] for name in names}
        for name in rounds({name: {"": held} for name, held in ratios.items()}, at_least=TURNS):
            ratios[name].append(_ratio(gates[name], len(ratios[name])))
        return {
            name: Measured(gate.floor_name, middle(ratios[name])[0], error(ratios[name]))
            for name, gate in gates.items()
        }


def _ratio(gate: Gate, turn: int) -> float:
    order = (gate.ours, gate.floor) if turn % 2 else (gate.floor, gate.ours)
    times: dict[int, float] = {}
    for work in order:
        work.run()  # what the other gates have put out of the caches comes back
        times[id(work)] = seconds_each(work, time.thread_time)
    return times[id(gate.ours)] / times[id(gate.floor)]


def _residues(count: int) -> tuple[Any, Any]:
    rng = random.Random(_BITS)
    n = int(gmpy2.next_prime(rng.getrandbits(_BITS) | 1 << (_BITS - 1)))
    modulus = bigint.modulo(n)
    return modulus, modulus.encode([rng.randrange(n) for _ in range(count)])


def _product() -> Gate:
    modulus, x = _residues(512)
    return Gate("gmp.product", Work(lambda: modulus.mul(x, x), 512), floors.gmp_product(_BITS))


def _power() -> Gate:
    modulus, x = _residues(16)
    exponent = (1 << _BITS) - 1
    floor = floors.gmp_power(_BITS, _BITS, 8)
    return Gate("gmp.power", Work(lambda: modulus.power(x, exponent), 16), floor)


def _multiexp() -> Gate:
    modulus, x = _residues(256)
    scalars = np.random.default_rng(1).integers(-(1 << 31), 1 << 31, (1, 256))
    floor = floors.gmp_power(_BITS, 32, 64)
    return Gate("gmp.power", Work(lambda: modulus.multiexp(x, scalars), 256), floor)


def _key() -> tuple[paillier.SecretKey, paillier.PublicKey]:
    return paillier.keygen(_KEY_BITS, rng=seeded("gates"))


def _encrypt() -> Gate:
    _, public = _key()
    values = np.arange(128)  # fewer would take as long as memory does to give the table
    floor = floors.gmp_power(2 * _KEY_BITS, _KEY_BITS)
    return Gate("gmp.power", Work(lambda: public.encrypt(values), len(values)), floor)


def _decrypt() -> Gate:
    secret, public = _key()
    held = public.encrypt(np.arange(16))
    floor = floors.gmp_power(_KEY_BITS, _KEY_BITS, 2)
    return Gate("gmp.power", Work(lambda: secret.decrypt(held), 16), floor)


def _pack() -> Gate:
    _, public = _key()
    packing = public.packing(value_bits=32)
    values = np.random.default_rng(2).integers(0, 1 << 32, 64 * packing.slots)
    return Gate("sha256", Work(lambda: packing.pack(values), len(values)), floors.sha256())


def _points(count: int) -> tuple[Any, Any]:
    items = Items.of([f"{i:018d}" for i in range(count)])
    return items, ristretto.expand(items.data, items.offsets, b"mpc:v1:gates")


def _group_product() -> Gate:
    count = 256 if kernels.backend() == "simd" else 4
    points = ristretto.one_way_map(_points(count)[1])
    scalars = np.frombuffer(seeded("gates").bytes(32), "<u8").reshape(1, 4).copy()
    scalars[:, 3] >>= np.uint64(4)
    work = Work(lambda: ristretto.mul(points, scalars), count)
    return Gate("gmp.product", work, floors.gmp_product(255))


def _hash_to_group() -> Gate:
    count = 512 if kernels.backend() == "simd" else 16
    uniform = _points(count)[1]
    work = Work(lambda: ristretto.one_way_map(uniform), count)
    return Gate("gmp.product", work, floors.gmp_product(255))


def _counter() -> Gate:
    keys, blocks = aes.schedule(bytes(16)), 1 << 16
    return Gate("aes", Work(lambda: aes.counter(keys, blocks), blocks), floors.aes())


def _trees() -> Gate:
    roots = np.zeros((16, 2), np.uint64)
    work = Work(lambda: puncturable.grow(roots, 256, bytes(16)), 16 * 256)
    return Gate("aes", work, floors.aes())


def _code() -> Gate:
    noise = lpn.noise(4096, 128)
    shares = np.ones((noise.length, 2), np.uint64)
    work = Work(lambda: lpn.compress(shares, noise.outputs, bytes(16)), noise.outputs)
    return Gate("aes", work, floors.aes())


def _field() -> Gate:
    x = np.frombuffer(seeded("gates").bytes(1 << 18), np.uint64).reshape(-1, 2)
    return Gate("aes", Work(lambda: gf128.multiply(x, x), len(x)), floors.aes())


def _digests() -> Gate:
    items = Items.of([f"{i:018d}" for i in range(4096)])
    work = Work(lambda: hashing.digests(items.data, items.offsets, key=bytes(16)), 4096)
    return Gate("sha256", work, floors.sha256())


def _store(part: str) -> Gate:
    count = 4096
    keys = np.frombuffer(seeded("gates").bytes(16 * count), np.uint64).reshape(-1, 2)
    rows = Rows.of(keys, bytes(16), Parameters.of(count))
    store = rows.encode(keys)
    runs: Mapping[str, Callable[[], Any]] = {
        "encode": partial(rows.encode, keys),
        "decode": partial(rows.decode, store),
    }
    return Gate("sha256", Work(runs[part], count), floors.sha256())


def _ring_product() -> Gate:
    x = np.frombuffer(seeded("gates").bytes(8 << 16), np.uint64).reshape(256, 256)
    return Gate("aes", Work(lambda: ring.matmul(x, x), 256**3), floors.aes())


def _step(step: Callable[..., Any]) -> Gate:
    """What a product of shares takes once its masked factors are open."""
    # Few enough that five arrays and the result stay in the caches; drawn in place, since what is
    # read-only would be copied first.
    arrays = np.random.default_rng(4).integers(0, 1 << 64, (5, 1 << 14), np.uint64)
    work = Work(lambda: step(*arrays, leads=True), arrays.shape[1])
    return Gate("aes", work, floors.aes())


def _network(part: str) -> Gate:
    network = Network(1024)
    sources = np.random.default_rng(3).permutation(network.size)
    settings = network.route(sources)
    words = np.frombuffer(seeded("gates").bytes(16 * network.size), np.uint64).reshape(-1, 2)
    flags = (words[:, 0] & np.uint64(1)).astype(np.uint8)

    def through() -> None:
        held, marks = words, flags
        for layer, chosen in zip(network.layers(), settings, strict=True):
            apart, unlike = layer.differences(held, marks)
            held, marks = layer.switch(held, marks, chosen[:, None] * apart, chosen & unlike)

    runs: Mapping[str, Callable[[], Any]] = {
        "route": partial(network.route, sources),
        "switch": through,
    }
    return Gate("aes", Work(runs[part], network.switches()), floors.aes())


def _table() -> Gate:
    keys = np.frombuffer(seeded("gates").bytes(32 << 12), np.uint64).reshape(-1, 4)
    # The same seed each time, since the work depends on it.
    work = Work(lambda: cuckoo.Table.of(keys, seeded("gates")), len(keys))
    return Gate("sha256", work, floors.sha256())


def _planes() -> Gate:
    x = np.frombuffer(seeded("gates").bytes(8 << 16), np.uint64)
    return Gate("aes", Work(lambda: bits.planes(x), len(x)), floors.aes())


def _message() -> Gate:
    near, far = (Channel(link) for link in pair())
    # Above this size the allocator may give memory back each time, or not, by what was held before:
    # a megabyte took ten times as long in one process as in another.
    array = np.ones((1 << 12, 16), np.uint8)

    def pass_on() -> None:
        near.send(Column(**columns.pack(array)))
        columns.unpack(far.recv(Column), width=16, peer=far.peer)

    return Gate("copy", Work(pass_on, array.size), floors.copy())


GATES: dict[str, Callable[[], Gate]] = {
    "bigint.product": _product,
    "bigint.power": _power,
    "bigint.multiexp": _multiexp,
    "paillier.encrypt": _encrypt,
    "paillier.decrypt": _decrypt,
    "paillier.pack": _pack,
    "ristretto.mul": _group_product,
    "ristretto.hash": _hash_to_group,
    "aes.counter": _counter,
    "vole.trees": _trees,
    "vole.code": _code,
    "gf128.multiply": _field,
    "hashing.digests": _digests,
    "okvs.encode": partial(_store, "encode"),
    "okvs.decode": partial(_store, "decode"),
    "ring.matmul": _ring_product,
    "ring.beaver": partial(_step, ring.beaver),
    "bits.and_step": partial(_step, bits.and_step),
    "bits.planes": _planes,
    "switches.route": partial(_network, "route"),
    "switches.switch": partial(_network, "switch"),
    "cuckoo.table": _table,
    "channel.message": _message,
}


MACHINE: dict[str, Callable[[], Gate]] = {
    "machine.memory": lambda: Gate("aes", floors.copy(), floors.aes()),
    "machine.python": lambda: Gate("aes", floors.python(), floors.aes()),
}
"""Nothing of ours, and not gates: how long memory and the interpreter take beside arithmetic.

Caches and memory are shared with all that runs, and the front of a core with whoever has its other
half: when others use them this goes up, and the ratios of what reads tables, or makes many small
calls, with it.
"""


def main(core: str, *names: str) -> None:
    """Measure the gates that are named on this core, and print what was found as JSON."""
    os.sched_setaffinity(0, {int(core)})
    print(json.dumps({name: asdict(found) for name, found in measure(names).items()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
