"""A field that takes typed characters only: no paste, and nothing before it is armed."""

from textual import events
from textual.widgets import Input


class TypedInput(Input):
    """Refuses paste in every form that a terminal offers. Source: terminal 2."""

    def _on_paste(self, event: events.Paste) -> None:
        event.stop()
        event.prevent_default()
        self.app.bell()
        self.notify("Paste is refused here: type it.", severity="warning")

    def action_paste(self) -> None:
        """Refuses the key for paste as well."""
        self.app.bell()
        self.notify("Paste is refused here: type it.", severity="warning")
