"""Who is calling, established once by a face when it opens a cluster. Source: access-and-faces 3.1.

A person at a terminal is the principal whose key is in their keys folder, if the cluster knows it
as a human; else the implicit operator, who may do what is reversible and can sign nothing. What
comes over MCP is an agent, whatever credential started the process.
"""

from collections.abc import Iterable

from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.policy.caller import Caller, Via
from agentctl.domain.policy.principals import Principal, Registry
from agentctl.engine.cluster import Cluster
from agentctl_tools.nearness import nearest


async def operator_of(
    cluster: Cluster, *, keys: Iterable[str], via: Via = "cli", label: str | None = None
) -> Caller:
    """Returns the person at this terminal.

    Args:
        cluster: the opened cluster, whose principals chain decides.
        keys: the public keys whose private halves are in this user's keys folder.
        via: the face.
        label: of ``--as``; sets what records show for people, and nothing else.
    """
    user = cluster.world.user
    registry = await cluster.principals.registry()
    human = _holder(registry, "human", set(keys))
    if human is None:
        local = f"local:{user}"
        return Caller(
            id=local,
            kind="human",
            nid=local,
            identity=label or user,
            via=via,
            at_terminal=True,
        )
    return Caller(
        id=human.id,
        kind="human",
        nid=human.nid or f"local:{user}",
        identity=label or human.id,
        via=via,
        groups=human.groups,
        enrolled=True,
        at_terminal=True,
    )


async def agent_of(
    cluster: Cluster, *, keys: Iterable[str], principal: str | None = None
) -> Caller | Diagnostic:
    """Returns the agent that an MCP connection acts as, on behalf of the operator who started it.

    Args:
        cluster: the opened cluster.
        keys: the public keys in this user's keys folder; they say who the operator is.
        principal: of ``--principal``; without it ``agent:<user>`` where enrolled, else an implicit
            agent without a key.
    """
    operator = await operator_of(cluster, keys=keys)
    registry = await cluster.principals.registry()
    user = cluster.world.user
    wanted = principal or f"agent:{user}"
    found = registry.principals.get(wanted) if registry is not None else None
    if found is not None and found.kind == "agent" and not found.revoked:
        return _agent(found.id, found.nid or f"local:{user}", operator, found.groups, enrolled=True)
    if principal is None:
        return _agent(f"agent:local:{user}", f"local:{user}", operator, (), enrolled=False)
    agents = [p.id for p in registry.principals.values() if p.kind == "agent"] if registry else []
    near = nearest(principal, agents)
    return error(
        "principal_not_found",
        principal,
        f"no agent of the id {principal} is enrolled here",
        remedy=f"Did you mean `{near}`?" if near else "agentctl identity list",
    )


def _agent(
    agent_id: str, nid: str, operator: Caller, groups: tuple[str, ...], *, enrolled: bool
) -> Caller:
    return Caller(
        id=agent_id,
        kind="agent",
        nid=nid,
        identity=agent_id,
        via="mcp",
        groups=groups,
        enrolled=enrolled,
        on_behalf_of=operator.id,
    )


def _holder(registry: Registry | None, kind: str, keys: set[str]) -> Principal | None:
    if registry is None:
        return None
    return next(
        (
            p
            for p in registry.principals.values()
            if p.kind == kind and not p.revoked and p.key in keys
        ),
        None,
    )
