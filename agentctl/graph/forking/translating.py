"""Stored records of a lent graph as the sandbox reads and writes them: pure.

The first commit of the trunk is a commit `create` inside, and names no parent: there the graph
begins. What cannot be decoded is left as it is, for whoever reads it to tell of.
"""

from collections.abc import Callable

import msgspec

from agentctl.graph.branching.names import parse_commit_id
from agentctl.graph.collected import Cleanup
from agentctl.graph.commit import Commit, decode_commit, encode_commit
from agentctl.graph.forking.fork import Fork
from agentctl.graph.layout import MAIN, commit_id
from agentctl.graph.port import Pin

Translate = Callable[[Fork, bytes], bytes]
"""Takes what is stored; returns it in the other world's names."""


def commit_inside(fork: Fork, data: bytes) -> bytes:
    """Returns a real commit of the fork as the sandbox reads it."""
    try:
        commit = decode_commit(data)
    except msgspec.DecodeError:
        return data
    branch = fork.inside(commit.branch)
    if branch is None:
        return data
    is_first = branch == MAIN and commit.kind == "branch"
    return encode_commit(
        msgspec.structs.replace(
            commit,
            branch=branch,
            kind="create" if is_first else commit.kind,
            parents=() if is_first else _named(commit, fork.inside),
        )
    )


def commit_outside(fork: Fork, data: bytes) -> bytes:
    """Returns a commit that is written in the sandbox, as it is stored."""
    commit = decode_commit(data)
    assert commit.kind not in ("create", "purge", "erase"), commit.kind
    return encode_commit(
        msgspec.structs.replace(
            commit, branch=fork.outside(commit.branch), parents=_named(commit, fork.outside)
        )
    )


def pin_inside(fork: Fork, data: bytes) -> bytes:
    """Returns a pin of the fork as the sandbox reads it."""
    try:
        pin = msgspec.json.decode(data, type=Pin)
    except msgspec.DecodeError:
        return data
    branch = fork.inside(pin.branch)
    return data if branch is None else _encoded(msgspec.structs.replace(pin, branch=branch))


def pin_outside(fork: Fork, data: bytes) -> bytes:
    """Returns a pin that is written in the sandbox, as it is stored."""
    pin = msgspec.json.decode(data, type=Pin)
    return _encoded(msgspec.structs.replace(pin, branch=fork.outside(pin.branch)))


def cleanup_inside(fork: Fork, data: bytes) -> bytes:
    """Returns what was let go of, of the sandbox's branches alone."""
    try:
        cleanup = msgspec.json.decode(data, type=Cleanup)
    except msgspec.DecodeError:
        return data
    names = ((fork.inside(branch), ranges) for branch, ranges in cleanup.collected.items())
    own = {branch: ranges for branch, ranges in names if branch is not None}
    return _encoded(msgspec.structs.replace(cleanup, collected=own))


def _named(commit: Commit, name: Callable[[str], str | None]) -> tuple[str, ...]:
    """Returns the parents by other names; one that has none there is left out."""
    found: list[str] = []
    for parent in map(parse_commit_id, commit.parents):
        branch = None if parent is None else name(parent.branch)
        if parent is not None and branch is not None:
            found.append(commit_id(parent.n, branch))
    return tuple(found)


def _encoded(record: Pin | Cleanup) -> bytes:
    return msgspec.json.encode(record) + b"\n"
