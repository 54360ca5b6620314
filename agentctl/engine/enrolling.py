"""Changes of the principals chain that a human asks for: enrol, regroup, revoke, rotate, delegate, recover.

Every one is a record of the chain, signed by the human who calls or by the recovery code, and judged
by the chain's own rules before it is written. Whose word counts for what is theirs to say; here is
only who may ask, and with which key. Source: access-and-faces 3.1, 3.5.
"""

from collections.abc import Iterable
from datetime import timedelta
from typing import Final, Literal

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.policy.caller import Caller, PrincipalKind
from agentctl.domain.policy.principals import Assurance, DelegateBody, Principal, Registry
from agentctl.domain.policy.public_key import is_hardware
from agentctl.engine.cluster import Cluster
from agentctl.engine.principals import Signer
from agentctl.ids import is_resource_id, parse_address
from agentctl.instants import format_instant

Changed = Registry | tuple[Diagnostic, ...]
DELEGABLE: Final = frozenset(
    {"graph", "schema", "query", "policy", "embedding_provider", "approval", "ops", "cluster"}
)
"""Kinds that a delegation may name; `cluster` stands for what belongs to no resource."""


class NewPrincipal(msgspec.Struct, frozen=True, kw_only=True):
    """Whom to make known."""

    id: str
    kind: PrincipalKind
    key: str | None = None
    groups: tuple[str, ...] = ()
    assurance: Assurance | None = None
    """Of a human; None for what can be told by looking at the key."""


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """What a delegation is for."""

    kinds: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    seconds: int
    """How long it holds from now."""


async def add(
    cluster: Cluster, caller: Caller, new: NewPrincipal, *, signer: Signer | None
) -> Changed:
    """Makes a principal known. A human, or whoever has groups, needs the caller's signature."""
    by: str | None = None
    if new.kind == "human" or new.groups:
        known = await _calling_human(cluster, caller, signer, new.id)
        if isinstance(known, Diagnostic):
            return (known,)
        by = known.id
    assurance = new.assurance
    if new.kind == "human" and assurance is None and new.key is not None:
        assurance = "touch" if is_hardware(new.key) else "file"
    return await cluster.principals.add(
        principal_id=new.id,
        kind=new.kind,
        key=new.key,
        groups=new.groups,
        assurance=assurance if new.kind == "human" else None,
        by=by,
        signer=signer if by is not None else None,
    )


async def regroup(
    cluster: Cluster,
    caller: Caller,
    principal_id: str,
    groups: Iterable[str],
    *,
    signer: Signer | None,
) -> Changed:
    """Replaces the groups of a principal, which are the roles of approval rules.

    Of another human it vouches for them; nobody gives themselves a group where another could.
    """
    known = await _calling_human(cluster, caller, signer, principal_id)
    if isinstance(known, Diagnostic) or signer is None:
        return _faults(known)
    groups = tuple(groups)
    refused = _own_groups(await cluster.principals.registry(), known, principal_id, groups)
    if refused is not None:
        return (refused,)
    return await cluster.principals.regroup(
        principal_id=principal_id, groups=groups, by=known.id, signer=signer
    )


async def revoke(
    cluster: Cluster, caller: Caller, principal_id: str, reason: str, *, signer: Signer | None
) -> Changed:
    """Ends a principal with its key; what it approved and was not used yet is stale."""
    known = await _calling_human(cluster, caller, signer, principal_id)
    if isinstance(known, Diagnostic) or signer is None:
        return _faults(known)
    registry = await cluster.principals.registry()
    humans = [p for p in registry.principals.values() if registry.human(p.id) is not None]
    if [p.id for p in humans] == [principal_id] and registry.recovery is None:
        why = "it is the last human, and there is no recovery code: nobody could decide anything"
        return (error("principal_refused", principal_id, why, remedy="agentctl identity new"),)
    return await cluster.principals.revoke(
        principal_id=principal_id, reason=reason, by=known.id, signer=signer
    )


async def rotate(
    cluster: Cluster, caller: Caller, principal_id: str, new_key: str, *, signer: Signer | None
) -> Changed:
    """Replaces a principal's key by the word of the calling human."""
    known = await _calling_human(cluster, caller, signer, principal_id)
    if isinstance(known, Diagnostic) or signer is None:
        return _faults(known)
    return await cluster.principals.rotate(
        principal_id=principal_id, new_key=new_key, by=known.id, signer=signer
    )


async def delegate(
    cluster: Cluster, caller: Caller, to: str, scope: Scope, *, signer: Signer | None
) -> Changed:
    """Lets *to* count by the calling human's groups, for what *scope* says and no longer."""
    known = await _calling_human(cluster, caller, signer, to)
    if isinstance(known, Diagnostic) or signer is None:
        return _faults(known)
    wrong = [k for k in scope.kinds if k not in DELEGABLE]
    wrong += [r for r in scope.resources if not _is_named(r)]
    if wrong:
        why = f"a delegation names kinds and typed addresses; {wrong[0]!a} is neither"
        remedy = f"Kinds: {', '.join(sorted(DELEGABLE))}. Addresses: graph.<id>, policy.*"
        return (error("invalid_arguments", "$.resources", why, remedy=remedy),)
    end = cluster.world.now() + timedelta(seconds=scope.seconds)
    body = DelegateBody(
        source=known.id,
        to=to,
        kinds=tuple(sorted(set(scope.kinds))),
        resources=tuple(sorted(set(scope.resources))),
        until=format_instant(end),
    )
    return await cluster.principals.delegate(body, signer=signer)


async def set_recovery(
    cluster: Cluster, caller: Caller, key: str, *, signer: Signer | None
) -> Changed:
    """Makes *key* the public half of the recovery code in force; the one before is worth nothing."""
    known = await _calling_human(cluster, caller, signer, "recovery")
    if isinstance(known, Diagnostic) or signer is None:
        return _faults(known)
    return await cluster.principals.set_recovery(key=key, by=known.id, signer=signer)


async def recover(
    cluster: Cluster,
    principal_id: str,
    *,
    act: Literal["rotate", "revoke"],
    new_key: str | None,
    reason: str,
    signer: Signer | None,
) -> Changed:
    """Replaces or revokes a lost key by the word of the recovery code, whose key *signer* is."""
    registry = await cluster.principals.registry()
    if signer is None or signer.key != registry.recovery:
        why = "the recovery code is not the one of this cluster, or was not copied right"
        return (error("recovery_code_invalid", principal_id, why),)
    if act == "revoke" or new_key is None:
        return await cluster.principals.revoke(
            principal_id=principal_id, reason=reason, by=None, signer=signer
        )
    return await cluster.principals.rotate(
        principal_id=principal_id, new_key=new_key, by=None, signer=signer
    )


async def _calling_human(
    cluster: Cluster, caller: Caller, signer: Signer | None, about: str
) -> Principal | Diagnostic:
    """Returns the enrolled human who calls and whose key is at hand, or why there is none."""
    known = (await cluster.principals.registry()).human(caller.id)
    if caller.kind != "human" or caller.via not in {"cli", "tui"} or known is None:
        why = f"{caller.kind} {caller.id!a} is no enrolled human at a terminal"
        return error("human_only", about, why, remedy="agentctl init")
    if signer is None:
        why = f"the key of {known.id} is not at hand, so nothing can be signed"
        return error("human_key_missing", known.id, why, remedy="agentctl identity show")
    if signer.key != known.key:
        why = f"the key at hand is not the one that {known.id} is enrolled with"
        return error("signature_invalid", known.id, why, remedy="agentctl identity show")
    return known


def _own_groups(
    registry: Registry, by: Principal, principal_id: str, groups: tuple[str, ...]
) -> Diagnostic | None:
    """Returns why the groups would not take effect: they are the signer's own, or a second self's."""
    target = registry.human(principal_id)
    if target is None or registry.person(target.id) != registry.person(by.id):
        return None
    gained = sorted(set(groups) - set(target.groups))
    others = registry.others(by.id)
    if not others or (not gained and target.counts_with is None):
        return None
    who = "your own" if target.id == by.id else f"those of {target.id}, for whom you vouched alone"
    what = f"the groups are {who}: another human puts you into {gained[0]}" if gained else ""
    why = what or f"{target.id} waits for the word of another human than {target.vouched_by}"
    given = " ".join((principal_id, *groups))
    remedy = f"{' or '.join(sorted(others))} runs: agentctl identity groups {given}"
    return error("principal_refused", principal_id, why, remedy=remedy)


def _faults(known: Principal | Diagnostic) -> tuple[Diagnostic, ...]:
    assert isinstance(known, Diagnostic), "a calling human has a key"
    return (known,)


def _is_named(resource: str) -> bool:
    if resource == "cluster":
        return True
    if not resource.endswith(".*"):
        return parse_address(resource) is not None
    parts = resource.removesuffix(".*").split(".")
    return all(is_resource_id(part) for part in parts)
