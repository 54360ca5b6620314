"""Ops as people and programs look at them: log, lanes, paging, differences, descriptions of the DAG."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from agentctl.domain.ops.comparing import Moved, compare
from agentctl.domain.ops.record import Lineage, Op, OpActor, Snapshot, Snapshots
from agentctl.domain.policy.caller import Caller
from agentctl.engine.cluster import Cluster
from agentctl.testing.builders import QUERY, Bench, folder_files
from agentctl.views.ops_dag import ops_dag
from agentctl.views.ops_lanes import Lanes
from agentctl_tools.door import call
from agentctl_tools.ops import OpList, OpShown


async def changed(tmp_path: Path, times: int) -> tuple[Bench, Cluster]:
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files("supply"))
    for number in range(times):
        text = QUERY + f"// {number}\n"
        bench.write({"supply.gq": text})
        done = await call(cluster, bench.sarah, "apply", {"intent": f"change {number}"})
        assert done.ok, done
    return bench, cluster


async def listed(cluster: Cluster, by: Caller, **arguments: object) -> OpList:
    envelope = await call(cluster, by, "ops", arguments)
    assert isinstance(envelope.data, OpList), envelope
    return envelope.data


async def test_the_log_names_the_ledger_object_that_each_op_wrote(tmp_path: Path) -> None:
    bench, cluster = await changed(tmp_path, 2)

    data = await listed(cluster, bench.sarah)

    assert [data.objects[op.id] for op in data.ops] == [3, 2, 1]
    assert data.before is None


async def test_pages_of_the_log_hold_every_op_once(tmp_path: Path) -> None:
    bench, cluster = await changed(tmp_path, 4)
    whole = await listed(cluster, bench.sarah)
    found: list[str] = []
    before: str | None = None

    while True:
        page = await listed(cluster, bench.sarah, limit=2, before=before)
        found += [op.id for op in page.ops]
        if (before := page.before) is None:
            break

    assert found == [op.id for op in whole.ops]


async def test_an_op_is_found_by_a_beginning_that_only_it_has(tmp_path: Path) -> None:
    bench, cluster = await changed(tmp_path, 1)
    newest = (await listed(cluster, bench.sarah)).ops[0]

    one = await call(cluster, bench.sarah, "ops", {"id": newest.id[:-2]})
    all_of_them = await call(cluster, bench.sarah, "ops", {"id": newest.id[:8]})

    assert isinstance(one.data, OpShown)
    assert one.data.op == newest
    assert [d.code for d in all_of_them.diagnostics] == ["op_not_found"]
    assert "2 ops begin so" in all_of_them.diagnostics[0].message


async def test_undone_by_is_told_only_of_what_was_undone_whole(tmp_path: Path) -> None:
    bench, cluster = await changed(tmp_path, 2)
    newest, first, _ = (await listed(cluster, bench.sarah)).ops
    back = await call(cluster, bench.sarah, "rollback", {"intent": "back", "op": newest.id})
    gated = await call(cluster, bench.sarah, "rollback", {"intent": "back", "op": first.id})
    assert back.ok
    assert gated.ok

    data = await listed(cluster, bench.sarah)

    assert newest.id in data.undone_by
    assert first.id not in data.undone_by


async def test_the_difference_of_an_op_is_what_it_moved(tmp_path: Path) -> None:
    bench, cluster = await changed(tmp_path, 2)
    ops = (await listed(cluster, bench.sarah)).ops

    one = await call(cluster, bench.sarah, "ops_diff", {"id": ops[0].id})
    two = await call(cluster, bench.sarah, "ops_diff", {"id": ops[1].id, "other": ops[0].id})

    assert one.data == two.data
    moved = [m.name for m in one.data.moved]  # type: ignore[attr-defined]  # a SnapshotDiff, by the registry
    assert moved == ["graph.supply", "query.supply.all_packages"]


async def test_an_op_without_an_end_has_no_difference(tmp_path: Path) -> None:
    bench, cluster = await changed(tmp_path, 1)
    op = (await listed(cluster, bench.sarah)).ops[0]
    bench.objects.pop(f"ops/{op.id}/post.json")

    envelope = await call(cluster, bench.sarah, "ops_diff", {"id": op.id})

    assert [d.code for d in envelope.diagnostics] == ["op_has_no_snapshot"]


def test_a_comparison_tells_what_came_what_went_and_what_moved() -> None:
    before = Snapshot(seq=1, state_cas=None, resource_digests={"a": "1", "b": "1"}, graphs={})
    after = Snapshot(seq=2, state_cas=None, resource_digests={"a": "2"}, graphs={"g": "main:1"})

    assert compare(before, after).moved == (
        Moved(what="resource", name="a", before="1", after="2"),
        Moved(what="resource", name="b", before="1", after=None),
        Moved(what="graph", name="g", before=None, after="main:1"),
    )


def test_the_descriptions_of_the_dag_quote_what_somebody_wrote() -> None:
    op = Op(
        id='a"]; x [label="\\',
        actor=OpActor(nid="local:x", identity="x"),
        intent="x",
        workspace="w",
        component="cluster",
        operation="rollback",
        action="<b>rollback",
        targets=(),
        snapshots=Snapshots(pre="p"),
        lineage=Lineage(parent_op="p", rollback_of="u"),
        status="success",
        started_at="2026-11-21T03:30:00.000Z",
    )

    assert ops_dag([op], "dot").splitlines() == [
        "digraph ops {",
        "  rankdir=BT;",
        "  node [shape=box];",
        "  op0 [label=\"a']; x [label='\\\\\\n<b>rollback: success\"];",
        "  op0 -> op1;",
        '  op0 -> op2 [style=dashed, label="undoes"];',
        "}",
    ]
    assert ops_dag([op], "mermaid").splitlines() == [
        "flowchart BT",
        '  op0["a#quot;]; x [label=#quot;\\<br>#lt;b#gt;rollback: success"]',
        "  op0 --> op1",
        "  op0 -. undoes .-> op2",
    ]


NODES = "abcdefgh"


@given(st.data())
def test_whoever_follows_the_lanes_of_any_dag_comes_to_each_parent(data: st.DataObject) -> None:
    dag: dict[str, list[str]] = {}
    for i, name in enumerate(NODES):
        older = NODES[i + 1 :]
        parents = (
            data.draw(st.lists(st.sampled_from(older), max_size=2, unique=True)) if older else []
        )
        dag[name] = parents
    lanes, rows = Lanes(), []
    for name, parents in dag.items():
        rows.append((name, lanes.node(name)[0]))
        rows += [("", line) for line in lanes.advance(parents)]

    assert lanes.end() is None
    assert _followed(rows) == {name: set(parents) for name, parents in dag.items()}


def _followed(rows: list[tuple[str, str]]) -> dict[str, set[str]]:
    """Reads a drawing as a person does: goes down from each node along every line."""
    found: dict[str, set[str]] = {name: set() for name, _ in rows if name}
    lanes: list[set[str]] = []
    """The nodes whose edge runs in each lane now."""
    for name, line in rows:
        if not name:
            lanes = _step(lanes, dict(enumerate(line)))
            continue
        marks = line.split(" ")
        lanes = [*lanes, *(set() for _ in marks)][: len(marks)]
        own = marks.index("*")
        for child in lanes[own]:
            found[child].add(name)
        lanes[own] = {name}
    return found


def _step(lanes: list[set[str]], at: dict[int, str]) -> list[set[str]]:
    """Follows one line of joints; what no stroke leads on ends here."""
    below: dict[int, set[str]] = {}
    for lane, nodes in enumerate(lanes):
        ends = [lane] if at.get(2 * lane) == "|" else []
        if at.get(2 * lane + 1) == "\\":
            end = lane + 1
            while at.get(2 * end + 1) == "_":
                end += 1
            ends.append(end)
        if at.get(2 * lane - 1) == "/":
            end = lane - 1
            while at.get(2 * end - 1) == "_":
                end -= 1
            ends.append(end)
        for end in ends:
            below.setdefault(end, set()).update(nodes)
    return [below.get(i, set()) for i in range(max(below, default=-1) + 1)]
