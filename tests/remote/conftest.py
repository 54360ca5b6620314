"""A cluster in a folder, and a small server over the real door that this process asks in memory."""

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest
from click.testing import CliRunner, Result

from agentctl.adapters.wire.posting import Wire
from agentctl.faces.cli.compose import compose
from agentctl.faces.cli.main import cli
from agentctl_tools import remote
from agentctl_tools.callers import TokenCaller, caller_of_token
from agentctl_tools.door import call, leave
from agentctl_tools.envelopes import failed

URL = "http://127.0.0.1:7999"
Run = Callable[..., Result]
Twist = Callable[[str, dict[str, Any], Any], Any]
"""Takes an operation, its arguments and the honest answer; returns what is answered."""


class Server:
    """Answers as `agentctl serve` does, and lies where a test says how."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.twist: Twist = lambda _name, _given, answer: answer
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.status: int | None = None

    async def __call__(
        self,
        scope: dict[str, Any],
        receive: Callable[[], Awaitable[dict[str, Any]]],
        send: Callable[[dict[str, Any]], Awaitable[None]],
    ) -> None:
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        name = scope["path"].removeprefix("/v1/ops/")
        headers = dict(scope["headers"])
        secret = headers[b"authorization"].decode().removeprefix("Bearer ")
        given = json.loads(body)
        self.asked.append((name, given))
        answer = await self._answer(name, given, secret)
        told = msgspec.json.encode(self.twist(name, given, msgspec.json.decode(answer)))
        status = self.status or (200 if json.loads(answer)["ok"] else 422)
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": told})

    async def _answer(self, name: str, given: dict[str, Any], secret: str) -> bytes:
        composition = compose()
        try:
            cluster = await composition.open(self.folder)
            found = await caller_of_token(cluster, secret, via="http", audience=URL)
            if not isinstance(found, TokenCaller):
                return msgspec.json.encode(failed((found,)))
            answer = await call(cluster, found.caller, name, given)
            await leave(cluster)
            return msgspec.json.encode(answer)
        finally:
            await composition.aclose()


class Site:
    """Two machines of one user: the cluster's, and the one that only has a context of it."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = root
        self.folder = root / "supply"
        self.server = Server(self.folder)
        self._patch = monkeypatch
        self.token = root / "mine.token"

    def here(self, *arguments: str | Path) -> Result:
        """Runs a command where the cluster is."""
        return self._run(self.folder, *arguments)

    def there(self, *arguments: str | Path) -> Result:
        """Runs a command where no cluster is, by the context `prod`."""
        elsewhere = self.root / "elsewhere"
        elsewhere.mkdir(exist_ok=True)
        return self._run(elsewhere, "--context", "prod", *arguments)

    def ok(self, result: Result) -> Result:
        assert result.exit_code == 0, result.output
        return result

    def read(self, result: Result) -> Any:
        return json.loads(self.ok(result).stdout)

    def _run(self, place: Path, *arguments: str | Path) -> Result:
        self._patch.chdir(place)
        return CliRunner().invoke(cli, [str(a) for a in arguments], prog_name="agentctl")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """An initialised cluster, a token of its human, and a context `prod` that reaches it."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / ".config"))
    for name in ("AGENTCTL_TOKEN", "AGENTCTL_CONTEXT"):
        monkeypatch.delenv(name, raising=False)
    made = Site(tmp_path, monkeypatch)
    made.folder.mkdir()

    def wire(url: str, secret: str) -> Wire:
        return Wire(url, secret, transport=httpx2.ASGITransport(app=made.server))  # type: ignore[arg-type]  # an ASGI app

    monkeypatch.setattr(remote, "wire_to", wire)
    monkeypatch.setattr("agentctl.faces.cli.context_acts.wire_to", wire)
    made.ok(made.here("init", "--no-passphrase"))
    listed = made.read(made.here("identity", "list", "--json"))["identities"]
    human = next(one["id"] for one in listed if one["kind"] == "human")
    made.ok(made.here("token", "create", human, "--out", made.token))
    made.ok(made.here("context", "add", "prod", URL, "--token-file", made.token))
    return made
