"""Many requests at once over one opened cluster: each is answered for itself, and the past holds."""

from typing import Any

import anyio

CLIENTS = 12


async def test_changes_and_looks_of_many_at_once_leave_an_audit_chain_that_holds(
    house: Any, posted: Any
) -> None:
    await house.begin(applied=True)
    told: list[tuple[str, int]] = []

    async def one(client: Any, number: int) -> None:
        row = f'{{"type": "Package", "data": {{"name": "p{number}"}}}}\n'
        arguments = {"graph": "supply", "rows": row, "intent": f"row {number}"}
        told.append(("load", (await posted(client, "load_rows", **arguments)).status_code))
        told.append(("look", (await posted(client, "status")).status_code))
        told.append(("denied", (await posted(client, "decide")).status_code))

    with anyio.fail_after(60):
        async with house.served() as client, anyio.create_task_group() as tasks:
            for number in range(CLIENTS):
                tasks.start_soon(one, client, number)
        async with house.served() as client:
            read = (await posted(client, "run_query", query="supply.all_packages")).json()

    loaded = [status for what, status in told if what == "load" and status == 200]
    assert {s for what, s in told if what == "load"} <= {200, 409}, "a held graph is a race, no bug"
    assert {s for what, s in told if what == "look"} == {200}
    assert {s for what, s in told if what == "denied"} == {403}
    assert loaded
    assert read["data"]["row_count"] == len(loaded)
    verified = await house.cluster.audit.verify()
    assert not verified.diagnostics
    changes = [r for r in await house.records() if r.action == "change"]
    assert len(changes) == CLIENTS, "every load was recorded, whatever became of it"


async def test_what_one_asks_is_not_answered_to_another(house: Any) -> None:
    await house.begin(applied=True)
    seen: dict[str, set[str]] = {"ci": set(), "sarah": set()}

    async def one(client: Any, who: str) -> None:
        bearer = {"authorization": f"Bearer {house.secrets[who]}"}
        answer = await client.post("/v1/ops/identity_show", json={}, headers=bearer)
        seen[who].add(answer.json()["data"]["identity"]["id"])

    with anyio.fail_after(60):
        async with house.served("nobody") as client, anyio.create_task_group() as tasks:
            for _ in range(CLIENTS):
                tasks.start_soon(one, client, "ci")
                tasks.start_soon(one, client, "sarah")

    assert seen == {"ci": {"agent:ci"}, "sarah": {"sarah"}}
