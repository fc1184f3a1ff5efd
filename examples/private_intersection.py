# SPDX-License-Identifier: Apache-2.0
"""A bank learns which of its applicants a lender has on its blacklist, from another process.

    python examples/private_intersection.py

Two processes, each with a key of its own, meet on loopback over gRPC with mutual TLS. The bank sees
its own applicants that are listed and how long the list is; the lender sees how many applicants
there are, and nothing of who they are. Between institutions the same two functions run on two
machines, and only the addresses and the paths of the certificates change.
"""

from __future__ import annotations

import multiprocessing
import socket
import sys
import tempfile
from pathlib import Path
from typing import Any

from mpc.net import tls
from mpc.net.session import Session
from mpc.protocols import psi_dh

APPLICANTS = [
    "91350100M000100Y43",
    "91110108551385082Q",
    "914403001922038216",
    "91310000MA1FL1FC3F",
]
BLACKLIST = ["914403001922038216", "9133010079965853XX", "91350100M000100Y43"]


def bank(folder: Path, address: str) -> None:
    """Listens, and asks."""
    config = party("bank", folder, peer="lender") | {"listen": address}
    with Session.open(config, parameters={"kind": "blacklist check"}) as session:
        rows = psi_dh.receiver(session.peer("lender"), APPLICANTS)
        sent = session.traffic("lender").sent_bytes
    print(f"bank: listed are {[APPLICANTS[row] for row in rows]}; sent {sent} bytes", flush=True)


def lender(folder: Path, address: str) -> None:
    """Dials, and answers."""
    config = party("lender", folder, peer="bank")
    config["peers"]["bank"]["address"] = address
    with Session.open(config, parameters={"kind": "blacklist check"}) as session:
        count = psi_dh.sender(session.peer("bank"), BLACKLIST)
    print(f"lender: the bank asked about {count} applicants", flush=True)


def party(name: str, folder: Path, *, peer: str) -> dict[str, Any]:
    """What stands in a party's TOML file."""
    return {
        "name": name,
        "key": str(folder / f"{name}.key"),
        "certificate": str(folder / f"{name}.crt"),
        "peers": {peer: {"certificate": str(folder / f"{peer}.crt")}},
    }


def main() -> int:
    """Make keys as ``mpc init`` does, and start both parties."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    with tempfile.TemporaryDirectory() as path:
        folder = Path(path)
        for name in ("bank", "lender"):
            tls.make_identity(name, folder)
        start = multiprocessing.get_context("spawn").Process
        parties = [start(target=role, args=(folder, address)) for role in (bank, lender)]
        for process in parties:
            process.start()
        for process in parties:
            process.join()
    return max(abs(process.exitcode or 0) for process in parties)


if __name__ == "__main__":
    sys.exit(main())
