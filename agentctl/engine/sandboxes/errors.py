"""What the store of sandboxes refuses or fails with; each carries its diagnostic. Loads no SQL."""

from agentctl.diagnostics.diagnostic import Diagnostic, error


class StoreError(Exception):
    """The store did not do what was asked; `diagnostic` says why, and nothing was changed."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.message)
        self.diagnostic = diagnostic


class NotFoundError(StoreError):
    """There is no such record."""


class AlreadyExistsError(StoreError):
    """There is one already, where there may be one."""


class ConflictError(StoreError):
    """No move leads there from where the record stands, or somebody else moved it first."""


class CapacityError(ConflictError):
    """No host takes the sandbox."""


class InvalidError(StoreError):
    """The request or the record is not one that this store takes."""


class UnavailableError(StoreError):
    """The database did not answer, or failed; it may be tried again."""


class SchemaError(StoreError):
    """The tables are of a release that this one cannot use, or may not change."""


def not_found(noun: str, name: str) -> Diagnostic:
    """Returns what is told of *name*, an id or what else it was looked for by."""
    return error("sandbox_record_not_found", noun, f"there is no {noun} {name}")


def already_exists(noun: str, what: str) -> Diagnostic:
    """Returns what is told of a second *noun* with *what*, such as ``sandbox_name a``."""
    return error("sandbox_record_exists", noun, f"there is a {noun} with {what} already")


def conflict(noun: str, message: str) -> Diagnostic:
    """Returns what is told of a move that is not made."""
    remedy = "Read it again and decide anew."
    return error("sandbox_record_conflict", noun, message, remedy=remedy)


def invalid(field: str, message: str) -> Diagnostic:
    """Returns what is told of a value that is not taken."""
    return error("sandbox_record_invalid", field, message)


def read_only() -> Diagnostic:
    """Returns what is told of a change of a store that was opened for reading."""
    message = "the store of sandboxes was opened for reading"
    return error("sandbox_store_read_only", "sandbox_store", message)


def unavailable(message: str) -> Diagnostic:
    """Returns what is told of a database that failed; *message* holds no password."""
    remedy = "Look at the database and try again."
    return error("sandbox_store_unavailable", "sandbox_store", message, remedy=remedy)
