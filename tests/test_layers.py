# SPDX-License-Identifier: Apache-2.0
"""Imports go strictly downward: the layers of the README, held by a walk over the syntax trees."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LAYERS = {
    "errors": 0,
    "pb": 0,
    "tracing": 0,
    "kernels": 1,
    "primitives": 2,
    "net": 2,
    "protocols": 3,
    "apps": 4,
    "party": 5,
    "cli": 6,
}
# What stands beside the layers: the public face of the package, and the aids for tests.
UNLAYERED = {"testing", "__init__", "__main__"}


def imported(tree: ast.AST) -> Iterator[str]:
    """Every module a tree names in an import, at any depth of the code."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"relative import on line {node.lineno}"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def violations(path: Path, source: str) -> list[str]:
    here = path.relative_to(ROOT / "mpc").parts[0].removesuffix(".py")
    if here in UNLAYERED:
        return []
    found = []
    for name in imported(ast.parse(source)):
        parts = name.split(".")
        if parts[0] != "mpc" or len(parts) < 2 or parts[1] == here:
            continue
        if parts[1] not in LAYERS or LAYERS[parts[1]] >= LAYERS[here]:
            found.append(f"{path.relative_to(ROOT)} imports {name}")
    return found


def sources() -> list[Path]:
    return [path for path in (ROOT / "mpc").rglob("*.py") if "pb" not in path.parts]


def test_every_package_has_a_layer() -> None:
    names = {path.name.removesuffix(".py") for path in (ROOT / "mpc").iterdir()}
    names -= {"__pycache__", "py.typed"} | UNLAYERED
    assert names == set(LAYERS)


def test_imports_go_downward() -> None:
    assert [fault for path in sources() for fault in violations(path, path.read_text())] == []


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("mpc/net/link.py", "from mpc.primitives import rng"),
        ("mpc/primitives/rng.py", "def f():\n    import mpc.protocols.psi_dh"),
        ("mpc/kernels/bigint.py", "from mpc import net"),
        ("mpc/errors.py", "import mpc.kernels"),
        ("mpc/apps/tables.py", "from mpc.testing import seeded"),
    ],
)
def test_a_violation_is_found(path: str, source: str) -> None:
    assert violations(ROOT / path, source)


def test_phe_is_never_imported() -> None:
    names = {name for path in sources() for name in imported(ast.parse(path.read_text()))}
    assert not {name for name in names if name.split(".")[0] in {"phe", "pickle", "dill"}}


def test_every_source_file_names_its_licence() -> None:
    files = [
        path
        for folder in ("mpc", "tests", "benchmarks", "examples", "protos")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in {".py", ".proto"} and "pb" not in path.parts
    ]
    assert len(files) > 10
    tag = "SPDX-License-Identifier: Apache-2.0"
    assert [path for path in files if tag not in path.read_text()[:200]] == []
