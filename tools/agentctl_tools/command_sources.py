"""`sandbox_look`, `sandbox_prepare`: what sandboxes of commands are made from, read and made ready."""

from typing import Annotated

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.domain.sandbox.host_profile import FOLDER
from agentctl_tools import insides
from agentctl_tools.command_entry import place_of
from agentctl_tools.command_sandboxes import CommandRan, may_copy, temporary_source
from agentctl_tools.envelopes import done, failed, refused
from agentctl_tools.operation import Call, Envelope, Operation
from agentctl_tools.sandbox_history import own_secrets

Source = Annotated[str, msgspec.Meta(max_length=160, min_length=1)]


class LookArguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `sandbox_look` takes."""

    source: Source = FOLDER
    line: Annotated[
        str,
        msgspec.Meta(description="Commands that only read, joined by `|`.", max_length=32_768),
    ]


class PrepareArguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `sandbox_prepare` takes."""

    source: Source


class SourcePrepared(msgspec.Struct, frozen=True, kw_only=True):
    """A source machine that sandboxes may be made from."""

    source: str
    prepared_at: str
    authority: str
    """The fingerprint of the authority of certificates; ``none`` where the operator named none."""


async def _look(call: Call) -> Envelope:
    from agentctl.domain.sandbox.readonly_commands import readonly_pipeline
    from agentctl.engine.command_host import CommandHostError, absent
    from agentctl.engine.command_runs import shown
    from agentctl.engine.command_sources import look

    given, host = call.arguments, call.cluster.commands
    pipeline = readonly_pipeline(given.line)
    if isinstance(pipeline, Diagnostic):
        return failed((pipeline,))
    if host is None:
        raise CommandHostError(absent("process"))
    host.provider("process")
    barred = await may_copy(call, given.source)
    if barred is not None:
        return barred
    async with temporary_source(call) as temporary:
        folder = temporary or host.runners().folder_of(given.source)
        outcome = await look(folder, given.line)
    if isinstance(outcome, Diagnostic):
        return failed((outcome,))
    ran, _ = shown(outcome, own_secrets())
    told = CommandRan(
        sandbox="",
        ending=ran.ending,
        exit_code=ran.exit_code,
        stdout=ran.stdout,
        stderr=ran.stderr,
    )
    return done(f"The line ended with exit code {ran.exit_code}.", data=told)


async def _prepare(call: Call) -> Envelope:
    from agentctl.engine.command_sources import prepare

    if call.caller.kind != "human":
        why = "a source machine is made ready by a human of this host"
        return refused("human_only", f"sources.{call.arguments.source}", why)
    place = await place_of(call)
    kept = await prepare(place, call.arguments.source)
    told = SourcePrepared(
        source=kept.name, prepared_at=kept.prepared_at or "", authority=kept.ca_fingerprint or ""
    )
    return done(f"A copy of {kept.name} starts and runs commands.", data=told)


LOOK = Operation(
    name="sandbox_look",
    operation_class="read",
    action="sandbox_create",
    arguments=LookArguments,
    handler=_look,
    describe="Look. Runs a line that only reads over a source of sandboxes, without a copy.",
    resource=lambda _: "cluster",
    context=lambda _: insides.CONTEXT,
    result=CommandRan,
    idempotent=True,
    mcp_tool="sandbox_look",
    toolset="commands",
)
PREPARE = Operation(
    name="sandbox_prepare",
    operation_class="write",
    recorded=True,
    action="sandbox_create",
    arguments=PrepareArguments,
    handler=_prepare,
    describe="Try. Starts a copy of a source machine, to see that sandboxes can be made of it.",
    resource=lambda _: "cluster",
    context=lambda _: insides.CONTEXT,
    result=SourcePrepared,
)
