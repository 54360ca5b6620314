"""What of the catalog may go, as plain text."""

from collections.abc import Sequence
from typing import Final, Protocol

from agentctl.views.wording import counted, paragraph, safe

KEYS_SHOWN_MAX: Final = 20


class GarbageShown(Protocol):
    """What may go."""

    @property
    def objects(self) -> int:
        """How many."""
        ...

    @property
    def bytes(self) -> int:
        """Altogether."""
        ...

    @property
    def keys(self) -> Sequence[str]:
        """Sorted."""
        ...

    @property
    def proposed(self) -> str | None:
        """The proposal that waits."""
        ...


def garbage_text(found: GarbageShown) -> str:
    """Returns the first keys, their sum, and what to do next."""
    lines = [f"  {safe(key, 160)}" for key in found.keys[:KEYS_SHOWN_MAX]]
    more = found.objects - len(lines)
    lines += [f"  and {counted(more, 'other')}"] if more > 0 else []
    what = counted(found.objects, "object")
    lines.append(f"{what}, {counted(found.bytes, 'byte')}, that nothing kept names.")
    if found.proposed is not None:
        lines.append("Their removal is proposed: agentctl approvals request catalog")
    elif found.objects:
        lines.append("To remove them: agentctl gc --propose")
    return paragraph(lines)
