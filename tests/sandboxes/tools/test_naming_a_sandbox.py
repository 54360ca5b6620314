"""What is about one sandbox is told when no sandbox is named, and never done to the cluster itself."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from agentctl.engine.history import History
from tests.sandboxes.tools.sandbox_desk import desk

ROW = '{"type": "Package", "data": {"name": "z"}}\n'
NAMES = ("cluster", "folder", "draft:01ARZ3NDEKTSV4RRFFQ69G5FAV", "01ARZ3NDEKTSV4RRFFQ69G5FAV", "x")


@pytest.mark.parametrize("by_human", [False, True])
async def test_what_is_about_a_sandbox_is_refused_where_none_is_named(
    tmp_path: Path,
    by_human: bool,  # noqa: FBT001
) -> None:
    async with desk(tmp_path) as here:
        by = here.bench.sarah if by_human else here.agent
        before = (await here.must("graph_show", by=here.bench.sarah, graph="supply")).summary
        for name in NAMES:
            for operation, given in (
                ("sandbox_show", {}),
                ("sandbox_diff", {}),
                ("sandbox_commands", {}),
                ("sandbox_close", {}),
                ("sandbox_snapshot", {"name": "s"}),
                ("sandbox_restore", {"name": "s"}),
                ("sandbox_write", {"graph": "supply", "rows": ROW}),
            ):
                found = await here.codes(operation, by=by, in_=name, **given)
                assert found == ["sandbox_not_found"], (operation, name)

        after = (await here.must("graph_show", by=here.bench.sarah, graph="supply")).summary
        assert after == before


async def test_with_a_history_that_is_only_read_nothing_is_done_in_a_sandbox_but_looked_at(
    tmp_path: Path,
) -> None:
    async with desk(tmp_path) as here:
        opened = (await here.must("sandbox_open", name="try")).sandbox
        await here.must("sandbox_snapshot", in_=opened, name="one")
        await here.must("sandbox_snapshot", in_=opened, name="two")
        assert here.cluster.history is not None
        looking = msgspec.structs.replace(here.cluster.history.config, read_only=True)
        history = History(looking, here.bench.world.now)
        here.cluster = msgspec.structs.replace(here.cluster, history=history)
        refused: dict[str, dict[str, Any]] = {
            "sandbox_open": {},
            "sandbox_sweep": {},
            "sandbox_close": {"in_": opened},
            "sandbox_snapshot": {"in_": opened, "name": "s"},
            "sandbox_restore": {"in_": opened, "name": "one"},
            "sandbox_write": {"in_": opened, "graph": "supply", "rows": ROW},
            "apply": {"in_": opened, "intent": "x"},
            "draft_edit": {"in_": opened, "path": "a.gq", "content": ""},
            "sandbox_changeset": {"in_": opened},
            "publish": {"in_": opened, "to": "folder", "intent": "x"},
        }
        try:
            for operation, given in refused.items():
                found = await here.codes(operation, **given)
                assert found == ["sandbox_store_read_only"], operation

            listed = await here.must("sandbox_list")
            assert [one.name for one in listed.sandboxes] == ["try"]
            assert (await here.must("sandbox_show", in_=opened)).snapshots == ("one", "two")
            await here.must("sandbox_diff", in_=opened, before="one", after="two")
        finally:
            await history.aclose()
