"""The question before a sandbox is closed."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.widgets import Footer, Label

from agentctl_tui.sandbox_keys import CLOSING
from agentctl_tui.screens.guarded import GuardedModal


class ClosingScreen(GuardedModal[bool]):
    """Yes closes it; anything else keeps it."""

    BINDINGS: ClassVar[list[BindingType]] = list(CLOSING)

    def __init__(self, told: str) -> None:
        super().__init__()
        self._told = told

    def compose(self) -> ComposeResult:
        """Yields the question."""
        with Vertical(id="box"):
            yield Label(self._told, markup=False, id="question")
            yield Label("Its files, rows and snapshots are lost.", markup=False)
            yield Label("What was done in it stays in the history.", markup=False)
            yield Label("y closes it · n keeps it", markup=False, id="hint")
        yield Footer()

    def action_agree(self) -> None:
        """Closes the sandbox."""
        self.dismiss(result=True)

    def action_leave(self) -> None:
        """Keeps the sandbox."""
        self.dismiss(result=False)
