"""Acceptance cases of graph sandboxes through the door. Source: sandboxes 5, cases 2, 5, 7, 9, 11, 12, 28."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from agentctl.domain.sandbox.lending import record_key
from agentctl.domain.storage.protocol import ObjectStore, StoredObject, UnavailableError
from agentctl.engine import sandbox_quotas
from agentctl.engine.lending import record_of
from agentctl.engine.sandboxed import LIFE, require_open
from agentctl.instants import parse_instant
from agentctl.testing.builders import WIDER_SCHEMA
from agentctl.testing.crash import Crash, DownStore
from tests.sandboxes.inside.inside_rig import left_of
from tests.sandboxes.tools.sandbox_desk import Desk, desk
from tests.sandboxes.tools.test_attacks_on_sandboxes import SECRET

KEY: Final = "AKIAIOSFODNN7EXAMPLE"


class Watched:
    """A store that tells what is written; it refuses what has a word in its key, until a sandbox ends."""

    def __init__(self, inner: ObjectStore, written: list[str], refuse: list[str]) -> None:
        self._inner, self._written, self._refuse = inner, written, refuse

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def _note(self, key: str) -> None:
        if key.endswith("/ended.json"):
            self._refuse.clear()
        if self._refuse and self._refuse[0] in key:
            msg = "the disk is gone"
            raise UnavailableError(msg)
        self._written.append(key)

    async def create(self, key: str, data: bytes) -> bool:
        self._note(key)
        return await self._inner.create(key, data)

    async def replace(self, key: str, data: bytes) -> None:
        self._note(key)
        await self._inner.replace(key, data)

    async def delete(self, key: str) -> None:
        self._note(key)
        await self._inner.delete(key)


async def watched(at: Desk, *, refuse: str | None = None) -> list[str]:
    """Opens the desk's cluster anew over a store that is watched; returns the keys as they come."""
    written: list[str] = []
    refused = [] if refuse is None else [refuse]
    at.bench.wrap_store = lambda store: Watched(store, written, refused)
    cluster = await at.bench.open()
    at.cluster = msgspec.structs.replace(cluster, history=at.cluster.history)
    return written


@pytest.mark.parametrize(
    ("at_key", "step"),
    [
        ("graphs/supply", "the graphs were branched"),
        ("/__cluster/ledger/", "its ledger began"),
    ],
)
async def test_an_opening_that_fails_at_a_step_names_it_and_leaves_nothing(
    tmp_path: Path, at_key: str, step: str
) -> None:
    """Acceptance case 2."""
    async with desk(tmp_path) as at:
        await watched(at, refuse=at_key)
        envelope = await at.ask("sandbox_open")

        assert [d.code for d in envelope.diagnostics] == ["sandbox_not_opened"]
        assert step in envelope.diagnostics[0].message
        assert left_of(at.bench) == []
        assert (await at.must("sandbox_list")).sandboxes == ()
        await at.must("sandbox_open")


async def test_a_sandbox_that_is_broken_goes_when_its_time_is_over_too(tmp_path: Path) -> None:
    """Acceptance case 5."""
    async with desk(tmp_path) as at:
        box = (await at.must("sandbox_open")).sandbox.removeprefix("sandbox:")
        for path in (at.bench.path / "sandboxes" / box / "__cluster" / "ledger").glob("*.json"):
            path.write_bytes(b"nonsense")
        assert not (await at.ask("plan", in_=f"sandbox:{box}")).ok
        at.bench.world.advance(LIFE.total_seconds() + 1)

        swept = await at.must("sandbox_sweep")

        assert [one.sandbox for one in swept.ended] == [box]
        assert left_of(at.bench) == []


async def test_a_call_that_fails_is_kept_with_what_it_said(tmp_path: Path) -> None:
    """Acceptance case 7."""
    async with desk(tmp_path) as at:
        box = (await at.must("sandbox_open")).sandbox
        row = '{"type": "Nothing", "data": {}}'
        envelope = await at.ask("sandbox_write", in_=box, graph="supply", rows=row)

        (kept,) = (await at.must("sandbox_commands", in_=box)).commands
        assert not envelope.ok
        assert (kept.tool, kept.exit_code) == ("sandbox_write", 1)
        assert envelope.diagnostics[0].code in kept.stderr


async def test_a_secret_in_a_call_is_kept_as_a_token(tmp_path: Path) -> None:
    """Acceptance case 9."""
    async with desk(tmp_path) as at:
        box = (await at.must("sandbox_open")).sandbox
        row = f'{{"type": "Package", "data": {{"name": "{KEY}", "version": "{KEY}"}}}}'
        await at.must("sandbox_write", in_=box, graph="supply", rows=row)

        (kept,) = (await at.must("sandbox_commands", in_=box)).commands
        assert KEY not in repr(kept)
        assert kept.arguments_json.count("[REDACTED_AWS") == 2
        assert KEY not in repr(await at.must("sandbox_diff", in_=box))
        for path in tmp_path.glob("history.sqlite*"):  # noqa: ASYNC240
            assert KEY.encode() not in path.read_bytes()


async def test_a_difference_is_made_once_and_is_of_one_sandbox_alone(tmp_path: Path) -> None:
    """Acceptance cases 11 and 12."""
    async with desk(tmp_path) as at:
        box = (await at.must("sandbox_open")).sandbox
        await at.must("sandbox_snapshot", in_=box, name="a")
        await at.must("draft_edit", in_=box, path="supply.pg", content=WIDER_SCHEMA)
        await at.must("sandbox_snapshot", in_=box, name="b")
        first = await at.must("sandbox_diff", in_=box, before="a", after="b")
        await at.must("sandbox_write", in_=box, graph="supply", rows=SECRET)
        second = await at.must("sandbox_diff", in_=box, before="a", after="b")
        same = (await at.must("sandbox_diff", in_=box, before="a", after="a")).changes
        other = (await at.must("sandbox_open")).sandbox

        assert first == second
        assert first.changes.files_modified == ("supply.pg",)
        assert not same.files_modified
        assert not same.rows
        assert not same.commands_run
        for where, before in ((other, "a"), (box, "never")):
            found = await at.codes("sandbox_diff", in_=where, before=before)
            assert found == ["sandbox_snapshot_missing"], before


async def test_what_a_sandbox_writes_lies_in_its_room_and_on_its_branches_alone(
    tmp_path: Path,
) -> None:
    """Acceptance case 28: its cluster has no way to write the base."""
    async with desk(tmp_path) as at:
        box = (await at.must("sandbox_open")).sandbox
        written = await watched(at)
        await at.must("draft_edit", in_=box, path="supply.pg", content=WIDER_SCHEMA)
        await at.must("apply", in_=box, intent="x")
        await at.must("sandbox_write", in_=box, graph="supply", rows=SECRET)
        await at.must("branch_create", in_=box, graph="supply", branch="mine", intent="x")
        await at.must("sandbox_snapshot", in_=box, name="a")
        await at.must("sandbox_restore", in_=box, name="base")
        sandbox_id = box.removeprefix("sandbox:")
        elsewhere = [
            key
            for key in written
            if sandbox_id not in key and not key.startswith("__cluster/audit/")
        ]
        assert len(written) > 20
        assert elsewhere == []


async def died_before_its_life(at: Desk) -> str:
    """Returns a draft whose opening as a sandbox died when all but its life was written."""
    edited = await at.must("draft_edit", path="supply.pg", content=WIDER_SCHEMA)

    def dies(operation: str, key: str) -> bool:
        if (operation, key) == ("replace", record_key(edited.draft)):
            raise Crash(key)
        return False

    history = at.cluster.history
    at.bench.wrap_store = lambda store: DownStore(store, dies)
    at.cluster = msgspec.structs.replace(await at.bench.open(), history=history)
    with pytest.raises(Crash):
        await at.ask("sandbox_open", in_=edited.draft, name="mine", ttl_s=3600)
    at.bench.wrap_store = lambda store: store
    at.bench.world.advance(120)
    at.cluster = msgspec.structs.replace(await at.bench.open(), history=history)
    return str(edited.draft)


async def test_a_sandbox_made_of_a_draft_has_its_own_life_where_its_opening_died_and_is_retried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Acceptance case 4: else it would live as long as the draft."""
    async with desk(tmp_path) as at:
        draft = await died_before_its_life(at)
        monkeypatch.setattr(sandbox_quotas, "SANDBOXES_MAX", 1)

        opened = await at.must("sandbox_open", in_=draft, name="mine", ttl_s=3600)

        assert (opened.sandbox, opened.name) == (f"sandbox:{draft}", "mine")
        assert parse_instant(opened.expires_at) - at.bench.world.now() <= timedelta(hours=1)
        shown = await at.must("sandbox_show", in_=opened.sandbox)
        assert (shown.edits, shown.listed.expires_at) == (1, opened.expires_at)
        again = await at.codes("sandbox_open", in_=draft)
        assert again == ["sandbox_exists"]
        at.bench.world.advance(3601)
        swept = await at.must("sandbox_sweep")
        assert [(e.sandbox, e.reason) for e in swept.ended] == [(draft, "expired")]
        assert left_of(at.bench) == []


async def test_a_sandbox_made_of_a_draft_has_a_sandboxs_life_where_its_opening_died_and_it_is_used(
    tmp_path: Path,
) -> None:
    async with desk(tmp_path) as at:
        draft = await died_before_its_life(at)

        shown = await at.must("sandbox_show", in_=f"sandbox:{draft}")

        left = parse_instant(shown.listed.expires_at) - at.bench.world.now()
        assert LIFE - timedelta(minutes=1) < left <= LIFE
        assert (await at.must("sandbox_list")).sandboxes[0].expires_at == shown.listed.expires_at


class Beside:
    """A store in which something happens after one of the reads of a key, or just before it is replaced."""

    def __init__(
        self, inner: ObjectStore, key: str, act: Callable[[], Awaitable[None]], *, after: int = 0
    ) -> None:
        self._inner, self._key, self._left, self._act = inner, key, after, act
        self._before_write = after == 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def read(self, key: str) -> StoredObject | None:
        found = await self._inner.read(key)
        self._left -= key == self._key
        if key == self._key and self._left == 0:
            await self._act()
        return found

    async def replace(self, key: str, data: bytes) -> None:
        if key == self._key and self._before_write:
            await self._act()
        await self._inner.replace(key, data)


@pytest.mark.parametrize("after", [1, 2])
async def test_the_life_that_an_opener_asked_for_stands_although_it_is_written_while_another_looks(
    tmp_path: Path, after: int
) -> None:
    """Whoever looks saw the draft's record, as of an opener who died, before the asked life was there."""
    async with desk(tmp_path) as at:
        draft = await died_before_its_life(at)
        opened: list[str] = []

        async def open_it() -> None:
            told = await at.must("sandbox_open", in_=draft, name="mine", ttl_s=7 * 86_400)
            opened.append(told.expires_at)

        at.bench.wrap_store = lambda store: Beside(store, record_key(draft), open_it, after=after)
        looking = await at.bench.open()
        await require_open(looking, draft)

        shown = await at.must("sandbox_show", in_=f"sandbox:{draft}")
        assert opened == [shown.listed.expires_at]
        left = parse_instant(shown.listed.expires_at) - at.bench.world.now()
        assert left > timedelta(days=6)


async def test_the_life_that_an_opener_asked_for_stands_above_what_another_wrote_just_before(
    tmp_path: Path,
) -> None:
    """Whoever looks takes the opener for dead, who had yet to write the asked life."""
    async with desk(tmp_path) as at:
        edited = await at.must("draft_edit", path="supply.pg", content=WIDER_SCHEMA)
        key, seen = record_key(edited.draft), list[str]()
        history, looking = at.cluster.history, await at.bench.open()

        async def look() -> None:
            await require_open(looking, edited.draft)
            record = await record_of(looking.store, edited.draft)
            assert record is not None
            seen.append(record.kind)

        at.bench.wrap_store = lambda store: Beside(store, key, look)
        at.cluster = msgspec.structs.replace(await at.bench.open(), history=history)
        opened = await at.must("sandbox_open", in_=edited.draft, name="mine", ttl_s=7 * 86_400)

        assert seen == ["sandbox"]
        shown = await at.must("sandbox_show", in_=f"sandbox:{edited.draft}")
        assert shown.listed.expires_at == opened.expires_at
        left = parse_instant(opened.expires_at) - at.bench.world.now()
        assert left > timedelta(days=6)
