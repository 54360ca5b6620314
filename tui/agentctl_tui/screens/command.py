"""One command of a sandbox: what was asked, and what it said."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.widgets import Footer

from agentctl.domain.sandbox.records import Command
from agentctl_tui.models.sandboxes import command_lines
from agentctl_tui.sandbox_keys import COMMAND
from agentctl_tui.screens.guarded import GuardedModal
from agentctl_tui.widgets.page import PageView


class CommandScreen(GuardedModal[None]):
    """Everything that the history keeps of a command; secrets were replaced before it was kept."""

    BINDINGS: ClassVar[list[BindingType]] = list(COMMAND)

    def __init__(self, command: Command) -> None:
        super().__init__()
        self._command = command

    def compose(self) -> ComposeResult:
        """Yields the command's lines."""
        with VerticalScroll(id="command"):
            yield PageView(id="lines")
        yield Footer()

    def on_mount(self) -> None:
        """Shows the lines; long ones go on below."""
        self.query_one(PageView).show_lines(command_lines(self._command), wrap=True)
        self.query_one(VerticalScroll).focus()

    def action_down(self) -> None:
        """Moves down."""
        self.query_one(VerticalScroll).scroll_down(animate=False)

    def action_up(self) -> None:
        """Moves up."""
        self.query_one(VerticalScroll).scroll_up(animate=False)

    def action_back(self) -> None:
        """Goes back to the list."""
        self.dismiss(None)
