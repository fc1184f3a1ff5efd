# SPDX-License-Identifier: Apache-2.0
"""Sessions of processes of their own, of which one is interrupted or killed."""

from __future__ import annotations

import signal
import subprocess
import time

from net_parties import process
from session_files import Files

PARTY = """
import sys, threading, time
from mpc.net.session import Session
from mpc.pb.v1.columns_pb2 import Column
from tests.ports import free_ports
try:
    with Session.open(sys.argv[1], parties=("bank", "tax"), wait=60) as session:
        (peer,) = session.peers
        print("open", flush=True)
        session.peer(peer).recv(Column)
except BaseException as error:
    names = [thread.name for thread in threading.enumerate()]
    print(type(error).__name__, getattr(error, "reason", ""), names, flush=True)
"""


def _line(child: subprocess.Popen[str]) -> str:
    assert child.stdout is not None
    return child.stdout.readline().strip()


def test_ctrl_c_in_one_process_ends_both(files: Files) -> None:
    with process(PARTY, files.path("bank")) as bank, process(PARTY, files.path("tax")) as tax:
        assert (_line(bank), _line(tax)) == ("open", "open")
        time.sleep(0.2)
        bank.send_signal(signal.SIGINT)
        assert _line(bank) == "KeyboardInterrupt  ['MainThread']"
        assert _line(tax) == "PeerAborted KeyboardInterrupt ['MainThread']"
        assert (bank.wait(30), tax.wait(30)) == (0, 0)


def test_ctrl_c_while_waiting_for_a_peer(files: Files) -> None:
    with process(PARTY, files.path("bank")) as bank:
        assert bank.stderr is not None
        assert "waiting for tax" in bank.stderr.readline()
        bank.send_signal(signal.SIGINT)
        assert _line(bank) == "KeyboardInterrupt  ['MainThread']"


def test_a_killed_process_ends_the_other(files: Files) -> None:
    with process(PARTY, files.path("bank")) as bank, process(PARTY, files.path("tax")) as tax:
        assert (_line(bank), _line(tax)) == ("open", "open")
        bank.kill()
        assert _line(tax) == "PeerClosed  ['MainThread']"
