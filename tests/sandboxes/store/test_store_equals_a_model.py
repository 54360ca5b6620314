"""Whatever is done with the store, it answers as a few dictionaries would, on both databases."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, TypeVar

import anyio
import msgspec
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from agentctl.domain.sandbox.hosts import Needs
from agentctl.domain.sandbox.listing import ListOptions, SandboxFilter
from agentctl.domain.sandbox.machine import STATES, Rejection, move
from agentctl.domain.sandbox.publication import Rejection as NotPublished
from agentctl.domain.sandbox.publication import lacks
from agentctl.domain.sandbox.publication import move as publish
from agentctl.domain.sandbox.records import (
    AT_END,
    CLEAR,
    ChangeSet,
    Diff,
    HostResources,
    Playbook,
    PlaybookTask,
    Publication,
    Sandbox,
    Snapshot,
    SourceVM,
)
from agentctl.engine.sandboxes.errors import (
    AlreadyExistsError,
    CapacityError,
    ConflictError,
    InvalidError,
    NotFoundError,
    StoreError,
)
from agentctl.engine.sandboxes.opening import open_store
from agentctl.engine.sandboxes.settings import StoreConfig
from agentctl.engine.sandboxes.store import Store
from agentctl.engine.sandboxes.tables import METADATA
from agentctl.testing import sandbox_records as make
from agentctl.testing.clock import START
from agentctl.testing.sandbox_records import SteppingClock

R = TypeVar("R")
Refusal = type[StoreError]


class Refused(Exception):  # noqa: N818  # what the model answers
    def __init__(self, kind: Refusal) -> None:
        self.kind = kind


def require(holds: object, kind: Refusal) -> None:
    if not holds:
        raise Refused(kind)


def replaced(record: R, **fields: Any) -> R:
    return msgspec.structs.replace(record, **fields)  # type: ignore[type-var]  # every record is a Struct


class Model:
    """The store, as plainly as it can be said."""

    def __init__(self, now: Callable[[], str]) -> None:
        self.now = now
        self.sandboxes: dict[str, Sandbox] = {}
        self.snapshots: dict[str, Snapshot] = {}
        self.diffs: dict[str, Diff] = {}
        self.change_sets: dict[str, ChangeSet] = {}
        self.publications: dict[str, Publication] = {}
        self.playbooks: dict[str, Playbook] = {}
        self.tasks: dict[str, PlaybookTask] = {}
        self.sources: dict[str, SourceVM] = {}
        self.hosts: dict[str, HostResources] = {}
        self.reserved: dict[str, tuple[str, Needs]] = {}

    def living(self, name: str) -> list[Sandbox]:
        named = [s for s in self.sandboxes.values() if s.sandbox_name == name]
        return [s for s in named if s.deleted_at is None]

    def create_sandbox(self, sandbox: Sandbox) -> None:
        require(sandbox.id not in self.sandboxes, AlreadyExistsError)
        require(not self.living(sandbox.sandbox_name), AlreadyExistsError)
        self.sandboxes[sandbox.id] = sandbox

    def get_sandbox_by_vm_name(self, name: str) -> Sandbox:
        require(self.living(name), NotFoundError)
        return self.living(name)[0]

    def update_sandbox(self, sandbox: Sandbox) -> Sandbox:
        kept = self.sandboxes.get(sandbox.id)
        require(kept is not None, NotFoundError)
        assert kept is not None
        require(kept.deleted_at is None and kept.state == sandbox.state, ConflictError)
        require(kept.agent_id == sandbox.agent_id, InvalidError)
        others = [s for s in self.living(sandbox.sandbox_name) if s.id != sandbox.id]
        require(not others, AlreadyExistsError)
        self.sandboxes[kept.id] = replaced(sandbox, updated_at=self.now())
        return self.sandboxes[kept.id]

    def update_sandbox_state(self, sandbox_id: str, to: Any, *, ip_address: Any = None) -> Sandbox:
        kept = self.sandboxes.get(sandbox_id)
        require(kept is not None, NotFoundError)
        assert kept is not None
        require(not isinstance(move(kept.state, to), Rejection), ConflictError)
        if kept.state == "DESTROYED":
            return kept
        address = {None: kept.ip_address, CLEAR: None}.get(ip_address, ip_address)
        gone = self.now() if to == "DESTROYED" else None
        self.sandboxes[sandbox_id] = replaced(
            kept, state=to, ip_address=address, updated_at=self.now(), deleted_at=gone
        )
        if gone:
            self.reserved.pop(sandbox_id, None)
        return self.sandboxes[sandbox_id]

    def delete_sandbox(self, sandbox_id: str) -> None:
        self.update_sandbox_state(sandbox_id, "DESTROYED")

    def list_sandboxes(
        self, wanted: SandboxFilter, options: ListOptions | None
    ) -> tuple[Sandbox, ...]:
        found = [
            s
            for s in self.sandboxes.values()
            if wanted.agent_id in {None, s.agent_id}
            and wanted.state in {None, s.state}
            and (s.deleted_at is None or wanted.deleted or wanted.state == "DESTROYED")
        ]
        return listed(found, options, "created_at")

    def create_snapshot(self, snapshot: Snapshot) -> None:
        require(snapshot.sandbox_id in self.sandboxes, NotFoundError)
        taken = {(s.sandbox_id, s.name) for s in self.snapshots.values()}
        require(snapshot.id not in self.snapshots, AlreadyExistsError)
        require((snapshot.sandbox_id, snapshot.name) not in taken, AlreadyExistsError)
        self.snapshots[snapshot.id] = snapshot

    def list_snapshots(self, sandbox_id: str, options: ListOptions | None) -> tuple[Snapshot, ...]:
        mine = [s for s in self.snapshots.values() if s.sandbox_id == sandbox_id]
        return listed(mine, options, "created_at")

    def save_diff(self, diff: Diff) -> None:
        there = {(s.sandbox_id, s.name) for s in self.snapshots.values()}
        for name in (diff.from_snapshot, diff.to_snapshot):
            require((diff.sandbox_id, name) in there, NotFoundError)
        require(diff.id not in self.diffs, AlreadyExistsError)
        require(pair(diff) not in map(pair, self.diffs.values()), AlreadyExistsError)
        self.diffs[diff.id] = diff

    def create_change_set(self, change_set: ChangeSet) -> None:
        require(change_set.sandbox_id in self.sandboxes, NotFoundError)
        require(change_set.diff_id in self.diffs, NotFoundError)
        of = self.diffs[change_set.diff_id].sandbox_id
        require(of == change_set.sandbox_id, InvalidError)
        require(change_set.id not in self.change_sets, AlreadyExistsError)
        jobs = {c.job_id for c in self.change_sets.values()}
        require(change_set.job_id not in jobs, AlreadyExistsError)
        self.change_sets[change_set.id] = change_set

    def create_publication(self, publication: Publication) -> None:
        require(publication.id not in self.publications, AlreadyExistsError)
        self.publications[publication.id] = publication

    def update_publication_status(self, publication_id: str, to: Any, **fields: Any) -> Publication:
        kept = self.publications.get(publication_id)
        require(kept is not None, NotFoundError)
        assert kept is not None
        require(not isinstance(publish(kept, to), NotPublished), ConflictError)
        given = {n: None if v is CLEAR else v for n, v in fields.items() if v is not None}
        moved = replaced(kept, status=to, updated_at=self.now(), **given)
        require(lacks(moved) is None, InvalidError)
        self.publications[publication_id] = moved
        return moved

    def create_playbook(self, playbook: Playbook) -> None:
        require(playbook.id not in self.playbooks, AlreadyExistsError)
        names = {p.name for p in self.playbooks.values()}
        require(playbook.name not in names, AlreadyExistsError)
        self.playbooks[playbook.id] = playbook

    def delete_playbook(self, playbook_id: str) -> None:
        require(self.playbooks.pop(playbook_id, None), NotFoundError)
        self.tasks = {i: t for i, t in self.tasks.items() if t.playbook_id != playbook_id}

    def tasks_of(self, playbook_id: str) -> list[PlaybookTask]:
        mine = [t for t in self.tasks.values() if t.playbook_id == playbook_id]
        return sorted(mine, key=lambda t: t.position)

    def get_next_task_position(self, playbook_id: str) -> int:
        return max((t.position + 1 for t in self.tasks_of(playbook_id)), default=0)

    def create_playbook_task(self, task: PlaybookTask) -> PlaybookTask:
        require(task.playbook_id in self.playbooks, NotFoundError)
        if task.position == AT_END:
            task = replaced(task, position=self.get_next_task_position(task.playbook_id))
        require(task.id not in self.tasks, AlreadyExistsError)
        taken = {t.position for t in self.tasks_of(task.playbook_id)}
        require(task.position not in taken, AlreadyExistsError)
        self.tasks[task.id] = task
        return task

    def delete_playbook_task(self, task_id: str) -> None:
        require(self.tasks.pop(task_id, None), NotFoundError)

    def reorder_playbook_tasks(self, playbook_id: str, task_ids: Sequence[str]) -> None:
        require(playbook_id in self.playbooks, NotFoundError)
        mine = sorted(t.id for t in self.tasks_of(playbook_id))
        require(sorted(task_ids) == mine, InvalidError)
        for index, task_id in enumerate(task_ids):
            self.tasks[task_id] = replaced(self.tasks[task_id], position=index)

    def list_playbook_tasks(
        self, playbook_id: str, options: ListOptions | None
    ) -> tuple[PlaybookTask, ...]:
        return listed(self.tasks_of(playbook_id), options, "position", ascends=True)

    def upsert_source_vm(self, source: SourceVM) -> None:
        kept = next((s for s in self.sources.values() if s.name == source.name), None)
        if kept is None:
            require(source.id not in self.sources, AlreadyExistsError)
            self.sources[source.id] = source
        else:
            self.sources[kept.id] = replaced(source, id=kept.id, created_at=kept.created_at)

    def list_source_vms(self) -> tuple[SourceVM, ...]:
        return tuple(sorted(self.sources.values(), key=lambda s: s.name))

    def upsert_host(self, host: HostResources) -> None:
        others = {h.name for h in self.hosts.values() if h.id != host.id}
        require(host.name not in others, AlreadyExistsError)
        self.hosts[host.id] = host

    def list_hosts(self) -> tuple[HostResources, ...]:
        return tuple(self.host(h) for h in sorted(self.hosts.values(), key=lambda h: h.name))

    def host(self, host: HostResources) -> HostResources:
        mine = [needs for of, needs in self.reserved.values() if of == host.id]
        return replaced(
            host,
            reserved_cpus=sum(n.vcpus for n in mine),
            reserved_memory_mb=sum(n.memory_mb for n in mine),
            reserved_storage_mb=sum(n.storage_mb for n in mine),
        )

    def reserve_host(self, sandbox_id: str, needs: Needs) -> HostResources:
        fit = [
            host
            for host in self.list_hosts()
            if host.reserved_cpus + needs.vcpus <= host.total_cpus
            and host.reserved_memory_mb + needs.memory_mb <= host.total_memory_mb
            and host.reserved_storage_mb + needs.storage_mb <= host.total_storage_mb
        ]
        require(fit, CapacityError)
        require(sandbox_id not in self.reserved, AlreadyExistsError)
        taken = min(fit, key=lambda h: h.reserved_memory_mb - h.total_memory_mb)
        self.reserved[sandbox_id] = (taken.id, needs)
        return self.host(self.hosts[taken.id])

    def release_host(self, sandbox_id: str) -> bool:
        return self.reserved.pop(sandbox_id, None) is not None


def pair(diff: Diff) -> tuple[str, str, str]:
    return diff.sandbox_id, diff.from_snapshot, diff.to_snapshot


def listed(
    found: Sequence[R], options: ListOptions | None, own: str, *, ascends: bool = False
) -> tuple[R, ...]:
    options = options or ListOptions()
    order = options.order_by or own
    up = options.asc or (ascends and not options.order_by)
    whole = sorted(found, key=lambda r: (getattr(r, order), getattr(r, "id")), reverse=not up)  # noqa: B009  # of any record
    return tuple(whole[options.offset : options.offset + (options.limit or 100)])


IDS = st.sampled_from(["a", "B", "é"])
NAMES = st.sampled_from(["x", "X", "🦉"])
INSTANTS = st.integers(0, 3).map(make.instant)
MAYBE = st.none() | st.just(CLEAR) | NAMES
SMALL = st.integers(0, 3)
Do = tuple[str, tuple[Any, ...], dict[str, Any]]


def do(name: str, *args: st.SearchStrategy[Any], **kwargs: st.SearchStrategy[Any]) -> Any:
    return st.tuples(st.just(name), st.tuples(*args), st.fixed_dictionaries(kwargs))


def pages(*orders: str) -> st.SearchStrategy[ListOptions | None]:
    return st.none() | st.builds(
        ListOptions,
        limit=st.integers(0, 4),
        offset=SMALL,
        order_by=st.sampled_from(["", *orders]),
        asc=st.booleans(),
    )


STATUSES = st.sampled_from(["PENDING", "COMMITTED", "PR_CREATED", "MERGED", "FAILED"])
SANDBOXES = st.builds(
    make.sandbox,
    IDS,
    sandbox_name=NAMES,
    agent_id=IDS,
    state=st.sampled_from(["CREATED", "RUNNING", "ERROR"]),
    ttl_seconds=st.none() | SMALL,
    created_at=st.just(make.STARTED),
)
TASKS = st.builds(
    make.task,
    IDS | NAMES,
    playbook_id=IDS,
    position=st.just(AT_END) | st.integers(0, 5),
    params=st.dictionaries(NAMES, st.none() | st.booleans() | SMALL | st.floats(allow_nan=False, allow_infinity=False) | st.text(st.characters(codec="utf-8"))),
)  # fmt: skip
HOSTS = st.builds(make.host, IDS, name=NAMES, total_cpus=SMALL, total_memory_mb=SMALL)
NEEDS = st.builds(Needs, vcpus=SMALL, memory_mb=SMALL, storage_mb=SMALL)
OPERATIONS: st.SearchStrategy[Do] = st.one_of(
    do("create_sandbox", SANDBOXES),
    do("create_sandbox", SANDBOXES),
    do("get_sandbox_by_vm_name", NAMES),
    do("update_sandbox", SANDBOXES.map(lambda s: replaced(s, agent_id="a"))),
    do("update_sandbox_state", IDS, st.sampled_from(STATES), ip_address=MAYBE),
    do("delete_sandbox", IDS),
    do(
        "list_sandboxes",
        st.builds(
            SandboxFilter,
            agent_id=st.none() | IDS,
            state=st.none() | st.sampled_from(STATES),
            deleted=st.booleans(),
        ),
        pages("sandbox_name", "updated_at", "state", "id"),
    ),
    do("create_snapshot", st.builds(make.snapshot, IDS, sandbox_id=IDS, name=NAMES)),
    do("list_snapshots", IDS, pages("name", "id")),
    do(
        "save_diff",
        st.builds(make.diff, IDS, sandbox_id=IDS, from_snapshot=NAMES, to_snapshot=NAMES),
    ),
    do(
        "create_change_set",
        st.builds(make.change_set, IDS, sandbox_id=IDS, diff_id=IDS, job_id=NAMES),
    ),
    do("create_publication", st.builds(make.publication, IDS)),
    do(
        "update_publication_status",
        st.just("a") | IDS,
        STATUSES,
        commit_sha=MAYBE,
        pr_url=MAYBE,
        error_msg=MAYBE,
    ),
    do("create_playbook", st.builds(make.playbook, IDS, name=NAMES)),
    do("delete_playbook", IDS),
    do("create_playbook_task", TASKS),
    do("create_playbook_task", TASKS),
    do("delete_playbook_task", IDS),
    do("reorder_playbook_tasks", IDS, st.lists(IDS | NAMES, max_size=4, unique=True)),
    do("reorder_playbook_tasks", st.just("a"), st.permutations(["x", "a", "X"])),
    do("get_next_task_position", IDS),
    do("list_playbook_tasks", IDS, pages("name", "id", "position")),
    do("upsert_source_vm", st.builds(make.source, IDS, name=NAMES, created_at=INSTANTS)),
    do("list_source_vms"),
    do("upsert_host", HOSTS),
    do("list_hosts"),
    do("reserve_host", IDS, NEEDS),
    do("release_host", IDS),
)


BEGUN: list[Do] = [
    ("create_sandbox", (make.sandbox("a", sandbox_name="x", agent_id="a"),), {}),
    ("create_sandbox", (make.sandbox("B", sandbox_name="X", agent_id="a", state="RUNNING"),), {}),
    *(
        ("create_snapshot", (make.snapshot(f"{of}{name}", sandbox_id=of, name=name),), {})
        for of in ("a", "B")
        for name in ("x", "X")
    ),
    ("save_diff", (make.diff("a", sandbox_id="a", from_snapshot="x", to_snapshot="X"),), {}),
    ("create_publication", (make.publication("a"),), {}),
    ("create_playbook", (make.playbook("a", name="x"),), {}),
    *(
        ("create_playbook_task", (make.task(task, playbook_id="a"),), {})
        for task in ("x", "a", "X")
    ),
    ("upsert_host", (make.host("a", name="x", total_memory_mb=3),), {}),
    ("upsert_host", (make.host("B", name="X", total_cpus=3),), {}),
]
"""Where every example begins, so that few operations come far."""


async def of_store(store: Store, operation: Do) -> object:
    name, args, kwargs = operation
    try:
        return await getattr(store, name)(*args, **kwargs)
    except StoreError as refused:
        return type(refused)


def of_model(model: Model, operation: Do) -> object:
    name, args, kwargs = operation
    try:
        return getattr(model, name)(*args, **kwargs)
    except Refused as refused:
        return refused.kind


async def compare(url: str, operations: list[Do]) -> None:
    clock = SteppingClock()
    store = await open_store(StoreConfig(url=url), clock=clock)
    try:
        async with store._engine.begin() as connection:
            for table in reversed(METADATA.sorted_tables):
                await connection.execute(table.delete())
        model = Model(lambda: make.instant((clock.now - START) / timedelta(seconds=1)))
        for operation in [*BEGUN, *operations]:
            clock.advance(0.001)
            expected = of_model(model, operation)
            event(f"{operation[0]}: {getattr(expected, '__name__', 'done')}")
            assert await of_store(store, operation) == expected, operation
        every = SandboxFilter(deleted=True)
        assert await store.list_sandboxes(every) == model.list_sandboxes(every, None)
        assert await store.list_publications() == listed(
            list(model.publications.values()), None, "created_at"
        )
        assert await store.list_change_sets() == listed(
            list(model.change_sets.values()), None, "created_at"
        )
        for sandbox in model.sandboxes:
            diffs = [d for d in model.diffs.values() if d.sandbox_id == sandbox]
            assert await store.list_diffs(sandbox) == listed(diffs, None, "created_at")
        for playbook in model.playbooks:
            assert await store.list_playbook_tasks(playbook) == tuple(model.tasks_of(playbook))
        assert await store.list_hosts() == model.list_hosts()
        assert await store.list_source_vms() == model.list_source_vms()
    finally:
        await store.close()


@settings(
    max_examples=max(15, settings().max_examples // 8),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(operations=st.lists(OPERATIONS, min_size=10, max_size=40))
def test_the_store_answers_as_dictionaries_would(database_url: str, operations: list[Do]) -> None:
    async def within_a_minute() -> None:
        with anyio.fail_after(60):
            await compare(database_url, operations)

    anyio.run(within_a_minute)
