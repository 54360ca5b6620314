"""What a command in a sandbox of files can do, what it cannot, and how it is told. Cases 7 and 8."""

import os
import subprocess
import sys
import textwrap
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import anyio
import pytest

from agentctl.adapters.runners.bubblewrap import run_in_folder
from agentctl.adapters.runners.namespaces import RunLimits, bubblewrap_words, limited_words
from agentctl.adapters.runners.process_counts import counted
from agentctl.adapters.runners.process_provider import ProcessProvider
from agentctl.domain.sandbox.provider import CommandOrder, CommandOutcome, Creation, ProviderError
from agentctl.ids import ulid

ID = ulid(1, b"0123456789")
Sh = Callable[..., Awaitable[CommandOutcome]]

as_root_only = pytest.mark.skipif(os.geteuid() != 0, reason="what only root could do")


def order(*argv: str, seconds: float = 20.0, **fields: object) -> CommandOrder:
    return CommandOrder(argv=argv, timeout=timedelta(seconds=seconds), **fields)  # type: ignore[arg-type]


def held(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


async def refusal(provider: ProcessProvider, told: CommandOrder) -> tuple[str, str]:
    with pytest.raises(ProviderError) as refused:
        await provider.run(ID, told)
    return refused.value.diagnostic.code, refused.value.diagnostic.message


@pytest.mark.usefixtures("started")
async def test_a_command_that_fails_is_an_outcome_with_its_output(sh: Sh) -> None:
    outcome = await sh("echo out; echo err >&2; exit 3")

    assert outcome == CommandOutcome(ending="exited", exit_code=3, stdout=b"out\n", stderr=b"err\n")


@pytest.mark.usefixtures("started")
async def test_a_program_that_is_not_there_is_an_outcome_too(provider: ProcessProvider) -> None:
    outcome = await provider.run(ID, order("no-such-program"))

    assert (outcome.ending, outcome.exit_code) == ("exited", 127)


@pytest.mark.usefixtures("started")
async def test_a_command_ended_by_a_signal_says_which(sh: Sh) -> None:
    assert (await sh("kill -TERM $$")).exit_code == 128 + 15
    killed = await sh("kill -KILL $$")

    assert (killed.ending, killed.exit_code) == ("killed", 128 + 9)


@pytest.mark.usefixtures("started")
async def test_a_time_limit_ends_everything_that_was_started(
    sh: Sh,
) -> None:
    line = "(while :; do sleep 0.05; echo x >>ticks; done) & setsid sleep 77.7531 & echo begun; sleep 60"
    outcome = await sh(line, seconds=0.5)

    assert (outcome.ending, outcome.exit_code, outcome.stdout) == ("timed_out", 124, b"begun\n")
    assert b"77.7531" not in await processes()
    before = (await sh("wc -c <ticks")).stdout
    assert (await sh("sleep 0.3; wc -c <ticks")).stdout == before


@pytest.mark.usefixtures("started")
async def test_what_a_command_leaves_running_ends_with_it(sh: Sh) -> None:
    outcome = await sh("sleep 77.7532 & echo done")

    assert outcome.stdout == b"done\n"
    assert b"77.7532" not in await processes()


@pytest.mark.usefixtures("started")
async def test_output_over_its_bound_is_dropped_and_counted(provider: ProcessProvider) -> None:
    told = order("sh", "-c", "head -c 300000 /dev/zero; echo 12345 >&2", output_bytes_max=1000)
    outcome = await provider.run(ID, told)

    assert (outcome.exit_code, len(outcome.stdout), outcome.stdout_dropped) == (0, 1000, 299_000)
    assert (outcome.stderr, outcome.stderr_dropped) == (b"12345\n", 0)


@pytest.mark.usefixtures("started")
async def test_a_command_reads_its_input_and_may_leave_it_unread(sh: Sh) -> None:
    data = os.urandom(300_000)

    assert (await sh("cat", stdin=data)).stdout == data
    assert (await sh("true", stdin=data)).exit_code == 0
    assert (await sh("cat")).stdout == b""


@pytest.mark.usefixtures("started")
async def test_a_command_has_the_environment_of_its_order_and_no_other(
    provider: ProcessProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGENTCTL_HOST_SECRET", "hunter2")
    line = "env; cat /proc/*/environ | tr '\\0' '\\n'"
    told = order("sh", "-c", line, env={"GREETING": 'a "b" $c;\n=d'}, cwd="a")
    outcome = await provider.run(ID, told)

    assert b'GREETING=a "b" $c;\n=d\n' in outcome.stdout
    assert b"hunter2" not in outcome.stdout
    assert b"PWD=/sandbox/a\n" in outcome.stdout


@pytest.mark.usefixtures("started")
async def test_no_list_of_processes_shows_the_environment(provider: ProcessProvider) -> None:
    told = order("sleep", "77.7533", env={"TOKEN": "visible-to-nobody"}, seconds=30)
    async with anyio.create_task_group() as group:
        group.start_soon(provider.run, ID, told)
        with anyio.fail_after(10):
            while b"77.7533" not in (shown := await processes()):
                await anyio.lowlevel.checkpoint()
        await provider.stop(ID)

    assert b"visible-to-nobody" not in shown


async def processes() -> bytes:
    return (await anyio.run_process(["ps", "axww"])).stdout


@pytest.mark.usefixtures("started")
async def test_only_the_sandboxs_folder_can_be_written(sh: Sh) -> None:
    line = """
        for place in / /usr /usr/bin /dev /proc /etc /lib /run /var /root /home /sys; do
            touch $place/x 2>/dev/null && echo written $place
        done
        echo x 2>/dev/null >/proc/sys/kernel/domainname && echo set
        echo 1 2>/dev/null >/proc/self/oom_score_adj && echo scored
        touch /sandbox/x /tmp/x /dev/shm/x && echo well
    """
    outcome = await sh(line)

    assert outcome.stdout == b"well\n"


@as_root_only
@pytest.mark.usefixtures("started")
async def test_a_command_of_roots_server_does_not_set_the_kernels_parameters(sh: Sh) -> None:
    parameter = anyio.Path("/proc/sys/vm/swappiness")
    before = await parameter.read_text()
    outcome = await sh(f"echo {int(before) + 1} >{parameter}")

    assert outcome.exit_code != 0
    assert await parameter.read_text() == before


@pytest.mark.usefixtures("started")
async def test_a_command_has_no_capability_and_no_way_to_one(sh: Sh) -> None:
    outcome = await sh("""
        grep -E 'CapEff|CapBnd|NoNewPrivs' /proc/self/status | tr -s '\\t' ' '
        unshare --user true 2>/dev/null && echo new user namespace
        unshare --mount true 2>/dev/null && echo new mount namespace
        mount -t tmpfs none /tmp 2>/dev/null && echo mounted
        mount -o remount,rw /usr 2>/dev/null && echo remounted
        mknod /tmp/disk b 8 0 2>/dev/null && echo made a device
        true
    """)

    assert outcome.stdout.decode().splitlines() == [
        "CapEff: 0000000000000000",
        "CapBnd: 0000000000000000",
        "NoNewPrivs: 1",
    ]


@pytest.mark.usefixtures("started")
async def test_a_command_sees_no_network_no_process_and_no_file_of_the_host(
    sh: Sh, tmp_path: Path
) -> None:
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listener.extra(anyio.abc.SocketAttribute.local_port)
    reached = await sh(f"bash -c 'echo x >/dev/tcp/127.0.0.1/{port}' 2>/dev/null && echo reached")
    await listener.aclose()
    seen = await sh(f"ls {tmp_path} /root /home /etc/passwd /work 2>/dev/null; ls -d /proc/[0-9]*")

    assert reached.stdout == b""
    assert len(seen.stdout.split()) < 8
    assert str(os.getpid()).encode() not in seen.stdout.replace(b"/proc/", b"").split()


@pytest.mark.usefixtures("started")
async def test_a_command_inherits_no_open_file(sh: Sh) -> None:
    outcome = await sh("ls /proc/self/fd | wc -l")

    assert outcome.stdout == b"4\n"  # three streams, and the folder that is listed


async def test_a_folder_may_be_given_read_only(tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("in\n")
    told = order("sh", "-c", "cat in.txt; touch in.txt; echo no >new")
    outcome = await run_in_folder(tmp_path, told, limits=RunLimits(), writable=False)

    assert outcome.stdout == b"in\n"
    assert outcome.exit_code != 0
    assert held(tmp_path) == ["in.txt"]


async def test_more_of_the_host_is_seen_where_the_caller_says_so(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "library").mkdir()
    (tmp_path / "library" / "book").write_text("read me\n")
    told = order("sh", "-c", f"cat {tmp_path}/library/book; touch {tmp_path}/library/x")
    outcome = await run_in_folder(
        tmp_path / "work",
        told,
        limits=RunLimits(),
        writable=True,
        readable=(tmp_path / "library",),
    )

    assert outcome.stdout == b"read me\n"
    assert outcome.exit_code != 0


LIMITS = RunLimits(memory_bytes=400 << 20, cpu_s=1, file_bytes=1 << 20, processes=16, open_files=32)

BOUNDED = {
    "memory": "python3 -c 'bytearray(800 << 20)' 2>&1 | grep -o MemoryError",
    "cpu": "sh -c 'while :; do :; done'; test $? -gt 128 && echo ended",
    "file": "head -c 3000000 /dev/zero >big 2>/dev/null; wc -c <big",
    "files": "python3 -c '[open(\"/dev/null\") for _ in range(99)]' 2>&1 | grep -o 'Too many'",
    "core": "ulimit -c",
    "raised": "ulimit -n 64 2>/dev/null || echo kept",
}
TOLD = {
    "memory": b"MemoryError\n",
    "cpu": b"ended\n",
    "file": b"1048576\n",
    "files": b"Too many\n",
    "core": b"0\n",
    "raised": b"kept\n",
}


@pytest.mark.parametrize("bound", sorted(BOUNDED))
async def test_a_command_is_bounded(bound: str, tmp_path: Path) -> None:
    told = order("sh", "-c", BOUNDED[bound])
    outcome = await run_in_folder(tmp_path, told, limits=LIMITS, writable=True)

    assert outcome.stdout == TOLD[bound]


def counts_processes() -> bool:
    pids = Path("/sys/fs/cgroup/pids/cgroup.procs"), Path("/sys/fs/cgroup/pids.max")
    return os.geteuid() != 0 or any(os.access(one, os.W_OK) for one in pids)


@pytest.mark.skipif(not counts_processes(), reason="root without control groups is not counted")
async def test_the_processes_of_a_command_are_counted(tmp_path: Path) -> None:
    line = "for i in $(seq 40); do sleep 5 & done; echo all forty"
    outcome = await run_in_folder(
        tmp_path, order("sh", "-c", line, seconds=10), limits=LIMITS, writable=True
    )

    assert b"all forty" not in outcome.stdout
    assert b"fork" in outcome.stderr


@as_root_only
@pytest.mark.skipif(not counts_processes(), reason="root without control groups is not counted")
async def test_no_control_group_outlives_its_command() -> None:
    async with counted(5) as words:
        group = Path(words[-1]).parent
        assert "cgroup.procs" in held(group)
        process = await anyio.open_process([*words, "sleep", "0.1"])
    await process.aclose()

    assert held(group) == []


@pytest.mark.skipif(not counts_processes(), reason="root without control groups is not counted")
async def test_the_control_group_of_a_process_that_died_is_removed_by_the_next() -> None:
    async with counted(5) as words:
        above = Path(words[-1]).parent.parent
    left = above / "agentctl-999999999-left"  # no process has so high a number
    left.mkdir()
    async with counted(5):
        assert held(left) == []


async def test_a_command_that_fills_its_folder_is_ended(tmp_path: Path) -> None:
    limits = RunLimits(folder_bytes=2 << 20, file_bytes=1 << 20)
    line = "for i in 1 2 3 4 5; do head -c 1000000 /dev/zero >$i; done; sleep 60"
    outcome = await run_in_folder(
        tmp_path, order("sh", "-c", line, seconds=30), limits=limits, writable=True
    )

    assert (outcome.ending, outcome.exit_code) == ("killed", 137)


async def test_a_command_that_makes_too_many_files_is_ended(tmp_path: Path) -> None:
    limits = RunLimits(folder_entries=50)
    line = "for i in $(seq 60); do : >$i; done; sleep 60"
    outcome = await run_in_folder(
        tmp_path, order("sh", "-c", line, seconds=30), limits=limits, writable=True
    )

    assert outcome.ending == "killed"


async def test_a_full_sandbox_runs_nothing_until_it_is_restored(root: Path, source: Path) -> None:
    provider = ProcessProvider(root, sources={"golden": source})
    await provider.create(Creation(id=ID, name="one", source="golden", storage_mb=1))
    await provider.start(ID)
    ref = await provider.snapshot(ID, "clean")
    await provider.run(ID, order("sh", "-c", "head -c 700000 /dev/zero | tee x >y"))

    code, _ = await refusal(provider, order("true"))
    assert code == "sandbox_over_quota"

    await provider.restore(ID, ref)
    assert (await provider.run(ID, order("true"))).exit_code == 0


@pytest.mark.usefixtures("creation")
async def test_nothing_runs_before_the_start_and_after_the_stop(
    provider: ProcessProvider, creation: Creation
) -> None:
    await provider.create(creation)
    code, _ = await refusal(provider, order("true"))
    assert code == "sandbox_not_started"

    await provider.start(ID)
    await provider.start(ID)
    assert (await provider.run(ID, order("true"))).exit_code == 0

    await provider.stop(ID)
    await provider.stop(ID)
    code, _ = await refusal(provider, order("true"))
    assert code == "sandbox_not_started"


@pytest.mark.usefixtures("started")
async def test_a_stop_ends_what_is_running(provider: ProcessProvider) -> None:
    outcomes: list[CommandOutcome] = []

    async def _run() -> None:
        told = order("sh", "-c", "echo begun; touch begun; sleep 60", seconds=60)
        outcomes.append(await provider.run(ID, told))

    with anyio.fail_after(20):
        async with anyio.create_task_group() as group:
            group.start_soon(_run)
            probe = order("test", "-e", "begun")
            while (await provider.run(ID, probe)).exit_code != 0:
                await anyio.lowlevel.checkpoint()
            await provider.stop(ID)
            assert len(outcomes) == 1

    assert (outcomes[0].ending, outcomes[0].stdout) == ("killed", b"begun\n")


INVALID: dict[str, CommandOrder] = {
    "it has no words": order(),
    "it has no words ": order(""),
    "zero byte": order("a\0b"),
    "zero byte ": order("a", env={"A": "\0"}),
    "no UTF-8": order("a", "\udc80"),
    "no name of a variable": order("a", env={"A-B": "1"}),
    "no name of a variable ": order("a", env={"": "1"}),
    "no name of a variable  ": order("a", env={"A=B": "1"}),
    "how programs are loaded": order("a", env={"LD_PRELOAD": "/sandbox/x.so"}),
    "how programs are loaded ": order("a", env={"GLIBC_TUNABLES": "x"}),
    "no folder inside": order("a", cwd="/etc"),
    "no folder inside ": order("a", cwd="a/../../.."),
    "its working folder is not": order("a", cwd="nowhere"),
    "have to be bounds": order("a", seconds=0),
    "have to be bounds ": order("a", output_bytes_max=-1),
    "words are more than": order("a", "b" * 200_000),
    "input is more than": order("a", stdin=bytes((64 << 20) + 1)),
}


@pytest.mark.usefixtures("started")
@pytest.mark.parametrize("why", sorted(INVALID))
async def test_what_is_no_command_is_refused(why: str, provider: ProcessProvider) -> None:
    code, message = await refusal(provider, INVALID[why])

    assert code == "sandbox_command_invalid"
    assert why.strip() in message


@pytest.mark.usefixtures("started")
async def test_a_working_folder_that_is_a_link_to_the_host_leads_nowhere(sh: Sh) -> None:
    await sh("ln -s /etc/ssl out; ln -s /root root")
    outcome = await sh("cd root && ls")

    assert outcome.exit_code != 0


@pytest.mark.usefixtures("started")
async def test_without_bubblewrap_nothing_is_run(
    provider: ProcessProvider, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    code, message = await refusal(provider, order("true"))

    assert code == "sandbox_runner_unavailable"
    assert "bwrap" in message


@pytest.mark.usefixtures("started")
async def test_a_machine_that_makes_no_namespaces_is_told(
    provider: ProcessProvider, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fake = tmp_path / "bwrap"
    fake.write_text("#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    code, message = await refusal(provider, order("true"))

    assert code == "sandbox_runner_unavailable"
    assert "No permissions to create new namespace" in message


@as_root_only
def test_an_ordinary_user_runs_the_same_command() -> None:
    """Bubblewrap needs no privilege; here the words are given to it as nobody."""
    folder = Path("/tmp") / f"agentctl-nobody-{os.getpid()}"
    folder.mkdir()
    try:
        os.chown(folder, 65534, 65534)
        told = order("sh", "-c", "id -u; echo hi >f; cat f; touch /usr/x /x || echo well")
        words = bubblewrap_words(folder, told, limits=RunLimits(), writable=True)
        ran = subprocess.run(
            ["bwrap", *words, "--", *limited_words(told, RunLimits())],
            user=65534,
            group=65534,
            extra_groups=[],
            cwd="/",
            capture_output=True,
            check=False,
        )
        (folder / "f").unlink()
    finally:
        folder.rmdir()

    assert ran.stdout == b"65534\nhi\nwell\n"


@pytest.mark.slow
async def test_a_command_dies_with_the_process_that_ran_it(tmp_path: Path) -> None:
    program = f"""
        import anyio, os
        from datetime import timedelta
        from pathlib import Path
        from agentctl.adapters.runners.bubblewrap import run_in_folder
        from agentctl.adapters.runners.namespaces import RunLimits
        from agentctl.domain.sandbox.provider import CommandOrder
        line = "echo begun >begun; sleep 77.7534"
        order = CommandOrder(argv=("sh", "-c", line), timeout=timedelta(minutes=2))
        async def main():
            folder = Path({os.fspath(tmp_path)!r})
            await run_in_folder(folder, order, limits=RunLimits(), writable=True)
        anyio.run(main)
    """
    process = await anyio.open_process([sys.executable, "-c", textwrap.dedent(program)])
    with anyio.fail_after(60):
        while not (tmp_path / "begun").exists() or b"77.7534" not in await processes():
            await anyio.lowlevel.checkpoint()
        process.kill()
        await process.wait()
        while b"77.7534" in await processes():
            await anyio.lowlevel.checkpoint()
    await process.aclose()
