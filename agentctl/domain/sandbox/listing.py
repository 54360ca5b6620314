"""How lists of the store are asked for: which part, in which order, and which sandboxes. Pure.

Orders are names of a table; a word that is none of them is refused, so nothing that a caller
writes ever becomes part of a statement. Source: seeds/002, ListOptions, and sandboxes 2.
"""

from collections.abc import Mapping
from typing import Final, Literal

import msgspec

from agentctl.domain.sandbox.provider import ProviderName
from agentctl.domain.sandbox.records import INTEGER_MAX, SandboxState

LIMIT_DEFAULT: Final = 100
LIMIT_MAX: Final = 1000

Listed = Literal[
    "sandbox", "snapshot", "command", "diff", "change_set", "publication", "playbook", "task"
]

ORDERS: Final[Mapping[Listed, tuple[str, ...]]] = {
    "sandbox": ("created_at", "updated_at", "sandbox_name", "state", "agent_id", "job_id", "id"),
    "snapshot": ("created_at", "name", "id"),
    "command": ("started_at", "ended_at", "exit_code", "id"),
    "diff": ("created_at", "from_snapshot", "to_snapshot", "id"),
    "change_set": ("created_at", "job_id", "id"),
    "publication": ("created_at", "updated_at", "status", "branch", "id"),
    "playbook": ("created_at", "updated_at", "name", "id"),
    "task": ("position", "name", "module", "created_at", "id"),
}
"""What each list may be ordered by; the first is its own order."""

_OWN_ORDER_ASCENDS: Final[frozenset[Listed]] = frozenset({"task"})


class ListOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Which part of a list is wanted, in which order."""

    limit: int = 0
    """0 is the default, `LIMIT_DEFAULT`; at most `LIMIT_MAX`."""
    offset: int = 0
    order_by: str = ""
    """A word of `ORDERS`; empty for the list's own: newest first, of tasks by position."""
    asc: bool = False


class SandboxFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which sandboxes are wanted; what is None is not asked about."""

    agent_id: str | None = None
    job_id: str | None = None
    base_image: str | None = None
    state: SandboxState | None = None
    """DESTROYED asks for the deleted ones."""
    vm_name: str | None = None
    """The sandbox's name."""
    provider: ProviderName | None = None
    deleted: bool = False
    """Whether deleted ones are listed among the others."""


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a list that was checked; ids decide where the order leaves two equal."""

    limit: int
    offset: int
    order_by: str
    ascending: bool


class Unlistable(msgspec.Struct, frozen=True, kw_only=True):
    """Why a list cannot be given so."""

    field: str
    why: str


def page(options: ListOptions | None, *, of: Listed) -> Page | Unlistable:
    """Returns what *options* ask for of a list."""
    options = options or ListOptions()
    if not 0 <= options.limit <= LIMIT_MAX:
        return Unlistable(field="limit", why=f"is from 0 to {LIMIT_MAX}")
    if not 0 <= options.offset <= INTEGER_MAX:
        return Unlistable(field="offset", why="is a number of records")
    if options.order_by and options.order_by not in ORDERS[of]:
        return Unlistable(field="order_by", why=f"is one of {', '.join(ORDERS[of])}")
    own = not options.order_by
    return Page(
        limit=options.limit or LIMIT_DEFAULT,
        offset=options.offset,
        order_by=options.order_by or ORDERS[of][0],
        ascending=options.asc or (own and of in _OWN_ORDER_ASCENDS),
    )
