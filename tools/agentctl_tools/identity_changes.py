"""Changes of who is known: added, regrouped, revoked, rotated, delegated to, recovered.

None of these operations has a projection over MCP. Source: access-and-faces 3.1, 3.5.
"""

from typing import Annotated, Literal

import msgspec

from agentctl.domain.policy.principals import Assurance, Principal, Registry
from agentctl.domain.policy.vouching import vouching_of
from agentctl.engine import enrolling
from agentctl.engine.enrolling import Changed, NewPrincipal, Scope
from agentctl_tools.envelopes import done, failed
from agentctl_tools.operation import Call, Envelope, Operation

Id = Annotated[str, msgspec.Meta(description="The principal.", max_length=100)]
Key = Annotated[str, msgspec.Meta(description="A public key, OpenSSH form.", max_length=500)]
Names = tuple[Annotated[str, msgspec.Meta(max_length=200)], ...]


class Added(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `identity_add` takes."""

    id: Id
    of_kind: Literal["agent", "service"]
    key: Key | None = None
    in_groups: Names = ()


class HumanAdded(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `identity_add_human` takes."""

    id: Id
    key: Key
    assurance: Assurance | None = None
    in_groups: Names = ()


class Regrouped(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `identity_groups` takes."""

    id: Id
    in_groups: Names


class Revoked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `identity_revoke` takes."""

    id: Id
    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=500)]


class Rotated(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `identity_rotate` takes."""

    id: Id
    key: Key


class Delegated(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `identity_delegate` takes."""

    to: Id
    seconds: Annotated[int, msgspec.Meta(ge=1, le=30 * 86_400)]
    kinds: Names = ()
    resources: Names = ()


class RecoverySet(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `identity_recovery` takes."""

    key: Key
    """Public half of the recovery code."""


class Recovered(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `identity_recover` takes; the code itself is the signer, and no argument."""

    id: Id
    act: Literal["rotate", "revoke"]
    key: Key | None = None
    reason: Annotated[str, msgspec.Meta(max_length=500)] = "lost"


class ChainChanged(msgspec.Struct, frozen=True, kw_only=True):
    """The chain after a change."""

    cluster_id: str
    length: int
    principal: Principal | None
    """Whom it was about, as the chain has them now."""


async def _add(call: Call) -> Envelope:
    given = call.arguments
    new = NewPrincipal(id=given.id, kind=given.of_kind, key=given.key, groups=given.in_groups)
    changed = await enrolling.add(call.cluster, call.caller, new, signer=call.signer)
    return _told(changed, given.id, f"Known: {given.of_kind}.")


async def _add_human(call: Call) -> Envelope:
    given = call.arguments
    new = NewPrincipal(
        id=given.id, kind="human", key=given.key, groups=given.in_groups, assurance=given.assurance
    )
    changed = await enrolling.add(call.cluster, call.caller, new, signer=call.signer)
    return _told(changed, given.id, "Known: human.")


async def _regroup(call: Call) -> Envelope:
    given = call.arguments
    changed = await enrolling.regroup(
        call.cluster, call.caller, given.id, given.in_groups, signer=call.signer
    )
    return _told(changed, given.id, "The groups are these now.")


async def _revoke(call: Call) -> Envelope:
    given = call.arguments
    changed = await enrolling.revoke(
        call.cluster, call.caller, given.id, given.reason, signer=call.signer
    )
    return _told(changed, given.id, "Revoked, with its key.")


async def _rotate(call: Call) -> Envelope:
    given = call.arguments
    changed = await enrolling.rotate(
        call.cluster, call.caller, given.id, given.key, signer=call.signer
    )
    return _told(changed, given.id, "The new key counts, the old one no more.")


async def _delegate(call: Call) -> Envelope:
    given = call.arguments
    scope = Scope(kinds=given.kinds, resources=given.resources, seconds=given.seconds)
    changed = await enrolling.delegate(
        call.cluster, call.caller, given.to, scope, signer=call.signer
    )
    return _told(changed, given.to, "Delegated.")


async def _recovery(call: Call) -> Envelope:
    changed = await enrolling.set_recovery(
        call.cluster, call.caller, call.arguments.key, signer=call.signer
    )
    return _told(changed, None, "The recovery code is a new one; the old one is worth nothing.")


async def _recover(call: Call) -> Envelope:
    given = call.arguments
    changed = await enrolling.recover(
        call.cluster,
        given.id,
        act=given.act,
        new_key=given.key,
        reason=given.reason,
        signer=call.signer,
    )
    return _told(changed, given.id, "Recovered. Make a new code: agentctl identity recovery")


def _told(changed: Changed, about: str | None, summary: str) -> Envelope:
    if not isinstance(changed, Registry):
        return failed(changed, summary="Nobody was changed.")
    data = ChainChanged(
        cluster_id=changed.cluster_id,
        length=changed.head.length,
        principal=changed.principals.get(about) if about is not None else None,
    )
    alone = vouching_of(changed, about) if about is not None else None
    return done(summary, data=data, diagnostics=() if alone is None else (alone,))


ADD = Operation(
    name="identity_add",
    operation_class="write",
    action="principal_add",
    arguments=Added,
    handler=_add,
    describe="Real. Makes an agent or a service known.",
    resource=lambda _: "cluster",
    result=ChainChanged,
)
ADD_HUMAN = Operation(
    name="identity_add_human",
    operation_class="human_only",
    action="principal_add_human",
    arguments=HumanAdded,
    handler=_add_human,
    describe="Real. Makes a further human known, by a known human's signature.",
    resource=lambda _: "cluster",
    result=ChainChanged,
)
GROUPS = Operation(
    name="identity_groups",
    operation_class="human_only",
    action="principal_add_human",
    arguments=Regrouped,
    handler=_regroup,
    describe="Real. Replaces the groups of a principal, which are the roles of approval rules.",
    resource=lambda _: "cluster",
    result=ChainChanged,
)
REVOKE = Operation(
    name="identity_revoke",
    operation_class="human_only",
    action="principal_revoke",
    arguments=Revoked,
    handler=_revoke,
    describe="Real. Ends a principal with its key.",
    resource=lambda _: "cluster",
    result=ChainChanged,
    destructive=True,
)
ROTATE = Operation(
    name="identity_rotate",
    operation_class="human_only",
    action="principal_revoke",
    arguments=Rotated,
    handler=_rotate,
    describe="Real. Replaces a principal's key.",
    resource=lambda _: "cluster",
    result=ChainChanged,
    destructive=True,
)
DELEGATE = Operation(
    name="identity_delegate",
    operation_class="human_only",
    action="principal_delegate",
    arguments=Delegated,
    handler=_delegate,
    describe="Real. Lets another human count by one's groups for a while.",
    resource=lambda _: "cluster",
    result=ChainChanged,
)
RECOVERY = Operation(
    name="identity_recovery",
    operation_class="human_only",
    action="principal_revoke",
    arguments=RecoverySet,
    handler=_recovery,
    describe="Real. Replaces the recovery code.",
    resource=lambda _: "cluster",
    result=ChainChanged,
)
RECOVER = Operation(
    name="identity_recover",
    operation_class="write",
    action="principal_recover",
    arguments=Recovered,
    handler=_recover,
    describe="Real. Replaces or revokes a lost key by the recovery code.",
    resource=lambda _: "cluster",
    result=ChainChanged,
    destructive=True,
)
