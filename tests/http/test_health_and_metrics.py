"""Up, ready, and counted: what a supervisor and Prometheus ask."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from agentctl.domain.storage.protocol import UnavailableError
from agentctl.engine.serving import FRESH_S


def samples(page: str) -> Iterator[tuple[str, dict[str, str], float]]:
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            yield sample.name, sample.labels, sample.value


def value(page: str, name: str, **labels: str) -> float:
    return next(v for n, found, v in samples(page) if n == name and found == labels)


async def test_up_and_ready_are_told_without_a_token_and_tell_nothing_else(house: Any) -> None:
    await house.begin(applied=True)

    async with house.served("nobody") as client:
        up, ready = await client.get("/healthz"), await client.get("/readyz")

    assert (up.status_code, up.json()) == (200, {"ok": True})
    assert (ready.status_code, ready.json()) == (200, {"ok": True})


async def test_a_storage_that_does_not_answer_is_up_and_not_ready(
    house: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.begin(applied=True)

    async def gone(*_: object, **__: object) -> None:
        msg = "no answer from the bucket at 10.1.2.3"
        raise UnavailableError(msg)

    async with house.served("nobody") as client:
        monkeypatch.setattr(house.cluster.ledger, "head", gone)
        house.cluster.world.advance(FRESH_S + 1)
        up, ready = await client.get("/healthz"), await client.get("/readyz")

    assert up.status_code == 200
    assert (ready.status_code, ready.json()) == (503, {"ok": False})


async def test_a_server_that_is_being_stopped_is_not_ready(house: Any) -> None:
    await house.begin(applied=True)
    house.stopping = True

    async with house.served("nobody") as client:
        ready = await client.get("/readyz")

    assert ready.status_code == 503


async def test_a_cluster_without_a_ledger_is_not_ready(house: Any) -> None:
    house.bench.write({"cluster.yaml": "version: 1\n"})
    house.cluster = await house.bench.open()

    async with house.served("nobody") as client:
        ready = await client.get("/readyz")

    assert ready.status_code == 503


async def test_metrics_count_requests_and_calls_and_say_how_the_cluster_stands(
    house: Any, posted: Any
) -> None:
    await house.begin(applied=True)

    async with house.served() as client:
        await posted(client, "status")
        await posted(client, "status")
        await posted(client, "decide")
        await posted(client, "nonsense-one")
        await posted(client, "nonsense-two")
        await client.get("/healthz", headers={"host": "evil.example"})
        answer = await client.get("/metrics")

    page = answer.text
    assert answer.headers["content-type"].startswith("text/plain; version=1.0.0")
    calls = "agentctl_operation_calls_total"
    assert value(page, calls, operation="status", outcome="ok") == 2
    assert value(page, calls, operation="decide", outcome="human_only") == 1
    assert value(page, calls, operation="other", outcome="unknown_operation") == 2
    requests = "agentctl_http_requests_total"
    assert value(page, requests, route="/v1/ops/{operation}", method="POST", status="200") == 2
    assert value(page, requests, route="other", method="GET", status="421") == 1
    assert value(page, "agentctl_applied_revision") == 2
    assert value(page, "agentctl_graphs", standing="served") == 1
    assert value(page, "agentctl_http_requests_under_way") == 1
    assert value(page, "agentctl_http_event_streams") == 0


async def test_metrics_tell_of_nobody_and_of_nothing_that_was_asked(
    house: Any, posted: Any
) -> None:
    await house.begin(applied=True)

    async with house.served() as client:
        await posted(client, "explain", what="denied")
        await client.get("/graphs/supply/commits")
        page = (await client.get("/metrics")).text

    told = {label for _, labels, _ in samples(page) for label in labels.values()}
    assert not re.search(r"agent:ci|sarah|agentctl_[A-Za-z0-9_-]{43}|supply", page)
    assert "/graphs/{graph}/commits" in told


@pytest.mark.parametrize(("who", "status"), [("nobody", 401), ("ci", 200)])
async def test_metrics_are_for_whoever_may_see_the_status(
    house: Any, who: str, status: int
) -> None:
    await house.begin(applied=True)

    async with house.served(who) as client:
        answer = await client.get("/metrics")

    assert answer.status_code == status
