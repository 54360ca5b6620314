"""One sandbox: what changed in it, what was done in it, how it was kept."""

from typing import ClassVar, Final

from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.widgets import ContentSwitcher, DataTable, Footer, Static

from agentctl.views.decision import safe
from agentctl_tui.models.sandboxes import (
    BASE,
    COMMAND_HEADINGS,
    COMMAND_WIDTHS,
    command_rows,
    difference_lines,
    head_lines,
    name_of,
    pane_line,
    snapshot_rows,
)
from agentctl_tui.sandbox_feed import Box, SandboxFeed
from agentctl_tui.sandbox_keys import SANDBOX
from agentctl_tui.screens.command import CommandScreen
from agentctl_tui.screens.guarded import GuardedScreen
from agentctl_tui.screens.outcome import tell
from agentctl_tui.screens.sandbox_closing import ClosingScreen
from agentctl_tui.screens.snapshot_name import SnapshotNameScreen
from agentctl_tui.widgets.keyed_table import KeyedTable
from agentctl_tui.widgets.page import PageView

PANES: Final = ("difference", "commands", "snapshots")
HELP: Final = (
    "1 is what differs from the sandbox as it was opened, or from the snapshot that was chosen in 3. "
    "2 is every call that was made in it, the last first; enter shows one whole. "
    "The block under the facts is what its owner says, and nobody checked it."
)


class SandboxScreen(GuardedScreen):
    """The page of one sandbox. Looking changes nothing in it."""

    BINDINGS: ClassVar[list[BindingType]] = list(SANDBOX)

    def __init__(self, feed: SandboxFeed, sandbox: str) -> None:
        super().__init__()
        self._feed = feed
        self._sandbox = sandbox
        self._before = BASE
        self._whole = False
        self._box: Box | None = None

    def compose(self) -> ComposeResult:
        """Yields the head, the panes and the footer."""
        yield PageView(id="head")
        yield Static(id="panes", markup=False)
        with ContentSwitcher(initial=PANES[0], id="switcher"):
            with VerticalScroll(id=PANES[0]):
                yield Static("Comparing …", id="changes", markup=False)
            yield KeyedTable(id=PANES[1])
            yield KeyedTable(id=PANES[2])
        yield Static(id="remark", markup=False)
        yield Footer()

    def on_mount(self) -> None:
        """Makes the columns and asks for the first time."""
        self._table(PANES[1]).make_columns(COMMAND_HEADINGS, COMMAND_WIDTHS)
        self._table(PANES[2]).make_columns(("snapshot", "", ""), (30, 20, 20))
        self.query_one(VerticalScroll).focus()
        self.action_refresh()

    @work(exclusive=True, group="ask")
    async def action_refresh(self) -> None:
        """Asks for everything anew, and compares."""
        self._show(await self._feed.sandbox(self._sandbox, self._before))

    def _show(self, box: Box) -> None:
        self._box = box
        self.query_one("#head", PageView).show_lines(head_lines(box))
        told = [f" {safe(d.path, 40)}: {safe(d.message, 200)}" for d in box.diagnostics]
        self.query_one("#remark", Static).update(Text("\n".join(told)))
        self._table(PANES[1]).show_rows(command_rows(box))
        self._table(PANES[2]).show_rows(snapshot_rows(box))
        self._show_difference()
        self._show_panes()

    def _show_difference(self) -> None:
        if self._box is None or self._box.shown is None:
            self.query_one("#changes", Static).update("")
            return
        lines = difference_lines(self._box, whole=self._whole)
        self.query_one("#changes", Static).update(Text("\n".join(f" {line}" for line in lines)))

    def _show_panes(self) -> None:
        line = pane_line(self._box, self._pane()) if self._box is not None else ""
        self.query_one("#panes", Static).update(Text(line))

    def _pane(self) -> str:
        return self.query_one(ContentSwitcher).current or PANES[0]

    def _table(self, pane: str) -> KeyedTable:
        return self.query_one(f"#{pane}", KeyedTable)

    def action_pane(self, pane: str) -> None:
        """Goes to a pane."""
        self.query_one(ContentSwitcher).current = pane
        self.query_one(f"#{pane}").focus()
        self._show_panes()

    def action_next(self, step: int) -> None:
        """Goes to the pane beside this one."""
        self.action_pane(PANES[(PANES.index(self._pane()) + step) % len(PANES)])

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        """Opens the row that was clicked."""
        event.stop()
        self.action_open()

    def action_open(self) -> None:
        """Opens the chosen command, or compares with the chosen snapshot."""
        pane = self._pane()
        chosen = self._table(pane).chosen() if pane != PANES[0] else None
        if chosen is None or self._box is None:
            return
        if pane == PANES[1]:
            command = next(c for c in self._box.commands if c.id == chosen)
            self.app.push_screen(CommandScreen(command))
            return
        self._before = chosen
        self.action_pane(PANES[0])
        self.query_one("#changes", Static).update("Comparing …")
        self.action_refresh()

    def action_whole(self) -> None:
        """Shows long lists whole, or cuts them again."""
        self._whole = not self._whole
        self._show_difference()

    @work(exclusive=True, group="act")
    async def action_snapshot(self) -> None:
        """Asks for a name and keeps the sandbox under it."""
        name = await self.app.push_screen_wait(SnapshotNameScreen())
        if name is not None:
            tell(self, await self._feed.snapshot(self._sandbox, name))
            self.action_refresh()

    @work(exclusive=True, group="act")
    async def action_close(self) -> None:
        """Closes the sandbox, once the person agrees."""
        if self._box is None or self._box.shown is None:
            self.notify("It is not there any more, so there is nothing to close.")
            return
        one = self._box.shown.listed
        question = f"Close sandbox {name_of(one)} of {safe(one.owner, 30)}?"
        if not await self.app.push_screen_wait(ClosingScreen(question)):
            return
        done = await self._feed.close(self._sandbox)
        tell(self, done)
        if done.ok:
            self.dismiss()

    def action_down(self) -> None:
        """Moves down."""
        if self._pane() == PANES[0]:
            self.query_one(VerticalScroll).scroll_down(animate=False)
        else:
            self._table(self._pane()).action_cursor_down()

    def action_up(self) -> None:
        """Moves up."""
        if self._pane() == PANES[0]:
            self.query_one(VerticalScroll).scroll_up(animate=False)
        else:
            self._table(self._pane()).action_cursor_up()

    def action_help(self) -> None:
        """Says what the panes show."""
        self.notify(HELP, title="A sandbox", timeout=15, markup=False)

    def action_back(self) -> None:
        """Goes back to the list."""
        self.dismiss()
