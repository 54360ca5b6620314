"""`playbook_create`, `playbook_list`, `playbook_show`, `playbook_delete`: ordered calls under a name.

Playbooks are shared: everybody who may look sees them, and only the author or a human changes one.
The store keeps them; their text as YAML is an object of the storage root, written after each change.
"""

from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.sandbox.playbook_runs import PlaybookRun, RunState, RunStatus, RunStep, Wanted
from agentctl.domain.sandbox.playbooks import NAME_MAX, Target, parameters_missing, render
from agentctl.domain.sandbox.records import Playbook, PlaybookTask
from agentctl.engine.playbooks import known_runs, remove_text, text_key, write_text
from agentctl.engine.sandboxes.errors import StoreError, unavailable
from agentctl.engine.world import mint_ulid, stamp_now
from agentctl_tools.envelopes import count, done, failed
from agentctl_tools.operation import Call, Envelope, Operation
from agentctl_tools.sandbox_history import history_of
from agentctl_tools.targets import record_theft

if TYPE_CHECKING:
    from agentctl.engine.sandboxes.store import DataStore, Store

_LIST_MAX = 1000

Name = Annotated[
    str,
    msgspec.Meta(
        description="Of the playbook.",
        min_length=1,
        max_length=NAME_MAX,
        pattern=r"^[^\x00-\x1f\x7f]+\Z",
    ),
]


class ListArguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`playbook_list` takes no arguments."""


class NameArguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `playbook_show` and `playbook_delete` take."""

    name: Name


class CreateArguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `playbook_create` takes."""

    name: Name
    target: Annotated[Target, msgspec.Meta(description="`sandbox`: it never runs for real.")] = (
        "cluster"
    )


class TaskShown(msgspec.Struct, frozen=True, kw_only=True):
    """One task, as it stands in its playbook."""

    id: str
    position: int
    name: str
    """Foreign text, as the parameters are."""
    module: str
    params: Any
    missing: tuple[str, ...] = ()
    """Where the token of a secret stands in place of a parameter."""


class TaskStanding(msgspec.Struct, frozen=True, kw_only=True):
    """How one task of a run stands."""

    name: str
    module: str
    standing: RunStatus
    attempts: int = 0
    op: str | None = None
    summary: str = ""


class RunShown(msgspec.Struct, frozen=True, kw_only=True):
    """A run, and how far it came."""

    run: str
    playbook: str
    place: str
    by: str
    status: RunStatus
    done: int
    tasks: tuple[TaskStanding, ...]
    draft: str | None
    """The draft that it works in."""
    wanted: tuple[Wanted, ...]
    """The calls that bring it forward."""
    intent: str
    at: str


class PlaybookListed(msgspec.Struct, frozen=True, kw_only=True):
    """One playbook in a list."""

    name: str
    """Foreign text."""
    target: str
    author: str | None
    tasks: int
    updated_at: str


class PlaybookList(msgspec.Struct, frozen=True, kw_only=True):
    """The playbooks that there are, by name."""

    playbooks: tuple[PlaybookListed, ...]


class PlaybookShown(msgspec.Struct, frozen=True, kw_only=True):
    """A playbook."""

    id: str
    name: str
    target: str
    author: str | None
    file: str
    """Where in the storage root its YAML is."""
    yaml: str
    """Foreign text."""
    tasks: tuple[TaskShown, ...]
    runs: tuple[RunShown, ...] = ()


class PlaybookDeleted(msgspec.Struct, frozen=True, kw_only=True):
    """A playbook that is gone."""

    name: str


async def store_of(call: Call) -> "Store":
    """Returns the store that playbooks are kept in.

    Raises:
        StoreError: there is none here, or it does not answer.
    """
    store = await history_of(call.cluster)
    if store is None:
        raise StoreError(unavailable("this process keeps no history of sandboxes"))
    return store


async def changeable(call: Call, store: "DataStore") -> Playbook | Envelope:
    """Returns the playbook that a call names and its caller may change, or why not.

    Raises:
        StoreError: there is none of that name.
    """
    playbook = await store.get_playbook_by_name(call.arguments.name)
    if call.caller.kind == "human" or playbook.author == call.caller.id:
        return playbook
    await record_theft(call.cluster, call.caller, "draft_edit", f"playbook:{playbook.id}")
    return failed((not_yours(playbook),))


def not_yours(playbook: Playbook) -> Diagnostic:
    """Returns what is told to whoever may not change a playbook."""
    return error(
        "playbook_not_yours",
        f"playbook:{playbook.id}",
        "only its author or a human changes this playbook",
        remedy="Make one of your own: agentctl playbook create NAME",
    )


def new_playbook(call: Call, name: str, target: Target) -> Playbook:
    """Returns a playbook of the caller's that is yet to be kept."""
    playbook_id, now = mint_ulid(call.cluster.world), stamp_now(call.cluster.world)
    return Playbook(
        id=playbook_id,
        name=name,
        hosts=target,
        file_path=text_key(playbook_id),
        author=call.caller.id,
        created_at=now,
        updated_at=now,
    )


async def rendered(call: Call, playbook: Playbook, tasks: tuple[PlaybookTask, ...]) -> str:
    """Returns a playbook's YAML once it is written to the storage root."""
    text = render(playbook, tasks)
    await write_text(call.cluster, playbook.id, text)
    return text


async def changed(call: Call, store: "DataStore", playbook: Playbook, summary: str) -> Envelope:
    """Returns the envelope of a playbook that was changed, once its YAML is what it is."""
    tasks = await store.list_playbook_tasks(playbook.id, _all())
    return done(summary, data=shown(playbook, tasks, await rendered(call, playbook, tasks)))


def shown(
    playbook: Playbook, tasks: tuple[PlaybookTask, ...], text: str, runs: tuple[RunShown, ...] = ()
) -> PlaybookShown:
    """Returns a playbook as it is told."""
    told = (
        TaskShown(
            id=task.id,
            position=task.position,
            name=task.name,
            module=task.module,
            params=task.params,
            missing=parameters_missing(task.params),
        )
        for task in tasks
    )
    return PlaybookShown(
        id=playbook.id,
        name=playbook.name,
        target=playbook.hosts,
        author=playbook.author,
        file=playbook.file_path or text_key(playbook.id),
        yaml=text,
        tasks=tuple(told),
        runs=runs,
    )


def run_shown(run: PlaybookRun, state: RunState, steps: tuple[RunStep, ...]) -> RunShown:
    """Returns a run as it is told."""
    waits = state.last is not None and state.last.kind == "gate"
    return RunShown(
        run=run.run,
        playbook=run.name,
        place=run.place,
        by=run.by,
        status=state.status,
        done=state.task,
        tasks=tuple(_standing(run, state, steps, n) for n in range(len(run.tasks))),
        draft=state.draft,
        wanted=state.last.wanted if waits and state.last is not None else (),
        intent=run.intent,
        at=run.at,
    )


def _standing(
    run: PlaybookRun, state: RunState, steps: tuple[RunStep, ...], number: int
) -> TaskStanding:
    last = next((step for step in reversed(steps) if step.task == number), None)
    standing: RunStatus = "done" if number < state.task else "ready"
    return TaskStanding(
        name=run.tasks[number].name,
        module=run.tasks[number].module,
        standing=state.status if number == state.task else standing,
        attempts=0 if last is None else last.attempt,
        op=None if last is None else last.op,
        summary="" if last is None else last.summary,
    )


def _all() -> Any:  # noqa: ANN401  # ListOptions, which is loaded here
    from agentctl.domain.sandbox.listing import ListOptions

    return ListOptions(limit=_LIST_MAX, order_by="position", asc=True)


async def tasks_of(store: "DataStore", playbook: Playbook) -> tuple[PlaybookTask, ...]:
    """Returns the tasks of a playbook, in its order."""
    return await store.list_playbook_tasks(playbook.id, _all())


async def _create(call: Call) -> Envelope:
    given = call.arguments
    store = await store_of(call)
    playbook = new_playbook(call, given.name, given.target)
    await store.create_playbook(playbook)
    return await changed(call, store, playbook, "The playbook is there, with no task yet.")


async def _list(call: Call) -> Envelope:
    from agentctl.domain.sandbox.listing import ListOptions

    store = await store_of(call)
    found = await store.list_playbooks(ListOptions(limit=_LIST_MAX, order_by="name", asc=True))
    listed = [
        PlaybookListed(
            name=playbook.name,
            target=playbook.hosts,
            author=playbook.author,
            tasks=len(await tasks_of(store, playbook)),
            updated_at=playbook.updated_at,
        )
        for playbook in found
    ]
    return done(f"{count(len(listed), 'playbook')}.", data=PlaybookList(playbooks=tuple(listed)))


async def _show(call: Call) -> Envelope:
    store = await store_of(call)
    playbook = await store.get_playbook_by_name(call.arguments.name)
    tasks = await tasks_of(store, playbook)
    known = await known_runs(call.cluster.store, playbook.id)
    runs = tuple(run_shown(one.run, one.state, one.steps) for one in known)
    told = shown(playbook, tasks, render(playbook, tasks), runs)
    return done(f"{count(len(tasks), 'task')}, {count(len(runs), 'run')}.", data=told)


async def _delete(call: Call) -> Envelope:
    store = await store_of(call)
    playbook = await changeable(call, store)
    if isinstance(playbook, Envelope):
        return playbook
    await store.delete_playbook(playbook.id)
    await remove_text(call.cluster, playbook.id)
    return done(
        "The playbook is gone; its runs are kept.", data=PlaybookDeleted(name=playbook.name)
    )


CREATE = Operation(
    name="playbook_create",
    operation_class="write",
    recorded=True,
    action="draft_edit",
    arguments=CreateArguments,
    handler=_create,
    describe="Try. Makes a playbook: calls in an order, to be run again elsewhere or for real.",
    resource=lambda _: "cluster",
    result=PlaybookShown,
    mcp_tool="playbook_create",
    toolset="playbooks",
)
LIST = Operation(
    name="playbook_list",
    operation_class="read",
    action="draft_read",
    arguments=ListArguments,
    handler=_list,
    describe="Look. The playbooks that there are.",
    resource=lambda _: "cluster",
    result=PlaybookList,
    idempotent=True,
    mcp_tool="playbook_list",
    toolset="playbooks",
)
SHOW = Operation(
    name="playbook_show",
    operation_class="read",
    action="draft_read",
    arguments=NameArguments,
    handler=_show,
    describe="Look. One playbook: its tasks, its YAML, its runs.",
    resource=lambda _: "cluster",
    result=PlaybookShown,
    idempotent=True,
    mcp_tool="playbook_show",
    toolset="playbooks",
)
DELETE = Operation(
    name="playbook_delete",
    operation_class="write",
    recorded=True,
    action="draft_edit",
    arguments=NameArguments,
    handler=_delete,
    describe="Try. Deletes a playbook of your own; its runs are kept.",
    resource=lambda _: "cluster",
    result=PlaybookDeleted,
    mcp_tool="playbook_delete",
    toolset="playbooks",
    destructive=True,
)
