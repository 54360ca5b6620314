"""Parquet files: typed columns become physical ones by casts, batch after batch.

Source: graph-engine 4.
"""

from collections.abc import Iterator
from typing import Any, Final

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from agentctl.graph.columns import ARROW_TYPES
from agentctl.graph.lines import Fault
from agentctl.graph.loads.columns import (
    UnfitError,
    converter_for,
    days,
    finite,
    milliseconds,
)
from agentctl.graph.loads.minting import Mint
from agentctl.graph.loads.parts import BadRow, Chunk
from agentctl.graph.loads.records import Layout, RecordReader, Records, layout_of
from agentctl.graph.loads.sources import ParquetSource
from agentctl.graph.values import INLINE, blob_text
from agentctl.languages.schema.ir import IrProperty, IrType, SchemaIr
from agentctl.languages.schema.types import FLOATS, INTEGERS, Scalar

BATCH_ROWS: Final = 16_384


def read_parquet(
    source: ParquetSource, ir: SchemaIr, mint: Mint, first: int
) -> Iterator[tuple[Chunk, int]]:
    """Gives what the file's rows are, a batch after the other, and how many rows each has.

    *first* is the number of the file's first row in the load.
    """
    try:
        with pq.ParquetFile(source.path, memory_map=True) as file:
            layout = layout_of(ir, source.mapping, file.schema_arrow.names)
            if not isinstance(layout, Layout):
                yield Chunk([], [BadRow(first, layout, b"")], fatal=True), 1
                return
            reader = _Parquet(layout, RecordReader(ir, layout, mint))
            columns = list(layout.columns.values())
            for batch in file.iter_batches(batch_size=BATCH_ROWS, columns=columns):
                yield reader.read(batch, first), batch.num_rows
                first += batch.num_rows
    except pa.ArrowException as failure:
        fault = Fault("load_line_invalid", f"no Parquet: {failure}")
        yield Chunk([], [BadRow(first, [fault], b"")], fatal=True), 1


class _Parquet:
    """The rows of one file."""

    def __init__(self, layout: Layout, reader: RecordReader) -> None:
        self._layout = layout
        self._reader = reader

    def read(self, batch: pa.RecordBatch, first: int) -> Chunk:
        """Returns what the rows of a batch are."""
        ir_type, columns = self._layout
        scalars = {p.name: Scalar(p.scalar) for p in ir_type.properties}

        def column(member: str, prop: IrProperty | None) -> pa.Array:
            values = batch.column(columns[member])
            return _texts(values) if prop is None else physical(ir_type, prop, values)

        def document(n: int) -> dict[str, object]:
            return {m: _plain(batch.column(name)[n], scalars.get(m)) for m, name in columns.items()}

        def text(n: int) -> bytes:
            return msgspec.json.encode(document(n), enc_hook=repr)

        lines = range(first, first + batch.num_rows)
        return self._reader.read(Records(lines, column, document, text))


def physical(ir_type: IrType, prop: IrProperty, values: pa.Array) -> pa.Array:
    """Returns a file's column as the property's; raises one of `NOT_FITTING` where it is none.

    Texts of what is no String are read as in NDJSON.
    """
    if isinstance(values, pa.DictionaryArray):
        values = values.dictionary_decode()
    if prop.vector_dim is not None:
        return _vectors(values, prop.vector_dim)
    scalar = Scalar(prop.scalar)
    if prop.list:
        if not pa.types.is_list(values.type):
            raise UnfitError
        items = _scalars(scalar, values.flatten())
        lengths = pc.fill_null(pc.list_value_length(values), 0)
        offsets = pa.concat_arrays([pa.array([0], pa.int32()), pc.cumulative_sum(lengths)])
        return pa.ListArray.from_arrays(offsets, items, mask=values.is_null())
    if scalar is not Scalar.STRING and _is_text(values.type):
        return converter_for(ir_type, prop)(values.to_pylist())
    return _scalars(scalar, values)


def _scalars(scalar: Scalar, values: pa.Array) -> pa.Array:
    given = values.type
    if pa.types.is_null(given):
        return pa.nulls(len(values), ARROW_TYPES[scalar])
    if scalar in INTEGERS and pa.types.is_integer(given):
        return values.cast(ARROW_TYPES[scalar])
    if scalar in FLOATS and (pa.types.is_floating(given) or pa.types.is_integer(given)):
        wide = values.cast(pa.float64(), safe=False)
        return finite(wide.cast(ARROW_TYPES[scalar], safe=False))
    if scalar is Scalar.STRING:
        return _texts(values)
    if scalar is Scalar.BOOL and pa.types.is_boolean(given):
        return values
    return _other_scalars(scalar, values)


def _other_scalars(scalar: Scalar, values: pa.Array) -> pa.Array:
    given = values.type
    if scalar is Scalar.DATE and pa.types.is_date32(given):
        return days(values.view(pa.int32()).cast(pa.int64()))
    if scalar is Scalar.DATE and pa.types.is_integer(given):
        return days(values.cast(pa.int64()))
    if scalar is Scalar.DATETIME and pa.types.is_timestamp(given):
        return milliseconds(_floored(values))
    if scalar is Scalar.DATETIME and pa.types.is_date64(given):
        return milliseconds(values.view(pa.int64()))
    if scalar is Scalar.DATETIME and pa.types.is_integer(given):
        return milliseconds(values.cast(pa.int64()))
    if scalar is Scalar.BLOB and (pa.types.is_binary(given) or pa.types.is_large_binary(given)):
        return pa.array(
            [None if v is None else INLINE + v for v in values.to_pylist()], pa.large_binary()
        )
    raise UnfitError


def _texts(values: pa.Array) -> pa.Array:
    if isinstance(values, pa.DictionaryArray):
        values = values.dictionary_decode()
    if not _is_text(values.type):
        raise UnfitError
    return values.cast(pa.utf8())


def _is_text(given: pa.DataType) -> bool:
    return bool(
        pa.types.is_string(given)
        or pa.types.is_large_string(given)
        or pa.types.is_string_view(given)
    )


def _floored(instants: pa.Array) -> pa.Array:
    """Returns whole milliseconds since 1970; what lies below one is cut, not rounded."""
    per_millisecond = {"s": None, "ms": 1, "us": 1_000, "ns": 1_000_000}[instants.type.unit]
    numbers = instants.view(pa.int64())
    if per_millisecond is None:
        return pc.multiply_checked(numbers, 1_000)
    # Arrow divides towards zero: the remainder of a time before 1970 is taken off first.
    remainder = pc.subtract(
        numbers, pc.multiply(pc.divide(numbers, per_millisecond), per_millisecond)
    )
    below = pc.cast(pc.less(remainder, 0), pa.int64())
    return pc.subtract(pc.divide(numbers, per_millisecond), below)


def _vectors(values: pa.Array, dimension: int) -> pa.Array:
    if not (pa.types.is_list(values.type) or pa.types.is_fixed_size_list(values.type)):
        raise UnfitError
    lengths = pc.list_value_length(values)
    if pc.all(pc.equal(lengths, dimension)).as_py() is False:
        raise UnfitError
    items = _scalars(Scalar.F32, values.drop_null().flatten())
    if items.null_count:
        raise UnfitError
    vectors = pa.FixedSizeListArray.from_arrays(items, dimension)
    if not values.null_count:
        return vectors
    places = pc.subtract(pc.cumulative_sum(values.is_valid().cast(pa.int64())), 1)
    return vectors.take(pc.if_else(values.is_valid(), places, None))


def _plain(value: pa.Scalar, scalar: Scalar | None) -> Any:  # noqa: ANN401  # any JSON value
    """Returns a value as a line of a property of *scalar* would have it; None is for an id.

    A date is a number in a line only where a Date is wanted, and so a time and binary: a number of
    days must not become one of milliseconds, nor bytes a text that spells them. What is neither
    stays what it is, which no property takes.
    """
    if isinstance(value, pa.DictionaryScalar):
        value = value.value
    if not value.is_valid:
        return None
    if isinstance(value, pa.ListScalar | pa.FixedSizeListScalar):
        return [_plain(item, scalar) for item in value.values]
    if _meant(value.type, scalar) is not scalar:
        return _Alien(value)
    if isinstance(value, pa.Date32Scalar):
        return value.value
    if isinstance(value, pa.TimestampScalar):
        return _floored(pa.array([value], type=value.type))[0].as_py()
    found = value.as_py()
    return blob_text(INLINE + found) if isinstance(found, bytes) else found


def _meant(kind: pa.DataType, scalar: Scalar | None) -> Scalar | None:
    """Returns which property a value of *kind* is for, where JSON has no spelling of it; else *scalar*."""
    if pa.types.is_date32(kind):
        return Scalar.DATE
    if pa.types.is_timestamp(kind):
        return Scalar.DATETIME
    return Scalar.BLOB if "binary" in str(kind) else scalar


class _Alien:
    """A value of a kind that its property cannot have; messages and reject files show it."""

    def __init__(self, value: pa.Scalar) -> None:
        self._value = value

    def __repr__(self) -> str:
        """Returns kind and value, also of what is beyond Python's own dates."""
        shown = self._value
        if isinstance(shown, pa.Date32Scalar | pa.TimestampScalar):
            return f"{shown.type} {pc.cast(shown, pa.utf8()).as_py()}"
        return f"{shown.type} {shown.as_py()!r}"
