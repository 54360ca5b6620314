"""Sandboxes in the terminal, driven by keys over a feed that lives in memory."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest
from textual.binding import Binding
from textual.pilot import Pilot

from agentctl.diagnostics.diagnostic import error
from agentctl.domain.sandbox.difference import ChangeDiff, PackageInfo, RowChange, RowChanges
from agentctl.domain.sandbox.records import Command, CommandExecRecord
from agentctl.foreign import cells
from agentctl_tools.sandboxes import SandboxListed, SandboxShown
from agentctl_tui.app import TerminalApp
from agentctl_tui.models.sandboxes import command_lines, head_lines, sandbox_rows
from agentctl_tui.sandbox_feed import Box, Boxes, Done, Place
from agentctl_tui.sandbox_keys import CLOSING, COMMAND, SANDBOX, SANDBOXES
from agentctl_tui.screens.command import CommandScreen
from agentctl_tui.screens.sandbox import SandboxScreen
from agentctl_tui.screens.sandboxes import SandboxesScreen
from agentctl_tui.screens.waiting import WaitingScreen
from agentctl_tui.widgets.keyed_table import KeyedTable
from tests.tui.test_terminal import EVIL, PaperFeed, request, screen_of

NOW = "2026-11-22T07:14:00.000Z"
ACTING = ("\x1b", "\x07", "\u202e", "\u202c")


def listed(name: str, number: int, **more: object) -> SandboxListed:
    own = f"01J9000000000000000000000{number}"
    one = SandboxListed(
        sandbox=f"sandbox:{own}",
        name=name,
        owner="act-builder",
        standing="open",
        base=f"{'c' * 64}@7",
        graphs=("supply", "zoo"),
        created_at="2026-11-22T05:14:00.000Z",
        expires_at=f"2026-11-23T0{number}:14:00.000Z",
        intent="a note for packages",
    )
    return msgspec.structs.replace(one, **more)


def command(number: int, **more: object) -> Command:
    one = Command(
        id=f"c{number}",
        sandbox_id="x",
        command="apply {}",
        tool="apply",
        arguments_json='{"in":"sandbox:x","intent":"try","idempotency_key":null}',
        stdout="Applied 2 changes; the cluster is what the configuration says.",
        exit_code=0,
        started_at=f"2026-11-22T06:0{number}:00.000Z",
        ended_at=f"2026-11-22T06:0{number}:01.500Z",
        metadata=CommandExecRecord(user="act-builder"),
    )
    return msgspec.structs.replace(one, **more)


FAILED = command(
    2,
    tool="sandbox_write",
    arguments_json='{"graph":"supply","rows":"{\\"a\\": 1}\\n{\\"a\\": 2}"}',
    stdout="Nothing was written.",
    stderr="row_invalid: there is no type Pakcage",
    exit_code=1,
)
CHANGES = ChangeDiff(
    files_modified=("supply.pg",),
    packages_added=(PackageInfo(name="supply.Package.note", version="note: String?"),),
    rows=(
        RowChanges(
            graph="supply",
            type_name="Package",
            added=25,
            changed=0,
            removed=0,
            sample=tuple(RowChange(key=f"p{n}", after={"name": f"p{n}"}) for n in range(25)),
        ),
    ),
)


class PaperBoxes:
    """Sandboxes on paper; what is done with them is noted down."""

    def __init__(self, *boxes: SandboxListed) -> None:
        self.boxes = list(boxes)
        self.commands: tuple[Command, ...] = (FAILED, command(1))
        self.snapshots: tuple[str, ...] = ("edited",)
        self.compared: list[str] = []
        self.acts: list[tuple[str, str]] = []
        self.answer: Done | None = None
        self.place = Place(cluster_name="supply-chain", trust_column="B", now=NOW)

    async def sandboxes(self) -> Boxes:
        counts = {one.sandbox: len(self.commands) for one in self.boxes[:1]}
        return Boxes(place=self.place, sandboxes=tuple(self.boxes), commands=counts)

    async def sandbox(self, sandbox: str, before: str) -> Box:
        self.compared.append(before)
        one = next((one for one in self.boxes if one.sandbox == sandbox), None)
        gone = (error("sandbox_not_found", sandbox, "there is no open sandbox"),)
        shown = None
        if one is not None:
            shown = SandboxShown(
                listed=one, edits=1, snapshots=self.snapshots, bytes=2048, rows=25, commands=2
            )
        return Box(
            place=self.place,
            shown=shown,
            before=before,
            changes=None if one is None else CHANGES,
            commands=self.commands if one is not None else (),
            commands_total=len(self.commands),
            diagnostics=gone if one is None else (),
        )

    async def snapshot(self, sandbox: str, name: str) -> Done:
        assert any(one.sandbox == sandbox for one in self.boxes)
        self.acts.append(("snapshot", name))
        if self.answer is None:
            self.snapshots += (name,)
        return self.answer or Done(ok=True, summary=f"Snapshot {name} is kept.")

    async def close(self, sandbox: str) -> Done:
        self.acts.append(("close", sandbox))
        self.boxes = [one for one in self.boxes if one.sandbox != sandbox]
        return Done(ok=True, summary="It is closed.")


async def settled(pilot: Pilot[None]) -> None:
    """Waits until everything is there that was asked for; what a question waits for may stay open."""
    await pilot.pause()
    asking = [worker for worker in pilot.app.workers if worker.group != "act"]
    if asking:  # none would mean all
        await pilot.app.workers.wait_for_complete(asking)
    await pilot.pause()
    await pilot.pause()


async def pressed(pilot: Pilot[None], *keys: str) -> str:
    """Presses keys one after the other, each on a screen that stands, and returns what is seen."""
    for key in keys:
        await pilot.press(key)
        await pilot.pause()
        await pilot.pause()
    return screen_of(pilot)


async def loaded(pilot: Pilot[None], *keys: str) -> str:
    """Presses keys and returns what is seen once everything that they asked for is there."""
    await pressed(pilot, *keys)
    await settled(pilot)
    return screen_of(pilot)


@asynccontextmanager
async def terminal(
    feed: PaperBoxes, size: tuple[int, int] = (80, 24)
) -> AsyncIterator[Pilot[None]]:
    """Gives the terminal with the list of sandboxes open."""
    app = TerminalApp(PaperFeed(request("zoo", 1)), sandboxes=feed, refresh_s=3600, arm_s=0)
    async with app.run_test(size=size) as pilot:
        await settled(pilot)
        await loaded(pilot, "s")
        assert isinstance(pilot.app.screen, SandboxesScreen)
        yield pilot


async def test_the_list_tells_whose_each_is_how_it_stands_and_how_long_it_has() -> None:
    feed = PaperBoxes(listed("try", 2), listed("other", 1, standing="ending"))
    async with terminal(feed) as pilot:
        lines = [line.split() for line in screen_of(pilot).splitlines()]

    assert lines[0][:4] == ["supply-chain", "·", "column", "B"]
    assert lines[1] == ["sandbox", "owner", "is", "open", "for", "ends", "in", "graphs", "done"]
    assert lines[2] == ["other", "act-builder", "ending", "2", "h", "18", "h", "2", "?"]
    assert lines[3] == ["try", "act-builder", "open", "2", "h", "19", "h", "2", "2"]
    assert lines[-2] == ["2", "sandboxes;", "nothing", "in", "them", "is", "real."]


async def test_where_there_is_no_sandbox_it_says_how_one_is_opened() -> None:
    async with terminal(PaperBoxes()) as pilot:
        seen = await loaded(pilot, "enter", "x")

    assert "There is no sandbox. One is opened by: agentctl sandbox open NAME" in seen


async def test_a_sandbox_opens_on_what_changed_in_it_since_it_was_opened() -> None:
    async with terminal(PaperBoxes(listed("try", 1))) as pilot:
        seen = await loaded(pilot, "enter")

    assert "SANDBOX try · open" in seen
    assert "ends in 18 h" in seen
    assert "[1 difference]" in seen
    assert "Since it was opened, until now:" in seen
    assert "~ supply.pg" in seen
    lines = seen.splitlines()
    says = next(i for i, line in enumerate(lines) if "act-builder says, unverified" in line)
    assert lines[says + 1].strip() == "│ a note for packages"


async def test_long_lists_of_a_difference_are_cut_until_the_whole_is_wanted() -> None:
    async with terminal(PaperBoxes(listed("try", 1)), size=(80, 60)) as pilot:
        cut = await loaded(pilot, "enter")
        whole = await pressed(pilot, "w")
        again = await pressed(pilot, "w")

    assert "and 19 more" in cut
    assert "and 19 more" not in whole
    assert "+ p24" in whole
    assert "and 19 more" in again


async def test_the_timeline_tells_each_command_and_enter_shows_one_whole() -> None:
    async with terminal(PaperBoxes(listed("try", 1))) as pilot:
        timeline = await loaded(pilot, "enter", "2")
        whole = await pressed(pilot, "enter")
        back = await pressed(pilot, "escape")

    rows = [line.split() for line in timeline.splitlines()]
    failed = next(row for row in rows if "sandbox_write" in row)
    fine = next(row for row in rows if "apply" in row)
    assert failed[:4] == ["06:02:00", "sandbox_write", "!", "1"]
    assert fine[:3] == ["06:01:00", "apply", "ok"]
    assert rows.index(failed) < rows.index(fine)
    assert "[2 commands 2]" in timeline
    assert "graph: supply" in whole
    assert '{"a": 2}' in whole
    assert "row_invalid: there is no type Pakcage" in whole
    assert "took 1.5 s" in whole
    assert "[2 commands 2]" in back


async def test_tab_goes_round_the_panes() -> None:
    async with terminal(PaperBoxes(listed("try", 1))) as pilot:
        await loaded(pilot, "enter")
        seen = [await pressed(pilot, key) for key in ("tab", "tab", "tab", "shift+tab")]

    marks = ("[2 commands", "[3 snapshots", "[1 difference]", "[3 snapshots")
    for screen, mark in zip(seen, marks, strict=True):
        assert mark in screen


async def test_a_snapshot_is_taken_under_the_name_that_is_typed() -> None:
    feed = PaperBoxes(listed("try", 1))
    async with terminal(feed) as pilot:
        await loaded(pilot, "enter", "s")
        await loaded(pilot, *"mine", "enter")
        seen = await pressed(pilot, "3")

    assert feed.acts == [("snapshot", "mine")]
    assert "[3 snapshots 2]" in seen
    assert "mine" in seen


async def test_escape_takes_no_snapshot() -> None:
    feed = PaperBoxes(listed("try", 1))
    async with terminal(feed) as pilot:
        await loaded(pilot, "enter", "s")
        await loaded(pilot, "m", "escape")

        assert isinstance(pilot.app.screen, SandboxScreen)
    assert feed.acts == []


async def test_a_refused_snapshot_says_why_and_nothing_of_it_is_markup() -> None:
    feed = PaperBoxes(listed("try", 1))
    why = "snapshot [red]mine[/nope] is there already"
    feed.answer = Done(ok=False, summary="no", diagnostics=(error("sandbox_exists", "x", why),))
    async with terminal(feed) as pilot:
        await loaded(pilot, "enter", "s")
        await loaded(pilot, *"mine", "enter")
        told = [(n.message, n.severity, n.markup) for n in pilot.app._notifications]

    assert told == [(why, "error", False)]


async def test_the_difference_begins_with_the_snapshot_that_is_chosen() -> None:
    feed = PaperBoxes(listed("try", 1))
    async with terminal(feed) as pilot:
        await loaded(pilot, "enter", "3", "j")
        seen = await loaded(pilot, "enter")

    assert feed.compared == ["base", "edited"]
    assert "[1 difference]" in seen
    assert "Since snapshot edited, until now:" in seen


async def test_a_sandbox_is_closed_by_a_second_key_alone() -> None:
    feed = PaperBoxes(listed("try", 1), listed("other", 2))
    async with terminal(feed) as pilot:
        asked = await pressed(pilot, "x")
        await loaded(pilot, "n")
        assert feed.acts == []
        await pressed(pilot, "x")
        await loaded(pilot, "escape")
        assert feed.acts == []
        await pressed(pilot, "x")
        seen = await loaded(pilot, "y")

    assert "Close sandbox try of act-builder?" in asked
    assert "the history" in asked
    assert feed.acts == [("close", listed("try", 1).sandbox)]
    assert " try " not in seen
    assert "1 sandbox; nothing in them is real." in seen


async def test_a_sandbox_that_is_closed_on_its_page_leads_back_to_the_list() -> None:
    feed = PaperBoxes(listed("try", 1))
    async with terminal(feed) as pilot:
        await loaded(pilot, "enter", "x")
        await loaded(pilot, "y")

        assert isinstance(pilot.app.screen, SandboxesScreen)
    assert [act for act, _ in feed.acts] == ["close"]


async def test_a_sandbox_that_is_gone_shows_no_old_facts_and_says_why() -> None:
    feed = PaperBoxes(listed("try", 1))
    async with terminal(feed) as pilot:
        await loaded(pilot, "enter")
        feed.boxes.clear()
        seen = await loaded(pilot, "r")

    assert "supply-chain · column B" in seen
    assert "SANDBOX try" not in seen
    assert "supply.pg" not in seen
    assert "there is no open sandbox" in seen


async def test_the_cursor_stays_with_its_sandbox_when_the_list_moves() -> None:
    feed = PaperBoxes(listed("second", 2), listed("third", 3))
    async with terminal(feed) as pilot:
        await pressed(pilot, "j")
        feed.boxes.append(listed("first", 1))
        await loaded(pilot, "r")

        assert pilot.app.screen.query_one(KeyedTable).chosen() == listed("third", 3).sandbox


async def test_escape_leads_back_to_what_waits() -> None:
    async with terminal(PaperBoxes(listed("try", 1))) as pilot:
        await loaded(pilot, "enter")
        await loaded(pilot, "escape", "escape")

        assert isinstance(pilot.app.screen, WaitingScreen)


async def test_a_terminal_for_decisions_alone_says_so() -> None:
    app = TerminalApp(PaperFeed(), refresh_s=3600, arm_s=0)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pressed(pilot, "s")
        told = [n.message for n in pilot.app._notifications]

    assert told == ["This terminal was opened for decisions alone: agentctl tui"]


@pytest.mark.parametrize("keys", [(), ("enter",), ("enter", "2"), ("enter", "2", "enter")])
async def test_foreign_text_on_the_screens_is_shown_and_never_passed_through(
    keys: tuple[str, ...],
) -> None:
    evil = EVIL.removeprefix("please")
    feed = PaperBoxes(
        listed(evil, 1, owner=evil, intent=evil, base=f"{evil}@{evil}", graphs=(evil,))
    )
    feed.snapshots = (evil,)
    ran = command(3, tool=evil, stdout=evil, stderr=evil, arguments_json=None, command=evil)
    feed.commands = (ran, command(1, arguments_json=msgspec.json.encode({evil: evil}).decode()))
    async with terminal(feed) as pilot:
        seen = await loaded(pilot, *keys)

    for acting in ACTING:
        assert acting not in seen
    assert "‹U+001B›" in seen


@pytest.mark.parametrize(
    "text", ["測" * 80, "x" * 300, "word " * 80, EVIL * 6], ids=["wide", "long", "words", "evil"]
)
def test_the_head_of_a_sandbox_fits_on_80_cells_whatever_it_is_called(text: str) -> None:
    one = listed(text, 1, owner=text, intent=text, graphs=(text, text), base=f"{text}@{text}")
    box = Box(
        place=Place(cluster_name=text, trust_column="B", now=NOW),
        shown=SandboxShown(
            listed=one, edits=10**9, snapshots=(), bytes=10**15, rows=10**12, commands=0
        ),
        before="base",
        changes=None,
        commands=(),
        commands_total=0,
    )

    lines = head_lines(box)

    assert max(cells(line.text) for line in lines) <= 80
    assert len(lines) <= 8


def test_a_command_whose_arguments_are_no_object_is_shown_as_it_was_kept() -> None:
    shown = [line.text for line in command_lines(command(1, arguments_json="[1, 2"))]

    assert " │ [1, 2" in shown


def test_a_command_that_timed_out_and_one_of_a_program_say_so_in_words() -> None:
    one = command(1, tool=None, ending="timed_out", exit_code=-9, command="make all")
    boxes = Boxes(
        place=Place(cluster_name="x", trust_column="A", now="2026-11-24T07:14:00.000Z"),
        sandboxes=(listed("old", 1),),
        commands={},
    )

    assert [row.cells[4] for row in sandbox_rows(boxes)] == ["over"]
    assert " program · timed out" in [line.text for line in command_lines(one)]


@pytest.mark.parametrize("bindings", [SANDBOXES, SANDBOX, COMMAND, CLOSING])
def test_every_key_of_the_screens_has_a_tooltip(bindings: tuple[Binding, ...]) -> None:
    assert all(binding.tooltip for binding in bindings)


async def test_every_screen_fits_on_80_by_24_with_its_keys_in_the_footer() -> None:
    async with terminal(PaperBoxes(listed("try", 1))) as pilot:
        footers = [screen_of(pilot).rstrip().splitlines()[-1]]
        await loaded(pilot, "enter")
        footers.append(screen_of(pilot).rstrip().splitlines()[-1])
        await pressed(pilot, "2", "enter")
        assert isinstance(pilot.app.screen, CommandScreen)
        footers.append(screen_of(pilot).rstrip().splitlines()[-1])

    assert [word for word in ("open", "close…", "refresh", "back") if word in footers[0]] == [
        "open",
        "close…",
        "refresh",
        "back",
    ]
    assert "s snapshot…" in footers[1]
    assert "x close…" in footers[1]
    assert "esc back" in footers[1]
    assert "esc back" in footers[2]


def test_a_sandbox_of_commands_says_whose_it_is_and_on_what_it_stands() -> None:
    one = listed("build", 1, provider="process", base="tools", graphs=(), expires_at="")
    box = Box(
        place=Place(cluster_name="x", trust_column="A", now=NOW),
        shown=SandboxShown(listed=one, edits=0, snapshots=(), bytes=0, rows=0, commands=None),
        before="base",
        changes=None,
        commands=(),
        commands_total=0,
    )

    lines = [" ".join(line.text.split()) for line in head_lines(box)]

    assert lines[1] == "SANDBOX build of process · open has no end"
    assert lines[3] == "copy of tools · 0 graphs"
