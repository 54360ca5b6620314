"""Who is calling, established once by a face when it opens a cluster. Source: access-and-faces 3.1.

A person at a terminal is the principal whose key is in their keys folder, if the cluster knows it
as a human; else the implicit operator, who may do what is reversible and can sign nothing. What
comes over MCP is an agent, whatever credential started the process. A token names a principal of
the chain that is still living, never a person at a terminal, so it consents to nothing.
"""

import os
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Final, Literal

import msgspec
from anyio import CapacityLimiter, to_thread

from agentctl.adapters.keys.jwks import Issuers, is_jwt, issuers_of_profile
from agentctl.adapters.keys.keyfile import nid_of
from agentctl.adapters.notify.profile import profile_path
from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.policy.caller import Caller, Via
from agentctl.domain.policy.principals import Principal, Registry
from agentctl.domain.policy.tokens import Grant, cluster_audience
from agentctl.engine.cluster import Cluster
from agentctl.engine.identity import principal_name
from agentctl.engine.tokens import Tokens
from agentctl_tools.nearness import nearest

JWTS_AT_ONCE: Final = 4
"""Whoever comes while an issuer is slow waits here, and holds up nobody who needs none."""


class TokenCaller(msgspec.Struct, frozen=True, kw_only=True):
    """Whom a token or a JWT made the caller, and what it is good for."""

    caller: Caller
    """Its `scopes` are the same; the door refuses what is outside of them."""
    scopes: frozenset[str]
    """Of ``look``, ``try`` and ``real``."""
    expires_at: str


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
        return _agent(found.id, _nid(found, user), operator.id, found.groups, enrolled=True)
    if principal is None:
        return _agent(f"agent:local:{user}", f"local:{user}", operator.id, (), enrolled=False)
    agents = [p.id for p in registry.principals.values() if p.kind == "agent" and not p.revoked]
    near = nearest(principal, agents)
    return error(
        "principal_not_found",
        principal,
        f"no agent of the id {principal} is enrolled here",
        remedy=f"Did you mean `{near}`?" if near else "agentctl identity list",
    )


async def caller_of_token(
    cluster: Cluster,
    secret: str,
    *,
    via: Literal["http", "mcp"],
    audience: str,
    issuers: Issuers | None = None,
) -> TokenCaller | Diagnostic:
    """Returns whom a bearer token or a JWT names, or why it is not taken; nothing told holds the secret.

    Over MCP a human's token is the implicit agent of that human, who is never there.

    Args:
        cluster: the opened cluster, whose tokens and whose principals chain decide.
        secret: what came behind ``Bearer``.
        via: the face. A token on the command line calls as over ``http``: it is at no terminal.
        audience: the URL that the face is reached by; what is for the whole cluster is taken too.
        issuers: whose JWTs are taken; those of the operator's profile where not given.

    Raises:
        BackendError: the store failed, so nothing is known.
        PrincipalsBrokenError: the chain does not hold.
    """
    registry = await cluster.principals.known()
    if is_jwt(secret):
        taken = issuers if issuers is not None else own_issuers()
        now = cluster.world.now()
        grant = await to_thread.run_sync(
            lambda: taken.grant(secret, now=now, audience=audience), limiter=_jwt_threads()
        )
    else:
        audiences = frozenset({audience, cluster_audience(registry.cluster_id)})
        grant = await Tokens(cluster.store, cluster.world).grant(secret, audiences=audiences)
    if isinstance(grant, Diagnostic):
        return grant
    caller = _granted(registry, grant, via=via)
    if isinstance(caller, Diagnostic):
        return caller
    return TokenCaller(caller=caller, scopes=grant.scopes, expires_at=grant.expires_at)


@cache
def _jwt_threads() -> CapacityLimiter:
    """Returns the threads that may wait for an issuer: the storage's are others."""
    return CapacityLimiter(JWTS_AT_ONCE)


@cache
def own_issuers() -> Issuers:
    """Returns the issuers of the operator's profile, read once in a process.

    None where the profile is wrong: `agentctl serve` says so when it begins.
    """
    found = issuers_of_profile(profile_path(os.environ, Path.home()))
    return found if isinstance(found, Issuers) else Issuers(())


def _granted(
    registry: Registry, grant: Grant, *, via: Literal["http", "mcp"]
) -> Caller | Diagnostic:
    """Returns the principal of a good credential, unless it or whom it acts for is no more."""
    found = registry.principals.get(grant.principal)
    if found is None or found.revoked or not found.confirmed:
        told = "the principal of the token is not known here, or was revoked"
        return error("token_invalid", "token", told)
    behalf = grant.on_behalf_of
    if behalf is not None and (found.kind == "human" or registry.human(behalf) is None):
        told = "the human on whose behalf the token acts is not known here, or was revoked"
        return error("token_invalid", "token", told)
    scopes = tuple(sorted(grant.scopes))
    if found.kind == "human" and via == "mcp":
        implicit = f"agent:for:{found.id}"
        agent = _agent(implicit, f"local:{found.id}", found.id, (), enrolled=False)
        return msgspec.structs.replace(agent, scopes=scopes)
    return Caller(
        id=found.id,
        kind=found.kind,
        nid=_nid(found, found.id),
        identity=found.id,
        via=via,
        groups=found.groups,
        enrolled=True,
        on_behalf_of=behalf,
        scopes=scopes,
    )


def _agent(
    agent_id: str, nid: str, behalf: str, groups: tuple[str, ...], *, enrolled: bool
) -> Caller:
    return Caller(
        id=agent_id,
        kind="agent",
        nid=nid,
        identity=agent_id,
        via="mcp",
        groups=groups,
        enrolled=enrolled,
        on_behalf_of=behalf,
    )


def _nid(principal: Principal, user: str) -> str:
    """Returns the node id that records carry: of its key, or the fallback without one."""
    return nid_of(principal.key) if principal.key is not None else f"local:{user}"
