# SPDX-License-Identifier: Apache-2.0
"""RFC 9497, suite ristretto255-SHA512: the vectors of appendix A.1, and what must be refused."""

from __future__ import annotations

import numpy as np
import pytest

from mpc import kernels
from mpc.errors import ConfigError, CryptoError, DataError, InvalidKey
from mpc.primitives import oprf, ristretto
from mpc.primitives.items import Items
from mpc.primitives.oprf import Mode
from mpc.primitives.ristretto import ORDER
from mpc.testing import seeded

BACKENDS = ["portable"] + (["simd"] if kernels.backend() == "simd" else [])
SEED = bytes.fromhex("a3" * 32)
INFO = b"test key"

SECRETS = {
    Mode.OPRF: "5ebcea5ee37023ccb9fc2d2019f9d7737be85591ae8652ffa9ef0f4d37063b0e",
    Mode.VOPRF: "e6f73f344b79b379f1a0dd37e07ff62e38d9f71345ce62ae3a9bc60b04ccd909",
}
PUBLIC = "c803e2cc6b05fc15064549b5920659ca4a77b2cca6f04f6b357009335476ad4e"

BLIND_1 = "64d37aed22a27f5191de1c1d69fadb899d8862b58eb4220029e036ec4c1f6706"
BLIND_2 = "222a5e897cf59db8145db8d16e597e8facb80ae7d4e26d9881aa6f61d645fc0e"
VOPRF_OUTPUT_1 = (
    "b58cfbe118e0cb94d79b5fd6a6dafb98764dff49c14e1770b566e42402da1a7d"
    "a4d8527693914139caee5bd03903af43a491351d23b430948dd50cde10d32b3c"
)
VOPRF_OUTPUT_2 = (
    "8a9a2f3c7f085b65933594309041fc1898d42d0858e59f90814ae90571a6df60"
    "356f4610bf816f27afdd84f47719e480906d27ecd994985890e5f539e7ea74b6"
)

VECTORS = {
    "A.1.1.1": {
        "mode": Mode.OPRF,
        "inputs": ["00"],
        "blinds": [BLIND_1],
        "blinded": ["609a0ae68c15a3cf6903766461307e5c8bb2f95e7e6550e1ffa2dc99e412803c"],
        "evaluated": ["7ec6578ae5120958eb2db1745758ff379e77cb64fe77b0b2d8cc917ea0869c7e"],
        "outputs": [
            "527759c3d9366f277d8c6020418d96bb393ba2afb20ff90df23fb7708264e2f3"
            "ab9135e3bd69955851de4b1f9fe8a0973396719b7912ba9ee8aa7d0b5e24bcf6"
        ],
    },
    "A.1.1.2": {
        "mode": Mode.OPRF,
        "inputs": ["5a" * 17],
        "blinds": [BLIND_1],
        "blinded": ["da27ef466870f5f15296299850aa088629945a17d1f5b7f5ff043f76b3c06418"],
        "evaluated": ["b4cbf5a4f1eeda5a63ce7b77c7d23f461db3fcab0dd28e4e17cecb5c90d02c25"],
        "outputs": [
            "f4a74c9c592497375e796aa837e907b1a045d34306a749db9f34221f7e750cb4"
            "f2a6413a6bf6fa5e19ba6348eb673934a722a7ede2e7621306d18951e7cf2c73"
        ],
    },
    "A.1.2.1": {
        "mode": Mode.VOPRF,
        "inputs": ["00"],
        "blinds": [BLIND_1],
        "blinded": ["863f330cc1a1259ed5a5998a23acfd37fb4351a793a5b3c090b642ddc439b945"],
        "evaluated": ["aa8fa048764d5623868679402ff6108d2521884fa138cd7f9c7669a9a014267e"],
        "nonce": "222a5e897cf59db8145db8d16e597e8facb80ae7d4e26d9881aa6f61d645fc0e",
        "proof": "ddef93772692e535d1a53903db24367355cc2cc78de93b3be5a8ffcc6985dd06"
        "6d4346421d17bf5117a2a1ff0fcb2a759f58a539dfbe857a40bce4cf49ec600d",
        "outputs": [VOPRF_OUTPUT_1],
    },
    "A.1.2.2": {
        "mode": Mode.VOPRF,
        "inputs": ["5a" * 17],
        "blinds": [BLIND_1],
        "blinded": ["cc0b2a350101881d8a4cba4c80241d74fb7dcbfde4a61fde2f91443c2bf9ef0c"],
        "evaluated": ["60a59a57208d48aca71e9e850d22674b611f752bed48b36f7a91b372bd7ad468"],
        "nonce": "222a5e897cf59db8145db8d16e597e8facb80ae7d4e26d9881aa6f61d645fc0e",
        "proof": "401a0da6264f8cf45bb2f5264bc31e109155600babb3cd4e5af7d181a2c9dc0a"
        "67154fabf031fd936051dec80b0b6ae29c9503493dde7393b722eafdf5a50b02",
        "outputs": [VOPRF_OUTPUT_2],
    },
    "A.1.2.3": {
        "mode": Mode.VOPRF,
        "inputs": ["00", "5a" * 17],
        "blinds": [BLIND_1, BLIND_2],
        "blinded": [
            "863f330cc1a1259ed5a5998a23acfd37fb4351a793a5b3c090b642ddc439b945",
            "90a0145ea9da29254c3a56be4fe185465ebb3bf2a1801f7124bbbadac751e654",
        ],
        "evaluated": [
            "aa8fa048764d5623868679402ff6108d2521884fa138cd7f9c7669a9a014267e",
            "cc5ac221950a49ceaa73c8db41b82c20372a4c8d63e5dded2db920b7eee36a2a",
        ],
        "nonce": "419c4f4f5052c53c45f3da494d2b67b220d02118e0857cdbcf037f9ea84bbe0c",
        "proof": "cc203910175d786927eeb44ea847328047892ddf8590e723c37205cb74600b0a"
        "5ab5337c8eb4ceae0494c2cf89529dcf94572ed267473d567aeed6ab873dee08",
        "outputs": [VOPRF_OUTPUT_1, VOPRF_OUTPUT_2],
    },
}


class Scripted:
    """Randomness that makes ``ristretto.scalars`` draw the given ones."""

    def __init__(self, scalars):
        self.left = [int.from_bytes(bytes.fromhex(text), "little") - 1 for text in scalars]

    def bytes(self, count):
        drawn, self.left = self.left[: count // 32], self.left[count // 32 :]
        return b"".join(value.to_bytes(32, "little") for value in drawn)


@pytest.fixture(params=BACKENDS)
def backend(request):
    with kernels.use(request.param):
        yield request.param


def hexes(array):
    return [row.tobytes().hex() for row in array]


@pytest.mark.parametrize("name", VECTORS)
def test_rfc_9497_appendix_a1(name, backend):
    vector = VECTORS[name]
    mode = vector["mode"]
    secret = oprf.derive_key(mode, SEED, INFO)
    assert hexes(ristretto.scalar_bytes(secret.scalar)) == [SECRETS[mode]]
    if mode is Mode.VOPRF:
        assert secret.public.hex() == PUBLIC
    items = Items.of([bytes.fromhex(text) for text in vector["inputs"]])
    query = oprf.blind(mode, items, Scripted(vector["blinds"]))
    assert hexes(query.elements) == vector["blinded"]
    nonce = Scripted([vector["nonce"]] if "nonce" in vector else [])
    evaluated, proof = oprf.blind_evaluate(secret, query.elements, nonce)
    assert hexes(evaluated) == vector["evaluated"]
    assert proof.hex() == vector.get("proof", "")
    outputs = oprf.finalize(query, evaluated, proof, secret.public)
    assert hexes(outputs) == vector["outputs"]
    assert hexes(oprf.evaluate(secret, items)) == vector["outputs"]


def run(mode, count, rng="run"):
    secret = oprf.generate_key(mode, seeded("key"))
    items = Items.of([f"item {i}" for i in range(count)])
    query = oprf.blind(mode, items, seeded(rng))
    return secret, query, *oprf.blind_evaluate(secret, query.elements, seeded("proof"))


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("count", [1, 2, 17])
def test_what_comes_out_is_what_the_evaluator_computes_alone(mode, count):
    secret, query, evaluated, proof = run(mode, count)
    outputs = oprf.finalize(query, evaluated, proof, secret.public)
    assert outputs.shape == (count, 64)
    assert outputs.tobytes() == oprf.evaluate(secret, query.items).tobytes()
    again, other, elements, more = run(mode, count, "other blinds")
    assert other.elements.tobytes() != query.elements.tobytes()
    assert oprf.finalize(other, elements, more, again.public).tobytes() == outputs.tobytes()


@pytest.mark.parametrize("count", [1, 2, 17])
def test_masked_items_have_the_same_outputs(count):
    secret = oprf.generate_key(Mode.VOPRF, seeded("key"))
    items = Items.of([f"item {i}" for i in range(count)])
    query, other = oprf.mask(items, seeded(1)), oprf.mask(items, seeded(2))
    evaluated, proof = oprf.blind_evaluate(secret, query.elements)
    outputs = oprf.finalize(query, evaluated, proof, secret.public)
    assert outputs.tobytes() == oprf.evaluate(secret, items).tobytes()
    assert not (query.elements == other.elements).all(axis=1).any()


def test_what_is_masked_is_only_unmasked_under_a_key_that_is_proven():
    """Else an evaluator that swaps two answers, say, would have a function of its own making."""
    secret = oprf.generate_key(Mode.VOPRF, seeded("key"))
    query = oprf.mask(Items.of(["a", "b"]), seeded(1))
    evaluated, proof = oprf.blind_evaluate(secret, query.elements)
    other = oprf.generate_key(Mode.VOPRF, seeded("other"))
    for elements, public in [(evaluated[::-1], secret.public), (evaluated, other.public)]:
        with pytest.raises(CryptoError, match="proof does not show"):
            oprf.finalize(query, np.ascontiguousarray(elements), proof, public)


def test_none_at_all():
    secret, query, evaluated, proof = run(Mode.OPRF, 0)
    assert oprf.finalize(query, evaluated, proof).shape == (0, 64)
    with pytest.raises(ConfigError, match="1 to 65535 elements, not 0"):
        oprf.blind_evaluate(oprf.generate_key(Mode.VOPRF, seeded(1)), query.elements)
    assert secret.mode is Mode.OPRF


def test_the_modes_and_the_keys_give_other_functions():
    items = Items.of(["a"])
    keys = [
        oprf.derive_key(mode, seed, info)
        for mode in Mode
        for seed in (SEED, bytes(32))
        for info in (b"", b"x")
    ]
    outputs = {oprf.evaluate(key, items).tobytes() for key in keys}
    assert len(outputs) == len({key.public for key in keys}) == len(keys) == 8


@pytest.mark.parametrize("place", [0, 31, 32, 63])
def test_a_proof_with_one_bit_changed(place):
    secret, query, evaluated, proof = run(Mode.VOPRF, 3)
    changed = bytes(b ^ (i == place) for i, b in enumerate(proof))
    with pytest.raises(CryptoError):
        oprf.finalize(query, evaluated, changed, secret.public)


def test_an_element_evaluated_with_another_key():
    secret, query, evaluated, proof = run(Mode.VOPRF, 3)
    other = oprf.generate_key(Mode.VOPRF, seeded("other"))
    foreign, foreign_proof = oprf.blind_evaluate(other, query.elements, seeded(1))
    mixed = np.concatenate([evaluated[:2], foreign[2:]])
    for elements, shown, public in [
        (mixed, proof, secret.public),
        (foreign, foreign_proof, secret.public),
        (evaluated, proof, other.public),
        (evaluated[[1, 0, 2]], proof, secret.public),
        (evaluated, foreign_proof, secret.public),
    ]:
        with pytest.raises(CryptoError, match="proof does not show"):
            oprf.finalize(query, elements, shown, public)
    # A proof for the mixture, made with the right key, fails as well.
    weights = oprf._weights(secret.public, query.elements, mixed)
    composite = ristretto.public_sums((ristretto.decode(query.elements), weights))
    known = oprf._generator(kernels.backend())
    _, known = known.sums(ristretto.encode(composite), (), ristretto.scalars_of([]))
    made = oprf._prove(secret, known, ristretto.scalars_of([1]), ristretto.scalar(seeded(2)))
    with pytest.raises(CryptoError, match="proof does not show"):
        oprf.finalize(query, mixed, made, secret.public)


@pytest.mark.parametrize(
    "proof", [b"", bytes(63), bytes(65), ORDER.to_bytes(32, "little") + bytes(32)]
)
def test_proofs_that_are_none(proof):
    secret, query, evaluated, _ = run(Mode.VOPRF, 2)
    with pytest.raises(CryptoError):
        oprf.finalize(query, evaluated, proof, secret.public)


def test_a_proof_over_fewer_elements():
    secret, query, evaluated, _ = run(Mode.VOPRF, 3)
    fewer, proof = oprf.blind_evaluate(secret, query.elements[:2], seeded(1))
    assert fewer.tobytes() == evaluated[:2].tobytes()
    with pytest.raises(CryptoError):
        oprf.finalize(query, fewer, proof, secret.public)


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("bad", [bytes(32), b"\xff" * 32, b"\1" + bytes(31)])
def test_elements_that_are_none(mode, bad):
    secret, query, evaluated, proof = run(mode, 2)
    wrong = np.concatenate([evaluated[:1], np.frombuffer(bad, np.uint8).reshape(1, 32)])
    with pytest.raises(CryptoError, match="the first is number 1"):
        oprf.blind_evaluate(secret, wrong)
    with pytest.raises(CryptoError, match="the first is number 1"):
        oprf.finalize(query, wrong, proof, secret.public)


@pytest.mark.parametrize("public", [b"", bytes(32), b"\xff" * 32, bytes(31)])
def test_public_keys_that_are_none(public):
    _, query, evaluated, proof = run(Mode.VOPRF, 1)
    with pytest.raises(InvalidKey):
        oprf.finalize(query, evaluated, proof, public)


@pytest.mark.parametrize("made", [oprf.blind, lambda _, *drawn: oprf.mask(*drawn)])
@pytest.mark.parametrize("count", [1, 3])
def test_what_is_done_ahead_changes_no_output(made, count, backend):
    secret = oprf.generate_key(Mode.VOPRF, seeded("key"))
    other = oprf.generate_key(Mode.VOPRF, seeded("other")).public
    items = Items.of([f"item {i}" for i in range(count)])
    query = made(Mode.VOPRF, items, seeded("blinds"))
    evaluated, proof = oprf.blind_evaluate(secret, query.elements, seeded("nonce"))
    want = oprf.evaluate(secret, items).tobytes()
    for waiting in (query, oprf.ahead(query, secret.public), oprf.ahead(query, other)):
        assert oprf.finalize(waiting, evaluated, proof, secret.public).tobytes() == want
        with pytest.raises(CryptoError, match="proof does not show"):
            oprf.finalize(waiting, evaluated, proof, other)
        with pytest.raises(CryptoError, match="proof does not show"):
            oprf.finalize(waiting, query.elements, proof, secret.public)
    with pytest.raises(InvalidKey):
        oprf.ahead(query, bytes(32))


def test_items_and_seeds_of_other_lengths():
    fits = Items.of([b"x" * 65535])
    assert oprf.blind(Mode.OPRF, fits, seeded(1)).elements.shape == (1, 32)
    with pytest.raises(DataError, match=r"1 of 2 items have more than 65535 bytes; .* row 1"):
        oprf.blind(Mode.OPRF, Items.of([b"", b"x" * 65536]), seeded(1))
    with pytest.raises(DataError):
        oprf.evaluate(oprf.generate_key(Mode.OPRF, seeded(1)), Items.of([b"x" * 65536]))
    for seed, info in [(bytes(31), b""), (bytes(32), bytes(65536))]:
        with pytest.raises(ConfigError):
            oprf.derive_key(Mode.OPRF, seed, info)


def test_secrets_do_not_show():
    secret, query, _, _ = run(Mode.VOPRF, 1)
    assert hexes(ristretto.scalar_bytes(secret.scalar))[0] not in repr(secret)
    assert secret.public.hex() in repr(secret)
    assert repr(query) == "Query(VOPRF, <1 items>)"
