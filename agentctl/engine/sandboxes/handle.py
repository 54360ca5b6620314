"""One piece of work in a database, and the handle that gives it out.

Every operation of the store is one transaction, or within `with_tx` one savepoint: it is done as a
whole or not at all, and one that was refused leaves the transaction around it usable.
"""

import contextlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, TypeVar

import anyio
import msgspec
from sqlalchemy import Executable, Row, Select, select
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncTransaction

from agentctl.domain.sandbox.listing import Listed, ListOptions, Unlistable, page
from agentctl.engine.sandboxes.entities import Entity, R, record_of, row_of
from agentctl.engine.sandboxes.errors import (
    AlreadyExistsError,
    InvalidError,
    NotFoundError,
    already_exists,
    invalid,
    not_found,
)
from agentctl.engine.sandboxes.failures import columns_of, told, violation_of
from agentctl.instants import format_instant

SETTLED_WITHIN_S: Final = 30.0
"""How long a commit or a rollback may take, whatever was cancelled meanwhile."""
_S = TypeVar("_S", bound=Select[Any])


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """A connection within a transaction."""

    connection: AsyncConnection
    clock: Callable[[], datetime]

    @property
    def postgresql(self) -> bool:
        """Whether other transactions run beside this one, so that rows have to be locked."""
        return self.connection.dialect.name == "postgresql"

    def now(self) -> str:
        """Returns the time as records have it."""
        return format_instant(self.clock())

    async def rows(self, statement: Executable) -> Sequence[Row[Any]]:
        """Returns every row of *statement*."""
        return (await self.connection.execute(statement)).all()

    async def change(self, statement: Executable) -> int:
        """Returns how many rows *statement* changed."""
        return (await self.connection.execute(statement)).rowcount

    def locked(self, statement: _S) -> _S:
        """Returns *statement* such that its rows stay as they are until this work is done."""
        return statement.with_for_update() if self.postgresql else statement

    async def find(self, entity: Entity[R], *, lock: bool = False, **fields: object) -> R | None:
        """Returns the one record whose fields have these values, or None."""
        statement = select(entity.table).filter_by(**fields)
        found = await self.rows(self.locked(statement) if lock else statement)
        assert len(found) <= 1, "what is asked for is there once"
        return record_of(entity, found[0]) if found else None

    async def get(self, entity: Entity[R], record_id: str, *, lock: bool = False) -> R:
        """Returns the record of an id.

        Raises:
            NotFoundError: there is none.
        """
        found = await self.find(entity, lock=lock, id=record_id)
        if found is None:
            raise NotFoundError(not_found(entity.noun, record_id))
        return found

    async def page(
        self,
        entity: Entity[R],
        options: ListOptions | None,
        *,
        of: Listed,
        where: Sequence[Any] = (),
    ) -> tuple[R, ...]:
        """Returns the part of the list that *options* ask for.

        Raises:
            InvalidError: they ask for no part, or for an order that there is not.
        """
        wanted = page(options, of=of)
        if isinstance(wanted, Unlistable):
            message = f"{wanted.field} {wanted.why}"
            raise InvalidError(invalid(wanted.field, message))
        columns = [entity.table.c[name] for name in dict.fromkeys((wanted.order_by, "id"))]
        order = [c.asc() if wanted.ascending else c.desc() for c in columns]
        statement = select(entity.table).where(*where).order_by(*order)
        found = await self.rows(statement.limit(wanted.limit).offset(wanted.offset))
        return tuple(record_of(entity, row) for row in found)

    async def insert(self, entity: Entity[R], record: R) -> None:
        """Keeps a new record.

        Raises:
            AlreadyExistsError: there is one already, where there may be one.
        """
        values = row_of(entity, record)
        with self.unique(entity.noun, values):
            await self.change(entity.table.insert().values(values))

    async def replace(self, entity: Entity[R], record: R) -> None:
        """Puts *record* where the one of its id is, which has to be there."""
        values = row_of(entity, record)
        statement = entity.table.update().where(entity.table.c.id == record.id).values(values)
        with self.unique(entity.noun, values):
            changed = await self.change(statement)
        assert changed == 1, "what is replaced was read and locked before"

    @contextlib.contextmanager
    def unique(self, noun: str, values: Mapping[str, object]) -> Iterator[None]:
        """Tells a value that is there already as such."""
        try:
            yield
        except IntegrityError as failure:
            if violation_of(failure) != "unique":
                raise
            what = ", ".join(f"{name} {values.get(name)}" for name in columns_of(failure))
            raise AlreadyExistsError(already_exists(noun, what)) from failure


class Handle:
    """Gives out work; the store itself and the handle of a transaction each do it their way."""

    def _reading(self) -> contextlib.AbstractAsyncContextManager[Work]:
        """Returns work that changes nothing."""
        raise NotImplementedError

    def _writing(self) -> contextlib.AbstractAsyncContextManager[Work]:
        """Returns work that is done as a whole or not at all.

        Raises:
            InvalidError: the store was opened for reading.
        """
        raise NotImplementedError


@contextlib.asynccontextmanager
async def settled(transaction: AsyncTransaction) -> AsyncIterator[None]:
    """Commits at a clean end and rolls back at any other, a cancellation too.

    Both are shielded: a transaction that is left open would hold its locks.
    """
    try:
        yield
    except BaseException:
        with anyio.move_on_after(SETTLED_WITHIN_S, shield=True):
            # The connection may be what failed; why is told already.
            with contextlib.suppress(SQLAlchemyError, OSError):
                await transaction.rollback()
        raise
    with told(), anyio.fail_after(SETTLED_WITHIN_S, shield=True):
        await transaction.commit()
