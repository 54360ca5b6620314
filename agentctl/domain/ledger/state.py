"""The seed's `state.json`: what has been applied. Source: control-plane 1.4, seeds/001."""

from collections.abc import Mapping
from typing import Literal

import msgspec

Status = Literal["pending", "planned", "applying", "applied", "drifted", "blocked", "error"]


class AppliedResource(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """One applied resource."""

    digest: str
    applies_to: tuple[str, ...] | None = None
    """Of a policy: its normalised bindings."""
    embedding_provider: str | None = None
    embedding_profile: Mapping[str, object] | None = None
    external_blob_policy: Mapping[str, object] | None = None
    root: str | None = None
    """Of a graph that was renamed: the name of the root where its data lie. None where it is its id."""


class AppliedRevision(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What has been applied; the config digest is set only by a converging apply."""

    config_digest: str | None = None
    resources: Mapping[str, AppliedResource] = msgspec.field(default_factory=dict)


class ResourceStatus(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=False
):
    """How one resource stands."""

    status: Status
    conditions: tuple[str, ...] = ()
    message: str | None = None


class ApprovalUse(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """That an approval was consumed, and by which op."""

    consumed_at: str
    consumed_by_operation: str


class RecoveryUse(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """That an interrupted step was rolled forward."""

    kind: str
    graph_id: str
    outcome: Literal["rolled_forward"]
    recovered_at: str
    actor: str | None


class GraphObserved(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag_field="kind",
    tag="graph",
):
    """What was last seen of a graph. Nulls are kept."""

    address: str
    graph_uri: str
    observed_at: str
    exists: bool
    graph_manifest_version: int | None = None
    """The commit number of `main`."""
    schema_digest: str | None = None
    desired_schema_digest: str
    schema_matches_desired: bool | None = None
    error: str | None = None


class Tombstone(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag_field="kind",
    tag="tombstone",
):
    """That a graph was deleted, by whom, and until when it can be restored."""

    deleted_at: str
    approval_id: str | None = None
    actor: str | None = None
    incarnation: str | None = None
    """Set while the detached data is kept; the next three go with it."""
    purge_after: str | None = None
    graph_uri: str | None = None
    purged_at: str | None = None
    resources: Mapping[str, AppliedResource] | None = None
    """The graph's subtree as it was applied, so that `graph restore` brings it back."""


Observation = GraphObserved | Tombstone


class State(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole document; on disk pretty, two spaces, keys of maps sorted, a final newline."""

    version: Literal[1] = 1
    state_revision: int = 0
    applied_revision: AppliedRevision = msgspec.field(default_factory=AppliedRevision)
    resource_statuses: Mapping[str, ResourceStatus] = msgspec.field(default_factory=dict)
    approval_records: Mapping[str, ApprovalUse] = msgspec.field(default_factory=dict)
    recovery_records: Mapping[str, RecoveryUse] = msgspec.field(default_factory=dict)
    observations: Mapping[str, Observation] = msgspec.field(default_factory=dict)
