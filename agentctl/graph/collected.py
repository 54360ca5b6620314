"""Which commits a cleanup has let go of: ``_graph/cleanups/<n>.json``, a numbered log.

A cleanup says what it will let go of before it looks, for the last time, at what keeps commits, and
removes nothing that is kept then. Whoever wants to keep a commit (a branch cut from it, a tag, a
pin) writes that first and looks here afterwards. So of two that cross, the cleanup sees the keeper
or the keeper sees the cleanup: nothing that is kept is ever removed. Source: graph-engine 6.
"""

from collections.abc import Iterable, Mapping
from typing import Literal

import msgspec

from agentctl.adapters.backends.drive import drive
from agentctl.domain.storage.numbered import Lost, append, newest
from agentctl.domain.storage.protocol import ObjectStore
from agentctl.graph.commit import Commit, nonce_of
from agentctl.graph.layout import root
from agentctl.graph.refusals import corrupt

Ranges = tuple[tuple[int, int], ...]
"""Numbers from the first to the second of each pair, both included; ascending and apart."""


class Cleanup(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``_graph/cleanups/<n>.json``: all that this cleanup and those before it let go of."""

    version: Literal[1] = 1
    n: int
    nonce: str
    op: str
    at: str
    collected: Mapping[str, Ranges]
    """Numbers of commits by branch."""


def cleanups_prefix(graph_id: str) -> str:
    """Returns what the keys of a graph's cleanups begin with, slash included."""
    return f"{root(graph_id)}/_graph/cleanups/"


def ranges_of(numbers: Iterable[int]) -> Ranges:
    """Returns *numbers* as ranges."""
    found: list[tuple[int, int]] = []
    for number in sorted(set(numbers)):
        if found and found[-1][1] == number - 1:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return tuple(found)


def numbers_of(ranges: Ranges) -> set[int]:
    """Returns the numbers in *ranges*."""
    return {number for low, high in ranges for number in range(low, high + 1)}


def has_let_go(cleanup: Cleanup | None, commit: Commit) -> bool:
    """Returns whether *cleanup*, or one before it, let go of *commit*."""
    ranges = cleanup.collected.get(commit.branch, ()) if cleanup is not None else ()
    return any(low <= commit.n <= high for low, high in ranges)


async def newest_cleanup(store: ObjectStore, graph_id: str) -> Cleanup | None:
    """Returns what was let go of so far, or None where nothing was.

    Raises:
        GraphError: `graph_corrupt`.
    """
    prefix = cleanups_prefix(graph_id)
    found = await drive(store, newest(prefix))
    if found is None:
        return None
    try:
        return msgspec.json.decode(found[1], type=Cleanup)
    except msgspec.DecodeError as failure:
        raise corrupt(graph_id, f"{prefix}{found[0]}: {failure}") from failure


async def write_cleanup(store: ObjectStore, graph_id: str, cleanup: Cleanup) -> bool:
    """Writes the next one; returns whether the number was free."""
    data = msgspec.json.format(msgspec.json.encode(cleanup), indent=2) + b"\n"
    outcome = await drive(store, append(cleanups_prefix(graph_id), cleanup.n, data, nonce_of))
    return not isinstance(outcome, Lost)
