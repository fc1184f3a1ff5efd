# SPDX-License-Identifier: Apache-2.0
"""A list whose entries are known by their OPRF outputs only, prepared once in signed, mapped files.

    key = HolderKey.generate()                                      the holder
    prepare(folder, key, "blacklist", ids, labels=reasons, room=16)
    update(folder, key, "blacklist", add=new_ids, labels=new_reasons, remove=cleared)

    listed = open_list(copy, key.pin("blacklist"))                  an asker, with a copy of it
    found, labels = listed.look_up(outputs)                         of ``protocols.query``

The function is the VOPRF of RFC 9497 (``primitives.oprf``). A file holds, of every entry, what a
hash of its output says: about 50 bits by which it is found (``tables``), and a label sealed under a
key that the output gives (``labels``). Without the holder's key nobody can compute the output of an
id, so nobody can try ids against a copy of the list; each try is a query that the holder counts.

A list is a base and up to 32 deltas, one file each (``chain``), under versions that only rise.
Every file is signed, and bound to the one before, to the OPRF key and to the list's name
(``header``). What can be wrong with them is in ``faults``.
"""

from mpc.primitives.prepared.chain import PreparedList, open_list
from mpc.primitives.prepared.faults import (
    ListCorrupt,
    ListFault,
    ListForged,
    ListFormat,
    ListStale,
    ListTruncated,
)
from mpc.primitives.prepared.keys import HolderKey, Pin
from mpc.primitives.prepared.store import compact, prepare, update

__all__ = [
    "HolderKey",
    "ListCorrupt",
    "ListFault",
    "ListForged",
    "ListFormat",
    "ListStale",
    "ListTruncated",
    "Pin",
    "PreparedList",
    "compact",
    "open_list",
    "prepare",
    "update",
]
