"""The demo, stage by stage: every line that it prints is made from what a call answered."""

import shlex
import shutil
from collections.abc import Awaitable, Callable, Mapping, Sequence
from importlib.resources import as_file, files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from agentctl.views.decision import safe
from agentctl.views.ops_log import ops_log
from agentctl_evals.demo.environment import module_lines, most_needed, supply_lines
from agentctl_evals.host import Host, Operator
from agentctl_evals.replay import Played, replay
from agentctl_evals.tape import Tape, point, read_tape
from agentctl_tools.operation import Envelope
from agentctl_tools.ops import OpList

Say = Callable[[str], None]
Decide = Callable[[str], Awaitable[str]]
"""Gets a human's decision on the request of that id, on whatever the person looks at; returns how
the request stands then."""
NOT_DECIDED: Final = {
    "waiting": "You left the request undecided, so nothing was removed and it goes on waiting.",
    "denied": "You denied it, so the graph modules stays as it is.",
    "changes_requested": "You sent it back, so the graph modules stays until the agent asks anew.",
}
ROWS_SHOWN_MAX: Final = 12
VALUE_CHARACTERS_MAX: Final = 40


class DemoError(Exception):
    """A stage of the demo did not end as it must."""


async def run_demo(folder: Path, *, host: Host, decide: Decide, say: Say) -> None:
    """Runs the whole demo in *folder*, which is empty or new.

    Args:
        folder: where the cluster is written.
        host: makes and opens clusters.
        decide: asks the human; returns when the person is done with it.
        say: prints one line.

    Raises:
        DemoError: a stage did not end as it must.
    """
    say(f"1. A cluster, in {folder}")
    with as_file(files("agentctl_evals.demo").joinpath("cluster")) as cluster:
        shutil.copytree(cluster, folder, dirs_exist_ok=True)
    await host.prepare(folder)
    async with host.operator(folder) as operator:
        applied = _must(await operator.call("apply", {"intent": "the demo's cluster"}))
        say(f"   {applied.summary}")
        await _fill(operator, say)
    say("2. An agent works over MCP, in a draft; nothing of it is scripted output")
    async with host.agent(folder) as agent:
        narrator = _Narrator(say, decide)
        ended = await replay(
            _session(), agent, names={"package": most_needed()}, after_call=narrator.tell
        )
    if ended.ended != "complete":
        msg = f"{ended.difference}\n{_look(folder)}"
        raise DemoError(msg)
    async with host.operator(folder) as operator:
        await _close(operator, folder, say)


def _session() -> Tape:
    resource = files("agentctl_evals.demo").joinpath("session.jsonl")
    tape, problems = read_tape(resource.read_bytes(), file="session.jsonl")
    assert tape is not None, problems
    return tape


def _must(result: Envelope) -> Envelope:
    if not result.ok:
        told = "; ".join(d.message for d in result.diagnostics)
        msg = f"{result.summary}: {told}"
        raise DemoError(msg)
    return result


async def _fill(operator: Operator, say: Say) -> None:
    for graph, lines in (("supply", supply_lines()), ("modules", module_lines())):
        await _load(operator, graph, lines)
        say(f"   graph {graph}: {len(lines)} rows from this Python environment")


async def _load(operator: Operator, graph: str, lines: Sequence[bytes]) -> None:
    with TemporaryDirectory() as scratch:
        path = Path(scratch) / f"{graph}.ndjson"
        path.write_bytes(b"\n".join(lines) + b"\n")
        arguments = {
            "graph": graph,
            "file": str(path),
            "mode": "append",
            "intent": f"fill {graph} from this Python environment",
        }
        _must(await operator.call("load", arguments))


class _Narrator:
    """Tells each call as it ends, and brings the human in when the agent has asked."""

    def __init__(self, say: Say, decide: Decide) -> None:
        self._say = say
        self._decide = decide

    async def tell(self, played: Played) -> str | None:
        """Returns why the agent's session cannot go on, which is the human's to say."""
        call = played.step.call
        where = f" in {played.arguments['in']}" if "in" in played.arguments else ""
        why = f"  ({played.step.why})" if played.step.why else ""
        self._say(f"   agent → {call.tool}{where}{why}")
        self._say(f"       {safe(str(point(played.result, '/summary')), 160)}")
        self._diagnostics(played)
        if played.is_error:
            return None
        if call.tool == "run_query":
            self._rows(played)
        if call.tool == "approve":
            self._say("3. A human decides")
            standing = await self._decide(str(point(played.result, "/data/request_id")))
            if standing != "approved":
                return NOT_DECIDED.get(standing, f"The request is {standing}.")
        return None

    def _diagnostics(self, played: Played) -> None:
        found = point(played.result, "/diagnostics")
        assert isinstance(found, list)
        for diagnostic in found:
            self._say(f"       {diagnostic['severity']}: {safe(diagnostic['message'], 160)}")

    def _rows(self, played: Played) -> None:
        rows = point(played.result, "/data/rows")
        assert isinstance(rows, list)
        for row in rows[:ROWS_SHOWN_MAX]:
            self._say("       " + _row(row))
        if len(rows) > ROWS_SHOWN_MAX:
            self._say(f"       … and {len(rows) - ROWS_SHOWN_MAX} more")


def _row(row: Mapping[str, object]) -> str:
    return "  ".join(f"{safe(str(v), VALUE_CHARACTERS_MAX)}" for v in row.values())


async def _close(operator: Operator, folder: Path, say: Say) -> None:
    say("4. What is recorded can be proved")
    ops = _must(await operator.call("ops", {})).data
    assert isinstance(ops, OpList)
    for line in ops_log(ops.ops).splitlines():
        say(f"   {line}".rstrip())
    for operation in ("audit_verify", "doctor"):
        result = _must(await operator.call(operation, {}))
        say(f"   {result.summary}")
    say("Three commands to try next:")
    for command in (
        "ops log",
        "query supply.licenses",
        "graph restore modules",
    ):
        say(f"   agentctl --config {shlex.quote(str(folder))} {command}")


def _look(folder: Path) -> str:
    return f"What is recorded: agentctl --config {shlex.quote(str(folder))} ops log"
