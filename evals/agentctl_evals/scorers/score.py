"""What a scorer says."""

import msgspec


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """Whether one thing holds, and why."""

    name: str
    holds: bool
    reasons: tuple[str, ...]
    """What speaks against it; empty where it holds."""
