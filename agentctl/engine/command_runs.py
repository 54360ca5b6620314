"""A command of a sandbox from its words to its record: secrets go in by the program alone.

Whoever asked, and whoever reads the record, sees tokens; they are put back where the program is started
and nowhere else, and only in the sandbox that gave them. Acceptance cases 7, 8 and 9.
"""

import shlex
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Any, Final

import anyio
import msgspec

from agentctl.diagnostics.diagnostic import error
from agentctl.domain.sandbox.lending import target_of
from agentctl.domain.sandbox.provider import CommandOrder, CommandOutcome, Ending, ProviderError
from agentctl.domain.sandbox.recorded_output import recorded
from agentctl.domain.sandbox.records import NUL_SHOWN, Command, CommandExecRecord, Sandbox
from agentctl.domain.sandbox.secret_tokens import TOKEN, Register
from agentctl.engine.command_sandboxes import Place, failed_at
from agentctl.engine.lending import SandboxError
from agentctl.engine.world import mint_ulid, stamp_now

OUTPUT_BYTES_MAX: Final = 65_536
"""Of stdout and of stderr, each, that is kept and returned."""
TEXT_MAX: Final = 2_000
_LOOKED_EVERY_S: Final = 0.5
"""How often it is seen whether another process has stopped the sandbox."""
_BROKEN: Final = frozenset({"machine_silent", "machine_unavailable", "machine_source_changed"})
"""After these a sandbox does not work any more."""


class Words(msgspec.Struct, frozen=True, kw_only=True):
    """A command as somebody asks for it."""

    tool: str
    by: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: str
    stdin: str
    timeout_s: float


class Ran(msgspec.Struct, frozen=True, kw_only=True):
    """How a command ended, without secrets."""

    ending: Ending
    exit_code: int
    stdout: str
    stderr: str


async def run_command(
    place: Place, record: Sandbox, words: Words, *, known: Callable[[], Register]
) -> tuple[Ran, Command]:
    """Runs a command to its end, or its time limit; returns how it ended, and what is to be kept of it.

    Args:
        place: where.
        record: of the sandbox.
        words: what is to be run.
        known: makes the register of a sandbox that this process has not seen before.

    Raises:
        SandboxError: the words hold tokens that stand for nothing here.
        ProviderError: nothing was run, or nobody can tell how it ended.
    """
    host, started_at = place.host, stamp_now(place.world)
    register = host.register(record.id, known)
    order = _order(record, words, register)
    asked, register = register.redact_value(
        {"command": words.argv, "env": words.env, "cwd": words.cwd, "stdin": words.stdin}
    )
    host.learned(record.id, register)
    try:
        outcome = await _while_started(place, record, order)
    except ProviderError as failure:
        if failure.diagnostic.code in _BROKEN:
            await failed_at(place, record)
        raise _without_secrets(failure, host.register(record.id, known)) from None
    ran, register = shown(outcome, host.register(record.id, known))
    host.learned(record.id, register)
    return ran, _command(place, record, words, asked, ran, started_at, register)


def shown(outcome: CommandOutcome, register: Register) -> tuple[Ran, Register]:
    """Returns how a command ended with tokens for secrets, and the register that knows them."""
    stdout, stderr, register = recorded(outcome, register)
    ran = Ran(
        ending=outcome.ending,
        exit_code=outcome.exit_code,
        stdout=stdout.replace("\0", NUL_SHOWN),
        stderr=stderr.replace("\0", NUL_SHOWN),
    )
    return ran, register


async def _while_started(place: Place, record: Sandbox, order: CommandOrder) -> CommandOutcome:
    """Runs a command for as long as its sandbox is started, whichever process ends that."""
    provider = place.host.provider(record.provider)
    ended: list[CommandOutcome | ProviderError] = []

    async def watch() -> None:
        while place.host.is_started(record.id):  # noqa: ASYNC110  # another process tells nobody
            await anyio.sleep(_LOOKED_EVERY_S)
        with suppress(ProviderError):
            await provider.stop(record.id)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watch)
        try:
            ended.append(await provider.run(record.id, order))
        except ProviderError as failure:
            ended.append(failure)
        tasks.cancel_scope.cancel()
    if isinstance(ended[0], ProviderError):
        raise ended[0]
    return ended[0]


def _order(record: Sandbox, words: Words, register: Register) -> CommandOrder:
    """Returns the command as the program gets it: the only place where secrets are put back."""
    env = {register.restore_text(name): value for name, value in words.env.items()}
    texts = (*words.argv, *words.env, *words.env.values(), words.cwd, words.stdin)
    unknown = sorted({t for text in texts for t in TOKEN.findall(text)} - set(register.tokens))
    if unknown:
        raise SandboxError(
            error(
                "sandbox_token_unknown",
                target_of(record.id),
                f"{unknown[0]} stands for nothing here; nothing was run",
                detail="A token is good in the sandbox that gave it, until its server ends.",
                remedy="Run what printed the secret again, and take the token that it gives now.",
            )
        )
    return CommandOrder(
        argv=tuple(register.restore_text(word) for word in words.argv),
        env={name: register.restore_text(value) for name, value in env.items()},
        cwd=register.restore_text(words.cwd),
        stdin=register.restore_text(words.stdin).encode("utf-8", "surrogatepass"),
        timeout=timedelta(seconds=words.timeout_s),
        output_bytes_max=OUTPUT_BYTES_MAX,
    )


def _without_secrets(failure: ProviderError, register: Register) -> ProviderError:
    """Returns what a provider said, which may repeat a word of the command."""
    message, _ = register.redact(failure.diagnostic.message)
    return ProviderError(msgspec.structs.replace(failure.diagnostic, message=message))


def _command(  # noqa: PLR0913  # the fields of a record
    place: Place,
    record: Sandbox,
    words: Words,
    asked: Any,  # noqa: ANN401  # a JSON value
    ran: Ran,
    started_at: str,
    register: Register,
) -> Command:
    said = shlex.join(asked["command"])
    told = msgspec.json.encode(asked, order="deterministic").decode()
    ours = set(register.tokens)
    tokens = [t for t in TOKEN.findall(told + ran.stdout + ran.stderr) if t in ours]
    return Command(
        id=mint_ulid(place.world),
        sandbox_id=record.id,
        command=said if len(said) <= TEXT_MAX else f"{said[:TEXT_MAX]}…",
        tool=words.tool,
        arguments_json=told,
        env_json=msgspec.json.encode(asked["env"], order="deterministic").decode(),
        stdout=ran.stdout,
        stderr=ran.stderr,
        exit_code=ran.exit_code,
        ending=ran.ending,
        started_at=started_at,
        ended_at=stamp_now(place.world),
        metadata=CommandExecRecord(
            user=words.by,
            work_dir=asked["cwd"],
            timeout_s=words.timeout_s,
            redacted=tuple(dict.fromkeys(tokens)),
        ),
    )
