"""`token_create`, `token_list`, `token_revoke`: bearer tokens, made by humans at their own terminal.

None of them has a projection over MCP, and no token makes a token: policy lets `token_create` come
over no wire. Source: access-and-faces 3.1, ADR 0018.
"""

from typing import Annotated, Literal

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.policy.caller import PrincipalKind
from agentctl.domain.policy.principals import Principal
from agentctl.domain.policy.tokens import (
    LIFE_MAX,
    SCOPES,
    Scope,
    TokenRecord,
    cluster_audience,
    expiry,
    ordered_scopes,
)
from agentctl.engine.cluster import Cluster
from agentctl.engine.tokens import StoredToken, Tokens
from agentctl.engine.world import stamp_now
from agentctl.foreign import Foreign, show
from agentctl.instants import parse_instant
from agentctl_tools.envelopes import count, done, failed
from agentctl_tools.operation import Call, Envelope, Operation

TOKEN_ID_MIN = 8
"""How much of a token's id names it, where no other begins so."""


class CreateArguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `token_create` takes."""

    principal: Annotated[str, msgspec.Meta(description="Whom it names.", max_length=100)]
    label: Annotated[str, msgspec.Meta(description="For people.", max_length=200)] = ""
    scopes: tuple[Scope, ...] = SCOPES
    audience: Annotated[str, msgspec.Meta(min_length=1, max_length=500)] | None = None
    """The URL of the one listener it is for; None for every listener of the cluster."""
    seconds: Annotated[int, msgspec.Meta(ge=60, le=int(LIFE_MAX.total_seconds()))] | None = None
    """How long it lives; None: 24 hours, a human's 8."""


class ListArguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`token_list` takes no arguments."""


class RevokeArguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `token_revoke` takes."""

    id: Annotated[str, msgspec.Meta(description="Its id, or how it begins.", max_length=64)]
    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=500)] = "revoked"


class TokenMade(msgspec.Struct, frozen=True, kw_only=True):
    """A new token; nothing else ever holds its secret."""

    id: str
    secret: str
    """Shown once."""
    principal: str
    scopes: tuple[str, ...]
    audience: str
    expires_at: str
    on_behalf_of: str | None


class TokenShown(msgspec.Struct, frozen=True, kw_only=True):
    """One token, for people."""

    id: str
    standing: Literal["good", "expired", "revoked", "unreadable"]
    principal: str = ""
    kind: PrincipalKind | None = None
    label: str = ""
    scopes: tuple[str, ...] = ()
    audience: str = ""
    created_at: str = ""
    expires_at: str = ""
    by: str = ""
    on_behalf_of: str | None = None
    revoked_at: str | None = None
    revoked_by: str | None = None
    reason: str | None = None


class TokenList(msgspec.Struct, frozen=True, kw_only=True):
    """Every token of the cluster, the newest first."""

    tokens: tuple[TokenShown, ...]


class TokenRevoked(msgspec.Struct, frozen=True, kw_only=True):
    """The token after its end."""

    token: TokenShown


async def _create(call: Call) -> Envelope:
    given, cluster = call.arguments, call.cluster
    registry = await cluster.principals.registry()
    found = registry.principals.get(given.principal)
    refusal = _unmakeable(call, found, given)
    if refusal is not None or found is None:
        return failed(() if refusal is None else (refusal,))
    now = cluster.world.now()
    record = TokenRecord(
        principal=found.id,
        label=given.label,
        scopes=ordered_scopes(given.scopes),
        audience=given.audience or cluster_audience(registry.cluster_id),
        created_at=stamp_now(cluster.world),
        expires_at=expiry(now, given.seconds, human=found.kind == "human"),
        by=call.caller.id,
        on_behalf_of=call.caller.id if found.kind == "agent" else None,
    )
    token, secret = await Tokens(cluster.store, cluster.world).make(record)
    made = TokenMade(
        id=token,
        secret=secret,
        principal=record.principal,
        scopes=record.scopes,
        audience=record.audience,
        expires_at=record.expires_at,
        on_behalf_of=record.on_behalf_of,
    )
    return done(f"A token that ends at {record.expires_at}; its secret is shown once.", data=made)


def _unmakeable(call: Call, found: Principal | None, given: CreateArguments) -> Diagnostic | None:
    """Returns why the token is not made: it would name nobody, or another human, or do nothing."""
    caller = call.caller
    who = show(Foreign(given.principal), limit=100)
    if found is None or found.revoked or not found.confirmed:
        told, remedy = f"no living principal has the id {who}", "agentctl identity list"
    elif found.kind == "human" and found.id != caller.id:
        told, remedy = f"{who} is another human, who makes their own tokens", None
    elif not given.scopes:
        told, remedy = "a token without scopes is good for nothing", None
    elif caller.kind != "human" or caller.scopes is not None:
        told, remedy = "only a human at their own terminal makes a token", None
    else:
        return None
    return error("token_refused", given.principal, told, remedy=remedy)


async def _list(call: Call) -> Envelope:
    cluster = call.cluster
    stored = await Tokens(cluster.store, cluster.world).all()
    shown = [await _shown(cluster, one) for one in stored]
    shown.sort(key=lambda one: (one.created_at, one.id), reverse=True)
    good = sum(one.standing == "good" for one in shown)
    return done(f"{count(good, 'token')} good.", data=TokenList(tokens=tuple(shown)))


async def _revoke(call: Call) -> Envelope:
    given, cluster = call.arguments, call.cluster
    tokens = Tokens(cluster.store, cluster.world)
    beginning = given.id if len(given.id) >= TOKEN_ID_MIN else ""
    ids = [one.id for one in await tokens.all() if beginning and one.id.startswith(beginning)]
    ended = None
    if len(ids) == 1:
        ended = await tokens.revoke(ids[0], by=call.caller.id, reason=given.reason)
    if ended is None:
        told = "several tokens begin so" if ids else "no token has that id"
        return failed((error("token_not_found", given.id, told, remedy="agentctl token list"),))
    return done("Revoked.", data=TokenRevoked(token=await _shown(cluster, ended)))


async def _shown(cluster: Cluster, stored: StoredToken) -> TokenShown:
    record, end = stored.record, stored.revocation
    if record is None:
        return TokenShown(id=stored.id, standing="unreadable")
    registry = await cluster.principals.registry()
    known = registry.principals.get(record.principal)
    over = cluster.world.now() >= parse_instant(record.expires_at)
    return TokenShown(
        id=stored.id,
        standing="revoked" if stored.revoked else "expired" if over else "good",
        principal=record.principal,
        kind=known.kind if known is not None else None,
        label=record.label,
        scopes=record.scopes,
        audience=record.audience,
        created_at=record.created_at,
        expires_at=record.expires_at,
        by=record.by,
        on_behalf_of=record.on_behalf_of,
        revoked_at=end.at if end is not None else None,
        revoked_by=end.by if end is not None else None,
        reason=end.reason if end is not None else None,
    )


CREATE = Operation(
    name="token_create",
    operation_class="write",
    action="token_create",
    arguments=CreateArguments,
    handler=_create,
    describe="Real. Makes a bearer token for an agent, a service or the human who calls.",
    resource=lambda _: "cluster",
    result=TokenMade,
)
LIST = Operation(
    name="token_list",
    operation_class="read",
    action="token_read",
    arguments=ListArguments,
    handler=_list,
    describe="Look. Every token, whom it names and until when; never a secret.",
    resource=lambda _: "cluster",
    result=TokenList,
    idempotent=True,
)
REVOKE = Operation(
    name="token_revoke",
    operation_class="write",
    action="token_revoke",
    arguments=RevokeArguments,
    handler=_revoke,
    describe="Real. Ends a token.",
    resource=lambda _: "cluster",
    result=TokenRevoked,
    idempotent=True,
    destructive=True,
)
