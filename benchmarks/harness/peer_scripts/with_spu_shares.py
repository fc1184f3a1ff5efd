# SPDX-License-Identifier: Apache-2.0
"""SecretFlow SPU's semi2k on shares modulo 2^64, two processes over loopback TCP; semi-honest.

Inputs are shared before the clock starts and results stay shared. Party 0 makes the triples
(``TrustedFirstParty``, SPU's default), so it could undo the other's masks, and makes them while the
clock runs; ours are there before. Of a score the logit is computed, which ours opens besides.
"""

from __future__ import annotations

import multiprocessing
import random
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jax.numpy as jnp
import numpy as np
import spu
from answering import REPEAT, Measured, answer, middle
from spu import libspu
from spu.utils import frontend

LARGEST = 1 << 20
FRACTION_BITS = 18  # SPU's default in 64 bits
TOLERANCE = {"mul": 0.01, "matmul": 0.5, "score": 0.01, "less_than": 0.0}
SECRET = libspu.Visibility.VIS_SECRET
WORKS: dict[str, Callable[[Any, Any], Any]] = {
    "mul": lambda x, y: x * y,
    "less_than": lambda x, y: x < y,
    "matmul": jnp.matmul,
    "score": jnp.matmul,
}

Parts = tuple[bytes, list[bytes]]  # a share, as it goes between processes


def _asked(kind: str, params: Mapping[str, Any]) -> Measured | None:
    operation = "score" if kind == "scoring" else params["operation"]
    if operation not in WORKS or params.get("form", "prepared") != "prepared":
        return None
    x, y = _inputs(operation, params)
    if len(x) > LARGEST:
        return None
    io = spu.Io(2, _config())
    given = [[_parts(share) for share in io.make_shares(z, SECRET)] for z in (x, y)]
    context = multiprocessing.get_context("spawn")
    found: Any = context.Queue()
    port = random.randrange(20_000, 30_000)
    processes = [
        context.Process(
            target=_play,
            args=(operation, x.shape, y.shape, port, rank, [z[rank] for z in given], found),
        )
        for rank in range(2)
    ]
    for process in processes:
        process.start()
    try:
        results = dict(found.get(timeout=300) for _ in processes)
    finally:
        for process in processes:
            process.kill()
            process.join()
    plain = io.reconstruct([_share(results[rank][1]) for rank in range(2)])
    error = np.abs(plain.astype(float) - WORKS[operation](x.astype(float), y.astype(float)))
    return "s", *middle(results[0][0]), bool(error.max() <= TOLERANCE[operation])


def _inputs(operation: str, params: Mapping[str, Any]) -> tuple[Any, Any]:
    draw = np.random.default_rng(1)
    if operation == "score":
        sizes: Any = (params["rows"], params["features"]), params["features"]
    else:
        size = params["size"]
        sizes = [(size, size) if operation == "matmul" else size] * 2
    return tuple(
        draw.normal(0, 10 / (1 + 9 * (operation == "score")), size).astype(np.float32)
        for size in sizes
    )


def _config() -> Any:
    return libspu.RuntimeConfig(
        protocol=libspu.ProtocolKind.SEMI2K,
        field=libspu.FieldType.FM64,
        fxp_fraction_bits=FRACTION_BITS,
    )


def _parts(share: Any) -> Parts:
    return share.meta, list(share.share_chunks)


def _share(parts: Parts) -> Any:
    share = libspu.Share()
    share.meta, share.share_chunks = parts
    return share


def _play(
    operation: str, x: Any, y: Any, port: int, rank: int, given: list[Parts], found: Any
) -> None:
    """One party, on inputs of these shapes."""
    parties = libspu.link.Desc()
    for number in range(2):
        parties.add_party(f"party{number}", f"127.0.0.1:{port + number}")
    runtime = spu.Runtime(libspu.link.create_brpc(parties, rank), _config())
    plain = [np.zeros(shape, np.float32) for shape in (x, y)]
    executable, _ = frontend.compile(
        frontend.Kind.JAX, WORKS[operation], plain, {}, ["x", "y"], [SECRET] * 2, lambda _: ["z"]
    )
    for name, parts in zip(("x", "y"), given, strict=True):
        runtime.set_var(name, _share(parts))
    seconds = []
    for _ in range(REPEAT + 1):
        begun = time.perf_counter()
        runtime.run(executable)
        seconds.append(time.perf_counter() - begun)
    found.put((rank, (seconds[1:], _parts(runtime.get_var("z")))))
    time.sleep(5)  # until both have told: the parent ends this process


if __name__ == "__main__":
    answer({f"{kind}.wall": partial(_asked, kind) for kind in ("computing", "scoring")})
