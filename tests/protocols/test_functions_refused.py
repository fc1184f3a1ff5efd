# SPDX-License-Identifier: Apache-2.0
"""What functions of shares are not defined for: refused before anything is sent."""

from __future__ import annotations

import numpy as np
import pytest

from mpc.errors import ConfigError
from mpc.protocols import functions
from tests.protocols.computing import compute, recorded


@pytest.mark.parametrize("f", [0, 7, 21])
@pytest.mark.parametrize("name", ["exp", "log", "reciprocal", "rsqrt", "sigmoid", "softmax"])
def test_scales(name, f):
    def job(p):
        with pytest.raises(ConfigError, match=f"8 to 20 fraction bits, not {f}"):
            getattr(functions, name)(p.mesh, p.share([1.0], fraction_bits=f), p.triples)

    compute(2, job)


@pytest.mark.parametrize("shape", [(), (0,), (3, 0)])
def test_a_softmax_of_nothing(shape):
    def job(p):
        mesh = recorded(p.mesh)
        with pytest.raises(ConfigError, match="no largest"):
            functions.softmax(mesh, p.share(np.zeros(shape)), p.triples)
        return mesh.channel(mesh.peers[0]).came, p.triples.drawn

    assert compute(2, job) == [([], [])] * 2


def test_the_scale_of_the_series():
    def job(p):
        with pytest.raises(ConfigError, match="up to 27 fraction bits, not 28"):
            functions.sigmoid_series(p.mesh, p.share([1.0], fraction_bits=28), p.triples)

    compute(2, job)


@pytest.mark.parametrize(
    ("most", "size", "bits"), [(2.0**40, 2.0**10, 10), (10, 2.0**20, 20), (1, 1, 40)]
)
def test_quotients_without_room(most, size, bits):
    def job(p):
        x, by = p.share([1.0]), p.share([1], fraction_bits=0)
        with pytest.raises(ConfigError, match="no room"):
            functions.divide(p.mesh, x, by, p.triples, most=most, size=size, fraction_bits=bits)

    compute(2, job)
