"""`identity_show` and `identity_list`: who is calling, and whom the cluster knows."""

import os
from pathlib import Path

import msgspec

from agentctl.adapters.keys.keyfile import keys_folder
from agentctl.domain.policy.caller import Caller
from agentctl.engine.identity import Identity, list_identities, show_identity
from agentctl_tools.envelopes import count, done
from agentctl_tools.operation import Call, Envelope, Operation


class Arguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """They take no arguments."""


class IdentityShown(msgspec.Struct, frozen=True, kw_only=True):
    """Who is calling, and in which cluster."""

    cluster_id: str
    identity: Identity


class IdentityList(msgspec.Struct, frozen=True, kw_only=True):
    """Every principal of the chain."""

    cluster_id: str
    identities: tuple[Identity, ...]


def keys_of(caller: Caller) -> Path | None:
    """Returns the keys folder of an operator at their own machine; nobody else is told of files."""
    return keys_folder(os.environ, Path.home()) if caller.at_terminal else None


async def _show(call: Call) -> Envelope:
    registry = await call.cluster.principals.registry()
    shown = show_identity(registry, call.caller, keys=keys_of(call.caller))
    told = "enrolled" if shown.enrolled else "not enrolled"
    data = IdentityShown(cluster_id=registry.cluster_id, identity=shown)
    return done(f"{shown.kind}, {told}.", data=data)


async def _list(call: Call) -> Envelope:
    registry = await call.cluster.principals.registry()
    listed = list_identities(registry, keys=keys_of(call.caller))
    data = IdentityList(cluster_id=registry.cluster_id, identities=listed)
    return done(f"{count(len(listed), 'principal')}.", data=data)


SHOW = Operation(
    name="identity_show",
    operation_class="read",
    action="principal_read",
    arguments=Arguments,
    handler=_show,
    describe="Look. Who is calling.",
    resource=lambda _: "cluster",
    result=IdentityShown,
    idempotent=True,
)
LIST = Operation(
    name="identity_list",
    operation_class="read",
    action="principal_read",
    arguments=Arguments,
    handler=_list,
    describe="Look. Every principal that the cluster knows.",
    resource=lambda _: "cluster",
    result=IdentityList,
    idempotent=True,
)
