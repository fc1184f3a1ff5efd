# SPDX-License-Identifier: Apache-2.0
"""The report: one HTML file that needs nothing else, with the pictures and every figure in it."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ..record import Record, quantity, read_json, write_json
from . import catalog, pictures, scaling
from .catalog import PROGRAM

_STYLE = """
:root { color-scheme: light; --ink: #1b1b1b; --faint: #666; --line: #ddd; }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.2rem; max-width: 72rem; color: var(--ink); background: #fff;
  font: 16px/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { margin: 0; font-size: 1.6rem; } h2 { margin: 2.2rem 0 .4rem; font-size: 1.2rem; }
p { max-width: 42rem; } .faint { color: var(--faint); }
.pictures { display: grid; gap: 1.5rem; align-items: start;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 26rem), 1fr)); }
figure { margin: 0; } figure img { width: 100%; max-width: 34rem; height: auto; display: block; }
figcaption { color: var(--faint); font-size: .85rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; font-size: .9rem; }
dt { color: var(--faint); } dd { margin: 0; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; font-size: .85rem; }
th, td { padding: .2rem .7rem .2rem 0; text-align: left; vertical-align: top;
  border-bottom: 1px solid var(--line); overflow-wrap: normal; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
code { font-size: .9em; } summary { cursor: pointer; font-weight: 600; margin: .5rem 0; }
@media print { details { display: block; } }
"""
_LINKS = "bandwidth_mbit", "latency_ms"
_SUBJECTS = {
    "psi": "Intersection",
    "lookup": "Lookup",
    "threshold": "Threshold of lists",
    "scoring": "Joint score",
    "decision": "Joint decision",
}


def write(folder: Path, records: Sequence[Record], facts: Mapping[str, str]) -> Path:
    """Write ``index.html`` into ``folder``, beside what ``read`` reads."""
    keep(folder, records, facts)
    page = folder / "index.html"
    page.write_text("".join(_page(records, facts)), encoding="utf-8")
    return page


def keep(folder: Path, records: Sequence[Record], facts: Mapping[str, str]) -> None:
    """What ``read`` reads, without the page: of a run that goes on, what there is so far."""
    folder.mkdir(parents=True, exist_ok=True)
    write_json(records, folder / "records.json")
    (folder / "machine.json").write_text(json.dumps(dict(facts), indent=1) + "\n")


def read(folder: Path) -> tuple[list[Record], dict[str, str]]:
    """The records and the machine of a report that was written."""
    facts: dict[str, str] = json.loads((folder / "machine.json").read_text())
    return read_json(folder / "records.json"), facts


def plots(records: Sequence[Record]) -> Iterator[tuple[str, str, bytes]]:
    """The pictures that these records make: a name, a sentence, and the SVG."""
    if rows := pictures.peer_rows(records):
        text = "How many times as fast as public libraries that do the same, one core, same run."
        yield "peers", text, pictures.ratios(rows, "Beside other libraries")
    if rows := pictures.floor_rows(records):
        text = "Speed over that of the floor: what the machine needs for the work left over alone."
        yield "floors", text, pictures.ratios(rows, "Beside the floors")
    for subject, title in _SUBJECTS.items():
        if stacks := pictures.stage_rows(records, subject):
            text = f"{title}: the share of its time that each stage takes, by side."
            yield f"{subject}-stages", text, pictures.stages(stacks, f"{title}: stages")
    yield from _growth(records)
    for subject, links in _link_rows(records).items():
        text = f"{subject}: time over longer links, beside what bytes and rounds alone take there."
        yield f"{subject}-links", text, pictures.links(links, f"{subject} over longer links")
    if cores := _core_rows(records):
        text = "Speed on all cores over the speed on one, where nothing else ran."
        yield "cores", text, pictures.ratios(cores, "More cores")


def _growth(records: Sequence[Record]) -> Iterator[tuple[str, str, bytes]]:
    for place, ((subject, size, _), found) in enumerate(_curves(records).items()):
        names = [pictures.label(curve.record()).replace(".slope", "") for curve in found]
        text = f"Cost of {subject} over {size}, with the slope fitted to it and its error."
        yield f"growth-{place}", text, pictures.growth(found, f"{subject} over {size}", names)


def _curves(records: Sequence[Record]) -> dict[tuple[str, str, str], list[scaling.Curve]]:
    """By subject, size and unit: the curves to draw, of which there are at most eight."""
    found: dict[tuple[str, str, str], list[scaling.Curve]] = {}
    for subject in dict.fromkeys(record.benchmark.partition(".")[0] for record in records):
        if subject not in catalog.names():
            continue
        grows_with = getattr(catalog.load(subject), "GROWS_WITH", ())
        own = [r for r in records if r.benchmark.startswith(f"{subject}.")]
        own = pictures.of_best_backend(own)
        own = [r for r in own if "stage" not in r.params and "side" not in r.params]
        for curve in scaling.curves(own, grows_with):
            if curve.params.get("cores", 1) == 1 and curve.params.get("ring") != "square":
                found.setdefault((subject, curve.size, curve.unit), []).append(curve)
    return {key: curves[:8] for key, curves in found.items()}


def _link_rows(records: Sequence[Record]) -> dict[str, list[tuple[str, float, float]]]:
    """By subject: the largest run of each figure over each link that is shaped, in seconds, and
    what its bytes and rounds alone take there."""
    largest: dict[str, dict[str, tuple[str, float, float]]] = {}
    for record in records:
        shaped = record.unit == "s" and all(name in record.params for name in _LINKS)
        if shaped and record.bytes and record.rounds:
            bandwidth, latency = (float(str(record.params[name])) for name in _LINKS)
            bound = record.bytes * 8e-6 / bandwidth + record.rounds * latency * 1e-3
            if record.floor is not None and record.floor[0] in ("exchange", "link"):
                bound = record.median / record.floor[1]
            name = f"{pictures.label(record)}\n{bandwidth:g} Mbit/s, {latency:g} ms"
            kind = f"{record.benchmark} {[v for v in record.params.values() if isinstance(v, str)]}"
            subject = record.benchmark.partition(".")[0]
            largest.setdefault(subject, {})[kind] = (name, record.median, bound)
    return {subject: list(rows.values()) for subject, rows in largest.items()}


def _core_rows(records: Sequence[Record]) -> list[tuple[str, str, float]]:
    rows: dict[str, tuple[str, str, float]] = {}
    for record in records:
        if times := (record.peers or {}).get("one core"):
            whose = f"{record.params['cores']} cores over 1"
            rows[record.benchmark] = (pictures.label(record), whose, times)
    return list(rows.values())


def _page(records: Sequence[Record], facts: Mapping[str, str]) -> Iterator[str]:
    title = "mpc: how fast, and beside what"
    yield f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    # No request for an icon: the page needs nothing but itself.
    yield f'<link rel="icon" href="data:,"><style>{_STYLE}</style></head><body>'
    yield f"<h1>{title}</h1>"
    wrong = [record for record in records if not record.checked]
    yield (
        f'<p class="faint">{len(records)} figures, each a median beside a floor measured in the '
        f"same run; {len(records) - len(wrong)} results were right, {len(wrong)} wrong. "
        f"Made by <code>{PROGRAM} report</code>; for one figure again, "
        f"<code>{PROGRAM} NAME</code>.</p>"
    )
    yield "<dl>"
    for name, value in facts.items():
        yield f"<dt>{html.escape(name)}</dt><dd>{html.escape(value)}</dd>"
    yield '</dl><h2>Pictures</h2><div class="pictures">'
    for name, text, svg in plots(records):
        source = base64.b64encode(svg).decode()
        yield f'<figure id="{name}"><img alt="{html.escape(text)}" '
        yield f'src="data:image/svg+xml;base64,{source}">'
        yield f"<figcaption>{html.escape(text)}</figcaption></figure>"
    yield "</div><h2>Every figure</h2>"
    for subject in dict.fromkeys(record.benchmark.partition(".")[0] for record in records):
        own = [r for r in records if r.benchmark.partition(".")[0] == subject]
        yield f"<details><summary>{html.escape(subject)} ({len(own)})</summary>"
        if subject in catalog.names():
            yield f"<p>{html.escape(catalog.summary(subject))}</p>"
        yield "".join(_table(own)) + "</details>"
    yield "</body></html>\n"


def _table(records: Sequence[Record]) -> Iterator[str]:
    ratios = "ours ÷ floor", "ours ÷ peers", "quiet turns"
    heads = "median", "spread", "unit", *ratios, "bytes", "rounds", "MB"
    yield '<div class="scroll"><table><tr><th>figure</th><th>of</th>'
    yield "".join(f'<th class="n">{head}</th>' for head in heads) + "<th>right</th></tr>"
    for record in records:
        params = ", ".join(f"{name} {value}" for name, value in record.params.items())
        peers = (f"{name} {quantity(ratio)}" for name, ratio in (record.peers or {}).items())
        cells = (
            quantity(record.median),
            quantity(record.spread),
            record.unit,
            f"{record.floor[0]} {quantity(record.floor[1])}" if record.floor else "",
            "<br>".join(html.escape(peer) for peer in peers),
            record.quiet_turns,
            "" if record.bytes is None else f"{record.bytes:,}",
            "" if record.rounds is None else str(record.rounds),
            "" if record.peak_rss_mb is None else f"{record.peak_rss_mb:.0f}",
        )
        yield f"<tr><td>{html.escape(record.benchmark)}</td><td>{html.escape(params)}</td>"
        yield "".join(f'<td class="n">{cell}</td>' for cell in cells)
        yield f"<td>{'yes' if record.checked else 'NO'}</td></tr>"
    yield "</table></div>"
