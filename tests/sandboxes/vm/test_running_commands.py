"""Commands in a machine that is started once. Source: sandboxes 5, cases 7 and 8."""

import os
from datetime import timedelta

import anyio
import msgspec
import pytest

from agentctl.adapters.runners.vm.launch import GoldenImage
from agentctl.adapters.runners.vm.provider import VmProvider
from agentctl.domain.sandbox.provider import CommandOrder, CommandOutcome, ProviderError
from tests.sandboxes.vm.conftest import SETTINGS, SHARED

pytestmark = pytest.mark.slow

NOBODYS = "01K00000000000000000000002"
WITHIN = timedelta(seconds=30)


def order(*argv: str, **more: object) -> CommandOrder:
    return CommandOrder(argv=argv, **({"timeout": WITHIN} | more))  # type: ignore[arg-type]  # forwarded fields


def shell(script: str, **more: object) -> CommandOrder:
    return order("sh", "-c", script, **more)


async def test_a_command_gives_its_output_and_its_exit_code_and_is_no_exception(
    shared: VmProvider,
) -> None:
    ran = await shared.run(SHARED, shell("echo out; echo err >&2; exit 3"))

    assert ran == CommandOutcome(ending="exited", exit_code=3, stdout=b"out\n", stderr=b"err\n")


async def test_every_byte_goes_in_and_comes_out_as_it_is(shared: VmProvider) -> None:
    data = bytes(range(256)) * 400 + b"\nagentctl 2 {}\n"

    ran = await shared.run(SHARED, order("cat", stdin=data))

    assert (ran.stdout, ran.stderr) == (data, b"")


async def test_words_and_variables_mean_themselves(shared: VmProvider) -> None:
    words = ("$(id)", "a b", "'", '"', "*", "-n", "", "line\nline", "é")

    ran = await shared.run(SHARED, order("printf", "%s|", *words, env={"A": "it's $(id)"}))
    told = await shared.run(SHARED, shell('printf %s "$A"; pwd', env={"A": "it's $(id)"}))

    assert ran.stdout.decode() == "".join(f"{word}|" for word in words)
    assert told.stdout == b"it's $(id)/work\n"


async def test_a_command_begins_in_the_folder_that_was_asked_for(shared: VmProvider) -> None:
    await shared.run(SHARED, order("mkdir", "-p", "deep er"))

    ran = await shared.run(SHARED, order("pwd", cwd="deep er"))
    nowhere = await shared.run(SHARED, order("pwd", cwd="nowhere"))

    assert ran.stdout == b"/work/deep er\n"
    assert nowhere.exit_code == 126


async def test_the_command_sees_no_variable_of_the_host(shared: VmProvider) -> None:
    ran = await shared.run(SHARED, order("env"))

    names = {line.partition("=")[0] for line in ran.stdout.decode().splitlines()}
    assert names <= {"PATH", "HOME", "PWD", "SHLVL", "OLDPWD", "_"}


async def test_a_program_that_is_not_there_ends_with_127(shared: VmProvider) -> None:
    ran = await shared.run(SHARED, order("no-such=program"))

    assert (ran.ending, ran.exit_code) == ("exited", 127)


async def test_a_program_that_a_signal_ended_says_so(shared: VmProvider) -> None:
    ran = await shared.run(SHARED, shell("kill -TERM $$"))

    assert (ran.ending, ran.exit_code) == ("killed", 128 + 15)


async def test_a_command_over_its_time_is_ended_with_all_that_it_started(
    shared: VmProvider,
) -> None:
    script = "(trap '' TERM; setsid sleep 4711) & echo begun; sleep 4712"

    ran = await shared.run(SHARED, shell(script, timeout=timedelta(seconds=3)))
    left = await shared.run(SHARED, shell("ps | grep -c '[s]leep 471'"))

    assert (ran.ending, ran.exit_code, ran.stdout) == ("timed_out", 124, b"begun\n")
    assert left.stdout == b"0\n"


async def test_what_a_command_leaves_running_ends_with_it(shared: VmProvider) -> None:
    ran = await shared.run(SHARED, shell("setsid sleep 4713 & exit 5"))
    left = await shared.run(SHARED, shell("ps | grep -c '[s]leep 4713'"))

    assert (ran.exit_code, left.stdout) == (5, b"0\n")


async def test_output_over_the_bound_is_dropped_and_counted(shared: VmProvider) -> None:
    script = "yes | head -c 100000; echo e >&2"

    ran = await shared.run(SHARED, shell(script, output_bytes_max=1000))
    none = await shared.run(SHARED, shell("echo out", output_bytes_max=0))

    assert (len(ran.stdout), ran.stdout_dropped, ran.stderr) == (1000, 99_000, b"e\n")
    assert (none.stdout, none.stdout_dropped) == (b"", 4)


async def test_a_machine_has_no_network(shared: VmProvider) -> None:
    ran = await shared.run(SHARED, order("ls", "/sys/class/net"))

    assert ran.stdout == b"lo\n"


@pytest.mark.parametrize(
    "wrong",
    [
        order(),
        order("echo", "a\0b"),
        order("echo", env={"A B": "c"}),
        order("echo", cwd="../other"),
        order("echo", timeout=timedelta(0)),
    ],
    ids=["no words", "a zero byte", "a name that is none", "a folder outside", "no time"],
)
async def test_what_is_no_command_is_refused(shared: VmProvider, wrong: CommandOrder) -> None:
    with pytest.raises(ProviderError) as refused:
        await shared.run(SHARED, wrong)

    assert refused.value.diagnostic.code == "sandbox_command_invalid"


async def test_a_call_that_is_cancelled_leaves_nothing_running_at_the_next_one(
    shared: VmProvider,
) -> None:
    with anyio.move_on_after(1.0) as scope:
        await shared.run(SHARED, shell("setsid sleep 4714 & sleep 4715"))

    left = await shared.run(SHARED, shell("ps | grep -c '[s]leep 471[45]'"))

    assert scope.cancelled_caught
    assert left.stdout == b"0\n"


async def test_a_call_that_dies_in_the_middle_of_its_request_does_not_spoil_the_next(
    shared: VmProvider,
) -> None:
    home = shared._homes.held(SHARED)
    opened = os.open(home, os.O_RDONLY)
    try:
        stream = await anyio.connect_unix(f"/proc/self/fd/{opened}/agent.sock")
    finally:
        os.close(opened)
    async with stream:
        await stream.send(b"agentctl hello one\nagentctl run two 9 9 100 900000\ncut short")
        await stream.receive()

    ran = await shared.run(SHARED, order("echo", "well"))

    assert ran.stdout == b"well\n"


async def test_a_command_while_another_one_runs_waits_its_turn_or_is_told(
    shared: VmProvider, golden: GoldenImage
) -> None:
    """Another process has a provider of its own over the same folder."""
    hasty = VmProvider(
        shared._homes.root,
        sources={"golden": golden},
        settings=msgspec.structs.replace(SETTINGS, busy_within_s=0.2),
    )
    ran: list[CommandOutcome] = []

    async def run(provider: VmProvider, script: str) -> None:
        ran.append(await provider.run(SHARED, shell(script)))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run, shared, "sleep 2; echo first")
        await anyio.wait_all_tasks_blocked()
        with pytest.raises(ProviderError) as busy:
            await hasty.run(SHARED, order("true"))
        tasks.start_soon(run, shared, "echo second")

    assert busy.value.diagnostic.code == "machine_busy"
    assert [one.stdout for one in ran] == [b"first\n", b"second\n"]


async def test_a_machine_whose_agent_was_ended_is_switched_off_and_starts_again(
    shared: VmProvider,
) -> None:
    script = "kill -9 $(ps | grep '[a]gent.sh' | sed 's/^ *//; s/ .*//')"
    hasty = VmProvider(
        shared._homes.root,
        sources=shared._sources,
        settings=msgspec.structs.replace(SETTINGS, answer_within_s=4.0),
    )

    with pytest.raises(ProviderError) as lost:
        await hasty.run(SHARED, shell(script, timeout=timedelta(seconds=1)))
    is_on = [one.running for one in await shared.inventory()]
    await shared.start(SHARED)
    ran = await shared.run(SHARED, order("echo", "again"))

    assert lost.value.diagnostic.code == "machine_silent"
    assert is_on == [False]
    assert ran.stdout == b"again\n"


async def test_a_machine_that_is_not_there_runs_nothing(shared: VmProvider) -> None:
    with pytest.raises(ProviderError) as refused:
        await shared.run(NOBODYS, order("true"))

    assert refused.value.diagnostic.code == "sandbox_not_held"
