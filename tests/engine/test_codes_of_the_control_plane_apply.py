"""The diagnostics of control-plane 1.8, rows "plan", "apply" and "approvals": each raised by a command, by its name."""

import json
from pathlib import Path

import pytest

from agentctl.domain.approval.codec import APPROVALS_PREFIX, SCHEMA_VERSION
from agentctl.domain.ledger.codec import ledger_key
from agentctl.engine import apply as engine_apply
from agentctl.engine.running import Running
from agentctl.engine.sidecars import PREFIX
from agentctl.faces.cli.exit_codes import ExitCode
from agentctl.testing.builders import (
    QUERY,
    ROWS,
    WIDER_SCHEMA,
    Bench,
    ask,
    cluster_yaml,
    decide,
    folder_files,
)
from tests.engine.telling import Told, answering, refusing, silent, told

INTENT = {"intent": "a test wants it"}
ULID = "01M7Y2EPRTEWD0F5S2VCD3P6X8"
VERSION = f'"schema_version":{SCHEMA_VERSION}'.encode()
GRAPH = "graph.supply"
SCHEMA = "schema.supply"
NAMES = "query.supply.all_packages"


@pytest.fixture
async def begun(tmp_path: Path) -> Bench:
    """A cluster of which nothing is applied yet."""
    bench = Bench(tmp_path)
    await bench.begun(folder_files("supply"))
    return bench


@pytest.fixture
async def bench(begun: Bench) -> Bench:
    """The same, applied."""
    assert (await told(begun, "apply", INTENT)).data.converged
    return begun


@pytest.fixture
async def two(tmp_path: Path) -> Bench:
    """A cluster with two graphs, applied."""
    bench = Bench(tmp_path)
    await bench.begun(folder_files("supply", "zebra"))
    assert (await told(bench, "apply", INTENT)).data.converged
    return bench


@pytest.fixture
def one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_apply, "CONCURRENCY_DEFAULT", 1)


async def deleting(bench: Bench, *, approved: bool = True) -> None:
    """The folder declares no graph any more, and all their deletions are approved, or asked for."""
    graphs = [path.stem for path in bench.path.glob("*.pg")]
    files = {f"{graph}.{kind}": None for graph in graphs for kind in ("pg", "gq")}
    bench.write({**files, "cluster.yaml": cluster_yaml()})
    cluster = await bench.open()
    for graph in graphs:
        asked = await ask(cluster, bench.agent, f"graph.{graph}")
        if approved:
            await decide(cluster, asked)


async def is_done_later(bench: Bench) -> None:
    """Once the cause is gone the next apply does what was left."""
    answering(bench)
    mended = await told(bench, "apply", INTENT)
    assert mended.data.converged, mended.codes


def is_an_error(ended: Told, code: str, path: str, *untouched: str) -> bool:
    """Whether a command failed for that reason and left these as they were."""
    assert not set(untouched) & set(ended.changed), ended.changed
    failed = (ended.ok, ended.exit_code) == (False, ExitCode.ERRORS)
    return failed and ended.tells(code, "E", path)


def is_a_warning(ended: Told, code: str, path: str) -> bool:
    """Whether a command ended well and warned of it."""
    well = (ended.ok, ended.exit_code) == (True, ExitCode.DONE)
    return well and ended.tells(code, "W", path)


async def test_schema_preview_unavailable(bench: Bench) -> None:
    bench.write({"supply.pg": WIDER_SCHEMA})
    bench.roots.by_id["supply"].foreign = "it cannot be read"

    planned = await told(bench, "plan")
    bench.roots.by_id["supply"].foreign = None

    assert is_a_warning(planned, "schema_preview_unavailable", SCHEMA)
    assert planned.one("schema_preview_unavailable").remedy == "agentctl refresh"
    assert GRAPH not in planned.changed
    await is_done_later(bench)


async def test_approval_stale(bench: Bench) -> None:
    rows = bench.path / "rows.ndjson"
    rows.write_bytes(ROWS)
    await deleting(bench)
    loaded = await told(bench, "load", INTENT, graph="supply", file=str(rows), mode="append")
    assert loaded.ok, loaded

    planned = await told(bench, "plan")
    held = await told(bench, "apply", INTENT)

    assert is_a_warning(planned, "approval_stale", GRAPH)
    assert planned.one("approval_stale").remedy is not None
    assert is_a_warning(held, "approval_stale", GRAPH)
    assert not held.data.converged
    assert GRAPH not in held.changed, "what was not approved is not done"


async def test_external_blob_policy_digest_mismatch(bench: Bench) -> None:
    head = await (await bench.open()).ledger.head()
    assert head is not None
    key = ledger_key(head.seq)
    right = bench.objects[key]
    plain = json.loads(right)
    plain["state"]["applied_revision"]["resources"][GRAPH]["digest"] = "0" * 64
    bench.objects[key] = json.dumps(plain).encode()
    bench.write({"supply.pg": WIDER_SCHEMA})

    ended = await told(bench, "apply", INTENT)
    bench.objects[key] = right

    assert is_an_error(ended, "external_blob_policy_digest_mismatch", GRAPH, GRAPH, key)
    await is_done_later(bench)


async def test_graph_create_failed(begun: Bench) -> None:
    refusing(begun, "create")

    ended = await told(begun, "apply", INTENT)

    assert is_an_error(ended, "graph_create_failed", GRAPH, GRAPH)
    await is_done_later(begun)


async def test_schema_apply_failed(bench: Bench) -> None:
    bench.write({"supply.pg": WIDER_SCHEMA})
    refusing(bench, "migrate")

    ended = await told(bench, "apply", INTENT)

    assert is_an_error(ended, "schema_apply_failed", SCHEMA, GRAPH)
    await is_done_later(bench)


async def test_graph_delete_failed(bench: Bench) -> None:
    await deleting(bench)
    refusing(bench, "detach")

    ended = await told(bench, "apply", INTENT)

    assert is_an_error(ended, "graph_delete_failed", GRAPH, GRAPH)
    assert not [k for k in bench.objects if k.endswith(".consumed.json")], "the decision is unspent"
    await is_done_later(bench)


@pytest.mark.usefixtures("one_at_a_time")
async def test_graph_create_skipped(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    await bench.begun(folder_files("supply", "zebra"))
    refusing(bench, "create")

    ended = await told(bench, "apply", INTENT)

    assert is_an_error(ended, "graph_create_failed", GRAPH, GRAPH, "graph.zebra")
    assert ended.tells("graph_create_skipped", "W", "graph.zebra")
    await is_done_later(bench)


@pytest.mark.usefixtures("one_at_a_time")
async def test_schema_apply_skipped(two: Bench) -> None:
    two.write({"supply.pg": WIDER_SCHEMA, "zebra.pg": WIDER_SCHEMA})
    refusing(two, "migrate")

    ended = await told(two, "apply", INTENT)

    assert is_an_error(ended, "schema_apply_failed", SCHEMA, GRAPH, "graph.zebra")
    assert ended.tells("schema_apply_skipped", "W", "schema.zebra")
    await is_done_later(two)


@pytest.mark.usefixtures("one_at_a_time")
async def test_graph_delete_skipped(two: Bench) -> None:
    await deleting(two)
    refusing(two, "detach")

    ended = await told(two, "apply", INTENT)

    assert is_an_error(ended, "graph_delete_failed", GRAPH, GRAPH, "graph.zebra")
    assert ended.tells("graph_delete_skipped", "W", "graph.zebra")
    await is_done_later(two)


async def test_resource_content_changed(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file is read once, so only a bug between plan and write makes it so; it is looked for."""
    bench.write({"supply.gq": QUERY.replace("asc", "desc")})
    with monkeypatch.context() as patched:
        patched.setattr(Running, "content", lambda *_: b"other bytes")
        ended = await told(bench, "apply", INTENT)

    assert is_an_error(ended, "resource_content_changed", NAMES)
    assert ended.changed == ()
    await is_done_later(bench)


async def test_resource_payload_write_error(bench: Bench) -> None:
    bench.write({"supply.gq": QUERY.replace("asc", "desc")})
    silent(bench, "create", "resources/query")

    ended = await told(bench, "apply", INTENT)

    assert is_an_error(ended, "resource_payload_write_error", NAMES)
    assert ended.changed == ()
    await is_done_later(bench)


async def test_recovery_sidecar_cleanup_failed(begun: Bench) -> None:
    silent(begun, "delete", PREFIX)

    ended = await told(begun, "apply", INTENT)
    (left,) = [k for k in begun.objects if k.startswith(PREFIX)]
    await is_done_later(begun)

    assert is_a_warning(ended, "recovery_sidecar_cleanup_failed", left)
    assert ended.data.converged
    assert left not in begun.objects


async def test_apply_unsupported_change(bench: Bench) -> None:
    more = "ui: {dashboards: {deps: {file: d.json}}}"
    bench.write({"cluster.yaml": cluster_yaml("supply", more=more), "d.json": "{}"})

    planned = await told(bench, "plan")
    ended = await told(bench, "apply", INTENT)
    bench.write({"cluster.yaml": cluster_yaml("supply")})

    assert is_a_warning(planned, "apply_unsupported_change", "ui.deps")
    assert is_a_warning(ended, "apply_unsupported_change", "ui.deps")
    assert not ended.data.converged
    await is_done_later(bench)


async def test_apply_dependency_blocked(begun: Bench) -> None:
    """A sidecar that nobody understands bars every graph, and with it what needs the graph."""
    begun.objects[f"{PREFIX}{ULID}.json"] = b"{"

    ended = await told(begun, "apply", INTENT)
    del begun.objects[f"{PREFIX}{ULID}.json"]

    blocked = {d.path for d in ended.envelope.diagnostics if d.code == "apply_dependency_blocked"}
    assert NAMES in blocked, ended.codes
    assert ("apply_dependency_blocked", "W") in ended.codes
    assert (ended.ok, ended.data.converged, GRAPH in ended.changed) == (True, False, False)
    await is_done_later(begun)


async def test_approval_not_required(bench: Bench) -> None:
    ended = await told(bench, "request_approval", INTENT, gate=GRAPH)

    assert is_an_error(ended, "approval_not_required", GRAPH)
    assert not [key for key in ended.changed if key.startswith(APPROVALS_PREFIX)]
    assert ended.one("approval_not_required").remedy is not None


async def test_approval_read_error(bench: Bench) -> None:
    """What only shows goes on without the record; what would decide by it does not."""
    await deleting(bench)
    (record,) = [k for k in bench.objects if k.startswith(APPROVALS_PREFIX) and "request" in k]
    silent(bench, "read", record)

    listed = await told(bench, "approvals")
    looked = await told(bench, "status")
    ended = await told(bench, "apply", INTENT)

    assert is_a_warning(listed, "approval_read_error", record)
    assert is_a_warning(looked, "approval_read_error", record)
    assert listed.changed == looked.changed == ()
    assert (ended.ok, ended.exit_code) == (False, ExitCode.UNAVAILABLE)
    assert GRAPH not in ended.changed
    await is_done_later(bench)


async def counts_for_nothing(bench: Bench, code: str, altered: bytes) -> None:
    """A record of consent that is not one is told where consent is shown, and opens no gate."""
    await deleting(bench)
    (decided,) = [k for k in bench.objects if k.startswith(APPROVALS_PREFIX) and k.count(".") == 1]
    right = bench.objects[decided]
    bench.objects[decided] = right.replace(VERSION, altered)
    assert bench.objects[decided] != right

    listed = await told(bench, "approvals")
    looked = await told(bench, "status")
    held = await told(bench, "apply", INTENT)
    bench.objects[decided] = right

    assert is_a_warning(listed, code, decided)
    assert is_a_warning(looked, code, decided)
    assert not held.data.converged
    assert GRAPH not in held.changed, "the gate stays shut"
    await is_done_later(bench)


async def test_invalid_approval_artifact(bench: Bench) -> None:
    await counts_for_nothing(bench, "invalid_approval_artifact", VERSION + b',"surprise":1')


async def test_unsupported_approval_version(bench: Bench) -> None:
    await counts_for_nothing(bench, "unsupported_approval_version", b'"schema_version":9')


async def test_approval_write_error_is_told_as_the_storage_that_failed(bench: Bench) -> None:
    await deleting(bench, approved=False)
    (request,) = (await (await bench.open()).approvals.records()).requests
    silent(bench, "create", APPROVALS_PREFIX)

    approval = {
        "request_id": request.request_id,
        "gate_digest": request.gate_digest,
        "verdict": "approve",
        "confirmation": GRAPH,
    }
    ended = await told(bench, "decide", approval)
    answering(bench)
    decided = await told(bench, "decide", approval)

    assert ended.tells("storage_unavailable", "E", "storage")
    assert (ended.exit_code, ended.changed) == (ExitCode.UNAVAILABLE, ())
    assert decided.ok, decided.codes
    await is_done_later(bench)


async def test_state_write_error_is_told_as_the_storage_that_failed(bench: Bench) -> None:
    bench.write({"supply.gq": QUERY.replace("asc", "desc")})
    silent(bench, "create", "__cluster/ledger/")

    ended = await told(bench, "apply", INTENT)

    assert ended.tells("storage_unavailable", "E", "storage")
    assert ended.exit_code is ExitCode.UNAVAILABLE
    assert not [key for key in ended.changed if key.startswith("__cluster/ledger/")]
    await is_done_later(bench)


@pytest.mark.parametrize("operation", ["status", "plan", "apply", "refresh"])
async def test_state_read_error_is_told_as_the_storage_that_failed(
    bench: Bench, operation: str
) -> None:
    silent(bench, "read", "__cluster/ledger/")

    ended = await told(bench, operation, INTENT if operation in {"apply", "refresh"} else {})

    assert ended.tells("storage_unavailable", "E", "storage")
    assert (ended.exit_code, ended.changed) == (ExitCode.UNAVAILABLE, ())
    await is_done_later(bench)
