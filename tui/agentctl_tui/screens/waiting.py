"""The list of what waits for a human."""

from typing import ClassVar

from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.widgets import DataTable, Footer, Static

from agentctl.views.decision import safe
from agentctl_tui.feed import Feed, Waiting
from agentctl_tui.keymap import WAITING
from agentctl_tui.models.waiting import HEADINGS, WIDTHS, waiting_rows
from agentctl_tui.sandbox_feed import SandboxFeed
from agentctl_tui.screens.decision import DecisionScreen
from agentctl_tui.screens.guarded import GuardedScreen
from agentctl_tui.screens.sandboxes import SandboxesScreen

HELP = (
    "Each row is one change that no rule lets go through without a person. "
    "Enter opens its page: what it does, what is lost, who asks, and the way back. "
    "Nothing is decided by looking."
)


class WaitingScreen(GuardedScreen):
    """Open requests; the cursor stays with its request when the list moves."""

    BINDINGS: ClassVar[list[BindingType]] = list(WAITING)

    def __init__(
        self, feed: Feed, *, sandboxes: SandboxFeed | None, refresh_s: float, arm_s: float
    ) -> None:
        super().__init__()
        self._feed = feed
        self._sandboxes = sandboxes
        self._refresh_s = refresh_s
        self._arm_s = arm_s

    def compose(self) -> ComposeResult:
        """Yields the header, the list and the footer."""
        yield Static(id="trust", markup=False)
        yield DataTable(id="requests", cursor_type="row", zebra_stripes=False)
        yield Static(id="remark", markup=False)
        yield Footer()

    def on_mount(self) -> None:
        """Makes the columns and asks for the first time."""
        table = self.query_one(DataTable)
        for heading, width in zip(HEADINGS, WIDTHS, strict=True):
            table.add_column(heading, width=width, key=heading)
        self.action_refresh()
        self.set_interval(self._refresh_s, self.action_refresh)

    def on_screen_resume(self) -> None:
        """Asks again whenever a decision page closes."""
        super().on_screen_resume()
        if self.is_mounted:
            self.action_refresh()

    def action_refresh(self) -> None:
        """Asks what waits."""
        self._ask()

    @work(exclusive=True)
    async def _ask(self) -> None:
        self._show(await self._feed.waiting())

    def _show(self, waiting: Waiting) -> None:
        table = self.query_one(DataTable)
        chosen = self._chosen()
        rows = waiting_rows(waiting.requests, waiting.now)
        table.clear()
        for row in rows:
            table.add_row(*(Text(cell) for cell in row.cells), key=row.request_id)
        ids = [row.request_id for row in rows]
        if chosen in ids:
            table.move_cursor(row=ids.index(chosen))
        name = safe(waiting.cluster_name, 30)
        self.query_one("#trust", Static).update(Text(f" {name} · {waiting.trust_line}"))
        self.query_one("#remark", Static).update(Text(_remark(waiting)))
        table.focus()

    def _chosen(self) -> str | None:
        table = self.query_one(DataTable)
        if table.row_count == 0:
            return None
        return table.coordinate_to_cell_key(table.cursor_coordinate).row_key.value

    def on_data_table_row_selected(self) -> None:
        """Opens the row on which enter was pressed."""
        self.action_open()

    def action_open(self) -> None:
        """Opens the decision page of the chosen request."""
        chosen = self._chosen()
        if chosen is not None:
            self.app.push_screen(DecisionScreen(self._feed, chosen, arm_s=self._arm_s))

    def action_sandboxes(self) -> None:
        """Goes to the list of sandboxes."""
        if self._sandboxes is None:
            self.notify("This terminal was opened for decisions alone: agentctl tui")
            return
        self.app.push_screen(SandboxesScreen(self._sandboxes, refresh_s=self._refresh_s))

    def action_down(self) -> None:
        """Moves down."""
        self.query_one(DataTable).action_cursor_down()

    def action_up(self) -> None:
        """Moves up."""
        self.query_one(DataTable).action_cursor_up()

    def action_help(self) -> None:
        """Says what the screen is for."""
        self.notify(HELP, title="What waits", timeout=12, markup=False)

    def action_quit(self) -> None:
        """Leaves."""
        self.app.exit()


def _remark(waiting: Waiting) -> str:
    if waiting.diagnostics:
        return "\n".join(f" {d.severity}: {safe(d.message, 200)}" for d in waiting.diagnostics)
    if not waiting.requests:
        return " Nothing waits for a decision."
    count = len(waiting.requests)
    return f" {count} {'waits' if count == 1 else 'wait'} for a decision."
