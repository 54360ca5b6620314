"""`deps`: what depends on what among the declared resources."""

from typing import Annotated

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.views.deps import DependencyGraph, part_of
from agentctl_tools.envelopes import count, done, failed, refused
from agentctl_tools.fields import In
from agentctl_tools.nearness import nearest
from agentctl_tools.operation import Call, Envelope, Operation
from agentctl_tools.targets import loaded_of, resource_of, target_of


class Arguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `deps` takes."""

    address: (
        Annotated[str, msgspec.Meta(description="Only around this resource.", max_length=500)]
        | None
    ) = None
    reverse: Annotated[
        bool, msgspec.Meta(description="What needs it, in place of what it needs.")
    ] = False
    within: In = msgspec.field(default="cluster", name="in")


async def _handle(call: Call) -> Envelope:
    given: Arguments = call.arguments
    loaded = await loaded_of(call.cluster, call.caller, target_of(given.within))
    if isinstance(loaded, Diagnostic):
        return failed((loaded,))
    desired = loaded.desired
    if desired is None:
        return failed(loaded.diagnostics)
    addresses = tuple(sorted(str(r.address) for r in desired.resources))
    graph = DependencyGraph(addresses=addresses, edges=desired.dependencies, reverse=given.reverse)
    if given.address is not None:
        if given.address not in addresses:
            return _unknown(given.address, addresses)
        graph = part_of(addresses, desired.dependencies, given.address, reverse=given.reverse)
    resources = count(len(graph.addresses), "resource")
    return done(
        f"{resources}, {count(len(graph.edges), 'dependency', 'dependencies')}.", data=graph
    )


def _unknown(address: str, known: tuple[str, ...]) -> Envelope:
    near = nearest(address, known)
    return refused(
        "address_not_found",
        address,
        "the configuration declares no resource of that address",
        remedy=f"Did you mean `{near}`?" if near is not None else "agentctl deps",
    )


OPERATION = Operation(
    name="deps",
    operation_class="read",
    action="config_read",
    arguments=Arguments,
    handler=_handle,
    describe="Look. What depends on what among the declared resources.",
    inside=True,
    resource=lambda given: resource_of(given.within),
    result=DependencyGraph,
    idempotent=True,
)
