"""What is done with the data of graphs: the second protocol of the engine, beside `agentctl.graph.port`.

Every call names a graph by its id, and a branch where it is not about `main`. A read says at which
commit it looks: `branch` alone is the newest of that branch, `at` a commit's number on it, a commit's
id ``<branch>:<n>``, a tag, or a time as RFC 3339 writes it. A write bears a `Stamp` and makes at most
one commit; with the nonce of one that is there already it does nothing and answers as that one did.
Refusals are `GraphError` with a diagnostic. Source: graph-engine 3 to 6.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.domain.ledger.observations import LiveGraph
from agentctl.graph.asking import NEWEST, Point
from agentctl.graph.branching.tags import Tag
from agentctl.graph.branching.told import DiffReport, FeedPage, MergeReport
from agentctl.graph.embedder import Embedder
from agentctl.graph.layout import MAIN
from agentctl.graph.loads.sources import LoadOptions, LoadOutcome, Source
from agentctl.graph.port import BranchInfo, CommitInfo, ReadReply, Stamp
from agentctl.graph.reads.options import ReadOptions
from agentctl.graph.writes.report import MutationReport
from agentctl.languages.query.plan import CheckedQuery
from agentctl.languages.schema.ir import SchemaIr

if TYPE_CHECKING:
    import pyarrow as pa

    from agentctl.graph.reads.explained import Explained


class CommitRef(msgspec.Struct, frozen=True, kw_only=True):
    """A commit that a point named."""

    id: str
    branch: str
    n: int
    kind: str
    created_at: str


class SchemaText(msgspec.Struct, frozen=True, kw_only=True):
    """A schema as it was written."""

    digest: str
    """SHA-256 of its bytes."""
    source: str


class VerifyReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a look at a whole graph found; without problems it is whole."""

    commits: int
    """Commits looked at, of all branches."""
    collected: int
    """Commits whose data a cleanup let go of; of these only the records were looked at."""
    versions: int
    """Dataset versions that were opened and counted."""
    rows: int
    """Rows of the newest commits, which all constraints were held against."""
    problems: tuple[Diagnostic, ...] = ()
    """Bounded; `problem_count` is the whole number."""
    problem_count: int = 0

    @property
    def is_whole(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problem_count


class OptimizeReport(msgspec.Struct, frozen=True, kw_only=True):
    """What was tidied up, by one commit or none."""

    commit: str | None
    """Its id; None where everything was in order."""
    types: Mapping[str, tuple[str, ...]]
    """By type name what was done: ``compacted 12 fragments into 1``, ``indexed 4,000 rows``."""


class Retention(msgspec.Struct, frozen=True, kw_only=True):
    """What a cleanup leaves."""

    keep: int = 1
    """How many of the newest commits of each live branch."""
    older_than: timedelta = timedelta(0)
    """Commits younger than that stay, and of live branches what was in force then."""
    grace: timedelta = timedelta(hours=1)
    """How old the leavings of a writer without a commit must be; longer than any write takes."""


class CleanupReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a cleanup let go of, or would."""

    commits: Mapping[str, int]
    """How many commits, by branch."""
    kept: Mapping[str, int]
    """How many stay with their data, by branch."""
    bytes_removed: int
    """0 of a rehearsal."""
    lance_branches: int = 0
    """Lance branches of deleted branches that were removed."""
    rehearsal: bool = False
    """Whether nothing was done."""
    unfinished: str | None = None
    """Why something was left for the next cleanup."""


class GraphData(Protocol):
    """The data of the graphs of one storage root."""

    async def commit_at(
        self, graph_id: str, *, branch: str = MAIN, at: str | None = None
    ) -> CommitRef:
        """Returns the commit that a point names; `graph_point_missing` where there is none."""
        ...

    async def schema_at(
        self, graph_id: str, *, branch: str = MAIN, at: str | None = None
    ) -> SchemaIr:
        """Returns the schema of the commit that a point names, by which reads of it are checked."""
        ...

    async def schema_text_at(
        self, graph_id: str, *, branch: str = MAIN, at: str | None = None
    ) -> SchemaText:
        """Returns the text of the schema of the commit that a point names; `graph_corrupt` without it."""
        ...

    async def commits(
        self, graph_id: str, *, branch: str = MAIN, limit: int = 50, or_ended: bool = False
    ) -> tuple[CommitInfo, ...]:
        """Returns the newest commits of a branch, newest first; *or_ended* also of one that ended.

        `graph_branch_missing`.
        """
        ...

    async def digest(self, graph_id: str, *, branch: str = MAIN, at: str | None = None) -> str:
        """Returns the digest of schema and rows: the same for two graphs that hold the same.

        It is SHA-256 of the shape digest and of the lines of an export, so it costs a read of
        everything.
        """
        ...

    def export(
        self, graph_id: str, *, branch: str = MAIN, at: str | None = None
    ) -> AsyncIterator[bytes]:
        """Gives all rows as the NDJSON lines that a load reads, in blocks of whole lines.

        Nodes come by type and id, then edges by type, from, to and id; one graph always exports the
        same bytes. What is read is of one commit, in bounded memory, while it is asked for.
        """
        ...

    async def load_from(
        self,
        graph_id: str,
        sources: Sequence[Source],
        *,
        branch: str = MAIN,
        options: LoadOptions,
        stamp: Stamp,
    ) -> LoadOutcome:
        """Loads NDJSON, CSV and Parquet sources together by one commit, or nothing at all.

        Every line with a fault is told of by its source and number, bounded in the list and complete
        in the count; as many as the options allow are set aside instead.
        """
        ...

    async def branches(self, graph_id: str) -> tuple[BranchInfo, ...]:
        """Returns the live branches, `main` first, then by name."""
        ...

    async def branch_create(  # what is cut, from where, and by whom
        self,
        graph_id: str,
        name: str,
        *,
        source: str = MAIN,
        at: str | None = None,
        stamp: Stamp,
    ) -> BranchInfo:
        """Cuts a branch from a point of the history of *source*; costs the same for any size.

        `graph_branch_exists`, `graph_branch_invalid` for the name, `graph_collected`.
        """
        ...

    async def branch_delete(self, graph_id: str, name: str, *, observed: int, stamp: Stamp) -> int:
        """Ends a branch whose newest commit is *observed*; returns the number of its tombstone.

        `graph_branch_missing`, `graph_branch_invalid` for `main`, `read_set_conflict`.
        """
        ...

    async def is_unmerged(self, graph_id: str, name: str) -> bool:
        """Returns whether a branch holds what no other live branch has, by what its commits name.

        `graph_branch_missing`.
        """
        ...

    async def brought_back(self, graph_id: str, name: str, *, stamp: Stamp) -> bool:
        """Brings an ended branch back, by a commit `restore`, where no live branch has what it held.

        Returns whether it did. Who deletes a branch because others have what it holds asks for it
        afterwards: these may have been deleted meanwhile, by somebody who saw this one alive.
        `read_set_conflict` where somebody used the name again.
        """
        ...

    async def observe_branch(self, graph_id: str, branch: str) -> LiveGraph:
        """Returns what a branch holds, as `GraphPort.observe` does of `main`.

        `detached` where it, or its graph, ended; `absent` where there never was one. Its size on
        storage is that of the whole graph. Never raises for what it finds there.
        """
        ...

    async def content_at(self, graph_id: str, number: int, *, branch: str = MAIN) -> str | None:
        """Returns the digest of what a commit names; None where there is no such commit."""
        ...

    async def check_revertible(self, graph_id: str, number: int, *, branch: str = MAIN) -> str:
        """Returns the digest of what a commit names, having seen that it can be gone back to.

        `graph_revert_refused`, `graph_branch_missing`.
        """
        ...

    async def revert(  # what is wanted again, where, on what, and by whom
        self, graph_id: str, number: int, *, branch: str = MAIN, observed: int, stamp: Stamp
    ) -> int:
        """Makes what commit *number* of a branch named its newest again, by one commit `revert`.

        It stands on *observed*. `graph_revert_refused` where its data is not all there, and for a
        commit of an earlier branch of that name.
        """
        ...

    async def tags(self, graph_id: str) -> tuple[Tag, ...]:
        """Returns the graph's tags, by name."""
        ...

    async def tag(
        self,
        graph_id: str,
        name: str,
        *,
        branch: str = MAIN,
        at: str | None = None,
        stamp: Stamp,
    ) -> Tag:
        """Names a commit for good, and keeps its data; `graph_tag_exists` of another commit."""
        ...

    async def untag(self, graph_id: str, name: str) -> bool:
        """Takes a tag away; returns whether there was one."""
        ...

    async def run(  # noqa: PLR0913  # what is read, where, and within what bounds
        self,
        graph_id: str,
        query: CheckedQuery,
        params: Mapping[str, object],
        *,
        limit: int | None = None,
        options: ReadOptions | None = None,
        point: Point = NEWEST,
        embedder: Embedder | None = None,
    ) -> ReadReply:
        """Runs a checked query with bound parameters; the rows of *point*, all at once.

        *limit* bounds the rows returned, besides the query's own limit, where no *options* do;
        *embedder* makes vectors of the texts that `nearest` is asked with. `query_too_large`,
        `query_deadline_exceeded`.
        """
        ...

    def stream(  # what is read, where, and within what bounds
        self,
        graph_id: str,
        query: CheckedQuery,
        params: Mapping[str, object],
        *,
        options: ReadOptions | None = None,
        point: Point = NEWEST,
        embedder: Embedder | None = None,
    ) -> "AsyncIterator[pa.RecordBatch]":
        """Yields the rows of a read in order, as Arrow batches; none is made before it is taken.

        The read pins one commit; what orders is held, what is only shown is read batch by batch.
        `query_too_large` and `query_deadline_exceeded` may come after some batches too.
        """
        ...

    async def explain(  # noqa: PLR0913  # what is read, where, and within what bounds
        self,
        graph_id: str,
        query: CheckedQuery,
        params: Mapping[str, object],
        *,
        analyze: bool = False,
        options: ReadOptions | None = None,
        point: Point = NEWEST,
        embedder: Embedder | None = None,
    ) -> "Explained":
        """Returns the plan of a read with estimates; with *analyze* it is run, and told what it did."""
        ...

    async def mutate(  # what is done, where, on what condition, and by whom
        self,
        graph_id: str,
        query: CheckedQuery,
        params: Mapping[str, object],
        *,
        branch: str = MAIN,
        if_commit: str | None = None,
        stamp: Stamp,
    ) -> MutationReport:
        """Runs a mutation with bound parameters by one commit `write`, or none.

        All that the schema does not permit comes back as diagnostics, and nothing is written then.
        ``now()`` is the time of the stamp. With *if_commit* it is done only on that commit, by its
        id. Inserts that lose the race for the commit are done again on the faster one; else it is
        `read_set_conflict`.
        """
        ...

    async def merge(  # what is merged, into what, on what condition, and by whom
        self,
        graph_id: str,
        source: str,
        *,
        into: str = MAIN,
        at: int | None = None,
        if_commit: str | None = None,
        stamp: Stamp,
    ) -> MergeReport:
        """Merges branch *source* into *into* by one commit `merge`, or tells the conflicts.

        By entity and property; all or nothing. With *at* that commit of *source*, not its head.
        `merge_schema_diverged`; with *if_commit*, `read_set_conflict` where another commit is the
        head of *into*.
        """
        ...

    async def merge_preview(
        self, graph_id: str, source: str, *, into: str = MAIN, at: int | None = None
    ) -> MergeReport:
        """Returns what `merge` would say now; writes nothing."""
        ...

    async def diff(  # what, and how much of it
        self,
        graph_id: str,
        before: str,
        after: str | None = None,
        *,
        branch: str = MAIN,
        sample: int = 20,
    ) -> DiffReport:
        """Returns what differs between two points: counts, and the first *sample* changes a type.

        *after* is the head of *branch* where it is not given; a number names a commit of *branch*.
        """
        ...

    def changes(
        self, graph_id: str, *, since: str = "now", branch: str = MAIN, page: int = 1_000
    ) -> AsyncIterator[FeedPage]:
        """Gives what the commits after a point did to the rows, in order, up to the head.

        *since* is ``now``, ``beginning``, a commit's id, or a cursor that a page gave. `feed_gap`
        where what is needed is gone, `feed_cursor_invalid`.
        """
        ...

    async def verify(self, graph_id: str) -> VerifyReport:
        """Looks at everything: the logs, every dataset version, and all constraints of the heads."""
        ...

    async def optimize(self, graph_id: str, *, branch: str = MAIN, stamp: Stamp) -> OptimizeReport:
        """Compacts small files and brings the indexes up to date, by one commit `write`, or none."""
        ...

    async def cleanup(
        self,
        graph_id: str,
        retention: Retention,
        *,
        now: datetime,
        stamp: Stamp,
        rehearse: bool = False,
    ) -> CleanupReport:
        """Lets go of what nothing keeps; with *rehearse* only says what that is.

        Besides what *retention* says there stays what branches were cut from and last merged with,
        what is tagged, and what is pinned. Everything else loses its data; its record stays.
        """
        ...
