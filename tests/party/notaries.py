# SPDX-License-Identifier: Apache-2.0
"""A sixth party beside those of the demo, which deals."""

from __future__ import annotations

from pathlib import Path

from mpc.cli import demo, processes
from mpc.net import tls

NOTARY = "notary"


def add_notary(folder: Path) -> None:
    """Make its key and file, and make it known to all."""
    certificate = tls.make_identity(NOTARY, folder / NOTARY).certificate_pem
    (port,) = processes.free_ports(1)
    lines = [f'name = "{NOTARY}"', f'listen = "127.0.0.1:{port}"']
    lines += [f'key = "{NOTARY}.key"', f'certificate = "{NOTARY}.crt"', ""]
    for name in demo.PARTIES:
        lines += [f"[peers.{name}]", f'certificate = "../{name}/{name}.crt"', ""]
        (folder / name / f"{NOTARY}.crt").write_bytes(certificate)
        known = f'[peers.{NOTARY}]\ncertificate = "{NOTARY}.crt"\naddress = "127.0.0.1:{port}"\n'
        party = folder / name / "party.toml"
        party.write_text(party.read_text() + known)
    (folder / NOTARY / "party.toml").write_text("\n".join([*lines, "[jobs.deal]", ""]))


def dealt(folder: Path, kind: str, *lines: str) -> Path:
    """Let the job file of this kind name the notary; ``lines`` come before its tables too."""
    job = folder / f"{kind}.toml"
    said = ['source = "dealer"', f'dealer = "{NOTARY}"', *lines, ""]
    job.write_text("\n".join(said) + job.read_text())
    return job
