# SPDX-License-Identifier: Apache-2.0
"""The README's part: a table of a few figures, and two pictures, all of one run.

The table stands between two comments of the README, and the pictures in ``pictures/`` beside the
benchmarks; nothing else of the file is touched.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..record import Record, faster, quantity
from . import catalog, pictures, report
from .catalog import Unusable

BEGIN = "<!-- figures: python -m benchmarks report --peers --readme README.md -->"
END = "<!-- /figures -->"
PICTURES = catalog.FOLDER / "pictures"
SHOWN = ("peers", "psi-stages")


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the table: which record it shows, by its name and some of its parameters."""

    words: str
    benchmark: str
    params: Mapping[str, object]
    unit: str = ""  # instead of the record's


_ONE = {"bits": 3072, "cores": 1}
_TLS = {"x": 1 << 20, "y": 1 << 20, "link": "tls"}
LINES = (
    Line("Paillier encryption, public key, 3072 bits", "paillier.encrypt_public", _ONE, "/s"),
    Line("Paillier decryption, 3072 bits", "paillier.decrypt", _ONE, "/s"),
    Line("encrypted dot product of 1,000 terms, 3072 bits", "paillier.dot_1000", _ONE, "/s"),
    Line("32-bit values encrypted, packed", "paillier.encrypt_packed_public", _ONE, "/s"),
    Line("2^20 with 2^20 ids, malicious, TLS", "psi.wall", {**_TLS, "form": "malicious"}),
    Line("2^20 with 2^20 ids, semi-honest, TLS", "psi.wall", {**_TLS, "form": "semi-honest"}),
    Line("one id against a prepared list of 2^20, TLS", "query.single", {"link": "tls"}),
    Line(
        "joint score of 100,000 rows, 32 features, prepared, TLS",
        "scoring.wall",
        {"form": "prepared", "rows": 100_000, "link": "tls"},
    ),
    Line(
        "2^16 keys looked up in 2^20 rows of 8 values, as shares, TLS",
        "lookup.wall",
        {"keys": 1 << 16, "rows": 1 << 20, "order": "keys"},
    ),
    Line(
        "2^20 keys looked up in 2^20 rows, as shares, TLS",
        "lookup.wall",
        {"keys": 1 << 20, "rows": 1 << 20, "order": "table"},
    ),
    Line(
        "1,000 keys on 8 lists of 100,000, nothing prepared, TLS",
        "threshold.wall",
        {"holders": 8, "keys": 1000, "output": "bit"},
    ),
    Line(
        "256 joint decisions, 4 holders of 20,000, nothing prepared, TLS",
        "decision.wall",
        {"holders": 4, "applicants": 256},
    ),
    Line(
        "a million comparisons of shares, triples ready, TLS",
        "computing.wall",
        {"operation": "less_than", "size": 1_000_000, "parties": 2, "link": "tls"},
    ),
    Line(
        "shared products made by two parties, TLS",
        "sharing.correlations",
        {"kind": "products", "link": "tls"},
        "/s",
    ),
    Line("ristretto255 multiplication", "ristretto.mul", {}),
    Line("hash to ristretto255", "ristretto.hash_to_group", {}),
    Line("vector OLE over GF(2^128)", "vole.correlations", {"ring": "blocks"}, "/s"),
    Line("round trip of the link, TLS", "link.round_trip", {"way": "link tls"}),
)


def refresh(file: Path, records: Sequence[Record], facts: Mapping[str, str]) -> None:
    """Rewrite the table in ``file``, and the pictures."""
    PICTURES.mkdir(exist_ok=True)
    for name, _, svg in report.plots(records):
        if name in SHOWN:
            (PICTURES / f"{name}.svg").write_bytes(svg)
    body = "\n".join([BEGIN, *table(records, facts), END])
    file.write_text(_PLACE.sub(lambda _: body, text_with_place(file)), encoding="utf-8")


def text_with_place(file: Path) -> str:
    """The text of ``file``. Unusable unless it says where the table goes."""
    text = file.read_text(encoding="utf-8")
    if len(_PLACE.findall(text)) != 1:
        raise Unusable(f"{file} has no lines {BEGIN} and {END}, once each")
    return text


_PLACE = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)


def table(records: Sequence[Record], facts: Mapping[str, str]) -> Iterator[str]:
    """The lines of which the run has a record, in Markdown, each with its command."""
    yield "| | measured | beside | again by `python -m benchmarks` |"
    yield "|---|---|---|---|"
    for line in LINES:
        if (record := _found(line, records)) is not None:
            shown = _shown(record.median, line.unit or f" {record.unit}")
            traffic = f", {_bytes(record.bytes)}" if record.bytes else ""
            subject = record.benchmark.partition(".")[0]
            yield f"| {line.words} | {shown}{traffic} | {_beside(record)} | `{subject}` |"
    yield ""
    yield (
        f"On {facts['processor']}, {facts['cores']} cores with a load of "
        f"{facts['load'].split()[0]}, {facts['kernels']} kernels, Python "
        f"{facts['python']}, {facts['mpc'].partition(', ')[2]}, {facts['date'][:10]}; one core, or "
        f"one process a side."
    )


def _found(line: Line, records: Sequence[Record]) -> Record | None:
    fitting = [
        record
        for record in pictures.of_best_backend(records)
        if record.benchmark == line.benchmark
        and all(record.params.get(name) == value for name, value in line.params.items())
    ]
    return fitting[0] if len(fitting) == 1 else fitting[-1] if fitting else None


def _shown(value: float, unit: str) -> str:
    """Short times in milliseconds."""
    return f"{quantity(1e3 * value)} ms" if unit == " s" and value < 0.1 else quantity(value) + unit


def _bytes(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count / 1e3:.1f} kB"


_FLOORS = {
    "gmp.powmod": "GMP's power",
    "hashes": "exchanging plain hashes",
    "round trip": "a bare round trip",
    "exchange": "a bare exchange of its bytes",
    "field.products": "its field products alone",
    "aes": "one AES block",
    "tcp": "raw TCP",
}


def _beside(record: Record) -> str:
    others = list((record.peers or {}).items())
    if record.floor is not None:
        others.append((_FLOORS.get(record.floor[0], record.floor[0]), record.floor[1]))
    return ", ".join(f"{_times(record.unit, ratio)} {name}" for name, ratio in others)


def _times(unit: str, ratio: float) -> str:
    """Times as fast where ours is faster, times the time where it is not."""
    times = faster(unit, ratio)
    return (
        f"{quantity(times)} × as fast as" if times >= 1 else f"{quantity(1 / times)} × the time of"
    )
