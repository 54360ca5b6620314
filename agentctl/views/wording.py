"""Small phrases that several views share, and the way foreign text gets into a line."""

import re
from typing import Final

from agentctl.foreign import Foreign, show

CELLS_MAX: Final = 100
"""Of a name or a reason on a line; more is cut, and the count of what is cut is shown."""
DIGEST_SHOWN: Final = 12

_ARGUMENT: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:@-]{0,199}", re.ASCII)

REASONS: Final = {
    "approval_required": "waits for a decision",
    "dependency_not_applied": "waits for another change",
    "cluster_recovery_pending": "an interrupted step is not settled yet",
    "apply_unsupported_kind": "no step of this release makes it",
    "schema_migration_unsupported": "its migration is refused",
    "apply_group_held_back": "waits for the rest of its apply group",
    "not_supported_yet": "graphs of this release cannot do it",
    "graph_create_failed": "the graph could not be created",
    "schema_apply_failed": "the schema could not be applied",
    "graph_delete_failed": "the graph could not be detached",
    "graph_erase_failed": "its past could not be erased",
    "graph_revert_failed": "its data could not go back",
    "sandbox_merge_refused": "its rows could not be merged",
    "graph_move_failed": "the graph could not get its new id",
    "interrupted": "the apply was interrupted before",
    "graph_busy": "another writer holds the graph",
    "frozen": "the graph is frozen",
}
"""Reasons of dispositions and of steps, in words."""


def safe(text: str, limit: int = CELLS_MAX) -> str:
    """Returns text from outside as one line that is safe to print."""
    return show(Foreign(text), limit=limit)


def argument(text: str, placeholder: str) -> str:
    """Returns *text* as an argument of a command to copy; *placeholder* where a shell might act on it."""
    return text if _ARGUMENT.fullmatch(text) else placeholder


def counted(number: int, one: str, many: str | None = None) -> str:
    """Returns e.g. ``1 change`` or ``1,204 changes``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def reason_words(reason: str | None) -> str:
    """Returns a reason in words; one that has none is shown as it is."""
    return "" if reason is None else REASONS.get(reason, safe(reason))


def short_digest(digest: str | None) -> str:
    """Returns enough of a digest to tell two apart by eye; ``none`` where there is none."""
    return "none" if digest is None else safe(digest.removeprefix("sha256:")[:DIGEST_SHOWN])


def paragraph(lines: list[str]) -> str:
    """Returns *lines* as a text that ends in one line feed, without spaces at line ends."""
    return "\n".join(line.rstrip() for line in lines).rstrip("\n") + "\n"
