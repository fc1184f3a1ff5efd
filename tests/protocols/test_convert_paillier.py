# SPDX-License-Identifier: Apache-2.0
"""Shares to Paillier ciphertexts and back."""

from __future__ import annotations

import numpy as np
import pytest

from mpc.errors import ConfigError, EncodingOverflow, ProtocolError
from mpc.pb.v1 import arith_pb2 as pb
from mpc.primitives import paillier, sharing
from mpc.protocols import convert_paillier
from mpc.testing import run_pair, seeded
from tests.protocols.tampering import Tampering, flipped

EDGES = [0, 1, -1, 2**61, -(2**61), 2**62 - 1, -(2**62) + 1, 12345, -12345]


@pytest.fixture(scope="module")
def secret():
    return paillier.keygen(2048, rng=seeded("convert"))[0]


def there(secret, values, fraction_bits=0, seed=0):
    left, right = sharing.split(values, 2, fraction_bits=fraction_bits, rng=seeded(seed))
    return run_pair(
        lambda channel: convert_paillier.encrypt_owner(channel, left, secret, rng=seeded("l")),
        lambda channel: convert_paillier.encrypt_holder(channel, right),
    )[1]


def back(secret, ciphertexts):
    return sharing.reconstruct(
        run_pair(
            lambda channel: convert_paillier.decrypt_owner(
                channel,
                len(ciphertexts),
                secret,
                fraction_bits=ciphertexts.fraction_bits,
            ),
            lambda channel: convert_paillier.decrypt_holder(channel, ciphertexts, rng=seeded("r")),
        )
    )


@pytest.mark.parametrize("seed", range(4))
def test_there_and_back(secret, seed):
    ciphertexts = there(secret, EDGES, seed=seed)
    assert secret.decrypt(ciphertexts).tolist() == EDGES
    assert back(secret, ciphertexts).tolist() == EDGES


def test_every_case_of_the_top_bits(secret):
    x = np.array([5, -5], np.int64).view(np.uint64)
    for u in (0, 1, 2**62, 2**63 - 1, 2**63, 2**63 + 2**62, 2**64 - 1):
        left = sharing.Share(np.full(2, u, np.uint64), 0, 2)
        right = sharing.Share(x - left.words, 1, 2)
        _, ciphertexts = run_pair(
            lambda channel, left=left: convert_paillier.encrypt_owner(channel, left, secret),
            lambda channel, right=right: convert_paillier.encrypt_holder(channel, right),
        )
        assert secret.decrypt(ciphertexts).tolist() == [5, -5]


def test_scales_and_arithmetic_between(secret):
    ciphertexts = there(secret, [1.5, -2.25], fraction_bits=20)
    assert back(secret, ciphertexts + ciphertexts).tolist() == [3.0, -4.5]


def test_no_numbers(secret):
    assert back(secret, there(secret, np.empty(0, np.int64))).shape == (0,)


def test_the_result_is_stale(secret):
    assert not there(secret, [1]).fresh


def test_what_the_owner_decrypts_is_independent_of_the_number(secret):
    """The mask is 2^128 times as wide as the number, and uniform: top bits show nothing."""
    seen = {}
    for value in (0, 2**61):
        ciphertexts = there(secret, [value] * 200)
        tops = []

        def owner(channel, tops=tops):
            message = channel.recv(pb.MaskedCiphertexts)
            array = np.frombuffer(message.ciphertexts.data, np.uint8).reshape(200, -1)
            masked = paillier.Ciphertexts.from_array(secret.public, array)
            room = (2 * convert_paillier.ROOM + 1) << convert_paillier.MASK_MARGIN_BITS
            tops += [(8 * number) // room for number in secret.decrypt_residues(masked)]

        run_pair(
            owner,
            lambda channel, c=ciphertexts: convert_paillier.decrypt_holder(
                channel, c, rng=seeded("masks")
            ),
        )
        assert set(tops) == set(range(8))
        seen[value] = tops
    assert seen[0] == seen[2**61]


def test_a_key_that_fails_its_checks_is_the_peers_fault(secret):
    def change(message):
        message.public_key = flipped(message.public_key, 200)

    share = sharing.split([1], 2)
    with pytest.raises(ProtocolError, match="left: sent a key that fails its checks"):
        run_pair(
            lambda channel: convert_paillier.encrypt_owner(
                Tampering(channel, {pb.EncryptedShares: change}), share[0], secret
            ),
            lambda channel: convert_paillier.encrypt_holder(channel, share[1]),
        )


def test_too_few_ciphertexts_are_the_peers_fault(secret):
    share = sharing.split([1, 2], 2)
    with pytest.raises(ProtocolError, match="expected 4 elements, got 2"):
        run_pair(
            lambda channel: convert_paillier.encrypt_owner(channel, share[0][:1], secret),
            lambda channel: convert_paillier.encrypt_holder(channel, share[1]),
        )


def test_numbers_too_large_for_the_key(secret):
    ciphertexts = there(secret, [1]) * (1 << 1900)
    with pytest.raises(EncodingOverflow):
        run_pair(
            lambda channel: convert_paillier.decrypt_owner(channel, 1, secret),
            lambda channel: convert_paillier.decrypt_holder(channel, ciphertexts),
        )


def test_shares_of_three_parties_are_refused(secret):
    share = sharing.split([1], 3)[0]
    with pytest.raises(ConfigError, match="of two parties"):
        convert_paillier.encrypt_owner(None, share, secret)
