"""Machines as an agent has them, through the door. Source: sandboxes 5, cases 3, 4, 5, 9, 22, 25 and 28."""

import hashlib
import os
from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import anyio
import msgspec
import pytest

from agentctl.adapters.runners.vm.processes import working_below
from agentctl.adapters.runners.vm.provider import VmProvider
from agentctl.domain.sandbox.difference import ChangeDiff
from agentctl.domain.sandbox.provider import CommandOrder
from agentctl.domain.sandbox.readonly_commands import Pipeline, readonly_pipeline
from agentctl.domain.sandbox.records import SourceVM
from agentctl.testing.guests import Guest
from tests.sandboxes.commands.command_desk import (
    MACHINES,
    CommandDesk,
    command_desk,
    written_profile,
)
from tests.sandboxes.vm.conftest import SHARED

pytestmark = pytest.mark.slow

KEY = "-----BEGIN PRIVATE KEY-----\nMIIBVgIBADANBgkqhkiG9w0BAQEFAASCAUAwggE8\n-----END PRIVATE KEY-----"
HASTY = msgspec.structs.replace(MACHINES, answer_within_s=8.0)
"""For a machine whose agent will be ended: how long it is waited for."""
ROOM_FOR_TWO = "  host: {cpus: 8, memory_mb: 400, storage_mb: 10000}"
ATTACKS = (
    "cat settings.conf | tee y",
    "cat $(ls)",
    "cat settings.conf > y",
    "cat settings.conf\nrm settings.conf",
    "find . -exec rm {} +",
    "sed -i s/a/b/ settings.conf",
    "env sh -c ls",
)


@pytest.fixture(scope="session")
def prepared(guest: Guest) -> SourceVM:
    """The record of the source, after a copy of it was started once for all tests."""

    async def record() -> SourceVM:
        with TemporaryDirectory(prefix="agentctl-prepared-") as folder:
            profile = written_profile(Path(folder), guest)
            async with command_desk(Path(folder), profile=profile, kind="vm") as desk:
                await desk.must("sandbox_prepare", by=desk.bench.sarah, source="golden")
                return await desk.store.get_source_vm("golden")

    return anyio.run(record)


@pytest.fixture
async def desk(
    tmp_path: Path, guest: Guest, prepared: SourceVM, request: pytest.FixtureRequest
) -> AsyncIterator[CommandDesk]:
    """A desk of machines whose source is prepared; a test may choose a host with little room."""
    profile = written_profile(tmp_path, guest, more=getattr(request, "param", ""))
    async with command_desk(tmp_path, profile=profile, kind="vm", settings=HASTY) as made:
        await made.store.upsert_source_vm(prepared)
        yield made


def machines_on(desk: CommandDesk) -> int:
    """Returns how many processes of machines there are."""
    return len(working_below(desk.host.root))


async def test_a_name_is_taken_once_and_free_again_when_its_machine_is_gone(
    desk: CommandDesk,
) -> None:
    first = await desk.start(name="mine")

    refused = await desk.codes("sandbox_start", provider="vm", source="golden", name="mine")
    beside = (await desk.held(), machines_on(desk))
    await desk.must("sandbox_close", in_=first)
    second = await desk.start(name="mine")

    assert refused == ["sandbox_record_exists"]
    assert ([f"sandbox:{one}" for one in beside[0]], beside[1]) == ([first], 1)
    assert [f"sandbox:{one}" for one in await desk.held()] == [second]


async def test_a_machine_ends_when_its_own_time_is_over_counted_from_its_creation(
    desk: CommandDesk,
) -> None:
    started: dict[int, str] = {}

    async def start(ttl_s: int) -> None:
        started[ttl_s] = await desk.start(ttl_s=ttl_s)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(start, 60)
        tasks.start_soon(start, 7200)
    desk.bench.world.advance(58)
    early = await desk.must("sandbox_sweep", by=desk.bench.sarah)
    used = await desk.sh(started[60], "echo used")
    desk.bench.world.advance(3)
    late = await desk.must("sandbox_sweep", by=desk.bench.sarah)

    assert (early.ended, used.stdout) == ((), "used\n")
    assert [(f"sandbox:{e.sandbox}", e.reason) for e in late.ended] == [(started[60], "expired")]
    assert [f"sandbox:{one}" for one in await desk.held()] == [started[7200]]
    assert machines_on(desk) == 1


async def test_a_machine_whose_agent_was_ended_is_in_error_and_goes_when_its_time_is_over(
    desk: CommandDesk,
) -> None:
    sandbox = await desk.start(ttl_s=60)
    end_agent = "kill -9 $(ps | grep '[a]gent.sh' | sed 's/^ *//; s/ .*//')"

    silent = await desk.codes(
        "sandbox_run", in_=sandbox, command=["sh", "-c", end_agent], timeout_s=1
    )
    kept = await desk.store.get_sandbox(sandbox.removeprefix("sandbox:"))
    early = await desk.must("sandbox_sweep", by=desk.bench.sarah)
    desk.bench.world.advance(61)
    late = await desk.must("sandbox_sweep", by=desk.bench.sarah)

    assert (silent, kept.state) == (["machine_silent"], "ERROR")
    assert (len(early.ended), len(late.ended)) == (0, 1)
    assert await desk.held() == {}


async def test_a_secret_of_a_guest_is_one_token_wherever_it_is_seen_and_itself_in_the_guest_alone(
    desk: CommandDesk,
) -> None:
    sandbox = await desk.start()
    await desk.sh(sandbox, f"printf '%s\\n' '{KEY}' > key.pem")

    shown = await desk.sh(sandbox, "cat key.pem")
    again = await desk.sh(sandbox, "cat key.pem >&2")
    token = shown.stdout.strip()
    back = await desk.must(
        "sandbox_run",
        in_=sandbox,
        command=["sh", "-c", 'printf "%s\\n" "$0" > copy.pem; sha256sum key.pem copy.pem', token],
    )
    commands = await desk.must("sandbox_commands", in_=sandbox)

    assert token.startswith("[REDACTED_")
    assert again.stderr.strip() == token
    sums = [line.split()[0] for line in back.stdout.splitlines()]
    assert (len(sums), len(set(sums))) == (2, 1), "the guest got the secret, and not its token"
    told = msgspec.json.encode(commands).decode()
    assert token in told
    assert "MIIBVgIBADANBgkqhkiG9w0" not in told
    database = b"".join(p.read_bytes() for p in desk.bench.path.parent.rglob("history.sqlite*"))
    assert token.encode() in database
    assert b"MIIBVgIBADANBgkqhkiG9w0" not in database


@pytest.mark.parametrize("line", ATTACKS)
async def test_a_line_that_could_write_is_refused_before_it_comes_near_a_machine(
    desk: CommandDesk, line: str
) -> None:
    refused = await desk.codes("sandbox_look", source="golden", line=line)
    harmless = await desk.codes("sandbox_look", source="golden", line="cat settings.conf")

    assert refused == ["readonly_command_refused"]
    assert harmless == ["sandbox_source_unknown"], "a golden image is looked at by nobody"
    assert (await desk.held(), machines_on(desk)) == ({}, 0)


async def test_what_the_list_lets_through_changes_nothing_in_a_guest(shared: VmProvider) -> None:
    lines = ("cat settings.conf | sort | head -n 3", "ls -la /", "grep -c . settings.conf")
    pipelines = [readonly_pipeline(line) for line in lines]
    texts = [one.shell_text() for one in pipelines if isinstance(one, Pipeline)]

    async def sh(script: str) -> int:
        order = CommandOrder(argv=("sh", "-c", script), timeout=timedelta(seconds=30))
        return (await shared.run(SHARED, order)).exit_code

    before = await shared.snapshot(SHARED, "before-reading")
    ran = [await sh(text) for text in texts]
    after = await shared.snapshot(SHARED, "after-reading")
    refused = await sh("cat settings.conf > written")
    written = await shared.snapshot(SHARED, "after-writing")

    assert (ran, refused) == ([0] * len(lines), 0)
    assert await shared.diff(SHARED, before, after) == ChangeDiff()
    assert (await shared.diff(SHARED, after, written)).files_added == ("/work/written",)


@pytest.mark.parametrize("desk", [ROOM_FOR_TWO], indirect=True)
async def test_many_machines_at_once_never_take_more_than_the_host_has(desk: CommandDesk) -> None:
    answers: list[Any] = []

    async def start(memory_mb: int) -> None:
        asked = partial(desk.ask, by=desk.bench.sarah, provider="vm", source="golden")
        answers.append(await asked("sandbox_start", memory_mb=memory_mb))

    await start(401)
    async with anyio.create_task_group() as tasks:
        for _ in range(4):
            tasks.start_soon(start, 192)

    alone, *together = answers
    assert [d.code for d in alone.diagnostics] == ["sandbox_no_capacity"]
    assert "400 of 401 MB of memory" in (alone.diagnostics[0].detail or "")
    assert sorted(a.ok for a in together) == [False, False, True, True]
    assert {d.code for a in together for d in a.diagnostics} == {"sandbox_no_capacity"}
    host = (await desk.store.list_hosts())[0]
    assert (host.reserved_cpus, host.reserved_memory_mb) == (2, 384)
    assert (len(await desk.held()), machines_on(desk)) == (2, 2)


async def test_a_machine_holds_no_credential_and_its_golden_image_is_open_for_reading_only(
    desk: CommandDesk, guest: Guest
) -> None:
    """There is no key or certificate to a source: of it, a machine has a disk that only it writes."""
    was = digest_of(guest)
    sandbox = await desk.start()
    (qemu,) = working_below(desk.host.root)

    seen = await desk.sh(sandbox, "ls /sys/class/net; ls /sys/block | grep -v 'loop\\|ram'; env")
    held, written = opened_by(qemu, os.O_RDONLY), opened_by(qemu, os.O_WRONLY, os.O_RDWR)
    await desk.sh(sandbox, "dd if=/dev/zero of=/dev/vda bs=1M count=8 2>/dev/null; sync")
    await desk.must("sandbox_close", in_=sandbox)

    lines = seen.stdout.splitlines()
    assert lines[:2] == ["lo", "vda"]
    assert {line.partition("=")[0] for line in lines[2:]} <= {"PATH", "HOME", "PWD", "SHLVL", "_"}
    assert guest.disk in held
    assert {path.name for path in written if path.is_relative_to(desk.bench.path.parent)} <= {
        "disk.qcow2",
        "qemu.log",
        "machine.pid",
    }
    assert guest.disk not in written
    assert digest_of(guest) == was


def digest_of(guest: Guest) -> str:
    with guest.disk.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def opened_by(pid: int, *modes: int) -> list[Path]:
    """Returns what a process has open in one of *modes*."""
    found = []
    for info in Path(f"/proc/{pid}/fdinfo").iterdir():
        flags = int(info.read_text().split("flags:")[1].split()[0], 8)
        if flags & os.O_ACCMODE in modes:
            found.append(Path(f"/proc/{pid}/fd/{info.name}").readlink())
    return found
