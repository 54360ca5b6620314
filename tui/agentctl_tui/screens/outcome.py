"""How an act on a sandbox ended, said on the screen."""

from textual.screen import Screen

from agentctl.views.decision import safe
from agentctl_tui.sandbox_feed import Done


def tell(screen: Screen[None], done: Done) -> None:
    """Says what was done, or each reason why it was not, as text that is never read as markup."""
    if done.ok:
        screen.app.notify(safe(done.summary, 200), timeout=8, markup=False)
    for diagnostic in done.diagnostics:
        told = safe(diagnostic.message, 200)
        screen.app.notify(
            told, severity="warning" if done.ok else "error", timeout=12, markup=False
        )
