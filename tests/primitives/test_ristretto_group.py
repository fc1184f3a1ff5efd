# SPDX-License-Identifier: Apache-2.0
"""ristretto255 on both kernels against the vectors of RFC 9496 and RFC 9380, and as a group."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpc import kernels
from mpc.errors import ConfigError, CryptoError
from mpc.kernels.ristretto import portable
from mpc.primitives import ristretto
from mpc.primitives.items import Items
from mpc.primitives.ristretto import ORDER
from mpc.testing import seeded

BACKENDS = ["portable"] + (["simd"] if kernels.backend() == "simd" else [])
P = 2**255 - 19

# RFC 9496, appendix A.1: multiples 0 to 15 of the generator.
MULTIPLES = """
00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000
e2f2ae0a 6abc4e71 a884a961 c500515f 58e30b6a a582dd8d b6a65945 e08d2d76
6a493210 f7499cd1 7fecb510 ae0cea23 a110e8d5 b901f8ac add3095c 73a3b919
94741f5d 5d52755e ce4f23f0 44ee27d5 d1ea1e2b d196b462 166b1615 2a9d0259
da808627 73358b46 6ffadfe0 b3293ab3 d9fd53c5 ea6c9553 58f56832 2daf6a57
e882b131 016b52c1 d3337080 187cf768 423efccb b517bb49 5ab812c4 160ff44e
f64746d3 c92b1305 0ed8d802 36a7f000 7c3b3f96 2f5ba793 d19a601e bb1df403
44f53520 926ec81f bd5a3878 45beb7df 85a96a24 ece18738 bdcfa6a7 822a176d
903293d8 f2287ebe 10e2374d c1a53e0b c887e592 699f02d0 77d5263c dd55601c
02622ace 8f7303a3 1cafc63f 8fc48fdc 16e1c8c8 d234b2f0 d6685282 a9076031
20706fd7 88b2720a 1ed2a5da d4952b01 f413bcf0 e7564de8 cdc81668 9e2db95f
bce83f8b a5dd2fa5 72864c24 ba1810f9 522bc600 4afe9587 7ac73241 cafdab42
e4549ee1 6b9aa030 99ca208c 67adafca fa4c3f3e 4e5303de 6026e3ca 8ff84460
aa52e000 df2e16f5 5fb1032f c33bc427 42dad6bd 5a8fc0be 0167436c 5948501f
46376b80 f409b29d c2b5f6f0 c5259199 0896e571 6f41477c d30085ab 7f10301e
e0c418f7 c8d9c4cd d7395b93 ea124f3a d99021bb 681dfc33 02a9d99a 2e53e64e
"""

# RFC 9496, appendix A.2: encodings that must be rejected.
NON_CANONICAL = """
00ffffff ffffffff ffffffff ffffffff ffffffff ffffffff ffffffff ffffffff
ffffffff ffffffff ffffffff ffffffff ffffffff ffffffff ffffffff ffffff7f
f3ffffff ffffffff ffffffff ffffffff ffffffff ffffffff ffffffff ffffff7f
edffffff ffffffff ffffffff ffffffff ffffffff ffffffff ffffffff ffffff7f
"""
NEGATIVE = """
01000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000
01ffffff ffffffff ffffffff ffffffff ffffffff ffffffff ffffffff ffffff7f
ed57ffd8 c914fb20 1471d1c3 d245ce3c 746fcbe6 3a3679d5 1b6a516e bebe0e20
c34c4e18 26e5d403 b78e246e 88aa051c 36ccf0aa febffe13 7d148a2b f9104562
c940e5a4 404157cf b1628b10 8db051a8 d439e1a4 21394ec4 ebccb9ec 92a8ac78
47cfc549 7c53dc8e 61c91d17 fd626ffb 1c49e2bc a94eed05 2281b510 b1117a24
f1c6165d 33367351 b0da8f6e 4511010c 68174a03 b6581212 c71c0e1d 026c3c72
87260f7a 2f124951 18360f02 c26a470f 450dadf3 4a413d21 042b43b9 d93e1309
"""
NON_SQUARE = """
26948d35 ca62e643 e26a8317 7332e6b6 afeb9d08 e4268b65 0f1f5bbd 8d81d371
4eac077a 713c57b4 f4397629 a4145982 c661f480 44dd3f96 427d40b1 47d9742f
de6a7b00 deadc788 eb6b6c8d 20c0ae96 c2f20190 78fa604f ee5b87d6 e989ad7b
bcab477b e20861e0 1e4a0e29 5284146a 510150d9 817763ca f1a6f4b4 22d67042
2a292df7 e32cabab bd9de088 d1d1abec 9fc0440f 637ed2fb a145094d c14bea08
f4a9e534 fc0d216c 44b218fa 0c42d996 35a0127e e2e53c71 2f706096 49fdff22
8268436f 8c412619 6cf64b3c 7ddbda90 746a3786 25f9813d d9b84570 77256731
2810e5cb c2cc4d4e ece54f61 c6f69758 e289aa7a b440b3cb eaa21995 c2f4232b
"""
NEGATIVE_XY = """
3eb858e7 8f5a7254 d8c97311 74a94f76 755fd394 1c0ac937 35c07ba1 4579630e
a45fdc55 c76448c0 49a1ab33 f17023ed fb2be358 1e9c7aad e8a61252 15e04220
d483fe81 3c6ba647 ebbfd3ec 41adca1c 6130c2be eee9d9bf 065c8d15 1c5f396e
8a2e1d30 050198c6 5a544831 23960ccc 38aef684 8e1ec8f5 f780e852 3769ba32
32888462 f8b486c6 8ad7dd96 10be5192 bbeaf3b4 43951ac1 a8118419 d9fa097b
22714250 1b9d4355 ccba2904 04bde415 75b03769 3cef1f43 8c47f8fb f35d1165
5c37cc49 1da847cf eb9281d4 07efc41e 15144c87 6e0170b4 99a96a22 ed31e01e
44542511 7cb8c90e dcbc7c1c c0e74f74 7f2c1efa 5630a967 c64f2877 92a48a4b
"""
ZERO_Y = "ecffffff ffffffff ffffffff ffffffff ffffffff ffffffff ffffffff ffffff7f"

# RFC 9496, appendix A.3: uniform bytes and the elements they map to.
MAPPED = [
    (
        "5d1be09e3d0c82fc538112490e35701979d99e06ca3e2b5b54bffe8b4dc772c1"
        "4d98b696a1bbfb5ca32c436cc61c16563790306c79eaca7705668b47dffe5bb6",
        "3066f82a 1a747d45 120d1740 f1435853 1a8f04bb ffe6a819 f86dfe50 f44a0a46",
    ),
    (
        "f116b34b8f17ceb56e8732a60d913dd10cce47a6d53bee9204be8b44f6678b27"
        "0102a56902e2488c46120e9276cfe54638286b9e4b3cdb470b542d46c2068d38",
        "f26e5b6f 7d362d2d 2a94c5d0 e7602cb4 773c95a2 e5c31a64 f133189f a76ed61b",
    ),
    (
        "8422e1bbdaab52938b81fd602effb6f89110e1e57208ad12d9ad767e2e25510c"
        "27140775f9337088b982d83d7fcf0b2fa1edffe51952cbe7365e95c86eaf325c",
        "006ccd2a 9e6867e6 a2c5cea8 3d3302cc 9de128dd 2a9a57dd 8ee7b9d7 ffe02826",
    ),
    (
        "ac22415129b61427bf464e17baee8db65940c233b98afce8d17c57beeb7876c2"
        "150d15af1cb1fb824bbd14955f2b57d08d388aab431a391cfc33d5bafb5dbbaf",
        "f8f0c87c f237953c 5890aec3 99816900 5dae3eca 1fbb0454 8c635953 c817f92a",
    ),
    (
        "165d697a1ef3d5cf3c38565beefcf88c0f282b8e7dbd28544c483432f1cec767"
        "5debea8ebb4e5fe7d6f6e5db15f15587ac4d4d4a1de7191e0c1ca6664abcc413",
        "ae81e7de df20a497 e10c304a 765c1767 a42d6e06 029758d2 d7e8ef7c c4c41179",
    ),
    (
        "a836e6c9a9ca9f1e8d486273ad56a78c70cf18f0ce10abb1c7172ddd605d7fd2"
        "979854f47ae1ccf204a33102095b4200e5befc0465accc263175485f0e17ea5c",
        "e2705652 ff9f5e44 d3e841bf 1c251cf7 dddb77d1 40870d1a b2ed64f1 a9ce8628",
    ),
    (
        "2cdc11eaeb95daf01189417cdddbf95952993aa9cb9c640eb5058d09702c7462"
        "2c9965a697a3b345ec24ee56335b556e677b30e6f90ac77d781064f866a3c982",
        "80bd0726 2511cdde 4863f8a7 434cef69 6750681c b9510eea 557088f7 6d9e5065",
    ),
    *(
        (uniform, "30428279 1023b731 28d277bd cb5c7746 ef2eac08 dde9f298 3379cb8e 5ef0517f")
        for uniform in [
            "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
            "1200000000000000000000000000000000000000000000000000000000000000",
            "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"
            "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
            "0000000000000000000000000000000000000000000000000000000000000080"
            "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "0000000000000000000000000000000000000000000000000000000000000000"
            "1200000000000000000000000000000000000000000000000000000000000080",
        ]
    ),
]

# RFC 9496, appendix A.4: u, v, whether u/v is a square, and the root.
ROOTS = [
    (0, 0, True, 0),
    (0, 1, True, 0),
    (1, 0, False, 0),
    (2, 1, False, "3c5ff1b5d8e4113b871bd052f9e7bcd0582804c266ffb2d4f4203eb07fdb7c54"),
    (4, 1, True, 2),
    (1, 4, True, "f6ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff3f"),
]

# RFC 9380, appendix K.3: expand_message_xmd with SHA-512.
EXPANDED = [
    (b"", 32, "6b9a7312411d92f921c6f68ca0b6380730a1a4d982c507211a90964c394179ba"),
    (b"abc", 32, "0da749f12fbe5483eb066a5f595055679b976e93abe9be6f0f6318bce7aca8dc"),
    (
        b"",
        128,
        "41b037d1734a5f8df225dd8c7de38f851efdb45c372887be655212d07251b921"
        "b052b62eaed99b46f72f2ef4cc96bfaf254ebbbec091e1a3b9e4fb5e5b619d2e"
        "0c5414800a1d882b62bb5cd1778f098b8eb6cb399d5d9d18f5d5842cf5d13d7e"
        "b00a7cff859b605da678b318bd0e65ebff70bec88c753b159a805d2c89c55961",
    ),
]


@pytest.fixture(params=BACKENDS)
def backend(request):
    with kernels.use(request.param):
        yield request.param


def rows(text):
    lines = [line.replace(" ", "") for line in text.strip().splitlines()]
    return np.frombuffer(bytes.fromhex("".join(lines)), np.uint8).reshape(len(lines), -1)


def texts(points):
    return [row.tobytes().hex() for row in ristretto.encode(points)]


def some(count, label="element"):
    return ristretto.hash_to_group(Items.of([f"{label} {i}" for i in range(count)]), b"test")


def test_multiples_of_the_generator(backend):
    want = [row.tobytes().hex() for row in rows(MULTIPLES)]
    assert texts(ristretto.base(ristretto.scalars_of(range(16)))) == want
    step, sums = ristretto.generator(), [ristretto.decode(rows(MULTIPLES)[:1], identity=True)]
    for _ in range(15):
        sums.append(sums[-1] + step)
    assert texts(ristretto.concatenate(sums)) == want
    assert texts(ristretto.decode(rows(MULTIPLES), identity=True)) == want


@pytest.mark.parametrize("bad", [NON_CANONICAL, NEGATIVE, NON_SQUARE, NEGATIVE_XY, ZERO_Y])
def test_bad_encodings_are_rejected_each_for_itself(backend, bad):
    good = rows(MULTIPLES)[1:3]
    for row in rows(bad):
        with pytest.raises(CryptoError, match=r"1 of 3 .* the first is number 2"):
            ristretto.decode(np.concatenate([good, row[None]]), identity=True)


def test_the_identity_is_taken_only_when_asked_for(backend):
    encodings = rows(MULTIPLES)[:2][::-1].copy()
    assert len(ristretto.decode(encodings, identity=True)) == 2
    with pytest.raises(CryptoError, match="other than the identity; the first is number 1"):
        ristretto.decode(encodings)


def test_the_one_way_map(backend):
    uniform = rows("\n".join(pair[0] for pair in MAPPED))
    assert texts(ristretto.from_uniform(uniform)) == [p[1].replace(" ", "") for p in MAPPED]


def test_square_roots_of_the_reference():
    for u, v, was_square, root in ROOTS:
        number = root if isinstance(root, int) else int.from_bytes(bytes.fromhex(root), "little")
        assert portable.sqrt_ratio(u, v) == (was_square, number)


def test_expansion_of_the_reference():
    dst = b"QUUX-V01-CS02-with-expander-SHA512-256"
    for message, length, want in EXPANDED:
        assert portable.expand_one(message, dst, length).hex() == want


def test_hashing_is_expansion_and_map(backend):
    items = Items.of(["one", b"two", ""])
    uniform = b"".join(portable.expand_one(items[i], b"dst", 64) for i in range(3))
    want = ristretto.from_uniform(np.frombuffer(uniform, np.uint8).reshape(3, 64))
    assert texts(ristretto.hash_to_group(items, b"dst")) == texts(want)
    assert texts(ristretto.hash_to_group(items, b"other")) != texts(want)
    got = ristretto.scalar_bytes(ristretto.hash_to_scalars(items, b"dst"))
    for row, start in zip(got, range(0, 192, 64), strict=True):
        number = int.from_bytes(uniform[start : start + 64], "little") % ORDER
        assert int.from_bytes(row.tobytes(), "little") == number


def test_the_group_laws(backend):
    x, y, z = some(5), some(5, "y"), some(5, "z")
    assert texts((x + y) + z) == texts(x + (y + z))
    assert texts(x + y) == texts(y + x)
    assert texts(x - y + y) == texts(x)
    negated = -x
    assert texts(-negated) == texts(x)
    assert texts(x - x) == ["00" * 32] * 5
    a, b = ristretto.scalars(seeded(1), 5), ristretto.scalar(seeded(2))
    assert texts(ristretto.mul(x, a + b)) == texts(ristretto.mul(x, a) + ristretto.mul(x, b))
    assert texts(ristretto.mul(x, a * b)) == texts(ristretto.mul(ristretto.mul(x, a), b))
    assert texts(ristretto.mul(x, b * a)) == texts(ristretto.mul(x, a * b))
    assert texts(ristretto.mul(x, a - a)) == ["00" * 32] * 5
    assert texts(ristretto.mul(ristretto.mul(x, a), ristretto.invert(a))) == texts(x)


def test_sums_of_multiples_are_those_of_each(backend):
    rng = seeded("sums")
    terms = [(some(n, f"sum {n}"), ristretto.scalars(rng, n)) for n in (3, 0, 1, 17)]
    terms.append((some(4), ristretto.scalars_of([0, 1, ORDER - 1, 8])))
    found = ristretto.public_sums(*terms)
    assert len(found) == len(terms)
    for (points, scalars), row in zip(terms, texts(found), strict=True):
        want = ristretto.base(ristretto.scalars_of([0]))
        for i in range(len(points)):
            want = want + ristretto.mul(points[i : i + 1], scalars[i : i + 1])
        assert [row] == texts(want)


def test_multiples_of_a_fixed_base_are_its_multiples(backend):
    point = some(1, "fixed")
    edges = ristretto.scalars_of([0, 1, 7, 8, 9, 16, ORDER - 1])
    scalars = ristretto.joined(edges, ristretto.scalars(seeded("fixed"), 5))
    fixed = ristretto.FixedBase.of(point)
    assert texts(fixed.mul(scalars)) == texts(ristretto.mul(point, scalars))
    assert texts(fixed.mul(edges[:0])) == []
    with pytest.raises(ConfigError, match="of one point, not of 2"):
        ristretto.FixedBase.of(some(2))


def test_vectors_of_one_go_with_any_other(backend):
    x, one = some(3), some(1, "one")
    assert texts(one + x) == texts(x + one)
    assert texts(one - x) == texts(-(x - one))
    a = ristretto.scalars(seeded(1), 3)
    assert texts(ristretto.mul(one, a)) == texts(
        ristretto.mul(ristretto.concatenate([one, one, one]), a)
    )
    with pytest.raises(ConfigError):
        x + some(2)
    with pytest.raises(ConfigError):
        ristretto.mul(x, a[:2])
    with pytest.raises(ConfigError):
        a + a[:2]


def test_parts_of_vectors(backend):
    x = some(4)
    assert texts(x[1:3]) == texts(x)[1:3]
    assert texts(x[np.array([3, 0])]) == [texts(x)[3], texts(x)[0]]
    with pytest.raises(TypeError, match="slice"):
        x[1]


def test_a_vector_of_none(backend):
    assert texts(some(0)) == []
    assert len(ristretto.decode(np.zeros((0, 32), np.uint8))) == 0
    assert len(ristretto.mul(some(0), ristretto.scalar(seeded(1)))) == 0
    assert len(ristretto.invert(ristretto.scalars(seeded(1), 0))) == 0


@given(st.lists(st.integers(1, ORDER - 1), max_size=8))
def test_inverses(numbers):
    inverses = ristretto.scalar_bytes(ristretto.invert(ristretto.scalars_of(numbers)))
    got = [int.from_bytes(row.tobytes(), "little") for row in inverses]
    assert got == [pow(number, -1, ORDER) for number in numbers]


def test_zero_has_no_inverse():
    with pytest.raises(CryptoError):
        ristretto.invert(ristretto.scalars_of([3, 0, 5]))


@given(st.integers(0, 2**256 - 1))
@settings(max_examples=50)
def test_scalars_are_read_only_when_reduced(number):
    data = np.frombuffer(number.to_bytes(32, "little"), np.uint8).reshape(1, 32)
    if number < ORDER:
        assert (
            ristretto.scalar_bytes(ristretto.scalars_from_bytes(data)).tobytes() == data.tobytes()
        )
    else:
        with pytest.raises(CryptoError, match="scalar 0 of 1"):
            ristretto.scalars_from_bytes(data)


@pytest.mark.parametrize(("number", "good"), [(ORDER - 1, True), (ORDER, False), (0, True)])
def test_scalars_at_the_order(number, good):
    data = np.frombuffer(number.to_bytes(32, "little"), np.uint8).reshape(1, 32)
    if good:
        assert len(ristretto.scalars_from_bytes(data)) == 1
    else:
        with pytest.raises(CryptoError):
            ristretto.scalars_from_bytes(data)


def test_uniform_bytes_are_reduced_modulo_the_order():
    uniform = np.frombuffer(hashlib.sha512(b"x").digest(), np.uint8).reshape(1, 64)
    got = ristretto.scalar_bytes(ristretto.reduce(uniform)).tobytes()
    want = int.from_bytes(uniform.tobytes(), "little") % ORDER
    assert int.from_bytes(got, "little") == want


def test_random_scalars_are_nonzero_below_the_order_and_spread():
    values = [
        int.from_bytes(row.tobytes(), "little")
        for row in ristretto.scalar_bytes(ristretto.scalars(seeded(3), 500))
    ]
    assert all(0 < value < ORDER for value in values)
    assert len(set(values)) == 500
    # The top bit of values below an order just above 2^252 is nearly never set, the next half.
    assert 200 < sum(value >> 251 & 1 for value in values) < 300


def test_secrets_do_not_show():
    secret = ristretto.scalars(seeded(4), 2)
    shown = repr(secret) + str(secret) + repr(ristretto.base(secret))
    for row in ristretto.scalar_bytes(secret):
        assert str(int.from_bytes(row.tobytes(), "little")) not in shown
    assert "2 secrets" in shown
    for vector in (secret, ristretto.base(secret)):
        with pytest.raises(TypeError):
            bool(vector)
    assert secret != ristretto.scalars(seeded(4), 2)
