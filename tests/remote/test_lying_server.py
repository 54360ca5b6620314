"""A server that shows one thing and asks a signature for another is found, field by field.

Whatever a server changes is either refused by the approver's own machine, or stands on the page that
the approver reads, and then the honest cluster takes no decision about it. Source: access-and-faces 3.5.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from agentctl.adapters.keys.sshsig import verify
from agentctl.canonical import canonical_bytes, sha256_hex
from agentctl.domain.approval.decision import decision_bytes, decision_statement, make_artifact
from agentctl.domain.approval.evidence import (
    Evidence,
    EvidenceError,
    Judged,
    facts_of,
    judge,
    statement_lines,
)
from agentctl.domain.approval.records import GATE_NAMESPACE
from agentctl.domain.plan.approval_rules import AppliedRule
from agentctl.domain.plan.statement import GateStatement, gate_digest, gate_key
from agentctl.domain.policy.bundles import check_cedar
from agentctl.engine.cluster import Cluster
from agentctl.faces.cli.remote_deciding import page
from agentctl.ids import Address
from agentctl.instants import format_instant
from agentctl.testing.builders import QUERY, ROWS, SCHEMA, Bench, Files, cluster_yaml, folder_files
from agentctl.testing.consent import caller, key_of
from agentctl.views.decision import decision_page, page_text
from agentctl_tools.door import call

SARAH = caller("sarah", at_terminal=True)
OVER_HTTP = caller("sarah", via="http")
POLICY = """\
version: 1
groups: {all: [sarah]}
rules:
  - id: everybody-reads
    allow: {actors: {group: all}, actions: [read], branch_scope: any}
"""
WIDER = POLICY.replace("[read]", "[read, export]")
RULES = """\
approvals:
  deletions:
    match: {classes: [irreversible]}
    need: {count: 1}
    tolerance: {percent: 2, rows: 7}
"""


def with_policy(text: str) -> dict[str, str | None]:
    yaml = cluster_yaml(
        "supply", policies="policies:\n  base:\n    file: base.yaml\n    applies_to: [supply]"
    )
    return {"cluster.yaml": yaml, "base.yaml": text}


CASES: dict[str, tuple[Files, Files, str]] = {
    "a graph with its rows": (
        folder_files("supply", "spare"),
        {"spare.pg": None, "spare.gq": None, "cluster.yaml": cluster_yaml("supply")},
        "graph.spare",
    ),
    "a policy": (
        folder_files("supply") | with_policy(POLICY),
        with_policy(WIDER),
        "policy.base",
    ),
    "a schema": (
        folder_files("supply"),
        {"supply.pg": SCHEMA.replace("version: String?", "version: enum(one, two)?")},
        "schema.supply",
    ),
}


class Desk:
    """An honest cluster with one request, and what its server would answer."""

    def __init__(
        self, cluster: Cluster, request_id: str, evidence: Evidence, now: datetime
    ) -> None:
        self.cluster = cluster
        self.request_id = request_id
        self.evidence = evidence
        self.now = now
        self.cluster_id = sha256_hex(evidence.principals[0])

    def judged(self, evidence: Evidence) -> Judged:
        return judge(
            evidence,
            request_id=self.request_id,
            cluster_id=self.cluster_id,
            now=self.now,
            verify=verify,
            check_cedar=check_cedar,
        )

    def page(self, judged: Judged) -> str:
        facts = facts_of(judged, cluster_name="prod", key=key_of("sarah").key)
        signed = "\n".join(f"{name} {value}" for name, value in statement_lines(judged))
        return page_text(decision_page(facts)) + signed

    async def hand_in(self, judged: Judged) -> Any:
        """Signs what was judged, as the approver's machine does, and hands it to the honest cluster."""
        statement = decision_statement(
            judged.request,
            decision="approve",
            reason=None,
            approver="sarah",
            decided_at=format_instant(self.now),
            seen=judged.seen,
        )
        _, signature = key_of("sarah").sign(decision_bytes(statement), GATE_NAMESPACE)
        artifact = make_artifact(
            judged.request, statement, judged.registry.principals["sarah"], signature
        )
        given = {
            "decision": canonical_bytes(artifact).decode(),
            "intent": "approve",
            "idempotency_key": artifact.approval_id,
        }
        return await call(self.cluster, OVER_HTTP, "submit_decision", given)


async def at(tmp_path: Path, case: str, more: str = "") -> Desk:
    before, after, resource = CASES[case]
    bench = Bench(tmp_path)
    if more:
        before = {**before, "cluster.yaml": f"{before['cluster.yaml']}{more}"}
        after = {**after, "cluster.yaml": f"{after['cluster.yaml']}{more}"}
    cluster = await bench.begun(before)
    for _ in range(2):  # A first policy, or a first rule, waits for nobody who is not there yet.
        await decided(cluster)
        await call(cluster, SARAH, "apply", {"intent": "begin"})
    rows = tmp_path / "rows.ndjson"
    rows.write_bytes(ROWS)
    if "spare" in str(before["cluster.yaml"]):
        loaded = await call(
            cluster, SARAH, "load", {"graph": "spare", "rows": ROWS.decode(), "intent": "rows"}
        )
        assert loaded.ok or loaded.diagnostics, loaded
    bench.write(after)
    asked = await call(
        cluster, SARAH, "request_approval", {"gate": resource, "intent": "not needed"}
    )
    assert asked.ok, asked.diagnostics
    request_id = asked.data.request_id  # type: ignore[attr-defined]  # a filed request
    shown = await call(cluster, OVER_HTTP, "approval_evidence", {"id": request_id})
    assert isinstance(shown.data, Evidence), shown.diagnostics
    again = msgspec.json.decode(msgspec.json.encode(shown.data), type=Evidence)
    assert again == shown.data, "it survives the wire"
    return Desk(cluster, request_id, again, cluster.world.now())


DeskOf = Callable[[str], Awaitable[Desk]]
_DESKS: dict[str, Desk] = {}


@pytest.fixture
async def desk_of(tmp_path_factory: pytest.TempPathFactory) -> DeskOf:
    """Gives the desk of a case, made once: whoever lies leaves it as it was."""

    async def found(case: str) -> Desk:
        if case not in _DESKS:
            _DESKS[case] = await at(tmp_path_factory.mktemp("desk"), case)
        return _DESKS[case]

    return found


async def decided(cluster: Cluster) -> None:
    """Approves whatever waits, so that the cluster stands as its folder says."""
    planned = await call(cluster, SARAH, "plan", {})
    for gate in planned.data.gates:  # type: ignore[attr-defined]  # a PlanAnswer
        asked = await call(
            cluster, SARAH, "request_approval", {"gate": gate.resource, "intent": "x"}
        )
        assert asked.ok, asked.diagnostics
        request = await cluster.approvals.find(asked.data.request_id)  # type: ignore[attr-defined]
        assert request is not None
        given = {
            "request_id": request.request_id,
            "verdict": "approve",
            "gate_digest": request.gate_digest,
            "confirmation": gate.resource,
        }
        done = await call(cluster, SARAH, "decide", given, signer=key_of("sarah"))
        assert done.ok, done.diagnostics


@pytest.mark.parametrize("case", CASES)
async def test_an_honest_servers_evidence_holds_and_its_decision_is_taken(
    tmp_path: Path, case: str
) -> None:
    desk = await at(tmp_path, case)

    judged = desk.judged(desk.evidence)
    page = desk.page(judged)
    handed = await desk.hand_in(judged)

    assert judged.request.statement.resource.partition(".")[2] in page
    assert judged.request.gate_digest in page
    assert handed.ok, handed.diagnostics
    assert "DIFFERS" not in page


async def test_the_text_that_is_replaced_and_the_text_that_replaces_it_are_the_real_ones(
    desk_of: DeskOf,
) -> None:
    desk = await desk_of("a policy")

    judged = desk.judged(desk.evidence)

    assert (judged.before, judged.after) == (POLICY, WIDER)


@pytest.mark.parametrize("filling", [" " * 5_000, "\n" * 5_000 + " " * 20])
async def test_nothing_of_what_is_signed_is_cut_from_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, filling: str
) -> None:
    files, _, resource = CASES["a policy"]
    wide = with_policy(POLICY.replace("[read]", f"[read,{filling}export]"))
    monkeypatch.setitem(CASES, "a policy", (files, wide, resource))
    desk = await at(tmp_path, "a policy")

    shown = page(SimpleNamespace(place="prod"), desk.judged(desk.evidence), None)  # type: ignore[arg-type]

    assert "export]" in shown
    assert shown.count("\n") > filling.count("\n")


LIES: dict[str, object] = {
    "statement": "agentctl/gate/v2",
    "cluster_id": "f" * 64,
    "classes": ["reversible"],
    "resource": "graph.supply",
    "operation": "create",
    "before": "1" * 64,
    "after": "2" * 64,
    "rules": "3" * 64,
    "requester": "agent:harmless",
    "effect": {"rows": {"Package": 0}, "bytes": 0},
    "dependents": ["query.supply.gone"],
    "readers": ["query.supply.gone"],
    "tolerance": {"percent": 100, "rows": 10**9},
    "expires_at": "2099-01-01T00:00:00.000Z",
    "nonce": "0" * 32,
    "on_behalf_of": "tom",
    "incarnation": "another",
    "migration_digest": "4" * 64,
}


def lying(evidence: Evidence, change: Callable[[dict[str, Any]], None]) -> Evidence:
    record = msgspec.json.decode(evidence.request)
    change(record)
    return msgspec.structs.replace(evidence, request=canonical_bytes(record))


def test_every_field_of_a_statement_is_lied_about_below() -> None:
    assert {f.name for f in msgspec.structs.fields(GateStatement)} == set(LIES)


@pytest.mark.parametrize("field", LIES)
@pytest.mark.parametrize("case", CASES)
async def test_a_statement_that_says_something_else_than_its_digest_is_refused(
    desk_of: DeskOf, case: str, field: str
) -> None:
    desk = await desk_of(case)

    def change(record: dict[str, Any]) -> None:
        record["statement"][field] = LIES[field]

    with pytest.raises(EvidenceError):
        desk.judged(lying(desk.evidence, change))


@pytest.mark.parametrize("field", LIES)
@pytest.mark.parametrize("case", CASES)
async def test_a_statement_made_anew_is_refused_or_is_what_the_page_says_and_opens_nothing(
    desk_of: DeskOf, case: str, field: str
) -> None:
    """The server computes the digests of its lie as well."""
    desk = await desk_of(case)

    def change(record: dict[str, Any]) -> None:
        record["statement"][field] = LIES[field]
        for name in ("requester", "on_behalf_of", "expires_at"):
            record[name] = record["statement"].get(name)
        if field == "statement":
            record["gate_digest"] = sha256_hex(canonical_bytes(record["statement"]))
            return
        statement = msgspec.convert(record["statement"], GateStatement)
        record["gate_digest"], record["gate_key"] = gate_digest(statement), gate_key(statement)

    evidence = lying(desk.evidence, change)
    try:
        judged = desk.judged(evidence)
    except EvidenceError:
        return
    page = desk.page(judged)
    lie = msgspec.to_builtins(judged.request.statement)[field]
    told = lie if isinstance(lie, str) else msgspec.json.encode(lie, order="sorted").decode()
    assert f"{field} {told}" in page
    handed = await desk.hand_in(judged)
    assert not handed.ok
    assert (await desk.cluster.approvals.snapshot()).review(desk.request_id).state == "waiting"  # type: ignore[union-attr]


OF_THE_RECORD: dict[str, object] = {
    "request_id": "01JD0A2B3C4D5E6F7G8H9J0K1M",
    "gate_digest": "5" * 64,
    "gate_key": "6" * 64,
    "plan_digest": "7" * 64,
    "config_digest": "8" * 64,
    "requester": "agent:harmless",
    "on_behalf_of": "tom",
    "needs": {"count": 7, "roles": []},
    "created_at": "2020-01-01T00:00:00.000Z",
    "expires_at": "2099-01-01T00:00:00.000Z",
    "schema_version": 3,
}


@pytest.mark.parametrize("field", OF_THE_RECORD)
async def test_a_record_around_the_statement_that_says_something_else_is_refused(
    desk_of: DeskOf, field: str
) -> None:
    desk = await desk_of("a graph with its rows")

    with pytest.raises(EvidenceError):
        desk.judged(lying(desk.evidence, lambda r: r.__setitem__(field, OF_THE_RECORD[field])))


async def test_words_that_no_digest_covers_are_shown_as_the_askers_or_not_at_all(
    desk_of: DeskOf,
) -> None:
    desk = await desk_of("a graph with its rows")

    def change(record: dict[str, Any]) -> None:
        record["intent"], record["reason"] = "SAFE-SAYS-THE-ASKER", "SAFE-SAYS-THE-SERVER"
        record["requester_kind"] = "human"

    page = desk.page(desk.judged(lying(desk.evidence, change)))

    assert "says, unverified" in page.partition("SAFE-SAYS-THE-ASKER")[0]
    assert "SAFE-SAYS-THE-SERVER" not in page


async def test_the_change_of_a_plan_is_not_taken_from_what_its_digest_leaves_out(
    desk_of: DeskOf,
) -> None:
    desk = await desk_of("a policy")
    plan = msgspec.json.decode(desk.evidence.plan)
    for change in plan["plan"]["changes"]:
        change["told"] = {"description": "HARMLESS"}
        change["dependents"] = ["query.supply.HARMLESS"]
        change["reason"] = "HARMLESS"
    twisted = msgspec.structs.replace(desk.evidence, plan=canonical_bytes(plan))

    assert "HARMLESS" not in desk.page(desk.judged(twisted))


def _swap(path: str, data: bytes) -> Callable[[Evidence], Evidence]:
    return lambda e: msgspec.structs.replace(e, files={**e.files, path: data})


def _plan(change: Callable[[dict[str, Any]], None]) -> Callable[[Evidence], Evidence]:
    def twist(evidence: Evidence) -> Evidence:
        plan = msgspec.json.decode(evidence.plan)
        change(plan)
        return msgspec.structs.replace(evidence, plan=canonical_bytes(plan))

    return twist


def _rewritten(evidence: Evidence) -> Evidence:
    """A file and the plan's own table of files say the same lie; the sealed digests do not."""
    harmless = QUERY.encode() + b"// harmless\n"
    twisted = _swap("supply.gq", harmless)(evidence)
    return _plan(lambda p: p["sources"].__setitem__("supply.gq", sha256_hex(harmless)))(twisted)


_RULE = AppliedRule(address=Address("approval.x"), digest="1" * 64, fields={})

TWISTS: dict[str, Callable[[Evidence], Evidence]] = {
    "a file is another": _swap("supply.pg", SCHEMA.replace("version", "edition").encode()),
    "a file is one more": _swap("extra.gq", b""),
    "a file is missing": lambda e: msgspec.structs.replace(
        e, files={p: d for p, d in e.files.items() if p != "supply.gq"}
    ),
    "no file is there": lambda e: msgspec.structs.replace(e, files={}),
    "a file and the table of files": _rewritten,
    "the plan has another change": _plan(lambda p: p["plan"]["changes"].clear()),
    "the plan does something else": _plan(
        lambda p: p["plan"]["changes"][0].__setitem__("operation", "create")
    ),
    "the plan has another class": _plan(
        lambda p: p["plan"]["changes"][0].__setitem__("classes", ["reversible"])
    ),
    "the plan is of another cluster": _plan(
        lambda p: p["plan"].__setitem__("cluster_id", "f" * 64)
    ),
    "the plan names another digest": _plan(lambda p: p.__setitem__("digest", "f" * 64)),
    "the plan is none": lambda e: msgspec.structs.replace(e, plan=b"{}"),
    "the text before is another": lambda e: msgspec.structs.replace(e, before=WIDER.encode()),
    "the text before is missing": lambda e: msgspec.structs.replace(e, before=None),
    "the chain is another cluster's": lambda e: msgspec.structs.replace(
        e, principals=(e.principals[0].replace(b"sarah", b"saroh"), *e.principals[1:])
    ),
    "the chain is empty": lambda e: msgspec.structs.replace(e, principals=()),
    "the chain has a record of the server's own": lambda e: msgspec.structs.replace(
        e, principals=(*e.principals, e.principals[0])
    ),
    "the rules are others": lambda e: msgspec.structs.replace(
        e,
        rules=(*e.rules, msgspec.structs.replace(e.rules[0], address="approval.none"))
        if e.rules
        else (_RULE,),
    ),
    "the decision would name another plan": lambda e: msgspec.structs.replace(
        e, seen=msgspec.structs.replace(e.seen, plan_digest="f" * 64)
    ),
    "a decision that nobody made": lambda e: msgspec.structs.replace(e, decisions=(b"{}",)),
}


@pytest.mark.parametrize("twist", TWISTS)
async def test_evidence_that_contradicts_itself_is_refused(desk_of: DeskOf, twist: str) -> None:
    desk = await desk_of("a policy")
    twisted = TWISTS[twist](desk.evidence)
    assert twisted != desk.evidence

    with pytest.raises(EvidenceError):
        desk.judged(twisted)


async def test_a_request_whose_time_is_over_is_shown_as_such(desk_of: DeskOf) -> None:
    known = await desk_of("a policy")
    later = known.now + timedelta(days=3)
    desk = Desk(known.cluster, known.request_id, known.evidence, later)

    facts = facts_of(desk.judged(desk.evidence), cluster_name="prod", key=None)

    assert facts.standing == "expired"


async def test_the_rules_that_are_shown_are_those_that_the_statement_names(tmp_path: Path) -> None:
    desk = await at(tmp_path, "a graph with its rows", more=RULES)

    judged = desk.judged(desk.evidence)

    assert [r.address for r in judged.rules] == ["approval.deletions"]
    assert judged.request.statement.tolerance.rows == 7
    assert (await desk.hand_in(judged)).ok
