"""One record of the audit chain. Source: control-plane 3.2."""

from collections.abc import Mapping
from typing import Literal

import msgspec


class AuditActor(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who acted."""

    nid: str
    identity: str
    kind: Literal["human", "agent", "service"]
    source: Literal["cli", "agent", "api"]


class AuditRecord(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """``__cluster/audit/<20-digit n>.json``, canonical bytes, create-only; no arguments, no rows."""

    version: Literal[1]
    n: int
    previous: str | None
    """``sha256:`` of the exact bytes of the record before; null at 1."""
    at: str
    actor: AuditActor
    action: str
    resource: str
    decision: Literal["allow", "deny", "error"]
    policies: tuple[str, ...]
    request_digest: str
    """SHA-256 of the canonical arguments; proves what was asked without telling it."""
    digests: Mapping[str, str] = msgspec.field(default_factory=dict)
    op: str | None = None
    on_behalf_of: str | None = None
    reason: str | None = None
    count: int = 1
    """How many equal denials it stands for, the first one's own record not among them. 1 else."""
    since: str | None = None
    """When the first of them came, where it stands for more than one."""
