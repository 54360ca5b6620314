"""The recovery sidecar: the written intent of a graph-moving step. Source: control-plane 1.5, 3.5."""

from typing import Final, Literal

import msgspec

RETENTION_S: Final = 604_800
"""How long a detached graph is kept before it is purged, where nothing else is applied."""

StepKind = Literal["graph_create", "schema_apply", "graph_delete"]


class Sidecar(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``__cluster/recoveries/<operation_id>.json``; written before the step, retired after the ledger."""

    schema_version: Literal[2] = 2
    operation_id: str
    """Its own ULID."""
    started_at: str
    actor: str | None
    kind: StepKind
    graph_id: str
    """Of a branch beside `main` that goes back, ``<graph>@<branch>``; then commits are that branch's."""
    graph_uri: str
    observed_manifest_version: int | None
    """Commit number of `main` before the step; None where there was none."""
    expected_manifest_version: int | None
    desired_schema_digest: str
    """Empty for a delete."""
    state_cas_base: str | None
    approval_id: str | None
    op: str
    epoch: int
    incarnation: str
    nonce: str
    """Of the commit that the step is about to write."""
    beside: tuple[str, ...] = ()
    """Further approvals of the same request that counted beside `approval_id`, used up with it."""
    kept_s: int | None = RETENTION_S
    """Of a delete: the seconds for which it can be restored; None where that is not known."""
