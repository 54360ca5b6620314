"""The ledger's texts are exactly the seed's, and what is wrong with them is told. Source: control-plane 1.4, 1.11."""

from collections.abc import Mapping

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentctl.domain.ledger.codec import (
    decode_envelope,
    decode_state,
    digest_of_bytes,
    encode_envelope,
    link_fault,
    revision_in,
    state_cas,
    state_text,
)
from agentctl.domain.ledger.envelope import AppliedSource, ChainHead, Envelope
from agentctl.domain.ledger.state import (
    AppliedResource,
    AppliedRevision,
    ApprovalUse,
    GraphObserved,
    RecoveryUse,
    ResourceStatus,
    State,
    Tombstone,
)

_NAMES = st.text(min_size=1, max_size=12)
_DIGESTS = st.text("0123456789abcdef", min_size=64, max_size=64)
_AT = "2026-11-21T03:30:00.000Z"
_RESOURCES = st.builds(
    AppliedResource,
    digest=_DIGESTS,
    applies_to=st.none() | st.lists(_NAMES, min_size=1).map(tuple),
    embedding_provider=st.none() | _NAMES,
    external_blob_policy=st.none() | st.just({"mode": "allow", "bases": []}),
)


def _maps(values: st.SearchStrategy[object]) -> st.SearchStrategy[Mapping[str, object]]:
    return st.dictionaries(_NAMES, values, max_size=4)


_OBSERVATIONS = st.one_of(
    st.builds(
        GraphObserved,
        address=_NAMES,
        graph_uri=_NAMES,
        observed_at=st.just(_AT),
        exists=st.booleans(),
        graph_manifest_version=st.none() | st.integers(1, 2**53),
        schema_digest=st.none() | _DIGESTS,
        desired_schema_digest=_DIGESTS,
        schema_matches_desired=st.none() | st.booleans(),
        error=st.none() | _NAMES,
    ),
    st.builds(
        Tombstone,
        deleted_at=st.just(_AT),
        approval_id=st.none() | _NAMES,
        actor=st.none() | _NAMES,
        incarnation=st.none() | _NAMES,
        resources=st.none() | _maps(_RESOURCES),
    ),
)
STATES = st.builds(
    State,
    state_revision=st.integers(0, 2**53),
    applied_revision=st.builds(
        AppliedRevision, config_digest=st.none() | _DIGESTS, resources=_maps(_RESOURCES)
    ),
    resource_statuses=_maps(
        st.builds(
            ResourceStatus,
            status=st.sampled_from(["applied", "drifted", "blocked"]),
            conditions=st.lists(_NAMES).map(tuple),
            message=st.none() | _NAMES,
        )
    ),
    approval_records=_maps(
        st.builds(ApprovalUse, consumed_at=st.just(_AT), consumed_by_operation=_NAMES)
    ),
    recovery_records=_maps(
        st.builds(
            RecoveryUse,
            kind=_NAMES,
            graph_id=_NAMES,
            outcome=st.just("rolled_forward"),
            recovered_at=st.just(_AT),
            actor=st.none() | _NAMES,
        )
    ),
    observations=_maps(_OBSERVATIONS),
)


def _envelope(state: State | None = None, **fields: object) -> Envelope:
    first = Envelope(
        cluster_id="c" * 64,
        seq=1,
        previous=None,
        kind="import",
        op=None,
        epoch=1,
        nonce="0" * 32,
        written_at=_AT,
        state=state or State(),
        audit=ChainHead(length=0, head=None),
        principals=ChainHead(length=1, head="sha256:" + "1" * 64),
        source=AppliedSource(digest="2" * 64),
    )
    return msgspec.structs.replace(first, **fields)


def test_an_empty_state_is_written_with_every_section_and_a_null_config_digest() -> None:
    assert state_text(State()).decode() == (
        "{\n"
        '  "version": 1,\n'
        '  "state_revision": 0,\n'
        '  "applied_revision": {\n'
        '    "config_digest": null,\n'
        '    "resources": {}\n'
        "  },\n"
        '  "resource_statuses": {},\n'
        '  "approval_records": {},\n'
        '  "recovery_records": {},\n'
        '  "observations": {}\n'
        "}\n"
    )


def test_maps_are_sorted_and_nulls_are_kept_in_observations_only() -> None:
    state = State(
        applied_revision=AppliedRevision(
            resources={
                "policy.b": AppliedResource(digest="2", applies_to=("cluster",)),
                "graph.a": AppliedResource(digest="1"),
            }
        ),
        resource_statuses={"graph.a": ResourceStatus(status="applied")},
        observations={
            "graph.z": Tombstone(deleted_at=_AT),
            "graph.a": GraphObserved(
                address="graph.a",
                graph_uri="u",
                observed_at=_AT,
                exists=False,
                desired_schema_digest="3",
            ),
        },
    )

    plain = msgspec.json.decode(state_text(state))
    assert list(plain["applied_revision"]["resources"]) == ["graph.a", "policy.b"]
    assert plain["applied_revision"]["resources"]["graph.a"] == {"digest": "1"}
    assert plain["resource_statuses"]["graph.a"] == {"status": "applied", "conditions": []}
    assert list(plain["observations"]) == ["graph.a", "graph.z"]
    assert plain["observations"]["graph.z"] == {
        "kind": "tombstone",
        "deleted_at": _AT,
        "approval_id": None,
        "actor": None,
    }
    assert list(plain["observations"]["graph.a"]) == [
        "kind",
        "address",
        "graph_uri",
        "observed_at",
        "exists",
        "graph_manifest_version",
        "schema_digest",
        "desired_schema_digest",
        "schema_matches_desired",
        "error",
    ]


@given(STATES)
def test_a_state_comes_back_and_has_one_text(state: State) -> None:
    text = state_text(state)

    assert decode_state(text).state == state
    again = decode_state(text).state
    assert again is not None
    assert state_text(again) == text
    assert state_cas(text) == digest_of_bytes(text)


@given(STATES)
def test_a_ledger_object_comes_back_and_has_one_text(state: State) -> None:
    envelope = _envelope(state)
    data = encode_envelope(envelope)

    assert decode_envelope(data, seq=1).envelope == envelope
    assert encode_envelope(envelope) == data
    assert data.endswith(b"\n}\n")


@given(st.binary(max_size=200))
def test_bytes_of_any_kind_are_decoded_or_diagnosed(data: bytes) -> None:
    found = decode_state(data)

    assert (found.state is None) == bool(found.diagnostics)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b"", "invalid_state_json"),
        (b"[]", "invalid_state_json"),
        (b'{"version": 1, "surprise": true}', "invalid_state_json"),
        (b'{"version": 1, "observations": []}', "invalid_state_json"),
        (b'{"version": 0}', "unsupported_state_version"),
        (b'{"version": 2, "surprise": true}', "unsupported_state_version"),
        (
            b'{"version": 1, "observations": {"graph.g": {"kind": "graph", "manifest_version": 1, '
            b'"graph_manifest_version": 2}}}',
            "conflicting_graph_manifest_observation",
        ),
    ],
)
def test_what_is_wrong_with_a_state_is_told(text: bytes, code: str) -> None:
    assert [d.code for d in decode_state(text).diagnostics] == [code]


def test_older_states_are_read() -> None:
    """Missing sections are empty; `manifest_version` is an older name. Source: seeds/001."""
    old = (
        b'{"version": 1, "applied_revision": {"resources": {"graph.g": {"digest": "d"}}}, '
        b'"observations": {"graph.g": {"kind": "graph", "address": "graph.g", "graph_uri": "u", '
        b'"observed_at": "t", "exists": true, "desired_schema_digest": "s", "manifest_version": 7}}}'
    )

    state = decode_state(old).state
    assert state is not None
    assert state.state_revision == 0
    seen = state.observations["graph.g"]
    assert isinstance(seen, GraphObserved)
    assert seen.graph_manifest_version == 7


def test_an_object_of_a_newer_format_is_recognised_by_its_numbers_alone() -> None:
    newer = b'{"version": 1, "min_reader": 2, "of": "the future"}'

    assert [d.code for d in decode_envelope(newer, seq=3).diagnostics] == [
        "unsupported_state_version"
    ]


def test_an_object_under_another_number_breaks_the_chain() -> None:
    data = encode_envelope(_envelope())

    assert [d.code for d in decode_envelope(data, seq=2).diagnostics] == ["ledger_chain_broken"]


def test_links_hold_only_over_exact_bytes_rising_epochs_and_one_cluster() -> None:
    first = encode_envelope(_envelope(epoch=3))
    second = _envelope(seq=2, epoch=3, previous=digest_of_bytes(first))

    assert link_fault(_envelope(), None) is None
    assert link_fault(second, first) is None
    assert link_fault(second, None) is not None
    assert link_fault(second, first + b"\n") is not None
    assert link_fault(msgspec.structs.replace(second, epoch=2), first) is not None
    assert link_fault(msgspec.structs.replace(second, cluster_id="d"), first) is not None
    assert link_fault(_envelope(previous="sha256:x"), None) is not None


@pytest.mark.parametrize(
    ("text", "revision"),
    [
        (state_text(State(state_revision=7)), 7),
        (b'{"version": 1, "state_revision": 9, "of": "somebody else"}', 9),
        (b'{"version": 1, "state_revision": -3}', 0),
        (b'{"version": 99, "state_revision": 9}', 0),
        (b'{"version": 1, "min_reader": 99, "state_revision": 9}', 0),
        (b'{"version": 0, "state_revision": 9}', 0),
        (b'{"version": 1, "state_revision": "9"}', 0),
        (b"{", 0),
        (b"\xff", 0),
        (b"", 0),
    ],
)
def test_a_state_tells_its_revision_without_being_read_whole(text: bytes, revision: int) -> None:
    assert revision_in(text) == revision
