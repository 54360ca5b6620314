"""Joins and aggregates in DuckDB, over Arrow in and out: what it does faster, or is asked to do.

Sums of floats are ours everywhere, because they are rounded once. The connection is one execution's
own and touches no file: what has no room is refused, not spilled, and the deadline stops it.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from agentctl.graph.reads.budget import Budget
from agentctl.graph.reads.executors.arrow import ArrowExpander
from agentctl.graph.reads.executors.expansion import EdgeRows, Wanted
from agentctl.graph.reads.expressions import Column, Constant
from agentctl.graph.reads.frame import Frame, Positions, flat, positions
from agentctl.graph.reads.grouping import SUM_MAX
from agentctl.graph.reads.logical import Fold
from agentctl.graph.reads.places import Held, texts_of
from agentctl.graph.reads.refusing import out_of_range, too_large_to_join
from agentctl.graph.reads.source import Source
from agentctl.languages.schema.ir import IrType
from agentctl.languages.schema.types import FLOATS, INTEGERS

if TYPE_CHECKING:
    import duckdb

MEMORY_BYTES_MIN: Final = 64 << 20
"""With less it cannot begin; its operands are under the bound of the read all the same."""
INTERRUPTED_AGAIN_S: Final = 0.02
_PAIR_BYTES: Final = 40.0


class Duck:
    """One connection, made when it is first used."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._connection: duckdb.DuckDBPyConnection | None = None

    def table(self, sql: str, **tables: pa.Table) -> pa.Table:
        """Returns what *sql* gives over *tables*, by their names.

        Raises:
            GraphError: `query_too_large` or `query_deadline_exceeded`.
        """
        import duckdb  # most reads never ask it

        self._budget.tick()
        connection = self._opened()
        for name, table in tables.items():
            connection.register(name, table)
        try:
            with self._stopped_in_time(connection):
                return connection.sql(sql).to_arrow_table()
        except duckdb.OutOfMemoryException as failure:
            raise too_large_to_join(bound_bytes=self._budget.memory_bytes) from failure
        except duckdb.InterruptException as failure:
            raise self._budget.late() from failure
        finally:
            for name in tables:
                connection.unregister(name)

    def _opened(self) -> "duckdb.DuckDBPyConnection":
        import duckdb

        if self._connection is None:
            self._connection = duckdb.connect(
                ":memory:",
                config={
                    "threads": "2",
                    "memory_limit": f"{max(self._budget.memory_bytes, MEMORY_BYTES_MIN)}B",
                    "autoinstall_known_extensions": "false",
                },
            )
            self._connection.execute("SET temp_directory = ''")
            self._connection.execute("SET enable_external_access = false")  # bars the line above
        return self._connection

    @contextmanager
    def _stopped_in_time(self, connection: "duckdb.DuckDBPyConnection") -> Iterator[None]:
        """Interrupts what runs within at the deadline of the read."""
        left_s = self._budget.left_s
        if left_s is None:
            yield
            return
        done = threading.Event()

        def stop() -> None:
            # An interrupt between the steps of a query is lost, so it is said until it is heard.
            over = done.wait(min(left_s, threading.TIMEOUT_MAX))
            while not over:
                connection.interrupt()
                over = done.wait(INTERRUPTED_AGAIN_S)

        watcher = threading.Thread(target=stop, daemon=True)
        watcher.start()
        try:
            yield
        finally:
            done.set()
            watcher.join()

    def pairs(
        self, left: Sequence[pa.Array], right: Sequence[pa.Array]
    ) -> tuple[Positions, Positions]:
        """Returns the rows of both sides that agree in all columns; a null agrees with nothing."""
        condition = " AND ".join(f"l.c{i} = r.c{i}" for i in range(len(left)))
        (counted,) = self.table(
            f"SELECT count(*) AS n FROM l JOIN r ON {condition}",  # noqa: S608  # names of ours
            l=_numbered(left),
            r=_numbered(right),
        ).to_pylist()
        self._budget.room(rows=counted["n"], row_bytes=_PAIR_BYTES)
        found = self.table(
            f"SELECT l.n AS a, r.n AS b FROM l JOIN r ON {condition}",  # noqa: S608  # names of ours
            l=_numbered(left),
            r=_numbered(right),
        )
        return positions(flat(found["a"])), positions(flat(found["b"]))

    def grouped(self, frame: Frame, keys: Sequence[str], folds: Sequence[Fold]) -> Frame:
        """Returns a row for each group, as `grouping.grouped` does; the caller asked `groups`."""
        columns = {f"k{i}": frame[name] for i, name in enumerate(keys)}
        asked: list[str] = []
        for i, fold in enumerate(folds):
            if isinstance(fold.of, Column):
                columns[f"v{i}"] = frame[fold.of.name]
            asked.append(_sql_of(i, fold))
        table = (
            pa.table(columns) if columns else pa.table({"none": pa.nulls(frame.rows, pa.int8())})
        )
        listed = [f"k{i}" for i in range(len(keys))]
        whole = ", ".join((*listed, *asked, "count(*) AS n"))
        by = f" GROUP BY {', '.join(listed)}" if listed else ""
        found = self.table(f"SELECT {whole} FROM t{by}", t=table)  # noqa: S608  # names of ours
        made = {name: flat(found[f"k{i}"]).cast(frame[name].type) for i, name in enumerate(keys)}
        folded = {
            fold.name: _finished(fold, flat(found[f"f{i}"]), frame) for i, fold in enumerate(folds)
        }
        return Frame(found.num_rows, {**made, **folded})


def groups(frame: Frame, keys: Sequence[str], folds: Sequence[Fold]) -> bool:
    """Returns whether DuckDB gives exactly the aggregates that the language means."""
    nested = any(
        pa.types.is_list(frame[k].type) or pa.types.is_fixed_size_list(frame[k].type) for k in keys
    )
    return not nested and all(_serves(fold) for fold in folds)


def _serves(fold: Fold) -> bool:
    if isinstance(fold.of, Constant):
        return False
    type_ = fold.of.type
    if fold.function == "count":
        return not type_.list and type_.vector_dim is None
    if fold.function in ("sum", "avg"):
        return type_.scalar in INTEGERS
    return type_.scalar not in FLOATS or fold.function in ("min", "max")


def _sql_of(place: int, fold: Fold) -> str:
    function = fold.function
    if function == "avg":
        return f"sum(v{place})::VARCHAR || '/' || count(v{place})::VARCHAR AS f{place}"
    if function == "sum":
        return f"sum(v{place})::VARCHAR AS f{place}"
    return f"{function}(v{place}) AS f{place}"


def _finished(fold: Fold, found: pa.Array, frame: Frame) -> pa.Array:
    assert isinstance(fold.of, Column)
    if fold.function == "count":
        return found.cast(pa.int64())
    if fold.function in ("min", "max"):
        return found.cast(frame[fold.of.name].type)
    return pa.array([_number(fold, text) for text in found.to_pylist()], pa.float64())


def _number(fold: Fold, text: str | None) -> float | None:
    """Returns a sum or an average from the exact integers that DuckDB spelled."""
    if text is None:
        return None
    if fold.function == "avg":
        total, _, count = text.partition("/")
        return int(total) / int(count)
    if abs(int(text)) > SUM_MAX:
        raise out_of_range(int(text))
    return float(int(text))


class DuckExpander:
    """Joins starts with all edges in DuckDB."""

    name = "duckdb"

    def __init__(self, source: Source, budget: Budget, duck: Duck) -> None:
        self._columns = ArrowExpander(source, budget)
        self._duck = duck
        self.served = self.name

    def edges(self, edge: IrType, near: Held, *, forward: bool, wanted: Wanted) -> EdgeRows:
        """Returns the edges of a type at *near*."""
        here, there = ("src", "dst") if forward else ("dst", "src")
        self.served = self.name
        found = self._columns.all(edge, wanted)
        at, rows = self._duck.pairs([texts_of(near)], [found[here]])
        places = pa.array(rows)
        names = [n for n in found.columns if n not in (here, there)]
        return EdgeRows(at, found[there].take(places), {n: found[n].take(places) for n in names})

    def reach(
        self, legs: Sequence[tuple[IrType, bool]], near: Held, *, low: int, high: int
    ) -> tuple[Positions, Held] | None:
        """Returns what whole columns give: a recursive query would meet nodes again and again."""
        self.served = self._columns.name
        return self._columns.reach(legs, near, low=low, high=high)


def _numbered(columns: Sequence[pa.Array]) -> pa.Table:
    rows = len(columns[0])
    return pa.table({"n": pa.array(np.arange(rows)), **{f"c{i}": c for i, c in enumerate(columns)}})
