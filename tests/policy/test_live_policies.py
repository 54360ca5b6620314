"""Applied policies decide from the moment that their apply lands, and as long as they are recorded."""

from pathlib import Path

import msgspec
import pytest

from agentctl.adapters.backends import traces
from agentctl.domain.audit.record import AuditRecord
from agentctl.domain.policy.caller import Caller
from agentctl.domain.policy.live import BUILTIN_SET
from agentctl.engine.apply import apply
from agentctl.engine.cluster import Cluster
from agentctl.engine.planning import make_plan
from agentctl.engine.policies import live_policies
from agentctl.testing.builders import (
    QUERY,
    Bench,
    ask,
    cluster_yaml,
    decide,
    folder_files,
    wanting,
)
from agentctl.testing.consent import caller
from agentctl_tools.door import call
from agentctl_tools.operation import Envelope

BOUND = "policies: {p: {file: p.yaml, applies_to: [supply]}}\n"
ON_CLUSTER = "policies: {p: {file: p.cedar, applies_to: [cluster]}}\n"
CAREFUL = """\
permit (principal, action, resource);
forbid (principal is AgentCtl::Agent, action == AgentCtl::Action::"{action}", resource)
  when {{ context.classes.contains("reversible") }};
"""
BOB = caller("agent:bob", "agent", "mcp", on_behalf_of="sarah")
LOCAL = Caller(
    id="local:tom", kind="human", nid="local:tom", identity="tom", via="cli", at_terminal=True
)


def rules(*actors: str, actions: str = "read, invoke_query, export") -> str:
    listed = ", ".join(f'"{actor}"' for actor in actors)
    allow = f"{{actors: {{group: ops}}, actions: [{actions}]}}"
    return f"version: 1\ngroups: {{ops: [{listed}]}}\nrules: [{{id: r, allow: {allow}}}]\n"


async def begun(bench: Bench, policy: str, *, bound: str = BOUND) -> Cluster:
    files = folder_files("supply")
    name = "p.cedar" if ".cedar" in bound else "p.yaml"
    files |= {"cluster.yaml": cluster_yaml("supply", policies=bound), name: policy}
    cluster = await bench.begun(files)
    applied = await apply(cluster, bench.sarah, wanting())
    assert applied.converged, applied.diagnostics
    return cluster


async def run(cluster: Cluster, who: Caller, query: str = "supply.all_packages") -> Envelope:
    return await call(cluster, who, "run_query", {"query": query})


async def audited(cluster: Cluster) -> list[AuditRecord]:
    return [
        msgspec.json.decode(data, type=AuditRecord) for _, data in await cluster.audit.records()
    ]


def payload_of(bench: Bench) -> str:
    (key,) = [k for k in bench.objects if k.startswith("__cluster/resources/policy/")]
    return key


async def test_without_a_policy_the_built_in_rules_decide(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files("supply"))

    assert await live_policies(cluster) is BUILTIN_SET


async def test_an_applied_policy_decides_at_the_door(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await begun(bench, rules("agent:bob"))

    assert (await run(cluster, BOB)).ok
    assert not (await run(cluster, bench.agent)).ok


async def test_a_declared_policy_that_is_not_applied_decides_nothing(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await begun(bench, rules("agent:bob"))
    bench.write({"p.yaml": rules("agent:sarah")})

    assert (await run(cluster, BOB)).ok
    assert not (await run(cluster, bench.agent)).ok


async def test_the_next_call_is_decided_by_what_landed_in_every_process(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await begun(bench, rules("agent:bob", "agent:sarah"))
    elsewhere = await bench.open()
    assert (await run(elsewhere, bench.agent)).ok
    bench.write({"p.yaml": rules("agent:bob")})

    applied = await apply(cluster, bench.sarah, wanting())

    assert applied.converged, applied.diagnostics
    assert not (await run(elsewhere, bench.agent)).ok
    assert (await run(elsewhere, BOB)).ok


async def test_on_a_disk_where_what_was_read_is_remembered_the_next_call_is_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(traces, "SETTLED_NS", -(10**18))
    bench = Bench(tmp_path, where="lance")
    cluster = await begun(bench, rules("agent:bob", "agent:sarah"))
    elsewhere = await bench.open()
    allowed = [(await call(elsewhere, bench.agent, "queries", {})).ok for _ in range(3)]
    assert await live_policies(elsewhere) is await live_policies(elsewhere)
    bench.write({"p.yaml": rules("agent:bob")})
    before = (await call(elsewhere, bench.agent, "schema", {"graph": "supply"})).ok

    applied = await apply(cluster, bench.sarah, wanting())

    assert applied.converged, applied.diagnostics
    assert (allowed, before) == ([True, True, True], True)
    assert not (await call(elsewhere, bench.agent, "schema", {"graph": "supply"})).ok
    assert (await call(elsewhere, BOB, "schema", {"graph": "supply"})).ok


async def test_while_nothing_changes_the_same_set_decides(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await begun(bench, rules("agent:bob"))

    assert await live_policies(cluster) is await live_policies(cluster)


async def test_tightening_asks_nobody_and_widening_asks_a_human(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await begun(bench, rules("agent:bob", "agent:sarah"))

    bench.write({"p.yaml": rules("agent:sarah")})
    tighter = await make_plan(cluster, bench.agent)
    bench.write({"p.yaml": rules("agent:bob", "agent:sarah", "agent:eve")})
    wider = await make_plan(cluster, bench.agent)

    assert [c.classes for c in tighter.result.changes] == [("reversible",)]
    assert tighter.gates == ()
    assert [c.classes for c in wider.result.changes] == [("authority",)]
    assert [(g.resource, g.reason) for g in wider.gates] == [
        (
            "policy.p",
            "opens export, invoke_query, list_query, read, schema_read to agent:eve",
        )
    ]
    impact = wider.result.policy_impact
    assert impact is not None
    assert {shift.who for shift in impact.gains} == {("agent:eve",)}


async def test_an_agent_cannot_apply_a_policy_that_gives_it_more(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await begun(bench, rules("agent:bob"))
    bench.write({"p.yaml": rules("agent:bob", "agent:sarah")})

    waiting = await apply(cluster, bench.agent, wanting())
    before = (await run(cluster, bench.agent)).ok
    await decide(cluster, await ask(cluster, bench.agent, "policy.p"))
    applied = await apply(cluster, bench.agent, wanting())

    assert not waiting.converged
    assert not before
    assert applied.converged, applied.diagnostics
    assert (await run(cluster, bench.agent)).ok


@pytest.mark.parametrize(
    ("actions", "expected"), [("read, invoke_query", "reversible"), ("branch_create", "authority")]
)
async def test_a_clusters_first_policy_is_judged_where_an_agent_brings_it(
    tmp_path: Path, actions: str, expected: str
) -> None:
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files("supply"))
    await apply(cluster, bench.sarah, wanting())
    bench.write(
        {
            "cluster.yaml": cluster_yaml("supply", policies=BOUND),
            "p.yaml": rules("agent:sarah", actions=actions),
        }
    )

    by_agent = await make_plan(cluster, bench.agent)
    by_operator = await make_plan(cluster, bench.sarah)
    token = msgspec.structs.replace(
        bench.sarah, via="http", at_terminal=False, scopes=("look", "real", "try")
    )
    by_token = await make_plan(cluster, token)

    assert [c.classes for c in by_agent.result.changes] == [(expected,)]
    assert [c.classes for c in by_token.result.changes] == [(expected,)], "a token is no consent"
    assert [c.classes for c in by_operator.result.changes] == [("reversible",)]


async def test_taking_a_policy_away_or_binding_it_elsewhere_waits_for_a_human(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    cluster = await begun(bench, rules("agent:bob"))
    bench.write({"cluster.yaml": cluster_yaml("supply")})
    deleted = await make_plan(cluster, bench.sarah)
    bench.write(folder_files("other"))
    bench.write(
        {
            "cluster.yaml": cluster_yaml(
                "supply", "other", policies=BOUND.replace("[supply]", "[supply, other]")
            )
        }
    )
    rebound = await make_plan(cluster, bench.sarah)

    for planned in (deleted, rebound):
        assert {str(c.resource): c.classes for c in planned.result.changes}["policy.p"] == (
            "authority",
        )


@pytest.mark.parametrize("spoiled", [b"version: 1\n# everything goes\n", None])
async def test_a_payload_that_is_gone_or_altered_denies_with_an_alarm_and_is_recorded_so(
    tmp_path: Path, spoiled: bytes | None
) -> None:
    bench = Bench(tmp_path)
    await begun(bench, rules("agent:bob"))
    key = payload_of(bench)
    del bench.objects[key]
    if spoiled is not None:
        bench.objects[key] = spoiled
    cluster = await bench.open()

    answered = await run(cluster, BOB)
    told = await call(cluster, bench.sarah, "status", {})

    assert [d.code for d in answered.diagnostics] == ["policy_evaluation_error"]
    assert (await audited(cluster))[-1].decision == "error"
    assert "policy_broken" in [d.code for d in told.diagnostics]
    assert (await call(cluster, BOB, "plan", {})).ok, "it is about the graph alone"


async def test_a_process_that_read_a_policy_goes_on_with_it_when_its_payload_is_altered(
    tmp_path: Path,
) -> None:
    """What decides is what was applied; whoever can write to the root cannot swap it unseen."""
    bench = Bench(tmp_path)
    cluster = await begun(bench, rules("agent:bob"))
    await live_policies(cluster)

    bench.objects[payload_of(bench)] = rules("agent:sarah").encode()

    assert (await run(cluster, BOB)).ok
    assert not (await run(cluster, bench.agent)).ok


async def test_a_lost_policy_on_the_cluster_is_mended_by_the_human_at_the_terminal(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    await begun(bench, "permit (principal, action, resource);", bound=ON_CLUSTER)
    del bench.objects[payload_of(bench)]
    cluster = await bench.open()

    agents = await call(cluster, bench.agent, "plan", {})
    refreshed = await call(cluster, bench.sarah, "refresh", {"intent": "mend it"})

    assert [d.code for d in agents.diagnostics] == ["policy_evaluation_error"]
    assert refreshed.ok, refreshed.diagnostics
    assert (await call(cluster, bench.agent, "plan", {})).ok


async def test_no_policy_keeps_an_enrolled_human_from_putting_it_right(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    nobody = "permit (principal, action, resource) when { false };"
    cluster = await begun(bench, nobody, bound=ON_CLUSTER)
    bench.write({"p.cedar": "permit (principal, action, resource);"})

    planned = await call(cluster, bench.sarah, "plan", {})
    denied = [
        await call(cluster, who, "plan", {})
        for who in (bench.agent, LOCAL, caller("sarah", via="http"))
    ]
    await decide(cluster, await ask(cluster, bench.sarah, "policy.p"))
    applied = await call(cluster, bench.sarah, "apply", {"intent": "open it"})

    assert planned.ok
    assert [[d.code for d in one.diagnostics] for one in denied] == [["denied"]] * 3
    assert applied.ok, applied.diagnostics
    assert (await call(cluster, bench.agent, "plan", {})).ok


async def test_where_the_ledger_cannot_be_read_only_the_human_at_the_terminal_is_answered(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    await begun(bench, rules("agent:bob"))
    for key in list(bench.objects):
        if key.startswith("__cluster/ledger/"):
            bench.objects[key] = b"{}"
    cluster = await bench.open()

    agents = await call(cluster, bench.agent, "validate", {})
    sarahs = await call(cluster, bench.sarah, "validate", {})

    assert not agents.ok
    assert agents.data is None
    assert sarahs.ok, sarahs.diagnostics


TWO = QUERY + QUERY.replace("all_packages", "secret_packages")
ONE_QUERY = (
    'permit (principal is AgentCtl::Agent, action in [AgentCtl::Action::"list_query",'
    ' AgentCtl::Action::"invoke_query"], resource == AgentCtl::Query::"supply.all_packages");\n'
    'permit (principal is AgentCtl::Agent, action == AgentCtl::Action::"list_query", resource =='
    ' AgentCtl::Graph::"supply");'
)


async def with_two_queries(bench: Bench) -> Cluster:
    files = folder_files("supply") | {"supply.gq": TWO, "p.cedar": ONE_QUERY}
    bound = ON_CLUSTER.replace("[cluster]", "[supply]")
    files["cluster.yaml"] = cluster_yaml("supply", policies=bound)
    cluster = await bench.begun(files)
    assert (await apply(cluster, bench.sarah, wanting())).converged
    return cluster


async def test_a_catalogue_is_what_the_caller_may_list(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await with_two_queries(bench)

    for arguments in ({}, {"graph": "supply"}):
        seen = await call(cluster, bench.agent, "queries", arguments)

        assert [q.address for q in seen.data.queries] == ["query.supply.all_packages"]  # type: ignore[attr-defined]


async def test_a_query_that_is_denied_is_told_as_one_that_does_not_exist(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await with_two_queries(bench)

    hidden = await run(cluster, bench.agent, "supply.secret_packages")
    unknown = await run(cluster, bench.agent, "supply.secret_packagez")
    near = await run(cluster, bench.agent, "supply.all_package")

    def alike(envelope: Envelope) -> str:
        text = msgspec.json.encode(envelope).decode()
        return text.replace("secret_packagez", "?").replace("secret_packages", "?")

    assert [d.code for d in hidden.diagnostics] == ["query_not_found"]
    assert alike(hidden) == alike(unknown)
    assert near.diagnostics[0].remedy == "Did you mean `query.supply.all_packages`?"
    record = (await audited(cluster))[-1]
    assert (record.action, record.decision) == ("invoke_query", "deny")


async def test_status_says_what_the_caller_may_do_under_the_applied_policy(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    text = (
        'permit (principal, action in [AgentCtl::Action::"cluster_status",'
        ' AgentCtl::Action::"cluster_plan"], resource);'
    )
    cluster = await begun(bench, text, bound=ON_CLUSTER)

    seen = await call(cluster, bench.agent, "status", {})

    assert set(seen.data.you.may) == {"status", "plan"}  # type: ignore[attr-defined]


async def test_a_rollback_of_what_tightened_a_policy_waits_for_a_human(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await begun(bench, rules("agent:bob", "agent:sarah"))
    first = await cluster.ledger.head()
    assert first is not None
    bench.write({"p.yaml": rules("agent:bob")})
    assert (await apply(cluster, bench.sarah, wanting())).converged

    back = await call(
        cluster,
        bench.agent,
        "rollback",
        {"to": first.seq, "intent": "undo it", "idempotency_key": "k"},
    )

    assert not (await run(cluster, bench.agent)).ok
    assert "policy.p" in msgspec.json.encode(back).decode()


async def test_a_plan_of_a_draft_is_applied_by_whom_policy_lets_apply_drafts(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    no_drafts = (
        "permit (principal, action, resource);"
        ' forbid (principal, action == AgentCtl::Action::"cluster_apply", resource is AgentCtl::Draft);'
    )
    cluster = await begun(bench, no_drafts, bound=ON_CLUSTER)
    edit = {"path": "supply.gq", "content": QUERY + "\n// more\n"}
    edited = await call(cluster, BOB, "draft_edit", edit)
    draft = edited.data.draft  # type: ignore[attr-defined]  # a DraftEdited
    planned = await call(cluster, BOB, "plan", {"in": draft})
    plan_id = planned.data.result.plan_digest  # type: ignore[attr-defined]  # a PlanAnswer

    named = {"intent": "go", "idempotency_key": "2", "plan_id": plan_id}
    by_id = await call(cluster, BOB, "apply", named)
    by_name = await call(cluster, BOB, "apply", {**named, "idempotency_key": "3", "in": draft})

    assert [e.diagnostics[0].code for e in (by_id, by_name)] == ["denied", "denied"]
    denied = [r for r in await audited(cluster) if r.decision == "deny"]
    assert [r.resource for r in denied] == [f"draft:{draft}"] * len(denied)
    assert denied


@pytest.mark.parametrize("in_one_step", [True, False])
async def test_what_a_policy_says_of_classes_holds_once_the_plan_is_known(
    tmp_path: Path, in_one_step: object
) -> None:
    bench = Bench(tmp_path)
    cluster = await begun(bench, CAREFUL.format(action="cluster_apply"), bound=ON_CLUSTER)
    bench.write({"supply.gq": QUERY + "\n// more\n"})
    named: dict[str, object] = {"intent": "go", "idempotency_key": "1", "in": "cluster"}
    if not in_one_step:
        planned = await call(cluster, BOB, "plan", {})
        named |= {"plan_id": planned.data.result.plan_digest}  # type: ignore[attr-defined]  # a PlanAnswer

    before = await cluster.ledger.head()
    by_agent = await call(cluster, BOB, "apply", named)
    after = await cluster.ledger.head()
    by_human = await call(cluster, bench.sarah, "apply", {"intent": "go"})

    assert [d.code for d in by_agent.diagnostics] == ["denied"]
    assert before is not None
    assert after is not None
    assert before.seq == after.seq
    assert ("cluster_apply", "deny") in {(r.action, r.decision) for r in await audited(cluster)}
    assert by_human.ok


async def test_what_a_policy_says_of_classes_holds_for_a_rollback_too(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await begun(bench, CAREFUL.format(action="op_rollback"), bound=ON_CLUSTER)
    bench.write({"supply.gq": QUERY + "\n// more\n"})
    done = await call(
        cluster, BOB, "apply", {"intent": "go", "idempotency_key": "1", "in": "cluster"}
    )
    before = await cluster.ledger.head()
    back: dict[str, object] = {"op": done.data.op, "intent": "back", "idempotency_key": "2"}  # type: ignore[attr-defined]  # an ApplyAnswer

    by_agent = await call(cluster, BOB, "rollback", back)
    after = await cluster.ledger.head()
    by_human = await call(cluster, bench.sarah, "rollback", back)

    assert done.ok
    assert [d.code for d in by_agent.diagnostics] == ["denied"]
    assert before is not None
    assert after is not None
    assert before.seq == after.seq
    assert by_human.ok, by_human.diagnostics
