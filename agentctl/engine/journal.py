"""Writes the Op records: intent before the effect, outcome after it. Source: ops.md.

Write order: `pre.json`, `op.json` (the op exists, pending), then for each move `post.json` where
there is one, the create-only status event (which decides), `op.json` again (a copy). A crash in
between leaves at most a copy that is behind; reading folds the events over it, so nothing is
believed that no event says, and there is exactly one terminal status.
"""

import re
from collections.abc import Awaitable, Callable, Iterable
from typing import Final, TypeVar

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.ops.archive import Archived
from agentctl.domain.ops.lineage import ancestors, parents
from agentctl.domain.ops.machine import (
    TERMINAL,
    IllegalTransition,
    materialise,
    move,
    op_key,
    post_key,
    pre_key,
    status_key,
)
from agentctl.domain.ops.record import (
    DATA_ACTIONS,
    ArchiveState,
    ChangeRecord,
    Constraint,
    Constraints,
    GateOutcome,
    Lineage,
    NewOp,
    Op,
    OpStatus,
    RecoveryAction,
    Snapshot,
    Snapshots,
    StatusEvent,
)
from agentctl.domain.ops.redaction import redact_params, redact_text
from agentctl.domain.storage.protocol import (
    BackendError,
    CorruptError,
    ObjectStore,
    UnavailableError,
)
from agentctl.engine.catalog import Catalog
from agentctl.engine.ledger import Ledger, LedgerError
from agentctl.engine.world import World, mint_uuid7, stamp_now
from agentctl.ids import OPS, op_id

LINEAGE_COUNT_MAX: Final = 1000
"""How many ancestors a walk reads."""

T = TypeVar("T")

_ID: Final = re.compile(r"[A-Za-z0-9-]{1,64}:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)


class OpRejectedError(Exception):
    """The op cannot be begun or moved so; its record is as it was."""

    def __init__(self, diagnostic: Diagnostic, illegal: IllegalTransition | None = None) -> None:
        super().__init__(diagnostic.message)
        self.diagnostic = diagnostic
        self.illegal = illegal


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What a move tells besides its status."""

    gates: tuple[GateOutcome, ...] = ()
    recovery: tuple[GateOutcome, ...] = ()
    needs_human: bool = False


NOTHING_TOLD: Final = Told()


class Journal:
    """The ops of one storage root."""

    def __init__(
        self,
        store: ObjectStore,
        world: World,
        *,
        ledger: Ledger | None = None,
        stands_on: Callable[[], Awaitable[ChangeRecord]] | None = None,
    ) -> None:
        """Opens the ops of *store*; *stands_on* says what the config folder's change is called."""
        self._store = store
        self._world = world
        self._ledger = ledger or Ledger(store, world)
        self._stands_on = stands_on

    def mint_id(self, nid: str) -> str:
        """Returns a fresh op id, for `NewOp.id` where something has to name the op first."""
        return op_id(nid, mint_uuid7(self._world))

    async def begin(self, new: NewOp, *, pre: Snapshot) -> Op:
        """Records a pending op and what it starts from.

        Raises:
            OpRejectedError: the intent is blank, or a named parent does not exist.
        """
        if not new.intent.strip():
            raise OpRejectedError(
                error("intent_required", new.component, "an op needs an intent, and it is blank")
            )
        lineage = await self._lineage_of(new)
        identifier = new.id or self.mint_id(new.actor.nid)
        on = await self._stands_on() if self._stands_on is not None else ChangeRecord()
        op = Op(
            id=identifier,
            actor=new.actor,
            on_behalf_of=new.on_behalf_of,
            intent=redact_text(new.intent),
            workspace=new.workspace,
            component=new.component,
            operation=new.operation,
            action=new.action,
            targets=new.targets,
            constraints=_redacted(new.constraints),
            snapshots=Snapshots(pre=pre_key(identifier)),
            lineage=lineage,
            inputs_digest=new.inputs_digest,
            config_commit=on.config_commit,
            jj_change=on.jj_change,
            radicle_rid=on.radicle_rid,
            started_at=stamp_now(self._world),
        )
        if new.id is not None and await self._store.read(op_key(new.id)) is not None:
            msg = f"op {identifier} exists already"
            raise CorruptError(msg)
        # Not create-only: a process that died before op.json may have left another one.
        await self._store.replace(pre_key(identifier), _text(pre))
        if not await self._create_once(op_key(identifier), _text(op)):
            msg = f"op {identifier} was begun by another process"
            raise CorruptError(msg)
        return op

    async def move(
        self,
        op: str,
        status: OpStatus,
        *,
        epoch: int,
        reason: str | None = None,
        post: Snapshot | None = None,
        told: Told = NOTHING_TOLD,
    ) -> Op:
        """Moves the op of that id to *status* and returns it.

        A success needs its post snapshot: *post*, or one that was written before a crash. A dry run
        must end as it began.

        Raises:
            OpRejectedError: there is no such op, or it cannot go there from where it is.
        """
        while True:
            found = await self._load(op)
            if found is None:
                raise OpRejectedError(error("op_not_found", op, f"there is no op {op}"))
            record, events = found
            _require_move(record, status)
            if status == "success":
                await self._write_post(record, post)
            event = StatusEvent(
                status=status,
                at=stamp_now(self._world),
                epoch=epoch,
                reason=None if reason is None else redact_text(reason),
                gates=_clean(told.gates),
                recovery=_clean(told.recovery),
                needs_human=told.needs_human,
                archive=await self._archive_state() if status in TERMINAL else None,
            )
            if await self._create_once(status_key(op, len(events) + 1), _text(event)):
                moved = materialise(record, (*events, event))
                assert isinstance(moved, Op), "the move was legal a moment ago"
                await self._store.replace(op_key(op), _text(moved))
                return moved
            # Somebody else moved it first: what is legal now is judged afresh.

    async def get(self, op: str) -> Op | None:
        """Returns the op of that id as its events say, or None where there is none."""
        found = await self._load(op)
        return None if found is None else found[0]

    async def list(self, limit: int = 50, *, before: str | None = None) -> tuple[Op, ...]:
        """Returns the newest ops, newest first, whoever made them; with *before* those older than it."""
        found: list[Op] = []
        for identifier in await self._ids():
            if len(found) >= limit:
                break
            if before is not None and _age(identifier) >= _age(before):
                continue
            op = await self.get(identifier)
            if op is not None:
                found.append(op)
        return tuple(found)

    async def unfinished(self, among: int | None = None) -> tuple[Op, ...]:
        """Returns the ops that are not finished, oldest first: what a sweep has to settle.

        Of all ops, or of as many of the newest as *among* says.
        `op.json` is a copy that can only be behind, so a finished copy is believed and not folded.
        """
        found: list[Op] = []
        for identifier in reversed((await self._ids())[:among]):
            copy = await self._store.read(op_key(identifier))
            if copy is None or _decode(copy.data, Op, copy.key).status in TERMINAL:
                continue
            op = await self.get(identifier)
            if op is not None and op.status not in TERMINAL:
                found.append(op)
        return tuple(found)

    async def lineage(self, op: str, limit: int = LINEAGE_COUNT_MAX) -> tuple[Op, ...]:
        """Returns the op and its ancestors, nearest first; nothing where there is no such op.

        No more than *limit* ops are read.
        """
        known: dict[str, Op] = {}
        waiting = [op]
        while waiting and len(known) < limit:
            current = waiting.pop(0)
            found = None if current in known else await self.get(current)
            if found is not None:
                known[current] = found
                waiting.extend(parents(found))
        return ancestors(op, known)

    async def newest_cluster_op(self) -> str | None:
        """Returns the op of the newest ledger object, the parent of the next cluster op.

        Raises:
            LedgerUnreadableError: the ledger cannot be trusted or understood.
        """
        head = await self._ledger.head()
        return None if head is None else head.envelope.op

    async def pre(self, op: str) -> Snapshot | None:
        """Returns what the op started from."""
        return await self._snapshot(pre_key(op)) if _ID.fullmatch(op) else None

    async def post(self, op: str) -> Snapshot | None:
        """Returns what the op ended with; it may be there before the op is told to have succeeded."""
        return await self._snapshot(post_key(op)) if _ID.fullmatch(op) else None

    async def unarchived(self) -> tuple[str, ...]:
        """Returns the ids of the finished ops that wait for the archive, oldest first."""
        keys = frozenset(await self._store.list("ops/"))
        found: list[str] = []
        for identifier in reversed(await self._ids()):
            if archived_key(identifier) in keys:
                continue
            copy = await self._store.read(op_key(identifier))
            if copy is None or _decode(copy.data, Op, copy.key).archive != "pending":
                continue
            found.append(identifier)
        return tuple(found)

    async def _archive_state(self) -> ArchiveState | None:
        """Returns whether what ends now waits for an archive: whether one is configured."""
        try:
            head = await self._ledger.head()
            applied = None
            if head is not None:
                applied = head.envelope.state.applied_revision.resources.get(OPS)
            if applied is None:
                return None
            fields = await Catalog(self._store).read_fields(OPS, applied.digest)
        except (BackendError, LedgerError):
            return None
        return "pending" if fields and fields.get("archive") is not None else None

    async def _lineage_of(self, new: NewOp) -> Lineage:
        if new.lineage is None:
            return Lineage(parent_op=await self.newest_cluster_op())
        edges = (new.lineage.parent_op, new.lineage.merged_op, new.lineage.rollback_of)
        for edge in edges:
            if edge is not None and await self.get(edge) is None:
                raise OpRejectedError(
                    error("op_not_found", edge, f"the op descends from {edge}, which is not there")
                )
        return new.lineage

    async def _load(self, op: str) -> tuple[Op, tuple[StatusEvent, ...]] | None:
        if not _ID.fullmatch(op):
            return None
        found = await self._store.read(op_key(op))
        if found is None:
            return None
        record = _decode(found.data, Op, found.key)
        events: list[StatusEvent] = []
        while (event := await self._store.read(status_key(op, len(events) + 1))) is not None:
            events.append(_decode(event.data, StatusEvent, event.key))
        now = materialise(record, events)
        if isinstance(now, IllegalTransition):
            msg = f"the status events of op {op} go from {now.at} to {now.wanted}"
            raise CorruptError(msg)
        return await self._with_archive(now), tuple(events)

    async def _with_archive(self, op: Op) -> Op:
        """Returns *op* with what its archive says, which is an object beside it."""
        found = await self._store.read(archived_key(op.id)) if op.archive == "pending" else None
        if found is None:
            return op
        held = _decode(found.data, Archived, found.key)
        artifacts = msgspec.structs.replace(op.artifacts, archive_snapshot=held.snapshot)
        return msgspec.structs.replace(op, archive="done", artifacts=artifacts)

    async def _ids(self) -> tuple[str, ...]:
        """Returns the ids of all ops, newest first: the part behind the colon is ordered by time."""
        keys = await self._store.list("ops/")
        names = {key.split("/")[1] for key in keys if key.endswith("/op.json")}
        ids = (name for name in names if _ID.fullmatch(name))
        return tuple(sorted(ids, key=_age, reverse=True))

    async def named(self, text: str) -> tuple[str, ...]:
        """Returns the ids that begin with *text*, newest first: one where it names an op."""
        if _ID.fullmatch(text):
            return (text,)
        return tuple(i for i in await self._ids() if text and i.startswith(text))

    async def undone(self, ops: Iterable[Op]) -> dict[str, str]:
        """Returns the op that rolled each of *ops* back, by id, where one did so to its end."""
        wanted = {op.id for op in ops}
        oldest = min(map(_age, wanted), default=None)
        found: dict[str, str] = {}
        for identifier in await self._ids():
            if oldest is None or _age(identifier) <= oldest:
                break
            copy = await self._store.read(op_key(identifier))
            record = None if copy is None else _decode(copy.data, Op, copy.key)
            undone = None if record is None else record.lineage.rollback_of
            if undone in wanted and undone is not None:
                op = await self.get(identifier)
                if op is not None and op.status == "success" and await self._reaches(op, undone):
                    found.setdefault(undone, op.id)
        return found

    async def _reaches(self, rollback: Op, undone: str) -> bool:
        """Returns whether a rollback came to where the op that it undoes had begun, gates and all."""
        post, pre, op = await self.post(rollback.id), await self.pre(undone), await self.get(undone)
        if post is None or pre is None or op is None:
            return False
        if op.action in DATA_ACTIONS:
            key = op.component.removeprefix("graph.")
            held = pre.contents.get(key)
            return held is not None and post.contents.get(key) == held
        return post.resource_digests == pre.resource_digests

    async def _snapshot(self, key: str) -> Snapshot | None:
        found = await self._store.read(key)
        return None if found is None else _decode(found.data, Snapshot, key)

    async def _write_post(self, op: Op, post: Snapshot | None) -> None:
        if post is not None:
            await self._create_once(post_key(op.id), _text(post))
        durable = await self.post(op.id)
        assert durable is not None, "an op succeeds only with a post snapshot"
        if op.operation == "dry_run":
            assert durable == await self.pre(op.id), "a dry run changes nothing"

    async def _create_once(self, key: str, data: bytes) -> bool:
        """Returns whether the object is there with *data*, also where the response was lost."""
        try:
            if await self._store.create(key, data):
                return True
        except UnavailableError:
            found = await self._store.read(key)
            if found is None:
                raise
            return found.data == data
        return False


def archived_key(op: str) -> str:
    """Returns where it is said that an archive holds an op's records."""
    return f"ops/{op}/archive.json"


def _age(op: str) -> tuple[str, str]:
    """Returns what sorts ids by time: the part behind the colon is a UUIDv7."""
    return op.rpartition(":")[2], op


def _require_move(op: Op, status: OpStatus) -> None:
    legal = move(op.status, status)
    if isinstance(legal, IllegalTransition):
        message = f"op {op.id} is {op.status} and cannot become {status}"
        raise OpRejectedError(error("op_illegal_transition", op.id, message), legal)


def _redacted(constraints: Constraints) -> Constraints:
    def clean(one: Constraint | RecoveryAction) -> Constraint | RecoveryAction:
        return msgspec.structs.replace(one, params=redact_params(one.params))

    return msgspec.structs.replace(
        constraints,
        pre=tuple(clean(one) for one in constraints.pre),
        on_failure=tuple(clean(one) for one in constraints.on_failure),
    )


def _clean(outcomes: tuple[GateOutcome, ...]) -> tuple[GateOutcome, ...]:
    return tuple(
        msgspec.structs.replace(o, reason=None if o.reason is None else redact_text(o.reason))
        for o in outcomes
    )


def _text(value: msgspec.Struct) -> bytes:
    encoded = msgspec.json.encode(value, order="deterministic")
    return msgspec.json.format(encoded, indent=2) + b"\n"


def _decode(data: bytes, what: type[T], key: str) -> T:
    try:
        return msgspec.json.decode(data, type=what)
    except (msgspec.DecodeError, UnicodeError) as failure:
        msg = f"{key} is not what its format says: {failure}"
        raise CorruptError(msg) from failure
