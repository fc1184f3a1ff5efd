# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from datetime import date

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc.apps import identifiers
from mpc.apps.identifiers import CREDIT_ALPHABET, CREDIT_CODE, RESIDENT_NUMBER
from mpc.errors import DataError

# Codes that companies print on their sites and that other validators use as examples.
KNOWN_CREDIT_CODES = [
    "91350100M000100Y43",  # the worked example that goes with the standard: sum 1640, check 3
    "91110108551385082Q",
    "91110000600037341L",
    "91310110666007217T",
    "91310115591693856A",
    "92371000MA3MXH0E3W",
    "91230184MA1BUFLT44",
]
# Given out in pilot regions before the standard: in use, and not in keeping with it.
PILOT_CREDIT_CODES = ["91350211M00013FA1N", "91350100M0001TGQXM", "91350211M0000XUF46"]
# The two examples of GB 11643-1999 itself.
KNOWN_RESIDENT_IDS = ["11010519491231002X", "440524188001010014"]
TODAY = date(2026, 7, 31)


def plain_credit_check(body: str) -> str:
    """GB 32100-2015 in plain Python, written from the standard's formula."""
    total = sum(CREDIT_ALPHABET.index(c) * pow(3, i) for i, c in enumerate(body))
    return CREDIT_ALPHABET[(31 - total % 31) % 31]


def plain_resident_check(body: str) -> str:
    """ISO 7064 MOD 11-2 in its recursive form."""
    rest = 0
    for c in body:
        rest = (rest + int(c)) * 2 % 11
    return "0123456789X"[(12 - rest) % 11]


def ascii_rows(bodies: list[str]) -> np.ndarray:
    return np.frombuffer("".join(bodies).encode(), np.uint8).reshape(len(bodies), 17)


def test_known_credit_codes():
    assert identifiers.credit_codes_valid(KNOWN_CREDIT_CODES).all()
    assert not identifiers.credit_codes_valid(PILOT_CREDIT_CODES).any()


def test_known_resident_ids():
    assert identifiers.resident_ids_valid(KNOWN_RESIDENT_IDS).tolist() == [True, True]


@given(st.lists(st.text(CREDIT_ALPHABET, min_size=17, max_size=17), min_size=1))
def test_credit_check_equals_the_plain_formula(bodies):
    checks = identifiers.credit_code_check(ascii_rows(bodies)).tobytes().decode()
    assert checks == "".join(map(plain_credit_check, bodies))


@given(st.lists(st.text("0123456789", min_size=17, max_size=17), min_size=1))
def test_resident_check_equals_the_plain_formula(bodies):
    checks = identifiers.resident_id_check(ascii_rows(bodies)).tobytes().decode()
    assert checks == "".join(map(plain_resident_check, bodies))


@given(
    st.integers(0, len(KNOWN_CREDIT_CODES) - 1),
    st.integers(0, 17),
    st.sampled_from(CREDIT_ALPHABET),
)
def test_any_one_wrong_character_is_found(which, place, character):
    code = KNOWN_CREDIT_CODES[which]
    changed = code[:place] + character + code[place + 1 :]
    assert identifiers.credit_codes_valid([changed])[0] == (changed == code)


@given(st.integers(0, 16))
def test_any_swap_of_neighbours_is_found(place):
    for code in KNOWN_RESIDENT_IDS:
        if place == 16 and "X" in code:
            continue
        changed = code[:place] + code[place + 1] + code[place] + code[place + 2 :]
        assert identifiers.resident_ids_valid([changed])[0] == (changed == code)


@given(
    st.dates(date(1700, 1, 1), date(2100, 1, 1)) | st.tuples(*[st.integers(0, 99)] * 2),
    st.integers(1700, 2099),
)
def test_birth_dates_follow_the_calendar(day, year):
    if isinstance(day, date):
        text, expected = f"{day:%Y%m%d}", date(1800, 1, 1) <= day <= TODAY
    else:
        text = f"{year}{day[0]:02}{day[1]:02}"
        try:
            expected = date(1800, 1, 1) <= date(year, *day) <= TODAY
        except ValueError:
            expected = False
    body = f"110105{text}002"
    number = body + plain_resident_check(body)
    assert identifiers.resident_ids_valid([number], today=TODAY)[0] == expected


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "9111010855138508",
        "91110108551385082QQ",
        "91110108551385082q",
        "911101085513850\uff12",  # 18 bytes that are 16 characters
        "I1110108551385082Q",
        "911A0108551385082Q",
        " 1110108551385082Q",
        None,
    ],
)
def test_malformed_credit_codes(bad):
    codes = [KNOWN_CREDIT_CODES[0], bad, KNOWN_CREDIT_CODES[1]]
    assert identifiers.credit_codes_valid(codes).tolist() == [True, False, True]


@pytest.mark.parametrize(
    "bad", ["", "11010519491231002x", "010105194912310022", "1101051949123100XX", "0" * 18, None]
)
def test_malformed_resident_ids(bad):
    ids = [KNOWN_RESIDENT_IDS[0], bad, KNOWN_RESIDENT_IDS[1]]
    assert identifiers.resident_ids_valid(ids).tolist() == [True, False, True]


def test_arrow_arrays_slices_and_nothing():
    for kind in (pa.string(), pa.large_string()):
        array = pa.array(["x", None, *KNOWN_CREDIT_CODES, "y"], kind)
        known = len(KNOWN_CREDIT_CODES)
        assert identifiers.credit_codes_valid(array[1:-1]).tolist() == [False] + [True] * known
        assert identifiers.credit_codes_valid(array[3:5]).tolist() == [True, True]
    assert identifiers.credit_codes_valid([]).tolist() == []
    assert identifiers.resident_ids_valid(pa.array([], pa.string())).tolist() == []
    assert identifiers.credit_codes_valid([None]).tolist() == [False]


def test_errors_count_and_show_rows_but_no_code():
    codes = [KNOWN_CREDIT_CODES[0]] + ["secret"] * 7
    with pytest.raises(DataError) as caught:
        CREDIT_CODE.require(codes, where="loans.csv, column 'code'")
    assert str(caught.value) == (
        "loans.csv, column 'code': 7 of 8 are no unified social credit code (GB 32100-2015): "
        "rows 2, 3, 4, 5, 6, ..."
    )
    with pytest.raises(DataError, match=r"1 of 1 are no resident identity number .*: row 1$"):
        RESIDENT_NUMBER.require(["1"], where="x")
    CREDIT_CODE.require(KNOWN_CREDIT_CODES, where="x")


def test_synthetic_codes_are_valid_distinct_and_reproducible():
    codes = identifiers.synthetic_credit_codes(np.random.default_rng(5), 20_000)
    assert codes == identifiers.synthetic_credit_codes(np.random.default_rng(5), 20_000)
    assert len(set(codes)) == 20_000
    assert identifiers.credit_codes_valid(codes).all()
    assert all(code.startswith("91990100MA") for code in codes)
    # The organisation's own check character keeps GB 11714.
    for code in codes[:100]:
        inner = code[8:17]
        weights = (3, 7, 9, 10, 5, 8, 4, 2)
        total = sum(int(c, 36) * w for c, w in zip(inner, weights, strict=False))
        assert inner[8] == {10: "X", 11: "0"}.get(11 - total % 11, str(11 - total % 11))


def test_synthetic_resident_ids():
    ids = identifiers.synthetic_resident_ids(np.random.default_rng(5), 20_000)
    assert len(set(ids)) == 20_000
    assert identifiers.resident_ids_valid(ids).all()
    assert {i[6:10] for i in ids} == {str(year) for year in range(1950, 2000)}
    assert identifiers.synthetic_resident_ids(np.random.default_rng(5), 0) == []
    with pytest.raises(ValueError, match="1,000,000"):
        identifiers.synthetic_resident_ids(np.random.default_rng(5), 1_000_001)
