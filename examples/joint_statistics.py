# SPDX-License-Identifier: Apache-2.0
"""A bank, a tax office and a power utility learn figures of companies that none of them may pool.

    python examples/joint_statistics.py

Three processes meet on loopback over gRPC with mutual TLS. Of the same 200 companies the bank knows
which are in arrears, the tax office how their turnover grew, and the utility how their consumption
did. All three learn how the two go together among the companies in arrears, and nobody learns which
companies those are. Then each brings how late its own customers pay, and all learn how late they
pay altogether. What would be a figure of fewer than ten companies is withheld from everyone.

The correlated randomness is made by the three of them, with no third party.
"""

from __future__ import annotations

import multiprocessing
import socket
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from mpc.errors import Withheld
from mpc.net import tls
from mpc.net.mesh import Mesh
from mpc.net.session import Session
from mpc.primitives.sharing import concatenate
from mpc.protocols import seeds, statistics
from mpc.protocols.statistics import Terms
from mpc.protocols.triples import vole

PARTIES = ("bank", "tax_office", "power_utility")
COMPANIES = 200
TERMS = Terms(rows=COMPANIES, bound=100.0, minimum=10)
DELAYS = [0, 10, 30, 60, 90]


def columns() -> dict[str, Any]:
    """What each party has of the same companies: made up here, so that a test can check figures."""
    rng = np.random.default_rng(7)
    turnover = np.clip(rng.normal(4, 10, COMPANIES), -60, 60)
    return {
        "bank": (turnover < 0).astype(np.uint8),  # in arrears
        "tax_office": turnover,
        "power_utility": np.clip(0.5 * turnover + rng.normal(0, 4, COMPANIES), -60, 60),
    }


def delays(name: str) -> Any:
    """How many days late a party's own customers pay, who are others than another party's."""
    rng = np.random.default_rng(PARTIES.index(name))
    return np.minimum(rng.exponential(25, (60, 1)), 90)


def party(name: str, folder: Path, addresses: dict[str, str]) -> None:
    """The same program at all three."""
    # The terms need not be among these: the parties compare them when they make a group.
    parameters = {"kind": "statistics"}
    with Session.open(config(name, folder, addresses), parameters=parameters) as session:
        mesh = session.mesh(PARTIES)
        for line in figures(mesh):
            # In one piece: three processes write to the same place.
            sys.stdout.write(f"{name}: {line}\n")
            sys.stdout.flush()


def figures(mesh: Mesh) -> list[str]:
    """The lines that a party prints."""
    common, triples = seeds.agree(mesh), vole.source(mesh)
    mine = columns()[mesh.me]
    shared = [
        statistics.column(
            common, mine if owner == mesh.me else None, owner=owner, rows=COMPANIES, terms=TERMS
        ).reshape(-1, 1)
        for owner in ("tax_office", "power_utility")
    ]
    flags = mine if mesh.me == "bank" else None
    late = common.share_bits(flags, owner="bank", count=COMPANIES)
    group = statistics.aligned(mesh, concatenate(shared, axis=1), TERMS, triples, kept=late)
    found = statistics.covariance(mesh, group, triples)
    assert found is not None, "the terms tell it to all"
    correlation = found[0, 1] / np.sqrt(found[0, 0] * found[1, 1])
    lines = [f"turnover and consumption of companies in arrears correlate by {correlation:.3f}"]

    pooled = statistics.pooled(mesh, common, delays(mesh.me), TERMS)
    bins = statistics.histogram(mesh, pooled, DELAYS, triples)
    assert bins is not None, "the terms tell it to all"
    for low, high, count, small in zip(
        DELAYS, DELAYS[1:], bins.counts, bins.withheld, strict=False
    ):
        lines.append(f"{low} to {high} days late: {'withheld' if small else count}")
    median = statistics.quantile(mesh, pooled, 0.5, triples)
    lines.append(f"half of the customers pay within {median:.1f} days")

    few = common.share_bits(
        mine * (np.arange(COMPANIES) < 15) if mesh.me == "bank" else None,
        owner="bank",
        count=COMPANIES,
    )
    small_group = statistics.aligned(mesh, shared[0], TERMS, triples, kept=few)
    try:
        statistics.mean(mesh, small_group, triples)
    except Withheld as reason:
        lines.append(f"mean turnover of some of them: withheld, {reason}")
    triples.close()
    return lines


def config(name: str, folder: Path, addresses: dict[str, str]) -> dict[str, Any]:
    """What stands in a party's TOML file: it listens, and dials those that come after it."""
    later = PARTIES[PARTIES.index(name) + 1 :]
    peers = {
        peer: {"certificate": str(folder / f"{peer}.crt")}
        | ({"address": addresses[peer]} if peer in later else {})
        for peer in PARTIES
        if peer != name
    }
    return {
        "name": name,
        "listen": addresses[name],
        "key": str(folder / f"{name}.key"),
        "certificate": str(folder / f"{name}.crt"),
        "peers": peers,
    }


def main() -> int:
    """Make keys as ``mpc init`` does, and start the three parties."""
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in PARTIES]
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    addresses = {name: f"127.0.0.1:{port}" for name, port in zip(PARTIES, ports, strict=True)}
    with tempfile.TemporaryDirectory() as path:
        folder = Path(path)
        for name in PARTIES:
            tls.make_identity(name, folder)
        start = multiprocessing.get_context("spawn").Process
        processes = [start(target=party, args=(name, folder, addresses)) for name in PARTIES]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
    return max(abs(process.exitcode or 0) for process in processes)


if __name__ == "__main__":
    sys.exit(main())
