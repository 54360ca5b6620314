"""What grading looks at: the ledger, the graphs, the audit chain and the decisions, after the run."""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from agentctl_evals.host import Operator
from agentctl_evals.playbooks import PlaybookEnd, playbook_ends
from agentctl_evals.remotes import published_files
from agentctl_evals.replay import Played
from agentctl_evals.scenario import Scenario
from agentctl_evals.tape import point

OPS_MAX = 200


class Deed(msgspec.Struct, frozen=True, kw_only=True):
    """One call of the agent, and how the server answered it."""

    tool: str
    arguments: Mapping[str, object]
    is_error: bool
    result: object

    @property
    def within(self) -> str:
        """What `in` named; empty where it named nothing."""
        return str(self.arguments.get("in", ""))

    def field(self, name: str) -> object:
        """Returns a field of the answer's data; None where there is none."""
        try:
            return point(self.result, f"/data/{name}")
        except LookupError:
            return None

    def codes(self) -> tuple[str, ...]:
        """Returns the codes of the answer's diagnostics."""
        try:
            told = point(self.result, "/diagnostics")
        except LookupError:
            return ()
        return tuple(str(d["code"]) for d in told) if isinstance(told, list) else ()


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
    published: Mapping[int, tuple[str, ...]] = {}
    """What the files of the `published` conditions hold at their remotes, by position."""
    ops: tuple[Mapping[str, object], ...] = ()
    """Every op of the real cluster."""
    sandboxes: frozenset[str] = frozenset()
    """Those that are open."""
    sandboxes_before: frozenset[str] = frozenset()
    """The same before the session."""
    playbooks: Mapping[str, PlaybookEnd] = {}
    """Where something is asked about playbooks: each by its name."""
    deeds: tuple[Deed, ...] = ()
    """The agent's calls, in their order."""
    transcript: str
    """All that the server told the agent, as one text, for the search for secrets."""


class Before(msgspec.Struct, frozen=True, kw_only=True):
    """What is looked at before the session."""

    incarnations: Mapping[str, str | None]
    sandboxes: frozenset[str]


async def look_before(scenario: Scenario, operator: Operator) -> Before:
    """Returns what the end is compared with."""
    return Before(
        incarnations=await incarnations(scenario, operator),
        sandboxes=await open_sandboxes(operator),
    )


async def open_sandboxes(operator: Operator) -> frozenset[str]:
    """Returns the sandboxes that are open."""
    listed = await operator.call("sandbox_list", {})
    return frozenset(
        str(_field(one, "sandbox")) for one in _sequence(_field(listed.data, "sandboxes"))
    )


def deeds_of(played: tuple[Played, ...]) -> tuple[Deed, ...]:
    """Returns the calls of a replay as grading reads them."""
    return tuple(
        Deed(tool=p.step.call.tool, arguments=p.arguments, is_error=p.is_error, result=p.result)
        for p in played
    )


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
    workspace: Path,
    played: tuple[Played, ...],
    before: Before,
) -> Grounds:
    """Returns the facts that *scenario* is graded by.

    Args:
        scenario: what is graded.
        operator: the local operator, after the session.
        workspace: the world's folder, where its remotes are.
        played: the agent's calls with the server's answers.
        before: what was looked at before the session.
    """
    status = await operator.call("status", {})
    graphs = await operator.call("graph_list", {})
    audit = await operator.call("audit_export", {})
    verified = await operator.call("audit_verify", {})
    ops = await operator.call("ops", {"limit": OPS_MAX})
    rows: dict[int, object] = {}
    published: dict[int, tuple[str, ...]] = {}
    for position, condition in enumerate(scenario.expect.reach.all):
        if condition.rows is not None:
            graph, _, name = condition.rows.query.partition(".")
            answer = await operator.call(
                "run_query",
                {"query": f"query.{graph}.{name}", "params": dict(condition.rows.params)},
            )
            rows[position] = _field(answer.data, "rows") if answer.ok else None
        if condition.published is not None:
            wanted = condition.published
            published[position] = await published_files(workspace, wanted.remote, wanted.file)
    return Grounds(
        resources={k: str(v) for k, v in _mapping(_field(status.data, "resource_digests")).items()},
        presence={
            str(_field(g, "id")): str(_field(g, "presence"))
            for g in _sequence(_field(graphs.data, "graphs"))
        },
        incarnations=await incarnations(scenario, operator),
        incarnations_before=before.incarnations,
        audit=tuple(_mapping(r) for r in _sequence(_field(audit.data, "records"))),
        audit_ok=verified.ok,
        rows=rows,
        published=published,
        ops=tuple(_mapping(op) for op in _sequence(_field(ops.data, "ops"))),
        sandboxes=await open_sandboxes(operator),
        sandboxes_before=before.sandboxes,
        playbooks=await playbook_ends(scenario, operator),
        deeds=deeds_of(played),
        transcript=msgspec.json.encode([p.result for p in played]).decode(),
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
