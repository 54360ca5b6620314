"""Which ledger objects and which leases may be collected. Pure. Source: control-plane 3.2."""

from collections.abc import Iterable
from typing import Final

REVISIONS_KEPT: Final = 100
"""The newest of the ledger, which always stay."""
EPOCHS_KEPT: Final = 8
"""The newest of each lease: more than anybody asks about a holder that is gone."""


def collectable(
    numbers: Iterable[int], *, kept: int = REVISIONS_KEPT, pins: Iterable[int] = ()
) -> tuple[int, ...]:
    """Returns the numbers whose objects may go, lowest first.

    The newest *kept* stay, and so does everything from the oldest pin upward: what is left of a log
    is one row without a gap, so that it goes on proving itself.
    """
    assert kept >= 2, "the newest object is proved by the one before it"
    have = sorted(set(numbers))
    floor = min([*have[-kept:][:1], *pins], default=0)
    return tuple(number for number in have if number < floor)
