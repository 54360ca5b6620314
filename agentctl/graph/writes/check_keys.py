"""What rows must satisfy together: an id once, and the values of a `@unique` once.

A tuple with a null in it is exempt. Of the graph only the rows are read that have one of the staged
values in one column; the others are compared from there. Source: languages 1.3, 2.7.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from agentctl.graph.columns import LINE, identity_columns, is_scalar
from agentctl.graph.lookups import distinct, rows_with, rows_without
from agentctl.graph.values import shown
from agentctl.graph.writes.changes import TypeChange
from agentctl.graph.writes.held import Held
from agentctl.languages.schema.ir import IrType


def check_ids(held: Held) -> None:
    """Checks that no id comes twice, and that what only inserts inserts what is not there."""
    for change in held.with_rows():
        if change.fresh_ids:
            continue
        ids = held.staged(change.type, "id")
        if pc.count_distinct(ids).as_py() < len(ids):
            _repeated(held, change, ids)
        matched = held.matched(change)
        if change.inserts_only and matched is not None and len(matched):
            there = pc.is_in(ids, value_set=matched)
            held.tell_rows(change, there, rule="key", prop=None, saying="is in the graph already")


def check_unique(held: Held) -> None:
    """Checks every `@unique` of every type with staged rows."""
    for change in held.with_rows():
        for constraint in change.type.constraints:
            if constraint.kind == "unique":
                _unique(held, change, constraint.columns)


def repeats(table: pa.Table, columns: Sequence[str]) -> np.ndarray:
    """Returns, for each row of *table*, the place of the first row with the same values; or its own.

    No value may be null.
    """
    codes = tuple_codes(table, columns)
    _, first, inverse = np.unique(codes, return_index=True, return_inverse=True)
    return first[inverse]


def tuple_codes(table: pa.Table, columns: Sequence[str]) -> np.ndarray:
    """Returns a number for each row, the same where the values of *columns* are; int64."""
    codes = np.zeros(table.num_rows, dtype=np.int64)
    for name in columns:
        part = _codes(table[name])
        size = int(part.max(initial=0)) + 1
        # Dense again after each column, so that the product of two stays within 64 bits.
        codes = np.unique(codes * size + part, return_inverse=True)[1].astype(np.int64)
    return codes


def complete(table: pa.Table, columns: Sequence[str]) -> pa.Table:
    """Returns the rows that have no null in *columns*."""
    for name in columns:
        if table[name].null_count:
            table = table.filter(table[name].is_valid())
    return table


def distinct_count(table: pa.Table, columns: Sequence[str]) -> int:
    """Returns how many different tuples the rows of *table*, which has no null, have in *columns*."""
    kinds = [table.schema.field(name).type for name in columns]
    if any(pa.types.is_nested(kind) or pa.types.is_floating(kind) for kind in kinds):
        return len(np.unique(tuple_codes(table, columns)))
    if len(columns) == 1:
        return int(pc.count_distinct(table[columns[0]]).as_py())
    return int(table.group_by(list(columns)).aggregate([]).num_rows)


def columns_of(ir_type: IrType, names: Sequence[str]) -> list[str]:
    """Returns the columns of a constraint's properties; ``src`` and ``dst`` are their own."""
    by_name = {p.name: p.column for p in ir_type.properties}
    return [by_name.get(name, name) for name in names]


def _codes(values: pa.ChunkedArray) -> np.ndarray:
    if pa.types.is_nested(values.type):
        values = pa.chunked_array([pa.array([repr(v) for v in values.to_pylist()], pa.utf8())])
    elif pa.types.is_floating(values.type):
        values = pc.add(values, pa.scalar(0.0, type=values.type))  # one zero
    encoded = values.dictionary_encode().combine_chunks()
    assert isinstance(encoded, pa.DictionaryArray), "one dictionary numbers all values"
    codes: np.ndarray = encoded.indices.to_numpy(zero_copy_only=False)
    return codes.astype(np.int64)


def _repeated(held: Held, change: TypeChange, ids: pa.ChunkedArray) -> None:
    first = repeats(pa.table({"id": ids}), ["id"])
    again = first != np.arange(len(first))
    said = _sayings(held, change, first[again], "is given twice", "is on line {} already")
    held.tell_rows(change, pa.array(again), rule="key", prop=None, told=said)


def _sayings(
    held: Held, change: TypeChange, firsts: np.ndarray, plain: str, with_line: str
) -> list[str]:
    """Returns what is said of rows whose like came before, at *firsts*."""
    firsts = firsts[: held.violations.room]
    if not change.lined:
        return [plain] * len(firsts)
    assert change.rows is not None
    lines = change.rows.table([LINE])[LINE].take(pa.array(firsts)).to_pylist()
    return [with_line.format(line) for line in lines]


def _unique(held: Held, change: TypeChange, names: Sequence[str]) -> None:
    columns = columns_of(change.type, names)
    assert change.rows is not None
    table = change.rows.table(columns)
    place = pa.array(np.arange(table.num_rows))
    table = complete(table.append_column("~place", place), columns)
    if not table.num_rows:
        return
    prop = ", ".join(names)
    if distinct_count(table, columns) < table.num_rows:
        places = table["~place"].to_numpy()
        first = repeats(table, columns)
        again = first != np.arange(len(first))
        failing = _mask(change.rows.rows, places[again])
        said = _sayings(
            held,
            change,
            places[first[again]],
            "another row of this write has the same values",
            "line {} has the same values",
        )
        held.tell_rows(change, failing, rule="unique", prop=prop, told=said)
    _against_graph(held, change, table, columns, prop)


def _against_graph(
    held: Held, change: TypeChange, table: pa.Table, columns: list[str], prop: str
) -> None:
    if not held.keeps_rows(change.type):
        return
    assert change.rows is not None
    narrow = _most_selective(change.type, table, columns)
    dataset = held.snapshot.dataset(change.type)
    wanted = list(dict.fromkeys(["id", *columns]))
    if narrow is None:
        found = dataset.scanner(columns=wanted).to_table()
    else:
        found = rows_with(dataset, narrow, distinct(table[narrow]), columns=wanted)
    found = rows_without(complete(found, columns), "id", held.touched(change.type))
    if not found.num_rows:
        return
    # Column by column: the tables may differ in what their schemas say of null.
    both = pa.table(
        {name: pa.chunked_array([*table[name].chunks, *found[name].chunks]) for name in columns}
    )
    codes = tuple_codes(both, columns)
    mine, theirs = codes[: table.num_rows], codes[table.num_rows :]
    meets = np.isin(mine, theirs)
    if not meets.any():
        return
    owners = dict(zip(theirs.tolist(), found["id"].to_pylist(), strict=True))
    said = [
        f"{change.type.name} {shown(owners[code])} has the same values"
        for code in mine[meets][: held.violations.room].tolist()
    ]
    failing = _mask(change.rows.rows, table["~place"].to_numpy()[meets])
    held.tell_rows(change, failing, rule="unique", prop=prop, told=said)


def _most_selective(ir_type: IrType, table: pa.Table, columns: Sequence[str]) -> str | None:
    """Returns the column that the graph's rows are found by: the one with the most values."""
    identity = identity_columns(ir_type)
    fit = [c for c in columns if c in identity]
    fit += [p.column for p in ir_type.properties if p.column in columns and is_scalar(p)]
    counts = {name: pc.count_distinct(table[name]).as_py() for name in fit}
    return max(counts, key=lambda name: counts[name], default=None)


def _mask(size: int, places: np.ndarray) -> pa.Array:
    mask = np.zeros(size, dtype=bool)
    mask[places] = True
    return pa.array(mask)
