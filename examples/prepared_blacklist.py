# SPDX-License-Identifier: Apache-2.0
"""A lender prepares its blacklist once; a bank fetches it, and asks for one applicant at a time.

    python examples/prepared_blacklist.py

Two processes meet on loopback over gRPC with mutual TLS. The lender's file says nothing to who only
has it: each id that the bank looks up takes one answer of the lender's, which proves that it used
the key of the list, sees nothing of the id, and counts against a limit. A label (the reason, the
date) opens for an id that is listed. Then the lender adds a company and clears another, and at its
next visit the bank fetches only what changed.
"""

from __future__ import annotations

import multiprocessing
import secrets
import socket
import sys
import tempfile
from pathlib import Path
from typing import Any

from mpc.net import tls
from mpc.net.session import Session
from mpc.primitives import prepared
from mpc.primitives.prepared import HolderKey, Pin
from mpc.protocols import query

NAME = "blacklist"
REASONS = {
    "914403001922038216": "fraud, 2026-03-02",
    "9133010079965853XX": "insolvent, 2025-11-17",
    "91350100M000100Y43": "arrears, 2026-08-30",
}
APPLICANTS = ["91350100M000100Y43", "91310000MA1FL1FC3F", "914403001922038216"]
LIMITS = query.Limits(rate=20, burst=100, total=10_000)
VISITS = 2


def lender(folder: Path, address: str, passphrase: str) -> None:
    """Prepares, answers one visit of the bank after the other, and updates the list in between."""
    key = HolderKey.load(folder / "holder.key", passphrase)
    where = folder / "list"
    ids, reasons = list(REASONS), list(REASONS.values())
    prepared.prepare(where, key, NAME, ids, labels=reasons, room=24, queries=1000)
    config = party("lender", folder, peer="bank") | {"listen": address}
    with query.Gate(LIMITS, query.CounterFile(folder / "evaluations.json")) as gate:
        for visit in range(VISITS):
            with Session.open(config, session_id=str(visit)) as session:
                served = query.holder(session.peer("bank"), key, where, name=NAME, gate=gate)
            print(f"lender: the bank looked up {served.evaluations} ids", flush=True)
            if not visit:
                new, reason = ["91310000MA1FL1FC3F"], ["fraud, 2026-11-24"]
                prepared.update(where, key, NAME, add=new, labels=reason, remove=ids[2:])


def bank(folder: Path, address: str, pin: Pin) -> None:
    """Fetches the list, or what changed of it, and asks for each applicant by itself."""
    config = party("bank", folder, peer="lender")
    config["peers"]["lender"]["address"] = address
    for visit in range(VISITS):
        with Session.open(config, session_id=str(visit)) as session:
            channel = session.peer("lender")
            copy = query.fetch(channel, folder / "copy", pin)
            for applicant in APPLICANTS:
                (label,) = query.asker(channel, copy, [applicant]).labels
                said = "is not listed" if label is None else f"is listed: {label.decode()}"
                print(f"bank: {applicant} {said} (version {copy.version})", flush=True)
            query.end(channel)


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
    key, passphrase = HolderKey.generate(), secrets.token_urlsafe()
    with tempfile.TemporaryDirectory() as path:
        folder = Path(path)
        key.save(folder / "holder.key", passphrase)
        for name in ("bank", "lender"):
            tls.make_identity(name, folder)
        start = multiprocessing.get_context("spawn").Process
        parties = [
            start(target=lender, args=(folder, address, passphrase)),
            # What a bank pins comes to it by another way, as the certificates do.
            start(target=bank, args=(folder, address, key.pin(NAME))),
        ]
        for process in parties:
            process.start()
        for process in parties:
            process.join()
    return max(abs(process.exitcode or 0) for process in parties)


if __name__ == "__main__":
    sys.exit(main())
