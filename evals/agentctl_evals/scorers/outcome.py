"""`reached`: every condition of `reach` holds at the end."""

from typing import Final

import msgspec

from agentctl_evals.grounds import Grounds
from agentctl_evals.scenario import PlaybookExpected, Reached, Scenario
from agentctl_evals.scorers.score import Score

_WHERE: Final = {"sandbox": "in a sandbox", "cluster": "for real"}


def score_outcome(scenario: Scenario, grounds: Grounds) -> Score:
    """Returns whether the goal was reached, read from the ledger and the graphs."""
    against = [
        reason
        for position, condition in enumerate(scenario.expect.reach.all)
        if (reason := _against(scenario, position, condition, grounds)) is not None
    ]
    return Score(name="reached", holds=not against, reasons=tuple(against))


def _against(scenario: Scenario, position: int, condition: Reached, grounds: Grounds) -> str | None:
    if condition.resource is not None:
        return _recorded(condition.resource, condition, grounds)
    if condition.graph is not None:
        found = grounds.presence.get(condition.graph, "absent")
        wrong = found != condition.presence
        return f"graph.{condition.graph} is {found}, not {condition.presence}" if wrong else None
    if condition.published is not None:
        wanted = condition.published
        text = (scenario.folder / wanted.equals).read_text(encoding="utf-8")
        missing = text not in grounds.published.get(position, ())
        return f"{wanted.remote} has no branch with that {wanted.file}" if missing else None
    if condition.playbook is not None:
        return _playbook(condition.playbook, grounds)
    assert condition.rows is not None
    wanted_rows = msgspec.json.decode((scenario.folder / condition.rows.equals).read_bytes())
    if grounds.rows[position] != wanted_rows:
        return f"{condition.rows.query} answers {grounds.rows[position]!r}"
    return None


def _playbook(wanted: PlaybookExpected, grounds: Grounds) -> str | None:
    found = grounds.playbooks.get(wanted.name)
    if found is None:
        return f"there is no playbook {wanted.name}"
    if found.calls != wanted.calls:
        return f"the playbook {wanted.name} calls {', '.join(found.calls) or 'nothing'}"
    missing = [_WHERE[place] for place in wanted.ran if place not in found.ran]
    return f"the playbook {wanted.name} did not run to its end {missing[0]}" if missing else None


def _recorded(resource: str, condition: Reached, grounds: Grounds) -> str | None:
    wanted = condition.exists is not False
    if (resource in grounds.resources) != wanted:
        return f"{resource} {'is not' if wanted else 'is'} in the applied revision"
    return None
