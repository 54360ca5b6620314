"""Rollback of definitions: a new op that goes forward, planned and gated like any change. Source: ops 2, 6."""

from pathlib import Path

from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.domain.ops.lineage import ancestors
from agentctl.domain.policy.caller import Caller
from agentctl.engine.apply import apply
from agentctl.engine.cluster import Cluster
from agentctl.engine.data import run_query
from agentctl.engine.results import ApplyResult
from agentctl.engine.rollback import RollbackResult, Undone, rollback, undoing
from agentctl.testing.builders import (
    QUERY,
    SCHEMA,
    WIDER_SCHEMA,
    Bench,
    cluster_yaml,
    folder_files,
    recorded,
    wanting,
)

COUNT = """\
query how_many() {
  match { $p: Package }
  return { count($p) as n }
}
"""


async def applied(bench: Bench, cluster: Cluster, files: dict[str, str | None]) -> ApplyResult:
    bench.write(files)
    result = await apply(cluster, bench.sarah, wanting())
    assert result.converged, result.diagnostics
    return result


async def undo(
    cluster: Cluster, by: Caller, *, to: int | None = None, op: str | None = None
) -> RollbackResult:
    undone = await undoing(cluster, to=to, op=op)
    assert isinstance(undone, Undone), undone
    return await rollback(cluster, by, undone, wanting("it was wrong"))


async def test_case_12_a_rollback_is_a_new_op_that_reaches_the_state_before_the_one_it_undoes(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files("supply"))
    first = await applied(bench, cluster, {})
    before = await recorded(cluster)
    second = await applied(bench, cluster, {"supply.pg": WIDER_SCHEMA, "supply.gq": QUERY + COUNT})
    assert first.op is not None
    assert second.op is not None
    record = await cluster.journal.get(second.op)

    result = await undo(cluster, bench.sarah, op=second.op)

    assert result.applied.converged, result.applied.diagnostics
    op = await cluster.journal.get(result.applied.op or "")
    assert op is not None
    assert (op.operation, op.action, op.status) == ("rollback", "rollback", "success")
    assert (op.lineage.rollback_of, op.lineage.parent_op) == (second.op, second.op)
    assert await cluster.journal.get(second.op) == record
    after = await recorded(cluster)
    assert after.applied_revision == before.applied_revision
    pre, post = await cluster.journal.pre(second.op), await cluster.journal.post(op.id)
    assert pre is not None
    assert post is not None
    assert post.resource_digests == pre.resource_digests
    head = await cluster.ledger.head()
    assert head is not None
    assert (head.envelope.kind, head.envelope.op) == ("rollback", op.id)
    walked = [a.id for a in ancestors(op.id, {o.id: o for o in await cluster.journal.list()})]
    assert walked == [op.id, second.op, first.op, walked[-1]]


async def test_case_13_a_rollback_of_a_rollback_does_it_again(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files("supply"))
    await applied(bench, cluster, {})
    second = await applied(bench, cluster, {"supply.gq": QUERY + COUNT})
    wanted = (await recorded(cluster)).applied_revision
    back = await undo(cluster, bench.sarah, op=second.op)
    gone = await run_query(cluster, bench.sarah, "query.supply.how_many", {}, 10)

    again = await undo(cluster, bench.sarah, op=back.applied.op)

    assert gone.reply is None
    assert again.applied.converged
    assert (await recorded(cluster)).applied_revision == wanted
    answered = await run_query(cluster, bench.sarah, "query.supply.how_many", {}, 10)
    assert answered.reply is not None, answered.diagnostics


async def test_a_rollback_by_number_tells_all_that_it_undoes(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files("supply"))
    await applied(bench, cluster, {})
    head = await cluster.ledger.head()
    assert head is not None
    second = await applied(bench, cluster, {"supply.gq": QUERY + COUNT})
    third = await applied(bench, cluster, {"supply.pg": WIDER_SCHEMA})

    undone = await undoing(cluster, to=head.seq, op=None)

    assert isinstance(undone, Undone)
    assert (undone.of.seq, undone.of.op, undone.also) == (head.seq, second.op, (third.op,))


async def test_a_rollback_that_deletes_a_graph_waits_for_a_human(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files("supply"))
    await applied(bench, cluster, {})
    second = await applied(bench, cluster, folder_files("supply", "other"))

    result = await undo(cluster, bench.agent, op=second.op)

    assert not result.applied.converged
    assert [n.resource for n in result.applied.approvals_required] == ["graph.other"]
    assert "graph.other" in (await recorded(cluster)).applied_revision.resources


async def test_what_had_waited_then_is_not_wanted_by_a_rollback(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files("supply"))
    await applied(bench, cluster, {})
    tighter = SCHEMA.replace("version: String?", "version: String")
    bench.write({"supply.pg": tighter, "supply.gq": QUERY + COUNT})
    partly = await apply(cluster, bench.sarah, wanting())
    then = (await recorded(cluster)).applied_revision.resources
    assert not partly.converged
    last = await applied(bench, cluster, {"supply.pg": WIDER_SCHEMA, "supply.gq": QUERY})

    result = await undo(cluster, bench.sarah, op=last.op)

    assert [d.code for d in result.applied.diagnostics] == []
    assert (await recorded(cluster)).applied_revision.resources == then


async def test_a_rollback_to_the_beginning_empties_the_cluster_behind_gates(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await bench.begun({"cluster.yaml": cluster_yaml()})
    first = await applied(bench, cluster, folder_files("supply"))

    result = await undo(cluster, bench.sarah, op=first.op)

    assert [n.resource for n in result.applied.approvals_required] == ["graph.supply"]


async def test_what_cannot_be_gone_back_to_is_told_by_its_code(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files("supply"))
    first = await applied(bench, cluster, {})
    begun = await cluster.journal.list()
    beginning = await undoing(cluster, to=None, op=begun[-1].id)
    nothing_above = await undoing(
        cluster, to=(await cluster.ledger.history())[0].seq, op=None, with_data=True
    )
    ambiguous = await undoing(cluster, to=None, op=(first.op or "")[:10])

    assert isinstance(beginning, Diagnostic)
    assert isinstance(nothing_above, Diagnostic)
    assert isinstance(ambiguous, Diagnostic)
    assert [beginning.code, nothing_above.code] == ["op_not_undoable", "op_not_undoable"]
    assert ambiguous.code == "op_not_found"


async def test_a_revision_of_which_nothing_is_left_is_refused(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files("supply"))
    await applied(bench, cluster, {})
    seq = (await cluster.ledger.history())[0].seq
    await applied(bench, cluster, {"supply.gq": QUERY + COUNT})
    source = next(k for k in bench.objects if "/resources/source/" in k)
    bench.objects[source] = b"damaged"

    damaged = await undo(cluster, bench.sarah, to=seq)
    beyond = await undo(cluster, bench.sarah, to=99)

    assert [d.code for d in damaged.applied.diagnostics] == ["revision_source_missing"]
    assert [d.code for d in beyond.applied.diagnostics] == ["revision_not_found"]
    assert not damaged.applied.state_written


async def test_what_the_source_of_a_revision_does_not_declare_is_told(tmp_path: Path) -> None:
    """A graph whose deletion waited was in force, and the source of then leaves it out."""
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files("supply", "other"))
    await applied(bench, cluster, {})
    bench.write({"cluster.yaml": cluster_yaml("supply"), "supply.gq": QUERY + COUNT})
    waited = await apply(cluster, bench.sarah, wanting())
    assert waited.state_written
    seq = (await cluster.ledger.history())[0].seq
    await applied(bench, cluster, {"cluster.yaml": cluster_yaml("supply", "other")})

    result = await undo(cluster, bench.sarah, to=seq)

    told = [d for d in result.applied.diagnostics if d.code == "revision_incomplete"]
    assert len(told) == 1
    assert "graph.other was in force" in (told[0].detail or "")
    assert "graph.other" in (await recorded(cluster)).applied_revision.resources
