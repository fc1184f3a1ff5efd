# SPDX-License-Identifier: Apache-2.0
"""How far a blacklist job has come, kept in a folder of the operator's until the job is done.

One file for each peer (``psi.Progress.kept``), replaced after each bucket and removed when all are
compared. Its key is derived from the private key of this party's certificate (``own_key``), so
the folder alone tells nobody anything, and a new key makes it unreadable. A file that is damaged,
or of another session or party, is a ``ConfigError`` before anything is sent; one of another list,
which only its fingerprint tells, is forgotten, and that peer's run starts anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from mpc.errors import ConfigError
from mpc.net.config import SessionConfig
from mpc.party import own_key
from mpc.party.jobs import BlacklistJob, Job
from mpc.primitives.whole_file import only_writer
from mpc.protocols.psi import Progress


@contextmanager
def progress(
    folder: Path | None, config: SessionConfig, job: Job
) -> Iterator[Mapping[str, Progress]]:
    """The progress with each peer, by name; none without a ``folder``. One process at a time."""
    if folder is None:
        yield {}
        return
    if not isinstance(job, BlacklistJob):
        raise ConfigError("progress is kept of blacklist jobs without a threshold")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"cannot make the folder {folder}: {error.strerror}") from None
    key = own_key.derived(config, b"progress")
    with only_writer(folder / ".lock"):
        yield {
            peer: Progress.kept(
                folder / f"{peer}.progress", key, job="\0".join((job.session, config.name, peer))
            )
            for peer in job.meets(config.name)
        }
