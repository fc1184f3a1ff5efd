# SPDX-License-Identifier: Apache-2.0
"""The benchmark of the online query runs, between real processes over TLS, and its answers hold."""

from __future__ import annotations

import json

from benchmarks.__main__ import main


def test_query(tmp_path, capsys):
    path = tmp_path / "query.json"
    arguments = ["query", "--log2n", "6", "--singles", "3", "--batch", "20", "--repeat", "2"]
    main([*arguments, "--links", "tls", "--json", str(path)])
    records = {record["benchmark"]: record for record in json.loads(path.read_text())}
    assert set(records) == {f"query.{n}" for n in ("prepare", "fetch", "single", "batch", "rate")}
    assert all(record["checked"] for record in records.values())
    assert records["query.single"]["rounds"] == 1
    assert all(record["floor"]["ratio"] > 0 for record in records.values())
    assert records["query.single"]["bytes"] < 400 < records["query.batch"]["bytes"]
    assert "query.single" in capsys.readouterr().out
