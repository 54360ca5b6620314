"""How each record is a row of its table: fields are columns, what has parts of its own is JSON."""

from collections.abc import Mapping
from typing import Any, Final, Generic, TypeVar

import msgspec
from sqlalchemy import Row, Table

from agentctl.domain.sandbox.difference import ChangeDiff
from agentctl.domain.sandbox.records import (
    ChangeSet,
    Command,
    CommandExecRecord,
    Diff,
    HostResources,
    Playbook,
    PlaybookTask,
    Publication,
    Record,
    Sandbox,
    Snapshot,
    SourceVM,
    fault_of,
)
from agentctl.engine.sandboxes import tables
from agentctl.engine.sandboxes.errors import InvalidError, invalid

R = TypeVar("R", bound=Record)


class Entity(msgspec.Struct, Generic[R], frozen=True, kw_only=True):
    """One kind of record and where it is kept."""

    noun: str
    """What messages call it."""
    record: type[R]
    table: Table
    documents: Mapping[str, Any] = {}
    """The fields that are kept as JSON, and their types."""


SANDBOX: Final = Entity(noun="sandbox", record=Sandbox, table=tables.SANDBOXES)
SNAPSHOT: Final = Entity(noun="snapshot", record=Snapshot, table=tables.SNAPSHOTS)
COMMAND: Final = Entity(
    noun="command",
    record=Command,
    table=tables.COMMANDS,
    documents={"metadata": CommandExecRecord},
)
DIFF: Final = Entity(
    noun="diff", record=Diff, table=tables.DIFFS, documents={"diff_json": ChangeDiff}
)
CHANGE_SET: Final = Entity(noun="change set", record=ChangeSet, table=tables.CHANGE_SETS)
PUBLICATION: Final = Entity(noun="publication", record=Publication, table=tables.PUBLICATIONS)
PLAYBOOK: Final = Entity(noun="playbook", record=Playbook, table=tables.PLAYBOOKS)
TASK: Final = Entity(
    noun="playbook task",
    record=PlaybookTask,
    table=tables.PLAYBOOK_TASKS,
    documents={"params": dict[str, object]},
)
SOURCE: Final = Entity(noun="source", record=SourceVM, table=tables.SOURCE_VMS)
HOST: Final = Entity(noun="host", record=HostResources, table=tables.HOSTS)


def row_of(entity: Entity[R], record: R) -> dict[str, object]:
    """Returns the values of *record*'s columns.

    Raises:
        InvalidError: the record cannot be kept.
    """
    fault = fault_of(record)
    if fault is not None:
        field = fault.partition(" ")[0]
        raise InvalidError(invalid(field, f"{entity.noun} {record.id}: {fault}"))
    values: dict[str, object] = {}
    for name in record.__struct_fields__:
        value = getattr(record, name)
        if name in entity.documents and value is not None:
            value = msgspec.json.encode(value, order="deterministic").decode()
        values[name] = value
    return values


def record_of(entity: Entity[R], row: Row[Any]) -> R:
    """Returns the record that *row*, of the entity's whole table, holds."""
    values: dict[str, Any] = {}
    for name in entity.record.__struct_fields__:
        value = row._mapping[entity.table.c[name]]  # noqa: SLF001  # SQLAlchemy's public name for it
        if name in entity.documents and value is not None:
            value = msgspec.json.decode(value, type=entity.documents[name])
        values[name] = value
    return entity.record(**values)
