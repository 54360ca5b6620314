"""The records of machines that sandboxes are copies of."""

from sqlalchemy import select

from agentctl.domain.sandbox.records import SourceVM
from agentctl.engine.sandboxes.entities import SOURCE, record_of, row_of
from agentctl.engine.sandboxes.errors import NotFoundError, not_found
from agentctl.engine.sandboxes.handle import Handle
from agentctl.engine.sandboxes.tables import SOURCE_VMS
from agentctl.engine.sandboxes.upserts import upsert


class SourceRecords(Handle):
    """What the store does with source machines."""

    async def get_source_vm(self, name: str) -> SourceVM:
        """Returns the source of a name.

        Raises:
            NotFoundError: there is none.
        """
        async with self._reading() as work:
            found = await work.find(SOURCE, name=name)
        if found is None:
            raise NotFoundError(not_found("source", name))
        return found

    async def upsert_source_vm(self, source: SourceVM) -> None:
        """Keeps a source, or what changed of the one of its name, which keeps its id and its birth.

        Raises:
            AlreadyExistsError: a source of another name has its id.
        """
        async with self._writing() as work:
            values = row_of(SOURCE, source)
            changing = [name for name in values if name not in {"id", "name", "created_at"}]
            with work.unique(SOURCE.noun, values):
                await work.change(upsert(work, SOURCE_VMS, values, key="name", update=changing))

    async def list_source_vms(self) -> tuple[SourceVM, ...]:
        """Returns every source, by name."""
        async with self._reading() as work:
            found = await work.rows(select(SOURCE_VMS).order_by(SOURCE_VMS.c.name))
            return tuple(record_of(SOURCE, row) for row in found)
