"""What was written to a branch beside `main` is rolled back as on `main`: by a commit, behind a gate. Source: ops 5, 6."""

from pathlib import Path
from typing import Any

import pytest

from agentctl.domain.approval.records import ApprovalRequest
from agentctl.domain.ops.record import Op
from agentctl.engine import record
from agentctl.engine.leases import Leases
from agentctl.engine.moving import branch_lease
from agentctl.engine.planning import make_plan
from agentctl.engine.prepare import ApplyRequest
from agentctl.engine.rollback import Undone, rollback, undoing
from agentctl.graph.lance_port import LanceGraphs
from agentctl.testing.builders import decide
from agentctl_tools.door import call
from agentctl_tools.operation import Envelope
from tests.branches.branches_rig import Site, codes, package

pytestmark = pytest.mark.slow

DATA = "graph.supply@try@data"
WIDER = """\
policies:
  fence:
    file: fence.cedar
    applies_to: [graph.supply]
"""
NOT_ON_TRY = """\
permit (principal, action, resource);
forbid (principal, action == AgentCtl::Action::"change", resource)
  when { context has branch && context.branch == "try" };
"""


async def cut(tmp_path: Path, more: str = "") -> Site:
    """The cluster, with a branch `try`."""
    site = await Site(tmp_path).begin(more)
    await site.done("branch_create", branch="try")
    return site


async def of_cluster(site: Site, operation: str, **given: Any) -> Envelope:
    return await call(site.cluster, site.bench.sarah, operation, given)


async def written(site: Site, branch: str, *lines: bytes) -> Op:
    """Loads rows into a branch through the door."""
    file = site.bench.path / "rows.ndjson"
    file.write_bytes(b"".join(lines))
    made = await site.done("load", file=str(file), mode="merge", branch=branch)
    op: Op = made.op
    return op


async def rows(site: Site, branch: str = "try") -> list[bytes]:
    return (await site.exported(branch=branch))[1]


async def undo(site: Site, op: Op) -> Envelope:
    return await of_cluster(site, "rollback", op=op.id, intent="it was wrong")


async def agreed(site: Site, op: Op) -> None:
    """A human agrees that the rollback of *op* may be done."""
    looked: Any = await of_cluster(site, "rollback", op=op.id, intent="it was wrong", dry_run=True)
    assert looked.ok, looked
    target = looked.data.undone.of.target
    planned = await make_plan(site.cluster, site.bench.sarah, target=target, keep=True)
    assert planned.plan is not None
    asked = await site.cluster.approvals.request(
        site.bench.sarah,
        next(g for g in planned.gates if g.resource == DATA),
        plan_digest=planned.plan.digest,
        config_digest=planned.plan.config_digest,
        intent="it was wrong",
    )
    assert isinstance(asked, ApprovalRequest), asked
    await decide(site.cluster, asked)


async def undone(site: Site, op: Op) -> Op:
    """Returns the op of a rollback of *op* that a human agreed to."""
    await agreed(site, op)
    done: Any = await undo(site, op)
    assert done.ok, done
    assert done.data.applied.converged, done
    made: Op | None = await site.cluster.journal.get(done.data.applied.op)
    assert made is not None
    return made


async def whole(site: Site) -> bool:
    return (await site.ask("graph_verify")).ok


@pytest.mark.parametrize("more", ["", "protect: [graph.supply]\n"])
async def test_a_load_into_a_branch_is_undone_once_a_human_agrees(
    tmp_path: Path, more: str
) -> None:
    site = await cut(tmp_path, more)
    await written(site, "try", package("a", "2"))
    before, main = await rows(site), await rows(site, "main")
    wrong = await written(site, "try", package("a", "9"), package("z", "1"))
    full = await rows(site)

    waits: Any = await undo(site, wrong)
    untouched = await rows(site)
    made = await undone(site, wrong)

    assert [n.resource for n in waits.data.applied.approvals_required] == [DATA]
    assert "branch try of graph supply goes back to try:2" in (
        waits.data.applied.approvals_required[0].reason
    )
    assert untouched == full
    assert (await rows(site), await rows(site, "main")) == (before, main)
    assert (made.operation, made.action, made.targets) == ("rollback", "rollback", (DATA,))
    assert made.lineage.rollback_of == wrong.id
    assert made.lineage.parent_op is not None
    listed: Any = (await of_cluster(site, "ops")).data
    assert listed.undone_by[wrong.id] == made.id
    now = await site.cluster.journal.get(wrong.id)
    assert now is not None
    assert now.status == "success"
    place: Any = site.cluster.graphs.port
    commits = await place.commits("supply", branch="try")
    assert (commits[0].kind, commits[0].op) == ("revert", made.id)
    assert await site.cluster.store.list("__cluster/recoveries/") == ()
    assert await whole(site)


async def test_a_rollback_of_that_rollback_brings_the_rows_again_and_leaves_other_branches(
    tmp_path: Path,
) -> None:
    site = await cut(tmp_path)
    wrong = await written(site, "try", package("z", "1"))
    full = await rows(site)
    back = await undone(site, wrong)
    await written(site, "main", package("m", "1"))
    main = await rows(site, "main")

    again = await undone(site, back)

    assert again.lineage.rollback_of == back.id
    assert (await rows(site), await rows(site, "main")) == (full, main)
    await written(site, "try", package("y", "1"))
    assert await whole(site)


async def test_a_merge_and_a_mutation_of_a_branch_are_undone(tmp_path: Path) -> None:
    site = await cut(tmp_path)
    mutation = "\nquery put($name: String) { insert Package { name: $name } }\n"
    stored = (site.bench.path / "supply.gq").read_text(encoding="utf-8")
    site.bench.write({"supply.gq": stored + mutation})
    assert (await of_cluster(site, "apply", intent="a mutation")).ok
    before = await rows(site)
    given = {"query": "supply.put", "params": {"name": "m"}, "branch": "try", "intent": "m"}
    mutated: Any = (await of_cluster(site, "mutate", **given)).data
    between = await rows(site)
    await written(site, "main", package("n", "1"))
    merged: Any = await site.done("branch_merge", source="main", into="try")
    assert len(await rows(site)) == len(before) + 2

    await undone(site, merged.op)
    assert await rows(site) == between
    await undone(site, mutated.op)

    assert await rows(site) == before
    assert await whole(site)


async def test_rows_that_came_to_the_branch_after_the_decision_make_it_stale(
    tmp_path: Path,
) -> None:
    site = await cut(tmp_path)
    wrong = await written(site, "try", package("z", "1"))
    await agreed(site, wrong)
    await written(site, "try", *(package(f"n{n}", "1") for n in range(300)))
    full = await rows(site)

    result: Any = await undo(site, wrong)

    assert "approval_stale" in codes(result)
    assert not result.data.applied.converged
    assert await rows(site) == full


async def test_a_branch_that_somebody_writes_to_goes_back_later(tmp_path: Path) -> None:
    site = await cut(tmp_path)
    before = await rows(site)
    wrong = await written(site, "try", package("z", "1"))
    await agreed(site, wrong)
    name = branch_lease("supply", "try")

    async with site.cluster.leases.hold(name, principal="tom", operation="load"):
        seen = await undoing(site.cluster, to=None, op=wrong.id)
        assert isinstance(seen, Undone)
        at_once = ApplyRequest(intent="it was wrong", graph_wait_s=0)
        busy = (await rollback(site.cluster, site.bench.sarah, seen, at_once)).applied
    later: Any = await undo(site, wrong)

    assert "graph_busy" in [d.code for d in busy.diagnostics]
    assert not busy.converged
    assert later.data.applied.converged, later
    assert await rows(site) == before


async def test_a_policy_over_the_branch_is_asked_as_well(tmp_path: Path) -> None:
    site = await cut(tmp_path)
    wrong = await written(site, "try", package("z", "1"))
    full = await rows(site)
    config = (site.bench.path / "cluster.yaml").read_text(encoding="utf-8")
    site.bench.write({"fence.cedar": NOT_ON_TRY, "cluster.yaml": config + WIDER})
    assert (await of_cluster(site, "apply", intent="a fence")).ok
    await agreed(site, wrong)

    refused = await undo(site, wrong)

    assert codes(refused) == ["denied"]
    assert await rows(site) == full


async def test_what_a_deleted_branch_held_is_not_brought_to_another_of_its_name(
    tmp_path: Path,
) -> None:
    site = await cut(tmp_path)
    wrong = await written(site, "try", package("z", "1"))
    await site.done("branch_delete", branch="try", unmerged=True)

    gone = await undo(site, wrong)
    await site.done("branch_create", branch="try")
    another = await undo(site, wrong)

    for refused in (gone, another):
        assert codes(refused) == ["op_not_undoable"]
        assert refused.diagnostics[0].remedy == "agentctl branch create supply NAME --at try:1"
    await site.done("branch_create", branch="then", at="try:1")
    assert await rows(site, "then") == await rows(site)


@pytest.mark.parametrize(
    ("where", "became", "commits"),
    [("before", "failed", 0), ("after", "failed", 1), ("recorded", "success", 1)],
)
async def test_a_rollback_whose_process_was_killed_is_settled_and_its_consent_used_once(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    where: str,
    became: str,
    commits: int,
) -> None:
    site = await cut(tmp_path)
    before = await rows(site)
    wrong = await written(site, "try", package("z", "1"))
    full = await rows(site)
    await agreed(site, wrong)
    revert = LanceGraphs.revert

    async def dies(self: LanceGraphs, *given: Any, **named: Any) -> int:
        if where == "after":
            await revert(self, *given, **named)
        raise KeyboardInterrupt

    async def died(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    async def kept(*_: object, **__: object) -> None:
        """A killed process releases nothing."""

    with monkeypatch.context() as patch:
        patch.setattr(Leases, "_release", kept)
        if where == "recorded":
            patch.setattr(record, "remove_settled", died)
        else:
            patch.setattr(LanceGraphs, "revert", dies)
        with pytest.raises(KeyboardInterrupt):
            await undo(site, wrong)
    site.cluster = await site.bench.open()
    left = next(o for o in await site.cluster.journal.unfinished() if o.action == "rollback")
    told = await of_cluster(site, "status")
    assert "cluster_recovery_pending" in codes(told)

    refreshed = await of_cluster(site, "refresh", intent="look")

    assert refreshed.ok, refreshed
    settled = await site.cluster.journal.get(left.id)
    assert settled is not None
    assert settled.status == became
    assert await rows(site) == (before if commits else full)
    assert await site.cluster.store.list("__cluster/recoveries/") == ()
    assert "cluster_recovery_pending" not in codes(await of_cluster(site, "status"))
    records = await site.cluster.approvals.records()
    assert len(records.consumptions) == commits
    again: Any = await undo(site, wrong)
    assert again.data.applied.converged, again
    assert await rows(site) == before
    port: Any = site.cluster.graphs.port
    kinds = [c.kind for c in await port.commits("supply", branch="try")]
    assert kinds.count("revert") == 1
    assert len((await site.cluster.approvals.records()).consumptions) == 1
    assert await whole(site)
