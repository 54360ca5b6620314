"""Loads over HTTP: into a branch, with bad rows set aside, as lines or in a document, told as they go."""

from typing import Any

from agentctl.testing.builders import ROWS

LINES = "/graphs/supply/load/ndjson"
DOCUMENT = "/graphs/supply/load"
BAD = b'{"type": "Package", "data": {"name": 1}}\n'


async def test_a_load_goes_into_the_branch_and_sets_aside_what_it_may(house: Any) -> None:
    house.bench.where = "lance"
    await house.begin(applied=True)

    async with house.served("sarah") as client:
        cut = await client.post("/graphs/supply/branches", json={"branch": "trial"})
        refused = await client.post(LINES, params={"branch": "trial"}, content=ROWS + BAD)
        loaded = await client.post(
            LINES, params={"branch": "trial", "max_errors": "1"}, content=ROWS + BAD
        )
        whole = await client.post(
            DOCUMENT, json={"rows": ROWS.decode(), "branch": "trial", "mode": "merge"}
        )
        nowhere = await client.post(LINES, params={"branch": "none"}, content=ROWS)
        main = await client.post("/graphs/supply/queries/all_packages", json={})

    assert cut.status_code == 200, cut.text
    assert (refused.status_code, refused.json()["diagnostics"][0]["where"]["line"]) == (422, 4)
    told = loaded.json()
    assert (told["branch"], told["rejected"], told["rows"]["Package"]) == ("trial", 1, 2)
    assert told["commit"].startswith("trial:")
    assert [d["where"]["line"] for d in told["diagnostics"]] == [4]
    assert (whole.json()["branch"], whole.json()["mode"]) == ("trial", "merge")
    assert (nowhere.status_code, nowhere.json()["code"]) == (404, "graph_branch_missing")
    assert main.json()["row_count"] == 0


async def test_a_parameter_that_no_load_takes_is_refused_before_anything_is_read(
    house: Any,
) -> None:
    await house.begin(applied=True)

    async with house.served() as client:
        answers = [
            await client.post(LINES, params={"brnch": "trial"}, content=ROWS),
            await client.post(LINES, params={"branch": "trial", "from": "main"}, content=ROWS),
            await client.post(LINES, params={"max_errors": "many"}, content=ROWS),
            await client.post(LINES, params={"mode": "replace"}, content=ROWS),
            await client.post(DOCUMENT, params={"branch": "trial"}, json={"rows": "{}"}),
            await client.post(DOCUMENT, json={"rows": "", "brnch": "trial"}),
        ]
        commits = (await client.get("/graphs/supply/commits")).json()["commits"]

    assert [(a.status_code, a.json()["code"]) for a in answers] == [
        (400, "invalid_arguments")
    ] * len(answers)
    assert [c["kind"] for c in commits].count("write") == 0


async def test_a_load_tells_its_op_first_and_then_how_far_it_is(house: Any, events_of: Any) -> None:
    house.bench.where = "lance"
    await house.begin(applied=True)

    async with house.served() as client:
        answer = await client.post(
            "/v1/ops/load_rows",
            json={"graph": "supply", "rows": ROWS.decode(), "intent": "rows"},
            headers={"accept": "text/event-stream"},
        )

    events = events_of(answer.text)
    names = [name for name, _ in events]
    assert (names[0], names[-1]) == ("write_begun", "result")
    assert set(names[1:-1]) == {"load_progress"}
    result = events[-1][1]
    assert result["ok"], result
    assert {document["op"] for _, document in events[:-1]} == {result["data"]["op"]["id"]}
    assert [d["phase"] for n, d in events[1:-1]][-1] == "committing"


async def test_a_refusal_says_where_and_what_to_do(house: Any) -> None:
    await house.begin(applied=True)

    async with house.served() as client:
        answer = await client.post("/graphs/supply/queries/all_packages", json={"limit": 0})
        typed = await client.post("/graphs/supply/queries/all_packages", json={"params": {"x": 1}})

    for refused, status, path in (
        (answer, 400, "$.limit"),
        (typed, 422, "query.supply.all_packages"),
    ):
        (told,) = refused.json()["diagnostics"]
        assert (refused.status_code, told["path"]) == (status, path)
        assert told["remedy"]
