# SPDX-License-Identifier: Apache-2.0
"""Keys for the Paillier tests: short ones, which are quick, under each kernel backend in turn."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import copy
from functools import cache

import pytest

from mpc import kernels
from mpc.errors import ConfigError
from mpc.primitives.paillier import PublicKey, SecretKey, keygen
from mpc.testing import seeded

Keys = tuple[SecretKey, PublicKey]


@cache
def _generated(bits: int, label: str) -> SecretKey:
    return keygen(bits, allow_weak=True, rng=seeded(f"paillier {bits} {label}"))[0]


def make_keys(bits: int, label: str = "") -> Keys:
    """The key of this length and label, without the tables of an earlier backend."""
    made = _generated(bits, label)
    public = copy(made.public)
    return SecretKey(public, *made.reveal_primes()), public


@pytest.fixture(params=["portable", "simd"])
def backend(request: pytest.FixtureRequest) -> Iterator[str]:
    name: str = request.param
    try:
        with kernels.use(name):
            yield name
    except ConfigError as error:
        pytest.skip(str(error))


@pytest.fixture
def keys(backend: str) -> Keys:
    """A key of 768 bits."""
    return make_keys(768)


@pytest.fixture
def keys_of() -> Callable[..., Keys]:
    """Keys of a given length, and label where several differ."""
    return make_keys
