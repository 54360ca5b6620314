"""A small graph on a disk whose branches are written as dictionaries: the model's own states."""

import random

import pyarrow as pa

from agentctl.graph.branching.branches import create_branch
from agentctl.graph.branching.merging import merge
from agentctl.graph.branching.points import resolve
from agentctl.graph.branching.sides import sides_of
from agentctl.graph.branching.told import MergeReport
from agentctl.graph.commit import TypeState, next_commit
from agentctl.graph.layout import MAIN
from agentctl.graph.port import SchemaPayload, Stamp
from agentctl.graph.roots import tag_of
from agentctl.graph.snapshot import Snapshot
from agentctl.graph.tables import Tables
from agentctl.graph.writes.applying import apply_changes
from agentctl.graph.writes.changes import Changes, TypeChange
from agentctl.graph.writing import reshape_types
from agentctl.languages.schema.ir import IrType
from agentctl.testing.staged_rows import staged_from
from tests.graph.merging.merge_model import Graph, Sort, broken
from tests.graph.storage.storage_rig import Rig

SCHEMA = """
node Person { slug: String @key  email: String? @unique(email)  age: I32? }
node City { slug: String @key  size: I32? }
edge LivesIn: Person -> City @card(1..2)
edge Knows: Person -> Person { since: I32?  @unique(src, dst) }
"""
SORTS = {
    "Person": Sort("Person", unique=(("email",),)),
    "City": Sort("City"),
    "LivesIn": Sort("LivesIn", source="Person", target="City", least=1, most=2),
    "Knows": Sort("Knows", source="Person", target="Person", unique=(("from", "to"),)),
}
State = dict[tuple[str, str], dict[str, object]]


class MergeRig(Rig):
    """One graph `g` and what its branches hold."""

    async def begin(self, rows: Graph, text: str = SCHEMA) -> None:
        """Makes the graph with these rows."""
        await self.create(text=text)
        await self.become(rows)

    async def branch(self, name: str, source: str = MAIN) -> None:
        """Cuts a branch from the head of another."""
        await create_branch(self.roots, "g", name, source=source, stamp=self.stamp())

    async def become(self, rows: Graph, branch: str = MAIN) -> None:
        """Makes a branch hold exactly these rows, by one commit that writes only what differs."""
        before = await self.rows(branch)
        head = await self.roots.head("g", branch)
        ir = await self.roots.ir("g", head)
        stamp = self.stamp()

        def written(tables: Tables) -> dict[str, TypeState]:
            changes = {t.id: _change(t, before, rows) for t in ir.types}
            snapshot = Snapshot(head, ir, tables)
            return apply_changes(
                tables, snapshot, Changes(types=changes), tag_of(head.n + 1, stamp, branch)
            )

        types = await self.roots.on_tables("g", head.incarnation, written)
        await self.roots.log.append("g", next_commit(head, "write", stamp, types=types), head=head)

    async def rows(self, branch: str = MAIN, at: str | None = None) -> State:
        """Returns all rows at a point."""
        commit = await resolve(self.roots, "g", branch=branch, at=at)

        def read(snapshot: Snapshot) -> State:
            return {
                (ir_type.name, row_id): row
                for ir_type in snapshot.ir.types
                for row_id, row in _read(snapshot, ir_type).items()
            }

        return await self.roots.on_snapshot("g", commit, read)

    async def merge(
        self,
        source: str,
        into: str = MAIN,
        *,
        stamp: Stamp | None = None,
        if_commit: str | None = None,
    ) -> MergeReport:
        """Merges one branch into another."""
        return await merge(
            self.roots, "g", source, into=into, stamp=stamp or self.stamp(), if_commit=if_commit
        )

    async def migrate(self, schema: SchemaPayload, branch: str) -> None:
        """Makes a schema the one in force on a branch."""
        head = await self.roots.head("g", branch)
        stamp = self.stamp()
        ref = await self.roots.write_schema("g", schema)
        tag = tag_of(head.n + 1, stamp, branch)
        types = await self.roots.on_tables(
            "g", head.incarnation, lambda tables: reshape_types(tables, head, schema.ir, tag=tag)
        )
        commit = next_commit(head, "schema", stamp, schema=ref, types=types)
        await self.roots.log.append("g", commit, head=head)


def _read(snapshot: Snapshot, ir_type: IrType) -> dict[str, dict[str, object]]:
    table = snapshot.dataset(ir_type).to_table()
    sides = [dict(side) for side in sides_of(ir_type, table)]
    return dict(zip(table["id"].to_pylist(), sides, strict=True))


def _change(ir_type: IrType, before: Graph, rows: Graph) -> TypeChange:
    old = {i: row for (name, i), row in before.items() if name == ir_type.name}
    new = {i: row for (name, i), row in rows.items() if name == ir_type.name}
    staged = {i: row for i, row in new.items() if old.get(i) != row}
    gone = sorted(old.keys() - new.keys())
    columns: dict[str, list[object]] = {"id": list(staged)}
    for column, name in _spellings(ir_type).items():
        columns[column] = [row.get(name) for row in staged.values()]
    return TypeChange(
        type=ir_type,
        rows=staged_from(ir_type, columns) if staged else None,
        deleted=pa.array(gone, pa.utf8()) if gone else None,
    )


def _spellings(ir_type: IrType) -> dict[str, str]:
    ends = {"src": "from", "dst": "to"} if ir_type.kind == "edge" else {}
    return ends | {p.column: p.name for p in ir_type.properties}


def person(slug: str, city: str, **more: object) -> State:
    """Returns a person, who must live somewhere."""
    return {
        ("Person", slug): {"slug": slug, "email": None, "age": None} | more,
        ("LivesIn", f"l-{slug}"): {"from": slug, "to": city},
    }


def city(slug: str, size: int | None = None) -> State:
    """Returns a city."""
    return {("City", slug): {"slug": slug, "size": size}}


def knows(edge: str, source: str, target: str, since: int | None = None) -> State:
    """Returns that somebody knows somebody."""
    return {("Knows", edge): {"from": source, "to": target, "since": since}}


def stepped(rng: random.Random, rows: Graph, steps: int) -> State:
    """Returns the rows after some random steps, each of which leaves the graph whole."""
    now: State = {key: dict(row) for key, row in rows.items()}
    for _ in range(steps):
        after = {key: dict(row) for key, row in now.items()}
        _step(rng, after)
        if not any(broken(SORTS, {}, after)):
            now = after
    return now


def _step(rng: random.Random, rows: State) -> None:
    who, where = f"p{rng.randrange(5)}", f"c{rng.randrange(3)}"
    what = rng.randrange(9)
    if what == 0:
        fresh = person(who, where, age=rng.randrange(3))
        rows |= {k: r for k, r in fresh.items() if ("Person", who) not in rows}
    elif what == 1 and ("Person", who) in rows:
        rows["Person", who]["age"] = rng.randrange(3)
    elif what == 2 and ("Person", who) in rows:
        rows["Person", who]["email"] = rng.choice([None, "x@y", "z@y"])
    elif what == 3:
        _take(rows, "Person", who)
    elif what == 4:
        _take(rows, "City", where)
    elif what == 5:
        rows |= {k: r for k, r in city(where, rng.randrange(2)).items() if k not in rows}
    elif what == 6:
        edge = f"{rng.choice('klm')}{rng.randrange(4)}"
        since = rng.randrange(2)
        rows |= knows(edge, who, f"p{rng.randrange(5)}", since)
    elif what == 7:
        rows["LivesIn", f"m-{who}"] = {"from": who, "to": where}
    else:
        rows.pop(rng.choice(sorted(rows)) if rows else ("", ""), None)


def _take(rows: State, node: str, slug: str) -> None:
    """Deletes a node with its edges, as a mutation does."""
    rows.pop((node, slug), None)
    for key, row in list(rows.items()):
        sort = SORTS[key[0]]
        if (sort.source == node and row.get("from") == slug) or (
            sort.target == node and row.get("to") == slug
        ):
            del rows[key]
