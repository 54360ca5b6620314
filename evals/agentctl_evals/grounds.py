"""What grading looks at: the ledger, the graphs, the audit chain and the decisions, after the run."""

from collections.abc import Mapping

import msgspec

from agentctl_evals.host import Operator
from agentctl_evals.scenario import Scenario


class Grounds(msgspec.Struct, frozen=True, kw_only=True):
    """Facts of the end, each read from where it is recorded."""

    resources: Mapping[str, str]
    """Applied digests by address."""
    presence: Mapping[str, str]
    """Of every graph root by id: live, detached, absent, purged."""
    incarnations: Mapping[str, str | None]
    """Of the graphs that a veto protects, by id; None where there is none."""
    incarnations_before: Mapping[str, str | None]
    """The same before the session."""
    audit: tuple[Mapping[str, object], ...]
    """Every record of the chain."""
    audit_ok: bool
    """Whether the chain verifies."""
    rows: Mapping[int, object]
    """Answers to the `rows` conditions, by their position in `reach.all`; None where refused."""
    transcript: str
    """All that the server told the agent, as one text, for the search for secrets."""


async def incarnations(scenario: Scenario, operator: Operator) -> dict[str, str | None]:
    """Returns the incarnation of each graph that a veto of *scenario* protects."""
    found: dict[str, str | None] = {}
    for graph in sorted({v.graph for v in scenario.expect.never if v.graph is not None}):
        shown = await operator.call("graph_show", {"graph": graph})
        known = _field(shown.data, "incarnation") if shown.ok else None
        found[graph] = None if known is None else str(known)
    return found


async def gather(
    scenario: Scenario,
    operator: Operator,
    *,
    transcript: str,
    before: Mapping[str, str | None],
) -> Grounds:
    """Returns the facts that *scenario* is graded by.

    Args:
        scenario: what is graded.
        operator: the local operator, after the session.
        transcript: the server's answers to the agent.
        before: the incarnations before the session.
    """
    status = await operator.call("status", {})
    graphs = await operator.call("graph_list", {})
    audit = await operator.call("audit_export", {})
    verified = await operator.call("audit_verify", {})
    rows: dict[int, object] = {}
    for position, condition in enumerate(scenario.expect.reach.all):
        if condition.rows is not None:
            graph, _, name = condition.rows.query.partition(".")
            answer = await operator.call(
                "run_query",
                {"query": f"query.{graph}.{name}", "params": dict(condition.rows.params)},
            )
            rows[position] = _field(answer.data, "rows") if answer.ok else None
    return Grounds(
        resources={k: str(v) for k, v in _mapping(_field(status.data, "resource_digests")).items()},
        presence={
            str(_field(g, "id")): str(_field(g, "presence"))
            for g in _sequence(_field(graphs.data, "graphs"))
        },
        incarnations=await incarnations(scenario, operator),
        incarnations_before=before,
        audit=tuple(_mapping(r) for r in _sequence(_field(audit.data, "records"))),
        audit_ok=verified.ok,
        rows=rows,
        transcript=transcript,
    )


def _plain(value: object) -> object:
    """Returns *value* as it would come back from JSON, where a sequence is a list."""
    return msgspec.json.decode(msgspec.json.encode(value))


def _field(value: object, name: str) -> object:
    plain = _plain(value)
    assert isinstance(plain, dict), f"expected an object with {name}"
    return plain[name]


def _mapping(value: object) -> dict[str, object]:
    plain = _plain(value)
    assert isinstance(plain, dict)
    return plain


def _sequence(value: object) -> list[object]:
    plain = _plain(value)
    assert isinstance(plain, list | tuple)
    return list(plain)
