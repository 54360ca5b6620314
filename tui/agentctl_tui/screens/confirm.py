"""The question before an approval: type the resource's name. Source: terminal 2."""

from typing import ClassVar

import msgspec
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Footer, Input, Label

from agentctl.views.decision import NAME_CELLS_MAX, safe
from agentctl_tui.screens.guarded import GuardedModal
from agentctl_tui.widgets.typed_name import TypedInput


class Typed(msgspec.Struct, frozen=True, kw_only=True):
    """What was typed: the name, and the passphrase where the key needs one."""

    name: str
    passphrase: str | None


class ConfirmScreen(GuardedModal[Typed | None]):
    """Armed only after the page has stood for a while; paste is refused."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "leave it undecided", tooltip="Nothing is signed"),
    ]

    def __init__(self, *, name: str, verb: str, needs_passphrase: bool, arm_s: float) -> None:
        super().__init__()
        self._wanted = name
        self._verb = verb
        self._needs_passphrase = needs_passphrase
        self._arm_s = arm_s

    def compose(self) -> ComposeResult:
        """Yields the question and its fields."""
        with Vertical(id="box"):
            yield Label(
                f"To approve this {self._verb}, type its name: {safe(self._wanted, NAME_CELLS_MAX)}",
                markup=False,
                id="question",
            )
            yield TypedInput(id="name", disabled=True, placeholder="armed in a moment")
            if self._needs_passphrase:
                yield TypedInput(
                    id="passphrase",
                    disabled=True,
                    password=True,
                    placeholder="then the passphrase of your key",
                )
            yield Label("Wait: not armed yet. ", id="hint", markup=False)
        yield Footer()

    def on_mount(self) -> None:
        """Starts the wait once the question is drawn."""
        self.call_after_refresh(self._drawn)

    def _drawn(self) -> None:
        self.set_timer(self._arm_s, self._arm) if self._arm_s > 0 else self._arm()

    def _arm(self) -> None:
        for field in self.query(TypedInput):
            field.disabled = False
        name = self.query_one("#name", TypedInput)
        name.placeholder = ""
        name.focus()
        self.query_one("#hint", Label).update("Armed.  enter signs")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Checks the name, then signs."""
        if self.query_one("#name", TypedInput).value != self._wanted:
            self.query_one("#hint", Label).update("That is not its name. Nothing was signed.")
            return
        if self._needs_passphrase and event.input.id == "name":
            self.query_one("#passphrase", TypedInput).focus()
            return
        secret = self.query_one("#passphrase", TypedInput).value if self._needs_passphrase else None
        self.dismiss(Typed(name=self._wanted, passphrase=secret))

    def action_leave(self) -> None:
        """Closes without signing."""
        self.dismiss(None)
