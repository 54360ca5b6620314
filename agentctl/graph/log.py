"""The commits of a graph's branches: how they are read, and the one way a new one is written.

A commit is an object of a numbered log, so exactly one writer wins its number. What a call finds
decides whether it goes on: its own nonce means that it is done, another head than it has seen or a
higher epoch means that it must not write. Source: graph-engine 1, control-plane 3.2.
"""

from typing import Final

import msgspec

from agentctl.adapters.backends.drive import drive
from agentctl.domain.storage.effects import Machine, list_keys, read
from agentctl.domain.storage.numbered import Lost, append, newest, numbers_in, read_one
from agentctl.domain.storage.protocol import ObjectStore
from agentctl.graph.commit import ENDED, Commit, decode_commit, encode_commit, nonce_of
from agentctl.graph.layout import (
    FORMAT_BYTES,
    FORMAT_NAME,
    FORMAT_VERSION,
    MAIN,
    Format,
    commit_id,
    commit_key,
    commits_prefix,
    commits_root,
    format_key,
    names_prefix,
    root,
)
from agentctl.graph.refusals import (
    conflict,
    corrupt,
    detached,
    foreign,
    lease_lost,
    root_missing,
)
from agentctl.ids import from_path_part

RECENT_COUNT: Final = 16
"""How far below the head a repeated load looks for its own nonce."""


class CommitLog:
    """Commits, by graph and branch, over one store."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._hints: dict[tuple[str, str], int] = {}

    async def head(self, graph_id: str, branch: str = MAIN) -> Commit | None:
        """Returns the newest commit of a branch, or None where there is none.

        Raises:
            GraphError: it is no commit of this version.
        """
        found = await drive(
            self._store,
            newest(commits_prefix(graph_id, branch), self._hints.get((graph_id, branch), 0)),
        )
        return self._seen(graph_id, branch, found)

    async def main_of_ours(self, graph_id: str) -> Commit | None:
        """Returns the newest commit of `main` of a root that is ours, or None where there is none.

        Raises:
            GraphError: `foreign_graph_format`, where another program wrote the root; or it is no
                commit of this version.
        """
        problem, found = await drive(
            self._store, _ours_and_newest(graph_id, self._hints.get((graph_id, MAIN), 0))
        )
        if problem is not None:
            raise foreign(graph_id, problem)
        return self._seen(graph_id, MAIN, found)

    async def at(self, graph_id: str, number: int, branch: str = MAIN) -> Commit:
        """Returns one commit that must be there."""
        found = await self.found_at(graph_id, number, branch)
        if found is None:
            raise corrupt(graph_id, f"commit {commit_id(number, branch)} is missing")
        return found

    async def found_at(self, graph_id: str, number: int, branch: str = MAIN) -> Commit | None:
        """Returns one commit, or None where there is none of that number."""
        data = await drive(self._store, read_one(commits_prefix(graph_id, branch), number))
        return None if data is None else _decoded(graph_id, branch, number, data)

    async def numbers(self, graph_id: str, branch: str = MAIN) -> tuple[int, ...]:
        """Returns the numbers of a branch's commits, ascending."""
        return await drive(self._store, numbers_in(commits_prefix(graph_id, branch)))

    async def branches(self, graph_id: str) -> tuple[str, ...]:
        """Returns the names under which commits were ever written, sorted."""
        names = await self._store.folders(commits_root(graph_id))
        return tuple(sorted(from_path_part(name) for name in names))

    async def newest_first(
        self, graph_id: str, *, limit: int, branch: str = MAIN
    ) -> tuple[Commit, ...]:
        """Returns at most *limit* commits."""
        wanted = sorted(await self.numbers(graph_id, branch), reverse=True)[:limit]
        return tuple([await self.at(graph_id, number, branch) for number in wanted])

    async def done_as(self, head: Commit, graph_id: str, *, nonce: str, after: int) -> int | None:
        """Returns the number of the commit behind *after* that bears *nonce*, or None."""
        number = head.n
        commit = head
        while number > after:
            if commit.nonce == nonce:
                return number
            number -= 1
            if number > after:
                commit = await self.at(graph_id, number, head.branch)
        return None

    async def append(self, graph_id: str, commit: Commit, *, head: Commit | None) -> int:
        """Writes *commit* on top of *head*; returns its number.

        Raises:
            ReadSetConflictError: another writer has the number.
        """
        assert commit.n == (head.n if head else 0) + 1
        assert head is None or head.branch == commit.branch, commit.branch
        if head is not None:
            check_epoch(graph_id, head, commit.epoch)
        outcome = await drive(
            self._store,
            append(
                commits_prefix(graph_id, commit.branch),
                commit.n,
                encode_commit(commit),
                nonce_of,
            ),
        )
        if isinstance(outcome, Lost):
            actual = await self.head(graph_id, commit.branch)
            raise conflict(graph_id, expected=head, actual=actual, branch=commit.branch)
        self._hints[graph_id, commit.branch] = commit.n
        return commit.n

    def _seen(self, graph_id: str, branch: str, found: tuple[int, bytes] | None) -> Commit | None:
        if found is None:
            return None
        number, data = found
        self._hints[graph_id, branch] = number
        return _decoded(graph_id, branch, number, data)


def _decoded(graph_id: str, branch: str, number: int, data: bytes) -> Commit:
    key = commit_key(graph_id, number, branch)
    try:
        commit = decode_commit(data)
    except msgspec.DecodeError as failure:
        raise corrupt(graph_id, f"{key}: {failure}") from failure
    if (commit.branch, commit.n) != (branch, number):
        raise corrupt(graph_id, f"{key} says it is {commit_id(commit.n, commit.branch)}")
    return commit


async def format_problem(store: ObjectStore, graph_id: str) -> str | None:
    """Returns why the root is foreign, or None where it is ours or there is nothing."""
    return await drive(store, _format_problem(graph_id))


def _ours_and_newest(
    graph_id: str, hint: int
) -> Machine[tuple[str | None, tuple[int, bytes] | None]]:
    problem = yield from _format_problem(graph_id)
    if problem is not None:
        return problem, None
    return None, (yield from newest(commits_prefix(graph_id, MAIN), hint))


def _format_problem(graph_id: str) -> Machine[str | None]:
    found = yield from read(format_key(graph_id))
    if found is None:
        keys = yield from list_keys(root(graph_id) + "/")
        others = [key for key in keys if not key.startswith(names_prefix(graph_id))]
        return f"it holds {others[0]} and no format.json" if others else None
    try:
        written = msgspec.json.decode(found.data, type=Format)
    except msgspec.DecodeError as failure:
        return f"format.json: {failure}"
    if (written.format, written.version) != (FORMAT_NAME, FORMAT_VERSION):
        return f"format.json says {written.format} {written.version}"
    return None


async def claim_root(store: ObjectStore, graph_id: str) -> None:
    """Writes ``format.json`` where there is none.

    Raises:
        GraphError: the root is foreign.
    """
    await check_format(store, graph_id)
    if not await store.create(format_key(graph_id), FORMAT_BYTES):
        await check_format(store, graph_id)


async def check_format(store: ObjectStore, graph_id: str) -> None:
    """Refuses a root that another program wrote.

    Raises:
        GraphError: `foreign_graph_format`.
    """
    problem = await format_problem(store, graph_id)
    if problem is not None:
        raise foreign(graph_id, problem)


def check_epoch(graph_id: str, head: Commit, epoch: int) -> None:
    """Refuses a writer whose lease was taken over.

    Raises:
        GraphError: `lease_lost`.
    """
    if epoch < head.epoch:
        raise lease_lost(graph_id, head, epoch)


def check_observed(graph_id: str, head: Commit, observed: int) -> None:
    """Refuses a call that has seen another head.

    Raises:
        ReadSetConflictError: always then.
    """
    if head.n != observed:
        raise conflict(graph_id, expected=observed, actual=head, branch=head.branch)


def require_live(graph_id: str, head: Commit | None) -> Commit:
    """Returns *head* where the graph is there and not detached.

    Raises:
        GraphError: `graph_root_missing` or `graph_detached`.
    """
    if head is None:
        raise root_missing(graph_id)
    if head.kind in ENDED:
        raise detached(graph_id, head)
    return head
