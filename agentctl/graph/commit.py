"""One commit of a graph's branch: the object that decides what the graph is. Source: graph-engine 1.

A commit names the schema and, for each type, the dataset version that holds its rows. It is
written once; nothing outside the newest commit of a branch is part of the graph.
"""

from collections.abc import Mapping
from typing import Final, Literal

import msgspec

from agentctl.domain.ops.redaction import redact_text
from agentctl.graph.layout import MAIN, commit_id
from agentctl.graph.port import CommitInfo, Stamp

CommitKind = Literal[
    "create",
    "write",
    "schema",
    "branch",
    "merge",
    "fence",
    "tombstone",
    "restore",
    "revert",
    "erase",
    "purge",
]
ENDED: Final = frozenset({"tombstone", "purge"})
"""Kinds that hold no graph: it is detached, or its data is given up as well."""


class SchemaRef(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The schema in force."""

    source_digest: str
    shape_digest: str
    ir_digest: str


class TypeState(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One type's rows."""

    name: str
    lance_branch: str
    lance_version: int
    rows: int


class CommitOp(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """Who made it, and why."""

    id: str
    actor: str
    on_behalf_of: str | None = None
    intent: str


class Commit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``_graph/commits/<branch>/<n>.json``."""

    version: Literal[1]
    branch: str
    n: int
    kind: CommitKind
    parents: tuple[str, ...]
    incarnation: str
    schema: SchemaRef
    types: Mapping[str, TypeState]
    """By type id."""
    op: CommitOp
    epoch: int
    created_at: str
    nonce: str


class _Nonce(msgspec.Struct, frozen=True, kw_only=True):
    nonce: str


def encode_commit(commit: Commit) -> bytes:
    """Returns the pretty JSON that is stored."""
    return msgspec.json.format(msgspec.json.encode(commit, order="deterministic"), indent=2) + b"\n"


def decode_commit(data: bytes) -> Commit:
    """Returns the commit of *data*.

    Raises:
        msgspec.DecodeError: the bytes have another form or version.
    """
    return msgspec.json.decode(data, type=Commit)


def nonce_of(data: bytes) -> str | None:
    """Returns the nonce of a stored commit, or None where it has none."""
    try:
        return msgspec.json.decode(data, type=_Nonce).nonce
    except msgspec.DecodeError:
        return None


def first_commit(
    *, schema: SchemaRef, types: Mapping[str, TypeState], incarnation: str, stamp: Stamp, n: int
) -> Commit:
    """Returns commit `create` of an incarnation; *n* is 1 unless an older one lies below."""
    return Commit(
        version=1,
        branch=MAIN,
        n=n,
        kind="create",
        parents=(commit_id(n - 1),) if n > 1 else (),
        incarnation=incarnation,
        schema=schema,
        types=types,
        op=_op(stamp),
        epoch=stamp.epoch,
        created_at=stamp.at,
        nonce=stamp.nonce,
    )


def branch_commit(branch: str, source: Commit, stamp: Stamp, *, n: int) -> Commit:
    """Returns the commit with which *branch* begins: it names what *source* names.

    *n* is 1 unless an older branch of that name lies below.
    """
    return Commit(
        version=1,
        branch=branch,
        n=n,
        kind="branch",
        parents=(commit_id(source.n, source.branch),),
        incarnation=source.incarnation,
        schema=source.schema,
        types=source.types,
        op=_op(stamp),
        epoch=stamp.epoch,
        created_at=stamp.at,
        nonce=stamp.nonce,
    )


def next_commit(
    head: Commit,
    kind: CommitKind,
    stamp: Stamp,
    *,
    schema: SchemaRef | None = None,
    types: Mapping[str, TypeState] | None = None,
) -> Commit:
    """Returns the commit on top of *head*, with what is not given as *head* has it."""
    return Commit(
        version=1,
        branch=head.branch,
        n=head.n + 1,
        kind=kind,
        parents=(commit_id(head.n, head.branch),),
        incarnation=head.incarnation,
        schema=schema or head.schema,
        types=head.types if types is None else types,
        op=_op(stamp),
        epoch=stamp.epoch,
        created_at=stamp.at,
        nonce=stamp.nonce,
    )


def rows_by_name(commit: Commit) -> dict[str, int]:
    """Returns row counts by type name; a node and an edge type of one name are added up."""
    rows: dict[str, int] = {}
    for state in commit.types.values():
        rows[state.name] = rows.get(state.name, 0) + state.rows
    return rows


def commit_info(commit: Commit) -> CommitInfo:
    """Returns what lists show of *commit*."""
    return CommitInfo(
        id=commit_id(commit.n, commit.branch),
        kind=commit.kind,
        created_at=commit.created_at,
        op=commit.op.id,
        actor=commit.op.actor,
        on_behalf_of=commit.op.on_behalf_of,
        intent=commit.op.intent,
        rows=rows_by_name(commit),
        nonce=commit.nonce,
        incarnation=commit.incarnation,
    )


def _op(stamp: Stamp) -> CommitOp:
    """Returns the op of a commit; a secret that was pasted into its intent is in no commit."""
    return CommitOp(
        id=stamp.op,
        actor=stamp.actor,
        on_behalf_of=stamp.on_behalf_of,
        intent=redact_text(stamp.intent),
    )
