# SPDX-License-Identifier: Apache-2.0
"""Columns brought to one scale: what owners are told, what they refuse, which rows are named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from mpc.apps import standardisation, tables
from mpc.apps.scorecard_file import Band, Feature, Scorecard
from mpc.errors import DataError, ProtocolError
from mpc.net import columns
from mpc.net.mesh import Mesh
from mpc.pb.v1 import scorecard_pb2 as pb
from mpc.testing import run_mesh, run_pair

CARD = Scorecard(
    features=(
        Feature("a", "bank", 1.0, 2.0, 0.5),
        Feature("b", "tax", -3.0, 0.25, 0.5),
        Feature("c", "tax", 1e6, 1e5, 0.5),
        Feature("d", "utility", 0.0, 1.0, 0.5),
    ),
    intercept=0.0,
    bands=(Band("all", 0.0),),
)
FEATURES = {"utility": ("d",), "bank": ("a",), "tax": ("c", "b")}


def test_each_owner_is_told_of_its_own_features_in_the_jobs_order() -> None:
    def bank(mesh: Mesh) -> None:
        standardisation.tell(mesh, FEATURES, CARD)

    def owner(mesh: Mesh) -> tuple[list[float], list[float]]:
        told = standardisation.told(mesh.channel("bank"), FEATURES[mesh.me])
        return told[0].tolist(), told[1].tolist()

    found = run_mesh({"bank": bank, "tax": owner, "utility": owner})
    assert found == {
        "bank": None,
        "tax": ([1e6, -3.0], [1e5, 0.25]),
        "utility": ([0.0], [1.0]),
    }


@pytest.mark.parametrize(
    ("names", "means", "scales", "words"),
    [
        (["b", "c"], [0.0, 0.0], [1.0, 1.0], "standardises"),
        (["c"], [0.0], [1.0], "standardises"),
        (["c", "b"], [0.0], [1.0, 1.0], "expected 2 elements, got 1"),
        (["c", "b"], [0.0, np.inf], [1.0, 1.0], "not finite"),
        (["c", "b"], [0.0, 0.0], [np.nan, 1.0], "not finite"),
        (["c", "b"], [0.0, 0.0], [1.0, -1.0], "not positive"),
    ],
)
def test_what_an_owner_refuses(
    names: list[str], means: list[float], scales: list[float], words: str
) -> None:
    message = pb.Standardisation(
        names=names, means=columns.pack(np.array(means)), scales=columns.pack(np.array(scales))
    )
    with pytest.raises(ProtocolError, match=f"left: .*{words}"):
        run_pair(
            lambda channel: channel.send(message),
            lambda channel: standardisation.told(channel, FEATURES["tax"]),
        )


def table(folder: Path, values: list[float | None]) -> tables.Table:
    path = folder / "table.parquet"
    tables.write(path, pa.table({"a": [7.0] * len(values), "b": pa.array(values, pa.float64())}))
    return tables.Table.open(path)


def test_rows_are_taken_in_the_order_asked_for(tmp_path: Path) -> None:
    by = np.array([-3.0, 1.0]), np.array([0.25, 2.0])
    rows = np.array([2, 0])
    z = standardisation.applied(table(tmp_path, [-3.0, 9.0, -2.5]), ["b", "a"], rows, by, 128.0)
    assert z.tolist() == [[2.0, 3.0], [0.0, 3.0]]


def test_rows_that_are_far_or_have_no_value_are_named(tmp_path: Path) -> None:
    by, every = (np.array([0.0]), np.array([1.0])), np.arange(4)
    edge = table(tmp_path, [128.0, -128.0, 0.0, 1.0])
    assert standardisation.applied(edge, ["b"], every, by, 128.0).shape == (4, 1)
    far = table(tmp_path, [0.0, 128.5, 0.0, -129.0])
    with pytest.raises(
        DataError, match=r"'b': 2 of 4 rows .* 128 scales from the mean \(rows 2, 4"
    ):
        standardisation.applied(far, ["b"], every, by, 128.0)
    # A row that is not asked for does not matter.
    assert standardisation.applied(far, ["b"], np.array([2]), by, 128.0).tolist() == [[0.0]]
    with pytest.raises(DataError, match=r"'b': 1 of 4 rows have no value \(row 3\)"):
        standardisation.applied(table(tmp_path, [0.0, 1.0, None, 2.0]), ["b"], every, by, 128.0)
