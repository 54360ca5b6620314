"""One decision page: facts first, then the asker's words, then the keys."""

from typing import ClassVar

from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.widgets import Footer, Static

from agentctl.domain.approval.facts import DecisionFacts
from agentctl.domain.approval.records import Verdict
from agentctl.views.decision import decision_page, place_line, safe
from agentctl_tui.feed import Feed, Page
from agentctl_tui.keymap import DECISION
from agentctl_tui.models.waiting import resource_name, waiting_rows
from agentctl_tui.screens.confirm import ConfirmScreen, Typed
from agentctl_tui.screens.deny import DenyScreen
from agentctl_tui.screens.guarded import GuardedScreen
from agentctl_tui.screens.words import WordsScreen
from agentctl_tui.widgets.page import PageView

HELP = (
    "The lines above the ruled block are measured on this machine now; ! marks a risk. "
    "The block is what the asker says, and nobody checked it. "
    "Read the six words after 'compare' to a colleague to know that you look at the same statement."
)


class DecisionScreen(GuardedScreen):
    """The page of one request. Leaving it decides nothing."""

    BINDINGS: ClassVar[list[BindingType]] = list(DECISION)

    def __init__(self, feed: Feed, request_id: str, *, arm_s: float) -> None:
        super().__init__()
        self._feed = feed
        self._request_id = request_id
        self._arm_s = arm_s
        self._facts: DecisionFacts | None = None
        self._confirm: ConfirmScreen | None = None

    def compose(self) -> ComposeResult:
        """Yields the page and the footer."""
        with VerticalScroll(can_focus=False):
            yield PageView(id="page")
        yield Static(id="remark", markup=False)
        yield Footer()

    def on_mount(self) -> None:
        """Measures, and goes on measuring while the page is open."""
        self._load()
        self.set_interval(2.0, self._load)

    @work(exclusive=True, group="load")
    async def _load(self) -> None:
        page = await self._feed.page(self._request_id)
        if page.facts is None:
            await self._show_why_not(page)
            return
        self.query_one("#remark", Static).update("")
        before, self._facts = self._facts, page.facts
        self.query_one(PageView).show_lines(decision_page(page.facts))
        self._close_confirmation_if_it_changed(before, page.facts)

    async def _show_why_not(self, page: Page) -> None:
        """Shows no old facts beside a failure, and still which cluster and column this is."""
        self._facts = None
        if self._confirm is not None:
            self._confirm.dismiss(None)
            self._confirm = None
        waiting = await self._feed.waiting()
        self.query_one(PageView).show_lines(
            (place_line(waiting.cluster_name, waiting.trust_column),)
        )
        told = [f" {safe(d.path, 40)}: {safe(d.message, 200)}" for d in page.diagnostics]
        text = Text("\n".join(told or [" The facts cannot be had now."]))
        self.query_one("#remark", Static).update(text)

    def _close_confirmation_if_it_changed(
        self, before: DecisionFacts | None, now: DecisionFacts
    ) -> None:
        if self._confirm is None or before is None:
            return
        moved = _what_moved(before, now)
        if moved:
            self._confirm.dismiss(None)
            self._confirm = None
            self.notify(
                f"Closed, because it changed: {moved}", severity="warning", timeout=10, markup=False
            )

    def action_deny(self) -> None:
        """Asks for the reason; the second key decides."""
        if self._open():
            self.app.push_screen(DenyScreen(), self._denied)

    def _denied(self, reason: str | None) -> None:
        if reason is not None:
            self._decide("deny", reason)

    def action_changes(self) -> None:
        """Asks for words and sends the work back."""
        if self._open():
            self.app.push_screen(
                WordsScreen("Ask for changes: what should be different?"), self._back
            )

    def _back(self, words: str | None) -> None:
        if words is not None:
            self._decide("request_changes", words)

    def action_approve(self) -> None:
        """Asks for the resource's name, then signs."""
        facts = self._open()
        if facts is None:
            return
        if facts.assurance is None:
            self.notify(
                "You have no enrolled human key here, so you can look but not sign. "
                "Run: agentctl init",
                severity="error",
            )
            return
        self._confirm = ConfirmScreen(
            name=resource_name(facts.request),
            verb=facts.request.statement.operation,
            needs_passphrase=self._feed.key_is_locked(),
            arm_s=self._arm_s,
        )
        self.app.push_screen(self._confirm, self._approved)

    def _approved(self, typed: Typed | None) -> None:
        self._confirm = None
        if typed is not None:
            self._decide("approve", None, typed)

    def _open(self) -> DecisionFacts | None:
        facts = self._facts
        if facts is None:
            self.notify("There are no facts to decide by yet.")
            return None
        if facts.standing != "waiting":
            self.notify(f"This request is {facts.standing}; it takes no decision.")
            return None
        return facts

    @work(exclusive=True, group="decide")
    async def _decide(
        self, verdict: Verdict, reason: str | None, typed: Typed | None = None
    ) -> None:
        facts = self._facts
        if facts is None:
            self.notify("The facts are gone, so nothing was signed.", severity="error")
            return
        secret = typed.passphrase if typed is not None else None
        if secret is None and self._feed.key_is_locked():
            asked = WordsScreen("Passphrase of your key, to sign this decision", secret=True)
            secret = await self.app.push_screen_wait(asked)
            if secret is None:
                return
        done = await self._feed.decide(
            facts,
            verdict,
            reason,
            typed_name=typed.name if typed is not None else None,
            passphrase=None if secret is None else secret.__str__,
        )
        if done.ok:
            self.dismiss()
            self.app.notify(safe(done.summary, 200), timeout=8, markup=False)
            return
        for diagnostic in done.diagnostics:
            told = safe(diagnostic.message, 200)
            self.notify(told, severity="error", timeout=12, markup=False)
        self._load()

    @work(exclusive=True, group="next")
    async def action_next(self) -> None:
        """Goes to the next that waits; this one stays undecided."""
        waiting = await self._feed.waiting()
        ids = [row.request_id for row in waiting_rows(waiting.requests, waiting.now)]
        if not ids or ids == [self._request_id]:
            self.notify("Nothing else waits.")
            return
        at = ids.index(self._request_id) if self._request_id in ids else -1
        self._request_id, self._facts = ids[(at + 1) % len(ids)], None
        self.guard.reset()
        self._load()
        self.call_after_refresh(self.guard.drawn)

    def action_help(self) -> None:
        """Says what the lines mean."""
        self.notify(HELP, title="How to read the page", timeout=15, markup=False)

    def action_back(self) -> None:
        """Leaves it undecided."""
        self.dismiss()


def _what_moved(before: DecisionFacts, now: DecisionFacts) -> str:
    moved = []
    if before.request.gate_digest != now.request.gate_digest:
        moved.append("the statement")
    if before.rows_now != now.rows_now:
        moved.append(f"rows {sum(before.rows_now.values())} → {sum(now.rows_now.values())}")
    if before.standing != now.standing:
        moved.append(f"{before.standing} → {now.standing}")
    if before.queries != now.queries:
        moved.append("its readers")
    return ", ".join(moved)
