"""Every call in a sandbox is a command of it: written down with what it was asked and how it ended.

Secrets are replaced before anything is stored. What was done stays done where the history cannot be
written; the caller is told. Source: sandboxes 4, Commands.
"""

import os
from typing import TYPE_CHECKING, Any, Final

import msgspec

from agentctl.canonical import digest_of
from agentctl.diagnostics.diagnostic import Diagnostic, warning
from agentctl.diagnostics.secrets import SECRET_NAME
from agentctl.domain.sandbox.difference import CommandSummary
from agentctl.domain.sandbox.records import Command, CommandExecRecord, Sandbox
from agentctl.domain.sandbox.secret_tokens import Known, Register, Rules
from agentctl.engine.cluster import Cluster
from agentctl.engine.lending import lending_of, record_of
from agentctl.engine.loading import LoadTold
from agentctl.engine.sandboxes.errors import AlreadyExistsError, NotFoundError, StoreError
from agentctl.engine.world import mint_ulid, stamp_now
from agentctl.graph.writes.report import MutationReport
from agentctl.instants import parse_instant
from agentctl_tools.operation import Call, Envelope, Operation
from agentctl_tools.sandbox_trials import tried_changes

if TYPE_CHECKING:
    from agentctl.engine.sandboxes.store import Store

TEXT_MAX: Final = 2_000
"""Characters of a command as a person reads it."""
KNOWN_MIN: Final = 8
LONG_TEXT: Final = 100_000
"""Characters of one argument from which on it is not kept."""
_PAGE: Final = 1000


async def history_of(cluster: Cluster) -> "Store | None":
    """Returns the store of what was done in sandboxes; None where this process writes none.

    Raises:
        StoreError: the database does not answer.
    """
    return None if cluster.history is None else await cluster.history.store()


def is_read_only(cluster: Cluster) -> bool:
    """Returns whether the history may only be read, so that nothing is done in any sandbox."""
    return cluster.history is not None and cluster.history.config.read_only


async def record_command(
    call: Call, operation: Operation, sandbox_id: str, envelope: Envelope, *, started_at: str
) -> Diagnostic | None:
    """Writes down a call that was made in a sandbox; returns a warning where that did not work."""
    cluster = call.cluster
    try:
        store = await history_of(cluster)
        if store is None:
            return None
        command = _command(call, operation, sandbox_id, envelope, started_at)
        try:
            await store.save_command(command)
        except NotFoundError:  # it was opened by a process with another history
            await remember_opening(cluster, sandbox_id)
            await store.save_command(command)
    except StoreError as failure:
        return not_written(failure)
    return None


async def remember_opening(cluster: Cluster, sandbox_id: str) -> None:
    """Writes down a sandbox that is open, where the history does not have it.

    Raises:
        StoreError: the database does not answer, or has another living sandbox of that name.
    """
    store = await history_of(cluster)
    lending = await lending_of(cluster.store, sandbox_id)
    record = await record_of(cluster.store, sandbox_id)
    if store is None or lending is None or record is None:
        return
    life = parse_instant(record.expires_at) - parse_instant(record.created_at)
    made = Sandbox(
        id=sandbox_id,
        job_id=lending.op,
        agent_id=lending.by,
        sandbox_name=lending.name,
        base_image=lending.base.image,
        provider="graph",
        state="RUNNING",
        ttl_seconds=int(life.total_seconds()),
        created_at=record.created_at,
        updated_at=lending.at,
    )
    try:
        await store.create_sandbox(made)
    except AlreadyExistsError:
        await store.get_sandbox(sandbox_id)  # else it is another one that has the name


async def remember_end(cluster: Cluster, sandbox_id: str) -> Diagnostic | None:
    """Writes down that a sandbox is gone; returns a warning where that did not work."""
    if cluster.history is not None:
        cluster.history.registers.pop(sandbox_id, None)
    try:
        store = await history_of(cluster)
        if store is not None:
            await store.delete_sandbox(sandbox_id)
    except NotFoundError:
        return None
    except StoreError as failure:
        return not_written(failure)
    return None


async def commands_of(cluster: Cluster, sandbox_id: str) -> tuple[Command, ...]:
    """Returns the commands of a sandbox, oldest first; none where there is no history.

    Raises:
        StoreError: the database does not answer.
    """
    from agentctl.domain.sandbox.listing import ListOptions

    store = await history_of(cluster)
    if store is None:
        return ()
    found: list[Command] = []
    while True:
        options = ListOptions(limit=_PAGE, offset=len(found), order_by="started_at", asc=True)
        page = await store.list_commands(sandbox_id, options)
        found += page
        if len(page) < _PAGE:
            return tuple(found)


async def commands_page(
    cluster: Cluster, sandbox_id: str, *, limit: int, offset: int
) -> tuple[tuple[Command, ...], int]:
    """Returns some commands of a sandbox, oldest first, and how many there are of them all.

    Raises:
        StoreError: the database does not answer.
    """
    from agentctl.domain.sandbox.listing import ListOptions

    store = await history_of(cluster)
    if store is None:
        return (), 0
    total = await store.count_commands(sandbox_id)
    if offset >= total:
        return (), total
    options = ListOptions(limit=limit, offset=offset, order_by="started_at", asc=True)
    return await store.list_commands(sandbox_id, options), total


async def count_commands(cluster: Cluster, sandbox_id: str, *, failed: bool = False) -> int:
    """Returns how many commands of a sandbox there are, or failed; 0 where there is no history.

    Raises:
        StoreError: the database does not answer.
    """
    store = await history_of(cluster)
    return 0 if store is None else await store.count_commands(sandbox_id, failed=failed)


def summaries(commands: tuple[Command, ...]) -> tuple[CommandSummary, ...]:
    """Returns commands as a difference lists them."""
    return tuple(
        CommandSummary(cmd=c.command, exit_code=c.exit_code, at=c.started_at) for c in commands
    )


def own_secrets() -> Register:
    """Returns a register that knows the secrets of this process's environment."""
    values = {
        value
        for name, value in os.environ.items()
        if len(value) >= KNOWN_MIN and SECRET_NAME.search(name)
    }
    return Register(
        Rules(known=tuple(Known(category="ENVIRONMENT", value=v) for v in sorted(values)))
    )


def _command(
    call: Call, operation: Operation, sandbox_id: str, envelope: Envelope, started_at: str
) -> Command:
    given: dict[str, Any] = msgspec.to_builtins(call.arguments)
    register = _register(call.cluster, sandbox_id)
    known = frozenset(register.tokens)
    asked, register = register.redact_value(_short(given))
    asked = _marked(asked, given)
    said = "\n".join(f"{d.code}: {d.message}" for d in envelope.diagnostics)
    summary, register = register.redact(envelope.summary)
    told, register = register.redact(said)
    if call.cluster.history is not None:
        call.cluster.history.registers[sandbox_id] = register
    arguments = msgspec.json.encode(asked, order="deterministic").decode()
    words = f"{operation.name} {_words(asked)}"
    return Command(
        id=mint_ulid(call.cluster.world),
        sandbox_id=sandbox_id,
        command=words if len(words) <= TEXT_MAX else f"{words[:TEXT_MAX]}…",
        tool=operation.name,
        arguments_json=arguments,
        stdout=summary,
        stderr=told,
        exit_code=0 if envelope.ok else 1,
        result_digest=_digest(envelope.data),
        rows_touched=_rows(envelope.data),
        started_at=started_at,
        ended_at=stamp_now(call.cluster.world),
        metadata=CommandExecRecord(
            user=call.caller.id,
            redacted=tuple(token for token in register.tokens if token not in known),
            changes=tried_changes(envelope),
        ),
    )


def _register(cluster: Cluster, sandbox_id: str) -> Register:
    """Returns the secrets that this process has seen in a sandbox: the same one has the same token."""
    if cluster.history is None:
        return own_secrets()
    return cluster.history.registers.setdefault(sandbox_id, own_secrets())


def _short(value: Any) -> Any:  # noqa: ANN401  # a JSON value
    """Returns arguments without long texts: rows of a load are in the graph, not in the history."""
    if isinstance(value, str):
        return value if len(value) <= LONG_TEXT else ""
    if isinstance(value, dict):
        return {name: _short(item) for name, item in value.items()}
    return [_short(item) for item in value] if isinstance(value, list) else value


def _marked(asked: Any, given: Any) -> Any:  # noqa: ANN401  # JSON values of one shape
    """Returns *asked*, made of *given* by `_short`, with a token for each text that was left out.

    As a secret's, it cannot be given again: whoever makes a task of it has to name the text.
    """
    if isinstance(given, str) and len(given) > LONG_TEXT:
        return f"[REDACTED_LONG_TEXT_{len(given)}]"
    if isinstance(given, dict) and isinstance(asked, dict):
        return {n: _marked(item, given[n]) if n in given else item for n, item in asked.items()}
    if isinstance(given, list) and isinstance(asked, list):
        return [_marked(item, own) for item, own in zip(asked, given, strict=False)]
    return asked


def _words(asked: Any) -> str:  # noqa: ANN401  # a JSON value
    """Returns arguments as a person reads them: not in which sandbox, and nothing that says nothing."""
    said = {k: v for k, v in asked.items() if k != "in" and v not in (None, False, "", [], {})}
    return msgspec.json.encode(said, order="deterministic").decode()


def _digest(data: object) -> str | None:
    if data is None:
        return None
    try:
        return digest_of(data)
    except (TypeError, ValueError):
        return None


def _rows(data: object) -> int | None:
    """Returns how many rows a load or a mutation touched; None where it was neither."""
    report = getattr(data, "report", None)
    if isinstance(report, MutationReport):
        return report.affected_nodes + report.affected_edges
    return sum(report.rows.values()) if isinstance(report, LoadTold) else None


def not_written(failure: StoreError) -> Diagnostic:
    """Returns the warning of what was done and is not in the history."""
    return warning(
        "sandbox_history_unavailable",
        "history",
        f"what was done is not in the history: {failure.diagnostic.message}",
        remedy=failure.diagnostic.remedy,
    )


def unread(failure: StoreError) -> Diagnostic:
    """Returns the warning of what the history would have told."""
    return warning(
        "sandbox_history_unavailable",
        "history",
        f"what was done is not known: {failure.diagnostic.message}",
        remedy=failure.diagnostic.remedy,
    )
