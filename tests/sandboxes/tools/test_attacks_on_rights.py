"""An agent tries to gain rights by a sandbox, and sandboxes outlive what they stood on."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import anyio
import msgspec
import pytest

from agentctl.engine.apply import apply
from agentctl.engine.sandbox_sweep import OPENING_MAX, sweep_sandboxes
from agentctl.testing.archives import MemoryArchive
from agentctl.testing.builders import QUERY, WIDER_SCHEMA, ask, cluster_yaml, decide, wanting
from agentctl.testing.consent import caller
from agentctl_tools import door, sandbox_write
from agentctl_tools.catalog import OPERATIONS
from tests.sandboxes.inside.inside_rig import all_files, left_of, names_in
from tests.sandboxes.tools.sandbox_desk import Desk, desk
from tests.sandboxes.tools.test_attacks_on_sandboxes import ASK, SECRET, calls_with, opened, ruled

OTHER: Final = caller("agent:other", "agent", "http")
EVERYTHING: Final = "permit (principal, action, resource);\n"
NO_READS: Final = (
    EVERYTHING
    + 'forbid (principal is AgentCtl::Agent, action == AgentCtl::Action::"read", resource);\n'
)
BOUND: Final = "policies: {p: {file: p.cedar, applies_to: [cluster]}}\n"
USES: Final = (
    "plan",
    "apply",
    "draft_edit",
    "query",
    "run_query",
    "schema_show",
    "config_read",
    "sandbox_write",
    "sandbox_diff",
    "sandbox_show",
    "sandbox_snapshot",
    "sandbox_restore",
    "sandbox_changeset",
    "sandbox_commands",
    "graph_show",
)


async def test_a_right_that_is_taken_away_is_gone_inside_too(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        box = await opened(at)
        await at.must("sandbox_snapshot", in_=box, name="one")
        await ruled(at, NO_READS)
        for name in USES:
            envelope = await at.ask(name, **calls_with(box)[name])

            assert not envelope.ok, name
            assert "only-in-the-sandbox" not in repr(envelope), name
        assert await at.codes("sandbox_open") == ["denied"]


async def test_a_policy_of_a_sandbox_widens_nothing(tmp_path: Path) -> None:
    async with desk(tmp_path, "supply") as at:
        await ruled(at, EVERYTHING)
        box = await opened(at)
        await ruled(at, NO_READS)
        sarah = at.bench.sarah
        for path, text in {
            "cluster.yaml": cluster_yaml("supply", policies=BOUND),
            "p.cedar": EVERYTHING,
        }.items():
            await at.must("draft_edit", by=sarah, in_=box, path=path, content=text)
        await at.must("apply", by=sarah, in_=box, intent="wider")

        assert (await at.ask("query", in_=box, graph="supply", query=ASK)).ok is False
        assert (await at.ask("query", by=OTHER, in_=box, graph="supply", query=ASK)).ok is False
        assert (await at.ask("query", graph="supply", query=ASK)).ok is False


async def test_plans_keys_and_ops_of_one_side_say_nothing_on_the_other(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        box = await opened(at)
        await at.must("draft_edit", in_=box, path="supply.pg", content=WIDER_SCHEMA)
        inside = (await at.must("plan", in_=box, keep=True)).result.plan_digest
        at.bench.write({"supply.gq": QUERY.replace("all_packages", "every_package")})
        outside = (await at.must("plan", keep=True)).result.plan_digest
        before = await at.cluster.ledger.head()

        assert not (await at.ask("apply", plan_id=inside, intent="x", idempotency_key="k")).ok
        assert not (await at.ask("plan_show", plan_id=inside)).ok
        assert await at.cluster.ledger.head() == before
        given = {"plan_id": outside, "intent": "x", "idempotency_key": "k1"}
        assert not (await at.ask("apply", in_=box, **given)).ok
        tried = await at.must("apply", in_=box, plan_id=inside, intent="x", idempotency_key="k2")
        assert await at.cluster.ledger.head() == before
        done = await at.must("apply", plan_id=outside, intent="x", idempotency_key="k2")
        assert await at.cluster.ledger.head() != before
        assert tried.op != done.op
        assert not (await at.ask("ops", id=tried.op)).ok
        assert not (await at.ask("ops", in_=box, id=done.op)).ok
        assert not (await at.ask("rollback", op=tried.op, intent="x")).ok


async def graphs_of(at: Desk, **where: Any) -> list[str]:
    """Returns the graphs that there are, without those that are deleted and kept for a while."""
    found = (await at.must("graph_list", **where)).graphs
    return [g.id for g in found if g.presence == "live"]


async def test_an_approval_is_not_used_up_in_a_sandbox_and_none_is_asked_for_there(
    tmp_path: Path,
) -> None:
    async with desk(tmp_path, "supply", "spare") as at:
        box = (await at.must("sandbox_open")).sandbox
        without = {"spare.pg": None, "spare.gq": None, "cluster.yaml": cluster_yaml("supply")}
        at.bench.write(without)
        await decide(at.cluster, await ask(at.cluster, at.agent, "graph.spare"))
        await at.must("draft_edit", in_=box, path="cluster.yaml", content=cluster_yaml("supply"))
        await at.must("apply", in_=box, intent="x")
        assert await graphs_of(at, in_=box) == ["supply"]

        request: dict[str, Any] = {"gate": "graph.spare", "intent": "x"}
        assert await at.codes("request_approval", in_=box, **request) == ["not_in_a_sandbox"]
        assert await graphs_of(at) == ["spare", "supply"]
        applied = await apply(at.cluster, at.bench.sarah, wanting())
        assert applied.converged, applied.diagnostics
        assert await graphs_of(at) == ["supply"]


async def test_what_is_about_the_cluster_itself_takes_no_sandbox(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        box = (await at.must("sandbox_open")).sandbox
        before = await at.cluster.ledger.head()
        without = [
            name
            for name, operation in OPERATIONS.items()
            if "in" not in {f.encode_name for f in msgspec.structs.fields(operation.arguments)}
        ]
        for name in without:
            found = await at.codes(name, in_=box, intent="x")
            assert found in (["invalid_arguments"], ["human_only"]), (name, found)
        for name in ("freeze", "force_unlock", "backup_create", "identity_add", "token_create"):
            assert name in without
        assert await at.cluster.ledger.head() == before


OPS: Final = "ops:\n  archive: {backend: local, prefix: kept}\n"


async def test_nobody_elsewhere_hears_of_a_sandbox(tmp_path: Path) -> None:
    heard: list[object] = []

    async def tell(notice: object) -> tuple[()]:
        heard.append(notice)
        return ()

    def archive(*given: object) -> MemoryArchive:
        heard.append(given)
        return MemoryArchive(at.bench.world.now)

    async with desk(tmp_path, "supply", "spare") as at:
        at.cluster = msgspec.structs.replace(at.cluster, tell=tell, make_archive=archive)
        box = (await at.must("sandbox_open")).sandbox
        told = cluster_yaml("supply", more=OPS)
        edited = await at.must("draft_edit", in_=box, path="cluster.yaml", content=told)
        assert edited.valid, await at.ask("validate", in_=box)
        await at.must("apply", in_=box, intent="x")

        assert await graphs_of(at, in_=box) == ["supply"]
        assert heard == []


@asynccontextmanager
async def deleted(at: Desk) -> AsyncIterator[str]:
    """Gives a sandbox one of whose graphs is deleted for real meanwhile."""
    box = (await at.must("sandbox_open")).sandbox
    at.bench.write({"spare.pg": None, "spare.gq": None, "cluster.yaml": cluster_yaml("supply")})
    await decide(at.cluster, await ask(at.cluster, at.agent, "graph.spare"))
    applied = await apply(at.cluster, at.bench.sarah, wanting())
    assert applied.converged, applied.diagnostics
    yield box


async def test_a_graph_that_is_deleted_for_real_ends_in_the_sandbox_and_says_so(
    tmp_path: Path,
) -> None:
    async with desk(tmp_path, "supply", "spare") as at, deleted(at) as box:
        for name, given in calls_with(box).items():
            if name == "sandbox_close":
                continue
            if given.get("graph") == "supply":
                given["graph"] = "spare"
            envelope = await at.ask(name, **given)  # told, whatever it is, and never raised
            assert envelope.ok or envelope.diagnostics, name
        rows = (await at.must("query", in_=box, graph="supply", query=ASK)).rows
        assert [r["p.name"] for r in rows][:2] == ["a", "b"]
        await at.must("sandbox_close", in_=box)
        assert left_of(at.bench) == []


async def test_a_frozen_cluster_lets_sandboxes_be_and_opens_no_back_door(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        box = (await at.must("sandbox_open")).sandbox
        await at.must("freeze", by=at.bench.sarah, scope="cluster", intent="stop")
        before = await at.cluster.ledger.head()
        await at.must("sandbox_write", in_=box, graph="supply", rows=SECRET)
        await at.must("draft_edit", in_=box, path="supply.pg", content=WIDER_SCHEMA)
        await at.must("apply", in_=box, intent="x")

        assert await at.cluster.ledger.head() == before
        assert await names_in(at.cluster, "supply") == ["a", "b"]
        assert not (await at.ask("apply", intent="x")).ok
        await at.must("sandbox_close", in_=box)


async def test_a_sandbox_that_is_closed_while_a_call_runs_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    running, go_on = anyio.Event(), anyio.Event()
    handler = sandbox_write.OPERATION.handler

    async def slow(call: Any) -> Any:
        running.set()
        await go_on.wait()
        return await handler(call)

    async with desk(tmp_path) as at:
        before = all_files(at.bench)
        box = (await at.must("sandbox_open")).sandbox
        slowly = msgspec.structs.replace(sandbox_write.OPERATION, handler=slow)
        known = {**OPERATIONS, "sandbox_write": slowly}
        monkeypatch.setattr(door, "find_operation", known.get)
        answers = []

        async def write() -> None:
            answers.append(await at.ask("sandbox_write", in_=box, graph="supply", rows=SECRET))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(write)
            await running.wait()
            await at.must("sandbox_close", in_=box)
            go_on.set()

        assert [answer.ok for answer in answers] == [False]
        at.bench.world.advance(OPENING_MAX.total_seconds() + 1)
        await sweep_sandboxes(at.cluster)
        assert left_of(at.bench) == []
        assert {f for f in all_files(at.bench) if "/audit/" not in f} == {
            f for f in before if "/audit/" not in f
        }
        assert await names_in(at.cluster, "supply") == ["a", "b"]


async def test_calls_at_once_in_one_sandbox_each_happen_or_say_why_not(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        box = (await at.must("sandbox_open")).sandbox
        answers = []

        async def write(number: int) -> None:
            row = f'{{"type": "Package", "data": {{"name": "r{number}"}}}}'
            answers.append(await at.ask("sandbox_write", in_=box, graph="supply", rows=row))

        async with anyio.create_task_group() as tasks:
            for number in range(6):
                tasks.start_soon(write, number)

        rows = (await at.must("query", in_=box, graph="supply", query=ASK)).rows
        assert len(rows) == 2 + sum(answer.ok for answer in answers)
        assert all(answer.ok or answer.diagnostics for answer in answers)
        assert await names_in(at.cluster, "supply") == ["a", "b"]
