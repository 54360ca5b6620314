"""A plan as one value; every rendering comes from it. Source: control-plane 1.6, 3.3."""

from collections.abc import Mapping
from typing import Literal

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.domain.config.model import Dependency
from agentctl.domain.ledger.peeks import Peek
from agentctl.ids import Address

ChangeVerb = Literal["create", "update", "delete"]
Disposition = Literal["applied", "derived", "deferred", "blocked"]
EffectClass = Literal["reversible", "narrowing", "irreversible", "authority"]
GATED: frozenset[EffectClass] = frozenset({"narrowing", "irreversible", "authority"})


class Migration(msgspec.Struct, frozen=True, kw_only=True):
    """What a schema update does to a live graph; `steps` are ``{"kind": …, **fields}``."""

    supported: bool
    steps: tuple[Mapping[str, object], ...]


class BindingChange(msgspec.Struct, frozen=True, kw_only=True):
    """What a policy applied to and what it would apply to; None where there is no policy."""

    before: tuple[str, ...] | None
    after: tuple[str, ...] | None


class SettingsChange(msgspec.Struct, frozen=True, kw_only=True):
    """What was recorded of a graph's settings or a provider's profile, and what is declared.

    References to secrets stand in it as they are written, ``${NAME}``.
    """

    before: Mapping[str, object] | None
    """None where the ledger holds none."""
    after: Mapping[str, object] | None


class Change(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One difference between the desired and the recorded cluster."""

    resource: Address
    operation: ChangeVerb
    classes: tuple[EffectClass, ...]
    """Sorted; never empty."""
    before_digest: str | None = None
    after_digest: str | None = None
    disposition: Disposition | None = None
    reason: str | None = None
    binding_change: bool = False
    metadata_change: str | None = None
    bindings: BindingChange | None = None
    """Of every change of a policy."""
    settings: SettingsChange | None = None
    """Of a graph, an embedding provider or the cluster, where these differ."""
    moved_from: Address | None = None
    """Where the resource is recorded, which gets this address."""
    migration: Migration | None = None
    peeks: tuple[Peek, ...] = ()
    """Of a schema's update: what was asked of the rows, where that was wanted; not sealed."""
    group: str | None = None
    """The apply group: a declared one, or ``references:<address>`` of those that references force."""
    needs: tuple[Address, ...] = ()
    """Changes of this plan without which it is not applied, sorted; the group's inner edges."""
    dependents: tuple[Address, ...] = ()
    """Transitive, sorted."""
    told: Mapping[str, str] = msgspec.field(default_factory=dict)
    """Of a query that comes or changes: what agents read of it, by ``description`` and
    ``instruction``; its digest covers it, so it is not sealed again."""
    gate: str | None = None
    """The gate key under which it waits; a graph's gate carries its schema and queries."""


class BlastRadius(msgspec.Struct, frozen=True, kw_only=True):
    """The direct dependents of one changed resource."""

    resource: Address
    affected: tuple[Address, ...]


class ApprovalNeed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One gate of the plan and whether a recorded decision opens it."""

    resource: Address
    reason: str
    satisfied: bool
    gate_key: str
    who: str | None = None
    """Who must decide, in words, where an applied rule says so."""
    request_id: str | None = None
    """The open or deciding request, where there is one."""
    standing: Literal["none", "waiting", "approved", "denied", "stale", "expired"] = "none"


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The sealed difference; `digest` covers what `codec.sealed` names and nothing else."""

    cluster_id: str
    target: str
    """``folder``, ``draft:<id>`` or ``sandbox:<id>``."""
    principal: str
    """Whom it was made for."""
    config_digest: str
    resource_digests: Mapping[str, str]
    dependencies: tuple[Dependency, ...]
    state_cas: str | None
    state_revision: int
    observed: Mapping[str, tuple[str | None, str | None]]
    """By graph address: newest commit id of `main`, and the digest of the live schema's source."""
    policy_digests: Mapping[str, str]
    principals_head: str | None
    protected: tuple[str, ...]
    changes: tuple[Change, ...]
    """Sorted by address."""
    blast_radius: tuple[BlastRadius, ...]
    approvals_required: tuple[ApprovalNeed, ...]
    diagnostics: tuple[Diagnostic, ...]
    digest: str
