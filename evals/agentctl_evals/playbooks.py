"""How playbooks stand at the end: the calls that each makes, and which of its runs came to their end."""

from typing import Any, Literal

import msgspec

from agentctl_evals.host import Operator
from agentctl_evals.scenario import Scenario

Place = Literal["sandbox", "cluster"]


class PlaybookEnd(msgspec.Struct, frozen=True, kw_only=True):
    """One playbook at the end."""

    calls: tuple[str, ...]
    """The operation of each task, in order."""
    ran: frozenset[Place]
    """Where it ran to its end as it stands."""
    ops: frozenset[str]
    """All that its runs did."""


async def playbook_ends(scenario: Scenario, operator: Operator) -> dict[str, PlaybookEnd]:
    """Returns the playbooks by name; none where *scenario* asks nothing about them."""
    wanted = any(c.playbook is not None for c in scenario.expect.reach.all)
    if not wanted and not any(v.rows_by_hand for v in scenario.expect.never):
        return {}
    listed = await operator.call("playbook_list", {})
    assert listed.ok, listed
    names = [one["name"] for one in _plain(listed.data)["playbooks"]]
    return {name: await _end(name, operator) for name in names}


async def _end(name: str, operator: Operator) -> PlaybookEnd:
    shown = await operator.call("playbook_show", {"name": name})
    assert shown.ok, shown
    playbook = _plain(shown.data)
    runs = playbook["runs"]
    done = [r for r in runs if r["status"] == "done" and _tasks(r) == _tasks(playbook)]
    return PlaybookEnd(
        calls=tuple(task["module"] for task in playbook["tasks"]),
        ran=frozenset("cluster" if run["place"] == "cluster" else "sandbox" for run in done),
        ops=frozenset(t["op"] for run in runs for t in run["tasks"] if t["op"] is not None),
    )


def _tasks(of: Any) -> list[tuple[str, str]]:  # noqa: ANN401  # plain data
    return [(task["name"], task["module"]) for task in of["tasks"]]


def _plain(data: object) -> Any:  # noqa: ANN401  # plain data
    return msgspec.json.decode(msgspec.json.encode(data))
