# SPDX-License-Identifier: Apache-2.0
"""SHA-512 of items, and expand_message_xmd of RFC 9380 (section 5.3.1) to 64 bytes, by eights.

    b0 = H(128 zeros || item || 0, 64 || 0 || DST')        DST' = DST || its length
    b1 = H(b0 || 1 || DST')

The first block of b0 is the same for all items, and what follows b0 in b1 is too.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpc.kernels.compiled import inner, kernel
from mpc.kernels.lanes import COUNT, address, broadcast, equal, load, store, zero
from mpc.kernels.ristretto.sha512 import (
    BLOCK_BYTES,
    BLOCK_WORDS,
    INITIAL,
    PADDING_BYTES,
    byteswapped,
    chosen,
    compressed,
)

OUTPUT_BYTES = 64
SCRATCH_WORDS = (BLOCK_WORDS + 1) * COUNT  # a block, and eight words that tell what is over


def tail_of(dst: bytes) -> NDArray[np.uint8]:
    """What follows the item in b0."""
    tail = OUTPUT_BYTES.to_bytes(2, "big") + b"\0" + dst + bytes([len(dst)])
    return np.frombuffer(tail, np.uint8)


def rest_of(dst: bytes) -> NDArray[np.uint64]:
    """The padded message of b1 as words, with zeros for b0."""
    message = bytes(OUTPUT_BYTES) + b"\1" + dst + bytes([len(dst)])
    zeros = -(len(message) + PADDING_BYTES) % BLOCK_BYTES
    padded = message + b"\x80" + bytes(zeros) + (8 * len(message)).to_bytes(16, "big")
    return np.frombuffer(padded, ">u8").astype(np.uint64)


@inner
def _initial() -> Any:
    return (
        broadcast(INITIAL[0]),
        broadcast(INITIAL[1]),
        broadcast(INITIAL[2]),
        broadcast(INITIAL[3]),
        broadcast(INITIAL[4]),
        broadcast(INITIAL[5]),
        broadcast(INITIAL[6]),
        broadcast(INITIAL[7]),
    )


@inner
def _blocks(length: int, tail: Any) -> int:
    """How many blocks an item and what follows it fill."""
    return (length + len(tail) + PADDING_BYTES + BLOCK_BYTES - 1) // BLOCK_BYTES


@inner
def _put(word_bytes: Any, lane: int, at: int, source: Any, first: int, stop: int) -> None:
    """Bytes ``first`` to ``stop`` of the source at byte ``at`` of a lane of big-endian words."""
    for i in range(first, stop):
        j = at + i - first
        word_bytes[(j >> 3) * 8 * COUNT + 8 * lane + 7 - (j & 7)] = source[i]


@inner
def _fill(block: Any, lane: int, number: int, item: Any, tail: Any, before: int) -> None:
    """Block ``number`` of an item, its tail and the padding, in one lane."""
    for word in range(BLOCK_WORDS):
        block[word * COUNT + lane] = 0
    start = number * BLOCK_BYTES
    stop = start + BLOCK_BYTES
    word_bytes = block.view(np.uint8)
    ends = len(item) + len(tail)
    _put(word_bytes, lane, 0, item, start, min(stop, len(item)))
    first = max(start, len(item))
    _put(word_bytes, lane, first - start, tail, first - len(item), min(stop, ends) - len(item))
    if start <= ends < stop:
        j = ends - start
        word_bytes[(j >> 3) * 8 * COUNT + 8 * lane + 7 - (j & 7)] = 0x80
    if number == _blocks(len(item), tail) - 1:
        block[(BLOCK_WORDS - 1) * COUNT + lane] = 8 * (before + ends)


@inner
def _compress(state: Any, block: Any) -> Any:
    """``compressed`` as a function of its own, because it is long."""
    return compressed(state, address(block))


@inner
def _hashed(
    state: Any,
    before: int,
    first: int,
    stop: int,
    block: Any,
    data: Any,
    offsets: Any,
    tail: Any,
) -> Any:
    """The hash of eight items, each with ``tail``, as a state; it begins after ``before`` bytes."""
    most = 0
    for lane in range(COUNT):
        row = min(first + lane, stop - 1)
        most = max(most, _blocks(offsets[row + 1] - offsets[row], tail))
    for number in range(most):
        for lane in range(COUNT):
            row = min(first + lane, stop - 1)
            item = data[offsets[row] : offsets[row + 1]]
            over = number >= _blocks(len(item), tail)
            block[BLOCK_WORDS * COUNT + lane] = over
            if not over:
                _fill(block, lane, number, item, tail, before)
        going_on = equal(load(address(block), BLOCK_WORDS * COUNT), zero())
        state = chosen(going_on, _compress(state, block), state)
    return state


@inner
def _second_hash(state: Any, block: Any, b0: Any, rest: Any) -> Any:
    """b1 of eight items, from the initial state."""
    for start in range(0, len(rest), BLOCK_WORDS):
        at = address(block)
        for word in range(BLOCK_WORDS):
            store(at, word * COUNT, broadcast(rest[start + word]))
        if start == 0:
            for word in range(8):
                store(at, word * COUNT, b0[word])
        state = _compress(state, block)
    return state


@inner
def _put_digests(state: Any, out: Any, first: int, stop: int, block: Any) -> None:
    at = address(block)
    for word in range(8):
        store(at, word * COUNT, byteswapped(state[word]))
    for lane in range(min(COUNT, stop - first)):
        for word in range(8):
            out[first + lane, word] = block[word * COUNT + lane]


@kernel
def digest_kernel(
    start: int, stop: int, data: Any, offsets: Any, tail: Any, out: Any, block: Any
) -> None:
    """SHA-512 of items ``start`` to ``stop``, each with ``tail``, as rows of eight words."""
    for first in range(start, stop, COUNT):
        state = _hashed(_initial(), 0, first, stop, block, data, offsets, tail)
        _put_digests(state, out, first, stop, block)


@kernel
def expand_kernel(
    start: int, stop: int, data: Any, offsets: Any, tail: Any, rest: Any, out: Any, block: Any
) -> None:
    """The 64 bytes of items ``start`` to ``stop`` as rows of eight words."""
    initial = _initial()
    block[: BLOCK_WORDS * COUNT] = 0
    after_zeros = _compress(initial, block)
    for first in range(start, stop, COUNT):
        b0 = _hashed(after_zeros, BLOCK_BYTES, first, stop, block, data, offsets, tail)
        _put_digests(_second_hash(initial, block, b0, rest), out, first, stop, block)
