"""The same graph in DuckDB, sqlite, Ladybug and NetworkX, each asked in its own words.

All lie in memory, and have the indexes that help them. An answer that a program cannot give, or only
with an extension that has to be fetched, is missing. Answers are plain Python values, so that they
can be compared with ours before anything is timed.
"""
# ruff: noqa: S608  # every word of the SQL is our own

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec

from benchmarks.graph_data import VECTOR_DIM, Data

Answer = object
AGGREGATE_WEIGHT_MIN: Final = 0.5
AGGREGATE_AGE_MIN: Final = 30


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What every contender is asked for."""

    one: str
    """A person."""
    many: tuple[str, ...]
    """People."""
    word: str
    """What texts are searched for."""
    vector: tuple[float, ...]
    """What tastes are compared with."""


class Rival(Protocol):
    """One program."""

    name: str

    def load(self, data: Data, people: Path, knows: Path) -> None:
        """Takes the graph in, from Parquet where it can, and builds its indexes."""
        ...

    def answers(self, asked: Asked) -> Mapping[str, Callable[[], Answer]]:
        """Returns how it answers, by question."""
        ...


class DuckDb:
    """Tables in memory; it takes no extension offline, so it has no index of texts."""

    name = "DuckDB"

    def load(self, data: Data, people: Path, knows: Path) -> None:
        """Reads the Parquet files into tables."""
        import duckdb

        assert data.nodes.num_rows
        self._db = duckdb.connect()
        self._db.execute(
            "create table people as select name, age, city, about,"
            f" taste::float[{VECTOR_DIM}] as taste from read_parquet('{people}')"
        )
        self._db.execute(
            'create table knows as select "from" as src, "to" as dst, weight'
            f" from read_parquet('{knows}')"
        )
        self._db.execute("create index by_src on knows (src)")
        self._db.execute("create index by_name on people (name)")

    def answers(self, asked: Asked) -> Mapping[str, Callable[[], Answer]]:
        """Returns how it answers."""

        def rows(sql: str, *params: object) -> list[Any]:
            return self._db.execute(sql, list(params)).fetchall()

        return {
            **sql_hops(rows, asked),
            "many": lambda: rows(
                "select count(*) from knows a join knows b on b.src = a.dst"
                " where a.src in (select unnest(?))",
                list(asked.many),
            )[0][0],
            "aggregate": lambda: rounded(rows(AGGREGATE)),
            "vector": lambda: names(
                rows(
                    "select name from people"
                    f" order by array_distance(taste, ?::float[{VECTOR_DIM}]), name limit 10",
                    list(asked.vector),
                )
            ),
        }


class DuckDbOnArrow:
    """DuckDB over the Arrow tables as they lie, which is what its columns cost without a load."""

    name = "DuckDB on Arrow"

    def load(self, data: Data, people: Path, knows: Path) -> None:
        """Names the tables."""
        import duckdb

        assert people.exists()
        assert knows.exists()
        self._db = duckdb.connect()
        self._db.register("people", data.nodes)
        self._db.register("knows", data.edges.rename_columns(["src", "dst", "weight"]))

    def answers(self, asked: Asked) -> Mapping[str, Callable[[], Answer]]:
        """Returns how it answers the aggregate: the one question that reads all rows."""
        assert asked.many
        return {"aggregate": lambda: rounded(self._db.execute(AGGREGATE).fetchall())}


class Sqlite:
    """Tables in memory, with B-trees and an FTS5 index."""

    name = "sqlite"

    def load(self, data: Data, people: Path, knows: Path) -> None:
        """Inserts all rows by prepared statements, then builds the indexes."""
        assert people.exists()
        assert knows.exists()
        self._db = sqlite3.connect(":memory:", isolation_level=None)
        run = self._db.execute
        run("create table people (name text primary key, age int, city text) without rowid")
        run("create table knows (src text, dst text, weight real)")
        run("create virtual table texts using fts5 (about, name unindexed)")
        run("begin")
        columns = [data.nodes[c].to_pylist() for c in ("name", "age", "city")]
        self._db.executemany("insert into people values (?, ?, ?)", zip(*columns, strict=True))
        texts = (data.nodes[c].to_pylist() for c in ("about", "name"))
        self._db.executemany("insert into texts values (?, ?)", zip(*texts, strict=True))
        edges = [data.edges[c].to_pylist() for c in ("from", "to", "weight")]
        self._db.executemany("insert into knows values (?, ?, ?)", zip(*edges, strict=True))
        run("create index by_src on knows (src, dst)")
        run("commit")

    def answers(self, asked: Asked) -> Mapping[str, Callable[[], Answer]]:
        """Returns how it answers."""

        def rows(sql: str, *params: object) -> list[Any]:
            return self._db.execute(sql, params).fetchall()

        marks = ", ".join("?" * len(asked.many))
        count = (
            f"select count(*) from knows a join knows b on b.src = a.dst where a.src in ({marks})"
        )
        return {
            **sql_hops(rows, asked),
            "many": lambda: rows(count, *asked.many)[0][0],
            "aggregate": lambda: rounded(rows(AGGREGATE)),
            "text": lambda: len(
                rows(
                    "select name from texts where texts match ? order by bm25(texts), name limit 10",
                    asked.word,
                )
            ),
        }


class Ladybug:
    """A graph database in memory, asked in Cypher."""

    name = "Ladybug"

    def load(self, data: Data, people: Path, knows: Path) -> None:
        """Copies the Parquet files into tables."""
        import ladybug

        assert data.nodes.num_rows
        self._db = ladybug.Database(":memory:")
        self._link = ladybug.Connection(self._db)
        run = self._link.execute
        run(
            "create node table Person (name string primary key, age int32, city string,"
            f" about string, taste float[{VECTOR_DIM}])"
        )
        run("create rel table Knows (from Person to Person, weight double)")
        run(f"copy Person from '{people}'")
        run(f"copy Knows from '{knows}'")

    def answers(self, asked: Asked) -> Mapping[str, Callable[[], Answer]]:
        """Returns how it answers."""
        import ladybug

        def rows(text: str, **params: object) -> list[Any]:
            found = self._link.execute(text, params)
            assert isinstance(found, ladybug.QueryResult)
            return found.get_all()

        def hops(path: str) -> Callable[[], Answer]:
            text = f"match (a:Person)-{path}(z:Person) where a.name = $one return z.name"
            return lambda: names(rows(text, one=asked.one))

        knows = "[:Knows]->"
        return {
            "hops 1": hops(knows),
            "hops 2": hops(f"{knows}(:Person)-{knows}"),
            "hops 3": hops(f"{knows}(:Person)-{knows}(:Person)-{knows}"),
            "reach": hops("[:Knows* SHORTEST 1..3]->"),
            "many": lambda: rows(
                f"match (a:Person)-{knows}(:Person)-{knows}(z:Person) where a.name in $many"
                " return count(*)",
                many=list(asked.many),
            )[0][0],
            "aggregate": lambda: rounded(
                rows(
                    "match (a:Person)-[k:Knows]->(b:Person)"
                    f" where k.weight >= {AGGREGATE_WEIGHT_MIN} and a.age >= {AGGREGATE_AGE_MIN}"
                    " return b.city, count(*), avg(k.weight)"
                )
            ),
            "vector": lambda: names(
                rows(
                    "match (p:Person) return p.name, array_distance(p.taste,"
                    f" cast($v, 'float[{VECTOR_DIM}]')) as far order by far, p.name limit 10",
                    v=list(asked.vector),
                )
            ),
        }


class NetworkX:
    """Dictionaries of dictionaries, walked in Python."""

    name = "NetworkX"

    def load(self, data: Data, people: Path, knows: Path) -> None:
        """Adds nodes and edges with their properties."""
        import networkx as nx  # type: ignore[import-untyped]  # it publishes none

        assert people.exists()
        assert knows.exists()
        self._graph = nx.DiGraph()
        columns = [data.nodes[c].to_pylist() for c in ("name", "age", "city")]
        self._graph.add_nodes_from(
            (name, {"age": age, "city": city}) for name, age, city in zip(*columns, strict=True)
        )
        edges = [data.edges[c].to_pylist() for c in ("from", "to", "weight")]
        self._graph.add_weighted_edges_from(zip(*edges, strict=True))

    def answers(self, asked: Asked) -> Mapping[str, Callable[[], Answer]]:
        """Returns how it answers."""
        import networkx as nx

        graph = self._graph

        def walk(starts: Sequence[str], hops: int) -> list[str]:
            ends = list(starts)
            for _ in range(hops):
                ends = [after for end in ends for after in graph.adj[end]]
            return ends

        def reach() -> Answer:
            found = nx.single_source_shortest_path_length(graph, asked.one, cutoff=3)
            return sorted(n for n, distance in found.items() if distance)

        def aggregate() -> Answer:
            counts: Counter[str] = Counter()
            sums: defaultdict[str, float] = defaultdict(float)
            ages, cities = dict(graph.nodes(data="age")), dict(graph.nodes(data="city"))
            for source, target, weight in graph.edges(data="weight"):
                if weight >= AGGREGATE_WEIGHT_MIN and ages[source] >= AGGREGATE_AGE_MIN:
                    counts[cities[target]] += 1
                    sums[cities[target]] += weight
            return rounded([(city, n, sums[city] / n) for city, n in counts.items()])

        return {
            "hops 1": lambda: sorted(walk([asked.one], 1)),
            "hops 2": lambda: sorted(walk([asked.one], 2)),
            "hops 3": lambda: sorted(walk([asked.one], 3)),
            "reach": reach,
            "many": lambda: len(walk(asked.many, 2)),
            "aggregate": aggregate,
        }


AGGREGATE: Final = (
    "select b.city, count(*), avg(k.weight) from knows k"
    " join people a on a.name = k.src join people b on b.name = k.dst"
    f" where k.weight >= {AGGREGATE_WEIGHT_MIN} and a.age >= {AGGREGATE_AGE_MIN} group by b.city"
)
REACH: Final = (
    "with recursive r (node, hops) as (select ?, 0 union"
    " select k.dst, r.hops + 1 from r join knows k on k.src = r.node where r.hops < 3)"
    " select distinct node from r where hops > 0"
)


def sql_hops(rows: Callable[..., list[Any]], asked: Asked) -> dict[str, Callable[[], Answer]]:
    """Returns the hops from one person in SQL."""

    def one(sql: str) -> Callable[[], Answer]:
        return lambda: names(rows(sql, asked.one))

    return {
        "hops 1": one("select dst from knows where src = ?"),
        "hops 2": one("select b.dst from knows a join knows b on b.src = a.dst where a.src = ?"),
        "hops 3": one(
            "select c.dst from knows a join knows b on b.src = a.dst"
            " join knows c on c.src = b.dst where a.src = ?"
        ),
        "reach": one(REACH),
    }


def names(rows: Sequence[Sequence[Any]]) -> list[str]:
    """Returns the first column, sorted."""
    return sorted(row[0] for row in rows)


def rounded(rows: Sequence[Sequence[Any]]) -> list[tuple[str, int, float]]:
    """Returns groups by city, with averages that do not depend on the order of the sum."""
    return sorted((city, int(count), round(average, 9)) for city, count, average in rows)
