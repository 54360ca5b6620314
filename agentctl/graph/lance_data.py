"""The data of graphs on Lance: `GraphData` as thin methods over the functions of the rooms."""

from collections.abc import AsyncIterator, Callable
from datetime import datetime

from agentctl.graph import exporting
from agentctl.graph.branching import branches, merging, points, tags, unmerged
from agentctl.graph.branching import feed as feeding
from agentctl.graph.branching.names import RESERVED, check_not_reserved
from agentctl.graph.branching.tags import Tag
from agentctl.graph.branching.told import DiffReport, FeedPage, MergeReport
from agentctl.graph.care.cleanup import Asked, cleanup
from agentctl.graph.care.forgetting import forget_branches
from agentctl.graph.care.optimize import optimize
from agentctl.graph.care.verify import verify
from agentctl.graph.commit import commit_info
from agentctl.graph.data_port import (
    CleanupReport,
    CommitRef,
    OptimizeReport,
    Retention,
    SchemaText,
    VerifyReport,
)
from agentctl.graph.layout import MAIN, commit_id
from agentctl.graph.log import require_live
from agentctl.graph.port import BranchInfo, CommitInfo, Stamp
from agentctl.graph.refusals import branch_missing, corrupt
from agentctl.graph.roots import GraphRoots
from agentctl.languages.schema.ir import SchemaIr


class LanceData:
    """What `LanceGraphs` can do with the data of its graphs."""

    def __init__(self, roots: GraphRoots) -> None:
        self._roots = roots

    async def commit_at(
        self, graph_id: str, *, branch: str = MAIN, at: str | None = None
    ) -> CommitRef:
        """Returns the commit that a point names."""
        found = await points.resolve(self._roots, graph_id, branch=branch, at=at)
        return CommitRef(
            id=commit_id(found.n, found.branch),
            branch=found.branch,
            n=found.n,
            kind=found.kind,
            created_at=found.created_at,
        )

    async def schema_at(
        self, graph_id: str, *, branch: str = MAIN, at: str | None = None
    ) -> SchemaIr:
        """Returns the schema of the commit that a point names."""
        found = await points.resolve(self._roots, graph_id, branch=branch, at=at)
        return await self._roots.ir(graph_id, found)

    async def schema_text_at(
        self, graph_id: str, *, branch: str = MAIN, at: str | None = None
    ) -> SchemaText:
        """Returns the text of the schema of the commit that a point names."""
        found = await points.resolve(self._roots, graph_id, branch=branch, at=at)
        digest = found.schema.source_digest
        kept = await self._roots.schema_text(graph_id, found)
        if kept is None:
            raise corrupt(graph_id, f"the text {digest} of the schema of {found.branch} is gone")
        return SchemaText(digest=digest, source=kept.data.decode("utf-8", "replace"))

    async def commits(
        self, graph_id: str, *, branch: str = MAIN, limit: int = 50, or_ended: bool = False
    ) -> tuple[CommitInfo, ...]:
        """Returns the newest commits of a branch, newest first; *or_ended* also of one that ended."""
        if branch.startswith(RESERVED):
            raise branch_missing(graph_id, branch)
        if not or_ended:
            await self._roots.head(graph_id, branch)
        found = await self._roots.log.newest_first(graph_id, limit=limit, branch=branch)
        return tuple(commit_info(commit) for commit in found)

    async def digest(self, graph_id: str, *, branch: str = MAIN, at: str | None = None) -> str:
        """Returns the digest of schema and rows at a point."""
        return await exporting.digest(self._roots, graph_id, branch=branch, at=at)

    def export(
        self, graph_id: str, *, branch: str = MAIN, at: str | None = None
    ) -> AsyncIterator[bytes]:
        """Gives all rows at a point as lines that a load reads, in blocks of whole lines."""
        return exporting.export(self._roots, graph_id, branch=branch, at=at)

    async def branches(self, graph_id: str) -> tuple[BranchInfo, ...]:
        """Returns the live branches, `main` first, then by name."""
        main = require_live(graph_id, await self._roots.head(graph_id))
        heads = await branches.heads(self._roots, graph_id, main)
        return tuple(
            branches.branch_info(head)
            for name, head in heads.items()
            if not name.startswith(RESERVED)
        )

    async def branch_create(  # what is cut, from where, and by whom
        self,
        graph_id: str,
        name: str,
        *,
        source: str = MAIN,
        at: str | None = None,
        stamp: Stamp,
    ) -> BranchInfo:
        """Cuts a branch from a point of the history of *source*."""
        commit = await branches.create_branch(
            self._roots, graph_id, name, source=source, at=at, stamp=stamp
        )
        return branches.branch_info(commit)

    async def trunk_create(
        self, graph_id: str, name: str, *, base: int, stamp: Stamp
    ) -> BranchInfo:
        """Cuts the trunk of a sandbox from commit *base* of `main`; nobody else's branch is called so."""
        assert name.startswith(RESERVED), name
        commit = await branches.cut_branch(self._roots, graph_id, name, at=str(base), stamp=stamp)
        return branches.branch_info(commit)

    async def branch_names(self, graph_id: str) -> tuple[str, ...]:
        """Returns the names under which there are commits, also those of sandboxes, sorted.

        A disk keeps the empty folder of a branch that was forgotten; it is none of them.
        """
        log = self._roots.log
        names = await log.branches(graph_id)
        return tuple([name for name in names if await log.numbers(graph_id, name)])

    async def forget_branches(
        self, graph_id: str, is_gone: Callable[[str], bool], *, stamp: Stamp
    ) -> tuple[str, ...]:
        """Ends the branches that *is_gone* names and takes away all that only they had; returns them."""
        return await forget_branches(self._roots, graph_id, is_gone, stamp=stamp)

    async def branch_delete(self, graph_id: str, name: str, *, observed: int, stamp: Stamp) -> int:
        """Ends a branch; returns the number of its tombstone."""
        check_not_reserved(graph_id, name)
        return await branches.delete_branch(
            self._roots, graph_id, name, observed=observed, stamp=stamp
        )

    async def is_unmerged(self, graph_id: str, name: str) -> bool:
        """Returns whether a branch holds what no other live branch has."""
        return await unmerged.is_unmerged(self._roots, graph_id, name)

    async def brought_back(self, graph_id: str, name: str, *, stamp: Stamp) -> bool:
        """Brings an ended branch back where no live branch has what it held; returns whether it did."""
        return await unmerged.brought_back(self._roots, graph_id, name, stamp=stamp)

    async def tags(self, graph_id: str) -> tuple[Tag, ...]:
        """Returns the graph's tags, by name."""
        return await tags.tags(self._roots, graph_id)

    async def tag(
        self,
        graph_id: str,
        name: str,
        *,
        branch: str = MAIN,
        at: str | None = None,
        stamp: Stamp,
    ) -> Tag:
        """Names a commit for good, and keeps its data."""
        commit = await points.resolve(self._roots, graph_id, branch=branch, at=at)
        return await tags.create_tag(self._roots, graph_id, name, commit, stamp=stamp)

    async def untag(self, graph_id: str, name: str) -> bool:
        """Takes a tag away; returns whether there was one."""
        return await tags.delete_tag(self._roots, graph_id, name)

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
        """Merges branch *source* into *into* by one commit `merge`, or tells the conflicts."""
        check_not_reserved(graph_id, into)
        return await merging.merge(
            self._roots, graph_id, source, into=into, at=at, stamp=stamp, if_commit=if_commit
        )

    async def merge_preview(
        self, graph_id: str, source: str, *, into: str = MAIN, at: int | None = None
    ) -> MergeReport:
        """Returns what `merge` would say now; writes nothing."""
        return await merging.preview(self._roots, graph_id, source, into=into, at=at)

    async def diff(  # what, and how much of it
        self,
        graph_id: str,
        before: str,
        after: str | None = None,
        *,
        branch: str = MAIN,
        sample: int = 20,
    ) -> DiffReport:
        """Returns what differs between two points: counts, and the first *sample* changes a type."""
        old = await points.resolve(self._roots, graph_id, branch=branch, at=before)
        new = await points.resolve(self._roots, graph_id, branch=branch, at=after)
        return await feeding.compare(self._roots, graph_id, old, new, sample=sample)

    async def changes(
        self, graph_id: str, *, since: str = "now", branch: str = MAIN, page: int = 1_000
    ) -> AsyncIterator[FeedPage]:
        """Gives what the commits after a point did to the rows, in order, up to the head."""
        start = await feeding.cursor_at(self._roots, graph_id, since, branch=branch)
        async for found in feeding.feed(self._roots, graph_id, start, branch=branch, page=page):
            yield found

    async def verify(self, graph_id: str) -> VerifyReport:
        """Looks at everything: the logs, every dataset version, and all constraints of the heads."""
        return await verify(self._roots, graph_id)

    async def optimize(self, graph_id: str, *, branch: str = MAIN, stamp: Stamp) -> OptimizeReport:
        """Compacts small files and brings the indexes up to date, by one commit `write`, or none."""
        check_not_reserved(graph_id, branch)
        return await optimize(self._roots, graph_id, branch=branch, stamp=stamp)

    async def cleanup(
        self,
        graph_id: str,
        retention: Retention,
        *,
        now: datetime,
        stamp: Stamp,
        rehearse: bool = False,
    ) -> CleanupReport:
        """Lets go of what nothing keeps; with *rehearse* only says what that is."""
        assert retention.keep >= 1, retention
        asked = Asked(
            keep=retention.keep,
            cutoff=now - retention.older_than,
            grace=retention.grace,
            rehearse=rehearse,
        )
        return await cleanup(self._roots, graph_id, asked, stamp)
