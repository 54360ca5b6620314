"""Where things lie under a graph's root: storage keys, and locations of datasets.

Source: graph-engine 1. Keys are relative to the storage root.
"""

from typing import Final

import msgspec

from agentctl.ids import numbered, path_part

FORMAT_NAME: Final = "agentctl-graph"
FORMAT_VERSION: Final = 1
MAIN: Final = "main"
GRAPHS: Final = "graphs/"
ROOT_SUFFIX: Final = ".omni"


class Format(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``_graph/format.json``: who may read and write the root."""

    format: str
    version: int


FORMAT_BYTES: Final = msgspec.json.encode(Format(format=FORMAT_NAME, version=FORMAT_VERSION))


def root(graph_id: str) -> str:
    """Returns the key of a graph's root, without trailing slash."""
    return f"{GRAPHS}{graph_id}{ROOT_SUFFIX}"


def format_key(graph_id: str) -> str:
    """Returns the key of ``format.json``."""
    return f"{root(graph_id)}/_graph/format.json"


def commits_prefix(graph_id: str, branch: str = MAIN) -> str:
    """Returns what the keys of a branch's commits begin with, slash included."""
    return f"{root(graph_id)}/_graph/commits/{path_part(branch)}/"


def names_prefix(graph_id: str) -> str:
    """Returns what the keys of the names of a root begin with, slash included."""
    return f"{root(graph_id)}/_graph/names/"


def commit_key(graph_id: str, number: int, branch: str = MAIN) -> str:
    """Returns the key of one commit."""
    return f"{commits_prefix(graph_id, branch)}{numbered(number)}.json"


def commit_id(number: int, branch: str = MAIN) -> str:
    """Returns a commit's id, ``<branch>:<n>``."""
    return f"{branch}:{number}"


def source_key(graph_id: str, source_digest: str) -> str:
    """Returns the key of a schema's exact text."""
    return f"{root(graph_id)}/_graph/schema/{source_digest}.pg"


def ir_key(graph_id: str, digest: str) -> str:
    """Returns the key of a schema's IR."""
    return f"{root(graph_id)}/_graph/schema/{digest}.json"


def data_prefix(graph_id: str, incarnation: str) -> str:
    """Returns the key under which an incarnation's datasets lie, without trailing slash."""
    return f"{root(graph_id)}/data/{incarnation}"


def dataset_key(graph_id: str, incarnation: str, type_id: str) -> str:
    """Returns the key of the dataset of one type."""
    return f"{data_prefix(graph_id, incarnation)}/{type_id}.lance"


def graph_of(key: str) -> str | None:
    """Returns the graph whose root holds *key*, or None."""
    first, _, _ = key.removeprefix(GRAPHS).partition("/")
    if not key.startswith(GRAPHS) or not first.endswith(ROOT_SUFFIX):
        return None
    return first.removesuffix(ROOT_SUFFIX) or None
