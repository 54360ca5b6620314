"""One line of a person's own words."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Footer, Input, Label

from agentctl_tui.screens.guarded import GuardedModal
from agentctl_tui.widgets.typed_name import TypedInput


class WordsScreen(GuardedModal[str | None]):
    """Blank words are not taken; a secret is not shown."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "leave it undecided", tooltip="Nothing is decided"),
    ]

    def __init__(self, question: str, *, secret: bool = False) -> None:
        super().__init__()
        self._question = question
        self._secret = secret

    def compose(self) -> ComposeResult:
        """Yields the question and the field."""
        with Vertical(id="box"):
            yield Label(self._question, markup=False)
            yield TypedInput(id="words", password=self._secret)
            yield Label("enter takes it", id="hint", markup=False)
        yield Footer()

    def on_mount(self) -> None:
        """Puts the cursor into the field."""
        self.query_one(TypedInput).focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Takes the words, unless they are blank."""
        if event.value.strip():
            self.dismiss(event.value if self._secret else event.value.strip())

    def action_leave(self) -> None:
        """Closes without a decision."""
        self.dismiss(None)
