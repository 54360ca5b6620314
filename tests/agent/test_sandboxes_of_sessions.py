"""A session tries in a sandbox of its own: opened first, told, kept over a sleep, closed at the end."""

from typing import Any

import anyio
import pytest

from agentctl.faces.agent.anthropic_model import AnthropicModel
from agentctl.faces.agent.lines import Ended
from agentctl.faces.agent.running import resume
from agentctl.faces.agent.trying import own_sandbox
from agentctl.faces.mcp_client.steady import ServerLostError
from agentctl.testing.scripted_model import Play, Says, ScriptedApi
from agentctl_evals.tape import Step
from tests.agent.loop_rig import (
    ASKED,
    REQUEST,
    Answers,
    Pages,
    asked_by_us,
    ran,
    replayed,
    run_of,
    standing,
)

BOX = "sandbox:01M811502BKP5APHV4B0CD34XG"
OTHER = "sandbox:01M811502BKP5APHV4B0CD34XH"
REFUSED: dict[str, object] = {
    "ok": False,
    "summary": "Refused: sandbox_over_quota.",
    "diagnostics": [{"code": "sandbox_over_quota", "message": "there are 5 open already"}],
}
GONE: dict[str, object] = {"ok": False, "summary": "Refused: sandbox_not_found."}
FINE: dict[str, object] = {"ok": True, "summary": "Fine."}


def opened(sandbox: str = BOX) -> dict[str, object]:
    return {"ok": True, "summary": "Open.", "data": {"sandbox": sandbox}}


def tools_of(server: Answers) -> list[str]:
    return [tool for tool, _ in server.calls]


async def resumed(pages: Pages, server: Answers, *acts: Play) -> tuple[Ended, ScriptedApi]:
    recorded, api = pages.recorded(), ScriptedApi(acts)
    deadline = anyio.current_time() + 60
    model = AnthropicModel("m", api_key="k" * 20, deadline=deadline, http_client=api.client())
    run = run_of(pages, model, server, sandbox="closed")
    run.session.names.learn(pages.values)
    run.session.restore(recorded.lines)
    return await resume(run), api


async def test_a_session_opens_a_sandbox_first_tells_the_model_and_closes_it_at_the_end() -> None:
    acts = (Says(calls=(("plan", {"in": BOX}),)), Says(text="Tried, and done."))
    server = Answers(sandbox_open=opened(), plan=FINE, sandbox_close=FINE)

    ended, pages, api = await ran(acts, server, sandbox="closed")

    assert ended == Ended(why="done")
    assert server.calls == [
        ("sandbox_open", {"purpose": "the goal"}),
        ("plan", {"in": BOX}),
        ("sandbox_close", {"in": BOX}),
    ]
    (first,) = api.bodies[0]["messages"]
    assert [block["text"].split("\n")[0] for block in first["content"]] == [
        "the goal",
        f"You have your own copy of the whole cluster for this session: `{BOX}`.",
    ]
    assert BOX.replace("sandbox:", "draft:") in first["content"][1]["text"]
    steps = [line for line in pages.recorded().lines if isinstance(line, Step)]
    assert [step.by for step in steps] == ["agentctl", "model", "agentctl"]
    assert BOX.split(":")[1].encode() not in b"".join(pages.lines)


async def test_such_a_session_replays_byte_for_byte_in_a_world_with_another_sandbox() -> None:
    acts = (Says(calls=(("plan", {"in": BOX}),)), Says(text="done"))
    answers = {"plan": FINE, "sandbox_close": FINE}
    _, pages, _ = await ran(acts, Answers(sandbox_open=opened(), **answers), sandbox="closed")
    other = Answers(sandbox_open=opened(OTHER), **answers)

    again = await replayed(pages, other)

    assert again.lines == pages.lines
    assert [arguments.get("in") for _, arguments in other.calls] == [None, OTHER, OTHER]


@pytest.mark.parametrize("why", [REFUSED, {"ok": False, "summary": "no graphs are installed"}])
async def test_without_a_sandbox_it_goes_on_and_the_model_is_told_why(why: Any) -> None:
    server = Answers(sandbox_open=why)

    ended, pages, _ = await ran((Says(text="done"),), server, sandbox="closed")
    again = Answers(sandbox_open=why)

    assert ended == Ended(why="done")
    assert tools_of(server) == ["sandbox_open"]
    (told,) = asked_by_us(pages)
    assert told.startswith("There is no sandbox for this session: ")
    assert ("5 open already" in told) or ("no graphs" in told)
    assert (await replayed(pages, again)).lines == pages.lines


async def test_a_session_that_is_to_have_none_opens_none() -> None:
    server = Answers(sandbox_open=opened())

    await ran((Says(text="done"),), server, sandbox="none")

    assert server.calls == []


async def test_one_that_keeps_its_sandbox_leaves_it_open() -> None:
    server = Answers(sandbox_open=opened())

    _, pages, _ = await ran((Says(text="done"),), server, sandbox="kept")

    assert tools_of(server) == ["sandbox_open"]
    assert own_sandbox(pages.recorded().lines) == "sandbox:${id_1}"


async def test_a_sandbox_that_the_model_closed_is_not_closed_again() -> None:
    acts = (Says(calls=(("sandbox_close", {"in": BOX}),)), Says(text="done"))
    server = Answers(sandbox_open=opened(), sandbox_close=FINE)

    await ran(acts, server, sandbox="closed")

    assert tools_of(server) == ["sandbox_open", "sandbox_close"]


async def test_a_session_that_sleeps_leaves_it_open_and_goes_on_in_it() -> None:
    acts = (Says(calls=(("approve", {"gate": "graph.old"}),)), Says(text="I wait."))
    server = Answers(sandbox_open=opened(), approve=ASKED)
    slept, pages, _ = await ran(acts, server, sandbox="closed")
    awake = Answers(approval_wait=standing("approved"), config_read=FINE, sandbox_close=FINE)

    ended, _ = await resumed(pages, awake, Says(text="done"))

    assert (slept.why, ended.why) == ("waiting", "done")
    assert tools_of(server) == ["sandbox_open", "approve"]
    assert awake.calls == [
        ("approval_wait", {"id": REQUEST, "timeout_s": 0}),
        ("config_read", {"in": BOX}),
        ("sandbox_close", {"in": BOX}),
    ]


async def test_where_it_is_gone_meanwhile_another_is_opened_and_the_model_is_told() -> None:
    acts = (Says(calls=(("approve", {"gate": "graph.old"}),)), Says(text="I wait."))
    _, pages, _ = await ran(acts, Answers(sandbox_open=opened(), approve=ASKED), sandbox="closed")
    awake = Answers(
        approval_wait=standing("approved"),
        config_read=GONE,
        sandbox_open=opened(OTHER),
        sandbox_close=FINE,
    )

    _, api = await resumed(pages, awake, Says(text="done"))

    last = api.bodies[0]["messages"][-1]["content"][-1]["text"]
    assert f"Your sandbox `{BOX}` is gone" in last
    assert f"for this session: `{OTHER}`" in last
    assert awake.calls[-1] == ("sandbox_close", {"in": OTHER})


async def test_one_that_could_not_be_opened_is_not_asked_for_again() -> None:
    acts = (Says(calls=(("approve", {"gate": "graph.old"}),)), Says(text="I wait."))
    _, pages, _ = await ran(acts, Answers(sandbox_open=REFUSED, approve=ASKED), sandbox="closed")
    awake = Answers(approval_wait=standing("denied"))

    ended, _ = await resumed(pages, awake, Says(text="done"))

    assert ended.why == "done"
    assert tools_of(awake) == ["approval_wait"]


async def test_a_server_that_dies_while_it_opens_ends_it_and_it_can_go_on_with_one() -> None:
    lost, pages, _ = await ran((), Answers(sandbox_open=ServerLostError()), sandbox="closed")
    awake = Answers(sandbox_open=opened(), sandbox_close=FINE)

    ended, api = await resumed(pages, awake, Says(text="done"))

    assert (lost.why, ended.why) == ("tools_lost", "done")
    assert f"`{BOX}`" in api.bodies[0]["messages"][-1]["content"][-1]["text"]


async def test_a_server_that_dies_while_it_closes_takes_nothing_from_what_was_reached() -> None:
    server = Answers(sandbox_open=opened(), sandbox_close=ServerLostError())

    ended, pages, _ = await ran((Says(text="done"),), server, sandbox="closed")
    again = Answers(sandbox_open=opened(OTHER), sandbox_close=FINE)

    assert ended == Ended(why="done")
    assert (await replayed(pages, again)).lines == pages.lines
    assert tools_of(again) == ["sandbox_open"]
