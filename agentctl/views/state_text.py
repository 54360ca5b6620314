"""Ledger objects and freezes as text for people."""

from collections.abc import Iterable, Mapping
from typing import Final

from agentctl.domain.ledger.differences import Difference, StateDiff
from agentctl.domain.ledger.envelope import Freeze
from agentctl.domain.ledger.summaries import RevisionShown, RevisionSummary
from agentctl.views.table import table
from agentctl.views.wording import safe

_SIGNS: Final = {"added": "+", "removed": "-", "changed": "~"}
_DIGEST_CHARACTERS: Final = 12


def revisions_text(revisions: Iterable[RevisionSummary], *, total: int) -> str:
    """Returns the table of `state list`."""
    rows = [_row(revision) for revision in revisions]
    if not rows:
        return "The ledger has no objects.\n"
    head = ("SEQ", "KIND", "WRITTEN", "REVISION", "RESOURCES", "OP")
    left = total - len(rows)
    older = "1 older one is" if left == 1 else f"{left} older ones are"
    more = f"{older} kept too.\n" if left > 0 else ""
    return table(head, rows, right=frozenset({0, 3, 4})) + more


def revision_text(shown: RevisionShown) -> str:
    """Returns the page of `state show`."""
    summary = shown.summary
    lines = [
        f"Ledger object {summary.seq}: {summary.kind}, {summary.written_at}",
        f"  state      revision {summary.revision}, {summary.resource_count} resources,"
        f" {shown.state_cas}",
        f"  op         {summary.op or '-'}",
        f"  epoch      {summary.epoch}",
        f"  previous   {shown.previous or 'it is the first'}",
        f"  object     {shown.object_digest}, {summary.bytes} bytes",
        f"  config     {summary.config_digest or 'not converged'}",
    ]
    if summary.source is not None:
        lines.append(f"  source     {summary.source.digest}{_branch(summary)}")
    lines += [f"  protected  {safe(address)}" for address in shown.protected]
    lines += [f"  frozen     {_freeze(freeze)}" for freeze in shown.freezes]
    resources = shown.state.get("applied_revision", {})
    applied = resources.get("resources", {}) if isinstance(resources, Mapping) else {}
    rows = [(address, _short(fields.get("digest"))) for address, fields in applied.items()]
    listed = "\n" + table(("RESOURCE", "DIGEST"), rows) if rows else ""
    return "\n".join(lines) + "\n" + listed


def diff_text(diff: StateDiff) -> str:
    """Returns the page of `state diff`: what is added, gone and changed, by section."""
    head = f"Ledger object {diff.a} (revision {diff.revision_a}) to {diff.b} ({diff.revision_b})"
    if not diff.differences:
        return f"{head}: nothing differs.\n"
    lines = [f"{head}:"]
    section = None
    for one in diff.differences:
        if one.section != section:
            section = one.section
            lines.append(f"\n{section}")
        lines.append(f"  {_SIGNS[one.kind]} {safe(one.key)}{_moved(one)}")
    return "\n".join(lines) + "\n"


def freezes_text(freezes: Iterable[Freeze]) -> str:
    """Returns one line for each freeze, or that there is none."""
    lines = [_freeze(freeze) for freeze in freezes]
    return "\n".join(lines) + "\n" if lines else "Nothing is frozen.\n"


def _freeze(freeze: Freeze) -> str:
    until = f" until {safe(freeze.until)}" if freeze.until is not None else ""
    by = f" by {safe(freeze.by)}" if freeze.by else ""
    return f"{safe(freeze.scope)}{by} since {safe(freeze.since)}{until}: {safe(freeze.reason, 200)} ({safe(freeze.id)})"


def _row(revision: RevisionSummary) -> tuple[str, ...]:
    if revision.kind is None:
        return (str(revision.seq), "unreadable", safe(revision.trouble or ""), "", "", "")
    return (
        str(revision.seq),
        revision.kind,
        revision.written_at or "",
        str(revision.revision),
        str(revision.resource_count),
        revision.op or "-",
    )


def _branch(summary: RevisionSummary) -> str:
    source = summary.source
    if source is None or source.commit is None:
        return ""
    merged = "" if source.merged is not False else ", not merged"
    return f", commit {_short(source.commit)} on {safe(source.branch or '?')}{merged}"


def _moved(one: Difference) -> str:
    """Returns the fields that changed, digests cut short."""
    if one.kind != "changed" or one.before is None or one.after is None:
        return ""
    before, after = one.before, one.after
    names = sorted(n for n in {*before, *after} if before.get(n) != after.get(n))
    return "".join(f"\n      {n}: {_short(before.get(n))} -> {_short(after.get(n))}" for n in names)


def _short(value: object) -> str:
    if not isinstance(value, str):
        return "-" if value is None else safe(str(value))
    hex_digits = value.removeprefix("sha256:")
    if len(hex_digits) in {40, 64}:
        return hex_digits[:_DIGEST_CHARACTERS]
    return safe(value)
