"""A screen that drops what was typed before it was fully drawn. Source: terminal 2."""

from typing import TypeVar

from textual import events
from textual.message import Message
from textual.screen import ModalScreen, Screen

Answer = TypeVar("Answer")


class DrawnGuard:
    """Remembers since when a page stands; older keys were meant for the page before."""

    def __init__(self) -> None:
        self._drawn_at: float | None = None

    def drawn(self) -> None:
        """Notes that the page is drawn now."""
        self._drawn_at = Message().time

    def reset(self) -> None:
        """Notes that another page is about to be drawn."""
        self._drawn_at = None

    def refuses(self, event: events.Event) -> bool:
        """Returns whether *event* is input that was typed before the page stood."""
        if not isinstance(event, events.Key | events.Paste):
            return False
        return self._drawn_at is None or event.time < self._drawn_at


class GuardedScreen(Screen[None]):
    """A page; input typed ahead of it is dropped."""

    def __init__(self) -> None:
        super().__init__()
        self.guard = DrawnGuard()

    def on_screen_resume(self) -> None:
        """Starts over whenever the page comes to the top."""
        self.guard.reset()
        self.call_after_refresh(self.guard.drawn)


class GuardedModal(ModalScreen[Answer]):
    """A question over a page; input typed ahead of it is dropped."""

    def __init__(self) -> None:
        super().__init__()
        self.guard = DrawnGuard()

    def on_screen_resume(self) -> None:
        """Starts over whenever the question comes to the top."""
        self.guard.reset()
        self.call_after_refresh(self.guard.drawn)
