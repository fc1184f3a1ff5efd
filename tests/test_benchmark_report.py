# SPDX-License-Identifier: Apache-2.0
"""The report, as a browser shows it at two widths; and what of it goes into the README."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from benchmarks.__main__ import main
from benchmarks.harness import catalog, pictures, readme, report
from benchmarks.record import Record, read_json, write_json

ROOT = Path(__file__).resolve().parent.parent
FACTS = {
    "processor": "A <fine> one",
    "cores": "2",
    "load": "1.9 in the last minute",
    "kernels": "portable",
    "python": "3.11.7",
    "mpc": "0.1.0, commit abc",
    "date": "2026-11-25 12:00 UTC",
}
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")


def record(name: str, unit: str = "s", median: float = 1.0, **more: Any) -> Record:
    params = {key: more.pop(key) for key in list(more) if key not in Record.__slots__}
    checked = more.pop("checked", True)
    return Record(
        benchmark=name,
        params=params,
        unit=unit,
        median=median,
        spread=0.1,
        checked=checked,
        **more,
    )


def run_of_everything() -> list[Record]:
    """Records of every kind that a picture is made of."""
    tls = {"form": "malicious", "link": "tls"}
    found = [
        record("psi.wall", median=0.1 * n, x=n, y=n, **tls, bytes=10**n, rounds=4, floor=("h", 9.0))
        for n in (2, 4, 8)
    ]
    found += [
        record("psi.stage", median=at + 1.0, x=8, y=8, **tls, side=side, stage=stage)
        for side in ("receiver", "sender")
        for at, stage in enumerate(("hash", "okvs", "vole", "transfer", "tags", "match"))
    ]
    slow = {"link": "slow", "bandwidth_mbit": 10.0, "latency_ms": 100.0}
    found.append(
        record("psi.wall", median=3.0, x=8, y=8, form="malicious", **slow, bytes=99, rounds=5)
    )
    for cores, speed in ((1, 100.0), (2, 190.0)):
        sizes = {"bits": 3072, "cores": cores}
        beside = {"floor": ("gmp.powmod", 0.5), "peers": {"phe": 12.0, "other <b>": 0.7}}
        if cores > 1:
            beside = {"peers": {"one core": 1.9}, "quiet": (5, 7)}
        found.append(record("paillier.decrypt", "op/s", speed, **sizes, **beside))
    for backend, peer in (("simd", 0.1), ("portable", 20.0)):
        ratio = {"libsodium": peer}
        found.append(record("ristretto.mul", "us/op", 50 * peer, backend=backend, peers=ratio))
    found.append(record("scoring.stage", stage="encrypt", side="bank"))
    found.append(record("decision.stage", stage="match", side="bank"))
    return found


class _Images(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.sources: list[str] = []
        self.links: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        held = dict(attrs)
        if tag == "img":
            assert held.get("alt")
            self.sources.append(held["src"] or "")
        self.links += [value or "" for name, value in attrs if name in ("src", "href")]


def test_the_page_needs_nothing_else(tmp_path: Path) -> None:
    page = report.write(tmp_path / "report", run_of_everything(), FACTS).read_text()
    images = _Images(page)
    assert len(images.sources) == 8
    assert all(link.startswith("data:") for link in images.links)
    assert "<script" not in page
    assert "A &lt;fine&gt; one" in page
    assert "other &lt;b&gt;" in page
    assert report.read(tmp_path / "report") == (run_of_everything(), FACTS)


def test_every_picture_is_an_svg_that_hatches_and_markers_tell_apart() -> None:
    found = {name: svg for name, _, svg in report.plots(run_of_everything())}
    assert found.keys() == {
        "peers",
        "floors",
        "psi-stages",
        "scoring-stages",
        "decision-stages",
        "growth-0",
        "psi-links",
        "cores",
    }
    for svg in found.values():
        assert ElementTree.fromstring(svg).tag.endswith("svg")
    assert found["psi-stages"].count(b"<pattern") >= 5  # one of six stages is plain
    assert b"stroke-dasharray" in found["growth-0"] or b"<use" in found["growth-0"]
    assert {name: svg for name, _, svg in report.plots(run_of_everything())} == found


def test_curves_are_of_the_best_backend_and_say_how_sure_a_slope_is() -> None:
    records = [
        record("ristretto.mul", "us/op", speed, count=count, backend=backend)
        for backend, speed in (("simd", 9.0), ("portable", 900.0))
        for count in (1 << 8, 1 << 12, 1 << 16)
    ]
    ((name, _, svg),) = [plot for plot in report.plots(records) if plot[0].startswith("growth")]
    assert name == "growth-0"
    text = svg.decode()
    assert text.count("∝ n^") == 1
    assert "ristretto.mul  (cost of one ∝ n^0.00 ± 0.00)" in text


def test_numbers_at_an_axis_do_not_run_into_each_other() -> None:
    name = "paillier.multiply_32_bit_negative bits=2048"
    svg = pictures.ratios([(name, "phe", 3.0), ("b", "phe", 9160.0)], "Beside others").decode()
    # Of each tick its own number: those between have none.
    ticks = re.findall(
        r'id="xtick_\d+">(?:(?!xtick|<text).)*<text ([^>]*)>([\d.,]+)</text>', svg, re.DOTALL
    )
    placed = [(float(*re.findall(r' x="([\d.]+)"', where)), len(words)) for where, words in ticks]
    assert len(placed) >= 2
    for (one, wide), (other, wider) in pairwise(sorted(placed)):
        assert other - one > 0.6 * 8 * (wide + wider) / 2  # of digits of 8 points


def test_keys_are_named_by_their_length() -> None:
    assert (
        pictures.label(record("paillier.add", bits=2048, n=65536))
        == "paillier.add bits=2048 n=2^16"
    )


def test_a_run_of_little_makes_a_page_too(tmp_path: Path) -> None:
    page = report.write(tmp_path, [record("okvs.rows", checked=False)], FACTS).read_text()
    assert "0 results were right, 1 wrong" in page
    assert "<td>NO</td>" in page


@pytest.mark.skipif(BROWSER is None, reason="no chromium here: apt-get install chromium")
@pytest.mark.parametrize("width", [1280, 360])
def test_in_a_browser(tmp_path: Path, width: int) -> None:
    report.write(tmp_path, run_of_everything(), FACTS)
    (tmp_path / "frame.html").write_text(_FRAME.replace("WIDTH", str(width)))
    done = subprocess.run(
        [
            str(BROWSER),
            *("--headless", "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files"),
            *(f"--user-data-dir={tmp_path / 'profile'}", "--enable-logging=stderr"),
            *("--virtual-time-budget=10000", "--dump-dom", (tmp_path / "frame.html").as_uri()),
        ],
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    assert not re.findall(r".*CONSOLE.*", done.stderr)
    (found,) = re.findall(r"<pre>(.*?)</pre>", done.stdout)
    seen = json.loads(found)
    assert seen["widths"] == [8, True]
    assert seen["page"] <= width, "the page is wider than the window"
    assert seen["summaries"] == [
        "psi (16)",
        "paillier (2)",
        "ristretto (2)",
        "scoring (1)",
        "decision (1)",
    ]


# A window as narrow as a phone is not to be had headless, so the page is shown in a frame.
_FRAME = """<!doctype html><iframe src="index.html" style="width:WIDTHpx;height:700px;border:0"
onload="const page = this.contentDocument, images = [...page.images];
page.querySelectorAll('details').forEach(each => { each.open = true; });
Promise.all(images.map(image => image.decode())).then(() => {
  const pre = document.createElement('pre');
  pre.textContent = JSON.stringify({
    widths: [images.length, images.every(i => i.naturalWidth > 100 && i.clientWidth > 100)],
    page: page.documentElement.scrollWidth,
    summaries: [...page.querySelectorAll('summary')].map(each => each.textContent),
  });
  document.body.append(pre);
});"></iframe>"""


def test_report_from_a_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report.write(tmp_path / "one", run_of_everything(), FACTS)
    assert main(["report", "--from", str(tmp_path / "one"), "--output", str(tmp_path / "two")]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'two' / 'index.html'}\n"
    one, two = (read_json(tmp_path / name / "records.json") for name in ("one", "two"))
    assert one == two


def test_report_of_a_quick_run(tmp_path: Path) -> None:
    output, file = tmp_path / "out", tmp_path / "records.json"
    asked = ["report", "okvs", "--quick", "--backend", "portable", "--json", str(file)]
    assert main([*asked, "--output", str(output)]) == 0
    assert read_json(file) == report.read(output)[0]
    page = (output / "index.html").read_text()
    assert "Key-value store" in page
    assert "okvs.encode" in page


def test_the_readme_is_refreshed_between_its_marks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readme, "PICTURES", tmp_path / "pictures")
    file = tmp_path / "README.md"
    file.write_text(f"before\n{readme.BEGIN}\nold\n{readme.END}\nafter\n")
    readme.refresh(file, run_of_everything(), FACTS)
    text = file.read_text()
    assert text.startswith(f"before\n{readme.BEGIN}\n| | measured |")
    assert text.endswith(
        f"abc, 2026-11-25; one core, or one process a side.\n{readme.END}\nafter\n"
    )
    assert (
        "| Paillier decryption, 3072 bits | 100/s | 12 × as fast as phe, 1.43 × the time of" in text
    )
    assert "| `paillier` |" in text
    assert (
        "| ristretto255 multiplication | 5 us/op | 10 × as fast as libsodium | `ristretto` |"
        in text
    )
    assert "old" not in text
    assert {path.name for path in (tmp_path / "pictures").iterdir()} == {
        "peers.svg",
        "psi-stages.svg",
    }
    (tmp_path / "bare.md").write_text("nothing")
    with pytest.raises(catalog.Unusable, match="has no lines"):
        readme.refresh(tmp_path / "bare.md", run_of_everything(), FACTS)


def test_what_the_readme_shows_is_of_the_suite() -> None:
    """Each line has a command that reproduces it, and both pictures are there."""
    text = (ROOT / "README.md").read_text()
    (table,) = re.findall(f"{re.escape(readme.BEGIN)}(.*?){re.escape(readme.END)}", text, re.DOTALL)
    commands = re.findall(r"\| `(\w+)` \|$", table, re.MULTILINE)
    assert len(commands) >= 5
    assert all((ROOT / "benchmarks" / f"{name}.py").is_file() for name in commands)
    for name in readme.SHOWN:
        assert f"](benchmarks/pictures/{name}.svg)" in text
        assert ElementTree.parse(ROOT / "benchmarks" / "pictures" / f"{name}.svg")


def test_write_json_is_what_report_reads(tmp_path: Path) -> None:
    write_json(run_of_everything(), tmp_path / "records.json")
    assert read_json(tmp_path / "records.json") == run_of_everything()
