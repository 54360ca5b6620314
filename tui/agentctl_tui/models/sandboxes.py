"""Sandboxes as rows and lines of safe text: the list, one of them, what was done in it."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

import msgspec

from agentctl.domain.sandbox.records import Command
from agentctl.foreign import Foreign, cells, show
from agentctl.instants import parse_instant
from agentctl.views.decision import WIDTH, Line, place_line, safe, size_text
from agentctl.views.sandbox_text import render_difference
from agentctl.views.wording import counted
from agentctl_tools.sandboxes import SandboxListed
from agentctl_tui.sandbox_feed import Box, Boxes, Place

BASE: Final = "base"
"""What a sandbox was when it was opened, among its snapshots."""
HEADINGS: Final = ("sandbox", "owner", "is", "open for", "ends in", "graphs", "done")
WIDTHS: Final = (18, 16, 7, 8, 7, 6, 4)
"""Columns of the list; with a gap on both sides of each they fit on 80."""
COMMAND_HEADINGS: Final = ("when", "tool", "ended", "what came of it")
COMMAND_WIDTHS: Final = (12, 16, 8, 35)
VALUE_CELLS_MAX: Final = 4_000
_LINES_MAX: Final = 400
_ID_SHOWN: Final = 10
_GRAPHS_CELLS: Final = 30


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A row of a table; `key` is its identity wherever it stands."""

    key: str
    cells: tuple[str, ...]


def sandbox_rows(boxes: Boxes) -> tuple[Row, ...]:
    """Returns the list: what ends first stands first."""
    ranked = sorted(boxes.sandboxes, key=lambda one: (one.expires_at, one.sandbox))
    return tuple(_row(one, boxes.commands, boxes.place.now) for one in ranked)


def _row(one: SandboxListed, commands: Mapping[str, int], now: str) -> Row:
    count = commands.get(one.sandbox)
    return Row(
        key=one.sandbox,
        cells=(
            name_of(one, WIDTHS[0]),
            safe(one.owner, WIDTHS[1]),
            one.standing,
            span(one.created_at, now),
            left(one, now),
            f"{len(one.graphs):,}",
            "?" if count is None else f"{count:,}",
        ),
    )


def name_of(one: SandboxListed, limit: int = 64) -> str:
    """Returns what a sandbox is called; of its id, where it has no name, the end that tells it apart."""
    own = one.sandbox.removeprefix("sandbox:")
    if one.name == own:
        return f"…{safe(own[-_ID_SHOWN:])}"
    return safe(one.name, limit)


def span(since: str, until: str) -> str:
    """Returns how long it is from one instant to another, in the unit that tells most."""
    minutes = max(int((parse_instant(until) - parse_instant(since)) / timedelta(minutes=1)), 0)
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 48 * 60 else f"{minutes // 1440} days"


def left(one: SandboxListed, now: str) -> str:
    """Returns how long a sandbox has; one whose time is over waits to be swept."""
    if not one.expires_at:
        return "never"
    return "over" if one.expires_at <= now else span(now, one.expires_at)


def head_lines(box: Box) -> tuple[Line, ...]:
    """Returns the head of a sandbox's page: facts, then its owner's words in their block."""
    place = head_line(box.place)
    if box.shown is None:
        return (place,)
    one, now = box.shown.listed, box.place.now
    ends = {"over": "! its time is over ", "never": "has no end "}
    until = ends.get(left(one, now), f"ends in {left(one, now)} ")
    of = "" if one.provider == "graph" else f" of {one.provider}"
    title = f" SANDBOX {name_of(one, 30)}{of} · {one.standing}"
    graphs = ", ".join(safe(graph, 24) for graph in one.graphs)
    if not graphs or cells(graphs) > _GRAPHS_CELLS:
        graphs = counted(len(one.graphs), "graph")
    held = (
        f"{counted(box.shown.rows, 'row')} · {size_text(box.shown.bytes)} written"
        f" · {counted(box.shown.edits, 'edit')}"
    )
    lines = [
        place,
        Line(text=_sides(title, until), style="title"),
        _fact("owner", f"{safe(one.owner, 30)} · opened {_minute(one.created_at)}"),
        _fact("copy of", f"{_base(one.base)} · {graphs}"),
        _fact("holds", held),
        *_words(one),
    ]
    return tuple(lines)


def _base(base: str) -> str:
    """Returns a base so that its number is seen, which stands behind the long id of a cluster."""
    cluster_id, at, seq = base.rpartition("@")
    return f"{safe(cluster_id[:_ID_SHOWN], 16)}@{safe(seq, 16)}" if at else safe(base, 33)


def head_line(place: Place) -> Line:
    """Returns the line on top of every screen of sandboxes."""
    return place_line(place.cluster_name, place.trust_column, f"{place.now[11:16]} UTC ")


def _words(one: SandboxListed) -> list[Line]:
    if not one.intent.strip():
        return []
    head = f" ── {safe(one.owner, 24)} says, unverified "
    return [
        Line(text=head + "─" * max(WIDTH - cells(head), 0), style="rule"),
        Line(text=f" │ {safe(one.intent, 72)}", style="foreign"),
    ]


def difference_lines(box: Box, *, whole: bool) -> tuple[str, ...]:
    """Returns the pane of the difference: from which snapshot to now, and what differs."""
    since = "it was opened" if box.before == BASE else f"snapshot {safe(box.before, 40)}"
    if box.changes is None:
        return (f"The difference since {since} cannot be told now.",)
    text = render_difference(box.changes, whole=whole)
    return (f"Since {since}, until now:", "", *text.splitlines())


def pane_line(box: Box, chosen: str) -> str:
    """Returns the line of the panes; the one that is open stands in brackets."""
    kept = len(box.shown.snapshots) if box.shown is not None else 0
    names = {
        "difference": "1 difference",
        "commands": f"2 commands {box.commands_total:,}",
        "snapshots": f"3 snapshots {kept:,}",
    }
    return " " + "  ".join(
        f"[{name}]" if pane == chosen else f" {name} " for pane, name in names.items()
    )


def snapshot_rows(box: Box) -> tuple[Row, ...]:
    """Returns the pane of the snapshots; the first is how it was opened."""
    names = box.shown.snapshots if box.shown is not None else ()
    told = ("as it was opened", *("" for _ in names))
    return tuple(
        Row(
            key=name,
            cells=(safe(name, 40), "◂ compared with now" if name == box.before else "", words),
        )
        for name, words in zip((BASE, *names), told, strict=True)
    )


def command_rows(box: Box) -> tuple[Row, ...]:
    """Returns the pane of the commands, the last first."""
    return tuple(_command_row(command, box.place.now) for command in box.commands)


def _command_row(command: Command, now: str) -> Row:
    said = command.stderr or command.stdout
    today = command.started_at[:10] == now[:10]
    when = command.started_at[11:19] if today else _minute(command.started_at)
    return Row(
        key=command.id,
        cells=(
            when,
            safe(command.tool or "program", COMMAND_WIDTHS[1]),
            _ended(command),
            safe(said.partition("\n")[0], COMMAND_WIDTHS[3]),
        ),
    )


def _ended(command: Command) -> str:
    if command.ending != "exited":
        return safe(command.ending.replace("_", " "), COMMAND_WIDTHS[2])
    return "ok" if command.exit_code == 0 else f"! {command.exit_code}"


def command_lines(command: Command) -> tuple[Line, ...]:
    """Returns one command whole: what was asked, and what it said."""
    who = command.metadata.user if command.metadata is not None else ""
    ended = _ended(command).replace("!", "exit")
    lines = [
        Line(text=f" {safe(command.tool or 'program', 40)} · {ended}", style="title"),
        _fact("began", f"{safe(command.started_at, 30)} · took {_took(command)}"),
        _fact("by", safe(who, 60) or "nobody knows"),
    ]
    if command.rows_touched is not None:
        lines.append(_fact("rows", f"{command.rows_touched:,}"))
    if command.result_digest is not None:
        lines.append(_fact("result", safe(command.result_digest, 68)))
    for heading, text in (
        ("asked, secrets replaced", _asked(command)),
        ("said", command.stdout),
        ("said of errors", command.stderr),
    ):
        if text.strip():
            lines.append(Line(text=f" ── {heading} ".ljust(74, "─"), style="rule"))
            lines += [Line(text=f" │ {line}", style="foreign") for line in _block(text)]
    return tuple(lines)


def _asked(command: Command) -> str:
    """Returns the arguments as indented JSON with its lines kept apart; else the command as it was."""
    if command.arguments_json is None:
        return command.command
    try:
        given: Any = msgspec.json.decode(command.arguments_json)
    except msgspec.DecodeError:
        return command.arguments_json
    if not isinstance(given, dict):
        return command.arguments_json
    return "\n".join(_argument(name, value) for name, value in given.items() if value is not None)


def _argument(name: str, value: object) -> str:
    if isinstance(value, str) and "\n" in value:
        return "\n".join([f"{name}:", *(f"  {line}" for line in value.splitlines())])
    plain = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return f"{name}: {plain}"


def _block(text: str) -> list[str]:
    """Returns foreign text of several lines; what acts in a terminal is shown in it."""
    shown = show(Foreign(text), limit=VALUE_CELLS_MAX, multiline=True, lines_max=_LINES_MAX)
    return shown.splitlines()


def _took(command: Command) -> str:
    seconds = (parse_instant(command.ended_at) - parse_instant(command.started_at)).total_seconds()
    return f"{seconds:.1f} s"


def _fact(label: str, text: str) -> Line:
    return Line(text=f"   {label:<8} {text}", style="fact")


def _sides(first: str, last: str) -> str:
    return f"{first}{' ' * max(WIDTH - cells(first) - cells(last), 2)}{last}"


def _minute(instant: str) -> str:
    when = parse_instant(instant)
    return f"{when.day} {when:%b %H:%M}"
