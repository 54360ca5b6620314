"""Graphs in memory: a `GraphPort` without Lance, for tests of everything above the graph engine.

It keeps commits of the same form as the real one and passes the same conformance suite. What it
stores lives in `MemoryRoots`, which outlives a port as a disk outlives a process: a test crashes
one port and looks at the roots with another.
"""

import secrets
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from typing import Literal

from agentctl.diagnostics.diagnostic import error
from agentctl.domain.ledger.observations import LiveGraph
from agentctl.domain.ledger.peeks import Peek
from agentctl.graph.chunks import each_chunk
from agentctl.graph.commit import (
    ENDED,
    Commit,
    SchemaRef,
    commit_info,
    first_commit,
    next_commit,
    rows_by_name,
)
from agentctl.graph.embedder import Embedder
from agentctl.graph.judging import judgements, refuse_broken
from agentctl.graph.layout import MAIN, commit_id, root
from agentctl.graph.lines import LineReader
from agentctl.graph.location import BeforeWrite
from agentctl.graph.log import check_epoch, check_observed, require_live
from agentctl.graph.migration import check_migration, check_types
from agentctl.graph.peeking import counted, leaving_answer, questions
from agentctl.graph.pinning import REVERTIBLE, content_digest
from agentctl.graph.port import (
    CommitInfo,
    GraphError,
    LoadReport,
    Pin,
    ReadReply,
    ReadSetConflictError,
    SchemaPayload,
    Stamp,
)
from agentctl.graph.purging import check_restorable, claim_of
from agentctl.graph.reads.reply_columns import column_infos
from agentctl.graph.refusals import (
    conflict,
    foreign,
    pinned,
    restore_refused,
    revert_refused,
    root_missing,
)
from agentctl.ids import graph_address, ulid
from agentctl.languages.query.plan import CheckedQuery
from agentctl.languages.schema.ir import SchemaIr, ir_digest
from agentctl.testing import graph_branches
from agentctl.testing.graph_branches import MemoryBranches
from agentctl.testing.graph_loads import MemoryLoad
from agentctl.testing.graph_rows import broken_rows, in_force, reshaped, states_of
from agentctl.testing.naive import Naive, SumOutOfRangeError, Tables
from agentctl.testing.naive_runs import refuse_beyond

Mode = Literal["append", "merge", "overwrite"]


class MemoryRoot:
    """What one root holds."""

    def __init__(self) -> None:
        self.commits: list[Commit] = []
        self.tables: dict[str, Tables] = {}
        """Entities by the nonce of the commit that names them."""
        self.branches: dict[str, list[Commit]] = {}
        self.branch_tables: dict[tuple[str, int], Tables] = {}
        self.irs: dict[str, SchemaIr] = {}
        self.purged: set[str] = set()
        """Incarnations whose data is gone."""
        self.purging: set[str] = set()
        """Incarnations whose purge was begun: what is left of their data is no graph any more."""
        self.pins: dict[tuple[int, str], Pin] = {}
        """By commit and op."""
        self.foreign: str | None = None
        """Why another program owns it."""

    @property
    def head(self) -> Commit | None:
        """The newest commit."""
        return self.commits[-1] if self.commits else None


class MemoryRoots:
    """A storage of graphs, by id."""

    def __init__(self) -> None:
        self.by_id: dict[str, MemoryRoot] = {}


class MemoryGraphs(MemoryBranches):
    """Graphs of one `MemoryRoots`."""

    def __init__(
        self,
        roots: MemoryRoots | None = None,
        *,
        uri: str = "memory://storage",
        before_table_write: BeforeWrite | None = None,
        mint: Callable[[], str] | None = None,
    ) -> None:
        self._roots = roots or MemoryRoots()
        self._uri = uri
        self._before_write = before_table_write or _ignore
        self._mint = mint or (lambda: ulid(0, secrets.token_bytes(10)))

    def uri(self, graph_id: str) -> str:
        """Returns the graph root's location."""
        return f"{self._uri}/{root(graph_id)}"

    async def roots(self) -> tuple[str, ...]:
        """Returns the ids of all roots, sorted."""
        return tuple(sorted(self._roots.by_id))

    async def observe(self, graph_id: str) -> LiveGraph:
        """Returns what the root holds."""
        found = self._roots.by_id.get(graph_id)
        uri = self.uri(graph_id)
        if found is not None and found.foreign is not None:
            return LiveGraph(graph_id=graph_id, uri=uri, presence="foreign", error=found.foreign)
        head = found.head if found is not None else None
        if found is None or head is None:
            return LiveGraph(graph_id=graph_id, uri=uri, presence="absent")
        gone = head.incarnation in found.purged and (bool(head.types) or head.kind == "purge")
        detached: Literal["detached", "purged"] = "purged" if gone else "detached"
        return LiveGraph(
            graph_id=graph_id,
            uri=uri,
            presence=detached if head.kind in ENDED else "live",
            commit=head.n,
            nonce=head.nonce,
            incarnation=head.incarnation,
            content=content_digest(head),
            source_digest=None if gone else head.schema.source_digest,
            shape_digest=None if gone else head.schema.shape_digest,
            ir=None if gone else found.irs[head.schema.ir_digest],
            rows={} if gone else rows_by_name(head),
            bytes=0 if gone else 64 * sum(t.rows + 1 for t in head.types.values()),
            last_write=head.created_at,
            branches=tuple(graph_branches.live_heads(found)),
            partly_purged=not gone
            and (
                head.kind == "purge"
                or (head.kind == "tombstone" and head.incarnation in found.purging)
            ),
            purge_since=head.created_at if head.kind == "purge" else None,
        )

    async def create(
        self, graph_id: str, *, schema: SchemaPayload, incarnation: str, stamp: Stamp
    ) -> int:
        """Makes the root, empty, and commit `create`."""
        check_types(graph_id, schema.ir)
        if graph_id not in self._roots.by_id:
            self._before_write("create root")
            self._roots.by_id[graph_id] = MemoryRoot()
        here = self._root(graph_id)
        head = here.head
        if head is not None:
            done = _done_as(here, stamp.nonce, after=0)
            if done is not None:
                return done
            if head.kind not in ENDED or head.incarnation == incarnation:
                raise conflict(graph_id, expected=None, actual=head)
            check_epoch(graph_id, head, stamp.epoch)
        number = len(here.commits) + 1
        tables: Tables = {t.id: {} for t in schema.ir.types}
        commit = first_commit(
            schema=_ref(here, schema),
            types=states_of(schema.ir, tables, number),
            incarnation=incarnation,
            stamp=stamp,
            n=number,
        )
        return self._commit(here, commit, tables)

    async def migrate(
        self, graph_id: str, *, schema: SchemaPayload, observed: int, stamp: Stamp
    ) -> int:
        """Makes *schema* the one in force."""
        check_types(graph_id, schema.ir)
        here, head, done = self._begin(graph_id, observed, stamp)
        if done is not None:
            return done
        old, before = here.irs[head.schema.ir_digest], here.tables[head.nonce]
        check_migration(old, schema.ir)
        refuse_broken(graph_id, [(j, broken_rows(before, j)) for j in judgements(old, schema.ir)])
        tables = {t.id: reshaped(before.get(t.id, {}), t) for t in schema.ir.types}
        states = states_of(schema.ir, tables, head.n + 1)
        commit = next_commit(head, "schema", stamp, schema=_ref(here, schema), types=states)
        return self._commit(here, commit, tables)

    async def peek(self, graph_id: str, ir: SchemaIr, *, rows_max: int) -> tuple[Peek, ...]:
        """Returns, in counts, what of the rows in force *ir* would not permit, or would drop."""
        here, head = self._head(graph_id)
        require_live(graph_id, head)
        tables = here.tables[head.nonce]
        found: list[Peek] = []
        for question in questions(here.irs[head.schema.ir_digest], ir):
            rows = list(tables.get(question.type_id, {}).values())
            if question.leaving is not None:
                edges = len(tables.get(question.leaving.type_id, {}))
                looks = max(edges, len(rows)) <= rows_max
                broken = broken_rows(tables, question.leaving) if looks else 0
                looked_at = len(rows) if looks else 0
                found.append(
                    leaving_answer(question, nodes=len(rows), looked_at=looked_at, broken=broken)
                )
                continue
            values = (tuple(row.values.get(c) for c in question.columns) for row in rows[:rows_max])
            found.append(counted(question, values, total=len(rows)))
        return tuple(found)

    async def erase(self, graph_id: str, *, observed: int, stamp: Stamp) -> int:
        """Takes away for good what the newest commit does not name."""
        here, head = self._head(graph_id)
        done = _done_as(here, stamp.nonce, after=0)
        if done is None:
            here, head, done = self._begin(graph_id, observed, stamp)
        if done is None:
            kept = [p.op for p in here.pins.values() if p.incarnation == head.incarnation]
            kept += graph_branches.kept_for(here, below=head.n + 1)
            if kept:
                raise pinned(graph_id, kept)
            self._before_write("rewrite")
            tables = in_force(here.tables[head.nonce], here.irs[head.schema.ir_digest])
            states = states_of(here.irs[head.schema.ir_digest], tables, head.n + 1)
            done = self._commit(here, next_commit(head, "erase", stamp, types=states), tables)
        self._before_write("forget")
        incarnation = here.commits[done - 1].incarnation
        for commit in here.commits[: done - 1]:
            if commit.incarnation == incarnation:
                here.tables.pop(commit.nonce, None)
        return done

    async def detach(self, graph_id: str, *, observed: int, stamp: Stamp) -> int:
        """Writes the tombstone commit."""
        here, head, done = self._begin(graph_id, observed, stamp)
        if done is not None:
            return done
        self._commit(here, next_commit(head, "tombstone", stamp), here.tables[head.nonce])
        graph_branches.ended(here, stamp)
        return head.n + 1

    async def fence(self, graph_id: str, *, observed: int, stamp: Stamp, branch: str = MAIN) -> int:
        """Writes a `fence` commit that changes nothing but the epoch."""
        if branch != MAIN:
            here, _ = self._head(graph_id)
            return graph_branches.on_top(
                graph_id, here, branch, "fence", observed=observed, stamp=stamp
            )
        here, head, done = self._begin(graph_id, observed, stamp)
        if done is not None:
            return done
        return self._commit(here, next_commit(head, "fence", stamp), here.tables[head.nonce])

    async def restore(self, graph_id: str, *, incarnation: str, stamp: Stamp) -> int:
        """Writes a `restore` commit."""
        here, head = self._head(graph_id)
        done = _done_as(here, stamp.nonce, after=0)
        if done is not None:
            return done
        check_restorable(graph_id, head, incarnation)
        check_epoch(graph_id, head, stamp.epoch)
        if incarnation in here.purging and head.types:
            raise restore_refused(graph_id, "its data was purged")
        try:
            done = self._commit(here, next_commit(head, "restore", stamp), here.tables[head.nonce])
        except ReadSetConflictError:
            check_restorable(graph_id, here.commits[-1], incarnation)
            raise
        graph_branches.revived(here, head, stamp)
        return done

    async def purge(self, graph_id: str, *, incarnation: str, observed: int, stamp: Stamp) -> None:
        """Removes the data of a detached incarnation, after a `purge` commit."""
        if graph_id not in self._roots.by_id:
            return
        here = self._root(graph_id)
        head = here.head
        if head is None:
            return
        claim = claim_of(graph_id, head, incarnation, observed=observed, stamp=stamp)
        if claim is not None:
            try:
                self._commit(here, claim, here.tables[head.nonce])
            except ReadSetConflictError:
                now = here.commits[-1]
                if claim_of(graph_id, now, incarnation, observed=observed, stamp=stamp) is not None:
                    raise
        if incarnation not in here.purged:
            self._before_write("purge versions")
            here.purging.add(incarnation)
            self._before_write("purge")
            here.purged.add(incarnation)

    async def load(
        self,
        graph_id: str,
        lines: AsyncIterator[bytes] | Iterable[bytes],
        *,
        mode: Mode,
        stamp: Stamp,
    ) -> LoadReport:
        """Loads NDJSON lines by one commit, or nothing at all."""
        here, head = self._head(graph_id)
        require_live(graph_id, head)
        check_epoch(graph_id, head, stamp.epoch)
        ir = here.irs[head.schema.ir_digest]
        load = MemoryLoad(ir, here.tables[head.nonce], mode)
        reader = LineReader(ir, self._mint)
        async for chunk in each_chunk(lines):
            for line in chunk:
                load.add(reader.read(line))
        done = _done_as(here, stamp.nonce, after=0)
        if done is not None:
            return LoadReport(commit=commit_id(done), rows=load.rows)
        tables = load.finish()
        if load.violations.count or not load.rows:
            return LoadReport(
                commit=None,
                rows={},
                diagnostics=load.violations.diagnostics(graph_address(graph_id)),
            )
        states = states_of(ir, tables, head.n + 1)
        number = self._commit(here, next_commit(head, "write", stamp, types=states), tables)
        return LoadReport(commit=commit_id(number), rows=load.rows)

    async def run(
        self,
        graph_id: str,
        query: CheckedQuery,
        params: Mapping[str, object],
        *,
        limit: int | None = None,
        embedder: Embedder | None = None,  # noqa: ARG002  # it ranks by no vector
    ) -> ReadReply:
        """Runs a checked query, the slow way."""
        here, head = self._head(graph_id)
        require_live(graph_id, head)
        refuse_beyond(query)
        naive = Naive(here.irs[head.schema.ir_digest], here.tables[head.nonce])
        try:
            rows = naive.rows(query, params, limit=limit)
        except SumOutOfRangeError as failure:
            raise GraphError(
                error("sum_out_of_range", "query", "A sum of integers is beyond 2^53.")
            ) from failure
        return ReadReply(
            query_name=query.name,
            target={"branch": MAIN},
            row_count=len(rows),
            columns=column_infos(query),
            rows=tuple(rows),
            graph_commit_id=commit_id(head.n),
        )

    async def history(self, graph_id: str, *, limit: int = 50) -> tuple[CommitInfo, ...]:
        """Returns the newest commits, newest first."""
        found = self._roots.by_id.get(graph_id, MemoryRoot())
        return tuple(commit_info(commit) for commit in reversed(found.commits))[:limit]

    async def pin(self, graph_id: str, number: int, *, stamp: Stamp) -> Pin:
        """Keeps a commit for the op of *stamp*."""
        here, commit = self._held(graph_id, number)
        self._before_write("pin")
        made = Pin(
            commit=number,
            incarnation=commit.incarnation,
            op=stamp.op,
            at=stamp.at,
            content=content_digest(commit),
        )
        return here.pins.setdefault((number, stamp.op), made)

    async def unpin(self, graph_id: str, number: int, *, op: str) -> None:
        """Lets go of a commit, as far as *op* needed it."""
        self._before_write("unpin")
        self._root(graph_id).pins.pop((number, op), None)

    async def pins(self, graph_id: str) -> tuple[Pin, ...]:
        """Returns every pin, by commit."""
        found = self._roots.by_id.get(graph_id, MemoryRoot()).pins
        return tuple(found[key] for key in sorted(found))

    async def revert(self, graph_id: str, number: int, *, observed: int, stamp: Stamp) -> int:
        """Makes what a commit named the newest again."""
        here, head, done = self._begin(graph_id, observed, stamp)
        if done is not None:
            return done
        _, target = self._held(graph_id, number)
        if target.incarnation != head.incarnation:
            raise revert_refused(graph_id, f"{commit_id(number)} is of an earlier graph of that id")
        commit = next_commit(head, "revert", stamp, schema=target.schema, types=target.types)
        return self._commit(here, commit, here.tables[target.nonce])

    def _held(self, graph_id: str, number: int) -> tuple[MemoryRoot, Commit]:
        here, head = self._head(graph_id)
        if not 1 <= number <= head.n:
            raise revert_refused(graph_id, f"there is no commit {commit_id(number)}")
        commit = here.commits[number - 1]
        if commit.kind not in REVERTIBLE:
            raise revert_refused(graph_id, f"{commit_id(number)} is a {commit.kind}")
        if head.kind == "purge" and head.incarnation == commit.incarnation:
            raise revert_refused(
                graph_id, f"the data of {commit_id(number)} is given up to a purge"
            )
        for later in here.commits[number:]:
            if later.kind == "erase" and later.incarnation == commit.incarnation:
                raise revert_refused(graph_id, f"{commit_id(later.n)} erased what came before it")
        erased = commit.nonce not in here.tables
        if (erased or commit.incarnation in here.purging) and commit.types:
            raise revert_refused(graph_id, f"the data of {commit_id(number)} is gone")
        return here, commit

    def _root(self, graph_id: str) -> MemoryRoot:
        found = self._roots.by_id.get(graph_id)
        if found is None:
            raise root_missing(graph_id)
        if found.foreign is not None:
            raise foreign(graph_id, found.foreign)
        return found

    def _head(self, graph_id: str) -> tuple[MemoryRoot, Commit]:
        here = self._root(graph_id)
        head = here.head
        if head is None:
            raise root_missing(graph_id)
        return here, head

    def _begin(
        self, graph_id: str, observed: int, stamp: Stamp
    ) -> tuple[MemoryRoot, Commit, int | None]:
        here, head = self._head(graph_id)
        done = _done_as(here, stamp.nonce, after=observed)
        if done is None:
            require_live(graph_id, head)
            check_observed(graph_id, head, observed)
            check_epoch(graph_id, head, stamp.epoch)
        return here, head, done

    def _commit(self, here: MemoryRoot, commit: Commit, tables: Tables) -> int:
        self._before_write(f"commit {commit.kind}")
        if len(here.commits) >= commit.n:
            graph_id = next(i for i, root_ in self._roots.by_id.items() if root_ is here)
            raise conflict(graph_id, expected=commit.n - 1, actual=here.head)
        here.tables[commit.nonce] = tables
        here.commits.append(commit)
        return commit.n


def _ignore(label: str) -> None:
    """Stands for a hook that nobody set."""


def _done_as(here: MemoryRoot, nonce: str, *, after: int) -> int | None:
    return next((c.n for c in here.commits[after:] if c.nonce == nonce), None)


def _ref(here: MemoryRoot, schema: SchemaPayload) -> SchemaRef:
    digest = ir_digest(schema.ir)
    here.irs[digest] = schema.ir
    return SchemaRef(
        source_digest=schema.source_digest, shape_digest=schema.shape_digest, ir_digest=digest
    )
