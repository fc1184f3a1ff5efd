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


def drawn_elsewhere(tree: ast.AST) -> list[str]:
    """Generators that are not of the system or a seed's AES, and defaults that are not SYSTEM."""
    found = [name for name in imported(tree) if name.split(".")[0] == "random"]
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and ast.unparse(node) in {"np.random", "numpy.random"}:
            found.append(ast.unparse(node))
        if isinstance(node, ast.FunctionDef):
            named = [*node.args.posonlyargs, *node.args.args][::-1]
            pairs = [
                *zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True),
                *zip(named, node.args.defaults[::-1], strict=False),
            ]
            found += [
                f"{node.name}(rng={ast.unparse(default)})"
                for argument, default in pairs
                if argument.arg == "rng" and default is not None
                if ast.unparse(default) not in {"SYSTEM", "..."}  # as overloads have
            ]
    return found


def test_secrets_are_drawn_from_the_system() -> None:
    """Masks from a generator that is not cryptographic are a fault that others had."""
    crypto = ("kernels", "primitives", "protocols", "net")
    files = [path for layer in crypto for path in (ROOT / "mpc" / layer).rglob("*.py")]
    faults = {str(path): drawn_elsewhere(ast.parse(path.read_text())) for path in files}
    assert len(faults) > 100
    assert {path: found for path, found in faults.items() if found} == {}


@pytest.mark.parametrize(
    "source",
    [
        "import random",
        "def f():\n    from random import randbytes",
        "masks = np.random.default_rng(1).bytes(8)",
        "def f(x, rng=Prg(bytes(32))): ...",
        "def f(x, *, rng=None): ...",
    ],
)
def test_another_generator_is_found(source: str) -> None:
    assert drawn_elsewhere(ast.parse(source))


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
