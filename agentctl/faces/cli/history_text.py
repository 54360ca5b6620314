"""Branches, tags, differences, feeds and merges of a graph as text for people."""

from typing import TYPE_CHECKING, Final

from agentctl.views.table import table
from agentctl.views.wording import argument, counted, paragraph, safe

if TYPE_CHECKING:
    from agentctl_tools.branch_create import Branches
    from agentctl_tools.branch_delete import Deleted
    from agentctl_tools.branch_merge import Merged
    from agentctl_tools.graph_changes import Baseline
    from agentctl_tools.graph_tag import Tags
    from agentctl_tools.sandbox_merge import BroughtHome
    from agentctl_tools.told import Changes, DiffReport, EntityChange, TypeSummary

_MAIN: Final = "main"
_SIGNS: Final = {"inserted": "+", "updated": "~", "deleted": "-"}
_ID_CELLS: Final = 80


def branches_text(found: "Branches", graph: str) -> str:
    """Returns the table of `branch list`, and how to cut one where there is only `main`."""
    schemas = {b.name: b.schema for b in found.branches}
    main = schemas.get(_MAIN)
    rows = [
        (
            b.name,
            b.head.id,
            b.head.created_at,
            b.head.actor,
            f"{sum(b.head.rows.values()):,}",
            "a schema of its own" if main is not None and b.schema != main else "",
        )
        for b in found.branches
    ]
    listed = table(("BRANCH", "NEWEST", "WRITTEN", "BY", "ROWS", ""), rows, right=frozenset({4}))
    if set(schemas) != {_MAIN}:
        return listed
    cut = f"agentctl branch create {argument(graph, 'GRAPH')} NAME"
    return f"{listed}\nThere is no branch but main; `{cut}` cuts one.\n"


def tags_text(found: "Tags", graph: str) -> str:
    """Returns the table of tags, or how to make the first."""
    if not found.tags:
        made = f"agentctl graph tag {argument(graph, 'GRAPH')} NAME"
        return f"There are no tags; `{made}` names the newest commit.\n"
    return table(("TAG", "COMMIT", "MADE"), [(t.name, t.commit, t.at) for t in found.tags])


def deleted_text(done: "Deleted") -> str:
    """Returns what `branch delete` did; nothing where it was refused."""
    if not done.ok:
        return ""
    return f"Branch {safe(done.branch)} of graph {safe(done.graph)} is gone.\n"


def merged_text(done: "Merged", source: str, into: str) -> str:
    """Returns what `branch merge` did; conflicts are told by the diagnostics alone."""
    report = done.report
    if report is None or report.outcome == "conflicts":
        return ""
    ours, theirs = safe(into), safe(source)
    by = f", by commit {safe(report.commit)}" if report.commit else ""
    told = {
        "already_up_to_date": f"{ours} has all of {theirs} already, at {safe(report.ours)}",
        "fast_forward": f"{ours} stood still, and is as {theirs} now{by}",
        "merged": f"{ours} has what {theirs} changed, besides its own{by}",
    }[report.outcome]
    counts = [
        f"  {safe(c.type)}: {c.inserted:,} inserted, {c.updated:,} updated, {c.deleted:,} deleted"
        for c in report.counts
    ]
    return paragraph([f"{report.outcome}: {told}.", *counts])


def brought_home_text(done: "BroughtHome", sandbox: str) -> str:
    """Returns what `changeset merge` did, or proposed."""
    proposed = done.proposed
    if proposed is None:
        return merged_text(done, sandbox, "main")
    rows = [
        f"  {safe(r.type)}: {r.inserted:,} inserted, {r.updated:,} updated, {r.deleted:,} deleted"
        for r in proposed.rows
    ]
    if done.report is None:
        return paragraph([f"Taken back: {safe(proposed.resource)}."])
    told = f"Proposed, not merged: graph {safe(proposed.graph)} is protected, and a human decides."
    asked = argument(proposed.resource, "GATE")
    return paragraph([told, *rows, f"Next: agentctl approvals request {asked}, then apply."])


def difference_text(report: "DiffReport") -> str:
    """Returns the page of `graph diff`: by type the counts, and below them some of the changes."""
    head = f"{safe(report.before)} -> {safe(report.after)}"
    if not report.types and not report.schema_changed:
        return f"{head}: nothing differs.\n"
    lines = [f"{head}:"]
    if report.schema_changed:
        lines.append("  the schema differs")
    for kind in report.types:
        lines += _differing(kind)
    return paragraph(lines)


def changes_text(found: "Changes") -> str:
    """Returns the page of `graph changes`, whose last line says where to go on."""
    lines: list[str] = []
    for commit in found.commits:
        lines.append(safe(commit.commit))
        lines += [
            f"  {_sign(change)} {safe(change.type)} {_which(change)}" for change in commit.changes
        ]
    if not lines:
        lines.append("No changes since then.")
    more = "" if found.is_all else "There are more: "
    return paragraph([*lines, "", f"{more}go on with --since {safe(found.cursor, 4_000)}".strip()])


def baseline_text(found: "Baseline", graph: str, branch: str) -> str:
    """Returns the two commands by which a copy is made, and kept up to date."""
    at, named = safe(found.commit.id), argument(graph, "GRAPH")
    on = "" if branch == _MAIN else f" --branch {argument(branch, 'BRANCH')}"
    return paragraph(
        [
            f"Export commit {at}, written {safe(found.commit.created_at)}; then go on from there:",
            f"  agentctl graph export {named} --at {at} --out FILE",
            f"  agentctl graph changes {named}{on} --since {safe(found.cursor, 4_000)}",
        ]
    )


def _differing(kind: "TypeSummary") -> list[str]:
    counts = f"{kind.inserted:,} inserted, {kind.updated:,} updated, {kind.deleted:,} deleted"
    lines = [f"  {safe(kind.type)}: {counts}"]
    lines += [f"    {_sign(change)} {_which(change)}" for change in kind.sample]
    left = kind.inserted + kind.updated + kind.deleted - len(kind.sample)
    if kind.sample and left > 0:
        lines.append(f"    and {counted(left, 'more', 'more')}; --sample shows more of each type")
    return lines


def _sign(change: "EntityChange") -> str:
    return _SIGNS[change.change]


def _which(change: "EntityChange") -> str:
    differs = f" ({safe(', '.join(change.properties))})" if change.properties else ""
    return f"{safe(change.id, _ID_CELLS)}{differs}"
