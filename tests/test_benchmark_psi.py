# SPDX-License-Identifier: Apache-2.0
"""The benchmarks of intersections and of the store run, between real processes over TLS."""

from __future__ import annotations

import json

from benchmarks.__main__ import main


def records(arguments, path):
    main([*arguments, "--json", str(path)])
    return json.loads(path.read_text())


def test_psi(tmp_path, capsys):
    arguments = ["psi", "--log2n", "9", "--links", "tls", "--unbalanced", "20", "--repeat", "1"]
    found = records([*arguments, "--profile"], tmp_path / "psi.json")
    walls = [record for record in found if record["benchmark"] == "psi.wall"]
    assert len(walls) == 6
    assert all(record["checked"] for record in found)
    by_form = {r["params"]["form"]: r["bytes"] for r in walls if r["params"]["x"] == 512}
    assert by_form["hashes"] < by_form["semi-honest"] < by_form["malicious"]
    stages = [record for record in found if record["benchmark"] == "psi.stage"]
    names = {record["params"]["stage"] for record in stages}
    assert names == {"hash", "okvs", "vole", "transfer", "tags", "match"}
    assert all(record["peak_rss_mb"] >= 0 for record in stages)
    vole = [record["bytes"] for record in stages if record["params"]["stage"] == "vole"]
    assert min(vole) > 100_000
    shown = capsys.readouterr().out
    assert "psi.wall" in shown
    profile = shown[shown.index("psi x=512 y=512 form=malicious link=tls side=receiver") :]
    assert all(f"{name} " in profile for name in names)


def test_psi_over_a_shaped_link(tmp_path):
    arguments = ["psi", "--log2n", "6", "--links", "wan", "--security", "semi-honest"]
    found = records([*arguments, "--unbalanced", "0", "--repeat", "1"], tmp_path / "psi.json")
    (wall,) = [record for record in found if record["benchmark"] == "psi.wall"]
    assert wall["checked"]
    assert wall["median"] > wall["rounds"] * 0.05


def test_okvs(tmp_path, capsys):
    found = records(["okvs", "--log2n", "8", "--repeat", "1"], tmp_path / "okvs.json")
    assert {record["benchmark"] for record in found} == {"okvs.rows", "okvs.encode", "okvs.decode"}
    assert all(record["checked"] for record in found)
    assert "ns/key" in capsys.readouterr().out
