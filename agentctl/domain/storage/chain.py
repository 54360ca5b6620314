"""What a numbered chain was at some moment, as other records remember and sign it."""

import msgspec


class ChainHead(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long a chain was, and the ``sha256:`` digest of its newest record (null when empty)."""

    length: int
    head: str | None
