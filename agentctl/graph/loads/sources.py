"""What is loaded: NDJSON lines, or files of which each is rows of one type. Pure values.

Several sources are one load and one commit; an edge may come before its nodes, in another source.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import Final, Literal

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.graph.violations import INPUT_NAME

Mode = Literal["append", "merge", "overwrite"]
REJECTED_MAX: Final = 100_000
"""The most lines that one load sets aside."""


class ColumnMapping(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which type the rows of a file are of, and which column holds what.

    Members are the type's properties and ``id``, of an edge also ``from`` and ``to``. A member that
    `columns` does not name is in the column of its own name, if the file has that.
    """

    type: str | None = None
    """A node type; either this or `edge` is given."""
    edge: str | None = None
    """An edge type."""
    columns: Mapping[str, str] = {}
    """The column of a member, by the member's name."""
    ignore: tuple[str, ...] = ()
    """Columns that are left out; any other column without a member is refused."""


class NdjsonSource(msgspec.Struct, frozen=True, kw_only=True):
    """Lines as `agentctl.graph.lines` reads them."""

    lines: AsyncIterator[bytes] | Iterable[bytes]
    name: str = INPUT_NAME
    """How reports name it."""


class CsvSource(msgspec.Struct, frozen=True, kw_only=True):
    """A CSV file (RFC 4180, UTF-8) whose first record names the columns.

    A cell that equals `null` is left out, as a member of a line may be, but of a required String. A
    list or vector is a JSON array, everything else is spelled as in JSON without the quotes.
    """

    path: Path
    mapping: ColumnMapping
    delimiter: str = ","
    null: str = ""


class ParquetSource(msgspec.Struct, frozen=True, kw_only=True):
    """A Parquet file: types must fit, a null is a null, and a column that is not there is left out.

    Fitting are texts; integers of any width within range; floats of any width, and integers, for
    floats; date and timestamp (cut to milliseconds, UTC where it has no zone); lists of such; binary
    for a Blob; and whatever NDJSON takes.
    """

    path: Path
    mapping: ColumnMapping


Source = NdjsonSource | CsvSource | ParquetSource


Phase = Literal["reading", "checking", "writing", "committing"]


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a load is; each number only grows within a phase."""

    phase: Phase
    lines: int
    """Read so far, of all sources."""
    rejected: int
    """Lines with faults so far."""
    rows: int
    """In `writing`: rows given to the datasets, out of `rows_total`; before: rows staged."""
    rows_total: int | None = None
    """None while it is read."""
    bytes: int = 0
    """Of the input, read so far."""


class LoadOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How a load goes."""

    mode: Mode = "append"
    rejected_max: int = 0
    """How many lines may be set aside (``--max-errors``); with more of them nothing is loaded. At
    most `REJECTED_MAX`."""
    rejects: Path | None = None
    """Where lines that were set aside go: NDJSON ``{line, source, errors, input}``. The file is written
    anew when the load has succeeded, and only where there are any."""
    progress: Callable[[Progress], None] | None = None
    """Is told now and then, by whichever thread is at work; must return at once and not raise."""
    permitted: Callable[[], Awaitable[None]] | None = None
    """Is awaited behind the last line, and again before the commit; what it raises ends the load, and
    nothing of it is part of the graph then."""


class LoadOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a load did."""

    commit: str | None
    """None where nothing was written: there was nothing, or a diagnostic is an error."""
    rows: Mapping[str, int]
    """Rows loaded, by type name."""
    rejected: int = 0
    """Lines that were set aside; each is told of, as far as the list goes, by a warning."""
    diagnostics: tuple[Diagnostic, ...] = ()
