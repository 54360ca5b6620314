"""Graphs as text for people: which there are, one of them, and what its care did."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from agentctl.foreign import Foreign, show
from agentctl.views.table import table
from agentctl.views.wording import counted, paragraph, safe, short_digest

if TYPE_CHECKING:
    from agentctl_tools.graph_cleanup import CleanedUp
    from agentctl_tools.graph_optimize import Optimized
    from agentctl_tools.graphs import GraphList
    from agentctl_tools.schema_show import AppliedSchema
    from agentctl_tools.told import CleanupReport, CommitInfo, GraphDetails, GraphSummary

INTENT_CELLS: Final = 32
"""So that a commit is one line of a terminal of 100 cells, and mostly of one of 80."""
_SOURCE_CELLS: Final = 1 << 30
_SOURCE_LINES: Final = 1 << 20
_NO_GRAPHS: Final = "There are no graphs: declare one in cluster.yaml, then run `agentctl apply`.\n"


def graphs_text(found: "GraphList") -> str:
    """Returns the table of `graph list`."""
    if not found.graphs:
        return _NO_GRAPHS
    rows = [(g.id, g.presence, g.commit or "-", f"{g.rows:,}", _note(g)) for g in found.graphs]
    return table(("GRAPH", "IS", "NEWEST", "ROWS", ""), rows, right=frozenset({3}))


def graph_text(shown: "GraphDetails") -> str:
    """Returns the page of `graph show`: what it holds, and its newest commits."""
    summary = shown.summary
    at = f", at {safe(summary.commit)}" if summary.commit else ""
    lines = [f"Graph {safe(summary.id)}: {summary.presence}{at}"]
    facts = {
        "rows": f"{summary.rows:,}",
        "size": counted(shown.bytes, "byte"),
        "written": safe(shown.last_write or "never"),
        "schema": _schema(shown),
        "storage": safe(shown.uri, 200),
        "note": _note(summary),
        "trouble": safe(shown.error or "", 200),
    }
    lines += [f"  {name:<8} {told}" for name, told in facts.items() if told]
    return paragraph(lines) + _types(shown.rows) + _commits(shown.commits)


def schema_text(found: "AppliedSchema") -> str:
    """Returns the text of a schema as it is written, each character of it safe to print."""
    return show(Foreign(found.source), limit=_SOURCE_CELLS, multiline=True, lines_max=_SOURCE_LINES)


def waste_text(report: "CleanupReport", *, by_floor: bool) -> str:
    """Returns the page of `graph cleanup --dry-run`.

    Args:
        report: of the rehearsal.
        by_floor: whether the age was left to `ops.retention.detached`.
    """
    gone = sum(report.commits.values())
    data = f"the data of {counted(gone, 'commit')}" if gone else "nothing"
    lines = [f"A cleanup would let go of {data}. Nothing was done."]
    if by_floor:
        lines.append("What is younger than `ops.retention.detached` stays; --older-than asks of")
        lines.append("another age.")
    return _care(lines, report)


def cleaned_text(done: "CleanedUp") -> str:
    """Returns what `graph cleanup` did; nothing where it was refused."""
    report = done.report
    if not done.ok or report is None:
        return ""
    gone, size = sum(report.commits.values()), report.bytes_removed
    freed = f", {counted(size, 'byte')}" if size else ""
    if gone:
        first = f"Let go of the data of {counted(gone, 'commit')}{freed}."
    else:
        first = f"No commit was old enough to let go of{freed and '; removed' + freed[1:]}."
    return _care([first], report)


def optimized_text(done: "Optimized") -> str:
    """Returns what `graph optimize` did; nothing where it was refused."""
    report = done.report
    if not done.ok or report is None:
        return ""
    if not report.types:
        return "Everything was in order: no commit was made.\n"
    by = f" by commit {safe(report.commit)}" if report.commit else ""
    rows = [(f"  {name}", ", ".join(steps)) for name, steps in report.types.items()]
    widest = max(len(name) for name, _ in rows)
    lines = [f"{safe(name):<{widest}}  {safe(steps, 200)}" for name, steps in rows]
    return paragraph([f"Tidied up{by}:", *lines])


def _care(lines: list[str], report: "CleanupReport") -> str:
    """Adds, by branch, what goes and what stays, and what else there is to say."""
    names = sorted({*report.commits, *report.kept}, key=lambda name: (name != "main", name))
    goes = "WOULD GO" if report.rehearsal else "GONE"
    rows = [(n, str(report.commits.get(n, 0)), str(report.kept.get(n, 0))) for n in names]
    listed = "\n" + table(("BRANCH", goes, "STAY"), rows, right=frozenset({1, 2})) if rows else ""
    more = []
    if report.lance_branches:
        went = "would go" if report.rehearsal else "went"
        deleted = counted(report.lance_branches, "dataset branch", "dataset branches")
        more.append(f"\n{deleted} of deleted branches {went} too.")
    if report.unfinished is not None:
        more.append(f"\nSome is left for the next cleanup: {safe(report.unfinished, 200)}")
    return paragraph(lines) + listed + (paragraph(more) if more else "")


def _types(rows: Mapping[str, int]) -> str:
    if not rows:
        return ""
    counts = [(name, f"{count:,}") for name, count in rows.items()]
    return "\n" + table(("TYPE", "ROWS"), counts, right=frozenset({1}))


def _commits(commits: "tuple[CommitInfo, ...]") -> str:
    if not commits:
        return ""
    rows = [(c.id, c.kind, c.created_at, c.actor, safe(c.intent, INTENT_CELLS)) for c in commits]
    return "\n" + table(("COMMIT", "KIND", "WRITTEN", "BY", "WHY"), rows)


def _schema(shown: "GraphDetails") -> str:
    if shown.schema_digest is None:
        return ""
    return f"{short_digest(shown.schema_digest)} (agentctl schema show {safe(shown.summary.id)})"


def _note(summary: "GraphSummary") -> str:
    if summary.presence == "detached" and summary.purge_after is not None:
        return f"can be restored until {safe(summary.purge_after)}"
    if summary.presence == "live" and not summary.recorded:
        return "not in the ledger"
    return ""
