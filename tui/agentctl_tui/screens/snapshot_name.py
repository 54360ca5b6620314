"""The name of a new snapshot of a sandbox."""

from typing import ClassVar

from textual.binding import Binding, BindingType

from agentctl_tui.screens.words import WordsScreen


class SnapshotNameScreen(WordsScreen):
    """Asks what the sandbox as it is now is to be called."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "take none", tooltip="No snapshot is taken"),
    ]

    def __init__(self) -> None:
        super().__init__("Keep the sandbox as it is now, under the name")
