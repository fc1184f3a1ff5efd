# SPDX-License-Identifier: Apache-2.0
"""The benchmarks of intersections and of the store run, between real processes over TLS."""

from __future__ import annotations

import json

from benchmarks.__main__ import main


def records(arguments, path):
    main([*arguments, "--json", str(path)])
    return json.loads(path.read_text())


def test_psi(tmp_path, capsys):
    arguments = ["psi", "--log2n", "9", "--links", "tls,shaped", "--unbalanced", "20"]
    found = records([*arguments, "--repeat", "1"], tmp_path / "psi.json")
    walls = [record for record in found if record["benchmark"] == "psi.wall"]
    assert len(walls) == 12
    assert all(record["checked"] for record in found)
    by_form = {r["params"]["form"]: r["bytes"] for r in walls if r["params"]["x"] == 512}
    assert by_form["hashes"] < by_form["semi-honest"] < by_form["malicious"]
    stages = {r["params"]["stage"] for r in found if r["benchmark"] == "psi.stage"}
    assert stages == {"hash", "okvs", "vole", "transfer", "tags", "match"}
    assert "psi.wall" in capsys.readouterr().out


def test_okvs(tmp_path, capsys):
    found = records(["okvs", "--log2n", "8", "--repeat", "1"], tmp_path / "okvs.json")
    assert {record["benchmark"] for record in found} == {"okvs.rows", "okvs.encode", "okvs.decode"}
    assert all(record["checked"] for record in found)
    assert "ns/key" in capsys.readouterr().out
