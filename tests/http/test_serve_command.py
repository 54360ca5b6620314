"""`agentctl serve` as a process: where it listens, whom it answers, how it ends."""

import getpass
import json
import os
import signal
import socket
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from agentctl.testing.builders import folder_files
from agentctl.testing.shell import TIMEOUT_S, Shell, line_of

pytestmark = pytest.mark.slow
ANYWHERE = "127.0.0.1:0"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    return Shell(tmp_path_factory.mktemp("site")).begun(folder_files("supply"))


@pytest.fixture(scope="module")
def token(site: Shell) -> str:
    """The secret of a token of this user's agent, which a human of the cluster made."""
    file = site.root / "agent.token"
    code, told = site.on_a_terminal("token", "create", f"agent:{getpass.getuser()}", "--out", file)
    assert code == 0, told
    return file.read_text().strip()


@contextmanager
def serving(site: Shell, *options: str) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    """Gives the address that the server says, and its process."""
    process = subprocess.Popen(
        site.argv("serve", *options, "--json"),
        env=site.env,
        cwd=site.root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        line = line_of(process)
        assert line, process.communicate()[1]
        yield json.loads(line)["listening"], process
    finally:
        process.kill()
        process.communicate()


def ended(process: "subprocess.Popen[str]", sign: signal.Signals) -> tuple[int, str]:
    process.send_signal(sign)
    _, told = process.communicate(timeout=TIMEOUT_S)
    return process.returncode, told


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_a_request_is_answered_and_a_signal_ends_the_server_in_order(
    site: Shell, token: str, sign: signal.Signals
) -> None:
    with serving(site, "--listen", ANYWHERE) as (url, process):
        bearer = {"authorization": f"Bearer {token}"}
        answer = httpx2.post(f"{url}/v1/ops/status", json={}, headers=bearer)
        code, told = ended(process, sign)

    assert url.startswith("http://127.0.0.1:")
    assert answer.json()["ok"] is True
    assert (code, told) == (0, "")


def test_a_unix_socket_is_for_its_owner_and_group_and_is_gone_afterwards(
    site: Shell, token: str, tmp_path: Path
) -> None:
    path = tmp_path / "s.sock"

    with serving(site, "--socket", str(path)) as (address, process):
        mode = stat.S_IMODE(path.stat().st_mode)
        transport = httpx2.HTTPTransport(uds=str(path))
        with httpx2.Client(transport=transport, base_url="http://localhost") as client:
            answer = client.post(
                "/v1/ops/status", json={}, headers={"authorization": f"Bearer {token}"}
            )
        code, _ = ended(process, signal.SIGTERM)

    assert address == f"unix:{path}"
    assert mode == 0o660
    assert answer.json()["ok"] is True
    assert code == 0
    assert not path.exists()


def test_a_socket_that_a_killed_server_left_is_taken_over_and_a_living_ones_is_not(
    site: Shell, tmp_path: Path
) -> None:
    path = tmp_path / "s.sock"
    with serving(site, "--socket", str(path)) as (_, killed):
        killed.kill()
        killed.wait()
    assert path.exists()

    with serving(site, "--socket", str(path)):
        second = site.run("serve", "--socket", str(path))

    assert second.returncode == 1
    assert "listen_refused" in second.stderr


def test_a_file_that_is_no_socket_is_left_alone(site: Shell, tmp_path: Path) -> None:
    path = tmp_path / "precious"
    path.write_text("rows")

    refused = site.run("serve", "--socket", str(path))

    assert refused.returncode == 1
    assert path.read_text() == "rows"


@pytest.mark.parametrize("where", ["0.0.0.0:0", "[::]:0"])
def test_where_other_machines_reach_it_it_listens_only_when_told_to_and_says_what_that_means(
    site: Shell, where: str
) -> None:
    refused = site.run("serve", "--listen", where)

    assert refused.returncode == 1
    assert "listen_refused" in refused.stderr
    assert "--allow-remote" in refused.stderr

    if where.startswith("["):
        return
    with serving(site, "--listen", where, "--allow-remote", "--url", "https://a.example") as (
        url,
        process,
    ):
        port = url.rpartition(":")[2]
        known = httpx2.get(f"http://127.0.0.1:{port}/healthz", headers={"host": "a.example"})
        strange = httpx2.get(f"http://127.0.0.1:{port}/healthz", headers={"host": "b.example"})
        about = httpx2.get(f"http://127.0.0.1:{port}/.well-known/oauth-protected-resource/mcp")
        _, told = ended(process, signal.SIGTERM)

    assert "TLS" in told
    assert (known.status_code, strange.status_code) == (200, 421)
    assert about.json()["resource"] == "https://a.example/mcp"


def test_an_address_that_is_taken_is_told(site: Shell) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        where = f"127.0.0.1:{taken.getsockname()[1]}"
        refused = site.run("serve", "--listen", where)

    assert refused.returncode == 1
    assert "listen_refused" in refused.stderr


@pytest.mark.parametrize(
    "options",
    [
        ("--listen", "7077"),
        ("--listen", "127.0.0.1:99999"),
        ("--listen", ANYWHERE, "--socket", "x"),
        ("--url", "ftp://a.example"),
        ("--url", "https://a.example/path"),
    ],
)
def test_what_names_no_address_is_a_mistake_of_the_command_line(
    site: Shell, options: tuple[str, ...]
) -> None:
    assert site.run("serve", *options).returncode == 2


async def test_an_mcp_client_is_served_by_the_same_listener_with_the_same_token(
    site: Shell, token: str
) -> None:
    with serving(site, "--listen", ANYWHERE) as (url, process):
        headers = {"authorization": f"Bearer {token}"}
        async with (
            httpx2.AsyncClient(headers=headers) as http,
            Client(streamable_http_client(f"{url}/mcp", http_client=http)) as client,
        ):
            tools = await client.list_tools()
            answer = await client.call_tool("status", {})
        refused = httpx2.post(f"{url}/mcp", json={})
        code, _ = ended(process, signal.SIGTERM)

    assert "status" in {tool.name for tool in tools.tools}
    assert answer.structured_content is not None
    assert answer.structured_content["ok"] is True
    assert refused.status_code == 401
    assert code == 0


def test_an_apply_that_a_stop_meets_ends_in_order_and_the_next_one_goes_on(
    site: Shell, token: str, tmp_path: Path
) -> None:
    bearer = {"authorization": f"Bearer {token}", "accept": "text/event-stream"}
    mine = site.copied(tmp_path / "copy")
    mine.write({**folder_files("supply", *(f"g{n}" for n in range(6)))})

    with serving(mine, "--listen", ANYWHERE) as (url, process):
        body = {"intent": "six more", "in": "cluster"}
        with httpx2.stream(
            "POST", f"{url}/v1/ops/apply", json=body, headers=bearer, timeout=TIMEOUT_S
        ) as stream:
            lines = stream.iter_lines()
            while "step_started" not in next(lines):
                continue
            process.send_signal(signal.SIGTERM)
            rest = "\n".join(lines)
        _, told = process.communicate(timeout=TIMEOUT_S)

    assert process.returncode == 0, told
    assert "event: result" in rest
    assert mine.run("apply").returncode == 0
    status = mine.json("status")
    assert not [d for d in status["diagnostics"] if d["severity"] == "error"]


def test_strictness_keeps_a_server_from_starting_over_a_graph_in_quarantine(
    site: Shell, tmp_path: Path
) -> None:
    mine = site.copied(tmp_path / "copy")
    recoveries = mine.folder / "__cluster" / "recoveries"
    recoveries.mkdir(exist_ok=True)
    (recoveries / "01ARZ3NDEKTSV4RRFFQ69G5FAV.json").write_text('{"graph_id": "supply"}')

    strict = mine.run("serve", "--listen", ANYWHERE, "--strict")
    with serving(mine, "--listen", ANYWHERE) as (url, process):
        ready = httpx2.get(f"{url}/readyz")
        _, told = ended(process, signal.SIGTERM)

    assert strict.returncode == 1
    assert "graph_not_served" in strict.stderr
    assert ready.status_code == 200
    assert "Not served: graph.supply" in told


def test_nothing_that_is_secret_is_said_by_the_server(site: Shell, token: str) -> None:
    bearer = {"authorization": f"Bearer {token}"}

    with serving(site, "--listen", ANYWHERE) as (url, process):
        httpx2.post(f"{url}/v1/ops/status", json={}, headers=bearer)
        httpx2.get(f"{url}/graphs?token={token}", headers=bearer)
        httpx2.post(f"{url}/v1/ops/status", content=token, headers=bearer)
        process.send_signal(signal.SIGTERM)
        said = "".join(process.communicate(timeout=TIMEOUT_S))

    assert token not in said
    stored = b"".join(p.read_bytes() for p in (site.folder / "__cluster").rglob("*") if p.is_file())
    assert token.encode() not in stored
    assert os.fsencode(token) not in stored


def test_issuers_of_the_profile_are_told_to_clients_and_a_wrong_profile_stops_the_start(
    site: Shell, tmp_path: Path
) -> None:
    mine = site.copied(tmp_path / "copy")
    profile = mine.home / ".config" / "agentctl" / "profile.yaml"
    keys = tmp_path / "keys.json"
    keys.write_text('{"keys": []}')
    profile.write_text(
        f"serve:\n  issuers:\n    - issuer: https://id.example\n      jwks: {keys}\n"
    )

    with serving(mine, "--listen", ANYWHERE) as (url, process):
        about = httpx2.get(f"{url}/.well-known/oauth-protected-resource/mcp").json()
        ended(process, signal.SIGTERM)
    profile.write_text("serve:\n  issuers: 5\n")
    wrong = mine.run("serve", "--listen", ANYWHERE)

    assert about["authorization_servers"] == ["https://id.example"]
    assert wrong.returncode == 1
    assert "profile.yaml" in wrong.stderr
