"""Two processes of this machine at one sandbox of files: one waits for the other, or is told."""

import json
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from agentctl.adapters.runners.process_provider import ProcessProvider
from agentctl.domain.sandbox.provider import CommandOrder, CommandOutcome, ProviderError
from agentctl.ids import ulid

ID = ulid(1, b"0123456789")
Shape = Callable[[Path], dict[str, tuple[str, int, str]]]
Sh = Callable[..., Awaitable[CommandOutcome]]
Call = Callable[[ProcessProvider], Awaitable[object]]

OTHER_PROCESS = """
import json, sys
from datetime import timedelta
from pathlib import Path

import anyio

from agentctl.adapters.runners.process_provider import ProcessProvider
from agentctl.domain.sandbox.provider import CommandOrder

root, source, sandbox, wait_at, calls = sys.argv[1:]


def before(step):
    if step == wait_at:
        print("there", flush=True)
        sys.stdin.readline()


async def main():
    provider = ProcessProvider(Path(root), sources={"golden": Path(source)}, before=before)
    for name, *words in json.loads(calls):
        if name == "run":
            order = CommandOrder(argv=tuple(words), timeout=timedelta(seconds=600))
            await provider.run(sandbox, order)
        else:
            await getattr(provider, name)(sandbox, *words)
    print("done", flush=True)


anyio.run(main)
"""


class Other:
    """A process beside this one, which waits at a step until it is told to go on."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process

    async def said(self) -> str:
        """Returns its next word."""
        stream = self.process.stdout
        assert stream is not None
        line = await anyio.to_thread.run_sync(stream.readline, abandon_on_cancel=True)
        return line.strip()

    def go_on(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()


type_of_beside = Callable[..., Other]


@pytest.fixture
def beside(root: Path, source: Path) -> Iterator[type_of_beside]:
    with ExitStack() as ended:

        def begin(*calls: tuple[str, ...], at: str = "") -> Other:
            words = (str(root), str(source), ID, at, json.dumps(calls))
            process = subprocess.Popen(
                [sys.executable, "-c", OTHER_PROCESS, *words],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            ended.enter_context(process)
            ended.callback(process.kill)
            return Other(process)

        yield begin


@pytest.fixture
def hasty(root: Path, source: Path) -> ProcessProvider:
    """A provider that waits for nobody for long."""
    return ProcessProvider(root, sources={"golden": source}, busy_within_s=0.1)


def tree_of(root: Path) -> Path:
    return (root / ID / "current").resolve()


def folders(root: Path) -> list[str]:
    return sorted(one.name for one in root.iterdir())


CALLS: dict[str, Call] = {
    "snapshot": lambda it: it.snapshot(ID, "again"),
    "restore": lambda it: it.restore(ID, "0" * 64),
    "stop": lambda it: it.stop(ID),
    "destroy": lambda it: it.destroy(ID),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("theirs", ["snapshot", "restore"])
async def test_who_comes_second_waits_for_so_long_and_is_refused_then(
    started: ProcessProvider,
    hasty: ProcessProvider,
    beside: type_of_beside,
    root: Path,
    shape: Shape,
    theirs: str,
    call: str,
) -> None:
    ref = await started.snapshot(ID, "first")
    at = {"snapshot": "keep the manifest", "restore": "choose the tree"}[theirs]
    other = beside((theirs, ref), at=at)
    with anyio.fail_after(30):
        assert await other.said() == "there"
        before = shape(root)

        with pytest.raises(ProviderError) as busy:
            await CALLS[call](hasty)

        told = busy.value.diagnostic
        assert told.code == "sandbox_busy"
        assert f"another process is at work in the sandbox {ID}" in told.message
        assert "agentctl sandbox stop" in (told.remedy or "")
        assert shape(root) == before
        other.go_on()
        assert await other.said() == "done"
    assert await hasty.snapshot(ID, "first") == ref


async def test_who_comes_second_goes_on_when_the_first_is_done(
    started: ProcessProvider, beside: type_of_beside, sh: Sh
) -> None:
    first = await started.snapshot(ID, "first")
    await sh("echo more >>a/one.txt")
    other = beside(("restore", first), at="choose the tree")
    refs: list[str] = []

    async def snapshot() -> None:
        refs.append(await started.snapshot(ID, "first"))

    with anyio.fail_after(30):
        assert await other.said() == "there"
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(snapshot)
            await anyio.wait_all_tasks_blocked()
            waited = not refs
            other.go_on()
        assert await other.said() == "done"

    assert waited
    assert refs == [first], "the snapshot is one of what the restore had made"


@pytest.mark.parametrize("theirs", ["snapshot", "restore"])
async def test_a_process_that_is_killed_leaves_no_lease_and_what_it_left_is_swept(
    started: ProcessProvider,
    hasty: ProcessProvider,
    beside: type_of_beside,
    root: Path,
    theirs: str,
) -> None:
    ref = await started.snapshot(ID, "first")
    at = {"snapshot": "keep the manifest", "restore": "choose the tree"}[theirs]
    other = beside((theirs, ref), at=at)
    with anyio.fail_after(30):
        assert await other.said() == "there"
    other.process.kill()
    other.process.wait(10)

    again = await hasty.snapshot(ID, "first")
    await hasty.restore(ID, again)

    assert again == ref
    assert [one.name for one in (root / ID / "trees").iterdir()] == [tree_of(root).name]
    assert not list((root / ID).rglob("incoming"))


async def test_a_restore_waits_for_the_command_of_another_process_and_a_stop_does_not(
    started: ProcessProvider, hasty: ProcessProvider, beside: type_of_beside, root: Path
) -> None:
    """A process that is killed with its command, as one that ends it, lets the restore go on."""
    ref = await started.snapshot(ID, "first")
    other = beside(("run", "sh", "-c", "echo more >>a/one.txt; touch begun; sleep 600.9753"))
    begun = tree_of(root) / "begun"
    with anyio.fail_after(30):
        while not begun.exists():
            await anyio.lowlevel.checkpoint()

        with pytest.raises(ProviderError) as busy:
            await hasty.restore(ID, ref)
        beside_it = await hasty.snapshot(ID, "beside it")
        await hasty.stop(ID)
    other.process.kill()
    other.process.wait(10)
    await started.restore(ID, ref)

    assert busy.value.diagnostic.code == "sandbox_busy"
    assert beside_it != ref
    assert not begun.exists()
    assert (tree_of(root) / "a" / "one.txt").read_text() == "one\n"


async def test_a_restore_that_is_refused_ends_no_command_of_its_own_process_either(
    started: ProcessProvider, hasty: ProcessProvider, beside: type_of_beside, root: Path
) -> None:
    """And they keep their share of the files: the next one waits for them again."""
    ref = await started.snapshot(ID, "first")
    other = beside(("run", "sh", "-c", "touch theirs; sleep 600.9754"))
    tree, mine = tree_of(root), list[CommandOutcome]()
    line = "touch mine; until test -e go; do sleep 0.02; done; echo more >>a/one.txt"

    async def run() -> None:
        order = CommandOrder(argv=("sh", "-c", line), timeout=timedelta(seconds=30))
        mine.append(await hasty.run(ID, order))

    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run)
            while not ((tree / "theirs").exists() and (tree / "mine").exists()):
                await anyio.lowlevel.checkpoint()
            with pytest.raises(ProviderError) as busy:
                await hasty.restore(ID, ref)
            other.process.kill()
            other.process.wait(10)
            third = ProcessProvider(root, sources={}, busy_within_s=0.1)
            with pytest.raises(ProviderError) as shared:
                await third.restore(ID, ref)
            (tree / "go").touch()
    kept = (tree / "a" / "one.txt").read_text()
    await third.restore(ID, ref)

    assert busy.value.diagnostic.code == shared.value.diagnostic.code == "sandbox_busy"
    assert [(one.ending, one.exit_code) for one in mine] == [("exited", 0)]
    assert kept == "one\nmore\n"
    assert (tree_of(root) / "a" / "one.txt").read_text() == "one\n"


async def test_many_calls_of_two_processes_at_once_leave_the_sandbox_whole(
    started: ProcessProvider, beside: type_of_beside, sh: Sh, root: Path, shape: Shape
) -> None:
    """And no snapshot ever has something of one state and something of the other."""
    first, was = await started.snapshot(ID, "mine"), shape(tree_of(root))
    await sh("rm -r a; echo new >new")
    second, now = await started.snapshot(ID, "mine"), shape(tree_of(root))
    theirs = [call for _ in range(15) for call in (("restore", first), ("snapshot", "theirs"))]
    other = beside(*theirs)
    mine = set()
    for _ in range(15):
        await started.restore(ID, second)
        mine.add(await started.snapshot(ID, "mine"))
    with anyio.fail_after(60):
        assert await other.said() == "done"

    assert mine <= {first, second}
    assert shape(tree_of(root)) in (was, now)
    assert len(list((root / ID / "trees").iterdir())) == 1
    await started.destroy(ID)
    assert await started.inventory() == ()


async def test_two_processes_that_remove_one_sandbox_both_succeed(
    started: ProcessProvider, beside: type_of_beside, root: Path
) -> None:
    other = beside(("destroy",), at="take the sandbox away")
    with anyio.fail_after(30):
        assert await other.said() == "there"
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(started.destroy, ID)
            await anyio.wait_all_tasks_blocked()
            held = [one.id for one in await started.inventory()]
            other.go_on()
        assert await other.said() == "done"

    assert held == [ID]
    assert await started.inventory() == ()
    assert folders(root) == []
