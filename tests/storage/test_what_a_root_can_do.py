"""What `doctor` says of a storage root, and the policy by which a bucket guards itself."""

import json
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from anyio import to_thread

from agentctl.adapters.backends.abilities import abilities, file_system_of
from agentctl.adapters.backends.ability import Ability
from agentctl.adapters.backends.local import LocalStore
from agentctl.adapters.backends.memory import MemoryStore
from agentctl.adapters.backends.probe import PROOF_KEY, is_proved, probe, prove
from agentctl.adapters.backends.s3 import S3Store
from agentctl.adapters.backends.s3_features import enforces
from agentctl.adapters.backends.s3_settings import S3Root
from agentctl.engine.apply import apply
from agentctl.faces.cli.exit_codes import ExitCode
from agentctl.testing.builders import Bench, folder_files, wanting
from agentctl.testing.crash import CrashingStore
from agentctl.testing.servers import BUCKET, ObjectServer, moto_server
from agentctl.testing.shell import Shell
from agentctl.views.bucket_policy import KEPT, NUMBERED, bucket_policy

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def by_name(found: tuple[Ability, ...]) -> dict[str, str]:
    return {ability.name: ability.holds for ability in found}


async def test_a_root_that_passed_is_not_probed_again() -> None:
    counted = CrashingStore(MemoryStore())
    assert await prove(counted, counted) is None
    first = counted.writes

    assert await prove(counted, counted) is None

    assert counted.writes == first
    assert await is_proved(counted)


@pytest.mark.parametrize("planted", [b"", b"{}x", b'{"version":2}', b'{"create_only":false}'])
async def test_a_proof_that_says_something_else_proves_nothing(planted: bytes) -> None:
    store = MemoryStore(objects={PROOF_KEY: planted})

    assert not await is_proved(store)


async def test_a_disk_is_told_with_its_room_and_what_it_lacks(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "root")
    await prove(store, LocalStore(tmp_path / "root"))

    found = by_name(await abilities(store, NOW.timestamp()))

    assert found["create-only"] == "yes"
    assert {"local", "room"} < found.keys()
    assert (found["clock"], found["versioning"], found["object lock"]) == ("no", "no", "no")


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "ext4"),
        ("/data/x", "nfs4"),
        ("/data2", "ext4"),
        ("/a b/c", "xfs"),
        ("/data/in", "tmpfs"),
    ],
)
def test_the_file_system_is_that_of_the_nearest_mount(path: str, kind: str) -> None:
    mounts = (
        "d / ext4 rw 0 0\ns:/x /data nfs4 rw 0 0\nd /a\\040b xfs rw 0 0\nt /data/in tmpfs rw\n\n"
    )

    assert file_system_of(Path(path), mounts) == kind


class Skewed(MemoryStore):
    async def clock(self) -> datetime | None:
        return NOW + timedelta(minutes=5)


async def test_a_clock_that_is_apart_is_told() -> None:
    found = await abilities(Skewed(), NOW.timestamp())

    assert by_name(found)["clock"] == "no"
    assert "300 s" in next(a.says for a in found if a.name == "clock")


def test_a_policy_is_known_by_its_condition() -> None:
    assert enforces(bucket_policy("b", "p/"))
    for other in ("", "[]", "{}", '{"Statement": []}', '{"Statement": [{"Effect": "Deny"}]}'):
        assert not enforces(other)
    allows = bucket_policy("b", "").replace('"Deny"', '"Allow"')
    assert not enforces(allows)


class Watched(MemoryStore):
    """Notes how each key is written."""

    def __init__(self) -> None:
        super().__init__()
        self.made: set[str] = set()
        self.overwritten: set[str] = set()
        self.removed: set[str] = set()

    async def create(self, key: str, data: bytes) -> bool:
        self.made.add(key)
        return await super().create(key, data)

    async def replace(self, key: str, data: bytes) -> None:
        self.overwritten.add(key)
        await super().replace(key, data)

    async def delete(self, key: str) -> None:
        self.removed.add(key)
        await super().delete(key)


def _covered(keys: set[str], patterns: tuple[str, ...]) -> set[str]:
    return {k for k in keys if any(fnmatchcase(k, pattern) for pattern in patterns)}


async def test_the_policy_lets_through_all_that_agentctl_does(tmp_path: Path) -> None:
    """A run on a store that notes: nothing overwritten or removed is what the policy protects."""
    store = Watched()
    bench = Bench(tmp_path)
    bench.wrap_store = lambda _: store
    cluster = await bench.begun(folder_files("supply"))
    await apply(cluster, bench.agent, wanting())

    assert _covered(store.overwritten, NUMBERED) == set()
    assert _covered(store.removed, KEPT) == set()
    numbered = {key for key in store.made if re.search(r"/\d{20}\.json$", key)}
    assert numbered, "the run made numbered objects"
    assert numbered - _covered(numbered, NUMBERED) == set()
    leases = {key for key in numbered if "/leases/" in key}
    assert leases
    beats = {key for key in store.overwritten if key.endswith(".beat.json")}
    assert beats


def test_the_policy_names_the_root_only() -> None:
    document = json.loads(bucket_policy("bkt", "a/b/", "arn:aws:iam::1:role/x"))

    for statement in document["Statement"]:
        resources = statement["Resource"]
        for resource in resources if isinstance(resources, list) else [resources]:
            assert resource == "arn:aws:s3:::bkt" or resource.startswith("arn:aws:s3:::bkt/a/b/")


@pytest.fixture
async def on_moto(moto_root: S3Root) -> AsyncIterator[S3Store]:
    store = S3Store(moto_root)
    yield store
    await store.aclose()


@pytest.mark.slow
async def test_a_bucket_is_told_with_what_it_is_set_to(
    moto: ObjectServer, moto_root: S3Root, on_moto: S3Store
) -> None:
    now = datetime.now(UTC).timestamp()
    before = by_name(await abilities(on_moto, now))
    client = moto.client()
    client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    client.put_bucket_policy(Bucket=BUCKET, Policy=bucket_policy(BUCKET, moto_root.prefix))
    try:
        after = by_name(await abilities(on_moto, now))
    finally:
        client.delete_bucket_policy(Bucket=BUCKET)
        client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Suspended"})
        client.close()

    assert before["clock"] == after["clock"] == "yes"
    assert (before["versioning"], before["create-only enforced"]) == ("no", "no")
    assert (after["versioning"], after["create-only enforced"]) == ("yes", "yes")


@pytest.mark.slow
async def test_a_server_that_ignores_conditions_is_refused_and_nothing_is_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with moto_server(lying=True) as liar:
        for name, value in liar.environ.items():
            monkeypatch.setenv(name, value)
        root = liar.new_root()
        one, two = S3Store(root), S3Store(root)
        refused = await probe(one, two)
        shell = Shell(tmp_path)
        shell.more_env = liar.environ
        shell.folder.mkdir()
        folder = f"version: 1\nmetadata: {{name: c}}\nstorage: {root.uri}\ngraphs: {{}}\n"
        shell.write({"cluster.yaml": folder})
        ended = await to_thread.run_sync(lambda: shell.run("init", shell.folder, "--no-passphrase"))
        left = await one.list("")
        await one.aclose()
        await two.aclose()

    assert refused is not None
    assert refused.code == "storage_probe_failed"
    assert ended.returncode == ExitCode.UNAVAILABLE
    assert "storage_probe_failed" in ended.stderr
    assert [key for key in left if not key.startswith("__cluster/probe/")] == []
