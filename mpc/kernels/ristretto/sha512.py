# SPDX-License-Identifier: Apache-2.0
"""SHA-512 (FIPS 180-4) of eight messages side by side, for numba code."""

from __future__ import annotations

from itertools import count, islice
from typing import Any

import gmpy2
import numpy as np
from llvmlite import ir
from numba import types

from mpc.kernels.lanes import COUNT, VECTOR, emits, lanes, read, splat

BLOCK_BYTES = 128
BLOCK_WORDS = BLOCK_BYTES // 8
PADDING_BYTES = 17  # at least: the byte 0x80 and the length in sixteen bytes
ROUNDS = 80
STATE = types.UniTuple(lanes, 8)

_PRIMES = list(islice((n for n in count(2) if gmpy2.is_prime(n)), ROUNDS))
_WORD = 2**64 - 1
# Sections 4.2.3 and 5.3.5: fractions of the cube roots and the square roots of the first primes.
ROUND_CONSTANTS = [int(gmpy2.iroot(gmpy2.mpz(p) << 192, 3)[0]) & _WORD for p in _PRIMES]
INITIAL = np.array(
    [int(gmpy2.isqrt(gmpy2.mpz(p) << 128)) & _WORD for p in _PRIMES[:8]], dtype=np.uint64
)


def _rotated(b: Any, x: Any, *counts: int) -> Any:
    """The exclusive or of x rotated right by each count."""
    out = None
    for n in counts:
        turned = b.or_(b.lshr(x, splat(n)), b.shl(x, splat(64 - n)))
        out = turned if out is None else b.xor(out, turned)
    return out


def _sum(b: Any, *terms: Any) -> Any:
    out = terms[0]
    for term in terms[1:]:
        out = b.add(out, term)
    return out


def _round(b: Any, state: list[Any], word: Any, constant: int) -> list[Any]:
    """Section 6.4.2, step 3."""
    a, bb, c, d, e, f, g, h = state
    choice = b.xor(g, b.and_(e, b.xor(f, g)))
    majority = b.or_(b.and_(a, bb), b.and_(c, b.or_(a, bb)))
    t1 = _sum(b, h, _rotated(b, e, 14, 18, 41), choice, b.add(word, splat(constant)))
    t2 = b.add(_rotated(b, a, 28, 34, 39), majority)
    return [b.add(t1, t2), a, bb, c, b.add(d, t1), e, f, g]


@emits(STATE, STATE, types.intp)
def compressed(b: Any, state: Any, block: Any) -> Any:
    """The state after one block, of sixteen times eight words at an address."""
    words = [read(b, block, COUNT * i) for i in range(BLOCK_WORDS)]
    before = [b.extract_value(state, i) for i in range(8)]
    after = before
    for t in range(ROUNDS):
        if t >= BLOCK_WORDS:
            w1, w14 = words[(t + 1) % BLOCK_WORDS], words[(t + 14) % BLOCK_WORDS]
            small0 = b.xor(_rotated(b, w1, 1, 8), b.lshr(w1, splat(7)))
            small1 = b.xor(_rotated(b, w14, 19, 61), b.lshr(w14, splat(6)))
            old, w9 = words[t % BLOCK_WORDS], words[(t + 9) % BLOCK_WORDS]
            words[t % BLOCK_WORDS] = _sum(b, old, small0, w9, small1)
        after = _round(b, after, words[t % BLOCK_WORDS], ROUND_CONSTANTS[t])
    out = ir.Constant(ir.ArrayType(VECTOR, 8), ir.Undefined)
    for i in range(8):
        out = b.insert_value(out, b.add(before[i], after[i]), i)
    return out


@emits(STATE, lanes, STATE, STATE)
def chosen(b: Any, mask: Any, state: Any, other: Any) -> Any:
    """``state`` in lanes where ``mask`` is all ones, ``other`` where it is zero."""
    out = state
    for i in range(8):
        p, q = b.extract_value(state, i), b.extract_value(other, i)
        out = b.insert_value(out, b.xor(q, b.and_(mask, b.xor(p, q))), i)
    return out


@emits(lanes, lanes)
def byteswapped(b: Any, x: Any) -> Any:
    """Big-endian words as little-endian ones."""
    of = ir.FunctionType(VECTOR, [VECTOR])
    return b.call(b.module.declare_intrinsic("llvm.bswap.v8i64", (), of), [x])
