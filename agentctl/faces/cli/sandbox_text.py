"""Sandboxes as text for people: which there are, one of them, what was done in it."""

from typing import TYPE_CHECKING, Final

from agentctl.views.table import table
from agentctl.views.wording import counted, paragraph, safe

if TYPE_CHECKING:
    from agentctl_tools.sandbox_open import SandboxOpened
    from agentctl_tools.sandboxes import CommandList, SandboxList, SandboxListed, SandboxShown
    from agentctl_tools.told import SweptSandboxes

COMMAND_CELLS: Final = 100
TROUBLE_CELLS: Final = 160
_NONE: Final = "There is no sandbox: agentctl sandbox open NAME\n"
_ENDINGS: Final = {
    "closed": "it was being closed",
    "expired": "its time is over",
    "not_opened": "it was never opened whole",
    "failed": "it could not be opened",
}


def opened_text(opened: "SandboxOpened") -> str:
    """Returns what is told of a sandbox that was just opened: what to call it, and until when."""
    called = f", called {safe(opened.name)}" if f"sandbox:{opened.name}" != opened.sandbox else ""
    graphs = ", ".join(safe(graph) for graph in opened.graphs) or "none"
    return paragraph(
        [
            f"Opened {opened.sandbox}{called}",
            f"  graphs   {graphs}",
            f"  until    {safe(opened.expires_at)}",
        ]
    )


def sandboxes_text(found: "SandboxList") -> str:
    """Returns the table of `sandbox list`."""
    if not found.sandboxes:
        return _NONE
    rows = [
        (
            one.name if one.name != _id(one) else "-",
            one.standing,
            one.owner,
            str(len(one.graphs)),
            one.expires_at,
            _id(one),
        )
        for one in found.sandboxes
    ]
    return table(("NAME", "IS", "OPENED BY", "GRAPHS", "UNTIL", "ID"), rows, right=frozenset({3}))


def sandbox_text(shown: "SandboxShown") -> str:
    """Returns the page of `sandbox show`."""
    one = shown.listed
    lines = [f"Sandbox {safe(one.name)}: {one.standing}"]
    facts = {
        "id": _id(one),
        "for": safe(one.intent),
        "owner": safe(one.owner),
        "base": safe(one.base),
        "graphs": ", ".join(safe(graph) for graph in one.graphs) or "none",
        "opened": safe(one.created_at),
        "until": safe(one.expires_at),
        "edits": f"{shown.edits:,}",
        "snapshots": ", ".join(safe(name) for name in shown.snapshots) or "none",
        "rows": f"{shown.rows:,}",
        "size": counted(shown.bytes, "byte"),
        "commands": "not known" if shown.commands is None else f"{shown.commands:,}",
    }
    lines += [f"  {name:<10} {told}" for name, told in facts.items() if told]
    return paragraph(lines)


def commands_text(found: "CommandList", offset: int) -> str:
    """Returns the commands of a sandbox, one a line, and what a failed one said below it."""
    if not found.commands:
        return "Nothing was done in it.\n" if not found.total else "There are no more.\n"
    lines: list[str] = []
    for done in found.commands:
        end = "ok  " if done.exit_code == 0 else f"{done.exit_code:<4}"
        lines.append(f"{safe(done.started_at)}  {end}{safe(done.command, COMMAND_CELLS)}")
        if done.exit_code:
            lines += [f"      {safe(line, TROUBLE_CELLS)}" for line in done.stderr.splitlines()]
    after = offset + len(found.commands)
    more = found.total - after
    lines += ["", f"{counted(found.total, 'command')}."]
    if more > 0:
        lines.append(f"{more:,} more: --offset {after}")
    return paragraph(lines)


def swept_text(swept: "SweptSandboxes") -> str:
    """Returns what a sweep took away, and why each of them."""
    lines = [f"{one.sandbox}  {_ENDINGS[one.reason]}" for one in swept.ended]
    lines += [""] if lines else []
    lines.append(f"Took away {counted(len(swept.ended), 'sandbox', 'sandboxes')}.")
    if swept.branches:
        lines.append(f"Also {counted(swept.branches, 'branch', 'branches')} that belonged to none.")
    return paragraph(lines)


def _id(one: "SandboxListed") -> str:
    return one.sandbox.removeprefix("sandbox:")
