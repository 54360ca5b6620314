"""What a person decides by is true: each fact is measured on a cluster that was made to show it."""

from pathlib import Path

import msgspec
import pytest

from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.domain.approval.facts import DecisionFacts
from agentctl.domain.approval.records import ApprovalRequest
from agentctl.domain.plan.statement import gate_digest
from agentctl.engine.apply import apply
from agentctl.engine.cluster import Cluster
from agentctl.engine.data import load
from agentctl.engine.deciding import decision_facts
from agentctl.testing.builders import (
    POLICY,
    ROWS,
    SCHEMA,
    WIDER_SCHEMA,
    Bench,
    ask,
    cluster_yaml,
    decide,
    folder_files,
    wanting,
)
from agentctl.views.decision import decision_page, page_text

MORE_ROWS = b"".join(
    b'{"type": "Package", "data": {"name": "more%d"}}\n' % number for number in range(5)
)


class Desk:
    """Two graphs, rows in one of them, and a folder without it."""

    def __init__(self, bench: Bench, cluster: Cluster) -> None:
        self.bench = bench
        self.cluster = cluster

    async def facts(self, request: ApprovalRequest) -> DecisionFacts:
        found = await decision_facts(self.cluster, self.bench.sarah, request.request_id)
        assert isinstance(found, DecisionFacts), found
        return found

    async def page(self, request: ApprovalRequest) -> str:
        return page_text(decision_page(await self.facts(request)))


@pytest.fixture
async def desk(tmp_path: Path) -> Desk:
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files("zoo", "garden"))
    applied = await apply(cluster, bench.sarah, wanting())
    assert applied.ok, applied.diagnostics
    await load(cluster, bench.sarah, "zoo", ROWS.splitlines(), "append", "fill")
    bench.write({"cluster.yaml": cluster_yaml("garden")})
    return Desk(bench, cluster)


async def test_what_is_lost_is_counted_now(desk: Desk) -> None:
    request = await ask(desk.cluster, desk.bench.agent, "graph.zoo")

    facts = await desk.facts(request)

    assert facts.rows_now == {"Package": 2, "DependsOn": 1}
    assert facts.node_types == ("Package",)
    assert facts.standing == "waiting"
    assert (facts.waiting_index, facts.waiting_count) == (1, 1)
    assert "2 nodes · 1 edge" in await desk.page(request)


async def test_the_stored_queries_of_a_deleted_graph_break(desk: Desk) -> None:
    request = await ask(desk.cluster, desk.bench.agent, "graph.zoo")

    assert (await desk.facts(request)).queries == ("query.zoo.all_packages",)
    page = " ".join((await desk.page(request)).split())
    assert "1 stored query breaks: query.zoo.all_packages" in page


async def test_the_last_write_is_that_of_the_rows(desk: Desk) -> None:
    request = await ask(desk.cluster, desk.bench.agent, "graph.zoo")

    first = (await desk.facts(request)).last_write
    await load(desk.cluster, desk.bench.sarah, "zoo", MORE_ROWS.splitlines(), "append", "more")
    second = (await desk.facts(request)).last_write

    assert first is not None
    assert second is not None
    assert first < second


async def test_a_graph_that_holds_nothing_was_never_written(desk: Desk) -> None:
    desk.bench.write({"cluster.yaml": cluster_yaml("zoo")})
    request = await ask(desk.cluster, desk.bench.agent, "graph.garden")

    assert (await desk.facts(request)).last_write is None
    assert "never written" in await desk.page(request)


async def test_growth_beyond_what_was_asked_is_shown_before_it_is_decided(desk: Desk) -> None:
    request = await ask(desk.cluster, desk.bench.agent, "graph.zoo")
    await load(desk.cluster, desk.bench.sarah, "zoo", MORE_ROWS.splitlines(), "append", "more")

    facts = await desk.facts(request)

    assert facts.standing_why == ("effect.rows.Package: 2 → 7",)
    assert "effect.rows.Package: 2 → 7" in await desk.page(request)


async def test_the_other_changes_of_the_plan_are_counted(desk: Desk) -> None:
    desk.bench.write({"garden.pg": WIDER_SCHEMA})
    request = await ask(desk.cluster, desk.bench.agent, "graph.zoo")

    facts = await desk.facts(request)

    assert facts.other_gated == 0
    assert facts.other_reversible == 1
    desk.bench.write({"garden.pg": SCHEMA})
    assert (await desk.facts(request)).other_reversible == 0


async def test_other_gates_are_counted_once_each(desk: Desk) -> None:
    desk.bench.write({"cluster.yaml": cluster_yaml()})
    request = await ask(desk.cluster, desk.bench.agent, "graph.zoo")

    facts = await desk.facts(request)

    assert facts.other_gated == 1
    assert facts.other_reversible == 0


async def test_a_folder_that_moved_on_is_told(desk: Desk) -> None:
    request = await ask(desk.cluster, desk.bench.agent, "graph.zoo")
    assert all(check.ok for check in (await desk.facts(request)).checks)

    desk.bench.write({"garden.pg": WIDER_SCHEMA})

    checks = {check.what: check.ok for check in (await desk.facts(request)).checks}
    assert checks == {"statement": True, "config": False, "rules": True}
    assert "config DIFFERS" in await desk.page(request)


async def test_a_change_that_is_wanted_no_more_is_told(desk: Desk) -> None:
    request = await ask(desk.cluster, desk.bench.agent, "graph.zoo")
    desk.bench.write({"cluster.yaml": cluster_yaml("zoo", "garden")})

    assert (await desk.facts(request)).standing_why == ("the plan has no such change any more",)


async def test_asking_again_is_counted_and_by_others_is_not(desk: Desk) -> None:
    first = await ask(desk.cluster, desk.bench.agent, "graph.zoo")
    await decide(desk.cluster, first, "request_changes")
    desk.bench.write({"cluster.yaml": cluster_yaml()})
    by_sarah = await ask(desk.cluster, desk.bench.sarah, "graph.zoo")
    again = await ask(desk.cluster, desk.bench.agent, "graph.garden")

    assert (await desk.facts(first)).deletes_asked_before == 0
    assert (await desk.facts(by_sarah)).deletes_asked_before == 0
    assert (await desk.facts(again)).deletes_asked_before == 1
    assert (await desk.facts(again)).waiting_count == 2


async def test_after_it_was_carried_out_the_way_back_is_that_of_the_deletion(desk: Desk) -> None:
    request = await ask(desk.cluster, desk.bench.agent, "graph.zoo")
    await decide(desk.cluster, request)
    applied = await apply(desk.cluster, desk.bench.agent, wanting())
    assert applied.ok, applied.diagnostics

    first = await desk.facts(request)
    desk.bench.world.advance(86_400)
    later = await desk.facts(request)

    assert first.standing == "consumed"
    assert first.restore_until is not None
    assert first.restore_until == later.restore_until


async def test_an_authority_gate_shows_no_rows_and_no_way_back(desk: Desk) -> None:
    policies = "policies:\n  rules:\n    file: rules.yaml\n    applies_to: [cluster]\n"
    desk.bench.write(
        {
            "rules.yaml": POLICY,
            "cluster.yaml": cluster_yaml("zoo", "garden", policies=policies),
        }
    )
    first = await apply(desk.cluster, desk.bench.sarah, wanting())
    assert first.ok, first.diagnostics
    desk.bench.write({"cluster.yaml": cluster_yaml("zoo", "garden")})
    request = await ask(desk.cluster, desk.bench.agent, "policy.rules")

    facts = await desk.facts(request)

    assert facts.restore_until is None
    assert facts.rows_now == {}
    assert "loses" not in await desk.page(request)
    assert "changes who may do what" in await desk.page(request)


async def test_a_narrowing_schema_shows_its_steps_and_nothing_as_lost(desk: Desk) -> None:
    schema = SCHEMA.replace("version: String?", "version: String\n  note: String?")
    assert schema != SCHEMA
    desk.bench.write({"cluster.yaml": cluster_yaml("zoo", "garden"), "zoo.pg": schema})
    request = await ask(desk.cluster, desk.bench.agent, "schema.zoo")

    page = " ".join((await desk.page(request)).split())

    assert "narrows what is accepted changes permits less than before: tighten property" in page
    assert "~ Package.version: may no longer be null (narrowing) and 1 reversible step" in page
    assert "holds 2 nodes · 1 edge" in page
    assert "1 stored query reads it: query.zoo.all_packages" in page
    assert not any(word in page for word in ("loses", "breaks", "way back"))


async def test_a_provider_of_authority_shows_where_the_secret_goes(desk: Desk) -> None:
    provider = "providers:\n  embedding:\n    main: {kind: openai, api_key: '${OPENAI}'}\n"
    text = cluster_yaml("zoo", "garden") + provider
    desk.bench.write({"cluster.yaml": text})
    request = await ask(desk.cluster, desk.bench.agent, "provider.embedding.main")

    page = " ".join((await desk.page(request)).split())

    assert "secret ${OPENAI} will be sent to https://api.openai.com/v1" in page
    assert "kind: none -> openai" in page


async def test_whoever_has_no_enrolled_key_looks_and_cannot_decide(desk: Desk) -> None:
    request = await ask(desk.cluster, desk.bench.agent, "graph.zoo")

    seen = await decision_facts(desk.cluster, desk.bench.agent, request.request_id)

    assert isinstance(seen, DecisionFacts)
    assert seen.assurance is None
    assert (await desk.facts(request)).assurance == "file"
    assert seen.compare == (await desk.facts(request)).compare
    assert gate_digest(seen.request.statement) == seen.request.gate_digest


async def test_a_request_that_is_not_there_is_a_diagnostic(desk: Desk) -> None:
    told = await decision_facts(desk.cluster, desk.bench.sarah, "01J9ZZZZZZZZZZZZZZZZZZZZZZ")

    assert isinstance(told, Diagnostic)
    assert msgspec.structs.asdict(told)["code"] == "approval_not_found"
