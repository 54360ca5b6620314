"""`sandbox_start`, `sandbox_run`, `sandbox_stop`: copies of folders and machines, to run commands in."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec

from agentctl.domain.sandbox.host_profile import FOLDER
from agentctl.domain.sandbox.lending import sandbox_of, target_of
from agentctl.domain.sandbox.provider import Ending
from agentctl.domain.sandbox.records import SandboxState
from agentctl.engine.sandboxed import LIFE, LIFE_MAX
from agentctl.engine.sandboxes.errors import StoreError
from agentctl.engine.world import stamp_now
from agentctl_tools import insides
from agentctl_tools.command_entry import enter, place_of
from agentctl_tools.envelopes import done
from agentctl_tools.fields import SandboxNamed
from agentctl_tools.operation import Call, Envelope, Next, Operation
from agentctl_tools.sandbox_history import not_written, own_secrets
from agentctl_tools.sandbox_open import NAME_PATTERN

if TYPE_CHECKING:
    from agentctl.domain.sandbox.records import Sandbox

TIMEOUT_S: float = 60.0
TIMEOUT_S_MAX: float = 3600.0
Text = Annotated[str, msgspec.Meta(max_length=32_768)]
Megabytes = Annotated[int, msgspec.Meta(ge=1, le=1 << 30)]


class StartArguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `sandbox_start` takes."""

    within: Annotated[
        str | None,
        msgspec.Meta(description="One that was stopped or failed, to be started again."),
    ] = msgspec.field(default=None, name="in")
    provider: Literal["process", "vm"] = "process"
    source: Annotated[
        str,
        msgspec.Meta(
            description="A source of this host; `folder`: the configuration; or `sandbox:ID`.",
            max_length=160,
        ),
    ] = FOLDER
    name: Annotated[str, msgspec.Meta(max_length=64, pattern=NAME_PATTERN)] | None = None
    ttl_s: Annotated[int, msgspec.Meta(ge=60, le=int(LIFE_MAX.total_seconds()))] = int(
        LIFE.total_seconds()
    )
    purpose: Annotated[str, msgspec.Meta(description="What for.", max_length=2000)] = ""
    vcpus: Annotated[int, msgspec.Meta(ge=1, le=1024)] | None = None
    memory_mb: Megabytes | None = None
    storage_mb: Megabytes | None = None


class RunArguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `sandbox_run` takes."""

    within: SandboxNamed = msgspec.field(name="in")
    command: Annotated[
        tuple[Text, ...], msgspec.Meta(description="argv.", min_length=1, max_length=1024)
    ]
    cwd: Annotated[str, msgspec.Meta(max_length=4096)] = "."
    env: Mapping[str, Text] = msgspec.field(default_factory=dict)
    stdin: Annotated[str, msgspec.Meta(max_length=1 << 20)] = ""
    timeout_s: Annotated[float, msgspec.Meta(gt=0, le=TIMEOUT_S_MAX)] = TIMEOUT_S


class StopArguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `sandbox_stop` takes."""

    within: SandboxNamed = msgspec.field(name="in")


class SandboxStarted(msgspec.Struct, frozen=True, kw_only=True):
    """A sandbox of commands."""

    sandbox: str
    """What other calls take as `in`."""
    name: str
    provider: str
    source: str
    state: SandboxState
    expires_at: str


class CommandRan(msgspec.Struct, frozen=True, kw_only=True):
    """How a command ended. Secrets are tokens, which later commands of the sandbox may hold."""

    sandbox: str
    ending: Ending
    exit_code: int
    """The program's own; 128 + n where signal n ended it, 124 for a time limit."""
    stdout: str
    """Foreign text, as is `stderr`."""
    stderr: str


async def _start(call: Call) -> Envelope:
    if call.arguments.within is not None:
        return await _resume(call)
    from agentctl.engine.command_sandboxes import Order, check_number, start_commands

    given, cluster, caller = call.arguments, call.cluster, call.caller
    started_at = stamp_now(cluster.world)
    place = await place_of(call)
    place.host.provider(given.provider)
    if caller.kind != "human":
        await check_number(place, caller.id)
    barred = await may_copy(call, given.source) if given.provider == "process" else None
    if barred is not None:
        return barred
    async with temporary_source(call) as folder:
        order = Order(
            provider=given.provider,
            source=given.source,
            folder=folder,
            name=given.name,
            life=timedelta(seconds=given.ttl_s),
            op=cluster.journal.mint_id(caller.nid),
            by=caller.id,
            vcpus=given.vcpus,
            memory_mb=given.memory_mb,
            storage_mb=given.storage_mb,
        )
        record = await start_commands(place, order)
    return await _told(call, record, started_at)


async def _resume(call: Call) -> Envelope:
    from agentctl.engine.command_sandboxes import resume

    started_at = stamp_now(call.cluster.world)
    entered = await enter(call)
    if isinstance(entered, Envelope):
        return entered
    return await _told(call, await resume(entered.place, entered.record), started_at)


async def may_copy(call: Call, source: str) -> Envelope | None:
    """Returns why the caller may not have a copy of a source; None where they may.

    What the operator named is for whoever may make sandboxes; the cluster's own configuration is for
    those who may read all that it is about, and a sandbox's for those who may use it.
    """
    sandbox_id = sandbox_of(source)
    if sandbox_id is not None:
        admitted = await insides.admitted(call, sandbox_id)
        return admitted if isinstance(admitted, Envelope) else None
    return await insides.may_read_all(call) if source == FOLDER else None


@asynccontextmanager
async def temporary_source(call: Call) -> AsyncIterator[Path | None]:
    """Gives the files of a source of `process` that has no folder of its own; None for all others."""
    from agentctl.engine.command_sources import source_folder

    given, host = call.arguments, call.cluster.commands
    if getattr(given, "provider", "process") != "process" or host is None:
        yield None
        return
    offered = host.runners().sources("process")
    async with source_folder(call.cluster, given.source, offered) as folder:
        yield folder


async def _run(call: Call) -> Envelope:
    from agentctl.engine.command_runs import Words, run_command

    entered = await enter(call)
    if isinstance(entered, Envelope):
        return entered
    given, record = call.arguments, entered.record
    words = Words(
        tool=RUN.name,
        by=call.caller.id,
        argv=given.command,
        env=given.env,
        cwd=given.cwd,
        stdin=given.stdin,
        timeout_s=given.timeout_s,
    )
    ran, command = await run_command(entered.place, record, words, known=own_secrets)
    warned = []
    try:
        await entered.place.store.save_command(command)
    except StoreError as failure:
        warned.append(not_written(failure))
    told = CommandRan(
        sandbox=target_of(record.id),
        ending=ran.ending,
        exit_code=ran.exit_code,
        stdout=ran.stdout,
        stderr=ran.stderr,
    )
    return done(_summary(ran.ending, ran.exit_code), data=told, diagnostics=warned)


async def _stop(call: Call) -> Envelope:
    from agentctl.engine.command_sandboxes import stop

    started_at = stamp_now(call.cluster.world)
    entered = await enter(call)
    if isinstance(entered, Envelope):
        return entered
    record = await stop(entered.place, entered.record)
    envelope = done(f"Sandbox {record.sandbox_name} is stopped.", data=_started(record))
    return await insides.noted(call, STOP, record.id, envelope, started_at=started_at)


async def _told(call: Call, record: "Sandbox", started_at: str) -> Envelope:
    named = target_of(record.id)
    envelope = done(
        f"Sandbox {record.sandbox_name} runs.",
        data=_started(record),
        next_calls=(
            Next(
                tool="sandbox_run",
                arguments={"in": named, "command": ["ls", "-la"]},
                why="Runs a command in it; nothing of it is real.",
            ),
        ),
    )
    return await insides.noted(call, START, record.id, envelope, started_at=started_at)


def _started(record: "Sandbox") -> SandboxStarted:
    from agentctl.engine.command_sweep import expires_at
    from agentctl.instants import format_instant

    return SandboxStarted(
        sandbox=target_of(record.id),
        name=record.sandbox_name,
        provider=record.provider,
        source=record.base_image,
        state=record.state,
        expires_at=format_instant(expires_at(record)),
    )


def _summary(ending: Ending, exit_code: int) -> str:
    match ending:
        case "timed_out":
            return "The command took too long and was killed."
        case "killed":
            return "The command was killed."
        case "exited":
            return f"The command ended with exit code {exit_code}."


START = Operation(
    name="sandbox_start",
    operation_class="write",
    recorded=True,
    action="sandbox_create",
    arguments=StartArguments,
    handler=_start,
    describe="Try. Starts your own copy of a folder or a machine, to run commands in.",
    resource=lambda _: "cluster",
    context=lambda _: insides.CONTEXT,
    result=SandboxStarted,
    enters=True,
    mcp_tool="sandbox_start",
    toolset="commands",
)
RUN = Operation(
    name="sandbox_run",
    operation_class="write",
    recorded=True,
    action="sandbox_use",
    arguments=RunArguments,
    handler=_run,
    describe=(
        "Try. Runs a command in a sandbox of `sandbox_start`; no network. Secrets in its output "
        "are tokens, which later commands there may hold."
    ),
    resource=insides.resource,
    context=lambda _: insides.CONTEXT,
    result=CommandRan,
    enters=True,
    mcp_tool="sandbox_run",
    toolset="commands",
)
STOP = Operation(
    name="sandbox_stop",
    operation_class="write",
    recorded=True,
    action="sandbox_use",
    arguments=StopArguments,
    handler=_stop,
    describe="Try. Stops a sandbox of commands; everything in it is kept.",
    resource=insides.resource,
    context=lambda _: insides.CONTEXT,
    result=SandboxStarted,
    enters=True,
)
