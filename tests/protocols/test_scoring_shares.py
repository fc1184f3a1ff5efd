# SPDX-License-Identifier: Apache-2.0
"""The joint score on shares: every result against the plain one, and what each party sees of it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from google.protobuf.message import Message

from mpc import kernels, testing
from mpc.errors import ConfigError, DataError, EncodingOverflow, PeerClosed, ProtocolError
from mpc.net import memory
from mpc.net.channel import Channel
from mpc.net.mesh import Mesh
from mpc.net.traced import Traced
from mpc.pb.v1 import arith_pb2, scoring_pb2
from mpc.protocols.scoring import Model, Roles, logistic, shares
from mpc.protocols.triples import Triples, dealer, file, vole
from tests.protocols.computing import Ideal, looks_uniform, recorded
from tests.protocols.scoring_cases import ROLES, Case

BACKENDS = ["portable"] + (["simd"] if kernels.backend() == "simd" else [])
KEY = bytes(range(32))
# Sent, received and messages at the first of each pair, and SHA-256 over all transcripts.
GOLDEN = (
    {
        ("model", "tax"): (2540, 3052, 19),
        ("model", "utility"): (2548, 3532, 19),
        ("model", "bank"): (2556, 4012, 19),
        ("model", "receiver"): (2807, 2502, 18),
        ("tax", "utility"): (2502, 2502, 16),
        ("tax", "bank"): (2502, 2502, 16),
        ("tax", "receiver"): (2807, 2502, 18),
        ("utility", "bank"): (2502, 2502, 16),
        ("utility", "receiver"): (2807, 2502, 18),
        ("bank", "receiver"): (2807, 2502, 18),
    },
    "2cbdccc9f65ce5eb2fd6dd689f98b856fd4cfabcf8aae5cbe64a4ec8d0bbebe2",
)

Job = Callable[[shares.Opened, Case], Any]
Source = Callable[[Mesh], Triples]


def ideal(mesh: Mesh) -> Triples:
    return Triples(Ideal(mesh.names.index(mesh.me), len(mesh.names)))


def run(
    case: Case,
    job: Job,
    *,
    source: Source = ideal,
    wrap: Callable[[Mesh], Mesh] = lambda mesh: mesh,
    seed: object = 0,
) -> dict[str, Any]:
    """What ``job`` gives at each party of the case, by name."""

    def role(mesh: Mesh) -> Any:
        return job(opened(wrap(mesh), case, source, seed), case)

    return testing.run_mesh(dict.fromkeys(case.roles.parties, role))


def opened(mesh: Mesh, case: Case, source: Source = ideal, seed: object = 0) -> shares.Opened:
    model = case.model if mesh.me == case.roles.model_owner else None
    rng = testing.seeded(f"{seed} {mesh.me}")
    return shares.open_model(mesh, case.roles, source(mesh), model=model, rng=rng)


def given(model: shares.Opened, case: Case) -> dict[str, Any]:
    return {"rows": case.rows, "features": case.features.get(model.mesh.me)}


def probability(model: shares.Opened, case: Case) -> Any:
    return shares.probability(model, **given(model, case))


def decision(model: shares.Opened, case: Case) -> Any:
    threshold = 0.3 if model.owns else None
    return shares.decision(model, threshold=threshold, **given(model, case))


LIMITS = [0.01, 0.3, 0.5, 0.98]


def band(model: shares.Opened, case: Case) -> Any:
    limits = LIMITS if model.owns else None
    return shares.band(model, limits=limits, count=5, **given(model, case))


def lowering(model: shares.Opened, case: Case) -> Any:
    return shares.reasons(model, count=min(3, case.roles.count), **given(model, case))


def raising(model: shares.Opened, case: Case) -> Any:
    return shares.reasons(model, count=1, raising=True, **given(model, case))


def plain_reasons(case: Case, count: int, sign: int = 1) -> Any:
    parts = sign * case.table * case.weights
    order = np.argsort(parts, axis=1, kind="stable")[:, :count]
    return np.where(np.take_along_axis(parts, order, axis=1) < 0, order, -1)


PLAIN: dict[Any, Callable[[Case], Any]] = {
    decision: lambda case: logistic(case.logits) >= 0.3,
    band: lambda case: np.searchsorted(LIMITS, logistic(case.logits), side="right"),
    lowering: lambda case: plain_reasons(case, min(3, case.roles.count)),
    raising: lambda case: plain_reasons(case, 1, -1),
}


# --- results -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ROLES)
@pytest.mark.parametrize("rows", [0, 1, 47])
@pytest.mark.parametrize("backend", BACKENDS)
def test_only_the_receiver_gets_the_plain_probabilities(name: str, rows: int, backend: str) -> None:
    case = Case(ROLES[name], rows)
    with kernels.use(backend):
        results = run(case, probability)
    received = results.pop(case.roles.receiver)
    assert received.shape == (rows,)
    bound = shares.error_bound(case.roles, case.model, case.table) / 4
    assert (np.abs(received - logistic(case.logits)) <= bound).all()
    assert bound.max(initial=0) < 1e-6
    assert all(result is None for result in results.values())


@pytest.mark.parametrize("job", PLAIN)
@pytest.mark.parametrize("name", ROLES)
def test_only_the_receiver_gets_the_plain_results(name: str, job: Job) -> None:
    case = Case(ROLES[name], 33)
    results = run(case, job)
    received = results.pop(case.roles.receiver)
    assert received.tolist() == PLAIN[job](case).tolist()
    assert all(result is None for result in results.values())


@pytest.mark.parametrize("job", PLAIN)
def test_no_rows_have_no_results(job: Job) -> None:
    case = Case(ROLES["one feature owner"], 0)
    assert len(run(case, job)["bank"]) == 0


@pytest.mark.parametrize("job", [lowering, raising])
def test_one_feature_has_or_has_no_reason(job: Job) -> None:
    case = Case(Roles("bank", "bank", {"tax": 1}), 9)
    received = run(case, job)["bank"]
    assert received.tolist() == PLAIN[job](case).tolist()
    assert {-1, 0} == set(received.reshape(-1).tolist())


def test_one_band_takes_no_comparison() -> None:
    def one(model: shares.Opened, case: Case) -> Any:
        limits = [] if model.owns else None
        return shares.band(model, count=1, limits=limits, **given(model, case))

    assert run(Case(ROLES["one feature owner"], 3), one)["bank"].tolist() == [0, 0, 0]


def test_an_open_model_scores_again_and_again() -> None:
    case, later = Case(ROLES["all apart"], 5), Case(ROLES["all apart"], 8, seed=1)
    later.model = case.model

    def twice(model: shares.Opened, _: Case) -> Any:
        shares.prepare(model, 6)
        return probability(model, case), decision(model, later), probability(model, later)

    first, yes, last = run(case, twice)["receiver"]
    assert np.allclose(first, logistic(case.logits), atol=1e-6)
    assert np.allclose(last, logistic(later.logits), atol=1e-6)
    assert yes.tolist() == PLAIN[decision](later).tolist()


def by_vole(mesh: Mesh) -> Triples:
    return vole.source(mesh, rng=testing.seeded(mesh.me))


@pytest.mark.parametrize(
    ("name", "job"),
    [
        ("one feature owner", decision),
        ("one feature owner", raising),
        ("everyone owns features", decision),
    ],
)
def test_without_a_dealer(name: str, job: Job) -> None:
    case = Case(ROLES[name], 1)
    received = run(case, job, source=by_vole)[case.roles.receiver]
    assert received.tolist() == PLAIN[job](case).tolist()


def test_a_probability_without_a_dealer_among_four() -> None:
    case = Case(ROLES["all apart"], 3)
    received = run(case, probability, source=by_vole)["receiver"]
    assert np.allclose(received, logistic(case.logits), atol=1e-6)


def dealt(case: Case, job: Callable[[Mesh, Triples], Any]) -> dict[str, Any]:
    """What ``job`` gives at each party, with triples of a dealer."""

    def role(mesh: Mesh) -> Any:
        inner = case.roles.over(mesh)
        triples = dealer.source(inner, mesh.channel("dealer"))
        try:
            return job(inner, triples)
        finally:
            triples.close()

    roles: dict[str, Any] = dict.fromkeys(case.roles.parties, role)
    return testing.run_mesh(roles | {"dealer": lambda mesh: dealer.serve(mesh)})


@pytest.mark.parametrize("name", ["one feature owner", "all apart", "everyone owns features"])
@pytest.mark.parametrize("job", [decision, lowering])
def test_with_a_dealer(name: str, job: Job) -> None:
    case = Case(ROLES[name], 11)
    results = dealt(case, lambda mesh, triples: job(opened(mesh, case, lambda _: triples), case))
    assert results[case.roles.receiver].tolist() == PLAIN[job](case).tolist()


def test_out_of_a_file(tmp_path: Path) -> None:
    case = Case(ROLES["all apart"], 11)

    def save(mesh: Mesh, triples: Triples) -> None:
        shares.prepare_model(mesh, case.roles, triples, case.rows)
        file.save(mesh, tmp_path / mesh.me, triples, KEY)

    dealt(case, save)
    stored: list[Triples] = []

    def source(mesh: Mesh) -> Triples:
        stored.append(file.source(mesh, tmp_path / mesh.me, KEY))
        return stored[-1]

    received = run(case, probability, source=source)["receiver"]
    for triples in stored:
        triples.close()
    assert np.allclose(received, logistic(case.logits), atol=1e-6)


@pytest.mark.parametrize(
    "count", [200, pytest.param(10_000, marks=[pytest.mark.slow, pytest.mark.timeout(900)])]
)
def test_random_models(count: int) -> None:
    """A row each: the error of the probability is at most 1e-6, and within the stated bound."""
    draw = np.random.default_rng(7)
    roles = Roles("bank", "bank", {"bank": 5, "tax": 11})
    worst = 0.0
    weights = draw.normal(0, 1, (count, 16)) * draw.uniform(0, 4, (count, 1))
    rows = draw.normal(0, 1.5, (count, 16))
    intercepts = draw.normal(0, 2, count)
    cases = []
    for w, x, b in zip(weights, rows, intercepts, strict=True):
        case = Case(roles, 1)
        case.features = {"bank": x[None, :5], "tax": x[None, 5:]}
        case.model = Model({"bank": w[:5], "tax": w[5:]}, float(b))
        cases.append(case)

    def role(mesh: Mesh) -> Any:
        triples = ideal(mesh)
        models = (opened(mesh, case, lambda _: triples) for case in cases)
        return [probability(model, case) for model, case in zip(models, cases, strict=True)]

    received = testing.run_mesh(dict.fromkeys(roles.parties, role))["bank"]
    for case, value in zip(cases, received, strict=True):
        error = abs(float(value[0]) - float(logistic(case.logits)[0]))
        assert error <= shares.error_bound(roles, case.model, case.table)[0] / 4
        worst = max(worst, error)
    assert 0 < worst <= 1e-6


def test_extreme_values_fit() -> None:
    """Weights and features at their limits, all of one sign and of the other."""
    case = Case(Roles("bank", "bank", {"tax": 3, "utility": 2}), 6)
    for owner in case.features:
        signs = np.where(np.arange(6) % 2, 1.0, -1.0)[:, None]
        case.features[owner] = 128.0 * signs * np.ones_like(case.features[owner])
        case.model.weights[owner][:] = 128 / 5 - 1e-2
    model = Model(case.model.weights, 5.0)
    case.model = model
    assert run(case, decision)["bank"].tolist() == [False, True] * 3
    assert run(case, probability)["bank"].tolist() == [0.0, 1.0] * 3
    case.model = Model({k: w * 1e-3 for k, w in model.weights.items()}, 0.0)
    bound = shares.error_bound(case.roles, case.model, case.table) / 4
    assert (np.abs(run(case, probability)["bank"] - logistic(case.logits)) <= bound).all()


def test_at_the_threshold_and_a_unit_beside_it() -> None:
    case = Case(Roles("bank", "bank", {"tax": 1}), 3)
    case.model = Model({"tax": np.array([1.0])}, 0.0)
    unit = 2.0**-shares.FRACTION_BITS
    case.features["tax"] = np.array([[-unit], [0.0], [unit]])

    def half(model: shares.Opened, case: Case) -> Any:
        return shares.decision(model, threshold=0.5 if model.owns else None, **given(model, case))

    assert run(case, half)["bank"].tolist() == [False, True, True]


# --- what is seen ------------------------------------------------------------------------------


def came(mesh: Mesh, *types: type[Message]) -> bytes:
    """The words of messages of ``types`` that reached the party of a recorded mesh."""
    return b"".join(
        message.words.data
        for name in mesh.peers
        for message in mesh.channel(name).came  # type: ignore[attr-defined]
        if isinstance(message, types)
    )


@pytest.mark.parametrize("name", ["one feature owner", "all apart", "the receiver owns features"])
def test_masked_words_are_uniform(name: str) -> None:
    """All that reaches anyone before the result, of fixed inputs, over many seeds."""
    case = Case(ROLES[name], 40)
    seen: dict[str, list[bytes]] = {party: [] for party in case.roles.parties}

    def watch(model: shares.Opened, case: Case) -> None:
        decision(model, case)
        seen[model.mesh.me].append(
            came(
                model.mesh,
                scoring_pb2.MaskedWeights,
                scoring_pb2.MaskedFeatures,
                arith_pb2.Opening,
            )
        )

    for seed in range(4):
        source = seeded_ideal(seed)
        run(case, watch, source=source, wrap=recorded, seed=seed)
    for words in seen.values():
        assert looks_uniform(b"".join(words))


def seeded_ideal(seed: object) -> Source:
    return lambda mesh: Triples(Ideal(mesh.names.index(mesh.me), len(mesh.names), str(seed)))


def test_weights_masks_are_uniform() -> None:
    case, seen = Case(ROLES["one feature owner"], 1), []

    def watch(model: shares.Opened, _: Case) -> None:
        seen.append(came(model.mesh, scoring_pb2.MaskedWeights))

    for seed in range(200):
        run(case, watch, source=seeded_ideal(seed), wrap=recorded, seed=seed)
    assert looks_uniform(b"".join(seen))


@pytest.mark.parametrize(
    "name", ["bank owns the model and receives", "all apart", "the receiver owns features"]
)
def test_the_receiver_gets_parts_that_are_uniform_but_for_their_sum(name: str) -> None:
    """38 bits of each, of fixed inputs, over many seeds; also at a receiver who owns the model."""
    case, parts = Case(ROLES[name], 1500), {}

    def watch(model: shares.Opened, case: Case) -> None:
        probability(model, case)
        if model.mesh.me == case.roles.receiver:
            for peer in model.mesh.peers:
                parts[peer] = next(
                    np.frombuffer(message.words.data, "<u8")
                    for message in model.mesh.channel(peer).came  # type: ignore[attr-defined]
                    if isinstance(message, scoring_pb2.HighParts)
                )

    run(case, watch, wrap=recorded)
    assert len(parts) == len(case.roles.parties) - 1
    for words in parts.values():
        assert words.max() < 2**38
        assert looks_uniform((words & np.uint64(2**32 - 1)).astype("<u4").tobytes())


def test_a_receiving_model_owner_cannot_tell_the_parts_apart() -> None:
    """Without the shares of zero it could: its own part of each product makes the other's plain."""
    case, seen = Case(ROLES["bank owns the model and receives"], 200), {}

    def watch(model: shares.Opened, case: Case) -> None:
        if model.owns:
            # What the bank can compute of the tax office's part, were it not for the zeros.
            plain = case.features["tax"] @ case.model.weights["tax"]
            part = model.triples.against(model.masks["tax"], case.rows).take()["c"][:, 0]
            masked = [
                model.mesh.channel(name).recv(scoring_pb2.MaskedFeatures).words.data
                for name in case.roles.helpers
            ]
            mine = part + np.frombuffer(masked[0], "<u8").reshape(case.rows, 3) @ model.words["tax"]
            sent = model.mesh.channel("tax").recv(scoring_pb2.HighParts).words.data
            low = np.uint64(26)
            total = ((np.frombuffer(sent, "<u8") << low) + mine).view(np.int64)
            seen["tax"] = np.abs(total * 2.0**-48 - plain)
            return
        probability(model, case)

    run(case, watch)
    assert (seen["tax"] > 1).mean() > 0.95


def test_equal_rows_get_logits_that_differ_below_the_revealed_bits() -> None:
    case = Case(ROLES["one feature owner"], 200)
    case.features["tax"][:] = case.features["tax"][0]
    received = run(case, probability)["bank"]
    logits = np.log(received) - np.log1p(-received)
    assert 0.5 * 2.0**-22 < logits.max() - logits.min() < 2 * 2.0**-22


def test_nothing_secret_shows() -> None:
    def show(model: shares.Opened, _: Case) -> str:
        return repr(model)

    assert set(run(Case(ROLES["one feature owner"], 1), show).values()) == {
        "Opened(bank, <secret>)",
        "Opened(tax, <secret>)",
    }


# --- faults ------------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 128.1, -128.1])
@pytest.mark.parametrize("job", [probability, lowering])
def test_a_bad_feature_is_named(bad: float, job: Job) -> None:
    case = Case(ROLES["one feature owner"], 5)
    case.features["tax"][3, 2] = bad
    with pytest.raises(DataError, match=r"1 feature values .* feature 2 of row 3"):
        run(case, job)


@pytest.mark.parametrize("bad", [np.nan, np.inf, 127.0])
def test_weights_without_room_are_refused(bad: float) -> None:
    case = Case(ROLES["one feature owner"], 5)
    case.model.weights["tax"][:] = 1.0
    case.model.weights["tax"][1] = bad
    with pytest.raises(EncodingOverflow, match="smaller scales"):
        run(case, probability)


def test_what_a_role_lacks_is_said() -> None:
    case = Case(ROLES["one feature owner"], 5)

    def without(model: shares.Opened, case: Case) -> Any:
        return shares.probability(model, rows=case.rows)

    with pytest.raises(ConfigError, match="not none"):
        run(case, without)
    case.features["tax"] = np.zeros((5, 3))
    with pytest.raises(ConfigError, match=r"shape \(5, 4\), not an array of shape \(5, 3\)"):
        run(case, probability)
    case.model = Model({"tax": np.zeros(3)}, 0.0)
    with pytest.raises(ConfigError, match="weights for"):
        run(case, probability)

    def lacking(mesh: Mesh) -> None:
        shares.open_model(mesh, case.roles, ideal(mesh))

    with pytest.raises(ConfigError, match="must give the model"):
        testing.run_mesh(dict.fromkeys(case.roles.parties, lacking))


def test_only_the_model_owner_gives_model_and_limits() -> None:
    case = Case(ROLES["one feature owner"], 5)

    def both(mesh: Mesh) -> None:
        shares.open_model(mesh, case.roles, ideal(mesh), model=case.model)

    with pytest.raises(ConfigError, match="the model owner is bank"):
        testing.run_mesh(dict.fromkeys(case.roles.parties, both))

    def greedy(model: shares.Opened, case: Case) -> Any:
        return shares.decision(model, threshold=0.5, **given(model, case))

    with pytest.raises(ConfigError, match="just the model owner, bank"):
        run(case, greedy)


@pytest.mark.parametrize("limits", [[0.0, 0.5], [0.5, 1.0], [0.5, 0.5], [np.nan, 0.5], [0.5]])
def test_bad_limits_are_refused(limits: list[float]) -> None:
    def banded(model: shares.Opened, case: Case) -> Any:
        mine = limits if model.owns else None
        return shares.band(model, count=3, limits=mine, **given(model, case))

    with pytest.raises(ConfigError, match="limits"):
        run(Case(ROLES["one feature owner"], 5), banded)


def test_reasons_are_of_the_features() -> None:
    def many(model: shares.Opened, case: Case) -> Any:
        return shares.reasons(model, count=5, **given(model, case))

    with pytest.raises(ConfigError, match="5 reasons of 4 features"):
        run(Case(ROLES["one feature owner"], 5), many)


def test_a_mesh_in_another_order_is_refused() -> None:
    case = Case(ROLES["one feature owner"], 5)

    def role(mesh: Mesh) -> None:
        opened(mesh, case)

    with pytest.raises(ConfigError, match="where the score is among"):
        testing.run_mesh({"tax": role, "bank": role})


@pytest.mark.parametrize(("name", "who"), [("one feature owner", "tax"), ("all apart", "utility")])
def test_parties_that_count_other_rows_are_told(name: str, who: str) -> None:
    case = Case(ROLES[name], 5)

    def fewer(model: shares.Opened, case: Case) -> Any:
        if model.mesh.me != who:
            return probability(model, case)
        return shares.probability(model, rows=4, features=case.features[who][:4])

    with pytest.raises(ProtocolError, match=f"{who}: scores 4 rows where we have 5"):
        run(case, fewer)


def test_a_receiver_that_counts_other_rows_is_told() -> None:
    case = Case(ROLES["all apart"], 5)

    def more(model: shares.Opened, case: Case) -> Any:
        return (
            shares.probability(model, rows=6)
            if model.mesh.me == "receiver"
            else (probability(model, case))
        )

    with pytest.raises(ProtocolError, match="expected 6 elements, got 5"):
        run(case, more)


CUTS: dict[str, Callable[[Any], None]] = {
    "width": lambda column: setattr(column, "width", column.width - 1),
    "count": lambda column: setattr(column, "count", column.count + 1),
    "data": lambda column: setattr(column, "data", column.data[:-8]),
}


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("kind", ["MaskedWeights", "MaskedFeatures", "HighParts"])
def test_a_malformed_message_is_refused_by_name(kind: str, cut: str) -> None:
    case = Case(ROLES["one feature owner"], 5)
    liar = "bank" if kind == "MaskedWeights" else "tax"

    def change(message: Message) -> None:
        if type(message).__name__ == kind:
            CUTS[cut](message.words)  # type: ignore[attr-defined]

    def wrap(mesh: Mesh) -> Mesh:
        return recorded(mesh, change) if mesh.me == liar else mesh

    with pytest.raises(ProtocolError, match=f"^{liar}: "):
        run(case, probability, wrap=wrap)


def test_a_wrong_message_names_both_types() -> None:
    case = Case(ROLES["one feature owner"], 5)

    def confused(model: shares.Opened, case: Case) -> Any:
        if model.owns:
            return probability(model, case)
        return model.mesh.channel("bank").send(scoring_pb2.SeedShare(seed=b"x"))

    with pytest.raises(ProtocolError, match=r"expected mpc\.v1\.MaskedFeatures.*SeedShare"):
        run(case, confused)


def test_a_dead_peer_is_noticed() -> None:
    case = Case(ROLES["all apart"], 5)

    def dies(model: shares.Opened, case: Case) -> Any:
        if model.mesh.me == "utility":
            model.mesh.close()
            return None
        return decision(model, case)

    with pytest.raises(PeerClosed, match="utility"):
        run(case, dies)


def test_the_transcript_is_the_golden_one() -> None:
    """Bytes and messages on each pair's link; a change of either explains itself in its commit."""
    case = Case(ROLES["all apart"], 30)
    traced: dict[tuple[str, str], Traced] = {}
    ends: dict[str, dict[str, Channel]] = {name: {} for name in case.roles.parties}
    for left, right in combinations(case.roles.parties, 2):
        to_right, to_left = memory.pair(left, right)
        traced[left, right] = Traced(to_right)
        ends[left][right], ends[right][left] = Channel(traced[left, right]), Channel(to_left)
    meshes = [Mesh(name, case.roles.parties, ends[name]) for name in case.roles.parties]

    def play(mesh: Mesh) -> None:
        model = opened(mesh, case)
        probability(model, case)
        decision(model, case)

    with ThreadPoolExecutor(len(meshes)) as pool:
        list(pool.map(play, meshes, timeout=60))
    seen = {pair: link.traffic for pair, link in traced.items()}
    counted = {pair: (t.sent_bytes, t.received_bytes, t.messages) for pair, t in seen.items()}
    digest = hashlib.sha256(b"".join(traced[pair].digest() for pair in sorted(traced))).hexdigest()
    assert (counted, digest) == GOLDEN
