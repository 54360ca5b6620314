"""Wires the screens to a feed. Holds no state of its own."""

from typing import ClassVar

from textual import events
from textual.app import App

from agentctl_tui.feed import Feed
from agentctl_tui.sandbox_feed import SandboxFeed
from agentctl_tui.screens.decision import DecisionScreen
from agentctl_tui.screens.guarded import GuardedModal, GuardedScreen
from agentctl_tui.screens.waiting import WaitingScreen

REFRESH_S = 3.0
"""How often the list asks what waits."""
ARM_S = 2.0
"""How long a page stands before a confirmation takes input. Source: terminal 2."""


class TerminalApp(App[None]):
    """What waits for a human, and the page on which it is decided."""

    CSS_PATH = "app.tcss"
    TITLE = "agentctl"
    ENABLE_COMMAND_PALETTE: ClassVar[bool] = False

    def __init__(
        self,
        feed: Feed,
        *,
        sandboxes: SandboxFeed | None = None,
        request_id: str | None = None,
        once: bool = False,
        refresh_s: float = REFRESH_S,
        arm_s: float = ARM_S,
    ) -> None:
        super().__init__()
        self._feed = feed
        self._sandboxes = sandboxes
        self._request_id = request_id
        self._once = once
        self._refresh_s = refresh_s
        self._arm_s = arm_s

    def on_mount(self) -> None:
        """Opens the list, and the named request's page over it."""
        waiting = WaitingScreen(
            self._feed,
            sandboxes=self._sandboxes,
            refresh_s=self._refresh_s,
            arm_s=self._arm_s,
        )
        self.push_screen(waiting)
        if self._request_id is not None:
            page = DecisionScreen(self._feed, self._request_id, arm_s=self._arm_s)
            self.push_screen(page, self._page_left)

    def _page_left(self, _: None) -> None:
        if self._once:
            self.exit()

    async def on_event(self, event: events.Event) -> None:
        """Drops input that was typed before the page on top was fully drawn."""
        screen = self.screen if self._screen_stack else None
        if isinstance(screen, GuardedScreen | GuardedModal) and screen.guard.refuses(event):
            return
        await super().on_event(event)


async def run(
    feed: Feed,
    *,
    sandboxes: SandboxFeed | None = None,
    request_id: str | None = None,
    once: bool = False,
) -> None:
    """Runs the terminal until the person leaves it.

    Args:
        feed: the door.
        sandboxes: the door, for the screens of sandboxes; None leaves them out.
        request_id: whose page to open at once.
        once: end with that page, decided or not.
    """
    app = TerminalApp(feed, sandboxes=sandboxes, request_id=request_id, once=once)
    await app.run_async()
