"""What the loop does with a model that errs, repeats itself, refuses, or costs too much. In memory."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio
import pytest

from agentctl.faces.agent.anthropic_model import AnthropicModel
from agentctl.faces.agent.budget import Budget, Price
from agentctl.faces.agent.conversation import system_prompt
from agentctl.faces.agent.lines import Ended, Fault, Turn
from agentctl.faces.agent.loop import ATTEMPTS_MAX, REPLY_TOKENS_MAX
from agentctl.faces.agent.running import begin, header_of, resume
from agentctl.faces.agent.session import DivergedError
from agentctl.faces.mcp_client.steady import ServerLostError
from agentctl.testing.scripted_model import Fails, Lost, Says, ScriptedApi, results
from tests.agent.loop_rig import (
    ASKED,
    REQUEST,
    TOOLS,
    Answers,
    Pages,
    asked_by_us,
    ran,
    replayed,
    run_of,
    standing,
)

FROZEN = Path(__file__).parent / "session-format-1.jsonl"


async def test_the_model_gets_the_prompts_the_tools_and_the_whole_conversation_each_time() -> None:
    acts = (Says(text="I look.", calls=(("status", {}),)), Says(text="All is well."))

    ended, _, api = await ran(acts, Answers(status={"ok": True, "summary": "fine"}))

    assert ended == Ended(why="done")
    first, second = api.bodies
    assert first["system"][0]["text"] == system_prompt()
    assert [t["name"] for t in first["tools"]] == ["status"]
    assert "thread" not in first
    assert [m["role"] for m in second["messages"]] == ["user", "assistant", "user"]
    assert second["messages"][0]["content"][0]["text"] == "the goal"
    assert results(second) == [{"ok": True, "summary": "fine"}]
    use = second["messages"][1]["content"][1]
    assert second["messages"][2]["content"][0]["tool_use_id"] == use["id"]


async def test_a_call_with_the_same_answer_is_told_so_and_ended_when_it_goes_on() -> None:
    acts = [Says(calls=(("status", {}),)) for _ in range(6)]

    ended, pages, api = await ran(acts, Answers(status={"ok": True}))

    assert ended == Ended(why="loop")
    assert [t.split("`")[1] for t in asked_by_us(pages)] == ["status"] * 3
    assert api.left == 0


async def test_a_call_whose_answer_changes_is_no_loop() -> None:
    acts = [*(Says(calls=(("status", {}),)) for _ in range(7)), Says(text="done")]
    answers = [{"ok": True, "seq": n} for n in range(7)]

    ended, pages, _ = await ran(acts, Answers(status=answers))

    assert ended == Ended(why="done")
    assert asked_by_us(pages) == []


async def test_arguments_that_nobody_can_read_are_not_sent_and_end_it_when_it_goes_on() -> None:
    bad = [Says(calls=(("status", text),)) for text in ('{"a":', "[1]", '"x"', "7", "{]", "nul")]
    server = Answers(status={"ok": True})

    ended, _, api = await ran(bad, server)

    assert ended == Ended(why="loop")
    assert server.calls == []
    assert "no whole JSON object" in results(api.bodies[1])[0]


async def test_a_refusal_ends_it_and_nothing_of_that_reply_is_done() -> None:
    server = Answers(status={"ok": True})
    refuses = Says(text="I will not.", calls=(("status", {}),), stop="refusal")

    ended, _, _ = await ran((refuses,), server)

    assert ended == Ended(why="refusal")
    assert server.calls == []


@pytest.mark.parametrize(
    ("budget", "price", "which"),
    [
        (Budget(turns=2), None, "turns"),
        (Budget(tokens=240), None, "tokens"),
        (Budget(cost=0.001), Price(input=3, output=15), "cost"),
    ],
)
async def test_a_bound_that_is_reached_ends_it_and_what_was_called_for_is_done(
    budget: Budget, price: Price | None, which: str
) -> None:
    acts = [Says(calls=(("status", {"turn": n}),)) for n in range(2)]
    server = Answers(status={"ok": True})

    ended, _, api = await ran(acts, server, budget=budget, price=price)

    assert ended == Ended(why="budget", budget=which)  # type: ignore[arg-type]  # a parameter
    assert len(server.calls) == 2
    assert api.left == 0


async def test_no_reply_may_be_longer_than_what_is_left_of_the_tokens() -> None:
    acts = (Says(calls=(("status", {}),)), Says(text="done"))

    _, _, api = await ran(acts, Answers(status={"ok": True}), budget=Budget(tokens=1000))

    assert [body["max_tokens"] for body in api.bodies] == [1000, 880]
    assert REPLY_TOKENS_MAX > 1000


async def test_when_the_minutes_are_over_it_ends_and_the_replay_ends_there_too() -> None:
    ended, pages, _ = await ran((Lost(), Says(text="late")), Answers(), minutes=0.001)

    assert ended == Ended(why="budget", budget="minutes")
    assert (await replayed(pages, Answers())).lines == pages.lines


async def test_an_overloaded_api_is_asked_again_a_few_times_and_no_more() -> None:
    acts = [Fails(status=529, kind="overloaded_error") for _ in range(ATTEMPTS_MAX)]

    ended, pages, api = await ran(acts, Answers())

    assert ended == Ended(why="model_unavailable")
    assert api.left == 0
    faults = [f for f in pages.recorded().lines if isinstance(f, Fault)]
    assert [f.attempt for f in faults] == list(range(1, ATTEMPTS_MAX + 1))
    assert faults[-1].retry_in_s is None


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413])
async def test_what_the_api_does_not_take_is_not_sent_again(status: int) -> None:
    ended, _, api = await ran((Fails(status=status, kind="invalid_request_error"),), Answers())

    assert ended == Ended(why="model_unavailable")
    assert len(api.bodies) == 1


async def test_a_reply_that_broke_off_counts_with_what_it_used_and_none_of_it_is_done() -> None:
    acts = (Says(calls=(("status", {}),), cut_after=4, tokens=(500, 9)), Says(text="done"))
    server = Answers(status={"ok": True})

    ended, pages, _ = await ran(acts, server)

    assert ended == Ended(why="done")
    assert server.calls == []
    (fault,) = [f for f in pages.recorded().lines if isinstance(f, Fault)]
    assert (fault.kind, fault.usage.input) == ("cut", 500)


async def test_an_error_in_the_stream_is_told_by_its_kind_and_its_words_are_not_kept() -> None:
    acts = (Says(text="half a", error_after=3), Says(text="done"))

    ended, pages, _ = await ran(acts, Answers())

    assert ended == Ended(why="done")
    (fault,) = [f for f in pages.recorded().lines if isinstance(f, Fault)]
    assert (fault.kind, fault.status, fault.usage.input) == ("overloaded", None, 100)
    assert b"busy" not in b"".join(pages.lines)


async def test_the_key_goes_into_the_header_of_the_request_and_nowhere_else() -> None:
    _, pages, api = await ran((Says(text="done"),), Answers())

    assert [h["authorization"] for h in api.headers] == [f"Bearer {'k' * 20}"]
    assert "k" * 20 not in str(api.bodies)
    assert b"k" * 20 not in b"".join(pages.lines)


async def test_a_session_of_the_first_format_still_replays_byte_for_byte() -> None:
    """The file is frozen: a release reads all numbers up to its own. Source: control-plane 3.8."""
    pages = Pages()
    for line in FROZEN.read_bytes().splitlines():
        pages.append(line)
    digest = {"ok": True, "data": {"plan_id": "5" * 64, "at": "2027-01-01T00:00:00.000Z"}}
    server = Answers(status={"ok": True}, plan=digest, approve=ASKED)

    again = await replayed(pages, server)

    assert again.lines == pages.lines
    assert again.recorded().lines[-1] == Ended(why="waiting")


async def test_a_reply_that_was_too_long_goes_on_in_smaller_steps() -> None:
    acts = (Says(text="long " * 9, stop="max_tokens"), Says(text="done"))

    ended, pages, _ = await ran(acts, Answers())

    assert ended == Ended(why="done")
    assert "smaller steps" in asked_by_us(pages)[0]


async def test_a_block_that_is_none_of_ours_goes_back_as_it_came() -> None:
    thinking = {"type": "thinking", "thinking": "hm", "signature": "c2ln"}
    acts = (Says(opaque=thinking, calls=(("status", {}),)), Says(text="done"))

    _, _, api = await ran(acts, Answers(status={"ok": True}))

    assert api.bodies[1]["messages"][1]["content"][0] == thinking


async def test_it_sleeps_when_its_turn_ends_with_an_open_request() -> None:
    acts = (Says(calls=(("approve", {"gate": "graph.old"}),)), Says(text="I wait."))

    ended, _, _ = await ran(acts, Answers(approve=ASKED))

    assert ended == Ended(why="waiting")


async def test_it_never_polls_a_wait_that_nobody_answered_puts_it_to_sleep() -> None:
    acts = (
        Says(calls=(("approve", {"gate": "graph.old"}),)),
        Says(calls=(("approval_wait", {"id": REQUEST}), ("status", {}))),
    )
    server = Answers(approve=ASKED, approval_wait=standing("waiting"), status={"ok": True})

    ended, _, api = await ran(acts, server)

    assert ended == Ended(why="waiting")
    assert [tool for tool, _ in server.calls] == ["approve", "approval_wait", "status"]
    assert api.left == 0


async def test_a_server_that_goes_away_ends_it_and_a_replay_makes_no_such_call() -> None:
    acts = (Says(calls=(("status", {}), ("apply", {}))),)
    server = Answers(status={"ok": True}, apply=ServerLostError())

    ended, pages, _ = await ran(acts, server)
    whole = Answers(status={"ok": True}, apply={"ok": True})
    again = await replayed(pages, whole)

    assert ended == Ended(why="tools_lost")
    assert again.lines == pages.lines
    assert [tool for tool, _ in whole.calls] == ["status"]


async def test_what_was_not_answered_is_told_to_the_model_when_it_goes_on() -> None:
    acts = (Says(calls=(("status", {}), ("apply", {}))),)
    _, pages, _ = await ran(acts, Answers(status={"ok": True}, apply=ServerLostError()))
    recorded = pages.recorded()
    api = ScriptedApi((Says(text="I looked."),))
    deadline = anyio.current_time() + 60
    model = AnthropicModel("m", api_key="k" * 20, deadline=deadline, http_client=api.client())
    run = run_of(pages, model, Answers())
    run.session.restore(recorded.lines)

    ended = await resume(run)

    assert ended == Ended(why="done")
    assert "not known" in results(api.bodies[0])[1]
    last = api.bodies[0]["messages"][-1]["content"][-1]["text"]
    assert "broken off" in last


async def test_who_cancels_it_finds_a_session_that_can_go_on() -> None:
    hangs = anyio.Event()

    class Hanging(Answers):
        async def call(self, tool: str, arguments: Mapping[str, object]) -> tuple[bool, object]:
            hangs.set()
            await anyio.sleep_forever()
            return await super().call(tool, arguments)

    api, pages = ScriptedApi((Says(calls=(("status", {}),)),)), Pages()
    deadline = anyio.current_time() + 60
    model = AnthropicModel("m", api_key="k" * 20, deadline=deadline, http_client=api.client())
    run = run_of(pages, model, Hanging())
    header = header_of("m", "agent:x", TOOLS, run.budget)

    with anyio.fail_after(30):
        async with anyio.create_task_group() as group:
            group.start_soon(begin, run, header, "the goal")
            await hangs.wait()
            group.cancel_scope.cancel()

    assert pages.recorded().lines[-1] == Ended(why="interrupted")


async def test_a_replay_stops_at_the_first_answer_that_is_another() -> None:
    acts = (Says(calls=(("status", {}),)), Says(calls=(("plan", {}),)), Says(text="done"))
    _, pages, _ = await ran(acts, Answers(status={"ok": True, "seq": 1}, plan={"ok": True}))
    other = Answers(status={"ok": True, "seq": 2}, plan={"ok": True})

    with pytest.raises(DivergedError, match="line 4 differs at /result/seq"):
        await replayed(pages, other)

    assert [tool for tool, _ in other.calls] == ["status"]


async def test_ids_that_differ_from_world_to_world_make_no_difference() -> None:
    def plan_of(digit: str) -> dict[str, object]:
        return {
            "ok": True,
            "data": {"plan_id": digit * 64, "at": f"2026-11-2{digit}T00:00:00.000Z"},
        }

    def applies(body: dict[str, Any]) -> Says:
        return Says(calls=(("apply", {"plan_id": results(body)[0]["data"]["plan_id"]}),))

    acts = (Says(calls=(("plan", {}),)), applies, Says(text=f"Applied {'1' * 64}."))
    _, pages, _ = await ran(acts, Answers(plan=plan_of("1"), apply={"ok": True}))
    other = Answers(plan=plan_of("2"), apply={"ok": True})

    again = await replayed(pages, other)

    assert again.lines == pages.lines
    assert other.calls[1] == ("apply", {"plan_id": "2" * 64})
    turns = [t for t in pages.recorded().lines if isinstance(t, Turn)]
    assert turns[-1].words() == "Applied ${digest_1}."
