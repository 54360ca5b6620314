"""An agent works in a sandbox through the door, and nothing of the real cluster moves."""

from pathlib import Path

import pytest

from agentctl.domain.sandbox.listing import ListOptions
from agentctl.domain.sandbox.records import Command
from agentctl.engine.sandboxes.store import Store
from agentctl.testing.builders import QUERY, WIDER_SCHEMA
from agentctl.testing.consent import caller
from tests.sandboxes.inside.inside_rig import left_of, names_in
from tests.sandboxes.tools.sandbox_desk import desk

ROW = '{"type": "Package", "data": {"name": "c", "note": "new"}}'
NEWER = """\
query with_note() {
  match { $p: Package }
  return { $p.name, $p.note }
  order { $p.name asc }
}
"""


async def test_a_schema_change_a_query_and_rows_are_tried_and_compared(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        before = await at.cluster.ledger.head()
        opened = await at.must("sandbox_open", name="try", purpose="a note for packages")
        box = opened.sandbox
        edited = await at.must("draft_edit", in_=box, path="supply.pg", content=WIDER_SCHEMA)
        assert edited.valid
        await at.must("draft_edit", in_=box, path="supply.gq", content=QUERY + NEWER)
        await at.must("sandbox_snapshot", in_=box, name="edited")
        planned = await at.must("plan", in_=box)
        assert planned.result.target == box
        applied = await at.must(
            "apply", in_=box, plan_id=planned.result.plan_digest, intent="try", idempotency_key="k"
        )
        assert applied.converged
        await at.must("sandbox_write", in_=box, graph="supply", rows=ROW)
        read = await at.must("run_query", in_=box, query="supply.with_note")
        assert [r["p.name"] for r in read.rows] == ["a", "b", "c"]
        found = (await at.must("sandbox_diff", in_=box)).changes

        assert found.files_modified == ("supply.gq", "supply.pg")
        assert [p.name for p in found.packages_added] == ["supply.Package.note"]
        assert [(s.name, s.state) for s in found.services_changed] == [
            ("query.supply.all_packages", "changed"),  # its digest is its file's
            ("query.supply.with_note", "added"),
        ]
        assert [(r.type_name, r.added, r.changed, r.removed) for r in found.rows] == [
            ("Package", 1, 0, 0)
        ]
        assert [c.cmd.split()[0] for c in found.commands_run] == [
            "draft_edit",
            "draft_edit",
            "sandbox_snapshot",
            "plan",
            "apply",
            "sandbox_write",
            "run_query",
        ]
        assert await at.cluster.ledger.head() == before
        assert await names_in(at.cluster, "supply") == ["a", "b"]
        await at.must("sandbox_close", in_=box)
        assert left_of(at.bench) == []


async def test_an_agents_sandbox_is_not_there_for_another_agent(tmp_path: Path) -> None:
    other = caller("agent:other", "agent", "http")
    async with desk(tmp_path) as at:
        box = (await at.must("sandbox_open")).sandbox

        for name, arguments in {
            "plan": {},
            "draft_edit": {"path": "supply.pg", "content": "x"},
            "sandbox_write": {"graph": "supply", "rows": ROW},
            "sandbox_diff": {},
            "sandbox_close": {},
            "query": {
                "graph": "supply",
                "query": "query q() { match { $p: Package } return { $p.name } }",
            },
        }.items():
            assert await at.codes(name, by=other, in_=box, **arguments) == ["sandbox_not_found"]
        assert (await at.must("sandbox_list", by=other)).sandboxes == ()
        assert len((await at.must("sandbox_list")).sandboxes) == 1


async def test_what_is_not_for_a_sandbox_says_so(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        box = (await at.must("sandbox_open")).sandbox

        assert await at.codes("policy_validate", in_=box) == ["not_in_a_sandbox"]


async def test_a_draft_becomes_a_sandbox_with_its_edits(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        draft = (await at.must("draft_edit", path="supply.pg", content=WIDER_SCHEMA)).draft

        box = (await at.must("sandbox_open", in_=draft)).sandbox

        assert box == f"sandbox:{draft}"
        found = (await at.must("sandbox_diff", in_=box)).changes
        assert found.files_modified == ("supply.pg",)
        assert await at.codes("sandbox_open", in_=draft) == ["sandbox_exists"]


async def test_a_draft_that_became_a_sandbox_is_closed_and_not_discarded(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        draft = (await at.must("draft_edit", path="supply.pg", content=WIDER_SCHEMA)).draft
        box = (await at.must("sandbox_open", in_=draft)).sandbox

        assert await at.codes("draft_discard", draft=draft) == ["sandbox_exists"]

        assert await at.codes("draft_edit", in_=draft, path="supply.pg", content="x") == [
            "sandbox_exists"
        ]
        assert (await at.must("draft_list")).drafts == ()
        planned = await at.must("plan", in_=draft)
        assert [c.resource for c in planned.result.changes] == ["graph.supply", "schema.supply"]
        await at.must("sandbox_close", in_=box)
        assert left_of(at.bench) == []


async def test_commands_are_read_a_page_at_a_time_and_not_at_all_to_be_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    listed = Store.list_commands

    async def watched(store: Store, sandbox: str, options: ListOptions) -> tuple[Command, ...]:
        found = await listed(store, sandbox, options)
        read.append(len(found))
        return found

    monkeypatch.setattr(Store, "list_commands", watched)
    async with desk(tmp_path) as at:
        box = (await at.must("sandbox_open")).sandbox
        for name in ("one", "two", "three"):
            await at.must("sandbox_snapshot", in_=box, name=name)
        assert not (await at.ask("sandbox_snapshot", in_=box, name="one")).ok
        made = await at.must("sandbox_changeset", in_=box)
        assert "4 commands, 1 of them refused or failed" in made.tried.evidence

        assert (await at.must("sandbox_show", in_=box)).commands == 5
        assert read == []
        page = await at.must("sandbox_commands", in_=box, limit=2, offset=1)
        assert (len(page.commands), page.total, read) == (2, 5, [2])
        past = await at.must("sandbox_commands", in_=box, offset=2**70)
        assert (past.commands, past.total, read) == ((), 5, [2])
