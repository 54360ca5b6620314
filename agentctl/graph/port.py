"""What the engine of the control plane needs of graphs, and nothing more. Source: graph-engine 5.

The Lance engine implements it (`agentctl.graph.lance_port`) and so does the in-memory one of
`agentctl.testing`; both pass one conformance suite. Every writing call makes at most one commit of
`main`, bears the nonce it is given, and does nothing when that commit is there already, so that a
repeated call is harmless. A call that loses the race for the commit's number raises
`ReadSetConflictError` and leaves the graph as the winner made it.
"""

from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Literal, Protocol

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.domain.ledger.observations import LiveGraph
from agentctl.domain.ledger.peeks import Peek
from agentctl.graph.embedder import Embedder
from agentctl.graph.layout import MAIN
from agentctl.languages.query.plan import CheckedQuery
from agentctl.languages.schema.ir import SchemaIr


class GraphError(Exception):
    """A graph could not do what was asked; `diagnostic` says why."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.message)
        self.diagnostic = diagnostic


class ReadSetConflictError(GraphError):
    """Another writer committed first."""


class Stamp(msgspec.Struct, frozen=True, kw_only=True):
    """What every commit carries about its making."""

    op: str
    actor: str
    on_behalf_of: str | None
    intent: str
    epoch: int
    """Of the lease of the branch."""
    nonce: str
    """32 hex digits; the commit's identity across retries."""
    at: str


class SchemaPayload(msgspec.Struct, frozen=True, kw_only=True):
    """A schema as a graph stores it."""

    source: bytes
    source_digest: str
    shape_digest: str
    ir: SchemaIr


class LoadReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a load did; with diagnostics of severity error nothing was written."""

    commit: str | None
    rows: Mapping[str, int]
    """Rows loaded, by type name."""
    diagnostics: tuple[Diagnostic, ...] = ()


class ColumnInfo(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One column of a read reply; kinds as the catalog projection of languages 2.6."""

    name: str
    kind: str
    nullable: bool = False


class ReadReply(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of a read. Source: access-and-faces 2.1."""

    query_name: str
    target: Mapping[str, str]
    row_count: int
    columns: tuple[ColumnInfo, ...]
    rows: tuple[Mapping[str, object], ...]
    graph_commit_id: str


class CommitInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One commit of a branch, as `ops` and `graph show` list it."""

    id: str
    kind: str
    created_at: str
    op: str
    actor: str
    on_behalf_of: str | None
    intent: str
    rows: Mapping[str, int]
    nonce: str = ""
    """The commit's identity across retries; recovery looks for it."""
    incarnation: str = ""
    """Of the graph whose commit it is; an older one's lie below a newer one's."""


class BranchInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A live branch."""

    name: str
    head: CommitInfo
    """Its newest commit."""
    schema: str
    """Shape digest of its schema; branches keep the one that they were cut with."""


class Pin(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A commit that is kept for an op: ``_graph/pins/<n>.<op>.json``."""

    version: Literal[1] = 1
    commit: int
    branch: str = MAIN
    """Whose commit it is; of another than `main` in a sandbox alone."""
    incarnation: str
    op: str
    """The op that needs it; no other lets go of it."""
    at: str
    content: str
    """Digest of what the commit names; a revert to it has the same."""


class GraphPort(Protocol):
    """Graphs of one storage root, by id."""

    def uri(self, graph_id: str) -> str:
        """Returns the graph root's location: ``<storage>/graphs/<id>.omni``."""
        ...

    async def observe(self, graph_id: str) -> LiveGraph:
        """Returns what the root holds; never raises for what it finds there."""
        ...

    async def roots(self) -> tuple[str, ...]:
        """Returns the ids of all roots on the storage, sorted."""
        ...

    async def create(
        self, graph_id: str, *, schema: SchemaPayload, incarnation: str, stamp: Stamp
    ) -> int:
        """Makes the root with empty datasets and commit `create`; returns the commit's number."""
        ...

    async def migrate(
        self, graph_id: str, *, schema: SchemaPayload, observed: int, stamp: Stamp
    ) -> int:
        """Makes *schema* the one in force by one commit `schema` on top of commit *observed*.

        Carries out whatever the planner emits and `domain.plan.storable` does not name, or only
        stores a new source (an empty migration). Identities are those of the IR. Where the schema
        permits less than before, the rows are looked at first: `schema_rows_violate` tells of those
        that it does not permit, and nothing is changed. Anything else is a bug of the caller.
        """
        ...

    async def peek(self, graph_id: str, ir: SchemaIr, *, rows_max: int) -> tuple[Peek, ...]:
        """Returns, in counts, what of the rows in force *ir* would not permit, or would drop.

        Looks at no more than *rows_max* rows for each thing that it asks, and changes nothing. *ir*
        is one that graphs may not hold yet: what is asked of rows does not depend on that.
        """
        ...

    async def erase(self, graph_id: str, *, observed: int, stamp: Stamp) -> int:
        """Takes away for good what the newest commit does not name; no earlier one can be gone back to.

        One commit `erase` names what *observed* named, in datasets that hold nothing else; then what
        older commits named goes: dropped types, dropped properties, rows that were replaced. Called
        again with the same nonce it goes on with the removal. `graph_pinned` where an op still
        needs an earlier commit.
        """
        ...

    async def detach(self, graph_id: str, *, observed: int, stamp: Stamp) -> int:
        """Writes the tombstone of `main`, then those of the other branches; all data is kept."""
        ...

    async def restore(self, graph_id: str, *, incarnation: str, stamp: Stamp) -> int:
        """Writes a `restore` commit that brings back the commit before the tombstone.

        Branches that ended with the graph come back with it, by one such commit each.

        `graph_restore_refused` where a purge was decided, or a newer incarnation lies over it.
        """
        ...

    async def purge(self, graph_id: str, *, incarnation: str, observed: int, stamp: Stamp) -> None:
        """Removes the data of a detached incarnation; its commits stay. Repeating it is harmless.

        A commit `purge` on the tombstone *observed* comes before the first removal. It takes the
        number that a restore would need, so only one of the two is ever done; after it, and for an
        incarnation that a newer one lies over, the removal only goes on. `graph_not_detached`
        where the graph lives, `read_set_conflict` where it was detached again since.
        """
        ...

    async def fence(self, graph_id: str, *, observed: int, stamp: Stamp, branch: str = MAIN) -> int:
        """Writes a `fence` commit of a branch, that changes nothing but the epoch."""
        ...

    async def branches(self, graph_id: str) -> tuple[BranchInfo, ...]:
        """Returns the live branches of a live graph, `main` first, then by name."""
        ...

    async def branch_create(  # what is cut, from where, and by whom
        self, graph_id: str, name: str, *, source: str = MAIN, at: str | None = None, stamp: Stamp
    ) -> BranchInfo:
        """Cuts a branch from a point of the history of *source*; costs the same for any size.

        *at* is a commit's number on *source* or its id ``<branch>:<n>``; None is the newest. The
        first commit of the branch, of kind `branch`, names that commit as its parent. Repeating it
        with the same nonce is harmless. `graph_branch_exists`, `graph_branch_invalid` for the name,
        `graph_branch_missing` for *source*, `graph_point_missing`, `graph_collected`.
        """
        ...

    async def branch_delete(self, graph_id: str, name: str, *, observed: int, stamp: Stamp) -> int:
        """Ends a branch by a tombstone on its commit *observed*; returns the tombstone's number.

        `graph_branch_invalid` for `main`, `graph_branch_missing`, `read_set_conflict`.
        """
        ...

    async def load(
        self,
        graph_id: str,
        lines: AsyncIterator[bytes] | Iterable[bytes],
        *,
        mode: Literal["append", "merge", "overwrite"],
        stamp: Stamp,
    ) -> LoadReport:
        """Loads NDJSON lines by one commit, or nothing at all."""
        ...

    async def run(
        self,
        graph_id: str,
        query: CheckedQuery,
        params: Mapping[str, object],
        *,
        limit: int | None = None,
        embedder: Embedder | None = None,
    ) -> ReadReply:
        """Runs a checked query with bound parameters on the newest commit of `main`.

        *limit* bounds the rows returned, besides the query's own limit; *embedder* makes vectors of
        the texts that `nearest` is asked with.
        """
        ...

    async def history(self, graph_id: str, *, limit: int = 50) -> tuple[CommitInfo, ...]:
        """Returns the newest commits of `main`, newest first."""
        ...

    async def pin(self, graph_id: str, number: int, *, stamp: Stamp) -> Pin:
        """Keeps commit *number* of `main` for the op of *stamp*; repeating it is harmless.

        `graph_revert_refused` where it is no commit of a graph, or its data is not all there.
        """
        ...

    async def unpin(self, graph_id: str, number: int, *, op: str) -> None:
        """Lets go of a commit, as far as *op* needed it; repeating it is harmless."""
        ...

    async def pins(self, graph_id: str) -> tuple[Pin, ...]:
        """Returns every pin of a graph, by commit."""
        ...

    async def revert(self, graph_id: str, number: int, *, observed: int, stamp: Stamp) -> int:
        """Makes what commit *number* named the newest again, by one commit `revert` on *observed*.

        `graph_revert_refused` as of `pin`, and for a commit of an earlier incarnation.
        """
        ...
