# SPDX-License-Identifier: Apache-2.0
"""The Paillier form of the joint score: right, silent about what it should hide, firm on errors."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from numpy.typing import NDArray

from mpc.errors import ConfigError, DataError, EncodingOverflow, ProtocolError
from mpc.net.mesh import Mesh
from mpc.pb.v1 import scoring_pb2 as pb
from mpc.primitives import paillier
from mpc.protocols import scoring
from mpc.protocols.scoring import Model, Roles
from mpc.testing import run_mesh, seeded
from tests.protocols import scoring_cases
from tests.protocols.scoring_cases import ROLES, transcripts

BITS = 2048
# Sent, received and messages at the first of each pair, and SHA-256 over all transcripts.
GOLDEN = (
    {
        ("model", "tax"): (35945, 1058, 2),
        ("model", "utility"): (36457, 1058, 2),
        ("model", "bank"): (36969, 1058, 2),
        ("model", "receiver"): (805, 0, 1),
        ("tax", "utility"): (52, 52, 2),
        ("tax", "bank"): (52, 52, 2),
        ("tax", "receiver"): (52, 52, 2),
        ("utility", "bank"): (52, 52, 2),
        ("utility", "receiver"): (52, 52, 2),
        ("bank", "receiver"): (52, 52, 2),
    },
    "54edd92e52a3952416223662a90d24a7f906c8bebee976a6906792a671f390b6",
)


@pytest.fixture(scope="module")
def secret() -> paillier.SecretKey:
    return paillier.keygen(BITS, rng=seeded("scoring key"))[0]


class Case(scoring_cases.Case):
    """One with a Paillier key, and a role for each party."""

    def __init__(self, roles: Roles, rows: int, secret: paillier.SecretKey, seed: int = 0) -> None:
        super().__init__(roles, rows, seed)
        self.secret = secret

    @property
    def bound(self) -> NDArray[np.float64]:
        return scoring.paillier.error_bound(self.roles, self.weights, self.table)

    def play(self, mesh: Mesh, **changes: object) -> NDArray[np.float64] | None:
        owner = mesh.me == self.roles.model_owner
        given = {
            "rows": self.rows,
            "features": self.features.get(mesh.me),
            "model": self.model if owner else None,
            "secret": self.secret if owner else None,
        }
        return scoring.paillier.score(mesh, self.roles, **(given | changes))

    def run(self, **changes: dict[str, object]) -> dict[str, NDArray[np.float64] | None]:
        roles = {name: partial(self.play, **changes.get(name, {})) for name in self.roles.parties}
        return run_mesh(roles)


@pytest.mark.parametrize("name", ROLES)
@pytest.mark.parametrize("rows", [0, 1, 47])
def test_only_the_receiver_gets_the_plain_logits(
    name: str, rows: int, secret: paillier.SecretKey
) -> None:
    case = Case(ROLES[name], rows, secret)
    results = case.run()
    received = results.pop(case.roles.receiver)
    assert received is not None
    assert received.shape == (rows,)
    assert (np.abs(received - case.logits) <= case.bound).all()
    assert all(result is None for result in results.values())


def test_the_error_bound_is_small() -> None:
    roles = ROLES["all apart"]
    assert scoring.paillier.error_bound(roles, np.full(6, 2.0), np.full((1, 6), 3.0))[0] < 1e-8


def test_extreme_values_keep_to_their_slots(secret: paillier.SecretKey) -> None:
    case = Case(Roles("bank", "bank", {"tax": 3, "utility": 2}), 50, secret)
    signs = np.where(np.arange(50) % 2, 1.0, -1.0)[:, None]
    for owner in case.features:
        case.features[owner] = 128.0 * signs * np.ones_like(case.features[owner])
        case.model.weights[owner][:] = 1024.0
    received = case.run()["bank"]
    assert (np.abs(received - case.logits) <= case.bound + 1e-9).all()


def test_the_noise_drowns_the_exact_digits(secret: paillier.SecretKey) -> None:
    """Equal rows get logits that differ below 2^-32, and by no more than the stated noise."""
    case = Case(ROLES["one feature owner"], 60, secret)
    case.features["tax"][:] = case.features["tax"][0]
    received = case.run()["bank"]
    spread = received.max() - received.min()
    assert 0.5 * 2.0**-32 < spread <= 2.0**-32


def residues_seen(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> list[tuple[list[int], NDArray[np.float64] | None]]:
    """What the model owner decrypts, one list for each helper, in one run of ``case``."""
    seen: list[list[int]] = []
    decrypt = paillier.SecretKey.decrypt_residues

    def spy(self: paillier.SecretKey, ciphertexts: paillier.Ciphertexts) -> list[int]:
        values = decrypt(self, ciphertexts)
        seen.append([int(value) for value in values])
        return values

    monkeypatch.setattr(paillier.SecretKey, "decrypt_residues", spy)
    result = case.run()[case.roles.receiver]
    monkeypatch.undo()
    return [(values, result) for values in seen]


def chi_square(values: list[int], n: int, bins: int = 8) -> float:
    counts = np.bincount([value * bins // n for value in values], minlength=bins)
    expected = len(values) / bins
    return float(((counts - expected) ** 2 / expected).sum())


@pytest.mark.parametrize(
    "name", ["all apart", "the receiver owns features", "bank owns the model and receives"]
)
def test_what_the_model_owner_decrypts_is_uniform(
    name: str, secret: paillier.SecretKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = Case(ROLES[name], 24 * 40, secret)  # at least 40 ciphertexts from each helper
    seen = [values for values, _ in residues_seen(case, monkeypatch)]
    for values in seen:
        assert len(values) >= 40
        assert chi_square(values, secret.public.n) < 29.9  # 7 degrees of freedom, 1 in 10,000
    assert len({value for values in seen for value in values}) == sum(map(len, seen))


def test_a_receiving_model_owner_sees_only_the_sum_of_the_parts(
    secret: paillier.SecretKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The masks of two helpers cancel: each part is uniform, and no part is a partial score."""
    case = Case(ROLES["bank owns the model and receives"], 10, secret)
    (first, result), (second, _) = residues_seen(case, monkeypatch)
    n = secret.public.n
    for part in (first, second):
        assert min(part[0], n - part[0]).bit_length() > BITS - 40
    assert min((first[0] + second[0]) % n, n - (first[0] + second[0]) % n) < n >> 60
    assert np.allclose(result, case.logits)


def test_a_receiver_apart_sees_no_sum_before_it_unmasks(
    secret: paillier.SecretKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = Case(ROLES["all apart"], 10, secret)
    parts = [values[0] for values, _ in residues_seen(case, monkeypatch)]
    total = sum(parts) % secret.public.n
    assert min(total, secret.public.n - total).bit_length() > BITS - 40


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 128.1])
def test_a_bad_feature_is_named(bad: float, secret: paillier.SecretKey) -> None:
    case = Case(ROLES["one feature owner"], 5, secret)
    case.features["tax"][3, 2] = bad
    with pytest.raises(DataError, match="feature 2 of row 3"):
        case.run()


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1024.5])
def test_a_bad_weight_is_refused(bad: float, secret: paillier.SecretKey) -> None:
    case = Case(ROLES["one feature owner"], 5, secret)
    case.model.weights["tax"][1] = bad
    with pytest.raises(EncodingOverflow, match="1024"):
        case.run()


def test_what_a_role_lacks_is_said(secret: paillier.SecretKey) -> None:
    case = Case(ROLES["one feature owner"], 5, secret)
    with pytest.raises(ConfigError, match="must give the model"):
        case.run(bank={"model": None})
    with pytest.raises(ConfigError, match="Paillier key"):
        case.run(bank={"secret": None})
    with pytest.raises(ConfigError, match="not none"):
        case.run(tax={"features": None})
    with pytest.raises(ConfigError, match=r"shape \(5, 4\)"):
        case.run(tax={"features": np.zeros((5, 3))})
    other = Model({"tax": np.zeros(3)}, 0.0)
    with pytest.raises(ConfigError, match="weights for"):
        case.run(bank={"model": other})


def test_roles_need_a_feature_owner_besides_the_model_owner() -> None:
    with pytest.raises(ConfigError, match="other than the model owner"):
        Roles("bank", "bank", {"bank": 3})
    with pytest.raises(ConfigError, match="owns no feature"):
        Roles("bank", "bank", {"tax": 0})


@pytest.mark.parametrize("name", ["one feature owner", "all apart"])
def test_parties_that_count_other_rows_are_told(name: str, secret: paillier.SecretKey) -> None:
    case = Case(ROLES[name], 5, secret)
    with pytest.raises(ProtocolError, match="rows where we have"):
        case.run(tax={"rows": 4, "features": case.features["tax"][:4]})


def test_a_receiver_that_counts_other_rows_is_told(secret: paillier.SecretKey) -> None:
    case = Case(ROLES["all apart"], 5, secret)
    with pytest.raises(ProtocolError, match="5 rows where we have 6"):
        case.run(receiver={"rows": 6})


def offer(mesh: Mesh, message: pb.EncryptedWeights) -> None:
    mesh.channel("tax").send(message)
    mesh.channel("tax").recv(pb.MaskedPartials)


@pytest.mark.parametrize("fault", ["width", "count", "garbage key", "zero", "above n squared"])
def test_a_malformed_offer_is_refused(fault: str, secret: paillier.SecretKey) -> None:
    case = Case(ROLES["one feature owner"], 5, secret)
    public = secret.public
    weights = public.encrypt([1, 2, 3, 4]).to_array().copy()
    width, count, key = weights.shape[1], 4, public.to_bytes()
    if fault == "width":
        weights, width = weights[:, 1:], width - 1
    elif fault == "count":
        weights, count = weights[:3], 3
    elif fault == "garbage key":
        key = b"no key"
    else:
        weights[2] = 0 if fault == "zero" else 255
    message = pb.EncryptedWeights(public_key=key, rows=5)
    message.weights.width, message.weights.count = width, count
    message.weights.data = weights.tobytes()
    with pytest.raises(ProtocolError, match=r"^bank: "):
        run_mesh({"bank": partial(offer, message=message), "tax": case.play})


def test_a_wrong_message_names_both_types(secret: paillier.SecretKey) -> None:
    case = Case(ROLES["one feature owner"], 5, secret)

    def confused(mesh: Mesh) -> None:
        mesh.channel("bank").recv(pb.EncryptedWeights)
        mesh.channel("bank").send(pb.SeedShare(seed=b"x"))

    with pytest.raises(ProtocolError, match=r"expected mpc\.v1\.MaskedPartials.*SeedShare"):
        run_mesh({"bank": case.play, "tax": confused})


def test_a_short_seed_is_refused(secret: paillier.SecretKey) -> None:
    case = Case(ROLES["bank owns the model and receives"], 5, secret)

    def lazy(mesh: Mesh) -> None:
        mesh.channel("tax").send(pb.SeedShare(seed=b"short"))
        mesh.channel("tax").recv(pb.SeedShare)
        mesh.channel("bank").recv(pb.EncryptedWeights)

    with pytest.raises(ProtocolError, match="a seed share of 5 bytes"):
        run_mesh({"bank": case.play, "tax": case.play, "utility": lazy})


def test_the_model_never_shows(secret: paillier.SecretKey) -> None:
    assert "0.5" not in repr(Model({"tax": np.array([0.5])}, 0.5))


def test_the_transcript_is_the_golden_one(secret: paillier.SecretKey) -> None:
    """Bytes and messages on each pair's link; a change of either explains itself in its commit."""
    case = Case(ROLES["all apart"], 30, secret)
    counted, digest = transcripts(
        case.roles.parties, lambda mesh: case.play(mesh, rng=seeded(f"golden {mesh.me}"))
    )
    assert digest == GOLDEN[1]
    assert counted == GOLDEN[0]
