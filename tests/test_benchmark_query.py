# SPDX-License-Identifier: Apache-2.0
"""The benchmark of the online query runs, between real processes over TLS, and its answers hold."""

from __future__ import annotations

import json

from benchmarks.__main__ import main


def test_large_lists_are_not_fetched_over_shaped_links(tmp_path):
    path = tmp_path / "query.json"
    asked = ["query", "--log2n", "4,6", "--shaped-most", "16", "--singles", "3", "--batch", "4"]
    asked += ["--links", "tls,lan", "--repeat", "1", "--seconds", "0", "--json", str(path)]
    assert main(asked) == 0
    found = [record for record in json.loads(path.read_text()) if "link" in record["params"]]
    where = {(record["params"]["link"], record["params"]["entries"]) for record in found}
    assert where == {("tls", 16), ("tls", 64), ("lan", 16)}


def test_query(tmp_path, capsys):
    path = tmp_path / "query.json"
    arguments = ["query", "--log2n", "6", "--singles", "3", "--batch", "20", "--repeat", "2"]
    main([*arguments, "--links", "tls", "--seconds", "0", "--json", str(path)])
    found = json.loads(path.read_text())
    stages = [record["params"] for record in found if record["benchmark"] == "query.stage"]
    records = {r["benchmark"]: r for r in found if "stage" not in r["params"]}
    assert set(records) == {f"query.{n}" for n in ("prepare", "fetch", "single", "batch", "rate")}
    assert all(record["checked"] for record in records.values())
    assert records["query.single"]["rounds"] == 2
    assert all(record["floor"]["ratio"] > 0 for record in records.values())
    assert records["query.single"]["bytes"] < 400 < records["query.batch"]["bytes"]
    of = {call: {s["stage"] for s in stages if s["of"] == call} for call in ("fetch", "single")}
    asked = {"mask", "ahead", "answer", "finalize", "look_up"}
    assert of == {"fetch": {"offer", "transfer"}, "single": asked}
    assert "query.single" in capsys.readouterr().out
