# SPDX-License-Identifier: Apache-2.0
"""Ports for parties that listen a moment later."""

from __future__ import annotations

import socket

import pytest

from mpc.cli.processes import PORTS, free_ports
from mpc.errors import ConfigError


def test_they_differ_and_can_be_listened_at() -> None:
    ports = free_ports(5)
    assert len(set(ports)) == 5
    assert set(ports) <= set(PORTS)
    for port in ports:
        socket.create_server(("127.0.0.1", port)).close()
    assert free_ports(0) == []


def test_what_is_taken_is_passed_over() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = server.getsockname()[1]
        (free,) = free_ports(1)
        assert free_ports(1, [taken, free]) == [free]
        with pytest.raises(
            ConfigError, match=r"2 free ports are needed on 127\.0\.0\.1, and 1 were"
        ):
            free_ports(2, [taken, free])
