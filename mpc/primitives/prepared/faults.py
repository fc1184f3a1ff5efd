# SPDX-License-Identifier: Apache-2.0
"""What can be wrong with the files of a prepared list.

ListFault
├── ListTruncated   a file ends early
├── ListFormat      a file of another kind, or of another version of the format
├── ListForged      the signature does not fit what is signed
├── ListCorrupt     the contents are not the signed ones, or make no sense
└── ListStale       files that do not follow each other, or an older list than was seen before

A list that another key signed, or that belongs to another OPRF key, is a ``KeyMismatch``.
"""

from __future__ import annotations

from mpc.errors import CryptoError


class ListFault(CryptoError):
    """A prepared list cannot be used."""


class ListTruncated(ListFault):
    """A file is shorter than its header says, or than a header."""


class ListFormat(ListFault):
    """This is no file of a prepared list, or one of another version of the format."""


class ListForged(ListFault):
    """The signature does not verify."""


class ListCorrupt(ListFault):
    """The contents differ from what was signed, or no honest holder could have signed them."""


class ListStale(ListFault):
    """The files are not one list with its updates in order, or the list is an older one."""
