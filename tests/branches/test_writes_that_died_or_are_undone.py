"""What a dead process left on a branch is told and settled; what a write did is undone, or said how."""

from pathlib import Path
from typing import Any

import pytest

from agentctl.domain.approval.records import ApprovalRequest
from agentctl.domain.ops.record import Op
from agentctl.engine import writing
from agentctl.engine.leases import Leases
from agentctl.engine.moving import branch_lease
from agentctl.engine.planning import make_plan
from agentctl.testing.builders import decide
from agentctl_tools.door import call
from agentctl_tools.operation import Envelope
from tests.branches.branches_rig import Site, codes, package

pytestmark = pytest.mark.slow

PENDING = "cluster_recovery_pending"
BEFORE_ITS_COMMIT, AFTER_ITS_COMMIT = "named", "_end"


async def cut(tmp_path: Path) -> Site:
    """The cluster, with a branch `try`."""
    site = await Site(tmp_path).begin()
    await site.done("branch_create", branch="try")
    return site


async def written(site: Site, branch: str, *lines: bytes) -> Envelope:
    """Loads rows into a branch through the door."""
    file = site.bench.path / "rows.ndjson"
    file.write_bytes(b"".join(lines))
    return await site.ask("load", file=str(file), mode="merge", branch=branch, intent="rows")


async def killed(site: Site, monkeypatch: pytest.MonkeyPatch, where: str, branch: str) -> Op:
    """Loads into a branch by a process that is killed at *where*; the next one has been started."""

    def died(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    async def kept(*_: object, **__: object) -> None:
        """A killed process releases nothing."""

    with monkeypatch.context() as patch:
        patch.setattr(writing, where, died)
        patch.setattr(Leases, "_release", kept)
        with pytest.raises(KeyboardInterrupt):
            await written(site, branch, package("died", "1"))
    site.cluster = await site.bench.open()
    left: Op
    (left,) = await site.cluster.journal.unfinished()
    return left


async def of_cluster(site: Site, operation: str, **given: Any) -> Envelope:
    return await call(site.cluster, site.bench.sarah, operation, given)


async def told_left(site: Site) -> list[list[str]]:
    """Returns the ops of which `status` and `ops` tell that they were left."""
    seen = [await of_cluster(site, "status"), await of_cluster(site, "ops")]
    return [[d.path for d in one.diagnostics if d.code == PENDING] for one in seen]


async def ids(site: Site, branch: str) -> list[bytes]:
    return [line for line in (await site.exported(branch=branch))[1] if b'"died"' in line]


@pytest.mark.parametrize("branch", ["main", "try"])
@pytest.mark.parametrize(
    ("where", "became", "rows"),
    [(BEFORE_ITS_COMMIT, "failed", 0), (AFTER_ITS_COMMIT, "success", 1)],
)
async def test_a_write_whose_process_was_killed_is_told_of_and_settled_by_refresh(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    branch: str,
    where: str,
    became: str,
    rows: int,
) -> None:
    site = await cut(tmp_path)
    left = await killed(site, monkeypatch, where, branch)

    before = await told_left(site)
    refreshed = await of_cluster(site, "refresh", intent="look")
    after = await told_left(site)

    settled = await site.cluster.journal.get(left.id)
    assert refreshed.ok, refreshed
    assert (before, after) == ([[left.id], [left.id]], [[], []])
    assert settled is not None
    assert (left.status, settled.status) == ("running", became)
    assert len(await ids(site, branch)) == rows
    assert (await written(site, branch, package("c", "1"))).ok


async def test_a_write_that_died_behind_the_fence_of_its_own_is_not_taken_for_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fence that it wrote first bears its op as well."""
    site = await cut(tmp_path)
    first = await killed(site, monkeypatch, BEFORE_ITS_COMMIT, "try")
    second = await killed(site, monkeypatch, BEFORE_ITS_COMMIT, "try")

    assert (await of_cluster(site, "refresh", intent="look")).ok

    ended = [await site.cluster.journal.get(op.id) for op in (first, second)]
    assert [op and op.status for op in ended] == ["failed", "failed"]


async def test_a_branch_that_a_writer_is_at_work_on_is_left_to_that_writer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = await cut(tmp_path)
    left = await killed(site, monkeypatch, BEFORE_ITS_COMMIT, "try")
    name = branch_lease("supply", "try")

    async with site.cluster.leases.hold(name, principal="tom", operation="load"):
        told = await told_left(site)
        refreshed = await of_cluster(site, "refresh", intent="look")
        meanwhile = await site.cluster.journal.get(left.id)
    assert (await of_cluster(site, "refresh", intent="look")).ok

    later = await site.cluster.journal.get(left.id)
    assert refreshed.ok, refreshed
    assert told == [[], []]
    assert [op and op.status for op in (meanwhile, later)] == ["running", "failed"]


async def test_a_merge_descends_from_both_branches(tmp_path: Path) -> None:
    site = await cut(tmp_path)
    ours: Any = (await written(site, "main", package("b", "2"))).data
    theirs: Any = (await written(site, "try", package("a", "2"))).data

    merged = await site.done("branch_merge", source="try")

    lineage = merged.op.lineage
    assert (lineage.parent_op, lineage.merged_op) == (ours.op.id, theirs.op.id)


async def test_a_merge_is_undone_once_a_human_agrees(tmp_path: Path) -> None:
    site = await cut(tmp_path)
    await written(site, "try", package("a", "2"))
    before = (await site.exported())[1]
    merged = await site.done("branch_merge", source="try")
    undo = {"op": merged.op.id, "intent": "it was wrong"}

    waits: Any = (await of_cluster(site, "rollback", **undo)).data
    target = waits.undone.of.target
    planned = await make_plan(site.cluster, site.bench.sarah, target=target, keep=True)
    assert planned.plan is not None
    asked = await site.cluster.approvals.request(
        site.bench.sarah,
        next(g for g in planned.gates if g.resource == "graph.supply@data"),
        plan_digest=planned.plan.digest,
        config_digest=planned.plan.config_digest,
        intent="it was wrong",
    )
    assert isinstance(asked, ApprovalRequest)
    await decide(site.cluster, asked)
    done = await of_cluster(site, "rollback", **undo)

    assert [n.resource for n in waits.applied.approvals_required] == ["graph.supply@data"]
    assert done.ok, done
    assert (await site.exported())[1] == before
    listed: Any = (await of_cluster(site, "ops")).data
    assert listed.undone_by[merged.op.id] == done.data.applied.op  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("operation", "given", "remedy"),
    [
        ("branch_create", {"branch": "more"}, "agentctl branch delete supply more"),
        ("branch_delete", {"branch": "try"}, "agentctl branch create supply try --at COMMIT"),
        ("graph_tag", {"tag": "v1"}, "agentctl graph tag supply TAG --delete"),
        ("graph_cleanup", {}, "agentctl graph show supply"),
    ],
)
async def test_what_wrote_no_rows_is_taken_back_by_a_command_of_its_own(
    tmp_path: Path, operation: str, given: dict[str, Any], remedy: str
) -> None:
    site = await cut(tmp_path)
    made = await site.done(operation, **given)

    refused = await of_cluster(site, "rollback", op=made.op.id, intent="it was wrong")

    assert codes(refused) == ["op_not_undoable"]
    assert refused.diagnostics[0].remedy == remedy
