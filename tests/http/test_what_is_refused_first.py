"""Other hosts, other origins and secrets in URLs are refused before anything is looked at."""

from typing import Any

import pytest

from agentctl.domain.storage.protocol import UnavailableError

HOSTS = [
    "evil.example",
    "127.0.0.1.evil.example",
    "localhost.evil.example:7077",
    "evil@127.0.0.1",
    "127.0.0.1:7077@evil.example",
    "[::2]:7077",
    "",
    "127.0.0.1 evil.example",
]
ORIGINS = [
    "http://evil.example",
    "https://127.0.0.1.evil.example",
    "null",
    "file://",
    "http://evil@127.0.0.1",
    "http://127.0.0.1:7077/path",
    "chrome-extension://127.0.0.1",
    "http://[::1",
]
SECRETS = ["token", "access_token", "Token", "apikey", "API_KEY", "authorization", "secret", "jwt"]


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("path", ["/v1/ops/status", "/healthz", "/openapi.json", "/nothing"])
async def test_a_name_that_was_made_to_point_here_is_not_answered(
    house: Any, host: str, path: str
) -> None:
    await house.begin()

    async with house.served() as client:
        answer = await client.post(path, json={}, headers={"host": host})

    assert answer.status_code == 421
    assert answer.json()["diagnostics"][0]["code"] == "host_refused"
    assert (await house.records())[-1].reason == "host_refused"


@pytest.mark.parametrize("origin", ORIGINS)
async def test_a_web_page_of_another_origin_is_not_answered_whatever_token_it_has(
    house: Any, origin: str
) -> None:
    await house.begin()

    async with house.served() as client:
        answer = await client.post("/v1/ops/status", json={}, headers={"origin": origin})

    assert answer.status_code == 403
    assert answer.json()["diagnostics"][0]["code"] == "origin_refused"
    assert not [h for h in answer.headers if h.startswith("access-control")]
    assert (await house.records())[-1].reason == "origin_refused"


@pytest.mark.parametrize("name", SECRETS)
async def test_a_secret_in_the_url_is_refused_even_beside_a_good_header(
    house: Any, name: str
) -> None:
    await house.begin()
    secret = house.secrets["ci"]

    async with house.served() as client:
        answer = await client.get(f"/graphs?{name}={secret}")

    assert answer.status_code == 400
    assert answer.json()["diagnostics"][0]["code"] == "secret_in_url"
    assert secret not in answer.text
    assert (await house.records())[-1].reason == "secret_in_url"


async def test_our_own_secrets_are_known_under_any_name(house: Any) -> None:
    await house.begin()

    async with house.served() as client:
        answer = await client.get(f"/graphs?q={house.secrets['ci']}")

    assert answer.status_code == 400


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.1:7077", "localhost:1", "LOCALHOST", "[::1]:7"]
)
async def test_the_names_of_this_machine_are_answered(house: Any, host: str) -> None:
    await house.begin()
    headers = {"host": host, "origin": f"http://{host}"}

    async with house.served() as client:
        answer = await client.get("/graphs?limit=1", headers=headers)

    assert answer.status_code == 200


async def test_a_flood_of_refusals_costs_one_record_a_minute(house: Any) -> None:
    await house.begin()
    before = len(await house.records())

    async with house.served() as client:
        for _ in range(200):
            await client.get("/healthz", headers={"host": "evil.example"})

    assert len(await house.records()) == before + 1


async def test_a_stranger_is_told_that_the_storage_fails_and_not_which_it_is(
    house: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.begin()

    async def gone(*_: object, **__: object) -> None:
        msg = "no answer from the bucket at 10.1.2.3"
        raise UnavailableError(msg)

    async with house.served() as client:
        monkeypatch.setattr(house.cluster.store, "read", gone)
        answer = await client.post("/v1/ops/status", json={})

    assert answer.status_code == 503
    assert [d["code"] for d in answer.json()["diagnostics"]] == ["storage_unavailable"]
    assert "10.1.2.3" not in answer.text
