# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import copy
import hashlib
import pickle
from collections.abc import Callable

import gmpy2
import pytest

from mpc.errors import InvalidKey
from mpc.primitives.paillier import PublicKey, SecretKey, keygen, primes
from mpc.primitives.paillier import keys as key_module
from mpc.primitives.rng import SYSTEM
from mpc.testing import seeded

Keys = tuple[SecretKey, PublicKey]

# Primes of 256 bits that are 3 and 1 modulo 4, from a seeded search.
BLUM = primes.random_prime(256, seeded("blum"))

# Arnault 1995: with this p, p*(313*(p-1)+1)*(353*(p-1)+1) passes for all prime bases below 307.
ARNAULT = int(
    "29674495668685510550154174642905332730771991799853043350995075531276838753171770199594"
    "238596428121188033664754218345562493168782883"
)


def prime_that(bits: int, residue: int, label: str) -> int:
    """A prime of ``bits`` bits with this residue modulo 4 and its top two bits set."""
    candidate = int.from_bytes(seeded(label).bytes(bits // 8), "big") | 3 << (bits - 2)
    candidate = candidate - candidate % 4 + residue
    while not gmpy2.is_prime(candidate):
        candidate += 4
    return candidate


# --- primes --------------------------------------------------------------------------------------


@pytest.mark.parametrize("bits", [64, 256, 384, 512])
def test_primes_have_their_length_and_are_3_modulo_4(bits: int) -> None:
    prime = primes.random_prime(bits, seeded(f"prime {bits}"))
    assert prime.bit_length() == bits
    assert prime % 4 == 3
    assert gmpy2.is_prime(prime, 50)
    # The product of two of these has exactly twice their length.
    assert prime * prime >> (2 * bits - 1) == 1


def test_rounds_are_those_of_fips_186_5() -> None:
    assert primes.DRAWN_ROUNDS == {1024: 5, 1536: 4, 2048: 4}


@pytest.mark.parametrize(
    "composite",
    [
        561,  # a Carmichael number
        3215031751,  # a strong pseudoprime to the bases 2, 3, 5 and 7
        # A strong pseudoprime to all prime bases up to 37 (Zhang 2007; OEIS A014233).
        318665857834031151167461,
        ARNAULT * (313 * (ARNAULT - 1) + 1) * (353 * (ARNAULT - 1) + 1),
        BLUM * BLUM,
    ],
)
def test_composites_that_pass_for_primes_do_not(composite: int) -> None:
    assert not primes.is_probable_prime(composite, primes.GIVEN_ROUNDS, SYSTEM)


def test_arnaults_number_deceives_the_small_bases() -> None:
    number = ARNAULT * (313 * (ARNAULT - 1) + 1) * (353 * (ARNAULT - 1) + 1)
    assert all(gmpy2.is_strong_prp(number, base) for base in (2, 3, 5, 101, 293))


def test_a_base_that_shares_a_factor_shows_a_composite() -> None:
    """Of candidates without a factor below 2**13 a base meets one in some 80,000 times: one of a
    thousand generated keys does."""

    class Multiples:
        def bytes(self, count: int) -> bytes:
            return (2 * 8209 - 2).to_bytes(4, "little") * (count // 4)

    assert not primes.has_factor_below(8209 * 8219, primes.SIEVE)
    assert not primes.is_probable_prime(8209 * 8219, 3, Multiples())
    assert primes.is_probable_prime(8209, 3, SYSTEM)


def test_small_primes_pass() -> None:
    small = [n for n in range(10_000) if primes.is_probable_prime(n, 10, SYSTEM)]
    assert small == [n for n in range(10_000) if gmpy2.is_prime(n)]


def test_small_factors_are_seen() -> None:
    assert primes.has_factor_below(65521 * BLUM, 1 << 16)
    assert not primes.has_factor_below(65537 * BLUM, 1 << 16)


# --- key generation ------------------------------------------------------------------------------


@pytest.mark.parametrize("bits", [512, 770, 1024])
def test_keys_have_exactly_the_length_asked_for(bits: int) -> None:
    secret, public = keygen(bits, allow_weak=True)
    p, q = secret.reveal_primes()
    assert public.bits == bits
    assert p * q == public.n
    assert p.bit_length() == q.bit_length() == bits // 2
    assert p % 4 == q % 4 == 3
    assert gmpy2.gcd(p - 1, q - 1) == 2
    assert gmpy2.gcd(public.n, (p - 1) * (q - 1)) == 1
    assert secret.decrypt(public.encrypt([-3])).tolist() == [-3]


@pytest.mark.parametrize("bits", [2048, 3072, pytest.param(4096, marks=pytest.mark.slow)])
def test_strong_keys_need_no_leave(bits: int) -> None:
    secret, public = keygen(bits, rng=seeded(f"strong {bits}"))
    assert public.bits == bits
    again = PublicKey.from_bytes(public.to_bytes())
    assert secret.decrypt(again.encrypt([1.5])).tolist() == [1.5]


def test_the_default_length_is_3072() -> None:
    assert keygen.__defaults__ == (3072,)


@pytest.mark.parametrize("bits", [511, 2047, 510, 8194, 0, -2])
def test_impossible_lengths(bits: int) -> None:
    with pytest.raises(InvalidKey):
        keygen(bits, allow_weak=True)


def test_weak_keys_take_an_explicit_leave(keys_of: Callable[..., Keys]) -> None:
    with pytest.raises(InvalidKey, match="allow_weak"):
        keygen(1024)
    secret, public = keys_of(768)
    with pytest.raises(InvalidKey, match="allow_weak"):
        PublicKey.from_bytes(public.to_bytes())
    with pytest.raises(InvalidKey, match="allow_weak"):
        SecretKey.from_primes(*secret.reveal_primes())


def test_a_seed_decides_the_key_and_the_system_gives_another() -> None:
    first = keygen(512, allow_weak=True, rng=seeded(1))[1]
    assert first == keygen(512, allow_weak=True, rng=seeded(1))[1]
    assert first != keygen(512, allow_weak=True, rng=seeded(2))[1]
    assert keygen(512, allow_weak=True)[1] != keygen(512, allow_weak=True)[1]
    assert hashlib.sha256(first.to_bytes()).hexdigest()[:16] == "8698f40b039b4f7e"


# --- given primes --------------------------------------------------------------------------------


def test_given_primes_are_checked() -> None:
    p = BLUM
    close = int(gmpy2.next_prime(p))
    composite = primes.random_prime(128, seeded("a")) * primes.random_prime(128, seeded("b"))
    assert composite.bit_length() == 256
    faults = {
        "too close": (p, close),
        "half as long": (p, primes.random_prime(260, seeded("longer"))),
        "not prime": (p, composite),
        "odd": (p, p + 1),
        "512 to 8192": (p, 3),
    }
    for message, pair in faults.items():
        with pytest.raises(InvalidKey, match=message):
            SecretKey.from_primes(*pair, allow_weak=True)
    with pytest.raises(InvalidKey, match="close"):
        SecretKey.from_primes(p, p, allow_weak=True)


def test_a_factor_in_common_with_phi_is_refused() -> None:
    """Primes of one length have none, so the check is tried on numbers that are not prime."""
    p, q = BLUM - BLUM % 6 + 3, prime_that(256, 1, "q")
    q += next(step for step in (0, 2, 4) if (q + step) % 3 == 1)
    with pytest.raises(InvalidKey, match=r"phi\(n\)"):
        key_module.check_primes(p, q)


def test_primes_of_another_form_get_a_key_without_proof(backend: str) -> None:
    p, q = prime_that(256, 1, "one"), prime_that(256, 3, "three")
    secret = SecretKey.from_primes(p, q, allow_weak=True)
    assert secret.public.proof is None
    assert SecretKey.from_primes(BLUM, q, allow_weak=True).public.proof is not None
    x = secret.public.encrypt([7, -7])
    assert secret.decrypt(x + secret.encrypt([1, 1])).tolist() == [8, -6]


# --- the public key on the wire ------------------------------------------------------------------


def test_public_keys_go_and_come(keys: Keys) -> None:
    secret, public = keys
    again = PublicKey.from_bytes(public.to_bytes(), allow_weak=True)
    assert again == public
    assert again.id == public.id
    assert len(public.id) == 32
    assert again.proof == public.proof
    assert secret.decrypt(again.encrypt([4])).tolist() == [4]
    assert hash(again) == hash(public)


def test_damaged_public_keys_are_refused(keys_of: Callable[..., Keys]) -> None:
    data = keys_of(768)[1].to_bytes()
    n = keys_of(768)[1].n
    proofless = PublicKey(n, allow_weak=True, allow_unproven=True).to_bytes()
    faults = {
        "not an encoded": [b"", b"no key", data[:20], data[:60], b"x" + data],
        "proof has": [data[:-1], data + b"\0"],
        "no proof": [proofless],
    }
    for message, broken in faults.items():
        for one in broken:
            with pytest.raises(InvalidKey, match=message):
                PublicKey.from_bytes(one, allow_weak=True)
    assert PublicKey.from_bytes(proofless, allow_weak=True, allow_unproven=True).proof is None


def test_a_modulus_has_one_encoding(keys_of: Callable[..., Keys]) -> None:
    data = keys_of(768)[1].to_bytes()
    start = data.index(b"\0") + 1
    padded = data[:start] + (97).to_bytes(4, "little") + data[start + 4 : start + 100] + b"\0"
    with pytest.raises(InvalidKey, match="shortest"):
        PublicKey.from_bytes(padded, allow_weak=True, allow_unproven=True)


@pytest.mark.parametrize("n", [1 << 600, 3, (1 << 8192) + 1])
def test_impossible_moduli(n: int) -> None:
    with pytest.raises(InvalidKey):
        PublicKey(n, allow_weak=True, allow_unproven=True)


def test_a_key_is_not_taken_as_it_is_where_that_is_not_said(keys_of: Callable[..., Keys]) -> None:
    """Its length and its proof are checked, whoever makes it; a copy is not checked again."""
    (_, public), (_, other) = keys_of(768), keys_of(768, "other")
    assert PublicKey(public.n, public.proof, allow_weak=True) == public
    with pytest.raises(InvalidKey, match="768 bits can be factored"):
        PublicKey(public.n, public.proof)
    with pytest.raises(InvalidKey, match="no proof of its form"):
        PublicKey(public.n, allow_weak=True)
    for allow in (False, True):
        with pytest.raises(InvalidKey, match="key proof"):
            PublicKey(public.n, other.proof, allow_weak=True, allow_unproven=allow)
    assert PublicKey((1 << 2047) + 1, allow_unproven=True).bits == 2048


def test_a_copy_of_a_key_is_not_verified_again(
    keys_of: Callable[..., Keys], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, public = keys_of(768)
    monkeypatch.setattr(key_module, "verify", None)
    for again in (copy.copy(public), pickle.loads(pickle.dumps(public))):
        assert again == public
        assert again.proof == public.proof
        assert again.masks is not public.masks


# --- what shows ----------------------------------------------------------------------------------


def test_secret_keys_show_nothing(keys_of: Callable[..., Keys]) -> None:
    secret, public = keys_of(768)
    p, q = secret.reveal_primes()
    secret.decrypt(public.encrypt([1]))
    shown = f"{secret!r} {secret} {secret._owner()!r}"
    assert "<secret>" in shown
    for prime in (p, q):
        assert str(prime) not in shown
        assert hex(prime)[2:] not in shown
    assert not hasattr(secret, "p")
    assert not hasattr(secret, "__dict__")
    with pytest.raises(TypeError, match="do not compare"):
        secret == secret  # noqa: B015
    with pytest.raises(TypeError, match="truth value"):
        bool(secret)
    with pytest.raises(TypeError, match="unhashable"):
        hash(secret)


@pytest.mark.parametrize("duplicate", [pickle.dumps, copy.copy, copy.deepcopy])
def test_secret_keys_are_not_pickled(
    duplicate: Callable[[object], object], keys_of: Callable[..., Keys]
) -> None:
    with pytest.raises(TypeError, match="keystore"):
        duplicate(keys_of(768)[0])


def test_a_copied_public_key_makes_its_own_masks(keys_of: Callable[..., Keys]) -> None:
    _, public = keys_of(768)
    for other in (pickle.loads(pickle.dumps(public)), copy.copy(public), copy.deepcopy(public)):
        assert other == public
        assert other.proof == public.proof
        assert other.masks is not public.masks
