"""Where a read gets its rows: the datasets of one snapshot, by scan or by index. In a worker thread.

Predicates and projections go into Lance's scans; what cannot be said there is asked of the batches
as they come, so that only wanted rows are held.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import lance
import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from agentctl.graph.adjacency.id_index import IdIndex
from agentctl.graph.reads.budget import Budget
from agentctl.graph.reads.cost import looked_up
from agentctl.graph.reads.evaluating import kept
from agentctl.graph.reads.expressions import Column, Compare, Constant, Known, Test, columns_of
from agentctl.graph.reads.frame import Frame, flat, plain, positions
from agentctl.graph.reads.places import Held, Places, concatenated
from agentctl.graph.reads.pushing import column_name, pushed, quoted
from agentctl.graph.reads.refusing import unfit
from agentctl.graph.snapshot import Snapshot
from agentctl.languages.schema.ir import IrProperty, IrType
from agentctl.languages.schema.types import Scalar

LOOKUP_COUNT_MAX: Final = 1_000
"""Ids that one filter names; more are read by several, or by a scan."""

SMALL_ROWS: Final = 10_000
"""Types of fewer rows are read at once, which is quicker than batch by batch."""

WHOLE_BATCH_ROWS: Final = 1 << 16
"""Rows of a batch of columns that are read whole, as most of it is kept."""

PLACE: Final = "~place"
"""The column that says which of the values of *member* a row has, by their places."""

BATCH_ROWS_MAX: Final = 1 << 18
"""Rows of a batch that many values are looked for in: they are hashed anew for each batch."""

_WIDE: Final = frozenset({Scalar.STRING, Scalar.BLOB})
_ENDS: Final = {"@src": "src", "@dst": "dst"}


class Source:
    """The rows of one snapshot."""

    def __init__(
        self,
        snapshot: Snapshot,
        budget: Budget,
        *,
        lookups: bool | None = None,
        pushes: bool = True,
        ids: Callable[[IrType], IdIndex | None] = lambda _: None,
    ) -> None:
        self._snapshot = snapshot
        self._budget = budget
        self._pushes = pushes
        """Whether tests become filters of scans; if not, they are asked of the batches."""
        self._lookups = lookups
        """Whether rows by id are looked up or scanned; None decides by cost."""
        self._ids = ids
        """The ids of a node type where they are at hand: its rows are told by their positions."""

    @property
    def snapshot(self) -> Snapshot:
        """What is read."""
        return self._snapshot

    def node(self, name: str) -> IrType:
        """Returns a node type.

        Raises:
            GraphError: the graph has it not.
        """
        return self._type("node", name)

    def edge(self, name: str) -> IrType:
        """Returns an edge type."""
        return self._type("edge", name)

    def rows(self, ir_type: IrType) -> int:
        """Returns how many rows a type has."""
        return self._snapshot.rows(ir_type)

    def scan(  # noqa: PLR0913  # what one scan is
        self,
        ir_type: IrType,
        *,
        var: str,
        reads: Sequence[str],
        tests: Sequence[Test] = (),
        where: str | None = None,
        also: Sequence[str] = (),
        ids: bool = True,
        member: tuple[str, pa.Array] | None = None,
    ) -> Frame:
        """Returns the rows of a type that meet *tests*: ``var``, ``var.<property>`` and *also*.

        Args:
            ir_type: what is read.
            var: names the columns.
            reads: properties, ``@src`` and ``@dst``.
            tests: over the columns of *var* alone.
            where: a further condition in Lance's filter language.
            also: stored columns that are given under their own names.
            ids: whether ``var`` itself is wanted.
            member: a column of the result and the values it must have one of, which are different;
                `PLACE` is then a column too.
        """
        stored = self._stored(ir_type, var)
        if where is None and member is None and ids and not also:
            found = self._by_position(ir_type, stored, var=var, reads=reads, tests=tests)
            if found is not None:
                return found
        filters = [] if where is None else [where]
        residual: list[Test] = []
        for test in tests:
            text = pushed(test, stored.get) if self._pushes else None
            if text is None:
                residual.append(test)
            else:
                filters.append(text)
        wanted = [*([var] if ids else []), *(f"{var}.{name}" for name in reads)]
        read = dict.fromkeys(wanted)
        for test in residual:
            read.update(dict.fromkeys(sorted(columns_of(test))))
        return self._read(
            _Reading(
                ir_type=ir_type,
                names={name: stored[name] for name in read if not name.endswith("@type")},
                wanted=wanted,
                also=also,
                where=" AND ".join(f"({f})" for f in filters) if filters else None,
                residual=tuple(residual),
                member=member,
                few=where is not None or _is_point(ir_type, var, tests),
                empty=any(isinstance(t, Known) and t.value is not True for t in tests),
            )
        )

    def lookup(
        self, ir_type: IrType, ids: pa.Array, *, var: str, reads: Sequence[str]
    ) -> Mapping[str, pa.Array]:
        """Returns ``var.<property>`` for each of *ids*, which are different; null where there is none."""
        found = self.among(ir_type, "id", ids, var=var, reads=reads)
        if PLACE in found.columns:
            rows = np.full(len(ids), -1, np.int64)
            rows[positions(found[PLACE])] = np.arange(found.rows)
            at = pa.array(rows, mask=rows < 0)
        else:
            at = pc.index_in(ids, value_set=found[var])
        return {name: found[name].take(at) for name in (f"{var}.{read}" for read in reads)}

    def among(  # noqa: PLR0913  # what one look-up is
        self,
        ir_type: IrType,
        column: str,
        wanted: pa.Array,
        *,
        var: str,
        reads: Sequence[str],
        tests: Sequence[Test] = (),
        also: Sequence[str] = (),
        ids: bool = True,
    ) -> Frame:
        """Returns the rows whose *column* is one of the texts *wanted*, in no order.

        The column is ``id``, or one of *also*.
        """
        by_index = self._lookups
        if by_index is None:
            by_index = looked_up(len(wanted), self.rows(ir_type))
        if not by_index:
            member = (var if column == "id" else column, wanted)
            return self.scan(
                ir_type, var=var, reads=reads, tests=tests, also=also, ids=ids, member=member
            )
        texts = wanted.to_pylist()
        frames: list[Frame] = []
        for begin in range(0, max(len(texts), 1), LOOKUP_COUNT_MAX):
            some = texts[begin : begin + LOOKUP_COUNT_MAX]
            where = (
                f"{column_name(column)} IN ({', '.join(map(quoted, some))})" if some else "false"
            )
            frames.append(
                self.scan(
                    ir_type, var=var, reads=reads, tests=tests, where=where, also=also, ids=ids
                )
            )
        return stacked(frames)

    def whole(self, ir_type: IrType, *, var: str, reads: Sequence[str], ids: bool = False) -> Frame:
        """Returns ``var.<property>`` for each row of a type, in the order of their positions.

        Args:
            ir_type: what is read.
            var: names the columns.
            reads: properties, ``@src`` and ``@dst``.
            ids: whether ``var`` itself is wanted.
        """
        wanted = [*([var] if ids else []), *(f"{var}.{name}" for name in reads)]
        return self._read(self._in_order(ir_type, self._stored(ir_type, var), var, wanted))

    def _by_position(
        self,
        ir_type: IrType,
        stored: "_Stored",
        *,
        var: str,
        reads: Sequence[str],
        tests: Sequence[Test],
    ) -> Frame | None:
        """Returns a scan with ids told by position; None where reading them is as good, or needed."""
        index = self._ids(ir_type) if ir_type.kind == "node" else None
        if index is None or len(index) != self.rows(ir_type):
            return None
        tested = {name for test in tests for name in columns_of(test)}
        used = [name.partition(".")[2] for name in tested]
        if tests:
            indexed = {p.name for p in ir_type.properties if p.indexed} | set(ir_type.key)
            if not tested or var in tested or not indexed.isdisjoint(used):
                return None
            if not is_narrow(ir_type, {*used, *reads}):
                return None
        names = [var, *(f"{var}.{name}" for name in reads)]
        return self._read(self._in_order(ir_type, stored, var, names, tests, index.ids))

    def _in_order(  # what one scan is
        self,
        ir_type: IrType,
        stored: "_Stored",
        var: str,
        wanted: Sequence[str],
        tests: Sequence[Test] = (),
        texts: pa.Array | None = None,
    ) -> "_Reading":
        read = dict.fromkeys(wanted)
        for test in tests:
            read.update(dict.fromkeys(sorted(columns_of(test))))
        told = set[str]() if texts is None else {var}
        return _Reading(
            ir_type=ir_type,
            names={n: stored[n] for n in read if not n.endswith("@type") and n not in told},
            wanted=wanted,
            also=(),
            where=None,
            residual=tuple(tests),
            member=None,
            few=False,
            empty=any(isinstance(t, Known) and t.value is not True for t in tests),
            ids=None if texts is None else (var, texts),
            in_order=True,
        )

    def _read(self, reading: "_Reading") -> Frame:
        self._budget.tick()
        dataset = self._snapshot.dataset(reading.ir_type)
        columns = list(dict.fromkeys([*reading.names.values(), *reading.also]))
        if not columns and reading.ids is not None:
            # Nothing but ids, which are there: a scan without columns has no rows to count.
            rows = 0 if reading.empty else len(reading.ids[1])
            nothing = pa.table({"~": pa.nulls(rows)})
            return reading.frame(nothing)
        if reading.empty:
            return reading.frame(dataset.scanner(columns=columns, limit=0).to_table())
        batch_rows = 8_192 if reading.member is None else 4 * len(reading.member[1])
        if reading.in_order:
            batch_rows = WHOLE_BATCH_ROWS
        scanner = dataset.scanner(
            columns=columns,
            filter=reading.where,
            batch_size=min(max(batch_rows, 8_192), BATCH_ROWS_MAX),
            scan_in_order=True,
        )
        if reading.few or self.rows(reading.ir_type) < SMALL_ROWS:
            return reading.frame(self._gathered(scanner))
        frames: list[Frame] = []
        size = begin = 0
        for batch in scanner.to_batches():
            frames.append(reading.frame(batch, begin))
            begin += batch.num_rows
            size += frames[-1].nbytes
            self._budget.note(size)
        if not frames:
            return reading.frame(dataset.scanner(columns=columns, limit=0).to_table())
        return stacked(frames)

    def _gathered(self, scanner: lance.LanceScanner) -> pa.Table:
        """Returns all that a scan finds; a few starts may have many edges, and few rows long texts."""
        reader = scanner.to_reader()
        found: list[pa.RecordBatch] = []
        size = 0
        for batch in reader:
            found.append(batch)
            size += batch.nbytes
            self._budget.note(size)
        return pa.Table.from_batches(found, schema=reader.schema)

    def _stored(self, ir_type: IrType, var: str) -> "_Stored":
        """Returns the stored column of each column that *var* may have."""
        found = {f"{var}.{p.name}": p.column for p in ir_type.properties}
        found[var] = "id"
        if ir_type.kind == "edge":
            found |= {f"{var}.{name}": column for name, column in _ENDS.items()}
        return _Stored(found, ir_type)

    def _type(self, kind: str, name: str) -> IrType:
        found = self._snapshot.ir.type_named(kind, name)
        if found is None:
            raise unfit(missing=f"{kind} type {name!r}")
        return found


class _Reading(msgspec.Struct, frozen=True, kw_only=True):
    """One read of a dataset, and what becomes of its batches."""

    ir_type: IrType
    names: Mapping[str, str]
    """Stored columns by the names that tests and results use."""
    wanted: Sequence[str]
    also: Sequence[str]
    where: str | None
    residual: tuple[Test, ...]
    member: tuple[str, pa.Array] | None
    empty: bool
    few: bool
    """Whether an index leaves few rows, which are read at once."""

    ids: tuple[str, pa.Array] | None = None
    """The column that is told by position, and the ids of all rows."""
    in_order: bool = False
    """Whether the rows are all wanted, as they lie."""

    def frame(self, batch: pa.RecordBatch | pa.Table, begin: int = 0) -> Frame:
        """Returns what is wanted of the rows of a batch, which begins at the row *begin*."""
        columns: dict[str, Held] = {
            name: plain(batch.column(column)) for name, column in self.names.items()
        }
        columns |= {name: flat(batch.column(name)) for name in self.also}
        if self.ids is not None:
            name, texts = self.ids
            columns[name] = Places(texts, pa.array(np.arange(begin, begin + batch.num_rows)))
        frame = Frame(batch.num_rows, columns)
        if self.member is not None:
            name, values = self.member
            place = pc.index_in(frame[name], value_set=values)
            frame = frame.having({PLACE: place}).filter(place.is_valid())
        label = pa.scalar(self.ir_type.name)
        types = {n: pa.repeat(label, frame.rows) for n in self.wanted if n.endswith(".@type")}
        placed = [] if self.member is None else [PLACE]
        return kept(self.residual, frame.having(types)).select([*self.wanted, *self.also, *placed])


class _Stored(dict[str, str]):
    """Stored columns by name; a name that the schema has not is a query of another schema."""

    def __init__(self, found: Mapping[str, str], owner: IrType) -> None:
        super().__init__(found)
        self._owner = owner

    def __missing__(self, name: str) -> str:
        prop = name.partition(".")[2]
        raise unfit(missing=f"property {prop!r} of {self._owner.name}")


def _is_point(owner: IrType, var: str, tests: Sequence[Test]) -> bool:
    """Returns whether a test asks for one value of the key, or of the id."""
    whole = {var, *(f"{var}.{name}" for name in owner.key if len(owner.key) == 1)}
    return any(
        isinstance(t, Compare)
        and t.comparison == "="
        and isinstance(t.left, Column)
        and isinstance(t.right, Constant)
        and t.left.name in whole
        for t in tests
    )


def is_narrow(ir_type: IrType, reads: Iterable[str]) -> bool:
    """Returns whether all of *reads* are properties of a few bytes: cheap to read whole."""
    narrow = {p.name for p in ir_type.properties if _is_small(p)}
    return all(name in narrow for name in reads)


def _is_small(prop: IrProperty) -> bool:
    wide = prop.list or prop.vector_dim is not None or prop.enum_values is not None
    return not wide and Scalar(prop.scalar) not in _WIDE


def stacked(frames: Sequence[Frame]) -> Frame:
    """Returns the rows of all *frames*, of which there is one at least."""
    if len(frames) == 1:
        return frames[0]
    names = list(frames[0].columns)
    rows = sum(f.rows for f in frames)
    return Frame(rows, {n: concatenated([f.columns[n] for f in frames]) for n in names})
