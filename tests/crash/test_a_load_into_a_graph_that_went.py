"""A load lost its answer, and then its graph was removed or renamed: its op is ended all the same.

Who loads into a graph settles the loads before; into these graphs nobody loads again.
"""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from agentctl.testing.builders import QUERY, SCHEMA, cluster_yaml
from agentctl.testing.crash import NEVER
from agentctl.testing.crash_cases.words import approved, asked_for, two_with_rows
from agentctl.testing.faults import Fault, Faults
from agentctl.testing.simulation.loop import run_virtually
from agentctl.testing.sites import MemoryDisk, Site, do
from agentctl_tools.operation import Envelope

ROW = b'{"type": "Package", "data": {"name": "late"}}\n'


async def load(site: Site, faults: Faults) -> Envelope:
    file = site.path / "late.ndjson"
    file.write_bytes(ROW)
    arguments = {"graph": "spare", "file": str(file), "intent": "one more"}
    return await do(await site.opened(faults), "load", arguments)


async def removed(site: Site) -> None:
    site.write({"spare.pg": None, "spare.gq": None, "cluster.yaml": cluster_yaml("supply")})
    await asked_for()(site)
    await approved(site)


async def renamed(site: Site) -> None:
    move = "moved: [{from: graph.spare, to: graph.parts}]\n"
    site.write({"spare.pg": None, "spare.gq": None, "parts.pg": SCHEMA, "parts.gq": QUERY})
    site.write({"cluster.yaml": cluster_yaml("supply", "parts", policies=move)})


@pytest.mark.parametrize("went", [removed, renamed])
@pytest.mark.parametrize(("fault", "ended"), [("lost", "success"), ("refused", "failed")])
def test_its_op_is_ended_as_what_it_was(
    fault: Fault, ended: str, went: Callable[[Site], Awaitable[None]], tmp_path: Path
) -> None:
    async def story() -> None:
        site = Site(tmp_path / "site", MemoryDisk())
        await two_with_rows(site)
        whole = site.copied(tmp_path / "whole")
        counted = Faults(whole.start(), NEVER)
        await load(whole, counted)
        known = {op.id for op in await (await site.open()).journal.list(limit=100)}
        struck = Faults(site.start(), counted.labels.index("graph load spare") + 1, fault)
        await load(site, struck)
        await went(site)
        await site.must("apply", {"intent": "it goes"})
        await site.must("refresh", {"intent": "a look"})

        ops = await (await site.open()).journal.list(limit=100)
        (found,) = [op for op in ops if op.action == "load" and op.id not in known]
        assert found.status == ended

    run_virtually(story)
