"""A replay against a server on paper: when it goes on, and when it ends as diverged."""

from collections.abc import Mapping

import msgspec

from agentctl_evals.replay import Played, replay
from agentctl_evals.tape import Expectation, Header, Step, Tape, ToolCall

HEADER = Header(format=1, agentctl="0.1.0", provenance="scripted", principal="agent")


class PaperServer:
    """Answers what it is told to, and notes what it was asked."""

    def __init__(self, *answers: tuple[bool, object]) -> None:
        self._answers = list(answers)
        self.asked: list[tuple[str, Mapping[str, object]]] = []

    async def call(self, tool: str, arguments: Mapping[str, object]) -> tuple[bool, object]:
        self.asked.append((tool, arguments))
        return self._answers[len(self.asked) - 1]


def tape(*steps: Step) -> Tape:
    return Tape(header=HEADER, steps=steps)


def step(n: int, *, arguments: object = None, **more: object) -> Step:
    call = ToolCall(tool="plan", arguments=arguments or {})  # type: ignore[arg-type]
    return msgspec.structs.replace(Step(n=n, call=call), **more)


OK = Expectation(is_error=False, has={"/ok": True})


async def test_what_was_saved_is_used_by_the_next_call() -> None:
    server = PaperServer((False, {"ok": True, "data": {"id": "01J9"}}), (False, {"ok": True}))
    session = tape(
        step(1, expect=OK, save={"id": "/data/id"}), step(2, arguments={"in": "${id}"}, expect=OK)
    )

    ended = await replay(session, server)

    assert ended.ended == "complete"
    assert server.asked[1] == ("plan", {"in": "01J9"})


async def test_a_result_that_differs_ends_it_and_names_the_difference() -> None:
    server = PaperServer((False, {"ok": False}), (False, {"ok": True}))

    ended = await replay(tape(step(1, expect=OK), step(2)), server)

    assert ended.ended == "diverged"
    assert ended.difference == "step 1 (plan): /ok is False, expected True"
    assert len(server.asked) == 1


async def test_an_unexpected_error_or_a_missing_value_ends_it() -> None:
    erring = await replay(tape(step(1, expect=OK)), PaperServer((True, {"ok": True})))
    lacking = await replay(tape(step(1, expect=OK)), PaperServer((False, {})))

    assert "is_error is True" in str(erring.difference)
    assert "nothing at /ok" in str(lacking.difference)


async def test_where_only_the_end_counts_a_difference_does_not_end_it() -> None:
    server = PaperServer((True, {"ok": False}), (False, {"ok": True}))

    ended = await replay(tape(step(1, expect=OK), step(2)), server, mode="outcome")

    assert ended.ended == "complete"
    assert len(server.asked) == 2


async def test_a_name_that_nothing_saved_ends_it_in_either_mode() -> None:
    session = tape(step(1, save={"id": "/data/id"}), step(2, arguments={"in": "${id}"}))

    for mode in ("strict", "outcome"):
        ended = await replay(session, PaperServer((True, {"data": None})), mode=mode)
        assert ended.ended == "diverged"


async def test_the_simulated_human_is_told_of_every_call() -> None:
    told: list[int] = []

    async def after(played: Played) -> None:
        told.append(played.step.n)

    await replay(tape(step(1), step(2)), PaperServer((False, {}), (False, {})), after_call=after)

    assert told == [1, 2]
