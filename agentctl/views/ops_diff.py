"""What an op moved, or what differs between two: a line for each resource and graph."""

from agentctl.domain.ops.comparing import Moved, SnapshotDiff
from agentctl.views.wording import paragraph, safe, short_digest


def ops_diff(diff: SnapshotDiff) -> str:
    """Returns the difference; resources first."""
    heading = f"Ledger object {_seq(diff.seq_before)} -> {_seq(diff.seq_after)}"
    if not diff.moved:
        return f"{heading}\nNothing differs.\n"
    return paragraph([heading, *(_line(moved) for moved in diff.moved)])


def _line(moved: Moved) -> str:
    mark = "+" if moved.before is None else "-" if moved.after is None else "~"
    return (
        f"  {mark} {safe(moved.name)}  {_side(moved, moved.before)} -> {_side(moved, moved.after)}"
    )


def _side(moved: Moved, value: str | None) -> str:
    if value is None:
        return "none"
    return safe(value) if moved.what == "graph" else short_digest(value)


def _seq(seq: int | None) -> str:
    return "none" if seq is None else str(seq)
