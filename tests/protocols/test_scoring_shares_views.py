# SPDX-License-Identifier: Apache-2.0
"""The joint score on shares: what each party sees of it, and the bytes on the wire."""

from __future__ import annotations

import numpy as np
import pytest
from google.protobuf.message import Message

from mpc.net.mesh import Mesh
from mpc.pb.v1 import arith_pb2, scoring_pb2
from mpc.protocols.scoring import shares
from mpc.protocols.triples import Triples
from tests.protocols.computing import Ideal, looks_uniform, recorded
from tests.protocols.scoring_cases import ROLES, Case, transcripts
from tests.protocols.scoring_runs import (
    Source,
    decision,
    opened,
    probability,
    run,
)

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
            # Of every helper, so that none is still sending when the bank leaves.
            sent = {
                name: np.frombuffer(
                    model.mesh.channel(name).recv(scoring_pb2.HighParts).words.data, "<u8"
                )
                for name in case.roles.helpers
            }
            total = ((sent["tax"] << np.uint64(26)) + mine).view(np.int64)
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


def test_the_transcript_is_the_golden_one() -> None:
    """Bytes and messages on each pair's link; a change of either explains itself in its commit."""
    case = Case(ROLES["all apart"], 30)

    def play(mesh: Mesh) -> None:
        model = opened(mesh, case)
        probability(model, case)
        decision(model, case)

    assert transcripts(case.roles.parties, play) == GOLDEN
