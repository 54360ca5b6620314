"""A bearer token: what its record says, and whether one still holds. Pure; `engine.tokens` stores them.

The secret is 256 random bits, shown once; what is stored lies under its SHA-256. So nobody learns a
secret from the storage, and how long a look-up takes tells nothing of one: what is compared is a
digest that a guesser cannot steer. Source: access-and-faces 3.1, ADR 0018.
"""

import base64
import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final, Literal, get_args

import msgspec

from agentctl.canonical import NotCanonicalError, canonical_bytes, decode_canonical, sha256_hex
from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.instants import format_instant, parse_instant

TOKENS_FOLDER: Final = "__cluster/tokens"
SECRET_BYTES: Final = 32
PREFIX: Final = "agentctl_"
"""So that scanners and our own redaction know one when they see it."""
_SECRET: Final = re.compile(r"agentctl_[A-Za-z0-9_-]{43}", re.ASCII)
_DIGEST: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)

Scope = Literal["look", "try", "real"]
"""What an operation's description begins with, in small letters."""
SCOPES: Final[tuple[Scope, ...]] = get_args(Scope)

AGENT_LIFE: Final = timedelta(hours=24)
"""How long an agent's or a service's token lives where nothing is said."""
HUMAN_LIFE: Final = timedelta(hours=8)
"""The same of a human's."""
LIFE_MAX: Final = timedelta(days=366)
SKEW: Final = timedelta(seconds=60)
"""How far the clocks of two machines may differ."""


class TokenRecord(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """``__cluster/tokens/<sha256 of the secret>.json``, canonical bytes, create-only."""

    principal: str
    label: str
    scopes: tuple[Scope, ...]
    """In the order of `SCOPES`, each once; never empty."""
    audience: str
    """`cluster_audience` for every listener of the cluster, or the URL of one."""
    created_at: str
    expires_at: str
    by: str
    """The human who made it."""
    on_behalf_of: str | None = None
    """The human whom an agent acts for; the token ends with them."""


class Revocation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``__cluster/tokens/<sha256>.revoked.json``, create-only: the first one counts."""

    at: str
    by: str
    reason: str


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """Whom a credential names, however it was made, once it has been found good."""

    principal: str
    scopes: frozenset[str]
    expires_at: str
    on_behalf_of: str | None = None
    credential: str
    """Names the credential in records, and tells nothing of it."""


def cluster_audience(cluster_id: str) -> str:
    """Returns the audience of a token that is good at every listener of a cluster."""
    return f"agentctl:{cluster_id}"


def secret_of(entropy: bytes) -> str:
    """Returns the text of a secret, which is shown once."""
    assert len(entropy) == SECRET_BYTES
    return PREFIX + base64.urlsafe_b64encode(entropy).decode("ascii").rstrip("=")


def token_id(secret: str) -> str | None:
    """Returns under which id the token of *secret* is kept; None where it is none of ours."""
    if _SECRET.fullmatch(secret) is None:
        return None
    return sha256_hex(secret.encode("ascii"))


def is_token_id(text: str) -> bool:
    """Returns whether *text* has the form of a token's id."""
    return _DIGEST.fullmatch(text) is not None


def record_key(token: str) -> str:
    """Returns where the record of a token is kept."""
    return f"{TOKENS_FOLDER}/{token}.json"


def revocation_key(token: str) -> str:
    """Returns where the end of a token is kept."""
    return f"{TOKENS_FOLDER}/{token}.revoked.json"


def ordered_scopes(scopes: Iterable[Scope]) -> tuple[Scope, ...]:
    """Returns the scopes as records write them."""
    wanted = set(scopes)
    return tuple(scope for scope in SCOPES if scope in wanted)


def encode(record: TokenRecord | Revocation) -> bytes:
    """Returns the canonical bytes of a record, as they are stored."""
    return canonical_bytes({"version": 1, **msgspec.to_builtins(record)})


def decode_token(data: bytes) -> TokenRecord | str:
    """Returns the record, or in words why *data* is none."""
    try:
        record = msgspec.convert(_fields(data), TokenRecord)
        parse_instant(record.created_at)
        parse_instant(record.expires_at)
    except (NotCanonicalError, msgspec.ValidationError, ValueError) as failure:
        return str(failure)
    if record.scopes != ordered_scopes(record.scopes) or not record.scopes:
        return "its scopes are not in order"
    return record


def decode_revocation(data: bytes) -> Revocation | str:
    """Returns the record, or in words why *data* is none."""
    try:
        return msgspec.convert(_fields(data), Revocation)
    except (NotCanonicalError, msgspec.ValidationError) as failure:
        return str(failure)


def refusal_of(
    record: TokenRecord, *, now: datetime, audiences: frozenset[str], revoked: bool
) -> Diagnostic | None:
    """Returns why a token is not taken, told to whoever holds its secret; None where it is.

    Args:
        record: as stored.
        now: the time.
        audiences: what a token may be for, to be taken here.
        revoked: whether it was ended, by whatever record lies there.
    """
    if revoked:
        return error("token_revoked", "token", "the token was revoked", remedy=_NEW)
    if not parse_instant(record.created_at) - SKEW <= now:
        return error("token_invalid", "token", "the token begins in the future")
    if now >= parse_instant(record.expires_at):
        message = f"the token expired at {record.expires_at}"
        return error("token_expired", "token", message, remedy=_NEW)
    if record.audience not in audiences:
        return error("token_invalid", "token", "the token is for another audience than this one")
    return None


def expiry(now: datetime, seconds: int | None, *, human: bool) -> str:
    """Returns when a token made *now* ends."""
    life = timedelta(seconds=seconds) if seconds is not None else None
    return format_instant(now + (life or (HUMAN_LIFE if human else AGENT_LIFE)))


def _fields(data: bytes) -> dict[str, object]:
    fields = decode_canonical(data)
    if not isinstance(fields, dict) or fields.pop("version", None) != 1:
        msg = "it has another version than 1"
        raise NotCanonicalError(msg)
    return fields


_NEW: Final = "Ask a human of the cluster for a new one: agentctl token create"
