"""Two deletions of branches that hold the same: one at least sees the other, and what they hold stays."""

from pathlib import Path
from typing import Any

import pytest

from agentctl.engine.leases import Leases
from agentctl.graph.lance_port import LanceGraphs
from agentctl_tools.door import call
from tests.branches.branches_rig import Site, codes, package

pytestmark = pytest.mark.slow

PROTECT = "protect: [graph.supply]\n"
DELETE = LanceGraphs.branch_delete


async def twins(tmp_path: Path, more: str) -> Site:
    """Branches `one` and `two` hold the same commit, and no other branch has it."""
    site = await Site(tmp_path).begin(more)
    await site.done("branch_create", branch="one")
    await site.put("one", package("z", "1"))
    await site.done("branch_create", branch="two", source="one")
    return site


async def names(site: Site) -> list[str]:
    listed: Any = await site.ask("branch_list")
    return [b.name for b in listed.data.branches]


@pytest.mark.parametrize("when", ["before its tombstone", "after its tombstone"])
@pytest.mark.parametrize(
    ("more", "code"), [("", "branch_unmerged"), (PROTECT, "approval_required")]
)
async def test_of_two_deletions_that_cross_one_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: str, code: str, when: str
) -> None:
    site = await twins(tmp_path, more)
    held = (await site.exported(branch="one"))[1]
    others: list[Any] = []

    async def crossed(self: LanceGraphs, graph: str, name: str, **given: Any) -> int:
        ended = await DELETE(self, graph, name, **given) if when.startswith("after") else 0
        if name == "one":
            others.append(await site.ask("branch_delete", branch="two", intent="a test"))
        return ended or await DELETE(self, graph, name, **given)

    monkeypatch.setattr(LanceGraphs, "branch_delete", crossed)
    first = await site.ask("branch_delete", branch="one", intent="a test")

    (second,) = others
    refused, done = (first, second) if when.startswith("before") else (second, first)
    assert done.ok, done
    assert codes(refused) == [code]
    (left,) = [name for name in await names(site) if name != "main"]
    assert left == ("one" if refused is first else "two")
    assert (await site.exported(branch=left))[1] == held
    ops = [o for o in await site.cluster.journal.list() if o.action == "branch_delete"]
    assert sorted(o.status for o in ops) == (
        ["failed", "success"] if refused is first else ["success"]
    )
    await site.put(left, package("y", "1"))
    assert (await site.ask("graph_verify")).ok


async def test_a_deletion_that_died_before_it_looked_again_is_taken_back_of_a_protected_graph(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = await twins(tmp_path, PROTECT)
    held = (await site.exported(branch="one"))[1]

    async def dies(self: LanceGraphs, graph: str, name: str, **given: Any) -> int:
        await DELETE(self, graph, "two", **(given | {"observed": 1}))
        await DELETE(self, graph, name, **given)
        raise KeyboardInterrupt

    async def kept(*_: object, **__: object) -> None:
        """A killed process releases nothing."""

    with monkeypatch.context() as patch:
        patch.setattr(LanceGraphs, "branch_delete", dies)
        patch.setattr(Leases, "_release", kept)
        with pytest.raises(KeyboardInterrupt):
            await site.ask("branch_delete", branch="one", intent="a test")
    site.cluster = await site.bench.open()
    assert await names(site) == ["main"]

    refreshed = await call(site.cluster, site.bench.sarah, "refresh", {"intent": "look"})

    assert refreshed.ok, refreshed
    assert await names(site) == ["main", "one"]
    assert (await site.exported(branch="one"))[1] == held
    (op,) = [o for o in await site.cluster.journal.list() if o.action == "branch_delete"]
    assert op.status == "failed"
