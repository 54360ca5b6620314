"""The diagnostics of control-plane 1.8, rows "recovery" and "status/refresh": each raised by a command, by its name."""

from pathlib import Path

import pytest

from agentctl.engine.sidecars import PREFIX
from agentctl.faces.cli.exit_codes import ExitCode
from agentctl.testing.builders import Bench, ask, cluster_yaml, decide, folder_files
from tests.engine.telling import Told, answering, refusing, silent, told

INTENT = {"intent": "a test wants it"}
ULID = "01M7Y2EPRTEWD0F5S2VCD3P6X8"
KEY = f"{PREFIX}{ULID}.json"
WEEK_S = 7 * 86_400.0
GRAPH = "graph.supply"
QUERY = "query.supply.all_packages"
LOOKS = ("status", "plan")


@pytest.fixture
async def begun(tmp_path: Path) -> Bench:
    """A cluster whose graph is not made yet."""
    bench = Bench(tmp_path)
    await bench.begun(folder_files("supply"))
    return bench


@pytest.fixture
async def bench(begun: Bench) -> Bench:
    """The same, applied."""
    assert (await told(begun, "apply", INTENT)).ok
    return begun


async def made_and_not_recorded(bench: Bench) -> str:
    """The graph is made and the ledger cannot be written; returns the key of the sidecar."""
    silent(bench, "create", "__cluster/ledger/")
    ended = await told(bench, "apply", INTENT)
    answering(bench)
    assert ended.exit_code is ExitCode.UNAVAILABLE, ended
    (key,) = [k for k in bench.objects if k.startswith(PREFIX)]
    return key


def is_a_look(ended: Told) -> bool:
    """Whether a command ended well and changed nothing but the plans that it keeps."""
    return ended.ok and ended.exit_code is ExitCode.DONE and ended.changed == ()


@pytest.mark.parametrize("operation", LOOKS)
async def test_cluster_recovery_pending(begun: Bench, operation: str) -> None:
    key = await made_and_not_recorded(begun)

    looked = await told(begun, operation)

    assert looked.tells("cluster_recovery_pending", "W", key)
    assert looked.one("cluster_recovery_pending").remedy == "agentctl apply"
    assert looked.ok
    assert key not in looked.changed


@pytest.mark.parametrize("operation", ["apply", "refresh"])
async def test_cluster_recovery_rolled_forward(begun: Bench, operation: str) -> None:
    key = await made_and_not_recorded(begun)

    mended = await told(begun, operation, INTENT)
    after = await told(begun, operation, INTENT)

    assert mended.tells("cluster_recovery_rolled_forward", "W", GRAPH)
    assert (mended.ok, mended.exit_code) == (True, ExitCode.DONE)
    assert key not in begun.objects
    assert len(begun.roots.by_id["supply"].commits) == 1, "it was made once"
    assert after.codes == []


@pytest.mark.parametrize("operation", ["apply", "refresh"])
async def test_graph_create_incomplete(begun: Bench, operation: str) -> None:
    """The root now holds what the interrupted create did not write."""
    key = await made_and_not_recorded(begun)
    begun.roots.by_id["supply"].foreign = "another program wrote it"
    root = begun.roots.by_id["supply"]

    ended = await told(begun, operation, INTENT)
    root.foreign = None
    mended = await told(begun, operation, INTENT)

    assert ended.one("graph_create_incomplete").severity == "error"
    assert ended.one("graph_create_incomplete").path == GRAPH
    assert not ended.ok
    assert key not in ended.changed, "what cannot be judged is kept"
    assert mended.ok, mended.codes
    assert key not in begun.objects


async def test_graph_delete_incomplete(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    await bench.begun(folder_files("supply", "other"))
    assert (await told(bench, "apply", INTENT)).ok
    bench.write({"supply.pg": None, "supply.gq": None, "cluster.yaml": cluster_yaml("other")})
    cluster = await bench.open()
    await decide(cluster, await ask(cluster, bench.agent, GRAPH))
    assert (await told(bench, "apply", INTENT)).ok
    bench.world.advance(WEEK_S + 1)
    refusing(bench, "purge")

    cut = await told(bench, "apply", INTENT)
    answering(bench)
    whole = await told(bench, "apply", INTENT)

    assert cut.tells("graph_delete_incomplete", "W", GRAPH)
    assert (cut.ok, cut.exit_code) == (True, ExitCode.DONE)
    assert whole.codes == []
    assert bench.roots.by_id["supply"].purged


async def test_recovery_sidecar_read_error(begun: Bench) -> None:
    key = await made_and_not_recorded(begun)
    silent(begun, "read", PREFIX)

    looked = await told(begun, "status")
    barred = await told(begun, "apply", INTENT)
    answering(begun)
    mended = await told(begun, "apply", INTENT)

    assert looked.tells("recovery_sidecar_read_error", "W", key)
    assert is_a_look(looked)
    assert barred.one("recovery_sidecar_read_error").severity == "warning"
    assert {GRAPH, key}.isdisjoint(barred.changed), "nothing is done to what it may be about"
    assert mended.ok
    assert key not in begun.objects


async def is_left_alone(bench: Bench, code: str, record: bytes) -> None:
    """A sidecar that is not understood is told, kept, and bars graphs until it is gone."""
    bench.objects[KEY] = record

    looked = await told(bench, "status")
    barred = await told(bench, "apply", INTENT)
    kept = bench.objects.pop(KEY)
    mended = await told(bench, "apply", INTENT)

    assert looked.tells(code, "W", KEY)
    assert looked.one(code).remedy is not None
    assert is_a_look(looked)
    assert barred.tells(code, "W", KEY)
    assert (barred.ok, barred.data.converged) == (True, False)
    assert GRAPH not in barred.changed
    assert kept == record
    assert mended.data.converged, mended.codes


async def test_invalid_recovery_sidecar(begun: Bench) -> None:
    await is_left_alone(begun, "invalid_recovery_sidecar", b"{")


async def test_unsupported_recovery_sidecar_version(begun: Bench) -> None:
    await is_left_alone(begun, "unsupported_recovery_sidecar_version", b'{"schema_version": 3}')


async def test_recovery_sidecar_write_error(begun: Bench) -> None:
    silent(begun, "create", PREFIX)

    ended = await told(begun, "apply", INTENT)
    answering(begun)
    mended = await told(begun, "apply", INTENT)

    assert ended.tells("recovery_sidecar_write_error", "E", GRAPH)
    assert not ended.ok
    assert GRAPH not in ended.changed, "the step was not begun"
    assert mended.data.converged, mended.codes


def payload(bench: Bench) -> str:
    return next(key for key in bench.objects if "resources/query/supply" in key)


async def is_put_back(bench: Bench, code: str, right: bytes) -> None:
    """Status and refresh warn of a payload; the apply after the refresh publishes it again."""
    looked = await told(bench, "status")
    refreshed = await told(bench, "refresh", INTENT)
    mended = await told(bench, "apply", INTENT)
    after = await told(bench, "status")

    assert looked.tells(code, "W", QUERY)
    assert is_a_look(looked)
    assert refreshed.tells(code, "W", QUERY)
    assert refreshed.exit_code is ExitCode.DONE
    assert mended.data.converged, mended.codes
    assert bench.objects[payload(bench)] == right
    assert after.codes == []


async def test_catalog_payload_missing(bench: Bench) -> None:
    right = bench.objects.pop(payload(bench))

    await is_put_back(bench, "catalog_payload_missing", right)


async def test_catalog_payload_mismatch(bench: Bench) -> None:
    key = payload(bench)
    right = bench.objects[key]
    bench.objects[key] = right + b"\n"

    await is_put_back(bench, "catalog_payload_mismatch", right)


@pytest.mark.parametrize("operation", ["status", "refresh"])
async def test_catalog_payload_read_error(bench: Bench, operation: str) -> None:
    silent(bench, "read", "resources/query")

    ended = await told(bench, operation, INTENT if operation == "refresh" else {})
    answering(bench)
    after = await told(bench, "status")

    assert ended.tells("catalog_payload_read_error", "E", QUERY)
    assert (ended.ok, ended.exit_code) == (False, ExitCode.ERRORS)
    assert after.ok, after.codes


async def test_graph_observation_error(bench: Bench) -> None:
    bench.roots.by_id["supply"].foreign = "it cannot be read"

    ended = await told(bench, "refresh", INTENT)
    bench.roots.by_id["supply"].foreign = None
    mended = await told(bench, "refresh", INTENT)
    converged = await told(bench, "apply", INTENT)

    assert ended.tells("graph_observation_error", "E", GRAPH)
    assert (ended.ok, ended.exit_code) == (False, ExitCode.ERRORS)
    assert GRAPH not in ended.changed
    assert mended.ok, mended.codes
    assert converged.data.converged, converged.codes
