# SPDX-License-Identifier: Apache-2.0
PY ?= python3
BIN := .venv/bin
STAMP := .venv/.installed

.PHONY: demo test test-slow bench bench-check lint fmt proto
.DELETE_ON_ERROR:

# The environment is made anew when it is missing or older than pyproject.toml.
$(STAMP): pyproject.toml
	$(PY) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test,bench]'
	touch $(STAMP)

demo: $(STAMP)
	$(BIN)/mpc demo

# Kernels are compiled first and once, not by each worker and under the tracer of coverage.
test: $(STAMP)
	$(BIN)/python -c 'from mpc.cli import demo; demo.load_kernels()'
	$(BIN)/python -m pytest -n auto --dist loadgroup --cov --cov-report=term -m 'not slow'

test-slow: $(STAMP)
	$(BIN)/python -m pytest -m slow

bench: $(STAMP)
	$(BIN)/python -m benchmarks report --output benchmarks/report

bench-check: $(STAMP)
	$(BIN)/python -m benchmarks check

lint: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

fmt: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Compiled with one old release, so that the code runs under protobuf 6.31 and later; a test holds
# that it matches protos/. The virtual path makes the modules import each other as mpc.pb.v1.
PROTOS := $(patsubst protos/mpc/v1/%,mpc/pb/v1/%,$(wildcard protos/mpc/v1/*.proto))
.venv/proto: $(STAMP)
	$(PY) -m venv --clear $@
	$@/bin/python -m pip install --quiet --disable-pip-version-check grpcio-tools==1.76.0 'setuptools<81'

proto: .venv/proto
	.venv/proto/bin/python -m grpc_tools.protoc -Impc/pb/v1=protos/mpc/v1 --python_out=. --pyi_out=. $(PROTOS)
