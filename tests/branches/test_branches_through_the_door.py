"""Branches are cut, merged and deleted each by one op, under the lease of the branch that is written."""

from pathlib import Path

import msgspec
import pytest

from agentctl.domain.audit.record import AuditRecord
from agentctl.engine import writing
from agentctl.engine.leases import StateLockHeldError
from agentctl.engine.moving import branch_lease
from agentctl.graph.port import Stamp
from agentctl.testing.consent import caller
from agentctl_tools.door import call
from tests.branches.branches_rig import Site, codes, package

pytestmark = pytest.mark.slow

PROTECT = "protect: [graph.supply]\n"


async def test_a_branch_is_cut_written_and_merged_by_an_op_each(tmp_path: Path) -> None:
    site = await Site(tmp_path).begin()

    created = await site.done("branch_create", branch="try")
    await site.put("try", package("a", "2"))
    merged = await site.done("branch_merge", source="try")
    listed = await site.ask("branch_list")

    assert [b.name for b in listed.data.branches] == ["main", "try"]  # type: ignore[attr-defined]
    assert (merged.report.outcome, merged.report.commit) == ("fast_forward", "main:3")
    for op, action, target in (
        (created.op, "branch_create", "graph.supply@try"),
        (merged.op, "branch_merge", "graph.supply"),
    ):
        assert (op.status, op.action, op.targets) == ("success", action, (target,))
        assert op.intent == "a test"
        assert await site.cluster.journal.pre(op.id) is not None
        assert await site.cluster.journal.post(op.id) is not None
    commits = await site.cluster.graphs.history("supply")
    assert (commits[0].op, commits[0].kind) == (merged.op.id, "merge")


async def test_what_both_branches_changed_is_told_and_nothing_is_merged(tmp_path: Path) -> None:
    site = await Site(tmp_path).begin()
    await site.done("branch_create", branch="try")
    await site.put("try", package("a", "2"))
    await site.put("main", package("a", "3"))

    refused = await site.ask("branch_merge", source="try", intent="a test")

    assert codes(refused) == ["merge_conflict"]
    report = refused.data.report  # type: ignore[attr-defined]
    (conflict,) = report.conflicts
    assert (conflict.base["version"], conflict.ours["version"], conflict.theirs["version"]) == (
        "1",
        "3",
        "2",
    )
    assert refused.data.op.status == "failed"  # type: ignore[attr-defined]
    assert (await site.cluster.graphs.history("supply"))[0].id == "main:3"


async def test_a_merge_for_another_head_is_refused_as_a_lost_race(tmp_path: Path) -> None:
    site = await Site(tmp_path).begin()
    await site.done("branch_create", branch="try")
    await site.put("try", package("a", "2"))

    refused = await site.ask("branch_merge", source="try", if_commit="main:1", intent="a test")
    done = await site.done("branch_merge", source="try", if_commit="main:2")

    assert codes(refused) == ["read_set_conflict"]
    assert done.report.commit == "main:3"


async def test_a_branch_with_commits_of_its_own_is_deleted_only_by_whoever_says_so(
    tmp_path: Path,
) -> None:
    site = await Site(tmp_path).begin()
    await site.done("branch_create", branch="try")
    await site.put("try", package("a", "2"))

    refused = await site.ask("branch_delete", branch="try", intent="a test")
    there = await site.ask("branch_list")
    deleted = await site.done("branch_delete", branch="try", unmerged=True)
    gone = await site.ask("branch_delete", branch="try", intent="a test")

    assert codes(refused) == ["branch_unmerged"]
    assert refused.data.op is None  # type: ignore[attr-defined]
    assert len(there.data.branches) == 2  # type: ignore[attr-defined]
    assert deleted.op.status == "success"
    assert codes(gone) == ["graph_branch_missing"]


async def test_a_merged_branch_is_deleted_without_more_ado(tmp_path: Path) -> None:
    site = await Site(tmp_path).begin()
    await site.done("branch_create", branch="try")
    await site.put("try", package("a", "2"))
    await site.done("branch_merge", source="try")

    deleted = await site.done("branch_delete", branch="try")

    assert deleted.op.operation == "delete"


async def test_nobody_deletes_what_only_a_branch_of_a_protected_graph_holds(tmp_path: Path) -> None:
    site = await Site(tmp_path).begin(PROTECT)
    await site.done("branch_create", branch="try")
    await site.put("try", package("a", "2"))

    refused = await site.ask("branch_delete", branch="try", unmerged=True, intent="a test")
    await site.done("branch_merge", source="try")
    deleted = await site.done("branch_delete", branch="try")

    assert codes(refused) == ["approval_required"]
    assert deleted.ok


async def test_main_is_no_branch_to_create_or_delete(tmp_path: Path) -> None:
    site = await Site(tmp_path).begin()

    created = await site.ask("branch_create", branch="main", intent="a test")
    deleted = await site.ask("branch_delete", branch="main", intent="a test")

    assert codes(created) == codes(deleted) == ["graph_branch_invalid"]


async def test_a_graph_that_was_not_applied_has_no_branches(tmp_path: Path) -> None:
    site = await Site(tmp_path).begin()

    for operation in ("branch_list", "graph_verify", "graph_tags"):
        assert codes(await site.ask(operation, graph="nope")) == ["graph_not_found"], operation


async def test_a_request_that_is_sent_again_under_its_key_is_done_once(tmp_path: Path) -> None:
    site = await Site(tmp_path).begin()
    given = {"branch": "try", "idempotency_key": "k1"}

    first = await site.done("branch_create", **given)
    again = await site.done("branch_create", **given)
    other = await site.ask("branch_create", intent="a test", branch="b", idempotency_key="k1")

    assert again == first
    assert codes(other) == ["idempotency_conflict"]


async def test_branches_are_held_each_by_a_lease_of_its_own(tmp_path: Path) -> None:
    site = await Site(tmp_path).begin()
    await site.done("branch_create", branch="try")
    name = branch_lease("supply", "main")

    async with site.cluster.leases.hold(name, principal="tom", operation="load"):
        held = await site.ask("branch_merge", source="try", intent="a test")
        other = await site.done("branch_merge", source="main", into="try")

    assert codes(held) == ["state_lock_held"]
    assert other.ok


async def test_a_write_whose_process_died_is_ended_as_its_commits_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = await Site(tmp_path).begin()
    await site.done("branch_create", branch="try")
    await site.put("try", package("a", "2"))

    async def died(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(writing, "_end", died)
        with pytest.raises(KeyboardInterrupt):
            await site.ask("branch_merge", source="try", intent="died")
    (left,) = await site.cluster.journal.unfinished()
    site.cluster = await site.bench.open()
    await site.done("graph_tag", tag="v1")

    settled = await site.cluster.journal.get(left.id)
    assert settled is not None
    assert (left.status, settled.status) == ("running", "success")


async def test_who_writes_to_branches_is_policys_to_say_and_recorded(tmp_path: Path) -> None:
    site = await Site(tmp_path).begin()
    agent = caller("agent:tom", "agent", "http", on_behalf_of="tom")
    given = {"graph": "supply", "branch": "try", "intent": "a test"}

    denied = await call(site.cluster, agent, "branch_create", given)
    await site.done("branch_create", branch="try")

    records = [
        msgspec.json.decode(data, type=AuditRecord)
        for _, data in await site.cluster.audit.records()
    ]
    told = [(r.action, r.resource, r.decision) for r in records if r.action == "branch_create"]
    assert codes(denied) == ["denied"]
    assert told == [
        ("branch_create", "graph.supply@try", "deny"),
        ("branch_create", "graph.supply@try", "allow"),
    ]


async def test_nothing_is_written_to_a_frozen_graph(tmp_path: Path) -> None:
    site = await Site(tmp_path).begin()
    frozen = await call(
        site.cluster, site.bench.sarah, "freeze", {"scope": "graph.supply", "intent": "stop"}
    )
    assert frozen.ok, frozen

    assert codes(await site.ask("branch_create", branch="try", intent="x")) == ["frozen"]
    assert codes(await site.ask("graph_tag", tag="v1", intent="x")) == ["frozen"]


async def test_a_write_that_waits_for_nothing_raises_what_the_door_tells(tmp_path: Path) -> None:
    site = await Site(tmp_path).begin()
    name = branch_lease("supply", "try")
    write = writing.BranchWrite(
        action="branch_create", verb="install", graph="supply", branch="try", intent="x"
    )

    async def act(_: Stamp) -> None:
        pytest.fail("it ran without the lease")

    async with site.cluster.leases.hold(name, principal="tom", operation="load"):
        with pytest.raises(StateLockHeldError):
            await writing.write_branch(site.cluster, site.bench.sarah, write, act)
