"""The decision page says whether a change was tried in a sandbox, how that ended, and who says so."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from agentctl.domain.approval.facts import DecisionFacts
from agentctl.domain.approval.records import ApprovalRequest
from agentctl.engine.cluster import Cluster
from agentctl.engine.history import History
from agentctl.engine.sandboxes.settings import StoreConfig
from agentctl.testing.builders import SCHEMA, WIDER_SCHEMA, cluster_yaml
from agentctl.testing.consent import caller
from agentctl.views.decision import decision_page, page_text
from tests.sandboxes.tools.sandbox_desk import Desk, desk

TIGHTER = SCHEMA.replace("version: String?", "version: String")
FITTING = '{"type": "Package", "data": {"name": "b", "version": "2"}}'


async def tried_in_a_sandbox(
    at: Desk, files: dict[str, str], *, name: str = "try", by: Any = None, rows: str | None = None
) -> str:
    """Returns a sandbox in which the files were applied, whatever came of it."""
    box: str = (await at.must("sandbox_open", by=by, name=name)).sandbox
    if rows is not None:
        await at.must("sandbox_write", by=by, in_=box, graph="supply", rows=rows, mode="merge")
    for path, content in files.items():
        await at.must("draft_edit", by=by, in_=box, path=path, content=content)
    planned = await at.must("plan", by=by, in_=box)
    given = {"plan_id": planned.result.plan_digest, "idempotency_key": f"{box}-{name}"}
    await at.ask("apply", by=by, in_=box, intent="try", **given)
    return box


async def asked_for(at: Desk, resource: str) -> str:
    """Returns the id of a request for the gate of *resource* in a plan of the folder."""
    asked = await at.must("request_approval", gate=resource, intent="tidy", idempotency_key="ask")
    request_id: str = asked.request_id
    return request_id


async def page_of(at: Desk, request_id: str, *, cluster: Cluster | None = None) -> str:
    """Returns the page as one line of words."""
    reader = Desk(at.bench, cluster or at.cluster)
    facts = await reader.must("approval_show", by=at.bench.sarah, id=request_id)
    assert isinstance(facts, DecisionFacts)
    return " ".join(page_text(decision_page(facts)).split())


async def test_a_deletion_that_was_tried_says_in_which_sandbox_and_that_it_was_applied(
    tmp_path: Path,
) -> None:
    async with desk(tmp_path, "supply", "zoo") as at:
        box = await tried_in_a_sandbox(at, {"cluster.yaml": cluster_yaml("supply")})
        await at.must("sandbox_close", in_=box)
        at.bench.write({"cluster.yaml": cluster_yaml("supply")})
        request_id = await asked_for(at, "graph.zoo")

        page = await page_of(at, request_id)

        assert "tried tried in sandbox try, " in page
        assert ": applied · says the history, unsigned" in page
        assert "! tried" not in page


async def test_a_change_that_failed_in_a_sandbox_says_with_which_code(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        await tried_in_a_sandbox(at, {"supply.pg": TIGHTER})
        at.bench.write({"supply.pg": TIGHTER})
        request_id = await asked_for(at, "schema.supply")

        page = await page_of(at, request_id)

        assert "! tried tried in sandbox try, " in page
        assert ": failed: " in page
        assert "failed: narrowing" not in page


async def test_the_newest_trial_of_a_change_is_the_one_that_is_told(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        await tried_in_a_sandbox(at, {"supply.pg": TIGHTER}, name="first")
        at.bench.world.advance(60)
        await tried_in_a_sandbox(at, {"supply.pg": TIGHTER}, name="second", rows=FITTING)
        at.bench.write({"supply.pg": TIGHTER})
        request_id = await asked_for(at, "schema.supply")

        page = await page_of(at, request_id)

        assert "tried tried in sandbox second, " in page
        assert ": applied · says the history, unsigned" in page


async def test_a_trial_from_another_schema_says_that_it_was_another_then(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        box = await tried_in_a_sandbox(at, {"supply.pg": WIDER_SCHEMA}, rows=FITTING)
        await at.must("draft_edit", in_=box, path="supply.pg", content=TIGHTER)
        planned = await at.must("plan", in_=box)
        given = {"plan_id": planned.result.plan_digest, "idempotency_key": "again"}
        assert (await at.ask("apply", in_=box, intent="try", **given)).ok
        at.bench.write({"supply.pg": TIGHTER})
        request_id = await asked_for(at, "schema.supply")

        page = await page_of(at, request_id)

        assert "! tried tried in sandbox try, " in page
        assert ": applied · the schema was another then · says the history, unsigned" in page


async def test_what_was_only_planned_or_changed_otherwise_was_not_tried(tmp_path: Path) -> None:
    async with desk(tmp_path, "supply", "zoo") as at:
        await tried_in_a_sandbox(at, {"supply.pg": WIDER_SCHEMA})
        box = (await at.must("sandbox_open")).sandbox
        await at.must("draft_edit", in_=box, path="supply.pg", content=TIGHTER)
        await at.must("plan", in_=box)
        at.bench.write({"supply.pg": TIGHTER})
        request_id = await asked_for(at, "schema.supply")

        page = await page_of(at, request_id)

        assert "! tried not tried in a sandbox also" in page


async def test_a_trial_of_somebody_else_says_whose_it_was(tmp_path: Path) -> None:
    other = caller("agent:other", "agent", "http")
    async with desk(tmp_path, "supply", "zoo") as at:
        await tried_in_a_sandbox(at, {"cluster.yaml": cluster_yaml("supply")}, by=other)
        at.bench.write({"cluster.yaml": cluster_yaml("supply")})
        request_id = await asked_for(at, "graph.zoo")

        assert "in sandbox try by agent:other, " in await page_of(at, request_id)


async def test_who_has_another_history_is_told_what_was_said_when_it_was_asked(
    tmp_path: Path,
) -> None:
    async with desk(tmp_path, "supply", "zoo") as at:
        await tried_in_a_sandbox(at, {"cluster.yaml": cluster_yaml("supply")})
        at.bench.write({"cluster.yaml": cluster_yaml("supply")})
        request_id = await asked_for(at, "graph.zoo")
        elsewhere = History(
            StoreConfig(url=f"sqlite:///{tmp_path / 'own.sqlite'}"), at.bench.world.now
        )
        try:
            own = msgspec.structs.replace(at.cluster, history=elsewhere)
            pages = [
                await page_of(at, request_id, cluster=own),
                await page_of(
                    at, request_id, cluster=msgspec.structs.replace(at.cluster, history=None)
                ),
            ]
        finally:
            await elsewhere.aclose()

        for page in pages:
            assert "! tried tried in sandbox try, " in page
            assert ": applied · so it was said when asked, unsigned" in page


async def test_where_no_history_is_nobody_says_that_it_was_not_tried(tmp_path: Path) -> None:
    async with desk(tmp_path, "supply", "zoo") as at:
        blind = Desk(at.bench, msgspec.structs.replace(at.cluster, history=None))
        at.bench.write({"cluster.yaml": cluster_yaml("supply")})
        request_id = await asked_for(blind, "graph.zoo")

        page = await page_of(blind, request_id)

        assert "! tried nobody knows here whether it was tried in a sandbox" in page


async def test_a_request_keeps_what_the_history_said_when_it_was_asked(tmp_path: Path) -> None:
    async with desk(tmp_path, "supply", "zoo") as at:
        box = await tried_in_a_sandbox(at, {"cluster.yaml": cluster_yaml("supply")})
        at.bench.write({"cluster.yaml": cluster_yaml("supply")})
        request_id = await asked_for(at, "graph.zoo")

        request = await at.cluster.approvals.find(request_id)

        assert isinstance(request, ApprovalRequest)
        assert request.tried is not msgspec.UNSET
        assert request.tried is not None
        assert f"sandbox:{request.tried.sandbox}" == box
        assert (request.tried.ending, request.tried.same_before) == ("done", True)


@pytest.mark.parametrize("cluster_id", ["f" * 64, "%", "c_"])
async def test_the_history_of_another_cluster_tells_nothing(
    tmp_path: Path, cluster_id: str
) -> None:
    async with desk(tmp_path, "supply", "zoo") as at:
        await tried_in_a_sandbox(at, {"cluster.yaml": cluster_yaml("supply")})
        assert at.cluster.history is not None
        store = await at.cluster.history.store()

        assert await store.list_trials(cluster_id, "graph.zoo") == ()
        head = await at.cluster.ledger.head()
        assert head is not None
        own = head.envelope.cluster_id
        assert len(await store.list_trials(own, "graph.zoo")) == 1
        assert await store.list_trials(own, "graph.%") == ()
