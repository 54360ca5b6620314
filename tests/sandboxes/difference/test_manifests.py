"""Manifests of snapshots: one form for one content, and nothing else is taken for one."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentctl.domain.sandbox.manifest import (
    NUMBER_MAX,
    GraphPoint,
    LedgerPoint,
    ManifestError,
    SnapshotManifest,
    content_digest,
    decode_manifest,
    manifest_bytes,
)

WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
COUNTS = st.integers(0, NUMBER_MAX)
POINTS = st.builds(
    GraphPoint,
    incarnation=WORDS,
    branch=WORDS,
    commit=COUNTS,
    content_digest=WORDS,
    schema_digest=st.none() | WORDS,
    shape_digest=st.none() | WORDS,
)
MANIFESTS = st.builds(
    SnapshotManifest,
    sandbox=WORDS,
    name=WORDS,
    at=WORDS,
    files=st.dictionaries(WORDS, WORDS, max_size=4),
    edits=COUNTS,
    ledger=st.none() | st.builds(LedgerPoint, seq=COUNTS, state_digest=WORDS),
    graphs=st.dictionaries(WORDS, POINTS, max_size=3),
    commands=COUNTS,
)
ONE = SnapshotManifest(
    sandbox="01S",
    name="before",
    at="2026-11-22T05:00:00Z",
    files={"b.pg": "22", "cluster.yaml": "11"},
    edits=3,
    ledger=LedgerPoint(seq=7, state_digest="sha256:77"),
    graphs={
        "social": GraphPoint(
            incarnation="01G",
            branch="sandbox/01S",
            commit=4,
            content_digest="c4",
            schema_digest=None,
            shape_digest=None,
        )
    },
    commands=9,
)


@given(MANIFESTS)
def test_a_manifest_comes_back_from_its_bytes(manifest: SnapshotManifest) -> None:
    data = manifest_bytes(manifest)

    assert decode_manifest(data) == manifest
    assert manifest_bytes(decode_manifest(data)) == data


@given(MANIFESTS, WORDS, WORDS)
def test_equal_contents_are_equal_bytes_apart_from_name_and_time(
    manifest: SnapshotManifest, name: str, at: str
) -> None:
    again = msgspec.structs.replace(
        manifest, name=name, at=at, files=dict(reversed([*manifest.files.items()]))
    )
    renamed = msgspec.structs.replace(manifest, name=name, at=at)

    assert content_digest(again) == content_digest(manifest)
    assert manifest_bytes(again) == manifest_bytes(renamed)


@pytest.mark.parametrize(
    "change",
    [
        {"files": {}},
        {"edits": 4},
        {"ledger": None},
        {"ledger": {"seq": 8, "state_digest": "sha256:77"}},
        {"graphs": {}},
        {"commands": 10},
        {"sandbox": "01T"},
    ],
)
def test_another_content_has_another_digest(change: dict[str, object]) -> None:
    other = msgspec.convert(msgspec.to_builtins(ONE) | change, SnapshotManifest)

    assert content_digest(other) != content_digest(ONE)


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"more": 1},
        {"edits": -1},
        {"edits": "3"},
        {"sandbox": None},
        {"graphs": {"social": {"branch": "main"}}},
        {"ledger": {"seq": 1, "state_digest": "x", "more": 1}},
    ],
)
def test_what_has_another_form_is_no_manifest(change: dict[str, object]) -> None:
    plain = json.loads(manifest_bytes(ONE)) | change
    data = json.dumps(plain, sort_keys=True, separators=(",", ":")).encode()

    with pytest.raises(ManifestError):
        decode_manifest(data)


def test_bytes_that_are_not_canonical_are_refused() -> None:
    data = manifest_bytes(ONE)

    for other in (data + b"\n", data.replace(b'{"at"', b'{ "at"'), b"", b"[]", data[:-1]):
        with pytest.raises(ManifestError):
            decode_manifest(other)
