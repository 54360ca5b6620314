"""Graphs over HTTP: the applied revision, under the same policy, in the forms of OmniGraph 0.10."""

import json
from typing import Any

import msgspec
import pytest

from agentctl.domain.ledger.sidecar import Sidecar
from agentctl.engine.serving import FRESH_S, OBSERVED_S
from agentctl.engine.sidecars import PREFIX, write_sidecar
from agentctl.graph.port import Stamp
from agentctl.testing.builders import ROWS, WIDER_SCHEMA
from agentctl_tools.envelopes import refused
from agentctl_tools.operation import Envelope

NEWLINE = b"\n"
LOAD = "/graphs/supply/load/ndjson"
RUN = "/graphs/supply/queries/all_packages"


async def test_rows_that_are_loaded_are_read_by_a_stored_query(house: Any) -> None:
    await house.begin(applied=True)

    async with house.served() as client:
        loaded = await client.post(LOAD, content=ROWS)
        read = await client.post(RUN, json={})
        commits = (await client.get("/graphs/supply/commits")).json()["commits"]
        one = await client.get(f"/graphs/supply/commits/{commits[0]['id']}")

    assert loaded.json() == {
        "graph": "supply",
        "branch": "main",
        "mode": "append",
        "commit": commits[0]["id"],
        "rows": {"Package": 2, "DependsOn": 1},
        "rejected": 0,
    }
    reply = read.json()
    assert (reply["query_name"], reply["row_count"]) == ("all_packages", 2)
    assert [row["p.name"] for row in reply["rows"]] == ["a", "b"]
    assert reply["graph_commit_id"] == commits[0]["id"]
    assert (one.json()["kind"], one.json()["actor"]) == ("write", "agent:ci")
    assert one.json()["on_behalf_of"] == "sarah"


async def test_a_load_with_a_bad_line_loads_nothing_and_says_which(house: Any) -> None:
    await house.begin(applied=True)

    async with house.served() as client:
        answer = await client.post(LOAD, content=ROWS + b'{"type": "Nothing", "data": {}}\n')
        read = await client.post(RUN, json={})

    assert answer.status_code == 422
    told = answer.json()
    assert set(told) == {"error", "code", "diagnostics"}
    assert told["diagnostics"][0]["where"]["line"] == 4
    assert read.json()["row_count"] == 0


async def test_a_load_that_is_sent_again_under_its_key_loads_once(house: Any) -> None:
    await house.begin(applied=True)
    keyed = {"idempotency-key": "load-1"}

    async with house.served() as client:
        first = await client.post(LOAD, content=ROWS, headers=keyed)
        again = await client.post(LOAD, content=ROWS, headers=keyed)
        other = await client.post(LOAD, content=ROWS[:60], headers=keyed)
        commits = (await client.get("/graphs/supply/commits")).json()["commits"]

    assert first.json() == again.json()
    assert [c["kind"] for c in commits].count("write") == 1
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_conflict")


async def test_a_load_whose_answer_was_lost_with_its_process_is_known_by_its_op(
    house: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.begin(applied=True)
    keyed = {"idempotency-key": "load-1"}

    async def lost(*_: object, **__: object) -> None:
        msg = "the process ended"
        raise RuntimeError(msg)

    async with house.served() as client:
        with monkeypatch.context() as patch:
            patch.setattr(house.cluster.keys, "keep_result", lost)
            cut = await client.post(LOAD, content=ROWS, headers=keyed)
        again = await client.post(LOAD, content=ROWS, headers=keyed)
        read = await client.post(RUN, json={})

    assert cut.status_code == 500
    assert again.status_code == 200
    assert read.json()["row_count"] == 2


async def test_a_load_of_a_mode_that_there_is_not_is_refused(house: Any) -> None:
    await house.begin(applied=True)

    async with house.served() as client:
        answer = await client.post(f"{LOAD}?mode=replace", content=ROWS)

    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_arguments")


async def test_a_query_that_is_denied_cannot_be_told_from_one_that_is_not_there(
    house: Any,
) -> None:
    await house.begin(applied=True)

    async def denying(*_: object, **__: object) -> Envelope:
        return refused("denied", "query.supply.all_packages", "agent:ci may not", remedy="no")

    async with house.served(door=denying) as client:
        denied = await client.post(RUN, json={})
    async with house.served() as client:
        unknown = await client.post("/graphs/supply/queries/all_packagse", json={})
        elsewhere = await client.post("/graphs/nothing/queries/all_packages", json={})

    assert denied.status_code == unknown.status_code == elsewhere.status_code == 404
    assert denied.content == unknown.content == elsewhere.content
    assert denied.headers == unknown.headers
    assert unknown.json() == {"error": "there is no such query", "code": "query_not_found"}


async def test_parameters_are_checked_as_they_are_declared(house: Any) -> None:
    await house.begin(applied=True)

    async with house.served() as client:
        answer = await client.post(RUN, json={"params": {"nothing": 1}})
        unknown = await client.post(RUN, json={"parameters": {}})
        forged = await client.post(RUN, json={"query": "other.q"})

    assert answer.status_code in {400, 422}
    assert (unknown.status_code, unknown.json()["code"]) == (400, "invalid_arguments")
    assert forged.json()["query_name"] == "all_packages", "the path says which query"


async def test_what_is_served_is_what_was_applied_and_not_the_folder(house: Any) -> None:
    await house.begin(applied=True)

    async with house.served() as client:
        before = (await client.get("/graphs/supply/schema")).json()
        house.bench.write({"supply.pg": WIDER_SCHEMA})
        edited = (await client.get("/graphs/supply/schema")).json()
        made = await client.post("/v1/ops/apply", json={"intent": "wider", "in": "cluster"})
        house.cluster.world.advance(FRESH_S + 1)
        after = (await client.get("/graphs/supply/schema")).json()
        read = await client.post(RUN, json={})

    assert made.json()["ok"], made.json()
    assert edited == before
    assert "note" not in before["source"]
    assert after["source"] == WIDER_SCHEMA
    assert after["applied"] is True
    assert read.status_code == 200


async def test_a_graph_that_an_interrupted_step_may_have_moved_is_withheld_and_the_others_served(
    house: Any,
) -> None:
    await house.begin(applied=True)
    await write_sidecar(house.cluster.store, _sidecar("supply"))

    async with house.served() as client:
        house.cluster.world.advance(FRESH_S + 1)
        read = await client.post(RUN, json={})
        load = await client.post(LOAD, content=ROWS)
        over_ops = await client.post("/v1/ops/run_query", json={"query": "supply.all_packages"})
        served = (await client.post("/v1/ops/served", json={})).json()
        ready = await client.get("/readyz")

    assert read.status_code == load.status_code == over_ops.status_code == 503
    assert read.json()["code"] == "graph_not_served"
    assert read.json()["recovery_required"] == {"path": "graph.supply"}
    assert list(served["data"]["withheld"]) == ["supply"]
    assert served["data"]["graphs"] == []
    assert ready.status_code == 200, "the rest is served"


async def test_a_sidecar_that_nobody_understands_stops_all_graphs(house: Any) -> None:
    await house.begin(applied=True)
    await house.cluster.store.create(f"{PREFIX}01ARZ3NDEKTSV4RRFFQ69G5FAV.json", b"{}")

    async with house.served() as client:
        house.cluster.world.advance(FRESH_S + 1)
        read = await client.post(RUN, json={})
        ready = await client.get("/readyz")

    assert (read.status_code, read.json()["code"]) == (503, "graph_not_served")
    assert (ready.status_code, ready.json()) == (503, {"ok": False})


async def test_a_graph_that_is_not_what_the_ledger_records_is_withheld(house: Any) -> None:
    await house.begin(applied=True)
    async with house.served() as client:
        well = await client.post(RUN, json={})
        await _detach(house)
        house.cluster.world.advance(OBSERVED_S + 1)
        gone = await client.post(RUN, json={})

    assert well.status_code == 200
    assert (gone.status_code, gone.json()["code"]) == (503, "graph_not_served")


async def test_the_list_the_snapshot_and_the_queries_have_their_routes(house: Any) -> None:
    await house.begin(applied=True)

    async with house.served() as client:
        graphs = (await client.get("/graphs")).json()["graphs"]
        snapshot = (await client.get("/graphs/supply/snapshot")).json()
        queries = (await client.get("/graphs/supply/queries")).json()["queries"]
        none = await client.get("/graphs/nothing/snapshot")
        bad = await client.get("/graphs/supply/commits?limit=many")
        old = await client.get("/graphs/supply/commits/main:999")

    assert [g["id"] for g in graphs] == ["supply"]
    assert snapshot["summary"]["presence"] == "live"
    assert [q["name"] for q in queries] == ["all_packages"]
    assert (none.status_code, none.json()["code"]) == (404, "graph_not_found")
    assert (bad.status_code, bad.json()["code"]) == (400, "invalid_arguments")
    assert (old.status_code, old.json()["code"]) == (404, "commit_not_found")


async def test_a_stranger_sees_no_graph(house: Any) -> None:
    await house.begin(applied=True)

    async with house.served("nobody") as client:
        answers = [
            await client.get("/graphs"),
            await client.get("/graphs/supply/schema"),
            await client.post(RUN, json={}),
            await client.post(LOAD, content=ROWS),
        ]

    assert {a.status_code for a in answers} == {401}


def _sidecar(graph: str) -> Sidecar:
    fields = {
        "schema_version": 2,
        "operation_id": "01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "started_at": "2026-11-21T03:30:00Z",
        "actor": "sarah",
        "kind": "schema_apply",
        "graph_id": graph,
        "graph_uri": f"memory:/graphs/{graph}.omni",
        "observed_manifest_version": 1,
        "expected_manifest_version": 2,
        "desired_schema_digest": "d" * 64,
        "state_cas_base": None,
        "approval_id": None,
        "op": "x",
        "epoch": 1,
        "incarnation": "i",
        "nonce": "0" * 32,
    }
    return msgspec.json.decode(json.dumps(fields), type=Sidecar)


async def _detach(house: Any) -> None:
    live = await house.cluster.graphs.observe("supply")
    stamp = Stamp(
        op="x",
        actor="somebody",
        on_behalf_of=None,
        intent="by hand",
        epoch=99,
        nonce="1" * 32,
        at="2026-11-21T03:31:00Z",
    )
    await house.cluster.graphs.detach("supply", observed=live.commit, stamp=stamp)


async def test_rows_that_are_no_utf_8_are_refused_by_their_line_and_nothing_is_loaded(
    house: Any,
) -> None:
    await house.begin(applied=True)

    async with house.served() as client:
        load = await client.post(LOAD, content=ROWS + b'{"type":"Package","data":{"name":"\xff"}}')
        read = await client.post(RUN, json={})

    assert (load.status_code, load.json()["code"]) == (400, "invalid_arguments")
    assert f"line {ROWS.count(NEWLINE) + 1} of the rows is no UTF-8" in load.json()["error"]
    assert read.json()["row_count"] == 0
