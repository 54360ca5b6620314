"""What readers of every format hand on: columns of one type, and what could not be read."""

from typing import NamedTuple

import pyarrow as pa

from agentctl.graph.columns import LINE, physical_schema
from agentctl.graph.lines import Fault
from agentctl.languages.schema.ir import IrType


class Part(NamedTuple):
    """Good rows of one type."""

    type_id: str
    rows: pa.RecordBatch
    """In the columns of `staged_schema`."""
    given: bool
    """Whether some id came from the input (a key, or ``id``) and was not minted."""


class BadRow(NamedTuple):
    """A line or record that is no row of the schema."""

    line: int
    """Counted from 1 over the whole load."""
    faults: list[Fault]
    text: bytes
    """As it was given."""


class Chunk(NamedTuple):
    """Some lines, read."""

    parts: list[Part]
    bad: list[BadRow]
    """By line."""
    fatal: bool = False
    """Whether nothing behind this could be read."""


def staged_schema(ir_type: IrType) -> pa.Schema:
    """Returns the columns of rows that wait to be written: physical ones, and `LINE`."""
    return physical_schema(ir_type).append(pa.field(LINE, pa.int64(), nullable=False))
