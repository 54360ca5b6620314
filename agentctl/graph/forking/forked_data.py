"""The data of a sandbox's graphs: `GraphData` over the lent ones and its own. Source: sandboxes 4."""

from collections.abc import AsyncIterator
from datetime import datetime

from agentctl.graph.branching.tags import Tag
from agentctl.graph.branching.told import DiffReport, FeedPage, MergeReport
from agentctl.graph.data_port import (
    CleanupReport,
    CommitRef,
    OptimizeReport,
    Retention,
    SchemaText,
    VerifyReport,
)
from agentctl.graph.forking.refusing import not_in_a_sandbox
from agentctl.graph.forking.sides import Sides
from agentctl.graph.layout import MAIN
from agentctl.graph.port import BranchInfo, CommitInfo, Stamp
from agentctl.graph.refusals import branch_invalid
from agentctl.languages.schema.ir import SchemaIr


class ForkedData:
    """What `ForkedGraphs` can do with the data of its graphs."""

    def __init__(self, sides: Sides) -> None:
        self._sides = sides

    async def commit_at(
        self, graph_id: str, *, branch: str = MAIN, at: str | None = None
    ) -> CommitRef:
        """Returns the commit that a point names."""
        return await (await self._sides.of(graph_id)).commit_at(graph_id, branch=branch, at=at)

    async def schema_at(
        self, graph_id: str, *, branch: str = MAIN, at: str | None = None
    ) -> SchemaIr:
        """Returns the schema of the commit that a point names."""
        return await (await self._sides.of(graph_id)).schema_at(graph_id, branch=branch, at=at)

    async def schema_text_at(
        self, graph_id: str, *, branch: str = MAIN, at: str | None = None
    ) -> SchemaText:
        """Returns the text of the schema of the commit that a point names."""
        side = await self._sides.of(graph_id)
        return await side.schema_text_at(graph_id, branch=branch, at=at)

    async def commits(
        self, graph_id: str, *, branch: str = MAIN, limit: int = 50, or_ended: bool = False
    ) -> tuple[CommitInfo, ...]:
        """Returns the newest commits of a branch, newest first; *or_ended* also of one that ended."""
        side = await self._sides.of(graph_id)
        return await side.commits(graph_id, branch=branch, limit=limit, or_ended=or_ended)

    async def digest(self, graph_id: str, *, branch: str = MAIN, at: str | None = None) -> str:
        """Returns the digest of schema and rows at a point."""
        return await (await self._sides.of(graph_id)).digest(graph_id, branch=branch, at=at)

    async def export(
        self, graph_id: str, *, branch: str = MAIN, at: str | None = None
    ) -> AsyncIterator[bytes]:
        """Gives all rows at a point as lines that a load reads, in blocks of whole lines."""
        side = await self._sides.of(graph_id)
        async for block in side.export(graph_id, branch=branch, at=at):
            yield block

    async def branches(self, graph_id: str) -> tuple[BranchInfo, ...]:
        """Returns the live branches, `main` first, then by name."""
        return await (await self._sides.of(graph_id)).branches(graph_id)

    async def branch_create(  # what is cut, from where, and by whom
        self,
        graph_id: str,
        name: str,
        *,
        source: str = MAIN,
        at: str | None = None,
        stamp: Stamp,
    ) -> BranchInfo:
        """Cuts a branch from a point of the history of *source*.

        Of a lent graph its name must leave room for what it is called outside.
        """
        room = self._sides.fork.name_length_max
        if len(name) > room and await self._sides.is_lent(graph_id):
            said = (
                f"No branch can be called {name!r}: in a sandbox it has at most {room} characters"
            )
            raise branch_invalid(graph_id, said)
        side = await self._sides.of(graph_id)
        return await side.branch_create(graph_id, name, source=source, at=at, stamp=stamp)

    async def branch_delete(self, graph_id: str, name: str, *, observed: int, stamp: Stamp) -> int:
        """Ends a branch; returns the number of its tombstone."""
        side = await self._sides.of(graph_id)
        return await side.branch_delete(graph_id, name, observed=observed, stamp=stamp)

    async def is_unmerged(self, graph_id: str, name: str) -> bool:
        """Returns whether a branch holds what no other live branch of the sandbox has."""
        return await (await self._sides.of(graph_id)).is_unmerged(graph_id, name)

    async def brought_back(self, graph_id: str, name: str, *, stamp: Stamp) -> bool:
        """Brings an ended branch back where no live branch has what it held; returns whether it did."""
        return await (await self._sides.of(graph_id)).brought_back(graph_id, name, stamp=stamp)

    async def content_at(self, graph_id: str, number: int, *, branch: str = MAIN) -> str | None:
        """Returns the digest of what a commit names; None where there is no such commit."""
        return await (await self._sides.of(graph_id)).content_at(graph_id, number, branch=branch)

    async def check_revertible(self, graph_id: str, number: int, *, branch: str = MAIN) -> str:
        """Returns the digest of what a commit names, having seen that it can be gone back to."""
        side = await self._sides.of(graph_id)
        return await side.check_revertible(graph_id, number, branch=branch)

    async def revert(  # what is wanted again, where, on what, and by whom
        self, graph_id: str, number: int, *, branch: str = MAIN, observed: int, stamp: Stamp
    ) -> int:
        """Makes what commit *number* of a branch named its newest again, by one commit `revert`."""
        side = await self._sides.of(graph_id)
        return await side.revert(graph_id, number, branch=branch, observed=observed, stamp=stamp)

    async def tags(self, graph_id: str) -> tuple[Tag, ...]:
        """Returns the graph's tags, by name; a lent graph shows none."""
        return await (await self._sides.of(graph_id)).tags(graph_id)

    async def tag(
        self,
        graph_id: str,
        name: str,
        *,
        branch: str = MAIN,
        at: str | None = None,
        stamp: Stamp,
    ) -> Tag:
        """Names a commit of one of the sandbox's own graphs; `not_in_a_sandbox` of a lent one."""
        await self._refuse_lent(graph_id, "a tag is of the whole graph, and outlives the sandbox")
        return await self._sides.own.tag(graph_id, name, branch=branch, at=at, stamp=stamp)

    async def untag(self, graph_id: str, name: str) -> bool:
        """Takes a tag of one of the sandbox's own graphs away; `not_in_a_sandbox` of a lent one."""
        await self._refuse_lent(graph_id, "its tags are of the whole graph")
        return await self._sides.own.untag(graph_id, name)

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
        side = await self._sides.of(graph_id)
        return await side.merge(
            graph_id, source, into=into, at=at, if_commit=if_commit, stamp=stamp
        )

    async def merge_preview(
        self, graph_id: str, source: str, *, into: str = MAIN, at: int | None = None
    ) -> MergeReport:
        """Returns what `merge` would say now; writes nothing."""
        side = await self._sides.of(graph_id)
        return await side.merge_preview(graph_id, source, into=into, at=at)

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
        side = await self._sides.of(graph_id)
        return await side.diff(graph_id, before, after, branch=branch, sample=sample)

    async def changes(
        self, graph_id: str, *, since: str = "now", branch: str = MAIN, page: int = 1_000
    ) -> AsyncIterator[FeedPage]:
        """Gives what the commits after a point did to the rows, in order, up to the head."""
        side = await self._sides.of(graph_id)
        async for found in side.changes(graph_id, since=since, branch=branch, page=page):
            yield found

    async def verify(self, graph_id: str) -> VerifyReport:
        """Looks at all of the graph that the sandbox has: its branches, and the base that they name."""
        return await (await self._sides.of(graph_id)).verify(graph_id)

    async def optimize(self, graph_id: str, *, branch: str = MAIN, stamp: Stamp) -> OptimizeReport:
        """Compacts small files and brings the indexes up to date, by one commit `write`, or none."""
        return await (await self._sides.of(graph_id)).optimize(graph_id, branch=branch, stamp=stamp)

    async def cleanup(
        self,
        graph_id: str,
        retention: Retention,
        *,
        now: datetime,
        stamp: Stamp,
        rehearse: bool = False,
    ) -> CleanupReport:
        """Lets go of what nothing keeps of one of the sandbox's own graphs; `not_in_a_sandbox` of a lent one."""
        await self._refuse_lent(graph_id, "a cleanup is of all branches of the graph")
        return await self._sides.own.cleanup(
            graph_id, retention, now=now, stamp=stamp, rehearse=rehearse
        )

    async def _refuse_lent(self, graph_id: str, why: str) -> None:
        if await self._sides.is_lent(graph_id):
            raise not_in_a_sandbox(graph_id, why)
