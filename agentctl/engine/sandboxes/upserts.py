"""To insert a row, or else to change the one that is there: the one statement both databases spell alike."""

from collections.abc import Iterable, Mapping

from sqlalchemy import Executable, Table
from sqlalchemy.dialects import postgresql, sqlite

from agentctl.engine.sandboxes.handle import Work


def upsert(
    work: Work, table: Table, values: Mapping[str, object], *, key: str, update: Iterable[str]
) -> Executable:
    """Returns a statement that inserts *values*, or of the row with that *key* sets *update*."""
    if work.postgresql:
        into = postgresql.insert(table).values(dict(values))
        return into.on_conflict_do_update(
            index_elements=[key], set_={name: into.excluded[name] for name in update}
        )
    onto = sqlite.insert(table).values(dict(values))
    return onto.on_conflict_do_update(
        index_elements=[key], set_={name: onto.excluded[name] for name in update}
    )
