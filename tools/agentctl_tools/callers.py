"""Who is calling, established once by a face when it opens a cluster. Source: access-and-faces 3.1.

A person at a terminal is the principal whose key is in their keys folder, if the cluster knows it
as a human; else the implicit operator, who may do what is reversible and can sign nothing. What
comes over MCP is an agent, whatever credential started the process.
"""

from collections.abc import Iterable

from agentctl.adapters.keys.keyfile import nid_of
from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.policy.caller import Caller, Via
from agentctl.domain.policy.principals import Principal
from agentctl.engine.cluster import Cluster
from agentctl.engine.identity import principal_name
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
    humans = (registry.human_with_key(key) for key in keys)
    human = next((h for h in humans if h is not None), None)
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
        nid=_nid(human, user),
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
    wanted = principal or f"agent:{principal_name(user)}"
    found = registry.principals.get(wanted)
    if found is not None and found.kind == "agent" and not found.revoked:
        return _agent(found.id, _nid(found, user), operator, found.groups, enrolled=True)
    if principal is None:
        return _agent(f"agent:local:{user}", f"local:{user}", operator, (), enrolled=False)
    agents = [p.id for p in registry.principals.values() if p.kind == "agent" and not p.revoked]
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


def _nid(principal: Principal, user: str) -> str:
    """Returns the node id that records carry: of its key, or the fallback without one."""
    return nid_of(principal.key) if principal.key is not None else f"local:{user}"
