"""What drivers of databases fail with, told as errors of the store, without parameters or passwords."""

import contextlib
import re
from collections.abc import Iterator
from typing import Final, Literal

from sqlalchemy import UniqueConstraint
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError

from agentctl.engine.sandboxes.errors import (
    ConflictError,
    InvalidError,
    StoreError,
    UnavailableError,
    conflict,
    invalid,
    read_only,
    unavailable,
)
from agentctl.engine.sandboxes.settings import without_password
from agentctl.engine.sandboxes.tables import METADATA

Violation = Literal["unique", "reference", "check"]

_SQLITE_VIOLATIONS: Final[dict[str, Violation]] = {
    "SQLITE_CONSTRAINT_UNIQUE": "unique",
    "SQLITE_CONSTRAINT_PRIMARYKEY": "unique",
    "SQLITE_CONSTRAINT_FOREIGNKEY": "reference",
    "SQLITE_CONSTRAINT_CHECK": "check",
    "SQLITE_CONSTRAINT_NOTNULL": "check",
}
_POSTGRESQL_VIOLATIONS: Final[dict[str, Violation]] = {
    "23505": "unique",
    "23503": "reference",
    "23514": "check",
    "23502": "check",
}
_LOST_RACES: Final = frozenset({"40001", "40P01"})
_WRITES_REFUSED: Final = frozenset({"25006", "SQLITE_READONLY", "SQLITE_READONLY_DBMOVED"})
_DATA_FAULTS: Final = "22"
_UNHELD: Final = "a value is one that the database does not hold"
_SQLITE_UNIQUE: Final = re.compile(r"UNIQUE constraint failed: (.*)")
_WORDS_MAX: Final = 300


def violation_of(failure: IntegrityError) -> Violation:
    """Returns which kind of rule of the tables was about to be broken."""
    code = _code(failure)
    return _SQLITE_VIOLATIONS.get(code) or _POSTGRESQL_VIOLATIONS.get(code, "check")


def columns_of(failure: IntegrityError) -> tuple[str, ...]:
    """Returns the names of the columns whose values are there already; none where it is unknown."""
    named = _SQLITE_UNIQUE.search(str(failure.orig))
    if named is not None:
        return tuple(part.strip().rpartition(".")[2] for part in named[1].split(","))
    name = getattr(getattr(failure.orig, "__cause__", None), "constraint_name", None)
    for table in METADATA.tables.values():
        for constraint in table.constraints:
            if isinstance(constraint, UniqueConstraint) and constraint.name == name:
                return tuple(column.name for column in constraint.columns)
        for index in table.indexes:
            if index.unique and index.name == name:
                return tuple(column.name for column in index.columns)
    return ("id",)


@contextlib.contextmanager
def told() -> Iterator[None]:
    """Raises what a database fails with as an error of the store."""
    try:
        yield
    except StoreError:
        raise
    except DBAPIError as failure:
        raise _translated(failure) from failure
    except UnicodeError as failure:
        raise InvalidError(invalid("text", _UNHELD)) from failure
    except (SQLAlchemyError, OSError) as failure:
        raise UnavailableError(unavailable(_words(failure))) from failure


def _translated(failure: DBAPIError) -> StoreError:
    code = _code(failure)
    if code in _WRITES_REFUSED:
        return InvalidError(read_only())
    if code in _LOST_RACES:
        return ConflictError(conflict("sandbox_store", "somebody else changed the same records"))
    if isinstance(failure, IntegrityError):
        return InvalidError(invalid("record", "the record breaks a rule of the tables"))
    if code.startswith(_DATA_FAULTS):
        return InvalidError(invalid("text", _UNHELD))
    return UnavailableError(unavailable(_words(failure.orig or failure)))


def _code(failure: DBAPIError) -> str:
    """Returns PostgreSQL's SQLSTATE, or SQLite's name of the fault."""
    name = getattr(failure.orig, "sqlite_errorname", None) or getattr(
        failure.orig, "sqlstate", None
    )
    return str(name or "")


def _words(failure: BaseException) -> str:
    """Returns the first line of what the driver said; it knows no parameters of a statement."""
    said = str(failure).partition("\n")[0] or type(failure).__name__
    said = re.sub(r"^<class '[^']*'>: ", "", said)
    return f"the database of sandboxes failed: {without_password(said)[:_WORDS_MAX]}"
