"""The second key of a deny: why. Source: terminal 2."""

from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Footer, Label

from agentctl_tui.keymap import DENY_REASONS
from agentctl_tui.screens.guarded import GuardedModal
from agentctl_tui.screens.words import WordsScreen


class DenyScreen(GuardedModal[str | None]):
    """A number is a reason; 6 takes words."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *(
            Binding(str(number), f"reason({number})", reason, show=False, tooltip=f"Deny: {reason}")
            for number, reason in enumerate(DENY_REASONS, start=1)
        ),
        Binding(
            str(len(DENY_REASONS) + 1),
            "write",
            "write one",
            show=False,
            tooltip="Deny with your words",
        ),
        Binding("escape", "leave", "leave it undecided", tooltip="Nothing is decided"),
    ]

    def compose(self) -> ComposeResult:
        """Yields the reasons with their numbers."""
        with Vertical(id="box"):
            yield Label("Deny, because", markup=False)
            for number, reason in enumerate(DENY_REASONS, start=1):
                yield Label(f"  {number}  {reason}", markup=False)
            yield Label(f"  {len(DENY_REASONS) + 1}  write one", markup=False)
        yield Footer()

    def action_reason(self, number: int) -> None:
        """Denies for that reason."""
        self.dismiss(DENY_REASONS[number - 1])

    @work
    async def action_write(self) -> None:
        """Takes words, then denies."""
        words = await self.app.push_screen_wait(WordsScreen("Deny, because"))
        if words is not None:
            self.dismiss(words)

    def action_leave(self) -> None:
        """Closes without a decision."""
        self.dismiss(None)
