"""The commits of a graph's `main`: how they are read, and the one way a new one is written.

A commit is an object of a numbered log, so exactly one writer wins its number. What a call finds
decides whether it goes on: its own nonce means that it is done, another head than it has seen or a
higher epoch means that it must not write. Source: graph-engine 1, control-plane 3.2.
"""

from typing import Final

import msgspec

from agentctl.adapters.backends.drive import drive
from agentctl.domain.storage.numbered import Lost, append, newest, numbers_in, read_one
from agentctl.domain.storage.protocol import ObjectStore
from agentctl.graph.commit import ENDED, Commit, decode_commit, encode_commit, nonce_of
from agentctl.graph.layout import (
    FORMAT_BYTES,
    FORMAT_NAME,
    FORMAT_VERSION,
    Format,
    commit_id,
    commit_key,
    commits_prefix,
    format_key,
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

RECENT_COUNT: Final = 16
"""How far below the head a repeated load looks for its own nonce."""


class CommitLog:
    """Commits of `main`, by graph, over one store."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._hints: dict[str, int] = {}

    async def head(self, graph_id: str) -> Commit | None:
        """Returns the newest commit, or None where there is none.

        Raises:
            GraphError: it is no commit of this version.
        """
        found = await drive(
            self._store, newest(commits_prefix(graph_id), self._hints.get(graph_id, 0))
        )
        if found is None:
            return None
        number, data = found
        self._hints[graph_id] = number
        return self._decode(graph_id, number, data)

    async def at(self, graph_id: str, number: int) -> Commit:
        """Returns one commit that must be there."""
        data = await drive(self._store, read_one(commits_prefix(graph_id), number))
        if data is None:
            raise corrupt(graph_id, f"commit {commit_id(number)} is missing")
        return self._decode(graph_id, number, data)

    async def newest_first(self, graph_id: str, *, limit: int) -> tuple[Commit, ...]:
        """Returns at most *limit* commits."""
        numbers = await drive(self._store, numbers_in(commits_prefix(graph_id)))
        wanted = sorted(numbers, reverse=True)[:limit]
        return tuple([await self.at(graph_id, number) for number in wanted])

    async def done_as(self, head: Commit, graph_id: str, *, nonce: str, after: int) -> int | None:
        """Returns the number of the commit behind *after* that bears *nonce*, or None."""
        number = head.n
        commit = head
        while number > after:
            if commit.nonce == nonce:
                return number
            number -= 1
            if number > after:
                commit = await self.at(graph_id, number)
        return None

    async def append(self, graph_id: str, commit: Commit, *, head: Commit | None) -> int:
        """Writes *commit* on top of *head*; returns its number.

        Raises:
            ReadSetConflictError: another writer has the number.
        """
        assert commit.n == (head.n if head else 0) + 1
        if head is not None:
            check_epoch(graph_id, head, commit.epoch)
        outcome = await drive(
            self._store,
            append(commits_prefix(graph_id), commit.n, encode_commit(commit), nonce_of),
        )
        if isinstance(outcome, Lost):
            raise conflict(graph_id, expected=head, actual=await self.head(graph_id))
        self._hints[graph_id] = commit.n
        return commit.n

    def _decode(self, graph_id: str, number: int, data: bytes) -> Commit:
        try:
            commit = decode_commit(data)
        except msgspec.DecodeError as failure:
            raise corrupt(graph_id, f"{commit_key(graph_id, number)}: {failure}") from failure
        if commit.n != number:
            raise corrupt(graph_id, f"{commit_key(graph_id, number)} says it is {commit.n}")
        return commit


async def format_problem(store: ObjectStore, graph_id: str) -> str | None:
    """Returns why the root is foreign, or None where it is ours or there is nothing."""
    found = await store.read(format_key(graph_id))
    if found is None:
        others = await store.list(root(graph_id) + "/")
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
        raise conflict(graph_id, expected=observed, actual=head)


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
