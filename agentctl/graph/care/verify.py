"""A graph proven whole: its logs, its dataset versions, its constraints. Source: graph-engine 6.

Every commit that no cleanup let go of must follow its predecessor, name a schema that is there under
its digest, and dataset versions that open, are pinned, and hold as many rows as it says. What the
newest commit of each branch holds is held against its schema whole, as if it were written now; some
rows at a time (`broken_rules` says what that takes).
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import msgspec

from agentctl.canonical import sha256_hex
from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.storage.protocol import UnavailableError
from agentctl.graph.branching.names import RESERVED, parse_commit_id
from agentctl.graph.care.survey import Survey, survey
from agentctl.graph.collected import has_let_go
from agentctl.graph.commit import ENDED, Commit, TypeState
from agentctl.graph.data_port import VerifyReport
from agentctl.graph.layout import commit_id, own_schemas
from agentctl.graph.port import GraphError
from agentctl.graph.roots import GraphRoots
from agentctl.ids import graph_address

if TYPE_CHECKING:
    from agentctl.graph.snapshot import Snapshot
    from agentctl.graph.tables import Tables

PROBLEM_COUNT_MAX: Final = 100
"""How many problems are listed; the rest are counted."""
_SAID_MAX: Final = 200
"""Characters of what Lance says of a file."""


_Named = dict[tuple[str, str, int], tuple[str, TypeState]]
"""By type id, Lance branch and version: the first commit that names it, and how."""


class _Problems:
    """What is wrong, bounded."""

    def __init__(self, graph_id: str) -> None:
        self._path = graph_address(graph_id)
        self.listed: list[Diagnostic] = []
        self.count = 0

    def add(self, said: str) -> None:
        self.tell(error("graph_corrupt", self._path, said))

    def tell(self, found: Diagnostic) -> None:
        self.count += 1
        if len(self.listed) < PROBLEM_COUNT_MAX:
            self.listed.append(found)


async def verify(roots: GraphRoots, graph_id: str) -> VerifyReport:
    """Looks at everything; what is wrong is in the report.

    Raises:
        GraphError: `graph_root_missing`, `graph_detached`, `foreign_graph_format`, or `graph_corrupt`
            where a commit cannot be read at all.
    """
    seen = await survey(roots, graph_id)
    problems = _Problems(graph_id)
    commits = [c for found in seen.logs.commits.values() for c in found]
    for commit in commits:
        await _look_at_record(roots, graph_id, seen, commit, problems)
    sources = {(own_schemas(c.branch), c.schema.source_digest): c for c in commits}
    for _, commit in sorted(sources.items(), key=lambda found: found[0]):
        await _look_at_source(roots, graph_id, commit, problems)
    versions = await _look_at_versions(roots, graph_id, commits, problems)
    rows = 0
    for head in seen.logs.heads.values():
        rows += await _look_at_rows(roots, graph_id, head, problems)
    gone = seen.last.collected.values() if seen.last is not None else ()
    return VerifyReport(
        commits=len(commits),
        collected=sum(high - low + 1 for ranges in gone for low, high in ranges),
        versions=versions,
        rows=rows,
        problems=tuple(problems.listed),
        problem_count=problems.count,
    )


async def _look_at_record(
    roots: GraphRoots, graph_id: str, seen: Survey, commit: Commit, problems: _Problems
) -> None:
    """Looks at what a commit says of itself, and of what came before it."""
    name = commit_id(commit.n, commit.branch)
    for parent in map(parse_commit_id, commit.parents):
        before = (
            await roots.log.found_at(graph_id, parent.n, parent.branch)
            if parent is not None
            else None
        )
        if before is None:
            if parent is not None and parent.branch.startswith(RESERVED):
                continue  # What was merged of a sandbox stays when the sandbox goes.
            problems.add(f"Commit {name} names a parent that is not there.")
        elif before.epoch > commit.epoch and before.branch == commit.branch:
            problems.add(f"Commit {name} has a lower epoch than the one before it.")
    if commit.n > 1 and await roots.log.found_at(graph_id, commit.n - 1, commit.branch) is None:
        problems.add(f"Commit {name} follows none: {commit.n - 1} is not there.")
    try:
        ir = await roots.ir(graph_id, commit)
    except GraphError as failure:
        problems.tell(failure.diagnostic)
        return
    named = {t.id for t in ir.types}
    if named != set(commit.types) and not has_let_go(seen.last, commit):
        problems.add(f"Commit {name} does not name the datasets of its schema's types.")


async def _look_at_source(
    roots: GraphRoots, graph_id: str, commit: Commit, problems: _Problems
) -> None:
    digest = commit.schema.source_digest
    found = await roots.schema_text(graph_id, commit)
    if found is None:
        problems.add(f"The schema's text {digest} is not there.")
    elif sha256_hex(found.data) != digest:
        problems.add(f"The schema's text {digest} has another digest.")


def _named_versions(commits: Sequence[Commit], problems: _Problems) -> _Named:
    named: _Named = {}
    for commit in commits:
        name = commit_id(commit.n, commit.branch)
        for type_id, state in commit.types.items() if commit.kind not in ENDED else ():
            key = (type_id, state.lance_branch, state.lance_version)
            first, known = named.setdefault(key, (name, state))
            if known.rows != state.rows:
                problems.add(f"Commits {first} and {name} count the same rows differently.")
    return named


async def _look_at_versions(
    roots: GraphRoots, graph_id: str, commits: Sequence[Commit], problems: _Problems
) -> int:
    """Opens and counts every dataset version that a commit names; returns how many there are."""
    named = _named_versions(commits, problems)
    if not named:
        return 0

    def look(tables: "Tables") -> list[str]:
        pinned: dict[str, set[tuple[str, int]]] = {}
        said: list[str] = []
        for (type_id, *place), (name, state) in named.items():
            where = f"The dataset version of {state.name} of commit {name}"
            if not tables.has(type_id, state):
                said.append(f"{where} is not there.")
                continue
            try:
                if tables.open(type_id, state).count_rows() != state.rows:
                    said.append(f"{where} does not have {state.rows} rows.")
            except (OSError, ValueError) as failure:
                said.append(f"{where} cannot be counted ({str(failure)[:_SAID_MAX]}).")
            if type_id not in pinned:
                pinned[type_id] = tables.pinned(type_id)
            if tuple(place) not in pinned[type_id]:
                said.append(f"{where} is not pinned.")
        return said

    for said in await roots.on_tables(graph_id, commits[0].incarnation, look):
        problems.add(said)
    return len(named)


async def _look_at_rows(roots: GraphRoots, graph_id: str, head: Commit, problems: _Problems) -> int:
    """Holds all rows of a branch against its schema; returns how many there are."""

    def look(snapshot: "Snapshot") -> tuple[Diagnostic, ...]:
        from agentctl.graph.care.broken_rules import broken_rules

        return broken_rules(snapshot, graph_address(graph_id))

    branch = commit_id(head.n, head.branch)
    try:
        found = await roots.on_snapshot(graph_id, head, look)
    except GraphError as failure:
        found = (failure.diagnostic,)
    except UnavailableError as failure:  # as Lance tells of a file that is not there or torn, too
        await roots.head(
            graph_id, head.branch
        )  # fails where it is the storage that does not answer
        said, found = str(failure)[:_SAID_MAX], ()
        problems.add(f"{branch}: its rows cannot be read ({said}).")
    for one in found:
        problems.tell(msgspec.structs.replace(one, message=f"{branch}: {one.message}"))
    return sum(state.rows for state in head.types.values())
