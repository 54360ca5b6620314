"""The Op record of the seed. Source: ops 1, 5; seeds/000."""

from collections.abc import Mapping
from typing import Final, Literal

import msgspec

OpSource = Literal["cli", "agent", "api"]
OpVerb = Literal["install", "update", "delete", "rollback", "dry_run"]
OpStatus = Literal[
    "pending",
    "running",
    "constraint_failed",
    "recovering",
    "success",
    "failed",
    "rolled_back",
    "cancelled",
]
ArchiveState = Literal["pending", "done"]
"""`pending`: an archive is configured and does not hold the op yet; a later sweep tries again."""
DATA_ACTIONS: Final = frozenset({"load", "mutate", "branch_merge"})
"""Actions that write rows to one branch of a graph, and move no definition."""
GRAPH_ACTIONS: Final = DATA_ACTIONS | {
    "branch_create",
    "branch_delete",
    "graph_tag",
    "graph_untag",
    "graph_optimize",
    "graph_cleanup",
}
"""Actions whose ops run under the lease of the one branch that is their component."""
ConstraintKind = Literal["backup", "restore", "health_check", "dry_run_check", "concurrent_lock"]


class OpActor(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who did it: `nid` is authenticated, `identity` is a label only."""

    nid: str
    identity: str
    source: OpSource = "cli"


class Constraint(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A gate that was evaluated before execution."""

    kind: ConstraintKind
    resource: str
    scope: Literal["direct", "indirect"] = "direct"
    params: Mapping[str, object] = msgspec.field(default_factory=dict)


class RecoveryAction(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to do when execution fails."""

    kind: ConstraintKind
    resource: str
    source: Literal["pre_backup", "last_known_good"] = msgspec.field(
        default="pre_backup", name="from"
    )
    params: Mapping[str, object] = msgspec.field(default_factory=dict)


class Constraints(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Gates before, actions after a failure."""

    pre: tuple[Constraint, ...] = ()
    on_failure: tuple[RecoveryAction, ...] = ()


class GateOutcome(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """What one gate, or one recovery action, came to."""

    kind: ConstraintKind
    resource: str
    passed: bool
    reason: str | None = None
    """Why it said no, or what it saw."""
    artifact: str | None = None
    """Of a backup: what can be gone back to."""


class Snapshots(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """Keys of the snapshots, relative to the storage root."""

    pre: str
    post: str | None = None


class Artifacts(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """What was archived."""

    bundles: tuple[str, ...] = ()
    archive_snapshot: str | None = None
    pins: tuple[str, ...] = ()
    """``graph.<id>@main:<n>``: commits that are kept for this op."""


class Lineage(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """Incoming edges of the DAG."""

    parent_op: str | None = None
    rollback_of: str | None = None
    merged_op: str | None = None


class Op(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=False
):
    """``ops/{id}/op.json``: the materialised record; status events beside it decide."""

    id: str
    """``{nid-short}:{uuid7}``."""
    actor: OpActor
    on_behalf_of: str | None = None
    intent: str
    workspace: str
    component: str
    """A typed resource address, or ``cluster``."""
    operation: OpVerb
    action: str
    """The registry name of the operation that made it."""
    targets: tuple[str, ...]
    constraints: Constraints = msgspec.field(default_factory=Constraints)
    snapshots: Snapshots
    artifacts: Artifacts = msgspec.field(default_factory=Artifacts)
    lineage: Lineage = msgspec.field(default_factory=Lineage)
    status: OpStatus = "pending"
    reason: str | None = None
    """Why it ended as it did, where that needs words."""
    jj_change: str | None = None
    radicle_rid: str | None = None
    config_commit: str | None = None
    """The git commit that the config folder stood on when the op began, where it is in a repository."""
    started_at: str
    ended_at: str | None = None
    gates: tuple[GateOutcome, ...] = ()
    """Every gate that was evaluated, in order."""
    recovery: tuple[GateOutcome, ...] = ()
    """Every recovery action that was carried out, in order."""
    needs_human: bool = False
    """Of a failed op: its recovery failed too, so that what it left is nobody's plan."""
    inputs_digest: str | None = None
    """Of what it would do, where that can be named: the plan digest."""
    archive: ArchiveState | None = None
    """None where no archive was configured when it ended."""


class StatusEvent(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """``ops/{id}/status-<3-digit k>.json``, create-only; the newest decides."""

    status: OpStatus
    at: str
    epoch: int
    reason: str | None = None
    gates: tuple[GateOutcome, ...] = ()
    recovery: tuple[GateOutcome, ...] = ()
    needs_human: bool = False
    archive: ArchiveState | None = None


class Snapshot(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=False
):
    """``pre.json`` and ``post.json``: digests and positions, no data."""

    seq: int | None
    """Of the newest ledger object; None where there is none yet."""
    state_cas: str | None
    resource_digests: Mapping[str, str]
    graphs: Mapping[str, str | None]
    """Newest commit id of `main` by graph id."""
    contents: Mapping[str, str] = msgspec.field(default_factory=dict)
    """Digest of what that commit names, by graph id: equal again after a graph went back."""


class ChangeRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What the version control of the config folder calls what is in it; None for what is not there."""

    config_commit: str | None = None
    jj_change: str | None = None
    radicle_rid: str | None = None


class NewOp(msgspec.Struct, frozen=True, kw_only=True):
    """What a caller knows of an op before it begins; the journal adds id, times and lineage."""

    actor: OpActor
    intent: str
    workspace: str
    operation: OpVerb
    action: str
    component: str = "cluster"
    targets: tuple[str, ...] = ()
    constraints: Constraints = msgspec.field(default_factory=Constraints)
    lineage: Lineage | None = None
    """None for a cluster op: its parent is the op of the newest ledger object."""
    on_behalf_of: str | None = None
    inputs_digest: str | None = None
    id: str | None = None
    """Minted before, where a key or a sidecar had to name it already."""
