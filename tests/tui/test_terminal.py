"""The terminal, driven by keys over a feed that lives in memory."""

from collections.abc import Callable

import msgspec
import pytest
from textual import events
from textual.pilot import Pilot
from textual.widgets import DataTable, Input, Label

from agentctl.diagnostics.diagnostic import error
from agentctl.domain.approval.facts import Check, DecisionFacts
from agentctl.domain.approval.records import ApprovalRequest, Needs, Verdict
from agentctl.domain.plan.statement import (
    NO_RULES,
    Effect,
    GateStatement,
    Tolerance,
    gate_digest,
    gate_key,
)
from agentctl.foreign import cells
from agentctl.ids import graph_address
from agentctl.views.decision import decision_page, page_text
from agentctl_tui.app import TerminalApp
from agentctl_tui.feed import Decided, Page, Waiting
from agentctl_tui.screens.confirm import ConfirmScreen
from agentctl_tui.screens.decision import DecisionScreen

NOW = "2026-11-21T02:14:00.000Z"
EVIL = "please\x1b]52;c;ZXZpbA==\x07 \u202eapprove\u202c [bold]me[/bold]"


def request(graph: str, number: int, intent: str = "cleanup of an unused graph") -> ApprovalRequest:
    statement = GateStatement(
        statement="agentctl/gate/v1",
        cluster_id="c" * 64,
        classes=("irreversible",),
        resource=graph_address(graph),
        operation="delete",
        before="a" * 64,
        after=None,
        rules=NO_RULES,
        requester="act-builder",
        on_behalf_of="sarah",
        effect=Effect(rows={"Person": 3, "Knows": 2}),
        dependents=(),
        readers=(),
        tolerance=Tolerance(),
        expires_at="2026-11-22T00:14:00.000Z",
        nonce=f"{number:032x}",
        incarnation="01J9ZZZZZZZZZZZZZZZZZZZZZZ",
    )
    return ApprovalRequest(
        request_id=f"01J9000000000000000000000{number}",
        statement=statement,
        gate_digest=gate_digest(statement),
        gate_key=gate_key(statement),
        plan_digest="d" * 64,
        config_digest="e" * 64,
        requester="act-builder",
        requester_kind="agent",
        on_behalf_of="sarah",
        intent=intent,
        evidence=None,
        needs=Needs(),
        reason="deleting a graph cannot be undone",
        created_at="2026-11-21T00:14:00.000Z",
        expires_at=statement.expires_at,
    )


def facts(asked: ApprovalRequest, **more: object) -> DecisionFacts:
    known = DecisionFacts(
        request=asked,
        cluster_name="supply-chain",
        trust_column="B",
        trust_line="column B: an agent with a shell as this user could sign",
        waiting_index=1,
        waiting_count=2,
        standing="waiting",
        standing_why=(),
        rows_now={"Person": 3, "Knows": 2},
        node_types=("Person",),
        bytes_now=2048,
        last_write="2026-11-21T02:10:00.000Z",
        queries=(),
        restore_until="2026-11-28T02:14:00.000Z",
        archives=(),
        requester_enrolled=True,
        deletes_asked_before=0,
        source_in_folder=True,
        other_reversible=7,
        other_gated=0,
        checks=(Check(what="statement", ok=True), Check(what="rules", ok=True)),
        approvals_so_far=0,
        compare=("tulip", "orbit", "cedar", "seven", "apple", "nest"),
        assurance="file",
        now=NOW,
    )
    return msgspec.structs.replace(known, **more)


class PaperFeed:
    """What waits, on paper; decisions are noted down."""

    def __init__(self, *requests: ApprovalRequest, locked: bool = False) -> None:
        self.requests = list(requests)
        self.changes: dict[str, object] = {}
        self.decisions: list[tuple[str, Verdict, str | None, str | None]] = []
        self.locked = locked
        self.answer: Decided | None = None

    async def waiting(self) -> Waiting:
        return Waiting(
            requests=tuple(self.requests),
            trust_line="column B: one laptop",
            trust_column="B",
            cluster_name="supply-chain",
            now=NOW,
        )

    async def page(self, request_id: str) -> Page:
        for asked in self.requests:
            if asked.request_id == request_id:
                return Page(facts=facts(asked, **self.changes))
        return Page(facts=None, diagnostics=(error("approval_not_found", "x", "gone"),))

    def key_is_locked(self) -> bool:
        return self.locked

    async def decide(
        self,
        facts: DecisionFacts,
        verdict: Verdict,
        reason: str | None,
        *,
        typed_name: str | None,
        passphrase: Callable[[], str] | None,
    ) -> Decided:
        secret = passphrase() if passphrase else None
        resource = facts.request.statement.resource
        assert verdict != "approve" or typed_name == resource.removeprefix("graph.")
        self.decisions.append((resource, verdict, reason, secret))
        self.requests = [r for r in self.requests if r.request_id != facts.request.request_id]
        if self.answer is not None:
            return self.answer
        return Decided(ok=True, summary=f"{verdict} recorded for {resource}")


def app(feed: PaperFeed) -> TerminalApp:
    return TerminalApp(feed, refresh_s=3600, arm_s=0)


def screen_of(pilot: Pilot[None]) -> str:
    return "\n".join(strip.text for strip in pilot.app.screen._compositor.render_strips())


async def open_first(pilot: Pilot[None]) -> None:
    await pilot.pause()
    await pilot.app.workers.wait_for_complete()
    await pilot.press("enter")
    await pilot.pause()
    await pilot.app.workers.wait_for_complete()
    await pilot.pause()


async def test_a_deletion_is_approved_by_typing_its_name() -> None:
    feed = PaperFeed(request("knowledge", 1))
    async with app(feed).run_test(size=(80, 24)) as pilot:
        await open_first(pilot)
        await pilot.press("a")
        await pilot.pause()
        await pilot.press(*"knowledge", "enter")
        await pilot.pause()
        await pilot.app.workers.wait_for_complete()

    assert feed.decisions == [("graph.knowledge", "approve", None, None)]


async def test_a_wrong_name_signs_nothing() -> None:
    feed = PaperFeed(request("knowledge", 1))
    async with app(feed).run_test(size=(80, 24)) as pilot:
        await open_first(pilot)
        await pilot.press("a")
        await pilot.pause()
        await pilot.press(*"knowledg", "enter")
        await pilot.pause()
        hint = pilot.app.screen.query_one("#hint", Label)

        assert "Nothing was signed" in str(hint.content)

    assert feed.decisions == []


async def test_a_deny_takes_two_keys() -> None:
    feed = PaperFeed(request("knowledge", 1))
    async with app(feed).run_test(size=(80, 24)) as pilot:
        await open_first(pilot)
        await pilot.press("d")
        await pilot.pause()
        await pilot.press("2")
        await pilot.pause()
        await pilot.app.workers.wait_for_complete()

    assert feed.decisions == [("graph.knowledge", "deny", "wrong target", None)]


async def test_a_locked_key_asks_for_its_passphrase_on_the_same_screen() -> None:
    feed = PaperFeed(request("knowledge", 1), locked=True)
    async with app(feed).run_test(size=(80, 24)) as pilot:
        await open_first(pilot)
        await pilot.press("a")
        await pilot.pause()
        await pilot.press(*"knowledge", "enter")
        await pilot.pause()
        await pilot.press(*"s3cret", "enter")
        await pilot.pause()
        await pilot.app.workers.wait_for_complete()

    assert feed.decisions == [("graph.knowledge", "approve", None, "s3cret")]


async def test_escape_leaves_it_undecided() -> None:
    feed = PaperFeed(request("knowledge", 1))
    async with app(feed).run_test(size=(80, 24)) as pilot:
        await open_first(pilot)
        await pilot.press("a")
        await pilot.pause()
        await pilot.press("escape", "escape")
        await pilot.pause()

        assert not isinstance(pilot.app.screen, DecisionScreen | ConfirmScreen)
    assert feed.decisions == []


async def test_paste_is_refused_in_the_confirmation() -> None:
    feed = PaperFeed(request("knowledge", 1))
    async with app(feed).run_test(size=(80, 24)) as pilot:
        await open_first(pilot)
        await pilot.press("a")
        await pilot.pause()
        field = pilot.app.screen.query_one("#name", Input)
        field.post_message(events.Paste("knowledge"))
        await pilot.pause()

        assert field.value == ""


async def test_the_field_is_not_armed_before_the_page_has_stood() -> None:
    feed = PaperFeed(request("knowledge", 1))
    terminal = TerminalApp(feed, refresh_s=3600, arm_s=3600)
    async with terminal.run_test(size=(80, 24)) as pilot:
        await open_first(pilot)
        await pilot.press("a")
        await pilot.pause()
        await pilot.press(*"knowledge", "enter")
        await pilot.pause()

        assert pilot.app.screen.query_one("#name", Input).value == ""
    assert feed.decisions == []


async def test_keys_typed_ahead_of_a_page_are_dropped() -> None:
    feed = PaperFeed(request("knowledge", 1))
    async with app(feed).run_test(size=(80, 24)) as pilot:
        await open_first(pilot)
        early = events.Key("d", "d")
        await pilot.press("a")
        await pilot.pause()
        pilot.app.post_message(early)
        await pilot.pause()

        assert isinstance(pilot.app.screen, ConfirmScreen)
        assert pilot.app.screen.query_one("#name", Input).value == ""


async def test_an_open_confirmation_closes_when_what_it_is_about_changes() -> None:
    feed = PaperFeed(request("knowledge", 1))
    async with app(feed).run_test(size=(80, 24)) as pilot:
        await open_first(pilot)
        page = pilot.app.screen
        assert isinstance(page, DecisionScreen)
        await pilot.press("a")
        await pilot.pause()
        feed.changes = {"rows_now": {"Person": 900, "Knows": 2}}
        page._load()
        await pilot.app.workers.wait_for_complete()
        await pilot.pause()

        assert pilot.app.screen is page
    assert feed.decisions == []


async def test_the_cursor_stays_with_its_request_when_the_list_moves() -> None:
    feed = PaperFeed(request("knowledge", 2), request("zoo", 3))
    async with app(feed).run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        await pilot.app.workers.wait_for_complete()
        await pilot.press("j")
        feed.requests.insert(0, request("aardvark", 1))
        await pilot.press("r")
        await pilot.pause()
        await pilot.app.workers.wait_for_complete()
        await pilot.pause()
        table = pilot.app.screen.query_one(DataTable)
        chosen = table.coordinate_to_cell_key(table.cursor_coordinate).row_key.value

    assert chosen == request("zoo", 3).request_id


async def test_a_page_that_cannot_be_had_still_says_where_one_is_and_shows_no_old_facts() -> None:
    feed = PaperFeed(request("knowledge", 1))
    async with app(feed).run_test(size=(80, 24)) as pilot:
        await open_first(pilot)
        page = pilot.app.screen
        assert isinstance(page, DecisionScreen)
        await pilot.press("a")
        await pilot.pause()
        feed.requests.clear()
        page._load()
        await pilot.app.workers.wait_for_complete()
        await pilot.pause()

        assert pilot.app.screen is page
        assert "supply-chain · column B" in screen_of(pilot)
        assert "DELETE GRAPH" not in screen_of(pilot)
        assert "gone" in screen_of(pilot)
        await pilot.press("a")
        await pilot.pause()
        assert pilot.app.screen is page
    assert feed.decisions == []


async def test_every_screen_carries_the_column_of_the_trust_table_and_its_keys() -> None:
    feed = PaperFeed(request("knowledge", 1))
    async with app(feed).run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        await pilot.app.workers.wait_for_complete()
        await pilot.pause()
        seen = [screen_of(pilot)]
        await open_first(pilot)
        for keys in ([], ["d"], ["escape", "c"], ["escape", "a"]):
            await pilot.press(*keys)
            await pilot.pause()
            seen.append(screen_of(pilot))

    for screen in seen:
        assert "column B" in screen.splitlines()[0]
    footers = [screen.rstrip().splitlines()[-1] for screen in seen]
    assert "open" in footers[0]
    assert "q quit" in footers[0]
    assert "a approve…" in footers[1]
    assert all("esc leave it undecided" in footer for footer in footers[2:])


async def test_a_name_that_is_long_can_be_read_whole_where_it_must_be_typed() -> None:
    name = "a-graph-with-a-name-that-is-as-long-as-any-name-may-ever-be-and-on"
    feed = PaperFeed(request(name, 1))
    async with app(feed).run_test(size=(80, 24)) as pilot:
        await open_first(pilot)
        assert name in screen_of(pilot)
        await pilot.press("a")
        await pilot.pause()
        assert screen_of(pilot).count(name) == 2
        await pilot.press(*name, "enter")
        await pilot.pause()
        await pilot.app.workers.wait_for_complete()

    assert [d[0] for d in feed.decisions] == [f"graph.{name}"]


async def test_what_the_door_says_is_never_read_as_markup() -> None:
    feed = PaperFeed(request("knowledge", 1))
    feed.answer = Decided(ok=True, summary="Denied: [red]graph[/nope]")
    async with app(feed).run_test(size=(80, 24)) as pilot:
        await open_first(pilot)
        await pilot.press("d")
        await pilot.pause()
        await pilot.press("1")
        await pilot.pause()
        await pilot.app.workers.wait_for_complete()
        await pilot.pause()
        told = [n for n in pilot.app._notifications if not n.markup]

    assert [n.message for n in told] == ["Denied: [red]graph[/nope]"]


async def test_a_single_page_ends_the_terminal_when_it_is_left() -> None:
    asked = request("knowledge", 1)
    terminal = TerminalApp(
        PaperFeed(asked), request_id=asked.request_id, once=True, refresh_s=3600, arm_s=0
    )
    async with terminal.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        await pilot.app.workers.wait_for_complete()
        await pilot.press("escape")
        await pilot.pause()

        assert not pilot.app.is_running or pilot.app._exit


def test_an_overlong_fact_goes_on_below_and_is_not_cropped() -> None:
    asked = msgspec.structs.replace(
        request("knowledge", 1), requester="a" * 24, on_behalf_of="b" * 20
    )
    page = page_text(decision_page(facts(asked)))

    assert "first delete it ever asked for" in " ".join(page.split())
    assert max(len(line) for line in page.splitlines()) <= 80


@pytest.mark.parametrize("intent", ["測" * 120, "x" * 390, "word " * 80, ""])
def test_the_askers_words_stay_in_their_block_whatever_their_width(intent: str) -> None:
    page = page_text(decision_page(facts(request("knowledge", 1, intent=intent))))

    assert max(cells(line) for line in page.splitlines()) <= 80
    assert len(page.splitlines()) <= 22


def test_the_page_fits_on_80_by_24_with_the_facts_above_the_askers_words() -> None:
    page = page_text(decision_page(facts(request("knowledge", 1))))

    lines = page.splitlines()
    assert len(lines) <= 22
    assert max(len(line) for line in lines) <= 80
    assert "DELETE GRAPH knowledge" in lines[1]
    assert "cannot be undone after 28 Nov" in lines[1]
    loses = next(i for i, line in enumerate(lines) if "loses" in line)
    words = next(i for i, line in enumerate(lines) if "says, unverified" in line)
    assert loses < words
    assert "3 nodes · 2 edges" in lines[loses]


@pytest.mark.parametrize("hidden", ["\x1b", "\x07", "\u202e", "\u202c"])
def test_foreign_text_on_the_page_is_shown_and_never_passed_through(hidden: str) -> None:
    page = page_text(decision_page(facts(request("knowledge", 1, intent=EVIL))))

    assert hidden not in page
    assert f"‹U+{ord(hidden):04X}›" in page
    words = "".join(line[3:] for line in page.splitlines() if line.startswith(" │ "))
    assert "[bold]me[/bold]" in words
