# SPDX-License-Identifier: Apache-2.0
"""The committed protobuf code says what ``protos/`` says: both are compared as descriptors."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf import descriptor_pb2

ROOT = Path(__file__).resolve().parent.parent
PROTOS = sorted((ROOT / "protos/mpc/v1").glob("*.proto"))


def compiled(tmp_path: Path) -> dict[str, descriptor_pb2.FileDescriptorProto]:
    target = tmp_path / "all.pb"
    command = [sys.executable, "-m", "grpc_tools.protoc", f"-Impc/pb/v1={ROOT}/protos/mpc/v1"]
    names = [f"mpc/pb/v1/{path.name}" for path in PROTOS]
    subprocess.run([*command, f"--descriptor_set_out={target}", *names], check=True, cwd=ROOT)
    found = descriptor_pb2.FileDescriptorSet.FromString(target.read_bytes())
    return {file.name: file for file in found.file}


def test_generated_code_matches_protos(tmp_path: Path) -> None:
    files = compiled(tmp_path)
    assert len(files) == len(PROTOS) > 0
    for name, expected in files.items():
        module = importlib.import_module(name.removesuffix(".proto").replace("/", ".") + "_pb2")
        actual = descriptor_pb2.FileDescriptorProto.FromString(module.DESCRIPTOR.serialized_pb)
        expected.ClearField("source_code_info")
        for file in (actual, expected):  # json_name is filled in by some compilers only
            nested = [inner for message in file.message_type for inner in message.nested_type]
            for message in [*file.message_type, *nested]:
                for field in message.field:
                    field.ClearField("json_name")
        assert actual == expected, f"{name}: run `make proto`"


def test_no_generated_file_is_left_over() -> None:
    generated = {p.name.removesuffix("_pb2.py") for p in (ROOT / "mpc/pb/v1").glob("*_pb2.py")}
    assert generated == {path.stem for path in PROTOS}


@pytest.mark.parametrize("path", PROTOS, ids=lambda path: path.stem)
def test_every_proto_is_of_the_one_package(path: Path) -> None:
    assert "package mpc.v1;" in path.read_text()
