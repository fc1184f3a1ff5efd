# SPDX-License-Identifier: Apache-2.0
"""Checked identifiers of companies and persons in China, whole columns at a time.

* The unified social credit code of companies and other organisations, GB 32100-2015: 18 characters
  of an alphabet without I, O, S, V and Z. The first two name the registering department and the
  kind of organisation, six digits the region, nine characters the organisation (GB 11714), and the
  last is a check character over the other 17: weights 3^i, modulo 31.
* The resident identity number, GB 11643-1999: six digits for the region, eight for the date of
  birth, three for the order, and a check character of ISO 7064 MOD 11-2, where 10 is written X.

Codes are expected in normal form (capital letters, no blanks), which ``tables`` brings them to.
A code that passes is well-formed; whether it was ever issued is known to the registries alone.
Some credit codes that pilot regions gave out before the standard was published carry other check
characters: GB 32100 calls them wrong, and so do these functions. Of the nine characters for the
organisation, the last is its own check character (GB 11714); it is not tested.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from mpc.apps.row_report import first_rows
from mpc.errors import DataError

LENGTH = 18
CREDIT_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
RESIDENT_CHECKS = "10X98765432"
# No region of GB/T 2260 begins with 99, so a made-up code can never be that of a real company
# or person.
SYNTHETIC_REGION = "990100"

Bytes: TypeAlias = NDArray[np.uint8]
Codes: TypeAlias = Any  # a pyarrow string array, or a sequence of str


def _values(alphabet: str) -> NDArray[np.int64]:
    """The value of each byte in ``alphabet``, and -1 for the bytes outside it."""
    values = np.full(256, -1, np.int64)
    values[np.frombuffer(alphabet.encode(), np.uint8)] = np.arange(len(alphabet))
    return values


_CREDIT_VALUE = _values(CREDIT_ALPHABET)
_DIGIT_VALUE = _values("0123456789")
_CREDIT_CHECK = np.frombuffer(CREDIT_ALPHABET.encode(), np.uint8)
_RESIDENT_CHECK = np.frombuffer(RESIDENT_CHECKS.encode(), np.uint8)
_CREDIT_WEIGHTS = np.array([pow(3, i, 31) for i in range(LENGTH - 1)])
_RESIDENT_WEIGHTS = np.array([pow(2, LENGTH - 1 - i, 11) for i in range(LENGTH - 1)])
# The organisation's part (GB 11714) counts every letter, and writes 10 as X.
_ORGANISATION_VALUE = _values("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_ORGANISATION_CHECK = np.frombuffer(b"0123456789X", np.uint8)
_ORGANISATION_WEIGHTS = np.array([3, 7, 9, 10, 5, 8, 4, 2])
_MONTH_DAYS = np.array([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])


def credit_code_check(bodies: Bytes) -> Bytes:
    """The check characters of (n, 17) ASCII ``bodies``, GB 32100-2015.

    Their characters must be of the alphabet; ``credit_codes_valid`` is the function that checks.
    """
    total = _CREDIT_VALUE[bodies] @ _CREDIT_WEIGHTS
    checks: Bytes = _CREDIT_CHECK[-total % 31]
    return checks


def resident_id_check(bodies: Bytes) -> Bytes:
    """The check characters of (n, 17) ASCII digits, ISO 7064 MOD 11-2."""
    total = _DIGIT_VALUE[bodies] @ _RESIDENT_WEIGHTS
    checks: Bytes = _RESIDENT_CHECK[total % 11]
    return checks


def credit_codes_valid(codes: Codes) -> NDArray[np.bool_]:
    """Which of ``codes`` are well-formed unified social credit codes; a null is not."""
    fits, table = _matrix(codes)
    good: NDArray[np.bool_] = np.all(_CREDIT_VALUE[table] >= 0, axis=1)
    good &= np.all(_DIGIT_VALUE[table[:, 2:8]] >= 0, axis=1)
    good[good] = credit_code_check(table[good, :-1]) == table[good, -1]
    fits[fits] = good
    return fits


def resident_ids_valid(ids: Codes, *, today: date | None = None) -> NDArray[np.bool_]:
    """Which of ``ids`` are well-formed resident identity numbers; a null is not.

    The date of birth must be in the calendar, from 1800 on and not after ``today`` (by default
    the day of the call).
    """
    fits, table = _matrix(ids)
    digits = _DIGIT_VALUE[table[:, :-1]]
    good: NDArray[np.bool_] = np.all(digits >= 0, axis=1) & (digits[:, 0] > 0)
    good[good] = _born(digits[good, 6:14], today or date.today()) & (
        resident_id_check(table[good, :-1]) == table[good, -1]
    )
    fits[fits] = good
    return fits


def _born(digits: NDArray[np.int64], today: date) -> NDArray[np.bool_]:
    """Which rows of eight digits are a day of the calendar on which somebody can be born."""
    year = digits[:, :4] @ np.array([1000, 100, 10, 1])
    month = digits[:, 4:6] @ np.array([10, 1])
    day = digits[:, 6:] @ np.array([10, 1])
    leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    month_there = (month >= 1) & (month <= 12)
    last = _MONTH_DAYS[np.where(month_there, month, 0)] + (leap & (month == 2))
    past = year * 10000 + month * 100 + day <= int(f"{today:%Y%m%d}")
    there: NDArray[np.bool_] = month_there & (day >= 1) & (day <= last) & (year >= 1800) & past
    return there


def _matrix(codes: Codes) -> tuple[NDArray[np.bool_], Bytes]:
    """Which codes have 18 bytes, and those as an (n, 18) matrix."""
    array = codes if isinstance(codes, pa.Array) else pa.array(codes, pa.string())
    if not pa.types.is_large_string(array.type):
        array = array.cast(pa.large_string())
    fits = pc.fill_null(pc.equal(pc.binary_length(array), LENGTH), False)
    whole = array.filter(fits)
    _, offsets, data = whole.buffers()
    start = int(np.frombuffer(offsets, np.int64)[whole.offset]) if len(whole) else 0
    size = LENGTH * len(whole)
    table = np.frombuffer(data or b"", np.uint8)[start : start + size].reshape(-1, LENGTH)
    return np.array(fits, dtype=bool), table


@dataclass(frozen=True, slots=True)
class Scheme:
    """A kind of identifier: what to call it, and which codes of a column are well-formed."""

    name: str
    valid: Callable[[Codes], NDArray[np.bool_]]

    def require(self, codes: Codes, *, where: str) -> None:
        """Raise ``DataError`` with the count and the first rows of ``codes`` that are not valid.

        ``where`` (a file and its column, say) begins the message, which never shows a code.
        """
        wrong = np.flatnonzero(~self.valid(codes))
        if len(wrong):
            raise DataError(
                f"{where}: {len(wrong):,} of {len(codes):,} are no {self.name}: {first_rows(wrong)}"
            )


CREDIT_CODE = Scheme("unified social credit code (GB 32100-2015)", credit_codes_valid)
RESIDENT_NUMBER = Scheme("resident identity number (GB 11643-1999)", resident_ids_valid)


def synthetic_credit_codes(generator: np.random.Generator, count: int) -> list[str]:
    """``count`` different well-formed codes of private companies, in a region that does not exist.

    ``generator`` is numpy's, since made-up data need no secrecy, only to be the same again. The
    organisation's own check character (GB 11714) is right too.
    """
    serials = _distinct(generator, count, len(CREDIT_ALPHABET) ** 6)
    places = len(CREDIT_ALPHABET) ** np.arange(6)
    organisations = np.column_stack(
        [_repeated("MA", count), _CREDIT_CHECK[serials[:, None] // places % len(CREDIT_ALPHABET)]]
    )
    inner = -(_ORGANISATION_VALUE[organisations] @ _ORGANISATION_WEIGHTS) % 11
    bodies = np.column_stack(
        [_repeated(f"91{SYNTHETIC_REGION}", count), organisations, _ORGANISATION_CHECK[inner]]
    )
    return _strings(np.column_stack([bodies, credit_code_check(bodies)]))


def synthetic_resident_ids(generator: np.random.Generator, count: int) -> list[str]:
    """``count`` different well-formed numbers of people born 1950 to 1999, in no real region.

    At most 1,000,000 of the 18 million that there are.
    """
    if count > 1_000_000:
        raise ValueError(f"at most 1,000,000 numbers can be made up, not {count:,}")
    first, last = np.datetime64("1950-01-01"), np.datetime64("2000-01-01")
    days, order = np.divmod(
        _distinct(generator, count, int((last - first).astype(int)) * 1000), 1000
    )
    births = np.datetime_as_string(first + days).astype("S10").view(np.uint8).reshape(count, 10)
    orders = np.frombuffer(b"0123456789", np.uint8)[order[:, None] // [100, 10, 1] % 10]
    bodies = np.column_stack(
        [_repeated(SYNTHETIC_REGION, count), births[:, [0, 1, 2, 3, 5, 6, 8, 9]], orders]
    )
    return _strings(np.column_stack([bodies, resident_id_check(bodies)]))


def _distinct(generator: np.random.Generator, count: int, bound: int) -> NDArray[np.int64]:
    """``count`` different integers in [0, ``bound``), in random order."""
    drawn = np.empty(0, np.int64)
    while len(drawn) < count:
        drawn = np.unique(np.append(drawn, generator.integers(0, bound, count - len(drawn))))
    return generator.permutation(drawn)


def _repeated(text: str, count: int) -> Bytes:
    row = np.frombuffer(text.encode(), np.uint8)
    return np.broadcast_to(row, (count, len(row)))


def _strings(table: Bytes) -> list[str]:
    codes: list[str] = np.ascontiguousarray(table).view(f"S{LENGTH}").ravel().astype(str).tolist()
    return codes
