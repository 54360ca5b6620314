"""One property of a storage root, as it was found."""

from typing import Literal

import msgspec

Holds = Literal["yes", "no", "unknown"]


class Ability(msgspec.Struct, frozen=True, kw_only=True):
    """One property of a storage root."""

    name: str
    holds: Holds
    says: str
    """For people, one sentence without a full stop."""
