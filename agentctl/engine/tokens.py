"""Makes, reads and ends the bearer tokens of a storage root. Source: access-and-faces 3.1, ADR 0018.

A record is created once under the SHA-256 of its secret and never changed; its end is a record of
its own beside it, so that no later write brings a token back.
"""

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.policy.tokens import (
    SECRET_BYTES,
    TOKENS_FOLDER,
    Grant,
    Revocation,
    TokenRecord,
    decode_revocation,
    decode_token,
    encode,
    is_token_id,
    record_key,
    refusal_of,
    revocation_key,
    secret_of,
    token_id,
)
from agentctl.domain.storage.protocol import ObjectStore
from agentctl.engine.world import World, stamp_now

_REVOKED = ".revoked"


class StoredToken(msgspec.Struct, frozen=True, kw_only=True):
    """One token as the storage has it; the secret is nowhere."""

    id: str
    """SHA-256 of the secret."""
    record: TokenRecord | None
    """None where what lies there is no record of ours: such a token is good for nothing."""
    revocation: Revocation | None = None
    revoked: bool = False
    """Whether anything at all lies where the end of the token is kept."""


class Tokens:
    """The tokens of one storage root."""

    def __init__(self, store: ObjectStore, world: World) -> None:
        self._store = store
        self._world = world

    async def make(self, record: TokenRecord) -> tuple[str, str]:
        """Stores a token; returns its id and its secret, which nobody can read again.

        Raises:
            BackendError: the store failed; no secret was given out, so none is good.
        """
        secret = secret_of(self._world.entropy(SECRET_BYTES))
        token = token_id(secret)
        assert token is not None
        made = await self._store.create(record_key(token), encode(record))
        assert made, "256 random bits came twice"
        return token, secret

    async def revoke(self, token: str, *, by: str, reason: str) -> StoredToken | None:
        """Ends a token; returns it as it is then, or None where there is none of that id."""
        if await self.find(token) is None:
            return None
        end = Revocation(at=stamp_now(self._world), by=by, reason=reason)
        await self._store.create(revocation_key(token), encode(end))
        return await self.find(token)

    async def find(self, token: str) -> StoredToken | None:
        """Returns the token of that id."""
        if not is_token_id(token):
            return None
        found = await self._store.read(record_key(token))
        if found is None:
            return None
        record = decode_token(found.data)
        ended = await self._store.read(revocation_key(token))
        end = decode_revocation(ended.data) if ended is not None else None
        return StoredToken(
            id=token,
            record=record if isinstance(record, TokenRecord) else None,
            revocation=end if isinstance(end, Revocation) else None,
            revoked=ended is not None,
        )

    async def all(self) -> tuple[StoredToken, ...]:
        """Returns every token, by id."""
        keys = await self._store.list(f"{TOKENS_FOLDER}/")
        names = (key.removeprefix(f"{TOKENS_FOLDER}/").removesuffix(".json") for key in keys)
        found = [await self.find(name) for name in names if not name.endswith(_REVOKED)]
        return tuple(one for one in found if one is not None)

    async def grant(self, secret: str, *, audiences: frozenset[str]) -> Grant | Diagnostic:
        """Returns whom *secret* names, or why it names nobody; nothing told holds the secret.

        Raises:
            BackendError: the store failed, so nothing is known.
        """
        token = token_id(secret)
        stored = await self.find(token) if token is not None else None
        if stored is None or stored.record is None:
            return error("token_invalid", "token", "the token is none of this cluster")
        now = self._world.now()
        refusal = refusal_of(stored.record, now=now, audiences=audiences, revoked=stored.revoked)
        if refusal is not None:
            return refusal
        return Grant(
            principal=stored.record.principal,
            scopes=frozenset(stored.record.scopes),
            expires_at=stored.record.expires_at,
            on_behalf_of=stored.record.on_behalf_of,
            credential=f"token:{stored.id[:12]}",
        )
