"""Cleanup: what no commit needs any more is let go of. Source: graph-engine 6; ADR 22.

First a record says which commits lose their data; then a fence commit on every live branch takes the
number of whatever writer is under way, so that none can name what goes; then all that keeps commits
is read again, and only what nothing keeps then is removed. A cleanup that breaks off is gone on with
by the next. Records of commits stay for ever.
"""

import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import msgspec

from agentctl.graph.branching.names import RESERVED
from agentctl.graph.care.retention import (
    Logs,
    Place,
    frees_something,
    kept_commits,
    needed_versions,
)
from agentctl.graph.care.survey import Survey, read_commits, survey
from agentctl.graph.collected import (
    Cleanup,
    numbers_of,
    ranges_of,
    write_cleanup,
)
from agentctl.graph.commit import ENDED, Commit, next_commit
from agentctl.graph.data_port import CleanupReport
from agentctl.graph.layout import MAIN, branch_of_ref, data_prefix, number_of_ref
from agentctl.graph.log import check_epoch
from agentctl.graph.port import ReadSetConflictError, Stamp
from agentctl.graph.refusals import busy
from agentctl.graph.roots import GraphRoots

if TYPE_CHECKING:
    from agentctl.graph.care.datasets import Waste
    from agentctl.graph.tables import Tables

ATTEMPT_COUNT_MAX: Final = 8
DATASET: Final = ".lance"


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What shall stay."""

    keep: int
    """How many of the newest commits of each live branch."""
    cutoff: datetime
    """What was made after it."""
    grace: timedelta
    """How old a version without a pin must be."""
    rehearse: bool = False


class _Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What stays and what goes, after one survey."""

    staying: Mapping[Place, Commit]
    going: frozenset[Place]
    """Commits to let go of now."""
    needed: Mapping[str, frozenset[Place]]
    known: frozenset[str]
    """Type ids that some commit names, or did."""


async def cleanup(roots: GraphRoots, graph_id: str, asked: Asked, stamp: Stamp) -> CleanupReport:
    """Lets go of what nothing keeps.

    Raises:
        GraphError: `lease_lost`, `graph_busy` where other cleanups keep coming in between.
    """
    for _ in range(ATTEMPT_COUNT_MAX):
        seen = await survey(roots, graph_id)
        check_epoch(graph_id, seen.main, stamp.epoch)
        verdict = await _judge(roots, graph_id, seen, asked)
        waste = await _waste(roots, graph_id, seen, verdict, asked.grace)
        if asked.rehearse or (not verdict.going and not waste.is_worth):
            return _report(seen.logs, verdict, rehearsal=asked.rehearse)
        record = _record(seen.last, verdict.going, stamp)
        if await write_cleanup(roots.store, graph_id, record):
            return await _carry_out(roots, graph_id, verdict, asked, stamp)
    raise busy(graph_id, "another cleanup was faster each time")


async def _carry_out(
    roots: GraphRoots, graph_id: str, verdict: _Verdict, asked: Asked, stamp: Stamp
) -> CleanupReport:
    """Removes what the record that was just written lets go of, as far as nothing keeps it now."""
    before = await survey(roots, graph_id)
    for head in before.logs.heads.values():
        await _fence(roots, graph_id, head, stamp)
    began = time.monotonic()
    seen = await survey(roots, graph_id)
    now = await _judge(roots, graph_id, seen, asked, recorded_only=True)
    check_epoch(graph_id, seen.main, stamp.epoch)
    waste = await _waste(roots, graph_id, seen, now, asked.grace)
    folder = roots.folder(graph_id, seen.main.incarnation)
    size = await folder.size_bytes()
    gone, unfinished = 0, None
    for type_id, found in waste.by_type.items():
        if asked.grace and time.monotonic() - began > asked.grace.total_seconds() / 2:
            unfinished = "it took longer than writers may be trusted to wait; run it again"
            break
        gone += await _remove(roots, graph_id, seen.main, type_id, found, asked.grace)
    for type_id in waste.datasets:
        await folder.remove_dataset(type_id, roots.before_write)
    removed = max(size - await folder.size_bytes(), 0)
    report = _report(seen.logs, verdict, rehearsal=False)
    return msgspec.structs.replace(
        report, bytes_removed=removed, lance_branches=gone, unfinished=unfinished
    )


class _AllWaste(msgspec.Struct, frozen=True, kw_only=True):
    by_type: Mapping[str, "Waste"]
    datasets: tuple[str, ...]
    """Type ids whose whole datasets go."""

    @property
    def is_worth(self) -> bool:
        """Whether there is anything to remove."""
        return bool(self.datasets) or not all(w.is_none for w in self.by_type.values())


async def _judge(
    roots: GraphRoots, graph_id: str, seen: Survey, asked: Asked, *, recorded_only: bool = False
) -> _Verdict:
    """Says what stays; with *recorded_only* whatever no record has let go of stays."""
    logs = seen.logs
    there = {(c.branch, c.n): c for commits in logs.commits.values() for c in commits}
    holding = {place: c for place, c in there.items() if c.kind not in ENDED}
    kept = kept_commits(logs, keep=asked.keep, cutoff=asked.cutoff)
    # What a keeper names though it was let go of: its keeper will see that, and undo itself.
    lost = await read_commits(roots, graph_id, sorted(kept - there.keys()))
    staying = {**holding} if recorded_only else {p: c for p, c in holding.items() if p in kept}
    staying.update({(c.branch, c.n): c for c in lost if c.incarnation == seen.main.incarnation})
    needed = needed_versions(staying.values())
    staying.update({p: c for p, c in holding.items() if not frees_something(c, needed)})
    return _Verdict(
        staying=staying,
        going=frozenset(holding.keys() - staying.keys()),
        needed={t: frozenset(places) for t, places in needed.items()},
        known=frozenset(t for c in there.values() for t in c.types),
    )


async def _waste(
    roots: GraphRoots, graph_id: str, seen: Survey, verdict: _Verdict, grace: timedelta
) -> _AllWaste:
    """Looks at the datasets; what a commit of `going` alone names counts as not needed."""
    incarnation = seen.main.incarnation
    prefix = data_prefix(graph_id, incarnation) + "/"
    names = await roots.store.folders(prefix)
    present = sorted(n.removesuffix(DATASET) for n in names if n.endswith(DATASET))
    last = {b: commits[-1].n for b, commits in seen.logs.commits.items() if commits}
    nonces = {place: c.nonce for place, c in verdict.staying.items()}

    def is_dead(name: str) -> bool:
        place = (branch_of_ref(name), number_of_ref(name))
        if place[1] > last.get(place[0], 0):
            return False  # a writer may be about to commit it
        return name.rsplit(".", 1)[1].partition("-")[0] != nonces.get(place)

    def look(tables: "Tables") -> _AllWaste:
        from agentctl.graph.care.datasets import is_old, waste_of

        needed = verdict.needed
        unneeded = [t for t in present if t not in needed]
        return _AllWaste(
            by_type={
                t: waste_of(tables, t, needed[t], is_dead, grace) for t in present if t in needed
            },
            # One that no commit named may be of a writer who is about to.
            datasets=tuple(t for t in unneeded if t in verdict.known or is_old(tables, t, grace)),
        )

    return await roots.on_tables(graph_id, incarnation, look)


async def _remove(  # whose, of what, and how
    roots: GraphRoots, graph_id: str, main: Commit, type_id: str, waste: "Waste", grace: timedelta
) -> int:
    if waste.is_none:
        return 0

    def act(tables: "Tables") -> int:
        from agentctl.graph.care.datasets import remove_waste

        return remove_waste(tables, type_id, waste, grace)

    return await roots.on_tables(graph_id, main.incarnation, act)


async def _fence(roots: GraphRoots, graph_id: str, head: Commit, stamp: Stamp) -> None:
    """Takes the next number of a branch, above whoever else takes it meanwhile."""
    for _ in range(ATTEMPT_COUNT_MAX):
        if head.kind in ENDED:
            return
        # The lease of another branch is not held, and its epochs are its own: the number is enough.
        epoch = max(stamp.epoch, head.epoch) if head.branch == MAIN else head.epoch
        mine = msgspec.structs.replace(stamp, epoch=epoch)
        try:
            await roots.log.append(graph_id, next_commit(head, "fence", mine), head=head)
        except ReadSetConflictError:
            now = await roots.log.head(graph_id, head.branch)
            assert now is not None, "it had a commit"
            head = now
        else:
            return
    raise busy(graph_id, f"a writer of {head.branch} was faster each time")


def _record(last: Cleanup | None, going: frozenset[Place], stamp: Stamp) -> Cleanup:
    before = last.collected if last is not None else {}
    branches = {*before, *(branch for branch, _ in going)}
    return Cleanup(
        n=(last.n if last is not None else 0) + 1,
        nonce=stamp.nonce,
        op=stamp.op,
        at=stamp.at,
        collected={
            b: ranges_of(numbers_of(before.get(b, ())) | {n for c, n in going if c == b})
            for b in sorted(branches)
        },
    )


def _report(logs: Logs, verdict: _Verdict, *, rehearsal: bool) -> CleanupReport:
    def counted(places: frozenset[Place]) -> dict[str, int]:
        found: dict[str, int] = {}
        for branch in logs.commits:
            # Whose sandboxes there are is not for everybody who may clean up: they are told as one.
            shown = RESERVED if branch.startswith(RESERVED) else branch
            count = sum(place == branch for place, _ in places)
            if count:
                found[shown] = found.get(shown, 0) + count
        return found

    return CleanupReport(
        commits=counted(verdict.going),
        kept=counted(frozenset(verdict.staying)),
        bytes_removed=0,
        rehearsal=rehearsal,
    )
