"""Providers are asked as their interfaces say, through a server that speaks them. Source: ADR 25."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2
import pytest

from agentctl.adapters.embedding import kept as kept_vectors
from agentctl.adapters.embedding.asked import Asked
from agentctl.adapters.embedding.failure import EmbeddingError, SecretMissingError
from agentctl.adapters.embedding.mock import MockEmbedder
from agentctl.adapters.embedding.open import open_embedder
from agentctl.adapters.embedding.openai_compatible import OpenAiEmbedder
from agentctl.adapters.embedding.web import PAUSE_S_MAX, Provider, address_fault
from agentctl.domain.config.model import EmbeddingProfile

KEY = "sk-very-secret"
NATIVE = 6
"""Numbers of the fake model's vectors where nothing else is asked for."""


class FakeServer(ThreadingHTTPServer):
    """Speaks both interfaces; what it is asked is kept, and `script` may say other answers first."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[tuple[str, dict[str, str], Any]] = []
        self.script: list[tuple[int, dict[str, str], bytes]] = []
        self.knows_dimensions = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


class _Handler(BaseHTTPRequestHandler):
    @property
    def fake(self) -> FakeServer:
        assert isinstance(self.server, FakeServer)
        return self.server

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.fake.asked.append((self.path, headers, body))
        if self.fake.script:
            self._say(*self.fake.script.pop(0))
        elif self.path.endswith("/embeddings"):
            self._openai(headers, body)
        else:
            self._gemini(headers, body)

    def log_message(self, *_: object) -> None:
        """Says nothing."""

    def _openai(self, headers: dict[str, str], body: Any) -> None:
        if headers.get("authorization") != f"Bearer {KEY}":
            self._say(401, {}, f"no such key: {headers.get('authorization')}".encode())
            return
        length = body.get("dimensions", NATIVE) if self.fake.knows_dimensions else NATIVE
        data = [
            {"object": "embedding", "index": at, "embedding": [float(len(text))] * length}
            for at, text in enumerate(body["input"])
        ]
        answer = {"object": "list", "data": data[::-1], "model": body["model"], "usage": {}}
        self._say(200, {}, json.dumps(answer).encode())

    def _gemini(self, headers: dict[str, str], body: Any) -> None:
        assert headers["x-goog-api-key"] == KEY
        found = [
            {
                "values": [float(len(one["content"]["parts"][0]["text"]))]
                * one["outputDimensionality"]
            }
            for one in body["requests"]
        ]
        self._say(200, {}, json.dumps({"embeddings": found}).encode())

    def _say(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in {**headers, "content-length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with FakeServer() as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def opened(
    server: FakeServer, kind: str = "openai-compatible", *, cache: Path | None = None
) -> Asked:
    profile = EmbeddingProfile(kind=kind, base_url=server.url, model="m1", api_key="${EMBED_KEY}")
    return open_embedder(profile, provider_digest="d1", environ={"EMBED_KEY": KEY}, cache=cache)


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


class Pauses:
    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


def patient(server: FakeServer) -> tuple[OpenAiEmbedder, Pauses]:
    pauses = Pauses()
    provider = Provider(server.url, {"authorization": f"Bearer {KEY}"}, pause=pauses)
    return OpenAiEmbedder(provider, "m1"), pauses


async def test_texts_are_asked_for_in_one_request_and_come_back_in_order(
    server: FakeServer,
) -> None:
    embedder = opened(server)

    vectors = await embedder.embed(["a", "bb", "ccc"], dimensions=NATIVE)
    await embedder.aclose()

    assert vectors == [(1.0,) * NATIVE, (2.0,) * NATIVE, (3.0,) * NATIVE]
    ((path, headers, body),) = server.asked
    assert path == "/v1/embeddings"
    assert headers["authorization"] == f"Bearer {KEY}"
    assert body == {"model": "m1", "input": ["a", "bb", "ccc"], "encoding_format": "float"}


async def test_many_texts_are_asked_for_in_parts(server: FakeServer) -> None:
    embedder = opened(server)

    vectors = await embedder.embed(["x" * n for n in range(1, 131)], dimensions=NATIVE)
    await embedder.aclose()

    assert [v[0] for v in vectors] == [float(n) for n in range(1, 131)]
    assert [len(body["input"]) for _, _, body in server.asked] == [64, 64, 2]


async def test_another_length_is_asked_for_where_the_model_gives_one_that_does_not_fit(
    server: FakeServer,
) -> None:
    embedder = opened(server)

    first = await embedder.embed(["a"], dimensions=3)
    second = await embedder.embed(["bb"], dimensions=3)
    await embedder.aclose()

    assert (first, second) == ([(1.0, 1.0, 1.0)], [(2.0, 2.0, 2.0)])
    assert [body.get("dimensions") for _, _, body in server.asked] == [None, 3, 3]


async def test_a_model_of_one_length_alone_gives_what_it_has(server: FakeServer) -> None:
    server.knows_dimensions = False
    embedder = opened(server)

    (vector,) = await embedder.embed(["a"], dimensions=3)
    await embedder.aclose()

    assert len(vector) == NATIVE


async def test_gemini_is_asked_as_its_interface_says(server: FakeServer) -> None:
    embedder = opened(server, "gemini")

    vectors = await embedder.embed(["a", "bb"], dimensions=3)
    await embedder.aclose()

    assert vectors == [(1.0, 1.0, 1.0), (2.0, 2.0, 2.0)]
    ((path, headers, body),) = server.asked
    assert path == "/v1/models/m1:batchEmbedContents"
    assert "authorization" not in headers
    assert [one["model"] for one in body["requests"]] == ["models/m1"] * 2


async def test_a_busy_provider_is_asked_again_when_it_says(server: FakeServer) -> None:
    server.script = [(429, {"retry-after": "2"}, b""), (503, {}, b"")]
    embedder, pauses = patient(server)

    (vector,) = await embedder.embed(["a"], dimensions=NATIVE)
    await embedder.aclose()

    assert vector == (1.0,) * NATIVE
    assert pauses.seconds == [2.0, 1.0]


async def test_it_is_not_asked_for_ever_and_no_wait_is_long(server: FakeServer) -> None:
    server.script = [(429, {"retry-after": "86400"}, b"")] * 9
    embedder, pauses = patient(server)

    with pytest.raises(EmbeddingError, match="429: it has no room"):
        await embedder.embed(["a"], dimensions=NATIVE)
    await embedder.aclose()

    assert pauses.seconds == [PAUSE_S_MAX, PAUSE_S_MAX]
    assert len(server.asked) == 3


@pytest.mark.parametrize("status", [400, 401, 403, 404, 418, 302])
async def test_a_refusal_is_told_by_its_status_and_its_words_are_not_repeated(
    server: FakeServer, status: int
) -> None:
    server.script = [(status, {"location": "http://127.0.0.1:1/"}, KEY.encode())]
    embedder, _ = patient(server)

    with pytest.raises(EmbeddingError) as failed:
        await embedder.embed(["a"], dimensions=NATIVE)
    await embedder.aclose()

    assert f"said {status}" in str(failed.value)
    assert KEY not in str(failed.value)
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"<html>",
        b"\xff",
        b'{"data": 1}',
        b'{"data": []}',
        b'{"data": [{"index": 1, "embedding": [1.0]}]}',
        b'{"data": [{"index": 0, "embedding": ["x"]}]}',
        b'{"data": [{"index": 0, "embedding": [1.0]}, {"index": 0, "embedding": [1.0]}]}',
    ],
)
async def test_an_answer_in_another_form_is_an_error(server: FakeServer, answer: bytes) -> None:
    server.script = [(200, {}, answer)]
    embedder, _ = patient(server)

    with pytest.raises(EmbeddingError, match="the provider's answer"):
        await embedder.embed(["a"], dimensions=1)
    await embedder.aclose()


@pytest.mark.parametrize("answer", [b"[]", b'{"embeddings": []}', b"\xff"])
async def test_an_answer_of_gemini_in_another_form_is_one_too(
    server: FakeServer, answer: bytes
) -> None:
    server.script = [(200, {}, answer)]
    embedder = opened(server, "gemini")

    with pytest.raises(EmbeddingError, match="the provider's answer"):
        await embedder.embed(["a"], dimensions=1)
    await embedder.aclose()


async def test_a_provider_that_is_not_there_is_told(server: FakeServer) -> None:
    def refuse(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError(request.method, request=request)

    provider = Provider(server.url, {}, transport=httpx2.MockTransport(refuse))
    with pytest.raises(EmbeddingError, match="not reached: ConnectError"):
        await OpenAiEmbedder(provider, "m").embed(["a"], dimensions=1)
    await provider.aclose()


@pytest.mark.parametrize(
    "url",
    [
        "http://embed.example/v1",
        "ftp://127.0.0.1/",
        "https://user:word@embed.example/",
        "https:///v1",
        "http://localhost:port/",
        "embed.example",
    ],
)
async def test_no_key_is_sent_to_an_address_that_others_may_read_or_that_is_none(url: str) -> None:
    asked: list[str] = []

    def note(request: httpx2.Request) -> httpx2.Response:
        asked.append(str(request.url))
        return httpx2.Response(200, json={"data": []})

    provider = Provider(url, {"authorization": "x"}, transport=httpx2.MockTransport(note))
    with pytest.raises(EmbeddingError, match="the provider's address is not used"):
        await OpenAiEmbedder(provider, "m").embed(["a"], dimensions=1)
    await provider.aclose()

    assert asked == []
    assert address_fault(url) is not None


def test_addresses_of_this_machine_and_of_https_are_asked() -> None:
    for url in ("https://embed.example/v1", "http://localhost:11434/v1", "http://[::1]:80"):
        assert address_fault(url) is None


async def test_a_key_that_no_header_can_hold_is_refused_and_not_shown() -> None:
    provider = Provider("https://embed.example", {"authorization": "Bearer s\nx"})
    with pytest.raises(EmbeddingError, match="the key holds characters"):
        await OpenAiEmbedder(provider, "m").embed(["a"], dimensions=1)


async def test_a_key_that_is_not_set_fails_when_it_is_needed(server: FakeServer) -> None:
    profile = EmbeddingProfile(kind="openai", base_url=server.url, api_key="${EMBED_KEY}")
    embedder = open_embedder(profile, provider_digest="d", environ={}, cache=None)

    with pytest.raises(SecretMissingError, match="the variable EMBED_KEY is not set"):
        await embedder.embed(["a"], dimensions=1)
    await embedder.aclose()

    assert embedder.model == "text-embedding-3-large"
    assert server.asked == []


async def test_a_mock_needs_no_key() -> None:
    profile = EmbeddingProfile(kind="mock", model="m7")
    embedder = open_embedder(profile, provider_digest="d", environ={}, cache=None)

    assert isinstance(embedder, MockEmbedder)
    assert embedder.model == "m7"
    with pytest.raises(EmbeddingError):
        await embedder.embed(["a"], dimensions=10**9)


async def test_a_vector_is_asked_for_once_and_kept(server: FakeServer, tmp_path: Path) -> None:
    for _ in range(2):
        embedder = opened(server, cache=tmp_path)
        assert await embedder.embed(["a", "bb"], dimensions=NATIVE) == [
            (1.0,) * NATIVE,
            (2.0,) * NATIVE,
        ]
        assert await embedder.embed(["ccc", "bb"], dimensions=NATIVE) == [
            (3.0,) * NATIVE,
            (2.0,) * NATIVE,
        ]
        await embedder.aclose()

    assert [body["input"] for _, _, body in server.asked] == [["a", "bb"], ["ccc"]]
    assert len(files(tmp_path)) == 3


async def test_what_is_kept_is_of_one_provider_one_model_and_one_length(
    server: FakeServer, tmp_path: Path
) -> None:
    for digest, model, dimensions in (
        ("d1", "m1", 4),
        ("d2", "m1", 4),
        ("d1", "m2", 4),
        ("d1", "m1", 5),
    ):
        profile = EmbeddingProfile(
            kind="openai", base_url=server.url, model=model, api_key="${EMBED_KEY}"
        )
        embedder = open_embedder(
            profile, provider_digest=digest, environ={"EMBED_KEY": KEY}, cache=tmp_path
        )
        (vector,) = await embedder.embed(["a"], dimensions=dimensions)
        await embedder.aclose()
        assert len(vector) == dimensions

    assert len({json.dumps(body) + h["authorization"] for _, h, body in server.asked}) >= 3
    assert len(files(tmp_path)) == 4


async def test_what_was_tampered_with_is_asked_for_again(
    server: FakeServer, tmp_path: Path
) -> None:
    embedder = opened(server, cache=tmp_path)
    await embedder.embed(["a"], dimensions=NATIVE)
    (entry,) = files(tmp_path)
    entry.write_bytes(entry.read_bytes()[:-1] + b"x")

    (vector,) = await embedder.embed(["a"], dimensions=NATIVE)
    await embedder.aclose()

    assert vector == (1.0,) * NATIVE
    assert len(server.asked) == 2


async def test_a_vector_that_does_not_fit_is_given_and_not_kept(
    server: FakeServer, tmp_path: Path
) -> None:
    server.knows_dimensions = False
    embedder = opened(server, cache=tmp_path)

    (vector,) = await embedder.embed(["a"], dimensions=3)
    await embedder.aclose()

    assert len(vector) == NATIVE
    assert not files(tmp_path)


async def test_a_folder_that_others_may_write_to_is_not_used(
    server: FakeServer, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    cache.chmod(0o777)
    embedder = opened(server, cache=cache)

    assert await embedder.embed(["a"], dimensions=NATIVE) == [(1.0,) * NATIVE]
    await embedder.aclose()

    assert not list(cache.iterdir())


async def test_the_folder_of_vectors_is_kept_small(
    server: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    collected: list[Path] = []

    def note(folders: Path, *, keep: Path) -> None:
        assert keep.parent == folders
        collected.append(folders)

    monkeypatch.setattr(kept_vectors, "COLLECTED_EVERY", 1)
    monkeypatch.setattr(kept_vectors, "collect", note)
    embedder = opened(server, cache=tmp_path)

    await embedder.embed(["a", "bb"], dimensions=NATIVE)
    await embedder.aclose()

    assert collected == [tmp_path / "vectors"] * 2


@pytest.mark.parametrize("kind", ["openai-compatible", "gemini"])
async def test_an_answer_nested_without_end_is_no_list_of_vectors(
    server: FakeServer, kind: str
) -> None:
    server.script.append((200, {}, b'{"x":' + b"[" * 1_000_000))
    asked = opened(server, kind)

    with pytest.raises(EmbeddingError, match="no list of vectors"):
        await asked.embed(["a"], dimensions=NATIVE)

    await asked.aclose()
