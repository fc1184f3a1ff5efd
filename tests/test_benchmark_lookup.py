# SPDX-License-Identifier: Apache-2.0
"""The benchmark of private lookup runs, between real processes over TLS."""

from __future__ import annotations

import json

from benchmarks.__main__ import main


def test_lookup(tmp_path, capsys):
    path = tmp_path / "lookup.json"
    main(
        [
            "lookup",
            "--sizes",
            "40x90x2,30x30x0",
            "--value-bytes",
            "8,2",
            "--repeat",
            "1",
            "--seconds",
            "0",
            "--json",
            str(path),
        ]
    )
    found = json.loads(path.read_text())
    assert all(record["checked"] for record in found)
    walls = [record for record in found if record["benchmark"] == "lookup.wall"]
    params = [wall["params"] for wall in walls]
    assert [(p["keys"], p["order"], p.get("value_bytes", 8)) for p in params] == [
        (40, "keys", 8),
        (40, "keys", 2),
        (40, "table", 8),
        (40, "table", 2),
        (30, "keys", 8),
        (30, "table", 8),
    ]
    assert walls[0]["bytes"] > walls[2]["bytes"]
    assert walls[0]["bytes"] > walls[1]["bytes"]
    assert {wall["floor"]["name"] for wall in walls} == {"exchange"}
    stages = {r["params"]["stage"] for r in found if r["benchmark"] == "lookup.stage"}
    assert stages == {"layout", "bases", "programmed", "equality", "order", "selection"}
    assert "lookup.key" in capsys.readouterr().out
