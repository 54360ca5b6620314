"""What every answer of an S3 store means, and that no write is ever sent twice. Source: issue 4."""

from datetime import UTC, datetime
from pathlib import Path

import anyio
import pytest

from agentctl.adapters.backends import s3 as module
from agentctl.adapters.backends.open import open_store
from agentctl.adapters.backends.probe import probe
from agentctl.adapters.backends.s3 import S3Store
from agentctl.adapters.backends.s3_settings import S3Root, root_of, settings_from
from agentctl.adapters.sources.directory import Folder
from agentctl.diagnostics.codes import CODES
from agentctl.diagnostics.diagnostic import error
from agentctl.domain.storage.protocol import (
    BackendError,
    RefusedError,
    UnavailableError,
    UnsuitableError,
)
from agentctl.engine.cluster import open_cluster
from agentctl.engine.folder_load import load_folder
from agentctl.faces.cli.exit_codes import ExitCode, exit_code
from agentctl.testing.clock import StillWorld
from agentctl.testing.scripted_s3 import Answer, Request, Script, ScriptedS3, refusal, scripted_s3
from agentctl_tools.failures import diagnostics_of

ROOT = S3Root(bucket="bucket", prefix="root/")
AWS_VARIABLES = (
    "AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_REGION",
    "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY",
)  # fmt: skip


@pytest.fixture(autouse=True)
def _own_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in AWS_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIATEST")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "planted-secret-value")
    monkeypatch.setattr(module, "READ_PAUSE_S", 0.0)


class With:
    """A store at a server that follows a script; both end with the block."""

    def __init__(self, script: Script, *, read_timeout_s: float = 5.0) -> None:
        self._server = scripted_s3(script)
        self._read_timeout_s = read_timeout_s

    async def __aenter__(self) -> tuple[S3Store, ScriptedS3]:
        server = await self._server.__aenter__()
        self.store = S3Store(ROOT, server.settings(read_timeout_s=self._read_timeout_s))
        return self.store, server

    async def __aexit__(self, *_: object) -> None:
        await self.store.aclose()
        await self._server.__aexit__(None, None, None)


def always(answer: Answer) -> Script:
    return lambda _: answer


def in_turn(*answers: Answer) -> Script:
    left = iter(answers)
    return lambda _: next(left)


REFUSALS = [
    (400, "ExpiredToken", "storage_credentials_expired"),
    (403, "TokenRefreshRequired", "storage_credentials_expired"),
    (403, "InvalidAccessKeyId", "storage_credentials_missing"),
    (403, "SignatureDoesNotMatch", "storage_credentials_missing"),
    (403, "AccessDenied", "storage_denied"),
    (404, "NoSuchBucket", "storage_bucket_missing"),
    (400, "InvalidBucketName", "storage_bucket_missing"),
    (403, "RequestTimeTooSkewed", "storage_clock_skewed"),
    (503, "SlowDown", "storage_throttled"),
    (507, "InsufficientStorage", "storage_full"),
    (405, "MethodNotAllowed", "storage_refused"),
]


@pytest.mark.parametrize(("status", "said", "code"), REFUSALS)
async def test_a_refusal_is_told_by_name_and_the_write_is_sent_once(
    status: int, said: str, code: str
) -> None:
    async with With(always(refusal(status, said))) as (store, server):
        for write in (store.replace("k", b"1"), store.delete("k")):
            with pytest.raises(RefusedError):
                await write
        with pytest.raises(RefusedError) as refused:
            await store.create("k", b"1")
        assert refused.value.code == code
        assert [r.method for r in server.requests] == ["PUT", "DELETE", "PUT"]

    told = diagnostics_of(refused.value)
    assert told is not None
    assert [d.code for d in told] == [code]
    assert told[0].remedy
    assert said in (told[0].detail or "")
    assert "planted-secret-value" not in repr(told)
    assert code in CODES
    assert exit_code(ok=False, diagnostics=told) is ExitCode.UNAVAILABLE


@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_an_answer_that_servers_also_give_after_the_work_leaves_the_outcome_unknown(
    status: int,
) -> None:
    async with With(always(refusal(status, "InternalError"))) as (store, server):
        with pytest.raises(UnavailableError) as failed:
            await store.create("k", b"1")

    assert not isinstance(failed.value, RefusedError)
    assert len(server.requests) == 1


async def test_a_write_whose_kept_connection_is_cut_is_not_sent_again() -> None:
    """aiohttp repeats a PUT of its own accord then, which would read as a lost race."""

    def script(request: Request) -> Answer | str:
        return "cut" if request.method == "PUT" else Answer(body=b"1")

    async with With(script) as (store, server):  # type: ignore[arg-type]  # the word is the one
        await store.read("warm")
        with pytest.raises(UnavailableError) as failed:
            await store.create("k", b"1")

    puts = [r for r in server.requests if r.method == "PUT"]
    assert [r.on_connection for r in puts] == [2], "it went over a kept connection, once"
    assert not isinstance(failed.value, RefusedError)


async def test_a_write_that_is_never_answered_ends_as_unknown() -> None:
    async with With(lambda _: "silence", read_timeout_s=1) as (store, server):
        with pytest.raises(UnavailableError) as failed:
            await store.replace("k", b"1")

    assert len(server.requests) == 1
    assert not isinstance(failed.value, RefusedError)


async def test_a_cancelled_write_is_sent_to_its_end() -> None:
    async with With(always(Answer())) as (store, server):
        with anyio.CancelScope() as scope:
            scope.cancel()
            await store.create("k", b"1")

    assert [(r.method, r.body) for r in server.requests] == [("PUT", b"1")]


async def test_a_store_that_is_not_there_is_unavailable() -> None:
    async with scripted_s3(always(Answer())) as server:
        settings = server.settings()
    store = S3Store(ROOT, settings)

    with pytest.raises(UnavailableError):
        await store.read("k")
    with pytest.raises(UnavailableError):
        await store.create("k", b"1")
    await store.aclose()


@pytest.mark.parametrize("first", [refusal(503, "SlowDown"), refusal(500, "InternalError")])
async def test_reads_and_listings_are_asked_again_where_the_store_is_busy(first: Answer) -> None:
    page = Answer(body=b"<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>")
    async with With(in_turn(first, Answer(body=b"1"), first, page)) as (store, server):
        found = await store.read("k")
        assert await store.list("") == ()

    assert found is not None
    assert found.data == b"1"
    assert len(server.requests) == 4


async def test_a_read_of_a_store_that_stays_away_ends() -> None:
    async with With(always(refusal(500, "InternalError"))) as (store, server):
        with pytest.raises(UnavailableError):
            await store.read("k")

    assert len(server.requests) == module.READ_ATTEMPT_COUNT_MAX


async def test_credentials_that_expire_half_way_are_not_asked_about_again() -> None:
    answers = in_turn(Answer(), refusal(400, "ExpiredToken"), refusal(400, "ExpiredToken"))
    async with With(answers) as (store, server):
        assert await store.create("a", b"1") is True
        with pytest.raises(RefusedError) as refused:
            await store.read("a")

    assert refused.value.code == "storage_credentials_expired"
    assert len(server.requests) == 2


async def test_without_credentials_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    async with With(always(Answer())) as (store, server):
        with pytest.raises(RefusedError) as refused:
            await store.read("k")

    assert refused.value.code == "storage_credentials_missing"
    assert server.requests == []


async def test_a_profile_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    async with With(always(Answer())) as (store, server):
        with pytest.raises(RefusedError) as refused:
            await store.create("k", b"1")

    assert refused.value.code == "storage_credentials_missing"
    assert server.requests == []


@pytest.mark.parametrize(
    ("answers", "made"),
    [
        ([Answer()], True),
        ([refusal(412, "PreconditionFailed")], False),
        ([refusal(409, "ConditionalRequestConflict"), Answer()], True),
        ([refusal(409, "ConditionalRequestConflict"), refusal(412, "PreconditionFailed")], False),
    ],
)
async def test_a_create_is_conditional_and_goes_on_after_a_conflict(
    answers: list[Answer],
    made: bool,  # noqa: FBT001  # a table
) -> None:
    async with With(in_turn(*answers)) as (store, server):
        assert await store.create("k", b"1") is made

    assert {r.headers["if-none-match"] for r in server.requests} == {"*"}
    assert {r.path for r in server.requests} == {"/bucket/root/k"}
    assert len(server.requests) == len(answers)


async def test_a_replacement_and_a_removal_bear_no_condition() -> None:
    """Some stores ignore conditions on them, so nothing may rest on one."""
    async with With(always(Answer())) as (store, server):
        await store.replace("k", b"1")
        await store.delete("k")

    conditions = {"if-none-match", "if-match"}
    assert [r for r in server.requests if conditions & r.headers.keys()] == []


async def test_a_store_that_does_not_know_conditions_fails_the_probe() -> None:
    async with With(always(refusal(501, "NotImplemented"))) as (store, _):
        with pytest.raises(UnsuitableError):
            await store.create("k", b"1")
        refused = await probe(store, store)

    assert refused is not None
    assert refused.code == "storage_probe_failed"


async def test_a_probe_that_is_denied_says_denied() -> None:
    async with With(always(refusal(403, "AccessDenied"))) as (store, _):
        refused = await probe(store, store)

    assert refused is not None
    assert refused.code == "storage_denied"


async def test_listings_of_many_pages_are_put_together() -> None:
    def script(request: Request) -> Answer:
        second = "continuation-token=more" in request.query
        keys = ["root/b", "root/.hidden"] if second else ["root/a", "root/c%20d"]
        inner = "".join(f"<Contents><Key>{k}</Key><Size>2</Size></Contents>" for k in keys)
        more = "" if second else "<NextContinuationToken>more</NextContinuationToken>"
        truncated = str(not second).lower()
        return Answer(
            body=f"<ListBucketResult><EncodingType>url</EncodingType>"
            f"<IsTruncated>{truncated}</IsTruncated>{more}{inner}</ListBucketResult>".encode()
        )

    async with With(script) as (store, server):
        assert await store.list("") == ("a", "b", "c d")
        assert len(server.requests) == 2
        assert await store.size_bytes("") == 8


@pytest.mark.parametrize(
    ("date", "told"),
    [
        ("Sat, 21 Nov 2026 03:30:00 GMT", datetime(2026, 11, 21, 3, 30, tzinfo=UTC)),
        ("yesterday", None),
    ],
)
async def test_the_clock_is_the_one_of_the_answer(date: str, told: datetime | None) -> None:
    async with With(always(Answer(headers=(("Date", date),)))) as (store, _):
        assert await store.clock() == told


async def test_words_of_a_store_are_made_harmless() -> None:
    text = "<Error><Code>AccessDenied</Code><Message>no\u202eevil\x85</Message></Error>"
    async with With(always(Answer(status=403, body=text.encode()))) as (store, _):
        with pytest.raises(BackendError) as refused:
            await store.read("k")

    assert "\x85" not in str(refused.value)
    assert "\u202e" not in str(refused.value)


async def test_a_key_that_no_bucket_takes_is_refused_before_it_is_sent() -> None:
    async with With(always(Answer())) as (store, server):
        with pytest.raises(RefusedError):
            await store.create("k" * 1024, b"1")

    assert server.requests == []


@pytest.mark.parametrize(
    ("environ", "endpoint", "region"),
    [
        ({}, None, None),
        ({"AWS_ENDPOINT_URL": "http://a"}, "http://a", None),
        ({"AWS_ENDPOINT_URL": "http://a", "AWS_ENDPOINT_URL_S3": "http://b"}, "http://b", None),
        ({"AWS_REGION": "eu-1", "AWS_DEFAULT_REGION": "eu-2"}, None, "eu-1"),
        ({"AWS_DEFAULT_REGION": "eu-2"}, None, "eu-2"),
    ],
)
def test_the_standard_variables_say_where(
    environ: dict[str, str], endpoint: str | None, region: str | None
) -> None:
    settings = settings_from(environ)

    assert (settings.endpoint, settings.region) == (endpoint, region)
    assert settings.path_style == (endpoint is not None)


@pytest.mark.parametrize(
    ("uri", "root"),
    [
        ("s3://b", S3Root(bucket="b")),
        ("s3://b/", S3Root(bucket="b")),
        ("s3://b/p/q/", S3Root(bucket="b", prefix="p/q/")),
    ],
)
def test_a_root_is_named_by_its_uri(uri: str, root: S3Root) -> None:
    assert root_of(uri) == root
    assert root.uri == uri.rstrip("/")


async def test_a_folder_on_s3_is_validated_without_asking_anybody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    (tmp_path / "a.pg").write_text("node A { k: String @key }\n")
    (tmp_path / "cluster.yaml").write_text(
        "version: 1\nstorage: s3://bucket/prefix\ngraphs: {g: {schema: a.pg}}\n"
    )
    answer = (await anyio.to_thread.run_sync(load_folder, tmp_path, None))[0]
    assert answer.ok

    with pytest.raises(RefusedError) as refused:
        await open_cluster(
            Folder(tmp_path),
            make_store=open_store,
            make_graphs=lambda _: pytest.fail("no answer, no graphs"),
            world=StillWorld(),
            verify=lambda *_: None,
        )
    assert refused.value.code == "storage_credentials_missing"


def test_every_refusal_has_an_exit_code_of_its_own_family() -> None:
    codes = [code for code in CODES if code.startswith("storage_") and "root" not in code]

    assert len(codes) >= 10
    for code in codes:
        told = (error(code, "storage", "said"),)
        assert exit_code(ok=False, diagnostics=told) is ExitCode.UNAVAILABLE, code
