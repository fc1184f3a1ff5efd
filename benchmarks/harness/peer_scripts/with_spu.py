# SPDX-License-Identifier: Apache-2.0
"""SecretFlow SPU (C++ below Python): its RR22, two parties in one process; semi-honest.

It reads its ids from CSV files and writes the common ones to another, which is part of its time:
its Python has no other way in. Its parties talk over memory, so without a network.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import spu.psi as psi
from answering import Measured, answer, identifiers, middle, timed
from spu import libspu

SIDES = ("receiver", "sender")
LARGEST = 1 << 20


def _wall(params: Mapping[str, Any]) -> Measured | None:
    x, y = params["x"], params["y"]
    if max(x, y) > LARGEST or params["form"] != "semi-honest":
        return None
    with tempfile.TemporaryDirectory() as folder:
        for side in SIDES:
            lines = "\n".join(["id", *identifiers(side, x, y)])
            Path(folder, f"{side}.csv").write_text(lines + "\n")
        seconds = timed(lambda: _intersect(Path(folder)))
        common = Path(folder, "receiver.out").read_text().split()[1:]
    expected = identifiers("receiver", x, y)[: min(x, y) // 10]
    return "s", *middle(seconds), sorted(item.strip('"') for item in common) == expected


def _intersect(folder: Path) -> None:
    def party(rank: int) -> None:
        link = libspu.link.create_mem(_parties(), rank)
        psi.psi_execute(_config(folder, SIDES[rank]), link)
        link.stop_link()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(party, range(2)))


def _parties() -> Any:
    parties = libspu.link.Desc()
    for side in SIDES:
        parties.add_party(side, f"thread_{side}")
    return parties


def _config(folder: Path, side: str) -> Any:
    file = psi.SourceType.SOURCE_TYPE_FILE_CSV
    return psi.PsiExecuteConfig(
        psi.PsiProtocolConfig(psi.PsiProtocol.PROTOCOL_RR22, receiver_rank=0),
        psi.InputParams(file, str(folder / f"{side}.csv"), ["id"], True),
        psi.OutputParams(file, str(folder / f"{side}.out")),
    )


if __name__ == "__main__":
    answer({"psi.wall": _wall})
