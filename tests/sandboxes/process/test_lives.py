"""How a sandbox of files is made and goes, also when a step fails or the process dies. Case 2."""

import os
import subprocess
import sys
import textwrap
from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio
import pytest

from agentctl.adapters.runners.process_provider import ProcessProvider
from agentctl.domain.sandbox.provider import Creation, Holding, ProviderError
from agentctl.ids import ulid

ID = ulid(1, b"0123456789")
Shape = Callable[[Path], dict[str, tuple[str, int, str]]]
Act = Callable[[ProcessProvider], Awaitable[object]]
CREATION = Creation(id=ID, name="one", source="golden")
STEPS_MAX = 400


class Died(BaseException):
    """What no clean-up sees, as when the process is killed."""


class At:
    """Fails, or dies, at one step."""

    def __init__(self, number: int, failure: BaseException) -> None:
        self.number = number
        self.failure = failure
        self.steps: list[str] = []

    def __call__(self, step: str) -> None:
        self.steps.append(step)
        if len(self.steps) == self.number:
            raise self.failure


def held(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


async def acted(act: Act, provider: ProcessProvider) -> BaseException | None:
    try:
        await act(provider)
    except (ProviderError, Died) as failure:
        return failure
    return None


def tree_of(root: Path) -> Path:
    return (root / ID / "current").resolve()


async def test_a_creation_that_fails_at_any_step_leaves_nothing_and_names_it(
    root: Path, source: Path, shape: Shape
) -> None:
    before = shape(source)
    for number in range(1, STEPS_MAX):
        hook = At(number, OSError(28, "No space left on device"))
        provider = ProcessProvider(root, sources={"golden": source}, before=hook)
        failure = await acted(lambda it: it.create(CREATION), provider)
        if failure is None:
            break
        assert isinstance(failure, ProviderError)
        assert failure.diagnostic.code == "sandbox_create_failed"
        assert f"`{hook.steps[-1]}`: No space left on device" in failure.diagnostic.message
        assert held(root) == []
        assert await provider.inventory() == ()
    assert number > 12
    assert shape(tree_of(root)) == shape(source) == before


async def test_a_creation_that_dies_at_any_step_is_told_and_ended_by_the_next(
    root: Path, source: Path, shape: Shape
) -> None:
    for number in range(1, STEPS_MAX):
        provider = ProcessProvider(root, sources={"golden": source}, before=At(number, Died()))
        if await acted(lambda it: it.create(CREATION), provider) is None:
            break
        provider = ProcessProvider(root, sources={"golden": source})
        left = await provider.inventory()
        assert [one.id for one in left] == ([ID] if held(root) else [])
        assert all("left behind by a call that made it" in one.detail for one in left)
        if number % 2:
            await provider.destroy(ID)
            assert held(root) == []
        else:
            await provider.create(CREATION)
            assert shape(tree_of(root)) == shape(source)
            await provider.destroy(ID)
            assert held(root) == []
    assert number > 12


async def sandbox(root: Path, source: Path) -> tuple[ProcessProvider, str]:
    """One that was changed since its snapshot."""
    provider = ProcessProvider(root, sources={"golden": source})
    await provider.destroy(ID)
    await provider.create(CREATION)
    await provider.start(ID)
    ref = await provider.snapshot(ID, "clean")
    tree = tree_of(root)
    (tree / "a/one.txt").write_text("changed\n")
    (tree / "new").mkdir()
    (tree / "new/file").write_text("new\n")
    return provider, ref


@pytest.mark.parametrize("how", ["fails", "dies"])
async def test_a_snapshot_that_stops_at_any_step_is_whole_or_not_there(
    how: str, root: Path, source: Path, shape: Shape
) -> None:
    provider, clean = await sandbox(root, source)
    before = shape(tree_of(root))
    for number in range(1, STEPS_MAX):
        stop: BaseException = OSError(5, "Input/output error") if how == "fails" else Died()
        stopped = ProcessProvider(root, sources={"golden": source}, before=At(number, stop))
        failure = await acted(lambda it: it.snapshot(ID, "changed"), stopped)
        if failure is None:
            break
        if isinstance(failure, ProviderError):
            assert failure.diagnostic.code == "sandbox_storage_failed"
        assert shape(tree_of(root)) == before
        assert len(list((root / ID / "snapshots").glob("*.json"))) == 1
    assert number > 3
    changed = await provider.snapshot(ID, "changed")
    assert (await provider.diff(ID, clean, changed)).files_added == ("new/", "new/file")
    await provider.restore(ID, changed)
    assert shape(tree_of(root)) == before


@pytest.mark.parametrize("how", ["fails", "dies"])
async def test_a_restore_that_stops_at_any_step_leaves_the_old_files_or_the_new(
    how: str, root: Path, source: Path, shape: Shape
) -> None:
    seen = set()
    for number in range(1, STEPS_MAX):
        provider, clean = await sandbox(root, source)
        changed = shape(tree_of(root))
        stop: BaseException = OSError(5, "Input/output error") if how == "fails" else Died()
        stopped = ProcessProvider(root, sources={"golden": source}, before=At(number, stop))
        done = await acted(lambda it, ref=clean: it.restore(ID, ref), stopped) is None  # type: ignore[misc]
        now = shape(tree_of(root))
        assert now in (changed, shape(source))
        seen.add(now == changed)
        await provider.restore(ID, clean)
        assert shape(tree_of(root)) == shape(source)
        assert len(held(root / ID / "trees")) == 1
        assert held(root / ID) == [
            "contents",
            "current",
            "record.json",
            "running",
            "snapshots",
            "trees",
        ]
        if done:
            break
    assert number > 10
    assert seen == {True, False}


@pytest.mark.parametrize("how", ["fails", "dies"])
async def test_a_destruction_that_stops_at_any_step_is_told_and_ended_by_the_next(
    how: str, root: Path, source: Path
) -> None:
    for number in range(1, STEPS_MAX):
        provider, _ = await sandbox(root, source)
        stop: BaseException = OSError(5, "Input/output error") if how == "fails" else Died()
        stopped = ProcessProvider(root, sources={"golden": source}, before=At(number, stop))
        done = await acted(lambda it: it.destroy(ID), stopped) is None
        assert [one.id for one in await provider.inventory()] == ([] if done else [ID])
        await provider.destroy(ID)
        assert held(root) == []
        if done:
            break
    assert number > 15


@pytest.mark.parametrize("verb", ["start", "stop"])
async def test_a_start_or_stop_that_fails_may_be_repeated(
    verb: str, root: Path, source: Path
) -> None:
    await sandbox(root, source)
    stopped = ProcessProvider(root, sources={"golden": source}, before=At(1, OSError(5, "broken")))
    with pytest.raises(ProviderError, match="broken"):
        await getattr(stopped, verb)(ID)

    await getattr(stopped, verb)(ID)
    assert [one.running for one in await stopped.inventory()] == [verb == "start"]


async def test_a_call_may_be_repeated_and_another_creation_of_that_id_is_refused(
    provider: ProcessProvider,
) -> None:
    await provider.create(CREATION)
    await provider.create(CREATION)
    with pytest.raises(ProviderError) as refused:
        await provider.create(Creation(id=ID, name="two", source="golden"))
    assert refused.value.diagnostic.code == "sandbox_create_failed"

    await provider.destroy(ID)
    await provider.destroy(ID)
    assert await provider.inventory() == ()


@pytest.mark.parametrize("verb", ["start", "stop"])
async def test_what_is_not_held_is_told(verb: str, provider: ProcessProvider) -> None:
    for sandbox_id in (ID, "../x", "", "golden"):
        with pytest.raises(ProviderError) as refused:
            await getattr(provider, verb)(sandbox_id)
        assert refused.value.diagnostic.code == "sandbox_not_held"


async def test_a_caller_names_a_configured_source_and_never_a_path(
    root: Path, source: Path, tmp_path: Path
) -> None:
    sources = {"golden": source, "gone": tmp_path / "gone", "round": tmp_path, "in": root / "x"}
    provider = ProcessProvider(root, sources=sources)
    for name in (str(source), "../golden", "", "gone", "round", "in"):
        with pytest.raises(ProviderError) as refused:
            await provider.create(Creation(id=ID, name="one", source=name))
        assert refused.value.diagnostic.code == "sandbox_source_unknown"
    assert held(root) == []


async def test_a_source_larger_than_the_sandbox_makes_none(root: Path, source: Path) -> None:
    (source / "big").write_bytes(bytes(2 << 20))
    provider = ProcessProvider(root, sources={"golden": source})
    with pytest.raises(ProviderError, match="it is more than 1048576 bytes"):
        await provider.create(Creation(id=ID, name="one", source="golden", storage_mb=1))

    assert held(root) == []


async def test_a_source_with_a_special_file_makes_none(root: Path, source: Path) -> None:
    os.mkfifo(source / "pipe")
    provider = ProcessProvider(root, sources={"golden": source})
    with pytest.raises(ProviderError, match="pipe is a device, a pipe or a socket"):
        await provider.create(CREATION)

    assert held(root) == []


async def test_the_inventory_tells_what_runs_how_much_it_holds_and_what_nobody_knows(
    provider: ProcessProvider, root: Path
) -> None:
    await provider.create(CREATION)
    await provider.start(ID)
    (root / "stranger").mkdir()
    (root / "stranger" / "file").write_text("12345")
    (root / "note").write_text("no folder")
    living, stranger = await provider.inventory()

    assert (living.id, living.running, living.detail) == (ID, True, "")
    assert living.storage_bytes > 15
    assert stranger == Holding(
        id="stranger", running=False, storage_bytes=5, detail="no sandbox of this provider"
    )


async def test_the_folder_of_the_sandboxes_belongs_to_its_owner_alone(
    provider: ProcessProvider, root: Path
) -> None:
    await provider.create(CREATION)

    for folder in (root, root / ID):
        assert (await anyio.Path(folder).stat()).st_mode & 0o077 == 0


KILLED = """
    import anyio, os, sys
    from pathlib import Path
    from agentctl.adapters.runners.process_provider import ProcessProvider
    from agentctl.domain.sandbox.provider import Creation
    root, source, sandbox_id, verb, ref, number = sys.argv[1:]
    steps = 0
    def before(step):
        global steps
        steps += 1
        if steps == int(number):
            os.kill(os.getpid(), 9)
    provider = ProcessProvider(Path(root), sources={"golden": Path(source)}, before=before)
    calls = {
        "create": lambda: provider.create(Creation(id=sandbox_id, name="one", source="golden")),
        "snapshot": lambda: provider.snapshot(sandbox_id, "changed"),
        "restore": lambda: provider.restore(sandbox_id, ref),
        "destroy": lambda: provider.destroy(sandbox_id),
    }
    anyio.run(calls[verb])
"""


@pytest.mark.slow
@pytest.mark.parametrize("verb", ["create", "snapshot", "restore", "destroy"])
async def test_a_process_that_is_killed_leaves_what_the_next_one_ends(
    verb: str, root: Path, source: Path, shape: Shape
) -> None:
    for number in (2, 5, 11):
        provider, ref = await sandbox(root, source)
        if verb == "create":
            await provider.destroy(ID)
        call = [sys.executable, "-c", textwrap.dedent(KILLED)]
        subprocess.run(  # noqa: ASYNC221  # nothing else runs here
            [*call, root, source, ID, verb, ref, str(number)], check=False
        )
        await provider.create(CREATION)
        await provider.snapshot(ID, "changed")
        if verb == "restore":
            await provider.restore(ID, ref)
            assert shape(tree_of(root)) == shape(source)
        await provider.destroy(ID)
        assert held(root) == []
