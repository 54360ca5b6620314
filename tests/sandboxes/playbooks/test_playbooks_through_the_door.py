"""An agent makes a playbook of what it did in a sandbox, changes it, and runs it elsewhere and for real."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from agentctl.engine.lending import lending_of
from agentctl.engine.sandboxed import inside
from agentctl.engine.sandboxes.migration import VERSION_TABLE
from agentctl.engine.sandboxes.opening import open_store
from agentctl.engine.sandboxes.settings import StoreConfig
from agentctl.engine.snapshotting import snapshot_named
from agentctl.testing import sandbox_records as make
from agentctl.testing.builders import QUERY, WIDER_SCHEMA, cluster_yaml, decide
from agentctl.testing.clock import START
from agentctl.testing.consent import caller
from tests.sandboxes.inside.inside_rig import names_in
from tests.sandboxes.tools.sandbox_desk import Desk, desk

ROW = '{"type": "Package", "data": {"name": "c", "note": "new"}}'
NEWER = """\
query with_note() {
  match { $p: Package }
  return { $p.name, $p.note }
  order { $p.name asc }
}
"""
SECRET = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"


async def tried(at: Desk) -> str:
    """Returns a sandbox in which a schema was widened, a query added and a row loaded."""
    box: str = (await at.must("sandbox_open", name="try")).sandbox
    await at.ask("draft_edit", in_=box, path="supply.pg", old="none of it", new="x")  # it fails
    await at.must("draft_edit", in_=box, path="supply.pg", content=WIDER_SCHEMA)
    await at.must("draft_edit", in_=box, path="supply.gq", content=QUERY + NEWER)
    await at.must("sandbox_snapshot", in_=box, name="edited")
    planned = await at.must("plan", in_=box)
    await at.must("apply", in_=box, plan_id=planned.result.plan_digest, intent="try")
    await at.must("sandbox_write", in_=box, graph="supply", rows=ROW)
    await at.must("run_query", in_=box, query="supply.with_note")
    return box


async def content_of(at: Desk, box: str) -> list[object]:
    """Returns what a sandbox holds: its files and schemas by digest, what differs, and the rows."""
    sandbox_id = box.removeprefix("sandbox:")
    lending = await lending_of(at.cluster.store, sandbox_id)
    assert lending is not None
    async with inside(at.cluster, sandbox_id) as inner:
        now = await snapshot_named(at.cluster, inner, lending, "now")
    changes = (await at.must("sandbox_diff", in_=box)).changes
    rows = (await at.must("run_query", in_=box, query="supply.with_note")).rows
    schemas = {name: (at.schema_digest, at.shape_digest) for name, at in now.graphs.items()}
    return [now.files, schemas, msgspec.structs.replace(changes, commands_run=()), list(rows)]


async def test_what_was_done_in_a_sandbox_is_done_again_in_another(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        box = await tried(at)
        made = await at.must("playbook_from_sandbox", in_=box, name="notes")

        assert [(t.module, t.name) for t in made.tasks] == [
            ("draft_edit", "draft_edit supply.pg"),
            ("draft_edit", "draft_edit supply.gq"),
            ("apply", "apply"),
            ("load_rows", "load_rows supply"),
        ]
        assert not any({"in", "plan_id", "idempotency_key"} & set(t.params) for t in made.tasks)
        assert made.author == at.agent.id
        fresh = (await at.must("sandbox_open", name="again")).sandbox
        ran = await at.must("playbook_run", name="notes", in_=fresh, intent="again")

        assert (ran.status, ran.done, ran.place) == ("done", 4, fresh)
        assert await content_of(at, fresh) == await content_of(at, box)
        assert await names_in(at.cluster, "supply") == ["a", "b"]


async def test_a_playbook_runs_for_real_as_its_caller(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        await at.must("playbook_from_sandbox", in_=await tried(at), name="notes")

        ran = await at.must("playbook_run", name="notes", intent="notes for packages")

        assert (ran.status, ran.done, ran.draft) == ("done", 4, None)
        assert all(task.op is not None for task in ran.tasks[2:])
        assert await names_in(at.cluster, "supply") == ["a", "b", "c"]
        assert (at.bench.path / "supply.pg").read_text() == WIDER_SCHEMA


def modules_of(shown: Any) -> list[str]:
    return [task.module for task in shown.tasks]


def as_written(at: Desk, shown: Any) -> dict[str, object]:
    """Returns the play that a playbook's file holds, which is what is shown of it."""
    text = (at.bench.path / shown.file).read_text(encoding="utf-8")
    assert text == shown.yaml
    (play,) = yaml.safe_load(text)
    assert isinstance(play, dict)
    return play


async def test_a_gate_stops_a_run_for_real_and_it_goes_on_after_the_decision(
    tmp_path: Path,
) -> None:
    async with desk(tmp_path, "supply", "other") as at:
        await at.must("playbook_create", name="less")
        for module, params in [
            ("draft_edit", {"path": "cluster.yaml", "content": cluster_yaml("supply")}),
            ("apply", {}),
            (
                "load_rows",
                {"graph": "supply", "rows": '{"type": "Package", "data": {"name": "z"}}'},
            ),
        ]:
            await at.must("playbook_edit", name="less", change="add", module=module, params=params)
        stopped = await at.ask("playbook_run", name="less", intent="one graph is enough")
        ran: Any = stopped.data

        assert stopped.ok
        assert (ran.status, ran.done) == ("waiting", 1)
        assert "graph.other" in await graphs_of(at)
        assert await names_in(at.cluster, "supply") == ["a", "b"]
        asking, resuming = stopped.next
        assert (asking.tool, resuming.tool) == ("approve", "playbook_run")
        resume = {"name": "less", "resume": ran.run, "intent": "one graph is enough"}
        assert dict(resuming.arguments) == resume
        again = await at.must("playbook_run", **resume)
        assert (again.status, again.done, again.tasks[1].attempts) == ("waiting", 1, 2)
        await approved(at, dict(asking.arguments))
        ended = await at.must("playbook_run", **resume)

        assert (ended.status, ended.done) == ("done", 3)
        assert "graph.other" not in await graphs_of(at)
        assert await names_in(at.cluster, "supply") == ["a", "b", "z"]
        assert await at.codes("playbook_run", **resume) == ["playbook_run_over"]
        known = (await at.must("playbook_show", name="less")).runs
        assert [(r.run, r.status) for r in known] == [(ran.run, "done")]


async def graphs_of(at: Desk) -> set[str]:
    head = await at.cluster.ledger.head()
    assert head is not None
    applied = head.envelope.state.applied_revision.resources
    return {name for name in applied if name.startswith("graph.")}


async def approved(at: Desk, asking: dict[str, Any]) -> None:
    """Lets the agent ask for a gate as it was told, and sarah decide it."""
    asked = await at.must(
        "request_approval",
        **{k + "_" if k == "in" else k: v for k, v in asking.items()},
        intent="x",
    )
    request = await at.cluster.approvals.find(asked.request_id)
    assert request is not None
    await decide(at.cluster, request)


async def test_a_playbook_is_edited_and_put_into_another_order(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        made = await at.must("playbook_from_sandbox", in_=await tried(at), name="notes")
        pg, gq, apply, rows = (task.id for task in made.tasks)

        turned = await at.must("playbook_reorder", name="notes", tasks=[gq, pg, apply, rows])
        assert [t.id for t in turned.tasks] == [gq, pg, apply, rows]
        edited = await at.must(
            "playbook_edit",
            name="notes",
            change="update",
            task=rows,
            title='Wörds: "of" it\n  - all',
            params={"graph": "supply", "rows": ROW.replace('"c"', '"d"')},
        )
        await at.must(
            "playbook_edit",
            name="notes",
            change="add",
            module="run_query",
            params={"query": "supply.with_note"},
        )
        left = await at.must("playbook_edit", name="notes", change="delete", task=gq)

        assert modules_of(edited)[-1] == "load_rows"
        assert modules_of(left) == ["draft_edit", "apply", "load_rows", "run_query"]
        play = as_written(at, left)
        assert (play["name"], play["hosts"], play["become"]) == ("notes", "cluster", False)
        assert play["tasks"] == [{"name": t.name, t.module: t.params} for t in left.tasks]
        listed = (await at.must("playbook_list")).playbooks
        assert [(p.name, p.author, p.tasks) for p in listed] == [("notes", at.agent.id, 4)]
        await at.must("playbook_delete", name="notes")
        assert not (at.bench.path / left.file).exists()
        assert await at.codes("playbook_show", name="notes") == ["sandbox_record_not_found"]


@pytest.mark.parametrize("wrong", ["missing", "twice", "foreign", "unknown"])
async def test_an_order_that_is_no_permutation_fails_as_a_whole(tmp_path: Path, wrong: str) -> None:
    """Acceptance case 21."""
    async with desk(tmp_path) as at:
        foreign = await with_tasks(at, "other", 1)
        mine = await with_tasks(at, "mine", 3)
        orders = {
            "missing": mine[:2],
            "twice": [mine[0], mine[1], mine[1]],
            "foreign": [*mine[:2], *foreign],
            "unknown": [*mine, "01J00000000000000000000000"],
        }

        codes = await at.codes("playbook_reorder", name="mine", tasks=orders[wrong])

        assert codes == ["sandbox_record_invalid"]
        assert [t.id for t in (await at.must("playbook_show", name="mine")).tasks] == mine


async def with_tasks(at: Desk, name: str, number: int) -> list[str]:
    shown = await at.must("playbook_create", name=name)
    for _ in range(number):
        shown = await at.must(
            "playbook_edit", name=name, change="add", module="validate", params={}
        )
    return [task.id for task in shown.tasks]


@pytest.mark.parametrize(
    ("module", "params", "code"),
    [
        ("no_such", {}, "unknown_operation"),
        ("decide", {"request": "x", "verdict": "approve"}, "human_only"),
        ("approve", {}, "human_only"),
        ("load_rows", {"graph": "supply"}, "invalid_arguments"),
        ("load_rows", {"graph": "supply", "rows": "", "rowz": ""}, "invalid_arguments"),
        ("apply", {"in": "cluster"}, "playbook_task_refused"),
        ("apply", {"idempotency_key": "k"}, "playbook_task_refused"),
        ("sandbox_open", {}, "playbook_task_refused"),
        ("playbook_run", {"name": "p"}, "playbook_task_refused"),
        ("freeze", {}, "playbook_task_refused"),
        ("draft_edit", {"path": "a.env", "content": f"token: {SECRET}"}, "playbook_holds_secret"),
    ],
)
async def test_what_is_no_task_is_refused_and_nothing_changes(
    tmp_path: Path, module: str, params: dict[str, object], code: str
) -> None:
    async with desk(tmp_path) as at:
        (task,) = await with_tasks(at, "mine", 1)
        before = await at.must("playbook_show", name="mine")

        added = await at.ask(
            "playbook_edit", name="mine", change="add", module=module, params=params
        )
        changed = await at.ask(
            "playbook_edit", name="mine", change="update", task=task, module=module, params=params
        )

        assert (
            [d.code for d in added.diagnostics] == [d.code for d in changed.diagnostics] == [code]
        )
        assert SECRET not in repr((added, changed))
        assert await at.must("playbook_show", name="mine") == before


async def test_a_task_with_a_secrets_token_runs_once_it_was_edited(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        box = (await at.must("sandbox_open", name="try")).sandbox
        rows = '{"type": "Package", "data": {"name": "k", "version": "%s"}}'
        await at.must("sandbox_write", in_=box, graph="supply", rows=rows % SECRET)
        made = await at.must("playbook_from_sandbox", in_=box, name="keyed")
        (task,) = made.tasks
        ran = {"name": "keyed", "in_": box, "intent": "again"}

        assert task.missing == ("$.rows",)
        assert SECRET not in made.yaml
        assert await at.codes("playbook_run", **ran) == ["playbook_needs_parameter"]
        assert (await at.must("playbook_show", name="keyed")).runs == ()
        params = {"graph": "supply", "rows": rows % "1.2", "mode": "merge"}
        await at.must("playbook_edit", name="keyed", change="update", task=task.id, params=params)
        assert (await at.must("playbook_run", **ran)).status == "done"


async def test_anothers_playbook_is_read_and_run_but_changed_by_its_author_or_a_human(
    tmp_path: Path,
) -> None:
    other = caller("agent:other", "agent", "http")
    async with desk(tmp_path) as at:
        (task,) = await with_tasks(at, "mine", 1)
        runs = await at.must("playbook_run", name="mine", intent="look")

        changes: dict[str, dict[str, Any]] = {
            "playbook_edit": {"change": "delete", "task": task},
            "playbook_reorder": {"tasks": [task]},
            "playbook_delete": {},
        }
        for operation, more in changes.items():
            codes = await at.codes(operation, by=other, name="mine", **more)
            assert codes == ["playbook_not_yours"]
        assert (await at.must("playbook_show", by=other, name="mine")).tasks[0].id == task
        theirs = await at.must("playbook_run", by=other, name="mine", intent="look")
        assert (theirs.by, runs.by) == (other.id, at.agent.id)
        await at.must("playbook_delete", by=at.bench.sarah, name="mine")


async def test_a_run_has_no_right_that_its_caller_lacks(tmp_path: Path) -> None:
    other = caller("agent:other", "agent", "http")
    async with desk(tmp_path) as at:
        await at.must("playbook_from_sandbox", in_=await tried(at), name="notes")
        theirs = (await at.must("sandbox_open", name="own")).sandbox

        assert await at.codes("playbook_run", by=other, name="notes", in_=theirs, intent="x") == [
            "sandbox_not_found"
        ]
        looks = msgspec.structs.replace(other, scopes=("look", "try"))
        assert await at.codes("playbook_run", by=looks, name="notes", intent="x") == [
            "scope_missing"
        ]
        assert await at.codes("playbook_from_sandbox", by=other, in_=theirs, name="n") == [
            "sandbox_not_found"
        ]


async def test_a_failure_stops_a_run_and_a_resumption_tries_that_task_again(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        await at.must("playbook_create", name="rows")
        for name in ("c", "b", "d"):  # b is there already
            row = f'{{"type": "Package", "data": {{"name": "{name}"}}}}'
            params = {"graph": "supply", "rows": row}
            await at.must(
                "playbook_edit", name="rows", change="add", module="load_rows", params=params
            )
        failed = await at.ask("playbook_run", name="rows", intent="rows", idempotency_key="k")
        ran: Any = failed.data

        assert (failed.ok, ran.status, ran.done) == (False, "failed", 1)
        assert failed.diagnostics
        assert await names_in(at.cluster, "supply") == ["a", "b", "c"]
        told = await at.ask("playbook_run", name="rows", intent="rows", idempotency_key="k")
        known: Any = told.data
        assert (known.run, known.tasks[1].attempts) == (ran.run, 1)
        assert [d.code for d in told.diagnostics] == [d.code for d in failed.diagnostics]
        again: Any = (await at.ask("playbook_run", name="rows", intent="rows", resume=ran.run)).data
        assert (again.status, again.tasks[1].attempts) == ("failed", 2)
        other = caller("agent:other", "agent", "http")
        codes = await at.codes("playbook_run", by=other, name="rows", intent="rows", resume=ran.run)
        assert codes == ["playbook_not_yours"]
        unknown = "01J00000000000000000000000"
        codes = await at.codes("playbook_run", name="rows", intent="rows", resume=unknown)
        assert codes == ["playbook_run_not_found"]


async def test_what_a_restore_took_back_is_no_task(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        box = (await at.must("sandbox_open", name="try")).sandbox
        await at.must("draft_edit", in_=box, path="supply.pg", content=WIDER_SCHEMA)
        await at.must("sandbox_snapshot", in_=box, name="good")
        await at.must("draft_edit", in_=box, path="supply.gq", content=QUERY + NEWER)
        await at.must("sandbox_restore", in_=box, name="good")

        made = await at.must("playbook_from_sandbox", in_=box, name="kept", target="sandbox")

        assert [t.params["path"] for t in made.tasks] == ["supply.pg"]
        assert await at.codes("playbook_run", name="kept", intent="x") == ["playbook_task_refused"]


async def test_names_are_there_once_and_empty_ones_do_not_run(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        await at.must("playbook_create", name="one")

        assert await at.codes("playbook_create", name="one") == ["sandbox_record_exists"]
        assert await at.codes("playbook_create", name="a\nb") == ["invalid_arguments"]
        assert await at.codes("playbook_run", name="one", intent="x") == ["playbook_task_refused"]
        assert await at.codes("playbook_run", name="one", intent=" ") == ["intent_required"]
        assert await at.codes("playbook_run", name="one", in_="01J9", intent="x") == [
            "invalid_arguments"
        ]


async def test_a_run_that_somebody_is_at_is_not_gone_on_with(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        await with_tasks(at, "mine", 1)
        await at.must("playbook_edit", name="mine", change="add", module="lint", params={})
        await at.must(
            "playbook_edit",
            name="mine",
            change="add",
            module="mutate",
            params={"query": "supply.no"},
        )
        stopped: Any = (await at.ask("playbook_run", name="mine", intent="x")).data
        resume = {"name": "mine", "intent": "x", "resume": stopped.run}

        async with at.cluster.leases.hold(
            f"playbook.{stopped.run}", principal=at.agent.id, operation="playbook_run"
        ):
            assert await at.codes("playbook_run", **resume) == ["state_lock_held"]
        (known,) = (await at.must("playbook_show", name="mine")).runs
        assert known == stopped


async def test_a_request_that_is_sent_again_goes_on_with_its_run_and_begins_no_other(
    tmp_path: Path,
) -> None:
    async with desk(tmp_path) as at:
        await with_tasks(at, "mine", 2)
        asked: dict[str, Any] = {"name": "mine", "intent": "x", "idempotency_key": "k"}

        first = await at.must("playbook_run", **asked)
        again = await at.must("playbook_run", **asked)

        assert first == again
        assert len((await at.must("playbook_show", name="mine")).runs) == 1
        other = asked | {"intent": "y"}
        assert await at.codes("playbook_run", **other) == ["idempotency_conflict"]


async def test_a_mutation_that_was_tried_runs_in_a_sandbox_and_for_real(tmp_path: Path) -> None:
    adds = QUERY + "query add($name: String) { insert Package { name: $name } }\n"
    async with desk(tmp_path) as at:
        box = (await at.must("sandbox_open", name="try")).sandbox
        await at.must("draft_edit", in_=box, path="supply.gq", content=adds)
        await at.must("apply", in_=box, intent="try")
        await at.must("sandbox_write", in_=box, query="supply.add", params={"name": "m"})
        made = await at.must("playbook_from_sandbox", in_=box, name="adds")
        fresh = (await at.must("sandbox_open", name="again")).sandbox
        await at.must("playbook_run", name="adds", in_=fresh, intent="x")
        await at.must("playbook_run", name="adds", intent="x")

        assert modules_of(made) == ["draft_edit", "apply", "mutate"]
        read = await at.must("run_query", in_=fresh, query="supply.all_packages")
        assert [row["p.name"] for row in read.rows] == ["a", "b", "m"]
        assert await names_in(at.cluster, "supply") == ["a", "b", "m"]


async def test_playbooks_of_an_older_store_have_no_author_and_are_for_humans_to_change(
    tmp_path: Path,
) -> None:
    url = f"sqlite:///{tmp_path / 'history.sqlite'}"
    store = await open_store(StoreConfig(url=url), clock=lambda: START)
    await store.create_playbook(make.playbook("old", name="old"))
    await store.close()
    with closing(sqlite3.connect(tmp_path / "history.sqlite")) as older:
        older.execute("ALTER TABLE playbooks DROP COLUMN author")
        older.execute(f"UPDATE {VERSION_TABLE} SET version_num = 'records_0001'")
        older.commit()

    async with desk(tmp_path) as at:
        assert (await at.must("playbook_show", name="old")).author is None
        assert await at.codes("playbook_delete", name="old") == ["playbook_not_yours"]
        await at.must("playbook_delete", by=at.bench.sarah, name="old")


async def test_a_write_that_can_be_no_task_is_left_out_and_told(tmp_path: Path) -> None:
    lines = tmp_path / "rows.ndjson"
    lines.write_text(ROW.replace(', "note": "new"', "") + "\n", encoding="utf-8")
    async with desk(tmp_path) as at:
        box = (await at.must("sandbox_open", name="try")).sandbox
        await at.must(
            "load", by=at.bench.sarah, in_=box, graph="supply", file=str(lines), intent="by file"
        )

        made = await at.ask("playbook_from_sandbox", in_=box, name="none")

        assert made.ok
        assert [(d.code, d.severity, d.path) for d in made.diagnostics] == [
            ("playbook_task_refused", "warning", "load")
        ]
