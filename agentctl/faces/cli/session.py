"""One command's way through the door: open the cluster, say who calls, call, print, end.

Command modules import this only inside their functions, because it loads the engine.
"""

import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NoReturn

import anyio
import click
import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.policy.caller import Via
from agentctl.faces.cli.at_door import Session
from agentctl.faces.cli.compose import ClusterOpenError, Composition, compose
from agentctl.faces.cli.exit_codes import ExitCode, exit_code
from agentctl.faces.cli.options import Settings, settings_of
from agentctl.faces.cli.printing import print_diagnostics, print_json, say
from agentctl.foreign import Foreign, calm, show
from agentctl_tools.door import leave
from agentctl_tools.envelopes import failed
from agentctl_tools.failures import diagnostics_of
from agentctl_tools.operation import Envelope

__all__ = [
    "Ended",
    "Session",
    "composition_of",
    "ended_with",
    "finish",
    "folder_here",
    "internal_error",
    "open_session",
    "run_command",
    "run_operation",
]

Show = Callable[[Any], str]
Raw = Callable[[Any], object]
_SUMMARY_CELLS = 2_000
_NAME_CELLS = 80


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """How a command ended, and how to print it."""

    envelope: Envelope
    text: str = ""
    """For people; the summary where empty."""
    raw: object = None
    """For `--json`; the envelope's data where None."""
    waiting: bool = False
    """Convergence was required and a decision is awaited."""
    as_json: bool = False
    """Whether the one JSON document is printed, also without `--json`."""
    printed: bool = False
    """Whether all of it was printed while the command ran."""
    is_remote: bool = False
    """Whether it was about a cluster elsewhere: no line of a folder here is quoted then."""
    code: ExitCode | None = None
    """In place of what the diagnostics say, where nothing went wrong."""


Main = Callable[[Session], Awaitable[Ended]]


def run_command(main: Main, *, via: Via = "cli") -> NoReturn:
    """Opens the cluster that the command line names, runs *main* against it, prints and exits."""
    context = click.get_current_context()
    settings = settings_of(context)
    composition = composition_of(context)
    ended: list[Ended] = []

    async def whole() -> None:
        # asyncio prints its main task, result and all, when it puts the signal handler back: of a
        # plan of 10,000 resources that takes longer than to make it. So the task has no result.
        ended.append(await _run(composition, settings, main, via))

    try:
        anyio.run(whole)
    except BrokenPipeError:
        raise  # Nobody reads what is printed any more (`| head`): `main` ends without a word.
    except click.ClickException:
        raise  # Arguments that do not go together, found out on the way: told as such, and no bug.
    except Exception as bug:  # noqa: BLE001  # the outermost loop
        finish(Ended(envelope=failed((internal_error(bug),), summary="A bug.")), settings)
    finish(ended[0], settings)


def run_operation(
    operation: str,
    arguments: Mapping[str, object],
    *,
    show: Show | None = None,
    raw: Raw | None = None,
) -> NoReturn:
    """Runs one operation; *show* renders its data for people, *raw* gives what `--json` prints."""

    async def main(session: Session) -> Ended:
        envelope = await session.call(operation, arguments)
        return ended_with(envelope, show=show, raw=raw)

    run_command(main)


def ended_with(envelope: Envelope, *, show: Show | None = None, raw: Raw | None = None) -> Ended:
    """Returns the end of a command that made one call."""
    if envelope.data is None:
        return Ended(envelope=envelope)
    return Ended(
        envelope=envelope,
        text=show(envelope.data) if show is not None else "",
        raw=raw(envelope.data) if raw is not None else None,
    )


def composition_of(context: click.Context) -> Composition:
    """Returns what commands run on: the product's wiring, or what a test's process handed in."""
    made = context.find_root().obj
    return made() if made is not None else compose()


def folder_here(
    context: click.Context, who: str, instead: str, *, as_agent: bool, is_known: bool = False
) -> Path:
    """Returns the folder of this machine that a command works on, which takes no other place.

    Args:
        context: of the command.
        who: works on it.
        instead: what to do where a context is meant.
        as_agent: whether it says by itself who calls, so that a token would be left aside.
        is_known: whether something else than the command line says which folder.
    """
    from agentctl.faces.cli.elsewhere import TOKEN, meant

    settings = settings_of(context)
    name = settings.context
    if name is None and not is_known:
        try:
            there = meant(settings)
        except ClusterOpenError as unknown:
            context.fail(f"{unknown}. To work on a folder here, name it: --config DIR.")
        name = there[0] if there is not None else None
    if name is not None:
        told = show(Foreign(name), limit=_NAME_CELLS)
        context.fail(
            f"{who} works on a folder of this machine, and `{told}` is a context: a cluster "
            f"elsewhere. {instead}, or name a folder here with --config alone."
        )
    if as_agent and (settings.token_file is not None or TOKEN in os.environ):
        context.fail(
            f"{who} calls as the agent of whoever starts it, whatever a token says: leave out "
            f"--token-file and unset {TOKEN}. With a token it connects to /mcp of `agentctl serve`."
        )
    return settings.config


@asynccontextmanager
async def open_session(
    composition: Composition, settings: Settings, *, via: Via = "cli"
) -> AsyncIterator[Session]:
    """Opens the cluster, here or through a context, and says who calls.

    Raises:
        ClusterOpenError: it cannot be opened.
    """
    from agentctl.faces.cli.elsewhere import caller_here, meant, open_remote

    try:
        there = meant(settings)
        if there is not None:
            async with open_remote(composition, *there, settings) as remote:
                yield remote
            return
        cluster = await composition.open(settings.config, cached=settings.cached)
        caller = await caller_here(composition, cluster, settings, via=via)
        try:
            yield Session(composition, cluster, caller, settings)
        finally:
            await leave(cluster)
    finally:
        await composition.aclose()


async def _run(composition: Composition, settings: Settings, main: Main, via: Via) -> Ended:
    try:
        async with open_session(composition, settings, via=via) as session:
            ended = await main(session)
            return msgspec.structs.replace(ended, is_remote=session.is_remote)
    except Exception as failure:
        known = diagnostics_of(failure)
        if known is None:
            raise
        return Ended(envelope=failed(known))


def finish(ended: Ended, settings: Settings) -> NoReturn:
    """Prints how a command ended and exits: data on stdout, talk on stderr."""
    envelope = ended.envelope
    if ended.printed:
        pass
    elif settings.as_json or ended.as_json:
        print_json(_document(ended))
    else:
        if ended.text:
            text = calm(ended.text) if ended.is_remote else ended.text
            sys.stdout.write(text if text.endswith("\n") else text + "\n")
        folder = None if ended.is_remote else _quotable(settings)
        concise = bool(_asked("concise"))
        print_diagnostics(envelope.diagnostics, folder=folder, concise=concise)
        if not ended.text and not _told_by_diagnostics(envelope):
            say(show(Foreign(envelope.summary), limit=_SUMMARY_CELLS, multiline=True))
    code = exit_code(ok=envelope.ok, diagnostics=envelope.diagnostics, waiting=ended.waiting)
    if ended.code is ExitCode.INTERRUPTED and code in {ExitCode.WAITING, ExitCode.ERRORS}:
        code = ExitCode.DONE  # Whoever interrupted it knows that it is not through.
    sys.exit(ended.code if code is ExitCode.DONE and ended.code is not None else code)


def _quotable(settings: Settings) -> Path | None:
    """Returns the folder whose lines may be quoted; None where a draft or a sandbox was looked at.

    The places of their mistakes are in texts that the folder does not hold.
    """
    context = click.get_current_context(silent=True)
    elsewhere = _asked("draft") or _asked("within")
    elsewhere = elsewhere or _within(context, "draft") or _within(context, "sandbox")
    return None if elsewhere else settings.config


def _asked(option: str) -> object:
    """Returns what an option of the running command says; None where it has none."""
    context = click.get_current_context(silent=True)
    return context.params.get(option) if context is not None else None


def _within(context: click.Context | None, verb: str) -> bool:
    while context is not None:
        if context.info_name == verb:
            return True
        context = context.parent
    return False


def _told_by_diagnostics(envelope: Envelope) -> bool:
    """Whether the summary only repeats the code of a diagnostic that was just printed."""
    return any(envelope.summary == f"Refused: {d.code}." for d in envelope.diagnostics)


def _document(ended: Ended) -> object:
    """Returns the one JSON document: the raw result, or why there is none."""
    if ended.raw is not None:
        return ended.raw
    if ended.envelope.data is not None:
        return ended.envelope.data
    return {"ok": ended.envelope.ok, "diagnostics": ended.envelope.diagnostics}


def internal_error(bug: Exception) -> Diagnostic:
    """Returns what to tell about a bug, and writes its trace to stderr."""
    import traceback

    sys.stderr.write(calm("".join(traceback.format_exception(bug))))
    return error(
        "internal_error",
        "agentctl",
        f"This is a bug in agentctl: {type(bug).__name__}",
        detail="Nothing more is known than the trace above; it holds no data of the cluster.",
        remedy="Please report it with the trace above.",
    )
