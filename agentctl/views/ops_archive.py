"""What an archive holds, and what retention takes from it, for a terminal."""

from collections.abc import Sequence
from typing import Final

from agentctl.domain.ops.archive import BUNDLE_TAG, Held
from agentctl.views.wording import counted, paragraph, safe

ID_SHOWN: Final = 12
LISTED_MAX: Final = 50


def archive_text(held: Sequence[Held], pending: Sequence[str], *, tool: str | None) -> str:
    """Returns the snapshots, newest first, and how many ops wait."""
    if tool is None:
        return "No archive is configured: `ops.archive` in cluster.yaml names one.\n"
    lines = [f"{counted(len(held), 'snapshot')} by {tool}"]
    for one in list(reversed(held))[:LISTED_MAX]:
        bundles = one.tags.get(BUNDLE_TAG, ())
        what = ", ".join(safe(b) for b in bundles) or counted(len(one.ops), "op")
        lines.append(f"  {safe(one.id)[:ID_SHOWN]}  {safe(one.at)}  {what}")
    if len(held) > LISTED_MAX:
        lines.append(f"  and {len(held) - LISTED_MAX} more")
    if pending:
        lines += ["", f"{counted(len(pending), 'op waits', 'ops wait')}: agentctl archive run"]
    return paragraph(lines)


def pruned_text(gone: Sequence[str], stay: Sequence[str], pinned: Sequence[str]) -> str:
    """Returns what was forgotten, and what something still needs."""
    lines = [f"{counted(len(gone), 'snapshot')} forgotten, {len(stay)} stay."]
    lines += [f"  - {safe(one)[:ID_SHOWN]}" for one in gone[:LISTED_MAX]]
    if pinned:
        lines.append("Needed whatever the rules say:")
        lines += [f"  {safe(op)}" for op in pinned[:LISTED_MAX]]
    return paragraph(lines)
