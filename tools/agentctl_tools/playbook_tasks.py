"""`playbook_edit`, `playbook_reorder`, `playbook_from_sandbox`: the tasks of a playbook, and their order.

What may be a task is decided here, once for everything that takes or runs one: a call that the
registry has, that is no human's consent, and that a run can make again under its key.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic, error, warning
from agentctl.domain.policy.caller import Caller
from agentctl.domain.sandbox.playbooks import (
    GIVEN_BY_RUN,
    NAME_MAX,
    TASKS_MAX,
    Target,
    TaskDraft,
    drafts_of,
)
from agentctl.domain.sandbox.records import Command, Playbook, PlaybookTask
from agentctl.engine.world import mint_ulid, stamp_now
from agentctl_tools import insides
from agentctl_tools.envelopes import count, failed, refused
from agentctl_tools.fields import Inside
from agentctl_tools.lookup import find_operation
from agentctl_tools.nearness import nearest
from agentctl_tools.operation import Call, Envelope, Operation
from agentctl_tools.playbooks import (
    Name,
    PlaybookShown,
    changeable,
    changed,
    new_playbook,
    store_of,
    tasks_of,
)
from agentctl_tools.sandbox_history import commands_of, own_secrets
from agentctl_tools.tool_bounds import unoffered

if TYPE_CHECKING:
    from agentctl.engine.sandboxes.store import DataStore

EDIT: Final = "draft_edit"
"""It has no key; a run sees by the draft whether it was done."""
_DONE: Final = {
    "add": "The task is the last one now.",
    "update": "The task is changed.",
    "delete": "The task is gone.",
}
_HANDLES: Final = ("sandbox_", "playbook_")

TaskId = Annotated[str, msgspec.Meta(description="Task id.", min_length=1, max_length=100)]


class EditArguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `playbook_edit` takes."""

    name: Name
    change: Literal["add", "update", "delete"]
    task: TaskId | None = None
    """Which one, except to add one."""
    title: Annotated[str, msgspec.Meta(min_length=1, max_length=NAME_MAX)] | None = None
    module: Annotated[str, msgspec.Meta(description="An operation.", max_length=100)] | None = None
    params: (
        Annotated[dict[str, Any], msgspec.Meta(description="Its arguments, without `in`.")] | None
    ) = None


class ReorderArguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `playbook_reorder` takes."""

    name: Name
    tasks: Annotated[
        tuple[TaskId, ...], msgspec.Meta(description="Every task once.", max_length=TASKS_MAX)
    ]


class FromArguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `playbook_from_sandbox` takes."""

    within: Inside = msgspec.field(name="in")
    name: Name
    target: Target = "cluster"


def task_fault(caller: Caller, module: str, params: Mapping[str, Any]) -> Diagnostic | None:
    """Returns why a call cannot be a task that a caller writes or runs; None where it can."""
    operation = find_operation(module)
    if operation is None or operation.operation_class == "human_only":
        return _no_task(module, operation)
    barred = unoffered(caller, operation, params)
    if barred is not None:
        return barred
    if not is_repeatable(operation):
        return _refused(module, f"`{module}` is nothing that a run could do, and do once")
    given = sorted(GIVEN_BY_RUN & set(params))
    if given:
        return _refused(module, f"`{given[0]}` is given by the run", "Leave it out.")
    decoded = decoded_task(operation, params, place="cluster")
    return decoded if isinstance(decoded, Diagnostic) else _secret(module, params)


def _no_task(module: str, operation: Operation | None) -> Diagnostic:
    from agentctl_tools.catalog import CONSENT_WORDS, OPERATIONS

    if operation is not None or module in CONSENT_WORDS:
        why = f"`{module}` is a human's consent, and no run of a playbook gives it"
        return error("human_only", module, why, remedy="Leave it out; a run waits at a gate.")
    near = nearest(module, list(OPERATIONS))
    hint = f"Did you mean `{near}`?" if near is not None else None
    return error("unknown_operation", module, "there is no such operation", remedy=hint)


def _secret(module: str, params: Mapping[str, Any]) -> Diagnostic | None:
    redacted, _ = own_secrets().redact_value(dict(params))
    if redacted == params:
        return None
    why = "the parameters hold what looks like a secret"
    return error("playbook_holds_secret", module, why, remedy="Name the variable that holds it.")


def is_repeatable(operation: Operation) -> bool:
    """Returns whether a run may make a call and, where it died meanwhile, make it again."""
    if operation.name.startswith(_HANDLES):
        return False
    fields = fields_of(operation)
    return (
        operation.operation_class == "read" or operation.name == EDIT or "idempotency_key" in fields
    )


def fields_of(operation: Operation) -> frozenset[str]:
    """Returns the names of an operation's arguments."""
    return frozenset(f.encode_name for f in msgspec.structs.fields(operation.arguments))


def decoded_task(
    operation: Operation,
    params: Mapping[str, Any],
    *,
    place: str,
    intent: str = "a playbook",
    key: str = "playbook",
) -> msgspec.Struct | Diagnostic:
    """Returns a task's arguments in the operation's own type, with what the run gives."""
    from agentctl_tools.door import decode

    given = {"in": place, "intent": intent, "idempotency_key": key}
    fields = fields_of(operation)
    added = {name: value for name, value in given.items() if name in fields}
    return decode(operation, {**params, **added})


def _refused(module: str, why: str, remedy: str | None = None) -> Diagnostic:
    return error("playbook_task_refused", module, why, remedy=remedy)


async def _edit(call: Call) -> Envelope:
    given, store = call.arguments, await store_of(call)
    playbook = await changeable(call, store)
    if isinstance(playbook, Envelope):
        return playbook
    if (given.task is None) != (given.change == "add"):
        why = "`task` names what to update or delete, and is left out to add one"
        return refused("invalid_arguments", "$.task", why, remedy="agentctl playbook show NAME")
    if given.task is None:
        fault = await _add(call, store, playbook)
    else:
        task = await _own(store, playbook, given.task)
        fault = task if isinstance(task, Diagnostic) else await _change(call, store, task)
    if fault is not None:
        return failed((fault,))
    return await _touched(call, store, playbook, _DONE[given.change])


async def _add(call: Call, store: "DataStore", playbook: Playbook) -> Diagnostic | None:
    given = call.arguments
    if given.module is None:
        why = "a new task needs a `module`: the operation that it calls"
        return error("invalid_arguments", "$.module", why, remedy="Name one.")
    fault = task_fault(call.caller, given.module, given.params or {})
    if fault is not None:
        return fault
    if len(await tasks_of(store, playbook)) >= TASKS_MAX:
        return _refused(given.module, f"a playbook has {TASKS_MAX} tasks at most")
    draft = TaskDraft(
        name=given.title or given.module, module=given.module, params=given.params or {}
    )
    await store.create_playbook_task(_task(call, playbook, draft))
    return None


async def _change(call: Call, store: "DataStore", task: PlaybookTask) -> Diagnostic | None:
    given = call.arguments
    if given.change == "delete":
        await store.delete_playbook_task(task.id)
        return None
    wanted = msgspec.structs.replace(
        task,
        name=given.title or task.name,
        module=given.module or task.module,
        params=task.params if given.params is None else given.params,
    )
    fault = task_fault(call.caller, wanted.module, wanted.params)
    if fault is None:
        await store.update_playbook_task(wanted)
    return fault


async def _own(store: "DataStore", playbook: Playbook, task_id: str) -> PlaybookTask | Diagnostic:
    tasks = await tasks_of(store, playbook)
    found = next((task for task in tasks if task.id == task_id), None)
    if found is not None:
        return found
    why = "the playbook has no task of that id"
    return error("sandbox_record_not_found", "$.task", why, remedy="agentctl playbook show NAME")


async def _touched(call: Call, store: "DataStore", playbook: Playbook, summary: str) -> Envelope:
    kept = await store.update_playbook(playbook)
    return await changed(call, store, kept, summary)


async def _reorder(call: Call) -> Envelope:
    store = await store_of(call)
    playbook = await changeable(call, store)
    if isinstance(playbook, Envelope):
        return playbook
    await store.reorder_playbook_tasks(playbook.id, call.arguments.tasks)
    return await _touched(call, store, playbook, "The tasks are in that order.")


async def _from(call: Call) -> Envelope:
    from agentctl_tools.catalog import OPERATIONS

    given = call.arguments
    sandbox_id = await insides.enter(call)
    if isinstance(sandbox_id, Envelope):
        return sandbox_id
    store = await store_of(call)
    writes = frozenset(
        name
        for name, operation in OPERATIONS.items()
        if operation.operation_class == "write" and is_repeatable(operation)
    )
    commands = await commands_of(call.cluster, sandbox_id)
    drafts = drafts_of(commands, writes)
    if len(drafts) > TASKS_MAX:
        why = f"{len(drafts)} commands are more than a playbook's {TASKS_MAX} tasks"
        return refused("playbook_task_refused", given.within, why)
    playbook = new_playbook(call, given.name, given.target)
    async with store.with_tx() as handle:
        await handle.create_playbook(playbook)
        for draft in drafts:
            await handle.create_playbook_task(_task(call, playbook, draft))
    told = f"The playbook has {count(len(drafts), 'task')} of the sandbox."
    envelope = await changed(call, store, playbook, told)
    diagnostics = (*envelope.diagnostics, *_left_out(commands, writes))
    return msgspec.structs.replace(envelope, diagnostics=diagnostics)


def _left_out(commands: Iterable[Command], writes: frozenset[str]) -> tuple[Diagnostic, ...]:
    """Returns a warning for each operation that wrote in the sandbox and can be no task."""
    wrote = {c.tool for c in commands if c.exit_code == 0 and c.tool is not None} - writes
    names = sorted(name for name in wrote if not name.startswith(_HANDLES) and _writes(name))
    why = "was done in the sandbox and is no task: a run could not make it again safely"
    return tuple(warning("playbook_task_refused", name, f"`{name}` {why}") for name in names)


def _writes(name: str) -> bool:
    operation = find_operation(name)
    return operation is None or operation.operation_class != "read"


def _task(call: Call, playbook: Playbook, draft: TaskDraft) -> PlaybookTask:
    return PlaybookTask(
        id=mint_ulid(call.cluster.world),
        playbook_id=playbook.id,
        name=draft.name,
        module=draft.module,
        params=draft.params,
        created_at=stamp_now(call.cluster.world),
    )


CHANGE = Operation(
    name="playbook_edit",
    operation_class="write",
    recorded=True,
    action="draft_edit",
    arguments=EditArguments,
    handler=_edit,
    describe="Try. Adds a task to a playbook of your own, or changes or deletes one.",
    resource=lambda _: "cluster",
    result=PlaybookShown,
    mcp_tool="playbook_edit",
    toolset="playbooks",
    destructive=True,
)
REORDER = Operation(
    name="playbook_reorder",
    operation_class="write",
    recorded=True,
    action="draft_edit",
    arguments=ReorderArguments,
    handler=_reorder,
    describe="Try. Puts the tasks of a playbook into another order: each id once.",
    resource=lambda _: "cluster",
    result=PlaybookShown,
    mcp_tool="playbook_reorder",
    toolset="playbooks",
    destructive=True,
)
FROM_SANDBOX = Operation(
    name="playbook_from_sandbox",
    operation_class="write",
    recorded=True,
    action="sandbox_use",
    arguments=FromArguments,
    handler=_from,
    describe="Try. Makes a playbook of what was done in a sandbox: its writes that worked.",
    resource=lambda given: given.within,
    context=lambda _: insides.CONTEXT,
    result=PlaybookShown,
    enters=True,
    mcp_tool="playbook_from_sandbox",
    toolset="playbooks",
)
