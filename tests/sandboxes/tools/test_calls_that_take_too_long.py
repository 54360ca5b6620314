"""A call about a sandbox has its time, too where its handler enters the sandbox by itself. Sandboxes 4, ADR 27."""

import shutil
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest

from agentctl.engine.sandbox_restore import restoring_key
from agentctl.engine.sandboxed import inside
from agentctl.engine.snapshotting import snapshot_key
from agentctl.testing.builders import QUERY
from agentctl.testing.crash import DownStore
from agentctl_tools import insides
from agentctl_tools.operation import Envelope
from tests.sandboxes.inside.inside_rig import names_in
from tests.sandboxes.tools.sandbox_desk import Desk, desk
from tests.sandboxes.tools.test_going_back_in_a_sandbox import moved_on

WRITES = frozenset({"create", "replace", "delete"})


class Clock:
    """The time of one call: over before the write *at* of its work, or never."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.writes = 0
        self.scope: anyio.CancelScope | None = None

    def bound(self) -> anyio.CancelScope:
        self.scope = anyio.CancelScope()
        return self.scope

    def look(self, operation: str, _key: str) -> bool:
        if self.scope is not None and operation in WRITES:
            self.writes += 1
            if self.writes == self.at:
                self.scope.cancel()
        return False


async def timed(at: Desk, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets the desk's calls be made by *clock*."""
    at.bench.wrap_store = lambda store: DownStore(store, clock.look)
    cluster = await at.bench.open()
    at.cluster = msgspec.structs.replace(cluster, history=at.cluster.history)
    at.bench.wrap_store = lambda store: store
    monkeypatch.setattr(insides, "bound", clock.bound)


async def untimed(at: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    cluster = await at.bench.open()
    at.cluster = msgspec.structs.replace(cluster, history=at.cluster.history)


def is_cut(envelope: Envelope) -> bool:
    return [d.code for d in envelope.diagnostics] == ["sandbox_over_quota"]


async def test_every_call_that_enters_a_sandbox_is_ended_when_its_time_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: dict[str, dict[str, Any]] = {
        "sandbox_snapshot": {"name": "two"},
        "sandbox_restore": {"name": "one"},
        "sandbox_diff": {"before": "one"},
        "sandbox_show": {},
        "sandbox_changeset": {},
        "draft_edit": {"path": "supply.gq", "content": QUERY + "// more\n"},
        "publish": {"to": "folder", "intent": "home"},
    }
    async with desk(tmp_path) as at:
        box = (await at.must("sandbox_open")).sandbox
        await at.must("sandbox_snapshot", in_=box, name="one")
        before = await at.must("sandbox_show", in_=box)
        monkeypatch.setattr(insides, "CALL_S_MAX", 0.0)

        for name, given in calls.items():
            envelope = await at.ask(name, in_=box, **given)
            assert is_cut(envelope), (name, envelope)
            assert "was ended" in envelope.diagnostics[0].message

        monkeypatch.undo()
        after = await at.must("sandbox_show", in_=box)
        assert (after.edits, after.snapshots) == (before.edits, before.snapshots)
        ran = (await at.must("sandbox_commands", in_=box)).commands
        cut = {c.tool for c in ran if c.exit_code == 1 and "was ended" in c.stderr}
        reads = {"sandbox_diff", "sandbox_show"}
        assert cut == calls.keys() - reads


@pytest.mark.slow
async def test_a_restore_that_is_ended_anywhere_tells_where_the_sandbox_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with desk(tmp_path, "supply", "spare") as at:
        box = await moved_on(at)
        sandbox = box.removeprefix("sandbox:")
        kept = tmp_path / "kept"
        shutil.copytree(at.bench.path, kept)
        begun = untouched = 0
        for step in range(1, 400):
            clock = Clock(step)
            await timed(at, clock, monkeypatch)
            envelope = await at.ask("sandbox_restore", in_=box, name="one")
            await untimed(at, monkeypatch)
            on_its_way = (at.bench.path / restoring_key(sandbox)).exists()
            if envelope.ok:
                break
            assert is_cut(envelope), envelope
            told = envelope.diagnostics[0].detail or ""
            assert ("the next call in the sandbox finishes it" in told) == on_its_way, step
            async with inside(at.cluster, sandbox) as inner:
                supply, spare = await names_in(inner, "supply"), await inner.graphs.observe("spare")
                is_new = (supply, spare.presence) == (["a", "b", "c"], "live")
                is_old = (supply, spare.presence) == (["a", "b", "c", "d"], "detached")
                assert is_new if on_its_way else is_old or is_new, step
                begun, untouched = begun + on_its_way, untouched + is_old
            shutil.rmtree(at.bench.path)
            shutil.copytree(kept, at.bench.path)
        assert begun > 5, begun
        assert untouched >= 1, untouched


async def test_a_snapshot_that_is_ended_anywhere_is_kept_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with desk(tmp_path) as at:
        box = (await at.must("sandbox_open")).sandbox
        sandbox = box.removeprefix("sandbox:")
        nothing = 0
        for step in range(1, 100):
            await timed(at, Clock(step), monkeypatch)
            name = f"s{step}"
            envelope = await at.ask("sandbox_snapshot", in_=box, name=name)
            await untimed(at, monkeypatch)
            if envelope.ok:
                break
            assert is_cut(envelope), envelope
            is_kept = (at.bench.path / snapshot_key(sandbox, name)).exists()
            told = envelope.diagnostics[0].detail
            assert told == (
                "The snapshot is kept all the same." if is_kept else "Nothing was kept."
            )
            again = await at.ask("sandbox_snapshot", in_=box, name=name)
            assert again.ok == (not is_kept), step
            nothing += not is_kept
        assert nothing >= 1
