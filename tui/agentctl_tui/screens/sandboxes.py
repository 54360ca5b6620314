"""The list of sandboxes."""

from typing import ClassVar, Final

from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.widgets import DataTable, Footer, Static

from agentctl.views.decision import safe
from agentctl.views.wording import counted
from agentctl_tui.models.sandboxes import HEADINGS, WIDTHS, head_line, name_of, sandbox_rows
from agentctl_tui.sandbox_feed import Boxes, SandboxFeed
from agentctl_tui.sandbox_keys import SANDBOXES
from agentctl_tui.screens.guarded import GuardedScreen
from agentctl_tui.screens.outcome import tell
from agentctl_tui.screens.sandbox import SandboxScreen
from agentctl_tui.screens.sandbox_closing import ClosingScreen
from agentctl_tui.widgets.keyed_table import KeyedTable
from agentctl_tui.widgets.page import PageView

EVERY_S: Final = 10.0
"""How often the list asks at most: each sandbox of it costs a call."""
HELP: Final = (
    "Each row is a copy of the whole cluster in which somebody tries things; nothing in it is real. "
    "Enter shows what changed in it and what was done. 'done' counts the commands that were run."
)


class SandboxesScreen(GuardedScreen):
    """Sandboxes of everybody; the cursor stays with its sandbox when the list moves."""

    BINDINGS: ClassVar[list[BindingType]] = list(SANDBOXES)

    def __init__(self, feed: SandboxFeed, *, refresh_s: float) -> None:
        super().__init__()
        self._feed = feed
        self._refresh_s = max(refresh_s, EVERY_S)
        self._boxes: Boxes | None = None

    def compose(self) -> ComposeResult:
        """Yields the header, the list and the footer."""
        yield PageView(id="head")
        yield KeyedTable(id="sandboxes")
        yield Static(id="remark", markup=False)
        yield Footer()

    def on_mount(self) -> None:
        """Makes the columns and asks for the first time."""
        table = self.query_one(KeyedTable)
        table.make_columns(HEADINGS, WIDTHS)
        table.focus()
        self.action_refresh()
        self.set_interval(self._refresh_s, self.action_refresh)

    def on_screen_resume(self) -> None:
        """Asks again whenever a sandbox's page closes."""
        super().on_screen_resume()
        if self.is_mounted:
            self.action_refresh()

    @work(exclusive=True, group="ask")
    async def action_refresh(self) -> None:
        """Asks which sandboxes there are."""
        boxes = self._boxes = await self._feed.sandboxes()
        self.query_one(PageView).show_lines((head_line(boxes.place),))
        self.query_one(KeyedTable).show_rows(sandbox_rows(boxes))
        self.query_one("#remark", Static).update(Text(_remark(boxes)))

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        """Opens the row that was clicked."""
        event.stop()
        self.action_open()

    def action_open(self) -> None:
        """Opens the chosen sandbox."""
        chosen = self.query_one(KeyedTable).chosen()
        if chosen is not None:
            self.app.push_screen(SandboxScreen(self._feed, chosen))

    @work(exclusive=True, group="act")
    async def action_close(self) -> None:
        """Closes the chosen sandbox, once the person agrees."""
        chosen = self.query_one(KeyedTable).chosen()
        listed = self._boxes.sandboxes if self._boxes is not None else ()
        one = next((one for one in listed if one.sandbox == chosen), None)
        if one is None:
            self.notify("There is no sandbox to close.")
            return
        question = f"Close sandbox {name_of(one)} of {safe(one.owner, 30)}?"
        if await self.app.push_screen_wait(ClosingScreen(question)):
            tell(self, await self._feed.close(one.sandbox))
            self.action_refresh()

    def action_down(self) -> None:
        """Moves down."""
        self.query_one(KeyedTable).action_cursor_down()

    def action_up(self) -> None:
        """Moves up."""
        self.query_one(KeyedTable).action_cursor_up()

    def action_help(self) -> None:
        """Says what the screen is for."""
        self.notify(HELP, title="Sandboxes", timeout=12, markup=False)

    def action_back(self) -> None:
        """Goes back to what waits."""
        self.dismiss()


def _remark(boxes: Boxes) -> str:
    if boxes.diagnostics:
        return "\n".join(f" {d.severity}: {safe(d.message, 200)}" for d in boxes.diagnostics)
    if not boxes.sandboxes:
        return " There is no sandbox. One is opened by: agentctl sandbox open NAME"
    return f" {counted(len(boxes.sandboxes), 'sandbox', 'sandboxes')}; nothing in them is real."
